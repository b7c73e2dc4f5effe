//! What of an event may be sent: numbers, times, ports, statuses and names of the format; the rest by names that stand for it.

use etw_schema::{FieldValue, FieldValues, Value};

use crate::words::pseudonyms::{Pseudonyms, is_program};

/// The fields of a payload.
pub(super) fn fields(fields: &FieldValues, names: &mut Pseudonyms) -> FieldValues {
    let redact =
        |field: &FieldValue| FieldValue { name: field.name.clone(), value: value(&field.name, &field.value, names) };
    FieldValues(fields.0.iter().map(redact).collect())
}

fn value(name: &str, value_of: &Value, names: &mut Pseudonyms) -> Value {
    match value_of {
        // An address may be stored as a number.
        Value::Unsigned(number) | Value::Hex(number) if is_of_network(name) && *number > u64::from(u16::MAX) => {
            Value::Text(names.text(&number.to_string()))
        }
        Value::Signed(_)
        | Value::Unsigned(_)
        | Value::Hex(_)
        | Value::Pointer(_)
        | Value::Bool(_)
        | Value::Float(_)
        | Value::Double(_)
        | Value::FileTime(_)
        | Value::SystemTime(_)
        | Value::Port(_)
        | Value::NtStatus(_)
        | Value::Win32Error(_)
        | Value::HResult(_) => value_of.clone(),
        Value::Text(text) => Value::Text(self::text(text, names)),
        Value::Bytes(bytes) | Value::Unknown { bytes, .. } => Value::Text(length(bytes.len())),
        Value::Guid(guid) => Value::Text(names.text(&guid.to_string())),
        Value::Sid(sid) => Value::Text(names.sentence(&sid.to_string())),
        Value::Ip(ip) => Value::Ip(names.ip(*ip)),
        Value::SocketAddress(address) => {
            let mut address = *address;
            address.set_ip(names.ip(address.ip()));
            Value::SocketAddress(address)
        }
        Value::Array(values) => Value::Array(values.iter().map(|inner| value(name, inner, names)).collect()),
        Value::Struct(inner) => Value::Struct(fields(inner, names)),
        Value::Named { name: meaning, value: inner } => {
            Value::Named { name: meaning.clone(), value: Box::new(value(name, inner, names)) }
        }
        // A value that is added later is no better known than text.
        other => Value::Text(names.text(&other.to_string())),
    }
}

/// A field that may hold an address of a network as a number.
fn is_of_network(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["ipaddr", "ipv4", "saddr", "daddr", "sourceaddress", "destaddress", "localaddress", "remoteaddress", "gateway"]
        .iter()
        .any(|part| name.contains(part))
}

/// Text of an event: programs, services of Windows, addresses with ports and numbers by their kind, all else as text.
pub(super) fn text(text: &str, names: &mut Pseudonyms) -> String {
    let is_address =
        |text: &str| text.parse::<std::net::IpAddr>().is_ok() || text.parse::<std::net::SocketAddr>().is_ok();
    match text {
        _ if text.is_empty() || text.bytes().all(|byte| byte.is_ascii_digit()) => text.to_owned(),
        _ if is_address(text) => names.endpoint(text),
        _ if is_program(text) => names.image_path(text),
        _ if crate::words::windows_services::is_of_windows(text) => text.to_owned(),
        _ => names.text(text),
    }
}

/// Bytes that are left out.
pub(super) fn length(bytes: usize) -> String {
    format!("({} left out)", crate::words::counted(bytes as u64, "byte"))
}
