//! The port that a socket holds: how it gets it, and how it gives it back.

use super::life::Life;
use super::state::{Enter, Given};
use super::totals::AddressId;
use super::values::AddressKey;
use crate::event::EventMeta;
use crate::machine::hold::Hold;
use crate::machine::owner::Owner;
use crate::machine::pool_key::PoolKey;
use crate::machine::timeline::Happening;
use crate::machine::witness::Witness;
use crate::machine::world::World;
use crate::net::{Family, SocketAddress};
use crate::time::FileTime;

impl<W: Witness> Life<'_, W> {
    /// A bind succeeded: the socket holds a port from now on, if it asked for any, or got one of the dynamic range.
    pub(super) fn bound(
        &mut self,
        owner: Owner,
        enter: Option<Enter>,
        given: Option<SocketAddress>,
        meta: &EventMeta,
    ) -> Option<Given> {
        let World { ports, processes } = &mut *self.world;
        ports.count(Happening::BindOk, meta.time, processes);
        if self.socket.creator.is_some_and(|creator| !creator.kind.has_port) {
            return None;
        }
        let asked = enter.and_then(|enter| enter.address);
        let answer = given.or(asked);
        let key = self.address_key(answer);
        let pool = self.pool(&key, owner);
        // Port 0 in an answer is the request repeated: the number is not told.
        let port = answer.map(|address| address.port).filter(|port| *port != 0);
        let asked_for_any = asked.is_some_and(|address| address.port == 0);
        let ports = &mut self.world.ports;
        let is_dynamic = port.is_some_and(|port| ports.ranges.of(pool).contains(port));
        let is_deferred =
            port.is_none() && enter.is_some_and(|enter| ports.transport.has_deferred(meta.header_pid, enter.time));
        // A bind that leaves the port to connect has got none.
        if is_deferred || !(asked_for_any || is_dynamic) {
            return None;
        }
        let from = if asked_for_any { ports.given(pool, port, owner, meta.time) } else { None };
        let from = from.filter(|endpoint| *endpoint != self.endpoint);
        let dual = self.socket.is_dual || answer.is_some_and(|address| address.is_mapped());
        let id = self.hold(key, Hold { owner, pool, port, since: meta.time, dual }, from.is_some());
        if !asked_for_any {
            return None;
        }
        self.totals.given(id, meta.time);
        Some(Given { owner, pool, port, local: key.local_address, from })
    }

    /// A connect finds no port: the bind before it had left that to connect, and told no number.
    pub(super) fn had_no_port(&mut self, now: FileTime) {
        if self.socket.hold().is_some_and(|hold| hold.port.is_none()) {
            self.give_back(false, now);
        }
    }

    /// The socket turns out to serve both families: its port is one of IPv4's too.
    pub(super) fn serves_both(&mut self, now: FileTime) {
        self.socket.is_dual = true;
        let Some((hold, _)) = self.socket.held.as_mut() else { return };
        if hold.dual || hold.pool.family != Some(Family::Ipv6) {
            return;
        }
        hold.dual = true;
        let hold = *hold;
        self.hold_other(&hold, now);
    }

    fn hold_other(&mut self, hold: &Hold, now: FileTime) {
        let Some(pool) = hold.other_pool() else { return };
        let World { ports, processes } = &mut *self.world;
        let counts = ports.hold_other(pool, hold, self.endpoint, now);
        processes.tally(hold.owner).take(pool, hold.port, counts);
    }

    /// The pool that serves an address of a socket of this owner.
    pub(super) fn pool(&self, key: &AddressKey, owner: Owner) -> PoolKey {
        let World { ports, processes } = &*self.world;
        if ports.compartments.has_others() { key.pool().within(processes.compartment(owner)) } else { key.pool() }
    }

    /// Begins to hold a port; gives the number of the address, if it has one.
    fn hold(&mut self, key: AddressKey, hold: Hold, is_instead: bool) -> Option<AddressId> {
        if self.socket.held.is_some() || self.socket.closed.is_some() {
            return self.totals.known_address(&key);
        }
        let id = self.totals.address(key);
        self.socket.held = Some((hold, id));
        let counts = self.world.ports.hold(&hold, self.endpoint);
        self.world.processes.hold(&hold, counts, is_instead);
        self.hold_other(&hold, hold.since);
        self.world.ports.consider(hold.pool, hold.since, false, &self.world.processes);
        self.totals.hold(id, hold.owner);
        id
    }

    pub(super) fn release(&mut self, now: FileTime) {
        self.give_back(self.socket.connected, now);
    }

    /// Its port had come back, though no event told that it was closed.
    pub(super) fn lose_port(&mut self, now: FileTime) {
        self.give_back(false, now);
    }

    fn give_back(&mut self, connected: bool, now: FileTime) {
        let Some((hold, address)) = self.socket.held.take() else { return };
        let World { ports, processes } = &mut *self.world;
        let counts = ports.release(&hold, connected, now, processes);
        let tally = processes.tally(hold.owner);
        tally.release(&hold, counts, now);
        if let Some(pool) = hold.other_pool() {
            let counts = ports.release_other(pool, &hold, connected, now);
            tally.give_back(pool, hold.port, counts);
        }
        self.totals.release(address, hold.owner);
    }

    pub(super) fn address_key(&self, address: Option<SocketAddress>) -> AddressKey {
        let creator = self.socket.creator;
        AddressKey {
            family: address.map(|address| address.family()).or(creator.and_then(|creator| creator.kind.family)),
            local_address: address.map(|address| address.ip),
            protocol: creator.and_then(|creator| creator.kind.protocol),
        }
    }
}
