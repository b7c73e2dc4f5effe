//! Records: the marker word tells the kind, and nothing else does.

mod headers;

use std::io::Cursor;

use binrw::BinRead;

pub use headers::{ClassicHeader, EventHeader, InstanceHeader, MessageHeader, PerfinfoHeader, SystemHeader};

use crate::buffer::{BUFFER_HEADER_BYTES, Buffer};
use crate::bytes::{align8, array_at, i64_at, u16_at, u32_at};
use crate::error::{Consequence, Error, ErrorKind};
use crate::extended::ExtendedItems;
use crate::{Guid, HookId};

/// Size of a pointer in a record's payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PointerSize {
    /// 32-bit.
    Four,
    /// 64-bit.
    Eight,
}

impl PointerSize {
    /// 4 or 8.
    pub const fn bytes(self) -> usize {
        match self {
            Self::Four => 4,
            Self::Eight => 8,
        }
    }
}

/// The header type of a record as the marker gives it (`TRACE_HEADER_TYPE_*`), unknown values included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct HeaderType(pub u8);

#[allow(missing_docs)]
impl HeaderType {
    pub const SYSTEM32: Self = Self(0x01);
    pub const SYSTEM64: Self = Self(0x02);
    pub const COMPACT32: Self = Self(0x03);
    pub const COMPACT64: Self = Self(0x04);
    pub const FULL32: Self = Self(0x0A);
    pub const INSTANCE32: Self = Self(0x0B);
    pub const TIMED: Self = Self(0x0C);
    pub const ERROR: Self = Self(0x0D);
    pub const WNODE: Self = Self(0x0E);
    pub const PERFINFO32: Self = Self(0x10);
    pub const PERFINFO64: Self = Self(0x11);
    pub const EVENT32: Self = Self(0x12);
    pub const EVENT64: Self = Self(0x13);
    pub const FULL64: Self = Self(0x14);
    pub const INSTANCE64: Self = Self(0x15);
    /// WPP messages have a marker of their own and no header type; this number is free.
    pub const MESSAGE: Self = Self(0x90);
    /// `TRACE_HEADER_ULONG32_TIME` has a marker of its own; this number is free.
    pub const ULONG32_TIME: Self = Self(0xB0);
}

/// The family of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RecordKind {
    /// Kernel logger, long form.
    System,
    /// Kernel logger, without processor times.
    Compact,
    /// Kernel logger, without process and thread.
    Perfinfo,
    /// Classic (MOF) event.
    Classic,
    /// Classic event with instance ids.
    Instance,
    /// Manifest or TraceLogging event.
    EventHeader,
    /// WPP message.
    Message,
    /// A marker that is legal, of a kind whose layout no source gives.
    Other,
}

/// The decoded fixed header of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum RecordHeader {
    System(SystemHeader),
    Compact(SystemHeader),
    Perfinfo(PerfinfoHeader),
    Classic(ClassicHeader),
    Instance(InstanceHeader),
    Event(EventHeader),
    Message(MessageHeader),
    /// Only the marker is known.
    Other,
}

/// What the layout version of a file changes in its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Instance records have the old 0x38 bytes (layout version below 1.1: Windows 2000 and XP).
    pub(crate) old_instances: bool,
}

/// How the first word of a record is read.
struct Shape {
    header_type: HeaderType,
    kind: RecordKind,
    size: usize,
    fixed: usize,
    name: &'static str,
    /// The rule for the size is a guess: accept it only if another marker follows.
    unsure: bool,
}

impl Shape {
    #[inline]
    fn read(bytes: &[u8], pos: usize, layout: Layout) -> Option<Self> {
        let word = u32_at(bytes, pos)?;
        let [low0, low1, header_type, high] = word.to_le_bytes();
        let low = usize::from(u16::from_le_bytes([low0, low1]));
        let shape = |header_type: u8, kind, size, fixed, name| Self {
            header_type: HeaderType(header_type),
            kind,
            size,
            fixed,
            name,
            unsure: false,
        };
        match high >> 4 {
            0x9 => return Some(shape(0x90, RecordKind::Message, low, 8, "message header")),
            0xB => return Some(shape(0xB0, RecordKind::Other, low, 0x10, "32-bit time header")),
            0xC..=0xF => {}
            _ => return None,
        }
        let kernel_size = || u16_at(bytes, pos + 4).map(usize::from);
        Some(match header_type {
            0x01 | 0x02 => shape(header_type, RecordKind::System, kernel_size()?, 0x20, "system header"),
            0x03 | 0x04 => shape(header_type, RecordKind::Compact, kernel_size()?, 0x18, "compact header"),
            0x0A | 0x14 => shape(header_type, RecordKind::Classic, low, 0x30, "classic header"),
            0x0B | 0x15 => {
                let fixed = if layout.old_instances { 0x38 } else { 0x48 };
                shape(header_type, RecordKind::Instance, low, fixed, "instance header")
            }
            0x0C..=0x0E => shape(header_type, RecordKind::Other, low, 8, "record"),
            0x10 | 0x11 => shape(header_type, RecordKind::Perfinfo, kernel_size()?, 0x10, "performance header"),
            0x12 | 0x13 => shape(header_type, RecordKind::EventHeader, low, 0x50, "event header"),
            _ => Self { unsure: true, ..shape(header_type, RecordKind::Other, low, 8, "record") },
        })
    }
}

