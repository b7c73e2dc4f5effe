//! What socket listings show: ports of each pool by process, and how that changed from listing to listing.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::holders::is_same_image;
use crate::machine::pool_key::PoolKey;
use crate::machine::ranges::PoolRange;
use crate::net::Protocol;
use crate::side::facts::{ListedOwner, ListedSocket, SocketListing, SourceId, TcpState};
use crate::side::{days_between, instant, may_be_of_other_half};
use crate::time::FileTime;

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
    /// By image and services, of rows that have no PID.
    pub by_image: BTreeMap<ListedOwner, Listed>,
}

/// Who a row is of, as far as it tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    /// A process.
    Pid(u32),
    /// Number of an image of the listing; the PID is not listed.
    Image(u32),
    /// Nobody known.
    Nobody,
}

impl Who {
    /// The owner of a row.
    pub fn of(socket: &ListedSocket) -> Self {
        match (socket.pid, socket.image) {
            (Some(pid), _) => Self::Pid(pid),
            (None, Some(image)) => Self::Image(image),
            (None, None) => Self::Nobody,
        }
    }
}

/// Images of all listings whose rows have no PID, in their order.
pub fn images_without_pid(listings: &[SocketListing]) -> Vec<&ListedOwner> {
    let is_of_image = |listing: &&SocketListing| {
        !listing.images.is_empty()
            && listing.sockets.iter().any(|socket| socket.pid.is_none() && socket.image.is_some())
    };
    let mut images: Vec<&ListedOwner> =
        listings.iter().filter(is_of_image).flat_map(|listing| &listing.images).collect();
    images.sort_unstable();
    images.dedup();
    images
}

/// The listings of the last moment of each file, and of each sequence of files: those from the last time on, of a command that was repeated the last, and
/// all of a file that tells no moments.
pub fn last_moments(listings: &[SocketListing]) -> Vec<&SocketListing> {
    let mut sources: BTreeMap<SourceId, Vec<&SocketListing>> = BTreeMap::new();
    for listing in listings {
        sources.entry(listing.moments()).or_default().push(listing);
    }
    sources
        .into_values()
        .flat_map(|of_file| match of_file.iter().rposition(|listing| listing.taken.is_some()) {
            Some(last) => of_file.get(last..).unwrap_or_default().to_vec(),
            None => {
                let is_last = |at: usize, listing: &SocketListing| {
                    let later = of_file.get(at + 1..).unwrap_or_default();
                    listing.asked.is_none() || !later.iter().any(|other| other.asked == listing.asked)
                };
                of_file
                    .iter()
                    .enumerate()
                    .filter(|(at, listing)| is_last(*at, listing))
                    .map(|(_, listing)| *listing)
                    .collect()
            }
        })
        .collect()
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
    let mut ports: BTreeSet<(Who, u16)> = BTreeSet::new();
    // Sockets of rows without addresses.
    let mut grouped: BTreeMap<Who, u32> = BTreeMap::new();
    let mut by_who: BTreeMap<Who, Listed> = BTreeMap::new();
    // PID 0 is no process: its sockets have no owner any more, in whatever state they still are.
    let is_owned = |socket: &ListedSocket| socket.pid != Some(0);
    for socket in &listing.sockets {
        let here = socket.family == key.family || (vague && socket.family.is_none());
        let elsewhere = address.is_some_and(|ip| socket.local.is_none_or(|local| local.ip != ip));
        if Some(socket.protocol) != key.protocol || !here || elsewhere {
            continue;
        }
        let waits = socket.state == Some(TcpState::TimeWait);
        match socket.local.map(|local| local.port).or(socket.port_alone) {
            Some(port) if !range.contains(port) => continue,
            Some(port) if waits => {
                waiting.insert(port);
                continue;
            }
            Some(port) => {
                held.insert(port);
                if !is_owned(socket) {
                    continue;
                }
                ports.insert((Who::of(socket), port));
            }
            None if waits => {
                usage.time_wait = usage.time_wait.saturating_add(socket.count);
                usage.unnumbered = usage.unnumbered.saturating_add(socket.count);
                continue;
            }
            // These rows do not tell the port. One that the process asked for is listed as bound, whatever became of the
            // socket; those of listeners and of connections to them need not be of the pool.
            None if socket.protocol == Protocol::Tcp && !matches!(socket.state, None | Some(TcpState::Bound)) => {}
            None if !is_owned(socket) => {
                usage.held = usage.held.saturating_add(socket.count);
                usage.unnumbered = usage.unnumbered.saturating_add(socket.count);
                continue;
            }
            None => {
                let sockets = grouped.entry(Who::of(socket)).or_default();
                *sockets = sockets.saturating_add(socket.count);
            }
        }
        let listed = by_who.entry(Who::of(socket)).or_default();
        let sockets = match socket.state {
            Some(TcpState::Bound) => &mut listed.bound,
            Some(TcpState::CloseWait) => &mut listed.close_wait,
            Some(TcpState::Established) => &mut listed.established,
            _ => continue,
        };
        *sockets = sockets.saturating_add(socket.count);
    }
    for (who, _) in ports {
        by_who.entry(who).or_default().ports += 1;
    }
    for (who, sockets) in grouped {
        usage.held = usage.held.saturating_add(sockets);
        usage.unnumbered = usage.unnumbered.saturating_add(sockets);
        let listed = by_who.entry(who).or_default();
        listed.ports = listed.ports.saturating_add(sockets);
    }
    for (who, listed) in by_who {
        let image = match who {
            Who::Image(image) => usize::try_from(image).ok().and_then(|image| listing.images.get(image)),
            Who::Pid(_) | Who::Nobody => None,
        };
        match (image, who) {
            (Some(image), _) => drop(usage.by_image.insert(image.clone(), listed)),
            (None, Who::Pid(pid)) => drop(usage.by_pid.insert(Some(pid), listed)),
            (None, _) => drop(usage.by_pid.insert(None, listed)),
        }
    }
    usage.held = usage.held.saturating_add(u32::try_from(held.len()).unwrap_or(u32::MAX));
    let only_waiting = waiting.difference(&held).count();
    usage.time_wait = usage.time_wait.saturating_add(u32::try_from(only_waiting).unwrap_or(u32::MAX));
    usage
}

