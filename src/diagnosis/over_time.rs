//! Pools and failures step by step, as the timeline has them: who held how much when, and who failed when. The same lists are
//! there in the steps of the report, and in finer ones for pictures.
//!
//! A pool is told as it was at the end of a step, or where it was fuller then, at a failure in it: an outage is shorter than
//! many a step.

use std::collections::BTreeMap;

use serde::Serialize;

use super::forecast::level;
use super::grounds::Grounds;
use super::images::{ImageOutcome, name_of};
use super::outages::OutageOutcome;
use super::outcome::PoolOutcome;
use super::pools::PoolFinding;
use super::state::State;
use super::suspect::Suspect;
use crate::machine::levels::Level;
use crate::machine::pool_key::PoolKey;
use crate::machine::timeline::{Step, Steps};
use crate::time::FileTime;

/// Pools that are told step by step.
const MAX_POOLS: usize = 6;

/// Holders that are told apart in a pool.
const MAX_HOLDERS: usize = 5;

/// Processes whose ports are told.
const MAX_PROCESSES: usize = 8;

/// Processes whose failures are told.
const MAX_VICTIMS: usize = 20;

/// A pool without failures is of interest from this part of it on (one in ten).
pub(super) const NOTABLE_SHARE: u32 = 10;

/// A pool over time: lists with a number for each step of the timeline. What they count is distinct ports at the end of the step,
/// or where more were in use then, at a failure in it.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PoolOverTimeRow {
    /// Index into `pools`.
    pub pool: usize,
    /// Ports that sockets held.
    pub held: Vec<u32>,
    /// Ports in TIME_WAIT, by estimate with the shorter length.
    pub time_wait: Vec<u32>,
    /// Ports that TCP/IP's own events show, and no socket: of connections older than the trace, and of the kernel.
    pub transport: Vec<u32>,
    /// Ports that are excluded or reserved and that no socket holds; the same at all times.
    pub set_aside: u32,
    /// Fewest ports that sockets held or that were in TIME_WAIT at one moment of the step; the latter by the same estimate.
    pub least: Vec<u32>,
    /// The most, likewise.
    pub most: Vec<u32>,
    /// Where the pool was out of ports, those that the trace does not show; else 0.
    pub not_visible: Vec<u32>,
    /// Binds and connects that failed with 0xC0000209 in each step, at whatever local address.
    pub failures: Vec<u64>,
    /// Who held most of `held`, five at most, by the most at one time: images where one speaks for the case, else processes.
    pub holders: Vec<HolderOverTimeRow>,
    /// Of `held`, ports of all others; 0 where ports are shared and these seem to be more than all.
    pub others: Vec<u32>,
    /// The processes that held most of `held`, eight at most, by the most at one time.
    pub processes: Vec<HolderOverTimeRow>,
}

/// Ports that a process, or all processes of an image, held over time.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct HolderOverTimeRow {
    /// Index into `processes`; `None` for an image.
    pub process: Option<usize>,
    /// Index into `images`; `None` for a process.
    pub image: Option<usize>,
    /// Ports in each step.
    pub ports: Vec<u32>,
}

/// Failures of a process over time.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct VictimOverTimeRow {
    /// Index into `processes`.
    pub process: usize,
    /// Binds and connects that failed with 0xC0000209 in each step.
    pub failures: Vec<u64>,
}

/// Pools and failures in even steps.
#[derive(Debug, Clone, Default)]
pub struct OverTime {
    /// Start of the first step.
    pub start: FileTime,
    /// Length of each step; 0 without steps.
    pub length_100ns: i64,
    /// The pools that matter, the one that speaks for the case first; six at most.
    pub pools: Vec<PoolOverTimeRow>,
    /// Failures of the processes with most, 20 at most.
    pub failures: Vec<VictimOverTimeRow>,
}

/// Who holds: a process, or all processes of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum HolderIndex {
    /// Index into the images.
    Image(usize),
    /// Index into the processes.
    Process(usize),
}

/// What pools over time are drawn from.
pub(super) struct Course<'a> {
    /// The steps of the report, and fine ones.
    pub(super) timelines: (&'a Steps, &'a Steps),
    /// Traces and processes.
    pub(super) grounds: &'a Grounds<'a>,
    /// Pools.
    pub(super) pools: &'a [PoolOutcome],
    /// Images.
    pub(super) images: &'a [ImageOutcome],
    /// Outages.
    pub(super) outages: &'a [OutageOutcome],
    /// Index of the pool that speaks for the case.
    pub(super) speaking: Option<usize>,
    /// Who is named for it.
    pub(super) suspect: &'a Suspect,
}

