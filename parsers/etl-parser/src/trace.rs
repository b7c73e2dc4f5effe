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
use crate::{HookId, LogFileMode, RecordKind};

/// How many damaged places keep their full description; all are counted. A file cut once has one.
const MAX_DAMAGE_KEPT: usize = 256;

/// How many times its own size the compressed buffers of a trace may hold, beyond [`FREE_EXPANSION_BYTES`]: bounds the
/// time that a small file can take. The largest real ratio seen is 13.4; captured packets of zeros may reach hundreds.
const MAX_EXPANSION: u64 = 1024;

/// What the compressed buffers of any trace may hold, in bytes.
const FREE_EXPANSION_BYTES: u64 = 64 << 20;

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
    layout: Layout,
    buffers: Vec<BufferInfo>,
    streams: Vec<Stream>,
    damage: Vec<Error>,
    damaged: u64,
    damaged_buffers: u64,
    skipped_bytes: u64,
    unwritten_bytes: u64,
    /// What the compressed buffers so far announce.
    expanded_bytes: u64,
    has_header: bool,
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
    /// Reads all segments of a file: one, unless sessions were appended to each other or files put together.
    ///
    /// Each has a header record of its own, and so its own clock and numbers.
    ///
    /// # Errors
    ///
    /// Those of [`Trace::new`], for the first segment. A later one starts only where its header record can be read.
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
        let layout = Layout { old_instances: (header.layout_major, header.layout_minor) < (1, 1) };
        let mut trace = Self {
            bytes,
            base,
            clock: Clock::new(&header, reference_ticks),
            header,
            pointer_size,
            layout,
            buffers: Vec::new(),
            streams: Vec::new(),
            damage: Vec::new(),
            damaged: 0,
            damaged_buffers: 0,
            skipped_bytes: 0,
            unwritten_bytes: 0,
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
            for (rank, &position) in stream.buffers.iter().enumerate() {
                let not_before = self.buffers.get(position).map_or(i64::MIN, |info| info.not_before);
                order.push((not_before, number, rank, position));
            }
        }
        order.sort_unstable();
        order.into_iter().map(|(_, _, _, position)| position).collect()
    }

    /// All records in time order.
    ///
    /// Each processor's records stay in their own order; between processors the smaller time stamp comes first, and of
    /// equal ones that of the lower processor number. A record without a time stamp, or with one that goes back, takes
    /// the time of the record before it ([`BufferInfo::order_ticks`]). Damage comes as an error in the place where
    /// records are missing.
    pub fn records_in_time_order(&self) -> OrderedRecords<'_, 'a> {
        OrderedRecords::new(self)
    }

    pub(crate) fn layout(&self) -> Layout {
        self.layout
    }

    pub(crate) fn stored(&self, info: &BufferInfo) -> &'a [u8] {
        let at = info.offset.saturating_sub(self.base);
        let behind = usize::try_from(at).ok().and_then(|at| self.bytes.get(at..)).unwrap_or(&[]);
        behind.get(..info.stored_bytes as usize).unwrap_or(behind)
    }

    fn index(&mut self) {
        let bytes = self.bytes;
        let stride = self.stride();
        let mut offset = 0_usize;
        let mut index = 0_u32;
        while let Some(rest) = bytes.get(offset..).filter(|rest| !rest.is_empty()) {
            if offset > 0 && starts_segment(rest) {
                self.bytes = bytes.get(..offset).unwrap_or(bytes);
                break;
            }
            let step = self.index_one(Place { rest, base: self.base, offset, index, stride });
            offset = offset.saturating_add(step.max(1));
            index = index.saturating_add(1);
        }
        let mut streams: BTreeMap<u16, Vec<usize>> = BTreeMap::new();
        for (position, info) in self.buffers.iter().enumerate() {
            streams.entry(info.header.cpu()).or_default().push(position);
        }
        for (cpu, mut buffers) in streams {
            buffers.sort_by_key(|&position| self.buffers.get(position).map(|info| info.header.sequence_number));
            self.bound_times(&buffers);
            self.streams.push(Stream { cpu, buffers });
        }
    }

    /// The stride of an uncompressed trace; a compressed one has no regular stride.
    ///
    /// The header record and the first buffer both state it. Where they differ, one is damaged: then the smaller one that
    /// leads to a buffer of its size counts, since the larger may be a multiple of it and leave buffers out.
    fn stride(&self) -> Option<u32> {
        let sizes = BUFFER_HEADER_BYTES as u32..=MAX_BUFFER_BYTES;
        let stated = self.header.buffer_bytes;
        if self.header.log_file_mode.has(LogFileMode::COMPRESSED) {
            return None;
        }
        let first = u32_at(self.bytes, 0).filter(|first| *first != stated);
        let place = Place { rest: self.bytes, base: self.base, offset: 0, index: 0, stride: None };
        let leads_to_its_like = |size: &u32| {
            let at = *size as usize;
            let next = self.bytes.get(at..).and_then(|next| u32_at(next, 0));
            sizes.contains(size) && next == Some(*size) && place.starts_buffer(at)
        };
        let smaller_first = first.map(|first| [first.min(stated), first.max(stated)]);
        let agreed = smaller_first.into_iter().flatten().find(leads_to_its_like);
        agreed.or(Some(stated)).filter(|size| sizes.contains(size))
    }

    /// Looks at the buffer that should stand at `place`, and says how many bytes to advance.
    fn index_one(&mut self, place: Place<'_>) -> usize {
        let Place { rest, stride, .. } = place;
        let Some(header) = self.buffer_header(rest) else {
            if is_unwritten(rest) {
                self.unwritten_bytes += rest.len() as u64;
            } else {
                let (need, have) = (BUFFER_HEADER_BYTES as u64, rest.len() as u64);
                let what = "fewer than a buffer header's 72 at the end of the file";
                let offset = place.absolute();
                self.skip(rest.len(), Error::new(ErrorKind::StrayBytes, Consequence::Buffer, offset, what, need, have));
            }
            return rest.len();
        };
        let size = header.buffer_bytes;
        let mut info = place.info(header);
        if rest.get(..BUFFER_HEADER_BYTES).is_some_and(is_unwritten) {
            let step = place.next_buffer();
            if rest.get(..step).is_some_and(is_unwritten) {
                self.unwritten_bytes += step as u64;
            } else {
                self.skip(step, info.error(ErrorKind::BufferSizeOutOfRange, "buffer size", MAX_BUFFER_BYTES, size));
            }
            return step;
        }
        if !(BUFFER_HEADER_BYTES as u32..=MAX_BUFFER_BYTES).contains(&size) {
            let step = place.next_buffer();
            self.skip(step, info.error(ErrorKind::BufferSizeOutOfRange, "buffer size", MAX_BUFFER_BYTES, size));
            return step;
        }
        // Where buffers are equal and another one stands a stride on, a size that says otherwise is wrong.
        let mut step = size;
        if let Some(stride) = stride.filter(|stride| *stride != size && place.starts_buffer(*stride as usize)) {
            let mut error = info.error(ErrorKind::IrregularBufferSize, "buffer size", stride, size);
            error.consequence = Consequence::Nothing;
            self.note(error);
            step = stride;
            info = place.info(BufferHeader { buffer_bytes: stride, ..header });
        }
        let end = header.end_of_data();
        let limit = if info.is_compressed() { self.uncompressed_limit() } else { step };
        if !(BUFFER_HEADER_BYTES as u32..=limit).contains(&end) {
            // A header that is wrong in two places is no guide to the next one.
            let trusted = stride.is_none_or(|stride| stride == step);
            let step = if trusted { step as usize } else { place.next_buffer() };
            self.skip(step.min(rest.len()), info.error(ErrorKind::EndOfDataOutOfRange, "Offset", limit, end));
            return step;
        }
        if info.is_compressed() {
            self.expanded_bytes = self.expanded_bytes.saturating_add(u64::from(end));
            let budget = (self.bytes.len() as u64).saturating_mul(MAX_EXPANSION).saturating_add(FREE_EXPANSION_BYTES);
            if self.expanded_bytes > budget {
                let mut error = info.error(ErrorKind::ExpansionBudget, "decompressed buffers", 0, end);
                error.need = budget;
                self.skip((step as usize).min(rest.len()), error);
                return step as usize;
            }
        }
        if info.is_truncated() {
            let have = u32::try_from(rest.len()).unwrap_or(u32::MAX);
            let mut error = info.error(ErrorKind::Truncated, "the buffer", step, have);
            let whole = !info.is_compressed() && end <= have;
            error.consequence = if whole { Consequence::Nothing } else { Consequence::RestOfBuffer };
            self.note(error);
        }
        info.first_ticks = self.first_ticks(&info);
        self.buffers.push(info);
        step as usize
    }

    /// A buffer's header, without what Windows 2000 to 2003 keep in the places of later fields.
    ///
    /// Source: Geoff Chappell, `WMI_BUFFER_HEADER`: before Vista a GUID stands at 0x18 and not a sequence number, and
    /// before 5.2 `EventsLost` at 0x34 and not flags and type. No real file of these versions was seen.
    fn buffer_header(&self, bytes: &[u8]) -> Option<BufferHeader> {
        let mut header = BufferHeader::read(bytes)?;
        if self.header.os_major == 5 {
            header.sequence_number = 0;
            if self.header.os_minor < 2 {
                (header.flags, header.buffer_type) = (BufferFlags::default(), BufferType::default());
            }
        }
        Some(header)
    }

    /// Gives each buffer of a stream the span of time in which its records are ordered.
    ///
    /// First time stamps rise along a stream. Where they do not, the longest rising part is believed, and the records of
    /// the other buffers are ordered at the time of the next buffer that is believed: a wrong time stamp, high or low,
    /// moves its own buffer's records and no others.
    fn bound_times(&mut self, stream: &[usize]) {
        let firsts: Vec<Option<i64>> =
            stream.iter().map(|&position| self.buffers.get(position).and_then(|info| info.first_ticks)).collect();
        let believed = longest_rising(&firsts);
        let mut next = i64::MAX;
        for ((&position, first), believed) in stream.iter().zip(firsts).zip(believed).rev() {
            let Some(info) = self.buffers.get_mut(position) else { continue };
            info.not_after = next;
            info.not_before = first.filter(|_| believed).unwrap_or(next);
            next = info.not_before;
        }
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
            peek_ticks(start.get(..written)?, end - BUFFER_HEADER_BYTES, self.layout)
        } else {
            let data = stored.get(BUFFER_HEADER_BYTES..end.min(stored.len()))?;
            peek_ticks(data, data.len(), self.layout)
        }
    }

    fn skip(&mut self, bytes: usize, error: Error) {
        self.skipped_bytes += bytes as u64;
        self.note(error);
    }

    fn note(&mut self, error: Error) {
        self.damaged += 1;
        self.damaged_buffers += u64::from(error.kind != ErrorKind::StrayBytes);
        if self.damage.len() < MAX_DAMAGE_KEPT {
            self.damage.push(error);
        }
    }
}

