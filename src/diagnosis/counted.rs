//! Sockets of processes that inputs count without telling their ports: handles, and listings that are grouped.

use std::collections::BTreeMap;

use super::suspect::CountedBy;
use crate::machine::owner::is_kernel;
use crate::net::Protocol;
use crate::side::facts::{SideFacts, TcpState};

/// Fewer sockets than these are usual: hundreds of handles to AFD are abnormal, says the procedure, and servers with many clients
/// have them too.
const MANY: u64 = 1_000;

/// Processes with many sockets, by PID: how many, and what counts them. The kernel, which works for others, is left out, and so is
/// whose handles are sockets that a listing shows one by one, as of UDP or of a server's connections.
pub(super) fn many_sockets(side: &SideFacts) -> BTreeMap<u32, (u64, CountedBy)> {
    let mut counts: BTreeMap<u32, (u64, CountedBy)> = BTreeMap::new();
    let mut larger = |pid: u32, count: u64, by: CountedBy| {
        let known = counts.entry(pid).or_insert((0, by));
        if count > known.0 {
            *known = (count, by);
        }
    };
    let listed = if side.afd_handles.is_empty() { BTreeMap::new() } else { listed_one_by_one(side) };
    let are_hidden = |pid: u32, count: u64| count.saturating_sub(listed.get(&pid).copied().unwrap_or(0)) >= MANY;
    for handles in side.afd_handles.iter().filter(|handles| are_hidden(handles.pid, handles.count)) {
        larger(handles.pid, handles.count, CountedBy::AfdHandles);
    }
    for listing in &side.listings {
        let mut of_listing: BTreeMap<u32, u64> = BTreeMap::new();
        for socket in &listing.sockets {
            let is_counted = socket.local.is_none()
                && socket.protocol == Protocol::Tcp
                && matches!(socket.state, Some(TcpState::CloseWait | TcpState::Established | TcpState::Bound));
            if let Some(pid) = socket.pid.filter(|_| is_counted) {
                *of_listing.entry(pid).or_default() += u64::from(socket.count);
            }
        }
        for (pid, count) in of_listing {
            larger(pid, count, CountedBy::GroupedListing);
        }
    }
    counts.retain(|pid, (count, _)| *count >= MANY && !is_kernel(*pid));
    counts
}

/// Sockets of each process whose ports a listing shows, the most at one moment.
fn listed_one_by_one(side: &SideFacts) -> BTreeMap<u32, u64> {
    let mut most: BTreeMap<u32, u64> = BTreeMap::new();
    for listing in &side.listings {
        let mut of_listing: BTreeMap<u32, u64> = BTreeMap::new();
        let told =
            listing.sockets.iter().filter(|socket| socket.local.is_some() && socket.state != Some(TcpState::TimeWait));
        for pid in told.filter_map(|socket| socket.pid) {
            *of_listing.entry(pid).or_default() += 1;
        }
        for (pid, count) in of_listing {
            let known = most.entry(pid).or_default();
            *known = (*known).max(count);
        }
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::SocketAddress;
    use crate::side::facts::{HandleCount, ListedSocket, SocketListing};

    #[test]
    fn handles_of_sockets_that_a_listing_shows_are_no_hidden_ones() {
        let local = Some(SocketAddress { ip: [10, 0, 0, 1].into(), port: 50_000 });
        let none = ListedSocket::counted(Protocol::Udp, None, Some(7312), 1);
        let socket = ListedSocket { local, ..none };
        let side = |handles: u64, listed: usize| SideFacts {
            afd_handles: vec![HandleCount { source: 0, pid: 7312, image: None, count: handles }],
            listings: vec![SocketListing { sockets: vec![socket.clone(); listed], ..SocketListing::default() }],
            ..SideFacts::default()
        };
        assert!(many_sockets(&side(15_000, 14_800)).is_empty());
        assert_eq!(many_sockets(&side(15_000, 40)).get(&7312), Some(&(15_000, CountedBy::AfdHandles)));
    }
}
