//! Schemas on real traces: how many events of each file decode, to the last byte of their payload. And on written ones:
//! which source of a schema counts, and what damage costs.
//!
//! The figures of the real traces are left in `target/tmp/decoded.md`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use etl_parser::{EtlFile, Guid, Record, Trace};
use etw_schema::{EventKey, KeyKind, NotDecoded, SchemaError, SchemaSource, Schemas, Value};
use synth::record::{Descriptor, Extended, Origin, Record as Written};
use synth::{Pointer, TraceBuilder, TraceOptions};

use crate::common::{corpus, run};

/// What became of the records of a file that have a schema from one source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Tally {
    /// All of them.
    total: u64,
    /// Every field was there and every byte was taken.
    exact: u64,
    /// Every field was there and bytes were left.
    leftover: u64,
    /// A field was missing.
    short: u64,
}

#[derive(Debug, Default, PartialEq)]
struct Figures {
    by_source: BTreeMap<SchemaSource, Tally>,
    /// Events that do not use up their payload, and how many.
    inexact: BTreeMap<EventKey, u64>,
    other_pointer_size: u64,
    as_older_version: u64,
}

/// Shows the records of some buffers of a trace, in file order.
fn each_record(bytes: &[u8], wanted: impl Fn(usize) -> bool, mut look: impl FnMut(&Record<'_>)) {
    let trace = Trace::new(bytes).unwrap();
    let mut scratch = Vec::new();
    for position in (0..trace.buffers().len()).filter(|position| wanted(*position)) {
        for record in trace.buffer(position, &mut scratch).unwrap().records() {
            look(&record.unwrap());
        }
    }
}

fn learned(bytes: &[u8], wanted: impl Fn(usize) -> bool) -> Schemas {
    let mut schemas = Schemas::default();
    each_record(bytes, wanted, |record| schemas.learn(record));
    schemas
}

fn figures(bytes: &[u8], schemas: &Schemas) -> Figures {
    let mut figures = Figures::default();
    each_record(
        bytes,
        |_| true,
        |record| {
            let decoded = match schemas.decode(record) {
                Ok(decoded) => decoded,
                Err(NotDecoded::NotKnown) => return,
                Err(error) => panic!("{error}"),
            };
            let tally = figures.by_source.entry(decoded.schema.source).or_default();
            tally.total += 1;
            match (&decoded.payload.missing, decoded.payload.leftover_bytes) {
                (None, 0) => tally.exact += 1,
                (None, _) => tally.leftover += 1,
                (Some(_), _) => tally.short += 1,
            }
            if !decoded.payload.is_exact() {
                *figures.inexact.entry(EventKey::of(record).unwrap()).or_default() += 1;
            }
            figures.other_pointer_size += u64::from(decoded.other_pointer_size);
            figures.as_older_version += u64::from(decoded.as_version.is_some());
        },
    );
    figures
}

const CLR: u128 = 0xe13c0d23_ccbc_4e12_931b_d9cc2eee27e4;
const PERF_VIEW: u128 = 0xa8a71ac1_040f_54a2_07ca_00a89b5ab761;
const KERNEL_PROCESS: u128 = 0x22fb2cd6_0e7b_422b_a0c7_2fad1fd0e716;

fn key(kind: KeyKind, guid: u128, id: u16, version: u8) -> EventKey {
    EventKey { kind, guid: Guid::from_u128(guid), id, version }
}

/// Source; events that decode to exactly their payload's length; events.
type BySource = (SchemaSource, u64, u64);

const FIGURES: [(&str, &[BySource]); 16] = [
    ("clr-gc-events.etl", &[]),
    ("compressed-32bit-tiny.etl", &[]),
    ("kernel-network-win7.etl", &[(SchemaSource::Table, 8923, 8923)]),
    ("kernel-process-win7.etl", &[(SchemaSource::Table, 10_343, 10_343)]),
    ("lxcore-kernel.etl", &[(SchemaSource::TraceLogging, 2, 2)]),
    (
        "merged-kernel-mixed-pointer.etl",
        &[
            (SchemaSource::Embedded, 34_648, 39_854),
            (SchemaSource::Manifest, 117, 119),
            (SchemaSource::Table, 4334, 4334),
        ],
    ),
    ("mof-image-32bit-v0.etl", &[(SchemaSource::Table, 26, 26)]),
    ("mof-process-32bit-v1.etl", &[(SchemaSource::Table, 2, 2)]),
    ("mof-process-32bit-v3.etl", &[(SchemaSource::Table, 8, 8)]),
    ("mof-process-64bit-v3.etl", &[(SchemaSource::Table, 8, 8)]),
    ("pktmon-compressed-ws2022.etl", &[(SchemaSource::Embedded, 403, 403)]),
    ("self-describing-single.etl", &[(SchemaSource::TraceLogging, 1, 1)]),
    ("shutdown-logger-win10.etl", &[(SchemaSource::Table, 13_949, 13_949)]),
    ("tracelogging-ebpf.etl", &[(SchemaSource::TraceLogging, 13_841, 13_841)]),
    ("waasmedic.etl", &[(SchemaSource::TraceLogging, 17, 17)]),
    ("windowsupdate-lost-events.etl", &[(SchemaSource::TraceLogging, 80, 80)]),
];

/// All events that do not use up their payload; none runs short.
fn exceptions(file: &str) -> BTreeMap<EventKey, u64> {
    let all = match file {
        "merged-kernel-mixed-pointer.etl" => vec![
            // The level of three fields is written in 64 bits, and declared in 32.
            (key(KeyKind::Event, PERF_VIEW, 13, 0), 2),
            // CLR stack walks: two frames are declared, and as many written as there are.
            (key(KeyKind::Event, CLR, 82, 0), 5206),
        ],
        _ => vec![],
    };
    all.into_iter().collect()
}

#[test]
fn events_of_real_traces_decode_to_the_last_byte() {
    let Some(folder) = corpus() else { return };
    let mut table = "| file | schema from | decode exactly | of events | the others |\n".to_owned();
    table.push_str("| --- | --- | --- | --- | --- |\n");
    for (name, want) in FIGURES {
        let file = EtlFile::open(folder.join(name)).unwrap();
        let schemas = learned(file.bytes(), |_| true);
        assert_eq!(schemas.counts().malformed, 0, "{name}");
        assert_eq!((schemas.conflicting_events().count(), schemas.conflicting_maps().count()), (0, 0), "{name}");
        assert_eq!((schemas.manifests().rejected(), schemas.manifests().incomplete()), (0, 0), "{name}");
        let figures = figures(file.bytes(), &schemas);
        let found: Vec<_> =
            figures.by_source.iter().map(|(source, tally)| (*source, tally.exact, tally.total)).collect();
        assert_eq!(found, want, "{name}");
        assert!(figures.by_source.values().all(|tally| tally.short == 0), "{name}: {figures:?}");
        assert_eq!(figures.inexact, exceptions(name), "{name}");
        // 64-bit payloads in records that say 32.
        assert_eq!(figures.other_pointer_size, if name == "mof-process-64bit-v3.etl" { 8 } else { 0 }, "{name}");
        assert_eq!(figures.as_older_version, 0, "{name}");
        for (source, tally) in &figures.by_source {
            let Tally { total, exact, leftover, short } = tally;
            let others = if exact == total { String::new() } else { format!("{leftover} longer, {short} shorter") };
            writeln!(table, "| {name} | {} | {exact} | {total} | {others} |", source.name()).unwrap();
        }
        if found.is_empty() {
            writeln!(table, "| {name} | none | 0 | 0 | |").unwrap();
        }
        for (key, count) in &figures.inexact {
            writeln!(table, "| {name} | | | | {count} of {key} |").unwrap();
        }
        check_info(&folder.join(name), &figures);
    }
    println!("{table}");
    std::fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).join("decoded.md"), table).unwrap();
}

