//! The events behind a report, one by one: filtered, in time order, decoded as far as their schema is known, each with the
//! process that owns it.
//!
//! Whose an event is, later events can decide. So there are two passes: the first follows the machine as `analyze` does and
//! learns schemas ([`learn`]), the second shows events ([`walk()`]). The second streams: of each trace at most one open buffer for
//! each processor is held, and one event at a time. What the first keeps is bounded.

mod filter;
mod listing;
mod owners;
mod profiles;
mod providers;
mod redact;
mod walk;
mod write;

use etl_parser::{Guid, MessageHeader, Record, RecordHeader, RecordKind, Trace};
use etw_schema::{DecodedEvent, NotDecoded, SchemaSource, Schemas};

use self::owners::OwnerLog;
use self::providers::{Named, Wanted};
use crate::event::{EventMeta, LoggedEvent, NetEvent, SocketEvent};
use crate::machine::ranges::PoolRanges;
use crate::machine::sources::{Follower, Sources};
use crate::machine::window::Window;
use crate::machine::witness::Endpoint;
use crate::pipeline::{Observer, replay};
use crate::progress::{Progress, Stopped};
use crate::providers::{afd, names, tcpip};
use crate::side::facts::SideFacts;
use crate::time::FileTime;

pub(crate) use self::filter::is_called;
pub use self::filter::{Filter, ProviderFilter, StatusFilter, parse_provider, parse_status, parse_time};
pub use self::listing::Listing;
pub use self::owners::{Beyond, OwnerSource, Owners, RecordOwner};
pub use self::profiles::{Profile, ProfileWriter};
pub use self::providers::{Ambiguous, Providers};
pub use self::walk::{Walked, walk, write};
pub use self::write::{CsvWriter, EventWriter, Names, NdjsonWriter, TextWriter};

/// An event, ready to be written.
#[derive(Debug)]
pub struct Event<'r> {
    /// When, by its own time stamp; `None` for a record without one.
    pub time: Option<FileTime>,
    /// Provider, kernel event class, or class of a WPP message; `None` for messages without one and unknown kinds.
    pub provider: Option<Guid>,
    /// What tells of it.
    pub origin: Origin<'r>,
    /// Whose it is; `None` for a record without an endpoint, and where it was not found out whose records are.
    pub owner: Option<RecordOwner<'r>>,
}

/// What tells of an event.
#[derive(Debug)]
pub enum Origin<'r> {
    /// A record of a trace.
    Record {
        /// Number of the trace in the case, from 0.
        trace: usize,
        /// The record.
        record: Record<'r>,
        /// The payload by its schema, or why there is none.
        decoded: Result<DecodedEvent, NotDecoded>,
    },
    /// An entry of the log of Winsock-AFD's channel.
    Entry(&'r LoggedEvent),
}

impl Event<'_> {
    /// Name of the provider: as the schema has it, or as the built-in list has it.
    pub fn provider_name(&self) -> Option<&str> {
        let by_schema = self.decoded().and_then(DecodedEvent::provider_name);
        by_schema.or_else(|| names::provider_name(self.provider?))
    }

    /// What the event is called.
    pub fn name(&self) -> Option<String> {
        match &self.origin {
            Origin::Record { record, .. } => {
                let by_schema = self.decoded().and_then(DecodedEvent::name);
                by_schema.or_else(|| names::hook_name(record.hook()?))
            }
            Origin::Entry(entry) => afd::event_name(entry.id).map(str::to_owned),
        }
    }

    /// The payload by its schema.
    fn decoded(&self) -> Option<&DecodedEvent> {
        match &self.origin {
            Origin::Record { decoded, .. } => decoded.as_ref().ok(),
            Origin::Entry(_) => None,
        }
    }
}

/// The provider of a record, or its kernel event class; of a WPP message the GUID of its class.
pub fn provider_of(record: &Record<'_>) -> Option<Guid> {
    record.provider().or_else(|| message(record)?.guid)
}

/// The id of an event; of a WPP message its number.
pub fn id_of(record: &Record<'_>) -> Option<u16> {
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
    /// Entries of the log of Winsock-AFD's channel, by time: those of which no trace tells.
    pub logged: Vec<LoggedEvent>,
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
    let needs_owners = filter.needs_owners();
    // Which entries of a log traces tell too, their socket events say.
    if !needs_owners && side.socket_events.is_empty() {
        return Ok(FirstPass::<(), false>::read(traces, side, progress, || ())?.0);
    }
    let (learned, ()) = learn_beside(traces, side, progress, || ())?;
    Ok(Learned { owners: learned.owners.filter(|_| needs_owners), ..learned })
}

