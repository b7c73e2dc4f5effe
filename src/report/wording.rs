//! Words and numbers that every face of a report says alike.

use super::{FirstFailure, ProcessRow, TraceSummary};
use crate::case::SideInput;
use crate::event::base_name;
use crate::machine::tally::OwnerSource;
use crate::time::{FileTime, Zone, duration_text};
use crate::words::{counted, grouped};
use crate::words::{shown, windows_name};

/// System, processors and pointer size of the machine that wrote the trace.
pub(crate) fn machine(trace: &TraceSummary) -> String {
    let bits = trace.pointer_size * 8;
    let (Some(build), Some(processors)) = (trace.os_build, trace.processors) else {
        return format!("system unknown, {bits}-bit");
    };
    let system = match windows_name(build) {
        Some(name) => format!("{name} ({build})"),
        None => format!("Windows build {build}"),
    };
    format!("{system}, {}, {bits}-bit", counted(processors.into(), "CPU"))
}

/// When the trace was taken, in this zone, and for how long; `None` where its start is not known.
pub(crate) fn span(trace: &TraceSummary, zone: Zone) -> Option<String> {
    let started = trace.started?;
    Some(match trace.ended {
        Some(ended) if ended >= started => {
            let length = duration_text(ended.since(started));
            let is_one_day = zone.date(ended) == zone.date(started);
            // What lasts so short begins and ends in one second, or nearly so.
            let is_short = ended.since(started) < 60 * FileTime::SECOND;
            let start = if is_short {
                format!("{} {}", zone.date(started), zone.clock(started))
            } else {
                zone.date_and_time(started)
            };
            let end = if is_one_day { zone.clock(ended) } else { zone.date_and_time(ended) };
            format!("{start} – {end} {} ({length})", zone.name())
        }
        Some(_) if trace.closed_cleanly => {
            let start = zone.date_and_time(started);
            format!("{start} {} – the end is before the start: the clock was set back", zone.name())
        }
        _ => format!("{} {} – not closed", zone.date_and_time(started), zone.name()),
    })
}

/// The image, or what stands for it.
pub(crate) fn name(row: &ProcessRow) -> String {
    match (&row.image, row.pid) {
        (Some(image), _) => shown(image),
        (None, Some(0)) => "(Idle)".to_owned(),
        (None, Some(4)) => "(System)".to_owned(),
        (None, Some(_)) => "(name unknown)".to_owned(),
        (None, None) => "(owner unknown)".to_owned(),
    }
}

/// The PID, or a dash.
pub(crate) fn pid(row: &ProcessRow) -> String {
    row.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string())
}

/// Image and PID, as part of a sentence.
pub(crate) fn who(row: &ProcessRow) -> String {
    let service = row.socket_service.as_ref().map(|service| format!("service {}", shown(service)));
    who_with(row, service)
}

/// Image and PID, with something else that tells the process from others.
fn who_with(row: &ProcessRow, detail: Option<String>) -> String {
    let name = match (&row.image, row.pid) {
        (Some(image), _) => shown(image),
        (None, Some(0)) => "Idle".to_owned(),
        (None, Some(4)) => "System".to_owned(),
        (None, Some(pid)) => {
            return detail.map_or_else(|| format!("PID {pid}"), |detail| format!("PID {pid} ({detail})"));
        }
        (None, None) => return "processes that nothing identifies".to_owned(),
    };
    match (row.pid, detail) {
        (Some(pid), Some(detail)) => format!("{name} (PID {pid}, {detail})"),
        (Some(pid), None) => format!("{name} (PID {pid})"),
        (None, _) => format!("{name} (PID not listed)"),
    }
}

/// The same at the beginning of a sentence: a name keeps its letters.
pub(crate) fn subject(row: &ProcessRow) -> String {
    if row.pid.is_some() || row.image.is_some() { who(row) } else { sentence_start(&who(row)) }
}

/// The same with the services in it, all of them.
pub(crate) fn who_in_full(row: &ProcessRow) -> String {
    let services: Vec<String> = row.services.iter().map(|name| shown(name)).collect();
    match (row.pid, services.as_slice()) {
        (_, []) | (None, _) => subject(row),
        (Some(_), [one]) => who_with(row, Some(format!("service {one}"))),
        (Some(_), all) => who_with(row, Some(format!("services {}", all.join(", ")))),
    }
}

/// The zone of the server's clock; `None` where the trace does not tell it.
pub(crate) fn server_zone(trace: &TraceSummary) -> Option<Zone> {
    Zone::of_bias(trace.time_zone_bias_minutes?)
}

