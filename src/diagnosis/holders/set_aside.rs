//! Ports that are excluded from a pool, or reserved.

use std::collections::{BTreeMap, BTreeSet};

use super::Book;
use crate::machine::hold::Hold;
use crate::machine::pool_key::PoolKey;
use crate::machine::ranges::PoolRange;
use crate::machine::reservation::Reservation;
use crate::net::Protocol;
use crate::side::facts::ExcludedPorts;

impl Book<'_> {
    /// Ports that are excluded from the pool, or reserved; and how many of them no socket holds at the end.
    pub(super) fn set_aside(&self, key: PoolKey, range: PoolRange) -> (u32, u32) {
        let mut spans = excluded_spans(&self.side.excluded_ports, key, range);
        spans.extend(self.reservations(key).filter_map(|reservation| reservation.within(range)));
        // A persistent reservation is listed as excluded too: it must not count twice.
        let mut ports = ports_of(spans, range);
        let all = clamp(ports.len());
        if all > 0 {
            for port in self.held(key).filter_map(|hold| hold.port) {
                ports.remove(&port);
            }
        }
        (all, clamp(ports.len()))
    }

    /// Reservations in a pool: their events name no family, and are of TCP.
    fn reservations(&self, key: PoolKey) -> impl Iterator<Item = &Reservation> {
        let is_here = key.protocol == Some(Protocol::Tcp) && key.family.is_some();
        self.findings.world.ports.transport.reservations.iter().filter(move |_| is_here)
    }

    /// Ports of the pool that sockets hold at the end.
    fn held(&self, key: PoolKey) -> impl Iterator<Item = &Hold> {
        self.findings.sockets.held().filter(move |hold| hold.pool == key)
    }

    /// Ports that processes have reserved, without those that their sockets hold at the end, which are counted as held.
    pub(super) fn reserved(&self, key: PoolKey, range: PoolRange) -> BTreeMap<usize, u32> {
        let processes = &self.findings.world.processes;
        let mut reserved: BTreeMap<usize, u32> = BTreeMap::new();
        let mut reservations = self.reservations(key).peekable();
        if reservations.peek().is_none() {
            return reserved;
        }
        let held: BTreeSet<(usize, u16)> =
            self.held(key).filter_map(|hold| Some((processes.settled(hold.owner)?, hold.port?))).collect();
        for reservation in reservations {
            let Some((first, last)) = reservation.within(range) else { continue };
            let process = processes.index(reservation.process);
            let in_use = held.range((process, first)..=(process, last)).count();
            let free = (u32::from(last - first) + 1).saturating_sub(clamp(in_use));
            let sum = reserved.entry(process).or_default();
            *sum = sum.saturating_add(free);
        }
        reserved
    }
}

fn clamp(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// Ports of a range that listings say are excluded.
pub fn excluded_in(excluded: &[ExcludedPorts], key: PoolKey, range: PoolRange) -> BTreeSet<u16> {
    ports_of(excluded_spans(excluded, key, range), range)
}

fn excluded_spans(excluded: &[ExcludedPorts], key: PoolKey, range: PoolRange) -> Vec<(u16, u16)> {
    excluded
        .iter()
        .filter(|ports| Some(ports.protocol) == key.protocol && (ports.family.is_none() || ports.family == key.family))
        .map(|ports| (ports.start.max(range.start), ports.end.min(range.end())))
        .collect()
}

/// The ports of spans, first and last, that lie in `range`.
pub(in crate::diagnosis) fn ports_of(mut spans: Vec<(u16, u16)>, range: PoolRange) -> BTreeSet<u16> {
    spans.sort_unstable();
    let mut all = BTreeSet::new();
    // Each port is met once, however often listings name it.
    let mut next = Some(range.start);
    for (start, end) in spans {
        let Some(from) = next.map(|next| next.max(start)) else { break };
        if from <= end {
            all.extend(from..=end);
            next = end.checked_add(1);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::ranges::DEFAULT_RANGE;
    use crate::net::Family;

    #[test]
    fn excluded_ports_are_met_once() {
        let key = PoolKey::new(Protocol::Tcp, Family::Ipv4);
        let ports = |start, end| ExcludedPorts {
            source: 0,
            protocol: Protocol::Tcp,
            family: None,
            start,
            end,
            administered: false,
        };
        let few = [ports(65_535, 65_535), ports(50_000, 50_002), ports(50_001, 50_004), ports(1, 49_153)];
        let want = [49_152, 49_153, 50_000, 50_001, 50_002, 50_003, 50_004, 65_535];
        assert_eq!(excluded_in(&few, key, DEFAULT_RANGE), BTreeSet::from(want));
        // All of them each time took a quarter of an hour.
        let many = vec![ports(1, 65_535); 100_000];
        assert_eq!(excluded_in(&many, key, DEFAULT_RANGE).len(), 16_384);
    }
}
