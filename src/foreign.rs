//! Runs code of other crates that reads untrusted bytes.

use std::panic;

/// Runs `work`; `None` where it panics, which then prints nothing.
pub(crate) fn contained<T>(work: impl FnOnce() -> T) -> Option<T> {
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| ()));
    let result = panic::catch_unwind(panic::AssertUnwindSafe(work));
    panic::set_hook(hook);
    result.ok()
}
