//! `ConvertTo-Json`: an array of objects, or one object.

use serde::de::{DeserializeSeed, Deserializer, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::objects::Objects;
use super::{Context, Found};
use crate::side::lines::{Command, Lines};

/// Lines that may stand before the first bracket: a prompt, a title.
const MAX_LINES_BEFORE: usize = 20;

/// Reads the arrays and objects that a text begins with; gives the lines behind them, `None` where there is none that is known.
pub(super) fn read<'t>(mut lines: Lines<'t>, context: &mut Context, found: &mut Found) -> Option<Lines<'t>> {
    for _ in 0..MAX_LINES_BEFORE {
        let before = lines;
        let line = lines.next()?;
        if line.text.trim_start().starts_with(['[', '{']) {
            return values(before, context, found);
        }
        context.see(line.trimmed());
    }
    None
}

/// One value behind the other, as a script writes an object in each line.
fn values<'t>(mut lines: Lines<'t>, context: &mut Context, found: &mut Found) -> Option<Lines<'t>> {
    let command = context.command.clone();
    let (mut is_whole, mut is_known) = (true, false);
    while is_whole && is_json(lines.rest()) {
        // What was given at once is one moment: an array, or objects in a line each.
        let is_array = lines.rest().trim_start_matches('\u{feff}').trim_start().starts_with('[');
        context.array = is_array.then_some(0);
        let mut objects = Reader { objects: Objects::new(lines, context, found), is_array: false };
        while is_whole && !objects.is_array && is_json(lines.rest()) {
            let mark = lines.rest().len() - lines.rest().trim_start_matches('\u{feff}').len();
            lines = lines.behind(1, 1 + mark);
            let mut from = serde_json::Deserializer::from_str(lines.rest());
            is_whole = (&mut objects).deserialize(&mut from).is_ok();
            // Something else may stand behind it; nothing does behind a text that is damaged.
            lines = match from.end() {
                Err(behind) if is_whole => lines.behind(behind.line(), behind.column()),
                _ => lines.behind(usize::MAX, 0),
            };
        }
        is_known |= objects.objects.end(is_whole, "JSON");
        context.command.clone_from(&command);
    }
    (context.command, context.array) = (Command::default(), None);
    is_known.then_some(lines)
}

/// A quick look: `[svchost.exe]` is no array.
fn is_json(text: &str) -> bool {
    let text = text.trim_start_matches('\u{feff}').trim_start().trim_start_matches('[').trim_start();
    text.strip_prefix('{').is_some_and(|text| text.trim_start().starts_with(['"', '}']))
}

/// Takes the objects of an array, or one.
struct Reader<'c> {
    objects: Objects<'c>,
    /// They came in an array.
    is_array: bool,
}

impl Reader<'_> {
    fn object(&mut self, object: &Map<String, Value>) {
        let cells: Vec<String> = object.values().map(cell).collect();
        let cells: Vec<&str> = cells.iter().map(String::as_str).collect();
        self.objects.object(object.keys().map(String::as_str), &cells);
    }
}

/// What a value says in a cell. Addresses may be objects, enumerations numbers or objects with a name.
fn cell(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Object(object) => {
            match ["IPAddressToString", "Value", "value"].iter().find_map(|name| object.get(*name)) {
                Some(Value::String(text)) => text.clone(),
                Some(Value::Number(number)) => number.to_string(),
                _ => object.get("CimClassName").and_then(Value::as_str).unwrap_or_default().to_owned(),
            }
        }
        Value::Null | Value::Bool(_) | Value::Array(_) => String::new(),
    }
}

impl<'de> DeserializeSeed<'de> for &mut Reader<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &mut Reader<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut objects: A) -> Result<(), A::Error> {
        self.is_array = true;
        while let Some(value) = objects.next_element::<Value>()? {
            if let Value::Object(object) = value {
                self.object(&object);
            }
            if self.objects.is_stopped {
                return Err(serde::de::Error::custom("stopped"));
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
                self.is_array = true;
                values.iter().filter_map(Value::as_object).for_each(|object| self.object(object));
            }
            _ => self.object(&object),
        }
        Ok(())
    }
}
