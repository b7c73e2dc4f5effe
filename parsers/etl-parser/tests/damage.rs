//! Damage costs as little as possible, and is told: on traces written by code that shares nothing with the reader.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use etl_parser::{Consequence, Error, ErrorKind, FileTime, Trace};
use synth::record::{Descriptor, Extended, Origin, Record};
use synth::{TraceBuilder, TraceOptions};

/// An uncompressed trace of many equal buffers, records of which carry their number.
fn trace() -> (Vec<u8>, usize, u64) {
    written(TraceOptions { buffer_size: 0x1000, ..TraceOptions::default() })
}

fn written(options: TraceOptions) -> (Vec<u8>, usize, u64) {
    let size = options.buffer_size as usize;
    let mut builder = TraceBuilder::new(options);
    let t0 = builder.options().t0;
    for step in 0..300_i64 {
        let payload = [step.to_le_bytes(), step.wrapping_mul(0x9E37_79B9).to_le_bytes()].concat().repeat(8);
        let record = Record::System { origin: Origin::new(8, 12), hook: 0x0F2E, version: 2, payload: &payload };
        builder.record((step % 2) as u16, t0 + step * 100, &record);
    }
    let records = builder.records();
    (builder.finish(), size, records)
}

/// Records that can be read, and all damage, of the index and of the walk.
fn walk(bytes: &[u8]) -> (u64, Vec<Error>) {
    let trace = Trace::new(bytes).unwrap();
    let mut damage = trace.damage().to_vec();
    let mut records = 0;
    let mut scratch = Vec::new();
    for position in 0..trace.buffers().len() {
        for record in trace.buffer(position, &mut scratch).unwrap().records() {
            match record {
                Ok(_) => records += 1,
                Err(error) => damage.push(error),
            }
        }
    }
    assert_eq!(trace.damaged() as usize, trace.damage().len());
    (records, damage)
}

fn kinds(damage: &[Error]) -> Vec<ErrorKind> {
    damage.iter().map(|error| error.kind).collect()
}

fn put32(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

/// Records of the buffer at `at`.
fn records_of(bytes: &[u8], at: usize) -> u64 {
    let trace = Trace::new(bytes).unwrap();
    let position = trace.buffers().iter().position(|info| info.offset == at as u64).unwrap();
    let mut scratch = Vec::new();
    let buffer = trace.buffer(position, &mut scratch).unwrap();
    buffer.records().count() as u64
}

#[test]
fn a_size_that_leads_to_another_buffer_is_not_believed_where_buffers_are_equal() {
    let (whole, size, records) = trace();
    for wrong in [2 * size as u32, 4 * size as u32, 0x180, size as u32 - 8, 0x100_0000] {
        let mut bytes = whole.clone();
        put32(&mut bytes, 3 * size, wrong);
        let (read, damage) = walk(&bytes);
        assert_eq!((read, kinds(&damage)), (records, vec![ErrorKind::IrregularBufferSize]), "{wrong:#x}");
        assert_eq!(damage[0].consequence, Consequence::Nothing);
    }
}

#[test]
fn events_first_or_record_by_record_the_walk_is_the_same() {
    let mut builder = TraceBuilder::new(TraceOptions { buffer_size: 0x1000, ..TraceOptions::default() });
    let t0 = builder.options().t0;
    let items = [Extended::ProcessStartKey(5)];
    for step in 0..120_u16 {
        let (origin, payload) = (Origin::new(8, 12), &[7; 40][..usize::from(step % 40)]);
        let (provider, activity) = (synth::Guid::new(step.into(), 2, 3, [4; 8]), synth::Guid::default());
        let descriptor = Descriptor { id: step, ..Descriptor::default() };
        let extended = if step % 5 == 0 { &items[..] } else { &[] };
        let record = match step % 3 {
            0 => Record::System { origin, hook: 0x0F2E, version: 2, payload },
            _ => Record::Event { origin, provider, descriptor, activity, extended, payload },
        };
        builder.record(step % 2, t0 + i64::from(step) * 100, &record);
    }
    let whole = builder.finish();
    let (mut events, mut damaged) = (0, 0);
    for at in (0..whole.len()).step_by(19) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x80 | at as u8;
        let Ok(trace) = Trace::new(&bytes) else { continue };
        for position in 0..trace.buffers().len() {
            let mut scratch = Vec::new();
            let Ok(buffer) = trace.buffer(position, &mut scratch) else { continue };
            let facts =
                |record: etl_parser::Record<'_>| (record.pos(), record.index(), record.kind(), record.bytes().len());
            let (mut one_by_one, mut damage) = (Vec::new(), None);
            for item in buffer.records() {
                match item {
                    Ok(record) => one_by_one.push(facts(record)),
                    Err(error) => damage = Some(error),
                }
            }
            let (mut records, mut events_first) = (buffer.records(), Vec::new());
            loop {
                if let Some((head, record)) = records.next_event() {
                    assert_eq!((Some(head.id()), Some(head.ticks())), (record.id(), record.ticks()));
                    assert_eq!((head.process_id(), Some(head.provider())), (record.process_id(), record.provider()));
                    assert_eq!(Some(head.version()), record.version());
                    events += 1;
                    events_first.push(facts(record));
                } else if let Some(record) = records.next_whole() {
                    events_first.push(facts(record));
                } else {
                    break;
                }
            }
            assert_eq!(events_first, one_by_one);
            damaged += u64::from(damage.is_some());
            assert_eq!(records.take_damage(), damage);
        }
    }
    assert!(events > 100 && damaged > 10, "{events} events, {damaged} damaged buffers");
}