/// One record, borrowed from its buffer.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    bytes: &'a [u8],
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

impl<'a> Record<'a> {
    /// The family of the record.
    #[inline]
    pub fn kind(&self) -> RecordKind {
        self.kind
    }

    /// The header type that the marker gives.
    #[inline]
    pub fn header_type(&self) -> HeaderType {
        self.header_type
    }

    /// All bytes of the record: header, extended items, payload; without padding.
    #[inline]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Absolute offset in the file, in bytes; in a compressed buffer that of the buffer.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Position in the decompressed buffer, in bytes.
    pub fn pos(&self) -> u32 {
        self.pos
    }

    /// Number of the record in its buffer, from 0.
    pub fn index(&self) -> u32 {
        self.index
    }

    /// Number of the buffer in the file, from 0.
    pub fn buffer(&self) -> u32 {
        self.buffer
    }

    /// Processor that logged the event; the buffer tells it.
    #[inline]
    pub fn cpu(&self) -> u16 {
        self.cpu
    }

    /// Raw time stamp in ticks of the session clock; `None` for a message without one and for unknown kinds.
    #[inline]
    pub fn ticks(&self) -> Option<i64> {
        match self.kind {
            RecordKind::Perfinfo => i64_at(self.bytes, 0x08),
            RecordKind::Message => MessageHeader::read(self.bytes)?.ticks,
            RecordKind::Other if self.header_type == HeaderType::ULONG32_TIME => i64_at(self.bytes, 0x08),
            RecordKind::Other => None,
            _ => i64_at(self.bytes, 0x10),
        }
    }

    /// Process in whose context the event was logged.
    #[inline]
    pub fn process_id(&self) -> Option<u32> {
        match self.kind {
            RecordKind::Perfinfo | RecordKind::Other => None,
            RecordKind::Message => MessageHeader::read(self.bytes)?.process_id,
            _ => u32_at(self.bytes, 0x0C).filter(|id| *id != u32::MAX),
        }
    }

    /// Thread in whose context the event was logged.
    pub fn thread_id(&self) -> Option<u32> {
        match self.kind {
            RecordKind::Perfinfo | RecordKind::Other => None,
            RecordKind::Message => MessageHeader::read(self.bytes)?.thread_id,
            _ => u32_at(self.bytes, 0x08).filter(|id| *id != u32::MAX),
        }
    }

    /// GUID that the header holds: provider of an event, class of a classic event; `None` for kernel records.
    #[inline]
    pub fn header_guid(&self) -> Option<Guid> {
        match self.kind {
            RecordKind::EventHeader | RecordKind::Classic => array_at(self.bytes, 0x18).map(Guid::from_wire),
            RecordKind::Instance if self.fixed == 0x48 => array_at(self.bytes, 0x18).map(Guid::from_wire),
            _ => None,
        }
    }

    /// Group and type of a kernel record.
    #[inline]
    pub fn hook(&self) -> Option<HookId> {
        match self.kind {
            RecordKind::System | RecordKind::Compact | RecordKind::Perfinfo => u16_at(self.bytes, 6).map(HookId),
            _ => None,
        }
    }

    /// Event id: `Id` of an event header, the opcode of all other kinds; `None` for messages and unknown kinds.
    #[inline]
    pub fn event_id(&self) -> Option<u16> {
        match self.kind {
            RecordKind::EventHeader => u16_at(self.bytes, 0x28),
            RecordKind::Classic | RecordKind::Instance => self.bytes.get(4).copied().map(u16::from),
            RecordKind::System | RecordKind::Compact | RecordKind::Perfinfo => {
                self.hook().map(|hook| u16::from(hook.opcode()))
            }
            RecordKind::Message | RecordKind::Other => None,
        }
    }