/// The other clock at a time, beside that of the report: where times are UTC the server's, `server time 10:49:17, UTC+1:00`, else
/// UTC, and whether the report's is the server's. `None` where the server's is not known.
pub(crate) fn other_clock(trace: &TraceSummary, time: FileTime, shown: Zone) -> Option<String> {
    let server = server_zone(trace);
    let clock = |zone: Zone| {
        let date = if zone.date(time) == shown.date(time) { String::new() } else { format!("{} ", zone.date(time)) };
        format!("{date}{}", zone.second(time))
    };
    if shown == Zone::UTC {
        let server = server?;
        return Some(match server {
            Zone::UTC => "the server's time too".to_owned(),
            _ => format!("server time {}, {}", clock(server), server.name()),
        });
    }
    let is_servers = if server == Some(shown) { "the server's time; " } else { "" };
    Some(format!("{is_servers}{} UTC", clock(Zone::UTC)))
}

/// How the owner of a failure is known: the field of `owner_source`, and the word that tables have for it.
pub(super) const OWNER_SOURCES: [(&str, &str); 5] = [
    ("created_socket", "socket creation"),
    ("eprocess", "EPROCESS"),
    ("header_location", "reliable record header"),
    ("header_pid", "record header"),
    ("unknown", "not known"),
];

/// How the owner of most of a row's failures is known.
pub(crate) fn known_by(row: &ProcessRow) -> String {
    let OwnerSource { created_socket, eprocess, header_location, header_pid, unknown } = row.owner_source;
    let counts = [created_socket, eprocess, header_location, header_pid, unknown];
    let ways = counts.into_iter().zip(OWNER_SOURCES.map(|(_, way)| way));
    let mut ways: Vec<_> = ways.filter(|(count, _)| *count > 0).collect();
    ways.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
    match ways.as_slice() {
        [] => String::new(),
        [(_, way)] => (*way).to_owned(),
        [(_, way), ..] => format!("mostly {way}"),
    }
}

/// A share, rounded to one decimal; never up to 100 %, nor down to 0 %.
pub(crate) fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "-".to_owned();
    }
    let (part, whole) = (u128::from(part), u128::from(whole));
    let per_mille = (part * 2000 + whole) / (whole * 2);
    match per_mille {
        _ if part >= whole => "100 %".to_owned(),
        0 if part > 0 => "<0.1 %".to_owned(),
        0 => "0 %".to_owned(),
        1000.. => "99.9 %".to_owned(),
        _ => format!("{}.{} %", per_mille / 10, per_mille % 10),
    }
}

/// A rate of growth: `+1,179`, `-3.1`.
pub(crate) fn per_minute(rate: f64) -> String {
    let sign = if rate < 0.0 { '-' } else { '+' };
    let size = rate.abs();
    // A cast from a float saturates.
    if size >= 9.95 { format!("{sign}{}", grouped(size.round() as u64)) } else { format!("{sign}{size:.1}") }
}

/// A part of a pool.
pub(crate) fn percent_of(part: u32, whole: u32) -> String {
    percent(part.into(), whole.into())
}

/// With a capital.
pub(crate) fn sentence_start(text: &str) -> String {
    let mut characters = text.chars();
    match characters.next() {
        Some(first) => first.to_uppercase().chain(characters).collect(),
        None => String::new(),
    }
}

/// The same sentence behind a colon.
pub(super) fn sentence_inside(text: &str) -> String {
    let mut characters = text.chars();
    match characters.next() {
        Some(first) => first.to_lowercase().chain(characters).collect(),
        None => String::new(),
    }
}

/// The name of a file, with the folder that it lies in where another file has the same name.
pub(crate) fn file_name<'p>(path: &'p str, all: &[SideInput]) -> &'p str {
    let name = base_name(path);
    if all.iter().all(|other| other.path == path || base_name(&other.path) != name) {
        return name;
    }
    let before = path.strip_suffix(name).unwrap_or_default().trim_end_matches(['/', '\\']);
    let folder = base_name(before);
    path.get(before.len().saturating_sub(folder.len())..).unwrap_or(name)
}

/// With a capital and a full stop.
pub(crate) fn sentence(text: &str) -> String {
    format!("{}.", sentence_start(text))
}

/// Where the first failure stands, in front of what it is: `buffer 1, offset 0x10348, CPU 0, `, or the log and the record in it.
pub(crate) fn place(first: &FirstFailure, side_inputs: &[SideInput]) -> String {
    let log = first.log.and_then(|log| side_inputs.get(log)).map(|log| shown(base_name(&log.path)));
    let mut parts = Vec::new();
    if let (Some(log), Some(record)) = (log, first.log_record) {
        parts.push(format!("{log}, record {record}, "));
    }
    if let (Some(buffer), Some(offset)) = (first.buffer, first.offset) {
        parts.push(format!("buffer {buffer}, offset {offset:#X}, "));
    }
    parts.extend(first.cpu.map(|cpu| format!("CPU {cpu}, ")));
    parts.concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_not_rounded_to_certainty() {
        assert_eq!(percent(9999, 10000), "99.9 %");
        assert_eq!((percent(16_367, 16_384), percent(2, 3)), ("99.9 %".into(), "66.7 %".into()));
        assert_eq!(percent(1, 10000), "<0.1 %");
        assert_eq!(percent(5, 5), "100 %");
        assert_eq!(percent(0, 5), "0 %");
        assert_eq!(percent(0, 0), "-");
    }
}
