//! Classes 16 to 24, and 41: records.

use etl_parser::{ErrorKind, RecordHeader, RecordKind, Trace};
use synth::record::{Origin, Record};
use synth::{Guid, TraceBuilder, TraceOptions};

use super::support::*;

const ORIGIN: Origin = Origin { process: 4, thread: 8, kernel_time: 0, user_time: 0 };
const GUID: Guid = Guid([7; 16]);

/// Type of the header in the marker, where its size stands, the size of its fixed part, and what kind it is.
const HEADERS: [(u8, usize, usize, RecordKind); 14] = [
    (0x01, 4, 0x20, RecordKind::System),
    (0x02, 4, 0x20, RecordKind::System),
    (0x03, 4, 0x18, RecordKind::Compact),
    (0x04, 4, 0x18, RecordKind::Compact),
    (0x0A, 0, 0x30, RecordKind::Classic),
    (0x0B, 0, 0x48, RecordKind::Instance),
    (0x0C, 0, 8, RecordKind::Other),
    (0x10, 4, 0x10, RecordKind::Perfinfo),
    (0x11, 4, 0x10, RecordKind::Perfinfo),
    (0x12, 0, 0x50, RecordKind::EventHeader),
    (0x13, 0, 0x50, RecordKind::EventHeader),
    (0x14, 0, 0x30, RecordKind::Classic),
    (0x15, 0, 0x48, RecordKind::Instance),
    (0x90, 0, 8, RecordKind::Message),
];

/// A record of `length` bytes whose header says `size`.
fn shaped(header: (u8, usize, usize, RecordKind), size: u16, length: usize) -> Vec<u8> {
    let mut record = vec![0; length.max(8)];
    put16(&mut record, 2, if header.0 == 0x90 { 0x9000 } else { 0xC000 | u16::from(header.0) });
    put16(&mut record, header.1, size);
    record
}

/// The first record, one before and one behind it in the same buffer: those before it stay, those behind it are lost.
fn between(record: &[u8]) -> Vec<u8> {
    framed(&[&known(), record, &known()])
}

pub fn size_zero() -> String {
    for header in HEADERS {
        let bytes = between(&shaped(header, 0, 0x50));
        assert_eq!(read(&bytes).unwrap(), rest_of_buffer(2, ErrorKind::RecordTooShort), "{:#x}", header.0);
        let ([.., skipped], code) = coverage_of(&bytes);
        assert_eq!((skipped, code), (0x50 + 0x20, 1));
    }
    for marker in [0x9000_0000, 0xB000_0000] {
        let mut record = vec![0; 0x50];
        put32(&mut record, 0, marker);
        assert_eq!(read(&between(&record)).unwrap(), rest_of_buffer(2, ErrorKind::RecordTooShort), "{marker:#x}");
    }
    let message = notes_of(&between(&shaped(HEADERS[10], 0, 0x50)));
    assert!(message.contains("buffer 1 at 0x1000, record 1 at 0x1068: event header needs 80 bytes, the record says 0; rest of buffer skipped"), "{message}");
    format!(
        "{} headers: `RecordTooShort` costs the rest of the buffer, the records before it stay; exit 1, place told",
        HEADERS.len() + 2
    )
}

