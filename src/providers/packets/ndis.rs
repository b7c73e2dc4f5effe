//! Microsoft-Windows-NDIS-PacketCapture, which `netsh trace start capture=yes` logs.
//!
//! Layouts are those of the manifests of Windows 7 7600 and Windows 10 18990. From the latter on, two words stand behind the
//! fragment of 1001, which say nothing about the packet. All have version 0.

use etl_parser::{Guid, PointerSize, Record};

use super::super::fields::Fields;
use super::{Direction, LinkType};

/// The provider.
pub const PROVIDER: Guid = Guid::from_u128(0x2ed6_006e_4729_4609_b423_3ee7_bcd6_78ef);

/// `Packet Fragment`: a frame, or a part of one.
const FRAGMENT: u16 = 1001;

/// `VMSwitch Packet Fragment`: the same, with the ports of a virtual switch that it passes.
const SWITCH_FRAGMENT: u16 = 1003;

/// The source of packets: number, name, interface, layers.
const SOURCE: u16 = 5101;

// Keywords, by the manifest.
const WWAN: u64 = 0x200;
const WIFI: u64 = 0x1_0000;
const TRUNCATED: u64 = 0x200_0000;
const START: u64 = 0x4000_0000;
const END: u64 = 0x8000_0000;
const SENT: u64 = 0x1_0000_0000;
const RECEIVED: u64 = 0x2_0000_0000;

/// A frame, or a part of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fragment<'p> {
    /// `MiniportIfIndex`: the adapter.
    pub miniport: u32,
    /// `LowerIfIndex`: the layer below the one that captured; the adapter itself, or a filter on it.
    pub lower: u32,
    /// The port of a virtual switch that it comes from.
    pub port: Option<SwitchPort>,
    /// What the frame begins with.
    pub link: LinkType,
    /// Which way it went.
    pub direction: Direction,
    /// The frame begins here.
    pub is_start: bool,
    /// The frame ends here.
    pub is_end: bool,
    /// The capture has cut the frame.
    pub is_truncated: bool,
    /// The bytes.
    pub bytes: &'p [u8],
}

/// A port of a virtual switch.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SwitchPort {
    /// Number.
    pub id: u32,
    /// Name of the port.
    pub name: String,
    /// Name of the network card that is plugged in.
    pub nic: String,
}

/// What a source of packets is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Index of its interface.
    pub interface: u32,
    /// Name.
    pub name: String,
}

/// Whether a record is a frame, or a part of one.
pub fn is_fragment(record: &Record<'_>) -> bool {
    record.provider() == Some(PROVIDER) && matches!(record.id(), Some(FRAGMENT | SWITCH_FRAGMENT))
}

/// Reads a record for which [`is_fragment`] is true. `None`: it is less than its layout promises, or of a later version.
pub fn read_fragment<'p>(record: &Record<'p>) -> Option<Fragment<'p>> {
    if record.version() != Some(0) {
        return None;
    }
    fragment(record.id()?, record.keyword()?, record.user_data().ok()?)
}

fn fragment(id: u16, keyword: u64, payload: &[u8]) -> Option<Fragment<'_>> {
    // No field is a pointer.
    let mut fields = Fields::new(payload, PointerSize::Eight);
    let (miniport, lower) = (fields.u32()?, fields.u32()?);
    let port = if id == SWITCH_FRAGMENT { Some(switch_port(&mut fields)?) } else { None };
    let length = usize::try_from(fields.u32()?).ok()?;
    let bytes = fields.bytes(length)?;
    let has = |bit: u64| keyword & bit != 0;
    let link = match (has(WIFI), has(WWAN)) {
        (true, _) => LinkType::Wifi,
        (false, true) => LinkType::Ip,
        (false, false) => LinkType::Ethernet,
    };
    let direction = match (has(SENT), has(RECEIVED)) {
        (true, false) => Direction::Sent,
        (false, true) => Direction::Received,
        _ => Direction::Unknown,
    };
    let (is_start, is_end, is_truncated) = (has(START), has(END), has(TRUNCATED));
    Some(Fragment { miniport, lower, port, link, direction, is_start, is_end, is_truncated, bytes })
}

