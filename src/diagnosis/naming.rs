//! The rows of processes: those of the trace, and those that listings alone know; names joined from all sources.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Serialize;

use super::codes::Role;
use super::counted::many_sockets;
use super::holders::{Conclusion, Subject, is_same_image, last_of_pid};
use super::listings::images_without_pid;
use crate::event::base_name;
use crate::hash::FastMap;
use crate::machine::Findings;
use crate::machine::owner::{Owner, SYSTEM, is_kernel};
use crate::machine::processes::Process;
use crate::machine::tally::OwnerSource;
use crate::machine::tally::Tally;
use crate::net::SocketAddress;
use crate::side::facts::{HandleCount, SideFacts, SocketListing, SourceId};
use crate::side::tasklist::{IMAGE_CUT_AT, Task};
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

/// What lists beside the trace tell about a PID.
#[derive(Default)]
struct ListedNames<'a> {
    tasks: BTreeMap<u32, &'a Task>,
    /// PIDs that process lists were asked for, and no list has.
    absent: BTreeSet<u32>,
    /// PIDs that are different images in different process lists, with two of these.
    given_again: BTreeMap<u32, [&'a str; 2]>,
    /// The images of processes that have a PID since its sockets were listed.
    successors: BTreeMap<u32, &'a str>,
    /// Image names of socket and handle listings.
    images: BTreeMap<u32, &'a str>,
    /// Those of listings of sockets one by one, in their order.
    named: BTreeMap<u32, Vec<NamedSockets<'a>>>,
    handles: BTreeMap<u32, u64>,
    afd_handles: BTreeMap<u32, u64>,
    /// Services that `netstat -b` names as owners of sockets, and of how many.
    services: BTreeMap<u32, Vec<(&'a str, u64)>>,
    /// Services of each process, by lists of services.
    hosted: BTreeMap<u32, BTreeSet<&'a str>>,
}

/// PIDs that are different images in different process lists, with two of these.
pub(super) fn given_again(tasks: &[Task]) -> BTreeMap<u32, [&str; 2]> {
    let mut given_again = BTreeMap::new();
    let mut first: BTreeMap<u32, &str> = BTreeMap::new();
    for task in tasks {
        let image = *first.entry(task.pid).or_insert(&task.image);
        if !is_same_image(image, &task.image) {
            given_again.insert(task.pid, [image, task.image.as_str()]);
        }
    }
    given_again
}

/// The image that one listing of sockets names for a PID.
struct NamedSockets<'a> {
    /// The file, or the sequence of files.
    moments: SourceId,
    image: &'a str,
    sockets: u64,
}

/// The images of PIDs by listings, each with the sockets that it has there.
fn named_sockets(listings: &[SocketListing]) -> BTreeMap<u32, Vec<NamedSockets<'_>>> {
    let mut named: BTreeMap<u32, Vec<NamedSockets<'_>>> = BTreeMap::new();
    for listing in listings.iter().filter(|listing| !listing.owners.is_empty()) {
        let mut counts: BTreeMap<u32, u64> = BTreeMap::new();
        for (pid, count) in listing.sockets.iter().filter_map(|socket| Some((socket.pid?, socket.count))) {
            *counts.entry(pid).or_default() += u64::from(count);
        }
        for (pid, image) in listing.owners.iter().filter_map(|(pid, owner)| Some((*pid, owner.image.as_deref()?))) {
            let sockets = counts.get(&pid).copied().unwrap_or(0);
            named.entry(pid).or_default().push(NamedSockets { moments: listing.moments(), image, sockets });
        }
    }
    named
}

/// So many processes must be the same in trace and process list, or what the list does not have tells nothing.
const AGREEING_TASKS: usize = 3;

