//! What lists beside the trace tell about a PID: its name, its services, and whose it is by now.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::ProcessRow;
use crate::diagnosis::holders::is_same_image;
use crate::event::base_name;
use crate::machine::owner::{SYSTEM, is_kernel};
use crate::machine::processes::Process;
use crate::machine::tally::Tally;
use crate::side::facts::{HandleCount, SideFacts, SocketListing, SourceId};
use crate::side::tasklist::{IMAGE_CUT_AT, Task};
use crate::words::shown;

/// What lists beside the trace tell about a PID.
#[derive(Default)]
pub(super) struct ListedNames<'a> {
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
pub(in crate::diagnosis) fn given_again(tasks: &[Task]) -> BTreeMap<u32, [&str; 2]> {
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
    pub(super) fn new(side: &'a SideFacts) -> Self {
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
    pub(super) fn successor(&self, row: &ProcessRow) -> Option<String> {
        let (pid, image) = (row.pid?, row.image.as_ref()?);
        let listed = self.tasks.get(&pid).map(|task| task.image.as_str());
        let other = [listed, self.images.get(&pid).copied()].into_iter().flatten();
        other.map(base_name).find(|listed| !is_same_image(image, listed)).map(ToOwned::to_owned)
    }

    /// The PID under which a process list has the image of a row whose own PID it does not have. The list must be of the same
    /// machine, so that others agree, and the trace must not know that PID.
    pub(super) fn restarted_as(
        &self,
        row: &ProcessRow,
        last: &BTreeMap<u32, usize>,
        processes: &[Process],
    ) -> Option<u32> {
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

    /// Whether process lists are of the same machine and of all processes: they have System, and some of those that are shown.
    pub(super) fn are_whole(&self, shown: impl Iterator<Item = u32>) -> bool {
        let is_listed = |pid: &u32| !is_kernel(*pid) && self.tasks.contains_key(pid);
        self.tasks.contains_key(&SYSTEM) && shown.filter(is_listed).collect::<BTreeSet<u32>>().len() >= AGREEING_TASKS
    }

    /// Whether process lists do not have a PID.
    pub(super) fn lack(&self, pid: u32) -> bool {
        !is_kernel(pid) && !self.tasks.contains_key(&pid)
    }

    /// The row of a PID that lists alone know. Where they name it differently, its name is the one with most sockets, and what a
    /// process list says under the other name is not its.
    pub(super) fn row_of(&self, pid: u32, notes: &mut Vec<String>) -> ProcessRow {
        let mut row = super::row_of(Some(pid), &Tally::default());
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
        super::name(&mut row, most.image, "netstat");
        // Only listings of one file, or of one sequence, tell which came later.
        let later = named.iter().skip(at + 1).rfind(|named| named.moments == most.moments).map(|named| named.image);
        row.pid_is_now = later.filter(|later| !is_same_image(most.image, later)).map(ToOwned::to_owned);
        row
    }

    /// Puts what the lists tell into a row.
    pub(super) fn join(&self, row: &mut ProcessRow, pid: u32, may_be_cut: bool, notes: &mut Vec<String>) {
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
                _ => super::name(row, &task.image, "tasklist"),
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
                super::name(row, listed, "netstat");
            }
            (None, Some(image)) => super::name(row, image, "netstat"),
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

/// Whether two image names are the same, one of them possibly cut.
fn same_image(known: &str, listed: &str) -> bool {
    let (known, listed) = (known.to_lowercase(), listed.to_lowercase());
    let cut_list = listed.chars().count() >= IMAGE_CUT_AT && known.starts_with(&listed);
    let cut_event = known.len() >= 14 && listed.starts_with(&known);
    known == listed || cut_list || cut_event
}
