//! No confidence below high without its reason on the first screen, whatever the reason.

use super::Report;
use super::text::{self, Layout};
use crate::case::facts::{TraceFacts, TraceSummary};
use crate::diagnosis::codes::{Lowers, ReasonCode};
use crate::diagnosis::state::Confidence;
use crate::diagnosis::{Facts, diagnose};
use crate::event::{EventMeta, NetEvent, Phase, Place, SocketEvent, SocketOperation};
use crate::machine::wire::Wire;
use crate::machine::{Analysis, Findings};
use crate::net::SocketAddress;
use crate::pipeline::LogsRead;
use crate::pipeline::coverage::Coverage;
use crate::providers::afd;
use crate::side::facts::SideFacts;
use crate::status::NtStatus;
use crate::time::FileTime;

const START: i64 = 133_000_000_000_000_000;

/// Sockets, each with one failed bind. Their owner is known from their creation, or from the header of the bind alone.
fn findings(sockets: u64, are_created: bool) -> Findings {
    let mut analysis: Analysis = Analysis::default();
    let mut pos = 0;
    let mut observe = |id, status, endpoint, operation| {
        pos += 0x60;
        let time = FileTime(START + i64::from(pos) * 10_000);
        let place = Place { buffer: 1, offset: 0x1_0000 + u64::from(pos), pos, ..Place::default() };
        let meta = EventMeta { time, header_pid: Some(100), id, place };
        let event =
            SocketEvent { eprocess: 0, endpoint, phase: Phase::Exit, location: None, status: Some(status), operation };
        analysis.observe(&meta, &NetEvent::Socket(event));
    };
    for endpoint in 1..=sockets {
        if are_created {
            let create = SocketOperation::Create { family: 2, socket_type: 1, protocol: 6, pid: 100 };
            observe(1000, NtStatus::SUCCESS, endpoint, create);
        }
        observe(1029, NtStatus::TOO_MANY_ADDRESSES, endpoint, SocketOperation::Bind { address: None });
    }
    analysis.finish()
}

/// The same, with binds of another process between them that are given ports.
fn findings_with_others_served(sockets: u64) -> Findings {
    let mut analysis: Analysis = Analysis::default();
    let mut pos = 0;
    let mut observe = |(id, pid), phase, status, endpoint, operation| {
        pos += 0x60;
        let time = FileTime(START + i64::from(pos) * 10_000);
        let place = Place { buffer: 1, offset: 0x1_0000 + u64::from(pos), pos, ..Place::default() };
        let meta = EventMeta { time, header_pid: Some(pid), id, place };
        let event = SocketEvent { eprocess: 0, endpoint, phase, location: None, status: Some(status), operation };
        analysis.observe(&meta, &NetEvent::Socket(event));
    };
    let bind = |port| SocketOperation::Bind { address: Some(SocketAddress { ip: [0; 4].into(), port }) };
    for endpoint in 1..=sockets {
        let port = 50_000 + u16::try_from(endpoint).unwrap();
        for (pid, status) in [(100, NtStatus::TOO_MANY_ADDRESSES), (200, NtStatus::SUCCESS)] {
            let endpoint = endpoint + u64::from(pid) * 1000;
            let create = SocketOperation::Create { family: 2, socket_type: 1, protocol: 6, pid };
            observe((1000, pid), Phase::Exit, NtStatus::SUCCESS, endpoint, create);
            observe((1030, pid), Phase::Enter, NtStatus::SUCCESS, endpoint, bind(0));
            observe((1030, pid), Phase::Exit, status, endpoint, bind(port));
        }
    }
    analysis.finish()
}

/// A trace in which nothing is wrong.
fn sound() -> TraceFacts {
    let coverage = Coverage { records: 1000, decoded: 1000, afd_records: 40, bind_records: 20, ..Coverage::default() };
    let summary = TraceSummary {
        path: "server.etl".to_owned(),
        bytes: 1 << 20,
        os_build: Some(20348),
        processors: Some(8),
        pointer_size: 8,
        clock: Some("qpc"),
        log_mode: 1,
        boot_time: Some(FileTime(START - 3600 * FileTime::SECOND)),
        started: Some(FileTime(START)),
        ended: Some(FileTime(START + 60 * FileTime::SECOND)),
        buffers: 16,
        buffers_damaged: 0,
        records: 1000,
        events_lost: 0,
        buffers_lost: 0,
        wrapped: Some(false),
        closed_cleanly: true,
        time_zone_bias_minutes: None,
        speaks: true,
    };
    TraceFacts {
        path: summary.path.clone(),
        input: summary.path.clone(),
        summary,
        coverage,
        other_providers: 0,
        clock_assumed: false,
        clock_set_back: false,
        has_header: true,
        is_file: true,
    }
}