pub fn sizes() -> String {
    let mut count = 0;
    for header in HEADERS {
        let fixed = header.2;
        for size in 1..fixed as u16 {
            let outcome = read(&between(&shaped(header, size, 0x50))).unwrap();
            assert_eq!(outcome, rest_of_buffer(2, ErrorKind::RecordTooShort), "{:#x} {size}", header.0);
            count += 1;
        }
        for size in [fixed, fixed + 1, fixed + 7, fixed + 8] {
            let outcome = read(&between(&shaped(header, size as u16, size))).unwrap();
            assert_eq!(outcome, whole(4), "{:#x} {size}", header.0);
            count += 1;
        }
        // Beyond the end of data: 0x20 bytes of another record stand behind this one.
        for size in [0x50 + 0x21, 0x1000, 0xFFFF] {
            let outcome = read(&between(&shaped(header, size, 0x50))).unwrap();
            assert_eq!(outcome, rest_of_buffer(2, ErrorKind::RecordTooLong), "{:#x} {size:#x}", header.0);
            count += 1;
        }
    }
    // The largest size there is, which ends beyond 16 bits once it is aligned.
    let largest = shaped(HEADERS[10], 0xFFFF, 0xFFFF);
    let options = TraceOptions { buffer_size: 0x2_0000, ..options() };
    let mut builder = TraceBuilder::new(options);
    let t0 = builder.options().t0;
    builder.raw(0, t0, &largest).raw(0, t0, &known());
    assert_eq!(read(&builder.finish()).unwrap(), whole(3));
    format!(
        "{} sizes of {} headers: below the fixed part `RecordTooShort`, beyond the data `RecordTooLong`, else read, 0xFFFF too",
        count + 1,
        HEADERS.len()
    )
}

pub fn padding_behind_the_end() -> String {
    for size in 0x51..0x58_usize {
        let mut bytes = framed(&[&known(), &shaped(HEADERS[10], size as u16, size)]);
        let end = 0x48 + 0x20 + size as u32;
        put32(&mut bytes, STRIDE + 0x30, end);
        assert_eq!(read(&bytes).unwrap(), whole(3), "{size:#x}");
        put32(&mut bytes, STRIDE + 0x30, end - 1);
        assert_eq!(read(&bytes).unwrap(), rest_of_buffer(2, ErrorKind::RecordTooLong), "{size:#x}");
    }
    "7 sizes: accepted where the size fits and its padding does not; a byte less: `RecordTooLong`".to_owned()
}

pub fn markers_and_types() -> String {
    let unknown = [0, 0x7FFF_FFFF, 0x8000_0000, 0xA000_0010, 0xA013_0050, 0x4013_0050, 1];
    for marker in unknown {
        let mut record = vec![0; 0x50];
        put32(&mut record, 0, marker);
        assert_eq!(read(&between(&record)).unwrap(), rest_of_buffer(2, ErrorKind::UnknownMarker), "{marker:#x}");
    }
    assert!(notes_of(&between(&[0; 0x50])).contains("record marker expected, found 0x00000000"));
    // The end of data, told without damage: what stands behind it is not read.
    assert_eq!(read(&between(&[0xFF; 0x50])).unwrap(), whole(2));
    // A top nibble of B to F is a marker: of an event, of a record with a time of 32 bits.
    for (top, kind) in [(0xB, RecordKind::Other), (0xD, RecordKind::EventHeader), (0xE, RecordKind::EventHeader)] {
        let mut record = vec![0; 0x50];
        put32(&mut record, 0, top << 28 | 0x0013_0050);
        let bytes = between(&record);
        assert_eq!(read(&bytes).unwrap(), whole(4), "{top:#x}");
        let trace = Trace::new(&bytes).unwrap();
        let mut scratch = Vec::new();
        let kinds: Vec<_> =
            trace.buffer(1, &mut scratch).unwrap().records().map(|record| record.unwrap().kind()).collect();
        assert_eq!(kinds[1], kind, "{top:#x}");
    }
    // Types without a source: given raw where a record stands behind them, as their size says.
    let mut types = 0;
    for header_type in [0, 5, 6, 7, 8, 9, 0x0C, 0x0D, 0x0E, 0x0F].into_iter().chain(0x16..=0xFF) {
        let record = shaped((header_type, 0, 8, RecordKind::Other), 0x28, 0x28);
        if header_type == 0x90 {
            continue;
        }
        let bytes = between(&record);
        assert_eq!(read(&bytes).unwrap(), whole(4), "{header_type:#x}");
        assert_eq!(coverage_of(&bytes), ([0, 3, 1, 0, 0], 0), "{header_type:#x}");
        if !matches!(header_type, 0x0C..=0x0E) {
            let mut lonely = record.clone();
            lonely.resize(0x30, 0);
            let outcome = read(&framed(&[&known(), &lonely])).unwrap();
            assert_eq!(outcome, rest_of_buffer(2, ErrorKind::UnknownMarker), "{header_type:#x}");
        }
        types += 1;
    }
    format!(
        "{} words: `UnknownMarker` costs the rest of the buffer; 0xFFFFFFFF ends it; {types} types: counted as unknown where their size leads to a record, else `UnknownMarker`",
        unknown.len()
    )
}

