//! What a trace holds, and whether it can answer the question at all.

use std::collections::BTreeMap;
use std::io::{self, Write};

use anstyle::Style;
use etl_parser::{ExtendedValue, Guid, HookId, Record, RecordKind, Trace};
use serde::Serialize;

use crate::analysis::coverage::Coverage;
use crate::analysis::processes::ProcessTable;
use crate::analysis::verdict::{counted, grouped};
use crate::event::{NetEvent, ProcessChange, base_name};
use crate::input::InputKind;
use crate::pipeline::{self, Progress, TimeOrder};
use crate::providers::{self, afd, names};
use crate::report::table::{command_lines, wrap};
use crate::report::{CAPTURE_COMMANDS, shown, windows_name};
use crate::schema::Schemas;
use crate::schema::tracelogging::read_provider_traits;
use crate::time::{FileTime, duration_text};

/// What is in one trace.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs)]
pub struct Info {
    pub path: String,
    pub bytes: u64,
    pub kind: InputKind,
    pub header: Header,
    pub buffers: Buffers,
    pub records: Records,
    pub providers: Vec<ProviderRow>,
    pub kernel_groups: Vec<KernelRow>,
    pub losses: Losses,
    pub schemas: SchemaCounts,
    pub answers: Answers,
    /// Processes that the trace names.
    pub processes: Vec<ProcessRow>,
    /// What could not be read, or not trusted.
    pub notes: Vec<String>,
}

#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs)]
pub struct Header {
    pub os_build: Option<u32>,
    pub processors: Option<u32>,
    pub pointer_size: usize,
    pub clock: Option<&'static str>,
    pub perf_freq: i64,
    pub log_mode: u32,
    pub logger_name: String,
    pub boot_time: Option<FileTime>,
    pub started: Option<FileTime>,
    pub ended: Option<FileTime>,
    pub events_lost: u32,
    pub buffers_lost: u32,
}

#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs)]
pub struct Buffers {
    pub total: u64,
    pub compressed: u64,
    pub damaged: u64,
}

#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs)]
pub struct Records {
    pub total: u64,
    pub by_kind: ByKind,
}

/// Records by the kind of their header.
#[derive(Debug, Clone, Copy, Default, Serialize)]
#[allow(missing_docs)]
pub struct ByKind {
    pub system: u64,
    pub compact: u64,
    pub perfinfo: u64,
    pub classic: u64,
    pub instance: u64,
    pub event_header: u64,
    pub message: u64,
    pub other: u64,
}

impl ByKind {
    fn count(&mut self, kind: RecordKind) -> &mut u64 {
        match kind {
            RecordKind::System => &mut self.system,
            RecordKind::Compact => &mut self.compact,
            RecordKind::Perfinfo => &mut self.perfinfo,
            RecordKind::Classic => &mut self.classic,
            RecordKind::Instance => &mut self.instance,
            RecordKind::EventHeader => &mut self.event_header,
            RecordKind::Message => &mut self.message,
            RecordKind::Other => &mut self.other,
        }
    }

    fn add(&mut self, other: Self) {
        self.system += other.system;
        self.compact += other.compact;
        self.perfinfo += other.perfinfo;
        self.classic += other.classic;
        self.instance += other.instance;
        self.event_header += other.event_header;
        self.message += other.message;
        self.other += other.other;
    }
}

#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs)]
pub struct ProviderRow {
    pub guid: String,
    pub name: Option<String>,
    pub records: u64,
    pub first: Option<FileTime>,
    pub last: Option<FileTime>,
    pub ids: Vec<IdRow>,
}

#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs)]
pub struct IdRow {
    pub id: u16,
    pub version: u8,
    pub records: u64,
}

#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs)]
pub struct KernelRow {
    pub hook: String,
    pub name: Option<String>,
    pub records: u64,
}

/// What is missing, told apart by who says so.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Losses {
    /// Events lost, as the header record says.
    pub header_events: u32,
    /// Buffers lost, as the header record says.
    pub header_buffers: u32,
    /// Buffers whose flags say that something was lost before them.
    pub flagged_buffers: u64,
    /// Numbers missing between the first and the last data buffer. Real traces that lost nothing have such gaps too.
    pub sequence_gaps: u64,
}

