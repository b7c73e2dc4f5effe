//! Ports as TCP/IP sees them, below the sockets: those of the kernel, and those of connections older than the trace.
//!
//! Nothing but process, port and time joins these with AFD's sockets, so they are kept apart, and put together for a
//! moment at a time.

use std::collections::{BTreeMap, BTreeSet};

use super::moment::TransportShare;
use super::owner::ProcessId;
use super::pool_key::{POOLS, PoolKey};
use super::pools::Pool;
use super::processes::ProcessTable;
use super::ranges::{PoolRange, PoolRanges};
use super::reservation::Reservation;
use crate::event::{PortReference, RawPort, TransportEvent};
use crate::hash::FastMap;
use crate::net::{Family, Protocol};
use crate::status::NtStatus;
use crate::time::{FileTime, joined};

/// Endpoints, TCBs and port references that are followed at once. A machine has 65,536 ports for each of four pools.
const MAX_FOLLOWED: usize = 1 << 20;

/// Port reservations that are kept. Windows keeps a few dozen.
const MAX_RESERVATIONS: usize = 4096;

/// `TCP_STATE` values. Source: the TCPIP manifest's value map.
const CLOSED: u32 = 0;
const LISTEN: u32 = 1;
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
}

#[derive(Debug, Clone, Copy)]
struct Holding {
    process: Option<ProcessId>,
    family: Family,
    port: u16,
    since: FileTime,
    /// In TIME_WAIT.
    waits: bool,
}

/// What TCP/IP's events told.
#[derive(Debug, Default)]
pub struct Transport {
    /// Endpoints and TCBs by address.
    endpoints: FastMap<u64, Endpoint>,
    /// Ports taken and not given back, and when.
    acquired: BTreeMap<PortReference, FileTime>,
    /// Connections that were there before the trace, by TCB.
    existing: FastMap<u64, Holding>,
    udp: FastMap<u64, Holding>,
    /// References and holdings for each pool, roughly: TCP ports whose family is not known count for both.
    in_use: [u32; POOLS],
    /// Port reservations; one that two events tell of is one.
    pub reservations: BTreeSet<Reservation>,
    /// Refusals by pool.
    pub refusals: [Refusals; POOLS],
    /// First and last refusal or weak reference.
    pub refusal_span: Option<(FileTime, FileTime)>,
    /// Ports given although others use them, because none was free (1195).
    pub weak_references: u64,
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
}

