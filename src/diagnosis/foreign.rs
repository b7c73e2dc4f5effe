//! Listings of another machine or another time: known by what they contradict, and set aside.

use std::collections::{BTreeMap, BTreeSet};

use super::holders::{is_same_image, last_of_pid};
use super::pools::PoolFinding;
use crate::case::SideInput;
use crate::machine::Findings;
use crate::machine::owner::is_kernel;
use crate::machine::pool_key::PoolKey;
use crate::machine::processes::Process;
use crate::machine::ranges::RangeSource;
use crate::net::{Family, Protocol};
use crate::side::facts::{ExcludedPorts, SideFacts, SocketListing, SourceId, TcpState};
use crate::side::tasklist::Task;
use crate::side::{Kind, is_before};
use crate::words::grouped;

/// So many PIDs with other images show that a list is of another machine or time, if more of them differ than agree. One or two
/// are PIDs that were given to other processes meanwhile.
const OTHER_IMAGES: usize = 3;

/// So many ports must be known in trace and listing to be compared.
const COMPARED_PORTS: usize = 16;

/// How many agree, and how many differ.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Agreement {
    same: usize,
    other: usize,
}

impl Agreement {
    fn count(&mut self, is_same: bool) {
        *(if is_same { &mut self.same } else { &mut self.other }) += 1;
    }

    fn is_other_machine(self) -> bool {
        self.other > self.same && (self.other >= OTHER_IMAGES || (self.same == 0 && self.other >= 2))
    }

    fn is_same_machine(self) -> bool {
        self.same >= OTHER_IMAGES && self.same > self.other
    }

    fn is_other_holder(self) -> bool {
        self.same + self.other >= COMPARED_PORTS && self.other > self.same
    }

    fn is_same_holder(self) -> bool {
        self.same + self.other >= COMPARED_PORTS && self.same > self.other
    }
}

/// How a listing and the trace agree.
#[derive(Debug, Clone, Copy)]
struct Compared {
    /// Images of PIDs that both know.
    images: Agreement,
    /// Holders of ports that both know.
    holders: Agreement,
}

impl Compared {
    /// Whether the listing gives ports to those who hold them by the trace.
    fn agrees(self) -> bool {
        !self.images.is_other_machine() && self.holders.is_same_holder()
    }

    /// How the listing contradicts the trace, if it does.
    fn contradiction(self) -> Option<String> {
        let Self { images, holders } = self;
        if images.is_other_machine() {
            return Some(other_images(images));
        }
        holders.is_other_holder().then(|| {
            let (other, all) = (grouped(holders.other as u64), grouped((holders.same + holders.other) as u64));
            format!("{other} of {all} ports that the trace also knows belong to other processes there")
        })
    }
}

/// Listings that contradict the trace.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Foreign {
    /// Listings.
    pub listings: u64,
    /// Of these, listings of the same machine: other lists agree with the trace, so they are from another time.
    pub of_other_time: u64,
}

