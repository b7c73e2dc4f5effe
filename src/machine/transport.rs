//! Ports as TCP/IP sees them, below the sockets: those of the kernel, and those of connections older than the trace.
//!
//! Nothing but process, port and time joins these with AFD's sockets, so they are kept apart, and put together for a
//! moment at a time.

mod share;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use super::owner::{Owner, ProcessId, is_kernel};
use super::pool_key::{Compartment, PoolKey};
use super::pools::Pool;
use super::processes::ProcessTable;
use super::ranges::PoolRange;
use super::reservation::Reservation;
use super::seen_ports::SeenPorts;
use crate::event::{PortReference, RawPort, TransportEvent};
use crate::hash::FastMap;
use crate::net::{Family, Protocol, SocketAddress};
use crate::status::NtStatus;
use crate::time::{FileTime, joined};

/// Endpoints, TCBs and port references that are followed at once. A machine has 65,536 ports for each of four pools.
const MAX_FOLLOWED: usize = 1 << 20;

/// Port reservations that are kept. Windows keeps a few dozen.
const MAX_RESERVATIONS: usize = 4096;

/// `TCP_STATE` values. Source: the TCPIP manifest's value map.
const CLOSED: u32 = 0;
const LISTEN: u32 = 1;
const CLOSE_WAIT: u32 = 7;
const TIME_WAIT: u32 = 10;

/// Which way round the two bytes of a port are; no source states it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortOrder {
    /// Most significant byte first, as in socket addresses.
    Network,
    /// Least significant byte first, as other integers of events.
    Host,
}

impl PortOrder {
    fn read(self, port: RawPort) -> u16 {
        match self {
            Self::Network => port.network(),
            Self::Host => port.host(),
        }
    }
}

/// Refusals that TCP/IP itself logged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Refusals {
    /// Binds refused with 0xC0000209 (1006, 1394).
    pub binds: u64,
    /// Connects refused with 0xC0000209 (1050).
    pub connects: u64,
}

#[derive(Debug, Clone, Copy)]
struct Endpoint {
    process: ProcessId,
    family: Option<Family>,
    compartment: Compartment,
    /// The local port of a connection, where it is told.
    local_port: Option<u16>,
}

/// A port that an endpoint or TCB has taken.
#[derive(Debug, Clone, Copy)]
struct Acquired {
    since: FileTime,
    /// Its connection is in TIME_WAIT: whose it was.
    waits: Option<Waits>,
    /// Its connection is in CLOSE_WAIT.
    is_closed_there: bool,
}

/// The address of a TCB may be another connection's by the time that its port has waited.
#[derive(Debug, Clone, Copy)]
struct Waits {
    process: Option<ProcessId>,
}

#[derive(Debug, Clone, Copy)]
struct Holding {
    process: Option<ProcessId>,
    compartment: Compartment,
    local: SocketAddress,
    since: FileTime,
    /// In TIME_WAIT.
    waits: bool,
    /// In CLOSE_WAIT: the other side has closed.
    is_closed_there: bool,
}

impl Holding {
    fn pool(&self, protocol: Protocol) -> PoolKey {
        PoolKey::new(protocol, self.local.family()).within(self.compartment)
    }
}

/// All ports that an endpoint or TCB may have taken.
fn all_of(acquirer: u64) -> RangeInclusive<PortReference> {
    let reference = |port| PortReference { acquirer, port: RawPort(port) };
    reference(0)..=reference(u16::MAX)
}

/// What TCP/IP's events told.
#[derive(Debug, Default)]
pub struct Transport {
    /// Endpoints and TCBs by address.
    endpoints: FastMap<u64, Endpoint>,
    /// Ports taken and not given back.
    acquired: BTreeMap<PortReference, Acquired>,
    /// How many of them refer to each port, as its bytes stand.
    references: FastMap<RawPort, u32>,
    /// Events told that ports were given back, or connections closed.
    pub tells_releases: bool,
    /// Connections that were there before the trace, by TCB.
    existing: FastMap<u64, Holding>,
    udp: FastMap<u64, Holding>,
    /// Connections of the trace in CLOSE_WAIT, by TCB: whose, and the local port.
    closed_there: FastMap<u64, (ProcessId, PoolKey, u16)>,
    /// References and holdings for each pool, roughly: TCP ports whose family is not known count for both.
    in_use: Vec<u32>,
    /// Ports acquired so far, over both families: TCP, UDP.
    taken: (u64, u64),
    /// Port numbers of connections that were there before the trace, for IPv4 and IPv6.
    seen: [SeenPorts; 2],
    /// Port reservations; one that two events tell of is one.
    pub reservations: BTreeSet<Reservation>,
    /// Refusals by pool.
    pub refusals: BTreeMap<PoolKey, Refusals>,
    /// First and last refusal or weak reference.
    pub refusal_span: Option<(FileTime, FileTime)>,
    /// Ports given although others use them, because none was free (1195).
    pub weak_references: u64,
    /// These ports, in both orders of their bytes.
    weak: SeenPorts,
    /// TIME_WAIT as the global parameters state it, in the unit of the event.
    pub timed_wait_delay: Option<u32>,
    /// Events of port acquisition, binds and connections.
    pub port_events: u64,
    /// Connections that were there before the trace.
    pub rundown_connections: u64,
    /// Something was not followed, since too much was followed already.
    pub overflowed: bool,
    /// The order of port bytes as far as it has been decided.
    pub order: Option<PortOrder>,
    deferred: Option<(Option<u32>, FileTime)>,
    /// The endpoint that was created last.
    last_endpoint: Option<u64>,
    /// How often the order was asked for in vain.
    undecided: u64,
}

