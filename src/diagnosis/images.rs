//! Processes of one image together: many that each hold little can fill a pool.

use super::holders::Pattern;

/// Processes of one image that hold ports of a pool; of svchost.exe those with the same services.
#[derive(Debug, Clone, PartialEq)]
pub struct ImageOutcome {
    /// Base name of the image.
    pub image: String,
    /// Services; of svchost.exe alone.
    pub services: Vec<String>,
    /// Index into the pools.
    pub pool: usize,
    /// Indexes into the holders, most ports first; two at least. Some of the processes may have ended.
    pub holders: Vec<usize>,
    /// Ports, those in TIME_WAIT and reserved ones counted.
    pub ports: u32,
    /// Of these, in TIME_WAIT.
    pub time_wait: u32,
    /// The same as a part of the pool, from 0 to 1.
    pub share_of_pool: f64,
    /// Bind failures of all processes of this image (and these services), those that hold nothing among them.
    pub bind_failures: u64,
    /// What their use of ports looks like together.
    pub pattern: Option<Pattern>,
}
