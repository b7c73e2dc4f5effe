use std::collections::BTreeMap;

use crate::buffer::{
    BUFFER_HEADER_BYTES, Buffer, BufferFlags, BufferHeader, BufferInfo, BufferType, MAX_BUFFER_BYTES, is_unwritten,
};
use crate::bytes::{u16_at, u32_at};
use crate::clock::Clock;
use crate::compress::decompress;
use crate::error::{Consequence, Error, ErrorKind};
use crate::logfile_header::LogfileHeader;
use crate::merge::OrderedRecords;
use crate::record::{Layout, PointerSize, Record, peek_ticks};
use crate::{HookId, RecordKind};

/// How many damaged places keep their full description; all are counted. A file cut once has one.
const MAX_DAMAGE_KEPT: usize = 256;

/// An indexed trace: the header record, and where each buffer stands.
#[derive(Debug)]
pub struct Trace<'a> {
    bytes: &'a [u8],
    header: LogfileHeader,
    pointer_size: PointerSize,
    clock: Clock,
    layout: Layout,
    buffers: Vec<BufferInfo>,
    streams: Vec<Stream>,
    damage: Vec<Error>,
    damaged: u64,
    skipped_bytes: u64,
    unwritten_bytes: u64,
}

/// The buffers of one processor in the order in which they were filled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stream {
    /// Processor number.
    pub cpu: u16,
    /// Positions in [`Trace::buffers`].
    pub buffers: Vec<usize>,
}

impl<'a> Trace<'a> {
    /// Checks that `bytes` is a trace, and finds its buffers by their headers, to the end of the file.
    ///
    /// The count in the header is not used: it is 0 in a log that is still being written.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotATrace`] or [`ErrorKind::Truncated`] where the first buffer or its header record cannot be read.
    /// Later damage does not fail: see [`Trace::damage`].
    pub fn new(bytes: &'a [u8]) -> Result<Self, Error> {
        let (header, pointer_size, reference_ticks) = read_first_record(bytes)?;
        let layout = Layout { old_instances: (header.layout_major, header.layout_minor) < (1, 1) };
        let mut trace = Self {
            bytes,
            clock: Clock::new(&header, reference_ticks),
            header,
            pointer_size,
            layout,
            buffers: Vec::new(),
            streams: Vec::new(),
            damage: Vec::new(),
            damaged: 0,
            skipped_bytes: 0,
            unwritten_bytes: 0,
        };
        trace.index();
        Ok(trace)
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

    /// All bytes of the file.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
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

    /// Bytes that belong to no buffer that could be read.
    pub fn skipped_bytes(&self) -> u64 {
        self.skipped_bytes
    }

    /// Bytes reserved for buffers that were never written (a preallocated log): not damage.
    pub fn unwritten_bytes(&self) -> u64 {
        self.unwritten_bytes
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
            return Ok(Buffer { info, bytes, end, decompressed: false, layout: self.layout });
        }
        let (head, stream) = stored.split_at_checked(BUFFER_HEADER_BYTES).unwrap_or((stored, &[]));
        // The bound was checked when the buffer was indexed; it is at most `MAX_BUFFER_BYTES`.
        scratch.resize(end, 0);
        let (scratch_head, output) = scratch.split_at_mut(BUFFER_HEADER_BYTES.min(end));
        scratch_head.copy_from_slice(head.get(..scratch_head.len()).unwrap_or(head));
        let written = decompress(stream, output);
        let bytes = scratch.get(..BUFFER_HEADER_BYTES + written).unwrap_or(scratch);
        Ok(Buffer { info, bytes, end, decompressed: true, layout: self.layout })
    }

    /// All positions of [`Trace::buffers`] by the time of their first record: the order in which to read them so that
    /// few need to be open at once. Per processor it is the order of [`Trace::streams`].
    pub fn reading_order(&self) -> Vec<usize> {
        let mut order: Vec<(i64, usize, usize, usize)> = Vec::with_capacity(self.buffers.len());
        for (number, stream) in self.streams.iter().enumerate() {
            let mut latest = i64::MIN;
            for (rank, &position) in stream.buffers.iter().enumerate() {
                let first = self.buffers.get(position).and_then(|info| info.first_ticks);
                latest = latest.max(first.unwrap_or(i64::MIN));
                order.push((latest, number, rank, position));
            }
        }
        order.sort_unstable();
        order.into_iter().map(|(_, _, _, position)| position).collect()
    }

    /// All records in time order.
    ///
    /// Each processor's records stay in their own order; between processors the smaller time stamp comes first, and of
    /// equal ones that of the lower processor number. A record without a time stamp, or with one that goes back, takes
    /// the time of the record before it. Damage comes as an error in the place where records are missing.
    pub fn records_in_time_order(&self) -> OrderedRecords<'_, 'a> {
        OrderedRecords::new(self)
    }

    pub(crate) fn layout(&self) -> Layout {
        self.layout
    }

