//! A trace: its header record, its buffers, and ways to read them.

mod index;
mod place;
mod prefetch;
mod rising;
mod start;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

use self::start::read_first_record;
use crate::LogFileMode;
use crate::buffer::{BUFFER_HEADER_BYTES, Buffer, BufferFlags, BufferHeader, BufferInfo, BufferType, MAX_BUFFER_BYTES};
use crate::clock::Clock;
use crate::error::{Consequence, Error, ErrorKind};
use crate::logfile_header::LogfileHeader;
use crate::merge::OrderedRecords;
use crate::record::{Dialect, PointerSize};
use crate::xpress::decompress;

/// An indexed trace: the header record, and where each buffer stands.
#[derive(Debug)]
pub struct Trace<'a> {
    /// The segment's bytes.
    bytes: &'a [u8],
    /// Where they start in the file.
    base: u64,
    header: LogfileHeader,
    pointer_size: PointerSize,
    clock: Clock,
    dialect: Dialect,
    buffers: Vec<BufferInfo>,
    streams: Vec<Stream>,
    damage: Vec<Error>,
    damaged: u64,
    damaged_buffers: u64,
    skipped_bytes: u64,
    unwritten_bytes: u64,
    /// Number and flush time of the buffer before, where it has both.
    flushed: Option<(i64, i64)>,
    flushed_back_ticks: i64,
    /// What the compressed buffers so far announce.
    expanded_bytes: u64,
    has_header: bool,
}

/// The buffers of one processor in the order in which they were filled.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stream {
    /// Processor number.
    pub cpu: u16,
    /// Positions in [`Trace::buffers`], in 32 bits: a long trace has many.
    buffers: Vec<u32>,
}

impl Stream {
    /// Positions in [`Trace::buffers`].
    pub fn buffers(&self) -> impl ExactSizeIterator<Item = usize> + Clone {
        self.buffers.iter().map(|position| *position as usize)
    }

    pub(crate) fn positions(&self) -> &[u32] {
        &self.buffers
    }
}

impl<'a> Trace<'a> {
    /// Reads all segments of a file: one, unless sessions were appended to each other or files put together.
    ///
    /// Each has a header record of its own, and so its own clock and numbers.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotATrace`] or [`ErrorKind::Truncated`], as [`Trace::new`], for the first segment. A later one starts only where its header record can be read.
    pub fn segments(bytes: &'a [u8]) -> Result<Vec<Self>, Error> {
        let mut segments = vec![Self::at(bytes, 0)?];
        while let Some(next) = segments.last().map(Self::end).filter(|next| *next < bytes.len() as u64) {
            let Some(rest) = usize::try_from(next).ok().and_then(|next| bytes.get(next..)) else { break };
            segments.push(Self::at(rest, next)?);
        }
        Ok(segments)
    }

    /// Checks that `bytes` is a trace, and finds its buffers by their headers, to the end of the file or to where another
    /// segment begins (see [`Trace::segments`]).
    ///
    /// The count in the header is not used: it is 0 in a log that is still being written.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotATrace`] or [`ErrorKind::Truncated`] where the first buffer or its header record cannot be read.
    /// A missing first buffer is none: see [`Trace::has_header`].
    /// Later damage does not fail: see [`Trace::damage`].
    pub fn new(bytes: &'a [u8]) -> Result<Self, Error> {
        Self::at(bytes, 0)
    }

    fn at(bytes: &'a [u8], base: u64) -> Result<Self, Error> {
        match read_first_record(bytes) {
            Ok((header, pointer_size, reference_ticks)) => {
                Ok(Self::indexed(bytes, base, header, pointer_size, reference_ticks))
            }
            Err(error) if base == 0 => Self::headless(bytes).ok_or(error),
            Err(error) => Err(error),
        }
    }

