//! What is followed beside the sockets.

use super::ports::Ports;
use super::processes::ProcessTable;

/// What is known beside the sockets: who runs, and what became of ports.
#[derive(Debug, Default)]
pub struct World {
    /// Processes.
    pub processes: ProcessTable,
    /// Ports.
    pub ports: Ports,
}