    fn stored(&self, info: &BufferInfo) -> &'a [u8] {
        let behind = usize::try_from(info.offset).ok().and_then(|at| self.bytes.get(at..)).unwrap_or(&[]);
        behind.get(..info.stored_bytes as usize).unwrap_or(behind)
    }

    fn index(&mut self) {
        let bytes = self.bytes;
        // The stride of an uncompressed trace; a compressed one has no regular stride.
        let stride = (!self.header.log_file_mode.has(crate::LogFileMode::COMPRESSED))
            .then_some(self.header.buffer_bytes)
            .filter(|size| (BUFFER_HEADER_BYTES as u32..=MAX_BUFFER_BYTES).contains(size));
        let mut offset = 0_usize;
        let mut index = 0_u32;
        while let Some(rest) = bytes.get(offset..).filter(|rest| !rest.is_empty()) {
            let step = self.index_one(rest, offset as u64, index, stride);
            offset = offset.saturating_add(step.max(1));
            index = index.saturating_add(1);
        }
        let mut streams: BTreeMap<u16, Vec<usize>> = BTreeMap::new();
        for (position, info) in self.buffers.iter().enumerate() {
            streams.entry(info.header.cpu()).or_default().push(position);
        }
        self.streams = streams
            .into_iter()
            .map(|(cpu, mut buffers)| {
                buffers.sort_by_key(|&position| self.buffers.get(position).map(|info| info.header.sequence_number));
                Stream { cpu, buffers }
            })
            .collect();
    }

    /// Looks at the buffer that `rest` starts with, and says how many bytes to advance.
    fn index_one(&mut self, rest: &[u8], offset: u64, index: u32, stride: Option<u32>) -> usize {
        let Some(header) = BufferHeader::read(rest) else {
            if is_unwritten(rest) {
                self.unwritten_bytes += rest.len() as u64;
            } else {
                self.skip(
                    rest.len(),
                    Error::new(
                        ErrorKind::StrayBytes,
                        Consequence::Buffer,
                        offset,
                        "fewer than a buffer header's 72 at the end of the file",
                        BUFFER_HEADER_BYTES as u64,
                        rest.len() as u64,
                    ),
                );
            }
            return rest.len();
        };
        let info = |size: u32| BufferInfo {
            index,
            offset,
            stored_bytes: size.min(u32::try_from(rest.len()).unwrap_or(u32::MAX)),
            header,
            first_ticks: None,
        };
        if rest.get(..BUFFER_HEADER_BYTES).is_some_and(is_unwritten) {
            let step = self.next_buffer(rest, stride);
            self.unwritten_bytes += step as u64;
            return step;
        }
        let size = header.buffer_bytes;
        if !(BUFFER_HEADER_BYTES as u32..=MAX_BUFFER_BYTES).contains(&size) {
            let error = info(size).error(
                ErrorKind::BufferSizeOutOfRange,
                "buffer size",
                u64::from(MAX_BUFFER_BYTES),
                u64::from(size),
            );
            let step = self.next_buffer(rest, stride);
            self.skip(step, error);
            return step;
        }
        let mut info = info(size);
        let end = header.end_of_data();
        let limit = if info.is_compressed() { self.uncompressed_limit() } else { size };
        if !(BUFFER_HEADER_BYTES as u32..=limit).contains(&end) {
            let error = info.error(ErrorKind::EndOfDataOutOfRange, "Offset", u64::from(limit), u64::from(end));
            // A header that is wrong in two places is no guide to the next one.
            let trusted = stride.is_none_or(|stride| stride == size);
            let step = if trusted { size as usize } else { self.next_buffer(rest, stride) };
            self.skip(step.min(rest.len()), error);
            return step;
        }
        if info.is_truncated() {
            let (need, have) = (u64::from(size), rest.len() as u64);
            let mut error = info.error(ErrorKind::Truncated, "the buffer", need, have);
            error.consequence = Consequence::RestOfBuffer;
            self.note(error);
        }
        info.first_ticks = self.first_ticks(&info);
        self.buffers.push(info);
        // A wrong size in an uncompressed trace shows by what stands behind: there the regular stride is the better guide.
        if let Some(stride) = stride.filter(|stride| *stride != size)
            && !starts_buffer(rest, size as usize)
            && starts_buffer(rest, stride as usize)
        {
            return stride as usize;
        }
        size as usize
    }

    /// Largest uncompressed buffer that this trace may have, in bytes.
    fn uncompressed_limit(&self) -> u32 {
        match self.header.buffer_bytes {
            size if size >= BUFFER_HEADER_BYTES as u32 => size.min(MAX_BUFFER_BYTES),
            _ => MAX_BUFFER_BYTES,
        }
    }

    fn first_ticks(&self, info: &BufferInfo) -> Option<i64> {
        let end = info.header.end_of_data() as usize;
        let stored = self.stored(info);
        if end <= BUFFER_HEADER_BYTES {
            return None;
        }
        if info.is_compressed() {
            let mut start = [0_u8; 64];
            let written = decompress(stored.get(BUFFER_HEADER_BYTES..)?, &mut start);
            peek_ticks(start.get(..written)?, self.layout)
        } else {
            peek_ticks(stored.get(BUFFER_HEADER_BYTES..end.min(stored.len()))?, self.layout)
        }
    }

    /// Bytes to the next place behind the start of `rest` that looks like a buffer, or to its end.
    fn next_buffer(&self, rest: &[u8], stride: Option<u32>) -> usize {
        let step = stride.map_or(1, |stride| stride as usize);
        let mut at = step;
        while at < rest.len() {
            if starts_buffer(rest, at) {
                return at;
            }
            at = at.saturating_add(step);
        }
        rest.len()
    }

    fn skip(&mut self, bytes: usize, error: Error) {
        self.skipped_bytes += bytes as u64;
        self.note(error);
    }

    fn note(&mut self, error: Error) {
        self.damaged += 1;
        if self.damage.len() < MAX_DAMAGE_KEPT {
            self.damage.push(error);
        }
    }
}

