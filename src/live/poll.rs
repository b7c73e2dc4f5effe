//! What a running machine knows beside its events: sockets and their owners, processes, handles, services, port ranges, and the
//! System log. All of it becomes the facts that side files give a trace.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::asking::{Answer, ask};
use super::ranges;
use super::system::{AfdHandles, SocketList, System, WhyMissing};
use crate::case::SideInput;
use crate::event::{NetEvent, ProcessChange, ProcessEvent, ProcessSource, base_name};
use crate::net::{Family, Protocol};
use crate::side::facts::{
    DynamicPorts, ExcludedPorts, HandleCount, ListedSocket, SideFacts, SocketListing, SystemEvent, Taken,
};
use crate::side::tasklist::Task;
use crate::side::{Kind, event_log};
use crate::time::{FileTime, ShownTime as _};
use crate::words::shown;

/// Listings that are kept: the first, the last, the one with most sockets, and some between. Of 65,000 sockets each they are
/// 60 MB.
const MAX_LISTINGS: usize = 8;

/// AFD handles are counted with a list of all handles of the machine: no more often than this.
const HANDLES_EVERY: Duration = Duration::from_secs(60);

/// The system gives up counting them before that.
const HANDLES_LIMIT: Duration = Duration::from_secs(8);

/// What is answered at once is not left to the next time.
const AT_ONCE: Duration = Duration::from_millis(20);

/// The end waits no longer than this for excluded port ranges.
const RANGES_LIMIT: Duration = Duration::from_secs(5);

/// Polling may take this part of the time: one in so many.
const COST_SHARE: u32 = 20;

/// A command that takes longer is ended.
const COMMAND_LIMIT: Duration = Duration::from_secs(20);

/// Where facts are from: their numbers are those of the side inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    Sockets,
    Processes,
    Handles,
    AfdHandles,
    Services,
    DynamicPorts,
    ExcludedPorts,
    SystemLog,
}

impl Source {
    const ALL: [Self; 8] = [
        Self::Sockets,
        Self::Processes,
        Self::Handles,
        Self::AfdHandles,
        Self::Services,
        Self::DynamicPorts,
        Self::ExcludedPorts,
        Self::SystemLog,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Sockets => "live: sockets",
            Self::Processes => "live: processes",
            Self::Handles => "live: handles",
            Self::AfdHandles => "live: AFD handles",
            Self::Services => "live: services",
            Self::DynamicPorts => "live: dynamic port ranges",
            Self::ExcludedPorts => "live: excluded port ranges",
            Self::SystemLog => "live: System log",
        }
    }

    fn kind(self) -> Kind {
        match self {
            Self::Sockets => Kind::NetstatLoop,
            Self::Processes => Kind::Processes,
            Self::Handles | Self::AfdHandles => Kind::Handles,
            Self::Services => Kind::Tasklist,
            Self::DynamicPorts => Kind::DynamicPort,
            Self::ExcludedPorts => Kind::ExcludedPorts,
            Self::SystemLog => Kind::Evtx,
        }
    }

    fn id(self) -> usize {
        self as usize
    }
}

/// Tables of sockets with their names, for people.
const TABLES: [(SocketList, &str); 6] = [
    (SocketList::Tcp(Family::Ipv4), "TCP over IPv4"),
    (SocketList::Tcp(Family::Ipv6), "TCP over IPv6"),
    (SocketList::BoundTcp(Family::Ipv4), "bound TCP sockets over IPv4"),
    (SocketList::BoundTcp(Family::Ipv6), "bound TCP sockets over IPv6"),
    (SocketList::Udp(Family::Ipv4), "UDP over IPv4"),
    (SocketList::Udp(Family::Ipv6), "UDP over IPv6"),
];

/// Asks the machine, again and again, and keeps what it says.
pub struct Poller<'s> {
    system: &'s Arc<dyn System>,
    facts: SideFacts,
    /// Sources that gave something, and what is missing of each.
    found: BTreeMap<Source, bool>,
    missing: BTreeMap<(Source, &'static str), WhyMissing>,
    /// What is to be known about a source that gave something.
    remarks: BTreeMap<Source, String>,
    /// Answers that are on their way.
    dynamic: Option<Answer<Result<Vec<DynamicPorts>, WhyMissing>>>,
    excluded: Option<Answer<Result<Vec<ExcludedPorts>, WhyMissing>>>,
    afd_handles: Option<Answer<Result<AfdHandles, WhyMissing>>>,
    images: BTreeMap<u32, String>,
    listed_at: Option<FileTime>,
    handles_at: Option<Duration>,
    next_at: Option<Duration>,
    polls: u32,
    cost: Duration,
    longest: Duration,
}

