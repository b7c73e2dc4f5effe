//! Compares two reports field by field.

use std::error::Error;
use std::path::Path;

use jiff::{Timestamp, ToSpan};
use serde_json::Value;

/// What names the source, and may differ: the trace itself and places in it, what is left out of a trace and never delivered by a
/// session, and what is said about the machine that reads. `[]` stands for any item of a list.
const OF_THE_SOURCE: [&str; 7] = [
    "traces[]",
    "evidence.buffer",
    "evidence.offset",
    "evidence.position_in_buffer",
    "coverage.records_skipped",
    // Build and uptime of the machine.
    "ruled_out[time_wait_497_days]",
    // Lists the events of a file.
    "recommendations[vendor]",
];

/// Compares; says what differs, and how much was compared.
pub(crate) fn reports(live: &Path, offline: &Path, shift: i64) -> Result<bool, Box<dyn Error>> {
    let read = |path: &Path| -> Result<Value, Box<dyn Error>> { Ok(serde_json::from_slice(&std::fs::read(path)?)?) };
    let (mut live, offline) = (read(live)?, read(offline)?);
    earlier(&mut live, shift);
    let mut comparison = Comparison::default();
    comparison.values("", &live, &offline);
    for difference in &comparison.differences {
        println!("{difference}");
    }
    println!(
        "{} fields equal, {} different; {} name the source: {}",
        comparison.equal,
        comparison.differences.len(),
        comparison.left_out.len(),
        comparison.left_out.join(", ")
    );
    Ok(comparison.differences.is_empty() && comparison.equal > 0)
}

/// Takes the shift out of all times.
fn earlier(value: &mut Value, shift: i64) {
    match value {
        Value::String(text) => {
            let time: Option<Timestamp> = text.parse().ok().filter(|_| text.ends_with('Z') && text.len() == 28);
            if let Some(time) = time.and_then(|time| time.checked_sub(shift.seconds()).ok()) {
                *text = time.strftime("%Y-%m-%dT%H:%M:%S%.7fZ").to_string();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| earlier(item, shift)),
        Value::Object(fields) => fields.values_mut().for_each(|field| earlier(field, shift)),
        _ => {}
    }
}

#[derive(Default)]
struct Comparison {
    equal: u64,
    differences: Vec<String>,
    left_out: Vec<String>,
}

impl Comparison {
    fn values(&mut self, path: &str, live: &Value, offline: &Value) {
        if OF_THE_SOURCE.contains(&path) {
            if !self.left_out.iter().any(|known| known == path) {
                self.left_out.push(path.to_owned());
            }
            return;
        }
        match (live, offline) {
            (Value::Object(live), Value::Object(offline)) => {
                for (name, value) in offline {
                    let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                    match live.get(name) {
                        Some(other) => self.values(&path, other, value),
                        None => self.differences.push(format!("{path}: only in the report of the trace")),
                    }
                }
                let more = live.keys().filter(|name| !offline.contains_key(*name));
                self.differences.extend(more.map(|name| format!("{path}.{name}: only in the report of the session")));
            }
            (Value::Array(live), Value::Array(offline)) => self.lists(path, live, offline),
            _ if live == offline => self.equal += 1,
            _ => self.differences.push(format!("{path}: {live} in the session, {offline} in the trace")),
        }
    }

    fn lists(&mut self, path: &str, live: &[Value], offline: &[Value]) {
        self.equal += u64::from(live.is_empty() && offline.is_empty());
        // Items with a code are told apart by it.
        let of_source = |item: &&Value| {
            let code = item.get("code").and_then(Value::as_str).unwrap_or("");
            OF_THE_SOURCE.contains(&format!("{path}[{code}]").as_str())
        };
        let left_out = live.iter().chain(offline).filter(of_source);
        for item in left_out {
            let name = format!("{path}[{}]", item.get("code").and_then(Value::as_str).unwrap_or(""));
            if !self.left_out.contains(&name) {
                self.left_out.push(name);
            }
        }
        let kept = |list: &[Value]| list.iter().filter(|item| !of_source(item)).cloned().collect::<Vec<_>>();
        let (live, offline) = (kept(live), kept(offline));
        if live.len() != offline.len() {
            self.differences.push(format!("{path}: {} in the session, {} in the trace", live.len(), offline.len()));
        }
        for (number, (live, offline)) in live.iter().zip(&offline).enumerate() {
            self.values(&format!("{path}[{number}]"), live, offline);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn differences_are_found_and_the_source_may_differ() {
        let mut live = json!({"a": 1, "t": "2026-03-10T09:31:00.0000000Z", "traces": [{"path": "live"}], "l": [1, 2]});
        let offline = json!({"a": 1, "t": "2026-03-10T09:30:00.0000000Z", "traces": [{"path": "x.etl"}], "l": [1, 2]});
        earlier(&mut live, 60);
        let mut comparison = Comparison::default();
        comparison.values("", &live, &offline);
        assert_eq!((comparison.equal, comparison.differences.len()), (4, 0));
        assert_eq!(comparison.left_out, ["traces[]"]);
        let mut comparison = Comparison::default();
        comparison.values("", &json!({"a": 2, "l": [1], "n": 0}), &json!({"a": 1, "l": [1, 2], "m": 0}));
        assert_eq!(comparison.differences.len(), 4, "{:?}", comparison.differences);
    }
}
