//! Reasons about events: who owns which socket, which operations failed, and what that amounts to.

pub mod ages;
pub mod closes;
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
pub mod served;
pub mod sockets;
pub mod sources;
pub mod tally;
pub mod time_wait;
pub mod timeline;
pub mod transport;
pub mod window;
pub mod wire;
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
use window::Window;
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
    /// What is counted.
    pub window: Window,
}

/// Follows the state of the machine through its events, which must come in time order. A witness is told whose each is.
#[derive(Debug, Default)]
pub struct Analysis<W = ()> {
    world: World,
    sockets: Sockets,
    boots: Vec<usize>,
    boot: Option<usize>,
    /// The trace whose events come just now.
    at_hand: Option<u16>,
    first: Option<FileTime>,
    now: FileTime,
    bounds: Option<(FileTime, FileTime)>,
    window: Window,
    /// What happens from now on counts: the window has begun.
    counts: bool,
    /// All that comes counts, and something has come: of a further event of the trace at hand nothing is to be found out before it
    /// is taken in.
    goes_on: bool,
    witness: W,
}

/// What the events amounted to.
#[derive(Debug)]
pub struct Findings {
    /// Processes and ports.
    pub world: World,
    /// Sockets and their operations.
    pub sockets: SocketTable,
    /// Times of the first and the last event; of those in the window.
    pub span: Option<(FileTime, FileTime)>,
    /// What was counted.
    pub window: Window,
}

impl<W: Witness + Default> Analysis<W> {
    /// For traces of one case.
    pub fn new(setting: Setting) -> Self {
        let Setting { boots, bounds, ranges, window } = setting;
        let ports = Ports::new(ranges, Timeline::new(bounds.map(|bounds| window.part_of(bounds))));
        let counts = window.since.is_none();
        Self { world: World { ports, ..World::default() }, boots, bounds, window, counts, ..Self::default() }
    }
}

impl<W: Witness> Analysis<W> {
    /// Takes in one event.
    pub fn observe(&mut self, meta: &EventMeta, event: &NetEvent) {
        let goes_on = self.goes_on && self.at_hand == Some(meta.place.trace) && meta.place.entry.is_none();
        if !goes_on && !self.is_to_be_followed(meta, event) {
            return;
        }
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

    /// Whether an event changes the state; of one that does not, what it tells is taken in.
    #[inline(never)]
    fn is_to_be_followed(&mut self, meta: &EventMeta, event: &NetEvent) -> bool {
        let is_open = self.window.is_open();
        if !is_open && !self.window.contains(meta.time) && (self.counts || self.window.is_after(meta.time)) {
            self.observe_outside(meta, event);
            return false;
        }
        if self.at_hand != Some(meta.place.trace) || meta.place.entry.is_some() {
            self.turn_to(meta);
        }
        if !self.counts && !self.window.is_before(meta.time) {
            self.begin_to_count(meta.time);
        }
        self.first.get_or_insert(meta.time);
        self.goes_on = is_open && self.counts;
        true
    }

    /// Another trace goes on, or an entry of a log comes.
    #[inline(never)]
    fn turn_to(&mut self, meta: &EventMeta) {
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
        self.at_hand = meta.place.entry.is_none().then_some(meta.place.trace);
    }

    /// What was counted so far does not count; what is known, open and held stays. A time stamp beyond the end of the traces is
    /// wrong, and begins nothing.
    #[cold]
    fn begin_to_count(&mut self, now: FileTime) {
        if self.bounds.is_some_and(|(_, end)| now > end) {
            return;
        }
        self.counts = true;
        self.sockets.begin_to_count();
        self.world.processes.begin_to_count();
        let bounds = self.bounds.map(|bounds| self.window.part_of(bounds));
        self.world.ports.begin_to_count(Timeline::new(bounds), now);
        self.first = self.window.since.filter(|_| self.first.is_some());
        self.now = self.now.max(self.first.unwrap_or(self.now));
    }

    /// Behind the window nothing counts and what is held stays as it was; but later events tell who is who. The same goes for what
    /// comes late from before the window: an event out of order, or a trace of another start that overlaps with the first.
    #[cold]
    fn observe_outside(&mut self, meta: &EventMeta, event: &NetEvent) {
        let boot = self.boots.get(usize::from(meta.place.trace)).copied();
        // Another start of the machine tells nothing about the processes of this one.
        if meta.place.entry.is_none() && boot != self.boot && self.boot.is_some() {
            return;
        }
        match event {
            NetEvent::Socket(event) => self.sockets.observe_outside(meta, event, &mut self.world),
            NetEvent::Process(event) => self.world.processes.observe(event, meta.time),
            NetEvent::Transport(_) => {}
        }
    }

    /// No trace tells of the time before the next event.
    #[cold]
    pub fn were_unseen(&mut self) {
        self.world.ports.were_unseen();
        self.world.ports.unseen_since = Some(self.now);
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
    pub fn finish_with_witness(mut self) -> (Findings, W) {
        if !self.counts {
            // All events lie before the window.
            self.bounds = self.bounds.filter(|(_, end)| self.now <= *end);
            self.begin_to_count(self.now);
        }
        let window = self.window;
        let Self { mut world, sockets, first, now, mut witness, .. } = self;
        let sockets = sockets.finish(&mut world, &mut witness);
        let World { processes, ports } = &mut world;
        processes.finish();
        ports.finish(now, processes);
        (Findings { world, sockets, span: first.map(|first| (first, now)), window }, witness)
    }
}
