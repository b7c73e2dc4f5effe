//! From findings to a report: names joined, rows sorted, notes written.

use super::{
    AddressRow, CoverageSummary, DynamicRow, Evidence, ExcludedRow, Failures, HolderRow, OutageRow, PoolRow, Report,
    SCHEMA_VERSION, StatusRow, TimelineStep, Tool, TraceFacts, TrendRow, Verdict,
};
use crate::case::SideInput;
use crate::diagnosis::advice::{is_dns_pool, recommend};
use crate::diagnosis::alternatives::alternatives;
use crate::diagnosis::glue;
use crate::diagnosis::holders::{Conclusion, Evidence as HolderEvidence, Subject, conclude, last_of_pid};
use crate::diagnosis::listings::trends;
use crate::diagnosis::naming::{Rows, rows};
use crate::diagnosis::verdict::{self, Confidence, State, judge};
use crate::machine::Findings;
use crate::machine::sockets::SocketTable;
use crate::machine::transport::Transport;
use crate::providers;
use crate::side::facts::{SideFacts, TcpState};
use crate::words::counted;

/// Everything that a report is built from.
#[derive(Debug)]
pub struct Facts {
    /// Traces, in the order in which they were named.
    pub traces: Vec<TraceFacts>,
    /// What the events amounted to.
    pub findings: Findings,
    /// What side files told.
    pub side: SideFacts,
    /// Side files.
    pub side_inputs: Vec<SideInput>,
    /// Notes about inputs.
    pub notes: Vec<String>,
}

