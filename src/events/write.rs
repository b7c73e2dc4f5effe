//! One line for each event: text for people, NDJSON and CSV for programs.

use std::borrow::Cow;
use std::fmt::{Display, Write as _};
use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use etl_parser::{ExtendedItem, ExtendedValue, Record};
use etw_schema::{DecodedEvent, FieldValues, NotDecoded, Sid, hexadecimal};
use serde::{Serialize, Serializer};

use super::{Event, Origin, id_of, kind_name, redact};
use crate::case::SideInput;
use crate::event::LoggedEvent;
use crate::report::csv::cell;
use crate::report::json::spelled_out;
use crate::time::{FileTime, Zone};
use crate::words::pseudonyms::Pseudonyms;
use crate::words::shown;

/// Writes events, one line each.
pub trait EventWriter: Sync {
    /// Writes what comes before the first event.
    ///
    /// # Errors
    ///
    /// What writing says.
    fn begin(&self, _out: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }

    /// Writes one event.
    ///
    /// # Errors
    ///
    /// What writing says.
    fn write(&self, event: &Event<'_>, out: &mut dyn Write) -> io::Result<()>;

    /// Whether a line depends on those before it: then they are to be written one after the other.
    fn depends_on_order(&self) -> bool;

    /// How many events this form has no place for: those without a time.
    fn left_out(&self) -> u64 {
        0
    }

    /// What was replaced and what was kept, as a sentence; `None` where nothing was to be.
    fn redacted(&self) -> Option<String> {
        None
    }
}

/// For people: time, processor, process and thread, owner, provider, id, name, fields.
#[derive(Debug, Default)]
pub struct TextWriter {
    /// What to call traces and logs, and what is in them.
    pub names: Names,
    /// The zone of its times.
    pub zone: Zone,
}

impl EventWriter for TextWriter {
    fn depends_on_order(&self) -> bool {
        self.names.are_replaced()
    }

    fn redacted(&self) -> Option<String> {
        self.names.redacted()
    }

    fn write(&self, event: &Event<'_>, out: &mut dyn Write) -> io::Result<()> {
        let zone = self.zone;
        let row = self.names.row(event);
        let time = event.time.map_or_else(|| "(no time)".to_owned(), |time| zone.rfc3339(time));
        let id = |id: Option<u32>| id.map_or_else(|| "-".to_owned(), |id| id.to_string());
        write!(out, "{time} ")?;
        match (row.cpu, row.log_record) {
            (Some(cpu), _) => write!(out, "CPU {cpu} ")?,
            (None, Some(record)) => write!(out, "RECORD {record} ")?,
            (None, None) => {}
        }
        write!(out, "PID {} TID {} ", id(row.pid), id(row.tid))?;
        match (row.owner_source, row.owner_pid) {
            (Some(source), Some(pid)) => {
                let image = row.owner_image.as_ref().map(|image| format!(" {}", quoted(image))).unwrap_or_default();
                write!(out, "OWNER {pid}{image} ({source}) ")?;
            }
            (Some(_), None) => write!(out, "OWNER unknown ")?,
            (None, _) => {}
        }
        match (row.provider.or(row.guid.as_deref()), row.id) {
            (Some(provider), Some(id)) => write!(out, "{}/{id}", printed(provider))?,
            (Some(provider), None) => write!(out, "{}", printed(provider))?,
            (None, _) => write!(out, "({})", row.kind)?,
        }
        if let Some(name) = &row.name {
            write!(out, " {}", printed(name))?;
        }
        match &row.fields {
            Some(Fields::Decoded(fields)) => {
                for (name, value) in fields.iter() {
                    write!(out, " {}={}", printed(name), quoted(&value.to_string()))?;
                }
            }
            Some(Fields::Shown(fields)) => {
                for (name, value) in fields.iter() {
                    write!(out, " {}={}", printed(name), quoted(value))?;
                }
            }
            None => write!(out, " payload={}", row.payload.as_deref().unwrap_or_default())?,
        }
        if let Some(missing) = &row.missing {
            write!(out, " ({})", printed(missing))?;
        }
        if row.leftover_bytes.is_some_and(|bytes| bytes > 0) {
            write!(out, " (+{} bytes)", row.leftover_bytes.unwrap_or(0))?;
        }
        writeln!(out)
    }
}

/// Text in quotes where it would not be one word.
fn quoted(text: &str) -> Cow<'_, str> {
    let text = printed(text);
    if text.is_empty() || text.contains([' ', '"', '=']) {
        return format!("{:?}", text.replace('"', "'")).into();
    }
    text
}

