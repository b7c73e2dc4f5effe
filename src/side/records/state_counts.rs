//! Rows of processes with the numbers of their sockets, a column for each state: what scripts write that count for themselves.

use super::{Context, Found};
use crate::net::Protocol;
use crate::side::columns::{Column, Record, grouped_number};
use crate::side::facts::{ListedOwner, ListedSocket, RowCount, SocketListing, TcpState};

/// One such column may be anything: a switch, a threshold.
const MIN_STATES: usize = 2;

/// Counts of a table that is being read.
#[derive(Debug, Clone, Default)]
pub(super) struct StateCounts {
    listing: SocketListing,
}

impl StateCounts {
    /// Whether columns are those of such a table.
    pub(super) fn are_columns(columns: &[Column]) -> bool {
        let states = columns.iter().filter(|column| matches!(column, Column::OfState(_))).count();
        let has = |column| columns.contains(&column);
        has(Column::Pid) && !has(Column::LocalPort) && !has(Column::State) && states >= MIN_STATES
    }

    pub(super) fn row(&mut self, record: &Record<'_>) -> bool {
        let Some(pid) = record.number::<u32>(Column::Pid) else { return false };
        let mut counts: Vec<(TcpState, u32)> = Vec::new();
        for (column, cell) in record.columns.iter().zip(record.cells) {
            let Column::OfState(state) = column else { continue };
            let cell = cell.trim();
            let count = if cell.is_empty() { Some(0) } else { grouped_number(cell) };
            let (Some(count), Some(state)) =
                (count.and_then(|count| u32::try_from(count).ok()), TcpState::numbered(*state))
            else {
                return false;
            };
            counts.push((state, count));
        }
        let name = record.get(Column::ProcessName).or_else(|| record.get(Column::Name));
        if let Some(name) = name.filter(|_| pid != 0) {
            let owner = ListedOwner { image: Some(name.to_owned()), services: Vec::new() };
            self.listing.owners.entry(pid).or_insert(owner);
        }
        let counts = counts.into_iter().filter(|(_, count)| *count > 0);
        self.listing
            .sockets
            .extend(counts.map(|(state, count)| ListedSocket::counted(Protocol::Tcp, Some(state), Some(pid), count)));
        true
    }

    pub(super) fn end(&mut self, count: RowCount, context: &mut Context, found: &mut Found) {
        found.socket_rows.add(count);
        let listing = std::mem::take(&mut self.listing);
        if listing.sockets.is_empty() {
            return;
        }
        found.has_sockets = true;
        let (taken, host) = (context.clock.take(), context.host.name());
        found.tcp.push(SocketListing { taken, asked: context.command.asked(), host, ..listing });
    }
}
