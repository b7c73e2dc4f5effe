//! A table as NDJSON: an object in each line, its columns in their order.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use serde::ser::{Serialize, SerializeMap as _, Serializer};

use super::columns::{Column, Row};
use super::tables::Table;
use crate::output::{Begun, Unfinished};
use crate::report::json;

/// A file of lines that is being written.
pub(super) struct Lines {
    columns: Vec<Column>,
    begun: Begun,
    out: BufWriter<std::fs::File>,
}

impl Lines {
    pub(super) fn begin(unfinished: &Unfinished, path: &Path, table: Table) -> io::Result<Self> {
        let mut begun = unfinished.begin_whole(path)?;
        let out = BufWriter::with_capacity(1 << 16, begun.file().try_clone()?);
        Ok(Self { columns: table.columns(), begun, out })
    }

    pub(super) fn add(&mut self, row: &Row) -> io::Result<()> {
        json::write_line(&Object { columns: &self.columns, row }, &mut self.out)
    }

    pub(super) fn finish(mut self) -> io::Result<()> {
        self.out.flush()?;
        self.begun.finish()
    }
}

struct Object<'r> {
    columns: &'r [Column],
    row: &'r Row,
}

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.columns.len()))?;
        for (column, value) in self.columns.iter().zip(self.row) {
            map.serialize_entry(column.name, value)?;
        }
        map.end()
    }
}
