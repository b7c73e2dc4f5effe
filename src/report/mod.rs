#![doc = include_str!("SCHEMA.md")]

mod build;
pub mod csv;
pub mod json;
pub(crate) mod table;
pub mod text;

pub use build::{Facts, TraceFacts};

use serde::Serialize;

use crate::analysis::tally::OwnerSource;
use crate::analysis::verdict::{Confidence, Reason, State};
use crate::input::SideInput;
use crate::net::{Family, Protocol};
use crate::status::NtStatus;
use crate::time::FileTime;

/// Version of the JSON document. It grows when a field changes its meaning, not when one is added.
pub const SCHEMA_VERSION: u32 = 1;

/// The captures that can answer, as commands to paste.
pub const CAPTURE_COMMANDS: [&str; 3] = [
    "netsh trace start provider=Microsoft-Windows-Winsock-AFD keywords=0x4 level=4 provider=Microsoft-Windows-TCPIP keywords=0xffffffffffffffff level=4 provider=Microsoft-Windows-Kernel-Process keywords=0x10 level=4 maxsize=1024 tracefile=server.etl",
    "tasklist /svc > tasklist.txt & netstat -anobq > netstat.txt & netsh int ipv4 show dynamicport tcp > dynamicport.txt",
    "netsh trace stop",
];

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
    /// Port pools; not computed yet.
    pub pools: Vec<Never>,
    /// Failures in numbers.
    pub failures: Failures,
    /// Processes with sockets.
    pub processes: Vec<ProcessRow>,
    /// Indexes into `processes`.
    pub victims: Vec<usize>,
    /// Who holds the ports; not computed yet.
    pub holders: Vec<Never>,
    /// What share of the ports nobody visible holds; not computed yet.
    pub unexplained: Option<Never>,
    /// Failures and ports over time; not computed yet.
    pub timeline: Vec<Never>,
    /// By local address.
    pub addresses: Vec<AddressRow>,
    /// Entries of event logs; not read yet.
    pub system_events: Vec<Never>,
    /// Side files.
    pub side_inputs: Vec<SideInput>,
    /// What to do next.
    pub recommendations: Vec<Recommendation>,
    /// Where the first failure stands.
    pub evidence: Option<Evidence>,
    /// What was read and what was not.
    pub coverage: CoverageSummary,
}

/// A value that does not exist: the type of lists that are always empty.
#[derive(Debug, Clone, Copy, Serialize)]
pub enum Never {}

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

/// What to do next.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs)]
pub struct Recommendation {
    pub code: &'static str,
    pub text: String,
    pub commands: Vec<&'static str>,
    pub changes_state: bool,
    pub undo: Option<String>,
}

/// Where the first failure stands in its trace.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs)]
pub struct Evidence {
    pub trace: usize,
    pub buffer: u32,
    pub offset: u64,
    pub position_in_buffer: u32,
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
