//! When a pool that fills will be full.

use std::collections::BTreeMap;

use serde::Serialize;

use super::naming::Rows;
use super::pools::PoolFinding;
use crate::machine::Findings;
use crate::machine::levels::Level;
use crate::machine::pool_key::PoolKey;
use crate::machine::timeline::{Step, Steps};
use crate::time::FileTime;

/// A pool that fills: how much is left, and until when at the present rate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Forecast {
    /// Ports left when the trace ended.
    pub free: u32,
    /// More ports in use for each minute, with one decimal; above 0.
    pub per_minute: f64,
    /// When none is left at this rate, UTC.
    pub full_at: FileTime,
}

/// A pool that has grown by less than this part of it (one in fifty) in the time that is looked at does not fill.
const GROWTH_SHARE: u32 = 50;

/// Nor one that would need longer than this: rates do not last.
const HORIZON_100NS: f64 = (24 * 3600 * FileTime::SECOND) as f64;

/// Steps that show a rate.
const MIN_STEPS: usize = 6;

const MINUTE_100NS: f64 = (60 * FileTime::SECOND) as f64;

/// When a pool will be full that still has ports at the end, by how it grew in both halves of the later half of the trace, or of
/// the time since it began to fill again.
pub(super) fn forecast(pool: &PoolFinding, timeline: &Steps, end: Option<FileTime>) -> Option<Forecast> {
    let steps = &timeline.steps;
    let is_full = pool.outage.is_some_and(|outage| outage.lasts);
    if is_full
        || pool.refuted.is_some()
        || pool.is_not_understood()
        || pool.local_address.is_some()
        || steps.len() < MIN_STEPS
    {
        return None;
    }
    let last = steps.len() - 1;
    let half = grows_from(pool, timeline);
    let quarter = last - (last - half) / 2;
    if last - half < MIN_STEPS / 2 {
        return None;
    }
    // Until TIME_WAIT has lasted once, its ports seem to grow, since those of before the trace are not seen.
    let sees_waiting = timeline.seconds().saturating_mul(i64::try_from(half).ok()?) >= pool.time_wait_seconds.1;
    let occupied =
        |index: usize| {
            let of_pool = steps.get(index).and_then(|step| level(step, pool.key));
            of_pool.map_or(0, |level| {
                if sees_waiting { level.occupied } else { level.occupied.saturating_sub(level.time_wait) }
            })
        };
    let now = occupied(last);
    let length = timeline.seconds().saturating_mul(i64::try_from(last - half).ok()?).saturating_mul(FileTime::SECOND);
    let growth = Growth {
        levels: [occupied(half), occupied(quarter), now],
        length_100ns: length,
        in_use: steps.get(last).and_then(|step| level(step, pool.key)).map_or(now, |level| level.occupied),
        usable: pool.usable(),
    };
    growth.forecast(end?)
}

/// The step after the last failure in which least of a pool was in use at the end: from then on it fills again.
fn lowest_since_failures(pool: &PoolFinding, timeline: &Steps) -> Option<usize> {
    let (_, failed) = pool.failure_span?;
    let in_use = |step: &Step| level(step, pool.key).map_or(0, |level| level.occupied);
    let steps = timeline.steps.iter().enumerate().filter(|(index, _)| timeline.start_of(*index) > failed);
    steps.min_by_key(|(index, step)| (in_use(step), std::cmp::Reverse(*index))).map(|(index, _)| index)
}

/// Where growth of a pool is looked at from: the middle, or where it began to fill again after its last failure.
pub(super) fn grows_from(pool: &PoolFinding, timeline: &Steps) -> usize {
    let half = timeline.steps.len().saturating_sub(1) / 2;
    lowest_since_failures(pool, timeline).map_or(half, |lowest| lowest.max(half))
}

/// How a pool grew.
#[derive(Debug, Clone, Copy)]
pub struct Growth {
    /// Ports that it had given out at the first, the middle and the last of three moments.
    pub levels: [u32; 3],
    /// From the first to the last.
    pub length_100ns: i64,
    /// Ports in use at the last.
    pub in_use: u32,
    /// Ports that it can give out, those in use among them.
    pub usable: u32,
}

impl Growth {
    /// When the pool is full, if it goes on as it grew until `now`: in both parts of the time, so that one step up is no rate.
    pub fn forecast(self, now: FileTime) -> Option<Forecast> {
        let [before, between, last] = self.levels;
        let needed = (self.usable / GROWTH_SHARE).max(1);
        let is_enough = last.checked_sub(before).is_some_and(|growth| growth >= needed);
        if !is_enough || before >= between || between >= last || self.length_100ns <= 0 {
            return None;
        }
        let per_100ns = f64::from(last - before) / self.length_100ns as f64;
        let free = self.usable.checked_sub(self.in_use).filter(|free| *free > 0)?;
        let wait = f64::from(free) / per_100ns;
        let full_at = now.0.checked_add((wait <= HORIZON_100NS).then_some(wait as i64)?)?;
        let per_minute = (per_100ns * MINUTE_100NS * 10.0).round() / 10.0;
        (per_minute > 0.0).then_some(Forecast { free, per_minute, full_at: FileTime(full_at) })
    }
}

