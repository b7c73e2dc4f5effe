//! What every trace must keep to, whatever its bytes; and well-formed frames around bytes that are not.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use etl_parser::{Buffer, ErrorKind, Record, RecordKind, Trace};
use synth::{TraceBuilder, TraceOptions};

/// Size of the buffers that [`framed`] makes.
pub const FRAME_BYTES: usize = 0x1000;
/// `WMI_BUFFER_HEADER`.
pub const HEADER_BYTES: usize = 0x48;

/// Above this much announced data, records are not walked: the time goes into decompression, and nothing new is seen.
const MAX_WALKED_BYTES: u64 = 8 << 20;

/// Checks everything that must hold for a file of any bytes.
pub fn check(bytes: &[u8]) {
    let Ok(segments) = Trace::segments(bytes) else { return };
    let mut end = 0;
    for segment in &segments {
        assert_eq!(segment.start(), end, "segments leave no gap");
        end = segment.end();
        check_segment(segment);
    }
    assert_eq!(end, bytes.len() as u64, "segments reach the end of the file");
}

fn check_segment(trace: &Trace<'_>) {
    let mut behind = trace.start();
    let mut stored = 0_u64;
    let mut announced = 0_u64;
    for info in trace.buffers() {
        assert!(info.offset >= behind, "buffers do not overlap");
        behind = info.offset + u64::from(info.stored_bytes);
        assert!(behind <= trace.end(), "buffers stay in their segment");
        assert!(info.not_before <= info.not_after, "a buffer's time has a start and an end");
        stored += u64::from(info.stored_bytes);
        announced += u64::from(info.header.end_of_data());
    }
    let accounted = stored + trace.skipped_bytes() + trace.unwritten_bytes();
    assert_eq!(accounted, trace.bytes().len() as u64, "every byte is in a buffer, skipped or unwritten");
    assert!(trace.damage().len() as u64 <= trace.damaged());
    assert!(trace.damaged_buffers() <= trace.damaged());
    for error in trace.damage() {
        assert!(error.offset < trace.end(), "damage has a place in the file: {error}");
    }
    check_streams(trace);
    let mut order: Vec<usize> = trace.reading_order().collect();
    order.sort_unstable();
    assert!(order.iter().copied().eq(0..trace.buffers().len()), "the reading order has every buffer once");
    if announced <= MAX_WALKED_BYTES {
        check_orders(trace);
    }
}

fn check_streams(trace: &Trace<'_>) {
    let mut seen = vec![false; trace.buffers().len()];
    for stream in trace.streams() {
        let mut before = None;
        for position in stream.buffers() {
            let info = &trace.buffers()[position];
            assert!(!std::mem::replace(&mut seen[position], true), "a buffer is in one stream, once");
            assert_eq!(info.header.cpu(), stream.cpu);
            let key = (info.header.sequence_number, info.offset);
            assert!(before < Some(key), "sequence numbers and offsets rise in a stream");
            before = Some(key);
        }
    }
    assert!(seen.into_iter().all(|seen| seen), "every buffer is in a stream");
}

/// Walks every buffer by itself, then all in the order of time: the same records, none twice, and time never goes back.
fn check_orders(trace: &Trace<'_>) {
    let mut scratch = Vec::new();
    let mut records: BTreeMap<u32, u32> = BTreeMap::new();
    let mut errors = 0_u64;
    for position in 0..trace.buffers().len() {
        let buffer = trace.buffer(position, &mut scratch).expect("the position exists");
        let (count, failed) = check_buffer(&buffer);
        records.insert(buffer.info().index, count);
        errors += u64::from(failed);
    }
    let mut latest = i64::MIN;
    let mut ordered: BTreeMap<u32, u32> = BTreeMap::new();
    let mut ordered_errors = 0_u64;
    for item in trace.records() {
        let Ok(item) = item else {
            ordered_errors += 1;
            continue;
        };
        assert!(item.order_ticks() >= latest, "time never goes back");
        latest = item.order_ticks();
        let record = item.record();
        assert!(record.bytes().len() >= 8, "a record is never empty");
        let next = ordered.entry(record.buffer()).or_default();
        assert_eq!(record.index(), *next, "records of a buffer stay in their order");
        *next += 1;
    }
    records.retain(|_, count| *count > 0);
    assert_eq!(ordered, records, "the order of time has every record once");
    assert_eq!(ordered_errors, errors);
}

