//! One socket, from create to close.

use super::attribution::{caller, closed_by, is_header_reliable};
use super::state::{Creator, End, Enter, Given, Internal, Pending, Requests, Socket};
use super::totals::Totals;
use super::values::{FailureEvidence, Operation, is_legacy};
use crate::event::{EventMeta, Phase, SocketEvent, SocketOperation};
use crate::machine::owner::{Decided, Owner, ProcessId, is_kernel};
use crate::machine::witness::{Attribution, Endpoint, KnownBy, Witness};
use crate::machine::world::World;
use crate::net::{SocketAddress, SocketKind};
use crate::status::NtStatus;
use crate::time::FileTime;

/// The socket that an event is about, and what the event may change beside it.
pub(super) struct Life<'a, W> {
    pub(super) endpoint: u64,
    pub(super) socket: &'a mut Socket,
    pub(super) totals: &'a mut Totals,
    pub(super) requests: &'a mut Requests,
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
        *self.socket.pending(operation) = Pending { enter: Some(self.requests.begin(enter)), ..Pending::default() };
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
        let enter = self.socket.pending(operation).enter.take().map(|enter| self.requests.end(enter));
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
            self.world.ports.connects(owner, remote);
        }
        taken
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
        let tally = processes.tally(owner);
        tally.sockets_closed += 1;
        if self.socket.is_untouched() {
            tally.closed_older.close(meta.time);
        }
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
}

fn address(event: &SocketEvent) -> Option<SocketAddress> {
    match event.operation {
        SocketOperation::Bind { address } | SocketOperation::Connect { address } => address,
        _ => None,
    }
}
