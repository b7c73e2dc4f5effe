//! Merges the events of all buffers by time.

use std::collections::{VecDeque, vec_deque};
use std::slice;
use std::sync::Arc;

use super::read::{BufferEvents, Logged};
use crate::event::{EventMeta, NetEvent};
use crate::time::FileTime;

/// Puts the events of all buffers into one order by time, holding back only what a later buffer may still precede.
///
/// The order: by time; at the same time by trace, then by raw time stamp, then by processor, then as they stand. A
/// processor's own order is never changed: [`etl_parser::BufferInfo::order_ticks`] says what time a record counts with.
#[derive(Debug, Default)]
pub struct TimeOrder {
    /// By trace and processor.
    streams: Vec<Stream>,
    /// Where the streams go on, of one trace and of several. Kept for their memory alone.
    packed: Tournament<u64>,
    heads: Tournament<Head>,
}

/// The events of one processor in one trace that have come and not gone yet.
#[derive(Debug)]
struct Stream {
    trace: usize,
    cpu: u16,
    buffers: VecDeque<Arc<BufferEvents>>,
    /// The next event of the first buffer.
    next: usize,
}

/// Events of some buffers, in one order.
#[derive(Debug, Default)]
pub struct Ordered {
    parts: Vec<Part>,
    /// Of which part the next event is, for each event.
    order: Vec<u32>,
}

/// Events of one buffer that follow each other in it, though others may stand between them in the order.
#[derive(Debug)]
struct Part {
    buffer: Arc<BufferEvents>,
    /// Number of the first in its buffer.
    from: usize,
}

impl Ordered {
    /// Gives all events to `observe`.
    pub fn each(&self, mut observe: impl FnMut(&EventMeta, &NetEvent)) {
        let mut rests: Vec<(EventMeta, &BufferEvents, slice::Iter<'_, Logged>)> = Vec::with_capacity(self.parts.len());
        rests.extend(
            self.parts.iter().map(|Part { buffer, from }| (buffer.meta(), &**buffer, buffer.events_from(*from).iter())),
        );
        for part in &self.order {
            let Some((meta, buffer, rest)) = rests.get_mut(*part as usize) else { continue };
            let Some(logged) = rest.next() else { continue };
            buffer.set_meta(meta, logged);
            observe(meta, &logged.event);
        }
    }

    /// Another part, and its number.
    fn begin(&mut self, buffer: &Arc<BufferEvents>, from: usize) -> u32 {
        self.parts.push(Part { buffer: Arc::clone(buffer), from });
        self.parts.len() as u32 - 1
    }
}

/// How far the events of a stream that are due have been given.
struct Cursor<'b> {
    trace: usize,
    buffer: Option<&'b Arc<BufferEvents>>,
    /// Which part the buffer's events are, once one of them has been given.
    part: Option<u32>,
    /// What is due of the buffer, and not given yet.
    rest: &'b [Logged],
    later: vec_deque::Iter<'b, Arc<BufferEvents>>,
    /// Before this time events are due; `None` for all.
    not_before: Option<FileTime>,
    /// Buffers of which nothing is left.
    passed: usize,
    /// Of the buffer behind those, how many events have been given before, and are to be in all.
    due: (usize, usize),
}

impl<'b> Cursor<'b> {
    fn new(stream: &'b Stream, not_before: Option<FileTime>) -> Self {
        let later = stream.buffers.iter();
        let mut cursor = Self {
            trace: stream.trace,
            buffer: None,
            part: None,
            rest: &[],
            later,
            not_before,
            passed: 0,
            due: (0, 0),
        };
        cursor.begin(stream.next);
        cursor
    }

    /// Goes on with the next buffer, from this event on. No buffer that is kept is empty.
    fn begin(&mut self, from: usize) {
        self.part = None;
        self.buffer = self.later.next();
        let events = self.buffer.map_or(&[][..], |buffer| buffer.events_from(from));
        let is_due = |logged: &Logged| self.not_before.is_none_or(|not_before| logged.order < not_before);
        // Orders never go back.
        let due = if events.last().is_some_and(is_due) { events.len() } else { events.partition_point(is_due) };
        self.rest = events.get(..due).unwrap_or(events);
        self.due = (from, from + due);
    }

