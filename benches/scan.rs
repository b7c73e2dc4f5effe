//! Below the analysis: memory alone, the walk over record headers, decompression.

#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use etl_parser::{EtlFile, Trace};

/// Bytes of a cache line.
const LINE: usize = 64;

/// Touches every cache line of a part: the least that a reader of all bytes must do.
fn touch(part: &[u8]) -> u64 {
    part.iter().step_by(LINE).map(|byte| u64::from(*byte)).sum()
}

/// The yardstick: two threads touch every cache line of a freshly mapped file.
fn touch_baseline(c: &mut Criterion) {
    let sample = common::packets(common::trace_bytes(), false);
    let mut group = c.benchmark_group("touch");
    group.throughput(Throughput::Bytes(sample.bytes));
    let expected: u64 = touch(&std::fs::read(&sample.path).unwrap());
    for threads in [1, 2] {
        group.bench_function(BenchmarkId::from_parameter(threads), |b| {
            b.iter(|| {
                let file = EtlFile::open(&sample.path).unwrap();
                let bytes = file.bytes();
                let length = bytes.len().div_ceil(threads).next_multiple_of(LINE);
                let sum: u64 = std::thread::scope(|scope| {
                    let parts: Vec<_> = bytes.chunks(length).map(|part| scope.spawn(|| touch(part))).collect();
                    parts.into_iter().map(|part| part.join().unwrap()).sum()
                });
                assert_eq!(black_box(sum), expected);
            });
        });
    }
    group.finish();
}

/// All records of all buffers, on one thread, without looking into them.
fn record_walk(c: &mut Criterion) {
    let bytes = common::trace_bytes();
    let mut group = c.benchmark_group("walk");
    for (name, sample) in [
        ("packets", common::packets(bytes, false)),
        ("afd", common::afd(bytes, false)),
        ("packets-compressed", common::packets(bytes, true)),
    ] {
        for (unit, throughput) in
            [("bytes", Throughput::Bytes(sample.bytes)), ("records", Throughput::Elements(sample.expected.records))]
        {
            group.throughput(throughput);
            group.bench_function(BenchmarkId::new(name, unit), |b| {
                b.iter(|| {
                    let file = EtlFile::open(&sample.path).unwrap();
                    let trace = Trace::new(file.bytes()).unwrap();
                    let mut scratch = Vec::new();
                    let mut records = 0;
                    for position in 0..trace.buffers().len() {
                        let buffer = trace.buffer(position, &mut scratch).unwrap();
                        records += buffer.records().map(|record| u64::from(black_box(record).is_ok())).sum::<u64>();
                    }
                    assert_eq!(records, sample.expected.records);
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, touch_baseline, record_walk);
criterion_main!(benches);
