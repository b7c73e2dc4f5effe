//! From buffers to results: buffers are read on all threads, their results are taken in one order.
//!
//! The order is that of [`etl_parser::Trace::reading_order`], across traces by time. It depends on the files alone: threads
//! read groups of buffers, and each group's results are taken in place.

pub mod coverage;
mod in_order;
mod logs;
mod once;
mod order;
mod read;
mod replay;
mod speaking;
mod streams;
mod threads;

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};

use etl_parser::{Buffer, BufferInfo, Trace};

use self::in_order::in_order;
pub use self::logs::{Logs, LogsRead};
pub use self::once::Once;
pub use self::order::TimeOrder;
#[cfg(feature = "cli")]
pub(crate) use self::read::count;
pub use self::read::{BufferEvents, read_events};
pub use self::replay::{Observer, replay};
pub use self::speaking::speaking;
pub use self::streams::Streams;
pub use self::threads::{NoThreads, Threads};
use crate::progress::{Progress, Stopped};
use crate::time::FileTime;

/// Buffers that one thread reads together, and their data, decompressed: enough for their headers to come from memory at
/// the same time, and a bound for the results that wait.
const GROUP_BUFFERS: usize = 16;
const GROUP_BYTES: u64 = 4 << 20;

/// One buffer to read. Small: there is one for each buffer of all traces.
#[derive(Debug, Clone, Copy)]
struct Work {
    /// Number of the trace.
    trace: u32,
    /// Position of the buffer in [`Trace::buffers`].
    position: u32,
}

