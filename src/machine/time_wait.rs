//! Ports of closed connections, which nobody can have until TIME_WAIT is over.
//!
//! An estimate: AFD's events do not tell which side closed first, and only that side waits. Each closed TCP socket that
//! had connected counts.

use std::collections::VecDeque;

use super::owner::{Owner, PackedOwner};
use crate::hash::FastMap;
use crate::time::FileTime;

/// The shorter of the two lengths that sources give: 2 minutes (default since Windows Server 2016 as measured).
pub const SHORT_100NS: i64 = 120 * FileTime::SECOND;
/// The longer: 4 minutes (Microsoft's page on port exhaustion).
pub const LONG_100NS: i64 = 240 * FileTime::SECOND;

/// Releases that are remembered: one for each port, and as many whose number is not known or that were overtaken by a
/// newer one. A machine can have no more ports than that in TIME_WAIT.
const MAX_RELEASES: usize = 2 << 16;

/// So many ports given again too early, and such a part of all (one in ten), show that ports do not wait so long here: the other
/// side closes first, or TIME_WAIT is shorter.
const MANY_EARLY: u64 = 64;
const EARLY_SHARE: u64 = 10;

/// TIME_WAIT as the value of TCPIP's global parameters states it: milliseconds, or seconds, since no source gives the
/// unit and the two do not overlap; `None` for a value that is neither. Windows accepts 30 to 300 seconds.
pub fn stated_length_100ns(value: u32) -> Option<i64> {
    const MILLISECOND: i64 = FileTime::SECOND / 1000;
    match value {
        30..=300 => Some(i64::from(value) * FileTime::SECOND),
        30_000..=300_000 => Some(i64::from(value) * MILLISECOND),
        _ => None,
    }
}

/// Ports in TIME_WAIT, for both lengths.
#[derive(Debug)]
pub struct TimeWait {
    /// Those that wait with the longer length, oldest first; a port that was taken again stays until its time is over.
    releases: VecDeque<Release>,
    /// Number of the first of them; those of the others follow it.
    first: u64,
    /// How many at the front do not wait any more with the shorter length.
    past_short: usize,
    /// Number of the release that each port waits for, 0 for none; allocated once something waits.
    current: Vec<u64>,
    counts: (u32, u32),
    /// Those whose number is not known, with the longer length.
    unnumbered: u32,
    /// Releases of known numbers so far, and those whose port was given again before it could have waited the shorter length.
    numbered: u64,
    early: u64,
    /// Whose those are that wait with the shorter length: their number adds up to the first of `counts`.
    owners: FastMap<Owner, u32>,
    lengths_100ns: (i64, i64),
}

/// Small: there are as many as ports.
#[derive(Debug, Clone, Copy)]
struct Release {
    time: FileTime,
    owner: PackedOwner,
    port: Option<u16>,
}

impl Default for TimeWait {
    fn default() -> Self {
        Self {
            releases: VecDeque::new(),
            first: 1,
            past_short: 0,
            current: Vec::new(),
            counts: (0, 0),
            unnumbered: 0,
            numbered: 0,
            early: 0,
            owners: FastMap::default(),
            lengths_100ns: (SHORT_100NS, LONG_100NS),
        }
    }
}

impl TimeWait {
    /// The trace tells the length: both are that.
    pub fn set_length(&mut self, length_100ns: i64) {
        self.lengths_100ns = (length_100ns, length_100ns);
    }

    /// Shorter and longer length in seconds; the same where the trace tells.
    pub fn seconds(&self) -> (i64, i64) {
        (self.lengths_100ns.0 / FileTime::SECOND, self.lengths_100ns.1 / FileTime::SECOND)
    }

    /// Forgets what waits.
    pub fn restart(&mut self) {
        *self = Self { lengths_100ns: self.lengths_100ns, ..Self::default() };
    }

    /// A port was given back by a socket of `owner`; `None` where its number is not known.
    pub fn released(&mut self, port: Option<u16>, owner: Owner, now: FileTime) {
        self.expire(now);
        if let Some(port) = port {
            self.numbered += 1;
            self.waits_not(port);
        }
        if self.releases.len() >= MAX_RELEASES {
            self.forget_overtaken();
        }
        if let Some(port) = port {
            if self.current.is_empty() {
                self.current = vec![0; 1 << 16];
            }
            let number = self.number(self.releases.len());
            if let Some(current) = self.current.get_mut(usize::from(port)) {
                *current = number;
            }
        }
        self.unnumbered += u32::from(port.is_none());
        self.counts.0 += 1;
        self.counts.1 += 1;
        *self.owners.entry(owner).or_default() += 1;
        self.releases.push_back(Release { time: now, owner: owner.into(), port });
    }

