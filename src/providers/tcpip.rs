//! Microsoft-Windows-TCPIP: what the transport did with ports, the kernel's own included.
//!
//! Layouts are those of the manifests of Windows 7 to Windows 11. A version newer than those is not read by them: one has
//! begun with a field that the one before did not have.

use etl_parser::{Guid, PointerSize};

use super::Interpreted;
use super::fields::Fields;
use crate::event::{NetEvent, PortReference, RawPort, TransportEvent};
use crate::net::{Family, Protocol, SocketAddress};
use crate::status::NtStatus;

/// The provider.
pub const PROVIDER: Guid = Guid::from_u128(0x2f07_e2ee_15db_40f1_90ef_9d7b_a282_188a);

/// Whether an event is about ports, binds or connections: all that are decoded here but the global parameters.
pub(super) fn is_about_ports(id: u16) -> bool {
    id != 1110 && newest_version(id).is_some()
}

/// Newest version known of an event that is decoded here; `None` for the others.
pub(super) fn newest_version(id: u16) -> Option<u8> {
    Some(match id {
        1001 | 1002 | 1051 | 1110 | 1191 | 1193 | 1195 | 1366 | 1394 | 1397 => 0,
        1006 | 1033 | 1050 | 1052 | 1054 | 1391 | 1396 => 1,
        1013 => 2,
        1300 => 3,
        _ => return None,
    })
}

/// Decodes one event. `header_pid` is the process of the record's header.
pub(super) fn decode(
    id: u16,
    version: u8,
    header_pid: Option<u32>,
    payload: &[u8],
    pointer_size: PointerSize,
) -> Interpreted {
    let mut fields = Fields::new(payload, pointer_size);
    let decoded = match id {
        1001 => endpoint_creation(&mut fields),
        1013 if version >= 2 => tcp_endpoint(&mut fields),
        1013 => endpoint_compartment(&mut fields),
        1391 => udp_endpoint(&mut fields),
        1002 => request_connect(header_pid, &mut fields),
        1033 => connect_complete(&mut fields),
        1300 => rundown(&mut fields),
        1051 => state_change(&mut fields),
        1191 => port_reference(&mut fields).map(|port| Some(TransportEvent::Acquired(port))),
        1193 => port_reference(&mut fields).map(|port| Some(TransportEvent::Released(port))),
        1195 => port_reference(&mut fields).map(|port| Some(TransportEvent::WeakReference(port))),
        1006 => bind_refused(version >= 1, Protocol::Tcp, &mut fields),
        1394 => bind_refused(false, Protocol::Udp, &mut fields),
        1050 => connect_refused(&mut fields),
        1366 => Some(Some(TransportEvent::Deferred)),
        1396 => udp_bound(version, header_pid, &mut fields),
        1397 => udp_closed(&mut fields),
        1052 | 1054 => reservation(&mut fields),
        1110 => global_parameters(&mut fields),
        _ => return Interpreted::NotNeeded,
    };
    match decoded {
        Some(Some(event)) => Interpreted::Event(NetEvent::Transport(event)),
        Some(None) => Interpreted::NotNeeded,
        None => Interpreted::Malformed,
    }
}

/// `None`: malformed. `Some(None)`: of no use.
type Read = Option<Option<TransportEvent>>;

/// Length, then that many bytes; the inner `None` is an address of a family that has no ports.
pub(super) fn sockaddr(fields: &mut Fields<'_>) -> Option<Option<SocketAddress>> {
    let length = usize::try_from(fields.u32()?).ok()?;
    fields.bytes(length).map(SocketAddress::from_sockaddr)
}

fn family(address: Option<SocketAddress>) -> Option<Family> {
    address.map(|address| address.family())
}

/// 1001: Status, Endpoint, AddressFamily, Pid.
fn endpoint_creation(fields: &mut Fields<'_>) -> Read {
    let status = NtStatus(fields.u32()?);
    let endpoint = fields.pointer()?;
    let family = Family::from_winsock(fields.u32()?);
    let pid = fields.u32()?;
    let event = TransportEvent::Endpoint { endpoint, pid, family, compartment: None };
    Some((status == NtStatus::SUCCESS && endpoint != 0).then_some(event))
}

/// 1013 from version 2 on: Endpoint, LocalAddress, Status, ProcessId, CompartmentId, AddressFamily.
fn tcp_endpoint(fields: &mut Fields<'_>) -> Read {
    let endpoint = fields.pointer()?;
    let _local = sockaddr(fields)?;
    created(endpoint, fields)
}

/// 1013 before version 2: the same without the endpoint.
fn endpoint_compartment(fields: &mut Fields<'_>) -> Read {
    let _local = sockaddr(fields)?;
    let status = NtStatus(fields.u32()?);
    let pid = fields.u32()?;
    let compartment = fields.u32()?;
    Some((status == NtStatus::SUCCESS).then_some(TransportEvent::InCompartment { pid, compartment }))
}