/// A place in the file where a buffer should stand.
#[derive(Debug, Clone, Copy)]
struct Place<'a> {
    /// The file from here on.
    rest: &'a [u8],
    /// Where the segment starts in the file.
    base: u64,
    /// Offset in the segment.
    offset: usize,
    /// Number of the buffer, from 0.
    index: u32,
    /// The size of the trace's buffers, where they are equal.
    stride: Option<u32>,
}

impl Place<'_> {
    /// Offset in the file.
    fn absolute(&self) -> u64 {
        self.base.saturating_add(self.offset as u64)
    }

    fn info(&self, header: BufferHeader) -> BufferInfo {
        BufferInfo {
            index: self.index,
            offset: self.absolute(),
            stored_bytes: header.buffer_bytes.min(u32::try_from(self.rest.len()).unwrap_or(u32::MAX)),
            header,
            first_ticks: None,
            not_before: i64::MIN,
            not_after: i64::MAX,
        }
    }

    /// Bytes to the next place that looks like a buffer, or to the end of the file. Where buffers are equal, only
    /// multiples of their size are looked at, counted from the start of the segment.
    fn next_buffer(&self) -> usize {
        let step = self.stride.map_or(1, |stride| stride as usize);
        let mut at = step - self.offset % step;
        while at < self.rest.len() {
            if self.starts_buffer(at) {
                return at;
            }
            at = at.saturating_add(step);
        }
        self.rest.len()
    }

    /// Whether a plausible buffer header stands `at` bytes on. The end of the file also counts: a last buffer ends there.
    fn starts_buffer(&self, at: usize) -> bool {
        let Some(here) = self.rest.get(at..) else { return false };
        if here.is_empty() {
            return true;
        }
        // Cheap refusals first: a byte-wise search through a compressed trace asks this of every byte.
        let sizes = BUFFER_HEADER_BYTES as u32..=MAX_BUFFER_BYTES;
        let type_fits = u16_at(here, 0x36).is_some_and(|value| value <= BufferType::MAXIMUM.0);
        let size_fits = u32_at(here, 0).is_some_and(|size| sizes.contains(&size));
        if !type_fits || !size_fits || u16_at(here, 0x34).is_none_or(|flags| flags > 0x7F) {
            return false;
        }
        let Some(header) = BufferHeader::read(here) else { return false };
        let behind = here.get(BUFFER_HEADER_BYTES..).unwrap_or(&[]);
        header.is_plausible(behind, here.len() as u64, self.stride)
    }
}