/// Whether a plausible buffer header stands at `at`. The end of the data also counts: a last buffer ends there.
fn starts_buffer(bytes: &[u8], at: usize) -> bool {
    let Some(here) = bytes.get(at..) else { return false };
    if here.is_empty() {
        return true;
    }
    // Cheap refusals first: a byte-wise search through a compressed trace asks this of every byte.
    let type_fits = u16_at(here, 0x36).is_some_and(|value| value <= BufferType::MAXIMUM.0);
    let size_fits = u32_at(here, 0).is_some_and(|size| (BUFFER_HEADER_BYTES as u32..=MAX_BUFFER_BYTES).contains(&size));
    if !type_fits || !size_fits || u16_at(here, 0x34).is_none_or(|flags| flags > 0x7F) {
        return false;
    }
    let Some(header) = BufferHeader::read(here) else { return false };
    let behind = here.get(BUFFER_HEADER_BYTES..).unwrap_or(&[]);
    header.is_plausible(behind, here.len() as u64)
}

/// Reads the header record at the start of the first buffer: header, its pointer size, its time stamp.
fn read_first_record(bytes: &[u8]) -> Result<(LogfileHeader, PointerSize, i64), Error> {
    let not_a_trace = |offset: u64, field, need: u64, have: u64| {
        Error::new(ErrorKind::NotATrace, Consequence::File, offset, field, need, have)
    };
    let Some(header) = BufferHeader::read(bytes) else {
        let have = bytes.len() as u64;
        return Err(not_a_trace(0, "the file's size", BUFFER_HEADER_BYTES as u64, have));
    };
    let size = header.buffer_bytes;
    if !(BUFFER_HEADER_BYTES as u32..=MAX_BUFFER_BYTES).contains(&size) {
        return Err(not_a_trace(0, "the first buffer's size", u64::from(MAX_BUFFER_BYTES), u64::from(size)));
    }
    if header.flags.has(BufferFlags::COMPRESSED) {
        return Err(not_a_trace(0x34, "the first buffer's flags word", 1, u64::from(header.flags.0)));
    }
    let info = BufferInfo {
        index: 0,
        offset: 0,
        stored_bytes: size.min(u32::try_from(bytes.len()).unwrap_or(u32::MAX)),
        header,
        first_ticks: None,
    };
    let end = header.end_of_data() as usize;
    let stored = bytes.get(..info.stored_bytes as usize).unwrap_or(bytes);
    let buffer = Buffer {
        info: &info,
        bytes: stored.get(..end).unwrap_or(stored),
        end,
        decompressed: false,
        layout: Layout { old_instances: false },
    };
    let record = match buffer.records().next() {
        Some(Ok(record)) => record,
        Some(Err(error)) if error.kind == ErrorKind::Truncated => return Err(error),
        _ => {
            let word = u32_at(bytes, BUFFER_HEADER_BYTES).unwrap_or(0);
            return Err(not_a_trace(
                BUFFER_HEADER_BYTES as u64,
                "the first record's marker",
                0xC001_0002,
                u64::from(word),
            ));
        }
    };
    first_header_record(&record)
}

fn first_header_record(record: &Record<'_>) -> Result<(LogfileHeader, PointerSize, i64), Error> {
    let is_header = record.kind() == RecordKind::System && record.hook() == Some(HookId::LOGFILE_HEADER);
    match (record.pointer_size(), record.ticks()) {
        (Some(pointer_size), Some(ticks)) if is_header => {
            let payload = record.user_data()?;
            Ok((LogfileHeader::read(payload, pointer_size, record.offset())?, pointer_size, ticks))
        }
        _ => {
            let hook = record.hook().map_or(u64::from(u32::MAX), |hook| u64::from(hook.0));
            let offset = record.offset();
            Err(Error::new(ErrorKind::NotATrace, Consequence::File, offset, "the first record's hook id", 0, hook))
        }
    }
}
