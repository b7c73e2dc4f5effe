//! Shows moments on a thread of its own. A console makes whoever writes wait while somebody selects text in it, and a pipe
//! while nobody reads: events must be taken in all the same.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use super::view::{Screen, write_line};
use super::watch::StateNow;

/// Moments that wait for a terminal: an older one is of no interest.
const WAITING_FOR_TERMINAL: usize = 1;

/// Lines that wait for the reader of a pipe: an hour and more.
const WAITING_FOR_PIPE: usize = 1000;

/// Standard output, as far as it shows moments.
pub struct Display {
    sender: SyncSender<StateNow>,
    thread: JoinHandle<()>,
    /// The last moment, where it did not find room.
    left_over: Option<StateNow>,
    missed: u64,
    is_terminal: bool,
}

impl Display {
    /// Sets `interrupt` where nobody reads any more: the capture ends as by Ctrl-C.
    pub fn new(interrupt: &Arc<AtomicBool>) -> Self {
        let is_terminal = io::stdout().is_terminal();
        let (sender, moments) = sync_channel(if is_terminal { WAITING_FOR_TERMINAL } else { WAITING_FOR_PIPE });
        let interrupt = Arc::clone(interrupt);
        let thread = std::thread::spawn(move || {
            if show_all(&moments, is_terminal).is_err() {
                interrupt.store(true, Ordering::Relaxed);
            }
        });
        Self { sender, thread, left_over: None, missed: 0, is_terminal }
    }

    /// Shows a moment, without waiting.
    pub fn show(&mut self, moment: &StateNow) {
        self.left_over = match self.sender.try_send(moment.clone()) {
            Ok(()) | Err(TrySendError::Disconnected(_)) => None,
            Err(TrySendError::Full(moment)) => Some(moment),
        };
        self.missed += u64::from(self.left_over.is_some());
    }

    /// Waits until all is shown; gives the lines that nobody read in time.
    pub fn finish(mut self) -> u64 {
        if let Some(moment) = self.left_over.take()
            && self.sender.send(moment).is_ok()
        {
            self.missed -= 1;
        }
        drop(self.sender);
        let _ = self.thread.join();
        if self.is_terminal { 0 } else { self.missed }
    }
}

fn show_all(moments: &Receiver<StateNow>, is_terminal: bool) -> io::Result<()> {
    let mut screen = Screen::new();
    for moment in moments {
        if is_terminal {
            screen.draw(&moment)?;
        } else {
            write_line(&moment, &mut io::stdout().lock())?;
        }
    }
    Ok(())
}
