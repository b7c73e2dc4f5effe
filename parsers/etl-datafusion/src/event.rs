//! Events as rows: of all files, and the failures among them with their owners.

use std::cell::{Cell as Counter, OnceCell};

use etl_parser::{EtlFile, Guid, Record, Trace};
use etw_schema::{DecodedEvent, NotDecoded, Schemas};
use outofports::Case;
use outofports::case::{Contents, Opened, Reason};
use outofports::event::LoggedEvent;
use outofports::events::{self, Event, Origin, RecordOwner, id_of, kind_name, provider_of};
use outofports::pipeline::Threads;
use outofports::providers::{afd, names};
use outofports::time::FileTime;

use crate::column::{Cell, Kind, Valued, decoded, plain};
use crate::filter::Filter;
use crate::read::{Read, Reading, Stop};

/// How the value of a column comes from an event.
type Value = for<'r> fn(&'r EventRow<'r>) -> Cell<'r>;

/// An event. Its payload is decoded when somebody asks for it.
pub(crate) struct EventRow<'e> {
    /// The file or the case.
    place: &'e str,
    /// Number of the trace in it.
    trace: Option<usize>,
    pub(crate) time_ns: Option<i64>,
    pub(crate) guid: Option<Guid>,
    from: From<'e>,
    owner: Option<RecordOwner<'e>>,
}

/// What tells of an event.
enum From<'e> {
    Record { record: Record<'e>, decoded: Decoded<'e> },
    Entry(&'e LoggedEvent),
}

/// The payload by its schema.
enum Decoded<'e> {
    Already(&'e Result<DecodedEvent, NotDecoded>),
    When { schemas: &'e TraceSchemas<'e>, asked: OnceCell<Result<DecodedEvent, NotDecoded>> },
}

/// The schemas of a trace, which are learned when the first payload is to be decoded: that reads the trace once more.
struct TraceSchemas<'t> {
    trace: &'t Trace<'t>,
    learned: OnceCell<Schemas>,
    /// Bytes of payloads that were decoded.
    decoded_bytes: Counter<u64>,
}

impl TraceSchemas<'_> {
    fn decode(&self, record: &Record<'_>) -> Result<DecodedEvent, NotDecoded> {
        let bytes = record.user_data().map_or(0, <[u8]>::len) as u64;
        self.decoded_bytes.set(self.decoded_bytes.get().saturating_add(bytes));
        self.learned.get_or_init(|| Schemas::from_trace(self.trace)).decode(record)
    }
}

impl<'e> EventRow<'e> {
    fn of_record(
        place: &'e str,
        number: usize,
        trace: &Trace<'_>,
        record: Record<'e>,
        schemas: &'e TraceSchemas<'e>,
    ) -> Self {
        let time = record.ticks().map(|ticks| trace.clock().file_time(ticks));
        Self {
            place,
            trace: Some(number),
            time_ns: time.and_then(nanoseconds),
            guid: provider_of(&record),
            from: From::Record { record, decoded: Decoded::When { schemas, asked: OnceCell::new() } },
            owner: None,
        }
    }

    fn of_event(place: &'e str, event: &'e Event<'e>) -> Self {
        let (trace, from) = match &event.origin {
            Origin::Record { trace, record, decoded } => {
                (Some(*trace), From::Record { record: *record, decoded: Decoded::Already(decoded) })
            }
            Origin::Entry(entry) => (None, From::Entry(entry)),
        };
        let time_ns = event.time.and_then(nanoseconds);
        Self { place, trace, time_ns, guid: event.provider, from, owner: event.owner }
    }

    fn record(&self) -> Option<&Record<'e>> {
        match &self.from {
            From::Record { record, .. } => Some(record),
            From::Entry(_) => None,
        }
    }

    pub(crate) fn id(&self) -> Option<i64> {
        let id = match &self.from {
            From::Record { record, .. } => id_of(record),
            From::Entry(entry) => Some(entry.id),
        };
        id.map(i64::from)
    }

    pub(crate) fn pid(&self) -> Option<i64> {
        let pid = match &self.from {
            From::Record { record, .. } => record.process_id(),
            From::Entry(entry) => entry.header_pid,
        };
        pid.map(i64::from)
    }

    pub(crate) fn owner_pid(&self) -> Option<i64> {
        self.owner.and_then(|owner| owner.pid).map(i64::from)
    }

    /// As the built-in list has it, for which no payload is needed, else as the event's schema has it.
    pub(crate) fn provider_name(&self) -> Option<&str> {
        names::provider_name(self.guid?).or_else(|| self.decoded()?.as_ref().ok()?.provider_name())
    }

    fn decoded(&self) -> Option<&Result<DecodedEvent, NotDecoded>> {
        let From::Record { record, decoded } = &self.from else { return None };
        Some(match decoded {
            Decoded::Already(decoded) => decoded,
            Decoded::When { schemas, asked } => asked.get_or_init(|| schemas.decode(record)),
        })
    }

    fn payload(&self) -> Option<&DecodedEvent> {
        self.decoded()?.as_ref().ok()
    }

    fn name(&self) -> Cell<'_> {
        match &self.from {
            From::Record { record, .. } => {
                let by_schema = self.payload().and_then(DecodedEvent::name);
                Cell::text(by_schema.or_else(|| names::hook_name(record.hook()?)))
            }
            From::Entry(entry) => Cell::text(afd::event_name(entry.id)),
        }
    }

    fn fields(&self) -> Cell<'_> {
        let json = match &self.from {
            From::Record { .. } => self.payload().and_then(|decoded| serde_json::to_string(decoded.fields()).ok()),
            From::Entry(entry) => {
                let fields: serde_json::Map<String, serde_json::Value> =
                    entry.fields.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
                serde_json::to_string(&fields).ok()
            }
        };
        Cell::text(json)
    }
}