/// Text from outside, so that no terminal takes it for a command. Most of it is such already: long payloads in hexadecimal.
fn printed(text: &str) -> Cow<'_, str> {
    // Numbers instead of truth values, and no early end within a piece: compilers then compare many bytes at once.
    let other = |piece: &[u8]| piece.iter().fold(0, |all, byte| all | u8::from(*byte < b' ') | u8::from(*byte > b'~'));
    if text.as_bytes().chunks(64).all(|piece| other(piece) == 0) { text.into() } else { shown(text).into() }
}

/// The same, so that no spreadsheet takes it for a formula either.
fn table_cell(text: &str) -> Cow<'_, str> {
    let text = printed(text);
    if text.starts_with(['=', '+', '-', '@', '\'']) { cell(&text).into() } else { text }
}

/// Bytes that a line has beside its fields, about.
const LINE_BYTES: usize = 512;

/// What to call what tells of events, and what events name.
#[derive(Debug, Default)]
pub struct Names {
    /// Of the traces, by number.
    traces: Vec<String>,
    /// Of the side inputs, by number.
    side_inputs: Vec<String>,
    /// What stands for names where these must not be told.
    pseudonyms: Option<Mutex<Pseudonyms>>,
}

impl Names {
    pub(super) fn redacted(&self) -> Option<String> {
        self.pseudonyms.as_ref().map(|pseudonyms| lock(pseudonyms).account())
    }

    /// Whether others stand for them, which are numbered as they come.
    pub(super) fn are_replaced(&self) -> bool {
        self.pseudonyms.is_some()
    }

    /// Of these traces and side inputs, all of which `pseudonyms` replaces.
    pub fn new(mut traces: Vec<String>, side_inputs: &[SideInput], mut pseudonyms: Option<Pseudonyms>) -> Self {
        let mut side_inputs: Vec<String> = side_inputs.iter().map(|input| input.path.clone()).collect();
        if let Some(pseudonyms) = &mut pseudonyms {
            traces.iter_mut().chain(&mut side_inputs).for_each(|path| *path = pseudonyms.path(path));
        }
        Self { traces, side_inputs, pseudonyms: pseudonyms.map(Mutex::new) }
    }

    /// An event as it is to be written.
    pub(super) fn row<'p>(&'p self, event: &'p Event<'_>) -> Row<'p> {
        let Self { traces, side_inputs, pseudonyms } = self;
        let (trace, log) = match &event.origin {
            Origin::Record { trace, .. } => (traces.get(*trace), None),
            Origin::Entry(entry) => (None, side_inputs.get(entry.entry.source)),
        };
        let mut row = Row { trace: trace.map(String::as_str), log: log.map(String::as_str), ..Row::new(event) };
        if let Some(pseudonyms) = pseudonyms {
            row.redact(&mut lock(pseudonyms));
        }
        row
    }
}

/// A panic elsewhere leaves names as they were.
fn lock(pseudonyms: &Mutex<Pseudonyms>) -> MutexGuard<'_, Pseudonyms> {
    pseudonyms.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One JSON object on each line.
#[derive(Debug, Default)]
pub struct NdjsonWriter {
    /// What to call traces and logs, and what is in them.
    pub names: Names,
}

impl EventWriter for NdjsonWriter {
    fn depends_on_order(&self) -> bool {
        self.names.are_replaced()
    }

    fn redacted(&self) -> Option<String> {
        self.names.redacted()
    }

