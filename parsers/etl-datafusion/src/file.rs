//! Files as rows: whether each is a trace, and what of it could be read.

use etl_parser::{EtlFile, FileTime, LogfileHeader, Trace};

use crate::column::{Cell, Kind, Valued, plain};
use crate::event::nanoseconds;
use crate::read::{Read, Reading, Stop};

type Value = for<'r> fn(&'r FileRow) -> Cell<'r>;

/// A file.
pub(crate) struct FileRow {
    file: String,
    status: Status,
    reason: Option<String>,
    /// Of a trace alone.
    facts: Option<Facts>,
}

#[derive(Clone, Copy)]
enum Status {
    Ok,
    Damaged,
    NotATrace,
    Unreadable,
}

struct Facts {
    bytes: u64,
    traces: u64,
    records: u64,
    damaged: u64,
    events_lost: u64,
    started_ns: Option<i64>,
    ended_ns: Option<i64>,
    os_build: Option<u32>,
}

fn of_trace<'r>(row: &FileRow, value: impl Fn(&Facts) -> Cell<'r>) -> Cell<'r> {
    row.facts.as_ref().map_or(Cell::Null, value)
}

/// Columns of a file.
pub(crate) const FILE: [Valued<Value>; 11] = [
    plain("file", Kind::Text, "", "a path, or the URL of an object", |row| Cell::text(Some(row.file.as_str()))),
    plain("status", Kind::Text, "", "ok, damaged, not_a_trace or unreadable", |row| {
        Cell::text(Some(match row.status {
            Status::Ok => "ok",
            Status::Damaged => "damaged",
            Status::NotATrace => "not_a_trace",
            Status::Unreadable => "unreadable",
        }))
    }),
    plain("reason", Kind::Text, "", "the first damage, or why there are no events", |row| {
        Cell::text(row.reason.as_deref())
    }),
    plain("bytes", Kind::Integer, "bytes", "size", |row| of_trace(row, |facts| Cell::count(facts.bytes))),
    plain("traces", Kind::Integer, "traces", "in it; several where sessions were appended to each other", |row| {
        of_trace(row, |facts| Cell::count(facts.traces))
    }),
    plain("records", Kind::Integer, "records", "that could be read", |row| {
        of_trace(row, |facts| Cell::count(facts.records))
    }),
    plain("damaged", Kind::Integer, "places", "that could not", |row| {
        of_trace(row, |facts| Cell::count(facts.damaged))
    }),
    plain("events_lost", Kind::Integer, "events", "that the session says it lost", |row| {
        of_trace(row, |facts| Cell::count(facts.events_lost))
    }),
    plain("started", Kind::Time, "UTC", "when the first session began", |row| {
        of_trace(row, |facts| Cell::time(facts.started_ns))
    }),
    plain("ended", Kind::Time, "UTC", "when the last session ended", |row| {
        of_trace(row, |facts| Cell::time(facts.ended_ns))
    }),
    plain("os_build", Kind::Integer, "", "build of Windows", |row| {
        of_trace(row, |facts| Cell::integer(facts.os_build))
    }),
];

/// Reads a file to its end, and tells what it found. No file ends the query.
pub(crate) fn files(reading: &mut Reading<'_>) -> Read {
    let mut row = FileRow { file: reading.place.to_owned(), status: Status::Unreadable, reason: None, facts: None };
    match EtlFile::open(reading.path) {
        Err(error) => row.reason = Some(error.to_string()),
        Ok(file) => match file.traces() {
            Err(error) => (row.status, row.reason) = (Status::NotATrace, Some(error.to_string())),
            Ok(traces) => {
                reading.out.metrics.bytes_scanned.add(file.bytes().len());
                let (facts, damage) = walk(&traces, file.bytes().len() as u64, reading)?;
                row.status = if facts.damaged == 0 { Status::Ok } else { Status::Damaged };
                row.reason = damage;
                row.facts = Some(facts);
            }
        },
    }
    reading.out.row(|column| FILE.get(column).map_or(Cell::Null, |valued| (valued.value)(&row)))
}

/// What is in the traces of a file, and the first damage.
fn walk(traces: &[Trace<'_>], bytes: u64, reading: &mut Reading<'_>) -> Result<(Facts, Option<String>), Stop> {
    let header = |of: fn(&LogfileHeader) -> Option<FileTime>| {
        traces.iter().filter_map(move |trace| of(trace.header())).filter_map(nanoseconds)
    };
    let mut facts = Facts {
        bytes,
        traces: traces.len() as u64,
        records: 0,
        damaged: traces.iter().map(Trace::damaged).sum(),
        events_lost: traces.iter().map(|trace| u64::from(trace.header().events_lost)).sum(),
        started_ns: header(LogfileHeader::started).min(),
        ended_ns: header(LogfileHeader::ended).max(),
        os_build: traces.iter().find(|trace| trace.has_header()).map(|trace| trace.header().os_build),
    };
    let mut first = traces.iter().flat_map(|trace| trace.damage()).next().map(ToString::to_string);
    let mut scratch = Vec::new();
    for trace in traces {
        for position in 0..trace.buffers().len() {
            reading.out.go_on()?;
            let damage = match trace.buffer(position, &mut scratch) {
                Err(damage) => Some(damage),
                Ok(buffer) => {
                    let mut damage = None;
                    for record in buffer.records() {
                        match record {
                            Ok(_) => facts.records += 1,
                            Err(error) => damage = Some(error),
                        }
                    }
                    damage
                }
            };
            if let Some(damage) = damage {
                facts.damaged += 1;
                first.get_or_insert_with(|| damage.to_string());
            }
        }
    }
    reading.out.metrics.records.add(usize::try_from(facts.records).unwrap_or(usize::MAX));
    Ok((facts, first))
}