    /// Version of the payload's layout; `None` for messages and unknown kinds.
    #[inline]
    pub fn version(&self) -> Option<u8> {
        match self.kind {
            RecordKind::EventHeader => self.bytes.get(0x2A).copied(),
            // `Class.Version` is 16 bits wide; no version above 255 is known, and none is cut here.
            RecordKind::Classic | RecordKind::Instance => {
                u16_at(self.bytes, 6).map(|version| u8::try_from(version).unwrap_or(u8::MAX))
            }
            RecordKind::System | RecordKind::Compact | RecordKind::Perfinfo => self.bytes.first().copied(),
            RecordKind::Message | RecordKind::Other => None,
        }
    }

    /// Pointer size of the payload, from the header type; `None` where it does not tell.
    #[inline]
    pub fn pointer_size(&self) -> Option<PointerSize> {
        match self.header_type.0 {
            0x01 | 0x03 | 0x0A | 0x0B | 0x10 | 0x12 => Some(PointerSize::Four),
            0x02 | 0x04 | 0x11 | 0x13 | 0x14 | 0x15 => Some(PointerSize::Eight),
            0x90 => match u16_at(self.bytes, 6)? & (MessageHeader::POINTER32 | MessageHeader::POINTER64) {
                MessageHeader::POINTER32 => Some(PointerSize::Four),
                MessageHeader::POINTER64 => Some(PointerSize::Eight),
                _ => None,
            },
            _ => None,
        }
    }

    /// The decoded fixed header.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::RecordTooShort`] for a message whose flags announce more than it holds; all other kinds were
    /// checked when the record was found.
    pub fn header(&self) -> Result<RecordHeader, Error> {
        let cursor = &mut Cursor::new(self.bytes);
        let decoded = match self.kind {
            RecordKind::System => SystemHeader::read_args(cursor, (false,)).map(RecordHeader::System),
            RecordKind::Compact => SystemHeader::read_args(cursor, (true,)).map(RecordHeader::Compact),
            RecordKind::Perfinfo => PerfinfoHeader::read(cursor).map(RecordHeader::Perfinfo),
            RecordKind::Classic => ClassicHeader::read(cursor).map(RecordHeader::Classic),
            RecordKind::Instance => {
                InstanceHeader::read_args(cursor, (self.fixed == 0x38,)).map(RecordHeader::Instance)
            }
            RecordKind::EventHeader => EventHeader::read(cursor).map(RecordHeader::Event),
            RecordKind::Message => {
                return MessageHeader::read(self.bytes)
                    .map(RecordHeader::Message)
                    .ok_or_else(|| self.too_short("message header"));
            }
            RecordKind::Other => return Ok(RecordHeader::Other),
        };
        decoded.map_err(|_| self.too_short("record header"))
    }

    /// The extended data items; none where the header's flag does not announce them.
    pub fn extended_items(&self) -> ExtendedItems<'a> {
        let announced = self.kind == RecordKind::EventHeader
            && u16_at(self.bytes, 4).is_some_and(|flags| flags & EventHeader::EXTENDED_INFO != 0);
        ExtendedItems::new(if announced { self.bytes.get(self.fixed..) } else { None })
    }

    /// The payload.
    ///
    /// # Errors
    ///
    /// Where the start of the payload cannot be told: extended items or extension words that leave the record.
    /// The record is lost, the next one is not.
    #[inline]
    pub fn user_data(&self) -> Result<&'a [u8], Error> {
        let start = match self.kind {
            RecordKind::EventHeader => {
                if self.bytes.get(4).is_none_or(|flags| flags & 1 == 0) {
                    self.fixed
                } else {
                    let mut items = self.extended_items();
                    while items.next().is_some() {}
                    let failed = || {
                        let (need, have) = items.shortfall();
                        self.error(ErrorKind::ExtendedItem, "extended data item", need, have)
                    };
                    self.fixed + items.end().ok_or_else(failed)?
                }
            }
            RecordKind::Message => {
                MessageHeader::read(self.bytes).ok_or_else(|| self.too_short("message header"))?.payload
            }
            _ => self.fixed + self.extension_bytes(),
        };
        self.bytes.get(start..).ok_or_else(|| self.too_short("extension words"))
    }

    /// Bytes between a kernel header and its payload: one 64-bit word for a PEBS index, up to seven for counters.
    ///
    /// Source: phnt `PERFINFO_TRACE_HEADER`; readers apply the same flags to system headers.
    fn extension_bytes(&self) -> usize {
        if !matches!(self.kind, RecordKind::System | RecordKind::Compact | RecordKind::Perfinfo) {
            return 0;
        }
        let flags = u16_at(self.bytes, 0).unwrap_or(0);
        let pebs = usize::from(flags >> 15);
        let counters = usize::from((flags >> 8) & 7);
        8 * (pebs + counters)
    }

    fn too_short(&self, field: &'static str) -> Error {
        self.error(ErrorKind::RecordTooShort, field, self.fixed + self.extension_bytes(), self.bytes.len())
    }

    fn error(&self, kind: ErrorKind, field: &'static str, need: usize, have: usize) -> Error {
        Error::new(kind, Consequence::Record, self.offset, field, need as u64, have as u64)
            .in_buffer(self.buffer, self.buffer_offset)
            .in_record(self.index)
    }
}

