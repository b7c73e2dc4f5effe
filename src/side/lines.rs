//! The lines of a text as its tools printed them: without what mail, web pages, consoles and editors put around them.

use crate::progress::{NoProgress, Progress};

/// Lines between two looks at whether the job goes on.
const LINES_BETWEEN_LOOKS: u64 = 1 << 12;

/// So many lines show whether they are numbered, or doubled.
const SAMPLE: usize = 400;

/// So many numbers in their order are line numbers.
const NUMBERED_RUN: usize = 4;

/// So many lines with a blank one before them show that all were doubled; a mail may have a few others around them.
const DOUBLED_SAMPLE: usize = 3;

/// The mark that PowerShell puts before what it appends as UTF-8, and what it looks like in code pages 1252, 850, 437 and 1251.
const BYTE_ORDER_MARKS: [&str; 5] = ["\u{feff}", "ï»¿", "´╗┐", "∩╗┐", "п»ї"];

/// `-- More --` in any language is no longer than this.
const MAX_PAUSE: usize = 40;

/// A line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Line<'t> {
    /// From 1.
    pub(super) number: u64,
    /// Its text, without its end and what is put around it.
    pub(super) text: &'t str,
    /// The text ends without a line end, which tools write: this last line may be cut.
    pub(super) is_open: bool,
}

impl<'t> Line<'t> {
    pub(super) fn trimmed(&self) -> &'t str {
        self.text.trim()
    }

    pub(super) fn is_blank(&self) -> bool {
        self.text.trim().is_empty()
    }
}

/// Goes over the lines of a text. Copying it is cheap, and a way to look ahead. Where the job is stopped, no further line comes.
#[derive(Clone, Copy)]
pub(super) struct Lines<'t> {
    rest: &'t str,
    number: u64,
    /// What stands behind line numbers, where lines are numbered.
    numbered: Option<char>,
    /// A blank line was put behind each.
    is_doubled: bool,
    progress: &'t dyn Progress,
}

impl<'t> Lines<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self::watched(text, &NoProgress)
    }

    /// The lines of a job that can be stopped.
    pub(super) fn watched(text: &'t str, progress: &'t dyn Progress) -> Self {
        Self { rest: text, number: 0, numbered: numbering(text), is_doubled: are_doubled(text), progress }
    }

    /// Whether the job is to end early.
    pub(super) fn should_stop(&self) -> bool {
        self.progress.should_stop()
    }

    /// The text from the next line on.
    pub(super) fn rest(&self) -> &'t str {
        self.rest
    }

    /// The lines from a place in the rest on: a line, and a byte in it, both from 1.
    pub(super) fn behind(mut self, line: usize, column: usize) -> Self {
        let passed = line.saturating_sub(1);
        let start: usize = self.rest.split_inclusive('\n').take(passed).map(str::len).sum();
        self.number = self.number.saturating_add(passed as u64);
        self.rest = self.rest.get(start.saturating_add(column.saturating_sub(1))..).unwrap_or_default();
        self
    }

    /// The next line that is not blank, without going on to it.
    pub(super) fn peek_text(&self) -> Option<Line<'t>> {
        let mut ahead = *self;
        ahead.find(|line| !line.is_blank())
    }

    /// Goes on over the blank line that was put behind a line.
    fn pass_blank(&mut self) {
        let (next, behind) = self.rest.split_once('\n').unwrap_or((self.rest, ""));
        if self.is_doubled && !self.rest.is_empty() && is_blank(next) {
            self.rest = behind;
            self.number += 1;
        }
    }
}

impl<'t> Iterator for Lines<'t> {
    type Item = Line<'t>;

