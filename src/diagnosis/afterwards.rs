//! What happened in the pool that speaks after its failures had ended: who made room, and who fills it again.

use serde::Serialize;

use super::forecast::{StepLevel, grows_from};
use super::grounds::Grounds;
use super::holders::Subject;
use super::outcome::PoolOutcome;
use super::pools::PoolFinding;
use crate::machine::owner::is_kernel;
use crate::machine::timeline::Steps;
use crate::time::FileTime;

/// A process that closed many sockets older than the trace when failures ended. No event tells whether these had ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RoomMade {
    /// Index into the processes.
    pub process: usize,
    /// Sockets, one right after the other.
    pub sockets: u64,
    /// When the first of them was closed, UTC; nothing failed later.
    pub time: FileTime,
}

/// A process that closed many sockets older than the trace, where nothing shows who has most of a full pool: it may have more such
/// sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClosesOlder {
    /// Index into the processes.
    pub process: usize,
    /// Sockets closed in the trace. No event tells whether these had ports.
    pub sockets: u64,
}

/// A process that takes more and more ports of a pool that was full before.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FillingAgain {
    /// Index into the processes.
    pub process: usize,
    /// Ports of the pool that it held at the end.
    pub ports: u32,
    /// More of them for each minute of the later half of the trace, or since it began to fill again, with one decimal; above 0.
    pub per_minute: f64,
}

/// As many sockets as a quarter of the pool are many.
const MANY_SHARE: u64 = 4;

/// What comes later than this after the last failure need not have ended the failures.
const SOON_100NS: i64 = 60 * FileTime::SECOND;

/// Who closed many sockets older than the trace right after the last failure.
pub(super) fn room_made(grounds: &Grounds<'_>, pool: &PoolFinding) -> Option<RoomMade> {
    if pool.is_explained() || pool.outage.is_none_or(|outage| outage.lasts) {
        return None;
    }
    let last_failure = grounds.rows.rows.iter().filter_map(|row| row.last_failure).max()?;
    let processes = grounds.findings.world.processes.processes().iter().enumerate();
    let of_process = |(index, process): (usize, &crate::machine::processes::Process)| {
        let most = process.tally.closed_older.most_at_once().filter(|_| !is_kernel(process.pid))?;
        let after = most.first.since(last_failure);
        let is_many = most.sockets.saturating_mul(MANY_SHARE) >= u64::from(pool.range.count);
        let row = *grounds.rows.index.get(&Subject::Process(index))?;
        let made = RoomMade { process: row, sockets: most.sockets, time: most.first };
        (is_many && (0..=SOON_100NS).contains(&after)).then_some(made)
    };
    processes.filter_map(of_process).max_by_key(|made| (made.sockets, std::cmp::Reverse(made.process)))
}

/// Who closed most sockets older than the trace, where a full pool is not explained, and these are many.
pub(super) fn closes_older(grounds: &Grounds<'_>, pool: &PoolFinding) -> Option<ClosesOlder> {
    if pool.is_explained() || !grounds.side.listings.is_empty() {
        return None;
    }
    let processes = grounds.findings.world.processes.processes().iter().enumerate();
    let of_process = |(index, process): (usize, &crate::machine::processes::Process)| {
        let sockets = process.tally.closed_older.sockets;
        let is_many = sockets.saturating_mul(MANY_SHARE) >= u64::from(pool.range.count) && !is_kernel(process.pid);
        let row = *grounds.rows.index.get(&Subject::Process(index)).filter(|_| is_many)?;
        Some(ClosesOlder { process: row, sockets })
    };
    processes.filter_map(of_process).max_by_key(|closes| (closes.sockets, std::cmp::Reverse(closes.process)))
}

/// Who takes most of what a pool, which was full before, fills with at the end.
pub(super) fn filling_again(
    grounds: &Grounds<'_>,
    pool: &PoolOutcome,
    timeline: &Steps,
    levels: &[StepLevel],
) -> Option<FillingAgain> {
    let forecast = pool.forecast.filter(|_| pool.finding.outage.is_some_and(|outage| !outage.lasts))?;
    let last = levels.len().checked_sub(1)?;
    let half = grows_from(&pool.finding, timeline);
    let held = |step: usize, process: usize| {
        let of_step = levels.get(step).map(|level| level.by_holder.as_slice()).unwrap_or_default();
        of_step.iter().find(|(row, _)| *row == process).map_or(0, |(_, ports)| *ports)
    };
    let lives = |process: usize| grounds.rows.rows.get(process).is_some_and(|row| row.ended.is_none());
    let grown = levels.get(last)?.by_holder.iter().filter(|(process, _)| lives(*process)).map(|(process, ports)| {
        let more = ports.saturating_sub(held(half, *process));
        (*process, *ports, more)
    });
    let (process, ports, more) = grown.max_by_key(|(process, _, more)| (*more, std::cmp::Reverse(*process)))?;
    let seconds = timeline.seconds().saturating_mul(i64::try_from(last - half).ok()?);
    let per_minute = (f64::from(more) * 600.0 / seconds.max(1) as f64).round() / 10.0;
    // Who takes less than half of it does not fill the pool.
    (per_minute * 2.0 >= forecast.per_minute).then_some(FillingAgain { process, ports, per_minute })
}
