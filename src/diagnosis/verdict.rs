//! Is it port exhaustion, and how sure is that.

use serde::Serialize;

use crate::words::{counted, grouped};

/// The verdict's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// At least one bind or connect failed for want of a local port.
    Exhausted,
    /// None did, and 80 % or more of a pool was in use at some moment.
    Near,
    /// AFD bind events are there, none failed for that reason, and nothing was lost that could hide one.
    NotSeen,
    /// Everything else.
    CannotTell,
}

/// How far to trust the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// Direct evidence, nothing lost or damaged, owners known from socket creation or EPROCESS.
    High,
    /// Direct evidence with losses, damage, a wrapped log, or weaker owners.
    Medium,
    /// Indirect evidence only, a single failure, or losses so large that counts are a lower bound.
    Low,
}

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

/// Why the verdict is what it is: a stable code, and a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// Stable, listed in `src/report/SCHEMA.md`.
    pub code: &'static str,
    /// For people.
    pub text: String,
}

impl Reason {
    /// Whether it lowers the trust in the verdict, and is not the evidence for it.
    pub fn is_doubt(&self) -> bool {
        !matches!(
            self.code,
            "bind_failures"
                | "connect_failures"
                | "tcpip_refusals"
                | "weak_references"
                | "pool_full_events"
                | "pool_nearly_full"
                | "listing_nearly_full"
                | "time_wait_nearly_full"
                | "listing_usage"
                | "no_failures"
                | "no_afd_events"
                | "no_bind_events"
                | "no_trace"
        )
    }
}

/// What the verdict is drawn from.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    /// Traces read.
    pub traces: u64,
    /// Bind failures 0xC0000209.
    pub bind_failures: u64,
    /// Connect failures 0xC0000209.
    pub connect_failures: u64,
    /// Of both, those whose owner is known from socket creation or EPROCESS.
    pub well_owned: u64,
    /// Binds and connects that TCP/IP itself says it refused for want of a port (1006, 1050, 1394).
    pub refusals: u64,
    /// Ports that TCP/IP gave twice, because none was free (1195).
    pub weak_references: u64,
    /// Tcpip 4231 (TCP) and 4266 (UDP) in event logs, inside the span of the traces.
    pub pool_full_events: (u64, u64),
    /// The pool that was most nearly full.
    pub nearly: Option<Nearly>,
    /// Most that a listing shows of a pool: ports in use, ports that can be given out, and the pool's name.
    pub listed: Option<(u32, u32, String)>,
    /// The pool was full when the trace began.
    pub began_after: bool,
    /// Port, bind and connection events of TCPIP.
    pub tcpip_records: u64,
    /// Of the pool that was full, so many of 100 ports are explained; `None` without such a pool.
    pub explained_percent: Option<u32>,
    /// The part of a full pool in which all ports lie that were given out, nearly all of them in use.
    pub narrower: Option<(u16, u16)>,
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
}

/// The verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The state.
    pub state: State,
    /// How far to trust it; `None` where the trace cannot tell.
    pub confidence: Option<Confidence>,
    /// Why, most important first.
    pub reasons: Vec<Reason>,
}

/// Of 100 failures so many must have an owner known from socket creation or EPROCESS for high confidence.
const WELL_OWNED_PERCENT: u64 = 95;

/// Of 100 ports of a full pool so many must be explained, or holders are missing.
pub const EXPLAINED_PERCENT: u32 = 70;

