//! The tables of the page.

mod inputs;
mod listed;
mod people;

pub(super) use inputs::{excluded, ranges, side_files, traces, unknown_versions};
pub(super) use listed::{address_use, other_failures, procedure, trends};
pub(super) use people::{all_processes, holders, images, outages, pools, sufferers};

use super::cell::{Row, Table};

/// Rows of a table of processes that stand open. The table of all processes has more.
const TOP: usize = 100;

/// Rows of the table of all processes, and of the inputs.
const MOST: usize = 1_000;

/// Keeps so many rows, and says what is left out. `None` without any.
fn bounded(mut table: Table, most: usize) -> Option<Table> {
    let hidden = table.rows.len().saturating_sub(most);
    table.rows.truncate(most);
    if hidden > 0 {
        table.left_out = Some(format!("{hidden} more are in the JSON report."));
    }
    (!table.rows.is_empty()).then(|| table.share_pointers())
}

fn row(pointer: impl Into<String>, cells: Vec<super::cell::Cell>) -> Row {
    Row { pointer: pointer.into(), cells }
}