    /// A trace without its first buffer: everything that the header record tells is unknown. Times count from the first
    /// record, on an assumed clock.
    ///
    /// Only where the first buffer is one without doubt: its header is plausible and all of its records are.
    fn headless(bytes: &'a [u8]) -> Option<Self> {
        let first = BufferHeader::read(bytes)?;
        let behind = bytes.get(BUFFER_HEADER_BYTES..)?;
        if first.buffer_type == BufferType::HEADER || !first.is_plausible(behind, bytes.len() as u64, None) {
            return None;
        }
        let compressed = first.flags.has(BufferFlags::COMPRESSED);
        let header = LogfileHeader {
            buffer_bytes: if compressed { MAX_BUFFER_BYTES } else { first.buffer_bytes },
            log_file_mode: LogFileMode(if compressed { LogFileMode::COMPRESSED } else { 0 }),
            layout_major: 1,
            layout_minor: 5,
            ..LogfileHeader::default()
        };
        let trace = Self::indexed(bytes, 0, header, PointerSize::Eight, 0);
        let mut scratch = Vec::new();
        let buffer = trace.buffer(0, &mut scratch).ok()?;
        let (mut ticks, mut pointer_size, mut records) = (None, PointerSize::Eight, 0_u64);
        for record in buffer.records() {
            let record = record.ok()?;
            ticks = ticks.or(record.ticks());
            pointer_size = record.pointer_size().unwrap_or(pointer_size);
            records += 1;
        }
        let header = (records > 0).then(|| trace.header.clone())?;
        let mut trace = Self::indexed(bytes, 0, header, pointer_size, ticks?);
        trace.has_header = false;
        Some(trace)
    }

    fn indexed(
        bytes: &'a [u8],
        base: u64,
        header: LogfileHeader,
        pointer_size: PointerSize,
        reference_ticks: i64,
    ) -> Self {
        let dialect = Dialect { old_instances: (header.layout_major, header.layout_minor) < (1, 1) };
        let mut trace = Self {
            bytes,
            base,
            clock: Clock::new(&header, reference_ticks),
            header,
            pointer_size,
            dialect,
            buffers: Vec::new(),
            streams: Vec::new(),
            damage: Vec::new(),
            damaged: 0,
            damaged_buffers: 0,
            skipped_bytes: 0,
            unwritten_bytes: 0,
            flushed: None,
            flushed_back_ticks: 0,
            expanded_bytes: 0,
            has_header: true,
        };
        trace.index();
        trace
    }

    /// Whether the trace has its header record. Without it [`Trace::header`] is made up of what the first buffer shows:
    /// the size of buffers; all else is 0, and times count from the first record.
    pub fn has_header(&self) -> bool {
        self.has_header
    }

    /// The log-file header record.
    pub fn header(&self) -> &LogfileHeader {
        &self.header
    }

    /// Pointer size of the machine that wrote the header record. Other records state their own.
    pub fn pointer_size(&self) -> PointerSize {
        self.pointer_size
    }

    /// Converts the trace's time stamps.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// All bytes of the segment.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Where the segment starts in the file, in bytes.
    pub fn start(&self) -> u64 {
        self.base
    }

    /// Where the segment ends in the file, in bytes.
    pub fn end(&self) -> u64 {
        self.base.saturating_add(self.bytes.len() as u64)
    }

    /// The buffers in file order, without those whose header is damaged.
    pub fn buffers(&self) -> &[BufferInfo] {
        &self.buffers
    }

    /// The buffers of each processor, by processor number.
    ///
    /// Within a processor by sequence number, then by file offset: flush order across processors is neither.
    pub fn streams(&self) -> &[Stream] {
        &self.streams
    }

    /// Damage between and in buffer headers, the first 256 places. What records are damaged shows when they are walked.
    pub fn damage(&self) -> &[Error] {
        &self.damage
    }

    /// How many places [`Trace::damage`] is about, those not kept included.
    pub fn damaged(&self) -> u64 {
        self.damaged
    }

    /// How many of these places are buffers, not bytes that belong to none.
    pub fn damaged_buffers(&self) -> u64 {
        self.damaged_buffers
    }

    /// Bytes that belong to no buffer that could be read.
    pub fn skipped_bytes(&self) -> u64 {
        self.skipped_bytes
    }

    /// Bytes reserved for buffers that were never written (a preallocated log): not damage.
    pub fn unwritten_bytes(&self) -> u64 {
        self.unwritten_bytes
    }

    /// By how much the time at which buffers were flushed goes back at most, in ticks of the session's clock, from a buffer to
    /// the next one in the file with a higher number: with the system time as clock more than a moment shows that it was set
    /// back, on whatever processor. 0 where it never goes back.
    pub fn flushed_back_ticks(&self) -> i64 {
        self.flushed_back_ticks
    }

