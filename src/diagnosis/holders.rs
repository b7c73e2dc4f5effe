//! Who holds the ports: what the trace, TCP/IP's rundown and listings say is put together for each pool, and graded.

mod address;
mod habits;
mod pool;
mod set_aside;
mod subjects;

use std::collections::BTreeMap;

use serde::Serialize;

pub use self::habits::{AtRest, ListedCourse, Pattern};
pub(super) use self::habits::{Seen, When};
pub use self::set_aside::excluded_in;
pub(super) use self::set_aside::ports_of;

use super::listings::{Listed, images_without_pid, last_moments};
use super::pools::PoolFinding;
use super::state::Confidence;
pub(super) use crate::event::is_same_image;
use crate::machine::Findings;
use crate::machine::owner::Owner;
use crate::machine::pool_key::PoolKey;
use crate::machine::processes::{Process, ProcessTable};
use crate::net::Family;
use crate::side::facts::{ListedOwner, SideFacts, SocketListing, TcpState};
use crate::time::FileTime;

/// How it is known that a process holds ports (`E`, failures alone, names no holder and is never used here).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum HolderEvidence {
    /// A listing of sockets.
    A,
    /// TCP/IP's rundown of connections that were there before the trace.
    B,
    /// Binds minus closes in the trace, or ports acquired minus ports released.
    C,
    /// Ports of closed connections, in TIME_WAIT by estimate.
    D,
}

/// A process of the trace, or one that a listing alone knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// Index into the processes of the trace.
    Process(usize),
    /// A PID that the trace has nothing of.
    Listed(u32),
    /// An image whose PID a listing does not tell; number among those of all listings.
    Image(u32),
    /// Nobody known.
    Nobody,
}

impl Subject {
    /// Who an owner turned out to be.
    pub fn of(owner: Owner, processes: &ProcessTable) -> Self {
        processes.settled(owner).map_or(Self::Nobody, Self::Process)
    }

    /// Its PID; `None` where it is no process, or one that is not known.
    pub(super) fn pid(self, processes: &[Process]) -> Option<u32> {
        match self {
            Self::Listed(pid) => Some(pid),
            Self::Process(index) => processes.get(index).map(|process| process.pid),
            Self::Image(_) | Self::Nobody => None,
        }
    }
}

/// A process that holds ports of a pool.
#[derive(Debug, Clone)]
pub struct Holder {
    /// Who.
    pub subject: Subject,
    /// Index into the pools of the conclusion.
    pub pool: usize,
    /// Ports, those in TIME_WAIT and reserved ones counted.
    pub ports: u32,
    /// Of these, in TIME_WAIT.
    pub time_wait: u32,
    /// Ports of the pool that it had obtained and given back until then, as far as the trace shows. What only its end closed, it
    /// had kept.
    pub turnover: (u64, u64),
    /// Sockets older than the trace that it had closed until then. No event tells whether these had ports.
    pub closed_older: u64,
    /// Its ports in TIME_WAIT are there because it ended.
    pub waits_since_its_end: bool,
    /// It ended before the trace did.
    pub ended: bool,
    /// For so long (100 ns) after it had ended, requests failed and none was given a port.
    pub kept_since_end: Option<i64>,
    /// How that is known.
    pub evidence: HolderEvidence,
    /// How far to trust it.
    pub confidence: Confidence,
    /// What it looks like.
    pub pattern: Option<Pattern>,
    /// That it did not grow into the failure, where its pattern does not tell.
    pub at_rest: Option<AtRest>,
    /// More or fewer ports held for each minute, from the first port on.
    pub per_minute: Option<f64>,
    /// States of its sockets, where a listing tells.
    pub listed: Option<Listed>,
    /// Of its ports, those of connections that TCP/IP shows in CLOSE_WAIT: the other side has closed, and it has not.
    pub close_wait: u32,
    /// Ports that a later listing of the same file shows, where these are fewer than half: it has given them back, or ended.
    pub ports_later: Option<u32>,
    /// What several listings show of it, where it grew over them.
    pub grew_in_listings: Option<ListedCourse>,
    /// What was seen of it.
    pub(super) seen: Seen,
}

impl Holder {
    /// Whether it closed so many sockets older than the trace that keeping the ports it got since is no habit.
    pub fn gives_back_older(&self) -> bool {
        self.seen.gives_back_older()
    }
}

