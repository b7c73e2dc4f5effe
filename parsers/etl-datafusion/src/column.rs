//! Columns of the tables, told once: for the schema, for the rows and for the documentation.

use std::borrow::Cow;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use outofports::batch::{self, arrow};

use crate::table::Table;
use crate::{event, file};

/// What stands in a column. Any value may be null, which is "unknown" or "none". Not the kinds of `outofports::batch`: rows of events
/// have bytes, and times as fine as traces have them, which not every reader of Parquet knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// A whole number, 64 bits with sign.
    Integer,
    /// Text.
    Text,
    /// A time in UTC, in nanoseconds since 1970; traces have steps of 100.
    Time,
    /// Bytes.
    Bytes,
}

impl Kind {
    /// As the documentation names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Integer => "integer",
            Self::Text => "text",
            Self::Time => "time",
            Self::Bytes => "bytes",
        }
    }

    fn data_type(self) -> DataType {
        match self {
            Self::Integer => DataType::Int64,
            Self::Text => DataType::Utf8,
            Self::Time => DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())),
            Self::Bytes => DataType::Binary,
        }
    }
}

/// A column of a table of files or events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What stands in it.
    pub kind: Kind,
    /// The unit of its numbers; empty where they have none.
    pub unit: &'static str,
    /// What it means, in a few words.
    pub meaning: &'static str,
    /// Its value needs the payload by its schema, which costs more than the header of a record.
    pub decodes: bool,
}

impl Column {
    fn field(&self) -> Field {
        Field::new(self.name, self.kind.data_type(), true).with_metadata(arrow::about(self.unit, self.meaning))
    }
}

/// A value.
pub(crate) enum Cell<'r> {
    Null,
    Integer(i64),
    Text(Cow<'r, str>),
    /// Nanoseconds since 1970.
    Time(i64),
    Bytes(&'r [u8]),
}

impl<'r> Cell<'r> {
    pub(crate) fn integer(number: Option<impl Into<i64>>) -> Self {
        number.map_or(Self::Null, |number| Self::Integer(number.into()))
    }

    pub(crate) fn text(text: Option<impl Into<Cow<'r, str>>>) -> Self {
        text.map_or(Self::Null, |text| Self::Text(text.into()))
    }

    pub(crate) fn time(time: Option<i64>) -> Self {
        time.map_or(Self::Null, Self::Time)
    }

    /// A count; one beyond 63 bits is the largest number.
    pub(crate) fn count(number: u64) -> Self {
        Self::Integer(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

/// A column, and its value in a row.
#[derive(Clone, Copy)]
pub(crate) struct Valued<F> {
    pub(crate) column: Column,
    pub(crate) value: F,
}

/// A column that headers and names answer.
pub(crate) const fn plain<F>(
    name: &'static str,
    kind: Kind,
    unit: &'static str,
    meaning: &'static str,
    value: F,
) -> Valued<F> {
    Valued { column: Column { name, kind, unit, meaning, decodes: false }, value }
}

/// The same column, where it needs the payload by its schema.
pub(crate) const fn decoded<F: Copy>(mut valued: Valued<F>) -> Valued<F> {
    valued.column.decodes = true;
    valued
}

impl Table {
    /// Its columns in their order; those of [`Table::Cases`] are `outofports::batch`'s.
    pub fn columns(self) -> Vec<Column> {
        match self {
            Self::Events => event::EVENT.iter().map(|valued| valued.column).collect(),
            Self::Failures => event::EVENT.iter().chain(&event::OWNER).map(|valued| valued.column).collect(),
            Self::Files => file::FILE.iter().map(|valued| valued.column).collect(),
            Self::Cases => Vec::new(),
        }
    }

    /// Its schema; the metadata of a column has its unit and its meaning.
    pub fn schema(self) -> SchemaRef {
        match self {
            Self::Cases => arrow::schema(&batch::tables::Table::Cases.columns()),
            table => Arc::new(Schema::new(table.columns().iter().map(Column::field).collect::<Vec<_>>())),
        }
    }
}
