//! Which socket or connection has which ends, and from when to when, so that a packet finds its owner.
//!
//! What is kept is bounded: a span for each socket that was bound and each connection that was told of.

use std::net::IpAddr;

use etl_parser::{Record, Trace};

use super::seen::Seen;
use crate::case::boots;
use crate::event::{EventMeta, NetEvent, Phase, SocketEvent, SocketOperation, TransportEvent};
use crate::hash::{FastMap, FastSet};
use crate::net::{Protocol, SocketAddress, SocketKind};
use crate::pipeline::Observer;
use crate::providers::flows::FlowEvent;
use crate::side::facts::{SideFacts, TcpState};
use crate::status::NtStatus;
use crate::time::FileTime;

/// Spans that are kept, some 100 bytes each: the sockets and connections of some 2 GB of events.
const MAX_SPANS: usize = 1 << 21;

/// How long packets of a closed connection may still come: TIME_WAIT is four minutes at most, and the peer's last ones pass
/// within it.
pub(super) const LINGER_100NS: i64 = 240 * FileTime::SECOND;

/// How long a connection may be asked for before it stands: TCP gives up after 21 seconds by default, 75 where it is patient.
const HANDSHAKE_100NS: i64 = 75 * FileTime::SECOND;

const EVER: FileTime = FileTime(i64::MIN);
pub(super) const OPEN: FileTime = FileTime(i64::MAX);

/// What names the owner of a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// The socket at this address.
    Socket(u64),
    /// The process whose object is at this address; where that is not known, the socket that listens.
    Accepting { eprocess: u64, listener: u64 },
    /// The process with this PID, by TCP/IP's own word, when it said so.
    Transport { tcb: u64, pid: u32, told: FileTime },
    /// A listing's.
    Listed(u32),
}

impl Whose {
    /// Whether both are TCP/IP's word of one connection of one process.
    fn is_of(self, other: Self) -> bool {
        let of = |whose| match whose {
            Self::Transport { tcb, pid, .. } => Some((tcb, pid)),
            _ => None,
        };
        of(self).is_some() && of(self) == of(other)
    }
}

/// From when to when a socket or connection had its ends.
#[derive(Debug, Clone)]
pub(super) struct Span {
    key: Key,
    /// `None` where it stands for every address of the machine.
    ip: Option<IpAddr>,
    /// Without an address: of IPv4 alone.
    is_v4: bool,
    start: FileTime,
    /// [`OPEN`] where it has not ended.
    pub(super) end: FileTime,
    pub(super) whose: Whose,
    /// Of a trace of its start of the machine.
    pub(super) trace: usize,
}

/// What packets are looked up by. A socket that is not connected has no remote end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Key {
    boot: usize,
    protocol: Protocol,
    port: u16,
    remote: Option<SocketAddress>,
}

/// How a span fits a packet; the later the better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fit {
    /// The connection was closed not long before.
    Closed,
    /// The connection is told of a little later: this is its handshake.
    Handshake,
    /// The socket was there.
    Open,
}

/// A packet to look up.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ends {
    pub(super) protocol: Protocol,
    pub(super) local: SocketAddress,
    pub(super) remote: SocketAddress,
    pub(super) time: FileTime,
    /// It asks for a new connection.
    pub(super) is_request: bool,
}

/// A socket of AFD, as far as it has come.
#[derive(Debug, Default)]
struct Socket {
    protocol: Option<Protocol>,
    asked: Option<SocketAddress>,
    span: Option<usize>,
}

/// Follows sockets and connections through the events of traces.
pub(super) struct FlowLog<'t, 'a> {
    traces: &'t [Trace<'a>],
    boots: Vec<usize>,
    boot: Option<usize>,
    sockets: FastMap<u64, Socket>,
    udp: FastMap<u64, usize>,
    spans: Vec<Span>,
    told: Vec<(FileTime, usize, FlowEvent)>,
    listed: FastMap<(SocketAddress, SocketAddress), u32>,
    /// When a connection that a listing names was asked for last.
    requested: FastMap<(SocketAddress, SocketAddress), FileTime>,
    /// What else was seen on the way.
    pub(super) seen: Seen,
    is_beyond: bool,
}

