//! From findings to the questions that the analysis answers last: verdict, alternatives, recommendations.

use std::collections::BTreeMap;

use serde::Serialize;

use super::naming::Rows;
use crate::case::SideInput;
use crate::case::facts::TraceFacts;
use crate::diagnosis::advice::{NamedHolder, Situation};
use crate::diagnosis::alternatives::{LogReach, OtherFailures, Symptoms, is_in_use};
use crate::diagnosis::holders::{Conclusion, Pattern, PoolFinding, Subject, excluded_in, is_near};
use crate::diagnosis::verdict::{self, NearBy, Nearly, State};
use crate::machine::Findings;
use crate::machine::pools::{PoolKey, PoolRanges};
use crate::machine::sockets::Operation;
use crate::net::Family;
use crate::net::Protocol;
use crate::side::Kind;
use crate::side::facts::SideFacts;
use crate::status::NtStatus;
use crate::time::FileTime;

/// An entry of an event log.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs)]
pub struct SystemEventRow {
    pub time: FileTime,
    pub provider: String,
    pub id: u32,
    pub source: String,
    pub in_span: bool,
}

/// Ports of a full pool that nothing explains.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs)]
pub struct UnexplainedRow {
    pub pool: usize,
    pub ports: u32,
    pub share_of_pool: f64,
    pub possible: Vec<&'static str>,
}

/// A log without a trace is searched for a day back from its last entry of any kind.
const DAY_100NS: i64 = 86_400 * FileTime::SECOND;

/// Ids of the Tcpip events that say a pool is full: TCP, UDP.
const POOL_FULL: (u32, u32) = (4231, 4266);
/// The one that says a connection's addresses were used again too soon.
const TUPLE_REUSE: u32 = 4227;

fn is_tcpip(provider: &str) -> bool {
    provider.eq_ignore_ascii_case("tcpip")
}

/// The rows of event logs, and whether each lies in the span of the traces.
pub(crate) fn system_events(
    side: &SideFacts,
    side_inputs: &[SideInput],
    span: Option<(FileTime, FileTime)>,
) -> Vec<SystemEventRow> {
    let newest_entry = side.log_spans.iter().map(|(_, newest)| *newest).max();
    let newest = side.system_events.iter().map(|event| event.time).max().max(newest_entry);
    let span = span.or(newest.map(|newest| (FileTime(newest.0.saturating_sub(DAY_100NS)), newest)));
    let mut rows: Vec<SystemEventRow> = side
        .system_events
        .iter()
        .map(|event| SystemEventRow {
            time: event.time,
            provider: event.provider.clone(),
            id: event.id,
            source: side_inputs.get(event.source).map(|side| side.path.clone()).unwrap_or_default(),
            in_span: span.is_some_and(|(first, last)| (first..=last).contains(&event.time)),
        })
        .collect();
    rows.sort_by(|a, b| (a.time, a.id, &a.provider, &a.source).cmp(&(b.time, b.id, &b.provider, &b.source)));
    rows
}

/// Whether a System log goes back to before the traces began, and on from there. Without traces any does.
fn log_reach(logs: &[(FileTime, FileTime)], traces: Option<(FileTime, FileTime)>) -> LogReach {
    let covers =
        |(oldest, newest): &(FileTime, FileTime)| traces.is_none_or(|(start, _)| (*oldest..=*newest).contains(&start));
    if logs.iter().any(covers) { LogReach::Whole } else { LogReach::Elsewhere }
}

/// Start and end of the traces: as their headers say, else from the first event to the last.
pub(crate) fn span(traces: &[TraceFacts], findings: &Findings) -> Option<(FileTime, FileTime)> {
    let start = traces.iter().filter_map(|trace| trace.summary.started).min();
    let end = traces.iter().filter_map(|trace| trace.summary.ended).max();
    match (start, end, findings.span) {
        (Some(start), Some(end), _) if start <= end => Some((start, end)),
        (_, _, span) => span,
    }
}

