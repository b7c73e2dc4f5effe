//! What socket listings show: ports of each pool by process, and how that changed from listing to listing.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::machine::pool_key::PoolKey;
use crate::machine::ranges::PoolRange;
use crate::net::Protocol;
use crate::side::facts::{ListedSocket, SocketListing, SourceId, TcpState};

/// Trends that are kept, those that change most.
const MAX_TRENDS: usize = 50;

/// Fewer sockets than this that never change are no trend.
const NOTABLE: u32 = 100;

/// Ports of one process in one pool, as a listing shows them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Listed {
    /// Distinct ports.
    pub ports: u32,
    /// Sockets that are bound and nothing else.
    pub bound: u32,
    /// Sockets that the other side has closed, and the process has not.
    pub close_wait: u32,
    /// Connected sockets.
    pub established: u32,
}

impl Listed {
    /// Of several together.
    pub fn add(&mut self, other: &Self) {
        for (sum, more) in [
            (&mut self.ports, other.ports),
            (&mut self.bound, other.bound),
            (&mut self.close_wait, other.close_wait),
            (&mut self.established, other.established),
        ] {
            *sum = sum.saturating_add(more);
        }
    }
}

/// How a listing shows one pool.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usage {
    /// Distinct ports held by anybody.
    pub held: u32,
    /// Distinct ports in TIME_WAIT alone.
    pub time_wait: u32,
    /// Of both, sockets of rows that do not tell a port: it need not be one of the pool.
    pub unnumbered: u32,
    /// By process; `None` where the listing does not tell.
    pub by_pid: BTreeMap<Option<u32>, Listed>,
}

impl Usage {
    /// Ports that nobody else can have.
    pub fn occupied(&self) -> u32 {
        self.held.saturating_add(self.time_wait)
    }
}

/// Reads one pool out of a listing. `vague`: rows without a family count too.
pub fn usage(listing: &SocketListing, key: PoolKey, range: PoolRange, vague: bool) -> Usage {
    usage_at(listing, key, range, vague, None)
}

/// The same of one local address alone; sockets that are bound to all addresses have no part in it.
pub fn usage_at(
    listing: &SocketListing,
    key: PoolKey,
    range: PoolRange,
    vague: bool,
    address: Option<IpAddr>,
) -> Usage {
    let mut usage = Usage::default();
    let mut held: BTreeSet<u16> = BTreeSet::new();
    let mut waiting: BTreeSet<u16> = BTreeSet::new();
    let mut ports: BTreeSet<(Option<u32>, u16)> = BTreeSet::new();
    // Sockets of rows without addresses.
    let mut grouped: BTreeMap<Option<u32>, u32> = BTreeMap::new();
    for socket in &listing.sockets {
        let here = socket.family == key.family || (vague && socket.family.is_none());
        let elsewhere = address.is_some_and(|ip| socket.local.is_none_or(|local| local.ip != ip));
        if Some(socket.protocol) != key.protocol || !here || elsewhere {
            continue;
        }
        let waits = socket.state == Some(TcpState::TimeWait);
        match socket.local {
            Some(local) if !range.contains(local.port) => continue,
            Some(local) if waits => {
                waiting.insert(local.port);
                continue;
            }
            Some(local) => {
                held.insert(local.port);
                ports.insert((socket.pid, local.port));
            }
            None if waits => {
                usage.time_wait = usage.time_wait.saturating_add(socket.count);
                usage.unnumbered = usage.unnumbered.saturating_add(socket.count);
                continue;
            }
            // These rows do not tell the port. One that the process asked for is listed as bound, whatever became of the
            // socket; those of listeners and of connections to them need not be of the pool.
            None if socket.protocol == Protocol::Tcp && !matches!(socket.state, None | Some(TcpState::Bound)) => {}
            None => {
                let sockets = grouped.entry(socket.pid).or_default();
                *sockets = sockets.saturating_add(socket.count);
            }
        }
        let listed = usage.by_pid.entry(socket.pid).or_default();
        let sockets = match socket.state {
            Some(TcpState::Bound) => &mut listed.bound,
            Some(TcpState::CloseWait) => &mut listed.close_wait,
            Some(TcpState::Established) => &mut listed.established,
            _ => continue,
        };
        *sockets = sockets.saturating_add(socket.count);
    }
    for (pid, _) in ports {
        usage.by_pid.entry(pid).or_default().ports += 1;
    }
    for (pid, sockets) in grouped {
        usage.held = usage.held.saturating_add(sockets);
        usage.unnumbered = usage.unnumbered.saturating_add(sockets);
        let listed = usage.by_pid.entry(pid).or_default();
        listed.ports = listed.ports.saturating_add(sockets);
    }
    usage.held = usage.held.saturating_add(u32::try_from(held.len()).unwrap_or(u32::MAX));
    let only_waiting = waiting.difference(&held).count();
    usage.time_wait = usage.time_wait.saturating_add(u32::try_from(only_waiting).unwrap_or(u32::MAX));
    usage
}