    fn next(&mut self) -> Option<Line<'t>> {
        while !self.rest.is_empty() {
            if self.number.is_multiple_of(LINES_BETWEEN_LOOKS) && self.should_stop() {
                self.rest = "";
                break;
            }
            let ended = self.rest.split_once('\n');
            let (line, behind) = ended.unwrap_or((self.rest, ""));
            self.rest = behind;
            self.number += 1;
            let (number, text) = (self.number, unwrapped(line, self.numbered));
            self.pass_blank();
            if !is_pause(text) {
                return Some(Line { number, text, is_open: ended.is_none() });
            }
        }
        None
    }
}

/// A line without its end, quotation marks of mails, fences of Markdown, a frame, and its number.
fn unwrapped(line: &str, numbered: Option<char>) -> &str {
    let mut line = line.trim_end_matches(['\r', '\u{c}', '\u{1a}']);
    // What a pager has overwritten.
    if let Some((_, last)) = line.rsplit_once('\r').filter(|(_, last)| !last.trim().is_empty()) {
        line = last;
    }
    line = BYTE_ORDER_MARKS.iter().fold(line, |line, mark| line.trim_start_matches(mark));
    line = unquoted(line);
    if let Some(separator) = numbered
        && let Some((_, behind)) = numbered_line(line).filter(|(_, behind)| behind.starts_with(separator))
    {
        line = unquoted(behind.strip_prefix(separator).unwrap_or(behind));
    }
    unframed(unfenced(line))
}

/// A line without the bars of a frame around all lines. Bars between cells are those of a table.
fn unframed(line: &str) -> &str {
    let inner = line.trim().strip_prefix('|').and_then(|line| line.strip_suffix('|'));
    match inner.filter(|inner| !inner.contains('|')) {
        Some(inner) => inner.strip_prefix(' ').unwrap_or(inner),
        None => line,
    }
}

/// Whether a line holds nothing but what mail puts around it.
fn is_blank(line: &str) -> bool {
    unquoted(line).trim().is_empty()
}

/// Whether a blank line was put behind each, as web pages and mail do: hardly two stand side by side.
fn are_doubled(text: &str) -> bool {
    let (mut apart, mut side_by_side, mut before) = (0, 0, None);
    for (number, _) in text.lines().take(SAMPLE).enumerate().filter(|(_, line)| !is_blank(line)) {
        match before.replace(number) {
            Some(before) if number == before + 1 => side_by_side += 1,
            Some(_) => apart += 1,
            None => {}
        }
    }
    apart >= DOUBLED_SAMPLE && side_by_side <= apart / 4
}

/// A line without a fence of Markdown, which may stand on the first and the last line of what it holds.
fn unfenced(line: &str) -> &str {
    if !line.contains('`') {
        return line;
    }
    let line = line.trim_end().strip_suffix("```").unwrap_or(line);
    match line.trim_start().strip_prefix("```") {
        // The name of a language.
        Some(rest) if rest.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '+' | '#')) => "",
        Some(rest) => rest,
        None => line,
    }
}

fn unquoted(mut line: &str) -> &str {
    while let Some(quoted) = line.trim_start().strip_prefix('>') {
        line = quoted.strip_prefix(' ').unwrap_or(quoted);
    }
    line
}

/// The number that a line begins with, and what stands behind it.
fn numbered_line(line: &str) -> Option<(u64, &str)> {
    let line = line.trim_start();
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let (number, behind) = line.split_at_checked(digits)?;
    Some((number.parse().ok()?, behind))
}

/// Whether lines have numbers: several in their order, each with the same sign behind it.
fn numbering(text: &str) -> Option<char> {
    let mut run = 0;
    let mut last: Option<(u64, char)> = None;
    for line in text.lines().take(SAMPLE) {
        let here = numbered_line(unquoted(line)).and_then(|(number, behind)| {
            let sign = behind.chars().next().filter(|sign| matches!(sign, ':' | '.' | ')' | '|' | '\t'))?;
            // A time of day is no line number.
            let digits = behind.bytes().skip(1).take_while(u8::is_ascii_digit).count();
            let after = behind.as_bytes().get(1 + digits);
            let is_time = sign == ':' && digits == 2 && matches!(after, None | Some(b':' | b' '));
            (!is_time).then_some((number, sign))
        });
        // Lines that were broken in two have a number in front of the first half alone.
        let Some((number, sign)) = here else { continue };
        let is_next = last.is_some_and(|(before, one)| before.checked_add(1) == Some(number) && one == sign);
        run = if is_next { run + 1 } else { 1 };
        if run >= NUMBERED_RUN {
            return Some(sign);
        }
        last = Some((number, sign));
    }
    None
}

