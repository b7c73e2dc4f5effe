//! Reads one value by its in-type and out-type.
//!
//! Sources: Microsoft's "Event tracing MOF qualifiers" and `tdh.h` for sizes and prefixes; what an out-type changes is
//! `TdhFormatProperty`'s behaviour as its page has it. Payloads are packed and little-endian; ports and IP addresses are
//! in network order.

use std::net::{Ipv4Addr, Ipv6Addr};

use etl_parser::{FileTime, PointerSize};

use crate::address::socket_address;
use crate::cursor::{ByteCursor, ansi_text, utf16_text};
use crate::decode::MissingReason;
use crate::status::NtStatus;
use crate::types::{InType, OutType};
use crate::value::{Sid, SystemTime, Value};

/// Reads one value. `length` is what the schema says beyond the type: UTF-16 units of strings in UTF-16, else bytes.
pub(crate) fn read(
    cursor: &mut ByteCursor<'_>,
    (in_type, out_type): (InType, OutType),
    length: Option<usize>,
    pointer_size: PointerSize,
) -> Result<Value, MissingReason> {
    read_fitting(cursor, (in_type, out_type), length, pointer_size).ok_or(MissingReason::PayloadEnded)?
}

/// `None` where the value does not fit into what is left.
fn read_fitting(
    cursor: &mut ByteCursor<'_>,
    (in_type, out_type): (InType, OutType),
    length: Option<usize>,
    pointer_size: PointerSize,
) -> Option<Result<Value, MissingReason>> {
    let number = |unsigned: u64, bytes: usize| number(in_type, out_type, unsigned, bytes);
    Some(Ok(match in_type {
        InType::UNICODE_STRING => match length {
            Some(units) => utf16(cursor.bytes(units.checked_mul(2)?)?),
            None if cursor.remaining() < 2 => return None,
            None => utf16(cursor.until_utf16_nul_or_end()),
        },
        InType::ANSI_STRING => match length {
            Some(bytes) => ansi(cursor.bytes(bytes)?, out_type),
            None if cursor.remaining() == 0 => return None,
            None => ansi(cursor.until_nul_or_end(), out_type),
        },
        InType::INT8 | InType::UINT8 => number(u64::from(cursor.u8()?), 1),
        InType::INT16 | InType::UINT16 => number(u64::from(cursor.u16()?), 2),
        InType::INT32 | InType::UINT32 | InType::HEX_INT32 => number(u64::from(cursor.u32()?), 4),
        InType::INT64 | InType::UINT64 | InType::HEX_INT64 => number(cursor.u64()?, 8),
        InType::POINTER | InType::SIZE_T => number(cursor.pointer(pointer_size)?, pointer_size.bytes()),
        InType::FLOAT => Value::Float(cursor.array().map(f32::from_le_bytes)?),
        InType::DOUBLE => Value::Double(cursor.array().map(f64::from_le_bytes)?),
        // MOF has one of a single byte, and says so by its length.
        InType::BOOLEAN if length == Some(1) => Value::Bool(cursor.u8()? != 0),
        InType::BOOLEAN => Value::Bool(cursor.u32()? != 0),
        InType::BINARY => {
            let implied = if out_type == OutType::IPV6 { 16 } else { 0 };
            binary(cursor.bytes(length.unwrap_or(implied))?, out_type)
        }
        InType::GUID => Value::Guid(cursor.guid()?),
        InType::FILETIME => Value::FileTime(FileTime(cursor.u64()?.cast_signed())),
        InType::SYSTEMTIME => {
            let words = cursor.bytes(16)?.as_chunks::<2>().0.first_chunk::<8>()?;
            Value::SystemTime(SystemTime(words.map(u16::from_le_bytes)))
        }
        InType::SID => sid(cursor)?,
        InType::MANIFEST_COUNTED_STRING | InType::COUNTED_STRING => utf16(counted(cursor, ByteCursor::u16)?),
        InType::REVERSED_COUNTED_STRING => utf16(counted(cursor, ByteCursor::u16_be)?),
        InType::MANIFEST_COUNTED_ANSI_STRING | InType::COUNTED_ANSI_STRING => {
            ansi(counted(cursor, ByteCursor::u16)?, out_type)
        }
        InType::REVERSED_COUNTED_ANSI_STRING => ansi(counted(cursor, ByteCursor::u16_be)?, out_type),
        InType::MANIFEST_COUNTED_BINARY => binary(counted(cursor, ByteCursor::u16)?, out_type),
        InType::NON_NULL_TERMINATED_STRING => utf16(cursor.bytes(cursor.remaining() & !1)?),
        InType::NON_NULL_TERMINATED_ANSI_STRING => ansi(cursor.bytes(cursor.remaining())?, out_type),
        InType::UNICODE_CHAR => Value::Text(utf16_text(cursor.bytes(2)?)),
        InType::ANSI_CHAR => Value::Text(ansi_text(cursor.bytes(1)?)),
        InType::HEX_DUMP => {
            let length = usize::try_from(u32::from_le_bytes(*cursor.rest().first_chunk()?)).ok()?;
            let whole = cursor.bytes(length.checked_add(4)?)?;
            binary(whole.get(4..)?, out_type)
        }
        InType::WBEM_SID => return wbem_sid(cursor, pointer_size),
        InType(_) => {
            let bytes = cursor.bytes(length.unwrap_or(cursor.remaining()))?.to_vec();
            Value::Unknown { in_type, bytes }
        }
    }))
}

