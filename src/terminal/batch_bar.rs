//! How far a batch is, on standard error: a bar on a terminal, a line from time to time elsewhere.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::batch::{Status, Watcher};
use crate::time::{FileTime, duration_text};
use crate::words::{counted, grouped};

/// How often a line is written where there is no terminal.
const BETWEEN_LINES: Duration = Duration::from_secs(10);

/// What a case costs beside its bytes, in bytes: a process asks for it, opens it, and answers.
const CASE_BYTES: u64 = 1 << 20;

/// Shows rate, time left, and cases without a report so far.
#[derive(Debug)]
pub(crate) struct BatchBar {
    bar: Option<ProgressBar>,
    is_silent: bool,
    started: Instant,
    told: Instant,
    cases: u64,
    expected_cases: u64,
    weight: u64,
    expected_weight: u64,
    without_report: u64,
}

impl BatchBar {
    pub(crate) fn new(is_silent: bool) -> Self {
        let bar = (!is_silent && io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            if let Ok(style) = ProgressStyle::with_template("{bar:40} {msg}") {
                bar.set_style(style);
            }
            bar
        });
        let now = Instant::now();
        Self {
            bar,
            is_silent,
            started: now,
            told: now,
            cases: 0,
            expected_cases: 0,
            weight: 0,
            expected_weight: 0,
            without_report: 0,
        }
    }

    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn message(&self) -> String {
        let seconds = self.started.elapsed().as_secs_f64().max(1e-3);
        let done = self.weight as f64 / (self.expected_weight as f64).max(1.0);
        let left = if done > 0.0 {
            // The cast is within a year, or ends at the largest number.
            let left = (seconds / done * (1.0 - done)).max(0.0) * FileTime::SECOND as f64;
            format!(", {} left", duration_text(left as i64))
        } else {
            String::new()
        };
        format!(
            "{} of {}, {:.1} per second{left}, {} without a report",
            grouped(self.cases),
            counted(self.expected_cases, "case"),
            self.cases as f64 / seconds,
            grouped(self.without_report)
        )
    }
}

impl Watcher for BatchBar {
    fn expect(&mut self, cases: usize, bytes: u64) {
        self.expected_cases = cases as u64;
        self.expected_weight = bytes.saturating_add(self.expected_cases.saturating_mul(CASE_BYTES));
        self.started = Instant::now();
        if let Some(bar) = &self.bar {
            bar.set_length(self.expected_weight);
        }
    }

    fn done(&mut self, status: Status, bytes: u64) {
        self.cases += 1;
        self.weight = self.weight.saturating_add(bytes).saturating_add(CASE_BYTES);
        self.without_report += u64::from(!status.has_report());
        self.tick();
    }

    fn tick(&mut self) {
        match &self.bar {
            Some(bar) => {
                bar.set_position(self.weight);
                bar.set_message(self.message());
            }
            None if self.is_silent || self.told.elapsed() < BETWEEN_LINES => {}
            None => {
                self.told = Instant::now();
                let _ = writeln!(io::stderr(), "outofports: {}", self.message());
            }
        }
    }
}
