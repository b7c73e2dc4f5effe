//! Processes over time: a PID with a life span, the EPROCESS address that stands for it, and how its name is known.
//!
//! PIDs and EPROCESS addresses are both reused, so every look-up is at a point in time: events must come in time order.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::pools::PoolKey;
use super::tally::{Ages, Tally};
use crate::event::{ProcessChange, ProcessEvent, ProcessSource};
use crate::hash::FastMap;
use crate::time::FileTime;

#[cfg(test)]
mod tests;

/// Two providers report the same start, and clocks of payload and header differ: what lies closer together than this
/// (100 ns units) is one happening. The largest difference seen in real traces is 1.2 ms; a PID is not reused that fast
/// without an end event in between.
const SAME_MOMENT_100NS: i64 = FileTime::SECOND;

/// Process ids that stand for the kernel: Idle and System.
pub fn is_kernel(pid: u32) -> bool {
    matches!(pid, 0 | 4)
}

/// Processes that are told apart. A machine that starts ten a second fills this in seven hours.
const MAX_PROCESSES: usize = 1 << 18;

/// Spans of time of EPROCESS addresses that are told apart: one for each process, and one for each address without.
const MAX_EPOCHS: usize = 1 << 18;

/// Tallies that wait for the PID of an EPROCESS address: pairs of address and process of a header, a few for each process
/// that is older than the trace.
const MAX_WAITING: usize = 1 << 16;

/// Number of a process in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcessId(u32);

impl ProcessId {
    /// A process that there was no room for. It is in no table, so what belongs to it counts for nobody known.
    const BEYOND: Self = Self(u32::MAX);

    fn index(self) -> usize {
        self.0 as usize
    }
}

/// How an image name is known, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum NameRank {
    KernelProcess,
    Mof,
    Live,
    /// From an event that cuts long names.
    Cut,
}

/// One process: a PID and a life span.
#[derive(Debug, Clone)]
pub struct Process {
    /// Process id.
    pub pid: u32,
    /// Kernel address of its object, where known.
    pub eprocess: Option<u64>,
    /// When it was created, where told.
    pub started: Option<FileTime>,
    /// When it ended, where seen.
    pub ended: Option<FileTime>,
    /// What it did with sockets.
    pub tally: Tally,
    first_seen: FileTime,
    /// The PID or the EPROCESS address has been seen with another process since.
    replaced: bool,
    start_sources: Vec<ProcessSource>,
    end_sources: Vec<ProcessSource>,
    name: Option<(NameRank, String)>,
}

impl Process {
    fn new(pid: u32, first_seen: FileTime) -> Self {
        Self {
            pid,
            eprocess: None,
            started: None,
            ended: None,
            tally: Tally::default(),
            first_seen,
            replaced: false,
            start_sources: Vec::new(),
            end_sources: Vec::new(),
            name: None,
        }
    }

    /// Whether it may still run at the time of the event at hand.
    fn is_alive(&self) -> bool {
        self.ended.is_none() && !self.replaced
    }

    /// Whether the event tells another time of creation: it is of another process with this PID.
    fn was_created_apart_from(&self, event: &ProcessEvent) -> bool {
        match (self.started, event.created) {
            (Some(known), Some(told)) => told.since(known).saturating_abs() > SAME_MOMENT_100NS,
            // Created after this PID was first seen: the PID changed hands unseen.
            (None, Some(told)) => told.since(self.first_seen) > SAME_MOMENT_100NS,
            (_, None) => false,
        }
    }

    /// Whether it may have run until the end of the trace, so that a list taken then can name it.
    pub fn lasts(&self) -> bool {
        self.is_alive()
    }

    /// Image path or name as the trace tells it, and who told.
    pub fn image(&self) -> Option<(&str, ProcessSource)> {
        self.name.as_ref().map(|(rank, name)| {
            let source = match rank {
                NameRank::Mof => ProcessSource::Mof,
                NameRank::Live => ProcessSource::Live,
                NameRank::KernelProcess | NameRank::Cut => ProcessSource::KernelProcess,
            };
            (name.as_str(), source)
        })
    }

    /// Whether the name comes from an event that cuts long names, and is long enough to have been cut.
    pub fn image_may_be_cut(&self) -> bool {
        matches!(&self.name, Some((NameRank::Cut, name)) if name.len() >= 14)
    }

