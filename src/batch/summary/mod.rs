//! What a manager reads: how many cases, what their verdicts are, which images hold the ports, where and since when.
//!
//! Counted once, as sections of plain text cells; the faces only lay them out.

mod count;
mod faces;

pub(super) use self::count::Counting;
use crate::words::table::Align;

/// The summary of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Sentences that say the most important first.
    pub(super) sentences: Vec<String>,
    pub(super) sections: Vec<Section>,
    /// Program and version.
    pub(super) tool: String,
}

/// A table with its title.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Section {
    pub(super) title: &'static str,
    /// What is to be known about it; may be empty.
    pub(super) note: String,
    pub(super) headings: Vec<(&'static str, Align)>,
    pub(super) rows: Vec<Vec<Cell>>,
}

/// What stands in a cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cell {
    /// Words of this program, numbers, times.
    Own(String),
    /// Text from outside.
    Name(String),
}

impl Cell {
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Own(text) | Self::Name(text) => text,
        }
    }
}
