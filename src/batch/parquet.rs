//! A table as Parquet. Columns carry their unit and their meaning, files the version of the tables.

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::Path;

use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;

use super::arrow;
use super::columns::{Column, Row};
use super::tables::{SCHEMA_VERSION, Table};
use crate::output::{Begun, Unfinished};

/// Rows that are kept until they become columns.
const ROWS_AT_ONCE: usize = 1 << 13;

/// Rows of a group, within which readers skip what they do not want.
const ROWS_IN_GROUP: usize = 1 << 17;

/// A Parquet file that is being written.
pub(super) struct Columns {
    columns: Vec<Column>,
    rows: Vec<Row>,
    writer: ArrowWriter<BufWriter<File>>,
    begun: Begun,
}

impl Columns {
    pub(super) fn begin(unfinished: &Unfinished, path: &Path, table: Table) -> io::Result<Self> {
        let columns = table.columns();
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
        let writer = ArrowWriter::try_new(out, arrow::schema(&columns), Some(properties)).map_err(io::Error::other)?;
        Ok(Self { columns, rows: Vec::new(), writer, begun })
    }

    pub(super) fn add(&mut self, row: Row) -> io::Result<()> {
        self.rows.push(row);
        if self.rows.len() >= ROWS_AT_ONCE { self.turn() } else { Ok(()) }
    }

    /// Turns the rows at hand into columns.
    fn turn(&mut self) -> io::Result<()> {
        let rows = std::mem::take(&mut self.rows);
        let batch = arrow::record_batch(&self.columns, &rows).map_err(io::Error::other)?;
        self.writer.write(&batch).map_err(io::Error::other)
    }

    pub(super) fn finish(mut self) -> io::Result<()> {
        self.turn()?;
        let out = self.writer.into_inner().map_err(io::Error::other)?;
        drop(out.into_inner().map_err(io::IntoInnerError::into_error)?);
        self.begun.finish()
    }
}
