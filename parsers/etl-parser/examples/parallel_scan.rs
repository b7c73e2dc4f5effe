//! Walks all buffers of a trace on all processors, and counts records, bytes of payload and damage:
//! `cargo run --release --example parallel_scan -- TRACE.etl`.
//!
//! The order of records does not matter here. Where it does, take buffers in `Trace::reading_order`, and put the results
//! into that order again.
#![allow(clippy::print_stdout)]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use etl_parser::{EtlFile, Trace};

/// Buffers that a thread takes at once: enough for their headers to come from memory at the same time.
const GROUP: usize = 16;

#[derive(Default)]
struct Counts {
    records: u64,
    payload_bytes: u64,
    damaged: u64,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args_os().nth(1).ok_or("usage: parallel_scan TRACE.etl")?;
    let file = EtlFile::open(path)?;
    let trace = file.trace()?;
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicUsize::new(0);
    let mut all = Counts::default();
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(|| scan(&trace, &next))).collect();
        for worker in workers {
            // A thread that panicked has printed why.
            let Ok(part) = worker.join() else { continue };
            all.records += part.records;
            all.payload_bytes += part.payload_bytes;
            all.damaged += part.damaged;
        }
    });
    // Damage between buffers shows when the trace is opened.
    let damaged = all.damaged + trace.damaged();
    println!("{} records, {} bytes of payload, {damaged} damaged places", all.records, all.payload_bytes);
    Ok(())
}

/// Takes groups of buffers until there are none.
fn scan(trace: &Trace<'_>, next: &AtomicUsize) -> Counts {
    let mut counts = Counts::default();
    let mut scratch = Vec::new();
    loop {
        let first = next.fetch_add(GROUP, Ordering::Relaxed);
        let group = first..trace.buffers().len().min(first.saturating_add(GROUP));
        if group.is_empty() {
            return counts;
        }
        trace.prefetch(group.clone());
        for position in group {
            let Ok(buffer) = trace.buffer(position, &mut scratch) else { continue };
            for record in buffer.records() {
                match record.and_then(|record| record.user_data()) {
                    Ok(payload) => {
                        counts.records += 1;
                        counts.payload_bytes += payload.len() as u64;
                    }
                    Err(_) => counts.damaged += 1,
                }
            }
        }
    }
}