/// `info` tells the same figures.
fn check_info(path: &Path, figures: &Figures) {
    let info = run(["info".as_ref(), path.as_os_str(), "-f".as_ref(), "json".as_ref()]).json();
    let told: Vec<serde_json::Value> = info["decoded"]["by_source"].as_array().unwrap().clone();
    let row = |(source, tally): (&SchemaSource, &Tally)| {
        let Tally { total, exact, leftover, short } = tally;
        let (source, events) = (source.name(), total);
        serde_json::json!({ "source": source, "events": events, "exact": exact, "leftover": leftover, "short": short })
    };
    assert_eq!(told, figures.by_source.iter().map(row).collect::<Vec<_>>(), "{}", path.display());
}

#[test]
fn schemas_of_real_traces_are_those_that_an_independent_walk_found() {
    let Some(folder) = corpus() else { return };
    for (name, event_infos, map_infos, manifests) in
        [("merged-kernel-mixed-pointer.etl", 61, 25, 3), ("pktmon-compressed-ws2022.etl", 12, 9, 0)]
    {
        let file = EtlFile::open(folder.join(name)).unwrap();
        let schemas = learned(file.bytes(), |_| true);
        let counts = schemas.counts();
        assert_eq!((counts.event_infos, counts.map_infos, counts.not_needed), (event_infos, map_infos, 0), "{name}");
        assert_eq!(schemas.embedded().count() as u64, event_infos, "{name}");
        assert_eq!(schemas.manifests().iter().count(), manifests, "{name}");
        // The built-in tables and the trace's own metadata say the same, where both have an event.
        assert_eq!(schemas.differences(), [], "{name}");
        let both = schemas.embedded().filter(|(key, _)| key.guid == Guid::from_u128(KERNEL_PROCESS)).count();
        assert_eq!(both, if event_infos == 61 { 2 } else { 0 }, "{name}");
    }
}

