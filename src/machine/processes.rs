//! Processes over time: a PID with a life span, the EPROCESS address that stands for it, and how its name is known.
//!
//! PIDs and EPROCESS addresses are both reused, so every look-up is at a point in time: events must come in time order.

mod epochs;
mod lives;
mod memo;
mod process;
#[cfg(test)]
mod tests;

use self::epochs::Epochs;
use self::lives::Lives;
use self::memo::Memo;
pub use self::process::Process;
use super::hold::{Held, Hold};
use super::owner::{Decided, EpochId, Fallback, Owner, ProcessId, is_kernel};
use super::pool_key::{Compartment, PoolKey};
use super::tally::{InPool, Tally};
use crate::event::{ProcessChange, ProcessEvent};
use crate::time::FileTime;

/// All processes of a case, and what is counted for each.
#[derive(Debug, Default)]
pub struct ProcessTable {
    lives: Lives,
    epochs: Epochs,
    /// What nobody is known for.
    unknown: Tally,
    /// Processes that have ended and still held ports.
    left_behind: Vec<ProcessId>,
    memo: Memo,
    /// Those that hold ports by sockets, and some that did, each once: of a case with many traces a small part of all.
    holders: Vec<ProcessId>,
    /// More than this, and those that hold none any more are left out.
    max_holders: usize,
    /// How often the address of a known process changed.
    moved: u64,
}

impl ProcessTable {
    /// All processes, in the order in which they were first seen.
    pub fn processes(&self) -> &[Process] {
        self.lives.all()
    }

    /// Whether something counts for nobody known, since there were too many processes or addresses already.
    pub fn overflowed(&self) -> bool {
        self.lives.overflowed || self.epochs.overflowed
    }

    /// The process with `pid` that runs at `time`, noted down where it was not known.
    pub fn running(&mut self, pid: u32, time: FileTime) -> ProcessId {
        self.lives.running(pid, time)
    }

    /// The latest process with `pid`, also one that has ended; nobody is noted down.
    pub fn last_known(&self, pid: u32) -> Option<ProcessId> {
        self.lives.latest(pid).map(|(id, _)| id)
    }

    /// The machine was started again: nobody runs any more, and every address is free.
    pub fn restart(&mut self) {
        self.lives.restart();
        self.epochs.restart();
    }

    /// The process with `pid` and the object at `eprocess`, as a socket's create event states it.
    #[inline]
    pub fn creator(&mut self, pid: u32, eprocess: u64, time: FileTime) -> ProcessId {
        match self.memo.creator(pid, eprocess, self.changes()) {
            Some(id) => id,
            None => self.look_up_creator(pid, eprocess, time),
        }
    }

    fn look_up_creator(&mut self, pid: u32, eprocess: u64, time: FileTime) -> ProcessId {
        let id = self.lives.creator(pid, eprocess, time);
        self.set_eprocess(id, eprocess);
        let is_known = self.epochs.current(eprocess).and_then(|epoch| self.epochs.process(epoch)) == Some(id);
        if is_known && self.lives.get(id).is_some_and(Process::is_alive) {
            self.memo.create(pid, eprocess, id, self.changes());
        }
        id
    }

    /// Rises whenever something changes that [`Memo`] answers by; never 0.
    #[inline]
    fn changes(&self) -> u64 {
        1 + self.lives.changes + self.epochs.changes + self.moved
    }

    /// The process behind an EPROCESS address at this time; for address 0 the fallback, or nobody.
    ///
    /// `ending`: the event is one that a process still causes after its end (its handles are closed then).
    pub fn by_eprocess(&mut self, eprocess: u64, fallback: Fallback, ending: bool) -> Owner {
        if eprocess == 0 {
            return fallback.map_or(Owner::Unknown, Owner::Process);
        }
        let usable = self.epochs.current(eprocess).filter(|epoch| match self.epochs.process(*epoch) {
            Some(process) => ending || self.lives.get(process).is_some_and(Process::is_alive),
            None => true,
        });
        let Some(epoch) = usable.or_else(|| self.epochs.begin(eprocess, None)) else { return Owner::Unknown };
        match self.epochs.process(epoch) {
            Some(process) => Owner::Process(process),
            None => Owner::Eprocess(epoch, fallback),
        }
    }

