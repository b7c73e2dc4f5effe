//! The one decoder: fields of a layout from the bytes of a payload.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use etl_parser::PointerSize;

use crate::cursor::ByteCursor;
use crate::layout::{Content, Count, Field, Layout, Length, MAX_DEPTH, MapRef, Scalar};
use crate::map::Map;
use crate::scalar;
use crate::types::InType;
use crate::value::{FieldValue, FieldValues, Value};

/// Values that any event may have, elements and structures included, whatever its length. Of the real events seen, none
/// has more values than bytes.
const FREE_VALUES: usize = 1024;

/// Values for each byte of the payload beyond that. Real events have at most 0.67 of them: every value takes a byte, and
/// a structure at least that of a member. Bounds time and memory where a schema counts structures of no size.
const VALUES_PER_BYTE: usize = 4;

/// Bytes of names that go into any decoded event, whatever its length: of fields, of members of structures, and of values
/// that a map names. A schema is a record, so that all its names, each used once, have 64 KiB at most.
const FREE_NAME_BYTES: usize = 64 << 10;

/// Bytes of names for each byte of the payload beyond that. A payload of four-byte members with names of 20 bytes has 5.
/// Bounds what an event becomes as text, and so what a file does.
const NAME_BYTES_PER_BYTE: usize = 64;

/// Maps of one provider, by name.
pub type Maps = BTreeMap<Arc<str>, Arc<Map>>;

/// What a payload holds by its layout.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct DecodedPayload {
    /// The fields that fit.
    pub fields: FieldValues,
    /// Bytes that no field took.
    pub leftover_bytes: usize,
    /// Why not all fields are there.
    pub missing: Option<Missing>,
}

impl DecodedPayload {
    /// Whether every field was found, and every byte taken.
    pub fn is_exact(&self) -> bool {
        self.leftover_bytes == 0 && self.missing.is_none()
    }
}

/// The first field that could not be read. Of an array or structure, what could be read is there.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Missing {
    /// Name of the field.
    pub field: Arc<str>,
    /// Why.
    pub reason: MissingReason,
}

/// Why a field could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MissingReason {
    /// It needs more bytes than are left.
    PayloadEnded,
    /// Its count or length is that of a field without a number.
    NoReference,
    /// Of a type that no source describes; what is behind it cannot be told.
    UnknownType(InType),
    /// Where a security identifier should be is none.
    NoSid,
    /// Structures nest deeper than [`MAX_DEPTH`].
    TooDeep,
    /// More values than a payload of this length can honestly have.
    TooManyValues,
    /// The names of its members add up to more than any honest event has.
    TooMuchText,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field = &self.field;
        match self.reason {
            MissingReason::PayloadEnded => write!(f, "field {field} does not fit into the payload"),
            MissingReason::NoReference => write!(f, "field {field} refers to a field that holds no number"),
            MissingReason::UnknownType(in_type) => write!(f, "field {field} has unknown {in_type}"),
            MissingReason::NoSid => write!(f, "field {field} holds no security identifier"),
            MissingReason::TooDeep => write!(f, "field {field} is nested too deeply"),
            MissingReason::TooManyValues => write!(f, "field {field} counts more values than the payload can hold"),
            MissingReason::TooMuchText => write!(f, "field {field} repeats names too often"),
        }
    }
}

/// Decodes `payload` by a layout; `maps` are those of its provider. Never fails: what cannot be read is told in the answer.
#[must_use]
pub fn decode(layout: &Layout, payload: &[u8], pointer_size: PointerSize, maps: Option<&Maps>) -> DecodedPayload {
    let mut decoder = Decoder {
        cursor: ByteCursor::new(payload),
        pointer_size,
        maps,
        numbers: vec![None; layout.slots()],
        values_left: FREE_VALUES + VALUES_PER_BYTE * payload.len(),
        name_bytes_left: FREE_NAME_BYTES + NAME_BYTES_PER_BYTE * payload.len(),
    };
    let mut fields = Vec::with_capacity(layout.fields().len().min(payload.len()));
    let missing = decoder.fields(layout.fields(), 0, &mut fields).err();
    DecodedPayload { fields: FieldValues(fields), leftover_bytes: decoder.cursor.remaining(), missing }
}

struct Decoder<'a> {
    cursor: ByteCursor<'a>,
    pointer_size: PointerSize,
    maps: Option<&'a Maps>,
    /// Values of fields so far, by slot.
    numbers: Vec<Option<u64>>,
    values_left: usize,
    name_bytes_left: usize,
}

