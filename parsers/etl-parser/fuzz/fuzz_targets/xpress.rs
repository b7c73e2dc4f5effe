//! Decompression: within its bounds, equal to a plain reading of the specification, and the inverse of compression.
#![no_main]

const GUARD: u8 = 0xA5;

/// \[MS-XCA\] 2.4.4 byte by byte; stops where the stream cannot go on.
fn reference(input: &[u8], size: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let (mut at, mut flags, mut left, mut half) = (0_usize, 0_u32, 0_u32, None::<usize>);
    let byte = |at: usize| input.get(at).copied();
    let word = |at: usize| input.get(at..at + 2).map(|b| usize::from(u16::from_le_bytes([b[0], b[1]])));
    let long = |at: usize| input.get(at..at + 4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    while out.len() < size {
        if left == 0 {
            let Some(next) = long(at) else { break };
            (flags, left, at) = (next, 32, at + 4);
        }
        left -= 1;
        if flags & (1 << left) == 0 {
            let Some(literal) = byte(at) else { break };
            out.push(literal);
            at += 1;
            continue;
        }
        let Some(pair) = word(at) else { break };
        at += 2;
        let (mut length, distance) = (pair % 8, pair / 8 + 1);
        if length == 7 {
            let nibble = match half.take() {
                Some(place) => byte(place).map(|byte| byte / 16),
                None => {
                    half = Some(at);
                    at += 1;
                    byte(at - 1).map(|byte| byte % 16)
                }
            };
            let Some(nibble) = nibble else { break };
            length = usize::from(nibble);
            if length == 15 {
                let Some(next) = byte(at) else { break };
                (length, at) = (usize::from(next), at + 1);
                if length == 255 {
                    let Some(next) = word(at) else { break };
                    (length, at) = (next, at + 2);
                    if length == 0 {
                        let Some(next) = long(at) else { break };
                        (length, at) = (next as usize, at + 4);
                    }
                    if length < 22 {
                        break;
                    }
                    length -= 22;
                }
                length += 15;
            }
            length += 7;
        }
        length += 3;
        if distance > out.len() {
            break;
        }
        for _ in 0..length.min(size - out.len()) {
            out.push(out[out.len() - distance]);
        }
    }
    out
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some(([low, high], input)) = bytes.split_first_chunk::<2>() else { return };
    let size = usize::from(u16::from_le_bytes([*low, *high]));
    let mut room = vec![GUARD; size + 64];
    let written = etl_parser::xpress::decompress(input, &mut room[32..32 + size]);
    assert!(written <= size, "no more than the output holds");
    assert!(room[..32].iter().chain(&room[32 + size..]).all(|byte| *byte == GUARD), "nothing outside of the output");
    assert!(room[32 + written..].iter().all(|byte| *byte == GUARD), "nothing behind what was given");
    assert_eq!(&room[32..32 + written], reference(input, size), "as the specification has it");

    let packed = synth::xpress::compress(input);
    let mut whole = vec![0; input.len()];
    assert_eq!(etl_parser::xpress::decompress(&packed, &mut whole), input.len());
    assert_eq!(whole, input, "what was compressed comes back");
});
