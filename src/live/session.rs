//! A session of our own: started, watched and ended, and never left behind.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::error::LiveError;
use super::system::{
    Consumer, ProviderSetup, Recording, Refusal, SessionCounts, SessionSetup, SessionStep, Sink, System,
};
use crate::providers::{afd, process, tcpip};

/// Its name. One for all runs, so that a session that a killed run left behind is found and ended by the next.
pub const SESSION_NAME: &str = "outofports-live";

/// The second session of a collection that waits for the first failure.
pub const FIRST_FAILURE_SESSION: &str = "outofports-first-failure";

/// Longest path of a recorded file, in characters; a longer one is cut by what starts the session.
const MAX_PATH_CHARACTERS: usize = 200;

/// Room that is left to others on the disk of a recording.
const RESERVE_BYTES: u64 = 256 << 20;

/// Room that must be free to begin a recording.
const MIN_FREE_BYTES: u64 = 2 * RESERVE_BYTES;

/// A recording ends when less room than this is left, since others write too.
const LEAST_FREE_BYTES: u64 = 128 << 20;

/// How often the room is looked at, whatever else goes on.
const ROOM_EVERY: Duration = Duration::from_secs(1);

/// Size of one buffer. A file takes whole buffers, one for each processor whenever they are flushed. Source: the page on
/// `EVENT_TRACE_PROPERTIES`, which gives 64 KB for most sessions.
const BUFFER_KIB: u32 = 64;

/// Processors that no machine has more of.
const MAX_PROCESSORS: u32 = 2048;

/// What is recorded without a reader need not be flushed before a buffer is full; but what a crash takes should be little.
const UNREAD_FLUSH: Duration = Duration::from_secs(60);

/// Where events are read in real time and recorded too, so many processors flush within a second: 1 MiB/s at most of an idle
/// machine.
const FLUSHED_PER_SECOND: u32 = 16;

/// A reader waits no longer than this for the events of an idle processor.
const MAX_READ_FLUSH_SECONDS: u32 = 6;

/// The first build that filters by event id: Windows 8.1, Server 2012 R2.
const FIRST_BUILD_WITH_FILTERS: u32 = 9600;

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
        ids: &[],
        rundown: true,
        is_needed: false,
    },
    ProviderSetup {
        guid: tcpip::PROVIDER,
        name: "Microsoft-Windows-TCPIP",
        keywords: TCPIP_KEYWORDS,
        level: LEVEL,
        ids: &[],
        rundown: true,
        is_needed: false,
    },
    ProviderSetup {
        guid: afd::PROVIDER,
        name: "Microsoft-Windows-Winsock-AFD",
        keywords: 0x4,
        level: LEVEL,
        // Else it tells of each send and receive too.
        ids: &afd::EVENT_IDS,
        rundown: false,
        is_needed: true,
    },
];

/// What a session is wanted for.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Buffers, in MiB.
    pub buffer_mib: u32,
    /// Somebody reads it in real time.
    pub is_read: bool,
    /// A file that it writes.
    pub record: Option<PathBuf>,
    /// The file grows to so many MiB (default: the free room less a reserve).
    pub max_file_mib: Option<u32>,
    /// The newest events in the file replace the oldest.
    pub is_circular: bool,
}

/// The session that this machine needs for that.
pub fn setup(system: &dyn System, wanted: &Wanted) -> SessionSetup {
    let processors = system.machine().processors.unwrap_or(1).clamp(1, MAX_PROCESSORS);
    // Two for each processor are the least that the system takes, and more are needed while some are written.
    let (least, most) = (processors * 2, wanted.buffer_mib.saturating_mul(1024 / BUFFER_KIB));
    let recording = |path: &PathBuf| {
        let room = system.free_bytes(path).map(|free| free.saturating_sub(RESERVE_BYTES) >> 20);
        let room = room.map_or(u32::MAX, |mib| u32::try_from(mib).unwrap_or(u32::MAX));
        let max_mib = wanted.max_file_mib.unwrap_or(u32::MAX).min(room).max(1);
        Recording { path: path.clone(), max_mib, is_circular: wanted.is_circular }
    };
    SessionSetup {
        name: SESSION_NAME.to_owned(),
        buffer_kib: BUFFER_KIB,
        buffers: (least.max(most / 4), most.max(least * 2)),
        flush: match (wanted.is_read, &wanted.record) {
            (false, _) => UNREAD_FLUSH,
            (true, None) => Duration::from_secs(1),
            (true, Some(_)) => {
                let seconds = processors.div_ceil(FLUSHED_PER_SECOND).min(MAX_READ_FLUSH_SECONDS);
                Duration::from_secs(seconds.into())
            }
        },
        is_read: wanted.is_read,
        record: wanted.record.as_ref().map(recording),
        providers: PROVIDERS.to_vec(),
    }
}

