//! What the verdict is drawn from: what traces, pools and event logs say, put together in numbers.

use super::foreign::Foreign;
use super::holders::Conclusion;
use super::naming::Rows;
use super::pools::{PoolFinding, is_near, speaking_pool};
use super::state::State;
use super::system_events::{SystemEventRow, pool_full_events};
use crate::case::facts::TraceFacts;
use crate::machine::Findings;
use crate::machine::ranges::{PoolRange, RangeSource};
use crate::machine::wire::Wire;
use crate::pipeline::LogsRead;
use crate::providers::process::KERNEL_PROCESS;
use crate::side::facts::PortUse;

/// What shows that a pool was nearly full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NearBy {
    /// Ports held in the trace.
    Trace,
    /// A listing.
    Listing,
    /// A listing, by sockets whose ports it does not tell: they need not be of the pool.
    Groups,
    /// Ports in TIME_WAIT by estimate, if it lasts so many seconds.
    TimeWait(i64),
}

/// A pool that was nearly full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nearly {
    /// What shows it.
    pub by: NearBy,
    /// Ports in use at most.
    pub used: u32,
    /// Ports that can be given out.
    pub usable: u32,
}

/// What the verdict is drawn from.
#[derive(Debug, Clone, Default)]
pub struct VerdictEvidence {
    /// Traces read.
    pub traces: u64,
    /// Bind failures 0xC0000209.
    pub bind_failures: u64,
    /// Connect failures 0xC0000209.
    pub connect_failures: u64,
    /// Of both, those whose owner is known from socket creation, EPROCESS, or a record header that is reliable.
    pub well_owned: u64,
    /// Binds and connects that TCP/IP itself says it refused because no local port was free (1006, 1050, 1394).
    pub refusals: u64,
    /// Ports that TCP/IP gave twice, because none was free (1195).
    pub weak_references: u64,
    /// Tcpip 4231 (TCP) and 4266 (UDP) in event logs, inside the span of the traces.
    pub pool_full_events: (u64, u64),
    /// The pool that was most nearly full.
    pub nearly: Option<Nearly>,
    /// Most that a listing shows of a pool.
    pub listed: Option<Listed>,
    /// The pool was full when the trace began, or nearly so: how many binds were given a port before the first failure.
    pub began_after: Option<u64>,
    /// Ports of the pool that others were given while requests failed: how often, and how many these others are.
    pub others_served: Option<(u64, u64)>,
    /// Port, bind and connection events of TCPIP.
    pub tcpip_records: u64,
    /// Of the pool that was full, so many of 100 ports are explained; `None` without such a pool.
    pub explained_percent: Option<u32>,
    /// A pool in which more ports seem to be held than it has: these, and those that it has.
    pub held_beyond: Option<(u32, u32)>,
    /// Ports of the full pool that were given out although a socket seemed to hold them.
    pub given_twice: u64,
    /// TCP/IP's events tell compartments apart.
    pub tells_compartments: bool,
    /// Ports were given out, and no event tells that any socket was closed.
    pub no_closes: bool,
    /// Listings that contradict the trace, and are not counted.
    pub foreign_listings: Foreign,
    /// The range of a pool that known ports refute: first and last port known, and the range.
    pub refuted: Option<(u16, u16, PoolRange)>,
    /// The part of a full pool in which all ports lie that were given out, nearly all of them in use.
    pub narrower: Option<((u16, u16), RangeSource)>,
    /// Smallest and largest port given out of a pool, some of them outside of its range.
    pub wider: Option<(u16, u16)>,
    /// AFD events of any kind.
    pub afd_records: u64,
    /// AFD bind events, enter or exit.
    pub bind_records: u64,
    /// All records.
    pub records: u64,
    /// Providers with a GUID in their header, other than AFD.
    pub other_providers: u64,
    /// Events lost, as the headers of the traces say.
    pub events_lost: u64,
    /// Buffers lost, as the headers of the traces say.
    pub buffers_lost: u64,
    /// Buffers read.
    pub buffers: u64,
    /// Buffers whose flags say that something was lost before them.
    pub buffers_after_loss: u64,
    /// Damaged places.
    pub damaged_places: u64,
    /// AFD records that could not be read.
    pub malformed: u64,
    /// AFD records whose EnterExit no source names.
    pub unknown_phases: u64,
    /// Events whose time stamp is wrong.
    pub displaced: u64,
    /// The header of a trace does not tell how its clock counts.
    pub clock_assumed: bool,
    /// A circular log has overwritten its beginning.
    pub wrapped: bool,
    /// A log was not closed by its session: its loss counts are not final.
    pub unclosed: bool,
    /// The system clock was set back while a trace was taken.
    pub clock_set_back: bool,
    /// Events about sockets and ports in versions that nothing describes.
    pub unknown_versions: u64,
    /// What of the events is from logs of Winsock-AFD's channel.
    pub logs: LogsRead,
    /// These logs tell what the verdict is drawn from: the traces hold no bind, or failures are in the logs too.
    pub by_logs: bool,
    /// What captured packets show, where nothing else tells of sockets or ports.
    pub wire: Wire,
}

