#![doc = include_str!("SCHEMA.md")]

pub mod csv;
pub mod explain;
mod first_screen;
#[cfg(test)]
mod first_screen_tests;
pub mod html;
pub mod json;
pub mod markdown;
mod redact;
mod rows;
pub mod schema;
pub mod summary;
pub mod text;
pub(crate) mod wording;

use std::io;

use serde::Serialize;

pub use crate::case::facts::TraceSummary;
pub use crate::diagnosis::over_time::{HolderOverTimeRow, PoolOverTimeRow, VictimOverTimeRow};
pub use crate::diagnosis::{
    AddressUse, Assurance, CaseDestination, Destination, Failures, ProcedureRow, ProcessRow, StatusRow, SystemEventRow,
    UnexplainedRow,
};

use crate::case::SideInput;
use crate::diagnosis::advice::Recommendation;
use crate::diagnosis::alternatives::Alternative;
use crate::diagnosis::forecast::Forecast;
use crate::diagnosis::holders::{HolderEvidence, Pattern};
use crate::diagnosis::known::Known;
use crate::diagnosis::outcome::Look;
use crate::diagnosis::pools::pool_name;
use crate::diagnosis::state::{Confidence, State};
use crate::diagnosis::suspect::{SocketsOnly, Suspect, Waiting};
use crate::diagnosis::verdict::Reason;
use crate::machine::pool_key::{PRIMARY, PoolKey};
use crate::machine::ranges::{PoolRange, RangeSource};
use crate::net::{Family, Protocol};
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
    /// What speaks for the verdict beside the reasons.
    #[serde(skip)]
    pub assurances: Vec<Assurance>,
}

/// A suspect, in the form of the document.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct SuspectRow {
    kind: &'static str,
    holder: Option<usize>,
    image: Option<usize>,
    time_wait: Option<Waiting>,
    sockets: Option<SocketsOnly>,
}

fn suspect_row<S: serde::Serializer>(suspect: &Suspect, serializer: S) -> Result<S::Ok, S::Error> {
    let none = SuspectRow { kind: suspect.kind(), holder: None, image: None, time_wait: None, sockets: None };
    let row = match *suspect {
        Suspect::Process(holder) | Suspect::Kernel(holder) => SuspectRow { holder: Some(holder), ..none },
        Suspect::Image(image) => SuspectRow { image: Some(image), ..none },
        Suspect::TimeWait(waiting) => SuspectRow { time_wait: Some(waiting), ..none },
        Suspect::Sockets(sockets) => SuspectRow { sockets: Some(sockets), ..none },
        Suspect::NotShown | Suspect::Nobody => none,
    };
    row.serialize(serializer)
}

/// What happened at one local address.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct AddressRow {
    /// Family, where known.
    pub family: Option<Family>,
    /// The address, where known.
    pub local_address: Option<String>,
    /// Protocol, where known.
    pub protocol: Option<Protocol>,
    /// Bind completions with 0xC0000209.
    pub bind_failures: u64,
    /// Sockets that hold a port of their own at the end.
    pub ports_held: u64,
}

