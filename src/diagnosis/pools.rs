//! Pools: how full each was, whether that is known to be all of it, and which of them speaks for the case.

use std::net::IpAddr;

use super::state::State;
use crate::machine::pool_key::{PoolKey, is_of_container};
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
    /// Whether it has sockets that are only bound.
    pub has_bound: bool,
    /// Whether it is of some of the sockets alone.
    pub is_part: bool,
}

/// Only some were out of ports of a pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OthersServed {
    /// Whose requests failed: indexes into the processes of the trace.
    pub failing: Vec<usize>,
    /// How many others were given ports meanwhile.
    pub others: usize,
    /// How often, at least.
    pub times: u64,
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
    /// No request failed, and ports were given again before they could have waited: the estimate of TIME_WAIT is given up.
    pub waits_not: bool,
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
    /// The same from the first failure to the last; where only one failed, from then on.
    pub given_around_failures: u64,
    /// While some failed, others were given ports all along, and little of the pool is seen to be used.
    pub others_served: Option<OthersServed>,
    /// Ports that are excluded or reserved.
    pub set_aside: u32,
    /// Of the pool, what can be seen to be used at the moment that tells most: held, in TIME_WAIT, or set aside.
    pub explained: u32,
    /// Most used at one moment, by trace, TIME_WAIT (with the shorter and the longer length) or listing.
    pub occupied_peak: (u32, u32),
    /// The listing that shows most of it in use.
    pub listing: Option<ListedPool>,
    /// There are listings of TCP sockets, and none shows one that is only bound.
    pub half_listed: bool,
    /// Smallest and largest port given to a bind that asked for any.
    pub given: Option<(u16, u16)>,
    /// State, as far as this pool alone tells; `None` where it depends on the case.
    pub state: Option<State>,
    /// When the state was taken that holders are counted in.
    pub moment: Option<FileTime>,
    /// Until then holders could grow: when it was full, or the first failure of the outage; without one, the moment.
    pub grown_until: Option<FileTime>,
    /// The outage that this is in: the one that lasts to the end, else the one with most failures.
    pub outage: Option<SpeakingOutage>,
    /// The range that was told, where known ports refute it: `range` is then as they show it, and nothing is counted against it.
    pub refuted: Option<PoolRange>,
    /// First and last port that is known to be in use, of those that binds were given and that TCP/IP or a listing shows.
    pub known: Option<(u16, u16)>,
    /// Many ports are known to be in use outside of those that binds were given.
    pub others_known: bool,
    /// Ports given out until the last failure although a socket seemed to hold them; 0 where events were lost.
    pub given_twice: u64,
    /// Of what is not explained, what sockets of IPv6 may take that serve IPv4 too.
    pub dual_stack: u32,
    /// Ports that are excluded or reserved, and that no socket holds at the end.
    pub idle: u32,
    /// TCP/IP's number of its network compartment; `None` where no event names any.
    pub compartment: Option<u32>,
    /// Ports in TIME_WAIT, as a listing shows.
    pub listed_time_wait: u32,
    /// Most ports in TIME_WAIT that any listing shows.
    pub most_listed_waiting: u32,
}

/// The outage of a pool that holders are counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpeakingOutage {
    /// First failure.
    pub first: FileTime,
    /// Last failure.
    pub last: FileTime,
    /// Failures.
    pub failures: u64,
    /// It goes on when the trace ends.
    pub lasts: bool,
    /// It goes on when the trace ends, and nothing tells of a port that was free since its last failure.
    pub is_full_at_end: bool,
}

/// Of 100 ports of a full pool so many must be explained, or holders are missing (field.md §3.3: about 70).
pub const EXPLAINED_PERCENT: u32 = 70;

