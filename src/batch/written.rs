//! The files of a run: tables, states, the summary. Each appears whole; what an earlier run left and this one has not is removed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::cases::{CaseRow, Status};
use super::journal::Journal;
use super::ndjson::Lines;
#[cfg(feature = "parquet")]
use super::parquet::Columns;
use super::results::Results;
use super::settings::{Shard, TableFormat};
use super::summary::{Counting, Summary};
use super::tables::Table;
use crate::output::{TEMPORARY_PREFIX, Unfinished};
use crate::report::json;

/// The folder of rows without a date, as Hive calls it.
#[cfg(feature = "parquet")]
const NO_MONTH: &str = "__HIVE_DEFAULT_PARTITION__";

/// The folder of the journal.
const STATE: &str = ".outofports";

/// The names of the files of a run.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    out: PathBuf,
    /// What stands behind each name, so that the parts of a batch can lie in one folder.
    suffix: String,
}

impl Layout {
    pub(super) fn new(out: &Path, shard: Option<Shard>) -> Self {
        let suffix = shard.map(|shard| format!("-{}-of-{}", shard.number(), shard.count())).unwrap_or_default();
        Self { out: out.to_owned(), suffix }
    }

    fn file(&self, name: &str, ending: &str) -> PathBuf {
        self.out.join(format!("{name}{}.{ending}", self.suffix))
    }

    pub(super) fn state_folder(&self) -> PathBuf {
        self.out.join(STATE)
    }

    pub(super) fn journal(&self) -> PathBuf {
        self.state_folder().join(format!("journal{}.ndjson", self.suffix))
    }

    pub(super) fn lock(&self) -> PathBuf {
        self.state_folder().join(format!("lock{}", self.suffix))
    }

    #[cfg(feature = "parquet")]
    fn part(&self, table: Table, month: &str) -> PathBuf {
        self.out.join(table.as_str()).join(format!("month={month}")).join(self.part_name())
    }

    fn part_name(&self) -> String {
        format!("part{}.parquet", self.suffix)
    }

    /// The folders of months of a table.
    fn months(&self, table: Table) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.out.join(table.as_str())).into_iter().flatten().flatten();
        let is_month =
            |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("month="));
        entries.map(|entry| entry.path()).filter(is_month).collect()
    }

    /// Removes what a run left that was ended while it wrote; no other may be running.
    pub(super) fn sweep(&self) {
        let folders = Table::ALL.into_iter().flat_map(|table| self.months(table)).chain([self.out.clone()]);
        for entry in folders.flat_map(|folder| fs::read_dir(folder).into_iter().flatten().flatten()) {
            let is_temporary = entry.file_name().to_string_lossy().starts_with(TEMPORARY_PREFIX);
            if is_temporary && entry.file_type().is_ok_and(|kind| kind.is_file()) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

/// A row of `status.ndjson`.
#[derive(Serialize)]
struct StatusRow<'r> {
    case_id: &'r str,
    path: &'r str,
    status: Status,
    reason: Option<&'r str>,
    duplicate_of: Option<&'r str>,
    wall_seconds: f64,
}

/// Writes all files of a run.
pub(super) struct Writing<'w> {
    pub(super) layout: &'w Layout,
    pub(super) formats: &'w [TableFormat],
    pub(super) unfinished: &'w Unfinished,
}