/// Nanoseconds since 1970; `None` for a time outside of what 64 bits of them hold, the years 1678 to 2262.
pub(crate) fn nanoseconds(time: FileTime) -> Option<i64> {
    i64::try_from(time.to_unix_nanoseconds()).ok()
}

/// Columns of each event.
pub(crate) const EVENT: [Valued<Value>; 20] = [
    plain("file", Kind::Text, "", "where it is from: a path, the URL of an object, or the folder of a case", |row| {
        Cell::text(Some(row.place))
    }),
    plain("trace", Kind::Integer, "", "number of its trace there, from 0; null for the entry of a log", |row| {
        row.trace.map_or(Cell::Null, |trace| Cell::count(trace as u64))
    }),
    plain("time", Kind::Time, "UTC", "when, by its own time stamp", |row| Cell::time(row.time_ns)),
    plain("cpu", Kind::Integer, "", "processor that wrote it", |row| Cell::integer(row.record().map(Record::cpu))),
    plain("pid", Kind::Integer, "", "process of its header, which need not be whose it is", |row| {
        Cell::integer(row.pid())
    }),
    plain("tid", Kind::Integer, "", "thread of its header", |row| {
        Cell::integer(row.record().and_then(Record::thread_id))
    }),
    plain("kind", Kind::Text, "", "kind of its record: event_header, system, message and others", |row| {
        Cell::text(Some(row.record().map_or("log_entry", |record| kind_name(record.kind()))))
    }),
    plain("guid", Kind::Text, "", "provider, kernel event class, or class of a WPP message", |row| {
        Cell::text(row.guid.map(|guid| guid.to_string()))
    }),
    plain(
        "provider",
        Kind::Text,
        "",
        "its name, as a built-in list has it; for a provider outside of the list its schema is needed, and decoded",
        |row| Cell::text(row.provider_name()),
    ),
    plain("id", Kind::Integer, "", "id of the event; of a WPP message its number", |row| Cell::integer(row.id())),
    plain("version", Kind::Integer, "", "version of the event", |row| match &row.from {
        From::Record { record, .. } => Cell::integer(record.version()),
        From::Entry(entry) => Cell::integer(Some(entry.version)),
    }),
    plain("level", Kind::Integer, "", "level, 1 for critical to 5 for verbose", |row| {
        Cell::integer(row.record().and_then(Record::level))
    }),
    plain("opcode", Kind::Integer, "", "opcode", |row| Cell::integer(row.record().and_then(Record::opcode))),
    plain("keyword", Kind::Text, "", "keywords in hexadecimal digits", |row| {
        Cell::text(row.record().and_then(Record::keyword).map(|keyword| format!("0x{keyword:016X}")))
    }),
    plain("payload", Kind::Bytes, "", "payload as it is stored", |row| {
        row.record().and_then(|record| record.user_data().ok()).map_or(Cell::Null, Cell::Bytes)
    }),
    decoded(plain("name", Kind::Text, "", "name of the event by its schema", |row| row.name())),
    decoded(plain("fields", Kind::Text, "", "fields by its schema, a JSON object", |row| row.fields())),
    decoded(plain("schema", Kind::Text, "", "where the schema is from", |row| match &row.from {
        From::Record { .. } => Cell::text(row.payload().map(|decoded| decoded.schema.source.name())),
        From::Entry(_) => Cell::text(Some("event_log")),
    })),
    decoded(plain("missing", Kind::Text, "", "the first field that the payload is too short for, and why", |row| {
        Cell::text(row.payload().and_then(DecodedEvent::missing).map(ToString::to_string))
    })),
    decoded(plain("problem", Kind::Text, "", "why there are no fields", |row| {
        Cell::text(row.decoded().and_then(|decoded| decoded.as_ref().err()).map(ToString::to_string))
    })),
];

