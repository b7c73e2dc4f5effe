//! What is known of one socket, and of the operations under way on it.

use std::net::IpAddr;

use super::totals::AddressId;
use super::values::Operation;
use crate::event::{EventMeta, SocketEvent};
use crate::machine::hold::Hold;
use crate::machine::owner::{Owner, ProcessId};
use crate::machine::pool_key::PoolKey;
use crate::machine::witness::Attribution;
use crate::net::{SocketAddress, SocketKind};
use crate::status::NtStatus;
use crate::time::FileTime;

/// What is known of a socket.
#[derive(Debug, Default)]
pub(super) struct Socket {
    pub(super) creator: Option<Creator>,
    pub(super) bind: Pending,
    pub(super) connect: Pending,
    pub(super) held: Option<(Hold, Option<AddressId>)>,
    /// A connect of this socket has succeeded.
    pub(super) connected: bool,
    /// Whose the last completed operation was: who closes a socket that is older than the trace.
    pub(super) user: Option<Owner>,
    /// It serves both families: an IPv4 address was used with this socket of IPv6.
    pub(super) is_dual: bool,
    /// A failure of this socket has been counted in `failed_sockets`.
    pub(super) failed: bool,
    /// When it was closed. The entry stays, so that the cleanup that follows a close is not taken for another socket.
    pub(super) closed: Option<FileTime>,
    /// Which ends have been told: by its owner, and by the last reference.
    pub(super) told: Told,
}

/// Which ends of a socket have been told as finished.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) close: bool,
    pub(super) cleanup: bool,
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

    /// Nothing was seen of it yet: neither its creation nor that it was used.
    pub(super) fn is_untouched(&self) -> bool {
        self.creator.is_none() && self.user.is_none() && self.held.is_none()
    }

    /// Nothing more is to come of it, as far as it is known.
    pub(super) fn is_finished(&self) -> bool {
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

    pub(super) fn pending(&mut self, operation: Operation) -> &mut Pending {
        if operation == Operation::Bind { &mut self.bind } else { &mut self.connect }
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Creator {
    pub(super) process: ProcessId,
    pub(super) pid: u32,
    /// Kernel address of its object; 0 where the event has none.
    pub(super) eprocess: u64,
    pub(super) kind: SocketKind,
    /// The event id of the create event's exit, once it has been seen.
    pub(super) completed: Option<u16>,
}

/// The operation that is under way on a socket, or the one that just ended.
#[derive(Debug, Default)]
pub(super) struct Pending {
    /// Its request. Boxed: large, and there for a moment.
    pub(super) enter: Option<Box<Enter>>,
    /// The internal record that counts where the operation shows no completion of its own: the first that says there was
    /// no port, else the last. Boxed: large, and not there for most.
    pub(super) internal: Option<Box<Internal>>,
    /// Completed by which event id and status.
    pub(super) completed: Option<(u16, NtStatus)>,
    /// Its exit said STATUS_PENDING: the next internal record that says how it went completes it.
    pub(super) is_pending: bool,
    /// An internal record completed it: a later completion tells the same.
    pub(super) was_internal: bool,
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
pub(super) struct Internal {
    pub(super) meta: EventMeta,
    pub(super) event: SocketEvent,
    pub(super) owner: Attribution,
}

/// Room for requests: that of one that is answered is taken by the next, without the allocator.
#[derive(Debug, Default)]
pub(super) struct Requests {
    #[expect(clippy::vec_box, reason = "the boxes are what is kept")]
    spare: Vec<Box<Enter>>,
}

impl Requests {
    /// Rooms that are kept: few requests are under way at once.
    const SPARE: usize = 64;

    pub(super) fn begin(&mut self, request: Enter) -> Box<Enter> {
        match self.spare.pop() {
            Some(mut room) => {
                *room = request;
                room
            }
            None => Box::new(request),
        }
    }

    pub(super) fn end(&mut self, room: Box<Enter>) -> Enter {
        let request = *room;
        if self.spare.len() < Self::SPARE {
            self.spare.push(room);
        }
        request
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Enter {
    pub(super) header_pid: Option<u32>,
    /// The place in the driver that logged it makes the header reliable.
    pub(super) is_reliable: bool,
    pub(super) eprocess: u64,
    pub(super) address: Option<SocketAddress>,
    pub(super) time: FileTime,
}
