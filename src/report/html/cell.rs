//! Tables of the page: cells that name the place of their value in the JSON report.

use crate::report::ProcessRow;
use crate::report::wording::{name, percent, percent_of, pid, sentence_start};
use crate::time::{FileTime, Zone};
use crate::words::{grouped, shown};

/// A table.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// Its `id` in the page.
    pub(super) id: String,
    /// What it shows.
    pub(super) caption: String,
    /// Columns.
    pub(super) columns: Vec<Column>,
    /// Rows, with a cell for each column.
    pub(super) rows: Vec<Row>,
    /// What was left out, as a sentence.
    pub(super) left_out: Option<String>,
}

impl Table {
    /// Says what the cells of a column have in common once, at the column: a page of 500 processes stays small.
    pub(super) fn share_pointers(mut self) -> Self {
        for (number, column) in self.columns.iter_mut().enumerate() {
            let cells = || self.rows.iter().map(|row| (row.pointer.as_str(), row.cells.get(number)));
            let mut parts = cells().map(|(row, cell)| cell.and_then(|cell| cell.part_beside(row)));
            let Some(Some(first)) = parts.next() else { continue };
            if parts.all(|part| part == Some(first)) {
                column.pointer = first.to_owned();
            }
        }
        for row in &mut self.rows {
            for (column, cell) in self.columns.iter().zip(&mut row.cells) {
                if !column.pointer.is_empty() {
                    cell.pointer.clear();
                }
            }
        }
        self
    }

    /// Its caption, with a capital.
    pub(super) fn title(&self) -> String {
        sentence_start(&self.caption)
    }
}

/// A column.
#[derive(Debug)]
pub(super) struct Column {
    /// Heading.
    pub(super) title: String,
    /// Unit, behind the heading; of times the zone.
    pub(super) unit: String,
    /// Whether it holds times.
    pub(super) is_time: bool,
    /// Whether it holds numbers.
    pub(super) is_number: bool,
    /// What the pointers of all its cells have beside that of their row: behind it, or, with a slash at its beginning, before it.
    pub(super) pointer: String,
}

impl Column {
    pub(super) fn text(title: impl Into<String>) -> Self {
        Self { title: title.into(), unit: String::new(), is_time: false, is_number: false, pointer: String::new() }
    }

    pub(super) fn number(title: impl Into<String>, unit: &str) -> Self {
        Self { is_number: true, unit: unit.to_owned(), ..Self::text(title) }
    }

    pub(super) fn time(title: impl Into<String>, zone: Zone) -> Self {
        Self { is_time: true, unit: zone.name(), ..Self::text(title) }
    }
}

/// A row.
#[derive(Debug, Default)]
pub(super) struct Row {
    /// What the pointers of most cells begin with.
    pub(super) pointer: String,
    /// Cells.
    pub(super) cells: Vec<Cell>,
}

/// A cell.
#[derive(Debug, Default)]
pub(super) struct Cell {
    /// What it shows.
    pub(super) text: String,
    /// JSON pointer of its value; empty where it is put together from several, or drawn.
    pointer: String,
    /// Of a part: the pointers of what the whole is the sum of.
    pub(super) of: String,
    /// Of a time: RFC 3339.
    pub(super) time: Option<String>,
    /// What it is made of: unfolded by the reader.
    pub(super) items: Vec<Cell>,
    /// A path that draws its course, in a box of [`SPARK_WIDTH`] by [`SPARK_HEIGHT`].
    pub(super) spark: Option<Spark>,
}

/// A small drawing in a cell.
#[derive(Debug)]
pub(super) struct Spark {
    /// A path.
    pub(super) path: String,
    /// Class of the path.
    pub(super) class: &'static str,
}

/// Width of a small drawing.
pub(super) const SPARK_WIDTH: f64 = 120.0;

/// Height of a small drawing.
pub(super) const SPARK_HEIGHT: f64 = 22.0;

impl Cell {
    pub(super) fn text(text: impl AsRef<str>) -> Self {
        Self { text: shown(text.as_ref()), ..Self::default() }
    }

    pub(super) fn number(count: impl Into<u64>) -> Self {
        Self { text: grouped(count.into()), ..Self::default() }
    }

    /// Nothing where nothing is told.
    pub(super) fn optional<T: Into<u64>>(count: Option<T>) -> Self {
        count.map(Self::number).unwrap_or_default()
    }

    /// A time of day; the day is in `datetime`.
    pub(super) fn clock(time: Option<FileTime>, zone: Zone) -> Self {
        Self::timed(time, |time| zone.clock(time))
    }

    /// A time with its day.
    pub(super) fn day_and_time(time: Option<FileTime>, zone: Zone) -> Self {
        Self::timed(time, |time| zone.date_and_time(time))
    }

    fn timed(time: Option<FileTime>, text: impl Fn(FileTime) -> String) -> Self {
        Self { text: time.map(text).unwrap_or_default(), time: time.map(|time| time.to_string()), ..Self::default() }
    }

    /// A part of a whole, of which JSON has the share itself.
    pub(super) fn share(part: u32, whole: u32) -> Self {
        Self { text: percent_of(part, whole), ..Self::default() }
    }

    /// A part of the sum of some fields of the same object.
    pub(super) fn part(part: u64, whole: u64, object: &str, fields: &[&str]) -> Self {
        let of: Vec<String> = fields.iter().map(|field| format!("{object}/{field}")).collect();
        Self { text: percent(part, whole), of: of.join(" "), ..Self::default() }
    }

    /// With the place of its value.
    pub(super) fn at(self, pointer: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), ..self }
    }

    pub(super) fn with_items(self, items: Vec<Self>) -> Self {
        Self { items, ..self }
    }

    pub(super) fn drawn(spark: Option<Spark>) -> Self {
        Self { spark, ..Self::default() }
    }

    /// Whether it shows nothing.
    pub(super) fn is_blank(&self) -> bool {
        self.text.is_empty() && self.spark.is_none()
    }

    /// What its pointer has beside that of its row.
    fn part_beside(&self, row: &str) -> Option<&str> {
        if row.is_empty() || !self.items.is_empty() {
            return None;
        }
        match row.strip_prefix('/') {
            Some(_) => self.pointer.strip_prefix(row)?.strip_prefix('/'),
            None => self.pointer.strip_suffix(row)?.strip_suffix('/'),
        }
    }

    /// Its pointer behind that of its row, where it begins with it.
    pub(super) fn pointer_in(&self, row: &str) -> &str {
        let rest = self.pointer.strip_prefix(row).and_then(|rest| rest.strip_prefix('/'));
        rest.filter(|_| !row.is_empty()).unwrap_or(&self.pointer)
    }
}

/// The cells that tell which process a row is about.
pub(super) fn process_cells(index: usize, row: &ProcessRow, services: bool) -> Vec<Cell> {
    let pointer = format!("/processes/{index}");
    let mut cells = vec![
        Cell { text: name(row), ..Cell::default() }.at(format!("{pointer}/image")),
        Cell::text(pid(row)).at(format!("{pointer}/pid")),
    ];
    if services {
        cells.push(Cell::text(row.services.join(", ")).at(format!("{pointer}/services")));
    }
    cells
}

/// The columns of [`process_cells`].
pub(super) fn process_columns(services: bool) -> Vec<Column> {
    let mut columns = vec![Column::text("Process"), Column::number("PID", "")];
    if services {
        columns.push(Column::text("Services"));
    }
    columns
}
