//! A run that ends at any moment is gone on from: no case twice, none missing, all files whole.

#![cfg(unix)]

use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use super::herd::{self, Count};
use super::{assert_same, batch, lasting, statuses};
use crate::common::{command, scratch};

fn start(input: &Path, out: &Path) -> Child {
    let mut batch = command();
    batch.arg("batch").arg(input).arg("--out").arg(out);
    batch.args(["--resume", "--jobs", "2", "--format", "ndjson", "-q"]).stdout(Stdio::null()).spawn().unwrap()
}

fn temporary_files(out: &Path) -> usize {
    let entries = std::fs::read_dir(out).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(".outofports-")).count()
}

#[test]
fn a_killed_run_is_gone_on_from() {
    let scratch = scratch();
    let (input, out, whole) = (scratch.path().join("in"), scratch.path().join("out"), scratch.path().join("whole"));
    std::fs::create_dir(&input).unwrap();
    let truth = herd::write(&input, Count { cases: 120, duplicates: 2, ..Count::default() });
    batch(&input, &whole, ["--resume"]);
    let mut kills = 0;
    for round in 0..20_u64 {
        let mut child = start(&input, &out);
        let started = Instant::now();
        // Now and then while the results are written.
        let (is_late, wait) = (round % 4 == 3, Duration::from_millis(15 + 29 * (round * 7 % 20)));
        while child.try_wait().unwrap().is_none()
            && if is_late { temporary_files(&out) == 0 } else { started.elapsed() < wait }
        {
            std::thread::sleep(Duration::from_micros(200));
        }
        kills += usize::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert!(kills >= 10, "{kills} runs were killed; the others had ended");
    let ran = batch(&input, &out, ["--resume"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stderr.contains("not read again"), "{ran:?}");
    assert_eq!(statuses(&out).len(), truth.len());
    assert_same(&lasting(&out), &lasting(&whole));
    assert_eq!(temporary_files(&out), 0);
}

#[test]
fn what_is_done_is_not_done_again_unless_something_changed() {
    let scratch = scratch();
    let (input, out) = (scratch.path().join("in"), scratch.path().join("out"));
    std::fs::create_dir(&input).unwrap();
    herd::write(&input, Count { cases: 10, ..Count::default() });
    let key = scratch.path().join("key");
    std::fs::write(&key, [7; 32]).unwrap();
    batch(&input, &out, []);
    assert!(batch(&input, &out, ["--resume"]).stderr.contains("10 not read again"));
    // Another content with the same size and time.
    let trace = input.join("00001.etl");
    let (mut bytes, modified) =
        (std::fs::read(&trace).unwrap(), std::fs::metadata(&trace).unwrap().modified().unwrap());
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&trace, bytes).unwrap();
    std::fs::File::options().write(true).open(&trace).unwrap().set_modified(modified).unwrap();
    assert!(batch(&input, &out, ["--resume"]).stderr.contains("9 not read again"));
    // Other options.
    let redacted = ["--resume", "--redact", "--redact-key", key.to_str().unwrap()];
    assert!(!batch(&input, &out, redacted).stderr.contains("not read again"));
    assert!(batch(&input, &out, redacted).stderr.contains("10 not read again"));
    // A run that does not go on begins anew, and what is gone has no row.
    std::fs::remove_file(&trace).unwrap();
    assert!(!batch(&input, &out, []).stderr.contains("not read again"));
    assert_eq!(statuses(&out).len(), 9);
}

#[test]
fn a_second_run_waits_for_its_turn_and_workers_end_with_their_master() {
    let scratch = scratch();
    let (input, out) = (scratch.path().join("in"), scratch.path().join("out"));
    std::fs::create_dir_all(input.join("case")).unwrap();
    crate::common::write_afd(&input.join("case/server.etl"), 48 << 20);
    let mut child = start(&input, &out);
    let workers = || {
        let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let parent = |status: String| Some(status.split_once("PPid:\t")?.1.lines().next()?.to_owned());
        let is_worker = |id: &u32| {
            let of = std::fs::read_to_string(format!("/proc/{id}/cmdline")).unwrap_or_default();
            of.contains("--batch-worker")
        };
        let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        ids.filter(is_worker)
            .filter(|id| {
                let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
                parent(status).as_deref() == Some(&child.id().to_string())
            })
            .collect::<Vec<u32>>()
    };
    let started = Instant::now();
    while cfg!(target_os = "linux") && workers().is_empty() && started.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(1));
    }
    let of_child = workers();
    assert!(!cfg!(target_os = "linux") || !of_child.is_empty());
    let ran = batch(&input, &out, []);
    assert!(ran.code == 2 && ran.stderr.contains("another run writes there"), "{ran:?}");
    child.kill().unwrap();
    child.wait().unwrap();
    let is_there = |id: &u32| {
        std::fs::read_to_string(format!("/proc/{id}/status")).is_ok_and(|status| !status.contains("State:\tZ"))
    };
    let ended = Instant::now();
    while of_child.iter().any(is_there) {
        assert!(ended.elapsed() < Duration::from_secs(20), "a worker outlives its master");
        std::thread::sleep(Duration::from_millis(5));
    }
}