    /// The next event.
    #[inline]
    fn next(&self) -> Option<&'b Logged> {
        self.rest.first()
    }

    /// The last event, due or not.
    fn last(&self) -> Option<&'b Logged> {
        self.later.clone().next_back().or(self.buffer)?.events_from(0).last()
    }

    /// Puts the next event behind those that are `ordered`.
    #[inline]
    fn give(&mut self, ordered: &mut Ordered) {
        let Some((_, rest)) = self.rest.split_first() else { return };
        let part = match self.part {
            Some(part) => part,
            None => self.begin_part(ordered),
        };
        ordered.order.push(part);
        self.rest = rest;
        if rest.is_empty() {
            self.go_on();
        }
    }

    #[inline(never)]
    fn begin_part(&mut self, ordered: &mut Ordered) -> u32 {
        let part = self.buffer.map_or(0, |buffer| ordered.begin(buffer, self.due.0));
        self.part = Some(part);
        part
    }

    /// To the next buffer, where all of this one is due.
    #[inline(never)]
    fn go_on(&mut self) {
        if self.buffer.is_some_and(|buffer| self.due.1 == buffer.count()) {
            self.passed += 1;
            self.begin(0);
        }
    }

    /// Buffers of which nothing is left, and how many events of the one behind them have been given.
    fn place(&self) -> (usize, usize) {
        (self.passed, if self.buffer.is_some() { self.due.1 } else { 0 })
    }
}

impl Stream {
    /// Forgets what has been given.
    fn pass(&mut self, (buffers, events): (usize, usize)) {
        self.buffers.drain(..buffers.min(self.buffers.len()));
        self.next = events;
    }
}

impl TimeOrder {
    /// Takes in a buffer's events. Buffers of one processor must come in their order.
    pub fn push(&mut self, trace_number: usize, buffer: BufferEvents) {
        if buffer.events_from(0).is_empty() {
            return;
        }
        let key = (trace_number, buffer.cpu);
        let at = self.streams.binary_search_by_key(&key, |stream| (stream.trace, stream.cpu));
        let at = at.unwrap_or_else(|at| {
            let buffers = VecDeque::new();
            self.streams.insert(at, Stream { trace: trace_number, cpu: buffer.cpu, buffers, next: 0 });
            at
        });
        if let Some(stream) = self.streams.get_mut(at) {
            stream.buffers.push_back(Arc::new(buffer));
        }
    }

    /// Takes out the events that nothing can precede any more: those before `not_before`.
    pub fn release(&mut self, not_before: FileTime) -> Ordered {
        let mut ordered = Ordered::default();
        if not_before == FileTime(i64::MIN) {
            return ordered;
        }
        let not_before = Some(not_before).filter(|not_before| *not_before != FileTime(i64::MAX));
        let mut cursors: Vec<Cursor<'_>> = self.streams.iter().map(|stream| Cursor::new(stream, not_before)).collect();
        match Packed::of(&cursors) {
            Some(packed) => {
                merge(&mut cursors, &mut self.packed, &mut ordered, |cursor, stream| packed.key(cursor, stream));
            }
            None => merge(&mut cursors, &mut self.heads, &mut ordered, Head::of),
        }
        let places: Vec<(usize, usize)> = cursors.iter().map(Cursor::place).collect();
        drop(cursors);
        self.streams.iter_mut().zip(places).for_each(|(stream, place)| stream.pass(place));
        // Of many traces one after the other, those that are over must cost nothing.
        self.streams.retain(|stream| !stream.buffers.is_empty());
        ordered
    }
}

