//! Objects one by one, as JSON, Clixml and HTML hold them: names and values, and no lines.

use super::{Builder, Context, Found};
use crate::side::columns::{Column, Record};
use crate::side::facts::RowCount;
use crate::side::lines::Lines;

/// Objects between two looks at whether the job goes on.
const OBJECTS_BETWEEN_LOOKS: u64 = 1 << 10;

/// Takes objects one by one.
pub(super) struct Objects<'c> {
    /// The text, of which nothing is read here.
    lines: Lines<'c>,
    taken: u64,
    /// The job is to end early.
    pub(super) is_stopped: bool,
    context: &'c mut Context,
    found: &'c mut Found,
    current: Option<(Vec<Column>, Builder)>,
    count: RowCount,
    /// An object was of a kind that is known.
    is_known: bool,
}

impl<'c> Objects<'c> {
    pub(super) fn new(lines: Lines<'c>, context: &'c mut Context, found: &'c mut Found) -> Self {
        Self {
            lines,
            taken: 0,
            is_stopped: false,
            context,
            found,
            current: None,
            count: RowCount::default(),
            is_known: false,
        }
    }

    /// Takes an object by its names and values.
    pub(super) fn object<'n>(&mut self, names: impl Iterator<Item = &'n str>, cells: &[&str]) {
        self.taken += 1;
        self.is_stopped |= self.taken.is_multiple_of(OBJECTS_BETWEEN_LOOKS) && self.lines.should_stop();
        let columns: Vec<Column> = names.map(Column::named).collect();
        if self.current.as_ref().is_none_or(|(known, _)| *known != columns) {
            let Some(builder) = Builder::of(&columns, self.context) else { return };
            self.finish();
            self.current = Some((columns.clone(), builder));
            self.is_known = true;
        }
        let record = Record { columns: &columns, cells, is_exact: true };
        if self.current.as_mut().is_some_and(|(_, builder)| builder.row(&record, 1)) {
            self.count.read();
        } else {
            self.count.not_understood = self.count.not_understood.saturating_add(1);
        }
    }

    fn finish(&mut self) {
        let count = std::mem::take(&mut self.count);
        if let Some((_, mut builder)) = self.current.take() {
            builder.end(count, self.context, self.found);
        }
    }

    /// Ends the last kind of objects; whether any was known. What was read before the text turned out to be damaged stands.
    pub(super) fn end(mut self, is_whole: bool, of: &str) -> bool {
        self.finish();
        if self.is_known && !is_whole {
            self.found.note(&format!("the {of} text ends too early"));
        }
        self.is_known
    }
}
