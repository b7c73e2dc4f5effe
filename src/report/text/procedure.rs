//! The classic procedure in one table.

use std::io;

use super::Page;
use crate::report::ProcedureRow;
use crate::words::grouped;
use crate::words::shown;
use crate::words::table::{Align, Table};

impl Page<'_, '_> {
    pub(super) fn procedure(&mut self) -> io::Result<()> {
        let report = self.report;
        let rows: Vec<&ProcedureRow> = report.procedure.iter().filter(|row| row.is_notable()).collect();
        if rows.is_empty() {
            return Ok(());
        }
        self.heading("NETSTAT VIEW", "in the last listing of each file: sockets by state, and handles")?;
        let mut columns = vec![
            ("process", Align::Left),
            ("PID", Align::Right),
            ("BOUND", Align::Right),
            ("CLOSE_WAIT", Align::Right),
            ("TIME_WAIT", Align::Right),
            ("connected", Align::Right),
        ];
        let has_handles = rows.iter().any(|row| row.handles.is_some());
        let has_afd = rows.iter().any(|row| row.afd_handles.is_some());
        if has_handles {
            columns.push(("handles", Align::Right));
        }
        if has_afd {
            columns.push(("of AFD", Align::Right));
        }
        columns.push(("", Align::Left));
        let mut table = Table::new(&columns);
        for row in rows.iter().take(self.layout.top) {
            let mut cells = vec![
                process(row),
                row.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string()),
                count(row.bound),
                count(row.close_wait),
                count(row.time_wait),
                count(row.established),
            ];
            let optional = |count: Option<u64>| count.map(grouped).unwrap_or_default();
            if has_handles {
                cells.push(optional(row.handles));
            }
            if has_afd {
                cells.push(optional(row.afd_handles));
            }
            let remarks: Vec<&str> = row.remarks.iter().map(|remark| remark.phrase()).collect();
            cells.push(remarks.join(", "));
            table.row(cells);
        }
        self.table(&table)?;
        let hidden = rows.len().saturating_sub(self.layout.top);
        if hidden > 0 {
            self.line(&format!("  ({hidden} more)"))?;
        }
        if report.only_others_wait() {
            self.line("  none of those in TIME_WAIT has a port of the pool")?;
        }
        Ok(())
    }
}

pub(in crate::report) fn process(row: &ProcedureRow) -> String {
    match (&row.image, row.pid) {
        // The name that a process list has for PID 0 is no program's.
        (_, Some(0)) if row.time_wait > 0 => "(no longer owned)".to_owned(),
        (Some(image), None) if !row.services.is_empty() => {
            format!("{} ({})", shown(image), shown(&row.services.join(", ")))
        }
        (Some(image), _) => shown(image),
        (None, Some(4)) => "(System)".to_owned(),
        (None, Some(_)) => "(name unknown)".to_owned(),
        (None, None) => "(owner not listed)".to_owned(),
    }
}

/// Nothing for none: what is there stands out.
fn count(count: u32) -> String {
    if count == 0 { String::new() } else { grouped(count.into()) }
}
