//! What was found out about EPROCESS addresses just now, so that it is not looked up again for each event.

use crate::machine::owner::ProcessId;

/// Addresses that are remembered. A machine has some hundred processes, of which a few dozen use sockets.
const SLOTS: usize = 256;

/// What is known of an address, as long as nothing has changed since.
#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    eprocess: u64,
    /// After so many changes it was found out; 0 for never.
    located_at: u64,
    created_at: u64,
    /// Who creates sockets with the object at this address.
    creator: Option<(u32, ProcessId)>,
}

/// Answers that hold until something changes.
#[derive(Debug)]
pub(super) struct Memo {
    slots: Vec<Slot>,
}

impl Default for Memo {
    fn default() -> Self {
        Self { slots: vec![Slot::default(); SLOTS] }
    }
}

/// Process objects are aligned to 16 bytes at least, and some KiB apart.
#[inline]
fn place(eprocess: u64) -> usize {
    (eprocess.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as usize
}

impl Memo {
    #[inline]
    fn slot(&self, eprocess: u64) -> Option<&Slot> {
        self.slots.get(place(eprocess)).filter(|slot| slot.eprocess == eprocess)
    }

    fn slot_for(&mut self, eprocess: u64) -> Option<&mut Slot> {
        let slot = self.slots.get_mut(place(eprocess))?;
        if slot.eprocess != eprocess {
            *slot = Slot { eprocess, ..Slot::default() };
        }
        Some(slot)
    }

    /// Whether a process that runs is known for this address, since so many changes.
    #[inline]
    pub(super) fn is_located(&self, eprocess: u64, changes: u64) -> bool {
        self.slot(eprocess).is_some_and(|slot| slot.located_at == changes)
    }

    /// Notes that one is.
    pub(super) fn locate(&mut self, eprocess: u64, changes: u64) {
        if let Some(slot) = self.slot_for(eprocess) {
            slot.located_at = changes;
        }
    }

    /// The process with this PID and address, where it was known at so many changes.
    #[inline]
    pub(super) fn creator(&self, pid: u32, eprocess: u64, changes: u64) -> Option<ProcessId> {
        let slot = self.slot(eprocess).filter(|slot| slot.created_at == changes)?;
        slot.creator.filter(|(known, _)| *known == pid).map(|(_, id)| id)
    }

    /// Notes it.
    pub(super) fn create(&mut self, pid: u32, eprocess: u64, id: ProcessId, changes: u64) {
        if let Some(slot) = self.slot_for(eprocess) {
            slot.created_at = changes;
            slot.creator = Some((pid, id));
        }
    }
}
