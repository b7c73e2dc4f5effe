//! Connects the steps: options in, report out, and the exit code.

mod live;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anstream::{AutoStream, ColorChoice};
use etl_parser::{Guid, Trace};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rayon::ThreadPool;

use crate::case::indexing::{self, Indexed};
use crate::case::{Case, InputKind, TraceFile, label};
use crate::cli::{Analyze, Cli, Color, Command, Common, EventFormat, Events, Info, InfoFormat, ReportFormat};
use crate::diagnosis::verdict::State;
use crate::error::Error;
use crate::events::{self, CsvWriter, EventWriter, Filter, NdjsonWriter, TextWriter};
use crate::info;
use crate::machine::pools::PoolRanges;
use crate::machine::{Analysis, Setting};
use crate::output;
use crate::pipeline::coverage::Coverage;
use crate::pipeline::{self, Progress, TimeOrder};
use crate::providers::afd;
use crate::report::{self, Facts, Report, TraceFacts, json, text};
use crate::time::FileTime;

/// How a run ended that wrote what it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Everything could be used.
    Complete,
    /// Some input could not be used.
    Incomplete,
    /// With `--fail-on-verdict`: the verdict.
    Verdict(State),
}

impl Outcome {
    /// The program's exit code.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Complete | Self::Verdict(State::NotSeen) => 0,
            Self::Incomplete => 1,
            Self::Verdict(State::Exhausted) => 10,
            Self::Verdict(State::Near) => 11,
            Self::Verdict(State::CannotTell) => 20,
        }
    }
}

/// Does what the command line asks for.
///
/// # Errors
///
/// Where there is no report: nothing to read, or no way to write.
pub fn run(cli: &Cli) -> Result<Outcome, Error> {
    match &cli.command {
        Command::Analyze(options) => analyze(options),
        Command::Events(options) => list_events(options),
        Command::Info(options) => show_info(options),
        Command::Live(options) => live::live(options),
        Command::Collect(options) => live::collect(options),
    }
}

/// Provider GUIDs of a trace that are told apart. A capture of everything has some hundred; damage can make up one for each
/// record.
const MAX_PROVIDERS: usize = 1 << 16;

