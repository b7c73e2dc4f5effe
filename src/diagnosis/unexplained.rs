//! What nothing explains of the pools that were full, and where it may be.

use serde::Serialize;

use super::codes::PossibleCause;
use super::grounds::Grounds;
use super::holders::Conclusion;
use super::pools::{PoolFinding, share};

/// Ports of a full pool that nothing explains.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct UnexplainedRow {
    /// Index into the pools.
    pub pool: usize,
    /// Ports; 0 where all are explained.
    pub ports: u32,
    /// The same as a part of the pool, from 0 to 1.
    pub share_of_pool: f64,
    /// What they may be; empty where all are explained.
    pub possible: Vec<PossibleCause>,
}

/// What nothing explains of the pools that were full, and where it may be.
pub(super) fn unexplained(grounds: &Grounds<'_>, began_after: bool) -> Option<Vec<UnexplainedRow>> {
    let Grounds { findings, conclusion, side, .. } = *grounds;
    let rows: Vec<UnexplainedRow> = conclusion
        .pools
        .iter()
        .enumerate()
        .filter_map(|(index, pool)| {
            let ports = pool.unexplained().filter(|_| !pool.is_vague_beside(&conclusion.pools))?;
            let mut possible = Vec::new();
            if ports > 0 {
                let transport = &findings.world.ports.transport;
                if pool.dual_stack > 0 {
                    possible.push(PossibleCause::DualStack);
                }
                if side.listings.is_empty() {
                    if began_after || transport.rundown_connections == 0 {
                        possible.push(PossibleCause::BoundBeforeCapture);
                    }
                    possible.push(PossibleCause::Kernel);
                }
                if pool.hides_bound() {
                    possible.push(PossibleCause::BoundNotListed);
                }
                possible.push(PossibleCause::EndedProcesses);
                if !grounds.has_excluded_listing() {
                    possible.push(PossibleCause::ExcludedRanges);
                }
                if pool.time_wait.1 > pool.time_wait.0 {
                    possible.push(PossibleCause::LongerTimeWait);
                }
                if !side.listings.is_empty() {
                    possible.push(PossibleCause::Kernel);
                }
            }
            let share = share(ports, pool.range.count);
            Some(UnexplainedRow { pool: index, ports, share_of_pool: share, possible })
        })
        .collect();
    (!rows.is_empty()).then_some(rows)
}

/// The largest part of a full pool that nothing explains, from 0 to 1. Where a pool is known, those whose protocol or family is
/// not known do not count: their ports are those of one that is.
pub(super) fn largest_share(conclusion: &Conclusion, unexplained: Option<&[UnexplainedRow]>) -> f64 {
    let is_known = |row: &&UnexplainedRow| conclusion.pools.get(row.pool).is_some_and(PoolFinding::is_known);
    let rows = unexplained.unwrap_or_default();
    // Where sockets of IPv6 may be it, the kernel need not be searched.
    let is_open = |row: &&UnexplainedRow| !row.possible.contains(&PossibleCause::DualStack);
    let largest = |known: bool| {
        let shares = rows.iter().filter(is_open).filter(|row| is_known(row) == known).map(|row| row.share_of_pool);
        shares.reduce(f64::max)
    };
    largest(true).or_else(|| largest(false)).unwrap_or(0.0)
}
