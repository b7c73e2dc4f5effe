//! `batch`: each case has its row, whatever it is; the tables are what single reports say; a run goes on from any end.

#[cfg(feature = "parquet")]
mod columns;
mod ends;
mod herd;
mod hostile;
mod large;
mod limits;
mod places;
mod sums;

#[cfg(feature = "parquet")]
pub use self::columns::parquet_rows;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;

use serde_json::Value;

use crate::common::{Ran, run};

/// Runs `batch` of a folder with options.
pub fn batch<'a>(input: &Path, out: &Path, options: impl IntoIterator<Item = &'a str>) -> Ran {
    let arguments = [OsStr::new("batch"), input.as_os_str(), OsStr::new("--out"), out.as_os_str()];
    let mut arguments: Vec<OsString> = arguments.into_iter().map(OsString::from).collect();
    arguments.extend(["--format", "ndjson"].into_iter().chain(options).map(OsString::from));
    run(arguments)
}

/// The rows of a file of lines.
pub fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The rows of a table.
pub fn table(out: &Path, name: &str) -> Vec<Value> {
    lines(&out.join(format!("{name}.ndjson")))
}

/// The status of each case by its path; none has two.
pub fn statuses(out: &Path) -> BTreeMap<String, String> {
    let mut statuses = BTreeMap::new();
    for row in table(out, "cases") {
        let path = row["path"].as_str().unwrap().to_owned();
        let before = statuses.insert(path, row["status"].as_str().unwrap().to_owned());
        assert_eq!(before, None, "{row}");
    }
    statuses
}

/// What is written of a run that is the same in each run: all but how long a case took, and the journal.
pub fn lasting(out: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![out.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(out).unwrap().to_str().unwrap().to_owned();
            if path.is_dir() {
                if name != ".outofports" {
                    folders.push(path);
                }
            } else if name.starts_with("status") {
                let mut rows = lines(&path);
                rows.iter_mut().for_each(|row| drop(row.as_object_mut().unwrap().remove("wall_seconds")));
                files.insert(name, serde_json::to_vec(&rows).unwrap());
            } else {
                files.insert(name, std::fs::read(&path).unwrap());
            }
        }
    }
    files
}

/// Says where two runs differ, without printing the files.
pub fn assert_same(one: &BTreeMap<String, Vec<u8>>, other: &BTreeMap<String, Vec<u8>>) {
    let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(one), names(other));
    for (name, bytes) in one {
        assert!(bytes == &other[name], "{name} differs");
    }
}
