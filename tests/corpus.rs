//! Real traces: what `info` says of them equals what an independent walker counted.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::common::{corpus, run};

fn info(path: &std::path::Path) -> Value {
    let ran = run(["info".as_ref(), path.as_os_str(), "-f".as_ref(), "json".as_ref()]);
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.json()
}

fn counts(object: &Value) -> BTreeMap<String, u64> {
    let fields = object.as_object().unwrap().iter();
    fields.map(|(key, count)| (key.split(' ').next().unwrap().to_owned(), count.as_u64().unwrap())).collect()
}

#[test]
fn info_equals_the_independent_walk() {
    let Some(folder) = corpus() else { return };
    let all: BTreeMap<String, Value> =
        serde_json::from_slice(&std::fs::read(folder.join("expected.json")).unwrap()).unwrap();
    assert_eq!(all.len(), 16);
    for (name, want) in &all {
        let info = info(&folder.join(name));
        let header = counts(&want["records_by_header"]);
        let kind = |prefix: &str| -> u64 {
            header.iter().filter(|(key, _)| key.starts_with(prefix)).map(|(_, count)| count).sum()
        };
        let kinds = &info["records"]["by_kind"];
        assert_eq!(info["records"]["total"], want["records_total"], "{name}");
        for (ours, theirs) in [
            ("system", "SYSTEM"),
            ("compact", "COMPACT"),
            ("perfinfo", "PERFINFO"),
            ("classic", "FULL"),
            ("instance", "INSTANCE"),
            ("event_header", "EVENT"),
        ] {
            assert_eq!(kinds[ours].as_u64().unwrap(), kind(theirs), "{name}: {ours}");
        }
        assert_eq!(kinds["message"], want["message_records"], "{name}");
        assert_eq!(kinds["other"], 0, "{name}");
        let providers: BTreeMap<String, u64> = info["providers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| (row["guid"].as_str().unwrap().to_owned(), row["records"].as_u64().unwrap()))
            .collect();
        assert_eq!(providers, counts(&want["providers"]), "{name}");
        let hooks: BTreeMap<String, u64> = info["kernel_groups"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| (row["hook"].as_str().unwrap()[2..].to_owned(), row["records"].as_u64().unwrap()))
            .collect();
        assert_eq!(hooks, counts(&want["kernel_hooks"]), "{name}");
        assert_eq!(info["header"]["pointer_size"], want["pointer_size"], "{name}");
        assert_eq!(info["header"]["processors"], want["processors"], "{name}");
        assert_eq!(info["header"]["events_lost"], want["events_lost"], "{name}");
        assert_eq!(info["header"]["buffers_lost"], want["buffers_lost"], "{name}");
        let build = want["os_build"].as_str().unwrap().split([' ', '.']).nth(2).unwrap().parse::<u64>().unwrap();
        assert_eq!(info["header"]["os_build"], build, "{name}");
        for time in ["started", "ended"] {
            // Theirs went through a floating-point number on its way to microseconds.
            let microseconds = |text: &str| text[20..26].parse::<i64>().unwrap();
            let (ours, theirs) = (info["header"][time].as_str().unwrap(), want[time].as_str().unwrap());
            assert_eq!(ours[..19], theirs[..19], "{name}: {time}");
            assert!((microseconds(ours) - microseconds(theirs)).abs() <= 1, "{name}: {ours} {theirs}");
        }
        let schemas = &info["schemas"];
        let embedded = schemas["embedded_events"].as_u64().unwrap() + schemas["embedded_maps"].as_u64().unwrap();
        assert_eq!(embedded, want["embedded_metadata_events"].as_u64().unwrap(), "{name}");
        assert_eq!(info["buffers"]["total"], want["buffers_in_file"], "{name}");
        assert_eq!(info["bytes"], want["bytes"], "{name}");
        if let Some(ids) = want["ids"].get("ids_KPROC") {
            let row = info["providers"].as_array().unwrap().iter();
            let row = row.into_iter().find(|row| row["guid"] == "22fb2cd6-0e7b-422b-a0c7-2fad1fd0e716").unwrap();
            let ours: BTreeMap<String, u64> = row["ids"]
                .as_array()
                .unwrap()
                .iter()
                .map(|id| (format!("{}.v{}", id["id"], id["version"]), id["records"].as_u64().unwrap()))
                .collect();
            assert_eq!(ours, counts(ids), "{name}");
        }
    }
}

#[test]
fn no_trace_of_the_corpus_can_tell_and_each_says_why() {
    let Some(folder) = corpus() else { return };
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "etl") || path.ends_with("not-a-trace.etl") {
            continue;
        }
        let report = crate::common::analyze(&path, 0);
        assert_eq!(report["verdict"]["state"], "cannot_tell");
        assert_eq!(report["verdict"]["confidence"], Value::Null);
        assert_eq!(report["verdict"]["reasons"][0]["code"], "no_afd_events");
        let command = report["recommendations"][0]["commands"][2].as_str().unwrap();
        assert!(command.starts_with("netsh trace start provider=Microsoft-Windows-Winsock-AFD keywords=0x4 level=4"));
    }
}

