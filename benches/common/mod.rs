//! Traces to measure with, written on the fly, and ways to read them.

#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::indexing_slicing)]

use std::ffi::OsString;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use clap::Parser;
use outofports::cli::Cli;
use outofports::commands::{self, Outcome};
use synth::Expected;
use synth::bulk::{self, Bulk};

/// Size of a trace where the environment does not tell: small enough for every day.
const DEFAULT_MIB: u64 = 64;

/// What is in a trace.
#[derive(Clone, Copy)]
pub enum Kind {
    /// Packets with a few AFD events among them.
    Packets,
    /// AFD events alone.
    Afd,
    /// The same, each socket with an address of its own.
    Churn,
}

/// A trace and what is in it.
pub struct Sample {
    pub path: PathBuf,
    pub bytes: u64,
    pub expected: Expected,
}

/// Bytes of a trace: `OUTOFPORTS_BENCH_MIB`, in MiB.
pub fn trace_bytes() -> u64 {
    let told = std::env::var("OUTOFPORTS_BENCH_MIB").ok().and_then(|mib| mib.parse().ok());
    told.unwrap_or(DEFAULT_MIB) << 20
}

/// A folder below `target`.
pub fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Packets with a few AFD events among them.
pub fn packets(bytes: u64, compressed: bool) -> Sample {
    let name = if compressed { "packets-compressed.etl" } else { "packets.etl" };
    written(&folder().join(name), bytes, Kind::Packets, compressed)
}

/// AFD events alone.
pub fn afd(bytes: u64, compressed: bool) -> Sample {
    let name = if compressed { "afd-compressed.etl" } else { "afd.etl" };
    written(&folder().join(name), bytes, Kind::Afd, compressed)
}

/// AFD events of sockets with an address each.
pub fn churn(bytes: u64) -> Sample {
    written(&folder().join("churn.etl"), bytes, Kind::Churn, false)
}

/// One trace at `path`.
pub fn written(path: &Path, bytes: u64, kind: Kind, compressed: bool) -> Sample {
    let afd_per_mille = if matches!(kind, Kind::Packets) { 20 } else { 1000 };
    let new_addresses = matches!(kind, Kind::Churn);
    write_bulk(path, &Bulk { size: bytes, afd_per_mille, new_addresses, compressed, ..Bulk::default() })
}

/// One trace at `path`.
pub fn write_bulk(path: &Path, bulk: &Bulk) -> Sample {
    let out = BufWriter::with_capacity(1 << 20, File::create(path).unwrap());
    let done = bulk::write(out, bulk).unwrap();
    let bytes = std::fs::metadata(path).unwrap().len();
    Sample { path: path.to_owned(), bytes, expected: done.expected }
}

/// Runs `analyze -f json` in this process on as many threads; `None`: as many as there are processors.
pub fn analyze(inputs: &[&Path], threads: Option<usize>) -> serde_json::Value {
    let output = folder().join("report.json");
    let mut arguments: Vec<OsString> =
        ["outofports", "analyze", "-f", "json", "--quiet", "-o"].map(Into::into).to_vec();
    arguments.push(output.clone().into());
    arguments.extend(threads.map(|threads| format!("--threads={threads}").into()));
    arguments.extend(inputs.iter().map(Into::into));
    let outcome = commands::run(&Cli::try_parse_from(arguments).unwrap()).unwrap();
    assert_eq!(outcome, Outcome::Complete);
    serde_json::from_slice(&std::fs::read(output).unwrap()).unwrap()
}

/// The report must say what is known to be in the trace.
pub fn check(report: &serde_json::Value, sample: &Sample) {
    assert_eq!(report["failures"]["binds"], sample.expected.binds);
    assert_eq!(report["failures"]["connects"], sample.expected.connects);
    assert_eq!(report["traces"][0]["records"], sample.expected.records);
}

/// Bytes of a trace's buffers, decompressed.
pub fn expanded_bytes(path: &Path) -> u64 {
    let file = etl_parser::EtlFile::open(path).unwrap();
    let trace = etl_parser::Trace::new(file.bytes()).unwrap();
    trace.buffers().iter().map(|info| u64::from(info.header.end_of_data().max(info.stored_bytes))).sum()
}
