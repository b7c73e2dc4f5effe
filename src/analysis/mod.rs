//! Reasons about events: who owns which socket, which operations failed, and what that amounts to.

pub mod coverage;
pub mod processes;
pub mod sockets;
pub mod tally;
pub mod verdict;

use crate::event::{EventMeta, NetEvent};
use processes::{Process, ProcessTable};
use sockets::SocketTable;
use tally::Tally;

/// Follows the state of the machine through its events, which must come in time order.
#[derive(Debug, Default)]
pub struct Analysis {
    processes: ProcessTable,
    sockets: SocketTable,
    /// Number of the boot that each trace belongs to.
    boots: Vec<usize>,
    boot: Option<usize>,
}

/// What the events amounted to.
#[derive(Debug)]
pub struct Findings {
    /// All processes seen, in the order of their first sight.
    pub processes: Vec<Process>,
    /// What belongs to no process that is known.
    pub unknown: Tally,
    /// Sockets and their operations.
    pub sockets: SocketTable,
}

impl Analysis {
    /// For traces of which each belongs to the boot of the machine that `boots` numbers.
    pub fn new(boots: Vec<usize>) -> Self {
        Self { boots, ..Self::default() }
    }

    /// Takes in one event.
    pub fn observe(&mut self, meta: &EventMeta, event: &NetEvent) {
        let boot = self.boots.get(usize::from(meta.place.trace)).copied();
        if self.boot.is_some() && boot != self.boot {
            self.sockets.restart(&mut self.processes);
            self.processes.restart();
        }
        self.boot = boot;
        match event {
            NetEvent::Socket(event) => self.sockets.observe(meta, event, &mut self.processes),
            NetEvent::Process(event) => self.processes.observe(event, meta.time),
        }
    }

    /// Ends the analysis.
    pub fn finish(mut self) -> Findings {
        self.sockets.finish(&mut self.processes);
        let (processes, unknown) = self.processes.finish();
        Findings { processes, unknown, sockets: self.sockets }
    }
}
