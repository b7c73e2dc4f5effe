//! What other causes are looked for in.

use std::collections::{BTreeMap, BTreeSet};

use crate::case::facts::TraceFacts;
use crate::diagnosis::grounds::Grounds;
use crate::diagnosis::holders::{Subject, excluded_in};
use crate::diagnosis::naming::{ProcessRow, Rows};
use crate::diagnosis::pools::PoolFinding;
use crate::diagnosis::system_events::{LogReach, log_reach, tuple_reuse_events};
use crate::machine::Findings;
use crate::machine::owner::SYSTEM;
use crate::machine::pool_key::PoolKey;
use crate::machine::ranges::PoolRanges;
use crate::machine::sockets::Operation;
use crate::side::facts::{ListedSocket, SideFacts, SocketListing, TcpState};
use crate::status::NtStatus;
use crate::words::shown;

/// Failures with one status: how many, and the port and process of most of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OtherFailures {
    /// How many.
    pub count: u64,
    /// The port of most; `None` also where most are on ports of which none has half of them.
    pub port: Option<u16>,
    /// How many on that port.
    pub on_port: u64,
    /// Where no port has half of them: how many ports there are, the lowest and the highest.
    pub scattered: Option<(u64, u16, u16)>,
    /// Who had most, as people are told.
    pub by: Option<String>,
    /// Who has that port, or all of the scattered ones.
    pub port_owner: Option<PortOwner>,
}

/// Who has a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortOwner {
    /// As people are told.
    pub label: String,
    /// Who says so: `a listing`, or `the trace`.
    pub by: &'static str,
}

/// What alternatives are drawn from.
#[derive(Debug, Default)]
pub struct Symptoms {
    /// Bind events seen.
    pub bind_records: u64,
    /// Binds that met a port in use (0xC000020A, 0xC0000043).
    pub in_use: OtherFailures,
    /// Binds refused with 0xC0000022.
    pub denied: OtherFailures,
    /// Binds that failed because the kernel lacked memory (0xC000009A).
    pub no_memory: OtherFailures,
    /// Ports of the pools that are excluded, where a listing tells.
    pub excluded: Option<u32>,
    /// How far event logs reach.
    pub log_reach: LogReach,
    /// Tcpip 4227 in it.
    pub tuple_reuse_events: u64,
    /// Who connects most to one address, and to which: who Tcpip 4227 is likely about.
    pub most_connects: Option<(String, String)>,
    /// Connects that timed out (0xC00000B5).
    pub connect_timeouts: u64,
    /// Windows build.
    pub os_build: Option<u32>,
    /// From boot to the end of the trace, in 100 ns.
    pub uptime_100ns: Option<i64>,
}

impl Symptoms {
    /// Gathers them.
    pub(in crate::diagnosis) fn gather(grounds: &Grounds<'_>) -> Self {
        let Grounds { findings, conclusion, rows, side, .. } = *grounds;
        let of = |matches: &dyn Fn(NtStatus) -> bool| other_failures(findings, rows, matches);
        let excluded = grounds.has_excluded_listing().then(|| {
            let overlap = |pool: &PoolFinding| excluded_in(&side.excluded_ports, pool.key, pool.range).len();
            let pools = conclusion.pools.iter().filter(|pool| pool.local_address.is_none());
            let seen: usize = pools.map(overlap).sum();
            // Without any pool in use, those of the default protocols.
            let default = || {
                let ranges: PoolRanges = findings.world.ports.ranges;
                PoolKey::all().iter().map(|key| excluded_in(&side.excluded_ports, *key, ranges.of(*key)).len()).sum()
            };
            u32::try_from(if conclusion.pools.is_empty() { default() } else { seen }).unwrap_or(u32::MAX)
        });
        let uptime = |trace: &TraceFacts| {
            let end = trace.summary.ended.or(trace.summary.started)?;
            trace.summary.boot_time.map(|boot| end.since(boot))
        };
        Self {
            bind_records: grounds.bind_records(),
            in_use: with_port_owner(of(&is_in_use), side, rows).or_holder(findings, rows),
            denied: of(&|status| status == NtStatus::ACCESS_DENIED),
            no_memory: of(&|status| status == NtStatus::INSUFFICIENT_RESOURCES),
            excluded,
            log_reach: if grounds.has_event_log() {
                log_reach(&side.log_spans, grounds.span())
            } else {
                LogReach::None
            },
            tuple_reuse_events: tuple_reuse_events(grounds.events),
            most_connects: most_connects(rows),
            connect_timeouts: count_of(findings, Operation::Connect, &|status| status == IO_TIMEOUT),
            os_build: grounds.speaking().find_map(|trace| trace.summary.os_build),
            uptime_100ns: grounds.speaking().filter_map(uptime).max(),
        }
    }
}

/// Who connects most to one address, where that is more than a few.
fn most_connects(rows: &Rows) -> Option<(String, String)> {
    let top = |(index, row): (usize, &ProcessRow)| {
        let most = row.destinations.first().filter(|one| one.connects >= NOTABLE_CONNECTS)?;
        Some((most.connects, index, most.remote.clone()))
    };
    // Of equals the first.
    let tops = rows.rows.iter().enumerate().rev().filter_map(top);
    let (_, index, remote) = tops.max_by_key(|(connects, ..)| *connects)?;
    Some((rows.label_of(index)?, remote))
}

