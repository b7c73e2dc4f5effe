//! The report for people: the answer first, then who, how sure, what next, and the evidence last.

mod answer;
mod closing;
mod destinations;
mod holders;
mod people;
mod procedure;
mod when;

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use unicode_width::UnicodeWidthStr;

use super::Report;
use crate::words::table::{Table, command_line, wrap};

/// Widest line where the output is no terminal.
pub const DEFAULT_WIDTH: usize = 100;

/// How the text is laid out.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    /// Widest line, in columns; 60 at least.
    pub width: usize,
    /// Rows of each table.
    pub top: usize,
}

impl Default for Layout {
    /// As in a file: [`DEFAULT_WIDTH`], 20 rows.
    fn default() -> Self {
        Self { width: DEFAULT_WIDTH, top: 20 }
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
    fn line(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "{text}")
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
        for line in table.lines(self.layout.width) {
            self.line(&line)?;
        }
        Ok(())
    }

    fn command(&mut self, command: &str) -> io::Result<()> {
        self.line(&command_line(command))
    }
}
