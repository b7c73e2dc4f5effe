//! The layout of an event's payload: one model for all sources of schemas.

use std::fmt;
use std::sync::Arc;

use crate::map::Map;
use crate::types::{InType, OutType};

/// How deep structures may nest. The deepest real one seen has one level; TDH's own readers stop at 32.
pub const MAX_DEPTH: usize = 32;

/// The fields of a payload, in their order, packed.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Layout {
    fields: Vec<Field>,
    slots: usize,
    weight: usize,
}

impl Layout {
    /// A layout of these fields. Of fields that refer to an earlier one's value, the values are found by
    /// [`Field::slot`].
    pub fn new(fields: Vec<Field>) -> Self {
        let slots = highest_reference(&fields).map_or(0, |slot| usize::from(slot) + 1);
        let weight = weight(&fields);
        Self { fields, slots, weight }
    }

    /// The fields.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// How many values of earlier fields are kept while a payload is decoded.
    pub(crate) fn slots(&self) -> usize {
        self.slots
    }

    /// About how many bytes the layout takes.
    pub(crate) fn weight(&self) -> usize {
        self.weight
    }
}

fn weight(fields: &[Field]) -> usize {
    let of_field = |field: &Field| {
        let members = match &field.content {
            Content::Scalar(_) => 0,
            Content::Struct(members) => weight(members),
        };
        size_of::<Field>() + field.name.len() + members
    };
    fields.iter().map(of_field).sum()
}

fn highest_reference(fields: &[Field]) -> Option<u16> {
    let mut highest = None;
    for field in fields {
        if let Count::Of(slot) = field.count {
            highest = highest.max(Some(slot));
        }
        match &field.content {
            Content::Scalar(Scalar { length: Length::Of(slot), .. }) => highest = highest.max(Some(*slot)),
            Content::Scalar(_) => {}
            Content::Struct(members) => highest = highest.max(highest_reference(members)),
        }
    }
    highest
}

/// One field.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Name; may be empty, and need not be unique.
    pub name: Arc<str>,
    /// Number under which other fields refer to this one's value.
    pub slot: u16,
    /// How many there are.
    pub count: Count,
    /// What it is.
    pub content: Content,
}

/// What a field is.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// A single value.
    Scalar(Scalar),
    /// A structure of these members.
    Struct(Vec<Field>),
}

/// A single value: how it is stored and shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Scalar {
    /// How it is stored.
    pub in_type: InType,
    /// How it is shown.
    pub out_type: OutType,
    /// How long it is.
    pub length: Length,
    /// Names for its values.
    pub map: Option<MapRef>,
}

impl Scalar {
    /// A value of its type's own length, shown as stored.
    pub fn of(in_type: InType) -> Self {
        Self { in_type, out_type: OutType::NULL, length: Length::Natural, map: None }
    }
}

/// Where the names of a field's values are.
#[derive(Debug, Clone, PartialEq)]
pub enum MapRef {
    /// In a map of the event's provider, which may turn up later in the trace.
    ByName(Arc<str>),
    /// Here.
    Known(Arc<Map>),
}

/// How many values a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// One; not an array.
    One,
    /// An array of so many.
    Fixed(u16),
    /// An array of as many as the field with this slot says.
    Of(u16),
    /// An array of as many as the 16 bits before it say.
    Prefixed,
}

/// How long a value is: UTF-16 units of a string in UTF-16, bytes of anything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// As its type has it: fixed, terminated, counted.
    Natural,
    /// So long.
    Fixed(u16),
    /// As long as the field with this slot says.
    Of(u16),
}

/// Shown in differences: `[4]`, `[field 2]`.
impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One => f.write_str("one"),
            Self::Fixed(count) => write!(f, "{count}"),
            Self::Of(slot) => write!(f, "as many as field {slot} says"),
            Self::Prefixed => f.write_str("as many as the 16 bits before say"),
        }
    }
}

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Natural => f.write_str("its type's"),
            Self::Fixed(length) => write!(f, "{length}"),
            Self::Of(slot) => write!(f, "what field {slot} says"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_kept_up_to_the_last_one_referred_to() {
        let scalar = |slot, count, length| Field {
            name: "f".into(),
            slot,
            count,
            content: Content::Scalar(Scalar { length, ..Scalar::of(InType::UINT16) }),
        };
        assert_eq!(Layout::new(vec![scalar(0, Count::One, Length::Natural)]).slots(), 0);
        assert_eq!(Layout::new(vec![scalar(7, Count::Of(3), Length::Of(5))]).slots(), 6);
        let members = vec![scalar(2, Count::One, Length::Of(9))];
        let field = Field { name: "s".into(), slot: 1, count: Count::Of(0), content: Content::Struct(members) };
        assert_eq!(Layout::new(vec![field]).slots(), 10);
    }
}
