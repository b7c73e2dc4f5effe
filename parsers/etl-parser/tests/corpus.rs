//! Real traces: what the crate reads of them equals what an independent walker counted (`expected.json` beside them).
//! The corpus is not part of the repository; without it these tests say so and pass.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::PathBuf;

use etl_parser::{EtlFile, PointerSize, RecordHeader, RecordKind};
use serde_json::Value;

fn corpus() -> Option<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus");
    if folder.join("expected.json").is_file() {
        return Some(folder);
    }
    println!("no corpus at {}: nothing compared", folder.display());
    None
}

fn expected(folder: &std::path::Path) -> BTreeMap<String, Value> {
    serde_json::from_slice(&std::fs::read(folder.join("expected.json")).unwrap()).unwrap()
}

fn header_name(record: &etl_parser::Record<'_>) -> String {
    let name = match record.kind() {
        RecordKind::System => "SYSTEM",
        RecordKind::Compact => "COMPACT",
        RecordKind::Perfinfo => "PERFINFO",
        RecordKind::Classic => "FULL",
        RecordKind::Instance => "INSTANCE",
        RecordKind::EventHeader => "EVENT",
        RecordKind::Message => return "MESSAGE".to_owned(),
        RecordKind::Other => return "OTHER".to_owned(),
    };
    let bits = if record.pointer_size() == Some(PointerSize::Four) { 32 } else { 64 };
    format!("{name}{bits}")
}

#[test]
fn every_file_holds_what_the_walker_counted() {
    let Some(folder) = corpus() else { return };
    let all = expected(&folder);
    assert_eq!(all.len(), 16);
    for (name, want) in &all {
        let file = EtlFile::open(folder.join(name)).unwrap();
        let trace = file.trace().unwrap();
        assert_eq!(trace.damage(), [], "{name}");
        let mut by_header: BTreeMap<String, u64> = BTreeMap::new();
        let mut providers: BTreeMap<String, u64> = BTreeMap::new();
        let mut hooks: BTreeMap<String, u64> = BTreeMap::new();
        let mut items: BTreeMap<String, u64> = BTreeMap::new();
        let mut scratch = Vec::new();
        for position in 0..trace.buffers().len() {
            let buffer = trace.buffer(position, &mut scratch).unwrap();
            for record in buffer.records() {
                let record = record.unwrap();
                *by_header.entry(header_name(&record)).or_default() += 1;
                if let Some(guid) = record.header_guid() {
                    *providers.entry(guid.to_string()).or_default() += 1;
                }
                if let Some(hook) = record.hook() {
                    *hooks.entry(format!("{:04X}", hook.0)).or_default() += 1;
                }
                for item in record.extended_items() {
                    *items.entry(item.item_type.0.to_string()).or_default() += 1;
                }
                record.user_data().unwrap();
            }
        }
        let map = |key: &str| -> BTreeMap<String, u64> {
            let fields = want[key].as_object().unwrap();
            let first_word = |key: &str| key.split(' ').next().unwrap().to_owned();
            fields.iter().map(|(key, count)| (first_word(key), count.as_u64().unwrap())).collect()
        };
        assert_eq!(by_header, map("records_by_header"), "{name}");
        assert_eq!(by_header.values().sum::<u64>(), want["records_total"].as_u64().unwrap(), "{name}");
        assert_eq!(providers, map("providers"), "{name}");
        assert_eq!(hooks, map("kernel_hooks"), "{name}");
        assert_eq!(items, map("extended_items"), "{name}");
        let header = trace.header();
        assert_eq!(trace.buffers().len() as u64, want["buffers_in_file"].as_u64().unwrap(), "{name}");
        assert_eq!(u64::from(header.pointer_bytes), want["pointer_size"].as_u64().unwrap(), "{name}");
        assert_eq!(trace.pointer_size().bytes() as u64, want["pointer_size"].as_u64().unwrap(), "{name}");
        assert_eq!(u64::from(header.processors), want["processors"].as_u64().unwrap(), "{name}");
        assert_eq!(u64::from(header.events_lost), want["events_lost"].as_u64().unwrap(), "{name}");
        assert_eq!(u64::from(header.buffers_lost), want["buffers_lost"].as_u64().unwrap(), "{name}");
        assert_eq!(header.buffers_written as usize, trace.buffers().len(), "{name}");
        let build = format!(
            "{}.{}.{} (subver {}.{})",
            header.os_major, header.os_minor, header.os_build, header.layout_major, header.layout_minor
        );
        assert_eq!(build, want["os_build"].as_str().unwrap(), "{name}");
        assert_eq!(trace.clock().kind().name(), Some("qpc"), "{name}");
    }
}

