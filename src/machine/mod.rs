//! Reasons about events: who owns which socket, which operations failed, and what that amounts to.

pub mod ages;
pub mod counts;
pub mod growth;
pub mod hold;
mod holding;
pub mod levels;
pub mod moment;
pub mod outages;
pub mod owner;
pub mod pool_key;
pub mod pools;
pub mod ports;
pub mod processes;
pub mod ranges;
pub mod reservation;
pub mod seen_ports;
pub mod sockets;
pub mod sources;
pub mod tally;
pub mod time_wait;
pub mod timeline;
pub mod transport;
pub mod witness;
mod world;

pub use world::World;

use crate::event::{EventMeta, NetEvent, TransportEvent};
use crate::time::FileTime;
use owner::Owner;
use ports::Ports;
use ranges::PoolRanges;
use sockets::{SocketTable, Sockets};
use timeline::Timeline;
use witness::{Endpoint, KnownBy, Witness};

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

/// Follows the state of the machine through its events, which must come in time order. A witness is told whose each is.
#[derive(Debug, Default)]
pub struct Analysis<W = ()> {
    world: World,
    sockets: Sockets,
    boots: Vec<usize>,
    boot: Option<usize>,
    first: Option<FileTime>,
    now: FileTime,
    witness: W,
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

impl<W: Witness + Default> Analysis<W> {
    /// For traces of one case.
    pub fn new(setting: Setting) -> Self {
        let Setting { boots, bounds, ranges } = setting;
        let ports = Ports::new(ranges, Timeline::new(bounds));
        Self { world: World { ports, ..World::default() }, boots, ..Self::default() }
    }
}

impl<W: Witness> Analysis<W> {
    /// Takes in one event.
    pub fn observe(&mut self, meta: &EventMeta, event: &NetEvent) {
        // A log does not tell of which start its entries are: they go with the trace at hand.
        let boot = match meta.place.entry {
            Some(_) if self.boot.is_some() => self.boot,
            _ => self.boots.get(usize::from(meta.place.trace)).copied(),
        };
        if boot != self.boot {
            if self.boot.is_some() {
                self.sockets.restart(self.now, &mut self.world, &mut self.witness);
                self.world.processes.restart();
                self.world.ports.restart();
            }
            self.witness.booted(boot);
        }
        self.boot = boot;
        self.first.get_or_insert(meta.time);
        self.now = self.now.max(meta.time);
        match event {
            NetEvent::Socket(event) => self.sockets.observe(meta, event, &mut self.world, &mut self.witness),
            NetEvent::Transport(event) => {
                let World { processes, ports } = &mut self.world;
                if let TransportEvent::TimedWaitDelay(delay) = event {
                    ports.set_time_wait(*delay);
                }
                let told = event.compartment().map(|number| ports.compartment(number));
                ports.transport.observe(meta.time, meta.header_pid, event, told, processes);
                if let TransportEvent::Released(reference) = event
                    && self.sockets.wants_releases()
                    && let Some(released) = ports.released(*reference)
                {
                    self.sockets.released(released, meta.time, &mut self.world, &mut self.witness);
                }
                if W::LISTENS {
                    self.tell_owner(meta.time, event);
                }
            }
            NetEvent::Process(event) => self.world.processes.observe(event, meta.time),
        }
    }

    /// Tells the witness whose the endpoint or TCB of an event is now.
    fn tell_owner(&mut self, time: FileTime, event: &TransportEvent) {
        let Some(address) = event.subject() else { return };
        match self.world.ports.transport.process_of(address) {
            Some(process) => {
                let whose = (Owner::Process(process), KnownBy::Transport);
                self.witness.owned(Endpoint::Transport(address), time, time, whose);
            }
            None => self.witness.ended(Endpoint::Transport(address), time),
        }
    }

    /// What is known so far.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// Ends the analysis.
    pub fn finish(self) -> Findings {
        self.finish_with_witness().0
    }

    /// Ends the analysis, and gives back the witness.
    pub fn finish_with_witness(self) -> (Findings, W) {
        let Self { mut world, sockets, first, now, mut witness, .. } = self;
        let sockets = sockets.finish(&mut world, &mut witness);
        let World { processes, ports } = &mut world;
        processes.finish();
        ports.finish(now, processes);
        (Findings { world, sockets, span: first.map(|first| (first, now)) }, witness)
    }
}
