//! The rules of the verdict, most important first.

use crate::diagnosis::codes::ReasonCode;
use crate::diagnosis::evidence::{Listed, NearBy, Nearly, VerdictEvidence};
pub use crate::diagnosis::pools::EXPLAINED_PERCENT;
use crate::machine::ranges::RangeSource;
use crate::machine::wire::Wire;
use crate::words::{counted, grouped};

/// A reason, and when it is one. What it does to the confidence follows from its code.
#[derive(Debug)]
pub struct Rule {
    /// The code.
    pub code: ReasonCode,
    /// The sentence where the rule applies; `None` where it does not.
    pub sentence: fn(&VerdictEvidence) -> Option<String>,
}

/// Every rule, in the order in which reports list reasons: one for each code, two for the one that TCP and UDP share.
pub static RULES: &[Rule] = &[
    Rule { code: ReasonCode::BindFailures, sentence: bind_failures },
    Rule { code: ReasonCode::ConnectFailures, sentence: connect_failures },
    Rule { code: ReasonCode::TcpipRefusals, sentence: tcpip_refusals },
    Rule { code: ReasonCode::WeakReferences, sentence: weak_references },
    Rule { code: ReasonCode::PoolFullEvents, sentence: tcp_full_events },
    Rule { code: ReasonCode::PoolFullEvents, sentence: udp_full_events },
    Rule { code: ReasonCode::PoolNearlyFull, sentence: pool_nearly_full },
    Rule { code: ReasonCode::ListingNearlyFull, sentence: listing_nearly_full },
    Rule { code: ReasonCode::TimeWaitNearlyFull, sentence: time_wait_nearly_full },
    Rule { code: ReasonCode::ListingUsage, sentence: listing_usage },
    Rule { code: ReasonCode::NoFailures, sentence: no_failures },
    Rule { code: ReasonCode::NoTrace, sentence: no_trace },
    Rule { code: ReasonCode::NoAfdEvents, sentence: no_afd_events },
    Rule { code: ReasonCode::NoBindEvents, sentence: no_bind_events },
    Rule { code: ReasonCode::EventsLost, sentence: events_lost },
    Rule { code: ReasonCode::LossFlags, sentence: loss_flags },
    Rule { code: ReasonCode::Damaged, sentence: damaged },
    Rule { code: ReasonCode::MalformedRecords, sentence: malformed_records },
    Rule { code: ReasonCode::UnknownPhases, sentence: unknown_phases },
    Rule { code: ReasonCode::UnknownVersions, sentence: unknown_versions },
    Rule { code: ReasonCode::DisplacedEvents, sentence: displaced_events },
    Rule { code: ReasonCode::ClockAssumed, sentence: clock_assumed },
    Rule { code: ReasonCode::ClockSetBack, sentence: clock_set_back },
    Rule { code: ReasonCode::Wrapped, sentence: wrapped },
    Rule { code: ReasonCode::NotClosed, sentence: not_closed },
    Rule { code: ReasonCode::AfdLog, sentence: afd_log },
    Rule { code: ReasonCode::WeakOwners, sentence: weak_owners },
    Rule { code: ReasonCode::SingleFailure, sentence: single_failure },
    Rule { code: ReasonCode::OthersServed, sentence: others_served },
    Rule { code: ReasonCode::BeganAfter, sentence: began_after },
    Rule { code: ReasonCode::UnexplainedPorts, sentence: unexplained_ports },
    Rule { code: ReasonCode::NarrowerPool, sentence: narrower_pool },
    Rule { code: ReasonCode::RangeRefuted, sentence: range_refuted },
    Rule { code: ReasonCode::WiderPool, sentence: wider_pool },
    Rule { code: ReasonCode::NoCloseEvents, sentence: no_close_events },
    Rule { code: ReasonCode::HeldBeyondPool, sentence: held_beyond_pool },
    Rule { code: ReasonCode::ForeignListing, sentence: foreign_listing },
    Rule { code: ReasonCode::PacketsUnanswered, sentence: packets_unanswered },
    Rule { code: ReasonCode::PacketsRefused, sentence: packets_refused },
    Rule { code: ReasonCode::PacketsTooSoon, sentence: packets_too_soon },
    Rule { code: ReasonCode::PacketsRate, sentence: packets_rate },
    Rule { code: ReasonCode::NoTcpipEvents, sentence: no_tcpip_events },
];

fn bind_failures(evidence: &VerdictEvidence) -> Option<String> {
    let failures = some(evidence.bind_failures, "bind")?;
    Some(format!("{failures} failed with STATUS_TOO_MANY_ADDRESSES (0xC0000209)"))
}