/// Adds to the verdict's evidence what pools and event logs say.
pub(crate) fn weigh_pools(
    evidence: &mut verdict::Evidence,
    findings: &Findings,
    conclusion: &Conclusion,
    events: &[SystemEventRow],
) {
    let transport = &findings.world.ports.transport;
    evidence.refusals = transport.refusals.iter().map(|refusals| refusals.binds + refusals.connects).sum();
    evidence.weak_references = transport.weak_references;
    evidence.tcpip_records = transport.port_events;
    evidence.pool_full_events = pool_full_events(events);
    let near = conclusion.pools.iter().filter(|pool| pool.state == Some(State::Near));
    evidence.nearly =
        near.map(nearly).max_by_key(|nearly| u64::from(nearly.used) * 10_000 / u64::from(nearly.usable.max(1)));
    let listed = conclusion.pools.iter().filter_map(|pool| Some((pool.listing?.used, pool.usable(), pool.key.name())));
    evidence.listed = listed.max_by_key(|(used, usable, _)| u64::from(*used) * 10_000 / u64::from((*usable).max(1)));
    let worst = worst_pool(&conclusion.pools).and_then(|index| conclusion.pools.get(index));
    evidence.wider = worst.and_then(PoolFinding::wider);
    let worst = worst.filter(|pool| pool.state == Some(State::Exhausted));
    evidence.explained_percent = worst.map(explained_percent);
    evidence.narrower = worst.and_then(PoolFinding::narrower);
    evidence.began_after = worst.is_some_and(PoolFinding::was_full_before);
}

fn explained_percent(pool: &PoolFinding) -> u32 {
    let percent = u64::from(pool.explained) * 100 / u64::from(pool.range.count.max(1));
    u32::try_from(percent).unwrap_or(100)
}

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

/// How often the System log says that all TCP and all UDP ports were in use, inside the span of the traces.
pub(crate) fn pool_full_events(events: &[SystemEventRow]) -> (u64, u64) {
    let full = |id: u32| {
        let is_it = |event: &&SystemEventRow| event.in_span && is_tcpip(&event.provider) && event.id == id;
        events.iter().filter(is_it).count() as u64
    };
    (full(POOL_FULL.0), full(POOL_FULL.1))
}

/// The System log tells the protocol that ran out of ports, and not the family: of its pools, the one with most in use was
/// full, unless one is known to have been.
pub(crate) fn fill_by_event_log(conclusion: &mut Conclusion, (tcp, udp): (u64, u64)) {
    for (count, protocol) in [(tcp, Protocol::Tcp), (udp, Protocol::Udp)] {
        let pools = || conclusion.pools.iter().enumerate().filter(|(_, pool)| pool.key.protocol == Some(protocol));
        let is_known = pools().any(|(_, pool)| pool.state == Some(State::Exhausted));
        // The first of equals.
        let fullest = pools().rev().max_by_key(|(_, pool)| pool.occupied_peak.1).map(|(index, _)| index);
        if let Some(pool) = fullest.filter(|_| count > 0 && !is_known).and_then(|index| conclusion.pools.get_mut(index))
        {
            pool.state = Some(State::Exhausted);
        }
    }
}

/// Whether the ports of the holders of a pool add up to clearly more than it has: what is listed is then of another time
/// than the trace.
pub(crate) fn is_over_counted(conclusion: &Conclusion, pool: usize) -> bool {
    let held: u64 =
        conclusion.holders.iter().filter(|holder| holder.pool == pool).map(|row| u64::from(row.ports)).sum();
    conclusion.pools.get(pool).is_some_and(|pool| held * 20 > u64::from(pool.range.count) * 21)
}

