//! Strings and error codes as Windows has them.

use super::super::system::{Refusal, SessionStep};

/// With a NUL at its end.
pub(super) fn wide(text: &str) -> Vec<u16> {
    text.encode_utf16().chain([0]).collect()
}

/// What the system says about an error code.
pub(super) fn words(code: u32) -> String {
    let text = std::io::Error::from_raw_os_error(code.cast_signed()).to_string();
    text.split(" (os error").next().unwrap_or(&text).trim().to_owned()
}

/// A refusal with the system's words.
pub(super) fn refusal(step: SessionStep, code: u32) -> Refusal {
    Refusal { step, code, text: words(code) }
}

/// Why a source is missing, from the last error of this thread.
pub(super) fn last_error() -> String {
    crate::words::system_message(&std::io::Error::last_os_error())
}
