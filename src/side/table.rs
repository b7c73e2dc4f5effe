//! Tables as text: where the columns stand, by the rule below the heading, by the heading itself, or by separators.

use unicode_width::UnicodeWidthChar;

use super::columns::Column;
use super::lines::{Line, Lines, is_prompt};

/// Separators of lists, the most particular first: those of Markdown, of programs that save tables, and of `Export-Csv`
/// (the default, and that of `-UseCulture` in much of Europe).
const SEPARATORS: [u8; 4] = [b'|', b'\t', b';', b','];

/// A heading may have so many columns; that of `Get-Process | Export-Csv` has 68.
const MAX_COLUMNS: usize = 1024;

/// A row may have so many lines; titles of windows and descriptions of services have a few.
const MAX_LINES_OF_ROW: usize = 32;

/// For reading a row in one piece. One of `Get-Process` has about 1,500 bytes.
const MAX_BUFFER: usize = 8 << 10;

/// Words of a heading that are one name: `Local Address`, `T or U`.
const MAX_WORDS_OF_NAME: usize = 3;

/// First and last position of a column's rule, the last not in it.
type Span = (usize, usize);

/// How a row is cut into cells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Form {
    /// By positions.
    Positions(Vec<Span>),
    /// By words, one for each column: the heading was broken in two, and its rows with it.
    Words,
    /// By a separator.
    Separated(u8),
}

/// The heading of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Heading {
    pub(super) columns: Vec<Column>,
    pub(super) form: Form,
    /// Rows may have more cells.
    pub(super) is_open: bool,
}

impl Heading {
    /// The heading that a line is, and the lines behind it and its rule. Two of its columns are known at least.
    pub(super) fn at<'t>(line: Line<'t>, behind: Lines<'t>) -> Option<(Self, Lines<'t>)> {
        let (mut heading, behind) = Self::named(line, behind)?;
        Column::settle(&mut heading.columns);
        Some((heading, behind))
    }

    fn named<'t>(line: Line<'t>, behind: Lines<'t>) -> Option<(Self, Lines<'t>)> {
        let text = line.text;
        if !may_be_heading(text) || is_prompt(text) {
            return None;
        }
        for separator in SEPARATORS.into_iter().filter(|separator| text.as_bytes().contains(separator)) {
            let columns: Vec<Column> =
                split(text, separator).take(MAX_COLUMNS).map(|name| Column::named(name.trim_matches('"'))).collect();
            if known(&columns) >= 2 {
                let form = Form::Separated(separator);
                return Some((Self { columns, form, is_open: false }, behind));
            }
        }
        let mut after_rule = behind;
        let below = after_rule.find(|line| !line.is_blank());
        // That of `tasklist`, whose reader knows it in all languages.
        if below.is_some_and(|line| line.text.trim_start().starts_with("==")) {
            return None;
        }
        if let Some(rest) = below.and_then(|line| all_names(line.text))
            && let Some(mut columns) = all_names(text)
        {
            columns.extend(rest);
            return Some((Self { columns, form: Form::Words, is_open: false }, after_rule));
        }
        // One rule below all columns tells nothing of them.
        let spans = below.and_then(|line| rule(line.text));
        let behind = if spans.as_ref().is_some_and(|spans| spans.len() == 1) { after_rule } else { behind };
        if let Some(spans) = spans.filter(|spans| spans.len() > 1) {
            let columns: Vec<Column> = spans.iter().map(|span| Column::named(&at_positions(text, *span))).collect();
            let form = Form::Positions(spans);
            return (known(&columns) >= 2).then_some((Self { columns, form, is_open: false }, after_rule));
        }
        // A console breaks names that are wider than their columns: the rest stands below.
        if let Some(rest) = below.filter(|line| !is_rule(line.text))
            && let mut after_second = after_rule
            && let Some(spans) = after_second.next().and_then(|line| rule(line.text)).filter(|spans| spans.len() > 1)
            && cells_at(rest.text, &spans).is_some()
        {
            // Below a title, the heading stands whole.
            let whole: Vec<Column> = spans.iter().map(|span| Column::named(&at_positions(rest.text, *span))).collect();
            if known(&whole) >= 2 {
                return None;
            }
            let named = |span: &Span| at_positions(text, *span) + &at_positions(rest.text, *span);
            let columns: Vec<Column> = spans.iter().map(|span| Column::named(&named(span))).collect();
            let form = Form::Positions(spans);
            return (known(&columns) >= 2).then_some((Self { columns, form, is_open: false }, after_second));
        }
        let (mut columns, spans) = by_words(text)?;
        Column::settle(&mut columns);
        // Words of a sentence are no columns. Those of wmic's processes stand apart, whatever they are.
        let is_all = columns.len() >= 2 && !columns.contains(&Column::Other);
        let stand_apart = spans.windows(2).all(|pair| matches!(pair, [(_, end), (next, _)] if next - end >= 2));
        let is_of_processes = stand_apart && columns.contains(&Column::Pid) && columns.contains(&Column::Name);
        (is_all || is_of_processes).then_some((Self { columns, form: Form::Positions(spans), is_open: false }, behind))
    }

    /// Whether it is that of `netstat`, whose rows tell themselves.
    pub(super) fn is_of_netstat(&self) -> bool {
        let starts = self.columns.starts_with(&[Column::Protocol, Column::LocalAddress, Column::RemoteAddress]);
        // A console has broken the heading, and the rows below it, in two.
        let is_half = self.columns == [Column::Protocol, Column::LocalAddress];
        (starts || is_half) && !matches!(self.form, Form::Separated(b',' | b';'))
    }

    /// Whether it is that of `tasklist /fo csv`, whose reader knows it in all languages.
    pub(super) fn is_of_tasklist(&self, line: &str) -> bool {
        self.form == Form::Separated(b',')
            && line.trim_start().starts_with('"')
            && self.columns.starts_with(&[Column::ProcessName, Column::Pid])
            && match self.columns.get(2..).unwrap_or_default() {
                [third] => matches!(third, Column::Services | Column::Modules),
                rest => rest.len() >= 3 && !rest.contains(&Column::LocalPort) && !rest.contains(&Column::Protocol),
            }
    }

    /// A heading for rows without one.
    pub(super) fn without(columns: Vec<Column>, separator: u8) -> Self {
        Self { columns, form: Form::Separated(separator), is_open: true }
    }
}