    /// The number of the release in this place.
    fn number(&self, place: usize) -> u64 {
        self.first + place as u64
    }

    /// A port is in use again.
    pub fn taken(&mut self, port: u16) {
        let is_early = self.waits_not(port);
        self.early += u64::from(is_early);
    }

    /// Whether ports were given again before they could have waited, so many that what is left is no estimate either.
    pub fn is_refuted(&self) -> bool {
        self.early >= MANY_EARLY && self.early * EARLY_SHARE >= self.numbered
    }

    /// A port does not wait any more: whether it did with the shorter length.
    fn waits_not(&mut self, port: u16) -> bool {
        let Some(current) = self.current.get_mut(usize::from(port)) else { return false };
        let number = std::mem::take(current);
        if number == 0 {
            return false;
        }
        self.counts.1 = self.counts.1.saturating_sub(1);
        if number >= self.number(self.past_short)
            && let Some(owner) = self.release(number).map(|release| release.owner)
        {
            self.waits_no_more(owner.into());
            return true;
        }
        false
    }

    /// One waits no more with the shorter length.
    fn waits_no_more(&mut self, owner: Owner) {
        self.counts.0 = self.counts.0.saturating_sub(1);
        if let Some(count) = self.owners.get_mut(&owner) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.owners.remove(&owner);
            }
        }
    }

    /// The release with this number.
    fn release(&self, number: u64) -> Option<&Release> {
        let place = number.checked_sub(self.first)?;
        self.releases.get(usize::try_from(place).ok()?)
    }

    /// Ports that wait now, with the shorter and the longer length.
    pub fn counts(&mut self, now: FileTime) -> (u32, u32) {
        self.expire(now);
        self.counts
    }

    /// Ports that waited when it was last asked what time it is: at the last release, or the last [`Self::expire`].
    #[inline]
    pub(super) fn waiting(&self) -> (u32, u32) {
        self.counts
    }

    /// Of the ports that wait with the longer length, those whose number is not known.
    pub fn unnumbered(&self) -> u32 {
        self.unnumbered
    }

    /// Since when a port waits, with the longer length.
    pub fn since(&self, port: u16) -> Option<FileTime> {
        let number = self.current.get(usize::from(port)).copied().filter(|number| *number != 0)?;
        self.release(number).map(|release| release.time)
    }

    /// Whose the ports were that wait now, with the shorter length; `most` of them, the youngest, since no more can be left of
    /// the pool: the older ones whose number is not known have been taken again.
    pub fn owners(&mut self, now: FileTime, most: u32) -> Vec<(Owner, u32)> {
        self.expire(now);
        let mut counts = self.owners.clone();
        let mut too_many = self.counts.0.saturating_sub(most);
        let mut oldest = self.releases.iter().skip(self.past_short).filter(|release| release.port.is_none());
        while too_many > 0
            && let Some(release) = oldest.next()
        {
            too_many -= 1;
            counts.entry(release.owner.into()).and_modify(|count| *count = count.saturating_sub(1));
        }
        let mut counts: Vec<(Owner, u32)> = counts.into_iter().filter(|(_, count)| *count > 0).collect();
        counts.sort_unstable();
        counts
    }

    /// Forgets those that do not wait any more.
    #[inline]
    pub(super) fn expire(&mut self, now: FileTime) {
        let is_over = |release: Option<&Release>, length| release.is_some_and(|first| now.since(first.time) >= length);
        while is_over(self.releases.get(self.past_short), self.lengths_100ns.0) {
            self.end_short();
        }
        while is_over(self.releases.front(), self.lengths_100ns.1) {
            self.drop_first();
        }
    }

    /// The oldest release that waits with the shorter length does so no more.
    fn end_short(&mut self) {
        let number = self.number(self.past_short);
        let ended = self.releases.get(self.past_short).filter(|release| is_current(&self.current, release, number));
        if let Some(owner) = ended.map(|release| release.owner) {
            self.waits_no_more(owner.into());
        }
        self.past_short += 1;
    }

    fn drop_first(&mut self) {
        if self.past_short == 0 {
            self.end_short();
        }
        let Some(release) = self.releases.pop_front() else { return };
        let number = self.first;
        self.first += 1;
        self.past_short -= 1;
        self.unnumbered = self.unnumbered.saturating_sub(u32::from(release.port.is_none()));
        if is_current(&self.current, &release, number) {
            self.counts.1 = self.counts.1.saturating_sub(1);
            if let Some(current) = release.port.and_then(|port| self.current.get_mut(usize::from(port))) {
                *current = 0;
            }
        }
    }

    /// Before another one comes, drops what is not current; and of the rest the oldest, of which there can only be too many
    /// where port numbers are not known.
    fn forget_overtaken(&mut self) {
        let (mut number, mut past_short) = (self.first, 0);
        let first_short = self.number(self.past_short);
        self.releases.retain(|release| {
            let is_kept = is_current(&self.current, release, number);
            past_short += usize::from(is_kept && number < first_short);
            number += 1;
            is_kept
        });
        self.past_short = past_short;
        // Those that are left follow each other again.
        for (number, release) in (self.first..).zip(&self.releases) {
            if let Some(current) = release.port.and_then(|port| self.current.get_mut(usize::from(port))) {
                *current = number;
            }
        }
        while self.releases.len() >= MAX_RELEASES / 2 {
            self.drop_first();
        }
    }
}

