//! Sockets over time: from create to close, who owns them, what their binds and connects came to, what they hold.
//!
//! A socket is an AFD endpoint address and a span of time: addresses are reused.

mod attribution;
mod life;
mod open;
mod port;
mod state;
mod totals;
mod values;

use std::collections::BTreeSet;

use self::attribution::is_header_reliable;
use self::life::Life;
use self::open::OpenSockets;
use self::state::{End, Given, Requests};
use self::totals::Totals;
use self::values::is_legacy;
pub use self::values::{AddressKey, AddressTally, FailureEvidence, Operation, SocketTable};
use super::owner::{Owner, ProcessId};
use super::pool_key::PoolKey;
use super::witness::Witness;
use super::world::World;
use crate::event::{EventMeta, Phase, SocketEvent, SocketOperation};
use crate::net::{Family, Protocol, SocketKind};
use crate::status::NtStatus;
use crate::time::FileTime;

/// Follows all sockets of a case.
#[derive(Debug, Default)]
pub struct Sockets {
    open: OpenSockets,
    totals: Totals,
    requests: Requests,
    /// Processes that have ended, whose ports nothing tells to have come back.
    left_behind: BTreeSet<ProcessId>,
}

impl Sockets {
    /// Takes in one event. Events must come in time order.
    #[inline]
    pub fn observe<W: Witness>(&mut self, meta: &EventMeta, event: &SocketEvent, world: &mut World, witness: &mut W) {
        // The header of a close says nothing of the address.
        if !matches!(event.operation, SocketOperation::Close | SocketOperation::Cleanup) {
            locate(meta, event, world);
        }
        match event.operation {
            SocketOperation::Create { family, socket_type, protocol, pid } => {
                let kind = SocketKind::from_winsock(family, socket_type, protocol);
                self.create(meta, event, (pid, kind), world, witness);
            }
            SocketOperation::Bind { .. } => {
                self.totals.bind_events += 1;
                self.operation(Operation::Bind, meta, event, world, witness);
            }
            SocketOperation::Connect { .. } => self.operation(Operation::Connect, meta, event, world, witness),
            SocketOperation::Close | SocketOperation::Cleanup => self.close(meta, event, world, witness),
        }
    }

    fn create<W: Witness>(
        &mut self,
        meta: &EventMeta,
        event: &SocketEvent,
        (pid, kind): (u32, SocketKind),
        world: &mut World,
        witness: &mut W,
    ) {
        let status = event.status.unwrap_or(NtStatus::SUCCESS);
        match event.phase {
            Phase::Internal(_) => return,
            Phase::Exit if status == NtStatus::PENDING => return,
            Phase::Exit if status != NtStatus::SUCCESS => {
                self.totals.count_status(Operation::Create, status);
                if let Some(mut life) = self.known_life(event.endpoint, world, witness) {
                    life.retire(meta.time);
                }
                return;
            }
            Phase::Enter | Phase::Exit => {}
        }
        if event.endpoint == 0 {
            return;
        }
        // The creating PID stands in the event; where it is 0, in the record's header, which says nothing about the address.
        let process = match (pid, meta.header_pid) {
            (0, None) => return,
            (0, Some(pid)) => world.processes.running(pid, meta.time),
            (pid, _) => world.processes.creator(pid, event.eprocess, meta.time),
        };
        let completed = (event.phase == Phase::Exit).then_some(meta.id);
        self.life(event.endpoint, meta.time, world, witness).created(
            process,
            event.eprocess,
            kind,
            completed,
            meta.time,
        );
    }

    fn operation<W: Witness>(
        &mut self,
        operation: Operation,
        meta: &EventMeta,
        event: &SocketEvent,
        world: &mut World,
        witness: &mut W,
    ) {
        let tells = match event.phase {
            Phase::Enter => true,
            Phase::Exit => event.status != Some(NtStatus::PENDING),
            Phase::Internal(number) => (2..=4).contains(&number),
        };
        let starts = event.phase == Phase::Enter || is_legacy(meta.id);
        if event.phase == Phase::Exit && !tells {
            if let Some(mut life) = self.known_life(event.endpoint, world, witness) {
                life.pend(operation);
            }
            return;
        }
        if !tells && !starts {
            return;
        }
        let mut life = self.life(event.endpoint, meta.time, world, witness);
        if starts && life.socket.closed.is_some() {
            // A request after the end: the address was reused, and the create event is not there. Completions, which may
            // come after a close, belong to the life that ended.
            life.retire(meta.time);
        }
        let taken_over = match event.phase {
            Phase::Enter => life.enter(operation, meta, event),
            Phase::Exit if tells => life.exit(operation, meta, event),
            Phase::Internal(_) if tells => life.internal(operation, meta, event),
            Phase::Exit | Phase::Internal(_) => None,
        };
        if let Some(taken_over) = taken_over {
            self.port_had_come_back(taken_over, meta.time, world, witness);
        }
    }

