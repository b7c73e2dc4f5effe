//! The report as one JSON document.

use std::io::{self, Write};

use serde::Serialize;

/// Writes `document`, indented, with a line feed at its end.
///
/// # Errors
///
/// The [`io::Error`] of `out`, as it is; `InvalidData` where `document` is not one that JSON has, such as a map whose keys are
/// no text.
pub fn write(document: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    let mut text = serde_json::to_vec_pretty(document)?;
    text.push(b'\n');
    out.write_all(&spelled_out(text))
}

/// Writes `document` in one line, with a line feed at its end: what programs take that read line by line.
///
/// # Errors
///
/// As [`write()`].
pub fn write_line(document: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    let mut text = serde_json::to_vec(document)?;
    text.push(b'\n');
    out.write_all(&spelled_out(text))
}

/// JSON in which no terminal finds a command: DEL and the control characters U+0080 to U+009F, which JSON allows as they
/// are, become escapes. They stand in strings only.
pub(crate) fn spelled_out(json: Vec<u8>) -> Vec<u8> {
    // Numbers instead of truth values, and no early end within a piece: compilers then compare many bytes at once.
    let found =
        |piece: &[u8]| piece.iter().fold(0, |all, byte| all | u8::from(*byte == 0x7F) | u8::from(*byte == 0xC2));
    if json.chunks(64).all(|piece| found(piece) == 0) {
        return json;
    }
    let mut plain = Vec::with_capacity(json.len() + 64);
    let mut rest = json.as_slice();
    while let [first, behind @ ..] = rest {
        let (code, length) = match (first, behind) {
            (0x7F, _) => (0x7F, 1),
            (0xC2, [code @ 0x80..=0x9F, ..]) => (*code, 2),
            _ => {
                plain.push(*first);
                rest = behind;
                continue;
            }
        };
        plain.extend_from_slice(format!("\\u{code:04x}").as_bytes());
        rest = rest.get(length..).unwrap_or_default();
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_of_eight_bits_are_spelled_out() {
        let text = "a\u{7f}b\u{80}c\u{9f}d\u{a0}é\u{c2}\u{1b}";
        let json = spelled_out(serde_json::to_vec(text).unwrap());
        let json = String::from_utf8(json).unwrap();
        assert_eq!(json, "\"a\\u007fb\\u0080c\\u009fd\u{a0}é\u{c2}\\u001b\"");
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
        assert_eq!(spelled_out(vec![0xC2]), [0xC2]);
    }
}
