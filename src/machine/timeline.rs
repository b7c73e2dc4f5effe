//! Failures, binds, ports that came back, and how full the pools are, in even steps.

use std::collections::BTreeMap;
use std::ops::Range;

use super::levels::Level;
use super::owner::Owner;
use super::pool_key::PoolKey;
use crate::time::FileTime;

/// Steps of a finished timeline at most.
pub const MAX_STEPS: usize = 60;

/// Steps while it grows: then two become one.
const MAX_GROWING: i64 = 128;

/// Owners of failures that are told apart in a step. A terminal server has some hundreds of processes.
const MAX_FAILED: usize = 1 << 10;

/// One step.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Step {
    /// Binds that succeeded.
    pub binds_ok: u64,
    /// Binds that failed with 0xC0000209.
    pub bind_failures: u64,
    /// Connects that failed with 0xC0000209.
    pub connect_failures: u64,
    /// Ports that came back.
    pub closes: u64,
    /// Whose binds and connects failed: how many, of 1,024 owners at most.
    pub failed_by: BTreeMap<Owner, u64>,
    /// Of which pools they were.
    pub failed_in: BTreeMap<PoolKey, u64>,
    /// Ports held at its end; `None` where nothing happened in it.
    held: Option<u64>,
    /// How full the pools were at its end; `None` where nothing happened in it.
    levels: Option<Vec<Level>>,
    /// How full each pool of which a request failed was at the first failure.
    at_failure: Vec<Level>,
}

impl Step {
    fn failed(&mut self, owner: Owner, pool: PoolKey) {
        count_for(&mut self.failed_by, owner, 1);
        *self.failed_in.entry(pool).or_default() += 1;
    }

    fn add(&mut self, later: &Self) {
        self.binds_ok += later.binds_ok;
        self.bind_failures += later.bind_failures;
        self.connect_failures += later.connect_failures;
        self.closes += later.closes;
        for (owner, failures) in &later.failed_by {
            count_for(&mut self.failed_by, *owner, *failures);
        }
        for (pool, failures) in &later.failed_in {
            *self.failed_in.entry(*pool).or_default() += failures;
        }
        self.held = later.held.or(self.held);
        if later.levels.is_some() {
            self.levels.clone_from(&later.levels);
        }
        for level in &later.at_failure {
            match self.at_failure.iter_mut().find(|known| known.pool == level.pool) {
                Some(known) if known.occupied >= level.occupied => {}
                Some(known) => known.clone_from(level),
                None => self.at_failure.push(level.clone()),
            }
        }
    }

    /// How full the pools were at the end of the step; those that are empty are left out.
    pub fn levels(&self) -> &[Level] {
        self.levels.as_deref().unwrap_or_default()
    }

    /// How full a pool was at a failure in the step: the first one, or of several steps that became one, that of the fullest.
    pub fn level_at_failure(&self, pool: PoolKey) -> Option<&Level> {
        self.at_failure.iter().find(|level| level.pool == pool)
    }

    /// Ports held at the end of the step.
    pub fn ports_held(&self) -> u64 {
        self.held.unwrap_or(0)
    }
}

/// Adds to what is known of an owner, if there is room for another.
fn count_for(failed: &mut BTreeMap<Owner, u64>, owner: Owner, failures: u64) {
    let is_full = failed.len() >= MAX_FAILED;
    match failed.get_mut(&owner) {
        Some(known) => *known += failures,
        None if is_full => {}
        None => {
            failed.insert(owner, failures);
        }
    }
}

/// Something that the timeline counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happening {
    /// A bind succeeded.
    BindOk,
    /// A bind of this owner failed because no port of this pool was free.
    BindFailure(Owner, PoolKey),
    /// A connect, likewise.
    ConnectFailure(Owner, PoolKey),
    /// A port came back.
    Close,
}

/// A timeline that grows with its events and keeps its size.
#[derive(Debug, Default)]
pub struct Timeline {
    /// A whole second.
    start: FileTime,
    /// Length of a step, in seconds: 1, doubled as often as was necessary.
    step_seconds: i64,
    steps: Vec<Step>,
    /// The step that was counted in last, and its time: nearly always that of the next happening too.
    latest: (Range<i64>, usize),
    /// Bounds of the traces, where their headers tell: a wrong time stamp must not stretch the timeline.
    bounds: Option<(FileTime, FileTime)>,
}

/// A finished timeline.
#[derive(Debug, Default)]
pub struct Steps {
    /// Start of the first one, a whole second.
    pub start: FileTime,
    /// Length of each, in seconds.
    pub seconds: i64,
    /// The steps.
    pub steps: Vec<Step>,
}

