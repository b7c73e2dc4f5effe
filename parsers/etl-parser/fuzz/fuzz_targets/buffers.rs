//! A trace written by the synthetic writer, with records of all kinds on several processors, then damaged in fields of its
//! buffer and record headers: deeper than random bytes come.
#![no_main]

use arbitrary::Arbitrary;
use synth::record::{Descriptor, Extended, Origin, Record};
use synth::{Pointer, TraceBuilder, TraceOptions};

#[derive(Debug, Arbitrary)]
struct Input {
    compressed: bool,
    narrow: bool,
    old: bool,
    shuffle: u8,
    records: Vec<Written>,
    damage: Vec<Damage>,
    appended: Option<Vec<u8>>,
    cut: Option<u16>,
}

#[derive(Debug, Arbitrary)]
struct Written {
    kind: u8,
    cpu: u8,
    flush: bool,
    other_width: bool,
    step: i32,
    hook: u16,
    option: u8,
    payload: Vec<u8>,
}

/// A field of a header, or a byte anywhere.
#[derive(Debug, Arbitrary)]
enum Damage {
    BufferField { buffer: u8, field: u8, value: u32 },
    BufferNear { buffer: u8, field: u8, delta: i8 },
    Time { buffer: u8, value: i64 },
    Byte { at: u16, value: u8 },
}

fn write(input: &Input) -> Vec<u8> {
    let options = TraceOptions {
        buffer_size: 0x800,
        compressed: input.compressed,
        pointer: if input.narrow { Pointer::Four } else { Pointer::Eight },
        os_build: if input.old { 7601 } else { 20348 },
        ..TraceOptions::default()
    };
    let mut builder = TraceBuilder::new(options);
    let mut ticks = builder.options().t0;
    for record in input.records.iter().take(64) {
        ticks = ticks.saturating_add(i64::from(record.step));
        let (origin, hook, version) = (Origin::new(4, 8), record.hook, record.option & 7);
        let payload = &record.payload[..record.payload.len().min(0x600)];
        let provider = synth::Guid([record.option; 16]);
        let counters = [1; 7];
        let items = [
            Extended::ProcessStartKey(7),
            Extended::Raw { kind: hook, data: payload },
            Extended::StackTrace { match_id: 1, frames: &[1, 2, 3] },
        ];
        let items = &items[..usize::from(record.option) % 4];
        let written = match record.kind % 8 {
            0 => Record::System { origin, hook, version, payload },
            1 => Record::Compact { origin, hook, version, payload },
            2 => {
                let counters = &counters[..usize::from(version)];
                Record::PerfInfo { hook, version, pebs: (record.option & 8 != 0).then_some(1), counters, payload }
            }
            3 => Record::Full { origin, provider, opcode: version, level: 4, version: hook, payload },
            4 => Record::Instance {
                origin,
                provider,
                opcode: 1,
                version: version.into(),
                instance: (1, 2),
                parent: provider,
                payload,
            },
            5 => Record::Message {
                number: hook,
                sequence: (record.option & 1 != 0).then_some(1),
                component: (record.option & 2 != 0).then_some(1),
                guid: (record.option & 4 != 0).then_some(provider),
                timed: record.option & 8 != 0,
                origin: (record.option & 16 != 0).then_some(origin),
                payload,
            },
            _ => {
                let descriptor = Descriptor { id: hook, version, ..Descriptor::default() };
                let payload = &payload[..payload.len().min(0x200)];
                Record::Event { origin, provider, descriptor, activity: provider, extended: items, payload }
            }
        };
        let width = if input.narrow != record.other_width { Pointer::Four } else { Pointer::Eight };
        if written.len(width) > 0x780 {
            continue;
        }
        builder.record_as(width, u16::from(record.cpu % 4), ticks, &written);
        if record.flush {
            builder.flush();
        }
    }
    match input.shuffle {
        0 => builder.finish(),
        seed => builder.finish_with(seed.into()),
    }
}

/// Where the buffers start, as long as nothing is damaged.
fn starts(bytes: &[u8]) -> Vec<usize> {
    let mut starts = Vec::new();
    let mut at = 0;
    while let Some(size) = bytes.get(at..).and_then(|rest| rest.first_chunk()) {
        starts.push(at);
        at += u32::from_le_bytes(*size) as usize;
    }
    starts
}

const FIELDS: [(usize, usize); 12] = [
    (0, 4),
    (4, 4),
    (8, 4),
    (0x18, 4),
    (0x1C, 4),
    (0x28, 2),
    (0x2C, 4),
    (0x30, 4),
    (0x34, 2),
    (0x36, 2),
    (0x48, 4),
    (0x4C, 2),
];

fn damage(bytes: &mut [u8], starts: &[usize], damage: &Damage) {
    let field = |buffer: u8, field: u8| {
        let start = starts.get(usize::from(buffer) % starts.len().max(1)).copied().unwrap_or(0);
        let (at, size) = FIELDS[usize::from(field) % FIELDS.len()];
        (start + at, size)
    };
    match *damage {
        Damage::BufferField { buffer, field: number, value } => {
            let (at, size) = field(buffer, number);
            if let Some(place) = bytes.get_mut(at..at + size) {
                place.copy_from_slice(&value.to_le_bytes()[..size]);
            }
        }
        Damage::BufferNear { buffer, field: number, delta } => {
            let (at, size) = field(buffer, number);
            if let Some(place) = bytes.get_mut(at..at + size) {
                let mut value = [0; 4];
                value[..size].copy_from_slice(place);
                let value = u32::from_le_bytes(value).wrapping_add_signed(delta.into());
                place.copy_from_slice(&value.to_le_bytes()[..size]);
            }
        }
        Damage::Time { buffer, value } => {
            let (at, _) = field(buffer, 10);
            if let Some(place) = bytes.get_mut(at + 0x10..at + 0x18) {
                place.copy_from_slice(&value.to_le_bytes());
            }
        }
        Damage::Byte { at, value } => {
            let at = usize::from(at) % bytes.len().max(1);
            if let Some(byte) = bytes.get_mut(at) {
                *byte = value;
            }
        }
    }
}

libfuzzer_sys::fuzz_target!(|input: Input| {
    let mut bytes = write(&input);
    let starts = starts(&bytes);
    for one in &input.damage {
        damage(&mut bytes, &starts, one);
    }
    match &input.appended {
        // A second session, its start right behind the first one's end.
        Some(tail) if tail.is_empty() => bytes.extend_from_within(..),
        Some(tail) => bytes.extend_from_slice(tail),
        None => {}
    }
    if let Some(cut) = input.cut {
        bytes.truncate(usize::from(cut));
    }
    etl_parser_fuzz::check(&bytes);
});
