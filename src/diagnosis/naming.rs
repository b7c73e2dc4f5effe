//! The rows of processes: those of the trace, and those that listings alone know; names joined from all sources.

mod listed;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Serialize;

use self::listed::ListedNames;
pub(super) use self::listed::given_again;
use super::codes::Role;
use super::counted::many_sockets;
use super::holders::{Conclusion, Subject, is_same_image, last_of_pid};
use super::listings::images_without_pid;
use crate::event::base_name;
use crate::hash::FastMap;
use crate::machine::Findings;
use crate::machine::owner::{Owner, is_kernel};
use crate::machine::processes::Process;
use crate::machine::tally::OwnerSource;
use crate::machine::tally::Tally;
use crate::net::SocketAddress;
use crate::side::facts::SideFacts;
use crate::time::FileTime;
use crate::words::shown;

/// One process: a PID and a life span.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ProcessRow {
    /// Process id; `None` for what belongs to nobody known.
    pub pid: Option<u32>,
    /// Base name of its image.
    pub image: Option<String>,
    /// The path of its image, where the trace has one.
    pub image_path: Option<String>,
    /// Who told the image: `kernel_process`, `mof_process`, `live`, `tasklist`, or `netstat` (any listing of sockets or
    /// handles).
    pub image_source: Option<&'static str>,
    /// Services in it, from a process list.
    pub services: Vec<String>,
    /// The service that `netstat -b` names as the owner of nearly all of its sockets.
    pub socket_service: Option<String>,
    /// When it was created, UTC; `None` where not told.
    pub started: Option<FileTime>,
    /// When it ended, UTC; `None` where not seen.
    pub ended: Option<FileTime>,
    /// The image of another process that has its PID by the time of a listing; this one has ended then.
    pub pid_given_to: Option<String>,
    /// What it is in the case, in the order of the strings.
    pub roles: Vec<Role>,
    /// Bind completions with 0xC0000209.
    pub bind_failures: u64,
    /// Connect completions with 0xC0000209.
    pub connect_failures: u64,
    /// The first of both, UTC.
    pub first_failure: Option<FileTime>,
    /// The last of both, UTC.
    pub last_failure: Option<FileTime>,
    /// Bind completions with status 0.
    pub binds_ok: u64,
    /// Bind completions with any other status, STATUS_PENDING left out.
    pub other_bind_failures: u64,
    /// Sockets created.
    pub sockets_created: u64,
    /// Sockets closed or cleaned up, each once, also those older than the trace.
    pub sockets_closed: u64,
    /// Most sockets that held a port of their own at one moment.
    pub ports_held_peak: u64,
    /// Sockets that hold one at the end; at most the peak.
    pub ports_held_end: u64,
    /// How often a socket began to hold a port.
    pub ports_obtained: u64,
    /// How often that ended.
    pub ports_released: u64,
    /// When the oldest port still held at the end was obtained, UTC.
    pub held_since: Option<FileTime>,
    /// Successful binds for each minute of the case, with one decimal; `None` for less than six seconds of events.
    pub binds_per_minute: Option<f64>,
    /// Closed sockets for each minute, likewise.
    pub closes_per_minute: Option<f64>,
    /// The remote addresses of most connects, five at most.
    pub destinations: Vec<Destination>,
    /// Handles, from a process list with handles.
    pub handles: Option<u64>,
    /// Handles of sockets, from a `handle -a afd` listing.
    pub afd_handles: Option<u64>,
    /// How the owner of the failures is known; adds up to bind and connect failures.
    pub owner_source: OwnerSource,
    /// How old the oldest port still held was when the last trace ended, in 100 ns; never negative.
    #[serde(skip)]
    pub oldest_port_100ns: Option<i64>,
    /// The image that a list shows under its PID, where that is another one: the PID may be another process's by now.
    #[serde(skip)]
    pub pid_is_now: Option<String>,
    /// A process list does not have its PID: one that was asked for it, or one of all processes of the same machine.
    #[serde(skip)]
    pub is_absent: bool,
    /// A process list of the same machine does not have its PID, and has its image under this PID, which the trace does not know:
    /// it was restarted between the two.
    #[serde(skip)]
    pub runs_as: Option<u32>,
    /// Process lists have different processes under its PID: which of them it is, is not told.
    #[serde(skip)]
    pub is_given_again: bool,
}

