//! How a field is stored (in-type) and how it is meant to be shown (out-type).
//!
//! Source: `tdh.h` (`TDH_INTYPE_*`, `TDH_OUTTYPE_*`) as listed in win32metadata; the names are those of instrumentation
//! manifests (`win:UInt32`, `xs:string`), without prefix.

use std::fmt;

/// `TDH_INTYPE_*`: how a field is stored. Unknown values are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct InType(pub u16);

/// `TDH_OUTTYPE_*`: how a field is meant to be shown. Unknown values are kept and show the field as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct OutType(pub u16);

impl InType {
    /// UTF-16 text, terminated by a NUL or as long as the schema says.
    pub const UNICODE_STRING: Self = Self(1);
    /// Text in the machine's code page, terminated by a NUL or as long as the schema says.
    pub const ANSI_STRING: Self = Self(2);
    /// Signed, 8 bits.
    pub const INT8: Self = Self(3);
    /// Unsigned, 8 bits.
    pub const UINT8: Self = Self(4);
    /// Signed, 16 bits.
    pub const INT16: Self = Self(5);
    /// Unsigned, 16 bits.
    pub const UINT16: Self = Self(6);
    /// Signed, 32 bits.
    pub const INT32: Self = Self(7);
    /// Unsigned, 32 bits.
    pub const UINT32: Self = Self(8);
    /// Signed, 64 bits.
    pub const INT64: Self = Self(9);
    /// Unsigned, 64 bits.
    pub const UINT64: Self = Self(10);
    /// Floating point, 32 bits.
    pub const FLOAT: Self = Self(11);
    /// Floating point, 64 bits.
    pub const DOUBLE: Self = Self(12);
    /// Truth value, 32 bits unless the schema says otherwise.
    pub const BOOLEAN: Self = Self(13);
    /// Bytes, as many as the schema says.
    pub const BINARY: Self = Self(14);
    /// GUID, 16 bytes.
    pub const GUID: Self = Self(15);
    /// Address, as wide as the record's pointers.
    pub const POINTER: Self = Self(16);
    /// File time, 64 bits.
    pub const FILETIME: Self = Self(17);
    /// Date and time, eight numbers of 16 bits.
    pub const SYSTEMTIME: Self = Self(18);
    /// Security identifier.
    pub const SID: Self = Self(19);
    /// 32 bits, shown in hexadecimal.
    pub const HEX_INT32: Self = Self(20);
    /// 64 bits, shown in hexadecimal.
    pub const HEX_INT64: Self = Self(21);
    /// UTF-16 text behind its length in bytes (16 bits).
    pub const MANIFEST_COUNTED_STRING: Self = Self(22);
    /// Text in the machine's code page behind its length in bytes (16 bits).
    pub const MANIFEST_COUNTED_ANSI_STRING: Self = Self(23);
    /// Bytes behind their number (16 bits).
    pub const MANIFEST_COUNTED_BINARY: Self = Self(25);
    /// MOF: UTF-16 text behind its length in bytes (16 bits).
    pub const COUNTED_STRING: Self = Self(300);
    /// MOF: text in the machine's code page behind its length in bytes (16 bits).
    pub const COUNTED_ANSI_STRING: Self = Self(301);
    /// MOF: the same as [`InType::COUNTED_STRING`], its length in network order.
    pub const REVERSED_COUNTED_STRING: Self = Self(302);
    /// MOF: the same as [`InType::COUNTED_ANSI_STRING`], its length in network order.
    pub const REVERSED_COUNTED_ANSI_STRING: Self = Self(303);
    /// MOF: UTF-16 text to the end of the payload.
    pub const NON_NULL_TERMINATED_STRING: Self = Self(304);
    /// MOF: text in the machine's code page to the end of the payload.
    pub const NON_NULL_TERMINATED_ANSI_STRING: Self = Self(305);
    /// MOF: one UTF-16 unit.
    pub const UNICODE_CHAR: Self = Self(306);
    /// MOF: one character in the machine's code page.
    pub const ANSI_CHAR: Self = Self(307);
    /// MOF: a size, as wide as the record's pointers.
    pub const SIZE_T: Self = Self(308);
    /// MOF: bytes behind their number (32 bits).
    pub const HEX_DUMP: Self = Self(309);
    /// MOF: a security identifier behind a `TOKEN_USER`.
    pub const WBEM_SID: Self = Self(310);
}

