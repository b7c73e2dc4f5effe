//! What a trace holds, and whether it can answer the question at all.

mod answers;
mod decoded;
mod read;
mod text;

use serde::Serialize;

pub use self::read::read;
pub use self::text::write_text;
use crate::case::InputKind;
use crate::time::FileTime;

/// What is in one trace.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs)]
pub struct Info {
    pub path: String,
    pub bytes: u64,
    pub kind: InputKind,
    pub header: Header,
    pub buffers: Buffers,
    pub records: Records,
    pub providers: Vec<ProviderRow>,
    pub kernel_groups: Vec<KernelRow>,
    pub losses: Losses,
    pub schemas: SchemaCounts,
    pub decoded: DecodedEvents,
    pub answers: Answers,
    /// Processes that the trace names.
    pub processes: Vec<ProcessRow>,
    /// What could not be read, or not trusted.
    pub notes: Vec<String>,
}

#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs)]
pub struct Header {
    pub os_build: Option<u32>,
    pub processors: Option<u32>,
    pub pointer_size: usize,
    pub clock: Option<&'static str>,
    pub perf_freq: i64,
    pub log_mode: u32,
    pub logger_name: String,
    pub boot_time: Option<FileTime>,
    pub started: Option<FileTime>,
    pub ended: Option<FileTime>,
    pub events_lost: u32,
    pub buffers_lost: u32,
}

#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs)]
pub struct Buffers {
    pub total: u64,
    pub compressed: u64,
    pub damaged: u64,
    /// Of the compressed ones, those that do not expand to the length they announce.
    pub not_expanded: u64,
}

#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs)]
pub struct Records {
    pub total: u64,
    pub by_kind: ByKind,
    /// Records whose time stamp is before that of the record before them in their buffer.
    pub out_of_order: u64,
    /// Records of providers and ids that are not listed, because there are too many.
    pub not_listed: u64,
}

/// Records by the kind of their header.
#[derive(Debug, Clone, Copy, Default, Serialize)]
#[allow(missing_docs)]
pub struct ByKind {
    pub system: u64,
    pub compact: u64,
    pub perfinfo: u64,
    pub classic: u64,
    pub instance: u64,
    pub event_header: u64,
    pub message: u64,
    pub other: u64,
}

#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs)]
pub struct ProviderRow {
    pub guid: String,
    pub name: Option<String>,
    pub records: u64,
    pub first: Option<FileTime>,
    pub last: Option<FileTime>,
    pub ids: Vec<IdRow>,
}

#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs)]
pub struct IdRow {
    pub id: u16,
    pub version: u8,
    pub records: u64,
}

#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs)]
pub struct KernelRow {
    pub hook: String,
    pub name: Option<String>,
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
#[allow(missing_docs)]
pub struct Answers {
    pub bind_failures: Answer,
    pub process_names: Answer,
    pub holders: Answer,
}

/// `yes`, `partly` or `no`, and why.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs)]
pub struct Answer {
    pub answer: &'static str,
    pub reason: String,
    /// What to capture for a better answer; empty where there is none.
    pub capture: Vec<&'static str>,
}

/// A process that the trace names.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs)]
pub struct ProcessRow {
    pub pid: u32,
    pub image: Option<String>,
    pub image_source: Option<&'static str>,
    pub started: Option<FileTime>,
    pub ended: Option<FileTime>,
}