    /// A port was given out: what was taken to hold it, and what processes held that have ended, had come back by then.
    fn port_had_come_back<W: Witness>(&mut self, given: Given, now: FileTime, world: &mut World, witness: &mut W) {
        let Given { owner, pool, port, local, from } = given;
        let from = from.filter(|_| port.is_none_or(|port| !world.ports.transport.is_given_twice(port)));
        let mut lost_by = None;
        if let Some(mut life) = from.and_then(|endpoint| self.known_life(endpoint, world, witness)) {
            let address = life.socket.address().and_then(|id| life.totals.key(id)).and_then(|key| key.local_address);
            // Two addresses of one machine each have their own, where sockets ask for that (SO_PORT_SCALABILITY).
            let is_apart = address.zip(local).is_some_and(|(one, other)| one != other);
            let hold = life.socket.hold().filter(|hold| !is_apart && hold.port == port && hold.pool == pool);
            lost_by = hold.map(|hold| hold.owner);
            if lost_by.is_some() {
                life.lose_port(now);
                world.ports.given_twice(pool);
            }
        }
        if given.from.is_some() {
            world.processes.tally(owner).see_peak();
        }
        if world.ports.is_giving_again(pool) {
            let ended = world.processes.take_left_behind();
            if !ended.is_empty() {
                self.have_ended(ended, pool, now, world, witness);
            }
        }
        if !self.left_behind.is_empty() {
            let owner = lost_by.and_then(|owner| world.processes.settled(owner));
            self.may_have_come_back(owner, pool, now, world, witness);
        }
    }

    /// Processes have ended, and ports are given out again: theirs have come back if the pool was full when they ended, or if no
    /// event tells of closes at all. Else there were others to give out, and children may have inherited the sockets.
    #[cold]
    fn have_ended<W: Witness>(
        &mut self,
        ended: Vec<ProcessId>,
        pool: PoolKey,
        now: FileTime,
        world: &mut World,
        witness: &mut W,
    ) {
        world.ports.forget_transport(&ended);
        let was_full = |id: &ProcessId| {
            let process = world.processes.processes().get(world.processes.index(*id));
            process.and_then(|process| process.ended).is_none_or(|end| world.ports.was_failing(pool, end))
        };
        let are_told = self.totals.closes > 0;
        let (gone, left): (Vec<_>, Vec<_>) = ended.into_iter().partition(|id| !are_told || was_full(id));
        self.left_behind.extend(left.into_iter().filter(|id| world.processes.holds_ports(*id)));
        self.ports_of_ended(&gone, now, world, witness);
    }

    /// A port was given out: what an ended process left behind has come back if one of its ports is `given`, if more would be
    /// held than there are, or if ports are given out again after failures.
    fn may_have_come_back<W: Witness>(
        &mut self,
        given: Option<usize>,
        pool: PoolKey,
        now: FileTime,
        world: &mut World,
        witness: &mut W,
    ) {
        let is_all = world.ports.shows_room(pool);
        if !is_all && given.is_none() {
            return;
        }
        let World { processes, .. } = &*world;
        let is_gone = |id: &&ProcessId| {
            let holds_here = || processes.held_by(Owner::Process(**id), pool) > 0;
            given == Some(processes.index(**id)) || (is_all && holds_here())
        };
        let gone: Vec<ProcessId> = self.left_behind.iter().filter(is_gone).copied().collect();
        self.left_behind.retain(|id| !gone.contains(id));
        self.ports_of_ended(&gone, now, world, witness);
    }

    /// Whether it matters that TCP/IP gives ports back: where the session holds closes, they tell it better.
    pub fn wants_releases(&self) -> bool {
        self.totals.closes == 0
    }

    /// TCP/IP says that a port has come back.
    pub fn released<W: Witness>(&mut self, port: u16, now: FileTime, world: &mut World, witness: &mut W) {
        for family in [Family::Ipv4, Family::Ipv6] {
            let key = PoolKey::new(Protocol::Tcp, family);
            let Some(endpoint) = world.ports.get(key).and_then(|pool| pool.last_taken_by(port)) else { continue };
            let Some(mut life) = self.known_life(endpoint, world, witness) else { continue };
            if life.socket.hold().is_some_and(|hold| hold.port == Some(port) && hold.pool == key) {
                life.lose_port(now);
            }
        }
    }

