use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// A GUID as ETW stores it: `u32`, `u16`, `u16` little-endian, then eight bytes as they are. Ordered by these bytes.
///
/// Kept as two little-endian words, which are compared one after the other: every record's GUID is compared with those of some
/// providers, and nearly always the first word tells.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Guid {
    low: u64,
    high: u64,
}

impl Guid {
    /// The null GUID.
    pub const ZERO: Self = Self { low: 0, high: 0 };

    /// From the 16 bytes as they stand in the file.
    #[inline]
    pub const fn from_wire(bytes: [u8; 16]) -> Self {
        // Not by way of 128 bits, of which compilers take the halves apart again. There are 16 bytes: each half is there.
        match (bytes.first_chunk(), bytes.last_chunk()) {
            (Some(low), Some(high)) => Self { low: u64::from_le_bytes(*low), high: u64::from_le_bytes(*high) },
            _ => Self::ZERO,
        }
    }

    /// From the number that the canonical text spells, for constants:
    /// `Guid::from_u128(0xe53c6823_7bb8_44bb_90dc_3f86090d48a6)`.
    pub const fn from_u128(value: u128) -> Self {
        let b = value.to_be_bytes();
        let wire =
            [b[3], b[2], b[1], b[0], b[5], b[4], b[7], b[6], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]];
        Self::from_wire(wire)
    }

    /// The 16 bytes as they stand in the file.
    pub const fn to_wire(self) -> [u8; 16] {
        ((self.high as u128) << 64 | self.low as u128).to_le_bytes()
    }
}

impl Ord for Guid {
    fn cmp(&self, other: &Self) -> Ordering {
        self.to_wire().cmp(&other.to_wire())
    }
}

impl PartialOrd for Guid {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Canonical text in lower case, without braces.
impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without a formatter call for each byte: lists of events print one or more for every event.
        const ORDER: [usize; 16] = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let wire = self.to_wire();
        let mut text = [b'-'; 36];
        let places = (0..36).filter(|place| !matches!(place, 8 | 13 | 18 | 23));
        let nibbles = ORDER.iter().filter_map(|at| wire.get(*at)).flat_map(|byte| [byte >> 4, byte & 0xF]);
        for (place, nibble) in places.zip(nibbles) {
            if let (Some(place), Some(digit)) = (text.get_mut(place), DIGITS.get(usize::from(nibble))) {
                *place = *digit;
            }
        }
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

/// What is no GUID: [`Guid`]'s `FromStr` takes 32 hexadecimal digits in groups of 8, 4, 4, 4 and 12.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParseGuidError;

impl fmt::Display for ParseGuidError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a GUID: 8-4-4-4-12 hexadecimal digits expected")
    }
}

impl std::error::Error for ParseGuidError {}

/// Canonical text in any case, with or without braces.
impl FromStr for Guid {
    type Err = ParseGuidError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bare = text.strip_prefix('{').map_or(Some(text), |text| text.strip_suffix('}')).ok_or(ParseGuidError)?;
        let mut lengths = [0; 5];
        let mut value = 0_u128;
        let mut groups = bare.split('-');
        for (length, group) in lengths.iter_mut().zip(groups.by_ref()) {
            *length = group.len();
            for digit in group.chars() {
                value = value << 4 | u128::from(digit.to_digit(16).ok_or(ParseGuidError)?);
            }
        }
        let fits = lengths == [8, 4, 4, 4, 12] && groups.next().is_none();
        fits.then(|| Self::from_u128(value)).ok_or(ParseGuidError)
    }
}

/// As canonical text.
#[cfg(feature = "serde")]
impl serde::Serialize for Guid {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Debug for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{self}}}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wire_order_is_mixed_endian() {
        let wire = [0x23, 0x68, 0x3c, 0xe5, 0xb8, 0x7b, 0xbb, 0x44, 0x90, 0xdc, 0x3f, 0x86, 0x09, 0x0d, 0x48, 0xa6];
        let guid = Guid::from_wire(wire);
        assert_eq!(guid.to_string(), "e53c6823-7bb8-44bb-90dc-3f86090d48a6");
        assert_eq!(guid, Guid::from_u128(0xe53c_6823_7bb8_44bb_90dc_3f86_090d_48a6));
        assert_eq!(guid.to_wire(), wire);
    }

    #[test]
    fn text_leads_back_to_the_guid() {
        let guid = Guid::from_u128(0xe53c_6823_7bb8_44bb_90dc_3f86_090d_48a6);
        for text in [guid.to_string(), format!("{guid:?}"), guid.to_string().to_uppercase()] {
            assert_eq!(text.parse(), Ok(guid), "{text}");
        }
        for text in [
            "",
            "{}",
            "e53c6823-7bb8-44bb-90dc-3f86090d48a",
            "e53c6823-7bb8-44bb-90dc-3f86090d48a6-",
            "e53c6823-7bb8-44bb-90dc3f86-090d48a6",
            "e53c68237bb844bb90dc3f86090d48a6",
            "{e53c6823-7bb8-44bb-90dc-3f86090d48a6",
            "e53c6823-7bb8-44bb-90dc-3f86090d48a6}",
            "+53c6823-7bb8-44bb-90dc-3f86090d48a6",
            "g53c6823-7bb8-44bb-90dc-3f86090d48a6",
            "é3c6823-7bb8-44bb-90dc-3f86090d48a6",
        ] {
            assert_eq!(text.parse::<Guid>(), Err(ParseGuidError), "{text}");
        }
    }

    #[test]
    fn order_is_that_of_the_bytes() {
        let with = |first, last| {
            let mut bytes = [7; 16];
            (bytes[0], bytes[15]) = (first, last);
            Guid::from_wire(bytes)
        };
        let mut guids = [with(2, 0), with(1, 9), with(1, 0), with(0, 200)];
        guids.sort();
        assert_eq!(guids, [with(0, 200), with(1, 0), with(1, 9), with(2, 0)]);
    }
}
