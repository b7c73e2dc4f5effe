//! What happens to ports, pool by pool: who holds them, what was refused, where connections go.

use super::counts::BoundedCounts;
use super::hold::Hold;
use super::holding::Change;
use super::levels::{Level, LevelRange};
use super::moment::Moment;
use super::owner::{Owner, ProcessId};
use super::pool_key::{Compartment, Compartments, POOLS, PoolKey};
use super::pools::Pool;
use super::processes::ProcessTable;
use super::ranges::{PoolRange, PoolRanges};
use super::time_wait::stated_length_100ns;
use super::timeline::{Happening, Timeline};
use super::transport::Transport;
use crate::event::PortReference;
use crate::net::{Family, Protocol, SocketAddress};
use crate::status::NtStatus;
use crate::time::FileTime;

/// Pairs of owner and remote address that are counted. A busy proxy has a few thousand.
const MAX_DESTINATIONS: usize = 1 << 16;

/// Connects that are counted together: what each waits for from memory, they then wait for at the same time.
const CONNECTS: usize = 1 << 8;

/// Combinations of status, port and owner of other failures that are counted. A conflict has one.
const MAX_CONFLICTS: usize = 1 << 14;

/// Pairs of creator and user that are counted. A broker has a few dozen clients.
const MAX_USERS: usize = 1 << 12;

/// Processes and references that moments may look at, all together: 64 moments of a large server look at a few million.
const MOMENT_BUDGET: u64 = 1 << 28;

/// A failure that is no exhaustion: which status, on which port, whose.
pub type Conflict = (NtStatus, Option<u16>, Owner);

/// All ports of a machine.
#[derive(Debug)]
pub struct Ports {
    /// Ranges of the pools, as they are told.
    pub ranges: PoolRanges,
    /// The pools, by [`PoolKey::index`].
    pub pools: Vec<Pool>,
    /// Compartments, as TCP/IP's events name them.
    pub compartments: Compartments,
    /// What TCP/IP's own events told.
    pub transport: Transport,
    /// Over time.
    pub timeline: Timeline,
    /// Connects, for each owner and remote address.
    pub destinations: BoundedCounts<(Owner, SocketAddress), MAX_DESTINATIONS>,
    /// Connects that are not in it yet.
    connects: Vec<(Owner, SocketAddress)>,
    /// When the last time began of which no trace tells, between two of them.
    pub unseen_since: Option<FileTime>,
    /// Binds that failed with another status than 0xC0000209.
    pub conflicts: BoundedCounts<Conflict, MAX_CONFLICTS>,
    /// Binds and connects of sockets that another process created: creator and user.
    pub users: BoundedCounts<(ProcessId, ProcessId), MAX_USERS>,
    /// A bind to one local address has failed: pools may differ by address.
    pub is_by_address: bool,
    held: u64,
    looked_at: u64,
}

impl Default for Ports {
    fn default() -> Self {
        Self::new(PoolRanges::default(), Timeline::default())
    }
}

impl Ports {
    /// Ports of pools with these ranges, and their timeline.
    pub fn new(ranges: PoolRanges, timeline: Timeline) -> Self {
        let mut pools = Vec::new();
        pools.resize_with(POOLS, Pool::default);
        Self {
            ranges,
            pools,
            compartments: Compartments::default(),
            transport: Transport::default(),
            timeline,
            destinations: BoundedCounts::default(),
            connects: Vec::new(),
            unseen_since: None,
            conflicts: BoundedCounts::default(),
            users: BoundedCounts::default(),
            is_by_address: false,
            held: 0,
            looked_at: 0,
        }
    }

    /// What was counted so far does not count any more; what is held stays.
    pub(super) fn begin_to_count(&mut self, timeline: Timeline, now: FileTime) {
        self.timeline = timeline;
        self.destinations = BoundedCounts::default();
        self.connects.clear();
        self.conflicts = BoundedCounts::default();
        self.transport.begin_to_count();
        self.pools.iter_mut().for_each(|pool| pool.begin_to_count(now));
    }

