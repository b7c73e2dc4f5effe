//! Capture on the machine that runs out of ports, while it does. See `README.md` beside this file.
//!
//! [`capture`] is the run: a [`session`] of our own whose events pass [`intake`] and [`order`] into the same analysis that reads
//! files, and a [`poll`] of what only a running machine knows. [`watch`] tells one moment, [`view`] shows it. Everything that the
//! operating system does stands behind [`system::System`]. [`alerts`] tell of each moment those who do not look at a screen.

pub mod alerts;
pub mod asking;
pub mod capture;
pub mod collect;
#[cfg(any(windows, test))]
mod command;
pub mod display;
pub mod error;
#[cfg(test)]
mod fake;
pub mod filling;
pub mod intake;
pub mod order;
pub mod poll;
pub mod ranges;
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

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use alerts::Alerts;
use capture::{Captured, Plan};
use display::{Display, Told};
use error::LiveError;
use session::PanicGuard;
use system::System;

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

/// Whether an interrupt is for a capture, which ends by itself then.
pub fn is_watching() -> bool {
    #[cfg(windows)]
    return windows::console::is_watched();
    #[cfg(not(windows))]
    false
}

/// Set by Ctrl-C, and by the end of the console; before that ends the program, the sessions are stopped.
///
/// # Errors
///
/// [`LiveError::NoInterrupt`], where Ctrl-C cannot be watched for: then nothing must be started that it could not end.
pub fn interrupt() -> Result<Arc<AtomicBool>, LiveError> {
    let interrupt = Arc::new(AtomicBool::new(false));
    #[cfg(windows)]
    if !windows::console::watch(&interrupt) {
        return Err(LiveError::NoInterrupt("the console takes no handler".to_owned()));
    }
    #[cfg(not(windows))]
    {
        let set = Arc::clone(&interrupt);
        ctrlc::set_handler(move || set.store(true, std::sync::atomic::Ordering::Relaxed))
            .map_err(|error| LiveError::NoInterrupt(error.to_string()))?;
    }
    Ok(interrupt)
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
    let (mut alerts, said) = Alerts::start(&system, asked);
    let mut display = Display::new(told, &interrupt);
    display.tell(said);
    let captured = capture::capture(&system, plan, &interrupt, &mut |moment| {
        display.tell(alerts.take(moment));
        display.show(moment);
    });
    // A window that closes shows nothing any more.
    if !system.is_ending() {
        display.tell(alerts.end());
        display.finish();
    }
    captured
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
