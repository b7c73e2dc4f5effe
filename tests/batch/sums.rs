//! Every table is the sum of what single reports say.

use std::collections::BTreeMap;
use std::path::Path;

use outofports::batch::{read_case, tables};
use outofports::{Case, NoProgress, Options};
use serde_json::{Map, Value, json};

use super::herd::{self, Count};
use super::{assert_same, batch, lasting, lines, statuses, table};
use crate::common::scratch;

/// Tables, and where the JSON report has their rows.
const LISTS: [(&str, &str); 9] = [
    ("processes", "/processes"),
    ("images", "/images"),
    ("holders", "/holders"),
    ("failures", "/failures/by_status"),
    ("outages", "/outages"),
    ("timeline", "/timeline"),
    ("destinations", "/destinations"),
    ("recommendations", "/recommendations"),
    ("side_inputs", "/side_inputs"),
];

/// A value as the report has it, by the name of its column.
fn value(report: &Value, row: &Value, table: &str, column: &str) -> Value {
    let of =
        |list: &str, index: &Value| report[list][usize::try_from(index.as_u64().unwrap()).unwrap()][column].clone();
    match (table, column) {
        ("holders", "pid" | "image") => of("processes", &row["process"]),
        (_, "protocol" | "family" | "local_address") => of("pools", &row["pool"]),
        ("outages", "first_failure") => row["first"].clone(),
        ("outages", "last_failure") => row["last"].clone(),
        _ => row.get(column).unwrap_or_else(|| panic!("{table} has no {column} in JSON")).clone(),
    }
}

/// The rows that a report has of a table, with the columns that a batch wrote.
fn expected(report: &Value, table: &str, list: &str, columns: &[String]) -> Vec<Value> {
    let rows = report.pointer(list).unwrap().as_array().unwrap();
    let row = |row: &Value| {
        let values = columns.iter().map(|column| (column.clone(), value(report, row, table, column)));
        Value::Object(values.collect::<Map<_, _>>())
    };
    rows.iter().map(row).collect()
}

fn report(path: &Path) -> Value {
    let case = Case::from_paths([path]).unwrap();
    let analyzed = outofports::analyze(&case, &Options::default(), &NoProgress).unwrap();
    serde_json::to_value(&analyzed.report).unwrap()
}