    /// All pools there are, those of the machine's own compartment first.
    pub fn keys(&self) -> impl Iterator<Item = PoolKey> + use<> {
        self.compartments.all().flat_map(|compartment| PoolKey::all().map(|key| key.within(compartment)))
    }

    /// A pool.
    pub fn get(&self, key: PoolKey) -> Option<&Pool> {
        self.pools.get(key.index())
    }

    fn pool(&mut self, key: PoolKey) -> Option<&mut Pool> {
        self.pools.get_mut(key.index())
    }

    /// The compartment with this number; its pools are there from now on.
    pub(super) fn compartment(&mut self, number: u32) -> Compartment {
        let compartment = self.compartments.named(number);
        let last = PoolKey::default().within(compartment).index() + POOLS;
        if self.pools.len() < last {
            self.pools.resize_with(last, Pool::default);
        }
        compartment
    }

    /// The range of a pool as it is told, or where known ports refute that, as they show it.
    pub fn range(&self, key: PoolKey) -> PoolRange {
        let given = self.get(key).and_then(|pool| pool.given);
        self.ranges.of(key).unless_refuted(given, self.transport.seen(key))
    }

    /// A socket begins to hold a port: whether its owner has one more.
    pub fn hold(&mut self, hold: &Hold, endpoint: u64) -> bool {
        let Some(pool) = self.pools.get_mut(hold.pool.index()) else { return true };
        let change = pool.hold(hold.port, hold.owner, endpoint, hold.since);
        self.held += u64::from(change.of_pool);
        change.of_owner
    }

    /// A socket gives its port back; `connected` where it had been connected. Whether its owner has one less.
    pub fn release(&mut self, hold: &Hold, connected: bool, now: FileTime, processes: &ProcessTable) -> bool {
        let change = self.release_in(hold.pool, hold, connected, now);
        if change.of_pool {
            self.held = self.held.saturating_sub(1);
            self.count(Happening::Close, now, processes);
        }
        change.of_owner
    }

    /// The port of a socket of both families is taken from IPv4's pool too: whether its owner has one more there.
    pub fn hold_other(&mut self, pool: PoolKey, hold: &Hold, endpoint: u64, now: FileTime) -> bool {
        self.pool(pool).is_some_and(|pool| pool.hold(hold.port, hold.owner, endpoint, now).of_owner)
    }

    /// The port of a socket of both families comes back to IPv4's pool too: whether its owner has one less there.
    pub fn release_other(&mut self, pool: PoolKey, hold: &Hold, connected: bool, now: FileTime) -> bool {
        self.release_in(pool, hold, connected, now).of_owner
    }

    fn release_in(&mut self, pool: PoolKey, hold: &Hold, connected: bool, now: FileTime) -> Change {
        let waits = connected && pool.protocol == Some(Protocol::Tcp);
        let Some(pool) = self.pool(pool) else { return Change { of_pool: false, of_owner: true } };
        pool.release(hold.port, hold.owner, waits, now)
    }

    /// A bind that asked for any port was given one. Gives the socket that is taken to hold it already: its port had come back.
    pub fn given(&mut self, key: PoolKey, port: Option<u16>, owner: Owner, now: FileTime) -> Option<u64> {
        let pool = self.pool(key)?;
        pool.given(port, now);
        pool.served.given(owner);
        port.and_then(|port| pool.last_taken_by(port))
    }

    /// A port was given out although a socket seemed to hold it.
    pub(super) fn given_twice(&mut self, key: PoolKey) {
        if let Some(pool) = self.pool(key) {
            pool.given_twice += 1;
        }
    }

    /// The port that TCP/IP has given back, if sockets hold any and nothing refers to it any more.
    pub(super) fn released(&mut self, reference: PortReference) -> Option<u16> {
        if self.held == 0 || !self.transport.is_last(reference) {
            return None;
        }
        let range = self.range(PoolKey::new(Protocol::Tcp, Family::Ipv4));
        self.transport.read_port(reference, range, &self.pools)
    }

