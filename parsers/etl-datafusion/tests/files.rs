//! Files and cases: each has its row, whatever it is.

use std::path::Path;

use outofports::batch::{self, NoWatcher, Settings, TableFormat};

use crate::common::{fixture, mixed, number, query};

#[tokio::test]
async fn bad_files_are_rows() {
    let (_guard, folder) = mixed();
    let path = |name: &str| folder.join(name).display().to_string();
    let sql = format!("SELECT file, status, records, damaged > 0 FROM etl_files('{}/*.etl')", folder.display());
    let found = query(&sql).await;
    assert_eq!(found[0], [path("a.etl").as_str(), "ok", "2139", "false"]);
    assert_eq!(found[1][..2], [path("b.etl").as_str(), "damaged"]);
    assert_eq!(found[1][3], "true");
    assert_eq!(found[2], [path("c.etl").as_str(), "not_a_trace", "", ""]);
    let records = number(&format!("SELECT sum(records) FROM etl_files('{}/')", folder.display())).await;
    assert_eq!(number(&format!("SELECT count(*) FROM etl_events('{}/')", folder.display())).await, records);
}

#[tokio::test]
async fn patterns_choose_files() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::copy(fixture("modern-64.etl"), path).unwrap();
    };
    ["a.etl", "b/c.etl", "b/d e#1%.etl", "b/e/f.etl", "g.log"].into_iter().for_each(place);
    for (pattern, files) in
        [("*.etl", 1), ("*/*.etl", 2), ("**/*.etl", 4), ("", 4), ("*", 2), ("b/d*", 1), ("g.log", 1)]
    {
        let sql = format!("SELECT count(*) FROM etl_files('{}/{pattern}')", folder.path().display());
        assert_eq!(number(&sql).await, files, "{pattern}");
    }
    let odd = format!("SELECT count(*) FROM etl_events('{}/b/d*')", folder.path().display());
    assert_eq!(number(&odd).await, 2139, "a name with a space, a hash and a percent sign can be opened");
    let folders = format!("SELECT count(*) FROM outofports_cases('{}/*/')", folder.path().display());
    assert_eq!(number(&folders).await, 1);
}

/// The row of a case as NDJSON of `batch` has it.
fn batched(cases: &Path, out: &Path) -> Vec<serde_json::Value> {
    let mut settings = Settings::new([cases], out);
    settings.formats = vec![TableFormat::Ndjson];
    batch::run(&settings, &mut NoWatcher).unwrap();
    let text = std::fs::read_to_string(out.join("cases.ndjson")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn cases_are_those_of_a_batch() {
    let folder = tempfile::tempdir().unwrap();
    let cases = folder.path().join("cases");
    for (case, file) in [("a", "modern-64.etl"), ("b", "legacy.etl"), ("c", "")] {
        std::fs::create_dir_all(cases.join(case)).unwrap();
        let target = cases.join(case).join("server.etl");
        if file.is_empty() {
            std::fs::write(target, "no trace").unwrap();
        } else {
            std::fs::copy(fixture(file), target).unwrap();
        }
    }
    let batched = batched(&cases, &folder.path().join("out"));
    assert_eq!(batched.len(), 3);
    let columns =
        ["content_id", "status", "reason", "state", "confidence", "os_build", "bind_failures", "suspect_image"];
    let sql = format!("SELECT path, {} FROM outofports_cases('{}/*/')", columns.join(", "), cases.display());
    let found = query(&sql).await;
    for (row, expected) in found.iter().zip(&batched) {
        assert_eq!(row[0], cases.join(expected["path"].as_str().unwrap()).display().to_string());
        for (value, column) in row[1..].iter().zip(columns) {
            let expected = match &expected[column] {
                serde_json::Value::Null => String::new(),
                serde_json::Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            assert_eq!(*value, expected, "{column} of {}", row[0]);
        }
    }
    assert_eq!(found.len(), batched.len());
}
