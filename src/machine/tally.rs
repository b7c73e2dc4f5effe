//! What is counted for one process.

use serde::Serialize;

use super::ages::Ages;
use super::hold::Hold;
use super::pool_key::POOLS;
use crate::time::FileTime;

/// For how many failures the owner is known in which way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
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
    /// Sockets that hold a port now, by pool.
    pub held_by_pool: [u32; POOLS],
    /// Of these, sockets whose port number is not told.
    pub unnumbered_by_pool: [u32; POOLS],
    /// Ports obtained.
    pub ports_obtained: u64,
    /// Ports given back.
    pub ports_released: u64,
    /// How old the ports are and became.
    pub ages: Ages,
    /// When the first port was obtained.
    pub first_hold: Option<FileTime>,
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

    /// A socket begins to hold a port.
    pub fn hold(&mut self, hold: &Hold) {
        let (pool, now) = (hold.pool, hold.since);
        self.ports_held += 1;
        self.ports_held_peak = self.ports_held_peak.max(self.ports_held);
        self.ports_obtained += 1;
        self.ages.hold(now);
        self.first_hold = Some(self.first_hold.map_or(now, |first| first.min(now)));
        if let Some(held) = self.held_by_pool.get_mut(pool.index()) {
            *held = held.saturating_add(1);
        }
        if let Some(held) = self.unnumbered_by_pool.get_mut(pool.index()).filter(|_| hold.port.is_none()) {
            *held = held.saturating_add(1);
        }
    }

    /// A socket no longer holds its port.
    pub fn release(&mut self, hold: &Hold, now: FileTime) {
        let pool = hold.pool;
        self.ages.release(hold.since, now);
        if let Some(held) = self.unnumbered_by_pool.get_mut(pool.index()).filter(|_| hold.port.is_none()) {
            *held = held.saturating_sub(1);
        }
        self.ports_held = self.ports_held.saturating_sub(1);
        self.ports_released += 1;
        if let Some(held) = self.held_by_pool.get_mut(pool.index()) {
            *held = held.saturating_sub(1);
        }
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
        let pairs = self.held_by_pool.iter_mut().zip(other.held_by_pool);
        for (held, more) in pairs.chain(self.unnumbered_by_pool.iter_mut().zip(other.unnumbered_by_pool)) {
            *held = held.saturating_add(more);
        }
        self.ports_obtained += other.ports_obtained;
        self.ports_released += other.ports_released;
        self.ages.add(other.ages);
        self.first_hold = match (self.first_hold, other.first_hold) {
            (Some(one), Some(two)) => Some(one.min(two)),
            (one, two) => one.or(two),
        };
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
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::owner::Owner;
    use crate::machine::pool_key::PoolKey;

    const HOLD: Hold = Hold {
        owner: Owner::Unknown,
        pool: PoolKey { protocol: None, family: None },
        port: Some(50_000),
        since: FileTime(1),
    };

    #[test]
    fn peak_survives_release_and_adding() {
        let mut tally = Tally::default();
        tally.hold(&HOLD);
        tally.hold(&HOLD);
        tally.release(&HOLD, FileTime(3));
        let mut other = Tally::default();
        other.hold(&HOLD);
        other.hold(&HOLD);
        tally.add(other);
        assert_eq!((tally.ports_held, tally.ports_held_peak), (3, 3));
        tally.release(&HOLD, FileTime(3));
        assert_eq!((tally.ports_held, tally.ports_held_peak), (2, 3));
    }

    #[test]
    fn ages_are_means() {
        let hold = |since| Hold { since: FileTime(since), ..HOLD };
        let mut tally = Tally::default();
        tally.hold(&hold(10));
        tally.hold(&hold(20));
        assert_eq!((tally.ages.of_held(FileTime(40)), tally.ages.of_released()), (Some(25), None));
        tally.release(&hold(10), FileTime(30));
        assert_eq!((tally.ages.of_held(FileTime(40)), tally.ages.of_released()), (Some(20), Some(20)));
        tally.release(&hold(20), FileTime(i64::MAX));
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
