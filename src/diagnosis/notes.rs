//! Sentences about what was not read, not counted, or counted by assumption.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::grounds::Grounds;
use super::listings::{series, usage};
use super::system_events::{pool_full_beside, pool_full_events};
use crate::case::facts::TraceFacts;
use crate::machine::Findings;
use crate::providers::names;
use crate::side::facts::SocketListing;
use crate::words::{counted, shown};

/// All notes of a case: those about inputs that came with it, then about each trace, names, events and side files.
pub(super) fn notes(about_inputs: Vec<String>, grounds: &Grounds<'_>) -> Vec<String> {
    let mut notes = about_inputs;
    notes.extend(grounds.traces.iter().flat_map(of_trace));
    notes.extend(grounds.rows.notes.iter().cloned());
    notes.extend(of_findings(grounds.findings));
    notes.extend(of_side(grounds));
    notes.extend(of_last_listings(grounds));
    notes
}

/// Sentences about what could not be read, or not trusted.
fn of_trace(facts: &TraceFacts) -> Vec<String> {
    let (trace, coverage) = (&facts.summary, &facts.coverage);
    let mut notes: Vec<String> = coverage.damage.iter().map(ToString::to_string).collect();
    let more = coverage.damaged_places.saturating_sub(coverage.damage.len() as u64);
    if more > 0 {
        notes.push(format!("{} more, not listed", counted(more, "damaged place")));
    }
    if !facts.has_header {
        notes.push("the first buffer is missing, so system, losses and dates are unknown; times count from the first record, at an assumed 10 MHz".to_owned());
    } else if facts.clock_assumed {
        notes.push("the header does not say how the clock counts, so times are estimates".to_owned());
    } else if trace.clock == Some("cpu_cycles") {
        notes.push("the clock counts processor cycles, whose rate varies: times are approximate".to_owned());
    }
    if !trace.closed_cleanly && facts.has_header {
        let why = "the file was copied while it was written, or the system stopped";
        notes.push(format!("the session did not close the log: {why}"));
    }
    if facts.clock_set_back {
        notes.push("the system clock was set back while the trace was taken".to_owned());
    }
    if trace.wrapped == Some(true) {
        notes.push("the circular log overwrote its beginning".to_owned());
    }
    if trace.events_lost > 0 || trace.buffers_lost > 0 {
        let (events, buffers) =
            (counted(trace.events_lost.into(), "event"), counted(trace.buffers_lost.into(), "buffer"));
        notes.push(format!("the session lost {events} and {buffers}"));
    }
    if coverage.buffers_after_loss > 0 {
        let count = counted(coverage.buffers_after_loss, "buffer");
        notes.push(format!("the flags of {count} say that events were lost before"));
    }
    if coverage.displaced > 0 {
        let count = counted(coverage.displaced, "event");
        notes.push(format!("{count} with a wrong time stamp, ordered by the records around them"));
    }
    let unknown = coverage.unknown.saturating_sub(coverage.unknown_versions.values().sum());
    if unknown > 0 {
        notes.push(format!("{} of a kind that no source describes", counted(unknown, "record")));
    }
    if coverage.malformed > 0 {
        notes.push(format!("{} shorter than the layout promises", counted(coverage.malformed, "record")));
    }
    if coverage.other_pointer_size > 0 {
        let count = counted(coverage.other_pointer_size, "process event");
        notes.push(format!("{count} with another pointer size than the record's header says"));
    }
    for ((provider, id, version), records) in &coverage.unknown_versions {
        let name = names::provider_name(*provider).unwrap_or("unknown provider");
        let count = counted(*records, "event");
        notes.push(format!("{count} {id} of {name} in version {version}, which nothing describes: not read"));
    }
    if coverage.unknown_phases > 0 {
        let count = counted(coverage.unknown_phases, "AFD event");
        notes.push(format!("{count} with an EnterExit value that no source describes, not counted"));
    }
    notes.into_iter().map(|note| format!("{}: {note}", facts.path)).collect()
}