impl<'a> ListedNames<'a> {
    fn new(side: &'a SideFacts) -> Self {
        let mut images = BTreeMap::new();
        for (pid, owner) in side.listings.iter().flat_map(|listing| &listing.owners) {
            if let Some(image) = &owner.image {
                images.insert(*pid, image.as_str());
            }
        }
        for count in side.afd_handles.iter().chain(&side.handles) {
            if let Some(image) = &count.image {
                images.entry(count.pid).or_insert(image.as_str());
            }
        }
        for name in &side.names {
            images.entry(name.pid).or_insert(name.image.as_str());
        }
        let largest = |counts: &[HandleCount]| {
            let mut by_pid: BTreeMap<u32, u64> = BTreeMap::new();
            for count in counts {
                let known = by_pid.entry(count.pid).or_default();
                *known = (*known).max(count.count);
            }
            by_pid
        };
        let mut hosted: BTreeMap<u32, BTreeSet<&str>> = BTreeMap::new();
        for service in &side.services {
            hosted.entry(service.pid).or_default().insert(&service.name);
        }
        // Listings with a column of services say for each process what it hosts, and not whose a socket is.
        let with_column = side.listings.iter().filter(|listing| listing.images.is_empty());
        for (pid, owner) in with_column.flat_map(|listing| &listing.owners) {
            let services = owner.services.iter().map(String::as_str).filter(|name| is_service(name));
            hosted.entry(*pid).or_default().extend(services);
        }
        let tasks: BTreeMap<u32, &Task> = side.tasks.iter().map(|task| (task.pid, task)).collect();
        Self {
            absent: side.absent.iter().copied().filter(|pid| !tasks.contains_key(pid)).collect(),
            given_again: given_again(&side.tasks),
            successors: side.successors.iter().map(|name| (name.pid, name.image.as_str())).collect(),
            hosted,
            tasks,
            images,
            named: named_sockets(&side.listings),
            handles: largest(&side.handles),
            afd_handles: largest(&side.afd_handles),
            services: services(&side.listings),
        }
    }

    /// The image of another process that has a row's PID by the time of a list.
    fn successor(&self, row: &ProcessRow) -> Option<String> {
        let (pid, image) = (row.pid?, row.image.as_ref()?);
        let listed = self.tasks.get(&pid).map(|task| task.image.as_str());
        let other = [listed, self.images.get(&pid).copied()].into_iter().flatten();
        other.map(base_name).find(|listed| !is_same_image(image, listed)).map(ToOwned::to_owned)
    }

    /// The PID under which a process list has the image of a row whose own PID it does not have. The list must be of the same
    /// machine, so that others agree, and the trace must not know that PID.
    fn restarted_as(&self, row: &ProcessRow, last: &BTreeMap<u32, usize>, processes: &[Process]) -> Option<u32> {
        let (pid, image) = (row.pid?, row.image.as_deref()?);
        if self.tasks.contains_key(&pid) || !self.given_again.is_empty() {
            return None;
        }
        let is_same = |(pid, task): &(&u32, &&Task)| {
            let known = last.get(*pid).and_then(|index| processes.get(*index)).and_then(Process::image);
            known.is_some_and(|(image, _)| is_same_image(image, &task.image))
        };
        if self.tasks.iter().filter(is_same).count() < AGREEING_TASKS {
            return None;
        }
        let mut again = self.tasks.iter().filter(|(pid, task)| {
            let is_new = !processes.iter().any(|process| process.pid == **pid);
            is_new && same_image(image, &task.image)
        });
        // Where several run, which of them follows is not told.
        let first = again.next().map(|(pid, _)| *pid);
        first.filter(|_| again.next().is_none())
    }

    /// Whether a process list of the same machine, and of all processes, does not have a PID; `known` are PIDs that others show.
    fn lacks(&self, pid: u32, known: &BTreeSet<u32>) -> bool {
        // A list of all processes has System.
        let is_whole = self.tasks.contains_key(&SYSTEM);
        let is_listed = |pid: &&u32| !is_kernel(**pid) && self.tasks.contains_key(*pid);
        is_whole
            && !is_kernel(pid)
            && !self.tasks.contains_key(&pid)
            && known.iter().filter(is_listed).count() >= AGREEING_TASKS
    }

    /// The row of a PID that lists alone know. Where they name it differently, its name is the one with most sockets, and what a
    /// process list says under the other name is not its.
    fn row_of(&self, pid: u32, notes: &mut Vec<String>) -> ProcessRow {
        let mut row = row_of(Some(pid), &Tally::default());
        row.is_absent = self.absent.contains(&pid);
        let named = self.named.get(&pid).map(Vec::as_slice).unwrap_or_default();
        // The last of equals.
        let most = named.iter().enumerate().max_by_key(|(_, named)| named.sockets);
        let task = self.tasks.get(&pid).map(|task| task.image.as_str());
        let of_other = most.and_then(|(at, most)| {
            let is_other = |image: &&str| !is_same_image(most.image, image);
            Some((at, most, named.iter().map(|named| named.image).chain(task).find(is_other)?))
        });
        let Some((at, most, other)) = of_other else {
            match self.given_again.get(&pid).filter(|_| most.is_none()) {
                Some([one, other]) => {
                    row.is_given_again = true;
                    notes.push(format!(
                        "PID {pid} is {} in one process list and {} in another: whose its sockets are is not told",
                        shown(one),
                        shown(other)
                    ));
                }
                None => self.join(&mut row, pid, false, notes),
            }
            let later = self.successors.get(&pid).filter(|later| row.image.as_deref() != Some(**later));
            row.pid_is_now = row.pid_is_now.or_else(|| later.map(|later| base_name(later).to_owned()));
            return row;
        };
        notes.push(format!(
            "PID {pid} is {} where most of its sockets are listed and {} in another list: they are of different processes",
            shown(most.image),
            shown(other)
        ));
        name(&mut row, most.image, "netstat");
        // Only listings of one file, or of one sequence, tell which came later.
        let later = named.iter().skip(at + 1).rfind(|named| named.moments == most.moments).map(|named| named.image);
        row.pid_is_now = later.filter(|later| !is_same_image(most.image, later)).map(ToOwned::to_owned);
        row
    }

