use etl_parser::PointerSize;

use super::*;
use crate::decode::{Maps, decode};
use crate::value::Value;

/// A property of `EVENT_PROPERTY_INFO`, all numbers as they stand there.
#[derive(Clone, Copy)]
struct Prop {
    flags: u32,
    name: u32,
    types: (u16, u16),
    map: u32,
    count: u16,
    length: u16,
}

const PLAIN: Prop = Prop { flags: 0, name: 0, types: (4, 0), map: 0, count: 1, length: 1 };

/// A `TRACE_EVENT_INFO` of provider 1, event 7, version 3; strings stand behind the properties.
fn info(top_level: u32, properties: &[Prop], strings: &[u8]) -> Vec<u8> {
    let mut bytes = Guid::from_u128(1).to_wire().to_vec();
    bytes.extend(Guid::from_u128(2).to_wire());
    bytes.extend([7, 0, 3, 16, 4, 9, 5, 0]);
    bytes.extend([0; 8]);
    bytes.extend([0; 0x34]);
    bytes.extend(u32::try_from(properties.len()).unwrap().to_le_bytes());
    bytes.extend(top_level.to_le_bytes());
    bytes.extend([0; 4]);
    assert_eq!(bytes.len(), HEADER_BYTES);
    for property in properties {
        bytes.extend(property.flags.to_le_bytes());
        bytes.extend(property.name.to_le_bytes());
        bytes.extend([property.types.0, property.types.1].iter().flat_map(|value| value.to_le_bytes()));
        bytes.extend(property.map.to_le_bytes());
        bytes.extend([property.count, property.length].iter().flat_map(|value| value.to_le_bytes()));
        bytes.extend([0; 4]);
    }
    bytes.extend(strings);
    bytes
}

fn put(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect()
}

fn read(bytes: &[u8]) -> Result<(EventKey, EventSchema), SchemaError> {
    read_event_info(bytes).map(Option::unwrap)
}

fn shown(bytes: &[u8], payload: &[u8]) -> String {
    let decoded = decode(&read(bytes).unwrap().1.layout, payload, PointerSize::Eight, None);
    assert!(decoded.is_exact(), "{decoded:?}");
    Value::Struct(decoded.fields).to_string()
}

#[test]
fn names_types_counts_lengths_and_members() {
    let strings_at = HEADER_BYTES as u32 + 6 * PROPERTY_BYTES as u32;
    let name = |index: u32| strings_at + 4 * index;
    let properties = [
        Prop { name: name(0), types: (6, 0), length: 2, ..PLAIN },
        Prop { flags: PARAM_LENGTH, name: name(1), types: (1, 0), length: 0, ..PLAIN },
        Prop { flags: STRUCT | PARAM_COUNT, name: name(2), types: (4, 2), count: 0, ..PLAIN },
        Prop { flags: FIXED_COUNT, name: name(3), count: 1, ..PLAIN },
        Prop { name: name(4), types: (8, 22), length: 4, ..PLAIN },
        Prop { name: name(5), types: (14, 0), length: 2, ..PLAIN },
    ];
    let strings: Vec<u8> = ["a", "b", "c", "d", "e", "f", "Provider ", "Task "].iter().flat_map(|t| utf16(t)).collect();
    let mut bytes = info(4, &properties, &strings);
    put(&mut bytes, 0x34, name(6));
    put(&mut bytes, 0x44, name(6) + 20);
    let (key, schema) = read(&bytes).unwrap();
    assert_eq!(key.to_string(), "00000000-0000-0000-0000-000000000001/7.3");
    assert_eq!((schema.provider_name.as_deref(), schema.task_name.as_deref()), (Some("Provider"), Some("Task")));
    let payload = b"\x02\0x\0y\0\x01\0\0\0\xaa\xbb\x02\0\0\0\xcc\xdd\x09";
    assert_eq!(shown(&bytes, payload), "{a=2, b=xy, c=[{e=1, f=AABB}, {e=2, f=CCDD}], d=[9]}");
}

#[test]
fn events_of_mof_are_found_by_class_and_opcode() {
    let mut bytes = info(1, &[PLAIN], &[]);
    put(&mut bytes, 0x30, WBEM);
    let (key, schema) = read(&bytes).unwrap();
    let class = EventKey { kind: KeyKind::Class, guid: Guid::from_u128(2), id: 9, version: 3 };
    assert_eq!((key, schema.map_provider), (class, Some(Guid::from_u128(1))));
    for source in [2, 3, u32::MAX] {
        put(&mut bytes, 0x30, source);
        assert_eq!(read_event_info(&bytes), Ok(None), "WPP, TraceLogging, unknown");
    }
}