impl<'s> Poller<'s> {
    /// Nothing is asked yet.
    pub fn new(system: &'s Arc<dyn System>) -> Self {
        Self {
            system,
            facts: SideFacts::default(),
            found: BTreeMap::new(),
            missing: BTreeMap::new(),
            remarks: BTreeMap::new(),
            dynamic: None,
            excluded: None,
            afd_handles: None,
            images: BTreeMap::new(),
            listed_at: None,
            handles_at: None,
            next_at: None,
            polls: 0,
            cost: Duration::ZERO,
            longest: Duration::ZERO,
        }
    }

    /// What has been learnt.
    pub fn facts(&self) -> &SideFacts {
        &self.facts
    }

    /// The last listing of sockets.
    pub fn sockets(&self) -> Option<&SocketListing> {
        self.facts.listings.last()
    }

    /// When it was taken.
    pub fn listed_at(&self) -> Option<FileTime> {
        self.listed_at
    }

    /// Image names by PID.
    pub fn images(&self) -> &BTreeMap<u32, String> {
        &self.images
    }

    /// Begins to ask for what does not change while the session runs: port ranges.
    pub fn ask_for_ranges(&mut self) {
        self.dynamic = Some(ask(self.system, ranges::dynamic));
        self.excluded = Some(ask(self.system, ranges::excluded));
    }

    /// Waits no longer than `time` for the dynamic ranges; `false` where they may still come.
    pub fn wait_for_dynamic(&mut self, time: Duration) -> bool {
        let Some(answer) = &self.dynamic else { return true };
        let Some(answer) = answer.within(time) else { return false };
        self.take_dynamic(answer);
        true
    }

    /// What was asked about the dynamic ranges comes too late.
    pub fn give_up_dynamic(&mut self) {
        if self.dynamic.is_some() {
            self.take_dynamic(Err("the machine did not answer before events had to be counted".to_owned()));
        }
    }

    fn take_dynamic(&mut self, answer: Result<Vec<DynamicPorts>, WhyMissing>) {
        self.dynamic = None;
        if let Some(ports) = self.keep(Source::DynamicPorts, "", answer) {
            let source = Source::DynamicPorts.id();
            self.facts.dynamic_ports = ports.into_iter().map(|ports| DynamicPorts { source, ..ports }).collect();
        }
    }

    /// Takes the excluded ranges, which nobody has to wait for before the end; then no longer than `time`.
    fn take_excluded(&mut self, time: Duration) {
        let Some(answer) = &self.excluded else { return };
        let Some(answer) = answer.within(time) else {
            self.keep::<()>(Source::ExcludedPorts, "", Err("netsh did not answer".to_owned()));
            return;
        };
        self.excluded = None;
        if let Some(ports) = self.keep(Source::ExcludedPorts, "", answer) {
            let source = Source::ExcludedPorts.id();
            self.facts.excluded_ports = ports.into_iter().map(|ports| ExcludedPorts { source, ..ports }).collect();
        }
    }

    /// Asks for the processes; each becomes an event that says that it runs.
    pub fn ask_for_processes(&mut self) -> Vec<NetEvent> {
        let processes = self.system.processes();
        let Some(processes) = self.keep(Source::Processes, "", processes) else { return Vec::new() };
        self.images = processes.iter().map(|process| (process.pid, base_name(&process.image).to_owned())).collect();
        let event = |process: super::system::RunningProcess| ProcessEvent {
            source: ProcessSource::Live,
            change: ProcessChange::Rundown,
            pid: process.pid,
            parent_pid: Some(process.parent_pid),
            eprocess: None,
            created: process.created,
            exited: None,
            image: Some(process.image).filter(|image| !image.is_empty()),
            image_may_be_cut: false,
        };
        processes.into_iter().map(|process| NetEvent::Process(Box::new(event(process)))).collect()
    }

