//! A progress bar on standard error.

use std::io::{self, IsTerminal};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::progress::{NoProgress, Progress};

/// How often the bar is drawn.
const REDRAWN: Duration = Duration::from_millis(100);

/// Bytes that were read, and that there are to read.
#[derive(Debug, Default)]
struct Bytes {
    read: AtomicU64,
    expected: AtomicU64,
}

impl Progress for Bytes {
    fn expect(&self, bytes: u64) {
        self.expected.fetch_add(bytes, Ordering::Relaxed);
    }

    fn advance(&self, bytes: u64) {
        self.read.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// Does `work`, with a bar unless `is_silent` or standard error is no terminal.
pub(crate) fn with_bar<T>(is_silent: bool, work: impl FnOnce(&dyn Progress) -> T) -> T {
    if is_silent || !io::stderr().is_terminal() {
        return work(&NoProgress);
    }
    let bytes = Bytes::default();
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {bytes} of {total_bytes}  {bytes_per_sec}  {eta} left") {
        bar.set_style(style);
    }
    let result = std::thread::scope(|scope| {
        let (done, is_done) = channel::<()>();
        let (bar, bytes) = (&bar, &bytes);
        scope.spawn(move || {
            // Ends when the sender goes, with the work.
            while is_done.recv_timeout(REDRAWN) == Err(RecvTimeoutError::Timeout) {
                let expected = bytes.expected.load(Ordering::Relaxed);
                if expected > 0 {
                    bar.set_length(expected);
                    bar.set_position(bytes.read.load(Ordering::Relaxed));
                }
            }
        });
        let _done = done;
        work(bytes)
    });
    bar.finish_and_clear();
    result
}