/// Records of the trace that say how events are laid out.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct SchemaCounts {
    /// Event metadata that a merge embedded.
    pub embedded_events: u64,
    /// Value maps that a merge embedded.
    pub embedded_maps: u64,
    /// Events that describe themselves (TraceLogging).
    pub tracelogging: u64,
    /// Parts of .NET event source manifests.
    pub manifest_chunks: u64,
    /// Of all these, those that are damaged.
    pub malformed: u64,
    /// Embedded events that differ from the built-in tables.
    pub differences: u64,
}

/// Whether the trace can tell.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs)]
pub struct Answers {
    pub bind_failures: Answer,
    pub process_names: Answer,
    pub holders: Answer,
}

/// `yes`, `partly` or `no`, and why.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs)]
pub struct Answer {
    pub answer: &'static str,
    pub reason: String,
    /// What to capture for a better answer; empty where there is none.
    pub capture: Vec<&'static str>,
}

/// A process that the trace names.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs)]
pub struct ProcessRow {
    pub pid: u32,
    pub image: Option<String>,
    pub image_source: Option<&'static str>,
    pub started: Option<FileTime>,
    pub ended: Option<FileTime>,
}

#[derive(Debug, Default)]
struct Tally {
    by_kind: ByKind,
    providers: BTreeMap<Guid, ProviderTally>,
    hooks: BTreeMap<HookId, u64>,
    schemas: Schemas,
}

#[derive(Debug, Default)]
struct ProviderTally {
    records: u64,
    /// As the provider's own traits say.
    name: Option<String>,
    span_ticks: Option<(i64, i64)>,
    ids: BTreeMap<(u16, u8), u64>,
}

impl Tally {
    fn look(&mut self, record: &Record<'_>) {
        self.schemas.learn(record);
        *self.by_kind.count(record.kind()) += 1;
        if let Some(hook) = record.hook() {
            *self.hooks.entry(hook).or_default() += 1;
        }
        let Some(guid) = record.header_guid() else { return };
        let provider = self.providers.entry(guid).or_default();
        provider.records += 1;
        if provider.name.is_none() {
            provider.name = record.extended_items().find_map(|item| match item.value() {
                ExtendedValue::ProviderTraits(traits) => {
                    let name = read_provider_traits(traits).ok()?.name;
                    Some(name.to_string()).filter(|name| !name.is_empty())
                }
                _ => None,
            });
        }
        if let Some(ticks) = record.ticks() {
            let (first, last) = provider.span_ticks.unwrap_or((ticks, ticks));
            provider.span_ticks = Some((first.min(ticks), last.max(ticks)));
        }
        let key = (record.event_id().unwrap_or(0), record.version().unwrap_or(0));
        *provider.ids.entry(key).or_default() += 1;
    }

    fn add(&mut self, other: Self) {
        self.by_kind.add(other.by_kind);
        self.schemas.absorb(other.schemas);
        for (hook, count) in other.hooks {
            *self.hooks.entry(hook).or_default() += count;
        }
        for (guid, theirs) in other.providers {
            let ours = self.providers.entry(guid).or_default();
            ours.records += theirs.records;
            ours.name = ours.name.take().or(theirs.name);
            if let Some((first, last)) = theirs.span_ticks {
                let (known_first, known_last) = ours.span_ticks.unwrap_or((first, last));
                ours.span_ticks = Some((known_first.min(first), known_last.max(last)));
            }
            for (key, count) in theirs.ids {
                *ours.ids.entry(key).or_default() += count;
            }
        }
    }

    fn count_of(&self, guid: Guid, wanted: impl Fn(u16) -> bool) -> u64 {
        let ids = self.providers.get(&guid).map(|provider| provider.ids.iter());
        ids.into_iter().flatten().filter(|((id, _), _)| wanted(*id)).map(|(_, count)| count).sum()
    }
}