/// What a listing shows of a pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Ports in use.
    pub used: u32,
    /// Ports that can be given out.
    pub usable: u32,
    /// The pool's name.
    pub pool: String,
    /// The listing is of some of the sockets alone.
    pub is_part: bool,
}

impl VerdictEvidence {
    /// Puts together what everything says.
    pub(super) fn gather(
        read: Self,
        findings: &Findings,
        conclusion: &Conclusion,
        rows: &Rows,
        (events, counts): (&[SystemEventRow], &[PortUse]),
    ) -> Self {
        let mut evidence = read;
        for row in &rows.rows {
            evidence.bind_failures += row.bind_failures;
            evidence.connect_failures += row.connect_failures;
            evidence.well_owned += row.owner_source.known();
        }
        let transport = &findings.world.ports.transport;
        evidence.refusals = transport.refusals.values().map(|refusals| refusals.binds + refusals.connects).sum();
        evidence.weak_references = transport.weak_references;
        evidence.tcpip_records = transport.port_events;
        if !findings.window.is_open() {
            // A failure can show only where binds were counted.
            evidence.bind_records = findings.sockets.bind_events;
        }
        evidence.tells_compartments = findings.world.ports.compartments.is_told;
        evidence.no_closes = has_no_closes(findings);
        evidence.pool_full_events = pool_full_events(events);
        evidence.weigh_pools(&conclusion.pools, counts);
        evidence
    }

    /// What the headers and the reading of traces say, and the logs beside them. What a trace lost that tells nothing about
    /// sockets or ports is of no account.
    pub(super) fn read(traces: &[TraceFacts], logs: LogsRead) -> Self {
        let other_providers = traces.iter().map(|trace| trace.other_providers).max().unwrap_or(0);
        let mut evidence = Self { traces: traces.len() as u64, other_providers, logs, ..Self::default() };
        for trace in traces.iter().filter(|trace| trace.summary.speaks) {
            let (summary, read) = (&trace.summary, &trace.coverage);
            evidence.afd_records += read.afd_records;
            evidence.bind_records += read.bind_records;
            evidence.records += read.records;
            evidence.buffers_after_loss += read.buffers_after_loss;
            evidence.damaged_places += read.damaged_places;
            evidence.malformed += read.afd_malformed;
            evidence.unknown_phases += read.unknown_phases;
            evidence.displaced += read.displaced;
            evidence.clock_assumed |= trace.clock_assumed;
            evidence.clock_set_back |= trace.clock_set_back;
            let of_ports = read.unknown_versions.iter().filter(|((provider, ..), _)| *provider != KERNEL_PROCESS);
            evidence.unknown_versions += of_ports.map(|(_, records)| records).sum::<u64>();
            evidence.events_lost += u64::from(summary.events_lost);
            evidence.buffers_lost += u64::from(summary.buffers_lost);
            evidence.buffers += summary.buffers;
            evidence.wrapped |= summary.wrapped == Some(true);
            evidence.unclosed |= !summary.closed_cleanly;
        }
        evidence.by_logs = logs.used > 0 && (evidence.bind_records == 0 || logs.failures > 0);
        evidence.afd_records += logs.used;
        evidence.bind_records += logs.binds;
        evidence
    }