/// Sentences about side files that contradict each other, or the trace.
fn of_side(grounds: &Grounds<'_>) -> Vec<String> {
    let Grounds { side, events, conclusion, .. } = *grounds;
    let has_traces = !grounds.traces.is_empty();
    let mut notes = Vec::new();
    if !has_traces && pool_full_events(events) != pool_full_beside(events, &side.listings) {
        notes.push(
            "the listings are of other days than the entries that say that all ports were in use: they do not show who held them then"
                .to_owned(),
        );
    }
    let full: Vec<String> =
        [4231, 4266].iter().filter(|id| side.doubtful_events.contains(id)).map(|id| format!("Tcpip {id}")).collect();
    if !full.is_empty() {
        notes.push(format!(
            "an event log as text says that all ports were in use ({}), at a local time: when that was is not certain, and it is not counted",
            full.join(", ")
        ));
    }
    let commands: BTreeSet<&str> = side.listings.iter().filter_map(SocketListing::picking).collect();
    if let Some(first) = commands.first() {
        notes.push(format!(
            "a part of the sockets is listed alone ({}): what the command left out may be in use, too",
            shown(first)
        ));
    }
    let mut ranges: BTreeMap<_, BTreeSet<(u16, u32)>> = BTreeMap::new();
    for ports in &side.dynamic_ports {
        ranges.entry((ports.protocol, ports.family)).or_default().insert((ports.start, ports.count));
    }
    if ranges.values().any(|told| told.len() > 1) {
        notes.push(
            "listings of the dynamic ports differ for the same protocol and family: the last by name is used"
                .to_owned(),
        );
    }
    for (index, pool) in conclusion.pools.iter().enumerate() {
        if conclusion.is_over_counted(index) {
            let name = pool.name();
            let why = if has_traces && pool.listing.is_some() {
                "a listing is from another time than the trace"
            } else {
                "some ports count for several of them, which share them or have them at different local addresses, or are not of the pool"
            };
            notes.push(format!("the holders of {name} add up to more than the pool: {why}"));
        }
    }
    notes
}

/// Who holds a good part of a pool in the last of several listings, and is nobody in the fullest of them.
fn of_last_listings(grounds: &Grounds<'_>) -> Vec<String> {
    const NOTABLE_SHARE: u32 = 10;
    let Grounds { findings, side, conclusion, .. } = *grounds;
    let processes = findings.world.processes.processes();
    let mut notes = Vec::new();
    for file in series(&side.listings) {
        let Some(last) = file.listings.last() else { continue };
        for (index, pool) in conclusion.pools.iter().enumerate() {
            let is_whole = pool.key.compartment.is_own() && pool.local_address.is_none();
            let usage = usage(last, pool.key, pool.range, pool.key.family.is_none());
            let most = usage.by_pid.iter().filter_map(|(pid, listed)| Some(((*pid)?, listed.ports)));
            let Some((pid, ports)) = most.filter(|_| is_whole).max_by_key(|(pid, ports)| (*ports, Reverse(*pid)))
            else {
                continue;
            };
            let mut holders = conclusion.holders.iter().filter(|holder| holder.pool == index);
            let is_told = holders.any(|holder| holder.subject.pid(processes) == Some(pid));
            if is_told || ports.saturating_mul(NOTABLE_SHARE) < pool.range.count {
                continue;
            }
            let image = last.owners.get(&pid).and_then(|owner| owner.image.as_deref());
            let name = image.map_or_else(String::new, |image| format!(" ({})", shown(image)));
            notes.push(format!(
                "in the last listing PID {pid}{name} holds {} of {}",
                counted(ports.into(), "port"),
                pool.name()
            ));
        }
    }
    notes
}

/// Sentences about what was not counted, or counted by assumption.
fn of_findings(findings: &Findings) -> Vec<String> {
    let mut notes = Vec::new();
    let ports = &findings.world.ports;
    let used_by_other = findings.sockets.used_by_other_process;
    if used_by_other > 0 {
        notes.push(format!(
            "{} on sockets that a process other than their creator used: counted for the creator",
            counted(used_by_other, "failure")
        ));
    }
    if ports.destinations.not_counted > 0 {
        let count = counted(ports.destinations.not_counted, "connect");
        notes.push(format!("{count} to further destinations, too many to count each"));
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
        notes.push(
            "more sockets or local addresses at once than this program follows: ports held are a lower bound"
                .to_owned(),
        );
    }
    if findings.world.processes.overflowed() {
        notes.push("more processes than this program tells apart: those beyond count as unknown".to_owned());
    }
    if ports.transport.overflowed {
        notes.push(
            "more TCPIP endpoints at once than this program follows: what TCP/IP holds is a lower bound".to_owned(),
        );
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
