//! Whose each record is, as the analysis decides it: later events can, so it is known behind the last one.
//!
//! Nothing is kept for a record but those that count as failures. Of sockets, endpoints and TCBs it is kept whose they were,
//! and from when to when.

use std::collections::BTreeSet;

use etl_parser::Record;

use crate::diagnosis::naming;
use crate::event::{LogEntry, Place};
use crate::hash::FastMap;
use crate::machine::Findings;
use crate::machine::owner::{Decided, Owner, is_kernel};
use crate::machine::processes::{Process, ProcessTable};
use crate::machine::witness::{Attribution, Endpoint, KnownBy, Witness};
use crate::side::facts::SideFacts;
use crate::time::FileTime;

#[cfg(test)]
mod tests;

/// Failures that are listed, 12 bytes each: a trace of 4 GB that holds little else.
const MAX_FAILURES: usize = 1 << 24;

/// Spans of time in which somebody owns an endpoint, 32 bytes each: the sockets of some 4 GB of AFD events.
const MAX_SPANS: usize = 1 << 22;

/// Owners that are told apart: processes, each known in a few ways.
const MAX_OWNERS: usize = 1 << 20;

/// How the owner of a record is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnerSource {
    /// The process recorded when the socket was created.
    CreatedSocket,
    /// The process known for the EPROCESS address.
    Eprocess,
    /// The process of a record's header, where that is known to be right.
    HeaderLocation,
    /// The process of another record's header.
    HeaderPid,
    /// The process that TCP/IP names for its endpoint or TCB.
    Tcpip,
    /// Nobody is known.
    Unknown,
}

impl OwnerSource {
    /// As lines of `events` have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CreatedSocket => "created_socket",
            Self::Eprocess => "eprocess",
            Self::HeaderLocation => "header_location",
            Self::HeaderPid => "header_pid",
            Self::Tcpip => "tcpip",
            Self::Unknown => "unknown",
        }
    }
}

/// Whose a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordOwner<'o> {
    /// Process id; `None` where nobody is known.
    pub pid: Option<u32>,
    /// Base name of its image, where known.
    pub image: Option<&'o str>,
    /// The services that it runs, where known.
    pub services: &'o [String],
    /// When it ended, where that is known.
    pub ended: Option<FileTime>,
    /// How it is known.
    pub source: OwnerSource,
}

impl RecordOwner<'_> {
    /// Nobody known.
    pub(crate) const UNKNOWN: RecordOwner<'static> = RecordOwner::of_pid(None, OwnerSource::Unknown);

    /// One of whom no more is known than the PID.
    const fn of_pid(pid: Option<u32>, source: OwnerSource) -> Self {
        Self { pid, image: None, services: &[], ended: None, source }
    }
}

/// Number of an owner.
type Number = u32;

/// The number of nobody known.
const NOBODY: Number = 0;

/// Where a failure stands in its trace, and whose it is: buffer, position in it, number of the owner.
type Failure = [u32; 3];

/// A span of time in which somebody owns an endpoint. Sorted by endpoint, then by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Span {
    /// Boot and layer of the endpoint.
    space: u32,
    address: u64,
    start: FileTime,
    /// [`OPEN`] where it has not ended.
    end: FileTime,
    owner: Number,
}

const OPEN: FileTime = FileTime(i64::MAX);

fn space(boot: u32, endpoint: Endpoint) -> (u32, u64) {
    match endpoint {
        Endpoint::Socket(address) => (boot.saturating_mul(2), address),
        Endpoint::Transport(address) => (boot.saturating_mul(2).saturating_add(1), address),
    }
}

/// Notes what the analysis decides.
#[derive(Debug)]
pub(super) struct OwnerLog {
    /// By trace.
    failures: Vec<Vec<Failure>>,
    /// Of logs.
    logged: FastMap<LogEntry, Number>,
    failure_count: usize,
    spans: Vec<Span>,
    /// The latest span of each endpoint of this boot.
    latest: FastMap<Endpoint, u32>,
    owners: Vec<Attribution>,
    numbers: FastMap<Attribution, Number>,
    boot: u32,
    limits: Limits,
    beyond: Beyond,
}

#[derive(Debug)]
struct Limits {
    failures: usize,
    spans: usize,
    owners: usize,
}

