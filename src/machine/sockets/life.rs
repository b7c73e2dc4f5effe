//! One socket, from create to close.

use std::net::IpAddr;

use super::totals::{AddressId, Totals};
use super::values::{AddressKey, FailureEvidence, Operation, is_legacy};
use crate::event::{EventMeta, Phase, SocketEvent, SocketOperation};
use crate::machine::hold::Hold;
use crate::machine::owner::{Decided, Fallback, Owner, ProcessId, is_kernel};
use crate::machine::pool_key::PoolKey;
use crate::machine::processes::ProcessTable;
use crate::machine::timeline::Happening;
use crate::machine::witness::{Attribution, Endpoint, KnownBy, Witness};
use crate::machine::world::World;
use crate::net::{Family, SocketAddress, SocketKind};
use crate::providers::afd;
use crate::status::NtStatus;
use crate::time::FileTime;

/// What is known of a socket.
#[derive(Debug, Default)]
pub(super) struct Socket {
    creator: Option<Creator>,
    bind: Pending,
    connect: Pending,
    held: Option<(Hold, Option<AddressId>)>,
    /// A connect of this socket has succeeded.
    connected: bool,
    /// Whose the last completed operation was: who closes a socket that is older than the trace.
    user: Option<Owner>,
    /// It serves both families: an IPv4 address was used with this socket of IPv6.
    is_dual: bool,
    /// A failure of this socket has been counted in `failed_sockets`.
    pub(super) failed: bool,
    /// When it was closed. The entry stays, so that the cleanup that follows a close is not taken for another socket.
    pub(super) closed: Option<FileTime>,
    /// Which ends have been told: by its owner, and by the last reference.
    told: Told,
}

/// Which ends of a socket have been told as finished.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Told {
    close: bool,
    cleanup: bool,
}

/// What an event of a socket's end changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// It is closed now, and something may still come of it.
    Closed,
    /// It is closed and cleaned up, and no request is under way: nothing more is to come.
    Finished,
}

impl Socket {
    /// The port that it holds.
    pub(super) fn hold(&self) -> Option<&Hold> {
        self.held.as_ref().map(|(hold, _)| hold)
    }

    /// The number of its local address, while it holds a port.
    pub(super) fn address(&self) -> Option<AddressId> {
        self.held.as_ref().and_then(|(_, address)| *address)
    }

    /// Nothing more is to come of it, as far as it is known.
    fn is_finished(&self) -> bool {
        self.closed.is_some()
            && self.told == Told { close: true, cleanup: true }
            && !self.bind.is_under_way()
            && !self.connect.is_under_way()
    }

    /// What only an internal record told about an operation does not count.
    pub(super) fn forget_internal(&mut self, operation: Operation) {
        self.pending(operation).internal = None;
    }

    /// What was counted so far does not count any more. An internal record from before stands for nothing that is counted
    /// later; a success keeps its port.
    pub(super) fn begin_to_count(&mut self) {
        self.failed = false;
        for operation in [Operation::Bind, Operation::Connect] {
            let internal = &mut self.pending(operation).internal;
            if internal.as_ref().is_some_and(|internal| internal.event.status != Some(NtStatus::SUCCESS)) {
                *internal = None;
            }
        }
    }

    fn pending(&mut self, operation: Operation) -> &mut Pending {
        if operation == Operation::Bind { &mut self.bind } else { &mut self.connect }
    }
}

#[derive(Debug, Clone, Copy)]
struct Creator {
    process: ProcessId,
    pid: u32,
    /// Kernel address of its object; 0 where the event has none.
    eprocess: u64,
    kind: SocketKind,
    /// The event id of the create event's exit, once it has been seen.
    completed: Option<u16>,
}

