//! What only a terminal has: colors, a width, a progress bar, Ctrl-C.

mod bar;
mod interrupt;

use std::io::{self, IsTerminal};

pub(crate) use self::bar::with_bar;
pub(crate) use self::interrupt::remove_on_interrupt;
use crate::report::text::DEFAULT_WIDTH;

/// Widest and narrowest text report on a terminal, in columns.
const WIDTHS: std::ops::RangeInclusive<usize> = 60..=DEFAULT_WIDTH;

/// Columns of text on standard output.
pub(crate) fn width() -> usize {
    if !io::stdout().is_terminal() {
        return DEFAULT_WIDTH;
    }
    let columns = usize::from(console::Term::stdout().size().1);
    columns.clamp(*WIDTHS.start(), *WIDTHS.end())
}
