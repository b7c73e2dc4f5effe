//! Events decoded by what a trace and the built-in tables say.

use std::fmt;
use std::sync::{Arc, LazyLock};

use etl_parser::{EventHeader, PointerSize, Record, RecordKind};

use crate::decode::{DecodedPayload, Maps, Missing, decode};
use crate::event::{EventKey, EventSchema, KeyKind, SchemaError, SchemaSource};
use crate::layout::{Content, Count, Field, Layout, Scalar};
use crate::schemas::{Schemas, SelfDescription, read_tracelogging};
use crate::tables;
use crate::types::InType;
use crate::value::FieldValues;

/// A decoded event.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct DecodedEvent {
    /// The schema by which it was decoded, with the names of provider, event, task and opcode.
    pub schema: Arc<EventSchema>,
    /// The fields, leftover bytes, and what is missing.
    pub payload: DecodedPayload,
    /// The payload was written with another pointer size than the header says.
    pub other_pointer_size: bool,
    /// The table knows no such version; the event was decoded as one of this version.
    pub as_version: Option<u8>,
}

impl DecodedEvent {
    /// What the event is called: its name, or `Task/Opcode`, as far as the schema has them ([`EventSchema::title`]).
    pub fn name(&self) -> Option<String> {
        self.schema.title()
    }

    /// Name of the provider or event class; `None` where the schema has none, or an empty one.
    pub fn provider_name(&self) -> Option<&str> {
        self.schema.provider_name.as_deref().filter(|name| !name.is_empty())
    }

    /// The fields that could be read, in the order of the payload.
    pub fn fields(&self) -> &FieldValues {
        &self.payload.fields
    }

    /// The first field that could not be read, and why; `None` where all were.
    pub fn missing(&self) -> Option<&Missing> {
        self.payload.missing.as_ref()
    }

    /// Bytes of the payload that no field took.
    pub fn leftover_bytes(&self) -> usize {
        self.payload.leftover_bytes
    }
}

/// Why an event was not decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotDecoded {
    /// No schema is known.
    NotKnown,
    /// The schema in the event cannot be used.
    BadSchema(SchemaError),
    /// Where the payload starts cannot be told.
    BadRecord(etl_parser::Error),
}

impl fmt::Display for NotDecoded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotKnown => f.write_str("no schema is known"),
            Self::BadSchema(error) => write!(f, "{error}"),
            Self::BadRecord(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for NotDecoded {}

impl Schemas {
    /// Decodes an event, given as `Record`, `&Record` or `&OrderedRecord`.
    ///
    /// The first of these that there is counts: the header's word that the payload is one string, the event's own
    /// description (TraceLogging), metadata that a merge put into the trace, a manifest in the trace, the built-in tables.
    ///
    /// # Errors
    ///
    /// [`NotDecoded::NotKnown`] where no schema is known, [`NotDecoded::BadSchema`] where the event's own is damaged,
    /// [`NotDecoded::BadRecord`] where its header is. A payload that does not suit its schema is no error: see
    /// [`DecodedEvent::missing`] and [`DecodedEvent::leftover_bytes`].
    pub fn decode<'r>(&self, record: impl Into<Record<'r>>) -> Result<DecodedEvent, NotDecoded> {
        self.decode_record(&record.into())
    }

    fn decode_record(&self, record: &Record<'_>) -> Result<DecodedEvent, NotDecoded> {
        let found = self.find(record)?;
        let bytes = record.user_data().map_err(NotDecoded::BadRecord)?;
        let size = record.pointer_size().unwrap_or(PointerSize::Eight);
        let decode = |size| decode(&found.schema.layout, bytes, size, found.maps);
        let (mut payload, mut other_pointer_size) = (decode(size), false);
        if found.any_pointer_size && !payload.is_exact() {
            // Some loggers in user mode put payloads of one width into records of the other.
            let other = decode(other(size));
            if other.is_exact() {
                (payload, other_pointer_size) = (other, true);
            }
        }
        Ok(DecodedEvent { schema: found.schema, payload, other_pointer_size, as_version: found.as_version })
    }

    fn find(&self, record: &Record<'_>) -> Result<Found<'_>, NotDecoded> {
        if record.kind() == RecordKind::EventHeader {
            if is_string_only(record) {
                return Ok(Found::plain(Arc::clone(&STRING_ONLY)));
            }
            let own = SelfDescription::of(record);
            if let Some(event) = own.event {
                let schema = match self.known_tracelogging(event, own.traits) {
                    Some(schema) => Arc::clone(schema),
                    None => Arc::new(read_tracelogging(event, own.traits).map_err(NotDecoded::BadSchema)?),
                };
                return Ok(Found::plain(schema));
            }
        }
        let key = EventKey::of(record).ok_or(NotDecoded::NotKnown)?;
        if let Some((schema, maps)) = self.own(&key) {
            return Ok(Found { maps, ..Found::plain(schema) });
        }
        let (schema, version) = tables::find(&key).ok_or(NotDecoded::NotKnown)?;
        let as_version = (version != key.version).then_some(version);
        Ok(Found { as_version, any_pointer_size: key.kind == KeyKind::Class, ..Found::plain(schema) })
    }
}

/// A schema, and what decoding by it needs.
struct Found<'a> {
    schema: Arc<EventSchema>,
    maps: Option<&'a Maps>,
    any_pointer_size: bool,
    as_version: Option<u8>,
}

impl Found<'_> {
    fn plain(schema: Arc<EventSchema>) -> Self {
        Self { schema, maps: None, any_pointer_size: false, as_version: None }
    }
}

fn other(size: PointerSize) -> PointerSize {
    match size {
        PointerSize::Four => PointerSize::Eight,
        PointerSize::Eight => PointerSize::Four,
    }
}

fn is_string_only(record: &Record<'_>) -> bool {
    let flags = record.bytes().get(4..).and_then(|bytes| bytes.first_chunk());
    flags.is_some_and(|flags| u16::from_le_bytes(*flags) & EventHeader::STRING_ONLY != 0)
}

/// The schema of events whose header says that the payload is one string (`EventWriteString`).
static STRING_ONLY: LazyLock<Arc<EventSchema>> = LazyLock::new(|| {
    let content = Content::Scalar(Scalar::of(InType::UNICODE_STRING));
    let field = Field { name: "String".into(), slot: 0, count: Count::One, content };
    Arc::new(EventSchema::new(SchemaSource::StringOnly, Layout::new(vec![field])))
});