/// What there was no room for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Beyond {
    /// Failures that are not listed.
    pub failures: u64,
    /// Owners of some endpoints are not known.
    pub owners: bool,
}

impl Default for OwnerLog {
    fn default() -> Self {
        Self::with_limits(Limits { failures: MAX_FAILURES, spans: MAX_SPANS, owners: MAX_OWNERS })
    }
}

impl OwnerLog {
    fn with_limits(limits: Limits) -> Self {
        let nobody = (Owner::Unknown, KnownBy::Nothing);
        Self {
            failures: Vec::new(),
            logged: FastMap::default(),
            failure_count: 0,
            spans: Vec::new(),
            latest: FastMap::default(),
            owners: vec![nobody],
            numbers: FastMap::from_iter([(nobody, NOBODY)]),
            boot: 0,
            limits,
            beyond: Beyond::default(),
        }
    }

    fn number(&mut self, whose: Attribution) -> Number {
        if let Some(number) = self.numbers.get(&whose) {
            return *number;
        }
        let count = self.owners.len();
        let Some(number) = u32::try_from(count).ok().filter(|_| count < self.limits.owners) else {
            self.beyond.owners = true;
            return NOBODY;
        };
        self.owners.push(whose);
        self.numbers.insert(whose, number);
        number
    }

    fn latest(&mut self, endpoint: Endpoint) -> Option<&mut Span> {
        self.spans.get_mut(*self.latest.get(&endpoint)? as usize)
    }

    /// Who all of them turned out to be.
    pub(super) fn settle(mut self, findings: &Findings, side: &SideFacts, boots: Vec<usize>) -> Owners {
        let processes = &findings.world.processes;
        self.failures.iter_mut().for_each(|failures| failures.sort_unstable());
        self.spans.sort_unstable();
        Owners {
            failures: self.failures,
            logged: self.logged,
            spans: self.spans,
            settled: self.owners.iter().map(|whose| settled(*whose, processes)).collect(),
            processes: Lives::new(processes.processes(), side),
            boots,
            beyond: self.beyond,
        }
    }
}

/// The process that an owner turned out to be, and how that is known in the end.
fn settled((owner, known_by): Attribution, processes: &ProcessTable) -> (Option<usize>, OwnerSource) {
    let Some(process) = processes.settled(owner) else { return (None, OwnerSource::Unknown) };
    let source = match known_by {
        KnownBy::Creation => OwnerSource::CreatedSocket,
        KnownBy::Eprocess => OwnerSource::Eprocess,
        KnownBy::Location => OwnerSource::HeaderLocation,
        KnownBy::Header => OwnerSource::HeaderPid,
        KnownBy::Transport => OwnerSource::Tcpip,
        KnownBy::Nothing => OwnerSource::Unknown,
        KnownBy::Undecided => match processes.decided(owner) {
            Some(Decided::Eprocess) => OwnerSource::Eprocess,
            Some(Decided::Location) => OwnerSource::HeaderLocation,
            // The EPROCESS address stayed unknown, or is System's.
            Some(Decided::Fallback | Decided::Nobody) | None => OwnerSource::HeaderPid,
        },
    };
    (Some(process), source)
}

impl Witness for OwnerLog {
    fn booted(&mut self, boot: Option<usize>) {
        self.latest.clear();
        self.boot = boot.and_then(|boot| u32::try_from(boot).ok()).unwrap_or(u32::MAX);
    }

    fn failed(&mut self, place: &Place, whose: Attribution) {
        if self.failure_count >= self.limits.failures {
            self.beyond.failures += 1;
            return;
        }
        self.failure_count += 1;
        let owner = self.number(whose);
        if let Some(entry) = place.entry {
            self.logged.insert(entry, owner);
            return;
        }
        let trace = usize::from(place.trace);
        if self.failures.len() <= trace {
            self.failures.resize_with(trace + 1, Vec::new);
        }
        if let Some(failures) = self.failures.get_mut(trace) {
            failures.push([place.buffer, place.pos, owner]);
        }
    }