    fn weigh_pools(&mut self, pools: &[PoolFinding], counts: &[PortUse]) {
        let near = pools.iter().filter(|pool| pool.state == Some(State::Near));
        self.nearly =
            near.map(nearly).max_by_key(|nearly| u64::from(nearly.used) * 10_000 / u64::from(nearly.usable.max(1)));
        // A script that counts ports in use knows the range, where no listing tells it.
        let of_count = |pool: &PoolFinding, used: u32| {
            let known = counts.iter().filter(|count| pool.range.source == RangeSource::Default && count.in_use == used);
            known.map(|count| count.max).max()
        };
        let listed = pools.iter().filter_map(|pool| {
            let listing = pool.listing?;
            let usable = of_count(pool, listing.used).unwrap_or_else(|| pool.usable());
            Some(Listed { used: listing.used, usable, pool: pool.name(), is_part: listing.is_part })
        });
        self.listed = listed.max_by_key(|listed| u64::from(listed.used) * 10_000 / u64::from(listed.usable.max(1)));
        let worst = speaking_pool(pools).and_then(|index| pools.get(index));
        let refuted = worst.and_then(|pool| Some((pool.refuted?, pool.known?)));
        self.wider = refuted.filter(|(told, _)| told.source == RangeSource::Default).map(|(_, known)| known);
        self.refuted = refuted
            .filter(|(told, _)| told.source != RangeSource::Default)
            .map(|(told, (first, last))| (first, last, told));
        self.held_beyond = worst.filter(|pool| pool.is_held_beyond()).map(|pool| (pool.held.0, pool.range.count));
        self.given_twice = worst.filter(|pool| pool.is_not_understood()).map_or(0, |pool| pool.given_twice);
        let worst = worst.filter(|pool| pool.state == Some(State::Exhausted));
        let served = worst.and_then(|pool| pool.others_served.as_ref());
        self.others_served = served.map(|served| (served.times, served.others as u64));
        let is_counted = |pool: &&PoolFinding| pool.refuted.is_none() && pool.others_served.is_none();
        self.explained_percent = worst.filter(is_counted).map(PoolFinding::explained_percent);
        self.narrower = worst.and_then(|pool| Some((pool.narrower()?, pool.range.source)));
        self.began_after = worst.filter(|pool| pool.was_full_before()).map(|pool| pool.given_before_failure);
    }

    /// The same case without what its full or nearly full pools say: how a pool is judged in which nothing failed.
    pub(super) fn without_failures(&self) -> Self {
        Self {
            bind_failures: 0,
            connect_failures: 0,
            refusals: 0,
            weak_references: 0,
            pool_full_events: (0, 0),
            nearly: None,
            ..self.clone()
        }
    }

    /// Whether something was lost or damaged or may be, so that what a process holds by the trace is less certain.
    pub(super) fn has_gaps(&self) -> bool {
        self.events_lost + self.buffers_lost + self.buffers_after_loss + self.damaged_places > 0
            || self.wrapped
            || self.by_logs
    }

    /// Failures of sockets, bind and connect.
    pub fn failures(&self) -> u64 {
        self.bind_failures + self.connect_failures
    }

    /// What shows exhaustion itself: failures of sockets, and TCP/IP's own word for it.
    pub fn direct(&self) -> u64 {
        self.failures() + self.refusals + self.weak_references
    }

    /// Whether a pool ran out of ports.
    pub fn is_exhausted(&self) -> bool {
        let (tcp, udp) = self.pool_full_events;
        self.direct() + tcp + udp > 0
    }

    /// Whether only one operation failed. AFD and TCP/IP both tell of one refusal.
    pub fn is_single(&self) -> bool {
        self.failures().max(self.refusals) + self.weak_references == 1
    }

    /// Whether enough failures have an owner that is known.
    pub fn is_well_owned(&self) -> bool {
        self.well_owned.saturating_mul(100) >= self.failures().saturating_mul(WELL_OWNED_PERCENT)
    }

    /// Whether as much as a tenth of the trace is missing, so that its counts are a lower bound.
    pub fn losses_are_large(&self) -> bool {
        self.traces > 0 && self.events_lost.saturating_mul(10) > self.records
            || self.buffers_lost.saturating_mul(10) > self.buffers
    }
}

/// Of 100 failures so many must have an owner that is known for high confidence.
const WELL_OWNED_PERCENT: u64 = 95;

fn nearly(pool: &PoolFinding) -> Nearly {
    let usable = pool.usable();
    let (listed, numbered) = pool.listing.map_or((0, 0), |listing| (listing.used, listing.numbered));
    let (short, long) = pool.time_wait_seconds;
    let (by, used) = if is_near(pool.held.0, usable) {
        (NearBy::Trace, pool.held.0)
    } else if is_near(numbered, usable) {
        (NearBy::Listing, listed)
    } else if is_near(listed, usable) {
        (NearBy::Groups, listed)
    } else if is_near(pool.occupied_peak.0, usable) {
        (NearBy::TimeWait(short), pool.occupied_peak.0)
    } else {
        (NearBy::TimeWait(long), pool.occupied_peak.1)
    };
    Nearly { by, used, usable }
}

/// Whether ports were given out and no event tells that any came back: a session with a filter of ids.
pub(super) fn has_no_closes(findings: &Findings) -> bool {
    let ports = &findings.world.ports;
    let given: u64 = ports.pools.iter().map(|pool| pool.binds_ok).sum();
    given > 0 && findings.sockets.close_events == 0 && !ports.transport.tells_releases
}
