//! Ranges of ports that processes reserve.

use super::owner::ProcessId;
use super::ranges::PoolRange;
use crate::event::RawPort;

/// A range of ports that a process reserved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reservation {
    /// Process.
    pub process: ProcessId,
    /// First port, as it stands in the event.
    pub start: RawPort,
    /// Ports.
    pub count: u16,
}

impl Reservation {
    /// Its first and last port within `range`, if it has any there.
    pub fn within(&self, range: PoolRange) -> Option<(u16, u16)> {
        let start = self.start_in(range);
        let end = start.saturating_add(self.count.saturating_sub(1));
        let has_any = overlap(range, start, u32::from(self.count)) > 0;
        has_any.then(|| (start.max(range.start), end.min(range.end())))
    }

    /// First port, read so that the range exists and lies in `range` if it can.
    fn start_in(&self, range: PoolRange) -> u16 {
        let exists = |start: u16| u32::from(start) + u32::from(self.count) <= 1 << 16;
        let [network, host] = [self.start.network(), self.start.host()];
        let overlaps = |start: u16| exists(start) && overlap(range, start, u32::from(self.count)) > 0;
        match (overlaps(network), overlaps(host)) {
            (false, true) => host,
            (true, _) => network,
            (false, false) if exists(host) && !exists(network) => host,
            (false, false) => network,
        }
    }
}

/// How many ports of `range` lie in the `count` ports from `start` on.
fn overlap(range: PoolRange, start: u16, count: u32) -> u32 {
    let end = u32::from(start) + count;
    let (from, to) = (u32::from(range.start).max(u32::from(start)), (u32::from(range.end()) + 1).min(end));
    to.saturating_sub(from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reservation_is_read_in_the_order_that_makes_sense() {
        let range = crate::machine::ranges::DEFAULT_RANGE;
        let process = crate::machine::processes::ProcessTable::default().running(1, crate::time::FileTime(0));
        let reservation = |raw| Reservation { process, start: RawPort(raw), count: 4000 };
        assert_eq!(reservation(50_000).start_in(range), 50_000);
        assert_eq!(reservation(50_000_u16.swap_bytes()).start_in(range), 50_000);
        assert_eq!(overlap(range, 48_000, 2000), 848);
        assert_eq!(overlap(range, 65_000, 1000), 536);
        assert_eq!(overlap(range, 1000, 10), 0);
    }
}