/// The operation that is under way on a socket, or the one that just ended.
#[derive(Debug, Default)]
struct Pending {
    /// Its request. Boxed: large, and there for a moment.
    enter: Option<Box<Enter>>,
    /// The internal record that counts where the operation shows no completion of its own: the first that says there was
    /// no port, else the last. Boxed: large, and not there for most.
    internal: Option<Box<Internal>>,
    /// Completed by which event id and status.
    completed: Option<(u16, NtStatus)>,
    /// Its exit said STATUS_PENDING: the next internal record that says how it went completes it.
    is_pending: bool,
    /// An internal record completed it: a later completion tells the same.
    was_internal: bool,
}

impl Pending {
    fn is_under_way(&self) -> bool {
        self.enter.is_some() || self.internal.is_some() || self.is_pending
    }
}

/// A port that a bind was given.
#[derive(Debug, Clone, Copy)]
pub(super) struct Given {
    pub(super) owner: Owner,
    pub(super) pool: PoolKey,
    pub(super) port: Option<u16>,
    /// Local address of the socket.
    pub(super) local: Option<IpAddr>,
    /// The socket that is taken to hold it already.
    pub(super) from: Option<u64>,
}

/// An internal record, and whose operation it is: that must be decided when it comes, since processes end.
#[derive(Debug)]
struct Internal {
    meta: EventMeta,
    event: SocketEvent,
    owner: Attribution,
}

#[derive(Debug, Clone, Copy)]
struct Enter {
    header_pid: Option<u32>,
    /// The place in the driver that logged it makes the header reliable.
    is_reliable: bool,
    eprocess: u64,
    address: Option<SocketAddress>,
    time: FileTime,
}

/// The socket that an event is about, and what the event may change beside it.
pub(super) struct Life<'a, W> {
    pub(super) endpoint: u64,
    pub(super) socket: &'a mut Socket,
    pub(super) totals: &'a mut Totals,
    pub(super) world: &'a mut World,
    pub(super) witness: &'a mut W,
}