#[test]
fn parts_of_a_trace_may_be_learned_apart() {
    let Some(folder) = corpus() else { return };
    for name in ["merged-kernel-mixed-pointer.etl", "pktmon-compressed-ws2022.etl", "waasmedic.etl"] {
        let file = EtlFile::open(folder.join(name)).unwrap();
        let whole = learned(file.bytes(), |_| true);
        let parts = 3;
        let mut together = Schemas::default();
        for part in 0..parts {
            together.absorb(learned(file.bytes(), |position| position % parts == part));
        }
        assert_eq!(together.counts(), whole.counts(), "{name}");
        assert_eq!(figures(file.bytes(), &together), figures(file.bytes(), &whole), "{name}");
    }
}

#[test]
fn events_of_real_traces_become_json() {
    let Some(folder) = corpus() else { return };
    for name in ["pktmon-compressed-ws2022.etl", "windowsupdate-lost-events.etl", "mof-process-64bit-v3.etl"] {
        let file = EtlFile::open(folder.join(name)).unwrap();
        let schemas = learned(file.bytes(), |_| true);
        each_record(
            file.bytes(),
            |_| true,
            |record| {
                let Ok(decoded) = schemas.decode(record) else { return };
                let json = serde_json::to_string(&decoded.payload.fields).unwrap();
                let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&json).unwrap();
                assert_eq!(object.len(), decoded.payload.fields.iter().count(), "{name}: {json}");
            },
        );
    }
}

#[test]
fn self_describing_events_need_nothing_learned() {
    let Some(folder) = corpus() else { return };
    let file = EtlFile::open(folder.join("windowsupdate-lost-events.etl")).unwrap();
    let (nothing, all) = (Schemas::default(), learned(file.bytes(), |_| true));
    assert_eq!(figures(file.bytes(), &nothing), figures(file.bytes(), &all));
}

