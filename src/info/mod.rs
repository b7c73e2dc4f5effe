//! What a trace holds, and whether it can answer the question at all.

mod answers;
mod beside;
mod decoded;
mod described;
mod read;
mod redact;
mod text;
mod without_trace;

use serde::Serialize;

pub use self::beside::Beside;
pub use self::described::{Described, Documents, describe};
pub use self::read::read;
pub use self::text::write_text;
pub use self::without_trace::{WithoutTrace, write_text as write_text_without_trace};
use crate::case::{InputKind, SideInput};
use crate::time::FileTime;

/// What is in one trace.
#[derive(Debug, Clone, Serialize)]
pub struct Info {
    /// As the trace is named in reports.
    pub path: String,
    /// Size in bytes.
    pub bytes: u64,
    /// What the user named: the trace itself, or what holds it.
    pub kind: InputKind,
    /// The header record.
    pub header: Header,
    /// Buffers in numbers.
    pub buffers: Buffers,
    /// Records in numbers.
    pub records: Records,
    /// Events with a GUID in their header, by provider.
    pub providers: Vec<ProviderRow>,
    /// System, Compact and PerfInfo records, by hook id.
    pub kernel_groups: Vec<KernelRow>,
    /// What is missing.
    pub losses: Losses,
    /// Records that say how events are laid out.
    pub schemas: SchemaCounts,
    /// What became of the events when they were decoded.
    pub decoded: DecodedEvents,
    /// Whether the trace can tell.
    pub answers: Answers,
    /// Side files of the same case: in the same folder or archive, or named with it.
    pub side_inputs: Vec<SideInput>,
    /// Processes that the trace names, in the order in which they were first seen.
    pub processes: Vec<NamedProcess>,
    /// What could not be read, or not trusted.
    pub notes: Vec<String>,
}

/// The header record of a trace.
#[derive(Debug, Clone, Serialize)]
pub struct Header {
    /// Windows build number; `None` where the record is missing.
    pub os_build: Option<u32>,
    /// Processors; `None` where the record is missing.
    pub processors: Option<u32>,
    /// 4 or 8 bytes.
    pub pointer_size: usize,
    /// `qpc`, `system_time` or `cpu_cycles`; `None` for a number that no source names.
    pub clock: Option<&'static str>,
    /// Ticks of the performance counter for each second, as the record has it.
    pub perf_freq: i64,
    /// `LogFileMode`, flags.
    pub log_mode: u32,
    /// Name of the session.
    pub logger_name: String,
    /// When the machine was started, UTC; `None` where the record has 0, as in the next two.
    pub boot_time: Option<FileTime>,
    /// When the session began, UTC.
    pub started: Option<FileTime>,
    /// When it ended, UTC; `None` for a log that was not closed.
    pub ended: Option<FileTime>,
    /// Events lost, as the session admits.
    pub events_lost: u32,
    /// Buffers lost, as the session admits.
    pub buffers_lost: u32,
}

/// Buffers in numbers.
#[derive(Debug, Clone, Serialize)]
pub struct Buffers {
    /// All of them.
    pub total: u64,
    /// Those that are compressed.
    pub compressed: u64,
    /// Those of which something could not be read, and places where a buffer should be.
    pub damaged: u64,
    /// Of the compressed ones, those that do not expand to the length they announce.
    pub not_expanded: u64,
}

/// Records in numbers.
#[derive(Debug, Clone, Serialize)]
pub struct Records {
    /// All of them, the header record and message records included.
    pub total: u64,
    /// The same by kind.
    pub by_kind: ByKind,
    /// Records whose time stamp is before that of the record before them in their buffer.
    pub out_of_order: u64,
    /// Records of providers and ids that are not listed, because there are too many.
    pub not_listed: u64,
}

/// Records by the kind of their header. Source of the names: `FORMAT.md` of the parser.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct ByKind {
    /// Of the kernel logger, long form.
    pub system: u64,
    /// Of the kernel logger, without processor times.
    pub compact: u64,
    /// Of the kernel logger, without process and thread.
    pub perfinfo: u64,
    /// Classic (MOF) events.
    pub classic: u64,
    /// Classic events with instance ids.
    pub instance: u64,
    /// Manifest and TraceLogging events.
    pub event_header: u64,
    /// WPP messages.
    pub message: u64,
    /// Of a kind whose layout no source gives.
    pub other: u64,
}

