//! Why there is no report.

use std::fmt;

use super::not_used::NotUsed;
use crate::pipeline::NoThreads;
use crate::progress::Stopped;

/// Why an analysis has no result.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// [`Progress::should_stop`](crate::progress::Progress::should_stop) said so.
    Stopped,
    /// No input could be used.
    NothingToRead {
        /// What was named and could not be used.
        unusable: Vec<NotUsed>,
        /// What else is to be known about the inputs.
        notes: Vec<String>,
    },
    /// The threads of the job cannot be started.
    Threads(NoThreads),
}

impl From<Stopped> for Error {
    fn from(Stopped: Stopped) -> Self {
        Self::Stopped
    }
}

impl From<NoThreads> for Error {
    fn from(error: NoThreads) -> Self {
        Self::Threads(error)
    }
}

impl fmt::Display for Error {
    /// One line for each input that could not be used.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped => Stopped.fmt(f),
            Self::NothingToRead { unusable, notes } => {
                let lines: Vec<String> = unusable.iter().map(NotUsed::to_string).chain(notes.iter().cloned()).collect();
                if lines.is_empty() {
                    return f.write_str("there is no trace among the inputs");
                }
                f.write_str(&lines.join("\n"))
            }
            Self::Threads(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {}
