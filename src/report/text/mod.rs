//! The report for people: the answer first, then who, how sure, what next, and the evidence last.

mod answer;
mod closing;
mod destinations;
pub(super) mod holders;
mod people;
pub(super) mod procedure;
mod when;

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use unicode_width::UnicodeWidthStr;

use super::Report;
use crate::words::table::{Table, command_line, wrap};
use crate::words::{ascii, shown};

/// Widest line of sentences, unless asked for another.
pub const DEFAULT_WIDTH: usize = 100;

/// What finds the failures in Network Monitor.
pub(super) const NETWORK_MONITOR_FILTER: &str =
    "Wscore_MicrosoftWindowsWinsockAFD.AFD_EVENT_BIND.Status.LENTStatus.Code == 0x209";

/// How the text is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Widest line of sentences, in columns; 60 at least.
    pub width: usize,
    /// Widest line of a table, in columns: where a table needs more, its words are cut, and nowhere else. `None` where nothing
    /// is cut.
    pub table_width: Option<usize>,
    /// Rows of each table.
    pub top: usize,
    /// Whether to write ASCII alone: for raster fonts, and shells that garble other signs.
    pub is_ascii: bool,
}

impl Default for Layout {
    /// As in a file: sentences of [`DEFAULT_WIDTH`], tables as wide as they need, 20 rows.
    fn default() -> Self {
        Self { width: DEFAULT_WIDTH, table_width: None, top: 20, is_ascii: false }
    }
}

const HEADING: Style = Style::new().bold();
const ALARM: Style = AnsiColor::Red.on_default().bold();
const CALM: Style = AnsiColor::Green.on_default().bold();
const DOUBT: Style = AnsiColor::Yellow.on_default().bold();

/// Writes the report. Styles are written as escape sequences; the writer strips them where they are not wanted.
///
/// # Errors
///
/// The [`io::Error`] of `out`, as it is.
pub fn write(report: &Report, layout: Layout, out: &mut dyn Write) -> io::Result<()> {
    if layout.is_ascii {
        let mut text = Vec::new();
        write(report, Layout { is_ascii: false, ..layout }, &mut text)?;
        return out.write_all(ascii(&String::from_utf8_lossy(&text)).as_bytes());
    }
    let mut page = Page { report, layout, out };
    page.traces()?;
    page.answer()?;
    page.who_holds()?;
    page.who_suffered()?;
    page.trends()?;
    page.procedure()?;
    page.address_use()?;
    page.destinations()?;
    page.when()?;
    page.other_failures()?;
    page.how_sure()?;
    page.ruled_out()?;
    page.next()?;
    page.evidence()
}

struct Page<'r, 'w> {
    report: &'r Report,
    layout: Layout,
    out: &'w mut dyn Write,
}

impl Page<'_, '_> {
    /// A line without styles; whatever it holds, no terminal finds a command in it.
    fn line(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "{}", shown(text))
    }

    fn heading(&mut self, title: &str, explanation: &str) -> io::Result<()> {
        if explanation.is_empty() || title.width() + 3 + explanation.width() > self.layout.width {
            writeln!(self.out, "\n{HEADING}{title}{HEADING:#}")?;
            return if explanation.is_empty() { Ok(()) } else { self.paragraph(explanation) };
        }
        writeln!(self.out, "\n{HEADING}{title}{HEADING:#}   {explanation}")
    }

    /// A paragraph, indented by two.
    fn paragraph(&mut self, text: &str) -> io::Result<()> {
        for line in wrap(text, self.layout.width, 2, 2) {
            self.line(&line)?;
        }
        Ok(())
    }

    fn bullet(&mut self, sign: &str, text: &str) -> io::Result<()> {
        for line in wrap(&format!("{sign} {text}"), self.layout.width, 2, 4) {
            self.line(&line)?;
        }
        Ok(())
    }

    fn table(&mut self, table: &Table) -> io::Result<()> {
        for line in table.lines(self.layout.table_width) {
            self.line(&line)?;
        }
        Ok(())
    }

    fn command(&mut self, command: &str) -> io::Result<()> {
        self.line(&command_line(command))
    }
}
