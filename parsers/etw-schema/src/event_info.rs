//! Event metadata that a merge puts into a trace: `TRACE_EVENT_INFO` and `EVENT_MAP_INFO`.
//!
//! Sources: Microsoft's pages on `TRACE_EVENT_INFO`, `EVENT_PROPERTY_INFO` and `EVENT_MAP_INFO`; that merges store them
//! raw, and under which key, is from PerfView `RegisteredTraceEventParser.cs`; both confirmed on real files
//! (etl-parser's FORMAT.md).

use std::sync::Arc;

use etl_parser::Guid;

use crate::cursor::{ByteCursor, utf16_text};
use crate::event::{EventKey, EventSchema, KeyKind, SchemaError, SchemaSource};
use crate::layout::{Content, Count, Field, Layout, Length, MAX_DEPTH, MapRef, Scalar};
use crate::map::{Map, MapEntry, MapKey, MapKind};
use crate::types::{InType, OutType};

/// Class of the records that hold event metadata.
pub const EVENT_METADATA: Guid = Guid::from_u128(0xbbcc_f6c1_6cd1_48c4_80ff_8394_82e3_7671);
/// Opcode of records with a `TRACE_EVENT_INFO`.
pub const EVENT_INFO: u16 = 32;
/// Opcode of records with a provider's GUID and an `EVENT_MAP_INFO`.
pub const EVENT_MAP_INFO: u16 = 33;

/// Bytes before the properties.
const HEADER_BYTES: usize = 0x70;
/// Bytes of an `EVENT_PROPERTY_INFO`.
const PROPERTY_BYTES: usize = 0x18;
/// Bytes of an `EVENT_MAP_INFO` before its entries, and of an entry.
const MAP_HEADER_BYTES: usize = 0x10;
const MAP_ENTRY_BYTES: usize = 8;

/// Values of `DecodingSource`.
const XML_MANIFEST: u32 = 0;
const WBEM: u32 = 1;

/// Flags of `EVENT_PROPERTY_INFO`.
const STRUCT: u32 = 0x1;
const PARAM_LENGTH: u32 = 0x2;
const PARAM_COUNT: u32 = 0x4;
const FIXED_COUNT: u32 = 0x20;
const CUSTOM_SCHEMA: u32 = 0x80;

/// How often its own size the strings of a schema may add up to. In real ones no string is used more than a few times.
const MAX_SHARING: usize = 4;

/// Flags of `EVENT_MAP_INFO`.
const MANIFEST_BITMAP: u32 = 0x2;
const MANIFEST_PATTERN_MAP: u32 = 0x4;
const WBEM_VALUE_MAP: u32 = 0x8;
const WBEM_BITMAP: u32 = 0x10;

/// Reads a `TRACE_EVENT_INFO`. `None` for one of an event that is not found by id: TraceLogging and WPP.
///
/// # Errors
///
/// [`SchemaError::Ends`], [`SchemaError::OutOfRange`], [`SchemaError::BadReference`],
/// [`SchemaError::OverlappingStructures`], [`SchemaError::TooDeep`] or [`SchemaError::TooLarge`] where any offset or
/// reference in it is not one that its writer can have meant.
pub fn read_event_info(bytes: &[u8]) -> Result<Option<(EventKey, EventSchema)>, SchemaError> {
    let head = Head::read(bytes)?;
    let key = match head.decoding_source {
        XML_MANIFEST => EventKey { kind: KeyKind::Event, guid: head.provider, id: head.id, version: head.version },
        WBEM => EventKey { kind: KeyKind::Class, guid: head.event, id: head.opcode.into(), version: head.version },
        _ => return Ok(None),
    };
    let (layout, mut texts) = read_layout(bytes, &head)?;
    let mut schema = EventSchema::new(SchemaSource::Embedded, layout);
    schema.map_provider = Some(head.provider);
    schema.provider_name = texts.at(head.provider_name, "provider name")?;
    schema.task_name = texts.at(head.task_name, "task name")?;
    schema.opcode_name = texts.at(head.opcode_name, "opcode name")?;
    schema.message = texts.at(head.message, "message")?;
    // The place of the event name holds the name of an activity id where the event is MOF's.
    if head.decoding_source == XML_MANIFEST {
        schema.event_name = texts.at(head.event_name, "event name")?;
    }
    Ok(Some((key, schema)))
}

/// The fixed part.
struct Head {
    provider: Guid,
    event: Guid,
    id: u16,
    version: u8,
    opcode: u8,
    decoding_source: u32,
    provider_name: u32,
    task_name: u32,
    opcode_name: u32,
    message: u32,
    event_name: u32,
    properties: u32,
    top_level: u32,
}

impl Head {
    fn read(bytes: &[u8]) -> Result<Self, SchemaError> {
        Self::fields(&mut ByteCursor::new(bytes)).ok_or(SchemaError::Ends("properties"))
    }

