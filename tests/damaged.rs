//! Damage is local, counted, and told with its place.

use serde_json::Value;

use crate::common::{analyze, run, scratch, write_scenario};

/// Start of each buffer of an uncompressed trace.
fn buffers(trace: &[u8]) -> Vec<usize> {
    let mut starts = Vec::new();
    let mut at = 0;
    while at < trace.len() {
        starts.push(at);
        at += u32::from_le_bytes(trace[at..at + 4].try_into().unwrap()) as usize;
    }
    starts
}

fn notes(report: &Value) -> String {
    report["coverage"]["notes"].to_string()
}

#[test]
fn a_cut_in_the_middle_of_a_buffer_keeps_what_came_before() {
    let folder = scratch();
    let (path, expected) = write_scenario("modern-64", folder.path());
    let trace = std::fs::read(&path).unwrap();
    let last = *buffers(&trace).last().unwrap();
    let cut = folder.path().join("cut.etl");
    std::fs::write(&cut, &trace[..last + 0x400]).unwrap();
    let report = analyze(&cut, 1);
    assert!(notes(&report).contains(&format!("at {last:#x}: the file ends early")), "{}", notes(&report));
    assert_ne!(report["verdict"]["confidence"], "high");
    let records = report["traces"][0]["records"].as_u64().unwrap();
    assert!(records > 0 && records < expected.records, "{records} of {}", expected.records);
    assert!(report["coverage"]["bytes_skipped"].as_u64().unwrap() > 0);
    assert_eq!(report["traces"][0]["buffers_damaged"], 1);
}

#[test]
fn a_cut_at_every_place_of_a_small_trace_is_survived() {
    let folder = scratch();
    let (path, _) = write_scenario("single-failure", folder.path());
    let trace = std::fs::read(&path).unwrap();
    let cut = folder.path().join("cut.etl");
    let mut records = 0;
    for length in (0..trace.len()).step_by((trace.len() / 97).max(1)) {
        std::fs::write(&cut, &trace[..length]).unwrap();
        let ran = run(["analyze".as_ref(), cut.as_os_str(), "-f".as_ref(), "json".as_ref()]);
        assert!(ran.code == 2 || ran.code == 1 || ran.code == 0, "{length}: {ran:?}");
        assert_eq!(ran.code == 2, ran.stdout.is_empty(), "{length}");
        if ran.code < 2 {
            let now = ran.json()["traces"][0]["records"].as_u64().unwrap();
            assert!(now >= records, "{length}: a longer piece holds no fewer records");
            records = now;
        }
    }
    assert!(records > 0);
}

#[test]
fn a_buffer_that_claims_too_much_costs_itself_alone() {
    let folder = scratch();
    let (path, expected) = write_scenario("modern-64", folder.path());
    let mut trace = std::fs::read(&path).unwrap();
    let starts = buffers(&trace);
    let (number, at) = (starts.len() / 2, starts[starts.len() / 2]);
    let size = u32::from_le_bytes(trace[at..at + 4].try_into().unwrap());
    trace[at + 0x30..at + 0x34].copy_from_slice(&(size + 1).to_le_bytes());
    std::fs::write(&path, &trace).unwrap();
    let report = analyze(&path, 1);
    let message =
        format!("buffer {number} at {at:#x}: used bytes {} exceed buffer size {size}; buffer skipped", size + 1);
    assert!(notes(&report).contains(&message), "{}", notes(&report));
    assert_eq!(report["traces"][0]["buffers"], expected.buffers - 1);
    assert_eq!(report["traces"][0]["buffers_damaged"], 1);
}

#[test]
fn a_bad_record_costs_the_rest_of_its_buffer() {
    let folder = scratch();
    let (path, expected) = write_scenario("modern-64", folder.path());
    let mut trace = std::fs::read(&path).unwrap();
    let starts = buffers(&trace);
    let at = starts[1] + 0x48;
    let first = u16::from_le_bytes(trace[at..at + 2].try_into().unwrap());
    let second = at + usize::from(first).div_ceil(8) * 8;
    trace[second..second + 2].copy_from_slice(&[5, 0]);
    std::fs::write(&path, &trace).unwrap();
    let report = analyze(&path, 1);
    let message = format!("buffer 1 at {:#x}, record 1 at {second:#x}: event header needs 80 bytes", starts[1]);
    assert!(notes(&report).contains(&message), "{}", notes(&report));
    assert!(report["traces"][0]["records"].as_u64().unwrap() < expected.records);
    assert_eq!(report["traces"][0]["buffers"], expected.buffers);
}

#[test]
fn a_broken_buffer_size_is_stepped_over() {
    let folder = scratch();
    let (path, expected) = write_scenario("modern-64", folder.path());
    let whole = std::fs::read(&path).unwrap();
    let starts = buffers(&whole);
    for size in [0_u32, 71, 0x7FFF_FFFF, u32::MAX] {
        let mut trace = whole.clone();
        trace[starts[2]..starts[2] + 4].copy_from_slice(&size.to_le_bytes());
        std::fs::write(&path, &trace).unwrap();
        let report = analyze(&path, 1);
        assert_eq!(report["traces"][0]["buffers"], expected.buffers - 1, "{size:#x}");
        assert!(notes(&report).contains(&format!("buffer 2 at {:#x}: buffer size {size}", starts[2])));
    }
}

#[test]
fn a_damaged_compressed_buffer_costs_itself_alone() {
    let folder = scratch();
    let (path, expected) = write_scenario("compressed", folder.path());
    let mut trace = std::fs::read(&path).unwrap();
    let starts = buffers(&trace);
    let at = starts[starts.len() / 2];
    // A flag word that says "match" before there is anything to copy.
    trace[at + 0x48..at + 0x4C].fill(0xFF);
    trace[at + 0x4C..at + 0x50].fill(0xFF);
    std::fs::write(&path, &trace).unwrap();
    let report = analyze(&path, 1);
    assert_eq!(report["traces"][0]["buffers"], expected.buffers);
    assert_eq!(report["traces"][0]["buffers_damaged"], 1);
    assert!(notes(&report).contains("could be decompressed"), "{}", notes(&report));
}

#[test]
fn zeros_behind_the_last_buffer_are_no_damage() {
    let folder = scratch();
    let (path, expected) = write_scenario("modern-64", folder.path());
    let mut trace = std::fs::read(&path).unwrap();
    let size = u32::from_le_bytes(trace[..4].try_into().unwrap()) as usize;
    trace.extend(vec![0; 3 * size]);
    std::fs::write(&path, &trace).unwrap();
    let report = analyze(&path, 0);
    assert_eq!(report["traces"][0]["records"], expected.records);
    assert_eq!(report["failures"]["binds"], expected.binds);
}
