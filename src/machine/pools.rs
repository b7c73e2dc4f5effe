//! Port pools over time: each protocol and family has a range of its own, from which binds to port 0 are served.

use super::hold::Held;
use super::holding::{Change, Holding};
use super::moment::{Moment, TransportShare};
use super::outages::Outages;
use super::owner::Owner;
use super::ranges::PoolRange;
use super::served::Served;
use super::time_wait::TimeWait;
use crate::time::{FileTime, joined};

/// One pool over time.
#[derive(Debug, Default)]
pub struct Pool {
    holding: Holding,
    /// Sockets that hold a port whose number the trace does not tell.
    unnumbered: u32,
    held: u32,
    /// Most distinct ports held at one moment by sockets that the trace saw binding.
    pub held_peak: u32,
    /// When it came to hold these, if nearly as many were held ever since.
    pub at_peak_since: Option<FileTime>,
    /// Most ports held or in TIME_WAIT at one moment, the latter with the shorter and the longer length.
    pub occupied_peak: (u32, u32),
    /// Fewest and most ports held or in TIME_WAIT, with the shorter length, since the range was taken.
    range: (u32, u32),
    /// Ports of sockets that were closed.
    pub time_wait: TimeWait,
    /// Bind failures 0xC0000209.
    pub bind_failures: u64,
    /// Connect failures 0xC0000209.
    pub connect_failures: u64,
    /// First and last of both.
    pub failure_span: Option<(FileTime, FileTime)>,
    /// Smallest and largest port given to a bind that asked for any.
    pub given: Option<(u16, u16)>,
    /// Binds that asked for any port and were given one.
    pub binds_ok: u64,
    /// When the last of them was.
    pub given_last: Option<FileTime>,
    /// Of these, those before the first failure.
    pub given_before_failure: u64,
    /// When it was out of ports, and who held them then.
    pub outages: Outages,
    /// Without outages: the peak.
    pub peak: Option<Moment>,
    /// Ports given out although a socket seemed to hold them, and no event told of its end.
    pub given_twice: u64,
    /// The same until the last failure.
    pub given_twice_at_failure: u64,
    /// Binds that asked for any port and were given one, until the last failure.
    pub given_at_failure: u64,
    /// Who failed, and who was served meanwhile.
    pub served: Served,
    /// Gives since the last failure.
    gives_in_a_row: u32,
    /// Ports held or in TIME_WAIT at the last failure.
    occupied_at_failure: u32,
    /// A port came back since the last failure.
    released_since_failure: bool,
    /// It had room at the end, since most of what was in use at the last failure had come back.
    pub(super) has_emptied_at_end: bool,
    /// The end of the trace.
    pub end: Option<Moment>,
}

/// How many steps of a pool's size are told apart when looking for the moment that tells most: a moment costs a walk over
/// all processes.
const MOMENT_STEPS: u32 = 64;

/// So many ports given out in a row, without a failure in between, show that ports of processes that have ended came back. In a
/// full pool one may be given out now and then because somebody else closed a socket.
const GIVES_AGAIN: u32 = 8;

/// A pool with so large a part of the most that it ever held (98 of 100) is as full as then.
const NEARLY_PEAK: (u64, u64) = (98, 100);

impl Pool {
    /// Distinct ports held now.
    pub fn held(&self) -> u32 {
        self.held
    }

    /// Whether a socket that the trace saw binding holds `port` now.
    pub fn holds(&self, port: u16) -> bool {
        self.holding.holds(port)
    }

    /// The socket that took `port` last, if it is held.
    pub(super) fn last_taken_by(&self, port: u16) -> Option<u64> {
        self.holding.last_taken_by(port)
    }

    /// A socket begins to hold a port; `None` where its number is not known.
    pub fn hold(&mut self, port: Option<u16>, owner: Owner, endpoint: u64, now: FileTime) -> Change {
        // Some may have ceased to wait since.
        self.time_wait.expire(now);
        self.note_least();
        let change = match port {
            Some(port) => {
                self.time_wait.taken(port);
                self.holding.take(port, owner, endpoint)
            }
            None => {
                self.unnumbered += 1;
                Change { of_pool: true, of_owner: true }
            }
        };
        self.held += u32::from(change.of_pool);
        if self.held > self.held_peak {
            (self.held_peak, self.at_peak_since) = (self.held, Some(now));
        }
        let (short, long) = self.time_wait.waiting();
        self.occupied_peak.0 = self.occupied_peak.0.max(self.held.saturating_add(short));
        self.occupied_peak.1 = self.occupied_peak.1.max(self.held.saturating_add(long));
        self.range.1 = self.range.1.max(self.held.saturating_add(short));
        change
    }

