//! Embedded event metadata and maps: a length (two bytes), that much metadata, the rest is payload.
#![no_main]

use std::sync::Arc;

use etw_schema::event_info::{read_event_info, read_map_info};
use etw_schema::{Maps, Value};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((length, rest)) = bytes.split_first_chunk::<2>() else { return };
    let (metadata, payload) = rest.split_at(usize::from(u16::from_le_bytes(*length)).min(rest.len()));
    let mut maps = Maps::new();
    for bytes in [metadata, payload] {
        if let Ok((_, name, map)) = read_map_info(bytes) {
            for value in [Value::Unsigned(0), Value::Unsigned(u64::MAX), Value::Signed(-1), Value::Text("a".into())] {
                let _ = map.apply(value).to_string();
            }
            maps.insert(name, Arc::new(map));
        }
    }
    if let Ok(Some((_, schema))) = read_event_info(metadata) {
        outofports_fuzz::check_payload(&schema.layout, payload, Some(&maps));
    }
});
