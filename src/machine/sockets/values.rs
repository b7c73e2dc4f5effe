//! What the operations of sockets are counted by, and what they came to.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::net::IpAddr;

use crate::event::{EventMeta, Phase};
use crate::hash::FastMap;
use crate::machine::hold::Hold;
use crate::machine::owner::Owner;
use crate::machine::pool_key::PoolKey;
use crate::net::{Family, Protocol};
use crate::status::NtStatus;
use crate::time::FileTime;

/// A kind of operation, for counting statuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// Bind.
    Bind,
    /// Connect.
    Connect,
    /// Create.
    Create,
}

impl Operation {
    /// As reports name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bind => "bind",
            Self::Connect => "connect",
            Self::Create => "create",
        }
    }
}

/// What is asked of one local address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct AddressKey {
    /// Family, where known.
    pub family: Option<Family>,
    /// Local address, where known.
    pub local_address: Option<IpAddr>,
    /// Protocol, where the create event was seen.
    pub protocol: Option<Protocol>,
}

/// In one or two numbers: the derived one hashes part by part, for each bind.
impl Hash for AddressKey {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        let pool = self.pool().kind() as u64;
        match self.local_address {
            None => state.write_u64(pool << 1),
            Some(IpAddr::V4(ip)) => state.write_u64(u64::from(ip.to_bits()) << 8 | pool << 1 | 1),
            Some(IpAddr::V6(ip)) => {
                state.write_u64(pool);
                state.write_u128(ip.to_bits());
            }
        }
    }
}

impl AddressKey {
    /// The pool that serves it.
    pub fn pool(&self) -> PoolKey {
        PoolKey { protocol: self.protocol, family: self.family, ..PoolKey::default() }
    }
}

/// Counts for one local address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AddressTally {
    /// Binds that failed with 0xC0000209.
    pub bind_failures: u64,
    /// First and last of them.
    pub failure_span: Option<(FileTime, FileTime)>,
    /// Sockets that hold a port now.
    pub ports_held: u64,
    /// The most of them at one moment.
    pub ports_held_peak: u64,
    /// The last time that a bind to any port of this address was given one.
    pub last_given: Option<FileTime>,
    /// Whose sockets hold a port now.
    pub(super) owners: FastMap<Owner, u32>,
    /// Whose did at the failure with most of them, those of sockets that are bound to all addresses among them.
    pub at_failure: Vec<(Owner, u32)>,
    /// A failure counts as one with more from here on.
    pub(super) next_at: u64,
}

impl AddressTally {
    /// What was counted so far does not count any more; what is held stays.
    pub(super) fn begin_to_count(&mut self) {
        self.bind_failures = 0;
        self.failure_span = None;
        self.ports_held_peak = self.ports_held;
        self.at_failure.clear();
        self.next_at = 0;
    }

    pub(super) fn hold(&mut self, owner: Owner) {
        self.ports_held += 1;
        self.ports_held_peak = self.ports_held_peak.max(self.ports_held);
        match self.owners.get_mut(&owner) {
            Some(count) => *count += 1,
            None => {
                self.owners.insert(owner, 1);
            }
        }
    }

    pub(super) fn release(&mut self, owner: Owner) {
        self.ports_held = self.ports_held.saturating_sub(1);
        if let Some(count) = self.owners.get_mut(&owner) {
            *count = count.saturating_sub(1);
        }
    }
}

/// The first failure of the case, to be found again by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailureEvidence {
    /// The record.
    pub meta: EventMeta,
    /// Operation that failed.
    pub operation: Operation,
    /// Part of the operation that the record stands for.
    pub phase: Phase,
    /// AFD endpoint address.
    pub endpoint: u64,
}

/// What the operations of all sockets came to.
#[derive(Debug, Default)]
pub struct SocketTable {
    /// Completions by operation and status, successes left out.
    pub by_status: BTreeMap<(Operation, NtStatus), u64>,
    /// Completions with further statuses: too many to count each.
    pub statuses_not_counted: u64,
    /// Completions whose status has the low word of 0xC0000209 and another high word.
    pub other_low_word: u64,
    /// Sockets with a bind or connect failure 0xC0000209.
    pub failed_sockets: u64,
    /// By local address.
    pub addresses: BTreeMap<AddressKey, AddressTally>,
    /// The earliest failure.
    pub first_failure: Option<FailureEvidence>,
    /// How many failures each trace has that has some, by the trace's number.
    pub failures_by_trace: BTreeMap<u16, u64>,
    /// Failures on sockets that another process than their creator was using.
    pub used_by_other_process: u64,
    /// Close and cleanup events of sockets.
    pub close_events: u64,
    /// Bind events of sockets of any phase, in the window.
    pub bind_events: u64,
    /// Some sockets or addresses were not followed, since too many were already.
    pub overflowed: bool,
    /// Ports held at the end.
    pub(super) held: Vec<Hold>,
}

impl SocketTable {
    /// Ports held at the end, in no order: by whom, and since when.
    pub fn held(&self) -> impl Iterator<Item = &Hold> {
        self.held.iter()
    }
}

/// Whether an event id is one of Windows Vista and Server 2008.
pub(super) fn is_legacy(id: u16) -> bool {
    id < 1000
}