    /// Puts what the lists tell into a row.
    fn join(&self, row: &mut ProcessRow, pid: u32, may_be_cut: bool, notes: &mut Vec<String>) {
        row.is_absent = self.absent.contains(&pid);
        row.handles = self.handles.get(&pid).copied();
        row.afd_handles = self.afd_handles.get(&pid).copied();
        if let Some(task) = self.tasks.get(&pid) {
            let longer = may_be_cut && row.image.as_ref().is_some_and(|cut| task.image.len() > cut.len());
            match &row.image {
                Some(image) if !same_image(image, &task.image) => {
                    notes.push(format!(
                        "PID {pid} is {} in the trace and {} in the process list: the services in that list are not used",
                        shown(image),
                        shown(&task.image)
                    ));
                    row.pid_is_now = Some(task.image.clone());
                    return;
                }
                Some(_) if !longer => {}
                _ => name(row, &task.image, "tasklist"),
            }
            row.services.clone_from(&task.services);
        }
        if let Some(services) = self.services.get(&pid) {
            let all: u64 = services.iter().map(|(_, sockets)| sockets).sum();
            let most = services.first().filter(|(_, sockets)| sockets.saturating_mul(10) >= all.saturating_mul(9));
            row.socket_service = most.map(|(name, _)| (*name).to_owned());
            if row.services.is_empty() {
                row.services = services.iter().map(|(name, _)| (*name).to_owned()).collect();
            }
        }
        if let Some(hosted) = self.hosted.get(&pid).filter(|_| row.services.is_empty()) {
            row.services = hosted.iter().copied().map(ToOwned::to_owned).collect();
        }
        let listed = self.images.get(&pid);
        let is_cut = |image: &str| image.chars().count() == IMAGE_CUT_AT;
        match (&row.image, listed) {
            (Some(image), Some(listed)) if is_cut(image) && listed.len() > image.len() && same_image(listed, image) => {
                name(row, listed, "netstat");
            }
            (None, Some(image)) => name(row, image, "netstat"),
            (Some(image), Some(listed)) if !is_same_image(image, listed) => row.pid_is_now = Some((*listed).to_owned()),
            _ => {}
        }
    }
}

/// Services of each process whose sockets `netstat -b` says are theirs, most sockets first. It names modules, too.
fn services(listings: &[SocketListing]) -> BTreeMap<u32, Vec<(&str, u64)>> {
    let mut counts: BTreeMap<(u32, &str), u64> = BTreeMap::new();
    for listing in listings.iter().filter(|listing| !listing.images.is_empty()) {
        for socket in &listing.sockets {
            let (Some(pid), Some(image)) = (socket.pid, socket.image) else { continue };
            let owner = usize::try_from(image).ok().and_then(|image| listing.images.get(image));
            if let Some(service) = owner.and_then(|owner| owner.services.iter().find(|name| is_service(name))) {
                *counts.entry((pid, service)).or_default() += u64::from(socket.count);
            }
        }
    }
    let mut services: BTreeMap<u32, Vec<(&str, u64)>> = BTreeMap::new();
    for ((pid, service), count) in counts {
        services.entry(pid).or_default().push((service, count));
    }
    services.values_mut().for_each(|of_pid| of_pid.sort_by_key(|(_, count)| Reverse(*count)));
    services
}

/// Whether a name is that of a service, and of no module.
fn is_service(name: &str) -> bool {
    !name.contains(['.', '\\', '/', ':'])
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
    let known: BTreeSet<u32> = last_of_pid.keys().copied().chain(in_listings).collect();
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
            row.is_absent |= row.ended.is_none() && listed.lacks(process.pid, &known);
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
            row.is_absent |= listed.lacks(pid, &known);
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

/// Whether two image names are the same, one of them possibly cut.
fn same_image(known: &str, listed: &str) -> bool {
    let (known, listed) = (known.to_lowercase(), listed.to_lowercase());
    let cut_list = listed.chars().count() >= IMAGE_CUT_AT && known.starts_with(&listed);
    let cut_event = known.len() >= 14 && listed.starts_with(&known);
    known == listed || cut_list || cut_event
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
