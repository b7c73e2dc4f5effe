//! What only a terminal has: colors, a width, a progress bar, Ctrl-C.

mod bar;
mod interrupt;

use std::io::{self, IsTerminal};

pub(crate) use self::bar::with_bar;
pub(crate) use self::interrupt::remove_on_interrupt;

/// Columns of the terminal that standard output is; `None` where it is none.
pub(crate) fn columns() -> Option<usize> {
    io::stdout().is_terminal().then(|| usize::from(console::Term::stdout().size().1))
}
