//! Outages: spans of time in which a pool was out of ports, each with who held them then.

use super::holders::{Conclusion, PoolOutage, Subject};
use super::naming::Rows;
use super::pools::share;
use crate::time::FileTime;

/// A span of time in which binds or connects of one pool failed.
#[derive(Debug, Clone, PartialEq)]
pub struct OutageOutcome {
    /// Index into the pools.
    pub pool: usize,
    /// First failure.
    pub first: FileTime,
    /// Last failure.
    pub last: FileTime,
    /// Failures; not 0.
    pub failures: u64,
    /// It goes on when the trace ends.
    pub lasts: bool,
    /// It goes on when the trace ends, and nothing tells of a port that was free since its last failure.
    pub is_full_at_end: bool,
    /// Who held ports then, most first, five at most.
    pub holders: Vec<OutageHolder>,
}

/// Who held ports of a pool in an outage.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OutageHolder {
    /// Index into the processes.
    pub process: usize,
    /// Ports, those in TIME_WAIT counted.
    pub ports: u32,
    /// The same as a part of the pool, from 0 to 1.
    pub share_of_pool: f64,
}

/// Outages of all pools, those at the same time counted once.
pub(super) fn apart(outages: &[OutageOutcome]) -> usize {
    let mut spans: Vec<(FileTime, FileTime)> = outages.iter().map(|outage| (outage.first, outage.last)).collect();
    spans.sort_unstable();
    let (mut apart, mut until) = (0, None);
    for (first, last) in spans {
        apart += usize::from(until.is_none_or(|until| first > until));
        until = until.max(Some(last));
    }
    apart
}

/// The outages of the case, by time.
pub(super) fn outages(conclusion: &Conclusion, rows: &Rows) -> Vec<OutageOutcome> {
    let outcome = |outage: &PoolOutage| {
        let count = conclusion.pools.get(outage.pool).map_or(0, |pool| pool.range.count);
        let holder = |(subject, ports): &(Subject, u32)| {
            let process = *rows.index.get(subject)?;
            Some(OutageHolder { process, ports: *ports, share_of_pool: share(*ports, count) })
        };
        OutageOutcome {
            pool: outage.pool,
            first: outage.first,
            last: outage.last,
            failures: outage.failures,
            lasts: outage.lasts,
            is_full_at_end: outage.is_full_at_end,
            holders: outage.holders.iter().filter_map(holder).collect(),
        }
    };
    conclusion.outages.iter().map(outcome).collect()
}