/// Draws the verdict.
pub fn judge(evidence: &Evidence) -> Verdict {
    let failures = evidence.bind_failures + evidence.connect_failures;
    let direct = failures + evidence.refusals + evidence.weak_references;
    // AFD and TCP/IP both tell of one refusal.
    let is_single = failures.max(evidence.refusals) + evidence.weak_references == 1;
    let (tcp_full, udp_full) = evidence.pool_full_events;
    let is_exhausted = direct + tcp_full + udp_full > 0;
    let mut reasons = Vec::new();
    let mut reason = |code, text: String| reasons.push(Reason { code, text });
    if evidence.bind_failures > 0 {
        let count = counted(evidence.bind_failures, "bind");
        reason("bind_failures", format!("{count} failed with STATUS_TOO_MANY_ADDRESSES (0xC0000209)"));
    }
    if evidence.connect_failures > 0 {
        let count = counted(evidence.connect_failures, "connect");
        reason("connect_failures", format!("{count} failed with STATUS_TOO_MANY_ADDRESSES (0xC0000209)"));
    }
    if evidence.refusals > 0 {
        let count = counted(evidence.refusals, "request");
        reason(
            "tcpip_refusals",
            format!("TCP/IP refused {count} for a port with STATUS_TOO_MANY_ADDRESSES (TCPIP 1006, 1050, 1394)"),
        );
    }
    if evidence.weak_references > 0 {
        let count = counted(evidence.weak_references, "port");
        reason("weak_references", format!("TCP/IP gave {count} twice, because none was free (TCPIP 1195)"));
    }
    for (count, protocol, id) in [(tcp_full, "TCP", 4231), (udp_full, "UDP", 4266)] {
        if count > 0 {
            let count = counted(count, "time");
            reason(
                "pool_full_events",
                format!("the System log says {count} that all {protocol} ports were in use (Tcpip {id})"),
            );
        }
    }
    if let Some(Nearly { by, used, usable }) = evidence.nearly.filter(|_| !is_exhausted) {
        let (used, usable) = (grouped(used.into()), grouped(usable.into()));
        match by {
            NearBy::Trace => reason("pool_nearly_full", format!("{used} of {usable} ports were held at one moment")),
            NearBy::Listing => {
                reason("listing_nearly_full", format!("a listing shows {used} of {usable} ports in use"));
            }
            NearBy::Groups => reason(
                "listing_nearly_full",
                format!(
                    "a listing shows {used} sockets for {usable} ports; it does not tell the ports of all, and some may be a server's"
                ),
            ),
            NearBy::TimeWait(seconds) => reason(
                "time_wait_nearly_full",
                format!(
                    "{used} of {usable} ports were held or, by estimate, in TIME_WAIT at one moment, if that lasts {seconds} s"
                ),
            ),
        }
    }
    if let Some((used, usable, pool)) = evidence.listed.as_ref().filter(|_| !is_exhausted && evidence.nearly.is_none())
    {
        let (used, usable) = (grouped((*used).into()), grouped((*usable).into()));
        reason("listing_usage", format!("a listing shows {used} of {usable} ports in use, {pool}"));
    }
    if !is_exhausted && evidence.bind_records > 0 {
        reason("no_failures", "no bind failed with STATUS_TOO_MANY_ADDRESSES (0xC0000209)".to_owned());
    }
    if evidence.traces == 0 {
        reason("no_trace", "there is no trace, only side files".to_owned());
    } else if evidence.bind_records == 0 && direct == 0 {
        if evidence.afd_records == 0 {
            let others = match evidence.other_providers {
                0 => "no other provider either".to_owned(),
                count => format!("{} in it", counted(count, "other provider")),
            };
            reason("no_afd_events", format!("the trace holds no Winsock-AFD event ({others})"));
        } else {
            let events = counted(evidence.afd_records, "Winsock-AFD event");
            reason("no_bind_events", format!("the trace holds {events}, and no bind among them"));
        }
    }
    if evidence.events_lost > 0 || evidence.buffers_lost > 0 {
        let (events, buffers) = (counted(evidence.events_lost, "event"), counted(evidence.buffers_lost, "buffer"));
        reason("events_lost", format!("the session lost {events} and {buffers}"));
    }
    if evidence.buffers_after_loss > 0 {
        let count = counted(evidence.buffers_after_loss, "buffer");
        reason("loss_flags", format!("the flags of {count} say that events were lost before"));
    }
    if evidence.damaged_places > 0 {
        let count = counted(evidence.damaged_places, "damaged or cut place");
        reason("damaged", format!("{count} could not be read"));
    }
    if evidence.malformed > 0 {
        let count = counted(evidence.malformed, "record");
        reason("malformed_records", format!("{count} of Winsock-AFD with less than the header promises"));
    }
    if evidence.unknown_phases > 0 {
        let count = counted(evidence.unknown_phases, "Winsock-AFD event");
        reason("unknown_phases", format!("{count} with an EnterExit that no source names are not counted"));
    }
    if evidence.displaced > 0 {
        let count = counted(evidence.displaced, "event");
        reason(
            "displaced_events",
            format!("the time stamps of {count} are wrong: what happened before what is uncertain there"),
        );
    }
    if evidence.clock_assumed {
        reason("clock_assumed", "the header does not tell how the clock counts: times are a guess".to_owned());
    }
    if evidence.wrapped {
        reason("wrapped", "the circular log has overwritten its beginning".to_owned());
    }
    if evidence.unclosed {
        reason("not_closed", "the log was not closed by its session: its own count of losses is not final".to_owned());
    }
    if failures > 0 && !is_well_owned(evidence) {
        let weak = failures - evidence.well_owned;
        reason(
            "weak_owners",
            format!("the owner of {weak} of {failures} failures is known from a record header or not at all"),
        );
    }
    if is_single {
        reason("single_failure", "there is one failure only".to_owned());
    }
    if evidence.began_after {
        reason(
            "began_after",
            "the trouble was there when the capture began: who took the ports is not in it".to_owned(),
        );
    }
    if let Some(percent) = evidence.explained_percent.filter(|percent| *percent < EXPLAINED_PERCENT) {
        reason(
            "unexplained_ports",
            format!("only {percent} % of the full pool is explained: a holder is not in sight"),
        );
    }
    if let Some((first, last)) = evidence.narrower {
        let count = u32::from(last - first) + 1;
        reason(
            "narrower_pool",
            format!(
                "all ports given out lie in {first} to {last}, nearly all of them in use: the pool may be no larger; give a dynamicport listing, or --pool {first}:{count}"
            ),
        );
    }
    if let Some((first, last)) = evidence.wider {
        reason(
            "wider_pool",
            format!(
                "ports from {first} to {last} were given out: the pool is larger than it is taken to be; give a dynamicport listing"
            ),
        );
    }
    if is_exhausted && evidence.traces > 0 && evidence.tcpip_records == 0 {
        reason(
            "no_tcpip_events",
            "TCPIP events were not captured: what is held is known from Winsock's sockets alone".to_owned(),
        );
    }
    let lossless = evidence.events_lost == 0
        && evidence.buffers_lost == 0
        && evidence.buffers_after_loss == 0
        && evidence.damaged_places == 0
        && evidence.malformed == 0
        && evidence.unknown_phases == 0;
    let doubtful = evidence.wrapped || evidence.unclosed || evidence.displaced > 0 || evidence.clock_assumed;
    let whole = lossless && !doubtful;
    let (state, confidence) = if is_exhausted {
        let confidence = if direct == 0 || is_single || losses_are_large(evidence) {
            Confidence::Low
        } else if whole && direct > 0 && is_well_owned(evidence) {
            Confidence::High
        } else {
            Confidence::Medium
        };
        (State::Exhausted, Some(confidence))
    } else if let Some(nearly) = evidence.nearly {
        let confidence = match nearly.by {
            NearBy::Trace if whole => Confidence::High,
            NearBy::Trace | NearBy::Listing => Confidence::Medium,
            NearBy::Groups | NearBy::TimeWait(_) => Confidence::Low,
        };
        (State::Near, Some(confidence))
    } else if evidence.bind_records > 0 && lossless {
        (State::NotSeen, Some(if whole { Confidence::High } else { Confidence::Medium }))
    } else {
        (State::CannotTell, None)
    };
    Verdict { state, confidence, reasons }
}