/// Which of `values` belong to the longest part, not necessarily connected, that never falls; of equally long ones, one.
fn longest_rising(values: &[Option<i64>]) -> Vec<bool> {
    // For each length, the smallest last value of a rising part of that length, and where it stands.
    let mut lasts: Vec<(i64, usize)> = Vec::new();
    let mut before: Vec<Option<usize>> = vec![None; values.len()];
    for (rank, value) in values.iter().enumerate() {
        let Some(value) = *value else { continue };
        let length = lasts.partition_point(|(last, _)| *last <= value);
        if let (Some(before), Some(shorter)) = (before.get_mut(rank), length.checked_sub(1)) {
            *before = lasts.get(shorter).map(|(_, at)| *at);
        }
        match lasts.get_mut(length) {
            Some(last) => *last = (value, rank),
            None => lasts.push((value, rank)),
        }
    }
    let mut believed = vec![false; values.len()];
    let mut at = lasts.last().map(|(_, at)| *at);
    while let Some(rank) = at {
        if let Some(believed) = believed.get_mut(rank) {
            *believed = true;
        }
        at = before.get(rank).copied().flatten();
    }
    believed
}

/// Whether a header buffer with a readable header record stands here.
fn starts_segment(bytes: &[u8]) -> bool {
    let is_header = u16_at(bytes, 0x36) == Some(BufferType::HEADER.0);
    is_header && read_first_record(bytes).is_ok()
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
    let end = header.end_of_data();
    if !(BUFFER_HEADER_BYTES as u32..=size).contains(&end) {
        return Err(not_a_trace(0x30, "the first buffer's end of data", u64::from(size), u64::from(end)));
    }
    let info = Place { rest: bytes, base: 0, offset: 0, index: 0, stride: None }.info(header);
    let end = end as usize;
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
        Some(Err(error)) if error.kind == ErrorKind::Truncated => {
            return Err(Error { consequence: Consequence::File, ..error });
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn rising(values: &[i64]) -> Vec<i64> {
        let options: Vec<Option<i64>> = values.iter().map(|value| (*value != -1).then_some(*value)).collect();
        values.iter().zip(longest_rising(&options)).filter(|(_, believed)| *believed).map(|(value, _)| *value).collect()
    }

    #[test]
    fn one_wrong_time_is_the_one_that_is_not_believed() {
        assert_eq!(rising(&[1, 2, 3, 4]), [1, 2, 3, 4]);
        assert_eq!(rising(&[1, 99, 3, 4]), [1, 3, 4]);
        assert_eq!(rising(&[10, 20, 1, 40]), [10, 20, 40]);
        assert_eq!(rising(&[5, 5, 5]), [5, 5, 5]);
        assert_eq!(rising(&[-1, 7, -1, 8]), [7, 8]);
        assert_eq!(rising(&[]), [] as [i64; 0]);
    }
}