#[cfg(test)]
impl PoolFinding {
    /// A pool that nothing is known of but its range.
    pub(super) fn new(key: PoolKey, range: PoolRange) -> Self {
        Self {
            key,
            local_address: None,
            range,
            held: (0, 0),
            time_wait: (0, 0),
            waits_not: false,
            time_wait_seconds: (120, 240),
            failures: (0, 0),
            refused: (0, 0),
            failure_span: None,
            given_before_failure: 0,
            given_around_failures: 0,
            others_served: None,
            set_aside: 0,
            explained: 0,
            occupied_peak: (0, 0),
            listing: None,
            half_listed: false,
            given: None,
            state: None,
            moment: None,
            grown_until: None,
            outage: None,
            refuted: None,
            known: None,
            others_known: false,
            given_twice: 0,
            dual_stack: 0,
            idle: 0,
            compartment: None,
            listed_time_wait: 0,
            most_listed_waiting: 0,
        }
    }
}

impl PoolFinding {
    /// `TCP over IPv4`, and the compartment where it is another than the machine's own.
    pub fn name(&self) -> String {
        pool_name(self.key, self.compartment)
    }

    /// Whether it is the pool of another network compartment than the machine's own.
    pub fn is_of_container(&self) -> bool {
        is_of_container(self.compartment)
    }

    /// Whether the pool was full when the trace began, or nearly so, as far as it shows: hardly any bind (less than one for each
    /// hundred ports) was given a port before the first failure, a single failure is not followed by many more, others
    /// were not served meanwhile, and less than half of the pool is explained.
    pub fn was_full_before(&self) -> bool {
        let hardly_any = self.given_before_failure * 100 < u64::from(self.range.count);
        let had_ports = self.others_served.is_some() || self.had_ports_around();
        self.failure_span.is_some() && hardly_any && !had_ports && is_hardly_seen(self.explained, self.range)
    }

    /// Whether a single request failed and many others before it and after it did not, with little of the pool seen to be used: for
    /// more than a moment it was not full.
    pub fn had_ports_around(&self) -> bool {
        let is_single = self.failures.0 + self.failures.1 == 1;
        let is_many = self.given_before_failure.min(self.given_around_failures) >= MANY_GIVEN_AROUND;
        is_single && is_many && is_hardly_seen(self.explained, self.range)
    }

    /// Whether a single request failed, some before it were given ports, and little of the pool is seen to be used: beside another
    /// pool whose requests fail again and again, that one was hardly full.
    pub fn failed_once(&self) -> bool {
        let is_single = self.failures.0 + self.failures.1 == 1;
        is_single && self.given_before_failure >= SOME_GIVEN && is_hardly_seen(self.explained, self.range)
    }

    /// Whether the listing that shows most of it is `netstat` without `-q`, which hides sockets that are only bound; where none
    /// shows any port of it, whether all are. Those of UDP are always shown.
    pub fn hides_bound(&self) -> bool {
        let is_half = self.listing.map_or(self.half_listed, |listing| !listing.has_bound);
        self.key.protocol == Some(Protocol::Tcp) && is_half
    }

    /// The listing that shows most of it, where it hides no sockets.
    fn whole_listing(&self) -> Option<ListedPool> {
        self.listing.filter(|listing| listing.has_bound || self.key.protocol == Some(Protocol::Udp))
    }

    /// Ports in use of a pool that was full, as a listing shows that hides nothing of it: fewer than half. It is of another moment,
    /// or what it cannot show has the rest.
    pub fn listed_with_room(&self) -> Option<u32> {
        let used = self.whole_listing()?.used;
        let is_missing = self.unexplained().is_some_and(|ports| u64::from(ports) * 2 >= u64::from(self.range.count));
        is_missing.then_some(used)
    }

    /// Whether a listing that hides nothing is all that is known, and shows less than half of it in use: it is of a moment when
    /// the pool was not full.
    fn is_roomy(&self) -> bool {
        self.whole_listing().is_some() && self.occupied_peak.1 < self.range.count / 2
    }

