//! Who owns a packet: the process at the local end of its flow, at its time. Where that is not certain, nobody.

use std::net::IpAddr;

use super::flows::{Ends, Fit, Flows, LINGER_100NS, OPEN, Span, Whose};
use super::seen::Seen;
use crate::events::{OwnerSource, Owners, RecordOwner};
use crate::hash::{FastMap, FastSet};
use crate::machine::witness::Endpoint;
use crate::providers::packets::Direction;
use crate::providers::packets::frame::Headers;
use crate::time::FileTime;

/// What is known of a packet's owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found<'o> {
    /// A process.
    Process(Process<'o>),
    /// Nobody.
    Nobody(Why),
}

/// The process at an end of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Process<'o> {
    pub(super) owner: RecordOwner<'o>,
    /// How the owner is known.
    pub(super) source: &'static str,
    /// Its connection is closed, or not yet told of.
    pub(super) fit: Fit,
    /// The socket is connected to the other end of the flow; else it is bound to the port alone.
    pub(super) is_connected: bool,
}

/// Why nobody is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// The packet has no ports.
    NoPorts,
    /// No socket or connection is known that has its local end.
    NoSocket,
    /// A socket of the port is known, and not whether the address is the machine's: it may forward packets of others.
    ForeignAddress,
    /// Sockets of several processes share the port.
    Several,
    /// A socket is known, and not whose it is.
    UnknownOwner,
}

impl Why {
    /// As comments have it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::NoPorts => "no_ports",
            Self::NoSocket => "no_socket",
            Self::ForeignAddress => "address_not_known_as_own",
            Self::Several => "several_processes",
            Self::UnknownOwner => "socket_of_unknown_process",
        }
    }
}

/// Finds owners of packets, which must come in time order.
pub(super) struct Finder<'o> {
    owners: &'o Owners,
    flows: &'o Flows,
    own: FastSet<IpAddr>,
    /// Addresses at local ends of packets, each the only one of its kind: enough for a socket whose remote end fits too.
    single: FastSet<IpAddr>,
    /// How many connections of sockets were asked for from addresses of which nothing else is known.
    asked: FastMap<IpAddr, u32>,
}

/// Connections of sockets that are asked for from an address before it is the machine's own. A packet of another one has the ports
/// and the remote end of a socket that connects just then by accident, and hardly twice.
const ENOUGH_ASKED: u32 = 3;

impl<'o> Finder<'o> {
    pub(super) fn new(owners: &'o Owners, flows: &'o Flows, seen: &Seen) -> Self {
        let mut own = flows.own_addresses();
        own.extend(seen.addresses.iter().map(IpAddr::to_canonical));
        Self { owners, flows, own, single: seen.ends.single().collect(), asked: FastMap::default() }
    }

    /// The owner of a packet of a trace, and on loopback the process that it goes to.
    pub(super) fn find(
        &mut self,
        trace: usize,
        time: FileTime,
        direction: Direction,
        headers: &Headers,
    ) -> (Found<'o>, Option<Process<'o>>) {
        let Some((protocol, source, destination)) = headers.flow() else { return (Found::Nobody(Why::NoPorts), None) };
        let is_request =
            headers.ip.as_ref().and_then(|ip| ip.transport?.tcp_flags).is_some_and(|flags| flags.is_request());
        if is_request && direction == Direction::Sent {
            self.learn(trace, Ends { protocol, local: source, remote: destination, time, is_request });
        }
        let mut at = |local, remote| self.at(trace, Ends { protocol, local, remote, time, is_request });
        if source.ip.is_loopback() && destination.ip.is_loopback() {
            let (from, to) = (at(source, destination), at(destination, source));
            let (owner, peer) = if direction == Direction::Received { (to, from) } else { (from, to) };
            return (owner, peer.process());
        }
        match direction {
            Direction::Sent => (at(source, destination), None),
            Direction::Received => (at(destination, source), None),
            Direction::Unknown => match at(source, destination) {
                Found::Nobody(_) => (at(destination, source), None),
                found => (found, None),
            },
        }
    }

