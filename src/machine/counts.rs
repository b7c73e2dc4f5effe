//! Counting things that a file can make as many of as it likes.

use std::hash::Hash;

use crate::hash::FastMap;

/// How often each of many things happened, as many as `MAX` of them.
#[derive(Debug)]
pub struct BoundedCounts<K, const MAX: usize> {
    counts: FastMap<K, u64>,
    /// Happenings of things that came when there were too many already.
    pub not_counted: u64,
}

impl<K, const MAX: usize> Default for BoundedCounts<K, MAX> {
    fn default() -> Self {
        Self { counts: FastMap::default(), not_counted: 0 }
    }
}

impl<K: Hash + Eq + Copy, const MAX: usize> BoundedCounts<K, MAX> {
    /// It happened once more.
    pub fn add(&mut self, key: K) {
        let is_full = self.counts.len() >= MAX;
        match self.counts.get_mut(&key) {
            Some(count) => *count += 1,
            None if is_full => self.not_counted += 1,
            None => {
                self.counts.insert(key, 1);
            }
        }
    }

    /// How many things are counted.
    pub fn len(&self) -> usize {
        self.counts.len()
    }

    /// Whether nothing is counted.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// All of them, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (K, u64)> {
        self.counts.iter().map(|(key, count)| (*key, *count))
    }
}
