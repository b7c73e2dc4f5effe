//! What is known of a pool at one moment: who held how much of it.

use std::collections::BTreeMap;

use super::hold::Held;
use super::owner::{Owner, ProcessId};
use crate::time::FileTime;

/// What TCP/IP's events add to a pool at one moment: ports that no socket holds that the trace saw binding.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TransportShare {
    /// Distinct ports, for each process (`None`: not known) and whether its connections were there before the trace.
    pub by_process: BTreeMap<(Option<ProcessId>, bool), u32>,
    /// Distinct ports of connections that were there before the trace, in TIME_WAIT; those that something holds are not in it.
    pub time_wait: u32,
    /// All port references, before those of known sockets were taken away.
    pub in_use: u32,
    /// Ports taken again since a socket gave them back: they are not in TIME_WAIT any more.
    pub taken_again: Vec<u16>,
}

impl TransportShare {
    /// Distinct ports.
    pub fn ports(&self) -> u32 {
        self.by_process.values().fold(0, |sum, ports| sum.saturating_add(*ports))
    }
}

/// What is known of one pool at one moment: who held how much of it.
#[derive(Debug, Clone)]
pub struct Moment {
    /// When.
    pub time: FileTime,
    /// A bind or connect failed then for want of a port.
    pub at_failure: bool,
    /// Distinct ports held by sockets that the trace saw binding.
    pub held: u32,
    /// Of these, ports whose number is not told.
    pub unnumbered: u32,
    /// Sockets that hold one, for each owner.
    pub owners: Vec<Held>,
    /// Ports in TIME_WAIT, estimated with the shorter and the longer length.
    pub time_wait: (u32, u32),
    /// Of these, with the shorter length, whose they were.
    pub time_wait_owners: Vec<(Owner, u32)>,
    /// What TCP/IP's own events add: ports that no such socket holds.
    pub transport: TransportShare,
    /// Ports in use then, which the next moment worth keeping must clearly exceed.
    pub(super) trigger: u32,
}

impl Moment {
    /// Distinct ports that something visible holds, TIME_WAIT left out.
    pub fn visible(&self) -> u32 {
        // A port that TCP/IP knows by its number may be that of a socket whose number is not told.
        self.held.saturating_add(self.transport.ports().saturating_sub(self.unnumbered))
    }
}
