//! Records in sound buffers: each buffer takes a length (two bytes, little-endian), a processor, a sequence number and a
//! flag byte from the input, and then that many bytes of records as they are.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut trace = etl_parser_fuzz::header_buffer().to_vec();
    let mut rest = bytes;
    while let Some(([low, high, cpu, sequence, flags], behind)) = rest.split_first_chunk::<5>() {
        let length = usize::from(u16::from_le_bytes([*low, *high])) % etl_parser_fuzz::FRAME_BYTES;
        let (records, behind) = behind.split_at(length.min(behind.len()));
        rest = behind;
        let start = trace.len();
        etl_parser_fuzz::push_buffer(&mut trace, u16::from(*cpu), i64::from(*sequence), records);
        // Events lost, buffers lost, processor index: flags that change no layout.
        trace[start + 0x34] = *flags & !0x40;
        if trace.len() > 64 * etl_parser_fuzz::FRAME_BYTES {
            break;
        }
    }
    etl_parser_fuzz::check(&trace);
});
