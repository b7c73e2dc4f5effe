//! Brings record headers into the processor's caches before they are read.

use super::Trace;
use crate::buffer::BUFFER_HEADER_BYTES;
use crate::bytes::align8;
use crate::record::Shape;

/// Steps after which records are looked at: where they are small, the processor has fetched them anyway.
const TRIAL_STEPS: usize = 8;

/// Mean bytes of a record from which on that pays: four cache lines, since two of them hold its header.
const WORTHWHILE_BYTES: usize = 256;

/// Bytes of an event's header that readers look at first: provider and id are among them.
const NEEDED: usize = 0x30;

/// A walk over one buffer that trusts what it reads: nothing comes of it but bytes in a cache.
struct Walk<'a> {
    /// From the record on that comes next; empty at the end, or where there is no record.
    rest: &'a [u8],
}

impl Walk<'_> {
    /// Goes on to the next record: how many bytes that is, 0 at the end.
    #[inline]
    fn step(&mut self) -> usize {
        let size = self.rest.first_chunk::<NEEDED>().map_or(0, |head| {
            // The byte itself, not where it stands: the header may begin in one cache line and end in the next.
            let [.., last] = *head;
            std::hint::black_box(last);
            size_of_record(head)
        });
        self.rest = self.rest.get(size..).filter(|_| size > 0).unwrap_or(&[]);
        size
    }
}

/// Bytes of a record, padded; 0 where there is none.
#[inline]
fn size_of_record(head: &[u8; NEEDED]) -> usize {
    let [low0, low1, header_type, high, size0, size1, ..] = *head;
    if let Some(size) = Shape::event_size(u32::from_le_bytes([low0, low1, header_type, high])) {
        return align8(size);
    }
    // The size of kernel records stands behind the marker.
    let is_kernel = high >= 0xC0 && matches!(header_type, 0x01..=0x04 | 0x10 | 0x11);
    let size = u16::from_le_bytes(if is_kernel { [size0, size1] } else { [low0, low1] });
    if high < 0x80 { 0 } else { align8(usize::from(size)) }
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
                Walk { rest: bytes.get(BUFFER_HEADER_BYTES..).unwrap_or(&[]) }
            })
            .collect();
        let buffers = walks.len();
        if buffers < 2 {
            return;
        }
        let mut step = || walks.iter_mut().map(Walk::step).sum::<usize>();
        let walked: usize = (0..TRIAL_STEPS).map(|_| step()).sum();
        if walked < buffers * TRIAL_STEPS * WORTHWHILE_BYTES {
            return;
        }
        // Buffers of a trace have about as many records each: most end together.
        while step() > 0 {}
    }
}