/// Gives all events of some streams, in the order of the keys of their next ones.
fn merge<K: Key>(
    cursors: &mut [Cursor<'_>],
    heads: &mut Tournament<K>,
    ordered: &mut Ordered,
    key: impl Fn(&Cursor<'_>, usize) -> K,
) {
    let mut first = heads.begin(cursors.iter().enumerate().map(|(stream, cursor)| key(cursor, stream)));
    while first != K::END {
        let stream = first.stream();
        let Some(cursor) = cursors.get_mut(stream) else { break };
        cursor.give(ordered);
        first = heads.next(stream, key(cursor, stream));
    }
}

/// Where a stream goes on: the smallest is first.
trait Key: Copy + Ord {
    /// Of a stream that is at its end: larger than all others.
    const END: Self;

    /// Number of the stream.
    fn stream(self) -> usize;
}

/// Where one of several traces goes on. The fields stand in the order in which they are compared; streams stand by trace and
/// processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Head {
    is_at_end: bool,
    time: FileTime,
    trace: usize,
    ticks: i64,
    stream: usize,
}

impl Head {
    #[inline]
    fn of(cursor: &Cursor<'_>, stream: usize) -> Self {
        cursor.next().map_or(Self::END, |Logged { order, ticks, .. }| Self {
            is_at_end: false,
            time: *order,
            trace: cursor.trace,
            ticks: *ticks,
            stream,
        })
    }
}

impl Key for Head {
    const END: Self = Self { is_at_end: true, time: FileTime(i64::MAX), trace: 0, ticks: 0, stream: 0 };

    #[inline]
    fn stream(self) -> usize {
        self.stream
    }
}

/// Where one trace goes on: ticks and number of the stream in one. Of one trace the ticks alone tell the time.
#[derive(Debug, Clone, Copy)]
struct Packed {
    /// Of the first event.
    ticks: i64,
}

impl Packed {
    /// Bits of the number of a stream. No machine has as many processors.
    const STREAM_BITS: u32 = 12;

    /// Where all events are of one trace, and not too far apart.
    fn of(cursors: &[Cursor<'_>]) -> Option<Self> {
        let ticks = cursors.iter().filter_map(|cursor| cursor.next().map(|logged| logged.ticks)).min()?;
        let last = cursors.iter().filter_map(|cursor| cursor.last().map(|logged| logged.ticks)).max()?;
        let is_of_one = cursors.iter().all(|cursor| Some(cursor.trace) == cursors.first().map(|first| first.trace));
        let is_near = last.checked_sub(ticks).is_some_and(|ticks| ticks < 1 << (62 - Self::STREAM_BITS));
        (is_of_one && is_near && cursors.len() < 1 << Self::STREAM_BITS).then_some(Self { ticks })
    }

    #[inline]
    fn key(self, cursor: &Cursor<'_>, stream: usize) -> u64 {
        cursor.next().map_or(u64::END, |logged| {
            (logged.ticks.wrapping_sub(self.ticks) as u64) << Self::STREAM_BITS | stream as u64
        })
    }
}

impl Key for u64 {
    const END: Self = Self::MAX;

    #[inline]
    fn stream(self) -> usize {
        (self & ((1 << Packed::STREAM_BITS) - 1)) as usize
    }
}

/// Which of several heads is first, by matches of two: once the first has been taken, only those that it had won are played again.
#[derive(Debug)]
struct Tournament<K> {
    /// Who lost each match. The matches before number `n` are those of the winners of numbers `2 n` and `2 n + 1`, and from half of
    /// the streams on those of two streams.
    losers: Vec<K>,
    /// Who won each, when all are played at the beginning. Kept for its memory alone.
    winners: Vec<K>,
}

impl<K> Default for Tournament<K> {
    fn default() -> Self {
        Self { losers: Vec::new(), winners: Vec::new() }
    }
}

impl<K: Key> Tournament<K> {
    /// Plays all matches of these streams, and gives who is first.
    fn begin(&mut self, heads: impl ExactSizeIterator<Item = K>) -> K {
        let places = heads.len().next_power_of_two();
        let Self { losers, winners } = self;
        losers.clear();
        losers.resize(places, K::END);
        winners.clear();
        winners.resize(places, K::END);
        winners.extend(heads);
        winners.resize(2 * places, K::END);
        for number in (1..places).rev() {
            let (Some(one), Some(other)) = (winners.get(2 * number), winners.get(2 * number + 1)) else { continue };
            let (winner, loser) = (*one.min(other), *one.max(other));
            if let (Some(won), Some(lost)) = (winners.get_mut(number), losers.get_mut(number)) {
                (*won, *lost) = (winner, loser);
            }
        }
        winners.get(1).copied().unwrap_or(K::END)
    }

    /// The stream that was first goes on with another head: gives who is first now.
    #[inline]
    fn next(&mut self, stream: usize, mut head: K) -> K {
        let mut number = (self.losers.len() + stream) / 2;
        while number > 0
            && let Some(lost) = self.losers.get_mut(number)
        {
            let winner = head.min(*lost);
            *lost = head.max(*lost);
            head = winner;
            number /= 2;
        }
        head
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Key for (i64, usize) {
        const END: Self = (i64::MAX, usize::MAX);

        fn stream(self) -> usize {
            self.1
        }
    }

    #[test]
    fn a_tournament_gives_the_smallest_first() {
        let streams: [&[i64]; 5] = [&[1, 4, 9, 9], &[], &[2, 3, 9, i64::MAX], &[i64::MIN, 9], &[9]];
        let next = |passed: &[usize; 5], stream: usize| {
            streams[stream].get(passed[stream]).map_or(Key::END, |time| (*time, stream))
        };
        let mut passed = [0; 5];
        let mut heads = Tournament::default();
        let mut first = heads.begin((0..5).map(|stream| next(&passed, stream)));
        let mut given = Vec::new();
        while first != Key::END {
            given.push(first);
            passed[first.1] += 1;
            first = heads.next(first.1, next(&passed, first.1));
        }
        let mut all: Vec<(i64, usize)> =
            (0..5).flat_map(|stream| streams[stream].iter().map(move |time| (*time, stream))).collect();
        all.sort_unstable();
        assert_eq!(given, all);
        assert_eq!(Tournament::<u64>::default().begin(std::iter::empty()), u64::END);
    }
}
