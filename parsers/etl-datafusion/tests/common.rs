//! Traces and queries that all tests have.

use std::path::{Path, PathBuf};

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::util::display::array_value_to_string;
use datafusion::common::Result;
use datafusion::prelude::SessionContext;
use tempfile::TempDir;

/// A row as text.
pub(crate) type Row = Vec<String>;

pub(crate) fn fixture(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/synthetic").canonicalize().unwrap();
    folder.join(name).to_str().unwrap().to_owned()
}

/// Batches as rows, sorted: a table has no order.
pub(crate) fn rows(batches: &[RecordBatch]) -> Vec<Row> {
    let mut rows = Vec::new();
    for batch in batches {
        for row in 0..batch.num_rows() {
            rows.push(batch.columns().iter().map(|column| array_value_to_string(column, row).unwrap()).collect());
        }
    }
    rows.sort();
    rows
}

pub(crate) async fn try_query(session: &SessionContext, sql: &str) -> Result<Vec<Row>> {
    Ok(rows(&session.sql(sql).await?.collect().await?))
}

pub(crate) async fn query(sql: &str) -> Vec<Row> {
    try_query(&etl_datafusion::session().unwrap(), sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"))
}

pub(crate) async fn number(sql: &str) -> i64 {
    let rows = query(sql).await;
    assert_eq!((rows.len(), rows[0].len()), (1, 1), "{sql}: {rows:?}");
    rows[0][0].parse().unwrap()
}

/// What a query fails with.
pub(crate) async fn failure(sql: &str) -> String {
    let session = etl_datafusion::session().unwrap();
    try_query(&session, sql).await.expect_err(sql).strip_backtrace()
}

/// A folder of files: two traces, one of them damaged, and one that is none.
pub(crate) fn mixed() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().canonicalize().unwrap();
    std::fs::copy(fixture("modern-64.etl"), path.join("a.etl")).unwrap();
    let mut bytes = std::fs::read(fixture("legacy.etl")).unwrap();
    let cut = bytes.len() - 0x1000;
    bytes.truncate(cut);
    std::fs::write(path.join("b.etl"), bytes).unwrap();
    std::fs::write(path.join("c.etl"), "no trace at all").unwrap();
    (folder, path)
}