    /// A socket of `owner` is to be connected, or was.
    #[inline]
    pub(super) fn connects(&mut self, owner: Owner, remote: SocketAddress) {
        self.connects.push((owner, remote));
        if self.connects.len() >= CONNECTS {
            self.count_connects();
        }
    }

    #[inline(never)]
    fn count_connects(&mut self) {
        self.connects.drain(..).for_each(|connect| self.destinations.add(connect));
    }

    /// Ports of a pool are given out again.
    pub fn is_giving_again(&self, key: PoolKey) -> bool {
        self.get(key).is_some_and(Pool::is_giving_again)
    }

    /// A pool was failing at a moment, or fails since.
    pub(super) fn was_failing(&self, key: PoolKey, at: FileTime) -> bool {
        self.get(key).is_some_and(|pool| pool.outages.reaches(at))
    }

    /// What sockets seem to hold of a pool cannot all be held: it is more than there is, or ports are just being given out again
    /// after failures.
    pub(super) fn shows_room(&self, key: PoolKey) -> bool {
        let range = self.ranges.of(key);
        self.get(key).is_some_and(|pool| pool.held() == range.count.saturating_add(1) || pool.begins_to_give_again())
    }

    /// A bind or connect of `owner` failed because no local port was free.
    pub fn failed(&mut self, key: PoolKey, is_bind: bool, owner: Owner, time: FileTime, processes: &ProcessTable) {
        let taken = self.transport.taken(key);
        if let Some(pool) = self.pool(key) {
            pool.failed(is_bind, taken, time);
            pool.served.failed(owner);
        }
        let what = if is_bind { Happening::BindFailure(owner, key) } else { Happening::ConnectFailure(owner, key) };
        self.count(what, time, processes);
        if self.timeline.wants_failure(key) {
            self.note_failure(key, time, processes);
        }
    }

    /// Notes how full a pool is at a failure.
    #[cold]
    fn note_failure(&mut self, key: PoolKey, now: FileTime, processes: &ProcessTable) {
        if let Some(mut level) = self.level(key, now) {
            for (owner, tally) in processes.holders() {
                level.add(owner, tally.in_pool(key).ports);
            }
            self.timeline.note_failure(level);
        }
    }

    /// How full a pool is, without its owners.
    fn level(&mut self, key: PoolKey, now: FileTime) -> Option<Level> {
        let range = self.range(key);
        let added = self.transport.added(key, range, &self.pools);
        let pool = self.pool(key)?;
        let (held, time_wait) = (pool.held(), pool.time_wait.counts(now).0);
        let occupied = held.saturating_add(time_wait).saturating_add(added);
        Some(Level { pool: key, occupied, held, time_wait, largest: Vec::new() })
    }

    /// Connections and endpoints of processes that have ended are gone.
    pub(super) fn forget_transport(&mut self, gone: &[ProcessId]) {
        self.transport.forget(gone);
    }

    /// Whether no port of a pool is known to have been given out since then.
    pub fn gave_none_since(&self, key: PoolKey, since: FileTime) -> bool {
        let given = self.get(key).and_then(|pool| pool.given_last);
        given.is_none_or(|given| given < since) && self.transport.taken(key) == 0
    }

    /// Whether the last outage of a pool goes on at the end.
    pub fn lasts(&self, key: PoolKey, end: FileTime) -> bool {
        let taken = self.transport.taken(key);
        self.get(key).is_some_and(|pool| pool.outages.lasts(end, pool.binds_ok + taken) && !pool.has_emptied_at_end)
    }

    /// Whether the last outage of a pool goes on at the end, and nothing tells of a port that was free since its last failure.
    pub fn is_full_at_end(&self, key: PoolKey, end: FileTime) -> bool {
        let taken = self.transport.taken(key);
        self.lasts(key, end) && self.get(key).is_some_and(|pool| pool.is_still_full(taken))
    }

    /// The trace tells how long a closed connection keeps its port.
    pub fn set_time_wait(&mut self, stated: u32) {
        if let Some(length) = stated_length_100ns(stated) {
            self.pools.iter_mut().for_each(|pool| pool.time_wait.set_length(length));
        }
    }