/// Columns of a failure beside those.
pub(crate) const OWNER: [Valued<Value>; 3] = [
    plain("owner_pid", Kind::Integer, "", "process that asked for the port; null where nobody is known", |row| {
        Cell::integer(row.owner_pid())
    }),
    plain("owner_image", Kind::Text, "", "base name of its image", |row| {
        Cell::text(row.owner.and_then(|owner| owner.image))
    }),
    plain("owner_source", Kind::Text, "", "how the owner is known, unknown where nobody is", |row| {
        Cell::text(row.owner.map(|owner| owner.source.as_str()))
    }),
];

/// Reads the events of a file, in the order in which its buffers are stored.
pub(crate) fn events(reading: &mut Reading<'_>) -> Read {
    let file = match EtlFile::open(reading.path) {
        Ok(file) => file,
        Err(error) => return reading.skip(&error),
    };
    let Ok(traces) = file.traces() else {
        reading.out.metrics.not_traces.add(1);
        return Ok(());
    };
    reading.out.metrics.bytes_scanned.add(file.bytes().len());
    let matcher = reading.scan.filter.matcher();
    let mut scratch = Vec::new();
    for (number, trace) in traces.iter().enumerate() {
        let schemas = TraceSchemas { trace, learned: OnceCell::new(), decoded_bytes: Counter::new(0) };
        let ended = (0..trace.buffers().len()).try_for_each(|position| -> Read {
            reading.out.go_on()?;
            let Ok(buffer) = trace.buffer(position, &mut scratch) else { return Ok(()) };
            for record in buffer.records() {
                // Damage ends the buffer, and is a row of etl_files.
                let Ok(record) = record else { break };
                reading.out.metrics.records.add(1);
                let row = EventRow::of_record(reading.place, number, trace, record, &schemas);
                if matcher.admits(&row) {
                    reading.out.row(|column| EVENT.get(column).map_or(Cell::Null, |valued| (valued.value)(&row)))?;
                }
            }
            Ok(())
        });
        reading.out.metrics.bytes_decoded.add(usize::try_from(schemas.decoded_bytes.get()).unwrap_or(usize::MAX));
        ended?;
    }
    Ok(())
}

/// Reads the failures of a case.
pub(crate) fn failures(reading: &mut Reading<'_>) -> Read {
    let case = Case::default().with_path(reading.path);
    let watched = reading.out.watched();
    let threads = Threads::start(1).map_err(|error| reading.failed(&error))?;
    let contents = Contents::open(&case, &watched).map_err(|_| Stop::Ended)?;
    let Opened { traces: opened, unusable, .. } = threads.run(|| contents.index());
    if let Some(not_used) = unusable.iter().find(|not_used| matches!(not_used.reason, Reason::System(_))) {
        reading.skip(&not_used.reason)?;
    }
    if opened.is_empty() && contents.side.afd_logs.is_empty() {
        reading.out.metrics.not_traces.add(1);
        return Ok(());
    }
    let traces: Vec<Trace<'_>> = opened.into_iter().map(|opened| opened.trace).collect();
    reading.out.metrics.bytes_scanned.add(traces.iter().map(|trace| trace.bytes().len()).sum());
    let filter = reading.scan.filter.of_failures();
    let learned = threads.run(|| events::learn(&traces, &contents.side, &filter, &watched)).map_err(|_| Stop::Ended)?;
    let choice = learned.choose(&filter).map_err(|error| reading.failed(&error))?;
    let matcher = reading.scan.filter.matcher();
    let mut ended = Ok(());
    let walked = events::walk(&traces, &learned, &choice, |event| {
        let row = EventRow::of_event(reading.place, event);
        if matcher.admits(&row) {
            let value = |column: usize| EVENT.get(column).or_else(|| OWNER.get(column.wrapping_sub(EVENT.len())));
            ended = reading.out.row(|column| value(column).map_or(Cell::Null, |valued| (valued.value)(&row)));
        }
        if ended.is_err() { Err(std::io::ErrorKind::Interrupted.into()) } else { Ok(()) }
    });
    ended?;
    walked.map_err(|error| reading.failed(&error))?;
    Ok(())
}

impl Filter {
    /// The part of it that the search for failures understands; the rest is asked of each.
    fn of_failures(&self) -> events::Filter {
        // The steps of a trace are 100 ns: the first that is not before, the last that is not after.
        let since = self.since_ns.and_then(|since| FileTime::from_unix_nanoseconds(i128::from(since) + 99));
        let until = self.until_ns.and_then(|until| FileTime::from_unix_nanoseconds(until.into()));
        events::Filter { since, until, ..events::Filter::default() }
    }
}
