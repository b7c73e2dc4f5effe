//! TraceLogging: events that bring their own schema, in extended items of the event header.
//!
//! Sources: Microsoft's `TraceLoggingProvider.h` and tracelogging repository (event metadata, provider traits, types),
//! `evntcons.h`; confirmed on real files (etl-parser's FORMAT.md). Types share numbers with `TDH_INTYPE_*` up to 23 with
//! few exceptions; ways to show them have numbers of their own.

use std::sync::Arc;

use etl_parser::Guid;

use crate::cursor::ByteCursor;
use crate::event::{EventSchema, SchemaError, SchemaSource};
use crate::layout::{Content, Count, Field, Layout, Length, MAX_DEPTH, Scalar};
use crate::types::{InType, OutType};

/// Bits of `InMeta`.
const TYPE_MASK: u8 = 0x1F;
const COUNT_MASK: u8 = 0x60;
const CONSTANT_COUNT: u8 = 0x20;
const VARIABLE_COUNT: u8 = 0x40;
const CUSTOM: u8 = 0x60;
/// More follows: `OutMeta` after `InMeta`, field tags after `OutMeta`.
const CHAIN: u8 = 0x80;

/// Types of TraceLogging that are not those of TDH.
const BINARY: u8 = 14;
const RESERVED_POINTER: u8 = 16;
const STRUCT: u8 = 24;

/// Type of a provider trait that holds the GUID of the provider's group.
const TRAIT_GROUP: u8 = 1;
/// Bytes of a trait before its data.
const TRAIT_HEAD_BYTES: u16 = 3;

/// Added to numbers that TraceLogging gives to no type, to keep them apart from TDH's.
const FOREIGN: u16 = 0x8000;

/// What a provider says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProviderTraits {
    /// Name; empty for providers that have their name from a manifest.
    pub name: Arc<str>,
    /// GUID of its group.
    pub group: Option<Guid>,
}

/// Reads the data of an extended item with provider traits.
///
/// # Errors
///
/// [`SchemaError::Ends`] or [`SchemaError::OutOfRange`] where the name does not end. Traits that cannot be read are left out.
pub fn read_provider_traits(bytes: &[u8]) -> Result<ProviderTraits, SchemaError> {
    let mut cursor = sized(bytes)?;
    let name = text(cursor.until_nul().ok_or(SchemaError::Ends("provider name"))?);
    let mut group = None;
    while let Some(size) = cursor.u16().filter(|size| *size >= TRAIT_HEAD_BYTES) {
        let Some(kind) = cursor.u8() else { break };
        let Some(data) = cursor.bytes(usize::from(size - TRAIT_HEAD_BYTES)) else { break };
        if kind == TRAIT_GROUP {
            group = group.or(data.first_chunk().map(|guid| Guid::from_wire(*guid)));
        }
    }
    Ok(ProviderTraits { name, group })
}

/// Reads the data of an extended item with event metadata.
///
/// # Errors
///
/// [`SchemaError::Ends`] or [`SchemaError::OutOfRange`] where it ends early or its structures do not close,
/// [`SchemaError::TooDeep`] where they nest too deeply.
pub fn read_event(bytes: &[u8], traits: &ProviderTraits) -> Result<EventSchema, SchemaError> {
    let mut cursor = sized(bytes)?;
    skip_tags(&mut cursor).ok_or(SchemaError::Ends("event tags"))?;
    let name = cursor.until_nul().ok_or(SchemaError::Ends("event name"))?;
    let mut fields = Vec::new();
    while cursor.remaining() > 0 {
        fields.push(read_field(&mut cursor, 0)?);
    }
    let mut schema = EventSchema::new(SchemaSource::TraceLogging, Layout::new(fields));
    schema.event_name = Some(text(name));
    schema.provider_name = Some(Arc::clone(&traits.name)).filter(|name| !name.is_empty());
    schema.provider_group = traits.group;
    Ok(schema)
}

/// What is behind the leading 16-bit size, as far as that says. The item may be longer than the metadata.
fn sized(bytes: &[u8]) -> Result<ByteCursor<'_>, SchemaError> {
    let size = bytes.first_chunk().map(|size| usize::from(u16::from_le_bytes(*size)));
    let size = size.ok_or(SchemaError::Ends("size"))?;
    bytes.get(2..size).map(ByteCursor::new).ok_or(SchemaError::OutOfRange("size"))
}

