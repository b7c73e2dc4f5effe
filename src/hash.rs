//! Hash maps for keys that a trace chooses.
//!
//! Their order differs from run to run: nothing that is printed may follow it.

use std::collections::{HashMap, HashSet};

use foldhash::fast::RandomState;

/// A hash map with a fast hash, whose seed is drawn when the program starts: a file cannot aim at collisions.
pub type FastMap<K, V> = HashMap<K, V, RandomState>;

/// A hash set of the same kind.
pub type FastSet<K> = HashSet<K, RandomState>;
