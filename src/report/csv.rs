//! The report's tables for spreadsheets.
//!
//! A text cell that begins with `=`, `+`, `-`, `@`, a tab or an apostrophe gets an apostrophe in front, so that no spreadsheet
//! takes it for a formula; who reads the file with a program takes one apostrophe from the front of each text cell that has one.

use std::io::{self, Write};

use serde::Serialize;

use super::{HolderRow, ImageRow, PoolRow, ProcessRow, Report, StatusRow, StepHolderRow, TimelineStep};
use crate::status::NtStatus;
use crate::time::FileTime;

/// What tells Excel that a file is UTF-8: it takes one without for text in the code page of the machine.
pub const BYTE_ORDER_MARK: &[u8] = "\u{FEFF}".as_bytes();

/// A table of the report.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Table {
    /// One row for each of `processes[]`.
    #[default]
    Processes,
    /// One row for each of `failures.by_status[]`: every status that operations failed with.
    Failures,
    /// One row for each of `holders[]`, with its process and pool.
    Holders,
    /// One row for each of `images[]`, with its pool.
    Images,
    /// One row for each step of `timeline[]`.
    Timeline,
}

/// A column: its name, and what stands in it.
type Column<R> = (&'static str, fn(&Report, &R) -> String);

/// Writes a table in the report's order, below a heading.
///
/// # Errors
///
/// The [`io::Error`] of `out`, as it is.
pub fn write(report: &Report, table: Table, out: &mut dyn Write) -> io::Result<()> {
    match table {
        Table::Processes => rows(report, &PROCESSES, &report.processes, out),
        Table::Failures => rows(report, &FAILURES, &report.failures.by_status, out),
        Table::Holders => rows(report, &HOLDERS, &report.holders, out),
        Table::Images => rows(report, &IMAGES, &report.images, out),
        Table::Timeline => rows(report, &TIMELINE, &report.timeline, out),
    }
}

fn rows<R>(report: &Report, columns: &[Column<R>], rows: &[R], out: &mut dyn Write) -> io::Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(columns.iter().map(|(name, _)| name))?;
    for row in rows {
        writer.write_record(columns.iter().map(|(_, value)| value(report, row)))?;
    }
    writer.flush()
}

const PROCESSES: [Column<ProcessRow>; 23] = [
    ("pid", |_, row| number(row.pid)),
    ("image", |_, row| text(row.image.as_deref())),
    ("image_path", |_, row| text(row.image_path.as_deref())),
    ("image_source", |_, row| row.image_source.unwrap_or_default().to_owned()),
    ("services", |_, row| cell(&row.services.join(" "))),
    ("roles", |_, row| row.roles.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(" ")),
    ("started", |_, row| time(row.started)),
    ("ended", |_, row| time(row.ended)),
    ("bind_failures", |_, row| row.bind_failures.to_string()),
    ("connect_failures", |_, row| row.connect_failures.to_string()),
    ("first_failure", |_, row| time(row.first_failure)),
    ("last_failure", |_, row| time(row.last_failure)),
    ("binds_ok", |_, row| row.binds_ok.to_string()),
    ("other_bind_failures", |_, row| row.other_bind_failures.to_string()),
    ("sockets_created", |_, row| row.sockets_created.to_string()),
    ("sockets_closed", |_, row| row.sockets_closed.to_string()),
    ("ports_held_peak", |_, row| row.ports_held_peak.to_string()),
    ("ports_held_end", |_, row| row.ports_held_end.to_string()),
    ("owner_created_socket", |_, row| row.owner_source.created_socket.to_string()),
    ("owner_eprocess", |_, row| row.owner_source.eprocess.to_string()),
    ("owner_header_location", |_, row| row.owner_source.header_location.to_string()),
    ("owner_header_pid", |_, row| row.owner_source.header_pid.to_string()),
    ("owner_unknown", |_, row| row.owner_source.unknown.to_string()),
];

const FAILURES: [Column<StatusRow>; 5] = [
    ("operation", |_, row| row.operation.to_owned()),
    ("status", |_, row| word(&row.status)),
    ("name", |_, row| row.name.unwrap_or_default().to_owned()),
    ("is_exhaustion", |_, row| (row.status == NtStatus::TOO_MANY_ADDRESSES).to_string()),
    ("count", |_, row| row.count.to_string()),
];

