//! What is known at one moment while a session runs: the row of NDJSON, and what the terminal shows.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::poll::Poller;
use super::system::SessionCounts;
use crate::diagnosis::listings::usage;
use crate::diagnosis::pools::is_near;
use crate::event::base_name;
use crate::machine::World;
use crate::machine::pool_key::PoolKey;
use crate::machine::ranges::PoolRange;
use crate::net::{Family, Protocol};
use crate::time::FileTime;

/// Victims and holders that are told each time.
const TOP: usize = 10;

/// What is known at one moment of a session.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StateNow {
    /// When.
    pub time: FileTime,
    /// Seconds since the session began.
    pub seconds: f64,
    /// Bind failures 0xC0000209 so far.
    pub bind_failures: u64,
    /// Connect failures 0xC0000209 so far.
    pub connect_failures: u64,
    /// Both, for each second since the moment before.
    pub failures_per_second: f64,
    /// Binds that succeeded so far.
    pub binds_ok: u64,
    /// Pools in use.
    pub pools: Vec<PoolNow>,
    /// Who suffers, most failures first.
    pub victims: Vec<VictimNow>,
    /// Who holds ports, most first.
    pub holders: Vec<HolderNow>,
    /// Events so far.
    pub events: u64,
    /// Events lost by the session so far.
    pub events_lost: u32,
    /// Buffers lost by the session so far.
    pub buffers_lost: u32,
    /// It was not listed anew: the list of sockets is of this time.
    pub listed: Option<FileTime>,
}

/// A pool at one moment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PoolNow {
    /// Protocol; `None` where no event told it.
    pub protocol: Option<Protocol>,
    /// Family, likewise.
    pub family: Option<Family>,
    /// Ports held by sockets that were seen binding.
    pub held: u32,
    /// Ports in use as the system lists them, TIME_WAIT included; `None` where nothing was listed.
    pub listed: Option<u32>,
    /// Of these, in TIME_WAIT.
    pub time_wait: Option<u32>,
    /// Ports of the pool.
    pub count: u32,
    /// The larger of both, as a part of the pool, from 0 to 1.
    pub share: f64,
    /// Whether that is 80 % or more of the pool.
    pub is_near: bool,
}

/// A process whose binds or connects fail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VictimNow {
    /// Process id; `None` for what belongs to nobody known.
    pub pid: Option<u32>,
    /// Base name of its image, where known.
    pub image: Option<String>,
    /// Its bind and connect failures 0xC0000209 so far.
    pub failures: u64,
    /// Of these, those since the moment before.
    pub recent: u64,
}

/// A process that holds ports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HolderNow {
    /// Process id; `None` for what belongs to nobody known.
    pub pid: Option<u32>,
    /// Base name of its image, where known.
    pub image: Option<String>,
    /// Protocol of the pool.
    pub protocol: Option<Protocol>,
    /// Family of the pool.
    pub family: Option<Family>,
    /// Ports of the pool that it holds; not 0.
    pub ports: u32,
    /// The system lists them; else they were seen being bound.
    pub is_listed: bool,
}

/// Compares each moment with the one before.
#[derive(Debug, Default)]
pub struct Watch {
    before: BTreeMap<Option<usize>, u64>,
    failures: u64,
    at: Duration,
}

/// What the moment is taken from.
pub struct Sources<'a> {
    /// What the events amount to so far.
    pub world: &'a World,
    /// What was polled.
    pub poller: &'a Poller<'a>,
    /// What the session counts.
    pub counts: SessionCounts,
    /// Events so far.
    pub events: u64,
    /// The time of day.
    pub time: FileTime,
    /// Since the session began.
    pub elapsed: Duration,
}

/// Bind and connect failures so far.
pub fn failures(world: &World) -> (u64, u64) {
    let pools = world.ports.pools.iter();
    pools.fold((0, 0), |(binds, connects), pool| (binds + pool.bind_failures, connects + pool.connect_failures))
}

