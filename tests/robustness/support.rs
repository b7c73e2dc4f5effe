//! Sound traces to damage, and what reading gives.

use std::collections::BTreeMap;

use etl_parser::{Consequence, Error, ErrorKind, Trace};
use outofports::{Case, NoProgress, Options};
use serde_json::Value;
use synth::record::{Origin, Record};
use synth::{TraceBuilder, TraceOptions};

/// Size of the buffers of [`Sound`] traces.
pub const STRIDE: usize = 0x1000;
/// Where the payload of the log-file header record starts in a 64-bit trace.
pub const HEADER_PAYLOAD: usize = 0x48 + 0x20;

/// An undamaged trace.
#[derive(Clone)]
pub struct Sound {
    pub bytes: Vec<u8>,
    /// All records, the header record included.
    pub records: u64,
}

pub fn options() -> TraceOptions {
    TraceOptions { buffer_size: STRIDE as u32, processors: 2, ..TraceOptions::default() }
}

/// 300 System records of 160 bytes on two processors, each with its number: 25 fill a buffer.
pub fn sound() -> Sound {
    sound_with(options())
}

pub fn sound_with(options: TraceOptions) -> Sound {
    numbered(options, 300)
}

pub fn numbered(options: TraceOptions, count: i64) -> Sound {
    let processors = i64::from(options.processors.min(2));
    let mut builder = TraceBuilder::new(options);
    let t0 = builder.options().t0;
    for step in 0..count {
        let payload = [step.to_le_bytes(), step.wrapping_mul(0x9E37_79B9).to_le_bytes()].concat().repeat(8);
        let record = Record::System { origin: Origin::new(8, 12), hook: 0x0F2E, version: 2, payload: &payload };
        builder.record((step % processors) as u16, t0 + step * 100, &record);
    }
    let records = builder.records();
    Sound { bytes: builder.finish(), records }
}

impl Sound {
    /// A copy with one change.
    pub fn with(&self, change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        change(&mut bytes);
        bytes
    }

    /// Records of the buffer at `at`.
    pub fn records_at(&self, at: usize) -> u64 {
        let trace = Trace::new(&self.bytes).unwrap();
        let position = trace.buffers().iter().position(|info| info.offset == at as u64).unwrap();
        let mut scratch = Vec::new();
        let buffer = trace.buffer(position, &mut scratch).unwrap();
        buffer.records().count() as u64
    }
}

pub fn put16(bytes: &mut [u8], at: usize, value: u16) {
    bytes[at..at + 2].copy_from_slice(&value.to_le_bytes());
}