/// How full a pool was at the end of a step of the timeline.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StepLevel {
    /// Ports that the pool had given out: held, in TIME_WAIT (by estimate, with the shorter length), TCP/IP's own, reserved; at
    /// most those that it has.
    pub occupied: u32,
    /// Index into the process rows, and ports that sockets of it held, of the five with most, most first.
    pub by_holder: Vec<(usize, u32)>,
}

/// Holders that are told of each step.
const STEP_HOLDERS: usize = 5;

/// How full a pool was at the end of each step; nothing without a pool.
pub(super) fn levels(timeline: &Steps, pool: Option<&PoolFinding>, findings: &Findings, rows: &Rows) -> Vec<StepLevel> {
    let Some(pool) = pool else { return Vec::new() };
    let one = |step: &Step| {
        let Some(level) = level(step, pool.key) else { return StepLevel::default() };
        let mut held: BTreeMap<usize, u32> = BTreeMap::new();
        for (owner, ports) in level.largest() {
            if let Some(row) = rows.of_owner(owner, findings) {
                *held.entry(row).or_default() += ports;
            }
        }
        let mut by_holder: Vec<(usize, u32)> = held.into_iter().collect();
        by_holder.sort_by_key(|(row, ports)| (std::cmp::Reverse(*ports), *row));
        by_holder.truncate(STEP_HOLDERS);
        let occupied = level.occupied.saturating_add(pool.idle).min(pool.range.count);
        StepLevel { occupied, by_holder }
    };
    timeline.steps.iter().map(one).collect()
}

/// How full a pool was at the end of a step.
pub(super) fn level(step: &Step, key: PoolKey) -> Option<&Level> {
    step.levels().iter().find(|level| level.pool == key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::ranges::{PoolRange, RangeSource};
    use crate::machine::timeline::{Happening, Timeline};
    use crate::net::{Family, Protocol};

    const KEY: fn() -> PoolKey = || PoolKey::new(Protocol::Tcp, Family::Ipv4);

    /// A timeline of a minute with so many ports in use at the end of each second, of which so many are in TIME_WAIT.
    fn timeline(occupied: impl Fn(u32) -> u32, waiting: impl Fn(u32) -> u32) -> Steps {
        let mut timeline = Timeline::new(None);
        for second in 0..60 {
            timeline.count(Happening::BindOk, FileTime(i64::from(second) * FileTime::SECOND), 0);
            let mut level = Level::default();
            (level.pool, level.occupied, level.time_wait) = (KEY(), occupied(second), waiting(second));
            timeline.end_step(vec![level], Vec::new());
        }
        timeline.finish().of_report()
    }

    fn of(occupied: impl Fn(u32) -> u32) -> Option<Forecast> {
        with_waiting(occupied, |_| 0)
    }

    fn with_waiting(occupied: impl Fn(u32) -> u32, waiting: impl Fn(u32) -> u32) -> Option<Forecast> {
        let range = PoolRange { start: 50_000, count: 1_000, source: RangeSource::DynamicPortFile };
        let end = FileTime(60 * FileTime::SECOND);
        forecast(&PoolFinding::new(KEY(), range), &timeline(occupied, waiting), Some(end))
    }

    #[test]
    fn a_pool_that_fills_is_full_at_its_rate() {
        let told = of(|second| 100 + 10 * second).unwrap();
        assert_eq!((told.free, told.per_minute), (310, 600.0));
        assert_eq!(told.full_at.since(FileTime(60 * FileTime::SECOND)) / FileTime::SECOND, 31);
    }

    #[test]
    fn a_plateau_a_step_and_a_full_pool_have_no_forecast() {
        assert_eq!(of(|_| 900), None);
        assert_eq!(of(|second| if second < 50 { 100 } else { 600 }), None);
        assert_eq!(of(|second| 1_000 - (60 - second)).map(|told| told.free), Some(1));
        assert_eq!(of(|second| 950 + second), None, "none is left");
    }

    #[test]
    fn time_wait_that_the_trace_is_too_short_for_is_no_growth() {
        assert_eq!(with_waiting(|second| 100 + 10 * second, |second| 10 * second), None);
        let told = with_waiting(|second| 100 + 10 * second, |second| 5 * second).unwrap();
        assert_eq!((told.free, told.per_minute), (310, 300.0), "ports in TIME_WAIT are in use all the same");
    }
}
