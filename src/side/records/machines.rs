//! Rows that name the machine that they are of: what those of each tell stays apart.

use std::collections::BTreeMap;

use super::{Builder, Context, Found};
use crate::side::columns::{Column, Record};
use crate::side::facts::RowCount;
use crate::side::host::{is_name, is_same_machine, label};
use crate::side::lines::Line;
use crate::side::remote::is_here;

/// So many machines are told apart in a table.
const MAX_MACHINES: usize = 256;

/// What the rows of a table become, for each machine.
#[derive(Debug)]
pub(super) struct Builders {
    /// As it is before the first row.
    empty: Builder,
    /// What rows of different machines tell stays apart.
    is_of_several: bool,
    /// The machines that rows name.
    names: BTreeMap<String, String>,
    of_machines: Vec<OfMachine>,
    /// That of the last row.
    last: usize,
}

#[derive(Debug)]
struct OfMachine {
    /// `None` where rows do not tell.
    name: Option<String>,
    builder: Builder,
    rows: u64,
}

impl Builders {
    pub(super) fn of(columns: &[Column], context: &Context) -> Option<Self> {
        let empty = Builder::of(columns, context)?;
        let is_of_several = context.is_of_several;
        Some(Self { empty, is_of_several, names: BTreeMap::new(), of_machines: Vec::new(), last: 0 })
    }

    /// Takes a row; `false` where it is none.
    pub(super) fn row(&mut self, record: &Record<'_>, line: u64) -> bool {
        let named = self.named(record);
        let is_row = self.row_of(named.filter(|_| self.is_of_several), record, line);
        if let Some(name) = named.filter(|_| is_row && self.names.len() < MAX_MACHINES) {
            self.names.entry(label(name)).or_insert_with(|| name.to_owned());
        }
        is_row
    }

    fn row_of(&mut self, name: Option<&str>, record: &Record<'_>, line: u64) -> bool {
        let is_of = |of: &OfMachine| match (&of.name, name) {
            (Some(one), Some(other)) => one == other || is_same_machine(one, other),
            (None, None) => true,
            _ => false,
        };
        let at = match self.of_machines.get(self.last).filter(|of| is_of(of)) {
            Some(_) => Some(self.last),
            None => self.of_machines.iter().position(is_of),
        };
        if let Some(at) = at {
            let Some(of) = self.of_machines.get_mut(at) else { return false };
            let is_row = of.builder.row(record, line);
            of.rows += u64::from(is_row);
            self.last = if is_row { at } else { self.last };
            return is_row;
        }
        let mut builder = self.empty.clone();
        let is_row = self.of_machines.len() < MAX_MACHINES && builder.row(record, line);
        if is_row {
            self.last = self.of_machines.len();
            self.of_machines.push(OfMachine { name: name.map(str::to_owned), builder, rows: 1 });
        }
        is_row
    }

    /// The machine that a row names. Entries of logs keep it, each its own.
    fn named<'r>(&self, record: &Record<'r>) -> Option<&'r str> {
        let is_known = |name: &&str| is_name(name) && !is_here(name) && !matches!(self.empty, Builder::Events(_));
        record.get(Column::Machine).filter(is_known)
    }

    /// Takes a line of a table whose cells do not stand where they should: such a line does not tell a machine.
    pub(super) fn line(&mut self, line: Line<'_>) -> bool {
        if self.of_machines.is_empty() {
            self.of_machines.push(OfMachine { name: None, builder: self.empty.clone(), rows: 0 });
        }
        let of_row = self.of_machines.get_mut(self.last).filter(|of| of.name.is_none());
        of_row.is_some_and(|of| {
            let is_row = of.builder.line(line);
            of.rows += u64::from(is_row);
            is_row
        })
    }

    /// Takes back the last row, where the text ends within it.
    pub(super) fn forget_cut(&mut self) -> bool {
        self.of_machines.get_mut(self.last).is_some_and(|of| {
            let is_cut = of.builder.forget_cut();
            of.rows = of.rows.saturating_sub(u64::from(is_cut));
            is_cut
        })
    }

    pub(super) fn end(&mut self, count: RowCount, context: &mut Context, found: &mut Found) {
        found.machines.append(&mut self.names);
        let mut of_machines = std::mem::take(&mut self.of_machines);
        if of_machines.is_empty() {
            self.empty.end(count, context, found);
            return;
        }
        // What could not be read is nobody's: it is told once.
        let mut missed = RowCount { rows: 0, ..count };
        let clock = context.clock.clone();
        for of in &mut of_machines {
            context.clock.clone_from(&clock);
            let count = RowCount { rows: of.rows, ..std::mem::take(&mut missed) };
            let found = match &of.name {
                Some(name) => found.of_machines.entry(name.clone()).or_default(),
                None => &mut *found,
            };
            of.builder.end(count, context, found);
        }
        context.grouped += usize::from(matches!(self.empty, Builder::Groups(_)));
    }
}
