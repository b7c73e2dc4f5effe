//! Merges the events of all buffers by time.

use std::collections::{VecDeque, vec_deque};
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
    /// The next event of each stream that has one. Kept for its memory alone.
    heads: Heads,
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

/// Where a stream goes on. The fields stand in the order in which they are compared; streams stand by trace and processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Head {
    time: FileTime,
    trace: usize,
    ticks: i64,
    stream: usize,
}

impl Head {
    /// Nearly always the time alone decides.
    #[inline]
    fn is_before(&self, other: &Self) -> bool {
        if self.time == other.time { self < other } else { self.time < other.time }
    }
}

/// Events of some buffers, in one order.
#[derive(Debug, Default)]
pub struct Ordered {
    parts: Vec<Part>,
    runs: Vec<Run>,
}

/// Events of one buffer that follow each other in it, though others may stand between them in the order.
#[derive(Debug)]
struct Part {
    buffer: Arc<BufferEvents>,
    /// Number of the first in its buffer.
    from: usize,
}

/// So many events of a part, one after the other.
#[derive(Debug, Clone, Copy)]
struct Run {
    part: u32,
    events: u32,
}

impl Ordered {
    /// Gives all events to `observe`.
    pub fn each(&self, mut observe: impl FnMut(&EventMeta, &NetEvent)) {
        let mut rests: Vec<(&BufferEvents, &[Logged])> = Vec::with_capacity(self.parts.len());
        rests.extend(self.parts.iter().map(|part| (&*part.buffer, part.buffer.events_from(part.from))));
        for Run { part, events } in &self.runs {
            let Some((buffer, rest)) = rests.get_mut(*part as usize) else { continue };
            let (due, later) = rest.split_at_checked(*events as usize).unwrap_or((rest, &[]));
            *rest = later;
            buffer.each(due, &mut observe);
        }
    }

    /// Another part, and its number.
    fn begin(&mut self, buffer: &Arc<BufferEvents>, from: usize) -> u32 {
        self.parts.push(Part { buffer: Arc::clone(buffer), from });
        self.parts.len() as u32 - 1
    }
}

/// How far the events of a stream have been given.
struct Cursor<'b> {
    trace: usize,
    buffer: Option<&'b Arc<BufferEvents>>,
    /// Which part the buffer's events are, once one of them has been given.
    part: Option<u32>,
    /// What is left of the buffer.
    rest: &'b [Logged],
    later: vec_deque::Iter<'b, Arc<BufferEvents>>,
    /// Buffers of which nothing is left.
    passed: usize,
}

impl<'b> Cursor<'b> {
    fn new(stream: &'b Stream) -> Self {
        let mut later = stream.buffers.iter();
        let buffer = later.next();
        let rest = buffer.map_or(&[][..], |buffer| buffer.events_from(stream.next));
        Self { trace: stream.trace, buffer, part: None, rest, later, passed: 0 }
    }

    #[inline]
    fn head(&self, stream: usize, ahead: usize) -> Option<Head> {
        let Logged { order, ticks, .. } = *self.rest.get(ahead)?;
        Some(Head { time: order, trace: self.trace, ticks, stream })
    }

    /// Puts the next event behind those that are `ordered`, and the ones after it that are due too. Gives where it goes on.
    #[inline]
    fn run(&mut self, stream: usize, is_due: impl Fn(&Head) -> bool, ordered: &mut Ordered) -> Option<Head> {
        loop {
            let mut events = 1;
            let next = loop {
                match self.head(stream, events) {
                    Some(head) if is_due(&head) => events += 1,
                    next => break next,
                }
            };
            self.put(events, ordered);
            if next.is_some() {
                return next;
            }
            // No buffer that is kept is empty.
            match self.head(stream, 0) {
                Some(head) if is_due(&head) => {}
                next => return next,
            }
        }
    }

