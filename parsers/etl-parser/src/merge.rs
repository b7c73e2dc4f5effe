//! Merges the per-processor streams of a trace by time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;
use std::sync::Arc;

use crate::Guid;
use crate::buffer::{BUFFER_HEADER_BYTES, Buffer, BufferInfo};
use crate::clock::Clock;
use crate::error::Error;
use crate::record::{Dialect, Facts, Record, RecordKind, Records};
use crate::time::FileTime;
use crate::trace::Trace;

/// One record of a trace, in the place that its time gives it: see [`Trace::records`].
///
/// Lives as long as the trace, also where its buffer was decompressed. Has what [`Record`] has, which
/// [`OrderedRecord::record`] gives for all that is not here, and its time.
#[derive(Debug, Clone)]
pub struct OrderedRecord<'t> {
    bytes: RecordBytes<'t>,
    facts: Facts,
    order_ticks: i64,
    clock: &'t Clock,
}

#[derive(Debug, Clone)]
enum RecordBytes<'t> {
    Borrowed(&'t [u8]),
    /// A part of a decompressed buffer.
    Shared(Arc<[u8]>, Range<usize>),
}

impl OrderedRecord<'_> {
    /// The record itself.
    #[inline]
    pub fn record(&self) -> Record<'_> {
        let bytes = match &self.bytes {
            RecordBytes::Borrowed(bytes) => bytes,
            RecordBytes::Shared(buffer, part) => buffer.get(part.clone()).unwrap_or_default(),
        };
        Record::from_parts(bytes, self.facts)
    }

    /// When the event was logged, by its own time stamp; for a record without one (see [`Record::ticks`]), when the one
    /// before it on its processor was. 100 ns units since 1601-01-01 UTC; a guess where [`Clock::is_assumed`] says so.
    pub fn time(&self) -> FileTime {
        self.clock.file_time(self.record().ticks().unwrap_or(self.order_ticks))
    }

    /// The time by which the record was ordered: its own, or the latest before it where that is later. Never falls from
    /// one record to the next.
    pub fn order_time(&self) -> FileTime {
        self.clock.file_time(self.order_ticks)
    }

    /// [`OrderedRecord::order_time`] in ticks of the session clock.
    pub fn order_ticks(&self) -> i64 {
        self.order_ticks
    }

    /// The family of the record.
    pub fn kind(&self) -> RecordKind {
        self.record().kind()
    }

    /// [`Record::provider`]: provider of an event, class of a classic event or of a kernel record.
    pub fn provider(&self) -> Option<Guid> {
        self.record().provider()
    }

    /// [`Record::id`]: `Id` of an event, the opcode of all other kinds; `None` for messages and unknown kinds.
    pub fn id(&self) -> Option<u16> {
        self.record().id()
    }

    /// [`Record::version`] of the payload's layout; `None` for messages and unknown kinds.
    pub fn version(&self) -> Option<u8> {
        self.record().version()
    }

    /// [`Record::level`], 1 critical to 5 verbose; `None` for kernel records, messages and unknown kinds.
    pub fn level(&self) -> Option<u8> {
        self.record().level()
    }

    /// [`Record::opcode`]; `None` for messages and unknown kinds.
    pub fn opcode(&self) -> Option<u8> {
        self.record().opcode()
    }

    /// [`Record::keyword`]: the keywords of an event, one bit each; `None` for all other kinds.
    pub fn keyword(&self) -> Option<u64> {
        self.record().keyword()
    }

    /// [`Record::process_id`]: the process in whose context the event was logged; `None` where the kind stores none.
    pub fn process_id(&self) -> Option<u32> {
        self.record().process_id()
    }

    /// [`Record::thread_id`]: the thread in whose context the event was logged; `None` where the kind stores none.
    pub fn thread_id(&self) -> Option<u32> {
        self.record().thread_id()
    }

    /// [`Record::cpu`]: the processor that logged the event.
    pub fn cpu(&self) -> u16 {
        self.record().cpu()
    }

    /// [`Record::user_data`]: the payload.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::ExtendedItem`](crate::ErrorKind::ExtendedItem) or
    /// [`ErrorKind::RecordTooShort`](crate::ErrorKind::RecordTooShort) where its start cannot be told.
    pub fn user_data(&self) -> Result<&[u8], Error> {
        self.record().user_data()
    }
}

impl<'r> From<&'r OrderedRecord<'_>> for Record<'r> {
    fn from(record: &'r OrderedRecord<'_>) -> Self {
        record.record()
    }
}

#[derive(Debug, Clone)]
struct OpenBuffer<'t> {
    info: &'t BufferInfo,
    data: Data<'t>,
    end: usize,
    dialect: Dialect,
}

#[derive(Debug, Clone)]
enum Data<'t> {
    Borrowed(&'t [u8]),
    Decompressed(Arc<[u8]>),
}

impl<'t> OpenBuffer<'t> {
    fn records_from(&self, pos: usize, index: u32) -> Records<'_> {
        let (bytes, decompressed) = match &self.data {
            Data::Borrowed(bytes) => (*bytes, false),
            Data::Decompressed(bytes) => (&**bytes, true),
        };
        let buffer = Buffer { info: self.info, bytes, end: self.end, decompressed, dialect: self.dialect };
        Records::resume(buffer, pos, index)
    }

    /// The bytes of a record at a position of the buffer.
    fn record_bytes(&self, pos: usize, length: usize) -> RecordBytes<'t> {
        let part = pos..pos.saturating_add(length);
        match &self.data {
            Data::Borrowed(bytes) => RecordBytes::Borrowed(bytes.get(part).unwrap_or_default()),
            Data::Decompressed(bytes) => RecordBytes::Shared(Arc::clone(bytes), part),
        }
    }
}

/// Decompressed bytes that may be open at once, beyond one buffer. 64 processors with buffers of 1 MiB need a quarter.
///
/// A trace that needs more is read all the same, and its order is then no longer that of time everywhere.
const MAX_OPEN_BYTES: usize = 256 << 20;

/// Iterator over all records of a trace in time order; see [`Trace::records`].
///
/// Holds at most one open buffer for each processor. Of decompressed buffers at most 256 MiB are open at once: where a
/// trace needs more, the next buffers wait until others have ended, and their records come late, under the time of the
/// record before them.
#[derive(Debug)]
#[must_use = "records are read as the iterator advances"]
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
            return Some(OpenBuffer { info, data, end, dialect: self.trace.dialect() });
        }
        let stored = self.trace.stored(info);
        let end = info.header.end_of_data() as usize;
        let data = Data::Borrowed(stored.get(..end).unwrap_or(stored));
        Some(OpenBuffer { info, data, end, dialect: self.trace.dialect() })
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
                let (bytes, facts) = (open.record_bytes(pos, record.bytes().len()), record.facts());
                stream.latest = ticks;
                stream.head = Some(Ok(OrderedRecord { bytes, facts, order_ticks: ticks, clock: self.trace.clock() }));
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
                    record.order_ticks = record.order_ticks.max(self.latest);
                    self.latest = record.order_ticks;
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