/// The columns that a line names, where all of its words are names of columns.
fn all_names(line: &str) -> Option<Vec<Column>> {
    let is_names = !line.contains(|c: char| c.is_ascii_digit() || matches!(c, ',' | ';' | '|' | '\t' | ':'));
    let (columns, _) = by_words(line).filter(|_| is_names)?;
    (!columns.is_empty() && !columns.contains(&Column::Other)).then_some(columns)
}

fn known(columns: &[Column]) -> usize {
    columns.iter().filter(|column| **column != Column::Other).count()
}

/// A quick look: most lines of most files are no heading.
fn may_be_heading(line: &str) -> bool {
    let line = line.trim_start_matches(['"', '|', ' ', '\t']);
    // Rows of numbers, and lines of a few words, are most of all lines.
    line.starts_with(|c: char| c.is_alphabetic() || c == '#')
        && line.contains([' ', ',', ';', '|', '\t'])
        && [
            "ort", "PID", "Pid", "pid", "Id", "ID", "Count", "COUNT", "count", "andle", "rocess", "Use", "Setting",
            "etting", "roto",
        ]
        .iter()
        .any(|part| line.contains(part))
}

/// The spans of a rule of `-` or `=`, as it stands below a heading.
pub(super) fn rule(line: &str) -> Option<Vec<Span>> {
    let line = line.trim_end();
    let mark = line.trim_start().chars().next().filter(|mark| matches!(mark, '-' | '='))?;
    if !line.chars().all(|c| c == mark || c == ' ') {
        return None;
    }
    let mut spans: Vec<Span> = Vec::new();
    let mut start = None;
    for (at, character) in line.chars().chain([' ']).enumerate() {
        match (character == mark, start) {
            (true, None) => start = Some(at),
            (false, Some(from)) => {
                spans.push((from, at));
                start = None;
            }
            _ => {}
        }
    }
    Some(spans)
}

