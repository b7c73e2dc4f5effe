//! Why the program ends without what it was asked for.

use std::fmt;
use std::io;
use std::path::Path;

use crate::batch::BatchError;
use crate::case::Error;
use crate::live::error::LiveError;
use crate::words::{shown, system_message};

/// Why the program ends without what it was asked for, in a line for each input.
#[derive(Debug)]
#[non_exhaustive]
pub enum Failure {
    /// The options contradict each other or name what does not exist.
    Usage(String),
    /// The case has no report.
    Analysis(Error),
    /// The batch has no result.
    Batch(BatchError),
    /// Live capture cannot go on.
    Live(LiveError),
    /// The report could not be written.
    Output {
        /// Where to, as it may be shown.
        path: String,
        /// What the system says.
        source: io::Error,
    },
    /// The reader of the output has gone away: success.
    ClosedPipe,
}

impl Failure {
    /// For a failed write to `path`.
    pub(crate) fn output(path: &Path, source: io::Error) -> Self {
        Self::Output { path: shown(&path.display().to_string()), source }
    }

    /// For a failed write to standard output; a closed pipe is told apart.
    pub(crate) fn stdout(source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::BrokenPipe => Self::ClosedPipe,
            _ => Self::Output { path: "standard output".to_owned(), source },
        }
    }
}

impl From<BatchError> for Failure {
    fn from(error: BatchError) -> Self {
        Self::Batch(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Analysis(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(message) => f.write_str(message),
            Self::Analysis(error) => error.fmt(f),
            Self::Batch(error) => error.fmt(f),
            Self::Live(trouble) => trouble.fmt(f),
            Self::Output { path, source } => write!(f, "{path}: cannot be written: {}", system_message(source)),
            Self::ClosedPipe => f.write_str("nothing reads the output any more"),
        }
    }
}

impl std::error::Error for Failure {}
