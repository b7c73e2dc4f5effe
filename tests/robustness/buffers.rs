//! Classes 9 to 15: buffer headers.

use etl_parser::{Consequence, ErrorKind, Trace};
use synth::TraceOptions;
use synth::buffer::{BufferHeader, FLAG_PROCESSOR_INDEX};

use super::support::*;

/// The fourth buffer, in the middle of the trace.
const AT: usize = 3 * STRIDE;

pub fn sizes() -> String {
    let sound = sound();
    let lost = sound.records - sound.records_at(AT);
    // No size at all: the buffer is lost, the next one found.
    let out_of_range = [0, 1, 0x47, 0x100_0049, 0x7FFF_FFFF, 0x8000_0000, u32::MAX];
    for size in out_of_range {
        let expected = one(lost, ErrorKind::BufferSizeOutOfRange, Consequence::Buffer, STRIDE as u64);
        let bytes = sound.with(|bytes| put32(bytes, AT, size));
        assert_eq!(read(&bytes).unwrap(), expected, "{size:#x}");
        assert_eq!(coverage_of(&bytes).1, 1);
        let (kind, message) = refused(&sound.with(|bytes| put32(bytes, 0, size)));
        assert_eq!(kind, ErrorKind::NotATrace, "in the first buffer");
        assert!(message.contains(&format!("the first buffer's size is {size:#x}")), "{message}");
    }
    // A size, but not that of the others, of which the next one stands in its place.
    let irregular = [0x48, 0x49, 0x4F, STRIDE as u32 - 1, STRIDE as u32 + 8, 0x100_0000];
    for size in irregular {
        let bytes = sound.with(|bytes| put32(bytes, AT, size));
        let expected = one(sound.records, ErrorKind::IrregularBufferSize, Consequence::Nothing, 0);
        assert_eq!(read(&bytes).unwrap(), expected, "{size:#x}");
    }
    // Every buffer with a size of its own, and no slack.
    let mut bytes = sound.bytes[..STRIDE].to_vec();
    for at in (STRIDE..sound.bytes.len()).step_by(STRIDE) {
        let size = get32(&sound.bytes, at + 0x30) + 8 * (at / STRIDE) as u32 % 3;
        let start = bytes.len();
        bytes.extend_from_slice(&sound.bytes[at..at + size as usize]);
        put32(&mut bytes, start, size);
    }
    assert_eq!(read(&bytes).unwrap(), whole(sound.records));
    // Without a stride to go by, the next buffer is searched byte by byte.
    let packed = sound_with(TraceOptions { compressed: true, ..options() });
    let at = Trace::new(&packed.bytes).unwrap().buffers()[3].clone();
    for size in out_of_range {
        let bytes = packed.with(|bytes| put32(bytes, at.offset as usize, size));
        let rest = packed.records - packed.records_at(at.offset as usize);
        let skipped = u64::from(at.header.buffer_bytes);
        let expected = one(rest, ErrorKind::BufferSizeOutOfRange, Consequence::Buffer, skipped);
        assert_eq!(read(&bytes).unwrap(), expected, "{size:#x}");
    }
    "7 impossible sizes: `BufferSizeOutOfRange` costs that buffer, plain and compressed, and the file in the first; 6 wrong ones: `IrregularBufferSize` costs nothing; a size for each: read".to_owned()
}

pub fn empty_ones() -> String {
    const COUNT: usize = 100_000;
    let header = BufferHeader { size: 0x48, offset: 0x48, saved_offset: 0x48, state: 3, ..BufferHeader::default() };
    let mut bytes = sound().bytes[..STRIDE].to_vec();
    bytes.extend(header.encode().repeat(COUNT));
    let trace = Trace::new(&bytes).unwrap();
    assert_eq!((trace.buffers().len(), trace.damaged()), (COUNT + 1, 0));
    assert_eq!(trace.records().count(), 1);
    // What the index holds is proportional to the file.
    assert!(size_of::<etl_parser::BufferInfo>() <= 2 * 0x48);
    assert_eq!(coverage_of(&bytes), ([0, 1, 0, 0, 0], 0));
    format!(
        "{COUNT} of them: indexed once each, no damage; {} bytes of memory for each",
        size_of::<etl_parser::BufferInfo>()
    )
}

