//! What happened over time as rows of a report: the timeline, outages, trends of listings.

use serde::Serialize;

use crate::net::Protocol;
use crate::time::FileTime;

/// One step of the timeline.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TimelineStep {
    /// Its start, UTC.
    pub start: FileTime,
    /// Its length in whole seconds, the same for all.
    pub seconds: i64,
    /// Binds that succeeded.
    pub binds_ok: u64,
    /// Binds that failed with 0xC0000209.
    pub bind_failures: u64,
    /// Connects that failed with 0xC0000209.
    pub connect_failures: u64,
    /// Ports that came back.
    pub closes: u64,
    /// Distinct ports held at its end, over all pools.
    pub ports_held: u64,
    /// Ports that the pool that speaks for the case had given out at its end; without one, the pool that was fullest.
    pub occupied: Option<u32>,
    /// Ports of that pool that sockets of the five largest holders held at its end, most first.
    pub by_holder: Vec<StepHolderRow>,
}

/// Ports that a process held at the end of a step.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StepHolderRow {
    /// Index into `processes`.
    pub process: usize,
    /// Ports; not 0.
    pub ports: u32,
}

impl TimelineStep {
    /// Binds and connects that failed.
    pub fn failures(&self) -> u64 {
        self.bind_failures + self.connect_failures
    }
}

/// A span of time in which a pool was out of ports: failures no more than a minute apart, or without a port given out in
/// between.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct OutageRow {
    /// Index into `pools`.
    pub pool: usize,
    /// Its first failure, UTC.
    pub first: FileTime,
    /// Its last failure, UTC.
    pub last: FileTime,
    /// Its failures, bind and connect; not 0.
    pub failures: u64,
    /// It goes on when the trace ends.
    pub lasts: bool,
    /// Who held ports then, most first, five at most.
    pub holders: Vec<OutageHolderRow>,
}

/// Who held ports of a pool in an outage.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct OutageHolderRow {
    /// Index into `processes`.
    pub process: usize,
    /// Ports, those in TIME_WAIT counted; not 0.
    pub ports: u32,
    /// The same as a part of the pool, from 0 to 1.
    pub share_of_pool: f64,
}

/// How the sockets of one process in one state changed over the listings of a file.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TrendRow {
    /// Index into `side_inputs`.
    pub source: usize,
    /// Process id; 0 for TIME_WAIT, `None` where the listing does not tell.
    pub pid: Option<u32>,
    /// Index into `processes`, where it has a row there.
    pub process: Option<usize>,
    /// Protocol.
    pub protocol: Protocol,
    /// State, such as `CLOSE_WAIT`; `None` for UDP.
    pub state: Option<String>,
    /// Listings, two at least.
    pub samples: usize,
    /// Sockets in the first listing.
    pub first: u32,
    /// Sockets in the last.
    pub last: u32,
    /// Sockets in the listing with most.
    pub peak: u32,
    /// Change for each minute from the first to the last, with one decimal, where their times are known.
    pub per_minute: Option<f64>,
}