    /// Sockets that connect tell from which addresses the machine asks.
    fn learn(&mut self, trace: usize, ends: Ends) {
        let Some(boot) = self.owners.boot(trace).filter(|_| !self.own.contains(&ends.local.ip)) else { return };
        if self.flows.connection(boot, ends, true).is_some_and(|(fit, _)| fit == Fit::Open) {
            // There are no more of them than connections.
            let asked = self.asked.entry(ends.local.ip).or_default();
            *asked += 1;
            if *asked == ENOUGH_ASKED {
                self.own.insert(ends.local.ip);
            }
        }
    }

    /// The process at one end of a flow.
    fn at(&mut self, trace: usize, ends: Ends) -> Found<'o> {
        let Some(boot) = self.owners.boot(trace) else { return Found::Nobody(Why::NoSocket) };
        let ip = ends.local.ip;
        let is_own = ip.is_loopback() || self.own.contains(&ip);
        let may_be_own = is_own || self.single.contains(&ip);
        if let Some((fit, span)) = self.flows.connection(boot, ends, may_be_own) {
            let found = self.owner(span, fit, &ends, true);
            if matches!(found, Found::Process(_)) {
                // The machine has it: a connection of it does.
                self.own.insert(ip);
            }
            return found;
        }
        let spans = self.flows.unconnected(boot, ends, is_own);
        let mut found = spans.iter().map(|span| self.owner(span, Fit::Open, &ends, false));
        let Some(first) = found.next() else {
            let is_foreign = !is_own
                && (!self.flows.unconnected(boot, ends, true).is_empty()
                    || self.flows.connection(boot, ends, true).is_some());
            return Found::Nobody(if is_foreign { Why::ForeignAddress } else { Why::NoSocket });
        };
        let one = |found: &Found<'o>| found.process().map(|process| (process.owner.pid, process.owner.image));
        if found.all(|other| one(&other) == one(&first)) { first } else { Found::Nobody(Why::Several) }
    }

    /// The owner of a socket or connection, unless the process had ended for long.
    fn owner(&self, span: &Span, fit: Fit, ends: &Ends, is_connected: bool) -> Found<'o> {
        let time = ends.time.min(span.end);
        let socket = |address| self.owners.endpoint(span.trace, Endpoint::Socket(address), time);
        let (owner, source) = match span.whose {
            Whose::Socket(address) => (socket(address), None),
            Whose::Accepting { eprocess, listener } => {
                (self.owners.eprocess(eprocess, time).or_else(|| socket(listener)), None)
            }
            Whose::Transport { pid, told, .. } => (Some(self.owners.process(pid, told, OwnerSource::Tcpip)), None),
            // When a listing was taken is not known: mostly at the end.
            Whose::Listed(pid) => (Some(self.owners.process(pid, OPEN, OwnerSource::Unknown)), Some("listing")),
        };
        let Some(owner) = owner.filter(|owner| owner.pid.is_some()) else { return Found::Nobody(Why::UnknownOwner) };
        let since_end = owner.ended.map_or(0, |ended| ends.time.0.saturating_sub(ended.0));
        let has_ended = since_end > 0;
        let may_be_late = is_connected && !ends.is_request && since_end <= LINGER_100NS;
        if has_ended && !may_be_late {
            return Found::Nobody(Why::NoSocket);
        }
        let source = source.unwrap_or_else(|| owner.source.as_str());
        let fit = if has_ended { Fit::Closed } else { fit };
        Found::Process(Process { owner, source, fit, is_connected })
    }
}

impl<'o> Found<'o> {
    fn process(self) -> Option<Process<'o>> {
        match self {
            Self::Process(process) => Some(process),
            Self::Nobody(_) => None,
        }
    }
}
