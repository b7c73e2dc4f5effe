//! A table as Parquet. Columns carry their unit and their meaning, files the version of the tables.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter};
use std::path::Path;
use std::sync::Arc;

use arrow_array::builder::{ListBuilder, StringBuilder};
use arrow_array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use serde_json::Value;

use super::columns::{Column, Kind, Row};
use super::tables::{SCHEMA_VERSION, Table};
use crate::output::{Begun, Unfinished};

/// Rows that are kept until they become columns.
const ROWS_AT_ONCE: usize = 1 << 13;

/// Rows of a group, within which readers skip what they do not want.
const ROWS_IN_GROUP: usize = 1 << 17;

/// A Parquet file that is being written.
pub(super) struct Columns {
    columns: Vec<Column>,
    schema: SchemaRef,
    rows: Vec<Row>,
    writer: ArrowWriter<BufWriter<File>>,
    begun: Begun,
}

impl Columns {
    pub(super) fn begin(unfinished: &Unfinished, path: &Path, table: Table) -> io::Result<Self> {
        let columns = table.columns();
        let schema = Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()));
        let about = [
            ("outofports.table", table.as_str().to_owned()),
            ("outofports.schema_version", SCHEMA_VERSION.to_string()),
            ("outofports.tool_version", env!("CARGO_PKG_VERSION").to_owned()),
        ];
        let about = about.map(|(key, value)| KeyValue::new(key.to_owned(), value));
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_max_row_group_row_count(Some(ROWS_IN_GROUP))
            .set_key_value_metadata(Some(about.to_vec()))
            .build();
        let mut begun = unfinished.begin_whole(path)?;
        let out = BufWriter::with_capacity(1 << 16, begun.file().try_clone()?);
        let writer = ArrowWriter::try_new(out, Arc::clone(&schema), Some(properties)).map_err(io::Error::other)?;
        Ok(Self { columns, schema, rows: Vec::new(), writer, begun })
    }

    pub(super) fn add(&mut self, row: Row) -> io::Result<()> {
        self.rows.push(row);
        if self.rows.len() >= ROWS_AT_ONCE { self.turn() } else { Ok(()) }
    }

    /// Turns the rows at hand into columns.
    fn turn(&mut self) -> io::Result<()> {
        let rows = std::mem::take(&mut self.rows);
        let arrays = self.columns.iter().enumerate().map(|(index, column)| array(column.kind, &rows, index)).collect();
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), arrays).map_err(io::Error::other)?;
        self.writer.write(&batch).map_err(io::Error::other)
    }

    pub(super) fn finish(mut self) -> io::Result<()> {
        self.turn()?;
        let out = self.writer.into_inner().map_err(io::Error::other)?;
        drop(out.into_inner().map_err(io::IntoInnerError::into_error)?);
        self.begun.finish()
    }
}

fn field(column: &Column) -> Field {
    let is_id = column.name == "case_id";
    let about = [("unit", column.unit), ("meaning", column.meaning)];
    let about = about.into_iter().filter(|(_, text)| !text.is_empty());
    let about: HashMap<String, String> = about.map(|(key, text)| (key.to_owned(), text.to_owned())).collect();
    Field::new(column.name, data_type(column.kind), !is_id).with_metadata(about)
}

fn data_type(kind: Kind) -> DataType {
    match kind {
        Kind::Bool => DataType::Boolean,
        Kind::Integer => DataType::Int64,
        Kind::Real => DataType::Float64,
        Kind::Text => DataType::Utf8,
        Kind::Texts => DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true))),
        Kind::Time => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
    }
}

/// The values of one column.
fn array(kind: Kind, rows: &[Row], index: usize) -> ArrayRef {
    let values = rows.iter().map(|row| row.get(index).unwrap_or(&Value::Null));
    match kind {
        Kind::Bool => Arc::new(values.map(Value::as_bool).collect::<BooleanArray>()),
        Kind::Integer => Arc::new(values.map(integer).collect::<Int64Array>()),
        Kind::Real => Arc::new(values.map(Value::as_f64).collect::<Float64Array>()),
        Kind::Text => Arc::new(values.map(Value::as_str).collect::<StringArray>()),
        Kind::Time => Arc::new(values.map(microseconds).collect::<TimestampMicrosecondArray>().with_timezone("UTC")),
        Kind::Texts => {
            let mut lists = ListBuilder::new(StringBuilder::new());
            for value in values {
                match value.as_array() {
                    Some(texts) => {
                        texts.iter().for_each(|text| lists.values().append_option(text.as_str()));
                        lists.append(true);
                    }
                    None => lists.append(false),
                }
            }
            Arc::new(lists.finish())
        }
    }
}

/// Counts beyond 63 bits are the largest number.
fn integer(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.is_u64().then_some(i64::MAX))
}

/// A time of JSON, in microseconds since 1970; cut, so that what is before another stays so.
fn microseconds(value: &Value) -> Option<i64> {
    let time: jiff::Timestamp = value.as_str()?.parse().ok()?;
    i64::try_from(time.as_nanosecond().div_euclid(1_000)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_cut_and_counts_are_kept() {
        let time = |text: &str| microseconds(&Value::from(text));
        assert_eq!(time("1970-01-01T00:00:01.1234569Z"), Some(1_123_456));
        assert_eq!(time("1969-12-31T23:59:59.9999999Z"), Some(-1));
        assert_eq!(time("soon"), None);
        assert_eq!(integer(&Value::from(u64::MAX)), Some(i64::MAX));
        assert_eq!(integer(&Value::Null), None);
    }
}
