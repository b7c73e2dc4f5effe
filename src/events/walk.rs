//! The second pass: the events that are wanted, in time order, and their lines.

use std::io::{self, Write};
use std::iter::Peekable;
use std::slice;

use etl_parser::{Guid, OrderedRecord, Record, Trace};
use rayon::prelude::*;

use super::{Beyond, Choice, Event, EventWriter, Filter, Learned, Origin, RecordOwner, id_of, provider_of};
use crate::event::LoggedEvent;
use crate::pipeline::{Streams, Threads};
use crate::progress::{NoProgress, Progress, Stopped};
use crate::providers::{afd, describes_itself};
use crate::side::facts::SideFacts;
use crate::time::FileTime;
use crate::words::counted;

/// Events whose lines are made at once, and bytes of their records: enough for all threads, little to hold.
const BATCH_EVENTS: usize = 1 << 12;
const BATCH_BYTES: usize = 1 << 20;

/// Events whose lines one thread makes together.
const PIECE_EVENTS: usize = 64;

/// Bytes of records between two looks at whether the walk goes on.
const BYTES_BETWEEN_LOOKS: u64 = 1 << 20;

/// What became of a walk.
#[derive(Debug, Default)]
pub struct Walked {
    /// Places that could not be read.
    pub damaged: u64,
    /// Ids that the filter names and no record of its providers has.
    pub missing_ids: Vec<u16>,
    /// Providers that the filter names and the traces do not hold, as they may be shown.
    pub missing_providers: Vec<String>,
}

impl Walked {
    /// What is to be known beside the lines, a sentence each. Of `see outofports info`, a page shows the same.
    pub fn remarks(&self, filter: &Filter, learned: &Learned, side: &SideFacts) -> Vec<String> {
        let mut remarks = Vec::new();
        for provider in &self.missing_providers {
            remarks.push(format!("no event of provider {provider} is in the trace: see outofports info"));
        }
        // Of a provider that is not there, no id is.
        let missing_ids = self.missing_ids.iter().filter(|_| self.missing_providers.is_empty());
        let of = if filter.providers.is_empty() { "" } else { " of the provider asked for" };
        remarks.extend(missing_ids.map(|id| format!("no event with id {id}{of} is in the trace: see outofports info")));
        let not_listed: u64 = side.afd_logs.iter().map(|log| log.entries.saturating_sub(log.used)).sum();
        if not_listed > 0 {
            let count = counted(not_listed, "event");
            remarks.push(format!(
                "{count} of the log of Winsock-AFD's channel: of other ids, or of a form that is not known; not listed"
            ));
        }
        if let Some(Beyond { failures, owners }) = learned.owners.as_ref().map(|owners| owners.beyond) {
            if failures > 0 {
                remarks.push(format!("{} more than can be listed: left out", counted(failures, "failure")));
            }
            if owners {
                remarks.push("more sockets than can be followed: some owners are shown as unknown".to_owned());
            }
        }
        if self.damaged > 0 {
            remarks.push(format!("{} damaged places could not be read: see outofports info", self.damaged));
        }
        remarks
    }
}

