//! Events that describe themselves: a length (one byte, in units of 4), that much metadata, the rest is payload.
#![no_main]

use etw_schema::tracelogging::{ProviderTraits, read_event, read_provider_traits};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((length, rest)) = bytes.split_first() else { return };
    let (metadata, payload) = rest.split_at((4 * usize::from(*length)).min(rest.len()));
    let traits = read_provider_traits(payload).unwrap_or_else(|_| ProviderTraits::default());
    if let Ok(schema) = read_event(metadata, &traits) {
        outofports_fuzz::check_payload(&schema.layout, payload, None);
    }
});
