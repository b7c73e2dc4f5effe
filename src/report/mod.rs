#![doc = include_str!("SCHEMA.md")]

pub mod csv;
pub mod explain;
mod first_screen;
#[cfg(test)]
mod first_screen_tests;
pub mod html;
pub mod json;
pub mod markdown;
mod pool_rows;
mod redact;
mod rows;
pub mod schema;
pub mod summary;
pub mod text;
mod time_rows;
pub(crate) mod wording;

use std::io;

use serde::Serialize;

pub use self::pool_rows::{AddressRow, DynamicRow, ExcludedRow, HolderRow, ImageRow, PoolRow, RangeRow, UserRow};
pub use self::time_rows::{OutageHolderRow, OutageRow, StepHolderRow, TimelineStep, TrendRow};
pub use crate::case::facts::TraceSummary;
pub use crate::diagnosis::listed_over_time::ListedOverTimeRow;
pub use crate::diagnosis::over_time::{HolderOverTimeRow, OverTime, PoolOverTimeRow, VictimOverTimeRow};
pub use crate::diagnosis::{
    AddressUse, Assurance, CaseDestination, Destination, Failures, ProcedureRow, ProcessRow, StatusRow, SystemEventRow,
    UnexplainedRow,
};

use crate::case::SideInput;
use crate::diagnosis::advice::Recommendation;
use crate::diagnosis::afterwards::{ClosesOlder, FillingAgain, RoomMade};
use crate::diagnosis::alternatives::Alternative;
use crate::diagnosis::known::Known;
use crate::diagnosis::state::{Confidence, State};
use crate::diagnosis::suspect::{SocketsOnly, Suspect, Waiting};
use crate::diagnosis::verdict::Reason;
use crate::time::{FileTime, Zone};

/// Version of the JSON document. It grows when a field changes its meaning, not when one is added.
pub const SCHEMA_VERSION: u32 = 1;

/// A triage report: plain data, owned and sorted; the only thing that writers look at. What JSON leaves out is there for the
/// faces that are sentences, and follows from the rest.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Report {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The program.
    pub tool: Tool,
    /// The verdict.
    pub verdict: Verdict,
    /// What was counted, where that is not everything; state was followed from the beginning.
    pub counted: Option<CountedSpan>,
    /// Traces read, in the order of the inputs.
    pub traces: Vec<TraceSummary>,
    /// Port pools that something is known of.
    pub pools: Vec<PoolRow>,
    /// Failures in numbers.
    pub failures: Failures,
    /// Processes with sockets, by bind failures, then ports held at the end (both descending), then PID.
    pub processes: Vec<ProcessRow>,
    /// Indexes into `processes` of those with bind failures, most first.
    pub victims: Vec<usize>,
    /// Indexes into `processes` of those with bind or connect failures, most first.
    #[serde(skip)]
    pub sufferers: Vec<usize>,
    /// Whether any process has a name.
    #[serde(skip)]
    pub has_names: bool,
    /// Who holds the ports, most first.
    pub holders: Vec<HolderRow>,
    /// Processes of one image that hold ports together, most ports first.
    pub images: Vec<ImageRow>,
    /// Ports of full pools that nothing explains; `None` where no pool was full.
    pub unexplained: Option<Vec<UnexplainedRow>>,
    /// Failures and ports over time, 60 even steps at most.
    pub timeline: Vec<TimelineStep>,
    /// The pools that matter over time, the one that speaks for the case first; six at most.
    pub pools_over_time: Vec<PoolOverTimeRow>,
    /// Failures over time of the processes with most, 20 at most.
    pub failures_over_time: Vec<VictimOverTimeRow>,
    /// The same in finer steps, 600 at most, for pictures: the same pools, holders and processes in the same order.
    #[serde(skip)]
    pub finely: OverTime,
    /// Pools over the listings of files that hold several with their times, the pool that speaks for the case first; six at most.
    pub listings_over_time: Vec<ListedOverTimeRow>,
    /// Spans of time in which a pool was out of ports, by time.
    pub outages: Vec<OutageRow>,
    /// By local address.
    pub addresses: Vec<AddressRow>,
    /// Change over the listings of loop files, most first.
    pub trends: Vec<TrendRow>,
    /// What the procedure by hand looks at, for each process: socket states and handles.
    pub procedure: Vec<ProcedureRow>,
    /// Where sockets are connected to, most sockets and connects first.
    pub destinations: Vec<CaseDestination>,
    /// Dynamic ports in use at local addresses, as scripts count them.
    pub address_use: Vec<AddressUse>,
    /// Entries of event logs, by time.
    pub system_events: Vec<SystemEventRow>,
    /// Side files.
    pub side_inputs: Vec<SideInput>,
    /// Dynamic port ranges that listings tell.
    pub dynamic_ports: Vec<DynamicRow>,
    /// Port ranges that listings say are excluded.
    pub excluded_ports: Vec<ExcludedRow>,
    /// What else it could be, and whether it is.
    pub ruled_out: Vec<Alternative>,
    /// What to do next, least invasive first.
    pub recommendations: Vec<Recommendation>,
    /// Known causes that fit: hints, each with its source.
    pub known: Vec<Known>,
    /// Where the first failure stands; `None` without failures of sockets.
    pub evidence: Option<FirstFailure>,
    /// What was read and what was not.
    pub coverage: CoverageSummary,
    /// Nothing in the traces says that ports ran out, but an event log does.
    #[serde(skip)]
    pub is_said_by_log_alone: bool,
    /// Outages of all pools, those at the same time counted once.
    #[serde(skip)]
    pub outages_apart: usize,
    /// Index into `procedure` of who has most handles of sockets, if that is as many as ports may run out by.
    #[serde(skip)]
    pub most_handles: Option<usize>,
    /// Ports in use outside of the dynamic range.
    #[serde(skip)]
    pub outside: Vec<crate::diagnosis::outside::Outside>,
    /// Dynamic ranges of which most is excluded.
    #[serde(skip)]
    pub mostly_excluded: Vec<crate::diagnosis::excluded::MostlyExcluded>,
    /// The zone in which sentences and tables for people show times; JSON and CSV are UTC.
    #[serde(skip)]
    pub zone: Zone,
}