fn is_well_owned(evidence: &Evidence) -> bool {
    let failures = evidence.bind_failures + evidence.connect_failures;
    evidence.well_owned.saturating_mul(100) >= failures.saturating_mul(WELL_OWNED_PERCENT)
}

/// Whether as much as a tenth of the trace is missing, so that its counts are a lower bound.
fn losses_are_large(evidence: &Evidence) -> bool {
    evidence.traces > 0 && evidence.events_lost.saturating_mul(10) > evidence.records
        || evidence.buffers_lost.saturating_mul(10) > evidence.buffers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clean() -> Evidence {
        Evidence {
            traces: 1,
            bind_failures: 20,
            connect_failures: 0,
            well_owned: 20,
            refusals: 0,
            weak_references: 0,
            pool_full_events: (0, 0),
            nearly: None,
            listed: None,
            began_after: false,
            tcpip_records: 7,
            explained_percent: None,
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
        }
    }

    fn verdict(evidence: Evidence) -> (State, Option<Confidence>, Vec<&'static str>) {
        let verdict = judge(&evidence);
        (verdict.state, verdict.confidence, verdict.reasons.iter().map(|reason| reason.code).collect())
    }

    #[test]
    fn failures_in_a_clean_trace_are_certain() {
        assert_eq!(verdict(clean()), (State::Exhausted, Some(Confidence::High), vec!["bind_failures"]));
    }

    #[test]
    fn weak_owners_losses_and_wrapping_lower_the_confidence() {
        let medium = Some(Confidence::Medium);
        assert_eq!(verdict(Evidence { well_owned: 19, ..clean() }).1, Some(Confidence::High), "95 of 100");
        assert_eq!(verdict(Evidence { well_owned: 18, ..clean() }).1, medium);
        assert_eq!(verdict(Evidence { events_lost: 5, ..clean() }).1, medium);
        assert_eq!(verdict(Evidence { wrapped: true, ..clean() }).1, medium);
        assert_eq!(verdict(Evidence { damaged_places: 1, ..clean() }).1, medium);
        assert_eq!(verdict(Evidence { unclosed: true, ..clean() }).1, medium);
    }

    #[test]
    fn one_failure_or_large_losses_are_weak_evidence() {
        let single = Evidence { bind_failures: 1, well_owned: 1, ..clean() };
        assert_eq!(verdict(single), (State::Exhausted, Some(Confidence::Low), vec!["bind_failures", "single_failure"]));
        let told_twice = Evidence { bind_failures: 1, well_owned: 1, refusals: 1, ..clean() };
        assert_eq!(verdict(told_twice).1, Some(Confidence::Low), "by AFD and by TCP/IP");
        assert_eq!(verdict(Evidence { events_lost: 31, ..clean() }).1, Some(Confidence::Low));
        assert_eq!(verdict(Evidence { buffers_lost: 2, ..clean() }).1, Some(Confidence::Low));
    }

    #[test]
    fn nothing_seen_needs_bind_events_and_no_losses() {
        let none = Evidence { bind_failures: 0, well_owned: 0, ..clean() };
        assert_eq!(verdict(none.clone()), (State::NotSeen, Some(Confidence::High), vec!["no_failures"]));
        assert_eq!(verdict(Evidence { wrapped: true, ..none.clone() }).1, Some(Confidence::Medium));
        let lossy = verdict(Evidence { events_lost: 1, ..none.clone() });
        assert_eq!(lossy, (State::CannotTell, None, vec!["no_failures", "events_lost"]));
        assert_eq!(verdict(Evidence { damaged_places: 1, ..none.clone() }).0, State::CannotTell);
        assert_eq!(verdict(Evidence { unknown_phases: 1, ..none.clone() }).0, State::CannotTell);
        assert_eq!(verdict(Evidence { displaced: 1, ..none.clone() }).1, Some(Confidence::Medium));
        let blind = verdict(Evidence { bind_records: 0, afd_records: 0, ..none.clone() });
        assert_eq!(blind, (State::CannotTell, None, vec!["no_afd_events"]));
        assert_eq!(verdict(Evidence { bind_records: 0, ..none }).2, vec!["no_bind_events"]);
    }

    #[test]
    fn what_the_transport_or_the_system_log_says_is_enough() {
        let none = Evidence { bind_failures: 0, well_owned: 0, ..clean() };
        let refused = verdict(Evidence { refusals: 9, ..none.clone() });
        assert_eq!(refused, (State::Exhausted, Some(Confidence::High), vec!["tcpip_refusals"]));
        let weak = verdict(Evidence { weak_references: 2, ..none.clone() });
        assert_eq!(weak, (State::Exhausted, Some(Confidence::High), vec!["weak_references"]));
        let logged = verdict(Evidence { traces: 0, bind_records: 0, pool_full_events: (3, 0), ..none });
        assert_eq!(logged, (State::Exhausted, Some(Confidence::Low), vec!["pool_full_events", "no_trace"]));
    }

    #[test]
    fn a_pool_nearly_full_is_told_by_what_shows_it() {
        let none = Evidence { bind_failures: 0, well_owned: 0, ..clean() };
        let near = |by| Evidence { nearly: Some(Nearly { by, used: 14_000, usable: 16_384 }), ..none.clone() };
        let held = verdict(near(NearBy::Trace));
        assert_eq!(held, (State::Near, Some(Confidence::High), vec!["pool_nearly_full", "no_failures"]));
        assert_eq!(verdict(Evidence { events_lost: 1, ..near(NearBy::Trace) }).1, Some(Confidence::Medium));
        assert_eq!(verdict(near(NearBy::Listing)).1, Some(Confidence::Medium));
        assert_eq!(verdict(near(NearBy::Groups)).1, Some(Confidence::Low));
        assert_eq!(verdict(near(NearBy::TimeWait(240))).1, Some(Confidence::Low));
        let exhausted = Evidence { nearly: near(NearBy::Trace).nearly, ..clean() };
        assert_eq!(verdict(exhausted).0, State::Exhausted);
    }

    #[test]
    fn doubts_about_holders_do_not_touch_the_verdict() {
        let doubts = Evidence { began_after: true, explained_percent: Some(12), tcpip_records: 0, ..clean() };
        let want = vec!["bind_failures", "began_after", "unexplained_ports", "no_tcpip_events"];
        assert_eq!(verdict(doubts), (State::Exhausted, Some(Confidence::High), want));
        assert_eq!(verdict(Evidence { explained_percent: Some(70), ..clean() }).2, vec!["bind_failures"]);
    }

    #[test]
    fn numbers_are_grouped_and_nouns_agree() {
        assert_eq!(counted(1, "bind"), "1 bind");
        assert_eq!(counted(1_234_567, "bind"), "1,234,567 binds");
        assert_eq!(grouped(999), "999");
    }
}