impl ProcessRow {
    /// Binds that completed, whatever the outcome.
    pub fn binds_completed(&self) -> u64 {
        self.binds_ok + self.bind_failures + self.other_bind_failures
    }
}

/// A remote address that a process connected to.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Destination {
    /// Address and port, as `192.0.2.7:443` or `[2001:db8::7]:443`.
    pub remote: String,
    /// Connects to it, whatever the outcome.
    pub connects: u64,
}

/// A minute.
const MINUTE_100NS: f64 = 600_000_000.0;

/// Destinations shown for each process.
const TOP_DESTINATIONS: usize = 5;

/// The process rows of a report.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    /// Most bind failures first.
    pub(crate) rows: Vec<ProcessRow>,
    /// Where each process of the conclusion stands.
    pub(crate) index: BTreeMap<Subject, usize>,
    /// What is to be known about names.
    pub(crate) notes: Vec<String>,
}

impl Rows {
    /// Sets how many binds and closes each process had for a minute, from the first event to the last, where these are far
    /// enough apart to tell.
    pub(crate) fn set_rates(&mut self, span: Option<(FileTime, FileTime)>) {
        let minutes = span.map(|(start, end)| end.since(start) as f64 / MINUTE_100NS).filter(|minutes| *minutes >= 0.1);
        let Some(minutes) = minutes else { return };
        for row in &mut self.rows {
            let rate = |count: u64| Some((count as f64 / minutes * 10.0).round() / 10.0);
            row.binds_per_minute = rate(row.binds_ok);
            row.closes_per_minute = rate(row.sockets_closed);
        }
    }

    /// Sets how old the oldest port of each process was when the last trace ended.
    pub(crate) fn set_ages(&mut self, end: Option<FileTime>) {
        for row in &mut self.rows {
            let age = row.held_since.zip(end).map(|(since, end)| end.since(since));
            row.oldest_port_100ns = age.filter(|age| *age >= 0);
        }
    }

    /// The row of whoever an owner turned out to be.
    pub(crate) fn of_owner(&self, owner: Owner, findings: &Findings) -> Option<usize> {
        self.index.get(&Subject::of(owner, &findings.world.processes)).copied()
    }

    /// The label of a subject: `name.exe (PID 7312)`.
    pub(crate) fn label(&self, subject: Subject) -> Option<String> {
        self.label_of(*self.index.get(&subject)?)
    }

    /// The label of the row with this index.
    pub(crate) fn label_of(&self, index: usize) -> Option<String> {
        let row = self.rows.get(index)?;
        Some(match (&row.image, row.pid) {
            (Some(image), Some(pid)) => format!("{} (PID {pid})", shown(image)),
            (None, Some(pid)) => format!("PID {pid}"),
            (Some(image), None) => format!("{} (PID not listed)", shown(image)),
            (None, None) => return None,
        })
    }
}

fn name(row: &mut ProcessRow, image: &str, source: &'static str) {
    (row.image, row.image_path, row.image_source) = (Some(image.to_owned()), None, Some(source));
}

