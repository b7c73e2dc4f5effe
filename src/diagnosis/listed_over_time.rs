//! Pools as listings show them that were taken one after the other: who held how much at the moment of each.

use std::collections::BTreeMap;

use serde::Serialize;

use super::grounds::Grounds;
use super::holders::{Subject, last_of_pid};
use super::listings::{Usage, series, usage};
use super::outcome::PoolOutcome;
use super::over_time::{HolderOverTimeRow, NOTABLE_SHARE};
use crate::side::facts::SocketListing;

/// Files and pools that are told.
const MAX_ROWS: usize = 6;

/// Holders that are told apart.
const MAX_HOLDERS: usize = 5;

/// Listings that are told of a file: of more, those with fewest and with most ports in use of each stretch.
const MAX_LISTINGS: usize = 600;

/// A pool in the listings of one file: lists with a number for each listing, in their order. What they count is distinct ports.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ListedOverTimeRow {
    /// Index into `side_inputs`.
    pub source: usize,
    /// Index into `pools`.
    pub pool: usize,
    /// Seconds since midnight of the first listing, by the clock of the machine that it is of.
    pub first_second_of_day: u32,
    /// Seconds from the first listing to each.
    pub seconds: Vec<u64>,
    /// Ports that anybody held.
    pub held: Vec<u32>,
    /// Ports in TIME_WAIT alone.
    pub time_wait: Vec<u32>,
    /// Processes that held most of `held`, five at most, by the most in one listing.
    pub holders: Vec<HolderOverTimeRow>,
    /// Of `held`, ports of all others; 0 where ports are shared and these seem to be more than all.
    pub others: Vec<u32>,
}

/// What one listing shows of a pool.
struct Sample {
    seconds: u64,
    held: u32,
    time_wait: u32,
    /// Ports of each row of the processes.
    by_row: BTreeMap<usize, u32>,
}

impl Sample {
    fn in_use(&self) -> u32 {
        self.held.saturating_add(self.time_wait)
    }
}

/// The pools of all files with two or more listings whose times are known, the pool that speaks first. Of a file that is of
/// several machines, or whose clock goes back, nothing is told.
pub(super) fn listed_over_time(
    grounds: &Grounds<'_>,
    pools: &[PoolOutcome],
    speaking: Option<usize>,
) -> Vec<ListedOverTimeRow> {
    let is_told = |pool: &PoolOutcome| pool.finding.key.compartment.is_own() && pool.finding.local_address.is_none();
    let mut told: Vec<usize> =
        pools.iter().enumerate().filter(|(_, pool)| is_told(pool)).map(|(index, _)| index).collect();
    told.sort_by_key(|index| Some(*index) != speaking);
    let files = series(&grounds.side.listings);
    let timed: Vec<(&[&SocketListing], Vec<u64>, u32)> = files
        .iter()
        .filter(|file| !file.listings.iter().any(|listing| listing.is_part()))
        .filter_map(|file| {
            let seconds = file.seconds_since_first()?;
            Some((file.listings.as_slice(), seconds, file.listings.first()?.taken.as_ref()?.second_of_day))
        })
        .collect();
    let mut rows = Vec::new();
    for (pool, outcome) in told.into_iter().filter_map(|pool| Some((pool, pools.get(pool)?))) {
        for (listings, seconds, first) in &timed {
            let samples = fewer(samples(grounds, outcome, listings, seconds));
            let most = samples.iter().map(Sample::in_use).max().unwrap_or(0);
            let is_notable = most.saturating_mul(NOTABLE_SHARE) >= outcome.finding.range.count;
            if let Some(listing) = listings.first().filter(|_| is_notable && rows.len() < MAX_ROWS) {
                rows.push(row(listing.source, pool, *first, &samples));
            }
        }
    }
    rows
}

