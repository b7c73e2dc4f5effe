use etl_parser::PointerSize;

use super::*;
use crate::decode::{DecodedPayload, MissingReason, decode};
use crate::value::Value;

/// The bytes of some fields.
type Fields<'a> = Vec<&'a [u8]>;

/// Event metadata of these fields: size, no tags, the name `e`.
fn event(fields: &[&[u8]]) -> Vec<u8> {
    let body = [&[0][..], b"e\0", &fields.concat()].concat();
    let size = u16::try_from(body.len() + 2).unwrap();
    [&size.to_le_bytes()[..], &body].concat()
}

fn read(bytes: &[u8]) -> Result<EventSchema, SchemaError> {
    read_event(bytes, &ProviderTraits::default())
}

fn run(fields: &[&[u8]], payload: &[u8]) -> DecodedPayload {
    decode(&read(&event(fields)).unwrap().layout, payload, PointerSize::Eight, None)
}

fn shown(fields: &[&[u8]], payload: &[u8]) -> String {
    let decoded = run(fields, payload);
    assert!(decoded.is_exact(), "{decoded:?}");
    Value::Struct(decoded.fields).to_string()
}

#[test]
fn each_type_is_stored_as_its_number_says() {
    let cases: [(u8, &[u8], &str); 23] = [
        (1, b"a\0\0\0", "a"),
        (2, b"a\0", "a"),
        (3, &[0xFF], "-1"),
        (4, &[0xFF], "255"),
        (5, &[0xFF, 0xFF], "-1"),
        (6, &[0xFF, 0xFF], "65535"),
        (7, &[0xFF; 4], "-1"),
        (8, &[0xFF; 4], "4294967295"),
        (9, &[0xFF; 8], "-1"),
        (10, &[0xFF; 8], "18446744073709551615"),
        (11, &[0, 0, 0x80, 0x3F], "1"),
        (12, &[0, 0, 0, 0, 0, 0, 0xF0, 0x3F], "1"),
        (13, &[1, 0, 0, 0], "true"),
        (14, &[2, 0, 0xAB, 0xCD], "ABCD"),
        (15, &[0; 16], "00000000-0000-0000-0000-000000000000"),
        (17, &[0; 8], "(0)"),
        (18, &[0; 16], "0000-00-00T00:00:00.000"),
        (19, &[1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0], "S-1-5-18"),
        (20, &[0x10, 0, 0, 0], "0x10"),
        (21, &[0x10, 0, 0, 0, 0, 0, 0, 0], "0x10"),
        (22, b"\x02\0a\0", "a"),
        (23, b"\x01\0a", "a"),
        (25, &[1, 0, 0xEE], "EE"),
    ];
    for (kind, payload, want) in cases {
        assert_eq!(shown(&[&[b'f', 0, kind]], payload), format!("{{f={want}}}"), "type {kind}");
    }
}

#[test]
fn each_format_has_its_own_number() {
    let cases: [(u8, u8, &[u8], &str); 24] = [
        (8, 1, &[1, 0, 0, 0], "1"),
        (6, 2, b"a\0", "a"),
        (4, 3, &[1], "true"),
        (4, 4, &[0xAB], "0xAB"),
        (6, 4, &[0xAB, 0], "0xAB"),
        (8, 4, &[0xAB, 0, 0, 0], "0xAB"),
        (10, 4, &[0xAB, 0, 0, 0, 0, 0, 0, 0], "0xAB"),
        (14, 4, &[1, 0, 0xAB], "AB"),
        (8, 5, &[4, 0, 0, 0], "4"),
        (20, 6, &[16, 0, 0, 0], "16"),
        (6, 7, &[1, 0xBB], "443"),
        (8, 8, &[10, 0, 0, 1], "10.0.0.1"),
        (14, 9, &[16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], "::1"),
        (14, 10, &[8, 0, 2, 0, 0, 80, 10, 0, 0, 1], "10.0.0.1:80"),
        (2, 11, b"<a/>\0", "<a/>"),
        (23, 12, b"\x02\0{}", "{}"),
        (8, 13, &[5, 0, 0, 0], "5"),
        (8, 14, &[0, 0, 0, 0], "0x00000000 STATUS_SUCCESS"),
        (8, 15, &[5, 0, 7, 0x80], "0x80070005"),
        (17, 16, &[0; 8], "(0)"),
        (8, 17, &[0xFF; 4], "-1"),
        (7, 18, &[0xFF; 4], "4294967295"),
        (2, 35, b"\xc3\xa9\0", "é"),
        (10, 37, &[1, 0, 0, 0, 0, 0, 0, 0], "0x1"),
    ];
    for (kind, format, payload, want) in cases {
        let field = [b'f', 0, kind | CHAIN, format];
        assert_eq!(shown(&[&field], payload), format!("{{f={want}}}"), "type {kind} as {format}");
    }
    assert_eq!(shown(&[&[b'f', 0, 8 | CHAIN, 99]], &[1, 0, 0, 0]), "{f=1}");
    assert_eq!(shown(&[&[b'f', 0, 17 | CHAIN, 38]], &[0; 8]), "{f=(0)}");
}

