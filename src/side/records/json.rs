//! `ConvertTo-Json`: an array of objects, or one object.

use serde::de::{DeserializeSeed, Deserializer, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::{Builder, Context, Found};
use crate::side::columns::{Column, Record};
use crate::side::facts::RowCount;
use crate::side::lines::Lines;

/// Lines that may stand before the first bracket: a prompt, a title.
const MAX_LINES_BEFORE: usize = 20;

/// Reads the first array or object of a text; `false` where there is none that is known.
pub(super) fn read(text: &str, context: &mut Context, found: &mut Found) -> bool {
    let mut lines = Lines::new(text);
    for _ in 0..MAX_LINES_BEFORE {
        let rest = lines.rest();
        let Some(line) = lines.next() else { return false };
        if line.text.trim_start().starts_with(['[', '{']) {
            let mut objects = Objects { context, found, current: None, count: RowCount::default() };
            let mut from = serde_json::Deserializer::from_str(rest.trim_start_matches('\u{feff}'));
            // What was read before the text turned out to be damaged stands.
            let is_whole = is_json(rest) && (&mut objects).deserialize(&mut from).is_ok();
            let is_known = objects.end();
            if is_known && !is_whole {
                found.note("the JSON text ends too early");
            }
            return is_known;
        }
        context.see(line.trimmed());
    }
    false
}

/// A quick look: `[svchost.exe]` is no array.
fn is_json(text: &str) -> bool {
    let text = text.trim_start_matches('\u{feff}').trim_start().trim_start_matches('[').trim_start();
    text.strip_prefix('{').is_some_and(|text| text.trim_start().starts_with(['"', '}']))
}

/// Takes objects one by one.
struct Objects<'c> {
    context: &'c mut Context,
    found: &'c mut Found,
    current: Option<(Vec<Column>, Builder)>,
    count: RowCount,
}

impl Objects<'_> {
    fn object(&mut self, object: &Map<String, Value>) {
        let columns: Vec<Column> = object.keys().map(|name| Column::named(name)).collect();
        let cells: Vec<String> = object.values().map(cell).collect();
        let cells: Vec<&str> = cells.iter().map(String::as_str).collect();
        if self.current.as_ref().is_none_or(|(known, _)| *known != columns) {
            let Some(builder) = Builder::of(&columns, self.context) else { return };
            self.finish();
            self.current = Some((columns.clone(), builder));
        }
        let record = Record { columns: &columns, cells: &cells, is_exact: true };
        if self.current.as_mut().is_some_and(|(_, builder)| builder.row(&record, 1)) {
            self.count.read();
        } else {
            // Objects have no lines.
            self.count.not_understood = self.count.not_understood.saturating_add(1);
        }
    }

    fn finish(&mut self) {
        let count = std::mem::take(&mut self.count);
        if let Some((_, mut builder)) = self.current.take() {
            builder.end(count, self.context, self.found);
        }
    }

    fn end(mut self) -> bool {
        let is_known = self.current.is_some();
        self.finish();
        is_known
    }
}

/// What a value says in a cell. Addresses may be objects, enumerations numbers or objects with a name.
fn cell(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Object(object) => match object.get("IPAddressToString").or_else(|| object.get("Value")) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => object.get("CimClassName").and_then(Value::as_str).unwrap_or_default().to_owned(),
        },
        Value::Null | Value::Bool(_) | Value::Array(_) => String::new(),
    }
}

impl<'de> DeserializeSeed<'de> for &mut Objects<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &mut Objects<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut objects: A) -> Result<(), A::Error> {
        while let Some(value) = objects.next_element::<Value>()? {
            if let Value::Object(object) = value {
                self.object(&object);
            }
        }
        Ok(())
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut object = Map::new();
        while let Some((name, value)) = map.next_entry::<String, Value>()? {
            object.insert(name, value);
        }
        // PowerShell 5 wraps an array that it was given whole.
        match object.get("value") {
            Some(Value::Array(values)) => {
                values.iter().filter_map(Value::as_object).for_each(|object| self.object(object));
            }
            _ => self.object(&object),
        }
        Ok(())
    }
}