#[test]
fn tables_are_the_sum_of_single_reports() {
    let scratch = scratch();
    let (input, out) = (scratch.path().join("in"), scratch.path().join("out"));
    std::fs::create_dir(&input).unwrap();
    let truth = herd::write(&input, Count { cases: 300, damaged: 6, duplicates: 4, ..Count::default() });
    let ran = batch(&input, &out, ["--jobs", "3"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("304 cases in "), "{ran:?}");
    let found = statuses(&out);
    assert_eq!(found, truth.into_iter().map(|(path, status)| (path, status.to_owned())).collect::<BTreeMap<_, _>>());
    let cases = table(&out, "cases");
    let mut by_table: BTreeMap<&str, BTreeMap<String, Vec<Value>>> = BTreeMap::new();
    for (name, _) in LISTS {
        let rows = by_table.entry(name).or_default();
        for mut row in table(&out, name) {
            let id = row.as_object_mut().unwrap().remove("case_id").unwrap();
            rows.entry(id.as_str().unwrap().to_owned()).or_default().push(row);
        }
    }
    let columns: BTreeMap<&str, Vec<String>> = by_table
        .iter()
        .map(|(name, rows)| {
            let first = rows.values().flatten().next();
            (*name, first.map(|row| row.as_object().unwrap().keys().cloned().collect()).unwrap_or_default())
        })
        .collect();
    let mut compared = BTreeMap::<&str, usize>::new();
    for case in &cases {
        let id = case["case_id"].as_str().unwrap();
        let of_case = |name: &str| by_table[name].get(id).cloned().unwrap_or_default();
        if case["duplicate_of"] != Value::Null || case["state"] == Value::Null {
            assert!(LISTS.iter().all(|(name, _)| of_case(name).is_empty()), "{case}");
        }
        if case["state"] == Value::Null {
            continue;
        }
        let report = report(&input.join(case["path"].as_str().unwrap()));
        for (column, pointer) in [
            ("state", "/verdict/state"),
            ("confidence", "/verdict/confidence"),
            ("first_failure", "/verdict/first_failure"),
            ("last_failure", "/verdict/last_failure"),
            ("bind_failures", "/failures/binds"),
            ("connect_failures", "/failures/connects"),
            ("suspect", "/verdict/suspect/kind"),
            ("tool_version", "/tool/version"),
        ] {
            assert_eq!(&case[column], report.pointer(pointer).unwrap(), "{column} of {case}");
        }
        let traces = report["traces"].as_array().unwrap();
        let bytes: u64 = traces.iter().map(|trace| trace["bytes"].as_u64().unwrap()).sum();
        assert_eq!(case["trace_bytes"], bytes);
        assert_eq!(
            case["started"],
            traces.iter().map(|trace| trace["started"].clone()).min_by_key(Value::to_string).unwrap_or_default()
        );
        let notes: Vec<&str> =
            report["coverage"]["notes"].as_array().unwrap().iter().map(|note| note.as_str().unwrap()).collect();
        assert_eq!(case["reason"], if notes.is_empty() { Value::Null } else { json!(notes.join("; ")) });
        if case["duplicate_of"] != Value::Null {
            continue;
        }
        for (name, list) in LISTS {
            let rows = expected(&report, name, list, &columns[name]);
            *compared.entry(name).or_default() += rows.len();
            assert!(rows == of_case(name), "{name} of {case}:\n{rows:?}\n{:?}", of_case(name));
        }
    }
    // Each table had something to compare, except images: no case has two processes of one.
    assert!(LISTS.iter().all(|(name, _)| *name == "images" || compared[name] > 40), "{compared:?}");
    let duplicates: Vec<&Value> = cases.iter().filter(|case| case["duplicate_of"] != Value::Null).collect();
    assert_eq!(duplicates.len(), 4);
    for duplicate in duplicates {
        let first = cases.iter().find(|case| case["case_id"] == duplicate["duplicate_of"]).unwrap();
        assert_eq!(first["content_id"], duplicate["content_id"]);
        assert_eq!(first["duplicate_of"], Value::Null);
    }
    assert_eq!(lines(&out.join("status.ndjson")).len(), 304);
}

#[test]
fn one_case_read_alone_has_the_row_of_its_batch() {
    let scratch = scratch();
    let (input, out) = (scratch.path().join("in"), scratch.path().join("out"));
    std::fs::create_dir(&input).unwrap();
    herd::write(&input, Count { cases: 12, damaged: 2, ..Count::default() });
    batch(&input, &out, []);
    let cases = table(&out, "cases");
    assert_eq!(cases.len(), 12);
    let columns = tables::Table::Cases.columns();
    for case in cases {
        let relative = Path::new(case["path"].as_str().unwrap());
        let row = read_case(&input.join(relative), relative, 1, &NoProgress).unwrap();
        let alone = columns.iter().map(|column| column.name.to_owned()).zip(row).collect::<Map<_, _>>();
        assert_eq!(Value::Object(alone), case);
    }
}

#[test]
fn jobs_and_threads_change_nothing() {
    let scratch = scratch();
    let (input, one, other) = (scratch.path().join("in"), scratch.path().join("one"), scratch.path().join("other"));
    std::fs::create_dir(&input).unwrap();
    herd::write(&input, Count { cases: 24, damaged: 2, duplicates: 2, ..Count::default() });
    assert_eq!(batch(&input, &one, ["--jobs", "1", "--threads", "1"]).code, 1);
    assert_eq!(batch(&input, &other, ["--jobs", "7", "--threads", "14"]).code, 1);
    assert_same(&lasting(&one), &lasting(&other));
}
