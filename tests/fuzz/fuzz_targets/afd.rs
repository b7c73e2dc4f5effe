//! Winsock-AFD events: ids and payloads of any bytes, several in a trace. Each takes an id (two bytes), a width and a length.
#![no_main]

use synth::record::{Origin, Record};
use synth::{Guid, Pointer, afd};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut records = Vec::new();
    let mut rest = bytes;
    while let Some(([low, high, form, length], behind)) = rest.split_first_chunk::<4>() {
        let (payload, behind) = behind.split_at(usize::from(*length).min(behind.len()));
        rest = behind;
        let id = u16::from_le_bytes([*low, *high]);
        let record = Record::Event {
            origin: Origin::new(u32::from(*form), 8),
            provider: afd::PROVIDER,
            descriptor: if id < 1000 { afd::legacy_descriptor(id) } else { afd::descriptor(id, 0) },
            activity: Guid::default(),
            extended: &[],
            payload,
        };
        record.encode(if form & 1 == 0 { Pointer::Eight } else { Pointer::Four }, 1, &mut records);
        records.resize(records.len().next_multiple_of(8), 0);
    }
    outofports_fuzz::check(&etl_parser_fuzz::framed(&records), &[]);
});
