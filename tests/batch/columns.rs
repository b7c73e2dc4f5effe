//! Tables in Parquet: the rows of NDJSON, in a folder for each month.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::Field;
use serde_json::{Map, Value, json};

use super::herd::{self, Count};
use super::{lasting, lines};
use crate::common::{run, scratch};

fn reader(path: &Path) -> SerializedFileReader<std::fs::File> {
    let file = std::fs::File::open(path).unwrap();
    SerializedFileReader::new(file).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The rows of a file, as NDJSON would have them but for the last decimal of times.
pub fn parquet_rows(path: &Path) -> Vec<Value> {
    let reader = reader(path);
    let rows = reader.get_row_iter(None).unwrap();
    let row = |row: parquet::record::Row| {
        let values = row.get_column_iter().map(|(name, value)| (name.clone(), json_of(value)));
        Value::Object(values.collect::<Map<_, _>>())
    };
    rows.map(|one| row(one.unwrap())).collect()
}

fn json_of(field: &Field) -> Value {
    match field {
        Field::Null => Value::Null,
        Field::Bool(value) => json!(value),
        Field::Long(value) => json!(value),
        Field::Double(value) => json!(value),
        Field::Str(value) => json!(value),
        Field::TimestampMicros(value) => {
            let time = jiff::Timestamp::from_microsecond(*value).unwrap();
            json!(format!("{time:.6}").replace('Z', ""))
        }
        Field::ListInternal(list) => list.elements().iter().map(json_of).collect(),
        other => panic!("{other:?}"),
    }
}

/// A row of NDJSON with its times as [`parquet_rows`] has them.
fn cut(mut row: Value) -> Value {
    for value in row.as_object_mut().unwrap().values_mut() {
        let text = value.as_str().unwrap_or_default();
        if text.len() == 28 && text.ends_with('Z') && text.parse::<jiff::Timestamp>().is_ok() {
            *value = json!(text[..26]);
        }
    }
    row
}

fn parts(out: &Path, table: &str) -> Vec<PathBuf> {
    let months = std::fs::read_dir(out.join(table)).unwrap().map(|entry| entry.unwrap().path());
    months.flat_map(|month| std::fs::read_dir(month).unwrap().map(|entry| entry.unwrap().path())).collect()
}

#[test]
fn both_forms_have_the_same_rows_and_a_month_has_its_own() {
    let scratch = scratch();
    let (input, out) = (scratch.path().join("in"), scratch.path().join("out"));
    std::fs::create_dir(&input).unwrap();
    herd::write(&input, Count { cases: 40, damaged: 2, duplicates: 1, ..Count::default() });
    let paths = ["batch".as_ref(), input.as_os_str(), "--out".as_ref(), out.as_os_str()];
    let with = |format: &str| {
        let format = ["--format", format, "--resume"].map(std::ffi::OsStr::new);
        run(paths.into_iter().chain(format))
    };
    assert_eq!(with("parquet,ndjson").code, 1);
    let months: BTreeMap<String, String> = lines(&out.join("cases.ndjson"))
        .into_iter()
        .map(|case| {
            let month = case["started"].as_str().map_or("__HIVE_DEFAULT_PARTITION__", |started| &started[..7]);
            (case["case_id"].as_str().unwrap().to_owned(), format!("month={month}"))
        })
        .collect();
    assert!(months.values().collect::<std::collections::BTreeSet<_>>().len() > 6);
    for entry in std::fs::read_dir(&out).unwrap() {
        let path = entry.unwrap().path();
        let Some(table) = path.file_name().unwrap().to_str().unwrap().strip_suffix(".ndjson") else { continue };
        if table == "status" {
            continue;
        }
        let mut expected: Vec<Value> = lines(&path).into_iter().map(cut).collect();
        let mut rows = Vec::new();
        for part in parts(&out, table) {
            let of_part = parquet_rows(&part);
            let month = part.parent().unwrap().file_name().unwrap().to_str().unwrap();
            assert!(of_part.iter().all(|row| months[row["case_id"].as_str().unwrap()] == month), "{table} {month}");
            rows.extend(of_part);
            let reader = reader(&part);
            let about = reader.metadata().file_metadata().key_value_metadata().unwrap();
            let has =
                |key: &str, value: &str| about.iter().any(|one| one.key == key && one.value.as_deref() == Some(value));
            assert!(has("outofports.table", table) && has("outofports.schema_version", "1"), "{about:?}");
        }
        // Stable: rows of a case stay in their order.
        rows.sort_by_key(|row| row["case_id"].to_string());
        expected.sort_by_key(|row| row["case_id"].to_string());
        assert_eq!(rows.len(), expected.len(), "{table}");
        assert!(rows == expected, "{table}");
    }
    let both = lasting(&out);
    // What was not asked for this time goes, and comes back the same.
    assert_eq!(with("ndjson").code, 1);
    assert!(lasting(&out).keys().all(|name| !name.ends_with(".parquet")));
    assert!(!out.join("cases").exists());
    assert_eq!(with("parquet,ndjson").code, 1);
    super::assert_same(&both, &lasting(&out));
}
