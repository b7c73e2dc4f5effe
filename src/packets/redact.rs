//! A packet as it may be sent: headers with other addresses, and nothing of what they carry.

use std::net::{IpAddr, Ipv6Addr};

use super::assemble::Packet;
use crate::net::Protocol;
use crate::providers::packets::LinkType;
use crate::providers::packets::frame::Ip;
use crate::words::pseudonyms::Pseudonyms;

const TYPE_ARP: u16 = 0x0806;

/// The headers of a packet. Checksums become 0, since they are of the addresses too.
pub(super) fn headers(packet: &Packet<'_>, names: &mut Pseudonyms) -> Vec<u8> {
    let frame = &*packet.bytes;
    let mut out = Copied { frame, bytes: Vec::with_capacity(128) };
    link(&mut out, packet, names);
    if packet.headers.ether_type == Some(TYPE_ARP) {
        arp(&mut out, names);
    } else if let Some(ip) = &packet.headers.ip {
        network(&mut out, ip, names);
    }
    out.bytes
}

/// The beginning of a frame, copied so far.
struct Copied<'f> {
    frame: &'f [u8],
    bytes: Vec<u8>,
}

impl Copied<'_> {
    /// Copies up to a place of the frame, or to its end.
    fn until(&mut self, end: usize) {
        let behind = self.frame.get(self.bytes.len()..end.min(self.frame.len())).unwrap_or_default();
        self.bytes.extend_from_slice(behind);
    }

    /// The bytes at a place, if they are copied whole.
    fn at<const N: usize>(&mut self, at: usize) -> Option<&mut [u8; N]> {
        self.bytes.get_mut(at..)?.first_chunk_mut()
    }

    /// Replaces a hardware address; one that is copied in part becomes 0.
    fn mac(&mut self, at: usize, names: &mut Pseudonyms) {
        match self.at::<6>(at) {
            Some(mac) => *mac = stand_in(*mac, names),
            None => self.clear(at),
        }
    }

    /// Replaces an IP address; one that is copied in part becomes 0.
    fn ip(&mut self, at: usize, ip: IpAddr, names: &mut Pseudonyms) {
        match names.ip(ip) {
            IpAddr::V4(ip) => match self.at::<4>(at) {
                Some(place) => *place = ip.octets(),
                None => self.clear(at),
            },
            IpAddr::V6(ip) => match self.at::<16>(at) {
                Some(place) => *place = ip.octets(),
                None => self.clear(at),
            },
        }
    }

    fn checksum(&mut self, at: usize) {
        match self.at::<2>(at) {
            Some(sum) => *sum = [0; 2],
            None => self.clear(at),
        }
    }

    /// Everything from there on becomes 0.
    fn clear(&mut self, at: usize) {
        self.bytes.iter_mut().skip(at).for_each(|byte| *byte = 0);
    }
}

/// Another hardware address for one, administered locally; of a group where it is one of a group.
fn stand_in(mac: [u8; 6], names: &mut Pseudonyms) -> [u8; 6] {
    if mac == [0; 6] || mac == [0xFF; 6] {
        return mac;
    }
    let number = mac.iter().fold(0_u128, |number, byte| number << 8 | u128::from(*byte));
    // As an address of the link, which is numbered as all are.
    let number = match names.ip(Ipv6Addr::from_bits(0xFE80 << 112 | number).into()) {
        IpAddr::V6(ip) => ip.to_bits(),
        IpAddr::V4(ip) => ip.to_bits().into(),
    };
    let [.., v, w, x, y, z] = number.to_be_bytes();
    [2 | mac[0] & 1, v, w, x, y, z]
}

fn link(out: &mut Copied<'_>, packet: &Packet<'_>, names: &mut Pseudonyms) {
    match (packet.link, packet.headers.ether_type) {
        (LinkType::Ip, _) => {}
        (LinkType::Ethernet, _) => {
            out.until(packet.headers.network_at);
            out.mac(0, names);
            out.mac(6, names);
        }
        (LinkType::Wifi, Some(_)) => {
            out.until(packet.headers.network_at);
            [4, 10, 16].into_iter().for_each(|at| out.mac(at, names));
            // A fourth address stands behind the three where both ways are set.
            if out.at::<2>(0).is_some_and(|[_, flags]| *flags & 3 == 3) {
                out.mac(24, names);
            }
        }
        // What kind of frame it is, and no more: others hold names of networks.
        (LinkType::Wifi, None) => out.until(2),
    }
}

fn arp(out: &mut Copied<'_>, names: &mut Pseudonyms) {
    let at = out.bytes.len();
    let is_usual = out.frame.get(at..at + 8).is_some_and(|head| head.starts_with(&[0, 1, 8, 0, 6, 4]));
    if !is_usual {
        return;
    }
    out.until(at + 28);
    for place in [at + 8, at + 18] {
        out.mac(place, names);
        match out.at::<4>(place + 6).copied() {
            Some(ip) => out.ip(place + 6, ip.into(), names),
            None => out.clear(place + 6),
        }
    }
}

