//! The events behind a report, one by one: filtered, in time order, decoded as far as their schema is known.
//!
//! Streams: of each trace at most one open buffer for each processor is held, and one event at a time.

mod filter;
mod write;

use std::io;

use etl_parser::{Guid, OrderedRecord, OrderedRecords, Record, RecordKind, Trace};
use etw_schema::{DecodedEvent, NotDecoded, Schemas};

use crate::pipeline;
use crate::progress::{Progress, Stopped};
use crate::providers::names;
use crate::time::FileTime;

pub use filter::{Filter, ProviderFilter, parse_provider, parse_status, parse_time};
pub use write::{CsvWriter, EventWriter, NdjsonWriter, TextWriter};

/// An event, ready to be written.
#[derive(Debug)]
pub struct Event<'r> {
    /// Number of the trace in the case, from 0.
    pub trace: usize,
    /// When, by its own time stamp; `None` for a record without one.
    pub time: Option<FileTime>,
    /// The record.
    pub record: Record<'r>,
    /// Provider, or kernel event class; `None` for messages and unknown kinds.
    pub provider: Option<Guid>,
    /// The payload by its schema, or why there is none.
    pub decoded: Result<DecodedEvent, NotDecoded>,
}

impl Event<'_> {
    /// Name of the provider: as the schema has it, or as the built-in list has it.
    pub fn provider_name(&self) -> Option<&str> {
        let by_schema = self.decoded.as_ref().ok().and_then(|decoded| decoded.schema.provider_name.as_deref());
        by_schema.filter(|name| !name.is_empty()).or_else(|| names::provider_name(self.provider?))
    }

    /// What the event is called.
    pub fn name(&self) -> Option<String> {
        let by_schema = self.decoded.as_ref().ok().and_then(|decoded| decoded.schema.title());
        by_schema.or_else(|| names::hook_name(self.record.hook()?))
    }
}

/// Learns the schemas that a trace holds, on the current rayon pool.
///
/// # Errors
///
/// [`Stopped`] where `progress` says so.
pub fn learn(traces: &[Trace<'_>], progress: &dyn Progress) -> Result<Vec<Schemas>, Stopped> {
    progress.expect(traces.iter().map(|trace| trace.bytes().len() as u64).sum());
    let mut learned: Vec<Schemas> = traces.iter().map(|_| Schemas::default()).collect();
    pipeline::scan(
        traces,
        progress,
        |_, _, buffer| {
            let mut schemas = Schemas::default();
            buffer.records().filter_map(Result::ok).for_each(|record| schemas.learn(&record));
            schemas
        },
        |number, schemas, _| {
            if let Some(learned) = learned.get_mut(number) {
                learned.absorb(schemas);
            }
        },
    )?;
    Ok(learned)
}

/// Shows the events that `filter` lets through to `show`, in time order across all traces. Gives how many places could
/// not be read.
///
/// # Errors
///
/// Those of `show`, which end the walk.
pub fn walk(
    traces: &[Trace<'_>],
    schemas: &[Schemas],
    filter: &Filter,
    mut show: impl FnMut(&Event<'_>) -> io::Result<()>,
) -> io::Result<u64> {
    let mut damaged: u64 = traces.iter().map(Trace::damaged).sum();
    let mut streams: Vec<_> = traces.iter().map(|trace| Stream::new(trace, &mut damaged)).collect();
    loop {
        let times = streams.iter().enumerate().filter_map(|(number, stream)| Some((stream.time?, number)));
        let Some((_, number)) = times.min() else { return Ok(damaged) };
        let (Some(stream), Some(trace), Some(schemas)) =
            (streams.get_mut(number), traces.get(number), schemas.get(number))
        else {
            return Ok(damaged);
        };
        let Some(item) = stream.take(&mut damaged) else { continue };
        let record = item.record();
        let time = record.ticks().map(|ticks| trace.clock().file_time(ticks));
        let provider = record.provider();
        if !filter.admits_header(&record, provider, time) {
            continue;
        }
        let event = Event { trace: number, time, record, provider, decoded: schemas.decode(&record) };
        if filter.admits(&event) {
            show(&event)?;
        }
    }
}

/// One trace's records, the next one at hand.
struct Stream<'t, 'a> {
    records: OrderedRecords<'t, 'a>,
    next: Option<OrderedRecord<'t>>,
    /// When the next one is.
    time: Option<FileTime>,
}

impl<'t, 'a> Stream<'t, 'a> {
    fn new(trace: &'t Trace<'a>, damaged: &mut u64) -> Self {
        let mut stream = Self { records: trace.records(), next: None, time: None };
        stream.take(damaged);
        stream
    }

    /// Gives the record at hand and reads on.
    fn take(&mut self, damaged: &mut u64) -> Option<OrderedRecord<'t>> {
        let taken = self.next.take();
        self.next = loop {
            match self.records.next() {
                Some(Ok(record)) => break Some(record),
                Some(Err(_)) => *damaged += 1,
                None => break None,
            }
        };
        self.time = self.next.as_ref().map(OrderedRecord::order_time);
        taken
    }
}

/// Name of a record's kind, for events that have no provider.
pub(crate) fn kind_name(kind: RecordKind) -> &'static str {
    match kind {
        RecordKind::System => "system",
        RecordKind::Compact => "compact",
        RecordKind::Perfinfo => "perfinfo",
        RecordKind::Classic => "classic",
        RecordKind::Instance => "instance",
        RecordKind::EventHeader => "event_header",
        RecordKind::Message => "message",
        RecordKind::Other => "other",
    }
}