impl Transport {
    /// Takes in one event. Events must come in time order.
    pub fn observe(
        &mut self,
        time: FileTime,
        header_pid: Option<u32>,
        event: &TransportEvent,
        processes: &mut ProcessTable,
    ) {
        self.port_events += 1;
        match *event {
            TransportEvent::Endpoint { endpoint, pid, family } => {
                let process = processes.running(pid, time);
                self.follow(endpoint, Endpoint { process, family });
            }
            TransportEvent::Connection { tcb, pid, family } => {
                let process = processes.running(pid, time);
                self.follow(tcb, Endpoint { process, family });
            }
            TransportEvent::Acquired(reference) => self.acquire(reference, time),
            TransportEvent::Released(reference) => self.release(reference),
            TransportEvent::WeakReference(_) => {
                self.weak_references += 1;
                self.refused_at(time);
            }
            TransportEvent::Existing { tcb, pid, local, state } => {
                self.existing(time, tcb, pid, (local.family(), local.port), state, processes);
            }
            TransportEvent::State { tcb, state } => self.change_state(tcb, state),
            TransportEvent::UdpBound { endpoint, pid, local } => {
                let known = self.endpoints.get(&endpoint).map(|endpoint| endpoint.process);
                let process = known.or_else(|| pid.map(|pid| processes.running(pid, time)));
                let holding = Holding { process, family: local.family(), port: local.port, since: time, waits: false };
                self.hold_udp(endpoint, holding);
            }
            TransportEvent::UdpClosed { endpoint } => {
                if let Some(holding) = self.udp.remove(&endpoint) {
                    self.count(PoolKey::new(Protocol::Udp, holding.family), false);
                }
                self.endpoints.remove(&endpoint);
            }
            TransportEvent::Refused { protocol, connect, family, status } => {
                if status == NtStatus::TOO_MANY_ADDRESSES {
                    let key = PoolKey { protocol: Some(protocol), family };
                    if let Some(refusals) = self.refusals.get_mut(key.index()) {
                        *(if connect { &mut refusals.connects } else { &mut refusals.binds }) += 1;
                    }
                    self.refused_at(time);
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
        if let Some(count) = self.in_use.get_mut(key.index()) {
            *count = if more { count.saturating_add(1) } else { count.saturating_sub(1) };
        }
    }

    fn count_reference(&mut self, more: bool) {
        for family in [Family::Ipv4, Family::Ipv6] {
            self.count(PoolKey::new(Protocol::Tcp, family), more);
        }
    }

    fn acquire(&mut self, reference: PortReference, time: FileTime) {
        if self.has_room() && self.acquired.insert(reference, time).is_none() {
            self.count_reference(true);
        }
    }

    fn release(&mut self, reference: PortReference) {
        if self.acquired.remove(&reference).is_some() {
            self.count_reference(false);
            let any = PortReference { port: RawPort(0), ..reference };
            let last = PortReference { port: RawPort(u16::MAX), ..reference };
            if self.acquired.range(any..=last).next().is_none() {
                self.endpoints.remove(&reference.acquirer);
            }
        }
        self.end_existing(reference.acquirer);
    }

    fn end_existing(&mut self, tcb: u64) {
        if let Some(holding) = self.existing.remove(&tcb) {
            self.count(PoolKey::new(Protocol::Tcp, holding.family), false);
        }
    }

    fn existing(
        &mut self,
        time: FileTime,
        tcb: u64,
        pid: u32,
        (family, port): (Family, u16),
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
        self.existing.insert(tcb, Holding { process, family, port, since: time, waits });
        self.count(PoolKey::new(Protocol::Tcp, family), true);
    }

    fn change_state(&mut self, tcb: u64, state: u32) {
        match state {
            CLOSED => {
                self.end_existing(tcb);
                self.endpoints.remove(&tcb);
            }
            TIME_WAIT => {
                if let Some(holding) = self.existing.get_mut(&tcb) {
                    (holding.waits, holding.process) = (true, None);
                }
            }
            _ => {}
        }
    }

    fn hold_udp(&mut self, endpoint: u64, holding: Holding) {
        if !self.has_room() {
            return;
        }
        match self.udp.insert(endpoint, holding) {
            Some(old) if old.family == holding.family => {}
            old => {
                if let Some(old) = old {
                    self.count(PoolKey::new(Protocol::Udp, old.family), false);
                }
                self.count(PoolKey::new(Protocol::Udp, holding.family), true);
            }
        }
    }

    /// What this adds to a pool now. `pools` are those of the sockets that the trace saw binding.
    pub fn share(&mut self, key: PoolKey, ranges: &PoolRanges, pools: &[Pool; POOLS]) -> TransportShare {
        let mut share = TransportShare::default();
        let (Some(protocol), Some(family), Some(pool)) = (key.protocol, key.family, pools.get(key.index())) else {
            return share;
        };
        let range = ranges.of(key);
        let mut ports: BTreeMap<u16, (Option<ProcessId>, bool)> = BTreeMap::new();
        let mut waiting: BTreeSet<u16> = BTreeSet::new();
        let mut add = |port: u16, process: Option<ProcessId>, since: Option<FileTime>, share: &mut TransportShare| {
            share.in_use += 1;
            let older = since.is_none();
            let waits_since = pool.time_wait.since(port);
            let is_taken_again = waits_since.zip(since).is_some_and(|(waits, since)| since > waits);
            if is_taken_again {
                share.taken_again.push(port);
            }
            let waits = waits_since.is_some() && !is_taken_again;
            if range.contains(port) && !pool.holds(port) && !waits {
                let entry = ports.entry(port).or_insert((process, older));
                // The one that is known, and of several the smallest: maps have no order of their own.
                *entry = match (*entry, (process, older)) {
                    (kept @ (Some(_), _), (None, _)) => kept,
                    ((None, _), new @ (Some(_), _)) => new,
                    (kept, new) => kept.min(new),
                };
            }
        };
        match protocol {
            Protocol::Tcp => {
                if !self.acquired.is_empty() {
                    let order = self.decide_order(range, pools);
                    let other =
                        PoolKey::new(protocol, if family == Family::Ipv4 { Family::Ipv6 } else { Family::Ipv4 });
                    for (reference, since) in &self.acquired {
                        let port = order.read(reference.port);
                        let owner = self.endpoints.get(&reference.acquirer);
                        let known_family = owner.and_then(|owner| owner.family);
                        // What does not tell its family is IPv4's, unless a socket of IPv6 holds it.
                        let is_here = known_family.map_or_else(
                            || {
                                let held_there = pools.get(other.index()).is_some_and(|pool| pool.holds(port));
                                if family == Family::Ipv4 { !held_there } else { pool.holds(port) }
                            },
                            |known| known == family,
                        );
                        if is_here {
                            add(port, owner.map(|owner| owner.process), Some(*since), &mut share);
                        }
                    }
                }
                for holding in self.existing.values().filter(|holding| holding.family == family) {
                    if holding.waits {
                        share.in_use += 1;
                        // The port of a service waits once for each of its connections; one that a socket gave back is
                        // counted already.
                        let is_counted = pool.holds(holding.port) || pool.time_wait.since(holding.port).is_some();
                        if range.contains(holding.port) && !is_counted {
                            waiting.insert(holding.port);
                        }
                    } else {
                        add(holding.port, holding.process, None, &mut share);
                    }
                }
            }
            Protocol::Udp => {
                for holding in self.udp.values().filter(|holding| holding.family == family) {
                    add(holding.port, holding.process, Some(holding.since), &mut share);
                }
            }
        }
        let only_waiting = waiting.iter().filter(|port| !ports.contains_key(port)).count();
        share.time_wait = u32::try_from(only_waiting).unwrap_or(u32::MAX);
        for (process, older) in ports.into_values() {
            *share.by_process.entry((process, older)).or_default() += 1;
        }
        share
    }

    /// The order in which more ports are those of known sockets; without any, that in which more lie in the range.
    fn decide_order(&mut self, range: PoolRange, pools: &[Pool; POOLS]) -> PortOrder {
        if let Some(order) = self.order {
            return order;
        }
        let is_held = |port: u16| {
            [Family::Ipv4, Family::Ipv6].iter().any(|family| {
                pools.get(PoolKey::new(Protocol::Tcp, *family).index()).is_some_and(|pool| pool.holds(port))
            })
        };
        let count = |order: PortOrder, fits: &dyn Fn(u16) -> bool| {
            self.acquired.keys().filter(|reference| fits(order.read(reference.port))).count()
        };
        let matches = |fits: &dyn Fn(u16) -> bool| (count(PortOrder::Network, fits), count(PortOrder::Host, fits));
        let (network, host) = matches(&is_held);
        if network != host {
            let order = if network > host { PortOrder::Network } else { PortOrder::Host };
            self.order = Some(order);
            return order;
        }
        let (network, host) = matches(&|port| range.contains(port));
        if host > network { PortOrder::Host } else { PortOrder::Network }
    }

    /// The machine was started again: nothing is held any more.
    pub fn restart(&mut self) {
        self.endpoints.clear();
        self.acquired.clear();
        self.existing.clear();
        self.udp.clear();
        self.in_use = [0; POOLS];
        self.reservations.clear();
        self.deferred = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::SocketAddress;

    fn acquired(acquirer: u64, raw: u16) -> TransportEvent {
        TransportEvent::Acquired(PortReference { acquirer, port: RawPort(raw) })
    }

    fn observe(transport: &mut Transport, processes: &mut ProcessTable, event: &TransportEvent) {
        transport.observe(FileTime(1), None, event, processes);
    }

    fn endpoint(address: u64, pid: u32) -> TransportEvent {
        let family = Some(Family::Ipv4);
        TransportEvent::Endpoint { endpoint: address, pid, family }
    }

    const TCP4: PoolKey = PoolKey { protocol: Some(Protocol::Tcp), family: Some(Family::Ipv4) };

    #[test]
    fn ports_of_the_kernel_are_what_no_socket_holds() {
        for host_order in [false, true] {
            let (mut transport, mut processes) = (Transport::default(), ProcessTable::default());
            let raw = |port: u16| if host_order { port } else { port.swap_bytes() };
            observe(&mut transport, &mut processes, &endpoint(0xE1, 4));
            observe(&mut transport, &mut processes, &endpoint(0xE2, 900));
            for port in 50_000..50_010 {
                observe(&mut transport, &mut processes, &acquired(0xE1, raw(port)));
            }
            observe(&mut transport, &mut processes, &acquired(0xE2, raw(60_000)));
            let mut pools: [Pool; POOLS] = Default::default();
            pools[TCP4.index()].hold(Some(60_000), FileTime(1));
            let share = transport.share(TCP4, &PoolRanges::default(), &pools);
            let system = processes.last_known(4);
            assert_eq!(share.by_process.get(&(system, false)), Some(&10), "host order: {host_order}");
            assert_eq!((share.ports(), share.in_use), (10, 11));
            let released = PortReference { acquirer: 0xE1, port: RawPort(raw(50_000)) };
            observe(&mut transport, &mut processes, &TransportEvent::Released(released));
            assert_eq!(transport.share(TCP4, &PoolRanges::default(), &pools).ports(), 9);
        }
    }

    #[test]
    fn connections_from_before_the_trace_count_until_they_close() {
        let (mut transport, mut processes) = (Transport::default(), ProcessTable::default());
        let local = |port| SocketAddress { ip: [10, 0, 0, 1].into(), port };
        for (tcb, port, state) in [(1, 50_000, 4), (2, 50_001, 7), (3, 50_002, 10), (4, 50_003, 1)] {
            let event = TransportEvent::Existing { tcb, pid: 77, local: local(port), state };
            observe(&mut transport, &mut processes, &event);
        }
        let pools: [Pool; POOLS] = Default::default();
        let share = transport.share(TCP4, &PoolRanges::default(), &pools);
        assert_eq!(share.by_process.get(&(processes.last_known(77), true)), Some(&2));
        assert_eq!(share.time_wait, 1);
        observe(&mut transport, &mut processes, &TransportEvent::State { tcb: 1, state: CLOSED });
        observe(&mut transport, &mut processes, &TransportEvent::State { tcb: 2, state: TIME_WAIT });
        let share = transport.share(TCP4, &PoolRanges::default(), &pools);
        assert_eq!((share.ports(), share.time_wait), (0, 2));
    }
}