fn samples(grounds: &Grounds<'_>, pool: &PoolOutcome, listings: &[&SocketListing], seconds: &[u64]) -> Vec<Sample> {
    let last_of_pid = last_of_pid(grounds.findings.world.processes.processes());
    let subject = |pid: u32| last_of_pid.get(&pid).map_or(Subject::Listed(pid), |index| Subject::Process(*index));
    let (key, range) = (pool.finding.key, pool.finding.range);
    let sample = |(listing, seconds): (&&SocketListing, &u64)| {
        let Usage { held, time_wait, by_pid, .. } = usage(listing, key, range, key.family.is_none());
        let mut by_row: BTreeMap<usize, u32> = BTreeMap::new();
        for (pid, listed) in by_pid {
            if let Some(row) = pid.and_then(|pid| grounds.rows.index.get(&subject(pid))) {
                let ports = by_row.entry(*row).or_default();
                *ports = ports.saturating_add(listed.ports);
            }
        }
        Sample { seconds: *seconds, held, time_wait, by_row }
    };
    listings.iter().zip(seconds).map(sample).collect()
}

/// At most [`MAX_LISTINGS`]: of each stretch the one with fewest ports in use and the one with most, in their order.
fn fewer(samples: Vec<Sample>) -> Vec<Sample> {
    if samples.len() <= MAX_LISTINGS {
        return samples;
    }
    let length = samples.len().div_ceil(MAX_LISTINGS / 2);
    let mut kept = Vec::new();
    let mut rest = samples.into_iter().peekable();
    while rest.peek().is_some() {
        let stretch: Vec<Sample> = rest.by_ref().take(length).collect();
        let at = |ports: Option<(usize, u32)>| ports.map(|(at, _)| at);
        let in_use = || stretch.iter().map(Sample::in_use).enumerate();
        let (least, most) =
            (at(in_use().min_by_key(|(_, ports)| *ports)), at(in_use().max_by_key(|(_, ports)| *ports)));
        let is_kept = |at: usize| Some(at) == least || Some(at) == most;
        kept.extend(stretch.into_iter().enumerate().filter(|(at, _)| is_kept(*at)).map(|(_, sample)| sample));
    }
    kept
}

fn row(source: usize, pool: usize, first_second_of_day: u32, samples: &[Sample]) -> ListedOverTimeRow {
    let mut peaks: BTreeMap<usize, u32> = BTreeMap::new();
    for (row, ports) in samples.iter().flat_map(|sample| &sample.by_row) {
        let peak = peaks.entry(*row).or_default();
        *peak = (*peak).max(*ports);
    }
    let mut peaks: Vec<(usize, u32)> = peaks.into_iter().filter(|(_, peak)| *peak > 0).collect();
    peaks.sort_by_key(|(row, peak)| (std::cmp::Reverse(*peak), *row));
    peaks.truncate(MAX_HOLDERS);
    let ports_of = |row: usize| samples.iter().map(|sample| sample.by_row.get(&row).copied().unwrap_or(0)).collect();
    let others = |sample: &Sample| {
        let named = peaks.iter().filter_map(|(row, _)| sample.by_row.get(row));
        named.fold(sample.held, |rest, ports| rest.saturating_sub(*ports))
    };
    ListedOverTimeRow {
        source,
        pool,
        first_second_of_day,
        seconds: samples.iter().map(|sample| sample.seconds).collect(),
        held: samples.iter().map(|sample| sample.held).collect(),
        time_wait: samples.iter().map(|sample| sample.time_wait).collect(),
        holders: peaks
            .iter()
            .map(|(row, _)| HolderOverTimeRow { process: Some(*row), image: None, ports: ports_of(*row) })
            .collect(),
        others: samples.iter().map(others).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_listings_the_extremes_are_kept() {
        let sample = |number: u32| Sample {
            seconds: number.into(),
            held: if number == 1_001 { 9_000 } else { 100 + number % 3 },
            time_wait: 0,
            by_row: BTreeMap::from([(7, 50)]),
        };
        let kept = fewer((0..2_000).map(sample).collect());
        assert!(kept.len() <= MAX_LISTINGS && kept.is_sorted_by_key(|sample| sample.seconds), "{}", kept.len());
        assert!(kept.iter().any(|sample| (sample.seconds, sample.held) == (1_001, 9_000)));
        let row = row(0, 1, 60, &kept);
        assert_eq!((row.holders.len(), row.holders[0].process, row.others[0]), (1, Some(7), row.held[0] - 50));
        assert_eq!(fewer((0..600).map(sample).collect()).len(), 600);
    }
}
