//! How far a job has come, and whether it is to go on.

use std::fmt;

/// Told by a job how far it has come; answers whether the job is to end early.
///
/// Called from all threads of the job, at each buffer of a trace and in each loop over a side file.
pub trait Progress: Sync {
    /// So many bytes more will be read.
    fn expect(&self, bytes: u64) {
        let _ = bytes;
    }

    /// So many bytes more have been read.
    fn advance(&self, bytes: u64) {
        let _ = bytes;
    }

    /// Whether the job is to end early, without a result.
    fn should_stop(&self) -> bool {
        false
    }
}

/// Shows nothing, stops nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoProgress;

impl Progress for NoProgress {}

/// The job was asked to stop, and has no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped;

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("stopped before the end")
    }
}

impl std::error::Error for Stopped {}
