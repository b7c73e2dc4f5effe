#![doc = include_str!("SCHEMA.md")]

mod build;
pub mod csv;
pub mod json;
pub mod text;

pub use crate::case::facts::{TraceFacts, TraceSummary};
pub use crate::diagnosis::glue::{SystemEventRow, UnexplainedRow};
pub use crate::diagnosis::naming::{Destination, ProcessRow};
pub use crate::diagnosis::procedure::ProcedureRow;
pub use build::Facts;

use std::io;

use serde::Serialize;

use crate::case::SideInput;
pub use crate::diagnosis::advice::CAPTURE_COMMANDS;
use crate::diagnosis::advice::Recommendation;
use crate::diagnosis::alternatives::Alternative;
use crate::diagnosis::holders::{Evidence as HolderEvidence, Pattern};
use crate::diagnosis::verdict::{Confidence, Reason, State};
use crate::machine::pools::RangeSource;
use crate::net::{Family, Protocol};
use crate::status::NtStatus;
use crate::time::FileTime;

/// Version of the JSON document. It grows when a field changes its meaning, not when one is added.
pub const SCHEMA_VERSION: u32 = 1;

/// A triage report: plain data, owned and sorted; the only thing that writers look at.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// See the module's documentation, as for all fields.
    pub schema_version: u32,
    /// The program.
    pub tool: Tool,
    /// The verdict.
    pub verdict: Verdict,
    /// Traces read.
    pub traces: Vec<TraceSummary>,
    /// Port pools that something is known of.
    pub pools: Vec<PoolRow>,
    /// Failures in numbers.
    pub failures: Failures,
    /// Processes with sockets.
    pub processes: Vec<ProcessRow>,
    /// Indexes into `processes`.
    pub victims: Vec<usize>,
    /// Who holds the ports, most first.
    pub holders: Vec<HolderRow>,
    /// Ports of full pools that nothing explains; `None` where no pool was full.
    pub unexplained: Option<Vec<UnexplainedRow>>,
    /// Failures and ports over time.
    pub timeline: Vec<TimelineStep>,
    /// Spans of time in which binds or connects failed.
    pub outages: Vec<OutageRow>,
    /// By local address.
    pub addresses: Vec<AddressRow>,
    /// Change over the listings of loop files.
    pub trends: Vec<TrendRow>,
    /// What the procedure by hand looks at, for each process: socket states and handles.
    pub procedure: Vec<ProcedureRow>,
    /// Entries of event logs.
    pub system_events: Vec<SystemEventRow>,
    /// Side files.
    pub side_inputs: Vec<SideInput>,
    /// Dynamic port ranges that listings tell.
    pub dynamic_ports: Vec<DynamicRow>,
    /// Port ranges that listings say are excluded.
    pub excluded_ports: Vec<ExcludedRow>,
    /// What else it could be, and whether it is.
    pub ruled_out: Vec<Alternative>,
    /// What to do next.
    pub recommendations: Vec<Recommendation>,
    /// Where the first failure stands.
    pub evidence: Option<Evidence>,
    /// What was read and what was not.
    pub coverage: CoverageSummary,
}

/// The program.
#[derive(Debug, Clone, Serialize)]
pub struct Tool {
    /// Name.
    pub name: &'static str,
    /// Version.
    pub version: &'static str,
}

/// The verdict.
#[derive(Debug, Clone, Serialize)]
pub struct Verdict {
    /// State.
    pub state: State,
    /// Confidence.
    pub confidence: Option<Confidence>,
    /// Index of the pool that speaks for the case; `None` where no pool was full or nearly full.
    pub pool: Option<usize>,
    /// Reasons, most important first.
    pub reasons: Vec<Reason>,
    /// Time of the first failure, bind or connect.
    pub first_failure: Option<FileTime>,
    /// Time of the last one.
    pub last_failure: Option<FileTime>,
}

/// Failures in numbers.
#[derive(Debug, Clone, Default, Serialize)]
#[allow(missing_docs)]
pub struct Failures {
    pub binds: u64,
    pub connects: u64,
    pub other_low_word: u64,
    pub endpoints: u64,
    pub tcpip_refusals: u64,
    pub weak_references: u64,
    pub by_status: Vec<StatusRow>,
}