    fn owned(&mut self, endpoint: Endpoint, from: FileTime, now: FileTime, whose: Attribution) {
        let owner = self.number(whose);
        let mut start = from.min(now);
        if let Some(span) = self.latest(endpoint) {
            if span.owner == owner && start <= span.end {
                // Time goes back only where a time stamp is wrong.
                (span.start, span.end) = (span.start.min(now), OPEN);
                return;
            }
            start = start.max(span.start);
            if span.end == OPEN {
                span.end = FileTime(start.0.saturating_sub(1)).max(span.start);
            }
        }
        let number = self.spans.len();
        let Some(number) = u32::try_from(number).ok().filter(|_| number < self.limits.spans) else {
            self.beyond.owners = true;
            return;
        };
        let (space, address) = space(self.boot, endpoint);
        self.spans.push(Span { space, address, start, end: OPEN, owner });
        self.latest.insert(endpoint, number);
    }

    fn ended(&mut self, endpoint: Endpoint, now: FileTime) {
        if let Some(span) = self.latest(endpoint).filter(|span| span.end == OPEN) {
            span.end = now.max(span.start);
        }
    }

    fn lingered(&mut self, endpoint: Endpoint, now: FileTime) {
        if let Some(span) = self.latest(endpoint).filter(|span| span.end != OPEN) {
            span.end = span.end.max(now);
        }
    }
}

/// When processes lived, and how they are called.
#[derive(Debug)]
struct Lives {
    lives: Vec<Life>,
    by_pid: FastMap<u32, Vec<u32>>,
    /// Names and services of processes that a list alone tells of.
    listed: FastMap<u32, (String, Vec<String>)>,
    /// Processes whose object was there.
    by_eprocess: FastMap<u64, Vec<u32>>,
}

#[derive(Debug)]
struct Life {
    pid: u32,
    image: Option<String>,
    services: Vec<String>,
    started: Option<FileTime>,
    ended: Option<FileTime>,
}

impl Life {
    /// Whether it may have run at a time. System's context says nothing of whose an event is.
    fn lived(&self, time: FileTime) -> bool {
        let is_over = self.ended.is_some_and(|ended| ended < time);
        !is_kernel(self.pid) && !is_over && self.started.is_none_or(|started| started <= time)
    }
}

impl Lives {
    fn new(processes: &[Process], side: &SideFacts) -> Self {
        let mut by_pid: FastMap<u32, Vec<u32>> = FastMap::default();
        let mut by_eprocess: FastMap<u64, Vec<u32>> = FastMap::default();
        for (number, process) in (0..).zip(processes) {
            by_pid.entry(process.pid).or_default().push(number);
            if let Some(eprocess) = process.eprocess {
                by_eprocess.entry(eprocess).or_default().push(number);
            }
        }
        let names = naming::names(processes, side).into_iter();
        let lives = processes.iter().zip(names).map(|(process, (image, services))| Life {
            pid: process.pid,
            image,
            services,
            started: process.started,
            ended: process.ended,
        });
        let listed = side.tasks.iter().map(|task| (task.pid, (task.image.clone(), task.services.clone())));
        Self { lives: lives.collect(), by_pid, listed: listed.collect(), by_eprocess }
    }

    fn owner(&self, process: Option<usize>, source: OwnerSource) -> RecordOwner<'_> {
        match process.and_then(|process| self.lives.get(process)) {
            Some(life) => RecordOwner {
                pid: Some(life.pid),
                image: life.image.as_deref(),
                services: &life.services,
                ended: life.ended,
                source,
            },
            None => RecordOwner::UNKNOWN,
        }
    }
}

/// Whose the records of a case are.
#[derive(Debug)]
pub struct Owners {
    failures: Vec<Vec<Failure>>,
    logged: FastMap<LogEntry, Number>,
    spans: Vec<Span>,
    settled: Vec<(Option<usize>, OwnerSource)>,
    processes: Lives,
    boots: Vec<usize>,
    /// What there was no room for.
    pub beyond: Beyond,
}

impl Owners {
    /// The owner of a failure that counts; `None` for every other record.
    pub fn failure(&self, trace: usize, record: &Record<'_>) -> Option<RecordOwner<'_>> {
        let failures = self.failures.get(trace)?;
        let place = [record.buffer(), record.pos()];
        let at = failures.binary_search_by(|[buffer, pos, _]| [*buffer, *pos].cmp(&place)).ok()?;
        failures.get(at).map(|[_, _, owner]| self.of_number(*owner))
    }

    /// The owner of a failure that counts; `None` for every other entry of a log.
    pub(crate) fn logged_failure(&self, entry: LogEntry) -> Option<RecordOwner<'_>> {
        self.logged.get(&entry).map(|owner| self.of_number(*owner))
    }

