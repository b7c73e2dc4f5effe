//! What is known of a trace once it has been read.

use etl_parser::{LogFileMode, Trace};
use serde::Serialize;

use crate::pipeline::coverage::Coverage;
use crate::time::FileTime;
use crate::words::counted;

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

/// What is known of one trace once it has been read.
#[derive(Debug)]
pub struct TraceFacts {
    /// As it is named in the report.
    pub path: String,
    /// What the user named: itself, or the folder or archive that holds it.
    pub input: String,
    /// Header and buffers.
    pub summary: TraceSummary,
    /// What was read.
    pub coverage: Coverage,
    /// Providers with a GUID in their header, other than AFD.
    pub other_providers: u64,
    /// The header does not tell how the clock counts.
    pub clock_assumed: bool,
    /// The trace has its header record.
    pub has_header: bool,
    /// It is a file, whose events can be listed; not a live session that wrote none.
    pub is_file: bool,
}

impl TraceFacts {
    /// Takes the facts out of a trace that has been read.
    pub fn new(path: String, trace: &Trace<'_>, coverage: Coverage, other_providers: u64) -> Self {
        let header = trace.header();
        let summary = TraceSummary {
            path: path.clone(),
            bytes: trace.bytes().len() as u64,
            os_build: trace.has_header().then_some(header.os_build),
            processors: trace.has_header().then_some(header.processors),
            pointer_size: trace.pointer_size().bytes(),
            clock: trace.clock().kind().name(),
            log_mode: header.log_file_mode.0,
            boot_time: header.booted(),
            started: header.started(),
            ended: header.ended(),
            buffers: trace.buffers().len() as u64,
            buffers_damaged: coverage.buffers_damaged,
            records: coverage.records,
            events_lost: header.events_lost,
            buffers_lost: header.buffers_lost,
            wrapped: wrapped(trace),
            closed_cleanly: header.closed_cleanly(),
        };
        let (clock_assumed, has_header) = (trace.clock().is_assumed(), trace.has_header());
        let input = path.clone();
        Self { input, path, summary, coverage, other_providers, clock_assumed, has_header, is_file: true }
    }

    /// Sentences about what could not be read, or not trusted.
    pub(crate) fn notes(&self) -> Vec<String> {
        let (trace, coverage) = (&self.summary, &self.coverage);
        let mut notes: Vec<String> = coverage.damage.iter().map(ToString::to_string).collect();
        let more = coverage.damaged_places.saturating_sub(coverage.damage.len() as u64);
        if more > 0 {
            notes.push(format!("{} more, not listed", counted(more, "damaged place")));
        }
        if !self.has_header {
            notes.push("the first buffer is missing: system, losses and dates are unknown; times count from the first record, at an assumed 10 MHz".to_owned());
        } else if self.clock_assumed {
            notes.push("the header does not tell how the clock counts: times are a guess".to_owned());
        } else if trace.clock == Some("cpu_cycles") {
            notes.push("the clock counts processor cycles, whose rate varies: times are approximate".to_owned());
        }
        if !trace.closed_cleanly && self.has_header {
            let why = "copied while it was being written, or the system stopped";
            notes.push(format!("the log was not closed by its session: {why}"));
        }
        if trace.wrapped == Some(true) {
            notes.push("the circular log has overwritten its beginning".to_owned());
        }
        if trace.events_lost > 0 || trace.buffers_lost > 0 {
            let (events, buffers) =
                (counted(trace.events_lost.into(), "event"), counted(trace.buffers_lost.into(), "buffer"));
            notes.push(format!("the session lost {events} and {buffers}"));
        }
        if coverage.buffers_after_loss > 0 {
            let count = counted(coverage.buffers_after_loss, "buffer");
            notes.push(format!("the flags of {count} say that events were lost before"));
        }
        if coverage.displaced > 0 {
            let count = counted(coverage.displaced, "event");
            notes.push(format!("{count} with a wrong time stamp, ordered by the records around them"));
        }
        if coverage.unknown > 0 {
            notes.push(format!("{} of a kind that no source describes", counted(coverage.unknown, "record")));
        }
        if coverage.malformed > 0 {
            notes.push(format!("{} shorter than the layout promises", counted(coverage.malformed, "record")));
        }
        if coverage.other_pointer_size > 0 {
            let count = counted(coverage.other_pointer_size, "process event");
            notes.push(format!("{count} with another pointer size than the record's header says"));
        }
        if coverage.newer_afd_versions > 0 {
            let count = counted(coverage.newer_afd_versions, "AFD event");
            notes.push(format!("{count} of a version that is not known, read with the layout of version 0"));
        }
        if coverage.unknown_phases > 0 {
            let count = counted(coverage.unknown_phases, "AFD event");
            notes.push(format!("{count} with an EnterExit that no source names, not counted"));
        }
        notes.into_iter().map(|note| format!("{}: {note}", self.path)).collect()
    }
}

/// Whether a circular log has overwritten its beginning; `None` where a merge has numbered the buffers anew.
fn wrapped(trace: &Trace<'_>) -> Option<bool> {
    let mode = trace.header().log_file_mode;
    if mode.has(LogFileMode::RELOG) {
        return None;
    }
    let first_data = trace.buffers().iter().map(|info| info.header.sequence_number).filter(|number| *number > 0).min();
    Some(mode.has(LogFileMode::CIRCULAR) && first_data.is_some_and(|number| number > 1))
}
