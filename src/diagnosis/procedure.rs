//! The classic procedure, by hand, in one table: sockets in BOUND, CLOSE_WAIT and TIME_WAIT, and handles, for each process.
//!
//! Source: Microsoft's page "Troubleshoot port exhaustion issues", its three methods to find the holder.

use std::collections::BTreeMap;

use serde::Serialize;

use super::codes::Remark;
use super::holders::{Subject, is_same_image, last_of_pid};
use super::listings::{Who, images_without_pid, last_moments};
use super::naming::{Rows, given_again};
use crate::event::base_name;
use crate::machine::Findings;
use crate::machine::processes::Process;
use crate::net::Protocol;
use crate::side::facts::{HandleCount, ListedOwner, SideFacts, SocketListing, TcpState};
use crate::side::tasklist::IMAGE_CUT_AT;

/// Sockets by state, and handles, of one process as the last listing of each file shows them; where several files list a
/// process, the larger counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ProcedureRow {
    /// Process id; `None` for sockets whose owner is not listed.
    pub pid: Option<u32>,
    /// Index into the processes of the report, where it has a row there.
    pub process: Option<usize>,
    /// Base name of its image.
    pub image: Option<String>,
    /// Services that a listing without PIDs names beside the image.
    pub services: Vec<String>,
    /// TCP sockets that are bound and nothing else.
    pub bound: u32,
    /// TCP sockets in CLOSE_WAIT: the other side has closed, the process has not.
    pub close_wait: u32,
    /// TCP sockets in TIME_WAIT.
    pub time_wait: u32,
    /// Connected TCP sockets.
    pub established: u32,
    /// Listening TCP sockets.
    pub listening: u32,
    /// TCP sockets in any other state.
    pub other_tcp: u32,
    /// UDP endpoints.
    pub udp: u32,
    /// Handles of any kind, where listed.
    pub handles: Option<u64>,
    /// Handles of sockets, where listed.
    pub afd_handles: Option<u64>,
    /// What the procedure would remark.
    pub remarks: Vec<Remark>,
}

impl ProcedureRow {
    /// Whether the procedure would look at it: it has sockets in one of its three states, handles of sockets, or a remark.
    pub fn is_notable(&self) -> bool {
        self.bound.max(self.close_wait).max(self.time_wait) > 0
            || self.afd_handles.is_some()
            || !self.remarks.is_empty()
    }
}

/// Rows that are kept, those with most ports and handles. A server has a few hundred processes.
const MAX_ROWS: usize = 500;

/// Handles from which on the procedure looks at a process, and from which on it calls it suspicious.
const MANY_HANDLES: u64 = 3_000;
const TOO_MANY_HANDLES: u64 = 10_000;
/// Sockets that a process has as handles: hundreds are abnormal, says the procedure.
const MANY_AFD_HANDLES: u64 = 500;

/// Processes that have many handles at all times: the procedure exempts System, lsass and database engines (it names those
/// of Exchange and SQL Server).
const EXEMPT: [&str; 8] =
    ["system", "lsass", "store", "microsoft.exchange.store.worker", "sqlservr", "oracle", "postgres", "mysqld"];

/// Sockets of one process in each state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct States {
    bound: u32,
    close_wait: u32,
    time_wait: u32,
    established: u32,
    listening: u32,
    other_tcp: u32,
    udp: u32,
}

impl States {
    fn slot(&mut self, protocol: Protocol, state: Option<&TcpState>) -> &mut u32 {
        match (protocol, state) {
            (Protocol::Udp, _) => &mut self.udp,
            (_, Some(TcpState::Bound)) => &mut self.bound,
            (_, Some(TcpState::CloseWait)) => &mut self.close_wait,
            (_, Some(TcpState::TimeWait)) => &mut self.time_wait,
            (_, Some(TcpState::Established)) => &mut self.established,
            (_, Some(TcpState::Listen)) => &mut self.listening,
            _ => &mut self.other_tcp,
        }
    }

    /// Of each state the larger count: two tools that list the same sockets must not count them twice.
    fn larger(self, other: Self) -> Self {
        Self {
            bound: self.bound.max(other.bound),
            close_wait: self.close_wait.max(other.close_wait),
            time_wait: self.time_wait.max(other.time_wait),
            established: self.established.max(other.established),
            listening: self.listening.max(other.listening),
            other_tcp: self.other_tcp.max(other.other_tcp),
            udp: self.udp.max(other.udp),
        }
    }

    /// What the procedure looks for.
    fn suspicious(&self) -> u32 {
        self.bound.saturating_add(self.close_wait).saturating_add(self.time_wait)
    }
}

/// Fewer handles of sockets are usual where no pool is known to be full.
const NOTABLE_HANDLES: u64 = 1_000;

/// Index of the process with most handles of sockets, of equals the first, if that is as many as ports may run out by.
pub(crate) fn most_handles(rows: &[ProcedureRow]) -> Option<usize> {
    let handles = rows.iter().enumerate().filter_map(|(index, row)| Some((index, row.afd_handles?)));
    let most = handles.rev().max_by_key(|(_, handles)| *handles)?;
    (most.1 >= NOTABLE_HANDLES).then_some(most.0)
}

