//! Failures, binds, ports that came back, and how full the pools are, in even steps: fine ones for pictures, and those of the
//! report, of which each is some of them together.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use super::levels::{Level, LevelRange};
use super::owner::Owner;
use super::pool_key::PoolKey;
use crate::time::FileTime;

/// Steps of the report at most.
pub const MAX_STEPS: usize = 60;

/// Fine steps at most: with one more, two become one. A picture has no more columns.
pub const MAX_FINE: usize = 600;

/// The first length of a fine step: a whole second in 2³ parts, so that doubling leads to whole seconds.
const FIRST_LENGTH_100NS: i64 = FileTime::SECOND / 8;

/// So many steps become steps of the report without doubling their length.
const MAX_UNDOUBLED: usize = 128;

/// Owners that all steps name together. Beyond it two steps become one, as long as there are [`MAX_UNDOUBLED`]: 600 steps of
/// 256 workers of a farm in six pools are as many.
const MAX_NAMED: usize = 1 << 20;

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
    levels: Option<Arc<[Level]>>,
    /// Between which numbers of ports the pools went; those of which nothing was in use are left out.
    ranges: Vec<LevelRange>,
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
        self.ranges = self.joined_ranges(later);
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

    fn joined_ranges(&self, later: &Self) -> Vec<LevelRange> {
        let pools: BTreeSet<PoolKey> = self.ranges.iter().chain(&later.ranges).map(|range| range.pool).collect();
        let joined = |pool: PoolKey| match (self.range(pool), later.range(pool)) {
            (Some(one), Some(other)) => {
                Some(LevelRange { pool, least: one.least.min(other.least), most: one.most.max(other.most) })
            }
            (one, other) => one.or(other),
        };
        pools.into_iter().filter_map(joined).collect()
    }

    /// Between which numbers of ports a pool went in the step; `None` where nothing happened in it.
    pub fn range(&self, pool: PoolKey) -> Option<LevelRange> {
        self.levels.as_ref()?;
        let known = self.ranges.iter().find(|range| range.pool == pool).copied();
        Some(known.unwrap_or(LevelRange { pool, least: 0, most: 0 }))
    }

    /// Owners that it names.
    fn named(&self) -> usize {
        let of_levels = |levels: &[Level]| levels.iter().map(|level| level.largest.len() + 1).sum::<usize>();
        of_levels(self.levels()) + of_levels(&self.at_failure) + self.failed_by.len()
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
    /// Length of a step: [`FIRST_LENGTH_100NS`], doubled as often as was necessary.
    length_100ns: i64,
    steps: Vec<Step>,
    /// Owners that the steps name.
    named: usize,
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
    /// Length of each, positive; 0 without steps.
    pub length_100ns: i64,
    /// The steps.
    pub steps: Vec<Step>,
}

impl Steps {
    /// When a step begins.
    pub fn start_of(&self, step: usize) -> FileTime {
        let number = i64::try_from(step).unwrap_or(i64::MAX);
        FileTime(self.start.0.saturating_add(self.length_100ns.saturating_mul(number)))
    }

    /// Length of each step in seconds, rounded down: exact for the steps of a report.
    pub fn seconds(&self) -> i64 {
        self.length_100ns / FileTime::SECOND
    }

    /// The steps of the report: whole seconds, [`MAX_STEPS`] at most, each some of these together.
    pub fn of_report(&self) -> Self {
        let mut factor = match FileTime::SECOND.checked_div(self.length_100ns) {
            Some(parts) if parts > 1 => usize::try_from(parts).unwrap_or(1),
            _ => 1,
        };
        while self.steps.len().div_ceil(factor) > MAX_UNDOUBLED {
            factor *= 2;
        }
        factor *= self.steps.len().div_ceil(factor).div_ceil(MAX_STEPS).max(1);
        let length_100ns = self.length_100ns.saturating_mul(i64::try_from(factor).unwrap_or(i64::MAX));
        Self { start: self.start, length_100ns, steps: merged(&self.steps, factor) }
    }
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

    /// Notes how full the pools are at the end of the step that was counted in last, and between which numbers they went in it.
    pub fn end_step(&mut self, mut levels: Vec<Level>, ranges: Vec<LevelRange>) {
        levels.iter_mut().for_each(Level::shrink);
        if let Some(step) = self.steps.get_mut(self.latest.1) {
            // Where it was ended before, and something came late.
            let ended = Step { levels: Some(levels.into()), ranges, ..Step::default() };
            step.ranges = step.joined_ranges(&ended);
            step.levels = ended.levels;
            self.named += step.named();
        }
    }