    /// Whether it may help to be told who is behind an EPROCESS address: nobody who runs was known for it just now.
    #[inline]
    pub fn is_unknown(&self, eprocess: u64) -> bool {
        eprocess != 0 && !self.memo.is_located(eprocess, self.changes())
    }

    /// Notes that a record header names the process of the object at `eprocess`, where that is reliable. What other events
    /// say about the address goes before it.
    pub fn locate(&mut self, pid: u32, eprocess: u64, time: FileTime) {
        let current = self.epochs.current(eprocess);
        let known = current.and_then(|epoch| self.epochs.process(epoch));
        if known.and_then(|known| self.lives.get(known)).is_some_and(Process::is_alive) {
            self.memo.locate(eprocess, self.changes());
            return;
        }
        let id = self.running(pid, time);
        // Another object than the one that the PID is known to have: one of the two is wrong, and nothing follows.
        if self.lives.get(id).and_then(|process| process.eprocess).is_some_and(|other| other != eprocess) {
            return;
        }
        if let Some(epoch) = current.filter(|_| known.is_none()) {
            self.decide(epoch, id, true);
        } else if let Some(epoch) = self.epochs.begin(eprocess, Some(id)) {
            self.epochs.set_by_location(epoch, true);
        }
    }

    /// Whether the process behind an EPROCESS address is known by a record header alone.
    pub fn is_by_location(&self, eprocess: u64) -> bool {
        self.epochs.current(eprocess).is_some_and(|epoch| self.epochs.is_by_location(epoch))
    }

    /// PID of a process.
    pub fn pid(&self, id: ProcessId) -> Option<u32> {
        self.lives.get(id).map(|process| process.pid)
    }

    fn stands_for_kernel(&self, id: ProcessId) -> bool {
        self.pid(id).is_some_and(is_kernel)
    }

    /// Ports of a pool that an owner holds now.
    pub fn held_by(&self, owner: Owner, pool: PoolKey) -> u32 {
        let tally = match owner {
            Owner::Eprocess(epoch, fallback) if self.epochs.process(epoch).is_none() => {
                self.epochs.waits(epoch, fallback)
            }
            owner => self.settled(owner).and_then(|index| self.processes().get(index)).map(|process| &process.tally),
        };
        tally.map_or(0, |tally| tally.in_pool(pool).ports)
    }

    /// The compartment of an owner's sockets, as TCP/IP last told it.
    pub fn compartment(&self, owner: Owner) -> Compartment {
        let process = self.settled(owner).and_then(|index| self.processes().get(index));
        process.map_or(Compartment::OWN, |process| process.compartment)
    }

    /// TCP/IP tells in which compartment a process has its sockets.
    pub fn set_compartment(&mut self, id: ProcessId, compartment: Compartment) {
        if let Some(process) = self.lives.get_mut(id) {
            process.compartment = compartment;
        }
    }

    /// Whether a process holds ports by sockets.
    pub fn holds_ports(&self, id: ProcessId) -> bool {
        self.lives.get(id).is_some_and(|process| process.tally.ports_held > 0)
    }

    /// Processes that have ended since this was asked for last, and still held ports then.
    pub fn take_left_behind(&mut self) -> Vec<ProcessId> {
        std::mem::take(&mut self.left_behind)
    }

    /// What is counted for an owner, at this time.
    pub fn tally(&mut self, owner: Owner) -> &mut Tally {
        let process = match owner {
            Owner::Process(id) => Some(id),
            Owner::Eprocess(epoch, fallback) => match self.epochs.process(epoch) {
                Some(process) if self.stands_for_kernel(process) => fallback,
                Some(process) => Some(process),
                None => return self.epochs.waiting(epoch, fallback).unwrap_or(&mut self.unknown),
            },
            Owner::Unknown => None,
        };
        match process.and_then(|id| self.lives.get_mut(id)) {
            Some(process) => &mut process.tally,
            None => &mut self.unknown,
        }
    }

    /// A socket begins to hold a port; `counts` where it is another one than its owner holds in this pool already. `is_instead`:
    /// another socket may turn out to have lost the port, and [`Tally::see_peak`] is to follow.
    pub fn hold(&mut self, hold: &Hold, counts: bool, is_instead: bool) {
        let tally = self.tally(hold.owner);
        if is_instead {
            tally.hold_instead(hold, counts);
        } else {
            tally.hold(hold, counts);
        }
        if tally.ports_held == 1
            && let Some(id) = self.settled_id(hold.owner)
        {
            self.list_holder(id);
        }
    }

