//! Holding ports: a socket's hold on one, and what an owner holds at one moment.

use super::ages::Ages;
use super::growth::Growth;
use super::owner::Owner;
use super::pool_key::PoolKey;
use crate::net::Family;
use crate::time::FileTime;

/// A socket's hold on a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hold {
    /// Who holds it.
    pub owner: Owner,
    /// The pool.
    pub pool: PoolKey,
    /// The port; `None` where the trace does not tell.
    pub port: Option<u16>,
    /// Since when.
    pub since: FileTime,
    /// It is a port of IPv4's pool of the same protocol too: the socket serves both families.
    pub dual: bool,
}

impl Hold {
    /// The other pool that the port is of, if it is of two.
    pub fn other_pool(&self) -> Option<PoolKey> {
        self.dual.then_some(PoolKey { family: Some(Family::Ipv4), ..self.pool })
    }
}

/// What an owner has at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// Who.
    pub owner: Owner,
    /// Distinct ports of the pool at hand.
    pub ports: u32,
    /// Of these, ports whose number is not told.
    pub unnumbered: u32,
    /// Ports of it obtained so far.
    pub obtained: u64,
    /// Ports of it given back so far.
    pub released: u64,
    /// Sockets closed so far that are older than the trace.
    pub closed_older: u64,
    /// How old the ports of all pools are and became.
    pub ages: Ages,
    /// How the number of ports of all pools grew.
    pub growth: Growth,
}
