//! Windows itself. What is unsafe is in the small modules below, each with its reasons; no decision is made here.

pub mod console;
mod control;
mod etw;
mod event_log;
mod handles;
mod information;
mod machine;
mod payload;
mod privilege;
mod processes;
mod ranges;
mod recording;
mod services;
mod sockets;
mod text;

use std::collections::BTreeMap;
use std::os::windows::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime};

use etl_parser::Guid;
use jiff::Timestamp;

use super::command;
use super::system::{
    AfdHandles, ApplicationEntry, CommandOutput, Consumer, MachineFacts, ProviderSetup, Refusal, RunningProcess,
    SessionCounts, SessionSetup, Sink, SocketList, System, WhyMissing,
};
use crate::side::facts::{DynamicPorts, ListedSocket};
use crate::time::{FileTime, from_timestamp};

/// `CREATE_NO_WINDOW`: commands run without a window of their own.
pub(super) const NO_WINDOW: u32 = 0x0800_0000;

/// This machine.
#[derive(Debug)]
pub struct Windows {
    began: Instant,
    /// Names that this process has claimed.
    claims: Mutex<BTreeMap<String, machine::Claim>>,
}

impl Windows {
    /// This machine.
    pub fn new() -> Self {
        Self { began: Instant::now(), claims: Mutex::new(BTreeMap::new()) }
    }
}

impl Default for Windows {
    fn default() -> Self {
        Self::new()
    }
}

impl System for Windows {
    fn claim(&self, name: &str) -> bool {
        let Some(claim) = machine::claim(name) else { return false };
        if let Ok(mut claims) = self.claims.lock() {
            claims.insert(name.to_owned(), claim);
        }
        true
    }

    fn query(&self, name: &str) -> Result<Option<SessionCounts>, Refusal> {
        control::query(name)
    }

    fn stop(&self, name: &str) -> Result<Option<SessionCounts>, Refusal> {
        let stopped = control::stop(name)?;
        Ok(stopped.or(console::end(name)))
    }

    fn start(&self, setup: &SessionSetup, sink: Sink) -> Result<Box<dyn Consumer>, Refusal> {
        console::begin(&setup.name);
        let started = match (&setup.record, setup.is_read) {
            (Some(file), false) => recording::start(setup, file),
            _ => etw::start(setup, sink),
        };
        if started.as_ref().is_err_and(Refusal::is_taken) {
            // It is somebody else's, which the console's handler must not stop.
            console::end(&setup.name);
        }
        started
    }

    fn ask_for_rundown(&self, name: &str, provider: &ProviderSetup) -> Result<(), Refusal> {
        control::ask_for_rundown(name, provider)
    }

    fn is_registered(&self, provider: Guid) -> bool {
        machine::is_registered(provider)
    }

    fn is_elevated(&self) -> bool {
        machine::is_elevated()
    }

    fn machine(&self) -> MachineFacts {
        machine::machine(self.now())
    }

    fn now(&self) -> FileTime {
        Timestamp::try_from(SystemTime::now()).ok().and_then(from_timestamp).unwrap_or_default()
    }

    fn uptime(&self) -> Duration {
        self.began.elapsed()
    }

    fn rest(&self, time: Duration) {
        std::thread::sleep(time);
    }

    fn sockets(&self, table: SocketList) -> Result<Vec<ListedSocket>, WhyMissing> {
        sockets::sockets(table)
    }

    fn processes(&self) -> Result<Vec<RunningProcess>, WhyMissing> {
        processes::processes()
    }

    fn handle_counts(&self) -> Result<Vec<(u32, u64)>, WhyMissing> {
        processes::handle_counts()
    }

    fn afd_handles(&self) -> Result<AfdHandles, WhyMissing> {
        handles::afd_handles()
    }

    fn services(&self) -> Result<Vec<(u32, String)>, WhyMissing> {
        services::services()
    }

    fn dynamic_ports(&self) -> Result<Vec<DynamicPorts>, WhyMissing> {
        ranges::dynamic_ports()
    }

    fn command(&self, program: &str, arguments: &[&str], limit: Duration) -> Result<CommandOutput, WhyMissing> {
        let mut command = Command::new(of_system(program));
        command.args(arguments).creation_flags(NO_WINDOW);
        let events = console::events();
        command::run(command, limit, &|| console::is_ending() || console::events() != events)
    }

    fn is_ending(&self) -> bool {
        console::is_ending()
    }

    fn write_entry(&self, entry: &ApplicationEntry) -> Result<(), WhyMissing> {
        event_log::write(entry)
    }

    fn register_event_source(&self) -> Result<(), WhyMissing> {
        event_log::register_source()
    }

    fn free_bytes(&self, path: &Path) -> Option<u64> {
        machine::free_bytes(path)
    }
}

/// The program of that name that belongs to Windows: one that lies in the current folder must not run with these rights.
fn of_system(program: &str) -> PathBuf {
    let root = std::env::var_os("SystemRoot").map_or_else(|| PathBuf::from(r"C:\Windows"), PathBuf::from);
    root.join("System32").join(format!("{program}.exe"))
}

#[cfg(test)]
mod tests;