/// All processes that did something with sockets, or hold ports; most bind failures first.
pub(crate) fn rows(findings: &Findings, side: &SideFacts, conclusion: &Conclusion) -> Rows {
    let processes = findings.world.processes.processes();
    let unknown = findings.world.processes.unknown();
    let listed = ListedNames::new(side);
    let last_of_pid = last_of_pid(processes);
    let oldest = oldest_holds(findings);
    let destinations = destinations(findings);
    let holding: BTreeSet<Subject> = conclusion.holders.iter().map(|holder| holder.subject).collect();
    let mut shown = holding.clone();
    shown.extend(conclusion.outages.iter().flat_map(|outage| &outage.holders).map(|(subject, _)| *subject));
    let of_pid = |pid: &u32| last_of_pid.get(pid).map_or(Subject::Listed(*pid), |index| Subject::Process(*index));
    shown.extend(many_sockets(side).keys().map(of_pid));
    let users = findings.world.ports.users.iter().map(|((_, user), _)| findings.world.processes.index(user));
    shown.extend(users.map(Subject::Process));
    let holds = |subject| holding.contains(&subject);
    let images = images_without_pid(&side.listings);
    let in_listings = side.listings.iter().flat_map(|listing| &listing.sockets).filter_map(|socket| socket.pid);
    let are_whole = listed.are_whole(last_of_pid.keys().copied().chain(in_listings));
    let mut notes = Vec::new();
    let mut rows: Vec<(Subject, ProcessRow)> = Vec::new();
    for (index, process) in processes.iter().enumerate() {
        let subject = Subject::Process(index);
        if !process.tally.is_of_interest() && !shown.contains(&subject) {
            continue;
        }
        let mut row = process_row(process);
        row.held_since = oldest.get(&Some(index)).copied();
        row.destinations = destinations.get(&Some(index)).cloned().unwrap_or_default();
        if last_of_pid.get(&process.pid) == Some(&index) {
            listed.join(&mut row, process.pid, process.image_may_be_cut(), &mut notes);
            row.runs_as = listed.restarted_as(&row, &last_of_pid, processes);
            row.is_absent |= row.ended.is_none() && are_whole && listed.lack(process.pid);
        }
        let successor = last_of_pid.get(&process.pid).filter(|last| **last != index);
        let later = successor.and_then(|last| processes.get(*last)).and_then(Process::image).map(|(image, _)| image);
        let later = later.filter(|later| row.image.as_ref().is_some_and(|image| !is_same_image(image, later)));
        row.pid_is_now = row.pid_is_now.or(later.map(|later| base_name(later).to_owned()));
        row.pid_given_to = listed.successor(&row);
        rows.push((subject, row));
    }
    for subject in &shown {
        if let Subject::Listed(pid) = *subject {
            let mut row = listed.row_of(pid, &mut notes);
            row.is_absent |= are_whole && listed.lack(pid);
            rows.push((*subject, row));
        }
        if let Subject::Image(number) = *subject {
            let mut row = row_of(None, &Tally::default());
            let owner = usize::try_from(number).ok().and_then(|number| images.get(number));
            if let Some((image, owner)) = owner.and_then(|owner| Some((owner.image.as_deref()?, owner))) {
                name(&mut row, image, "netstat");
                row.services.clone_from(&owner.services);
            }
            rows.push((*subject, row));
        }
    }
    if unknown.is_of_interest() || shown.contains(&Subject::Nobody) {
        let mut row = row_of(None, unknown);
        row.held_since = oldest.get(&None).copied();
        row.destinations = destinations.get(&None).cloned().unwrap_or_default();
        rows.push((Subject::Nobody, row));
    }
    for (subject, row) in &mut rows {
        if holds(*subject) {
            row.roles.push(Role::Holder);
        }
        row.roles.sort_unstable();
    }
    rows.sort_by(|(a_subject, a), (b_subject, b)| {
        let key = |row: &ProcessRow| (Reverse(row.bind_failures), Reverse(row.ports_held_end));
        let pid = |row: &ProcessRow| (row.pid.is_none(), row.pid);
        key(a).cmp(&key(b)).then(pid(a).cmp(&pid(b))).then(a_subject.cmp(b_subject))
    });
    let index = rows.iter().enumerate().map(|(index, (subject, _))| (*subject, index)).collect();
    Rows { rows: rows.into_iter().map(|(_, row)| row).collect(), index, notes }
}