impl Report {
    /// Builds the report.
    pub fn new(facts: Facts) -> Self {
        let Facts { traces, mut findings, side, side_inputs, notes } = facts;
        let mut all_notes = notes;
        let mut evidence = weigh_traces(&traces);
        let lossy =
            evidence.events_lost + evidence.buffers_lost + evidence.buffers_after_loss + evidence.damaged_places > 0
                || evidence.wrapped;
        let span = glue::span(&traces, &findings);
        let system_events = glue::system_events(&side, &side_inputs, (!traces.is_empty()).then_some(span).flatten());
        let mut conclusion = conclude(&findings, &side, lossy);
        glue::fill_by_event_log(&mut conclusion, glue::pool_full_events(&system_events));
        let mut rows = rows(&findings, &side, &conclusion);
        for trace in &traces {
            all_notes.extend(trace.notes());
        }
        all_notes.extend(rows.notes.iter().cloned());
        all_notes.extend(notes_of(&findings));
        all_notes.extend(notes_of_side(&side, &conclusion));
        rows.set_rates(findings.span);
        for row in &rows.rows {
            evidence.bind_failures += row.bind_failures;
            evidence.connect_failures += row.connect_failures;
            evidence.well_owned += row.owner_source.created_socket + row.owner_source.eprocess;
        }
        glue::weigh_pools(&mut evidence, &findings, &conclusion, &system_events);
        let judged = judge(&evidence);
        let has_event_log = side_inputs.iter().any(|side| side.used && side.kind == "evtx");
        let symptoms =
            glue::symptoms(&findings, &conclusion, &rows, &side, &side_inputs, &traces, &system_events, has_event_log);
        let unexplained = glue::unexplained(&findings, &conclusion, &side, &side_inputs, evidence.began_after);
        let situation = glue::situation(
            judged.state,
            &conclusion,
            &rows,
            &side,
            &side_inputs,
            &traces,
            has_event_log,
            unexplained.as_ref(),
        );
        let recommendations = recommend(&situation);
        let victims =
            rows.rows.iter().enumerate().filter(|(_, row)| row.bind_failures > 0).map(|(index, _)| index).collect();
        let timeline = std::mem::take(&mut findings.world.ports.timeline).finish();
        let steps = timeline.steps.iter().enumerate().map(|(index, step)| TimelineStep {
            start: step_start(timeline.start, timeline.seconds, index),
            seconds: timeline.seconds,
            binds_ok: step.binds_ok,
            bind_failures: step.bind_failures,
            connect_failures: step.connect_failures,
            closes: step.closes,
            ports_held: step.ports_held(),
        });
        let outages = timeline.outages.iter().map(|outage| OutageRow {
            first: outage.first,
            last: outage.last,
            failures: outage.failures,
        });
        let transport = &findings.world.ports.transport;
        let tcpip_span = transport.refusal_span.filter(|_| evidence.refusals > 0);
        let first_failure = rows.rows.iter().filter_map(|row| row.first_failure).min();
        let last_failure = rows.rows.iter().filter_map(|row| row.last_failure).max();
        let trends = trend_rows(&findings, &side, &rows);
        let procedure = crate::diagnosis::procedure::rows(&findings, &side, &rows);
        Self {
            schema_version: SCHEMA_VERSION,
            tool: Tool { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") },
            verdict: Verdict {
                state: judged.state,
                confidence: judged.confidence,
                pool: glue::worst_pool(&conclusion.pools),
                reasons: judged.reasons,
                first_failure: first_failure.or(tcpip_span.map(|(first, _)| first)),
                last_failure: last_failure.or(tcpip_span.map(|(_, last)| last)),
            },
            pools: pool_rows(&conclusion, judged.state, &evidence),
            failures: failures(&findings.sockets, transport, &evidence),
            victims,
            holders: holder_rows(&conclusion, &rows),
            unexplained,
            timeline: steps.collect(),
            outages: outages.collect(),
            addresses: address_rows(&findings.sockets),
            trends,
            procedure,
            system_events,
            side_inputs,
            ruled_out: alternatives(&symptoms),
            dynamic_ports: dynamic_rows(&side),
            excluded_ports: excluded_rows(&side),
            recommendations,
            evidence: first_failure_evidence(&findings.sockets),
            coverage: coverage_summary(&traces, all_notes),
            processes: rows.rows,
            traces: traces.into_iter().map(|trace| trace.summary).collect(),
        }
    }
}

fn step_start(start: crate::time::FileTime, seconds: i64, index: usize) -> crate::time::FileTime {
    let steps = i64::try_from(index).unwrap_or(i64::MAX);
    let offset = seconds.saturating_mul(steps).saturating_mul(crate::time::FileTime::SECOND);
    crate::time::FileTime(start.0.saturating_add(offset))
}

fn weigh_traces(traces: &[TraceFacts]) -> verdict::Evidence {
    let mut evidence = verdict::Evidence { traces: traces.len() as u64, ..verdict::Evidence::default() };
    for trace in traces {
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
        evidence.other_providers = evidence.other_providers.max(trace.other_providers);
        evidence.events_lost += u64::from(summary.events_lost);
        evidence.buffers_lost += u64::from(summary.buffers_lost);
        evidence.buffers += summary.buffers;
        evidence.wrapped |= summary.wrapped == Some(true);
        evidence.unclosed |= !summary.closed_cleanly;
    }
    evidence
}

fn coverage_summary(traces: &[TraceFacts], notes: Vec<String>) -> CoverageSummary {
    let mut coverage = CoverageSummary { notes, ..CoverageSummary::default() };
    for TraceFacts { coverage: read, .. } in traces {
        coverage.records_decoded += read.decoded;
        coverage.records_skipped += read.skipped;
        coverage.records_unknown += read.unknown;
        coverage.records_malformed += read.malformed;
        coverage.bytes_skipped += read.bytes_skipped;
    }
    coverage
}

/// Sentences about side files that contradict each other, or the trace.
fn notes_of_side(side: &SideFacts, conclusion: &Conclusion) -> Vec<String> {
    let mut notes = Vec::new();
    let ranges = dynamic_rows(side);
    let differ = |pair: &[DynamicRow]| match pair {
        [one, two] => (one.protocol, one.family) == (two.protocol, two.family),
        _ => false,
    };
    if ranges.windows(2).any(differ) {
        notes.push(
            "listings of the dynamic ports differ for the same protocol and family: the last by name is used"
                .to_owned(),
        );
    }
    for (index, pool) in conclusion.pools.iter().enumerate() {
        if glue::is_over_counted(conclusion, index) {
            let name = pool.key.name();
            notes.push(format!(
                "the holders of {name} add up to more than the pool: a listing is of another time than the trace"
            ));
        }
    }
    notes
}

/// Sentences about what was not counted, or counted by assumption.
fn notes_of(findings: &Findings) -> Vec<String> {
    let mut notes = Vec::new();
    let ports = &findings.world.ports;
    let used_by_other = findings.sockets.used_by_other_process;
    if used_by_other > 0 {
        notes.push(format!(
            "{} on sockets that another process than their creator was using: counted for the creator",
            counted(used_by_other, "failure")
        ));
    }
    if ports.destinations.not_counted > 0 {
        let count = counted(ports.destinations.not_counted, "connect");
        notes.push(format!("{count} to further destinations: too many to count each"));
    }
    if ports.conflicts.not_counted > 0 {
        let count = counted(ports.conflicts.not_counted, "failed bind");
        notes.push(format!("{count} on further ports: too many to count each"));
    }
    if findings.sockets.statuses_not_counted > 0 {
        let count = counted(findings.sockets.statuses_not_counted, "failed operation");
        notes.push(format!("{count} with further statuses: too many to list each"));
    }
    if findings.sockets.overflowed {
        notes
            .push("more sockets or local addresses at once than are followed: ports held are a lower bound".to_owned());
    }
    if findings.world.processes.overflowed {
        notes.push("more processes than are told apart: what further ones did counts for nobody known".to_owned());
    }
    if ports.transport.overflowed {
        notes.push("more TCPIP endpoints at once than are followed: what TCP/IP holds is a lower bound".to_owned());
    }
    if let Some(stated) = ports.transport.timed_wait_delay {
        let (short, long) = ports.pools.first().map_or((0, 0), |pool| pool.time_wait.seconds());
        notes.push(match crate::machine::time_wait::stated_length_100ns(stated) {
            Some(_) => format!("TIME_WAIT lasts {short} s (TCPIP 1110 says {stated})"),
            None => {
                format!("TCPIP 1110 states a TIME_WAIT of {stated}, in no known unit: {short} s and {long} s are used")
            }
        });
    }
    notes
}

fn failures(sockets: &SocketTable, transport: &Transport, evidence: &verdict::Evidence) -> Failures {
    let by_status = sockets.by_status.iter().map(|(&(operation, status), &count)| StatusRow {
        status,
        name: status.name(),
        operation: operation.name(),
        count,
    });
    Failures {
        binds: evidence.bind_failures,
        connects: evidence.connect_failures,
        other_low_word: sockets.other_low_word,
        endpoints: sockets.failed_sockets,
        tcpip_refusals: evidence.refusals,
        weak_references: transport.weak_references,
        by_status: by_status.collect(),
    }
}

/// A pool in which nothing failed, nor ran nearly full, is judged as the case would be without the others.
fn pool_rows(conclusion: &Conclusion, case: State, evidence: &verdict::Evidence) -> Vec<PoolRow> {
    let quiet = verdict::Evidence {
        bind_failures: 0,
        connect_failures: 0,
        refusals: 0,
        weak_references: 0,
        pool_full_events: (0, 0),
        nearly: None,
        ..evidence.clone()
    };
    let otherwise = match case {
        State::NotSeen | State::CannotTell => case,
        State::Exhausted | State::Near => judge(&quiet).state,
    };
    let rows = conclusion.pools.iter().map(|pool| PoolRow {
        protocol: pool.key.protocol,
        family: pool.key.family,
        local_address: pool.local_address.map(|address| address.to_string()),
        start: pool.range.start,
        count: pool.range.count,
        source: pool.range.source,
        held_peak: pool.held.0,
        held_end: pool.held.1,
        time_wait_estimate: pool.time_wait.0,
        time_wait_estimate_long: pool.time_wait.1,
        time_wait_seconds: pool.time_wait_seconds,
        set_aside: pool.set_aside,
        occupied_peak: pool.occupied_peak.1,
        explained: pool.explained,
        bind_failures: pool.failures.0,
        connect_failures: pool.failures.1,
        tcpip_refusals: pool.refused.0 + pool.refused.1,
        given: pool.given,
        state: pool.state.unwrap_or(otherwise),
        moment: pool.moment,
    });
    rows.collect()
}

fn holder_rows(conclusion: &Conclusion, rows: &Rows) -> Vec<HolderRow> {
    let holders = conclusion.holders.iter().filter_map(|holder| {
        let pool = conclusion.pools.get(holder.pool)?;
        let process = *rows.index.get(&holder.subject)?;
        let image = rows.rows.get(process).and_then(|row| row.image.as_deref()).unwrap_or("");
        let is_normal = is_dns_pool(image, pool, holder.ports);
        Some(HolderRow {
            process,
            ports: holder.ports,
            share_of_pool: glue::share(holder.ports, pool.range.count),
            pool: holder.pool,
            evidence: holder.evidence,
            confidence: if holder.evidence == HolderEvidence::A && glue::is_over_counted(conclusion, holder.pool) {
                Confidence::Medium
            } else {
                holder.confidence
            },
            pattern: holder.pattern.filter(|_| !is_normal),
            time_wait: holder.time_wait,
            obtained: holder.turnover.0,
            released: holder.turnover.1,
            growth_per_minute: holder.per_minute.map(rounded),
        })
    });
    holders.collect()
}

/// With one decimal.
fn rounded(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

fn address_rows(sockets: &SocketTable) -> Vec<AddressRow> {
    let counted = sockets.addresses.iter().filter(|(_, tally)| tally.bind_failures + tally.ports_held > 0);
    counted
        .map(|(key, tally)| AddressRow {
            family: key.family,
            local_address: key.local_address.map(|address| address.to_string()),
            protocol: key.protocol,
            bind_failures: tally.bind_failures,
            ports_held: tally.ports_held,
        })
        .collect()
}

fn trend_rows(findings: &Findings, side: &SideFacts, rows: &Rows) -> Vec<TrendRow> {
    let last_of_pid = last_of_pid(findings.world.processes.processes());
    let subject = |pid: u32| last_of_pid.get(&pid).map_or(Subject::Listed(pid), |index| Subject::Process(*index));
    let trends = trends(&side.listings).into_iter().map(|trend| TrendRow {
        source: trend.source,
        pid: trend.pid,
        process: trend.pid.and_then(|pid| rows.index.get(&subject(pid)).copied()),
        protocol: trend.protocol,
        state: trend.state.as_ref().map(|state| TcpState::name(state).to_owned()),
        samples: trend.samples,
        first: trend.first,
        last: trend.last,
        peak: trend.peak,
        per_minute: trend.per_minute.map(rounded),
    });
    trends.collect()
}

fn dynamic_rows(side: &SideFacts) -> Vec<DynamicRow> {
    let rows = side.dynamic_ports.iter().map(|ports| DynamicRow {
        protocol: ports.protocol,
        family: ports.family,
        start: ports.start,
        count: ports.count,
    });
    let mut rows: Vec<DynamicRow> = rows.collect();
    rows.sort_by_key(|row| (row.protocol, row.family, row.start, row.count));
    rows.dedup();
    rows
}

fn excluded_rows(side: &SideFacts) -> Vec<ExcludedRow> {
    let rows = side.excluded_ports.iter().map(|ports| ExcludedRow {
        protocol: ports.protocol,
        family: ports.family,
        start: ports.start,
        end: ports.end,
        administered: ports.administered,
    });
    let mut rows: Vec<ExcludedRow> = rows.collect();
    rows.sort_by_key(|row| (row.protocol, row.family, row.start, row.end));
    rows.dedup();
    rows
}

fn first_failure_evidence(sockets: &SocketTable) -> Option<Evidence> {
    sockets.first_failure.map(|failure| Evidence {
        trace: usize::from(failure.meta.place.trace),
        buffer: Some(failure.meta.place.buffer),
        offset: Some(failure.meta.place.offset),
        position_in_buffer: Some(failure.meta.place.pos),
        cpu: failure.meta.place.cpu,
        event_id: failure.meta.id,
        event_name: providers::afd::event_name(failure.meta.id),
        operation: failure.operation.name(),
        endpoint: format!("0x{:X}", failure.endpoint),
        time: failure.meta.time,
    })
}