    /// Whether somebody made the pool smaller than the default, as far as the server or the user says.
    pub fn is_narrowed(&self) -> bool {
        let is_told =
            matches!(self.range.source, RangeSource::DynamicPortFile | RangeSource::Live | RangeSource::Option);
        let is_smaller = self.range.count < DEFAULT_RANGE.count;
        // What is not known to be of TCP or UDP has no command that restores it.
        is_told && is_smaller && self.is_known() && self.refuted.is_none() && self.wider().is_none()
    }

    /// Ports that can be given out at all.
    pub fn usable(&self) -> u32 {
        self.range.count.saturating_sub(self.set_aside)
    }

    /// Ports of a pool that was full, of which nothing visible says where they are.
    pub fn unexplained(&self) -> Option<u32> {
        let is_full = self.state == Some(State::Exhausted) && self.others_served.is_none();
        let is_counted = is_full && self.refuted.is_none();
        is_counted.then(|| self.range.count.saturating_sub(self.explained))
    }

    /// Whether as much is explained as there is to explain, sockets that may be of both families among it.
    pub fn is_explained(&self) -> bool {
        self.refuted.is_some() || self.explained_percent() >= EXPLAINED_PERCENT
    }

    /// More ports seem to be held than it has, or many were given out that seemed to be held: something is not understood.
    pub fn is_not_understood(&self) -> bool {
        self.is_held_beyond() || self.given_twice >= MANY_GIVEN_TWICE
    }

    /// More ports seem to be held than it has: clearly more, since a few may have been missed.
    pub fn is_held_beyond(&self) -> bool {
        self.refuted.is_none() && u64::from(self.held.0) * 50 > u64::from(self.range.count) * 51
    }

    /// Of 100 ports, so many are explained, those that sockets of both families may take among them.
    pub fn explained_percent(&self) -> u32 {
        let explained = u64::from(self.explained.saturating_add(self.dual_stack)).min(self.range.count.into());
        let percent = explained * 100 / u64::from(self.range.count.max(1));
        u32::try_from(percent).unwrap_or(100)
    }

    /// Whether protocol and family are known.
    pub fn is_known(&self) -> bool {
        self.key.protocol.is_some() && self.key.family.is_some()
    }

    /// Whether it is one whose protocol or family is not known, beside a full one that it may be: its failures are that one's.
    pub(super) fn is_vague_beside(&self, others: &[Self]) -> bool {
        let is_it = |other: &Self| {
            let fits = self.key.protocol.is_none_or(|protocol| other.key.protocol == Some(protocol))
                && self.key.family.is_none_or(|family| other.key.family == Some(family));
            other.is_known() && other.state == Some(State::Exhausted) && fits
        };
        !self.is_known() && self.explained == 0 && others.iter().any(is_it)
    }

    /// Ports that are known to be in use, where some lie outside of the range: the pool is not what it is taken to be.
    pub fn wider(&self) -> Option<(u16, u16)> {
        self.refuted.and(self.known)
    }

    /// Where the pool is full, its range is a default, and all ports given out lie in less than half of it, nearly all of
    /// them in use (9 of 10): that part, for the pool may be no larger.
    pub fn narrower(&self) -> Option<(u16, u16)> {
        let (first, last) = self.given?;
        let span = u32::from(last - first) + 1;
        let is_part = span * 2 < self.range.count && self.range.contains(first) && self.range.contains(last);
        let is_used = u64::from(self.explained) * 10 >= u64::from(span) * 9;
        let is_unsure = match self.range.source {
            RangeSource::Default => true,
            // Somebody may have widened the default before the listing was taken.
            RangeSource::DynamicPortFile => {
                let is_default = DEFAULT_RANGE.contains(first) && DEFAULT_RANGE.contains(last);
                is_default && span * 10 >= DEFAULT_RANGE.count * 9
            }
            _ => false,
        };
        let is_full = self.state == Some(State::Exhausted) && self.others_served.is_none();
        (is_full && is_unsure && !self.others_known && is_part && is_used).then_some((first, last))
    }
}