impl Course<'_> {
    /// In the steps of the report, and in fine ones: the same pools with the same holders, as the fine steps rank them.
    pub(super) fn over_time(&self, sufferers: &[usize]) -> (OverTime, OverTime) {
        let (of_report, fine) = self.timelines;
        let all = |timeline: &Steps, pools| OverTime {
            start: timeline.start,
            length_100ns: timeline.length_100ns,
            pools,
            failures: self.victims(timeline, sufferers),
        };
        let in_both = |mut told: PoolOverTimeRow| {
            let mut in_report = self.pool(of_report, told.pool, Some(&told))?;
            leave_out_brief(&mut in_report, &mut told);
            Some((in_report, told))
        };
        let (in_report, in_fine) = self.pools(fine).into_iter().filter_map(in_both).unzip();
        (all(of_report, in_report), all(fine, in_fine))
    }

    /// The pools that matter, the one that speaks first. Pools of one local address are told with those of all: the timeline
    /// does not tell them apart.
    fn pools(&self, timeline: &Steps) -> Vec<PoolOverTimeRow> {
        let whole = |index: usize| {
            let key = self.pools.get(index)?.finding.key;
            self.pools.iter().position(|pool| pool.finding.key == key && pool.finding.local_address.is_none())
        };
        let speaking = self.speaking.and_then(whole);
        let mut told: Vec<usize> = (0..self.pools.len()).filter(|index| whole(*index) == Some(*index)).collect();
        told.sort_by_key(|index| Some(*index) != speaking);
        let all: Vec<PoolOverTimeRow> = told.into_iter().filter_map(|index| self.pool(timeline, index, None)).collect();
        let peak = |pool: &PoolOverTimeRow| pool.occupied().max().unwrap_or(0);
        let matters = |pool: &&PoolOverTimeRow| {
            let outcome = self.pools.get(pool.pool);
            outcome.is_some_and(|outcome| {
                matches!(outcome.state, State::Exhausted | State::Near)
                    || peak(pool).saturating_mul(NOTABLE_SHARE) >= outcome.finding.range.count
            })
        };
        let mut kept: Vec<PoolOverTimeRow> = all.iter().filter(matters).take(MAX_POOLS).cloned().collect();
        if kept.is_empty() {
            // The first of equals: `max_by_key` would give the last.
            kept.extend(all.iter().rev().max_by_key(|pool| peak(pool)).cloned());
        }
        kept
    }

    /// A pool in steps; with the holders of `ranked`, where that is given. `None` where nothing of it is in use, and nothing is
    /// given.
    fn pool(&self, timeline: &Steps, index: usize, ranked: Option<&PoolOverTimeRow>) -> Option<PoolOverTimeRow> {
        let finding = &self.pools.get(index)?.finding;
        let steps = &timeline.steps;
        let one = |step: &Step| fullest(step, finding.key).map(|level| (level.held, level.time_wait, level.occupied));
        let levels: Vec<(u32, u32, u32)> = steps.iter().map(|step| one(step).unwrap_or_default()).collect();
        let failures: Vec<u64> =
            steps.iter().map(|step| step.failed_in.get(&finding.key).copied().unwrap_or(0)).collect();
        let is_idle = levels.iter().all(|(_, _, occupied)| *occupied == 0) && failures.iter().all(|count| *count == 0);
        if is_idle && ranked.is_none() {
            return None;
        }
        let range = |step: &Step| step.range(finding.key).map_or((0, 0), |range| (range.least, range.most));
        let (least, most) = steps.iter().map(range).unzip();
        let is_here = |image: &usize| self.images.get(*image).is_some_and(|image| image.pool == index);
        let is_image = match self.suspect {
            Suspect::Image(image) => is_here(image),
            Suspect::Images(images) => images.iter().all(is_here),
            _ => false,
        };
        let of_process = |row: usize| Some(HolderIndex::Process(row));
        let of_image = |row: usize| self.image_of(index, row).map(HolderIndex::Image).or(of_process(row));
        let processes = match ranked {
            Some(ranked) => ranked.processes.iter().filter_map(HolderOverTimeRow::index).collect(),
            None => self.largest(timeline, finding, of_process, MAX_PROCESSES),
        };
        let processes = self.series(timeline, finding, of_process, &processes);
        let holders = if is_image {
            let holders = match ranked {
                Some(ranked) => ranked.holders.iter().filter_map(HolderOverTimeRow::index).collect(),
                None => self.largest(timeline, finding, of_image, MAX_HOLDERS),
            };
            self.series(timeline, finding, of_image, &holders)
        } else {
            processes.get(..MAX_HOLDERS).unwrap_or(&processes).to_vec()
        };
        let mut told = PoolOverTimeRow {
            pool: index,
            held: levels.iter().map(|(held, ..)| *held).collect(),
            time_wait: levels.iter().map(|(_, time_wait, _)| *time_wait).collect(),
            transport: levels
                .iter()
                .map(|(held, waits, all)| all.saturating_sub(held.saturating_add(*waits)))
                .collect(),
            set_aside: finding.idle.min(finding.range.count),
            least,
            most,
            not_visible: Vec::new(),
            failures,
            holders,
            others: Vec::new(),
            processes,
        };
        told.others = told.others();
        told.not_visible = self.not_visible(timeline, finding, &told);
        Some(told)
    }

    /// Where the pool had no port left, all are taken, whoever has them.
    fn not_visible(&self, timeline: &Steps, finding: &PoolFinding, told: &PoolOverTimeRow) -> Vec<u32> {
        let is_counted = finding.refuted.is_none() && !finding.is_not_understood();
        let of_step = |(number, (step, occupied)): (usize, (&Step, u32))| {
            let (start, end) = (timeline.start_of(number), timeline.start_of(number + 1));
            let until = if is_at_failure(step, finding.key) { start } else { end };
            let is_in = |outage: &OutageOutcome| outage.first <= end && (outage.last >= until || outage.is_full_at_end);
            let is_full = is_counted && self.outages.iter().filter(|outage| outage.pool == told.pool).any(is_in);
            if is_full { finding.range.count.saturating_sub(occupied) } else { 0 }
        };
        timeline.steps.iter().zip(told.occupied()).enumerate().map(of_step).collect()
    }

    /// Those with most ports at one time, most first.
    fn largest(
        &self,
        timeline: &Steps,
        finding: &PoolFinding,
        of: impl Fn(usize) -> Option<HolderIndex>,
        count: usize,
    ) -> Vec<HolderIndex> {
        let mut most: BTreeMap<HolderIndex, u32> = BTreeMap::new();
        for step in &timeline.steps {
            for (holder, ports) in self.ports_of(step, finding, &of) {
                let known = most.entry(holder).or_default();
                *known = (*known).max(ports);
            }
        }
        let mut all: Vec<(HolderIndex, u32)> = most.into_iter().collect();
        all.sort_by_key(|(_, ports)| std::cmp::Reverse(*ports));
        all.into_iter().take(count).map(|(holder, _)| holder).collect()
    }

    /// Ports of these holders in each step. Of all holders they would be very many.
    fn series(
        &self,
        timeline: &Steps,
        finding: &PoolFinding,
        of: impl Fn(usize) -> Option<HolderIndex>,
        holders: &[HolderIndex],
    ) -> Vec<HolderOverTimeRow> {
        let none = || vec![0_u32; timeline.steps.len()];
        let mut rows: Vec<HolderOverTimeRow> = holders.iter().map(|holder| holder.row(none())).collect();
        let places: BTreeMap<HolderIndex, usize> = holders.iter().copied().zip(0..).collect();
        for (number, step) in timeline.steps.iter().enumerate() {
            for (holder, ports) in self.ports_of(step, finding, &of) {
                let row = places.get(&holder).and_then(|place| rows.get_mut(*place));
                if let Some(of_step) = row.and_then(|row| row.ports.get_mut(number)) {
                    *of_step = ports;
                }
            }
        }
        rows
    }

    /// Ports of each holder in a step.
    fn ports_of(
        &self,
        step: &Step,
        finding: &PoolFinding,
        of: impl Fn(usize) -> Option<HolderIndex>,
    ) -> BTreeMap<HolderIndex, u32> {
        let mut all: BTreeMap<HolderIndex, u32> = BTreeMap::new();
        for (owner, ports) in fullest(step, finding.key).into_iter().flat_map(Level::largest) {
            if let Some(holder) = self.grounds.rows.of_owner(owner, self.grounds.findings).and_then(&of) {
                let sum = all.entry(holder).or_default();
                *sum = sum.saturating_add(ports);
            }
        }
        all
    }

    /// The image of a process that speaks for its processes in a pool.
    fn image_of(&self, pool: usize, row: usize) -> Option<usize> {
        let (name, services) = name_of(self.grounds.rows.rows.get(row)?)?;
        let is_it = |image: &ImageOutcome| {
            image.pool == pool && image.image.to_lowercase() == name && image.services == services
        };
        self.images.iter().position(is_it)
    }

    /// Failures of those who suffered most.
    fn victims(&self, timeline: &Steps, sufferers: &[usize]) -> Vec<VictimOverTimeRow> {
        let told = sufferers.get(..MAX_VICTIMS).unwrap_or(sufferers);
        let none = || vec![0_u64; timeline.steps.len()];
        let mut victims: Vec<VictimOverTimeRow> =
            told.iter().map(|process| VictimOverTimeRow { process: *process, failures: none() }).collect();
        for (number, step) in timeline.steps.iter().enumerate() {
            for (owner, failures) in &step.failed_by {
                let row = self.grounds.rows.of_owner(*owner, self.grounds.findings);
                let victim = victims.iter_mut().find(|victim| Some(victim.process) == row);
                if let Some(sum) = victim.and_then(|victim| victim.failures.get_mut(number)) {
                    *sum += failures;
                }
            }
        }
        victims.retain(|victim| victim.failures.iter().any(|count| *count > 0));
        victims
    }
}

