//! What the analysis works on: socket and process events, whatever wrote them.

use std::sync::Arc;

use crate::net::{Family, Protocol, SocketAddress};
use crate::status::NtStatus;
use crate::time::FileTime;

/// Where and in whose context an event was logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventMeta {
    /// When.
    pub time: FileTime,
    /// Process of the record's header; often not the one that the event is about.
    pub header_pid: Option<u32>,
    /// Event id (the opcode of classic and kernel events).
    pub id: u16,
    /// Where the record stands.
    pub place: Place,
}

/// Where a record stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Place {
    /// Number of the trace in the case, from 0.
    pub trace: u16,
    /// Processor.
    pub cpu: u16,
    /// Buffer number in the file, from 0.
    pub buffer: u32,
    /// Absolute offset in the file; in a compressed buffer that of the buffer.
    pub offset: u64,
    /// Position in the decompressed buffer, in bytes.
    pub pos: u32,
    /// Of an entry of an event log: which. Then nothing else here says anything.
    pub entry: Option<LogEntry>,
}

/// An entry of an event log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogEntry {
    /// Number of the log among the side inputs of the case, from 0.
    pub source: usize,
    /// Its number in the log (`EventRecordID`).
    pub record: u64,
}

/// A socket event as the log of Winsock-AFD's channel has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedEvent {
    /// When.
    pub time: FileTime,
    /// Process in whose context it was logged.
    pub header_pid: Option<u32>,
    /// Event id.
    pub id: u16,
    /// Version of the event.
    pub version: u8,
    /// Where it stands.
    pub entry: LogEntry,
    /// What happened.
    pub event: SocketEvent,
    /// Its fields by name, as the log shows them.
    pub fields: Arc<[(String, String)]>,
}

impl LoggedEvent {
    /// As events of traces are told.
    pub fn meta(&self) -> EventMeta {
        let place = Place { entry: Some(self.entry), ..Place::default() };
        EventMeta { time: self.time, header_pid: self.header_pid, id: self.id, place }
    }
}

/// An event that the analysis understands.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum NetEvent {
    /// A socket operation seen by AFD.
    Socket(SocketEvent),
    /// What TCP/IP did with a port.
    Transport(TransportEvent),
    /// A process started, ended, or was there. Boxed: rare, and much larger.
    Process(Box<ProcessEvent>),
}

/// What TCP/IP, below the sockets, did with ports: the kernel's own ports are seen here alone.
///
/// Addresses of its endpoints and TCBs are none of AFD's: nothing but process, port and time joins the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TransportEvent {
    /// An endpoint was created for a process.
    Endpoint {
        /// Kernel address.
        endpoint: u64,
        /// Process.
        pid: u32,
        /// Family.
        family: Option<Family>,
        /// Network compartment, where the event tells.
        compartment: Option<u32>,
    },
    /// An endpoint or TCB took a port.
    Acquired(PortReference),
    /// An endpoint or TCB gave a port back.
    Released(PortReference),
    /// A port was given that others use too, because none was free.
    WeakReference(PortReference),
    /// A connection that was there when the session began or ended.
    Existing {
        /// Kernel address of the TCB.
        tcb: u64,
        /// Process.
        pid: u32,
        /// Local address.
        local: SocketAddress,
        /// `TCP_STATE`: 0 closed, 1 listen, 4 established, 7 close-wait, 10 time-wait.
        state: u32,
    },
    /// A process's connection: requested or completed.
    Connection {
        /// Kernel address of the TCB.
        tcb: u64,
        /// Process, as the payload or the record's header states it.
        pid: u32,
        /// Family of its local address.
        family: Option<Family>,
        /// Its local port, where it has one by then.
        local_port: Option<u16>,
        /// Network compartment, where the event tells.
        compartment: Option<u32>,
    },
    /// A connection changed its state.
    State {
        /// Kernel address of the TCB.
        tcb: u64,
        /// New `TCP_STATE`.
        state: u32,
    },
    /// A UDP endpoint was bound.
    UdpBound {
        /// Kernel address.
        endpoint: u64,
        /// Process, where the event tells.
        pid: Option<u32>,
        /// Local address.
        local: SocketAddress,
    },
    /// A UDP endpoint was closed.
    UdpClosed {
        /// Kernel address.
        endpoint: u64,
    },
    /// A bind or connect was refused because no local port was free, or for another reason that the status tells.
    Refused {
        /// Protocol.
        protocol: Protocol,
        /// Connect, not bind.
        connect: bool,
        /// Family of the local address.
        family: Option<Family>,
        /// Why.
        status: NtStatus,
        /// Kernel address of the endpoint, where the event tells.
        endpoint: Option<u64>,
        /// Network compartment, where the event tells.
        compartment: Option<u32>,
    },
    /// The endpoint of a process that was created just now is in this network compartment.
    InCompartment {
        /// Process.
        pid: u32,
        /// Network compartment.
        compartment: u32,
    },
    /// The bind under way in the record's context takes no port: that is left to connect (SO_REUSE_UNICASTPORT).
    Deferred,
    /// A process reserved a range of ports.
    Reserved {
        /// Process.
        pid: u32,
        /// Whether it succeeded.
        status: NtStatus,
        /// First port, in a byte order that no source states.
        start: RawPort,
        /// Ports.
        count: u16,
    },
    /// Global parameter: how long a closed connection keeps its port, in a unit that no source states.
    TimedWaitDelay(u32),
}

