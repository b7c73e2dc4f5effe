//! Which connection is whose, as TCP/IP and Winsock-AFD tell it with both of its ends. What holds ports needs one end alone, so
//! the analysis does not read these.

use etl_parser::{PointerSize, Record};

use super::fields::Fields;
use super::{EventId, Provider, tcpip};
use crate::net::SocketAddress;
use crate::status::NtStatus;

/// What an event tells of a TCP connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlowEvent {
    /// TCP/IP names its process.
    Connection {
        /// Kernel address of the TCB.
        tcb: u64,
        /// Process, as the payload states it; of a request to connect the record's header, which is the one that asks.
        pid: u32,
        /// Local end.
        local: SocketAddress,
        /// Remote end.
        remote: SocketAddress,
        /// It may have been there for long: a rundown, or its end.
        is_old: bool,
    },
    /// A socket has accepted it.
    Accepted {
        /// Kernel address of the socket that listens.
        listener: u64,
        /// Kernel address of the socket that has it now.
        accepted: u64,
        /// Kernel address of the process that accepts.
        eprocess: u64,
        /// Remote end.
        remote: SocketAddress,
    },
}

/// Reads a record; `None` where it tells of no connection with both ends, or is less than its layout promises.
pub fn read(record: &Record<'_>) -> Option<FlowEvent> {
    let event = EventId::of(record)?;
    // Its newest version among the manifests: TCPIP's append, those of AFD are all 0.
    let newest = match (event.provider, event.id) {
        (Provider::Tcpip, 1002) | (Provider::Afd, 1024 | 1027) => 0,
        (Provider::Tcpip, 1017 | 1033 | 1038) => 1,
        (Provider::Tcpip, 1300) => 3,
        _ => return None,
    };
    if event.version > newest {
        return None;
    }
    decode(event, record.user_data().ok()?, record.pointer_size()?)
}

fn decode(event: EventId, payload: &[u8], pointer_size: PointerSize) -> Option<FlowEvent> {
    let mut fields = Fields::new(payload, pointer_size);
    let fields = &mut fields;
    match event.id {
        // Tcb, LocalAddress, RemoteAddress.
        1002 => {
            let tcb = fields.pointer()?;
            let (local, remote) = (tcpip::sockaddr(fields)?, tcpip::sockaddr(fields)?);
            connection((tcb, event.header_pid?), local, remote, false)
        }
        // Tcb, LocalAddress, RemoteAddress, State, Pid.
        1300 => {
            let tcb = fields.pointer()?;
            let (local, remote) = (tcpip::sockaddr(fields)?, tcpip::sockaddr(fields)?);
            let _state = fields.u32()?;
            connection((tcb, fields.u32()?), local, remote, true)
        }
        1017 | 1033 | 1038 => {
            let result = tcpip::connect_result(fields)?;
            let is_done = result.status == NtStatus::SUCCESS;
            is_done
                .then(|| connection((result.tcb, result.pid), result.local, result.remote, event.id == 1038))
                .flatten()
        }
        _ => accepted(fields),
    }
}

fn connection(
    (tcb, pid): (u64, u32),
    local: Option<SocketAddress>,
    remote: Option<SocketAddress>,
    is_old: bool,
) -> Option<FlowEvent> {
    let (local, remote) = (local?, remote?);
    // TIME_WAIT is nobody's, and has the process 0.
    let is_whole = pid != 0 && local.port != 0 && remote.port != 0 && !local.ip.is_unspecified();
    is_whole.then_some(FlowEvent::Connection { tcb, pid, local, remote, is_old })
}

/// EnterExit, Location, Process, Endpoint, Buffer, BufferLength, Status, Address behind its length, AcceptEndpoint, and more.
fn accepted(fields: &mut Fields<'_>) -> Option<FlowEvent> {
    fields.skip(8)?;
    let (eprocess, listener) = (fields.pointer()?, fields.pointer()?);
    let _buffer = fields.pointer()?;
    let _length = fields.u32()?;
    let status = NtStatus(fields.u32()?);
    let remote = tcpip::sockaddr(fields)??;
    let accepted = fields.pointer()?;
    let is_done = status == NtStatus::SUCCESS && accepted != 0 && remote.port != 0;
    is_done.then_some(FlowEvent::Accepted { listener, accepted, eprocess, remote })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCAL: [u8; 16] = [2, 0, 0xC3, 0x50, 10, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0];
    const REMOTE: [u8; 16] = [2, 0, 1, 0xBB, 203, 0, 113, 20, 0, 0, 0, 0, 0, 0, 0, 0];

    fn sockaddr(bytes: [u8; 16]) -> Vec<u8> {
        [&16_u32.to_le_bytes()[..], &bytes].concat()
    }

    fn pointer(value: u32, width: PointerSize) -> Vec<u8> {
        match width {
            PointerSize::Four => value.to_le_bytes().to_vec(),
            PointerSize::Eight => u64::from(value).to_le_bytes().to_vec(),
        }
    }

    fn event(provider: Provider, id: u16) -> EventId {
        EventId { provider, id, version: 0, header_pid: Some(42) }
    }

    #[test]
    fn every_layout_is_read_in_both_widths_and_no_shorter_one() {
        let ends = [sockaddr(LOCAL), sockaddr(REMOTE)].concat();
        let (local, remote) =
            (SocketAddress::from_sockaddr(&LOCAL).unwrap(), SocketAddress::from_sockaddr(&REMOTE).unwrap());
        let of = |pid, is_old| FlowEvent::Connection { tcb: 0x77, pid, local, remote, is_old };
        for width in [PointerSize::Four, PointerSize::Eight] {
            let tcb = pointer(0x77, width);
            let words = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>();
            let result = [ends.clone(), words(&[0, 7, 1]), tcb.clone()].concat();
            let accepted = [
                words(&[1, 6101]),
                pointer(0xE1, width),
                pointer(0xA1, width),
                pointer(0, width),
                words(&[0, 0]),
                sockaddr(REMOTE),
                pointer(0xA2, width),
            ];
            let accept = FlowEvent::Accepted { listener: 0xA1, accepted: 0xA2, eprocess: 0xE1, remote };
            let cases = [
                (event(Provider::Tcpip, 1002), [tcb.clone(), ends.clone()].concat(), of(42, false)),
                (event(Provider::Tcpip, 1300), [tcb.clone(), ends.clone(), words(&[5, 7])].concat(), of(7, true)),
                (event(Provider::Tcpip, 1017), result.clone(), of(7, false)),
                (event(Provider::Tcpip, 1033), result.clone(), of(7, false)),
                (event(Provider::Tcpip, 1038), result.clone(), of(7, true)),
                (event(Provider::Afd, 1024), accepted.concat(), accept),
                (event(Provider::Afd, 1027), accepted.concat(), accept),
            ];
            for (event, payload, expected) in cases {
                assert_eq!(decode(event, &payload, width), Some(expected), "{event:?}");
                assert_eq!(decode(event, &payload[..payload.len() - 1], width), None, "{event:?}");
            }
        }
    }

    #[test]
    fn what_failed_or_is_nobodys_tells_nothing() {
        let ends = [sockaddr(LOCAL), sockaddr(REMOTE)].concat();
        let with = |status: u32, pid: u32| {
            let words = [status, pid, 1].map(u32::to_le_bytes).concat();
            decode(event(Provider::Tcpip, 1033), &[ends.clone(), words, vec![0; 8]].concat(), PointerSize::Eight)
        };
        assert!(with(0, 7).is_some());
        assert_eq!((with(0xC000_0236, 7), with(0, 0)), (None, None));
    }
}
