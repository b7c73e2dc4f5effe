//! The compression of buffers, for those who hold such a stream without its trace: MS-XCA "Plain LZ77"
//! (`COMPRESSION_FORMAT_XPRESS`, number 3), the only format seen in files.
//!
//! [`Trace::buffer`](crate::Trace::buffer) applies it where a buffer says so.

use crate::bytes::{array_at, u16_at, u32_at};

/// Expands one MS-XCA Plain LZ77 stream into `output`, and returns how many bytes it gave.
///
/// Stops at the end of `output`, at the end of `input`, or at the first match that points before the output's start:
/// what was written until then is good, and the caller compares the count with what the buffer announced.
/// `output` is the bound: nothing is allocated.
///
/// Source: \[MS-XCA\] 2.4. 32-bit flag words, taken from the highest bit; 0 is a literal byte, 1 a match of 16 bits:
/// length − 3 in the low 3 bits, distance − 1 in the others. Length 7 continues in a nibble (two matches share one
/// byte), 15 in a byte, 255 in 16 bits, 0 there in 32 bits.
#[must_use = "only as many bytes of the output are good"]
pub fn decompress(input: &[u8], output: &mut [u8]) -> usize {
    let mut read = 0_usize;
    let mut written = 0_usize;
    let mut flags = 0_u32;
    let mut flags_left = 0_u32;
    let mut shared_nibble: Option<usize> = None;
    while written < output.len() {
        if flags_left == 0 {
            let Some(word) = u32_at(input, read) else { break };
            flags = word;
            flags_left = 32;
            read += 4;
        }
        // A run of literals is copied at once: `leading_zeros` counts the flags that say so.
        let literals = flags.leading_zeros().min(flags_left) as usize;
        if literals > 0 {
            let run = literals.min(output.len() - written);
            let available = input.len().saturating_sub(read).min(run);
            let (Some(from), Some(to)) =
                (input.get(read..read + available), output.get_mut(written..written + available))
            else {
                break;
            };
            to.copy_from_slice(from);
            read += available;
            written += available;
            if available < literals {
                break;
            }
            flags = flags.checked_shl(literals as u32).unwrap_or(0);
            flags_left -= literals as u32;
            continue;
        }
        flags <<= 1;
        flags_left -= 1;
        let Some(word) = u16_at(input, read) else { break };
        read += 2;
        let distance = usize::from(word >> 3) + 1;
        let Some(length) = match_length(input, usize::from(word & 7), &mut read, &mut shared_nibble) else { break };
        if distance > written {
            break;
        }
        let length = length.min(output.len() - written);
        copy_match(output, written, distance, length);
        written += length;
    }
    written
}

/// The length of a match, whose first three bits are `low`; `None` where the input ends or the encoding is not legal.
#[inline]
fn match_length(input: &[u8], low: usize, read: &mut usize, shared_nibble: &mut Option<usize>) -> Option<usize> {
    if low < 7 {
        return Some(low + 3);
    }
    let nibble = match shared_nibble.take() {
        Some(at) => input.get(at)? >> 4,
        None => {
            *shared_nibble = Some(*read);
            let byte = *input.get(*read)?;
            *read += 1;
            byte & 0xF
        }
    };
    if nibble < 15 {
        return Some(usize::from(nibble) + 7 + 3);
    }
    let [byte] = array_at::<1>(input, *read)?;
    *read += 1;
    if byte < 255 {
        return Some(usize::from(byte) + 15 + 7 + 3);
    }
    let mut long = u32::from(u16_at(input, *read)?);
    *read += 2;
    if long == 0 {
        long = u32_at(input, *read)?;
        *read += 4;
    }
    // The long forms hold the whole length − 3, which only a length the short forms cannot express may use.
    let long = usize::try_from(long).ok()?;
    (long >= 15 + 7).then(|| long.saturating_add(3))
}

/// Copies `length` bytes from `distance` bytes back; source and target may overlap, which repeats the source.
#[inline]
fn copy_match(output: &mut [u8], at: usize, distance: usize, length: usize) {
    let start = at - distance;
    if distance >= length {
        output.copy_within(start..start + length, at);
        return;
    }
    // Doubling: after each step twice as much of the pattern stands there.
    let mut done = 0;
    while done < length {
        let step = (distance + done).min(length - done);
        output.copy_within(start..start + step, at + done);
        done += step;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand(input: &[u8], length: usize) -> Vec<u8> {
        let mut output = vec![0; length];
        let written = decompress(input, &mut output);
        output.truncate(written);
        output
    }

    /// The two examples of [MS-XCA] 3.1.
    #[test]
    fn known_answers_of_the_specification() {
        let alphabet = b"abcdefghijklmnopqrstuvwxyz";
        let mut input = vec![0x3f, 0, 0, 0];
        input.extend_from_slice(alphabet);
        assert_eq!(expand(&input, 26), alphabet);

        let input = [0xff, 0xff, 0xff, 0x1f, 0x61, 0x62, 0x63, 0x17, 0x00, 0x0f, 0xff, 0x26, 0x01];
        assert_eq!(expand(&input, 300), b"abc".repeat(100));
    }

    #[test]
    fn output_length_bounds_the_work() {
        let input = [0xff, 0xff, 0xff, 0x1f, 0x61, 0x62, 0x63, 0x17, 0x00, 0x0f, 0xff, 0x26, 0x01];
        assert_eq!(expand(&input, 7), b"abcabca");
        assert_eq!(expand(&input, 0), b"");
    }

    #[test]
    fn illegal_streams_keep_what_came_before() {
        // A match before any literal; a distance beyond the start; an input that ends in a match.
        assert_eq!(expand(&[0, 0, 0, 0x80, 0, 0], 10), b"");
        assert_eq!(expand(&[0, 0, 0, 0x40, b'x', 0x08, 0], 10), b"x");
        assert_eq!(expand(&[0, 0, 0, 0x40, b'x', 0x08], 10), b"x");
        assert_eq!(expand(&[1, 2], 10), b"");
        // A 16-bit length below 22 is illegal, as is a 32-bit one.
        assert_eq!(expand(&[0, 0, 0, 0x40, b'x', 7, 0, 15, 255, 21, 0], 99), b"x");
        assert_eq!(expand(&[0, 0, 0, 0x40, b'x', 7, 0, 15, 255, 0, 0, 21, 0, 0, 0], 99), b"x");
    }

    #[test]
    fn the_longest_length_fills_the_output_and_no_more() {
        let input = [0, 0, 0, 0x40, b'x', 7, 0, 15, 255, 0, 0, 0xff, 0xff, 0xff, 0xff];
        assert_eq!(expand(&input, 1000), b"x".repeat(1000));
    }

    #[test]
    fn two_long_matches_share_a_byte_of_nibbles() {
        // 'x', then two matches of 3+7+1 and 3+7+2: the nibbles 1 and 2 stand in one byte, behind the first match.
        let input = [0, 0, 0, 0x60, b'x', 7, 0, 0x21, 7, 0];
        assert_eq!(expand(&input, 24), b"x".repeat(24));
    }
}
