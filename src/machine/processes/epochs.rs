//! EPROCESS addresses over time: each stands for one process in a span of time, and may be known before its PID is.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use crate::hash::FastMap;
use crate::machine::owner::{EpochId, Fallback, ProcessId};
use crate::machine::tally::Tally;

/// Spans of time of EPROCESS addresses that are told apart: one for each process, and one for each address without.
pub(super) const MAX_EPOCHS: usize = 1 << 18;

/// Tallies that wait for the PID of an EPROCESS address: pairs of address and process of a header, a few for each process
/// that is older than the trace.
pub(super) const MAX_WAITING: usize = 1 << 16;

#[derive(Debug, Clone, Default)]
struct Epoch {
    process: Option<ProcessId>,
    /// The process is known by a record header alone, one that is reliable.
    by_location: bool,
    waiting: BTreeMap<Fallback, Tally>,
}

/// All spans of time in which an EPROCESS address stands for one process, and what waits for its PID.
#[derive(Debug, Default)]
pub(super) struct Epochs {
    epochs: Vec<Epoch>,
    /// The current epoch of each address.
    by_address: FastMap<u64, EpochId>,
    /// Rises whenever an address comes to stand for something else.
    pub(super) changes: u64,
    /// Tallies that wait in epochs.
    waiting: usize,
    /// There were too many addresses, or too much waited for theirs.
    pub(super) overflowed: bool,
}

impl Epochs {
    /// The span of time in which an address is now.
    #[inline]
    pub(super) fn current(&self, eprocess: u64) -> Option<EpochId> {
        self.by_address.get(&eprocess).copied()
    }

    /// The process that an address stands for in a span of time; `None` where its PID is not known yet.
    #[inline]
    pub(super) fn process(&self, epoch: EpochId) -> Option<ProcessId> {
        self.epochs.get(epoch.index()).and_then(|epoch| epoch.process)
    }

    /// An address stands for something else from now on; `None` where there is no room.
    pub(super) fn begin(&mut self, eprocess: u64, process: Option<ProcessId>) -> Option<EpochId> {
        self.changes += 1;
        let number = self.epochs.len();
        let id = u32::try_from(number).ok().filter(|_| number < MAX_EPOCHS).map(EpochId);
        self.overflowed |= id.is_none();
        if id.is_some() {
            self.epochs.push(Epoch { process, ..Epoch::default() });
        }
        match id {
            Some(id) => self.by_address.insert(eprocess, id),
            // What the address stood for is over.
            None => self.by_address.remove(&eprocess),
        };
        id
    }

    /// What the address stood for is over.
    pub(super) fn forget(&mut self, eprocess: u64) {
        self.changes += 1;
        self.by_address.remove(&eprocess);
    }

    /// The machine was started again: every address is free.
    pub(super) fn restart(&mut self) {
        self.changes += 1;
        self.by_address.clear();
    }

    /// What waits for the PID of an address, by the process that record headers named; `None` where there is no room.
    pub(super) fn waiting(&mut self, epoch: EpochId, fallback: Fallback) -> Option<&mut Tally> {
        let is_full = self.waiting >= MAX_WAITING;
        match self.epochs.get_mut(epoch.index())?.waiting.entry(fallback) {
            Entry::Occupied(known) => Some(known.into_mut()),
            Entry::Vacant(_) if is_full => {
                self.overflowed = true;
                None
            }
            Entry::Vacant(new) => {
                self.waiting += 1;
                Some(new.insert(Tally::default()))
            }
        }
    }

    /// Whether the process of a span of time is known by a record header alone.
    #[inline]
    pub(super) fn is_by_location(&self, epoch: EpochId) -> bool {
        self.epochs.get(epoch.index()).is_some_and(|epoch| epoch.by_location)
    }

    /// Notes whether it is.
    pub(super) fn set_by_location(&mut self, epoch: EpochId, by_location: bool) {
        if let Some(epoch) = self.epochs.get_mut(epoch.index()) {
            epoch.by_location = by_location;
        }
    }

    /// What waits for the PID of an address by the process of a record header, if anything does.
    pub(super) fn waits(&self, epoch: EpochId, fallback: Fallback) -> Option<&Tally> {
        self.epochs.get(epoch.index())?.waiting.get(&fallback)
    }

    /// The PID of an address is known now: what waited for it.
    pub(super) fn decide(&mut self, epoch: EpochId, process: ProcessId) -> BTreeMap<Fallback, Tally> {
        let Some(epoch) = self.epochs.get_mut(epoch.index()) else { return BTreeMap::new() };
        epoch.process = Some(process);
        let waiting = std::mem::take(&mut epoch.waiting);
        self.waiting = self.waiting.saturating_sub(waiting.len());
        waiting
    }

    /// Everything that still waits, in the order of the epochs, for good.
    pub(super) fn take_waiting(&mut self) -> Vec<(Fallback, Tally)> {
        self.waiting = 0;
        self.epochs.iter_mut().flat_map(|epoch| std::mem::take(&mut epoch.waiting)).collect()
    }

    /// Everything that waits, in the order of the epochs.
    pub(super) fn all_waiting(&self) -> impl Iterator<Item = (EpochId, Fallback, &Tally)> {
        // Mostly nothing does, of very many epochs.
        let epochs = if self.waiting > 0 { self.epochs.as_slice() } else { &[] };
        let epochs = (0..).zip(epochs).map(|(id, epoch)| (EpochId(id), epoch));
        epochs.flat_map(|(id, epoch)| epoch.waiting.iter().map(move |(fallback, tally)| (id, *fallback, tally)))
    }

    /// Everything that waits.
    pub(super) fn all_waiting_mut(&mut self) -> impl Iterator<Item = &mut Tally> {
        self.epochs.iter_mut().flat_map(|epoch| epoch.waiting.values_mut())
    }
}