    fn note_least(&mut self) {
        let ports = self.held.saturating_add(self.time_wait.waiting().0);
        self.range.0 = self.range.0.min(ports);
    }

    /// Fewest and most ports held or in TIME_WAIT, with the shorter length, since this was asked last.
    pub(super) fn take_range(&mut self, now: FileTime) -> (u32, u32) {
        let ports = self.held.saturating_add(self.time_wait.counts(now).0);
        self.note_least();
        std::mem::replace(&mut self.range, (ports, ports))
    }

    /// A socket of `owner` gives its port back; it goes through TIME_WAIT where it `waits`.
    pub fn release(&mut self, port: Option<u16>, owner: Owner, waits: bool, now: FileTime) -> Change {
        let change = match port {
            Some(port) => self.holding.give_back(port, owner),
            None => {
                let had = self.unnumbered > 0;
                self.unnumbered = self.unnumbered.saturating_sub(1);
                Change { of_pool: had, of_owner: had }
            }
        };
        self.held = self.held.saturating_sub(u32::from(change.of_pool));
        if u64::from(self.held) * NEARLY_PEAK.1 < u64::from(self.held_peak) * NEARLY_PEAK.0 {
            self.at_peak_since = None;
        }
        self.released_since_failure |= change.of_pool;
        if change.of_pool {
            if waits {
                self.time_wait.released(port, owner, now);
            }
            // Those that have ceased to wait by now are seen when the next port is taken, or the step ends.
            self.note_least();
        }
        change
    }

    /// Counts a failure 0xC0000209; `taken` ports have been acquired so far below the sockets.
    pub fn failed(&mut self, is_bind: bool, taken: u64, time: FileTime) {
        *(if is_bind { &mut self.bind_failures } else { &mut self.connect_failures }) += 1;
        if self.failure_span.is_none() {
            self.given_before_failure = self.binds_ok;
        }
        self.failure_span = joined(self.failure_span, Some((time, time)));
        self.given_at_failure = self.binds_ok;
        self.gives_in_a_row = 0;
        self.released_since_failure = false;
        self.occupied_at_failure = self.held.saturating_add(self.time_wait.waiting().0);
        self.given_twice_at_failure = self.given_twice;
        self.outages.failed(time, self.binds_ok + taken);
    }

    /// Whether fewer than half of the ports that were in use at the last failure, as far as sockets show, still are: it has room,
    /// also where nobody has asked for a port since.
    pub(super) fn has_emptied(&mut self, now: FileTime) -> bool {
        let in_use = self.held.saturating_add(self.time_wait.counts(now).0);
        u64::from(in_use) * 2 < u64::from(self.occupied_at_failure)
    }

    /// Whether nothing tells of a port that was free since the last failure: none was given out, and none came back. `taken`
    /// ports have been acquired so far below the sockets.
    pub fn is_still_full(&self, taken: u64) -> bool {
        !self.released_since_failure && self.outages.gave_none_since(self.binds_ok + taken)
    }

    /// Notes which port a bind that asked for any was given.
    pub fn given(&mut self, port: Option<u16>, now: FileTime) {
        self.binds_ok += 1;
        self.given_last = Some(now);
        self.gives_in_a_row = self.gives_in_a_row.saturating_add(1);
        if let Some(port) = port {
            let (smallest, largest) = self.given.unwrap_or((port, port));
            self.given = Some((smallest.min(port), largest.max(port)));
        }
    }

    /// Ports are given out again: several in a row, without a failure in between.
    pub(super) fn is_giving_again(&self) -> bool {
        self.gives_in_a_row >= GIVES_AGAIN
    }

    /// The last of the ports in a row that show that others have come back was given out just now, and before them a bind failed.
    pub(super) fn begins_to_give_again(&self) -> bool {
        self.gives_in_a_row == GIVES_AGAIN && !self.outages.is_empty()
    }

    /// The moment that tells most: of the outage at hand, or without outages the peak.
    pub fn kept(&self) -> Option<&Moment> {
        if self.outages.is_empty() { self.peak.as_ref() } else { self.outages.last()?.moment.as_ref() }
    }

    /// Whether this moment tells more than the one kept: `in_use` ports, and failures go before none.
    pub fn wants_moment(&self, range: PoolRange, in_use: u32, at_failure: bool) -> bool {
        if !at_failure && !self.outages.is_empty() {
            return false;
        }
        let kept = self.kept();
        // Of what was in use already, too: a file can make a pool as small, and what it holds as much, as it likes.
        let known = kept.map_or(0, |kept| kept.trigger);
        let step = (range.count.max(known) / MOMENT_STEPS).max(1);
        match kept {
            None => at_failure || in_use >= step,
            Some(kept) => in_use >= kept.trigger.saturating_add(step),
        }
    }

