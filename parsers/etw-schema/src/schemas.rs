//! What a trace says about its events' schemas, and events decoded by that.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, LazyLock};

use etl_parser::{EventHeader, ExtendedItemType, Guid, PointerSize, Record, RecordKind};

use crate::compare::{self, LayoutDifference};
use crate::decode::{DecodedPayload, Maps, decode};
use crate::event::{EventKey, EventSchema, KeyKind, SchemaError, SchemaSource};
use crate::layout::{Content, Count, Field, Layout, Scalar};
use crate::manifest::{self, Manifests};
use crate::map::Map;
use crate::tracelogging::{self, ProviderTraits};
use crate::types::InType;
use crate::{event_info, tables};

/// Bytes of schemas that are kept. The most that a real trace seen has are 44,943, of 61 events and 25 maps; a trace of
/// every provider of a server may have some hundred times that.
const MAX_LEARNED_BYTES: usize = 64 << 20;

/// Schemas of events that describe themselves, by their metadata.
type ByMetadata = BTreeMap<Box<[u8]>, Arc<EventSchema>>;

/// What a trace says about its events' schemas, and the built-in tables.
#[derive(Debug, Default)]
pub struct Schemas {
    events: BTreeMap<EventKey, Arc<EventSchema>>,
    maps: BTreeMap<Guid, Maps>,
    /// By provider traits: ids of such events mean nothing.
    tracelogging: BTreeMap<Box<[u8]>, ByMetadata>,
    manifests: Manifests,
    conflicting_events: BTreeSet<EventKey>,
    conflicting_maps: BTreeSet<(Guid, Arc<str>)>,
    counts: LearnedCounts,
    learned_bytes: usize,
}

/// What was found of schemas in a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LearnedCounts {
    /// Records with a `TRACE_EVENT_INFO`.
    pub event_infos: u64,
    /// Records with an `EVENT_MAP_INFO`.
    pub map_infos: u64,
    /// Records with a part of a manifest.
    pub manifest_chunks: u64,
    /// Records with TraceLogging metadata.
    pub tracelogging: u64,
    /// Of all these, those that could not be used because they are damaged.
    pub malformed: u64,
    /// Of all these, those that are of no use: of events that are not found by id, or of another format.
    pub not_needed: u64,
    /// Of all these, those that were not kept because there are too many.
    pub over_limit: u64,
}

/// A decoded event.
#[derive(Debug, Clone, PartialEq)]
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