    fn offer_name(&mut self, event: &ProcessEvent) {
        let Some(image) = &event.image else { return };
        let rank = match event.source {
            ProcessSource::Mof => NameRank::Mof,
            ProcessSource::Live => NameRank::Live,
            ProcessSource::KernelProcess if event.image_may_be_cut => NameRank::Cut,
            ProcessSource::KernelProcess => NameRank::KernelProcess,
        };
        if self.name.as_ref().is_none_or(|(known, _)| rank < *known) {
            self.name = Some((rank, image.clone()));
        }
    }
}

/// Who an event belongs to, as far as it is known when it comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner {
    /// A process.
    Process(ProcessId),
    /// The process behind an EPROCESS address whose PID is not known yet; if it never is, the fallback.
    Eprocess(EpochId, Fallback),
    /// Nobody is known.
    Unknown,
}

/// What an owner has at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// Who.
    pub owner: Owner,
    /// Sockets that hold a port of the pool at hand.
    pub sockets: u32,
    /// Of these, sockets whose port number is not told.
    pub unnumbered: u32,
    /// Ports of all pools obtained so far.
    pub obtained: u64,
    /// Ports of all pools given back so far.
    pub released: u64,
    /// How old the ports of all pools are and became.
    pub ages: Ages,
}

/// To whom the events of an EPROCESS address belong, once that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decided {
    /// To its process.
    Eprocess,
    /// It is System's: to the process that a record header named.
    Fallback,
    /// It is System's, and no header named another.
    Nobody,
}

/// Who an event belongs to if its EPROCESS address stays unknown: the process that a record header named, or nobody.
pub type Fallback = Option<ProcessId>;

/// Number of a span of time in which an EPROCESS address stands for one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EpochId(u32);

impl EpochId {
    fn index(self) -> usize {
        self.0 as usize
    }
}

#[derive(Debug, Clone, Default)]
struct Epoch {
    process: Option<ProcessId>,
    waiting: BTreeMap<Fallback, Tally>,
}

/// All processes of a case.
#[derive(Debug, Default)]
pub struct ProcessTable {
    processes: Vec<Process>,
    /// The latest process of each PID.
    by_pid: FastMap<u32, ProcessId>,
    epochs: Vec<Epoch>,
    /// The current epoch of each EPROCESS address.
    by_eprocess: FastMap<u64, EpochId>,
    /// Tallies that wait in epochs.
    waiting: usize,
    /// What nobody is known for.
    unknown: Tally,
    /// Something counts for nobody known, since there were too many processes or addresses already.
    pub overflowed: bool,
}

impl ProcessTable {
    /// All processes, in the order in which they were first seen.
    pub fn processes(&self) -> &[Process] {
        &self.processes
    }

    fn get(&self, id: ProcessId) -> Option<&Process> {
        self.processes.get(id.index())
    }

    fn get_mut(&mut self, id: ProcessId) -> Option<&mut Process> {
        self.processes.get_mut(id.index())
    }

    fn latest(&self, pid: u32) -> Option<(ProcessId, &Process)> {
        let id = *self.by_pid.get(&pid)?;
        Some((id, self.get(id)?))
    }

    fn insert(&mut self, pid: u32, time: FileTime) -> ProcessId {
        if let Some(previous) = self.by_pid.get(&pid).copied()
            && let Some(previous) = self.get_mut(previous)
        {
            previous.replaced = true;
        }
        let number = self.processes.len();
        let Some(id) = u32::try_from(number).ok().filter(|_| number < MAX_PROCESSES).map(ProcessId) else {
            self.overflowed = true;
            return ProcessId::BEYOND;
        };
        self.processes.push(Process::new(pid, time));
        self.by_pid.insert(pid, id);
        id
    }

    /// The process with `pid` that runs at `time`, noted down where it was not known.
    pub fn running(&mut self, pid: u32, time: FileTime) -> ProcessId {
        match self.latest(pid) {
            Some((id, process)) if process.is_alive() => id,
            _ => self.insert(pid, time),
        }
    }

    /// The latest process with `pid`, also one that has ended; nobody is noted down.
    pub fn last_known(&self, pid: u32) -> Option<ProcessId> {
        self.latest(pid).map(|(id, _)| id)
    }

