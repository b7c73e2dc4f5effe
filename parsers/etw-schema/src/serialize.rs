//! Values as data.

use std::collections::{HashMap, HashSet};

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::value::{FieldValues, Value, hexadecimal};

/// Numbers in decimal as numbers; what people read in hexadecimal, and what JSON has no type for, as text.
impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Signed(value) => serializer.serialize_i64(*value),
            Self::Unsigned(value) => serializer.serialize_u64(*value),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Float(value) if value.is_finite() => serializer.serialize_f32(*value),
            Self::Double(value) if value.is_finite() => serializer.serialize_f64(*value),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Bytes(bytes) => serializer.serialize_str(&hexadecimal(bytes)),
            Self::Port(port) => serializer.serialize_u16(*port),
            Self::NtStatus(status) => status.serialize(serializer),
            Self::Win32Error(code) => serializer.serialize_u32(*code),
            Self::Array(values) => serializer.collect_seq(values),
            Self::Struct(fields) => fields.serialize(serializer),
            Self::Named { name, value } => {
                let mut map = serializer.serialize_map(Some(2))?;
                map.serialize_entry("name", &**name)?;
                map.serialize_entry("value", value)?;
                map.end()
            }
            Self::Unknown { in_type, bytes } => {
                let mut map = serializer.serialize_map(Some(2))?;
                map.serialize_entry("unknown_in_type", &in_type.0)?;
                map.serialize_entry("bytes", &hexadecimal(bytes))?;
                map.end()
            }
            Self::Hex(_)
            | Self::Pointer(_)
            | Self::Float(_)
            | Self::Double(_)
            | Self::Guid(_)
            | Self::FileTime(_)
            | Self::SystemTime(_)
            | Self::Sid(_)
            | Self::Ip(_)
            | Self::SocketAddress(_)
            | Self::HResult(_) => serializer.collect_str(self),
        }
    }
}

/// An object in field order. A name that was used before gets `#2`, `#3`: readers of JSON keep one value for a name.
impl Serialize for FieldValues {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        if has_distinct_names(self) {
            self.iter().try_for_each(|(name, value)| map.serialize_entry(name, value))?;
            return map.end();
        }
        let mut used: HashSet<String> = HashSet::with_capacity(self.0.len());
        // Where the search for a free number goes on: n fields of one name must not cost n² tries.
        let mut next: HashMap<&str, u32> = HashMap::new();
        for (name, value) in self.iter() {
            let mut key = name.to_owned();
            while !used.insert(key.clone()) {
                let number = next.entry(name).or_insert(2);
                key = format!("{name}#{number}");
                *number += 1;
            }
            map.serialize_entry(&key, value)?;
        }
        map.end()
    }
}
/// Whether no two fields have one name, as in most events.
fn has_distinct_names(fields: &FieldValues) -> bool {
    // A few names are compared in less time than they are hashed.
    const FEW: usize = 16;
    if fields.0.len() <= FEW {
        let mut rest = fields.0.as_slice();
        while let [first, behind @ ..] = rest {
            if behind.iter().any(|other| other.name == first.name) {
                return false;
            }
            rest = behind;
        }
        return true;
    }
    let mut names = HashSet::with_capacity(fields.0.len());
    fields.iter().all(|(name, _)| names.insert(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::FieldValue;

    fn named(name: &str) -> FieldValue {
        FieldValue { name: name.into(), value: Value::Bool(true) }
    }

    #[test]
    fn names_stay_apart_in_json() {
        let names = ["a", "a", "a#2", "", "", "a"];
        let fields = FieldValues(names.iter().map(|name| named(name)).collect());
        let json = serde_json::to_string(&fields).unwrap();
        assert_eq!(json, r##"{"a":true,"a#2":true,"a#2#2":true,"":true,"#2":true,"a#3":true}"##);
        let many = FieldValues(vec![named("same"); 10_000]);
        let object: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(&serde_json::to_string(&many).unwrap()).unwrap();
        assert_eq!(object.len(), 10_000);
    }
}