    /// Keeps a moment.
    pub(super) fn keep(&mut self, moment: Moment) {
        if self.outages.is_empty() {
            self.peak = Some(moment);
        } else {
            self.outages.keep(moment);
        }
    }

    /// The end: without outages it tells as much as the peak, where it is hardly less.
    pub(super) fn keep_end(&mut self, end: Moment) {
        let is_less = |kept: &Moment| u64::from(end.visible()) * 16 < u64::from(kept.visible()) * 15;
        if self.outages.is_empty() && end.visible() > 0 && !self.peak.as_ref().is_some_and(is_less) {
            self.peak = Some(end.clone());
        }
        self.end = Some(end);
    }

    /// Describes this moment.
    pub fn moment_now(
        &mut self,
        now: FileTime,
        at_failure: bool,
        owners: Vec<Held>,
        transport: TransportShare,
        count: u32,
    ) -> Moment {
        for port in &transport.taken_again {
            self.time_wait.taken(*port);
        }
        let trigger = self.held.saturating_add(transport.in_use);
        let visible = self.held.saturating_add(transport.ports().saturating_sub(self.unnumbered));
        let (short, long) = self.time_wait.counts(now);
        // Where all numbers are known, each port that waits is one that nobody holds.
        let left = if self.unnumbered > 0 { count.saturating_sub(visible) } else { u32::MAX };
        let largest = owners.iter().map(|held| (held.owner, held.ports));
        Moment {
            largest: largest.reduce(|one, other| if other.1 > one.1 { other } else { one }),
            time: now,
            at_failure,
            held: self.held,
            unnumbered: self.unnumbered,
            owners,
            time_wait: (short.min(left), long.min(left)),
            time_wait_owners: self.time_wait.owners(now, left),
            transport,
            trigger,
        }
    }

    /// What was counted so far does not count any more; what is held stays, and was held at the beginning.
    pub(super) fn begin_to_count(&mut self, now: FileTime) {
        let (short, long) = self.time_wait.counts(now);
        (self.held_peak, self.at_peak_since) = (self.held, Some(now));
        self.occupied_peak = (self.held.saturating_add(short), self.held.saturating_add(long));
        (self.bind_failures, self.connect_failures, self.failure_span) = (0, 0, None);
        self.range = (self.occupied_peak.0, self.occupied_peak.0);
        self.outages = Outages::default();
        self.served = Served::default();
        self.peak = None;
    }

    /// Forgets what is held: the machine was started again.
    pub fn restart(&mut self) {
        self.range.0 = 0;
        self.holding.clear();
        (self.unnumbered, self.held, self.at_peak_since) = (0, 0, None);
        self.time_wait.restart();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::ranges::RangeSource;

    const OWNER: Owner = Owner::Unknown;

    #[test]
    fn a_port_of_two_sockets_is_one_port() {
        let mut pool = Pool::default();
        let now = FileTime(1);
        pool.hold(Some(50_000), OWNER, 1, now);
        pool.hold(Some(50_000), OWNER, 2, now);
        pool.hold(None, OWNER, 3, now);
        assert_eq!((pool.held(), pool.held_peak), (2, 2));
        pool.release(Some(50_000), OWNER, false, now);
        assert!(pool.holds(50_000));
        pool.release(Some(50_000), OWNER, false, now);
        pool.release(Some(50_000), OWNER, false, now);
        assert_eq!((pool.held(), pool.held_peak), (1, 2), "a port is not given back twice");
    }

    #[test]
    fn a_port_taken_again_does_not_wait_any_more() {
        let mut pool = Pool::default();
        let at = |seconds: i64| FileTime(seconds * FileTime::SECOND);
        pool.hold(Some(50_000), OWNER, 1, at(0));
        pool.release(Some(50_000), OWNER, true, at(1));
        pool.hold(Some(50_001), OWNER, 2, at(2));
        assert_eq!(pool.occupied_peak, (2, 2));
        pool.hold(Some(50_000), OWNER, 3, at(3));
        assert_eq!((pool.held(), pool.time_wait.counts(at(3))), (2, (0, 0)));
    }

    #[test]
    fn moments_are_few_however_small_the_range() {
        let range = PoolRange { start: 50_000, count: 1, source: RangeSource::DynamicPortFile };
        let (mut pool, mut moments) = (Pool::default(), 0);
        for number in 0..1_000_000 {
            let now = FileTime(number);
            pool.hold(None, OWNER, 1, now);
            pool.failed(true, 0, now);
            if pool.wants_moment(range, pool.held(), true) {
                let moment = pool.moment_now(now, true, Vec::new(), TransportShare::default(), 1);
                pool.keep(moment);
                moments += 1;
            }
        }
        assert!(moments < 1000, "{moments}");
    }
}