    /// Whoever holds ports is listed.
    fn list_holder(&mut self, id: ProcessId) {
        let Some(process) = self.lives.get_mut(id).filter(|process| process.tally.ports_held > 0) else { return };
        if std::mem::replace(&mut process.is_holder, true) {
            return;
        }
        self.holders.push(id);
        if self.holders.len() > self.max_holders {
            let lives = &mut self.lives;
            self.holders.retain(|id| {
                let Some(process) = lives.get_mut(*id) else { return false };
                process.is_holder = process.tally.ports_held > 0;
                process.is_holder
            });
            self.max_holders = 2 * self.holders.len() + 64;
        }
    }

    /// What those did so far who hold ports by sockets now, in no order; what waits for the PID of an EPROCESS address is told
    /// apart.
    pub fn holders(&self) -> impl Iterator<Item = (Owner, &Tally)> {
        let known = self.holders.iter().filter_map(|id| Some((Owner::Process(*id), &self.lives.get(*id)?.tally)));
        known.chain(self.unsettled()).filter(|(_, tally)| tally.ports_held > 0)
    }

    /// What waits for the PID of an EPROCESS address, and what belongs to nobody known.
    fn unsettled(&self) -> impl Iterator<Item = (Owner, &Tally)> {
        let waiting = self.epochs.all_waiting();
        let waiting = waiting.map(|(epoch, fallback, tally)| (Owner::Eprocess(epoch, fallback), tally));
        waiting.chain([(Owner::Unknown, &self.unknown)])
    }

    /// Ports of a pool that are held now, for each owner that has any, by owner.
    pub fn held_in(&self, pool: PoolKey) -> Vec<Held> {
        let held = |(owner, tally): (Owner, &Tally)| {
            let InPool { ports, unnumbered, obtained, released } = tally.in_pool(pool);
            let closed_older = tally.closed_older.sockets;
            let (ages, growth) = (tally.ages, tally.growth);
            let held = Held { owner, ports, unnumbered, obtained, released, closed_older, ages, growth };
            (ports > 0).then_some(held)
        };
        let mut all: Vec<(Owner, &Tally)> = self.holders().collect();
        all.sort_unstable_by_key(|(owner, _)| *owner);
        all.into_iter().filter_map(held).collect()
    }

    /// The process that an owner turned out to be, as an index into [`Self::processes`]; `None` where nobody is known.
    pub fn settled(&self, owner: Owner) -> Option<usize> {
        self.settled_id(owner).map(ProcessId::index).filter(|index| *index < self.processes().len())
    }

    fn settled_id(&self, owner: Owner) -> Option<ProcessId> {
        match owner {
            Owner::Process(process) => Some(process),
            Owner::Unknown => None,
            Owner::Eprocess(epoch, fallback) => match self.epochs.process(epoch) {
                Some(process) if !self.stands_for_kernel(process) => Some(process),
                _ => fallback,
            },
        }
    }

    /// Index of a process into [`Self::processes`].
    pub fn index(&self, id: ProcessId) -> usize {
        id.index()
    }

    /// How an EPROCESS address has been decided that was not yet when it was asked for; `None` where it still waits.
    pub fn decided(&self, owner: Owner) -> Option<Decided> {
        let Owner::Eprocess(epoch, fallback) = owner else { return None };
        let process = self.epochs.process(epoch)?;
        Some(match (self.stands_for_kernel(process), fallback) {
            (false, _) if self.epochs.is_by_location(epoch) => Decided::Location,
            (false, _) => Decided::Eprocess,
            (true, Some(_)) => Decided::Fallback,
            (true, None) => Decided::Nobody,
        })
    }

