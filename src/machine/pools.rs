//! Port pools: each protocol and family has a range of its own, from which binds to port 0 are served.

use serde::Serialize;

use super::processes::{Held, Owner};
use super::time_wait::TimeWait;
use super::transport::TransportShare;
use crate::net::{Family, Protocol};
use crate::side::facts::DynamicPorts;
use crate::time::{FileTime, joined};

/// Number of pools, those counted whose protocol or family is not known.
pub const POOLS: usize = 9;

/// A pool: what is not known is `None`, and counted apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PoolKey {
    /// Protocol.
    pub protocol: Option<Protocol>,
    /// Family.
    pub family: Option<Family>,
}

impl PoolKey {
    /// A pool whose protocol and family are known.
    pub fn new(protocol: Protocol, family: Family) -> Self {
        Self { protocol: Some(protocol), family: Some(family) }
    }

    /// All of them: TCP before UDP, IPv4 before IPv6, what is not known last.
    pub fn all() -> [Self; POOLS] {
        let mut all = [Self::default(); POOLS];
        for protocol in [Some(Protocol::Tcp), Some(Protocol::Udp), None] {
            for family in [Some(Family::Ipv4), Some(Family::Ipv6), None] {
                let key = Self { protocol, family };
                if let Some(slot) = all.get_mut(key.index()) {
                    *slot = key;
                }
            }
        }
        all
    }

    /// Its number, below [`POOLS`].
    pub fn index(self) -> usize {
        let protocol = match self.protocol {
            Some(Protocol::Tcp) => 0,
            Some(Protocol::Udp) => 1,
            None => 2,
        };
        let family = match self.family {
            Some(Family::Ipv4) => 0,
            Some(Family::Ipv6) => 1,
            None => 2,
        };
        protocol * 3 + family
    }

    /// `TCP over IPv4`, or less where less is known.
    pub fn name(self) -> String {
        match (self.protocol, self.family) {
            (Some(protocol), Some(family)) => format!("{} over {}", protocol.name(), family.name()),
            (Some(protocol), None) => protocol.name().to_owned(),
            (None, Some(family)) => format!("{}, protocol not known", family.name()),
            (None, None) => "protocol and family not known".to_owned(),
        }
    }
}

/// Where the range of a pool is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RangeSource {
    /// A listing of `netsh int ... show dynamicport`.
    DynamicPortFile,
    /// The command line.
    Option,
    /// The running system.
    Live,
    /// The default of Windows Vista and later.
    Default,
}

/// The ports of a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolRange {
    /// First port.
    pub start: u16,
    /// Ports.
    pub count: u32,
    /// Who says so.
    pub source: RangeSource,
}

/// 49152 to 65535, the dynamic range of Windows Vista and later unless `netsh` changed it. Source: RFC 6335's dynamic
/// ports; `netsh int ipv4 show dynamicport tcp` on an unchanged system.
pub const DEFAULT_RANGE: PoolRange = PoolRange { start: 49152, count: 16384, source: RangeSource::Default };

impl PoolRange {
    /// Last port.
    pub fn end(self) -> u16 {
        let end = u32::from(self.start).saturating_add(self.count).saturating_sub(1);
        u16::try_from(end).unwrap_or(u16::MAX)
    }

    /// Whether a port lies in it.
    pub fn contains(self, port: u16) -> bool {
        (self.start..=self.end()).contains(&port)
    }
}

/// The ranges of all pools.
#[derive(Debug, Clone, Copy)]
pub struct PoolRanges([PoolRange; POOLS]);

impl Default for PoolRanges {
    fn default() -> Self {
        Self([DEFAULT_RANGE; POOLS])
    }
}

impl PoolRanges {
    /// The option goes before listings, listings before the default. A listing that does not tell its family stands for
    /// both, where no other tells.
    pub fn new(option: Option<PoolRange>, listings: &[DynamicPorts]) -> Self {
        Self::told_by(RangeSource::DynamicPortFile, option, listings)
    }

