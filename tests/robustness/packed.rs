//! Classes 44 to 47: compressed buffers.

use etl_parser::xpress::decompress;
use etl_parser::{BufferFlags, Consequence, ErrorKind, Trace};
use synth::TraceOptions;

use super::support::*;

fn packed() -> Sound {
    sound_with(TraceOptions { compressed: true, ..options() })
}

/// Where the buffer at `position` stands.
fn place(bytes: &[u8], position: usize) -> (usize, usize) {
    let trace = Trace::new(bytes).unwrap();
    let info = &trace.buffers()[position];
    (info.offset as usize, info.stored_bytes as usize)
}

/// Offset of `LogFileMode` in the file.
const LOG_MODE: usize = HEADER_PAYLOAD + 0x20;

pub fn flag_out_of_place() -> String {
    let (packed, plain) = (packed(), sound());
    // On the header buffer: its record is read as it stands; the buffer itself cannot be.
    let bytes = plain.with(|bytes| bytes[0x34] |= 0x40);
    assert_eq!(read(&bytes).unwrap(), rest_of_buffer(plain.records - 1, ErrorKind::Decompression));
    // The buffers say it, the mode does not, and the reverse.
    let bytes = packed.with(|bytes| bytes[LOG_MODE + 3] &= !0x04);
    assert_eq!(read(&bytes).unwrap(), whole(packed.records));
    let bytes = plain.with(|bytes| bytes[LOG_MODE + 3] |= 0x04);
    assert_eq!(read(&bytes).unwrap(), whole(plain.records));
    // On a buffer that is not: what comes out is no record.
    let bytes = plain.with(|bytes| bytes[3 * STRIDE + 0x34] |= 0x40);
    let outcome = read(&bytes).unwrap();
    assert_eq!(outcome.records, plain.records - plain.records_at(3 * STRIDE));
    assert_eq!(outcome.damage, [(ErrorKind::Decompression, Consequence::RestOfBuffer)]);
    // Some are and some are not.
    let (at, stored) = place(&packed.bytes, 3);
    let mut expanded = plain.bytes[3 * STRIDE..4 * STRIDE].to_vec();
    expanded.truncate(get32(&expanded, 0x30) as usize);
    let size = expanded.len() as u32;
    put32(&mut expanded, 0, size);
    let mixed = [&packed.bytes[..at], &expanded, &packed.bytes[at + stored..]].concat();
    assert_eq!(read(&mixed).unwrap(), whole(packed.records));
    assert_eq!(steps_by_time(&mixed), (0..300).collect::<Vec<_>>());
    "on the header buffer or a plain one: `Decompression` costs that buffer; without the mode, without the flags, mixed: all records".to_owned()
}

pub fn streams() -> String {
    // The stream alone: how much comes out.
    let cases: [(&str, &[u8], usize); 12] = [
        ("empty", &[], 0),
        ("1 byte", &[0], 0),
        ("3 bytes", &[0, 0, 0], 0),
        ("a flag word alone", &[0, 0, 0, 0], 0),
        ("a match before any literal", &[0, 0, 0, 0x80, 0, 0], 0),
        ("a distance beyond the start", &[0, 0, 0, 0x40, b'x', 0x08, 0], 1),
        ("a length of 16 bits", &[0, 0, 0, 0x40, b'x', 7, 0, 15, 255, 0, 1], 1 + 0x103),
        ("a length of 16 bits below 22", &[0, 0, 0, 0x40, b'x', 7, 0, 15, 255, 21, 0], 1),
        ("a length of 32 bits", &[0, 0, 0, 0x40, b'x', 7, 0, 15, 255, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF], 4096),
        ("a length of 32 bits that is cut", &[0, 0, 0, 0x40, b'x', 7, 0, 15, 255, 0, 0, 0xFF, 0xFF], 1),
        ("a nibble that is cut", &[0, 0, 0, 0x40, b'x', 7, 0], 1),
        ("input left over", &[0, 0, 0, 0, b'x', b'y', b'z'], 3),
    ];
    for (what, stream, expected) in cases {
        let mut room = vec![0xA5; 4096 + 64];
        assert_eq!(decompress(stream, &mut room[..4096]), expected, "{what}");
        assert!(room[4096..].iter().all(|byte| *byte == 0xA5), "{what}");
    }
    let literals = [vec![0; 4], vec![b'x'; 32]].concat().repeat(1 << 19);
    let mut room = vec![0; 16 << 20];
    assert_eq!(decompress(&literals, &mut room), 16 << 20, "16 MiB of literals");
    // In a buffer: what came out until then is read.
    let sound = packed();
    let (at, stored) = place(&sound.bytes, 3);
    let there = sound.records_at(at);
    let cut = |bytes: &[u8]| read(bytes).unwrap();
    let broken = sound.with(|bytes| bytes[at + 0x48..at + 0x50].fill(0xFF));
    assert_eq!(cut(&broken), rest_of_buffer(sound.records - there, ErrorKind::Decompression));
    let end = get32(&sound.bytes, at + 0x30);
    for (announced, expected) in [
        // A byte less than there is cuts the last record.
        (end - 1, rest_of_buffer(sound.records - 1, ErrorKind::RecordTooLong)),
        // A byte more than there is: fewer than 8 bytes are no record.
        (end + 1, rest_of_buffer(sound.records, ErrorKind::Decompression)),
        (end - 160, whole(sound.records - 1)),
    ] {
        let bytes = sound.with(|bytes| put32(bytes, at + 0x30, announced));
        assert_eq!(cut(&bytes), expected, "{announced} of {end}");
    }
    // No room for what a stream announces beyond the trace's largest buffer; no room below the header.
    for announced in [u32::MAX, STRIDE as u32 + 1, 0x47, 1] {
        let bytes = sound.with(|bytes| put32(bytes, at + 0x30, announced));
        let lost = one(sound.records - there, ErrorKind::EndOfDataOutOfRange, Consequence::Buffer, stored as u64);
        assert_eq!(cut(&bytes), lost, "{announced:#x}");
    }
    format!(
        "{} streams give what came before the fault; in a buffer: `Decompression` costs the rest, `EndOfDataOutOfRange` the buffer; nothing is written beyond the output",
        cases.len() + 1
    )
}

