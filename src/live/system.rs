//! What live capture asks of the operating system, and nothing more: everything else is the same on any system, and is tested
//! on any.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use etl_parser::{Guid, PointerSize};

use crate::net::Family;
use crate::providers::{self, EventId, Interpreted, Provider};
use crate::side::facts::{DynamicPorts, ListedSocket};
use crate::time::FileTime;

/// The session to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionSetup {
    /// Name.
    pub name: String,
    /// Size of one buffer.
    pub buffer_kib: u32,
    /// Fewest and most buffers.
    pub buffers: (u32, u32),
    /// A buffer that is older is passed on although it is not full; whole seconds.
    pub flush: Duration,
    /// Somebody reads it in real time; else the file alone takes its events.
    pub is_read: bool,
    /// A file that the session writes.
    pub record: Option<Recording>,
    /// Providers to enable, in this order.
    pub providers: Vec<ProviderSetup>,
}

/// A file that a session writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    /// Where.
    pub path: PathBuf,
    /// It grows to so many MiB, not 0.
    pub max_mib: u32,
    /// Then the newest events replace the oldest; else those that come later are not in it.
    pub is_circular: bool,
}

/// A provider to enable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProviderSetup {
    /// Its GUID.
    pub guid: Guid,
    /// Its name.
    pub name: &'static str,
    /// Any of these keywords.
    pub keywords: u64,
    /// Up to this level.
    pub level: u8,
    /// Events with these ids alone; empty: all. At most 64.
    pub ids: &'static [u16],
    /// Whether it is asked to tell what there was before the session.
    pub rundown: bool,
    /// Whether there is nothing to learn without it.
    pub is_needed: bool,
}

/// What a session counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SessionCounts {
    /// Events lost.
    pub events_lost: u32,
    /// Buffers that the reader in real time was too slow for.
    pub real_time_buffers_lost: u32,
    /// Buffers that could not be written to the file.
    pub log_buffers_lost: u32,
    /// Buffers written.
    pub buffers_written: u32,
    /// `EVENT_TRACE_*_MODE`.
    pub log_mode: u32,
}

/// Part of the work with a session that may fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionStep {
    /// Starting it.
    Start,
    /// Enabling its providers.
    Enable,
    /// Opening it for reading.
    Open,
    /// Reading it.
    Process,
    /// Asking for its counts.
    Query,
    /// Stopping it.
    Stop,
    /// Asking a provider for what there was before.
    Rundown,
}

/// What the system says when it refuses: a Win32 error code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// In which step.
    pub step: SessionStep,
    /// Win32 error code.
    pub code: u32,
    /// The system's own words; empty where it has none.
    pub text: String,
}

/// One event of a session.
#[derive(Debug, Clone, Copy)]
pub struct RawEvent<'a> {
    /// Provider.
    pub provider: Guid,
    /// Id.
    pub id: u16,
    /// Version.
    pub version: u8,
    /// It brings its own schema (TraceLogging): id and version are no manifest's.
    pub describes_itself: bool,
    /// Process in whose context it was logged.
    pub header_pid: Option<u32>,
    /// When.
    pub time: FileTime,
    /// Processor.
    pub cpu: u16,
    /// Pointers in the payload.
    pub pointer_size: PointerSize,
    /// Payload.
    pub payload: &'a [u8],
}

impl RawEvent<'_> {
    /// Decodes it, where it is one of a provider of use; its id then tells as what.
    pub fn decode(&self) -> (Option<EventId>, Interpreted) {
        // An event that brings its own schema has no manifest's numbers.
        let provider = Provider::of(self.provider).filter(|_| !self.describes_itself);
        let (id, version, header_pid) = (self.id, self.version, self.header_pid);
        let id = provider.map(|provider| EventId { provider, id, version, header_pid });
        let decode = |id| providers::decode_event(id, self.payload, self.pointer_size);
        (id, id.map_or(Interpreted::NotNeeded, decode))
    }
}

/// Takes the events of a session, on a thread of the system.
pub type Sink = Arc<dyn Fn(&RawEvent<'_>) + Send + Sync>;

/// Reads a session's events until the session ends.
pub trait Consumer {
    /// Whether all events have been delivered after the session was stopped, or reading has failed.
    fn is_done(&self) -> bool;

    /// Waits until reading ends.
    ///
    /// # Errors
    ///
    /// [`Refusal`]: what ended it, other than the end of the session.
    fn join(self: Box<Self>) -> Result<(), Refusal>;
}

/// A list of sockets that the system keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SocketList {
    /// TCP connections and listeners.
    Tcp(Family),
    /// TCP sockets that are bound, and neither listen nor connect.
    BoundTcp(Family),
    /// UDP sockets.
    Udp(Family),
}

/// A process that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningProcess {
    /// PID.
    pub pid: u32,
    /// PID of its parent.
    pub parent_pid: u32,
    /// When it was created, where the system tells.
    pub created: Option<FileTime>,
    /// Path of its image, or its name alone.
    pub image: String,
}

/// What a command left behind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CommandOutput {
    /// Standard output, in whatever encoding the command has.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
    /// Exit code; `None` where it was ended.
    pub code: Option<i32>,
}

/// How a program with this exit code ended.
pub fn ending(code: Option<i32>) -> String {
    code.map_or_else(|| "was ended".to_owned(), |code| format!("exit code {code}"))
}