    /// Asks for sockets and handles, unless polling has already cost too much; `always`: all the same, and for all of it.
    pub fn poll(&mut self, now: FileTime, always: bool) {
        let began = self.system.uptime();
        if !always && self.next_at.is_some_and(|next| began < next) {
            return;
        }
        self.list_sockets(now);
        let handles = self.system.handle_counts();
        if let Some(counts) = self.keep(Source::Handles, "", handles) {
            self.facts.handles = self.counted(Source::Handles, counts);
        }
        if always || self.handles_at.is_none_or(|last| began.saturating_sub(last) >= HANDLES_EVERY) {
            self.handles_at = Some(began);
            self.afd_handles.get_or_insert_with(|| ask(self.system, |system| system.afd_handles()));
        }
        self.take_afd_handles(if always { HANDLES_LIMIT } else { AT_ONCE });
        let ended = self.system.uptime();
        let cost = ended.saturating_sub(began);
        self.polls = self.polls.saturating_add(1);
        self.cost = self.cost.saturating_add(cost);
        self.longest = self.longest.max(cost);
        self.next_at = Some(ended.saturating_add(cost.saturating_mul(COST_SHARE)));
    }

    fn take_afd_handles(&mut self, time: Duration) {
        let Some(answer) = &self.afd_handles else { return };
        let Some(answer) = answer.within(time) else {
            self.keep::<()>(Source::AfdHandles, "", Err("they could not be counted in time".to_owned()));
            return;
        };
        self.afd_handles = None;
        let Some(AfdHandles { counts, estimated }) = self.keep(Source::AfdHandles, "", answer) else { return };
        self.facts.afd_handles = self.counted(Source::AfdHandles, counts);
        self.remarks.remove(&Source::AfdHandles);
        if !estimated.is_empty() {
            let estimated: Vec<String> = estimated.iter().map(|pid| self.named(*pid)).collect();
            let remark = format!(
                "those of {} are an estimate, by the rights of the handles: the process was not to be asked",
                estimated.join(", ")
            );
            self.remarks.insert(Source::AfdHandles, remark);
        }
    }

    fn named(&self, pid: u32) -> String {
        self.images.get(&pid).map_or_else(|| format!("PID {pid}"), |image| format!("{} (PID {pid})", shown(image)))
    }

    fn counted(&self, source: Source, counts: Vec<(u32, u64)>) -> Vec<HandleCount> {
        let count =
            |(pid, count)| HandleCount { source: source.id(), pid, image: self.images.get(&pid).cloned(), count };
        counts.into_iter().map(count).collect()
    }

    fn list_sockets(&mut self, now: FileTime) {
        let mut sockets: Vec<ListedSocket> = Vec::new();
        let mut any = false;
        for (table, name) in TABLES {
            let rows = self.system.sockets(table);
            if let Some(rows) = self.keep(Source::Sockets, name, rows) {
                any = true;
                sockets.extend(rows);
            }
        }
        if !any {
            return;
        }
        forget_bound_of_connected(&mut sockets);
        let second_of_day = u32::try_from(now.0.div_euclid(FileTime::SECOND).rem_euclid(86_400)).unwrap_or(0);
        let taken = Some(Taken { text: now.to_date_and_time(), day: None, second_of_day });
        let listing = SocketListing { source: Source::Sockets.id(), taken, sockets, ..SocketListing::default() };
        self.facts.listings.push(listing);
        self.listed_at = Some(now);
        if self.facts.listings.len() > MAX_LISTINGS {
            thin_out(&mut self.facts.listings);
        }
    }

    /// Asks for what is only needed at the end: services, and the System log of the last day.
    pub fn ask_for_the_rest(&mut self) {
        self.take_excluded(RANGES_LIMIT);
        let services = self.system.services();
        if let Some(services) = self.keep(Source::Services, "", services) {
            let mut by_pid: BTreeMap<u32, Vec<String>> = BTreeMap::new();
            for (pid, service) in services {
                by_pid.entry(pid).or_default().push(service);
            }
            let task = |(pid, mut services): (u32, Vec<String>)| {
                services.sort();
                let image = self.images.get(&pid).cloned()?;
                Some(Task { image, pid, services })
            };
            self.facts.tasks = by_pid.into_iter().filter_map(task).collect();
        }
        let events = self.system_log();
        if let Some(events) = self.keep(Source::SystemLog, "", events) {
            self.facts.system_events = events;
        }
    }

