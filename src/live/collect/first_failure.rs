//! Waits for the first bind or connect that fails for want of a port: a second session, read in real time, of socket events
//! alone. The recording itself is read by nobody.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use super::super::error::LiveError;
use super::super::session::{self, FIRST_FAILURE_SESSION, Session, Wanted};
use super::super::system::{RawEvent, SessionSetup, System};
use crate::event::{NetEvent, Phase, SocketOperation};
use crate::providers::{Interpreted, afd};
use crate::status::NtStatus;
use crate::time::FileTime;

/// Buffers of the session, in MiB: its events are few, and what it loses is in the recording.
const BUFFER_MIB: u32 = 8;

/// The second session. Dropped, it is stopped.
pub(super) struct FirstFailure<'s> {
    session: Session<'s>,
    /// The earliest so far: processors deliver what they have one after the other. `i64::MAX` for none.
    seen: Arc<AtomicI64>,
}

impl<'s> FirstFailure<'s> {
    /// Begins to wait.
    pub(super) fn start(system: &'s Arc<dyn System>) -> Result<Self, LiveError> {
        let wanted =
            Wanted { buffer_mib: BUFFER_MIB, is_read: true, record: None, max_file_mib: None, is_circular: false };
        let whole = session::setup(system.as_ref(), &wanted);
        let providers = whole.providers.into_iter().filter(|provider| provider.guid == afd::PROVIDER).collect();
        let setup = SessionSetup { name: FIRST_FAILURE_SESSION.to_owned(), providers, ..whole };
        let seen = Arc::new(AtomicI64::new(i64::MAX));
        let told = Arc::clone(&seen);
        let sink = move |raw: &RawEvent<'_>| {
            if is_failure(raw) {
                told.fetch_min(raw.time.0, Ordering::AcqRel);
            }
        };
        let session = Session::start(system, setup, Arc::new(sink))?;
        Ok(Self { session, seen })
    }

    /// When it was, if it was; for some seconds after the first one was delivered, an earlier one may still come.
    pub(super) fn seen(&self) -> Option<FileTime> {
        Some(self.seen.load(Ordering::Acquire)).filter(|time| *time < i64::MAX).map(FileTime)
    }

    /// Whether nothing will be seen any more: somebody ended the session, or its reading.
    pub(super) fn is_gone(&self) -> bool {
        self.session.is_done()
    }

    /// Ends the session.
    pub(super) fn end(mut self) {
        if self.session.stop().is_ok() && self.session.is_done() {
            let _ = self.session.join();
        }
    }
}

/// Whether an event ends a bind or connect with `STATUS_TOO_MANY_ADDRESSES`.
fn is_failure(raw: &RawEvent<'_>) -> bool {
    let (_, Interpreted::Event(NetEvent::Socket(event))) = raw.decode() else { return false };
    let takes_a_port = matches!(event.operation, SocketOperation::Bind { .. } | SocketOperation::Connect { .. });
    takes_a_port && event.phase != Phase::Enter && event.status == Some(NtStatus::TOO_MANY_ADDRESSES)
}