    fn fields(cursor: &mut ByteCursor<'_>) -> Option<Self> {
        let (provider, event) = (cursor.guid()?, cursor.guid()?);
        let (id, version) = (cursor.u16()?, cursor.u8()?);
        let _channel_and_level = cursor.u16()?;
        let opcode = cursor.u8()?;
        let _task_and_keyword = cursor.bytes(10)?;
        let decoding_source = cursor.u32()?;
        let provider_name = cursor.u32()?;
        let _level_channel_keywords = cursor.bytes(12)?;
        let (task_name, opcode_name, message) = (cursor.u32()?, cursor.u32()?, cursor.u32()?);
        let _provider_message_and_binary_xml = cursor.bytes(12)?;
        let event_name = cursor.u32()?;
        let _attributes = cursor.u32()?;
        let (properties, top_level) = (cursor.u32()?, cursor.u32()?);
        let _flags = cursor.u32()?;
        Some(Self {
            provider,
            event,
            id,
            version,
            opcode,
            decoding_source,
            provider_name,
            task_name,
            opcode_name,
            message,
            event_name,
            properties,
            top_level,
        })
    }
}

/// One `EVENT_PROPERTY_INFO`.
#[derive(Clone, Copy)]
struct Property {
    flags: u32,
    name: u32,
    /// In-type, or index of a structure's first member.
    in_type_or_start: u16,
    /// Out-type, or number of a structure's members.
    out_type_or_members: u16,
    map_name: u32,
    /// Count, or index of the property that holds it.
    count: u16,
    /// Length, or index of the property that holds it.
    length: u16,
}

impl Property {
    fn read(bytes: &[u8]) -> Option<Self> {
        let mut cursor = ByteCursor::new(bytes);
        Some(Self {
            flags: cursor.u32()?,
            name: cursor.u32()?,
            in_type_or_start: cursor.u16()?,
            out_type_or_members: cursor.u16()?,
            map_name: cursor.u32()?,
            count: cursor.u16()?,
            length: cursor.u16()?,
        })
    }

    fn has(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }
}

fn read_layout<'a>(bytes: &'a [u8], head: &Head) -> Result<(Layout, Texts<'a>), SchemaError> {
    let count = usize::try_from(head.properties).map_err(|_| SchemaError::OutOfRange("property count"))?;
    let end = count.checked_mul(PROPERTY_BYTES).and_then(|length| length.checked_add(HEADER_BYTES));
    let table = end.and_then(|end| bytes.get(HEADER_BYTES..end)).ok_or(SchemaError::OutOfRange("property count"))?;
    let properties: Vec<Property> = table.chunks_exact(PROPERTY_BYTES).filter_map(Property::read).collect();
    let top_level = usize::try_from(head.top_level).ok().filter(|top_level| *top_level <= count);
    let top_level = top_level.ok_or(SchemaError::OutOfRange("top-level property count"))?;
    let texts = Texts::new(bytes, HEADER_BYTES + table.len());
    let mut reader = LayoutReader { texts, taken: vec![false; count], properties };
    let layout = Layout::new(reader.fields(0, top_level, 0)?);
    Ok((layout, reader.texts))
}

struct LayoutReader<'a> {
    texts: Texts<'a>,
    properties: Vec<Property>,
    /// Each property belongs to one place: else structures that contain each other would grow without end.
    taken: Vec<bool>,
}

impl LayoutReader<'_> {
    fn fields(&mut self, start: usize, count: usize, depth: usize) -> Result<Vec<Field>, SchemaError> {
        let end = start.checked_add(count).filter(|end| *end <= self.properties.len());
        let end = end.ok_or(SchemaError::OutOfRange("structure"))?;
        (start..end).map(|index| self.field(index, depth)).collect()
    }

    fn field(&mut self, index: usize, depth: usize) -> Result<Field, SchemaError> {
        match self.taken.get_mut(index) {
            Some(taken) if !*taken => *taken = true,
            _ => return Err(SchemaError::OverlappingStructures),
        }
        let property = *self.properties.get(index).ok_or(SchemaError::OutOfRange("structure"))?;
        let slot = u16::try_from(index).map_err(|_| SchemaError::OutOfRange("property count"))?;
        let before = |reference: u16| {
            if reference < slot { Ok(reference) } else { Err(SchemaError::BadReference) }
        };
        let count = if property.has(PARAM_COUNT) {
            Count::Of(before(property.count)?)
        } else if property.count != 1 || property.has(FIXED_COUNT) {
            Count::Fixed(property.count)
        } else {
            Count::One
        };
        let content = if property.has(STRUCT) {
            if depth == MAX_DEPTH {
                return Err(SchemaError::TooDeep);
            }
            let (start, members) = (property.in_type_or_start.into(), property.out_type_or_members.into());
            Content::Struct(self.fields(start, members, depth + 1)?)
        } else {
            let in_type = InType(property.in_type_or_start);
            let length = if property.has(PARAM_LENGTH) {
                Length::Of(before(property.length)?)
            } else {
                fixed_length(in_type, property.length)
            };
            let map_name = if property.has(CUSTOM_SCHEMA) { 0 } else { property.map_name };
            let map = self.texts.at(map_name, "map name")?.map(MapRef::ByName);
            Content::Scalar(Scalar { in_type, out_type: OutType(property.out_type_or_members), length, map })
        };
        let name = self.texts.at(property.name, "property name")?.unwrap_or_default();
        Ok(Field { name, slot, count, content })
    }
}

