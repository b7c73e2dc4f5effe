//! The report for people: the answer first, then who, how sure, what next, and the evidence last.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use unicode_width::UnicodeWidthStr;

use super::table::{Align, Table, command_lines, cut, wrap};
use super::{ProcessRow, Report, TraceSummary, shown, windows_name};
use crate::analysis::tally::OwnerSource;
use crate::analysis::verdict::{Confidence, State, counted, grouped};
use crate::event::base_name;
use crate::status::NtStatus;
use crate::time::{FileTime, duration_text};

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

const HEADING: Style = Style::new().bold();
const ALARM: Style = AnsiColor::Red.on_default().bold();
const CALM: Style = AnsiColor::Green.on_default().bold();
const DOUBT: Style = AnsiColor::Yellow.on_default().bold();

/// Writes the report. Styles are written as escape sequences; the writer strips them where they are not wanted.
///
/// # Errors
///
/// What writing says.
pub fn write(report: &Report, layout: Layout, out: &mut dyn Write) -> io::Result<()> {
    let mut page = Page { report, layout, out };
    page.traces()?;
    page.answer()?;
    page.who_suffered()?;
    page.ports_held()?;
    page.other_failures()?;
    page.how_sure()?;
    page.next()?;
    page.evidence()
}

struct Page<'r, 'w> {
    report: &'r Report,
    layout: Layout,
    out: &'w mut dyn Write,
}

