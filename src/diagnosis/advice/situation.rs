//! What recommendations are drawn from.

use super::widen::has_hns_blocks;
use crate::diagnosis::grounds::Grounds;
use crate::diagnosis::holders::{Holder, Pattern, excluded_in};
use crate::diagnosis::images::{ImageOutcome, name_of};
use crate::diagnosis::naming::{Destination, ProcessRow};
use crate::diagnosis::outcome::{HolderOutcome, Look};
use crate::diagnosis::pools::{PoolFinding, speaking_pool};
use crate::diagnosis::state::State;
use crate::diagnosis::suspect::Suspect;
use crate::diagnosis::system_events::is_full_outside;
use crate::diagnosis::unexplained::{UnexplainedRow, largest_share};
use crate::machine::pool_key::PoolKey;
use crate::machine::ranges::{PoolRange, RangeSource};
use crate::side::facts::{ExcludedPorts, SideFacts};
use crate::side::tasklist::Task;

/// A process as recommendations speak of it.
#[derive(Debug, Clone, Default)]
pub struct Named<'a> {
    /// `name.exe (PID 7312)`.
    pub label: String,
    /// Image name, in lower case; empty where it is not known.
    pub image: String,
    /// PID.
    pub pid: Option<u32>,
    /// Services in it.
    pub services: &'a [String],
    /// The service that owns nearly all of its sockets.
    pub service: Option<&'a str>,
    /// The image that a listing shows under its PID by now, where that is another one.
    pub now_is: Option<&'a str>,
    /// It ended before the trace did.
    pub ended: bool,
    /// The trace shows that its program was started again after that: how often, and the PID of the last one.
    pub started_again: Option<(usize, u32)>,
    /// A process list does not have its PID: one that was asked for it, or one of all processes.
    pub is_absent: bool,
    /// The PID under which a process list has its image, where the list does not have its own.
    pub runs_as: Option<u32>,
    /// Process lists have different processes under its PID.
    pub is_given_again: bool,
    /// Whether it connects to different addresses, none of them with most of its connects.
    pub goes_to_many: bool,
}

impl<'a> Named<'a> {
    fn of(row: &'a ProcessRow, label: Option<String>) -> Self {
        Self {
            label: label.unwrap_or_else(|| "an unidentified process".to_owned()),
            image: row.image.as_deref().unwrap_or("").to_lowercase(),
            pid: row.pid,
            services: &row.services,
            service: row.socket_service.as_deref(),
            now_is: row.pid_is_now.as_deref(),
            ended: row.ended.is_some(),
            started_again: None,
            is_absent: row.is_absent,
            runs_as: row.runs_as,
            is_given_again: row.is_given_again,
            goes_to_many: goes_to_many(&row.destinations),
        }
    }

    /// System and Idle stand for the kernel: they are not to be restarted, nor blamed as an application.
    pub fn is_kernel(&self) -> bool {
        self.pid.map_or(self.image.is_empty(), crate::machine::owner::is_kernel)
    }

    /// Whether it is gone: it has ended, or its PID is another process's by now.
    pub fn is_gone(&self) -> bool {
        self.ended || self.is_absent || self.runs_as.is_some() || self.now_is.is_some()
    }
}

/// A holder as recommendations speak of it.
#[derive(Debug, Clone)]
pub struct NamedHolder<'a> {
    /// The holder.
    pub holder: &'a Holder,
    /// Who.
    pub who: Named<'a>,
}

/// Processes of one image as recommendations speak of them.
#[derive(Debug, Clone)]
pub struct NamedImage<'a> {
    /// Together.
    pub image: &'a ImageOutcome,
    /// Each of them, most ports first.
    pub members: Vec<Named<'a>>,
}

