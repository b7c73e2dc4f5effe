//! What differs between two layouts of one event.

use std::fmt;
use std::sync::Arc;

use crate::layout::{Content, Count, Field, Layout, Length};
use crate::types::{InType, OutType};

/// A difference between the trace's own schema of an event and that of the built-in tables.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LayoutDifference {
    /// Name of the field, as the trace has it.
    pub field: Arc<str>,
    /// What differs.
    pub kind: DifferenceKind,
}

/// What differs; the trace's own comes first.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DifferenceKind {
    /// Number of fields or members.
    Fields(usize, usize),
    /// Name.
    Name(Arc<str>, Arc<str>),
    /// One is a structure.
    Structure,
    /// How it is stored.
    InType(InType, InType),
    /// How it is shown.
    OutType(OutType, OutType),
    /// How many there are.
    Count(Count, Count),
    /// How long it is.
    Length(Length, Length),
}

impl DifferenceKind {
    /// Whether the two read different bytes; else they only show them differently.
    pub fn is_of_layout(&self) -> bool {
        !matches!(self, Self::Name(..) | Self::OutType(..))
    }
}

impl fmt::Display for LayoutDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field = &self.field;
        match &self.kind {
            DifferenceKind::Fields(trace, table) if field.is_empty() => write!(f, "{trace} fields, table has {table}"),
            DifferenceKind::Fields(trace, table) => write!(f, "{field}: {trace} members, table has {table}"),
            DifferenceKind::Name(trace, table) => write!(f, "{trace}: table calls it {table}"),
            DifferenceKind::Structure => write!(f, "{field}: a structure in one, a value in the other"),
            DifferenceKind::InType(trace, table) => write!(f, "{field}: stored as {trace}, table has {table}"),
            DifferenceKind::OutType(trace, table) => write!(f, "{field}: shown as {trace}, table has {table}"),
            DifferenceKind::Count(trace, table) => write!(f, "{field}: count is {trace}, table has {table}"),
            DifferenceKind::Length(trace, table) => write!(f, "{field}: length is {trace}, table has {table}"),
        }
    }
}

/// What differs between the trace's own layout and that of a table, field by field.
pub(crate) fn differences(trace: &Layout, table: &Layout) -> Vec<LayoutDifference> {
    let mut found = Vec::new();
    compare("".into(), trace.fields(), table.fields(), &mut found);
    found
}

fn compare(of: Arc<str>, trace: &[Field], table: &[Field], found: &mut Vec<LayoutDifference>) {
    if trace.len() != table.len() {
        found.push(LayoutDifference { field: of, kind: DifferenceKind::Fields(trace.len(), table.len()) });
    }
    for (trace, table) in trace.iter().zip(table) {
        let mut differ = |kind| found.push(LayoutDifference { field: Arc::clone(&trace.name), kind });
        if trace.name != table.name {
            differ(DifferenceKind::Name(Arc::clone(&trace.name), Arc::clone(&table.name)));
        }
        if trace.count != table.count {
            differ(DifferenceKind::Count(trace.count, table.count));
        }
        match (&trace.content, &table.content) {
            (Content::Scalar(of_trace), Content::Scalar(of_table)) => {
                if of_trace.in_type != of_table.in_type {
                    differ(DifferenceKind::InType(of_trace.in_type, of_table.in_type));
                }
                let shown = of_trace.out_type.or_usual(of_trace.in_type);
                let shown_by_table = of_table.out_type.or_usual(of_table.in_type);
                if of_trace.in_type == of_table.in_type && shown != shown_by_table {
                    differ(DifferenceKind::OutType(shown, shown_by_table));
                }
                if of_trace.length != of_table.length {
                    differ(DifferenceKind::Length(of_trace.length, of_table.length));
                }
            }
            (Content::Struct(of_trace), Content::Struct(of_table)) => {
                compare(Arc::clone(&trace.name), of_trace, of_table, found);
            }
            _ => differ(DifferenceKind::Structure),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::Scalar;

    fn scalar(name: &str, in_type: InType) -> Field {
        Field { name: name.into(), slot: 0, count: Count::One, content: Content::Scalar(Scalar::of(in_type)) }
    }

    fn told(trace: Vec<Field>, table: Vec<Field>) -> Vec<String> {
        differences(&Layout::new(trace), &Layout::new(table)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_difference_is_told() {
        let structure = |members| Field { content: Content::Struct(members), ..scalar("s", InType::UINT8) };
        let shown = |out_type, length| Field {
            content: Content::Scalar(Scalar { out_type, length, ..Scalar::of(InType::BINARY) }),
            ..scalar("b", InType::BINARY)
        };
        let trace = vec![
            scalar("a", InType::UINT16),
            shown(OutType::PORT, Length::Fixed(4)),
            Field { count: Count::Of(1), ..scalar("c", InType::UINT8) },
            structure(vec![scalar("m", InType::UINT8)]),
            structure(vec![]),
        ];
        let table = vec![
            scalar("A", InType::UINT32),
            shown(OutType::NULL, Length::Of(0)),
            scalar("c", InType::UINT8),
            structure(vec![]),
            scalar("s", InType::UINT8),
            scalar("z", InType::UINT8),
        ];
        assert_eq!(told(trace.clone(), trace.clone()), Vec::<String>::new());
        assert_eq!(
            told(trace, table),
            [
                "5 fields, table has 6",
                "a: table calls it A",
                "a: stored as UInt16, table has UInt32",
                "b: shown as Port, table has hexBinary",
                "b: length is 4, table has what field 0 says",
                "c: count is as many as field 1 says, table has one",
                "s: 1 members, table has 0",
                "s: a structure in one, a value in the other",
            ]
        );
    }

    #[test]
    fn names_and_formats_read_the_same_bytes() {
        assert!(!DifferenceKind::Name("a".into(), "b".into()).is_of_layout());
        assert!(!DifferenceKind::OutType(OutType::NULL, OutType::PORT).is_of_layout());
        assert!(DifferenceKind::InType(InType::UINT8, InType::INT8).is_of_layout());
    }
}