/// So many binds that were given a port show that a pool had some.
const MANY_GIVEN_AROUND: u64 = 64;

/// So many binds that were given a port before are more than chance.
const SOME_GIVEN: u64 = 16;

/// Whether less than half of a pool is seen to be used.
pub(super) fn is_hardly_seen(explained: u32, range: PoolRange) -> bool {
    u64::from(explained) * 2 < u64::from(range.count)
}

/// So many ports given out while they seemed to be held are no oversight.
const MANY_GIVEN_TWICE: u64 = 16;

/// `TCP over IPv4`, and the compartment where it is another than the machine's own.
pub fn pool_name(key: PoolKey, compartment: Option<u32>) -> String {
    match compartment {
        Some(number) if is_of_container(compartment) => format!("{} in network compartment {number}", key.name()),
        _ => key.name(),
    }
}

/// A pool is nearly full from this part on (8 of 10).
pub const NEAR: (u64, u64) = (8, 10);

/// Whether `used` of `usable` ports is nearly full.
pub fn is_near(used: u32, usable: u32) -> bool {
    usable > 0 && u64::from(used) * NEAR.1 >= u64::from(usable) * NEAR.0
}

/// Failures of one pool this much fewer than another's (one in twenty) do not make it speak.
const NEGLIGIBLE: u64 = 20;

/// Pools that begin to fail this far apart fail together.
const TOGETHER_100NS: i64 = 60 * FileTime::SECOND;

/// The pool that speaks for the case, if one was full or nearly so. Of full ones, those whose outage lasts to the end of the
/// trace, else the one with most failures and those that failed with it; of these one that is explained, and of those the one
/// that failed first.
pub(super) fn speaking_pool(pools: &[PoolFinding]) -> Option<usize> {
    let indexed = || pools.iter().enumerate().filter(|(_, pool)| pool.state.is_some());
    // A pool whose protocol was not seen speaks only where no other does.
    let mut failing: Vec<(usize, &PoolFinding, SpeakingOutage)> =
        indexed().filter_map(|(index, pool)| Some((index, pool, pool.outage?))).collect();
    let any_known = failing.iter().any(|(_, pool, _)| pool.is_known());
    failing.retain(|(_, pool, _)| pool.is_known() || !any_known);
    if failing.iter().any(|(_, pool, outage)| !pool.failed_once() && outage.failures >= NEGLIGIBLE) {
        failing.retain(|(_, pool, _)| !pool.failed_once());
    }
    let worst = failing.iter().max_by_key(|(index, _, outage)| (outage.failures, std::cmp::Reverse(*index))).copied();
    if let Some((_, _, worst)) = worst {
        if failing.iter().any(|(_, _, outage)| outage.lasts) {
            failing.retain(|(_, _, outage)| outage.lasts);
        } else {
            let is_with = |outage: &SpeakingOutage| {
                outage.first.since(worst.last) <= TOGETHER_100NS && worst.first.since(outage.last) <= TOGETHER_100NS
            };
            failing.retain(|(_, _, outage)| is_with(outage));
        }
        let most = failing.iter().map(|(_, _, outage)| outage.failures).max().unwrap_or(0);
        failing.retain(|(_, pool, outage)| pool.is_explained() || outage.failures.saturating_mul(NEGLIGIBLE) >= most);
        let rank = |(index, pool, outage): &(usize, &PoolFinding, SpeakingOutage)| {
            (!pool.is_explained(), outage.first, std::cmp::Reverse(outage.failures), *index)
        };
        return failing.iter().min_by_key(|candidate| rank(candidate)).map(|(index, ..)| *index);
    }
    let rank = |pool: &PoolFinding| {
        let is_full = pool.state == Some(State::Exhausted);
        (is_full, pool.is_known(), pool.refused.0 + pool.refused.1, pool.occupied_peak.1)
    };
    // The first of equals: `max_by_key` would give the last.
    let all: Vec<_> = indexed().collect();
    all.into_iter().rev().max_by_key(|(_, pool)| rank(pool)).map(|(index, _)| index)
}

