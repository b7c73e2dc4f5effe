//! Classes 29 to 40: event metadata, and payloads that do not suit it.

use etl_parser::{Guid, PointerSize, Record, Trace};
use etw_schema::event_info::{read_event_info, read_map_info};
use etw_schema::manifest::read_manifest;
use etw_schema::tracelogging::{ProviderTraits, read_event};
use etw_schema::{MissingReason, SchemaError, Schemas, Value, decode};
use synth::record::{Descriptor, Extended, Origin, Record as Written};
use synth::{TraceBuilder, TraceOptions};

use super::support::*;

const PROVIDER: u128 = 0x1111_2222_3333_4444_5555_6666_7777_8888;
const METADATA: u128 = 0xbbcc_f6c1_6cd1_48c4_80ff_8394_82e3_7671;

fn guid(value: u128) -> synth::Guid {
    synth::Guid(Guid::from_u128(value).to_wire())
}

fn event<'a>(id: u16, extended: &'a [Extended<'a>], payload: &'a [u8]) -> Written<'a> {
    let opcode = if id == 0xFFFE { 0xFE } else { 0 };
    let descriptor = Descriptor { id, opcode, task: id, ..Descriptor::default() };
    let (origin, provider, activity) = (Origin::new(8, 12), guid(PROVIDER), guid(0));
    Written::Event { origin, provider, descriptor, activity, extended, payload }
}

fn metadata(opcode: u8, payload: &[u8]) -> Written<'_> {
    Written::Full { origin: Origin::new(8, 12), provider: guid(METADATA), opcode, level: 0, version: 0, payload }
}

