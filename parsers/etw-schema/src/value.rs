//! What a field holds, and how people see it (`Display`).
//!
//! `Display` gives text as it is in the trace: whoever prints it makes it safe for a terminal.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::status::NtStatus;
use crate::types::InType;
use etl_parser::{FileTime, Guid};

/// The value of a field.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// An integer shown in decimal.
    Signed(i64),
    /// An integer shown in decimal.
    Unsigned(u64),
    /// An integer shown in hexadecimal.
    Hex(u64),
    /// An address, shown in hexadecimal.
    Pointer(u64),
    /// Any number but 0 is true.
    Bool(bool),
    /// 32-bit floating point.
    Float(f32),
    /// 64-bit floating point.
    Double(f64),
    /// Text; what was no valid text in the trace has become U+FFFD.
    Text(String),
    /// Bytes without further meaning.
    Bytes(Vec<u8>),
    /// A GUID.
    Guid(Guid),
    /// A point in time.
    FileTime(FileTime),
    /// A date and time in an unnamed time zone.
    SystemTime(SystemTime),
    /// A security identifier.
    Sid(Sid),
    /// An IP address.
    Ip(IpAddr),
    /// An IP address and port.
    SocketAddress(SocketAddr),
    /// A port number.
    Port(u16),
    /// An NTSTATUS.
    NtStatus(NtStatus),
    /// A Win32 error code.
    Win32Error(u32),
    /// An HRESULT.
    HResult(u32),
    /// Several of one type.
    Array(Vec<Value>),
    /// A structure.
    Struct(FieldValues),
    /// A value that its field's map names.
    Named {
        /// What the map says.
        name: Arc<str>,
        /// What the event holds.
        value: Box<Value>,
    },
    /// Of a type that no source describes: everything behind it, or as much as the schema says.
    Unknown {
        /// The type's number.
        in_type: InType,
        /// What is stored there.
        bytes: Vec<u8>,
    },
}

impl Value {
    /// The number that counts, lengths and maps go by; `None` for what is no integer. Negative numbers wrap.
    pub fn integer(&self) -> Option<u64> {
        Some(match self {
            Self::Signed(value) => value.cast_unsigned(),
            Self::Unsigned(value) | Self::Hex(value) | Self::Pointer(value) => *value,
            Self::Bool(value) => u64::from(*value),
            Self::Port(value) => u64::from(*value),
            Self::NtStatus(NtStatus(value)) | Self::Win32Error(value) | Self::HResult(value) => u64::from(*value),
            Self::Named { value, .. } => return value.integer(),
            _ => return None,
        })
    }
}

/// A named value.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldValue {
    /// Name in the schema; need not be unique in an event.
    pub name: Arc<str>,
    /// What the event holds.
    pub value: Value,
}

/// The fields of an event or a structure, in the order of the payload.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FieldValues(pub Vec<FieldValue>);

impl FieldValues {
    /// The first field of this name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|field| &*field.name == name).map(|field| &field.value)
    }

    /// The fields in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|field| (&*field.name, &field.value))
    }
}

/// A security identifier, as stored: revision, number of sub-authorities, authority (6 bytes), four bytes for each.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Sid(Box<[u8]>);

impl Sid {
    /// Bytes of a SID that has `count` sub-authorities.
    pub(crate) fn length(count: u8) -> usize {
        8 + 4 * usize::from(count)
    }

    /// Takes the bytes as they are; short ones show as far as they go.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }
}

/// `S-1-5-21-…`
impl fmt::Display for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "S-{}", self.0.first().copied().unwrap_or(0))?;
        let authority =
            self.0.get(2..8).unwrap_or_default().iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
        if authority > u64::from(u32::MAX) {
            write!(f, "-{authority:#X}")?;
        } else {
            write!(f, "-{authority}")?;
        }
        let (parts, _) = self.0.get(8..).unwrap_or_default().as_chunks::<4>();
        parts.iter().try_for_each(|part| write!(f, "-{}", u32::from_le_bytes(*part)))
    }
}

