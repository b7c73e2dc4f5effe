//! Sockets over time: from create to close, who owns them, what their binds and connects came to, what they hold.
//!
//! A socket is an AFD endpoint address and a span of time: addresses are reused.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use super::World;
use super::pools::PoolKey;
use super::ports::Hold;
use super::processes::{Decided, Fallback, Owner, ProcessId, is_kernel};
use super::timeline::Happening;
use crate::event::{EventMeta, Phase, SocketEvent, SocketOperation};
use crate::net::{Family, Protocol, SocketAddress};
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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
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

/// All sockets of a case, and what their operations came to.
#[derive(Debug, Default)]
pub struct SocketTable {
    open: HashMap<u64, Socket>,
    /// Completions by operation and status, successes left out.
    pub by_status: BTreeMap<(Operation, NtStatus), u64>,
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
}

#[derive(Debug, Default)]
struct Socket {
    creator: Option<Creator>,
    bind: Pending,
    connect: Pending,
    held: Option<(Hold, AddressKey)>,
    /// A connect of this socket has succeeded.
    connected: bool,
    /// Whose the last completed operation was: who closes a socket that is older than the trace.
    user: Option<Owner>,
    /// A failure of this socket has been counted in `failed_sockets`.
    failed: bool,
    closed: bool,
}

#[derive(Debug, Clone, Copy)]
struct Creator {
    process: ProcessId,
    family: Option<Family>,
    protocol: Option<Protocol>,
    /// The event id of the create event's exit, once it has been seen.
    completed: Option<u16>,
}

/// The operation that is under way on a socket, or the one that just ended.
#[derive(Debug, Default)]
struct Pending {
    enter: Option<Enter>,
    /// The internal record that counts where the operation shows no completion of its own: the first that says there was
    /// no port, else the last.
    internal: Option<Internal>,
    /// Completed by which event id and status.
    completed: Option<(u16, NtStatus)>,
}

/// An internal record, and whose operation it is: that must be decided when it comes, since processes end.
#[derive(Debug, Clone, Copy)]
struct Internal {
    meta: EventMeta,
    event: SocketEvent,
    owner: (Owner, KnownBy),
}

#[derive(Debug, Clone, Copy)]
struct Enter {
    header_pid: Option<u32>,
    eprocess: u64,
    address: Option<SocketAddress>,
    time: FileTime,
}

impl SocketTable {
    /// Takes in one event. Events must come in time order.
    pub fn observe(&mut self, meta: &EventMeta, event: &SocketEvent, world: &mut World) {
        match event.operation {
            SocketOperation::Create { family, socket_type, protocol, pid } => {
                let kind = (Family::from_winsock(family), Protocol::from_winsock(protocol, socket_type));
                self.create(meta, event, pid, kind, world);
            }
            SocketOperation::Bind { address } => self.operation(Operation::Bind, address, meta, event, world),
            SocketOperation::Connect { address } => self.operation(Operation::Connect, address, meta, event, world),
            SocketOperation::Close | SocketOperation::Cleanup => self.close(meta, event, world),
        }
    }

