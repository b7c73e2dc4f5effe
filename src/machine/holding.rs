//! Which sockets hold which port of a pool: sockets that share a port hold it once, and so does each of their owners.

use super::owner::Owner;
use crate::hash::FastMap;

/// A port, and who holds it.
#[derive(Debug, Clone, Copy)]
struct Slot {
    /// The socket that took it last.
    endpoint: u64,
    /// Whose the first of its sockets was.
    owner: Owner,
    /// Sockets that hold it.
    sockets: u16,
    /// It has been of several sockets at once: `shared` counts them.
    is_shared: bool,
}

const FREE: Slot = Slot { endpoint: 0, owner: Owner::Unknown, sockets: 0, is_shared: false };

/// Neighbouring ports, allocated together: most machines use few of all ports.
type Block = Box<[Slot; BLOCK_PORTS]>;

const BLOCK_PORTS: usize = 1 << 8;

/// The ports of a pool whose numbers are known.
#[derive(Debug, Default)]
pub(super) struct Holding {
    blocks: Vec<Option<Block>>,
    /// Sockets of each owner on ports of several sockets.
    shared: FastMap<(u16, Owner), u32>,
}

/// What taking a port, or giving it back, changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// The pool has a port less, or more.
    pub of_pool: bool,
    /// Its owner has one more, or less.
    pub of_owner: bool,
}

impl Holding {
    fn slot(&self, port: u16) -> Slot {
        let block = self.blocks.get(usize::from(port) / BLOCK_PORTS).and_then(Option::as_ref);
        block.and_then(|block| block.get(usize::from(port) % BLOCK_PORTS)).copied().unwrap_or(FREE)
    }

    /// Whether any socket holds the port.
    pub(super) fn holds(&self, port: u16) -> bool {
        self.slot(port).sockets > 0
    }

    /// The socket that took the port last, if it is held.
    pub(super) fn last_taken_by(&self, port: u16) -> Option<u64> {
        Some(self.slot(port)).filter(|slot| slot.sockets > 0).map(|slot| slot.endpoint)
    }

    /// A socket takes the port.
    pub(super) fn take(&mut self, port: u16, owner: Owner, endpoint: u64) -> Change {
        if self.blocks.is_empty() {
            self.blocks.resize_with((1 << 16) / BLOCK_PORTS, || None);
        }
        let block = self.blocks.get_mut(usize::from(port) / BLOCK_PORTS);
        let block = block.map(|block| block.get_or_insert_with(|| Box::new([FREE; BLOCK_PORTS])));
        let Some(slot) = block.and_then(|block| block.get_mut(usize::from(port) % BLOCK_PORTS)) else {
            return Change { of_pool: false, of_owner: false };
        };
        if slot.sockets == 0 {
            *slot = Slot { endpoint, owner, sockets: 1, is_shared: false };
            return Change { of_pool: true, of_owner: true };
        }
        if !slot.is_shared {
            slot.is_shared = true;
            self.shared.insert((port, slot.owner), u32::from(slot.sockets));
        }
        slot.sockets = slot.sockets.saturating_add(1);
        slot.endpoint = endpoint;
        let of_owner = self.shared.entry((port, owner)).or_default();
        *of_owner += 1;
        Change { of_pool: false, of_owner: *of_owner == 1 }
    }

    /// A socket of this owner gives the port back.
    pub(super) fn give_back(&mut self, port: u16, owner: Owner) -> Change {
        let nothing = Change { of_pool: false, of_owner: false };
        let block = self.blocks.get_mut(usize::from(port) / BLOCK_PORTS).and_then(Option::as_mut);
        let slot = block.and_then(|block| block.get_mut(usize::from(port) % BLOCK_PORTS));
        let Some(slot) = slot.filter(|slot| slot.sockets > 0) else { return nothing };
        slot.sockets -= 1;
        let of_pool = slot.sockets == 0;
        if !slot.is_shared {
            return Change { of_pool, of_owner: true };
        }
        let Some(of_owner) = self.shared.get_mut(&(port, owner)) else { return Change { of_pool, ..nothing } };
        *of_owner -= 1;
        let of_owner = *of_owner == 0;
        if of_owner {
            self.shared.remove(&(port, owner));
        }
        Change { of_pool, of_owner }
    }

    /// Nothing is held any more.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::owner::ProcessId;

    const ONE: Owner = Owner::Process(ProcessId(1));
    const TWO: Owner = Owner::Process(ProcessId(2));

    #[test]
    fn sockets_that_share_a_port_hold_it_once_for_the_pool_and_for_each_owner() {
        let mut holding = Holding::default();
        let change = |of_pool, of_owner| Change { of_pool, of_owner };
        assert_eq!(holding.take(5000, ONE, 11), change(true, true));
        assert_eq!(holding.take(5000, ONE, 12), change(false, false));
        assert_eq!(holding.take(5000, TWO, 13), change(false, true));
        assert_eq!(holding.last_taken_by(5000), Some(13));
        assert_eq!(holding.give_back(5000, ONE), change(false, false));
        assert_eq!(holding.give_back(5000, ONE), change(false, true));
        assert_eq!(holding.give_back(5000, TWO), change(true, true));
        assert_eq!(holding.give_back(5000, TWO), change(false, false), "a port is not given back twice");
        assert!(!holding.holds(5000) && holding.shared.is_empty());
        assert_eq!(holding.take(5000, TWO, 14), change(true, true));
        assert_eq!(holding.give_back(5000, TWO), change(true, true));
    }
}