/// Whether a line is made of the signs that rules have.
pub(super) fn is_rule(line: &str) -> bool {
    let line = line.trim();
    line.len() >= 2
        && line.chars().all(|c| matches!(c, '-' | '=' | ' ' | '|' | ':' | '+' | '_' | '*' | '\t' | '─' | '—'))
        && line.contains(['-', '=', '_', '*', '─', '—'])
}

fn at_positions(line: &str, (from, to): Span) -> String {
    line.chars().skip(from).take(to.saturating_sub(from)).collect::<String>().trim().to_owned()
}

/// Columns and their spans by the words of a heading; words that are a name together count as one.
fn by_words(line: &str) -> Option<(Vec<Column>, Vec<Span>)> {
    let mut words: Vec<Span> = Vec::new();
    let characters: Vec<char> = line.chars().collect();
    let mut start = None;
    for (at, character) in characters.iter().copied().chain([' ']).enumerate() {
        match (character.is_whitespace(), start) {
            (false, None) => start = Some(at),
            (true, Some(from)) => {
                words.push((from, at));
                start = None;
            }
            _ => {}
        }
        if words.len() > 32 {
            return None;
        }
    }
    let (mut columns, mut spans) = (Vec::new(), Vec::new());
    let mut rest = words.as_slice();
    while let [first, ..] = rest {
        let named = (1..=MAX_WORDS_OF_NAME.min(rest.len())).rev().find_map(|count| {
            let (_, to) = *rest.get(count - 1)?;
            let name: String = characters.get(first.0..to)?.iter().collect();
            let column = Column::named(&name);
            (column != Column::Other).then_some((column, (first.0, to), count))
        });
        let (column, span, count) = named.unwrap_or((Column::Other, *first, 1));
        columns.push(column);
        spans.push(span);
        rest = rest.get(count..).unwrap_or_default();
    }
    Some((columns, spans))
}

/// Cells between separators; those of Markdown stand between bars at both ends.
pub(super) fn split(line: &str, separator: u8) -> impl Iterator<Item = &str> {
    let line = if separator == b'|' { line.trim().trim_start_matches('|').trim_end_matches('|') } else { line };
    line.split(char::from(separator))
}

/// The cells of a row by the positions of its columns; `None` where a cell reaches into the next.
///
/// A rule is as wide as the heading, and cells may be wider: text that stands right before the next column's rule without a
/// blank between belongs to that column, other text between two rules to the column before.
pub(super) fn cells_at<'l>(line: &'l str, spans: &[Span]) -> Option<Vec<&'l str>> {
    if line.is_ascii() {
        let is_blank = |at: usize| line.as_bytes().get(at).is_none_or(|byte| byte.is_ascii_whitespace());
        return cut(line, spans, line.len(), is_blank, |at| at);
    }
    // A console gives two columns to characters of East Asia, a file one.
    [false, true].into_iter().find_map(|wide| {
        let mut offsets: Vec<usize> = Vec::new();
        for (offset, character) in line.char_indices() {
            let width = if wide { character.width().unwrap_or(1) } else { 1 };
            offsets.extend(std::iter::repeat_n(offset, width));
        }
        let is_blank = |at: usize| {
            let rest = offsets.get(at).and_then(|offset| line.get(*offset..));
            rest.and_then(|rest| rest.chars().next()).is_none_or(|c| matches!(c, ' ' | '\t' | '\u{3000}'))
        };
        cut(line, spans, offsets.len(), is_blank, |at| offsets.get(at).copied().unwrap_or(line.len()))
    })
}

fn cut<'l>(
    line: &'l str,
    spans: &[Span],
    length: usize,
    is_blank: impl Fn(usize) -> bool,
    offset: impl Fn(usize) -> usize,
) -> Option<Vec<&'l str>> {
    let mut cells = Vec::with_capacity(spans.len());
    let mut start = 0;
    for pair in spans.windows(2) {
        let [(_, end), (next, _)] = pair else { continue };
        let mut border = *next;
        while border > *end && !is_blank(border - 1) {
            border -= 1;
        }
        if border == 0 || !is_blank(border - 1) {
            return None;
        }
        cells.push(line.get(offset(start.min(length))..offset(border.min(length))).unwrap_or(""));
        start = border;
    }
    cells.push(line.get(offset(start.min(length))..).unwrap_or(""));
    Some(cells)
}

