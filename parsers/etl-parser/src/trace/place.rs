//! Places in a file where a buffer should stand, and where the next one may.

use crate::buffer::{BUFFER_HEADER_BYTES, BufferHeader, BufferInfo, BufferType, MAX_BUFFER_BYTES};
use crate::bytes::{u16_at, u32_at};

/// A place in the file where a buffer should stand.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    /// The file from here on.
    pub(super) rest: &'a [u8],
    /// Where the segment starts in the file.
    pub(super) base: u64,
    /// Offset in the segment.
    pub(super) offset: usize,
    /// Number of the buffer, from 0.
    pub(super) index: u32,
    /// The size of the trace's buffers, where they are equal.
    pub(super) stride: Option<u32>,
}

impl Place<'_> {
    /// Offset in the file.
    pub(super) fn absolute(&self) -> u64 {
        self.base.saturating_add(self.offset as u64)
    }

    pub(super) fn info(&self, header: BufferHeader) -> BufferInfo {
        BufferInfo {
            index: self.index,
            offset: self.absolute(),
            stored_bytes: header.buffer_bytes.min(u32::try_from(self.rest.len()).unwrap_or(u32::MAX)),
            header,
            not_before: i64::MIN,
            not_after: i64::MAX,
        }
    }

    /// Bytes to the next place that looks like a buffer, or to the end of the file. Where buffers are equal, only
    /// multiples of their size are looked at, counted from the start of the segment.
    pub(super) fn next_buffer(&self) -> usize {
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
    pub(super) fn starts_buffer(&self, at: usize) -> bool {
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