#[test]
fn offsets_and_counts_are_checked() {
    let text_at = (HEADER_BYTES + PROPERTY_BYTES) as u32;
    let good = info(1, &[Prop { name: text_at, ..PLAIN }], &utf16("name"));
    assert_eq!(shown(&good, &[5]), "{name=5}");
    let end = u32::try_from(good.len()).unwrap();
    let property = HEADER_BYTES;
    for (what, at, value, want) in [
        ("no property fits", 0x64, u32::MAX, SchemaError::OutOfRange("property count")),
        ("properties past the end", 0x64, 2, SchemaError::OutOfRange("property count")),
        ("more at the top than there are", 0x68, 2, SchemaError::OutOfRange("top-level property count")),
        ("top level of 4 billion", 0x68, u32::MAX, SchemaError::OutOfRange("top-level property count")),
        ("name past the end", property + 4, end, SchemaError::OutOfRange("property name")),
        ("name far past the end", property + 4, u32::MAX, SchemaError::OutOfRange("property name")),
        ("name in the header", property + 4, 0x10, SchemaError::OutOfRange("property name")),
        ("name in the properties", property + 4, 0x70, SchemaError::OutOfRange("property name")),
        ("odd name without NUL", property + 4, end - 1, SchemaError::OutOfRange("property name")),
        ("map name past the end", property + 12, end, SchemaError::OutOfRange("map name")),
        ("provider name past the end", 0x34, end, SchemaError::OutOfRange("provider name")),
        ("message in the header", 0x4C, 4, SchemaError::OutOfRange("message")),
    ] {
        let mut bytes = good.clone();
        put(&mut bytes, at, value);
        assert_eq!(read(&bytes), Err(want), "{what}");
    }
    for cut in 0..good.len() {
        assert!(read_event_info(&good[..cut]).is_err(), "cut at {cut}");
    }
    let no_nul = info(1, &[Prop { name: text_at, ..PLAIN }], b"n\0a\0");
    assert_eq!(read(&no_nul), Err(SchemaError::OutOfRange("property name")));
}

#[test]
fn strings_that_share_bytes_do_not_multiply_them() {
    let count = 2000;
    let text_at = (HEADER_BYTES + count * PROPERTY_BYTES) as u32;
    let properties = vec![Prop { name: text_at, ..PLAIN }; count];
    let long = utf16(&"x".repeat(8000));
    assert_eq!(read(&info(2000, &properties, &long)), Err(SchemaError::TooLarge));
    assert!(read(&info(2000, &properties, &utf16("x"))).is_ok());
}

#[test]
fn structures_are_checked() {
    let members = |start, count| Prop { flags: STRUCT, types: (start, count), ..PLAIN };
    let chain: Vec<Prop> = (1..=40).map(|next| members(next, 1)).chain([PLAIN]).collect();
    let doubling: Vec<Prop> = (0..20).map(|index| members(index + 1, 2)).chain([PLAIN, PLAIN]).collect();
    let thousand: Vec<Prop> = (1..=1000).map(|next| members(next, 1)).chain([PLAIN]).collect();
    for (what, top_level, properties, want) in [
        ("start past the end", 1, vec![members(9, 1)], SchemaError::OutOfRange("structure")),
        ("length past the end", 1, vec![members(0, 9)], SchemaError::OutOfRange("structure")),
        ("both at their largest", 1, vec![members(65_535, 65_535)], SchemaError::OutOfRange("structure")),
        ("contains itself", 1, vec![members(0, 1)], SchemaError::OverlappingStructures),
        ("contain each other", 1, vec![members(1, 1), members(0, 1)], SchemaError::OverlappingStructures),
        ("two share a member", 2, vec![members(2, 1), members(2, 1), PLAIN], SchemaError::OverlappingStructures),
        ("each contains the next two", 1, doubling, SchemaError::OverlappingStructures),
        ("contains a field of the top", 2, vec![members(1, 1), PLAIN], SchemaError::OverlappingStructures),
        ("40 levels", 1, chain, SchemaError::TooDeep),
        ("1000 levels", 1, thousand, SchemaError::TooDeep),
    ] {
        assert_eq!(read(&info(top_level, &properties, &[])), Err(want), "{what}");
    }
    // A structure without members, and members that no structure has.
    assert_eq!(shown(&info(1, &[members(1, 0), PLAIN], &[]), &[]), "{={}}");
}

