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

#[cfg(test)]
mod tests;

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
    /// Listening sockets.
    pub listening: u32,
    /// Sockets whose connect the other side has not answered.
    pub syn_sent: u32,
    /// Sockets that the process has closed, and the other side has not.
    pub fin_wait_2: u32,
}

impl Listed {
    /// Whether its sockets may have a port each: those of a server share one. What is bound may be listed again as connected.
    pub fn is_of_ports(&self) -> bool {
        let Self { ports, bound: _, close_wait, established, listening, syn_sent, fin_wait_2 } = *self;
        let sockets = [close_wait, established, listening, syn_sent, fin_wait_2];
        sockets.into_iter().map(u64::from).sum::<u64>() <= u64::from(ports)
    }

    /// Of several together.
    pub fn add(&mut self, other: &Self) {
        for (sum, more) in [
            (&mut self.ports, other.ports),
            (&mut self.bound, other.bound),
            (&mut self.close_wait, other.close_wait),
            (&mut self.established, other.established),
            (&mut self.listening, other.listening),
            (&mut self.syn_sent, other.syn_sent),
            (&mut self.fin_wait_2, other.fin_wait_2),
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
    // A count of the ports of a larger range tells nothing of a smaller one.
    if listing.of_ports.is_some_and(|ports| ports > range.count) {
        return usage;
    }
    let mut held: BTreeSet<u16> = BTreeSet::new();
    let mut waiting: BTreeSet<u16> = BTreeSet::new();
    let mut ports: BTreeSet<(Who, u16)> = BTreeSet::new();
    // Sockets of rows without addresses.
    let mut grouped: BTreeMap<Who, Grouped> = BTreeMap::new();
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
        // A server's, as the port of the first says.
        let is_elsewhere = socket.port_alone.is_some_and(|port| !range.contains(port));
        if is_elsewhere && socket.count > 1 && socket.state.is_none() {
            continue;
        }
        // Of several sockets the port of one tells where they are, and not how many ports they have.
        let port_alone = socket.port_alone.filter(|_| socket.count == 1);
        match socket.local.map(|local| local.port).or(port_alone) {
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
            None if socket.protocol == Protocol::Tcp && !matches!(socket.state, None | Some(TcpState::Bound)) => {
                if is_owned(socket) && socket.state != Some(TcpState::Listen) {
                    grouped.entry(Who::of(socket)).or_default().connected(socket, range);
                }
            }
            None if !is_owned(socket) => {
                usage.held = usage.held.saturating_add(socket.count);
                usage.unnumbered = usage.unnumbered.saturating_add(socket.count);
                continue;
            }
            None => {
                let bound = &mut grouped.entry(Who::of(socket)).or_default().bound;
                *bound = bound.saturating_add(socket.count);
            }
        }
        let listed = by_who.entry(Who::of(socket)).or_default();
        let sockets = match socket.state {
            Some(TcpState::Bound) => &mut listed.bound,
            Some(TcpState::CloseWait) => &mut listed.close_wait,
            Some(TcpState::Established) => &mut listed.established,
            Some(TcpState::Listen) => &mut listed.listening,
            Some(TcpState::SynSent) => &mut listed.syn_sent,
            Some(TcpState::FinWait2) => &mut listed.fin_wait_2,
            _ => continue,
        };
        *sockets = sockets.saturating_add(socket.count);
    }
    for (who, _) in ports {
        by_who.entry(who).or_default().ports += 1;
    }
    let untold = grouped.values().fold(0_u32, |all, grouped| all.saturating_add(grouped.untold()));
    for (who, grouped) in grouped {
        let sockets = grouped.ports();
        if sockets == 0 {
            continue;
        }
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
    if usage.held == 0 && usage.unnumbered == usage.time_wait && untold > usage.time_wait {
        // Most of what is listed may be of the pool, or of a server: how much of the pool is in use does not show.
        (usage.time_wait, usage.unnumbered) = (0, 0);
    }
    usage
}

/// Sockets of one owner that a listing counts without the port of each.
#[derive(Debug, Clone, Copy, Default)]
struct Grouped {
    /// Those that are bound, and those whose state is not told.
    bound: u32,
    /// Connected ones, in groups of which the first has a port of the pool.
    in_pool: u32,
    /// Connected ones, in groups of which no port is shown.
    elsewhere: u32,
}

impl Grouped {
    /// Adds connected sockets; those of a server, as the port of the first shows, are none of the pool.
    fn connected(&mut self, socket: &ListedSocket, range: PoolRange) {
        let sockets = match socket.port_alone {
            Some(port) if range.contains(port) => &mut self.in_pool,
            Some(_) => return,
            None => &mut self.elsewhere,
        };
        *sockets = sockets.saturating_add(socket.count);
    }

    /// How many ports they have. One that the process asked for is listed as bound, too, whatever became of the socket: where
    /// more are connected, that listing does not do so.
    fn ports(self) -> u32 {
        let is_apart = self.in_pool > self.bound;
        self.bound.saturating_add(if is_apart { self.in_pool } else { 0 })
    }

    /// Connected sockets that are not bound ones, and need not be of the pool.
    fn untold(self) -> u32 {
        self.elsewhere.saturating_sub(self.ports())
    }
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
