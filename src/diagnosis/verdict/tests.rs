use super::*;
use crate::diagnosis::evidence::{Listed, Nearly};
use crate::diagnosis::foreign::Foreign;
use crate::machine::ranges::{PoolRange, RangeSource};
use crate::machine::wire::Wire;
use crate::pipeline::LogsRead;
use crate::words::{counted, grouped};

fn clean() -> VerdictEvidence {
    VerdictEvidence {
        traces: 1,
        bind_failures: 20,
        connect_failures: 0,
        well_owned: 20,
        refusals: 0,
        weak_references: 0,
        pool_full_events: (0, 0),
        nearly: None,
        listed: None,
        began_after: None,
        others_served: None,
        tcpip_records: 7,
        explained_percent: None,
        held_beyond: None,
        given_twice: 0,
        tells_compartments: false,
        no_closes: false,
        foreign_listings: Foreign::default(),
        refuted: None,
        narrower: None,
        wider: None,
        afd_records: 200,
        bind_records: 100,
        records: 300,
        other_providers: 1,
        events_lost: 0,
        buffers_lost: 0,
        buffers: 10,
        buffers_after_loss: 0,
        damaged_places: 0,
        malformed: 0,
        unknown_phases: 0,
        displaced: 0,
        clock_assumed: false,
        wrapped: false,
        unclosed: false,
        clock_set_back: false,
        unknown_versions: 0,
        logs: LogsRead::default(),
        by_logs: false,
        wire: Wire::default(),
    }
}

fn option(start: u16, count: u32) -> PoolRange {
    PoolRange { start, count, source: RangeSource::Option }
}

fn verdict(evidence: VerdictEvidence) -> (State, Option<Confidence>, Vec<&'static str>) {
    let verdict = judge(&evidence);
    (verdict.state, verdict.confidence, verdict.reasons.iter().map(|reason| reason.code.as_str()).collect())
}

#[test]
fn failures_in_a_clean_trace_are_certain() {
    assert_eq!(verdict(clean()), (State::Exhausted, Some(Confidence::High), vec!["bind_failures"]));
}

#[test]
fn weak_owners_losses_and_wrapping_lower_the_confidence() {
    let medium = Some(Confidence::Medium);
    assert_eq!(verdict(VerdictEvidence { well_owned: 19, ..clean() }).1, Some(Confidence::High), "95 of 100");
    assert_eq!(verdict(VerdictEvidence { well_owned: 18, ..clean() }).1, medium);
    assert_eq!(verdict(VerdictEvidence { events_lost: 5, ..clean() }).1, medium);
    assert_eq!(verdict(VerdictEvidence { wrapped: true, ..clean() }).1, medium);
    assert_eq!(verdict(VerdictEvidence { damaged_places: 1, ..clean() }).1, medium);
    assert_eq!(verdict(VerdictEvidence { unclosed: true, ..clean() }).1, medium);
}

#[test]
fn one_failure_or_large_losses_are_weak_evidence() {
    let single = VerdictEvidence { bind_failures: 1, well_owned: 1, ..clean() };
    assert_eq!(verdict(single), (State::Exhausted, Some(Confidence::Low), vec!["bind_failures", "single_failure"]));
    let told_twice = VerdictEvidence { bind_failures: 1, well_owned: 1, refusals: 1, ..clean() };
    assert_eq!(verdict(told_twice).1, Some(Confidence::Low), "by AFD and by TCP/IP");
    assert_eq!(verdict(VerdictEvidence { events_lost: 31, ..clean() }).1, Some(Confidence::Low));
    assert_eq!(verdict(VerdictEvidence { buffers_lost: 2, ..clean() }).1, Some(Confidence::Low));
}

