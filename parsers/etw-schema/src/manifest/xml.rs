//! Reads an instrumentation manifest as .NET event sources write it.
//!
//! Source: Microsoft's "EventManifest schema"; which parts event sources use is from `EventSource.cs` (ManifestBuilder).

use std::collections::HashMap;
use std::sync::Arc;

use quick_xml::Reader;
use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};

use super::Manifest;
use crate::event::{EventSchema, SchemaError, SchemaSource};
use crate::layout::{Content, Count, Field, Layout, Length, MAX_DEPTH, MapRef, Scalar};
use crate::map::{Map, MapEntry, MapKey, MapKind};
use crate::types::{InType, OutType};

/// Reads the first provider of a manifest.
///
/// # Errors
///
/// [`SchemaError::NotXml`] where it is no well-formed XML, has a document type (and so perhaps entities of its own), or
/// refers to entities that XML does not define; [`SchemaError::TooDeep`], [`SchemaError::TooLarge`],
/// [`SchemaError::OutOfRange`] or [`SchemaError::BadReference`] where structures nest too deeply, a template has more
/// than 65,535 fields, or a count or length is no number and no field before. Unknown elements and attributes are passed
/// over.
pub fn read_manifest(text: &str) -> Result<Manifest, SchemaError> {
    let mut reader = Reader::from_str(text);
    let mut document = Document::default();
    loop {
        match reader.read_event().map_err(|_| SchemaError::NotXml)? {
            Event::Start(element) => document.start(&element)?,
            Event::Empty(element) => {
                document.start(&element)?;
                document.end(element.local_name().as_ref())?;
            }
            Event::End(element) => document.end(element.local_name().as_ref())?,
            Event::DocType(_) => return Err(SchemaError::NotXml),
            Event::Eof => return Ok(document.into_manifest()),
            _ => {}
        }
    }
}

/// Attributes of an element by name; of several with one name the first.
struct Attributes(HashMap<String, String>);

