//! Bounds-checked little-endian reads from a byte slice. Nothing outside this module indexes file bytes.

/// The `N` bytes at `pos`, or `None` where they do not fit.
#[inline]
pub(crate) fn array_at<const N: usize>(bytes: &[u8], pos: usize) -> Option<[u8; N]> {
    bytes.get(pos..)?.first_chunk::<N>().copied()
}

#[inline]
pub(crate) fn u16_at(bytes: &[u8], pos: usize) -> Option<u16> {
    array_at(bytes, pos).map(u16::from_le_bytes)
}

#[inline]
pub(crate) fn u32_at(bytes: &[u8], pos: usize) -> Option<u32> {
    array_at(bytes, pos).map(u32::from_le_bytes)
}

#[inline]
pub(crate) fn u64_at(bytes: &[u8], pos: usize) -> Option<u64> {
    array_at(bytes, pos).map(u64::from_le_bytes)
}

#[inline]
pub(crate) fn i64_at(bytes: &[u8], pos: usize) -> Option<i64> {
    array_at(bytes, pos).map(i64::from_le_bytes)
}

/// The UTF-16 string at `pos` up to its NUL or the end of the slice, and the position behind it.
///
/// Unpaired surrogates become U+FFFD: names in damaged files must not end the reading.
pub(crate) fn utf16_at(bytes: &[u8], pos: usize) -> (String, usize) {
    let mut units = Vec::new();
    let mut at = pos;
    while let Some(unit) = u16_at(bytes, at) {
        at += 2;
        if unit == 0 {
            break;
        }
        units.push(unit);
    }
    (String::from_utf16_lossy(&units), at)
}

/// Rounds up to the alignment of records inside a buffer, 8 bytes.
#[inline]
pub(crate) const fn align8(size: usize) -> usize {
    size.saturating_add(7) & !7
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_stop_at_the_end_of_the_slice() {
        let bytes = [1, 2, 3, 4, 5];
        assert_eq!(u16_at(&bytes, 3), Some(0x0504));
        assert_eq!(u16_at(&bytes, 4), None);
        assert_eq!(u32_at(&bytes, 1), Some(0x0504_0302));
        assert_eq!(u32_at(&bytes, usize::MAX), None);
        assert_eq!(i64_at(&bytes, 0), None);
    }

    #[test]
    fn utf16_ends_at_nul_or_at_the_last_whole_unit() {
        assert_eq!(utf16_at(b"a\0b\0\0\0c\0", 0), ("ab".to_owned(), 6));
        assert_eq!(utf16_at(b"a\0b\0c", 0), ("ab".to_owned(), 4));
        assert_eq!(utf16_at(b"\x00\xd8", 0), ("\u{fffd}".to_owned(), 2));
        assert_eq!(utf16_at(b"", 7), (String::new(), 7));
    }

    #[test]
    fn alignment_of_the_largest_size_does_not_wrap() {
        assert_eq!(align8(0xFFFF), 0x1_0000);
        assert_eq!(align8(8), 8);
        assert_eq!(align8(usize::MAX), usize::MAX & !7);
    }
}