/// One call learns what the walks over buffers learn, and takes records of both ways to read.
#[test]
fn a_trace_is_learned_whole_in_one_call() {
    let Some(folder) = corpus() else { return };
    for name in ["pktmon-compressed-ws2022.etl", "merged-kernel-mixed-pointer.etl"] {
        let file = EtlFile::open(folder.join(name)).unwrap();
        let trace = file.trace().unwrap();
        let schemas = Schemas::from_trace(&trace);
        let by_walk = learned(file.bytes(), |_| true);
        assert_eq!(schemas.counts(), by_walk.counts(), "{name}");
        assert!(schemas.embedded().eq(by_walk.embedded()), "{name}");
        let (mut decoded, mut fields) = (0, 0);
        for record in trace.records().map(Result::unwrap) {
            let event = schemas.decode(&record);
            assert_eq!(event, by_walk.decode(record.record()));
            let Ok(event) = event else { continue };
            decoded += 1;
            fields += event.fields().iter().count();
            assert_eq!(event.name(), event.schema.title());
            assert_eq!(event.missing().is_none() && event.leftover_bytes() == 0, event.payload.is_exact());
        }
        assert!(decoded > 400 && fields > decoded, "{name}: {decoded} events, {fields} fields");
    }
}

const PROVIDER: u128 = 0x1111_2222_3333_4444_5555_6666_7777_8888;
const METADATA: u128 = 0xbbccf6c1_6cd1_48c4_80ff_839482e37671;

fn guid(value: u128) -> synth::Guid {
    synth::Guid(Guid::from_u128(value).to_wire())
}

fn event<'a>(provider: u128, id: u16, extended: &'a [Extended<'a>], payload: &'a [u8]) -> Written<'a> {
    let opcode = if id == 0xFFFE { 0xFE } else { 0 };
    let descriptor = Descriptor { id, opcode, task: id, ..Descriptor::default() };
    let (origin, provider, activity) = (Origin::new(8, 12), guid(provider), guid(0));
    Written::Event { origin, provider, descriptor, activity, extended, payload }
}

fn metadata(opcode: u8, payload: &[u8]) -> Written<'_> {
    Written::Full { origin: Origin::new(8, 12), provider: guid(METADATA), opcode, level: 0, version: 0, payload }
}

