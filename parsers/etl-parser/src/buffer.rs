use std::io::Cursor;

use binrw::{BinRead, binread};

use crate::bytes::{array_at, u32_at};
use crate::error::{Consequence, Error, ErrorKind};
use crate::record::Records;

/// Size of `WMI_BUFFER_HEADER` in files, in bytes.
pub(crate) const BUFFER_HEADER_BYTES: usize = 0x48;

/// Largest buffer accepted, in bytes, compressed or not.
///
/// Windows 8 and later allow 16 MiB (`MAX_ETW_BUFFER_SIZE`), which pktmon uses; a compressed buffer keeps its header.
pub const MAX_BUFFER_BYTES: u32 = 0x100_0000 + 0x48;

/// Bits of a 16-bit processor number that count: Windows numbers at most 2048 processors.
const PROCESSOR_INDEX_MASK: u16 = 0x07FF;

/// `BufferFlag`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BufferFlags(pub u16);

impl BufferFlags {
    /// Events were lost before this buffer.
    pub const EVENTS_LOST: u16 = 0x02;
    /// A buffer was lost before this one.
    pub const BUFFER_LOST: u16 = 0x04;
    /// The processor number is 16 bits wide (Windows 8 and later).
    pub const PROC_INDEX: u16 = 0x20;
    /// The bytes behind the header are compressed.
    pub const COMPRESSED: u16 = 0x40;

    /// Whether `flag` is set.
    pub fn has(self, flag: u16) -> bool {
        self.0 & flag != 0
    }
}

/// `BufferType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BufferType(pub u16);

impl BufferType {
    /// The buffer that starts a trace.
    pub const HEADER: Self = Self(4);
    /// Marks a place without records.
    pub const EMPTY_MARKER: Self = Self(6);
    /// The highest number that any source names.
    pub const MAXIMUM: Self = Self(8);
}

/// `State`, the life of a buffer in memory; in files 3 (flush). Relogged header buffers hold the compression format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BufferState(pub u32);

/// `WMI_BUFFER_HEADER` of Windows Vista and later, as it stands in files.
///
/// Source: phnt `ntwmi.h`, Geoff Chappell; confirmed on real files (`FORMAT.md`).
#[binread]
#[br(little)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct BufferHeader {
    /// Bytes from this buffer to the next one in the file.
    pub buffer_bytes: u32,
    /// End of data where [`BufferHeader::offset`] is 0; too small in many header buffers.
    pub saved_offset: u32,
    #[br(temp)]
    _current_offset: u32,
    #[br(temp)]
    _reference_count: i32,
    /// Flush time: session clock when the kernel wrote it, file time when a relogger did. Of no use, and not kept: a long
    /// trace has many headers.
    #[br(temp)]
    _time_stamp: i64,
    /// Number of the buffer in flush order; 0 for the header buffer.
    pub sequence_number: i64,
    #[br(temp)]
    _clock_union: u64,
    /// Processor number (see [`BufferHeader::cpu`]) and logger id.
    pub client_context: [u8; 4],
    /// State.
    #[br(map = BufferState)]
    pub state: BufferState,
    /// End of data, in bytes from the start of the (decompressed) buffer.
    pub offset: u32,
    /// Flags.
    #[br(map = BufferFlags)]
    pub flags: BufferFlags,
    /// Type.
    #[br(map = BufferType)]
    pub buffer_type: BufferType,
}

impl BufferHeader {
    /// Reads the header at the start of `bytes`; `None` where fewer than 72 bytes are there.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let fixed = bytes.get(..BUFFER_HEADER_BYTES)?;
        BinRead::read(&mut Cursor::new(fixed)).ok()
    }

    /// The processor that wrote the buffer.
    ///
    /// One byte, unless the flag [`BufferFlags::PROC_INDEX`] says that it is two, of which 11 bits count
    /// (`ETW_BUFFER_CONTEXT`, `ETW_PROCESSOR_INDEX_MASK`; the second byte is `Alignment` before Windows 8).
    pub fn cpu(&self) -> u16 {
        let [low, high, ..] = self.client_context;
        if self.flags.has(BufferFlags::PROC_INDEX) {
            u16::from_le_bytes([low, high]) & PROCESSOR_INDEX_MASK
        } else {
            u16::from(low)
        }
    }

    /// End of data in bytes from the start of the decompressed buffer, header included.
    ///
    /// `Offset` (0x30), or `SavedOffset` (0x04) where that is 0. Not checked against the buffer's size.
    pub fn end_of_data(&self) -> u32 {
        if self.offset != 0 { self.offset } else { self.saved_offset }
    }

    /// Whether the bytes could be a buffer's header: used to find the next buffer behind damage.
    ///
    /// `stride`: the size of the trace's buffers, where they are equal; of that size a last buffer may be cut.
    pub(crate) fn is_plausible(&self, behind: &[u8], available: u64, stride: Option<u32>) -> bool {
        let compressed = self.flags.has(BufferFlags::COMPRESSED);
        let end = self.end_of_data();
        let size_fits = (BUFFER_HEADER_BYTES as u32..=MAX_BUFFER_BYTES).contains(&self.buffer_bytes)
            && (u64::from(self.buffer_bytes) <= available || stride == Some(self.buffer_bytes));
        let end_fits =
            end >= BUFFER_HEADER_BYTES as u32 && end <= MAX_BUFFER_BYTES && (compressed || end <= self.buffer_bytes);
        let starts_with_record = compressed
            || end == BUFFER_HEADER_BYTES as u32
            || u32_at(behind, 0).is_some_and(|word| word & 0x8000_0000 != 0);
        size_fits
            && end_fits
            && starts_with_record
            && self.buffer_type.0 <= BufferType::MAXIMUM.0
            && (self.state.0 <= 7 || self.buffer_type == BufferType::HEADER)
    }
}

