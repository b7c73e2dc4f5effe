//! Whether a trace can answer the question, and what to capture where it cannot.

use etl_parser::Trace;

use super::beside::Beside;
use super::read::RecordCounts;
use super::{Answer, Answers};
use crate::diagnosis::advice::{CAPTURE_COMMANDS, LISTING_COMMANDS};
use crate::pipeline::coverage::Coverage;
use crate::providers::{self, afd};
use crate::words::counted;

/// Process events of a trace.
pub(super) struct Processes {
    pub(super) starts: u64,
    pub(super) rundowns: u64,
}

fn answer(answer: &'static str, reason: String) -> Answer {
    Answer { answer, reason, capture: Vec::new() }
}

/// Adds what to capture, where the answer is not `yes`.
fn capture(answer: Answer, commands: &[&'static str]) -> Answer {
    if answer.answer == "yes" { answer } else { Answer { capture: commands.to_vec(), ..answer } }
}

fn logged_binds(beside: &Beside) -> Answer {
    let binds = counted(beside.logged_binds, "bind");
    answer("partly", format!("{binds} in the log of Winsock-AFD's channel, which may have overwritten its beginning"))
}

/// What side files can tell without a trace.
pub(super) fn answers_of_side_files(beside: &Beside) -> Answers {
    let bind_failures = match (beside.logged_binds, beside.logged) {
        (0, 0) => answer("no", "neither a trace nor a log of Winsock-AFD's channel".to_owned()),
        (0, events) => answer("no", format!("{} in the log, no bind among them", counted(events, "Winsock-AFD event"))),
        _ => logged_binds(beside),
    };
    let process_names = match beside.names() {
        Some(names) => answer("yes", names),
        None => answer("no", "no list of processes: take `tasklist /svc` too".to_owned()),
    };
    let holders = match (beside.owners(), beside.logged_binds, beside.logged_closes) {
        (Some(owners), _, _) => answer("yes", owners),
        (None, 0, _) => answer("no", "no Winsock-AFD bind, and no listing of sockets with their owners".to_owned()),
        (None, _, 0) => answer("partly", "binds, but no close: what was released is not visible".to_owned()),
        _ => answer("partly", "binds and closes of the log; sockets older than it are not visible".to_owned()),
    };
    Answers {
        bind_failures: capture(bind_failures, &CAPTURE_COMMANDS),
        process_names: capture(process_names, &LISTING_COMMANDS),
        holders: capture(holders, &CAPTURE_COMMANDS),
    }
}

pub(super) fn answers(
    trace: &Trace<'_>,
    tally: &RecordCounts,
    coverage: &Coverage,
    Processes { starts, rundowns }: Processes,
    beside: &Beside,
) -> Answers {
    let header = trace.header();
    let binds = tally.count_of(afd::PROVIDER, afd::is_bind);
    let lossy =
        header.events_lost > 0 || header.buffers_lost > 0 || coverage.buffers_after_loss > 0 || !coverage.is_whole();
    let bind_failures = match (binds, lossy) {
        (0, _) if beside.logged_binds > 0 => logged_binds(beside),
        (0, _) if coverage.afd_records == 0 => {
            answer("no", "no Winsock-AFD event: the provider was not enabled".to_owned())
        }
        (0, _) => answer("no", format!("{}, no bind among them", counted(coverage.afd_records, "Winsock-AFD event"))),
        (_, false) => answer("yes", format!("{}, nothing lost", counted(binds, "Winsock-AFD bind record"))),
        (_, true) => {
            answer("partly", format!("{}, but events were lost or damaged", counted(binds, "Winsock-AFD bind record")))
        }
    };
    let bind_failures = capture(bind_failures, &CAPTURE_COMMANDS);
    let process_names = match (starts, rundowns, beside.names()) {
        (_, 0, Some(names)) => answer("yes", names),
        (0, 0, None) => answer("no", "no process event: take `tasklist /svc` before the trace is stopped".to_owned()),
        (_, 0, None) => {
            let count = counted(starts, "process start and end event");
            answer("partly", format!("{count}, no rundown: processes older than the trace have no name"))
        }
        _ => {
            answer("yes", format!("{}, {}", counted(rundowns, "rundown event"), counted(starts, "start and end event")))
        }
    };
    let process_names = capture(process_names, &LISTING_COMMANDS);
    let closes = tally.count_of(afd::PROVIDER, afd::is_close);
    // Port acquired and released, endpoints, connections, and the rundown of those that were there.
    let is_port_event = |id| matches!(id, 1001..=1013 | 1033 | 1034 | 1051 | 1191..=1195 | 1300 | 1396 | 1397);
    let ports = tally.count_of(providers::tcpip::PROVIDER, is_port_event);
    let holders = match (binds, closes, ports, beside.owners()) {
        (_, _, _, Some(owners)) => answer("yes", owners),
        (0, _, 0, _) => answer("no", "no Winsock-AFD bind and no TCPIP port event".to_owned()),
        (0, _, _, _) => answer("partly", format!("{}, without Winsock-AFD", counted(ports, "TCPIP port event"))),
        (_, 0, _, _) => answer("partly", "binds, but no close: what was released is not visible".to_owned()),
        (_, _, 0, _) => {
            answer("partly", "binds and closes of this trace; sockets older than it are not visible".to_owned())
        }
        _ => answer("partly", format!("binds and closes of this trace, and {}", counted(ports, "TCPIP port event"))),
    };
    // Holders older than a trace show in a listing only.
    let holders = capture(holders, &CAPTURE_COMMANDS);
    Answers { bind_failures, process_names, holders }
}
