//! What is known of a pool at one moment: who held how much of it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::ages::Ages;
use super::hold::Held;
use super::owner::{Owner, ProcessId};
use crate::time::FileTime;

/// Ports of one process that TCP/IP's events add.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TransportPorts {
    /// Distinct ports.
    pub ports: u32,
    /// Of these, ports of connections in CLOSE_WAIT: the other side has closed, and the process has not.
    pub close_wait: u32,
    /// How old those are that were taken in the trace.
    pub ages: Ages,
    /// When the first of these was taken.
    pub first: Option<FileTime>,
}

/// What TCP/IP's events add to a pool at one moment: ports that no socket holds that the trace saw binding.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TransportShare {
    /// Distinct ports, for each process (`None`: not known) and whether its connections were there before the trace.
    pub by_process: BTreeMap<(Option<ProcessId>, bool), TransportPorts>,
    /// Distinct ports of connections and endpoints at each local address, for each process; only where binds to one address
    /// have failed.
    pub by_address: BTreeMap<(IpAddr, Option<ProcessId>), u32>,
    /// All of `by_process`.
    ports: u32,
    /// Of these, ports outside of those that binds were given.
    pub not_given: u32,
    /// First and last of all of `by_process`.
    pub span: Option<(u16, u16)>,
    /// Distinct ports of connections in TIME_WAIT; those that something holds, and those of closed sockets, are not in it.
    pub time_wait: u32,
    /// Of these, whose they were, as far as the trace tells.
    pub time_wait_of: BTreeMap<ProcessId, u32>,
    /// Ports that sockets hold whose connections are in CLOSE_WAIT, for each process.
    pub close_wait_of: BTreeMap<ProcessId, u32>,
    /// All port references, before those of known sockets were taken away.
    pub in_use: u32,
    /// Ports taken again since a socket gave them back: they are not in TIME_WAIT any more.
    pub taken_again: Vec<u16>,
}

impl TransportShare {
    /// Distinct ports.
    pub fn ports(&self) -> u32 {
        self.ports
    }

    /// Ports that wait, and whose they were; `counted` closed sockets, whose ports are not known by number, wait too, and may
    /// be the same.
    pub(super) fn add_waiting(&mut self, waiting: impl Iterator<Item = Option<ProcessId>>, counted: u32) {
        let mut all = 0_u32;
        for process in waiting {
            all = all.saturating_add(1);
            if let Some(process) = process.filter(|_| counted == 0) {
                let of_process = self.time_wait_of.entry(process).or_default();
                *of_process = of_process.saturating_add(1);
            }
        }
        self.time_wait = all.saturating_sub(counted);
    }

    /// One more port of a process, taken then; `None`: before the trace. `given`: those that binds were given.
    pub(super) fn add(
        &mut self,
        port: u16,
        whose: (Option<ProcessId>, bool),
        since: Option<FileTime>,
        is_closed_there: bool,
        given: Option<(u16, u16)>,
    ) {
        let seen = self.by_process.entry(whose).or_default();
        seen.ports = seen.ports.saturating_add(1);
        seen.close_wait = seen.close_wait.saturating_add(u32::from(is_closed_there));
        if let Some(since) = since {
            seen.ages.hold(since);
            seen.first = Some(seen.first.map_or(since, |first| first.min(since)));
        }
        self.ports = self.ports.saturating_add(1);
        let is_given = given.is_some_and(|(first, last)| (first..=last).contains(&port));
        self.not_given = self.not_given.saturating_add(u32::from(!is_given));
        let (first, last) = self.span.unwrap_or((port, port));
        self.span = Some((first.min(port), last.max(port)));
    }
}

/// What is known of one pool at one moment: who held how much of it.
#[derive(Debug, Clone)]
pub struct Moment {
    /// When.
    pub time: FileTime,
    /// A bind or connect failed then because no local port was free.
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
    /// Who held most of them, and how many.
    pub(super) largest: Option<(Owner, u32)>,
    /// Ports in use then, which the next moment worth keeping must clearly exceed.
    pub(super) trigger: u32,
}

impl Moment {
    /// Keeps the `count` largest of each list; the sums stay.
    pub(super) fn keep_largest(&mut self, count: usize) {
        self.owners.sort_by_key(|held| (std::cmp::Reverse(held.ports), held.owner));
        self.owners.truncate(count);
        self.time_wait_owners.sort_by_key(|(owner, ports)| (std::cmp::Reverse(*ports), *owner));
        self.time_wait_owners.truncate(count);
        if self.transport.by_process.len() > count {
            let mut largest: Vec<_> = std::mem::take(&mut self.transport.by_process).into_iter().collect();
            largest.sort_by_key(|(whose, seen)| (std::cmp::Reverse(seen.ports), *whose));
            largest.truncate(count);
            self.transport.by_process = largest.into_iter().collect();
        }
        self.owners.shrink_to_fit();
        self.time_wait_owners.shrink_to_fit();
        self.transport.taken_again = Vec::new();
        self.transport.by_address.clear();
    }

    /// The same without the estimate of what is in TIME_WAIT.
    pub fn without_estimate(&self) -> Self {
        Self { time_wait: (0, 0), time_wait_owners: Vec::new(), ..self.clone() }
    }

    /// Distinct ports that something visible holds, TIME_WAIT left out.
    pub fn visible(&self) -> u32 {
        // A port that TCP/IP knows by its number may be that of a socket whose number is not told.
        self.held.saturating_add(self.transport.ports().saturating_sub(self.unnumbered))
    }
}
