//! The span of time whose happenings are counted; state is followed from the beginning.

use crate::time::FileTime;

/// From when to when happenings count, both ends included. The default: always.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Window {
    /// What happened before does not count.
    pub since: Option<FileTime>,
    /// What happened after it does not count, and what is held is what was held then.
    pub until: Option<FileTime>,
}

impl Window {
    /// Everything counts.
    pub fn is_open(self) -> bool {
        self == Self::default()
    }

    /// Whether it lies before the window.
    pub fn is_before(self, time: FileTime) -> bool {
        self.since.is_some_and(|since| time < since)
    }

    /// Whether it lies behind the window.
    pub fn is_after(self, time: FileTime) -> bool {
        self.until.is_some_and(|until| time > until)
    }

    /// Whether it lies in the window.
    pub fn contains(self, time: FileTime) -> bool {
        !self.is_before(time) && !self.is_after(time)
    }

    /// The part of a span that lies in the window; of one that lies outside, the nearest end of the window.
    pub fn part_of(self, (start, end): (FileTime, FileTime)) -> (FileTime, FileTime) {
        let within = |time: FileTime| {
            let time = self.since.map_or(time, |since| time.max(since));
            self.until.map_or(time, |until| time.min(until))
        };
        (within(start), within(end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_are_in_it() {
        let window = Window { since: Some(FileTime(10)), until: Some(FileTime(20)) };
        let inside = [9, 10, 20, 21].map(|time| window.contains(FileTime(time)));
        assert_eq!(inside, [false, true, true, false]);
        assert_eq!(window.part_of((FileTime(1), FileTime(15))), (FileTime(10), FileTime(15)));
        assert_eq!(window.part_of((FileTime(30), FileTime(40))), (FileTime(20), FileTime(20)));
        assert!(Window::default().contains(FileTime(i64::MIN)) && !window.is_open());
    }
}