impl OutType {
    /// As it is stored.
    pub const NULL: Self = Self(0);
    /// Text.
    pub const STRING: Self = Self(1);
    /// Date and time.
    pub const DATETIME: Self = Self(2);
    /// Signed number of 8 bits.
    pub const BYTE: Self = Self(3);
    /// Signed number of 32 bits.
    pub const INT: Self = Self(7);
    /// Unsigned number of 32 bits.
    pub const UNSIGNED_INT: Self = Self(8);
    /// Signed number of 64 bits.
    pub const LONG: Self = Self(9);
    /// Truth value.
    pub const BOOLEAN: Self = Self(13);
    /// Bytes in hexadecimal.
    pub const HEX_BINARY: Self = Self(15);
    /// 8 bits in hexadecimal.
    pub const HEX_INT8: Self = Self(16);
    /// 16 bits in hexadecimal.
    pub const HEX_INT16: Self = Self(17);
    /// 32 bits in hexadecimal.
    pub const HEX_INT32: Self = Self(18);
    /// 64 bits in hexadecimal.
    pub const HEX_INT64: Self = Self(19);
    /// Process id.
    pub const PID: Self = Self(20);
    /// Thread id.
    pub const TID: Self = Self(21);
    /// Port, in network order.
    pub const PORT: Self = Self(22);
    /// IPv4 address, in network order.
    pub const IPV4: Self = Self(23);
    /// IPv6 address, in network order.
    pub const IPV6: Self = Self(24);
    /// A `SOCKADDR`.
    pub const SOCKET_ADDRESS: Self = Self(25);
    /// XML text.
    pub const XML: Self = Self(28);
    /// Win32 error code.
    pub const WIN32_ERROR: Self = Self(30);
    /// NTSTATUS.
    pub const NTSTATUS: Self = Self(31);
    /// HRESULT.
    pub const HRESULT: Self = Self(32);
    /// JSON text.
    pub const JSON: Self = Self(34);
    /// Text in UTF-8.
    pub const UTF8: Self = Self(35);
    /// PKCS #7 message with type information.
    pub const PKCS7: Self = Self(36);
    /// Address of code.
    pub const CODE_POINTER: Self = Self(37);
    /// Date and time in UTC.
    pub const DATETIME_UTC: Self = Self(38);
    /// Not meant to be shown.
    pub const NO_PRINT: Self = Self(301);
}

/// Manifest names of in-types; those from 300 on belong to MOF and have no manifest name.
const IN_TYPES: [(InType, &str); 35] = [
    (InType::UNICODE_STRING, "UnicodeString"),
    (InType::ANSI_STRING, "AnsiString"),
    (InType::INT8, "Int8"),
    (InType::UINT8, "UInt8"),
    (InType::INT16, "Int16"),
    (InType::UINT16, "UInt16"),
    (InType::INT32, "Int32"),
    (InType::UINT32, "UInt32"),
    (InType::INT64, "Int64"),
    (InType::UINT64, "UInt64"),
    (InType::FLOAT, "Float"),
    (InType::DOUBLE, "Double"),
    (InType::BOOLEAN, "Boolean"),
    (InType::BINARY, "Binary"),
    (InType::GUID, "GUID"),
    (InType::POINTER, "Pointer"),
    (InType::FILETIME, "FILETIME"),
    (InType::SYSTEMTIME, "SYSTEMTIME"),
    (InType::SID, "SID"),
    (InType::HEX_INT32, "HexInt32"),
    (InType::HEX_INT64, "HexInt64"),
    (InType::MANIFEST_COUNTED_STRING, "CountedUnicodeString"),
    (InType::MANIFEST_COUNTED_ANSI_STRING, "CountedAnsiString"),
    (InType::MANIFEST_COUNTED_BINARY, "CountedBinary"),
    (InType::COUNTED_STRING, "CountedString"),
    (InType::COUNTED_ANSI_STRING, "CountedAnsi"),
    (InType::REVERSED_COUNTED_STRING, "ReversedCountedString"),
    (InType::REVERSED_COUNTED_ANSI_STRING, "ReversedCountedAnsiString"),
    (InType::NON_NULL_TERMINATED_STRING, "NonNullTerminatedString"),
    (InType::NON_NULL_TERMINATED_ANSI_STRING, "NonNullTerminatedAnsiString"),
    (InType::UNICODE_CHAR, "UnicodeChar"),
    (InType::ANSI_CHAR, "AnsiChar"),
    (InType::SIZE_T, "SizeT"),
    (InType::HEX_DUMP, "HexDump"),
    (InType::WBEM_SID, "WbemSid"),
];

