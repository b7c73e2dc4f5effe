//! Where output goes, and what is told on standard error beside it.

use std::collections::HashSet;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anstream::adapter::strip_bytes;
use anstream::{AutoStream, ColorChoice};

use super::Failure;
use crate::case::{Case, NotUsed, label};
use crate::cli::{Color, Common, CsvTable, Look, NARROWEST, Output, ReportFormat, TimeZone};
use crate::output::{Unfinished, folder_of};
use crate::report::text::{DEFAULT_WIDTH, Layout};
use crate::report::{Format, Report, csv};
use crate::terminal;
use crate::time::{FileTime, Zone};
use crate::words::ascii;

/// What is written must replace neither an input nor a file of keys.
pub(super) fn refuse_to_overwrite<'p>(
    outputs: impl IntoIterator<Item = &'p PathBuf>,
    case: &Case,
    keys: &[&Option<PathBuf>],
) -> Result<(), Failure> {
    for output in outputs {
        if let Some(input) = case.input_at(output) {
            return Err(Failure::Usage(format!("{input}: is an input, and would be overwritten by the report")));
        }
        refuse_to_overwrite_key(output, keys)?;
    }
    Ok(())
}

/// What is written must not replace a file of keys.
pub(super) fn refuse_to_overwrite_key(output: &Path, keys: &[&Option<PathBuf>]) -> Result<(), Failure> {
    let is_same = |one: &Path, other: &Path| match (std::fs::canonicalize(one), std::fs::canonicalize(other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    };
    match keys.iter().copied().flatten().find(|key| is_same(key, output)) {
        Some(key) => Err(Failure::Usage(format!("{}: is the key, and would be overwritten by the report", label(key)))),
        None => Ok(()),
    }
}

/// A report to write.
#[derive(Debug)]
pub(super) struct Target {
    /// The file; `None` for standard output.
    path: Option<PathBuf>,
    format: Format,
}

impl Target {
    /// One for each path, or for standard output: in the format asked for, else in that of the ending, else as text.
    pub(super) fn all(
        paths: &[PathBuf],
        format: Option<ReportFormat>,
        table: Option<CsvTable>,
        compact: bool,
    ) -> Result<Vec<Self>, Failure> {
        let report_format = |format| match (report_format(format), table) {
            (Format::Csv, Some(table)) => Format::CsvTable(table.of_report()),
            (Format::Json, _) if compact => Format::JsonLine,
            (format, _) => format,
        };
        let named = |path: &PathBuf| {
            let by_ending = || ReportFormat::by_ending(path);
            Self { path: file(Some(path)).map(Path::to_owned), format: report_format(format.or_else(by_ending)) }
        };
        let mut seen = HashSet::new();
        if let Some(twice) = paths.iter().find(|path| !seen.insert(place_of(path))) {
            return Err(Failure::Usage(format!("--output {} is given twice", label(twice))));
        }
        let mut targets: Vec<Self> = paths.iter().map(named).collect();
        if targets.is_empty() {
            targets.push(Self { path: None, format: report_format(format) });
        }
        if table.is_some() && !targets.iter().any(Self::is_csv) {
            return Err(Failure::Usage("--table is for CSV: add -f csv, or an --output that ends in .csv".to_owned()));
        }
        if compact && !targets.iter().any(|target| target.format == Format::JsonLine) {
            return Err(Failure::Usage(
                "--compact is for JSON: add -f json, or an --output that ends in .json".to_owned(),
            ));
        }
        Ok(targets)
    }

    fn is_csv(&self) -> bool {
        matches!(self.format, Format::Csv | Format::CsvTable(_))
    }

    /// What stands before the report.
    fn mark(&self) -> &'static [u8] {
        if self.is_csv() { csv_mark(self.path.as_deref()) } else { &[] }
    }

    /// Whether it can be written; better known before an analysis than after.
    pub(super) fn check_writable(&self) -> Result<(), Failure> {
        let Some(path) = &self.path else { return Ok(()) };
        check_writable(path).map_err(|error| Failure::output(path, error))
    }

    /// The same report on standard output.
    pub(super) fn printed(&self) -> Self {
        Self { path: None, format: self.format }
    }

    /// Its path, where it is a device or pipe, which no file can replace.
    fn device(&self) -> Option<&Path> {
        self.path.as_deref().filter(|path| is_device(path))
    }
}

