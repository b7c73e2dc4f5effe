//! Who is named first: a process, all processes of an image, the kernel, closed connections, or nobody.

use serde::Serialize;

use super::advice::BLAMED_SHARE;
use super::outcome::{HolderOutcome, Look, PoolOutcome};
use super::state::State;
use super::verdict::EXPLAINED_PERCENT;

/// Who is named first for the pool that speaks for the case.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Suspect {
    /// One process: index into the holders.
    Process(usize),
    /// All processes of an image together: index into the images.
    Image(usize),
    /// The kernel, on behalf of a driver: index into the holders.
    Kernel(usize),
    /// Closed connections, whose ports wait in TIME_WAIT.
    TimeWait(Waiting),
    /// A process whose sockets are counted, and whose ports nothing tells.
    Sockets(SocketsOnly),
    /// Somebody has the ports, and the inputs do not show who.
    NotShown,
    /// No pool was full or nearly full, or nobody is seen to hold ports of it.
    #[default]
    Nobody,
}

/// Ports in TIME_WAIT, as the first screen tells of them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Waiting {
    /// Index into the pools.
    pub pool: usize,
    /// Ports; not 0.
    pub ports: u32,
    /// The same as a part of the pool, from 0 to 1.
    pub share_of_pool: f64,
    /// A listing shows them; else they are an estimate of the trace.
    pub is_listed: bool,
    /// Index into the processes: who is seen to have left most of them, if anything tells.
    pub made_by: Option<usize>,
}

/// Sockets of a process whose ports nothing tells.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct SocketsOnly {
    /// Index into the processes.
    pub process: usize,
    /// Sockets; not 0. They need not all have a port.
    pub sockets: u64,
    /// What counts them.
    pub counted_by: CountedBy,
}

/// What counts sockets whose ports nothing tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CountedBy {
    /// `handle -a afd`: handles to AFD.
    AfdHandles,
    /// Rows of a listing that is grouped by process, and does not tell ports.
    GroupedListing,
}

/// Who is named for the pool that speaks for the case.
pub(super) fn suspect(pool: Option<usize>, pools: &[PoolOutcome], holders: &[HolderOutcome]) -> Suspect {
    let Some((index, pool)) = pool.and_then(|index| Some((index, pools.get(index)?))) else { return Suspect::Nobody };
    let largest = holders.iter().enumerate().find(|(_, row)| row.holder.pool == index);
    let is_hidden = pool.state == State::Exhausted && pool.finding.explained_percent() < EXPLAINED_PERCENT;
    let named = |holder: usize, row: &HolderOutcome| match row.look {
        Look::Kernel => Suspect::Kernel(holder),
        _ => Suspect::Process(holder),
    };
    match largest {
        Some((holder, row)) if row.share_of_pool >= BLAMED_SHARE => named(holder, row),
        _ if is_hidden => Suspect::NotShown,
        Some((holder, row)) => named(holder, row),
        None => Suspect::Nobody,
    }
}