/// Shows the events that `choice` lets through to `show`, in time order across all traces and logs.
///
/// # Errors
///
/// Those of `show`, which end the walk.
pub fn walk(
    traces: &[Trace<'_>],
    learned: &Learned,
    choice: &Choice<'_>,
    mut show: impl FnMut(&Event<'_>) -> io::Result<()>,
) -> io::Result<Walked> {
    let mut walk = Walk::new(traces, learned, choice, &NoProgress);
    for candidate in &mut walk {
        if let Some(event) = learned.event(choice.filter, candidate.said, candidate.told()) {
            show(&event)?;
        }
    }
    Ok(walk.finish())
}

/// Tells `found` the places of the events that `choice` lets through, in time order across all traces and logs.
///
/// # Errors
///
/// [`Stopped`] where `progress` says so.
pub(super) fn find(
    traces: &[Trace<'_>],
    learned: &Learned,
    choice: &Choice<'_>,
    progress: &dyn Progress,
    mut found: impl FnMut(Told<'_>),
) -> Result<Walked, Stopped> {
    progress.expect(traces.iter().map(|trace| trace.bytes().len() as u64).sum());
    let decides = choice.filter.is_of_failures() || choice.filter.needs_content();
    let mut walk = Walk::new(traces, learned, choice, progress);
    for candidate in &mut walk {
        if !decides || learned.event(choice.filter, candidate.said, candidate.told()).is_some() {
            found(candidate.told());
        }
    }
    if walk.is_stopped { Err(Stopped) } else { Ok(walk.finish()) }
}

/// Writes the lines of the events that `choice` lets through, in time order across all traces and logs. The lines are made on
/// `threads`, unless one depends on those before it.
///
/// # Errors
///
/// What `out` and `writer` say, which ends the walk.
pub fn write(
    traces: &[Trace<'_>],
    learned: &Learned,
    choice: &Choice<'_>,
    writer: &dyn EventWriter,
    threads: &Threads,
    out: &mut dyn Write,
) -> io::Result<Walked> {
    if threads.count() == 1 || writer.depends_on_order() {
        return walk(traces, learned, choice, |event| writer.write(event, out));
    }
    let lines_of = |candidates: &[Candidate<'_>]| {
        let mut lines = Vec::new();
        for candidate in candidates {
            if let Some(event) = learned.event(choice.filter, candidate.said, candidate.told()) {
                writer.write(&event, &mut lines)?;
            }
        }
        Ok(lines)
    };
    let mut walk = Walk::new(traces, learned, choice, &NoProgress);
    let mut batch = walk.batch();
    let mut lines: Vec<io::Result<Vec<u8>>> = Vec::new();
    while !batch.is_empty() || !lines.is_empty() {
        let make = || batch.par_chunks(PIECE_EVENTS).map(lines_of).collect();
        let (made, written) = threads.beside(
            || rayon::join(|| walk.batch(), make),
            || lines.drain(..).try_for_each(|lines| out.write_all(&lines?)),
        );
        written?;
        (batch, lines) = made;
    }
    Ok(walk.finish())
}

/// The events that are wanted by what they say of themselves, in time order.
struct Walk<'t, 'a> {
    choice: &'t Choice<'t>,
    traces: &'t [Trace<'a>],
    streams: Streams<'t, 'a>,
    entries: Peekable<slice::Iter<'t, LoggedEvent>>,
    walked: Walked,
    progress: &'t dyn Progress,
    /// Bytes of records that were looked at and not told yet.
    looked_at: u64,
    is_stopped: bool,
}

/// An event that is wanted by what it says of itself.
struct Candidate<'t> {
    said: Said,
    from: Source<'t>,
}

enum Source<'t> {
    Record { trace: usize, record: OrderedRecord<'t> },
    Entry(&'t LoggedEvent),
}

/// What tells of an event, before it is decoded.
#[derive(Clone, Copy)]
pub(super) enum Told<'e> {
    /// A record of the trace of this number.
    Record(usize, Record<'e>),
    /// An entry of a log.
    Entry(&'e LoggedEvent),
}

/// What a record or an entry says of itself.
#[derive(Clone, Copy)]
pub(super) struct Said {
    provider: Option<Guid>,
    id: Option<u16>,
    pid: Option<u32>,
    time: Option<FileTime>,
}

impl<'t, 'a> Walk<'t, 'a> {
    fn new(traces: &'t [Trace<'a>], learned: &'t Learned, choice: &'t Choice<'_>, progress: &'t dyn Progress) -> Self {
        let mut walked = Walked {
            damaged: 0,
            missing_ids: choice.filter.ids.clone(),
            missing_providers: choice.providers.missing.clone(),
        };
        walked.missing_ids.sort_unstable();
        walked.missing_ids.dedup();
        Self {
            choice,
            traces,
            streams: Streams::new(traces),
            entries: learned.logged.iter().peekable(),
            walked,
            progress,
            looked_at: 0,
            is_stopped: false,
        }
    }

    fn finish(self) -> Walked {
        Walked { damaged: self.streams.damaged, ..self.walked }
    }

    /// Some of them; none at the end.
    fn batch(&mut self) -> Vec<Candidate<'t>> {
        let mut batch = Vec::new();
        let mut bytes = 0;
        while bytes < BATCH_BYTES
            && batch.len() < BATCH_EVENTS
            && let Some(candidate) = self.next()
        {
            if let Source::Record { record, .. } = &candidate.from {
                bytes += record.record().bytes().len();
            }
            batch.push(candidate);
        }
        batch
    }
}

impl<'t> Iterator for Walk<'t, '_> {
    type Item = Candidate<'t>;

    fn next(&mut self) -> Option<Candidate<'t>> {
        loop {
            let next = self.streams.next_time();
            let candidate = match self.entries.next_if(|entry| next.is_none_or(|(time, _)| entry.time < time)) {
                Some(entry) => Candidate::of_entry(entry),
                None => {
                    let (number, record) = self.streams.next()?;
                    self.looked_at += record.record().bytes().len() as u64;
                    if self.looked_at >= BYTES_BETWEEN_LOOKS {
                        self.progress.advance(std::mem::take(&mut self.looked_at));
                        self.is_stopped |= self.progress.should_stop();
                    }
                    if self.is_stopped {
                        return None;
                    }
                    Candidate::of_record(number, self.traces.get(number)?, record, self.choice.filter)
                }
            };
            if self.choice.admits(candidate.said, &mut self.walked.missing_ids) {
                return Some(candidate);
            }
        }
    }
}

impl<'t> Candidate<'t> {
    fn of_entry(entry: &'t LoggedEvent) -> Self {
        Self { said: Said::of_entry(entry), from: Source::Entry(entry) }
    }

    fn of_record(number: usize, trace: &Trace<'_>, ordered: OrderedRecord<'t>, filter: &Filter) -> Self {
        let said = Said::of_record(&ordered.record(), trace, filter);
        Self { said, from: Source::Record { trace: number, record: ordered } }
    }

    fn told(&self) -> Told<'_> {
        match &self.from {
            Source::Record { trace, record } => Told::Record(*trace, record.record()),
            Source::Entry(entry) => Told::Entry(entry),
        }
    }
}

