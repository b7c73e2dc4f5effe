//! Where the encoding of a file changes.

use std::ops::Range;

use encoding_rs::{Encoding, UTF_16BE, UTF_16LE};

use super::language::{is_odd, makes_words, plausibility};
use super::pages::{CodePage, guess, sample};

/// So many characters show whether they are UTF-16.
const PROBE_CHARACTERS: usize = 24;

/// So many bytes behind a line of UTF-16 that are all ASCII are no UTF-16.
const NARROW_PROBE: usize = 16;

/// So many bytes that are valid UTF-8 are no UTF-16.
const NARROW_TEXT: usize = 8;

/// Stretches of a file; one that has more has what is left in the last.
const MAX_STRETCHES: usize = 1024;

/// How the bytes of a stretch make characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// Two bytes each.
    Wide(&'static Encoding),
    /// UTF-8, or a code page.
    Narrow,
}

/// Bytes that are decoded in one way.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stretch<'a> {
    /// Without its mark.
    pub(super) bytes: &'a [u8],
    pub(super) shape: Shape,
    /// A byte order mark stands before it.
    pub(super) is_marked: bool,
}

/// The stretches of a file: narrow ones and those of UTF-16.
pub(super) fn stretches(bytes: &[u8]) -> Vec<Stretch<'_>> {
    let mut found: Vec<Stretch<'_>> = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let rest = bytes.get(at..).unwrap_or_default();
        let (mark, shape, is_marked) = match Encoding::for_bom(rest) {
            Some((encoding, mark)) if encoding == UTF_16LE || encoding == UTF_16BE => {
                (mark, Shape::Wide(encoding), true)
            }
            Some((_, mark)) => (mark, Shape::Narrow, true),
            None => match wide_here(rest) {
                Some(encoding) => (0, Shape::Wide(encoding), false),
                None => (0, Shape::Narrow, false),
            },
        };
        let body = rest.get(mark..).unwrap_or_default();
        let length = match shape {
            _ if found.len() + 1 >= MAX_STRETCHES => body.len(),
            Shape::Wide(encoding) => end_of_wide(body, encoding),
            Shape::Narrow => end_of_narrow(body),
        };
        found.push(Stretch { bytes: body.get(..length).unwrap_or(body), shape, is_marked });
        // A stretch that ends where it begins cannot be: a byte is taken in any case.
        at = at.saturating_add(mark).saturating_add(length.max(usize::from(mark == 0)));
    }
    found
}

/// Whether UTF-16 begins at the first byte: text of tools is ASCII for the most part, so that every second byte is zero.
fn wide_here(bytes: &[u8]) -> Option<&'static Encoding> {
    // The first zero decides: it is in the upper half of a character.
    let line_end = bytes.iter().take(512).position(|byte| *byte == 0)?;
    let before = bytes.get(..line_end).unwrap_or_default();
    // What stands before must be characters of two bytes, none of them ASCII and none a line end of another encoding.
    let is_layout = before.windows(2).any(|pair| pair == b"\r\n" || pair == b"  " || pair == b"\n\n");
    // The upper halves of Greek and Cyrillic characters are controls.
    let is_plain = |text: &str| !text.chars().any(|c| c.is_control() && !matches!(c, '\t' | '\r' | '\n'));
    if is_layout || (before.len() >= NARROW_TEXT && std::str::from_utf8(before).is_ok_and(is_plain)) {
        return None;
    }
    let (start, encoding) = if line_end % 2 == 1 { (line_end - 1, UTF_16LE) } else { (line_end, UTF_16BE) };
    let before = bytes.get(..start).unwrap_or_default();
    if before.len() > 1 && before.is_ascii() && std::str::from_utf8(before).is_ok_and(is_plain) {
        return None;
    }
    is_wide(bytes.get(start..).unwrap_or_default(), encoding).then_some(encoding)
}

/// Whether the characters that begin here are text in UTF-16, ASCII among them.
fn is_wide(bytes: &[u8], encoding: &'static Encoding) -> bool {
    let (mut ascii, mut odd, mut all) = (0_usize, 0_usize, 0_usize);
    for pair in bytes.chunks_exact(2).take(PROBE_CHARACTERS) {
        let (low, high) = match pair {
            [low, high] if encoding == UTF_16LE => (*low, *high),
            [high, low] => (*low, *high),
            _ => continue,
        };
        let unit = u16::from_be_bytes([high, low]);
        let is_ascii = matches!(unit, 0x20..=0x7E | 0x9 | 0xA | 0xD);
        all += 1;
        ascii += usize::from(is_ascii);
        odd += usize::from(!is_ascii && char::from_u32(unit.into()).is_none_or(|c| c.is_control() || is_odd(c)));
    }
    ascii >= 2 && odd * 10 <= all
}

