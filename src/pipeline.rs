//! From buffers to results: buffers are read on all threads, their results are taken in one order.
//!
//! The order is that of [`etl_parser::Trace::reading_order`], across traces by time. It depends on the files alone: batches
//! are cut by bytes, not by threads, and each batch's results come back in place.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};

use etl_parser::{Buffer, ErrorKind, Record, Trace};
use rayon::prelude::*;

use crate::analysis::coverage::Coverage;
use crate::event::{EventMeta, NetEvent, Place};
use crate::providers::{self, Decoded};
use crate::time::FileTime;

/// Bytes of data, decompressed, that are read before their results are taken: enough for all threads to have work, and a
/// bound for the results of one batch.
const BATCH_BYTES: u64 = 16 << 20;

/// A time stamp further away than this from where its record stands is taken for damage. Records of one processor are
/// out of order by microseconds at most.
const DISPLACED_100NS: i64 = FileTime::SECOND;

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

// It is const; on Windows, clippy looks at what the macro makes of it.
#[allow(clippy::missing_const_for_thread_local)]
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

/// The events of one buffer, in the order in which they stand.
#[derive(Debug)]
pub struct BufferEvents {
    cpu: u16,
    /// Each with the time stamp that orders it, in ticks: never smaller than the one before.
    events: Vec<(i64, EventMeta, NetEvent)>,
    /// What was read to get them.
    pub coverage: Coverage,
}

impl BufferEvents {
    /// Drops the events that are not wanted.
    pub fn keep(&mut self, wanted: impl Fn(&NetEvent) -> bool) {
        self.events.retain(|(_, _, event)| wanted(event));
    }
}

/// Reads the events of one buffer, and shows every record to `look`.
pub fn read_events(
    trace_number: usize,
    trace: &Trace<'_>,
    buffer: &Buffer<'_>,
    mut look: impl FnMut(&Record<'_>),
) -> BufferEvents {
    let info = buffer.info();
    let mut coverage = Coverage::default();
    let mut events = Vec::new();
    let mut latest = info.not_before;
    if info.header.flags.has(etl_parser::BufferFlags::EVENTS_LOST | etl_parser::BufferFlags::BUFFER_LOST) {
        coverage.buffers_after_loss += 1;
    }
    let mut records = buffer.records();
    while let Some(item) = records.next() {
        let record = match item {
            Ok(record) => record,
            Err(error) => {
                let bytes = records.remaining_bytes() as u64;
                if info.is_truncated() && error.kind == ErrorKind::Truncated {
                    // The index has told that the file ends in this buffer.
                    coverage.bytes_skipped += bytes;
                } else {
                    coverage.buffers_damaged += u64::from(!info.is_truncated());
                    coverage.damage(error, bytes);
                }
                break;
            }
        };
        coverage.records += 1;
        look(&record);
        let decoded = providers::decode(&record);
        let afd =
            (record.header_guid() == Some(providers::afd::PROVIDER)).then(|| (record.event_id(), record.version()));
        let Some(event) = count(decoded, afd, &mut coverage) else { continue };
        let ticks = record.ticks().unwrap_or(latest);
        latest = info.order_ticks(latest, Some(ticks));
        let time = FileTime(trace.clock().file_time(ticks));
        if latest != ticks && FileTime(trace.clock().file_time(latest)).since(time).saturating_abs() > DISPLACED_100NS {
            coverage.displaced += 1;
        }
        let meta = EventMeta {
            time,
            header_pid: record.process_id(),
            id: record.event_id().unwrap_or(0),
            place: Place {
                trace: u16::try_from(trace_number).unwrap_or(u16::MAX),
                cpu: record.cpu(),
                buffer: record.buffer(),
                offset: record.offset(),
                pos: record.pos(),
            },
        };
        events.push((latest, meta, event));
    }
    BufferEvents { cpu: info.header.cpu(), events, coverage }
}

/// Counts what became of a record, and gives the event where it is one. `afd`: id and version where Winsock-AFD logged it.
pub(crate) fn count(
    decoded: Decoded,
    afd: Option<(Option<u16>, Option<u8>)>,
    coverage: &mut Coverage,
) -> Option<NetEvent> {
    if let Some((id, version)) = afd {
        count_afd(id, version, &decoded, coverage);
    }
    match decoded {
        Decoded::Event(event) => {
            coverage.decoded += 1;
            return Some(event);
        }
        Decoded::OtherPointerSize(event) => {
            coverage.other_pointer_size += 1;
            coverage.decoded += 1;
            return Some(event);
        }
        Decoded::NotNeeded => coverage.skipped += 1,
        Decoded::Unknown => coverage.unknown += 1,
        Decoded::Malformed => {
            coverage.malformed += 1;
            coverage.afd_malformed += u64::from(afd.is_some());
        }
    }
    None
}

fn count_afd(id: Option<u16>, version: Option<u8>, decoded: &Decoded, coverage: &mut Coverage) {
    use crate::event::{Phase, SocketEvent};
    coverage.afd_records += 1;
    if id.is_some_and(providers::afd::is_bind) {
        coverage.bind_records += 1;
    }
    if version.is_some_and(|version| version != 0) {
        coverage.newer_afd_versions += 1;
    }
    if let Decoded::Event(NetEvent::Socket(SocketEvent { phase: Phase::Internal(phase), .. })) = decoded
        && !(2..=4).contains(phase)
    {
        coverage.unknown_phases += 1;
    }
}

/// Puts the events of all buffers into one order by time, holding back only what a later buffer may still precede.
///
/// The order: by time; at the same time by trace, then by raw time stamp, then by processor, then as they stand. A
/// processor's own order is never changed: [`etl_parser::BufferInfo::order_ticks`] says what time a record counts with.
#[derive(Debug, Default)]
pub struct TimeOrder {
    waiting: Vec<(SortKey, EventMeta, NetEvent)>,
    arrived: u64,
}

/// Time, trace, raw time stamp, processor, arrival.
type SortKey = (FileTime, usize, i64, u16, u64);

impl TimeOrder {
    /// Takes in a buffer's events. Buffers of one processor must come in their order.
    pub fn push(&mut self, trace_number: usize, trace: &Trace<'_>, buffer: BufferEvents) {
        for (ticks, meta, event) in buffer.events {
            let time = FileTime(trace.clock().file_time(ticks));
            self.waiting.push(((time, trace_number, ticks, buffer.cpu, self.arrived), meta, event));
            self.arrived += 1;
        }
    }

    /// Gives the events that nothing can precede any more: those before `not_before`.
    pub fn release(&mut self, not_before: FileTime, mut observe: impl FnMut(&EventMeta, &NetEvent)) {
        if not_before == FileTime(i64::MIN) || self.waiting.is_empty() {
            return;
        }
        self.waiting.sort_by_key(|(key, _, _)| *key);
        let ready = match not_before {
            FileTime(i64::MAX) => self.waiting.len(),
            _ => self.waiting.partition_point(|((time, ..), _, _)| *time < not_before),
        };
        for (_, meta, event) in self.waiting.drain(..ready) {
            observe(&meta, &event);
        }
    }
}
