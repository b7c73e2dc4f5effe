//! Every record kind, in both widths, from traces written by code that shares nothing with the reader.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use etl_parser::{
    Clock, ClockKind, ErrorKind, ExtendedItemType, FileTime, Guid, HookId, PointerSize, Record, RecordHeader,
    RecordKind, Trace,
};
use synth::record::{Descriptor, Extended, Origin, Record as Written};
use synth::{Pointer, TraceBuilder, TraceOptions};

const PROVIDER: synth::Guid = synth::Guid::new(0x1234_5678, 0x9abc, 0xdef0, [1, 2, 3, 4, 5, 6, 7, 8]);
const ACTIVITY: synth::Guid = synth::Guid::new(0xAABB_CCDD, 1, 2, [9; 8]);
const ORIGIN: Origin = Origin { process: 4120, thread: 77, kernel_time: 5, user_time: 6 };

fn guid() -> Guid {
    Guid::from_u128(0x1234_5678_9abc_def0_0102_0304_0506_0708)
}

fn options(pointer: Pointer) -> TraceOptions {
    TraceOptions { pointer, ..TraceOptions::default() }
}

/// Writes `record` at `ticks` on CPU 1, reads it back, and hands it to `check`.
fn round_trip(pointer: Pointer, record: &Written<'_>, check: impl FnOnce(Record<'_>, i64)) {
    let mut builder = TraceBuilder::new(options(pointer));
    let ticks = builder.options().t0 + 12_345;
    builder.record(1, ticks, record);
    let bytes = builder.finish();
    let trace = Trace::new(&bytes).unwrap();
    assert_eq!(trace.damage(), []);
    let mut scratch = Vec::new();
    let position = trace.streams().iter().find(|stream| stream.cpu == 1).unwrap().buffers().next().unwrap();
    let buffer = trace.buffer(position, &mut scratch).unwrap();
    let mut records = buffer.records();
    let record = records.next().unwrap().unwrap();
    assert!(records.next().is_none());
    assert_eq!(record.cpu(), 1);
    check(record, ticks);
}

fn both_widths(record: &Written<'_>, check: impl Fn(Record<'_>, i64)) {
    for (pointer, size) in [(Pointer::Four, PointerSize::Four), (Pointer::Eight, PointerSize::Eight)] {
        round_trip(pointer, record, |record, ticks| {
            assert_eq!(record.pointer_size(), Some(size));
            check(record, ticks);
        });
    }
}

#[test]
fn event_with_extended_items() {
    let descriptor =
        Descriptor { id: 1029, version: 3, channel: 16, level: 4, opcode: 12, task: 7, keyword: 0x8000_0004 };
    let extended = [
        Extended::RelatedActivity(ACTIVITY),
        Extended::StackTrace { match_id: 9, frames: &[1, 2, 3] },
        Extended::ProcessStartKey(5),
        Extended::Raw { kind: 0x1234, data: b"odd" },
    ];
    let record = Written::Event {
        origin: ORIGIN,
        provider: PROVIDER,
        descriptor,
        activity: ACTIVITY,
        extended: &extended,
        payload: b"user data",
    };
    both_widths(&record, |record, ticks| {
        assert_eq!(record.kind(), RecordKind::EventHeader);
        assert_eq!((record.ticks(), record.process_id(), record.thread_id()), (Some(ticks), Some(4120), Some(77)));
        assert_eq!((record.header_guid(), record.id(), record.version()), (Some(guid()), Some(1029), Some(3)));
        let RecordHeader::Event(header) = record.header().unwrap() else { panic!() };
        assert_eq!((header.channel, header.level, header.opcode, header.task), (16, 4, 12, 7));
        assert_eq!((header.keyword, header.cpu_times), (0x8000_0004, [5, 6]));
        assert_eq!((record.channel(), record.level(), record.opcode()), (Some(16), Some(4), Some(12)));
        assert_eq!((record.task(), record.keyword()), (Some(7), Some(0x8000_0004)));
        assert_eq!((record.provider(), record.activity_id()), (Some(guid()), Some(header.activity_id)));
        assert_eq!(header.activity_id.to_string(), "aabbccdd-0001-0002-0909-090909090909");
        let types: Vec<u16> = record.extended_items().map(|item| item.item_type.0).collect();
        let stack = if record.pointer_size() == Some(PointerSize::Four) { 5 } else { 6 };
        assert_eq!(types, [1, stack, 13, 0x1234]);
        let odd = record.extended_items().last().unwrap();
        assert_eq!((odd.item_type, odd.data), (ExtendedItemType(0x1234), &b"odd"[..]));
        assert_eq!(record.user_data().unwrap(), b"user data");
    });
}