pub fn states_and_formats() -> String {
    let sound = packed();
    for state in [0, 1, 2, 3, 4, 0x103, 0xFFFF, u32::MAX] {
        let bytes = sound.with(|bytes| put32(bytes, 0x2C, state));
        assert_eq!(read(&bytes).unwrap(), whole(sound.records), "state {state:#x}");
    }
    // LZNT1: a chunk header, then flag bytes. Read as XPRESS it gives nothing that is a record.
    let (at, stored) = place(&sound.bytes, 3);
    let there = sound.records_at(at);
    let bytes = sound.with(|bytes| {
        let stream = &mut bytes[at + 0x48..at + stored];
        stream.fill(0x11);
        stream[..3].copy_from_slice(&[0x38, 0xB0, 0x00]);
    });
    let outcome = read(&bytes).unwrap();
    assert_eq!(outcome.records, sound.records - there);
    assert_eq!(outcome.damage.len(), 1);
    assert_eq!(outcome.damage[0].1, Consequence::RestOfBuffer);
    assert_eq!(coverage_of(&bytes).1, 1);
    "8 states: all records, XPRESS whatever the state; LZNT1: the buffer is lost and told, exit 1".to_owned()
}

pub fn many_large_ones() -> String {
    const COUNT: usize = 100_000;
    let first = packed().bytes;
    let mut bytes = first[..get32(&first, 0) as usize].to_vec();
    // The header record allows 16 MiB; each buffer of 96 bytes announces as much: a literal, then one match.
    put32(&mut bytes, HEADER_PAYLOAD, 0x100_0000);
    let mut buffer = vec![0_u8; 96];
    put32(&mut buffer, 0, 96);
    put32(&mut buffer, 0x30, 0x100_0000);
    put16(&mut buffer, 0x34, BufferFlags::COMPRESSED | BufferFlags::PROC_INDEX);
    buffer[72..88].copy_from_slice(&[0, 0, 0, 0x40, 0xC0, 7, 0, 15, 255, 0, 0, 0xFF, 0xFF, 0xFF, 0x7F, 0]);
    bytes.reserve(96 * COUNT);
    for number in 0..COUNT {
        put16(&mut buffer, 0x28, (number % 2048) as u16);
        bytes.extend_from_slice(&buffer);
    }
    let trace = Trace::new(&bytes).unwrap();
    let packed = trace.buffers().iter().filter(|info| info.is_compressed());
    let announced: u64 = packed.map(|info| u64::from(info.header.end_of_data())).sum();
    let budget = (64 << 20) + 1024 * bytes.len() as u64;
    assert!(announced <= budget && announced + (16 << 20) > budget);
    assert_eq!(trace.buffers().len() as u64 + trace.damaged(), COUNT as u64 + 1);
    assert!(trace.damage().iter().all(|error| error.kind == ErrorKind::ExpansionBudget));
    let mut scratch = Vec::new();
    let read = trace.buffer(1, &mut scratch).unwrap();
    assert_eq!((read.bytes().len(), read.missing_bytes()), (16 << 20, 0));
    format!("{COUNT} of 96 bytes: {} may be read; for the others `ExpansionBudget`", trace.buffers().len() - 1)
}
