//! Merges the per-processor streams of a trace by time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use crate::buffer::{BUFFER_HEADER_BYTES, Buffer, BufferInfo};
use crate::error::Error;
use crate::record::{Record, Records};
use crate::trace::Trace;

/// One record out of the merged order. Keeps its buffer's bytes alive where they were decompressed.
#[derive(Debug, Clone)]
pub struct OrderedRecord<'t> {
    open: OpenBuffer<'t>,
    pos: usize,
    index: u32,
    ticks: i64,
}

impl OrderedRecord<'_> {
    /// The record itself.
    pub fn record(&self) -> Option<Record<'_>> {
        self.open.records_from(self.pos, self.index).next()?.ok()
    }

    /// The time by which the record was ordered, in ticks: its own time stamp, or the latest before it in its stream.
    pub fn ticks(&self) -> i64 {
        self.ticks
    }
}

#[derive(Debug, Clone)]
struct OpenBuffer<'t> {
    info: &'t BufferInfo,
    data: Data<'t>,
    end: usize,
    layout: crate::record::Layout,
}

#[derive(Debug, Clone)]
enum Data<'t> {
    Borrowed(&'t [u8]),
    Decompressed(Arc<[u8]>),
}

impl OpenBuffer<'_> {
    fn records_from(&self, pos: usize, index: u32) -> Records<'_> {
        let (bytes, decompressed) = match &self.data {
            Data::Borrowed(bytes) => (*bytes, false),
            Data::Decompressed(bytes) => (&**bytes, true),
        };
        let buffer = Buffer { info: self.info, bytes, end: self.end, decompressed, layout: self.layout };
        Records::resume(buffer, pos, index)
    }
}

/// Decompressed bytes that may be open at once, beyond one buffer. 64 processors with buffers of 1 MiB need a quarter.
///
/// A trace that needs more is read all the same, and its order is then no longer that of time everywhere.
const MAX_OPEN_BYTES: usize = 256 << 20;

/// Iterator over all records of a trace in time order; see [`Trace::records_in_time_order`].
///
/// Holds at most one open buffer for each processor. Of decompressed buffers at most 256 MiB are open at once: where a
/// trace needs more, the next buffers wait until others have ended, and their records come late, under the time of the
/// record before them.
#[derive(Debug)]
pub struct OrderedRecords<'t, 'a> {
    trace: &'t Trace<'a>,
    streams: Vec<StreamState<'t>>,
    /// Smallest first: the time at which a stream continues, and its number.
    heads: BinaryHeap<Reverse<(i64, usize)>>,
    /// Streams whose next buffer waits for room, in their order.
    deferred: Vec<(i64, usize)>,
    open_bytes: usize,
    latest: i64,
    scratch: Vec<u8>,
}

#[derive(Debug)]
struct StreamState<'t> {
    /// Buffers of the stream not opened yet.
    waiting: std::slice::Iter<'t, u32>,
    open: Option<(OpenBuffer<'t>, usize, u32)>,
    /// The next item, whose time stands in the heap.
    head: Option<Result<OrderedRecord<'t>, Error>>,
    latest: i64,
}

impl<'t, 'a> OrderedRecords<'t, 'a> {
    pub(crate) fn new(trace: &'t Trace<'a>) -> Self {
        let mut merged = Self {
            trace,
            streams: Vec::new(),
            heads: BinaryHeap::new(),
            deferred: Vec::new(),
            open_bytes: 0,
            latest: i64::MIN,
            scratch: Vec::new(),
        };
        for (number, stream) in trace.streams().iter().enumerate() {
            merged.streams.push(StreamState {
                waiting: stream.positions().iter(),
                open: None,
                head: None,
                latest: i64::MIN,
            });
            merged.push_next_buffer(number);
        }
        merged
    }

    /// Puts the stream's next unopened buffer into the heap under the time of its first record.
    fn push_next_buffer(&mut self, number: usize) {
        let Some(stream) = self.streams.get_mut(number) else { return };
        if let Some(&position) = stream.waiting.as_slice().first() {
            stream.latest = self.trace.buffers().get(position as usize).map_or(stream.latest, |info| info.not_before);
            self.heads.push(Reverse((stream.latest, number)));
        }
    }

    fn open(&mut self, position: usize) -> Option<OpenBuffer<'t>> {
        let info = self.trace.buffers().get(position)?;
        if info.is_compressed() {
            let buffer = self.trace.buffer(position, &mut self.scratch).ok()?;
            let (data, end) = (Data::Decompressed(Arc::from(buffer.bytes())), buffer.end);
            self.open_bytes += buffer.bytes().len();
            return Some(OpenBuffer { info, data, end, layout: self.trace.layout() });
        }
        let stored = self.trace.stored(info);
        let end = info.header.end_of_data() as usize;
        let data = Data::Borrowed(stored.get(..end).unwrap_or(stored));
        Some(OpenBuffer { info, data, end, layout: self.trace.layout() })
    }

    /// Ends a buffer, and lets those go on that waited for its room.
    fn close(&mut self, buffer: &OpenBuffer<'_>) {
        if let Data::Decompressed(bytes) = &buffer.data {
            self.open_bytes = self.open_bytes.saturating_sub(bytes.len());
            self.heads.extend(self.deferred.drain(..).map(Reverse));
        }
    }

    /// Reads the stream's next record, and puts it into the heap; at the end of its buffer, the next buffer.
    fn advance(&mut self, number: usize) {
        let Some(stream) = self.streams.get_mut(number) else { return };
        let Some((open, pos, index)) = stream.open.take() else { return self.push_next_buffer(number) };
        let mut records = open.records_from(pos, index);
        match records.next() {
            Some(Ok(record)) => {
                let ticks = open.info.order_ticks(stream.latest, record.ticks());
                let next = (records.position(), index.saturating_add(1));
                stream.latest = ticks;
                stream.head = Some(Ok(OrderedRecord { open: open.clone(), pos, index, ticks }));
                stream.open = Some((open, next.0, next.1));
                self.heads.push(Reverse((ticks, number)));
            }
            Some(Err(error)) => {
                stream.head = Some(Err(error));
                self.heads.push(Reverse((stream.latest, number)));
                self.close(&open);
            }
            None => {
                self.close(&open);
                self.push_next_buffer(number);
            }
        }
    }
}

impl<'t> Iterator for OrderedRecords<'t, '_> {
    type Item = Result<OrderedRecord<'t>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let Reverse((ticks, number)) = self.heads.pop()?;
            let stream = self.streams.get_mut(number)?;
            if let Some(mut item) = stream.head.take() {
                self.advance(number);
                if let Ok(record) = &mut item {
                    record.ticks = record.ticks.max(self.latest);
                    self.latest = record.ticks;
                }
                return Some(item);
            }
            if self.open_bytes > MAX_OPEN_BYTES {
                self.deferred.push((ticks, number));
                continue;
            }
            let position = stream.waiting.next().copied()? as usize;
            let open = self.open(position);
            if let Some(stream) = self.streams.get_mut(number) {
                stream.open = open.map(|open| (open, BUFFER_HEADER_BYTES, 0));
            }
            self.advance(number);
        }
    }
}