/// Where a buffer stands, and what its header says.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct BufferInfo {
    /// Number of the buffer in the file, from 0; gaps stand for damage.
    pub index: u32,
    /// Absolute offset in the file, in bytes.
    pub offset: u64,
    /// Bytes of the buffer that the file holds, header included: fewer than `header.buffer_bytes` where it was cut.
    pub stored_bytes: u32,
    /// The header.
    pub header: BufferHeader,
    /// No record of this buffer is ordered before this time, in ticks; see [`BufferInfo::order_ticks`].
    pub not_before: i64,
    /// No record of this buffer is ordered after this time, in ticks: where its processor's next buffer begins.
    pub not_after: i64,
}

impl BufferInfo {
    /// Whether the file ends inside this buffer.
    pub fn is_truncated(&self) -> bool {
        self.stored_bytes < self.header.buffer_bytes
    }

    /// Whether the bytes behind the header are compressed.
    pub fn is_compressed(&self) -> bool {
        self.header.flags.has(BufferFlags::COMPRESSED)
    }

    /// The time by which a record of this buffer is ordered, in ticks.
    ///
    /// Its own time stamp, but never before `latest`, that of the record before it, and never outside of the buffer's
    /// time: one wrong time stamp then displaces its own buffer's records at most.
    pub fn order_ticks(&self, latest: i64, own: Option<i64>) -> i64 {
        own.unwrap_or(i64::MIN).max(latest).min(self.not_after).max(self.not_before)
    }

    pub(crate) fn error(&self, kind: ErrorKind, field: &'static str, need: u32, have: u32) -> Error {
        Error::new(kind, Consequence::Buffer, self.offset, field, need.into(), have.into())
            .in_buffer(self.index, self.offset)
    }
}

/// One buffer's records, decompressed.
#[derive(Debug, Clone, Copy)]
pub struct Buffer<'a> {
    pub(crate) info: &'a BufferInfo,
    /// From the start of the buffer, header included, as far as there is data.
    pub(crate) bytes: &'a [u8],
    /// Where the data should end; `bytes` is shorter where the file was cut or decompression failed.
    pub(crate) end: usize,
    /// Whether `bytes` is a copy, so that positions in it are not positions in the file.
    pub(crate) decompressed: bool,
    pub(crate) dialect: crate::record::Dialect,
}

impl<'a> Buffer<'a> {
    /// Where the buffer stands and what its header says.
    pub fn info(&self) -> &'a BufferInfo {
        self.info
    }

    /// The bytes of the buffer up to the end of data, header included.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Walks the records.
    pub fn records(&self) -> Records<'a> {
        Records::new(*self)
    }

    /// Bytes of data that are announced but not there.
    pub fn missing_bytes(&self) -> usize {
        self.end.saturating_sub(self.bytes.len())
    }
}

/// Whether `bytes` is nothing but zeros, or nothing but ones: room that was reserved and never written.
pub(crate) fn is_unwritten(bytes: &[u8]) -> bool {
    match array_at::<1>(bytes, 0) {
        Some([first @ (0 | 0xFF)]) => {
            // No early end within a piece: compilers then compare many bytes at once. Reserved room may be gigabytes.
            let differs = |piece: &[u8]| piece.iter().fold(0, |all, byte| all | (byte ^ first)) != 0;
            !bytes.chunks(256).any(differs)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header_bytes(edit: impl FnOnce(&mut [u8; 72])) -> BufferHeader {
        let mut bytes = [0_u8; 72];
        bytes[0..4].copy_from_slice(&0x10000_u32.to_le_bytes());
        bytes[0x28..0x2C].copy_from_slice(&[3, 8, 1, 0x80]);
        bytes[0x30..0x34].copy_from_slice(&0x208_u32.to_le_bytes());
        edit(&mut bytes);
        BufferHeader::read(&bytes).unwrap()
    }

    #[test]
    fn cpu_is_one_byte_unless_flagged() {
        assert_eq!(header_bytes(|_| ()).cpu(), 3);
        assert_eq!(header_bytes(|b| b[0x34] = 0x20).cpu(), 0x0003, "of two bytes 11 bits count");
        let high = header_bytes(|b| (b[0x29], b[0x34]) = (0x02, 0x20));
        assert_eq!(high.cpu(), 0x0203);
    }

    #[test]
    fn end_of_data_prefers_offset_over_saved_offset() {
        assert_eq!(header_bytes(|b| b[4..8].copy_from_slice(&0x1B8_u32.to_le_bytes())).end_of_data(), 0x208);
        let only_saved = header_bytes(|b| {
            b[4..8].copy_from_slice(&0x1B8_u32.to_le_bytes());
            b[0x30..0x34].fill(0);
        });
        assert_eq!(only_saved.end_of_data(), 0x1B8);
    }

    #[test]
    fn unwritten_room_is_all_zeros_or_all_ones() {
        assert!(is_unwritten(&[0; 72]));
        assert!(is_unwritten(&[0xFF; 72]));
        assert!(!is_unwritten(&[0, 0, 1]));
        assert!(!is_unwritten(&[]));
        assert!(!is_unwritten(&[&[0; 1000][..], &[1]].concat()));
    }
}
