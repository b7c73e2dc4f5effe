//! From a buffer to its events.

use std::cell::Cell;

use etl_parser::{Buffer, ErrorKind, Record, RecordKind, Trace};

use crate::event::{EventMeta, NetEvent, Place};
use crate::pipeline::coverage::Coverage;
use crate::providers::{self, Embedded, EventId, Interpreted};
use crate::time::FileTime;

/// A time stamp further away than this from where its record stands is taken for damage. Records of one processor are
/// out of order by microseconds at most.
const DISPLACED_100NS: i64 = FileTime::SECOND;

/// An event, and what is kept of its record.
#[derive(Debug)]
struct Logged {
    /// The time stamp that orders it, in ticks and as a time: never smaller than that of the event before it.
    ticks: i64,
    order: FileTime,
    /// Its own time.
    time: FileTime,
    header_pid: Option<u32>,
    pos: u32,
    id: u16,
    event: NetEvent,
}

/// The events of one buffer, in the order in which they stand.
#[derive(Debug)]
pub struct BufferEvents {
    trace: u16,
    pub(super) cpu: u16,
    index: u32,
    offset: u64,
    is_compressed: bool,
    events: Vec<Logged>,
    /// What was read to get them.
    pub coverage: Coverage,
}

impl BufferEvents {
    /// The time stamp that orders the event at `at`, as a time and in ticks; `None` behind the last one.
    #[inline]
    pub(super) fn order(&self, at: usize) -> Option<(FileTime, i64)> {
        self.events.get(at).map(|logged| (logged.order, logged.ticks))
    }

    /// The event at `at`.
    #[inline]
    pub(super) fn event(&self, at: usize) -> Option<(EventMeta, &NetEvent)> {
        let Logged { time, header_pid, pos, id, event, .. } = self.events.get(at)?;
        let within = if self.is_compressed { 0 } else { u64::from(*pos) };
        let offset = self.offset.saturating_add(within);
        let place = Place { trace: self.trace, cpu: self.cpu, buffer: self.index, offset, pos: *pos, entry: None };
        Some((EventMeta { time: *time, header_pid: *header_pid, id: *id, place }, event))
    }
}

thread_local! {
    /// Events of the buffer that the thread read last: the next one will have about as many.
    static EVENTS: Cell<usize> = const { Cell::new(0) };
}

/// Reads the events of one buffer, those of unknown versions by `embedded`, shows every record to `look`, and keeps what `wants` says.
pub fn read_events(
    trace_number: usize,
    trace: &Trace<'_>,
    buffer: &Buffer<'_>,
    embedded: &Embedded,
    mut look: impl FnMut(&Record<'_>),
    wants: impl Fn(&NetEvent) -> bool,
) -> BufferEvents {
    let info = buffer.info();
    let mut coverage = Coverage::default();
    let expected = EVENTS.get();
    let mut events: Vec<Logged> = Vec::with_capacity(expected + expected / 16);
    let mut latest = info.not_before;
    if info.header.flags.has(etl_parser::BufferFlags::EVENTS_LOST | etl_parser::BufferFlags::BUFFER_LOST) {
        coverage.buffers_after_loss += 1;
    }
    let mut span = (None, None);
    let mut records = buffer.records();
    while let Some(item) = records.next() {
        let record = match item {
            Ok(record) => record,
            Err(error) => {
                let bytes = records.remaining_bytes() as u64;
                if info.is_truncated() && error.kind == ErrorKind::Truncated {
                    // The index has told that the file ends in this buffer.
                    coverage.bytes_skipped += bytes;
                } else {
                    coverage.buffers_damaged += u64::from(!info.is_truncated());
                    coverage.damage(error, bytes);
                }
                break;
            }
        };
        coverage.records += 1;
        look(&record);
        let id = EventId::of(&record);
        if id.is_none() && record.kind() == RecordKind::EventHeader {
            // Most records of most traces: events of which the analysis has no use.
            coverage.skipped += 1;
            continue;
        }
        let decoded = providers::decode(&record, id, embedded);
        if matches!(decoded, Interpreted::NotNeeded)
            && let Some((key, schema)) = providers::embedded_schema(&record)
        {
            coverage.embedded.entry(key).or_insert(schema);
        }
        let Some(event) = count(decoded, id, &mut coverage) else { continue };
        let ticks = record.ticks().unwrap_or(latest);
        latest = info.order_ticks(latest, Some(ticks));
        let time = trace.clock().file_time(ticks);
        let order = if latest == ticks { time } else { trace.clock().file_time(latest) };
        // Orders never go back.
        span = (Some(span.0.unwrap_or(order)), Some(order));
        coverage.displaced += u64::from(order.since(time).saturating_abs() > DISPLACED_100NS);
        if !wants(&event) {
            continue;
        }
        events.push(Logged {
            ticks: latest,
            order,
            time,
            header_pid: record.process_id(),
            pos: record.pos(),
            id: record.id().unwrap_or(0),
            event,
        });
    }
    coverage.span = span.0.zip(span.1);
    let trace = u16::try_from(trace_number).unwrap_or(u16::MAX);
    let (cpu, is_compressed) = (info.header.cpu(), info.is_compressed());
    EVENTS.set(events.len());
    if events.capacity() > events.len() + events.len() / 8 {
        events.shrink_to_fit();
    }
    BufferEvents { trace, cpu, index: info.index, offset: info.offset, is_compressed, events, coverage }
}

/// Counts what became of a record, and gives the event where it is one. `id`: of a manifest event.
#[inline]
pub(crate) fn count(decoded: Interpreted, id: Option<EventId>, coverage: &mut Coverage) -> Option<NetEvent> {
    if let Some(id) = id {
        coverage.port_records += u64::from(id.is_about_ports());
        if id.is_of_afd() {
            count_afd(id.id, &decoded, coverage);
        }
    }
    match decoded {
        Interpreted::Event(event) => {
            coverage.decoded += 1;
            return Some(event);
        }
        Interpreted::OtherPointerSize(event) => {
            coverage.other_pointer_size += 1;
            coverage.decoded += 1;
            return Some(event);
        }
        Interpreted::NotNeeded => coverage.skipped += 1,
        Interpreted::Unknown => coverage.unknown += 1,
        Interpreted::UnknownVersion => {
            coverage.unknown += 1;
            if let Some(EventId { provider, id, version, .. }) = id {
                *coverage.unknown_versions.entry((provider, id, version)).or_default() += 1;
            }
        }
        Interpreted::Malformed => {
            coverage.malformed += 1;
            coverage.afd_malformed += u64::from(id.is_some_and(EventId::is_of_afd));
        }
    }
    None
}

fn count_afd(id: u16, decoded: &Interpreted, coverage: &mut Coverage) {
    use crate::event::{Phase, SocketEvent};
    coverage.afd_records += 1;
    if providers::afd::is_bind(id) && !matches!(decoded, Interpreted::UnknownVersion) {
        coverage.bind_records += 1;
    }
    if let Interpreted::Event(NetEvent::Socket(SocketEvent { phase: Phase::Internal(phase), .. })) = decoded
        && !(2..=4).contains(phase)
    {
        coverage.unknown_phases += 1;
    }
}
