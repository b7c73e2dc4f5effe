//! Whose something is: processes by number, and EPROCESS addresses that stand for one.

use std::hash::{Hash, Hasher};

/// PID of System.
pub const SYSTEM: u32 = 4;

/// Process ids that stand for the kernel: Idle and System.
pub fn is_kernel(pid: u32) -> bool {
    matches!(pid, 0 | SYSTEM)
}

/// Number of a process in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcessId(pub(super) u32);

impl ProcessId {
    /// A process that there was no room for. It is in no table, so what belongs to it counts for nobody known.
    pub(super) const BEYOND: Self = Self(u32::MAX);

    /// Where it stands in its table.
    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

/// Who an event belongs to, as far as it is known when it comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// A process.
    Process(ProcessId),
    /// The process behind an EPROCESS address whose PID is not known yet; if it never is, the fallback.
    Eprocess(EpochId, Fallback),
    /// Nobody is known.
    Unknown,
}

/// In one number: the derived one hashes part by part, for each bind.
impl Hash for Owner {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        let [low, high] = PackedOwner::from(*self).0;
        state.write_u64(u64::from(high) << 32 | u64::from(low));
    }
}

/// An owner in two thirds of the room, for what there is very much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PackedOwner([u32; 2]);

impl PackedOwner {
    /// In place of a fallback, and of an owner. No table of processes is as large.
    const NOBODY: u32 = u32::MAX - 1;
}

impl From<Owner> for PackedOwner {
    #[inline]
    fn from(owner: Owner) -> Self {
        Self(match owner {
            Owner::Unknown => [Self::NOBODY, 0],
            Owner::Process(process) => [process.0, 0],
            Owner::Eprocess(epoch, fallback) => [fallback.map_or(Self::NOBODY, |process| process.0), epoch.0 + 1],
        })
    }
}

impl From<PackedOwner> for Owner {
    #[inline]
    fn from(PackedOwner([process, epoch]): PackedOwner) -> Self {
        let process = (process != PackedOwner::NOBODY).then_some(ProcessId(process));
        match (epoch.checked_sub(1), process) {
            (Some(epoch), fallback) => Self::Eprocess(EpochId(epoch), fallback),
            (None, Some(process)) => Self::Process(process),
            (None, None) => Self::Unknown,
        }
    }
}

/// To whom the events of an EPROCESS address belong, once that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decided {
    /// To its process.
    Eprocess,
    /// To its process, which a record header names whose place in the driver makes it reliable.
    Location,
    /// It is System's: to the process that a record header named.
    Fallback,
    /// It is System's, and no header named another.
    Nobody,
}

/// Who an event belongs to if its EPROCESS address stays unknown: the process that a record header named, or nobody.
pub type Fallback = Option<ProcessId>;

/// Number of a span of time in which an EPROCESS address stands for one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EpochId(pub(super) u32);

impl EpochId {
    /// Where it stands in its table.
    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_is_the_same_when_it_was_packed() {
        let processes = [ProcessId(0), ProcessId(7), ProcessId::BEYOND];
        let fallbacks = processes.map(Some).into_iter().chain([None]);
        let by_eprocess = fallbacks.flat_map(|fallback| [0, 9].map(|epoch| Owner::Eprocess(EpochId(epoch), fallback)));
        let owners: Vec<Owner> =
            processes.map(Owner::Process).into_iter().chain([Owner::Unknown]).chain(by_eprocess).collect();
        let packed: Vec<PackedOwner> = owners.iter().copied().map(PackedOwner::from).collect();
        assert_eq!(packed.iter().copied().map(Owner::from).collect::<Vec<_>>(), owners);
        assert_eq!(size_of::<PackedOwner>(), 8);
    }
}