fn network(out: &mut Copied<'_>, ip: &Ip, names: &mut Pseudonyms) {
    let start = ip.header.start;
    out.until(ip.header.end);
    match ip.source {
        IpAddr::V4(_) => {
            out.checksum(start + 10);
            out.ip(start + 12, ip.source, names);
            out.ip(start + 16, ip.destination, names);
            // Options may list addresses: fillers instead.
            out.until(ip.payload_at);
            out.bytes.iter_mut().skip(ip.header.end).for_each(|byte| *byte = 1);
        }
        IpAddr::V6(_) => {
            out.ip(start + 8, ip.source, names);
            out.ip(start + 24, ip.destination, names);
            // So may extension headers: nothing behind them.
            if ip.payload_at != ip.header.end {
                return;
            }
        }
    }
    if ip.is_later_fragment {
        return;
    }
    let at = ip.payload_at;
    match (ip.transport, ip.protocol) {
        (Some(transport), _) if transport.protocol == Protocol::Tcp => {
            out.until(transport.end);
            out.checksum(at + 16);
            tcp_options(out.bytes.get_mut(at + 20..).unwrap_or_default());
        }
        (Some(transport), _) => {
            out.until(transport.end);
            out.checksum(at + 6);
        }
        // ICMP: type, code and no checksum; what follows may be a packet.
        (None, 1 | 58) => {
            out.until(at + 4);
            out.checksum(at + 2);
        }
        (None, _) => {}
    }
}

/// Options that might name somebody become fillers.
fn tcp_options(options: &mut [u8]) {
    let mut at = 0;
    while let Some(kind) = options.get(at).copied() {
        let length = match kind {
            0 => return options.iter_mut().skip(at).for_each(|byte| *byte = 0),
            1 => 1,
            _ => usize::from(options.get(at + 1).copied().unwrap_or(0)).max(2),
        };
        if !is_plain_option(kind, length) {
            options.iter_mut().skip(at).take(length).for_each(|byte| *byte = 1);
        }
        at += length;
    }
}

/// Whether an option of TCP names nobody, and is as long as it must be: segment size, window scale, selective acknowledgement,
/// time stamps.
fn is_plain_option(kind: u8, length: usize) -> bool {
    matches!((kind, length), (2, 4) | (3, 3) | (4, 2) | (5, 10 | 18 | 26 | 34) | (8, 10))
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::super::interfaces::Place;
    use super::*;
    use crate::providers::packets::Direction;
    use crate::providers::packets::frame::Headers;

    fn redacted(link: LinkType, frame: &[u8]) -> Vec<u8> {
        let packet = Packet {
            place: Place::Beyond,
            link,
            direction: Direction::Sent,
            drop_reason: None,
            original: 0,
            bytes: Cow::Borrowed(frame),
            headers: Headers::read(link, frame),
        };
        headers(&packet, &mut Pseudonyms::new(false, None))
    }

    /// Addresses, options and payload are all 0x5A; everything else is not.
    fn secret_frames() -> Vec<(LinkType, Vec<u8>)> {
        let secret = |count: usize| vec![0x5A; count];
        let tcp = [&[0xC3, 0x50, 1, 0xBB][..], &[1; 8], &[0x80, 2, 1, 1, 9, 9, 0, 0, 30, 12], &secret(10)].concat();
        let v4 = [&[0x46, 0, 0, 100, 0, 1, 0, 0, 64, 6, 9, 9][..], &secret(12), &tcp, &secret(40)].concat();
        let v6 =
            |next: u8, rest: &[u8]| [&[0x60, 0, 0, 0, 0, 91, next, 64][..], &secret(32), rest, &secret(40)].concat();
        let ethernet = |kind: [u8; 2], rest: &[u8]| [&secret(12), &kind[..], rest].concat();
        let icmp = [3, 1, 9, 9];
        vec![
            (LinkType::Ethernet, ethernet([8, 0], &v4)),
            (LinkType::Ethernet, ethernet([0x86, 0xDD], &v6(6, &tcp))),
            (LinkType::Ethernet, ethernet([0x86, 0xDD], &v6(43, &[6, 2, 0, 1, 0, 0, 0, 0]))),
            (LinkType::Ethernet, ethernet([0x86, 0xDD], &v6(58, &icmp))),
            (LinkType::Ethernet, ethernet([8, 6], &[&[0, 1, 8, 0, 6, 4, 0, 1][..], &secret(40)].concat())),
            (LinkType::Ethernet, ethernet([8, 6], &[&[0, 6, 8, 0, 8, 4, 0, 1][..], &secret(40)].concat())),
            (LinkType::Ethernet, ethernet([0x88, 0xCC], &secret(40))),
            (
                LinkType::Wifi,
                [&[0x08, 3, 0, 0][..], &secret(18), &[0, 0], &secret(6), &[0xAA, 0xAA, 3, 0, 0, 0, 8, 0], &v4].concat(),
            ),
            (LinkType::Wifi, [&[0x80, 0][..], &secret(60)].concat()),
            (LinkType::Ip, v4),
        ]
    }

    #[test]
    fn no_address_option_or_payload_is_left_however_short_the_capture() {
        for (link, frame) in secret_frames() {
            for length in 0..=frame.len() {
                let out = redacted(link, &frame[..length]);
                // An address cut in half is told apart from one that is whole by being 0, not by being there.
                assert!(!out.contains(&0x5A), "{link:?} {length}: {frame:02x?}\n{out:02x?}");
                assert!(out.len() <= length);
            }
        }
    }

    #[test]
    fn headers_stay_and_say_the_same_but_for_addresses() {
        let (link, frame) = secret_frames().swap_remove(0);
        let out = redacted(link, &frame);
        assert_eq!(out.len(), 14 + 24 + 32);
        let (before, after) = (Headers::read(link, &frame), Headers::read(link, &out));
        let ports = |headers: &Headers| headers.flow().map(|(protocol, a, b)| (protocol, a.port, b.port));
        assert_eq!(ports(&before), ports(&after));
        assert_eq!(after.flow().unwrap().1.ip, "240.0.0.2".parse::<IpAddr>().unwrap());
        assert_eq!(out[12..14], [8, 0]);
    }
}
