//! The JSON Schema of the report, made from its types and their documentation.

/// The schema of what [`super::json`] writes of a report: JSON Schema, draft 2020-12.
pub const TEXT: &str = include_str!("schema.json");

#[cfg(test)]
mod tests {
    use std::path::Path;

    use schemars::generate::SchemaSettings;
    use serde_json::{Map, Value};

    use super::*;
    use crate::report::{Report, SCHEMA_VERSION};

    /// The schema of the types as they are.
    fn generated() -> String {
        let settings = SchemaSettings::draft2020_12().for_serialize();
        let mut schema = settings.into_generator().into_root_schema_for::<Report>().to_value();
        plain(&mut schema);
        schema["title"] = Value::from(format!("outofports report, schema_version {SCHEMA_VERSION}"));
        schema["properties"]["schema_version"]["const"] = SCHEMA_VERSION.into();
        let mut text = serde_json::to_string_pretty(&schema).unwrap();
        text.push('\n');
        text
    }

    /// Descriptions as readers of JSON need them: no links of Rust's documentation, `null` for `None`.
    fn plain(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                if let Some(Value::String(text)) = fields.get_mut("description") {
                    *text = text.replace("`None`", "`null`").replace("[`", "`").replace("`]", "`").replace('\n', " ");
                }
                fields.values_mut().for_each(plain);
            }
            Value::Array(items) => items.iter_mut().for_each(plain),
            _ => {}
        }
    }

    /// After a change that is meant: `OUTOFPORTS_WRITE_SCHEMA=1 cargo test --lib schema`.
    #[test]
    fn the_schema_that_is_printed_is_that_of_the_types() {
        let generated = generated();
        if std::env::var_os("OUTOFPORTS_WRITE_SCHEMA").is_some() {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/report/schema.json");
            std::fs::write(path, &generated).unwrap();
        } else {
            assert!(generated == TEXT, "src/report/schema.json is not that of the types");
        }
    }

    /// A schema with its definitions put where they are used.
    fn resolved<'s>(schema: &'s Value, root: &'s Value) -> &'s Value {
        match schema.get("$ref").and_then(Value::as_str) {
            Some(reference) => resolved(root.pointer(reference.trim_start_matches('#')).unwrap(), root),
            None => schema,
        }
    }

    fn options<'s>(schema: &'s Value, root: &'s Value) -> Vec<&'s Value> {
        let schema = resolved(schema, root);
        let listed = ["anyOf", "oneOf"].iter().filter_map(|name| schema.get(name)?.as_array()).flatten();
        let listed: Vec<&Value> = listed.flat_map(|option| options(option, root)).collect();
        if listed.is_empty() { vec![schema] } else { listed }
    }

    /// The types and words that a value may have.
    fn kinds(schema: &Value, root: &Value) -> (Vec<String>, Vec<String>) {
        let (mut types, mut words) = (Vec::new(), Vec::new());
        let texts = |value: &Value| match value {
            Value::Array(all) => all.iter().map(Value::to_string).collect(),
            one => vec![one.to_string()],
        };
        for option in options(schema, root) {
            types.extend(option.get("type").map(texts).unwrap_or_default());
            words.extend(option.get("enum").or(option.get("const")).map(texts).unwrap_or_default());
        }
        types.sort();
        types.dedup();
        (types, words)
    }

    /// What stood in the old schema stands in the new one, and is of the same types; words may have been added.
    fn compare(old: &Value, new: &Value, roots: (&Value, &Value), place: &str, compared: &mut usize) {
        *compared += 1;
        let ((old_types, old_words), (new_types, new_words)) = (kinds(old, roots.0), kinds(new, roots.1));
        // A word is text, whether or not the schema says so.
        if old_words.is_empty() && new_words.is_empty() {
            assert_eq!(old_types, new_types, "{place}");
        }
        let gone: Vec<_> = old_words.iter().filter(|word| !new_words.contains(word)).collect();
        assert!(gone.is_empty(), "{place} has no {gone:?} any more");
        let empty = Map::new();
        let required = |schema: &Value, name: &str| {
            let names = schema.get("required").and_then(Value::as_array);
            names.is_some_and(|names| names.iter().any(|required| required == name))
        };
        for old_option in options(old, roots.0) {
            let properties = old_option.get("properties").and_then(Value::as_object).unwrap_or(&empty);
            for (name, of_old) in properties {
                let of_new = options(new, roots.1).into_iter().find_map(|option| option.get("properties")?.get(name));
                let of_new = of_new.unwrap_or_else(|| panic!("{place} has no {name} any more"));
                let is_always_there = options(new, roots.1).into_iter().any(|option| required(option, name));
                assert!(is_always_there || !required(old_option, name), "{place} may be without {name} now");
                compare(of_old, of_new, roots, &format!("{place}/{name}"), compared);
            }
            if let Some(items) = old_option.get("items").filter(|items| items.is_object()) {
                let of_new = options(new, roots.1).into_iter().find_map(|option| option.get("items"));
                compare(items, of_new.unwrap_or(&Value::Null), roots, &format!("{place}[]"), compared);
            }
        }
    }

    /// `schema-1.json` is the schema as it was when this was written last: fields are added, none is renamed, removed or narrowed.
    /// Once new fields are out, `OUTOFPORTS_WRITE_BASELINE=1 cargo test --lib schema` makes what is there now the baseline; it
    /// compares first, so that nothing that is guarded gets lost.
    #[test]
    fn nothing_was_renamed_or_removed() {
        let old: Value = serde_json::from_str(include_str!("schema-1.json")).unwrap();
        let new: Value = serde_json::from_str(TEXT).unwrap();
        let mut compared = 0;
        compare(&old, &new, (&old, &new), "", &mut compared);
        assert!(compared > 250, "{compared}");
        if std::env::var_os("OUTOFPORTS_WRITE_BASELINE").is_some() {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/report/schema-1.json");
            std::fs::write(path, TEXT).unwrap();
        }
    }

    /// Whether a schema is refused as the successor of this one.
    fn is_refused(new: &Value) -> bool {
        let old: Value = serde_json::from_str(TEXT).unwrap();
        std::panic::catch_unwind(|| compare(&old, new, (&old, new), "", &mut 0)).is_err()
    }

    #[test]
    fn a_change_that_breaks_readers_is_refused() {
        for (from, to) in [
            ("\"share_of_pool\"", "\"share\""),
            ("\"pools_over_time\"", "\"pools_by_time\""),
            ("\"not_visible\"", "\"unseen\""),
            ("\"churn\"", "\"spin\""),
        ] {
            let text = TEXT.replace(from, to);
            assert!(text != TEXT);
            assert!(is_refused(&serde_json::from_str(&text).unwrap()), "{from}");
        }
        // Formats are no types.
        let text = TEXT.replace("\"uint64\"", "\"int64\"");
        assert!(text != TEXT && !is_refused(&serde_json::from_str(&text).unwrap()));
        let same: Value = serde_json::from_str(TEXT).unwrap();
        let places =
            ["/properties/pools_over_time", "/$defs/PoolOverTimeRow/properties/held", "/$defs/VictimOverTimeRow"];
        for place in places {
            assert!(same.pointer(place).is_some(), "{place}");
            for wrong in ["string", "null"] {
                let mut narrowed = same.clone();
                *narrowed.pointer_mut(place).unwrap() = serde_json::json!({ "type": wrong });
                assert!(is_refused(&narrowed), "{place}: {wrong}");
            }
        }
        // What may be null today may be told by readers to be so; what is always there must not become null.
        let mut narrowed = same.clone();
        *narrowed.pointer_mut("/$defs/PoolOverTimeRow/properties/set_aside/type").unwrap() =
            serde_json::json!(["integer", "null"]);
        assert!(is_refused(&narrowed));
        // A field that was always there may not be left out.
        let mut narrowed = same;
        narrowed.pointer_mut("/$defs/PoolOverTimeRow/required").unwrap().as_array_mut().unwrap().pop();
        assert!(is_refused(&narrowed));
    }
}
