//! How full pools were over the last minutes, as the machine listed them: from that follows when one will be full.

use std::collections::{BTreeMap, VecDeque};

use crate::diagnosis::forecast::{Forecast, Growth};
use crate::machine::pool_key::PoolKey;
use crate::time::FileTime;

/// What is older shows no present rate.
const SPAN_100NS: i64 = 600 * FileTime::SECOND;

/// Listings that show a rate; so many are kept, however old. Of a listing each second more are not needed.
const MIN_LISTINGS: usize = 6;
const MAX_LISTINGS: usize = 600;

/// Levels of all pools.
#[derive(Debug, Default)]
pub struct Filling {
    levels: BTreeMap<PoolKey, VecDeque<(FileTime, u32)>>,
}

impl Filling {
    /// Takes in that `used` ports of a pool were in use when the sockets were listed; a listing that is known already adds nothing.
    pub fn add(&mut self, key: PoolKey, listed: FileTime, used: u32) {
        let levels = self.levels.entry(key).or_default();
        if levels.back().is_some_and(|(last, _)| *last >= listed) {
            return;
        }
        levels.push_back((listed, used));
        let is_old = |levels: &VecDeque<(FileTime, u32)>| {
            levels.len() > MIN_LISTINGS && levels.front().is_some_and(|(time, _)| listed.since(*time) > SPAN_100NS)
        };
        while levels.len() > MAX_LISTINGS || is_old(levels) {
            levels.pop_front();
        }
    }

    /// When a pool of `usable` ports will be full, by how it grew; `None` where it does not fill, or too few listings are there.
    pub fn forecast(&self, key: PoolKey, usable: u32) -> Option<Forecast> {
        let levels = self.levels.get(&key).filter(|levels| levels.len() >= MIN_LISTINGS)?;
        let (first, middle, last) = (levels.front()?, levels.get(levels.len() / 2)?, levels.back()?);
        let growth =
            Growth { levels: [first.1, middle.1, last.1], length_100ns: last.0.since(first.0), in_use: last.1, usable };
        growth.forecast(last.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{Family, Protocol};

    fn filling(levels: impl IntoIterator<Item = (i64, u32)>) -> Option<Forecast> {
        let key = PoolKey::new(Protocol::Tcp, Family::Ipv4);
        let mut filling = Filling::default();
        for (second, used) in levels {
            filling.add(key, FileTime(second * FileTime::SECOND), used);
        }
        filling.forecast(key, 16_384)
    }

    #[test]
    fn a_pool_that_fills_has_an_end() {
        let forecast = filling((0..=10).map(|n| (n * 60, 10_000 + u32::try_from(n).unwrap() * 100))).unwrap();
        assert_eq!((forecast.free, forecast.per_minute), (5_384, 100.0));
        assert_eq!(forecast.full_at.since(FileTime(600 * FileTime::SECOND)) / FileTime::SECOND, 3_230);
    }

    #[test]
    fn a_plateau_a_step_and_a_few_listings_have_none() {
        assert_eq!(filling((0..20).map(|n| (n * 10, 9_000))), None);
        assert_eq!(filling((0..20).map(|n| (n * 10, if n < 10 { 1_000 } else { 9_000 }))), None);
        assert_eq!(filling((0..5).map(|n| (n * 10, 1_000 * u32::try_from(n).unwrap()))), None);
        assert_eq!(filling([(0, 1_000); 20]), None, "one listing, seen many times");
    }

    #[test]
    fn only_the_last_minutes_count_and_memory_is_bounded() {
        // Fast once, at rest for a quarter of an hour.
        let levels = (0..3_000).map(|second| (second, u32::try_from(second.min(2_000)).unwrap() * 5));
        assert_eq!(filling(levels), None);
        // Where listings are rare, some of them count that are older.
        assert!(filling((0..6).map(|n| (n * 3_600, 1_000 + u32::try_from(n).unwrap() * 900))).is_some());
        let mut filling = Filling::default();
        (0..100_000).for_each(|n| filling.add(PoolKey::default(), FileTime(n), 1));
        assert_eq!(filling.levels[&PoolKey::default()].len(), MAX_LISTINGS);
    }
}