/// Takes listings that contradict the trace out of the facts, and says so at their side inputs. How many these are.
pub(super) fn set_aside(findings: &Findings, side: &mut SideFacts, inputs: &mut [SideInput]) -> Foreign {
    let trace = Trace::new(findings);
    forget_older(findings, side, inputs);
    let mut of_other_time = 0;
    let mut set_aside = 0;
    let tasks = trace.images(side.tasks.iter().map(|task| (task.pid, task.image.as_str())));
    if tasks.is_other_machine() {
        side.tasks.clear();
        set_aside += 1;
        let of_list = inputs.iter_mut().filter(|input| input.used && input.kind == Kind::Tasklist.name());
        of_list.for_each(|input| note(input, &other_images(tasks)));
    } else if tasks.other > 0 {
        let of_list = inputs.iter_mut().filter(|input| input.used && input.kind == Kind::Tasklist.name());
        of_list.for_each(|input| input.tell(&format!("{}: these rows are not counted", other_images(tasks))));
    }
    let mut foreign: BTreeMap<SourceId, (String, bool)> = BTreeMap::new();
    let compared: Vec<(&SocketListing, Compared)> =
        side.listings.iter().map(|listing| (listing, trace.compare(listing))).collect();
    // A loop that began while the trace ran shows what became of the ports.
    let agreeing: BTreeSet<SourceId> =
        compared.iter().filter(|(_, compared)| compared.agrees()).map(|(listing, _)| listing.moments()).collect();
    for (listing, compared) in compared.iter().filter(|(listing, _)| !agreeing.contains(&listing.moments())) {
        if let Some(why) = compared.contradiction() {
            let by_tasks = || tasks.is_same_machine() && agrees_with_tasks(listing, &side.tasks);
            let images = compared.images;
            let is_of_machine = !images.is_other_machine() && (images.is_same_machine() || by_tasks());
            foreign.entry(listing.source).or_insert((why, is_of_machine));
        }
    }
    for (source, (why, is_of_machine)) in &foreign {
        side.listings.retain(|listing| listing.source != *source);
        set_aside += 1;
        of_other_time += u64::from(*is_of_machine);
        match inputs.get_mut(*source) {
            Some(input) if *is_of_machine => input.tell(&format!("{why}: it is from another time, and not counted")),
            Some(input) => note(input, why),
            None => {}
        }
    }
    for handles in [&mut side.afd_handles, &mut side.handles] {
        let mut sources: Vec<SourceId> = handles.iter().map(|handles| handles.source).collect();
        sources.dedup();
        for source in sources {
            let of_source = handles.iter().filter(|handles| handles.source == source);
            let images = of_source.filter_map(|handles| Some((handles.pid, handles.image.as_deref()?)));
            let agreement = trace.images(images);
            if agreement.is_other_machine() {
                handles.retain(|handles| handles.source != source);
                set_aside += 1;
                if let Some(input) = inputs.get_mut(source) {
                    note(input, &other_images(agreement));
                }
            }
        }
    }
    let exclusions = set_exclusions_aside(findings, side, inputs);
    set_aside += findings.span.map_or(0, |_| exclusions);
    Foreign { listings: set_aside, of_other_time }
}

/// Takes excluded ranges out of the facts that cannot be: Windows gave out ports of one in the trace, or most of one that no
/// administrator set is in use. With all others of their files; how many files these are.
fn set_exclusions_aside(findings: &Findings, side: &mut SideFacts, inputs: &mut [SideInput]) -> u64 {
    if side.excluded_ports.is_empty() {
        return 0;
    }
    let in_use = ports_in_use(findings, &side.listings);
    let is_refuted = |ports: &ExcludedPorts| {
        let excluded = ports.start..=ports.end;
        let half = usize::from(ports.end.saturating_sub(ports.start)) / 2;
        let is_refuted_by = |(key, in_use): (&PoolKey, &BTreeSet<u16>)| {
            let given = findings.world.ports.pools.get(key.index()).and_then(|pool| pool.given);
            let is_given = given.is_some_and(|(first, last)| excluded.contains(&first) || excluded.contains(&last));
            let count = in_use.iter().filter(|port| excluded.contains(port)).count();
            let is_most = !ports.administered && count > half;
            count >= COMPARED_PORTS && (is_given || is_most)
        };
        let is_of_pool = |key: &PoolKey| {
            key.protocol == Some(ports.protocol)
                && key.family.is_some_and(|family| ports.family.is_none_or(|told| told == family))
        };
        in_use.iter().filter(|(key, _)| is_of_pool(key)).any(is_refuted_by)
    };
    let refuted: BTreeSet<SourceId> =
        side.excluded_ports.iter().filter(|ports| is_refuted(ports)).map(|ports| ports.source).collect();
    side.excluded_ports.retain(|ports| !refuted.contains(&ports.source));
    for source in &refuted {
        if let Some(input) = inputs.get_mut(*source) {
            note(input, "ports are in use that it says are excluded");
        }
    }
    refuted.len() as u64
}