#[test]
fn arrays_tags_and_structures() {
    let fields: [&[u8]; 6] = [
        // Tags of two bytes, then the count.
        &[b'a', 0, 4 | CHAIN | CONSTANT_COUNT, CHAIN, 0x81, 0x01, 3, 0],
        &[b'b', 0, 2 | VARIABLE_COUNT],
        &[b's', 0, STRUCT | CHAIN | VARIABLE_COUNT, 2],
        &[b'x', 0, 4],
        &[b't', 0, STRUCT | CHAIN, 1],
        &[b'y', 0, 4],
    ];
    let payload = b"\x01\x02\x03\x02\0p\0q\0\x02\0\x0a\x0b\x0c\x0d";
    assert_eq!(shown(&fields, payload), "{a=[1, 2, 3], b=[p, q], s=[{x=10, t={y=11}}, {x=12, t={y=13}}]}");
}

#[test]
fn types_that_nobody_describes_keep_their_number() {
    for kind in [0, 16, 24 | CUSTOM, 26, 31, 8 | CUSTOM] {
        let custom: &[u8] = if kind & COUNT_MASK == CUSTOM { &[2, 0, 7, 7] } else { &[] };
        let decoded = run(&[&[b'f', 0, kind], custom, &[b'g', 0, 4]], &[1, 2, 3]);
        let in_type = InType(FOREIGN | u16::from(kind));
        assert_eq!(decoded.fields.0.len(), 1);
        assert_eq!(decoded.fields.get("f"), Some(&Value::Unknown { in_type, bytes: vec![1, 2, 3] }));
        assert_eq!(decoded.missing.unwrap().reason, MissingReason::UnknownType(in_type));
    }
}

#[test]
fn metadata_that_ends_early_is_told() {
    let whole = event(&[&[b'f', 0, 8 | CHAIN | CONSTANT_COUNT, CHAIN | 1, 0x80, 0, 2, 0]]);
    assert!(read(&whole).is_ok());
    let with_size = |body: &[u8]| [&u16::try_from(body.len() + 2).unwrap().to_le_bytes()[..], body].concat();
    let cases: [(&str, Vec<u8>, SchemaError); 17] = [
        ("no byte", vec![], SchemaError::Ends("size")),
        ("half a size", vec![9], SchemaError::Ends("size")),
        ("size 0", vec![0, 0, 0, 0], SchemaError::OutOfRange("size")),
        ("size 1", vec![1, 0, 0, 0], SchemaError::OutOfRange("size")),
        ("size alone", vec![2, 0, 0, 0], SchemaError::Ends("event tags")),
        ("size beyond the item", vec![5, 0, 0, 0], SchemaError::OutOfRange("size")),
        ("tags without end", with_size(&[0x80; 50]), SchemaError::Ends("event tags")),
        ("name without NUL", with_size(b"\0name"), SchemaError::Ends("event name")),
        ("field name without NUL", event(&[b"field"]), SchemaError::Ends("field name")),
        ("field without type", event(&[b"f\0"]), SchemaError::Ends("field type")),
        ("field without format", event(&[&[b'f', 0, 0x88]]), SchemaError::Ends("field format")),
        ("field tags without end", event(&[&[b'f', 0, 0x88, 0x80, 0x80]]), SchemaError::Ends("field tags")),
        ("no constant count", event(&[&[b'f', 0, 0x28, 1]]), SchemaError::Ends("element count")),
        ("no custom schema", event(&[&[b'f', 0, 0x68, 1]]), SchemaError::Ends("custom schema")),
        ("huge custom schema", event(&[&[b'f', 0, 0x68, 0xFF, 0xFF, 1]]), SchemaError::Ends("custom schema")),
        ("127 members, none there", event(&[&[b'f', 0, 0x98, 127]]), SchemaError::Ends("field name")),
        ("40 levels", event(&[&[b's', 0, 0x98, 1].repeat(40)]), SchemaError::TooDeep),
    ];
    for (what, bytes, want) in cases {
        assert_eq!(read(&bytes), Err(want), "{what}");
    }
    for cut in 0..whole.len() {
        assert!(read(&whole[..cut]).is_err(), "cut at {cut}");
    }
    let padded = [&whole[..], &[0xFF; 6]].concat();
    assert_eq!(read(&padded), read(&whole), "bytes behind the size do not count");
}

