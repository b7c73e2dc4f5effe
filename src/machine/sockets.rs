//! Sockets over time: from create to close, who owns them, what their binds and connects came to, what they hold.
//!
//! A socket is an AFD endpoint address and a span of time: addresses are reused.

mod life;
mod open;
mod totals;
mod values;

use self::life::{Life, is_header_reliable};
use self::open::OpenSockets;
use self::totals::Totals;
use self::values::is_legacy;
pub use self::values::{AddressKey, AddressTally, FailureEvidence, Operation, SocketTable};
use super::witness::Witness;
use super::world::World;
use crate::event::{EventMeta, Phase, SocketEvent, SocketOperation};
use crate::net::{Family, Protocol};
use crate::status::NtStatus;
use crate::time::FileTime;

/// Follows all sockets of a case.
#[derive(Debug, Default)]
pub struct Sockets {
    open: OpenSockets,
    totals: Totals,
}

impl Sockets {
    /// Takes in one event. Events must come in time order.
    #[inline]
    pub fn observe<W: Witness>(&mut self, meta: &EventMeta, event: &SocketEvent, world: &mut World, witness: &mut W) {
        if let Some(pid) = meta.header_pid.filter(|_| is_header_reliable(meta, event)) {
            world.processes.located(pid, event.eprocess, meta.time);
        }
        match event.operation {
            SocketOperation::Create { family, socket_type, protocol, pid } => {
                let kind = (Family::from_winsock(family), Protocol::from_winsock(protocol, socket_type));
                self.create(meta, event, (pid, kind), world, witness);
            }
            SocketOperation::Bind { .. } => self.operation(Operation::Bind, meta, event, world, witness),
            SocketOperation::Connect { .. } => self.operation(Operation::Connect, meta, event, world, witness),
            SocketOperation::Close | SocketOperation::Cleanup => self.close(meta, event, world, witness),
        }
    }

    fn create<W: Witness>(
        &mut self,
        meta: &EventMeta,
        event: &SocketEvent,
        (pid, kind): (u32, (Option<Family>, Option<Protocol>)),
        world: &mut World,
        witness: &mut W,
    ) {
        let status = event.status.unwrap_or(NtStatus::SUCCESS);
        match event.phase {
            Phase::Internal(_) => return,
            Phase::Exit if status == NtStatus::PENDING => return,
            Phase::Exit if status != NtStatus::SUCCESS => {
                self.totals.count_status(Operation::Create, status);
                if let Some(socket) = self.open.get_mut(event.endpoint) {
                    let totals = &mut self.totals;
                    Life { endpoint: event.endpoint, socket, totals, world, witness }.retire(meta.time);
                }
                return;
            }
            Phase::Enter | Phase::Exit => {}
        }
        if event.endpoint == 0 {
            return;
        }
        // The creating PID stands in the event; where it is 0, in the record's header, which says nothing about the address.
        let process = match (pid, meta.header_pid) {
            (0, None) => return,
            (0, Some(pid)) => world.processes.running(pid, meta.time),
            (pid, _) => world.processes.creator(pid, event.eprocess, meta.time),
        };
        let completed = (event.phase == Phase::Exit).then_some(meta.id);
        self.life(event.endpoint, meta.time, world, witness).created(process, kind, completed, meta.time);
    }

    fn operation<W: Witness>(
        &mut self,
        operation: Operation,
        meta: &EventMeta,
        event: &SocketEvent,
        world: &mut World,
        witness: &mut W,
    ) {
        let tells = match event.phase {
            Phase::Enter => true,
            Phase::Exit => event.status != Some(NtStatus::PENDING),
            Phase::Internal(number) => (2..=4).contains(&number),
        };
        let starts = event.phase == Phase::Enter || is_legacy(meta.id);
        if !tells && !starts {
            return;
        }
        let mut life = self.life(event.endpoint, meta.time, world, witness);
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

    fn close<W: Witness>(&mut self, meta: &EventMeta, event: &SocketEvent, world: &mut World, witness: &mut W) {
        if event.endpoint != 0 {
            self.life(event.endpoint, meta.time, world, witness).close(meta, event);
        }
    }

    fn life<'a, W>(
        &'a mut self,
        endpoint: u64,
        now: FileTime,
        world: &'a mut World,
        witness: &'a mut W,
    ) -> Life<'a, W> {
        Life { endpoint, socket: self.open.get_or_new(endpoint, now), totals: &mut self.totals, world, witness }
    }

    /// The machine was started again: all sockets are gone.
    pub fn restart<W: Witness>(&mut self, now: FileTime, world: &mut World, witness: &mut W) {
        self.conclude(world, witness);
        for endpoint in self.open.endpoints() {
            self.life(endpoint, now, world, witness).retire(now);
        }
        self.open.clear();
    }

    /// Operations that only internal records told about are counted.
    fn conclude<W: Witness>(&mut self, world: &mut World, witness: &mut W) {
        for endpoint in self.open.endpoints() {
            if let Some(socket) = self.open.get_mut(endpoint) {
                Life { endpoint, socket, totals: &mut self.totals, world, witness }.conclude_all();
            }
        }
    }

    /// Ends the analysis.
    pub fn finish<W: Witness>(mut self, world: &mut World, witness: &mut W) -> SocketTable {
        self.conclude(world, witness);
        let Self { open, totals } = self;
        totals.into_table(open.held().copied().collect(), open.overflowed)
    }
}
