//! The events behind a report, one by one: filtered, in time order, decoded as far as their schema is known, each with the
//! process that owns it.
//!
//! Whose an event is, later events can decide. So there are two passes: the first follows the machine as `analyze` does and
//! learns schemas ([`learn`]), the second shows events ([`walk`]). The second streams: of each trace at most one open buffer for
//! each processor is held, and one event at a time. What the first keeps is bounded.

mod filter;
mod owners;
mod providers;
mod write;

use std::io;

use etl_parser::{Guid, MessageHeader, OrderedRecord, OrderedRecords, Record, RecordHeader, RecordKind, Trace};
use etw_schema::{DecodedEvent, NotDecoded, SchemaSource, Schemas};

use self::owners::OwnerLog;
use self::providers::{Named, Wanted};
use crate::event::{EventMeta, NetEvent};
use crate::machine::ranges::PoolRanges;
use crate::machine::sources::{Follower, Sources};
use crate::machine::window::Window;
use crate::machine::witness::Endpoint;
use crate::pipeline::{Observer, replay};
use crate::progress::{Progress, Stopped};
use crate::providers::{afd, describes_itself, names, tcpip};
use crate::side::facts::SideFacts;
use crate::time::FileTime;

pub use self::filter::{Filter, ProviderFilter, StatusFilter, parse_provider, parse_status, parse_time};
pub use self::owners::{Beyond, OwnerSource, Owners, RecordOwner};
pub use self::providers::{Ambiguous, Providers};
pub use self::write::{CsvWriter, EventWriter, NdjsonWriter, TextWriter};

/// An event, ready to be written.
#[derive(Debug)]
pub struct Event<'r> {
    /// Number of the trace in the case, from 0.
    pub trace: usize,
    /// When, by its own time stamp; `None` for a record without one.
    pub time: Option<FileTime>,
    /// The record.
    pub record: Record<'r>,
    /// Provider, kernel event class, or class of a WPP message; `None` for messages without one and unknown kinds.
    pub provider: Option<Guid>,
    /// The payload by its schema, or why there is none.
    pub decoded: Result<DecodedEvent, NotDecoded>,
    /// Whose it is; `None` for a record without an endpoint, and where it was not found out whose records are.
    pub owner: Option<RecordOwner<'r>>,
}

impl Event<'_> {
    /// Name of the provider: as the schema has it, or as the built-in list has it.
    pub fn provider_name(&self) -> Option<&str> {
        let by_schema = self.decoded.as_ref().ok().and_then(DecodedEvent::provider_name);
        by_schema.or_else(|| names::provider_name(self.provider?))
    }

    /// What the event is called.
    pub fn name(&self) -> Option<String> {
        let by_schema = self.decoded.as_ref().ok().and_then(DecodedEvent::name);
        by_schema.or_else(|| names::hook_name(self.record.hook()?))
    }
}

/// The provider of a record, or its kernel event class; of a WPP message the GUID of its class.
fn provider_of(record: &Record<'_>) -> Option<Guid> {
    record.provider().or_else(|| message(record)?.guid)
}

/// The id of an event; of a WPP message its number.
fn id_of(record: &Record<'_>) -> Option<u16> {
    record.id().or_else(|| message(record).map(|message| message.message_number))
}

fn message(record: &Record<'_>) -> Option<MessageHeader> {
    match record.header() {
        Ok(RecordHeader::Message(message)) if record.kind() == RecordKind::Message => Some(message),
        _ => None,
    }
}

/// What the first pass finds out.
#[derive(Debug)]
pub struct Learned {
    /// The schemas that each trace holds.
    pub schemas: Vec<Schemas>,
    /// The providers of all traces.
    pub providers: Providers,
    /// Whose the records are, where that was asked for.
    pub owners: Option<Owners>,
}

/// Reads traces once, on the current rayon pool, and learns what the second pass needs; `side` names processes that the traces do
/// not. Whose the records are is found out where `filter` needs it.
///
/// # Errors
///
/// [`Stopped`] where `progress` says so.
pub fn learn(
    traces: &[Trace<'_>],
    side: &SideFacts,
    filter: &Filter,
    progress: &dyn Progress,
) -> Result<Learned, Stopped> {
    if filter.needs_owners() {
        FirstPass::<true>::read(traces, side, progress)
    } else {
        FirstPass::<false>::read(traces, side, progress)
    }
}

/// Schemas, providers, and with `OWNERS` the state of the machine.
struct FirstPass<'s, const OWNERS: bool> {
    follower: Follower<'s, OwnerLog>,
    schemas: Vec<Schemas>,
    providers: Providers,
}

impl<const OWNERS: bool> FirstPass<'_, OWNERS> {
    fn read(traces: &[Trace<'_>], side: &SideFacts, progress: &dyn Progress) -> Result<Learned, Stopped> {
        let sources = Sources::of(traces, side, progress)?;
        let ranges = PoolRanges::new(None, &side.dynamic_ports);
        let pass = || FirstPass::<'_, OWNERS> {
            follower: Follower::new(&sources, ranges, Window::default()),
            schemas: traces.iter().map(|_| Schemas::default()).collect(),
            providers: Providers::default(),
        };
        let (pass, _) = replay(traces, sources.groups(), progress, pass)?;
        let FirstPass { follower, schemas, mut providers } = pass;
        providers.add_known_names(&schemas);
        let owners = OWNERS.then(|| {
            let (findings, log, _) = follower.finish();
            log.settle(&findings, side, sources.boots().to_vec())
        });
        Ok(Learned { schemas, providers, owners })
    }
}