/// What stands before CSV: Excel takes a file without it for text in the machine's code page. Programs read a pipe.
pub(super) fn csv_mark(output: Option<&Path>) -> &'static [u8] {
    if output.is_some_and(|path| !is_device(path)) { csv::BYTE_ORDER_MARK } else { &[] }
}

fn report_format(format: Option<ReportFormat>) -> Format {
    match format {
        None | Some(ReportFormat::Text) => Format::Text,
        Some(ReportFormat::Markdown) => Format::Markdown,
        Some(ReportFormat::Html) => Format::Html,
        Some(ReportFormat::Json) => Format::Json,
        Some(ReportFormat::Csv) => Format::Csv,
    }
}

/// What two names of one file have in common, also of one that is not there yet.
fn place_of(path: &Path) -> PathBuf {
    let in_folder = || Some(std::fs::canonicalize(folder_of(path)).ok()?.join(path.file_name()?));
    let place = file(Some(path)).and_then(|path| std::fs::canonicalize(path).ok()).or_else(in_folder);
    place.unwrap_or_else(|| path.to_owned())
}

fn is_device(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir())
}

/// Whether a file can be made beside `path`, as writing it will.
pub(super) fn check_writable(path: &Path) -> io::Result<()> {
    if is_device(path) {
        return Ok(());
    }
    if path.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    // Without a name where the system has such files: an interrupt leaves nothing then.
    tempfile::tempfile_in(folder_of(path)).map(drop)
}

/// Writes one report to each target: the files appear together, when all are whole.
pub(super) fn write_reports(targets: &[Target], color: Color, look: &Look, report: &Report) -> Result<(), Failure> {
    let mut rendered = Vec::new();
    for target in targets {
        let format = target.format;
        let kind = match format {
            Format::Text => Kind::Styled,
            Format::Markdown => Kind::Prose,
            _ => Kind::Data,
        };
        let bytes = render(target.path.is_some(), color, kind, |out, columns| {
            out.write_all(target.mark())?;
            report.write_with(format, layout(look, columns), out)
        })?;
        rendered.push((target, bytes));
    }
    let (files, others): (Vec<_>, Vec<_>) =
        rendered.iter().partition(|(target, _)| target.path.is_some() && target.device().is_none());
    let files: Vec<(&Path, &[u8])> =
        files.into_iter().filter_map(|(target, bytes)| Some((target.path.as_deref()?, bytes.as_slice()))).collect();
    let mut is_pipe_closed = false;
    let unfinished = Unfinished::default();
    if !files.is_empty() {
        terminal::remove_on_interrupt(&unfinished);
    }
    let written = unfinished.write_all_whole(&files, || {
        for (target, bytes) in others {
            match write_through(target.path.as_deref(), |out| out.write_all(bytes)) {
                // Whoever reads one output may leave before the others are there.
                Err(Failure::ClosedPipe) => is_pipe_closed = true,
                result => result.map_err(NotWritten::Other)?,
            }
        }
        Ok(())
    });
    match written {
        Ok(()) if is_pipe_closed => Err(Failure::ClosedPipe),
        Ok(()) => Ok(()),
        Err(NotWritten::Other(failure)) => Err(failure),
        Err(NotWritten::File(number, error)) => {
            Err(Failure::output(files.get(number).map_or(Path::new("-"), |(path, _)| path), error))
        }
    }
}

/// Why not all targets were written.
enum NotWritten {
    File(usize, io::Error),
    Other(Failure),
}

impl From<(usize, io::Error)> for NotWritten {
    fn from((number, error): (usize, io::Error)) -> Self {
        Self::File(number, error)
    }
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
pub(super) fn file(output: Option<&Path>) -> Option<&Path> {
    output.filter(|path| *path != Path::new("-"))
}

/// Who reads an output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// People, who may like colors.
    Styled,
    /// People, and programs that lay it out for them.
    Prose,
    /// Programs.
    Data,
}

