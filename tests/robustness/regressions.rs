//! Inputs that once did harm, found by fuzzing: every file in `fixtures/regressions`.

use crate::common::fixtures;

use super::support::{read, report_on};

#[test]
fn inputs_that_did_harm_do_none() {
    let folder = fixtures().join("regressions");
    let files = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let traces: Vec<_> = files.filter(|path| path.extension().is_some_and(|extension| extension == "etl")).collect();
    assert!(!traces.is_empty());
    for path in traces {
        let bytes = std::fs::read(&path).unwrap();
        // What is refused is refused in an error, and what is read is read the same way on any number of threads.
        if read(&bytes).is_ok() {
            let (report, code) = report_on(&bytes, 1);
            assert_eq!((&report, code), (&report_on(&bytes, 2).0, code), "{}", path.display());
            for row in report["processes"].as_array().unwrap() {
                let sources = row["owner_source"].as_object().unwrap().values();
                let owned: u64 = sources.map(|count| count.as_u64().unwrap()).sum();
                let number = |key: &str| row[key].as_u64().unwrap();
                assert_eq!(owned, number("bind_failures") + number("connect_failures"), "{}", path.display());
            }
        }
    }
}