/// The pool that speaks for the case, if one was full or nearly so: a full one first, then the one with most failures.
pub(crate) fn worst_pool(pools: &[PoolFinding]) -> Option<usize> {
    let rank = |pool: &PoolFinding| {
        let is_full = pool.state == Some(State::Exhausted);
        // A pool whose protocol was not seen speaks only where no other does.
        let is_known = pool.key.protocol.is_some() && pool.key.family.is_some();
        (is_full, is_known, pool.failures.0 + pool.failures.1 + pool.refused.0 + pool.refused.1, pool.occupied_peak.1)
    };
    let pools = pools.iter().enumerate().filter(|(_, pool)| pool.state.is_some());
    // The first of equals: `max_by_key` would give the last.
    pools.rev().max_by_key(|(_, pool)| rank(pool)).map(|(index, _)| index)
}

/// What nothing explains of the pools that were full, and where it may be.
pub(crate) fn unexplained(
    findings: &Findings,
    conclusion: &Conclusion,
    side: &SideFacts,
    side_inputs: &[SideInput],
    began_after: bool,
) -> Option<Vec<UnexplainedRow>> {
    let rows: Vec<UnexplainedRow> = conclusion
        .pools
        .iter()
        .enumerate()
        .filter_map(|(index, pool)| {
            let ports = pool.unexplained()?;
            let mut possible = Vec::new();
            if ports > 0 {
                let transport = &findings.world.ports.transport;
                if takes_both(conclusion, pool, ports) {
                    possible.push(DUAL_STACK);
                }
                if side.listings.is_empty() {
                    if began_after || transport.rundown_connections == 0 {
                        possible.push("bound_before_capture");
                    }
                    possible.push("kernel");
                }
                if pool.hides_bound() {
                    possible.push("bound_not_listed");
                }
                possible.push("ended_processes");
                if !has_excluded(side_inputs) {
                    possible.push("excluded_ranges");
                }
                if pool.time_wait.1 > pool.time_wait.0 {
                    possible.push("longer_time_wait");
                }
                if !side.listings.is_empty() {
                    possible.push("kernel");
                }
            }
            let share = share(ports, pool.range.count);
            Some(UnexplainedRow { pool: index, ports, share_of_pool: share, possible })
        })
        .collect();
    (!rows.is_empty()).then_some(rows)
}

/// Sockets of IPv6 may take the port of IPv4 too.
const DUAL_STACK: &str = "dual_stack";

/// Whether sockets of IPv6 may be what takes at least half of the unexplained ports of IPv4: no event tells which of them are
/// of both families, and many libraries open all of theirs so.
fn takes_both(conclusion: &Conclusion, pool: &PoolFinding, unexplained: u32) -> bool {
    let of_ipv6 = PoolKey { family: Some(Family::Ipv6), ..pool.key };
    let held = conclusion.pools.iter().filter(|other| other.key == of_ipv6).map(|other| other.held.0).max();
    pool.key.family == Some(Family::Ipv4) && held.is_some_and(|held| u64::from(held) * 2 >= u64::from(unexplained))
}

/// A listing of excluded ranges is there; it may say that there are none.
fn has_excluded(side_inputs: &[SideInput]) -> bool {
    side_inputs.iter().any(|side| side.used && side.kind == Kind::ExcludedPorts.name())
}

/// A part of a pool, from 0 to 1.
pub(crate) fn share(ports: u32, count: u32) -> f64 {
    (f64::from(ports) / f64::from(count.max(1))).min(1.0)
}

