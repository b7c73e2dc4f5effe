//! A machine made up for tests: a clock that moves when somebody rests, scripted events and tables, refusals on request.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use etl_parser::{Guid, PointerSize, Trace};

use super::system::{
    AfdHandles, ApplicationEntry, CommandOutput, Consumer, MachineFacts, ProviderSetup, RawEvent, Refusal,
    RunningProcess, SessionCounts, SessionSetup, SessionStep, Sink, SocketList, System, WhyMissing,
};
use crate::side::facts::{DynamicPorts, ListedSocket};
use crate::time::FileTime;

/// Events given to the sink in one rest: fewer than its queue holds, for here one thread does both.
const MOST_AT_ONCE: usize = 10_000;

/// An event to come.
#[derive(Debug, Clone)]
pub(super) struct Scripted {
    pub(super) provider: Guid,
    pub(super) id: u16,
    pub(super) version: u8,
    pub(super) header_pid: Option<u32>,
    pub(super) time: FileTime,
    pub(super) cpu: u16,
    pub(super) pointer_size: PointerSize,
    pub(super) payload: Vec<u8>,
}

/// Manifest events of a trace as a session delivers them: second by second, since its buffers are flushed each second, and
/// within a second buffer by buffer.
pub(super) fn events_of(bytes: &[u8]) -> Vec<Scripted> {
    let trace = Trace::new(bytes).unwrap();
    let mut scratch = Vec::new();
    let mut events = Vec::new();
    for position in trace.reading_order() {
        let buffer = trace.buffer(position, &mut scratch).unwrap();
        for record in buffer.records().map(Result::unwrap) {
            if record.kind() != etl_parser::RecordKind::EventHeader {
                continue;
            }
            events.push(Scripted {
                provider: record.header_guid().unwrap(),
                id: record.id().unwrap(),
                version: record.version().unwrap(),
                header_pid: record.process_id(),
                time: trace.clock().file_time(record.ticks().unwrap()),
                cpu: record.cpu(),
                pointer_size: record.pointer_size().unwrap(),
                payload: record.user_data().unwrap().to_vec(),
            });
        }
    }
    events.sort_by_key(|event| event.time.0.div_euclid(FileTime::SECOND));
    events
}

/// What the machine does.
#[derive(Default)]
pub(super) struct Script {
    /// Delivered as fast as they are taken, those of enabled providers.
    pub(super) events: VecDeque<Scripted>,
    /// Events that are delivered only after the session was stopped.
    pub(super) kept_back: usize,
    /// Refusals, by what is asked.
    pub(super) refuse: BTreeMap<&'static str, u32>,
    /// Sessions that are there before.
    pub(super) sessions: BTreeSet<String>,
    /// Another capture runs.
    pub(super) another_runs: bool,
    pub(super) not_elevated: bool,
    pub(super) unregistered: Vec<Guid>,
    pub(super) counts: SessionCounts,
    pub(super) tables: BTreeMap<SocketList, Vec<ListedSocket>>,
    /// Sources that are missing.
    pub(super) missing: Vec<&'static str>,
    /// The system is about to end the program.
    pub(super) is_ending: bool,
    pub(super) processes: Vec<RunningProcess>,
    pub(super) handles: Vec<(u32, u64)>,
    pub(super) afd_handles: AfdHandles,
    pub(super) services: Vec<(u32, String)>,
    pub(super) dynamic_ports: Vec<DynamicPorts>,
    /// What commands print, by the beginning of their line.
    pub(super) commands: BTreeMap<&'static str, &'static str>,
    pub(super) free_bytes: Option<u64>,
    /// Else 4.
    pub(super) processors: Option<u32>,
    /// Panics in the middle of the events.
    pub(super) panics_at: Option<u64>,
    /// The session ends by itself after so much time.
    pub(super) ends_at: Option<Duration>,
    /// No session of this name can be started any more.
    pub(super) refuse_session: Option<&'static str>,
    /// What a file of a session holds.
    pub(super) recorded: Option<Vec<u8>>,
    /// Writing an entry to the Application log does not come back.
    pub(super) entries_hang: bool,
    /// How long each poll takes.
    pub(super) poll_takes: Duration,
    pub(super) now: Duration,
    pub(super) sink: Option<Sink>,
    pub(super) enabled: BTreeSet<u128>,
    pub(super) delivered: u64,
    pub(super) stopping: bool,
    pub(super) calls: Vec<String>,
}

