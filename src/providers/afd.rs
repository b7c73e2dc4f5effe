//! Microsoft-Windows-Winsock-AFD: the kernel side of every Winsock socket.
//!
//! Two dialects: Windows Vista and Server 2008 log ids 1 to 41, later systems log ids from 1000 on, and still declare
//! the old ones. Layouts are those of the manifests of Windows 7 to 11, which agree byte for byte.
//! The opcode of bind and connect events follows the endpoint's state and says nothing about the event: only the id does.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use etl_parser::{Guid, PointerSize};

use super::Interpreted;
use super::fields::Fields;
use crate::event::{NetEvent, Phase, SocketEvent, SocketOperation};
use crate::net::SocketAddress;
use crate::status::NtStatus;

/// The provider.
pub const PROVIDER: Guid = Guid::from_u128(0xe53c_6823_7bb8_44bb_90dc_3f86_090d_48a6);

/// Whether `id` is a bind event of either dialect.
#[inline]
pub fn is_bind(id: u16) -> bool {
    matches!(id, 2 | 3 | 40 | 1029 | 1030)
}

/// The manifest's name of the events that the analysis uses.
pub fn event_name(id: u16) -> Option<&'static str> {
    Some(match id {
        1 => "socket creation",
        2 | 3 => "bind",
        4 | 5 => "connect",
        6 => "connect completed",
        13 => "close",
        14 => "cleanup",
        40 => "failed bind",
        1000 => "AfdCreate",
        1001 => "AfdClose",
        1002 => "AfdCleanup",
        1017 => "AfdConnect",
        1018 => "AfdConnectWithAddress",
        1020 => "AfdConnectEx",
        1021 => "AfdConnectExWithAddress",
        1029 => "AfdBind",
        1030 => "AfdBindWithAddress",
        _ => return None,
    })
}

/// The ids of these events, of the dialect of Windows 7 and later.
pub const EVENT_IDS: [u16; 9] = [1000, 1001, 1002, 1017, 1018, 1020, 1021, 1029, 1030];

/// Whether it is the end of a socket: a close or a cleanup.
pub fn is_close(id: u16) -> bool {
    matches!(id, 13 | 14 | 1001 | 1002)
}

/// Newest version known of an event that the analysis uses: every one has version 0 from Windows Vista to Windows 11.
pub(super) fn newest_version(id: u16) -> Option<u8> {
    event_name(id).map(|_| 0)
}

/// Whether the process of the record's header is the one that the event is about, by the place in the driver that logged it.
///
/// Source: MSO-Scripts NetBlame, which reads real traces and lists the locations where it never found another process there. Those of
/// close events are left out: handles are closed after a process has ended too, when its PID may be another's.
pub fn is_header_reliable(id: u16, phase: Phase, location: u32) -> bool {
    match (id, phase) {
        (1000, Phase::Enter) => matches!(location, 1002 | 1006 | 1015),
        (1000, Phase::Exit) => matches!(location, 1012 | 1013),
        (1017 | 1018, Phase::Enter) => matches!(location, 5023 | 5502),
        (1020 | 1021, Phase::Enter) => location == 5031,
        (1029 | 1030, Phase::Enter) => location == 7010,
        (1029 | 1030, Phase::Exit) => location == 7022,
        _ => false,
    }
}

/// Decodes one event as nearly all are: of later systems than Windows Server 2008, of 64 bits, whole, and one that the
/// analysis uses. `None` for all others: [`decode`] says what they are.
#[inline(always)]
pub(crate) fn plain(id: u16, payload: &[u8]) -> Option<SocketEvent> {
    match id {
        1000..=1002 | 1017 | 1018 | 1020 | 1021 | 1029 | 1030 => modern::<8>(id, payload),
        _ => None,
    }
}

/// Decodes one event.
pub(super) fn decode(id: u16, payload: &[u8], pointer_size: PointerSize) -> Interpreted {
    let event = match id {
        1..=6 | 13 | 14 | 40 => legacy(id, &mut Fields::new(payload, pointer_size)),
        1000..=1002 | 1017 | 1018 | 1020 | 1021 | 1029 | 1030 => match pointer_size {
            PointerSize::Four => modern::<4>(id, payload),
            PointerSize::Eight => modern::<8>(id, payload),
        },
        // Declared, and of no use here: data transfer, accept, options, abort, registered I/O.
        7..=41 | 1003..=1037 | 3000..=3007 | 4000..=4020 => return Interpreted::NotNeeded,
        _ => return Interpreted::Unknown,
    };
    event.map_or(Interpreted::Malformed, |event| Interpreted::Event(NetEvent::Socket(event)))
}