/// The length counts where the type has none of its own; elsewhere it repeats the type's size.
fn fixed_length(in_type: InType, length: u16) -> Length {
    let counts = match in_type {
        InType::UNICODE_STRING | InType::ANSI_STRING | InType::BINARY => length != 0,
        InType::BOOLEAN => length == 1,
        _ => in_type.name().is_none() && length != 0,
    };
    if counts { Length::Fixed(length) } else { Length::Natural }
}

/// The strings of a schema, found by their offsets.
struct Texts<'a> {
    bytes: &'a [u8],
    /// Where strings may start.
    first: usize,
    /// Bytes of text that may still be read: offsets that share a string must not multiply it.
    left: usize,
}

impl<'a> Texts<'a> {
    fn new(bytes: &'a [u8], first: usize) -> Self {
        Self { bytes, first, left: bytes.len().saturating_mul(MAX_SHARING) }
    }

    /// The string at `offset`, without the blank that message compilers put behind names; `None` for offset 0.
    fn at(&mut self, offset: u32, what: &'static str) -> Result<Option<Arc<str>>, SchemaError> {
        if offset == 0 {
            return Ok(None);
        }
        let offset = usize::try_from(offset).ok().filter(|offset| *offset >= self.first);
        let behind = offset.and_then(|offset| self.bytes.get(offset..)).ok_or(SchemaError::OutOfRange(what))?;
        let mut cursor = ByteCursor::new(behind);
        let text = cursor.until_utf16_nul_or_end();
        let taken = behind.len() - cursor.remaining();
        if taken == text.len() {
            // No NUL: the string leaves the schema.
            return Err(SchemaError::OutOfRange(what));
        }
        self.left = self.left.checked_sub(taken).ok_or(SchemaError::TooLarge)?;
        let text = utf16_text(text);
        // Names of Windows' own opcodes and tasks have a prefix.
        Ok(Some(text.strip_prefix("win:").unwrap_or(&text).trim_end().into()))
    }
}

/// Reads a provider's GUID and an `EVENT_MAP_INFO`: provider, name of the map, map.
///
/// # Errors
///
/// [`SchemaError::Ends`], [`SchemaError::OutOfRange`] or [`SchemaError::TooLarge`] where any offset in it is not one that
/// its writer can have meant.
pub fn read_map_info(payload: &[u8]) -> Result<(Guid, Arc<str>, Map), SchemaError> {
    let mut cursor = ByteCursor::new(payload);
    let provider = cursor.guid().ok_or(SchemaError::Ends("map"))?;
    let bytes = cursor.rest();
    let mut head = || Some([cursor.u32()?, cursor.u32()?, cursor.u32()?, cursor.u32()?]);
    let [name, flags, count, type_or_format] = head().ok_or(SchemaError::Ends("map entries"))?;
    let count = usize::try_from(count).ok().and_then(|count| count.checked_mul(MAP_ENTRY_BYTES));
    let table = count.and_then(|length| cursor.bytes(length)).ok_or(SchemaError::OutOfRange("map entry count"))?;
    let mut texts = Texts::new(bytes, MAP_HEADER_BYTES + table.len());
    let name = texts.at(name, "map name")?.ok_or(SchemaError::OutOfRange("map name"))?;
    // A pattern map has the offset of its format there, a map of MOF the type of its keys: 0 numbers, 1 texts.
    let has_texts = flags & MANIFEST_PATTERN_MAP != 0 || flags & WBEM_VALUE_MAP != 0 && type_or_format == 1;
    let kind = match flags {
        _ if has_texts => MapKind::Texts,
        _ if flags & (MANIFEST_BITMAP | WBEM_BITMAP) != 0 => MapKind::Bits,
        _ => MapKind::Values,
    };
    let mut entry = |entry: &[u8]| {
        let mut cursor = ByteCursor::new(entry);
        let (output, input) = (cursor.u32().unwrap_or(0), cursor.u32().unwrap_or(0));
        let key = if has_texts {
            MapKey::Text(texts.at(input, "map entry")?.unwrap_or_default().to_string())
        } else {
            MapKey::Number(input)
        };
        Ok(MapEntry { key, name: texts.at(output, "map entry")?.unwrap_or_default() })
    };
    let entries = table.chunks_exact(MAP_ENTRY_BYTES).map(&mut entry).collect::<Result<_, _>>()?;
    Ok((provider, name, Map::new(kind, entries)))
}

#[cfg(test)]
mod tests;