    /// Whether it is not yet told how full this pool was at a failure in the step that was counted in last.
    pub fn wants_failure(&self, pool: PoolKey) -> bool {
        self.steps.get(self.latest.1).is_some_and(|step| step.level_at_failure(pool).is_none())
    }

    /// Notes how full a pool was at a failure in the step that was counted in last.
    pub fn note_failure(&mut self, mut level: Level) {
        level.shrink();
        if let Some(step) = self.steps.get_mut(self.latest.1) {
            step.at_failure.push(level);
        }
    }

    /// The step of a time, made where there is none yet.
    fn step_of(&mut self, time: FileTime) -> usize {
        if self.steps.is_empty() {
            let from = self.bounds.map_or(time, |(start, _)| start.min(time));
            self.start = FileTime(from.0.saturating_sub(from.0.rem_euclid(FileTime::SECOND)));
            self.length_100ns = FIRST_LENGTH_100NS;
        }
        while self.named > MAX_NAMED && self.steps.len() >= MAX_UNDOUBLED {
            self.halve();
        }
        self.make_room(time);
        let number = self.index(time);
        let index = usize::try_from(number.max(0)).unwrap_or(0);
        if self.steps.len() <= index {
            self.steps.resize(index + 1, Step::default());
        }
        let from = self.start.0.saturating_add(number.saturating_mul(self.length_100ns));
        self.latest = (from..from.saturating_add(self.length_100ns), index);
        index
    }

    fn index(&self, time: FileTime) -> i64 {
        time.since(self.start).div_euclid(self.length_100ns)
    }

    /// Makes steps longer until this time has one.
    fn make_room(&mut self, time: FileTime) {
        while usize::try_from(self.index(time)).is_ok_and(|index| index >= MAX_FINE) {
            self.halve();
        }
    }

    fn halve(&mut self) {
        self.length_100ns = self.length_100ns.saturating_mul(2);
        self.steps = merged(&self.steps, 2);
        self.named = self.steps.iter().map(Step::named).sum();
    }

    /// The fine steps, [`MAX_FINE`] at most, up to the end of the traces where that is known.
    pub fn finish(mut self) -> Steps {
        if self.steps.is_empty() {
            return Steps::default();
        }
        if let Some((_, end)) = self.bounds {
            self.make_room(end);
            let length = usize::try_from(self.index(end) + 1).unwrap_or(0);
            if self.steps.len() < length {
                self.steps.resize(length, Step::default());
            }
        }
        let (mut held, mut levels): (u64, Arc<[Level]>) = (0, Arc::from([]));
        for step in &mut self.steps {
            held = step.held.unwrap_or(held);
            step.held = Some(held);
            match step.levels.take() {
                Some(told) => levels = told,
                None => step.ranges = levels.iter().map(Level::at_rest).collect(),
            }
            step.levels = Some(Arc::clone(&levels));
        }
        Steps { start: self.start, length_100ns: self.length_100ns, steps: self.steps }
    }
}

