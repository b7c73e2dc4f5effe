//! What only a terminal has: colors, a width, a progress bar, Ctrl-C.

mod bar;
mod batch_bar;
mod interrupt;

use std::io::{self, IsTerminal};

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

/// Columns of the terminal that standard output is; `None` where it is none.
pub(crate) fn columns() -> Option<usize> {
    io::stdout().is_terminal().then(|| usize::from(console::Term::stdout().size().1))
}
