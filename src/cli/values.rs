//! What options take: formats, tables, zones, ranges, and how they are read.

use std::path::Path;

use clap::ValueEnum;

use crate::batch;
use crate::machine::ranges::PoolRange;
use crate::report::csv::Table;
use crate::time::{NotAZone, Zone};

/// Formats of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// For people
    Text,
    /// For tickets: verdict, tables and next steps, the rest folded
    Markdown,
    /// For a browser: one file with pictures, which works from disk and asks no network
    Html,
    /// One document, described in SCHEMA.md
    Json,
    /// A table for spreadsheets, see --table; a file begins with a byte order mark, which Excel needs, standard output does not
    Csv,
}

/// Tables of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CsvTable {
    /// One row for each process
    Processes,
    /// One row for each status that binds, connects or creates failed with
    Failures,
    /// One row for each process that holds ports of a pool
    Holders,
    /// One row for each image whose processes hold ports together
    Images,
    /// One row for each step of time, 60 at most
    Timeline,
}

impl CsvTable {
    /// As reports know it.
    pub fn of_report(self) -> Table {
        match self {
            Self::Processes => Table::Processes,
            Self::Failures => Table::Failures,
            Self::Holders => Table::Holders,
            Self::Images => Table::Images,
            Self::Timeline => Table::Timeline,
        }
    }
}

impl ReportFormat {
    /// The format that the ending of a file's name asks for; `None` where it is no format's.
    pub fn by_ending(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "txt" => Some(Self::Text),
            "md" | "markdown" => Some(Self::Markdown),
            "html" | "htm" => Some(Self::Html),
            "json" => Some(Self::Json),
            "csv" => Some(Self::Csv),
            _ => None,
        }
    }
}

/// Formats of `events`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EventFormat {
    /// For people
    Text,
    /// One JSON object per line
    Ndjson,
    /// For spreadsheets
    Csv,
}

/// Tools that events are written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EventProfile {
    /// Timesketch: flat, with message, datetime and timestamp_desc
    Timesketch,
    /// Elastic Common Schema
    Ecs,
}

/// How entries get into the Application log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EventLog {
    /// As they are; without a registered source, the viewer adds that it knows no description
    Write,
    /// Under a source that is registered first, if it is not yet
    Register,
}

/// Formats of `info`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum InfoFormat {
    /// For people
    Text,
    /// For programs
    Json,
}

/// Formats of `explain`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExplainFormat {
    /// For people
    Text,
    /// For tickets and pages
    Markdown,
    /// For programs: an array of objects
    Json,
}

/// Which files of a folder belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CasesBy {
    /// A folder with files, and everything below it
    Folder,
    /// Each trace and each archive
    File,
}

impl CasesBy {
    /// As a batch knows it.
    pub fn of_batch(self) -> batch::CasesBy {
        match self {
            Self::Folder => batch::CasesBy::Folder,
            Self::File => batch::CasesBy::File,
        }
    }
}

/// Forms of the tables of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TableFormat {
    /// Columns, in a folder for each month: DuckDB, Spark, DataFusion, Kusto
    Parquet,
    /// One JSON object per line: Kusto, Elastic
    Ndjson,
}

impl TableFormat {
    /// As a batch knows it; `None` where the program was built without it.
    pub fn of_batch(self) -> Option<batch::TableFormat> {
        match self {
            #[cfg(feature = "parquet")]
            Self::Parquet => Some(batch::TableFormat::Parquet),
            #[cfg(not(feature = "parquet"))]
            Self::Parquet => None,
            Self::Ndjson => Some(batch::TableFormat::Ndjson),
        }
    }
}

/// When to color.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The zone of times for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeZone {
    /// The server's, as its trace says.
    Server,
    /// That of the computer that runs the program.
    Local,
    /// This one.
    Fixed(Zone),
}

/// Reads `server`, `utc`, `local`, or `+HH:MM`.
pub(super) fn parse_zone(text: &str) -> Result<TimeZone, String> {
    match text.to_ascii_lowercase().as_str() {
        "server" => Ok(TimeZone::Server),
        "local" => Ok(TimeZone::Local),
        _ => {
            let zone = text.parse().map(TimeZone::Fixed);
            zone.map_err(|NotAZone| "expected server, utc, local, or an offset such as +01:00".to_owned())
        }
    }
}

/// Reads `START:COUNT`.
pub(super) fn parse_pool(text: &str) -> Result<PoolRange, String> {
    text.parse()
}

/// Reads `512MiB`, `4GiB`, `4G`; a number alone is bytes.
pub(super) fn parse_bytes(text: &str) -> Result<u64, String> {
    let wrong = || "expected a size, as 512MiB or 4GiB".to_owned();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits).ok_or_else(wrong)?;
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let shift = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        "t" | "tb" | "tib" => 40,
        _ => return Err(wrong()),
    };
    number.checked_mul(1 << shift).filter(|bytes| *bytes > 0).ok_or_else(wrong)
}
