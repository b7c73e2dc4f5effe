//! Objects one by one, as JSON, Clixml and HTML hold them: names and values, and no lines.

use super::machines::Builders;
use super::{Context, Found};
use crate::side::columns::{Column, Record};
use crate::side::facts::RowCount;
use crate::side::lines::{Command, Lines};

/// Objects between two looks at whether the job goes on.
const OBJECTS_BETWEEN_LOOKS: u64 = 1 << 10;

/// Lists of names that are told apart: those of sockets of TCP and of UDP, with values that are left out where there are none.
const MAX_KINDS: usize = 64;

/// Takes objects one by one.
pub(super) struct Objects<'c> {
    /// The text, of which nothing is read here.
    lines: Lines<'c>,
    taken: u64,
    /// The job is to end early.
    pub(super) is_stopped: bool,
    context: &'c mut Context,
    found: &'c mut Found,
    kinds: Vec<Kind>,
    /// The kind of the last object.
    last: usize,
}

/// Objects with the same names.
struct Kind {
    columns: Vec<Column>,
    builder: Builders,
    count: RowCount,
}

impl<'c> Objects<'c> {
    pub(super) fn new(lines: Lines<'c>, context: &'c mut Context, found: &'c mut Found) -> Self {
        Self { lines, taken: 0, is_stopped: false, context, found, kinds: Vec::new(), last: 0 }
    }

    /// Takes an object by its names and values.
    pub(super) fn object<'n>(&mut self, names: impl Iterator<Item = &'n str>, cells: &[&str]) {
        self.taken += 1;
        self.is_stopped |= self.taken.is_multiple_of(OBJECTS_BETWEEN_LOOKS) && self.lines.should_stop();
        let mut columns: Vec<Column> = names.map(Column::named).collect();
        Column::settle(&mut columns);
        if self.kinds.get(self.last).is_none_or(|kind| kind.columns != columns) {
            let Some(kind) = self.kind_of(&columns) else { return };
            self.last = kind;
        }
        let Some(kind) = self.kinds.get_mut(self.last) else { return };
        let record = Record { columns: &columns, cells, is_exact: true };
        if kind.columns == columns && kind.builder.row(&record, 1) {
            kind.count.read();
        } else {
            kind.count.not_understood = kind.count.not_understood.saturating_add(1);
        }
    }

    /// The number of the kind with these columns; `None` where nothing is known of such objects.
    fn kind_of(&mut self, columns: &[Column]) -> Option<usize> {
        if let Some(known) = self.kinds.iter().position(|kind| kind.columns == columns) {
            return Some(known);
        }
        let builder = Builders::of(columns, self.context)?;
        if self.kinds.len() < MAX_KINDS {
            self.kinds.push(Kind { columns: columns.to_vec(), builder, count: RowCount::default() });
        }
        self.kinds.len().checked_sub(1)
    }

    /// Ends the list; whether any object was known. What was read before the text turned out to be damaged stands.
    pub(super) fn end(self, is_whole: bool, of: &str) -> bool {
        let is_known = !self.kinds.is_empty();
        for mut kind in self.kinds {
            kind.builder.end(kind.count, self.context, self.found);
            // What one command gave is one moment, however its objects differ.
            self.context.command = Command::default();
            self.context.array = self.context.array.map(|kinds| kinds + 1);
        }
        if is_known && !is_whole {
            self.found.note(&format!("the {of} text ends too early"));
        }
        is_known
    }
}