impl Attributes {
    fn read(element: &BytesStart<'_>) -> Result<Self, SchemaError> {
        let mut all = HashMap::new();
        // Without checks for doublets: they compare each attribute with all before.
        for attribute in element.attributes().with_checks(false) {
            let attribute = attribute.map_err(|_| SchemaError::NotXml)?;
            let value = attribute.normalized_value(XmlVersion::Explicit1_0).map_err(|_| SchemaError::NotXml)?;
            let name = AsRef::<str>::as_ref(&attribute.key.local_name()).to_owned();
            all.entry(name).or_insert_with(|| value.into_owned());
        }
        Ok(Self(all))
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    fn shared(&self, name: &str) -> Option<Arc<str>> {
        self.get(name).map(Arc::from)
    }
}

/// What was read so far.
#[derive(Default)]
struct Document {
    provider_name: Option<Arc<str>>,
    providers: usize,
    events: Vec<RawEvent>,
    templates: HashMap<Arc<str>, Template>,
    maps: HashMap<Arc<str>, RawMap>,
    strings: HashMap<String, Arc<str>>,
    open_template: Option<(Arc<str>, Template)>,
    open_map: Option<(Arc<str>, RawMap)>,
}

struct RawEvent {
    id: u16,
    version: u8,
    symbol: Option<Arc<str>>,
    task: Option<Arc<str>>,
    opcode: Option<Arc<str>>,
    template: Option<Arc<str>>,
    message: Option<String>,
}

struct RawMap {
    kind: MapKind,
    entries: Vec<(u32, String)>,
}

/// A template while it is read.
#[derive(Default)]
struct Template {
    fields: Vec<Field>,
    /// Structures that are open, innermost last.
    open: Vec<Field>,
    /// Numbers of the fields so far, by name; of several with one name the last.
    slots: HashMap<Arc<str>, u16>,
    next_slot: u16,
}

impl Document {
    fn start(&mut self, element: &BytesStart<'_>) -> Result<(), SchemaError> {
        let name = element.local_name();
        let name: &str = name.as_ref();
        if name == "provider" {
            self.providers += 1;
        }
        // Strings stand behind the providers; of several languages the first counts.
        if self.providers > 1 && name != "string" {
            return Ok(());
        }
        match name {
            "provider" => self.provider_name = Attributes::read(element)?.shared("name"),
            "event" => self.events.extend(RawEvent::read(&Attributes::read(element)?)),
            "template" => {
                let tid = Attributes::read(element)?.shared("tid").unwrap_or_default();
                self.open_template = Some((tid, Template::default()));
            }
            "data" | "struct" => {
                if let Some((_, template)) = &mut self.open_template {
                    template.start(name == "struct", &Attributes::read(element)?)?;
                }
            }
            "valueMap" | "bitMap" => {
                let kind = if name == "bitMap" { MapKind::Bits } else { MapKind::Values };
                let map_name = Attributes::read(element)?.shared("name").unwrap_or_default();
                self.open_map = Some((map_name, RawMap { kind, entries: Vec::new() }));
            }
            "map" => {
                if let Some((_, map)) = &mut self.open_map {
                    let attributes = Attributes::read(element)?;
                    if let Some(value) = attributes.get("value").and_then(number) {
                        map.entries.push((value, attributes.get("message").unwrap_or_default().to_owned()));
                    }
                }
            }
            "string" => {
                let attributes = Attributes::read(element)?;
                if let (Some(id), Some(value)) = (attributes.get("id"), attributes.shared("value")) {
                    self.strings.entry(id.to_owned()).or_insert(value);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, name: &str) -> Result<(), SchemaError> {
        match name {
            "template" => {
                if let Some((tid, template)) = self.open_template.take() {
                    self.templates.entry(tid).or_insert(template);
                }
            }
            "struct" => {
                if let Some((_, template)) = &mut self.open_template {
                    template.end_struct();
                }
            }
            "valueMap" | "bitMap" => {
                if let Some((name, map)) = self.open_map.take() {
                    self.maps.entry(name).or_insert(map);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Resolves what stands elsewhere in the document: templates, maps, strings.
    fn into_manifest(self) -> Manifest {
        let Self { provider_name, events, templates, maps, strings, .. } = self;
        let text = |message: &str| match message.strip_prefix("$(string.").and_then(|id| id.strip_suffix(')')) {
            Some(id) => strings.get(id).map(Arc::clone),
            None => Some(message.into()),
        };
        let map = |raw: RawMap| {
            let entry = |(key, message): (u32, String)| {
                let name = text(&message).unwrap_or_else(|| message.into());
                MapEntry { key: MapKey::Number(key), name }
            };
            Arc::new(Map::new(raw.kind, raw.entries.into_iter().map(entry).collect()))
        };
        let maps: HashMap<Arc<str>, Arc<Map>> = maps.into_iter().map(|(name, raw)| (name, map(raw))).collect();
        let layout = |template: Template| {
            let mut fields = template.fields;
            bind_maps(&mut fields, &maps);
            Arc::new(Layout::new(fields))
        };
        let layouts: HashMap<_, _> = templates.into_iter().map(|(tid, template)| (tid, layout(template))).collect();
        let mut manifest = Manifest { provider_name, events: HashMap::new() };
        for event in events {
            let layout = event.template.and_then(|tid| layouts.get(&tid).map(Arc::clone)).unwrap_or_default();
            let mut schema = EventSchema::new(SchemaSource::Manifest, Layout::default());
            schema.layout = layout;
            schema.provider_name = manifest.provider_name.clone();
            schema.event_name = event.symbol;
            schema.task_name = event.task;
            schema.opcode_name = event.opcode;
            schema.message = event.message.and_then(|message| text(&message));
            manifest.events.entry((event.id, event.version)).or_insert_with(|| Arc::new(schema));
        }
        manifest
    }
}

/// Puts the manifest's maps in the place of their names.
fn bind_maps(fields: &mut [Field], maps: &HashMap<Arc<str>, Arc<Map>>) {
    for field in fields {
        match &mut field.content {
            Content::Struct(members) => bind_maps(members, maps),
            Content::Scalar(scalar) => {
                let name = scalar.map.take();
                scalar.map = match name {
                    Some(MapRef::ByName(name)) => maps.get(&name).map(|map| MapRef::Known(Arc::clone(map))),
                    other => other,
                };
            }
        }
    }
}

impl RawEvent {
    /// `None` for one without a number.
    fn read(attributes: &Attributes) -> Option<Self> {
        let small = |name| attributes.get(name).and_then(number);
        // Names of Windows' own opcodes and tasks have a prefix.
        let local = |name: &str| attributes.get(name).map(|name| name.strip_prefix("win:").unwrap_or(name).into());
        Some(Self {
            id: u16::try_from(small("value")?).ok()?,
            version: u8::try_from(small("version").unwrap_or(0)).ok()?,
            symbol: attributes.shared("symbol"),
            task: local("task"),
            opcode: local("opcode"),
            template: attributes.shared("template"),
            message: attributes.get("message").map(str::to_owned),
        })
    }
}

/// A count or a length.
enum Extent {
    Number(u16),
    /// What the field with this slot says.
    Field(u16),
}

impl Template {
    fn start(&mut self, is_struct: bool, attributes: &Attributes) -> Result<(), SchemaError> {
        let slot = self.next_slot;
        self.next_slot = slot.checked_add(1).ok_or(SchemaError::TooLarge)?;
        let name = attributes.shared("name").unwrap_or_default();
        let count = match attributes.get("count").map(|text| self.extent(text)).transpose()? {
            None => Count::One,
            Some(Extent::Number(count)) => Count::Fixed(count),
            Some(Extent::Field(slot)) => Count::Of(slot),
        };
        let content = if is_struct {
            Content::Struct(Vec::new())
        } else {
            let length = match attributes.get("length").map(|text| self.extent(text)).transpose()? {
                None => Length::Natural,
                Some(Extent::Number(length)) => Length::Fixed(length),
                Some(Extent::Field(slot)) => Length::Of(slot),
            };
            // An unknown name becomes an unknown number.
            let in_type = attributes.get("inType").and_then(InType::from_name).unwrap_or(InType(0));
            let out_type = attributes.get("outType").and_then(OutType::from_name).unwrap_or_default();
            let map = attributes.shared("map").map(MapRef::ByName);
            Content::Scalar(Scalar { in_type, out_type, length, map })
        };
        self.slots.insert(Arc::clone(&name), slot);
        let field = Field { name, slot, count, content };
        if is_struct {
            if self.open.len() == MAX_DEPTH {
                return Err(SchemaError::TooDeep);
            }
            self.open.push(field);
        } else {
            self.add(field);
        }
        Ok(())
    }

    fn extent(&self, text: &str) -> Result<Extent, SchemaError> {
        match number(text) {
            Some(number) => {
                u16::try_from(number).map(Extent::Number).map_err(|_| SchemaError::OutOfRange("count or length"))
            }
            None => self.slots.get(text).copied().map(Extent::Field).ok_or(SchemaError::BadReference),
        }
    }

    fn end_struct(&mut self) {
        if let Some(field) = self.open.pop() {
            self.add(field);
        }
    }

    fn add(&mut self, field: Field) {
        match self.open.last_mut().map(|open| &mut open.content) {
            Some(Content::Struct(members)) => members.push(field),
            _ => self.fields.push(field),
        }
    }
}

/// A number in decimal, or in hexadecimal behind `0x`.
fn number(text: &str) -> Option<u32> {
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}
