//! Which traces are of one start of one machine.

use std::collections::BTreeMap;

use etl_parser::Trace;

use crate::time::FileTime;

/// Boot times that differ by more are those of different boots. Less is a clock that was set.
const SAME_BOOT_100NS: i64 = 60 * FileTime::SECOND;

/// How many starts of machines these boot times are of.
pub fn starts(boots: impl Iterator<Item = FileTime>) -> usize {
    let mut boots: Vec<FileTime> = boots.collect();
    boots.sort_unstable();
    boots.chunk_by(|one, next| next.since(*one) <= SAME_BOOT_100NS).count()
}

/// The boot of the machine that each trace belongs to, numbered.
pub fn boots(traces: &[Trace<'_>]) -> Vec<usize> {
    let mut known: BTreeMap<i64, usize> = BTreeMap::new();
    traces
        .iter()
        .map(|trace| {
            let boot = trace.header().boot_time;
            let near = boot.saturating_sub(SAME_BOOT_100NS)..=boot.saturating_add(SAME_BOOT_100NS);
            let next = known.len();
            let same = known.range(near).next().map(|(_, number)| *number);
            same.unwrap_or_else(|| *known.entry(boot).or_insert(next))
        })
        .collect()
}

/// The numbers of the traces of each boot, the earliest boot first. They are read one boot after the other, though traces
/// of several machines may overlap in time: nothing goes from one to the other.
pub fn by_boot(boots: &[usize], traces: &[Trace<'_>]) -> Vec<Vec<usize>> {
    let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (number, boot) in boots.iter().enumerate() {
        groups.entry(*boot).or_default().push(number);
    }
    let start = |number: &usize| traces.get(*number).map(|trace| trace.header().start_time);
    let mut groups: Vec<Vec<usize>> = groups.into_values().collect();
    groups.sort_by_key(|group| group.iter().filter_map(start).min());
    groups
}

/// Earliest start and latest end of some traces, where all their headers tell both.
pub fn bounds<'t, 'a: 't>(traces: impl IntoIterator<Item = &'t Trace<'a>>) -> Option<(FileTime, FileTime)> {
    let spans: Option<Vec<(FileTime, FileTime)>> = traces
        .into_iter()
        .map(|trace| trace.header().started().zip(trace.header().ended()))
        .map(|span| span.filter(|(start, end)| start <= end))
        .collect();
    spans?.into_iter().reduce(|(start, end), (other, later)| (start.min(other), end.max(later)))
}
