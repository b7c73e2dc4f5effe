//! Reads a trace once, and counts what is in it.

use std::collections::{BTreeMap, BTreeSet};

use etl_parser::{ExtendedValue, Guid, HookId, Record, RecordKind, Trace};
use etw_schema::Schemas;
use etw_schema::tracelogging::read_provider_traits;

use super::answers::{Processes, answers};
use super::beside::Beside;
use super::decoded;
use super::{
    Buffers, ByKind, Header, IdRow, Info, KernelRow, Losses, NamedProcess, ProviderRow, Records, SchemaCounts,
};
use crate::case::InputKind;
use crate::event::{EventMeta, NetEvent, ProcessChange, base_name};
use crate::machine::processes::{Process, ProcessTable};
use crate::pipeline::coverage::Coverage;
use crate::pipeline::{Observer, replay};
use crate::progress::{Progress, Stopped};
use crate::providers::{self, afd, names};
use crate::words::counted;

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

/// Rows of events by provider, id and version. A trace of every event of every provider of a server has some 50,000.
const MAX_ROWS: usize = 1 << 18;

#[derive(Debug, Default)]
pub(super) struct RecordCounts {
    by_kind: ByKind,
    providers: BTreeMap<Guid, ProviderCounts>,
    hooks: BTreeMap<HookId, u64>,
    /// Rows of all providers' ids.
    rows: usize,
    not_listed: u64,
    out_of_order: u64,
    /// Time stamp of the record before.
    latest_ticks: Option<i64>,
    schemas: Schemas,
}

#[derive(Debug, Default)]
struct ProviderCounts {
    records: u64,
    /// As the provider's own traits say.
    name: Option<String>,
    span_ticks: Option<(i64, i64)>,
    ids: BTreeMap<(u16, u8), u64>,
    /// Records that describe themselves: the numbers in their header are no manifest's.
    tracelogging: u64,
}

impl RecordCounts {
    fn look(&mut self, record: &Record<'_>) {
        self.schemas.learn(record);
        *self.by_kind.count(record.kind()) += 1;
        if let Some(hook) = record.hook() {
            *self.hooks.entry(hook).or_default() += 1;
        }
        if let Some(ticks) = record.ticks() {
            self.out_of_order += u64::from(self.latest_ticks.is_some_and(|latest| ticks < latest));
            self.latest_ticks = Some(ticks);
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
        if providers::describes_itself(record) {
            provider.tracelogging += 1;
            return;
        }
        let key = (record.id().unwrap_or(0), record.version().unwrap_or(0));
        *provider.ids.entry(key).or_default() += 1;
    }

    fn add(&mut self, other: Self) {
        self.by_kind.add(other.by_kind);
        self.schemas.absorb(other.schemas);
        for (hook, count) in other.hooks {
            *self.hooks.entry(hook).or_default() += count;
        }
        for (guid, theirs) in other.providers {
            self.add_provider(guid, theirs);
        }
        self.not_listed += other.not_listed;
        self.out_of_order += other.out_of_order;
    }

    fn add_provider(&mut self, guid: Guid, theirs: ProviderCounts) {
        let has_room = |rows: usize, id| rows < MAX_ROWS || is_needed(guid, id);
        let is_new = !self.providers.contains_key(&guid);
        // A provider whose records all describe themselves takes a row as well.
        let has_row = theirs.tracelogging > 0 && self.rows < MAX_ROWS;
        if is_new && !has_row && !theirs.ids.keys().any(|(id, _)| has_room(self.rows, *id)) {
            self.not_listed += theirs.records;
            return;
        }
        self.rows += usize::from(is_new && theirs.ids.is_empty());
        let ours = self.providers.entry(guid).or_default();
        ours.tracelogging += theirs.tracelogging;
        ours.records += theirs.records;
        ours.name = ours.name.take().or(theirs.name);
        if let Some((first, last)) = theirs.span_ticks {
            let (known_first, known_last) = ours.span_ticks.unwrap_or((first, last));
            ours.span_ticks = Some((known_first.min(first), known_last.max(last)));
        }
        for (key, count) in theirs.ids {
            if let Some(row) = ours.ids.get_mut(&key) {
                *row += count;
            } else if has_room(self.rows, key.0) {
                ours.ids.insert(key, count);
                self.rows += 1;
            } else {
                self.not_listed += count;
            }
        }
    }

    pub(super) fn count_of(&self, guid: Guid, wanted: impl Fn(u16) -> bool) -> u64 {
        let ids = self.providers.get(&guid).map(|provider| provider.ids.iter());
        ids.into_iter().flatten().filter(|((id, _), _)| wanted(*id)).map(|(_, count)| count).sum()
    }
}

/// Whether the answers go by events of this id: they are counted however many others there are.
fn is_needed(guid: Guid, id: u16) -> bool {
    const IDS: u16 = 2048;
    [afd::PROVIDER, providers::tcpip::PROVIDER].contains(&guid) && id < IDS
}

/// What is counted of a trace, and the processes that it names.
#[derive(Default)]
struct Reading {
    tally: RecordCounts,
    processes: ProcessTable,
    starts: u64,
    rundowns: u64,
}

impl Observer for Reading {
    type Notes = RecordCounts;

