//! Entries of event logs that say something about ports, and what they say.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::Serialize;

use crate::case::SideInput;
use crate::machine::window::Window;
use crate::side::facts::{SideFacts, SocketListing, SourceId, SystemEvent, Taken};
use crate::side::{is_of_other_day, label};
use crate::time::FileTime;

/// An entry of an event log.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SystemEventRow {
    /// When it was logged, UTC.
    pub time: FileTime,
    /// The provider, as the log names it.
    pub provider: String,
    /// Event id.
    pub id: u32,
    /// Path of the log.
    pub source: String,
    /// Whether it lies in the span of the traces that is counted; without a trace, in the day before the newest entry of any kind.
    pub in_span: bool,
}

impl SystemEventRow {
    /// Whether it says that all ports of a protocol were in use.
    pub fn says_pool_full(&self) -> bool {
        is_tcpip(&self.provider) && [POOL_FULL.0, POOL_FULL.1].contains(&self.id)
    }
}

/// Whether what is not in an event log did not happen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LogReach {
    /// There is no log.
    #[default]
    None,
    /// No System log has entries of when the traces began.
    Elsewhere,
    /// A System log goes back to before the traces, and on into their time.
    Whole,
}

/// A log without a trace is searched for a day back from its last entry of any kind.
const DAY_100NS: i64 = 86_400 * FileTime::SECOND;

/// Ids of the Tcpip events that say a pool is full: TCP, UDP.
const POOL_FULL: (u32, u32) = (4231, 4266);
/// The one that says a connection's addresses were used again too soon.
const TUPLE_REUSE: u32 = 4227;

fn is_tcpip(provider: &str) -> bool {
    provider.eq_ignore_ascii_case("tcpip")
}

/// The rows of event logs, and whether each lies in the span of the traces.
pub(super) fn system_events(
    side: &SideFacts,
    side_inputs: &[SideInput],
    span: Option<(FileTime, FileTime)>,
    window: Window,
) -> Vec<SystemEventRow> {
    let newest_entry = side.log_spans.iter().map(|(_, newest)| *newest).max();
    let newest = side.system_events.iter().map(|event| event.time).max().max(newest_entry);
    let span = span.or(newest.map(|newest| (FileTime(newest.0.saturating_sub(DAY_100NS)), newest)));
    let mut rows: Vec<SystemEventRow> = counted_once(&side.system_events)
        .map(|event| SystemEventRow {
            time: event.time,
            provider: event.provider.clone(),
            id: event.id,
            source: side_inputs.get(event.source).map(|side| side.path.clone()).unwrap_or_default(),
            in_span: window.contains(event.time)
                && span.is_some_and(|(first, last)| (first..=last).contains(&event.time)),
        })
        .collect();
    rows.sort_by(|a, b| (a.time, a.id, &a.provider, &a.source).cmp(&(b.time, b.id, &b.provider, &b.source)));
    rows
}

/// The entries, but for those that a further file tells again: a log and what was exported from it, whose times may be in whole
/// seconds. Of one second the file counts that has most.
fn counted_once(events: &[SystemEvent]) -> impl Iterator<Item = &SystemEvent> {
    let key = |event: &SystemEvent| {
        let computer = event.computer.as_deref().map(label);
        (event.time.0 / FileTime::SECOND, event.id, event.provider.to_ascii_lowercase(), computer)
    };
    let mut files: BTreeMap<_, BTreeMap<SourceId, u64>> = BTreeMap::new();
    for event in events {
        *files.entry(key(event)).or_default().entry(event.source).or_default() += 1;
    }
    let most: BTreeMap<_, _> = files
        .into_iter()
        .filter_map(|(key, files)| {
            Some((key, files.into_iter().max_by_key(|(file, count)| (*count, Reverse(*file)))?.0))
        })
        .collect();
    events.iter().filter(move |event| most.get(&key(event)) == Some(&event.source))
}

/// Whether System logs go back to before the traces began, and on from there. Without traces any does.
pub(super) fn log_reach(logs: &[(FileTime, FileTime)], traces: Option<(FileTime, FileTime)>) -> LogReach {
    let covers =
        |(oldest, newest): &(FileTime, FileTime)| traces.is_none_or(|(start, _)| (*oldest..=*newest).contains(&start));
    if logs.iter().any(covers) { LogReach::Whole } else { LogReach::Elsewhere }
}

/// How often the System log says that all TCP and all UDP ports were in use, inside the span of the traces.
pub(super) fn pool_full_events(events: &[SystemEventRow]) -> (u64, u64) {
    let full = |id: u32| {
        let is_it = |event: &&SystemEventRow| event.in_span && is_tcpip(&event.provider) && event.id == id;
        events.iter().filter(is_it).count() as u64
    };
    (full(POOL_FULL.0), full(POOL_FULL.1))
}

/// The same for what listings show: of entries of other days than all of these, none.
pub(super) fn pool_full_beside(events: &[SystemEventRow], listings: &[SocketListing]) -> (u64, u64) {
    let (tcp, udp) = pool_full_events(events);
    let of_days: Vec<&Taken> = listings.iter().filter_map(|listing| listing.taken.as_ref()).collect();
    let is_dated = !listings.is_empty() && of_days.len() == listings.len();
    let mut full = events.iter().filter(|event| event.in_span && event.says_pool_full());
    let is_elsewhere = is_dated && full.all(|event| of_days.iter().all(|taken| is_of_other_day(taken, event.time)));
    if is_elsewhere { (0, 0) } else { (tcp, udp) }
}

/// How often the System log says, inside the span of the traces, that a connection's addresses were used again too soon.
pub(super) fn tuple_reuse_events(events: &[SystemEventRow]) -> u64 {
    let reuse = |event: &&SystemEventRow| is_tcpip(&event.provider) && event.id == TUPLE_REUSE && event.in_span;
    events.iter().filter(reuse).count() as u64
}

/// Whether an entry outside of the span of the traces says that all ports were in use.
pub(super) fn is_full_outside(events: &[SystemEventRow]) -> bool {
    events.iter().any(|event| !event.in_span && event.says_pool_full())
}