/// Where UTF-16 begins in bytes that are narrow at first: at the beginning of the line that holds the first zero.
fn end_of_narrow(bytes: &[u8]) -> usize {
    let mut from = 1;
    while let Some(zero) = bytes.get(from..).and_then(|rest| rest.iter().position(|byte| *byte == 0)) {
        let zero = from + zero;
        let line = bytes.get(..zero).unwrap_or_default();
        // In UTF-16BE the byte before the line end is a zero, and it would have been found.
        let start = line.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        // A blank line in front of the zero is one in UTF-16LE, which is far more usual than the other order.
        let is_line_end = start == zero && start > 1;
        if is_line_end && is_wide(bytes.get(start - 1..).unwrap_or_default(), UTF_16LE) {
            return start - 1;
        }
        let rest = bytes.get(start..).unwrap_or_default();
        let is_marked = rest.starts_with(b"\xff\xfe") || rest.starts_with(b"\xfe\xff");
        if start > 0 && (is_marked || wide_here(rest).is_some()) {
            return start;
        }
        // No line end before it: the first character of UTF-16 stands right before its zero.
        let close = zero.saturating_sub(1);
        if is_wide(bytes.get(close..).unwrap_or_default(), UTF_16LE) && close > 0 {
            let has_mark = close >= 2 && bytes.get(close - 2..close) == Some(b"\xff\xfe");
            return if has_mark && close > 2 { close - 2 } else { close };
        }
        from = zero + 1;
    }
    bytes.len()
}

/// Where UTF-16 ends: behind a line end, where what follows is ASCII.
fn end_of_wide(bytes: &[u8], encoding: &'static Encoding) -> usize {
    let line_end: [u8; 2] = if encoding == UTF_16LE { [b'\n', 0] } else { [0, b'\n'] };
    for (number, pair) in bytes.chunks_exact(2).enumerate() {
        if pair != line_end {
            continue;
        }
        let end = (number + 1) * 2;
        let next = bytes.get(end..).unwrap_or_default();
        let next = next.get(..NARROW_PROBE).unwrap_or(next);
        let is_text = |byte: &u8| matches!(byte, b' '..=b'~' | b'\r' | b'\n' | b'\t');
        let is_narrow = next.starts_with(b"\r\n") || (next.len() >= 4 && next.iter().all(is_text));
        if is_narrow || next.starts_with(b"\xef\xbb\xbf") {
            return end;
        }
    }
    bytes.len()
}

/// Lines in one encoding.
pub(super) struct Part<'a> {
    pub(super) bytes: &'a [u8],
    /// The code page; `None` where they are UTF-8, or where no page makes words of them.
    pub(super) page: Option<CodePage>,
}

/// Splits bytes that as a whole are no UTF-8 into lines that are, and lines of code pages.
pub(super) fn of_pages(bytes: &[u8]) -> Vec<Part<'_>> {
    let mut parts: Vec<(Range<usize>, Option<CodePage>)> = Vec::new();
    let is_utf8 = |line: &[u8]| std::str::from_utf8(line).is_ok_and(|text| plausibility(text) > 0);
    for run in runs(bytes, 0..bytes.len(), is_utf8) {
        let here = bytes.get(run.clone()).unwrap_or_default();
        let page = if std::str::from_utf8(here).is_ok() { None } else { guess(&sample(here)) };
        let Some(first) = page else {
            parts.push((run, None));
            continue;
        };
        // Lines that the page of most makes no words of may be of another.
        for run in runs(bytes, run, |line| makes_words(&first.decode(line))) {
            let lines = sample(bytes.get(run.clone()).unwrap_or_default());
            let fits = makes_words(&first.decode(&lines));
            let other = || guess(&lines).filter(|other| is_better(*other, first, &lines)).unwrap_or(first);
            let page = Some(if fits { first } else { other() });
            match parts.last_mut() {
                Some((last, known)) if *known == page && last.end == run.start => last.end = run.end,
                _ => parts.push((run, page)),
            }
        }
    }
    parts.into_iter().map(|(range, page)| Part { bytes: bytes.get(range).unwrap_or_default(), page }).collect()
}

/// Whether a page makes far more words of lines than another.
fn is_better(page: CodePage, other: CodePage, lines: &[u8]) -> bool {
    plausibility(&page.decode(lines)) > plausibility(&other.decode(lines)).saturating_mul(2)
}

/// Lines side by side that `is` says the same of; ASCII belongs to what stands before it.
fn runs(bytes: &[u8], range: Range<usize>, is: impl Fn(&[u8]) -> bool) -> Vec<Range<usize>> {
    let mut runs = Vec::new();
    let mut kind: Option<bool> = None;
    let (mut start, mut at) = (range.start, range.start);
    for line in bytes.get(range.clone()).unwrap_or_default().split_inclusive(|byte| *byte == b'\n') {
        if !line.is_ascii() {
            let here = is(line);
            if kind.is_some_and(|kind| kind != here) && runs.len() < MAX_STRETCHES {
                runs.push(start..at);
                start = at;
            }
            kind = Some(here);
        }
        at += line.len();
    }
    if start < range.end {
        runs.push(start..range.end);
    }
    runs
}