    /// No trace tells of the time before this moment.
    pub(super) fn were_unseen(&mut self) {
        self.pools.iter_mut().for_each(|pool| pool.outages.were_unseen());
    }

    /// Counts something in the timeline.
    #[inline]
    pub fn count(&mut self, what: Happening, time: FileTime, processes: &ProcessTable) {
        if self.timeline.ends_step(time) {
            self.end_step(time, processes);
        }
        self.timeline.count(what, time, self.held);
    }

    /// Notes how full the pools are.
    #[cold]
    fn end_step(&mut self, now: FileTime, processes: &ProcessTable) {
        let (mut levels, mut ranges) = (Vec::new(), Vec::new());
        for key in self.keys() {
            levels.extend(self.level(key, now).filter(|level| level.occupied > 0));
            let range = self.pool(key).map(|pool| pool.take_range(now)).filter(|(_, most)| *most > 0);
            ranges.extend(range.map(|(least, most)| LevelRange { pool: key, least, most }));
        }
        for (owner, tally) in processes.holders() {
            for level in &mut levels {
                level.add(owner, tally.in_pool(level.pool).ports);
            }
        }
        self.timeline.end_step(levels, ranges);
    }

    /// Looks whether a pool is in a state worth keeping, and keeps it.
    #[inline]
    pub fn consider(&mut self, key: PoolKey, now: FileTime, at_failure: bool, processes: &ProcessTable) {
        let in_use = self.transport.in_use(key);
        let Some(pool) = self.pools.get(key.index()) else { return };
        let in_use = pool.held().saturating_add(in_use);
        let range = self.ranges.of(key);
        let is_more = pool.wants_moment(range, in_use, at_failure);
        let has_changed_hands = || {
            let kept = pool.kept().filter(|kept| at_failure && u64::from(in_use) * 2 >= u64::from(kept.trigger));
            let largest = kept.and_then(|kept| kept.largest);
            largest.is_some_and(|(owner, ports)| processes.held_by(owner, key).saturating_mul(2) < ports)
        };
        if is_more || has_changed_hands() {
            self.keep_moment(key, now, at_failure, processes);
        }
    }

    #[cold]
    fn keep_moment(&mut self, key: PoolKey, now: FileTime, at_failure: bool, processes: &ProcessTable) {
        self.looked_at += (processes.processes().len() as u64).saturating_add(self.transport.followed());
        if self.looked_at > MOMENT_BUDGET {
            return;
        }
        let moment = self.moment(key, now, at_failure, processes);
        if let Some((pool, moment)) = self.pool(key).zip(moment) {
            pool.keep(moment);
        }
    }

    fn moment(&mut self, key: PoolKey, now: FileTime, at_failure: bool, processes: &ProcessTable) -> Option<Moment> {
        let range = self.range(key);
        let share = self.transport.share(key, range, &self.pools, self.is_by_address);
        let pool = self.pool(key)?;
        Some(pool.moment_now(now, at_failure, processes.held_in(key), share, range.count))
    }

    /// Keeps the state of all pools at the end.
    pub fn finish(&mut self, now: FileTime, processes: &ProcessTable) {
        self.count_connects();
        self.end_step(now, processes);
        for key in self.keys() {
            let Some(end) = self.moment(key, now, false, processes) else { continue };
            if let Some(pool) = self.pool(key) {
                pool.has_emptied_at_end = pool.has_emptied(now);
            }
            let is_full = self.is_full_at_end(key, now);
            let range = self.ranges.of(key);
            if let Some(pool) = self.pool(key) {
                // A rundown that is told last shows who has had the ports all along.
                if is_full && pool.wants_moment(range, end.trigger, true) {
                    pool.keep(Moment { at_failure: true, ..end.clone() });
                }
                pool.keep_end(end);
            }
        }
    }

    /// The machine was started again.
    pub fn restart(&mut self) {
        self.were_unseen();
        self.pools.iter_mut().for_each(Pool::restart);
        self.transport.restart();
        self.held = 0;
    }
}