impl Steps {
    /// Takes what was counted as TIME_WAIT of a pool out of its levels: that has turned out to be wrong.
    pub fn forget_waiting(&mut self, pool: PoolKey) {
        for step in &mut self.steps {
            let Some(levels) = step.levels.as_mut() else { continue };
            let Some(at) = levels.iter().position(|level| level.pool == pool && level.time_wait > 0) else { continue };
            let Some(level) = Arc::make_mut(levels).get_mut(at) else { continue };
            level.occupied = level.occupied.saturating_sub(level.time_wait);
            level.time_wait = 0;
            for range in step.ranges.iter_mut().filter(|range| range.pool == pool) {
                (range.least, range.most) = (range.least.min(level.held), level.held);
            }
        }
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
    use crate::machine::owner::{PackedOwner, ProcessId};

    fn at(seconds: i64) -> FileTime {
        FileTime(1_000_000 * FileTime::SECOND + seconds * FileTime::SECOND + 7)
    }

    #[test]
    fn steps_of_a_report_are_whole_seconds_and_at_most_sixty() {
        let mut timeline = Timeline::new(None);
        for second in 0..1000 {
            timeline.count(Happening::BindOk, at(second), u64::try_from(second).unwrap());
        }
        timeline.count(Happening::Close, at(1000), 5);
        let fine = timeline.finish();
        assert_eq!((fine.length_100ns, fine.steps.len()), (2 * FileTime::SECOND, 501));
        assert_eq!(fine.steps.iter().map(|step| step.binds_ok).sum::<u64>(), 1000);
        let steps = fine.of_report();
        assert!(steps.steps.len() <= MAX_STEPS);
        assert_eq!(steps.steps.iter().map(|step| step.binds_ok).sum::<u64>(), 1000);
        assert_eq!(steps.start.0 % FileTime::SECOND, 0);
        assert_eq!(steps.seconds(), 24);
        assert_eq!(steps.steps[0].ports_held(), 23);
        assert_eq!(steps.steps.last().unwrap().ports_held(), 5);
    }

    #[test]
    fn quiet_steps_keep_what_is_held_and_the_end_of_the_trace_counts() {
        let mut timeline = Timeline::new(Some((at(0), at(59))));
        timeline.count(Happening::BindOk, at(10), 3);
        timeline.count(Happening::BindFailure(Owner::Unknown, PoolKey::default()), at(30), 3);
        let steps = timeline.finish().of_report();
        assert_eq!((steps.seconds(), steps.steps.len()), (1, 60));
        assert_eq!(steps.steps[9].ports_held(), 0);
        assert_eq!(steps.steps[20].ports_held(), 3);
        assert_eq!(steps.steps[59].ports_held(), 3);
    }

    #[test]
    fn steps_that_become_one_keep_the_fullest_failure() {
        let level =
            |occupied| Level { pool: PoolKey::default(), occupied, held: occupied, time_wait: 0, largest: Vec::new() };
        let mut timeline = Timeline::new(None);
        for second in 0..1000 {
            timeline.count(Happening::BindFailure(Owner::Unknown, PoolKey::default()), at(second), 0);
            assert_eq!(timeline.wants_failure(PoolKey::default()), second < 600 || second % 2 == 0, "{second}");
            if timeline.wants_failure(PoolKey::default()) {
                timeline.note_failure(level(u32::try_from(second % 50).unwrap()));
            }
        }
        let steps = timeline.finish().of_report().steps;
        let fullest = |step: &Step| step.level_at_failure(PoolKey::default()).map(|level| level.occupied);
        assert_eq!((fullest(&steps[0]), steps[0].levels().len()), (Some(23), 0));
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
        let steps = timeline.finish().of_report();
        assert_eq!((steps.seconds(), steps.steps.len()), (1, 10));
        let mut unbounded = Timeline::new(None);
        unbounded.count(Happening::BindOk, at(1), 1);
        unbounded.count(Happening::BindOk, FileTime(i64::MAX), 2);
        let fine = unbounded.finish();
        assert!(fine.steps.len() <= MAX_FINE && fine.of_report().steps.len() <= MAX_STEPS);
    }

    #[test]
    fn the_least_and_the_most_of_a_step_outlive_its_merging() {
        let pool = PoolKey::default();
        let level = |held| Level { pool, occupied: held, held, time_wait: 0, largest: Vec::new() };
        let mut timeline = Timeline::new(Some((at(0), at(1_199))));
        for second in 0..600 {
            timeline.count(Happening::BindOk, at(second), 10);
            let (least, most) = if second == 300 { (2, 90) } else { (10, 10) };
            timeline.end_step(vec![level(10)], vec![LevelRange { pool, least, most }]);
        }
        let fine = timeline.finish();
        let range = |steps: &Steps, step: usize| steps.steps[step].range(pool).map(|range| (range.least, range.most));
        assert_eq!(
            (fine.length_100ns, range(&fine, 150), range(&fine, 151)),
            (2 * FileTime::SECOND, Some((2, 90)), Some((10, 10)))
        );
        // Nothing happens in the second half: what was held stays.
        assert_eq!(range(&fine, 599), Some((10, 10)));
        let steps = fine.of_report();
        let extremes: Vec<usize> =
            (0..steps.steps.len()).filter(|step| range(&steps, *step) == Some((2, 90))).collect();
        assert_eq!((steps.seconds(), extremes), (32, vec![9]));
    }

    #[test]
    fn owners_that_all_steps_name_are_bounded() {
        let owner = |n: u32| Owner::Process(ProcessId(n));
        let largest: Vec<(PackedOwner, u32)> = (0..256).map(|n| (owner(n).into(), 1)).collect();
        let levels: Vec<Level> = PoolKey::all()
            .into_iter()
            .flat_map(|pool| std::iter::repeat_n(pool, 16))
            .map(|pool| Level { pool, occupied: 256, held: 256, time_wait: 0, largest: largest.clone() })
            .collect();
        let mut timeline = Timeline::new(None);
        for second in 0..600 {
            timeline.count(Happening::BindOk, at(second), 256);
            timeline.end_step(levels.clone(), Vec::new());
        }
        let steps = timeline.finish().steps;
        assert!((30..MAX_UNDOUBLED).contains(&steps.len()), "{}", steps.len());
    }
}