impl<'t, 'a> FlowLog<'t, 'a> {
    pub(super) fn new(traces: &'t [Trace<'a>], side: &SideFacts) -> Self {
        let boots = boots::boots(traces);
        // Of which start a listing is, nobody says.
        let is_one_boot = boots.iter().all(|boot| *boot == 0);
        Self {
            traces,
            boot: None,
            sockets: FastMap::default(),
            udp: FastMap::default(),
            spans: Vec::new(),
            told: Vec::new(),
            listed: if is_one_boot { connections(side) } else { FastMap::default() },
            requested: FastMap::default(),
            seen: Seen::default(),
            is_beyond: false,
            boots,
        }
    }

    fn begin(&mut self, span: Span) -> Option<usize> {
        if self.spans.len() >= MAX_SPANS {
            self.is_beyond = true;
            return None;
        }
        self.spans.push(span);
        Some(self.spans.len() - 1)
    }

    fn end(&mut self, span: Option<usize>, time: FileTime) {
        if let Some(span) = span.and_then(|span| self.spans.get_mut(span)).filter(|span| span.end == OPEN) {
            span.end = time.max(span.start);
        }
    }

    fn socket(&mut self, meta: &EventMeta, event: &SocketEvent, boot: usize) {
        let (time, trace, endpoint) = (meta.time, usize::from(meta.place.trace), event.endpoint);
        let is_done = event.phase != Phase::Enter && event.status == Some(NtStatus::SUCCESS);
        match event.operation {
            SocketOperation::Create { family, socket_type, protocol, .. } => {
                let protocol = SocketKind::from_winsock(family, socket_type, protocol).protocol;
                let before = self.sockets.insert(endpoint, Socket { protocol, ..Socket::default() });
                self.end(before.and_then(|before| before.span), time);
            }
            SocketOperation::Bind { address } => {
                let address = address.filter(|address| address.port != 0);
                let socket = self.sockets.entry(endpoint).or_default();
                if event.phase == Phase::Enter {
                    socket.asked = address;
                    return;
                }
                let (Some(local), Some(protocol), None) = (address.or(socket.asked), socket.protocol, socket.span)
                else {
                    return;
                };
                if is_done {
                    let key = Key { boot, protocol, port: local.port, remote: None };
                    let span = self.begin(Span::new(key, local, time, Whose::Socket(endpoint), trace));
                    self.sockets.entry(endpoint).or_default().span = span;
                }
            }
            SocketOperation::Connect { address: Some(remote) } if event.phase == Phase::Enter || is_done => {
                let Some(socket) = self.sockets.get(&endpoint).filter(|socket| socket.protocol == Some(Protocol::Tcp))
                else {
                    return;
                };
                let Some(span) = socket.span.and_then(|span| self.spans.get_mut(span)) else { return };
                let remote = plain(remote);
                match span.key.remote {
                    None => span.key.remote = Some(remote),
                    Some(before) if before == remote => {}
                    Some(_) => {
                        span.end = span.end.min(time);
                        let again = Span {
                            key: Key { remote: Some(remote), ..span.key },
                            start: time,
                            end: OPEN,
                            ..span.clone()
                        };
                        let again = self.begin(again);
                        self.sockets.entry(endpoint).or_default().span = again;
                    }
                }
            }
            SocketOperation::Connect { .. } => {}
            SocketOperation::Close | SocketOperation::Cleanup => {
                let closed = self.sockets.remove(&endpoint);
                self.end(closed.and_then(|closed| closed.span), time);
            }
        }
    }

    fn transport(&mut self, meta: &EventMeta, event: &TransportEvent, boot: usize) {
        match *event {
            TransportEvent::UdpBound { endpoint, pid: Some(pid), local } if local.port != 0 => {
                let key = Key { boot, protocol: Protocol::Udp, port: local.port, remote: None };
                let (trace, whose) =
                    (usize::from(meta.place.trace), Whose::Transport { tcb: endpoint, pid, told: meta.time });
                let span = self.begin(Span::new(key, local, meta.time, whose, trace));
                let before = span.and_then(|span| self.udp.insert(endpoint, span));
                self.end(before, meta.time);
            }
            TransportEvent::UdpClosed { endpoint } => {
                let closed = self.udp.remove(&endpoint);
                self.end(closed, meta.time);
            }
            _ => {}
        }
    }

    /// All of them, ready to be looked up.
    pub(super) fn settle(mut self) -> (Flows, Seen) {
        self.told.sort_by_key(|(time, ..)| *time);
        let listeners = self.listeners();
        let mut latest: FastMap<(Key, IpAddr), usize> = FastMap::default();
        for (time, trace, event) in std::mem::take(&mut self.told) {
            let boot = self.boots.get(trace).copied().unwrap_or_default();
            match event {
                FlowEvent::Connection { tcb, pid, local, remote, is_old } => {
                    let whose = Whose::Transport { tcb, pid, told: time };
                    self.connection((boot, trace, time), whose, (local, remote), is_old, &mut latest);
                }
                FlowEvent::Accepted { listener, eprocess, remote, .. } => {
                    let spans = listeners.get(&(boot, listener)).map(Vec::as_slice).unwrap_or_default();
                    let mut there = spans.iter().filter_map(|span| self.spans.get(*span));
                    let Some(span) = there.rfind(|span| span.start <= time && time <= span.end) else { continue };
                    let key = Key { remote: Some(plain(remote)), ..span.key };
                    let whose = Whose::Accepting { eprocess, listener };
                    let span = Span { key, start: time, end: OPEN, whose, trace, ..span.clone() };
                    self.begin(span);
                }
            }
        }
        self.add_listed();
        (Flows::new(self.spans, self.is_beyond), self.seen)
    }

    /// The spans of sockets that are connected to nobody, by time.
    fn listeners(&self) -> FastMap<(usize, u64), Vec<usize>> {
        let mut listeners: FastMap<(usize, u64), Vec<usize>> = FastMap::default();
        for (number, span) in self.spans.iter().enumerate() {
            if let (Whose::Socket(endpoint), None) = (span.whose, span.key.remote) {
                listeners.entry((span.key.boot, endpoint)).or_default().push(number);
            }
        }
        listeners
    }

    fn connection(
        &mut self,
        (boot, trace, time): (usize, usize, FileTime),
        whose: Whose,
        (local, remote): (SocketAddress, SocketAddress),
        is_old: bool,
        latest: &mut FastMap<(Key, IpAddr), usize>,
    ) {
        let key = Key { boot, protocol: Protocol::Tcp, port: local.port, remote: Some(plain(remote)) };
        let place = (key, plain(local).ip);
        let before = latest.get(&place).copied();
        // The request to connect and its completion are of one connection; its end and a rundown begin none.
        let goes_on =
            |span: &Span| is_old || (span.whose.is_of(whose) && time.0.saturating_sub(span.start.0) <= HANDSHAKE_100NS);
        if before.and_then(|before| self.spans.get(before)).is_some_and(goes_on) {
            return;
        }
        self.end(before, FileTime(time.0.saturating_sub(1)));
        let start = if is_old { EVER } else { time };
        if let Some(span) = self.begin(Span::new(key, local, start, whose, trace)) {
            latest.insert(place, span);
        }
    }

    /// Connections that a listing alone tells of, from when they were last asked for.
    fn add_listed(&mut self) {
        let of_events: FastSet<(u16, Option<SocketAddress>)> =
            self.spans.iter().map(|span| (span.key.port, span.key.remote)).collect();
        let mut listed: Vec<_> = self.listed.drain().collect();
        listed.sort_unstable();
        for ((local, remote), pid) in listed {
            if of_events.contains(&(local.port, Some(remote))) {
                continue;
            }
            let key = Key { boot: 0, protocol: Protocol::Tcp, port: local.port, remote: Some(remote) };
            let start = self.requested.get(&(local, remote)).copied().unwrap_or(EVER);
            self.begin(Span::new(key, local, start, Whose::Listed(pid), 0));
        }
    }
}

