#![doc = include_str!("SCHEMA.md")]

mod build;
pub mod csv;
mod facts;
mod glue;
pub mod json;
mod procedure;
mod rows;
pub(crate) mod table;
pub mod text;

pub use build::Facts;
pub use facts::TraceFacts;

use serde::Serialize;

pub use crate::analysis::advice::CAPTURE_COMMANDS;
use crate::analysis::advice::Recommendation;
use crate::analysis::differential::Alternative;
use crate::analysis::holders::{Evidence as HolderEvidence, Pattern};
use crate::analysis::pools::RangeSource;
use crate::analysis::tally::OwnerSource;
use crate::analysis::verdict::{Confidence, Reason, State};
use crate::input::SideInput;
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

/// One trace.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs)]
pub struct TraceSummary {
    pub path: String,
    pub bytes: u64,
    pub os_build: Option<u32>,
    pub processors: Option<u32>,
    pub pointer_size: usize,
    pub clock: Option<&'static str>,
    pub log_mode: u32,
    pub boot_time: Option<FileTime>,
    pub started: Option<FileTime>,
    pub ended: Option<FileTime>,
    pub buffers: u64,
    pub buffers_damaged: u64,
    pub records: u64,
    pub events_lost: u32,
    pub buffers_lost: u32,
    pub wrapped: Option<bool>,
    pub closed_cleanly: bool,
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

/// One process.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs)]
pub struct ProcessRow {
    pub pid: Option<u32>,
    pub image: Option<String>,
    pub image_path: Option<String>,
    pub image_source: Option<&'static str>,
    pub services: Vec<String>,
    pub started: Option<FileTime>,
    pub ended: Option<FileTime>,
    pub roles: Vec<&'static str>,
    pub bind_failures: u64,
    pub connect_failures: u64,
    pub first_failure: Option<FileTime>,
    pub last_failure: Option<FileTime>,
    pub binds_ok: u64,
    pub other_bind_failures: u64,
    pub sockets_created: u64,
    pub sockets_closed: u64,
    pub ports_held_peak: u64,
    pub ports_held_end: u64,
    pub ports_obtained: u64,
    pub ports_released: u64,
    pub held_since: Option<FileTime>,
    pub binds_per_minute: Option<f64>,
    pub closes_per_minute: Option<f64>,
    pub destinations: Vec<Destination>,
    pub handles: Option<u64>,
    pub afd_handles: Option<u64>,
    pub owner_source: OwnerSource,
}

impl ProcessRow {
    /// Binds that completed, whatever the outcome.
    pub fn binds_completed(&self) -> u64 {
        self.binds_ok + self.bind_failures + self.other_bind_failures
    }
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

/// A remote address that a process connected to.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs)]
pub struct Destination {
    pub remote: String,
    pub connects: u64,
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
        let key = crate::analysis::pools::PoolKey { protocol: self.protocol, family: self.family };
        match &self.local_address {
            Some(address) => format!("{} at {address}", key.name()),
            None => key.name(),
        }
    }

    /// Last port.
    pub fn end(&self) -> u16 {
        crate::analysis::pools::PoolRange { start: self.start, count: self.count, source: self.source }.end()
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

/// Ports of a full pool that nothing explains.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs)]
pub struct UnexplainedRow {
    pub pool: usize,
    pub ports: u32,
    pub share_of_pool: f64,
    pub possible: Vec<&'static str>,
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

/// Sockets by state, and handles, of one process as the last listing shows them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct ProcedureRow {
    pub pid: Option<u32>,
    pub process: Option<usize>,
    pub image: Option<String>,
    pub bound: u32,
    pub close_wait: u32,
    pub time_wait: u32,
    pub established: u32,
    pub listening: u32,
    pub other_tcp: u32,
    pub udp: u32,
    pub handles: Option<u64>,
    pub afd_handles: Option<u64>,
    pub remarks: Vec<&'static str>,
}

/// An entry of an event log.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs)]
pub struct SystemEventRow {
    pub time: FileTime,
    pub provider: String,
    pub id: u32,
    pub source: String,
    pub in_span: bool,
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

/// Text from a trace or side file as it may be shown: control characters and those that turn the writing direction are
/// spelled out, so that no name can move the cursor, colour the screen or hide a part of itself.
pub fn shown(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for character in text.chars() {
        let turns_direction = matches!(
            character,
            '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}'
        );
        if character.is_control() || turns_direction {
            clean.extend(character.escape_unicode());
        } else {
            clean.push(character);
        }
    }
    clean
}

/// Name of a Windows version by its build number, as far as the number tells.
pub fn windows_name(build: u32) -> Option<&'static str> {
    Some(match build {
        2195 => "Windows 2000",
        2600 => "Windows XP",
        3790 => "Windows Server 2003",
        6000..=6003 => "Windows Vista or Server 2008",
        7600 | 7601 => "Windows 7 or Server 2008 R2",
        9200 => "Windows 8 or Server 2012",
        9600 => "Windows 8.1 or Server 2012 R2",
        14393 => "Windows 10 or Server 2016",
        17763 => "Windows 10 or Server 2019",
        10240..=19999 => "Windows 10",
        20348 => "Windows Server 2022",
        26100 => "Windows 11 or Server 2025",
        22000..=29999 => "Windows 11",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_steer_a_terminal() {
        assert_eq!(shown("a\u{1b}[31mb\r\nc"), "a\\u{1b}[31mb\\u{d}\\u{a}c");
        assert_eq!(shown("exe\u{202e}fdp"), "exe\\u{202e}fdp");
        assert_eq!(shown("café 日本"), "café 日本");
    }
}