impl Said {
    pub(super) fn of_entry(entry: &LoggedEvent) -> Self {
        Self { provider: Some(afd::PROVIDER), id: Some(entry.id), pid: entry.header_pid, time: Some(entry.time) }
    }

    pub(super) fn of_record(record: &Record<'_>, trace: &Trace<'_>, filter: &Filter) -> Self {
        Self {
            provider: provider_of(record),
            // An event that describes itself has no manifest's id.
            id: if filter.ids.is_empty() { None } else { id_of(record).filter(|_| !describes_itself(record)) },
            pid: record.process_id(),
            time: record.ticks().map(|ticks| trace.clock().file_time(ticks)),
        }
    }
}

impl Choice<'_> {
    /// Whether an event is wanted by what it says of itself. An id that is asked for and found is no more missing.
    fn admits(&self, said: Said, missing_ids: &mut Vec<u16>) -> bool {
        let Self { filter, providers } = self;
        if !filter.providers.is_empty() && !said.provider.is_some_and(|provider| providers.guids.contains(&provider)) {
            return false;
        }
        if !filter.ids.is_empty() {
            let Some(id) = said.id.filter(|id| filter.ids.contains(id)) else { return false };
            missing_ids.retain(|missing| *missing != id);
        }
        let is_of_header = |pid| filter.header_pids.contains(&pid);
        if !filter.header_pids.is_empty() && !said.pid.is_some_and(is_of_header) {
            return false;
        }
        filter.admits_time(said.time)
    }
}

impl Learned {
    /// The event, decoded and with its owner, unless that or its status is not wanted.
    pub(super) fn event<'e>(&'e self, filter: &Filter, said: Said, told: Told<'e>) -> Option<Event<'e>> {
        let Said { provider, time, .. } = said;
        let failure = self.failure(said, told);
        if filter.is_of_failures() && failure.is_none() {
            return None;
        }
        let origin = match told {
            Told::Entry(entry) => Origin::Entry(entry),
            Told::Record(trace, record) => {
                Origin::Record { trace, record, decoded: self.schemas.get(trace)?.decode(record) }
            }
        };
        let mut event = Event { time, provider, origin, owner: failure };
        if event.owner.is_none() {
            event.owner = self.owner(&event);
        }
        (filter.admits_owner(&event) && filter.admits_status(&event)).then_some(event)
    }

    /// The owner of a failure that counts; `None` for all other events.
    fn failure(&self, said: Said, told: Told<'_>) -> Option<RecordOwner<'_>> {
        let owners = self.owners.as_ref()?;
        match told {
            Told::Entry(entry) => owners.logged_failure(entry.entry),
            Told::Record(trace, record) if said.provider == Some(afd::PROVIDER) => owners.failure(trace, &record),
            Told::Record(..) => None,
        }
    }
}
