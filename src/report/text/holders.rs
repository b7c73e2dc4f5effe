//! Who holds the ports.

use std::io;

use super::Page;
use crate::report::summary::{PoolHolders, evidence_name, look_phrase};
use crate::report::wording::{name as name_of, per_minute, percent_of, pid};
use crate::time::FileTime;
use crate::words::shown;
use crate::words::table::{Align, Table};
use crate::words::{counted, grouped};

impl Page<'_, '_> {
    pub(super) fn who_holds(&mut self) -> io::Result<()> {
        for holders in self.report.pool_holders() {
            self.holders_of_pool(&holders)?;
        }
        Ok(())
    }

    fn holders_of_pool(&mut self, of_pool: &PoolHolders) -> io::Result<()> {
        let report = self.report;
        let Some(pool) = report.pools.get(of_pool.pool) else { return Ok(()) };
        let name = of_pool.name.as_ref().map(|name| format!(", {name}")).unwrap_or_default();
        self.heading(&format!("WHO HOLDS THE PORTS{name}"), &of_pool.explanation)?;
        let row = |index: &usize| {
            let holder = report.holders.get(*index)?;
            Some((holder, report.processes.get(holder.process)?))
        };
        let rows: Vec<_> = of_pool.holders.iter().filter_map(row).collect();
        let (shown_rows, hidden) = rows.split_at_checked(self.layout.top).unwrap_or((&rows, &[]));
        let services = shown_rows.iter().any(|(_, row)| !row.services.is_empty());
        let mut columns = vec![("process", Align::Left), ("PID", Align::Right)];
        if services {
            columns.push(("services", Align::Left));
        }
        columns.extend([
            ("ports", Align::Right),
            ("share", Align::Right),
            ("per min", Align::Right),
            ("oldest", Align::Right),
            ("known by", Align::Left),
            ("looks like", Align::Left),
        ]);
        let mut table = Table::new(&columns);
        for (holder, row) in shown_rows {
            let mut cells = vec![name_of(row), pid(row)];
            if services {
                cells.push(shown(&row.services.join(", ")));
            }
            cells.extend([
                grouped(holder.ports.into()),
                percent_of(holder.ports, pool.count),
                holder.growth_per_minute.map(per_minute).unwrap_or_default(),
                row.oldest_port_100ns.map(age_text).unwrap_or_default(),
                evidence_name(holder.evidence).to_owned(),
                look_phrase(holder.look),
            ]);
            table.row(cells);
        }
        if !rows.is_empty() {
            self.table(&table)?;
        }
        if !hidden.is_empty() {
            let ports: u64 = hidden.iter().map(|(holder, _)| u64::from(holder.ports)).sum();
            self.line(&format!("  ({} more, with {})", hidden.len(), counted(ports, "port")))?;
        }
        for sentence in &of_pool.rest {
            self.paragraph(sentence)?;
        }
        Ok(())
    }

    /// How sockets changed from listing to listing.
    pub(super) fn trends(&mut self) -> io::Result<()> {
        let report = self.report;
        if report.trends.is_empty() {
            return Ok(());
        }
        let samples = report.trends.iter().map(|trend| trend.samples).max().unwrap_or(0);
        self.heading("TREND", &format!("sockets in {samples} listings, those that change most first"))?;
        let mut table = Table::new(&[
            ("process", Align::Left),
            ("PID", Align::Right),
            ("state", Align::Left),
            ("first", Align::Right),
            ("last", Align::Right),
            ("peak", Align::Right),
            ("per min", Align::Right),
        ]);
        for trend in report.trends.iter().take(self.layout.top) {
            let row = trend.process.and_then(|index| report.processes.get(index));
            let waits = trend.state.as_deref() == Some("TIME_WAIT");
            let process = match row {
                Some(row) => name_of(row),
                None if waits => "(no longer owned)".to_owned(),
                None => "(name unknown)".to_owned(),
            };
            table.row(vec![
                process,
                trend.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string()),
                shown(trend.state.as_deref().unwrap_or(trend.protocol.name())),
                grouped(trend.first.into()),
                grouped(trend.last.into()),
                grouped(trend.peak.into()),
                trend.per_minute.map(per_minute).unwrap_or_default(),
            ]);
        }
        self.table(&table)?;
        let hidden = report.trends.len().saturating_sub(self.layout.top);
        if hidden > 0 {
            self.line(&format!("  ({hidden} more)"))?;
        }
        Ok(())
    }
}

/// An age in its largest unit.
pub(in crate::report) fn age_text(age_100ns: i64) -> String {
    let seconds = age_100ns / FileTime::SECOND;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}
