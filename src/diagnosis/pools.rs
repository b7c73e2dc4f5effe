//! Pools: how full each was, whether that is known to be all of it, and which of them speaks for the case.

use std::net::IpAddr;

use super::state::State;
use crate::machine::pool_key::PoolKey;
use crate::machine::ranges::{DEFAULT_RANGE, PoolRange, RangeSource};
use crate::net::Protocol;
use crate::time::FileTime;

/// What a listing shows of a pool.
#[derive(Debug, Clone, Copy)]
pub struct ListedPool {
    /// Ports in use, as far as it shows.
    pub used: u32,
    /// Of these, ports whose number it tells.
    pub numbered: u32,
    /// Of these, ports in TIME_WAIT alone.
    pub time_wait: u32,
    /// Whether it has sockets that are only bound.
    pub has_bound: bool,
}

/// A pool, and what became of it.
#[derive(Debug, Clone)]
pub struct PoolFinding {
    /// Protocol and family.
    pub key: PoolKey,
    /// The local address whose binds alone fail; `None` for all.
    pub local_address: Option<IpAddr>,
    /// Its ports.
    pub range: PoolRange,
    /// Most distinct ports held at one moment, and at the end.
    pub held: (u32, u32),
    /// Ports in TIME_WAIT at the moment that tells most, with the shorter and the longer length.
    pub time_wait: (u32, u32),
    /// These lengths in seconds.
    pub time_wait_seconds: (i64, i64),
    /// Bind and connect failures 0xC0000209 of sockets.
    pub failures: (u64, u64),
    /// Binds and connects that TCP/IP itself says it refused.
    pub refused: (u64, u64),
    /// First and last failure of sockets.
    pub failure_span: Option<(FileTime, FileTime)>,
    /// Binds that asked for any port and were given one before the first failure.
    pub given_before_failure: u64,
    /// Ports that are excluded or reserved.
    pub set_aside: u32,
    /// Of the pool, what can be seen to be used at the moment that tells most: held, in TIME_WAIT, or set aside.
    pub explained: u32,
    /// Most used at one moment, by trace, TIME_WAIT (with the shorter and the longer length) or listing.
    pub occupied_peak: (u32, u32),
    /// The listing that shows most of it in use.
    pub listing: Option<ListedPool>,
    /// Smallest and largest port given to a bind that asked for any.
    pub given: Option<(u16, u16)>,
    /// State, as far as this pool alone tells; `None` where it depends on the case.
    pub state: Option<State>,
    /// When the state was taken that holders are counted in.
    pub moment: Option<FileTime>,
}

impl PoolFinding {
    /// Whether the pool was full when the trace began, as far as it shows: hardly any bind (less than one for each hundred
    /// ports) was given a port before the first failure, and less than half of the pool is explained.
    pub fn was_full_before(&self) -> bool {
        let failed = self.failure_span.is_some();
        let hardly_any = self.given_before_failure * 100 < u64::from(self.range.count);
        failed && hardly_any && u64::from(self.explained) * 2 < u64::from(self.range.count)
    }

    /// Whether the listing that shows most of it is `netstat` without `-q`, which hides sockets that are only bound. Those of
    /// UDP are always shown.
    pub fn hides_bound(&self) -> bool {
        self.key.protocol == Some(Protocol::Tcp) && self.listing.is_some_and(|listing| !listing.has_bound)
    }

    /// Whether somebody made the pool smaller than the default, as far as the server or the user says.
    pub fn is_narrowed(&self) -> bool {
        self.range.source != RangeSource::Default && self.range.count < DEFAULT_RANGE.count && self.wider().is_none()
    }

    /// Ports that can be given out at all.
    pub fn usable(&self) -> u32 {
        self.range.count.saturating_sub(self.set_aside)
    }

    /// Ports of a pool that was full, of which nothing visible says where they are.
    pub fn unexplained(&self) -> Option<u32> {
        (self.state == Some(State::Exhausted)).then(|| self.range.count.saturating_sub(self.explained))
    }

    /// Of 100 ports, so many are explained.
    pub fn explained_percent(&self) -> u32 {
        let percent = u64::from(self.explained) * 100 / u64::from(self.range.count.max(1));
        u32::try_from(percent).unwrap_or(100)
    }