pub fn first_record_damaged() -> String {
    let sound = sound();
    let at = 3 * STRIDE;
    let there = sound.records_at(at);
    for (what, kind, word) in [
        ("marker", ErrorKind::UnknownMarker, 0),
        ("type", ErrorKind::UnknownMarker, 0xC07F_0008),
        ("size", ErrorKind::RecordTooShort, 0xC013_0008),
    ] {
        let bytes = sound.with(|bytes| put32(bytes, at + 0x48, word));
        assert_eq!(read(&bytes).unwrap(), rest_of_buffer(sound.records - there, kind), "{what}");
        let ([.., skipped], code) = coverage_of(&bytes);
        assert_eq!((skipped, code), (there * 160, 1), "{what}");
    }
    format!(
        "marker, type, size: the {there} records behind it are not made up from where they might stand; their bytes are counted"
    )
}

pub fn extension_words() -> String {
    let mut count = 0;
    for (kind, fixed) in [(0x02, 0x20), (0x04, 0x18), (0x11, 0x10)] {
        for pebs in [0_usize, 1] {
            for counters in 0..8_usize {
                let words = 8 * (pebs + counters);
                for length in [fixed, fixed + words.saturating_sub(1), fixed + words, fixed + words + 3] {
                    let mut record = shaped((kind, 4, fixed, RecordKind::System), length as u16, length);
                    record[1] = (pebs as u8) << 7 | counters as u8;
                    let bytes = between(&record);
                    assert_eq!(read(&bytes).unwrap(), whole(4));
                    let trace = Trace::new(&bytes).unwrap();
                    let mut scratch = Vec::new();
                    let payload = trace.buffer(1, &mut scratch).unwrap().records().nth(1).unwrap().unwrap();
                    let payload = payload.user_data().map(<[u8]>::len).map_err(|error| error.kind);
                    let expected = length.checked_sub(fixed + words).ok_or(ErrorKind::RecordTooShort);
                    assert_eq!(payload, expected, "{kind:#x} {pebs} {counters} {length}");
                    count += 1;
                }
            }
        }
    }
    // A process event that is all extension words and no event.
    let mut record = shaped((0x11, 4, 0x10, RecordKind::Perfinfo), 0x18, 0x18);
    put16(&mut record, 0, 0x8703);
    put16(&mut record, 6, 0x0301);
    assert_eq!(coverage_of(&between(&record)), ([0, 3, 0, 1, 0], 1));
    format!(
        "{count} sizes: where the words do not fit, `RecordTooShort` costs the payload alone; a process event of that kind is malformed, exit 1"
    )
}