pub fn ends_of_data() -> String {
    let sound = sound();
    let there = sound.records_at(AT);
    let end = get32(&sound.bytes, AT + 0x30);
    let with = |offset: u32, saved: u32| {
        let bytes = sound.with(|bytes| {
            put32(bytes, AT + 0x30, offset);
            put32(bytes, AT + 0x04, saved);
        });
        read(&bytes).unwrap()
    };
    let lost = one(sound.records - there, ErrorKind::EndOfDataOutOfRange, Consequence::Buffer, STRIDE as u64);
    // Both 0 leaves CurrentOffset alone, which is no end of data.
    for (offset, saved) in [(0, 0), (1, 0), (0x47, end), (0, 0x47), (STRIDE as u32 + 1, end), (u32::MAX, end)] {
        assert_eq!(with(offset, saved), lost, "{offset:#x} {saved:#x}");
    }
    assert_eq!(with(0x48, end), whole(sound.records - there), "an empty buffer");
    for (offset, saved) in [(0, end), (end, 0), (end, 0x48), (end, u32::MAX)] {
        assert_eq!(with(offset, saved), whole(sound.records), "{offset:#x} {saved:#x}");
    }
    // Not a multiple of 8: the last record is cut, or a piece of slack is no record.
    assert_eq!(with(end - 3, end), rest_of_buffer(sound.records - 1, ErrorKind::RecordTooLong));
    assert_eq!(with(end + 4, end), whole(sound.records), "0xFFFFFFFF ends the data");
    assert_eq!(with(end + 3, end), rest_of_buffer(sound.records, ErrorKind::RecordTooShort));
    let (kind, message) = refused(&sound.with(|bytes| put32(bytes, 0x30, 0x47)));
    assert_eq!(kind, ErrorKind::NotATrace);
    assert!(message.contains("the first buffer's end of data is 0x47"), "{message}");
    "6 impossible ends: `EndOfDataOutOfRange` costs the buffer; 4 pairs of Offset and SavedOffset: Offset counts, then SavedOffset; 3 unaligned: at most the last record".to_owned()
}

/// Sets the sequence number of each data buffer.
fn numbered_as(sound: &Sound, number: impl Fn(i64) -> i64) -> Vec<u8> {
    sound.with(|bytes| {
        for (rank, at) in (STRIDE..bytes.len()).step_by(STRIDE).enumerate() {
            put64(bytes, at + 0x18, number(rank as i64 + 1));
        }
    })
}

