//! Every command of every report on the cases of `first_screen` can be pasted as it is, and harms nothing.

mod line;
mod never;

use serde_json::Value;

use crate::first_screen::{Seen, Wrong, lines, rows};

/// First port and ports of a default range.
const DEFAULT_RANGE: (u32, u32) = (49_152, 16_384);

/// What is wrong with the steps of a report; empty where nothing is.
fn wrong(seen: &Seen) -> Vec<Wrong> {
    let mut wrong = Vec::new();
    for step in seen.rows("recommendations") {
        let code = step["code"].as_str().unwrap();
        let mut say = |point, texts: Vec<String>| {
            wrong.extend(texts.into_iter().map(|text| Wrong { point, text: format!("{code}: {text}") }));
        };
        say("never", never::broken(step, seen));
        for command in commands(step).chain(undo(step)) {
            say("line", line::broken(command));
            // Nobody can paste a command that the report has broken into two.
            if !seen.narrow.lines().any(|line| line.contains(command)) {
                say("wrapped", vec![format!("{command:?} does not stand on a line of its own")]);
            }
        }
        say("range", ranges(step, seen));
    }
    wrong
}

fn commands(step: &Value) -> impl Iterator<Item = &str> {
    step["commands"].as_array().unwrap().iter().filter_map(Value::as_str)
}

fn undo(step: &Value) -> Option<&str> {
    step["undo"].as_str()
}

/// A range as `netsh int FAMILY set dynamicport PROTOCOL start=N num=N` sets it.
#[derive(Debug, PartialEq, Eq)]
struct SetRange<'a> {
    family: &'a str,
    protocol: &'a str,
    start: u32,
    count: u32,
}

fn set_range(command: &str) -> Option<Result<SetRange<'_>, String>> {
    let words: Vec<&str> = command.split_whitespace().collect();
    if !words.contains(&"dynamicport") || !words.contains(&"set") {
        return None;
    }
    let bad = || Err(format!("{command:?} sets no range that netsh takes"));
    let ["netsh", "int", family @ ("ipv4" | "ipv6"), "set", "dynamicport", protocol @ ("tcp" | "udp"), rest @ ..] =
        words.as_slice()
    else {
        return Some(bad());
    };
    let number = |key: &str| rest.iter().find_map(|word| word.strip_prefix(key)?.parse::<u32>().ok());
    let (Some(start), Some(count)) = (number("start="), number("num=")) else { return Some(bad()) };
    let is_valid = start >= 1_025 && count >= 255 && start + count <= 65_536;
    Some(if is_valid { Ok(SetRange { family, protocol, start, count }) } else { bad() })
}

/// Ranges are valid, and what takes them back restores what was there.
fn ranges(step: &Value, seen: &Seen) -> Vec<String> {
    let mut wrong = Vec::new();
    for command in commands(step) {
        if let Some(added) = command.split_once(" add excludedportrange ").map(|(_, rest)| rest) {
            let ports = |text: &str| text.split_whitespace().filter(|word| word.contains("port")).count();
            let is_undone = undo(step).is_some_and(|undo| {
                undo.contains(" delete excludedportrange ")
                    && ports(added) >= 2
                    && undo.contains(added.split(" store=").next().unwrap())
            });
            if !is_undone {
                wrong.push(format!("{command:?} is not undone"));
            }
        }
        let range = match set_range(command) {
            None => continue,
            Some(Err(error)) => {
                wrong.push(error);
                continue;
            }
            Some(Ok(range)) => range,
        };
        if step["changes_state"] != true {
            wrong.push(format!("{command:?} is said to change nothing"));
        }
        let Some((told, before)) = range_before(seen, &range) else {
            wrong.push(format!("{command:?} is for a pool that the report does not have"));
            continue;
        };
        match undo(step).and_then(set_range) {
            Some(Ok(back)) => {
                if (back.family, back.protocol) != (range.family, range.protocol) || (back.start, back.count) != before
                {
                    wrong.push(format!("{:?} does not restore {before:?}", undo(step)));
                }
            }
            Some(Err(error)) => wrong.push(error),
            None if told => wrong.push(format!("{command:?} is not undone")),
            // What was there is not known, and the step has to say so.
            None if step["text"].as_str().unwrap().contains("look it up") => {}
            None => wrong.push(format!("{command:?} is not undone, and nothing is said of it")),
        }
    }
    wrong
}

/// The range that a pool has, and whether it is known from the server.
fn range_before(seen: &Seen, range: &SetRange<'_>) -> Option<(bool, (u32, u32))> {
    let mut of_kind =
        seen.rows("pools").filter(|row| row["family"] == range.family && row["protocol"] == range.protocol);
    let number = |row: &Value, key: &str| u32::try_from(row[key].as_u64().unwrap()).unwrap();
    let pool = of_kind.find(|row| row["local_address"].is_null())?;
    let told = pool["source"] != "default";
    Some((told, if told { (number(pool, "start"), number(pool, "count")) } else { DEFAULT_RANGE }))
}

#[test]
fn commands_are_safe_to_paste() {
    let judged: Vec<(&str, Vec<Wrong>)> = rows().iter().map(|row| (row.name.as_str(), wrong(&row.seen))).collect();
    let wrong = lines(judged.iter().map(|(name, wrong)| (*name, wrong.as_slice())));
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn ranges_that_netsh_takes() {
    let range = |family, protocol, start, count| Some(Ok(SetRange { family, protocol, start, count }));
    let set = |rest: &str| format!("netsh int ipv6 set dynamicport udp {rest}");
    assert_eq!(set_range(&set("start=1025 num=64511")), range("ipv6", "udp", 1_025, 64_511));
    assert_eq!(set_range("netsh int ipv4 show dynamicport tcp"), None);
    for wrong in ["start=1024 num=64511", "start=1025 num=254", "start=10000 num=55537", "start=10000", ""] {
        assert!(matches!(set_range(&set(wrong)), Some(Err(_))), "{wrong}");
    }
}