impl TransportEvent {
    /// The network compartment that it names.
    pub fn compartment(&self) -> Option<u32> {
        match *self {
            Self::Endpoint { compartment, .. }
            | Self::Connection { compartment, .. }
            | Self::Refused { compartment, .. } => compartment,
            Self::InCompartment { compartment, .. } => Some(compartment),
            _ => None,
        }
    }

    /// Kernel address of the endpoint or TCB that it is about.
    pub fn subject(&self) -> Option<u64> {
        Some(match *self {
            Self::Acquired(reference) | Self::Released(reference) | Self::WeakReference(reference) => {
                reference.acquirer
            }
            Self::Existing { tcb, .. } | Self::Connection { tcb, .. } | Self::State { tcb, .. } => tcb,
            Self::Endpoint { endpoint, .. } | Self::UdpBound { endpoint, .. } | Self::UdpClosed { endpoint } => {
                endpoint
            }
            Self::Refused { .. }
            | Self::InCompartment { .. }
            | Self::Deferred
            | Self::Reserved { .. }
            | Self::TimedWaitDelay(_) => return None,
        })
    }
}

/// A port that an endpoint or TCB refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortReference {
    /// Kernel address of the endpoint or TCB.
    pub acquirer: u64,
    /// Port.
    pub port: RawPort,
}

/// A port as two bytes of an event whose byte order no source states; read as little-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RawPort(pub u16);

impl RawPort {
    /// The port, if it is in host order.
    pub fn host(self) -> u16 {
        self.0
    }

    /// The port, if it is in network order.
    pub fn network(self) -> u16 {
        self.0.swap_bytes()
    }
}

/// A socket operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SocketEvent {
    /// Kernel address of the process object (EPROCESS); 0 where the event has none.
    pub eprocess: u64,
    /// Kernel address of the AFD endpoint.
    pub endpoint: u64,
    /// Start, end, or something between.
    pub phase: Phase,
    /// Place in the driver that logged it (`Location`); legacy events have none.
    pub location: Option<u32>,
    /// How it ended, where the event tells.
    pub status: Option<NtStatus>,
    /// What was done.
    pub operation: SocketOperation,
}

/// Part of an operation that a record stands for (`EnterExit`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// 0: the request arrived.
    Enter,
    /// 1: the request is finished. Legacy events know no other.
    Exit,
    /// 2 to 4: internal to AFD, caused by TCP/IP, caused by AFD; and numbers that no source names.
    Internal(u32),
}

impl Phase {
    /// From `EnterExit`.
    #[inline]
    pub fn from_number(number: u32) -> Self {
        match number {
            0 => Self::Enter,
            1 => Self::Exit,
            other => Self::Internal(other),
        }
    }
}

/// What was done to a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SocketOperation {
    /// Created.
    Create {
        /// `AF_*`.
        family: u32,
        /// `SOCK_*`.
        socket_type: u32,
        /// `IPPROTO_*`.
        protocol: u32,
        /// Process that created it, as the event states it.
        pid: u32,
    },
    /// Bound to a local address: on enter the one asked for, on exit the one given.
    Bind {
        /// `None` where the event has no address.
        address: Option<SocketAddress>,
    },
    /// Connected to a remote address.
    Connect {
        /// `None` where the event has no address.
        address: Option<SocketAddress>,
    },
    /// Closed by its owner.
    Close,
    /// The last reference is gone.
    Cleanup,
}

/// Which provider told about a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ProcessSource {
    /// Microsoft-Windows-Kernel-Process.
    KernelProcess,
    /// The kernel logger's Process class (MOF).
    Mof,
    /// A list of processes, taken while a live session ran.
    Live,
}

impl ProcessSource {
    /// As reports name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::KernelProcess => "kernel_process",
            Self::Mof => "mof_process",
            Self::Live => "live",
        }
    }
}

/// What a process did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProcessChange {
    /// Started.
    Start,
    /// Ended.
    End,
    /// Was running when the session asked.
    Rundown,
    /// Had ended, but its object was still there when the session asked.
    Defunct,
}

/// A process event.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ProcessEvent {
    /// Who told.
    pub source: ProcessSource,
    /// What happened.
    pub change: ProcessChange,
    /// Process id.
    pub pid: u32,
    /// Parent process id.
    pub parent_pid: Option<u32>,
    /// Kernel address of the process object (EPROCESS), where told.
    pub eprocess: Option<u64>,
    /// When the process was created, where told.
    pub created: Option<FileTime>,
    /// When the process ended, where told.
    pub exited: Option<FileTime>,
    /// Image: a path, or a name alone; `None` where the event has an empty one.
    pub image: Option<String>,
    /// Whether the event cuts long names (Kernel-Process stop events do, at 14 or 15 characters).
    pub image_may_be_cut: bool,
}

/// The last component of an NT or DOS path.
pub fn base_name(path: &str) -> &str {
    path.rsplit(['\\', '/']).next().unwrap_or(path)
}

/// The name of an image without its folder and the ending of programs, in lower case.
pub fn image_stem(path: &str) -> String {
    base_name(path).to_lowercase().trim_end_matches(".exe").to_owned()
}

/// Whether two names may be of one image: with or without `.exe`, one of them possibly cut.
pub fn is_same_image(one: &str, other: &str) -> bool {
    let (one, other) = (image_stem(one), image_stem(other));
    one.starts_with(&other) || other.starts_with(&one)
}
