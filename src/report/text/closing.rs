//! How sure it is, what it is not, what to do next, and the evidence.

use std::io;

use super::{NETWORK_MONITOR_FILTER, Page};
use crate::diagnosis::alternatives::{Alternative, Standing};
use crate::diagnosis::state::State;
use crate::net::Family;
use crate::report::wording;
use crate::words::shown;
use crate::words::{counted, grouped};

/// How to read what stands in a report as a number or a code.
const LOOK_UP: &str =
    "what a status, an error, an event id or a code of the JSON report means: outofports explain CODE";

/// Entries of event logs listed one by one.
const EVENTS_SHOWN: usize = 5;

impl Page<'_, '_> {
    pub(super) fn how_sure(&mut self) -> io::Result<()> {
        let report = self.report;
        let Some(how_sure) = report.how_sure() else { return Ok(()) };
        self.heading("HOW SURE", "")?;
        for assurance in &how_sure.assurances {
            self.bullet("+", assurance)?;
        }
        for event in how_sure.events.iter().take(EVENTS_SHOWN) {
            self.bullet("+", event)?;
        }
        let hidden = how_sure.events.len().saturating_sub(EVENTS_SHOWN);
        if hidden > 0 {
            self.line(&format!("  ({hidden} more entries of event logs)"))?;
        }
        if let Some(outside) = &how_sure.events_outside {
            self.bullet("·", outside)?;
        }
        for doubt in &how_sure.doubts {
            self.bullet("-", doubt)?;
        }
        let limit = self.layout.top.max(10);
        for note in how_sure.notes.iter().take(limit) {
            self.bullet("-", note)?;
        }
        if how_sure.notes.len() > limit {
            self.line(&format!("  ({} more notes: see the JSON report)", how_sure.notes.len() - limit))?;
        }
        Ok(())
    }

    pub(super) fn ruled_out(&mut self) -> io::Result<()> {
        let report = self.report;
        if report.verdict.state == State::CannotTell && report.failures.by_status.is_empty() {
            return Ok(());
        }
        let above: Vec<_> = report.failed_instead().map(|other| other.code).collect();
        for (standing, title) in [(Standing::RuledOut, "RULED OUT"), (Standing::Seen, "ALSO SEEN")] {
            let is_here = |other: &&Alternative| other.standing == standing && !above.contains(&other.code);
            let lines: Vec<_> = report.ruled_out.iter().filter(is_here).collect();
            if !lines.is_empty() {
                self.heading(title, "")?;
            }
            for alternative in lines {
                self.paragraph(&shown(&alternative.text))?;
            }
        }
        Ok(())
    }

    pub(super) fn next(&mut self) -> io::Result<()> {
        let steps = self.report.next_steps();
        if steps.is_empty() {
            return Ok(());
        }
        self.heading("NEXT", "in a command prompt (cmd) as administrator")?;
        for (number, step) in steps.iter().enumerate() {
            self.bullet(&(number + 1).to_string(), &step.text)?;
            for command in &step.commands {
                self.command(command)?;
            }
            if let Some(undo) = &step.undo {
                self.line("    to undo it:")?;
                self.command(undo)?;
            }
        }
        Ok(())
    }

    pub(super) fn evidence(&mut self) -> io::Result<()> {
        let report = self.report;
        self.heading("EVIDENCE", "")?;
        if let Some(evidence) = &report.evidence {
            let name = evidence.event_name.unwrap_or("?");
            let place = wording::place(evidence, &report.side_inputs);
            self.paragraph(&format!(
                "first failure: {place}event {} ({name}), endpoint {}",
                evidence.event_id, evidence.endpoint
            ))?;
            self.paragraph(&format!("the same in Network Monitor: {NETWORK_MONITOR_FILTER}"))?;
        }
        if !report.traces.is_empty() {
            self.what_was_read()?;
        }
        self.port_ranges()?;
        for side in &report.side_inputs {
            let mut text = format!("{}: {}", shown(wording::file_name(&side.path, &report.side_inputs)), side.kind);
            if !side.used {
                text.push_str(", not used");
            }
            if let Some(note) = &side.note {
                text.push_str(&format!(" ({})", shown(note)));
            }
            self.paragraph(&text)?;
        }
        self.paragraph(LOOK_UP)
    }

    /// Port ranges that listings told, and the ports excluded from them.
    fn port_ranges(&mut self) -> io::Result<()> {
        let report = self.report;
        let told = report.dynamic_ports.iter().map(|range| {
            let family = range.family.map_or("IPv4 and IPv6", Family::name);
            let end = u32::from(range.start) + range.count.saturating_sub(1);
            format!("{} over {family} {}–{end}", range.protocol.name(), range.start)
        });
        let told: Vec<String> = told.collect();
        if !told.is_empty() {
            self.paragraph(&format!("dynamic ports: {}", told.join(", ")))?;
        }
        let ranges = report.excluded_ports.iter().map(|range| {
            let mark = if range.administered { "*" } else { "" };
            format!("{} {}–{}{mark}", range.protocol.name(), range.start, range.end)
        });
        let ranges: Vec<String> = ranges.collect();
        if !ranges.is_empty() {
            let shown = ranges.get(..self.layout.top).unwrap_or(&ranges);
            let more = ranges.len() - shown.len();
            let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
            self.paragraph(&format!("excluded ports (* by an administrator): {}{rest}", shown.join(", ")))?;
        }
        Ok(())
    }

    fn what_was_read(&mut self) -> io::Result<()> {
        let coverage = &self.report.coverage;
        self.paragraph(&format!(
            "read: {}, {} of them damaged, {}: {} decoded, {} not needed, {} unknown, {} malformed",
            counted(coverage.buffers, "buffer"),
            coverage.buffers_damaged,
            counted(coverage.records, "record"),
            grouped(coverage.records_decoded),
            grouped(coverage.records_skipped),
            grouped(coverage.records_unknown),
            grouped(coverage.records_malformed),
        ))
    }
}
