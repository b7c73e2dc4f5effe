//! Sockets of processes that inputs count without telling their ports: handles, and listings that are grouped.

use std::collections::BTreeMap;

use super::suspect::CountedBy;
use crate::machine::owner::is_kernel;
use crate::net::Protocol;
use crate::side::facts::{SideFacts, TcpState};

/// Fewer sockets than these are usual: hundreds of handles to AFD are abnormal, says the procedure, and servers with many clients
/// have them too.
const MANY: u64 = 1_000;

/// Processes with many sockets, by PID: how many, and what counts them. The kernel, which works for others, is left out.
pub(super) fn many_sockets(side: &SideFacts) -> BTreeMap<u32, (u64, CountedBy)> {
    let mut counts: BTreeMap<u32, (u64, CountedBy)> = BTreeMap::new();
    let mut larger = |pid: u32, count: u64, by: CountedBy| {
        let known = counts.entry(pid).or_insert((0, by));
        if count > known.0 {
            *known = (count, by);
        }
    };
    for handles in &side.afd_handles {
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