    /// Ports of processes that have ended come back.
    #[cold]
    fn ports_of_ended<W: Witness>(&mut self, gone: &[ProcessId], now: FileTime, world: &mut World, witness: &mut W) {
        if !gone.iter().any(|id| world.processes.holds_ports(*id)) {
            return;
        }
        let gone: BTreeSet<usize> = gone.iter().map(|id| world.processes.index(*id)).collect();
        for endpoint in self.open.endpoints() {
            let Some(mut life) = self.known_life(endpoint, world, witness) else { continue };
            let owner = life.socket.hold().and_then(|hold| life.world.processes.settled(hold.owner));
            if owner.is_some_and(|owner| gone.contains(&owner)) {
                life.lose_port(now);
            }
        }
    }

    fn close<W: Witness>(&mut self, meta: &EventMeta, event: &SocketEvent, world: &mut World, witness: &mut W) {
        if event.endpoint != 0 {
            self.totals.closes += 1;
            if let Some(end) = self.life(event.endpoint, meta.time, world, witness).close(meta, event) {
                self.open.ended(event.endpoint, end == End::Finished);
            }
        }
    }

    /// The socket at an address, where one is known.
    fn known_life<'a, W>(&'a mut self, endpoint: u64, world: &'a mut World, witness: &'a mut W) -> Option<Life<'a, W>> {
        let socket = self.open.get_mut(endpoint)?;
        Some(Life { endpoint, socket, totals: &mut self.totals, requests: &mut self.requests, world, witness })
    }

    /// The same, or a new one.
    #[inline(always)]
    fn life<'a, W>(
        &'a mut self,
        endpoint: u64,
        now: FileTime,
        world: &'a mut World,
        witness: &'a mut W,
    ) -> Life<'a, W> {
        let socket = self.open.get_or_new(endpoint, now);
        Life { endpoint, socket, totals: &mut self.totals, requests: &mut self.requests, world, witness }
    }

    /// What was counted so far does not count any more.
    pub(super) fn begin_to_count(&mut self) {
        self.totals.begin_to_count();
        self.open.begin_to_count();
    }

    /// Takes in an event outside of the window: it may tell whose an EPROCESS address is, and that an operation which only an
    /// internal record had told about completed after the window.
    pub(super) fn observe_outside(&mut self, meta: &EventMeta, event: &SocketEvent, world: &mut World) {
        locate(meta, event, world);
        let completes = event.phase == Phase::Exit && event.status != Some(NtStatus::PENDING);
        let operation = match event.operation {
            SocketOperation::Create { pid, .. }
                if pid != 0 && event.status.is_none_or(|status| status == NtStatus::SUCCESS) =>
            {
                world.processes.creator(pid, event.eprocess, meta.time);
                return;
            }
            SocketOperation::Bind { .. } if completes => Operation::Bind,
            SocketOperation::Connect { .. } if completes => Operation::Connect,
            _ => return,
        };
        if let Some(socket) = self.open.get_mut(event.endpoint) {
            socket.forget_internal(operation);
        }
    }

    /// The machine was started again: all sockets are gone.
    pub fn restart<W: Witness>(&mut self, now: FileTime, world: &mut World, witness: &mut W) {
        self.conclude(world, witness);
        for endpoint in self.open.endpoints() {
            self.life(endpoint, now, world, witness).retire(now);
        }
        self.open.clear();
        self.left_behind.clear();
    }

    /// Operations that only internal records told about are counted.
    fn conclude<W: Witness>(&mut self, world: &mut World, witness: &mut W) {
        for endpoint in self.open.endpoints() {
            if let Some(mut life) = self.known_life(endpoint, world, witness) {
                life.conclude_all();
            }
        }
    }

    /// Ends the analysis.
    pub fn finish<W: Witness>(mut self, world: &mut World, witness: &mut W) -> SocketTable {
        self.conclude(world, witness);
        let Self { open, totals, .. } = self;
        totals.into_table(open.held().copied().collect(), open.overflowed)
    }
}

/// A record header may tell whose the EPROCESS address is.
#[inline]
fn locate(meta: &EventMeta, event: &SocketEvent, world: &mut World) {
    // Nearly all addresses are known: that is found out fastest.
    if world.processes.is_unknown(event.eprocess)
        && let Some(pid) = meta.header_pid.filter(|_| is_header_reliable(meta, event))
    {
        world.processes.locate(pid, event.eprocess, meta.time);
    }
}