/// Events of one provider.
#[derive(Debug, Clone, Serialize)]
pub struct ProviderRow {
    /// Its GUID, in lower case and without braces.
    pub guid: String,
    /// Its name, from the built-in list, its own traits or embedded metadata.
    pub name: Option<String>,
    /// Its records.
    pub records: u64,
    /// The earliest of them, UTC; `None` without time stamps.
    pub first: Option<FileTime>,
    /// The latest of them, UTC.
    pub last: Option<FileTime>,
    /// The same records by id and version, as far as they are listed.
    /// Events of its manifest.
    pub ids: Vec<IdRow>,
    /// Events that describe themselves (TraceLogging), whose ids mean nothing; not in `ids`.
    pub tracelogging: u64,
}

/// Events of one id and version.
#[derive(Debug, Clone, Serialize)]
pub struct IdRow {
    /// Event id; the opcode of classic events.
    pub id: u16,
    /// Version.
    pub version: u8,
    /// Records.
    pub records: u64,
}

/// Kernel records of one hook id.
#[derive(Debug, Clone, Serialize)]
pub struct KernelRow {
    /// Hook id, as `0x0303`: group and type.
    pub hook: String,
    /// Its name, where a source has one.
    pub name: Option<String>,
    /// Records.
    pub records: u64,
}

/// What is missing, told apart by who says so.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Losses {
    /// Events lost, as the header record says.
    pub header_events: u32,
    /// Buffers lost, as the header record says.
    pub header_buffers: u32,
    /// Buffers whose flags say that something was lost before them.
    pub flagged_buffers: u64,
    /// Numbers missing between the first and the last data buffer. Real traces that lost nothing have such gaps too.
    pub sequence_gaps: u64,
}

/// Records of the trace that say how events are laid out.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct SchemaCounts {
    /// Event metadata that a merge embedded.
    pub embedded_events: u64,
    /// Value maps that a merge embedded.
    pub embedded_maps: u64,
    /// Events that describe themselves (TraceLogging).
    pub tracelogging: u64,
    /// Parts of .NET event source manifests.
    pub manifest_chunks: u64,
    /// Of all these, those that are damaged.
    pub malformed: u64,
    /// Embedded events that differ from the built-in tables.
    pub differences: u64,
}

/// What became of the events when they were decoded. Messages, and records of kinds that no source describes, are none.
#[derive(Debug, Clone, Default, Serialize)]
pub struct DecodedEvents {
    /// Those that have a schema, by where that is from.
    pub by_source: Vec<SourceRow>,
    /// Those without one.
    pub without_schema: u64,
    /// Those whose own schema, or whose header, is damaged.
    pub unusable: u64,
    /// Bytes of payloads that no field took.
    pub leftover_bytes: u64,
}

/// Events with schemas from one source.
#[derive(Debug, Clone, Serialize)]
pub struct SourceRow {
    /// The source, as `events` calls it.
    pub source: &'static str,
    /// All of them.
    pub events: u64,
    /// Those in which every field was there, and every byte was taken.
    pub exact: u64,
    /// Those in which every field was there, and bytes were left.
    pub leftover: u64,
    /// Those in which a field is missing.
    pub short: u64,
}

/// Whether the trace can tell.
#[derive(Debug, Clone, Serialize)]
pub struct Answers {
    /// Whose binds failed because no local port was free.
    pub bind_failures: Answer,
    /// What the processes are called.
    pub process_names: Answer,
    /// Who holds the ports.
    pub holders: Answer,
}

/// Whether the trace can tell one thing.
#[derive(Debug, Clone, Serialize)]
pub struct Answer {
    /// `yes`, `partly` or `no`.
    pub answer: &'static str,
    /// Why, for people.
    pub reason: String,
    /// What to capture for a better answer; empty where there is none.
    pub capture: Vec<&'static str>,
}

/// A process that the trace names.
#[derive(Debug, Clone, Serialize)]
pub struct NamedProcess {
    /// Process id.
    pub pid: u32,
    /// Base name of its image.
    pub image: Option<String>,
    /// Who told the image: `kernel_process` or `mof_process`.
    pub image_source: Option<&'static str>,
    /// When it was created, UTC; `None` where not told.
    pub started: Option<FileTime>,
    /// When it ended, UTC; `None` where not seen.
    pub ended: Option<FileTime>,
}