/// The program.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Tool {
    /// Name.
    pub name: &'static str,
    /// Version, as `1.2.3`.
    pub version: &'static str,
}

/// The span of time in which failures, binds, closes and peaks were counted; both ends are in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CountedSpan {
    /// From when on, UTC; `None`: from the beginning.
    pub since: Option<FileTime>,
    /// Until when, UTC, which is the end for what is held at the end; `None`: to the end.
    pub until: Option<FileTime>,
}

/// The verdict.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Verdict {
    /// State.
    pub state: State,
    /// Confidence; `None` with `cannot_tell`.
    pub confidence: Option<Confidence>,
    /// Index of the pool that speaks for the case; `None` where no pool was full or nearly full.
    pub pool: Option<usize>,
    /// Reasons, most important first.
    pub reasons: Vec<Reason>,
    /// Time of the first failure, bind or connect, UTC; without any, of TCP/IP's first refusal.
    pub first_failure: Option<FileTime>,
    /// Time of the last one.
    pub last_failure: Option<FileTime>,
    /// Who is named for the pool that speaks.
    #[serde(serialize_with = "suspect_row")]
    #[cfg_attr(test, schemars(with = "SuspectRow"))]
    pub suspect: Suspect,
    /// Other pools that were full, or nearly full beside a full one of another protocol.
    pub other_pools: Vec<OtherPool>,
    /// Who closed many sockets older than the trace when the failures of that pool ended.
    pub room_made: Option<RoomMade>,
    /// Who closed many sockets older than the trace, where nothing shows who has most of that pool.
    #[serde(skip)]
    pub closes_older: Option<ClosesOlder>,
    /// Who takes more and more ports of it since its failures ended.
    pub filling_again: Option<FillingAgain>,
    /// What speaks for the verdict beside the reasons.
    #[serde(skip)]
    pub assurances: Vec<Assurance>,
}

/// A pool beside the one that speaks, and who is named for it.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct OtherPool {
    /// Index into `pools`.
    pub pool: usize,
    /// Who is named for it.
    #[serde(serialize_with = "suspect_row")]
    #[cfg_attr(test, schemars(with = "SuspectRow"))]
    pub suspect: Suspect,
}

/// A suspect, in the form of the document.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct SuspectRow {
    kind: &'static str,
    holder: Option<usize>,
    holders: Option<Vec<usize>>,
    image: Option<usize>,
    images: Option<Vec<usize>>,
    time_wait: Option<Waiting>,
    sockets: Option<SocketsOnly>,
}

