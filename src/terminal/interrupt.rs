//! Ctrl-C while an output file is being written.

use crate::output::Unfinished;

/// Exit code of a program that Ctrl-C ends, as shells show it: 128 and the number of SIGINT.
const INTERRUPTED: i32 = 130;

/// Ctrl-C removes what is not whole and ends the program. Where something else handles interrupts already, or they are ignored
/// (`nohup`), that stays.
pub(crate) fn remove_on_interrupt(unfinished: &Unfinished) {
    if crate::live::is_watching() {
        return;
    }
    let unfinished = unfinished.clone();
    let _ = ctrlc::try_set_handler(move || {
        // Held to the end: nothing new begins, and nothing gets its name.
        let _halted = unfinished.remove();
        #[allow(clippy::exit, reason = "an interrupt ends the program")]
        std::process::exit(INTERRUPTED);
    });
}