#[test]
fn references_are_to_fields_before() {
    let count_of = |index| Prop { flags: PARAM_COUNT, count: index, ..PLAIN };
    let length_of = |index| Prop { flags: PARAM_LENGTH, types: (14, 0), length: index, ..PLAIN };
    for (what, properties) in [
        ("itself", vec![count_of(0)]),
        ("a later one", vec![count_of(1), PLAIN]),
        ("none", vec![PLAIN, count_of(65_535)]),
        ("its own length", vec![length_of(0)]),
        ("a later length", vec![PLAIN, length_of(2), PLAIN]),
    ] {
        let top_level = u32::try_from(properties.len()).unwrap();
        assert_eq!(read(&info(top_level, &properties, &[])), Err(SchemaError::BadReference), "{what}");
    }
    // To a structure or a text: told when decoded. To 0: nothing. To 4 billion: does not fit.
    let text = Prop { types: (2, 0), length: 0, ..PLAIN };
    let structure = Prop { flags: STRUCT, types: (2, 1), ..PLAIN };
    let number = Prop { types: (8, 0), length: 4, ..PLAIN };
    for (properties, payload, want) in [
        (vec![text, count_of(0)], &b"a\0b"[..], "field  refers to a field that holds no number"),
        (vec![structure, length_of(0), PLAIN], b"ab", "field  refers to a field that holds no number"),
        (vec![number, count_of(0)], &[0, 0, 0, 0], ""),
        (vec![number, length_of(0)], &[0xFF; 9], "field  does not fit into the payload"),
        (vec![number, count_of(0)], &[0xFF; 9], "field  does not fit into the payload"),
    ] {
        let (_, schema) = read(&info(2, &properties, &[])).unwrap();
        let decoded = decode(&schema.layout, payload, PointerSize::Eight, None);
        assert_eq!(decoded.missing.map(|missing| missing.to_string()).unwrap_or_default(), want);
    }
}

#[test]
fn hostile_counts_end_and_unknown_types_stay() {
    let counted = |count, prop: Prop| Prop { flags: prop.flags | FIXED_COUNT, count, ..prop };
    let structure = |start, count| counted(65_535, Prop { flags: STRUCT, types: (start, count), ..PLAIN });
    let nothing = Prop { types: (14, 0), length: 0, ..PLAIN };
    for (what, properties, want) in [
        ("65535 × 65535 structures of nothing", vec![structure(1, 1), structure(2, 0)], "more values"),
        ("65535 × 65535 of nothing", vec![structure(1, 1), counted(65_535, nothing)], "more values"),
        ("65535 × 65535 bytes", vec![structure(1, 1), counted(65_535, PLAIN)], "does not fit"),
        ("text of 65535 at the end", vec![Prop { types: (1, 0), length: 0xFFFF, ..PLAIN }], "does not fit"),
        ("in-type 0", vec![Prop { types: (0, 0), length: 0, ..PLAIN }], "unknown in-type 0"),
        ("in-type 24", vec![Prop { types: (24, 0), length: 0, ..PLAIN }], "unknown in-type 24"),
        ("in-type 26", vec![Prop { types: (26, 0), length: 0, ..PLAIN }], "unknown in-type 26"),
        ("in-type 299", vec![Prop { types: (299, 0), length: 0, ..PLAIN }], "unknown in-type 299"),
        ("in-type 311", vec![Prop { types: (311, 0), length: 0, ..PLAIN }], "unknown in-type 311"),
        ("in-type 65535", vec![Prop { types: (0xFFFF, 0), length: 0, ..PLAIN }], "unknown in-type 65535"),
    ] {
        let (_, schema) = read(&info(1, &properties, &[])).unwrap();
        let decoded = decode(&schema.layout, &[1; 100], PointerSize::Eight, None);
        let missing = decoded.missing.map(|missing| missing.to_string()).unwrap_or_default();
        assert!(missing.contains(want), "{what}: {missing}");
    }
    // An unknown type of a stated length costs nothing but itself.
    let sized = [Prop { types: (299, 0), length: 2, ..PLAIN }, PLAIN];
    assert_eq!(shown(&info(2, &sized, &[]), &[1, 2, 3]), "{=0102, =3}");
}