pub fn header_record() -> String {
    let sound = sound();
    let size = u16::from_le_bytes([sound.bytes[0x4C], sound.bytes[0x4D]]);
    // Every size of the record, and every end of the buffer's data within it.
    for short in 0..0x20 + 0x118_u16 {
        let (kind, _) = refused(&sound.with(|bytes| put16(bytes, 0x4C, short)));
        let expected = if short < 0x20 { ErrorKind::NotATrace } else { ErrorKind::Truncated };
        assert_eq!(kind, expected, "{short:#x}");
        let (kind, _) = refused(&sound.with(|bytes| put32(bytes, 0x30, 0x48 + u32::from(short))));
        assert_eq!(kind, ErrorKind::NotATrace, "{short:#x}");
    }
    assert_eq!(read(&sound.with(|bytes| put16(bytes, 0x4C, 0x20 + 0x118))).unwrap().records, sound.records);
    let (kind, message) = refused(&sound.with(|bytes| put16(bytes, 0x4C, 0xFFFF)));
    assert_eq!(kind, ErrorKind::NotATrace, "{message}");
    // The other width: another layout, of which the first fields are the same; no number of it is believed blindly.
    for (pointer, options) in
        [(0xC001_u16, options()), (0xC002, TraceOptions { pointer: synth::Pointer::Four, ..options() })]
    {
        let sound = sound_with(options);
        let bytes = sound.with(|bytes| put16(bytes, 0x4A, pointer));
        assert_eq!(read(&bytes).unwrap(), whole(sound.records), "{pointer:#x}");
        let trace = Trace::new(&bytes).unwrap();
        assert_eq!(trace.header().buffer_bytes, STRIDE as u32);
        assert_ne!(trace.header().perf_freq_hz, 10_000_000);
    }
    for pointer_size in [0, 3, 16, u32::MAX] {
        let bytes = sound.with(|bytes| put32(bytes, HEADER_PAYLOAD + 0x2C, pointer_size));
        assert_eq!(read(&bytes).unwrap(), whole(sound.records));
        assert_eq!(Trace::new(&bytes).unwrap().pointer_size().bytes(), 8);
    }
    for processors in [0, 1, u32::MAX] {
        let bytes = sound.with(|bytes| put32(bytes, HEADER_PAYLOAD + 0x0C, processors));
        assert_eq!(read(&bytes).unwrap(), whole(sound.records));
    }
    // The stride of the trace, as the header has it.
    for stride in [0, 1, 0x48, 0xFFF, 0x2000, 0x8000, u32::MAX] {
        let bytes = sound.with(|bytes| put32(bytes, HEADER_PAYLOAD, stride));
        assert_eq!(read(&bytes).unwrap(), whole(sound.records), "{stride:#x}");
    }
    format!(
        "{} sizes below {size}: refused, `NotATrace` or `Truncated`; 0xFFFF: `NotATrace`; the other width's layout, PointerSize, processors, stride: all records",
        2 * (0x20 + 0x118)
    )
}

pub fn names() -> String {
    let fixed = HEADER_PAYLOAD + 0x118;
    let named = |text: &[u16], options: TraceOptions| -> (String, String) {
        let bytes: Vec<u8> = text.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        let sound = numbered(options, 10);
        let trace = sound.with(|trace| {
            trace[fixed..fixed + bytes.len()].copy_from_slice(&bytes);
            let size = 0x20 + 0x118 + bytes.len();
            put16(trace, 0x4C, size as u16);
            put32(trace, 0x30, (0x48 + size.next_multiple_of(8)) as u32);
        });
        assert_eq!(read(&trace).unwrap(), whole(11));
        let trace = Trace::new(&trace).unwrap();
        (trace.header().logger_name.clone(), trace.header().log_file_name.clone())
    };
    let text = |text: &str| -> Vec<u16> { text.encode_utf16().collect() };
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    assert_eq!(named(&text("session\0file\0"), options()), pair("session", "file"));
    assert_eq!(named(&text("session\0file"), options()), pair("session", "file"), "no NUL at the end");
    assert_eq!(named(&text("session"), options()), pair("session", ""), "no NUL at all");
    assert_eq!(named(&text("\0\0"), options()), pair("", ""));
    assert_eq!(named(&[], options()), pair("", ""), "no room");
    assert_eq!(named(&[0xD800, 0x61, 0xDC00, 0], options()), pair("\u{fffd}a\u{fffd}", ""), "halves of surrogates");
    let long = "x".repeat(32_000);
    let large = TraceOptions { buffer_size: 0x2_0000, ..options() };
    assert_eq!(named(&text(&long), large), pair(&long, ""));
    // An odd number of bytes: the last one is no letter.
    let sound = sound();
    let bytes = sound.with(|bytes| {
        put16(bytes, 0x4C, 0x20 + 0x118 + 5);
        put32(bytes, 0x30, 0x48 + 0x140);
    });
    assert_eq!(Trace::new(&bytes).unwrap().header().logger_name, "sy");
    "without NUL, empty, missing, odd, with half surrogates, of 64,000 bytes: cut or U+FFFD, all records".to_owned()
}

