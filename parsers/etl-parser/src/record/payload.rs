//! What stands behind a record's marker: the whole header, extended items, the payload.

use std::io::Cursor;

use binrw::BinRead;

use super::{
    ClassicHeader, EventHeader, InstanceHeader, MessageHeader, PerfinfoHeader, Record, RecordHeader, RecordKind,
    SystemHeader,
};
use crate::bytes::u16_at;
use crate::error::{Consequence, Error, ErrorKind};
use crate::extended::ExtendedItems;

impl<'a> Record<'a> {
    /// The decoded fixed header.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::RecordTooShort`] for a message whose flags announce more than it holds; all other kinds were
    /// checked when the record was found.
    pub fn header(&self) -> Result<RecordHeader, Error> {
        let cursor = &mut Cursor::new(self.bytes);
        let decoded = match self.facts.kind {
            RecordKind::System => SystemHeader::read_args(cursor, (false,)).map(RecordHeader::System),
            RecordKind::Compact => SystemHeader::read_args(cursor, (true,)).map(RecordHeader::Compact),
            RecordKind::Perfinfo => PerfinfoHeader::read(cursor).map(RecordHeader::Perfinfo),
            RecordKind::Classic => ClassicHeader::read(cursor).map(RecordHeader::Classic),
            RecordKind::Instance => {
                InstanceHeader::read_args(cursor, (self.facts.fixed() == 0x38,)).map(RecordHeader::Instance)
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
    #[inline]
    pub fn extended_items(&self) -> ExtendedItems<'a> {
        let announced = self.facts.kind == RecordKind::EventHeader
            && u16_at(self.bytes, 4).is_some_and(|flags| flags & EventHeader::EXTENDED_INFO != 0);
        ExtendedItems::new(if announced { self.bytes.get(self.facts.fixed()..) } else { None })
    }

    /// The payload.
    ///
    /// # Errors
    ///
    /// Where the start of the payload cannot be told: [`ErrorKind::ExtendedItem`] for extended items that leave the record,
    /// [`ErrorKind::RecordTooShort`] for extension words that do, and for a message whose flags announce more than it
    /// holds. The record is lost, the next one is not.
    #[inline]
    pub fn user_data(&self) -> Result<&'a [u8], Error> {
        let start = match self.facts.kind {
            RecordKind::EventHeader => {
                if self.bytes.get(4).is_none_or(|flags| flags & 1 == 0) {
                    self.facts.fixed()
                } else {
                    self.behind_items()?
                }
            }
            RecordKind::Message => {
                MessageHeader::read(self.bytes).ok_or_else(|| self.too_short("message header"))?.payload
            }
            _ => self.facts.fixed() + self.extension_bytes(),
        };
        self.bytes.get(start..).ok_or_else(|| self.too_short("extension words"))
    }

    /// Where the payload starts behind extended items.
    fn behind_items(&self) -> Result<usize, Error> {
        let mut items = self.extended_items();
        while items.next().is_some() {}
        let failed = || {
            let (need, have) = items.shortfall();
            self.error(ErrorKind::ExtendedItem, "extended data item", need, have)
        };
        Ok(self.facts.fixed() + items.end().ok_or_else(failed)?)
    }

    /// Bytes between a kernel header and its payload: one 64-bit word for a PEBS index, up to seven for counters.
    ///
    /// Source: phnt `PERFINFO_TRACE_HEADER`; readers apply the same flags to system headers.
    fn extension_bytes(&self) -> usize {
        if !matches!(self.facts.kind, RecordKind::System | RecordKind::Compact | RecordKind::Perfinfo) {
            return 0;
        }
        let flags = u16_at(self.bytes, 0).unwrap_or(0);
        let pebs = usize::from(flags >> 15);
        let counters = usize::from((flags >> 8) & 7);
        8 * (pebs + counters)
    }

    #[cold]
    fn too_short(&self, field: &'static str) -> Error {
        self.error(ErrorKind::RecordTooShort, field, self.facts.fixed() + self.extension_bytes(), self.bytes.len())
    }

    #[cold]
    fn error(&self, kind: ErrorKind, field: &'static str, need: usize, have: usize) -> Error {
        Error::new(kind, Consequence::Record, self.facts.offset(), field, need as u64, have as u64)
            .in_buffer(self.facts.buffer, self.facts.buffer_offset)
            .in_record(self.facts.index)
    }
}