/// How the sockets of one process in one state changed over the listings of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Trend {
    /// The file.
    pub source: SourceId,
    /// Process; 0 for TIME_WAIT, `None` where the listing does not tell.
    pub pid: Option<u32>,
    /// Protocol.
    pub protocol: Protocol,
    /// State; `None` for UDP.
    pub state: Option<TcpState>,
    /// Listings.
    pub samples: usize,
    /// Sockets in the first listing, in the last, and in the one with most.
    pub first: u32,
    /// In the last listing.
    pub last: u32,
    /// In the listing with most.
    pub peak: u32,
    /// Change for each minute from the first listing to the last, where their times are known.
    pub per_minute: Option<f64>,
}

/// The trends of all files with several listings, those first that change most.
pub fn trends(listings: &[SocketListing]) -> Vec<Trend> {
    let mut sources: BTreeMap<SourceId, Vec<&SocketListing>> = BTreeMap::new();
    for listing in listings {
        sources.entry(listing.source).or_default().push(listing);
    }
    let mut trends = Vec::new();
    for (source, samples) in sources.into_iter().filter(|(_, samples)| samples.len() > 1) {
        let minutes = minutes_between(&samples);
        for (kind, change) in changes(&samples) {
            if change.is_constant(samples.len()) && change.peak < NOTABLE {
                continue;
            }
            let Change { first, last, peak, .. } = change;
            trends.push(Trend {
                source,
                pid: kind.0,
                protocol: kind.1,
                state: kind.2,
                samples: samples.len(),
                first,
                last,
                peak,
                per_minute: minutes.map(|minutes| (f64::from(last) - f64::from(first)) / minutes),
            });
        }
    }
    let key = |trend: &Trend| (trend.last.abs_diff(trend.first), trend.peak);
    // Stable: those that change as much stay in the order of file, process and state.
    trends.sort_by_key(|trend| std::cmp::Reverse(key(trend)));
    trends.truncate(MAX_TRENDS);
    trends
}

type TrendKind = (Option<u32>, Protocol, Option<TcpState>);

/// Sockets of one kind over the listings of a file.
#[derive(Debug, Clone, Copy)]
struct Change {
    first: u32,
    last: u32,
    peak: u32,
    least: u32,
    /// Listings that have any.
    listings: usize,
}

impl Change {
    fn is_constant(&self, samples: usize) -> bool {
        self.listings == samples && self.least == self.peak
    }
}

fn changes(samples: &[&SocketListing]) -> BTreeMap<TrendKind, Change> {
    let mut changes: BTreeMap<TrendKind, Change> = BTreeMap::new();
    for (number, sample) in samples.iter().enumerate() {
        for (kind, count) in by_kind(&sample.sockets) {
            let none = Change { first: 0, last: 0, peak: 0, least: u32::MAX, listings: 0 };
            let change = changes.entry(kind).or_insert(none);
            if number == 0 {
                change.first = count;
            }
            if number + 1 == samples.len() {
                change.last = count;
            }
            (change.peak, change.least) = (change.peak.max(count), change.least.min(count));
            change.listings += 1;
        }
    }
    changes
}

fn by_kind(sockets: &[ListedSocket]) -> BTreeMap<TrendKind, u32> {
    let mut counts: BTreeMap<TrendKind, u32> = BTreeMap::new();
    for socket in sockets {
        let count = counts.entry((socket.pid, socket.protocol, socket.state.clone())).or_default();
        *count = count.saturating_add(socket.count);
    }
    counts
}

