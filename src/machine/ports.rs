//! What happens to ports, pool by pool: who holds them, what was refused, where connections go.

use super::counts::BoundedCounts;
use super::hold::Hold;
use super::owner::Owner;
use super::pool_key::{POOLS, PoolKey};
use super::pools::Pool;
use super::processes::ProcessTable;
use super::ranges::PoolRanges;
use super::time_wait::stated_length_100ns;
use super::timeline::{Happening, Timeline};
use super::transport::Transport;
use crate::net::SocketAddress;
use crate::status::NtStatus;
use crate::time::FileTime;

/// Pairs of owner and remote address that are counted. A busy proxy has a few thousand.
const MAX_DESTINATIONS: usize = 1 << 16;

/// Combinations of status, port and owner of other failures that are counted. A conflict has one.
const MAX_CONFLICTS: usize = 1 << 14;

/// A failure that is no exhaustion: which status, on which port, whose.
pub type Conflict = (NtStatus, Option<u16>, Owner);

/// All ports of a machine.
#[derive(Debug, Default)]
pub struct Ports {
    /// Ranges of the pools.
    pub ranges: PoolRanges,
    /// The pools, by [`PoolKey::index`].
    pub pools: [Pool; POOLS],
    /// What TCP/IP's own events told.
    pub transport: Transport,
    /// Over time.
    pub timeline: Timeline,
    /// Connects, for each owner and remote address.
    pub destinations: BoundedCounts<(Owner, SocketAddress), MAX_DESTINATIONS>,
    /// Binds that failed with another status than 0xC0000209.
    pub conflicts: BoundedCounts<Conflict, MAX_CONFLICTS>,
    held: u64,
}

impl Ports {
    /// Ports of pools with these ranges, and their timeline.
    pub fn new(ranges: PoolRanges, timeline: Timeline) -> Self {
        Self { ranges, timeline, ..Self::default() }
    }

    fn pool(&mut self, key: PoolKey) -> Option<&mut Pool> {
        self.pools.get_mut(key.index())
    }

    /// A socket begins to hold a port.
    pub fn hold(&mut self, hold: &Hold) {
        let Some(pool) = self.pools.get_mut(hold.pool.index()) else { return };
        let before = pool.held();
        pool.hold(hold.port, hold.since);
        self.held += u64::from(pool.held() - before);
    }

    /// A socket gives its port back; `connected` where it had been connected.
    pub fn release(&mut self, hold: &Hold, connected: bool, now: FileTime) {
        let is_tcp = hold.pool.protocol == Some(crate::net::Protocol::Tcp);
        let waits = (connected && is_tcp).then_some(hold.owner);
        let Some(pool) = self.pools.get_mut(hold.pool.index()) else { return };
        let before = pool.held();
        pool.release(hold.port, waits, now);
        self.held -= u64::from(before - pool.held());
    }

    /// A bind that asked for any port was given one.
    pub fn given(&mut self, key: PoolKey, port: Option<u16>) {
        if let Some(pool) = self.pool(key) {
            pool.given(port);
        }
    }

    /// A bind or connect failed for want of a port.
    pub fn failed(&mut self, key: PoolKey, is_bind: bool, time: FileTime) {
        if let Some(pool) = self.pool(key) {
            pool.failed(is_bind, time);
        }
        self.count(if is_bind { Happening::BindFailure } else { Happening::ConnectFailure }, time);
    }

    /// The trace tells how long a closed connection keeps its port.
    pub fn set_time_wait(&mut self, stated: u32) {
        if let Some(length) = stated_length_100ns(stated) {
            self.pools.iter_mut().for_each(|pool| pool.time_wait.set_length(length));
        }
    }

    /// Counts something in the timeline.
    pub fn count(&mut self, what: Happening, time: FileTime) {
        self.timeline.count(what, time, self.held);
    }

    /// Looks whether a pool is in a state worth keeping, and keeps it.
    pub fn consider(&mut self, key: PoolKey, now: FileTime, at_failure: bool, processes: &ProcessTable) {
        let range = self.ranges.of(key);
        let in_use = self.transport.in_use(key);
        let wanted = self
            .pools
            .get(key.index())
            .is_some_and(|pool| pool.wants_moment(range, pool.held().saturating_add(in_use), at_failure));
        if wanted {
            let share = self.transport.share(key, &self.ranges, &self.pools);
            if let Some(pool) = self.pool(key) {
                pool.moment = Some(pool.moment_now(now, at_failure, processes.held_in(key), share));
            }
        }
    }

    /// Keeps the state of all pools at the end.
    pub fn finish(&mut self, now: FileTime, processes: &ProcessTable) {
        for key in PoolKey::all() {
            let share = self.transport.share(key, &self.ranges, &self.pools);
            let Some(pool) = self.pool(key) else { continue };
            let end = pool.moment_now(now, false, processes.held_in(key), share);
            let tells_more = pool.moment.as_ref().is_none_or(|kept| !kept.at_failure && kept.visible() < end.visible());
            if tells_more && end.visible() > 0 {
                pool.moment = Some(end.clone());
            }
            pool.end = Some(end);
        }
    }

    /// The machine was started again.
    pub fn restart(&mut self) {
        self.pools.iter_mut().for_each(Pool::restart);
        self.transport.restart();
        self.held = 0;
    }
}
