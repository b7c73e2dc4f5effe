//! Manifests as text, and in parts: each part takes a length (one byte) and a part number; the rest of the input is text.
#![no_main]

use etl_parser::Trace;
use etw_schema::Schemas;
use etw_schema::manifest::read_manifest;
use synth::record::{Descriptor, Origin, Record};
use synth::{Guid, Pointer};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(manifest) = read_manifest(text)
    {
        for schema in manifest.events.values() {
            outofports_fuzz::check_payload(&schema.layout, &bytes[..bytes.len().min(64)], None);
        }
    }
    let mut records = Vec::new();
    let mut rest = bytes;
    while let Some(([length, number], behind)) = rest.split_first_chunk::<2>() {
        let (text, behind) = behind.split_at(usize::from(*length).min(behind.len()));
        rest = behind;
        let payload = [&[1, 1, 0, 0x5B, number >> 4, 0, number & 0xF, 0][..], text].concat();
        let descriptor = Descriptor { id: 0xFFFE, opcode: 0xFE, task: 0xFFFE, ..Descriptor::default() };
        let (origin, provider, activity) = (Origin::new(4, 8), Guid([1; 16]), Guid::default());
        let record = Record::Event { origin, provider, descriptor, activity, extended: &[], payload: &payload };
        record.encode(Pointer::Eight, 1, &mut records);
        records.resize(records.len().next_multiple_of(8), 0);
    }
    let bytes = etl_parser_fuzz::framed(&records);
    let trace = Trace::new(&bytes).expect("the frame is sound");
    let mut schemas = Schemas::default();
    let mut scratch = Vec::new();
    let buffer = trace.buffer(1, &mut scratch).expect("two buffers");
    for record in buffer.records().map_while(Result::ok) {
        schemas.learn(&record);
        let _ = schemas.decode(&record);
    }
    let counts = schemas.counts();
    assert!(schemas.manifests().rejected() + schemas.manifests().incomplete() as u64 <= counts.manifest_chunks);
});