/// Lets `write` write the whole output, told how many columns the terminal has that it goes to, if it does.
fn render(
    to_file: bool,
    color: Color,
    kind: Kind,
    write: impl FnOnce(&mut dyn Write, Option<usize>) -> io::Result<()>,
) -> Result<Vec<u8>, Failure> {
    let choice = match color {
        _ if kind != Kind::Styled => ColorChoice::Never,
        Color::Always => ColorChoice::Always,
        Color::Never => ColorChoice::Never,
        Color::Auto if to_file => ColorChoice::Never,
        Color::Auto => terminal::color_choice(),
    };
    let columns = if to_file { None } else { terminal::columns() };
    let is_ascii = kind != Kind::Data && !to_file && terminal::is_ascii_alone();
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
    if is_ascii {
        bytes = ascii(&String::from_utf8_lossy(&bytes)).into_bytes();
    }
    Ok(bytes)
}

/// Writes the whole output at once: to the file, which appears whole or not at all, or to standard output.
pub(super) fn write_output(
    output: &Output,
    color: Color,
    is_text: bool,
    write: impl FnOnce(&mut dyn Write, Option<usize>) -> io::Result<()>,
) -> Result<(), Failure> {
    let kind = if is_text { Kind::Styled } else { Kind::Data };
    let bytes = render(file(output.output.as_deref()).is_some(), color, kind, write)?;
    stream_output(output, |out| out.write_all(&bytes))
}

/// Lets `write` write as it goes: to the file, which appears whole or not at all, or to standard output.
pub(super) fn stream_output<T>(
    output: &Output,
    write: impl FnOnce(&mut dyn Write) -> io::Result<T>,
) -> Result<T, Failure> {
    match file(output.output.as_deref()).filter(|path| !is_device(path)) {
        Some(path) => into_file(path, write).map_err(|error| Failure::output(path, error)),
        None => write_through(file(output.output.as_deref()), write),
    }
}

/// Lets `write` write to a device or pipe, or to standard output.
fn write_through<T>(device: Option<&Path>, write: impl FnOnce(&mut dyn Write) -> io::Result<T>) -> Result<T, Failure> {
    if let Some(path) = device {
        let write = || {
            let mut out = BufWriter::new(std::fs::OpenOptions::new().write(true).open(path)?);
            let result = write(&mut out)?;
            out.flush().map(|()| result)
        };
        return write().map_err(|error| Failure::output(path, error));
    }
    let mut stdout = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let result = write(&mut stdout).and_then(|result| stdout.flush().map(|()| result));
    result.map_err(Failure::stdout)
}

fn into_file<T>(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<T>) -> io::Result<T> {
    let unfinished = Unfinished::default();
    terminal::remove_on_interrupt(&unfinished);
    unfinished.write_whole(path, |file| {
        let mut out = BufWriter::new(file);
        let result = write(&mut out)?;
        out.flush().map(|()| result)
    })
}

/// The zone in which people are shown times, of what begins at `begin` on a server with the zone `server`; and what is to be said
/// where the one asked for is not known.
pub(super) fn zone(asked: TimeZone, server: Option<Zone>, begin: Option<FileTime>) -> (Zone, Option<&'static str>) {
    let (zone, remark) = match asked {
        TimeZone::Fixed(zone) => (Some(zone), ""),
        TimeZone::Server => (server, "no trace tells the server's time zone: times are UTC"),
        TimeZone::Local => (terminal::local_zone(begin), "this computer does not tell its time zone: times are UTC"),
    };
    (zone.unwrap_or_default(), zone.is_none().then_some(remark))
}

/// Sets the zone in which people are shown times; gives what is to be said where it is not known.
pub(super) fn set_zone(report: &mut Report, asked: TimeZone) -> Option<&'static str> {
    let (zone, remark) = zone(asked, report.server_zone(), report.begin());
    report.zone = zone;
    remark
}

/// Tells a remark on standard error.
pub(super) fn tell(common: &Common, remark: &str) {
    if !common.quiet {
        let _ = writeln!(io::stderr(), "outofports: {remark}");
    }
}

pub(super) fn warn(common: &Common, unusable: &[NotUsed]) {
    for not_used in unusable {
        tell(common, &format!("{not_used}; not used"));
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