impl fmt::Debug for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// `SYSTEMTIME`: year, month, day of week, day, hour, minute, second, millisecond; not checked to be a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SystemTime(pub [u16; 8]);

/// `YYYY-MM-DDTHH:MM:SS.mmm`
impl fmt::Display for SystemTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [year, month, _, day, hour, minute, second, millisecond] = self.0;
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millisecond:03}")
    }
}

/// Bytes in hexadecimal, two capital digits each: as [`Value::Bytes`] shows them.
pub fn hexadecimal(bytes: &[u8]) -> String {
    // Computed and not looked up, for all bytes at once: payloads of packets are most of what a list of events prints.
    let digit = |value: u8| if value < 10 { b'0' + value } else { b'A' + value - 10 };
    let mut text = vec![0; 2 * bytes.len()];
    for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
        pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 0xF)]);
    }
    String::from_utf8(text).unwrap_or_default()
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signed(value) => write!(f, "{value}"),
            Self::Unsigned(value) => write!(f, "{value}"),
            Self::Hex(value) | Self::Pointer(value) => write!(f, "{value:#X}"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Float(value) => write!(f, "{value}"),
            Self::Double(value) => write!(f, "{value}"),
            Self::Text(text) => f.write_str(text),
            Self::Bytes(bytes) | Self::Unknown { bytes, .. } => f.write_str(&hexadecimal(bytes)),
            Self::Guid(guid) => write!(f, "{guid}"),
            // A small number is no date, and here no time since a first record either: most often 0 for "never".
            Self::FileTime(time) => match time.to_rfc3339() {
                Some(text) => f.write_str(&text),
                None => write!(f, "({})", time.0),
            },
            Self::SystemTime(time) => write!(f, "{time}"),
            Self::Sid(sid) => write!(f, "{sid}"),
            Self::Ip(ip) => write!(f, "{ip}"),
            Self::SocketAddress(address) => write!(f, "{address}"),
            Self::Port(port) => write!(f, "{port}"),
            Self::NtStatus(status) => match status.name() {
                Some(name) => write!(f, "{status} {name}"),
                None => write!(f, "{status}"),
            },
            Self::Win32Error(code) => write!(f, "{code}"),
            Self::HResult(code) => write!(f, "0x{code:08X}"),
            Self::Array(values) => {
                f.write_str("[")?;
                for (position, value) in values.iter().enumerate() {
                    write!(f, "{}{value}", if position == 0 { "" } else { ", " })?;
                }
                f.write_str("]")
            }
            Self::Struct(fields) => {
                f.write_str("{")?;
                for (position, (name, value)) in fields.iter().enumerate() {
                    write!(f, "{}{name}={value}", if position == 0 { "" } else { ", " })?;
                }
                f.write_str("}")
            }
            Self::Named { name, value } => write!(f, "{name} ({value})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(name: &str, value: Value) -> FieldValue {
        FieldValue { name: name.into(), value }
    }

    #[test]
    fn each_value_as_text_and_as_json() {
        let v4 = SocketAddr::from(([10, 0, 0, 1], 80));
        let v6 = SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, 443));
        let sid = Sid::from_bytes(&[1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0, 0]);
        let guid = Guid::from_u128(0xe53c_6823_7bb8_44bb_90dc_3f86_090d_48a6);
        let cases = [
            (Value::Signed(-7), "-7", "-7"),
            (Value::Unsigned(u64::MAX), "18446744073709551615", "18446744073709551615"),
            (Value::Hex(0x1F), "0x1F", r#""0x1F""#),
            (Value::Pointer(0xFFFF_8001_0000_0000), "0xFFFF800100000000", r#""0xFFFF800100000000""#),
            (Value::Bool(true), "true", "true"),
            (Value::Float(0.1), "0.1", "0.1"),
            (Value::Double(-2.5), "-2.5", "-2.5"),
            (Value::Float(f32::NAN), "NaN", r#""NaN""#),
            (Value::Double(f64::NEG_INFINITY), "-inf", r#""-inf""#),
            (Value::Text("a\"\u{1b}\u{fffd}".into()), "a\"\u{1b}\u{fffd}", "\"a\\\"\\u001b\u{fffd}\""),
            (Value::Bytes(vec![0, 0xAB]), "00AB", r#""00AB""#),
            (Value::Guid(guid), "e53c6823-7bb8-44bb-90dc-3f86090d48a6", r#""e53c6823-7bb8-44bb-90dc-3f86090d48a6""#),
            (
                Value::FileTime(FileTime(134_075_851_241_830_412)),
                "2025-11-14T09:12:04.1830412Z",
                r#""2025-11-14T09:12:04.1830412Z""#,
            ),
            (Value::FileTime(FileTime(0)), "(0)", r#""(0)""#),
            (Value::FileTime(FileTime(-1)), "(-1)", r#""(-1)""#),
            (
                Value::SystemTime(SystemTime([2026, 11, 3, 23, 1, 2, 3, 45])),
                "2026-11-23T01:02:03.045",
                r#""2026-11-23T01:02:03.045""#,
            ),
            (Value::Sid(sid), "S-1-5-32-544", r#""S-1-5-32-544""#),
            (Value::Ip([127, 0, 0, 1].into()), "127.0.0.1", r#""127.0.0.1""#),
            (Value::SocketAddress(v4), "10.0.0.1:80", r#""10.0.0.1:80""#),
            (Value::SocketAddress(v6), "[::1]:443", r#""[::1]:443""#),
            (Value::Port(443), "443", "443"),
            (Value::NtStatus(NtStatus::TOO_MANY_ADDRESSES), "0xC0000209 STATUS_TOO_MANY_ADDRESSES", r#""0xC0000209""#),
            (Value::NtStatus(NtStatus(0xDEAD_BEEF)), "0xDEADBEEF", r#""0xDEADBEEF""#),
            (Value::Win32Error(10055), "10055", "10055"),
            (Value::HResult(0x8007_0005), "0x80070005", r#""0x80070005""#),
            (Value::Array(vec![Value::Unsigned(1), Value::Unsigned(2)]), "[1, 2]", "[1,2]"),
            (
                Value::Struct(FieldValues(vec![field("a", Value::Signed(1)), field("b", Value::Bool(false))])),
                "{a=1, b=false}",
                r#"{"a":1,"b":false}"#,
            ),
            (
                Value::Named { name: "Listen".into(), value: Box::new(Value::Unsigned(1)) },
                "Listen (1)",
                r#"{"name":"Listen","value":1}"#,
            ),
            (Value::Unknown { in_type: InType(299), bytes: vec![1] }, "01", r#"{"unknown_in_type":299,"bytes":"01"}"#),
        ];
        for (value, text, json) in cases {
            assert_eq!(value.to_string(), text, "{value:?}");
            #[cfg(feature = "serde")]
            assert_eq!(serde_json::to_string(&value).unwrap(), json, "{value:?}");
            #[cfg(not(feature = "serde"))]
            let _ = json;
        }
    }

    #[test]
    fn identifiers_of_any_length_show() {
        assert_eq!(Sid::from_bytes(&[]).to_string(), "S-0-0");
        assert_eq!(Sid::from_bytes(&[1, 1, 0x12, 0, 0, 0, 0, 1, 5, 0]).to_string(), "S-1-0x120000000001");
    }

    #[test]
    fn integers_are_what_counts_go_by() {
        assert_eq!(Value::Signed(-1).integer(), Some(u64::MAX));
        assert_eq!(Value::Named { name: "".into(), value: Box::new(Value::Hex(3)) }.integer(), Some(3));
        assert_eq!(Value::Text("3".into()).integer(), None);
    }
}
