//! Walks the records of a buffer.

use super::shape::{Dialect, Shape};
use super::{EventHead, Facts, HeaderType, Record, RecordKind};
use crate::buffer::{BUFFER_HEADER_BYTES, Buffer};
use crate::bytes::{align8, u32_at, u64_at};
use crate::error::{Consequence, Error, ErrorKind};

/// Walks the records of a buffer. Advances by at least 8 bytes a step; after an error it has ended.
///
/// An iterator over `Result`s; in a loop over very many records [`Records::next_event`] costs less.
#[derive(Debug, Clone)]
#[must_use = "records are read as the iterator advances"]
pub struct Records<'a> {
    buffer: Buffer<'a>,
    /// What all records of the buffer have in common.
    facts: Facts,
    pos: usize,
    index: u32,
    done: bool,
    damage: Option<Box<Error>>,
}

impl<'a> Records<'a> {
    pub(crate) fn new(buffer: Buffer<'a>) -> Self {
        Self::resume(buffer, BUFFER_HEADER_BYTES, 0)
    }

    /// Continues a walk at a position that an earlier one reached.
    pub(crate) fn resume(buffer: Buffer<'a>, pos: usize, index: u32) -> Self {
        Self { facts: Facts::of_buffer(&buffer), buffer, pos, index, done: false, damage: None }
    }

    /// Position of the next record in the buffer, in bytes.
    pub(crate) fn position(&self) -> usize {
        self.pos
    }

    /// Bytes of the buffer's data that have not been walked: after an error, what was lost.
    pub fn remaining_bytes(&self) -> usize {
        self.buffer.end.saturating_sub(self.pos)
    }

    /// Why the buffer's data ends before its announced end; `None` where it does not.
    fn missing_data(&self) -> Option<ErrorKind> {
        let buffer = &self.buffer;
        (buffer.missing_bytes() > 0).then(|| {
            if buffer.decompressed && !buffer.info.is_truncated() {
                ErrorKind::Decompression
            } else {
                ErrorKind::Truncated
            }
        })
    }

    fn offset(&self) -> u64 {
        let within = if self.buffer.decompressed { 0 } else { self.pos as u64 };
        self.buffer.info.offset.saturating_add(within)
    }

    /// The next record and its header, where it is an event ([`RecordKind::EventHeader`]) that is whole, as most records are;
    /// `None` for everything else, and nothing is passed over: [`Records::next_whole`] tells.
    // Always: what a loop does not look at of a record is then not worked out either.
    #[inline(always)]
    pub fn next_event(&mut self) -> Option<(EventHead<'a>, Record<'a>)> {
        if self.done || self.pos >= self.buffer.end {
            return None;
        }
        let behind = self.buffer.bytes.get(self.pos..)?;
        let head: &[u8; EventHead::BYTES] = behind.first_chunk()?;
        let [low0, low1, header_type, high, ..] = *head;
        let size = Shape::event_size(u32::from_le_bytes([low0, low1, header_type, high]))?;
        let bytes = behind.get(..size).filter(|_| size >= EventHead::BYTES)?;
        let record = self.record(bytes, HeaderType(header_type), RecordKind::EventHeader, EventHead::BYTES as u8);
        Some((EventHead(head), record))
    }

