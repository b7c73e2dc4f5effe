//! Collects what `analyze` needs, for those who want to look elsewhere: a trace, and what a trace cannot tell, in one archive.
//!
//! Nothing here changes the server: the commands list, and the sessions are ours.

mod first_failure;
mod listings;
#[cfg(test)]
mod tests;

use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use self::first_failure::FirstFailure;
use self::listings::{AT_ONCE, LATER, Listing, OPTIONAL};
use super::error::LiveError;
use super::session::{self, Session, Wanted};
use super::system::{RawEvent, System, ending};
use crate::case::collected::{self, CollectedFile, Manifest, NotCollected, told};
use crate::time::FileTime;
use crate::words::{counted, shown, system_message};

/// The trace in the archive.
const TRACE: &str = "server.etl";

/// The System log in the archive.
const LOG: &str = "System.evtx";

/// Time for its export.
const LOG_LIMIT: Duration = Duration::from_secs(120);

/// How long is traced where nobody says it, or where the first failure cannot be waited for.
pub const DEFAULT_DURATION: Duration = Duration::from_secs(60);

/// How often it is looked whether tracing is over.
const REST: Duration = Duration::from_millis(200);

/// How often it is asked whether the session is still there.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// What to collect.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The archive.
    pub out: PathBuf,
    /// How long to trace; `None`: [`DEFAULT_DURATION`], or with `until_failure` as long as it takes.
    pub duration: Option<Duration>,
    /// Trace until the first bind or connect fails for want of a port, and so long after it; of the time before, the file keeps the
    /// newest.
    pub until_failure: Option<Duration>,
    /// The trace grows to so many MiB at most.
    pub max_file_mib: u32,
    /// Buffers of the session.
    pub buffer_mib: u32,
}

/// Why there is no archive.
#[derive(Debug)]
pub enum CollectError {
    /// There is nothing to put into it.
    Capture(LiveError),
    /// It cannot be written; what the system says.
    Archive(io::Error),
}

impl fmt::Display for CollectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Capture(trouble) => trouble.fmt(f),
            Self::Archive(error) => f.write_str(&system_message(error)),
        }
    }
}

/// What ended the trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Time,
    Failure,
    Interrupt,
    Disk,
    Session,
}

impl End {
    /// As manifests name it.
    fn name(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Failure => "failure",
            Self::Interrupt => "interrupt",
            Self::Disk => "disk",
            Self::Session => "session",
        }
    }
}

/// Collects into the plan's archive, and tells each step; gives what could not be had.
///
/// # Errors
///
/// Why there is no archive. No session is left behind.
pub fn collect(
    system: &Arc<dyn System>,
    plan: &Plan,
    interrupt: &AtomicBool,
    tell: &mut dyn FnMut(&str),
) -> Result<Vec<String>, CollectError> {
    if plan.out.exists() {
        return Err(CollectError::Capture(LiveError::FileExists(plan.out.clone())));
    }
    let folder = crate::output::folder_of(&plan.out);
    let failed = CollectError::Archive;
    let place = tempfile::Builder::new().prefix(".outofports-").tempdir_in(folder).map_err(failed)?;
    let machine = system.machine();
    let manifest =
        Manifest { os_build: machine.os_build, processors: machine.processors, ..Manifest::new(system.now()) };
    let mut work = Work { system, plan, place: place.path(), interrupt, tell, manifest };
    work.trace().map_err(CollectError::Capture)?;
    for listing in &LATER {
        work.list(listing);
    }
    work.event_log();
    work.list_optional();
    (work.tell)("packing");
    work.manifest.packed = told(system.now());
    work.pack(folder).map_err(failed)?;
    Ok(work.manifest.failed.into_iter().map(|row| format!("{}: {}", row.name, row.why)).collect())
}

struct Work<'w> {
    system: &'w Arc<dyn System>,
    plan: &'w Plan,
    place: &'w Path,
    interrupt: &'w AtomicBool,
    tell: &'w mut dyn FnMut(&str),
    manifest: Manifest,
}