fn analyze(options: &Analyze) -> Result<Outcome, Error> {
    let started = Instant::now();
    let case = Case::open(&options.inputs, &options.side.named());
    refuse_to_overwrite(&options.common, &options.inputs)?;
    let Case { traces: files, side_inputs, side, mut unusable, mut notes, inputs, .. } = case;
    let pool = threads(&options.common)?;
    let opened = open_traces(&pool, &files, &inputs, &mut unusable, &mut notes);
    let (labels, traces): (Vec<_>, Vec<_>) =
        opened.into_iter().map(|opened| ((opened.path, opened.input), opened.trace)).unzip();
    if traces.is_empty() && !side_inputs.iter().any(|side| side.used) {
        return Err(nothing_to_read(unusable, notes));
    }
    let mut coverages: Vec<Coverage> = traces.iter().map(Coverage::of_index).collect();
    let mut providers: Vec<BTreeSet<Guid>> = vec![BTreeSet::new(); traces.len()];
    let boots = boots(&traces);
    let mut analysis = Analysis::new(Setting {
        boots: boots.clone(),
        bounds: bounds(&traces),
        ranges: PoolRanges::new(options.pool, &side.dynamic_ports),
    });
    let mut order = TimeOrder::default();
    with_progress(&pool, &options.common, &traces, |progress| {
        for boot in by_boot(&boots, &traces) {
            pipeline::scan_some(
                &traces,
                &boot,
                progress,
                |number, trace, buffer| {
                    let mut seen: HashSet<Guid> = HashSet::new();
                    let mut last = None;
                    let events = pipeline::read_events(number, trace, buffer, |record| {
                        let guid = record.header_guid();
                        if guid != last {
                            last = guid;
                            seen.extend(guid);
                        }
                    });
                    (events, seen)
                },
                |number, (mut events, seen), not_before| {
                    if let (Some(coverage), Some(providers)) = (coverages.get_mut(number), providers.get_mut(number)) {
                        coverage.add(std::mem::take(&mut events.coverage));
                        for provider in seen.into_iter().filter(|provider| *provider != afd::PROVIDER) {
                            // One more shows that there are too many.
                            if providers.len() <= MAX_PROVIDERS {
                                providers.insert(provider);
                            }
                        }
                    }
                    order.push(number, events);
                    order.release(not_before, |meta, event| analysis.observe(meta, event));
                },
            );
        }
    });
    let whole = coverages.iter().all(Coverage::is_whole);
    let too_many_providers = providers.iter().any(|providers| providers.len() > MAX_PROVIDERS);
    let trace_facts = labels
        .into_iter()
        .zip(traces.iter().zip(coverages.into_iter().zip(providers)))
        .map(|((path, input), (trace, (coverage, providers)))| TraceFacts {
            input,
            ..TraceFacts::new(path, trace, coverage, providers.len() as u64)
        })
        .collect();
    let read = Read::of(&traces);
    // What is left to do needs memory too, and no trace.
    drop(traces);
    notes.extend(unusable.iter().map(|line| format!("{line}; not used")));
    if too_many_providers {
        notes.push(format!("a trace names more than {MAX_PROVIDERS} providers: the rest are not counted"));
    }
    if let Some(several) = boots.iter().max().map(|last| last + 1).filter(|count| *count > 1) {
        notes.push(format!(
            "the traces are of {several} machines, or starts of one: each is followed by itself, and of a pool the fullest is shown"
        ));
    }
    let report = Report::new(Facts { traces: trace_facts, findings: analysis.finish(), side, side_inputs, notes });
    write_report(&options.common, options.format, options.top, &report)?;
    warn(&options.common, &unusable);
    tell_speed(&options.common, read, started);
    pool.install(|| indexing::unmap(&files));
    Ok(if options.fail_on_verdict && report.verdict.state != State::NotSeen {
        Outcome::Verdict(report.verdict.state)
    } else if whole && unusable.is_empty() {
        Outcome::Complete
    } else {
        Outcome::Incomplete
    })
}

pub(crate) fn write_report(common: &Common, format: ReportFormat, top: usize, report: &Report) -> Result<(), Error> {
    write_output(common, format == ReportFormat::Text, |out, width| match format {
        ReportFormat::Text => text::write(report, text::Layout { width, top: top.max(1) }, out),
        ReportFormat::Json => json::write(report, out),
        ReportFormat::Csv => report::csv::write(report, out),
    })
}

fn list_events(options: &Events) -> Result<Outcome, Error> {
    let started = Instant::now();
    refuse_to_overwrite(&options.common, &options.inputs)?;
    let Case { traces: files, mut unusable, mut notes, inputs, .. } = Case::open(&options.inputs, &[]);
    let pool = threads(&options.common)?;
    let opened = open_traces(&pool, &files, &inputs, &mut unusable, &mut notes);
    if opened.is_empty() {
        return Err(nothing_to_read(unusable, notes));
    }
    let (paths, traces): (Vec<_>, Vec<_>) = opened.into_iter().map(|opened| (opened.path, opened.trace)).unzip();
    let filter = Filter {
        all: options.all,
        providers: options.provider.clone(),
        ids: options.id.clone(),
        statuses: options.status.clone(),
        pids: options.pid.clone(),
        since: options.since,
        until: options.until,
    };
    let mut schemas = Vec::new();
    with_progress(&pool, &options.common, &traces, |progress| schemas = events::learn(&traces, progress));
    let mut writer: Box<dyn EventWriter> = match options.format {
        EventFormat::Text => Box::new(TextWriter),
        EventFormat::Ndjson => Box::new(NdjsonWriter { paths }),
        EventFormat::Csv => Box::new(CsvWriter { paths }),
    };
    let damaged = stream_output(&options.common, |out| {
        writer.begin(out)?;
        events::walk(&traces, &schemas, &filter, |event| writer.write(event, out))
    })?;
    warn(&options.common, &unusable);
    if damaged > 0 && !options.common.quiet {
        let _ = writeln!(io::stderr(), "outofports: {damaged} damaged places could not be read: see outofports info");
    }
    tell_speed(&options.common, Read::of(&traces), started);
    Ok(if damaged == 0 && unusable.is_empty() { Outcome::Complete } else { Outcome::Incomplete })
}

