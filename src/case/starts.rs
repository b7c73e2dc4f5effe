//! Processes that started after the sockets under their PIDs had been listed: these were another process's, which has ended.

use std::collections::{BTreeMap, BTreeSet};

use super::days::times_of_paths;
use super::machines::Told;
use super::side::SideInput;
use crate::event::image_stem;
use crate::side::facts::{ProcessName, ProcessStart, SideFacts, Taken};
use crate::side::is_later;

/// A listing takes so long at most: a process that started later has no part in it.
const LISTING_SECONDS: u32 = 60;

/// Takes the names, services and handles of such processes out of what was told; what is kept is who has the PID by now. Where
/// listings of a PID do not tell their time, or a process is older than some of them, nothing is known.
pub(super) fn settle(told: &mut [Told], inputs: &mut [SideInput]) {
    let pids: BTreeSet<u32> = told.iter().flat_map(|told| &told.facts.starts).map(|start| start.pid).collect();
    if pids.is_empty() {
        return;
    }
    let moments = moments(told, inputs, &pids);
    let is_successor = |start: &ProcessStart| {
        let moments = moments.get(&start.pid).map(Vec::as_slice).unwrap_or_default();
        let is_after =
            |taken: &Option<Taken>| taken.as_ref().is_some_and(|t| is_later(&start.started, t, LISTING_SECONDS));
        !moments.is_empty() && moments.iter().all(is_after)
    };
    let mut successors: BTreeMap<u32, String> = BTreeMap::new();
    for told in told.iter_mut() {
        let later: Vec<ProcessStart> = told.facts.starts.iter().filter(|start| is_successor(start)).cloned().collect();
        for start in later {
            let name = ProcessName { source: told.source, pid: start.pid, image: start.image.clone() };
            told.facts.successors.push(name);
            if let Some(input) = inputs.get_mut(told.source) {
                input.tell(&format!(
                    "its PID {} started at {}, after sockets had been listed under that PID: another process, which is not named for them",
                    start.pid, start.started.text
                ));
            }
            successors.insert(start.pid, start.image);
        }
    }
    told.iter_mut().for_each(|told| forget(&mut told.facts, &successors));
}

/// When sockets of these PIDs were listed; `None` for each time that is not told.
fn moments(told: &[Told], inputs: &[SideInput], pids: &BTreeSet<u32>) -> BTreeMap<u32, Vec<Option<Taken>>> {
    let mut moments: BTreeMap<u32, Vec<Option<Taken>>> = BTreeMap::new();
    for (told, of_path) in told.iter().zip(times_of_paths(told, inputs)) {
        for listing in &told.facts.listings {
            let listed: BTreeSet<u32> =
                listing.sockets.iter().filter_map(|socket| socket.pid).filter(|pid| pids.contains(pid)).collect();
            for pid in listed {
                moments.entry(pid).or_default().push(listing.taken.clone().or_else(|| of_path.clone()));
            }
        }
    }
    moments
}

/// Takes what is told of these processes out of facts.
fn forget(facts: &mut SideFacts, successors: &BTreeMap<u32, String>) {
    let is_of = |pid: u32, image: Option<&str>| {
        successors.get(&pid).is_some_and(|later| image.is_none_or(|image| image_stem(image) == image_stem(later)))
    };
    facts.tasks.retain(|task| !is_of(task.pid, Some(&task.image)));
    facts.names.retain(|name| !is_of(name.pid, Some(&name.image)));
    facts.handles.retain(|handles| !is_of(handles.pid, handles.image.as_deref()));
    facts.services.retain(|service| !is_of(service.pid, None));
}
