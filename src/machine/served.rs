//! Whether a pool was out of ports for some alone: whose requests failed, and who was given ports between the failures.

use super::counts::BoundedCounts;
use super::owner::Owner;

/// Owners that are told apart. Where there are more, nothing is said.
const MAX_OWNERS: usize = 64;

/// Ports given out between two failures that are counted: their number is then a lower bound.
const MAX_BETWEEN: usize = 1 << 10;

/// Who failed, and who was served meanwhile.
#[derive(Debug, Default)]
pub struct Served {
    /// Failures.
    pub failed: BoundedCounts<Owner, MAX_OWNERS>,
    /// Ports given out between two failures.
    pub given: BoundedCounts<Owner, MAX_OWNERS>,
    /// Failures that came after a port had been given out since the failure before.
    pub turns: u64,
    /// Who was given a port since the last failure: whether another one follows is not known yet.
    since: Vec<Owner>,
}

impl Served {
    /// A bind that asked for any port was given one.
    #[inline]
    pub(super) fn given(&mut self, owner: Owner) {
        if !self.failed.is_empty() && self.since.len() < MAX_BETWEEN {
            self.since.push(owner);
        }
    }

    /// A bind or connect found no port.
    pub(super) fn failed(&mut self, owner: Owner) {
        if !self.since.is_empty() {
            self.turns += 1;
            self.since.drain(..).for_each(|owner| self.given.add(owner));
        }
        self.failed.add(owner);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::owner::ProcessId;

    #[test]
    fn only_what_lies_between_failures_is_meanwhile() {
        let [fails, served] = [1, 2].map(|number| Owner::Process(ProcessId(number)));
        let mut pool = Served::default();
        pool.given(served);
        pool.failed(fails);
        for _ in 0..3 {
            pool.given(served);
        }
        pool.failed(fails);
        pool.failed(fails);
        pool.given(served);
        assert_eq!(pool.failed.iter().collect::<Vec<_>>(), vec![(fails, 3)]);
        assert_eq!((pool.given.iter().collect::<Vec<_>>(), pool.turns), (vec![(served, 3)], 1));
    }
}
