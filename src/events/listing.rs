//! The events that a filter lets through, found once, of which any part can be shown: for a list that people scroll.
//!
//! What is kept of an event is its place. Lines are made when somebody looks at them, so that millions of events take little
//! memory, and the last is as near as the first.

use std::io::{self, Write};
use std::ops::Range;

use etl_parser::{Buffer, Record, Trace};

use super::walk::{Said, Told, find};
use super::{Choice, EventWriter, Learned, Walked};
use crate::event::LoggedEvent;
use crate::progress::{Progress, Stopped};

/// Events of one listing: 384 MiB of places. A trace of a gigabyte holds some ten millions.
const MAX_EVENTS: usize = 1 << 25;

/// Where an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    /// Number of the trace; [`LOG`] for an entry of a log.
    trace: u32,
    /// Position of the buffer in the trace; of an entry its number.
    buffer: u32,
    /// Where the record begins in the buffer.
    pos: u32,
}

/// In place of a trace's number.
const LOG: u32 = u32::MAX;

/// The places of events, in the order in which [`write`](super::write()) writes them.
#[derive(Debug)]
pub struct Listing {
    places: Vec<Place>,
    /// What became of the walk that found them.
    pub walked: Walked,
    /// There are more than are listed.
    pub is_cut: bool,
}

impl Listing {
    /// Finds the events that `choice` lets through.
    ///
    /// # Errors
    ///
    /// [`Stopped`] where `progress` says so.
    pub fn new(
        traces: &[Trace<'_>],
        learned: &Learned,
        choice: &Choice<'_>,
        progress: &dyn Progress,
    ) -> Result<Self, Stopped> {
        let mut places = Vec::new();
        let mut is_cut = false;
        // Entries come by time, as they stand in the list.
        let mut entries = 0;
        let walked = find(traces, learned, choice, progress, |told| {
            let place = match told {
                Told::Record(trace, record) => place(traces, trace, &record),
                Told::Entry(entry) => place_of_entry(&learned.logged, entry, &mut entries),
            };
            match place {
                Some(place) if places.len() < MAX_EVENTS => places.push(place),
                _ => is_cut = true,
            }
        })?;
        places.shrink_to_fit();
        Ok(Self { places, walked, is_cut })
    }

    /// How many events there are.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Writes the lines of a part of the events; `traces`, `learned` and `choice` are those that the listing was made of.
    ///
    /// # Errors
    ///
    /// What `writer` and `out` say.
    pub fn write(
        &self,
        part: Range<usize>,
        traces: &[Trace<'_>],
        learned: &Learned,
        choice: &Choice<'_>,
        writer: &dyn EventWriter,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let part = part.start.min(self.len())..part.end.min(self.len());
        let mut wanted: Vec<(Place, usize)> =
            self.places.get(part).unwrap_or_default().iter().copied().zip(0..).collect();
        // Each buffer is opened once, whatever the order of its events among those of others.
        wanted.sort_unstable();
        let mut lines: Vec<Vec<u8>> = vec![Vec::new(); wanted.len()];
        let mut scratch = Vec::new();
        for of_buffer in wanted.chunk_by(|(one, _), (other, _)| (one.trace, one.buffer) == (other.trace, other.buffer))
        {
            let Some((first, _)) = of_buffer.first() else { continue };
            let (number, position) = (first.trace as usize, first.buffer as usize);
            let mut write = |line: usize, said: Said, told: Told<'_>| {
                let event = learned.event(choice.filter, said, told);
                match event.zip(lines.get_mut(line)) {
                    Some((event, line)) => writer.write(&event, line),
                    None => Ok(()),
                }
            };
            if first.trace == LOG {
                let Some(entry) = learned.logged.get(position) else { continue };
                of_buffer.iter().try_for_each(|(_, line)| write(*line, Said::of_entry(entry), Told::Entry(entry)))?;
                continue;
            }
            let Some(trace) = traces.get(number) else { continue };
            let Ok(buffer) = trace.buffer(position, &mut scratch) else { continue };
            for (record, line) in records(&buffer, of_buffer) {
                write(line, Said::of_record(&record, trace, choice.filter), Told::Record(number, record))?;
            }
        }
        lines.iter().try_for_each(|line| out.write_all(line))
    }
}

/// The records of a buffer at places that rise, each with the number beside its place.
fn records<'b>(buffer: &Buffer<'b>, places: &[(Place, usize)]) -> Vec<(Record<'b>, usize)> {
    let mut wanted = places.iter().peekable();
    let mut found = Vec::with_capacity(places.len());
    for record in buffer.records().map_while(Result::ok) {
        if let Some((_, line)) = wanted.next_if(|(place, _)| place.pos == record.pos()) {
            found.push((record, *line));
        }
        if wanted.peek().is_none() {
            break;
        }
    }
    found
}