impl Timeline {
    /// A timeline of traces that last from `bounds.0` to `bounds.1`, as far as that is known.
    pub fn new(bounds: Option<(FileTime, FileTime)>) -> Self {
        Self { bounds, ..Self::default() }
    }

    /// Counts something, after which `held` ports are held.
    pub fn count(&mut self, what: Happening, time: FileTime, held: u64) {
        let time = self.within_bounds(time);
        let index = if self.latest.0.contains(&time.0) { self.latest.1 } else { self.step_of(time) };
        if let Some(step) = self.steps.get_mut(index) {
            match what {
                Happening::BindOk => step.binds_ok += 1,
                Happening::BindFailure(owner, pool) => {
                    step.bind_failures += 1;
                    step.failed(owner, pool);
                }
                Happening::ConnectFailure(owner, pool) => {
                    step.connect_failures += 1;
                    step.failed(owner, pool);
                }
                Happening::Close => step.closes += 1,
            }
            step.held = Some(held);
        }
    }

    fn within_bounds(&self, time: FileTime) -> FileTime {
        match self.bounds {
            Some((start, end)) if start <= end => time.clamp(start, end),
            _ => time,
        }
    }

    /// Whether a happening at this time ends the step of those before: then its levels are to be told.
    #[inline]
    pub fn ends_step(&self, time: FileTime) -> bool {
        !self.steps.is_empty() && !self.latest.0.contains(&self.within_bounds(time).0)
    }

    /// Notes how full the pools are at the end of the step that was counted in last.
    pub fn end_step(&mut self, levels: Vec<Level>) {
        if let Some(step) = self.steps.get_mut(self.latest.1) {
            step.levels = Some(levels);
        }
    }

    /// Whether it is not yet told how full this pool was at a failure in the step that was counted in last.
    pub fn wants_failure(&self, pool: PoolKey) -> bool {
        self.steps.get(self.latest.1).is_some_and(|step| step.level_at_failure(pool).is_none())
    }

    /// Notes how full a pool was at a failure in the step that was counted in last.
    pub fn note_failure(&mut self, level: Level) {
        if let Some(step) = self.steps.get_mut(self.latest.1) {
            step.at_failure.push(level);
        }
    }

    /// The step of a time, made where there is none yet.
    fn step_of(&mut self, time: FileTime) -> usize {
        if self.steps.is_empty() {
            let from = self.bounds.map_or(time, |(start, _)| start.min(time));
            self.start = FileTime(from.0.saturating_sub(from.0.rem_euclid(FileTime::SECOND)));
            self.step_seconds = 1;
        }
        let mut number = self.index(time);
        while number >= MAX_GROWING {
            self.halve();
            number = self.index(time);
        }
        let index = usize::try_from(number.max(0)).unwrap_or(0);
        if self.steps.len() <= index {
            self.steps.resize(index + 1, Step::default());
        }
        let length = self.step_seconds.saturating_mul(FileTime::SECOND);
        let from = self.start.0.saturating_add(number.saturating_mul(length));
        self.latest = (from..from.saturating_add(length), index);
        index
    }

    fn index(&self, time: FileTime) -> i64 {
        time.since(self.start).div_euclid(self.step_seconds.saturating_mul(FileTime::SECOND))
    }

    fn halve(&mut self) {
        self.step_seconds = self.step_seconds.saturating_mul(2);
        self.steps = merged(&self.steps, 2);
    }

    /// The steps, [`MAX_STEPS`] at most, up to the end of the traces where that is known.
    pub fn finish(mut self) -> Steps {
        if self.steps.is_empty() {
            return Steps::default();
        }
        if let Some((_, end)) = self.bounds {
            while self.index(end) >= MAX_GROWING {
                self.halve();
            }
            let length = usize::try_from(self.index(end) + 1).unwrap_or(0);
            if self.steps.len() < length {
                self.steps.resize(length, Step::default());
            }
        }
        let factor = self.steps.len().div_ceil(MAX_STEPS).max(1);
        let mut steps = merged(&self.steps, factor);
        let (mut held, mut levels) = (0, Vec::new());
        for step in &mut steps {
            held = step.held.unwrap_or(held);
            step.held = Some(held);
            levels = step.levels.take().unwrap_or(levels);
            step.levels = Some(levels.clone());
        }
        let seconds = self.step_seconds.saturating_mul(i64::try_from(factor).unwrap_or(i64::MAX));
        Steps { start: self.start, seconds, steps }
    }
}