/// PID and image of every process that `info` names.
fn named(name: &str) -> Option<Vec<(u64, String)>> {
    let info = info(&corpus()?.join(name));
    let processes = info["processes"].as_array().unwrap();
    let mut named: Vec<(u64, String)> =
        processes.iter().filter_map(|row| Some((row["pid"].as_u64()?, row["image"].as_str()?.to_owned()))).collect();
    named.sort();
    Some(named)
}

/// A walk that shares nothing with the program: every 8-byte boundary of an uncompressed trace at which a record of
/// `header_type` with `hook` stands, and its bytes.
fn raw_kernel_records(bytes: &[u8], header_type: u8, hook: u16) -> Vec<&[u8]> {
    let mut found = Vec::new();
    let u32_at = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    let u16_at = |at: usize| u16::from_le_bytes(bytes[at..at + 2].try_into().unwrap());
    let mut buffer = 0;
    while buffer < bytes.len() {
        let end = buffer + u32_at(buffer + 0x30);
        let mut at = buffer + 0x48;
        while at < end {
            let size = usize::from(u16_at(at + 4));
            if bytes[at + 2] == header_type && u16_at(at + 6) == hook {
                found.push(&bytes[at..at + size]);
            }
            at += size.div_ceil(8) * 8;
        }
        buffer += u32_at(buffer);
    }
    found
}

#[test]
fn rundown_processes_of_a_shutdown_trace_are_named() {
    let Some(folder) = corpus() else { return };
    let bytes = std::fs::read(folder.join("shutdown-logger-win10.etl")).unwrap();
    // PERFINFO64, hook 0x0303: payload at 0x10; version 4: key 8, PID at 8, then to the SID at 36.
    let records = raw_kernel_records(&bytes, 0x11, 0x0303);
    assert_eq!(records.len(), 94);
    let named = named("shutdown-logger-win10.etl").unwrap();
    for record in records {
        let payload = &record[0x10..];
        let pid = u64::from(u32::from_le_bytes(payload[8..12].try_into().unwrap()));
        let sid = &payload[36..];
        let behind = if sid[..4] == [0; 4] { &sid[4..] } else { &sid[16 + 8 + 4 * usize::from(sid[17])..] };
        let image = String::from_utf8(behind.split(|byte| *byte == 0).next().unwrap().to_vec()).unwrap();
        assert!(!image.is_empty());
        let base = image.rsplit('\\').next().unwrap().to_owned();
        assert!(named.contains(&(pid, base.clone())), "{pid} {base}: {named:?}");
    }
    let has = |pid, image: &str| assert!(named.contains(&(pid, image.to_owned())), "{pid} {image}: {named:?}");
    has(4, "System");
    has(0, "Idle");
}

#[test]
fn starts_and_stops_of_kernel_process_are_named() {
    let Some(named) = named("kernel-process-win7.etl") else { return };
    insta::assert_debug_snapshot!(named);
}

#[test]
fn processes_of_a_merged_trace_are_named_once() {
    let Some(named) = named("merged-kernel-mixed-pointer.etl") else { return };
    insta::assert_debug_snapshot!(named);
}

#[test]
fn mof_processes_of_unit_tests_are_named() {
    for name in ["mof-process-32bit-v1.etl", "mof-process-32bit-v3.etl", "mof-process-64bit-v3.etl"] {
        let Some(named) = named(name) else { return };
        insta::assert_debug_snapshot!(name, named);
    }
}
