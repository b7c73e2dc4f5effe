//! From findings to a report: names joined, rows sorted, notes written.

use std::collections::BTreeMap;

use etl_parser::{LogFileMode, Trace};

use super::{
    AddressRow, CAPTURE_COMMANDS, CoverageSummary, Evidence, Failures, ProcessRow, Recommendation, Report,
    SCHEMA_VERSION, StatusRow, Tool, TraceSummary, Verdict, shown,
};
use crate::analysis::Findings;
use crate::analysis::coverage::Coverage;
use crate::analysis::processes::{Process, is_kernel};
use crate::analysis::tally::Tally;
use crate::analysis::verdict::{self, State, counted, judge};
use crate::event::base_name;
use crate::input::SideInput;
use crate::providers;
use crate::side::tasklist::{IMAGE_CUT_AT, Task};
use crate::time::FileTime;

/// What is known of one trace once it has been read.
#[derive(Debug)]
pub struct TraceFacts {
    /// As it is named in the report.
    pub path: String,
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
            boot_time: FileTime::known(header.boot_time),
            started: FileTime::known(header.start_time),
            ended: FileTime::known(header.end_time),
            buffers: trace.buffers().len() as u64,
            buffers_damaged: coverage.buffers_damaged,
            records: coverage.records,
            events_lost: header.events_lost,
            buffers_lost: header.buffers_lost,
            wrapped: wrapped(trace),
            closed_cleanly: header.closed_cleanly(),
        };
        let (clock_assumed, has_header) = (trace.clock().is_assumed(), trace.has_header());
        Self { path, summary, coverage, other_providers, clock_assumed, has_header }
    }

    /// Sentences about what could not be read, or not trusted.
    fn notes(&self) -> Vec<String> {
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

/// Everything that a report is built from.
#[derive(Debug)]
pub struct Facts {
    /// Traces, in the order in which they were named.
    pub traces: Vec<TraceFacts>,
    /// What the events amounted to.
    pub findings: Findings,
    /// Processes of `tasklist` outputs.
    pub tasks: Vec<Task>,
    /// Side files.
    pub side_inputs: Vec<SideInput>,
    /// Notes about inputs.
    pub notes: Vec<String>,
}

impl Report {
    /// Builds the report.
    pub fn new(facts: Facts) -> Self {
        let Facts { traces, findings, tasks, side_inputs, notes } = facts;
        let Findings { processes, unknown, sockets } = findings;
        let mut all_notes = notes;
        let mut coverage = CoverageSummary::default();
        let mut evidence = verdict::Evidence { traces: traces.len() as u64, ..verdict::Evidence::default() };
        for trace in &traces {
            let (summary, read) = (&trace.summary, &trace.coverage);
            all_notes.extend(trace.notes());
            coverage.records_decoded += read.decoded;
            coverage.records_skipped += read.skipped;
            coverage.records_unknown += read.unknown;
            coverage.records_malformed += read.malformed;
            coverage.bytes_skipped += read.bytes_skipped;
            evidence.afd_records += read.afd_records;
            evidence.bind_records += read.bind_records;
            evidence.records += read.records;
            evidence.buffers_after_loss += read.buffers_after_loss;
            evidence.damaged_places += read.damaged_places;
            evidence.malformed += read.afd_malformed;
            evidence.unknown_phases += read.unknown_phases;
            evidence.displaced += read.displaced;
            evidence.clock_assumed |= trace.clock_assumed;
            evidence.other_providers = evidence.other_providers.max(trace.other_providers);
            evidence.events_lost += u64::from(summary.events_lost);
            evidence.buffers_lost += u64::from(summary.buffers_lost);
            evidence.buffers += summary.buffers;
            evidence.wrapped |= summary.wrapped == Some(true);
            evidence.unclosed |= !summary.closed_cleanly;
        }
        let (rows, more_notes) = process_rows(&processes, unknown, &tasks);
        all_notes.extend(more_notes);
        if sockets.used_by_other_process > 0 {
            let count = counted(sockets.used_by_other_process, "failure");
            all_notes.push(format!(
                "{count} on sockets that another process than their creator was using: counted for the creator"
            ));
        }
        for row in &rows {
            evidence.bind_failures += row.bind_failures;
            evidence.connect_failures += row.connect_failures;
            evidence.well_owned += row.owner_source.created_socket + row.owner_source.eprocess;
        }
        let judged = judge(&evidence);
        let victims =
            rows.iter().enumerate().filter(|(_, row)| row.bind_failures > 0).map(|(index, _)| index).collect();
        coverage.notes = all_notes;
        Self {
            schema_version: SCHEMA_VERSION,
            tool: Tool { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") },
            verdict: Verdict {
                state: judged.state,
                confidence: judged.confidence,
                reasons: judged.reasons,
                first_failure: rows.iter().filter_map(|row| row.first_failure).min(),
                last_failure: rows.iter().filter_map(|row| row.last_failure).max(),
            },
            traces: traces.into_iter().map(|trace| trace.summary).collect(),
            pools: Vec::new(),
            failures: Failures {
                binds: evidence.bind_failures,
                connects: evidence.connect_failures,
                other_low_word: sockets.other_low_word,
                endpoints: sockets.failed_sockets,
                by_status: sockets
                    .by_status
                    .iter()
                    .map(|(&(operation, status), &count)| StatusRow {
                        status,
                        name: status.name(),
                        operation: operation.name(),
                        count,
                    })
                    .collect(),
            },
            processes: rows,
            victims,
            holders: Vec::new(),
            unexplained: None,
            timeline: Vec::new(),
            addresses: sockets
                .addresses
                .iter()
                .filter(|(_, tally)| tally.bind_failures + tally.ports_held > 0)
                .map(|(key, tally)| AddressRow {
                    family: key.family,
                    local_address: key.local_address.map(|address| address.to_string()),
                    protocol: key.protocol,
                    bind_failures: tally.bind_failures,
                    ports_held: tally.ports_held,
                })
                .collect(),
            system_events: Vec::new(),
            side_inputs,
            recommendations: recommend(judged.state, evidence.bind_records),
            evidence: sockets.first_failure.map(|failure| Evidence {
                trace: usize::from(failure.meta.place.trace),
                buffer: failure.meta.place.buffer,
                offset: failure.meta.place.offset,
                position_in_buffer: failure.meta.place.pos,
                cpu: failure.meta.place.cpu,
                event_id: failure.meta.id,
                event_name: providers::afd::event_name(failure.meta.id),
                operation: failure.operation.name(),
                endpoint: format!("0x{:X}", failure.endpoint),
                time: failure.meta.time,
            }),
            coverage,
        }
    }
}

fn recommend(state: State, bind_records: u64) -> Vec<Recommendation> {
    if state != State::CannotTell {
        return Vec::new();
    }
    let text = if bind_records == 0 {
        "capture again on the server while it fails; before stopping, take what a trace cannot tell"
    } else {
        "capture again: this trace lost what could be failures"
    };
    vec![Recommendation {
        code: "capture",
        text: text.to_owned(),
        commands: CAPTURE_COMMANDS.to_vec(),
        changes_state: false,
        undo: Some("netsh trace stop".to_owned()),
    }]
}

/// The rows of all processes that did something with sockets, most bind failures first; and notes about their names.
fn process_rows(processes: &[Process], unknown: Tally, tasks: &[Task]) -> (Vec<ProcessRow>, Vec<String>) {
    let mut notes = Vec::new();
    // A list taken at the end names the last process of each PID, if that was still running.
    let mut last_of_pid: BTreeMap<u32, usize> = BTreeMap::new();
    for (index, process) in processes.iter().enumerate().filter(|(_, process)| process.lasts()) {
        last_of_pid.insert(process.pid, index);
    }
    let listed: BTreeMap<u32, &Task> = tasks.iter().map(|task| (task.pid, task)).collect();
    let mut rows = Vec::new();
    for (index, process) in processes.iter().enumerate().filter(|(_, process)| process.tally.is_of_interest()) {
        let is_last = last_of_pid.get(&process.pid) == Some(&index);
        let task = listed.get(&process.pid).copied().filter(|_| is_last);
        let row = process_row(process, task);
        if let (Some(task), Some(image)) = (task, &row.image)
            && !same_image(image, &task.image)
        {
            notes.push(format!(
                "PID {} is {} in the trace and {} in the process list: the list's services are not used",
                process.pid,
                shown(image),
                shown(&task.image)
            ));
        }
        rows.push((row, index));
    }
    if unknown.is_of_interest() {
        rows.push((row_of(None, &unknown), usize::MAX));
    }
    rows.sort_by(|(a, a_index), (b, b_index)| {
        let key = |row: &ProcessRow| (std::cmp::Reverse(row.bind_failures), std::cmp::Reverse(row.ports_held_end));
        let pid = |row: &ProcessRow| (row.pid.is_none(), row.pid);
        key(a).cmp(&key(b)).then(pid(a).cmp(&pid(b))).then(a_index.cmp(b_index))
    });
    (rows.into_iter().map(|(row, _)| row).collect(), notes)
}

fn process_row(process: &Process, task: Option<&Task>) -> ProcessRow {
    let mut row = row_of(Some(process.pid), &process.tally);
    (row.started, row.ended) = (process.started, process.ended);
    if let Some((image, source)) = process.image() {
        row.image = Some(base_name(image).to_owned());
        row.image_path = (base_name(image) != image).then(|| image.to_owned());
        row.image_source = Some(source.name());
    }
    if let Some(task) = task {
        let longer = process.image_may_be_cut() && row.image.as_ref().is_some_and(|cut| task.image.len() > cut.len());
        match &row.image {
            Some(image) if !same_image(image, &task.image) => return row,
            Some(_) if !longer => {}
            _ => {
                row.image = Some(task.image.clone());
                row.image_path = None;
                row.image_source = Some("tasklist");
            }
        }
        row.services.clone_from(&task.services);
    }
    row
}

/// Whether two image names are the same, one of them possibly cut.
fn same_image(known: &str, listed: &str) -> bool {
    let (known, listed) = (known.to_lowercase(), listed.to_lowercase());
    let cut_list = listed.chars().count() >= IMAGE_CUT_AT && known.starts_with(&listed);
    let cut_event = known.len() >= 14 && listed.starts_with(&known);
    known == listed || cut_list || cut_event
}

fn row_of(pid: Option<u32>, tally: &Tally) -> ProcessRow {
    let mut roles = Vec::new();
    if tally.bind_failures > 0 {
        roles.push("victim");
    }
    if pid.is_some_and(is_kernel) {
        roles.push("kernel");
    }
    ProcessRow {
        pid,
        image: None,
        image_path: None,
        image_source: None,
        services: Vec::new(),
        started: None,
        ended: None,
        roles,
        bind_failures: tally.bind_failures,
        connect_failures: tally.connect_failures,
        first_failure: tally.failure_span.map(|(first, _)| first),
        last_failure: tally.failure_span.map(|(_, last)| last),
        binds_ok: tally.binds_ok,
        other_bind_failures: tally.other_bind_failures,
        sockets_created: tally.sockets_created,
        sockets_closed: tally.sockets_closed,
        ports_held_peak: tally.ports_held_peak,
        ports_held_end: tally.ports_held,
        owner_source: tally.owner_source,
    }
}
