//! The manifest of an archive that `collect` wrote: by what, when, what is in it, and what could not be had.

use serde::{Deserialize, Serialize};

use crate::event::base_name;
use crate::side::Kind;
use crate::time::FileTime;
use crate::words::shown;

/// Its name in the archive.
pub const NAME: &str = "collected.json";

/// The form that is described here.
const VERSION: u32 = 1;

/// A larger file is none.
pub(super) const MAX_BYTES: u64 = 1 << 20;

/// Notes that are taken from one, and characters of each: a report is not longer for what an archive claims.
const MAX_NOTES: usize = 32;
const MAX_CHARACTERS: usize = 300;

/// What was collected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// 1.
    pub manifest_version: u32,
    /// What wrote it.
    pub tool: Tool,
    /// Build number of Windows.
    pub os_build: Option<u32>,
    /// Processors.
    pub processors: Option<u32>,
    /// When collecting began, RFC 3339 in UTC, as all times here.
    pub began: String,
    /// When the first bind or connect failed for want of a port, where somebody waited for it.
    pub first_failure: Option<String>,
    /// What ended the trace: `time`, `failure`, `interrupt`, `disk` or `session`.
    pub ended_by: String,
    /// When the archive was packed.
    pub packed: String,
    /// The files beside it, in the order in which they were asked for.
    pub files: Vec<CollectedFile>,
    /// What could not be had.
    pub failed: Vec<NotCollected>,
    /// What is to be known.
    pub notes: Vec<String>,
}

/// What wrote a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tool {
    /// `outofports`.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// A file of the archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CollectedFile {
    /// Its name.
    pub name: String,
    /// The command whose output it is; `None` for the trace.
    pub command: Option<String>,
    /// When it was asked for.
    pub asked: String,
    /// How long that took, in milliseconds.
    pub milliseconds: u64,
    /// Its size.
    pub bytes: u64,
}

/// What could not be had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotCollected {
    /// The file.
    pub name: String,
    /// When it was asked for.
    pub asked: String,
    /// Why not, for people.
    pub why: String,
}

/// A time as manifests have it; empty where it is no date.
pub fn told(time: FileTime) -> String {
    time.to_rfc3339().unwrap_or_default()
}

impl Manifest {
    /// Of this program, with nothing collected yet.
    pub fn new(began: FileTime) -> Self {
        Self {
            manifest_version: VERSION,
            tool: Tool { name: "outofports".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() },
            os_build: None,
            processors: None,
            began: told(began),
            first_failure: None,
            ended_by: String::new(),
            packed: String::new(),
            files: Vec::new(),
            failed: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Reads one; `None` where the bytes are no manifest of this program.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let manifest: Self = serde_json::from_slice(bytes).ok()?;
        (manifest.tool.name == "outofports" && manifest.manifest_version == VERSION).then_some(manifest)
    }

    /// What a report says of it: what is missing, and in quotation marks the words of the manifest, which are somebody else's.
    pub(super) fn for_report(&self, path: &str) -> Vec<String> {
        let cut = |text: &str| shown(text).chars().take(MAX_CHARACTERS).collect::<String>().replace(['“', '”'], "\"");
        let what = |name: &str| match Kind::promised_by(name) {
            Some(kind) => kind.name(),
            None if name.ends_with(".etl") => "trace",
            None => "a file",
        };
        let failed = self.failed.iter().map(|row| {
            let (what, text) = (what(&row.name), cut(&format!("{}: {}", base_name(&row.name), row.why)));
            format!("{path}: not collected: {what}: “{text}”")
        });
        let notes = self.notes.iter().map(|note| format!("{path}: “{}”", cut(note)));
        failed.chain(notes).take(MAX_NOTES).collect()
    }
}

/// Whether a file is called as manifests are.
pub(super) fn is_called_so(path: &str) -> bool {
    base_name(path) == NAME
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_others_are_not() {
        let mut manifest = Manifest::new(FileTime(134_000_000_000_000_000));
        let why = format!("it says “{}”\n\u{1b}[31m", "x".repeat(1000));
        manifest.failed.push(NotCollected { name: r"..\netstat.txt".to_owned(), asked: String::new(), why });
        manifest.notes = vec!["a note".to_owned(); 100];
        let read = |manifest: &Manifest| Manifest::read(&serde_json::to_vec(manifest).unwrap());
        assert_eq!(read(&manifest).as_ref(), Some(&manifest));
        let told = manifest.for_report("case.zip/collected.json");
        assert_eq!(told.len(), MAX_NOTES);
        let start = "case.zip/collected.json: not collected: netstat: “netstat.txt: it says \"xxx";
        assert!(told[0].starts_with(start), "{}", told[0]);
        assert!(told[0].chars().count() < 400 && told[0].ends_with('”') && !told[0].contains('\n'));
        assert_eq!(told[1], "case.zip/collected.json: “a note”");
        assert_eq!(read(&Manifest { manifest_version: 2, ..manifest.clone() }), None);
        let tool = Tool { name: "other".to_owned(), version: String::new() };
        assert_eq!(read(&Manifest { tool, ..manifest }), None);
        assert_eq!(Manifest::read(b"{}"), None);
        assert_eq!(Manifest::read(b""), None);
    }
}
