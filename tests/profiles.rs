//! Events in the form of other tools.

use serde_json::Value;

use crate::common::{run, scratch, write_scenario};

/// Fields of Elastic's common schema that are written, with the type that it gives them: `s` text, `a` a list of texts, `n` a
/// number. Source: @elastic/ecs 9.4.0; `winlog` is Winlogbeat's, `outofports` the program's own.
const ECS: [(&str, char); 33] = [
    ("/@timestamp", 's'),
    ("/message", 's'),
    ("/ecs/version", 's'),
    ("/event/kind", 's'),
    ("/event/module", 's'),
    ("/event/dataset", 's'),
    ("/event/provider", 's'),
    ("/event/code", 's'),
    ("/event/action", 's'),
    ("/event/category", 'a'),
    ("/event/type", 'a'),
    ("/event/outcome", 's'),
    ("/error/code", 's'),
    ("/error/message", 's'),
    ("/process/pid", 'n'),
    ("/process/name", 's'),
    ("/source/address", 's'),
    ("/source/ip", 's'),
    ("/source/port", 'n'),
    ("/destination/address", 's'),
    ("/destination/ip", 's'),
    ("/destination/port", 'n'),
    ("/network/type", 's'),
    ("/log/file/path", 's'),
    ("/winlog/provider_name", 's'),
    ("/winlog/provider_guid", 's'),
    ("/winlog/event_id", 's'),
    ("/winlog/version", 'n'),
    ("/winlog/process/pid", 'n'),
    ("/winlog/process/thread/id", 'n'),
    ("/winlog/event_data", 'o'),
    ("/outofports/owner_source", 's'),
    ("/network/transport", 's'),
];

fn lines(scenario: &str, rest: &[&str]) -> Vec<Value> {
    let folder = scratch();
    let (trace, _) = write_scenario(scenario, folder.path());
    let mut arguments: Vec<&std::ffi::OsStr> = vec!["events".as_ref(), trace.as_os_str()];
    arguments.extend(rest.iter().map(std::ffi::OsStr::new));
    let ran = run(arguments);
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The places of all values that are no objects.
fn places(value: &Value, place: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) if place != "/winlog/event_data" => {
            fields.iter().for_each(|(name, value)| places(value, &format!("{place}/{name}"), found));
        }
        _ => found.push(place.to_owned()),
    }
}

#[test]
fn every_field_of_ecs_has_its_name_and_type() {
    for scenario in ["modern-64", "connect-failures", "legacy", "multi-provider", "ipv6"] {
        let lines = lines(scenario, &["--all", "--profile", "ecs"]);
        assert!(!lines.is_empty());
        for line in &lines {
            let mut found = Vec::new();
            places(line, "", &mut found);
            for place in found {
                let value = line.pointer(&place).unwrap();
                let known = ECS.iter().find(|(name, _)| *name == place).unwrap_or_else(|| panic!("{place}: {line}"));
                let fits = match known.1 {
                    's' => value.is_string(),
                    'n' => value.is_u64(),
                    'a' => value.as_array().is_some_and(|all| all.iter().all(Value::is_string)),
                    _ => value.as_object().is_some_and(|all| all.values().all(Value::is_string)),
                };
                assert!(fits, "{place}: {value}");
            }
            assert!(line["@timestamp"].as_str().is_some_and(|time| time.ends_with('Z')), "{line}");
            assert_eq!(line["event"]["kind"], "event");
            let outcome = line["event"].get("outcome");
            assert!(outcome.is_none_or(|one| ["success", "failure", "unknown"].contains(&one.as_str().unwrap())));
            assert_eq!(line["error"].is_object(), outcome == Some(&Value::from("failure")), "{line}");
        }
    }
}

#[test]
fn failures_have_their_owner_their_status_and_their_addresses() {
    let plain = lines("modern-64", &["-f", "ndjson"]);
    let ecs = lines("modern-64", &["--profile", "ecs"]);
    let timesketch = lines("modern-64", &["--profile", "timesketch"]);
    assert!(!plain.is_empty());
    assert_eq!((ecs.len(), timesketch.len()), (plain.len(), plain.len()));
    for ((plain, ecs), sketch) in plain.iter().zip(&ecs).zip(&timesketch) {
        assert_eq!(ecs["@timestamp"], plain["time"]);
        assert_eq!(ecs["process"]["pid"], plain["owner_pid"]);
        assert_eq!(ecs["process"]["name"], plain["owner_image"]);
        assert_eq!(ecs["event"]["code"], plain["id"].to_string());
        assert_eq!((&ecs["event"]["outcome"], &ecs["error"]["code"]), (&"failure".into(), &"0xC0000209".into()));
        assert_eq!(ecs["event"]["category"], serde_json::json!(["network"]));
        for field in ["message", "datetime", "timestamp_desc"] {
            assert!(sketch[field].as_str().is_some_and(|text| !text.is_empty()), "{field}");
        }
        let (time, cut) = (plain["time"].as_str().unwrap(), sketch["datetime"].as_str().unwrap());
        assert_eq!(cut.strip_suffix("+00:00"), time.get(..26), "{cut}");
        assert!(sketch.as_object().unwrap().values().all(|value| !value.is_object() && !value.is_array()), "flat");
        assert_eq!(sketch["owner_pid"], plain["owner_pid"]);
        assert!(sketch["message"].as_str().unwrap().contains("STATUS_TOO_MANY_ADDRESSES 0xC0000209"));
    }
}

#[test]
fn local_addresses_are_the_source_and_remote_ones_the_destination() {
    let binds = lines("modern-64", &["--id", "1030", "--profile", "ecs"]);
    assert!(binds.iter().any(|line| line["source"]["port"].is_u64()));
    assert!(binds.iter().all(|line| line.get("destination").is_none()));
    let connects = lines("modern-64", &["--id", "1018,1021", "--profile", "ecs"]);
    assert!(connects.iter().all(|line| line.get("source").is_none()));
}

#[test]
fn a_profile_is_lines_of_json() {
    assert_eq!(run(["events", "x.etl", "--profile", "ecs", "-f", "csv"]).code, 2);
    assert_eq!(run(["events", "x.etl", "--profile", "splunk"]).code, 2);
}