#[test]
fn system_and_compact() {
    let payload = &b"payload"[..];
    let system = Written::System { origin: ORIGIN, hook: 0x0301, version: 4, payload };
    both_widths(&system, |record, ticks| {
        assert_eq!(record.kind(), RecordKind::System);
        assert_eq!((record.hook(), record.id(), record.version()), (Some(HookId(0x0301)), Some(1), Some(4)));
        assert_eq!((record.ticks(), record.process_id(), record.thread_id()), (Some(ticks), Some(4120), Some(77)));
        let RecordHeader::System(header) = record.header().unwrap() else { panic!() };
        assert_eq!(header.cpu_times, Some([5, 6]));
        assert_eq!(record.provider().unwrap().to_string(), "3d6fa8d0-fe05-11d0-9dda-00c04fd7ba7c");
        assert_eq!((record.opcode(), record.level(), record.keyword(), record.task()), (Some(1), None, None, None));
        assert_eq!(record.user_data().unwrap(), payload);
    });
    let compact = Written::Compact { origin: ORIGIN, hook: 0x0302, version: 2, payload };
    both_widths(&compact, |record, ticks| {
        assert_eq!((record.kind(), record.hook()), (RecordKind::Compact, Some(HookId(0x0302))));
        assert_eq!((record.ticks(), record.process_id()), (Some(ticks), Some(4120)));
        let RecordHeader::Compact(header) = record.header().unwrap() else { panic!() };
        assert_eq!((header.cpu_times, header.thread_id), (None, Some(77)));
        assert_eq!(record.user_data().unwrap(), payload);
    });
}

#[test]
fn performance_records_with_extension_words() {
    for (pebs, counters) in [(None, &[][..]), (Some(1), &[]), (None, &[1, 2, 3, 4]), (Some(1), &[1, 2, 3, 4, 5, 6, 7])]
    {
        let record = Written::PerfInfo { hook: 0x0303, version: 4, pebs, counters, payload: b"key" };
        both_widths(&record, |record, ticks| {
            assert_eq!((record.kind(), record.hook()), (RecordKind::Perfinfo, Some(HookId(0x0303))));
            assert_eq!((record.ticks(), record.process_id(), record.thread_id()), (Some(ticks), None, None));
            assert_eq!(record.version(), Some(4));
            assert_eq!(record.user_data().unwrap(), b"key");
        });
    }
}

#[test]
fn classic_and_instance() {
    let classic =
        Written::Full { origin: ORIGIN, provider: PROVIDER, opcode: 39, level: 5, version: 3, payload: b"mof" };
    both_widths(&classic, |record, ticks| {
        assert_eq!(record.kind(), RecordKind::Classic);
        let RecordHeader::Classic(header) = record.header().unwrap() else { panic!() };
        assert_eq!((header.opcode, header.level, header.version, header.guid), (39, 5, 3, guid()));
        assert_eq!((record.opcode(), record.level(), record.provider()), (Some(39), Some(5), Some(guid())));
        assert_eq!((record.keyword(), record.channel(), record.activity_id()), (None, None, None));
        assert_eq!((record.ticks(), record.id(), record.header_guid()), (Some(ticks), Some(39), Some(guid())));
        assert_eq!(record.user_data().unwrap(), b"mof");
    });
    let instance = Written::Instance {
        origin: ORIGIN,
        provider: PROVIDER,
        opcode: 2,
        version: 1,
        instance: (11, 12),
        parent: ACTIVITY,
        payload: b"inst",
    };
    both_widths(&instance, |record, ticks| {
        assert_eq!(record.kind(), RecordKind::Instance);
        let RecordHeader::Instance(header) = record.header().unwrap() else { panic!() };
        assert_eq!((header.instance_id, header.parent_instance_id), (11, 12));
        assert_eq!(header.parent_guid.unwrap().to_string(), "aabbccdd-0001-0002-0909-090909090909");
        assert_eq!((header.guid, header.ticks), (Some(guid()), ticks));
        assert_eq!(record.user_data().unwrap(), b"inst");
    });
}