/// Walks one buffer; gives how many records it has, and whether the walk ended with damage.
fn check_buffer(buffer: &Buffer<'_>) -> (u32, bool) {
    let inside = buffer.bytes().as_ptr_range();
    let mut records = buffer.records();
    let mut pos = HEADER_BYTES as u32;
    let mut count = 0;
    let mut failed = false;
    while let Some(item) = records.next() {
        assert!(!failed, "a walk ends with its first error");
        match item {
            Ok(record) => {
                assert_eq!((record.pos(), record.index()), (pos, count));
                pos += (record.bytes().len() as u32).div_ceil(8).max(1) * 8;
                let own = record.bytes().as_ptr_range();
                assert!(own.start >= inside.start && own.end <= inside.end, "a record stays in its buffer");
                check_record(&record);
                count += 1;
            }
            Err(error) => {
                failed = true;
                assert!(records.remaining_bytes() > 0, "damage costs something: {error}");
            }
        }
    }
    // What is left without an error stands behind the mark that ends the data.
    let mark = buffer.bytes().get(pos as usize..).and_then(|rest| rest.first_chunk());
    assert!(failed || records.remaining_bytes() == 0 || mark == Some(&[0xFF; 4]), "nothing is left out silently");
    (count, failed)
}

/// What must hold for every record.
pub fn check_record(record: &Record<'_>) {
    assert!(record.bytes().len() >= 8, "a record is never empty");
    let _ = (record.ticks(), record.process_id(), record.thread_id(), record.header_guid(), record.id());
    let _ = (record.hook(), record.version(), record.pointer_size());
    let _ = (record.provider(), record.level(), record.opcode(), record.channel(), record.task(), record.keyword());
    let _ = record.activity_id();
    if let Err(error) = record.header() {
        assert_eq!((record.kind(), error.kind), (RecordKind::Message, ErrorKind::RecordTooShort));
    }
    let own = record.bytes().as_ptr_range();
    let mut behind = own.start;
    for item in record.extended_items() {
        let data = item.data.as_ptr_range();
        assert!(data.start >= behind && data.end <= own.end, "items stay in their record, one behind the other");
        behind = data.end;
    }
    match record.user_data() {
        Ok(payload) => {
            let payload = payload.as_ptr_range();
            assert!(payload.start >= behind && payload.end == own.end, "the payload is what is left of the record");
        }
        Err(error) => assert!(matches!(error.kind, ErrorKind::ExtendedItem | ErrorKind::RecordTooShort), "{error}"),
    }
}

/// The header buffer of a sound trace with buffers of [`FRAME_BYTES`].
pub fn header_buffer() -> &'static [u8] {
    static HEADER: OnceLock<Vec<u8>> = OnceLock::new();
    HEADER.get_or_init(|| {
        TraceBuilder::new(TraceOptions { buffer_size: FRAME_BYTES as u32, ..TraceOptions::default() }).finish()
    })
}

/// A sound trace of one data buffer, in which `records` stand as they are, as far as they fit.
pub fn framed(records: &[u8]) -> Vec<u8> {
    let mut trace = header_buffer().to_vec();
    push_buffer(&mut trace, 0, 1, records);
    trace
}

/// Appends a buffer with a right size and end of data.
pub fn push_buffer(trace: &mut Vec<u8>, cpu: u16, sequence: i64, records: &[u8]) {
    let records = &records[..records.len().min(FRAME_BYTES - HEADER_BYTES)];
    let end = (HEADER_BYTES + records.len()) as u32;
    let header = synth::buffer::BufferHeader {
        size: FRAME_BYTES as u32,
        saved_offset: end,
        offset: end,
        sequence,
        processor: cpu,
        state: 3,
        flags: synth::buffer::FLAG_PROCESSOR_INDEX,
        ..synth::buffer::BufferHeader::default()
    };
    let start = trace.len();
    trace.extend_from_slice(&header.encode());
    trace.extend_from_slice(records);
    trace.resize(start + FRAME_BYTES, 0xFF);
}