pub fn instances() -> String {
    for (minor, fixed) in [(0_u8, 0x38_usize), (1, 0x48), (5, 0x48)] {
        for (header_type, size) in [(0x0B, 0x38), (0x15, 0x38), (0x0B, 0x40), (0x15, 0x48), (0x15, 0x50)] {
            let mut bytes = between(&shaped((header_type, 0, fixed, RecordKind::Instance), size as u16, size));
            bytes[HEADER_PAYLOAD + 6] = 1;
            bytes[HEADER_PAYLOAD + 7] = minor;
            if size < fixed {
                assert_eq!(read(&bytes).unwrap(), rest_of_buffer(2, ErrorKind::RecordTooShort));
                continue;
            }
            assert_eq!(read(&bytes).unwrap(), whole(4));
            let trace = Trace::new(&bytes).unwrap();
            let mut scratch = Vec::new();
            let record = trace.buffer(1, &mut scratch).unwrap().records().nth(1).unwrap().unwrap();
            let RecordHeader::Instance(header) = record.header().unwrap() else { panic!("{record:?}") };
            assert_eq!(header.guid.is_some(), fixed == 0x48);
            assert_eq!(record.user_data().unwrap().len(), size - fixed);
        }
    }
    "3 layout versions, 5 sizes: fixed part of 0x38 below 1.1, of 0x48 from there on; shorter: `RecordTooShort`"
        .to_owned()
}

pub fn messages() -> String {
    let mut count = 0;
    for flags in 0..=0xFF_u16 {
        let has = |bit: u16| flags & bit != 0;
        let identity = if has(4) {
            4
        } else if has(2) {
            16
        } else {
            0
        };
        let implied =
            8 + 4 * usize::from(has(1)) + identity + 8 * usize::from(has(8) || has(0x10)) + 8 * usize::from(has(0x20));
        let records: Vec<Vec<u8>> = (8..=0x40_usize)
            .map(|size| {
                let mut record = shaped(HEADERS[13], size as u16, size);
                put16(&mut record, 6, flags);
                record
            })
            .collect();
        let slices: Vec<&[u8]> = records.iter().map(Vec::as_slice).collect();
        let bytes = framed(&slices);
        assert_eq!(read(&bytes).unwrap(), whole(1 + records.len() as u64));
        let trace = Trace::new(&bytes).unwrap();
        let mut scratch = Vec::new();
        for (record, size) in trace.buffer(1, &mut scratch).unwrap().records().zip(8_usize..) {
            let record = record.unwrap();
            let expected = size.checked_sub(implied).ok_or(ErrorKind::RecordTooShort);
            assert_eq!(record.user_data().map(<[u8]>::len).map_err(|error| error.kind), expected, "{flags:#x} {size}");
            match record.header() {
                Ok(RecordHeader::Message(header)) => {
                    assert_eq!(header.component_id.is_some(), has(4));
                    assert_eq!(header.guid.is_some(), has(2) && !has(4));
                    // Flag 0x10 alone keeps room in which nothing stands.
                    assert_eq!((header.ticks.is_some(), header.process_id.is_some()), (has(8), has(0x20)));
                }
                other => assert_eq!(other.map_err(|error| error.kind), Err(ErrorKind::RecordTooShort)),
            }
            count += 1;
        }
    }
    // They share buffers with all other kinds, and cost no neighbour.
    let message = encoded(&Record::Message {
        number: 1,
        sequence: None,
        component: Some(1),
        guid: Some(GUID),
        timed: true,
        origin: Some(ORIGIN),
        payload: b"x",
    });
    assert_eq!(coverage_of(&between(&message)), ([0, 4, 0, 0, 0], 0));
    format!(
        "256 flags, 57 sizes, {count} messages: payload behind the items that the flags announce; where these do not fit, `RecordTooShort` costs the record alone"
    )
}