fn connect_failures(evidence: &VerdictEvidence) -> Option<String> {
    let failures = some(evidence.connect_failures, "connect")?;
    Some(format!("{failures} failed with STATUS_TOO_MANY_ADDRESSES (0xC0000209)"))
}

fn tcpip_refusals(evidence: &VerdictEvidence) -> Option<String> {
    let requests = some(evidence.refusals, "request")?;
    Some(format!("TCP/IP refused {requests} for a port with STATUS_TOO_MANY_ADDRESSES (TCPIP 1006, 1050, 1394)"))
}

fn weak_references(evidence: &VerdictEvidence) -> Option<String> {
    let ports = some(evidence.weak_references, "port")?;
    Some(format!("TCP/IP gave {ports} twice, because none was free (TCPIP 1195)"))
}

fn tcp_full_events(evidence: &VerdictEvidence) -> Option<String> {
    full_events(evidence.pool_full_events.0, "TCP", 4231)
}

fn udp_full_events(evidence: &VerdictEvidence) -> Option<String> {
    full_events(evidence.pool_full_events.1, "UDP", 4266)
}

fn full_events(count: u64, protocol: &str, id: u32) -> Option<String> {
    let times = some(count, "time")?;
    Some(format!("the System log says {times} that all {protocol} ports were in use (Tcpip {id})"))
}

fn nearly(evidence: &VerdictEvidence) -> Option<(NearBy, String, String)> {
    let Nearly { by, used, usable } = evidence.nearly.filter(|_| !evidence.is_exhausted())?;
    Some((by, grouped(used.into()), grouped(usable.into())))
}

fn pool_nearly_full(evidence: &VerdictEvidence) -> Option<String> {
    let (by, used, usable) = nearly(evidence)?;
    (by == NearBy::Trace).then(|| format!("{used} of {usable} ports were held at one moment"))
}

fn listing_nearly_full(evidence: &VerdictEvidence) -> Option<String> {
    match nearly(evidence)? {
        (NearBy::Listing, used, usable) => Some(format!("a listing shows {used} of {usable} ports in use")),
        (NearBy::Groups, used, usable) => Some(format!(
            "a listing shows {used} sockets for {usable} ports; it does not show the port of each, and some may belong to a server"
        )),
        (NearBy::Trace | NearBy::TimeWait(_), ..) => None,
    }
}

fn time_wait_nearly_full(evidence: &VerdictEvidence) -> Option<String> {
    let (NearBy::TimeWait(seconds), used, usable) = nearly(evidence)? else { return None };
    Some(format!(
        "{used} of {usable} ports were held or, by estimate, in TIME_WAIT at one moment, if TIME_WAIT lasts {seconds} s"
    ))
}

fn listing_usage(evidence: &VerdictEvidence) -> Option<String> {
    let tells = !evidence.is_exhausted() && evidence.nearly.is_none();
    let Listed { used, usable, pool, is_part } = evidence.listed.as_ref().filter(|_| tells)?;
    let (used, usable) = (grouped((*used).into()), grouped((*usable).into()));
    let listing = if *is_part { "a listing of a part of the sockets" } else { "a listing" };
    Some(format!("{listing} shows {used} of {usable} ports in use, {pool}"))
}

fn no_failures(evidence: &VerdictEvidence) -> Option<String> {
    (!evidence.is_exhausted() && evidence.bind_records > 0)
        .then(|| "no bind failed with STATUS_TOO_MANY_ADDRESSES (0xC0000209)".to_owned())
}

fn no_trace(evidence: &VerdictEvidence) -> Option<String> {
    (evidence.traces == 0 && !evidence.by_logs).then(|| "no trace was given, only listings and logs".to_owned())
}

/// There is a trace, and it tells nothing about binds.
fn is_blind(evidence: &VerdictEvidence) -> bool {
    evidence.traces > 0 && evidence.bind_records == 0 && evidence.direct() == 0
}

fn no_afd_events(evidence: &VerdictEvidence) -> Option<String> {
    (is_blind(evidence) && evidence.afd_records == 0).then(|| {
        let others = match evidence.other_providers {
            0 => "no other provider either".to_owned(),
            count => format!("{} in it", counted(count, "other provider")),
        };
        format!("the trace holds no Winsock-AFD event ({others})")
    })
}

fn no_bind_events(evidence: &VerdictEvidence) -> Option<String> {
    let events = some(evidence.afd_records, "Winsock-AFD event").filter(|_| is_blind(evidence))?;
    Some(format!("the trace holds {events}, and no bind among them"))
}

