//! The part of a pool that belongs to one local address.

use std::collections::BTreeMap;

use super::{Book, Seen, Subject, has_bound};
use crate::diagnosis::listings::usage_at;
use crate::diagnosis::pools::{ListedPool, PoolFinding};
use crate::machine::moment::Moment;
use crate::machine::owner::Owner;
use crate::machine::pools::Pool;

/// The pool of one local address, and whose sockets hold its ports.
type AddressPart<'a> = (PoolFinding, &'a [(Owner, u32)]);

impl Book<'_> {
    /// Leaves to each subject what it holds at the one local address of `part`, as sockets, listings and TCP/IP's connections
    /// tell, and says how many ports that is.
    pub(super) fn only_of_address(
        &self,
        subjects: &mut BTreeMap<Subject, Seen>,
        owners: &[(Owner, u32)],
        part: &mut PoolFinding,
        moment: Option<&Moment>,
    ) -> u32 {
        let processes = &self.findings.world.processes;
        let mut here: BTreeMap<Subject, u32> = BTreeMap::new();
        for (owner, sockets) in owners {
            let sum = here.entry(Subject::of(*owner, processes)).or_default();
            *sum = sum.saturating_add(*sockets);
        }
        let mut older: BTreeMap<Subject, u32> = BTreeMap::new();
        for ((ip, process), ports) in moment.map(|moment| &moment.transport.by_address).into_iter().flatten() {
            if Some(*ip) == part.local_address {
                let subject = process.map_or(Subject::Nobody, |process| Subject::Process(processes.index(process)));
                *older.entry(subject).or_default() += ports;
            }
        }
        for (subject, seen) in subjects.iter_mut() {
            let bound = here.get(subject).copied().unwrap_or(0);
            let older = older.get(subject).copied().unwrap_or(0);
            let unnumbered = seen.unnumbered.min(bound);
            *seen = Seen { bound, unnumbered, older, acquired: 0, close_wait: 0, time_wait: 0, listed: None, ..*seen };
        }
        let listed = self.listed_at(part, subjects);
        let in_trace = here.values().chain(older.values()).fold(0, |sum: u32, ports| sum.saturating_add(*ports));
        in_trace.max(listed)
    }

    /// Adds what the listing with most sockets at the one local address shows; gives how many ports those are.
    fn listed_at(&self, part: &mut PoolFinding, subjects: &mut BTreeMap<Subject, Seen>) -> u32 {
        let Some(ip) = part.local_address else { return 0 };
        let at = |listing| (listing, usage_at(listing, part.key, part.range, false, Some(ip)));
        let fullest = self.side.listings.iter().map(at).max_by_key(|(_, usage)| usage.occupied());
        let Some((listing, usage)) = fullest.filter(|(_, usage)| usage.occupied() > 0) else {
            part.listing = None;
            return 0;
        };
        self.add_listed(Some(listing), &usage, subjects);
        let used = usage.occupied();
        part.listing = Some(ListedPool {
            used,
            numbered: used,
            has_bound: has_bound(listing),
            is_part: listing.picking().is_some(),
        });
        part.listed_time_wait = usage.time_wait;
        part.held.0 = part.held.0.max(usage.held);
        part.occupied_peak = (part.occupied_peak.0.max(used), part.occupied_peak.1.max(used));
        used
    }

    /// Where only one local address has failures while others of the same pool are still given ports, the pools differ:
    /// that address gets a row of its own.
    pub(super) fn split_by_address(
        &self,
        mut whole: PoolFinding,
        pool: &Pool,
    ) -> (PoolFinding, Option<AddressPart<'_>>) {
        let addresses = &self.findings.sockets.addresses;
        let is_own = whole.key.compartment.is_own();
        let here = || addresses.iter().filter(|(address, _)| is_own && address.pool() == whole.key);
        let mut failing = here().filter(|(_, tally)| tally.bind_failures > 0);
        let (Some((address, tally)), None) = (failing.next(), failing.next()) else { return (whole, None) };
        let (Some(ip), Some((first, _))) = (address.local_address, tally.failure_span) else { return (whole, None) };
        let others_are_served = here().any(|(other, tally)| {
            other.local_address != Some(ip) && tally.last_given.is_some_and(|given| given > first)
        });
        if ip.is_unspecified() || !others_are_served || pool.connect_failures > 0 {
            return (whole, None);
        }
        let clamp = |ports: u64| u32::try_from(ports).unwrap_or(u32::MAX);
        let mut part = whole.clone();
        part.local_address = Some(ip);
        // That others are served is why it is told apart.
        (part.others_served, whole.others_served) = (None, None);
        part.held = (clamp(tally.ports_held_peak), clamp(tally.ports_held));
        part.failures = (tally.bind_failures, 0);
        // TCP/IP's refusals are those of the same binds.
        whole.refused = (0, 0);
        whole.failures.0 = whole.failures.0.saturating_sub(tally.bind_failures);
        if whole.failures == (0, 0) && whole.refused == (0, 0) {
            whole.state = None;
            whole.failure_span = None;
        }
        (whole, Some((part, &tally.at_failure)))
    }
}
