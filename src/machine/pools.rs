//! Port pools over time: each protocol and family has a range of its own, from which binds to port 0 are served.

use super::hold::Held;
use super::moment::{Moment, TransportShare};
use super::owner::Owner;
use super::ranges::PoolRange;
use super::time_wait::TimeWait;
use crate::time::{FileTime, joined};

/// Sockets that hold a port, for each port: allocated once a pool is used.
#[derive(Debug, Clone, Default)]
struct SocketsOfPort(Vec<u16>);

impl SocketsOfPort {
    fn get(&self, port: u16) -> u16 {
        self.0.get(usize::from(port)).copied().unwrap_or(0)
    }

    /// Whether the port had no socket before.
    fn add(&mut self, port: u16) -> bool {
        if self.0.is_empty() {
            self.0 = vec![0; 1 << 16];
        }
        let Some(count) = self.0.get_mut(usize::from(port)) else { return false };
        *count = count.saturating_add(1);
        *count == 1
    }

    /// Whether the port has no socket any more.
    fn remove(&mut self, port: u16) -> bool {
        let Some(count) = self.0.get_mut(usize::from(port)) else { return false };
        let had = *count;
        *count = had.saturating_sub(1);
        had == 1
    }
}

/// One pool over time.
#[derive(Debug, Default)]
pub struct Pool {
    sockets: SocketsOfPort,
    /// Sockets that hold a port whose number the trace does not tell.
    unnumbered: u32,
    held: u32,
    /// Most distinct ports held at one moment by sockets that the trace saw binding.
    pub held_peak: u32,
    /// Most ports held or in TIME_WAIT at one moment, the latter with the shorter and the longer length.
    pub occupied_peak: (u32, u32),
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
    /// Of these, those before the first failure.
    pub given_before_failure: u64,
    /// The moment that tells most: the failure at which the trace showed most ports held; without failures, the peak.
    pub moment: Option<Moment>,
    /// The end of the trace.
    pub end: Option<Moment>,
}

/// How many steps of a pool's size are told apart when looking for the moment that tells most: a moment costs a walk over
/// all processes.
const MOMENT_STEPS: u32 = 64;

impl Pool {
    /// Distinct ports held now.
    pub fn held(&self) -> u32 {
        self.held
    }

    /// Whether a socket that the trace saw binding holds `port` now.
    pub fn holds(&self, port: u16) -> bool {
        self.sockets.get(port) > 0
    }

    /// A socket begins to hold a port; `None` where its number is not known.
    pub fn hold(&mut self, port: Option<u16>, now: FileTime) {
        match port {
            Some(port) => {
                self.held += u32::from(self.sockets.add(port));
                self.time_wait.taken(port);
            }
            None => {
                self.unnumbered += 1;
                self.held += 1;
            }
        }
        self.held_peak = self.held_peak.max(self.held);
        let (short, long) = self.time_wait.counts(now);
        self.occupied_peak.0 = self.occupied_peak.0.max(self.held.saturating_add(short));
        self.occupied_peak.1 = self.occupied_peak.1.max(self.held.saturating_add(long));
    }

    /// A socket gives its port back; `waits` where it goes through TIME_WAIT.
    pub fn release(&mut self, port: Option<u16>, waits: Option<Owner>, now: FileTime) {
        let is_free = match port {
            Some(port) => self.sockets.remove(port),
            None => {
                let had = self.unnumbered;
                self.unnumbered = had.saturating_sub(1);
                had > 0
            }
        };
        self.held = self.held.saturating_sub(u32::from(is_free));
        if let Some(owner) = waits.filter(|_| is_free) {
            self.time_wait.released(port, owner, now);
        }
    }

    /// Counts a failure 0xC0000209.
    pub fn failed(&mut self, is_bind: bool, time: FileTime) {
        *(if is_bind { &mut self.bind_failures } else { &mut self.connect_failures }) += 1;
        if self.failure_span.is_none() {
            self.given_before_failure = self.binds_ok;
        }
        self.failure_span = joined(self.failure_span, Some((time, time)));
    }

    /// Notes which port a bind that asked for any was given.
    pub fn given(&mut self, port: Option<u16>) {
        self.binds_ok += 1;
        if let Some(port) = port {
            let (smallest, largest) = self.given.unwrap_or((port, port));
            self.given = Some((smallest.min(port), largest.max(port)));
        }
    }

    /// Whether this moment tells more than the one kept: `in_use` ports, and a failure goes before none.
    pub fn wants_moment(&self, range: PoolRange, in_use: u32, at_failure: bool) -> bool {
        // Of what was in use already, too: a file can make a pool as small, and what it holds as much, as it likes.
        let known = self.moment.as_ref().map_or(0, |kept| kept.trigger);
        let step = (range.count.max(known) / MOMENT_STEPS).max(1);
        match &self.moment {
            None => at_failure || in_use >= step,
            Some(kept) if kept.at_failure == at_failure => in_use >= kept.trigger.saturating_add(step),
            Some(kept) => !kept.at_failure,
        }
    }

    /// Describes this moment.
    pub fn moment_now(
        &mut self,
        now: FileTime,
        at_failure: bool,
        owners: Vec<Held>,
        transport: TransportShare,
    ) -> Moment {
        for port in &transport.taken_again {
            self.time_wait.taken(*port);
        }
        let trigger = self.held.saturating_add(transport.in_use);
        Moment {
            time: now,
            at_failure,
            held: self.held,
            unnumbered: self.unnumbered,
            owners,
            time_wait: self.time_wait.counts(now),
            time_wait_owners: self.time_wait.owners(now),
            transport,
            trigger,
        }
    }

    /// Forgets what is held: the machine was started again.
    pub fn restart(&mut self) {
        self.sockets = SocketsOfPort::default();
        (self.unnumbered, self.held) = (0, 0);
        self.time_wait.restart();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::ranges::RangeSource;

    #[test]
    fn a_port_of_two_sockets_is_one_port() {
        let mut pool = Pool::default();
        let now = FileTime(1);
        pool.hold(Some(50_000), now);
        pool.hold(Some(50_000), now);
        pool.hold(None, now);
        assert_eq!((pool.held(), pool.held_peak), (2, 2));
        pool.release(Some(50_000), None, now);
        assert!(pool.holds(50_000));
        pool.release(Some(50_000), None, now);
        pool.release(Some(50_000), None, now);
        assert_eq!((pool.held(), pool.held_peak), (1, 2), "a port is not given back twice");
    }

    #[test]
    fn a_port_taken_again_does_not_wait_any_more() {
        let mut pool = Pool::default();
        let at = |seconds: i64| FileTime(seconds * FileTime::SECOND);
        pool.hold(Some(50_000), at(0));
        pool.release(Some(50_000), Some(Owner::Unknown), at(1));
        pool.hold(Some(50_001), at(2));
        assert_eq!(pool.occupied_peak, (2, 2));
        pool.hold(Some(50_000), at(3));
        assert_eq!((pool.held(), pool.time_wait.counts(at(3))), (2, (0, 0)));
    }

    #[test]
    fn moments_are_few_however_small_the_range() {
        let range = PoolRange { start: 50_000, count: 1, source: RangeSource::DynamicPortFile };
        let (mut pool, mut moments) = (Pool::default(), 0);
        for number in 0..1_000_000 {
            let now = FileTime(number);
            pool.hold(None, now);
            if pool.wants_moment(range, pool.held(), true) {
                pool.moment = Some(pool.moment_now(now, true, Vec::new(), TransportShare::default()));
                moments += 1;
            }
        }
        assert!(moments < 1000, "{moments}");
    }
}
