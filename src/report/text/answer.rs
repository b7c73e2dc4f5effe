//! The first screen: what was read, the answer, and what weakens it.

use std::io;

use unicode_width::UnicodeWidthStr;

use super::{ALARM, CALM, DOUBT, Page};
use crate::diagnosis::state::State;
use crate::report::wording::{machine, span};
use crate::words::shown;

impl Page<'_, '_> {
    pub(super) fn traces(&mut self) -> io::Result<()> {
        let report = self.report;
        for trace in &report.traces {
            let mut line = trace.path.clone();
            for part in [Some(machine(trace)), span(trace, report.zone)].into_iter().flatten() {
                if line.width() + 3 + part.width() <= self.layout.width {
                    line.push_str(" · ");
                    line.push_str(&part);
                } else {
                    self.line(&line)?;
                    line = format!("  {part}");
                }
            }
            self.line(&line)?;
        }
        if let Some(counted) = report.counted_sentence() {
            self.paragraph(&counted)?;
        }
        if let Some(files) = report.files_without_trace() {
            let files: Vec<String> = files.into_iter().map(shown).collect();
            let lines = super::wrap(&format!("no trace; side files: {}", files.join(", ")), self.layout.width, 0, 2);
            lines.iter().try_for_each(|line| self.line(line))?;
        }
        Ok(())
    }

    pub(super) fn answer(&mut self) -> io::Result<()> {
        let report = self.report;
        let headline = report.headline();
        let style = match headline.state {
            State::Exhausted => ALARM,
            State::Near | State::CannotTell => DOUBT,
            State::NotSeen => CALM,
        };
        let (short, confidence) = (format!("PORT EXHAUSTION: {}", headline.answer), headline.confidence);
        let full = if headline.pools.is_empty() { short.clone() } else { format!("{short}, {}", headline.pools) };
        let fits = full.width() + 3 + confidence.len() <= self.layout.width;
        let title = if fits { full } else { short };
        let gap = self.layout.width.saturating_sub(title.width() + confidence.len()).max(3);
        let line = format!("{style}{title}{style:#}{}{confidence}", " ".repeat(gap));
        writeln!(self.out, "\n{}", line.trim_end())?;
        if !fits {
            self.paragraph(&headline.pools)?;
        }
        for sentence in report.answer() {
            self.paragraph(&sentence)?;
        }
        for doubt in report.first_doubts() {
            self.bullet("but", doubt)?;
        }
        let (hints, more) = report.hints();
        for hint in hints {
            self.bullet("known:", &hint.text)?;
            // An address stays whole.
            hint.sources.iter().try_for_each(|source| self.line(&format!("    {source}")))?;
        }
        if more > 0 {
            self.line(&format!("  ({more} more known causes: see the JSON report)"))?;
        }
        for step in report.first_steps() {
            self.paragraph(&step.text)?;
            for command in &step.commands {
                self.command(command)?;
            }
        }
        Ok(())
    }
}