fn events_lost(evidence: &VerdictEvidence) -> Option<String> {
    (evidence.events_lost > 0 || evidence.buffers_lost > 0).then(|| {
        let (events, buffers) = (counted(evidence.events_lost, "event"), counted(evidence.buffers_lost, "buffer"));
        format!("the session lost {events} and {buffers}")
    })
}

fn loss_flags(evidence: &VerdictEvidence) -> Option<String> {
    let buffers = some(evidence.buffers_after_loss, "buffer")?;
    Some(format!("the flags of {buffers} say that events were lost before"))
}

fn damaged(evidence: &VerdictEvidence) -> Option<String> {
    Some(format!("{} could not be read", some(evidence.damaged_places, "damaged or cut place")?))
}

fn malformed_records(evidence: &VerdictEvidence) -> Option<String> {
    let records = some(evidence.malformed, "record")?;
    Some(format!("{records} of Winsock-AFD shorter than its layout"))
}

fn unknown_phases(evidence: &VerdictEvidence) -> Option<String> {
    let events = some(evidence.unknown_phases, "Winsock-AFD event")?;
    Some(format!("not counted: {events} with an EnterExit value that no source describes"))
}

fn unknown_versions(evidence: &VerdictEvidence) -> Option<String> {
    let events = some(evidence.unknown_versions, "event")?;
    Some(format!("not read: {events} about sockets or ports, of versions that nothing describes"))
}

fn displaced_events(evidence: &VerdictEvidence) -> Option<String> {
    let events = some(evidence.displaced, "event")?;
    Some(format!("the time stamps of {events} are wrong, so the order of events is uncertain there"))
}

fn clock_assumed(evidence: &VerdictEvidence) -> Option<String> {
    evidence.clock_assumed.then(|| "the header does not say how the clock counts, so times are estimates".to_owned())
}

fn clock_set_back(evidence: &VerdictEvidence) -> Option<String> {
    let text = "the system clock was set back while the trace was taken: times and rates are uncertain";
    evidence.clock_set_back.then(|| text.to_owned())
}

fn wrapped(evidence: &VerdictEvidence) -> Option<String> {
    evidence.wrapped.then(|| "the circular log overwrote its beginning".to_owned())
}

fn not_closed(evidence: &VerdictEvidence) -> Option<String> {
    let text = "the session did not close the log, so its count of lost events is not final";
    evidence.unclosed.then(|| text.to_owned())
}

fn afd_log(evidence: &VerdictEvidence) -> Option<String> {
    evidence.by_logs.then(|| {
        let events = counted(evidence.logs.used, "event");
        format!("the report takes {events} from the log of the Winsock-AFD channel, which may have overwritten its beginning")
    })
}

fn weak_owners(evidence: &VerdictEvidence) -> Option<String> {
    let failures = evidence.failures();
    (failures > 0 && !evidence.is_well_owned()).then(|| {
        let weak = failures.saturating_sub(evidence.well_owned);
        format!("the owner of {weak} of {failures} failures is known only from a record header, or not at all")
    })
}

fn single_failure(evidence: &VerdictEvidence) -> Option<String> {
    evidence.is_single().then(|| "only one operation failed".to_owned())
}

fn others_served(evidence: &VerdictEvidence) -> Option<String> {
    let (times, others) = evidence.others_served?;
    Some(format!(
        "{} of the pool were given to {} while these requests failed, so it was not full for all: a container, a local address or a limit of its own may be behind it",
        counted(times, "port"),
        counted_others(others)
    ))
}

/// `another process`, `4 other processes`.
fn counted_others(others: u64) -> String {
    if others == 1 { "another process".to_owned() } else { format!("{} other processes", grouped(others)) }
}

fn began_after(evidence: &VerdictEvidence) -> Option<String> {
    let full = match evidence.began_after? {
        0 => "already full".to_owned(),
        given => format!("nearly full ({} given a port before the first failure)", were(given, "bind")),
    };
    Some(format!("the pool was {full} when the capture began, so the trace cannot show who took the ports"))
}

fn unexplained_ports(evidence: &VerdictEvidence) -> Option<String> {
    let percent = evidence.explained_percent.filter(|percent| *percent < EXPLAINED_PERCENT)?;
    Some(format!("only {percent} % of the full pool is explained, so a holder is missing here"))
}

fn narrower_pool(evidence: &VerdictEvidence) -> Option<String> {
    let ((first, last), source) = evidence.narrower?;
    let count = u32::from(last.saturating_sub(first)) + 1;
    if source == RangeSource::DynamicPortFile {
        return Some(format!(
            "all ports that were given out lie in {first} to {last}, and nearly all of these are in use: the listing may be from after somebody widened the range; then give --pool {first}:{count}"
        ));
    }
    Some(format!(
        "all ports that were given out lie in {first} to {last}, and nearly all of these are in use, so the pool may be no larger: give a dynamicport listing, or --pool {first}:{count}"
    ))
}