/// A running session. Dropped, it is stopped.
pub struct Session<'s> {
    system: &'s dyn System,
    setup: SessionSetup,
    consumer: Option<Box<dyn Consumer>>,
    room: Option<RoomGuard>,
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
    pub fn start(system: &'s Arc<dyn System>, setup: SessionSetup, sink: Sink) -> Result<Self, LiveError> {
        if let Some(recording) = &setup.record {
            check_file(system.as_ref(), &recording.path)?;
        }
        if !system.claim(&setup.name) {
            return Err(LiveError::AnotherRuns(setup.name));
        }
        let record = setup.record.as_ref().map(|recording| recording.path.clone());
        let trouble = |refusal| LiveError::of(refusal, &setup.name, record.as_ref(), system.is_elevated());
        let mut notes = Vec::new();
        // The name is ours and nobody else runs: whatever session has it was left behind.
        if system.query(&setup.name).map_err(trouble)?.is_some() {
            system.stop(&setup.name).map_err(trouble)?;
            notes.push("a session that an earlier run left behind was ended".to_owned());
        }
        let (setup, consumer) = start_filtered(system.as_ref(), &setup, &sink, &mut notes).map_err(trouble)?;
        let room = setup.record.as_ref().map(|recording| RoomGuard::new(system, &setup.name, &recording.path));
        let mut session =
            Self { system: system.as_ref(), setup, consumer: Some(consumer), room, is_stopped: false, notes };
        session.look_at_providers()?;
        Ok(session)
    }

    /// Bytes that were free when the session was stopped because its disk was nearly full.
    pub fn room_left(&self) -> Option<u64> {
        self.room.as_ref().and_then(|room| room.ended.free_bytes.get().copied())
    }

    /// The file that it writes.
    pub fn recording(&self) -> Option<&Recording> {
        self.setup.record.as_ref()
    }

    /// A buffer that is not full is passed on after this time.
    pub fn flush(&self) -> Duration {
        self.setup.flush
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
        let stopped = self.system.stop(&self.setup.name)?;
        self.is_stopped = true;
        let by_guard = || self.room.as_ref().and_then(|room| room.ended.counts.get().copied());
        Ok(stopped.or_else(by_guard))
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

/// Starts the session with the event ids that are wanted alone, or with all where the system takes no such filter. What fails
/// leaves no session, unless somebody else has it.
fn start_filtered(
    system: &dyn System,
    setup: &SessionSetup,
    sink: &Sink,
    notes: &mut Vec<String>,
) -> Result<(SessionSetup, Box<dyn Consumer>), Refusal> {
    let start = |setup: &SessionSetup| {
        let result = system.start(setup, Arc::clone(sink));
        if let Err(refusal) = &result
            && !refusal.is_taken()
        {
            // What failed may be a later step than starting.
            let _ = system.stop(&setup.name);
        }
        result
    };
    let mut unfiltered = setup.clone();
    unfiltered.providers.iter_mut().for_each(|provider| provider.ids = &[]);
    let takes_filters = system.machine().os_build.is_none_or(|build| build >= FIRST_BUILD_WITH_FILTERS);
    if takes_filters && unfiltered != *setup {
        match start(setup) {
            Ok(consumer) => return Ok((setup.clone(), consumer)),
            Err(refusal) if refusal.step != SessionStep::Enable => return Err(refusal),
            Err(_) => {}
        }
    }
    let consumer = start(&unfiltered)?;
    if unfiltered != *setup {
        notes.push(
            "this system does not filter by event id: it delivers sends and receives too, which takes more buffers"
                .to_owned(),
        );
    }
    Ok((unfiltered, consumer))
}

/// Looks at the room on the disk of a recording, on a thread of its own: whatever takes long meanwhile. Ends with its sender.
struct RoomGuard {
    _is_wanted: Sender<()>,
    ended: Arc<NoRoom>,
}

/// Why, and then how, the session was stopped.
#[derive(Default)]
struct NoRoom {
    free_bytes: OnceLock<u64>,
    counts: OnceLock<SessionCounts>,
}

impl RoomGuard {
    fn new(system: &Arc<dyn System>, session: &str, path: &Path) -> Self {
        let (is_wanted, ends) = channel::<()>();
        let ended = Arc::new(NoRoom::default());
        let (system, session, path, told) =
            (Arc::clone(system), session.to_owned(), path.to_owned(), Arc::clone(&ended));
        std::thread::spawn(move || {
            while ends.recv_timeout(ROOM_EVERY) == Err(RecvTimeoutError::Timeout) {
                if let Some(free) = system.free_bytes(&path).filter(|free| *free < LEAST_FREE_BYTES) {
                    // Before the session is gone: whoever misses it must know why.
                    let _ = told.free_bytes.set(free);
                    if let Ok(Some(counts)) = system.stop(&session) {
                        let _ = told.counts.set(counts);
                    }
                    return;
                }
            }
        });
        Self { _is_wanted: is_wanted, ended }
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
            for name in [SESSION_NAME, FIRST_FAILURE_SESSION] {
                let _ = system.stop(name);
            }
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