/// What other causes are looked for in.
#[expect(clippy::too_many_arguments, reason = "each is of another source")]
pub(crate) fn symptoms(
    findings: &Findings,
    conclusion: &Conclusion,
    rows: &Rows,
    side: &SideFacts,
    side_inputs: &[SideInput],
    traces: &[TraceFacts],
    events: &[SystemEventRow],
    has_event_log: bool,
) -> Symptoms {
    let of = |matches: &dyn Fn(NtStatus) -> bool| other_failures(findings, rows, matches);
    let excluded = has_excluded(side_inputs).then(|| {
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
    let reuse = |event: &&SystemEventRow| is_tcpip(&event.provider) && event.id == TUPLE_REUSE && event.in_span;
    let uptime = |trace: &TraceFacts| {
        let end = trace.summary.ended.or(trace.summary.started)?;
        trace.summary.boot_time.map(|boot| end.since(boot))
    };
    Symptoms {
        bind_records: traces.iter().map(|trace| trace.coverage.bind_records).sum(),
        in_use: of(&is_in_use),
        denied: of(&|status| status == NtStatus::ACCESS_DENIED),
        no_memory: of(&|status| status == NtStatus::INSUFFICIENT_RESOURCES),
        excluded,
        log_reach: if has_event_log { log_reach(&side.log_spans, span(traces, findings)) } else { LogReach::None },
        tuple_reuse_events: events.iter().filter(reuse).count() as u64,
        os_build: traces.iter().find_map(|trace| trace.summary.os_build),
        uptime_100ns: traces.iter().filter_map(uptime).max(),
    }
}

fn other_failures(findings: &Findings, rows: &Rows, matches: &dyn Fn(NtStatus) -> bool) -> OtherFailures {
    let by_status = findings.sockets.by_status.iter();
    let count = by_status
        .filter(|((operation, status), _)| *operation == Operation::Bind && matches(*status))
        .map(|(_, count)| count)
        .sum();
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
    OtherFailures {
        count,
        port: top.map(|(port, _)| *port),
        on_port: top.map_or(0, |(_, count)| *count),
        by: owner.and_then(|(subject, _)| rows.label(*subject)),
    }
}

/// What recommendations are drawn from.
#[expect(clippy::too_many_arguments, reason = "each is of another source")]
pub(crate) fn situation<'a>(
    state: State,
    conclusion: &'a Conclusion,
    rows: &'a Rows,
    side: &'a SideFacts,
    side_inputs: &[SideInput],
    traces: &'a [TraceFacts],
    has_event_log: bool,
    unexplained: Option<&Vec<UnexplainedRow>>,
) -> Situation<'a> {
    let matters = |pool: usize| conclusion.pools.get(pool).is_some_and(|pool| pool.state.is_some());
    let holders = conclusion
        .holders
        .iter()
        .filter(|holder| matters(holder.pool) || holder.pattern == Some(Pattern::Reservation))
        .filter_map(|holder| {
            let row = rows.rows.get(*rows.index.get(&holder.subject)?)?;
            Some(NamedHolder {
                holder,
                label: rows.label(holder.subject).unwrap_or_else(|| "a process that nothing tells".to_owned()),
                image: row.image.as_deref().unwrap_or("").to_lowercase(),
                pid: row.pid,
                services: &row.services,
            })
        })
        .collect();
    Situation {
        state,
        inputs: traces.iter().filter(|trace| trace.is_file).map(|trace| trace.input.as_str()).collect(),
        bind_records: traces.iter().map(|trace| trace.coverage.bind_records).sum(),
        pools: &conclusion.pools,
        holders,
        excluded: &side.excluded_ports,
        has_listing: !side.listings.is_empty(),
        has_excluded: has_excluded(side_inputs),
        has_event_log,
        unexplained_share: unexplained_share(conclusion, unexplained),
    }
}

/// The largest part of a full pool that nothing explains. Where a pool is known, those whose protocol or family is not known
/// do not count: their ports are those of one that is.
fn unexplained_share(conclusion: &Conclusion, unexplained: Option<&Vec<UnexplainedRow>>) -> f64 {
    let is_known = |row: &&UnexplainedRow| {
        conclusion.pools.get(row.pool).is_some_and(|pool| pool.key.protocol.is_some() && pool.key.family.is_some())
    };
    let rows = unexplained.map_or(&[][..], Vec::as_slice);
    // Where sockets of IPv6 may be it, the kernel need not be searched.
    let is_open = |row: &&UnexplainedRow| !row.possible.contains(&DUAL_STACK);
    let largest = |known: bool| {
        let shares = rows.iter().filter(is_open).filter(|row| is_known(row) == known).map(|row| row.share_of_pool);
        shares.reduce(f64::max)
    };
    largest(true).or_else(|| largest(false)).unwrap_or(0.0)
}