/// The ports of the machine's own pools that sockets hold at the end of the trace, or listings show in use.
fn ports_in_use(findings: &Findings, listings: &[SocketListing]) -> BTreeMap<PoolKey, BTreeSet<u16>> {
    let mut in_use: BTreeMap<PoolKey, BTreeSet<u16>> = BTreeMap::new();
    let held = findings.sockets.held().filter(|hold| hold.pool.compartment.is_own());
    for (pool, port) in held.filter_map(|hold| Some((hold.pool, hold.port?))) {
        in_use.entry(pool).or_default().insert(port);
    }
    let owned = listings.iter().flat_map(|listing| &listing.sockets);
    for socket in owned.filter(|socket| socket.pid.is_some_and(|pid| pid != 0)) {
        if let Some((family, local)) = socket.family.zip(socket.local) {
            in_use.entry(PoolKey::new(socket.protocol, family)).or_default().insert(local.port);
        }
    }
    in_use
}

/// Takes out process lists that are older than the trace, where all tell their times: what they do not have, or have under another
/// PID, has not ended since.
fn forget_older(findings: &Findings, side: &mut SideFacts, inputs: &mut [SideInput]) {
    let Some((start, _)) = findings.span else { return };
    let dated: BTreeSet<SourceId> = side.lists_taken.iter().map(|(source, _)| *source).collect();
    let is_list = |input: &SideInput| input.used && input.kind == Kind::Tasklist.name();
    let are_dated = inputs.iter().enumerate().all(|(source, input)| !is_list(input) || dated.contains(&source));
    if dated.is_empty() || !are_dated || !side.lists_taken.iter().all(|(_, taken)| is_before(taken, start)) {
        return;
    }
    side.tasks.clear();
    side.absent.clear();
    for input in inputs.iter_mut().filter(|input| is_list(input)) {
        input.tell("it was taken before the trace began, when a PID may have been another process's: not counted");
    }
}

/// Whether most processes of a listing are in a process list: by PID and image, or where it names no images, by PID alone.
fn agrees_with_tasks(listing: &SocketListing, tasks: &[Task]) -> bool {
    let tasks: BTreeMap<u32, &str> = tasks.iter().map(|task| (task.pid, task.image.as_str())).collect();
    let pids: BTreeSet<u32> = listing.sockets.iter().filter_map(|socket| socket.pid).collect();
    let (mut by_image, mut by_pid) = (Agreement::default(), Agreement::default());
    for pid in pids.into_iter().filter(|pid| !is_kernel(*pid)) {
        let image = listing.owners.get(&pid).and_then(|owner| owner.image.as_deref());
        match (tasks.get(&pid), image) {
            (Some(task), Some(image)) => by_image.count(is_same_image(task, image)),
            (task, _) => by_pid.count(task.is_some()),
        }
    }
    let other = by_image.other + by_pid.other;
    other < by_image.same + by_pid.same && (by_image.same > 0 || by_pid.is_same_machine())
}

fn note(input: &mut SideInput, why: &str) {
    input.tell(&format!("{why}: it is from another machine or time, and not counted"));
}

/// Notes at listings of port ranges that known ports refute them.
pub(super) fn note_refuted(pools: &[PoolFinding], inputs: &mut [SideInput]) {
    let refuted = |pool: &PoolFinding| {
        let told = pool.refuted.filter(|told| told.source == RangeSource::DynamicPortFile)?;
        let (first, last) = pool.known?;
        Some(format!(
            "ports from {first} to {last} are in use, but it says {} to {} for {}: it is from another time or machine, and nothing is counted against it",
            told.start,
            told.end(),
            pool.name()
        ))
    };
    let mut notes: Vec<String> = pools.iter().filter_map(refuted).collect();
    notes.dedup();
    for input in inputs.iter_mut().filter(|input| input.used && input.kind == Kind::DynamicPort.name()) {
        notes.iter().for_each(|note| input.tell(note));
    }
}

fn other_images(agreement: Agreement) -> String {
    let (other, all) = (grouped(agreement.other as u64), grouped((agreement.same + agreement.other) as u64));
    format!("{other} of {all} PIDs that the trace also knows belong to other programs there")
}