/// Bytes behind a 16-bit count of bytes. Where they do not fit, nothing is taken.
fn counted<'a>(cursor: &mut ByteCursor<'a>, count: fn(&mut ByteCursor<'a>) -> Option<u16>) -> Option<&'a [u8]> {
    let mut ahead = cursor.clone();
    let length = count(&mut ahead)?;
    let bytes = ahead.bytes(usize::from(length))?;
    *cursor = ahead;
    Some(bytes)
}

/// Text of a fixed length is filled up with NULs.
fn utf16(bytes: &[u8]) -> Value {
    let mut text = utf16_text(bytes);
    text.truncate(text.trim_end_matches('\0').len());
    Value::Text(text)
}

fn ansi(bytes: &[u8], out_type: OutType) -> Value {
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let bytes = bytes.get(..end).unwrap_or(bytes);
    Value::Text(match out_type {
        OutType::UTF8 | OutType::JSON | OutType::XML => String::from_utf8_lossy(bytes).into_owned(),
        _ => ansi_text(bytes),
    })
}

fn binary(bytes: &[u8], out_type: OutType) -> Value {
    let meant = match out_type {
        OutType::IPV6 => <[u8; 16]>::try_from(bytes).ok().map(|bytes| Value::Ip(Ipv6Addr::from(bytes).into())),
        OutType::IPV4 => <[u8; 4]>::try_from(bytes).ok().map(|bytes| Value::Ip(Ipv4Addr::from(bytes).into())),
        OutType::SOCKET_ADDRESS => socket_address(bytes).map(Value::SocketAddress),
        _ => None,
    };
    meant.unwrap_or_else(|| Value::Bytes(bytes.to_vec()))
}

/// An integer of `bytes` bytes, zero-extended in `unsigned`. An out-type that does not suit the size changes nothing.
fn number(in_type: InType, out_type: OutType, unsigned: u64, bytes: usize) -> Value {
    let signed = match bytes {
        1 => i64::from((unsigned as u8).cast_signed()),
        2 => i64::from((unsigned as u16).cast_signed()),
        4 => i64::from((unsigned as u32).cast_signed()),
        _ => unsigned.cast_signed(),
    };
    match (out_type, bytes) {
        // The usual way of showing a pointer.
        (OutType::HEX_INT64, _) if in_type == InType::POINTER => Value::Pointer(unsigned),
        (OutType::HEX_INT8 | OutType::HEX_INT16 | OutType::HEX_INT32 | OutType::HEX_INT64, _) => Value::Hex(unsigned),
        (OutType::CODE_POINTER, _) => Value::Pointer(unsigned),
        (OutType::BOOLEAN, _) => Value::Bool(unsigned != 0),
        // Odd: byte, short, int, long. Even: the same, unsigned.
        (OutType(3 | 5 | 7 | 9), _) => Value::Signed(signed),
        (OutType(4 | 6 | 8 | 10) | OutType::PID | OutType::TID, _) => Value::Unsigned(unsigned),
        (OutType::STRING, 1) => Value::Text(ansi_text(&[unsigned as u8])),
        (OutType::STRING, 2) => Value::Text(utf16_text(&(unsigned as u16).to_le_bytes())),
        (OutType::PORT, 2) => Value::Port((unsigned as u16).swap_bytes()),
        (OutType::IPV4, 4) => Value::Ip(Ipv4Addr::from((unsigned as u32).to_le_bytes()).into()),
        (OutType::WIN32_ERROR, 4) => Value::Win32Error(unsigned as u32),
        (OutType::NTSTATUS, 4) => Value::NtStatus(NtStatus(unsigned as u32)),
        (OutType::HRESULT, 4) => Value::HResult(unsigned as u32),
        _ => match in_type {
            InType::INT8 | InType::INT16 | InType::INT32 | InType::INT64 => Value::Signed(signed),
            InType::HEX_INT32 | InType::HEX_INT64 | InType::SIZE_T => Value::Hex(unsigned),
            InType::POINTER => Value::Pointer(unsigned),
            _ => Value::Unsigned(unsigned),
        },
    }
}

fn sid(cursor: &mut ByteCursor<'_>) -> Option<Value> {
    let count = *cursor.rest().get(1)?;
    cursor.bytes(Sid::length(count)).map(|bytes| Value::Sid(Sid::from_bytes(bytes)))
}

/// `TOKEN_USER`: two pointers and a SID, or four zero bytes.
///
/// The SID counts where a plausible one stands there (revision 1, at most 15 sub-authorities), whatever the pointers
/// are: loggers in user mode leave them zero.
fn wbem_sid(cursor: &mut ByteCursor<'_>, pointer_size: PointerSize) -> Option<Result<Value, MissingReason>> {
    let mut behind = cursor.clone();
    let plausible = behind.bytes(2 * pointer_size.bytes()).is_some()
        && matches!(behind.rest(), [1, count, ..] if *count <= 15 && behind.remaining() >= Sid::length(*count));
    if plausible {
        *cursor = behind;
        return sid(cursor).map(Ok);
    }
    Some(match cursor.rest().first_chunk::<4>()? {
        [0, 0, 0, 0] => {
            cursor.bytes(4)?;
            Ok(Value::Bytes(Vec::new()))
        }
        _ => Err(MissingReason::NoSid),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In-type, out-type, length, bytes, and what they show as.
    type Case<'a> = (u16, u16, Option<usize>, &'a [u8], &'a str);

    fn one(
        in_type: InType,
        out_type: OutType,
        length: Option<usize>,
        bytes: &[u8],
    ) -> (Result<Value, MissingReason>, usize) {
        let mut cursor = ByteCursor::new(bytes);
        let value = read(&mut cursor, (in_type, out_type), length, PointerSize::Eight);
        (value, cursor.remaining())
    }

    fn shown(in_type: InType, out_type: OutType, length: Option<usize>, bytes: &[u8]) -> String {
        match one(in_type, out_type, length, bytes) {
            (Ok(value), 0) => value.to_string(),
            other => panic!("{in_type} {out_type}: {other:?}"),
        }
    }

    #[test]
    fn each_in_type_as_it_is_stored() {
        let guid = [0x23, 0x68, 0x3c, 0xe5, 0xb8, 0x7b, 0xbb, 0x44, 0x90, 0xdc, 0x3f, 0x86, 0x09, 0x0d, 0x48, 0xa6];
        let date = [0xEA, 7, 11, 0, 1, 0, 23, 0, 1, 0, 2, 0, 3, 0, 4, 0];
        let sid = [1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0];
        let cases: [(u16, Option<usize>, &[u8], &str); 49] = [
            (1, None, b"a\0b\0\0\0", "ab"),
            (1, None, b"a\0b\0", "ab"),
            (1, Some(2), b"a\0\0\0", "a"),
            (1, Some(0), b"", ""),
            (2, None, b"ab\0", "ab"),
            (2, None, b"ab", "ab"),
            (2, Some(3), b"a\0\0", "a"),
            (2, None, b"caf\xe9\0", "café"),
            (3, None, &[0xFE], "-2"),
            (4, None, &[0xFE], "254"),
            (5, None, &[0xFE, 0xFF], "-2"),
            (6, None, &[0xFE, 0xFF], "65534"),
            (7, None, &[0xFE, 0xFF, 0xFF, 0xFF], "-2"),
            (8, None, &[0xFE, 0xFF, 0xFF, 0xFF], "4294967294"),
            (9, None, &[0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF], "-2"),
            (10, None, &[0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF], "18446744073709551614"),
            (11, None, &[0, 0, 0x80, 0x3F], "1"),
            (11, None, &[0, 0, 0x80, 0x7F], "inf"),
            (12, None, &[0, 0, 0, 0, 0, 0, 0xF8, 0x3F], "1.5"),
            (13, None, &[0, 0, 0, 0], "false"),
            (13, None, &[0, 1, 0, 0], "true"),
            (13, Some(1), &[1], "true"),
            (14, Some(3), &[1, 2, 0xFF], "0102FF"),
            (14, None, &[], ""),
            (15, None, &guid, "e53c6823-7bb8-44bb-90dc-3f86090d48a6"),
            (16, None, &[1, 0, 0, 0, 2, 0, 0, 0], "0x200000001"),
            (17, None, &[0; 8], "(0)"),
            (18, None, &date, "2026-11-23T01:02:03.004"),
            (19, None, &sid, "S-1-5-18"),
            (20, None, &[0xFF, 0, 0, 0], "0xFF"),
            (21, None, &[0xFF, 0, 0, 0, 0, 0, 0, 1], "0x1000000000000FF"),
            (22, None, b"\x04\0a\0b\0", "ab"),
            (22, None, b"\x03\0a\0b", "a"),
            (23, None, b"\x02\0ab", "ab"),
            (25, None, &[2, 0, 0xAB, 0xCD], "ABCD"),
            (300, None, b"\x02\0a\0", "a"),
            (301, None, b"\x01\0a", "a"),
            (302, None, b"\0\x02a\0", "a"),
            (303, None, b"\0\x01a", "a"),
            (304, None, b"a\0b\0", "ab"),
            (304, None, b"", ""),
            (305, None, b"ab", "ab"),
            (306, None, b"a\0", "a"),
            (307, None, b"a", "a"),
            (308, None, &[0x10, 0, 0, 0, 0, 0, 0, 0], "0x10"),
            (309, None, &[2, 0, 0, 0, 7, 8], "0708"),
            (310, None, &[0, 0, 0, 0], ""),
            (299, None, &[1, 2], "0102"),
            (24, Some(1), &[1], "01"),
        ];
        for (in_type, length, bytes, want) in cases {
            assert_eq!(shown(InType(in_type), OutType::NULL, length, bytes), want, "in-type {in_type}");
        }
    }

    #[test]
    fn each_out_type_as_it_is_meant() {
        let v4 = [2, 0, 0, 80, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
        let v6 = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
        let cases: [Case<'_>; 35] = [
            (4, 1, None, b"a", "a"),
            (6, 1, None, b"\xac\x20", "€"),
            (8, 1, None, &[1, 0, 0, 0], "1"),
            (4, 3, None, &[0xFF], "-1"),
            (3, 4, None, &[0xFF], "255"),
            (6, 5, None, &[0xFF, 0xFF], "-1"),
            (5, 6, None, &[0xFF, 0xFF], "65535"),
            (8, 7, None, &[0xFF; 4], "-1"),
            (7, 8, None, &[0xFF; 4], "4294967295"),
            (10, 9, None, &[0xFF; 8], "-1"),
            (9, 10, None, &[0xFF; 8], "18446744073709551615"),
            (4, 13, None, &[2], "true"),
            (8, 13, None, &[0; 4], "false"),
            (4, 16, None, &[0xAB], "0xAB"),
            (6, 17, None, &[0xAB, 0xCD], "0xCDAB"),
            (8, 18, None, &[0xAB, 0, 0, 0], "0xAB"),
            (7, 18, None, &[0xFF; 4], "0xFFFFFFFF"),
            (10, 19, None, &[0xAB, 0, 0, 0, 0, 0, 0, 0], "0xAB"),
            (20, 8, None, &[0x10, 0, 0, 0], "16"),
            (8, 20, None, &[4, 0, 0, 0], "4"),
            (16, 20, None, &[4, 0, 0, 0, 0, 0, 0, 0], "4"),
            (8, 21, None, &[4, 0, 0, 0], "4"),
            (6, 22, None, &[0x01, 0xBB], "443"),
            (8, 22, None, &[1, 0, 0, 0], "1"),
            (8, 23, None, &[10, 0, 0, 1], "10.0.0.1"),
            (14, 23, Some(4), &[10, 0, 0, 1], "10.0.0.1"),
            (14, 24, None, &v6, "::1"),
            (14, 24, Some(3), &[1, 2, 3], "010203"),
            (14, 25, Some(16), &v4, "10.0.0.1:80"),
            (14, 25, Some(4), &[34, 0, 1, 2], "22000102"),
            (8, 30, None, &[0x47, 0x27, 0, 0], "10055"),
            (8, 31, None, &[9, 2, 0, 0xC0], "0xC0000209 STATUS_TOO_MANY_ADDRESSES"),
            (7, 32, None, &[5, 0, 7, 0x80], "0x80070005"),
            (10, 37, None, &[1, 0, 0, 0, 0, 0, 0, 0], "0x1"),
            (8, 999, None, &[7, 0, 0, 0], "7"),
        ];
        for (in_type, out_type, length, bytes, want) in cases {
            assert_eq!(shown(InType(in_type), OutType(out_type), length, bytes), want, "{in_type} as {out_type}");
        }
        assert_eq!(shown(InType::ANSI_STRING, OutType::UTF8, None, b"\xff\0"), "\u{fffd}");
    }

    #[test]
    fn what_does_not_fit_takes_nothing() {
        let cases: [(u16, Option<usize>, &[u8]); 23] = [
            (1, None, b""),
            (1, None, b"a"),
            (1, Some(2), b"a\0b"),
            (1, Some(usize::MAX), b"a\0b\0"),
            (2, None, b""),
            (2, Some(3), b"ab"),
            (4, None, b""),
            (6, None, b"a"),
            (8, None, b"abc"),
            (10, None, b"abcdefg"),
            (11, None, b"abc"),
            (13, None, b"abc"),
            (14, Some(usize::MAX), b"abc"),
            (15, None, b"abc"),
            (16, None, b"abcdefg"),
            (18, None, b"abcdefghijklmno"),
            (19, None, &[1]),
            (19, None, &[1, 255, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0]),
            (22, None, &[0xFF, 0xFF, 1]),
            (25, None, &[1]),
            (309, None, &[0xFF, 0xFF, 0xFF, 0xFF, 1]),
            (310, None, &[0, 0, 0]),
            (299, Some(3), &[0, 0]),
        ];
        for (in_type, length, bytes) in cases {
            let result = one(InType(in_type), OutType::NULL, length, bytes);
            assert_eq!(result, (Err(MissingReason::PayloadEnded), bytes.len()), "in-type {in_type}");
        }
    }

    #[test]
    fn a_token_user_is_told_by_its_sid() {
        let sid = [1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0];
        for pointers in [[0; 16], [7; 16]] {
            let bytes = [&pointers[..], &sid].concat();
            assert_eq!(shown(InType::WBEM_SID, OutType::NULL, None, &bytes), "S-1-5-18");
        }
        let many = [&[7; 16][..], &[1, 16, 0, 0, 0, 0, 0, 5]].concat();
        assert_eq!(one(InType::WBEM_SID, OutType::NULL, None, &many).0, Err(MissingReason::NoSid));
        let narrow = [&[7; 8][..], &sid].concat();
        let mut cursor = ByteCursor::new(&narrow);
        let value = read(&mut cursor, (InType::WBEM_SID, OutType::NULL), None, PointerSize::Four).unwrap();
        assert_eq!((value.to_string(), cursor.remaining()), ("S-1-5-18".into(), 0));
    }
}