impl Work {
    fn trace<'t, 'a>(&self, traces: &'t [Trace<'a>]) -> Option<&'t Trace<'a>> {
        traces.get(self.trace as usize)
    }

    fn info<'t>(&self, traces: &'t [Trace<'_>]) -> Option<&'t BufferInfo> {
        self.trace(traces)?.buffers().get(self.position as usize)
    }

    /// No event of this buffer, or of a later one in the order, is before this time.
    fn not_before(&self, traces: &[Trace<'_>]) -> Option<FileTime> {
        let not_before = self.info(traces)?.not_before;
        self.trace(traces).map(|trace| trace.clock().file_time(not_before))
    }

    /// Bytes of data, decompressed.
    fn data_bytes(&self, traces: &[Trace<'_>]) -> u64 {
        self.info(traces).map_or(0, |info| u64::from(info.stored_bytes.max(info.header.end_of_data())))
    }
}

/// Reads all buffers of `traces` with `read`, on the current rayon pool, and hands the results to `take` in order.
///
/// `take` gets the trace's number, the result, and the time before which nothing more will come.
///
/// # Errors
///
/// [`Stopped`] where `progress` says so, which is asked before each buffer.
pub fn scan<T: Send>(
    traces: &[Trace<'_>],
    progress: &dyn Progress,
    read: impl Fn(usize, &Trace<'_>, &Buffer<'_>) -> T + Sync,
    take: impl FnMut(usize, T, FileTime) + Send,
) -> Result<(), Stopped> {
    let all: Vec<usize> = (0..traces.len()).collect();
    scan_some(traces, &all, progress, read, take)
}

/// As [`scan`], of those traces alone whose numbers are in `wanted`.
///
/// # Errors
///
/// As [`scan`].
pub fn scan_some<T: Send>(
    traces: &[Trace<'_>],
    wanted: &[usize],
    progress: &dyn Progress,
    read: impl Fn(usize, &Trace<'_>, &Buffer<'_>) -> T + Sync,
    mut take: impl FnMut(usize, T, FileTime) + Send,
) -> Result<(), Stopped> {
    scan_in_stages(traces, wanted, progress, read, std::convert::identity, |Group { results, not_before }| {
        let last = results.len().saturating_sub(1);
        for (index, (trace, result)) in results.into_iter().enumerate() {
            take(trace, result, if index == last { not_before } else { FileTime(i64::MIN) });
        }
    })
}

/// What was read of some buffers that follow each other in the order.
struct Group<T> {
    /// Of each buffer the number of its trace, and the result.
    results: Vec<(usize, T)>,
    /// The time before which nothing more will come.
    not_before: FileTime,
}

/// As [`scan_some`], but what was read is handed to `pass`, and what comes of that to `take`: while a thread takes, another one
/// passes.
///
/// # Errors
///
/// As [`scan`].
fn scan_in_stages<T: Send, P: Send>(
    traces: &[Trace<'_>],
    wanted: &[usize],
    progress: &dyn Progress,
    read: impl Fn(usize, &Trace<'_>, &Buffer<'_>) -> T + Sync,
    mut pass: impl FnMut(Group<T>) -> P + Send,
    mut take: impl FnMut(P) + Send,
) -> Result<(), Stopped> {
    let order = work_order(traces, wanted);
    let groups = cut_into_groups(&order, traces);
    let job = Job { progress, is_stopped: AtomicBool::new(false) };
    let read_group = |number: usize| groups.get(number).map(|group| read_group(group, traces, &job, &read));
    let pass = |number: usize, results: Option<Vec<(usize, T)>>| {
        if job.is_stopped() {
            return None;
        }
        let next = groups.get(number + 1).and_then(|next| next.first());
        let not_before = next.and_then(|work| work.not_before(traces)).unwrap_or(FileTime(i64::MAX));
        Some(pass(Group { results: results?, not_before }))
    };
    in_order(groups.len(), read_group, pass, |passed| {
        if let Some(passed) = passed.filter(|_| !job.is_stopped()) {
            take(passed);
        }
    });
    if job.is_stopped() { Err(Stopped) } else { Ok(()) }
}

/// A scan that is told to stop stays stopped, whatever is answered later.
struct Job<'p> {
    progress: &'p dyn Progress,
    is_stopped: AtomicBool,
}

impl Job<'_> {
    fn is_stopped(&self) -> bool {
        self.is_stopped.load(Ordering::Relaxed)
    }

    fn goes_on(&self) -> bool {
        if self.progress.should_stop() {
            self.is_stopped.store(true, Ordering::Relaxed);
        }
        !self.is_stopped()
    }
}

fn work_order(traces: &[Trace<'_>], wanted: &[usize]) -> Vec<Work> {
    let chosen = || wanted.iter().filter_map(|number| Some((u32::try_from(*number).ok()?, traces.get(*number)?)));
    let mut order = Vec::with_capacity(chosen().map(|(_, trace)| trace.buffers().len()).sum());
    for (number, trace) in chosen() {
        for position in trace.reading_order() {
            let Ok(position) = u32::try_from(position) else { continue };
            order.push(Work { trace: number, position });
        }
    }
    if wanted.len() > 1 {
        // Stable: within a trace the reading order stays.
        order.sort_by_key(|work| work.not_before(traces));
    }
    order
}

fn cut_into_groups<'o>(order: &'o [Work], traces: &[Trace<'_>]) -> Vec<&'o [Work]> {
    let mut groups = Vec::new();
    let mut rest = order;
    while !rest.is_empty() {
        let mut bytes = 0_u64;
        let is_beyond = |(number, work): (usize, &Work)| {
            bytes += work.data_bytes(traces);
            number >= GROUP_BUFFERS || bytes > GROUP_BYTES
        };
        let length = rest.iter().enumerate().position(is_beyond).unwrap_or(rest.len()).max(1);
        let (group, behind) = rest.split_at(length);
        groups.push(group);
        rest = behind;
    }
    groups
}

fn read_group<T>(
    group: &[Work],
    traces: &[Trace<'_>],
    job: &Job<'_>,
    read: &impl Fn(usize, &Trace<'_>, &Buffer<'_>) -> T,
) -> Vec<(usize, T)> {
    thread_local! {
        /// Room to decompress into, kept from buffer to buffer.
        static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    }
    let same_trace = |one: &Work, other: &Work| one.trace == other.trace;
    for part in group.chunk_by(same_trace) {
        if let Some(trace) = part.first().and_then(|work| work.trace(traces)) {
            trace.prefetch(part.iter().map(|work| work.position as usize));
        }
    }
    // With room for all of them: the results are large, and a list that grows copies them.
    let mut results = Vec::with_capacity(group.len());
    for work in group {
        if !job.goes_on() {
            break;
        }
        let Some(trace) = work.trace(traces) else { continue };
        let result = SCRATCH.with_borrow_mut(|scratch| {
            let buffer = trace.buffer(work.position as usize, scratch).ok()?;
            Some(read(work.trace as usize, trace, &buffer))
        });
        let stored = work.info(traces).map_or(0, |info| info.stored_bytes);
        job.progress.advance(stored.into());
        results.extend(result.map(|result| (work.trace as usize, result)));
    }
    results
}
