#![doc = include_str!("TABLES.md")]

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::cases::CASES;
use super::columns::{Column, Field, Kind, Row, columns, field, json, row};
use crate::case::SideInput;
use crate::diagnosis::advice::Recommendation;
use crate::report::{
    CaseDestination, HolderRow, ImageRow, OutageRow, PoolRow, ProcessRow, Report, StatusRow, TimelineStep,
};

/// Version of the tables. It grows when a column changes its meaning, its kind or its name, not when one is added.
pub const SCHEMA_VERSION: u32 = 1;

/// The column that joins the tables.
pub(super) const CASE_ID: Column = Column {
    name: "case_id",
    kind: Kind::Text,
    unit: "",
    meaning: "the case, unique; from its path and what it holds, so that it is the same in every run",
};

/// A table of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Table {
    /// One row for each case, whatever became of it.
    Cases,
    /// `processes[]`.
    Processes,
    /// `images[]`.
    Images,
    /// `holders[]`.
    Holders,
    /// `failures.by_status[]`.
    Failures,
    /// `outages[]`.
    Outages,
    /// `timeline[]`.
    Timeline,
    /// `destinations[]`.
    Destinations,
    /// `recommendations[]`.
    Recommendations,
    /// `side_inputs[]`.
    SideInputs,
}

impl Table {
    /// All tables.
    pub const ALL: [Self; 10] = [
        Self::Cases,
        Self::Processes,
        Self::Images,
        Self::Holders,
        Self::Failures,
        Self::Outages,
        Self::Timeline,
        Self::Destinations,
        Self::Recommendations,
        Self::SideInputs,
    ];

