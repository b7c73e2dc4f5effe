//! Reads a payload field by field. Payloads are packed: no alignment, no padding.

use etl_parser::PointerSize;
use etw_schema::{ByteCursor, ansi_text, utf16_text};

/// A cursor over one event's payload. Every read that does not fit answers `None` and the event is malformed.
#[derive(Debug, Clone)]
pub(super) struct Fields<'a> {
    cursor: ByteCursor<'a>,
    pointer_size: PointerSize,
}

impl<'a> Fields<'a> {
    pub(super) fn new(bytes: &'a [u8], pointer_size: PointerSize) -> Self {
        Self { cursor: ByteCursor::new(bytes), pointer_size }
    }

    /// In network order, as ports are.
    pub(super) fn u16_be(&mut self) -> Option<u16> {
        self.cursor.u16_be()
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.cursor.u16()
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.cursor.u32()
    }

    pub(super) fn i64(&mut self) -> Option<i64> {
        self.cursor.u64().map(u64::cast_signed)
    }

    pub(super) fn pointer(&mut self) -> Option<u64> {
        self.cursor.pointer(self.pointer_size)
    }

    pub(super) fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        self.cursor.bytes(count)
    }

    pub(super) fn skip(&mut self, count: usize) -> Option<()> {
        self.bytes(count).map(|_| ())
    }

    /// A security identifier: revision, sub-authority count, authority (6), four bytes for each sub-authority.
    pub(super) fn sid(&mut self) -> Option<()> {
        let count = usize::from(*self.rest().get(1)?);
        self.skip(8 + 4 * count)
    }

    /// UTF-16 up to its NUL, which must be there.
    pub(super) fn utf16(&mut self) -> Option<String> {
        let mut units = Vec::new();
        loop {
            match self.cursor.u16()? {
                0 => return Some(String::from_utf16_lossy(&units)),
                unit => units.push(unit),
            }
        }
    }

    /// UTF-16 that nothing follows: up to its NUL, or all that is left.
    pub(super) fn last_utf16(&mut self) -> String {
        utf16_text(self.cursor.until_utf16_nul_or_end())
    }

    /// Text of the machine's code page that nothing follows: up to its NUL, or all that is left.
    pub(super) fn last_ansi(&mut self) -> String {
        ansi_text(self.cursor.until_nul_or_end())
    }

    /// Bytes of the machine's code page up to their NUL, which must be there.
    pub(super) fn ansi(&mut self) -> Option<String> {
        self.cursor.until_nul().map(ansi_text)
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.cursor.rest()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest().is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_need_their_terminator_unless_nothing_follows() {
        let mut fields = Fields::new(b"ab\0cd", PointerSize::Eight);
        assert_eq!(fields.ansi().as_deref(), Some("ab"));
        assert_eq!(fields.ansi(), None);
        let mut fields = Fields::new(b"a\0\0\0b\0", PointerSize::Eight);
        assert_eq!(fields.utf16().as_deref(), Some("a"));
        assert_eq!(fields.utf16(), None);
        let mut fields = Fields::new(b"a\0b\0c", PointerSize::Eight);
        assert_eq!((fields.last_utf16().as_str(), fields.rest()), ("ab", &b"c"[..]));
        assert_eq!((fields.last_ansi().as_str(), fields.last_ansi().as_str()), ("c", ""));
    }

    #[test]
    fn code_page_text_is_utf8_or_windows_1252() {
        assert_eq!(ansi_text(b"caf\xe9.exe"), "café.exe");
        assert_eq!(ansi_text("café.exe".as_bytes()), "café.exe");
    }

    #[test]
    fn pointer_width_is_that_of_the_record() {
        let bytes = [1, 0, 0, 0, 2, 0, 0, 0];
        assert_eq!(Fields::new(&bytes, PointerSize::Four).pointer(), Some(1));
        assert_eq!(Fields::new(&bytes, PointerSize::Eight).pointer(), Some(0x2_0000_0001));
        assert_eq!(Fields::new(&bytes[1..], PointerSize::Eight).pointer(), None);
    }
}
