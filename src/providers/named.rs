//! Events by the names of their fields: of versions that only the trace itself describes, and as event logs have them.

use super::{EventId, Provider};
use crate::event::{
    NetEvent, Phase, PortReference, ProcessChange, ProcessEvent, ProcessSource, RawPort, SocketEvent, SocketOperation,
    TransportEvent,
};
use crate::net::{Family, Protocol, SocketAddress};
use crate::status::NtStatus;
use crate::time::FileTime;
use etw_schema::{FieldValues, Value};

/// Fields that have names.
pub trait NamedFields {
    /// A number.
    fn number(&self, name: &str) -> Option<u64>;

    /// A socket address; the inner `None` is one of a family that has no ports.
    fn address(&self, name: &str) -> Option<Option<SocketAddress>>;

    /// A text.
    fn text(&self, name: &str) -> Option<String>;

    /// A point in time.
    fn time(&self, name: &str) -> Option<FileTime>;

    /// A port whose byte order no source states.
    fn port(&self, name: &str) -> Option<RawPort>;

    /// A number of 32 bits.
    fn word(&self, name: &str) -> Option<u32> {
        self.number(name).and_then(|number| u32::try_from(number).ok())
    }
}

/// What became of an event.
#[derive(Debug)]
pub enum Read {
    /// It was understood.
    Event(NetEvent),
    /// The analysis has no use for it.
    NotNeeded,
    /// A field that says what happened is not there, or is of another type.
    Missing,
}

/// Reads an event that the analysis uses by the names that its fields have in the manifests.
pub fn decode(event: EventId, fields: &dyn NamedFields) -> Read {
    let read = match event.provider {
        Provider::Afd => socket(event.id, fields).map(|event| Some(NetEvent::Socket(event))),
        Provider::Tcpip => transport(event, fields).map(|event| event.map(NetEvent::Transport)),
        Provider::KernelProcess => process(event.id, fields).map(|event| Some(NetEvent::Process(Box::new(event)))),
    };
    match read {
        Some(Some(event)) => Read::Event(event),
        Some(None) => Read::NotNeeded,
        None => Read::Missing,
    }
}

/// Events of Windows Vista and Server 2008 are not read this way: none was ever seen in another version, or in a log.
fn socket(id: u16, fields: &dyn NamedFields) -> Option<SocketEvent> {
    let operation = match id {
        1000 => SocketOperation::Create {
            family: fields.word("AddressFamily")?,
            socket_type: fields.word("SocketType")?,
            protocol: fields.word("Protocol")?,
            pid: fields.word("ProcessId")?,
        },
        1001 => SocketOperation::Close,
        1002 => SocketOperation::Cleanup,
        1017 | 1020 => SocketOperation::Connect { address: None },
        1018 | 1021 => SocketOperation::Connect { address: fields.address("Address")? },
        1029 => SocketOperation::Bind { address: None },
        1030 => SocketOperation::Bind { address: fields.address("Address")? },
        _ => return None,
    };
    Some(SocketEvent {
        eprocess: fields.number("Process")?,
        endpoint: fields.number("Endpoint")?,
        phase: Phase::from_number(fields.word("EnterExit")?),
        location: fields.word("Location"),
        status: Some(NtStatus(fields.word("Status")?)),
        operation,
    })
}

fn process(id: u16, fields: &dyn NamedFields) -> Option<ProcessEvent> {
    let change = match id {
        1 => ProcessChange::Start,
        2 => ProcessChange::End,
        _ => ProcessChange::Rundown,
    };
    let is_end = change == ProcessChange::End;
    Some(ProcessEvent {
        source: ProcessSource::KernelProcess,
        change,
        pid: fields.word("ProcessID")?,
        parent_pid: fields.word("ParentProcessID").filter(|_| !is_end),
        eprocess: None,
        created: fields.time("CreateTime"),
        exited: fields.time("ExitTime").filter(|_| is_end),
        image: fields.text("ImageName").filter(|image| !image.is_empty()),
        image_may_be_cut: is_end,
    })
}

