//! The cases of a run with what became of each: who is a duplicate of whom, and the rows of the tables.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::Path;

use super::cases::{CASES, CaseRow, HOST_BY_SIDE_INPUT};
use super::columns::{Row, row};
use super::digest::Ids;
use super::entry::{Entry, Head};
use super::journal::{Journal, Position};
use super::pattern::NamePattern;
use super::places::Place;
use super::tables::Table;
use crate::words::pseudonyms::Pseudonyms;

/// A case that is done: where it is, what became of it, and where the journal has the rest.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) place: Place,
    pub(super) head: Head,
    pub(super) position: Position,
}

/// All cases of a run, by their paths.
pub(super) struct Results<'r> {
    pub(super) done: Vec<Done>,
    /// `case_id` of each.
    ids: Vec<String>,
    /// Number of the case that it is a duplicate of.
    firsts: Vec<Option<usize>>,
    name_from: Option<&'r NamePattern>,
    names: Option<Pseudonyms>,
}

/// A case: its row, and the rows of its report, with `case_id`; a duplicate has none.
pub(super) struct CaseResult {
    pub(super) case: CaseRow,
    pub(super) tables: BTreeMap<Table, Vec<Row>>,
}

impl<'r> Results<'r> {
    pub(super) fn new(
        done: Vec<Done>,
        ids: &Ids,
        name_from: Option<&'r NamePattern>,
        names: Option<Pseudonyms>,
    ) -> Self {
        let case_ids: Vec<String> = done.iter().map(|done| case_id(&done.place.relative, &done.head, ids)).collect();
        let mut by_content: HashMap<&str, usize> = HashMap::new();
        let firsts = done.iter().enumerate().map(|(number, done)| {
            let first = *by_content.entry(done.head.content_id.as_deref()?).or_insert(number);
            (first != number).then_some(first)
        });
        let firsts = firsts.collect();
        Self { done, ids: case_ids, firsts, name_from, names }
    }

    /// Cases that hold the same as an earlier one.
    pub(super) fn duplicates(&self) -> usize {
        self.firsts.iter().flatten().count()
    }

    /// Cases.
    pub(super) fn len(&self) -> usize {
        self.done.len()
    }

    /// The case of this number, read from the journal.
    pub(super) fn case(&mut self, number: usize, journal: &mut Journal) -> io::Result<CaseResult> {
        let (Some(done), Some(id)) = (self.done.get(number), self.ids.get(number)) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        let Entry { head, facts, tables } = journal.read(done.position)?;
        let first = self.firsts.get(number).copied().flatten();
        let duplicate_of = first.and_then(|first| self.ids.get(first)).cloned();
        let path = done.place.shown();
        let mut by_pattern = self.name_from.map(|pattern| pattern.names(path.split('/'))).unwrap_or_default();
        if let Some(names) = &mut self.names {
            by_pattern.customer.iter_mut().for_each(|customer| *customer = names.text(customer));
            by_pattern.host.iter_mut().for_each(|host| *host = names.host(host));
        }
        let host_by = match (&by_pattern.host, &head.host) {
            (Some(_), _) => Some("name_from"),
            (None, Some(_)) => Some(HOST_BY_SIDE_INPUT),
            (None, None) => None,
        };
        let mut case = CaseRow {
            case_id: id.clone(),
            content_id: head.content_id,
            path,
            customer: by_pattern.customer,
            host: by_pattern.host.or(head.host),
            host_by,
            status: head.status,
            reason: head.reason,
            facts,
            duplicate_of,
        };
        if let Some(names) = &mut self.names {
            case.path = names.path(&case.path);
        }
        let tables = if case.duplicate_of.is_some() { BTreeMap::new() } else { with_id(tables, id) };
        Ok(CaseResult { case, tables })
    }
}

impl CaseResult {
    /// The rows of a table.
    pub(super) fn rows(&mut self, table: Table) -> Vec<Row> {
        match table {
            Table::Cases => vec![row(&CASES, &(), &self.case)],
            table => self.tables.remove(&table).unwrap_or_default(),
        }
    }

    /// The month that its rows belong to.
    #[cfg(feature = "parquet")]
    pub(super) fn month(&self) -> Option<String> {
        self.case.facts.as_ref().and_then(|facts| facts.month()).map(str::to_owned)
    }
}

/// From the path, with a slash between its parts on each system, and from what the case holds.
pub(super) fn case_id(relative: &Path, head: &Head, ids: &Ids) -> String {
    let parts: Vec<&[u8]> = relative.iter().map(|part| part.as_encoded_bytes()).collect();
    let content = head.fingerprint.as_ref().map_or("", |fingerprint| fingerprint.hash.as_str());
    ids.of("case", &[&parts.join(&b'/'), content.as_bytes()])
}

fn with_id(tables: BTreeMap<Table, Vec<Row>>, id: &str) -> BTreeMap<Table, Vec<Row>> {
    let with_id = |row: Row| [id.into()].into_iter().chain(row).collect();
    tables.into_iter().map(|(table, rows)| (table, rows.into_iter().map(with_id).collect())).collect()
}
