//! One line for each event: text for people, NDJSON and CSV for programs.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, Write};

use etl_parser::{ExtendedItem, ExtendedValue};
use etw_schema::{FieldValues, Sid, hexadecimal};
use serde::Serialize;

use super::{Event, RecordOwner, id_of, kind_name};
use crate::report::csv::cell;
use crate::report::json::spelled_out;
use crate::time::FileTime;
use crate::words::shown;

/// Writes events, one line each.
pub trait EventWriter {
    /// Writes what comes before the first event.
    ///
    /// # Errors
    ///
    /// What writing says.
    fn begin(&mut self, _out: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }

    /// Writes one event.
    ///
    /// # Errors
    ///
    /// What writing says.
    fn write(&mut self, event: &Event<'_>, out: &mut dyn Write) -> io::Result<()>;
}

/// For people: time, processor, process and thread, owner, provider, id, name, fields.
#[derive(Debug, Default)]
pub struct TextWriter;

impl EventWriter for TextWriter {
    fn write(&mut self, event: &Event<'_>, out: &mut dyn Write) -> io::Result<()> {
        let row = Row::new(event);
        let time = event.time.map_or_else(|| "(no time)".to_owned(), |time| time.to_string());
        let id = |id: Option<u32>| id.map_or_else(|| "-".to_owned(), |id| id.to_string());
        write!(out, "{time} CPU {} PID {} TID {} ", row.cpu, id(row.pid), id(row.tid))?;
        match &event.owner {
            Some(RecordOwner { pid: Some(pid), image, source }) => {
                let image = image.map(|image| format!(" {}", quoted(image))).unwrap_or_default();
                write!(out, "OWNER {pid}{image} ({}) ", source.as_str())?;
            }
            Some(_) => write!(out, "OWNER unknown ")?,
            None => {}
        }
        match (row.provider.or(row.guid.as_deref()), row.id) {
            (Some(provider), Some(id)) => write!(out, "{}/{id}", printed(provider))?,
            (Some(provider), None) => write!(out, "{}", printed(provider))?,
            (None, _) => write!(out, "({})", row.kind)?,
        }
        if let Some(name) = &row.name {
            write!(out, " {}", printed(name))?;
        }
        match row.fields {
            Some(fields) => {
                for (name, value) in fields.iter() {
                    write!(out, " {}={}", printed(name), quoted(&value.to_string()))?;
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

/// One JSON object on each line.
#[derive(Debug, Default)]
pub struct NdjsonWriter {
    /// Paths of the traces, by number.
    pub paths: Vec<String>,
}

impl EventWriter for NdjsonWriter {
    fn write(&mut self, event: &Event<'_>, out: &mut dyn Write) -> io::Result<()> {
        let row = Row { trace: self.paths.get(event.trace).map(String::as_str), ..Row::new(event) };
        let mut line = Vec::with_capacity(LINE_BYTES + 2 * event.record.bytes().len());
        serde_json::to_writer(&mut line, &row)?;
        line.push(b'\n');
        out.write_all(&spelled_out(line))
    }
}

/// One row for each event, its fields in one column.
#[derive(Debug, Default)]
pub struct CsvWriter {
    /// Paths of the traces, by number.
    pub paths: Vec<String>,
}

const COLUMNS: [&str; 19] = [
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
];

impl EventWriter for CsvWriter {
    fn begin(&mut self, out: &mut dyn Write) -> io::Result<()> {
        write_row(out, COLUMNS.map(Cow::from))
    }

    fn write(&mut self, event: &Event<'_>, out: &mut dyn Write) -> io::Result<()> {
        let row = Row::new(event);
        let number = |number: Option<u64>| Cow::from(number.map(|number| number.to_string()).unwrap_or_default());
        let text = |text: Option<&str>| Cow::from(table_cell(text.unwrap_or_default()).into_owned());
        let fields = row.fields.map(in_one_cell);
        write_row(
            out,
            [
                event.time.and_then(FileTime::to_rfc3339).unwrap_or_default().into(),
                text(self.paths.get(event.trace).map(String::as_str)),
                row.cpu.to_string().into(),
                number(row.pid.map(u64::from)),
                number(row.tid.map(u64::from)),
                number(row.owner_pid.map(u64::from)),
                text(row.owner_image),
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
                row.buffer.to_string().into(),
                row.offset.to_string().into(),
            ],
        )
    }
}

fn in_one_cell(fields: &FieldValues) -> String {
    let mut text = String::new();
    for (position, (name, value)) in fields.iter().enumerate() {
        let separator = if position == 0 { "" } else { "; " };
        // Writing to a string does not fail.
        let _ = write!(text, "{separator}{name}={value}");
    }
    text
}

fn write_row<const N: usize>(out: &mut dyn Write, cells: [Cow<'_, str>; N]) -> io::Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(cells.iter().map(|cell| cell.as_bytes()))?;
    writer.flush()
}

/// An event as programs see it. Described in `SCHEMA.md` of the reports.
#[derive(Debug, Serialize)]
struct Row<'e> {
    time: Option<FileTime>,
    trace: Option<&'e str>,
    cpu: u16,
    pid: Option<u32>,
    tid: Option<u32>,
    owner_pid: Option<u32>,
    owner_image: Option<&'e str>,
    owner_source: Option<&'static str>,
    kind: &'static str,
    provider: Option<&'e str>,
    guid: Option<String>,
    id: Option<u16>,
    version: Option<u8>,
    name: Option<String>,
    fields: Option<&'e FieldValues>,
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
    buffer: u32,
    offset: u64,
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
        let record = &event.record;
        let decoded = event.decoded.as_ref();
        let payload = decoded.ok().map(|decoded| &decoded.payload);
        let raw = || record.user_data().ok().map(hexadecimal);
        Self {
            time: event.time,
            trace: None,
            cpu: record.cpu(),
            pid: record.process_id(),
            tid: record.thread_id(),
            owner_pid: event.owner.and_then(|owner| owner.pid),
            owner_image: event.owner.and_then(|owner| owner.image),
            owner_source: event.owner.map(|owner| owner.source.as_str()),
            kind: kind_name(record.kind()),
            provider: event.provider_name(),
            guid: event.provider.map(|guid| guid.to_string()),
            id: id_of(record),
            version: record.version(),
            name: event.name(),
            fields: payload.map(|payload| &payload.fields),
            leftover_bytes: payload.map(|payload| payload.leftover_bytes),
            missing: payload.and_then(|payload| payload.missing.as_ref()).map(ToString::to_string),
            schema: decoded.ok().map(|decoded| decoded.schema.source.name()),
            problem: decoded.err().map(ToString::to_string),
            payload: if payload.is_none() { raw() } else { None },
            extended: record.extended_items().filter_map(|item| Extended::new(&item)).collect(),
            buffer: record.buffer(),
            offset: record.offset(),
        }
    }
}