impl Writing<'_> {
    /// Writes tables, states and summary; gives the summary.
    pub(super) fn write(
        &self,
        results: &mut Results<'_>,
        journal: &mut Journal,
        counting: Counting,
    ) -> io::Result<Summary> {
        let mut written = BTreeSet::new();
        let summary = self.write_lines(results, journal, counting, &mut written)?;
        #[cfg(feature = "parquet")]
        if self.formats.contains(&TableFormat::Parquet) {
            self.write_columns(results, journal, &mut written)?;
        }
        self.remove_others(&written);
        Ok(summary)
    }

    /// One pass over all cases: NDJSON, states, summary.
    fn write_lines(
        &self,
        results: &mut Results<'_>,
        journal: &mut Journal,
        mut counting: Counting,
        written: &mut BTreeSet<PathBuf>,
    ) -> io::Result<Summary> {
        let mut tables: BTreeMap<Table, Lines> = BTreeMap::new();
        if self.formats.contains(&TableFormat::Ndjson) {
            for table in Table::ALL {
                let path = self.layout.file(table.as_str(), "ndjson");
                tables.insert(table, Lines::begin(self.unfinished, &path, table)?);
                written.insert(path);
            }
        }
        let mut states = self.unfinished.begin_whole(&self.layout.file("status", "ndjson"))?;
        let mut out = io::BufWriter::new(states.file().try_clone()?);
        for number in 0..results.len() {
            let wall_seconds = results.done.get(number).map_or(0.0, |done| done.head.wall_seconds);
            let mut result = results.case(number, journal)?;
            counting.add(&result.case);
            json::write_line(&status_row(&result.case, wall_seconds), &mut out)?;
            for (table, lines) in &mut tables {
                for row in result.rows(*table) {
                    lines.add(&row)?;
                }
            }
        }
        out.flush()?;
        states.finish()?;
        tables.into_values().try_for_each(Lines::finish)?;
        let summary = counting.finish();
        for (ending, text) in [("md", summary.markdown()), ("html", summary.html()?)] {
            let mut begun = self.unfinished.begin_whole(&self.layout.file("summary", ending))?;
            begun.file().write_all(text.as_bytes())?;
            begun.finish()?;
        }
        sync_folder(&self.layout.out);
        Ok(summary)
    }

    /// A file for each month of each table; of a table without rows one file, so that it is there.
    #[cfg(feature = "parquet")]
    fn write_columns(
        &self,
        results: &mut Results<'_>,
        journal: &mut Journal,
        written: &mut BTreeSet<PathBuf>,
    ) -> io::Result<()> {
        let mut months: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for number in 0..results.len() {
            let month = results.case(number, journal)?.month();
            months.entry(month.unwrap_or_else(|| NO_MONTH.to_owned())).or_default().push(number);
        }
        let mut missing: BTreeSet<Table> = Table::ALL.into_iter().collect();
        for (month, numbers) in &months {
            let mut tables: BTreeMap<Table, Columns> = BTreeMap::new();
            for number in numbers {
                let mut result = results.case(*number, journal)?;
                for table in Table::ALL {
                    for row in result.rows(table) {
                        let columns = match tables.remove(&table) {
                            Some(columns) => columns,
                            None => self.begin_part(table, month, written)?,
                        };
                        tables.entry(table).or_insert(columns).add(row)?;
                    }
                }
            }
            for (table, columns) in tables {
                missing.remove(&table);
                columns.finish()?;
            }
        }
        for table in missing {
            self.begin_part(table, NO_MONTH, written)?.finish()?;
        }
        written.iter().filter_map(|path| path.parent()).for_each(sync_folder);
        Ok(())
    }

    #[cfg(feature = "parquet")]
    fn begin_part(&self, table: Table, month: &str, written: &mut BTreeSet<PathBuf>) -> io::Result<Columns> {
        let path = self.layout.part(table, month);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let columns = Columns::begin(self.unfinished, &path, table)?;
        written.insert(path);
        Ok(columns)
    }

    /// Removes tables of an earlier run that this one has not written.
    fn remove_others(&self, written: &BTreeSet<PathBuf>) {
        for table in Table::ALL {
            let months = self.layout.months(table);
            let parts = months.iter().map(|month| month.join(self.layout.part_name()));
            for path in parts.chain([self.layout.file(table.as_str(), "ndjson")]) {
                if !written.contains(&path) {
                    let _ = fs::remove_file(path);
                }
            }
            // Folders go that are empty now; the system keeps the others.
            for folder in months.into_iter().chain([self.layout.out.join(table.as_str())]) {
                let _ = fs::remove_dir(folder);
            }
        }
    }
}

fn status_row(case: &CaseRow, wall_seconds: f64) -> StatusRow<'_> {
    StatusRow {
        case_id: &case.case_id,
        path: &case.path,
        status: case.status,
        reason: case.reason.as_deref(),
        duplicate_of: case.duplicate_of.as_deref(),
        wall_seconds,
    }
}

/// Has the system write down which files a folder has, where it can be asked to.
fn sync_folder(folder: &Path) {
    #[cfg(unix)]
    if let Ok(folder) = fs::File::open(folder) {
        let _ = folder.sync_all();
    }
    #[cfg(not(unix))]
    let _ = folder;
}
