//! Records: the marker word tells the kind, and nothing else does.

mod fields;
mod headers;
mod kind;
mod payload;
mod shape;
mod walk;

pub use fields::EventHead;
pub use headers::{ClassicHeader, EventHeader, InstanceHeader, MessageHeader, PerfinfoHeader, SystemHeader};
pub use kind::{HeaderType, PointerSize, RecordHeader, RecordKind};
pub(crate) use shape::{Dialect, Shape};
pub use walk::Records;
pub(crate) use walk::peek_ticks;

use crate::buffer::Buffer;

/// One record, borrowed from its buffer.
///
/// Fields that a kind of record does not store are `None`: see [`RecordKind`]. Times need the trace's clock:
/// [`Clock::file_time`](crate::Clock::file_time) of [`Record::ticks`], or [`Trace::records`](crate::Trace::records),
/// whose records know it.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    bytes: &'a [u8],
    facts: Facts,
}

/// What a record is and where it stands: all of it but its bytes. Small: there is one for each record.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts {
    buffer_offset: u64,
    pos: u32,
    index: u32,
    buffer: u32,
    cpu: u16,
    header_type: HeaderType,
    kind: RecordKind,
    /// Bytes of the fixed header.
    fixed: u8,
    /// The buffer was compressed: positions in it are none in the file.
    decompressed: bool,
}

impl Facts {
    /// Of the records of a buffer, before the first one.
    pub(crate) fn of_buffer(buffer: &Buffer<'_>) -> Self {
        let info = buffer.info;
        Self {
            buffer_offset: info.offset,
            pos: 0,
            index: 0,
            buffer: info.index,
            cpu: info.header.cpu(),
            header_type: HeaderType(0),
            kind: RecordKind::Other,
            fixed: 0,
            decompressed: buffer.decompressed,
        }
    }

    fn fixed(&self) -> usize {
        usize::from(self.fixed)
    }

    fn offset(&self) -> u64 {
        let within = if self.decompressed { 0 } else { u64::from(self.pos) };
        self.buffer_offset.saturating_add(within)
    }
}

impl<'r> From<&Record<'r>> for Record<'r> {
    fn from(record: &Record<'r>) -> Self {
        *record
    }
}

impl<'a> Record<'a> {
    pub(crate) fn from_parts(bytes: &'a [u8], facts: Facts) -> Self {
        Self { bytes, facts }
    }

    pub(crate) fn facts(&self) -> Facts {
        self.facts
    }

    /// The family of the record.
    #[inline]
    pub fn kind(&self) -> RecordKind {
        self.facts.kind
    }

    /// The header type that the marker gives.
    #[inline]
    pub fn header_type(&self) -> HeaderType {
        self.facts.header_type
    }

    /// All bytes of the record: header, extended items, payload; without padding.
    #[inline]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Absolute offset in the file, in bytes; in a compressed buffer that of the buffer.
    pub fn offset(&self) -> u64 {
        self.facts.offset()
    }

    /// Position in the decompressed buffer, in bytes.
    pub fn pos(&self) -> u32 {
        self.facts.pos
    }

    /// Number of the record in its buffer, from 0.
    pub fn index(&self) -> u32 {
        self.facts.index
    }

    /// Number of the buffer in the file, from 0.
    pub fn buffer(&self) -> u32 {
        self.facts.buffer
    }

    /// Processor that logged the event; the buffer tells it.
    #[inline]
    pub fn cpu(&self) -> u16 {
        self.facts.cpu
    }
}