fn place(traces: &[Trace<'_>], number: usize, record: &Record<'_>) -> Option<Place> {
    let buffers = traces.get(number)?.buffers();
    // Buffers stand by their number in the file, nearly always without a gap.
    let index = record.buffer();
    let is_there = |position: &usize| buffers.get(*position).is_some_and(|info| info.index == index);
    let position = Some(index as usize).filter(is_there);
    let position = position.or_else(|| buffers.binary_search_by_key(&index, |info| info.index).ok())?;
    Some(Place { trace: u32::try_from(number).ok()?, buffer: u32::try_from(position).ok()?, pos: record.pos() })
}

fn place_of_entry(logged: &[LoggedEvent], entry: &LoggedEvent, next: &mut usize) -> Option<Place> {
    let behind = logged.get(*next..)?.iter().position(|other| other.entry == entry.entry)?;
    *next += behind + 1;
    Some(Place { trace: LOG, buffer: u32::try_from(*next - 1).ok()?, pos: 0 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::{Case, Contents};
    use crate::events::{Filter, Names, TextWriter, learn, parse_provider, write};
    use crate::pipeline::Threads;
    use crate::progress::NoProgress;

    /// Lines of a case, all at once, and in parts of so many.
    fn lines(case: &Case, filter: &Filter, at_once: usize) -> (String, String) {
        let contents = Contents::open(case, &NoProgress).unwrap();
        let traces: Vec<_> = contents.index().traces.into_iter().map(|opened| opened.trace).collect();
        let learned = learn(&traces, &contents.side, filter, &NoProgress).unwrap();
        let choice = learned.choose(filter).unwrap();
        let threads = Threads::start(1).unwrap();
        let writer = TextWriter { names: Names::new(Vec::new(), &contents.side_inputs, None), ..TextWriter::default() };
        let (mut whole, mut parts) = (Vec::new(), Vec::new());
        write(&traces, &learned, &choice, &writer, &threads, &mut whole).unwrap();
        let listing = Listing::new(&traces, &learned, &choice, &NoProgress).unwrap();
        for start in (0..listing.len()).step_by(at_once) {
            let part = start..start + at_once;
            listing.write(part, &traces, &learned, &choice, &writer, &mut parts).unwrap();
        }
        (String::from_utf8(whole).unwrap(), String::from_utf8(parts).unwrap())
    }

    #[test]
    fn parts_are_the_lines_that_are_written_at_once() {
        let all = || Filter { all: true, ..Filter::default() };
        let of_tcpip = || Filter { providers: vec![parse_provider("tcpip").unwrap()], ..Filter::default() };
        let leak = synth::write("leak").unwrap().trace;
        let packed = synth::write("compressed").unwrap().trace;
        let both = Case::from_bytes("leak.etl", leak.clone()).with_bytes("compressed.etl", packed.clone());
        for (case, filter, at_once, least) in [
            (Case::from_bytes("leak.etl", leak), Filter::default(), 7, 301),
            (Case::from_bytes("compressed.etl", packed), all(), 3, 10),
            (both.clone(), all(), 9_973, 10_000),
            (both, of_tcpip(), 1, 0),
        ] {
            let (whole, parts) = lines(&case, &filter, at_once);
            assert!(whole.lines().count() >= least, "{} lines", whole.lines().count());
            assert!(whole == parts, "{least} {at_once}");
        }
    }
}
