//! The thread that delivers: what hangs there does not stop the capture.

use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::Said;
use super::change::Change;
use super::outlets::{Job, Outlets};

/// Moments that wait. Each replaces the one before in the file of metrics.
const MAX_WAITING: usize = 2;

/// Changes that wait for their turn; more in one hang are told and let go.
const MAX_CHANGES: usize = 64;

/// At the end the last delivery is waited for no longer than this.
const LAST_DELIVERY: Duration = Duration::from_secs(10);

/// How often it is looked whether it has ended.
const REST: Duration = Duration::from_millis(10);

/// Delivers on a thread of its own.
pub(super) struct Worker {
    jobs: SyncSender<Job>,
    troubles: Receiver<String>,
    thread: JoinHandle<()>,
    /// Changes of moments that found no room.
    kept: Vec<Change>,
    is_stuck: bool,
}

impl Worker {
    pub(super) fn start(mut outlets: Outlets) -> Self {
        let (jobs, next) = mpsc::sync_channel::<Job>(MAX_WAITING);
        let (tell, troubles) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            while let Ok(job) = next.recv() {
                for trouble in outlets.deliver(&job) {
                    let _ = tell.send(trouble);
                }
            }
        });
        Self { jobs, troubles, thread, kept: Vec::new(), is_stuck: false }
    }

    /// Gives a job to the thread; where that is busy, the changes wait for the next. Gives what is to be said.
    pub(super) fn give(&mut self, mut job: Job) -> Vec<Said> {
        let mut said = Vec::new();
        self.kept.append(&mut job.changes);
        job.changes = std::mem::take(&mut self.kept);
        let was_stuck = self.is_stuck;
        self.is_stuck = match self.jobs.try_send(job) {
            Ok(()) => false,
            Err(TrySendError::Full(job) | TrySendError::Disconnected(job)) => {
                self.kept = job.changes;
                true
            }
        };
        if self.is_stuck && !was_stuck {
            said.push(Said::Trouble(
                "telling others takes longer than an interval: metrics and entries come late".to_owned(),
            ));
        }
        if self.kept.len() > MAX_CHANGES {
            let count = self.kept.len() - MAX_CHANGES;
            self.kept.drain(..count);
            said.push(Said::Trouble(format!("{count} changes could not be told to others, which take too long")));
        }
        said.extend(self.troubles.try_iter().map(Said::Trouble));
        said
    }

    /// Delivers the last job, and ends the thread if it can.
    pub(super) fn end(self, mut job: Job) -> Vec<Said> {
        let Self { jobs, troubles, thread, mut kept, is_stuck: _ } = self;
        kept.append(&mut job.changes);
        job.changes = kept;
        let began = Instant::now();
        let has_time = || began.elapsed() < LAST_DELIVERY;
        let mut last = Some(job);
        while let Some(job) = last.take() {
            if let Err(TrySendError::Full(job)) = jobs.try_send(job)
                && has_time()
            {
                last = Some(job);
                std::thread::sleep(REST);
            }
        }
        drop(jobs);
        while !thread.is_finished() && has_time() {
            std::thread::sleep(REST);
        }
        let mut said: Vec<Said> = troubles.try_iter().map(Said::Trouble).collect();
        if !thread.is_finished() {
            let why = "the last metrics and entries could not be told to others, which take too long";
            said.push(Said::Trouble(why.to_owned()));
        }
        said
    }
}
