//! Built-in schemas of common network and process providers, for traces that carry none.
//!
//! The tables are data, in the files beside this one; the grammar, line by line:
//!
//! ```text
//! # comment
//! provider GUID NAME            the events that follow have ids of this provider
//! class GUID NAME               the events that follow have opcodes of this event class
//! map NAME 0 text, 1 text       names for values, for what follows
//! shape NAME FIELD...           fields to be used again as $NAME, until the next provider or class
//! ID.VERSION NAME FIELD...      an event; `ID.VERSION+` stands for later versions too; `-` for no name
//! FIELD = NAME:INTYPE[LENGTH]*COUNT/OUTTYPE=MAP
//! ```
//!
//! Types have their manifest names. Length and count are numbers or names of fields before; all parts behind the in-type
//! may be missing. Where each table is from stands at its head.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use etl_parser::Guid;

use crate::event::{EventKey, EventSchema, KeyKind, SchemaSource};
use crate::layout::{Content, Count, Field, Layout, Length, MapRef, Scalar};
use crate::map::{Map, MapEntry, MapKey, MapKind};
use crate::types::{InType, OutType};

const SOURCES: [&str; 7] = [
    include_str!("tables/afd.txt"),
    include_str!("tables/tcpip.txt"),
    include_str!("tables/kernel_process.txt"),
    include_str!("tables/kernel_network.txt"),
    include_str!("tables/ndis_capture.txt"),
    include_str!("tables/pktmon.txt"),
    include_str!("tables/kernel.txt"),
];

static TABLES: LazyLock<BuiltIn> = LazyLock::new(|| {
    let mut tables = BuiltIn::default();
    for source in SOURCES {
        // A test holds that no line of these is wrong.
        tables.read(source);
    }
    tables
});

/// The schema of an event, and the version it is for: the asked one, or an older one whose later versions only append.
pub fn find(key: &EventKey) -> Option<(Arc<EventSchema>, u8)> {
    if let Some(schema) = TABLES.events.get(key) {
        return Some((Arc::clone(schema), key.version));
    }
    let (version, schema) = TABLES.open_ended.get(&EventKey { version: 0, ..*key })?;
    (*version < key.version).then(|| (Arc::clone(schema), *version))
}

/// The events of all tables.
pub fn keys() -> impl Iterator<Item = &'static EventKey> {
    TABLES.events.keys()
}

#[derive(Debug, Default)]
struct BuiltIn {
    events: HashMap<EventKey, Arc<EventSchema>>,
    /// By key without version: the version from which on others only append.
    open_ended: HashMap<EventKey, (u8, Arc<EventSchema>)>,
}

/// The provider or class whose events are read.
struct Scope {
    kind: KeyKind,
    guid: Guid,
    name: Arc<str>,
    maps: HashMap<String, Arc<Map>>,
    shapes: HashMap<String, Vec<String>>,
}