/// All pools and holders.
#[derive(Debug, Default)]
pub struct Conclusion {
    /// Pools that something is known of.
    pub pools: Vec<PoolFinding>,
    /// Holders, most ports first.
    pub holders: Vec<Holder>,
    /// Outages of all pools, by time.
    pub outages: Vec<PoolOutage>,
    /// Habits cannot be told: no event says that a socket was closed, or times are not certain.
    pub no_habits: bool,
}

/// An outage of one pool.
#[derive(Debug, Clone)]
pub struct PoolOutage {
    /// Index into the pools.
    pub pool: usize,
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
    /// Who held ports then, most first.
    pub holders: Vec<(Subject, u32)>,
}

impl Conclusion {
    /// Whether the ports of the holders of a pool add up to clearly more than it has: what is listed is then of another time
    /// than the trace.
    pub(super) fn is_over_counted(&self, pool: usize) -> bool {
        let of_pool = self.holders.iter().filter(|holder| holder.pool == pool);
        let held: u64 = of_pool.map(|holder| u64::from(holder.ports)).sum();
        self.pools.get(pool).is_some_and(|pool| held * 20 > u64::from(pool.range.count) * 21)
    }
}

/// What may be said of holders in a case.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Trust {
    /// Something was lost or damaged.
    pub(super) lossy: bool,
    /// Times are not certain, or no event says that a socket was closed: habits cannot be told.
    pub(super) no_habits: bool,
}

/// Puts everything together.
pub(super) fn conclude(findings: &Findings, side: &SideFacts, trust: Trust) -> Conclusion {
    let processes = findings.world.processes.processes();
    let latest_of_pid = processes.iter().enumerate().map(|(index, process)| (process.pid, index)).collect();
    let images = images_without_pid(&side.listings);
    let last_moments = last_moments(&side.listings);
    let book = Book { findings, side, trust, last_of_pid: last_of_pid(processes), latest_of_pid, images, last_moments };
    let mut conclusion = Conclusion { no_habits: trust.no_habits, ..Conclusion::default() };
    for key in findings.world.ports.keys() {
        book.pool(key, &mut conclusion);
    }
    share_dual_stack(&mut conclusion.pools);
    conclusion.holders.sort_by_key(|holder| (std::cmp::Reverse(holder.ports), holder.pool, holder.subject));
    conclusion.outages.sort_by_key(|outage| (outage.first, outage.pool));
    conclusion
}

/// Sockets of IPv6 may be what takes at least half of the unexplained ports of IPv4: no event tells which of them are of both
/// families, and many libraries open all of theirs so.
fn share_dual_stack(pools: &mut [PoolFinding]) {
    let held_by_ipv6: Vec<u32> = pools
        .iter()
        .map(|pool| {
            let of_ipv6 = PoolKey { family: Some(Family::Ipv6), ..pool.key };
            pools.iter().filter(|other| other.key == of_ipv6).map(|other| other.held.0).max().unwrap_or(0)
        })
        .collect();
    for (pool, held) in pools.iter_mut().zip(held_by_ipv6) {
        let missing = pool.unexplained().filter(|_| pool.key.family == Some(Family::Ipv4)).unwrap_or(0);
        if u64::from(held) * 2 >= u64::from(missing) {
            pool.dual_stack = missing.min(held);
        }
    }
}

/// The last process of each PID that was still running at the end: a listing taken then shows that one.
pub fn last_of_pid(processes: &[Process]) -> BTreeMap<u32, usize> {
    let running = processes.iter().enumerate().filter(|(_, process)| process.lasts());
    running.map(|(index, process)| (process.pid, index)).collect()
}

struct Book<'a> {
    findings: &'a Findings,
    side: &'a SideFacts,
    trust: Trust,
    last_of_pid: BTreeMap<u32, usize>,
    /// The latest process of each PID, also one that has ended.
    latest_of_pid: BTreeMap<u32, usize>,
    images: Vec<&'a ListedOwner>,
    /// The listings of the last moment of each file.
    last_moments: Vec<&'a SocketListing>,
}

/// Whether a listing shows sockets that are only bound: `netstat` does so with `-q` alone.
fn has_bound(listing: &SocketListing) -> bool {
    listing.sockets.iter().any(|socket| socket.state == Some(TcpState::Bound))
}