#[inline]
fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}

/// A pointer of `P` bytes.
#[inline]
fn pointer_at<const P: usize>(bytes: &[u8], at: usize) -> Option<u64> {
    if P == 4 {
        return u32_at(bytes, at).map(u64::from);
    }
    bytes.get(at..)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
}

/// With pointers of `P` bytes. Reads fields at fixed places, so that a length is compared once for some of them.
#[inline(always)]
fn modern<const P: usize>(id: u16, payload: &[u8]) -> Option<SocketEvent> {
    let (head, rest) = payload.split_at_checked(8 + 2 * P)?;
    let phase = Phase::from_number(u32_at(head, 0)?);
    let location = Some(u32_at(head, 4)?);
    let eprocess = pointer_at::<P>(head, 8)?;
    let endpoint = pointer_at::<P>(head, 8 + P)?;
    let (operation, status) = match id {
        1000 => {
            let fields = rest.get(..16 + P)?;
            let (family, socket_type, protocol) = (u32_at(fields, 0)?, u32_at(fields, 4)?, u32_at(fields, 8)?);
            let pid = u32::try_from(pointer_at::<P>(fields, 12)?).ok()?;
            (SocketOperation::Create { family, socket_type, protocol, pid }, u32_at(fields, 12 + P)?)
        }
        1001 => (SocketOperation::Close, u32_at(rest, 0)?),
        1002 => (SocketOperation::Cleanup, u32_at(rest, 0)?),
        1017 | 1020 => (SocketOperation::Connect { address: None }, u32_at(rest, 0)?),
        1018 | 1021 => {
            // Behind the buffer's pointer and its length.
            let (fields, rest) = rest.split_at_checked(8 + P)?;
            (SocketOperation::Connect { address: sockaddr(rest)? }, u32_at(fields, 4 + P)?)
        }
        1029 => (SocketOperation::Bind { address: None }, u32_at(rest, 0)?),
        _ => {
            let (fields, rest) = rest.split_at_checked(4)?;
            (SocketOperation::Bind { address: sockaddr(rest)? }, u32_at(fields, 0)?)
        }
    };
    Some(SocketEvent { eprocess, endpoint, phase, location, status: Some(NtStatus(status)), operation })
}

/// `AddressLen`, then that many bytes; the inner `None` is an address of a family that has no ports.
#[inline]
fn sockaddr(bytes: &[u8]) -> Option<Option<SocketAddress>> {
    let (length, rest) = bytes.split_first_chunk()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    rest.get(..length).map(SocketAddress::from_sockaddr)
}

fn legacy(id: u16, fields: &mut Fields<'_>) -> Option<SocketEvent> {
    let eprocess = fields.pointer()?;
    let endpoint = fields.pointer()?;
    let (phase, operation, status) = match id {
        1 => {
            let (family, socket_type, protocol) = (fields.u32()?, fields.u32()?, fields.u32()?);
            let pid = u32::try_from(fields.pointer()?).ok()?;
            (Phase::Exit, SocketOperation::Create { family, socket_type, protocol, pid }, None)
        }
        2 | 3 => {
            let address = Some(legacy_address(id == 3, fields)?);
            (Phase::Exit, SocketOperation::Bind { address }, Some(fields.u32()?))
        }
        4 | 5 => {
            let address = Some(legacy_address(id == 5, fields)?);
            (Phase::Enter, SocketOperation::Connect { address }, None)
        }
        6 => (Phase::Exit, SocketOperation::Connect { address: None }, Some(fields.u32()?)),
        13 => (Phase::Exit, SocketOperation::Close, Some(fields.u32()?)),
        14 => (Phase::Exit, SocketOperation::Cleanup, Some(fields.u32()?)),
        _ => (Phase::Exit, SocketOperation::Bind { address: None }, Some(fields.u32()?)),
    };
    Some(SocketEvent { eprocess, endpoint, phase, location: None, status: status.map(NtStatus), operation })
}

