//! What a process was seen to do with the ports of a pool, and what that looks like.

use serde::Serialize;

use crate::diagnosis::listings::Listed;
use crate::machine::ages::Ages;
use crate::machine::moment::Moment;
use crate::machine::processes::Process;
use crate::machine::ranges::PoolRange;
use crate::time::FileTime;

/// What the use of ports looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Pattern {
    /// Binds, and hardly ever closes.
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
/// Keeping ports is no leak below this share of a pool (one in four): many applications keep their connections.
const LEAK_SHARE: u32 = 4;

/// Less than this many minutes tell nothing about growth.
const MEASURABLE_MINUTES: f64 = 0.05;

/// What was seen of one process in one pool.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Seen {
    /// Sockets that the trace saw binding, and of these, those whose port number it does not tell.
    pub(super) bound: u32,
    pub(super) unnumbered: u32,
    pub(super) obtained: u64,
    pub(super) released: u64,
    pub(super) ages: Ages,
    /// Ports that TCP/IP's events add: older than the trace, and acquired in it.
    pub(super) older: u32,
    pub(super) acquired: u32,
    pub(super) time_wait: u32,
    pub(super) reserved: u32,
    pub(super) listed: Option<Listed>,
}

impl Seen {
    /// What its use of the ports looks like, of which it holds `held`, those in TIME_WAIT and reserved ones left out. The
    /// kernel and those who are not known have no habits.
    pub(super) fn pattern(
        &self,
        held: u32,
        range: PoolRange,
        process: Option<&Process>,
        moment: Option<&Moment>,
        is_kernel_itself: bool,
    ) -> Option<Pattern> {
        let ports = held.saturating_add(self.time_wait).saturating_add(self.reserved);
        if self.reserved > held.saturating_add(self.time_wait) {
            Some(Pattern::Reservation)
        } else if is_kernel_itself || ports < HABIT_PORTS.max(range.count / HABIT_SHARE) || self.older * 2 > held {
            None
        } else if self.time_wait > held {
            Some(Pattern::Churn)
        } else {
            self.habit(process, moment).filter(|habit| *habit != Pattern::Leak || ports >= range.count / LEAK_SHARE)
        }
    }

    /// More or fewer ports held for each minute, from the first port on until this moment.
    pub(super) fn per_minute(&self, process: &Process, moment: &Moment) -> Option<f64> {
        let minutes = moment.time.since(process.tally.first_hold?) as f64 / (60 * FileTime::SECOND) as f64;
        (minutes >= MEASURABLE_MINUTES && self.bound > 0).then(|| f64::from(self.bound) / minutes)
    }

    /// Whether a process leaks or works, by what it gave back: until the moment at hand, and later while it lived.
    fn habit(&self, process: Option<&Process>, moment: Option<&Moment>) -> Option<Pattern> {
        if let Some(listed) = self.listed.filter(|listed| listed.ports > self.bound.saturating_add(self.acquired)) {
            // Bound and never connected, or closed by the other side alone: nobody needs such a socket for long.
            let idle = listed.bound.saturating_add(listed.close_wait);
            let sockets = idle.saturating_add(listed.established);
            return (u64::from(idle) * 10 >= u64::from(sockets) * 8 && sockets > 0).then_some(Pattern::Leak);
        }
        if self.obtained == 0 {
            return None;
        }
        let tally = &process?.tally;
        let lasts = process.is_some_and(Process::lasts);
        let is_leak = if self.released * 10 <= self.obtained {
            !(lasts && tally.ports_released * 2 > tally.ports_obtained)
        } else {
            let gave_back_later = lasts && tally.ports_held * 2 < self.ages.held();
            !gave_back_later && moment.is_some_and(|moment| is_rest_kept(&self.ages, tally.first_hold, moment.time))
        };
        Some(if is_leak { Pattern::Leak } else { Pattern::Load })
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