    /// The machine was started again: nobody runs any more, and every address is free.
    pub fn restart(&mut self) {
        for process in &mut self.processes {
            process.replaced = true;
        }
        self.by_eprocess.clear();
    }

    /// The process with `pid` and the object at `eprocess`, as a socket's create event states it.
    ///
    /// Another address than before means another process: the object's address is constant while a process lives.
    pub fn creator(&mut self, pid: u32, eprocess: u64, time: FileTime) -> ProcessId {
        let known = match self.latest(pid) {
            Some((id, process)) if process.is_alive() => {
                let same = eprocess == 0 || process.eprocess.is_none_or(|known| known == eprocess);
                same.then_some(id)
            }
            _ => None,
        };
        let id = known.unwrap_or_else(|| self.insert(pid, time));
        self.set_eprocess(id, eprocess);
        id
    }

    /// The process behind an EPROCESS address at this time; for address 0 the fallback, or nobody.
    ///
    /// `ending`: the event is one that a process still causes after its end (its handles are closed then).
    pub fn by_eprocess(&mut self, eprocess: u64, fallback: Fallback, ending: bool) -> Owner {
        if eprocess == 0 {
            return fallback.map_or(Owner::Unknown, Owner::Process);
        }
        let current = self.by_eprocess.get(&eprocess).copied();
        let usable = current.filter(|epoch| match self.process_of(*epoch) {
            Some(process) => ending || self.get(process).is_some_and(Process::is_alive),
            None => true,
        });
        let Some(epoch) = usable.or_else(|| self.begin_epoch(eprocess, None)) else { return Owner::Unknown };
        match self.process_of(epoch) {
            Some(process) => Owner::Process(process),
            None => Owner::Eprocess(epoch, fallback),
        }
    }

    /// PID of a process.
    pub fn pid(&self, id: ProcessId) -> Option<u32> {
        self.get(id).map(|process| process.pid)
    }

    /// What is counted for an owner, at this time.
    pub fn tally(&mut self, owner: Owner) -> &mut Tally {
        match owner {
            Owner::Process(id) => match self.processes.get_mut(id.index()) {
                Some(process) => &mut process.tally,
                None => &mut self.unknown,
            },
            Owner::Eprocess(id, fallback) => match self.epochs.get_mut(id.index()) {
                Some(Epoch { process: Some(process), .. }) => {
                    let process = if self.processes.get(process.index()).is_some_and(|p| is_kernel(p.pid)) {
                        fallback
                    } else {
                        Some(*process)
                    };
                    match process.and_then(|id| self.processes.get_mut(id.index())) {
                        Some(process) => &mut process.tally,
                        None => &mut self.unknown,
                    }
                }
                Some(epoch) => {
                    let is_full = self.waiting >= MAX_WAITING;
                    match epoch.waiting.entry(fallback) {
                        Entry::Occupied(known) => known.into_mut(),
                        Entry::Vacant(_) if is_full => {
                            self.overflowed = true;
                            &mut self.unknown
                        }
                        Entry::Vacant(new) => {
                            self.waiting += 1;
                            new.insert(Tally::default())
                        }
                    }
                }
                None => &mut self.unknown,
            },
            Owner::Unknown => &mut self.unknown,
        }
    }

    /// Sockets that hold a port of a pool now, for each owner that has any.
    pub fn held_in(&self, pool: PoolKey) -> Vec<Held> {
        let held = |owner: Owner, tally: &Tally| {
            let sockets = tally.held_by_pool.get(pool.index()).copied().filter(|held| *held > 0)?;
            let unnumbered = tally.unnumbered_by_pool.get(pool.index()).copied().unwrap_or(0);
            let (obtained, released) = (tally.ports_obtained, tally.ports_released);
            Some(Held { owner, sockets, unnumbered, obtained, released, ages: tally.ages })
        };
        let mut owners = Vec::new();
        for (id, process) in (0..).zip(&self.processes) {
            owners.extend(held(Owner::Process(ProcessId(id)), &process.tally));
        }
        for (id, epoch) in (0..).zip(&self.epochs) {
            for (fallback, tally) in &epoch.waiting {
                owners.extend(held(Owner::Eprocess(EpochId(id), *fallback), tally));
            }
        }
        owners.extend(held(Owner::Unknown, &self.unknown));
        owners
    }

