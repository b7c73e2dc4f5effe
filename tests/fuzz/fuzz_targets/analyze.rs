//! Any bytes as a trace: to the report.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| outofports_fuzz::check(bytes, &[]));
