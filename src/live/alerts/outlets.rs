//! Where news go that may take long to deliver.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::super::system::System;
use super::super::watch::StateNow;
use super::change::{Change, Happened};
use super::program::Program;
use super::{Asked, prometheus};
use crate::output::Unfinished;
use crate::words::{shown, system_message};

/// Who reads the file of metrics may have it open for a moment, and Windows then gives it no new one.
const TRIES: u32 = 5;
const BETWEEN_TRIES: Duration = Duration::from_millis(40);

/// A moment, and what changed.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub(super) moment: StateNow,
    pub(super) changes: Vec<Change>,
    pub(super) is_last: bool,
}

/// A file, a program, a log.
pub(super) struct Outlets {
    system: Arc<dyn System>,
    metrics: Option<Metrics>,
    program: Option<Program>,
    event_log: bool,
}

impl Outlets {
    pub(super) fn new(system: Arc<dyn System>, asked: Asked) -> Self {
        let metrics = asked.metrics.map(|path| Metrics { path, has_failed: false });
        Self { system, metrics, program: asked.program, event_log: asked.event_log }
    }

    /// Delivers a job; gives what could not be done.
    pub(super) fn deliver(&mut self, job: &Job) -> Vec<String> {
        let mut troubles = Vec::new();
        // First what somebody waits for.
        for change in &job.changes {
            if let (Some(program), Happened::Began(outage)) = (&mut self.program, change.happened) {
                troubles.extend(program.run(change, outage).err());
            }
            if self.event_log
                && let Err(why) = self.system.write_entry(&change.entry())
            {
                troubles.push(format!("--event-log: no entry could be written: {why}"));
            }
        }
        if let Some(metrics) = &mut self.metrics {
            troubles.extend(metrics.write(&prometheus::text(&job.moment, !job.is_last)));
        }
        if let Some(program) = &mut self.program {
            troubles.extend(if job.is_last { program.left_running() } else { program.troubles() });
        }
        troubles
    }
}

struct Metrics {
    path: PathBuf,
    /// The last try failed, which was told.
    has_failed: bool,
}

impl Metrics {
    fn write(&mut self, text: &str) -> Option<String> {
        let failed_before = self.has_failed;
        let result = write_whole(&self.path, text);
        self.has_failed = result.is_err();
        result.err().filter(|_| !failed_before).map(|error| {
            let path = shown(&self.path.display().to_string());
            format!("{path}: cannot be written, and will be tried again: {}", system_message(&error))
        })
    }
}

fn write_whole(path: &Path, text: &str) -> std::io::Result<()> {
    let mut tries = 1;
    loop {
        let written = Unfinished::default().write_whole(path, |file| file.write_all(text.as_bytes()));
        if written.is_ok() || tries == TRIES {
            return written;
        }
        tries += 1;
        std::thread::sleep(BETWEEN_TRIES);
    }
}
