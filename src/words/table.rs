//! Columns that line up, for the text report.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// On which side of its column a text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// No column of words gets narrower than this.
const NARROWEST: usize = 8;

/// A table: headings, and rows of as many cells.
#[derive(Debug)]
pub(crate) struct Table {
    headings: Vec<(&'static str, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(headings: &[(&'static str, Align)]) -> Self {
        Self { headings: headings.to_vec(), rows: Vec::new() }
    }

    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// The lines, heading first, indented by two, none wider than `width` columns where there is one: columns of words give way.
    pub(crate) fn lines(&self, width: Option<usize>) -> Vec<String> {
        let mut widths: Vec<usize> = self.headings.iter().map(|(heading, _)| heading.width()).collect();
        for row in &self.rows {
            for (column, cell) in widths.iter_mut().zip(row) {
                *column = (*column).max(cell.width());
            }
        }
        let gaps = 2 * self.headings.len();
        // The widest column of words gives way, column by column, until the line fits.
        while width.is_some_and(|width| widths.iter().sum::<usize>() + gaps > width) {
            let words = widths.iter_mut().zip(&self.headings).filter(|(_, (_, align))| *align == Align::Left);
            match words.map(|(column, _)| column).max().filter(|column| **column > NARROWEST) {
                Some(widest) => *widest -= 1,
                None => break,
            }
        }
        let heading: Vec<String> = self.headings.iter().map(|(heading, _)| (*heading).to_owned()).collect();
        std::iter::once(&heading)
            .chain(&self.rows)
            .map(|row| {
                let mut line = String::new();
                for ((cell, column), (_, align)) in row.iter().zip(&widths).zip(&self.headings) {
                    let cell = cut(cell, *column);
                    let fill = " ".repeat(column.saturating_sub(cell.width()));
                    line.push_str("  ");
                    match align {
                        Align::Left => line.extend([cell, fill]),
                        Align::Right => line.extend([fill, cell]),
                    }
                }
                line.trim_end().to_owned()
            })
            .collect()
    }
}

/// `text` in at most `width` columns, with an ellipsis where it was cut.
pub(crate) fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut used = 1;
    for character in text.chars() {
        used += character.width().unwrap_or(0);
        if used > width {
            break;
        }
        kept.push(character);
    }
    kept.push('…');
    kept
}

/// Units that stay on the line of their number.
const UNITS: [&str; 6] = ["%", "ms", "s", "min", "h", "d"];

/// The words of a text, a number with its unit as one.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let is_unit = UNITS.contains(&word.trim_end_matches(|c: char| c.is_ascii_punctuation() && c != '%'));
        match words.last_mut().filter(|last| is_unit && last.ends_with(|c: char| c.is_ascii_digit())) {
            Some(last) => {
                last.push(' ');
                last.push_str(word);
            }
            None => words.push(word.to_owned()),
        }
    }
    words
}

/// `text` in lines of at most `width` columns, broken at blanks but not between a number and its unit: the first indented by
/// `first`, the others by `rest`.
pub(crate) fn wrap(text: &str, width: usize, first: usize, rest: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = " ".repeat(first);
    let mut is_empty = true;
    for word in words(text).iter().flat_map(|word| pieces(word, width.saturating_sub(first.max(rest)))) {
        if !is_empty && line.width() + 1 + word.width() > width {
            lines.push(std::mem::replace(&mut line, " ".repeat(rest)));
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line.push_str(&word);
        is_empty = false;
    }
    lines.push(line);
    lines
}

/// A command to paste: one unbroken line, however long.
pub(crate) fn command_line(command: &str) -> String {
    format!("    {command}")
}

/// A word in pieces of at most `width` columns.
fn pieces(word: &str, width: usize) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let mut used = 0;
    for character in word.chars() {
        let columns = character.width().unwrap_or(0);
        if used + columns > width.max(1) {
            pieces.push(String::new());
            used = 0;
        }
        used += columns;
        if let Some(piece) = pieces.last_mut() {
            piece.push(character);
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_of_words_give_way() {
        let mut table = Table::new(&[("process", Align::Left), ("PID", Align::Right)]);
        table.row(vec!["a-process-with-a-very-long-name.exe".to_owned(), "7".to_owned()]);
        table.row(vec!["日本語.exe".to_owned(), "1234".to_owned()]);
        let lines = table.lines(Some(30));
        assert_eq!(lines[0], "  process                  PID");
        assert_eq!(lines[1], "  a-process-with-a-very…     7");
        assert_eq!(lines[2], "  日本語.exe              1234");
        assert!(lines.iter().all(|line| line.width() <= 30));
        assert_eq!(
            table.lines(None)[1],
            "  a-process-with-a-very-long-name.exe     7",
            "nothing is cut without a width"
        );
    }

    #[test]
    fn wrapping_breaks_words_only_where_they_do_not_fit() {
        assert_eq!(wrap("one two three", 9, 2, 4), ["  one two", "    three"]);
        assert_eq!(wrap("it took 59.6 s.", 12, 0, 0), ["it took", "59.6 s."]);
        assert_eq!(wrap("all of it (99.5 %).", 16, 0, 0), ["all of it", "(99.5 %)."]);
        assert_eq!(wrap("a-word-too-long b", 8, 0, 2), ["a-word", "  -too-l", "  ong b"]);
    }
}
