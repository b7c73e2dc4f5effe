//! Classes 1 to 8: the file as a whole.

use std::io::{Seek, SeekFrom, Write};
use std::process::Stdio;

use etl_parser::{Consequence, ErrorKind, EtlFile, Trace};
use synth::buffer::BufferHeader;
use synth::rng::SplitMix64;
use synth::{Clock, Pointer, TraceOptions};

use super::support::*;
use crate::common::{command, corpus, run, scratch};

/// The exit code and the line on standard error of `analyze`.
fn analyzed(name: &str, bytes: &[u8]) -> (i32, String) {
    let folder = scratch();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    let ran = run(["analyze".as_ref(), path.as_os_str(), "-f".as_ref(), "json".as_ref()]);
    assert_eq!(ran.code == 2, ran.stdout.is_empty(), "{ran:?}");
    (ran.code, ran.stderr.replace(&format!("{}/", folder.path().display()), ""))
}

pub fn too_short() -> String {
    let trace = sound().bytes;
    for length in [0, 1, 0x47] {
        let (kind, message) = refused(&trace[..length]);
        assert_eq!(kind, ErrorKind::NotATrace);
        assert_eq!(message, format!("at 0x0: not an ETW trace: the file's size is {length:#x}, expected 0x48"));
    }
    for length in [0x48, 0x4C, 0x50, 0x60] {
        assert_eq!(refused(&trace[..length]).0, ErrorKind::Truncated, "{length:#x}");
    }
    assert_eq!(analyzed("a.etl", b""), (2, "outofports: a.etl: is empty\n".to_owned()));
    let (code, message) = analyzed("a.etl", &trace[..0x47]);
    assert_eq!((code, message.contains("the file's size is 0x47, expected 0x48")), (2, true), "{message}");
    "7 lengths: `NotATrace` below 0x48, `Truncated` above; exit 2, one line".to_owned()
}

pub fn not_traces() -> String {
    let mut rng = SplitMix64::new(1);
    let noise: Vec<u8> = (0..0x4000).map(|_| rng.bits() as u8).collect();
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n";
    let mut inputs = vec![vec![0; 0x4000], vec![0xFF; 0x4000], noise, b"no trace\n".repeat(40), pointer.into()];
    inputs.extend(corpus().map(|folder| std::fs::read(folder.join("not-a-trace.etl")).unwrap()));
    for bytes in &inputs {
        assert_eq!(refused(bytes).0, ErrorKind::NotATrace);
    }
    for bytes in [&inputs[0], &inputs[4]] {
        let (code, message) = analyzed("a.etl", bytes);
        assert_eq!((code, message.lines().count()), (2, 1), "{message}");
        assert!(message.contains("not an ETW trace"), "{message}");
    }
    let trace = sound().bytes;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&trace).unwrap();
    assert_eq!(analyzed("gzip.etl", &gzip.finish().unwrap()), (0, String::new()), "a packed trace is a trace");
    for (name, bytes) in [("zip.etl", &b"PK\x03\x04 and no more"[..]), ("cab.etl", b"MSCF and no more than that")] {
        let (code, message) = analyzed(name, bytes);
        assert_eq!((code, message.contains("cannot be read")), (2, true), "{message}");
    }
    format!("{} contents: `NotATrace`, exit 2, one line; a gzip'ed trace under a wrong name is read", inputs.len() + 2)
}

pub fn header_cut_everywhere() -> String {
    let sound = sound();
    let end = get32(&sound.bytes, 0x30) as usize;
    let first = usize::from(u16::from_le_bytes([sound.bytes[0x4C], sound.bytes[0x4D]]));
    for length in 0..=end + 8 {
        match read(&sound.bytes[..length]) {
            Err(error) => {
                let expected = if length < 0x48 { ErrorKind::NotATrace } else { ErrorKind::Truncated };
                assert_eq!((error.kind, error.consequence), (expected, Consequence::File), "{length:#x}");
                assert!(length < 0x48 + first, "{length:#x}");
            }
            Ok(outcome) => {
                assert!(length >= 0x48 + first);
                assert_eq!(outcome.records, 1);
                assert_eq!(outcome.damage[0].0, ErrorKind::Truncated);
            }
        }
    }
    format!(
        "{} cuts: `NotATrace` below 0x48, `Truncated` within the header record, behind it its record is read",
        end + 9
    )
}

