//! What TCP/IP's ports add to the pools of sockets.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::{Acquired, Holding, PortOrder, Transport};
use crate::machine::moment::TransportShare;
use crate::machine::owner::ProcessId;
use crate::machine::pool_key::{Compartment, PoolKey};
use crate::machine::pools::Pool;
use crate::machine::ranges::PoolRange;
use crate::machine::seen_ports::SeenPorts;
use crate::net::{Family, Protocol};
use crate::time::FileTime;

/// A reference or holding, as counted for one pool.
struct Reference {
    port: u16,
    process: Option<ProcessId>,
    /// `None`: before the trace.
    since: Option<FileTime>,
    ip: Option<IpAddr>,
    waits: bool,
    is_closed_there: bool,
}

impl Transport {
    /// What this adds to a pool now. `pools` are those of the sockets that the trace saw binding. `by_address`: told apart by
    /// local address too.
    pub fn share(&mut self, key: PoolKey, range: PoolRange, pools: &[Pool], by_address: bool) -> TransportShare {
        let mut share = TransportShare::default();
        let Some(pool) = pools.get(key.index()) else { return share };
        let mut ports: BTreeMap<u16, (Option<ProcessId>, bool)> = BTreeMap::new();
        let mut closed_there: BTreeSet<u16> = BTreeSet::new();
        let mut taken: BTreeMap<u16, FileTime> = BTreeMap::new();
        let mut waiting: BTreeMap<u16, Option<ProcessId>> = BTreeMap::new();
        let mut at_addresses: BTreeSet<(IpAddr, Option<ProcessId>, u16)> = BTreeSet::new();
        self.each(key, range, pools, |reference| {
            share.in_use += 1;
            let Reference { port, process, since, ip, .. } = reference;
            if reference.waits {
                // The port of a service waits once for each of its connections; one that a socket gave back is counted
                // already.
                let is_counted = pool.holds(port) || pool.time_wait.since(port).is_some();
                if range.contains(port) && !is_counted {
                    let entry = waiting.entry(port).or_insert(process);
                    *entry = (*entry).max(process);
                }
                return;
            }
            let older = since.is_none();
            let waits_since = pool.time_wait.since(port);
            let is_taken_again = waits_since.zip(since).is_some_and(|(waits, since)| since > waits);
            if is_taken_again {
                share.taken_again.push(port);
            }
            let waits = waits_since.is_some() && !is_taken_again;
            if range.contains(port) && !pool.holds(port) && !waits {
                if reference.is_closed_there {
                    closed_there.insert(port);
                }
                if let Some(since) = since {
                    let entry = taken.entry(port).or_insert(since);
                    *entry = (*entry).min(since);
                }
                if let Some(ip) = ip.filter(|_| by_address) {
                    at_addresses.insert((ip, process, port));
                }
                let entry = ports.entry(port).or_insert((process, older));
                // The one that is known, and of several the smallest: maps have no order of their own.
                *entry = match (*entry, (process, older)) {
                    (kept @ (Some(_), _), (None, _)) => kept,
                    ((None, _), new @ (Some(_), _)) => new,
                    (kept, new) => kept.min(new),
                };
            }
        });
        waiting.retain(|port, _| !ports.contains_key(port));
        share.add_waiting(waiting.values().copied(), pool.time_wait.unnumbered());
        for (port, whose) in ports {
            let since = taken.get(&port).copied().filter(|_| !whose.1);
            share.add(port, whose, since, closed_there.contains(&port), pool.given);
        }
        let here = self.closed_there.values().filter(|(_, pool, _)| *pool == key);
        let of_sockets: BTreeSet<(ProcessId, u16)> =
            here.filter(|(_, _, port)| pool.holds(*port)).map(|(process, _, port)| (*process, *port)).collect();
        for (process, _) in of_sockets {
            *share.close_wait_of.entry(process).or_default() += 1;
        }
        for (ip, process, _) in at_addresses {
            *share.by_address.entry((ip, process)).or_default() += 1;
        }
        share
    }

