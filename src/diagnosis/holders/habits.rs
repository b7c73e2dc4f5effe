//! What a process was seen to do with the ports of a pool, and what that looks like.

use serde::Serialize;

use crate::diagnosis::listings::Listed;
use crate::machine::ages::Ages;
use crate::machine::growth::Growth;
use crate::time::FileTime;

/// What the use of ports looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Pattern {
    /// Binds, hardly ever closes, and still grows.
    Leak,
    /// Took its ports early, and has not grown since.
    Steady,
    /// Holds many, and gives them back.
    Load,
    /// Many short connections, whose ports are in TIME_WAIT.
    Churn,
    /// A reserved range.
    Reservation,
}

/// Below this share of a pool (one in a hundred) a process's use of it says nothing about its habits.
const HABIT_SHARE: u32 = 100;
/// Nor below so many ports.
const HABIT_PORTS: u32 = 16;
/// Keeping ports is no leak below this share (one in four) of what those leave who took theirs early: many applications keep
/// their connections.
const LEAK_SHARE: u32 = 4;

/// Closes of older sockets count from this part of the ports obtained on (one in four).
const OLDER_SHARE: u64 = 4;

/// Ports were taken early from this mean age on, as a part of the time since the first of them (three quarters): those of steady
/// growth are half as old.
const EARLY_AGE: (i128, i128) = (3, 4);

/// So large a part (eight in ten) is nearly all.
const NEARLY_ALL: (u64, u64) = (8, 10);

/// Less than this many minutes tell nothing about growth.
const MEASURABLE_MINUTES: f64 = 0.05;

/// That a process did not grow into a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AtRest {
    /// Nearly all of its ports are older than the trace, or were taken early in it.
    Older,
    /// It took nearly all of its ports early in the trace.
    TakenEarly,
    /// It gives its ports back and takes others, and has not had more of them lately.
    Level,
    /// It had about as many in the first of several listings.
    Listed,
}

/// What several listings show of one process, from the first to the one at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListedCourse {
    /// Ports in the first.
    pub first: u32,
    /// Listings.
    pub listings: usize,
    /// Fewest and most ports in any of them.
    pub(super) range: (u32, u32),
    /// In none of them it had clearly fewer (by more than a tenth) than in the one before, and others had about as many.
    pub(super) is_rise: bool,
}

/// So many listings show whether somebody grows.
pub(super) const GROWTH_LISTINGS: usize = 3;

/// Who takes less than this part of a pool (one in sixteen) over several listings does not fill it.
const GROWTH_SHARE: u32 = 16;

/// What was seen of one process in one pool, or of several together.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(in crate::diagnosis) struct Seen {
    /// Ports of sockets that the trace saw binding, and of these, those whose number it does not tell.
    pub(super) bound: u32,
    pub(super) unnumbered: u32,
    /// Ports of the pool that it had obtained and given back until then.
    pub(super) obtained: u64,
    pub(super) released: u64,
    /// Sockets older than the trace that it had closed until then.
    pub(super) closed_older: u64,
    pub(super) ages: Ages,
    pub(super) growth: Growth,
    /// Ports that TCP/IP's events add: older than the trace, and acquired in it.
    pub(super) older: u32,
    pub(super) acquired: u32,
    /// How old the latter are, and when the first of them was acquired.
    pub(super) acquired_ages: Ages,
    pub(super) acquired_first: Option<FileTime>,
    /// Of both, ports of connections in CLOSE_WAIT.
    pub(super) close_wait: u32,
    pub(super) time_wait: u32,
    pub(super) reserved: u32,
    pub(super) listed: Option<Listed>,
    /// What the listings of the same file show up to the one at hand, where there are earlier ones like it.
    pub(super) course: Option<ListedCourse>,
    /// Ports in the last listing of the same file, where that is a later one.
    pub(super) listed_later: Option<u32>,
    pub(super) later: Later,
}

/// What became of its ports until the end of the trace.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Later {
    /// Ports of the pool that it obtained and gave back.
    pub(super) obtained: u64,
    pub(super) released: u64,
    /// Those that it still held.
    pub(super) held: u64,
    /// It was still running then.
    pub(super) lasts: bool,
    /// Sockets with a port that its end closed, at one moment.
    pub(super) closed_at_end: u64,
}