impl<'r> Page<'r, '_> {
    fn line(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "{text}")
    }

    fn heading(&mut self, title: &str, explanation: &str) -> io::Result<()> {
        writeln!(
            self.out,
            "\n{HEADING}{title}{HEADING:#}{}{explanation}",
            if explanation.is_empty() { "" } else { "   " }
        )
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

    fn traces(&mut self) -> io::Result<()> {
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
            self.line("(no trace)")?;
        }
        Ok(())
    }

    fn answer(&mut self) -> io::Result<()> {
        let report = self.report;
        let verdict = &report.verdict;
        let (style, answer) = match verdict.state {
            State::Exhausted => (ALARM, "YES"),
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
            State::Exhausted => {
                let failures = &report.failures;
                if failures.binds > 0 {
                    let completed: u64 = report
                        .processes
                        .iter()
                        .map(|row| row.binds_ok + row.bind_failures + row.other_bind_failures)
                        .sum();
                    let (failed, of) = (grouped(failures.binds), counted(completed, "bind"));
                    let status = NtStatus::TOO_MANY_ADDRESSES;
                    self.paragraph(&format!(
                        "{failed} of {of} failed with STATUS_TOO_MANY_ADDRESSES ({status}; Winsock 10055 or 10048)"
                    ))?;
                }
                if failures.connects > 0 {
                    let count = counted(failures.connects, "connect");
                    self.paragraph(&format!("{count} failed with the same status"))?;
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
            }
            State::NotSeen | State::CannotTell => {
                for reason in &verdict.reasons {
                    self.paragraph(&sentence(&reason.text))?;
                }
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

    fn command(&mut self, command: &str) -> io::Result<()> {
        command_lines(command, self.layout.width).iter().try_for_each(|line| self.line(line))
    }

    /// `, TCP over IPv4`, where the failures tell.
    fn pools_hit(&self) -> String {
        let mut pools: Vec<String> = Vec::new();
        for row in self.report.addresses.iter().filter(|row| row.bind_failures > 0) {
            let (Some(protocol), Some(family)) = (row.protocol, row.family) else { continue };
            let pool = format!("{} over {}", protocol.name(), family.name());
            if !pools.contains(&pool) {
                pools.push(pool);
            }
        }
        if pools.is_empty() { String::new() } else { format!(", {}", pools.join(" and ")) }
    }

    fn who_suffered(&mut self) -> io::Result<()> {
        let report = self.report;
        let sufferers = self.sufferers();
        if sufferers.is_empty() {
            return Ok(());
        }
        self.heading("WHO SUFFERED", "none of these is to blame for that alone")?;
        let connects = report.failures.connects > 0;
        let mut columns = vec![("process", Align::Left), ("PID", Align::Right)];
        let services = sufferers.iter().any(|row| !row.services.is_empty());
        if services {
            columns.push(("services", Align::Left));
        }
        columns.push(("failed", Align::Right));
        columns.push(("of binds", Align::Right));
        if connects {
            columns.push(("connects", Align::Right));
        }
        columns.extend([("first", Align::Left), ("last", Align::Left), ("owner known by", Align::Left)]);
        let mut table = Table::new(&columns);
        for row in sufferers.iter().take(self.layout.top) {
            let completed = row.binds_completed();
            let mut cells = vec![name(row), pid(row)];
            if services {
                cells.push(cut(&shown(&row.services.join(", ")), 24));
            }
            cells.push(grouped(row.bind_failures));
            cells.push(percent(row.bind_failures, completed));
            if connects {
                cells.push(grouped(row.connect_failures));
            }
            cells.push(row.first_failure.map(FileTime::to_clock).unwrap_or_default());
            cells.push(row.last_failure.map(FileTime::to_clock).unwrap_or_default());
            cells.push(known_by(row));
            table.row(cells);
        }
        self.table(&table)?;
        let hidden = sufferers.get(self.layout.top..).unwrap_or(&[]);
        if !hidden.is_empty() {
            let failed: u64 = hidden.iter().map(|row| row.bind_failures + row.connect_failures).sum();
            self.line(&format!("  ({} more, with {})", hidden.len(), counted(failed, "failure")))?;
        }
        Ok(())
    }

    /// Processes with bind or connect failures, most bind failures first.
    fn sufferers(&self) -> Vec<&'r ProcessRow> {
        let failed = |row: &&ProcessRow| row.bind_failures + row.connect_failures > 0;
        let mut rows: Vec<&ProcessRow> = self.report.processes.iter().filter(failed).collect();
        rows.sort_by_key(|row| std::cmp::Reverse((row.bind_failures, row.connect_failures)));
        rows
    }

    fn ports_held(&mut self) -> io::Result<()> {
        let report = self.report;
        let mut holders: Vec<&ProcessRow> = report.processes.iter().filter(|row| row.ports_held_peak > 0).collect();
        if holders.is_empty() {
            return Ok(());
        }
        holders.sort_by_key(|row| (std::cmp::Reverse((row.ports_held_end, row.ports_held_peak)), row.pid));
        self.heading("PORTS HELD", "binds without a close yet, as far as this trace shows them")?;
        let mut table = Table::new(&[
            ("process", Align::Left),
            ("PID", Align::Right),
            ("at the end", Align::Right),
            ("peak", Align::Right),
            ("sockets created", Align::Right),
            ("closed", Align::Right),
            ("binds ok", Align::Right),
        ]);
        for row in holders.iter().take(self.layout.top) {
            let counts =
                [row.ports_held_end, row.ports_held_peak, row.sockets_created, row.sockets_closed, row.binds_ok];
            table.row([name(row), pid(row)].into_iter().chain(counts.map(grouped)).collect());
        }
        self.table(&table)?;
        let hidden = holders.get(self.layout.top..).unwrap_or(&[]);
        if !hidden.is_empty() {
            let held: u64 = hidden.iter().map(|row| row.ports_held_end).sum();
            self.line(&format!("  ({} more, holding {} at the end)", hidden.len(), counted(held, "port")))?;
        }
        self.paragraph("Not visible here: ports bound before the capture began, TIME_WAIT, and the kernel's own.")
    }

    fn other_failures(&mut self) -> io::Result<()> {
        let report = self.report;
        let others: Vec<_> =
            report.failures.by_status.iter().filter(|row| row.status != NtStatus::TOO_MANY_ADDRESSES).collect();
        if others.is_empty() {
            return Ok(());
        }
        self.heading("OTHER FAILURES", "not port exhaustion, counted apart")?;
        let mut table = Table::new(&[
            ("status", Align::Left),
            ("", Align::Left),
            ("operation", Align::Left),
            ("count", Align::Right),
            ("", Align::Left),
        ]);
        let hidden = others.get(self.layout.top..).unwrap_or(&[]);
        for row in others.iter().take(self.layout.top) {
            let meaning = match row.status {
                NtStatus::ADDRESS_ALREADY_EXISTS | NtStatus::SHARING_VIOLATION => "a fixed port is in use",
                status if status.shares_low_word_only() => "same low word as 0xC0000209, another status",
                _ => "",
            };
            let status_name = row.name.unwrap_or("unknown status");
            table.row(vec![
                status_name.to_owned(),
                row.status.to_string(),
                row.operation.to_owned(),
                grouped(row.count),
                meaning.to_owned(),
            ]);
        }
        self.table(&table)?;
        if !hidden.is_empty() {
            let count: u64 = hidden.iter().map(|row| row.count).sum();
            self.line(&format!("  ({} more statuses, {} times)", hidden.len(), grouped(count)))?;
        }
        Ok(())
    }

    fn how_sure(&mut self) -> io::Result<()> {
        let report = self.report;
        let doubts: Vec<_> = report.verdict.reasons.iter().filter(|reason| reason.is_doubt()).collect();
        let no_names = !report.processes.is_empty() && report.processes.iter().all(|row| row.image.is_none());
        if report.verdict.state == State::CannotTell && doubts.is_empty() && report.coverage.notes.is_empty() {
            return Ok(());
        }
        self.heading("HOW SURE", "")?;
        let has = |code: &str| doubts.iter().any(|reason| reason.code == code);
        let loss = ["events_lost", "loss_flags", "damaged", "not_closed", "wrapped"];
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
        // The coverage notes tell the other doubts, with the trace and the place.
        for reason in doubts.iter().filter(|reason| matches!(reason.code, "weak_owners" | "single_failure")) {
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

    fn next(&mut self) -> io::Result<()> {
        if self.report.verdict.state != State::Exhausted {
            return Ok(());
        }
        self.heading("NEXT", "who holds the ports, on the server, changing nothing")?;
        self.line("    netstat -anobq > ports.txt")
    }

    fn evidence(&mut self) -> io::Result<()> {
        let report = self.report;
        self.heading("EVIDENCE", "")?;
        if let Some(evidence) = &report.evidence {
            let name = evidence.event_name.unwrap_or("?");
            self.paragraph(&format!(
                "first failure: buffer {}, offset {:#x}, CPU {}, event {} ({name}), endpoint {}",
                evidence.buffer, evidence.offset, evidence.cpu, evidence.event_id, evidence.endpoint
            ))?;
            self.paragraph("the same in Network Monitor: Wscore_MicrosoftWindowsWinsockAFD.AFD_EVENT_BIND.Status.LENTStatus.Code == 0x209")?;
        }
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
        ))?;
        let used: Vec<String> =
            report.side_inputs.iter().filter(|side| side.used).map(|side| shown(base_name(&side.path))).collect();
        if !used.is_empty() {
            self.paragraph(&format!("side files: {}", used.join(", ")))?;
        }
        Ok(())
    }
}

fn machine(trace: &TraceSummary) -> String {
    let bits = trace.pointer_size * 8;
    let (Some(build), Some(processors)) = (trace.os_build, trace.processors) else {
        return format!("system not told, {bits}-bit");
    };
    let system = match windows_name(build) {
        Some(name) => format!("{name} ({build})"),
        None => format!("Windows build {build}"),
    };
    format!("{system}, {}, {bits}-bit", counted(processors.into(), "CPU"))
}

fn span(trace: &TraceSummary) -> Option<String> {
    let started = trace.started?;
    Some(match trace.ended {
        Some(ended) if ended >= started => {
            let length = duration_text(ended.since(started));
            let end = if ended.to_date() == started.to_date() { ended.to_clock() } else { ended.to_date_and_time() };
            format!("{} – {end} UTC ({length})", started.to_date_and_time())
        }
        _ => format!("{} UTC – not closed", started.to_date_and_time()),
    })
}

/// The image, or what stands for it.
fn name(row: &ProcessRow) -> String {
    match (&row.image, row.pid) {
        (Some(image), _) => shown(image),
        (None, Some(0)) => "(Idle)".to_owned(),
        (None, Some(4)) => "(System)".to_owned(),
        (None, Some(_)) => "(name unknown)".to_owned(),
        (None, None) => "(owner unknown)".to_owned(),
    }
}

fn pid(row: &ProcessRow) -> String {
    row.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string())
}

fn who(row: &ProcessRow) -> String {
    match row.pid {
        Some(pid) => format!("{} (PID {pid})", name(row)),
        None => "a process that the trace does not tell".to_owned(),
    }
}

/// How the owner of most of a row's failures is known.
fn known_by(row: &ProcessRow) -> String {
    let source = row.owner_source;
    let ways = [
        (source.created_socket, "socket creation"),
        (source.eprocess, "EPROCESS"),
        (source.header_pid, "record header"),
        (source.unknown, "not known"),
    ];
    let mut ways: Vec<_> = ways.into_iter().filter(|(count, _)| *count > 0).collect();
    ways.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
    match ways.as_slice() {
        [] => String::new(),
        [(_, way)] => (*way).to_owned(),
        [(_, way), ..] => format!("mostly {way}"),
    }
}

/// A share with at most one decimal; never rounded up to 100 %, nor down to 0 %.
fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "-".to_owned();
    }
    let per_mille = u128::from(part) * 1000 / u128::from(whole);
    match per_mille {
        0 if part > 0 => "<0.1 %".to_owned(),
        1000.. => "100 %".to_owned(),
        0 => "0 %".to_owned(),
        _ => format!("{}.{} %", per_mille / 10, per_mille % 10),
    }
}

fn sentence_start(text: &str) -> String {
    let mut characters = text.chars();
    match characters.next() {
        Some(first) => first.to_uppercase().chain(characters).collect(),
        None => String::new(),
    }
}

fn sentence(text: &str) -> String {
    format!("{}.", sentence_start(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_not_rounded_to_certainty() {
        assert_eq!(percent(9999, 10000), "99.9 %");
        assert_eq!(percent(1, 10000), "<0.1 %");
        assert_eq!(percent(5, 5), "100 %");
        assert_eq!(percent(0, 5), "0 %");
        assert_eq!(percent(0, 0), "-");
    }
}