    /// Opens the buffer at `position` in [`Trace::buffers`], decompressing into `scratch` where it is compressed.
    ///
    /// A buffer that was cut, or that does not expand to the announced length, is given as far as it goes; its
    /// [`Records`](crate::Records) then end with an error.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::StrayBytes`] for a position that does not exist.
    pub fn buffer<'s>(&'s self, position: usize, scratch: &'s mut Vec<u8>) -> Result<Buffer<'s>, Error> {
        let Some(info) = self.buffers.get(position) else {
            let (need, have) = (self.buffers.len() as u64, position as u64);
            return Err(Error::new(ErrorKind::StrayBytes, Consequence::Buffer, 0, "buffer position", need, have));
        };
        let stored = self.stored(info);
        let end = info.header.end_of_data() as usize;
        if !info.is_compressed() {
            let bytes = stored.get(..end).unwrap_or(stored);
            return Ok(Buffer { info, bytes, end, decompressed: false, dialect: self.dialect });
        }
        let (head, stream) = stored.split_at_checked(BUFFER_HEADER_BYTES).unwrap_or((stored, &[]));
        // The bound was checked when the buffer was indexed; it is at most `MAX_BUFFER_BYTES`.
        scratch.resize(end, 0);
        let (scratch_head, output) = scratch.split_at_mut(BUFFER_HEADER_BYTES.min(end));
        scratch_head.copy_from_slice(head.get(..scratch_head.len()).unwrap_or(head));
        let written = decompress(stream, output);
        let bytes = scratch.get(..BUFFER_HEADER_BYTES + written).unwrap_or(scratch);
        Ok(Buffer { info, bytes, end, decompressed: true, dialect: self.dialect })
    }

    /// All positions of [`Trace::buffers`] by the time of their first record: the order in which to read them so that
    /// few need to be open at once. Per processor it is the order of [`Trace::streams`].
    pub fn reading_order(&self) -> impl Iterator<Item = usize> {
        let head = |number: usize, rank: usize| {
            let position = *self.streams.get(number)?.buffers.get(rank)? as usize;
            Some(Reverse((self.buffers.get(position)?.not_before, number, rank, position)))
        };
        let mut heads: BinaryHeap<_> = (0..self.streams.len()).filter_map(|number| head(number, 0)).collect();
        std::iter::from_fn(move || {
            let mut first = heads.peek_mut()?;
            let Reverse((_, number, rank, position)) = *first;
            match head(number, rank + 1) {
                Some(next) => *first = next,
                None => drop(PeekMut::pop(first)),
            }
            Some(position)
        })
    }

    /// All records of all buffers, in time order.
    ///
    /// Each processor's records stay in their own order; between processors the smaller time stamp comes first, and of
    /// equal ones that of the lower processor number. A record without a time stamp, or with one that goes back, takes
    /// the place of the record before it ([`BufferInfo::order_ticks`]).
    ///
    /// Damage comes as an `Err` in the place where records are missing, says what it costs ([`Error::consequence`]), and
    /// the iteration goes on behind it. Damage between buffers is not among it: see [`Trace::damage`].
    ///
    /// One thread reads. Where that is too slow, and the order does not matter or is made later, open buffers on several
    /// threads: [`Trace::buffer`] and [`Buffer::records`] copy nothing.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/synthetic/modern-64.etl");
    /// # if !std::path::Path::new(path).exists() { return Ok(()) }
    /// let file = etl_parser::EtlFile::open(path)?;
    /// let trace = file.trace()?;
    /// let (mut records, mut damaged) = (0, 0);
    /// for record in trace.records() {
    ///     match record {
    ///         Ok(_) => records += 1,
    ///         Err(damage) => { eprintln!("{damage}"); damaged += 1 }
    ///     }
    /// }
    /// assert!(records > 0 && damaged == 0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn records(&self) -> OrderedRecords<'_, 'a> {
        OrderedRecords::new(self)
    }

    pub(crate) fn dialect(&self) -> Dialect {
        self.dialect
    }

    pub(crate) fn stored(&self, info: &BufferInfo) -> &'a [u8] {
        let at = info.offset.saturating_sub(self.base);
        let behind = usize::try_from(at).ok().and_then(|at| self.bytes.get(at..)).unwrap_or(&[]);
        behind.get(..info.stored_bytes as usize).unwrap_or(behind)
    }
}
