//! Whether a text looks like words: what tells code pages apart.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Script {
    Latin,
    Cyrillic,
    Greek,
    Kana,
    Han,
    Hangul,
    /// No letter.
    None,
    /// What no tool prints.
    Odd,
}

impl Script {
    fn of(character: char) -> Self {
        match character {
            'a'..='z' | 'A'..='Z' => Self::Latin,
            '\u{C0}'..='\u{D6}' | '\u{D8}'..='\u{F6}' | '\u{F8}'..='\u{17F}' | '\u{218}'..='\u{21B}' => Self::Latin,
            'А'..='я' | 'Ё' | 'ё' | 'Є' | 'є' | 'І' | 'і' | 'Ї' | 'ї' | 'Ґ' | 'ґ' | 'Ў' | 'ў' => {
                Self::Cyrillic
            }
            'Ά' | '\u{388}'..='\u{3CE}' => Self::Greek,
            '\u{3041}'..='\u{30FF}' => Self::Kana,
            '\u{4E00}'..='\u{9FFF}' => Self::Han,
            '\u{AC00}'..='\u{D7A3}' => Self::Hangul,
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
            | '„'
            | '…'
            | '№'
            | '\u{A0}' => Self::None,
            '\u{3000}'..='\u{3040}' | '\u{FF01}'..='\u{FF5E}' => Self::None,
            _ => Self::Odd,
        }
    }
}

/// Letters outside of ASCII of languages that Windows is translated to, small ones. Source: the alphabets.
const LANGUAGES: [&str; 17] = [
    "äöüß",
    "éèêëàâçîïôûùüÿœ",
    "áéíóúüñ",
    "ãõáéíóúâêôàç",
    "àèéìòùí",
    "åäöéü",
    "åæøé",
    "áðéíóúýþæö",
    "éëïóöüèê",
    "ąćęłńóśźż",
    "áčďéěíňóřšťúůýž",
    "áäčďéíĺľňóôŕšťúýž",
    "áéíóöőúüű",
    "čćđšž",
    "ăâîșțşţ",
    "çğıiöşüâî",
    "áéíóúàèòç·ï",
];

/// Letters that the languages of Windows use more than others.
const COMMON: &str = "äöüßÄÖÜéèêàçâîôûÉÀñáíóúãåæøÅÆØąćęłńśźżŁŚŻčěřšžůťŠŽČŘőűŐŰşğıİŞ";

/// Words of the headings of these tools, in languages whose letters are few in them.
const WORDS: [&str; 22] = [
    "Conexões",
    "CONEXÕES",
    "połączenia",
    "Protokół",
    "NASŁUCHIWANIE",
    "Obsługa",
    "początkowy",
    "portów",
    "Aktivní",
    "připojení",
    "Místní",
    "Počáteční",
    "Název",
    "Állapot",
    "Bağlantılar",
    "Yerel Adres",
    "Başlangıç",
    "συνδέσεις",
    "Διεύθυνση",
    "θύρα",
    "Локальный",
    "Подключения",
];

/// What a known word is worth, in letters.
const WORD_WORTH: i64 = 10;

const COMMON_CYRILLIC: &str = "оеаинтсрвлкмдпОЕАИНТСРВЛКМДП";
const COMMON_GREEK: &str = "αοιετσνηυρπκμλςάέήίόΑΟΙΕΤΣΝΗΥΡΠΚΜΛ";

/// How much a text looks like words: letters outside of ASCII count for it where they stand in a word of their script, and
/// against it where they stand alone, break the case of a word, are no letters, or are of no one language.
pub(super) fn plausibility(text: &str) -> i64 {
    let mut score = 0;
    let mut before = ' ';
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let after = characters.peek().copied().unwrap_or(' ');
        let fits = |near: char| Script::of(near) == Script::of(character);
        let is_eastern = |near: char| matches!(Script::of(near), Script::Kana | Script::Han | Script::Hangul);
        if !character.is_ascii() {
            score += match Script::of(character) {
                Script::Latin if breaks_case(before, character, after) => -2,
                // No Western word has such letters alone.
                Script::Latin if !before.is_alphabetic() && !after.is_alphabetic() => -2,
                Script::Latin => 2 + i64::from(COMMON.contains(character)),
                Script::Cyrillic | Script::Greek if breaks_case(before, character, after) => -2,
                Script::Cyrillic if fits(before) || fits(after) => 2 + i64::from(COMMON_CYRILLIC.contains(character)),
                Script::Greek if fits(before) || fits(after) => 2 + i64::from(COMMON_GREEK.contains(character)),
                // Two bytes each: they count twice.
                Script::Kana if is_eastern(before) || is_eastern(after) => 5,
                Script::Hangul if is_eastern(before) || is_eastern(after) => 4,
                Script::Han if is_eastern(before) || is_eastern(after) => 4,
                Script::None => 0,
                Script::Cyrillic | Script::Greek | Script::Kana | Script::Han | Script::Hangul => -2,
                Script::Odd => -3,
            };
        }
        before = character;
    }
    score + language(text) + WORDS.iter().filter(|word| text.contains(*word)).count() as i64 * WORD_WORTH
}

/// Whether a text may be words: none of its characters is odd, and most are in place.
pub(super) fn makes_words(text: &str) -> bool {
    plausibility(text) >= 0 && !text.chars().any(is_odd)
}

/// Whether no tool prints the character.
pub(super) fn is_odd(character: char) -> bool {
    Script::of(character) == Script::Odd
}

/// Letters of the language that has most of them count for a text, those that it has not against it.
fn language(text: &str) -> i64 {
    let letters: Vec<char> = text
        .chars()
        .filter(|character| !character.is_ascii() && Script::of(*character) == Script::Latin)
        .filter_map(|character| character.to_lowercase().next())
        .collect();
    let known = |language: &&str| letters.iter().filter(|letter| language.contains(**letter)).count();
    let best = LANGUAGES.iter().map(known).max().unwrap_or(0);
    let foreign = letters.len().saturating_sub(best);
    i64::try_from(best).unwrap_or(0).saturating_sub(i64::try_from(foreign).unwrap_or(0).saturating_mul(2))
}

/// A capital behind a small letter, or a small letter between capitals, as in the names of states.
fn breaks_case(before: char, character: char, after: char) -> bool {
    let is_of_capitals = |near: char| near.is_uppercase() || near == '_';
    if character.is_uppercase() { before.is_lowercase() } else { before.is_uppercase() && is_of_capitals(after) }
}
