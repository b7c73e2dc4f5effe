//! Events as text: one line for each, in the order in which a session delivers them.

use std::error::Error;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use etl_parser::{EtlFile, EventHeader, Guid, Record, RecordHeader, Trace};

/// A session's buffers are flushed each second, in 100 ns.
const FLUSH_100NS: i64 = 10_000_000;

/// Microsoft-Windows-Kernel-Process.
const KERNEL_PROCESS: Guid = Guid::from_u128(0x22fb_2cd6_0e7b_422b_a0c7_2fad_1fd0_e716);

/// Writes the manifest events of `trace` to `out`.
pub(crate) fn write(trace: &Path, out: &Path, stretch: i64) -> Result<(), Box<dyn Error>> {
    let file = EtlFile::open(trace)?;
    let trace = Trace::new(file.bytes())?;
    let mut lines: Vec<(i64, String)> = Vec::new();
    let mut scratch = Vec::new();
    for position in trace.reading_order() {
        for record in trace.buffer(position, &mut scratch)?.records() {
            lines.extend(line(&trace, &record?, stretch));
        }
    }
    // Second by second; within each, buffer by buffer.
    lines.sort_by_key(|(time, _)| time.div_euclid(FLUSH_100NS));
    let mut out = BufWriter::new(File::create(out)?);
    writeln!(out, "# started {}", trace.header().start_time)?;
    writeln!(out, "# provider id version level keywords pid cpu pointer-bytes time times-within payload")?;
    for (_, line) in &lines {
        writeln!(out, "{line}")?;
    }
    out.flush()?;
    println!("{} events", lines.len());
    Ok(())
}

fn line(trace: &Trace<'_>, record: &Record<'_>, stretch: i64) -> Option<(i64, String)> {
    let Ok(RecordHeader::Event(header)) = record.header() else { return None };
    let start = trace.header().start_time;
    let time = start + (trace.clock().file_time(header.ticks).0 - start) * stretch;
    let mut line = format!(
        "{} {} {} {} {:x} {} {} {} {time} {} ",
        header.provider,
        header.id,
        header.version,
        header.level,
        header.keyword,
        header.process_id.unwrap_or(u32::MAX),
        record.cpu(),
        record.pointer_size()?.bytes(),
        times_within(&header),
    );
    for byte in record.user_data().ok()? {
        let _ = write!(line, "{byte:02x}");
    }
    Some((time, line))
}

/// Where in the payload times stand, which are shifted with the event: creation and end of a process. Source: the manifests of
/// Windows 7 to 11.
fn times_within(header: &EventHeader) -> &'static str {
    match (header.provider == KERNEL_PROCESS, header.id, header.version) {
        (true, 1, 0..=2) | (true, 15, 0) => "4",
        (true, 1 | 15, _) => "12",
        (true, 2, 0..=1) => "4,12",
        (true, 2, _) => "12,20",
        _ => "-",
    }
}
