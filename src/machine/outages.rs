//! Spans of time in which a pool was out of ports, each with who held them.

use super::moment::Moment;
use crate::time::FileTime;

/// Failures further apart than this belong to different outages, if ports were given out in between.
const GAP_100NS: i64 = 60 * FileTime::SECOND;

/// Where nobody has asked for a port for so long, nothing tells whether there would be one.
const SILENCE_100NS: i64 = 600 * FileTime::SECOND;

/// Outages of a pool that are told apart; later failures lengthen the last. A day has 1,440 minutes.
const MAX_OUTAGES: usize = 1440;

/// Owners that are kept of an outage that is neither the last nor the one with most failures.
const KEPT_OWNERS: usize = 32;

/// A span of time in which binds or connects of a pool failed.
#[derive(Debug, Clone)]
pub struct Outage {
    /// First failure.
    pub first: FileTime,
    /// Last failure.
    pub last: FileTime,
    /// Failures.
    pub failures: u64,
    /// Ports that the pool had given out before the last failure, as counted at the pool.
    given: u64,
    /// The failure in it at which the trace showed most ports held.
    pub moment: Option<Moment>,
}

/// The outages of a pool, by time.
#[derive(Debug, Default)]
pub struct Outages {
    all: Vec<Outage>,
    /// Which has most failures, the last one left out.
    worst: Option<usize>,
    /// Since the last failure there was a time that no trace tells of.
    was_unseen: bool,
}

impl Outages {
    /// All of them.
    pub fn all(&self) -> &[Outage] {
        &self.all
    }

    /// The last one.
    pub fn last(&self) -> Option<&Outage> {
        self.all.last()
    }

    /// There was none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// No trace tells of the time just now: whether the last outage went on then is not known.
    pub(super) fn were_unseen(&mut self) {
        self.was_unseen = true;
    }

    /// A bind or connect fails; the pool has given out `given` ports so far.
    pub(super) fn failed(&mut self, time: FileTime, given: u64) {
        let is_full = self.all.len() >= MAX_OUTAGES;
        let was_seen = !std::mem::take(&mut self.was_unseen);
        let goes_on = |outage: &Outage| time.since(outage.last) <= GAP_100NS || (outage.given == given && was_seen);
        match self.all.last_mut() {
            Some(outage) if is_full || goes_on(outage) => {
                outage.first = outage.first.min(time);
                outage.last = outage.last.max(time);
                outage.failures += 1;
                outage.given = given;
            }
            _ => {
                self.settle_last();
                self.all.push(Outage { first: time, last: time, failures: 1, given, moment: None });
            }
        }
    }

    /// The last one is over: of it and of the worst so far, the one with fewer failures keeps only its largest owners.
    fn settle_last(&mut self) {
        let Some(last) = self.all.len().checked_sub(1) else { return };
        let failures = |index: usize| self.all.get(index).map_or(0, |outage| outage.failures);
        let lesser = match self.worst {
            Some(worst) if failures(worst) >= failures(last) => Some(last),
            other => {
                self.worst = Some(last);
                other
            }
        };
        let moment = lesser.and_then(|index| self.all.get_mut(index)).and_then(|outage| outage.moment.as_mut());
        if let Some(moment) = moment {
            moment.keep_largest(KEPT_OWNERS);
        }
    }

    /// Whether the last outage went on at a moment, or comes later.
    pub(super) fn reaches(&self, at: FileTime) -> bool {
        self.last().is_some_and(|outage| at.since(outage.last) <= GAP_100NS)
    }

    /// Keeps a moment of the last outage.
    pub(super) fn keep(&mut self, moment: Moment) {
        if let Some(outage) = self.all.last_mut() {
            outage.moment = Some(moment);
        }
    }

    /// Whether no port was given out since the last failure, when the pool has given out `given` ports.
    pub(super) fn gave_none_since(&self, given: u64) -> bool {
        self.last().is_some_and(|outage| outage.given == given)
    }

    /// Whether the last one goes on at `end`, when the pool has given out `given` ports: the last failure is no more than a
    /// minute old, or in the ten minutes since no port was given out.
    pub fn lasts(&self, end: FileTime, given: u64) -> bool {
        self.last().is_some_and(|outage| {
            let age = end.since(outage.last);
            age <= GAP_100NS || (outage.given == given && age <= SILENCE_100NS)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> FileTime {
        FileTime(seconds * FileTime::SECOND)
    }

    #[test]
    fn an_outage_ends_where_ports_are_given_out_for_more_than_a_minute() {
        let mut outages = Outages::default();
        for (second, given) in [(0, 5), (59, 9), (400, 9), (470, 10), (471, 11)] {
            outages.failed(at(second), given);
        }
        let spans: Vec<_> = outages.all().iter().map(|outage| (outage.first, outage.last, outage.failures)).collect();
        assert_eq!(spans, [(at(0), at(400), 3), (at(470), at(471), 2)]);
        assert!(outages.lasts(at(1_000), 11) && !outages.lasts(at(1_100), 11));
        assert!(outages.lasts(at(500), 12) && !outages.lasts(at(540), 12));
        assert!(outages.gave_none_since(11) && !outages.gave_none_since(12));
    }

    #[test]
    fn an_outage_does_not_go_on_through_a_time_that_no_trace_tells_of() {
        let mut outages = Outages::default();
        for second in [0, 400] {
            outages.failed(at(second), 5);
        }
        outages.were_unseen();
        for second in [9_000, 9_400] {
            outages.failed(at(second), 5);
        }
        let spans: Vec<_> = outages.all().iter().map(|outage| (outage.first, outage.last)).collect();
        assert_eq!(spans, [(at(0), at(400)), (at(9_000), at(9_400))]);
    }

    #[test]
    fn they_are_bounded() {
        let mut outages = Outages::default();
        for n in 0..5000 {
            outages.failed(at(n * 100), n as u64);
        }
        assert_eq!(outages.all().len(), MAX_OUTAGES);
        assert_eq!(outages.all().iter().map(|outage| outage.failures).sum::<u64>(), 5000);
    }
}
