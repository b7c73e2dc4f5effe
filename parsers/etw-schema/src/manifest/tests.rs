use etl_parser::PointerSize;

use super::*;
use crate::decode::decode;
use crate::value::Value;

const MANIFEST: &str = r#"<?xml version="1.0"?>
<instrumentationManifest xmlns="http://schemas.microsoft.com/win/2004/08/events">
 <instrumentation xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:win="x"><events>
  <provider name="My &amp; Source" guid="{x}" symbol="S">
   <tasks><task name="Work" value="1"/></tasks>
   <maps>
    <valueMap name="Color"><map value="0x0" message="$(string.map_red)"/><map value="1" message="plain"/></valueMap>
    <bitMap name="Flags"><map value="0x1" message="$(string.map_a)"/><map value="0x2" message="$(string.nowhere)"/></bitMap>
   </maps>
   <events>
    <event value="1" version="2" symbol="Start" task="Work" opcode="win:Start" template="Args" message="$(string.event_1)"/>
    <event value="2" symbol="Empty"/>
    <event value="70000" symbol="TooBig"/>
    <event symbol="NoNumber"/>
   </events>
   <templates>
    <template tid="Args">
     <data name="count" inType="win:UInt16"/>
     <data name="items" inType="win:UInt32" count="count"/>
     <data name="size" inType="win:UInt32"/>
     <data name="blob" inType="win:Binary" length="size"/>
     <data name="pair" inType="win:UInt8" count="2"/>
     <data name="color" inType="win:UInt32" map="Color"/>
     <data name="flags" inType="win:UInt32" map="Flags"/>
     <data name="port" inType="win:UInt16" outType="win:Port"/>
     <struct name="s" count="count"><data name="n" inType="win:UInt8"/><data name="t" inType="win:AnsiString" length="n"/></struct>
     <data name="text" inType="win:UnicodeString"/>
    </template>
   </templates>
  </provider>
  <provider name="Second"><events><event value="9" symbol="Other"/></events></provider>
 </events></instrumentation>
 <localization>
  <resources culture="en"><stringTable><string id="event_1" value="Did %1"/><string id="map_red" value="Red"/><string id="map_a" value="A"/></stringTable></resources>
  <resources culture="de"><stringTable><string id="event_1" value="Tat %1"/></stringTable></resources>
 </localization>
</instrumentationManifest>"#;

#[test]
fn templates_maps_and_strings_are_put_together() {
    let manifest = read_manifest(MANIFEST).unwrap();
    assert_eq!(manifest.provider_name.as_deref(), Some("My & Source"));
    assert_eq!(manifest.events.len(), 2);
    let schema = &manifest.events[&(1, 2)];
    let names = [&schema.event_name, &schema.task_name, &schema.opcode_name, &schema.message];
    assert_eq!(names.map(|name| name.as_deref().unwrap()), ["Start", "Work", "Start", "Did %1"]);
    let payload = b"\x02\0\x01\0\0\0\x02\0\0\0\x01\0\0\0\xee\x07\x08\0\0\0\0\x03\0\0\0\x01\xbb\x01p\x02qrx\0\0\0";
    let decoded = decode(&schema.layout, payload, PointerSize::Eight, None);
    assert!(decoded.is_exact(), "{decoded:?}");
    let want = "{count=2, items=[1, 2], size=1, blob=EE, pair=[7, 8], color=Red (0), flags=A | $(string.nowhere) (3), \
                port=443, s=[{n=1, t=p}, {n=2, t=qr}], text=x}";
    assert_eq!(Value::Struct(decoded.fields).to_string(), want);
    assert_eq!(manifest.events[&(2, 0)].layout.fields().len(), 0);
}

