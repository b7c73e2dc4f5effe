//! The program as a process: what a run costs before it reads anything, and with a small trace.

#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::ffi::OsStr;
use std::process::Command;

use criterion::{Criterion, criterion_group, criterion_main};

fn run(arguments: &[&OsStr]) -> Vec<u8> {
    let output = Command::new(env!("CARGO_BIN_EXE_outofports")).args(arguments).output().unwrap();
    assert!(output.status.success());
    output.stdout
}

fn start_up(c: &mut Criterion) {
    let sample = common::written(&common::folder().join("100KiB.etl"), 100 << 10, common::Kind::Afd, false);
    c.bench_function("start/help", |b| b.iter(|| assert!(run(&["--help".as_ref()]).starts_with(b"Finds out"))));
    let arguments = ["analyze".as_ref(), sample.path.as_os_str(), "-f".as_ref(), "json".as_ref()];
    c.bench_function("start/100KiB", |b| {
        b.iter(|| common::check(&serde_json::from_slice(&run(&arguments)).unwrap(), &sample));
    });
}

criterion_group!(benches, start_up);
criterion_main!(benches);