pub fn cut_everywhere() -> String {
    let mut cuts = 0;
    for options in [options(), TraceOptions { compressed: true, ..options() }] {
        let bytes = numbered(options, 90).bytes;
        let all = streams(&bytes);
        let mut before = 0;
        for length in (0..bytes.len()).step_by(8) {
            let part = streams(&bytes[..length]);
            assert!(is_prefix(&part, &all), "{length:#x}");
            let records: usize = part.values().map(Vec::len).sum();
            assert!(records >= before, "{length:#x}: a longer piece holds no fewer records");
            before = records;
            cuts += 1;
        }
    }
    format!("{cuts} cuts, plain and compressed: each processor's records are the first of the whole file's")
}

pub fn open_logs_and_trailing_bytes() -> String {
    let sound = sound();
    // BuffersWritten and EndTime: a log that was not closed, and a count that is too high.
    for (buffers, ended) in [(0_u32, 0_i64), (u32::MAX, i64::MAX), (0, -1)] {
        let bytes = sound.with(|bytes| {
            put32(bytes, HEADER_PAYLOAD + 0x24, buffers);
            put64(bytes, HEADER_PAYLOAD + 0x10, ended);
        });
        assert_eq!(read(&bytes).unwrap(), whole(sound.records));
        let told = notes_of(&bytes).contains("the session did not close the log");
        assert_eq!(told, buffers == 0 || ended == 0);
    }
    // Behind the end of data: zeros, what looks like a record, what looks like a buffer.
    let record = known();
    let head = sound.bytes[..0x48].to_vec();
    for slack in [&[0][..], &record, &head] {
        let bytes = sound.with(|bytes| {
            for at in (0..bytes.len()).step_by(STRIDE) {
                let end = at + get32(bytes, at + 0x30) as usize;
                for (byte, filler) in bytes[end..at + STRIDE].iter_mut().zip(slack.iter().cycle()) {
                    *byte = *filler;
                }
            }
        });
        assert_eq!(read(&bytes).unwrap(), whole(sound.records));
    }
    for length in 1..0x48_usize {
        let bytes = sound.with(|bytes| bytes.resize(bytes.len() + length, 0xAB));
        let stray = one(sound.records, ErrorKind::StrayBytes, Consequence::Buffer, length as u64);
        assert_eq!(read(&bytes).unwrap(), stray);
        let bytes = sound.with(|bytes| bytes.resize(bytes.len() + length, 0));
        assert_eq!(read(&bytes).unwrap(), whole(sound.records));
    }
    let ([.., skipped], code) = coverage_of(&sound.with(|bytes| bytes.extend([0xAB; 9])));
    assert_eq!((skipped, code), (9, 1));
    // Room that was never written, and what an older log left in it.
    let bytes = sound.with(|bytes| bytes.resize(bytes.len() + 3 * STRIDE + 8, 0));
    assert_eq!(read(&bytes).unwrap(), whole(sound.records));
    assert_eq!(Trace::new(&bytes).unwrap().unwritten_bytes(), 3 * STRIDE as u64 + 8);
    let old = numbered(TraceOptions { t0: 1000, ..options() }, 10).bytes;
    let bytes = sound.with(|bytes| bytes.extend_from_slice(&old[STRIDE..2 * STRIDE]));
    assert_eq!(read(&bytes).unwrap(), whole(sound.records + 5), "a buffer is a buffer");
    "records equal the sound file's; garbage of 1 to 0x47 bytes: `StrayBytes`, exit 1; zeros: none; an old buffer's records are read too".to_owned()
}

