//! The second pass: the events that are wanted, in time order, and their lines.

use std::io::{self, Write};
use std::iter::Peekable;
use std::slice;

use etl_parser::{Guid, OrderedRecord, Trace};
use rayon::prelude::*;

use super::{Choice, Event, EventWriter, Filter, Learned, Origin, RecordOwner, id_of, provider_of};
use crate::event::LoggedEvent;
use crate::pipeline::{Streams, Threads};
use crate::providers::{afd, describes_itself};
use crate::time::FileTime;

/// Events whose lines are made at once, and bytes of their records: enough for all threads, little to hold.
const BATCH_EVENTS: usize = 1 << 12;
const BATCH_BYTES: usize = 1 << 20;

/// Events whose lines one thread makes together.
const PIECE_EVENTS: usize = 64;

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
    let mut walk = Walk::new(traces, learned, choice);
    for candidate in &mut walk {
        if let Some(event) = learned.event(choice.filter, &candidate) {
            show(&event)?;
        }
    }
    Ok(walk.finish())
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
            if let Some(event) = learned.event(choice.filter, candidate) {
                writer.write(&event, &mut lines)?;
            }
        }
        Ok(lines)
    };
    let mut walk = Walk::new(traces, learned, choice);
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

/// What a record or an entry says of itself.
#[derive(Clone, Copy)]
struct Said {
    provider: Option<Guid>,
    id: Option<u16>,
    pid: Option<u32>,
    time: Option<FileTime>,
}

impl<'t, 'a> Walk<'t, 'a> {
    fn new(traces: &'t [Trace<'a>], learned: &'t Learned, choice: &'t Choice<'_>) -> Self {
        let mut walked = Walked {
            damaged: 0,
            missing_ids: choice.filter.ids.clone(),
            missing_providers: choice.providers.missing.clone(),
        };
        walked.missing_ids.sort_unstable();
        walked.missing_ids.dedup();
        Self { choice, traces, streams: Streams::new(traces), entries: learned.logged.iter().peekable(), walked }
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
        let said =
            Said { provider: Some(afd::PROVIDER), id: Some(entry.id), pid: entry.header_pid, time: Some(entry.time) };
        Self { said, from: Source::Entry(entry) }
    }

    fn of_record(number: usize, trace: &Trace<'_>, ordered: OrderedRecord<'t>, filter: &Filter) -> Self {
        let record = ordered.record();
        let said = Said {
            provider: provider_of(&record),
            // An event that describes itself has no manifest's id.
            id: if filter.ids.is_empty() { None } else { id_of(&record).filter(|_| !describes_itself(&record)) },
            pid: record.process_id(),
            time: record.ticks().map(|ticks| trace.clock().file_time(ticks)),
        };
        Self { said, from: Source::Record { trace: number, record: ordered } }
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
    fn event<'e>(&'e self, filter: &Filter, candidate: &'e Candidate<'_>) -> Option<Event<'e>> {
        let Said { provider, time, .. } = candidate.said;
        let failure = self.failure(candidate);
        if filter.is_of_failures() && failure.is_none() {
            return None;
        }
        let origin = match &candidate.from {
            Source::Entry(entry) => Origin::Entry(entry),
            Source::Record { trace, record } => {
                let record = record.record();
                Origin::Record { trace: *trace, record, decoded: self.schemas.get(*trace)?.decode(record) }
            }
        };
        let mut event = Event { time, provider, origin, owner: failure };
        if event.owner.is_none() {
            event.owner = self.owner(&event);
        }
        (filter.admits_owner(&event) && filter.admits_status(&event)).then_some(event)
    }

    /// The owner of a failure that counts; `None` for all other events.
    fn failure(&self, candidate: &Candidate<'_>) -> Option<RecordOwner<'_>> {
        let owners = self.owners.as_ref()?;
        match &candidate.from {
            Source::Entry(entry) => owners.logged_failure(entry.entry),
            Source::Record { trace, record } if candidate.said.provider == Some(afd::PROVIDER) => {
                owners.failure(*trace, &record.record())
            }
            Source::Record { .. } => None,
        }
    }
}
