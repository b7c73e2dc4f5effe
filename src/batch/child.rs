//! A worker process, as its master sees it.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::entry::How;

/// How much of what a worker says on standard error is kept.
const LAST_WORDS_BYTES: usize = 4 << 10;

/// How long the end of a worker, and of its last words, is waited for.
const LAST_WORDS_TIME: Duration = Duration::from_secs(2);

/// Between two looks at whether the answer is still waited for.
const BETWEEN_LOOKS: Duration = Duration::from_millis(200);

/// A process that reads cases. It ends with this value.
pub(super) struct Worker {
    process: Child,
    orders: ChildStdin,
    replies: Receiver<Vec<u8>>,
    last_words: Arc<Mutex<VecDeque<u8>>>,
    listener: Option<thread::JoinHandle<()>>,
}

/// Why a worker has no answer.
#[derive(Debug)]
pub(super) enum NoAnswer {
    /// It took too long.
    TimedOut,
    /// It ended: how, and what it said last.
    Ended(String, String),
}

impl Worker {
    /// Starts a process that reads cases as `how` says.
    pub(super) fn start(program: &std::path::Path, arguments: &[String], how: &How) -> io::Result<Self> {
        let mut process = Command::new(program)
            .args(arguments)
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let (Some(orders), Some(output), Some(errors)) =
            (process.stdin.take(), process.stdout.take(), process.stderr.take())
        else {
            return Err(io::Error::other("a worker has no pipes"));
        };
        let (line, replies) = channel();
        thread::spawn(move || {
            let mut output = BufReader::new(output);
            let mut bytes = Vec::new();
            // A line that has no end is that of a worker which ended within it.
            while output.read_until(b'\n', &mut bytes).is_ok() && bytes.ends_with(b"\n") {
                if line.send(std::mem::take(&mut bytes)).is_err() {
                    break;
                }
            }
        });
        let last_words = Arc::new(Mutex::new(VecDeque::new()));
        let heard = Arc::clone(&last_words);
        let listener = Some(thread::spawn(move || listen(errors, &heard)));
        let mut worker = Self { process, orders, replies, last_words, listener };
        worker.order(how)?;
        Ok(worker)
    }

    /// Tells the worker something.
    pub(super) fn order(&mut self, order: &impl Serialize) -> io::Result<()> {
        let mut line = serde_json::to_vec(order)?;
        line.push(b'\n');
        self.orders.write_all(&line)?;
        self.orders.flush()
    }

    /// The next line that it tells, until `deadline`, or until nobody waits for it any more.
    pub(super) fn answer(&mut self, deadline: Instant, stop: &AtomicBool) -> Result<Vec<u8>, NoAnswer> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.replies.recv_timeout(left.min(BETWEEN_LOOKS)) {
                Ok(line) => return Ok(line),
                Err(RecvTimeoutError::Disconnected) => return Err(self.end()),
                Err(RecvTimeoutError::Timeout) if left.is_zero() || stop.load(Ordering::Relaxed) => {
                    return Err(NoAnswer::TimedOut);
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// How it ended, which it has, or is about to: it says nothing any more.
    pub(super) fn end(&mut self) -> NoAnswer {
        let deadline = Instant::now() + LAST_WORDS_TIME;
        let wait = |is_over: &mut dyn FnMut() -> bool| {
            while !is_over() && Instant::now() < deadline {
                thread::sleep(Duration::from_millis(1));
            }
        };
        wait(&mut || !matches!(self.process.try_wait(), Ok(None)));
        if matches!(self.process.try_wait(), Ok(None)) {
            let _ = self.process.kill();
        }
        let ended = match self.process.wait() {
            Ok(status) => how_ended(status),
            Err(error) => error.to_string(),
        };
        wait(&mut || self.listener.as_ref().is_none_or(thread::JoinHandle::is_finished));
        let words = self.last_words.lock().unwrap_or_else(PoisonError::into_inner);
        let words: Vec<u8> = words.iter().copied().collect();
        NoAnswer::Ended(ended, String::from_utf8_lossy(&words).trim().to_owned())
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Keeps the end of what is said.
fn listen(mut from: impl Read, heard: &Mutex<VecDeque<u8>>) {
    let mut buffer = [0; 1 << 10];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        let mut words = heard.lock().unwrap_or_else(PoisonError::into_inner);
        words.extend(buffer.get(..read).unwrap_or_default());
        let beyond = words.len().saturating_sub(LAST_WORDS_BYTES);
        words.drain(..beyond);
    }
}

fn how_ended(status: ExitStatus) -> String {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        let why = if signal == 9 { ", which the system sends where memory runs out" } else { "" };
        return format!("ended by signal {signal}{why}");
    }
    match status.code() {
        Some(code) => format!("ended with code {code}"),
        None => "ended".to_owned(),
    }
}