/// How the sockets of one process in one state changed over the listings of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Trend {
    /// The file, or the first of a sequence of files.
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

/// Several listings of one file that are moments of one question, in their order.
pub struct Series<'l> {
    source: SourceId,
    /// Two or more.
    pub listings: Vec<&'l SocketListing>,
}

impl Series<'_> {
    /// Seconds from the first listing to each, where all times are known and some differ. The next day is told by its name, and
    /// where nothing names days, by a time of day that goes from the evening to the morning. Where days are named, and how many
    /// lie between them is not certain, and where the time goes back otherwise, since a half of the day was not understood,
    /// nothing is told.
    pub fn seconds_since_first(&self) -> Option<Vec<u64>> {
        const DAY: u32 = 86_400;
        const HALF_DAY: u32 = DAY / 2;
        let times: Option<Vec<_>> = self.listings.iter().map(|listing| listing.taken.as_ref()).collect();
        let times = times?;
        // Where all say how far their clocks are from UTC, these may differ.
        if let Some(instants) = times.iter().map(|taken| instant(taken)).collect::<Option<Vec<_>>>() {
            let first = *instants.first()?;
            let is_in_order = instants.is_sorted();
            let seconds = instants.iter().map(|time| u64::try_from(time.since(first) / FileTime::SECOND).ok());
            return seconds.collect::<Option<Vec<u64>>>().filter(|all| is_in_order && all.last() > Some(&0));
        }
        let mut all = vec![0_u64];
        let mut seconds = 0_u64;
        for pair in times.windows(2) {
            let [one, two] = pair else { continue };
            if may_be_of_other_half(one, two) {
                return None;
            }
            let days = match (one.day.as_ref(), two.day.as_ref()) {
                (Some(one), Some(two)) => days_between(one, two)?,
                _ => u32::from(one.second_of_day.saturating_sub(two.second_of_day) > HALF_DAY),
            };
            seconds += u64::from((days * DAY + two.second_of_day).checked_sub(one.second_of_day)?);
            all.push(seconds);
        }
        (seconds > 0).then_some(all)
    }
}

