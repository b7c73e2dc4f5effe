//! Process lists of another time than all sockets: by then a PID may be another process's.

use std::collections::BTreeSet;

use super::machines::Told;
use super::side::SideInput;
use super::stamps::{Day, day, stamp};
use crate::side::facts::{ProcessStart, SideFacts, Taken};
use crate::side::is_later;

/// A list that is further from all sockets does not name who has them.
const FAR_SECONDS: u32 = 3_600;

/// Leaves out lists of another day than all sockets, by the names of files, and those that are an hour or more from all of them, by
/// the times above them or in their names.
pub(super) fn settle(told: &mut [Told], inputs: &mut [SideInput]) {
    settle_days(told, inputs);
    settle_times(told, inputs);
}

/// Leaves out lists whose names tell a day on which no listing of sockets was taken, where all of these tell theirs.
fn settle_days(told: &mut [Told], inputs: &mut [SideInput]) {
    let paths: Vec<&str> = told.iter().filter_map(|told| inputs.get(told.source)).map(|input| &*input.path).collect();
    let common = common_folder(&paths);
    // What all lie in may be named after the day of a ticket.
    let day_of = |told: &Told| day(inputs.get(told.source)?.path.get(common..)?);
    let with_sockets = told.iter().filter(|told| !told.facts.listings.is_empty());
    let Some(days) = with_sockets.map(day_of).collect::<Option<BTreeSet<Day>>>().filter(|days| !days.is_empty()) else {
        return;
    };
    let others: Vec<Option<Day>> = told
        .iter()
        .map(|told| day_of(told).filter(|day| names_processes(&told.facts) && !days.contains(day)))
        .collect();
    let text = |[year, month, day]: &Day| format!("{year}-{month:02}-{day:02}");
    let of_sockets: Vec<String> = days.iter().map(text).collect();
    for (told, other) in told.iter_mut().zip(&others) {
        let Some(other) = other else { continue };
        forget(&mut told.facts, &BTreeSet::new());
        if let Some(input) = inputs.get_mut(told.source) {
            input.leave_out(&format!(
                "by its name it is of {}, and the sockets are of {}: a PID may be another process's by then; not used",
                text(other),
                of_sockets.join(", ")
            ));
        }
    }
}

/// Leaves out lists that were taken long before or after all sockets, where all tell their times.
fn settle_times(told: &mut [Told], inputs: &mut [SideInput]) {
    let of_paths = times_of_paths(told, inputs);
    let listings =
        told.iter().zip(&of_paths).flat_map(|(told, path)| told.facts.listings.iter().map(move |of| (of, path)));
    let times = listings.map(|(listing, path)| listing.taken.clone().or_else(|| path.clone()));
    let Some(sockets) = times.collect::<Option<Vec<Taken>>>() else { return };
    let Some(last) = sockets.last() else { return };
    let lists: Vec<Vec<Taken>> = told
        .iter()
        .zip(of_paths)
        .map(|(told, path)| match told.facts.lists_taken.as_slice() {
            [] => path.into_iter().collect(),
            all => all.iter().map(|(_, taken)| taken.clone()).collect(),
        })
        .collect();
    for (told, lists) in told.iter_mut().zip(lists) {
        let is_far = |list: &Taken, of: &Taken| is_later(list, of, FAR_SECONDS) || is_later(of, list, FAR_SECONDS);
        let are_far = lists.iter().all(|list| sockets.iter().all(|of| is_far(list, of)));
        let Some(first) = lists.first().filter(|_| are_far && names_processes(&told.facts)) else { continue };
        let proven = proven(&told.facts.starts, first, &sockets);
        forget(&mut told.facts, &proven);
        let Some(input) = inputs.get_mut(told.source) else { continue };
        let why = format!(
            "it was taken at {}, and sockets were listed at {}: a PID may be another process's by then",
            first.text, last.text
        );
        if proven.is_empty() {
            input.leave_out(&format!("{why}; not used"));
        } else {
            input.tell(&format!("{why}; used for processes that had started before"));
        }
    }
}

/// PIDs of a later list whose processes had started when sockets were listed.
fn proven(starts: &[ProcessStart], list: &Taken, sockets: &[Taken]) -> BTreeSet<u32> {
    let is_before =
        |start: &&ProcessStart| sockets.iter().all(|of| is_later(list, of, 0) && is_later(of, &start.started, 0));
    starts.iter().filter(is_before).map(|start| start.pid).collect()
}

/// Takes what is told of processes out of facts, but for some PIDs.
fn forget(facts: &mut SideFacts, kept: &BTreeSet<u32>) {
    facts.tasks.retain(|task| kept.contains(&task.pid));
    facts.names.retain(|name| kept.contains(&name.pid));
    facts.handles.retain(|handles| kept.contains(&handles.pid));
    facts.services.retain(|service| kept.contains(&service.pid));
    facts.absent.clear();
}

/// The times in the names of files; what all lie in may be named after the time of a ticket.
pub(super) fn times_of_paths(told: &[Told], inputs: &[SideInput]) -> Vec<Option<Taken>> {
    let paths: Vec<&str> = told.iter().map(|told| inputs.get(told.source).map_or("", |input| &input.path)).collect();
    let common = common_folder(&paths);
    paths.iter().map(|path| Some(stamp(path.get(common..)?)?.1.taken)).collect()
}

/// How many bytes of the paths are folders that all of them lie in.
fn common_folder(paths: &[&str]) -> usize {
    let first = paths.first().copied().unwrap_or_default();
    let is_common = |end: &usize| paths.iter().all(|path| path.get(..*end) == first.get(..*end));
    let ends = first.match_indices(['/', '\\']).map(|(at, _)| at + 1);
    ends.take_while(is_common).last().unwrap_or(0)
}

/// Whether a file tells of processes alone.
fn names_processes(facts: &SideFacts) -> bool {
    let SideFacts { tasks, names, services, handles, .. } = facts;
    let is_named = handles.iter().any(|handles| handles.image.is_some());
    let tells = is_named || !tasks.is_empty() || !names.is_empty() || !services.is_empty();
    tells && facts.listings.is_empty()
}
