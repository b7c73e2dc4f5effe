//! Where sockets are connected to, and ports in use by local address: what listings tell beside who holds.

use std::io;

use super::Page;
use crate::report::wording::percent_of;
use crate::words::table::{Align, Table};
use crate::words::{grouped, shown};

/// Fewer listed sockets than this to one destination are nothing to look at.
const NOTABLE: u64 = 100;

/// Destinations shown.
const TOP: usize = 5;

impl Page<'_, '_> {
    pub(super) fn destinations(&mut self) -> io::Result<()> {
        let report = self.report;
        let rows: Vec<_> = report.destinations.iter().filter(|row| row.sockets >= NOTABLE).collect();
        if rows.is_empty() {
            return Ok(());
        }
        self.heading("CONNECTED TO", "in the last listing of each file: sockets by remote address")?;
        let mut table = Table::new(&[
            ("remote address", Align::Left),
            ("port", Align::Right),
            ("state", Align::Left),
            ("sockets", Align::Right),
        ]);
        for row in rows.iter().take(TOP.min(self.layout.top)) {
            table.row(vec![
                row.remote.map_or_else(|| "(any)".to_owned(), |remote| remote.to_string()),
                row.port.map_or_else(|| "(any)".to_owned(), |port| port.to_string()),
                shown(row.state.as_deref().unwrap_or("")),
                grouped(row.sockets),
            ]);
        }
        self.table(&table)?;
        let hidden = rows.len().saturating_sub(TOP.min(self.layout.top));
        if hidden > 0 {
            self.line(&format!("  ({hidden} more)"))?;
        }
        Ok(())
    }

    pub(super) fn address_use(&mut self) -> io::Result<()> {
        let report = self.report;
        if report.address_use.is_empty() {
            return Ok(());
        }
        self.heading("IN USE BY LOCAL ADDRESS", "dynamic ports, as a script counted them")?;
        let mut table = Table::new(&[
            ("local address", Align::Left),
            ("counts", Align::Right),
            ("first", Align::Right),
            ("last", Align::Right),
            ("peak", Align::Right),
            ("of", Align::Right),
            ("", Align::Right),
        ]);
        for row in report.address_use.iter().take(self.layout.top) {
            table.row(vec![
                row.local_address.to_string(),
                row.samples.to_string(),
                grouped(row.first.into()),
                grouped(row.last.into()),
                grouped(row.peak.into()),
                grouped(row.max.into()),
                percent_of(row.last, row.max),
            ]);
        }
        self.table(&table)?;
        let hidden = report.address_use.len().saturating_sub(self.layout.top);
        if hidden > 0 {
            self.line(&format!("  ({hidden} more)"))?;
        }
        Ok(())
    }
}
