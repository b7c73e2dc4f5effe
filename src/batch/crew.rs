//! Has the cases read by workers, several at a time, and cuts off what takes too long or too much.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::cases::Status;
use super::child::{NoAnswer, Worker};
use super::digest::Fingerprint;
use super::entry::{Entry, Head, How, Reply, ReplyHead, Task};
use super::read::read;
use super::settings::{Limits, Workers};
use super::{BatchError, Watcher};
use crate::progress::Progress;

/// How often the watcher is asked while nothing happens.
const TICK: Duration = Duration::from_millis(200);

/// What became of a task.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It is as it was when it was read before.
    Unchanged,
    /// It is read: what became of it, and the line of the journal.
    Read(Box<Head>, Vec<u8>),
    /// Its worker ended with it. Another may have had its memory, or been ended by chance: it is tried again alone.
    Again(Task),
}

/// Takes what became of the task of a number.
type Take<'t> = dyn FnMut(usize, Outcome, &mut dyn Watcher) -> Result<(), BatchError> + 't;

/// Those who read.
pub(super) struct Crew<'s> {
    pub(super) workers: &'s Workers,
    pub(super) how: How,
    pub(super) options: String,
    /// Cases at a time.
    pub(super) jobs: usize,
    pub(super) limits: Limits,
}

impl Crew<'_> {
    /// Reads all tasks, and gives each outcome to `take`; first all together, then those alone whose worker ended.
    ///
    /// # Errors
    ///
    /// Those of `take`, [`BatchError::Stopped`] where the watcher says so, [`BatchError::Worker`] where none can be started.
    pub(super) fn read_all(
        &self,
        tasks: VecDeque<Task>,
        watcher: &mut dyn Watcher,
        take: &mut Take<'_>,
    ) -> Result<(), BatchError> {
        let mut again = VecDeque::new();
        self.round(tasks, Round::Together, watcher, &mut |number, outcome, watcher| match outcome {
            Outcome::Again(task) => {
                again.push_back(task);
                Ok(())
            }
            outcome => take(number, outcome, watcher),
        })?;
        self.round(again, Round::Alone, watcher, take)
    }

    fn round(
        &self,
        tasks: VecDeque<Task>,
        round: Round,
        watcher: &mut dyn Watcher,
        take: &mut Take<'_>,
    ) -> Result<(), BatchError> {
        let hands = if round == Round::Alone { 1 } else { self.jobs }.clamp(1, tasks.len().max(1));
        let (queue, stop) = (Mutex::new(tasks), AtomicBool::new(false));
        let (tell, told) = channel();
        thread::scope(|scope| {
            let (queue, stop) = (&queue, &stop);
            for _ in 0..hands {
                let tell = tell.clone();
                scope.spawn(move || {
                    let mut hand = Hand { crew: self, round, worker: None, stop };
                    while !stop.load(Ordering::Relaxed) {
                        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                        let Some(task) = next else { break };
                        let number = task.number;
                        if tell.send((number, hand.read(task))).is_err() {
                            break;
                        }
                    }
                });
            }
            drop(tell);
            let result = loop {
                let taken = match told.recv_timeout(TICK) {
                    Ok((number, outcome)) => outcome.and_then(|outcome| take(number, outcome, watcher)),
                    Err(RecvTimeoutError::Timeout) => {
                        watcher.tick();
                        Ok(())
                    }
                    Err(RecvTimeoutError::Disconnected) => break Ok(()),
                };
                let taken = taken.and_then(|()| if watcher.should_stop() { Err(BatchError::Stopped) } else { Ok(()) });
                if taken.is_err() {
                    break taken;
                }
            };
            stop.store(true, Ordering::Relaxed);
            result
        })
    }
}

/// Which time a task is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Round {
    /// Beside others, each with its share of the memory.
    Together,
    /// By itself, with a worker of its own and all of the memory.
    Alone,
}

/// One that reads a case at a time.
struct Hand<'c> {
    crew: &'c Crew<'c>,
    round: Round,
    worker: Option<Worker>,
    /// Whoever waits for the results waits no longer.
    stop: &'c AtomicBool,
}