/// One status that operations failed with.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs)]
pub struct StatusRow {
    pub status: NtStatus,
    pub name: Option<&'static str>,
    pub operation: &'static str,
    pub count: u64,
}

/// One local address.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs)]
pub struct AddressRow {
    pub family: Option<Family>,
    pub local_address: Option<String>,
    pub protocol: Option<Protocol>,
    pub bind_failures: u64,
    pub ports_held: u64,
}

/// One pool.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs)]
pub struct PoolRow {
    pub protocol: Option<Protocol>,
    pub family: Option<Family>,
    pub local_address: Option<String>,
    pub start: u16,
    pub count: u32,
    pub source: RangeSource,
    pub held_peak: u32,
    pub held_end: u32,
    pub time_wait_estimate: u32,
    pub time_wait_estimate_long: u32,
    pub time_wait_seconds: (i64, i64),
    pub set_aside: u32,
    pub occupied_peak: u32,
    pub explained: u32,
    pub bind_failures: u64,
    pub connect_failures: u64,
    pub tcpip_refusals: u64,
    pub given: Option<(u16, u16)>,
    pub state: State,
    pub moment: Option<FileTime>,
}

impl PoolRow {
    /// `TCP over IPv4`, and the local address where it is that alone.
    pub fn name(&self) -> String {
        let key = crate::machine::pools::PoolKey { protocol: self.protocol, family: self.family };
        match &self.local_address {
            Some(address) => format!("{} at {address}", key.name()),
            None => key.name(),
        }
    }

    /// Last port.
    pub fn end(&self) -> u16 {
        crate::machine::pools::PoolRange { start: self.start, count: self.count, source: self.source }.end()
    }
}

/// A process that holds ports of a pool.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs)]
pub struct HolderRow {
    pub process: usize,
    pub ports: u32,
    pub share_of_pool: f64,
    pub pool: usize,
    pub evidence: HolderEvidence,
    pub confidence: Confidence,
    pub pattern: Option<Pattern>,
    pub time_wait: u32,
    pub obtained: u64,
    pub released: u64,
    pub growth_per_minute: Option<f64>,
}

/// One step of the timeline.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs)]
pub struct TimelineStep {
    pub start: FileTime,
    pub seconds: i64,
    pub binds_ok: u64,
    pub bind_failures: u64,
    pub connect_failures: u64,
    pub closes: u64,
    pub ports_held: u64,
}

/// A span of time in which binds or connects failed.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs)]
pub struct OutageRow {
    pub first: FileTime,
    pub last: FileTime,
    pub failures: u64,
}

/// How the sockets of one process in one state changed over the listings of a file.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs)]
pub struct TrendRow {
    pub source: usize,
    pub pid: Option<u32>,
    pub process: Option<usize>,
    pub protocol: Protocol,
    pub state: Option<String>,
    pub samples: usize,
    pub first: u32,
    pub last: u32,
    pub peak: u32,
    pub per_minute: Option<f64>,
}

/// A dynamic port range as a listing tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct DynamicRow {
    pub protocol: Protocol,
    pub family: Option<Family>,
    pub start: u16,
    pub count: u32,
}

/// A port range that is excluded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct ExcludedRow {
    pub protocol: Protocol,
    pub family: Option<Family>,
    pub start: u16,
    pub end: u16,
    pub administered: bool,
}

/// Where the first failure stands in its trace.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs)]
pub struct Evidence {
    pub trace: usize,
    pub buffer: Option<u32>,
    pub offset: Option<u64>,
    pub position_in_buffer: Option<u32>,
    pub cpu: u16,
    pub event_id: u16,
    pub event_name: Option<&'static str>,
    pub operation: &'static str,
    pub endpoint: String,
    pub time: FileTime,
}

/// What was read and what was not.
#[derive(Debug, Clone, Default, Serialize)]
#[allow(missing_docs)]
pub struct CoverageSummary {
    pub records_decoded: u64,
    pub records_skipped: u64,
    pub records_unknown: u64,
    pub records_malformed: u64,
    pub bytes_skipped: u64,
    pub notes: Vec<String>,
}

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// For people.
    Text,
    /// One document.
    Json,
    /// One row for each process.
    Csv,
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
            Format::Json => json::write(self, out),
            Format::Csv => csv::write(self, out),
        }
    }
}
