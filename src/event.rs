//! What the analysis works on: socket and process events, whatever wrote them.

use crate::net::SocketAddress;
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
}

/// An event that the analysis understands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NetEvent {
    /// A socket operation seen by AFD.
    Socket(SocketEvent),
    /// A process started, ended, or was there. Boxed: rare, and much larger.
    Process(Box<ProcessEvent>),
}

/// A socket operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SocketEvent {
    /// Kernel address of the process object (EPROCESS); 0 where the event has none.
    pub eprocess: u64,
    /// Kernel address of the AFD endpoint.
    pub endpoint: u64,
    /// Start, end, or something between.
    pub phase: Phase,
    /// How it ended, where the event tells.
    pub status: Option<NtStatus>,
    /// What was done.
    pub operation: SocketOperation,
}

/// Part of an operation that a record stands for (`EnterExit`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// 0: the request arrived.
    Enter,
    /// 1: the request is finished. Legacy events know no other.
    Exit,
    /// 2 to 4: internal to AFD, caused by TCP/IP, caused by AFD; and numbers that no source names.
    Internal(u32),
}

/// What was done to a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
}

impl ProcessSource {
    /// As reports name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::KernelProcess => "kernel_process",
            Self::Mof => "mof_process",
        }
    }
}

/// What a process did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
#[derive(Debug, Clone, PartialEq, Eq)]
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