fn merged(steps: &[Step], factor: usize) -> Vec<Step> {
    let merge = |parts: &[Step]| {
        let mut sum = Step::default();
        parts.iter().for_each(|part| sum.add(part));
        sum
    };
    steps.chunks(factor).map(merge).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::owner::ProcessId;

    fn at(seconds: i64) -> FileTime {
        FileTime(1_000_000 * FileTime::SECOND + seconds * FileTime::SECOND + 7)
    }

    #[test]
    fn steps_are_whole_seconds_and_at_most_sixty() {
        let mut timeline = Timeline::new(None);
        for second in 0..1000 {
            timeline.count(Happening::BindOk, at(second), u64::try_from(second).unwrap());
        }
        timeline.count(Happening::Close, at(1000), 5);
        let steps = timeline.finish();
        assert!(steps.steps.len() <= MAX_STEPS);
        assert_eq!(steps.steps.iter().map(|step| step.binds_ok).sum::<u64>(), 1000);
        assert_eq!(steps.start.0 % FileTime::SECOND, 0);
        assert_eq!(steps.seconds, 24);
        assert_eq!(steps.steps[0].ports_held(), 23);
        assert_eq!(steps.steps.last().unwrap().ports_held(), 5);
    }

    #[test]
    fn quiet_steps_keep_what_is_held_and_the_end_of_the_trace_counts() {
        let mut timeline = Timeline::new(Some((at(0), at(59))));
        timeline.count(Happening::BindOk, at(10), 3);
        timeline.count(Happening::BindFailure(Owner::Unknown, PoolKey::default()), at(30), 3);
        let steps = timeline.finish();
        assert_eq!((steps.seconds, steps.steps.len()), (1, 60));
        assert_eq!(steps.steps[9].ports_held(), 0);
        assert_eq!(steps.steps[20].ports_held(), 3);
        assert_eq!(steps.steps[59].ports_held(), 3);
    }

    #[test]
    fn steps_that_become_one_keep_the_fullest_failure() {
        let level =
            |occupied| Level { pool: PoolKey::default(), occupied, held: occupied, time_wait: 0, largest: Vec::new() };
        let mut timeline = Timeline::new(None);
        for second in 0..200 {
            timeline.count(Happening::BindFailure(Owner::Unknown, PoolKey::default()), at(second), 0);
            assert_eq!(timeline.wants_failure(PoolKey::default()), second < 128 || second % 2 == 0, "{second}");
            if timeline.wants_failure(PoolKey::default()) {
                timeline.note_failure(level(u32::try_from(second % 50).unwrap()));
            }
        }
        let steps = timeline.finish().steps;
        let fullest = |step: &Step| step.level_at_failure(PoolKey::default()).map(|level| level.occupied);
        assert_eq!((fullest(&steps[0]), steps[0].levels().len()), (Some(3), 0));
        assert_eq!(fullest(&steps[12]), Some(49));
    }

    #[test]
    fn failures_are_told_by_owner_and_pool_and_their_owners_are_bounded() {
        let owner = |n: usize| Owner::Process(ProcessId(u32::try_from(n).unwrap()));
        let mut timeline = Timeline::new(None);
        for n in 0..MAX_FAILED + 5 {
            timeline.count(Happening::BindFailure(owner(n % MAX_FAILED), PoolKey::default()), at(0), 0);
            timeline.count(Happening::ConnectFailure(owner(n), PoolKey::default()), at(200), 0);
        }
        let steps = timeline.finish().steps;
        let (first, last) = (steps.first().unwrap(), steps.last().unwrap());
        assert_eq!((first.failed_by[&owner(0)], first.failed_by[&owner(5)]), (2, 1));
        assert_eq!((last.failed_by.len(), last.connect_failures), (MAX_FAILED, MAX_FAILED as u64 + 5));
        assert_eq!(last.failed_in[&PoolKey::default()], last.connect_failures);
    }

    #[test]
    fn a_wrong_time_stamp_does_not_stretch_it() {
        let mut timeline = Timeline::new(Some((at(0), at(9))));
        timeline.count(Happening::BindOk, at(1), 1);
        timeline.count(Happening::BindOk, FileTime(i64::MAX), 2);
        timeline.count(Happening::BindOk, FileTime(i64::MIN), 3);
        let steps = timeline.finish();
        assert_eq!((steps.seconds, steps.steps.len()), (1, 10));
        let mut unbounded = Timeline::new(None);
        unbounded.count(Happening::BindOk, at(1), 1);
        unbounded.count(Happening::BindOk, FileTime(i64::MAX), 2);
        assert!(unbounded.finish().steps.len() <= MAX_STEPS);
    }
}
