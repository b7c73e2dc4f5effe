//! The table of cases: what became of each, and what its report says in a few words.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::columns::{Field, Kind, field, json};
use super::tables::CASE_ID;
use crate::diagnosis::state::State;
use crate::diagnosis::suspect::Suspect;
use crate::report::Report;
use crate::time::FileTime;

/// What became of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Status {
    /// It has a report, of which nothing is to be said.
    Ok,
    /// It has a report with notes: losses, damage, files that were not used.
    Notes,
    /// Nothing in it is a trace or a known side file.
    Unusable,
    /// It took longer than allowed.
    Timeout,
    /// It needed more memory than allowed.
    TooLarge,
    /// It could not be read, or its reader broke down.
    Failed,
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Ok, Self::Notes, Self::Unusable, Self::Timeout, Self::TooLarge, Self::Failed];

    /// As the tables name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Notes => "notes",
            Self::Unusable => "unusable",
            Self::Timeout => "timeout",
            Self::TooLarge => "too_large",
            Self::Failed => "failed",
        }
    }

    /// Whether the case has a report.
    pub fn has_report(self) -> bool {
        matches!(self, Self::Ok | Self::Notes)
    }
}

/// What the report of a case says, as far as the table of cases tells it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct CaseFacts {
    pub(super) state: String,
    pub(super) confidence: Option<String>,
    pub(super) os_build: Option<u32>,
    /// Times as JSON has them.
    pub(super) started: Option<String>,
    pub(super) ended: Option<String>,
    pub(super) bind_failures: u64,
    pub(super) connect_failures: u64,
    pub(super) first_failure: Option<String>,
    pub(super) last_failure: Option<String>,
    pub(super) seconds: f64,
    pub(super) suspect: String,
    pub(super) suspect_image: Option<String>,
    pub(super) trace_bytes: u64,
}

impl CaseFacts {
    pub(super) fn of(report: &Report) -> Self {
        let verdict = &report.verdict;
        let text = |time: Option<FileTime>| time.and_then(FileTime::to_rfc3339);
        let dates = |time: fn(&crate::report::TraceSummary) -> Option<FileTime>| {
            report.traces.iter().filter_map(time).filter(|time| time.to_rfc3339().is_some())
        };
        let speaks = report.traces.iter().filter(|trace| trace.speaks).chain(&report.traces);
        Self {
            state: verdict.state.as_str().to_owned(),
            confidence: json(&verdict.confidence).as_str().map(str::to_owned),
            os_build: speaks.filter_map(|trace| trace.os_build).next(),
            started: text(dates(|trace| trace.started).min()),
            ended: text(dates(|trace| trace.ended).max()),
            bind_failures: report.failures.binds,
            connect_failures: report.failures.connects,
            first_failure: text(verdict.first_failure),
            last_failure: text(verdict.last_failure),
            seconds: seconds_out_of_ports(report),
            suspect: verdict.suspect.kind().to_owned(),
            suspect_image: suspect_image(report),
            trace_bytes: report.traces.iter().map(|trace| trace.bytes).sum(),
        }
    }

    /// The month that the case belongs to, `YYYY-MM`: that in which its traces begin, else that of its failures.
    pub(super) fn month(&self) -> Option<&str> {
        let date = self.started.as_ref().or(self.first_failure.as_ref()).or(self.ended.as_ref());
        date.and_then(|date| date.get(..7))
    }

    pub(super) fn is_exhausted(&self) -> bool {
        self.state == State::Exhausted.as_str()
    }
}

/// How long at least one pool was out of ports while a trace ran: the outages, each moment counted once. What happened between
/// two traces nobody saw, also where an outage goes on in the second.
fn seconds_out_of_ports(report: &Report) -> f64 {
    let (earliest, latest) = (FileTime(i64::MIN), FileTime(i64::MAX));
    let ran = report.traces.iter().map(|trace| (trace.started.unwrap_or(earliest), trace.ended.unwrap_or(latest)));
    let mut ran: Vec<(FileTime, FileTime)> = ran.collect();
    if ran.is_empty() {
        ran.push((earliest, latest));
    }
    let outages = report.outages.iter();
    let mut spans: Vec<(FileTime, FileTime)> = outages
        .flat_map(|outage| ran.iter().map(|(from, to)| (outage.first.max(*from), outage.last.min(*to))))
        .collect();
    spans.sort_unstable();
    let mut total_100ns = 0_i64;
    let mut end = FileTime(i64::MIN);
    for (first, last) in spans {
        let from = first.max(end);
        if last > from {
            total_100ns = total_100ns.saturating_add(last.since(from));
            end = last;
        }
    }
    total_100ns as f64 / FileTime::SECOND as f64
}