/// The facts of a case with this doubt and no other that lowers the confidence.
fn case_of(code: ReasonCode) -> (TraceFacts, Findings, LogsRead) {
    let (mut trace, mut found, mut logs) = (sound(), findings(20, true), LogsRead::default());
    let (summary, coverage) = (&mut trace.summary, &mut trace.coverage);
    match code {
        ReasonCode::EventsLost => summary.events_lost = 5,
        ReasonCode::LossFlags => coverage.buffers_after_loss = 1,
        ReasonCode::Damaged => coverage.damaged_places = 1,
        ReasonCode::MalformedRecords => coverage.afd_malformed = 1,
        ReasonCode::UnknownPhases => coverage.unknown_phases = 1,
        ReasonCode::DisplacedEvents => coverage.displaced = 1,
        ReasonCode::UnknownVersions => _ = coverage.unknown_versions.insert((afd::PROVIDER, 1030, 1), 2),
        ReasonCode::ClockAssumed => trace.clock_assumed = true,
        ReasonCode::ClockSetBack => trace.clock_set_back = true,
        ReasonCode::AfdLog => logs = LogsRead { used: 40, failures: 20, ..logs },
        ReasonCode::Wrapped => summary.wrapped = Some(true),
        ReasonCode::NotClosed => summary.closed_cleanly = false,
        ReasonCode::WeakOwners => found = findings(20, false),
        ReasonCode::SingleFailure => found = findings(1, true),
        ReasonCode::OthersServed => found = findings_with_others_served(20),
        _ => panic!("{code} lowers the confidence, and no case has it alone"),
    }
    (trace, found, logs)
}

fn report((trace, findings, logs): (TraceFacts, Findings, LogsRead)) -> Report {
    let (side, side_inputs, notes) = (SideFacts::default(), Vec::new(), Vec::new());
    Report::new(diagnose(Facts {
        traces: vec![trace],
        findings,
        side,
        side_inputs,
        logs,
        wire: Wire::default(),
        notes,
    }))
}

fn lowering(report: &Report) -> Vec<ReasonCode> {
    let codes = report.verdict.reasons.iter().map(|reason| reason.code);
    codes.filter(|code| code.lowers() != Lowers::Nothing).collect()
}

/// The text report up to its first table, in one line, its words a space apart.
fn first_screen(report: &Report) -> String {
    let mut page = Vec::new();
    text::write(report, Layout { top: 10, ..Layout::default() }, &mut page).unwrap();
    let page = anstream::adapter::strip_str(std::str::from_utf8(&page).unwrap()).to_string();
    let (screen, _) = page.split_once("\nWHO ").unwrap();
    screen.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn each_doubt_that_lowers_the_confidence_is_told_on_the_first_screen() {
    let clean = report((sound(), findings(20, true), LogsRead::default()));
    assert_eq!((clean.verdict.confidence, lowering(&clean)), (Some(Confidence::High), Vec::new()));
    assert!(first_screen(&clean).contains("confidence: high"), "{}", first_screen(&clean));
    for code in ReasonCode::ALL.iter().copied().filter(|code| code.lowers() != Lowers::Nothing) {
        let report = report(case_of(code));
        assert_eq!(lowering(&report), [code]);
        let confidence = match code.lowers() {
            Lowers::ToLow => "confidence: low",
            _ => "confidence: medium",
        };
        let screen = first_screen(&report);
        assert!(screen.contains(confidence), "{code}: {screen}");
        let reason = report.verdict.reasons.iter().find(|reason| reason.code == code).unwrap();
        assert!(screen.contains(&format!("but {}", reason.text)), "{code}: {screen}");
    }
}
