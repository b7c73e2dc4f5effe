//! Who is named first: a process, all processes of an image, the kernel, closed connections, or nobody.

use serde::Serialize;

use super::advice::BLAMED_SHARE;
use super::holders::{HolderEvidence, Pattern};
use super::images::ImageOutcome;
use super::outcome::{HolderOutcome, Look, PoolOutcome};
use super::pools::share;
use super::state::State;
use crate::machine::pool_key::PoolKey;
use crate::net::Family;

/// Who is named first for the pool that speaks for the case.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Suspect {
    /// One process: index into the holders.
    Process(usize),
    /// Two or more processes, none of which has many more ports than another: indexes into the holders, most ports first.
    Processes(Vec<usize>),
    /// All processes of an image together: index into the images.
    Image(usize),
    /// Two or more images, none of which has many more ports than another: indexes into the images, most ports first.
    Images(Vec<usize>),
    /// The kernel, on behalf of a driver: index into the holders.
    Kernel(usize),
    /// Closed connections, whose ports wait in TIME_WAIT.
    TimeWait(Waiting),
    /// A process whose sockets are counted, and whose ports nothing tells.
    Sockets(SocketsOnly),
    /// Somebody has the ports, and the inputs do not show who.
    NotShown,
    /// No pool was full or nearly full, or nobody is seen to hold ports of it.
    #[default]
    Nobody,
}

impl Suspect {
    /// Whether nobody is named.
    fn is_nobody(&self) -> bool {
        matches!(self, Self::NotShown | Self::Nobody)
    }

    /// As JSON names it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Process(_) => "process",
            Self::Processes(_) => "processes",
            Self::Image(_) => "image",
            Self::Images(_) => "images",
            Self::Kernel(_) => "kernel",
            Self::TimeWait(_) => "time_wait",
            Self::Sockets(_) => "sockets",
            Self::NotShown => "not_shown",
            Self::Nobody => "nobody",
        }
    }
}

/// Ports in TIME_WAIT, as the first screen tells of them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Waiting {
    /// Index into the pools.
    pub pool: usize,
    /// Ports; not 0.
    pub ports: u32,
    /// The same as a part of the pool, from 0 to 1.
    pub share_of_pool: f64,
    /// A listing shows them; else they are an estimate of the trace.
    pub is_listed: bool,
    /// Index into the processes: who is seen to have left most of them, if anything tells.
    pub made_by: Option<usize>,
}

/// Sockets of a process whose ports nothing tells.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SocketsOnly {
    /// Index into the processes.
    pub process: usize,
    /// Sockets; not 0. They need not all have a port.
    pub sockets: u64,
    /// What counts them.
    pub counted_by: CountedBy,
}

impl SocketsOnly {
    /// Whether these are as many as a large part of a pool of so many ports.
    pub(super) fn is_large(&self, count: u32) -> bool {
        self.sockets as f64 >= LARGE_SHARE * f64::from(count)
    }
}

/// What counts sockets whose ports nothing tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum CountedBy {
    /// `handle -a afd`: handles to AFD.
    AfdHandles,
    /// Rows of a listing that is grouped by process, and does not tell ports.
    GroupedListing,
}

/// What a suspect is drawn from.
pub(super) struct Candidates<'a> {
    /// Pools.
    pub(super) pools: &'a [PoolOutcome],
    /// Holders, most ports first.
    pub(super) holders: &'a [HolderOutcome],
    /// Images, most ports first.
    pub(super) images: &'a [ImageOutcome],
    /// Processes with many sockets whose ports nothing tells: index into the process rows, and how many.
    pub(super) counted: &'a [SocketsOnly],
    /// Nothing tells whether sockets of the trace are still open.
    pub(super) no_closes: bool,
}

/// Who holds so much of a pool is named before all others who hold less, and before what nothing explains.
const LARGE_SHARE: f64 = 0.25;
/// Who has this part of what the largest holder has (seven in ten) is named beside it: a few ports more make nobody the culprit.
const ALIKE_SHARE: (u64, u64) = (7, 10);

/// Other pools that are told of.
const OTHERS: usize = 3;

