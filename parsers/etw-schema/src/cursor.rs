//! Reads a payload or a schema's bytes front to back. Every read that does not fit answers `None` and takes nothing.

use etl_parser::{Guid, PointerSize};

/// What is left of some bytes, read front to back: for those who decode a payload by hand.
///
/// A read that does not fit answers `None` and takes nothing.
#[derive(Debug, Clone)]
pub struct ByteCursor<'a> {
    rest: &'a [u8],
}

impl<'a> ByteCursor<'a> {
    /// At the start of `bytes`.
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What was not read yet.
    #[inline]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// How many bytes were not read yet.
    #[inline]
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// The next `count` bytes.
    #[inline]
    pub fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(head)
    }

    /// The next `N` bytes.
    #[inline]
    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(*head)
    }

    /// The next byte.
    #[inline]
    pub fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// A little-endian number.
    #[inline]
    pub fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    /// A number in network order, as ports are.
    #[inline]
    pub fn u16_be(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    /// A little-endian number.
    #[inline]
    pub fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    /// A little-endian number.
    #[inline]
    pub fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// A GUID.
    #[inline]
    pub fn guid(&mut self) -> Option<Guid> {
        self.array().map(Guid::from_wire)
    }

    /// A pointer, of four or eight bytes.
    #[inline]
    pub fn pointer(&mut self, size: PointerSize) -> Option<u64> {
        match size {
            PointerSize::Four => self.u32().map(u64::from),
            PointerSize::Eight => self.u64(),
        }
    }

    /// Bytes up to a NUL, which is taken too; `None` where there is none.
    pub fn until_nul(&mut self) -> Option<&'a [u8]> {
        let length = self.rest.iter().position(|byte| *byte == 0)?;
        let text = self.bytes(length)?;
        self.rest = self.rest.get(1..)?;
        Some(text)
    }

    /// Bytes up to a NUL, which is taken too, or all that is left.
    pub fn until_nul_or_end(&mut self) -> &'a [u8] {
        self.until_nul().unwrap_or_else(|| std::mem::take(&mut self.rest))
    }

    /// Whole UTF-16 units up to a NUL, which is taken too, or up to the last whole one; an odd byte is left.
    pub fn until_utf16_nul_or_end(&mut self) -> &'a [u8] {
        let units = self.rest.chunks_exact(2);
        let whole = self.rest.len() / 2;
        let length = units.take_while(|unit| *unit != [0, 0]).count();
        let text = self.bytes(2 * length).unwrap_or_default();
        if length < whole {
            self.rest = self.rest.get(2..).unwrap_or_default();
        }
        text
    }
}

/// Text of UTF-16 bytes; unpaired surrogates become U+FFFD.
pub fn utf16_text(bytes: &[u8]) -> String {
    let units = bytes.chunks_exact(2).map(|unit| unit.first_chunk().map_or(0, |unit| u16::from_le_bytes(*unit)));
    char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

/// Text in the machine's code page, which the trace does not name: UTF-8 where it is that, Windows-1252 otherwise.
pub fn ansi_text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => encoding_rs::WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_that_do_not_fit_take_nothing() {
        let mut cursor = ByteCursor::new(&[1, 2, 3]);
        assert_eq!((cursor.u32(), cursor.u64(), cursor.guid(), cursor.bytes(4)), (None, None, None, None));
        assert_eq!((cursor.u16(), cursor.remaining(), cursor.u8(), cursor.u8()), (Some(0x0201), 1, Some(3), None));
        let mut cursor = ByteCursor::new(&[1, 2, 0, 0, 0]);
        assert_eq!(cursor.pointer(PointerSize::Eight), None);
        assert_eq!(cursor.pointer(PointerSize::Four), Some(0x0201));
    }

    #[test]
    fn strings_end_at_their_nul_or_with_the_bytes() {
        let mut cursor = ByteCursor::new(b"ab\0cd");
        assert_eq!((cursor.until_nul(), cursor.until_nul()), (Some(&b"ab"[..]), None));
        assert_eq!((cursor.until_nul_or_end(), cursor.remaining()), (&b"cd"[..], 0));
        let mut cursor = ByteCursor::new(b"a\0\0\0b\0\0");
        assert_eq!(cursor.until_utf16_nul_or_end(), b"a\0");
        assert_eq!((cursor.until_utf16_nul_or_end(), cursor.rest()), (&b"b\0"[..], &b"\0"[..]));
        assert_eq!((cursor.until_utf16_nul_or_end(), cursor.remaining()), (&b""[..], 1));
    }

    #[test]
    fn broken_text_becomes_text() {
        assert_eq!(utf16_text(b"\x00\xd8a\0"), "\u{fffd}a");
        assert_eq!((ansi_text(b"caf\xe9"), ansi_text("café".as_bytes())), ("café".into(), "café".into()));
    }
}
