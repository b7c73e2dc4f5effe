//! The JSON reports of all scenarios and cases, against the schema that `explain --schema` prints.

use std::collections::BTreeSet;

use outofports::report::explain::find;
use serde_json::Value;

use crate::common::{run, scratch, write_scenario};
use crate::explain::codes;

#[test]
fn every_report_is_what_the_schema_says_and_every_code_is_explained() {
    let printed = run(["explain", "--schema"]);
    assert_eq!(printed.code, 0);
    let schema: Value = serde_json::from_str(&printed.stdout).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let (mut valid, mut last, mut found) = (0, Value::Null, BTreeSet::new());
    for scenario in synth::scenarios().iter().chain(synth::cases()) {
        let folder = scratch();
        write_scenario(scenario.name, folder.path());
        let ran = run(["analyze".as_ref(), folder.path().as_os_str(), "-f".as_ref(), "json".as_ref()]);
        if ran.code == 2 {
            continue;
        }
        let report = ran.json();
        let errors: Vec<String> =
            validator.iter_errors(&report).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{}: {errors:?}", scenario.name);
        codes(&report, &mut found);
        valid += 1;
        last = report;
    }
    assert!(valid > 140, "{valid}");
    assert!(found.len() > 60, "{found:?}");
    for code in &found {
        assert!(!find(code).is_empty(), "{code} is in a report, and nothing explains it");
    }
    // The schema refuses what is not one.
    for (pointer, wrong) in [
        ("/verdict/state", Value::from("full")),
        ("/schema_version", Value::from(2)),
        ("/failures/binds", Value::from(-1)),
        ("/processes", Value::Null),
        ("/recommendations/0/code", Value::from("pray")),
    ] {
        let mut report = last.clone();
        if let Some(value) = report.pointer_mut(pointer) {
            *value = wrong;
            assert!(!validator.is_valid(&report), "{pointer}");
        }
    }
    let mut report = last;
    report.as_object_mut().unwrap().remove("pools");
    assert!(!validator.is_valid(&report), "a field that is missing");
}

/// Every field of a report is in the schema: a field that it does not know would be no error of it.
#[test]
fn the_schema_knows_every_field() {
    let schema: Value = serde_json::from_str(&run(["explain", "--schema"]).stdout).unwrap();
    let mut closed = schema;
    close(&mut closed);
    let validator = jsonschema::validator_for(&closed).unwrap();
    for name in ["leak", "heavy-load", "farm", "churn-time-wait", "holder-before-netstat", "no-afd"] {
        let folder = scratch();
        write_scenario(name, folder.path());
        let report = run(["analyze".as_ref(), folder.path().as_os_str(), "-f".as_ref(), "json".as_ref()]).json();
        let errors: Vec<String> =
            validator.iter_errors(&report).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{name}: {errors:?}");
    }
}

/// No object may have other fields than those of its schema.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            fields.values_mut().for_each(close);
            if fields.contains_key("properties") {
                fields.insert("additionalProperties".to_owned(), Value::Bool(false));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}