/// The rows, those first whose sockets or handles are most suspicious.
pub(crate) fn rows(findings: &Findings, side: &SideFacts, rows: &Rows) -> Vec<ProcedureRow> {
    let states = states(&side.listings);
    let (handles, afd_handles) = (by_pid(&side.handles), by_pid(&side.afd_handles));
    let images = images_without_pid(&side.listings);
    let mut keys: Vec<Key<'_>> = states.keys().copied().collect();
    keys.extend(handles.keys().chain(afd_handles.keys()).map(|pid| (Some(*pid), None)));
    keys.sort_unstable();
    keys.dedup();
    let listed = listed_images(&side.listings);
    let mut names = names(findings, side, &listed);
    let processes = findings.world.processes.processes();
    let last = last_of_pid(processes);
    // Of a PID that process lists give to different processes, where nothing else tells which is meant, no name is known.
    let doubtful = given_again(&side.tasks).into_keys();
    for pid in doubtful.filter(|pid| !listed.contains_key(pid) && !last.contains_key(pid)) {
        names.remove(&pid);
    }
    let row = |key: Key<'_>| {
        let (pid, owner) = key;
        let states = states.get(&key).copied().unwrap_or_default();
        let of = |counts: &BTreeMap<u32, u64>| pid.and_then(|pid| counts.get(&pid).copied());
        let known = pid.and_then(|pid| names.get(&pid).copied());
        let image = known.or(owner.and_then(|owner| owner.image.as_deref())).map(|image| base_name(image).to_owned());
        let of_image = || {
            let number = images.binary_search(&owner?).ok()?;
            u32::try_from(number).ok().map(Subject::Image)
        };
        let of_pid = |pid: u32| {
            let index = last.get(&pid).filter(|index| {
                processes.get(**index).is_some_and(|process| may_be_listed(process, listed.get(&pid).copied()))
            });
            index.map_or(Subject::Listed(pid), |index| Subject::Process(*index))
        };
        let subject = pid.map(of_pid).or_else(of_image);
        let (handles, afd_handles) = (of(&handles), of(&afd_handles));
        ProcedureRow {
            process: subject.and_then(|subject| rows.index.get(&subject).copied()),
            remarks: remarks(pid, image.as_deref(), handles, afd_handles),
            pid,
            image,
            services: owner.map(|owner| owner.services.clone()).unwrap_or_default(),
            bound: states.bound,
            close_wait: states.close_wait,
            time_wait: states.time_wait,
            established: states.established,
            listening: states.listening,
            other_tcp: states.other_tcp,
            udp: states.udp,
            handles,
            afd_handles,
        }
    };
    let mut all: Vec<(u32, ProcedureRow)> =
        keys.into_iter().map(|key| (states.get(&key).map_or(0, States::suspicious), row(key))).collect();
    // Stable: equals stay in the order of their PIDs.
    all.sort_by_key(|(suspicious, row)| {
        std::cmp::Reverse((*suspicious, row.afd_handles.unwrap_or(0), row.handles.unwrap_or(0)))
    });
    all.truncate(MAX_ROWS);
    all.into_iter().map(|(_, row)| row).collect()
}

/// A process, or an image whose PID no listing tells.
type Key<'a> = (Option<u32>, Option<&'a ListedOwner>);

/// Sockets at the last moment of each file; where several listings have a process, the larger counts.
fn states(listings: &[SocketListing]) -> BTreeMap<Key<'_>, States> {
    let mut all: BTreeMap<Key<'_>, States> = BTreeMap::new();
    let mut images: BTreeMap<Key<'_>, &str> = BTreeMap::new();
    for listing in last_moments(listings) {
        let mut here: BTreeMap<Who, States> = BTreeMap::new();
        for socket in &listing.sockets {
            let slot = here.entry(Who::of(socket)).or_default().slot(socket.protocol, socket.state.as_ref());
            *slot = slot.saturating_add(socket.count);
        }
        for (who, states) in here {
            let image = match who {
                Who::Pid(pid) => listing.owners.get(&pid).and_then(|owner| owner.image.as_deref()),
                Who::Image(_) | Who::Nobody => None,
            };
            let key = match who {
                Who::Pid(pid) => (Some(pid), None),
                Who::Image(image) => (None, usize::try_from(image).ok().and_then(|image| listing.images.get(image))),
                Who::Nobody => (None, None),
            };
            let known = all.entry(key).or_default();
            let before = image.and_then(|image| images.insert(key, image));
            // Sockets of another process that had the PID are none of this one.
            let is_other = before.zip(image).is_some_and(|(one, other)| !is_same_image(one, other));
            *known = if is_other { states } else { known.larger(states) };
        }
    }
    all
}

fn by_pid(counts: &[HandleCount]) -> BTreeMap<u32, u64> {
    let mut by_pid: BTreeMap<u32, u64> = BTreeMap::new();
    for count in counts {
        let known = by_pid.entry(count.pid).or_default();
        *known = (*known).max(count.count);
    }
    by_pid
}

