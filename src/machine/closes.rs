//! Sockets closed, and how many of them one right after the other: those that nothing was seen of before, which are older than the
//! trace, and those that gave a port back.

use crate::time::FileTime;

/// Sockets closed by one process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Closes {
    /// All of them.
    pub sockets: u64,
    /// Those of the moment at hand.
    now: Burst,
    /// Most at one moment.
    most: Burst,
}

/// Sockets closed one right after the other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Burst {
    /// How many.
    pub sockets: u64,
    /// When the first was closed.
    pub first: FileTime,
    /// When the last was.
    pub last: FileTime,
}

/// What is closed later than this after another socket is closed for itself.
const APART_100NS: i64 = FileTime::SECOND;

impl Closes {
    /// One more is closed.
    pub(super) fn close(&mut self, now: FileTime) {
        self.sockets += 1;
        self.now = match self.now {
            Burst { sockets, first, last } if sockets > 0 && now.since(last) <= APART_100NS => {
                Burst { sockets: sockets + 1, first, last: now }
            }
            _ => Burst { sockets: 1, first: now, last: now },
        };
        if self.now.sockets > self.most.sockets {
            self.most = self.now;
        }
    }

    /// Adds what was counted elsewhere for the same process.
    pub(super) fn add(&mut self, other: Self) {
        self.sockets += other.sockets;
        if other.most.sockets > self.most.sockets {
            self.most = other.most;
        }
        if other.now.last > self.now.last {
            self.now = other.now;
        }
    }

    /// Most that were closed one right after the other.
    pub fn most_at_once(&self) -> Option<Burst> {
        Some(self.most).filter(|most| most.sockets > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_at_once_is_told_with_its_time() {
        let at = |second: i64| FileTime(second * FileTime::SECOND);
        let mut closed = Closes::default();
        assert_eq!(closed.most_at_once(), None);
        [0, 5, 20, 20, 21, 60].into_iter().for_each(|second| closed.close(at(second)));
        assert_eq!(closed.sockets, 6);
        assert_eq!(closed.most_at_once(), Some(Burst { sockets: 3, first: at(20), last: at(21) }));
    }
}
