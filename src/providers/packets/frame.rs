//! What the headers of a frame say: addresses, ports, flags. Everything behind them is payload.
//!
//! Sources: IEEE 802.3 and 802.11, RFC 791 (IPv4), RFC 8200 (IPv6), RFC 9293 (TCP), RFC 768 (UDP). Numbers are in network
//! order, but those of 802.11.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use super::LinkType;
use crate::net::{Protocol, SocketAddress};

/// Ethernet: two addresses and the type.
const ETHERNET_BYTES: usize = 14;

const TYPE_IPV4: u16 = 0x0800;
const TYPE_IPV6: u16 = 0x86DD;

/// Tags of VLANs before the type of the frame, two of them where a provider adds its own.
const MAX_TAGS: usize = 2;

/// Extension headers of IPv6 that are passed over. Honest packets have one or two.
const MAX_EXTENSIONS: usize = 8;

const TCP: u8 = 6;
const UDP: u8 = 17;

/// The headers of a frame, as far as they are understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Headers {
    /// Type of what the link's header carries; `None` where that is not told in a known way.
    pub ether_type: Option<u16>,
    /// Where what the link carries begins.
    pub network_at: usize,
    /// The packet of IP in it.
    pub ip: Option<Ip>,
}

/// A packet of IPv4 or IPv6.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ip {
    /// Who sent it.
    pub source: IpAddr,
    /// To whom.
    pub destination: IpAddr,
    /// Its fixed header.
    pub header: Range<usize>,
    /// Its length with all headers, as it says; `None` where it does not (segments that the adapter is to cut).
    pub length: Option<usize>,
    /// Number of the protocol that it carries.
    pub protocol: u8,
    /// Where options or extension headers end, and what it carries begins.
    pub payload_at: usize,
    /// It carries a later part of a packet: no header of a transport.
    pub is_later_fragment: bool,
    /// The transport in it.
    pub transport: Option<Transport>,
}

/// The header of TCP or UDP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transport {
    /// Which of the two.
    pub protocol: Protocol,
    /// Port of the sender.
    pub source_port: u16,
    /// Port of the receiver.
    pub destination_port: u16,
    /// Flags of TCP; `None` for UDP, and where the capture ends before.
    pub tcp_flags: Option<TcpFlags>,
    /// Where its header ends.
    pub end: usize,
}

/// Flags of TCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TcpFlags(pub u8);

impl TcpFlags {
    /// Asks for a connection: SYN without ACK.
    pub fn is_request(self) -> bool {
        self.0 & 0x12 == 0x02
    }

    /// Answers such a request: SYN with ACK.
    pub fn is_answer(self) -> bool {
        self.0 & 0x12 == 0x12
    }

    /// Has sent all that it sends: FIN.
    pub fn is_end(self) -> bool {
        self.0 & 0x01 != 0
    }

    /// Refuses or gives up a connection.
    pub fn is_reset(self) -> bool {
        self.0 & 0x04 != 0
    }
}

impl Headers {
    /// Reads the headers of a frame. What does not fit is as if it was not there.
    pub fn read(link: LinkType, frame: &[u8]) -> Self {
        let (ether_type, network_at) = match link {
            LinkType::Ethernet => ethernet(frame),
            LinkType::Wifi => wifi(frame),
            LinkType::Ip => (None, 0),
        };
        let is_ip = link == LinkType::Ip || matches!(ether_type, Some(TYPE_IPV4 | TYPE_IPV6));
        let ip = is_ip.then(|| ip(frame, network_at)).flatten();
        Self { ether_type, network_at, ip }
    }

    /// The ends of its flow: protocol, sender, receiver; `None` where it carries neither TCP nor UDP.
    pub fn flow(&self) -> Option<(Protocol, SocketAddress, SocketAddress)> {
        let ip = self.ip.as_ref()?;
        let transport = ip.transport?;
        let source = SocketAddress { ip: ip.source, port: transport.source_port };
        let destination = SocketAddress { ip: ip.destination, port: transport.destination_port };
        Some((transport.protocol, source, destination))
    }

    /// Bytes that the whole frame had, as IP says; `None` where it does not.
    pub fn whole_bytes(&self) -> Option<usize> {
        let ip = self.ip.as_ref()?;
        ip.header.start.checked_add(ip.length?)
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|bytes| u16::from_be_bytes(*bytes))
}

fn ethernet(frame: &[u8]) -> (Option<u16>, usize) {
    let mut at = ETHERNET_BYTES;
    let mut ether_type = u16_at(frame, at - 2);
    for _ in 0..MAX_TAGS {
        if !matches!(ether_type, Some(0x8100 | 0x88A8)) {
            break;
        }
        at += 4;
        ether_type = u16_at(frame, at - 2);
    }
    // Smaller numbers are lengths, before an LLC header.
    (ether_type.filter(|number| *number >= 0x600), at)
}