/// From the first listing to the last; a time of day smaller than the one before is the next day's.
fn minutes_between(samples: &[&SocketListing]) -> Option<f64> {
    const DAY: u32 = 86_400;
    let times: Option<Vec<u32>> =
        samples.iter().map(|sample| sample.taken.as_ref().map(|taken| taken.second_of_day)).collect();
    let times = times?;
    let seconds: u64 = times
        .windows(2)
        .map(|pair| match pair {
            [one, two] => u64::from((two + DAY - one % DAY) % DAY),
            _ => 0,
        })
        .sum();
    (seconds > 0).then(|| seconds as f64 / 60.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::ranges::DEFAULT_RANGE;
    use crate::net::{Family, SocketAddress};
    use crate::side::facts::Taken;

    fn socket(port: u16, state: TcpState, pid: u32) -> ListedSocket {
        ListedSocket {
            protocol: Protocol::Tcp,
            family: Some(Family::Ipv4),
            local: Some(SocketAddress { ip: [0, 0, 0, 0].into(), port }),
            remote: None,
            state: Some(state),
            pid: Some(pid),
            count: 1,
        }
    }

    fn listing(sockets: Vec<ListedSocket>, second_of_day: Option<u32>) -> SocketListing {
        let taken = second_of_day.map(|second_of_day| Taken { text: String::new(), second_of_day });
        SocketListing { source: 0, taken, sockets, owners: BTreeMap::new() }
    }

    const TCP4: PoolKey = PoolKey {
        protocol: Some(Protocol::Tcp),
        family: Some(Family::Ipv4),
        compartment: crate::machine::pool_key::Compartment::OWN,
    };

    #[test]
    fn a_port_counts_once_and_ports_outside_do_not() {
        let sockets = vec![
            socket(50_000, TcpState::Bound, 7),
            socket(50_000, TcpState::Established, 7),
            socket(50_001, TcpState::CloseWait, 7),
            socket(50_002, TcpState::TimeWait, 0),
            socket(50_001, TcpState::TimeWait, 0),
            socket(443, TcpState::Established, 7),
        ];
        let usage = usage(&listing(sockets, None), TCP4, DEFAULT_RANGE, false);
        assert_eq!((usage.held, usage.time_wait), (2, 1));
        let want = Listed { ports: 2, bound: 1, close_wait: 1, established: 1 };
        assert_eq!(usage.by_pid, BTreeMap::from([(Some(7), want)]));
    }

    #[test]
    fn grouped_rows_count_bound_and_connected_sockets_once() {
        let grouped = |state, count| ListedSocket { family: None, local: None, count, ..socket(0, state, 7312) };
        let sockets = vec![
            grouped(TcpState::Bound, 5143),
            grouped(TcpState::Established, 5000),
            grouped(TcpState::Listen, 9),
            ListedSocket { pid: Some(0), ..grouped(TcpState::TimeWait, 211) },
        ];
        let listing = listing(sockets, None);
        let none = usage(&listing, TCP4, DEFAULT_RANGE, false);
        assert_eq!(none, Usage::default());
        let mut huge = listing.clone();
        huge.sockets = vec![grouped(TcpState::Bound, u32::MAX), grouped(TcpState::Bound, 7)];
        assert_eq!(usage(&huge, TCP4, DEFAULT_RANGE, true).occupied(), u32::MAX);
        let usage = usage(&listing, TCP4, DEFAULT_RANGE, true);
        assert_eq!((usage.held, usage.time_wait, usage.by_pid[&Some(7312)].ports), (5143, 211, 5143));
    }

    #[test]
    fn trends_go_over_midnight() {
        let sample = |count: u16, second| {
            let sockets = (0..count).map(|n| socket(50_000 + n, TcpState::Bound, 7)).collect();
            listing(sockets, Some(second))
        };
        let listings = [sample(10, 86_340), sample(70, 0), sample(40, 60)];
        let trends = trends(&listings);
        assert_eq!(trends.len(), 1);
        assert_eq!((trends[0].first, trends[0].peak, trends[0].last, trends[0].samples), (10, 70, 40, 3));
        assert_eq!(trends[0].per_minute, Some(15.0));
        assert!(super::trends(&listings[..1]).is_empty(), "one listing has no trend");
    }

    #[test]
    fn a_long_loop_of_ever_other_processes_has_trends_too() {
        let listings: Vec<SocketListing> =
            (0..20_000).map(|pid| listing(vec![socket(50_000, TcpState::Bound, pid)], Some(1))).collect();
        let trends = trends(&listings);
        assert_eq!(trends.len(), MAX_TRENDS);
        assert_eq!((trends[0].pid, trends[0].first, trends[0].last, trends[0].peak), (Some(0), 1, 0, 1));
        let same = vec![listing(vec![socket(50_000, TcpState::Bound, 7)], None); 3];
        assert!(super::trends(&same).is_empty(), "few, and never another number");
    }
}
