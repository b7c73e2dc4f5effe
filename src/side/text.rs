//! Text of Windows tools: Unicode in its forms, and the code pages of consoles, which no file names.

use std::borrow::Cow;

use encoding_rs::{Encoding, IBM866, SHIFT_JIS, UTF_16BE, UTF_16LE, WINDOWS_1251, WINDOWS_1252};
use oem_cp::code_table::{DECODING_TABLE_CP437, DECODING_TABLE_CP850};
use oem_cp::decode_string_complete_table;

/// How much of a file shows what its code page is. Text in one language has a hundred letters outside of ASCII in less.
const SAMPLE_BYTES: usize = 64 << 10;

/// How much of a file shows whether it is UTF-16 without a mark.
const SHAPE_BYTES: usize = 4 << 10;

/// Text of a file, and how its encoding is known.
#[derive(Debug, PartialEq, Eq)]
pub struct Decoded<'a> {
    /// The text.
    pub text: Cow<'a, str>,
    /// What is to be known about it: the encoding was guessed, or characters could not be told.
    pub note: Option<String>,
}

/// Decodes a file that a Windows tool wrote: UTF-8, UTF-16 with a mark or by its zeros, else a code page.
///
/// The code page is one of 932, 866, 1251, 850, 437 and 1252, guessed from which letters stand side by side. Where none
/// makes words, ASCII is kept, the same in all of them, and every other byte becomes U+FFFD.
pub fn decode_text(bytes: &[u8]) -> Decoded<'_> {
    if let Some((encoding, mark)) = Encoding::for_bom(bytes) {
        let text = encoding.decode_without_bom_handling(bytes.get(mark..).unwrap_or_default()).0;
        return Decoded { text, note: None };
    }
    if let Some(encoding) = utf16_by_shape(bytes) {
        let text = encoding.decode_without_bom_handling(bytes).0;
        return Decoded { text, note: Some(format!("read as {}, which it does not say", encoding.name())) };
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Decoded { text: text.into(), note: None },
        Err(error) if error.error_len().is_none() => {
            // Cut in the middle of the last character.
            let whole = bytes.get(..error.valid_up_to()).unwrap_or_default();
            Decoded { text: String::from_utf8_lossy(whole), note: None }
        }
        Err(_) => in_code_page(bytes),
    }
}

/// Whether the bytes would be decoded as Unicode by their mark or their zeros.
pub(super) fn is_marked_or_utf16(bytes: &[u8]) -> bool {
    Encoding::for_bom(bytes).is_some() || utf16_by_shape(bytes).is_some()
}

/// Text of tools is ASCII for the most part, whatever the language: in UTF-16 every second byte is zero.
fn utf16_by_shape(bytes: &[u8]) -> Option<&'static Encoding> {
    let pairs = bytes.get(..SHAPE_BYTES).unwrap_or(bytes).chunks_exact(2);
    let count = pairs.len();
    let (mut low_zeros, mut high_zeros) = (0, 0);
    for pair in pairs {
        low_zeros += usize::from(pair.first() == Some(&0));
        high_zeros += usize::from(pair.last() == Some(&0));
    }
    let (many, few) = (count / 3, count / 100);
    match (low_zeros, high_zeros) {
        _ if count < 4 => None,
        (low, high) if high > many && low <= few => Some(UTF_16LE),
        (low, high) if low > many && high <= few => Some(UTF_16BE),
        _ => None,
    }
}

#[derive(Debug, Clone, Copy)]
enum CodePage {
    Named(&'static str, &'static Encoding),
    Table(&'static str, &'static [char; 128]),
}

impl CodePage {
    fn decode<'a>(&self, bytes: &'a [u8]) -> Cow<'a, str> {
        match self {
            Self::Named(_, encoding) => encoding.decode_without_bom_handling(bytes).0,
            Self::Table(_, table) => decode_string_complete_table(bytes, table).into(),
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Named(name, _) | Self::Table(name, _) => name,
        }
    }
}

/// From the most to the least particular: of two that fit as well, the first is taken.
const CODE_PAGES: [CodePage; 6] = [
    CodePage::Named("932", SHIFT_JIS),
    CodePage::Named("866", IBM866),
    CodePage::Named("1251", WINDOWS_1251),
    CodePage::Table("850", &DECODING_TABLE_CP850),
    CodePage::Table("437", &DECODING_TABLE_CP437),
    CodePage::Named("1252", WINDOWS_1252),
];

