//! Why there is no report.

use std::fmt;
use std::io;
use std::path::Path;

use crate::live::trouble::Trouble;
use crate::words::{shown, system_message};

/// An error that ends the program without a report, in one line for people.
#[derive(Debug)]
pub enum Error {
    /// The options contradict each other or name what does not exist.
    Usage(String),
    /// No input could be used: one line for each.
    Inputs(Vec<String>),
    /// Live capture cannot go on.
    Live(Trouble),
    /// The report could not be written.
    Output {
        /// Where to; standard output is `-`.
        path: String,
        /// What the system says.
        source: io::Error,
    },
    /// The reader of the output has gone away: success.
    ClosedPipe,
}

impl Error {
    /// For a failed write to `path`.
    pub fn output(path: &Path, source: io::Error) -> Self {
        Self::Output { path: shown(&path.display().to_string()), source }
    }

    /// For a failed write to standard output; a closed pipe is told apart.
    pub fn stdout(source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::BrokenPipe => Self::ClosedPipe,
            _ => Self::Output { path: "standard output".to_owned(), source },
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(message) => f.write_str(message),
            Self::Inputs(lines) => f.write_str(&lines.join("\n")),
            Self::Live(trouble) => trouble.fmt(f),
            Self::Output { path, source } => write!(f, "{path}: cannot be written: {}", system_message(source)),
            Self::ClosedPipe => f.write_str("the reader of the output has gone away"),
        }
    }
}

impl std::error::Error for Error {}