fn suspect_row<S: serde::Serializer>(suspect: &Suspect, serializer: S) -> Result<S::Ok, S::Error> {
    let none = SuspectRow {
        kind: suspect.kind(),
        holder: None,
        holders: None,
        image: None,
        images: None,
        time_wait: None,
        sockets: None,
    };
    let row = match *suspect {
        Suspect::Process(holder) | Suspect::Kernel(holder) => SuspectRow { holder: Some(holder), ..none },
        Suspect::Processes(ref holders) => SuspectRow { holders: Some(holders.clone()), ..none },
        Suspect::Image(image) => SuspectRow { image: Some(image), ..none },
        Suspect::Images(ref images) => SuspectRow { images: Some(images.clone()), ..none },
        Suspect::TimeWait(waiting) => SuspectRow { time_wait: Some(waiting), ..none },
        Suspect::Sockets(sockets) => SuspectRow { sockets: Some(sockets), ..none },
        Suspect::NotShown | Suspect::Nobody => none,
    };
    row.serialize(serializer)
}

/// Where the first failure stands in its trace, to be found again by hand.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FirstFailure {
    /// Index into `traces`; `None` for an entry of an event log.
    pub trace: Option<usize>,
    /// Index into `side_inputs` of the event log that it is an entry of; `None` for a record of a trace.
    pub log: Option<usize>,
    /// Number of the entry in that log (`EventRecordID`).
    pub log_record: Option<u64>,
    /// Number of the buffer in the file, from 0; `None` for a live session.
    pub buffer: Option<u32>,
    /// Offset of the record in the file, in bytes; in a compressed buffer that of the buffer.
    pub offset: Option<u64>,
    /// Offset of the record in the decompressed buffer, in bytes.
    pub position_in_buffer: Option<u32>,
    /// Processor that logged it; `None` for an entry of an event log.
    pub cpu: Option<u16>,
    /// Event id.
    pub event_id: u16,
    /// Name of the event.
    pub event_name: Option<&'static str>,
    /// `bind` or `connect`.
    pub operation: &'static str,
    /// Address of the AFD endpoint, as `0xFFFF...`.
    pub endpoint: String,
    /// When, UTC.
    pub time: FileTime,
}

/// What was read and what was not, over all traces.
#[derive(Debug, Clone, Default, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CoverageSummary {
    /// Records that became events.
    pub records_decoded: u64,
    /// Records of other providers, or of no use here.
    pub records_skipped: u64,
    /// Records of a kind, or events of a known provider, that no source describes.
    pub records_unknown: u64,
    /// Records shorter than their layout.
    pub records_malformed: u64,
    /// Bytes that could not be read as records; in compressed buffers decompressed ones.
    pub bytes_skipped: u64,
    /// Of the unknown records, events in versions that neither a table of the program nor their trace describes.
    pub unknown_versions: Vec<UnknownVersionRow>,
    /// Sentences about damage, losses and doubts.
    pub notes: Vec<String>,
    /// Buffers read.
    #[serde(skip)]
    pub buffers: u64,
    /// Buffers of which something could not be read, and places where a buffer should be.
    #[serde(skip)]
    pub buffers_damaged: u64,
    /// All records; the sum of decoded, skipped, unknown and malformed ones.
    #[serde(skip)]
    pub records: u64,
}

/// Events that the analysis uses, in a version that nothing describes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct UnknownVersionRow {
    /// Provider: its name, or its GUID where that is not known.
    pub provider: String,
    /// Event id.
    pub id: u16,
    /// Version.
    pub version: u8,
    /// Records; not 0.
    pub records: u64,
}

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// For people.
    Text,
    /// For tickets.
    Markdown,
    /// For readers with a browser: one file.
    Html,
    /// One document.
    Json,
    /// The same in one line.
    JsonLine,
    /// One row for each process.
    Csv,
    /// The rows of a table.
    CsvTable(csv::Table),
}

impl Report {
    /// Writes the report; text as wide as for a file.
    ///
    /// # Errors
    ///
    /// What writing says.
    pub fn write(&self, format: Format, out: &mut dyn io::Write) -> io::Result<()> {
        self.write_with(format, text::Layout::default(), out)
    }

    /// As [`Report::write`]; `layout` is that of text.
    ///
    /// # Errors
    ///
    /// What writing says.
    pub fn write_with(&self, format: Format, layout: text::Layout, out: &mut dyn io::Write) -> io::Result<()> {
        match format {
            Format::Text => text::write(self, layout, out),
            Format::Markdown => {
                let extent = markdown::Extent { top: layout.top, ..markdown::Extent::default() };
                markdown::write(self, extent, out)
            }
            Format::Html => html::write(self, out),
            Format::Json => json::write(self, out),
            Format::JsonLine => json::write_line(self, out),
            Format::Csv => csv::write(self, csv::Table::Processes, out),
            Format::CsvTable(table) => csv::write(self, table, out),
        }
    }
}