/// What the system tells about the machine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MachineFacts {
    /// Build number of Windows.
    pub os_build: Option<u32>,
    /// Processors.
    pub processors: Option<u32>,
    /// When it was started.
    pub boot_time: Option<FileTime>,
}

/// The source of entries in the Application log.
pub const EVENT_SOURCE: &str = "outofports";

/// How bad it is what an entry of the Application log tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// To be known.
    Information,
    /// May become bad.
    Warning,
    /// Is bad.
    Error,
}

/// An entry of the Application log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplicationEntry {
    /// Event id, from 1 to 1000: of these a registered source has texts.
    pub id: u16,
    /// How bad it is.
    pub severity: Severity,
    /// What happened.
    pub text: String,
}

/// Handles to `\Device\Afd`: sockets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AfdHandles {
    /// PID and number.
    pub counts: Vec<(u32, u64)>,
    /// PIDs among them that could or should not be asked: the number is that of their files with the rights of a socket.
    pub estimated: Vec<u32>,
}

/// Why a source of facts cannot be had, for people.
pub type WhyMissing = String;

/// The operating system.
pub trait System: Send + Sync {
    /// Makes this process the only one that uses the session name, as long as it runs; `false` where another one does.
    fn claim(&self, name: &str) -> bool;

    /// What the session of that name counts; `None` where there is none.
    ///
    /// # Errors
    ///
    /// [`Refusal`]: the step, and what the system says.
    fn query(&self, name: &str) -> Result<Option<SessionCounts>, Refusal>;

    /// Ends the session of that name and gives its last counts; `None` where there is none.
    ///
    /// # Errors
    ///
    /// [`Refusal`]: the step, and what the system says.
    fn stop(&self, name: &str) -> Result<Option<SessionCounts>, Refusal>;

    /// Starts a session, and begins to read it. A session that was started may be left behind by an error.
    ///
    /// # Errors
    ///
    /// [`Refusal`]: the step, and what the system says.
    fn start(&self, setup: &SessionSetup, sink: Sink) -> Result<Box<dyn Consumer>, Refusal>;

    /// Asks a provider of the session to tell what there was before.
    ///
    /// # Errors
    ///
    /// [`Refusal`]: the step, and what the system says.
    fn ask_for_rundown(&self, name: &str, provider: &ProviderSetup) -> Result<(), Refusal>;

    /// Whether a provider is registered on this system.
    fn is_registered(&self, provider: Guid) -> bool;

    /// Whether this process has an administrator's rights.
    fn is_elevated(&self) -> bool;

    /// What the system tells about the machine.
    fn machine(&self) -> MachineFacts;

    /// The time of day.
    fn now(&self) -> FileTime;

    /// Time that has passed since some moment, never going back.
    fn uptime(&self) -> Duration;

    /// Waits.
    fn rest(&self, time: Duration);

    /// The sockets of a table.
    ///
    /// # Errors
    ///
    /// [`WhyMissing`], for people.
    fn sockets(&self, table: SocketList) -> Result<Vec<ListedSocket>, WhyMissing>;

    /// The processes that run.
    ///
    /// # Errors
    ///
    /// [`WhyMissing`], for people.
    fn processes(&self) -> Result<Vec<RunningProcess>, WhyMissing>;

    /// PID and handles of all kinds, for each process that lets itself be asked.
    ///
    /// # Errors
    ///
    /// [`WhyMissing`], for people.
    fn handle_counts(&self) -> Result<Vec<(u32, u64)>, WhyMissing>;

    /// Handles to `\Device\Afd`, of processes that have many: their sockets. May take seconds.
    ///
    /// # Errors
    ///
    /// [`WhyMissing`], for people.
    fn afd_handles(&self) -> Result<AfdHandles, WhyMissing>;

    /// PID and name of each service that runs.
    ///
    /// # Errors
    ///
    /// [`WhyMissing`], for people.
    fn services(&self) -> Result<Vec<(u32, String)>, WhyMissing>;

    /// The dynamic port ranges, as an interface of the system tells them.
    ///
    /// # Errors
    ///
    /// [`WhyMissing`], for people.
    fn dynamic_ports(&self) -> Result<Vec<DynamicPorts>, WhyMissing>;

    /// Runs a command, no longer than `limit`, and not beyond Ctrl-C.
    ///
    /// # Errors
    ///
    /// Why it could not be run.
    fn command(&self, program: &str, arguments: &[&str], limit: Duration) -> Result<CommandOutput, WhyMissing>;

    /// Writes an entry of [`EVENT_SOURCE`] to the Application log.
    ///
    /// # Errors
    ///
    /// What the system says.
    fn write_entry(&self, entry: &ApplicationEntry) -> Result<(), WhyMissing>;

    /// Registers [`EVENT_SOURCE`], so that its entries are shown without a remark that their description is missing.
    ///
    /// # Errors
    ///
    /// What the system says.
    fn register_event_source(&self) -> Result<(), WhyMissing>;

    /// Whether the system is about to end this process, since its window closes or the user logs off: nothing slow is to be
    /// begun.
    fn is_ending(&self) -> bool;

    /// Bytes free where a file is to be written; `None` where the system does not tell.
    fn free_bytes(&self, path: &Path) -> Option<u64>;
}
