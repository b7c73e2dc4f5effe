//! Prints all events of a trace, decoded, one JSON object on each line:
//! `cargo run --features serde --example ndjson -- TRACE.etl`.
#![allow(clippy::print_stderr)]

use std::io::{self, BufWriter, Write};

use etl_parser::{EtlFile, FileTime, Guid};
use etw_schema::{FieldValues, Schemas};
use serde::Serialize;

#[derive(Serialize)]
struct Line<'e> {
    time: FileTime,
    cpu: u16,
    process_id: Option<u32>,
    thread_id: Option<u32>,
    provider: Option<Guid>,
    provider_name: Option<&'e str>,
    id: Option<u16>,
    version: Option<u8>,
    name: Option<String>,
    /// In the order of the payload; `null` where the event could not be decoded.
    fields: Option<&'e FieldValues>,
    /// Bytes that no field took.
    leftover_bytes: Option<usize>,
    /// Why not all fields are there, or why there are none.
    problem: Option<String>,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args_os().nth(1).ok_or("usage: ndjson TRACE.etl")?;
    let file = EtlFile::open(path)?;
    let mut out = BufWriter::new(io::stdout().lock());
    for trace in file.traces()? {
        let schemas = Schemas::from_trace(&trace);
        for record in trace.records() {
            let record = match record {
                Ok(record) => record,
                Err(damage) => {
                    eprintln!("{damage}");
                    continue;
                }
            };
            let decoded = schemas.decode(&record);
            let event = decoded.as_ref().ok();
            let line = Line {
                time: record.time(),
                cpu: record.cpu(),
                process_id: record.process_id(),
                thread_id: record.thread_id(),
                provider: record.provider(),
                provider_name: event.and_then(|event| event.provider_name()),
                id: record.id(),
                version: record.version(),
                name: event.and_then(|event| event.name()),
                fields: event.map(|event| event.fields()),
                leftover_bytes: event.map(|event| event.leftover_bytes()),
                problem: match &decoded {
                    Ok(event) => event.missing().map(ToString::to_string),
                    Err(reason) => Some(reason.to_string()),
                },
            };
            serde_json::to_writer(&mut out, &line)?;
            out.write_all(b"\n")?;
        }
    }
    out.flush()?;
    Ok(())
}
