//! Counts the records of each provider in a trace: `cargo run --example count_providers -- TRACE.etl`.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::collections::BTreeMap;

use etl_parser::{EtlFile, Guid};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args_os().nth(1).ok_or("usage: count_providers TRACE.etl")?;
    let file = EtlFile::open(path)?;
    let mut counts: BTreeMap<Option<Guid>, u64> = BTreeMap::new();
    // A file to which sessions were appended holds one trace for each.
    for trace in file.traces()? {
        for record in trace.records() {
            match record {
                Ok(record) => *counts.entry(record.provider()).or_default() += 1,
                // Says where, and what it costs; the records behind it follow.
                Err(damage) => eprintln!("{damage}"),
            }
        }
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    for (provider, count) in counts {
        let provider = provider.map_or_else(|| "(none)".to_owned(), |provider| provider.to_string());
        println!("{count:>10}  {provider}");
    }
    Ok(())
}
