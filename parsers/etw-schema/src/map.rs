//! Names for the values of a field.

use std::sync::Arc;

use crate::value::Value;

/// Entries of a bit map that are used. 32 bits need 32; this leaves room for groups of bits and for aliases.
const MAX_BIT_NAMES: usize = 128;

/// A map of values to names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Map {
    kind: MapKind,
    /// Sorted by key; those of a bit map in the order of the source.
    entries: Vec<MapEntry>,
}

/// What the entries of a map are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MapKind {
    /// Each entry names one value.
    Values,
    /// Each entry names one or more bits.
    Bits,
    /// Each entry names a text.
    Texts,
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapEntry {
    /// What the event holds.
    pub key: MapKey,
    /// What that is called.
    pub name: Arc<str>,
}

/// What an entry is found by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum MapKey {
    /// A value, or bits.
    Number(u32),
    /// A text.
    Text(String),
}

impl Map {
    /// A map of these entries; of several with one key the first counts.
    pub fn new(kind: MapKind, mut entries: Vec<MapEntry>) -> Self {
        if kind == MapKind::Bits {
            entries.truncate(MAX_BIT_NAMES);
        } else {
            entries.sort_by(|a, b| a.key.cmp(&b.key));
            entries.dedup_by(|later, first| later.key == first.key);
        }
        Self { kind, entries }
    }

    /// The value with its name; the bare value where the map has none.
    ///
    /// Of a bit map, bits without a name follow the names in hexadecimal.
    pub fn apply(&self, value: Value) -> Value {
        let name = match (self.kind, &value) {
            (MapKind::Bits, _) => value.integer().and_then(|bits| self.names_of(bits)),
            (MapKind::Values, _) => value.integer().and_then(|number| self.name_of(number)),
            (MapKind::Texts, Value::Text(text)) => self.find(&MapKey::Text(text.clone())),
            (MapKind::Texts, _) => None,
        };
        match name {
            Some(name) => Value::Named { name, value: Box::new(value) },
            None => value,
        }
    }

    fn name_of(&self, number: u64) -> Option<Arc<str>> {
        self.find(&MapKey::Number(u32::try_from(number).ok()?))
    }

    fn find(&self, key: &MapKey) -> Option<Arc<str>> {
        let at = self.entries.binary_search_by(|entry| entry.key.cmp(key)).ok()?;
        self.entries.get(at).map(|entry| Arc::clone(&entry.name))
    }

    fn names_of(&self, bits: u64) -> Option<Arc<str>> {
        if bits == 0 {
            let nothing = self.entries.iter().find(|entry| entry.key == MapKey::Number(0));
            return nothing.map(|entry| Arc::clone(&entry.name));
        }
        let mut names = String::new();
        let mut left = bits;
        for entry in &self.entries {
            let MapKey::Number(key) = entry.key else { continue };
            let key = u64::from(key);
            if key != 0 && left & key == key {
                append(&mut names, &entry.name);
                left &= !key;
            }
        }
        if names.is_empty() {
            return None;
        }
        if left != 0 {
            append(&mut names, &format!("{left:#X}"));
        }
        Some(names.into())
    }

    /// About how many bytes the map takes.
    pub(crate) fn weight(&self) -> usize {
        self.entries.iter().map(|entry| size_of::<MapEntry>() + entry.name.len()).sum()
    }
}

fn append(names: &mut String, name: &str) {
    if !names.is_empty() {
        names.push_str(" | ");
    }
    names.push_str(name);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(kind: MapKind, entries: &[(u32, &str)]) -> Map {
        let entry = |(key, name): &(u32, &str)| MapEntry { key: MapKey::Number(*key), name: (*name).into() };
        Map::new(kind, entries.iter().map(entry).collect())
    }

    fn shown(map: &Map, value: u64) -> String {
        map.apply(Value::Unsigned(value)).to_string()
    }

    #[test]
    fn the_first_entry_of_a_value_names_it() {
        let map = map(MapKind::Values, &[(1, "one"), (1, "uno"), (0, "none")]);
        assert_eq!((shown(&map, 1), shown(&map, 0)), ("one (1)".into(), "none (0)".into()));
        assert_eq!(map.apply(Value::Unsigned(2)), Value::Unsigned(2));
        assert_eq!(map.apply(Value::Unsigned(1 << 32 | 1)), Value::Unsigned(1 << 32 | 1));
        assert_eq!(map.apply(Value::Text("1".into())), Value::Text("1".into()));
    }

    #[test]
    fn bits_are_named_one_by_one() {
        let map = map(MapKind::Bits, &[(0, "nothing"), (1, "read"), (2, "write"), (2, "again"), (0xC, "both")]);
        assert_eq!(shown(&map, 0), "nothing (0)");
        assert_eq!(shown(&map, 3), "read | write (3)");
        assert_eq!(shown(&map, 0x1D), "read | both | 0x10 (29)");
        assert_eq!(shown(&map, 4), "4");
    }

    #[test]
    fn texts_are_named_whole() {
        let entry = MapEntry { key: MapKey::Text("a".into()), name: "Alpha".into() };
        let map = Map::new(MapKind::Texts, vec![entry]);
        assert_eq!(map.apply(Value::Text("a".into())).to_string(), "Alpha (a)");
        assert_eq!(map.apply(Value::Text("ab".into())).to_string(), "ab");
        assert_eq!(map.apply(Value::Unsigned(1)).to_string(), "1");
    }
}
