//! Processes of one image together: many that each hold little can fill a pool.

use std::collections::BTreeMap;

use super::grounds::Grounds;
use super::holders::{Pattern, Seen, Subject, When};
use super::naming::ProcessRow;
use super::outcome::{HolderOutcome, Look};
use super::pools::share;
use crate::machine::pool_key::PoolKey;
use crate::machine::processes::Process;
use crate::time::FileTime;

/// Processes of one image that hold ports of a pool; of svchost.exe those with the same services.
#[derive(Debug, Clone, PartialEq)]
pub struct ImageOutcome {
    /// Base name of the image.
    pub image: String,
    /// Services; of svchost.exe alone.
    pub services: Vec<String>,
    /// Index into the pools.
    pub pool: usize,
    /// Indexes into the holders, most ports first; two at least. Some of the processes may have ended.
    pub holders: Vec<usize>,
    /// Ports, those in TIME_WAIT and reserved ones counted.
    pub ports: u32,
    /// Of these, in TIME_WAIT.
    pub time_wait: u32,
    /// The same as a part of the pool, from 0 to 1.
    pub share_of_pool: f64,
    /// Bind failures of all processes of this image (and these services), those that hold nothing among them.
    pub bind_failures: u64,
    /// What their use of ports looks like together.
    pub pattern: Option<Pattern>,
}

/// Image, and of svchost.exe the services.
pub(super) type Name = (String, Vec<String>);

/// What a process is known by beside others; `None` where its image is not known.
pub(super) fn name_of(row: &ProcessRow) -> Option<Name> {
    let image = row.image.as_ref()?.to_lowercase();
    let services = if image == "svchost.exe" { row.services.clone() } else { Vec::new() };
    Some((image, services))
}

/// Processes of an image come and go where those that ended gave back so many times the ports that others hold.
const COME_AND_GO: u64 = 2;

/// The processes of each image that have ended.
struct Ended<'a>(BTreeMap<Name, Vec<&'a Process>>);

impl<'a> Ended<'a> {
    fn gather(grounds: &Grounds<'a>) -> Self {
        let mut ended: BTreeMap<Name, Vec<&Process>> = BTreeMap::new();
        let processes = grounds.findings.world.processes.processes().iter().enumerate();
        for (index, process) in processes.filter(|(_, process)| process.ended.is_some()) {
            let row = grounds.rows.index.get(&Subject::Process(index)).and_then(|row| grounds.rows.rows.get(*row));
            if let Some(name) = row.and_then(name_of) {
                ended.entry(name).or_default().push(process);
            }
        }
        Self(ended)
    }

    /// Ports of a pool that those of an image had given back which ended before this moment.
    fn gave_back(&self, name: &Name, pool: PoolKey, moment: Option<FileTime>) -> u64 {
        let Some((all, moment)) = self.0.get(name).zip(moment) else { return 0 };
        let before = all.iter().filter(|process| process.ended.is_some_and(|ended| ended < moment));
        before.map(|process| process.tally.in_pool(pool).released).sum()
    }
}

/// The images of which two or more processes hold ports of a pool, most ports first.
pub(super) fn images(grounds: &Grounds<'_>, holders: &[HolderOutcome]) -> Vec<ImageOutcome> {
    let Grounds { conclusion, rows, .. } = *grounds;
    let mut groups: BTreeMap<(usize, Name), Vec<usize>> = BTreeMap::new();
    for (index, outcome) in holders.iter().enumerate() {
        let is_of_its_own = matches!(outcome.look, Look::Kernel | Look::DnsPool);
        let name = rows.rows.get(outcome.process).filter(|_| !is_of_its_own).and_then(name_of);
        if let Some(name) = name {
            groups.entry((outcome.holder.pool, name)).or_default().push(index);
        }
    }
    let mut failures: BTreeMap<Name, u64> = BTreeMap::new();
    for row in rows.rows.iter().filter(|row| row.bind_failures > 0) {
        if let Some(name) = name_of(row) {
            *failures.entry(name).or_default() += row.bind_failures;
        }
    }
    let ended = Ended::gather(grounds);
    let image = |((pool, name), members): ((usize, Name), Vec<usize>)| {
        let finding = conclusion.pools.get(pool)?;
        let outcomes = || members.iter().filter_map(|index| holders.get(*index));
        let first = rows.rows.get(outcomes().next()?.process)?;
        let mut seen = Seen::default();
        outcomes().for_each(|outcome| seen.add(&outcome.holder.seen));
        let sum =
            |of: fn(&HolderOutcome) -> u32| outcomes().fold(0_u32, |sum, outcome| sum.saturating_add(of(outcome)));
        let ports = sum(|outcome| outcome.holder.ports).min(finding.range.count);
        let of_others = holders.iter().enumerate().filter(|(index, other)| {
            other.holder.pool == pool && other.keeps_what_it_took() && !members.contains(index)
        });
        let kept = of_others.fold(0_u32, |sum, (_, other)| sum.saturating_add(other.holder.ports));
        let count = finding.range.count;
        let pattern = seen.pattern(When {
            count,
            left: finding.usable().saturating_sub(kept),
            moment: finding.moment,
            until: finding.grown_until,
            unseen_since: grounds.findings.world.ports.unseen_since,
        });
        // Processes that come and go, and leave nothing behind, work: they leak nothing that a restart would give back.
        let seen_until = finding.outage.map(|outage| outage.last).or(finding.moment);
        let gave_back = ended.gave_back(&name, finding.key, seen_until);
        let pattern = match pattern {
            Some(Pattern::Leak) if gave_back >= u64::from(ports).saturating_mul(COME_AND_GO) => Some(Pattern::Load),
            pattern => pattern,
        };
        let is_told =
            |pattern: &Pattern| !conclusion.no_habits && (*pattern != Pattern::Leak || finding.state.is_some());
        Some(ImageOutcome {
            image: first.image.clone()?,
            services: name.1.clone(),
            pool,
            ports,
            time_wait: sum(|outcome| outcome.holder.time_wait),
            share_of_pool: share(ports, finding.range.count),
            bind_failures: failures.get(&name).copied().unwrap_or(0),
            pattern: pattern.filter(is_told),
            holders: members.clone(),
        })
    };
    let several = groups.into_iter().filter(|(_, members)| members.len() > 1);
    let mut images: Vec<ImageOutcome> = several.filter_map(image).collect();
    // Stable: equals stay in the order of pool and name.
    images.sort_by_key(|image| std::cmp::Reverse(image.ports));
    images
}