/// The connections of all listings that have a process; of one that listings tell differently nothing.
fn connections(side: &SideFacts) -> FastMap<(SocketAddress, SocketAddress), u32> {
    let mut connections: FastMap<(SocketAddress, SocketAddress), Option<u32>> = FastMap::default();
    for socket in side.listings.iter().flat_map(|listing| &listing.sockets) {
        let (Some(local), Some(remote), Some(pid)) = (socket.local, socket.remote, socket.pid) else { continue };
        let is_connected = remote.port != 0 && !matches!(socket.state, Some(TcpState::TimeWait) | None);
        if socket.protocol == Protocol::Tcp && is_connected && pid != 0 {
            let known = connections.entry((plain(local), plain(remote))).or_insert(Some(pid));
            *known = known.filter(|known| *known == pid);
        }
    }
    connections.into_iter().filter_map(|(ends, pid)| Some((ends, pid?))).collect()
}

/// An address that IPv6 writes as one of IPv4 is one of IPv4.
fn plain(address: SocketAddress) -> SocketAddress {
    SocketAddress { ip: address.ip.to_canonical(), ..address }
}

impl Observer for FlowLog<'_, '_> {
    type Notes = Seen;

    fn look(notes: &mut Seen, record: &Record<'_>) {
        notes.look(record);
    }

