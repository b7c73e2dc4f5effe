//! Finds the buffers of a trace, and says what is wrong between and in their headers.

use std::collections::BTreeMap;

use super::place::Place;
use super::rising::longest_rising;
use super::start::starts_segment;
use super::{Stream, Trace};
use crate::LogFileMode;
use crate::buffer::{
    BUFFER_HEADER_BYTES, BufferFlags, BufferHeader, BufferInfo, BufferType, MAX_BUFFER_BYTES, is_unwritten,
};
use crate::bytes::u32_at;
use crate::error::{Consequence, Error, ErrorKind};
use crate::record::peek_ticks;
use crate::xpress::decompress;

/// How many damaged places keep their full description; all are counted. A file cut once has one.
const MAX_DAMAGE_KEPT: usize = 256;

/// How many times its own size the compressed buffers of a trace may hold, beyond [`FREE_EXPANSION_BYTES`]: bounds the
/// time that a small file can take. The largest real ratio seen is 13.4; captured packets of zeros may reach hundreds.
const MAX_EXPANSION: u64 = 1024;

/// What the compressed buffers of any trace may hold, in bytes.
const FREE_EXPANSION_BYTES: u64 = 64 << 20;

impl Trace<'_> {
    /// Fills the lists of buffers, streams and damage; ends the segment where another one begins.
    pub(super) fn index(&mut self) {
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
        let mut streams: BTreeMap<u16, Vec<u32>> = BTreeMap::new();
        for (position, info) in (0..).zip(&self.buffers) {
            streams.entry(info.header.cpu()).or_default().push(position);
        }
        for (cpu, mut buffers) in streams {
            buffers
                .sort_by_key(|&position| self.buffers.get(position as usize).map(|info| info.header.sequence_number));
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
        self.note_flush(&info, rest);
        // Until all are known, the first time stamp stands for both bounds; where there is none, no time is between them.
        (info.not_before, info.not_after) =
            self.first_ticks(&info).map_or((i64::MAX, i64::MIN), |ticks| (ticks, ticks));
        self.buffers.push(info);
        step as usize
    }

    /// Compares the flush time of a buffer, which nobody keeps, with that of the one before.
    fn note_flush(&mut self, info: &BufferInfo, bytes: &[u8]) {
        const TIME_STAMP_AT: usize = 0x10;
        let number = info.header.sequence_number;
        let time =
            bytes.get(TIME_STAMP_AT..).and_then(|at| at.first_chunk()).map_or(0, |time| i64::from_le_bytes(*time));
        let flushed = (number > 0 && time > 0).then_some((number, time));
        if let (Some((before, earlier)), Some((number, time))) = (self.flushed, flushed)
            && number > before
        {
            self.flushed_back_ticks = self.flushed_back_ticks.max(earlier.saturating_sub(time));
        }
        self.flushed = flushed;
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
    fn bound_times(&mut self, stream: &[u32]) {
        let first_ticks = |info: &BufferInfo| (info.not_before == info.not_after).then_some(info.not_before);
        let firsts: Vec<Option<i64>> =
            stream.iter().map(|&position| self.buffers.get(position as usize).and_then(first_ticks)).collect();
        let believed = longest_rising(&firsts);
        let mut next = i64::MAX;
        for ((&position, first), believed) in stream.iter().zip(firsts).zip(believed).rev() {
            let Some(info) = self.buffers.get_mut(position as usize) else { continue };
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
            peek_ticks(start.get(..written)?, end - BUFFER_HEADER_BYTES, self.dialect)
        } else {
            let data = stored.get(BUFFER_HEADER_BYTES..end.min(stored.len()))?;
            peek_ticks(data, data.len(), self.dialect)
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
