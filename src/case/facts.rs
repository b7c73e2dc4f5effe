//! What is known of a trace once it has been read.

use etl_parser::{ClockKind, LogFileMode, Trace};
use serde::Serialize;

use crate::pipeline::coverage::Coverage;
use crate::time::FileTime;

/// One trace, as its header and its buffers tell it.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TraceSummary {
    /// As it is named in the report: the path, for a member of an archive behind that of the archive.
    pub path: String,
    /// Size in bytes.
    pub bytes: u64,
    /// Windows build number; `None` where the header record is missing.
    pub os_build: Option<u32>,
    /// Processors as the header tells; 1 for a session without buffers for each processor.
    pub processors: Option<u32>,
    /// 4 or 8 bytes: of the machine that wrote the header.
    pub pointer_size: usize,
    /// `qpc`, `system_time` or `cpu_cycles`; `None` for a number that no source names.
    pub clock: Option<&'static str>,
    /// `LogFileMode`, flags.
    pub log_mode: u32,
    /// When the machine was started, UTC; `None` where the header has 0, as in the next two.
    pub boot_time: Option<FileTime>,
    /// When the session began, UTC.
    pub started: Option<FileTime>,
    /// When it ended, UTC; `None` for a log that was not closed.
    pub ended: Option<FileTime>,
    /// Buffers read.
    pub buffers: u64,
    /// Buffers of which something could not be read, and places where a buffer should be.
    pub buffers_damaged: u64,
    /// All records, the header record included.
    pub records: u64,
    /// Events lost, as the header admits.
    pub events_lost: u32,
    /// Buffers lost, as the header admits.
    pub buffers_lost: u32,
    /// Whether a circular log overwrote its beginning; `None` after a merge, which numbers the buffers anew.
    pub wrapped: Option<bool>,
    /// Whether the session wrote its end.
    pub closed_cleanly: bool,
    /// UTC is the machine's local time and so many minutes, at the start of the trace; `None` where the header does not tell.
    pub time_zone_bias_minutes: Option<i32>,
    /// Whether it has events of Winsock-AFD, or of TCPIP about ports: only then can it hold, or miss, a failure.
    pub speaks: bool,
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
    /// The system clock was set back while the trace was taken.
    pub clock_set_back: bool,
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
            time_zone_bias_minutes: time_zone_bias_minutes(trace),
            speaks: coverage.speaks(),
        };
        let clock_set_back = was_set_back(trace, &coverage);
        let (clock_assumed, has_header) = (trace.clock().is_assumed(), trace.has_header());
        let input = path.clone();
        Self {
            input,
            path,
            summary,
            coverage,
            other_providers,
            clock_assumed,
            clock_set_back,
            has_header,
            is_file: true,
        }
    }
}

/// Whether a circular log overwrote its beginning: it has no room for another buffer, and its first ones are gone.
/// `None` where a merge has numbered the buffers anew.
fn wrapped(trace: &Trace<'_>) -> Option<bool> {
    let header = trace.header();
    if header.log_file_mode.has(LogFileMode::RELOG) {
        return None;
    }
    let first_data = trace.buffers().iter().map(|info| info.header.sequence_number).filter(|number| *number > 0).min();
    let is_full = header.maximum_file_bytes().is_some_and(|most| {
        let bytes = trace.bytes().len() as u64;
        bytes.saturating_add(header.buffer_bytes.into()) > most
    });
    Some(header.log_file_mode.has(LogFileMode::CIRCULAR) && is_full && first_data.is_some_and(|number| number > 1))
}

/// Where the session's clock is not the system's, its last event may lie so much behind the end that the system clock tells
/// before that clock must have been set back. Services that keep the clock right move it by less.
const SET_BACK_100NS: i64 = 10 * FileTime::SECOND;

/// Clocks of one machine that are right differ by less than this.
const SAME_MOMENT_100NS: i64 = FileTime::SECOND;

/// Whether the system clock was set back while the trace was taken, as header and buffers show.
fn was_set_back(trace: &Trace<'_>, coverage: &Coverage) -> bool {
    let header = trace.header();
    let (started, ended) = (header.started(), header.ended());
    if started.zip(ended).is_some_and(|(started, ended)| ended < started) {
        return true;
    }
    if trace.clock().is_assumed() || header.log_file_mode.has(LogFileMode::RELOG) {
        return false;
    }
    let last = coverage.span.map(|(_, last)| last).zip(ended);
    let is_behind = |by: i64| last.is_some_and(|(last, ended)| last.since(ended) > by);
    if trace.clock().kind() != ClockKind::SYSTEM_TIME {
        return is_behind(SET_BACK_100NS);
    }
    // Time stamps are the system clock's own. One that goes back alone is damage.
    let first = coverage.span.map(|(first, _)| first).zip(started);
    let is_before_start = first.is_some_and(|(first, started)| started.since(first) > SAME_MOMENT_100NS);
    coverage.displaced > 1
        || trace.flushed_back_ticks() > SAME_MOMENT_100NS
        || is_before_start
        || is_behind(SAME_MOMENT_100NS)
}

/// The machine's local time and so many minutes are UTC, at the start of the trace; `None` where its header does not tell.
pub fn time_zone_bias_minutes(trace: &Trace<'_>) -> Option<i32> {
    let header = trace.header();
    trace.has_header().then(|| header.time_zone.bias_at(header.start_time)).flatten()
}
