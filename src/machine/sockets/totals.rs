//! What is counted over all sockets.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::values::{AddressKey, AddressTally, FailureEvidence, Operation, SocketTable};
use crate::hash::FastMap;
use crate::machine::counts::BoundedCounts;
use crate::machine::hold::Hold;
use crate::machine::owner::Owner;
use crate::status::{NtStatus, shares_low_word_only};
use crate::time::{FileTime, joined};

/// Pairs of operation and status that are counted each. `ntstatus.h` has a few thousand, AFD gives a few dozen.
const MAX_STATUSES: usize = 1 << 12;

/// Local addresses that are told apart. A machine has one for each interface, a cluster node some hundreds.
const MAX_ADDRESSES: usize = 1 << 16;

/// Number of a local address in [`Totals`].
#[derive(Debug, Clone, Copy)]
pub(super) struct AddressId(u32);

/// Counts over all sockets.
#[derive(Debug, Default)]
pub(super) struct Totals {
    by_status: BoundedCounts<(Operation, NtStatus), MAX_STATUSES>,
    other_low_word: u64,
    pub(super) failed_sockets: u64,
    address_ids: FastMap<AddressKey, AddressId>,
    addresses: Vec<(AddressKey, AddressTally)>,
    first_failure: Option<FailureEvidence>,
    /// Failures of each trace that has some.
    failures_by_trace: BTreeMap<u16, u64>,
    pub(super) used_by_other_process: u64,
    /// Close and cleanup events.
    pub(super) closes: u64,
    /// Bind events of any phase, in the window.
    pub(super) bind_events: u64,
    overflowed: bool,
}

impl Totals {
    pub(super) fn count_status(&mut self, operation: Operation, status: NtStatus) {
        if status == NtStatus::SUCCESS {
            return;
        }
        self.by_status.add((operation, status));
        if shares_low_word_only(status) {
            self.other_low_word += 1;
        }
    }

    /// What was counted so far does not count any more; what is held stays.
    pub(super) fn begin_to_count(&mut self) {
        self.by_status = BoundedCounts::default();
        self.other_low_word = 0;
        self.failed_sockets = 0;
        self.first_failure = None;
        self.failures_by_trace.clear();
        self.used_by_other_process = 0;
        self.bind_events = 0;
        self.addresses.iter_mut().for_each(|(_, tally)| tally.begin_to_count());
    }

    /// The number of an address; `None` where there are too many.
    pub(super) fn address(&mut self, key: AddressKey) -> Option<AddressId> {
        if let Some(id) = self.address_ids.get(&key) {
            return Some(*id);
        }
        let number = self.addresses.len();
        let id = u32::try_from(number).ok().filter(|_| number < MAX_ADDRESSES).map(AddressId);
        self.overflowed |= id.is_none();
        self.address_ids.insert(key, id?);
        self.addresses.push((key, AddressTally::default()));
        id
    }

    fn tally(&mut self, id: Option<AddressId>) -> Option<&mut AddressTally> {
        self.addresses.get_mut(id?.0 as usize).map(|(_, tally)| tally)
    }

    /// The address with this number.
    pub(super) fn key(&self, id: AddressId) -> Option<AddressKey> {
        self.addresses.get(id.0 as usize).map(|(key, _)| *key)
    }

    /// The number of an address that has one.
    pub(super) fn known_address(&self, key: &AddressKey) -> Option<AddressId> {
        self.address_ids.get(key).copied()
    }

    /// A socket of this address begins to hold a port.
    pub(super) fn hold(&mut self, id: Option<AddressId>, owner: Owner) {
        if let Some(tally) = self.tally(id) {
            tally.hold(owner);
        }
    }

    /// A bind of this address to any port was given one.
    pub(super) fn given(&mut self, id: Option<AddressId>, time: FileTime) {
        if let Some(tally) = self.tally(id) {
            tally.last_given = Some(time);
        }
    }

    /// A socket of this address gives its port back.
    pub(super) fn release(&mut self, id: Option<AddressId>, owner: Owner) {
        if let Some(tally) = self.tally(id) {
            tally.release(owner);
        }
    }

    /// A bind of this address failed because no local port was free.
    pub(super) fn bind_failed(&mut self, key: AddressKey, time: FileTime) {
        let id = self.address(key);
        let Some(tally) = self.tally(id) else { return };
        tally.bind_failures += 1;
        tally.failure_span = joined(tally.failure_span, Some((time, time)));
        self.keep_owners(key, id);
    }

    /// Keeps whose the ports of an address are at a failure, unless it has been kept with nearly as many.
    fn keep_owners(&mut self, key: AddressKey, id: Option<AddressId>) {
        let Some(ip) = key.local_address.filter(|ip| !ip.is_unspecified()) else { return };
        let all: IpAddr = if ip.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        let all = self.known_address(&AddressKey { local_address: Some(all), ..key });
        let tallies = || [id, all].into_iter().flatten().filter_map(|id| self.addresses.get(id.0 as usize));
        let held: u64 = tallies().map(|(_, tally)| tally.ports_held).sum();
        let next_at = id.and_then(|id| self.addresses.get(id.0 as usize)).map_or(0, |(_, tally)| tally.next_at);
        if held < next_at {
            return;
        }
        let mut owners: BTreeMap<Owner, u32> = BTreeMap::new();
        for (owner, count) in tallies().flat_map(|(_, tally)| &tally.owners).filter(|(_, count)| **count > 0) {
            let sum = owners.entry(*owner).or_default();
            *sum = sum.saturating_add(*count);
        }
        if let Some(tally) = self.tally(id) {
            tally.at_failure = owners.into_iter().collect();
            tally.next_at = held + held / 64 + 1;
        }
    }

    /// Counts a failure for its trace, and keeps the earliest.
    pub(super) fn note_failure(&mut self, failure: FailureEvidence) {
        let place = failure.meta.place;
        if place.entry.is_none() {
            *self.failures_by_trace.entry(place.trace).or_default() += 1;
        }
        if self.first_failure.is_none_or(|known| failure.meta.time < known.meta.time) {
            self.first_failure = Some(failure);
        }
    }

    pub(super) fn into_table(self, held: Vec<Hold>, overflowed: bool) -> SocketTable {
        SocketTable {
            by_status: self.by_status.iter().collect(),
            statuses_not_counted: self.by_status.not_counted,
            other_low_word: self.other_low_word,
            failed_sockets: self.failed_sockets,
            addresses: self.addresses.into_iter().collect(),
            first_failure: self.first_failure,
            failures_by_trace: self.failures_by_trace,
            used_by_other_process: self.used_by_other_process,
            close_events: self.closes,
            bind_events: self.bind_events,
            overflowed: self.overflowed || overflowed,
            held,
        }
    }
}