/// The files with several listings that are moments of one question, and of one machine.
pub fn series(listings: &[SocketListing]) -> Vec<Series<'_>> {
    let mut series: BTreeMap<(SourceId, Option<&str>), Vec<&SocketListing>> = BTreeMap::new();
    // A listing without a time of its own is another moment only where the command above was given again.
    for listing in listings.iter().filter(|listing| listing.taken.is_some() || listing.asked.is_some()) {
        series.entry((listing.moments(), listing.asked.as_deref())).or_default().push(listing);
    }
    let is_of_several = |samples: &[&SocketListing]| {
        samples.windows(2).any(|pair| matches!(pair, [one, other] if other.is_of_other_machine(one)))
    };
    let series = series.into_iter().map(|((source, _), listings)| Series { source, listings });
    series.filter(|series| series.listings.len() > 1 && !is_of_several(&series.listings)).collect()
}

/// The trends of all files with several listings that are moments of one question, those first that change most.
pub fn trends(listings: &[SocketListing]) -> Vec<Trend> {
    let mut trends = Vec::new();
    for series in series(listings) {
        let samples = &series.listings;
        let minutes = series.seconds_since_first().and_then(|all| Some(*all.last()? as f64 / 60.0));
        let given_again = pids_given_again(samples);
        for (kind, change) in changes(samples) {
            if kind.0.is_some_and(|pid| given_again.contains(&pid)) {
                continue;
            }
            // What the first rows do not show may be there.
            if change.listings < samples.len() && samples.iter().any(|sample| sample.is_part()) {
                continue;
            }
            if change.is_constant(samples.len()) && change.peak < NOTABLE {
                continue;
            }
            let Change { first, last, peak, .. } = change;
            trends.push(Trend {
                source: series.source,
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

/// PIDs that belong to different images in different listings: what one of them has is no beginning of what the other has.
fn pids_given_again(samples: &[&SocketListing]) -> BTreeSet<u32> {
    let mut images: BTreeMap<u32, &str> = BTreeMap::new();
    let mut given_again = BTreeSet::new();
    for (pid, owner) in samples.iter().flat_map(|listing| &listing.owners) {
        let Some(image) = owner.image.as_deref() else { continue };
        if !is_same_image(images.entry(*pid).or_insert(image), image) {
            given_again.insert(*pid);
        }
    }
    given_again
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
            image: None,
            port_alone: None,
        }
    }

    fn listing(sockets: Vec<ListedSocket>, second_of_day: Option<u32>) -> SocketListing {
        let taken = second_of_day.map(|second_of_day| Taken { text: String::new(), day: None, second_of_day });
        SocketListing { taken, sockets, ..SocketListing::default() }
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
    fn sockets_of_pid_0_are_nobodys_in_any_state() {
        let sockets = vec![socket(50_000, TcpState::FinWait2, 0), socket(50_001, TcpState::Bound, 7)];
        let usage = usage(&listing(sockets, None), TCP4, DEFAULT_RANGE, false);
        assert_eq!((usage.held, usage.by_pid.keys().collect::<Vec<_>>()), (2, vec![&Some(7)]));
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

    #[test]
    fn two_listings_are_moments_only_where_something_says_so() {
        let sample = |count: u16, asked: Option<&str>| {
            let sockets = (0..count).map(|n| socket(50_000 + n, TcpState::Bound, 7)).collect();
            SocketListing { asked: asked.map(str::to_owned), ..listing(sockets, None) }
        };
        assert_eq!(trends(&[sample(1, None), sample(900, None)]), []);
        assert_eq!(trends(&[sample(1, Some("netstat -anob")), sample(900, Some("netstat -anoq"))]), []);
        let found = trends(&[sample(1, Some("netstat -ano")), sample(900, Some("netstat -ano"))]);
        assert_eq!((found.len(), found[0].last, found[0].per_minute), (1, 900, None));
        let counts = |listings: &[SocketListing]| -> Vec<usize> {
            last_moments(listings).iter().map(|listing| listing.sockets.len()).collect()
        };
        assert_eq!(counts(&[sample(1, None), sample(9, None)]), [1, 9], "one moment");
        assert_eq!(counts(&[sample(1, Some("a")), sample(2, Some("b")), sample(3, Some("a"))]), [2, 3]);
        assert_eq!(
            counts(&[listing(Vec::new(), Some(1)), sample(2, None), listing(Vec::new(), Some(2)), sample(4, None)]),
            [0, 4]
        );
    }

    #[test]
    fn listings_of_two_machines_are_no_moments() {
        let sample = |count: u16, ip: [u8; 4], host: Option<&str>| {
            let mut listing = listing((0..count).map(|n| socket(50_000 + n, TcpState::Bound, 7)).collect(), None);
            listing.sockets.iter_mut().for_each(|socket| socket.local.as_mut().unwrap().ip = ip.into());
            SocketListing { asked: Some("netstat -ano".to_owned()), host: host.map(str::to_owned), ..listing }
        };
        let (one, other) = ([10, 20, 0, 5], [10, 20, 0, 6]);
        let count = |listings: &[SocketListing]| trends(listings).len();
        assert_eq!(count(&[sample(1, one, None), sample(900, one, None)]), 1);
        assert_eq!(count(&[sample(1, one, None), sample(900, other, None)]), 0);
        assert_eq!(count(&[sample(1, [0; 4], Some("SRV01")), sample(900, [0; 4], Some("SRV02"))]), 0);
        assert_eq!(count(&[sample(1, one, Some("SRV01")), sample(900, other, Some("srv01"))]), 1);
        assert_eq!(count(&[sample(1, [0; 4], None), sample(900, other, None)]), 1);
    }

    #[test]
    fn a_time_that_goes_back_tells_no_rate() {
        let sample = |count: u16, second, day: Option<&str>| {
            let sockets = (0..count).map(|n| socket(50_000 + n, TcpState::Bound, 7)).collect();
            let mut listing = listing(sockets, Some(second));
            listing.taken.as_mut().unwrap().day = day.map(str::to_owned);
            listing
        };
        let rate = |listings: &[SocketListing]| trends(listings)[0].per_minute;
        // 11:53, 12:03, 1:03 in twelve hours.
        let times = [42_791, 43_391, 3_791];
        let day = Some("22/11/2026");
        assert_eq!(rate(&[sample(10, times[0], day), sample(20, times[1], day), sample(400, times[2], day)]), None);
        assert_eq!(rate(&[sample(10, times[0], None), sample(20, times[1], None), sample(400, times[2], None)]), None);
        assert_eq!(rate(&[sample(10, 86_340, day), sample(70, 0, Some("23/11/2026"))]), Some(60.0));
        // The next day, an hour later; and days of which nothing tells how many lie between them.
        assert_eq!(rate(&[sample(10, 0, day), sample(1510, 3_600, Some("23/11/2026"))]), Some(1.0));
        assert_eq!(rate(&[sample(10, 0, day), sample(1510, 3_600, Some("26/11/2026"))]), None);
    }

    #[test]
    fn times_with_their_distance_from_utc_are_of_one_clock() {
        let sample = |count: u16, text: &str, second| {
            let sockets = (0..count).map(|n| socket(50_000 + n, TcpState::Bound, 7)).collect();
            let mut listing = listing(sockets, Some(second));
            listing.taken.as_mut().unwrap().text = text.to_owned();
            listing
        };
        let rate = |listings: &[SocketListing]| trends(listings)[0].per_minute;
        let first = sample(10, "2026-11-22T14:03:00Z", 50_580);
        assert_eq!(rate(&[first.clone(), sample(1_010, "2026-11-22T15:13:00+01:00", 54_780)]), Some(100.0));
        // The clock was set, or these are of two machines.
        assert_eq!(rate(&[first, sample(1_010, "2026-11-22T15:01:00+02:00", 54_060)]), None);
    }

    #[test]
    fn images_without_pid_are_told_apart() {
        let owner = |image: &str| ListedOwner { image: Some(image.to_owned()), services: Vec::new() };
        let mut one = listing(vec![socket(50_000, TcpState::Bound, 7); 3], None);
        for (number, socket) in one.sockets.iter_mut().enumerate() {
            (socket.pid, socket.image) = (None, [Some(1), Some(0), None][number]);
            socket.local.as_mut().unwrap().port += u16::try_from(number).unwrap();
        }
        one.images = vec![owner("b.exe"), owner("a.exe")];
        let usage = usage(&one, TCP4, DEFAULT_RANGE, false);
        let ports: Vec<_> =
            usage.by_image.iter().map(|(owner, listed)| (owner.image.as_deref().unwrap(), listed.ports)).collect();
        assert_eq!((ports, usage.by_pid[&None].ports), (vec![("a.exe", 1), ("b.exe", 1)], 1));
        assert_eq!(images_without_pid(&[one]), [&owner("a.exe"), &owner("b.exe")]);
    }
}
