//! Listings with known rows, in the forms in which people send them: the bytes choose rows and form.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut bytes = bytes.iter();
    let mut draw = |below: u32| {
        let (high, low) = (bytes.next().copied().unwrap_or(0), bytes.next().copied().unwrap_or(0));
        u32::from(u16::from_be_bytes([high, low])) % below
    };
    outofports_fuzz::rows::check(&synth::listing::write(&mut draw));
});