impl<W: Witness> Life<'_, W> {
    /// It was created; `completed` is the event id where the creation has ended.
    pub(super) fn created(
        &mut self,
        process: ProcessId,
        eprocess: u64,
        kind: SocketKind,
        completed: Option<u16>,
        time: FileTime,
    ) {
        let known = self.socket.creator.filter(|_| self.socket.closed.is_none());
        let same = known.filter(|known| known.process == process).filter(|known| match (completed, known.completed) {
            (None, _) => false,
            (Some(_), None) => true,
            // Where both dialects are logged, one creation completes under an id of each.
            (Some(id), Some(other)) => is_legacy(id) != is_legacy(other),
        });
        if same.is_none() {
            self.retire(time);
        }
        let pid = self.world.processes.pid(process).unwrap_or(0);
        self.socket.creator = Some(Creator { process, pid, eprocess, kind, completed });
        let whose = (Owner::Process(process), KnownBy::Creation);
        self.witness.owned(Endpoint::Socket(self.endpoint), time, time, whose);
        if completed.is_some() && same.is_none_or(|known| known.completed.is_none()) {
            self.world.processes.tally(Owner::Process(process)).sockets_created += 1;
        }
    }

    /// A request arrived.
    pub(super) fn enter(&mut self, operation: Operation, meta: &EventMeta, event: &SocketEvent) -> Option<Given> {
        let given = self.conclude(operation);
        let address = address(event);
        let enter = Enter {
            header_pid: meta.header_pid,
            is_reliable: is_header_reliable(meta, event),
            eprocess: event.eprocess,
            address,
            time: meta.time,
        };
        *self.socket.pending(operation) = Pending { enter: Some(Box::new(enter)), ..Pending::default() };
        given
    }

    /// A request is finished.
    pub(super) fn exit(&mut self, operation: Operation, meta: &EventMeta, event: &SocketEvent) -> Option<Given> {
        let status = event.status.unwrap_or(NtStatus::SUCCESS);
        let pending = self.socket.pending(operation);
        // Where both dialects are logged, one operation completes under an id of each.
        let told_twice =
            pending.completed.is_some_and(|(id, told)| told == status && is_legacy(id) != is_legacy(meta.id));
        let told_twice = told_twice || std::mem::take(&mut pending.was_internal);
        pending.internal = None;
        pending.completed = Some((meta.id, status));
        if told_twice {
            return None;
        }
        let owner = self.told_owner(operation, meta, event);
        self.complete(operation, meta, event, owner)
    }

    /// A request goes on after its exit.
    pub(super) fn pend(&mut self, operation: Operation) {
        self.socket.pending(operation).is_pending = true;
    }

    /// Something happened between.
    pub(super) fn internal(&mut self, operation: Operation, meta: &EventMeta, event: &SocketEvent) -> Option<Given> {
        let says_no_port = |event: &SocketEvent| event.status == Some(NtStatus::TOO_MANY_ADDRESSES);
        let pending = self.socket.pending(operation);
        let found = pending.internal.as_ref().is_some_and(|internal| says_no_port(&internal.event));
        if pending.completed.is_none() && !found && event.status != Some(NtStatus::PENDING) {
            let owner = self.told_owner(operation, meta, event);
            let pending = self.socket.pending(operation);
            if pending.is_pending {
                pending.completed = Some((meta.id, event.status.unwrap_or(NtStatus::SUCCESS)));
                pending.was_internal = true;
                return self.complete(operation, meta, event, owner);
            }
            let internal = Internal { meta: *meta, event: *event, owner };
            pending.internal = Some(Box::new(internal));
        }
        None
    }

    /// Ends the operation under way: if only internal records told how it went, that counts now.
    fn conclude(&mut self, operation: Operation) -> Option<Given> {
        let pending = self.socket.pending(operation);
        let internal = pending.internal.take()?;
        let Internal { meta, event, owner } = *internal;
        pending.completed = Some((meta.id, event.status.unwrap_or(NtStatus::SUCCESS)));
        self.complete(operation, &meta, &event, owner)
    }

    /// Ends all operations under way.
    pub(super) fn conclude_all(&mut self) {
        for operation in [Operation::Bind, Operation::Connect] {
            // A socket that ends takes nothing away from another one.
            if let Some(given) = self.conclude(operation) {
                self.world.processes.tally(given.owner).see_peak();
            }
        }
    }

    /// Counts an operation's completion for its owner.
    fn complete(
        &mut self,
        operation: Operation,
        meta: &EventMeta,
        event: &SocketEvent,
        (owner, known_by): Attribution,
    ) -> Option<Given> {
        let status = event.status.unwrap_or(NtStatus::SUCCESS);
        let given = address(event);
        self.totals.count_status(operation, status);
        // The request is answered: a later completion without one of its own must not take its address or process.
        let enter = self.socket.pending(operation).enter.take().map(|enter| *enter);
        let asked = enter.and_then(|enter| enter.address);
        self.socket.user = Some(owner);
        let mut taken = None;
        if let Some(creator) = self.socket.creator {
            let caller = caller(meta, event, enter);
            let is_other = caller != 0 && creator.eprocess != 0 && caller != creator.eprocess;
            if is_other || meta.header_pid.is_some_and(|pid| pid != creator.pid) {
                self.used_by(caller, creator, meta, event);
            }
        }
        match (operation, status) {
            (_, NtStatus::TOO_MANY_ADDRESSES) => {
                if operation == Operation::Connect {
                    self.had_no_port(meta.time);
                }
                self.count_failure(operation, meta.time, owner, known_by);
                self.witness.failed(&meta.place, (owner, known_by));
                // The port was not given, so the event may hold no address: it is the one that was asked for.
                self.failed(operation, given.or(asked), owner, meta, event);
            }
            (Operation::Bind, NtStatus::SUCCESS) => {
                self.world.processes.tally(owner).binds_ok += 1;
                taken = self.bound(owner, enter, given, meta);
            }
            (Operation::Bind, _) => {
                self.world.processes.tally(owner).other_bind_failures += 1;
                let port = asked.map(|address| address.port).filter(|port| *port != 0);
                self.world.ports.conflicts.add((status, port, owner));
            }
            (Operation::Connect, NtStatus::SUCCESS) => {
                self.socket.connected = true;
                if asked.or(given).is_some_and(|remote| remote.is_mapped()) {
                    self.serves_both(meta.time);
                }
            }
            _ => {}
        }
        if operation == Operation::Connect
            && let Some(remote) = asked.or(given)
        {
            self.world.ports.destinations.add((owner, remote));
        }
        taken
    }

    /// Another process than the creator may have used the socket: that of another EPROCESS address, or of a record header that
    /// is reliable.
    #[cold]
    fn used_by(&mut self, caller: u64, creator: Creator, meta: &EventMeta, event: &SocketEvent) {
        let processes = &mut self.world.processes;
        let by_eprocess = (caller != creator.eprocess).then(|| processes.by_eprocess(caller, None, false));
        let user = match by_eprocess {
            Some(Owner::Process(user)) => Some(user),
            _ => {
                let is_reliable = is_header_reliable(meta, event);
                meta.header_pid.filter(|_| is_reliable).and_then(|pid| processes.last_known(pid))
            }
        };
        if let Some(user) = user.filter(|user| *user != creator.process)
            && processes.pid(user).is_some_and(|pid| !is_kernel(pid))
        {
            self.world.ports.users.add((creator.process, user));
        }
    }

    fn count_failure(&mut self, operation: Operation, time: FileTime, owner: Owner, known_by: KnownBy) {
        // What an internal record told may count late: its EPROCESS address may have got a PID meanwhile.
        let known_by = match known_by {
            KnownBy::Undecided => match self.world.processes.decided(owner) {
                Some(Decided::Eprocess) => KnownBy::Eprocess,
                Some(Decided::Location) => KnownBy::Location,
                Some(Decided::Fallback) => KnownBy::Header,
                Some(Decided::Nobody) => KnownBy::Nothing,
                None => KnownBy::Undecided,
            },
            known_by => known_by,
        };
        let tally = self.world.processes.tally(owner);
        match known_by {
            KnownBy::Creation => tally.owner_source.created_socket += 1,
            KnownBy::Eprocess => tally.owner_source.eprocess += 1,
            KnownBy::Location => tally.owner_source.header_location += 1,
            KnownBy::Header => tally.owner_source.header_pid += 1,
            KnownBy::Nothing => tally.owner_source.unknown += 1,
            // TCP/IP's endpoints have no operations of sockets.
            KnownBy::Undecided | KnownBy::Transport => {}
        }
        match operation {
            Operation::Bind => tally.bind_failure(time),
            _ => tally.connect_failure(time),
        }
    }

    /// A bind succeeded: the socket holds a port from now on, if it asked for any, or got one of the dynamic range.
    fn bound(
        &mut self,
        owner: Owner,
        enter: Option<Enter>,
        given: Option<SocketAddress>,
        meta: &EventMeta,
    ) -> Option<Given> {
        let World { ports, processes } = &mut *self.world;
        ports.count(Happening::BindOk, meta.time, processes);
        if self.socket.creator.is_some_and(|creator| !creator.kind.has_port) {
            return None;
        }
        let asked = enter.and_then(|enter| enter.address);
        let answer = given.or(asked);
        let key = self.address_key(answer);
        let pool = self.pool(&key, owner);
        // Port 0 in an answer is the request repeated: the number is not told.
        let port = answer.map(|address| address.port).filter(|port| *port != 0);
        let asked_for_any = asked.is_some_and(|address| address.port == 0);
        let ports = &mut self.world.ports;
        let is_dynamic = port.is_some_and(|port| ports.ranges.of(pool).contains(port));
        let is_deferred =
            port.is_none() && enter.is_some_and(|enter| ports.transport.has_deferred(meta.header_pid, enter.time));
        // A bind that leaves the port to connect has got none.
        if is_deferred || !(asked_for_any || is_dynamic) {
            return None;
        }
        let from = if asked_for_any { ports.given(pool, port) } else { None };
        let from = from.filter(|endpoint| *endpoint != self.endpoint);
        let dual = self.socket.is_dual || answer.is_some_and(|address| address.is_mapped());
        let id = self.hold(key, Hold { owner, pool, port, since: meta.time, dual }, from.is_some());
        if !asked_for_any {
            return None;
        }
        self.totals.given(id, meta.time);
        Some(Given { owner, pool, port, local: key.local_address, from })
    }

    /// A connect finds no port: the bind before it had left that to connect, and told no number.
    fn had_no_port(&mut self, now: FileTime) {
        if self.socket.hold().is_some_and(|hold| hold.port.is_none()) {
            self.give_back(false, now);
        }
    }

    /// The socket turns out to serve both families: its port is one of IPv4's too.
    fn serves_both(&mut self, now: FileTime) {
        self.socket.is_dual = true;
        let Some((hold, _)) = self.socket.held.as_mut() else { return };
        if hold.dual || hold.pool.family != Some(Family::Ipv6) {
            return;
        }
        hold.dual = true;
        let hold = *hold;
        self.hold_other(&hold, now);
    }

    fn hold_other(&mut self, hold: &Hold, now: FileTime) {
        let Some(pool) = hold.other_pool() else { return };
        let World { ports, processes } = &mut *self.world;
        let counts = ports.hold_other(pool, hold, self.endpoint, now);
        processes.tally(hold.owner).take(pool, hold.port, counts);
    }

    /// The pool that serves an address of a socket of this owner.
    fn pool(&self, key: &AddressKey, owner: Owner) -> PoolKey {
        let World { ports, processes } = &*self.world;
        if ports.compartments.has_others() { key.pool().within(processes.compartment(owner)) } else { key.pool() }
    }

    /// Begins to hold a port; gives the number of the address, if it has one.
    fn hold(&mut self, key: AddressKey, hold: Hold, is_instead: bool) -> Option<AddressId> {
        if self.socket.held.is_some() || self.socket.closed.is_some() {
            return self.totals.known_address(&key);
        }
        let id = self.totals.address(key);
        self.socket.held = Some((hold, id));
        let counts = self.world.ports.hold(&hold, self.endpoint);
        let tally = self.world.processes.tally(hold.owner);
        if is_instead {
            tally.hold_instead(&hold, counts);
        } else {
            tally.hold(&hold, counts);
        }
        self.hold_other(&hold, hold.since);
        self.world.ports.consider(hold.pool, hold.since, false, &self.world.processes);
        self.totals.hold(id, hold.owner);
        id
    }

    /// Notes what a failure 0xC0000209 says beyond its owner.
    fn failed(
        &mut self,
        operation: Operation,
        address: Option<SocketAddress>,
        owner: Owner,
        meta: &EventMeta,
        event: &SocketEvent,
    ) {
        let is_bind = operation == Operation::Bind;
        let key = self.address_key(address);
        let pool = self.pool(&key, owner);
        let World { ports, processes } = &mut *self.world;
        if is_bind {
            self.totals.bind_failed(key, meta.time);
            ports.is_by_address |= key.local_address.is_some_and(|ip| !ip.is_unspecified());
        }
        ports.failed(pool, is_bind, owner, meta.time, processes);
        ports.consider(pool, meta.time, true, processes);
        if !std::mem::replace(&mut self.socket.failed, true) {
            self.totals.failed_sockets += 1;
        }
        let processes = &mut self.world.processes;
        if let Some(creator) = self.socket.creator
            && let Owner::Process(user) = processes.by_eprocess(event.eprocess, None, false)
            && user != creator.process
            && processes.pid(user).is_some_and(|pid| !is_kernel(pid))
        {
            self.totals.used_by_other_process += 1;
        }
        let evidence = FailureEvidence { meta: *meta, operation, phase: event.phase, endpoint: self.endpoint };
        self.totals.note_failure(evidence);
    }

    /// It was closed, or its last reference is gone.
    pub(super) fn close(&mut self, meta: &EventMeta, event: &SocketEvent) -> Option<End> {
        let was_finished = self.socket.is_finished();
        let is_closed_now = self.end(meta, event);
        if event.phase == Phase::Exit {
            let told = &mut self.socket.told;
            *(if event.operation == SocketOperation::Close { &mut told.close } else { &mut told.cleanup }) = true;
        }
        match (self.socket.is_finished(), is_closed_now) {
            (true, _) => (!was_finished).then_some(End::Finished),
            (false, true) => Some(End::Closed),
            (false, false) => None,
        }
    }

    /// Ends it; `false` where it had ended already.
    fn end(&mut self, meta: &EventMeta, event: &SocketEvent) -> bool {
        let endpoint = Endpoint::Socket(self.endpoint);
        if self.socket.closed.is_some() {
            self.witness.lingered(endpoint, meta.time);
            return false;
        }
        self.conclude_all();
        let creator = self.socket.creator.map(|creator| Owner::Process(creator.process));
        let processes = &mut self.world.processes;
        // Nobody is noted down as a process for closing a socket: what is not known already stays unknown.
        let owner = creator.or(self.socket.user).unwrap_or_else(|| {
            let closer = meta.header_pid.filter(|pid| !is_kernel(*pid)).and_then(|pid| processes.last_known(pid));
            let owner = processes.by_eprocess(event.eprocess, closer, true);
            self.witness.owned(endpoint, meta.time, meta.time, closed_by(owner, event.eprocess, closer, processes));
            owner
        });
        self.witness.ended(endpoint, meta.time);
        processes.tally(owner).sockets_closed += 1;
        self.release(meta.time);
        self.socket.closed = Some(meta.time);
        true
    }

    /// Ends a socket whose address is used again.
    pub(super) fn retire(&mut self, now: FileTime) {
        self.conclude_all();
        self.release(now);
        self.witness.ended(Endpoint::Socket(self.endpoint), now);
        *self.socket = Socket::default();
    }

    fn release(&mut self, now: FileTime) {
        self.give_back(self.socket.connected, now);
    }

    /// Its port had come back, though no event told that it was closed.
    pub(super) fn lose_port(&mut self, now: FileTime) {
        self.give_back(false, now);
    }

    fn give_back(&mut self, connected: bool, now: FileTime) {
        let Some((hold, address)) = self.socket.held.take() else { return };
        let World { ports, processes } = &mut *self.world;
        let counts = ports.release(&hold, connected, now, processes);
        let tally = processes.tally(hold.owner);
        tally.release(&hold, counts, now);
        if let Some(pool) = hold.other_pool() {
            let counts = ports.release_other(pool, &hold, connected, now);
            tally.give_back(pool, hold.port, counts);
        }
        self.totals.release(address, hold.owner);
    }

    /// Whose the operation is: the socket's creator's, else that of the process of the EPROCESS address, else that of a
    /// header's.
    fn owner(&mut self, operation: Operation, meta: &EventMeta, event: &SocketEvent) -> Attribution {
        if let Some(creator) = self.socket.creator {
            return (Owner::Process(creator.process), KnownBy::Creation);
        }
        let enter = self.socket.pending(operation).enter.as_deref().copied();
        let fallback = header_process(meta, event, enter, self.world);
        let by_header = || match fallback {
            Some((process, true)) => (Owner::Process(process), KnownBy::Location),
            Some((process, false)) => (Owner::Process(process), KnownBy::Header),
            None => (Owner::Unknown, KnownBy::Nothing),
        };
        let eprocess = caller(meta, event, enter);
        if eprocess == 0 {
            return by_header();
        }
        let processes = &mut self.world.processes;
        match processes.by_eprocess(eprocess, fallback.map(|(process, _)| process), false) {
            // System is named only for sockets that it created.
            Owner::Process(process) if processes.pid(process).is_some_and(is_kernel) => by_header(),
            owner @ Owner::Process(_) if processes.is_by_location(eprocess) => (owner, KnownBy::Location),
            owner @ Owner::Process(_) => (owner, KnownBy::Eprocess),
            owner @ Owner::Eprocess(..) => (owner, KnownBy::Undecided),
            Owner::Unknown => by_header(),
        }
    }

    /// The same, and the witness is told: the operation was its owner's from its request on.
    fn told_owner(&mut self, operation: Operation, meta: &EventMeta, event: &SocketEvent) -> Attribution {
        let whose = self.owner(operation, meta, event);
        let (endpoint, now) = (Endpoint::Socket(self.endpoint), meta.time);
        if self.socket.closed.is_some() {
            self.witness.lingered(endpoint, now);
        } else {
            let from = self.socket.pending(operation).enter.as_ref().map_or(now, |enter| enter.time);
            self.witness.owned(endpoint, from, now, whose);
        }
        whose
    }

    fn address_key(&self, address: Option<SocketAddress>) -> AddressKey {
        let creator = self.socket.creator;
        AddressKey {
            family: address.map(|address| address.family()).or(creator.and_then(|creator| creator.kind.family)),
            local_address: address.map(|address| address.ip),
            protocol: creator.and_then(|creator| creator.kind.protocol),
        }
    }
}

