//! Collects what `analyze` needs, for those who want to look elsewhere: a trace, and what a trace cannot tell, in one archive.
//!
//! Nothing here changes the server: the commands list, and the session is ours.

use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::error::LiveError;
use super::session::{self, Session, Wanted};
use super::system::{CommandOutput, RawEvent, System};
use crate::case::COLLECTED;
use crate::side::{decode_text, netstat};

/// `netstat -b` looks into every process that has a socket: minutes on a busy server. Ctrl-C ends each command.
const COMMAND_LIMIT: Duration = Duration::from_secs(300);

/// A recording ends when less room than this is left: the archive needs some too.
const LEAST_FREE_BYTES: u64 = 128 << 20;

const REST: Duration = Duration::from_millis(200);

/// What to collect.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The archive.
    pub out: PathBuf,
    /// How long to trace.
    pub duration: Duration,
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
            Self::Archive(error) => f.write_str(&crate::words::system_message(error)),
        }
    }
}

/// A command, and the file that takes its output.
struct Listing {
    file: &'static str,
    program: &'static str,
    arguments: &'static [&'static str],
    /// Where these are not known: older systems.
    otherwise: Option<&'static [&'static str]>,
    /// It must list sockets: a text about the usage ends with 0 too.
    of_sockets: bool,
    /// The archive is whole without it.
    is_optional: bool,
}

const fn listing(file: &'static str, program: &'static str, arguments: &'static [&'static str]) -> Listing {
    Listing { file, program, arguments, otherwise: None, of_sockets: false, is_optional: false }
}

impl Listing {
    fn is_listed_in(&self, output: &CommandOutput) -> bool {
        let has_rows = || netstat::parse(&decode_text(&output.stdout).text).is_some();
        output.code == Some(0) && !output.stdout.is_empty() && (!self.of_sockets || has_rows())
    }
}

/// What is run, the most perishable first.
const LISTINGS: [Listing; 11] = [
    Listing { otherwise: Some(&["-ano"]), of_sockets: true, ..listing("netstat.txt", "netstat", &["-anoq"]) },
    listing("tasklist.txt", "tasklist", &["/svc"]),
    listing("dynamicport-ipv4-tcp.txt", "netsh", &["int", "ipv4", "show", "dynamicport", "tcp"]),
    listing("dynamicport-ipv4-udp.txt", "netsh", &["int", "ipv4", "show", "dynamicport", "udp"]),
    listing("dynamicport-ipv6-tcp.txt", "netsh", &["int", "ipv6", "show", "dynamicport", "tcp"]),
    listing("dynamicport-ipv6-udp.txt", "netsh", &["int", "ipv6", "show", "dynamicport", "udp"]),
    listing("excludedport-ipv4-tcp.txt", "netsh", &["int", "ipv4", "show", "excludedportrange", "protocol=tcp"]),
    listing("excludedport-ipv4-udp.txt", "netsh", &["int", "ipv4", "show", "excludedportrange", "protocol=udp"]),
    listing("excludedport-ipv6-tcp.txt", "netsh", &["int", "ipv6", "show", "excludedportrange", "protocol=tcp"]),
    listing("excludedport-ipv6-udp.txt", "netsh", &["int", "ipv6", "show", "excludedportrange", "protocol=udp"]),
    // Names programs and services, and may take minutes.
    Listing {
        otherwise: Some(&["-anob"]),
        of_sockets: true,
        is_optional: true,
        ..listing("netstat-b.txt", "netstat", &["-anobq"])
    },
];

/// Collects into the plan's archive, and tells each step; gives the steps that failed.
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
    let folder = plan.out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let failed = CollectError::Archive;
    let place = tempfile::Builder::new().prefix(".outofports-").tempdir_in(folder).map_err(failed)?;
    let mut work = Work { system, place: place.path(), files: Vec::new(), log: Vec::new(), failed: Vec::new() };
    work.trace(plan, interrupt, tell).map_err(CollectError::Capture)?;
    tell("packing");
    work.pack(&plan.out, folder).map_err(failed)?;
    Ok(work.failed)
}

struct Work<'w> {
    system: &'w Arc<dyn System>,
    place: &'w Path,
    /// Files for the archive, in their order.
    files: Vec<String>,
    log: Vec<String>,
    failed: Vec<String>,
}

