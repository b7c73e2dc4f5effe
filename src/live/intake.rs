//! Between the thread that the system calls and the one that reasons: events are decoded at once, and wait in a bounded queue.

use std::collections::BTreeSet;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use etl_parser::Guid;

use super::system::RawEvent;
use crate::event::{EventMeta, NetEvent, Place};
use crate::pipeline;
use crate::pipeline::coverage::Coverage;
use crate::providers::afd;

/// Events that wait at most. When it is full the reading thread waits, and the session keeps what comes in its own buffers:
/// nothing is dropped here, and what the session must drop it counts.
const MAX_QUEUED: usize = 1 << 16;

/// The queue.
#[derive(Debug, Default)]
pub struct Intake {
    inner: Mutex<Queue>,
    space: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    events: Vec<(EventMeta, NetEvent)>,
    coverage: Coverage,
    other_providers: BTreeSet<Guid>,
    closed: bool,
}

/// What came since the last time.
#[derive(Debug, Default)]
pub struct Drained {
    /// Events, as they came.
    pub events: Vec<(EventMeta, NetEvent)>,
    /// Of all that came.
    pub coverage: Coverage,
}

impl Intake {
    /// Takes in one event. Waits where the queue is full.
    pub fn take(&self, raw: &RawEvent<'_>) {
        let (id, decoded) = raw.decode();
        let is_afd = raw.provider == afd::PROVIDER;
        let mut queue = self.lock();
        queue.coverage.records += 1;
        if !is_afd {
            queue.other_providers.insert(raw.provider);
        }
        let Some(event) = pipeline::count(decoded, id, &mut queue.coverage) else { return };
        while queue.events.len() >= MAX_QUEUED && !queue.closed {
            queue = self.space.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        if queue.closed {
            return;
        }
        let place = Place { cpu: raw.cpu, ..Place::default() };
        queue.events.push((EventMeta { time: raw.time, header_pid: raw.header_pid, id: raw.id, place }, event));
    }

    /// Gives what came since the last time.
    pub fn drain(&self) -> Drained {
        let mut queue = self.lock();
        let drained =
            Drained { events: std::mem::take(&mut queue.events), coverage: std::mem::take(&mut queue.coverage) };
        drop(queue);
        self.space.notify_all();
        drained
    }

    /// Nothing will be drained any more: what still comes is let go, so that no thread waits for ever.
    pub fn close(&self) {
        self.lock().closed = true;
        self.space.notify_all();
    }

    /// Providers seen, other than Winsock-AFD.
    pub fn other_providers(&self) -> u64 {
        self.lock().other_providers.len() as u64
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use etl_parser::PointerSize;

    use super::*;
    use crate::time::FileTime;

    fn event(payload: &[u8], id: u16) -> RawEvent<'_> {
        RawEvent {
            provider: afd::PROVIDER,
            id,
            version: 0,
            describes_itself: false,
            header_pid: Some(7),
            time: FileTime(5),
            cpu: 3,
            pointer_size: PointerSize::Eight,
            payload,
        }
    }

    /// A cleanup that succeeded.
    const CLEANUP: [u8; 28] = [1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

    #[test]
    fn events_are_decoded_and_all_are_counted() {
        let intake = Intake::default();
        intake.take(&event(&CLEANUP, 1002));
        intake.take(&event(&CLEANUP[..9], 1002));
        intake.take(&event(&[], 1003));
        intake.take(&event(&[], 5000));
        let drained = intake.drain();
        let coverage = drained.coverage;
        assert_eq!((coverage.records, coverage.decoded, coverage.malformed), (4, 1, 1));
        assert_eq!((coverage.skipped, coverage.unknown, coverage.afd_malformed), (1, 1, 1));
        assert_eq!(drained.events.len(), 1);
        assert_eq!((drained.events[0].0.place.cpu, drained.events[0].0.header_pid), (3, Some(7)));
        assert_eq!(intake.drain().coverage.records, 0);
    }

    #[test]
    fn a_full_queue_makes_the_reader_wait_and_drops_nothing() {
        let intake = Arc::new(Intake::default());
        let total = MAX_QUEUED * 3;
        let reader = Arc::clone(&intake);
        let thread = std::thread::spawn(move || (0..total).for_each(|_| reader.take(&event(&CLEANUP, 1002))));
        let mut seen = 0;
        while seen < total {
            let drained = intake.drain();
            assert!(drained.events.len() <= MAX_QUEUED);
            seen += drained.events.len();
            std::thread::yield_now();
        }
        thread.join().unwrap();
        assert_eq!(seen, total);
    }

    #[test]
    fn a_closed_queue_lets_the_reader_go() {
        let intake = Arc::new(Intake::default());
        (0..MAX_QUEUED).for_each(|_| intake.take(&event(&CLEANUP, 1002)));
        let reader = Arc::clone(&intake);
        let thread = std::thread::spawn(move || reader.take(&event(&CLEANUP, 1002)));
        intake.close();
        thread.join().unwrap();
        assert_eq!(intake.drain().events.len(), MAX_QUEUED);
    }
}