pub fn sequence_numbers() -> String {
    let sound = sound();
    let all: Vec<i64> = (0..300).collect();
    type Numbers = (&'static str, fn(i64) -> i64);
    let in_order: [Numbers; 5] = [
        ("all equal", |_| 7),
        ("twice each", |rank| rank / 2),
        ("negative", |rank| rank - 100),
        ("gaps", |rank| rank * rank * 1000),
        ("from the smallest to the largest", |rank| if rank < 6 { i64::MIN } else { i64::MAX }),
    ];
    for (what, number) in in_order {
        let bytes = numbered_as(&sound, number);
        assert_eq!(read(&bytes).unwrap(), whole(sound.records), "{what}");
        assert_eq!(steps_by_time(&bytes), all, "{what}");
    }
    // Wrapped: the older part stands behind the newer one.
    let data = &sound.bytes[STRIDE..];
    let (older, newer) = data.split_at(7 * STRIDE);
    let wrapped = [&sound.bytes[..STRIDE], newer, older].concat();
    assert_eq!(read(&wrapped).unwrap(), whole(sound.records));
    assert_eq!(steps_by_time(&wrapped), all);
    // Reversed numbers are a lie about the order: every record is still given, once, and time does not go back.
    let bytes = numbered_as(&sound, |rank| -rank);
    assert_eq!(read(&bytes).unwrap(), whole(sound.records));
    let mut steps = steps_by_time(&bytes);
    steps.sort_unstable();
    assert_eq!(steps, all);
    "equal, double, negative, extreme, with gaps, wrapped: all records in the order of time; reversed: all records, once".to_owned()
}

pub fn processor_numbers() -> String {
    let sound = sound();
    let cpus = |bytes: &[u8]| -> Vec<u16> {
        assert_eq!(read(bytes).unwrap(), whole(sound.records));
        let trace = Trace::new(bytes).unwrap();
        trace.streams().iter().map(|stream| stream.cpu).collect()
    };
    assert_eq!(cpus(&sound.bytes), [0, 1]);
    for (number, read_as) in [(0xFFFF, 0x7FF), (0x0800, 0), (0x0803, 3), (200, 200)] {
        let bytes = sound.with(|bytes| put16(bytes, AT + 0x28, number));
        assert!(cpus(&bytes).contains(&read_as), "{number:#x}");
    }
    // Without the flag the second byte is Alignment, which Windows 7 sets to 8.
    let bytes = sound.with(|bytes| {
        put16(bytes, AT + 0x28, 0x0801);
        let flags = u16::from_le_bytes([bytes[AT + 0x34], bytes[AT + 0x35]]) & !FLAG_PROCESSOR_INDEX;
        put16(bytes, AT + 0x34, flags);
    });
    assert_eq!(cpus(&bytes), [0, 1]);
    // A processor for each buffer.
    let record = known();
    let mut bytes = sound.bytes[..STRIDE].to_vec();
    for cpu in 0..2048_u16 {
        let header = BufferHeader {
            size: STRIDE as u32,
            offset: 0x48 + record.len() as u32,
            processor: cpu,
            sequence: 1,
            flags: FLAG_PROCESSOR_INDEX,
            ..BufferHeader::default()
        };
        let start = bytes.len();
        bytes.extend(header.encode());
        bytes.extend_from_slice(&record);
        bytes.resize(start + STRIDE, 0xFF);
    }
    assert_eq!(read(&bytes).unwrap(), whole(2049));
    assert_eq!(Trace::new(&bytes).unwrap().streams().len(), 2048);
    "5 numbers beyond NumberOfProcessors: masked to 11 bits or one byte, all records; 2048 processors: 2048 streams"
        .to_owned()
}

pub fn flags_types_and_states() -> String {
    let sound = sound();
    for flags in [0x02_u16, 0x04, 0x06, 0x18, 0x1F, 0x3F, 0xFFBF] {
        let bytes = sound.with(|bytes| put16(bytes, AT + 0x34, flags));
        assert_eq!(read(&bytes).unwrap(), whole(sound.records), "{flags:#x}");
        let told = notes_of(&bytes).contains("the flags of 1 buffer say that events were lost before");
        assert_eq!(told, flags & 0x06 != 0, "{flags:#x}");
    }
    for kind in (1..=9).chain([0x7FFF, 0xFFFF]) {
        let bytes = sound.with(|bytes| put16(bytes, AT + 0x36, kind));
        assert_eq!(read(&bytes).unwrap(), whole(sound.records), "type {kind:#x}");
        let bytes = sound.with(|bytes| put16(bytes, 0x36, kind));
        assert_eq!(read(&bytes).unwrap(), whole(sound.records), "type {kind:#x} of the first buffer");
    }
    for state in [0, 1, 2, 4, 7, 8, 0x103, u32::MAX] {
        let bytes = sound.with(|bytes| put32(bytes, AT + 0x2C, state));
        assert_eq!(read(&bytes).unwrap(), whole(sound.records), "state {state:#x}");
    }
    "7 flags, 11 types, 8 states: all records; EVENTS_LOST and BUFFER_LOST are told".to_owned()
}

pub fn layout_of_windows_xp() -> String {
    let sound = sound();
    for (minor, at, what) in [(1, 0x34, "EventsLost where flags would be"), (2, 0x18, "a GUID where a number would be")]
    {
        let bytes = sound.with(|bytes| {
            bytes[HEADER_PAYLOAD + 4] = 5;
            bytes[HEADER_PAYLOAD + 5] = minor;
            for start in (0..bytes.len()).step_by(STRIDE) {
                bytes[start + 0x18..start + 0x28].fill(0xAB);
                if at == 0x34 {
                    put32(bytes, start + 0x34, 0x40);
                }
            }
        });
        assert_eq!(read(&bytes).unwrap(), whole(sound.records), "{what}");
        let trace = Trace::new(&bytes).unwrap();
        assert!(trace.streams().iter().all(|stream| stream.buffers().is_sorted()));
    }
    "5.1 and 5.2: all records, buffers in the order of the file".to_owned()
}
