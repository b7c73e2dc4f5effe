//! Why live capture cannot go on, and what to do about it.

use std::fmt;
use std::path::PathBuf;

use super::system::{Refusal, SessionStep};
use crate::words::shown;

/// Win32 error codes that have a meaning of their own here. Source: `winerror.h`.
mod code {
    pub(super) const ACCESS_DENIED: u32 = 5;
    pub(super) const FILE_NOT_FOUND: u32 = 2;
    pub(super) const PATH_NOT_FOUND: u32 = 3;
    pub(super) const NOT_ENOUGH_MEMORY: u32 = 8;
    pub(super) const WRITE_PROTECT: u32 = 19;
    pub(super) const SHARING_VIOLATION: u32 = 32;
    pub(super) const HANDLE_DISK_FULL: u32 = 39;
    pub(super) const INVALID_PARAMETER: u32 = 87;
    pub(super) const DISK_FULL: u32 = 112;
    pub(super) const BAD_PATHNAME: u32 = 161;
    pub(super) const INVALID_NAME: u32 = 123;
    pub(super) const ALREADY_EXISTS: u32 = 183;
    pub(super) const NOT_FOUND: u32 = 1168;
    pub(super) const NO_SYSTEM_RESOURCES: u32 = 1450;
    pub(super) const GUID_NOT_FOUND: u32 = 4200;
}

/// What ends live capture without a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LiveError {
    /// This system is not Windows.
    NotWindows,
    /// The process has no administrator's rights.
    NotElevated,
    /// Refused all the same.
    AccessDenied(SessionStep),
    /// Another capture of ours runs.
    AnotherRuns(String),
    /// Somebody else's session has the name.
    NameTaken(String),
    /// No further session can be started.
    SessionLimit,
    /// No memory for the buffers.
    NoMemory,
    /// A provider is not on this system.
    ProviderMissing(&'static str),
    /// No room for the file.
    DiskFull {
        /// The file.
        path: PathBuf,
        /// Bytes that are free.
        free: Option<u64>,
    },
    /// The file is there already.
    FileExists(PathBuf),
    /// The file cannot be written.
    BadFile {
        /// The file.
        path: PathBuf,
        /// Why not.
        why: &'static str,
    },
    /// Ctrl-C cannot be watched for.
    NoInterrupt(String),
    /// Anything else that the system says.
    Refused(Refusal),
}

impl LiveError {
    /// What a refusal means.
    pub fn of(refusal: Refusal, name: &str, record: Option<&PathBuf>, is_elevated: bool) -> Self {
        let bad_file = |why| record.map(|path| Self::BadFile { path: path.clone(), why });
        let by_code = match (refusal.step, refusal.code) {
            (_, code::ACCESS_DENIED) if !is_elevated => Some(Self::NotElevated),
            (step, code::ACCESS_DENIED) => Some(Self::AccessDenied(step)),
            _ if refusal.is_taken() => Some(Self::NameTaken(name.to_owned())),
            (SessionStep::Start, code::NO_SYSTEM_RESOURCES) => Some(Self::SessionLimit),
            (SessionStep::Start, code::NOT_ENOUGH_MEMORY) => Some(Self::NoMemory),
            (_, code::DISK_FULL | code::HANDLE_DISK_FULL) => {
                record.map(|path| Self::DiskFull { path: path.clone(), free: None })
            }
            (SessionStep::Start, code::FILE_NOT_FOUND | code::PATH_NOT_FOUND) => bad_file("there is no such folder"),
            (SessionStep::Start, code::INVALID_NAME | code::BAD_PATHNAME) => {
                bad_file("Windows does not take this name")
            }
            (SessionStep::Start, code::SHARING_VIOLATION) => bad_file("another program has it open"),
            (SessionStep::Start, code::WRITE_PROTECT) => bad_file("the disk is write-protected"),
            (SessionStep::Start, code::INVALID_PARAMETER) => {
                bad_file("the session does not take this path; give a short one")
            }
            (SessionStep::Enable, code::FILE_NOT_FOUND | code::NOT_FOUND | code::GUID_NOT_FOUND) => {
                Some(Self::ProviderMissing("Microsoft-Windows-Winsock-AFD"))
            }
            _ => None,
        };
        by_code.unwrap_or(Self::Refused(refusal))
    }
}

impl Refusal {
    /// Whether somebody else's session has the name.
    pub fn is_taken(&self) -> bool {
        (self.step, self.code) == (SessionStep::Start, code::ALREADY_EXISTS)
    }
}

impl SessionStep {
    fn words(self) -> &'static str {
        match self {
            Self::Start => "the trace session could not be started",
            Self::Enable => "the providers could not be enabled",
            Self::Open => "the trace session could not be opened",
            Self::Process => "reading the trace session failed",
            Self::Query => "the trace session could not be asked for its counts",
            Self::Stop => "the trace session could not be stopped",
            Self::Rundown => "a provider did not take the request to list what was there before",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: error {}", self.step.words(), self.code)?;
        if !self.text.is_empty() {
            write!(f, ", {}", shown(self.text.trim_end_matches(['.', '\r', '\n', ' '])))?;
        }
        Ok(())
    }
}

impl fmt::Display for LiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = |path: &PathBuf| shown(&path.display().to_string());
        match self {
            Self::NotWindows => f.write_str(
                "this command needs Windows: run outofports.exe on the server that fails; here, outofports analyze reads what was captured there",
            ),
            Self::NotElevated => f.write_str(
                "not elevated: trace sessions need an administrator; open a command prompt with \"Run as administrator\" and try again",
            ),
            Self::AccessDenied(step) => write!(
                f,
                "access denied: {}, although this process is elevated; security software or a policy may forbid it; a capture by netsh trace may still work",
                step.words()
            ),
            Self::AnotherRuns(name) => write!(
                f,
                "another outofports is capturing on this machine (session {name}): end it with Ctrl-C, or wait for it"
            ),
            Self::NameTaken(name) => write!(
                f,
                "the session name {name} is taken and its session could not be taken over: end it with logman stop {name} -ets"
            ),
            Self::SessionLimit => f.write_str(
                "no further trace session can be started (64 at once, fewer on old systems): list them with logman query -ets, and stop one that is not needed with logman stop NAME -ets",
            ),
            Self::NoMemory => f.write_str("there is no memory for the buffers of the session: try --buffer-mib 8"),
            Self::ProviderMissing(name) => write!(
                f,
                "the provider {name} is not on this system: see logman query providers {name}; it comes with Windows Vista, Server 2008 and later"
            ),
            Self::DiskFull { path: file, free } => {
                write!(f, "{}: the disk is full", path(file))?;
                if let Some(free) = free {
                    write!(f, ", {} MiB are free", free >> 20)?;
                }
                f.write_str("; record to another disk, or leave --record out: the report needs no file")
            }
            Self::FileExists(file) => write!(f, "{}: exists, and is not overwritten; choose another name", path(file)),
            Self::BadFile { path: file, why } => write!(f, "{}: cannot be recorded to: {why}", path(file)),
            Self::NoInterrupt(why) => write!(f, "Ctrl-C cannot be watched for, so that nothing is started: {}", shown(why)),
            Self::Refused(refusal) => write!(f, "{refusal}"),
        }
    }
}
