//! Where output goes, and what is told on standard error beside it.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anstream::adapter::strip_bytes;
use anstream::{AutoStream, ColorChoice};

use super::Failure;
use crate::case::{NotUsed, label};
use crate::cli::{Color, Common, Look, NARROWEST, ReportFormat};
use crate::output::Unfinished;
use crate::report::text::{DEFAULT_WIDTH, Layout};
use crate::report::{Format, Report};
use crate::terminal;

/// A report must not replace what it is about.
pub(super) fn refuse_to_overwrite(common: &Common, inputs: &[PathBuf]) -> Result<(), Failure> {
    let Some(output) = common.output.as_ref().and_then(|path| std::fs::canonicalize(path).ok()) else { return Ok(()) };
    match inputs.iter().find(|input| std::fs::canonicalize(input).is_ok_and(|input| input == output)) {
        Some(input) => {
            Err(Failure::Usage(format!("{}: is an input, and would be overwritten by the report", label(input))))
        }
        None => Ok(()),
    }
}

pub(super) fn write_report(common: &Common, format: ReportFormat, look: &Look, report: &Report) -> Result<(), Failure> {
    let format = match format {
        ReportFormat::Text => Format::Text,
        ReportFormat::Markdown => Format::Markdown,
        ReportFormat::Html => Format::Html,
        ReportFormat::Json => Format::Json,
        ReportFormat::Csv => Format::Csv,
    };
    write_output(common, format == Format::Text, |out, terminal| report.write_with(format, layout(look, terminal), out))
}

/// How wide sentences are on a terminal with so many columns, or in a file.
pub(super) fn sentence_width(terminal: Option<usize>) -> usize {
    terminal.map_or(DEFAULT_WIDTH, |columns| columns.clamp(NARROWEST, DEFAULT_WIDTH))
}

/// How the text report is laid out: as wide as asked for, else by the terminal with so many columns, else as in a file.
fn layout(look: &Look, terminal: Option<usize>) -> Layout {
    let asked = look.width.map(usize::from);
    Layout {
        width: asked.unwrap_or_else(|| sentence_width(terminal)),
        table_width: asked.or(terminal.map(|columns| columns.max(NARROWEST))),
        top: look.top.max(1),
        is_ascii: look.ascii,
    }
}

/// The file that output goes to; `None` for standard output.
fn file(common: &Common) -> Option<&Path> {
    common.output.as_deref().filter(|path| *path != Path::new("-"))
}

/// Writes the whole output at once, told how many columns the terminal has that it goes to, if it does: to the file, which appears whole or not at all, or to standard output.
pub(super) fn write_output(
    common: &Common,
    is_text: bool,
    write: impl FnOnce(&mut dyn Write, Option<usize>) -> io::Result<()>,
) -> Result<(), Failure> {
    let to_file = file(common).is_some();
    let choice = match common.color {
        _ if !is_text => ColorChoice::Never,
        Color::Always => ColorChoice::Always,
        Color::Never => ColorChoice::Never,
        Color::Auto if to_file => ColorChoice::Never,
        Color::Auto => AutoStream::choice(&io::stdout()),
    };
    let columns = if to_file { None } else { terminal::columns() };
    let mut bytes = Vec::new();
    if choice == ColorChoice::Never {
        write(&mut bytes, columns).map_err(Failure::stdout)?;
        // Looking for escape sequences takes longer than all of a small trace.
        if !bytes.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\n' | b'\r' | b'\t')) {
            bytes = strip_bytes(&bytes).into_vec();
        }
    } else {
        let mut styled = AutoStream::new(bytes, choice);
        write(&mut styled, columns).map_err(Failure::stdout)?;
        bytes = styled.into_inner();
    }
    stream_output(common, |out| out.write_all(&bytes))
}

/// Lets `write` write as it goes: to the file, which appears whole or not at all, or to standard output.
pub(super) fn stream_output<T>(
    common: &Common,
    write: impl FnOnce(&mut dyn Write) -> io::Result<T>,
) -> Result<T, Failure> {
    match file(common) {
        Some(path) => into_file(path, write).map_err(|error| Failure::output(path, error)),
        None => {
            let mut stdout = BufWriter::with_capacity(1 << 16, io::stdout().lock());
            let result = write(&mut stdout).and_then(|result| stdout.flush().map(|()| result));
            result.map_err(Failure::stdout)
        }
    }
}

fn into_file<T>(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<T>) -> io::Result<T> {
    // A pipe or a device cannot be replaced by a file.
    if std::fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
        let mut out = BufWriter::new(std::fs::OpenOptions::new().write(true).open(path)?);
        let result = write(&mut out)?;
        return out.flush().map(|()| result);
    }
    let unfinished = Unfinished::default();
    terminal::remove_on_interrupt(&unfinished);
    unfinished.write_whole(path, |file| {
        let mut out = BufWriter::new(file);
        let result = write(&mut out)?;
        out.flush().map(|()| result)
    })
}

pub(super) fn warn(common: &Common, unusable: &[NotUsed]) {
    if !common.quiet {
        for not_used in unusable {
            let _ = writeln!(io::stderr(), "outofports: {not_used}; not used");
        }
    }
}

/// Tells how many traces of how many bytes were read since `started`, with `--verbose`.
pub(super) fn tell_speed(common: &Common, traces: usize, bytes: u64, started: Instant) {
    if !common.verbose || common.quiet {
        return;
    }
    let seconds = started.elapsed().as_secs_f64();
    let _ = writeln!(
        io::stderr(),
        "outofports: {traces} traces, {bytes} bytes in {seconds:.3} s, {:.0} MB/s",
        bytes as f64 / 1e6 / seconds.max(1e-9)
    );
}