/// What a trace of these records teaches, and what each record decodes to: source and fields, or why not.
fn decoded(records: &[Written<'_>]) -> (Schemas, Vec<String>) {
    let mut builder = TraceBuilder::new(TraceOptions { buffer_size: 0x2_0000, ..options() });
    let t0 = builder.options().t0;
    for (record, ticks) in records.iter().zip(t0..) {
        builder.record(0, ticks, record);
    }
    let bytes = builder.finish();
    assert_eq!(read(&bytes).unwrap(), whole(1 + records.len() as u64));
    let trace = Trace::new(&bytes).unwrap();
    let mut schemas = Schemas::default();
    let each = |look: &mut dyn FnMut(&Record<'_>)| {
        let mut scratch = Vec::new();
        for position in 1..trace.buffers().len() {
            trace.buffer(position, &mut scratch).unwrap().records().for_each(|record| look(&record.unwrap()));
        }
    };
    each(&mut |record| schemas.learn(record));
    let mut lines = Vec::new();
    each(&mut |record| {
        lines.push(match schemas.decode(record) {
            Ok(decoded) => {
                let missing = decoded.payload.missing.map(|missing| format!("; {missing}")).unwrap_or_default();
                let (source, left) = (decoded.schema.source.name(), decoded.payload.leftover_bytes);
                format!("{source} {} left {left}{missing}", Value::Struct(decoded.payload.fields))
            }
            Err(error) => error.to_string(),
        });
    });
    (schemas, lines)
}

/// Metadata of a self-describing event: size, no tags, the name `e`, fields.
fn described(fields: &[u8]) -> Vec<u8> {
    let body = [&b"\0e\0"[..], fields].concat();
    [&((body.len() + 2) as u16).to_le_bytes()[..], &body].concat()
}

/// What an event of these fields gives of a payload: its fields, and why not all.
fn own(fields: &[u8], payload: &[u8]) -> (String, Option<MissingReason>) {
    let schema = read_event(&described(fields), &ProviderTraits::default()).unwrap();
    let payload = decode(&schema.layout, payload, PointerSize::Eight, None);
    (Value::Struct(payload.fields).to_string(), payload.missing.map(|missing| missing.reason))
}

fn own_error(bytes: &[u8]) -> SchemaError {
    // The same through a trace: the event is given without fields, its neighbours are not touched.
    let items = [Extended::Raw { kind: 11, data: bytes }];
    let good = described(b"f\0\x04");
    let good = [Extended::Raw { kind: 11, data: &good }];
    let (schemas, lines) = decoded(&[event(1, &items, &[7]), event(1, &good, &[7])]);
    assert_eq!(lines[1], "tracelogging {f=7} left 0");
    assert!(!lines[0].starts_with("tracelogging"), "{}", lines[0]);
    assert_eq!(schemas.counts().tracelogging, 2);
    read_event(bytes, &ProviderTraits::default()).unwrap_err()
}

pub fn self_description_cut() -> String {
    let whole = described(&[b'f', 0, 0xA8, 0x81, 0x80, 0, 2, 0]);
    assert!(read_event(&whole, &ProviderTraits::default()).is_ok());
    for cut in 0..whole.len() {
        own_error(&whole[..cut]);
    }
    let cases: [(&[u8], SchemaError); 5] = [
        (&[0, 0, 0, 0], SchemaError::OutOfRange("size")),
        (&[3, 0, 0x80], SchemaError::Ends("event tags")),
        (&[9, 0, 0], SchemaError::OutOfRange("size")),
        (b"\x07\0\0name", SchemaError::Ends("event name")),
        (b"\x09\0\0e\0f\0\x88", SchemaError::OutOfRange("size")),
    ];
    for (bytes, error) in cases {
        assert_eq!(own_error(bytes), error, "{bytes:?}");
    }
    for (fields, error) in [
        (&b"field"[..], SchemaError::Ends("field name")),
        (b"f\0", SchemaError::Ends("field type")),
        (b"f\0\x88", SchemaError::Ends("field format")),
        (b"f\0\x88\x80\x80", SchemaError::Ends("field tags")),
        (b"f\0\x28\x01", SchemaError::Ends("element count")),
    ] {
        assert_eq!(own_error(&described(fields)), error, "{fields:?}");
    }
    let padded = [&whole[..], &[0xFF; 6]].concat();
    let traits = ProviderTraits::default();
    assert_eq!(read_event(&padded, &traits), read_event(&whole, &traits), "an item larger than its size");
    format!(
        "{} cuts and sizes: the part that ends is named, the event has no fields, the next one decodes",
        whole.len() + 10
    )
}

pub fn self_description_types() -> String {
    let unknown = [0, 16, 26, 27, 28, 29, 30, 31];
    for kind in unknown {
        let (_, reason) = own(&[b'f', 0, kind], &[1, 2, 3]);
        assert!(matches!(reason, Some(MissingReason::UnknownType(_))), "{kind}: {reason:?}");
    }
    assert_eq!(own_error(&described(&[b'f', 0, 0x68, 0xFF, 0xFF, 1])), SchemaError::Ends("custom schema"));
    assert_eq!(own(&[b's', 0, 0x98, 0, b'g', 0, 4], &[7]), ("{s={}, g=7}".to_owned(), None));
    assert_eq!(own_error(&described(&[b's', 0, 0x98, 127])), SchemaError::Ends("field name"));
    assert_eq!(own_error(&described(&[b's', 0, 0x98, 1].repeat(40))), SchemaError::TooDeep);
    let nested = [b's', 0, 0xB8, 1, 0xFF, 0xFF].repeat(8);
    let (_, reason) = own(&[&nested[..], &[b't', 0, 0xB8, 0, 0xFF, 0xFF]].concat(), &[0; 64]);
    assert_eq!(reason, Some(MissingReason::TooManyValues));
    format!(
        "{} types without a source: `UnknownType`; 127 members beyond the end: `Ends`; 40 levels: `TooDeep`; arrays of 65535 nested 9 times: `TooManyValues`",
        unknown.len()
    )
}

pub fn self_description_lengths() -> String {
    let cases: [(&[u8], &[u8], Option<MissingReason>); 8] = [
        (&[b's', 0, 0xB8, 0, 0xFF, 0xFF], &[], Some(MissingReason::TooManyValues)),
        (&[b'b', 0, 14], &[9, 0, 1], Some(MissingReason::PayloadEnded)),
        (&[b'b', 0, 22], &[0xFF, 0xFF, 1], Some(MissingReason::PayloadEnded)),
        (&[b'b', 0, 22], b"\x03\0a\0b", None),
        (&[b'b', 0, 1], b"a\0b\0", None),
        (&[b'b', 0, 19], &[1, 255, 0, 0, 0, 0, 0, 5], Some(MissingReason::PayloadEnded)),
        (&[b'b', 0, 0x48], &[0xFF, 0xFF, 1, 0], Some(MissingReason::PayloadEnded)),
        (&[b'b', 0, 0x48], &[1], Some(MissingReason::PayloadEnded)),
    ];
    for (fields, payload, reason) in cases {
        assert_eq!(own(fields, payload).1, reason, "{fields:?} {payload:?}");
    }
    "65535 structures of nothing: `TooManyValues`; lengths beyond the end, SID of 255 parts: `PayloadEnded`; no NUL, odd bytes: read".to_owned()
}

pub fn self_description_names() -> String {
    assert_eq!(own(b"\xff\0\x04\0\x04x\0\x04x\0\x04", &[1, 2, 3, 4]).0, "{\u{fffd}=1, =2, x=3, x=4}");
    let many = read_event(&described(&b"f\0\x04".repeat(10_000)), &ProviderTraits::default()).unwrap();
    let payload = decode(&many.layout, &[1; 10_000], PointerSize::Eight, None);
    assert_eq!((payload.is_exact(), payload.fields.iter().count()), (true, 10_000));
    "no UTF-8: U+FFFD; empty, twice, 10,000 fields: read".to_owned()
}

const PROPERTIES: usize = 0x70;

/// A property: flags, in-type and out-type (or first member and number of members), count, length.
type Property = (u32, (u16, u16), u16, u16);

const BYTE: Property = (0, (4, 0), 1, 1);
const STRUCT: u32 = 1;
const LENGTH_OF: u32 = 2;
const COUNT_OF: u32 = 4;
const FIXED_COUNT: u32 = 0x20;

/// A `TRACE_EVENT_INFO` of event 1 of the provider; all properties are called `f`.
fn info(top_level: u32, properties: &[Property]) -> Vec<u8> {
    let name = (PROPERTIES + 24 * properties.len()) as u32;
    let mut bytes = Guid::from_u128(PROVIDER).to_wire().to_vec();
    bytes.resize(0x20, 0);
    bytes.extend([1, 0]);
    bytes.resize(PROPERTIES, 0);
    put32(&mut bytes, 0x64, properties.len() as u32);
    put32(&mut bytes, 0x68, top_level);
    for (flags, types, count, length) in properties {
        bytes.extend(flags.to_le_bytes());
        bytes.extend(name.to_le_bytes());
        bytes.extend([types.0, types.1, 0, 0, *count, *length, 0, 0].iter().flat_map(|value| value.to_le_bytes()));
    }
    bytes.extend(b"f\0\0\0");
    bytes
}

/// What learning this metadata and decoding an event by it gives; other metadata must stay.
fn by_info(bytes: &[u8], payload: &[u8]) -> String {
    let (schemas, lines) = decoded(&[metadata(32, bytes), event(1, &[], payload)]);
    assert_eq!(schemas.counts().event_infos, 1);
    lines[1].clone()
}

fn info_error(bytes: &[u8]) -> SchemaError {
    assert_eq!(by_info(bytes, &[7]), "no schema is known");
    read_event_info(bytes).unwrap_err()
}

pub fn event_info_offsets() -> String {
    let good = info(1, &[BYTE]);
    assert_eq!(by_info(&good, &[7]), "embedded {f=7} left 0");
    let end = good.len() as u32;
    let cases = [
        (0x64, u32::MAX, "property count"),
        (0x64, 2, "property count"),
        (0x68, 2, "top-level property count"),
        (0x68, u32::MAX, "top-level property count"),
        (PROPERTIES + 4, end, "property name"),
        (PROPERTIES + 4, u32::MAX, "property name"),
        (PROPERTIES + 4, 0x10, "property name"),
        (PROPERTIES + 4, end - 1, "property name"),
        (0x34, end, "provider name"),
    ];
    for (at, value, field) in cases {
        let mut bytes = good.clone();
        put32(&mut bytes, at, value);
        assert_eq!(info_error(&bytes), SchemaError::OutOfRange(field), "{at:#x} {value:#x}");
    }
    for cut in 0..good.len() {
        info_error(&good[..cut]);
    }
    format!("{} offsets and counts: `OutOfRange` names the field; {} cuts: refused", cases.len(), good.len())
}

pub fn event_info_structures() -> String {
    let members = |start, count| (STRUCT, (start, count), 1, 0);
    let chain = |depth: u16| -> Vec<Property> { (1..=depth).map(|next| members(next, 1)).chain([BYTE]).collect() };
    let doubling: Vec<Property> = (0..20).map(|index| members(index + 1, 2)).chain([BYTE, BYTE]).collect();
    let cases = [
        (vec![members(9, 1)], SchemaError::OutOfRange("structure")),
        (vec![members(65_535, 65_535)], SchemaError::OutOfRange("structure")),
        (vec![members(0, 1)], SchemaError::OverlappingStructures),
        (vec![members(1, 1), members(0, 1)], SchemaError::OverlappingStructures),
        (doubling, SchemaError::OverlappingStructures),
        (chain(40), SchemaError::TooDeep),
        (chain(1000), SchemaError::TooDeep),
    ];
    for (properties, error) in &cases {
        assert_eq!(info_error(&info(1, properties)), *error);
    }
    format!(
        "{} forms: out of range, within itself, 2^20 by overlap, 40 and 1000 levels: each refused by name",
        cases.len()
    )
}

pub fn event_info_references() -> String {
    let count_of = |index| (COUNT_OF, (4, 0), index, 1);
    let length_of = |index| (LENGTH_OF, (14, 0), 1, index);
    let refused = [vec![count_of(0)], vec![count_of(1), BYTE], vec![BYTE, count_of(65_535)], vec![length_of(0)]];
    for properties in &refused {
        let top_level = properties.len() as u32;
        assert_eq!(info_error(&info(top_level, properties)), SchemaError::BadReference);
    }
    let (text, number) = ((0, (2, 0), 1, 0), (0, (8, 0), 1, 4));
    let structure = (STRUCT, (2, 1), 1, 0);
    for (properties, payload, expected) in [
        (vec![text, count_of(0)], &b"a\0b"[..], "field f refers to a field that holds no number"),
        (vec![structure, length_of(0), BYTE], b"ab", "field f refers to a field that holds no number"),
        (vec![number, count_of(0)], &[0, 0, 0, 0], "embedded {f=0, f=[]} left 0"),
        (vec![number, length_of(0)], &[0xFF; 9], "field f does not fit into the payload"),
        (vec![number, count_of(0)], &[0xFF; 9], "field f does not fit into the payload"),
    ] {
        let line = by_info(&info(2, &properties), payload);
        assert!(line.contains(expected), "{line}");
    }
    format!(
        "{} to itself, later, none: `BadReference`; to text, structure, 0xFFFFFFFF: told when decoded; to 0: nothing",
        refused.len()
    )
}

pub fn event_info_counts() -> String {
    let counted = |property: Property| (property.0 | FIXED_COUNT, property.1, 65_535, property.3);
    let nothing = (0, (14, 0), 1, 0);
    let outer = counted((STRUCT, (1, 1), 1, 0));
    let cases = [
        (vec![outer, counted((STRUCT, (2, 0), 1, 0))], "counts more values than the payload can hold"),
        (vec![outer, counted(nothing)], "counts more values than the payload can hold"),
        (vec![outer, counted(BYTE)], "does not fit into the payload"),
        (vec![(0, (1, 0), 1, 0xFFFF)], "does not fit into the payload"),
        (vec![(0, (0, 0), 1, 0)], "has unknown in-type 0"),
        (vec![(0, (24, 0), 1, 0)], "has unknown in-type 24"),
        (vec![(0, (26, 0), 1, 0)], "has unknown in-type 26"),
        (vec![(0, (299, 0), 1, 0)], "has unknown in-type 299"),
        (vec![(0, (311, 0), 1, 0)], "has unknown in-type 311"),
        (vec![(0, (0xFFFF, 0), 1, 0)], "has unknown in-type 65535"),
    ];
    for (properties, expected) in &cases {
        let line = by_info(&info(1, properties), &[1; 100]);
        assert!(line.contains(expected), "{line}");
    }
    "65535 × 65535: `TooManyValues` or `PayloadEnded`; length 0xFFFF: `PayloadEnded`; 6 in-types: `UnknownType`"
        .to_owned()
}

/// Provider and `EVENT_MAP_INFO`, with entries of name and value.
fn map(flags: u32, count: u32, entries: &[(u32, u32)], strings: &[u8]) -> Vec<u8> {
    let mut bytes = Guid::from_u128(PROVIDER).to_wire().to_vec();
    let name = (16 + 8 * entries.len()) as u32;
    bytes.extend([name, flags, count, 0].iter().flat_map(|value| value.to_le_bytes()));
    bytes.extend(entries.iter().flat_map(|(name, value)| [*name, *value]).flat_map(u32::to_le_bytes));
    bytes.extend(strings);
    bytes
}

pub fn maps() -> String {
    let strings = b"M\0\0\0A\0\0\0B\0\0\0";
    // Behind two entries the strings stand at 32.
    let shown = |flags, entries: &[(u32, u32)], value| {
        let (_, _, map) = read_map_info(&map(flags, 2, entries, strings)).unwrap();
        map.apply(Value::Unsigned(value)).to_string()
    };
    assert_eq!(shown(1, &[(36, 5), (40, 5)], 5), "A (5)", "of two entries of one value the first");
    assert_eq!(shown(2, &[(36, 1), (40, 2)], 0), "0", "no bit set");
    assert_eq!(shown(2, &[(36, 1), (40, 2)], 3), "A | B (3)");
    assert_eq!(shown(4, &[(36, 40), (40, 36)], 1), "1", "a map of texts, for a number");
    assert_eq!(shown(1, &[(0, 5), (40, 6)], 5), " (5)", "an entry without a name");
    let good = map(1, 1, &[(24, 1)], b"M\0\0\0");
    for (bytes, field) in [
        (map(1, u32::MAX, &[(24, 1)], b"M\0\0\0"), "map entry count"),
        (map(1, 1, &[(28, 1)], b"M\0\0\0"), "map entry"),
        (map(1, 1, &[(8, 1)], b"M\0\0\0"), "map entry"),
    ] {
        assert_eq!(read_map_info(&bytes).unwrap_err(), SchemaError::OutOfRange(field));
    }
    for cut in 0..good.len() {
        assert!(read_map_info(&good[..cut]).is_err());
    }
    // Two maps of one name: the first counts, and the conflict is told. A map comes after its use.
    let mut mapped = info(1, &[BYTE]);
    let at = mapped.len() as u32;
    put32(&mut mapped, PROPERTIES + 12, at);
    mapped.extend(b"M\0\0\0");
    let (first, second) = (map(1, 1, &[(28, 7)], b"M\0\0\0A\0\0\0"), map(1, 1, &[(28, 7)], b"M\0\0\0B\0\0\0"));
    let records = [metadata(32, &mapped), event(1, &[], &[7]), metadata(33, &first), metadata(33, &second)];
    let (schemas, lines) = decoded(&records);
    assert_eq!(lines[1], "embedded {f=A (7)} left 0");
    assert_eq!(schemas.conflicting_maps().count(), 1);
    "5 kinds of entries: shown as they are; 3 offsets and counts: `OutOfRange`; two of one name: the first, the conflict told; after its use: used".to_owned()
}

pub fn conflicting_descriptions() -> String {
    let (first, second) = (info(1, &[BYTE]), info(1, &[(0, (6, 0), 1, 2)]));
    let (schemas, lines) = decoded(&[metadata(32, &first), metadata(32, &second), event(1, &[], &[7, 0])]);
    assert_eq!(lines[2], "embedded {f=7} left 1");
    assert_eq!(schemas.conflicting_events().count(), 1);
    // MOF: of a class and opcode, not of an id; other sources that say they are neither.
    for source in [1, 2, 3, u32::MAX] {
        let mut other = first.clone();
        put32(&mut other, 0x30, source);
        assert_eq!(by_info(&other, &[7]), "no schema is known");
    }
    // In a record with the header of another width.
    let mut builder = TraceBuilder::new(options());
    let t0 = builder.options().t0;
    builder.record_as(synth::Pointer::Four, 0, t0, &metadata(32, &first));
    assert_eq!(read(&builder.finish()).unwrap(), whole(2));
    "two for one event: the first counts, the conflict is told; DecodingSource 1, 2, 3: not this event's".to_owned()
}

pub fn payloads_that_do_not_suit() -> String {
    let word = info(1, &[(0, (8, 0), 1, 4)]);
    for (payload, expected) in [
        (&[7, 0, 0, 0][..], "embedded {f=7} left 0"),
        (&[7, 0, 0, 0, 9, 9], "embedded {f=7} left 2"),
        (&[7, 0, 0], "embedded {} left 3; field f does not fit into the payload"),
        (&[], "embedded {} left 0; field f does not fit into the payload"),
    ] {
        assert_eq!(by_info(&word, payload), expected);
    }
    // Of a version that nothing describes.
    let descriptor = Descriptor { id: 1, version: 9, ..Descriptor::default() };
    let (origin, provider, activity) = (Origin::new(8, 12), guid(PROVIDER), guid(0));
    let newer = Written::Event { origin, provider, descriptor, activity, extended: &[], payload: &[7, 0, 0, 0] };
    let (_, lines) = decoded(&[metadata(32, &word), newer]);
    assert!(!lines[1].starts_with("embedded"), "{}", lines[1]);
    "longer: the rest is counted; shorter: what fits, and the field that does not; unknown version: not decoded by another".to_owned()
}

pub fn manifest_parts() -> String {
    let part = |total: u16, number: u16, text: &str| {
        let head: Vec<u8> = [total, number].iter().flat_map(|value| value.to_le_bytes()).collect();
        [&[1, 1, 0, 0x5B][..], &head, text.as_bytes()].concat()
    };
    let text = "<provider name='P'><event value='1' template='t'/><template tid='t'><data name='m' inType='win:UInt8'/></template></provider>";
    let (front, back) = text.split_at(40);
    let with = |parts: &[Vec<u8>]| {
        let mut records: Vec<Written<'_>> = parts.iter().map(|part| event(0xFFFE, &[], part)).collect();
        records.push(event(1, &[], &[7]));
        let (schemas, lines) = decoded(&records);
        (lines.last().cloned().unwrap(), schemas.manifests().rejected(), schemas.manifests().incomplete())
    };
    let known = || "manifest {m=7} left 0".to_owned();
    let unknown = || "no schema is known".to_owned();
    assert_eq!(with(&[part(1, 0, text)]), (known(), 0, 0));
    assert_eq!(with(&[part(2, 1, back), part(2, 0, front)]), (known(), 0, 0), "in any order");
    assert_eq!(with(&[part(2, 0, front), part(2, 0, front), part(2, 1, back)]), (known(), 0, 0), "twice");
    assert_eq!(with(&[part(2, 0, front)]), (unknown(), 0, 1), "missing");
    assert_eq!(with(&[part(1, 1, text)]), (unknown(), 1, 0), "beyond the total");
    assert_eq!(with(&[part(0, 0, text)]), (unknown(), 1, 0), "a total of 0");
    assert_eq!(with(&[part(65_535, 0, text)]), (unknown(), 1, 0), "a total of 65535");
    for (at, byte) in [(0, 2), (3, 0x5C)] {
        let mut bytes = part(1, 0, text);
        bytes[at] = byte;
        assert_eq!(with(&[bytes]), (unknown(), 1, 0), "format, magic");
    }
    assert_eq!(with(&[part(1, 0, text)[..7].to_vec()]), (unknown(), 1, 0), "shorter than its head");
    let mut bytes = part(1, 0, text);
    bytes[30] = 0xFF;
    assert_eq!(with(&[bytes]), (unknown(), 1, 0), "no UTF-8");
    let bomb = "<!DOCTYPE x [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;&a;\">]><provider name=\"&b;\"/>";
    assert_eq!(read_manifest(bomb).unwrap_err(), SchemaError::NotXml);
    assert_eq!(with(&[part(1, 0, bomb)]), (unknown(), 1, 0), "entities");
    // A part that comes again and again, and never its rest. What may wait in all is tested beside the code.
    let large = part(64, 0, &" ".repeat(0xF000));
    let (_, rejected, incomplete) = with(&vec![large; 40]);
    assert_eq!((rejected, incomplete), (0, 1), "the same part again takes no room");
    "any order, twice: read; missing: waits; 7 impossible heads, no UTF-8, entities: refused and counted; one part again and again: kept once".to_owned()
}