#[test]
fn zeros_over_a_header_are_damage_and_zeros_over_a_buffer_are_room() {
    let (mut bytes, size, records) = trace();
    let lost = records_of(&bytes, 3 * size);
    bytes[3 * size..3 * size + 72].fill(0);
    let (read, damage) = walk(&bytes);
    assert_eq!((read, kinds(&damage)), (records - lost, vec![ErrorKind::BufferSizeOutOfRange]));
    bytes[3 * size..4 * size].fill(0);
    let (read, damage) = walk(&bytes);
    assert_eq!((read, damage), (records - lost, vec![]));
    assert_eq!(Trace::new(&bytes).unwrap().unwritten_bytes(), size as u64);
}

#[test]
fn the_search_behind_damage_keeps_to_the_raster_and_finds_a_cut_last_buffer() {
    let (mut bytes, size, records) = trace();
    let last = bytes.len() - size;
    let lost = records_of(&bytes, last - size);
    put32(&mut bytes, last - size, 0);
    bytes.truncate(bytes.len() - 16);
    let (read, damage) = walk(&bytes);
    assert_eq!(read, records - lost);
    assert_eq!(kinds(&damage), [ErrorKind::BufferSizeOutOfRange, ErrorKind::Truncated]);
    assert_eq!(damage[1].consequence, Consequence::Nothing, "only slack was cut");
}

#[test]
fn one_wrong_time_stamp_moves_its_own_buffer_at_most() {
    let (whole, size, records) = trace();
    for ticks in [i64::MAX, 0, i64::MIN] {
        let mut bytes = whole.clone();
        // The first record of a buffer in the middle: system header, time stamp at 0x10.
        let at = 5 * size + 0x48 + 0x10;
        bytes[at..at + 8].copy_from_slice(&ticks.to_le_bytes());
        let trace = Trace::new(&bytes).unwrap();
        let ordered: Vec<(i64, u32)> = trace
            .records()
            .map(|item| item.map(|item| (item.order_ticks(), item.record().buffer())).unwrap())
            .collect();
        assert_eq!(ordered.len() as u64, records);
        let steps: Vec<i64> = trace
            .records()
            .filter_map(|item| {
                let item = item.unwrap();
                let record = item.record();
                let payload = record.user_data().ok().filter(|_| record.buffer() != 5 && record.bytes()[7] == 0x0F)?;
                Some(i64::from_le_bytes(payload[..8].try_into().unwrap()))
            })
            .collect();
        assert!(steps.is_sorted(), "{ticks}: records of other buffers keep their order");
    }
}

#[test]
fn a_stream_that_stops_in_the_middle_is_told_as_such() {
    let (mut bytes, _, records) = written(TraceOptions { compressed: true, ..TraceOptions::default() });
    let trace = Trace::new(&bytes).unwrap();
    let info = trace.buffers()[2].clone();
    let at = info.offset as usize;
    let (end, stored) = (at + 72, info.stored_bytes as usize);
    drop(trace);
    // From the middle on, matches that point before the start of the buffer.
    bytes[end + stored / 2..at + stored].fill(0xFF);
    let (read, damage) = walk(&bytes);
    assert!(read < records && read > 0);
    assert_eq!(damage.len(), 1, "{damage:?}");
    assert!(matches!(damage[0].kind, ErrorKind::Decompression | ErrorKind::UnknownMarker | ErrorKind::RecordTooLong));
    assert_eq!(damage[0].consequence, Consequence::RestOfBuffer);
}

