//! Who holds the ports: what the trace, TCP/IP's rundown and listings say is put together for each pool, and graded.

mod address;
mod habits;
mod set_aside;

use std::collections::BTreeMap;

use serde::Serialize;

pub use self::habits::Pattern;
use self::habits::Seen;
pub use self::set_aside::excluded_in;

use super::listings::{Listed, Usage, images_without_pid, usage};
use super::pools::{ListedPool, PoolFinding, is_near, is_outside};
use super::state::{Confidence, State};
use crate::event::base_name;
use crate::machine::Findings;
use crate::machine::moment::Moment;
use crate::machine::owner::{Owner, is_kernel};
use crate::machine::pool_key::PoolKey;
use crate::machine::processes::{Process, ProcessTable};
use crate::machine::ranges::PoolRange;
use crate::net::{Family, Protocol};
use crate::side::facts::{ListedOwner, SideFacts, SocketListing, TcpState};

/// How it is known that a process holds ports (`E`, failures alone, names no holder and is never used here).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
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
    /// Ports that it had obtained and given back until then, in all pools, as far as the trace shows.
    pub turnover: (u64, u64),
    /// It ended before the trace did.
    pub ended: bool,
    /// How that is known.
    pub evidence: HolderEvidence,
    /// How far to trust it.
    pub confidence: Confidence,
    /// What it looks like.
    pub pattern: Option<Pattern>,
    /// More or fewer ports held for each minute, from the first port on.
    pub per_minute: Option<f64>,
    /// States of its sockets, where a listing tells.
    pub listed: Option<Listed>,
}

/// All pools and holders.
#[derive(Debug, Default)]
pub struct Conclusion {
    /// Pools that something is known of.
    pub pools: Vec<PoolFinding>,
    /// Holders, most ports first.
    pub holders: Vec<Holder>,
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

/// Puts everything together.
pub fn conclude(findings: &Findings, side: &SideFacts, lossy: bool) -> Conclusion {
    let processes = findings.world.processes.processes();
    let latest_of_pid = processes.iter().enumerate().map(|(index, process)| (process.pid, index)).collect();
    let images = images_without_pid(&side.listings);
    let book = Book { findings, side, lossy, last_of_pid: last_of_pid(processes), latest_of_pid, images };
    let mut conclusion = Conclusion::default();
    for key in PoolKey::all() {
        book.pool(key, &mut conclusion);
    }
    conclusion.holders.sort_by_key(|holder| (std::cmp::Reverse(holder.ports), holder.pool, holder.subject));
    conclusion
}

/// The last process of each PID that was still running at the end: a listing taken then shows that one.
pub fn last_of_pid(processes: &[Process]) -> BTreeMap<u32, usize> {
    let running = processes.iter().enumerate().filter(|(_, process)| process.lasts());
    running.map(|(index, process)| (process.pid, index)).collect()
}

struct Book<'a> {
    findings: &'a Findings,
    side: &'a SideFacts,
    lossy: bool,
    last_of_pid: BTreeMap<u32, usize>,
    /// The latest process of each PID, also one that has ended.
    latest_of_pid: BTreeMap<u32, usize>,
    images: Vec<&'a ListedOwner>,
}