    /// Its name, also that of its files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cases => "cases",
            Self::Processes => "processes",
            Self::Images => "images",
            Self::Holders => "holders",
            Self::Failures => "failures",
            Self::Outages => "outages",
            Self::Timeline => "timeline",
            Self::Destinations => "destinations",
            Self::Recommendations => "recommendations",
            Self::SideInputs => "side_inputs",
        }
    }

    /// Its columns in their order, `case_id` first.
    pub fn columns(self) -> Vec<Column> {
        let others = match self {
            // Its own first column is `case_id`.
            Self::Cases => return columns(&CASES),
            Self::Processes => columns(&PROCESSES),
            Self::Images => columns(&IMAGES),
            Self::Holders => columns(&HOLDERS),
            Self::Failures => columns(&FAILURES),
            Self::Outages => columns(&OUTAGES),
            Self::Timeline => columns(&TIMELINE),
            Self::Destinations => columns(&DESTINATIONS),
            Self::Recommendations => columns(&RECOMMENDATIONS),
            Self::SideInputs => columns(&SIDE_INPUTS),
        };
        [CASE_ID].into_iter().chain(others).collect()
    }

    /// Its rows that a report holds, without `case_id`; none of [`Table::Cases`], of which more than a report is told.
    pub(super) fn rows(self, report: &Report) -> Vec<Row> {
        match self {
            Self::Cases => Vec::new(),
            Self::Processes => rows(&PROCESSES, report, &report.processes),
            Self::Images => rows(&IMAGES, report, &report.images),
            Self::Holders => rows(&HOLDERS, report, &report.holders),
            Self::Failures => rows(&FAILURES, report, &report.failures.by_status),
            Self::Outages => rows(&OUTAGES, report, &report.outages),
            Self::Timeline => rows(&TIMELINE, report, &report.timeline),
            Self::Destinations => rows(&DESTINATIONS, report, &report.destinations),
            Self::Recommendations => rows(&RECOMMENDATIONS, report, &report.recommendations),
            Self::SideInputs => rows(&SIDE_INPUTS, report, &report.side_inputs),
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn rows<R>(fields: &[Field<Report, R>], report: &Report, sources: &[R]) -> Vec<Row> {
    sources.iter().map(|source| row(fields, report, source)).collect()
}

const PORTS: &str = "ports";
const BINDS: &str = "binds";
const CONNECTS: &str = "connects";
const SHARE: &str = "fraction from 0 to 1";

const PROCESSES: [Field<Report, ProcessRow>; 10] = [
    field("pid", Kind::Integer, "", "process id; null for what belongs to nobody known", |_, row| json(&row.pid)),
    field("image", Kind::Text, "", "base name of its image", |_, row| json(&row.image)),
    field("services", Kind::Texts, "", "services in it", |_, row| json(&row.services)),
    field("bind_failures", Kind::Integer, BINDS, "failed with 0xC0000209", |_, row| json(&row.bind_failures)),
    field("connect_failures", Kind::Integer, CONNECTS, "failed with 0xC0000209", |_, row| json(&row.connect_failures)),
    field("binds_ok", Kind::Integer, BINDS, "succeeded", |_, row| json(&row.binds_ok)),
    field("ports_held_peak", Kind::Integer, PORTS, "most that it held at one time", |_, row| {
        json(&row.ports_held_peak)
    }),
    field("ports_held_end", Kind::Integer, PORTS, "that it held at the end", |_, row| json(&row.ports_held_end)),
    field("first_failure", Kind::Time, "UTC", "its first failure, bind or connect", |_, row| json(&row.first_failure)),
    field("last_failure", Kind::Time, "UTC", "its last failure", |_, row| json(&row.last_failure)),
];

const IMAGES: [Field<Report, ImageRow>; 9] = [
    field("image", Kind::Text, "", "base name of an image of which several processes hold ports", |_, row| {
        json(&row.image)
    }),
    field("processes", Kind::Integer, "processes", "that hold some; two at least", |_, row| json(&row.processes)),
    field("ports", Kind::Integer, PORTS, "that they hold together", |_, row| json(&row.ports)),
    field("share_of_pool", Kind::Real, SHARE, "the same as a part of the pool", |_, row| json(&row.share_of_pool)),
    field("pattern", Kind::Text, "", "what their use of ports looks like", |_, row| json(&row.pattern)),
    field("bind_failures", Kind::Integer, BINDS, "of all processes of the image", |_, row| json(&row.bind_failures)),
    field("protocol", Kind::Text, "", "of the pool", |report, row| {
        of_pool(report, row.pool, |pool| json(&pool.protocol))
    }),
    field("family", Kind::Text, "", "of the pool", |report, row| of_pool(report, row.pool, |pool| json(&pool.family))),
    field("services", Kind::Texts, "", "services, of svchost.exe alone", |_, row| json(&row.services)),
];

const HOLDERS: [Field<Report, HolderRow>; 10] = [
    field("pid", Kind::Integer, "", "process id", |report, row| {
        of_process(report, row.process, |process| json(&process.pid))
    }),
    field("image", Kind::Text, "", "base name of its image", |report, row| {
        of_process(report, row.process, |process| json(&process.image))
    }),
    field("protocol", Kind::Text, "", "of the pool", |report, row| {
        of_pool(report, row.pool, |pool| json(&pool.protocol))
    }),
    field("family", Kind::Text, "", "of the pool", |report, row| of_pool(report, row.pool, |pool| json(&pool.family))),
    field("ports", Kind::Integer, PORTS, "distinct ones that it holds", |_, row| json(&row.ports)),
    field("share_of_pool", Kind::Real, SHARE, "the same as a part of the pool", |_, row| json(&row.share_of_pool)),
    field("evidence", Kind::Text, "", "how it is known, from A, the best, on", |_, row| json(&row.evidence)),
    field("confidence", Kind::Text, "", "how far to trust it", |_, row| json(&row.confidence)),
    field("pattern", Kind::Text, "", "what its use of ports looks like", |_, row| json(&row.pattern)),
    field("local_address", Kind::Text, "", "of the pool, where it is that of one address", |report, row| {
        of_pool(report, row.pool, |pool| json(&pool.local_address))
    }),
];

const FAILURES: [Field<Report, StatusRow>; 4] = [
    field("operation", Kind::Text, "", "bind, connect or create", |_, row| json(&row.operation)),
    field("status", Kind::Text, "", "NTSTATUS in hexadecimal digits", |_, row| json(&row.status)),
    field("name", Kind::Text, "", "its name", |_, row| json(&row.name)),
    field("count", Kind::Integer, "completions", "that ended with it", |_, row| json(&row.count)),
];

const OUTAGES: [Field<Report, OutageRow>; 7] = [
    field("first_failure", Kind::Time, "UTC", "the first failure of an outage", |_, row| json(&row.first)),
    field("last_failure", Kind::Time, "UTC", "its last failure", |_, row| json(&row.last)),
    field("failures", Kind::Integer, "binds and connects", "that failed in it", |_, row| json(&row.failures)),
    field("protocol", Kind::Text, "", "of the pool", |report, row| {
        of_pool(report, row.pool, |pool| json(&pool.protocol))
    }),
    field("family", Kind::Text, "", "of the pool", |report, row| of_pool(report, row.pool, |pool| json(&pool.family))),
    field("lasts", Kind::Bool, "", "it goes on when the trace ends", |_, row| json(&row.lasts)),
    field("local_address", Kind::Text, "", "of the pool, where it is that of one address", |report, row| {
        of_pool(report, row.pool, |pool| json(&pool.local_address))
    }),
];

const TIMELINE: [Field<Report, TimelineStep>; 8] = [
    field("start", Kind::Time, "UTC", "the start of a step", |_, row| json(&row.start)),
    field("seconds", Kind::Integer, "seconds", "its length", |_, row| json(&row.seconds)),
    field("binds_ok", Kind::Integer, BINDS, "that succeeded in it", |_, row| json(&row.binds_ok)),
    field("bind_failures", Kind::Integer, BINDS, "that failed with 0xC0000209", |_, row| json(&row.bind_failures)),
    field("connect_failures", Kind::Integer, CONNECTS, "that failed with 0xC0000209", |_, row| {
        json(&row.connect_failures)
    }),
    field("closes", Kind::Integer, PORTS, "that came back", |_, row| json(&row.closes)),
    field("ports_held", Kind::Integer, PORTS, "held at its end, over all pools", |_, row| json(&row.ports_held)),
    field("occupied", Kind::Integer, PORTS, "that the pool of the case had given out at its end", |_, row| {
        json(&row.occupied)
    }),
];

const DESTINATIONS: [Field<Report, CaseDestination>; 5] = [
    field("remote", Kind::Text, "", "remote address", |_, row| json(&row.remote)),
    field("port", Kind::Integer, "", "remote port", |_, row| json(&row.port)),
    field("state", Kind::Text, "", "state of the sockets, as listed", |_, row| json(&row.state)),
    field("sockets", Kind::Integer, "sockets", "that listings show", |_, row| json(&row.sockets)),
    field("connects", Kind::Integer, CONNECTS, "that traces show", |_, row| json(&row.connects)),
];

const RECOMMENDATIONS: [Field<Report, Recommendation>; 5] = [
    field("code", Kind::Text, "", "which; `outofports explain CODE` says more", |_, row| json(&row.code)),
    field("text", Kind::Text, "", "for people", |_, row| json(&row.text)),
    field("commands", Kind::Texts, "", "to paste, in their order", |_, row| json(&row.commands)),
    field("changes_state", Kind::Bool, "", "whether they change the server", |_, row| json(&row.changes_state)),
    field("undo", Kind::Text, "", "how to take it back", |_, row| json(&row.undo)),
];

const SIDE_INPUTS: [Field<Report, SideInput>; 7] = [
    field("path", Kind::Text, "", "path, for a member of an archive behind that of the archive", |_, row| {
        json(&row.path)
    }),
    field("kind", Kind::Text, "", "what it is", |_, row| json(&row.kind)),
    field("used", Kind::Bool, "", "whether it could be read", |_, row| json(&row.used)),
    field("rows", Kind::Integer, "rows", "that were understood", |_, row| json(&row.rows)),
    field("rows_not_understood", Kind::Integer, "lines", "that were not", |_, row| json(&row.rows_not_understood)),
    field("encoding", Kind::Text, "", "of its text", |_, row| json(&row.encoding)),
    field("note", Kind::Text, "", "why it was not used, or what is to be known about it", |_, row| json(&row.note)),
];

fn of_pool(report: &Report, pool: usize, value: impl Fn(&PoolRow) -> Value) -> Value {
    report.pools.get(pool).map_or(Value::Null, value)
}

fn of_process(report: &Report, process: usize, value: impl Fn(&ProcessRow) -> Value) -> Value {
    report.processes.get(process).map_or(Value::Null, value)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const DOCUMENT: &str = include_str!("TABLES.md");

    /// A table as the document has it.
    fn documented(table: Table) -> String {
        let mut text = format!("## {table}\n\n| column | kind | unit | meaning |\n| --- | --- | --- | --- |\n");
        for Column { name, kind, unit, meaning } in table.columns() {
            text.push_str(&format!("| `{name}` | {} | {unit} | {meaning} |\n", kind.name()));
        }
        text
    }

    #[test]
    fn the_document_has_each_column() {
        let missing: Vec<String> =
            Table::ALL.into_iter().map(documented).filter(|text| !DOCUMENT.contains(text.as_str())).collect();
        assert!(missing.is_empty(), "TABLES.md lacks:\n\n{}", missing.join("\n"));
        let titles = DOCUMENT.lines().filter_map(|line| line.strip_prefix("## "));
        let tables = titles.filter(|title| Table::ALL.iter().any(|table| table.as_str() == *title));
        assert_eq!(tables.count(), Table::ALL.len());
        assert!(DOCUMENT.contains(&format!("`schema_version` {SCHEMA_VERSION}")));
    }

    #[test]
    fn tables_join_and_name_a_column_once() {
        for table in Table::ALL {
            let columns = table.columns();
            assert_eq!(columns.first(), Some(&CASE_ID), "{table}");
            let names: BTreeSet<&str> = columns.iter().map(|column| column.name).collect();
            assert_eq!(names.len(), columns.len(), "{table}");
        }
    }

    /// Columns that queries of others rely on.
    #[test]
    fn fixed_columns_are_there() {
        let fixed = [
            (
                Table::Cases,
                "case_id content_id path customer host status reason state confidence os_build started ended bind_failures \
                 connect_failures first_failure last_failure seconds tool_version duplicate_of",
            ),
            (
                Table::Processes,
                "case_id pid image services bind_failures connect_failures binds_ok ports_held_peak ports_held_end \
                 first_failure last_failure",
            ),
            (Table::Holders, "case_id pid image protocol family ports share_of_pool evidence confidence pattern"),
            (Table::Images, "case_id image processes ports share_of_pool pattern bind_failures"),
            (Table::Outages, "case_id first_failure last_failure failures protocol family"),
        ];
        for (table, fixed) in fixed {
            let names: Vec<&str> = table.columns().iter().map(|column| column.name).collect();
            let fixed: Vec<&str> = fixed.split_whitespace().collect();
            assert_eq!(names.get(..fixed.len()), Some(fixed.as_slice()), "{table}");
        }
    }
}
