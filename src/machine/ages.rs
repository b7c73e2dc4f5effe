//! How old the ports are that somebody holds, and how old those became that were given back.

use crate::time::FileTime;

/// How old ports are: sums, so that ages at any moment follow from them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ages {
    /// Ports held, and the sum of the times since when, in 100 ns.
    held: (u64, i128),
    /// Ports given back, and the sum of the times that each was held.
    released: (u64, i128),
}

impl Ages {
    /// A port is held from now on.
    pub(super) fn hold(&mut self, since: FileTime) {
        self.held = (self.held.0 + 1, self.held.1 + i128::from(since.0));
    }

    /// A port held since then is given back.
    pub(super) fn release(&mut self, since: FileTime, now: FileTime) {
        self.held = (self.held.0.saturating_sub(1), self.held.1 - i128::from(since.0));
        self.released = (self.released.0 + 1, self.released.1 + i128::from(now.since(since)));
    }

    /// Adds the ages of other ports.
    pub fn add(&mut self, other: Self) {
        for (sum, more) in [(&mut self.held, other.held), (&mut self.released, other.released)] {
            *sum = (sum.0 + more.0, sum.1 + more.1);
        }
    }

    /// Ports held.
    pub fn held(&self) -> u64 {
        self.held.0
    }

    /// Mean age at `now` of the ports held, in 100 ns.
    pub fn of_held(&self, now: FileTime) -> Option<i128> {
        (self.held.0 > 0).then(|| i128::from(now.0) - self.held.1 / i128::from(self.held.0))
    }

    /// Mean age that ports given back had reached, in 100 ns.
    pub fn of_released(&self) -> Option<i128> {
        (self.released.0 > 0).then(|| self.released.1 / i128::from(self.released.0))
    }
}