fn trace(records: &[Written<'_>]) -> Vec<u8> {
    let mut builder = TraceBuilder::new(TraceOptions::default());
    let t0 = builder.options().t0;
    for (record, ticks) in records.iter().zip(t0..) {
        builder.record(0, ticks, record);
    }
    builder.finish()
}

/// A `TRACE_EVENT_INFO` of event 1 of `PROVIDER`: one field of this name and in-type.
fn event_info(name: &str, in_type: u16) -> Vec<u8> {
    let mut bytes = Guid::from_u128(PROVIDER).to_wire().to_vec();
    bytes.extend([0; 16]);
    bytes.extend([1, 0]);
    bytes.resize(0x64, 0);
    bytes.extend([1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x88, 0, 0, 0]);
    bytes.extend(in_type.to_le_bytes());
    bytes.extend([0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(bytes.len(), 0x88);
    bytes.extend(utf16(name));
    bytes
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect()
}

/// Event metadata of TraceLogging: an event `e` with one field of this name and type.
fn self_description(name: &str, kind: u8) -> Vec<u8> {
    let body = [&b"\0e\0"[..], name.as_bytes(), &[0, kind]].concat();
    [&u16::try_from(body.len() + 2).unwrap().to_le_bytes()[..], &body].concat()
}

fn manifest(data: &str) -> Vec<u8> {
    let text = format!(
        "<provider name='P'><event value='1' symbol='S' template='t'/><template tid='t'>{data}</template></provider>"
    );
    [&[1, 1, 0, 0x5B, 1, 0, 0, 0][..], text.as_bytes()].concat()
}

/// Source and fields of each record that decodes, once all are learned; of the others, why not.
fn decoded(bytes: &[u8]) -> Vec<String> {
    let schemas = learned(bytes, |_| true);
    let mut all = Vec::new();
    each_record(
        bytes,
        |position| position > 0,
        |record| {
            all.push(match schemas.decode(record) {
                Ok(decoded) => {
                    let missing = decoded.payload.missing.map(|missing| format!("; {missing}")).unwrap_or_default();
                    let (source, left) = (decoded.schema.source.name(), decoded.payload.leftover_bytes);
                    format!("{source} {} left {left}{missing}", Value::Struct(decoded.payload.fields))
                }
                Err(error) => error.to_string(),
            });
        },
    );
    all
}

#[test]
fn the_traces_own_schemas_count_in_their_order() {
    let (info, chunk) = (event_info("embedded", 8), manifest("<data name='manifest' inType='win:UInt32'/>"));
    let own = self_description("own", 8);
    let items = [Extended::Raw { kind: 11, data: &own }];
    let plain = event(PROVIDER, 1, &[], &[7, 0, 0, 0]);
    let describing = event(PROVIDER, 1, &items, &[7, 0, 0, 0]);
    let chunk = event(PROVIDER, 0xFFFE, &[], &chunk);
    // Schemas may come after the events that need them.
    let all = decoded(&trace(&[plain, describing, chunk, metadata(32, &info)]));
    assert_eq!(all[..2], ["embedded {embedded=7} left 0", "tracelogging {own=7} left 0"]);
    assert_eq!(decoded(&trace(&[plain, chunk]))[0], "manifest {manifest=7} left 0");
    assert_eq!(decoded(&trace(&[plain]))[0], "no schema is known");
}

#[test]
fn the_first_of_two_descriptions_counts_and_the_conflict_is_told() {
    let (first, second) = (event_info("first", 8), event_info("second", 6));
    let plain = event(PROVIDER, 1, &[], &[7, 0, 0, 0]);
    let bytes = trace(&[metadata(32, &first), metadata(32, &first), metadata(32, &second), plain]);
    assert_eq!(decoded(&bytes)[3], "embedded {first=7} left 0");
    let schemas = learned(&bytes, |_| true);
    assert_eq!(schemas.conflicting_events().collect::<Vec<_>>(), [&key(KeyKind::Event, PROVIDER, 1, 0)]);
    assert_eq!(schemas.counts().event_infos, 3);
}

/// A provider's GUID and an `EVENT_MAP_INFO` with one value of this name.
fn map_info(name: &str, value: u32, text: &str) -> Vec<u8> {
    let (name, text) = (utf16(name), utf16(text));
    let text_at = 24 + u32::try_from(name.len()).unwrap();
    let head = [24, 1, 1, 0, text_at, value].map(u32::to_le_bytes).concat();
    [&Guid::from_u128(PROVIDER).to_wire()[..], &head, &name, &text].concat()
}

#[test]
fn the_first_of_two_maps_of_one_name_counts_and_the_conflict_is_told() {
    let mut info = event_info("f", 8);
    // Offset of the map's name: that of the field.
    info[0x7C..0x80].copy_from_slice(&0x88_u32.to_le_bytes());
    let (first, second) = (map_info("f", 7, "seven "), map_info("f", 7, "sieben "));
    let plain = event(PROVIDER, 1, &[], &[7, 0, 0, 0]);
    // Maps may come after the events that need them.
    let bytes = trace(&[metadata(32, &info), plain, metadata(33, &first), metadata(33, &first), metadata(33, &second)]);
    assert_eq!(decoded(&bytes)[1], "embedded {f=seven (7)} left 0");
    let schemas = learned(&bytes, |_| true);
    assert_eq!(schemas.conflicting_maps().collect::<Vec<_>>(), [(Guid::from_u128(PROVIDER), "f")]);
}

#[test]
fn other_versions_of_an_event_are_not_known() {
    let info = event_info("f", 8);
    let descriptor = Descriptor { id: 1, version: 1, ..Descriptor::default() };
    let (origin, provider, activity) = (Origin::new(8, 12), guid(PROVIDER), guid(0));
    let newer = Written::Event { origin, provider, descriptor, activity, extended: &[], payload: &[7, 0, 0, 0] };
    assert_eq!(decoded(&trace(&[metadata(32, &info), newer]))[1], "no schema is known");
}

#[test]
fn the_tables_differ_where_the_trace_says_otherwise() {
    // Kernel-Process 1 version 0, with a single field.
    let mut info = event_info("ProcessID", 6);
    info[..16].copy_from_slice(&Guid::from_u128(KERNEL_PROCESS).to_wire());
    let schemas = learned(&trace(&[metadata(32, &info)]), |_| true);
    let [(of, differences)] = &schemas.differences()[..] else { panic!() };
    assert_eq!(*of, key(KeyKind::Event, KERNEL_PROCESS, 1, 0));
    let told: Vec<String> = differences.iter().map(ToString::to_string).collect();
    assert_eq!(told, ["1 fields, table has 5", "ProcessID: stored as UInt16, table has UInt32"]);
    assert!(differences.iter().all(|difference| difference.kind.is_of_layout()));
}

#[test]
fn self_describing_events_of_one_id_keep_their_own_layouts() {
    let (one, two) = (self_description("one", 8), self_description("two", 6));
    let (one, two) = ([Extended::Raw { kind: 11, data: &one }], [Extended::Raw { kind: 11, data: &two }]);
    let bytes = trace(&[event(PROVIDER, 0, &one, &[7, 0, 0, 0]), event(PROVIDER, 0, &two, &[7, 0])]);
    assert_eq!(decoded(&bytes), ["tracelogging {one=7} left 0", "tracelogging {two=7} left 0"]);
}

#[test]
fn payloads_that_do_not_suit_their_schema_give_what_fits() {
    let info = event_info("f", 8);
    let of = |payload| event(PROVIDER, 1, &[], payload);
    let bytes = trace(&[metadata(32, &info), of(&[7, 0, 0, 0, 9, 9]), of(&[7, 0, 0]), of(&[])]);
    assert_eq!(
        decoded(&bytes)[1..],
        [
            "embedded {f=7} left 2",
            "embedded {} left 3; field f does not fit into the payload",
            "embedded {} left 0; field f does not fit into the payload",
        ]
    );
}

#[test]
fn damaged_schemas_are_counted_and_leave_the_others_alone() {
    let (good, own) = (event_info("f", 8), self_description("own", 8));
    let cut_own = [Extended::Raw { kind: 11, data: &own[..6] }];
    let bytes = trace(&[
        metadata(32, &good[..0x80]),
        metadata(33, &[0; 8]),
        metadata(34, &good),
        metadata(32, &good),
        event(PROVIDER, 1, &[], &[7, 0, 0, 0]),
        event(PROVIDER, 1, &cut_own, &[7, 0, 0, 0]),
        event(PROVIDER, 0xFFFE, &[], &[1, 2, 3]),
    ]);
    let all = decoded(&bytes);
    assert_eq!(all[4], "embedded {f=7} left 0");
    assert_eq!(all[5], NotDecoded::BadSchema(SchemaError::OutOfRange("size")).to_string());
    let schemas = learned(&bytes, |_| true);
    let counts = schemas.counts();
    assert_eq!((counts.event_infos, counts.map_infos, counts.tracelogging), (2, 1, 1));
    assert_eq!((counts.manifest_chunks, counts.malformed, schemas.manifests().rejected()), (1, 3, 1));
}

#[test]
fn the_header_says_when_the_payload_is_one_string() {
    let text = utf16("a message");
    let mut bytes = trace(&[event(PROVIDER, 1, &[], &text)]);
    // Flags stand at 4 in the header of the event.
    let marker = Guid::from_u128(PROVIDER).to_wire();
    let at = bytes.windows(16).position(|window| window == marker).unwrap() - 0x18;
    bytes[at + 4] |= 4;
    assert_eq!(decoded(&bytes), ["string {String=a message} left 0"]);
}

#[test]
fn metadata_of_32_bits_describes_events_of_64() {
    let mut builder = TraceBuilder::new(TraceOptions::default());
    let t0 = builder.options().t0;
    let info = event_info("p", 16);
    builder.record_as(Pointer::Four, 0, t0, &metadata(32, &info));
    builder.record_as(Pointer::Eight, 0, t0 + 1, &event(PROVIDER, 1, &[], &[1, 0, 0, 0, 2, 0, 0, 0]));
    builder.record_as(Pointer::Four, 0, t0 + 2, &event(PROVIDER, 1, &[], &[1, 0, 0, 0]));
    let all = decoded(&builder.finish());
    assert_eq!(all[1..], ["embedded {p=0x200000001} left 0", "embedded {p=0x1} left 0"]);
}