/// What the trace knows at its end.
struct Trace<'a> {
    /// Images of the processes that ran then.
    images: BTreeMap<u32, &'a str>,
    /// Whose the ports are that sockets hold then: indexes of processes.
    holders: BTreeMap<(Protocol, Family, u16), usize>,
    /// Who binds or connects sockets that another process created: creator and user.
    users: BTreeSet<(usize, usize)>,
    processes: &'a [Process],
}

impl<'a> Trace<'a> {
    fn new(findings: &'a Findings) -> Self {
        let table = &findings.world.processes;
        let processes = table.processes();
        let image = |(pid, index): (u32, usize)| {
            let (image, _) = processes.get(index)?.image()?;
            (!is_kernel(pid)).then_some((pid, image))
        };
        let images = last_of_pid(processes).into_iter().filter_map(image).collect();
        let held = |hold: &crate::machine::hold::Hold| {
            let PoolKey { protocol, family, compartment } = hold.pool;
            let holder = table.settled(hold.owner)?;
            compartment.is_own().then_some(((protocol?, family?, hold.port?), holder))
        };
        let users = findings.world.ports.users.iter();
        let users = users.map(|((creator, user), _)| (table.index(creator), table.index(user))).collect();
        Self { images, holders: findings.sockets.held().filter_map(held).collect(), users, processes }
    }

    /// Whether a listing means this process by a PID: one of another image is another process.
    fn is_meant(&self, index: usize, pid: u32, listing: &SocketListing) -> bool {
        let listed = listing.owners.get(&pid).and_then(|owner| owner.image.as_deref());
        self.processes.get(index).filter(|process| process.pid == pid).is_some_and(|process| {
            let known = process.image().map(|(image, _)| image);
            known.zip(listed).is_none_or(|(known, listed)| is_same_image(known, listed))
        })
    }

    /// Whether a listing gives a port to its holder, or to a process that uses the holder's sockets.
    fn is_holder(&self, holder: usize, pid: u32, listing: &SocketListing) -> bool {
        let mut users = self.users.range((holder, 0)..=(holder, usize::MAX)).map(|(_, user)| *user);
        self.is_meant(holder, pid, listing) || users.any(|user| self.is_meant(user, pid, listing))
    }

    /// Compares the images of PIDs.
    fn images<'l>(&self, listed: impl Iterator<Item = (u32, &'l str)>) -> Agreement {
        let mut agreement = Agreement::default();
        // A PID that is listed twice counts once.
        let listed: BTreeMap<u32, &str> = listed.collect();
        for (pid, listed) in listed {
            if let Some(known) = self.images.get(&pid) {
                agreement.count(is_same_image(known, listed));
            }
        }
        agreement
    }

    /// Compares the images that a listing names, and whose the ports are that both know.
    fn compare(&self, listing: &SocketListing) -> Compared {
        let owners = listing.owners.iter().filter_map(|(pid, owner)| Some((*pid, owner.image.as_deref()?)));
        let images = self.images(owners);
        let mut holders = Agreement::default();
        for socket in &listing.sockets {
            let (Some(local), Some(family), Some(pid)) = (socket.local, socket.family, socket.pid) else { continue };
            if socket.state == Some(TcpState::TimeWait) || is_kernel(pid) {
                continue;
            }
            if let Some(known) = self.holders.get(&(socket.protocol, family, local.port)) {
                holders.count(self.is_holder(*known, pid, listing));
            }
        }
        Compared { images, holders }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_contradictions_are_pids_that_were_given_again() {
        let agreement = |same, other| Agreement { same, other };
        assert!(agreement(0, 2).is_other_machine() && agreement(2, 3).is_other_machine());
        assert!(!agreement(0, 1).is_other_machine() && !agreement(1, 2).is_other_machine());
        assert!(!agreement(40, 3).is_other_machine());
        assert!(agreement(3, 13).is_other_holder() && !agreement(0, 15).is_other_holder());
    }
}