impl HolderIndex {
    fn row(self, ports: Vec<u32>) -> HolderOverTimeRow {
        let (process, image) = match self {
            Self::Process(process) => (Some(process), None),
            Self::Image(image) => (None, Some(image)),
        };
        HolderOverTimeRow { process, image, ports }
    }
}

impl HolderOverTimeRow {
    fn index(&self) -> Option<HolderIndex> {
        self.image.map(HolderIndex::Image).or(self.process.map(HolderIndex::Process))
    }
}

/// Leaves out whoever held ports between the steps of the report alone: in both lists these are among the others.
fn leave_out_brief(in_report: &mut PoolOverTimeRow, fine: &mut PoolOverTimeRow) {
    let leave_out = |in_report: &mut Vec<HolderOverTimeRow>, fine: &mut Vec<HolderOverTimeRow>| {
        let are_told: Vec<bool> = in_report.iter().map(|row| row.ports.iter().any(|ports| *ports > 0)).collect();
        for rows in [in_report, fine] {
            let mut are_told = are_told.iter();
            rows.retain(|_| are_told.next() == Some(&true));
        }
    };
    leave_out(&mut in_report.holders, &mut fine.holders);
    leave_out(&mut in_report.processes, &mut fine.processes);
    for told in [in_report, fine] {
        told.others = told.others();
    }
}

