//! The traces of a case and the logs beside them, followed as one: whose events are taken, in which order, and each once.

use std::collections::{BTreeMap, BTreeSet};
use std::slice;

use etl_parser::Trace;

use super::ranges::PoolRanges;
use super::window::Window;
use super::witness::Witness;
use super::{Analysis, Findings, Setting};
use crate::case::boots;
use crate::event::{EventMeta, LoggedEvent, NetEvent};
use crate::pipeline::{Logs, LogsRead, Once, speaking};
use crate::progress::{Progress, Stopped};
use crate::side::facts::SideFacts;
use crate::time::{FileTime, joined};

/// What is known of the sources of a case beforehand.
#[derive(Debug)]
pub struct Sources {
    /// The start of the machine that each trace is of.
    boots: Vec<usize>,
    /// The numbers of the traces of each start, the earliest start first.
    groups: Vec<Vec<usize>>,
    /// Whether the events of each trace belong to the machine that the case is about: they tell about ports, or are of the same
    /// start as a trace that does. Another machine's processes would give names to foreign PIDs.
    belonging: Vec<bool>,
    /// Starts of which traces tell about ports.
    starts: usize,
    /// Two traces may tell of the same events.
    overlap: bool,
    bounds: Option<(FileTime, FileTime)>,
    /// The start that each trace is of which tells about ports, and its span, where its header tells that.
    spans: Vec<(usize, (FileTime, FileTime))>,
    /// Of each start whose traces leave out times: when they go on, sorted.
    resumptions: BTreeMap<usize, Vec<FileTime>>,
    /// Socket events of logs, each once, by time.
    logged: Vec<LoggedEvent>,
}

impl Sources {
    /// Of these traces, and what side files told. Of several traces each is read until it tells about ports.
    ///
    /// # Errors
    ///
    /// [`Stopped`] where `progress` says so.
    pub fn of(traces: &[Trace<'_>], side: &SideFacts, progress: &dyn Progress) -> Result<Self, Stopped> {
        let boots = boots::boots(traces);
        let mut speaks = if traces.len() > 1 { speaking(traces, progress)? } else { vec![true; traces.len()] };
        if !speaks.contains(&true) {
            speaks.fill(true);
        }
        let speaking = || boots.iter().zip(traces).zip(&speaks).filter(|(_, speaks)| **speaks).map(|(trace, _)| trace);
        let mut of_starts: BTreeMap<usize, usize> = BTreeMap::new();
        for (boot, _) in speaking() {
            *of_starts.entry(*boot).or_default() += 1;
        }
        let logged = logged(side);
        let of_log = logged.first().map(|first| first.time).zip(logged.last().map(|last| last.time));
        let bounds = match boots::bounds(speaking().map(|(_, trace)| trace)) {
            Some(bounds) => joined(Some(bounds), of_log),
            None => of_log.filter(|_| traces.is_empty()),
        };
        let spans: Vec<_> = speaking().filter_map(|(boot, trace)| Some((*boot, boots::bounds([trace])?))).collect();
        Ok(Self {
            groups: boots::by_boot(&boots, traces),
            belonging: boots.iter().map(|boot| of_starts.contains_key(boot)).collect(),
            starts: of_starts.len(),
            overlap: of_starts.values().any(|traces| *traces > 1),
            boots,
            bounds,
            resumptions: resumptions(&spans),
            spans,
            logged,
        })
    }

    /// The numbers of the traces that are followed beside each other.
    pub fn groups(&self) -> &[Vec<usize>] {
        &self.groups
    }

    /// The start of the machine that each trace is of, by number.
    pub fn boots(&self) -> &[usize] {
        &self.boots
    }

    /// The socket events of logs, each once, by time: all but those of a time of which traces tell.
    pub fn logged_once(&self, logs: &LogsRead) -> Vec<LoggedEvent> {
        let place = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
        let (before, repeated) = (place(logs.before_repeated), place(logs.repeated));
        let is_repeated = |number: usize| number >= before && number - before < repeated;
        let entries = self.logged.iter().enumerate().filter(|(number, _)| !is_repeated(*number));
        entries.map(|(_, entry)| entry.clone()).collect()
    }

    /// Whether traces of several starts tell of the time before and after the beginning of the window: those that are followed
    /// later are followed from there on alone.
    pub fn starts_inside(&self, window: Window) -> bool {
        let reached = window.since.map(|since| {
            let spans = self.spans.iter().filter(|(_, (start, end))| *start < since && since < *end);
            spans.map(|(boot, _)| *boot).collect::<BTreeSet<_>>()
        });
        reached.is_some_and(|boots| boots.len() > 1)
    }

    /// How many starts of machines the traces tell of.
    pub fn starts(&self) -> usize {
        self.starts
    }
}

/// When the traces of each start go on after a time of which none of them tells.
fn resumptions(spans: &[(usize, (FileTime, FileTime))]) -> BTreeMap<usize, Vec<FileTime>> {
    let mut spans = spans.to_vec();
    spans.sort_unstable();
    let mut resumptions: BTreeMap<usize, Vec<FileTime>> = BTreeMap::new();
    for traces in spans.chunk_by(|(one, _), (other, _)| one == other) {
        let mut told_until = None;
        for (boot, (start, end)) in traces {
            if told_until.is_some_and(|until| *start > until) {
                resumptions.entry(*boot).or_default().push(*start);
            }
            told_until = told_until.max(Some(*end));
        }
    }
    resumptions
}

/// The socket events of all logs, each once, by time.
fn logged(side: &SideFacts) -> Vec<LoggedEvent> {
    let mut logged = side.socket_events.clone();
    logged.sort_by_key(|event| (event.time, event.entry.record, event.entry.source));
    // Two exports of one channel have many entries in common.
    logged.dedup_by(|later, first| {
        (later.time, later.entry.record, later.event) == (first.time, first.entry.record, first.event)
    });
    logged
}

/// Follows the state of the machine through all sources of a case.
#[derive(Debug)]
pub struct Follower<'s, W = ()> {
    analysis: Analysis<W>,
    sources: &'s Sources,
    logs: Logs<'s>,
    /// Where traces may tell of the same events.
    once: Option<Once>,
    /// Of the start at hand, when its traces go on after times of which none tells.
    resumptions: (Option<usize>, slice::Iter<'s, FileTime>),
    /// Nothing but the order of events is to be looked at: as of one trace without logs.
    is_alone: bool,
}

/// What became of what more than one source told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Followed {
    /// What became of the entries of logs.
    pub logs: LogsRead,
    /// Events of traces that another trace had told.
    pub repeated: u64,
}

