//! Tables of the whole system, of `NtQuerySystemInformation`.

#![allow(unsafe_code)]

use windows_sys::Wdk::System::SystemInformation::NtQuerySystemInformation;

use super::super::system::WhyMissing;

/// `STATUS_INFO_LENGTH_MISMATCH`.
const TOO_SMALL: i32 = 0xC000_0004_u32.cast_signed();

/// The first buffer.
const FIRST_BYTES: u32 = 1 << 20;

/// Largest table read. Six million handles are 256 MB.
const MAX_BYTES: u32 = 256 << 20;

/// A table as the system has written it, aligned for its numbers. Addresses in it are those of this memory.
pub(super) struct SystemTable {
    words: Vec<u64>,
}

impl SystemTable {
    /// The table of a class, asked for with ever larger buffers, since it grows while it is asked for.
    ///
    /// # Errors
    ///
    /// The status, or that it is too large.
    pub(super) fn of(class: i32) -> Result<Self, WhyMissing> {
        let mut bytes = FIRST_BYTES;
        while bytes <= MAX_BYTES {
            let mut words = vec![0_u64; usize::try_from(bytes / 8).unwrap_or(0)];
            let mut needed = 0;
            // SAFETY: the buffer has at least as many bytes as the size says.
            let status = unsafe { NtQuerySystemInformation(class, words.as_mut_ptr().cast(), bytes, &mut needed) };
            match status {
                0.. => return Ok(Self { words }),
                TOO_SMALL => bytes = bytes.saturating_mul(2).max(needed.saturating_add(needed / 8)).next_multiple_of(8),
                status => return Err(format!("status {status:#010x}")),
            }
        }
        Err("there are too many to list".to_owned())
    }

    pub(super) fn bytes(&self) -> &[u8] {
        // SAFETY: the words are initialized, and any byte of them is one.
        unsafe { std::slice::from_raw_parts(self.words.as_ptr().cast(), size_of_val(self.words.as_slice())) }
    }

    /// Where it lies.
    pub(super) fn address(&self) -> u64 {
        self.words.as_ptr().addr() as u64
    }
}