impl Work<'_> {
    /// Traces, and lists everything while the trace runs.
    fn trace(&mut self, plan: &Plan, interrupt: &AtomicBool, tell: &mut dyn FnMut(&str)) -> Result<(), LiveError> {
        const TRACE: &str = "server.etl";
        let path = self.place.join(TRACE);
        let wanted = Wanted {
            buffer_mib: plan.buffer_mib,
            is_read: false,
            record: Some(path.clone()),
            max_file_mib: None,
            is_circular: false,
        };
        let setup = session::setup(self.system.as_ref(), &wanted);
        let mut session = Session::start(self.system, setup, Arc::new(|_: &RawEvent<'_>| {}))?;
        self.log.append(&mut session.notes);
        tell(&format!("tracing for {} s; Ctrl-C ends it earlier", plan.duration.as_secs()));
        let began = self.system.uptime();
        while self.system.uptime().saturating_sub(began) < plan.duration && !interrupt.load(Ordering::Relaxed) {
            if self.system.free_bytes(&path).is_some_and(|free| free < LEAST_FREE_BYTES) {
                self.fail(TRACE, "the disk is nearly full: tracing was ended early");
                break;
            }
            self.system.rest(REST);
        }
        for listing in &LISTINGS {
            tell(listing.program);
            self.list(listing);
        }
        self.event_log(tell);
        match session.stop() {
            Ok(Some(counts)) => self
                .log
                .push(format!("{TRACE}: {} events and {} buffers lost", counts.events_lost, counts.log_buffers_lost)),
            Ok(None) => self.fail(TRACE, "the session was ended from outside, or by the system"),
            Err(refusal) => self.fail(TRACE, &refusal.to_string()),
        }
        if let Err(refusal) = session.join() {
            self.fail(TRACE, &refusal.to_string());
        }
        match std::fs::metadata(&path) {
            Ok(metadata) if metadata.len() > 0 => self.files.insert(0, TRACE.to_owned()),
            _ => self.fail(TRACE, "the session wrote no file"),
        }
        Ok(())
    }

    fn fail(&mut self, file: &str, why: &str) {
        let line = format!("{file}: {why}");
        self.log.push(line.clone());
        self.failed.push(line);
    }

    fn list(&mut self, listing: &Listing) {
        let ways = [Some(listing.arguments), listing.otherwise];
        let mut why = String::new();
        for arguments in ways.into_iter().flatten() {
            let command = format!("{} {}", listing.program, arguments.join(" "));
            match self.system.command(listing.program, arguments, COMMAND_LIMIT) {
                Ok(output) if listing.is_listed_in(&output) => {
                    match std::fs::write(self.place.join(listing.file), &output.stdout) {
                        Ok(()) => {
                            self.log.push(format!("{}: {command}", listing.file));
                            self.files.push(listing.file.to_owned());
                        }
                        Err(error) => self.fail(listing.file, &crate::words::system_message(&error)),
                    }
                    return;
                }
                Ok(output) => {
                    let code = output.code.map_or_else(|| "was ended".to_owned(), |code| format!("exit code {code}"));
                    why = format!("{command}: {code}, {} bytes", output.stdout.len());
                }
                Err(error) => why = format!("{command}: {error}"),
            }
        }
        if listing.is_optional {
            self.log.push(format!("{}: {why}", listing.file));
        } else {
            self.fail(listing.file, &why);
        }
    }

    fn event_log(&mut self, tell: &mut dyn FnMut(&str)) {
        const LOG: &str = "System.evtx";
        tell("wevtutil");
        let path = self.place.join(LOG);
        let result = self.system.command("wevtutil", &["epl", "System", &path.display().to_string()], COMMAND_LIMIT);
        match result {
            Ok(output) if output.code == Some(0) && path.exists() => {
                self.log.push(format!("{LOG}: wevtutil epl System {LOG}"));
                self.files.push(LOG.to_owned());
            }
            Ok(_) => self.fail(LOG, "wevtutil epl System: no file"),
            Err(error) => self.fail(LOG, &format!("wevtutil epl System: {error}")),
        }
    }

    /// Writes the archive, whole or not at all.
    fn pack(&self, out: &Path, folder: &Path) -> io::Result<()> {
        let mut file = tempfile::Builder::new().prefix(".outofports-").tempfile_in(folder)?;
        let mut archive = ZipWriter::new(&mut file);
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated).large_file(true);
        for name in &self.files {
            archive.start_file(name.as_str(), options)?;
            io::copy(&mut File::open(self.place.join(name))?, &mut archive)?;
        }
        archive.start_file(COLLECTED, options)?;
        for line in &self.log {
            writeln!(archive, "{line}\r")?;
        }
        archive.finish()?;
        file.persist_noclobber(out).map_err(|error| error.error)?;
        Ok(())
    }
}