#[test]
fn a_small_file_cannot_ask_for_endless_decompression() {
    let (bytes, ..) = written(TraceOptions { compressed: true, ..TraceOptions::default() });
    let first = u32::from_le_bytes(bytes[..4].try_into().unwrap()) as usize;
    let mut hostile = bytes[..first].to_vec();
    // The header record allows 16 MiB; each buffer of 96 bytes announces as much.
    put32(&mut hostile, 0x48 + 0x20, 0x100_0000);
    for number in 0..10_000_u32 {
        let mut buffer = vec![0_u8; 96];
        put32(&mut buffer, 0, 96);
        put32(&mut buffer, 0x18, number + 1);
        buffer[0x28..0x2A].copy_from_slice(&((number % 2048) as u16).to_le_bytes());
        put32(&mut buffer, 0x30, 0x100_0000);
        buffer[0x34] = 0x60;
        // One literal, then a match that fills the rest.
        buffer[72..88].copy_from_slice(&[0, 0, 0, 0x40, 0xC0, 7, 0, 15, 255, 0, 0, 0xFF, 0xFF, 0xFF, 0x7F, 0]);
        hostile.extend(buffer);
    }
    let trace = Trace::new(&hostile).unwrap();
    assert!(trace.damage().iter().any(|error| error.kind == ErrorKind::ExpansionBudget));
    let announced: u64 = trace.buffers().iter().map(|info| u64::from(info.header.end_of_data())).sum();
    assert!(announced <= (64 << 20) + 1024 * hostile.len() as u64);
}

#[test]
fn what_is_no_trace_says_which_number_is_wrong() {
    let (whole, ..) = trace();
    let refused = |edit: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = whole.clone();
        edit(&mut bytes);
        let error = Trace::new(&bytes).unwrap_err();
        assert_eq!(error.consequence, Consequence::File);
        error.to_string()
    };
    assert!(refused(&|b| b.truncate(71)).contains("the file's size is 0x47, expected 0x48"));
    assert!(refused(&|b| b.truncate(0x100)).contains("the file ends early"));
    assert!(refused(&|b| put32(b, 0, 7)).contains("the first buffer's size is 0x7"));
    assert!(refused(&|b| put32(b, 0x30, 0x2000)).contains("end of data is 0x2000, expected 0x1000"));
    assert!(refused(&|b| put32(b, 0x48, 0)).contains("the first record's marker is 0x0"));
    assert!(refused(&|b| b[0x48 + 6] = 5).contains("the first record's hook id is 0x5"));
}

#[test]
fn sessions_put_together_are_segments_with_their_own_clocks() {
    let (first, ..) = trace();
    let day = 864_000_000_000;
    let defaults = TraceOptions::default();
    let later = TraceOptions {
        buffer_size: 0x2000,
        start_time: defaults.start_time + day,
        t0: defaults.t0 + 77_777_777,
        clock: synth::Clock::Qpc { freq: 3_579_545 },
        ..defaults
    };
    let (start, t0) = (later.start_time, later.t0);
    let (second, _, records) = written(later);
    let whole = [first.clone(), second].concat();
    let segments = Trace::segments(&whole).unwrap();
    assert_eq!(segments.len(), 2);
    assert_eq!((segments[0].start(), segments[0].end()), (0, first.len() as u64));
    assert_eq!((segments[1].start(), segments[1].end()), (first.len() as u64, whole.len() as u64));
    assert_eq!(segments[1].clock().file_time(t0), FileTime(start));
    assert_eq!(segments[1].records().filter(Result::is_ok).count() as u64, records);
    assert_eq!(segments[1].buffers()[1].offset, first.len() as u64 + 0x2000);
    assert!(segments.iter().all(|segment| segment.damaged() == 0));
    assert_eq!(Trace::segments(&first).unwrap().len(), 1);
}

#[test]
fn buffers_of_windows_xp_have_no_flags_and_no_sequence_numbers() {
    let (mut bytes, size, records) = trace();
    bytes[0x48 + 0x20 + 4] = 5;
    bytes[0x48 + 0x20 + 5] = 1;
    for at in (0..bytes.len()).step_by(size) {
        // A GUID where a sequence number would stand, and 64 lost events where flags would.
        bytes[at + 0x18..at + 0x28].fill(0xAB);
        put32(&mut bytes, at + 0x34, 64);
    }
    let (read, damage) = walk(&bytes);
    assert_eq!((read, damage), (records, vec![]));
    let trace = Trace::new(&bytes).unwrap();
    for stream in trace.streams() {
        assert!(stream.buffers().is_sorted());
    }
}

#[test]
fn a_trace_without_its_first_buffer_is_read_with_times_from_its_first_record() {
    for compressed in [false, true] {
        let (whole, ..) = written(TraceOptions { compressed, buffer_size: 0x1000, ..TraceOptions::default() });
        let first = u32::from_le_bytes(whole[..4].try_into().unwrap()) as usize;
        let trace = Trace::new(&whole).unwrap();
        let in_first = records_of(&whole, 0);
        let all = trace.records().count() as u64;
        let rest = &whole[first..];
        let headless = Trace::new(rest).unwrap();
        assert!(!headless.has_header() && trace.has_header());
        assert!(headless.clock().is_assumed());
        assert_eq!(headless.records().filter(Result::is_ok).count() as u64, all - in_first);
        assert_eq!(headless.damaged(), 0);
        let ticks = headless.records().next().unwrap().unwrap().order_ticks();
        assert!(headless.clock().file_time(ticks) < FileTime(10_000_000), "times count from the first record");
    }
    assert!(Trace::new(&b"0123456789abcdef".repeat(1000)).is_err());
}
