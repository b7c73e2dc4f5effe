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

/// Less than this many minutes tell nothing about growth.
const MEASURABLE_MINUTES: f64 = 0.05;

/// What was seen of one process in one pool, or of several together.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(in crate::diagnosis) struct Seen {
    /// Ports of sockets that the trace saw binding, and of these, those whose number it does not tell.
    pub(super) bound: u32,
    pub(super) unnumbered: u32,
    /// Ports of all pools that it had obtained and given back until then.
    pub(super) obtained: u64,
    pub(super) released: u64,
    /// Sockets older than the trace that it had closed until then.
    pub(super) closed_older: u64,
    pub(super) ages: Ages,
    pub(super) growth: Growth,
    /// Ports that TCP/IP's events add: older than the trace, and acquired in it.
    pub(super) older: u32,
    pub(super) acquired: u32,
    /// Of both, ports of connections in CLOSE_WAIT.
    pub(super) close_wait: u32,
    pub(super) time_wait: u32,
    pub(super) reserved: u32,
    pub(super) listed: Option<Listed>,
    /// Ports in the last listing of the same file, where that is a later one.
    pub(super) listed_later: Option<u32>,
    pub(super) later: Later,
}

/// What became of its ports until the end of the trace.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Later {
    /// Ports of all pools that it obtained and gave back.
    pub(super) obtained: u64,
    pub(super) released: u64,
    /// Those that it still held.
    pub(super) held: u64,
    /// It was still running then.
    pub(super) lasts: bool,
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
    /// The first failure of that outage; without one, the moment. Until then holders could grow.
    pub(in crate::diagnosis) until: Option<FileTime>,
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
        self.listed = match (self.listed, other.listed) {
            (Some(mut one), Some(two)) => {
                one.add(&two);
                Some(one)
            }
            (one, two) => one.or(two),
        };
        self.listed_later = match (self.listed_later, other.listed_later) {
            (Some(one), Some(two)) => Some(one.saturating_add(two)),
            (one, two) => one.or(two),
        };
        self.later.obtained += other.later.obtained;
        self.later.released += other.later.released;
        self.later.held += other.later.held;
        self.later.lasts |= other.later.lasts;
    }

    /// Ports of the last listing, where these are fewer than half of what the listing at hand shows.
    pub(super) fn ports_later(&self) -> Option<u32> {
        let (listed, later) = self.listed.map(|listed| listed.ports).zip(self.listed_later)?;
        (u64::from(later) * 2 < u64::from(listed)).then_some(later)
    }

    /// What its use of the ports looks like.
    pub(in crate::diagnosis) fn pattern(&self, when: When) -> Option<Pattern> {
        let (held, ports) = (self.held(), self.ports());
        if self.reserved > held.saturating_add(self.time_wait) {
            Some(Pattern::Reservation)
        } else if ports < HABIT_PORTS.max(when.count / HABIT_SHARE) {
            None
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
        if when.until.is_some_and(|until| self.growth.is_flat(until)) && self.keeps_old_ones(when) {
            return Some(Pattern::Steady);
        }
        let is_leak = if self.released * 10 <= self.obtained {
            !(later.lasts && later.released * 2 > later.obtained)
        } else {
            let gave_back_later = later.lasts && later.held * 2 < self.ages.held();
            !gave_back_later && when.moment.is_some_and(|moment| is_rest_kept(&self.ages, self.growth.first, moment))
        };
        if is_leak && self.gives_back_older() {
            // It gives back what it had before: the trace may be too short to show that it gives these back too.
            return None;
        }
        Some(if is_leak { Pattern::Leak } else { Pattern::Load })
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
