//! Packed traces, archives, standard input.

use std::io::{Cursor, Read, Write};
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use crate::common::{analyze, command, run, scratch};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    flate2::read::GzEncoder::new(bytes, flate2::Compression::fast()).read_to_end(&mut packed).unwrap();
    packed
}

fn zstandard(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

pub fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn cabinet(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = cab::CabinetBuilder::new();
    let folder = builder.add_folder(cab::CompressionType::MsZip);
    for (name, _) in members {
        folder.add_file(*name);
    }
    let mut writer = builder.build(Cursor::new(Vec::new())).unwrap();
    let mut bytes = members.iter();
    while let Some(mut file) = writer.next_file().unwrap() {
        file.write_all(bytes.next().unwrap().1).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn written(folder: &Path, name: &str, bytes: &[u8]) -> std::path::PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

fn binds(report: &Value) -> u64 {
    report["failures"]["binds"].as_u64().unwrap()
}

#[test]
fn a_packed_trace_is_the_same_trace() {
    let folder = scratch();
    let trace = synth::write("modern-64").unwrap();
    for (name, bytes) in [("a.etl.gz", gzip(&trace.trace)), ("b.etl.zst", zstandard(&trace.trace))] {
        let report = analyze(&written(folder.path(), name, &bytes), 0);
        assert_eq!(binds(&report), trace.expected.binds, "{name}");
        assert_eq!(report["traces"][0]["bytes"], trace.trace.len(), "{name}");
    }
    // Both hold the same trace: in a folder it counts once.
    let report = analyze(folder.path(), 0);
    assert_eq!(binds(&report), trace.expected.binds);
}

#[test]
fn a_zip_archive_is_a_case() {
    let folder = scratch();
    let case = synth::write("names-tasklist").unwrap();
    let list = &case.side_files[0].1;
    let cabinet = cabinet(&[("report.etl", &case.trace), ("processes.txt", list)]);
    for (name, members) in [
        ("flat.zip", vec![("case/server.etl", &case.trace[..]), ("case/tasklist.txt", list), ("readme.md", b"x")]),
        ("packed.zip", vec![("server.etl.gz", &gzip(&case.trace)[..]), ("tasklist.txt", list)]),
        ("cabinet.zip", vec![("nettrace.cab", &cabinet[..])]),
    ] {
        let path = written(folder.path(), name, &zip(&members));
        let report = analyze(&path, 0);
        assert_eq!(binds(&report), case.expected.binds, "{name}");
        assert_eq!(report["processes"][0]["image_source"], "tasklist", "{name}");
        let info = run(["info".as_ref(), path.as_os_str(), "-f".as_ref(), "json".as_ref()]).json();
        assert_eq!(info["kind"], "zip", "{name}");
    }
}

#[test]
fn archives_within_archives_have_an_end() {
    let folder = scratch();
    let mut bytes = zip(&[("server.etl", &synth::write("single-failure").unwrap().trace)]);
    for _ in 0..3 {
        bytes = zip(&[("inner.zip", &bytes)]);
    }
    let path = written(folder.path(), "deep.zip", &bytes);
    let ran = run(["analyze".as_ref(), path.as_os_str()]);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
    assert!(ran.stderr.contains("is packed more than 3 times"), "{ran:?}");
}

#[test]
fn damaged_archives_are_refused_in_a_line() {
    let folder = scratch();
    let trace = synth::write("single-failure").unwrap().trace;
    for (name, whole) in
        [("a.etl.gz", gzip(&trace)), ("a.etl.zst", zstandard(&trace)), ("a.zip", zip(&[("a.etl", &trace)]))]
    {
        for at in (4..whole.len()).step_by(whole.len() / 60) {
            for damage in ["cut", "flip"] {
                let mut bytes = whole.clone();
                match damage {
                    "cut" => bytes.truncate(at),
                    _ => bytes[at] ^= 0x55,
                }
                let path = written(folder.path(), name, &bytes);
                let ran = run(["analyze".as_ref(), path.as_os_str(), "-f".as_ref(), "json".as_ref()]);
                assert!((0..=2).contains(&ran.code), "{name} {damage} {at}: {ran:?}");
                assert_eq!(ran.code == 2, ran.stdout.is_empty(), "{name} {damage} {at}");
                assert!(!ran.stderr.contains("panicked"), "{name} {damage} {at}: {ran:?}");
            }
        }
    }
}

fn through_standard_input(input: Stdio, bytes: Option<&[u8]>) -> (Option<i32>, Value) {
    let mut child = command()
        .args(["analyze", "-", "-f", "json"])
        .stdin(input)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    if let Some(bytes) = bytes {
        // The program may refuse before it has read all.
        let _ = child.stdin.take().unwrap().write_all(bytes);
    }
    let output = child.wait_with_output().unwrap();
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap_or(Value::Null))
}

#[test]
fn standard_input_may_be_a_file_or_a_pipe() {
    let folder = scratch();
    let trace = synth::write("modern-64").unwrap();
    let path = written(folder.path(), "a.etl", &trace.trace);
    let (code, report) = through_standard_input(std::fs::File::open(path).unwrap().into(), None);
    assert_eq!((code, binds(&report)), (Some(0), trace.expected.binds));
    let (code, report) = through_standard_input(Stdio::piped(), Some(&trace.trace));
    assert_eq!((code, binds(&report)), (Some(0), trace.expected.binds));
    let (code, report) = through_standard_input(Stdio::piped(), Some(&gzip(&trace.trace)));
    assert_eq!((code, binds(&report)), (Some(0), trace.expected.binds));
    // What is longer than a look shows, and no trace, is not kept.
    let (code, report) = through_standard_input(Stdio::piped(), Some(&vec![0; 3 << 20]));
    assert_eq!((code, report), (Some(2), Value::Null));
}