/// The moment and the pool that a habit is asked for.
#[derive(Debug, Clone, Copy)]
pub(in crate::diagnosis) struct When {
    /// Ports of the pool.
    pub(in crate::diagnosis) count: u32,
    /// Ports that it can give out and that are left by those who took theirs early and have not grown since.
    pub(in crate::diagnosis) left: u32,
    /// When holders were counted.
    pub(in crate::diagnosis) moment: Option<FileTime>,
    /// Until then holders could grow: when the pool was full, or the first failure of that outage; without one, the moment.
    pub(in crate::diagnosis) until: Option<FileTime>,
    /// When the last time began of which no trace tells.
    pub(in crate::diagnosis) unseen_since: Option<FileTime>,
}

impl Seen {
    /// Ports held, those in TIME_WAIT and reserved ones left out.
    pub(super) fn held(&self) -> u32 {
        self.in_trace().max(self.listed.map_or(0, |listed| listed.ports))
    }

    /// Ports held as the trace shows.
    pub(super) fn in_trace(&self) -> u32 {
        // Ports that TCP/IP knows by number may be those of sockets whose number is not told.
        let acquired = self.acquired.saturating_sub(self.unnumbered);
        self.bound.saturating_add(self.older).saturating_add(acquired)
    }

    /// All ports that nobody else can have.
    pub(super) fn ports(&self) -> u32 {
        self.held().saturating_add(self.time_wait).saturating_add(self.reserved)
    }

    /// Of several together.
    pub(in crate::diagnosis) fn add(&mut self, other: &Self) {
        for (sum, more) in [
            (&mut self.bound, other.bound),
            (&mut self.unnumbered, other.unnumbered),
            (&mut self.older, other.older),
            (&mut self.acquired, other.acquired),
            (&mut self.close_wait, other.close_wait),
            (&mut self.time_wait, other.time_wait),
            (&mut self.reserved, other.reserved),
        ] {
            *sum = sum.saturating_add(more);
        }
        self.obtained += other.obtained;
        self.released += other.released;
        self.closed_older += other.closed_older;
        self.ages.add(other.ages);
        self.growth.add(other.growth);
        self.acquired_ages.add(other.acquired_ages);
        self.acquired_first = self.acquired_first.into_iter().chain(other.acquired_first).min();
        self.listed = match (self.listed, other.listed) {
            (Some(mut one), Some(two)) => {
                one.add(&two);
                Some(one)
            }
            (one, two) => one.or(two),
        };
        // Each may have grown while the other did not.
        self.course = None;
        self.listed_later = match (self.listed_later, other.listed_later) {
            (Some(one), Some(two)) => Some(one.saturating_add(two)),
            (one, two) => one.or(two),
        };
        self.later.obtained += other.later.obtained;
        self.later.released += other.later.released;
        self.later.held += other.later.held;
        self.later.lasts |= other.later.lasts;
        // Processes that end one after the other, each with its connections, are churn.
        self.later.closed_at_end = 0;
    }

    /// Ports of the last listing, where these are fewer than half of what the listing at hand shows.
    pub(super) fn ports_later(&self) -> Option<u32> {
        let (listed, later) = self.listed.map(|listed| listed.ports).zip(self.listed_later)?;
        (u64::from(later) * 2 < u64::from(listed)).then_some(later)
    }

    /// What several listings show of it, where these and not the trace show most of what it has.
    fn in_listings(&self) -> Option<ListedCourse> {
        self.course.filter(|course| course.first > 0 && self.is_mostly_listed())
    }

    /// Whether it had about as many (within a tenth) in each of several listings.
    pub(in crate::diagnosis) fn is_flat_in_listings(&self) -> bool {
        self.in_listings().is_some_and(|course| u64::from(course.range.0) * 11 >= u64::from(course.range.1) * 10)
    }

