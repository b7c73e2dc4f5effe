//! What changed from one moment to the next that somebody wants to hear of once: outages, and pools that fill.

use std::collections::BTreeMap;

use super::super::system::{ApplicationEntry, Severity};
use super::super::watch::{HolderNow, OutageNow, PoolId, PoolNow, StateNow, VictimNow};
use crate::time::ShownTime as _;
use crate::words::{counted, shown};

/// A pool that has reached the threshold has left it when it is so many percent of itself below.
const SLACK_PERCENT: u8 = 5;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happened {
    /// An outage began.
    Began(OutageNow),
    /// An outage that seemed to be over goes on: nobody had asked for a port for ten minutes, and none was given out.
    GoesOn(OutageNow),
    /// An outage is over.
    Ended(OutageNow),
    /// The capture ends during an outage.
    LeftAlone(OutageNow),
    /// The threshold, in percent, is reached.
    Reached(u8),
    /// The pool is below it again.
    Left(u8),
}

/// What happened to a pool.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// What.
    pub happened: Happened,
    /// The pool.
    pub pool: PoolNow,
    /// Who holds most of its ports, as far as known.
    pub holder: Option<HolderNow>,
    /// Whose binds and connects failed most since the moment before.
    pub victim: Option<VictimNow>,
    /// Events or buffers were lost: counts are a lower bound.
    pub is_lossy: bool,
}

impl Change {
    /// In a sentence.
    pub fn sentence(&self) -> String {
        let pool = self.pool.name();
        match self.happened {
            Happened::Began(outage) => format!("port exhaustion: {pool}: {}", self.failing(outage)),
            Happened::GoesOn(outage) => format!("port exhaustion goes on: {pool}: {}", self.failing(outage)),
            Happened::LeftAlone(outage) => {
                format!("the capture ends during port exhaustion: {pool}: {}", self.failing(outage))
            }
            Happened::Ended(outage) => {
                let (first, last) = (outage.first.to_date_and_time(), outage.last.to_date_and_time());
                let failures = counted(outage.failures, "failure");
                format!("no more failures: {pool}: {failures} from {first} to {last} UTC")
            }
            Happened::Reached(percent) => {
                let forecast = self.pool.forecast.map_or_else(String::new, |forecast| {
                    let (rate, full_at) = (forecast.per_minute, forecast.full_at.to_date_and_time());
                    format!("; at {rate} more each minute it is full at {full_at} UTC")
                });
                format!("{pool}: {} (threshold {percent} %){forecast}{}", self.pool.in_use(), self.most())
            }
            Happened::Left(percent) => format!("{pool}: below the threshold of {percent} %: {}", self.pool.in_use()),
        }
    }

    fn failing(&self, outage: OutageNow) -> String {
        let failures = counted(outage.failures, "failure");
        let since = outage.first.to_date_and_time();
        let lost = if self.is_lossy { "; events were lost: counts are a lower bound" } else { "" };
        format!(
            "{failures} with STATUS_TOO_MANY_ADDRESSES since {since} UTC; {}{}{lost}",
            self.pool.in_use(),
            self.most()
        )
    }

    fn most(&self) -> String {
        self.holder.as_ref().map_or_else(String::new, |holder| {
            format!("; most: {}, {}", who(holder.image.as_deref(), holder.pid), counted(holder.ports.into(), "port"))
        })
    }

    /// As an entry of the Application log; its ids are part of the interface.
    pub fn entry(&self) -> ApplicationEntry {
        let (id, severity) = match self.happened {
            Happened::Began(_) | Happened::GoesOn(_) => (1, Severity::Error),
            Happened::Ended(_) => (2, Severity::Information),
            Happened::Reached(_) => (3, Severity::Warning),
            Happened::Left(_) => (4, Severity::Information),
            Happened::LeftAlone(_) => (5, Severity::Warning),
        };
        ApplicationEntry { id, severity, text: self.sentence() }
    }

