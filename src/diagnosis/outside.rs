//! Ports that listings show in use, and that lie outside of the dynamic range: they count for no pool, and tell that the range may
//! have been another one, or that a program chooses its ports itself.

use std::collections::{BTreeMap, BTreeSet};

use super::grounds::Grounds;
use super::listings::{Who, last_moments};
use crate::machine::pool_key::PoolKey;
use crate::machine::ranges::{PoolRange, RangeSource};
use crate::net::{Family, Protocol};
use crate::side::facts::TcpState;

/// Fewer such ports are usual: servers have clients on ports of their own.
const MANY: usize = 1_000;

/// Ports outside of the range of a pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outside {
    /// The range.
    pub range: PoolRange,
    /// Distinct local ports outside of it on which nobody listens.
    pub ports: usize,
    /// The first and the last of them.
    pub span: (u16, u16),
    /// Who has most of them, and how many; `None` where no listing tells.
    pub most: Option<(u32, usize)>,
}

/// For each family, ports of TCP outside of the range that the last listings show, where these are many.
pub(super) fn outside(grounds: &Grounds<'_>) -> Vec<Outside> {
    [Family::Ipv4, Family::Ipv6].into_iter().filter_map(|family| of_family(grounds, family)).collect()
}

fn of_family(grounds: &Grounds<'_>, family: Family) -> Option<Outside> {
    let key = PoolKey::new(Protocol::Tcp, family);
    let range = range(grounds, key)?;
    let mut fullest: Option<Outside> = None;
    for listing in last_moments(&grounds.side.listings) {
        let sockets =
            || listing.sockets.iter().filter(|one| one.protocol == Protocol::Tcp && one.family == Some(family));
        let port = |local: Option<crate::net::SocketAddress>| local.map(|local| local.port);
        let listens = |state: &Option<TcpState>| state.is_none() || *state == Some(TcpState::Listen);
        let served: BTreeSet<u16> =
            sockets().filter(|one| listens(&one.state)).filter_map(|one| port(one.local)).collect();
        let mut ports: BTreeSet<u16> = BTreeSet::new();
        let mut by_pid: BTreeMap<u32, BTreeSet<u16>> = BTreeMap::new();
        for socket in sockets().filter(|one| one.state != Some(TcpState::TimeWait)) {
            let Some(port) = port(socket.local).filter(|port| !range.contains(*port) && !served.contains(port)) else {
                continue;
            };
            ports.insert(port);
            if let Who::Pid(pid @ 1..) = Who::of(socket) {
                by_pid.entry(pid).or_default().insert(port);
            }
        }
        let Some(span) = ports.first().copied().zip(ports.last().copied()) else { continue };
        // Of equals the smallest PID.
        let most = by_pid.iter().rev().max_by_key(|(_, ports)| ports.len()).map(|(pid, ports)| (*pid, ports.len()));
        if ports.len() >= MANY && fullest.as_ref().is_none_or(|known| ports.len() > known.ports) {
            fullest = Some(Outside { range, ports: ports.len(), span, most });
        }
    }
    fullest
}

/// The range of a pool; `None` where listings differ about it.
fn range(grounds: &Grounds<'_>, key: PoolKey) -> Option<PoolRange> {
    let pool = grounds.conclusion.pools.iter().find(|pool| pool.key == key && pool.local_address.is_none());
    if let Some(pool) = pool {
        return pool.refuted.is_none().then_some(pool.range);
    }
    let told = grounds
        .side
        .dynamic_ports
        .iter()
        .filter(|told| Some(told.protocol) == key.protocol && (told.family.is_none() || told.family == key.family));
    let ranges: BTreeSet<(u16, u32)> = told.map(|told| (told.start, told.count)).collect();
    (ranges.len() <= 1).then(|| grounds.findings.world.ports.ranges.of(key))
}

impl Outside {
    /// What it is, in a sentence; `name` tells the image of a PID.
    pub fn sentence<'r>(&self, name: impl Fn(u32) -> Option<&'r str>) -> String {
        let grouped = |count: usize| crate::words::grouped(count as u64);
        let (first, last) = self.span;
        let told = match self.range.source {
            RangeSource::Default => "the default; no listing was given",
            RangeSource::Option => "as given by --pool",
            RangeSource::DynamicPortFile => "from a listing",
            RangeSource::Live => "as the system reports",
            RangeSource::Trace => "as far as the trace shows",
        };
        let most = self.most.map_or_else(String::new, |(pid, count)| {
            let who = name(pid)
                .map_or_else(|| format!("PID {pid}"), |name| format!("{} (PID {pid})", crate::words::shown(name)));
            format!(", {} of them by {who}", grouped(count))
        });
        format!(
            "{} ports from {first} to {last} are in use{most}. They lie outside of the range {}–{} ({told}) and count for no pool: give a dynamicport listing of the same time.",
            grouped(self.ports),
            self.range.start,
            self.range.end()
        )
    }
}