/// Seven bits a byte, until one with the highest bit clear.
fn skip_tags(cursor: &mut ByteCursor<'_>) -> Option<()> {
    while cursor.u8()? & 0x80 != 0 {}
    Some(())
}

fn text(bytes: &[u8]) -> Arc<str> {
    String::from_utf8_lossy(bytes).into()
}

fn read_field(cursor: &mut ByteCursor<'_>, depth: usize) -> Result<Field, SchemaError> {
    let name = text(cursor.until_nul().ok_or(SchemaError::Ends("field name"))?);
    let in_meta = cursor.u8().ok_or(SchemaError::Ends("field type"))?;
    let mut out_meta = 0;
    if in_meta & CHAIN != 0 {
        out_meta = cursor.u8().ok_or(SchemaError::Ends("field format"))?;
        if out_meta & CHAIN != 0 {
            skip_tags(cursor).ok_or(SchemaError::Ends("field tags"))?;
        }
    }
    let (kind, shown) = (in_meta & TYPE_MASK, out_meta & !CHAIN);
    let count = match in_meta & COUNT_MASK {
        CONSTANT_COUNT => Count::Fixed(cursor.u16().ok_or(SchemaError::Ends("element count"))?),
        VARIABLE_COUNT => Count::Prefixed,
        CUSTOM => {
            // How the data are stored is told by nobody; the type keeps its whole number.
            let size = cursor.u16().ok_or(SchemaError::Ends("custom schema"))?;
            cursor.bytes(size.into()).ok_or(SchemaError::Ends("custom schema"))?;
            let in_type = InType(FOREIGN | u16::from(in_meta & !CHAIN));
            return Ok(field(name, Count::One, Content::Scalar(Scalar::of(in_type))));
        }
        _ => Count::One,
    };
    let content = if kind == STRUCT {
        if depth == MAX_DEPTH {
            return Err(SchemaError::TooDeep);
        }
        // A structure within counts as one member.
        let members = (0..shown).map(|_| read_field(cursor, depth + 1)).collect::<Result<_, _>>()?;
        Content::Struct(members)
    } else {
        let in_type = in_type(kind);
        Content::Scalar(Scalar { out_type: out_type(in_type, shown), length: Length::Natural, in_type, map: None })
    };
    Ok(field(name, count, content))
}

fn field(name: Arc<str>, count: Count, content: Content) -> Field {
    // Nothing refers to the value of another field: counts stand before what they count.
    Field { name, slot: 0, count, content }
}

/// TDH's number for a type: the same, but for binary data, which have their length before them, and the reserved ones.
fn in_type(kind: u8) -> InType {
    match kind {
        BINARY => InType::MANIFEST_COUNTED_BINARY,
        1..=15 | 17..=23 | 25 => InType(kind.into()),
        0 | RESERVED_POINTER | STRUCT.. => InType(FOREIGN | u16::from(kind)),
    }
}

/// TDH's number for a format.
fn out_type(in_type: InType, shown: u8) -> OutType {
    match shown {
        0 => OutType::NULL,
        1 => OutType::NO_PRINT,
        2 => OutType::STRING,
        3 => OutType::BOOLEAN,
        4 => match in_type {
            InType::INT8 | InType::UINT8 => OutType::HEX_INT8,
            InType::INT16 | InType::UINT16 => OutType::HEX_INT16,
            InType::INT32 | InType::UINT32 => OutType::HEX_INT32,
            InType::INT64 | InType::UINT64 => OutType::HEX_INT64,
            _ => OutType::HEX_BINARY,
        },
        5 => OutType::PID,
        6 => OutType::TID,
        7 => OutType::PORT,
        8 => OutType::IPV4,
        9 => OutType::IPV6,
        10 => OutType::SOCKET_ADDRESS,
        11 => OutType::XML,
        12 => OutType::JSON,
        13 => OutType::WIN32_ERROR,
        14 => OutType::NTSTATUS,
        15 => OutType::HRESULT,
        16 => OutType::DATETIME,
        17 => OutType::INT,
        18 => OutType::UNSIGNED_INT,
        35 => OutType::UTF8,
        36 => OutType::PKCS7,
        37 => OutType::CODE_POINTER,
        38 => OutType::DATETIME_UTC,
        _ => OutType(FOREIGN | u16::from(shown)),
    }
}

#[cfg(test)]
mod tests;
