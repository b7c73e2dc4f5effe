//! Process lists of another day than all sockets: by then a PID may be another process's.

use std::collections::BTreeSet;

use super::machines::Told;
use super::side::SideInput;
use super::stamps::{Day, day};
use crate::side::facts::SideFacts;

/// Leaves out lists whose names tell a day on which no listing of sockets was taken, where all of these tell theirs.
pub(super) fn settle(told: &mut [Told], inputs: &mut [SideInput]) {
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
        let SideFacts { tasks, absent, names, services, .. } = &mut told.facts;
        tasks.clear();
        absent.clear();
        names.clear();
        services.clear();
        if let Some(input) = inputs.get_mut(told.source) {
            input.leave_out(&format!(
                "by its name it is of {}, and the sockets are of {}: a PID may be another process's by then; not used",
                text(other),
                of_sockets.join(", ")
            ));
        }
    }
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
    let names = !facts.tasks.is_empty() || !facts.names.is_empty() || !facts.services.is_empty();
    names && facts.listings.is_empty()
}