/// The System log tells the protocol that ran out of ports, and not the family: of its pools, the one with most in use was
/// full, unless one is known to have been.
pub(super) fn fill_by_event_log(pools: &mut [PoolFinding], (tcp, udp): (u64, u64)) {
    for (count, protocol) in [(tcp, Protocol::Tcp), (udp, Protocol::Udp)] {
        let of_protocol = || pools.iter().enumerate().filter(|(_, pool)| pool.key.protocol == Some(protocol));
        let is_known = of_protocol().any(|(_, pool)| pool.state == Some(State::Exhausted));
        // The first of equals.
        let fullest = of_protocol().rev().max_by_key(|(_, pool)| pool.occupied_peak.1).map(|(index, _)| index);
        let is_told = count > 0 && !is_known;
        if let Some(pool) =
            fullest.filter(|_| is_told).and_then(|index| pools.get_mut(index)).filter(|pool| !pool.is_roomy())
        {
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
pub fn is_dns_pool(image: &str, pool: PoolKey, ports: u32) -> bool {
    image.eq_ignore_ascii_case("dns.exe") && pool.protocol == Some(Protocol::Udp) && ports <= DNS_POOL_MAX
}

/// Most sockets that the DNS Server's socket pool can be set to. Source: `dnscmd /config /socketpoolsize`.
const DNS_POOL_MAX: u32 = 10_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::ranges::DEFAULT_RANGE;
    use crate::net::Family;

    fn full(family: Family, explained: u32, (first, last): (i64, i64), failures: u64, lasts: bool) -> PoolFinding {
        let at = |second: i64| FileTime(second * FileTime::SECOND);
        PoolFinding {
            state: Some(State::Exhausted),
            explained,
            outage: Some(SpeakingOutage { first: at(first), last: at(last), failures, lasts, is_full_at_end: lasts }),
            ..PoolFinding::new(PoolKey::new(Protocol::Tcp, family), DEFAULT_RANGE)
        }
    }

    #[test]
    fn the_outage_that_lasts_speaks_first_and_then_the_one_with_most_failures() {
        let (v4, v6) = (Family::Ipv4, Family::Ipv6);
        let worse = full(v4, 16_000, (0, 50), 900, false);
        assert_eq!(speaking_pool(&[worse.clone(), full(v6, 16_000, (500, 520), 40, true)]), Some(1));
        assert_eq!(speaking_pool(&[worse.clone(), full(v6, 16_000, (500, 520), 40, false)]), Some(0));
        // What failed with it speaks where it failed first.
        assert_eq!(speaking_pool(&[worse, full(v6, 16_000, (-5, 40), 100, false)]), Some(1));
    }

    #[test]
    fn a_pool_that_is_explained_speaks_before_one_that_is_not() {
        let (v4, v6) = (Family::Ipv4, Family::Ipv6);
        let hidden = full(v4, 30, (0, 20), 498, true);
        assert_eq!(speaking_pool(&[hidden.clone(), full(v6, 16_300, (0, 0), 1, true)]), Some(1));
        assert_eq!(
            speaking_pool(&[hidden, full(v6, 30, (-1, 0), 1, true)]),
            Some(0),
            "a single failure beside hundreds"
        );
        let refuted = PoolFinding { refuted: Some(DEFAULT_RANGE), ..full(v4, 30, (0, 20), 498, true) };
        assert!(refuted.is_explained() && refuted.unexplained().is_none(), "nothing is counted against it");
    }

    #[test]
    fn more_than_a_pool_has_is_not_understood() {
        let held = |held| PoolFinding { held: (held, 0), ..full(Family::Ipv4, 16_384, (0, 1), 2, true) };
        assert!(!held(16_400).is_not_understood() && held(32_000).is_not_understood());
        let twice = PoolFinding { given_twice: 40, ..held(100) };
        assert!(twice.is_not_understood());
    }
}