/// As [`learn`], with owners, while another observer sees the same records and events.
///
/// # Errors
///
/// [`Stopped`] where `progress` says so.
pub(crate) fn learn_beside<O: Observer>(
    traces: &[Trace<'_>],
    side: &SideFacts,
    progress: &dyn Progress,
    beside: impl Fn() -> O,
) -> Result<(Learned, O), Stopped> {
    FirstPass::<O, true>::read(traces, side, progress, beside)
}

/// Schemas, providers, with `OWNERS` the state of the machine, and what another observer makes of it.
struct FirstPass<'s, O, const OWNERS: bool> {
    follower: Follower<'s, OwnerLog>,
    schemas: Vec<Schemas>,
    providers: Providers,
    beside: O,
}

impl<O: Observer, const OWNERS: bool> FirstPass<'_, O, OWNERS> {
    fn read(
        traces: &[Trace<'_>],
        side: &SideFacts,
        progress: &dyn Progress,
        beside: impl Fn() -> O,
    ) -> Result<(Learned, O), Stopped> {
        let sources = Sources::of(traces, side, progress)?;
        let ranges = PoolRanges::new(None, &side.dynamic_ports);
        let pass = || FirstPass::<'_, O, OWNERS> {
            follower: Follower::new(&sources, ranges, Window::default()),
            schemas: traces.iter().map(|_| Schemas::default()).collect(),
            providers: Providers::default(),
            beside: beside(),
        };
        let (pass, _) = replay(traces, sources.groups(), progress, pass)?;
        let FirstPass { follower, schemas, mut providers, beside } = pass;
        let (findings, log, followed) = follower.finish();
        let logged = sources.logged_once(&followed.logs);
        if !logged.is_empty() {
            providers.add_logged(afd::PROVIDER);
        }
        providers.add_known_names(&schemas);
        let owners = OWNERS.then(|| log.settle(&findings, side, sources.boots().to_vec()));
        Ok((Learned { schemas, providers, owners, logged }, beside))
    }
}

impl<O: Observer, const OWNERS: bool> Observer for FirstPass<'_, O, OWNERS> {
    type Notes = (Schemas, Named, O::Notes);

    fn look((schemas, named, beside): &mut Self::Notes, record: &Record<'_>) {
        schemas.learn(record);
        named.look(record);
        O::look(beside, record);
    }

    fn wants(_: &NetEvent) -> bool {
        OWNERS
    }

    fn add(&mut self, trace: usize, (schemas, named, beside): Self::Notes) {
        if let Some(learned) = self.schemas.get_mut(trace) {
            learned.absorb(schemas);
        }
        self.providers.add(named);
        self.beside.add(trace, beside);
    }

    fn observe(&mut self, meta: &EventMeta, event: &NetEvent) {
        self.follower.observe(meta, event);
        self.beside.observe(meta, event);
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
        let time = event.time?;
        let found = match &event.origin {
            Origin::Entry(entry) => {
                let SocketEvent { endpoint, eprocess, .. } = entry.event;
                let by_eprocess = || owners.eprocess(eprocess, time);
                owners.logged_endpoint(Endpoint::Socket(endpoint), time).or_else(by_eprocess)
            }
            Origin::Record { trace, decoded, .. } => {
                let decoded = decoded.as_ref().ok()?;
                if decoded.schema.source == SchemaSource::TraceLogging {
                    return None;
                }
                let field = |name: &str| decoded.payload.fields.get(name)?.integer().filter(|address| *address != 0);
                if event.provider == Some(afd::PROVIDER) {
                    let socket = field("Endpoint").or_else(|| field("ListenEndpoint"))?;
                    let by_eprocess = || owners.eprocess(field("Process")?, time);
                    owners.endpoint(*trace, Endpoint::Socket(socket), time).or_else(by_eprocess)
                } else if event.provider == Some(tcpip::PROVIDER) {
                    let address = ["Endpoint", "Tcb", "PortAcquirer"].into_iter().find_map(field)?;
                    owners.endpoint(*trace, Endpoint::Transport(address), time)
                } else {
                    return None;
                }
            }
        };
        Some(found.unwrap_or(RecordOwner::UNKNOWN))
    }
}

/// Name of a record's kind, for events that have no provider.
pub fn kind_name(kind: RecordKind) -> &'static str {
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
