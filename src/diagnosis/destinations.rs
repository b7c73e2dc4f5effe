//! Where the sockets of the case are connected to, as listings and connects tell; and how many ports scripts count at each
//! local address.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Serialize;

use super::listings::last_moments;
use crate::hash::FastMap;
use crate::machine::Findings;
use crate::net::SocketAddress;
use crate::side::facts::{PortUse, SideFacts, SourceId, TcpState};

/// Destinations that are kept, those of most sockets and connects.
const MAX_DESTINATIONS: usize = 20;

/// What sockets are connected to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CaseDestination {
    /// Remote address; `None` where a listing is grouped by port alone.
    pub remote: Option<IpAddr>,
    /// Remote port; `None` where a listing is grouped by address alone.
    pub port: Option<u16>,
    /// State of the sockets as listed; `None` where not told, and for connects.
    pub state: Option<String>,
    /// Sockets that listings show at their last moment; of several listings the larger count.
    pub sockets: u64,
    /// Connects that the traces show.
    pub connects: u64,
}

/// Remote address, port and state.
type Key = (Option<IpAddr>, Option<u16>, Option<TcpState>);

/// The destinations of the case, those of most sockets and connects first.
pub(super) fn destinations(findings: &Findings, side: &SideFacts) -> Vec<CaseDestination> {
    let mut sockets: BTreeMap<Key, u64> = BTreeMap::new();
    let mut larger = |of_source: BTreeMap<Key, u64>| {
        for (key, count) in of_source {
            let known = sockets.entry(key).or_default();
            *known = (*known).max(count);
        }
    };
    for listing in last_moments(&side.listings) {
        let mut here: BTreeMap<Key, u64> = BTreeMap::new();
        for socket in &listing.sockets {
            // Listeners, and sockets that are only bound, are connected to nothing.
            let Some(remote) = socket.remote.filter(|remote| remote.port != 0) else { continue };
            *here.entry((Some(remote.ip), Some(remote.port), socket.state.clone())).or_default() +=
                u64::from(socket.count);
        }
        larger(here);
    }
    let mut grouped: BTreeMap<SourceId, BTreeMap<Key, u64>> = BTreeMap::new();
    for remote in &side.remotes {
        let here = grouped.entry(remote.source).or_default();
        *here.entry((remote.address, remote.port, remote.state.clone())).or_default() += u64::from(remote.count);
    }
    grouped.into_values().for_each(larger);
    let mut connects: FastMap<SocketAddress, u64> = FastMap::default();
    for ((_, remote), count) in findings.world.ports.destinations.iter() {
        *connects.entry(remote).or_default() += count;
    }
    let mut connects: Vec<(SocketAddress, u64)> = connects.into_iter().collect();
    if connects.len() > MAX_DESTINATIONS {
        let first = |(remote, connects): &(SocketAddress, u64)| (Reverse(*connects), *remote);
        connects.select_nth_unstable_by_key(MAX_DESTINATIONS, first);
        connects.truncate(MAX_DESTINATIONS);
    }
    connects.sort_unstable();
    let of_listings = sockets.into_iter().map(|((remote, port, state), sockets)| CaseDestination {
        remote,
        port,
        state: state.map(|state| state.name().to_owned()),
        sockets,
        connects: 0,
    });
    let of_traces = connects.into_iter().map(|(remote, connects)| CaseDestination {
        remote: Some(remote.ip),
        port: Some(remote.port),
        state: None,
        sockets: 0,
        connects,
    });
    let mut all: Vec<CaseDestination> = of_listings.chain(of_traces).collect();
    // Stable: equals stay in the order of their addresses.
    all.sort_by_key(|row| Reverse(row.sockets.max(row.connects)));
    all.truncate(MAX_DESTINATIONS);
    all
}

/// Dynamic ports in use at one local address, over the counts of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct AddressUse {
    /// Index into the side files.
    pub source: SourceId,
    /// Local address.
    pub local_address: IpAddr,
    /// Ports that there are, as the last count says.
    pub max: u32,
    /// Counts.
    pub samples: usize,
    /// Ports in use in the first count.
    pub first: u32,
    /// Ports in use in the last count.
    pub last: u32,
    /// Most ports in use.
    pub peak: u32,
}

/// Ports in use at local addresses, those first with most in use at last.
pub(super) fn address_use(side: &SideFacts) -> Vec<AddressUse> {
    let mut counts: BTreeMap<(SourceId, IpAddr), Vec<&PortUse>> = BTreeMap::new();
    for count in &side.port_use {
        counts.entry((count.source, count.address)).or_default().push(count);
    }
    let mut rows: Vec<AddressUse> = counts
        .into_iter()
        .filter_map(|((source, local_address), counts)| {
            let (first, last) = (counts.first()?, counts.last()?);
            Some(AddressUse {
                source,
                local_address,
                max: last.max,
                samples: counts.len(),
                first: first.in_use,
                last: last.in_use,
                peak: counts.iter().map(|count| count.in_use).max()?,
            })
        })
        .collect();
    rows.sort_by_key(|row| Reverse(row.last));
    rows
}
