//! Sockets over time: from create to close, who owns them, what their binds and connects came to, what they hold.
//!
//! A socket is an AFD endpoint address and a span of time: addresses are reused.

mod life;
mod open;
mod totals;

use std::collections::BTreeMap;
use std::net::IpAddr;

use self::life::Life;
use self::open::OpenSockets;
use self::totals::Totals;
use super::World;
use super::pools::PoolKey;
use super::ports::Hold;
use super::processes::Owner;
use crate::event::{EventMeta, Phase, SocketEvent, SocketOperation};
use crate::hash::FastMap;
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddressKey {
    /// Family, where known.
    pub family: Option<Family>,
    /// Local address, where known.
    pub local_address: Option<IpAddr>,
    /// Protocol, where the create event was seen.
    pub protocol: Option<Protocol>,
}

impl AddressKey {
    /// The pool that serves it.
    pub fn pool(&self) -> PoolKey {
        PoolKey { protocol: self.protocol, family: self.family }
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
    owners: FastMap<Owner, u32>,
    /// Whose did at the failure with most of them, those of sockets that are bound to all addresses among them.
    pub at_failure: Vec<(Owner, u32)>,
    /// A failure counts as one with more from here on.
    next_at: u64,
}

impl AddressTally {
    fn hold(&mut self, owner: Owner) {
        self.ports_held += 1;
        self.ports_held_peak = self.ports_held_peak.max(self.ports_held);
        *self.owners.entry(owner).or_default() += 1;
    }

    fn release(&mut self, owner: Owner) {
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
    /// Failures on sockets that another process than their creator was using.
    pub used_by_other_process: u64,
    /// Some sockets or addresses were not followed, since too many were already.
    pub overflowed: bool,
    held: Vec<Hold>,
}

impl SocketTable {
    /// Ports held at the end, in no order: by whom, and since when.
    pub fn held(&self) -> impl Iterator<Item = &Hold> {
        self.held.iter()
    }
}

/// Follows all sockets of a case.
#[derive(Debug, Default)]
pub struct Sockets {
    open: OpenSockets,
    totals: Totals,
}

impl Sockets {
    /// Takes in one event. Events must come in time order.
    #[inline]
    pub fn observe(&mut self, meta: &EventMeta, event: &SocketEvent, world: &mut World) {
        match event.operation {
            SocketOperation::Create { family, socket_type, protocol, pid } => {
                let kind = (Family::from_winsock(family), Protocol::from_winsock(protocol, socket_type));
                self.create(meta, event, pid, kind, world);
            }
            SocketOperation::Bind { .. } => self.operation(Operation::Bind, meta, event, world),
            SocketOperation::Connect { .. } => self.operation(Operation::Connect, meta, event, world),
            SocketOperation::Close | SocketOperation::Cleanup => self.close(meta, event, world),
        }
    }

    fn create(
        &mut self,
        meta: &EventMeta,
        event: &SocketEvent,
        pid: u32,
        kind: (Option<Family>, Option<Protocol>),
        world: &mut World,
    ) {
        let status = event.status.unwrap_or(NtStatus::SUCCESS);
        match event.phase {
            Phase::Internal(_) => return,
            Phase::Exit if status == NtStatus::PENDING => return,
            Phase::Exit if status != NtStatus::SUCCESS => {
                self.totals.count_status(Operation::Create, status);
                if let Some(socket) = self.open.get_mut(event.endpoint) {
                    Life { endpoint: event.endpoint, socket, totals: &mut self.totals, world }.retire(meta.time);
                }
                return;
            }
            Phase::Enter | Phase::Exit => {}
        }
        if event.endpoint == 0 {
            return;
        }
        // The creating PID stands in the event; where it is 0, in the record's header.
        let pid = Some(pid).filter(|pid| *pid != 0).or(meta.header_pid);
        let Some(pid) = pid else { return };
        let process = world.processes.creator(pid, event.eprocess, meta.time);
        let completed = (event.phase == Phase::Exit).then_some(meta.id);
        self.life(event.endpoint, meta.time, world).created(process, kind, completed, meta.time);
    }

    fn operation(&mut self, operation: Operation, meta: &EventMeta, event: &SocketEvent, world: &mut World) {
        let tells = match event.phase {
            Phase::Enter => true,
            Phase::Exit => event.status != Some(NtStatus::PENDING),
            Phase::Internal(number) => (2..=4).contains(&number),
        };
        let starts = event.phase == Phase::Enter || is_legacy(meta.id);
        if !tells && !starts {
            return;
        }
        let mut life = self.life(event.endpoint, meta.time, world);
        if starts && life.socket.closed.is_some() {
            // A request after the end: the address was reused, and the create event is not there. Completions, which may
            // come after a close, belong to the life that ended.
            life.retire(meta.time);
        }
        match event.phase {
            Phase::Enter => life.enter(operation, meta, event),
            Phase::Exit if tells => life.exit(operation, meta, event),
            Phase::Internal(_) if tells => life.internal(operation, meta, event),
            Phase::Exit | Phase::Internal(_) => {}
        }
    }

    fn close(&mut self, meta: &EventMeta, event: &SocketEvent, world: &mut World) {
        if event.endpoint != 0 {
            self.life(event.endpoint, meta.time, world).close(meta, event);
        }
    }

    fn life<'a>(&'a mut self, endpoint: u64, now: FileTime, world: &'a mut World) -> Life<'a> {
        Life { endpoint, socket: self.open.get_or_new(endpoint, now), totals: &mut self.totals, world }
    }

    /// The machine was started again: all sockets are gone.
    pub fn restart(&mut self, now: FileTime, world: &mut World) {
        self.conclude(world);
        for endpoint in self.open.endpoints() {
            self.life(endpoint, now, world).retire(now);
        }
        self.open.clear();
    }

    /// Operations that only internal records told about are counted.
    fn conclude(&mut self, world: &mut World) {
        for endpoint in self.open.endpoints() {
            if let Some(socket) = self.open.get_mut(endpoint) {
                Life { endpoint, socket, totals: &mut self.totals, world }.conclude_all();
            }
        }
    }

    /// Ends the analysis.
    pub fn finish(mut self, world: &mut World) -> SocketTable {
        self.conclude(world);
        let Self { open, totals } = self;
        totals.into_table(open.held().copied().collect(), open.overflowed)
    }
}

/// Whether an event id is one of Windows Vista and Server 2008.
fn is_legacy(id: u16) -> bool {
    id < 1000
}