fn address(event: &SocketEvent) -> Option<SocketAddress> {
    match event.operation {
        SocketOperation::Bind { address } | SocketOperation::Connect { address } => address,
        _ => None,
    }
}

/// The EPROCESS address of the caller. A completion in System context may carry System's: then the enter record's.
fn caller(meta: &EventMeta, event: &SocketEvent, enter: Option<Enter>) -> u64 {
    let in_system_context = meta.header_pid.is_none_or(is_kernel);
    match enter {
        Some(enter) if in_system_context && enter.eprocess != 0 => enter.eprocess,
        _ => event.eprocess,
    }
}

/// Whose a socket is of which nothing is known but who closed it. System closes what others left behind.
fn closed_by(owner: Owner, eprocess: u64, closer: Fallback, processes: &ProcessTable) -> Attribution {
    match owner {
        Owner::Process(process) if processes.pid(process).is_some_and(is_kernel) => match closer {
            Some(closer) => (Owner::Process(closer), KnownBy::Header),
            None => (Owner::Unknown, KnownBy::Nothing),
        },
        Owner::Process(_) if eprocess == 0 => (owner, KnownBy::Header),
        Owner::Process(_) => (owner, KnownBy::Eprocess),
        Owner::Eprocess(..) => (owner, KnownBy::Undecided),
        Owner::Unknown => (owner, KnownBy::Nothing),
    }
}

/// The process of the record's header, or in System context that of the enter record's header; and whether the place in the
/// driver that logged the record makes that reliable.
fn header_process(
    meta: &EventMeta,
    event: &SocketEvent,
    enter: Option<Enter>,
    world: &mut World,
) -> Option<(ProcessId, bool)> {
    let usable = |pid: &u32| !is_kernel(*pid);
    let own = meta.header_pid.filter(usable).map(|pid| (pid, is_header_reliable(meta, event)));
    let entered = || enter.and_then(|enter| Some((enter.header_pid.filter(usable)?, enter.is_reliable)));
    let (pid, is_reliable) = match (own, entered()) {
        // Both are of one process: the better one counts.
        (Some((pid, _)), Some((other, true))) if pid == other => (pid, true),
        (own, entered) => own.or(entered)?,
    };
    Some((world.processes.running(pid, meta.time), is_reliable))
}

/// Whether the header of a record names the process that it is about.
pub(super) fn is_header_reliable(meta: &EventMeta, event: &SocketEvent) -> bool {
    let is_usable = meta.header_pid.is_some_and(|pid| !is_kernel(pid));
    is_usable && event.location.is_some_and(|location| afd::is_header_reliable(meta.id, event.phase, location))
}
