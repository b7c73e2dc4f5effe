//! How sure it is, what it is not, what to do next, and the evidence.

use std::io;

use super::Page;
use super::words::{percent, sentence_start};
use crate::diagnosis::alternatives::Standing;
use crate::diagnosis::verdict::State;
use crate::event::base_name;
use crate::machine::tally::OwnerSource;
use crate::net::Family;
use crate::time::ShownTime as _;
use crate::words::shown;
use crate::words::{counted, grouped};

/// Entries of event logs listed one by one.
const EVENTS_SHOWN: usize = 5;

impl Page<'_, '_> {
    pub(super) fn how_sure(&mut self) -> io::Result<()> {
        let report = self.report;
        let doubts: Vec<_> = report.verdict.reasons.iter().filter(|reason| reason.is_doubt()).collect();
        let no_names = !report.processes.is_empty() && report.processes.iter().all(|row| row.image.is_none());
        let quiet = doubts.is_empty() && report.coverage.notes.is_empty() && report.system_events.is_empty();
        if report.verdict.state == State::CannotTell && quiet {
            return Ok(());
        }
        self.heading("HOW SURE", "")?;
        let has = |code: &str| doubts.iter().any(|reason| reason.code == code);
        let loss = ["events_lost", "loss_flags", "damaged", "malformed_records", "not_closed", "wrapped"];
        if !report.traces.is_empty() && !loss.iter().any(|code| has(code)) {
            self.bullet("+", "nothing lost or damaged; the log was closed by its session")?;
        }
        let failures = report.failures.binds + report.failures.connects;
        if failures > 0 && !has("weak_owners") {
            let mut total = OwnerSource::default();
            report.processes.iter().for_each(|row| total.add(row.owner_source));
            let share = percent(total.created_socket + total.eprocess, failures);
            self.bullet("+", &format!("owner known from socket creation or EPROCESS for {share} of the failures"))?;
        }
        if report.failures.tcpip_refusals > 0 && failures > 0 {
            let count = counted(report.failures.tcpip_refusals, "request");
            self.bullet("+", &format!("TCP/IP's own events agree: it refused {count} for a port"))?;
        }
        self.system_events()?;
        // The coverage notes tell the other doubts, with the trace and the place.
        let told = [
            "weak_owners",
            "single_failure",
            "began_after",
            "unexplained_ports",
            "narrower_pool",
            "wider_pool",
            "no_tcpip_events",
        ];
        for reason in doubts.iter().filter(|reason| told.contains(&reason.code)) {
            self.bullet("-", &reason.text)?;
        }
        if no_names {
            self.bullet("-", "no process names: the trace has no process events; give a process list with --tasklist")?;
        }
        let limit = self.layout.top.max(10);
        for note in report.coverage.notes.iter().take(limit) {
            self.bullet("-", note)?;
        }
        if report.coverage.notes.len() > limit {
            self.line(&format!("  ({} more notes: see the JSON report)", report.coverage.notes.len() - limit))?;
        }
        Ok(())
    }

    fn system_events(&mut self) -> io::Result<()> {
        let report = self.report;
        let in_span: Vec<_> = report.system_events.iter().filter(|event| event.in_span).collect();
        for event in in_span.iter().take(EVENTS_SHOWN) {
            let text = format!(
                "{}: {} {} at {} UTC",
                shown(base_name(&event.source)),
                shown(&event.provider),
                event.id,
                event.time.to_date_and_time()
            );
            self.bullet("+", &text)?;
        }
        if in_span.len() > EVENTS_SHOWN {
            self.line(&format!("  ({} more entries of event logs)", in_span.len() - EVENTS_SHOWN))?;
        }
        let outside = report.system_events.len() - in_span.len();
        if outside > 0 {
            let span = if report.traces.is_empty() { "the last day of the log" } else { "the trace's span" };
            self.bullet("·", &format!("{} of event logs outside of {span}", counted_entries(outside)))?;
        }
        Ok(())
    }

    pub(super) fn ruled_out(&mut self) -> io::Result<()> {
        let report = self.report;
        if report.verdict.state == State::CannotTell && report.failures.by_status.is_empty() {
            return Ok(());
        }
        for (standing, title) in [(Standing::RuledOut, "RULED OUT"), (Standing::Seen, "ALSO SEEN")] {
            let lines: Vec<_> =
                report.ruled_out.iter().filter(|alternative| alternative.standing == standing).collect();
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
        let report = self.report;
        if report.verdict.state == State::CannotTell || report.recommendations.is_empty() {
            return Ok(());
        }
        self.heading("NEXT", "in a command prompt (cmd) as administrator")?;
        for (number, recommendation) in report.recommendations.iter().enumerate() {
            let effect = match (recommendation.changes_state, &recommendation.undo) {
                (false, None) => "changes nothing",
                (false, Some(_)) => "starts a trace",
                (true, _) => "changes the server",
            };
            let text = format!("{} ({effect})", sentence_start(&shown(&recommendation.text)));
            self.bullet(&(number + 1).to_string(), &text)?;
            for command in &recommendation.commands {
                self.command(&shown(command))?;
            }
            if let Some(undo) = &recommendation.undo {
                self.command(&format!("undo: {}", shown(undo)))?;
            }
        }
        Ok(())
    }

    pub(super) fn evidence(&mut self) -> io::Result<()> {
        let report = self.report;
        self.heading("EVIDENCE", "")?;
        if let Some(evidence) = &report.evidence {
            let name = evidence.event_name.unwrap_or("?");
            let place = match (evidence.buffer, evidence.offset) {
                (Some(buffer), Some(offset)) => format!("buffer {buffer}, offset {offset:#x}, "),
                _ => String::new(),
            };
            self.paragraph(&format!(
                "first failure: {place}CPU {}, event {} ({name}), endpoint {}",
                evidence.cpu, evidence.event_id, evidence.endpoint
            ))?;
            self.paragraph("the same in Network Monitor: Wscore_MicrosoftWindowsWinsockAFD.AFD_EVENT_BIND.Status.LENTStatus.Code == 0x209")?;
        }
        if !report.traces.is_empty() {
            self.what_was_read()?;
        }
        self.port_ranges()?;
        for side in &report.side_inputs {
            let mut text = format!("{}: {}", shown(base_name(&side.path)), side.kind);
            if !side.used {
                text.push_str(", not used");
            }
            if let Some(note) = &side.note {
                text.push_str(&format!(" ({})", shown(note)));
            }
            self.paragraph(&text)?;
        }
        Ok(())
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
        let report = self.report;
        let (mut buffers, mut records) = (0, 0);
        for trace in &report.traces {
            buffers += trace.buffers;
            records += trace.records;
        }
        let coverage = &report.coverage;
        let damaged: u64 = report.traces.iter().map(|trace| trace.buffers_damaged).sum();
        self.paragraph(&format!(
            "read: {}, {damaged} of them damaged, {}: {} decoded, {} not needed, {} unknown, {} malformed",
            counted(buffers, "buffer"),
            counted(records, "record"),
            grouped(coverage.records_decoded),
            grouped(coverage.records_skipped),
            grouped(coverage.records_unknown),
            grouped(coverage.records_malformed),
        ))
    }
}

fn counted_entries(count: usize) -> String {
    if count == 1 { "1 entry".to_owned() } else { format!("{} entries", grouped(count as u64)) }
}