fn in_code_page(bytes: &[u8]) -> Decoded<'_> {
    let sample = sample(bytes);
    let mut best: Option<(i64, CodePage)> = None;
    for page in CODE_PAGES {
        let score = plausibility(&page.decode(&sample));
        if score > best.map_or(0, |(score, _)| score) {
            best = Some((score, page));
        }
    }
    match best {
        Some((_, page)) => Decoded {
            text: page.decode(bytes),
            note: Some(format!("its code page is not named: read as {}, by its letters", page.name())),
        },
        None => {
            let known = |byte: &u8| if byte.is_ascii() { char::from(*byte) } else { char::REPLACEMENT_CHARACTER };
            let text: String = bytes.iter().map(known).collect();
            let note = "its code page is not known: letters outside of ASCII are shown as \u{fffd}".to_owned();
            Decoded { text: text.into(), note: Some(note) }
        }
    }
}

/// The first lines with bytes outside of ASCII.
fn sample(bytes: &[u8]) -> Vec<u8> {
    let mut sample = Vec::new();
    for line in bytes.split_inclusive(|byte| *byte == b'\n').filter(|line| !line.is_ascii()) {
        let left = SAMPLE_BYTES.saturating_sub(sample.len());
        sample.extend(line.iter().take(left));
        if left == 0 {
            break;
        }
    }
    sample
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Script {
    Latin,
    Cyrillic,
    Kana,
    Han,
    /// No letter.
    None,
    /// What no tool prints.
    Odd,
}

impl Script {
    fn of(character: char) -> Self {
        match character {
            'a'..='z' | 'A'..='Z' => Self::Latin,
            '\u{C0}'..='\u{D6}' | '\u{D8}'..='\u{F6}' | '\u{F8}'..='\u{FF}' | 'ı' | 'Œ' | 'œ' => Self::Latin,
            'А'..='я' | 'Ё' | 'ё' => Self::Cyrillic,
            '\u{3041}'..='\u{30FF}' => Self::Kana,
            '\u{4E00}'..='\u{9FFF}' => Self::Han,
            '\0'..='\u{7F}'
            | '«'
            | '»'
            | '¿'
            | '¡'
            | '©'
            | '®'
            | '°'
            | '–'
            | '’'
            | '“'
            | '”'
            | '…'
            | '№'
            | '\u{A0}' => Self::None,
            '\u{3000}'..='\u{3040}' | '\u{FF01}'..='\u{FF5E}' => Self::None,
            _ => Self::Odd,
        }
    }
}

/// Letters that the Western languages of Windows use more than others.
const COMMON: &str = "äöüßÄÖÜéèêàçâîôûÉÀñáíóúãõåæøÅÆØ";

/// How much a text looks like words: letters outside of ASCII count for it where they stand in a word of their script, and
/// against it where they stand alone, break the case of a word, or are no letters.
fn plausibility(text: &str) -> i64 {
    let mut score = 0;
    let mut before = ' ';
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let after = characters.peek().copied().unwrap_or(' ');
        let fits = |near: char| Script::of(near) == Script::of(character);
        let is_japanese = |near: char| matches!(Script::of(near), Script::Kana | Script::Han);
        if !character.is_ascii() {
            score += match Script::of(character) {
                Script::Latin if breaks_case(before, character, after) => -2,
                // No Western word has such letters alone.
                Script::Latin if !before.is_ascii_alphabetic() && !after.is_ascii_alphabetic() => -2,
                Script::Latin => 2 + i64::from(COMMON.contains(character)),
                Script::Cyrillic if breaks_case(before, character, after) => -2,
                Script::Cyrillic if fits(before) || fits(after) => 2,
                // Two bytes each: they count twice.
                Script::Kana if is_japanese(before) || is_japanese(after) => 5,
                Script::Han if is_japanese(before) || is_japanese(after) => 2,
                Script::None => 0,
                Script::Cyrillic | Script::Kana | Script::Han => -2,
                Script::Odd => -3,
            };
        }
        before = character;
    }
    score
}

/// A capital behind a small letter, or a small letter between capitals.
fn breaks_case(before: char, character: char, after: char) -> bool {
    if character.is_uppercase() { before.is_lowercase() } else { before.is_uppercase() && after.is_uppercase() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> (String, Option<String>) {
        let decoded = decode_text(bytes);
        (decoded.text.into_owned(), decoded.note)
    }

    fn guessed(page: &str) -> Option<String> {
        Some(format!("its code page is not named: read as {page}, by its letters"))
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
        assert_eq!(read(&little), (text.to_owned(), Some("read as UTF-16LE, which it does not say".to_owned())));
        assert_eq!(read(&big), (text.to_owned(), Some("read as UTF-16BE, which it does not say".to_owned())));
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
}