    /// The next record; `None` where the buffer ends, or where it is damaged: [`Records::take_damage`] then tells.
    #[inline]
    pub fn next_whole(&mut self) -> Option<Record<'a>> {
        match self.next_event() {
            Some((_, record)) => Some(record),
            None => self.next_other(),
        }
    }

    /// The record at hand, behind which the walk goes on.
    #[inline]
    fn record(&mut self, bytes: &'a [u8], header_type: HeaderType, kind: RecordKind, fixed: u8) -> Record<'a> {
        let facts = Facts { pos: self.pos as u32, index: self.index, header_type, kind, fixed, ..self.facts };
        self.pos += align8(bytes.len());
        self.index = self.index.wrapping_add(1);
        Record { bytes, facts }
    }

    /// The next record, of any kind.
    #[inline(never)]
    fn next_other(&mut self) -> Option<Record<'a>> {
        if self.done || self.pos >= self.buffer.end {
            return None;
        }
        let behind = self.buffer.bytes.get(self.pos..).unwrap_or(&[]);
        let Some(word) = u64_at(behind, 0).map(|both| both as u32).filter(|word| *word != u32::MAX) else {
            self.end();
            return None;
        };
        let Some(shape) = Shape::read(word, self.buffer.bytes, self.pos, self.buffer.dialect) else {
            self.fail(ErrorKind::UnknownMarker, "record marker", 0, word as usize);
            return None;
        };
        if shape.size < usize::from(shape.fixed) {
            self.fail(ErrorKind::RecordTooShort, shape.name, shape.fixed.into(), shape.size);
            return None;
        }
        let Some(record) = behind.get(..shape.size) else {
            self.too_long(&shape);
            return None;
        };
        if shape.unsure && !self.is_marker_or_end(self.pos + align8(shape.size)) {
            self.fail(ErrorKind::UnknownMarker, "record marker", 0, word as usize);
            return None;
        }
        Some(self.record(record, shape.header_type, shape.kind, shape.fixed))
    }

    /// The damage that ended the walk, once.
    pub fn take_damage(&mut self) -> Option<Error> {
        self.damage.take().map(|error| *error)
    }

    /// There are fewer than eight bytes, or a word that ends the buffer.
    #[cold]
    fn end(&mut self) {
        let bytes = self.buffer.bytes;
        if u32_at(bytes, self.pos) == Some(u32::MAX) {
            self.done = true;
            return;
        }
        let need = self.buffer.end - self.pos;
        let kind = self.missing_data().unwrap_or(ErrorKind::RecordTooShort);
        self.fail(kind, "data of the buffer", need.max(8), bytes.len().saturating_sub(self.pos));
    }

    /// The record at hand is longer than what is there.
    #[cold]
    fn too_long(&mut self, shape: &Shape) {
        let available = self.buffer.bytes.len().saturating_sub(self.pos);
        match self.missing_data() {
            // What a record says that runs into missing data is true; that the data is missing is the damage.
            Some(kind) if self.pos + shape.size <= self.buffer.end => {
                let need = self.buffer.end - self.pos;
                self.fail(kind, "data of the buffer", need, available);
            }
            _ => self.fail(ErrorKind::RecordTooLong, shape.name, shape.size, available),
        }
    }

    /// Whether the data ends at `pos`, or another record stands there.
    #[cold]
    fn is_marker_or_end(&self, pos: usize) -> bool {
        let is_marker = |word: u32| word & 0x8000_0000 != 0;
        pos >= self.buffer.end || u32_at(self.buffer.bytes, pos).is_some_and(is_marker)
    }

    #[cold]
    fn fail(&mut self, kind: ErrorKind, field: &'static str, need: usize, have: usize) {
        self.done = true;
        let info = self.buffer.info;
        let error = Error::new(kind, Consequence::RestOfBuffer, self.offset(), field, need as u64, have as u64)
            .in_buffer(info.index, info.offset)
            .in_record(self.index);
        self.damage = Some(Box::new(error));
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, Error>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        match self.next_whole() {
            Some(record) => Some(Ok(record)),
            None => self.take_damage().map(Err),
        }
    }
}

/// The raw time stamp of a record of which at least the first 64 bytes are at hand, if it ends within `limit` bytes.
pub(crate) fn peek_ticks(bytes: &[u8], limit: usize, dialect: Dialect) -> Option<i64> {
    let shape = Shape::read(u32_at(bytes, 0)?, bytes, 0, dialect)?;
    if shape.size < usize::from(shape.fixed) || shape.size > limit {
        return None;
    }
    let facts = Facts {
        buffer_offset: 0,
        pos: 0,
        index: 0,
        buffer: 0,
        cpu: 0,
        header_type: shape.header_type,
        kind: shape.kind,
        fixed: shape.fixed,
        decompressed: false,
    };
    Record { bytes: bytes.get(..shape.size).unwrap_or(bytes), facts }.ticks()
}
