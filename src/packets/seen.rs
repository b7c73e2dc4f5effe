//! What is noted of records while sockets are followed: connections, names of interfaces, addresses of the machine.

use std::collections::BTreeMap;
use std::net::IpAddr;

use etl_parser::Record;

use crate::net::{Protocol, SocketAddress};
use crate::providers::flows::{self, FlowEvent};
use crate::providers::packets::Direction;
use crate::providers::packets::frame::Headers;
use crate::providers::packets::ndis::{self, Source};
use crate::providers::packets::pktmon::{self, Component, Told};

/// Components and sources whose names are kept: a server has dozens.
const MAX_NAMES: usize = 1 << 14;

/// Addresses of the machine that are kept.
const MAX_ADDRESSES: usize = 1 << 14;

/// Notes of a buffer, or of all.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Connections, with the time of their records in ticks.
    pub(super) flows: Vec<(i64, FlowEvent)>,
    /// Segments that ask for a connection: time in ticks, sender, receiver.
    pub(super) requests: Vec<(i64, SocketAddress, SocketAddress)>,
    /// Names of PktMon's components and of NDIS' interfaces, by trace.
    pub(super) components: BTreeMap<(usize, u32), Component>,
    pub(super) sources: BTreeMap<(usize, u32), String>,
    /// Addresses that the machine says it has.
    pub(super) addresses: Vec<IpAddr>,
    /// The local ends of packets.
    pub(super) ends: LocalEnds,
    named: Vec<Component>,
    called: Vec<Source>,
}

/// The addresses at the local ends of packets, of each kind: one alone is the machine's own. Where it forwards packets of
/// others, there are more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct LocalEnds {
    v4: Ends,
    v6_link: Ends,
    v6: Ends,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Ends {
    #[default]
    None,
    One(IpAddr),
    Several,
}

impl Ends {
    fn add(&mut self, ip: IpAddr) {
        *self = match *self {
            Self::None => Self::One(ip),
            Self::One(known) if known == ip => Self::One(known),
            _ => Self::Several,
        };
    }
}

impl LocalEnds {
    fn add(&mut self, ip: IpAddr) {
        let is_broadcast = matches!(ip, IpAddr::V4(v4) if v4.is_broadcast() || v4.octets()[3] == 255);
        if ip.is_loopback() || ip.is_unspecified() || ip.is_multicast() || is_broadcast {
            return;
        }
        match ip {
            IpAddr::V4(_) => self.v4.add(ip),
            IpAddr::V6(v6) if v6.is_unicast_link_local() => self.v6_link.add(ip),
            IpAddr::V6(_) => self.v6.add(ip),
        }
    }

    fn join(&mut self, other: Self) {
        let pairs = [(&mut self.v4, other.v4), (&mut self.v6_link, other.v6_link), (&mut self.v6, other.v6)];
        for (all, part) in pairs {
            match part {
                Ends::None => {}
                Ends::One(ip) => all.add(ip),
                Ends::Several => *all = Ends::Several,
            }
        }
    }

    /// The addresses that are the only ones of their kind.
    pub(super) fn single(self) -> impl Iterator<Item = IpAddr> {
        let one = |ends| match ends {
            Ends::One(ip) => Some(ip),
            _ => None,
        };
        [self.v4, self.v6_link, self.v6].into_iter().filter_map(one)
    }
}

impl Seen {
    /// Notes a record.
    pub(super) fn look(&mut self, record: &Record<'_>) {
        match record.provider() {
            Some(ndis::PROVIDER) if ndis::is_fragment(record) => self.look_at_packet(record),
            Some(ndis::PROVIDER) => self.called.extend(ndis::read_source(record)),
            Some(pktmon::PROVIDER) => match pktmon::read_told(record) {
                Some(Told::Component(component)) => self.named.push(component),
                Some(Told::Address(ip)) => self.addresses.push(ip),
                None => {}
            },
            Some(_) => {
                if let (Some(event), Some(ticks)) = (flows::read(record), record.ticks()) {
                    self.flows.push((ticks, event));
                }
            }
            None => {}
        }
    }

    fn look_at_packet(&mut self, record: &Record<'_>) {
        let Some(fragment) = ndis::read_fragment(record).filter(|fragment| fragment.is_start) else { return };
        let headers = Headers::read(fragment.link, fragment.bytes);
        let Some((protocol, source, destination)) = headers.flow() else { return };
        // A switch forwards what is not the machine's.
        if fragment.port.is_none() {
            match fragment.direction {
                Direction::Sent => self.ends.add(source.ip),
                Direction::Received => self.ends.add(destination.ip),
                Direction::Unknown => {}
            }
        }
        let flags = headers.ip.and_then(|ip| ip.transport?.tcp_flags);
        if protocol == Protocol::Tcp
            && flags.is_some_and(|flags| flags.is_request())
            && let Some(ticks) = record.ticks()
        {
            self.requests.push((ticks, source, destination));
        }
    }

    /// Takes in the notes of a buffer of a trace.
    pub(super) fn add(&mut self, trace: usize, notes: Self) {
        for component in notes.named {
            if self.components.len() < MAX_NAMES {
                self.components.insert((trace, component.id), component);
            }
        }
        for Source { interface, name } in notes.called {
            if self.sources.len() < MAX_NAMES {
                self.sources.insert((trace, interface), name);
            }
        }
        let room = MAX_ADDRESSES.saturating_sub(self.addresses.len());
        self.addresses.extend(notes.addresses.into_iter().take(room));
        self.ends.join(notes.ends);
    }
}