#[test]
fn hostile_counts_and_lengths_end() {
    let cases: [(&str, Fields<'_>, &[u8], MissingReason); 8] = [
        ("structure of nothing", vec![&[b's', 0, 0x38 | CHAIN, 0, 0xFF, 0xFF]], &[], MissingReason::TooManyValues),
        (
            "arrays within arrays",
            vec![&[b's', 0, 0x38 | CHAIN, 1, 0xFF, 0xFF], &[b't', 0, 0x38 | CHAIN, 0, 0xFF, 0xFF]],
            &[0; 64],
            MissingReason::TooManyValues,
        ),
        ("binary beyond the end", vec![&[b'b', 0, 14]], &[9, 0, 1], MissingReason::PayloadEnded),
        ("counted text beyond the end", vec![&[b'b', 0, 22]], &[0xFF, 0xFF, 1], MissingReason::PayloadEnded),
        ("SID of 255 parts", vec![&[b'b', 0, 19]], &[1, 255, 0, 0, 0, 0, 0, 5, 0, 0], MissingReason::PayloadEnded),
        (
            "array beyond the end",
            vec![&[b'b', 0, 8 | VARIABLE_COUNT]],
            &[0xFF, 0xFF, 1, 0],
            MissingReason::PayloadEnded,
        ),
        ("no count", vec![&[b'b', 0, 8 | VARIABLE_COUNT]], &[1], MissingReason::PayloadEnded),
        ("no payload", vec![&[b'b', 0, 8]], &[], MissingReason::PayloadEnded),
    ];
    for (what, fields, payload, want) in cases {
        assert_eq!(run(&fields, payload).missing.map(|missing| missing.reason), Some(want), "{what}");
    }
    // Texts may end with the payload, and a counted one may have an odd number of bytes.
    assert_eq!(shown(&[&[b'b', 0, 1]], b"a\0b\0"), "{b=ab}");
    assert_eq!(shown(&[&[b'b', 0, 22]], b"\x03\0a\0b"), "{b=a}");
}

#[test]
fn names_of_any_kind() {
    let schema = read(&event(&[b"\xff\0\x04", b"\0\x04", b"x\0\x04", b"x\0\x04"])).unwrap();
    let names: Vec<&str> = schema.layout.fields().iter().map(|field| &*field.name).collect();
    assert_eq!(names, ["\u{fffd}", "", "x", "x"]);
    let many = read(&event(&[&b"f\0\x04".repeat(10_000)])).unwrap();
    let decoded = decode(&many.layout, &[1; 10_000], PointerSize::Four, None);
    assert_eq!((decoded.is_exact(), decoded.fields.0.len()), (true, 10_000));
}

#[test]
fn provider_traits_give_name_and_group() {
    let group = Guid::from_u128(0x4f50_731a_89cf_4782_b3e0_dce8_c904_76ba);
    let with = |tail: &[u8]| {
        let body = [&b"Provider\0"[..], tail].concat();
        [&u16::try_from(body.len() + 2).unwrap().to_le_bytes()[..], &body].concat()
    };
    let trait_of = |kind: u8| [&[19, 0, kind][..], &group.to_wire()].concat();
    let name: Arc<str> = "Provider".into();
    for (tail, want) in [
        (vec![], None),
        (trait_of(1), Some(group)),
        ([trait_of(2), trait_of(1)].concat(), Some(group)),
        ([&[0, 0, 0][..], &trait_of(1)].concat(), None),
        ([&[2, 0, 0][..], &trait_of(1)].concat(), None),
        (vec![19, 0, 1, 5], None),
        (vec![5, 0, 1, 7, 7], None),
        (vec![19], None),
    ] {
        let want = ProviderTraits { name: Arc::clone(&name), group: want };
        assert_eq!(read_provider_traits(&with(&tail)), Ok(want), "{tail:?}");
    }
    for bytes in [&[][..], &[0, 0], &[1, 0], &[2, 0], &[6, 0, b'a', b'b'], &[4, 0, b'a', b'b']] {
        assert!(read_provider_traits(bytes).is_err(), "{bytes:?}");
    }
    let schema = read_event(&event(&[]), &read_provider_traits(&with(&trait_of(1))).unwrap()).unwrap();
    assert_eq!((schema.provider_name.as_deref(), schema.provider_group), (Some("Provider"), Some(group)));
    assert_eq!(read(&event(&[])).unwrap().provider_name, None);
}
