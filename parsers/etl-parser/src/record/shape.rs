//! The marker word of a record: what kind it is, and how long.

use super::{HeaderType, RecordKind};
use crate::bytes::u16_at;

/// What the layout version of a file changes in its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dialect {
    /// Instance records have the old 0x38 bytes (layout version below 1.1: Windows 2000 and XP).
    pub(crate) old_instances: bool,
}

/// How the first word of a record is read.
pub(crate) struct Shape {
    pub(super) header_type: HeaderType,
    pub(super) kind: RecordKind,
    /// Bytes of the record, without padding.
    pub(super) size: usize,
    /// Bytes of the fixed header.
    pub(super) fixed: u8,
    /// What the fixed header is called.
    pub(super) name: &'static str,
    /// The rule for the size is a guess: accept it only if another marker follows.
    pub(super) unsure: bool,
}

impl Shape {
    /// Bytes of a record that begins with this word, where it is an event, as most records of most traces are.
    #[inline]
    pub(crate) fn event_size(word: u32) -> Option<usize> {
        (word & 0xC0FE_0000 == 0xC012_0000).then_some((word & 0xFFFF) as usize)
    }

    /// `word`: the first of the record at `pos`.
    pub(super) fn read(word: u32, bytes: &[u8], pos: usize, dialect: Dialect) -> Option<Self> {
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
                let fixed = if dialect.old_instances { 0x38 } else { 0x48 };
                shape(header_type, RecordKind::Instance, low, fixed, "instance header")
            }
            0x0C..=0x0E => shape(header_type, RecordKind::Other, low, 8, "record"),
            0x10 | 0x11 => shape(header_type, RecordKind::Perfinfo, kernel_size()?, 0x10, "performance header"),
            0x12 | 0x13 => shape(header_type, RecordKind::EventHeader, low, 0x50, "event header"),
            _ => Self { unsure: true, ..shape(header_type, RecordKind::Other, low, 8, "record") },
        })
    }
}
