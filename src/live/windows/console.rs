//! What the console tells: Ctrl-C, and that Windows ends this program because its window closes, the user logs off, or the
//! machine shuts down.
//!
//! An interactive program is told that its window closes; services are told of log-off and shutdown (page on `HandlerRoutine`).
//! Once the handler of these returns, Windows ends the process: so the handler itself stops the sessions, and then gives the
//! main thread time to write its report.

#![allow(unsafe_code)]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use windows_sys::Win32::System::Console::{CTRL_BREAK_EVENT, CTRL_C_EVENT, CTRL_LOGOFF_EVENT, SetConsoleCtrlHandler};
use windows_sys::Win32::System::RemoteDesktop::ProcessIdToSessionId;
use windows_sys::core::BOOL;

use super::super::system::SessionCounts;
use super::control;

/// Time for the main thread. Windows gives five seconds for a window that closes, and for a log-off.
const PATIENCE: Duration = Duration::from_secs(4);

/// What is to be set by each of these events.
static INTERRUPT: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// Events so far.
static EVENTS: AtomicU32 = AtomicU32::new(0);

/// Windows ends this program.
static IS_ENDING: AtomicBool = AtomicBool::new(false);

/// Sessions that this program has started, and the last counts of those that the handler has stopped.
static SESSIONS: Mutex<BTreeMap<String, Option<SessionCounts>>> = Mutex::new(BTreeMap::new());

fn sessions() -> MutexGuard<'static, BTreeMap<String, Option<SessionCounts>>> {
    SESSIONS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sets `interrupt` from now on; `false` where that is not to be had.
pub(in super::super) fn watch(interrupt: &Arc<AtomicBool>) -> bool {
    if INTERRUPT.set(Arc::clone(interrupt)).is_err() {
        return false;
    }
    // SAFETY: the handler lives as long as the program.
    unsafe { SetConsoleCtrlHandler(Some(handle), 1) != 0 }
}

/// Whether [`watch`] has been called: nobody else is to end the program then.
pub fn is_watched() -> bool {
    INTERRUPT.get().is_some()
}

/// Whether Windows ends this program: in a few seconds at most.
pub(super) fn is_ending() -> bool {
    IS_ENDING.load(Ordering::Acquire)
}

/// Events of the console so far: whoever sees another number than before is to stop waiting.
pub(super) fn events() -> u32 {
    EVENTS.load(Ordering::Acquire)
}

/// The handler stops this session too.
pub(super) fn begin(session: &str) {
    sessions().insert(session.to_owned(), None);
}

/// The session has been stopped, or was never there; gives its last counts if the handler has stopped it.
pub(super) fn end(session: &str) -> Option<SessionCounts> {
    sessions().remove(session).flatten()
}

/// Whether this program runs where services and tasks without a user do: in session 0.
fn is_service() -> bool {
    let mut session = u32::MAX;
    // SAFETY: the number is ours to be set.
    let is_told = unsafe { ProcessIdToSessionId(std::process::id(), &mut session) } != 0;
    is_told && session == 0
}

/// Runs on a thread of its own, which Windows makes for each event.
unsafe extern "system" fn handle(event: u32) -> BOOL {
    const HANDLED: BOOL = 1;
    if event == CTRL_LOGOFF_EVENT && is_service() {
        // It tells not whose log-off it is, and a service outlives them.
        return HANDLED;
    }
    let is_key = matches!(event, CTRL_C_EVENT | CTRL_BREAK_EVENT);
    IS_ENDING.fetch_or(!is_key, Ordering::AcqRel);
    EVENTS.fetch_add(1, Ordering::AcqRel);
    if let Some(interrupt) = INTERRUPT.get() {
        interrupt.store(true, Ordering::Release);
    }
    if !is_key {
        let names: Vec<String> = sessions().keys().cloned().collect();
        for name in names {
            let stopped = control::stop(&name).ok().flatten();
            if let Some(session) = sessions().get_mut(&name) {
                *session = session.or(stopped);
            }
        }
        // The end of the main thread ends this one.
        std::thread::sleep(PATIENCE);
    }
    HANDLED
}
