//! Inputs that once did harm, found by fuzzing: every file in `fixtures/regressions`.

use crate::common::fixtures;

use super::support::{read, report_on};

#[test]
fn inputs_that_did_harm_do_none() {
    let folder = fixtures().join("regressions");
    let Ok(entries) = std::fs::read_dir(&folder) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "md") {
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        // What is refused is refused in an error, and what is read is read the same way on any number of threads.
        if read(&bytes).is_ok() {
            assert_eq!(report_on(&bytes, 1), report_on(&bytes, 2), "{}", path.display());
        }
    }
}