impl<'s, W: Witness + Default> Follower<'s, W> {
    /// Before the first event; only what lies in `window` is counted.
    pub fn new(sources: &'s Sources, ranges: PoolRanges, window: Window) -> Self {
        let setting = Setting { boots: sources.boots.clone(), bounds: sources.bounds, ranges, window };
        Self {
            analysis: Analysis::new(setting),
            sources,
            logs: Logs::new(&sources.logged),
            once: sources.overlap.then(Once::default),
            resumptions: (None, [].iter()),
            is_alone: !sources.overlap
                && sources.logged.is_empty()
                && sources.resumptions.is_empty()
                && !sources.belonging.contains(&false),
        }
    }
}

impl<W: Witness> Follower<'_, W> {
    /// Takes in an event of a trace. Events must come in the order of [`crate::pipeline::replay`], by [`Sources::groups`].
    #[inline]
    pub fn observe(&mut self, meta: &EventMeta, event: &NetEvent) {
        if self.is_alone || self.is_to_be_followed(meta, event) {
            self.analysis.observe(meta, event);
        }
    }

    /// Whether an event is one of the machine's, told for the first time. What comes before it in logs is taken in.
    #[inline(never)]
    fn is_to_be_followed(&mut self, meta: &EventMeta, event: &NetEvent) -> bool {
        let trace = usize::from(meta.place.trace);
        if self.sources.belonging.get(trace) == Some(&false) {
            return false;
        }
        if let Some(once) = &mut self.once {
            let boot = self.sources.boots.get(trace).copied().unwrap_or_default();
            if !once.is_first(meta, boot, event) {
                return false;
            }
        }
        if !self.sources.resumptions.is_empty() {
            self.resume(trace, meta.time);
        }
        self.logs.before(meta, event, |meta, event| self.analysis.observe(meta, event));
        true
    }

    /// Where traces go on after a time of which none tells, it is not known what happened meanwhile.
    fn resume(&mut self, trace: usize, now: FileTime) {
        let boot = self.sources.boots.get(trace).copied();
        if self.resumptions.0 != boot {
            let times = boot.and_then(|boot| self.sources.resumptions.get(&boot));
            self.resumptions = (boot, times.map(Vec::as_slice).unwrap_or_default().iter());
        }
        let times = &mut self.resumptions.1;
        while times.as_slice().first().is_some_and(|time| now >= *time) {
            times.next();
            self.analysis.were_unseen();
        }
    }

    /// Ends the analysis; also gives the witness.
    pub fn finish(mut self) -> (Findings, W, Followed) {
        self.logs.rest(|meta, event| self.analysis.observe(meta, event));
        let repeated = self.once.map_or(0, |once| once.repeated);
        let followed = Followed { logs: self.logs.read, repeated };
        let (findings, witness) = self.analysis.finish_with_witness();
        (findings, witness, followed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_go_on_where_none_told_of_the_time_before() {
        let at = |seconds: i64| FileTime(seconds * FileTime::SECOND);
        let span = |boot: usize, start: i64, end: i64| (boot, (at(start), at(end)));
        // The second begins within the first, the third after a pause; another start is its own.
        let spans = [span(0, 500, 600), span(0, 0, 100), span(0, 50, 200), span(1, 900, 950), span(0, 700, 800)];
        assert_eq!(resumptions(&spans), BTreeMap::from([(0, vec![at(500), at(700)])]));
    }
}
