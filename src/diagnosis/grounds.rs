//! All that the last questions of a diagnosis are answered from.

use super::holders::Conclusion;
use super::naming::Rows;
use super::system_events::SystemEventRow;
use crate::case::SideInput;
use crate::case::facts::TraceFacts;
use crate::machine::Findings;
use crate::side::Kind;
use crate::side::facts::SideFacts;
use crate::time::FileTime;

/// What is known once holders, processes and event logs have been looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grounds<'a> {
    /// Traces, in the order of the inputs.
    pub(super) traces: &'a [TraceFacts],
    /// What their events amounted to.
    pub(super) findings: &'a Findings,
    /// What side files told.
    pub(super) side: &'a SideFacts,
    /// Side files.
    pub(super) side_inputs: &'a [SideInput],
    /// Pools and holders.
    pub(super) conclusion: &'a Conclusion,
    /// Processes.
    pub(super) rows: &'a Rows,
    /// Entries of event logs.
    pub(super) events: &'a [SystemEventRow],
}

impl Grounds<'_> {
    fn has(&self, kind: Kind) -> bool {
        self.side_inputs.iter().any(|side| side.used && side.kind == kind.name())
    }

    /// A listing of excluded ranges is there; it may say that there are none.
    pub(super) fn has_excluded_listing(&self) -> bool {
        self.has(Kind::ExcludedPorts)
    }

    /// A System log is there; that of Winsock-AFD's channel is none.
    pub(super) fn has_event_log(&self) -> bool {
        let of_afd = self.side.afd_logs.len();
        self.side_inputs.iter().filter(|side| side.used && side.kind == Kind::Evtx.name()).count() > of_afd
    }

    /// The traces that tell something about ports; all, where none does.
    pub(super) fn speaking(&self) -> impl Iterator<Item = &TraceFacts> {
        speaking(self.traces)
    }

    /// AFD bind events, enter and exit, of traces and logs.
    pub(super) fn bind_records(&self) -> u64 {
        if !self.findings.window.is_open() {
            return self.findings.sockets.bind_events;
        }
        let traced: u64 = self.traces.iter().map(|trace| trace.coverage.bind_records).sum();
        let logged: u64 = self.side.afd_logs.iter().map(|log| log.binds).sum();
        traced + logged
    }

    /// Start and end of the traces, see [`span`].
    pub(super) fn span(&self) -> Option<(FileTime, FileTime)> {
        span(self.traces, self.findings)
    }
}

/// A log of something else may be of another machine and another day.
fn speaking(traces: &[TraceFacts]) -> impl Iterator<Item = &TraceFacts> {
    let any_speaks = traces.iter().any(|trace| trace.summary.speaks);
    traces.iter().filter(move |trace| trace.summary.speaks || !any_speaks)
}

/// Start and end of the traces, of their part that is counted: as their headers say, else from the first event to the last. Where some of them tell something
/// about ports, those alone.
pub(super) fn span(traces: &[TraceFacts], findings: &Findings) -> Option<(FileTime, FileTime)> {
    let spans = || speaking(traces).map(|trace| &trace.summary);
    let start = spans().filter_map(|trace| trace.started).min();
    let end = spans().filter_map(|trace| trace.ended).max();
    match (start, end, findings.span) {
        (Some(start), Some(end), _) if start <= end => Some(findings.window.part_of((start, end))),
        (_, _, span) => span,
    }
}
