//! Any bytes as a trace: to the list of its events, and to what it holds.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| outofports_fuzz::listing::check(bytes));
