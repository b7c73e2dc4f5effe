//! From a buffer to its events.

use std::cell::Cell;

use etl_parser::{Buffer, BufferInfo, ErrorKind, EventHead, Guid, HeaderType, Record, RecordKind, Trace};

use crate::event::{EventMeta, NetEvent, Phase, Place, SocketEvent};
use crate::pipeline::coverage::Coverage;
use crate::providers::{self, Embedded, EventId, Interpreted, Provider};
use crate::time::FileTime;

/// A time stamp further away than this from where its record stands is taken for damage. Records of one processor are
/// out of order by microseconds at most.
const DISPLACED_100NS: i64 = FileTime::SECOND;

/// An event, and what is kept of its record.
#[derive(Debug)]
pub(super) struct Logged {
    /// The time stamp that orders it, in ticks and as a time: never smaller than that of the event before it.
    pub(super) ticks: i64,
    pub(super) order: FileTime,
    /// Its own time.
    time: FileTime,
    header_pid: Option<u32>,
    pos: u32,
    id: u16,
    pub(super) event: NetEvent,
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
    /// The events from number `from` on.
    #[inline]
    pub(super) fn events_from(&self, from: usize) -> &[Logged] {
        self.events.get(from..).unwrap_or(&[])
    }

    /// How many there are.
    #[inline]
    pub(super) fn count(&self) -> usize {
        self.events.len()
    }

    /// Where its events stand, as far as that is the same for all.
    pub(super) fn meta(&self) -> EventMeta {
        let place =
            Place { trace: self.trace, cpu: self.cpu, buffer: self.index, offset: self.offset, ..Place::default() };
        EventMeta { time: FileTime(0), header_pid: None, id: 0, place }
    }

    /// Makes [`Self::meta`] that of an event of this buffer.
    #[inline]
    pub(super) fn set_meta(&self, meta: &mut EventMeta, logged: &Logged) {
        let Logged { time, header_pid, pos, id, .. } = *logged;
        (meta.time, meta.header_pid, meta.id, meta.place.pos) = (time, header_pid, id, pos);
        if !self.is_compressed {
            meta.place.offset = self.offset.saturating_add(u64::from(pos));
        }
    }
}

/// Room for so many events is not given back: that costs more than a few KiB for the buffers at hand.
const SPARE_EVENTS: usize = 32;

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
    let mut kept = Kept {
        trace,
        info,
        latest: info.not_before,
        span: None,
        displaced: 0,
        events: Vec::with_capacity(expected + expected / 16),
        wants,
    };
    if info.header.flags.has(etl_parser::BufferFlags::EVENTS_LOST | etl_parser::BufferFlags::BUFFER_LOST) {
        coverage.buffers_after_loss += 1;
    }
    let mut records = buffer.records();
    // The most frequent ones are added up at the end.
    let (mut seen, mut plain, mut others) = (0, 0, 0);
    // Mostly the last record's.
    let mut provider = (Guid::ZERO, Provider::of(Guid::ZERO));
    loop {
        let (head, record) = match records.next_event() {
            Some((head, record)) => (Some(head), record),
            None => match records.next_whole() {
                Some(record) => (None, record),
                None => break,
            },
        };
        seen += 1;
        look(&record);
        if let Some(guid) = head.map(EventHead::provider)
            && guid != provider.0
        {
            provider = (guid, Provider::of(guid));
        }
        match (head, provider.1) {
            // Most records of most traces: events of which the analysis has no use.
            (Some(_), None) => {}
            (Some(head), Some(Provider::Afd)) if let Some(event) = plain_socket_event(&record, head) => {
                plain += 1;
                coverage.bind_records += u64::from(providers::afd::is_bind(head.id()));
                coverage.unknown_phases += u64::from(has_unknown_phase(&event));
                let stamp = (Some(head.ticks()), head.process_id(), record.pos(), head.id());
                kept.add(stamp, NetEvent::Socket(event));
            }
            _ => {
                others += 1;
                kept.decode(record, embedded, &mut coverage);
            }
        }
    }
    coverage.records += seen;
    coverage.skipped += seen - others - plain;
    coverage.decoded += plain;
    coverage.port_records += plain;
    coverage.afd_records += plain;
    if let Some(error) = records.take_damage() {
        let bytes = records.remaining_bytes() as u64;
        if info.is_truncated() && error.kind == ErrorKind::Truncated {
            // The index has told that the file ends in this buffer.
            coverage.bytes_skipped += bytes;
        } else {
            coverage.buffers_damaged += u64::from(!info.is_truncated());
            coverage.damage(error, bytes);
        }
    }
    let Kept { span, displaced, mut events, .. } = kept;
    coverage.span = span;
    coverage.displaced = displaced;
    let trace = u16::try_from(trace_number).unwrap_or(u16::MAX);
    let (cpu, is_compressed) = (info.header.cpu(), info.is_compressed());
    EVENTS.set(events.len());
    if events.capacity() > events.len() + SPARE_EVENTS.max(events.len() / 8) {
        events.shrink_to_fit();
    }
    BufferEvents { trace, cpu, index: info.index, offset: info.offset, is_compressed, events, coverage }
}

