//! Capture on the machine that runs out of ports, while it does. See `README.md` beside this file.
//!
//! [`capture`] is the run: a [`session`] of our own whose events pass [`intake`] and [`order`] into the same analysis that reads
//! files, and a [`poll`] of what only a running machine knows. [`watch`] tells one moment, [`view`] shows it. Everything that the
//! operating system does stands behind [`system::System`]. [`alerts`] tell of each moment those who do not look at a screen.

pub mod alerts;
pub mod capture;
pub mod collect;
#[cfg(any(windows, test))]
mod command;
pub mod error;
#[cfg(test)]
mod fake;
pub mod filling;
pub mod intake;
pub mod order;
pub mod poll;
pub mod session;
pub mod system;
#[cfg(any(windows, test))]
mod tables;
#[cfg(test)]
mod tests;
pub mod view;
pub mod watch;
#[cfg(windows)]
pub mod windows;

use std::io::{self, IsTerminal, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use alerts::{Alerts, Said};
use capture::{Captured, Plan};
use error::LiveError;
use session::PanicGuard;
use system::System;
use watch::StateNow;

/// The system that this program was built for.
///
/// # Errors
///
/// [`LiveError::NotWindows`].
pub fn this_system() -> Result<Arc<dyn System>, LiveError> {
    #[cfg(windows)]
    return Ok(Arc::new(windows::Windows::new()));
    #[cfg(not(windows))]
    Err(LiveError::NotWindows)
}

/// Set by Ctrl-C, and by closing the console.
///
/// # Errors
///
/// [`LiveError::NoInterrupt`], where Ctrl-C cannot be watched for: then nothing must be started that it could not end.
pub fn interrupt() -> Result<Arc<AtomicBool>, LiveError> {
    let interrupt = Arc::new(AtomicBool::new(false));
    let set = Arc::clone(&interrupt);
    ctrlc::set_handler(move || set.store(true, Ordering::Relaxed))
        .map_err(|error| LiveError::NoInterrupt(error.to_string()))?;
    Ok(interrupt)
}

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

/// Runs a capture on this machine, and tells of it while it runs.
///
/// # Errors
///
/// [`LiveError`]: why there is no report.
pub fn run(plan: &Plan, asked: alerts::Asked, told: Told) -> Result<Captured, LiveError> {
    let system = this_system()?;
    let interrupt = interrupt()?;
    let _guard = PanicGuard::new(&system);
    let mut screen = view::Screen::new();
    let is_silent = told != Told::Moments;
    let is_terminal = io::stdout().is_terminal();
    let tell = |said: Vec<Said>, screen: &mut view::Screen| {
        for said in said {
            let line = match said {
                Said::News(_) if told == Told::Troubles => continue,
                Said::News(line) | Said::Trouble(line) => format!("outofports: {line}"),
            };
            // Beside a table that is drawn over, lines have their place above it.
            let _ = if is_terminal && !is_silent { screen.tell(&line) } else { writeln!(io::stderr(), "{line}") };
        }
    };
    let (mut alerts, said) = Alerts::start(&system, asked);
    tell(said, &mut screen);
    let mut view = |moment: &StateNow| {
        tell(alerts.take(moment), &mut screen);
        let shown = match (is_silent, is_terminal) {
            (true, _) => Ok(()),
            (false, true) => screen.draw(moment),
            (false, false) => view::write_line(moment, &mut io::stdout().lock()),
        };
        if shown.is_err() {
            // Nobody reads any more: the capture ends as by Ctrl-C.
            interrupt.store(true, Ordering::Relaxed);
        }
    };
    let captured = capture::capture(&system, plan, &interrupt, &mut view)?;
    tell(alerts.end(), &mut screen);
    Ok(captured)
}

/// Reads `90s`, `10m`, `2h` or a number of seconds.
///
/// # Errors
///
/// A sentence about what was expected.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || "expected a time, as 90s, 10m or 2h".to_owned();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits).ok_or_else(wrong)?;
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let seconds = match unit.trim() {
        "" | "s" => Some(number),
        "m" | "min" => number.checked_mul(60),
        "h" => number.checked_mul(3600),
        _ => return Err(wrong()),
    };
    // A year.
    match seconds.filter(|seconds| (1..=31_536_000).contains(seconds)) {
        Some(seconds) => Ok(Duration::from_secs(seconds)),
        None => Err("must be from 1 second to a year".to_owned()),
    }
}