/// The machine.
pub(super) struct Fake {
    script: Arc<Mutex<Script>>,
    epoch: FileTime,
}

impl Fake {
    pub(super) fn new(script: Script) -> Arc<Self> {
        let first = script.events.front().map_or(FileTime(134_000_000_000_000_000), |event| event.time);
        Arc::new(Self { script: Arc::new(Mutex::new(script)), epoch: first })
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// All calls that change something, in their order.
    pub(super) fn calls(&self) -> Vec<String> {
        self.script().calls.clone()
    }

    /// Other programs have filled the disk.
    pub(super) fn fill_disk(&self, free_bytes: u64) {
        self.script().free_bytes = Some(free_bytes);
    }

    /// Sessions that run.
    pub(super) fn sessions(&self) -> Vec<String> {
        self.script().sessions.iter().cloned().collect()
    }

    fn call(&self, line: String) {
        self.script().calls.push(line);
    }

    fn refusal(&self, what: &'static str, step: SessionStep) -> Result<(), Refusal> {
        match self.script().refuse.get(what) {
            Some(code) => Err(Refusal { step, code: *code, text: format!("{what} refused") }),
            None => Ok(()),
        }
    }

    fn gives<T>(&self, what: &'static str, take: impl FnOnce(&mut Script) -> T) -> Result<T, WhyMissing> {
        let mut script = self.script();
        let takes = script.poll_takes;
        script.now += takes;
        if script.missing.contains(&what) { Err(format!("no {what} here")) } else { Ok(take(&mut script)) }
    }

    fn deliver(&self, most: usize) {
        for _ in 0..most {
            let (event, sink) = {
                let mut script = self.script();
                let held_back = if script.stopping { 0 } else { script.kept_back };
                if script.events.len() <= held_back {
                    return;
                }
                let Some(sink) = script.sink.clone() else { return };
                let Some(event) = script.events.pop_front() else { return };
                script.delivered += 1;
                if Some(script.delivered) == script.panics_at {
                    drop(script);
                    panic!("made up");
                }
                (event, sink)
            };
            if !self.script().enabled.contains(&u128_of(event.provider)) {
                continue;
            }
            sink(&RawEvent {
                provider: event.provider,
                id: event.id,
                version: event.version,
                describes_itself: false,
                header_pid: event.header_pid,
                time: event.time,
                cpu: event.cpu,
                pointer_size: event.pointer_size,
                payload: &event.payload,
            });
        }
    }
}

fn u128_of(guid: Guid) -> u128 {
    guid.to_string()
        .chars()
        .filter(char::is_ascii_hexdigit)
        .fold(0, |sum, digit| sum << 4 | u128::from(digit.to_digit(16).unwrap()))
}

struct Reader(Arc<Mutex<Script>>);

impl Consumer for Reader {
    fn is_done(&self) -> bool {
        let script = self.0.lock().unwrap();
        script.sessions.is_empty() && (script.events.is_empty() || script.sink.is_none())
    }

    fn join(self: Box<Self>) -> Result<(), Refusal> {
        let code = self.0.lock().unwrap().refuse.get("process").copied();
        code.map_or(Ok(()), |code| Err(Refusal { step: SessionStep::Process, code, text: String::new() }))
    }
}

impl System for Fake {
    fn claim(&self, _name: &str) -> bool {
        !self.script().another_runs
    }

    fn query(&self, name: &str) -> Result<Option<SessionCounts>, Refusal> {
        self.refusal("query", SessionStep::Query)?;
        let mut script = self.script();
        if script.ends_at.is_some_and(|end| script.now >= end) {
            script.sessions.clear();
        }
        Ok(script.sessions.contains(name).then_some(script.counts))
    }

    fn stop(&self, name: &str) -> Result<Option<SessionCounts>, Refusal> {
        self.call(format!("stop {name}"));
        self.refusal("stop", SessionStep::Stop)?;
        let mut script = self.script();
        script.stopping = true;
        Ok(script.sessions.remove(name).then_some(script.counts))
    }

