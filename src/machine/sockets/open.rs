//! The sockets that are followed, by AFD endpoint address: as many as are open, and some that have just been closed.

use super::life::Socket;
use crate::hash::FastMap;
use crate::machine::hold::Hold;
use crate::time::FileTime;

/// Sockets that are followed at once. A machine has 65,536 ports for each of four pools, and sockets without one.
const MAX_SOCKETS: usize = 1 << 20;

/// Below so many nothing is forgotten.
const MIN_SOCKETS: usize = 1 << 12;

/// A closed socket is remembered at least so long, for what still comes of it: its cleanup, or a completion.
const REMEMBERED_100NS: i64 = 60 * FileTime::SECOND;

/// Sockets by endpoint address.
#[derive(Debug)]
pub(super) struct OpenSockets {
    sockets: FastMap<u64, Socket>,
    /// Sockets at most.
    max: usize,
    /// At so many, closed ones are forgotten.
    limit: usize,
    /// New sockets to turn away before it is tried again to forget some.
    turn_away: usize,
    /// Stands for each socket that there is no room for, and for no longer than one event.
    passing: Socket,
    /// There was no room for a socket.
    pub(super) overflowed: bool,
}

impl Default for OpenSockets {
    fn default() -> Self {
        Self::with_limits(MIN_SOCKETS, MAX_SOCKETS)
    }
}

impl OpenSockets {
    fn with_limits(limit: usize, max: usize) -> Self {
        Self { sockets: FastMap::default(), max, limit, turn_away: 0, passing: Socket::default(), overflowed: false }
    }

    pub(super) fn get_mut(&mut self, endpoint: u64) -> Option<&mut Socket> {
        self.sockets.get_mut(&endpoint)
    }

    #[inline]
    pub(super) fn get_or_new(&mut self, endpoint: u64, now: FileTime) -> &mut Socket {
        if self.sockets.len() >= self.limit && !self.sockets.contains_key(&endpoint) && !self.make_room(now) {
            self.overflowed = true;
            self.passing = Socket::default();
            return &mut self.passing;
        }
        self.sockets.entry(endpoint).or_default()
    }

    /// Forgets closed sockets, or allows more; whether there is room now.
    #[cold]
    fn make_room(&mut self, now: FileTime) -> bool {
        if self.turn_away > 0 {
            self.turn_away -= 1;
            return false;
        }
        self.sockets.retain(|_, socket| socket.closed.is_none_or(|closed| now.since(closed) < REMEMBERED_100NS));
        if self.sockets.len() >= self.max {
            self.sockets.retain(|_, socket| socket.closed.is_none());
        }
        self.limit = (2 * self.sockets.len()).max(self.limit).min(self.max);
        let room = self.limit.saturating_sub(self.sockets.len());
        if room < self.max / 16 && self.limit == self.max {
            // Looking through all of them for each new one would take too long.
            self.turn_away = self.max / 16;
        }
        room > 0
    }

    /// What was counted so far does not count any more.
    pub(super) fn begin_to_count(&mut self) {
        self.sockets.values_mut().for_each(Socket::begin_to_count);
    }

    /// All addresses, in order.
    pub(super) fn endpoints(&self) -> Vec<u64> {
        let mut endpoints: Vec<u64> = self.sockets.keys().copied().collect();
        endpoints.sort_unstable();
        endpoints
    }

    /// Ports held now, in no order.
    pub(super) fn held(&self) -> impl Iterator<Item = &Hold> {
        self.sockets.values().filter_map(Socket::hold)
    }

    pub(super) fn clear(&mut self) {
        self.sockets.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: u64 = 1 << 10;

    fn open() -> OpenSockets {
        OpenSockets::with_limits(1 << 6, MAX as usize)
    }

    #[test]
    fn memory_is_bounded_and_open_sockets_stay() {
        let mut open = open();
        let at = |second: u64| FileTime(second as i64 * FileTime::SECOND);
        for endpoint in 1..=MAX / 2 {
            open.get_or_new(endpoint, at(0));
        }
        for endpoint in 1..=20 * MAX {
            let now = at(endpoint / 10);
            open.get_or_new(MAX + endpoint, now).closed = Some(now);
        }
        assert!(open.sockets.len() <= MAX as usize);
        assert!((1..=MAX / 2).all(|endpoint| open.sockets.contains_key(&endpoint)));
        assert!(open.sockets.contains_key(&(21 * MAX)) && !open.overflowed);
    }

    #[test]
    fn what_was_just_closed_is_remembered() {
        let mut open = open();
        for endpoint in 1..=MAX {
            let now = FileTime(endpoint as i64 * FileTime::SECOND);
            open.get_or_new(endpoint, now).closed = Some(now);
        }
        assert!(open.sockets.len() < MAX as usize);
        assert!((MAX - 59..=MAX).all(|endpoint| open.sockets.contains_key(&endpoint)));
    }

    #[test]
    fn where_all_stay_open_further_ones_pass() {
        let mut open = open();
        for endpoint in 0..MAX + 300 {
            open.get_or_new(endpoint, FileTime(1)).failed = true;
        }
        assert_eq!((open.sockets.len(), open.overflowed), (MAX as usize, true));
        assert!(!open.get_or_new(u64::MAX, FileTime(1)).failed, "nothing is kept of them");
    }
}
