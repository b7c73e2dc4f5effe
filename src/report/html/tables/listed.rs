//! What listings tell beside who holds, and failures of other kinds.

use super::{TOP, bounded, row};
use crate::diagnosis::StatusMeaning;
use crate::report::html::cell::{Cell, Column, Table};
use crate::report::text::procedure::process;
use crate::report::wording::name;
use crate::report::wording::per_minute;
use crate::report::{AddressUse, ProcedureRow, Report, StatusRow, TrendRow};
use crate::status::NtStatus;

/// How sockets changed from listing to listing.
pub(in crate::report::html) fn trends(report: &Report) -> Option<Table> {
    let samples = report.trends.iter().map(|trend| trend.samples).max()?;
    let line = |(index, trend): (usize, &TrendRow)| {
        let pointer = format!("/trends/{index}");
        let at = |field: &str| format!("{pointer}/{field}");
        let known = trend.process.and_then(|index| Some((index, report.processes.get(index)?)));
        let process = match known {
            Some((index, row)) => Cell::text(name(row)).at(format!("/processes/{index}/image")),
            None if trend.state.as_deref() == Some("TIME_WAIT") => Cell::text("(no owner any more)"),
            None => Cell::text("(name unknown)"),
        };
        let state = match &trend.state {
            Some(state) => Cell::text(state).at(at("state")),
            None => Cell::text(trend.protocol.name()),
        };
        let cells = vec![
            process,
            Cell::text(trend.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string())).at(at("pid")),
            state,
            Cell::number(trend.first).at(at("first")),
            Cell::number(trend.last).at(at("last")),
            Cell::number(trend.peak).at(at("peak")),
            Cell::text(trend.per_minute.map(per_minute).unwrap_or_default()).at(at("per_minute")),
        ];
        row(pointer, cells)
    };
    let table = Table {
        id: "trends".to_owned(),
        caption: format!("sockets in {samples} listings, those first that change most"),
        columns: vec![
            Column::text("Process"),
            Column::number("PID", ""),
            Column::text("State"),
            Column::number("First", "sockets"),
            Column::number("Last", "sockets"),
            Column::number("Most", "sockets"),
            Column::number("Change", "sockets/min"),
        ],
        rows: report.trends.iter().enumerate().map(line).collect(),
        left_out: None,
    };
    bounded(table, TOP)
}

/// The classic procedure.
pub(in crate::report::html) fn procedure(report: &Report) -> Option<Table> {
    let rows = || report.procedure.iter().enumerate().filter(|(_, row)| row.is_notable());
    let line = |(index, told): (usize, &ProcedureRow)| {
        let pointer = format!("/procedure/{index}");
        let at = |field: &str| format!("{pointer}/{field}");
        let image = if told.image.is_some() && told.pid.is_some() { at("image") } else { String::new() };
        let remarks: Vec<&str> = told.remarks.iter().map(|remark| remark.phrase()).collect();
        let cells = vec![
            Cell::text(process(told)).at(image),
            Cell::text(told.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string())).at(at("pid")),
            Cell::number(told.bound).at(at("bound")),
            Cell::number(told.close_wait).at(at("close_wait")),
            Cell::number(told.time_wait).at(at("time_wait")),
            Cell::number(told.established).at(at("established")),
            Cell::optional(told.handles).at(at("handles")),
            Cell::optional(told.afd_handles).at(at("afd_handles")),
            Cell::text(remarks.join(", ")),
        ];
        row(pointer, cells)
    };
    let table = Table {
        id: "procedure".to_owned(),
        caption: "sockets by state, and handles, when last listed".to_owned(),
        columns: vec![
            Column::text("Process"),
            Column::number("PID", ""),
            Column::number("BOUND", "sockets"),
            Column::number("CLOSE_WAIT", "sockets"),
            Column::number("TIME_WAIT", "sockets"),
            Column::number("Connected", "sockets"),
            Column::number("Handles", ""),
            Column::number("Of AFD", "handles"),
            Column::text("Remarks"),
        ],
        rows: rows().map(line).collect(),
        left_out: None,
    };
    bounded(table, TOP)
}

/// Ports in use by local address.
pub(in crate::report::html) fn address_use(report: &Report) -> Option<Table> {
    let line = |(index, told): (usize, &AddressUse)| {
        let pointer = format!("/address_use/{index}");
        let at = |field: &str| format!("{pointer}/{field}");
        let cells = vec![
            Cell::text(told.local_address.to_string()).at(at("local_address")),
            Cell::number(told.samples as u64).at(at("samples")),
            Cell::number(told.first).at(at("first")),
            Cell::number(told.last).at(at("last")),
            Cell::number(told.peak).at(at("peak")),
            Cell::number(told.max).at(at("max")),
            Cell::part(told.last.into(), told.max.into(), &pointer, &["max"]).at(at("last")),
        ];
        row(pointer, cells)
    };
    let table = Table {
        id: "address-use".to_owned(),
        caption: "dynamic ports, as a script counted them".to_owned(),
        columns: vec![
            Column::text("Local address"),
            Column::number("Counts", ""),
            Column::number("First", "ports"),
            Column::number("Last", "ports"),
            Column::number("Most", "ports"),
            Column::number("There are", "ports"),
            Column::number("Last in use", ""),
        ],
        rows: report.address_use.iter().enumerate().map(line).collect(),
        left_out: None,
    };
    bounded(table, TOP)
}

/// Failures that are no exhaustion.
pub(in crate::report::html) fn other_failures(report: &Report) -> Option<Table> {
    let all = report.failures.by_status.iter().enumerate();
    let others = all.filter(|(_, row)| row.status != NtStatus::TOO_MANY_ADDRESSES);
    let line = |(index, told): (usize, &StatusRow)| {
        let pointer = format!("/failures/by_status/{index}");
        let at = |field: &str| format!("{pointer}/{field}");
        let cells = vec![
            Cell::text(told.name.unwrap_or("unknown status")).at(at("name")),
            Cell::text(told.status.to_string()).at(at("status")),
            Cell::text(told.operation).at(at("operation")),
            Cell::number(told.count).at(at("count")),
            Cell::text(told.meaning.map(StatusMeaning::phrase).unwrap_or_default()),
        ];
        row(pointer, cells)
    };
    let table = Table {
        id: "other-failures".to_owned(),
        caption: "not port exhaustion, counted apart".to_owned(),
        columns: vec![
            Column::text("Status"),
            Column::text("Number"),
            Column::text("Operation"),
            Column::number("Count", ""),
            Column::text("Meaning"),
        ],
        rows: others.map(line).collect(),
        left_out: None,
    };
    bounded(table, TOP)
}
