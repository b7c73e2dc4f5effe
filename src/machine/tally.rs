//! What is counted for one process.

use std::collections::BTreeMap;

use serde::Serialize;

use super::ages::Ages;
use super::closes::Closes;
use super::growth::Growth;
use super::hold::Hold;
use super::pool_key::{POOLS, PoolKey};
use crate::time::FileTime;

/// For how many failures the owner is known in which way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct OwnerSource {
    /// The process recorded when the socket was created.
    pub created_socket: u64,
    /// The process known for the EPROCESS address.
    pub eprocess: u64,
    /// The process of a record header, where that is known to be reliable: by the place in the driver that logged it.
    pub header_location: u64,
    /// The process of another record header.
    pub header_pid: u64,
    /// Nobody.
    pub unknown: u64,
}

impl OwnerSource {
    /// All failures.
    pub fn total(&self) -> u64 {
        self.known() + self.header_pid + self.unknown
    }

    /// Those whose owner is known: a record header elsewhere may name another process.
    pub fn known(&self) -> u64 {
        self.created_socket + self.eprocess + self.header_location
    }

    /// Adds another count.
    pub fn add(&mut self, other: Self) {
        self.header_location += other.header_location;
        self.created_socket += other.created_socket;
        self.eprocess += other.eprocess;
        self.header_pid += other.header_pid;
        self.unknown += other.unknown;
    }
}

/// Ports that somebody holds in one pool: distinct ones.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct InPool {
    /// Ports.
    pub ports: u32,
    /// Of these, ports whose number is not told.
    pub unnumbered: u32,
    /// Ports obtained so far.
    pub obtained: u64,
    /// Ports given back so far.
    pub released: u64,
}

impl InPool {
    fn add(&mut self, other: Self) {
        self.ports = self.ports.saturating_add(other.ports);
        self.unnumbered = self.unnumbered.saturating_add(other.unnumbered);
        self.obtained += other.obtained;
        self.released += other.released;
    }
}

/// So many sockets older than the trace, closed one right after the other, are a large part of a small pool.
const MANY_CLOSED: u64 = 64;

/// What one process did with sockets, and what became of it.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Binds that failed with 0xC0000209.
    pub bind_failures: u64,
    /// Connects that failed with 0xC0000209.
    pub connect_failures: u64,
    /// First and last of both.
    pub failure_span: Option<(FileTime, FileTime)>,
    /// Binds that succeeded.
    pub binds_ok: u64,
    /// Binds that failed with any other status.
    pub other_bind_failures: u64,
    /// Sockets created.
    pub sockets_created: u64,
    /// Sockets closed or cleaned up.
    pub sockets_closed: u64,
    /// Sockets that hold a port of their own now.
    pub ports_held: u64,
    /// The most of them at one moment.
    pub ports_held_peak: u64,
    /// Ports held now in each pool of the machine's own compartment, distinct ones, and of these, those whose number is not told.
    here: [InPool; POOLS],
    /// The same for pools of other compartments.
    elsewhere: BTreeMap<PoolKey, InPool>,
    /// Ports obtained.
    pub ports_obtained: u64,
    /// Ports given back.
    pub ports_released: u64,
    /// Sockets that gave a port back.
    pub closed: Closes,
    /// Sockets closed that are older than the trace.
    pub closed_older: Closes,
    /// How old the ports are and became.
    pub ages: Ages,
    /// How the number of its ports grew.
    pub growth: Growth,
    /// How the owner of the failures is known. Failures that wait for a decision are not in it yet.
    pub owner_source: OwnerSource,
}

impl Tally {
    /// Counts a bind failure 0xC0000209.
    pub fn bind_failure(&mut self, time: FileTime) {
        self.bind_failures += 1;
        self.failed_at(time, time);
    }

    /// Counts a connect failure 0xC0000209.
    pub fn connect_failure(&mut self, time: FileTime) {
        self.connect_failures += 1;
        self.failed_at(time, time);
    }

    fn failed_at(&mut self, first: FileTime, last: FileTime) {
        let (known_first, known_last) = self.failure_span.unwrap_or((first, last));
        self.failure_span = Some((known_first.min(first), known_last.max(last)));
    }

    /// What was counted so far does not count any more; what is held, and how that came to be, stays.
    pub(super) fn begin_to_count(&mut self) {
        (self.bind_failures, self.connect_failures, self.failure_span) = (0, 0, None);
        (self.binds_ok, self.other_bind_failures) = (0, 0);
        (self.sockets_created, self.sockets_closed) = (0, 0);
        self.ports_held_peak = self.ports_held;
        self.owner_source = OwnerSource::default();
    }

    /// A socket begins to hold a port; `counts` where it is another one than its owner holds in this pool already.
    pub fn hold(&mut self, hold: &Hold, counts: bool) {
        self.hold_instead(hold, counts);
        self.see_peak();
    }

    /// The same, where another socket may turn out to have lost the port: [`Self::see_peak`] is to follow.
    pub fn hold_instead(&mut self, hold: &Hold, counts: bool) {
        let now = hold.since;
        self.ports_held += 1;
        self.ports_obtained += 1;
        self.ages.hold(now);
        self.growth.see(self.ports_held, now);
        self.take(hold.pool, hold.port, counts);
    }

    /// It may hold more than ever before.
    pub fn see_peak(&mut self) {
        self.ports_held_peak = self.ports_held_peak.max(self.ports_held);
    }