/// How full a pool was at the end of a step, or at a failure in it.
fn fullest(step: &Step, pool: PoolKey) -> Option<&Level> {
    if is_at_failure(step, pool) { step.level_at_failure(pool) } else { level(step, pool) }
}

/// Whether a pool was no less full at a failure in a step than at its end.
fn is_at_failure(step: &Step, pool: PoolKey) -> bool {
    let at_end = level(step, pool).map_or(0, |level| level.occupied);
    step.level_at_failure(pool).is_some_and(|level| level.occupied >= at_end)
}

impl PoolOverTimeRow {
    fn others(&self) -> Vec<u32> {
        let of_holders = |step: usize| self.holders.iter().filter_map(move |holder| holder.ports.get(step));
        let rest =
            |(step, held): (usize, &u32)| of_holders(step).fold(*held, |rest, ports| rest.saturating_sub(*ports));
        self.held.iter().enumerate().map(rest).collect()
    }

    /// What is known to be in use in each step.
    fn occupied(&self) -> impl Iterator<Item = u32> {
        let sum = |((held, waits), transport): ((&u32, &u32), &u32)| {
            held.saturating_add(*waits).saturating_add(*transport).saturating_add(self.set_aside)
        };
        self.held.iter().zip(&self.time_wait).zip(&self.transport).map(sum)
    }
}