/// The events of a buffer so far.
struct Kept<'b, W> {
    trace: &'b Trace<'b>,
    info: &'b BufferInfo,
    /// By what the last one is ordered.
    latest: i64,
    span: Option<(FileTime, FileTime)>,
    displaced: u64,
    events: Vec<Logged>,
    wants: W,
}

/// Ticks, process of the header, position in the buffer, and id of a record.
type Stamp = (Option<i64>, Option<u32>, u32, u16);

impl<W: Fn(&NetEvent) -> bool> Kept<'_, W> {
    // Always: an event is written where it stays, without copies on the way.
    #[inline(always)]
    fn add(&mut self, (ticks, header_pid, pos, id): Stamp, event: NetEvent) {
        let ticks = ticks.unwrap_or(self.latest);
        let time = self.trace.clock().file_time(ticks);
        let order = if (self.latest..=self.info.not_after).contains(&ticks) {
            self.latest = ticks;
            time
        } else {
            self.out_of_order(ticks, time)
        };
        // Orders never go back.
        match &mut self.span {
            Some((_, last)) => *last = order,
            None => self.span = Some((order, order)),
        }
        if (self.wants)(&event) {
            self.events.push(Logged { ticks: self.latest, order, time, header_pid, pos, id, event });
        }
    }

    /// Adds the event of a record of any kind, where it is one.
    #[inline(never)]
    fn decode(&mut self, record: Record<'_>, embedded: &Embedded, coverage: &mut Coverage) {
        if let Some(event) = decoded(record, embedded, coverage) {
            self.add((record.ticks(), record.process_id(), record.pos(), record.id().unwrap_or(0)), event);
        }
    }

    /// The time by which an event is ordered that comes before the last one, or lies outside of its buffer's time.
    #[cold]
    fn out_of_order(&mut self, ticks: i64, time: FileTime) -> FileTime {
        self.latest = self.info.order_ticks(self.latest, Some(ticks));
        let order = self.trace.clock().file_time(self.latest);
        self.displaced += u64::from(order.since(time).saturating_abs() > DISPLACED_100NS);
        order
    }
}

/// The event of a record of Winsock-AFD that is as nearly all are; `None` for all others, which [`decoded`] reads.
#[inline(always)]
fn plain_socket_event(record: &Record<'_>, head: EventHead<'_>) -> Option<SocketEvent> {
    let is_plain = head.version() == 0 && !head.has_extended_items() && record.header_type() == HeaderType::EVENT64;
    let payload = record.bytes().get(EventHead::BYTES..).filter(|_| is_plain)?;
    providers::afd::plain(head.id(), payload)
}

/// Decodes a record of any kind, and counts what became of it.
fn decoded(record: Record<'_>, embedded: &Embedded, coverage: &mut Coverage) -> Option<NetEvent> {
    let id = EventId::of(&record);
    if id.is_none() && record.kind() == RecordKind::EventHeader {
        coverage.skipped += 1;
        return None;
    }
    let decoded = providers::decode(&record, id, embedded);
    if matches!(decoded, Interpreted::NotNeeded)
        && let Some((key, schema)) = providers::embedded_schema(&record)
    {
        coverage.embedded.entry(key).or_insert(schema);
    }
    count(decoded, id, coverage)
}

/// Counts what became of a record, and gives the event where it is one. `id`: of a manifest event.
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
                *coverage.unknown_versions.entry((provider.guid(), id, version)).or_default() += 1;
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
    coverage.afd_records += 1;
    if providers::afd::is_bind(id) && !matches!(decoded, Interpreted::UnknownVersion) {
        coverage.bind_records += 1;
    }
    if let Interpreted::Event(NetEvent::Socket(event)) = decoded {
        coverage.unknown_phases += u64::from(has_unknown_phase(event));
    }
}

#[inline]
fn has_unknown_phase(event: &SocketEvent) -> bool {
    matches!(event.phase, Phase::Internal(phase) if !(2..=4).contains(&phase))
}