#[test]
fn nothing_seen_needs_bind_events_and_no_losses() {
    let none = VerdictEvidence { bind_failures: 0, well_owned: 0, ..clean() };
    assert_eq!(verdict(none.clone()), (State::NotSeen, Some(Confidence::High), vec!["no_failures"]));
    assert_eq!(verdict(VerdictEvidence { wrapped: true, ..none.clone() }).1, Some(Confidence::Medium));
    let lossy = verdict(VerdictEvidence { events_lost: 1, ..none.clone() });
    assert_eq!(lossy, (State::CannotTell, None, vec!["no_failures", "events_lost"]));
    assert_eq!(verdict(VerdictEvidence { damaged_places: 1, ..none.clone() }).0, State::CannotTell);
    assert_eq!(verdict(VerdictEvidence { unknown_phases: 1, ..none.clone() }).0, State::CannotTell);
    assert_eq!(verdict(VerdictEvidence { displaced: 1, ..none.clone() }).1, Some(Confidence::Medium));
    let blind = verdict(VerdictEvidence { bind_records: 0, afd_records: 0, ..none.clone() });
    assert_eq!(blind, (State::CannotTell, None, vec!["no_afd_events"]));
    assert_eq!(verdict(VerdictEvidence { bind_records: 0, ..none }).2, vec!["no_bind_events"]);
}

#[test]
fn what_the_transport_or_the_system_log_says_is_enough() {
    let none = VerdictEvidence { bind_failures: 0, well_owned: 0, ..clean() };
    let refused = verdict(VerdictEvidence { refusals: 9, ..none.clone() });
    assert_eq!(refused, (State::Exhausted, Some(Confidence::High), vec!["tcpip_refusals"]));
    let weak = verdict(VerdictEvidence { weak_references: 2, ..none.clone() });
    assert_eq!(weak, (State::Exhausted, Some(Confidence::High), vec!["weak_references"]));
    let logged = verdict(VerdictEvidence { traces: 0, bind_records: 0, pool_full_events: (3, 0), ..none });
    assert_eq!(logged, (State::Exhausted, Some(Confidence::Low), vec!["pool_full_events", "no_trace"]));
}

#[test]
fn a_pool_nearly_full_is_told_by_what_shows_it() {
    let none = VerdictEvidence { bind_failures: 0, well_owned: 0, ..clean() };
    let near = |by| VerdictEvidence { nearly: Some(Nearly { by, used: 14_000, usable: 16_384 }), ..none.clone() };
    let held = verdict(near(NearBy::Trace));
    assert_eq!(held, (State::Near, Some(Confidence::High), vec!["pool_nearly_full", "no_failures"]));
    assert_eq!(verdict(VerdictEvidence { events_lost: 1, ..near(NearBy::Trace) }).1, Some(Confidence::Medium));
    assert_eq!(verdict(near(NearBy::Listing)).1, Some(Confidence::Medium));
    assert_eq!(verdict(near(NearBy::Groups)).1, Some(Confidence::Low));
    assert_eq!(verdict(near(NearBy::TimeWait(240))).1, Some(Confidence::Low));
    let exhausted = VerdictEvidence { nearly: near(NearBy::Trace).nearly, ..clean() };
    assert_eq!(verdict(exhausted).0, State::Exhausted);
}

#[test]
fn doubts_about_holders_do_not_touch_the_verdict() {
    let doubts = VerdictEvidence { began_after: Some(0), explained_percent: Some(12), tcpip_records: 0, ..clean() };
    let want = vec!["bind_failures", "began_after", "unexplained_ports", "no_tcpip_events"];
    assert_eq!(verdict(doubts), (State::Exhausted, Some(Confidence::High), want));
    assert_eq!(verdict(VerdictEvidence { explained_percent: Some(70), ..clean() }).2, vec!["bind_failures"]);
}

#[test]
fn numbers_are_grouped_and_nouns_agree() {
    assert_eq!(counted(1, "bind"), "1 bind");
    assert_eq!(counted(1_234_567, "bind"), "1,234,567 binds");
    assert_eq!(grouped(999), "999");
}