impl Candidates<'_> {
    /// Who is named for the pool that speaks for the case.
    pub(super) fn suspect(&self, pool: Option<usize>) -> Suspect {
        let Some((index, pool)) = pool.and_then(|index| Some((index, self.pools.get(index)?))) else {
            return Suspect::Nobody;
        };
        if pool.finding.others_served.is_some() {
            return Suspect::Nobody;
        }
        let of_both = self.of_both_families(pool).filter(|(_, row)| self.is_large(row));
        let own = self.largest(index);
        let largest = own.filter(|(_, row)| of_both.is_none() || self.is_large(row)).or(of_both);
        if self.is_doubtful(pool) && largest.is_none_or(|(_, row)| row.holder.evidence > HolderEvidence::B) {
            return Suspect::NotShown;
        }
        let process = largest.filter(|(_, row)| self.is_large(row));
        match (process, self.image(index)) {
            (Some((_, row)), Some((image, together)))
                if grows_beside(together, row)
                    || (together.ports > row.holder.ports
                        && !is_plateau_beside(together, row)
                        && !self.is_flat_beside(together, row)) =>
            {
                self.named_image(image, together)
            }
            (Some((holder, row)), _) => self.named(holder, row),
            (None, Some((image, together))) => self.named_image(image, together),
            (None, None) => self.without_large_holder(index, pool, largest),
        }
    }

    /// Who is named for other pools than the one that speaks: for those that were full too, and for those of another protocol that
    /// were nearly full beside full ones.
    pub(super) fn others(&self, speaking: Option<usize>) -> Vec<(usize, Suspect)> {
        let is_full = |pool: &PoolOutcome| pool.finding.state == Some(State::Exhausted);
        let full = || self.pools.iter().filter(|pool| is_full(pool));
        let is_told = |(index, pool): &(usize, &PoolOutcome)| {
            let is_of_its_own = |full: &PoolOutcome| full.finding.key.protocol != pool.finding.key.protocol;
            let is_near = pool.finding.state == Some(State::Near) && full().count() > 0 && full().all(is_of_its_own);
            let is_known =
                pool.finding.is_known() && pool.finding.local_address.is_none() && !pool.finding.failed_once();
            Some(*index) != speaking && is_known && (is_full(pool) || is_near)
        };
        if speaking.is_none() {
            return Vec::new();
        }
        let own = self.suspect(speaking);
        let told = self.pools.iter().enumerate().filter(is_told);
        let named = told.map(|(index, _)| (index, self.suspect(Some(index))));
        // The sockets of IPv6 that take the ports of IPv4 are told of once.
        let is_other = |(_, suspect): &(usize, Suspect)| *suspect != own || suspect.is_nobody();
        named.filter(is_other).take(OTHERS).collect()
    }

    /// The largest holder of a pool. One that grows into the failure goes before one that took its ports early and has not grown
    /// since, if it has a quarter of the pool, or of what such ones leave; before one whose ports are older than the trace, if it
    /// has a quarter of the pool. Who leaks, or whose load grows, goes so before load that has not grown; and who grows over several
    /// listings before one that had as many in the first.
    fn largest(&self, pool: usize) -> Option<(usize, &HolderOutcome)> {
        let of_pool = || self.holders.iter().enumerate().filter(|(_, row)| row.holder.pool == pool);
        let (index, first) = of_pool().next()?;
        if first.is_listed_so() {
            // What looks like a leak is excused by another one alone.
            let is_leak = |row: &HolderOutcome| row.holder.pattern == Some(Pattern::Leak);
            let fills =
                |(_, row): &(usize, &HolderOutcome)| self.grew_in_listings(row) && (is_leak(row) || !is_leak(first));
            return of_pool().find(fills).or(Some((index, first)));
        }
        if !first.keeps_what_it_took() && !first.is_older() && !first.is_level() {
            return Some((index, first));
        }
        let grows = |(_, row): &(usize, &HolderOutcome)| match row.holder.pattern {
            Some(Pattern::Leak) if first.is_older() => row.share_of_pool >= LARGE_SHARE,
            Some(Pattern::Leak) => self.is_large(row),
            Some(Pattern::Load) if !row.is_level() => !first.is_older() && self.is_large(row),
            Some(Pattern::Churn | Pattern::Reservation) => first.keeps_what_it_took() && self.is_large(row),
            Some(Pattern::Load | Pattern::Steady) | None => false,
        };
        let works = |(_, row): &(usize, &HolderOutcome)| {
            first.keeps_what_it_took() && row.holder.pattern == Some(Pattern::Load) && self.is_large(row)
        };
        of_pool().find(grows).or_else(|| of_pool().find(works)).or(Some((index, first)))
    }

    /// Whether the processes of an image had as many in the first of several listings, and this holder grew.
    fn is_flat_beside(&self, image: &ImageOutcome, row: &HolderOutcome) -> bool {
        let mut members = image.holders.iter().filter_map(|index| self.holders.get(*index));
        row.holder.grew_in_listings.is_some() && members.all(HolderOutcome::is_listed_so)
    }

    /// Whether somebody grew over several listings by much of what those leave who did not.
    fn grew_in_listings(&self, row: &HolderOutcome) -> bool {
        let Some(course) = row.holder.grew_in_listings else { return false };
        let is_other = |other: &&HolderOutcome| other.holder.pool == row.holder.pool && other.is_listed_so();
        let kept: f64 = self.holders.iter().filter(is_other).map(|other| other.share_of_pool).sum();
        let had = f64::from(course.first) / f64::from(row.holder.ports.max(1));
        row.share_of_pool * (1.0 - had) >= LARGE_SHARE * (1.0 - kept).max(0.0)
    }

    /// Whether somebody holds much: of the pool, or who leaks of what those leave who took their ports early.
    fn is_large(&self, row: &HolderOutcome) -> bool {
        let whole = if row.holder.pattern == Some(Pattern::Leak) { self.left(row.holder.pool) } else { 1.0 };
        row.share_of_pool >= LARGE_SHARE * whole
    }

    /// The part of what can be given out of a pool that those leave who took their ports early and have not grown since.
    fn left(&self, pool: usize) -> f64 {
        let keep = self.holders.iter().filter(|row| row.holder.pool == pool && row.keeps_what_it_took());
        let set_aside =
            self.pools.get(pool).map_or(0.0, |pool| share(pool.finding.set_aside, pool.finding.range.count));
        (1.0 - set_aside - keep.map(|row| row.share_of_pool).sum::<f64>()).max(0.0)
    }

    /// The largest image of a pool that speaks; of those that took their ports early, only where there is no other.
    fn image(&self, pool: usize) -> Option<(usize, &ImageOutcome)> {
        let of_pool = || {
            let images = self.images.iter().enumerate();
            images.filter(|(_, image)| image.pool == pool && self.speaks_as_image(image))
        };
        of_pool().find(|(_, image)| image.pattern != Some(Pattern::Steady)).or_else(|| of_pool().next())
    }

    /// The largest holder of the pool of IPv6 whose sockets may take the ports of this one too.
    fn of_both_families(&self, pool: &PoolOutcome) -> Option<(usize, &HolderOutcome)> {
        let finding = &pool.finding;
        let of_ipv6 = PoolKey { family: Some(Family::Ipv6), ..finding.key };
        let is_it = |other: &PoolOutcome| other.finding.key == of_ipv6 && other.finding.local_address.is_none();
        let index = self.pools.iter().position(is_it).filter(|_| finding.dual_stack > 0)?;
        self.largest(index)
    }

    /// What sockets of the trace hold is not certain: nothing tells that they were closed, or more seems to be held than there is.
    fn is_doubtful(&self, pool: &PoolOutcome) -> bool {
        self.no_closes || pool.finding.is_not_understood()
    }

    /// Whether an image holds much of its pool together, and none of its processes does.
    fn speaks_as_image(&self, image: &ImageOutcome) -> bool {
        let shares = image.holders.iter().filter_map(|index| self.holders.get(*index)).map(|row| row.share_of_pool);
        image.share_of_pool >= LARGE_SHARE && shares.fold(0.0, f64::max) < LARGE_SHARE
    }

    /// Nobody holds much: closed connections may, or a process whose ports nothing tells, or somebody who is not in sight.
    fn without_large_holder(
        &self,
        index: usize,
        pool: &PoolOutcome,
        largest: Option<(usize, &HolderOutcome)>,
    ) -> Suspect {
        let finding = &pool.finding;
        let (listed, estimated) = (finding.listed_time_wait, finding.time_wait.0);
        let waiting = listed.max(estimated);
        let share_of_pool = share(waiting, finding.range.count);
        if share_of_pool >= LARGE_SHARE {
            let made = self.holders.iter().filter(|row| row.holder.pool == index && row.holder.time_wait > 0);
            let made_by = made.max_by_key(|row| (row.holder.time_wait, std::cmp::Reverse(row.process)));
            return Suspect::TimeWait(Waiting {
                pool: index,
                ports: waiting,
                share_of_pool,
                is_listed: listed >= estimated,
                made_by: made_by.map(|row| row.process),
            });
        }
        if u64::from(finding.set_aside) * 2 >= u64::from(finding.range.count) {
            // Most of it is excluded or reserved: that nobody is given those is why it is full.
            return Suspect::Nobody;
        }
        let is_hidden = pool.state == State::Exhausted && !finding.is_explained();
        let is_large = |seen: &&SocketsOnly| seen.is_large(finding.range.count);
        if let Some(seen) = self.counted.iter().filter(is_large).find(|_| is_hidden || largest.is_none()) {
            return Suspect::Sockets(*seen);
        }
        match largest {
            // What is out of sight is more than the largest holder in sight has.
            _ if is_hidden => Suspect::NotShown,
            Some((holder, row)) => self.named(holder, row),
            None => Suspect::Nobody,
        }
    }

    /// An image, and those that are not to be told from it by what they hold together.
    fn named_image(&self, first: usize, together: &ImageOutcome) -> Suspect {
        let is_alike = |(index, other): &(usize, &ImageOutcome)| {
            let (most, ports) = (together.ports, other.ports);
            let is_much = other.pool == together.pool && other.share_of_pool >= BLAMED_SHARE;
            let habits = (together.pattern, other.pattern);
            *index == first || (is_much && is_nearly_as_much(most, ports) && is_habit_alike(habits))
        };
        let alike: Vec<usize> = self.images.iter().enumerate().filter(is_alike).map(|(index, _)| index).collect();
        if alike.len() > 1 { Suspect::Images(alike) } else { Suspect::Image(first) }
    }

    /// A holder, and those who are not to be told from it by what they hold. Where it has hardly anything, these are all.
    fn named(&self, first: usize, row: &HolderOutcome) -> Suspect {
        if row.look == Look::Kernel {
            return Suspect::Kernel(first);
        }
        let is_alike = |(index, other): &(usize, &HolderOutcome)| {
            let is_small = row.share_of_pool < BLAMED_SHARE && !is_of_its_own(row) && !is_of_its_own(other);
            *index == first || (other.holder.pool == row.holder.pool && (is_small || is_alike(row, other)))
        };
        let alike: Vec<usize> = self.holders.iter().enumerate().filter(is_alike).map(|(index, _)| index).collect();
        if alike.len() > 1 { Suspect::Processes(alike) } else { Suspect::Process(first) }
    }
}