    fn write(&self, event: &Event<'_>, out: &mut dyn Write) -> io::Result<()> {
        let row = self.names.row(event);
        let bytes = match &event.origin {
            Origin::Record { record, .. } => record.bytes().len(),
            Origin::Entry(_) => 0,
        };
        let mut line = Vec::with_capacity(LINE_BYTES + 2 * bytes);
        serde_json::to_writer(&mut line, &row)?;
        line.push(b'\n');
        out.write_all(&spelled_out(line))
    }
}

/// One row for each event, its fields in one column.
#[derive(Debug, Default)]
pub struct CsvWriter {
    /// What to call traces and logs, and what is in them.
    pub names: Names,
}

const COLUMNS: [&str; 21] = [
    "time",
    "trace",
    "cpu",
    "pid",
    "tid",
    "owner_pid",
    "owner_image",
    "owner_source",
    "provider",
    "guid",
    "id",
    "version",
    "name",
    "fields",
    "leftover_bytes",
    "missing",
    "schema",
    "buffer",
    "offset",
    "log",
    "log_record",
];

impl EventWriter for CsvWriter {
    fn depends_on_order(&self) -> bool {
        self.names.are_replaced()
    }

    fn redacted(&self) -> Option<String> {
        self.names.redacted()
    }

    fn begin(&self, out: &mut dyn Write) -> io::Result<()> {
        write_row(out, COLUMNS.map(Cow::from))
    }

    fn write(&self, event: &Event<'_>, out: &mut dyn Write) -> io::Result<()> {
        let row = self.names.row(event);
        let number = |number: Option<u64>| Cow::from(number.map(|number| number.to_string()).unwrap_or_default());
        let text = |text: Option<&str>| Cow::from(table_cell(text.unwrap_or_default()).into_owned());
        let fields = row.fields.as_ref().map(in_one_cell);
        write_row(
            out,
            [
                event.time.and_then(FileTime::to_rfc3339).unwrap_or_default().into(),
                text(row.trace),
                number(row.cpu.map(u64::from)),
                number(row.pid.map(u64::from)),
                number(row.tid.map(u64::from)),
                number(row.owner_pid.map(u64::from)),
                text(row.owner_image.as_deref()),
                row.owner_source.unwrap_or_default().into(),
                text(row.provider),
                row.guid.as_deref().unwrap_or_default().into(),
                number(row.id.map(u64::from)),
                number(row.version.map(u64::from)),
                text(row.name.as_deref()),
                table_cell(fields.as_deref().or(row.payload.as_deref()).unwrap_or_default()),
                number(row.leftover_bytes.map(|bytes| bytes as u64)),
                text(row.missing.as_deref()),
                row.schema.unwrap_or_default().into(),
                number(row.buffer.map(u64::from)),
                number(row.offset),
                text(row.log),
                number(row.log_record),
            ],
        )
    }
}

fn in_one_cell(fields: &Fields<'_>) -> String {
    match fields {
        Fields::Decoded(fields) => joined(fields.iter()),
        Fields::Shown(fields) => joined(fields.iter().map(|(name, value)| (name.as_str(), value))),
    }
}

fn joined<'f>(fields: impl Iterator<Item = (&'f str, impl Display)>) -> String {
    let mut text = String::new();
    for (position, (name, value)) in fields.enumerate() {
        let separator = if position == 0 { "" } else { "; " };
        // Writing to a string does not fail.
        let _ = write!(text, "{separator}{name}={value}");
    }
    text
}

/// The fields of an event.
#[derive(Debug)]
pub(super) enum Fields<'e> {
    /// Of a payload.
    Decoded(Cow<'e, FieldValues>),
    /// As a log shows them.
    Shown(Cow<'e, [(String, String)]>),
}

impl Serialize for Fields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Decoded(fields) => fields.serialize(serializer),
            Self::Shown(fields) => serializer.collect_map(fields.iter().map(|(name, value)| (name, Shown(value)))),
        }
    }
}

