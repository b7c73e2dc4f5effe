//! What other causes are looked for in.

use std::collections::BTreeMap;

use crate::case::facts::TraceFacts;
use crate::diagnosis::grounds::Grounds;
use crate::diagnosis::holders::{Subject, excluded_in};
use crate::diagnosis::naming::Rows;
use crate::diagnosis::pools::PoolFinding;
use crate::diagnosis::system_events::{LogReach, log_reach, tuple_reuse_events};
use crate::machine::Findings;
use crate::machine::pool_key::PoolKey;
use crate::machine::ranges::PoolRanges;
use crate::machine::sockets::Operation;
use crate::status::NtStatus;

/// Failures with one status: how many, and the port and process of most of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OtherFailures {
    /// How many.
    pub count: u64,
    /// The port of most.
    pub port: Option<u16>,
    /// How many on that port.
    pub on_port: u64,
    /// Who had most, as people are told.
    pub by: Option<String>,
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
    /// Binds that failed for want of memory (0xC000009A).
    pub no_memory: OtherFailures,
    /// Ports of the pools that are excluded, where a listing tells.
    pub excluded: Option<u32>,
    /// How far event logs reach.
    pub log_reach: LogReach,
    /// Tcpip 4227 in it.
    pub tuple_reuse_events: u64,
    /// Windows build.
    pub os_build: Option<u32>,
    /// From boot to the end of the trace, in 100 ns.
    pub uptime_100ns: Option<i64>,
}

impl Symptoms {
    /// Gathers them.
    pub(in crate::diagnosis) fn gather(grounds: &Grounds<'_>) -> Self {
        let Grounds { findings, conclusion, rows, side, traces, .. } = *grounds;
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
            bind_records: traces.iter().map(|trace| trace.coverage.bind_records).sum(),
            in_use: of(&is_in_use),
            denied: of(&|status| status == NtStatus::ACCESS_DENIED),
            no_memory: of(&|status| status == NtStatus::INSUFFICIENT_RESOURCES),
            excluded,
            log_reach: if grounds.has_event_log() {
                log_reach(&side.log_spans, grounds.span())
            } else {
                LogReach::None
            },
            tuple_reuse_events: tuple_reuse_events(grounds.events),
            os_build: traces.iter().find_map(|trace| trace.summary.os_build),
            uptime_100ns: traces.iter().filter_map(uptime).max(),
        }
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

/// Statuses of a conflict over a port in use.
fn is_in_use(status: NtStatus) -> bool {
    matches!(status, NtStatus::ADDRESS_ALREADY_EXISTS | NtStatus::SHARING_VIOLATION)
}