/// A data frame with an LLC and a SNAP header of Ethernet's types.
fn wifi(frame: &[u8]) -> (Option<u16>, usize) {
    let none = (None, frame.len());
    let Some(&[control, flags]) = frame.first_chunk() else { return none };
    if control & 0x0C != 0x08 {
        return none;
    }
    let has_fourth_address = flags & 0x03 == 0x03;
    let has_quality = control & 0x80 != 0;
    let has_order = flags & 0x80 != 0;
    let at = 24
        + 6 * usize::from(has_fourth_address)
        + 2 * usize::from(has_quality)
        + 4 * usize::from(has_quality && has_order);
    match frame.get(at..).and_then(|behind| behind.first_chunk()) {
        Some(&[0xAA, 0xAA, 0x03, 0, 0, 0, high, low]) => (Some(u16::from_be_bytes([high, low])), at + 8),
        _ => none,
    }
}

fn ip(frame: &[u8], at: usize) -> Option<Ip> {
    match frame.get(at)? >> 4 {
        4 => ipv4(frame, at),
        6 => ipv6(frame, at),
        _ => None,
    }
}

fn ipv4(frame: &[u8], at: usize) -> Option<Ip> {
    let header: &[u8; 20] = frame.get(at..)?.first_chunk()?;
    let length = usize::from(header[0] & 0x0F) * 4;
    if length < 20 {
        return None;
    }
    let [.., s0, s1, s2, s3, d0, d1, d2, d3] = *header;
    let fragment = u16::from_be_bytes([header[6], header[7]]);
    let is_later_fragment = fragment & 0x1FFF != 0;
    let (protocol, payload_at) = (header[9], at + length);
    let total = usize::from(u16::from_be_bytes([header[2], header[3]]));
    Some(Ip {
        source: Ipv4Addr::new(s0, s1, s2, s3).into(),
        destination: Ipv4Addr::new(d0, d1, d2, d3).into(),
        header: at..at + 20,
        length: (total >= length).then_some(total),
        protocol,
        payload_at,
        is_later_fragment,
        transport: if is_later_fragment { None } else { transport(frame, payload_at, protocol) },
    })
}

fn ipv6(frame: &[u8], at: usize) -> Option<Ip> {
    let header: &[u8; 40] = frame.get(at..)?.first_chunk()?;
    let [_, _, _, _, l0, l1, next, _, addresses @ ..] = *header;
    let (source, destination) = addresses.split_first_chunk::<16>()?;
    let destination: [u8; 16] = *destination.first_chunk()?;
    let length = usize::from(u16::from_be_bytes([l0, l1]));
    let mut ip = Ip {
        source: Ipv6Addr::from(*source).into(),
        destination: Ipv6Addr::from(destination).into(),
        header: at..at + 40,
        length: (length != 0).then_some(40 + length),
        protocol: next,
        payload_at: at + 40,
        is_later_fragment: false,
        transport: None,
    };
    for _ in 0..MAX_EXTENSIONS {
        // Hop by hop, routing, fragment, destination.
        if !matches!(ip.protocol, 0 | 43 | 44 | 60) {
            break;
        }
        let Some(&[next, words]) = frame.get(ip.payload_at..).and_then(|bytes| bytes.first_chunk()) else { break };
        if ip.protocol == 44 {
            ip.is_later_fragment |= u16_at(frame, ip.payload_at + 2).is_some_and(|word| word & 0xFFF8 != 0);
            ip.payload_at += 8;
        } else {
            ip.payload_at += 8 * (1 + usize::from(words));
        }
        ip.protocol = next;
    }
    if !ip.is_later_fragment {
        ip.transport = transport(frame, ip.payload_at, ip.protocol);
    }
    Some(ip)
}

