//! The report as one JSON document.

use std::io::{self, Write};

use serde::Serialize;

/// Writes `document`, indented, with a line feed at its end.
///
/// # Errors
///
/// What writing says.
pub fn write(document: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, document)?;
    out.write_all(b"\n")
}