/// 1391: Endpoint, Status, ProcessId, CompartmentId, AddressFamily.
fn udp_endpoint(fields: &mut Fields<'_>) -> Read {
    let endpoint = fields.pointer()?;
    created(endpoint, fields)
}

/// Status, ProcessId, CompartmentId, AddressFamily.
fn created(endpoint: u64, fields: &mut Fields<'_>) -> Read {
    let status = NtStatus(fields.u32()?);
    let pid = fields.u32()?;
    let compartment = Some(fields.u32()?);
    let family = Family::from_winsock(fields.u32()?);
    let event = TransportEvent::Endpoint { endpoint, pid, family, compartment };
    Some((status == NtStatus::SUCCESS && endpoint != 0).then_some(event))
}

/// The port of an address, where it has one.
fn port(address: Option<SocketAddress>) -> Option<u16> {
    address.map(|address| address.port).filter(|port| *port > 0)
}

/// 1002: Tcb, LocalAddress, and more. The header's process is the one that connects.
fn request_connect(header_pid: Option<u32>, fields: &mut Fields<'_>) -> Read {
    let tcb = fields.pointer()?;
    let local = sockaddr(fields)?;
    let (family, local_port) = (family(local), port(local));
    Some(header_pid.map(|pid| TransportEvent::Connection { tcb, pid, family, local_port, compartment: None }))
}

/// 1033 and 1050: LocalAddress, RemoteAddress, Status, ProcessId, Compartment, Tcb.
pub(super) fn connect_result(fields: &mut Fields<'_>) -> Option<ConnectResult> {
    Some(ConnectResult {
        local: sockaddr(fields)?,
        remote: sockaddr(fields)?,
        status: NtStatus(fields.u32()?),
        pid: fields.u32()?,
        compartment: fields.u32()?,
        tcb: fields.pointer()?,
    })
}

/// What became of a connection.
pub(super) struct ConnectResult {
    pub(super) local: Option<SocketAddress>,
    pub(super) remote: Option<SocketAddress>,
    pub(super) status: NtStatus,
    pub(super) pid: u32,
    compartment: u32,
    pub(super) tcb: u64,
}

impl ConnectResult {
    fn family(&self) -> Option<Family> {
        family(self.local.or(self.remote))
    }
}

fn connect_complete(fields: &mut Fields<'_>) -> Read {
    let result = connect_result(fields)?;
    let ConnectResult { status, pid, compartment, tcb, local, .. } = result;
    let (family, local_port, compartment) = (result.family(), port(local), Some(compartment));
    let event = TransportEvent::Connection { tcb, pid, family, local_port, compartment };
    Some((status == NtStatus::SUCCESS && pid != 0 && tcb != 0).then_some(event))
}

fn connect_refused(fields: &mut Fields<'_>) -> Read {
    let result = connect_result(fields)?;
    Some(Some(TransportEvent::Refused {
        protocol: Protocol::Tcp,
        connect: true,
        family: result.family(),
        status: result.status,
        endpoint: None,
        compartment: Some(result.compartment),
    }))
}

/// 1006 and 1394: LocalAddress, Status; 1006 from version 1 on begins with the endpoint's address.
fn bind_refused(has_endpoint: bool, protocol: Protocol, fields: &mut Fields<'_>) -> Read {
    let endpoint = if has_endpoint { Some(fields.pointer()?) } else { None };
    let local = sockaddr(fields)?;
    let status = NtStatus(fields.u32()?);
    let family = family(local);
    Some(Some(TransportEvent::Refused { protocol, connect: false, family, status, endpoint, compartment: None }))
}

/// 1300: Tcb, LocalAddress, RemoteAddress, State, Pid; newer versions add to the end.
fn rundown(fields: &mut Fields<'_>) -> Read {
    let tcb = fields.pointer()?;
    let local = sockaddr(fields)?;
    let _remote = sockaddr(fields)?;
    let state = fields.u32()?;
    let pid = fields.u32()?;
    Some(local.map(|local| TransportEvent::Existing { tcb, pid, local, state }))
}

/// 1051: OldState, NewState, SndNxt, Tcb.
fn state_change(fields: &mut Fields<'_>) -> Read {
    let _old = fields.u32()?;
    let state = fields.u32()?;
    let _next = fields.u32()?;
    let tcb = fields.pointer()?;
    Some(Some(TransportEvent::State { tcb, state }))
}

/// 1191, 1193 and 1195: PortAcquirer, PortNumber, WeakReference, OriginalAcquirer.
fn port_reference(fields: &mut Fields<'_>) -> Option<PortReference> {
    let acquirer = fields.pointer()?;
    let port = RawPort(fields.u16()?);
    let _weak = fields.u32()?;
    let _original = fields.pointer()?;
    Some(PortReference { acquirer, port })
}