const HOLDERS: [Column<HolderRow>; 20] = [
    ("pid", |report, row| number(report.processes.get(row.process).and_then(|process| process.pid))),
    ("image", |report, row| text(report.processes.get(row.process).and_then(|process| process.image.as_deref()))),
    ("services", |report, row| {
        report.processes.get(row.process).map(|process| cell(&process.services.join(" "))).unwrap_or_default()
    }),
    ("protocol", |report, row| of_pool(report, row.pool, |pool| word(&pool.protocol))),
    ("family", |report, row| of_pool(report, row.pool, |pool| word(&pool.family))),
    ("compartment", |report, row| of_pool(report, row.pool, |pool| number(pool.compartment))),
    ("local_address", |report, row| of_pool(report, row.pool, |pool| text(pool.local_address.as_deref()))),
    ("pool_start", |report, row| of_pool(report, row.pool, |pool| pool.start.to_string())),
    ("pool_count", |report, row| of_pool(report, row.pool, |pool| pool.count.to_string())),
    ("ports", |_, row| row.ports.to_string()),
    ("share_of_pool", |_, row| word(&row.share_of_pool)),
    ("evidence", |_, row| word(&row.evidence)),
    ("confidence", |_, row| word(&row.confidence)),
    ("pattern", |_, row| word(&row.pattern)),
    ("time_wait", |_, row| row.time_wait.to_string()),
    ("close_wait", |_, row| row.close_wait.to_string()),
    ("obtained", |_, row| row.obtained.to_string()),
    ("released", |_, row| row.released.to_string()),
    ("growth_per_minute", |_, row| word(&row.growth_per_minute)),
    ("ended", |_, row| row.ended.to_string()),
];

const IMAGES: [Column<ImageRow>; 13] = [
    ("image", |_, row| cell(&row.image)),
    ("services", |_, row| cell(&row.services.join(" "))),
    ("protocol", |report, row| of_pool(report, row.pool, |pool| word(&pool.protocol))),
    ("family", |report, row| of_pool(report, row.pool, |pool| word(&pool.family))),
    ("compartment", |report, row| of_pool(report, row.pool, |pool| number(pool.compartment))),
    ("local_address", |report, row| of_pool(report, row.pool, |pool| text(pool.local_address.as_deref()))),
    ("pool_count", |report, row| of_pool(report, row.pool, |pool| pool.count.to_string())),
    ("processes", |_, row| row.processes.to_string()),
    ("ports", |_, row| row.ports.to_string()),
    ("share_of_pool", |_, row| word(&row.share_of_pool)),
    ("bind_failures", |_, row| row.bind_failures.to_string()),
    ("pattern", |_, row| word(&row.pattern)),
    ("time_wait", |_, row| row.time_wait.to_string()),
];

const TIMELINE: [Column<TimelineStep>; 9] = [
    ("start", |_, row| time(Some(row.start))),
    ("seconds", |_, row| row.seconds.to_string()),
    ("binds_ok", |_, row| row.binds_ok.to_string()),
    ("bind_failures", |_, row| row.bind_failures.to_string()),
    ("connect_failures", |_, row| row.connect_failures.to_string()),
    ("closes", |_, row| row.closes.to_string()),
    ("ports_held", |_, row| row.ports_held.to_string()),
    ("occupied", |_, row| number(row.occupied)),
    ("by_holder", |report, row| {
        // PID and ports, as `7312:16300 5120:76`.
        let holder = |holder: &StepHolderRow| {
            let pid = report.processes.get(holder.process).and_then(|process| process.pid);
            format!("{}:{}", pid.map_or_else(|| "?".to_owned(), |pid| pid.to_string()), holder.ports)
        };
        row.by_holder.iter().map(holder).collect::<Vec<_>>().join(" ")
    }),
];

fn of_pool(report: &Report, pool: usize, value: impl Fn(&PoolRow) -> String) -> String {
    report.pools.get(pool).map(value).unwrap_or_default()
}

fn time(time: Option<FileTime>) -> String {
    time.and_then(FileTime::to_rfc3339).unwrap_or_default()
}

fn text(text: Option<&str>) -> String {
    text.map(cell).unwrap_or_default()
}

fn number(number: Option<impl ToString>) -> String {
    number.map(|number| number.to_string()).unwrap_or_default()
}

/// A word or number as JSON has it; nothing for `null`.
fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        Ok(serde_json::Value::Number(number)) => number.to_string(),
        _ => String::new(),
    }
}

/// Text from outside, so that no spreadsheet takes it for a formula and no terminal for a command.
pub(crate) fn cell(text: &str) -> String {
    let clean = crate::words::shown(text);
    if clean.starts_with(['=', '+', '-', '@', '\t', '\'']) { format!("'{clean}") } else { clean }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_text() {
        assert_eq!(cell("=1+1"), "'=1+1");
        assert_eq!(cell("@x"), "'@x");
        assert_eq!(cell("a=b"), "a=b");
        assert_eq!(
            cell("'=1"),
            "''=1",
            "what has an apostrophe of its own gets one too, so that taking one away is right"
        );
        assert_eq!(cell("\tx"), "\\u{9}x");
    }
}
