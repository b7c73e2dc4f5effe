//! Outages: spans of time in which a pool was out of ports, each with who held them then.

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
