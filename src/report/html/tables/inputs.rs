//! What was read.

use super::{MOST, bounded, row};
use crate::case::SideInput;
use crate::net::Family;
use crate::report::html::cell::{Cell, Column, Table};
use crate::report::wording::machine;
use crate::report::{DynamicRow, ExcludedRow, Report, TraceSummary, UnknownVersionRow};

/// The traces.
pub(in crate::report::html) fn traces(report: &Report) -> Option<Table> {
    let line = |(index, trace): (usize, &TraceSummary)| {
        let pointer = format!("/traces/{index}");
        let at = |field: &str| format!("{pointer}/{field}");
        let cells = vec![
            Cell::text(&trace.path).at(at("path")),
            Cell::text(machine(trace)),
            Cell::day_and_time(trace.started, report.zone).at(at("started")),
            Cell::day_and_time(trace.ended, report.zone).at(at("ended")),
            Cell::number(trace.bytes).at(at("bytes")),
            Cell::number(trace.buffers).at(at("buffers")),
            Cell::number(trace.buffers_damaged).at(at("buffers_damaged")),
            Cell::number(trace.records).at(at("records")),
            Cell::number(trace.events_lost).at(at("events_lost")),
            Cell::number(trace.buffers_lost).at(at("buffers_lost")),
        ];
        row(pointer, cells)
    };
    let table = Table {
        id: "traces".to_owned(),
        caption: "traces".to_owned(),
        columns: vec![
            Column::text("Trace"),
            Column::text("System"),
            Column::time("Started", report.zone),
            Column::time("Ended", report.zone),
            Column::number("Size", "bytes"),
            Column::number("Buffers", ""),
            Column::number("Damaged", "buffers"),
            Column::number("Records", ""),
            Column::number("Lost", "events"),
            Column::number("Lost", "buffers"),
        ],
        rows: report.traces.iter().enumerate().map(line).collect(),
        left_out: None,
    };
    bounded(table, MOST)
}

/// The side files.
pub(in crate::report::html) fn side_files(report: &Report) -> Option<Table> {
    let line = |(index, side): (usize, &SideInput)| {
        let pointer = format!("/side_inputs/{index}");
        let at = |field: &str| format!("{pointer}/{field}");
        let cells = vec![
            Cell::text(&side.path).at(at("path")),
            Cell::text(side.kind).at(at("kind")),
            Cell::text(if side.used { "yes" } else { "no" }).at(at("used")),
            Cell::optional(side.rows).at(at("rows")),
            Cell::optional(side.rows_not_understood).at(at("rows_not_understood")),
            Cell::text(side.note.as_deref().unwrap_or("")).at(at("note")),
        ];
        row(pointer, cells)
    };
    let table = Table {
        id: "side-files".to_owned(),
        caption: "side files".to_owned(),
        columns: vec![
            Column::text("File"),
            Column::text("Kind"),
            Column::text("Used"),
            Column::number("Rows", ""),
            Column::number("Not understood", "rows"),
            Column::text("Note"),
        ],
        rows: report.side_inputs.iter().enumerate().map(line).collect(),
        left_out: None,
    };
    bounded(table, MOST)
}

fn family(family: Option<Family>) -> &'static str {
    family.map_or("IPv4 and IPv6", Family::name)
}

/// Dynamic port ranges that listings told.
pub(in crate::report::html) fn ranges(report: &Report) -> Option<Table> {
    let line = |(index, range): (usize, &DynamicRow)| {
        let pointer = format!("/dynamic_ports/{index}");
        let at = |field: &str| format!("{pointer}/{field}");
        let cells = vec![
            Cell::text(range.protocol.name()),
            Cell::text(family(range.family)),
            Cell::text(range.start.to_string()).at(at("start")),
            Cell::number(range.count).at(at("count")),
        ];
        row(pointer, cells)
    };
    let table = Table {
        id: "ranges".to_owned(),
        caption: "dynamic port ranges, as listings tell them".to_owned(),
        columns: vec![
            Column::text("Protocol"),
            Column::text("Family"),
            Column::number("First port", ""),
            Column::number("Count", "ports"),
        ],
        rows: report.dynamic_ports.iter().enumerate().map(line).collect(),
        left_out: None,
    };
    bounded(table, MOST)
}

/// Excluded ranges.
pub(in crate::report::html) fn excluded(report: &Report) -> Option<Table> {
    let line = |(index, range): (usize, &ExcludedRow)| {
        let pointer = format!("/excluded_ports/{index}");
        let at = |field: &str| format!("{pointer}/{field}");
        let cells = vec![
            Cell::text(range.protocol.name()),
            Cell::text(family(range.family)),
            Cell::text(range.start.to_string()).at(at("start")),
            Cell::text(range.end.to_string()).at(at("end")),
            Cell::text(if range.administered { "yes" } else { "no" }).at(at("administered")),
        ];
        row(pointer, cells)
    };
    let table = Table {
        id: "excluded".to_owned(),
        caption: "excluded ports, as listings tell them".to_owned(),
        columns: vec![
            Column::text("Protocol"),
            Column::text("Family"),
            Column::number("First port", ""),
            Column::number("Last port", ""),
            Column::text("By an administrator"),
        ],
        rows: report.excluded_ports.iter().enumerate().map(line).collect(),
        left_out: None,
    };
    bounded(table, MOST)
}

/// Events in versions that nothing describes.
pub(in crate::report::html) fn unknown_versions(report: &Report) -> Option<Table> {
    let line = |(index, told): (usize, &UnknownVersionRow)| {
        let pointer = format!("/coverage/unknown_versions/{index}");
        let at = |field: &str| format!("{pointer}/{field}");
        let cells = vec![
            Cell::text(&told.provider).at(at("provider")),
            Cell::text(told.id.to_string()).at(at("id")),
            Cell::number(told.version).at(at("version")),
            Cell::number(told.records).at(at("records")),
        ];
        row(pointer, cells)
    };
    let table = Table {
        id: "unknown-versions".to_owned(),
        caption: "events in versions that nothing describes: not read".to_owned(),
        columns: vec![
            Column::text("Provider"),
            Column::number("Event", ""),
            Column::number("Version", ""),
            Column::number("Records", ""),
        ],
        rows: report.coverage.unknown_versions.iter().enumerate().map(line).collect(),
        left_out: None,
    };
    bounded(table, MOST)
}
