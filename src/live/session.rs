//! A session of our own: started, watched and ended, and never left behind.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::LiveError;
use super::system::{Consumer, ProviderSetup, Refusal, SessionCounts, SessionSetup, Sink, System};
use crate::providers::{afd, process, tcpip};

/// Its name. One for all runs, so that a session that a killed run left behind is found and ended by the next.
pub const SESSION_NAME: &str = "outofports-live";

/// Longest path of a recorded file, in characters; a longer one is cut by what starts the session.
const MAX_PATH_CHARACTERS: usize = 200;

/// Room that must be free to begin a recording.
const MIN_FREE_BYTES: u64 = 256 << 20;

/// TCPIP events about endpoints, binds, connections and global parameters (Windows 10: 0x1, 0x4, 0x8, 0x400, ConnectPath, Global;
/// Windows 7: Global and endpoints have other bits). None of these keywords has an event for each packet at level 4. Source:
/// the manifests of Windows 7 and 10.
const TCPIP_KEYWORDS: u64 = 0x08C4_0000_040D;

/// Informational.
const LEVEL: u8 = 4;

/// What the session enables.
pub const PROVIDERS: [ProviderSetup; 3] = [
    ProviderSetup {
        guid: process::KERNEL_PROCESS,
        name: "Microsoft-Windows-Kernel-Process",
        keywords: 0x10,
        level: LEVEL,
        rundown: true,
        is_needed: false,
    },
    ProviderSetup {
        guid: tcpip::PROVIDER,
        name: "Microsoft-Windows-TCPIP",
        keywords: TCPIP_KEYWORDS,
        level: LEVEL,
        rundown: true,
        is_needed: false,
    },
    ProviderSetup {
        guid: afd::PROVIDER,
        name: "Microsoft-Windows-Winsock-AFD",
        keywords: 0x4,
        level: LEVEL,
        rundown: false,
        is_needed: true,
    },
];

/// A session of so many MiB of buffers, which writes `record` too.
pub fn setup(buffer_mib: u32, record: Option<PathBuf>) -> SessionSetup {
    const BUFFER_KIB: u32 = 256;
    let most = buffer_mib.saturating_mul(1024 / BUFFER_KIB).max(4);
    SessionSetup {
        name: SESSION_NAME.to_owned(),
        buffer_kib: BUFFER_KIB,
        buffers: ((most / 4).max(2), most),
        record,
        providers: PROVIDERS.to_vec(),
    }
}

/// A running session. Dropped, it is stopped.
pub struct Session<'s> {
    system: &'s dyn System,
    setup: SessionSetup,
    consumer: Option<Box<dyn Consumer>>,
    is_stopped: bool,
    /// What is to be known about how it was started.
    pub notes: Vec<String>,
}

impl<'s> Session<'s> {
    /// Starts a session, in the place of one that an earlier run left behind.
    ///
    /// # Errors
    ///
    /// Why it cannot be started; then no session is left.
    pub fn start(system: &'s dyn System, setup: SessionSetup, sink: Sink) -> Result<Self, LiveError> {
        if let Some(path) = &setup.record {
            check_file(system, path)?;
        }
        if !system.claim(&setup.name) {
            return Err(LiveError::AnotherRuns(setup.name));
        }
        let mut notes = Vec::new();
        let trouble = |refusal| LiveError::of(refusal, &setup.name, setup.record.as_ref(), system.is_elevated());
        // The name is ours and nobody else runs: whatever session has it was left behind.
        if system.query(&setup.name).map_err(trouble)?.is_some() {
            system.stop(&setup.name).map_err(trouble)?;
            notes.push("a session that an earlier run left behind was ended".to_owned());
        }
        let consumer = match system.start(&setup, sink) {
            Ok(consumer) => consumer,
            Err(refusal) => {
                let trouble = trouble(refusal);
                if !matches!(trouble, LiveError::NameTaken(_)) {
                    // What failed may be a later step than starting.
                    let _ = system.stop(&setup.name);
                }
                return Err(trouble);
            }
        };
        let mut session = Self { system, setup, consumer: Some(consumer), is_stopped: false, notes };
        session.look_at_providers()?;
        Ok(session)
    }

    /// Asks for rundowns, and looks whether all providers are there.
    fn look_at_providers(&mut self) -> Result<(), LiveError> {
        for provider in &self.setup.providers {
            if !self.system.is_registered(provider.guid) {
                if provider.is_needed {
                    return Err(LiveError::ProviderMissing(provider.name));
                }
                self.notes.push(format!("the provider {} is not on this system", provider.name));
            } else if provider.rundown
                && let Err(refusal) = self.system.ask_for_rundown(&self.setup.name, provider)
            {
                self.notes.push(format!("{}: {refusal}", provider.name));
            }
        }
        Ok(())
    }

    /// What it counts; `None` where it is gone.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn counts(&self) -> Result<Option<SessionCounts>, Refusal> {
        self.system.query(&self.setup.name)
    }

    /// Ends the session; its last events are still delivered afterwards.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn stop(&mut self) -> Result<Option<SessionCounts>, Refusal> {
        let stopped = self.system.stop(&self.setup.name);
        self.is_stopped = stopped.is_ok();
        stopped
    }

    /// Whether all events have been delivered.
    pub fn is_done(&self) -> bool {
        self.consumer.as_ref().is_none_or(|consumer| consumer.is_done())
    }

    /// Waits for the end of reading.
    ///
    /// # Errors
    ///
    /// What ended it, other than the end of the session.
    pub fn join(mut self) -> Result<(), Refusal> {
        self.consumer.take().map_or(Ok(()), Consumer::join)
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        if !self.is_stopped {
            let _ = self.system.stop(&self.setup.name);
        }
    }
}

fn check_file(system: &dyn System, path: &Path) -> Result<(), LiveError> {
    let bad = |why| Err(LiveError::BadFile { path: path.to_path_buf(), why });
    if path.exists() {
        return Err(LiveError::FileExists(path.to_path_buf()));
    }
    if path.to_string_lossy().encode_utf16().count() > MAX_PATH_CHARACTERS {
        return bad("its path has more than 200 characters");
    }
    if path.parent().is_some_and(|folder| !folder.as_os_str().is_empty() && !folder.is_dir()) {
        return bad("there is no such folder");
    }
    match system.free_bytes(path) {
        Some(free) if free < MIN_FREE_BYTES => Err(LiveError::DiskFull { path: path.to_path_buf(), free: Some(free) }),
        _ => Ok(()),
    }
}

/// While it lives, a panic anywhere ends the session before the process may end: a panic on a thread of the system does not
/// unwind to [`Session`].
pub struct PanicGuard;

impl PanicGuard {
    /// Watches for panics.
    pub fn new(system: &Arc<dyn System>) -> Self {
        let system = Arc::clone(system);
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let _ = system.stop(SESSION_NAME);
            before(panic);
        }));
        Self
    }
}

impl Drop for PanicGuard {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = std::panic::take_hook();
        }
    }
}
