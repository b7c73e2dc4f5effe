//! When: ports held and failures over time.

use std::io;

use super::Page;
use crate::diagnosis::state::State;
use crate::report::TimelineStep;
use crate::report::wording::who;
use crate::words::{counted, grouped};

/// Heights of one column, in eighths.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Columns of a row's name, and of what stands behind the bars.
const LABEL: usize = 14;
const PEAK: usize = 28;

/// Outages listed one by one.
const OUTAGES_SHOWN: usize = 5;

impl Page<'_, '_> {
    pub(super) fn when(&mut self) -> io::Result<()> {
        let report = self.report;
        let Some(first) = report.timeline.first() else { return Ok(()) };
        let has_failures = report.timeline.iter().any(|step| step.failures() > 0);
        let columns = report.timeline.len();
        if columns < 3 || (!has_failures && report.pools.is_empty()) {
            return self.outages();
        }
        let (start, zone) = (report.zone.second(first.start), report.zone.name());
        self.heading("WHEN", &format!("one column is {}, from {start} {zone}", step_text(first.seconds)))?;
        let fits = self.layout.width.saturating_sub(LABEL + PEAK).max(10);
        let of_steps = |value: fn(&TimelineStep) -> u64| -> Vec<u64> { report.timeline.iter().map(value).collect() };
        let occupied: Option<Vec<u64>> = report.timeline.iter().map(|step| step.occupied.map(u64::from)).collect();
        // What the pool has given out is drawn against the pool; without one, what sockets hold against its peak.
        let pool = report.verdict.pool.and_then(|index| report.pools.get(index)).map(|pool| u64::from(pool.count));
        let (level, values, whole) = match occupied {
            // Where most of a full pool is out of sight, this is what the trace sees of it.
            Some(values) if !self.is_seen_whole() => ("ports seen", values, pool),
            Some(values) => ("ports in use", values, pool),
            None => ("ports held", of_steps(|step| step.ports_held), None),
        };
        let values = squeezed(&values, fits, true);
        let peak = values.iter().copied().max().unwrap_or(0);
        let of = whole.map(|whole| format!(" of {}", grouped(whole))).unwrap_or_default();
        self.line(&format!("  {level:<LABEL$}{}   peak {}{of}", bars(&values, whole), grouped(peak)))?;
        for (name, values) in [
            ("binds", of_steps(|step| step.binds_ok)),
            ("ports back", of_steps(|step| step.closes)),
            ("failures", of_steps(TimelineStep::failures)),
        ] {
            let values = squeezed(&values, fits, false);
            let peak = values.iter().copied().max().unwrap_or(0);
            self.line(&format!("  {name:<LABEL$}{}   peak {}", bars(&values, None), grouped(peak)))?;
        }
        self.outages()
    }

    /// Whether what is told of the pool that speaks is about all of it: nine of ten ports, where it was full.
    fn is_seen_whole(&self) -> bool {
        let pool = self.report.verdict.pool.and_then(|index| self.report.pools.get(index));
        let peak = self.report.timeline.iter().filter_map(|step| step.occupied).max().unwrap_or(0);
        pool.is_none_or(|pool| pool.state != State::Exhausted || u64::from(peak) * 10 >= u64::from(pool.count) * 9)
    }

    fn outages(&mut self) -> io::Result<()> {
        let outages = &self.report.outages;
        if outages.len() < 2 {
            return Ok(());
        }
        for outage in outages.iter().take(OUTAGES_SHOWN) {
            let clock = |time| self.report.failure_clock(time);
            let (first, last) = (clock(outage.first), clock(outage.last));
            let when = if first == last { format!("at {first}") } else { format!("{first} – {last}") };
            let pool =
                self.report.pools.get(outage.pool).map(|pool| format!(" of {}", pool.name())).unwrap_or_default();
            let holder = outage.holders.first().and_then(|holder| {
                let row = self.report.processes.get(holder.process)?;
                Some(format!("; {} held {}", who(row), counted(holder.ports.into(), "port")))
            });
            let (holder, end) = (holder.unwrap_or_default(), if outage.lasts { ", to the end" } else { "" });
            let failures = counted(outage.failures, "failure");
            self.paragraph(&format!("out of ports{pool} {when}{end}: {failures}{holder}"))?;
        }
        if outages.len() > OUTAGES_SHOWN {
            self.line(&format!("  ({} more spans of failures)", outages.len() - OUTAGES_SHOWN))?;
        }
        Ok(())
    }
}

/// Length of a step in words: it is a whole number of seconds.
fn step_text(seconds: i64) -> String {
    match (seconds / 60, seconds % 60) {
        (0, seconds) => format!("{seconds} s"),
        (minutes, 0) => format!("{minutes} min"),
        (minutes, seconds) => format!("{minutes} min {seconds} s"),
    }
}

/// At most `columns` values: sums of neighbours, or for a level the largest.
fn squeezed(values: &[u64], columns: usize, is_level: bool) -> Vec<u64> {
    let factor = values.len().div_ceil(columns.max(1)).max(1);
    let one = |part: &[u64]| {
        if is_level { part.iter().copied().max().unwrap_or(0) } else { part.iter().sum() }
    };
    values.chunks(factor).map(one).collect()
}

/// A column for each value, against the whole where there is one, else against the largest.
fn bars(values: &[u64], whole: Option<u64>) -> String {
    let peak = values.iter().copied().max().unwrap_or(0).max(whole.unwrap_or(0)).max(1);
    values
        .iter()
        .map(|value| {
            let eighths = (u128::from(*value) * 8).div_ceil(u128::from(peak));
            match usize::try_from(eighths) {
                Ok(0) | Err(_) => '·',
                Ok(height) => BARS.get(height - 1).copied().unwrap_or('█'),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_a_dot_and_little_is_seen() {
        assert_eq!(bars(&[0, 1, 400, 800], None), "·▁▄█");
        assert_eq!(bars(&[0, 0], None), "··");
        assert_eq!(bars(&[u64::MAX], None), "█");
        assert_eq!(bars(&[0, 1, 400, 800], Some(1600)), "·▁▂▄", "against the pool");
    }

    #[test]
    fn narrow_terminals_get_sums_and_levels_get_peaks() {
        assert_eq!(squeezed(&[1, 2, 3, 4, 5], 2, false), [6, 9]);
        assert_eq!(squeezed(&[1, 2, 3, 4, 5], 2, true), [3, 5]);
    }
}
