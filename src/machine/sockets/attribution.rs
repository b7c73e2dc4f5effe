//! Whose the operations of a socket are, and who uses it.

use super::life::Life;
use super::state::{Creator, Enter};
use super::values::Operation;
use crate::event::{EventMeta, SocketEvent};
use crate::machine::owner::{Fallback, Owner, ProcessId, is_kernel};
use crate::machine::processes::ProcessTable;
use crate::machine::witness::{Attribution, Endpoint, KnownBy, Witness};
use crate::machine::world::World;
use crate::providers::afd;

impl<W: Witness> Life<'_, W> {
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
    pub(super) fn told_owner(&mut self, operation: Operation, meta: &EventMeta, event: &SocketEvent) -> Attribution {
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

    /// Another process than the creator may have used the socket: that of another EPROCESS address, or of a record header that
    /// is reliable.
    #[cold]
    pub(super) fn used_by(&mut self, caller: u64, creator: Creator, meta: &EventMeta, event: &SocketEvent) {
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
}

/// The EPROCESS address of the caller. A completion in System context may carry System's: then the enter record's.
pub(super) fn caller(meta: &EventMeta, event: &SocketEvent, enter: Option<Enter>) -> u64 {
    let in_system_context = meta.header_pid.is_none_or(is_kernel);
    match enter {
        Some(enter) if in_system_context && enter.eprocess != 0 => enter.eprocess,
        _ => event.eprocess,
    }
}

/// Whose a socket is of which nothing is known but who closed it. System closes what others left behind.
pub(super) fn closed_by(owner: Owner, eprocess: u64, closer: Fallback, processes: &ProcessTable) -> Attribution {
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