/// A number where it is a decimal one.
struct Shown<'e>(&'e str);

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.parse::<u64>() {
            Ok(number) => serializer.serialize_u64(number),
            Err(_) => serializer.serialize_str(self.0),
        }
    }
}

fn write_row<const N: usize>(out: &mut dyn Write, cells: [Cow<'_, str>; N]) -> io::Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(cells.iter().map(|cell| cell.as_bytes()))?;
    writer.flush()
}

/// An event as programs see it. Described in `SCHEMA.md` of the reports.
#[derive(Debug, Default, Serialize)]
pub(super) struct Row<'e> {
    time: Option<FileTime>,
    pub(super) trace: Option<&'e str>,
    cpu: Option<u16>,
    pub(super) pid: Option<u32>,
    pub(super) tid: Option<u32>,
    pub(super) owner_pid: Option<u32>,
    pub(super) owner_image: Option<Cow<'e, str>>,
    pub(super) owner_source: Option<&'static str>,
    kind: &'static str,
    pub(super) provider: Option<&'e str>,
    pub(super) guid: Option<String>,
    pub(super) id: Option<u16>,
    pub(super) version: Option<u8>,
    pub(super) name: Option<String>,
    pub(super) fields: Option<Fields<'e>>,
    leftover_bytes: Option<usize>,
    missing: Option<String>,
    /// Where the schema is from, or why there is none.
    schema: Option<&'static str>,
    problem: Option<String>,
    /// The raw payload in hexadecimal, where no schema is known.
    payload: Option<String>,
    /// Extended data items, without those that hold the schema.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    extended: Vec<Extended>,
    buffer: Option<u32>,
    offset: Option<u64>,
    /// The log, and the number of the entry in it; absent where a trace tells of the event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) log: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log_record: Option<u64>,
}

/// An extended data item.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Extended {
    RelatedActivityId(String),
    Sid(String),
    SessionId(u32),
    Instance { id: u32, parent_id: u32, parent_guid: String },
    Stack { match_id: u64, addresses: Vec<String> },
    PebsIndex(u64),
    PmcCounters(String),
    PsmKey(String),
    EventKey(u64),
    ProcessStartKey(u64),
    ControlGuid(String),
    QpcDelta(i64),
    ContainerId(String),
    StackKey { match_id: u64, key: u64 },
    Other { item_type: u16, data: String },
}

impl Extended {
    /// Replaces what tells whose machine it is; counters, keys of one start of a machine and addresses of code may stay.
    fn redact(&mut self, names: &mut Pseudonyms) {
        match self {
            Self::Sid(sid) => *sid = names.sentence(sid),
            Self::ContainerId(id) | Self::ControlGuid(id) | Self::PsmKey(id) => *id = names.text(id),
            Self::Other { data, .. } => *data = redact::length(data.len() / 2),
            Self::RelatedActivityId(_)
            | Self::SessionId(_)
            | Self::Instance { .. }
            | Self::Stack { .. }
            | Self::PebsIndex(_)
            | Self::PmcCounters(_)
            | Self::EventKey(_)
            | Self::ProcessStartKey(_)
            | Self::QpcDelta(_)
            | Self::StackKey { .. } => {}
        }
    }

