//! Who suffered, and what failed for other reasons.

use std::io;

use super::Page;
use crate::diagnosis::StatusMeaning;
use crate::report::ProcessRow;
use crate::report::wording::{known_by, name, percent, pid};
use crate::status::NtStatus;
use crate::words::shown;
use crate::words::table::{Align, Table};
use crate::words::{counted, grouped};

impl Page<'_, '_> {
    pub(super) fn who_suffered(&mut self) -> io::Result<()> {
        let report = self.report;
        let row = |index: &usize| report.processes.get(*index);
        let sufferers: Vec<&ProcessRow> = report.sufferers.iter().filter_map(row).collect();
        if sufferers.is_empty() {
            return Ok(());
        }
        self.heading("WHO SUFFERED", "failing does not make a process the cause")?;
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
                cells.push(shown(&row.services.join(", ")));
            }
            cells.push(grouped(row.bind_failures));
            cells.push(percent(row.bind_failures, completed));
            if connects {
                cells.push(grouped(row.connect_failures));
            }
            cells.push(row.first_failure.map(|time| report.failure_clock(time)).unwrap_or_default());
            cells.push(row.last_failure.map(|time| report.failure_clock(time)).unwrap_or_default());
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

    pub(super) fn other_failures(&mut self) -> io::Result<()> {
        let report = self.report;
        let others: Vec<_> =
            report.failures.by_status.iter().filter(|row| row.status != NtStatus::TOO_MANY_ADDRESSES).collect();
        if others.is_empty() {
            return Ok(());
        }
        self.heading("OTHER FAILURES", "not port exhaustion, counted separately")?;
        let mut table = Table::new(&[
            ("status", Align::Left),
            ("", Align::Left),
            ("operation", Align::Left),
            ("count", Align::Right),
            ("", Align::Left),
        ]);
        let hidden = others.get(self.layout.top..).unwrap_or(&[]);
        for row in others.iter().take(self.layout.top) {
            let status_name = row.name.unwrap_or("unknown status");
            table.row(vec![
                status_name.to_owned(),
                row.status.to_string(),
                row.operation.to_owned(),
                grouped(row.count),
                row.meaning.map(StatusMeaning::phrase).unwrap_or_default().to_owned(),
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