/// `Some(None)`: of no use.
fn transport(event: EventId, fields: &dyn NamedFields) -> Option<Option<TransportEvent>> {
    let status = || fields.word("Status").map(NtStatus);
    let family = |name: &str| Some(fields.address(name)?.map(|address| address.family()));
    let port = || Some(PortReference { acquirer: fields.number("PortAcquirer")?, port: fields.port("PortNumber")? });
    let connection = |pid: u32| {
        let (tcb, family, compartment) = (fields.number("Tcb")?, family("LocalAddress")?, fields.word("Compartment"));
        let local_port = fields.address("LocalAddress")?.map(|local| local.port).filter(|port| *port > 0);
        Some(TransportEvent::Connection { tcb, pid, family, local_port, compartment })
    };
    Some(match event.id {
        1001 | 1013 | 1391 => {
            let endpoint = fields.number("Endpoint")?;
            let pid = fields.word(if event.id == 1001 { "Pid" } else { "ProcessId" })?;
            let family = Family::from_winsock(fields.word("AddressFamily")?);
            let is_made = status()? == NtStatus::SUCCESS && endpoint != 0;
            let compartment = fields.word("CompartmentId");
            is_made.then_some(TransportEvent::Endpoint { endpoint, pid, family, compartment })
        }
        1002 => match event.header_pid {
            Some(pid) => Some(connection(pid)?),
            None => None,
        },
        1033 => {
            let pid = fields.word("ProcessId")?;
            let is_made = status()? == NtStatus::SUCCESS && pid != 0 && fields.number("Tcb")? != 0;
            if is_made { Some(connection(pid)?) } else { None }
        }
        1300 => {
            let (tcb, state, pid) = (fields.number("Tcb")?, fields.word("State")?, fields.word("Pid")?);
            fields.address("LocalAddress")?.map(|local| TransportEvent::Existing { tcb, pid, local, state })
        }
        1051 => Some(TransportEvent::State { tcb: fields.number("Tcb")?, state: fields.word("NewState")? }),
        1191 => Some(TransportEvent::Acquired(port()?)),
        1193 => Some(TransportEvent::Released(port()?)),
        1195 => Some(TransportEvent::WeakReference(port()?)),
        1006 | 1050 | 1394 => {
            let protocol = if event.id == 1394 { Protocol::Udp } else { Protocol::Tcp };
            let (connect, family) = (event.id == 1050, family("LocalAddress")?);
            let (endpoint, compartment) = (fields.number("Endpoint"), fields.word("Compartment"));
            Some(TransportEvent::Refused { protocol, connect, family, status: status()?, endpoint, compartment })
        }
        1366 => Some(TransportEvent::Deferred),
        1396 => {
            let (endpoint, pid) = (fields.number("Endpoint")?, fields.word("Pid").or(event.header_pid));
            let local = fields.address("LocalAddress")?.filter(|_| status() == Some(NtStatus::SUCCESS));
            local.map(|local| TransportEvent::UdpBound { endpoint, pid, local })
        }
        1397 => Some(TransportEvent::UdpClosed { endpoint: fields.number("Endpoint")? }),
        1052 | 1054 => Some(TransportEvent::Reserved {
            pid: fields.word("ProcessId")?,
            status: status()?,
            start: fields.port("StartPort")?,
            count: fields.number("NumberOfPorts").and_then(|count| u16::try_from(count).ok())?,
        }),
        1110 => Some(TransportEvent::TimedWaitDelay(fields.word("TcpTimedWaitDelay")?)),
        _ => None,
    })
}

impl NamedFields for FieldValues {
    fn number(&self, name: &str) -> Option<u64> {
        self.get(name)?.integer()
    }

    fn address(&self, name: &str) -> Option<Option<SocketAddress>> {
        match self.get(name)? {
            Value::SocketAddress(address) => Some(Some(SocketAddress { ip: address.ip(), port: address.port() })),
            Value::Bytes(bytes) => Some(SocketAddress::from_sockaddr(bytes)),
            _ => None,
        }
    }

    fn text(&self, name: &str) -> Option<String> {
        match self.get(name)? {
            Value::Text(text) => Some(text.clone()),
            _ => None,
        }
    }

    fn time(&self, name: &str) -> Option<FileTime> {
        match self.get(name)? {
            Value::FileTime(time) => FileTime::known(time.0),
            _ => None,
        }
    }

    fn port(&self, name: &str) -> Option<RawPort> {
        match self.get(name)? {
            // Shown as a port, it was read in network order.
            Value::Port(port) => Some(RawPort(port.swap_bytes())),
            other => other.integer().and_then(|port| u16::try_from(port).ok()).map(RawPort),
        }
    }
}