    fn create(
        &mut self,
        meta: &EventMeta,
        event: &SocketEvent,
        pid: u32,
        (family, protocol): (Option<Family>, Option<Protocol>),
        world: &mut World,
    ) {
        let status = event.status.unwrap_or(NtStatus::SUCCESS);
        match event.phase {
            Phase::Internal(_) => return,
            Phase::Exit if status == NtStatus::PENDING => return,
            Phase::Exit if status != NtStatus::SUCCESS => {
                self.count_status(Operation::Create, status);
                self.retire(event.endpoint, meta.time, world);
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
        let known = self.open.get(&event.endpoint).filter(|socket| !socket.closed).and_then(|socket| socket.creator);
        let is_same = known.filter(|known| known.process == process && completed.is_some()).is_some_and(|known| {
            match known.completed {
                None => true,
                // Where both dialects are logged, one creation completes under an id of each.
                Some(id) => is_legacy(id) != is_legacy(meta.id),
            }
        });
        if !is_same {
            self.retire(event.endpoint, meta.time, world);
        }
        let is_news = known.filter(|_| is_same).is_none_or(|known| known.completed.is_none());
        let socket = self.open.entry(event.endpoint).or_default();
        socket.creator = Some(Creator { process, family, protocol, completed });
        if completed.is_some() && is_news {
            world.processes.tally(Owner::Process(process)).sockets_created += 1;
        }
    }

    fn operation(
        &mut self,
        operation: Operation,
        address: Option<SocketAddress>,
        meta: &EventMeta,
        event: &SocketEvent,
        world: &mut World,
    ) {
        let starts = event.phase == Phase::Enter || is_legacy(meta.id);
        if starts && self.open.get(&event.endpoint).is_some_and(|socket| socket.closed) {
            // A request after the end: the address was reused, and the create event is not there. Completions, which may
            // come after a close, belong to the life that ended.
            self.retire(event.endpoint, meta.time, world);
        }
        match event.phase {
            Phase::Enter => {
                self.conclude(operation, event.endpoint, world);
                let enter = Enter { header_pid: meta.header_pid, eprocess: event.eprocess, address, time: meta.time };
                let pending = self.pending(operation, event.endpoint);
                *pending = Pending { enter: Some(enter), internal: None, completed: None };
            }
            Phase::Exit => {
                let status = event.status.unwrap_or(NtStatus::SUCCESS);
                if status == NtStatus::PENDING {
                    return;
                }
                let pending = self.pending(operation, event.endpoint);
                // Where both dialects are logged, one operation completes under an id of each.
                let told_twice =
                    pending.completed.is_some_and(|(id, told)| told == status && is_legacy(id) != is_legacy(meta.id));
                pending.internal = None;
                pending.completed = Some((meta.id, status));
                if !told_twice {
                    let owner = self.owner(operation, meta, event, world);
                    self.complete(operation, meta, event, owner, world);
                }
            }
            Phase::Internal(2..=4) => {
                let pending = self.pending(operation, event.endpoint);
                let says_no_port = |event: &SocketEvent| event.status == Some(NtStatus::TOO_MANY_ADDRESSES);
                let found = pending.internal.is_some_and(|internal| says_no_port(&internal.event));
                if pending.completed.is_none() && !found && event.status != Some(NtStatus::PENDING) {
                    let owner = self.owner(operation, meta, event, world);
                    let internal = Internal { meta: *meta, event: *event, owner };
                    self.pending(operation, event.endpoint).internal = Some(internal);
                }
            }
            Phase::Internal(_) => {}
        }
    }

    fn pending(&mut self, operation: Operation, endpoint: u64) -> &mut Pending {
        let socket = self.open.entry(endpoint).or_default();
        if operation == Operation::Bind { &mut socket.bind } else { &mut socket.connect }
    }

    /// Ends the operation under way: if only internal records told how it went, that counts now.
    fn conclude(&mut self, operation: Operation, endpoint: u64, world: &mut World) {
        if !self.open.contains_key(&endpoint) {
            return;
        }
        let pending = self.pending(operation, endpoint);
        let Some(Internal { meta, event, owner }) = pending.internal.take() else { return };
        pending.completed = Some((meta.id, event.status.unwrap_or(NtStatus::SUCCESS)));
        self.complete(operation, &meta, &event, owner, world);
    }

    /// Counts an operation's completion for its owner.
    fn complete(
        &mut self,
        operation: Operation,
        meta: &EventMeta,
        event: &SocketEvent,
        (owner, known_by): (Owner, KnownBy),
        world: &mut World,
    ) {
        let status = event.status.unwrap_or(NtStatus::SUCCESS);
        let given = match event.operation {
            SocketOperation::Bind { address } | SocketOperation::Connect { address } => address,
            _ => None,
        };
        self.count_status(operation, status);
        // The request is answered: a later completion without one of its own must not take its address or process.
        let enter = self.pending(operation, event.endpoint).enter.take();
        let asked = enter.and_then(|enter| enter.address);
        if let Some(socket) = self.open.get_mut(&event.endpoint) {
            socket.user = Some(owner);
        }
        // What an internal record told may count late: its EPROCESS address may have got a PID meanwhile.
        let known_by = match known_by {
            KnownBy::Undecided => match world.processes.decided(owner) {
                Some(Decided::Eprocess) => KnownBy::Eprocess,
                Some(Decided::Fallback) => KnownBy::Header,
                Some(Decided::Nobody) => KnownBy::Nothing,
                None => KnownBy::Undecided,
            },
            known_by => known_by,
        };
        let tally = world.processes.tally(owner);
        match (operation, status) {
            (_, NtStatus::TOO_MANY_ADDRESSES) => {
                match known_by {
                    KnownBy::Creation => tally.owner_source.created_socket += 1,
                    KnownBy::Eprocess => tally.owner_source.eprocess += 1,
                    KnownBy::Header => tally.owner_source.header_pid += 1,
                    KnownBy::Nothing => tally.owner_source.unknown += 1,
                    KnownBy::Undecided => {}
                }
                match operation {
                    Operation::Bind => tally.bind_failure(meta.time),
                    _ => tally.connect_failure(meta.time),
                }
                // The port was not given, so the event may hold no address: it is the one that was asked for.
                self.failed(operation, given.or(asked), meta, event, world);
            }
            (Operation::Bind, NtStatus::SUCCESS) => {
                tally.binds_ok += 1;
                self.bound(owner, enter, given, meta, event.endpoint, world);
            }
            (Operation::Bind, _) => {
                tally.other_bind_failures += 1;
                let port = asked.map(|address| address.port).filter(|port| *port != 0);
                world.ports.conflicts.add((status, port, owner));
            }
            (Operation::Connect, NtStatus::SUCCESS) => {
                if let Some(socket) = self.open.get_mut(&event.endpoint) {
                    socket.connected = true;
                }
            }
            _ => {}
        }
        if operation == Operation::Connect
            && let Some(remote) = asked.or(given)
        {
            world.ports.destinations.add((owner, remote));
        }
    }

    /// A bind succeeded: the socket holds a port from now on, if it asked for any, or got one of the dynamic range.
    fn bound(
        &mut self,
        owner: Owner,
        enter: Option<Enter>,
        given: Option<SocketAddress>,
        meta: &EventMeta,
        endpoint: u64,
        world: &mut World,
    ) {
        let asked = enter.and_then(|enter| enter.address);
        let answer = given.or(asked);
        let key = self.address_key(endpoint, answer);
        // Port 0 in an answer is the request repeated: the number is not told.
        let port = answer.map(|address| address.port).filter(|port| *port != 0);
        let asked_for_any = asked.is_some_and(|address| address.port == 0);
        let is_dynamic = port.is_some_and(|port| world.ports.ranges.of(key.pool()).contains(port));
        let is_deferred = port.is_none()
            && enter.is_some_and(|enter| world.ports.transport.has_deferred(meta.header_pid, enter.time));
        // A bind that leaves the port to connect has got none.
        if !is_deferred && (asked_for_any || is_dynamic) {
            if asked_for_any {
                world.ports.given(key.pool(), port);
            }
            self.hold(owner, key, port, meta.time, endpoint, world);
            if asked_for_any && let Some(address) = self.addresses.get_mut(&key) {
                address.last_given = Some(meta.time);
            }
        }
        world.ports.count(Happening::BindOk, meta.time);
    }

    fn hold(
        &mut self,
        owner: Owner,
        key: AddressKey,
        port: Option<u16>,
        since: FileTime,
        endpoint: u64,
        world: &mut World,
    ) {
        let Some(socket) = self.open.get_mut(&endpoint) else { return };
        if socket.held.is_some() || socket.closed {
            return;
        }
        let hold = Hold { owner, pool: key.pool(), port, since };
        socket.held = Some((hold, key));
        world.processes.tally(owner).hold(&hold);
        world.ports.hold(&hold);
        world.ports.consider(hold.pool, since, false, &world.processes);
        let address = self.addresses.entry(key).or_default();
        address.ports_held += 1;
        address.ports_held_peak = address.ports_held_peak.max(address.ports_held);
    }

    /// Notes what a failure 0xC0000209 says beyond its owner.
    fn failed(
        &mut self,
        operation: Operation,
        address: Option<SocketAddress>,
        meta: &EventMeta,
        event: &SocketEvent,
        world: &mut World,
    ) {
        let is_bind = operation == Operation::Bind;
        let key = self.address_key(event.endpoint, address);
        if is_bind {
            let tally = self.addresses.entry(key).or_default();
            tally.bind_failures += 1;
            let (first, last) = tally.failure_span.unwrap_or((meta.time, meta.time));
            tally.failure_span = Some((first.min(meta.time), last.max(meta.time)));
        }
        world.ports.failed(key.pool(), is_bind, meta.time);
        world.ports.consider(key.pool(), meta.time, true, &world.processes);
        if let Some(socket) = self.open.get_mut(&event.endpoint)
            && !std::mem::replace(&mut socket.failed, true)
        {
            self.failed_sockets += 1;
        }
        if let Some(creator) = self.open.get(&event.endpoint).and_then(|socket| socket.creator)
            && let Owner::Process(user) = world.processes.by_eprocess(event.eprocess, None, false)
            && user != creator.process
            && world.processes.pid(user).is_some_and(|pid| !is_kernel(pid))
        {
            self.used_by_other_process += 1;
        }
        let evidence = FailureEvidence { meta: *meta, operation, phase: event.phase, endpoint: event.endpoint };
        if self.first_failure.is_none_or(|known| meta.time < known.meta.time) {
            self.first_failure = Some(evidence);
        }
    }

    fn close(&mut self, meta: &EventMeta, event: &SocketEvent, world: &mut World) {
        if event.endpoint == 0 || self.open.get(&event.endpoint).is_some_and(|socket| socket.closed) {
            return;
        }
        self.conclude(Operation::Bind, event.endpoint, world);
        self.conclude(Operation::Connect, event.endpoint, world);
        let socket = self.open.get(&event.endpoint);
        let creator = socket.and_then(|socket| socket.creator).map(|creator| Owner::Process(creator.process));
        let user = socket.and_then(|socket| socket.user);
        // Nobody is noted down as a process for closing a socket: what is not known already stays unknown.
        let owner = creator.or(user).unwrap_or_else(|| {
            let closer = meta.header_pid.filter(|pid| !is_kernel(*pid)).and_then(|pid| world.processes.last_known(pid));
            world.processes.by_eprocess(event.eprocess, closer, true)
        });
        world.processes.tally(owner).sockets_closed += 1;
        self.release(event.endpoint, meta.time, world);
        world.ports.count(Happening::Close, meta.time);
        // The entry stays, so that the cleanup that follows a close is not taken for another socket.
        self.open.entry(event.endpoint).or_default().closed = true;
    }

    /// Ends a socket whose address is used again.
    fn retire(&mut self, endpoint: u64, now: FileTime, world: &mut World) {
        self.conclude(Operation::Bind, endpoint, world);
        self.conclude(Operation::Connect, endpoint, world);
        self.release(endpoint, now, world);
        self.open.remove(&endpoint);
    }

    fn release(&mut self, endpoint: u64, now: FileTime, world: &mut World) {
        let Some(socket) = self.open.get_mut(&endpoint) else { return };
        let Some((hold, key)) = socket.held.take() else { return };
        world.processes.tally(hold.owner).release(&hold, now);
        world.ports.release(&hold, socket.connected, now);
        if let Some(tally) = self.addresses.get_mut(&key) {
            tally.ports_held = tally.ports_held.saturating_sub(1);
        }
    }

    /// Ports held now: by whom, and since when.
    pub fn held(&self) -> impl Iterator<Item = &Hold> {
        self.open.values().filter_map(|socket| socket.held.as_ref().map(|(hold, _)| hold))
    }

    /// Whose operation it is: the socket's creator, else the process of the EPROCESS address, else that of a header.
    fn owner(
        &mut self,
        operation: Operation,
        meta: &EventMeta,
        event: &SocketEvent,
        world: &mut World,
    ) -> (Owner, KnownBy) {
        let enter = self.pending(operation, event.endpoint).enter;
        if let Some(creator) = self.open.get(&event.endpoint).and_then(|socket| socket.creator) {
            return (Owner::Process(creator.process), KnownBy::Creation);
        }
        let fallback = header_process(meta, enter, world);
        let by_header = || match fallback {
            Some(process) => (Owner::Process(process), KnownBy::Header),
            None => (Owner::Unknown, KnownBy::Nothing),
        };
        let eprocess = caller(meta, event, enter);
        if eprocess == 0 {
            return by_header();
        }
        match world.processes.by_eprocess(eprocess, fallback, false) {
            // System is named only for sockets that it created.
            Owner::Process(process) if world.processes.pid(process).is_some_and(is_kernel) => by_header(),
            owner @ Owner::Process(_) => (owner, KnownBy::Eprocess),
            owner @ Owner::Eprocess(..) => (owner, KnownBy::Undecided),
            Owner::Unknown => by_header(),
        }
    }

    fn address_key(&self, endpoint: u64, address: Option<SocketAddress>) -> AddressKey {
        let creator = self.open.get(&endpoint).and_then(|socket| socket.creator);
        AddressKey {
            family: address.map(|address| address.family()).or(creator.and_then(|creator| creator.family)),
            local_address: address.map(|address| address.ip),
            protocol: creator.and_then(|creator| creator.protocol),
        }
    }

    fn count_status(&mut self, operation: Operation, status: NtStatus) {
        if status == NtStatus::SUCCESS {
            return;
        }
        *self.by_status.entry((operation, status)).or_default() += 1;
        if status.shares_low_word_only() {
            self.other_low_word += 1;
        }
    }

    /// The machine was started again: all sockets are gone.
    pub fn restart(&mut self, now: FileTime, world: &mut World) {
        self.finish(world);
        let mut endpoints: Vec<u64> = self.open.keys().copied().collect();
        endpoints.sort_unstable();
        for endpoint in endpoints {
            self.retire(endpoint, now, world);
        }
    }

    /// Ends the analysis: operations that only internal records told about are counted.
    pub fn finish(&mut self, world: &mut World) {
        let mut endpoints: Vec<u64> = self.open.keys().copied().collect();
        endpoints.sort_unstable();
        for endpoint in endpoints {
            self.conclude(Operation::Bind, endpoint, world);
            self.conclude(Operation::Connect, endpoint, world);
        }
    }
}

/// How the owner of an operation is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KnownBy {
    /// The socket's create event.
    Creation,
    /// The EPROCESS address, whose PID is known.
    Eprocess,
    /// A record's header.
    Header,
    /// The EPROCESS address may still get a PID.
    Undecided,
    Nothing,
}

/// Whether an event id is one of Windows Vista and Server 2008.
fn is_legacy(id: u16) -> bool {
    id < 1000
}

/// The EPROCESS address of the caller. A completion in System context may carry System's: then the enter record's.
fn caller(meta: &EventMeta, event: &SocketEvent, enter: Option<Enter>) -> u64 {
    let in_system_context = meta.header_pid.is_none_or(is_kernel);
    match enter {
        Some(enter) if in_system_context && enter.eprocess != 0 => enter.eprocess,
        _ => event.eprocess,
    }
}

/// The process of the record's header, or in System context that of the enter record's header.
fn header_process(meta: &EventMeta, enter: Option<Enter>, world: &mut World) -> Fallback {
    let usable = |pid: &u32| !is_kernel(*pid);
    let pid = meta.header_pid.filter(usable).or_else(|| enter?.header_pid.filter(usable))?;
    Some(world.processes.running(pid, meta.time))
}
