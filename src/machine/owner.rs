//! Whose something is: processes by number, and EPROCESS addresses that stand for one.

use std::hash::{Hash, Hasher};

/// Process ids that stand for the kernel: Idle and System.
pub fn is_kernel(pid: u32) -> bool {
    matches!(pid, 0 | 4)
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
        state.write_u64(match *self {
            Self::Unknown => u64::MAX,
            Self::Process(process) => process.0.into(),
            Self::Eprocess(epoch, fallback) => {
                let fallback = fallback.map_or(u32::MAX, |process| process.0);
                u64::from(epoch.0 + 1) << 32 | u64::from(fallback)
            }
        });
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