fn range_refuted(evidence: &VerdictEvidence) -> Option<String> {
    let (first, last, range) = evidence.refuted?;
    let (told, what) = match range.source {
        RangeSource::Option => ("--pool", "it was mistyped, or is the range of another pool"),
        _ => ("the listing", "it is from another time, protocol or machine"),
    };
    Some(format!(
        "ports from {first} to {last} are in use, and {told} says {} to {}: {what}, and nothing is counted against it",
        range.start,
        range.end()
    ))
}

fn no_close_events(evidence: &VerdictEvidence) -> Option<String> {
    let text = "the trace holds no close or cleanup event at all, so what is still held is not known, and no process is called a leak";
    // Where there are ports enough, nobody is looked for.
    let is_asked = evidence.is_exhausted() || evidence.nearly.is_some();
    (evidence.no_closes && is_asked).then(|| text.to_owned())
}

fn held_beyond_pool(evidence: &VerdictEvidence) -> Option<String> {
    let why = if evidence.tells_compartments {
        "the trace lacks closes, or a part of it is not understood"
    } else {
        "there may be several network compartments (containers), which the events of Winsock-AFD do not distinguish, or the trace lacks closes"
    };
    match (evidence.held_beyond, evidence.given_twice) {
        (Some((held, count)), _) => {
            Some(format!("{} ports seem to be held of {}: {why}", grouped(held.into()), grouped(count.into())))
        }
        (None, 0) => None,
        (None, ports) => Some(format!("{} given out while sockets seemed to hold them: {why}", were(ports, "port"))),
    }
}

/// `1 port was`, `3 ports were`.
fn were(count: u64, noun: &str) -> String {
    format!("{} {}", counted(count, noun), if count == 1 { "was" } else { "were" })
}

fn foreign_listing(evidence: &VerdictEvidence) -> Option<String> {
    let foreign = evidence.foreign_listings;
    let listings = some(foreign.listings, "listing")?;
    let verb = if foreign.listings == 1 { "contradicts" } else { "contradict" };
    let from = if foreign.of_other_time == foreign.listings { "time" } else { "machine or time" };
    Some(format!("{listings} {verb} the trace and must be from another {from}: not counted"))
}

fn wider_pool(evidence: &VerdictEvidence) -> Option<String> {
    let (first, last) = evidence.wider?;
    Some(format!(
        "ports from {first} to {last} were given out, so the pool is larger than assumed: give a dynamicport listing"
    ))
}

/// Connections that fail for their own reasons, and tell nothing.
const USUAL_FAILURES: u64 = 9;

/// Connections of a client in a minute that are not worth a word: those beyond are what Microsoft's SQL Network Analyzer
/// reports as high use of ephemeral ports.
const USUAL_RATE: u64 = 1_000;

fn packets_unanswered(evidence: &VerdictEvidence) -> Option<String> {
    let Wire { requests, unanswered, .. } = evidence.wire;
    (unanswered > USUAL_FAILURES)
        .then(|| format!("packets: {} of {} (SYN) had no answer", grouped(unanswered), counted(requests, "request")))
}

fn packets_refused(evidence: &VerdictEvidence) -> Option<String> {
    let Wire { requests, refused, .. } = evidence.wire;
    (refused > USUAL_FAILURES)
        .then(|| format!("packets: {} of {} (SYN) were refused (RST)", grouped(refused), counted(requests, "request")))
}

fn packets_too_soon(evidence: &VerdictEvidence) -> Option<String> {
    let connections = some(evidence.wire.too_soon, "connection")?;
    Some(format!(
        "packets: {connections} between the same ends as one that had ended less than four minutes before (Tcpip 4227 warns of that)"
    ))
}

fn packets_rate(evidence: &VerdictEvidence) -> Option<String> {
    let (client, most) = evidence.wire.busiest.filter(|(_, most)| *most > USUAL_RATE)?;
    Some(format!("packets: {client} asked for {} connections in a minute", grouped(most)))
}

fn no_tcpip_events(evidence: &VerdictEvidence) -> Option<String> {
    let is_missing = evidence.is_exhausted() && evidence.traces > 0 && evidence.tcpip_records == 0;
    is_missing.then(|| "TCPIP events were not captured, so only Winsock's sockets show what is held".to_owned())
}

/// `3 binds`; `None` where there is none.
fn some(count: u64, noun: &str) -> Option<String> {
    (count > 0).then(|| counted(count, noun))
}