    /// A port of this pool is its owner's too.
    pub fn take(&mut self, pool: PoolKey, port: Option<u16>, counts: bool) {
        let held = self.slot(pool);
        held.obtained += 1;
        if counts {
            held.ports = held.ports.saturating_add(1);
            held.unnumbered = held.unnumbered.saturating_add(u32::from(port.is_none()));
        }
    }

    /// A socket no longer holds its port; `counts` where it was the last of its owner that did.
    pub fn release(&mut self, hold: &Hold, counts: bool, now: FileTime) {
        self.ages.release(hold.since, now);
        self.ports_held = self.ports_held.saturating_sub(1);
        self.ports_released += 1;
        self.closed.close(now);
        self.give_back(hold.pool, hold.port, counts);
    }

    /// A port of this pool is its owner's no more.
    pub fn give_back(&mut self, pool: PoolKey, port: Option<u16>, counts: bool) {
        let held = self.slot(pool);
        held.released += 1;
        if counts {
            held.ports = held.ports.saturating_sub(1);
            held.unnumbered = held.unnumbered.saturating_sub(u32::from(port.is_none()));
        }
    }

    fn slot(&mut self, pool: PoolKey) -> &mut InPool {
        let kind = pool.kind();
        match self.here.get_mut(kind).filter(|_| pool.compartment.is_own()) {
            Some(slot) => slot,
            None => self.elsewhere.entry(pool).or_default(),
        }
    }

    /// Ports held now in a pool.
    pub fn in_pool(&self, pool: PoolKey) -> InPool {
        let held = if pool.compartment.is_own() { self.here.get(pool.kind()) } else { self.elsewhere.get(&pool) };
        held.copied().unwrap_or_default()
    }

    /// Decides how the owner of all failures that waited is known.
    pub fn settle(&mut self, source: impl FnOnce(&mut OwnerSource) -> &mut u64) {
        let decided = self.owner_source.total();
        *source(&mut self.owner_source) += (self.bind_failures + self.connect_failures).saturating_sub(decided);
    }

    /// Adds what was counted elsewhere for the same process.
    ///
    /// The peak of the sum is taken from the moment of adding on; before it, the larger of the two.
    pub fn add(&mut self, other: Self) {
        self.bind_failures += other.bind_failures;
        self.connect_failures += other.connect_failures;
        if let Some((first, last)) = other.failure_span {
            self.failed_at(first, last);
        }
        self.binds_ok += other.binds_ok;
        self.other_bind_failures += other.other_bind_failures;
        self.sockets_created += other.sockets_created;
        self.sockets_closed += other.sockets_closed;
        self.ports_held += other.ports_held;
        self.ports_held_peak = self.ports_held_peak.max(other.ports_held_peak).max(self.ports_held);
        for (held, more) in self.here.iter_mut().zip(other.here) {
            held.add(more);
        }
        for (pool, more) in other.elsewhere {
            self.elsewhere.entry(pool).or_default().add(more);
        }
        self.ports_obtained += other.ports_obtained;
        self.ports_released += other.ports_released;
        self.closed.add(other.closed);
        self.closed_older.add(other.closed_older);
        self.ages.add(other.ages);
        self.growth.add(other.growth);
        self.owner_source.add(other.owner_source);
    }

    /// Whether the process created, bound, failed or held something.
    pub fn is_of_interest(&self) -> bool {
        self.bind_failures
            + self.connect_failures
            + self.binds_ok
            + self.other_bind_failures
            + self.sockets_created
            + self.ports_held_peak
            > 0
            || self.closed_older.most_at_once().is_some_and(|most| most.sockets >= MANY_CLOSED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::owner::Owner;
    use crate::machine::pool_key::{Compartment, PoolKey};

    const HOLD: Hold = Hold {
        owner: Owner::Unknown,
        pool: PoolKey { protocol: None, family: None, compartment: Compartment::OWN },
        port: Some(50_000),
        since: FileTime(1),
        dual: false,
    };

    #[test]
    fn peak_survives_release_and_adding() {
        let mut tally = Tally::default();
        tally.hold(&HOLD, true);
        tally.hold(&HOLD, true);
        tally.release(&HOLD, true, FileTime(3));
        let mut other = Tally::default();
        other.hold(&HOLD, true);
        other.hold(&HOLD, true);
        tally.add(other);
        assert_eq!((tally.ports_held, tally.ports_held_peak), (3, 3));
        tally.release(&HOLD, true, FileTime(3));
        assert_eq!((tally.ports_held, tally.ports_held_peak), (2, 3));
    }

    #[test]
    fn ages_are_means() {
        let hold = |since| Hold { since: FileTime(since), ..HOLD };
        let mut tally = Tally::default();
        tally.hold(&hold(10), true);
        tally.hold(&hold(20), true);
        assert_eq!((tally.ages.of_held(FileTime(40)), tally.ages.of_released()), (Some(25), None));
        tally.release(&hold(10), true, FileTime(30));
        assert_eq!((tally.ages.of_held(FileTime(40)), tally.ages.of_released()), (Some(20), Some(20)));
        tally.release(&hold(20), true, FileTime(i64::MAX));
        assert_eq!((tally.ages.held(), tally.ages.of_held(FileTime(40))), (0, None));
    }

    #[test]
    fn settling_counts_only_what_waited() {
        let mut tally = Tally::default();
        tally.bind_failure(FileTime(5));
        tally.owner_source.created_socket += 1;
        tally.connect_failure(FileTime(3));
        tally.settle(|source| &mut source.header_pid);
        assert_eq!(tally.owner_source, OwnerSource { created_socket: 1, header_pid: 1, ..OwnerSource::default() });
        assert_eq!(tally.failure_span, Some((FileTime(3), FileTime(5))));
    }
}