/// Address and port of legacy events, both taken in network order (no source states the port's; see `SCHEMA.md`).
fn legacy_address(ipv6: bool, fields: &mut Fields<'_>) -> Option<SocketAddress> {
    let ip = if ipv6 {
        IpAddr::from(Ipv6Addr::from(*fields.bytes(16)?.first_chunk::<16>()?))
    } else {
        IpAddr::from(Ipv4Addr::from(*fields.bytes(4)?.first_chunk::<4>()?))
    };
    Some(SocketAddress { ip, port: fields.u16_be()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn socket(decoded: Interpreted) -> SocketEvent {
        match decoded {
            Interpreted::Event(NetEvent::Socket(event)) => event,
            other => panic!("{other:?}"),
        }
    }

    fn payload(parts: &[&[u8]]) -> Vec<u8> {
        parts.concat()
    }

    #[test]
    fn create_of_both_pointer_sizes() {
        let tail = [2_u32.to_le_bytes(), 1_u32.to_le_bytes(), 6_u32.to_le_bytes()].concat();
        let eight = payload(&[
            &1_u32.to_le_bytes(),
            &1012_u32.to_le_bytes(),
            &0xFFFF_8001_u64.to_le_bytes(),
            &0xFFFF_9002_u64.to_le_bytes(),
            &tail,
            &7312_u64.to_le_bytes(),
            &0_u32.to_le_bytes(),
        ]);
        assert_eq!(eight.len(), 48);
        let event = socket(decode(1000, &eight, PointerSize::Eight));
        assert_eq!((event.eprocess, event.endpoint, event.phase), (0xFFFF_8001, 0xFFFF_9002, Phase::Exit));
        let want = SocketOperation::Create { family: 2, socket_type: 1, protocol: 6, pid: 7312 };
        assert_eq!(event.operation, want);
        let four = payload(&[
            &0_u32.to_le_bytes(),
            &1002_u32.to_le_bytes(),
            &0x8001_u32.to_le_bytes(),
            &0x9002_u32.to_le_bytes(),
            &tail,
            &7312_u32.to_le_bytes(),
            &0_u32.to_le_bytes(),
        ]);
        assert_eq!(four.len(), 36);
        assert_eq!(socket(decode(1000, &four, PointerSize::Four)).operation, want);
        assert!(matches!(decode(1000, &four, PointerSize::Eight), Interpreted::Malformed));
    }

    #[test]
    fn legacy_bind_of_both_families() {
        let head = payload(&[&1_u64.to_le_bytes(), &2_u64.to_le_bytes()]);
        let v4 = payload(&[&head, &[10, 0, 0, 1], &[0xC0, 0x00], &0xC000_0209_u32.to_le_bytes()]);
        assert_eq!(v4.len(), 26);
        let event = socket(decode(2, &v4, PointerSize::Eight));
        assert_eq!(event.status, Some(NtStatus::TOO_MANY_ADDRESSES));
        let SocketOperation::Bind { address: Some(address) } = event.operation else { panic!() };
        assert_eq!((address.ip.to_string(), address.port), ("10.0.0.1".to_owned(), 49152));
        let v6 = payload(&[&head, &[0; 15], &[1], &[0, 80], &0_u32.to_le_bytes()]);
        let SocketOperation::Bind { address: Some(address) } = socket(decode(3, &v6, PointerSize::Eight)).operation
        else {
            panic!()
        };
        assert_eq!((address.ip.to_string(), address.port), ("::1".to_owned(), 80));
    }

    #[test]
    fn address_length_is_checked_against_the_payload() {
        let mut bytes = vec![0; 24];
        bytes.extend(0_u32.to_le_bytes());
        bytes.extend(u32::MAX.to_le_bytes());
        assert!(matches!(decode(1030, &bytes, PointerSize::Eight), Interpreted::Malformed));
    }

    #[test]
    fn ids_are_needed_known_or_unknown() {
        assert!(matches!(decode(1003, &[], PointerSize::Eight), Interpreted::NotNeeded));
        assert!(matches!(decode(4018, &[], PointerSize::Eight), Interpreted::NotNeeded));
        assert!(matches!(decode(5000, &[], PointerSize::Eight), Interpreted::Unknown));
        assert!(matches!(decode(1029, &[], PointerSize::Eight), Interpreted::Malformed));
    }
}