    /// What several listings show of it, where it grew over them: by half at least, and by a fair part of the pool.
    pub(in crate::diagnosis) fn grew_in_listings(&self, count: u32) -> Option<ListedCourse> {
        let now = self.listed?.ports;
        self.in_listings().filter(|course| {
            let more = now.saturating_sub(course.first);
            let is_much =
                more >= HABIT_PORTS.max(count / GROWTH_SHARE) && u64::from(more) * 2 >= u64::from(course.first);
            course.is_rise && is_much
        })
    }

    /// What its use of the ports looks like.
    pub(in crate::diagnosis) fn pattern(&self, when: When) -> Option<Pattern> {
        let (held, ports) = (self.held(), self.ports());
        if self.reserved > held.saturating_add(self.time_wait) {
            Some(Pattern::Reservation)
        } else if ports < HABIT_PORTS.max(when.count / HABIT_SHARE) {
            None
        } else if self.waits_since_its_end() {
            // Until then it had kept them, or nearly all.
            let (obtained, released) = self.turnover();
            (obtained > 0 && released * 10 <= obtained && ports >= when.left / LEAK_SHARE).then_some(Pattern::Leak)
        } else if self.time_wait > held {
            Some(Pattern::Churn)
        } else if self.is_mostly_older() {
            // How they came to be is not in the trace. What the other side has closed, nobody needs for long.
            let is_idle = u64::from(self.close_wait) * 10 >= u64::from(held) * 8;
            (is_idle && ports >= when.count / LEAK_SHARE).then_some(Pattern::Leak)
        } else {
            self.habit(when).filter(|habit| *habit != Pattern::Leak || ports >= when.left / LEAK_SHARE)
        }
    }

    /// Whether it gives back and takes as much, where that is its pattern.
    pub(in crate::diagnosis) fn is_level(&self, when: When) -> bool {
        self.obtained > 0 && when.until.is_some_and(|until| self.is_flat(until, when.unseen_since))
    }

    /// Whether nearly all that it holds is older than the trace, or TCP/IP's events show that it was taken early.
    pub(in crate::diagnosis) fn at_rest(&self, until: Option<FileTime>) -> Option<AtRest> {
        let early = if self.is_acquired_early(until?) { self.acquired } else { 0 };
        let unseen = self.held().saturating_sub(self.in_trace());
        let is_nearly_all =
            |ports: u32| u64::from(ports) * NEARLY_ALL.1 >= u64::from(self.held()) * NEARLY_ALL.0 && ports > 0;
        if is_nearly_all(early) {
            Some(AtRest::TakenEarly)
        } else {
            is_nearly_all(self.older.saturating_add(unseen).saturating_add(early)).then_some(AtRest::Older)
        }
    }

    fn is_acquired_early(&self, until: FileTime) -> bool {
        let (Some(first), Some(age)) = (self.acquired_first, self.acquired_ages.of_held(until)) else { return false };
        age.saturating_mul(EARLY_AGE.1) >= i128::from(until.since(first)).saturating_mul(EARLY_AGE.0)
    }

    /// Whether it has ports in TIME_WAIT because it ended: nearly all of these were closed then, at one moment. Short connections
    /// are closed one by one.
    pub(super) fn waits_since_its_end(&self) -> bool {
        let closed = self.later.closed_at_end;
        self.time_wait > self.held() && closed * NEARLY_ALL.1 >= u64::from(self.time_wait) * NEARLY_ALL.0
    }

    /// Ports of the pool that it had obtained and given back until then; those in TIME_WAIT since its end it had kept.
    pub(super) fn turnover(&self) -> (u64, u64) {
        if self.waits_since_its_end() {
            let Later { obtained, released, closed_at_end, .. } = self.later;
            return (obtained, released.saturating_sub(closed_at_end));
        }
        (self.obtained, self.released)
    }

    /// Most of its ports are those of connections that were there before the trace.
    fn is_mostly_older(&self) -> bool {
        u64::from(self.older) * 2 > u64::from(self.held())
    }

    /// More of its ports are in a listing than the trace shows.
    fn is_mostly_listed(&self) -> bool {
        self.listed.is_some_and(|listed| listed.ports > self.bound.saturating_add(self.acquired))
    }

