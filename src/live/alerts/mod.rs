//! What those are told who watch machines: metrics in a file, a program that is run, entries in the Application log, lines on
//! standard error. See `WATCHING.md` beside the folder.
//!
//! [`change`] compares moments, on the thread that takes the events; whatever may take long is done by a thread of its own.

pub mod change;
mod outlets;
pub mod program;
pub mod prometheus;
#[cfg(test)]
mod tests;
mod worker;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use self::change::{Change, Changes};
use self::outlets::{Job, Outlets};
use self::program::Program;
use self::worker::Worker;
use super::system::System;
use super::view;
use super::watch::StateNow;
use crate::time::{ShownTime as _, duration_text};
use crate::words::counted;

/// What is asked for.
#[derive(Debug, Default)]
pub struct Asked {
    /// A file of metrics, written whole at each moment.
    pub metrics: Option<PathBuf>,
    /// A program that is run when an outage begins.
    pub program: Option<Program>,
    /// Entries in the Application log.
    pub event_log: bool,
    /// The source of these entries is registered.
    pub registers_source: bool,
    /// Tells when so many percent of a pool are in use, from 1 to 100.
    pub threshold: Option<u8>,
    /// Time between two lines that say that the capture goes on.
    pub heartbeat: Option<Duration>,
}

impl Asked {
    fn is_anything(&self) -> bool {
        let Self { metrics, program, event_log, registers_source: _, threshold, heartbeat } = self;
        metrics.is_some() || program.is_some() || *event_log || threshold.is_some() || heartbeat.is_some()
    }
}

/// A line for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// What happened on the machine.
    News(String),
    /// What could not be done.
    Trouble(String),
}

/// Tells changes of each moment to all that were asked for.
pub struct Alerts {
    changes: Changes,
    heartbeat: Option<Heartbeat>,
    worker: Option<Worker>,
    last: Option<StateNow>,
}

/// Lines that say that the capture goes on.
struct Heartbeat {
    every: Duration,
    next: Duration,
}

impl Alerts {
    /// Begins, and says what there is to say about that.
    pub fn start(system: &Arc<dyn System>, asked: Asked) -> (Self, Vec<Said>) {
        let mut said = Vec::new();
        if asked.registers_source {
            said.push(match system.register_event_source() {
                Ok(()) => Said::News(format!(
                    "the source {0} is registered in the Application log; by hand it is removed with reg delete HKLM\\SYSTEM\\CurrentControlSet\\Services\\EventLog\\Application\\{0} /f",
                    super::system::EVENT_SOURCE
                )),
                Err(why) => Said::Trouble(format!("--event-log: the source cannot be registered: {why}")),
            });
        }
        let changes = Changes::new(asked.threshold);
        let heartbeat = asked.heartbeat.map(|every| Heartbeat { every, next: every });
        let worker = asked.is_anything().then(|| Worker::start(Outlets::new(Arc::clone(system), asked)));
        (Self { changes, heartbeat, worker, last: None }, said)
    }

    /// Takes in a moment, and gives what is to be said.
    pub fn take(&mut self, moment: &StateNow) -> Vec<Said> {
        let Some(worker) = &mut self.worker else { return Vec::new() };
        let changes = self.changes.of(moment);
        let mut said: Vec<Said> = changes.iter().map(|change| Said::News(change.sentence())).collect();
        said.extend(self.heartbeat.as_mut().and_then(|heartbeat| heartbeat.line(moment)).map(Said::News));
        said.extend(worker.give(Job { moment: moment.clone(), changes, is_last: false }));
        self.last = Some(moment.clone());
        said
    }

    /// The capture has ended: the last file, the last entries; gives what is still to be said.
    pub fn end(mut self) -> Vec<Said> {
        let (Some(worker), Some(moment)) = (self.worker.take(), self.last.take()) else { return Vec::new() };
        let changes: Vec<Change> = self.changes.at_end(&moment);
        let mut said: Vec<Said> = changes.iter().map(|change| Said::News(change.sentence())).collect();
        said.extend(worker.end(Job { moment, changes, is_last: true }));
        said
    }
}

impl Heartbeat {
    /// The line, where it is time for one.
    fn line(&mut self, moment: &StateNow) -> Option<String> {
        let elapsed = Duration::try_from_secs_f64(moment.seconds).ok()?;
        if elapsed < self.next {
            return None;
        }
        self.next = elapsed.saturating_add(self.every);
        let failures = counted(moment.bind_failures.saturating_add(moment.connect_failures), "failure");
        let pools = moment.pools.iter().map(|pool| format!("; {}: {}", pool.name(), pool.in_use()));
        Some(format!(
            "{} UTC: capturing for {}: {failures}{}; {}",
            moment.time.to_date_and_time(),
            duration_text((moment.seconds * 1e7) as i64),
            pools.collect::<String>(),
            view::losses(moment)
        ))
    }
}