/// One pool. All counts of ports are of distinct ports.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PoolRow {
    /// Protocol; `None` where the create event of a socket was not seen.
    pub protocol: Option<Protocol>,
    /// Family, likewise.
    pub family: Option<Family>,
    /// TCP/IP's number of its network compartment; `None` where no event names any.
    pub compartment: Option<u32>,
    /// The local address whose binds alone failed; `None` for all.
    pub local_address: Option<String>,
    /// First port.
    pub start: u16,
    /// Ports, 65,536 at most.
    pub count: u32,
    /// Who told the range.
    pub source: RangeSource,
    /// The range that was told, where known ports refute it.
    pub refuted: Option<RangeRow>,
    /// Ports held at most.
    pub held_peak: u32,
    /// Ports held at the end; at most the peak.
    pub held_end: u32,
    /// Ports in TIME_WAIT at `moment` with the shorter length, by estimate: an upper bound.
    pub time_wait_estimate: u32,
    /// The same with the longer length; not less.
    pub time_wait_estimate_long: u32,
    /// The shorter and the longer length, in seconds.
    pub time_wait_seconds: (i64, i64),
    /// Ports excluded or reserved; at most `count`.
    pub set_aside: u32,
    /// Most ports in use at one moment: held and in TIME_WAIT with the longer length, or listed.
    pub occupied_peak: u32,
    /// Ports that are seen to be used at `moment`; at most `count`.
    pub explained: u32,
    /// Bind completions with 0xC0000209.
    pub bind_failures: u64,
    /// Connect completions with 0xC0000209.
    pub connect_failures: u64,
    /// Requests that TCP/IP itself says it refused.
    pub tcpip_refusals: u64,
    /// Smallest and largest port given to a bind that asked for any.
    pub given: Option<(u16, u16)>,
    /// State, for this pool alone.
    pub state: State,
    /// When holders were counted, UTC: the failure with most ports held, or the peak.
    pub moment: Option<FileTime>,
    /// Ports left at the end of the traces, or by the listings alone, by what is known to be in use then; 0 where it was out of
    /// ports to the end. `None` where much of it is not visible, or events were lost.
    pub left_at_end: Option<u32>,
    /// When it will be full; `None` where it does not fill, or nothing tells well enough.
    pub forecast: Option<Forecast>,
    /// `given`, where it shows that the pool is larger than `start` and `count` say.
    #[serde(skip)]
    pub wider: Option<(u16, u16)>,
    /// Whether its holders are of interest in this case.
    #[serde(skip)]
    pub is_of_interest: bool,
    /// Whether somebody made it smaller than the default.
    #[serde(skip)]
    pub is_narrowed: bool,
    /// How it is known that its largest holder holds ports; `None` without one.
    #[serde(skip)]
    pub known_by: Option<HolderEvidence>,
}

impl PoolRow {
    /// `TCP over IPv4`, and the local address where it is that alone.
    pub fn name(&self) -> String {
        let key = PoolKey { protocol: self.protocol, family: self.family, ..PoolKey::default() };
        let name = pool_name(key, self.compartment);
        match &self.local_address {
            Some(address) => format!("{name} at {address}"),
            None => name,
        }
    }

    /// Whether it is of another network compartment than the machine's own.
    pub fn is_of_container(&self) -> bool {
        self.compartment.is_some_and(|number| number != PRIMARY)
    }

    /// Last port.
    pub fn end(&self) -> u16 {
        PoolRange { start: self.start, count: self.count, source: self.source }.end()
    }
}

/// A range of ports, and who tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RangeRow {
    /// First port.
    pub start: u16,
    /// Ports.
    pub count: u32,
    /// Who told it.
    pub source: RangeSource,
}

/// A process that holds ports of a pool.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct HolderRow {
    /// Index into `processes`.
    pub process: usize,
    /// Distinct ports, those in TIME_WAIT and reserved ones counted; not 0.
    pub ports: u32,
    /// The same as a part of the pool, from 0 to 1.
    pub share_of_pool: f64,
    /// Index into `pools`.
    pub pool: usize,
    /// How it is known.
    pub evidence: HolderEvidence,
    /// How far to trust it.
    pub confidence: Confidence,
    /// What its use of ports looks like; `None` where it is not told, or of no interest.
    pub pattern: Option<Pattern>,
    /// Of `ports`, those in TIME_WAIT.
    pub time_wait: u32,
    /// Ports of all pools that it had obtained until then.
    pub obtained: u64,
    /// Of these, those that it had given back.
    pub released: u64,
    /// Ports held for each minute since its first, with one decimal.
    pub growth_per_minute: Option<f64>,
    /// It ended before the trace did.
    pub ended: bool,
    /// Of `ports`, those of connections in CLOSE_WAIT, as TCP/IP or a listing shows: closed there, and not here.
    pub close_wait: u32,
    /// Who else used sockets that it created, most first.
    pub used_by: Vec<UserRow>,
    /// What its use of ports looks like in more detail.
    #[serde(skip)]
    pub look: Look,
}

/// A process that used sockets which another one created: a broker's client, or one that inherited or was given a handle.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct UserRow {
    /// Index into `processes`.
    pub process: usize,
    /// Binds and connects; not 0.
    pub operations: u64,
}