    fn add(&mut self, trace: usize, mut notes: Seen) {
        let Some(clock) = self.traces.get(trace).map(Trace::clock) else { return };
        for (ticks, event) in notes.flows.drain(..) {
            if self.told.len() < MAX_SPANS {
                self.told.push((clock.file_time(ticks), trace, event));
            } else {
                self.is_beyond = true;
            }
        }
        for (ticks, local, remote) in notes.requests.drain(..) {
            for ends in [(local, remote), (remote, local)] {
                if self.listed.contains_key(&ends) {
                    let time = clock.file_time(ticks);
                    let last = self.requested.entry(ends).or_insert(time);
                    *last = time.max(*last);
                }
            }
        }
        self.seen.add(trace, notes);
    }

    fn observe(&mut self, meta: &EventMeta, event: &NetEvent) {
        let boot = self.boots.get(usize::from(meta.place.trace)).copied().unwrap_or_default();
        if self.boot != Some(boot) {
            // Addresses of another start are other sockets.
            self.sockets.clear();
            self.udp.clear();
            self.boot = Some(boot);
        }
        match event {
            NetEvent::Socket(event) => self.socket(meta, event, boot),
            NetEvent::Transport(event) => self.transport(meta, event, boot),
            NetEvent::Process(_) => {}
        }
    }
}

impl Span {
    fn new(key: Key, local: SocketAddress, start: FileTime, whose: Whose, trace: usize) -> Self {
        let ip = Some(plain(local).ip).filter(|ip| !ip.is_unspecified());
        Self { key, ip, is_v4: local.ip.is_ipv4(), start, end: OPEN, whose, trace }
    }

    /// Whether it may be the local end; `is_own` says whether the address is the machine's.
    fn may_have(&self, ip: IpAddr, is_own: bool) -> bool {
        match self.ip {
            Some(own) => own == ip,
            None => is_own && (ip.is_ipv4() || !self.is_v4),
        }
    }

    fn fit(&self, ends: &Ends) -> Option<Fit> {
        let since = |start: FileTime, end: FileTime| end.0.saturating_sub(start.0);
        if self.start > ends.time {
            // A socket of AFD is there from its bind on, before anything is sent.
            let may_be_later = matches!(self.whose, Whose::Accepting { .. } | Whose::Transport { .. });
            let is_soon = may_be_later && self.key.remote.is_some() && since(ends.time, self.start) <= HANDSHAKE_100NS;
            return is_soon.then_some(Fit::Handshake);
        }
        // Who asks for a connection again, has none.
        if ends.is_request && self.key.remote.is_some() && since(self.start, ends.time) > HANDSHAKE_100NS {
            return None;
        }
        if ends.time <= self.end {
            return Some(Fit::Open);
        }
        let is_late = self.key.remote.is_some() && !ends.is_request && since(self.end, ends.time) <= LINGER_100NS;
        is_late.then_some(Fit::Closed)
    }
}