    fn new(item: &ExtendedItem<'_>) -> Option<Self> {
        Some(match item.value() {
            ExtendedValue::TraceLoggingSchema(_) | ExtendedValue::ProviderTraits(_) => return None,
            ExtendedValue::RelatedActivityId(guid) => Self::RelatedActivityId(guid.to_string()),
            ExtendedValue::Sid(sid) => Self::Sid(Sid::from_bytes(sid).to_string()),
            ExtendedValue::SessionId(id) => Self::SessionId(id),
            ExtendedValue::Instance { id, parent_id, parent_guid } => {
                Self::Instance { id, parent_id, parent_guid: parent_guid.to_string() }
            }
            ExtendedValue::Stack(stack) => Self::Stack {
                match_id: stack.match_id,
                addresses: stack.addresses().map(|address| format!("0x{address:X}")).collect(),
            },
            ExtendedValue::PebsIndex(index) => Self::PebsIndex(index),
            ExtendedValue::PmcCounters(data) => Self::PmcCounters(hexadecimal(data)),
            ExtendedValue::PsmKey(data) => Self::PsmKey(hexadecimal(data)),
            ExtendedValue::EventKey(key) => Self::EventKey(key),
            ExtendedValue::ProcessStartKey(key) => Self::ProcessStartKey(key),
            ExtendedValue::ControlGuid(guid) => Self::ControlGuid(guid.to_string()),
            ExtendedValue::QpcDelta(delta) => Self::QpcDelta(delta),
            ExtendedValue::ContainerId(data) => Self::ContainerId(hexadecimal(data)),
            ExtendedValue::StackKey { match_id, key } => Self::StackKey { match_id, key },
            _ => Self::Other { item_type: item.item_type.0, data: hexadecimal(item.data) },
        })
    }
}

impl<'e> Row<'e> {
    fn new(event: &'e Event<'_>) -> Self {
        let row = match &event.origin {
            Origin::Record { record, decoded, .. } => Self::of_record(record, decoded),
            Origin::Entry(entry) => Self::of_entry(entry),
        };
        Self {
            time: event.time,
            owner_pid: event.owner.and_then(|owner| owner.pid),
            owner_image: event.owner.and_then(|owner| owner.image).map(Cow::Borrowed),
            owner_source: event.owner.map(|owner| owner.source.as_str()),
            provider: event.provider_name(),
            guid: event.provider.map(|guid| guid.to_string()),
            name: event.name(),
            ..row
        }
    }

    /// Replaces what tells whose machine it is.
    fn redact(&mut self, names: &mut Pseudonyms) {
        if let Some(image) = &mut self.owner_image {
            *image = names.image(image).into();
        }
        match &mut self.fields {
            Some(Fields::Decoded(fields)) => *fields = Cow::Owned(redact::fields(fields, names)),
            Some(Fields::Shown(fields)) => {
                let redacted = fields.iter().map(|(name, value)| (name.clone(), redact::text(value, names)));
                *fields = Cow::Owned(redacted.collect());
            }
            None => {}
        }
        if let Some(payload) = &mut self.payload {
            *payload = redact::length(payload.len() / 2);
        }
        for problem in self.missing.iter_mut().chain(&mut self.problem) {
            *problem = names.sentence(problem);
        }
        for item in &mut self.extended {
            item.redact(names);
        }
    }

    fn of_record(record: &Record<'_>, decoded: &'e Result<DecodedEvent, NotDecoded>) -> Self {
        let payload = decoded.as_ref().ok().map(|decoded| &decoded.payload);
        let raw = || record.user_data().ok().map(hexadecimal);
        Self {
            cpu: Some(record.cpu()),
            pid: record.process_id(),
            tid: record.thread_id(),
            kind: kind_name(record.kind()),
            id: id_of(record),
            version: record.version(),
            fields: payload.map(|payload| Fields::Decoded(Cow::Borrowed(&payload.fields))),
            leftover_bytes: payload.map(|payload| payload.leftover_bytes),
            missing: payload.and_then(|payload| payload.missing.as_ref()).map(ToString::to_string),
            schema: decoded.as_ref().ok().map(|decoded| decoded.schema.source.name()),
            problem: decoded.as_ref().err().map(ToString::to_string),
            payload: if payload.is_none() { raw() } else { None },
            extended: record.extended_items().filter_map(|item| Extended::new(&item)).collect(),
            buffer: Some(record.buffer()),
            offset: Some(record.offset()),
            ..Self::default()
        }
    }

    fn of_entry(entry: &'e LoggedEvent) -> Self {
        Self {
            pid: entry.header_pid,
            kind: "log_entry",
            id: Some(entry.id),
            version: Some(entry.version),
            fields: Some(Fields::Shown(Cow::Borrowed(&entry.fields))),
            schema: Some("event_log"),
            log_record: Some(entry.entry.record),
            ..Self::default()
        }
    }
}
