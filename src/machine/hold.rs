//! Holding ports: a socket's hold on one, and what an owner holds at one moment.

use super::ages::Ages;
use super::owner::Owner;
use super::pool_key::PoolKey;
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
}

/// What an owner has at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// Who.
    pub owner: Owner,
    /// Sockets that hold a port of the pool at hand.
    pub sockets: u32,
    /// Of these, sockets whose port number is not told.
    pub unnumbered: u32,
    /// Ports of all pools obtained so far.
    pub obtained: u64,
    /// Ports of all pools given back so far.
    pub released: u64,
    /// How old the ports of all pools are and became.
    pub ages: Ages,
}