/// Whether an image grows into the failure, and this holder does not, whatever it has.
fn grows_beside(image: &ImageOutcome, row: &HolderOutcome) -> bool {
    image.pattern == Some(Pattern::Leak) && (row.keeps_what_it_took() || row.is_older() || row.is_level())
}

/// Whether an image took its ports early and has not grown since, and this holder takes the rest.
fn is_plateau_beside(image: &ImageOutcome, row: &HolderOutcome) -> bool {
    image.pattern == Some(Pattern::Steady) && row.holder.pattern == Some(Pattern::Leak)
}

/// Whether a holder has nearly as many ports as the first, and does the like with them as far as that is known. Who leaks is not
/// excused by one who works.
fn is_alike(first: &HolderOutcome, other: &HolderOutcome) -> bool {
    if first.holder.grew_in_listings.is_some() && other.is_listed_so() {
        return false;
    }
    is_habit_alike((first.holder.pattern, other.holder.pattern))
        && !is_of_its_own(first)
        && !is_of_its_own(other)
        && other.share_of_pool >= BLAMED_SHARE
        && is_nearly_as_much(first.holder.ports, other.holder.ports)
}

/// Whether it is the kernel, or DNS Server's pool of sockets.
fn is_of_its_own(row: &HolderOutcome) -> bool {
    matches!(row.look, Look::Kernel | Look::DnsPool)
}

/// Whether so many ports are nearly as many as the most.
pub(super) fn is_nearly_as_much(most: u32, ports: u32) -> bool {
    u64::from(ports).saturating_mul(ALIKE_SHARE.1) >= u64::from(most).saturating_mul(ALIKE_SHARE.0)
}

/// Whether another does the like with its ports as the first, as far as that is known.
fn is_habit_alike(patterns: (Option<Pattern>, Option<Pattern>)) -> bool {
    match patterns {
        (None, pattern) => matches!(pattern, None | Some(Pattern::Leak)),
        (Some(Pattern::Load), pattern) => matches!(pattern, None | Some(Pattern::Load | Pattern::Leak)),
        (Some(Pattern::Reservation), _) => false,
        (first, other) => first == other,
    }
}
