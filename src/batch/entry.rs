//! What is known of a case once it has been read: a line of the journal, and what workers and their master tell each other.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::cases::{CaseFacts, Status};
use super::columns::Row;
use super::digest::{Fingerprint, Ids};
use super::settings::{Limits, Redaction};
use super::tables::{SCHEMA_VERSION, Table};

/// A case to be read.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Task {
    /// Its number among the cases of the run.
    pub(super) number: usize,
    /// Where it is.
    pub(super) path: OsString,
    /// What stands for its path in the journal.
    pub(super) place: String,
    /// The hash of its fingerprint when it was read before: the same again needs no reading.
    pub(super) known: Option<String>,
    /// Size of its files in bytes.
    pub(super) bytes: u64,
}

/// How cases are read: the first line that a worker is told.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct How {
    /// The version of the program, which must be the worker's.
    pub(super) version: String,
    /// Threads of one case.
    pub(super) threads: usize,
    /// Memory of the worker in bytes.
    pub(super) memory_bytes: Option<u64>,
    /// Key, and whether images are replaced.
    pub(super) redaction: Option<(Vec<u8>, bool)>,
}

impl How {
    pub(super) fn new(threads: usize, redaction: Option<&Redaction>) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            threads,
            memory_bytes: None,
            redaction: redaction.map(|redaction| (redaction.key.clone(), redaction.replaces_images)),
        }
    }

    /// What stands for all that a result depends on beside the files of its case.
    pub(super) fn options(&self, ids: &Ids) -> String {
        let images = self.redaction.as_ref().map(|(_, images)| u8::from(*images));
        let redaction: &[u8] = &images.map_or(vec![], |images| vec![images]);
        ids.of("options", &[self.version.as_bytes(), &SCHEMA_VERSION.to_le_bytes(), redaction])
    }
}

/// What a worker tells of a case.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Reply {
    /// Its files are hashed; more follows.
    Hashed(Fingerprint),
    /// They are as they were when it was read before.
    Unchanged,
    /// It is read.
    Done(Box<Entry>),
}

/// The same, without what is only written down.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ReplyHead {
    Hashed(Fingerprint),
    Unchanged,
    Done(HeadOnly),
}

/// The head of an entry.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct HeadOnly {
    pub(super) head: Head,
}

/// What became of a case.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Head {
    /// [`Task::place`].
    pub(super) place: String,
    /// What the result depends on beside the files.
    pub(super) options: String,
    /// What the case holds; `None` where that is not known.
    pub(super) fingerprint: Option<Fingerprint>,
    pub(super) status: Status,
    /// Why there is no report, or its notes.
    pub(super) reason: Option<String>,
    pub(super) content_id: Option<String>,
    /// The machine, where its files name one; replaced where names are.
    pub(super) host: Option<String>,
    /// What the case was allowed, where it was cut off.
    pub(super) limits: Option<Allowed>,
    /// How long it took, in seconds.
    pub(super) wall_seconds: f64,
}

/// What a case was allowed that was cut off.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Allowed {
    seconds: f64,
    memory_bytes: Option<u64>,
}

impl From<Limits> for Allowed {
    fn from(limits: Limits) -> Self {
        Self { seconds: limits.timeout.as_secs_f64(), memory_bytes: limits.memory_bytes }
    }
}

impl Head {
    /// That of a case of which no more is known.
    pub(super) fn new(place: &str, options: &str, status: Status, reason: Option<String>) -> Self {
        Self {
            place: place.to_owned(),
            options: options.to_owned(),
            fingerprint: None,
            status,
            reason,
            content_id: None,
            host: None,
            limits: None,
            wall_seconds: 0.0,
        }
    }

    /// Whether reading the same files again would give the same, with these options and limits.
    pub(super) fn stands(&self, options: &str, limits: Limits) -> bool {
        let is_whole = self.fingerprint.as_ref().is_some_and(|fingerprint| fingerprint.unreadable.is_none());
        let is_enough = |allowed: &Allowed| match self.status {
            Status::Timeout => limits.timeout <= Duration::try_from_secs_f64(allowed.seconds).unwrap_or_default(),
            Status::TooLarge => limits.memory_bytes.is_some_and(|bytes| Some(bytes) <= allowed.memory_bytes),
            _ => true,
        };
        self.options == options
            && is_whole
            && self.status != Status::Failed
            && self.limits.as_ref().is_none_or(is_enough)
    }
}

/// A case that was read.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) head: Head,
    pub(super) facts: Option<CaseFacts>,
    /// Rows of all tables but that of the cases, without `case_id`.
    pub(super) tables: BTreeMap<Table, Vec<Row>>,
}

impl Entry {
    /// A case without a report.
    pub(super) fn without_report(head: Head) -> Self {
        Self { head, facts: None, tables: BTreeMap::new() }
    }
}
