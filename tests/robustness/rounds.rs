//! Random damage: files cut at random points, and with random bytes changed.
//!
//! `OUTOFPORTS_DAMAGE_ROUNDS=500 cargo test --release --test main damage_rounds -- --nocapture` does the long run, in which
//! every file has that many rounds of each kind, and the memory of the process is measured.

use std::collections::BTreeMap;
use std::panic::{self, AssertUnwindSafe};
use std::time::{Duration, Instant};

use etl_parser::Trace;
use synth::rng::SplitMix64;

use super::support::report_on;
use crate::common::corpus;

/// Rounds of each kind for a small file, unless the environment says otherwise.
const ROUNDS: u64 = 20;
/// How much is read for each file and kind in a normal run, in bytes; at least one round.
const NORMAL_BYTES: u64 = 1 << 20;
/// No input of this size takes longer.
const LONGEST: Duration = Duration::from_secs(10);
/// Peak of the process's memory, all copies of the test included.
const MOST_MEMORY_KIB: u64 = 256 << 10;

/// The files: real traces, where they are at hand, and synthetic ones.
fn files() -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for scenario in ["single-failure", "compressed", "multi-provider", "names-mof-full", "legacy"] {
        files.push((scenario.to_owned(), synth::write(scenario).unwrap().trace));
    }
    let Some(folder) = corpus() else { return files };
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.ends_with(".etl") && name != "not-a-trace.etl" {
            files.push((name, std::fs::read(&path).unwrap()));
        }
    }
    files.sort();
    files
}

/// A number for each record of each processor, in the order of its buffers: equal bytes give equal numbers.
fn fingerprints(bytes: &[u8]) -> BTreeMap<u16, Vec<u64>> {
    let mut streams: BTreeMap<u16, Vec<u64>> = BTreeMap::new();
    let Ok(trace) = Trace::new(bytes) else { return streams };
    let mut scratch = Vec::new();
    for stream in trace.streams() {
        let records = streams.entry(stream.cpu).or_default();
        for position in stream.buffers() {
            let buffer = trace.buffer(position, &mut scratch).unwrap();
            records.extend(buffer.records().map_while(Result::ok).map(|record| fingerprint(record.bytes())));
        }
    }
    streams
}

fn fingerprint(bytes: &[u8]) -> u64 {
    let mut sum = bytes.len() as u64;
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        sum = (sum ^ u64::from_le_bytes(*word)).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29);
    }
    rest.iter().fold(sum, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3))
}

/// Everything that reading does: the walk, the order by time, the report.
fn read_all(bytes: &[u8]) {
    let Ok(segments) = Trace::segments(bytes) else { return };
    for trace in &segments {
        let mut latest = i64::MIN;
        for item in trace.records().flatten() {
            assert!(item.order_ticks() >= latest, "time goes back");
            latest = item.order_ticks();
        }
    }
    let (report, code) = report_on(bytes, 2);
    assert!(code <= 1 && report["traces"].is_array());
}

/// Peak of this process's memory in KiB, where the system tells.
fn peak_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

struct Rounds {
    name: String,
    slowest: Duration,
    count: u64,
}

impl Rounds {
    /// One round; a failure names what to do again.
    fn run(&mut self, what: &str, work: impl FnOnce()) {
        let started = Instant::now();
        if let Err(panic) = panic::catch_unwind(AssertUnwindSafe(work)) {
            println!("{}: {what}", self.name);
            panic::resume_unwind(panic);
        }
        let took = started.elapsed();
        assert!(took < LONGEST, "{}: {what} took {took:?}", self.name);
        self.slowest = self.slowest.max(took);
        self.count += 1;
    }
}

#[test]
fn damage_rounds() {
    let asked: Option<u64> = std::env::var("OUTOFPORTS_DAMAGE_ROUNDS").ok().map(|rounds| rounds.parse().unwrap());
    let (mut all, mut slowest) = (0, Duration::ZERO);
    for (name, bytes) in files() {
        let seed = name.bytes().fold(1, |seed: u64, byte| seed.wrapping_mul(131).wrapping_add(byte.into()));
        let mut rng = SplitMix64::new(seed);
        let size = bytes.len() as u64;
        let count = asked.unwrap_or_else(|| (NORMAL_BYTES / size).clamp(1, ROUNDS));
        let whole = fingerprints(&bytes);
        let mut rounds = Rounds { name, slowest: Duration::ZERO, count: 0 };
        for _ in 0..count {
            let length = rng.below(size) as usize;
            rounds.run(&format!("cut at {length}"), || {
                let part = &bytes[..length];
                for (cpu, records) in fingerprints(part) {
                    assert!(whole[&cpu].starts_with(&records), "processor {cpu}: not the first records of the whole");
                }
                read_all(part);
            });
        }
        let mut damaged = bytes.clone();
        for _ in 0..count {
            // From one byte to many: headers are a small part of a file.
            let changes: Vec<(usize, u8)> =
                (0..1 << rng.below(10)).map(|_| (rng.below(size) as usize, rng.bits() as u8)).collect();
            for (at, value) in &changes {
                damaged[*at] = *value;
            }
            rounds.run(&format!("changed {changes:x?}"), || read_all(&damaged));
            for (at, _) in &changes {
                damaged[*at] = bytes[*at];
            }
        }
        all += rounds.count;
        slowest = slowest.max(rounds.slowest);
        if asked.is_some() {
            let Rounds { name, slowest, count } = rounds;
            println!("{name}: {size} bytes, {count} rounds, slowest {slowest:?}, peak so far {:?} KiB", peak_kib());
        }
    }
    println!("{all} rounds, slowest {slowest:?}");
    // Other tests run in this process, so the figure counts only in a run of this test alone.
    if asked.is_some()
        && let Some(peak) = peak_kib()
    {
        println!("peak {peak} KiB");
        assert!(peak < MOST_MEMORY_KIB);
    }
}
