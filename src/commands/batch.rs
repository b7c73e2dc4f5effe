//! `batch`, and the workers that it starts.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::time::Instant;

use super::{Failure, Outcome, redaction};
use crate::batch::{self, Batch, BatchError, ChangedSince, Limits, Settings, Workers};
use crate::cli::{self, Redact};
use crate::output::Unfinished;
use crate::terminal::{self, BatchBar};
use crate::words::{counted, grouped};

/// The only argument of a worker. No option of the program: people have no use for it.
pub const WORKER: &str = "--batch-worker";

const WITHOUT_PARQUET: &str = "--format parquet: this program was built without it: take --format ndjson, or build it with \
                               `cargo install --path . --features parquet`";

/// Bytes of the key that is drawn where none is given.
const KEY_BYTES: usize = 32;

pub(super) fn batch(options: &cli::Batch) -> Result<Outcome, Failure> {
    let started = Instant::now();
    let settings = settings(options)?;
    let unfinished = Unfinished::default();
    terminal::remove_on_interrupt(&unfinished);
    let mut bar = BatchBar::new(options.quiet || options.no_progress);
    let batch = batch::run_with(&settings, &unfinished, &mut bar);
    bar.finish();
    let batch = batch?;
    let mut stdout = io::stdout().lock();
    let text = batch.summary.text(terminal::columns());
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(Failure::stdout)?;
    if !options.quiet {
        let _ = writeln!(io::stderr(), "outofports: {}", account(&batch, started));
    }
    Ok(match batch.without_report() {
        without if without == batch.cases => Outcome::Nothing,
        0 => Outcome::Complete,
        _ => Outcome::Incomplete,
    })
}

/// A worker of a batch. It ends with its master, and not by itself: Ctrl-C is told to both.
///
/// # Errors
///
/// Those of [`batch::serve`].
pub fn worker() -> Result<Outcome, Failure> {
    let _ = ctrlc::try_set_handler(|| {});
    match batch::serve() {
        Ok(()) => Ok(Outcome::Complete),
        Err(error) => Err(Failure::Batch(BatchError::Worker(error))),
    }
}

fn settings(options: &cli::Batch) -> Result<Settings, Failure> {
    let mut settings = Settings::new(options.inputs.clone(), options.out.clone());
    settings.jobs = options.jobs.map_or(0, usize::from);
    settings.threads = options.threads.map_or(0, usize::from);
    settings.cases_by = options.cases_by.map_or_else(Default::default, cli::CasesBy::of_batch);
    settings.shard = options.shard;
    settings.changed = options.since_mtime.map(|time| time.map_or(ChangedSince::LastRun, ChangedSince::Time));
    settings.limits = Limits { timeout: options.timeout, memory_bytes: options.memory };
    settings.resume = options.resume;
    settings.name_from.clone_from(&options.name_from);
    settings.redaction = redaction_of(options)?;
    settings.workers = Workers::Processes { program: this_program()?, arguments: vec![WORKER.to_owned()] };
    if !options.format.is_empty() {
        let formats: Option<_> = options.format.iter().map(|format| format.of_batch()).collect();
        settings.formats = formats.ok_or_else(|| Failure::Usage(WITHOUT_PARQUET.to_owned()))?;
    }
    Ok(settings)
}

fn redaction_of(options: &cli::Batch) -> Result<Option<batch::Redaction>, Failure> {
    let Some(redact) = options.redaction.redact else { return Ok(None) };
    let key = match redaction::key(&options.redaction)? {
        Some(key) => key,
        // What is kept of the earlier run has names of another key.
        None if options.resume => {
            return Err(Failure::Usage(
                "--resume with --redact needs --redact-key: names must stay what they were".to_owned(),
            ));
        }
        None => random_key()?,
    };
    Ok(Some(batch::Redaction { key, replaces_images: redact == Redact::Images }))
}

/// A key that nobody knows, and that is kept nowhere.
fn random_key() -> Result<Vec<u8>, Failure> {
    let mut key = vec![0; KEY_BYTES];
    match getrandom::fill(&mut key) {
        Ok(()) => Ok(key),
        Err(error) => {
            Err(Failure::Usage(format!("--redact: the system gives no random key, give --redact-key: {error}")))
        }
    }
}

/// This very program, also where its file has been replaced meanwhile.
fn this_program() -> Result<PathBuf, Failure> {
    let own = PathBuf::from("/proc/self/exe");
    if cfg!(target_os = "linux") && own.exists() {
        return Ok(own);
    }
    std::env::current_exe().map_err(|error| Failure::Batch(BatchError::Worker(error)))
}

/// What the run was, in a line.
fn account(batch: &Batch, started: Instant) -> String {
    let seconds = started.elapsed().as_secs_f64();
    let statuses = batch.by_status.iter().filter(|(_, cases)| *cases > 0);
    let statuses: Vec<String> =
        statuses.map(|(status, cases)| format!("{} {}", grouped(*cases as u64), status.as_str())).collect();
    let kept = if batch.kept > 0 { format!(", {} not read again", grouped(batch.kept as u64)) } else { String::new() };
    let duplicates = match batch.duplicates as u64 {
        0 => String::new(),
        duplicates => format!(", {}", counted(duplicates, "duplicate")),
    };
    format!(
        "{} in {seconds:.1} s, {:.1} per second: {}{duplicates}{kept}",
        counted(batch.cases as u64, "case"),
        batch.cases as f64 / seconds.max(1e-9),
        statuses.join(", ")
    )
}
