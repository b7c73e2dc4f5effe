//! Puts the events of a session into the order of time: each processor's buffers are delivered when they are full or some seconds
//! old, so that what happened first may come last.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::event::{EventMeta, NetEvent};
use crate::time::FileTime;

/// Events are held back for so long beyond the time after which a buffer is flushed, in their own time: it is delivered soon.
const DELIVERED_WITHIN: Duration = Duration::from_secs(1);

/// Events held back at most. 200,000 events a second are more than a busy server has.
const MAX_WAITING: usize = 1 << 20;

/// Time, processor, arrival.
type Key = (FileTime, u16, u64);

/// Events that something earlier may still precede.
#[derive(Debug)]
pub struct Window {
    waiting: BTreeMap<Key, (EventMeta, NetEvent)>,
    newest: FileTime,
    /// Everything before this time has been given away.
    released: FileTime,
    arrived: u64,
    /// Events are held back for so long, in 100 ns.
    held_back: i64,
    /// Events that came when later ones had been given away.
    pub late: u64,
}

impl Window {
    /// For a session whose buffers are flushed after `flush`.
    pub fn new(flush: Duration) -> Self {
        let never = FileTime(i64::MIN);
        let held_back = i64::try_from((flush + DELIVERED_WITHIN).as_nanos() / 100).unwrap_or(i64::MAX);
        Self { waiting: BTreeMap::new(), newest: never, released: never, arrived: 0, held_back, late: 0 }
    }

    /// Whether no more should be held back.
    pub fn is_full(&self) -> bool {
        self.waiting.len() >= MAX_WAITING
    }

    /// Takes in one event.
    pub fn push(&mut self, meta: EventMeta, event: NetEvent) {
        self.newest = self.newest.max(meta.time);
        self.late += u64::from(meta.time < self.released);
        self.waiting.insert((meta.time, meta.place.cpu, self.arrived), (meta, event));
        self.arrived += 1;
    }

    /// Gives the events that nothing is expected before; all of them where `all` is set: nothing more comes.
    pub fn release(&mut self, all: bool, mut observe: impl FnMut(&EventMeta, &NetEvent)) {
        let bound = if all { FileTime(i64::MAX) } else { FileTime(self.newest.0.saturating_sub(self.held_back)) };
        while let Some(first) = self.waiting.first_entry() {
            let (time, ..) = *first.key();
            if time >= bound && self.waiting.len() <= MAX_WAITING {
                return;
            }
            let Some((_, (meta, event))) = self.waiting.pop_first() else { return };
            self.released = self.released.max(time);
            observe(&meta, &event);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Place, TransportEvent};

    fn push(window: &mut Window, tenths: i64, cpu: u16) {
        let place = Place { cpu, ..Place::default() };
        let time = FileTime(1000 * FileTime::SECOND + tenths * FileTime::SECOND / 10);
        window
            .push(EventMeta { time, header_pid: None, id: cpu, place }, NetEvent::Transport(TransportEvent::Deferred));
    }

    fn release(window: &mut Window, all: bool) -> Vec<(i64, u16)> {
        let mut seen = Vec::new();
        window.release(all, |meta, _| {
            seen.push(((meta.time.0 - 1000 * FileTime::SECOND) / (FileTime::SECOND / 10), meta.place.cpu));
        });
        seen
    }

    #[test]
    fn buffers_of_processors_are_merged_by_time() {
        let mut window = Window::new(Duration::from_secs(1));
        for (tenths, cpu) in [(0, 1), (8, 1), (3, 0), (5, 0), (8, 0)] {
            push(&mut window, tenths, cpu);
        }
        assert_eq!(release(&mut window, false), [], "within the window nothing is given away");
        push(&mut window, 26, 1);
        assert_eq!(release(&mut window, false), [(0, 1), (3, 0), (5, 0)]);
        assert_eq!(release(&mut window, true), [(8, 0), (8, 1), (26, 1)]);
        assert_eq!(window.late, 0);
    }

    #[test]
    fn what_comes_too_late_is_counted_and_not_lost() {
        let mut window = Window::new(Duration::from_secs(1));
        push(&mut window, 0, 0);
        push(&mut window, 50, 0);
        assert_eq!(release(&mut window, true), [(0, 0), (50, 0)]);
        push(&mut window, 20, 1);
        assert_eq!(release(&mut window, true), [(20, 1)]);
        assert_eq!(window.late, 1);
    }
}
