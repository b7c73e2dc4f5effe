//! The sockets that are followed, by AFD endpoint address: as many as are open, and some that have just been closed.

use std::collections::VecDeque;

use super::state::Socket;
use crate::hash::FastMap;
use crate::machine::hold::Hold;
use crate::time::FileTime;

/// Sockets that are followed at once. A machine has 65,536 ports for each of four pools, and sockets without one.
const MAX_SOCKETS: usize = 1 << 20;

/// So many closed sockets, of which a cleanup or a completion is still to come, are remembered however long ago that was.
const REMEMBERED: usize = 1 << 12;

/// So many are remembered that are closed and cleaned up: events of one operation come out of order by milliseconds, in which no
/// server closes as many. Room that is taken again soon is still in the cache.
const FINISHED: usize = 1 << 10;

/// Further ones are remembered for so long...
const REMEMBERED_100NS: i64 = 60 * FileTime::SECOND;

/// ...and no more than this. A server that opens 10,000 sockets a second closes so many in six seconds.
const MAX_CLOSED: usize = 1 << 16;

/// Places of sockets that were looked up just now: an operation's events follow each other.
const RECENT: usize = 1 << 8;

/// A socket that has just been closed, or of which nothing more is to come.
#[derive(Debug, Clone, Copy)]
struct Closed {
    place: u32,
    /// Which of the ends in that place.
    ends: u32,
}

/// One socket, or room for one.
#[derive(Debug, Default)]
struct Place {
    endpoint: u64,
    /// Ends of the sockets in this place so far: an older [`Closed`] is void.
    ends: u32,
    is_taken: bool,
    socket: Socket,
}

/// Sockets by endpoint address.
#[derive(Debug)]
pub(super) struct OpenSockets {
    /// Where each stands in `sockets`.
    places: FastMap<u64, u32>,
    sockets: Vec<Place>,
    /// Places that are free again.
    free: Vec<u32>,
    /// By the hash of the address. What is in that place now tells whether it still holds.
    recent: Vec<u32>,
    /// Closed ones of which something may still come, in the order of closing.
    closed: VecDeque<Closed>,
    /// Those that are closed and cleaned up.
    finished: VecDeque<Closed>,
    /// With so many in either, those are left out whose address has been used again: nothing else would where all addresses are.
    crowded: usize,
    /// Sockets at most.
    max: usize,
    /// Closed ones that are remembered.
    remembered: usize,
    max_finished: usize,
    /// Stands for each socket that there is no room for, and for no longer than one event.
    passing: Socket,
    /// There was no room for a socket.
    pub(super) overflowed: bool,
}

impl Default for OpenSockets {
    fn default() -> Self {
        Self::with_limits(REMEMBERED, FINISHED, MAX_SOCKETS)
    }
}