#[test]
fn messages_with_every_choice_of_items() {
    for bits in 0..32_u32 {
        let has = |bit: u32| bits & (1 << bit) != 0;
        let record = Written::Message {
            number: 42,
            sequence: has(0).then_some(9),
            component: has(1).then_some(8),
            guid: has(2).then_some(PROVIDER),
            timed: has(3),
            origin: has(4).then_some(ORIGIN),
            payload: b"args",
        };
        both_widths(&record, |record, ticks| {
            assert_eq!(record.kind(), RecordKind::Message);
            let RecordHeader::Message(header) = record.header().unwrap() else { panic!() };
            assert_eq!((header.message_number, header.sequence), (42, has(0).then_some(9)));
            assert_eq!(header.component_id, has(1).then_some(8));
            assert_eq!(header.guid, (has(2) && !has(1)).then_some(guid()));
            assert_eq!(record.ticks(), has(3).then_some(ticks));
            assert_eq!(record.process_id(), has(4).then_some(4120));
            assert_eq!(record.thread_id(), has(4).then_some(77));
            assert_eq!(record.user_data().unwrap(), b"args");
        });
    }
}

#[test]
fn clocks_of_all_kinds_convert_exactly() {
    for (clock, kind) in [
        (synth::Clock::Qpc { freq: 14_318_180 }, ClockKind::QPC),
        (synth::Clock::SystemTime, ClockKind::SYSTEM_TIME),
        (synth::Clock::CpuCycles { mhz: 2394 }, ClockKind::CPU_CYCLES),
    ] {
        let mut options = options(Pointer::Eight);
        options.clock = clock;
        if kind == ClockKind::SYSTEM_TIME {
            options.t0 = options.start_time;
        }
        let start = options.start_time;
        let bytes = TraceBuilder::new(options).finish();
        let trace = Trace::new(&bytes).unwrap();
        let clock: &Clock = trace.clock();
        assert_eq!((clock.kind(), clock.is_assumed()), (kind, false));
        let t0 = trace.buffers()[0].not_before;
        assert_eq!(clock.file_time(t0), FileTime(start));
        let (ticks, later) = match kind {
            ClockKind::QPC => (14_318_180 * 3600 + 7, 36_000_000_004),
            ClockKind::SYSTEM_TIME => (123, 123),
            _ => (2394 * 1_000_000, 10_000_000),
        };
        assert_eq!(clock.file_time(t0 + ticks), FileTime(start + later), "{kind:?}");
    }
}

#[test]
fn one_stream_for_each_processor_in_the_order_of_sequence_numbers() {
    let mut builder = TraceBuilder::new(options(Pointer::Eight));
    let t0 = builder.options().t0;
    for step in 0..400_i64 {
        let record = Written::System { origin: ORIGIN, hook: 0x0F2E, version: 2, payload: &[0; 500] };
        builder.record((step % 3) as u16, t0 + step, &record);
    }
    let bytes = builder.finish_with(7);
    let trace = Trace::new(&bytes).unwrap();
    let offsets: Vec<u64> = trace.buffers().iter().map(|info| info.offset).collect();
    assert!(offsets.is_sorted());
    let in_file_order: Vec<i64> = trace.buffers().iter().map(|info| info.header.sequence_number).collect();
    assert!(!in_file_order.is_sorted(), "the file is shuffled");
    for stream in trace.streams() {
        let numbers: Vec<i64> =
            stream.buffers().map(|position| trace.buffers()[position].header.sequence_number).collect();
        assert!(numbers.is_sorted());
    }
    let ticks: Vec<i64> = trace
        .records()
        .map(|item| item.unwrap())
        .filter(|item| item.record().hook() == Some(HookId(0x0F2E)))
        .map(|item| item.order_ticks() - t0)
        .collect();
    assert_eq!(ticks, (0..400).collect::<Vec<i64>>());
}

