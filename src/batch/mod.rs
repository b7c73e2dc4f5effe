//! Many cases: one row for each, never stopped by a bad one, resumable after any end.
//!
//! ```no_run
//! use outofports::batch::{self, NoWatcher, Settings};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut settings = Settings::new(["share/cases"], "results");
//! settings.resume = true;
//! let batch = batch::run(&settings, &mut NoWatcher)?;
//! println!("{} cases, {} without a report", batch.cases, batch.without_report());
//! # Ok(())
//! # }
//! ```
//!
//! `places` finds the cases. `crew` has them read by workers, each a process of its own (`worker`) or a thread; `read` does so for
//! one, as [`analyze`](crate::analyze()) would. What becomes of a case is a line of the `journal`; from these lines `written`
//! makes the tables, which [`tables`] describes.

#[cfg(feature = "parquet")]
pub mod arrow;
mod cases;
mod child;
mod columns;
mod crew;
mod digest;
mod entry;
mod journal;
mod limit;
mod list;
mod ndjson;
mod one;
#[cfg(feature = "parquet")]
mod parquet;
mod pattern;
mod places;
mod read;
mod results;
mod settings;
mod summary;
pub mod tables;
mod worker;
mod written;

use std::collections::VecDeque;
use std::fmt;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

pub use self::cases::Status;
pub use self::columns::{Column, Kind, Row};
pub use self::limit::{IS_HELD, LEAST_BYTES};
pub use self::one::read_case;
pub use self::pattern::{NamePattern, Names};
pub use self::settings::{CasesBy, ChangedSince, Limits, Redaction, Settings, Shard, TableFormat, Workers};
pub use self::summary::Summary;
pub use self::worker::serve;

use self::crew::{Crew, Outcome};
use self::digest::Ids;
use self::entry::{Head, How, Task};
use self::journal::{Journal, Position};
use self::places::Place;
use self::results::{Done, Results};
use self::summary::Counting;
use self::written::{Layout, Writing};
use crate::case::label;
use crate::output::Unfinished;
use crate::progress::NoProgress;
use crate::time::{FileTime, from_timestamp};
use crate::words::pseudonyms::Pseudonyms;
use crate::words::system_message;

/// Told how far a batch has come; answers whether it is to end early.
pub trait Watcher {
    /// So many cases, of so many bytes, are to be read or looked at again.
    fn expect(&mut self, cases: usize, bytes: u64) {
        let _ = (cases, bytes);
    }

    /// A case of so many bytes is done.
    fn done(&mut self, status: Status, bytes: u64) {
        let _ = (status, bytes);
    }

    /// Time went by, some times each second.
    fn tick(&mut self) {}

    /// Whether the batch is to end early. What was done until then is kept for a later run.
    fn should_stop(&self) -> bool {
        false
    }
}

/// Shows nothing, stops nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoWatcher;

impl Watcher for NoWatcher {}

/// What became of a batch.
#[derive(Debug)]
#[non_exhaustive]
pub struct Batch {
    /// Cases, duplicates among them.
    pub cases: usize,
    /// Cases of each status.
    pub by_status: Vec<(Status, usize)>,
    /// Cases that hold the same as an earlier one.
    pub duplicates: usize,
    /// Cases whose earlier result was kept.
    pub kept: usize,
    /// What is to be known about the inputs, a sentence each.
    pub remarks: Vec<String>,
    /// What a manager reads.
    pub summary: Summary,
}

impl Batch {
    /// Cases without a report.
    pub fn without_report(&self) -> usize {
        self.by_status.iter().filter(|(status, _)| !status.has_report()).map(|(_, cases)| cases).sum()
    }
}

/// Why a batch has no result.
#[derive(Debug)]
#[non_exhaustive]
pub enum BatchError {
    /// What it is asked to do makes no sense.
    Usage(String),
    /// A file of the results cannot be written.
    Output(PathBuf, io::Error),
    /// No worker can be started, or it says what none does.
    Worker(io::Error),
    /// [`Watcher::should_stop`] said so.
    Stopped,
}

impl fmt::Display for BatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(message) => f.write_str(message),
            Self::Output(path, error) => write!(f, "{}: cannot be written: {}", label(path), system_message(error)),
            Self::Worker(error) => write!(f, "a worker cannot be started: {}", system_message(error)),
            Self::Stopped => f.write_str("stopped before the end; --resume goes on from here"),
        }
    }
}

impl std::error::Error for BatchError {}

/// Reads all cases, and writes tables, states and summary.
///
/// # Errors
///
/// [`BatchError`]. A bad case is none.
pub fn run(settings: &Settings, watcher: &mut dyn Watcher) -> Result<Batch, BatchError> {
    run_with(settings, &Unfinished::default(), watcher)
}

