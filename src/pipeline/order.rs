//! Merges the events of all buffers by time.

use std::collections::VecDeque;

use super::read::BufferEvents;
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
    /// The next event of each stream that has one, as a binary heap: the smallest first.
    heads: Vec<Head>,
}

/// The events of one processor in one trace that have come and not gone yet.
#[derive(Debug)]
struct Stream {
    trace: usize,
    cpu: u16,
    buffers: VecDeque<BufferEvents>,
    /// The next event of the first buffer.
    next: usize,
}

/// Where a stream goes on. The fields stand in the order in which they are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Head {
    time: FileTime,
    trace: usize,
    ticks: i64,
    cpu: u16,
    stream: usize,
}

impl Stream {
    fn head(&self, stream: usize) -> Option<Head> {
        let (time, ticks) = self.buffers.front()?.order(self.next)?;
        Some(Head { time, trace: self.trace, ticks, cpu: self.cpu, stream })
    }

    /// Gives the next event to `observe`, and goes on to the one behind it.
    fn give(&mut self, observe: &mut impl FnMut(&EventMeta, &NetEvent)) {
        let Some(buffer) = self.buffers.front() else { return };
        if let Some((meta, event)) = buffer.event(self.next) {
            observe(&meta, event);
        }
        self.next += 1;
        if buffer.order(self.next).is_none() {
            self.buffers.pop_front();
            self.next = 0;
        }
    }
}

impl TimeOrder {
    /// Takes in a buffer's events. Buffers of one processor must come in their order.
    pub fn push(&mut self, trace_number: usize, buffer: BufferEvents) {
        if buffer.order(0).is_none() {
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
            stream.buffers.push_back(buffer);
        }
    }

    /// Gives the events that nothing can precede any more: those before `not_before`.
    pub fn release(&mut self, not_before: FileTime, mut observe: impl FnMut(&EventMeta, &NetEvent)) {
        if not_before == FileTime(i64::MIN) {
            return;
        }
        let is_ready = |head: &Head| head.time < not_before || not_before == FileTime(i64::MAX);
        self.heads.clear();
        self.heads.extend(self.streams.iter().enumerate().filter_map(|(number, stream)| stream.head(number)));
        // Sorted is a heap.
        self.heads.sort_unstable();
        while let Some(head) = self.heads.first().copied().filter(is_ready) {
            // This stream goes on until another one is due.
            let other = self.second();
            let Some(stream) = self.streams.get_mut(head.stream) else { return };
            let next = loop {
                stream.give(&mut observe);
                match stream.head(head.stream) {
                    Some(next) if is_ready(&next) && other.is_none_or(|other| next < other) => {}
                    next => break next,
                }
            };
            self.replace_first(next);
        }
        // Of many traces one after the other, those that are over must cost nothing.
        self.streams.retain(|stream| !stream.buffers.is_empty());
    }

    /// The head that is smallest without the first.
    fn second(&self) -> Option<Head> {
        match (self.heads.get(1), self.heads.get(2)) {
            (Some(one), Some(two)) => Some(*one.min(two)),
            (one, _) => one.copied(),
        }
    }

    /// Puts another head, or the last one, into the place of the first, and restores the heap.
    fn replace_first(&mut self, next: Option<Head>) {
        let Some(moving) = next.or_else(|| self.heads.pop()) else { return };
        let mut at = 0;
        loop {
            let (left, right) = (self.heads.get(2 * at + 1), self.heads.get(2 * at + 2));
            let (smaller, child) = match (left, right) {
                (Some(left), Some(right)) if right < left => (*right, 2 * at + 2),
                (Some(left), _) => (*left, 2 * at + 1),
                (None, _) => break,
            };
            if moving <= smaller {
                break;
            }
            if let Some(place) = self.heads.get_mut(at) {
                *place = smaller;
            }
            at = child;
        }
        if let Some(place) = self.heads.get_mut(at) {
            *place = moving;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heads(times: &[i64]) -> Vec<Head> {
        let head =
            |(stream, time): (usize, &i64)| Head { time: FileTime(*time), trace: 0, ticks: *time, cpu: 0, stream };
        times.iter().enumerate().map(head).collect()
    }

    #[test]
    fn the_heap_gives_the_smallest_first() {
        let mut order = TimeOrder { streams: Vec::new(), heads: heads(&[1, 3, 5, 7, 9, 11, 13]) };
        let mut replacements = heads(&[4, 2, 20, 6, 1]).into_iter();
        let mut given = Vec::new();
        while let Some(first) = order.heads.first().copied() {
            assert!(order.second().is_none_or(|second| first <= second));
            given.push(first.time.0);
            order.replace_first(replacements.next());
        }
        assert_eq!(given, [1, 3, 2, 4, 5, 1, 6, 7, 9, 11, 13, 20]);
    }
}