/// Why an event was not decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// Takes in what `record` says about schemas; most records say nothing.
    ///
    /// May be called before or while events are decoded: those decoded earlier lack the schemas that come later.
    pub fn learn(&mut self, record: &Record<'_>) {
        match record.kind() {
            RecordKind::Classic if record.header_guid() == Some(event_info::EVENT_METADATA) => {
                let Ok(payload) = record.user_data() else { return self.counts.malformed += 1 };
                match record.id() {
                    Some(event_info::EVENT_INFO) => self.learn_event_info(payload),
                    Some(event_info::EVENT_MAP_INFO) => self.learn_map_info(payload),
                    _ => {}
                }
            }
            RecordKind::EventHeader => {
                if manifest::is_chunk(record) {
                    self.counts.manifest_chunks += 1;
                    self.manifests.learn(record);
                }
                let own = SelfDescription::of(record);
                if let Some(event) = own.event {
                    self.learn_tracelogging(event, own.traits);
                }
            }
            _ => {}
        }
    }

    fn learn_event_info(&mut self, payload: &[u8]) {
        self.counts.event_infos += 1;
        match event_info::read_event_info(payload) {
            Ok(Some((key, schema))) => self.add_event(key, Arc::new(schema)),
            Ok(None) => self.counts.not_needed += 1,
            Err(_) => self.counts.malformed += 1,
        }
    }

    fn learn_map_info(&mut self, payload: &[u8]) {
        self.counts.map_infos += 1;
        match event_info::read_map_info(payload) {
            Ok((provider, name, map)) => self.add_map(provider, name, Arc::new(map)),
            Err(_) => self.counts.malformed += 1,
        }
    }

    fn learn_tracelogging(&mut self, event: &[u8], traits: &[u8]) {
        self.counts.tracelogging += 1;
        if self.known_tracelogging(event, traits).is_some() {
            return;
        }
        match read_tracelogging(event, traits) {
            Ok(schema) => self.add_tracelogging(event.into(), traits.into(), Arc::new(schema)),
            Err(_) => self.counts.malformed += 1,
        }
    }

    fn known_tracelogging(&self, event: &[u8], traits: &[u8]) -> Option<&Arc<EventSchema>> {
        self.tracelogging.get(traits).and_then(|events| events.get(event))
    }

    fn add_event(&mut self, key: EventKey, schema: Arc<EventSchema>) {
        match self.events.get(&key) {
            Some(known) if *known == schema => {}
            Some(_) => _ = self.conflicting_events.insert(key),
            None => {
                if self.has_room(schema.weight()) {
                    self.events.insert(key, schema);
                }
            }
        }
    }

    fn add_map(&mut self, provider: Guid, name: Arc<str>, map: Arc<Map>) {
        match self.maps.get(&provider).and_then(|maps| maps.get(&name)) {
            Some(known) if *known == map => {}
            Some(_) => _ = self.conflicting_maps.insert((provider, name)),
            None => {
                if self.has_room(map.weight()) {
                    self.maps.entry(provider).or_default().insert(name, map);
                }
            }
        }
    }

    fn add_tracelogging(&mut self, event: Box<[u8]>, traits: Box<[u8]>, schema: Arc<EventSchema>) {
        if self.known_tracelogging(&event, &traits).is_none()
            && self.has_room(event.len() + traits.len() + schema.weight())
        {
            self.tracelogging.entry(traits).or_default().insert(event, schema);
        }
    }

    fn has_room(&mut self, bytes: usize) -> bool {
        let learned_bytes = self.learned_bytes.saturating_add(bytes);
        if learned_bytes > MAX_LEARNED_BYTES {
            self.counts.over_limit += 1;
            return false;
        }
        self.learned_bytes = learned_bytes;
        true
    }

    /// Takes in what another part of the trace said, which comes after the part that this one has seen.
    pub fn absorb(&mut self, later: Self) {
        self.counts.add(later.counts);
        for (key, schema) in later.events {
            self.add_event(key, schema);
        }
        for (provider, maps) in later.maps {
            for (name, map) in maps {
                self.add_map(provider, name, map);
            }
        }
        for (traits, events) in later.tracelogging {
            for (event, schema) in events {
                self.add_tracelogging(event, traits.clone(), schema);
            }
        }
        self.manifests.absorb(later.manifests);
        self.conflicting_events.extend(later.conflicting_events);
        self.conflicting_maps.extend(later.conflicting_maps);
    }

    /// Decodes an event: by metadata in the trace where there are any, else by its own, else by a manifest in the trace,
    /// else by the built-in tables.
    ///
    /// # Errors
    ///
    /// Where no schema is known, or the event's own or its header is damaged. A payload that does not suit its schema
    /// is no error: see [`DecodedPayload`].
    pub fn decode(&self, record: &Record<'_>) -> Result<DecodedEvent, NotDecoded> {
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
        if let Some(schema) = self.events.get(&key) {
            let maps = schema.map_provider.and_then(|provider| self.maps.get(&provider));
            return Ok(Found { maps, ..Found::plain(Arc::clone(schema)) });
        }
        if let Some(schema) = self.manifests.find(&key) {
            return Ok(Found::plain(schema));
        }
        let (schema, version) = tables::find(&key).ok_or(NotDecoded::NotKnown)?;
        let as_version = (version != key.version).then_some(version);
        Ok(Found { as_version, any_pointer_size: key.kind == KeyKind::Class, ..Found::plain(schema) })
    }

    /// Where the trace's own metadata differ from the built-in tables, by event.
    pub fn differences(&self) -> Vec<(EventKey, Vec<LayoutDifference>)> {
        let differing = |(key, schema): (&EventKey, &Arc<EventSchema>)| {
            let (table, version) = tables::find(key)?;
            let differences = compare::differences(&schema.layout, &table.layout);
            (version == key.version && !differences.is_empty()).then_some((*key, differences))
        };
        self.events.iter().filter_map(differing).collect()
    }

    /// Events that the trace describes in more than one way. The first description counts.
    pub fn conflicting_events(&self) -> impl Iterator<Item = &EventKey> {
        self.conflicting_events.iter()
    }

    /// Maps that the trace gives with more than one content, by provider and name. The first one counts.
    pub fn conflicting_maps(&self) -> impl Iterator<Item = (Guid, &str)> {
        self.conflicting_maps.iter().map(|(provider, name)| (*provider, &**name))
    }

    /// The events whose schema the trace has as metadata of a merge.
    pub fn embedded(&self) -> impl Iterator<Item = (&EventKey, &EventSchema)> {
        self.events.iter().map(|(key, schema)| (key, &**schema))
    }

    /// The manifests of event sources that the trace has.
    pub fn manifests(&self) -> &Manifests {
        &self.manifests
    }

    /// What was found.
    pub fn counts(&self) -> LearnedCounts {
        self.counts
    }
}

impl LearnedCounts {
    fn add(&mut self, other: Self) {
        self.event_infos += other.event_infos;
        self.map_infos += other.map_infos;
        self.manifest_chunks += other.manifest_chunks;
        self.tracelogging += other.tracelogging;
        self.malformed += other.malformed;
        self.not_needed += other.not_needed;
        self.over_limit += other.over_limit;
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

/// The extended items with which an event describes itself.
struct SelfDescription<'a> {
    event: Option<&'a [u8]>,
    traits: &'a [u8],
}

impl<'a> SelfDescription<'a> {
    /// The first item of each type counts.
    fn of(record: &Record<'a>) -> Self {
        let (mut event, mut traits) = (None, None);
        for item in record.extended_items() {
            match item.item_type {
                ExtendedItemType::EVENT_SCHEMA_TL => event = event.or(Some(item.data)),
                ExtendedItemType::PROVIDER_TRAITS => traits = traits.or(Some(item.data)),
                _ => {}
            }
        }
        Self { event, traits: traits.unwrap_or_default() }
    }
}

/// Damaged provider traits cost the provider's name, not the event.
fn read_tracelogging(event: &[u8], traits: &[u8]) -> Result<EventSchema, SchemaError> {
    let traits = match traits {
        [] => ProviderTraits::default(),
        _ => tracelogging::read_provider_traits(traits).unwrap_or_default(),
    };
    tracelogging::read_event(event, &traits)
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