/// Fewer connects to one address are nothing to tell.
const NOTABLE_CONNECTS: u64 = 100;

/// How many operations ended with such a status.
fn count_of(findings: &Findings, operation: Operation, matches: &dyn Fn(NtStatus) -> bool) -> u64 {
    let is_it = |(key, _): &(&(Operation, NtStatus), &u64)| key.0 == operation && matches(key.1);
    findings.sockets.by_status.iter().filter(is_it).map(|(_, count)| count).sum()
}

fn other_failures(findings: &Findings, rows: &Rows, matches: &dyn Fn(NtStatus) -> bool) -> OtherFailures {
    let count = count_of(findings, Operation::Bind, matches);
    let mut ports: BTreeMap<u16, u64> = BTreeMap::new();
    let mut owners: BTreeMap<Subject, u64> = BTreeMap::new();
    for ((status, port, owner), count) in findings.world.ports.conflicts.iter() {
        if matches(status) {
            if let Some(port) = port {
                *ports.entry(port).or_default() += count;
            }
            *owners.entry(Subject::of(owner, &findings.world.processes)).or_default() += count;
        }
    }
    // Of equals the smallest.
    let top = ports.iter().rev().max_by_key(|(_, count)| **count);
    let owner = owners.iter().rev().max_by_key(|(_, count)| **count);
    let (lowest, highest) = (ports.keys().next(), ports.keys().next_back());
    let is_scattered = top.is_some_and(|(_, most)| most.saturating_mul(2) < count && ports.len() > 2);
    let scattered = lowest.zip(highest).map(|(lowest, highest)| (ports.len() as u64, *lowest, *highest));
    let top = top.filter(|_| !is_scattered);
    OtherFailures {
        count,
        port: top.map(|(port, _)| *port),
        on_port: top.map_or(0, |(_, count)| *count),
        scattered: scattered.filter(|_| is_scattered),
        by: owner.and_then(|(subject, _)| rows.label(*subject)),
        port_owner: None,
    }
}

/// Adds who has the port, where a listing shows one process with it.
fn with_port_owner(failures: OtherFailures, side: &SideFacts, rows: &Rows) -> OtherFailures {
    let on_port = |socket: &&ListedSocket| {
        let is_held = !matches!(socket.state, Some(TcpState::TimeWait | TcpState::Closed));
        is_held && socket.local.is_some_and(|local| Some(local.port) == failures.port)
    };
    let found = side.listings.iter().flat_map(|listing| {
        listing.sockets.iter().filter(on_port).filter_map(move |socket| Some((socket.pid?, listing)))
    });
    let by_pid: BTreeMap<u32, &SocketListing> = found.collect();
    let mut owners = by_pid.into_iter();
    let (Some((pid, listing)), None) = (owners.next(), owners.next()) else { return failures };
    let listed = listing.owners.get(&pid).and_then(|owner| owner.image.clone());
    let task = || side.tasks.iter().find(|task| task.pid == pid).map(|task| task.image.clone());
    let row = || rows.rows.iter().find(|row| row.pid == Some(pid)).and_then(|row| row.image.clone());
    let label = match listed.or_else(task).or_else(row) {
        _ if pid == SYSTEM => format!("System (PID {pid})"),
        Some(image) => format!("{} (PID {pid})", shown(&image)),
        None => format!("PID {pid}"),
    };
    OtherFailures { port_owner: Some(PortOwner { label, by: "a listing" }), ..failures }
}

impl OtherFailures {
    /// Adds who has the port, or nearly all of scattered ports, where sockets of the trace hold them at its end.
    fn or_holder(self, findings: &Findings, rows: &Rows) -> Self {
        let (count, first, last) = match (self.port, self.scattered) {
            _ if self.port_owner.is_some() => return self,
            (Some(port), _) => (1, port, port),
            (None, Some(scattered)) => scattered,
            (None, None) => return self,
        };
        let mut ports: BTreeMap<Subject, BTreeSet<u16>> = BTreeMap::new();
        for hold in findings.sockets.held() {
            if let Some(port) = hold.port.filter(|port| (first..=last).contains(port)) {
                ports.entry(Subject::of(hold.owner, &findings.world.processes)).or_default().insert(port);
            }
        }
        let mut holders = ports.into_iter();
        let (Some((subject, held)), None) = (holders.next(), holders.next()) else { return self };
        let has_nearly_all = (held.len() as u64).saturating_mul(10) >= count.saturating_mul(9);
        let label = rows.label(subject).filter(|_| has_nearly_all);
        Self { port_owner: label.map(|label| PortOwner { label, by: "the trace" }), ..self }
    }
}

/// STATUS_IO_TIMEOUT: a connect that nobody answered.
const IO_TIMEOUT: NtStatus = NtStatus(0xC000_00B5);

/// Statuses of a conflict over a port in use.
fn is_in_use(status: NtStatus) -> bool {
    matches!(status, NtStatus::ADDRESS_ALREADY_EXISTS | NtStatus::SHARING_VIOLATION)
}
