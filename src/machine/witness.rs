//! Whose each record is, told while the machine follows its events to whoever wants to list them.

use super::owner::Owner;
use crate::event::Place;
use crate::time::FileTime;

/// How the owner of an operation is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KnownBy {
    /// The socket's create event.
    Creation,
    /// The EPROCESS address, whose PID is known.
    Eprocess,
    /// The header of a record whose place in the driver makes it reliable.
    Location,
    /// Another record's header.
    Header,
    /// The EPROCESS address may still get a PID.
    Undecided,
    /// What TCP/IP says of its own endpoint or TCB.
    Transport,
    /// Nothing: nobody is known.
    Nothing,
}

/// Who owns something, and how that is known.
pub type Attribution = (Owner, KnownBy);

/// A kernel object that records are about. Addresses of the two layers have nothing to do with each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// AFD's, a socket.
    Socket(u64),
    /// TCP/IP's endpoint or TCB.
    Transport(u64),
}

/// Is told what the machine decides, in the order of the events. `()` is not interested, and costs nothing.
pub trait Witness {
    /// Whether anything is done with what is told; where not, what costs something is not found out.
    const LISTENS: bool = true;

    /// The machine was started: what comes is of this boot, and no endpoint is known.
    fn booted(&mut self, boot: Option<usize>) {
        let _ = boot;
    }

    /// The record there counts as a bind or connect failure 0xC0000209. Records are told in the order in which they count.
    fn failed(&mut self, place: &Place, whose: Attribution) {
        let _ = (place, whose);
    }

    /// An endpoint is somebody's, from `from` to `now` and until something else is told.
    fn owned(&mut self, endpoint: Endpoint, from: FileTime, now: FileTime, whose: Attribution) {
        let _ = (endpoint, from, now, whose);
    }

    /// An endpoint that was somebody's has ended, or its address is used for another one.
    fn ended(&mut self, endpoint: Endpoint, now: FileTime) {
        let _ = (endpoint, now);
    }

    /// An event came of an endpoint that has ended.
    fn lingered(&mut self, endpoint: Endpoint, now: FileTime) {
        let _ = (endpoint, now);
    }
}

impl Witness for () {
    const LISTENS: bool = false;
}