fn show_info(options: &Info) -> Result<Outcome, Error> {
    let started = Instant::now();
    refuse_to_overwrite(&options.common, &options.inputs)?;
    let Case { traces: files, mut unusable, mut notes, inputs, .. } = Case::open(&options.inputs, &[]);
    let pool = threads(&options.common)?;
    let opened = open_traces(&pool, &files, &inputs, &mut unusable, &mut notes);
    if opened.is_empty() {
        return Err(nothing_to_read(unusable, notes));
    }
    let (labels, traces): (Vec<_>, Vec<_>) =
        opened.into_iter().map(|opened| ((opened.path, opened.kind), opened.trace)).unzip();
    let mut whole = unusable.is_empty();
    let mut documents = Vec::new();
    with_progress(&pool, &options.common, &traces, |progress| {
        for ((path, kind), trace) in labels.into_iter().zip(&traces) {
            let (document, coverage) = info::read(path, kind, trace, progress);
            whole &= coverage.is_whole();
            documents.push(document);
        }
    });
    write_output(&options.common, options.format == InfoFormat::Text, |out, width| match options.format {
        InfoFormat::Text => documents.iter().enumerate().try_for_each(|(number, document)| {
            if number > 0 {
                writeln!(out)?;
            }
            info::write_text(document, width, out)
        }),
        InfoFormat::Json => match documents.as_slice() {
            [document] => json::write(document, out),
            documents => json::write(&documents, out),
        },
    })?;
    warn(&options.common, &unusable);
    tell_speed(&options.common, Read::of(&traces), started);
    Ok(if whole { Outcome::Complete } else { Outcome::Incomplete })
}

/// A trace, or one segment of a file that holds several.
struct Opened<'f> {
    path: String,
    /// What the user named.
    input: String,
    kind: InputKind,
    trace: Trace<'f>,
}

/// Indexes traces. What is no trace goes to `unusable`, or to `notes` where a folder held it; of identical files (a report
/// cabinet holds a copy of the trace beside it) one is read.
fn open_traces<'f>(
    pool: &ThreadPool,
    files: &'f [TraceFile],
    inputs: &[(String, bool)],
    unusable: &mut Vec<String>,
    notes: &mut Vec<String>,
) -> Vec<Opened<'f>> {
    let mut all = Vec::new();
    let mut useful: Vec<bool> = inputs.iter().map(|(_, used)| *used).collect();
    for (file, indexed) in files.iter().zip(pool.install(|| indexing::index(files))) {
        let segments = match indexed {
            Indexed::Segments(Ok(segments)) => segments,
            Indexed::SameAs(same) => {
                let same = files.get(same).map_or("", |same| &same.path);
                notes.push(format!("{}: the same as {same}; read once", file.path));
                useful.get_mut(file.input).into_iter().for_each(|useful| *useful = true);
                continue;
            }
            Indexed::Segments(Err(error)) if file.named => {
                unusable.push(format!("{}: {error}", file.path));
                // It has been told: not a second time for the whole input.
                useful.get_mut(file.input).into_iter().for_each(|useful| *useful = true);
                continue;
            }
            Indexed::Segments(Err(error)) => {
                notes.push(format!("{}: {error}; not used", file.path));
                continue;
            }
        };
        useful.get_mut(file.input).into_iter().for_each(|useful| *useful = true);
        let several = segments.len() > 1;
        for (number, trace) in segments.into_iter().enumerate() {
            let segment = format!("{} (session {} at {:#x})", file.path, number + 1, trace.start());
            let path = if several { segment } else { file.path.clone() };
            let input = inputs.get(file.input).map_or_else(|| path.clone(), |(label, _)| label.clone());
            all.push(Opened { path, input, kind: file.kind, trace });
        }
    }
    for ((label, _), _) in inputs.iter().zip(useful).filter(|(_, useful)| !useful) {
        let told = |line: &String| line.starts_with(label.as_str());
        if !unusable.iter().any(told) {
            unusable.push(format!("{label}: nothing in it could be used"));
        }
    }
    all
}