impl Book<'_> {
    fn pool(&self, key: PoolKey, conclusion: &mut Conclusion) {
        let ports = &self.findings.world.ports;
        let Some(pool) = ports.pools.get(key.index()) else { return };
        let range = ports.ranges.of(key);
        let refusals = ports.transport.refusals.get(key.index()).copied().unwrap_or_default();
        let (listing, usage) = match self.fullest_listing(key, range) {
            Some((listing, usage)) => (Some(listing), usage),
            None => (None, Usage::default()),
        };
        let weak = ports.transport.weak_references > 0 && self.is_weak_pool(key);
        let is_exhausted = pool.bind_failures + pool.connect_failures + refusals.binds + refusals.connects > 0 || weak;
        let moment = pool.moment.as_ref();
        let visible = moment.map_or(0, Moment::visible);
        if !is_exhausted && visible == 0 && pool.held_peak == 0 && usage.occupied() == 0 && pool.occupied_peak.0 == 0 {
            return;
        }
        let mut subjects = self.subjects(key, range, moment, listing, &usage);
        let (set_aside, idle) = self.set_aside(key, range);
        let time_wait = match moment {
            Some(moment) => {
                let rundown = moment.transport.time_wait;
                (moment.time_wait.0.saturating_add(rundown), moment.time_wait.1.saturating_add(rundown))
            }
            None => (0, 0),
        };
        let in_trace = visible.saturating_add(time_wait.0);
        let explained = in_trace.max(usage.occupied()).saturating_add(idle).min(range.count);
        let most = |in_time_wait: u32| in_time_wait.max(in_trace).max(usage.occupied());
        let occupied_peak = (most(pool.occupied_peak.0), most(pool.occupied_peak.1));
        let usable = range.count.saturating_sub(set_aside);
        let state = if is_exhausted {
            Some(State::Exhausted)
        } else if is_near(occupied_peak.1, usable) && !is_outside(pool.given, range) {
            Some(State::Near)
        } else {
            None
        };
        let end = pool.end.as_ref().map_or(0, Moment::visible);
        let finding = PoolFinding {
            key,
            local_address: None,
            range,
            held: (pool.held_peak.max(visible), end),
            time_wait,
            time_wait_seconds: pool.time_wait.seconds(),
            failures: (pool.bind_failures, pool.connect_failures),
            refused: (refusals.binds, refusals.connects),
            failure_span: pool.failure_span,
            given_before_failure: pool.given_before_failure,
            set_aside,
            explained,
            occupied_peak,
            listing: listing.map(|listing| ListedPool {
                used: usage.occupied(),
                numbered: usage.occupied().saturating_sub(usage.unnumbered),
                time_wait: usage.time_wait,
                has_bound: has_bound(listing),
            }),
            given: pool.given,
            state,
            moment: moment.map(|moment| moment.time),
        };
        let (whole, mut part) = self.split_by_address(finding, pool);
        if let Some((part, owners)) = &mut part {
            let held = self.only_of_address(&mut subjects, owners);
            part.explained = held.saturating_add(part.set_aside).min(range.count);
        }
        let part = part.map(|(part, _)| part);
        conclusion.pools.push(whole);
        conclusion.pools.extend(part);
        let holding_pool = conclusion.pools.len() - 1;
        for (subject, seen) in subjects {
            let mut holder = self.holder(subject, &seen, holding_pool, range, moment);
            if let Some(holder) = &mut holder {
                // Where there are ports enough, keeping some is nobody's fault.
                holder.pattern = holder.pattern.filter(|pattern| *pattern != Pattern::Leak || state.is_some());
            }
            conclusion.holders.extend(holder);
        }
    }

    /// TCP/IP does not tell the family of a port that it gave twice: it is that of the TCP pool with most in use.
    fn is_weak_pool(&self, key: PoolKey) -> bool {
        let ports = &self.findings.world.ports;
        let tcp = |family| PoolKey::new(Protocol::Tcp, family);
        let in_use = |key: PoolKey| {
            ports.pools.get(key.index()).map_or(0, |pool| pool.held_peak.saturating_add(ports.transport.in_use(key)))
        };
        let (v4, v6) = (tcp(Family::Ipv4), tcp(Family::Ipv6));
        key == if in_use(v6) > in_use(v4) { v6 } else { v4 }
    }

    /// The listing that shows most of a pool in use. Rows without a family count for the pool that is full in the trace; else
    /// they stay in one whose family is not known.
    fn fullest_listing(&self, key: PoolKey, range: PoolRange) -> Option<(&SocketListing, Usage)> {
        let mut fullest: Option<(&SocketListing, Usage)> = None;
        let is_vague_pool = key == self.vague_pool(key);
        if key.family.is_none() && !is_vague_pool {
            return None;
        }
        for listing in &self.side.listings {
            let usage = usage(listing, key, range, is_vague_pool);
            let more = fullest.as_ref().is_none_or(|(_, known)| usage.occupied() > known.occupied());
            if usage.occupied() > 0 && more {
                fullest = Some((listing, usage));
            }
        }
        fullest
    }

    fn vague_pool(&self, key: PoolKey) -> PoolKey {
        let failed = |family| {
            let key = PoolKey { family: Some(family), ..key };
            self.findings.world.ports.pools.get(key.index()).is_some_and(|pool| pool.failure_span.is_some())
        };
        PoolKey { family: [Family::Ipv4, Family::Ipv6].into_iter().find(|family| failed(*family)), ..key }
    }

    fn subjects(
        &self,
        key: PoolKey,
        range: PoolRange,
        moment: Option<&Moment>,
        listing: Option<&SocketListing>,
        usage: &Usage,
    ) -> BTreeMap<Subject, Seen> {
        let processes = &self.findings.world.processes;
        let mut subjects: BTreeMap<Subject, Seen> = BTreeMap::new();
        if let Some(moment) = moment {
            for held in &moment.owners {
                let seen = subjects.entry(Subject::of(held.owner, processes)).or_default();
                seen.bound = seen.bound.saturating_add(held.sockets);
                seen.unnumbered = seen.unnumbered.saturating_add(held.unnumbered);
                seen.obtained += held.obtained;
                seen.released += held.released;
                seen.ages.add(held.ages);
            }
            for (owner, ports) in &moment.time_wait_owners {
                let seen = subjects.entry(Subject::of(*owner, processes)).or_default();
                seen.time_wait = seen.time_wait.saturating_add(*ports);
            }
            for ((process, older), ports) in &moment.transport.by_process {
                let subject = process.map_or(Subject::Nobody, |process| Subject::Process(processes.index(process)));
                let seen = subjects.entry(subject).or_default();
                *(if *older { &mut seen.older } else { &mut seen.acquired }) += ports;
            }
        }
        for (process, ports) in self.reserved(key, range) {
            let seen = subjects.entry(Subject::Process(process)).or_default();
            seen.reserved = seen.reserved.saturating_add(ports);
        }
        for (pid, listed) in &usage.by_pid {
            let subject = match pid {
                None => Subject::Nobody,
                Some(pid) => self.listed_subject(*pid, listing),
            };
            subjects.entry(subject).or_default().listed = Some(*listed);
        }
        for (image, listed) in &usage.by_image {
            let number = self.images.binary_search(&image).ok().and_then(|number| u32::try_from(number).ok());
            let subject = number.map_or(Subject::Nobody, Subject::Image);
            subjects.entry(subject).or_default().listed = Some(*listed);
        }
        subjects
    }

    /// The process of the trace that a listing shows with this PID: the one that ran at the end, else the one that had ended
    /// by then, since the listing may be older. One of another name is another process.
    fn listed_subject(&self, pid: u32, listing: Option<&SocketListing>) -> Subject {
        let index = self.last_of_pid.get(&pid).or_else(|| self.latest_of_pid.get(&pid));
        let process = index.and_then(|index| self.findings.world.processes.processes().get(*index));
        let named = process.and_then(Process::image).map(|(image, _)| image);
        let listed = listing.and_then(|listing| listing.owners.get(&pid)).and_then(|owner| owner.image.as_deref());
        match index {
            Some(index) if named.zip(listed).is_none_or(|(one, other)| is_same_image(one, other)) => {
                Subject::Process(*index)
            }
            _ => Subject::Listed(pid),
        }
    }

    fn holder(
        &self,
        subject: Subject,
        seen: &Seen,
        pool: usize,
        range: PoolRange,
        moment: Option<&Moment>,
    ) -> Option<Holder> {
        // Ports that TCP/IP knows by number may be those of sockets whose number is not told.
        let acquired = seen.acquired.saturating_sub(seen.unnumbered);
        let in_trace = seen.bound.saturating_add(seen.older).saturating_add(acquired);
        let listed = seen.listed.map_or(0, |listed| listed.ports);
        let held = in_trace.max(listed);
        let ports = held.saturating_add(seen.time_wait).saturating_add(seen.reserved);
        if ports == 0 {
            return None;
        }
        let evidence = if seen.time_wait > held {
            HolderEvidence::D
        } else if listed > 0 && listed >= in_trace {
            HolderEvidence::A
        } else if seen.older > seen.bound.saturating_add(seen.acquired) {
            HolderEvidence::B
        } else {
            HolderEvidence::C
        };
        let confidence = match evidence {
            HolderEvidence::A | HolderEvidence::B => Confidence::High,
            HolderEvidence::C | HolderEvidence::D if self.lossy => Confidence::Low,
            HolderEvidence::C | HolderEvidence::D => Confidence::Medium,
        };
        let process = match subject {
            Subject::Process(index) => self.findings.world.processes.processes().get(index),
            _ => None,
        };
        let is_kernel_itself = match subject {
            Subject::Process(_) => process.is_some_and(|process| is_kernel(process.pid)),
            Subject::Listed(pid) => is_kernel(pid),
            Subject::Image(_) => false,
            Subject::Nobody => true,
        };
        let pattern = seen.pattern(held, range, process, moment, is_kernel_itself);
        let per_minute = process.zip(moment).and_then(|(process, moment)| seen.per_minute(process, moment));
        Some(Holder {
            subject,
            pool,
            ports,
            time_wait: seen.time_wait,
            turnover: (seen.obtained, seen.released),
            ended: process.is_some_and(|process| process.ended.is_some()),
            evidence,
            confidence,
            pattern,
            per_minute,
            listed: seen.listed,
        })
    }
}

/// Whether two names may be of one image: with or without `.exe`, one of them possibly cut.
pub(super) fn is_same_image(one: &str, other: &str) -> bool {
    let stem = |name: &str| base_name(name).to_lowercase().trim_end_matches(".exe").to_owned();
    let (one, other) = (stem(one), stem(other));
    one.starts_with(&other) || other.starts_with(&one)
}

/// Whether a listing shows sockets that are only bound: `netstat` does so with `-q` alone.
fn has_bound(listing: &SocketListing) -> bool {
    listing.sockets.iter().any(|socket| socket.state == Some(TcpState::Bound))
}
