//! What the page asks for.

use outofports::events::{self, Filter};
use outofports::machine::ranges::PoolRange;
use outofports::report::Format;
use outofports::report::csv::Table;
use outofports::time::Zone;
use outofports::words::pseudonyms::Pseudonyms;
use serde::Deserialize;

/// A request.
#[derive(Debug, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub(crate) enum Request {
    /// The case, analyzed: what is to be known before its report is shown.
    Analyze {
        /// The dynamic port range of all pools, `START:COUNT`.
        #[serde(default)]
        pool: String,
    },
    /// A report of the case, in a format.
    Report {
        /// As above.
        #[serde(default)]
        pool: String,
        /// As the command line calls it.
        format: String,
        /// Of CSV.
        #[serde(default)]
        table: String,
        /// Zone and redaction.
        #[serde(flatten)]
        look: Look,
    },
    /// Finds the events that a filter lets through, for [`Request::Lines`].
    Events {
        /// Which.
        filter: Asked,
        /// Zone and redaction.
        #[serde(flatten)]
        look: Look,
    },
    /// Lines of the events that were found last.
    Lines {
        /// `text`, or `ndjson`.
        format: String,
        /// Number of the first.
        from: usize,
        /// How many.
        count: usize,
    },
    /// The events that were found last, all of them, in parts.
    EventFile {
        /// `text`, `ndjson` or `csv`.
        format: String,
    },
    /// What the inputs hold.
    Info {
        /// `text` or `json`.
        format: String,
        /// Columns of text.
        width: usize,
        /// Zone and redaction.
        #[serde(flatten)]
        look: Look,
    },
    /// What a code means; without one, all codes.
    Explain {
        /// The code.
        #[serde(default)]
        code: String,
    },
}

/// How something is shown.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Look {
    /// `utc`, `server`, or an offset.
    #[serde(default)]
    zone: String,
    /// Empty, `names`, or `images`.
    #[serde(default)]
    redact: String,
}

impl Look {
    /// The zone, where the server's is `server`.
    pub(crate) fn zone(&self, server: Option<Zone>) -> Result<Zone, String> {
        match self.zone.as_str() {
            "" => Ok(Zone::UTC),
            "server" => Ok(server.unwrap_or_default()),
            text => text.parse::<Zone>().map_err(|error| error.to_string()),
        }
    }

    /// The names that stand for others; `None` where nothing is to be replaced.
    pub(crate) fn pseudonyms(&self) -> Result<Option<Pseudonyms>, String> {
        match self.redact.as_str() {
            "" => Ok(None),
            "names" => Ok(Some(Pseudonyms::new(false, None))),
            "images" => Ok(Some(Pseudonyms::new(true, None))),
            other => Err(format!("{other:?} is no way to redact")),
        }
    }
}

/// A filter of events, as people write it.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Asked {
    all: bool,
    provider: String,
    id: String,
    status: String,
    pid: String,
    process: String,
    since: String,
    until: String,
}

impl Asked {
    /// As the library knows it.
    pub(crate) fn filter(&self) -> Result<Filter, String> {
        Ok(Filter {
            all: self.all,
            providers: list(&self.provider, events::parse_provider)?,
            ids: list(&self.id, |text| number(text, "an event id is a number from 0 to 65535"))?,
            statuses: list(&self.status, events::parse_status)?,
            pids: list(&self.pid, |text| number(text, "a process id is a number"))?,
            processes: list(&self.process, |text| Ok(text.to_owned()))?,
            header_pids: Vec::new(),
            since: time(&self.since)?,
            until: time(&self.until)?,
        })
    }
}

fn list<T>(text: &str, read: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, String> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(read).collect()
}

fn number<T: std::str::FromStr>(text: &str, wrong: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{text:?}: {wrong}"))
}

fn time(text: &str) -> Result<Option<outofports::time::FileTime>, String> {
    Some(text.trim()).filter(|text| !text.is_empty()).map(events::parse_time).transpose()
}

/// Reads a pool; `None` where none is given.
pub(crate) fn pool(text: &str) -> Result<Option<PoolRange>, String> {
    Some(text.trim()).filter(|text| !text.is_empty()).map(str::parse).transpose()
}

/// A format of reports by its name, and of CSV by that of a table.
pub(crate) fn format(name: &str, table: &str) -> Result<Format, String> {
    Ok(match name {
        "text" => Format::Text,
        "markdown" => Format::Markdown,
        "html" => Format::Html,
        "json" => Format::Json,
        "csv" => match table {
            "" | "processes" => Format::Csv,
            "failures" => Format::CsvTable(Table::Failures),
            "holders" => Format::CsvTable(Table::Holders),
            "images" => Format::CsvTable(Table::Images),
            "timeline" => Format::CsvTable(Table::Timeline),
            other => return Err(format!("{other:?} is no table")),
        },
        other => return Err(format!("{other:?} is no format")),
    })
}