    fn of_number(&self, owner: Number) -> RecordOwner<'_> {
        let (process, source) = self.settled.get(owner as usize).copied().unwrap_or((None, OwnerSource::Unknown));
        self.processes.owner(process, source)
    }

    /// The owner of an endpoint at a time.
    pub(crate) fn endpoint(&self, trace: usize, endpoint: Endpoint, time: FileTime) -> Option<RecordOwner<'_>> {
        let boot = self.boots.get(trace).and_then(|boot| u32::try_from(*boot).ok())?;
        self.endpoint_of(boot, endpoint, time)
    }

    /// The owner of an endpoint that an entry of a log names. Of which boot the entry is, nobody says: it is known where one
    /// boot alone has an owner.
    pub(super) fn logged_endpoint(&self, endpoint: Endpoint, time: FileTime) -> Option<RecordOwner<'_>> {
        let boots: BTreeSet<usize> = self.boots.iter().copied().chain(self.boots.is_empty().then_some(0)).collect();
        let boots = boots.into_iter().filter_map(|boot| u32::try_from(boot).ok());
        let mut owners = boots.filter_map(|boot| self.endpoint_of(boot, endpoint, time));
        owners.next().filter(|_| owners.next().is_none())
    }

    fn endpoint_of(&self, boot: u32, endpoint: Endpoint, time: FileTime) -> Option<RecordOwner<'_>> {
        let (space, address) = space(boot, endpoint);
        let behind =
            self.spans.partition_point(|span| (span.space, span.address, span.start) <= (space, address, time));
        let span = self.spans.get(behind.checked_sub(1)?)?;
        let is_it = (span.space, span.address) == (space, address) && time <= span.end;
        is_it.then(|| self.of_number(span.owner)).filter(|owner| owner.pid.is_some())
    }

    /// The process whose object was at this address at a time, where there is one alone. An address of another boot, or of
    /// another machine, is another object.
    pub(crate) fn eprocess(&self, address: u64, time: FileTime) -> Option<RecordOwner<'_>> {
        if self.boots.iter().any(|boot| *boot != 0) {
            return None;
        }
        let of_address = self.processes.by_eprocess.get(&address)?.iter().map(|number| *number as usize);
        let mut alive =
            of_address.filter(|number| self.processes.lives.get(*number).is_some_and(|life| life.lived(time)));
        let process = alive.next().filter(|_| alive.next().is_none());
        process.map(|process| self.processes.owner(Some(process), OwnerSource::Eprocess))
    }

    /// The start of the machine that a trace is of.
    pub(crate) fn boot(&self, trace: usize) -> Option<usize> {
        self.boots.get(trace).copied()
    }

    /// The process that had this PID at a time; between two the one before. One PID has one process at a time: where the times
    /// of two overlap, it is still the first one's.
    pub(crate) fn process(&self, pid: u32, time: FileTime, source: OwnerSource) -> RecordOwner<'_> {
        let numbers = self.processes.by_pid.get(&pid).map(Vec::as_slice).unwrap_or_default();
        let lives = numbers.iter().filter_map(|number| Some((self.processes.lives.get(*number as usize)?, *number)));
        let mut begun: Vec<_> = lives.filter(|(life, _)| life.started.is_none_or(|started| started <= time)).collect();
        begun.sort_by_key(|(life, number)| (life.started, *number));
        let lives_on = |(life, _): &&(&Life, u32)| life.ended.is_none_or(|ended| ended >= time);
        match begun.iter().find(lives_on).or(begun.last()) {
            Some((_, number)) => self.processes.owner(Some(*number as usize), source),
            None => {
                let listed = self.processes.listed.get(&pid).filter(|_| numbers.is_empty());
                let named = listed.map_or((None, &[][..]), |(image, services)| (Some(image.as_str()), services));
                RecordOwner { image: named.0, services: named.1, ..RecordOwner::of_pid(Some(pid), source) }
            }
        }
    }
}