/// Manifest names of out-types.
const OUT_TYPES: [(u16, &str); 40] = [
    (1, "string"),
    (2, "dateTime"),
    (3, "byte"),
    (4, "unsignedByte"),
    (5, "short"),
    (6, "unsignedShort"),
    (7, "int"),
    (8, "unsignedInt"),
    (9, "long"),
    (10, "unsignedLong"),
    (11, "float"),
    (12, "double"),
    (13, "boolean"),
    (14, "GUID"),
    (15, "hexBinary"),
    (16, "HexInt8"),
    (17, "HexInt16"),
    (18, "HexInt32"),
    (19, "HexInt64"),
    (20, "PID"),
    (21, "TID"),
    (22, "Port"),
    (23, "IPv4"),
    (24, "IPv6"),
    (25, "SocketAddress"),
    (26, "CIMDateTime"),
    (27, "ETWTIME"),
    (28, "Xml"),
    (29, "ErrorCode"),
    (30, "Win32Error"),
    (31, "NTSTATUS"),
    (32, "HResult"),
    (33, "DateTimeCultureInsensitive"),
    (34, "Json"),
    (35, "Utf8"),
    (36, "Pkcs7WithTypeInfo"),
    (37, "CodePointer"),
    (38, "DateTimeUtc"),
    (300, "ReducedString"),
    (301, "NoPrint"),
];

/// The part behind the namespace prefix: `win:UInt32` and `UInt32` are the same.
fn local_name(name: &str) -> &str {
    name.rsplit_once(':').map_or(name, |(_, local)| local)
}

impl InType {
    /// By its manifest name, with or without prefix, in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        let name = local_name(name);
        IN_TYPES.iter().find(|(_, known)| known.eq_ignore_ascii_case(name)).map(|(in_type, _)| *in_type)
    }

    /// Manifest name; `None` for an unknown number.
    pub fn name(self) -> Option<&'static str> {
        IN_TYPES.iter().find(|(known, _)| *known == self).map(|(_, name)| *name)
    }
}

impl OutType {
    /// By its manifest name, with or without prefix, in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        let name = local_name(name);
        OUT_TYPES.iter().find(|(_, known)| known.eq_ignore_ascii_case(name)).map(|(value, _)| Self(*value))
    }

    /// Manifest name; `None` for "as stored" and for an unknown number.
    pub fn name(self) -> Option<&'static str> {
        OUT_TYPES.iter().find(|(known, _)| *known == self.0).map(|(_, name)| *name)
    }
}

impl OutType {
    /// How a field of this in-type is shown: manifests state the usual way, or leave it out.
    pub fn or_usual(self, in_type: InType) -> Self {
        if self != Self::NULL {
            return self;
        }
        match in_type {
            InType::UNICODE_STRING | InType::ANSI_STRING | InType::SID => Self::STRING,
            // Byte to unsigned long, floating point, Boolean: both sorts of types count alike.
            InType(3..=13) => Self(in_type.0),
            InType::BINARY => Self::HEX_BINARY,
            InType::GUID => Self(14),
            InType::POINTER | InType::HEX_INT64 => Self::HEX_INT64,
            InType::HEX_INT32 => Self::HEX_INT32,
            InType::FILETIME | InType::SYSTEMTIME => Self::DATETIME,
            _ => self,
        }
    }
}

impl fmt::Display for InType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "in-type {}", self.0),
        }
    }
}

impl fmt::Display for OutType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "out-type {}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_to_numbers_and_back() {
        for (in_type, name) in IN_TYPES {
            assert_eq!((InType::from_name(name), in_type.name()), (Some(in_type), Some(name)));
        }
        for (value, name) in OUT_TYPES {
            assert_eq!((OutType::from_name(name), OutType(value).name()), (Some(OutType(value)), Some(name)));
        }
        assert_eq!(InType::from_name("win:uint32"), Some(InType::UINT32));
        assert_eq!(OutType::from_name("xs:string"), Some(OutType::STRING));
    }

    #[test]
    fn the_usual_way_to_show_a_type_may_be_left_out() {
        for (in_type, out_type) in [
            (1, 1),
            (2, 1),
            (3, 3),
            (8, 8),
            (10, 10),
            (11, 11),
            (13, 13),
            (14, 15),
            (15, 14),
            (16, 19),
            (17, 2),
            (19, 1),
        ] {
            assert_eq!(OutType::NULL.or_usual(InType(in_type)), OutType(out_type));
        }
        assert_eq!(OutType::PORT.or_usual(InType::UINT16), OutType::PORT);
        assert_eq!(OutType::NULL.or_usual(InType(299)), OutType::NULL);
    }

    #[test]
    fn unknown_numbers_keep_their_number() {
        assert_eq!((InType(299).to_string(), OutType(99).to_string()), ("in-type 299".into(), "out-type 99".into()));
        assert_eq!((InType::from_name("win:Nothing"), OutType::from_name("")), (None, None));
    }
}