/// Whom the steps are about: who is named first.
#[derive(Debug, Clone)]
pub enum Accused<'a> {
    /// A process with ports of a pool, or the kernel.
    Holder(NamedHolder<'a>),
    /// Two processes or more, none of which has many more ports than another.
    Alike(Vec<NamedHolder<'a>>),
    /// All processes of an image.
    Image(NamedImage<'a>),
    /// Two images or more, none of which has many more ports than another.
    AlikeImages(Vec<NamedImage<'a>>),
    /// Closed connections of a pool (its index), left by somebody or by nobody known.
    TimeWait(usize, Option<Named<'a>>),
    /// A process with so many sockets, of which nothing tells the ports.
    Sockets(Named<'a>, u64),
    /// Nobody.
    Nobody,
}

/// Who was found to hold ports.
#[derive(Debug, Clone, Copy)]
pub(in crate::diagnosis) struct Found<'s, 'a> {
    /// Who is named for the pool that speaks.
    pub(in crate::diagnosis) suspect: &'s Suspect,
    /// Other pools, and who is named for each.
    pub(in crate::diagnosis) others: &'s [(usize, Suspect)],
    /// Holders, most ports first.
    pub(in crate::diagnosis) holders: &'a [HolderOutcome],
    /// Images, most ports first.
    pub(in crate::diagnosis) images: &'a [ImageOutcome],
    /// Somebody made room as the failures of the pool that speaks ended.
    pub(in crate::diagnosis) is_room_made: bool,
}

/// What recommendations are drawn from.
#[derive(Debug)]
pub struct Situation<'a> {
    /// The verdict's state.
    pub state: State,
    /// The input of each trace, as the user named it.
    pub inputs: Vec<&'a str>,
    /// There is a trace, or a live session.
    pub has_trace: bool,
    /// AFD bind events seen.
    pub bind_records: u64,
    /// Pools.
    pub pools: &'a [PoolFinding],
    /// Whom the steps are about.
    pub accused: Accused<'a>,
    /// Whom they are about for other full pools: index of each.
    pub others: Vec<(usize, Accused<'a>)>,
    /// The pool that these steps are about, where there are several.
    pub pool: Option<usize>,
    /// Who has reserved most of the ports of its pool, if anybody.
    pub reserved_by: Option<String>,
    /// Excluded ranges.
    pub excluded: &'a [ExcludedPorts],
    /// A listing of sockets is there.
    pub has_listing: bool,
    /// There are listings of sockets, and each is `netstat` without `-q`.
    pub has_only_half_listings: bool,
    /// A process list is there.
    pub has_tasks: bool,
    /// Excluded ranges are there.
    pub has_excluded: bool,
    /// An event log is there.
    pub has_event_log: bool,
    /// HNS or WinNAT are at work on the server: by the ranges that are reserved, or by the services that run.
    pub has_hns: bool,
    /// Windows build, where a trace tells.
    pub os_build: Option<u32>,
    /// Somebody made room as the failures of the pool that speaks ended: who had its ports is likely to be known.
    pub is_room_made: bool,
    /// An event log says that a pool was full, at another time than that of the traces.
    pub logged_before: bool,
    /// Ports of a full pool that nothing explains, as a part of it from 0 to 1.
    pub unexplained_share: f64,
}

/// More than this part of its connects (eight in ten) go to one address: then sharing ports does not help.
const ONE_DESTINATION: (u64, u64) = (8, 10);

/// Whether a process connects to different addresses, none of them with most of its connects.
fn goes_to_many(destinations: &[Destination]) -> bool {
    let all: u64 = destinations.iter().map(|one| one.connects).sum();
    let most = destinations.iter().map(|one| one.connects).max().unwrap_or(0);
    destinations.len() > 1 && most * ONE_DESTINATION.1 <= all * ONE_DESTINATION.0
}

/// Whether a process is of the network of containers, virtual machines or WSL.
fn is_hns(task: &Task) -> bool {
    let images = [
        "vmcompute.exe",
        "vmms.exe",
        "vmwp.exe",
        "vmmem",
        "vmmemWSL",
        "wslservice.exe",
        "wslrelay.exe",
        "wslhost.exe",
        "com.docker.backend.exe",
    ];
    let services = ["hns", "vmcompute", "vmms"];
    images.iter().any(|image| task.image.eq_ignore_ascii_case(image))
        || task.services.iter().any(|name| services.iter().any(|service| name.eq_ignore_ascii_case(service)))
}

/// Whether HNS or WinNAT are at work on the server: by the ranges that are reserved, or by what runs.
pub(in crate::diagnosis) fn has_hns(side: &SideFacts) -> bool {
    has_hns_blocks(&side.excluded_ports) || side.tasks.iter().any(is_hns)
}

/// How often the program of a process that has ended was started after that, and the PID of the last of these that still runs.
fn started_again(row: &ProcessRow, rows: &[ProcessRow]) -> Option<(usize, u32)> {
    let (ended, name) = row.ended.zip(name_of(row))?;
    let is_later = |other: &&ProcessRow| {
        other.started.is_some_and(|started| started >= ended) && name_of(other).as_ref() == Some(&name)
    };
    let later = || rows.iter().filter(is_later);
    let runs = later().filter(|other| other.ended.is_none()).max_by_key(|other| other.started)?;
    Some((later().count(), runs.pid?))
}

/// Whom the steps are about. DNS Server's pool of sockets is no fault.
fn accused<'a>(
    grounds: &Grounds<'a>,
    suspect: &Suspect,
    holders: &'a [HolderOutcome],
    images: &'a [ImageOutcome],
) -> Accused<'a> {
    let rows = grounds.rows;
    let named = |process: usize| {
        let row = rows.rows.get(process)?;
        Some(Named { started_again: started_again(row, &rows.rows), ..Named::of(row, rows.label_of(process)) })
    };
    let holder = |index: usize| {
        let outcome = holders.get(index).filter(|outcome| outcome.look != Look::DnsPool)?;
        Some(NamedHolder { holder: &outcome.holder, who: named(outcome.process)? })
    };
    let image = |index: usize| {
        let image = images.get(index)?;
        let process = |holder: &usize| holders.get(*holder).map(|outcome| outcome.process);
        let members = image.holders.iter().filter_map(process).filter_map(named).collect();
        Some(NamedImage { image, members })
    };
    let found = match *suspect {
        Suspect::Process(index) | Suspect::Kernel(index) => holder(index).map(Accused::Holder),
        Suspect::Processes(ref all) => Some(Accused::Alike(all.iter().filter_map(|index| holder(*index)).collect())),
        Suspect::Image(index) => image(index).map(Accused::Image),
        Suspect::Images(ref all) => Some(Accused::AlikeImages(all.iter().filter_map(|index| image(*index)).collect())),
        Suspect::TimeWait(waiting) => Some(Accused::TimeWait(waiting.pool, waiting.made_by.and_then(named))),
        Suspect::Sockets(sockets) => named(sockets.process).map(|who| Accused::Sockets(who, sockets.sockets)),
        Suspect::NotShown | Suspect::Nobody => None,
    };
    found.unwrap_or(Accused::Nobody)
}

impl<'a> Situation<'a> {
    /// Gathers it, for a case whose state is this and of whose full pools so much is unexplained.
    pub(in crate::diagnosis) fn gather(
        grounds: &Grounds<'a>,
        state: State,
        unexplained: Option<&[UnexplainedRow]>,
        found: Found<'_, 'a>,
    ) -> Self {
        let Found { suspect, others, holders, images, is_room_made } = found;
        let Grounds { traces, side, conclusion, rows, .. } = *grounds;
        let is_reservation = |holder: &&Holder| holder.pattern == Some(Pattern::Reservation);
        let reserved = conclusion.holders.iter().find(is_reservation);
        let is_full = |(pool, _): &&(usize, Suspect)| {
            conclusion.pools.get(*pool).is_some_and(|pool| pool.state == Some(State::Exhausted))
        };
        let full: Vec<&(usize, Suspect)> = others.iter().filter(is_full).collect();
        Self {
            state,
            inputs: traces.iter().filter(|trace| trace.is_file).map(|trace| trace.input.as_str()).collect(),
            has_trace: !traces.is_empty(),
            bind_records: grounds.bind_records(),
            pools: &conclusion.pools,
            accused: accused(grounds, suspect, holders, images),
            others: full.iter().map(|(pool, suspect)| (*pool, accused(grounds, suspect, holders, images))).collect(),
            pool: speaking_pool(&conclusion.pools).filter(|_| !full.is_empty()),
            reserved_by: reserved.and_then(|holder| rows.label(holder.subject)),
            excluded: &side.excluded_ports,
            has_listing: !side.listings.is_empty(),
            has_only_half_listings: conclusion.pools.iter().any(PoolFinding::hides_bound)
                && !conclusion.pools.iter().any(|pool| pool.listing.is_some_and(|listing| listing.has_bound)),
            has_tasks: !side.tasks.is_empty(),
            has_excluded: grounds.has_excluded_listing(),
            has_event_log: grounds.has_event_log(),
            has_hns: has_hns(side),
            os_build: grounds.speaking().find_map(|trace| trace.summary.os_build),
            is_room_made,
            logged_before: is_full_outside(grounds.events),
            unexplained_share: largest_share(conclusion, unexplained),
        }
    }

    /// Whether a capture would tell what nothing here does: there is no Winsock-AFD event, or the log tells of a shortage at
    /// another time.
    pub(super) fn is_capture_due(&self) -> bool {
        self.bind_records == 0 || (self.state == State::NotSeen && self.logged_before)
    }

    /// Whether listings exclude any of these ports from a pool.
    pub(super) fn has_excluded_in(&self, key: PoolKey, start: u16, count: u32) -> bool {
        let range = PoolRange { start, count, source: RangeSource::Default };
        !excluded_in(self.excluded, key, range).is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_with_most_connects_is_not_many() {
        let to = |connects: &[u64]| {
            let one = |connects: &u64| Destination { remote: String::new(), connects: *connects };
            goes_to_many(&connects.iter().map(one).collect::<Vec<_>>())
        };
        assert!(to(&[50, 40]) && to(&[80, 20]));
        assert!(!to(&[90, 10]) && !to(&[100]) && !to(&[]));
    }
}
