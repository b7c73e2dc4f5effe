//! Runs code of other crates that reads untrusted bytes: where it panics, that costs one input and not the program.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};

thread_local! {
    /// Calls of [`call`] that this thread is in.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// Takes the mark away, also where the work panics.
struct Mark;

impl Mark {
    fn set() -> Self {
        DEPTH.set(DEPTH.get().saturating_add(1));
        Self
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get().saturating_sub(1));
    }
}

/// Runs `work`; `None` where it panics.
///
/// The panic hook runs as for any panic: a program that installed [`install_hook`] prints nothing then.
pub(crate) fn call<T>(work: impl FnOnce() -> T) -> Option<T> {
    let mark = Mark::set();
    let result = panic::catch_unwind(AssertUnwindSafe(work));
    drop(mark);
    result.ok()
}

/// Installs a panic hook that is silent where other crates' code panics over untrusted bytes, and passes every other panic on to
/// the hook that was there. For programs, once, at their start: the library installs no hook.
pub fn install_hook() {
    let others = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        if DEPTH.get() == 0 {
            others(panic);
        }
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_no_result_and_marks_nothing_beyond_itself() {
        assert_eq!(call(|| 7), Some(7));
        let inner = || call(|| -> u8 { panic!("untrusted bytes") });
        assert_eq!(call(|| (inner(), DEPTH.get())), Some((None, 1)));
        assert_eq!(DEPTH.get(), 0);
    }
}
