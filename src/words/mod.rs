//! What all faces print alike: text that is safe to show, numbers, tables, what the system says.

pub mod pseudonyms;
pub mod table;
pub mod windows_services;

use std::io;

/// Text from a trace or side file as it may be shown: control characters and those that turn the writing direction are
/// spelled out, so that no name can move the cursor, colour the screen or hide a part of itself.
pub fn shown(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for character in text.chars() {
        let turns_direction = matches!(
            character,
            '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}'
        );
        if character.is_control() || turns_direction {
            clean.extend(character.escape_unicode());
        } else {
            clean.push(character);
        }
    }
    clean
}

/// The text in ASCII alone: signs of the layout become their nearest, letters of names are spelled out.
pub fn ascii(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '–' | '—' => plain.push('-'),
            '…' => plain.push_str("..."),
            '·' => plain.push('.'),
            // Heights of one column, in eighths.
            '▁' => plain.push('_'),
            '▂' => plain.push(','),
            '▃' => plain.push('-'),
            '▄' => plain.push('~'),
            '▅' => plain.push('='),
            '▆' => plain.push('+'),
            '▇' => plain.push('*'),
            '█' => plain.push('#'),
            _ if character.is_ascii() => plain.push(character),
            _ => plain.extend(character.escape_unicode()),
        }
    }
    plain
}

/// Name of a Windows version by its build number, as far as the number tells.
pub fn windows_name(build: u32) -> Option<&'static str> {
    Some(match build {
        2195 => "Windows 2000",
        2600 => "Windows XP",
        3790 => "Windows Server 2003",
        6000..=6003 => "Windows Vista or Server 2008",
        7600 | 7601 => "Windows 7 or Server 2008 R2",
        9200 => "Windows 8 or Server 2012",
        9600 => "Windows 8.1 or Server 2012 R2",
        14393 => "Windows 10 or Server 2016",
        17763 => "Windows 10 or Server 2019",
        10240..=19999 => "Windows 10",
        20348 => "Windows Server 2022",
        26100 => "Windows 11 or Server 2025",
        22000..=29999 => "Windows 11",
        _ => return None,
    })
}

/// `1 bind`, `2 binds`, `1,234 binds`, `2 addresses`.
pub fn counted(count: u64, noun: &str) -> String {
    let plural = match count {
        1 => "",
        _ if noun.ends_with('s') => "es",
        _ => "s",
    };
    format!("{} {noun}{plural}", grouped(count))
}

/// With a comma between groups of three digits.
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// What the system says, without the number that Rust appends.
pub fn system_message(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file or folder".to_owned(),
        io::ErrorKind::PermissionDenied => "access denied".to_owned(),
        _ => {
            let text = error.to_string();
            text.split(" (os error").next().unwrap_or(&text).to_lowercase()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ascii_has_a_sign_for_each_of_the_layout() {
        assert_eq!(ascii("49152–65535 · ▁▄█… é"), "49152-65535 . _~#... \\u{e9}");
    }

    #[test]
    fn names_cannot_steer_a_terminal() {
        assert_eq!(shown("a\u{1b}[31mb\r\nc"), "a\\u{1b}[31mb\\u{d}\\u{a}c");
        assert_eq!(shown("exe\u{202e}fdp"), "exe\\u{202e}fdp");
        assert_eq!(shown("café 日本"), "café 日本");
    }
}
