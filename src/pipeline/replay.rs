//! The one loop over traces that all callers share: events in one order, and what was read to get them.

use etl_parser::{Record, Trace};

use super::coverage::Coverage;
use super::{Group, TimeOrder, read_events, scan_in_stages};
use crate::event::{EventMeta, NetEvent};
use crate::progress::{Progress, Stopped};
use crate::providers::Embedded;

/// What is made of the records and events of traces.
pub trait Observer: Send {
    /// What is noted of the records of one buffer, on whatever thread reads it.
    type Notes: Default + Send;

    /// Notes one record, whatever its kind.
    fn look(notes: &mut Self::Notes, record: &Record<'_>);

    /// Whether an event is to be kept until its turn.
    fn wants(event: &NetEvent) -> bool {
        let _ = event;
        true
    }

    /// Takes in the notes of a buffer of a trace, in the order of reading.
    fn add(&mut self, trace: usize, notes: Self::Notes);

    /// Takes in an event, in the order of time.
    fn observe(&mut self, meta: &EventMeta, event: &NetEvent);
}

/// Makes nothing of them.
impl Observer for () {
    type Notes = ();

    fn look((): &mut (), _: &Record<'_>) {}

    fn add(&mut self, _: usize, (): ()) {}

    fn observe(&mut self, _: &EventMeta, _: &NetEvent) {}
}

/// Reads traces on the current rayon pool, group by group, each group in one order by time. Gives what was read of each trace.
///
/// Where a trace holds events in versions that no table knows, and describes them itself, it is read a second time, with a
/// second observer: what describes them may stand behind them.
///
/// # Errors
///
/// [`Stopped`] where `progress` says so.
pub fn replay<O: Observer>(
    traces: &[Trace<'_>],
    groups: &[Vec<usize>],
    progress: &dyn Progress,
    observer: impl Fn() -> O,
) -> Result<(O, Vec<Coverage>), Stopped> {
    let mut first = observer();
    let coverages = replay_once(traces, groups, &[], progress, &mut first)?;
    let embedded: Vec<Embedded> = coverages.iter().map(Coverage::useful_schemas).collect();
    if embedded.iter().all(Embedded::is_empty) {
        return Ok((first, coverages));
    }
    drop(first);
    let mut second = observer();
    let coverages = replay_once(traces, groups, &embedded, progress, &mut second)?;
    Ok((second, coverages))
}

/// `embedded`: for each trace, what it says about versions that no table knows; empty where nothing is known yet.
fn replay_once<O: Observer>(
    traces: &[Trace<'_>],
    groups: &[Vec<usize>],
    embedded: &[Embedded],
    progress: &dyn Progress,
    observer: &mut O,
) -> Result<Vec<Coverage>, Stopped> {
    let nothing = Embedded::new();
    let mut coverages: Vec<Coverage> = traces.iter().map(Coverage::of_index).collect();
    let mut order = TimeOrder::default();
    progress.expect(groups.iter().flatten().filter_map(|number| traces.get(*number)).map(size).sum());
    for group in groups {
        scan_in_stages(
            traces,
            group,
            progress,
            |number, trace, buffer| {
                let mut notes = O::Notes::default();
                let embedded = embedded.get(number).unwrap_or(&nothing);
                let look = |record: &Record<'_>| O::look(&mut notes, record);
                let events = read_events(number, trace, buffer, embedded, look, O::wants);
                (events, notes)
            },
            |Group { results, not_before }| {
                let mut read = Vec::with_capacity(results.len());
                for (number, (mut events, notes)) in results {
                    read.push((number, std::mem::take(&mut events.coverage), notes));
                    order.push(number, events);
                }
                (read, order.release(not_before))
            },
            |(read, ordered)| {
                for (number, coverage, notes) in read {
                    if let Some(all) = coverages.get_mut(number) {
                        all.add(coverage);
                    }
                    observer.add(number, notes);
                }
                ordered.each(|meta, event| observer.observe(meta, event));
            },
        )?;
    }
    Ok(coverages)
}

fn size(trace: &Trace<'_>) -> u64 {
    trace.bytes().len() as u64
}
