//! The start of a trace: the header record in its first buffer.

use super::place::Place;
use crate::HookId;
use crate::buffer::{BUFFER_HEADER_BYTES, Buffer, BufferHeader, BufferType, MAX_BUFFER_BYTES};
use crate::bytes::{u16_at, u32_at};
use crate::error::{Consequence, Error, ErrorKind};
use crate::logfile_header::LogfileHeader;
use crate::record::{Dialect, PointerSize, Record, RecordKind};

/// Whether a header buffer with a readable header record stands here.
pub(super) fn starts_segment(bytes: &[u8]) -> bool {
    let is_header = u16_at(bytes, 0x36) == Some(BufferType::HEADER.0);
    is_header && read_first_record(bytes).is_ok()
}

/// Reads the header record at the start of the first buffer: header, its pointer size, its time stamp.
pub(super) fn read_first_record(bytes: &[u8]) -> Result<(LogfileHeader, PointerSize, i64), Error> {
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
        dialect: Dialect { old_instances: false },
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
