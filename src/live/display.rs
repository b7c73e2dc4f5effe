//! Shows moments, and tells news beside them, on a thread of its own. A console makes whoever writes wait while somebody selects
//! text in it, and a pipe while nobody reads: events must be taken in all the same.

use std::io::{self, IsTerminal, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use super::alerts::Said;
use super::view::{Screen, write_line};
use super::watch::StateNow;
use crate::words::counted;

/// Moments that wait for a terminal: an older one is of no interest.
const WAITING_FOR_TERMINAL: usize = 1;

/// Lines that wait for the reader of a pipe: an hour and more.
const WAITING_FOR_PIPE: usize = 1000;

/// News that wait for room; more of them are let go, and counted.
const MAX_NEWS: usize = 200;

/// How much is said while a capture runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// Each moment on standard output, news on standard error.
    Moments,
    /// News on standard error.
    News,
    /// What could not be done.
    Troubles,
}

/// What is to be written: lines of news, then a moment.
struct Shown {
    news: Vec<String>,
    moment: Option<StateNow>,
}

/// Standard output, as far as it shows moments, and standard error.
pub struct Display {
    told: Told,
    sender: SyncSender<Shown>,
    thread: JoinHandle<()>,
    /// What did not find room.
    left_over: Shown,
    missed_moments: u64,
    missed_news: u64,
    is_terminal: bool,
}

impl Display {
    /// Sets `interrupt` where nobody reads any more: the capture ends as by Ctrl-C.
    pub fn new(told: Told, interrupt: &Arc<AtomicBool>) -> Self {
        let is_terminal = told == Told::Moments && io::stdout().is_terminal();
        let (sender, shown) = sync_channel(if is_terminal { WAITING_FOR_TERMINAL } else { WAITING_FOR_PIPE });
        let interrupt = Arc::clone(interrupt);
        let thread = std::thread::spawn(move || {
            if show_all(&shown, is_terminal).is_err() {
                interrupt.store(true, Ordering::Relaxed);
            }
        });
        let left_over = Shown { news: Vec::new(), moment: None };
        Self { told, sender, thread, left_over, missed_moments: 0, missed_news: 0, is_terminal }
    }

    /// Tells news, without waiting.
    pub fn tell(&mut self, said: Vec<Said>) {
        for said in said {
            match said {
                Said::News(_) if self.told == Told::Troubles => {}
                _ if self.left_over.news.len() >= MAX_NEWS => self.missed_news += 1,
                Said::News(line) | Said::Trouble(line) => self.left_over.news.push(format!("outofports: {line}")),
            }
        }
        if !self.left_over.news.is_empty() {
            self.send();
        }
    }

    /// Shows a moment, where moments are shown, without waiting.
    pub fn show(&mut self, moment: &StateNow) {
        if self.told != Told::Moments {
            return;
        }
        // One that still waits is older.
        self.missed_moments += u64::from(self.left_over.moment.replace(moment.clone()).is_some());
        self.send();
    }

    fn send(&mut self) {
        let shown = Shown { news: std::mem::take(&mut self.left_over.news), moment: self.left_over.moment.take() };
        if let Err(TrySendError::Full(shown)) = self.sender.try_send(shown) {
            self.left_over = shown;
        }
    }

    /// Waits until all is shown, and tells what was left out.
    pub fn finish(mut self) {
        if self.missed_moments > 0 && !self.is_terminal {
            let lines = counted(self.missed_moments, "line");
            self.left_over.news.push(format!("outofports: {lines} left out: nobody read standard output for so long"));
        }
        if self.missed_news > 0 {
            let lines = counted(self.missed_news, "line");
            self.left_over.news.push(format!("outofports: {lines} of news left out: nobody read them for so long"));
        }
        let _ = self.sender.send(self.left_over);
        drop(self.sender);
        let _ = self.thread.join();
    }
}

fn show_all(all: &Receiver<Shown>, is_terminal: bool) -> io::Result<()> {
    let mut screen = Screen::new();
    for shown in all {
        for line in shown.news {
            if is_terminal {
                // Beside a table that is drawn over, lines have their place above it.
                screen.tell(&line)?;
            } else {
                let _ = writeln!(io::stderr(), "{line}");
            }
        }
        match shown.moment {
            Some(moment) if is_terminal => screen.draw(&moment)?,
            Some(moment) => write_line(&moment, &mut io::stdout().lock())?,
            None => {}
        }
    }
    Ok(())
}