impl Transport {
    /// Takes in one event, with the compartment that it names. Events must come in time order.
    pub fn observe(
        &mut self,
        time: FileTime,
        header_pid: Option<u32>,
        event: &TransportEvent,
        told: Option<Compartment>,
        processes: &mut ProcessTable,
    ) {
        self.port_events += 1;
        match *event {
            TransportEvent::Endpoint { endpoint, pid, family, .. } => {
                let process = processes.running(pid, time);
                let compartment = told.unwrap_or_else(|| processes.compartment(Owner::Process(process)));
                processes.set_compartment(process, compartment);
                self.follow(endpoint, Endpoint { process, family, compartment, local_port: None });
                self.last_endpoint = Some(endpoint);
            }
            TransportEvent::Connection { tcb, pid, family, local_port, .. } => {
                let process = processes.running(pid, time);
                let compartment = told.unwrap_or_else(|| processes.compartment(Owner::Process(process)));
                self.closed_there.remove(&tcb);
                self.follow(tcb, Endpoint { process, family, compartment, local_port });
            }
            TransportEvent::Acquired(reference) => self.acquire(reference, time),
            TransportEvent::Released(reference) => self.release(reference),
            TransportEvent::WeakReference(reference) => {
                self.weak_references += 1;
                self.weak.add(reference.port.network());
                self.weak.add(reference.port.host());
                self.refused_at(time);
            }
            TransportEvent::Existing { tcb, pid, local, state } => {
                self.existing(time, tcb, pid, local, state, processes);
            }
            TransportEvent::State { tcb, state } => self.change_state(tcb, state),
            TransportEvent::UdpBound { endpoint, pid, local } => {
                let known = self.endpoints.get(&endpoint).copied();
                let process = known.map(|known| known.process).or_else(|| pid.map(|pid| processes.running(pid, time)));
                let of_process = || process.map_or(Compartment::OWN, |id| processes.compartment(Owner::Process(id)));
                let compartment = known.map_or_else(of_process, |known| known.compartment);
                let (waits, is_closed_there) = (false, false);
                self.hold_udp(endpoint, Holding { process, compartment, local, since: time, waits, is_closed_there });
            }
            TransportEvent::UdpClosed { endpoint } => {
                self.tells_releases = true;
                if let Some(holding) = self.udp.remove(&endpoint) {
                    self.count(holding.pool(Protocol::Udp), false);
                }
                self.endpoints.remove(&endpoint);
            }
            TransportEvent::Refused { protocol, connect, family, status, endpoint, .. } => {
                if status == NtStatus::TOO_MANY_ADDRESSES {
                    let of_endpoint = endpoint.and_then(|endpoint| self.endpoints.get(&endpoint));
                    // Binds are refused in the context of who asks.
                    let of_caller = || {
                        let caller =
                            header_pid.filter(|pid| !is_kernel(*pid)).and_then(|pid| processes.last_known(pid));
                        caller.map(|caller| processes.compartment(Owner::Process(caller)))
                    };
                    let known = told.or(of_endpoint.map(|endpoint| endpoint.compartment));
                    let compartment = known.or_else(of_caller).unwrap_or_default();
                    let key = PoolKey { protocol: Some(protocol), family, compartment };
                    let refusals = self.refusals.entry(key).or_default();
                    *(if connect { &mut refusals.connects } else { &mut refusals.binds }) += 1;
                    self.refused_at(time);
                }
            }
            TransportEvent::InCompartment { pid, .. } => {
                let process = processes.running(pid, time);
                let compartment = told.unwrap_or_default();
                processes.set_compartment(process, compartment);
                // The event comes behind that of the endpoint, which does not tell it.
                let last = self.last_endpoint.and_then(|endpoint| self.endpoints.get_mut(&endpoint));
                if let Some(last) = last.filter(|last| last.process == process) {
                    last.compartment = compartment;
                }
            }
            TransportEvent::Deferred => self.deferred = Some((header_pid, time)),
            TransportEvent::Reserved { pid, status, start, count } => {
                if status == NtStatus::SUCCESS && count > 0 && self.reservations.len() < MAX_RESERVATIONS {
                    self.reservations.insert(Reservation { process: processes.running(pid, time), start, count });
                }
            }
            TransportEvent::TimedWaitDelay(delay) => self.timed_wait_delay = Some(delay),
        }
    }