    /// Puts so many events behind those that are `ordered`.
    #[inline]
    fn put(&mut self, events: usize, ordered: &mut Ordered) {
        let Some(buffer) = self.buffer else { return };
        let part = *self.part.get_or_insert_with(|| ordered.begin(buffer, buffer.count() - self.rest.len()));
        ordered.runs.push(Run { part, events: events as u32 });
        self.rest = self.rest.get(events..).unwrap_or(&[]);
        if self.rest.is_empty() {
            self.passed += 1;
            self.part = None;
            self.buffer = self.later.next();
            self.rest = self.buffer.map_or(&[][..], |buffer| buffer.events_from(0));
        }
    }

    /// Buffers of which nothing is left, and how many events of the one behind them.
    fn place(&self) -> (usize, usize) {
        (self.passed, self.buffer.map_or(0, |buffer| buffer.count() - self.rest.len()))
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
        let is_ready = |head: &Head| head.time < not_before || not_before == FileTime(i64::MAX);
        let mut cursors: Vec<Cursor<'_>> = self.streams.iter().map(Cursor::new).collect();
        let heads = &mut self.heads;
        heads.0.clear();
        heads.0.extend(cursors.iter().enumerate().filter_map(|(number, cursor)| cursor.head(number, 0)));
        // Sorted is a heap.
        heads.0.sort_unstable();
        while let Some(head) = heads.0.first().copied().filter(is_ready) {
            // This stream goes on until another one is due.
            let other = heads.second();
            let Some(cursor) = cursors.get_mut(head.stream) else { break };
            let is_due = |next: &Head| is_ready(next) && other.is_none_or(|other| next.is_before(&other));
            let next = cursor.run(head.stream, is_due, &mut ordered);
            heads.replace_first(next);
        }
        let places: Vec<(usize, usize)> = cursors.iter().map(Cursor::place).collect();
        drop(cursors);
        self.streams.iter_mut().zip(places).for_each(|(stream, place)| stream.pass(place));
        // Of many traces one after the other, those that are over must cost nothing.
        self.streams.retain(|stream| !stream.buffers.is_empty());
        ordered
    }
}

/// A binary heap, the smallest first, whose first can be replaced at once.
#[derive(Debug, Default)]
struct Heads(Vec<Head>);

impl Heads {
    /// The head that is smallest without the first.
    fn second(&self) -> Option<Head> {
        match (self.0.get(1), self.0.get(2)) {
            (Some(one), Some(two)) => Some(if two.is_before(one) { *two } else { *one }),
            (one, _) => one.copied(),
        }
    }

    /// Puts another head, or the last one, into the place of the first, and restores the heap.
    fn replace_first(&mut self, next: Option<Head>) {
        let Some(moving) = next.or_else(|| self.0.pop()) else { return };
        let mut at = 0;
        loop {
            let (left, right) = (self.0.get(2 * at + 1), self.0.get(2 * at + 2));
            let (smaller, child) = match (left, right) {
                (Some(left), Some(right)) if right.is_before(left) => (*right, 2 * at + 2),
                (Some(left), _) => (*left, 2 * at + 1),
                (None, _) => break,
            };
            if !smaller.is_before(&moving) {
                break;
            }
            if let Some(place) = self.0.get_mut(at) {
                *place = smaller;
            }
            at = child;
        }
        if let Some(place) = self.0.get_mut(at) {
            *place = moving;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heads(times: &[i64]) -> Vec<Head> {
        let head = |(stream, time): (usize, &i64)| Head { time: FileTime(*time), trace: 0, ticks: *time, stream };
        times.iter().enumerate().map(head).collect()
    }

    #[test]
    fn the_heap_gives_the_smallest_first() {
        let mut order = Heads(heads(&[1, 3, 5, 7, 9, 11, 13]));
        let mut replacements = heads(&[4, 2, 20, 6, 1]).into_iter();
        let mut given = Vec::new();
        while let Some(first) = order.0.first().copied() {
            assert!(order.second().is_none_or(|second| first <= second));
            given.push(first.time.0);
            order.replace_first(replacements.next());
        }
        assert_eq!(given, [1, 3, 2, 4, 5, 1, 6, 7, 9, 11, 13, 20]);
    }
}