    /// The process that an owner turned out to be, as an index into [`Self::processes`]; `None` where nobody is known.
    pub fn settled(&self, owner: Owner) -> Option<usize> {
        let process = match owner {
            Owner::Process(process) => process,
            Owner::Unknown => return None,
            Owner::Eprocess(epoch, fallback) => match self.process_of(epoch) {
                Some(process) if !self.pid(process).is_some_and(is_kernel) => process,
                _ => fallback?,
            },
        };
        Some(process.index()).filter(|index| *index < self.processes.len())
    }

    /// Index of a process into [`Self::processes`].
    pub fn index(&self, id: ProcessId) -> usize {
        id.index()
    }

    /// How an EPROCESS address has been decided that was not yet when it was asked for; `None` where it still waits.
    pub fn decided(&self, owner: Owner) -> Option<Decided> {
        let Owner::Eprocess(id, fallback) = owner else { return None };
        let process = self.epochs.get(id.index())?.process?;
        Some(match (self.pid(process).is_some_and(is_kernel), fallback) {
            (false, _) => Decided::Eprocess,
            (true, Some(_)) => Decided::Fallback,
            (true, None) => Decided::Nobody,
        })
    }

    /// Takes in a process event.
    pub fn observe(&mut self, event: &ProcessEvent, time: FileTime) {
        let id = match event.change {
            ProcessChange::Start => self.start(event, time),
            ProcessChange::End => self.end(event, time),
            ProcessChange::Rundown => self.rundown(event, time),
            ProcessChange::Defunct => match self.latest(event.pid) {
                Some((id, _)) => id,
                None => self.insert(event.pid, time),
            },
        };
        if event.change != ProcessChange::End
            && let Some(eprocess) = event.eprocess
        {
            self.set_eprocess(id, eprocess);
        }
        if let Some(process) = self.get_mut(id) {
            process.offer_name(event);
            if process.started.is_none() {
                process.started = event.created;
            }
        }
    }

    fn start(&mut self, event: &ProcessEvent, time: FileTime) -> ProcessId {
        let started = event.created.unwrap_or(time);
        let same = self.latest(event.pid).filter(|(_, process)| {
            let told_by_other = !process.start_sources.contains(&event.source);
            let seen_just_now = time.since(process.first_seen) <= SAME_MOMENT_100NS;
            process.is_alive() && told_by_other && seen_just_now
        });
        let id = match same {
            Some((id, _)) => id,
            None => {
                // The old life of the address, if any, is over: what waits for its PID must not get the new one.
                if let Some(eprocess) = event.eprocess {
                    self.by_eprocess.remove(&eprocess);
                }
                self.insert(event.pid, time)
            }
        };
        if let Some(process) = self.get_mut(id) {
            process.start_sources.push(event.source);
            // Kernel-Process states the exact time of creation, the kernel logger's event only has its own.
            if process.started.is_none() || event.created.is_some() {
                process.started = Some(started);
            }
        }
        id
    }

    fn end(&mut self, event: &ProcessEvent, time: FileTime) -> ProcessId {
        let told_by_other = |process: &Process| {
            let just_now = process.ended.is_some_and(|ended| time.since(ended).saturating_abs() <= SAME_MOMENT_100NS);
            just_now && !process.end_sources.contains(&event.source)
        };
        let id = match self.latest(event.pid) {
            Some((id, process))
                if (process.is_alive() || told_by_other(process)) && !process.was_created_apart_from(event) =>
            {
                id
            }
            _ => self.insert(event.pid, time),
        };
        if let Some(eprocess) = event.eprocess {
            self.set_eprocess(id, eprocess);
        }
        // A stated exit time is used where it agrees with the event's own; hours apart it is the clock that was set.
        let exited = event.exited.filter(|exited| exited.since(time).saturating_abs() <= 60 * FileTime::SECOND);
        if let Some(process) = self.get_mut(id) {
            if process.ended.is_none() || event.exited.is_some() {
                process.ended = Some(exited.unwrap_or(time));
            }
            process.end_sources.push(event.source);
        }
        id
    }