    /// What was counted so far does not count any more.
    pub(super) fn begin_to_count(&mut self) {
        self.refusals.clear();
        self.refusal_span = None;
        self.weak_references = 0;
    }

    /// Whether a bind of `pid` that began at `since` left its port to connect.
    pub fn has_deferred(&self, pid: Option<u32>, since: FileTime) -> bool {
        self.deferred.is_some_and(|(who, when)| who == pid && when >= since)
    }

    /// Whose an endpoint or TCB is now; `None` for one that is not followed, and for a connection in TIME_WAIT.
    pub fn process_of(&self, address: u64) -> Option<ProcessId> {
        let endpoint = self.endpoints.get(&address).map(|endpoint| endpoint.process);
        let holding = || self.existing.get(&address).or_else(|| self.udp.get(&address))?.process;
        endpoint.or_else(holding)
    }

    /// Roughly how many ports of a pool are in use.
    pub fn in_use(&self, key: PoolKey) -> u32 {
        self.in_use.get(key.index()).copied().unwrap_or(0)
    }

    /// Whether TCP/IP gave a port although others use it.
    pub(super) fn is_given_twice(&self, port: u16) -> bool {
        self.weak.contains(port)
    }

    /// Ports acquired so far by a protocol, over both families.
    pub fn taken(&self, key: PoolKey) -> u64 {
        match key.protocol {
            Some(Protocol::Tcp) => self.taken.0,
            Some(Protocol::Udp) => self.taken.1,
            None => 0,
        }
    }

    /// Port numbers of TCP connections that were there before the trace; `None` where it tells none.
    pub fn seen(&self, key: PoolKey) -> Option<&SeenPorts> {
        let index = usize::from(key.family? == Family::Ipv6);
        let is_here = key.protocol == Some(Protocol::Tcp) && key.compartment.is_own();
        self.seen.get(index).filter(|seen| is_here && !seen.is_empty())
    }

    /// All that is followed.
    pub fn followed(&self) -> u64 {
        (self.acquired.len() + self.existing.len() + self.udp.len()) as u64
    }

    fn refused_at(&mut self, time: FileTime) {
        self.refusal_span = joined(self.refusal_span, Some((time, time)));
    }

    fn has_room(&mut self) -> bool {
        let followed = self.endpoints.len() + self.acquired.len() + self.existing.len() + self.udp.len();
        self.overflowed |= followed >= MAX_FOLLOWED;
        followed < MAX_FOLLOWED
    }

    fn follow(&mut self, address: u64, endpoint: Endpoint) {
        if self.endpoints.contains_key(&address) || self.has_room() {
            self.endpoints.insert(address, endpoint);
        }
    }

    fn count(&mut self, key: PoolKey, more: bool) {
        if self.in_use.len() <= key.index() {
            self.in_use.resize(key.index() + 1, 0);
        }
        if let Some(count) = self.in_use.get_mut(key.index()) {
            *count = if more { count.saturating_add(1) } else { count.saturating_sub(1) };
        }
    }

    fn count_reference(&mut self, acquirer: u64, more: bool) {
        let compartment = self.endpoints.get(&acquirer).map_or(Compartment::OWN, |endpoint| endpoint.compartment);
        for family in [Family::Ipv4, Family::Ipv6] {
            self.count(PoolKey::new(Protocol::Tcp, family).within(compartment), more);
        }
    }

    fn acquire(&mut self, reference: PortReference, time: FileTime) {
        self.taken.0 += 1;
        if self.has_room()
            && self.acquired.insert(reference, Acquired { since: time, waits: None, is_closed_there: false }).is_none()
        {
            *self.references.entry(reference.port).or_default() += 1;
            self.count_reference(reference.acquirer, true);
        }
    }

    fn release(&mut self, reference: PortReference) {
        self.tells_releases = true;
        if self.acquired.remove(&reference).is_some() {
            if let Some(references) = self.references.get_mut(&reference.port) {
                *references -= 1;
                if *references == 0 {
                    self.references.remove(&reference.port);
                }
            }
            self.count_reference(reference.acquirer, false);
            if self.acquired.range(all_of(reference.acquirer)).next().is_none() {
                self.closed_there.remove(&reference.acquirer);
                self.endpoints.remove(&reference.acquirer);
            }
        }
        self.end_existing(reference.acquirer);
    }

