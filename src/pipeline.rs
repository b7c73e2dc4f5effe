//! From buffers to results: buffers are read on all threads, their results are taken in one order.
//!
//! The order is that of [`etl_parser::Trace::reading_order`], across traces by time. It depends on the files alone: batches
//! are cut by bytes, not by threads, and each batch's results come back in place.

mod order;
mod read;

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};

use etl_parser::{Buffer, Trace};
use rayon::prelude::*;

pub use self::order::TimeOrder;
pub(crate) use self::read::count;
pub use self::read::{BufferEvents, read_events};
use crate::time::FileTime;

/// Bytes of data, decompressed, that are read before their results are taken: enough for all threads to have work, and a
/// bound for the results of one batch.
const BATCH_BYTES: u64 = 16 << 20;

/// How far a scan has come; read by the progress display while the scan runs.
#[derive(Debug, Default)]
pub struct Progress {
    /// Bytes of the files that have been read.
    pub bytes: AtomicU64,
}

/// One buffer to read.
#[derive(Debug, Clone, Copy)]
struct Work {
    trace: usize,
    position: usize,
    /// Bytes in the file.
    stored_bytes: u64,
    /// Bytes of data, decompressed.
    data_bytes: u64,
    /// No event of this buffer, or of a later one in the order, is before this time.
    not_before: FileTime,
}

/// Reads all buffers of `traces` with `read`, on the current rayon pool, and hands the results to `take` in order.
///
/// `take` gets the trace's number, the result, and the time before which nothing more will come.
pub fn scan<T: Send>(
    traces: &[Trace<'_>],
    progress: &Progress,
    read: impl Fn(usize, &Trace<'_>, &Buffer<'_>) -> T + Sync,
    mut take: impl FnMut(usize, T, FileTime) + Send,
) {
    let order = work_order(traces);
    let batches = cut_into_batches(&order);
    let mut waiting: Vec<(usize, T, FileTime)> = Vec::new();
    for (number, batch) in batches.iter().enumerate() {
        let not_before =
            batches.get(number + 1).and_then(|next| next.first()).map_or(FileTime(i64::MAX), |work| work.not_before);
        // While one batch is read, the results of the one before are taken.
        let ready = std::mem::take(&mut waiting);
        let ((), results) = rayon::join(
            || ready.into_iter().for_each(|(trace, result, not_before)| take(trace, result, not_before)),
            || read_batch(batch, traces, progress, &read),
        );
        let last = results.len().saturating_sub(1);
        waiting.extend(results.into_iter().enumerate().map(|(index, (trace, result))| {
            let bound = if index == last { not_before } else { FileTime(i64::MIN) };
            (trace, result, bound)
        }));
    }
    for (trace, result, not_before) in waiting {
        take(trace, result, not_before);
    }
}

fn work_order(traces: &[Trace<'_>]) -> Vec<Work> {
    let mut order = Vec::new();
    for (number, trace) in traces.iter().enumerate() {
        for position in trace.reading_order() {
            let Some(info) = trace.buffers().get(position) else { continue };
            let not_before = FileTime(trace.clock().file_time(info.not_before));
            let stored_bytes = u64::from(info.stored_bytes);
            let data_bytes = stored_bytes.max(u64::from(info.header.end_of_data()));
            order.push(Work { trace: number, position, stored_bytes, data_bytes, not_before });
        }
    }
    // Stable: within a trace the reading order stays.
    order.sort_by_key(|work| work.not_before);
    order
}

fn cut_into_batches(order: &[Work]) -> Vec<&[Work]> {
    let mut batches = Vec::new();
    let mut rest = order;
    while !rest.is_empty() {
        let mut bytes = 0_u64;
        let length = rest
            .iter()
            .position(|work| {
                bytes += work.data_bytes;
                bytes > BATCH_BYTES
            })
            .unwrap_or(rest.len())
            .max(1);
        let (batch, behind) = rest.split_at(length);
        batches.push(batch);
        rest = behind;
    }
    batches
}

fn read_batch<T: Send>(
    batch: &[Work],
    traces: &[Trace<'_>],
    progress: &Progress,
    read: &(impl Fn(usize, &Trace<'_>, &Buffer<'_>) -> T + Sync),
) -> Vec<(usize, T)> {
    thread_local! {
        /// Room to decompress into, kept from buffer to buffer.
        static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    }
    batch
        .par_iter()
        .filter_map(|work| {
            let trace = traces.get(work.trace)?;
            let result = SCRATCH.with_borrow_mut(|scratch| {
                let buffer = trace.buffer(work.position, scratch).ok()?;
                Some(read(work.trace, trace, &buffer))
            });
            progress.bytes.fetch_add(work.stored_bytes, Ordering::Relaxed);
            result.map(|result| (work.trace, result))
        })
        .collect()
}