impl<const OWNERS: bool> Observer for FirstPass<'_, OWNERS> {
    type Notes = (Schemas, Named);

    fn look((schemas, named): &mut Self::Notes, record: &Record<'_>) {
        schemas.learn(record);
        named.look(record);
    }

    fn wants(_: &NetEvent) -> bool {
        OWNERS
    }

    fn add(&mut self, trace: usize, (schemas, named): Self::Notes) {
        if let Some(learned) = self.schemas.get_mut(trace) {
            learned.absorb(schemas);
        }
        self.providers.add(named);
    }

    fn observe(&mut self, meta: &EventMeta, event: &NetEvent) {
        self.follower.observe(meta, event);
    }
}

/// A filter whose providers are found among those of the traces.
#[derive(Debug)]
pub struct Choice<'f> {
    filter: &'f Filter,
    providers: Wanted,
}

impl Learned {
    /// Finds the providers that a filter names.
    ///
    /// # Errors
    ///
    /// A part of a name that several providers have.
    pub fn choose<'f>(&self, filter: &'f Filter) -> Result<Choice<'f>, Ambiguous> {
        Ok(Choice { filter, providers: self.providers.choose(&filter.providers)? })
    }

    /// The owner of an event: as it counted where it is a failure, else of its endpoint, else of its EPROCESS address.
    fn owner(&self, event: &Event<'_>) -> Option<RecordOwner<'_>> {
        let owners = self.owners.as_ref()?;
        let decoded =
            event.decoded.as_ref().ok().filter(|decoded| decoded.schema.source != SchemaSource::TraceLogging)?;
        let field = |name: &str| decoded.payload.fields.get(name)?.integer().filter(|address| *address != 0);
        let time = event.time?;
        let is_of = |provider: Guid| event.provider == Some(provider);
        let found = if is_of(afd::PROVIDER) {
            let socket = field("Endpoint").or_else(|| field("ListenEndpoint"))?;
            let by_eprocess = || owners.eprocess(field("Process")?, time);
            owners.endpoint(event.trace, Endpoint::Socket(socket), time).or_else(by_eprocess)
        } else if is_of(tcpip::PROVIDER) {
            let address = ["Endpoint", "Tcb", "PortAcquirer"].into_iter().find_map(field)?;
            owners.endpoint(event.trace, Endpoint::Transport(address), time)
        } else {
            return None;
        };
        Some(found.unwrap_or(RecordOwner::UNKNOWN))
    }
}

/// What became of a walk.
#[derive(Debug, Default)]
pub struct Walked {
    /// Places that could not be read.
    pub damaged: u64,
    /// Ids that the filter names and no record of its providers has.
    pub missing_ids: Vec<u16>,
    /// Providers that the filter names and the traces do not hold, as they may be shown.
    pub missing_providers: Vec<String>,
}

/// Shows the events that `choice` lets through to `show`, in time order across all traces.
///
/// # Errors
///
/// Those of `show`, which end the walk.
pub fn walk(
    traces: &[Trace<'_>],
    learned: &Learned,
    choice: &Choice<'_>,
    mut show: impl FnMut(&Event<'_>) -> io::Result<()>,
) -> io::Result<Walked> {
    let Choice { filter, providers } = choice;
    let mut walked = Walked {
        damaged: traces.iter().map(Trace::damaged).sum(),
        missing_ids: filter.ids.clone(),
        missing_providers: providers.missing.clone(),
    };
    walked.missing_ids.sort_unstable();
    walked.missing_ids.dedup();
    let of_failures = filter.is_of_failures();
    let mut streams: Vec<_> = traces.iter().map(|trace| Stream::new(trace, &mut walked.damaged)).collect();
    loop {
        let times = streams.iter().enumerate().filter_map(|(number, stream)| Some((stream.time?, number)));
        let Some((_, number)) = times.min() else { return Ok(walked) };
        let (Some(stream), Some(trace), Some(schemas)) =
            (streams.get_mut(number), traces.get(number), learned.schemas.get(number))
        else {
            return Ok(walked);
        };
        let Some(item) = stream.take(&mut walked.damaged) else { continue };
        let record = item.record();
        let provider = provider_of(&record);
        if !filter.providers.is_empty() && !provider.is_some_and(|provider| providers.guids.contains(&provider)) {
            continue;
        }
        if !filter.ids.is_empty() {
            // An event that describes itself has no manifest's id.
            let id = id_of(&record).filter(|id| filter.ids.contains(id) && !describes_itself(&record));
            let Some(id) = id else { continue };
            walked.missing_ids.retain(|missing| *missing != id);
        }
        let is_of_header = |pid| filter.header_pids.contains(&pid);
        if !filter.header_pids.is_empty() && !record.process_id().is_some_and(is_of_header) {
            continue;
        }
        let time = record.ticks().map(|ticks| trace.clock().file_time(ticks));
        if !filter.admits_time(time) {
            continue;
        }
        let failure = learned.owners.as_ref().filter(|_| provider == Some(afd::PROVIDER));
        let failure = failure.and_then(|owners| owners.failure(number, &record));
        if of_failures && failure.is_none() {
            continue;
        }
        let decoded = schemas.decode(record);
        let mut event = Event { trace: number, time, record, provider, decoded, owner: failure };
        if event.owner.is_none() {
            event.owner = learned.owner(&event);
        }
        if filter.admits_owner(&event) && filter.admits_status(&event) {
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
