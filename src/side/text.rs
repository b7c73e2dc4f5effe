//! Text of Windows tools: Unicode in its forms, and the code pages of consoles, which no file names.
//!
//! One file may hold several encodings: `>>` of a command prompt appends bytes of a code page to what PowerShell wrote as
//! UTF-16. Each stretch is decoded by itself.

mod language;
mod pages;
mod stretches;

use std::borrow::Cow;

use encoding_rs::Encoding;
use serde::Serialize;

pub use pages::NamedEncoding;
use stretches::{Shape, Stretch, stretches};

/// How much of a file shows whether it is UTF-16 without a mark.
const SHAPE_BYTES: usize = 4 << 10;

/// Encodings that a note names; what has more is no text.
const MAX_NAMED: usize = 8;

/// How the encoding of a text is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum EncodingBy {
    /// A byte order mark says so.
    Declared,
    /// By its bytes: zeros, sequences of UTF-8, letters that stand side by side.
    Guessed,
    /// The user says so.
    Option,
}

/// Text of a file, and how its encoding is known.
#[derive(Debug, PartialEq, Eq)]
pub struct Decoded<'a> {
    /// The text.
    pub text: Cow<'a, str>,
    /// What is to be known about it: the encoding was guessed, or characters could not be told.
    pub note: Option<String>,
    /// The name of the encoding; of several, all of them in their order.
    pub encoding: String,
    /// How it is known.
    pub by: EncodingBy,
}

/// Decodes a file that a Windows tool wrote: UTF-8, UTF-16 with a mark or by its zeros, else a code page, each stretch by
/// itself.
///
/// The code page is guessed from which letters stand side by side. Where none makes words, ASCII is kept, the same in all of
/// them, and every other byte becomes U+FFFD.
pub fn decode_text(bytes: &[u8]) -> Decoded<'_> {
    decode_text_as(bytes, None)
}

/// The same, where the user may have said in which encoding stretches are that neither are UTF-16 nor begin with a mark.
pub fn decode_text_as(bytes: &[u8], encoding: Option<NamedEncoding>) -> Decoded<'_> {
    if let Some(encoding) = encoding.filter(|encoding| encoding.is_wide()) {
        return Decoded {
            text: encoding.decode(bytes),
            note: None,
            encoding: encoding.name().to_owned(),
            by: EncodingBy::Option,
        };
    }
    if let Some(text) = plain(bytes) {
        return Decoded { text: text.into(), note: None, encoding: "ASCII".to_owned(), by: EncodingBy::Guessed };
    }
    let mut pieces: Vec<Piece<'_>> = Vec::new();
    for stretch in stretches(bytes) {
        pieces.extend(decode_stretch(&stretch, encoding));
    }
    match pieces.len() {
        0 => Decoded { text: "".into(), note: None, encoding: "ASCII".to_owned(), by: EncodingBy::Guessed },
        1 => match pieces.pop() {
            Some(piece) => {
                Decoded { note: piece.note(), text: piece.text, encoding: piece.encoding.to_owned(), by: piece.by }
            }
            None => Decoded { text: "".into(), note: None, encoding: String::new(), by: EncodingBy::Guessed },
        },
        _ => joined(pieces),
    }
}

/// Text in ASCII, as most is: the bytes of UTF-16 are ASCII too, with zeros among them.
pub(super) fn plain(bytes: &[u8]) -> Option<&str> {
    let is_plain = bytes.is_ascii() && !bytes.contains(&0);
    std::str::from_utf8(bytes).ok().filter(|_| is_plain)
}

/// A stretch in one encoding.
struct Piece<'a> {
    text: Cow<'a, str>,
    encoding: &'static str,
    by: EncodingBy,
    how: How,
}

/// What is to be said about the encoding of a stretch.
#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    Plain,
    ByZeros,
    ByLetters,
    Unknown,
}