impl BuiltIn {
    /// Reads a table; gives the lines that are wrong.
    fn read<'a>(&mut self, text: &'a str) -> Vec<&'a str> {
        let mut scope = None;
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        lines.filter(|line| self.line(line, &mut scope).is_none()).collect()
    }

    /// `None` for a line that is wrong.
    fn line(&mut self, line: &str, scope: &mut Option<Scope>) -> Option<()> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let kind = match word {
            "provider" => Some(KeyKind::Event),
            "class" => Some(KeyKind::Class),
            _ => None,
        };
        if let Some(kind) = kind {
            let (guid, name) = rest.split_once(' ')?;
            let guid = guid.parse().ok()?;
            *scope = Some(Scope { kind, guid, name: name.into(), maps: HashMap::new(), shapes: HashMap::new() });
            return Some(());
        }
        let scope = scope.as_mut()?;
        match word {
            "map" => {
                let (name, entries) = rest.split_once(' ')?;
                let entry = |entry: &str| {
                    let (key, name) = entry.trim().split_once(' ')?;
                    Some(MapEntry { key: MapKey::Number(key.parse().ok()?), name: name.into() })
                };
                let entries = entries.split(',').map(entry).collect::<Option<_>>()?;
                scope.maps.insert(name.to_owned(), Arc::new(Map::new(MapKind::Values, entries)));
            }
            "shape" => {
                let mut words = rest.split_whitespace();
                let name = words.next()?.to_owned();
                let fields = scope.expand(words)?;
                scope.shapes.insert(name, fields);
            }
            _ => self.event(word, rest, scope)?,
        }
        Some(())
    }

    fn event(&mut self, number: &str, rest: &str, scope: &Scope) -> Option<()> {
        let (number, later_too) = match number.strip_suffix('+') {
            Some(number) => (number, true),
            None => (number, false),
        };
        let (id, version) = number.split_once('.')?;
        let (id, version) = (id.parse().ok()?, version.parse().ok()?);
        let mut words = rest.split_whitespace();
        let name = words.next()?;
        let key = EventKey { kind: scope.kind, guid: scope.guid, id, version };
        let mut schema = EventSchema::new(SchemaSource::Table, scope.layout(words)?);
        schema.provider_name = Some(Arc::clone(&scope.name));
        schema.event_name = (name != "-").then(|| name.into());
        let schema = Arc::new(schema);
        if later_too {
            self.open_ended.insert(EventKey { version: 0, ..key }, (version, Arc::clone(&schema)));
        }
        // An event that stands there twice is wrong too.
        self.events.insert(key, schema).is_none().then_some(())
    }
}

impl Scope {
    /// Puts the fields of shapes in the place of their names.
    fn expand<'a>(&self, words: impl Iterator<Item = &'a str>) -> Option<Vec<String>> {
        let mut fields = Vec::new();
        for word in words {
            match word.strip_prefix('$') {
                Some(name) => fields.extend_from_slice(self.shapes.get(name)?),
                None => fields.push(word.to_owned()),
            }
        }
        Some(fields)
    }

    fn layout<'a>(&self, words: impl Iterator<Item = &'a str>) -> Option<Layout> {
        let words = self.expand(words)?;
        let mut fields: Vec<Field> = Vec::with_capacity(words.len());
        for word in &words {
            fields.push(self.field(word, &fields)?);
        }
        Some(Layout::new(fields))
    }

    fn field(&self, word: &str, before: &[Field]) -> Option<Field> {
        let (name, rest) = word.split_once(':')?;
        let slot_of = |name: &str| before.iter().rposition(|field| &*field.name == name)?.try_into().ok();
        let (rest, map) = cut(rest, '=');
        let (rest, out_type) = cut(rest, '/');
        let (rest, count) = cut(rest, '*');
        let (in_type, length) = cut(rest, '[');
        let count = match count {
            None => Count::One,
            Some(count) => match count.parse() {
                Ok(count) => Count::Fixed(count),
                Err(_) => Count::Of(slot_of(count)?),
            },
        };
        let length = match length {
            None => Length::Natural,
            Some(length) => match length.strip_suffix(']')? {
                length if length.starts_with(|first: char| first.is_ascii_digit()) => {
                    Length::Fixed(length.parse().ok()?)
                }
                length => Length::Of(slot_of(length)?),
            },
        };
        let out_type = match out_type {
            None => OutType::NULL,
            Some(out_type) => OutType::from_name(out_type)?,
        };
        let map = match map {
            None => None,
            Some(map) => Some(MapRef::Known(Arc::clone(self.maps.get(map)?))),
        };
        let content = Content::Scalar(Scalar { in_type: InType::from_name(in_type)?, out_type, length, map });
        Some(Field { name: name.into(), slot: before.len().try_into().ok()?, count, content })
    }
}

/// What stands before and behind a sign, where it is there.
fn cut(text: &str, sign: char) -> (&str, Option<&str>) {
    text.split_once(sign).map_or((text, None), |(before, behind)| (before, Some(behind)))
}

#[cfg(test)]
mod tests;
