//! When a pool that fills will be full.

use serde::Serialize;

use crate::time::FileTime;

/// A pool that fills: how much is left, and until when at the present rate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Forecast {
    /// Ports left when the trace ended.
    pub free: u32,
    /// More ports in use for each minute, with one decimal; above 0.
    pub per_minute: f64,
    /// When none is left at this rate, UTC.
    pub full_at: FileTime,
}