impl Piece<'_> {
    fn note(&self) -> Option<String> {
        match self.how {
            How::Plain => None,
            How::ByZeros => Some(format!("read as {}, which the file does not declare", self.encoding)),
            How::ByLetters => Some(format!(
                "the file does not declare its code page: read as {}, judged by its letters",
                self.encoding
            )),
            How::Unknown => Some(
                "its code page is not known: letters outside of ASCII are shown as \u{fffd}; give it with --encoding"
                    .to_owned(),
            ),
        }
    }
}

fn decode_stretch<'a>(stretch: &Stretch<'a>, option: Option<NamedEncoding>) -> Vec<Piece<'a>> {
    let by = if stretch.is_marked { EncodingBy::Declared } else { EncodingBy::Guessed };
    let how = if stretch.is_marked { How::Plain } else { How::ByZeros };
    let wide = |encoding: &'static Encoding| {
        let text = encoding.decode_without_bom_handling(stretch.bytes).0;
        vec![Piece { text, encoding: encoding.name(), by, how }]
    };
    match stretch.shape {
        Shape::Wide(encoding) => wide(encoding),
        Shape::Narrow if stretch.is_marked => {
            let text = encoding_rs::UTF_8.decode_without_bom_handling(stretch.bytes).0;
            vec![Piece { text, encoding: "UTF-8", by, how }]
        }
        Shape::Narrow => match option {
            Some(encoding) if !stretch.bytes.is_ascii() => {
                let (text, by) = (encoding.decode(stretch.bytes), EncodingBy::Option);
                vec![Piece { text, encoding: encoding.name(), by, how: How::Plain }]
            }
            _ => narrow(stretch.bytes),
        },
    }
}

fn ascii_or_utf8(text: &str) -> Piece<'_> {
    let encoding = if text.is_ascii() { "ASCII" } else { "UTF-8" };
    Piece { text: text.into(), encoding, by: EncodingBy::Guessed, how: How::Plain }
}

/// Decodes bytes that are neither UTF-16 nor marked.
fn narrow(bytes: &[u8]) -> Vec<Piece<'_>> {
    match std::str::from_utf8(bytes) {
        Ok(text) => vec![ascii_or_utf8(text)],
        Err(error) if error.error_len().is_none() => {
            // Cut in the middle of the last character.
            let whole = bytes.get(..error.valid_up_to()).unwrap_or_default();
            let text = String::from_utf8_lossy(whole);
            let encoding = if text.is_ascii() { "ASCII" } else { "UTF-8" };
            vec![Piece { text, encoding, by: EncodingBy::Guessed, how: How::Plain }]
        }
        Err(_) => stretches::of_pages(bytes)
            .into_iter()
            .map(|part| match (std::str::from_utf8(part.bytes), part.page) {
                (Ok(text), _) => ascii_or_utf8(text),
                (Err(_), Some(page)) => Piece {
                    text: page.decode(part.bytes),
                    encoding: page.name(),
                    by: EncodingBy::Guessed,
                    how: How::ByLetters,
                },
                (Err(_), None) => {
                    let known =
                        |byte: &u8| if byte.is_ascii() { char::from(*byte) } else { char::REPLACEMENT_CHARACTER };
                    let text: String = part.bytes.iter().map(known).collect();
                    Piece { text: text.into(), encoding: "unknown", by: EncodingBy::Guessed, how: How::Unknown }
                }
            })
            .collect(),
    }
}