impl Watch {
    /// The moment now.
    pub fn moment(&mut self, now: &Sources<'_>) -> StateNow {
        let (bind_failures, connect_failures) = failures(now.world);
        let failures = bind_failures + connect_failures;
        let seconds = now.elapsed.saturating_sub(self.at).as_secs_f64().max(0.001);
        let failures_per_second = rounded(failures.saturating_sub(self.failures) as f64 / seconds);
        (self.failures, self.at) = (failures, now.elapsed);
        let (mut pools, mut holders) = (Vec::new(), Vec::new());
        for key in now.world.ports.keys() {
            pool(key, now, &mut pools, &mut holders);
        }
        holders.sort_by_key(|holder| (std::cmp::Reverse(holder.ports), holder.pid));
        holders.truncate(TOP);
        StateNow {
            time: now.time,
            seconds: rounded(now.elapsed.as_secs_f64()),
            bind_failures,
            connect_failures,
            failures_per_second,
            binds_ok: now.world.processes.tallies().map(|(_, tally)| tally.binds_ok).sum(),
            pools,
            victims: self.victims(now),
            holders,
            events: now.events,
            events_lost: now.counts.events_lost,
            buffers_lost: now.counts.real_time_buffers_lost,
            listed: now.poller.listed_at(),
        }
    }

    fn victims(&mut self, now: &Sources<'_>) -> Vec<VictimNow> {
        let processes = &now.world.processes;
        let mut failures: BTreeMap<Option<usize>, u64> = BTreeMap::new();
        for (owner, tally) in processes.tallies() {
            let count = tally.bind_failures + tally.connect_failures;
            if count > 0 {
                *failures.entry(processes.settled(owner)).or_default() += count;
            }
        }
        let mut victims: Vec<VictimNow> = failures
            .iter()
            .map(|(process, count)| {
                let (pid, image) = name(*process, now);
                let before = self.before.get(process).copied().unwrap_or(0);
                VictimNow { pid, image, failures: *count, recent: count.saturating_sub(before) }
            })
            .collect();
        self.before = failures;
        victims.sort_by_key(|victim| (std::cmp::Reverse(victim.failures), victim.pid));
        victims.truncate(TOP);
        victims
    }
}

fn pool(key: PoolKey, now: &Sources<'_>, pools: &mut Vec<PoolNow>, holders: &mut Vec<HolderNow>) {
    let ports = &now.world.ports;
    let range: PoolRange = ports.ranges.of(key);
    let Some(held) = ports.pools.get(key.index()).map(|pool| pool.held()) else { return };
    let usage = now.poller.sockets().map(|listing| usage(listing, key, range, false));
    let listed = usage.as_ref().map(|usage| usage.occupied());
    let failed = ports.pools.get(key.index()).is_some_and(|pool| pool.failure_span.is_some());
    let most = held.max(listed.unwrap_or(0));
    if most == 0 && !failed {
        return;
    }
    let share = (f64::from(most) / f64::from(range.count.max(1))).min(1.0);
    pools.push(PoolNow {
        protocol: key.protocol,
        family: key.family,
        held,
        listed,
        time_wait: usage.as_ref().map(|usage| usage.time_wait),
        count: range.count,
        share: (share * 1000.0).round() / 1000.0,
        is_near: is_near(most, range.count),
    });
    let holder = |pid, image, ports, is_listed| HolderNow {
        pid,
        image,
        protocol: key.protocol,
        family: key.family,
        ports,
        is_listed,
    };
    match usage.filter(|usage| usage.held > 0) {
        Some(usage) => holders.extend(usage.by_pid.iter().map(|(pid, listed)| {
            let process = pid.and_then(|pid| now.world.processes.last_known(pid));
            let (_, image) = name(process.map(|process| now.world.processes.index(process)), now);
            let image = image.or_else(|| pid.and_then(|pid| now.poller.images().get(&pid).cloned()));
            holder(*pid, image, listed.ports, true)
        })),
        None => {
            let mut by_process: BTreeMap<Option<usize>, u32> = BTreeMap::new();
            for held in now.world.processes.held_in(key) {
                *by_process.entry(now.world.processes.settled(held.owner)).or_default() += held.ports;
            }
            holders.extend(by_process.into_iter().map(|(process, sockets)| {
                let (pid, image) = name(process, now);
                holder(pid, image, sockets, false)
            }));
        }
    }
}

fn name(process: Option<usize>, now: &Sources<'_>) -> (Option<u32>, Option<String>) {
    let Some(process) = process.and_then(|index| now.world.processes.processes().get(index)) else {
        return (None, None);
    };
    let image = process.image().map(|(image, _)| base_name(image).to_owned());
    (Some(process.pid), image.or_else(|| now.poller.images().get(&process.pid).cloned()))
}

/// With one decimal.
fn rounded(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}