/// As [`run`]; `unfinished` has the files that are being written, for a program that is interrupted.
///
/// # Errors
///
/// As [`run`].
pub fn run_with(settings: &Settings, unfinished: &Unfinished, watcher: &mut dyn Watcher) -> Result<Batch, BatchError> {
    settings.check()?;
    let layout = Layout::new(&settings.out, settings.shard);
    let state = layout.state_folder();
    fs::create_dir_all(&state).map_err(|error| BatchError::Output(state, error))?;
    // Held to the end.
    let _lock = lock(&layout.lock())?;
    layout.sweep();
    let began = from_timestamp(jiff::Timestamp::now()).unwrap_or(FileTime(0));
    let mut places = places::find(settings, &NoProgress)?;
    let ids = Ids::new(settings.redaction.as_ref().map(|redaction| redaction.key.as_slice()));
    if let Some(shard) = settings.shard {
        places.cases.retain(|place| shard.has(&place.relative));
    }
    let journal_path = layout.journal();
    let failed = |error| BatchError::Output(journal_path.clone(), error);
    let (journal, earlier) = Journal::open(&journal_path, settings.resume).map_err(failed)?;
    let how = How::new(settings.threads_of_case(), settings.redaction.as_ref());
    let options = how.options(&ids);
    let mut run = Run {
        settings,
        ids,
        options,
        journal,
        results: Vec::new(),
        kept: 0,
        cut_off: earlier.cut_off(settings.changed),
    };
    run.journal.begin(began).map_err(failed)?;
    let tasks = run.plan(places.cases, earlier.cases)?;
    watcher.expect(tasks.len(), tasks.iter().map(|task| task.bytes).sum());
    let crew = Crew {
        workers: &settings.workers,
        how,
        options: run.options.clone(),
        jobs: settings.jobs(),
        limits: settings.limits,
    };
    crew.read_all(tasks, watcher, &mut |number, outcome, watcher| run.take(number, outcome, watcher))?;
    run.finish(&layout, unfinished, began, places.remarks)
}

/// A run of a batch.
struct Run<'s> {
    settings: &'s Settings,
    ids: Ids,
    options: String,
    journal: Journal,
    results: Vec<(Place, Option<(Head, Position)>)>,
    /// Cases whose earlier result was kept.
    kept: usize,
    /// Cases that were not changed since are not looked at.
    cut_off: Option<FileTime>,
}

impl Run<'_> {
    /// What is to be read: the largest first, so that none is left over at the end.
    fn plan(
        &mut self,
        places: Vec<Place>,
        mut earlier: std::collections::HashMap<String, (Head, Position)>,
    ) -> Result<VecDeque<Task>, BatchError> {
        let mut tasks = Vec::new();
        for place in places {
            let id = self.ids.of_path("place", place.path.as_os_str());
            let known = earlier.remove(&id).filter(|(head, _)| head.stands(&self.options, self.settings.limits));
            let is_old = self.cut_off.zip(place.changed).is_some_and(|(cut_off, changed)| changed < cut_off);
            if is_old {
                // Its result stays, where it has one.
                if known.is_some() {
                    self.results.push((place, known));
                    self.kept += 1;
                }
                continue;
            }
            let task = Task {
                number: self.results.len(),
                path: place.path.clone().into_os_string(),
                place: id,
                known: known.as_ref().and_then(|(head, _)| Some(head.fingerprint.as_ref()?.hash.clone())),
                bytes: place.bytes,
            };
            let unreadable = place.unreadable.clone();
            self.results.push((place, known));
            match unreadable {
                Some(why) => self.note(task.number, crew::unreadable(&task, &self.options, &why))?,
                None => tasks.push(task),
            }
        }
        tasks.sort_by_key(|task| std::cmp::Reverse(task.bytes));
        Ok(tasks.into())
    }

    fn take(&mut self, number: usize, outcome: Outcome, watcher: &mut dyn Watcher) -> Result<(), BatchError> {
        self.note(number, outcome)?;
        if let Some((place, Some((head, _)))) = self.results.get(number) {
            watcher.done(head.status, place.bytes);
        }
        Ok(())
    }

    fn note(&mut self, number: usize, outcome: Outcome) -> Result<(), BatchError> {
        match outcome {
            Outcome::Unchanged => self.kept += 1,
            Outcome::Read(head, line) => {
                let position = self.journal.add(&line);
                let position = position.map_err(|error| BatchError::Output(self.journal.path().to_owned(), error))?;
                if let Some((_, result)) = self.results.get_mut(number) {
                    *result = Some((*head, position));
                }
            }
            // All are tried again before they come here.
            Outcome::Again(_) => {}
        }
        Ok(())
    }

    fn finish(
        self,
        layout: &Layout,
        unfinished: &Unfinished,
        began: FileTime,
        remarks: Vec<String>,
    ) -> Result<Batch, BatchError> {
        let Self { settings, ids, mut journal, results, kept, .. } = self;
        let done = results.into_iter().filter_map(|(place, result)| {
            let (head, position) = result?;
            Some(Done { place, head, position })
        });
        let names = settings.redaction.as_ref().map(|how| Pseudonyms::new(how.replaces_images, Some(&how.key)));
        let mut results = Results::new(done.collect(), &ids, settings.name_from.as_ref(), names);
        let counting = Counting::new(settings.shard, settings.redaction.is_some(), &remarks);
        let writing = Writing { layout, formats: &settings.formats, unfinished };
        let failed = |error| BatchError::Output(settings.out.clone(), error);
        let summary = writing.write(&mut results, &mut journal, counting).map_err(failed)?;
        journal.end(began).map_err(failed)?;
        let count = |status| results.done.iter().filter(|done| done.head.status == status).count();
        Ok(Batch {
            cases: results.len(),
            by_status: Status::ALL.into_iter().map(|status| (status, count(status))).collect(),
            duplicates: results.duplicates(),
            kept,
            remarks,
            summary,
        })
    }
}

/// Keeps a second run out of the results.
fn lock(path: &Path) -> Result<File, BatchError> {
    let failed = |error| BatchError::Output(path.to_owned(), error);
    let file = File::options().create(true).write(true).truncate(false).open(path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(BatchError::Usage(format!(
            "{}: another run writes there: wait for its end, or name another --out",
            label(path)
        ))),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}
