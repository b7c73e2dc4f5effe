//! How full each pool is at one moment, and who holds most of it: what a timeline keeps at the end of each step.

use super::owner::{Owner, PackedOwner};
use super::pool_key::PoolKey;

/// Owners that are kept of each pool: the workers of a large farm, whose image is told as one.
pub(super) const LARGEST: usize = 256;

/// How full one pool is at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Level {
    /// The pool.
    pub pool: PoolKey,
    /// Ports that are held, in TIME_WAIT (with the shorter length) or TCP/IP's own.
    pub occupied: u32,
    /// Of these, ports that sockets hold.
    pub held: u32,
    /// Of these, ports in TIME_WAIT. Those of connections that were closed before the trace began are not among them, so that
    /// the number starts at 0 and grows for as long as TIME_WAIT lasts, on any machine.
    pub time_wait: u32,
    /// Who holds most ports by sockets, most first.
    pub(super) largest: Vec<(PackedOwner, u32)>,
}

/// Between which numbers of ports a pool went: those that sockets held, and in TIME_WAIT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LevelRange {
    /// The pool.
    pub pool: PoolKey,
    /// Fewest at one moment.
    pub least: u32,
    /// Most at one moment.
    pub most: u32,
}

impl Level {
    /// Who holds most ports by sockets, and how many, most first.
    pub fn largest(&self) -> impl Iterator<Item = (Owner, u32)> {
        self.largest.iter().map(|(owner, ports)| ((*owner).into(), *ports))
    }

    /// The range of a pool in which nothing happens.
    pub(super) fn at_rest(&self) -> LevelRange {
        let ports = self.held.saturating_add(self.time_wait);
        LevelRange { pool: self.pool, least: ports, most: ports }
    }

    /// Gives back room that no owner takes: very many levels are kept.
    pub(super) fn shrink(&mut self) {
        self.largest.shrink_to_fit();
    }

    /// Somebody holds so many ports of it.
    pub(super) fn add(&mut self, owner: Owner, ports: u32) {
        if ports > 0 {
            insert_largest(&mut self.largest, owner, ports);
        }
    }
}

/// The largest of several, most first; of equals the first owner.
fn insert_largest(largest: &mut Vec<(PackedOwner, u32)>, owner: Owner, ports: u32) {
    let before = |known: &(PackedOwner, u32)| known.1 > ports || known.1 == ports && Owner::from(known.0) < owner;
    let at = largest.partition_point(before);
    if at < LARGEST {
        largest.insert(at, (owner.into(), ports));
        largest.truncate(LARGEST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::owner::ProcessId;

    #[test]
    fn the_largest_are_kept_whatever_the_order() {
        let of = |order: &[u32]| {
            let mut largest = Vec::new();
            for n in order {
                insert_largest(&mut largest, Owner::Process(ProcessId(*n)), n % 350);
            }
            largest
        };
        let (up, down): (Vec<u32>, Vec<u32>) = ((0..700).collect(), (0..700).rev().collect());
        assert_eq!(of(&up), of(&down));
        assert_eq!((of(&up).len(), of(&up)[0]), (LARGEST, (Owner::Process(ProcessId(349)).into(), 349)));
    }
}