/// A provider's GUID and an `EVENT_MAP_INFO`; strings stand behind the entries.
fn map(flags: u32, count: u32, value_type: u32, entries: &[(u32, u32)], strings: &[u8]) -> Vec<u8> {
    let mut bytes = Guid::from_u128(1).to_wire().to_vec();
    let name = u32::try_from(MAP_HEADER_BYTES + entries.len() * MAP_ENTRY_BYTES).unwrap();
    bytes.extend([name, flags, count, value_type].iter().flat_map(|value| value.to_le_bytes()));
    bytes.extend(entries.iter().flat_map(|(output, input)| [*output, *input]).flat_map(u32::to_le_bytes));
    bytes.extend(strings);
    bytes
}

#[test]
fn maps_of_values_bits_and_texts() {
    // Entries of two, strings behind them: "M" at 32, "One " at 36, "Two" at 46.
    let strings: Vec<u8> = ["M", "One ", "Two"].iter().flat_map(|text| utf16(text)).collect();
    let read = |flags, value_type, entries: &[(u32, u32)]| {
        let (provider, name, map) = read_map_info(&map(flags, 2, value_type, entries, &strings)).unwrap();
        assert_eq!((provider, &*name), (Guid::from_u128(1), "M"));
        map
    };
    let entries = [(36, 1), (46, 2)];
    let shown = |map: &Map, value| map.apply(Value::Unsigned(value)).to_string();
    for flags in [1, 8, 0] {
        let values = read(flags, 0, &entries);
        assert_eq!((shown(&values, 1), shown(&values, 3)), ("One (1)".into(), "3".into()));
    }
    for flags in [2, 0x10] {
        let bits = read(flags, 0, &entries);
        assert_eq!((shown(&bits, 3), shown(&bits, 0)), ("One | Two (3)".into(), "0".into()));
    }
    for (flags, value_type) in [(4, 0), (8, 1)] {
        let texts = read(flags, value_type, &[(36, 46), (46, 36)]);
        assert_eq!(texts.apply(Value::Text("Two".into())).to_string(), "One (Two)");
    }
    // A value that stands there twice has its first name.
    assert_eq!(shown(&read(1, 0, &[(36, 5), (46, 5)]), 5), "One (5)");
    // An entry without a name.
    assert_eq!(shown(&read(1, 0, &[(0, 5), (46, 6)]), 5), " (5)");
}

#[test]
fn offsets_of_maps_are_checked() {
    let strings = utf16("M");
    let good = map(1, 1, 0, &[(24, 1)], &strings);
    assert!(read_map_info(&good).is_ok());
    for cut in 0..good.len() {
        assert!(read_map_info(&good[..cut]).is_err(), "cut at {cut}");
    }
    for (what, bytes, want) in [
        ("4 billion entries", map(1, u32::MAX, 0, &[(24, 1)], &strings), SchemaError::OutOfRange("map entry count")),
        ("one entry too many", map(1, 2, 0, &[(24, 1)], &[0]), SchemaError::OutOfRange("map entry count")),
        ("entry past the end", map(1, 1, 0, &[(28, 1)], &strings), SchemaError::OutOfRange("map entry")),
        ("entry in the header", map(1, 1, 0, &[(8, 1)], &strings), SchemaError::OutOfRange("map entry")),
        ("text past the end", map(4, 1, 0, &[(24, 99)], &strings), SchemaError::OutOfRange("map entry")),
    ] {
        assert_eq!(read_map_info(&bytes), Err(want), "{what}");
    }
    let mut nameless = good;
    put(&mut nameless, 16, 0);
    assert_eq!(read_map_info(&nameless), Err(SchemaError::OutOfRange("map name")));
}

#[test]
fn a_map_may_come_after_the_event_that_needs_it() {
    let text_at = (HEADER_BYTES + PROPERTY_BYTES) as u32;
    let bytes = info(1, &[Prop { map: text_at, ..PLAIN }], &utf16("M"));
    let (_, schema) = read(&bytes).unwrap();
    let (_, name, map) = read_map_info(&map(1, 1, 0, &[(24, 1)], &utf16("M"))).unwrap();
    let maps = Maps::from([(name, Arc::new(map))]);
    let one = |maps| Value::Struct(decode(&schema.layout, &[1], PointerSize::Four, maps).fields).to_string();
    assert_eq!((one(None), one(Some(&maps))), ("{=1}".into(), "{=M (1)}".into()));
    let custom = info(1, &[Prop { flags: CUSTOM_SCHEMA, map: 3, ..PLAIN }], &[]);
    assert_eq!(shown(&custom, &[1]), "{=1}", "the place of a map's name holds something else");
}