/// The image that the last listing of sockets which names one has for each PID.
fn listed_images(listings: &[SocketListing]) -> BTreeMap<u32, &str> {
    let owners = listings.iter().flat_map(|listing| &listing.owners);
    owners.filter_map(|(pid, owner)| Some((*pid, owner.image.as_deref()?))).collect()
}

/// Whether a process of the trace may be the one that a listing shows with its PID, under this name if it tells one.
fn may_be_listed(process: &Process, listed: Option<&str>) -> bool {
    let named = process.image().map(|(image, _)| image);
    listed.zip(named).is_none_or(|(listed, named)| is_same_image(listed, named))
}

/// Names of PIDs. What the listing that is told says itself goes before what lists and traces of other moments say.
fn names<'a>(findings: &'a Findings, side: &'a SideFacts, listed: &BTreeMap<u32, &'a str>) -> BTreeMap<u32, &'a str> {
    let mut names: BTreeMap<u32, &str> = side.tasks.iter().map(|task| (task.pid, task.image.as_str())).collect();
    for (pid, image) in listed {
        let known = names.entry(*pid).or_insert(image);
        // Process lists cut long names.
        if !is_same_image(known, image) || (known.chars().count() == IMAGE_CUT_AT && image.len() > known.len()) {
            *known = image;
        }
    }
    for count in side.handles.iter().chain(&side.afd_handles) {
        if let Some(image) = &count.image {
            names.entry(count.pid).or_insert(image);
        }
    }
    for name in &side.names {
        names.entry(name.pid).or_insert(&name.image);
    }
    for process in findings.world.processes.processes().iter().filter(|process| process.lasts()) {
        if let Some((image, _)) = process.image().filter(|_| may_be_listed(process, listed.get(&process.pid).copied()))
        {
            names.insert(process.pid, image);
        }
    }
    names
}

fn remarks(pid: Option<u32>, image: Option<&str>, handles: Option<u64>, afd_handles: Option<u64>) -> Vec<Remark> {
    let mut remarks = Vec::new();
    // PowerShell names processes without the ending.
    let name = image.map(str::to_ascii_lowercase).unwrap_or_default();
    let is_exempt = pid == Some(4) || EXEMPT.contains(&name.strip_suffix(".exe").unwrap_or(&name));
    let handles = handles.unwrap_or(0);
    match handles {
        _ if is_exempt && handles > MANY_HANDLES => remarks.push(Remark::HandlesExempt),
        _ if handles > TOO_MANY_HANDLES => remarks.push(Remark::HandlesOver10000),
        _ if handles > MANY_HANDLES => remarks.push(Remark::HandlesOver3000),
        _ => {}
    }
    if afd_handles.unwrap_or(0) > MANY_AFD_HANDLES {
        remarks.push(Remark::ManyAfdHandles);
    }
    remarks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Analysis;
    use crate::side::facts::ListedSocket;

    fn socket(state: TcpState, pid: u32) -> ListedSocket {
        ListedSocket {
            protocol: Protocol::Tcp,
            family: None,
            local: None,
            remote: None,
            state: Some(state),
            pid: Some(pid),
            count: 1,
            image: None,
            port_alone: None,
        }
    }

    fn handles(pid: u32, image: &str, count: u64) -> HandleCount {
        HandleCount { source: 0, pid, image: Some(image.to_owned()), count }
    }

    #[test]
    fn states_of_the_last_listing_and_thresholds_with_their_exemptions() {
        let asked = Some("netstat -anoq".to_owned());
        let listing =
            |source, sockets| SocketListing { source, asked: asked.clone(), sockets, ..SocketListing::default() };
        let side = SideFacts {
            listings: vec![
                listing(0, vec![socket(TcpState::Bound, 7); 90]),
                listing(
                    0,
                    vec![socket(TcpState::Bound, 7), socket(TcpState::CloseWait, 7), socket(TcpState::TimeWait, 0)],
                ),
                listing(1, vec![socket(TcpState::Bound, 7), socket(TcpState::Bound, 7)]),
            ],
            handles: vec![
                handles(7, "leaky.exe", 3_001),
                handles(8, "huge.exe", 10_001),
                handles(9, "sqlservr.exe", 90_000),
                handles(744, "lsass", 3_123),
                handles(10, "small.exe", 3_000),
            ],
            afd_handles: vec![handles(7, "leaky.exe", 501)],
            ..SideFacts::default()
        };
        let rows = rows(&<Analysis>::default().finish(), &side, &Rows::default());
        let of = |pid| rows.iter().find(|row| row.pid == Some(pid)).unwrap();
        assert_eq!((of(7).bound, of(7).close_wait, of(7).established), (2, 1, 0));
        assert_eq!(of(7).remarks, [Remark::HandlesOver3000, Remark::ManyAfdHandles]);
        assert_eq!(of(7).image.as_deref(), Some("leaky.exe"));
        assert_eq!(of(8).remarks, [Remark::HandlesOver10000]);
        assert_eq!(of(9).remarks, [Remark::HandlesExempt]);
        assert!(of(10).remarks.is_empty());
        assert_eq!((of(0).time_wait, rows[0].pid), (1, Some(7)));
    }
}