/// `SourcePortId`, `SourcePortName`, `SourceNicName`, `SourceNicType`, `DestinationCount`, eight bytes for each destination.
fn switch_port(fields: &mut Fields<'_>) -> Option<SwitchPort> {
    let (id, name, nic) = (fields.u32()?, fields.utf16()?, fields.utf16()?);
    let _nic_type = fields.utf16()?;
    let destinations = usize::try_from(fields.u32()?).ok()?;
    fields.skip(destinations.checked_mul(8)?)?;
    Some(SwitchPort { id, name, nic })
}

/// What a record says of a source of packets: `SourceId`, `SourceName`, `IfIndex`, and more.
pub fn read_source(record: &Record<'_>) -> Option<Source> {
    if record.provider() != Some(PROVIDER) || record.id() != Some(SOURCE) || record.version() != Some(0) {
        return None;
    }
    let mut fields = Fields::new(record.user_data().ok()?, PointerSize::Eight);
    fields.skip(1)?;
    let name = fields.utf16()?;
    Some(Source { name, interface: fields.u32()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(id: u16) -> Vec<u8> {
        let mut payload = [7_u32.to_le_bytes(), 9_u32.to_le_bytes()].concat();
        if id == SWITCH_FRAGMENT {
            payload.extend(3_u32.to_le_bytes());
            payload.extend("port\0nic\0Synthetic\0".encode_utf16().flat_map(u16::to_le_bytes));
            payload.extend(2_u32.to_le_bytes());
            payload.extend([0; 16]);
        }
        payload.extend(5_u32.to_le_bytes());
        payload.extend(b"frame");
        payload
    }

    #[test]
    fn both_layouts_are_read_with_and_without_what_follows() {
        for id in [FRAGMENT, SWITCH_FRAGMENT] {
            let whole = frame(id);
            let later = [whole.clone(), vec![0xEE; 16]].concat();
            for payload in [&whole, &later] {
                let read = fragment(id, START | END | SENT, payload).unwrap();
                assert_eq!((read.miniport, read.lower, read.bytes), (7, 9, &b"frame"[..]));
                assert_eq!((read.link, read.direction), (LinkType::Ethernet, Direction::Sent));
                assert!(read.is_start && read.is_end && !read.is_truncated);
                let port = SwitchPort { id: 3, name: "port".to_owned(), nic: "nic".to_owned() };
                assert_eq!(read.port, (id == SWITCH_FRAGMENT).then_some(port));
            }
            for length in 0..whole.len() {
                assert_eq!(fragment(id, START, &whole[..length]), None, "{id} {length}");
            }
        }
    }

    #[test]
    fn keywords_tell_the_link_the_way_and_the_part() {
        let read = |keyword| fragment(FRAGMENT, keyword, &frame(FRAGMENT)).map(|read| (read.link, read.direction));
        assert_eq!(read(WIFI | RECEIVED).unwrap(), (LinkType::Wifi, Direction::Received));
        assert_eq!(read(WWAN | RECEIVED | SENT).unwrap(), (LinkType::Ip, Direction::Unknown));
        let payload = frame(FRAGMENT);
        let middle = fragment(FRAGMENT, TRUNCATED, &payload).unwrap();
        assert!(!middle.is_start && !middle.is_end && middle.is_truncated);
    }

    #[test]
    fn a_count_of_destinations_that_cannot_be_is_malformed() {
        let mut payload = frame(SWITCH_FRAGMENT);
        let at = 12 + 2 * "port\0nic\0Synthetic\0".len();
        payload[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(fragment(SWITCH_FRAGMENT, 0, &payload), None);
    }
}