/// The cells of a row that has one word for each column.
pub(super) fn cells_by_words(line: &str, count: usize) -> Option<Vec<&str>> {
    let cells: Vec<&str> = line.split_whitespace().take(count + 1).collect();
    (cells.len() == count).then_some(cells)
}

/// The first row of a separated list, which may have several lines in quotes; goes on over these.
pub(super) fn quoted_row(line: Line<'_>, lines: &mut Lines<'_>, separator: u8) -> Option<csv::StringRecord> {
    let quotes = |text: &str| text.bytes().filter(|byte| *byte == b'"').count();
    let mut open = quotes(line.text);
    let mut ahead = *lines;
    // A quote opens a cell where it is the first of it.
    let mut row = line.text.trim_start_matches(' ').to_owned();
    for _ in 0..MAX_LINES_OF_ROW {
        if open.is_multiple_of(2) {
            let mut builder = csv::ReaderBuilder::new();
            builder.delimiter(separator).has_headers(false).buffer_capacity(row.len().clamp(1, MAX_BUFFER));
            let record = builder.from_reader(row.as_bytes()).records().next()?.ok()?;
            *lines = ahead;
            return Some(record);
        }
        let next = ahead.next()?;
        row.push('\n');
        row.push_str(next.text);
        open += quotes(next.text);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heading(text: &str) -> Option<(Heading, usize)> {
        let mut lines = Lines::new(text);
        let line = lines.next()?;
        Heading::at(line, lines).map(|(heading, behind)| (heading, behind.count()))
    }

    #[test]
    fn headings_of_all_forms() {
        use Column::{LocalAddress, LocalPort, Other, Pid, ProcessName, Protocol, State};
        for (text, columns, left) in [
            (
                "LocalAddress LocalPort x OwningProcess\n------------ --------- - -------------\nrow\n",
                vec![LocalAddress, LocalPort, Other, Pid],
                1,
            ),
            ("LocalAddress LocalPort OwningProcess\nrow\n", vec![LocalAddress, LocalPort, Pid], 1),
            (
                "Local Address  Local Port  State\n--------------------------\nrow\n",
                vec![LocalAddress, LocalPort, State],
                1,
            ),
            (
                "LocalAddress LocalPort State OwningP\n                             rocess\n------------ --------- ----- -------\nrow\n",
                vec![LocalAddress, LocalPort, State, Pid],
                1,
            ),
            ("\"PId\";\"x\";\"Local Port\"\nrow\n", vec![Pid, Other, LocalPort], 1),
            ("| Proto | Process ID | State |\n|---|:--|---|\n", vec![Protocol, Pid, State], 1),
            ("Process\tCPU\tPID\n", vec![ProcessName, Other, Pid], 0),
            ("T or U, Service, PID\n", vec![Protocol, Column::Services, Pid], 0),
        ] {
            let found = heading(text).unwrap();
            assert_eq!((found.0.columns, found.1), (columns, left), "{text}");
        }
        for text in ["Report of the process\n", "the count of ports is high\n", "7312 Count Name\n"] {
            assert_eq!(heading(text), None, "{text}");
        }
    }

    #[test]
    fn cells_by_the_rule() {
        let spans = rule("-----  --- ----- ---").unwrap();
        assert_eq!(spans, [(0, 5), (7, 10), (11, 16), (17, 20)]);
        let row = cells_at("a b c   12 22 x  99", &spans).unwrap();
        assert_eq!(row.iter().map(|cell| cell.trim()).collect::<Vec<_>>(), ["a b c", "12", "22 x", "99"]);
        // A number wider than its heading.
        let spans = rule("-----     -- ----").unwrap();
        assert_eq!(cells_at("ab     12345 name x", &spans).unwrap(), ["ab     ", "12345 ", "name x"]);
        assert_eq!(cells_at("a-long-name-12345 name", &spans), None);
        assert_eq!(cells_at("日本語x  1234 name", &spans), None);
        let spans = rule("------ ---- ----").unwrap();
        for line in ["日本  7312 name", "日本   7312 name", "日本語 7312 name"] {
            assert_eq!(cells_at(line, &spans).unwrap().get(1).unwrap().trim(), "7312", "{line}");
        }
    }
}