    /// How many ports this adds to a pool now, those in TIME_WAIT among them.
    pub fn added(&mut self, key: PoolKey, range: PoolRange, pools: &[Pool]) -> u32 {
        let Some(pool) = pools.get(key.index()).filter(|_| self.in_use(key) > 0) else { return 0 };
        let mut added = SeenPorts::default();
        let mut count = 0;
        self.each(key, range, pools, |Reference { port, since, .. }| {
            let waits_since = pool.time_wait.since(port);
            let is_counted = waits_since.is_some_and(|waits| since.is_none_or(|since| since <= waits));
            if range.contains(port) && !pool.holds(port) && !is_counted && added.add(port) {
                count += 1;
            }
        });
        count
    }

    /// Goes through all references and holdings of a pool.
    fn each(&mut self, key: PoolKey, range: PoolRange, pools: &[Pool], mut with: impl FnMut(Reference)) {
        let (Some(protocol), Some(family)) = (key.protocol, key.family) else { return };
        let is_here = |holding: &&Holding| holding.pool(protocol) == key;
        let reference = |holding: &Holding, since| Reference {
            port: holding.local.port,
            process: holding.process,
            since,
            ip: Some(holding.local.ip),
            waits: holding.waits,
            is_closed_there: holding.is_closed_there,
        };
        match protocol {
            Protocol::Tcp => {
                if !self.acquired.is_empty() {
                    let order = self.decide_order(range, pools);
                    let other = if family == Family::Ipv4 { Family::Ipv6 } else { Family::Ipv4 };
                    let other = PoolKey { family: Some(other), ..key };
                    let holds = |key: PoolKey, port| pools.get(key.index()).is_some_and(|pool| pool.holds(port));
                    for (reference, Acquired { since, waits, is_closed_there }) in &self.acquired {
                        let port = order.read(reference.port);
                        let owner = self.endpoints.get(&reference.acquirer);
                        if owner.map_or(Compartment::OWN, |owner| owner.compartment) != key.compartment {
                            continue;
                        }
                        // What does not tell its family is IPv4's, unless a socket of IPv6 holds it.
                        let is_here = match owner.and_then(|owner| owner.family) {
                            Some(known) => known == family,
                            None if family == Family::Ipv4 => !holds(other, port),
                            None => holds(key, port),
                        };
                        if is_here {
                            let process = match waits {
                                Some(waits) => waits.process,
                                None => owner.map(|owner| owner.process),
                            };
                            let (since, waits) = (Some(*since), waits.is_some());
                            with(Reference {
                                port,
                                process,
                                since,
                                ip: None,
                                waits,
                                is_closed_there: *is_closed_there,
                            });
                        }
                    }
                }
                for holding in self.existing.values().filter(is_here) {
                    with(reference(holding, None));
                }
            }
            Protocol::Udp => {
                for holding in self.udp.values().filter(is_here) {
                    with(reference(holding, Some(holding.since)));
                }
            }
        }
    }

    /// The order in which more ports are those of known sockets; without any, that in which more lie in the range.
    pub(super) fn decide_order(&mut self, range: PoolRange, pools: &[Pool]) -> PortOrder {
        if let Some(order) = self.order {
            return order;
        }
        let is_held = |port: u16| {
            [Family::Ipv4, Family::Ipv6].iter().any(|family| {
                pools.get(PoolKey::new(Protocol::Tcp, *family).index()).is_some_and(|pool| pool.holds(port))
            })
        };
        let count = |order: PortOrder, fits: &dyn Fn(u16) -> bool| {
            self.acquired.keys().filter(|reference| fits(order.read(reference.port))).count()
        };
        let matches = |fits: &dyn Fn(u16) -> bool| (count(PortOrder::Network, fits), count(PortOrder::Host, fits));
        let (network, host) = matches(&is_held);
        if network != host {
            let order = if network > host { PortOrder::Network } else { PortOrder::Host };
            self.order = Some(order);
            return order;
        }
        let (network, host) = matches(&|port| range.contains(port));
        if host > network { PortOrder::Host } else { PortOrder::Network }
    }
}