#[test]
fn every_code_has_its_rule_and_only_one_has_two() {
    for code in ReasonCode::ALL {
        let rules = RULES.iter().filter(|rule| rule.code == *code).count();
        assert_eq!(rules, if *code == ReasonCode::PoolFullEvents { 2 } else { 1 }, "{code}");
    }
}

/// Evidence in which each rule applies, and the sentence of that rule.
fn cases() -> Vec<(VerdictEvidence, ReasonCode, &'static str)> {
    let none = VerdictEvidence { bind_failures: 0, well_owned: 0, ..clean() };
    let near = |by| VerdictEvidence { nearly: Some(Nearly { by, used: 14_000, usable: 16_384 }), ..none.clone() };
    let blind = VerdictEvidence { bind_records: 0, ..none.clone() };
    use ReasonCode as Code;
    vec![
        (clean(), Code::BindFailures, "20 binds failed with STATUS_TOO_MANY_ADDRESSES (0xC0000209)"),
        (
            VerdictEvidence { connect_failures: 1, ..clean() },
            Code::ConnectFailures,
            "1 connect failed with STATUS_TOO_MANY_ADDRESSES (0xC0000209)",
        ),
        (
            VerdictEvidence { refusals: 9, ..clean() },
            Code::TcpipRefusals,
            "TCP/IP refused 9 requests for a port with STATUS_TOO_MANY_ADDRESSES (TCPIP 1006, 1050, 1394)",
        ),
        (
            VerdictEvidence { weak_references: 2, ..clean() },
            Code::WeakReferences,
            "TCP/IP gave 2 ports twice, because none was free (TCPIP 1195)",
        ),
        (
            VerdictEvidence { pool_full_events: (3, 0), ..clean() },
            Code::PoolFullEvents,
            "the System log says 3 times that all TCP ports were in use (Tcpip 4231)",
        ),
        (
            VerdictEvidence { pool_full_events: (0, 1), ..clean() },
            Code::PoolFullEvents,
            "the System log says 1 time that all UDP ports were in use (Tcpip 4266)",
        ),
        (near(NearBy::Trace), Code::PoolNearlyFull, "14,000 of 16,384 ports were held at one moment"),
        (near(NearBy::Listing), Code::ListingNearlyFull, "a listing shows 14,000 of 16,384 ports in use"),
        (
            near(NearBy::Groups),
            Code::ListingNearlyFull,
            "a listing shows 14,000 sockets for 16,384 ports; it does not show the port of each, and some may belong to a server",
        ),
        (
            near(NearBy::TimeWait(240)),
            Code::TimeWaitNearlyFull,
            "14,000 of 16,384 ports were held or, by estimate, in TIME_WAIT at one moment, if TIME_WAIT lasts 240 s",
        ),
        (
            VerdictEvidence {
                listed: Some(Listed { used: 900, usable: 16_384, pool: "TCP over IPv4".to_owned(), is_part: false }),
                ..none.clone()
            },
            Code::ListingUsage,
            "a listing shows 900 of 16,384 ports in use, TCP over IPv4",
        ),
        (none.clone(), Code::NoFailures, "no bind failed with STATUS_TOO_MANY_ADDRESSES (0xC0000209)"),
        (VerdictEvidence { traces: 0, ..none }, Code::NoTrace, "no trace was given, only listings and logs"),
        (
            VerdictEvidence { afd_records: 0, ..blind.clone() },
            Code::NoAfdEvents,
            "the trace holds no Winsock-AFD event (1 other provider in it)",
        ),
        (blind, Code::NoBindEvents, "the trace holds 200 Winsock-AFD events, and no bind among them"),
        (VerdictEvidence { events_lost: 5, ..clean() }, Code::EventsLost, "the session lost 5 events and 0 buffers"),
        (
            VerdictEvidence { buffers_after_loss: 1, ..clean() },
            Code::LossFlags,
            "the flags of 1 buffer say that events were lost before",
        ),
        (VerdictEvidence { damaged_places: 2, ..clean() }, Code::Damaged, "2 damaged or cut places could not be read"),
        (
            VerdictEvidence { malformed: 1, ..clean() },
            Code::MalformedRecords,
            "1 record of Winsock-AFD shorter than its layout",
        ),
        (
            VerdictEvidence { unknown_phases: 1, ..clean() },
            Code::UnknownPhases,
            "not counted: 1 Winsock-AFD event with an EnterExit value that no source describes",
        ),
        (
            VerdictEvidence { displaced: 4, ..clean() },
            Code::DisplacedEvents,
            "the time stamps of 4 events are wrong, so the order of events is uncertain there",
        ),
        (
            VerdictEvidence { clock_assumed: true, ..clean() },
            Code::ClockAssumed,
            "the header does not say how the clock counts, so times are estimates",
        ),
        (
            VerdictEvidence { unknown_versions: 2, ..clean() },
            Code::UnknownVersions,
            "not read: 2 events about sockets or ports, of versions that nothing describes",
        ),
        (
            VerdictEvidence { clock_set_back: true, ..clean() },
            Code::ClockSetBack,
            "the system clock was set back while the trace was taken: times and rates are uncertain",
        ),
        (
            VerdictEvidence { by_logs: true, logs: LogsRead { used: 300, ..LogsRead::default() }, ..clean() },
            Code::AfdLog,
            "the report takes 300 events from the log of the Winsock-AFD channel, which may have overwritten its beginning",
        ),
        (VerdictEvidence { wrapped: true, ..clean() }, Code::Wrapped, "the circular log overwrote its beginning"),
        (
            VerdictEvidence { unclosed: true, ..clean() },
            Code::NotClosed,
            "the session did not close the log, so its count of lost events is not final",
        ),
        (
            VerdictEvidence { well_owned: 18, ..clean() },
            Code::WeakOwners,
            "the owner of 2 of 20 failures is known only from a record header, or not at all",
        ),
        (
            VerdictEvidence { bind_failures: 1, well_owned: 1, ..clean() },
            Code::SingleFailure,
            "only one operation failed",
        ),
        (
            VerdictEvidence { others_served: Some((290, 4)), ..clean() },
            Code::OthersServed,
            "290 ports of the pool were given to 4 other processes while these requests failed, so it was not full for all: a container, a local address or a limit of its own may be behind it",
        ),
        (
            VerdictEvidence { began_after: Some(0), ..clean() },
            Code::BeganAfter,
            "the pool was already full when the capture began, so the trace cannot show who took the ports",
        ),
        (
            VerdictEvidence { began_after: Some(84), ..clean() },
            Code::BeganAfter,
            "the pool was nearly full (84 binds were given a port before the first failure) when the capture began, so the trace cannot show who took the ports",
        ),
        (
            VerdictEvidence { explained_percent: Some(69), ..clean() },
            Code::UnexplainedPorts,
            "only 69 % of the full pool is explained, so a holder is missing here",
        ),
        (
            VerdictEvidence { narrower: Some(((50_000, 50_254), RangeSource::Default)), ..clean() },
            Code::NarrowerPool,
            "all ports that were given out lie in 50000 to 50254, and nearly all of these are in use, so the pool may be no larger: give a dynamicport listing, or --pool 50000:255",
        ),
        (
            VerdictEvidence { wider: Some((1025, 60_000)), ..clean() },
            Code::WiderPool,
            "ports from 1025 to 60000 were given out, so the pool is larger than assumed: give a dynamicport listing",
        ),
        (
            VerdictEvidence { refuted: Some((1025, 5000, option(49_152, 16_384))), ..clean() },
            Code::RangeRefuted,
            "ports from 1025 to 5000 are in use, and --pool says 49152 to 65535: it was mistyped, or is the range of another pool, and nothing is counted against it",
        ),
        (
            VerdictEvidence { no_closes: true, ..clean() },
            Code::NoCloseEvents,
            "the trace holds no close or cleanup event at all, so what is still held is not known, and no process is called a leak",
        ),
        (
            VerdictEvidence { held_beyond: Some((2_000, 1_000)), ..clean() },
            Code::HeldBeyondPool,
            "2,000 ports seem to be held of 1,000: there may be several network compartments (containers), which the events of Winsock-AFD do not distinguish, or the trace lacks closes",
        ),
        (
            VerdictEvidence { given_twice: 40, tells_compartments: true, ..clean() },
            Code::HeldBeyondPool,
            "40 ports were given out while sockets seemed to hold them: the trace lacks closes, or a part of it is not understood",
        ),
        (
            VerdictEvidence { foreign_listings: Foreign { listings: 2, of_other_time: 2 }, ..clean() },
            Code::ForeignListing,
            "2 listings contradict the trace and must be from another time: not counted",
        ),
        (
            VerdictEvidence { foreign_listings: Foreign { listings: 1, of_other_time: 0 }, ..clean() },
            Code::ForeignListing,
            "1 listing contradicts the trace and must be from another machine or time: not counted",
        ),
        (
            VerdictEvidence { wire: Wire { requests: 1_200, unanswered: 10, ..Wire::default() }, ..clean() },
            Code::PacketsUnanswered,
            "packets: 10 of 1,200 requests (SYN) had no answer",
        ),
        (
            VerdictEvidence { wire: Wire { requests: 1_200, refused: 10, ..Wire::default() }, ..clean() },
            Code::PacketsRefused,
            "packets: 10 of 1,200 requests (SYN) were refused (RST)",
        ),
        (
            VerdictEvidence { wire: Wire { too_soon: 1, ..Wire::default() }, ..clean() },
            Code::PacketsTooSoon,
            "packets: 1 connection between the same ends as one that had ended less than four minutes before (Tcpip 4227 warns of that)",
        ),
        (
            VerdictEvidence {
                wire: Wire { busiest: Some(([10, 0, 0, 5].into(), 1_001)), ..Wire::default() },
                ..clean()
            },
            Code::PacketsRate,
            "packets: 10.0.0.5 asked for 1,001 connections in a minute",
        ),
        (
            VerdictEvidence { tcpip_records: 0, ..clean() },
            Code::NoTcpipEvents,
            "TCPIP events were not captured, so only Winsock's sockets show what is held",
        ),
    ]
}

