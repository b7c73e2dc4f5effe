//! A diagnosis laid out as the rows of a report: nothing is decided here.

use std::collections::BTreeMap;

use etl_parser::Guid;

use super::{
    AddressRow, CountedSpan, CoverageSummary, DynamicRow, ExcludedRow, FirstFailure, HolderRow, ImageRow, OtherPool,
    OutageHolderRow, OutageRow, PoolRow, RangeRow, Report, SCHEMA_VERSION, StepHolderRow, TimelineStep, Tool, TrendRow,
    UnknownVersionRow, UserRow, Verdict,
};
use crate::case::facts::TraceFacts;
use crate::diagnosis::Diagnosis;
use crate::diagnosis::beside::Beside;
use crate::diagnosis::forecast::StepLevel;
use crate::diagnosis::images::ImageOutcome;
use crate::diagnosis::listings::{Listed, Trend};
use crate::diagnosis::outages::{OutageHolder, OutageOutcome};
use crate::diagnosis::outcome::{HolderOutcome, PoolOutcome};
use crate::machine::sockets::SocketTable;
use crate::machine::timeline::Steps;
use crate::machine::window::Window;
use crate::providers;
use crate::side::facts::{SideFacts, TcpState};
use crate::time::Zone;

impl Report {
    /// Lays out what a diagnosis says.
    pub fn new(diagnosis: Diagnosis) -> Self {
        let (first_failure, last_failure) = diagnosis.failure_span;
        Self {
            schema_version: SCHEMA_VERSION,
            tool: Tool { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") },
            verdict: Verdict {
                state: diagnosis.judgement.state,
                confidence: diagnosis.judgement.confidence,
                pool: diagnosis.pool,
                reasons: diagnosis.judgement.reasons,
                first_failure,
                last_failure,
                suspect: diagnosis.suspect,
                other_pools: diagnosis.others.into_iter().map(|(pool, suspect)| OtherPool { pool, suspect }).collect(),
                room_made: diagnosis.room_made,
                closes_older: diagnosis.closes_older,
                filling_again: diagnosis.filling_again,
                assurances: diagnosis.assurances,
            },
            counted: counted_span(diagnosis.findings.window),
            pools: diagnosis.pools.iter().map(pool_row).collect(),
            failures: diagnosis.failures,
            processes: diagnosis.processes,
            victims: diagnosis.victims,
            sufferers: diagnosis.sufferers,
            has_names: diagnosis.has_names,
            holders: diagnosis.holders.iter().zip(&diagnosis.beside.holders).map(holder_row).collect(),
            images: diagnosis.images.iter().zip(&diagnosis.beside.images).map(image_row).collect(),
            unexplained: diagnosis.unexplained,
            timeline: timeline(&diagnosis.timeline, &diagnosis.levels),
            pools_over_time: diagnosis.over_time.pools,
            failures_over_time: diagnosis.over_time.failures,
            finely: diagnosis.finely,
            listings_over_time: diagnosis.listed_over_time,
            outages: diagnosis.outages.iter().map(outage_row).collect(),
            addresses: address_rows(&diagnosis.findings.sockets),
            trends: diagnosis.trends.into_iter().map(trend_row).collect(),
            procedure: diagnosis.procedure,
            destinations: diagnosis.destinations,
            address_use: diagnosis.address_use,
            system_events: diagnosis.system_events,
            side_inputs: diagnosis.side_inputs,
            dynamic_ports: dynamic_rows(&diagnosis.side),
            excluded_ports: excluded_rows(&diagnosis.side),
            ruled_out: diagnosis.alternatives,
            recommendations: diagnosis.recommendations,
            known: diagnosis.known,
            evidence: first_failure_row(&diagnosis.findings.sockets),
            coverage: coverage(&diagnosis.traces, diagnosis.notes),
            is_said_by_log_alone: diagnosis.is_said_by_log_alone,
            outages_apart: diagnosis.outages_apart,
            most_handles: diagnosis.most_handles,
            outside: diagnosis.outside,
            mostly_excluded: diagnosis.mostly_excluded,
            zone: Zone::UTC,
            traces: diagnosis.traces.into_iter().map(|trace| trace.summary).collect(),
        }
    }
}

fn counted_span(window: Window) -> Option<CountedSpan> {
    (!window.is_open()).then_some(CountedSpan { since: window.since, until: window.until })
}

fn pool_row(pool: &PoolOutcome) -> PoolRow {
    let PoolOutcome { finding, state, is_of_interest, known_by, forecast, failing_alone, left_at_end } = pool;
    PoolRow {
        protocol: finding.key.protocol,
        family: finding.key.family,
        compartment: finding.compartment,
        local_address: finding.local_address.map(|address| address.to_string()),
        start: finding.range.start,
        count: finding.range.count,
        source: finding.range.source,
        held_peak: finding.held.0,
        held_end: finding.held.1,
        time_wait_estimate: finding.time_wait.0,
        time_wait_estimate_long: finding.time_wait.1,
        time_wait_seconds: finding.time_wait_seconds,
        set_aside: finding.set_aside,
        occupied_peak: finding.occupied_peak.1,
        explained: finding.explained,
        bind_failures: finding.failures.0,
        connect_failures: finding.failures.1,
        tcpip_refusals: finding.refused.0 + finding.refused.1,
        given: finding.given,
        state: *state,
        moment: finding.moment,
        refuted: finding.refuted.map(|told| RangeRow { start: told.start, count: told.count, source: told.source }),
        wider: finding.wider(),
        is_narrowed: finding.is_narrowed(),
        failed_once: finding.failed_once(),
        is_of_interest: *is_of_interest,
        known_by: *known_by,
        listed_time_wait: finding.listed_time_wait,
        listed_with_room: finding.listed_with_room(),
        most_listed_waiting: finding.most_listed_waiting,
        failing_alone: failing_alone.clone(),
        left_at_end: *left_at_end,
        forecast: *forecast,
    }
}

fn holder_row((outcome, beside): (&HolderOutcome, &Beside)) -> HolderRow {
    let HolderOutcome { holder, process, share_of_pool, look, began, users } = outcome;
    let of_ports = holder.listed.filter(Listed::is_of_ports);
    HolderRow {
        process: *process,
        ports: holder.ports,
        share_of_pool: *share_of_pool,
        pool: holder.pool,
        evidence: holder.evidence,
        confidence: holder.confidence,
        pattern: holder.pattern,
        time_wait: holder.time_wait,
        closed_older: holder.closed_older,
        gives_back_older: holder.gives_back_older(),
        obtained: holder.turnover.0,
        released: holder.turnover.1,
        growth_per_minute: holder.per_minute.map(rounded),
        ended: holder.ended,
        close_wait: holder.close_wait.max(of_ports.map_or(0, |listed| listed.close_wait)),
        listed: of_ports,
        look: *look,
        began: *began,
        waits_since_its_end: holder.waits_since_its_end,
        at_rest: holder.at_rest,
        grew_in_listings: holder.grew_in_listings,
        beside: *beside,
        ports_later: holder.ports_later,
        used_by: users
            .iter()
            .map(|(process, operations)| UserRow { process: *process, operations: *operations })
            .collect(),
    }
}

/// With one decimal.
fn rounded(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

fn timeline(timeline: &Steps, levels: &[StepLevel]) -> Vec<TimelineStep> {
    let steps = timeline.steps.iter().enumerate().map(|(index, step)| TimelineStep {
        start: timeline.start_of(index),
        seconds: timeline.seconds(),
        binds_ok: step.binds_ok,
        bind_failures: step.bind_failures,
        connect_failures: step.connect_failures,
        closes: step.closes,
        ports_held: step.ports_held(),
        occupied: levels.get(index).map(|level| level.occupied),
        by_holder: levels.get(index).map(by_holder).unwrap_or_default(),
    });
    steps.collect()
}

fn by_holder(level: &StepLevel) -> Vec<StepHolderRow> {
    level.by_holder.iter().map(|(process, ports)| StepHolderRow { process: *process, ports: *ports }).collect()
}

fn image_row((image, beside): (&ImageOutcome, &Beside)) -> ImageRow {
    ImageRow {
        image: image.image.clone(),
        services: image.services.clone(),
        processes: image.holders.len() as u64,
        ports: image.ports,
        share_of_pool: image.share_of_pool,
        pool: image.pool,
        bind_failures: image.bind_failures,
        pattern: image.pattern,
        time_wait: image.time_wait,
        holders: image.holders.clone(),
        beside: *beside,
    }
}

fn outage_row(outage: &OutageOutcome) -> OutageRow {
    let holder = |holder: &OutageHolder| OutageHolderRow {
        process: holder.process,
        ports: holder.ports,
        share_of_pool: holder.share_of_pool,
    };
    OutageRow {
        pool: outage.pool,
        first: outage.first,
        last: outage.last,
        failures: outage.failures,
        lasts: outage.lasts,
        holders: outage.holders.iter().map(holder).collect(),
    }
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

fn trend_row((trend, process): (Trend, Option<usize>)) -> TrendRow {
    TrendRow {
        source: trend.source,
        pid: trend.pid,
        process,
        protocol: trend.protocol,
        state: trend.state.as_ref().map(|state| TcpState::name(state).to_owned()),
        samples: trend.samples,
        first: trend.first,
        last: trend.last,
        peak: trend.peak,
        per_minute: trend.per_minute.map(|rate| (rate * 100.0).round() / 100.0),
    }
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

fn first_failure_row(sockets: &SocketTable) -> Option<FirstFailure> {
    sockets.first_failure.map(|failure| {
        let place = failure.meta.place;
        // What the place of a record says holds for no entry of a log.
        let in_trace = place.entry.is_none().then_some(place);
        FirstFailure {
            trace: in_trace.map(|place| usize::from(place.trace)),
            log: place.entry.map(|entry| entry.source),
            log_record: place.entry.map(|entry| entry.record),
            buffer: in_trace.map(|place| place.buffer),
            offset: in_trace.map(|place| place.offset),
            position_in_buffer: in_trace.map(|place| place.pos),
            cpu: in_trace.map(|place| place.cpu),
            event_id: failure.meta.id,
            event_name: providers::afd::event_name(failure.meta.id),
            operation: failure.operation.name(),
            endpoint: format!("0x{:X}", failure.endpoint),
            time: failure.meta.time,
        }
    })
}

fn coverage(traces: &[TraceFacts], notes: Vec<String>) -> CoverageSummary {
    let mut coverage = CoverageSummary { notes, ..CoverageSummary::default() };
    let mut unknown: BTreeMap<(Guid, u16, u8), u64> = BTreeMap::new();
    for TraceFacts { summary, coverage: read, .. } in traces {
        coverage.records_decoded += read.decoded;
        coverage.records_skipped += read.skipped;
        coverage.records_unknown += read.unknown;
        coverage.records_malformed += read.malformed;
        coverage.bytes_skipped += read.bytes_skipped;
        coverage.buffers += summary.buffers;
        coverage.buffers_damaged += summary.buffers_damaged;
        coverage.records += summary.records;
        for (version, records) in &read.unknown_versions {
            *unknown.entry(*version).or_insert(0) += records;
        }
    }
    let row = |((provider, id, version), records): ((Guid, u16, u8), u64)| {
        let name = providers::names::provider_name(provider).map(str::to_owned);
        UnknownVersionRow { provider: name.unwrap_or_else(|| provider.to_string()), id, version, records }
    };
    coverage.unknown_versions = unknown.into_iter().map(row).collect();
    coverage
}
