//! Reads one case: its files are hashed, opened and analyzed, and the report becomes rows.

use std::io;
use std::path::Path;
use std::time::Instant;

use super::cases::{CaseFacts, Status};
use super::digest::{self, Ids};
use super::entry::{Entry, Head, How, Reply, Task};
use super::tables::Table;
use crate::analyze::{Analyzed, Options, analyze_contents};
use crate::case::{Case, Contents, Error, Reason};
use crate::pipeline::Threads;
use crate::progress::Progress;
use crate::words::pseudonyms::Pseudonyms;
use crate::words::system_message;

/// Reads a case, and tells what it finds as it goes; the last that is told is [`Reply::Unchanged`] or [`Reply::Done`].
///
/// # Errors
///
/// Those of `tell`, and `OutOfMemory`: what could be read of the case without the rest is no result.
pub(super) fn read(
    task: &Task,
    how: &How,
    progress: &dyn Progress,
    mut tell: impl FnMut(Reply) -> io::Result<()>,
) -> io::Result<()> {
    let started = Instant::now();
    let ids = Ids::new(how.redaction.as_ref().map(|(key, _)| key.as_slice()));
    let head = |status, reason| Head::new(&task.place, &how.options(&ids), status, reason);
    let path = Path::new(&task.path);
    let files = match digest::files(path, progress) {
        Ok(files) => files,
        Err(error) => {
            let head = head(Status::Failed, Some(system_message(&error)));
            return tell(Reply::Done(Box::new(Entry::without_report(head))));
        }
    };
    if task.known.as_ref() == Some(&files.fingerprint.hash) {
        return tell(Reply::Unchanged);
    }
    tell(Reply::Hashed(files.fingerprint.clone()))?;
    let mut entry = Entry::without_report(head(Status::Failed, None));
    analyze_case(&mut entry, path, &files, how, progress)?;
    entry.head.fingerprint = Some(files.fingerprint);
    entry.head.wall_seconds = started.elapsed().as_secs_f64();
    tell(Reply::Done(Box::new(entry)))
}

/// Fills an entry with what the analysis says.
fn analyze_case(
    entry: &mut Entry,
    path: &Path,
    files: &digest::Files,
    how: &How,
    progress: &dyn Progress,
) -> io::Result<()> {
    let case = Case::default().with_path(path).with_side_hash(digest::hash);
    let options = Options { threads: how.threads, ..Options::default() };
    let mut names = how.redaction.as_ref().map(|(key, images)| Pseudonyms::new(*images, Some(key)));
    let contents = match Contents::open(&case, progress) {
        Ok(contents) => contents,
        Err(stopped) => {
            entry.fail(&stopped.into(), files, &[], names.as_mut());
            return Ok(());
        }
    };
    if contents.lacks_memory {
        return Err(io::ErrorKind::OutOfMemory.into());
    }
    entry.head.content_id = digest::content_id(&contents, files);
    entry.head.host = contents.side.host().map(|host| match &mut names {
        Some(names) => names.host(host),
        None => host.to_owned(),
    });
    let analyzed = Threads::start(options.threads).map_err(Error::from).and_then(|threads| {
        let analyzed = threads.run(|| analyze_contents(&contents, &options, progress));
        threads.run(|| contents.unmap());
        analyzed
    });
    match analyzed {
        Ok(analyzed) => entry.fill(analyzed, names.as_mut()),
        // Their stacks are memory too.
        Err(Error::Threads(_)) if how.memory_bytes.is_some() => return Err(io::ErrorKind::OutOfMemory.into()),
        Err(error) => entry.fail(&error, files, &contents.names(), names.as_mut()),
    }
    Ok(())
}

impl Entry {
    fn fill(&mut self, mut analyzed: Analyzed, names: Option<&mut Pseudonyms>) {
        let is_plain = analyzed.is_complete && analyzed.report.coverage.notes.is_empty();
        let notes = analyzed.report.coverage.notes.len();
        if let Some(names) = names {
            analyzed.report.redact(names, &analyzed.names);
        }
        // What was replaced is no note of the case.
        let notes: Vec<&str> = analyzed.report.coverage.notes.iter().take(notes).map(String::as_str).collect();
        self.head.status = if is_plain { Status::Ok } else { Status::Notes };
        self.head.reason = (!notes.is_empty()).then(|| notes.join("; "));
        self.facts = Some(CaseFacts::of(&analyzed.report));
        self.tables = Table::ALL
            .into_iter()
            .map(|table| (table, table.rows(&analyzed.report)))
            .filter(|(_, rows)| !rows.is_empty())
            .collect();
    }

    fn fail(&mut self, error: &Error, files: &digest::Files, paths: &[String], names: Option<&mut Pseudonyms>) {
        let is_unreadable = files.fingerprint.unreadable.is_some();
        let reason = match error {
            Error::NothingToRead { .. } if is_unreadable => files.fingerprint.unreadable.clone().unwrap_or_default(),
            // The path of the case stands beside it.
            Error::NothingToRead { unusable, notes } => {
                let why = unusable.iter().map(|not_used| not_used.reason.to_string());
                why.chain(notes.iter().cloned()).collect::<Vec<_>>().join("; ")
            }
            error => error.to_string(),
        };
        self.head.status = match error {
            Error::NothingToRead { unusable, .. } => {
                let is_system = unusable.iter().any(|not_used| matches!(not_used.reason, Reason::System(_)));
                if is_system || is_unreadable { Status::Failed } else { Status::Unusable }
            }
            Error::Stopped => Status::Timeout,
            Error::Threads(_) => Status::Failed,
        };
        self.head.reason = Some(match names {
            Some(names) => {
                paths.iter().for_each(|path| drop(names.path(path)));
                names.sentence(&reason)
            }
            None => reason,
        });
    }
}