    /// Whether nothing refers to the port of a reference any more.
    pub(super) fn is_last(&self, reference: PortReference) -> bool {
        !self.references.contains_key(&reference.port)
    }

    /// The port of a reference; `None` where the order of its bytes has not been decided. To decide it costs a walk over all
    /// references: it is tried less and less often.
    pub(super) fn read_port(&mut self, reference: PortReference, range: PoolRange, pools: &[Pool]) -> Option<u16> {
        if self.order.is_none() {
            self.undecided += 1;
            if self.undecided.is_power_of_two() {
                self.decide_order(range, pools);
            }
        }
        self.order.map(|order| order.read(reference.port))
    }

    fn end_existing(&mut self, tcb: u64) {
        if let Some(holding) = self.existing.remove(&tcb) {
            self.count(holding.pool(Protocol::Tcp), false);
        }
    }

    fn existing(
        &mut self,
        time: FileTime,
        tcb: u64,
        pid: u32,
        local: SocketAddress,
        state: u32,
        processes: &mut ProcessTable,
    ) {
        // A rundown at the end lists connections whose beginning was seen.
        let is_known = self.endpoints.contains_key(&tcb) || self.existing.contains_key(&tcb);
        if is_known || matches!(state, CLOSED | LISTEN) || !self.has_room() {
            return;
        }
        self.rundown_connections += 1;
        let waits = state == TIME_WAIT;
        let process = (!waits).then(|| processes.running(pid, time));
        let compartment = process.map_or(Compartment::OWN, |id| processes.compartment(Owner::Process(id)));
        let is_closed_there = state == CLOSE_WAIT;
        let holding = Holding { process, compartment, local, since: time, waits, is_closed_there };
        if let Some(seen) = self.seen.get_mut(usize::from(local.family() == Family::Ipv6)) {
            seen.add(local.port);
        }
        self.existing.insert(tcb, holding);
        self.count(holding.pool(Protocol::Tcp), true);
    }

    fn change_state(&mut self, tcb: u64, state: u32) {
        self.closed_there.remove(&tcb);
        match state {
            CLOSED => {
                self.end_existing(tcb);
                self.endpoints.remove(&tcb);
            }
            TIME_WAIT => {
                if let Some(holding) = self.existing.get_mut(&tcb) {
                    (holding.waits, holding.process) = (true, None);
                }
                // Its socket is closed, and nobody has the port until it is released.
                let process = self.endpoints.get(&tcb).map(|endpoint| endpoint.process);
                for acquired in self.acquired.range_mut(all_of(tcb)).map(|(_, acquired)| acquired) {
                    acquired.waits.get_or_insert(Waits { process });
                }
            }
            CLOSE_WAIT => {
                if let Some(holding) = self.existing.get_mut(&tcb) {
                    holding.is_closed_there = true;
                }
                for (_, acquired) in self.acquired.range_mut(all_of(tcb)) {
                    acquired.is_closed_there = true;
                }
                let known = self.endpoints.get(&tcb);
                if let Some((known, port)) = known.and_then(|known| Some((known, known.local_port?))) {
                    let key =
                        PoolKey { protocol: Some(Protocol::Tcp), family: known.family, compartment: known.compartment };
                    self.closed_there.insert(tcb, (known.process, key, port));
                }
            }
            _ => {}
        }
    }

    fn hold_udp(&mut self, endpoint: u64, holding: Holding) {
        if !self.has_room() {
            return;
        }
        self.taken.1 += 1;
        if let Some(old) = self.udp.insert(endpoint, holding) {
            self.count(old.pool(Protocol::Udp), false);
        }
        self.count(holding.pool(Protocol::Udp), true);
    }

    /// Connections and endpoints of processes that have ended, whose ports are given out again, are gone.
    pub(super) fn forget(&mut self, gone: &[ProcessId]) {
        let is_gone = |holding: &Holding| holding.process.is_some_and(|process| gone.contains(&process));
        for (protocol, holdings) in [(Protocol::Tcp, &mut self.existing), (Protocol::Udp, &mut self.udp)] {
            let mut pools = Vec::new();
            holdings.retain(|_, holding| {
                let stays = !is_gone(holding);
                pools.extend((!stays).then(|| holding.pool(protocol)));
                stays
            });
            for pool in pools {
                if let Some(count) = self.in_use.get_mut(pool.index()) {
                    *count = count.saturating_sub(1);
                }
            }
        }
    }

    /// The machine was started again: nothing is held any more.
    pub fn restart(&mut self) {
        self.endpoints.clear();
        self.closed_there.clear();
        self.acquired.clear();
        self.references.clear();
        self.existing.clear();
        self.udp.clear();
        self.in_use.clear();
        self.reservations.clear();
        self.deferred = None;
    }
}
