//! How what somebody holds has grown: when it came near to what it is now.

use crate::time::FileTime;

/// How a number of ports grew, in steps of a sixteenth.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Growth {
    /// When the first port was obtained.
    pub first: Option<FileTime>,
    /// When it reached each of the last three steps, the last one first. Since the third it has grown by an eighth at least,
    /// and by a fifth at most: a step alone may be a single port.
    reached: [Option<FileTime>; 3],
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
            self.next = held + held / 16 + 1;
            let [last, before, _] = self.reached;
            self.reached = [Some(now), last, before];
            self.first.get_or_insert(now);
        }
    }

    /// Of two that hold together.
    pub fn add(&mut self, other: Self) {
        self.first = match (self.first, other.first) {
            (Some(one), Some(two)) => Some(one.min(two)),
            (one, two) => one.or(two),
        };
        for (reached, other) in self.reached.iter_mut().zip(other.reached) {
            *reached = (*reached).max(other);
        }
        self.next = self.next.max(other.next);
    }

    /// Whether it has hardly grown (by less than a fifth) in the later half of the time from the first port until then.
    pub fn is_flat(&self, until: FileTime) -> bool {
        let [.., Some(reached)] = self.reached else { return false };
        let Some(first) = self.first else { return false };
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
        for more in 0..60 {
            let plateau = grown((1..900).map(|n| (n, 0)).chain((900..900 + more).map(|n| (n, n as i64))));
            assert!(plateau.is_flat(at(1000)), "{more}");
        }
        let leak = grown((1..1000).map(|n| (n, n as i64)));
        assert!(!leak.is_flat(at(1000)));
        assert!(leak.is_flat(at(5000)), "it has stopped");
        let plateau = grown((1..900).map(|n| (n, 0)));
        assert!(!plateau.is_flat(at(5)) && plateau.is_flat(at(10)), "nobody knows at once");
    }
}