impl Decoder<'_> {
    fn fields(&mut self, fields: &[Field], depth: usize, out: &mut Vec<FieldValue>) -> Result<(), Missing> {
        for field in fields {
            let (value, result) = self.field(field, depth);
            if let Some(value) = value {
                if let Some(number) = self.numbers.get_mut(usize::from(field.slot)) {
                    *number = value.integer();
                }
                if !self.takes_name(&field.name) {
                    return Err(Failed::Own(MissingReason::TooMuchText).of(field));
                }
                out.push(FieldValue { name: Arc::clone(&field.name), value });
            }
            result.map_err(|failed| failed.of(field))?;
        }
        Ok(())
    }

    /// The field as far as it could be read, and why no further.
    fn field(&mut self, field: &Field, depth: usize) -> (Option<Value>, Result<(), Failed>) {
        let count = match field.count {
            Count::One => return self.one(field, depth),
            Count::Fixed(count) => Ok(u64::from(count)),
            Count::Of(slot) => self.number(slot).ok_or(MissingReason::NoReference),
            Count::Prefixed => self.cursor.u16().map(u64::from).ok_or(MissingReason::PayloadEnded),
        };
        let count = match count {
            Ok(count) => count,
            Err(reason) => return (None, Err(reason.into())),
        };
        // Grows as values are found: the count alone allocates nothing.
        let mut values = Vec::new();
        for _ in 0..count {
            let (value, result) = self.one(field, depth);
            values.extend(value);
            if result.is_err() {
                return ((!values.is_empty()).then_some(Value::Array(values)), result);
            }
        }
        (Some(Value::Array(values)), Ok(()))
    }

    fn one(&mut self, field: &Field, depth: usize) -> (Option<Value>, Result<(), Failed>) {
        self.values_left = match self.values_left.checked_sub(1) {
            Some(left) => left,
            None => return (None, Err(MissingReason::TooManyValues.into())),
        };
        match &field.content {
            Content::Struct(_) if depth == MAX_DEPTH => (None, Err(MissingReason::TooDeep.into())),
            Content::Struct(members) => {
                let mut values = Vec::new();
                let result = self.fields(members, depth + 1, &mut values);
                let value = (result.is_ok() || !values.is_empty()).then_some(Value::Struct(FieldValues(values)));
                (value, result.map_err(Failed::Member))
            }
            Content::Scalar(scalar) => match self.scalar(scalar) {
                Ok(value @ Value::Unknown { in_type, .. }) if scalar.length == Length::Natural => {
                    (Some(value), Err(MissingReason::UnknownType(in_type).into()))
                }
                Ok(value) => (Some(value), Ok(())),
                Err(reason) => (None, Err(reason.into())),
            },
        }
    }

    fn scalar(&mut self, scalar: &Scalar) -> Result<Value, MissingReason> {
        let length = match scalar.length {
            Length::Natural => None,
            Length::Fixed(length) => Some(usize::from(length)),
            Length::Of(slot) => {
                let length = self.number(slot).ok_or(MissingReason::NoReference)?;
                Some(usize::try_from(length).map_err(|_| MissingReason::PayloadEnded)?)
            }
        };
        let value = scalar::read(&mut self.cursor, (scalar.in_type, scalar.out_type), length, self.pointer_size)?;
        let map = match &scalar.map {
            None => None,
            Some(MapRef::Known(map)) => Some(map),
            Some(MapRef::ByName(name)) => self.maps.and_then(|maps| maps.get(name)),
        };
        let Some(map) = map else { return Ok(value) };
        Ok(match map.apply(value) {
            // One name too many: the value itself remains.
            Value::Named { name, value } if !self.takes_name(&name) => *value,
            named => named,
        })
    }

    fn takes_name(&mut self, name: &str) -> bool {
        let left = self.name_bytes_left.checked_sub(name.len());
        self.name_bytes_left = left.unwrap_or(self.name_bytes_left);
        left.is_some()
    }

    fn number(&self, slot: u16) -> Option<u64> {
        self.numbers.get(usize::from(slot)).copied().flatten()
    }
}

/// Why a field ended early: for its own reason, or for that of one of its members.
enum Failed {
    Own(MissingReason),
    Member(Missing),
}

impl From<MissingReason> for Failed {
    fn from(reason: MissingReason) -> Self {
        Self::Own(reason)
    }
}

