//! Files that come beside a trace and tell what a trace cannot.

pub mod facts;
pub mod tasklist;

/// Text of a file that a Windows tool wrote, and whether some characters could not be told.
///
/// UTF-16 and UTF-8 are recognised. What is neither is in an OEM code page that the file does not name: its ASCII
/// characters, the same in all of them, are kept, the others become U+FFFD.
pub fn decode_text(bytes: &[u8]) -> (String, bool) {
    let unicode = encoding_rs::Encoding::for_bom(bytes).map(|(encoding, _)| encoding);
    if let Some(encoding) = unicode {
        return (encoding.decode(bytes).0.into_owned(), false);
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => (text.to_owned(), false),
        Err(_) => {
            let known = |byte: &u8| if byte.is_ascii() { char::from(*byte) } else { char::REPLACEMENT_CHARACTER };
            (bytes.iter().map(known).collect(), true)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_recognised() {
        assert_eq!(decode_text(b"\xff\xfea\0\xe9\0"), ("aé".to_owned(), false));
        assert_eq!(decode_text(b"\xef\xbb\xbfa"), ("a".to_owned(), false));
        assert_eq!(decode_text("é".as_bytes()), ("é".to_owned(), false));
        assert_eq!(decode_text(b"a\x82b"), ("a\u{fffd}b".to_owned(), true));
    }
}
