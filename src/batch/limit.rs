//! How much memory a process may take.

use std::io;

/// Memory that a worker needs for itself, and for a trace without surprises.
pub const LEAST_BYTES: u64 = 64 << 20;

/// Whether the system holds processes to their memory.
pub const IS_HELD: bool = cfg!(target_os = "linux");

/// Holds this process to so many bytes of memory: asking for more fails, which ends it. Mapped files do not count.
///
/// # Errors
///
/// What the system says; `Unsupported` where it has no such bound.
#[cfg(target_os = "linux")]
pub(super) fn hold_to(bytes: u64) -> io::Result<()> {
    rlimit::setrlimit(rlimit::Resource::DATA, bytes, bytes)
}

/// Not on this system.
#[cfg(not(target_os = "linux"))]
pub(super) fn hold_to(_bytes: u64) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