#[test]
fn quick_reads_equal_the_decoded_headers() {
    let Some(folder) = corpus() else { return };
    let all = expected(&folder);
    let mut compared = 0_u64;
    for name in all.keys() {
        let file = EtlFile::open(folder.join(name)).unwrap();
        let trace = file.trace().unwrap();
        let mut scratch = Vec::new();
        for position in 0..trace.buffers().len() {
            for record in trace.buffer(position, &mut scratch).unwrap().records() {
                let record = record.unwrap();
                let quick = (record.ticks(), record.process_id(), record.thread_id(), record.id());
                let size = record.bytes().len();
                match record.header().unwrap() {
                    RecordHeader::System(h) | RecordHeader::Compact(h) => {
                        let id = Some(u16::from(h.hook.opcode()));
                        assert_eq!(quick, (Some(h.ticks), h.process_id, h.thread_id, id));
                        assert_eq!((record.hook(), size), (Some(h.hook), usize::from(h.size_bytes)));
                        assert_eq!(record.version(), Some(h.version_and_flags.to_le_bytes()[0]));
                    }
                    RecordHeader::Perfinfo(h) => {
                        assert_eq!(quick, (Some(h.ticks), None, None, Some(u16::from(h.hook.opcode()))));
                        assert_eq!((record.hook(), size), (Some(h.hook), usize::from(h.size_bytes)));
                    }
                    RecordHeader::Classic(h) => {
                        let id = Some(u16::from(h.opcode));
                        assert_eq!(quick, (Some(h.ticks), h.process_id, h.thread_id, id));
                        assert_eq!((record.header_guid(), size), (Some(h.guid), usize::from(h.size_bytes)));
                        assert_eq!(record.version().map(u16::from), Some(h.version));
                    }
                    RecordHeader::Event(h) => {
                        assert_eq!(quick, (Some(h.ticks), h.process_id, h.thread_id, Some(h.id)));
                        assert_eq!((record.header_guid(), size), (Some(h.provider), usize::from(h.size_bytes)));
                        assert_eq!(record.version(), Some(h.version));
                    }
                    other => panic!("{name}: {other:?} is not expected in the corpus"),
                }
                compared += 1;
            }
        }
    }
    let records: u64 = all.values().map(|want| want["records_total"].as_u64().unwrap()).sum();
    assert_eq!(compared, records);
}

#[test]
fn merged_order_gives_every_record_once_and_never_goes_back() {
    let Some(folder) = corpus() else { return };
    for (name, want) in expected(&folder) {
        let file = EtlFile::open(folder.join(&name)).unwrap();
        let trace = file.trace().unwrap();
        let mut latest = i64::MIN;
        let mut count = 0;
        for item in trace.records() {
            let item = item.unwrap();
            assert!(item.order_ticks() >= latest, "{name}");
            latest = item.order_ticks();
            assert!(item.record().bytes().len() >= 8, "{name}");
            count += 1;
        }
        assert_eq!(count, want["records_total"].as_u64().unwrap(), "{name}");
    }
}

#[test]
fn a_text_file_is_not_a_trace() {
    let Some(folder) = corpus() else { return };
    let file = EtlFile::open(folder.join("not-a-trace.etl")).unwrap();
    let error = file.trace().unwrap_err();
    assert_eq!(error.kind, etl_parser::ErrorKind::NotATrace);
}