impl Failed {
    fn of(self, field: &Field) -> Missing {
        match self {
            Self::Own(reason) => Missing { field: Arc::clone(&field.name), reason },
            Self::Member(missing) => missing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map::{MapEntry, MapKey, MapKind};
    use crate::types::OutType;

    fn scalar(name: &str, slot: u16, in_type: InType) -> Field {
        sized(name, slot, in_type, Length::Natural)
    }

    fn sized(name: &str, slot: u16, in_type: InType, length: Length) -> Field {
        let content = Content::Scalar(Scalar { length, ..Scalar::of(in_type) });
        Field { name: name.into(), slot, count: Count::One, content }
    }

    fn structure(name: &str, slot: u16, count: Count, members: Vec<Field>) -> Field {
        Field { name: name.into(), slot, count, content: Content::Struct(members) }
    }

    fn run(fields: Vec<Field>, payload: &[u8]) -> DecodedPayload {
        decode(&Layout::new(fields), payload, PointerSize::Four, None)
    }

    fn shown(payload: &DecodedPayload) -> String {
        Value::Struct(payload.fields.clone()).to_string()
    }

    fn missing(field: &str, reason: MissingReason) -> Option<Missing> {
        Some(Missing { field: field.into(), reason })
    }

    #[test]
    fn counts_and_lengths_of_every_kind() {
        let fields = vec![
            scalar("n", 0, InType::UINT8),
            Field { count: Count::Of(0), ..scalar("array", 1, InType::UINT16) },
            sized("text", 2, InType::UNICODE_STRING, Length::Of(0)),
            Field { count: Count::Fixed(2), ..scalar("two", 3, InType::UINT8) },
            Field { count: Count::Prefixed, ..scalar("counted", 4, InType::ANSI_STRING) },
            sized("blob", 5, InType::BINARY, Length::Fixed(1)),
            scalar("pointer", 6, InType::POINTER),
        ];
        let payload = b"\x02\x01\0\x02\0a\0b\0\x08\x09\x02\0x\0y\0\xee\x01\0\0\0";
        let decoded = run(fields, payload);
        assert!(decoded.is_exact(), "{decoded:?}");
        let want = "{n=2, array=[1, 2], text=ab, two=[8, 9], counted=[x, y], blob=EE, pointer=0x1}";
        assert_eq!(shown(&decoded), want);
    }

    #[test]
    fn members_may_refer_to_each_other_and_to_what_was_before() {
        let members = vec![scalar("n", 2, InType::UINT8), sized("text", 3, InType::ANSI_STRING, Length::Of(2))];
        let fields = vec![scalar("count", 0, InType::UINT8), structure("s", 1, Count::Of(0), members)];
        let decoded = run(fields, b"\x02\x01a\x02bc!");
        assert_eq!(shown(&decoded), "{count=2, s=[{n=1, text=a}, {n=2, text=bc}]}");
        assert_eq!((decoded.leftover_bytes, decoded.missing), (1, None));
    }

    #[test]
    fn a_short_payload_gives_what_fits_and_says_what_is_missing() {
        let members = vec![scalar("a", 1, InType::UINT8), scalar("b", 2, InType::UINT16)];
        let fields = || {
            vec![
                scalar("n", 0, InType::UINT16),
                structure("s", 3, Count::Of(0), members.clone()),
                scalar("z", 4, InType::UINT8),
            ]
        };
        let cases: [(&[u8], &str, usize, &str); 6] = [
            (b"", "{}", 0, "n"),
            (b"\x02", "{}", 1, "n"),
            (b"\x02\0", "{n=2}", 0, "a"),
            (b"\x02\0\x07", "{n=2, s=[{a=7}]}", 0, "b"),
            (b"\x02\0\x07\x08\0\x09\x01", "{n=2, s=[{a=7, b=8}, {a=9}]}", 1, "b"),
            (b"\0\0", "{n=0, s=[]}", 0, "z"),
        ];
        for (payload, want, leftover, field) in cases {
            let decoded = run(fields(), payload);
            assert_eq!((shown(&decoded).as_str(), decoded.leftover_bytes), (want, leftover), "{payload:?}");
            assert_eq!(decoded.missing, missing(field, MissingReason::PayloadEnded), "{payload:?}");
        }
    }

    #[test]
    fn references_need_a_number() {
        let text = || scalar("text", 0, InType::ANSI_STRING);
        for (fields, field) in [
            (vec![text(), sized("blob", 1, InType::BINARY, Length::Of(0))], "blob"),
            (vec![text(), Field { count: Count::Of(0), ..scalar("array", 1, InType::UINT8) }], "array"),
            (vec![Field { count: Count::Of(0), ..scalar("itself", 0, InType::UINT8) }], "itself"),
            (vec![Field { count: Count::Of(9), ..scalar("later", 0, InType::UINT8) }], "later"),
        ] {
            assert_eq!(run(fields, b"a\0bc").missing, missing(field, MissingReason::NoReference));
        }
        let negative = vec![scalar("n", 0, InType::INT32), sized("blob", 1, InType::BINARY, Length::Of(0))];
        assert_eq!(run(negative, &[0xFF; 20]).missing, missing("blob", MissingReason::PayloadEnded));
    }

    #[test]
    fn an_unknown_type_keeps_its_number_and_bytes() {
        let decoded = run(vec![scalar("odd", 0, InType(299)), scalar("behind", 1, InType::UINT8)], &[1, 2, 3]);
        let unknown = Value::Unknown { in_type: InType(299), bytes: vec![1, 2, 3] };
        assert_eq!(decoded.fields.get("odd"), Some(&unknown));
        assert_eq!(decoded.missing, missing("odd", MissingReason::UnknownType(InType(299))));
        let fields = vec![sized("odd", 0, InType(299), Length::Fixed(2)), scalar("behind", 1, InType::UINT8)];
        assert_eq!(shown(&run(fields, &[1, 2, 3])), "{odd=0102, behind=3}");
    }

    #[test]
    fn counting_what_has_no_size_ends() {
        let empty = structure("empty", 9, Count::Fixed(65_535), Vec::new());
        let nested = (0..5).fold(empty.clone(), |inner, _| structure("s", 9, Count::Fixed(65_535), vec![inner]));
        let no_bytes = sized("none", 9, InType::BINARY, Length::Fixed(0));
        let arrays = Field { count: Count::Fixed(65_535), ..no_bytes };
        for (field, name) in [(empty, "empty"), (nested, "empty"), (arrays, "none")] {
            let decoded = run(vec![field], &[0; 100]);
            assert_eq!(decoded.missing, missing(name, MissingReason::TooManyValues));
        }
    }

    #[test]
    fn long_names_are_not_repeated_without_end() {
        let long: Arc<str> = "x".repeat(30_000).into();
        let member = Field { name: Arc::clone(&long), ..scalar("", 0, InType::UINT8) };
        let decoded = run(vec![structure("s", 1, Count::Fixed(30_000), vec![member])], &[0; 30_000]);
        assert_eq!(decoded.missing, missing(&long, MissingReason::TooMuchText));
        let entry = MapEntry { key: MapKey::Number(0), name: Arc::clone(&long) };
        let map = Some(MapRef::Known(Arc::new(Map::new(MapKind::Values, vec![entry]))));
        let content = Content::Scalar(Scalar { map, ..Scalar::of(InType::UINT8) });
        let named = Field { content, count: Count::Fixed(30_000), ..scalar("a", 0, InType::UINT8) };
        let decoded = run(vec![named], &[0; 30_000]);
        assert!(decoded.is_exact());
        assert!(shown(&decoded).len() < 2 * NAME_BYTES_PER_BYTE * 30_000);
        // A short payload has no room for long names more often than its schema can spell them.
        let empty = Field { name: long, ..structure("", 0, Count::One, Vec::new()) };
        let decoded = run(vec![empty.clone(), empty.clone(), empty], &[]);
        assert_eq!((decoded.fields.0.len(), decoded.missing.unwrap().reason), (2, MissingReason::TooMuchText));
    }

    #[test]
    fn nesting_is_bounded() {
        let inner = (0..MAX_DEPTH).fold(scalar("x", 0, InType::UINT8), |f, _| structure("s", 0, Count::One, vec![f]));
        assert!(run(vec![inner.clone()], &[1]).is_exact());
        let deeper = structure("outer", 0, Count::One, vec![inner]);
        assert_eq!(run(vec![deeper], &[1]).missing, missing("s", MissingReason::TooDeep));
    }

    #[test]
    fn maps_are_found_by_name_or_at_hand() {
        let map = Arc::new(Map::new(MapKind::Values, vec![MapEntry { key: MapKey::Number(1), name: "One".into() }]));
        let field = |map| {
            let scalar = Scalar { map: Some(map), out_type: OutType::NULL, ..Scalar::of(InType::UINT8) };
            Field { name: "f".into(), slot: 0, count: Count::One, content: Content::Scalar(scalar) }
        };
        let known = Layout::new(vec![field(MapRef::Known(Arc::clone(&map)))]);
        let named = Layout::new(vec![field(MapRef::ByName("M".into()))]);
        let maps = Maps::from([("M".into(), map)]);
        let one = |layout: &Layout, maps| shown(&decode(layout, &[1], PointerSize::Four, maps));
        assert_eq!(one(&known, None), "{f=One (1)}");
        assert_eq!(one(&named, Some(&maps)), "{f=One (1)}");
        assert_eq!(one(&named, None), "{f=1}");
    }
}
