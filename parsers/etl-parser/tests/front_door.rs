//! The crate as somebody uses it who never saw it: open, records, fields by name.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::path::Path;

use etl_parser::{Consequence, ErrorKind, EtlFile, FileTime, Guid};
use synth::record::{Descriptor, Origin, Record as Written};
use synth::{TraceBuilder, TraceOptions};

const PROVIDER: Guid = Guid::from_u128(0x1234_5678_9abc_def0_0102_0304_0506_0708);
const ORIGIN: Origin = Origin { process: 4120, thread: 77, kernel_time: 0, user_time: 0 };

fn event(id: u16) -> Written<'static> {
    Written::Event {
        origin: ORIGIN,
        provider: synth::Guid(PROVIDER.to_wire()),
        descriptor: Descriptor { id, version: 2, level: 4, opcode: 12, keyword: 1 << 63, ..Descriptor::default() },
        activity: synth::Guid([0; 16]),
        extended: &[],
        payload: b"user data",
    }
}

#[test]
fn a_real_trace_in_a_few_lines() -> Result<(), Box<dyn std::error::Error>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus/kernel-process-win7.etl");
    if !path.exists() {
        println!("no corpus at {}: nothing read", path.display());
        return Ok(());
    }
    let file = EtlFile::open(path)?;
    let trace = file.trace()?;
    let wanted: Guid = "22fb2cd6-0e7b-422b-a0c7-2fad1fd0e716".parse()?;
    let mut count = 0;
    let mut latest = FileTime::default();
    for record in trace.records() {
        let record = record?;
        assert!(record.order_time() >= latest, "time never goes back");
        latest = record.order_time();
        if record.provider() == Some(wanted) {
            count += 1;
            assert!(record.id().is_some() && record.level().is_some() && record.keyword().is_some());
            assert!(record.process_id().is_some() && record.time().to_rfc3339().is_some());
        }
    }
    assert_eq!(count, 10_343);
    Ok(())
}

#[test]
fn fields_have_names_and_records_know_their_time() {
    for compressed in [false, true] {
        let options = TraceOptions { compressed, ..TraceOptions::default() };
        let (start, t0) = (options.start_time, options.t0);
        let mut builder = TraceBuilder::new(options);
        for step in 0..100_i64 {
            builder.record((step % 3) as u16, t0 + 100 * step, &event(step as u16));
        }
        let file = EtlFile::from_bytes(builder.finish());
        let trace = file.trace().unwrap();
        // Records outlive the iterator, and the buffer that they were in.
        let records: Vec<_> = trace.records().map(Result::unwrap).filter(|r| r.provider() == Some(PROVIDER)).collect();
        assert_eq!(records.len(), 100);
        for (record, step) in records.iter().zip(0_u16..) {
            assert_eq!((record.id(), record.version(), record.level()), (Some(step), Some(2), Some(4)));
            assert_eq!((record.opcode(), record.keyword()), (Some(12), Some(1 << 63)));
            assert_eq!((record.process_id(), record.thread_id()), (Some(4120), Some(77)));
            assert_eq!((record.cpu(), record.user_data().unwrap()), (step % 3, &b"user data"[..]));
            assert_eq!(record.time(), trace.clock().file_time(t0 + 100 * i64::from(step)));
            assert_eq!(record.order_time(), record.time());
            assert_eq!((record.kind(), record.record().id()), (etl_parser::RecordKind::EventHeader, Some(step)));
        }
        assert_eq!(records[0].time(), FileTime(start));
    }
}

#[test]
fn a_record_without_a_time_stamp_takes_that_of_the_one_before_it() {
    let options = TraceOptions::default();
    let t0 = options.t0;
    let mut builder = TraceBuilder::new(options);
    builder.record(0, t0 + 5000, &event(1));
    // The header type of the second one has no layout: only its marker is known.
    builder.record(0, t0 + 9000, &event(2));
    let mut bytes = builder.finish();
    let marker = [0xC0, 0x13].iter().rev().copied().collect::<Vec<u8>>();
    let second = bytes.windows(2).rposition(|pair| pair == marker).unwrap();
    bytes[second] = 0x0E;
    let file = EtlFile::from_bytes(bytes);
    let trace = file.trace().unwrap();
    let last = trace.records().last().unwrap().unwrap();
    assert_eq!((last.kind(), last.record().ticks(), last.id()), (etl_parser::RecordKind::Other, None, None));
    assert_eq!(last.time(), trace.clock().file_time(t0 + 5000));
}

#[test]
fn damage_is_an_item_and_the_records_behind_it_follow() {
    let options = TraceOptions::default();
    let (t0, size) = (options.t0, options.buffer_size as usize);
    let mut builder = TraceBuilder::new(options);
    for step in 0..2000_i64 {
        builder.record(0, t0 + step, &event(7));
    }
    let mut bytes = builder.finish();
    let whole = EtlFile::from_bytes(bytes.clone()).trace().unwrap().records().count();
    // The marker of the first record of a buffer in the middle.
    bytes[2 * size + 0x48..][..4].fill(0);
    let file = EtlFile::from_bytes(bytes);
    let trace = file.trace().unwrap();
    let items: Vec<_> = trace.records().collect();
    let place = items.iter().position(Result::is_err).unwrap();
    let error = items[place].as_ref().unwrap_err();
    assert_eq!((error.kind, error.consequence), (ErrorKind::UnknownMarker, Consequence::RestOfBuffer));
    assert_eq!(error.buffer, Some(2));
    assert!(place > 0 && items[place + 1..].iter().all(Result::is_ok));
    assert!(items.len() - place > 100, "{} of {whole} items", items.len());
}
