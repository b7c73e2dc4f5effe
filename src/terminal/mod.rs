//! What only a terminal has: colors, a width, a progress bar, Ctrl-C.

mod bar;
mod batch_bar;
mod interrupt;
#[cfg(windows)]
mod windows;

use std::io::{self, IsTerminal};

use anstream::{AutoStream, ColorChoice};
use jiff::Timestamp;
use jiff::tz::TimeZone;

pub(crate) use self::bar::with_bar;
pub(crate) use self::batch_bar::BatchBar;
pub(crate) use self::interrupt::remove_on_interrupt;
use crate::time::{FileTime, Zone, to_timestamp};

/// The zone of this computer's clock at a time; `None` where the system does not tell.
pub(crate) fn local_zone(at: Option<FileTime>) -> Option<Zone> {
    let zone = TimeZone::try_system().ok()?;
    let at = at.and_then(to_timestamp).unwrap_or_else(Timestamp::now);
    Zone::ahead(zone.to_offset(at).seconds() / 60)
}

/// Whether standard output takes colors, and is let take them.
pub(crate) fn color_choice() -> ColorChoice {
    let choice = AutoStream::choice(&io::stdout());
    #[cfg(windows)]
    if !windows::takes_colors() {
        return ColorChoice::Never;
    }
    choice
}

/// Whether standard output garbles all but ASCII.
pub(crate) fn is_ascii_alone() -> bool {
    #[cfg(windows)]
    return windows::is_ascii_alone();
    #[cfg(not(windows))]
    false
}

/// Columns of the terminal that standard output is; `None` where it is none.
pub(crate) fn columns() -> Option<usize> {
    io::stdout().is_terminal().then(|| usize::from(console::Term::stdout().size().1))
}