    /// The entries about ports of the last day, which wevtutil exports and the reader of event logs reads.
    fn system_log(&self) -> Result<Vec<SystemEvent>, WhyMissing> {
        const QUERY: &str = "*[System[Provider[@Name='Tcpip'] and (EventID=4227 or EventID=4231 or EventID=4266) and TimeCreated[timediff(@SystemTime) <= 86400000]]]";
        let failed = |error: std::io::Error| crate::words::system_message(&error);
        let folder = tempfile::tempdir().map_err(failed)?;
        let path = folder.path().join("System.evtx");
        let (file, query) = (path.display().to_string(), format!("/q:{QUERY}"));
        let output = self.system.command("wevtutil", &["epl", "System", &file, &query], COMMAND_LIMIT);
        let output = output.map_err(|why| format!("wevtutil: {why}"))?;
        if output.code != Some(0) {
            return Err("wevtutil could not export it".to_owned());
        }
        let bytes = std::fs::read(&path).map_err(failed)?;
        let log = event_log::parse(&bytes).ok_or_else(|| "wevtutil exported no event log".to_owned())?;
        let source = Source::SystemLog.id();
        Ok(log.events.into_iter().map(|event| SystemEvent { source, ..event }).collect())
    }

    /// Notes whether a source gave something.
    fn keep<T>(&mut self, source: Source, part: &'static str, result: Result<T, WhyMissing>) -> Option<T> {
        match result {
            Ok(facts) => {
                self.found.insert(source, true);
                self.missing.remove(&(source, part));
                Some(facts)
            }
            Err(why) => {
                self.found.entry(source).or_insert(false);
                self.missing.insert((source, part), why);
                None
            }
        }
    }

    /// What polling cost, for people; `None` where nothing was polled.
    fn cost(&self, elapsed: Duration) -> Option<String> {
        let elapsed = elapsed.as_secs_f64().max(0.001);
        let each = self.cost.as_secs_f64() * 1000.0 / f64::from(self.polls.max(1));
        (self.polls > 0).then(|| {
            format!(
                "polling sockets and handles took {each:.1} ms each time, {:.1} ms at most, {} times: {:.2} % of the time",
                self.longest.as_secs_f64() * 1000.0,
                self.polls,
                self.cost.as_secs_f64() * 100.0 / elapsed
            )
        })
    }

    /// The facts, their sources, and a sentence for each source that is missing; `elapsed` since the capture began.
    pub fn finish(self, elapsed: Duration) -> (SideFacts, Vec<SideInput>, Vec<String>) {
        let why = |source: Source| {
            let parts = self.missing.iter().filter(|((of, _), _)| *of == source);
            let told: Vec<String> = parts
                .map(
                    |((_, part), why)| if part.is_empty() { why.clone() } else { format!("{part} are missing: {why}") },
                )
                .collect();
            let told: Vec<String> = told.into_iter().chain(self.remarks.get(&source).cloned()).collect();
            (!told.is_empty()).then(|| told.join("; "))
        };
        let mut inputs = Vec::new();
        let mut notes = Vec::new();
        if !self.found.is_empty() {
            for source in Source::ALL {
                let (used, note) = (self.found.get(&source).copied().unwrap_or(false), why(source));
                if let Some(note) = &note {
                    notes.push(format!("{}: {note}", source.name()));
                }
                let cost = self.cost(elapsed).filter(|_| source == Source::Sockets);
                let note = match (note, cost) {
                    (Some(note), Some(cost)) => Some(format!("{cost}; {note}")),
                    (note, cost) => note.or(cost),
                };
                let (path, kind) = (source.name().to_owned(), source.kind().name());
                inputs.push(SideInput::of_machine(path, kind, used, note));
            }
        }
        (self.facts, inputs, notes)
    }
}

/// The tables of bound sockets list connected ones too: a port that its process uses otherwise is not bound alone.
fn forget_bound_of_connected(sockets: &mut Vec<ListedSocket>) {
    use crate::side::facts::TcpState;
    let key = |socket: &ListedSocket| Some((socket.pid, socket.local?.port, socket.family));
    let is_bound = |socket: &ListedSocket| socket.state == Some(TcpState::Bound);
    let used: std::collections::BTreeSet<_> =
        sockets.iter().filter(|socket| socket.protocol == Protocol::Tcp && !is_bound(socket)).filter_map(key).collect();
    sockets.retain(|socket| !is_bound(socket) || key(socket).is_none_or(|key| !used.contains(&key)));
}

/// Leaves every second listing, and of the others the first, the last and the one with most sockets.
fn thin_out(listings: &mut Vec<SocketListing>) {
    let last = listings.len().saturating_sub(1);
    let largest = listings.iter().enumerate().max_by_key(|(_, listing)| listing.sockets.len()).map(|(index, _)| index);
    let mut index = 0;
    listings.retain(|_| {
        let stays = index % 2 == 0 || index == last || Some(index) == largest;
        index += 1;
        stays
    });
}
