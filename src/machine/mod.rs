//! Reasons about events: who owns which socket, which operations failed, and what that amounts to.

pub mod pools;
pub mod ports;
pub mod processes;
pub mod sockets;
pub mod tally;
pub mod time_wait;
pub mod timeline;
pub mod transport;

use crate::event::{EventMeta, NetEvent, TransportEvent};
use crate::time::FileTime;
use pools::PoolRanges;
use ports::Ports;
use processes::ProcessTable;
use sockets::{SocketTable, Sockets};
use timeline::Timeline;

/// What is known beside the sockets: who runs, and what became of ports.
#[derive(Debug, Default)]
pub struct World {
    /// Processes.
    pub processes: ProcessTable,
    /// Ports.
    pub ports: Ports,
}

/// What is known of the traces before their events.
#[derive(Debug, Clone, Default)]
pub struct Setting {
    /// Number of the boot that each trace belongs to.
    pub boots: Vec<usize>,
    /// Earliest start and latest end, where headers tell both for all.
    pub bounds: Option<(FileTime, FileTime)>,
    /// Ranges of the pools.
    pub ranges: PoolRanges,
}

/// Follows the state of the machine through its events, which must come in time order.
#[derive(Debug, Default)]
pub struct Analysis {
    world: World,
    sockets: Sockets,
    boots: Vec<usize>,
    boot: Option<usize>,
    first: Option<FileTime>,
    now: FileTime,
}

/// What the events amounted to.
#[derive(Debug)]
pub struct Findings {
    /// Processes and ports.
    pub world: World,
    /// Sockets and their operations.
    pub sockets: SocketTable,
    /// Times of the first and the last event.
    pub span: Option<(FileTime, FileTime)>,
}

impl Analysis {
    /// For traces of one case.
    pub fn new(setting: Setting) -> Self {
        let Setting { boots, bounds, ranges } = setting;
        let ports = Ports::new(ranges, Timeline::new(bounds));
        Self { world: World { ports, ..World::default() }, boots, ..Self::default() }
    }

    /// Takes in one event.
    pub fn observe(&mut self, meta: &EventMeta, event: &NetEvent) {
        let boot = self.boots.get(usize::from(meta.place.trace)).copied();
        if self.boot.is_some() && boot != self.boot {
            self.sockets.restart(self.now, &mut self.world);
            self.world.processes.restart();
            self.world.ports.restart();
        }
        self.boot = boot;
        self.first.get_or_insert(meta.time);
        self.now = self.now.max(meta.time);
        match event {
            NetEvent::Socket(event) => self.sockets.observe(meta, event, &mut self.world),
            NetEvent::Transport(event) => {
                let World { processes, ports } = &mut self.world;
                if let TransportEvent::TimedWaitDelay(delay) = event {
                    ports.set_time_wait(*delay);
                }
                ports.transport.observe(meta.time, meta.header_pid, event, processes);
            }
            NetEvent::Process(event) => self.world.processes.observe(event, meta.time),
        }
    }

    /// What is known so far.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// Ends the analysis.
    pub fn finish(self) -> Findings {
        let Self { mut world, sockets, first, now, .. } = self;
        let sockets = sockets.finish(&mut world);
        let World { processes, ports } = &mut world;
        processes.finish();
        ports.finish(now, processes);
        Findings { world, sockets, span: first.map(|first| (first, now)) }
    }
}