/// Processes of one image that hold ports of a pool together; of svchost.exe those with the same services.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ImageRow {
    /// Base name of the image.
    pub image: String,
    /// Services; of svchost.exe alone.
    pub services: Vec<String>,
    /// Processes that hold some, two at least; they may have ended.
    pub processes: u64,
    /// Ports, those in TIME_WAIT and reserved ones counted; not 0.
    pub ports: u32,
    /// The same as a part of the pool, from 0 to 1.
    pub share_of_pool: f64,
    /// Index into `pools`.
    pub pool: usize,
    /// Bind completions with 0xC0000209 of all processes of this image.
    pub bind_failures: u64,
    /// What their use of ports looks like together; `None` where it is not told, or of no interest.
    pub pattern: Option<Pattern>,
    /// Of `ports`, those in TIME_WAIT.
    pub time_wait: u32,
    /// Indexes into `holders`, most ports first.
    #[serde(skip)]
    pub holders: Vec<usize>,
}

/// One step of the timeline.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TimelineStep {
    /// Its start, UTC.
    pub start: FileTime,
    /// Its length in whole seconds, the same for all.
    pub seconds: i64,
    /// Binds that succeeded.
    pub binds_ok: u64,
    /// Binds that failed with 0xC0000209.
    pub bind_failures: u64,
    /// Connects that failed with 0xC0000209.
    pub connect_failures: u64,
    /// Ports that came back.
    pub closes: u64,
    /// Distinct ports held at its end, over all pools.
    pub ports_held: u64,
    /// Ports that the pool that speaks for the case had given out at its end; without one, the pool that was fullest.
    pub occupied: Option<u32>,
    /// Ports of that pool that sockets of the five largest holders held at its end, most first.
    pub by_holder: Vec<StepHolderRow>,
}

/// Ports that a process held at the end of a step.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StepHolderRow {
    /// Index into `processes`.
    pub process: usize,
    /// Ports; not 0.
    pub ports: u32,
}

impl TimelineStep {
    /// Binds and connects that failed.
    pub fn failures(&self) -> u64 {
        self.bind_failures + self.connect_failures
    }
}

/// A span of time in which a pool was out of ports: failures no more than a minute apart, or without a port given out in
/// between.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct OutageRow {
    /// Index into `pools`.
    pub pool: usize,
    /// Its first failure, UTC.
    pub first: FileTime,
    /// Its last failure, UTC.
    pub last: FileTime,
    /// Its failures, bind and connect; not 0.
    pub failures: u64,
    /// It goes on when the trace ends.
    pub lasts: bool,
    /// Who held ports then, most first, five at most.
    pub holders: Vec<OutageHolderRow>,
}

/// Who held ports of a pool in an outage.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct OutageHolderRow {
    /// Index into `processes`.
    pub process: usize,
    /// Ports, those in TIME_WAIT counted; not 0.
    pub ports: u32,
    /// The same as a part of the pool, from 0 to 1.
    pub share_of_pool: f64,
}

/// How the sockets of one process in one state changed over the listings of a file.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TrendRow {
    /// Index into `side_inputs`.
    pub source: usize,
    /// Process id; 0 for TIME_WAIT, `None` where the listing does not tell.
    pub pid: Option<u32>,
    /// Index into `processes`, where it has a row there.
    pub process: Option<usize>,
    /// Protocol.
    pub protocol: Protocol,
    /// State, such as `CLOSE_WAIT`; `None` for UDP.
    pub state: Option<String>,
    /// Listings, two at least.
    pub samples: usize,
    /// Sockets in the first listing.
    pub first: u32,
    /// Sockets in the last.
    pub last: u32,
    /// Sockets in the listing with most.
    pub peak: u32,
    /// Change for each minute from the first to the last, with one decimal, where their times are known.
    pub per_minute: Option<f64>,
}

/// A dynamic port range as a listing tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DynamicRow {
    /// Protocol.
    pub protocol: Protocol,
    /// Family; `None` where the listing does not tell.
    pub family: Option<Family>,
    /// First port.
    pub start: u16,
    /// Ports.
    pub count: u32,
}

/// A port range that is excluded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ExcludedRow {
    /// Protocol.
    pub protocol: Protocol,
    /// Family; `None` where the listing does not tell.
    pub family: Option<Family>,
    /// First port.
    pub start: u16,
    /// Last port.
    pub end: u16,
    /// An administrator excluded it: it is marked by a star in the listing.
    pub administered: bool,
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
