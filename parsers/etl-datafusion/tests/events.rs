//! Events and failures.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::common::{failure, fixture, mixed, number, query};

fn expected(name: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(fixture(&format!("{name}.expected.json"))).unwrap()).unwrap()
}

#[tokio::test]
async fn events_and_failures_are_those_that_the_machine_knows() {
    for name in ["modern-64", "legacy", "compressed", "names-mof"] {
        let (trace, expected) = (fixture(&format!("{name}.etl")), expected(name));
        let records = expected["records"].as_i64().unwrap();
        assert_eq!(number(&format!("SELECT count(*) FROM etl_events('{trace}')")).await, records, "{name}");
        let afd = format!("SELECT count(*) FROM etl_events('{trace}', provider => 'Winsock-AFD')");
        assert_eq!(number(&afd).await, expected["afd_records"].as_i64().unwrap(), "{name}");
        let owners = format!("SELECT owner_pid, count(*) FROM etl_failures('{trace}') GROUP BY owner_pid");
        let found: BTreeMap<String, i64> =
            query(&owners).await.into_iter().map(|row| (row[0].clone(), row[1].parse().unwrap())).collect();
        let known = expected["processes"].as_array().unwrap().iter().filter_map(|process| {
            let failures = process["bind_failures"].as_i64().unwrap() + process["connect_failures"].as_i64().unwrap();
            (failures > 0).then(|| (process["pid"].to_string(), failures))
        });
        assert_eq!(found, known.collect(), "{name}");
    }
}

#[tokio::test]
async fn payloads_are_decoded_by_their_schema() {
    let trace = fixture("modern-64.etl");
    let sql = format!("SELECT fields FROM etl_failures('{trace}') WHERE owner_pid = 7312 ORDER BY time LIMIT 1");
    let fields: Value = serde_json::from_str(&query(&sql).await[0][0]).unwrap();
    assert_eq!(fields["Status"], "0xC0000209", "{fields}");
    let undecoded = format!("SELECT count(*) FROM etl_events('{trace}') WHERE fields IS NULL AND problem IS NULL");
    assert_eq!(number(&undecoded).await, 0);
}

#[tokio::test]
async fn what_a_scan_chooses_is_what_the_engine_would() {
    let trace = fixture("leak.etl");
    let table = format!("etl_events('{trace}')");
    for (pushed, kept) in [
        ("id = 1030", "id + 0 = 1030"),
        ("id IN (1000, 1001, 1030, 1031)", "id + 0 IN (1000, 1001, 1030, 1031)"),
        ("id = 1030 OR id = 1031", "id + 0 = 1030 OR id + 0 = 1031"),
        ("pid = 4", "pid + 0 = 4"),
        ("provider = 'Microsoft-Windows-TCPIP'", "concat(provider, '') = 'Microsoft-Windows-TCPIP'"),
        ("provider = 'tcpip'", "concat(provider, '') = 'tcpip'"),
        (
            "guid = '2f07e2ee-15db-40f1-90ef-9d7ba282188a' AND id = 1",
            "concat(guid, '') = '2f07e2ee-15db-40f1-90ef-9d7ba282188a' AND id + 0 = 1",
        ),
        ("guid = '2F07E2EE-15DB-40F1-90EF-9D7BA282188A'", "false"),
        ("time > '2026-03-10T09:35:00Z' AND time <= '2026-03-10T09:36:00Z'", "to_char(time, '%H:%M') = '09:35'"),
        (
            "time BETWEEN '2026-03-10T09:35:00Z' AND '2026-03-10T09:35:30Z'",
            "time + interval '0' second BETWEEN '2026-03-10T09:35:00Z' AND '2026-03-10T09:35:30Z'",
        ),
    ] {
        let count = |condition: &str| format!("SELECT count(*) FROM {table} WHERE {condition}");
        assert_eq!(number(&count(pushed)).await, number(&count(kept)).await, "{pushed}");
    }
    let some = number(&format!("SELECT count(*) FROM {table} WHERE time > '2026-03-10T09:35:00Z'")).await;
    let all = number(&format!("SELECT count(*) FROM {table}")).await;
    assert!(some > 0 && some < all, "{some} of {all}");
}

#[tokio::test]
async fn failures_are_chosen_by_owner_and_time() {
    let trace = fixture("modern-64.etl");
    let count = |condition: &str| format!("SELECT count(*) FROM etl_failures('{trace}') WHERE {condition}");
    assert_eq!(number(&count("owner_pid = 7312")).await, 49);
    assert_eq!(number(&count("time >= '2026-03-10T09:30:00.9318476Z'")).await, 74);
    assert_eq!(number(&count("time > '2026-03-10T09:30:00.9318476Z'")).await, 73);
    assert_eq!(number(&count("time < '2026-03-10T09:30:00.9318476Z'")).await, 0);
    assert_eq!(number(&count("time = '2026-03-10T09:30:00.9318476Z' AND owner_image = 'OrderGateway.exe'")).await, 1);
}

#[tokio::test]
async fn a_case_of_several_files_is_one_machine() {
    let (_guard, folder) = mixed();
    let folder = folder.display();
    let sql = format!("SELECT file, count(*) FROM etl_failures('{folder}/') GROUP BY file");
    assert_eq!(query(&sql).await.len(), 1);
    let files = format!("SELECT count(DISTINCT file) FROM etl_failures('{folder}/*.etl')");
    assert_eq!(number(&files).await, 2);
}

#[tokio::test]
async fn what_is_no_trace_has_no_rows_and_ends_no_query() {
    let (_guard, folder) = mixed();
    let sql = format!("SELECT file, count(*) FROM etl_events('{}/') GROUP BY file", folder.display());
    let files: Vec<String> = query(&sql).await.into_iter().map(|row| row[0].clone()).collect();
    assert_eq!(files, [folder.join("a.etl").display().to_string(), folder.join("b.etl").display().to_string()]);
}

#[tokio::test]
async fn a_call_that_makes_no_sense_is_told() {
    for (call, why) in [
        ("etl_events()", "needs a pattern"),
        ("etl_events('/no/such/*.etl')", "nothing there fits"),
        ("etl_events('x.etl', colour => 'red')", "no argument colour"),
        ("outofports_cases('x', provider => 'afd')", "no argument provider"),
        ("outofports_cases('x/**/')", "level by level"),
    ] {
        let error = failure(&format!("SELECT * FROM {call}")).await;
        assert!(error.contains(why), "{call}: {error}");
    }
}