    /// Takes in a process event.
    pub fn observe(&mut self, event: &ProcessEvent, time: FileTime) {
        let id = match event.change {
            ProcessChange::Start => {
                let (id, is_new) = self.lives.start(event, time);
                if is_new && let Some(eprocess) = event.eprocess {
                    // The old life of the address, if any, is over: what waits for its PID must not get the new one.
                    self.epochs.forget(eprocess);
                }
                id
            }
            ProcessChange::End => {
                let id = self.lives.end(event, time);
                if self.lives.get(id).is_some_and(|process| process.tally.ports_held > 0) {
                    self.left_behind.push(id);
                }
                id
            }
            ProcessChange::Rundown => {
                let before = self.lives.latest(event.pid).map(|(id, _)| id);
                let id = self.lives.rundown(event, time);
                // The PID changed hands while nothing was captured.
                self.left_behind.extend(before.filter(|before| *before != id && self.holds_ports(*before)));
                id
            }
            ProcessChange::Defunct => self.lives.defunct(event, time),
        };
        if let Some(eprocess) = event.eprocess {
            self.set_eprocess(id, eprocess);
        }
        if let Some(process) = self.lives.get_mut(id) {
            process.offer_name(event);
            if process.started.is_none() {
                process.started = event.created;
            }
        }
    }

    /// Notes that the object at `eprocess` is that of process `id`; what waited for the PID of this address gets it.
    fn set_eprocess(&mut self, id: ProcessId, eprocess: u64) {
        if eprocess == 0 {
            return;
        }
        if let Some(process) = self.lives.get_mut(id)
            && process.eprocess.replace(eprocess) != Some(eprocess)
        {
            self.moved += 1;
        }
        if let Some(epoch) = self.epochs.current(eprocess) {
            match self.epochs.process(epoch) {
                Some(known) if known == id => {
                    self.epochs.set_by_location(epoch, false);
                    return;
                }
                // The address belongs to another process now.
                Some(known) => {
                    if let Some(process) = self.lives.get_mut(known) {
                        process.replaced = true;
                    }
                }
                None => {
                    self.decide(epoch, id, false);
                    return;
                }
            }
        }
        self.epochs.begin(eprocess, Some(id));
    }

    /// An address stands for a process: it gets what waited for that.
    fn decide(&mut self, epoch: EpochId, id: ProcessId, by_location: bool) {
        for (fallback, tally) in self.epochs.decide(epoch, id) {
            self.settle(id, fallback, tally, by_location);
        }
        self.epochs.set_by_location(epoch, by_location);
    }

    fn settle(&mut self, id: ProcessId, fallback: Fallback, mut tally: Tally, by_location: bool) {
        // System is named only for sockets that it created: an operation in its context says nothing.
        if self.stands_for_kernel(id) {
            self.fall_back(fallback, tally);
            return;
        }
        tally.settle(|source| if by_location { &mut source.header_location } else { &mut source.eprocess });
        match self.lives.get_mut(id) {
            Some(process) => {
                process.tally.add(tally);
                self.list_holder(id);
            }
            None => self.unknown.add(tally),
        }
    }

    fn fall_back(&mut self, fallback: Fallback, mut tally: Tally) {
        match fallback.and_then(|id| Some((id, self.lives.get_mut(id)?))) {
            Some((id, process)) => {
                tally.settle(|source| &mut source.header_pid);
                process.tally.add(tally);
                self.list_holder(id);
            }
            None => {
                tally.settle(|source| &mut source.unknown);
                self.unknown.add(tally);
            }
        }
    }

    /// What was counted so far does not count any more.
    pub(super) fn begin_to_count(&mut self) {
        self.lives.all_mut().for_each(|process| process.tally.begin_to_count());
        self.epochs.all_waiting_mut().for_each(Tally::begin_to_count);
        self.unknown.begin_to_count();
    }

    /// Ends the analysis: what still waits for the PID of an EPROCESS address goes to the process that the record header
    /// named, or to nobody.
    pub fn finish(&mut self) {
        for (fallback, tally) in self.epochs.take_waiting() {
            self.fall_back(fallback, tally);
        }
    }

    /// What each owner did so far; what waits for the PID of an EPROCESS address is told apart.
    pub fn tallies(&self) -> impl Iterator<Item = (Owner, &Tally)> {
        let known = (0..).zip(self.processes());
        let known = known.map(|(id, process)| (Owner::Process(ProcessId(id)), &process.tally));
        known.chain(self.unsettled())
    }

    /// What belongs to nobody known.
    pub fn unknown(&self) -> &Tally {
        &self.unknown
    }
}