/// Sockets and connections of a case, by their ends.
#[derive(Debug)]
pub(super) struct Flows {
    /// Sorted by key, then by start.
    spans: Vec<Span>,
    /// The latest end of all spans of the same key up to each.
    reach: Vec<FileTime>,
    /// There were more than can be followed.
    pub(super) is_beyond: bool,
}

impl Flows {
    fn new(mut spans: Vec<Span>, is_beyond: bool) -> Self {
        spans.sort_by_key(|span| (span.key, span.start));
        let mut reach: Vec<FileTime> = Vec::with_capacity(spans.len());
        let mut before: Option<Key> = None;
        for span in &spans {
            let so_far = reach.last().filter(|_| before == Some(span.key)).copied();
            reach.push(so_far.map_or(span.end, |end| end.max(span.end)));
            before = Some(span.key);
        }
        Self { spans, reach, is_beyond }
    }

    /// The addresses that sockets and connections name as the machine's own. A listing may be of another one.
    pub(super) fn own_addresses(&self) -> FastSet<IpAddr> {
        let of_events = self.spans.iter().filter(|span| !matches!(span.whose, Whose::Listed(_)));
        of_events.filter_map(|span| span.ip).collect()
    }

    /// The spans of a key that fit a packet, latest first.
    fn of_key(&self, key: Key, ends: Ends, is_own: bool) -> impl Iterator<Item = (Fit, &Span)> {
        let latest = FileTime(ends.time.0.saturating_add(HANDSHAKE_100NS));
        let behind = self.spans.partition_point(|span| (span.key, span.start) <= (key, latest));
        let before = self.spans.iter().zip(&self.reach).take(behind).rev();
        let possible = before.take_while(move |(span, reach)| {
            span.key == key && (ends.time.0.saturating_sub(reach.0) <= LINGER_100NS || span.start > ends.time)
        });
        let fitting = possible.filter(move |(span, _)| span.may_have(ends.local.ip, is_own));
        fitting.filter_map(move |(span, _)| Some((span.fit(&ends)?, span)))
    }

    /// The connection that a packet is of. Of several that fit equally well the latest: two are not there at the same time.
    pub(super) fn connection(&self, boot: usize, ends: Ends, is_own: bool) -> Option<(Fit, &Span)> {
        let key = Key { boot, protocol: ends.protocol, port: ends.local.port, remote: Some(ends.remote) };
        let mut best: Option<(Fit, &Span)> = None;
        for (fit, span) in self.of_key(key, ends, is_own) {
            // A handshake belongs to the next connection, not to one after it.
            if best.is_none_or(|(known, _)| fit > known || (fit, known) == (Fit::Handshake, Fit::Handshake)) {
                best = Some((fit, span));
            }
            if fit == Fit::Open {
                break;
            }
        }
        best
    }

    /// The sockets without a remote end that a packet may be of: those of its very address, else those of all addresses.
    pub(super) fn unconnected(&self, boot: usize, ends: Ends, is_own: bool) -> Vec<&Span> {
        let key = Key { boot, protocol: ends.protocol, port: ends.local.port, remote: None };
        let open = || self.of_key(key, ends, is_own).filter(|(fit, _)| *fit == Fit::Open).map(|(_, span)| span);
        let exact: Vec<&Span> = open().filter(|span| span.ip.is_some()).take(MAX_SHARED).collect();
        if exact.is_empty() { open().take(MAX_SHARED).collect() } else { exact }
    }
}

/// Sockets of one port that are compared: where more share it, two of them are of different processes, or it does not matter.
const MAX_SHARED: usize = 64;