    fn look(tally: &mut RecordCounts, record: &Record<'_>) {
        tally.look(record);
    }

    fn wants(event: &NetEvent) -> bool {
        matches!(event, NetEvent::Process(_))
    }

    fn add(&mut self, _: usize, part: RecordCounts) {
        self.tally.add(part);
    }

    fn observe(&mut self, meta: &EventMeta, event: &NetEvent) {
        let NetEvent::Process(event) = event else { return };
        match event.change {
            ProcessChange::Start | ProcessChange::End => self.starts += 1,
            ProcessChange::Rundown | ProcessChange::Defunct => self.rundowns += 1,
        }
        self.processes.observe(event, meta.time);
    }
}

/// Reads one trace on the current rayon pool and says what it holds, and what can be told with the side files beside it.
///
/// # Errors
///
/// [`Stopped`] where `progress` says so.
pub fn read(
    path: String,
    kind: InputKind,
    trace: &Trace<'_>,
    beside: &Beside,
    progress: &dyn Progress,
) -> Result<(Info, Coverage), Stopped> {
    let (reading, coverages) = replay(std::slice::from_ref(trace), &[vec![0]], progress, Reading::default)?;
    let coverage = coverages.into_iter().next().unwrap_or_default();
    let Reading { tally, processes, starts, rundowns } = reading;
    let counts = tally.schemas.counts();
    let info = Info {
        bytes: trace.bytes().len() as u64,
        kind,
        header: header(trace),
        buffers: Buffers {
            total: trace.buffers().len() as u64,
            compressed: trace.buffers().iter().filter(|info| info.is_compressed()).count() as u64,
            damaged: coverage.buffers_damaged,
            not_expanded: coverage.not_expanded,
        },
        records: Records {
            total: coverage.records,
            by_kind: tally.by_kind,
            out_of_order: tally.out_of_order,
            not_listed: tally.not_listed,
        },
        providers: provider_rows(trace, &tally),
        kernel_groups: tally.hooks.iter().map(kernel_row).collect(),
        losses: Losses {
            header_events: trace.header().events_lost,
            header_buffers: trace.header().buffers_lost,
            flagged_buffers: coverage.buffers_after_loss,
            sequence_gaps: sequence_gaps(trace),
        },
        schemas: SchemaCounts {
            embedded_events: counts.event_infos,
            embedded_maps: counts.map_infos,
            tracelogging: counts.tracelogging,
            manifest_chunks: counts.manifest_chunks,
            malformed: counts.malformed,
            differences: tally.schemas.differences().len() as u64,
        },
        decoded: decoded::count(trace, &tally.schemas, progress)?,
        answers: answers(trace, &tally, &coverage, Processes { starts, rundowns }, beside),
        side_inputs: beside.inputs.clone(),
        processes: processes.processes().iter().map(process_row).collect(),
        notes: notes(&path, &coverage, &tally),
        path,
    };
    Ok((info, coverage))
}

fn header(trace: &Trace<'_>) -> Header {
    let header = trace.header();
    Header {
        os_build: trace.has_header().then_some(header.os_build),
        processors: trace.has_header().then_some(header.processors),
        pointer_size: trace.pointer_size().bytes(),
        clock: trace.clock().kind().name(),
        perf_freq: header.perf_freq_hz,
        log_mode: header.log_file_mode.0,
        logger_name: header.logger_name.clone(),
        boot_time: header.booted(),
        started: header.started(),
        ended: header.ended(),
        events_lost: header.events_lost,
        buffers_lost: header.buffers_lost,
    }
}

/// Providers are called as the built-in list has it, else as they say themselves, else as embedded metadata have it.
fn provider_rows(trace: &Trace<'_>, tally: &RecordCounts) -> Vec<ProviderRow> {
    let embedded = tally.schemas.embedded();
    let embedded: BTreeMap<Guid, String> =
        embedded.filter_map(|(key, schema)| Some((key.guid, schema.provider_name.as_ref()?.to_string()))).collect();
    let time = |ticks| trace.clock().file_time(ticks);
    let row = |(guid, provider): (&Guid, &ProviderCounts)| ProviderRow {
        guid: guid.to_string(),
        name: names::provider_name(*guid)
            .map(str::to_owned)
            .or_else(|| provider.name.clone())
            .or_else(|| embedded.get(guid).cloned()),
        records: provider.records,
        first: provider.span_ticks.map(|(first, _)| time(first)),
        last: provider.span_ticks.map(|(_, last)| time(last)),
        ids: provider.ids.iter().map(|(&(id, version), &records)| IdRow { id, version, records }).collect(),
        tracelogging: provider.tracelogging,
    };
    let mut rows: Vec<ProviderRow> = tally.providers.iter().map(row).collect();
    // Of equally many the smaller GUID, by which they stand already.
    rows.sort_by_key(|row| std::cmp::Reverse(row.records));
    rows
}

fn kernel_row((hook, records): (&HookId, &u64)) -> KernelRow {
    KernelRow { hook: format!("0x{:04X}", hook.0), name: names::hook_name(*hook), records: *records }
}

/// What could not be read or not trusted, and where the trace's own schemas differ from the built-in ones.
fn notes(path: &str, coverage: &Coverage, tally: &RecordCounts) -> Vec<String> {
    let damage = coverage.damage.iter().map(|error| format!("{path}: {error}"));
    let differences = tally.schemas.differences().into_iter().map(|(key, differences)| {
        let what: Vec<String> = differences.iter().map(ToString::to_string).collect();
        format!("{path}: {key} differs from the built-in table: {}", what.join("; "))
    });
    let not_listed = (tally.not_listed > 0).then(|| {
        let records = counted(tally.not_listed, "record");
        format!("{path}: {records} have more different providers and ids than can be listed")
    });
    damage.chain(differences).chain(not_listed).collect()
}

fn sequence_gaps(trace: &Trace<'_>) -> u64 {
    let numbers = trace.buffers().iter().map(|info| info.header.sequence_number).filter(|number| *number > 0);
    let numbers: BTreeSet<i64> = numbers.collect();
    match (numbers.first(), numbers.last()) {
        (Some(first), Some(last)) => last.abs_diff(*first).saturating_sub(numbers.len() as u64 - 1),
        _ => 0,
    }
}

fn process_row(process: &Process) -> NamedProcess {
    let image = process.image();
    NamedProcess {
        pid: process.pid,
        image: image.map(|(image, _)| base_name(image).to_owned()),
        image_source: image.map(|(_, source)| source.name()),
        started: process.started,
        ended: process.ended,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_bounded_and_what_the_answers_go_by_is_counted_all_the_same() {
        let of = |guid: Guid, id| {
            let ids = BTreeMap::from([((id, 0), 1)]);
            let provider = ProviderCounts { records: 1, ids, ..ProviderCounts::default() };
            RecordCounts { providers: BTreeMap::from([(guid, provider)]), ..RecordCounts::default() }
        };
        let mut tally = RecordCounts::default();
        for number in 0..MAX_ROWS as u128 {
            tally.add(of(Guid::from_u128(number), 1));
        }
        assert_eq!((tally.rows, tally.not_listed), (MAX_ROWS, 0));
        // A known row, a new id of a known provider, a new provider, and one that the answers go by.
        tally.add(of(Guid::from_u128(0), 1));
        tally.add(of(Guid::from_u128(0), 2));
        tally.add(of(Guid::from_u128(u128::MAX), 1));
        tally.add(of(afd::PROVIDER, 1029));
        assert_eq!((tally.rows, tally.providers.len(), tally.not_listed), (MAX_ROWS + 1, MAX_ROWS + 1, 2));
        assert_eq!(tally.providers[&Guid::from_u128(0)].records, 3);
        assert_eq!(tally.count_of(afd::PROVIDER, afd::is_bind), 1);
    }
}