fn transport(frame: &[u8], at: usize, protocol: u8) -> Option<Transport> {
    let ports: &[u8; 4] = frame.get(at..)?.first_chunk()?;
    let [s0, s1, d0, d1] = *ports;
    let (source_port, destination_port) = (u16::from_be_bytes([s0, s1]), u16::from_be_bytes([d0, d1]));
    let (protocol, tcp_flags, end) = match protocol {
        TCP => {
            let words = frame.get(at + 12).map(|byte| usize::from(byte >> 4));
            let flags = frame.get(at + 13).map(|byte| TcpFlags(*byte));
            (Protocol::Tcp, flags, at + 4 * words.unwrap_or(5).max(5))
        }
        UDP => (Protocol::Udp, None, at + 8),
        _ => return None,
    };
    Some(Transport { protocol, source_port, destination_port, tcp_flags, end })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(source: u16, destination: u16, flags: u8) -> Vec<u8> {
        let mut bytes = [source.to_be_bytes(), destination.to_be_bytes()].concat();
        bytes.extend([0, 0, 0, 1, 0, 0, 0, 2, 0x60, flags, 1, 0, 0, 0, 0, 0, 2, 4, 5, 0xB4]);
        bytes
    }

    fn v4(protocol: u8, payload: &[u8]) -> Vec<u8> {
        let total = u16::try_from(24 + payload.len()).unwrap().to_be_bytes();
        // One word of options.
        let head =
            [0x46, 0, total[0], total[1], 0, 1, 0x40, 0, 128, protocol, 0, 0, 10, 0, 0, 5, 203, 0, 113, 20, 1, 1, 1, 0];
        [&head[..], payload].concat()
    }

    fn ethernet_of(ether_type: u16, payload: &[u8]) -> Vec<u8> {
        [&[2; 12][..], &ether_type.to_be_bytes(), payload].concat()
    }

    fn flow(link: LinkType, frame: &[u8]) -> Option<String> {
        let headers = Headers::read(link, frame);
        headers.flow().map(|(protocol, source, destination)| format!("{} {source} {destination}", protocol.name()))
    }

    #[test]
    fn every_link_leads_to_the_flow() {
        let packet = v4(TCP, &tcp(50_000, 443, 0x02));
        let expected = Some("TCP 10.0.0.5:50000 203.0.113.20:443".to_owned());
        let tagged = [&[2; 12][..], &[0x81, 0, 0, 5, 0x08, 0], &packet].concat();
        let snap = [0xAA, 0xAA, 3, 0, 0, 0, 8, 0];
        let wifi = [&[0x88, 0x01][..], &[2; 24], &snap, &packet].concat();
        assert_eq!(flow(LinkType::Ethernet, &ethernet_of(TYPE_IPV4, &packet)), expected);
        assert_eq!(flow(LinkType::Ethernet, &tagged), expected);
        assert_eq!(flow(LinkType::Wifi, &wifi), expected);
        assert_eq!(flow(LinkType::Ip, &packet), expected);
        // No data frame.
        assert_eq!(flow(LinkType::Wifi, &[&[0x80, 0x01][..], &wifi[2..]].concat()), None);
    }

    #[test]
    fn extension_headers_are_passed_over() {
        let addresses = [[0xFD; 16], [0xFE; 16]].concat();
        let udp = [0xC3, 0x50, 0, 53, 0, 8, 0, 0];
        // Hop by hop, then a fragment header: the first part, and a later one.
        let packet = |offset: u8| {
            let head = [0x60, 0, 0, 0, 0, 24, 0, 64];
            [&head[..], &addresses, &[44, 0, 1, 4, 0, 0, 0, 0], &[UDP, 0, offset, 1, 0, 0, 0, 9], &udp].concat()
        };
        let addresses = "[fdfd:fdfd:fdfd:fdfd:fdfd:fdfd:fdfd:fdfd]:50000 [fefe:fefe:fefe:fefe:fefe:fefe:fefe:fefe]:53";
        assert_eq!(flow(LinkType::Ip, &packet(0)), Some(format!("UDP {addresses}")));
        assert_eq!(flow(LinkType::Ip, &packet(1)), None);
        assert_eq!(Headers::read(LinkType::Ip, &packet(0)).whole_bytes(), Some(64));
    }

    #[test]
    fn flags_say_what_a_segment_is() {
        let flags = |flags| {
            let headers = Headers::read(LinkType::Ip, &v4(TCP, &tcp(1, 2, flags)));
            let transport = headers.ip.unwrap().transport.unwrap();
            assert_eq!(transport.end, 48);
            let flags = transport.tcp_flags.unwrap();
            (flags.is_request(), flags.is_answer(), flags.is_reset())
        };
        assert_eq!(flags(0x02), (true, false, false));
        assert_eq!(flags(0x12), (false, true, false));
        assert_eq!(flags(0x14), (false, false, true));
    }

    #[test]
    fn no_length_of_a_frame_is_trusted() {
        let whole = ethernet_of(TYPE_IPV4, &v4(TCP, &tcp(50_000, 443, 0x02)));
        for length in 0..=whole.len() {
            for link in [LinkType::Ethernet, LinkType::Wifi, LinkType::Ip] {
                for byte in [0, 0x45, 0x60, 0xFF] {
                    let mut frame = whole[..length].to_vec();
                    frame.first_mut().into_iter().for_each(|first| *first = byte);
                    Headers::read(link, &frame);
                }
            }
        }
        // The ports are there, the flags are not.
        let cut = Headers::read(LinkType::Ethernet, &whole[..42]);
        assert_eq!(cut.flow().unwrap().1.port, 50_000);
        assert_eq!(cut.ip.unwrap().transport.unwrap().tcp_flags, None);
    }
}