    /// Whether protocol and family are known.
    pub fn is_known(&self) -> bool {
        self.key.protocol.is_some() && self.key.family.is_some()
    }

    /// Ports that were given out, where some lie outside of the range: the pool is larger than it is taken to be.
    pub fn wider(&self) -> Option<(u16, u16)> {
        self.given.filter(|given| is_outside(Some(*given), self.range))
    }

    /// Where the pool is full, its range is a default, and all ports given out lie in less than half of it, nearly all of
    /// them in use (9 of 10): that part, for the pool may be no larger.
    pub fn narrower(&self) -> Option<(u16, u16)> {
        let (first, last) = self.given?;
        let span = u32::from(last - first) + 1;
        let is_part = span * 2 < self.range.count && self.range.contains(first) && self.range.contains(last);
        let is_used = u64::from(self.explained) * 10 >= u64::from(span) * 9;
        let is_default = self.range.source == RangeSource::Default;
        (self.state == Some(State::Exhausted) && is_default && is_part && is_used).then_some((first, last))
    }
}

/// Whether some of the ports given out, smallest and largest, lie outside of a range.
pub(super) fn is_outside(given: Option<(u16, u16)>, range: PoolRange) -> bool {
    given.is_some_and(|(first, last)| !range.contains(first) || !range.contains(last))
}

/// A pool is nearly full from this part on (8 of 10).
pub const NEAR: (u64, u64) = (8, 10);

/// Whether `used` of `usable` ports is nearly full.
pub fn is_near(used: u32, usable: u32) -> bool {
    usable > 0 && u64::from(used) * NEAR.1 >= u64::from(usable) * NEAR.0
}

/// The pool that speaks for the case, if one was full or nearly so: a full one first, then the one with most failures.
pub(super) fn speaking_pool(pools: &[PoolFinding]) -> Option<usize> {
    let rank = |pool: &PoolFinding| {
        let is_full = pool.state == Some(State::Exhausted);
        // A pool whose protocol was not seen speaks only where no other does.
        (
            is_full,
            pool.is_known(),
            pool.failures.0 + pool.failures.1 + pool.refused.0 + pool.refused.1,
            pool.occupied_peak.1,
        )
    };
    let pools = pools.iter().enumerate().filter(|(_, pool)| pool.state.is_some());
    // The first of equals: `max_by_key` would give the last.
    pools.rev().max_by_key(|(_, pool)| rank(pool)).map(|(index, _)| index)
}

/// The System log tells the protocol that ran out of ports, and not the family: of its pools, the one with most in use was
/// full, unless one is known to have been.
pub(super) fn fill_by_event_log(pools: &mut [PoolFinding], (tcp, udp): (u64, u64)) {
    for (count, protocol) in [(tcp, Protocol::Tcp), (udp, Protocol::Udp)] {
        let of_protocol = || pools.iter().enumerate().filter(|(_, pool)| pool.key.protocol == Some(protocol));
        let is_known = of_protocol().any(|(_, pool)| pool.state == Some(State::Exhausted));
        // The first of equals.
        let fullest = of_protocol().rev().max_by_key(|(_, pool)| pool.occupied_peak.1).map(|(index, _)| index);
        if let Some(pool) = fullest.filter(|_| count > 0 && !is_known).and_then(|index| pools.get_mut(index)) {
            pool.state = Some(State::Exhausted);
        }
    }
}

/// A part of a pool, from 0 to 1.
pub(super) fn share(ports: u32, count: u32) -> f64 {
    (f64::from(ports) / f64::from(count.max(1))).min(1.0)
}

/// Whether this is DNS Server with its pool of UDP sockets (2,500 by default for each family, 10,000 at most), which it
/// holds on purpose.
pub fn is_dns_pool(image: &str, pool: &PoolFinding, ports: u32) -> bool {
    image.eq_ignore_ascii_case("dns.exe") && pool.key.protocol == Some(Protocol::Udp) && ports <= DNS_POOL_MAX
}

/// Most sockets that the DNS Server's socket pool can be set to. Source: `dnscmd /config /socketpoolsize`.
const DNS_POOL_MAX: u32 = 10_000;