    fn rundown(&mut self, event: &ProcessEvent, time: FileTime) -> ProcessId {
        let same = self.latest(event.pid).filter(|(_, process)| {
            let other_object = match (event.eprocess, process.eprocess) {
                (Some(new), Some(known)) => new != known,
                _ => false,
            };
            process.is_alive() && !other_object && !process.was_created_apart_from(event)
        });
        match same {
            Some((id, _)) => id,
            None => self.insert(event.pid, time),
        }
    }

    fn process_of(&self, epoch: EpochId) -> Option<ProcessId> {
        self.epochs.get(epoch.index()).and_then(|epoch| epoch.process)
    }

    /// Notes that the object at `eprocess` is that of process `id`; what waited for the PID of this address gets it.
    fn set_eprocess(&mut self, id: ProcessId, eprocess: u64) {
        if eprocess == 0 {
            return;
        }
        if let Some(process) = self.get_mut(id) {
            process.eprocess = Some(eprocess);
        }
        if let Some(epoch) = self.by_eprocess.get(&eprocess).copied() {
            match self.process_of(epoch) {
                Some(known) if known == id => return,
                // The address belongs to another process now.
                Some(known) => {
                    if let Some(process) = self.get_mut(known) {
                        process.replaced = true;
                    }
                }
                None => {
                    self.resolve(epoch, id);
                    return;
                }
            }
        }
        self.begin_epoch(eprocess, Some(id));
    }

    fn begin_epoch(&mut self, eprocess: u64, process: Option<ProcessId>) -> Option<EpochId> {
        let number = self.epochs.len();
        let id = u32::try_from(number).ok().filter(|_| number < MAX_EPOCHS).map(EpochId);
        self.overflowed |= id.is_none();
        if id.is_some() {
            self.epochs.push(Epoch { process, waiting: BTreeMap::new() });
        }
        match id {
            Some(id) => self.by_eprocess.insert(eprocess, id),
            // What the address stood for is over.
            None => self.by_eprocess.remove(&eprocess),
        };
        id
    }

    fn resolve(&mut self, epoch: EpochId, id: ProcessId) {
        let kernel = self.pid(id).is_some_and(is_kernel);
        let Some(epoch) = self.epochs.get_mut(epoch.index()) else { return };
        epoch.process = Some(id);
        let waiting = std::mem::take(&mut epoch.waiting);
        self.waiting = self.waiting.saturating_sub(waiting.len());
        for (fallback, mut tally) in waiting {
            // System is named only for sockets that it created: an operation in its context says nothing.
            if kernel {
                self.fall_back(fallback, tally);
                continue;
            }
            tally.settle(|source| &mut source.eprocess);
            match self.get_mut(id) {
                Some(process) => process.tally.add(tally),
                None => self.unknown.add(tally),
            }
        }
    }

    fn fall_back(&mut self, fallback: Fallback, mut tally: Tally) {
        match fallback.and_then(|id| self.get_mut(id)) {
            Some(process) => {
                tally.settle(|source| &mut source.header_pid);
                process.tally.add(tally);
            }
            None => {
                tally.settle(|source| &mut source.unknown);
                self.unknown.add(tally);
            }
        }
    }

    /// Ends the analysis: what still waits for the PID of an EPROCESS address goes to the process that the record header
    /// named, or to nobody.
    pub fn finish(&mut self) {
        for index in 0..self.epochs.len() {
            let waiting = self.epochs.get_mut(index).map(|epoch| std::mem::take(&mut epoch.waiting));
            for (fallback, tally) in waiting.unwrap_or_default() {
                self.fall_back(fallback, tally);
            }
        }
    }

    /// What each owner did so far; what waits for the PID of an EPROCESS address is told apart.
    pub fn tallies(&self) -> impl Iterator<Item = (Owner, &Tally)> {
        let known = (0..).zip(&self.processes);
        let known = known.map(|(id, process)| (Owner::Process(ProcessId(id)), &process.tally));
        let waiting = (0..).zip(&self.epochs).flat_map(|(id, epoch)| {
            epoch.waiting.iter().map(move |(fallback, tally)| (Owner::Eprocess(EpochId(id), *fallback), tally))
        });
        known.chain(waiting).chain([(Owner::Unknown, &self.unknown)])
    }

    /// What belongs to nobody known.
    pub fn unknown(&self) -> &Tally {
        &self.unknown
    }
}
