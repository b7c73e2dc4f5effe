//! What a text says that holds nothing to use: mostly why the tool that wrote it could not do what it was asked for.

use super::columns::Column;
use super::decode_text_as;
use super::lines::{Lines, is_prompt};
use super::text::NamedEncoding;

/// More lines than this are no message.
const MAX_LINES: usize = 12;

/// So much of the first line is told.
const MAX_CHARACTERS: usize = 200;

/// What a short text says, or that it holds a heading and no rows; `None` for other text.
pub fn what_it_says(bytes: &[u8], encoding: Option<NamedEncoding>) -> Option<String> {
    let decoded = decode_text_as(bytes, encoding);
    let lines: Vec<&str> = Lines::new(&decoded.text)
        .map(|line| line.trimmed())
        .filter(|line| line.contains(char::is_alphanumeric) && !is_prompt(line))
        .take(MAX_LINES + 1)
        .collect();
    let (Some(first), Some(last)) = (lines.first(), lines.last()) else { return Some("it is blank".to_owned()) };
    if lines.len() > MAX_LINES {
        return None;
    }
    if is_heading(last) {
        return Some("it has a heading and no rows: it lists no socket and no process".to_owned());
    }
    let said: String = first.chars().take(MAX_CHARACTERS).collect();
    Some(format!("it says: \u{201c}{said}\u{201d}"))
}

/// The names of columns alone: of a PID among others, in whatever language.
fn is_heading(line: &str) -> bool {
    let words: Vec<&str> = line
        .split(['\t', ',', ';', '|', ' '])
        .map(|word| word.trim_matches('"'))
        .filter(|word| !word.is_empty())
        .collect();
    let has_number = words.iter().any(|word| word.contains(|c: char| c.is_ascii_digit()));
    let names = words.iter().filter(|word| Column::named(word) != Column::Other).count();
    let ends_with_pid = words.last().is_some_and(|word| word.eq_ignore_ascii_case("pid"));
    words.len() >= 3 && !has_number && (ends_with_pid || names * 2 >= words.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_and_headings() {
        let says = |text: &str| what_it_says(text.as_bytes(), None);
        assert_eq!(
            says("The requested operation requires elevation.\r\n").unwrap(),
            "it says: “The requested operation requires elevation.”"
        );
        let heading =
            "\nAktive Verbindungen\n\n  Proto  Lokale Adresse         Remoteadresse          Status           PID\n";
        assert!(says(heading).unwrap().contains("no rows"));
        assert!(
            says("LocalAddress LocalPort OwningProcess\n------------ --------- -------------\n")
                .unwrap()
                .contains("no rows")
        );
        assert_eq!(says("").unwrap(), "it is blank");
        // What was typed is not what the tool says.
        assert_eq!(
            says("C:\\>netstat -b\nThe requested operation requires elevation.\n"),
            says("The requested operation requires elevation.")
        );
        assert_eq!(says(&"a line\n".repeat(20)), None);
    }
}
