//! What a trace says about its events' schemas.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use etl_parser::{ExtendedItemType, Guid, Record, RecordKind, Trace};

use crate::compare::{self, LayoutDifference};
use crate::decode::Maps;
use crate::event::{EventKey, EventSchema, SchemaError};
use crate::manifest::{self, Manifests};
use crate::map::Map;
use crate::tracelogging::{self, ProviderTraits};
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

/// What was found of schemas in a trace, in records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
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

impl Schemas {
    /// Everything that a trace says about its events' schemas.
    ///
    /// Reads all of it once, on one thread; records that are damaged are passed over, as their damage is told where the
    /// trace is read. To learn on several threads, let each [`learn`](Schemas::learn) from buffers of its own, and
    /// [`absorb`](Schemas::absorb) the parts in [`Trace::reading_order`].
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/synthetic/modern-64.etl");
    /// # if !std::path::Path::new(path).exists() { return Ok(()) }
    /// let file = etl_parser::EtlFile::open(path)?;
    /// let trace = file.trace()?;
    /// let schemas = etw_schema::Schemas::from_trace(&trace);
    /// let mut decoded = 0;
    /// for record in trace.records() {
    ///     let record = record?;
    ///     if let Ok(event) = schemas.decode(&record) {
    ///         println!("{} {}", record.time(), event.name().unwrap_or_default());
    ///         for (name, value) in event.fields().iter() {
    ///             println!("  {name} = {value}");
    ///         }
    ///         decoded += 1;
    ///     }
    /// }
    /// assert!(decoded > 0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn from_trace(trace: &Trace<'_>) -> Self {
        let mut schemas = Self::default();
        let mut scratch = Vec::new();
        for position in trace.reading_order() {
            if let Ok(buffer) = trace.buffer(position, &mut scratch) {
                buffer.records().filter_map(Result::ok).for_each(|record| schemas.learn(record));
            }
        }
        schemas
    }

    /// Takes in what a record, given as `Record`, `&Record` or `&OrderedRecord`, says about schemas; most say nothing.
    ///
    /// May be called before or while events are decoded: those decoded earlier lack the schemas that come later.
    pub fn learn<'r>(&mut self, record: impl Into<Record<'r>>) {
        self.learn_record(&record.into());
    }

    fn learn_record(&mut self, record: &Record<'_>) {
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

    /// The schema of an event that describes itself, if it was learned.
    pub(crate) fn known_tracelogging(&self, event: &[u8], traits: &[u8]) -> Option<&Arc<EventSchema>> {
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

    /// What the trace says about an event, and its provider's maps: metadata of a merge, else a manifest.
    pub(crate) fn own(&self, key: &EventKey) -> Option<(Arc<EventSchema>, Option<&Maps>)> {
        if let Some(schema) = self.events.get(key) {
            let maps = schema.map_provider.and_then(|provider| self.maps.get(&provider));
            return Some((Arc::clone(schema), maps));
        }
        self.manifests.find(key).map(|schema| (schema, None))
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

/// The extended items with which an event describes itself.
pub(crate) struct SelfDescription<'a> {
    /// Metadata of the event.
    pub(crate) event: Option<&'a [u8]>,
    /// Traits of its provider; empty where there are none.
    pub(crate) traits: &'a [u8],
}

impl<'a> SelfDescription<'a> {
    /// The first item of each type counts.
    pub(crate) fn of(record: &Record<'a>) -> Self {
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
pub(crate) fn read_tracelogging(event: &[u8], traits: &[u8]) -> Result<EventSchema, SchemaError> {
    let traits = match traits {
        [] => ProviderTraits::default(),
        _ => tracelogging::read_provider_traits(traits).unwrap_or_default(),
    };
    tracelogging::read_event(event, &traits)
}