/// Addresses of kernel objects differ above their lowest four bits.
#[inline]
fn recent_place(endpoint: u64) -> usize {
    (endpoint.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as usize
}

impl OpenSockets {
    fn with_limits(remembered: usize, max_finished: usize, max: usize) -> Self {
        Self {
            places: FastMap::default(),
            sockets: Vec::new(),
            free: Vec::new(),
            recent: vec![0; RECENT],
            closed: VecDeque::new(),
            finished: VecDeque::new(),
            crowded: MAX_CLOSED,
            max,
            remembered,
            max_finished,
            passing: Socket::default(),
            overflowed: false,
        }
    }

    /// Where a socket stands.
    #[inline]
    fn place(&mut self, endpoint: u64) -> Option<u32> {
        let recent = self.recent.get_mut(recent_place(endpoint))?;
        let is_there = |place: &Place| place.is_taken && place.endpoint == endpoint;
        if self.sockets.get(*recent as usize).is_some_and(is_there) {
            return Some(*recent);
        }
        let place = *self.places.get(&endpoint)?;
        *recent = place;
        Some(place)
    }

    #[inline]
    pub(super) fn get_mut(&mut self, endpoint: u64) -> Option<&mut Socket> {
        let place = self.place(endpoint)?;
        self.sockets.get_mut(place as usize).map(|place| &mut place.socket)
    }

    #[inline]
    pub(super) fn get_or_new(&mut self, endpoint: u64, now: FileTime) -> &mut Socket {
        let recent = self.recent.get(recent_place(endpoint)).map_or(0, |recent| *recent as usize);
        let is_there = |place: &Place| place.is_taken && place.endpoint == endpoint;
        let place = if self.sockets.get(recent).is_some_and(is_there) { recent } else { self.find(endpoint, now) };
        match self.sockets.get_mut(place) {
            Some(place) => &mut place.socket,
            None => &mut self.passing,
        }
    }

    /// Where a socket stands, now if not before; beyond all places where there is no room for it.
    #[inline(never)]
    fn find(&mut self, endpoint: u64, now: FileTime) -> usize {
        let place = self.place(endpoint).or_else(|| self.add(endpoint, now));
        place.map_or(usize::MAX, |place| place as usize)
    }

    /// Room for another socket; `None` where there is none.
    fn add(&mut self, endpoint: u64, now: FileTime) -> Option<u32> {
        self.forget(now);
        if self.places.len() >= self.max && !self.forget_one() {
            self.overflowed = true;
            self.passing = Socket::default();
            return None;
        }
        let place = match self.free.pop() {
            Some(place) => place,
            None => {
                let place = u32::try_from(self.sockets.len()).ok()?;
                self.sockets.push(Place::default());
                place
            }
        };
        let room = self.sockets.get_mut(place as usize)?;
        *room = Place { endpoint, ends: room.ends, is_taken: true, socket: Socket::default() };
        self.places.insert(endpoint, place);
        if let Some(recent) = self.recent.get_mut(recent_place(endpoint)) {
            *recent = place;
        }
        Some(place)
    }

    /// A socket was closed; `is_finished`: nothing more is to come of it. To be told when either changes.
    pub(super) fn ended(&mut self, endpoint: u64, is_finished: bool) {
        let Some(number) = self.place(endpoint) else { return };
        let Some(place) = self.sockets.get_mut(number as usize) else { return };
        place.ends = place.ends.wrapping_add(1);
        let closed = Closed { place: number, ends: place.ends };
        if is_finished {
            self.finished.push_back(closed);
        } else {
            self.closed.push_back(closed);
        }
        if self.finished.len().max(self.closed.len()) > self.crowded {
            self.leave_out_void();
        }
    }

    #[cold]
    fn leave_out_void(&mut self) {
        let sockets = &self.sockets;
        for ended in [&mut self.closed, &mut self.finished] {
            ended.retain(|closed| still(sockets, *closed).is_some());
        }
        self.crowded = MAX_CLOSED.max(2 * self.finished.len().max(self.closed.len()));
    }

    /// Forgets closed sockets beyond what is remembered.
    fn forget(&mut self, now: FileTime) {
        while self.finished.len() > self.max_finished
            && let Some(closed) = self.finished.pop_front()
        {
            self.remove(closed);
        }
        while self.closed.len() > self.remembered
            && let Some(closed) = self.closed.front().copied()
        {
            let is_recent =
                |place: &Place| place.socket.closed.is_some_and(|closed| now.since(closed) < REMEMBERED_100NS);
            if self.closed.len() <= MAX_CLOSED && still(&self.sockets, closed).is_some_and(is_recent) {
                break;
            }
            self.closed.pop_front();
            self.remove(closed);
        }
    }

    /// Forgets the closed socket that tells least; whether there was one.
    #[cold]
    fn forget_one(&mut self) -> bool {
        while let Some(closed) = self.finished.pop_front().or_else(|| self.closed.pop_front()) {
            if self.remove(closed) {
                return true;
            }
        }
        false
    }

    fn remove(&mut self, closed: Closed) -> bool {
        let Some(endpoint) = still(&self.sockets, closed).map(|place| place.endpoint) else { return false };
        self.places.remove(&endpoint);
        if let Some(place) = self.sockets.get_mut(closed.place as usize) {
            place.is_taken = false;
            place.socket = Socket::default();
        }
        self.free.push(closed.place);
        true
    }

    /// What was counted so far does not count any more.
    pub(super) fn begin_to_count(&mut self) {
        self.sockets.iter_mut().for_each(|place| place.socket.begin_to_count());
    }

    /// All addresses, in order.
    pub(super) fn endpoints(&self) -> Vec<u64> {
        let mut endpoints: Vec<u64> = self.places.keys().copied().collect();
        endpoints.sort_unstable();
        endpoints
    }

    /// Ports held now, in no order.
    pub(super) fn held(&self) -> impl Iterator<Item = &Hold> {
        self.sockets.iter().filter_map(|place| place.socket.hold())
    }

    pub(super) fn clear(&mut self) {
        *self = Self { overflowed: self.overflowed, ..Self::with_limits(self.remembered, self.max_finished, self.max) };
    }
}

/// The socket that ended there, unless its address has been used again, or something else ended it.
fn still(sockets: &[Place], closed: Closed) -> Option<&Place> {
    let place = sockets.get(closed.place as usize)?;
    (place.is_taken && place.ends == closed.ends && place.socket.closed.is_some()).then_some(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: u64 = 1 << 10;

    fn open() -> OpenSockets {
        OpenSockets::with_limits(1 << 6, 1 << 6, MAX as usize)
    }

    fn close(open: &mut OpenSockets, endpoint: u64, now: FileTime, is_finished: bool) {
        open.get_or_new(endpoint, now).closed = Some(now);
        open.ended(endpoint, is_finished);
    }

    fn at(second: u64) -> FileTime {
        FileTime(second as i64 * FileTime::SECOND)
    }

    #[test]
    fn memory_is_bounded_and_open_sockets_stay() {
        for is_finished in [false, true] {
            let mut open = open();
            for endpoint in 1..=MAX / 2 {
                open.get_or_new(endpoint, at(0));
            }
            for endpoint in 1..=20 * MAX {
                close(&mut open, MAX + endpoint, at(endpoint / 10), is_finished);
            }
            assert!(open.places.len() <= MAX as usize && open.sockets.len() <= MAX as usize);
            assert!((1..=MAX / 2).all(|endpoint| open.places.contains_key(&endpoint)));
            assert!(open.places.contains_key(&(21 * MAX)) && !open.overflowed);
        }
    }

    #[test]
    fn what_was_just_closed_is_remembered() {
        let mut open = open();
        (1..=MAX).for_each(|endpoint| close(&mut open, endpoint, at(endpoint), false));
        assert!(open.places.len() < MAX as usize);
        assert!((MAX - 59..=MAX).all(|endpoint| open.places.contains_key(&endpoint)));
    }

    #[test]
    fn of_what_is_finished_only_the_last_are_remembered() {
        let mut open = open();
        for endpoint in 1..=MAX / 2 {
            close(&mut open, endpoint, at(1), false);
            open.ended(endpoint, true);
        }
        assert_eq!(open.places.len(), 65, "one more before each new one");
        assert!((MAX / 2 - 63..=MAX / 2).all(|endpoint| open.places.contains_key(&endpoint)));
    }

    #[test]
    fn an_address_that_is_used_again_stays() {
        let mut open = open();
        for endpoint in 1..=MAX {
            close(&mut open, 7_000_000, at(endpoint), true);
            *open.get_or_new(7_000_000, at(endpoint)) = Socket::default();
            close(&mut open, endpoint, at(endpoint), true);
        }
        assert!(open.places.contains_key(&7_000_000), "it is open");
        assert!(open.sockets.len() < 200 && open.finished.len() < 200, "{}", open.sockets.len());
    }

    #[test]
    fn memory_is_bounded_where_no_address_is_new() {
        let mut open = open();
        for number in 0..3 * MAX_CLOSED as u64 {
            for is_finished in [false, true] {
                let endpoint = 1 + number % 50;
                *open.get_or_new(endpoint, at(number)) = Socket::default();
                close(&mut open, endpoint, at(number), is_finished);
            }
            assert!(open.closed.len() <= MAX_CLOSED && open.finished.len() <= MAX_CLOSED);
        }
        assert_eq!(open.places.len(), 50);
    }

    #[test]
    fn where_all_stay_open_further_ones_pass() {
        let mut open = open();
        for endpoint in 0..MAX + 300 {
            open.get_or_new(endpoint, FileTime(1)).failed = true;
        }
        assert_eq!((open.places.len(), open.overflowed), (MAX as usize, true));
        assert!(!open.get_or_new(u64::MAX, FileTime(1)).failed, "nothing is kept of them");
    }
}