#[test]
fn what_is_no_plain_xml_is_refused() {
    let data = |attributes: &str| format!(r#"<provider><template tid="t"><data name="x" {attributes}/></template>"#);
    let nested = format!("<template tid='t'>{}", "<struct name='s'>".repeat(40));
    let bomb = r#"<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><provider name="&b;"/>"#;
    for (text, want) in [
        (bomb.to_owned(), SchemaError::NotXml),
        (r#"<provider name="&undefined;"/>"#.to_owned(), SchemaError::NotXml),
        ("<provider></event>".to_owned(), SchemaError::NotXml),
        ("<provider name=\"x".to_owned(), SchemaError::NotXml),
        ("<provider name=>".to_owned(), SchemaError::NotXml),
        (data(r#"inType="win:Binary" length="later""#), SchemaError::BadReference),
        (data(r#"inType="win:UInt8" count="x""#), SchemaError::BadReference),
        (data(r#"inType="win:UInt8" count="70000""#), SchemaError::OutOfRange("count or length")),
        (nested, SchemaError::TooDeep),
    ] {
        assert_eq!(read_manifest(&text), Err(want), "{text}");
    }
    // Passed over: what is no manifest, unknown elements, an unknown type.
    for text in ["", "text", "<a/>", "<provider><new x='1'/></provider>"] {
        assert_eq!(read_manifest(text).unwrap().events.len(), 0, "{text}");
    }
    let text =
        "<provider><event value='1' template='t'/><template tid='t'><data inType='win:New'/></template></provider>";
    let manifest = read_manifest(text).unwrap();
    let decoded = decode(&manifest.events[&(1, 0)].layout, &[1], PointerSize::Four, None);
    assert!(matches!(decoded.fields.get(""), Some(Value::Unknown { .. })));
}

#[test]
fn ten_thousand_attributes_of_one_name_take_no_time() {
    let text = format!("<provider {}/>", "a='1' ".repeat(200_000));
    assert!(read_manifest(&text).is_ok());
}

fn chunk(version: u8, total: u16, number: u16, text: &str) -> Vec<u8> {
    let mut bytes = vec![XML, 1, version, MAGIC];
    bytes.extend([total, number].iter().flat_map(|value| value.to_le_bytes()));
    bytes.extend(text.as_bytes());
    bytes
}

const A: Writer = (Guid::ZERO, Some(1), Some(1));
const B: Writer = (Guid::ZERO, Some(2), Some(1));

fn add(manifests: &mut Manifests, writer: Writer, payload: &[u8]) -> bool {
    match Chunk::read(payload) {
        Some(chunk) => manifests.add(writer, &chunk),
        None => return false,
    }
    true
}

fn known(manifests: &Manifests) -> Option<&str> {
    manifests.known.get(&Guid::ZERO).and_then(|known| known.manifest.provider_name.as_deref())
}

#[test]
fn parts_come_in_any_order_and_from_several_writers() {
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        let parts = ["<provider na", "me='Ab'", "/>"];
        let mut manifests = Manifests::default();
        for number in order {
            assert_eq!(known(&manifests), None);
            let part = chunk(0, 3, number, parts[usize::from(number)]);
            assert!(add(&mut manifests, A, &part));
            // The same part again, and a part of another process.
            add(&mut manifests, A, &part);
            add(&mut manifests, B, &chunk(0, 2, 0, "<provider "));
        }
        // The part that was repeated after the manifest was whole waits too.
        assert_eq!((known(&manifests), manifests.incomplete(), manifests.rejected()), (Some("Ab"), 2, 0));
        let waiting: usize = manifests.pending.values().flat_map(|a| a.chunks.values()).map(|c| counted_bytes(c)).sum();
        assert_eq!(manifests.pending_bytes, waiting);
    }
}

#[test]
fn parts_seen_by_several_readers_meet() {
    let (mut first, mut second) = (Manifests::default(), Manifests::default());
    add(&mut first, A, &chunk(0, 2, 1, "name='Ab'/>"));
    add(&mut second, A, &chunk(0, 2, 0, "<provider "));
    first.absorb(second);
    assert_eq!((known(&first), first.incomplete(), first.pending_bytes), (Some("Ab"), 0, 0));
}

#[test]
fn the_newest_manifest_counts_and_of_equally_new_ones_the_first() {
    let mut manifests = Manifests::default();
    for (version, name, want, conflicts) in
        [(1, "a", "a", 0), (1, "a", "a", 0), (1, "b", "a", 1), (2, "c", "c", 1), (1, "d", "c", 1)]
    {
        add(&mut manifests, A, &chunk(version, 1, 0, &format!("<provider name='{name}'/>")));
        assert_eq!((known(&manifests), manifests.conflicting().count()), (Some(want), conflicts));
    }
}

#[test]
fn parts_that_cannot_be_are_refused() {
    let whole = chunk(0, 1, 0, "<provider name='x'/>");
    let with = |at: usize, byte: u8| {
        let mut bytes = whole.clone();
        bytes[at] = byte;
        bytes
    };
    for (what, payload) in [
        ("format", with(0, 2)),
        ("magic", with(3, 0x5C)),
        ("number beyond the total", with(6, 1)),
        ("total of 0", with(4, 0)),
        ("total of 65535", chunk(0, 65_535, 0, "<")),
        ("short", whole[..7].to_vec()),
        ("nothing", vec![]),
    ] {
        assert!(!add(&mut Manifests::default(), A, &payload), "{what}");
    }
    let mut manifests = Manifests::default();
    add(&mut manifests, A, &chunk(0, 2, 0, "one"));
    add(&mut manifests, A, &chunk(0, 2, 0, "two"));
    assert_eq!((manifests.rejected(), manifests.incomplete()), (1, 1), "one part with two texts");
    add(&mut manifests, A, &chunk(0, 3, 1, "three"));
    assert_eq!(
        (manifests.incomplete(), manifests.pending_bytes),
        (1, counted_bytes(b"three")),
        "the rest of the older one was lost"
    );
    let mut bytes = chunk(0, 1, 0, "<provider name='");
    bytes.extend([0xFF, b'\'', b'/', b'>']);
    let mut manifests = Manifests::default();
    add(&mut manifests, A, &bytes);
    assert_eq!((known(&manifests), manifests.rejected()), (None, 1), "no UTF-8");
}

#[test]
fn what_waits_for_its_rest_is_bounded() {
    let mut manifests = Manifests::default();
    let text = " ".repeat(0xFF00);
    for process in 0..2000 {
        add(&mut manifests, (Guid::ZERO, Some(process), None), &chunk(0, 2, 0, &text));
    }
    assert!(manifests.pending_bytes <= MAX_PENDING_BYTES);
    let fit = MAX_PENDING_BYTES / counted_bytes(text.as_bytes());
    assert_eq!((manifests.incomplete(), manifests.rejected()), (fit, 2000 - fit as u64));
}

#[test]
fn short_texts_are_bounded_too() {
    let mut manifests = Manifests::default();
    for process in 0..40_000 {
        add(&mut manifests, (Guid::ZERO, Some(process), None), &chunk(0, 2, 0, ""));
    }
    assert_eq!(manifests.incomplete(), MAX_PENDING_BYTES / ENTRY_BYTES);
    let mut manifests = Manifests::default();
    for provider in 0..20_000 {
        add(&mut manifests, (Guid::from_u128(provider), None, None), &chunk(0, 1, 0, ""));
    }
    assert_eq!(manifests.iter().count(), MAX_MANIFEST_BYTES / ENTRY_BYTES);
}
