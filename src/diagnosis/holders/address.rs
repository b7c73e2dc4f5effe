//! The part of a pool that belongs to one local address.

use std::collections::BTreeMap;

use super::habits::Seen;
use super::{Book, Subject};
use crate::diagnosis::pools::PoolFinding;
use crate::machine::owner::Owner;
use crate::machine::pools::Pool;

/// The pool of one local address, and whose sockets hold its ports.
type AddressPart<'a> = (PoolFinding, &'a [(Owner, u32)]);

impl Book<'_> {
    /// Leaves to each subject what it holds at one local address, and says how many ports that is. Listings and TCP/IP's
    /// events are not told apart by address.
    pub(super) fn only_of_address(&self, subjects: &mut BTreeMap<Subject, Seen>, owners: &[(Owner, u32)]) -> u32 {
        let processes = &self.findings.world.processes;
        let mut here: BTreeMap<Subject, u32> = BTreeMap::new();
        for (owner, sockets) in owners {
            let sum = here.entry(Subject::of(*owner, processes)).or_default();
            *sum = sum.saturating_add(*sockets);
        }
        for (subject, seen) in subjects {
            let bound = here.get(subject).copied().unwrap_or(0);
            *seen =
                Seen { bound, unnumbered: seen.unnumbered.min(bound), older: 0, acquired: 0, listed: None, ..*seen };
        }
        here.values().fold(0, |sum, sockets| sum.saturating_add(*sockets))
    }

    /// Where only one local address has failures while others of the same pool are still given ports, the pools differ:
    /// that address gets a row of its own.
    pub(super) fn split_by_address(
        &self,
        mut whole: PoolFinding,
        pool: &Pool,
    ) -> (PoolFinding, Option<AddressPart<'_>>) {
        let addresses = &self.findings.sockets.addresses;
        let here = || addresses.iter().filter(|(address, _)| address.pool() == whole.key);
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
