//! Chains of extended items: event records whose bytes behind the fixed header are the input.
#![no_main]

use etl_parser::Trace;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let tail = &bytes[..bytes.len().min(0xE00)];
    let size = 0x50 + tail.len();
    let mut record = vec![0; 0x50];
    record[..2].copy_from_slice(&(size as u16).to_le_bytes());
    record[2..6].copy_from_slice(&[0x13, 0xC0, 0x01, 0x00]);
    record.extend_from_slice(tail);
    record.resize(size.next_multiple_of(8), 0);
    // A second record shows that the first one costs no other.
    record.extend_from_slice(&[0x50, 0, 0x13, 0xC0]);
    record.resize(size.next_multiple_of(8) + 0x50, 0);
    let trace = etl_parser_fuzz::framed(&record);
    let trace = Trace::new(&trace).expect("the frame is sound");
    let mut scratch = Vec::new();
    let buffer = trace.buffer(1, &mut scratch).expect("two buffers");
    let records: Vec<_> = buffer.records().map(|record| record.expect("the sizes are right")).collect();
    assert_eq!(records.len(), 2);
    for record in &records {
        etl_parser_fuzz::check_record(record);
    }
    let items: Vec<_> = records[0].extended_items().collect();
    assert!(items.len() <= tail.len() / 8, "an item has a head of 8 bytes");
    let taken: usize = items.iter().map(|item| 8 + item.data.len()).sum();
    assert!(taken <= tail.len(), "items take what is there");
    if let Ok(payload) = records[0].user_data() {
        assert!(taken + payload.len() <= tail.len());
    }
    assert_eq!(records[1].user_data().map(<[u8]>::len), Ok(0));
});