/// The image that is named for the pool that speaks, where a process or an image is.
fn suspect_image(report: &Report) -> Option<String> {
    let of_process = |process: usize| report.processes.get(process)?.image.clone();
    match report.verdict.suspect {
        Suspect::Process(holder) => of_process(report.holders.get(holder)?.process),
        Suspect::Image(image) => Some(report.images.get(image)?.image.clone()),
        Suspect::Sockets(sockets) => of_process(sockets.process),
        Suspect::Kernel(_)
        | Suspect::Processes(_)
        | Suspect::Images(_)
        | Suspect::TimeWait(_)
        | Suspect::NotShown
        | Suspect::Nobody => None,
    }
}

/// The host of a case is the one that a System log of it, or a name beside a listing, says.
pub(super) const HOST_BY_SIDE_INPUT: &str = "side_input";

/// A row of the table.
#[derive(Debug, Clone)]
pub(super) struct CaseRow {
    pub(super) case_id: String,
    pub(super) content_id: Option<String>,
    pub(super) path: String,
    pub(super) customer: Option<String>,
    pub(super) host: Option<String>,
    pub(super) host_by: Option<&'static str>,
    pub(super) status: Status,
    pub(super) reason: Option<String>,
    pub(super) facts: Option<CaseFacts>,
    pub(super) duplicate_of: Option<String>,
}

fn of_facts<T: Serialize>(row: &CaseRow, value: impl Fn(&CaseFacts) -> T) -> Value {
    json(&row.facts.as_ref().map(value))
}

pub(super) const CASES: [Field<(), CaseRow>; 23] = [
    field(CASE_ID.name, CASE_ID.kind, CASE_ID.unit, CASE_ID.meaning, |(), row| json(&row.case_id)),
    field(
        "content_id",
        Kind::Text,
        "",
        "the same for the same traces; without any, for the same side files",
        |(), row| json(&row.content_id),
    ),
    field("path", Kind::Text, "", "below the folder that was named; as given where several were", |(), row| {
        json(&row.path)
    }),
    field("customer", Kind::Text, "", "by --name-from", |(), row| json(&row.customer)),
    field("host", Kind::Text, "", "by --name-from, else by what the files of the case say", |(), row| json(&row.host)),
    field("status", Kind::Text, "", "ok, notes, unusable, timeout, too_large or failed", |(), row| json(&row.status)),
    field("reason", Kind::Text, "", "why it has no report, or the notes of its report", |(), row| json(&row.reason)),
    field("state", Kind::Text, "", "the verdict: exhausted, near, not_seen or cannot_tell", |(), row| {
        of_facts(row, |facts| facts.state.clone())
    }),
    field("confidence", Kind::Text, "", "how far to trust it: high, medium or low", |(), row| {
        of_facts(row, |facts| facts.confidence.clone())
    }),
    field("os_build", Kind::Integer, "", "build of Windows", |(), row| of_facts(row, |facts| facts.os_build)),
    field("started", Kind::Time, "UTC", "when the first trace began", |(), row| {
        of_facts(row, |facts| facts.started.clone())
    }),
    field("ended", Kind::Time, "UTC", "when the last trace ended", |(), row| {
        of_facts(row, |facts| facts.ended.clone())
    }),
    field("bind_failures", Kind::Integer, "binds", "that failed with 0xC0000209", |(), row| {
        of_facts(row, |facts| facts.bind_failures)
    }),
    field("connect_failures", Kind::Integer, "connects", "that failed with 0xC0000209", |(), row| {
        of_facts(row, |facts| facts.connect_failures)
    }),
    field("first_failure", Kind::Time, "UTC", "the first failure", |(), row| {
        of_facts(row, |facts| facts.first_failure.clone())
    }),
    field("last_failure", Kind::Time, "UTC", "the last failure", |(), row| {
        of_facts(row, |facts| facts.last_failure.clone())
    }),
    field(
        "seconds",
        Kind::Real,
        "seconds",
        "that a pool was out of ports: all outages, each moment once",
        |(), row| of_facts(row, |facts| facts.seconds),
    ),
    field("tool_version", Kind::Text, "", "of this program", |(), _| json(&env!("CARGO_PKG_VERSION"))),
    field("duplicate_of", Kind::Text, "", "case_id of the first case with the same content_id", |(), row| {
        json(&row.duplicate_of)
    }),
    field(
        "suspect",
        Kind::Text,
        "",
        "who is named: process, image, kernel, time_wait, sockets, not_shown or nobody",
        |(), row| of_facts(row, |facts| facts.suspect.clone()),
    ),
    field("suspect_image", Kind::Text, "", "the image that is named", |(), row| {
        of_facts(row, |facts| facts.suspect_image.clone())
    }),
    field("trace_bytes", Kind::Integer, "bytes", "of its traces, unpacked", |(), row| {
        of_facts(row, |facts| facts.trace_bytes)
    }),
    field(
        "host_by",
        Kind::Text,
        "",
        "how the host is known: name_from (--name-from) or side_input (a System log, or a name beside a listing)",
        |(), row| json(&row.host_by),
    ),
];