/// `-- More  --` of `more`, in any language.
fn is_pause(line: &str) -> bool {
    let line = line.trim();
    if line.len() > MAX_PAUSE || !line.starts_with("--") || !line.ends_with("--") {
        return false;
    }
    let word = line.trim_matches('-').trim();
    let has_blanks = line.contains("-- ") && line.contains(" --");
    has_blanks
        && !word.is_empty()
        && word.chars().all(|c| c.is_alphanumeric() || c.is_whitespace() || "()%".contains(c))
}

/// A quick look, whether a line is a row of `netstat`: of these there may be millions, and other readers need not look closer.
pub(super) fn is_socket_row(line: &str) -> bool {
    let Some((protocol, behind)) = line.trim_start().split_at_checked(3) else { return false };
    let is_protocol = protocol.eq_ignore_ascii_case("tcp") || protocol.eq_ignore_ascii_case("udp");
    is_protocol
        && behind.starts_with([' ', '\t'])
        && behind.trim_start().starts_with(|c: char| c.is_ascii_digit() || c == '[')
}

/// Whether a line is the first that a Sysinternals program prints: `Nthandle v5.0 - Handle viewer`, `TCPView v4.0`.
pub(super) fn is_banner(line: &str) -> bool {
    const PROGRAMS: [&str; 5] = ["nthandle", "handle", "tcpview", "tcpvcon", "psexec"];
    let Some((name, behind)) = line.trim().split_once(" v") else { return false };
    let is_program = PROGRAMS.iter().any(|program| name.eq_ignore_ascii_case(program));
    is_program && behind.starts_with(|c: char| c.is_ascii_digit())
}

/// Whether a line says that lines are left out: `...`, `[...]`, `<snip>`.
pub(super) fn is_ellipsis(line: &str) -> bool {
    let line = line.trim();
    let inner = line.trim_matches(|c: char| "[]()<>{}#*/- \t".contains(c));
    let is_dots = !inner.is_empty() && inner.chars().all(|c| matches!(c, '.' | '…' | ' '));
    is_dots || ["snip", "snipped", "cut", "truncated", "omitted"].iter().any(|word| inner.eq_ignore_ascii_case(word))
}

/// `C:\Users\x>netstat`, `PS C:\> netstat` and `[SRV01]: PS C:\> netstat`, as they stand in copies of a console: what
/// was typed.
pub(super) fn typed(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let line = match line.strip_prefix('[').and_then(|line| line.split_once("]: ")) {
        Some((_, line)) => line,
        None => line,
    };
    let path = line.strip_prefix("PS ").unwrap_or(line);
    let is_path =
        path.get(1..3) == Some(":\\") || path.starts_with("\\\\") || (path.len() < line.len() && path.starts_with('>'));
    let (_, typed) = path.split_once('>').filter(|_| is_path)?;
    Some(typed.trim())
}

/// Whether a line is a prompt.
pub(super) fn is_prompt(line: &str) -> bool {
    typed(line).is_some()
}

/// Programs whose outputs are known; a line that begins with one of them is a command.
const PROGRAMS: [&str; 14] = [
    "netstat",
    "netsh",
    "tasklist",
    "wmic",
    "handle",
    "handle64",
    "tcpvcon",
    "tcpvcon64",
    "powershell",
    "cmd",
    "type",
    "gps",
    "get",
    "gcim",
];

/// The command that made what follows.
#[derive(Debug, Clone, Default)]
pub(super) struct Command {
    text: String,
    /// It goes on in the next line.
    is_open: bool,
}