    /// The same, where the listings are from `source`.
    pub fn told_by(source: RangeSource, option: Option<PoolRange>, listings: &[DynamicPorts]) -> Self {
        let mut ranges = Self::default();
        if let Some(option) = option {
            return Self([option; POOLS]);
        }
        let (vague, exact): (Vec<_>, Vec<_>) = listings.iter().partition(|listing| listing.family.is_none());
        for listing in vague.into_iter().chain(exact) {
            let range = PoolRange { start: listing.start, count: listing.count, source };
            for (key, slot) in PoolKey::all().into_iter().zip(&mut ranges.0) {
                if key.protocol == Some(listing.protocol) && (listing.family.is_none() || listing.family == key.family)
                {
                    *slot = range;
                }
            }
        }
        ranges
    }

    /// The range of a pool.
    pub fn of(&self, key: PoolKey) -> PoolRange {
        self.0.get(key.index()).copied().unwrap_or(DEFAULT_RANGE)
    }
}

/// Sockets that hold a port, for each port: allocated once a pool is used.
#[derive(Debug, Clone, Default)]
struct Sockets(Vec<u16>);

impl Sockets {
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

/// What is known of one pool at one moment: who held how much of it.
#[derive(Debug, Clone)]
pub struct Moment {
    /// When.
    pub time: FileTime,
    /// A bind or connect failed then for want of a port.
    pub at_failure: bool,
    /// Distinct ports held by sockets that the trace saw binding.
    pub held: u32,
    /// Of these, ports whose number is not told.
    pub unnumbered: u32,
    /// Sockets that hold one, for each owner.
    pub owners: Vec<Held>,
    /// Ports in TIME_WAIT, estimated with the shorter and the longer length.
    pub time_wait: (u32, u32),
    /// Of these, with the shorter length, whose they were.
    pub time_wait_owners: Vec<(Owner, u32)>,
    /// What TCP/IP's own events add: ports that no such socket holds.
    pub transport: TransportShare,
    trigger: u32,
}

impl Moment {
    /// Distinct ports that something visible holds, TIME_WAIT left out.
    pub fn visible(&self) -> u32 {
        // A port that TCP/IP knows by its number may be that of a socket whose number is not told.
        self.held.saturating_add(self.transport.ports().saturating_sub(self.unnumbered))
    }
}

/// One pool over time.
#[derive(Debug, Default)]
pub struct Pool {
    sockets: Sockets,
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
        self.sockets = Sockets::default();
        (self.unnumbered, self.held) = (0, 0);
        self.time_wait.restart();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pool_has_its_number() {
        for (index, key) in PoolKey::all().into_iter().enumerate() {
            assert_eq!(key.index(), index, "{}", key.name());
        }
    }

    #[test]
    fn the_option_goes_before_listings_and_a_vague_listing_stands_for_both_families() {
        let tcp = |family, start, count| DynamicPorts { source: 0, protocol: Protocol::Tcp, family, start, count };
        let listings = [tcp(Some(Family::Ipv6), 2000, 300), tcp(None, 1025, 255)];
        let ranges = PoolRanges::new(None, &listings);
        let of = |protocol, family| {
            let range = ranges.of(PoolKey::new(protocol, family));
            (range.start, range.end(), range.source)
        };
        assert_eq!(of(Protocol::Tcp, Family::Ipv4), (1025, 1279, RangeSource::DynamicPortFile));
        assert_eq!(of(Protocol::Tcp, Family::Ipv6), (2000, 2299, RangeSource::DynamicPortFile));
        assert_eq!(of(Protocol::Udp, Family::Ipv4), (49152, 65535, RangeSource::Default));
        let option = PoolRange { start: 10_000, count: 55_535, source: RangeSource::Option };
        let ranges = PoolRanges::new(Some(option), &listings);
        assert_eq!(ranges.of(PoolKey::new(Protocol::Tcp, Family::Ipv6)), option);
        assert!(option.contains(65_534) && !option.contains(65_535));
    }

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
