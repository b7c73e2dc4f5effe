//! Records: the marker word tells the kind, and nothing else does.

mod fields;
mod headers;
mod kind;
mod payload;
mod shape;
mod walk;

pub use headers::{ClassicHeader, EventHeader, InstanceHeader, MessageHeader, PerfinfoHeader, SystemHeader};
pub use kind::{HeaderType, PointerSize, RecordHeader, RecordKind};
pub(crate) use shape::Dialect;
pub use walk::Records;
pub(crate) use walk::peek_ticks;

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

/// What a record is and where it stands: all of it but its bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts {
    header_type: HeaderType,
    kind: RecordKind,
    fixed: usize,
    offset: u64,
    pos: u32,
    index: u32,
    buffer: u32,
    buffer_offset: u64,
    cpu: u16,
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
        self.facts.offset
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
