//! The whole of `analyze -f json`, in this process, from opening the file to the report.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

mod common;

use std::path::Path;

use common::Sample;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use synth::bulk::Bulk;

fn measure(c: &mut Criterion, name: &str, sample: &Sample, units: &[(&str, Throughput)]) {
    let mut group = c.benchmark_group(name);
    for threads in [Some(1), None] {
        for (unit, throughput) in units {
            let label = if threads.is_some() { "one-thread" } else { "all-threads" };
            group.throughput(throughput.clone());
            group.bench_function(BenchmarkId::new(label, unit), |b| {
                b.iter(|| common::check(&common::analyze(&[&sample.path], threads), sample));
            });
        }
    }
    group.finish();
}

fn packet_heavy(c: &mut Criterion) {
    let sample = common::packets(common::trace_bytes(), false);
    let records = Throughput::Elements(sample.expected.records);
    measure(c, "packets", &sample, &[("bytes", Throughput::Bytes(sample.bytes)), ("records", records)]);
}

fn afd_dense(c: &mut Criterion) {
    let sample = common::afd(common::trace_bytes(), false);
    let events = Throughput::Elements(sample.expected.afd_records);
    measure(c, "afd", &sample, &[("bytes", Throughput::Bytes(sample.bytes)), ("events", events)]);
}

/// Each socket has an address of its own: what is kept of closed ones must be little.
fn churn(c: &mut Criterion) {
    let sample = common::churn(common::trace_bytes());
    let events = Throughput::Elements(sample.expected.afd_records);
    measure(c, "churn", &sample, &[("bytes", Throughput::Bytes(sample.bytes)), ("events", events)]);
}

/// Throughput is that of decompressed data.
fn compressed(c: &mut Criterion) {
    for (name, sample) in [
        ("packets-compressed", common::packets(common::trace_bytes(), true)),
        ("afd-compressed", common::afd(common::trace_bytes(), true)),
    ] {
        let expanded = Throughput::Bytes(common::expanded_bytes(&sample.path));
        let events = Throughput::Elements(sample.expected.afd_records);
        measure(c, name, &sample, &[("bytes", expanded), ("events", events)]);
    }
}

/// A pool as large as ports allow, and more sockets at once than it has.
fn many_sockets(c: &mut Criterion) {
    let path = common::folder().join("sockets.etl");
    let sample =
        common::write_bulk(&path, &Bulk { size: common::trace_bytes(), pool: Some(60_000), ..Bulk::default() });
    let events = Throughput::Elements(sample.expected.afd_records);
    measure(c, "large-pools", &sample, &[("events", events)]);
}

fn many_processes(c: &mut Criterion) {
    let path = common::folder().join("processes.etl");
    let bulk = Bulk { size: common::trace_bytes(), processes: Some(5000), ..Bulk::default() };
    let sample = common::write_bulk(&path, &bulk);
    let events = Throughput::Elements(sample.expected.afd_records);
    measure(c, "many-processes", &sample, &[("events", events)]);
}

/// A folder of small traces as one case, one session after the other.
fn many_small(c: &mut Criterion) {
    const FILES: u32 = 200;
    const BYTES: u64 = 128 << 10;
    let folder = common::folder().join("small");
    std::fs::create_dir_all(&folder).unwrap();
    let sample = |number: u32| {
        let path = folder.join(format!("{number:04}.etl"));
        common::write_bulk(&path, &Bulk { size: BYTES, later_seconds: 2 * number, ..Bulk::default() })
    };
    let samples: Vec<Sample> = (0..FILES).map(sample).collect();
    let records: u64 = samples.iter().map(|sample| sample.expected.records).sum();
    let mut group = c.benchmark_group("many-small");
    group.throughput(Throughput::Elements(FILES.into()));
    for threads in [Some(1), None] {
        let label = if threads.is_some() { "one-thread" } else { "all-threads" };
        group.bench_function(label, |b| {
            b.iter(|| {
                let report = common::analyze(&[Path::new(&folder)], threads);
                let traces = report["traces"].as_array().unwrap();
                assert_eq!(traces.iter().map(|trace| trace["records"].as_u64().unwrap()).sum::<u64>(), records);
            });
        });
    }
    group.finish();
}

fn settings() -> Criterion {
    Criterion::default().sample_size(10)
}

criterion_group! { name = benches; config = settings(); targets = packet_heavy, afd_dense, churn, many_sockets, many_processes, compressed, many_small }
criterion_main!(benches);
