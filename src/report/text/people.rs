//! Who suffered, and what failed for other reasons.

use std::io;

use super::Page;
use super::words::{known_by, name, percent, pid};
use crate::report::ProcessRow;
use crate::status::{NtStatus, shares_low_word_only};
use crate::time::{FileTime, ShownTime as _};
use crate::words::shown;
use crate::words::table::{Align, Table, cut};
use crate::words::{counted, grouped};

impl<'r> Page<'r, '_> {
    pub(super) fn who_suffered(&mut self) -> io::Result<()> {
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
    pub(super) fn sufferers(&self) -> Vec<&'r ProcessRow> {
        let failed = |row: &&ProcessRow| row.bind_failures + row.connect_failures > 0;
        let mut rows: Vec<&ProcessRow> = self.report.processes.iter().filter(failed).collect();
        rows.sort_by_key(|row| std::cmp::Reverse((row.bind_failures, row.connect_failures)));
        rows
    }

    pub(super) fn other_failures(&mut self) -> io::Result<()> {
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
                status if shares_low_word_only(status) => "same low word as 0xC0000209, another status",
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
}
