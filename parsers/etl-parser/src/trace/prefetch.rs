//! Brings record headers into the processor's caches before they are read.

use super::Trace;
use crate::buffer::BUFFER_HEADER_BYTES;
use crate::bytes::{align8, array_at, u64_at};

/// Steps after which records are looked at: where they are small, the processor has fetched them anyway.
const TRIAL_STEPS: usize = 8;

/// Mean bytes of a record from which on that pays: four cache lines, since two of them hold its header.
const WORTHWHILE_BYTES: usize = 256;

/// The last byte of an event's header that readers look at first: provider and id stand before it.
const LAST_NEEDED: usize = 0x2F;

/// A walk over one buffer that trusts what it reads: nothing comes of it but bytes in a cache.
struct Walk<'a> {
    bytes: &'a [u8],
    pos: usize,
}

impl Walk<'_> {
    /// Goes on to the next record; `None` at the end, or where there is no record.
    #[inline]
    fn step(&mut self) -> Option<u8> {
        let word = u64_at(self.bytes, self.pos)?;
        let [low0, low1, header_type, high, size0, size1, ..] = word.to_le_bytes();
        // The size of kernel records stands behind the marker.
        let is_kernel = high >= 0xC0 && matches!(header_type, 0x01..=0x04 | 0x10 | 0x11);
        let size = u16::from_le_bytes(if is_kernel { [size0, size1] } else { [low0, low1] });
        if high < 0x80 || size == 0 {
            return None;
        }
        let [needed] = array_at::<1>(self.bytes, self.pos + LAST_NEEDED)?;
        self.pos += align8(usize::from(size));
        Some(needed)
    }
}

impl Trace<'_> {
    /// A hint that these buffers, by their positions in [`Trace::buffers`], are walked next: brings their record headers
    /// into the processor's caches.
    ///
    /// For readers that open many buffers, on each thread before a group of about 16. One walk over a buffer of large
    /// records waits for memory at each record, since the first word of a record says where the next one stands; here
    /// all buffers are walked in step, so that their waits overlap. Where records are small it ends at once. Compressed
    /// buffers and positions that do not exist are passed over. Changes no result.
    pub fn prefetch(&self, positions: impl Iterator<Item = usize>) {
        let plain = positions.filter_map(|position| self.buffers.get(position)).filter(|info| !info.is_compressed());
        let mut walks: Vec<Walk<'_>> = plain
            .map(|info| {
                let stored = self.stored(info);
                let bytes = stored.get(..info.header.end_of_data() as usize).unwrap_or(stored);
                Walk { bytes, pos: BUFFER_HEADER_BYTES }
            })
            .collect();
        if walks.len() < 2 {
            return;
        }
        for _ in 0..TRIAL_STEPS {
            walks.retain_mut(|walk| std::hint::black_box(walk.step()).is_some());
        }
        let walked: usize = walks.iter().map(|walk| walk.pos - BUFFER_HEADER_BYTES).sum();
        if walked < walks.len() * TRIAL_STEPS * WORTHWHILE_BYTES {
            return;
        }
        while !walks.is_empty() {
            walks.retain_mut(|walk| std::hint::black_box(walk.step()).is_some());
        }
    }
}