/// Whether the port of a release has not been taken or given back again since.
fn is_current(current: &[u64], release: &Release, number: u64) -> bool {
    release.port.is_none_or(|port| current.get(usize::from(port)) == Some(&number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> FileTime {
        FileTime(seconds * FileTime::SECOND)
    }

    #[test]
    fn a_port_waits_for_both_lengths() {
        let mut waits = TimeWait::default();
        waits.released(Some(50_000), Owner::Unknown, at(0));
        waits.released(None, Owner::Unknown, at(60));
        assert_eq!(waits.counts(at(119)), (2, 2));
        assert_eq!(waits.owners(at(119), 2), vec![(Owner::Unknown, 2)]);
        assert_eq!(waits.owners(at(119), 1), vec![(Owner::Unknown, 1)]);
        assert_eq!(waits.counts(at(120)), (1, 2));
        assert_eq!(waits.owners(at(120), 2), vec![(Owner::Unknown, 1)]);
        assert_eq!((waits.since(50_000), waits.since(50_001)), (Some(at(0)), None));
        assert_eq!(waits.counts(at(240)), (0, 1));
        assert_eq!(waits.counts(at(300)), (0, 0));
    }

    #[test]
    fn the_length_is_that_of_the_trace_where_it_tells() {
        assert_eq!(stated_length_100ns(120_000), Some(120 * FileTime::SECOND));
        assert_eq!(stated_length_100ns(30), Some(30 * FileTime::SECOND));
        assert_eq!(stated_length_100ns(5), None);
        let mut waits = TimeWait::default();
        assert_eq!(waits.seconds(), (120, 240));
        waits.set_length(30 * FileTime::SECOND);
        waits.released(Some(50_000), Owner::Unknown, at(0));
        assert_eq!((waits.counts(at(29)), waits.counts(at(30))), ((1, 1), (0, 0)));
        assert_eq!(waits.seconds(), (30, 30));
    }

    #[test]
    fn a_port_released_again_waits_once_and_longer() {
        let mut waits = TimeWait::default();
        for second in 0..10 {
            waits.taken(50_000);
            waits.released(Some(50_000), Owner::Unknown, at(second));
        }
        assert_eq!(waits.counts(at(10)), (1, 1));
        assert_eq!(waits.owners(at(10), 100), vec![(Owner::Unknown, 1)]);
        assert_eq!(waits.counts(at(128)), (1, 1));
        assert_eq!(waits.counts(at(129)), (0, 1));
    }

    #[test]
    fn ports_that_are_given_again_at_once_did_not_wait() {
        let refuted = |seconds: i64| {
            let mut waits = TimeWait::default();
            for round in 0..8 {
                for port in 0..100 {
                    let now = round * seconds;
                    waits.expire(at(now));
                    waits.taken(50_000 + port);
                    waits.released(Some(50_000 + port), Owner::Unknown, at(now));
                }
            }
            waits.is_refuted()
        };
        assert_eq!((refuted(60), refuted(121)), (true, false));
    }

    #[test]
    fn memory_is_bounded_by_the_number_of_ports() {
        let mut waits = TimeWait::default();
        for number in 0..400_000_u32 {
            waits.released(Some((number % 1000) as u16), Owner::Unknown, at(1));
        }
        assert_eq!(waits.counts(at(1)), (1000, 1000));
        assert!(waits.releases.len() <= MAX_RELEASES);
        waits.taken(7);
        assert_eq!((waits.counts(at(1)), waits.since(7), waits.since(8)), ((999, 999), None, Some(at(1))));
        for _ in 0..400_000 {
            waits.released(None, Owner::Unknown, at(1));
        }
        assert!(waits.releases.len() <= MAX_RELEASES);
        let waiting = waits.counts(at(1)).0;
        assert_eq!(waits.owners(at(1), u32::MAX), vec![(Owner::Unknown, waiting)]);
        assert!(waits.owners(at(121), u32::MAX).is_empty() && waits.owners.is_empty());
    }
}