/// Reads one trace on the current rayon pool and says what it holds.
pub fn read(path: String, kind: InputKind, trace: &Trace<'_>, progress: &Progress) -> (Info, Coverage) {
    let mut tally = Tally::default();
    let mut coverage = Coverage::of_index(trace);
    let mut order = TimeOrder::default();
    let mut processes = ProcessTable::default();
    let (mut starts, mut rundowns) = (0_u64, 0_u64);
    pipeline::scan(
        std::slice::from_ref(trace),
        progress,
        |number, trace, buffer| {
            let mut tally = Tally::default();
            let events = pipeline::read_events(number, trace, buffer, |record| tally.look(record));
            (tally, events)
        },
        |number, (part, mut events), not_before| {
            tally.add(part);
            coverage.add(std::mem::take(&mut events.coverage));
            events.keep(|event| matches!(event, NetEvent::Process(_)));
            order.push(number, trace, events);
            order.release(not_before, |meta, event| {
                if let NetEvent::Process(event) = event {
                    match event.change {
                        ProcessChange::Start | ProcessChange::End => starts += 1,
                        ProcessChange::Rundown | ProcessChange::Defunct => rundowns += 1,
                    }
                    processes.observe(event, meta.time);
                }
            });
        },
    );
    let header = trace.header();
    let (counts, differences) = (tally.schemas.counts(), tally.schemas.differences());
    let embedded_names: BTreeMap<Guid, String> = tally
        .schemas
        .embedded()
        .filter_map(|(key, schema)| Some((key.guid, schema.provider_name.as_ref()?.to_string())))
        .collect();
    let answers = answers(trace, &tally, &coverage, starts, rundowns);
    let clock = trace.clock();
    let info = Info {
        bytes: trace.bytes().len() as u64,
        kind,
        header: Header {
            os_build: trace.has_header().then_some(header.os_build),
            processors: trace.has_header().then_some(header.processors),
            pointer_size: trace.pointer_size().bytes(),
            clock: clock.kind().name(),
            perf_freq: header.perf_freq_hz,
            log_mode: header.log_file_mode.0,
            logger_name: header.logger_name.clone(),
            boot_time: FileTime::known(header.boot_time),
            started: FileTime::known(header.start_time),
            ended: FileTime::known(header.end_time),
            events_lost: header.events_lost,
            buffers_lost: header.buffers_lost,
        },
        buffers: Buffers {
            total: trace.buffers().len() as u64,
            compressed: trace.buffers().iter().filter(|info| info.is_compressed()).count() as u64,
            damaged: coverage.buffers_damaged,
        },
        records: Records { total: coverage.records, by_kind: tally.by_kind },
        providers: tally
            .providers
            .iter()
            .map(|(guid, provider)| ProviderRow {
                guid: guid.to_string(),
                name: names::provider_name(*guid)
                    .map(str::to_owned)
                    .or_else(|| provider.name.clone())
                    .or_else(|| embedded_names.get(guid).cloned()),
                records: provider.records,
                first: provider.span_ticks.map(|(first, _)| FileTime(clock.file_time(first))),
                last: provider.span_ticks.map(|(_, last)| FileTime(clock.file_time(last))),
                ids: provider.ids.iter().map(|(&(id, version), &records)| IdRow { id, version, records }).collect(),
            })
            .collect(),
        kernel_groups: tally
            .hooks
            .iter()
            .map(|(hook, records)| KernelRow {
                hook: format!("0x{:04X}", hook.0),
                name: names::hook_name(*hook),
                records: *records,
            })
            .collect(),
        losses: Losses {
            header_events: header.events_lost,
            header_buffers: header.buffers_lost,
            flagged_buffers: coverage.buffers_after_loss,
            sequence_gaps: sequence_gaps(trace),
        },
        schemas: SchemaCounts {
            embedded_events: counts.event_infos,
            embedded_maps: counts.map_infos,
            tracelogging: counts.tracelogging,
            manifest_chunks: counts.manifest_chunks,
            malformed: counts.malformed,
            differences: differences.len() as u64,
        },
        answers,
        processes: processes.processes().iter().map(process_row).collect(),
        notes: notes(&path, &coverage, &tally.schemas),
        path,
    };
    (info, coverage)
}

/// What could not be read or not trusted, and where the trace's own schemas differ from the built-in ones.
fn notes(path: &str, coverage: &Coverage, schemas: &Schemas) -> Vec<String> {
    let damage = coverage.damage.iter().map(|error| format!("{path}: {error}"));
    let differences = schemas.differences().into_iter().map(|(key, differences)| {
        let what: Vec<String> = differences.iter().map(ToString::to_string).collect();
        format!("{path}: {key} differs from the built-in table: {}", what.join("; "))
    });
    damage.chain(differences).collect()
}

