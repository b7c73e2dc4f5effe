//! Text that somebody copied out of a web page or a mail together with what the page puts into it: blanks that may not break,
//! characters by name, ends of lines as tags.

use std::borrow::Cow;

/// Blanks that web pages, mail and French number formats put where no line may break.
const KEPT_TOGETHER: [char; 3] = ['\u{a0}', '\u{2007}', '\u{202f}'];

/// Begins a sequence for a console.
const ESCAPE: char = '\u{1b}';

/// Characters by their names; the sign that names begin with stands last.
const NAMED: [(&str, &str); 8] = [
    ("&gt;", ">"),
    ("&lt;", "<"),
    ("&nbsp;", " "),
    ("&#160;", " "),
    ("&quot;", "\""),
    ("&#39;", "'"),
    ("&#34;", "\""),
    ("&amp;", "&"),
];

/// Beginnings of documents whose own readers know what stands in them.
const DOCUMENTS: [&str; 5] = ["<table", "<TABLE", "<Objs", "<Event", "<?xml"];

/// Tags around text, in small letters. That of a line's end gives one where none is.
const TAGS: [&str; 8] = ["br", "p", "pre", "code", "div", "span", "tt", "blockquote"];

/// A tag is no longer than this.
const MAX_TAG: usize = 200;

/// A text as it was before it was pasted.
pub(super) fn as_printed(text: &str) -> Cow<'_, str> {
    let text: Cow<'_, str> =
        if text.contains(KEPT_TOGETHER) { text.replace(KEPT_TOGETHER, " ").into() } else { text.into() };
    let text = if text.contains(ESCAPE) { without_escapes(&text).into() } else { text };
    let text = if text.trim_start().starts_with("{\\rtf") { without_line_ends_of_rtf(&text).into() } else { text };
    let is_document = text.trim_start_matches('\u{feff}').trim_start().starts_with(['{', '['])
        || DOCUMENTS.iter().any(|beginning| text.contains(beginning));
    if is_document {
        return text;
    }
    let mut text = if text.contains('<') { without_tags(&text).map_or(text, Cow::from) } else { text };
    for (name, character) in NAMED {
        if text.contains(name) {
            text = text.replace(name, character).into();
        }
    }
    text
}

/// A text without what changes colours: `ESC [ 31 m`.
fn without_escapes(text: &str) -> String {
    let mut parts = text.split(ESCAPE);
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let behind = part.strip_prefix('[').map(|part| part.trim_start_matches(|c: char| matches!(c, '0'..='?')));
        let mut characters = behind.unwrap_or(part).chars();
        if behind.is_some() {
            characters.next();
        }
        plain.push_str(characters.as_str());
    }
    plain
}

/// Rich text, without the words that end its lines: what stands in them is as it was pasted.
fn without_line_ends_of_rtf(text: &str) -> String {
    let of_line = |line: &str| {
        let line = line.trim_end().trim_end_matches('}');
        let line = ["\\par", "\\line", "\\"].iter().find_map(|end| line.strip_suffix(end)).unwrap_or(line);
        format!("{line}\n")
    };
    // A brace at the beginning is one of JSON.
    text.lines().map(of_line).collect::<String>().trim_start().trim_start_matches('{').to_owned()
}

/// A text without tags; `None` where it has none.
fn without_tags(text: &str) -> Option<String> {
    let mut plain: Option<String> = None;
    let mut rest = text;
    let mut kept = 0;
    while let Some(at) = rest.get(kept..).and_then(|rest| rest.find('<')).map(|at| at + kept) {
        let behind = rest.get(at..).unwrap_or_default();
        let Some((name, end)) = tag(behind) else {
            kept = at + 1;
            continue;
        };
        let plain = plain.get_or_insert_default();
        plain.push_str(rest.get(..at).unwrap_or_default());
        rest = behind.get(end..).unwrap_or_default();
        kept = 0;
        if name == "br" && !rest.trim_start_matches([' ', '\r']).starts_with('\n') {
            plain.push('\n');
        }
    }
    if let Some(plain) = &mut plain {
        plain.push_str(rest);
    }
    plain
}

/// The name of the tag that a text begins with, and where it ends.
fn tag(text: &str) -> Option<(&'static str, usize)> {
    let end = text.bytes().take(MAX_TAG).position(|byte| matches!(byte, b'>' | b'\n'))?;
    let inner = text.get(1..end).filter(|_| text.as_bytes().get(end) == Some(&b'>'))?;
    let inner = inner.trim_start_matches('/').trim_end_matches(['/', ' ']);
    let name = inner.split(' ').next()?;
    let known = TAGS.iter().find(|known| name.eq_ignore_ascii_case(known))?;
    Some((known, end + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_page_puts_into_a_text_is_taken_out() {
        for (pasted, printed) in [
            ("a\u{a0}\u{202f}b", "a  b"),
            ("&gt; a&nbsp; b &amp;gt;", "> a  b &gt;"),
            ("<pre>a<br>\r\nb<br/>c</pre>\n", "a\r\nb\nc\n"),
            ("\u{1b}[32;1mId\u{1b}[0m 7\n", "Id 7\n"),
            ("{\\rtf1\\ansi\\pard\n a 7\\par\n b 8\\line\n c 9\\\n}\n", "\\rtf1\\ansi\\pard\n a 7\n b 8\n c 9\n\n"),
            ("<span class=\"x\">a</span>", "a"),
            ("a <snip> b <-- c > d\n", "a <snip> b <-- c > d\n"),
        ] {
            assert_eq!(as_printed(pasted), printed, "{pasted}");
        }
        for document in ["[{\"a\": \"&quot;\"}]", "<table><tr><td>a<br>b</td></tr></table>", "<Events>&lt;</Events>"] {
            assert_eq!(as_printed(document), document);
        }
    }
}