    fn start(&self, setup: &SessionSetup, sink: Sink) -> Result<Box<dyn Consumer>, Refusal> {
        self.call(format!("start {}", setup.name));
        self.refusal("start", SessionStep::Start)?;
        if self.script().refuse_session == Some(&setup.name) {
            return Err(Refusal { step: SessionStep::Start, code: 1450, text: String::new() });
        }
        let mut script = self.script();
        script.sessions.insert(setup.name.clone());
        drop(script);
        self.refusal("enable", SessionStep::Enable)?;
        if setup.providers.iter().any(|provider| !provider.ids.is_empty()) {
            self.refusal("filter", SessionStep::Enable)?;
        }
        self.refusal("open", SessionStep::Open)?;
        if let Some(recording) = &setup.record {
            let recorded = self.script().recorded.clone();
            std::fs::write(&recording.path, recorded.as_deref().unwrap_or(b"recorded")).unwrap();
        }
        let mut script = self.script();
        script.enabled = setup.providers.iter().map(|provider| u128_of(provider.guid)).collect();
        script.sink = Some(sink);
        script.stopping = false;
        Ok(Box::new(Reader(Arc::clone(&self.script))))
    }

    fn ask_for_rundown(&self, _name: &str, provider: &ProviderSetup) -> Result<(), Refusal> {
        self.call(format!("rundown {}", provider.name));
        self.refusal("rundown", SessionStep::Rundown)
    }

    fn is_registered(&self, provider: Guid) -> bool {
        !self.script().unregistered.contains(&provider)
    }

    fn is_elevated(&self) -> bool {
        !self.script().not_elevated
    }

    fn machine(&self) -> MachineFacts {
        MachineFacts {
            os_build: Some(20348),
            processors: Some(self.script().processors.unwrap_or(4)),
            boot_time: Some(FileTime(self.epoch.0 - FileTime::SECOND)),
        }
    }

    fn now(&self) -> FileTime {
        FileTime(self.epoch.0 + i64::try_from(self.script().now.as_nanos() / 100).unwrap())
    }

    fn uptime(&self) -> Duration {
        self.script().now
    }

    fn rest(&self, time: Duration) {
        self.deliver(MOST_AT_ONCE);
        self.script().now += time;
    }

    fn sockets(&self, table: SocketList) -> Result<Vec<ListedSocket>, WhyMissing> {
        let what = match table {
            SocketList::Tcp(_) => "tcp",
            SocketList::BoundTcp(_) => "bound",
            SocketList::Udp(_) => "udp",
        };
        self.gives(what, |script| script.tables.get(&table).cloned().unwrap_or_default())
    }

    fn processes(&self) -> Result<Vec<RunningProcess>, WhyMissing> {
        self.gives("processes", |script| script.processes.clone())
    }

    fn handle_counts(&self) -> Result<Vec<(u32, u64)>, WhyMissing> {
        self.gives("handles", |script| script.handles.clone())
    }

    fn afd_handles(&self) -> Result<AfdHandles, WhyMissing> {
        self.call("afd handles".to_owned());
        self.gives("afd handles", |script| script.afd_handles.clone())
    }

    fn services(&self) -> Result<Vec<(u32, String)>, WhyMissing> {
        self.gives("services", |script| script.services.clone())
    }

    fn dynamic_ports(&self) -> Result<Vec<DynamicPorts>, WhyMissing> {
        self.gives("dynamic ports", |script| script.dynamic_ports.clone())
    }

    fn command(&self, program: &str, arguments: &[&str], _limit: Duration) -> Result<CommandOutput, WhyMissing> {
        let line = format!("{program} {}", arguments.join(" "));
        self.call(line.clone());
        let script = self.script();
        let found = script.commands.iter().rev().find(|(start, _)| line.starts_with(**start));
        let (_, output) = found.ok_or_else(|| format!("{program} is not there"))?;
        if program == "wevtutil" {
            std::fs::copy(output, arguments[2]).unwrap();
        }
        Ok(CommandOutput { stdout: output.as_bytes().to_vec(), stderr: Vec::new(), code: Some(0) })
    }

    fn write_entry(&self, entry: &ApplicationEntry) -> Result<(), WhyMissing> {
        if self.script().entries_hang {
            std::thread::sleep(Duration::from_secs(3600));
        }
        let ApplicationEntry { id, severity, text } = entry;
        self.gives("event log", |script| script.calls.push(format!("entry {id} {severity:?}: {text}")))
    }

    fn register_event_source(&self) -> Result<(), WhyMissing> {
        self.gives("event source", |script| script.calls.push("register event source".to_owned()))
    }

    fn is_ending(&self) -> bool {
        self.script().is_ending
    }

    fn free_bytes(&self, _path: &Path) -> Option<u64> {
        self.script().free_bytes
    }
}