#[test]
fn compressed_buffers_give_the_same_records() {
    let write = |compressed| {
        let mut options = options(Pointer::Eight);
        options.compressed = compressed;
        let mut builder = TraceBuilder::new(options);
        let t0 = builder.options().t0;
        for step in 0..300_i64 {
            let payload = format!("{step} and {step} and {}", "again ".repeat((step % 40) as usize));
            let record = Written::System { origin: ORIGIN, hook: 0x0F2E, version: 2, payload: payload.as_bytes() };
            builder.record((step % 2) as u16, t0 + step, &record);
        }
        builder.finish()
    };
    let records = |bytes: &[u8]| -> Vec<Vec<u8>> {
        let trace = Trace::new(bytes).unwrap();
        let items = trace.records().map(|item| item.unwrap().record().bytes().to_vec());
        // The header record differs: it says whether the trace is compressed.
        items.filter(|bytes| bytes[6..8] == [0x2E, 0x0F]).collect()
    };
    let (plain, compressed) = (write(false), write(true));
    assert!(compressed.len() * 3 < plain.len());
    assert_eq!(records(&plain).len(), 300);
    assert_eq!(records(&plain), records(&compressed));
}

#[test]
fn unknown_kinds_are_given_where_the_next_record_proves_the_size() {
    let mut builder = TraceBuilder::new(options(Pointer::Eight));
    let t0 = builder.options().t0;
    let mut unknown = vec![16, 0, 0x3F, 0xC0];
    unknown.extend([7; 12]);
    let known = Written::System { origin: ORIGIN, hook: 0x0F2E, version: 2, payload: b"" };
    builder.raw(0, t0 + 1, &unknown).record(0, t0 + 2, &known);
    let bytes = builder.finish();
    let trace = Trace::new(&bytes).unwrap();
    let kinds: Vec<RecordKind> = trace.records().map(|item| item.unwrap().record().kind()).collect();
    assert!(kinds.contains(&RecordKind::Other));
    assert_eq!(kinds.last(), Some(&RecordKind::System));
    // Without a record behind it, at a place that is no marker, the size cannot be trusted.
    let mut builder = TraceBuilder::new(options(Pointer::Eight));
    let mut lonely = unknown.clone();
    lonely.extend([0; 8]);
    builder.raw(0, t0 + 1, &lonely);
    let bytes = builder.finish();
    let trace = Trace::new(&bytes).unwrap();
    let error = trace.records().find_map(Result::err).unwrap();
    assert_eq!(error.kind, ErrorKind::UnknownMarker);
}

#[test]
fn extended_items_that_leave_their_record_cost_that_record_alone() {
    let mut builder = TraceBuilder::new(options(Pointer::Eight));
    let t0 = builder.options().t0;
    let descriptor = Descriptor { id: 1, ..Descriptor::default() };
    let record = Written::Event {
        origin: ORIGIN,
        provider: PROVIDER,
        descriptor,
        activity: ACTIVITY,
        extended: &[Extended::ProcessStartKey(1)],
        payload: b"x",
    };
    builder.record(0, t0 + 1, &record).record(0, t0 + 2, &record);
    let mut bytes = builder.finish();
    // The data size of the first item becomes 0xFFFF.
    let at = bytes.windows(4).position(|window| window == [0x0D, 0, 0, 0]).unwrap();
    bytes[at + 4..at + 6].fill(0xFF);
    let trace = Trace::new(&bytes).unwrap();
    let mut scratch = Vec::new();
    let mut results = Vec::new();
    for position in 0..trace.buffers().len() {
        for record in trace.buffer(position, &mut scratch).unwrap().records() {
            let record = record.unwrap();
            if record.header_guid().is_some() {
                results.push(record.user_data().map(<[u8]>::to_vec).map_err(|error| error.kind));
            }
        }
    }
    assert_eq!(results, [Err(ErrorKind::ExtendedItem), Ok(b"x".to_vec())]);
}