#[test]
fn each_rule_applies_where_its_evidence_is_there_and_does_what_its_code_says() {
    let mut met = std::collections::BTreeSet::new();
    for (evidence, code, sentence) in cases() {
        let judgement = judge(&evidence);
        let told: Vec<&str> =
            judgement.reasons.iter().filter(|reason| reason.code == code).map(|reason| reason.text.as_str()).collect();
        assert_eq!(told, [sentence], "{code}");
        let lowered = code != ReasonCode::PoolFullEvents && evidence.direct() > 0;
        let confidence = match code.lowers() {
            Lowers::Nothing => Confidence::High,
            Lowers::ToMedium => Confidence::Medium,
            Lowers::ToLow => Confidence::Low,
        };
        assert!(!lowered || judgement.confidence == Some(confidence), "{code}: {judgement:?}");
        // Nothing else is said of a clean case but its failures.
        let others = judgement.reasons.iter().filter(|reason| reason.code != code);
        assert!(code == ReasonCode::BindFailures || !others.clone().any(|reason| reason.code.is_doubt()), "{code}");
        met.insert(code);
    }
    assert_eq!(met.into_iter().collect::<Vec<_>>(), ReasonCode::ALL, "every code is met");
}

#[test]
fn no_doubt_that_lowers_the_confidence_is_missing_on_the_first_screen() {
    for code in ReasonCode::ALL {
        assert!(code.lowers() == Lowers::Nothing || (code.is_doubt() && code.on_first_screen()), "{code}");
        assert!(!code.hides_failures() || code.lowers() == Lowers::ToMedium, "{code}");
    }
}