/// A command may be so long; what is longer is cut.
const MAX_COMMAND: usize = 4 << 10;

impl Command {
    /// Looks at a line that is no row; `true` where it is a command or a part of one.
    pub(super) fn see(&mut self, line: &str) -> bool {
        let line = line.trim();
        if std::mem::take(&mut self.is_open) && !line.is_empty() {
            self.push(" ");
            self.push(line);
        } else if let Some(command) = typed(line) {
            self.text.clear();
            self.push(command);
        } else if let Some(command) = Some(line).filter(|line| starts_as_command(line)).or_else(|| stamped(line)) {
            self.text.clear();
            self.push(command);
        } else if is_banner(line) {
            // A program that names itself, where nothing tells how it was called.
            if self.text.is_empty() {
                self.push(line);
            }
        } else {
            return false;
        }
        self.is_open = line.ends_with(['|', '`', '^']);
        true
    }

    fn push(&mut self, text: &str) {
        let left = MAX_COMMAND.saturating_sub(self.text.len());
        self.text.extend(text.chars().take(left));
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The command in one form: small letters, single blanks. `None` where none is known.
    pub(super) fn asked(&self) -> Option<String> {
        let words: Vec<&str> = self.text.split_whitespace().collect();
        (!words.is_empty()).then(|| words.join(" ").to_lowercase())
    }

    /// Whether a word stands in it, in any case.
    pub(super) fn names(&self, word: &str) -> bool {
        self.text.to_ascii_lowercase().contains(word)
    }
}

/// Whether a line without a prompt is a command.
pub(super) fn starts_as_command(line: &str) -> bool {
    let line = line.trim_start_matches(['$', '#', '+', '`']).trim_start();
    let end = line.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(line.len());
    let (word, behind) = line.split_at_checked(end).unwrap_or((line, ""));
    let is_known = PROGRAMS.iter().any(|program| word.eq_ignore_ascii_case(program));
    let is_get = word.eq_ignore_ascii_case("get") && !behind.starts_with('-');
    let is_sentence = behind.starts_with([':', ',', '.']) && !behind.to_ascii_lowercase().starts_with(".exe");
    is_known && !is_get && !is_sentence && line.len() < MAX_COMMAND
}

/// The command behind a date and a time: `[11/22/2026 14:03:11] netstat -ano`.
pub(super) fn stamped(line: &str) -> Option<&str> {
    const MAX_WORDS: usize = 5;
    const MAX_LETTERS: usize = 3;
    let is_digit = |c: char| c.is_ascii_digit();
    let letters = |word: &str| word.chars().filter(|c| c.is_alphabetic()).count();
    let is_half = |word: &str| ["am", "pm"].iter().any(|half| word.eq_ignore_ascii_case(half));
    // Days have few letters, and stand before the time.
    let is_part = |word: &str, has_time: bool| {
        word.contains(is_digit) || is_half(word) || letters(word) == 0 || (!has_time && letters(word) <= MAX_LETTERS)
    };
    let (mut rest, mut has_time) = (line.trim_start(), false);
    for _ in 0..MAX_WORDS {
        let (word, behind) = rest.split_once(char::is_whitespace).filter(|(word, _)| is_part(word, has_time))?;
        has_time |= word.contains(is_digit) && word.contains([':', '.']);
        rest = behind.trim_start_matches(|c: char| !c.is_alphanumeric());
        if has_time && starts_as_command(rest) {
            return Some(rest);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<&str> {
        Lines::new(text).map(|line| line.text).collect()
    }

    #[test]
    fn what_is_put_around_lines_is_taken_off() {
        assert_eq!(texts("> > a\r\n>\r\n> \tb\r\n"), ["a", "", "\tb"]);
        assert_eq!(texts("a\n-- More  -- \nb\n-- Mehr --\r     \rc\n"), ["a", "b", "c"]);
        assert_eq!(texts("1: a\n2:   b\n3: c\n10: d\n4: d\n"), ["1: a", "2:   b", "3: c", "10: d", "4: d"]);
        assert_eq!(texts("8: a\n9:   b\n10: c\n11: d\ne\n"), [" a", "   b", " c", " d", "e"]);
        assert_eq!(texts("  7\ta\n  8\tb\n  9\tc\n 10\td\n"), ["a", "b", "c", "d"]);
        assert_eq!(texts("\u{feff}a\n´╗┐22.11.2026\nï»¿ b\n"), ["a", "22.11.2026", " b"]);
        assert_eq!(texts("```text\na\n```\n"), ["", "a", ""]);
        assert_eq!(texts("```  a b\n c```\n"), ["  a b", " c"]);
        assert_eq!(texts("14:03:11 a\n15:03:11 a\n16:03:11 a\n17:03:11 a\n").len(), 4);
        assert_eq!(Lines::new("a\n-- More --\nb").last().map(|line| line.number), Some(3));
    }

    #[test]
    fn lines_that_were_doubled_are_as_before() {
        let text = "a\nb\n\nc\nd\ne\n";
        for doubled in [text.replace('\n', "\n\n"), text.replace('\n', "\r\n> \r\n")] {
            assert_eq!(texts(&doubled), ["a", "b", "", "c", "d", "e"]);
        }
        assert_eq!(Lines::new("a\n\nb\n\nc\n\nd\n").last().map(|line| line.number), Some(7));
        assert_eq!(texts("a\nb\n\nc\nd\n\ne\n").len(), 7);
    }

    #[test]
    fn a_last_line_without_its_end_is_told() {
        let open = |text: &'static str| Lines::new(text).map(|line| line.is_open).collect::<Vec<_>>();
        assert_eq!(open("a\nb\n"), [false, false]);
        assert_eq!(open("a\nb"), [false, true]);
    }

    #[test]
    fn a_frame_is_no_part_of_lines() {
        assert_eq!(texts("| a  b |\n|   c  |\n| a | b |\n"), ["a  b ", "  c  ", "| a | b |"]);
    }

    #[test]
    fn a_job_that_is_stopped_reads_no_further() {
        struct Stop;
        impl Progress for Stop {
            fn should_stop(&self) -> bool {
                true
            }
        }
        assert_eq!(Lines::watched("a\nb\n", &Stop).count(), 0);
    }

    #[test]
    fn commands_are_those_typed_and_their_next_lines() {
        let mut command = Command::default();
        for line in ["PS C:\\> Get-NetTCPConnection |", "  Group-Object State"] {
            assert!(command.see(line), "{line}");
        }
        assert_eq!(command.text(), "Get-NetTCPConnection | Group-Object State");
        assert!(command.see("C:\\>netstat -ano") && command.names("-ano"));
        assert!(command.see("[SRV01]: PS C:\\Users\\x\\Documents> tasklist"));
        assert_eq!(command.asked().as_deref(), Some("tasklist"));
        assert!(!command.see("Get-NetTCPConnection : The term is not recognized") || command.text().contains("term"));
        assert!(!command.see("Active Connections"));
        for line in [
            "[11/22/2026 14:03:11] netstat -anoq",
            "Sun 11/22/2026  2:03:11 PM netstat -anoq",
            "14:03:11 - netstat -anoq",
        ] {
            let mut command = Command::default();
            assert!(command.see(line), "{line}");
            assert_eq!(command.text(), "netstat -anoq");
        }
        assert!(!Command::default().see("11/22/2026 14:03:11"));
        assert!(!Command::default().see("14:03:11 the netstat listing"));
    }

    #[test]
    fn signs_of_omission() {
        for line in ["...", " [...]", "…", "<snip>", "[ ... ]"] {
            assert!(is_ellipsis(line), "{line}");
        }
        for line in ["", "[svchost.exe]", "5357 5357", "----"] {
            assert!(!is_ellipsis(line), "{line}");
        }
    }
}