/// The image of each process and its services, as its row has them.
pub(crate) fn names(processes: &[Process], side: &SideFacts) -> Vec<(Option<String>, Vec<String>)> {
    let listed = ListedNames::new(side);
    let last_of_pid = last_of_pid(processes);
    let name = |(index, process): (usize, &Process)| {
        let mut row = process_row(process);
        if last_of_pid.get(&process.pid) == Some(&index) {
            // What is to be known about names, the report says.
            listed.join(&mut row, process.pid, process.image_may_be_cut(), &mut Vec::new());
        }
        (row.image, row.services)
    };
    processes.iter().enumerate().map(name).collect()
}

/// The oldest port that each process still holds at the end.
fn oldest_holds(findings: &Findings) -> HashMap<Option<usize>, FileTime> {
    let mut oldest: HashMap<Option<usize>, FileTime> = HashMap::new();
    for hold in findings.sockets.held() {
        let since = oldest.entry(findings.world.processes.settled(hold.owner)).or_insert(hold.since);
        *since = (*since).min(hold.since);
    }
    oldest
}

/// The remote addresses that each process connected to most.
fn destinations(findings: &Findings) -> HashMap<Option<usize>, Vec<Destination>> {
    let all = &findings.world.ports.destinations;
    let mut counts: FastMap<(Option<usize>, SocketAddress), u64> = FastMap::default();
    counts.reserve(all.len());
    for ((owner, remote), count) in all.iter() {
        *counts.entry((findings.world.processes.settled(owner), remote)).or_default() += count;
    }
    let mut top: HashMap<Option<usize>, Vec<(Reverse<u64>, SocketAddress)>> = HashMap::new();
    for ((process, remote), count) in counts {
        let list = top.entry(process).or_default();
        let place = list.partition_point(|known| *known < (Reverse(count), remote));
        if place < TOP_DESTINATIONS {
            list.truncate(TOP_DESTINATIONS - 1);
            list.insert(place, (Reverse(count), remote));
        }
    }
    let shown = |(Reverse(connects), remote): (_, SocketAddress)| Destination { remote: remote.to_string(), connects };
    top.into_iter().map(|(process, list)| (process, list.into_iter().map(shown).collect())).collect()
}

fn process_row(process: &Process) -> ProcessRow {
    let mut row = row_of(Some(process.pid), &process.tally);
    (row.started, row.ended) = (process.started, process.ended);
    if let Some((image, source)) = process.image() {
        row.image = Some(base_name(image).to_owned());
        row.image_path = (base_name(image) != image).then(|| image.to_owned());
        row.image_source = Some(source.name());
    }
    row
}

fn row_of(pid: Option<u32>, tally: &Tally) -> ProcessRow {
    let mut roles = Vec::new();
    if tally.bind_failures > 0 {
        roles.push(Role::Victim);
    }
    if pid.is_some_and(is_kernel) {
        roles.push(Role::Kernel);
    }
    ProcessRow {
        pid,
        image: None,
        image_path: None,
        image_source: None,
        services: Vec::new(),
        socket_service: None,
        started: None,
        ended: None,
        pid_given_to: None,
        roles,
        bind_failures: tally.bind_failures,
        connect_failures: tally.connect_failures,
        first_failure: tally.failure_span.map(|(first, _)| first),
        last_failure: tally.failure_span.map(|(_, last)| last),
        binds_ok: tally.binds_ok,
        other_bind_failures: tally.other_bind_failures,
        sockets_created: tally.sockets_created,
        sockets_closed: tally.sockets_closed,
        ports_held_peak: tally.ports_held_peak,
        ports_held_end: tally.ports_held,
        ports_obtained: tally.ports_obtained,
        ports_released: tally.ports_released,
        held_since: None,
        binds_per_minute: None,
        closes_per_minute: None,
        destinations: Vec::new(),
        handles: None,
        afd_handles: None,
        owner_source: tally.owner_source,
        oldest_port_100ns: None,
        pid_is_now: None,
        is_absent: false,
        runs_as: None,
        is_given_again: false,
    }
}
