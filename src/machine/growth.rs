//! How what somebody holds has grown: when it came near to what it is now.

use crate::time::FileTime;

/// How a number of ports grew, in steps of an eighth.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Growth {
    /// When the first port was obtained.
    pub first: Option<FileTime>,
    /// When it last had become an eighth more than at the step before: since then it has grown by less.
    pub reached: Option<FileTime>,
    /// The next step.
    next: u64,
}

/// What was seen for less than this says nothing about growth.
const MEASURABLE_100NS: i64 = 10 * FileTime::SECOND;

impl Growth {
    /// So many are held now.
    #[inline]
    pub(super) fn see(&mut self, held: u64, now: FileTime) {
        if held >= self.next {
            self.next = held + held / 8 + 1;
            self.reached = Some(now);
            self.first.get_or_insert(now);
        }
    }

    /// Of two that hold together.
    pub fn add(&mut self, other: Self) {
        self.first = match (self.first, other.first) {
            (Some(one), Some(two)) => Some(one.min(two)),
            (one, two) => one.or(two),
        };
        self.reached = self.reached.max(other.reached);
        self.next = self.next.max(other.next);
    }

    /// Whether it has grown by less than an eighth in the later half of the time from the first port until then.
    pub fn is_flat(&self, until: FileTime) -> bool {
        let (Some(first), Some(reached)) = (self.first, self.reached) else { return false };
        let all = until.since(first);
        all >= MEASURABLE_100NS && until.since(reached) >= all / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grown(steps: impl Iterator<Item = (u64, i64)>) -> Growth {
        let mut growth = Growth::default();
        steps.for_each(|(held, second)| growth.see(held, FileTime(second * FileTime::SECOND)));
        growth
    }

    #[test]
    fn a_plateau_is_flat_and_a_leak_is_not() {
        let at = |second: i64| FileTime(second * FileTime::SECOND);
        let plateau = grown((0..900).map(|n| (n, 0)).chain((900..960).map(|n| (n, 60 + n as i64))));
        assert!(plateau.is_flat(at(1000)));
        let leak = grown((1..1000).map(|n| (n, n as i64)));
        assert!(!leak.is_flat(at(1000)));
        assert!(leak.is_flat(at(5000)), "it has stopped");
        assert!(!plateau.is_flat(at(5)), "nobody knows yet");
    }
}