pub fn put_together() -> String {
    let first = sound();
    let other = TraceOptions {
        buffer_size: 0x2000,
        pointer: Pointer::Four,
        clock: Clock::Qpc { freq: 3_579_545 },
        t0: 5,
        ..options()
    };
    let start = other.start_time;
    let second = sound_with(other);
    let bytes = [&first.bytes[..], &second.bytes].concat();
    assert_eq!(read(&bytes).unwrap(), whole(first.records + second.records));
    let segments = Trace::segments(&bytes).unwrap();
    assert_eq!(segments.len(), 2);
    assert_eq!(segments[1].start(), first.bytes.len() as u64);
    assert_eq!(segments[1].pointer_size().bytes(), 4);
    assert_eq!(segments[1].clock().file_time(5).0, start);
    // The first one was not written to its end.
    let cut = first.bytes.len() - STRIDE;
    let bytes = [&first.bytes[..cut], &second.bytes].concat();
    assert_eq!(read(&bytes).unwrap(), whole(first.records + second.records - first.records_at(cut)));
    let (report, code) = report_on(&bytes, 2);
    assert_eq!((report["traces"].as_array().unwrap().len(), code), (2, 0));
    "two segments, each with its own stride, clock and pointer size; all records; exit 0".to_owned()
}

pub fn header_buffer_out_of_place() -> String {
    let sound = sound();
    let (header, data) = sound.bytes.split_at(STRIDE);
    // Missing.
    assert_eq!(read(data).unwrap(), whole(sound.records - 1));
    let trace = Trace::new(data).unwrap();
    assert_eq!((trace.has_header(), trace.clock().is_assumed()), (false, true));
    assert!(notes_of(data).contains("the first buffer is missing"));
    // Not first: what stands before it is a segment of its own, without a header.
    let (before, behind) = data.split_at(STRIDE);
    let bytes = [before, header, behind].concat();
    assert_eq!(read(&bytes).unwrap(), whole(sound.records));
    let segments = Trace::segments(&bytes).unwrap();
    assert_eq!(segments.iter().map(Trace::has_header).collect::<Vec<_>>(), [false, true]);
    // Twice.
    let bytes = [header, header, data].concat();
    assert_eq!(read(&bytes).unwrap(), whole(sound.records + 1));
    assert_eq!(Trace::segments(&bytes).unwrap().len(), 2);
    "missing: all other records, assumed clock, a note; not first: two segments; twice: two segments, the first empty"
        .to_owned()
}

pub fn large_growing_and_pipes() -> String {
    // Buffers of 16 MiB that are holes but for their header and one record.
    let folder = scratch();
    let path = folder.path().join("sparse.etl");
    let mut file = std::fs::File::create(&path).unwrap();
    let options = TraceOptions { buffer_size: 0x100_0000, ..options() };
    let stride = u64::from(options.buffer_size);
    let head = numbered(options, 0).bytes;
    file.write_all(&head[..get32(&head, 0x30) as usize]).unwrap();
    let record = known();
    let end = 0x48 + record.len() as u32;
    const BUFFERS: u64 = 260;
    for number in 1..=BUFFERS {
        let header = BufferHeader {
            size: stride as u32,
            saved_offset: end,
            offset: end,
            sequence: number as i64,
            state: 3,
            ..BufferHeader::default()
        };
        file.seek(SeekFrom::Start(number * stride)).unwrap();
        file.write_all(&header.encode()).unwrap();
        file.write_all(&record).unwrap();
    }
    file.set_len((BUFFERS + 1) * stride).unwrap();
    let mapped = EtlFile::open(&path).unwrap();
    // Grows while it is open.
    file.seek(SeekFrom::End(0)).unwrap();
    file.write_all(&head[..0x1000]).unwrap();
    let trace = Trace::new(mapped.bytes()).unwrap();
    assert_eq!((trace.damage(), trace.buffers().len() as u64), (&[][..], BUFFERS + 1));
    let mut scratch = Vec::new();
    let last = trace.buffer(BUFFERS as usize, &mut scratch).unwrap();
    let record = last.records().next().unwrap().unwrap();
    assert_eq!(record.offset(), BUFFERS * stride + 0x48);
    assert!(record.offset() > u64::from(u32::MAX));
    let count = trace.records().filter(Result::is_ok).count() as u64;
    assert_eq!(count, BUFFERS + 1);

    let sound = sound();
    let mut child =
        command().args(["analyze", "-", "-f", "json"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(&sound.bytes).unwrap();
    let output = child.wait_with_output().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), report["traces"][0]["records"].as_u64()), (Some(0), Some(sound.records)));
    format!(
        "{BUFFERS} buffers in 4.1 GiB, the last record at {:#x}; growth is not seen; a pipe gives the same records",
        record.offset()
    )
}