/// Walks the records of a buffer. Advances by at least 8 bytes a step; after an error it has ended.
#[derive(Debug, Clone)]
pub struct Records<'a> {
    buffer: Buffer<'a>,
    pos: usize,
    index: u32,
    done: bool,
}

impl<'a> Records<'a> {
    pub(crate) fn new(buffer: Buffer<'a>) -> Self {
        Self { buffer, pos: BUFFER_HEADER_BYTES, index: 0, done: false }
    }

    /// Continues a walk at a position that an earlier one reached.
    pub(crate) fn resume(buffer: Buffer<'a>, pos: usize, index: u32) -> Self {
        Self { buffer, pos, index, done: false }
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

    #[cold]
    fn fail(
        &mut self,
        kind: ErrorKind,
        field: &'static str,
        need: usize,
        have: usize,
    ) -> Option<Result<Record<'a>, Error>> {
        self.done = true;
        let info = self.buffer.info;
        Some(Err(Error::new(kind, Consequence::RestOfBuffer, self.offset(), field, need as u64, have as u64)
            .in_buffer(info.index, info.offset)
            .in_record(self.index)))
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, Error>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.done || self.pos >= self.buffer.end {
            return None;
        }
        let bytes = self.buffer.bytes;
        let available = bytes.len().saturating_sub(self.pos);
        let word = u32_at(bytes, self.pos).unwrap_or(0);
        if word == u32::MAX {
            self.done = true;
            return None;
        }
        if available < 8 {
            let need = self.buffer.end - self.pos;
            let kind = self.missing_data().unwrap_or(ErrorKind::RecordTooShort);
            return self.fail(kind, "data of the buffer", need.max(8), available);
        }
        let Some(shape) = Shape::read(bytes, self.pos, self.buffer.layout) else {
            return self.fail(ErrorKind::UnknownMarker, "record marker", 0, word as usize);
        };
        if shape.size < shape.fixed {
            return self.fail(ErrorKind::RecordTooShort, shape.name, shape.fixed, shape.size);
        }
        let Some(record) = bytes.get(self.pos..self.pos + shape.size) else {
            return match self.missing_data() {
                // What a record says that runs into missing data is true; that the data is missing is the damage.
                Some(kind) if self.pos + shape.size <= self.buffer.end => {
                    let need = self.buffer.end - self.pos;
                    self.fail(kind, "data of the buffer", need, available)
                }
                _ => self.fail(ErrorKind::RecordTooLong, shape.name, shape.size, available),
            };
        };
        let next = self.pos + align8(shape.size);
        if shape.unsure {
            let at_end = next >= self.buffer.end;
            if !at_end && u32_at(bytes, next).is_none_or(|word| word & 0x8000_0000 == 0) {
                return self.fail(ErrorKind::UnknownMarker, "record marker", 0, word as usize);
            }
        }
        let info = self.buffer.info;
        let record = Record {
            bytes: record,
            header_type: shape.header_type,
            kind: shape.kind,
            fixed: shape.fixed,
            offset: self.offset(),
            pos: self.pos as u32,
            index: self.index,
            buffer: info.index,
            buffer_offset: info.offset,
            cpu: info.header.cpu(),
        };
        self.pos = next;
        self.index = self.index.saturating_add(1);
        Some(Ok(record))
    }
}

/// The raw time stamp of a record of which at least the first 64 bytes are at hand, if it ends within `limit` bytes.
pub(crate) fn peek_ticks(bytes: &[u8], limit: usize, layout: Layout) -> Option<i64> {
    let shape = Shape::read(bytes, 0, layout)?;
    if shape.size < shape.fixed || shape.size > limit {
        return None;
    }
    let record = Record {
        bytes: bytes.get(..shape.size).unwrap_or(bytes),
        header_type: shape.header_type,
        kind: shape.kind,
        fixed: shape.fixed,
        offset: 0,
        pos: 0,
        index: 0,
        buffer: 0,
        buffer_offset: 0,
        cpu: 0,
    };
    record.ticks()
}