/// Several stretches as one text, and what to know about them.
fn joined(pieces: Vec<Piece<'_>>) -> Decoded<'_> {
    let mut text = String::new();
    let mut line = 1_u64;
    let mut names: Vec<&'static str> = Vec::new();
    let mut turns: Vec<String> = Vec::new();
    let mut by = EncodingBy::Declared;
    let mut note = None;
    let mut last = "";
    for piece in &pieces {
        if piece.encoding != last && !piece.text.is_empty() {
            if turns.len() < MAX_NAMED {
                turns.push(format!("{} from line {line} on", piece.encoding));
            }
            last = piece.encoding;
            if !names.contains(&piece.encoding) {
                names.push(piece.encoding);
            }
        }
        by = match (by, piece.by) {
            (EncodingBy::Option, _) | (_, EncodingBy::Option) => EncodingBy::Option,
            (EncodingBy::Guessed, _) | (_, EncodingBy::Guessed) => EncodingBy::Guessed,
            _ => EncodingBy::Declared,
        };
        if matches!(piece.how, How::ByLetters | How::Unknown) {
            note = note.or_else(|| piece.note());
        }
        line = line.saturating_add(piece.text.matches('\n').count() as u64);
        text.push_str(&piece.text);
    }
    let turns = (names.len() > 1).then(|| format!("in several encodings: {}", turns.join(", ")));
    let note = [turns, note].into_iter().flatten().reduce(|one, other| format!("{one}; {other}"));
    Decoded { text: text.into(), note, encoding: names.join(", "), by }
}

/// Whether the bytes would be decoded as Unicode by their mark or their zeros.
pub(super) fn is_marked_or_utf16(bytes: &[u8]) -> bool {
    let shape = bytes.get(..SHAPE_BYTES).unwrap_or(bytes);
    Encoding::for_bom(bytes).is_some()
        || stretches(shape).iter().any(|stretch| matches!(stretch.shape, Shape::Wide(_)) && stretch.bytes.len() >= 8)
}

#[cfg(test)]
mod tests {
    use encoding_rs::{IBM866, SHIFT_JIS, WINDOWS_1251, WINDOWS_1252};

    use super::*;

    fn read(bytes: &[u8]) -> (String, Option<String>) {
        let decoded = decode_text(bytes);
        (decoded.text.into_owned(), decoded.note)
    }

    fn guessed(page: &str) -> Option<String> {
        Some(format!("the file does not declare its code page: read as {page}, judged by its letters"))
    }

    #[test]
    fn unicode_is_recognised() {
        assert_eq!(read(b"\xff\xfea\0\xe9\0"), ("aé".to_owned(), None));
        assert_eq!(read(b"\xfe\xff\0a\0\xe9"), ("aé".to_owned(), None));
        assert_eq!(read(b"\xef\xbb\xbfa"), ("a".to_owned(), None));
        assert_eq!(read("é".as_bytes()), ("é".to_owned(), None));
        assert_eq!(read("aé".as_bytes().get(..2).unwrap()), ("a".to_owned(), None));
    }

    #[test]
    fn utf16_without_a_mark_is_told_by_its_zeros() {
        let text = "プロトコル tcp の動的ポートの範囲\r\n---------------------------------\r\n";
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!(
            read(&little),
            (text.to_owned(), Some("read as UTF-16LE, which the file does not declare".to_owned()))
        );
        assert_eq!(read(&big), (text.to_owned(), Some("read as UTF-16BE, which the file does not declare".to_owned())));
    }

    #[test]
    fn code_pages_are_told_by_words() {
        for text in ["ABHÖREN", "Aktive Verbindungen für Größe", "Connexions établies, état", "Dirección", "Conexões"]
        {
            let page_850: Vec<u8> =
                oem_cp::encode_string_checked(text, &oem_cp::code_table::ENCODING_TABLE_CP850).unwrap();
            assert_eq!(read(&page_850), (text.to_owned(), guessed("850")), "{text}");
            let ansi = WINDOWS_1252.encode(text).0;
            assert_eq!(read(&ansi), (text.to_owned(), guessed("1252")), "{text}");
        }
        // One letter alone, which is another one of Portuguese in the other page.
        let ansi = WINDOWS_1252.encode(" [Zähler-Agent.exe]").0;
        assert_eq!(read(&ansi), (" [Zähler-Agent.exe]".to_owned(), guessed("1252")));
        for text in
            ["Активные подключения", "  Имя    Локальный адрес        Внешний адрес          Состояние       PID"]
        {
            assert_eq!(read(&IBM866.encode(text).0), (text.to_owned(), guessed("866")), "{text}");
            assert_eq!(read(&WINDOWS_1251.encode(text).0), (text.to_owned(), guessed("1251")), "{text}");
        }
        for text in
            ["アクティブな接続", "  プロトコル  ローカル アドレス      外部アドレス           状態            PID"]
        {
            assert_eq!(read(&SHIFT_JIS.encode(text).0), (text.to_owned(), guessed("932")), "{text}");
        }
    }

    #[test]
    fn bytes_that_make_no_words_stay_unknown() {
        let (text, note) = read(b"a \xdb b");
        assert_eq!(text, "a \u{fffd} b");
        assert!(note.unwrap().contains("not known"));
    }

    fn wide(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    #[test]
    fn each_stretch_is_decoded_by_itself() {
        let (one, two) = ("  TCP  10.0.0.1:1  0.0.0.0:0\r\n", "アクティブな接続\r\n  TCP  [::]:1  [::]:0\r\n");
        let bytes = [one.as_bytes(), &wide(two), one.as_bytes(), b"\xff\xfe", &wide(one)].concat();
        let decoded = decode_text(&bytes);
        assert_eq!(decoded.text, format!("{one}{two}{one}{one}"));
        assert_eq!((decoded.encoding.as_str(), decoded.by), ("ASCII, UTF-16LE", EncodingBy::Guessed));
        let note = decoded.note.unwrap();
        assert_eq!(
            note,
            "in several encodings: ASCII from line 1 on, UTF-16LE from line 2 on, ASCII from line 4 on, UTF-16LE from line 5 on"
        );
        // Letters whose bytes are all ASCII, controls among them.
        let cyrillic = "Внешний адрес   PID\r\n";
        let bytes = ["Имя\r\n".as_bytes(), &wide(cyrillic)].concat();
        assert_eq!(decode_text(&bytes).text, format!("Имя\r\n{cyrillic}"));
        // A blank line where the encoding changes.
        for text in ["\nアクティブな接続\n\n  TCP  [::]:1  [::]:0\n", "\r\nNASŁUCHIWANIE\r\n"] {
            let bytes = [b"C:\\>netstat -ano\n", wide(text).as_slice()].concat();
            assert_eq!(decode_text(&bytes).text, format!("C:\\>netstat -ano\n{text}"));
        }
        // A file that PowerShell began and a command prompt went on with.
        let bytes = [b"\xff\xfe", wide(two).as_slice(), one.as_bytes()].concat();
        assert_eq!(decode_text(&bytes).text, format!("{two}{one}"));
    }

    #[test]
    fn lines_of_another_page_are_told_apart() {
        let german = "Zugriff verweigert für Größe\r\nÜberprüfung\r\n";
        let page_850 = oem_cp::encode_string_checked(german, &oem_cp::code_table::ENCODING_TABLE_CP850).unwrap();
        for other in [WINDOWS_1252.encode(german).0.as_ref(), german.as_bytes()] {
            let bytes = [page_850.as_slice(), b"plain\r\n", other].concat();
            assert_eq!(decode_text(&bytes).text, format!("{german}plain\r\n{german}"));
        }
    }

    #[test]
    fn the_user_may_name_the_encoding() {
        let decoded = decode_text_as(b"NAS\x9dUCHIWANIE \xe9\r\n", "852".parse().ok());
        assert_eq!((&*decoded.text, decoded.by, decoded.note), ("NASŁUCHIWANIE Ú\r\n", EncodingBy::Option, None));
        let decoded = decode_text_as(b"\xff\xfea\0", "852".parse().ok());
        assert_eq!((&*decoded.text, decoded.by), ("a", EncodingBy::Declared), "a mark says more");
    }
}