/// 1396: LocalAddress, Status, Endpoint; from version 1 on Pid.
fn udp_bound(version: u8, header_pid: Option<u32>, fields: &mut Fields<'_>) -> Read {
    let local = sockaddr(fields)?;
    let status = NtStatus(fields.u32()?);
    let endpoint = fields.pointer()?;
    let pid = if version >= 1 { Some(fields.u32()?) } else { header_pid };
    Some(local.filter(|_| status == NtStatus::SUCCESS).map(|local| TransportEvent::UdpBound { endpoint, pid, local }))
}

/// 1397: LocalAddress, Status, Endpoint.
fn udp_closed(fields: &mut Fields<'_>) -> Read {
    let _local = sockaddr(fields)?;
    let _status = fields.u32()?;
    Some(Some(TransportEvent::UdpClosed { endpoint: fields.pointer()? }))
}

/// 1052, and 1054 when it is complete: ProcessId, Status, StartPort, NumberOfPorts.
fn reservation(fields: &mut Fields<'_>) -> Read {
    let pid = fields.u32()?;
    let status = NtStatus(fields.u32()?);
    let start = RawPort(fields.u16()?);
    let count = fields.u16()?;
    Some(Some(TransportEvent::Reserved { pid, status, start, count }))
}

/// 1110: AddressFamily, eight bytes of flags, KeepAliveTime, KeepAliveInterval, TcpTimedWaitDelay.
fn global_parameters(fields: &mut Fields<'_>) -> Read {
    fields.skip(20)?;
    Some(Some(TransportEvent::TimedWaitDelay(fields.u32()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const V4: [u8; 16] = [2, 0, 0xC0, 0x05, 10, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0];

    fn sockaddr_field() -> Vec<u8> {
        [&16_u32.to_le_bytes()[..], &V4].concat()
    }

    fn event(id: u16, version: u8, payload: &[u8], width: PointerSize) -> TransportEvent {
        match decode(id, version, Some(77), payload, width) {
            Interpreted::Event(NetEvent::Transport(event)) => event,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_refused_bind_begins_with_the_endpoint_from_version_1_on() {
        let status = 0xC000_0209_u32.to_le_bytes();
        let v0 = [sockaddr_field(), status.to_vec()].concat();
        let want = TransportEvent::Refused {
            protocol: Protocol::Tcp,
            connect: false,
            family: Some(Family::Ipv4),
            status: NtStatus::TOO_MANY_ADDRESSES,
            endpoint: None,
            compartment: None,
        };
        assert_eq!(event(1006, 0, &v0, PointerSize::Eight), want);
        let v1 = [9_u32.to_le_bytes().to_vec(), v0].concat();
        let TransportEvent::Refused { endpoint: Some(9), .. } = event(1006, 1, &v1, PointerSize::Four) else {
            panic!()
        };
    }

    #[test]
    fn a_rundown_tells_process_port_and_state_for_both_pointer_sizes() {
        let tail = [sockaddr_field(), sockaddr_field(), [7_u32, 4312].map(u32::to_le_bytes).concat()].concat();
        let local = SocketAddress { ip: [10, 0, 0, 7].into(), port: 49157 };
        let want = TransportEvent::Existing { tcb: 0x55, pid: 4312, local, state: 7 };
        let eight = [0x55_u64.to_le_bytes().to_vec(), tail.clone()].concat();
        let four = [0x55_u32.to_le_bytes().to_vec(), tail, vec![0; 8]].concat();
        assert_eq!(event(1300, 0, &eight, PointerSize::Eight), want);
        assert_eq!(event(1300, 1, &four, PointerSize::Four), want, "what newer versions add is passed over");
        assert!(matches!(decode(1300, 0, None, &eight[..40], PointerSize::Eight), Interpreted::Malformed));
    }

    #[test]
    fn port_numbers_keep_their_bytes() {
        let payload = [&0x99_u64.to_le_bytes()[..], &[0xC0, 0x05], &[0; 12]].concat();
        let TransportEvent::Acquired(reference) = event(1191, 0, &payload, PointerSize::Eight) else { panic!() };
        assert_eq!(reference.acquirer, 0x99);
        assert_eq!((reference.port.network(), reference.port.host()), (0xC005, 0x05C0));
    }

    #[test]
    fn time_wait_reservation_and_failed_creations() {
        let parameters = [&[0; 20][..], &120_000_u32.to_le_bytes(), &[0; 30]].concat();
        let delay = event(1110, 0, &parameters, PointerSize::Eight);
        assert_eq!(delay, TransportEvent::TimedWaitDelay(120_000));
        let reserved = [&[40, 0, 0, 0][..], &[0; 4], &[0x20, 0xC0], &[0x00, 0x10]].concat();
        let want =
            TransportEvent::Reserved { pid: 40, status: NtStatus::SUCCESS, start: RawPort(0xC020), count: 0x1000 };
        assert_eq!(event(1052, 0, &reserved, PointerSize::Eight), want);
        let failed = [&0xC000_009A_u32.to_le_bytes()[..], &[1; 8], &[2, 0, 0, 0], &[9, 0, 0, 0]].concat();
        assert!(matches!(decode(1001, 0, None, &failed, PointerSize::Eight), Interpreted::NotNeeded));
    }
}
