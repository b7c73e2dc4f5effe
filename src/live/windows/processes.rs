//! Processes: names, times of creation, handle counts, of one table and without opening any: services under other accounts cannot
//! be opened without a privilege, and to be opened looks like an attack.

use super::super::system::{RunningProcess, WhyMissing};
use super::super::tables::{self, ListedProcess};
use super::information::SystemTable;

/// `SystemProcessInformation`.
const ALL_PROCESSES: i32 = 5;

fn listed() -> Result<Vec<ListedProcess>, WhyMissing> {
    let table = SystemTable::of(ALL_PROCESSES)?;
    let listed = tables::processes(table.bytes(), table.address());
    if listed.is_empty() { Err("the system lists none".to_owned()) } else { Ok(listed) }
}

pub(super) fn processes() -> Result<Vec<RunningProcess>, WhyMissing> {
    // PID 0 is what is left of the processors' time.
    Ok(listed()?.into_iter().map(|listed| listed.process).filter(|process| process.pid != 0).collect())
}

pub(super) fn handle_counts() -> Result<Vec<(u32, u64)>, WhyMissing> {
    Ok(listed()?.into_iter().map(|listed| (listed.process.pid, listed.handles.into())).collect())
}
