//! The first screen: what was read, the answer, and what weakens it.

use std::io;

use unicode_width::UnicodeWidthStr;

use super::words::{machine, percent_of, sentence, sentence_start, span, who};
use super::{ALARM, CALM, DOUBT, Page};
use crate::diagnosis::holders::Pattern;
use crate::diagnosis::verdict::{Confidence, EXPLAINED_PERCENT, State};
use crate::machine::pools::RangeSource;
use crate::report::{HolderRow, PoolRow};
use crate::status::NtStatus;
use crate::time::{FileTime, ShownTime as _, duration_text};
use crate::words::shown;
use crate::words::{counted, grouped};

/// Doubts that belong on the first screen.
const FIRST_SCREEN: [&str; 13] = [
    "events_lost",
    "loss_flags",
    "damaged",
    "malformed_records",
    "unknown_phases",
    "wrapped",
    "began_after",
    "unexplained_ports",
    "no_tcpip_events",
    "weak_owners",
    "single_failure",
    "not_closed",
    "displaced_events",
];

impl<'r> Page<'r, '_> {
    pub(super) fn traces(&mut self) -> io::Result<()> {
        let report = self.report;
        for trace in &report.traces {
            let mut line = trace.path.clone();
            for part in [Some(machine(trace)), span(trace)].into_iter().flatten() {
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
        if report.traces.is_empty() {
            let mut used: Vec<String> =
                report.side_inputs.iter().filter(|side| side.used).map(|side| shown(&side.path)).collect();
            used.dedup();
            let lines = super::wrap(&format!("no trace; side files: {}", used.join(", ")), self.layout.width, 0, 2);
            lines.iter().try_for_each(|line| self.line(line))?;
        }
        Ok(())
    }

    pub(super) fn answer(&mut self) -> io::Result<()> {
        let report = self.report;
        let verdict = &report.verdict;
        let (style, answer) = match verdict.state {
            State::Exhausted => (ALARM, "YES"),
            State::Near => (DOUBT, "NEAR"),
            State::NotSeen => (CALM, "NOT SEEN"),
            State::CannotTell => (DOUBT, "CANNOT TELL"),
        };
        let confidence = match verdict.confidence {
            Some(Confidence::High) => "confidence: high",
            Some(Confidence::Medium) => "confidence: medium",
            Some(Confidence::Low) => "confidence: low",
            None => "",
        };
        let pools = self.pools_hit();
        let full = format!("PORT EXHAUSTION: {answer}{pools}");
        let fits = full.width() + 3 + confidence.len() <= self.layout.width;
        let title = if fits { full } else { format!("PORT EXHAUSTION: {answer}") };
        let gap = self.layout.width.saturating_sub(title.width() + confidence.len()).max(3);
        let line = format!("{style}{title}{style:#}{}{confidence}", " ".repeat(gap));
        writeln!(self.out, "\n{}", line.trim_end())?;
        if !fits {
            self.paragraph(pools.trim_start_matches(", "))?;
        }
        match verdict.state {
            State::Exhausted => self.failures()?,
            State::Near => {
                for reason in verdict.reasons.iter().filter(|reason| !reason.is_doubt()) {
                    self.paragraph(&sentence(&reason.text))?;
                }
            }
            State::NotSeen | State::CannotTell => {
                for reason in &verdict.reasons {
                    self.paragraph(&sentence(&reason.text))?;
                }
            }
        }
        if matches!(verdict.state, State::Exhausted | State::Near) {
            self.pool_and_holder()?;
            let on_first_screen = |code: &str| FIRST_SCREEN.contains(&code);
            for reason in verdict.reasons.iter().filter(|reason| on_first_screen(reason.code)) {
                self.bullet("but", &reason.text)?;
            }
        }
        for recommendation in report.recommendations.iter().filter(|_| verdict.state == State::CannotTell) {
            self.paragraph(&format!(
                "{}, in a command prompt (cmd) as administrator:",
                sentence_start(&recommendation.text)
            ))?;
            for command in &recommendation.commands {
                self.command(command)?;
            }
        }
        Ok(())
    }

    /// How many failed, and when.
    fn failures(&mut self) -> io::Result<()> {
        let report = self.report;
        let verdict = &report.verdict;
        let failures = &report.failures;
        if failures.binds > 0 {
            let completed: u64 = report.processes.iter().map(|row| row.binds_completed()).sum();
            let (failed, of) = (grouped(failures.binds), counted(completed, "bind"));
            let status = NtStatus::TOO_MANY_ADDRESSES;
            self.paragraph(&format!(
                "{failed} of {of} failed with STATUS_TOO_MANY_ADDRESSES ({status}; Winsock 10055 or 10048)"
            ))?;
        }
        if failures.connects > 0 {
            let count = counted(failures.connects, "connect");
            let status = NtStatus::TOO_MANY_ADDRESSES;
            self.paragraph(&format!("{count} failed with STATUS_TOO_MANY_ADDRESSES ({status})"))?;
        }
        if failures.binds + failures.connects == 0 {
            for reason in verdict.reasons.iter().filter(|reason| !reason.is_doubt()) {
                self.paragraph(&sentence(&reason.text))?;
            }
        }
        if let (Some(first), Some(last)) = (verdict.first_failure, verdict.last_failure) {
            let exact = |time: FileTime| {
                if first.to_date() == last.to_date() {
                    time.to_exact_clock()
                } else {
                    format!("{} {}", time.to_date(), time.to_exact_clock())
                }
            };
            let (first_text, last_text) = (exact(first), exact(last));
            let span = duration_text(last.since(first));
            self.paragraph(&format!("first at {first_text} UTC, last at {last_text} UTC ({span})"))?;
        }
        if let Some(worst) = self.sufferers().first() {
            let count = if worst.bind_failures > 0 {
                counted(worst.bind_failures, "failed bind")
            } else {
                counted(worst.connect_failures, "failed connect")
            };
            self.paragraph(&format!("most by {}: {count}", who(worst)))?;
        }
        Ok(())
    }

    /// Which pool, how full, and who has most of it.
    fn pool_and_holder(&mut self) -> io::Result<()> {
        let Some((index, pool)) = self.worst_pool() else { return Ok(()) };
        let source = match pool.source {
            RangeSource::DynamicPortFile => "from a listing",
            RangeSource::Option => "as given by --pool",
            RangeSource::Live => "as the system says",
            RangeSource::Default => "the default; no listing was given",
        };
        let state = if pool.state == State::Exhausted { "was full" } else { "was nearly full" };
        self.paragraph(&format!(
            "The pool {}–{} ({}, {source}) {state}.",
            pool.start,
            pool.end(),
            counted(pool.count.into(), "port")
        ))?;
        if let Some((low, high)) = pool.given
            && (low < pool.start || high > pool.end())
        {
            self.paragraph(&format!(
                "Ports from {low} to {high} were given out: the pool is not what it is taken to be."
            ))?;
        }
        let explained = u64::from(pool.explained) * 100 / u64::from(pool.count.max(1));
        match self.holders_of(index).first() {
            Some(holder) if holder.share_of_pool >= 0.05 => self.name_holder(holder, pool)?,
            _ if pool.state == State::Exhausted && explained < u64::from(EXPLAINED_PERCENT) => {
                self.paragraph(&format!(
                    "Who holds the ports is not in sight here: {} of the pool is explained.",
                    percent_of(pool.explained, pool.count)
                ))?;
            }
            Some(holder) => self.name_holder(holder, pool)?,
            None => {}
        }
        Ok(())
    }

    fn name_holder(&mut self, holder: &HolderRow, pool: &PoolRow) -> io::Result<()> {
        let Some(row) = self.report.processes.get(holder.process) else { return Ok(()) };
        let (ports, share) = (grouped(holder.ports.into()), percent_of(holder.ports, pool.count));
        let how = match holder.pattern {
            Some(Pattern::Leak) if holder.obtained > 0 => format!(
                ": a leak, it had closed {} of the {} that it got",
                if holder.released == 0 { "none".to_owned() } else { grouped(holder.released) },
                counted(holder.obtained, "port")
            ),
            Some(Pattern::Leak) => ": it looks like a leak".to_owned(),
            Some(Pattern::Load) => ", and gives them back: heavy load, not a leak".to_owned(),
            Some(Pattern::Churn) => {
                format!(
                    ": churn, {} of them are in TIME_WAIT after short connections",
                    grouped(holder.time_wait.into())
                )
            }
            Some(Pattern::Reservation) => ", reserved as a range".to_owned(),
            None => String::new(),
        };
        let how = if row.ended.is_some() { format!("{how}; it has ended") } else { how };
        self.paragraph(&format!("{} held {ports} of its ports, {share}{how}.", who(row)))
    }

    /// The pool that speaks for the case, with its number.
    fn worst_pool(&self) -> Option<(usize, &'r PoolRow)> {
        let index = self.report.verdict.pool?;
        Some((index, self.report.pools.get(index)?))
    }

    pub(super) fn holders_of(&self, pool: usize) -> Vec<&'r HolderRow> {
        self.report.holders.iter().filter(|holder| holder.pool == pool).collect()
    }

    /// `, TCP over IPv4`, the pools that speak for the answer.
    fn pools_hit(&self) -> String {
        let state = self.report.verdict.state;
        let hit = self.report.pools.iter().filter(|pool| pool.state == state);
        let names: Vec<String> = hit.map(PoolRow::name).collect();
        match state {
            State::Exhausted | State::Near if !names.is_empty() => format!(", {}", names.join(" and ")),
            _ => String::new(),
        }
    }
}
