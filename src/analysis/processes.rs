//! Processes over time: a PID with a life span, the EPROCESS address that stands for it, and how its name is known.
//!
//! PIDs and EPROCESS addresses are both reused, so every look-up is at a point in time: events must come in time order.

use std::collections::{BTreeMap, HashMap};

use super::pools::PoolKey;
use super::tally::Tally;
use crate::event::{ProcessChange, ProcessEvent, ProcessSource};
use crate::time::FileTime;

/// Two providers report the same start, and clocks of payload and header differ: what lies closer together than this
/// (100 ns units) is one happening. The largest difference seen in real traces is 1.2 ms; a PID is not reused that fast
/// without an end event in between.
const SAME_MOMENT_100NS: i64 = FileTime::SECOND;

/// Process ids that stand for the kernel: Idle and System.
pub fn is_kernel(pid: u32) -> bool {
    matches!(pid, 0 | 4)
}

/// Number of a process in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcessId(usize);

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
pub struct EpochId(usize);

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
    by_pid: HashMap<u32, ProcessId>,
    epochs: Vec<Epoch>,
    /// The current epoch of each EPROCESS address.
    by_eprocess: HashMap<u64, EpochId>,
    /// What nobody is known for.
    unknown: Tally,
}

impl ProcessTable {
    /// All processes, in the order in which they were first seen.
    pub fn processes(&self) -> &[Process] {
        &self.processes
    }

    fn get(&self, id: ProcessId) -> Option<&Process> {
        self.processes.get(id.0)
    }

    fn get_mut(&mut self, id: ProcessId) -> Option<&mut Process> {
        self.processes.get_mut(id.0)
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
        let id = ProcessId(self.processes.len());
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
        let epoch = usable.unwrap_or_else(|| {
            let id = EpochId(self.epochs.len());
            self.epochs.push(Epoch::default());
            self.by_eprocess.insert(eprocess, id);
            id
        });
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
            Owner::Process(ProcessId(index)) => match self.processes.get_mut(index) {
                Some(process) => &mut process.tally,
                None => &mut self.unknown,
            },
            Owner::Eprocess(EpochId(index), fallback) => match self.epochs.get_mut(index) {
                Some(Epoch { process: Some(process), .. }) => {
                    let process = if self.processes.get(process.0).is_some_and(|p| is_kernel(p.pid)) {
                        fallback
                    } else {
                        Some(*process)
                    };
                    match process.and_then(|ProcessId(index)| self.processes.get_mut(index)) {
                        Some(process) => &mut process.tally,
                        None => &mut self.unknown,
                    }
                }
                Some(epoch) => epoch.waiting.entry(fallback).or_default(),
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
            Some(Held { owner, sockets, unnumbered, obtained, released })
        };
        let mut owners = Vec::new();
        for (index, process) in self.processes.iter().enumerate() {
            owners.extend(held(Owner::Process(ProcessId(index)), &process.tally));
        }
        for (index, epoch) in self.epochs.iter().enumerate() {
            for (fallback, tally) in &epoch.waiting {
                owners.extend(held(Owner::Eprocess(EpochId(index), *fallback), tally));
            }
        }
        owners.extend(held(Owner::Unknown, &self.unknown));
        owners
    }

    /// The process that an owner turned out to be, as an index into [`Self::processes`]; `None` where nobody is known.
    pub fn settled(&self, owner: Owner) -> Option<usize> {
        let ProcessId(index) = match owner {
            Owner::Process(process) => process,
            Owner::Unknown => return None,
            Owner::Eprocess(epoch, fallback) => match self.process_of(epoch) {
                Some(process) if !self.pid(process).is_some_and(is_kernel) => process,
                _ => fallback?,
            },
        };
        Some(index)
    }

    /// Index of a process into [`Self::processes`].
    pub fn index(&self, ProcessId(index): ProcessId) -> usize {
        index
    }