fn sequence_gaps(trace: &Trace<'_>) -> u64 {
    let numbers = trace.buffers().iter().map(|info| info.header.sequence_number).filter(|number| *number > 0);
    let numbers: std::collections::BTreeSet<i64> = numbers.collect();
    match (numbers.first(), numbers.last()) {
        (Some(first), Some(last)) => last.abs_diff(*first).saturating_sub(numbers.len() as u64 - 1),
        _ => 0,
    }
}

fn process_row(process: &crate::analysis::processes::Process) -> ProcessRow {
    let image = process.image();
    ProcessRow {
        pid: process.pid,
        image: image.map(|(image, _)| base_name(image).to_owned()),
        image_source: image.map(|(_, source)| source.name()),
        started: process.started,
        ended: process.ended,
    }
}

fn answers(trace: &Trace<'_>, tally: &Tally, coverage: &Coverage, starts: u64, rundowns: u64) -> Answers {
    let header = trace.header();
    let binds = tally.count_of(afd::PROVIDER, afd::is_bind);
    let answer = |answer, reason: String| Answer { answer, reason, capture: Vec::new() };
    let capture = |answer: Answer, commands: &[&'static str]| Answer { capture: commands.to_vec(), ..answer };
    let [trace_command, side_commands, _] = CAPTURE_COMMANDS;
    let lossy =
        header.events_lost > 0 || header.buffers_lost > 0 || coverage.buffers_after_loss > 0 || !coverage.is_whole();
    let bind_failures = match (binds, lossy) {
        (0, _) if coverage.afd_records == 0 => {
            answer("no", "no Winsock-AFD event: the provider was not enabled".to_owned())
        }
        (0, _) => answer("no", format!("{}, no bind among them", counted(coverage.afd_records, "Winsock-AFD event"))),
        (_, false) => answer("yes", format!("{}, nothing lost", counted(binds, "Winsock-AFD bind record"))),
        (_, true) => {
            answer("partly", format!("{}, but events were lost or damaged", counted(binds, "Winsock-AFD bind record")))
        }
    };
    let bind_failures = match bind_failures.answer {
        "yes" => bind_failures,
        _ => capture(bind_failures, &CAPTURE_COMMANDS),
    };
    let process_names = match (starts, rundowns) {
        (0, 0) => answer("no", "no process event: take `tasklist /svc` before the trace is stopped".to_owned()),
        (_, 0) => {
            let count = counted(starts, "process start and end event");
            answer("partly", format!("{count}, no rundown: processes older than the trace have no name"))
        }
        _ => {
            answer("yes", format!("{}, {}", counted(rundowns, "rundown event"), counted(starts, "start and end event")))
        }
    };
    let process_names = match process_names.answer {
        "yes" => process_names,
        _ => capture(process_names, &[side_commands]),
    };
    let closes = tally.count_of(afd::PROVIDER, |id| matches!(id, 13 | 14 | 1001 | 1002));
    // Port acquired and released, endpoints, connections, and the rundown of those that were there.
    let is_port_event = |id| matches!(id, 1001..=1013 | 1033 | 1034 | 1051 | 1191..=1195 | 1300 | 1396 | 1397);
    let ports = tally.count_of(providers::tcpip::PROVIDER, is_port_event);
    let holders = match (binds, closes, ports) {
        (0, _, 0) => answer("no", "no Winsock-AFD bind and no TCPIP port event".to_owned()),
        (0, _, _) => answer("partly", format!("{}, without Winsock-AFD", counted(ports, "TCPIP port event"))),
        (_, 0, _) => answer("partly", "binds, but no close: what was released is not visible".to_owned()),
        (_, _, 0) => {
            answer("partly", "binds and closes of this trace; sockets older than it are not visible".to_owned())
        }
        _ => answer("partly", format!("binds and closes of this trace, and {}", counted(ports, "TCPIP port event"))),
    };
    // Holders older than a trace show in a listing only.
    let holders = capture(holders, &[trace_command, side_commands]);
    Answers { bind_failures, process_names, holders }
}

const HEADING: Style = Style::new().bold();

/// Writes one trace's information for people, in lines of at most `width` columns.
///
/// # Errors
///
/// What writing says.
pub fn write_text(info: &Info, width: usize, out: &mut dyn Write) -> io::Result<()> {
    let header = &info.header;
    for line in wrap(&info.path, width, 0, 2) {
        writeln!(out, "{HEADING}{line}{HEADING:#}")?;
    }
    let bits = header.pointer_size * 8;
    match (header.os_build, header.processors) {
        (Some(build), Some(processors)) => {
            let system = windows_name(build).unwrap_or("Windows");
            let processors = counted(processors.into(), "CPU");
            writeln!(out, "  system       {system}, build {build}, {processors}, {bits}-bit")?;
        }
        _ => writeln!(out, "  system       not told: the first buffer is missing, {bits}-bit")?,
    }
    let session = if header.logger_name.is_empty() { "(no name)".to_owned() } else { shown(&header.logger_name) };
    writeln!(out, "  session      {session}, log mode {:#x}", header.log_mode)?;
    let time = |time: Option<FileTime>| time.map_or_else(|| "not told".to_owned(), |time| time.to_string());
    writeln!(out, "  started      {}", time(header.started))?;
    match (header.started, header.ended) {
        (Some(started), Some(ended)) if ended >= started => {
            writeln!(out, "  ended        {ended} ({})", duration_text(ended.since(started)))?;
        }
        _ => writeln!(out, "  ended        {}", time(header.ended))?,
    }
    let clock = header.clock.unwrap_or("unknown");
    writeln!(out, "  clock        {clock}, {} Hz", grouped(u64::try_from(header.perf_freq).unwrap_or(0)))?;
    let (events, buffers) =
        (counted(header.events_lost.into(), "event"), counted(header.buffers_lost.into(), "buffer"));
    let losses = &info.losses;
    writeln!(
        out,
        "  lost         {events}, {buffers} (header); {} flagged",
        counted(losses.flagged_buffers, "buffer")
    )?;
    if losses.sequence_gaps > 0 {
        writeln!(out, "  gaps         {} between buffers", counted(losses.sequence_gaps, "sequence number"))?;
    }
    writeln!(
        out,
        "  read         {} in {}, {} compressed, {} damaged",
        counted(info.records.total, "record"),
        counted(info.buffers.total, "buffer"),
        grouped(info.buffers.compressed),
        grouped(info.buffers.damaged)
    )?;
    writeln!(out, "\n{HEADING}CAN IT ANSWER{HEADING:#}")?;
    let answers = &info.answers;
    for (question, answer) in [
        ("bind failures", &answers.bind_failures),
        ("process names", &answers.process_names),
        ("holders", &answers.holders),
    ] {
        let mut lines = wrap(&answer.reason, width, 25, 25).into_iter();
        let first = lines.next().unwrap_or_default();
        writeln!(out, "  {question:<14} {:<7} {}", answer.answer, first.trim_start())?;
        lines.try_for_each(|line| writeln!(out, "{line}"))?;
    }
    let captures: Vec<&str> = if answers.bind_failures.answer == "yes" {
        answers.process_names.capture.clone()
    } else {
        CAPTURE_COMMANDS.to_vec()
    };
    if !captures.is_empty() {
        writeln!(out, "  for a better answer, in a command prompt (cmd) as administrator:")?;
        for command in captures {
            command_lines(command, width).iter().try_for_each(|line| writeln!(out, "{line}"))?;
        }
    }
    if !info.providers.is_empty() {
        writeln!(out, "\n{HEADING}PROVIDERS{HEADING:#}")?;
        for provider in &info.providers {
            let name = provider.name.as_deref().map_or_else(|| "(name unknown)".to_owned(), shown);
            writeln!(out, "  {:>12}  {}  {name}", grouped(provider.records), provider.guid)?;
        }
    }
    if !info.kernel_groups.is_empty() {
        writeln!(out, "\n{HEADING}KERNEL EVENTS{HEADING:#}")?;
        for group in &info.kernel_groups {
            let name = group.name.as_deref().unwrap_or("(name unknown)");
            writeln!(out, "  {:>12}  {}  {name}", grouped(group.records), group.hook)?;
        }
    }
    if !info.processes.is_empty() {
        let named = info.processes.iter().filter(|process| process.image.is_some()).count();
        writeln!(out, "\n{HEADING}PROCESSES{HEADING:#}   {named} named; the list is in the JSON output")?;
    }
    if !info.notes.is_empty() {
        writeln!(out, "\n{HEADING}NOT READ{HEADING:#}")?;
        for note in &info.notes {
            wrap(&format!("- {note}"), width, 2, 4).iter().try_for_each(|line| writeln!(out, "{line}"))?;
        }
    }
    Ok(())
}
