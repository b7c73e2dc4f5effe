//! Rows of tables as Arrow arrays, for Parquet and for engines that take them as they are.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::builder::{ListBuilder, StringBuilder};
use arrow_array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef, TimeUnit};
use serde_json::Value;

use super::columns::{Column, Kind, Row};

/// The schema of columns: each with its unit and meaning in its metadata, `case_id` never null.
pub fn schema(columns: &[Column]) -> SchemaRef {
    Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
}

/// Rows as one batch; a value that is missing is null.
///
/// # Errors
///
/// A row without `case_id`.
pub fn record_batch(columns: &[Column], rows: &[Row]) -> Result<RecordBatch, ArrowError> {
    let arrays = columns.iter().enumerate().map(|(index, column)| array(column.kind, rows, index)).collect();
    RecordBatch::try_new(schema(columns), arrays)
}

/// The metadata of a column: its unit and its meaning, where it has them.
pub fn about(unit: &str, meaning: &str) -> HashMap<String, String> {
    let about = [("unit", unit), ("meaning", meaning)].into_iter().filter(|(_, text)| !text.is_empty());
    about.map(|(key, text)| (key.to_owned(), text.to_owned())).collect()
}

fn field(column: &Column) -> Field {
    let is_id = column.name == "case_id";
    let about = about(column.unit, column.meaning);
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
