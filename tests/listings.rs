//! Listings: generated ones in all forms, and what people post.

#[path = "fuzz/src/rows.rs"]
mod rows;

/// Listings that are tried. A longer run found nothing more.
const ROUNDS: u64 = 1_200;

/// A small generator: the same numbers on every run.
fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

#[test]
fn every_row_is_counted_as_what_it_is_or_told_to_be_not_understood() {
    let rounds = std::env::var("LISTING_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(ROUNDS);
    let (mut written, mut read) = (0, 0);
    for round in 1..=rounds {
        let mut state = round.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mut draw = |below: u32| u32::try_from(random(&mut state) >> 20 & 0xFFFF_FFFF).unwrap() % below;
        let listing = synth::listing::write(&mut draw);
        written += rows::count(&listing);
        read += rows::check(&listing);
    }
    println!("{read} of {written} rows read");
    assert!(read * 100 >= written * 97, "only {read} of {written} rows were read");
}