impl Hand<'_> {
    fn read(&mut self, task: Task) -> Result<Outcome, BatchError> {
        let started = Instant::now();
        let deadline = started + self.crew.limits.timeout;
        let mut fingerprint = None;
        let result = match self.crew.workers {
            Workers::Threads => Ok(self.read_here(&task, deadline, &mut fingerprint)),
            Workers::Processes { program, arguments } => {
                self.read_elsewhere(program, arguments, &task, deadline, &mut fingerprint)
            }
        };
        let broken = match result? {
            Ok(outcome) => return Ok(outcome),
            Err(broken) => broken,
        };
        self.worker = None;
        if matches!(broken, NoAnswer::Ended(..)) && self.round == Round::Together {
            return Ok(Outcome::Again(task));
        }
        let (status, reason) = self.why(broken);
        let mut head = Head::new(&task.place, &self.crew.options, status, Some(reason));
        head.fingerprint = fingerprint;
        head.wall_seconds = started.elapsed().as_secs_f64();
        if matches!(status, Status::Timeout | Status::TooLarge) {
            head.limits = Some(self.crew.limits.into());
        }
        Ok(outcome(Entry::without_report(head)))
    }

    /// Lets the worker read.
    fn read_elsewhere(
        &mut self,
        program: &std::path::Path,
        arguments: &[String],
        task: &Task,
        deadline: Instant,
        fingerprint: &mut Option<Fingerprint>,
    ) -> Result<Result<Outcome, NoAnswer>, BatchError> {
        if self.round == Round::Alone {
            self.worker = None;
        }
        let worker = match &mut self.worker {
            Some(worker) => worker,
            None => {
                let memory = self.crew.limits.memory_bytes.map(|bytes| match self.round {
                    Round::Together => bytes / self.crew.jobs.max(1) as u64,
                    Round::Alone => bytes,
                });
                let how = How { memory_bytes: memory, ..self.crew.how.clone() };
                self.worker.insert(Worker::start(program, arguments, &how).map_err(BatchError::Worker)?)
            }
        };
        if worker.order(task).is_err() {
            return Ok(Err(worker.end()));
        }
        loop {
            let line = match worker.answer(deadline, self.stop) {
                Ok(line) => line,
                Err(broken) => return Ok(Err(broken)),
            };
            match serde_json::from_slice(&line) {
                Ok(ReplyHead::Hashed(hashed)) => *fingerprint = Some(hashed),
                Ok(ReplyHead::Unchanged) => return Ok(Ok(Outcome::Unchanged)),
                Ok(ReplyHead::Done(done)) => return Ok(Ok(Outcome::Read(Box::new(done.head), line))),
                Err(error) => return Err(BatchError::Worker(error.into())),
            }
        }
    }

    /// Reads on this thread.
    fn read_here(
        &self,
        task: &Task,
        deadline: Instant,
        fingerprint: &mut Option<Fingerprint>,
    ) -> Result<Outcome, NoAnswer> {
        let clock = Clock { deadline, stop: self.stop };
        let mut last = None;
        let read = catch_unwind(AssertUnwindSafe(|| {
            read(task, &self.crew.how, &clock, |reply| {
                match reply {
                    Reply::Hashed(hashed) => *fingerprint = Some(hashed),
                    reply => last = Some(reply),
                }
                Ok(())
            })
        }));
        match (read, last) {
            (Ok(Ok(())), Some(Reply::Unchanged)) => Ok(Outcome::Unchanged),
            (Ok(Ok(())), Some(Reply::Done(entry))) if entry.head.status == Status::Timeout => Err(NoAnswer::TimedOut),
            (Ok(Ok(())), Some(Reply::Done(entry))) => Ok(outcome(*entry)),
            (Ok(Err(error)), _) => Err(NoAnswer::Ended(error.to_string(), String::new())),
            _ => Err(NoAnswer::Ended("broke down".to_owned(), String::new())),
        }
    }

    fn why(&self, broken: NoAnswer) -> (Status, String) {
        match broken {
            NoAnswer::TimedOut => {
                let seconds = self.crew.limits.timeout.as_secs_f64();
                (Status::Timeout, format!("took longer than the {seconds} s that --timeout allows"))
            }
            NoAnswer::Ended(ended, words) if words.contains("memory allocation of ") => {
                match self.crew.limits.memory_bytes {
                    Some(bytes) => {
                        let mib = bytes >> 20;
                        (Status::TooLarge, format!("needs more than the {mib} MiB of memory that --memory allows"))
                    }
                    None => (Status::TooLarge, format!("needs more memory than there is: its reader {ended}")),
                }
            }
            NoAnswer::Ended(ended, words) => {
                // What a reader says may quote what it read.
                let words = if self.crew.how.redaction.is_some() { "" } else { words.lines().last().unwrap_or("") };
                let says = if words.is_empty() { String::new() } else { format!(": {}", crate::words::shown(words)) };
                (Status::Failed, format!("its reader {ended}{says}"))
            }
        }
    }
}

/// An entry as the line of the journal that a worker would write.
fn outcome(entry: Entry) -> Outcome {
    let head = Box::new(entry.head.clone());
    // Text, numbers and lists have no form that JSON has not.
    let mut line = serde_json::to_vec(&Reply::Done(Box::new(entry))).unwrap_or_default();
    line.push(b'\n');
    Outcome::Read(head, line)
}

/// The outcome of a case that nobody can look into.
pub(super) fn unreadable(task: &Task, options: &str, why: &str) -> Outcome {
    outcome(Entry::without_report(Head::new(&task.place, options, Status::Failed, Some(why.to_owned()))))
}

/// Stops a case when its time is over.
struct Clock<'c> {
    deadline: Instant,
    stop: &'c AtomicBool,
}

impl Progress for Clock<'_> {
    fn should_stop(&self) -> bool {
        self.stop.load(Ordering::Relaxed) || Instant::now() >= self.deadline
    }
}