pub fn put32(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

pub fn put64(bytes: &mut [u8], at: usize, value: i64) {
    bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
}

pub fn get32(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

/// What reading a file gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    pub records: u64,
    pub damage: Vec<(ErrorKind, Consequence)>,
    /// Bytes that the index could put into no buffer.
    pub skipped: u64,
}

/// Reads everything there is in `bytes`: all segments, each buffer by itself and all by time, which must agree.
pub fn read(bytes: &[u8]) -> Result<Outcome, Error> {
    let mut outcome = Outcome { records: 0, damage: Vec::new(), skipped: 0 };
    for trace in Trace::segments(bytes)? {
        outcome.damage.extend(trace.damage().iter().map(|error| (error.kind, error.consequence)));
        outcome.skipped += trace.skipped_bytes();
        let mut scratch = Vec::new();
        let before = outcome.records;
        for position in 0..trace.buffers().len() {
            for record in trace.buffer(position, &mut scratch).unwrap().records() {
                match record {
                    Ok(_) => outcome.records += 1,
                    Err(error) => outcome.damage.push((error.kind, error.consequence)),
                }
            }
        }
        let mut latest = i64::MIN;
        let mut ordered = 0;
        for item in trace.records().flatten() {
            assert!(item.order_ticks() >= latest, "time goes back");
            latest = item.order_ticks();
            ordered += 1;
        }
        assert_eq!(ordered, outcome.records - before, "the order by time has every record once");
    }
    Ok(outcome)
}

/// Everything read, nothing wrong.
pub fn whole(records: u64) -> Outcome {
    Outcome { records, damage: Vec::new(), skipped: 0 }
}

/// One damage, told in the index; `skipped` bytes of it.
pub fn one(records: u64, kind: ErrorKind, consequence: Consequence, skipped: u64) -> Outcome {
    Outcome { records, damage: vec![(kind, consequence)], skipped }
}

/// Damage of a record: it costs the rest of its buffer.
pub fn rest_of_buffer(records: u64, kind: ErrorKind) -> Outcome {
    one(records, kind, Consequence::RestOfBuffer, 0)
}

/// What refusing a file says.
pub fn refused(bytes: &[u8]) -> (ErrorKind, String) {
    let error = read(bytes).unwrap_err();
    assert_eq!(error.consequence, Consequence::File);
    (error.kind, error.to_string())
}

/// The report of a file, made without the program, and the program's exit code.
pub fn report_on(bytes: &[u8], threads: usize) -> (Value, u8) {
    let mut options = Options::default();
    options.threads = threads;
    let analyzed = outofports::analyze(&Case::from_bytes("trace", bytes), &options, &NoProgress).unwrap();
    let coverage = &analyzed.report.coverage;
    let told =
        coverage.records_decoded + coverage.records_skipped + coverage.records_unknown + coverage.records_malformed;
    let records: u64 = analyzed.report.traces.iter().map(|trace| trace.records).sum();
    assert_eq!(told, records, "every record is accounted for");
    (serde_json::to_value(&analyzed.report).unwrap(), u8::from(!analyzed.is_complete))
}

/// Decoded, skipped, unknown, malformed records and skipped bytes, and the exit code.
pub fn coverage_of(bytes: &[u8]) -> ([u64; 5], u8) {
    let (report, code) = report_on(bytes, 1);
    let number = |key: &str| report["coverage"][key].as_u64().unwrap();
    let keys = ["records_decoded", "records_skipped", "records_unknown", "records_malformed", "bytes_skipped"];
    (keys.map(number), code)
}

/// The notes of the report.
pub fn notes_of(bytes: &[u8]) -> String {
    report_on(bytes, 1).0["coverage"]["notes"].to_string()
}

/// The records of each processor, in the order of its buffers.
pub fn streams(bytes: &[u8]) -> BTreeMap<u16, Vec<Vec<u8>>> {
    let mut streams: BTreeMap<u16, Vec<Vec<u8>>> = BTreeMap::new();
    let Ok(trace) = Trace::new(bytes) else { return streams };
    let mut scratch = Vec::new();
    for stream in trace.streams() {
        let records = streams.entry(stream.cpu).or_default();
        for position in stream.buffers() {
            let buffer = trace.buffer(position, &mut scratch).unwrap();
            records.extend(buffer.records().map_while(Result::ok).map(|record| record.bytes().to_vec()));
        }
    }
    streams
}

/// Whether each processor's records in `part` are the first ones that it has in `whole`.
pub fn is_prefix(part: &BTreeMap<u16, Vec<Vec<u8>>>, whole: &BTreeMap<u16, Vec<Vec<u8>>>) -> bool {
    part.iter().all(|(cpu, records)| whole.get(cpu).is_some_and(|all| all.starts_with(records)))
}

/// The steps of [`numbered`] in the order of time.
pub fn steps_by_time(bytes: &[u8]) -> Vec<i64> {
    let trace = Trace::new(bytes).unwrap();
    let items = trace.records().flatten();
    items
        .filter_map(|item| {
            let record = item.record();
            let payload = record.user_data().ok()?;
            let is_numbered = record.hook().is_some_and(|hook| hook.0 == 0x0F2E);
            is_numbered.then(|| i64::from_le_bytes(payload[..8].try_into().unwrap()))
        })
        .collect()
}

/// A trace of one processor whose data buffer holds these records as they are.
pub fn framed(records: &[&[u8]]) -> Vec<u8> {
    let mut builder = TraceBuilder::new(options());
    let t0 = builder.options().t0;
    for record in records {
        builder.raw(0, t0, record);
    }
    builder.finish()
}

/// A sound record of any kind, as bytes.
pub fn encoded(record: &Record<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    record.encode(synth::Pointer::Eight, options().t0, &mut bytes);
    bytes
}

/// A System record of 0x20 bytes.
pub fn known() -> Vec<u8> {
    encoded(&Record::System { origin: Origin::new(4, 8), hook: 0x0F2E, version: 2, payload: b"" })
}
