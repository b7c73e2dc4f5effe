//! The report's processes for spreadsheets: one row for each.

use std::io::{self, Write};

use super::Report;
use crate::time::FileTime;

const COLUMNS: [&str; 23] = [
    "pid",
    "image",
    "image_path",
    "image_source",
    "services",
    "roles",
    "started",
    "ended",
    "bind_failures",
    "connect_failures",
    "first_failure",
    "last_failure",
    "binds_ok",
    "other_bind_failures",
    "sockets_created",
    "sockets_closed",
    "ports_held_peak",
    "ports_held_end",
    "owner_created_socket",
    "owner_eprocess",
    "owner_header_location",
    "owner_header_pid",
    "owner_unknown",
];

/// Writes one row for each process, in the report's order, below a heading.
///
/// # Errors
///
/// The [`io::Error`] of `out`, as it is.
pub fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(COLUMNS)?;
    let time = |time: Option<FileTime>| time.and_then(FileTime::to_rfc3339).unwrap_or_default();
    let text = |text: &Option<String>| text.as_deref().map(cell).unwrap_or_default();
    for row in &report.processes {
        writer.write_record([
            row.pid.map(|pid| pid.to_string()).unwrap_or_default(),
            text(&row.image),
            text(&row.image_path),
            row.image_source.unwrap_or_default().to_owned(),
            cell(&row.services.join(" ")),
            row.roles.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(" "),
            time(row.started),
            time(row.ended),
            row.bind_failures.to_string(),
            row.connect_failures.to_string(),
            time(row.first_failure),
            time(row.last_failure),
            row.binds_ok.to_string(),
            row.other_bind_failures.to_string(),
            row.sockets_created.to_string(),
            row.sockets_closed.to_string(),
            row.ports_held_peak.to_string(),
            row.ports_held_end.to_string(),
            row.owner_source.created_socket.to_string(),
            row.owner_source.eprocess.to_string(),
            row.owner_source.header_location.to_string(),
            row.owner_source.header_pid.to_string(),
            row.owner_source.unknown.to_string(),
        ])?;
    }
    writer.flush()
}

/// Text from outside, so that no spreadsheet takes it for a formula and no terminal for a command.
pub(crate) fn cell(text: &str) -> String {
    let clean = crate::words::shown(text);
    if clean.starts_with(['=', '+', '-', '@']) { format!("'{clean}") } else { clean }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_text() {
        assert_eq!(cell("=1+1"), "'=1+1");
        assert_eq!(cell("@x"), "'@x");
        assert_eq!(cell("a=b"), "a=b");
        assert_eq!(cell("\tx"), "\\u{9}x");
    }
}
