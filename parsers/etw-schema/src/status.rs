//! NTSTATUS values: the number is kept, the name is looked up.

use std::fmt;

/// An NTSTATUS as an event holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NtStatus(pub u32);

impl NtStatus {
    /// Success.
    pub const SUCCESS: Self = Self(0);
    /// The operation goes on: neither success nor failure.
    pub const PENDING: Self = Self(0x0000_0103);
    /// No more local addresses of this kind are left: of sockets, no local port. Winsock shows it as 10055 or 10048.
    pub const TOO_MANY_ADDRESSES: Self = Self(0xC000_0209);
    /// The address or port is in use.
    pub const ADDRESS_ALREADY_EXISTS: Self = Self(0xC000_020A);
    /// Kernel memory is short. Winsock shows it as 10055.
    pub const INSUFFICIENT_RESOURCES: Self = Self(0xC000_009A);
    /// Access is denied; of a bind: the port lies in an excluded range, or another uses it exclusively.
    pub const ACCESS_DENIED: Self = Self(0xC000_0022);
    /// In use by another with exclusive access.
    pub const SHARING_VIOLATION: Self = Self(0xC000_0043);

    /// The value of a symbol in `ntstatus.h`, with or without `STATUS_`, in any case; `None` outside of the table.
    pub fn from_name(name: &str) -> Option<Self> {
        let bare = |name: &str| name.to_ascii_uppercase().trim_start_matches("STATUS_").to_owned();
        NAMES.iter().find(|(_, known)| bare(known) == bare(name)).map(|(value, _)| Self(*value))
    }

    /// The symbol in `ntstatus.h`; `None` for a value outside of the table.
    pub fn name(self) -> Option<&'static str> {
        NAMES.iter().find(|(value, _)| *value == self.0).map(|(_, name)| *name)
    }
}

/// Statuses that socket operations complete with. Source: `ntstatus.h`.
const NAMES: [(u32, &str); 46] = [
    (0x0000_0000, "STATUS_SUCCESS"),
    (0x0000_0102, "STATUS_TIMEOUT"),
    (0x0000_0103, "STATUS_PENDING"),
    (0x4000_0000, "STATUS_OBJECT_NAME_EXISTS"),
    (0x8000_0005, "STATUS_BUFFER_OVERFLOW"),
    (0xC000_0001, "STATUS_UNSUCCESSFUL"),
    (0xC000_0002, "STATUS_NOT_IMPLEMENTED"),
    (0xC000_0005, "STATUS_ACCESS_VIOLATION"),
    (0xC000_0008, "STATUS_INVALID_HANDLE"),
    (0xC000_000D, "STATUS_INVALID_PARAMETER"),
    (0xC000_0010, "STATUS_INVALID_DEVICE_REQUEST"),
    (0xC000_0017, "STATUS_NO_MEMORY"),
    (0xC000_0018, "STATUS_CONFLICTING_ADDRESSES"),
    (0xC000_0022, "STATUS_ACCESS_DENIED"),
    (0xC000_0023, "STATUS_BUFFER_TOO_SMALL"),
    (0xC000_0024, "STATUS_OBJECT_TYPE_MISMATCH"),
    (0xC000_0034, "STATUS_OBJECT_NAME_NOT_FOUND"),
    (0xC000_0043, "STATUS_SHARING_VIOLATION"),
    (0xC000_0044, "STATUS_QUOTA_EXCEEDED"),
    (0xC000_009A, "STATUS_INSUFFICIENT_RESOURCES"),
    (0xC000_00B5, "STATUS_IO_TIMEOUT"),
    (0xC000_00BB, "STATUS_NOT_SUPPORTED"),
    (0xC000_00BE, "STATUS_BAD_NETWORK_PATH"),
    (0xC000_0120, "STATUS_CANCELLED"),
    (0xC000_0128, "STATUS_FILE_CLOSED"),
    (0xC000_0140, "STATUS_INVALID_CONNECTION"),
    (0xC000_0141, "STATUS_INVALID_ADDRESS"),
    (0xC000_0184, "STATUS_INVALID_DEVICE_STATE"),
    (0xC000_0207, "STATUS_INVALID_ADDRESS_COMPONENT"),
    (0xC000_0208, "STATUS_INVALID_ADDRESS_WILDCARD"),
    (0xC000_0209, "STATUS_TOO_MANY_ADDRESSES"),
    (0xC000_020A, "STATUS_ADDRESS_ALREADY_EXISTS"),
    (0xC000_020B, "STATUS_ADDRESS_CLOSED"),
    (0xC000_020C, "STATUS_CONNECTION_DISCONNECTED"),
    (0xC000_020D, "STATUS_CONNECTION_RESET"),
    (0xC000_020E, "STATUS_TRANSACTION_ABORTED"),
    (0xC000_0236, "STATUS_CONNECTION_REFUSED"),
    (0xC000_0237, "STATUS_GRACEFUL_DISCONNECT"),
    (0xC000_0238, "STATUS_ADDRESS_ALREADY_ASSOCIATED"),
    (0xC000_0239, "STATUS_ADDRESS_NOT_ASSOCIATED"),
    (0xC000_023A, "STATUS_CONNECTION_INVALID"),
    (0xC000_023B, "STATUS_CONNECTION_ACTIVE"),
    (0xC000_023C, "STATUS_NETWORK_UNREACHABLE"),
    (0xC000_023D, "STATUS_HOST_UNREACHABLE"),
    (0xC000_023F, "STATUS_PORT_UNREACHABLE"),
    (0xC000_0241, "STATUS_CONNECTION_ABORTED"),
];

/// The number in hexadecimal, always ten characters.
impl fmt::Display for NtStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:08X}", self.0)
    }
}

#[cfg(feature = "schemars")]
impl schemars::JsonSchema for NtStatus {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "NtStatus".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "pattern": "^0x[0-9A-F]{8}$",
            "description": "An NTSTATUS, in hexadecimal.",
        })
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for NtStatus {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_and_unknown_values_keep_their_number() {
        assert!(NAMES.is_sorted_by_key(|(value, _)| *value));
        assert_eq!(NtStatus::TOO_MANY_ADDRESSES.name(), Some("STATUS_TOO_MANY_ADDRESSES"));
        assert_eq!((NtStatus(0xDEAD_BEEF).name(), NtStatus(0xDEAD_BEEF).to_string()), (None, "0xDEADBEEF".to_owned()));
    }
}
