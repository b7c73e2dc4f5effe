//! Columns of tables: name, kind, unit and meaning, told once for NDJSON, for Parquet and for the documentation.

use serde::Serialize;
use serde_json::Value;

/// What stands in a column. Any value may be null, which is "unknown" or "none".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// `true` or `false`.
    Bool,
    /// A whole number, 64 bits with sign: engines disagree about numbers without.
    Integer,
    /// A number with a fraction, 64 bits.
    Real,
    /// Text.
    Text,
    /// A list of texts.
    Texts,
    /// A time in UTC. NDJSON: RFC 3339 with seven decimals; Parquet: microseconds since 1970, cut and not rounded.
    Time,
}

impl Kind {
    /// As the documentation names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bool => "boolean",
            Self::Integer => "integer",
            Self::Real => "real",
            Self::Text => "text",
            Self::Texts => "list of texts",
            Self::Time => "time",
        }
    }
}

/// A column of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Column {
    /// Its name, also in Parquet and NDJSON.
    pub name: &'static str,
    /// What stands in it.
    pub kind: Kind,
    /// The unit of its numbers; empty where they have none.
    pub unit: &'static str,
    /// What it means, in a few words.
    pub meaning: &'static str,
}

/// A column, and its value in a row that comes from an `R` within a `C`.
pub(super) struct Field<C, R> {
    pub(super) column: Column,
    value: fn(&C, &R) -> Value,
}

/// A column of this kind.
pub(super) const fn field<C, R>(
    name: &'static str,
    kind: Kind,
    unit: &'static str,
    meaning: &'static str,
    value: fn(&C, &R) -> Value,
) -> Field<C, R> {
    Field { column: Column { name, kind, unit, meaning }, value }
}

/// A row: a value for each column, in their order.
pub type Row = Vec<Value>;

/// The values of one row.
pub(super) fn row<C, R>(fields: &[Field<C, R>], context: &C, source: &R) -> Row {
    fields.iter().map(|field| (field.value)(context, source)).collect()
}

/// The columns of fields, in their order.
pub(super) fn columns<C, R>(fields: &[Field<C, R>]) -> Vec<Column> {
    fields.iter().map(|field| field.column).collect()
}

/// A value as the JSON report has it.
pub(super) fn json(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or(Value::Null)
}