    /// Whether the state of its sockets tells whether it leaks, and not what it did in the trace.
    pub(in crate::diagnosis) fn is_judged_by_state(&self) -> bool {
        self.is_mostly_older() || self.is_mostly_listed()
    }

    /// When it obtained its first port.
    pub(in crate::diagnosis) fn first_port(&self) -> Option<FileTime> {
        self.growth.first
    }

    /// More or fewer ports held for each minute, from the first port on until this moment.
    pub(super) fn per_minute(&self, moment: FileTime) -> Option<f64> {
        let minutes = moment.since(self.growth.first?) as f64 / (60 * FileTime::SECOND) as f64;
        (minutes >= MEASURABLE_MINUTES && self.bound > 0).then(|| f64::from(self.bound) / minutes)
    }

    /// Whether a process leaks or works, by how it grew, and by what it gave back: until the moment at hand, and later while it
    /// lived.
    fn habit(&self, when: When) -> Option<Pattern> {
        if let Some(listed) = self.listed.filter(|_| self.is_mostly_listed()) {
            // Bound and never connected, or closed by the other side alone: nobody needs such a socket for long.
            let idle = listed.bound.saturating_add(listed.close_wait);
            let sockets = idle.saturating_add(listed.established);
            let is_idle = u64::from(idle) * 10 >= u64::from(sockets) * 8 && sockets > 0;
            return (is_idle && self.ports_later().is_none()).then_some(Pattern::Leak);
        }
        if self.obtained == 0 {
            return None;
        }
        let later = self.later;
        if when.until.is_some_and(|until| self.is_flat(until, when.unseen_since)) && self.keeps_old_ones(when) {
            return Some(Pattern::Steady);
        }
        let is_leak = if self.released * 10 <= self.obtained {
            !(later.lasts && later.released * 2 > later.obtained)
        } else {
            let gave_back_later = later.lasts && later.held * 2 < u64::from(self.bound);
            !gave_back_later && when.moment.is_some_and(|moment| is_rest_kept(&self.ages, self.growth.first, moment))
        };
        if is_leak && self.gives_back_older() {
            // It gives back what it had before: the trace may be too short to show that it gives these back too.
            return None;
        }
        Some(if is_leak { Pattern::Leak } else { Pattern::Load })
    }

    /// Whether it has not grown lately, nor when traces ceased to tell: who grew then may have gone on.
    fn is_flat(&self, until: FileTime, unseen_since: Option<FileTime>) -> bool {
        let unseen =
            unseen_since.filter(|since| *since < until && self.growth.first.is_some_and(|first| first < *since));
        self.growth.is_flat(until) && unseen.is_none_or(|since| self.growth.is_flat(since))
    }

    /// Whether it closed sockets that are older than the trace, as many as a fair part of the ports that it obtained. No event
    /// tells whether these had ports of the pool.
    pub(super) fn gives_back_older(&self) -> bool {
        self.closed_older > 0 && self.closed_older.saturating_mul(OLDER_SHARE) >= self.obtained
    }

    /// Whether the ports held are as old as half of the time since the first, on average.
    fn keeps_old_ones(&self, when: When) -> bool {
        let (Some(moment), Some(first)) = (when.moment, self.growth.first) else { return false };
        self.ages.of_held(moment).is_some_and(|age| age.saturating_mul(2) >= i128::from(moment.since(first)))
    }
}

/// Whether the ports held are others than those given back: four times as old as those ever became, and taken one by one
/// since the first, so that their mean age is near half of that time (a quarter to three quarters). What a pool of
/// connections keeps is as old as the process's first port; what load holds at once is as old as what it gives back.
fn is_rest_kept(ages: &Ages, first_hold: Option<FileTime>, now: FileTime) -> bool {
    let (Some(held), Some(released), Some(first)) = (ages.of_held(now), ages.of_released(), first_hold) else {
        return false;
    };
    let all = i128::from(now.since(first));
    held >= released.saturating_mul(4)
        && held.saturating_mul(4) >= all
        && held.saturating_mul(4) <= all.saturating_mul(3)
}
