//! The same record in two traces of a case counts once: sessions that overlap, a copy beside a cabinet.

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};

use crate::event::{EventMeta, NetEvent};
use crate::hash::FastMap;
use crate::time::FileTime;

/// Sessions take the time of an event each for itself, and count from a start that each took for itself, to a tick of the
/// system clock (16 ms).
const SAME_RECORD_100NS: i64 = FileTime::SECOND / 20;

/// Events that are remembered at most: of the last moments only. A busy server logs 100,000 a second.
const MAX_REMEMBERED: usize = 1 << 16;

/// Traces that are told apart.
const MAX_TRACES: u16 = 64;

/// Remembers the events of the last moments, and by which traces each was told. Each event of one trace stands for at most one
/// of another: what happens twice alike is told twice by each.
#[derive(Debug, Default)]
pub struct Once {
    seed: RandomState,
    /// By the hash of process and event.
    recent: FastMap<u64, VecDeque<Told>>,
    /// In the order of time.
    order: VecDeque<(FileTime, u64)>,
    /// Events that another trace had told.
    pub repeated: u64,
}

#[derive(Debug, Clone, Copy)]
struct Told {
    time: FileTime,
    /// A bit for each trace that told it.
    by: u64,
}

impl Once {
    /// Whether an event of a trace is told for the first time, in this start of the machine. Events must come in time order.
    pub fn is_first(&mut self, meta: &EventMeta, boot: usize, event: &NetEvent) -> bool {
        let trace = meta.place.trace;
        if trace >= MAX_TRACES {
            return true;
        }
        let bit = 1_u64 << trace;
        self.forget(meta.time);
        let key = self.seed.hash_one((boot, meta.id, meta.header_pid, event));
        let alike = self.recent.entry(key).or_default();
        if let Some(told) = alike.iter_mut().find(|told| told.by & bit == 0) {
            told.by |= bit;
            self.repeated += 1;
            return false;
        }
        alike.push_back(Told { time: meta.time, by: bit });
        self.order.push_back((meta.time, key));
        true
    }

    fn forget(&mut self, now: FileTime) {
        let is_over = |(time, _): &(FileTime, u64)| now.since(*time) > SAME_RECORD_100NS;
        while self.order.len() > MAX_REMEMBERED || self.order.front().is_some_and(is_over) {
            let Some((time, key)) = self.order.pop_front() else { return };
            let Some(alike) = self.recent.get_mut(&key) else { continue };
            if alike.front().is_some_and(|told| told.time == time) {
                alike.pop_front();
            }
            if alike.is_empty() {
                self.recent.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Phase, Place, SocketEvent, SocketOperation};

    fn told(once: &mut Once, trace: u16, ms: i64, endpoint: u64) -> bool {
        let place = Place { trace, ..Place::default() };
        let meta = EventMeta { time: FileTime(ms * 10_000), header_pid: Some(7), id: 1001, place };
        let operation = SocketOperation::Close;
        let event = SocketEvent { eprocess: 1, endpoint, phase: Phase::Exit, location: None, status: None, operation };
        once.is_first(&meta, 0, &NetEvent::Socket(event))
    }

    #[test]
    fn what_two_traces_tell_counts_once_and_what_one_tells_twice_counts_twice() {
        let mut once = Once::default();
        let firsts = [
            told(&mut once, 0, 1000, 5),
            told(&mut once, 1, 1016, 5),
            told(&mut once, 0, 1020, 5),
            told(&mut once, 0, 1021, 6),
            told(&mut once, 1, 1036, 5),
            told(&mut once, 2, 1037, 5),
        ];
        assert_eq!((firsts, once.repeated), ([true, false, true, true, false, false], 3));
        assert!(told(&mut once, 1, 2000, 6), "long after, it is another one");
        assert_eq!(once.order.len(), 1);
    }
}