/// The boot of the machine that each trace belongs to, numbered: boot times that differ by more than a minute are those of
/// different boots. Less is a clock that was set.
fn boots(traces: &[Trace<'_>]) -> Vec<usize> {
    const SAME_BOOT_100NS: i64 = 60 * FileTime::SECOND;
    let mut known: BTreeMap<i64, usize> = BTreeMap::new();
    traces
        .iter()
        .map(|trace| {
            let boot = trace.header().boot_time;
            let near = boot.saturating_sub(SAME_BOOT_100NS)..=boot.saturating_add(SAME_BOOT_100NS);
            let next = known.len();
            let same = known.range(near).next().map(|(_, number)| *number);
            same.unwrap_or_else(|| *known.entry(boot).or_insert(next))
        })
        .collect()
}

/// The numbers of the traces of each boot, the earliest boot first. They are read one boot after the other, though traces
/// of several machines may overlap in time: nothing goes from one to the other.
fn by_boot(boots: &[usize], traces: &[Trace<'_>]) -> Vec<Vec<usize>> {
    let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (number, boot) in boots.iter().enumerate() {
        groups.entry(*boot).or_default().push(number);
    }
    let start = |number: &usize| traces.get(*number).map(|trace| trace.header().start_time);
    let mut groups: Vec<Vec<usize>> = groups.into_values().collect();
    groups.sort_by_key(|group| group.iter().filter_map(start).min());
    groups
}

/// Earliest start and latest end, where all headers tell both.
fn bounds(traces: &[Trace<'_>]) -> Option<(FileTime, FileTime)> {
    let known = |time: i64| FileTime::known(time);
    let spans: Option<Vec<(FileTime, FileTime)>> = traces
        .iter()
        .map(|trace| known(trace.header().start_time).zip(known(trace.header().end_time)))
        .map(|span| span.filter(|(start, end)| start <= end))
        .collect();
    spans?.into_iter().reduce(|(start, end), (other, later)| (start.min(other), end.max(later)))
}

/// A report must not replace what it is about.
fn refuse_to_overwrite(common: &Common, inputs: &[PathBuf]) -> Result<(), Error> {
    let Some(output) = common.output.as_ref().and_then(|path| std::fs::canonicalize(path).ok()) else { return Ok(()) };
    match inputs.iter().find(|input| std::fs::canonicalize(input).is_ok_and(|input| input == output)) {
        Some(input) => {
            Err(Error::Usage(format!("{}: is an input, and would be overwritten by the report", label(input))))
        }
        None => Ok(()),
    }
}

fn nothing_to_read(mut unusable: Vec<String>, notes: Vec<String>) -> Error {
    unusable.extend(notes);
    if unusable.is_empty() {
        unusable.push("there is no trace among the inputs".to_owned());
    }
    Error::Inputs(unusable)
}

/// As many threads as the options ask for.
fn threads(common: &Common) -> Result<ThreadPool, Error> {
    let threads = common.threads.map_or(0, usize::from);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    pool.map_err(|error| Error::Usage(format!("threads cannot be started: {error}")))
}

/// Runs `work` on the threads of `pool`, with a progress bar where a terminal shows it.
fn with_progress(pool: &ThreadPool, common: &Common, traces: &[Trace<'_>], work: impl FnOnce(&Progress) + Send) {
    let progress = Progress::default();
    let total: u64 = traces.iter().map(|trace| trace.bytes().len() as u64).sum();
    if common.no_progress || common.quiet || !io::stderr().is_terminal() {
        pool.install(|| work(&progress));
        return;
    }
    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {bytes} of {total_bytes}  {bytes_per_sec}  {eta} left") {
        bar.set_style(style);
    }
    std::thread::scope(|scope| {
        let (done, is_done) = std::sync::mpsc::channel::<()>();
        let (bar, progress) = (&bar, &progress);
        scope.spawn(move || {
            // Ends when the sender goes, with the work.
            while is_done.recv_timeout(Duration::from_millis(100)) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                bar.set_position(progress.bytes.load(Ordering::Relaxed));
            }
        });
        let _done = done;
        pool.install(|| work(progress));
    });
    bar.finish_and_clear();
}

/// Widest and narrowest text report on a terminal, in columns.
const WIDTHS: std::ops::RangeInclusive<usize> = 60..=text::DEFAULT_WIDTH;

/// Writes the whole output at once: to the file, which appears whole or not at all, or to standard output.
fn write_output(
    common: &Common,
    is_text: bool,
    write: impl FnOnce(&mut dyn Write, usize) -> io::Result<()>,
) -> Result<(), Error> {
    let to_file = common.output.as_deref().filter(|path| *path != Path::new("-"));
    let choice = match common.color {
        _ if !is_text => ColorChoice::Never,
        Color::Always => ColorChoice::Always,
        Color::Never => ColorChoice::Never,
        Color::Auto if to_file.is_some() => ColorChoice::Never,
        Color::Auto => AutoStream::choice(&io::stdout()),
    };
    let on_terminal = to_file.is_none() && io::stdout().is_terminal();
    let columns = if on_terminal { usize::from(console::Term::stdout().size().1) } else { text::DEFAULT_WIDTH };
    let mut styled = AutoStream::new(Vec::new(), choice);
    write(&mut styled, columns.clamp(*WIDTHS.start(), *WIDTHS.end())).map_err(Error::stdout)?;
    let bytes = styled.into_inner();
    stream_output(common, |out| out.write_all(&bytes))
}

/// Lets `write` write as it goes: to the file, which appears whole or not at all, or to standard output.
fn stream_output<T>(common: &Common, write: impl FnOnce(&mut dyn Write) -> io::Result<T>) -> Result<T, Error> {
    match common.output.as_deref().filter(|path| *path != Path::new("-")) {
        Some(path) => into_file(path, write).map_err(|error| Error::output(path, error)),
        None => {
            let mut stdout = BufWriter::with_capacity(1 << 16, io::stdout().lock());
            let result = write(&mut stdout).and_then(|result| stdout.flush().map(|()| result));
            result.map_err(Error::stdout)
        }
    }
}

/// The folder of a file that may not be there yet.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn into_file<T>(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<T>) -> io::Result<T> {
    // A pipe or a device cannot be replaced by a file.
    if std::fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
        let mut out = BufWriter::new(std::fs::OpenOptions::new().write(true).open(path)?);
        let result = write(&mut out)?;
        return out.flush().map(|()| result);
    }
    output::write_whole(path, |file| {
        let mut out = BufWriter::new(file);
        let result = write(&mut out)?;
        out.flush().map(|()| result)
    })
}

fn warn(common: &Common, unusable: &[String]) {
    if !common.quiet {
        for line in unusable {
            let _ = writeln!(io::stderr(), "outofports: {line}; not used");
        }
    }
}

/// How much was read.
#[derive(Clone, Copy)]
struct Read {
    traces: usize,
    bytes: u64,
}

impl Read {
    fn of(traces: &[Trace<'_>]) -> Self {
        Self { traces: traces.len(), bytes: traces.iter().map(|trace| trace.bytes().len() as u64).sum() }
    }
}

fn tell_speed(common: &Common, Read { traces, bytes }: Read, started: Instant) {
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