    /// How an EPROCESS address has been decided that was not yet when it was asked for; `None` where it still waits.
    pub fn decided(&self, owner: Owner) -> Option<Decided> {
        let Owner::Eprocess(EpochId(index), fallback) = owner else { return None };
        let process = self.epochs.get(index)?.process?;
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
        self.epochs.get(epoch.0).and_then(|epoch| epoch.process)
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
        let epoch = EpochId(self.epochs.len());
        self.epochs.push(Epoch { process: Some(id), waiting: BTreeMap::new() });
        self.by_eprocess.insert(eprocess, epoch);
    }

    fn resolve(&mut self, epoch: EpochId, id: ProcessId) {
        let kernel = self.pid(id).is_some_and(is_kernel);
        let Some(epoch) = self.epochs.get_mut(epoch.0) else { return };
        epoch.process = Some(id);
        for (fallback, mut tally) in std::mem::take(&mut epoch.waiting) {
            // System is named only for sockets that it created: an operation in its context says nothing.
            if kernel {
                self.fall_back(fallback, tally);
                continue;
            }
            tally.settle(|source| &mut source.eprocess);
            if let Some(process) = self.get_mut(id) {
                process.tally.add(tally);
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
        let known = self.processes.iter().enumerate();
        let known = known.map(|(index, process)| (Owner::Process(ProcessId(index)), &process.tally));
        let waiting = self.epochs.iter().enumerate().flat_map(|(index, epoch)| {
            epoch.waiting.iter().map(move |(fallback, tally)| (Owner::Eprocess(EpochId(index), *fallback), tally))
        });
        known.chain(waiting).chain([(Owner::Unknown, &self.unknown)])
    }

    /// What belongs to nobody known.
    pub fn unknown(&self) -> &Tally {
        &self.unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(change: ProcessChange, pid: u32, image: &str) -> ProcessEvent {
        ProcessEvent {
            source: ProcessSource::KernelProcess,
            change,
            pid,
            parent_pid: None,
            eprocess: None,
            created: None,
            exited: None,
            image: Some(image.to_owned()),
            image_may_be_cut: change == ProcessChange::End,
        }
    }

    fn at(seconds: i64) -> FileTime {
        FileTime(1_000_000 * FileTime::SECOND + seconds * FileTime::SECOND)
    }

    fn names(table: &ProcessTable) -> Vec<(u32, Option<&str>)> {
        table.processes().iter().map(|process| (process.pid, process.image().map(|(name, _)| name))).collect()
    }

    #[test]
    fn a_reused_pid_is_another_process() {
        let mut table = ProcessTable::default();
        table.observe(&event(ProcessChange::Start, 100, "a.exe"), at(1));
        let first = table.running(100, at(2));
        table.observe(&event(ProcessChange::End, 100, "a.exe"), at(3));
        table.observe(&event(ProcessChange::Start, 100, "b.exe"), at(3));
        let second = table.running(100, at(4));
        assert_ne!(first, second);
        assert_eq!(names(&table), [(100, Some("a.exe")), (100, Some("b.exe"))]);
        assert_eq!(table.processes()[0].ended, Some(at(3)));
    }

    #[test]
    fn two_providers_report_one_start_and_one_end() {
        let mut table = ProcessTable::default();
        let mof = |change| ProcessEvent { source: ProcessSource::Mof, eprocess: Some(0xE1), ..event(change, 7, "x") };
        table.observe(&event(ProcessChange::Start, 7, r"\Device\x.exe"), at(1));
        table.observe(&mof(ProcessChange::Start), at(1));
        table.observe(&mof(ProcessChange::End), at(9));
        table.observe(&event(ProcessChange::End, 7, "x.exe"), at(9));
        assert_eq!(names(&table), [(7, Some(r"\Device\x.exe"))]);
        assert_eq!(table.processes()[0].eprocess, Some(0xE1));
    }

    #[test]
    fn a_later_rundown_names_who_was_seen_before() {
        let mut table = ProcessTable::default();
        let process = table.running(50, at(1));
        let created = ProcessEvent { created: Some(at(-500)), ..event(ProcessChange::Rundown, 50, "old.exe") };
        table.observe(&created, at(2));
        assert_eq!(table.running(50, at(3)), process);
        assert_eq!(table.processes()[0].started, Some(at(-500)));
        // A rundown that tells a creation after the first sight is of another process.
        let mut table = ProcessTable::default();
        table.running(50, at(1));
        let created = ProcessEvent { created: Some(at(60)), ..event(ProcessChange::Rundown, 50, "new.exe") };
        table.observe(&created, at(100));
        assert_eq!(names(&table), [(50, None), (50, Some("new.exe"))]);
    }

    #[test]
    fn an_address_learned_later_settles_what_waited() {
        let mut table = ProcessTable::default();
        let header = table.running(900, at(1));
        let owner = table.by_eprocess(0xE1, Some(header), false);
        assert!(matches!(owner, Owner::Eprocess(..)));
        table.tally(owner).bind_failure(at(1));
        let known = table.creator(100, 0xE1, at(2));
        assert_eq!(table.by_eprocess(0xE1, None, false), Owner::Process(known));
        table.tally(owner).bind_failure(at(3));
        table.finish();
        let (processes, unknown) = (table.processes(), table.unknown());
        assert_eq!(processes[0].tally.bind_failures, 0);
        assert_eq!(processes[1].tally.bind_failures, 2);
        assert_eq!(processes[1].tally.owner_source.eprocess, 1);
        assert_eq!(unknown.bind_failures, 0);
    }

    #[test]
    fn what_never_gets_a_pid_goes_to_the_header_or_to_nobody() {
        let mut table = ProcessTable::default();
        let header = table.running(900, at(1));
        let owner = table.by_eprocess(0xE1, Some(header), false);
        table.tally(owner).bind_failure(at(1));
        let owner = table.by_eprocess(0xE1, None, false);
        table.tally(owner).bind_failure(at(2));
        table.finish();
        let (processes, unknown) = (table.processes(), table.unknown());
        assert_eq!((processes[0].tally.bind_failures, processes[0].tally.owner_source.header_pid), (1, 1));
        assert_eq!((unknown.bind_failures, unknown.owner_source.unknown), (1, 1));
    }

    #[test]
    fn an_address_is_free_again_after_its_process_ended() {
        let mut table = ProcessTable::default();
        let old = table.creator(100, 0xE1, at(1));
        table.observe(&event(ProcessChange::End, 100, "a.exe"), at(2));
        assert_eq!(table.by_eprocess(0xE1, None, true), Owner::Process(old), "its handles are closed after the end");
        let owner = table.by_eprocess(0xE1, None, false);
        assert!(matches!(owner, Owner::Eprocess(..)));
        let new = table.creator(200, 0xE1, at(4));
        assert_eq!(table.by_eprocess(0xE1, None, false), Owner::Process(new));
        assert_eq!(table.processes().len(), 2);
    }

    #[test]
    fn a_pid_with_another_address_is_another_process() {
        let mut table = ProcessTable::default();
        let first = table.creator(100, 0xE1, at(1));
        let second = table.creator(100, 0xE2, at(2));
        assert_ne!(first, second);
        assert_eq!(table.creator(100, 0xE2, at(3)), second);
    }

    #[test]
    fn full_names_win_over_cut_ones() {
        let mut table = ProcessTable::default();
        table.observe(&event(ProcessChange::End, 8, "a-very-long-na"), at(1));
        assert!(table.processes()[0].image_may_be_cut());
        let mof =
            ProcessEvent { source: ProcessSource::Mof, ..event(ProcessChange::Defunct, 8, "a-very-long-name.exe") };
        table.observe(&mof, at(2));
        assert_eq!(table.processes()[0].image(), Some(("a-very-long-name.exe", ProcessSource::Mof)));
    }
}