    /// What a program is told that is run when an outage begins, as environment variables; what is not known is not set.
    pub fn environment(&self, outage: OutageNow) -> Vec<(&'static str, String)> {
        let pool = &self.pool;
        let time = |time: crate::time::FileTime| time.to_rfc3339().unwrap_or_default();
        let mut all = vec![
            ("OUTOFPORTS_STATE", "exhausted".to_owned()),
            ("OUTOFPORTS_MESSAGE", self.sentence()),
            ("OUTOFPORTS_POOL", pool.name()),
            ("OUTOFPORTS_USED_PORTS", pool.used().to_string()),
            ("OUTOFPORTS_FIRST_FAILURE", time(outage.first)),
            ("OUTOFPORTS_LAST_FAILURE", time(outage.last)),
            ("OUTOFPORTS_FAILURES", outage.failures.to_string()),
            ("OUTOFPORTS_EVENTS_LOST", u8::from(self.is_lossy).to_string()),
        ];
        let mut known = |name, value: Option<String>| all.extend(value.map(|value| (name, value)));
        known("OUTOFPORTS_POOL_PORTS", pool.is_known().then(|| pool.usable().to_string()));
        known("OUTOFPORTS_FREE_PORTS", pool.free.map(|free| free.to_string()));
        let holder = self.holder.as_ref();
        known("OUTOFPORTS_HOLDER", holder.and_then(|holder| holder.image.as_deref()).map(shown));
        known("OUTOFPORTS_HOLDER_PID", holder.and_then(|holder| holder.pid).map(|pid| pid.to_string()));
        known("OUTOFPORTS_HOLDER_PORTS", holder.map(|holder| holder.ports.to_string()));
        let victim = self.victim.as_ref();
        known("OUTOFPORTS_VICTIM", victim.and_then(|victim| victim.image.as_deref()).map(shown));
        known("OUTOFPORTS_VICTIM_PID", victim.and_then(|victim| victim.pid).map(|pid| pid.to_string()));
        known("OUTOFPORTS_VICTIM_FAILURES", victim.map(|victim| victim.failures.to_string()));
        all
    }
}

/// A process by what is known of it.
fn who(image: Option<&str>, pid: Option<u32>) -> String {
    match (image.map(shown), pid) {
        (Some(image), Some(pid)) => format!("{image} (PID {pid})"),
        (Some(image), None) => image,
        (None, Some(pid)) => format!("PID {pid}"),
        (None, None) => "a process that is not known".to_owned(),
    }
}

/// What was known of a pool.
#[derive(Debug, Clone, Default)]
struct Known {
    outage: Option<OutageNow>,
    is_over_threshold: bool,
}

/// Compares each moment with what was known.
#[derive(Debug, Default)]
pub struct Changes {
    known: BTreeMap<PoolId, Known>,
    threshold: Option<u8>,
}

impl Changes {
    /// Nothing is known yet; `threshold` in percent.
    pub fn new(threshold: Option<u8>) -> Self {
        Self { known: BTreeMap::new(), threshold }
    }

    /// What is new at a moment, pool by pool; of each the end of an outage before the beginning of the next.
    pub fn of(&mut self, moment: &StateNow) -> Vec<Change> {
        let mut changes = Vec::new();
        for pool in &moment.pools {
            let known = self.known.entry(pool.id()).or_default();
            let mut happened = outages(known.outage, pool.outage);
            known.outage = pool.outage;
            if let Some(percent) = self.threshold {
                let reaches = |percent: u8| {
                    let (used, usable) = (u64::from(pool.used()), u64::from(pool.usable()));
                    pool.is_known() && usable > 0 && used * 100 >= usable * u64::from(percent)
                };
                if !known.is_over_threshold && reaches(percent) {
                    known.is_over_threshold = true;
                    happened.push(Happened::Reached(percent));
                } else if known.is_over_threshold && !reaches(percent.saturating_sub(SLACK_PERCENT)) {
                    known.is_over_threshold = false;
                    happened.push(Happened::Left(percent));
                }
            }
            changes.extend(happened.into_iter().map(|happened| change(happened, pool, moment)));
        }
        changes
    }

    /// What is to be said where a capture ends at this moment.
    pub fn at_end(&self, moment: &StateNow) -> Vec<Change> {
        let lasting = moment.pools.iter().filter_map(|pool| Some((pool, pool.outage.filter(|outage| outage.lasts)?)));
        lasting.map(|(pool, outage)| change(Happened::LeftAlone(outage), pool, moment)).collect()
    }
}

fn outages(before: Option<OutageNow>, now: Option<OutageNow>) -> Vec<Happened> {
    let Some(now) = now else { return Vec::new() };
    let ended = (!now.lasts).then_some(Happened::Ended(now));
    match before {
        // The first failure of an outage can still become an earlier one.
        Some(before) if now.first <= before.last => match (before.lasts, now.lasts) {
            (true, false) => vec![Happened::Ended(now)],
            (false, true) => vec![Happened::GoesOn(now)],
            _ => Vec::new(),
        },
        _ => {
            let before = before.filter(|before| before.lasts).map(Happened::Ended);
            before.into_iter().chain([Happened::Began(now)]).chain(ended).collect()
        }
    }
}

fn change(happened: Happened, pool: &PoolNow, moment: &StateNow) -> Change {
    Change {
        happened,
        pool: pool.clone(),
        holder: moment.holders.iter().find(|holder| holder.pool() == pool.id()).cloned(),
        victim: moment.victims.iter().max_by_key(|victim| (victim.recent, victim.failures)).cloned(),
        is_lossy: moment.events_lost > 0 || moment.buffers_lost > 0,
    }
}