impl<'w> Work<'w> {
    /// Traces, and lists what vanishes first while the trace still runs.
    fn trace(&mut self) -> Result<(), LiveError> {
        let path = self.place.join(TRACE);
        let is_circular = self.plan.until_failure.is_some();
        let wanted = Wanted {
            buffer_mib: self.plan.buffer_mib,
            is_read: false,
            record: Some(path.clone()),
            max_file_mib: Some(self.max_file_mib(&path)),
            is_circular,
        };
        let setup = session::setup(self.system.as_ref(), &wanted);
        let (asked, began) = (self.system.now(), self.system.uptime());
        let mut session = Session::start(self.system, setup, Arc::new(|_: &RawEvent<'_>| {}))?;
        self.manifest.notes.append(&mut session.notes);
        let first = if is_circular { self.first_failure() } else { None };
        let limit = match (self.plan.duration, &first) {
            (None, Some(_)) => None,
            (duration, _) => Some(duration.unwrap_or(DEFAULT_DURATION)),
        };
        self.tell_limit(limit, first.is_some());
        let end = self.wait(began, limit, &session, first.as_ref());
        self.manifest.ended_by = end.name().to_owned();
        for listing in &AT_ONCE {
            self.list(listing);
        }
        if let Some(first) = first {
            if let (End::Failure, Some(after)) = (end, self.plan.until_failure) {
                self.rest_until_after(first.seen(), after);
            }
            self.manifest.first_failure = first.seen().map(told);
            first.end();
        }
        self.stop(session, end);
        self.keep(TRACE, None, asked, began);
        Ok(())
    }

    /// The size that the trace may have: no more than half of the free room, since the archive needs some too.
    fn max_file_mib(&mut self, path: &Path) -> u32 {
        let room = self.system.free_bytes(path).map_or(u32::MAX, |free| u32::try_from(free >> 21).unwrap_or(u32::MAX));
        let most = self.plan.max_file_mib.min(room).max(1);
        if most < self.plan.max_file_mib {
            self.note(format!("the trace has {most} MiB at most: half of the room on the disk"));
        }
        most
    }

    /// The second session, which tells of the first failure; where it cannot be had, that is said.
    fn first_failure(&mut self) -> Option<FirstFailure<'w>> {
        match FirstFailure::start(self.system) {
            Ok(first) => Some(first),
            Err(why) => {
                self.note(format!("the first failure cannot be waited for, so the trace ends by time: {why}"));
                None
            }
        }
    }

    fn tell_limit(&mut self, limit: Option<Duration>, waits: bool) {
        let time = limit.map(|limit| format!("for {} s", limit.as_secs()));
        let end = match (time, waits) {
            (Some(time), true) => format!("{time}, or until the first failure"),
            (Some(time), false) => time,
            (None, _) => "until the first failure".to_owned(),
        };
        (self.tell)(&format!("tracing {end}; Ctrl-C ends it earlier"));
    }

    /// Waits for the end of the trace.
    fn wait(
        &mut self,
        began: Duration,
        mut limit: Option<Duration>,
        session: &Session<'_>,
        first: Option<&FirstFailure<'_>>,
    ) -> End {
        let mut look_at = began;
        let mut waits = first.is_some();
        loop {
            let now = self.system.uptime();
            if self.interrupt.load(Ordering::Acquire) {
                return End::Interrupt;
            }
            if first.is_some_and(|first| first.seen().is_some()) {
                return End::Failure;
            }
            if limit.is_some_and(|limit| now.saturating_sub(began) >= limit) {
                return End::Time;
            }
            if now >= look_at {
                look_at = now.saturating_add(LOOK_EVERY);
                if session.room_left().is_some() {
                    return End::Disk;
                }
                if matches!(session.counts(), Ok(None)) {
                    return End::Session;
                }
                if waits && first.is_some_and(FirstFailure::is_gone) {
                    waits = false;
                    let rest = now.saturating_sub(began).saturating_add(DEFAULT_DURATION);
                    limit = Some(limit.map_or(rest, |limit| limit.min(rest)));
                    self.note(
                        "the session that waits for the first failure ended, so the trace ends by time".to_owned(),
                    );
                }
            }
            self.system.rest(REST);
        }
    }

    /// After a failure the trace goes on for a while; the listings may have taken that long already.
    fn rest_until_after(&self, seen: Option<FileTime>, after: Duration) {
        let since = |seen: FileTime| u64::try_from(self.system.now().since(seen)).unwrap_or(0);
        let is_over = || seen.is_none_or(|seen| Duration::from_nanos(since(seen).saturating_mul(100)) >= after);
        let began = self.system.uptime();
        // The clock may be set back meanwhile.
        let has_time = || self.system.uptime().saturating_sub(began) < after;
        while !is_over() && has_time() && !self.interrupt.load(Ordering::Acquire) {
            self.system.rest(REST);
        }
    }

    fn stop(&mut self, mut session: Session<'_>, end: End) {
        let full = session.room_left();
        match session.stop() {
            Ok(Some(counts)) if counts.events_lost > 0 || counts.log_buffers_lost > 0 => {
                let (events, buffers) = (counts.events_lost.into(), counts.log_buffers_lost.into());
                let (events, buffers) = (counted(events, "event"), counted(buffers, "buffer"));
                self.note(format!("{TRACE}: the session lost {events} and {buffers}"));
            }
            Ok(Some(_)) => {}
            Ok(None) if full.is_some() || end == End::Interrupt => {}
            Ok(None) => {
                self.fail(TRACE, "the session was ended from outside, or the file had reached its maximum size");
            }
            Err(refusal) => self.fail(TRACE, &refusal.to_string()),
        }
        if let Some(free) = full {
            self.fail(TRACE, &format!("the disk is nearly full ({} MiB free): tracing was ended early", free >> 20));
        }
        if let Err(refusal) = session.join() {
            self.fail(TRACE, &refusal.to_string());
        }
    }

    /// What is to be known, and is no failure.
    fn note(&mut self, note: String) {
        (self.tell)(&note);
        self.manifest.notes.push(note);
    }

    fn fail(&mut self, name: &str, why: &str) {
        let asked = told(self.system.now());
        self.manifest.failed.push(NotCollected { name: name.to_owned(), asked, why: shown(why) });
    }

    fn list(&mut self, listing: &Listing) {
        (self.tell)(listing.program);
        let (asked, began) = (self.system.now(), self.system.uptime());
        match listing.take(self.system.as_ref()) {
            Ok((command, output)) => match std::fs::write(self.place.join(listing.file), output) {
                Ok(()) => self.keep(listing.file, Some(command), asked, began),
                Err(error) => self.fail(listing.file, &system_message(&error)),
            },
            Err(why) => self.fail(listing.file, &why),
        }
    }

    /// Lists what may take long, and need not be there.
    fn list_optional(&mut self) {
        (self.tell)("netstat -b, which may take minutes; Ctrl-C leaves it out");
        let before = self.manifest.failed.len();
        self.list(&OPTIONAL);
        let failed = self.manifest.failed.split_off(before);
        self.manifest.notes.extend(failed.into_iter().map(|row| format!("{}: {}", row.name, row.why)));
    }

    fn event_log(&mut self) {
        (self.tell)("wevtutil");
        let command = format!("wevtutil epl System {LOG}");
        let path = self.place.join(LOG);
        let (asked, began) = (self.system.now(), self.system.uptime());
        match self.system.command("wevtutil", &["epl", "System", &path.display().to_string()], LOG_LIMIT) {
            Ok(output) if output.code == Some(0) => self.keep(LOG, Some(command), asked, began),
            Ok(output) => {
                self.fail(LOG, &format!("{command}: {}", ending(output.code)));
            }
            Err(why) => self.fail(LOG, &format!("{command}: {why}")),
        }
    }

    /// A file is there, or should be.
    fn keep(&mut self, name: &str, command: Option<String>, asked: FileTime, began: Duration) {
        let milliseconds = self.system.uptime().saturating_sub(began).as_millis();
        match std::fs::metadata(self.place.join(name)) {
            Ok(metadata) if metadata.len() > 0 => self.manifest.files.push(CollectedFile {
                name: name.to_owned(),
                command,
                asked: told(asked),
                milliseconds: u64::try_from(milliseconds).unwrap_or(u64::MAX),
                bytes: metadata.len(),
            }),
            Ok(_) => self.fail(name, "the file is empty"),
            Err(error) => self.fail(name, &format!("the file is not there: {}", system_message(&error))),
        }
    }

    /// Writes the archive, whole or not at all.
    fn pack(&self, folder: &Path) -> io::Result<()> {
        let mut file = tempfile::Builder::new().prefix(".outofports-").tempfile_in(folder)?;
        let mut archive = ZipWriter::new(&mut file);
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated).large_file(true);
        // First, so that it is seen first.
        archive.start_file(collected::NAME, options)?;
        serde_json::to_writer_pretty(&mut archive, &self.manifest)?;
        for row in &self.manifest.files {
            archive.start_file(row.name.as_str(), options)?;
            io::copy(&mut File::open(self.place.join(&row.name))?, &mut archive)?;
        }
        archive.finish()?;
        file.persist_noclobber(&self.plan.out).map_err(|error| error.error)?;
        Ok(())
    }
}
