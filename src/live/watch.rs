//! What is known at one moment while a session runs: the row of NDJSON, and what the terminal shows.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::filling::Filling;
use super::poll::Poller;
use super::system::SessionCounts;
use crate::diagnosis::forecast::Forecast;
use crate::diagnosis::holders::excluded_in;
use crate::diagnosis::listings::{Usage, usage};
use crate::diagnosis::pools::{is_near, pool_name};
use crate::event::base_name;
use crate::machine::World;
use crate::machine::pool_key::PoolKey;
use crate::machine::ranges::PoolRange;
use crate::net::{Family, Protocol};
use crate::side::facts::SocketListing;
use crate::time::FileTime;
use crate::words::grouped;

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
    /// TCP/IP's number of the network compartment, where it is another than the machine's own.
    pub compartment: Option<u32>,
    /// Ports held by sockets that were seen binding.
    pub held: u32,
    /// Ports in use as the system lists them, TIME_WAIT included; `None` where nothing was listed.
    pub listed: Option<u32>,
    /// Of these, in TIME_WAIT.
    pub time_wait: Option<u32>,
    /// Ports of the pool.
    pub count: u32,
    /// Of these, ports that are excluded, as the machine lists them, and that no socket uses.
    pub set_aside: u32,
    /// Ports that can still be given out, at most: neither listed, nor seen being held, nor set aside; `None` where nothing was
    /// listed.
    pub free: Option<u32>,
    /// The larger of `held` and `listed`, as a part of what is not set aside, from 0 to 1.
    pub share: f64,
    /// Whether that is 80 % or more.
    pub is_near: bool,
    /// Its bind failures 0xC0000209 so far.
    pub bind_failures: u64,
    /// Its connect failures 0xC0000209 so far.
    pub connect_failures: u64,
    /// The last time when it was out of ports.
    pub outage: Option<OutageNow>,
    /// When it will be full, as listings of the last minutes show it filling.
    pub forecast: Option<Forecast>,
}

impl PoolNow {
    /// Ports in use, as far as known: the larger of what was seen being held and what is listed.
    pub fn used(&self) -> u32 {
        self.held.max(self.listed.unwrap_or(0))
    }

    /// Ports that it can give out, those in use among them.
    pub fn usable(&self) -> u32 {
        self.count.saturating_sub(self.set_aside)
    }

    /// Whether its protocol and family are known; else nothing tells its range, and no listing speaks of it.
    pub fn is_known(&self) -> bool {
        self.protocol.is_some() && self.family.is_some()
    }

    /// `16,300 of 16,384 ports in use, 99 %`, or less where less is known.
    pub fn in_use(&self) -> String {
        let used = grouped(self.used().into());
        if !self.is_known() {
            return format!("{used} ports seen in use");
        }
        let how = if self.listed.is_some() { "in use" } else { "seen in use" };
        // What is nearly full is not full.
        let percent = (self.share * 100.0).floor();
        format!("{used} of {} ports {how}, {percent} %", grouped(self.usable().into()))
    }

    /// What tells it from other pools.
    pub fn id(&self) -> PoolId {
        (self.protocol, self.family, self.compartment)
    }

    /// `TCP over IPv4`.
    pub fn name(&self) -> String {
        let key = PoolKey { protocol: self.protocol, family: self.family, ..PoolKey::default() };
        pool_name(key, self.compartment)
    }
}

/// Protocol, family, and the number of another network compartment than the machine's own.
pub type PoolId = (Option<Protocol>, Option<Family>, Option<u32>);

/// A time when a pool was out of ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct OutageNow {
    /// First failure.
    pub first: FileTime,
    /// Last failure so far.
    pub last: FileTime,
    /// Bind and connect failures 0xC0000209 so far.
    pub failures: u64,
    /// It goes on: its last failure is no more than a minute old, or no port was given out in the ten minutes since.
    pub lasts: bool,
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
    /// TCP/IP's number of the pool's network compartment, where it is another than the machine's own.
    pub compartment: Option<u32>,
    /// Ports of the pool that it holds; not 0.
    pub ports: u32,
    /// The system lists them; else they were seen being bound.
    pub is_listed: bool,
}

impl HolderNow {
    /// The pool.
    pub fn pool(&self) -> PoolId {
        (self.protocol, self.family, self.compartment)
    }
}

/// Compares each moment with the one before.
#[derive(Debug, Default)]
pub struct Watch {
    before: BTreeMap<Option<usize>, u64>,
    failures: u64,
    at: Duration,
    filling: Filling,
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
            self.pool(key, now, &mut pools, &mut holders);
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

    fn pool(&mut self, key: PoolKey, now: &Sources<'_>, pools: &mut Vec<PoolNow>, holders: &mut Vec<HolderNow>) {
        let ports = &now.world.ports;
        let range: PoolRange = ports.ranges.of(key);
        let Some(pool) = ports.get(key) else { return };
        let held = pool.held();
        // The machine lists its own compartment, and what it lists has a protocol and a family.
        let is_listed = key.compartment.is_own() && key.protocol.is_some() && key.family.is_some();
        let listing = now.poller.sockets().filter(|_| is_listed);
        let usage = listing.map(|listing| usage(listing, key, range, false));
        let listed = usage.as_ref().map(|usage| usage.occupied());
        let used = held.max(listed.unwrap_or(0));
        if used == 0 && pool.failure_span.is_none() {
            return;
        }
        let set_aside = listing.map_or(0, |listing| set_aside(now.poller, listing, key, range));
        let usable = range.count.saturating_sub(set_aside);
        if let Some((_, at)) = listed.zip(now.poller.listed_at()) {
            self.filling.add(key, at, used);
        }
        let outage = pool.outages.last().map(|outage| OutageNow {
            first: outage.first,
            last: outage.last,
            failures: outage.failures,
            lasts: ports.lasts(key, now.time),
        });
        let compartment = ports.compartments.number(key.compartment).filter(|_| !key.compartment.is_own());
        let share = (f64::from(used) / f64::from(usable.max(1))).min(1.0);
        pools.push(PoolNow {
            protocol: key.protocol,
            family: key.family,
            compartment,
            held,
            listed,
            time_wait: usage.as_ref().map(|usage| usage.time_wait),
            count: range.count,
            set_aside,
            free: listed.map(|_| usable.saturating_sub(used)),
            share: (share * 1000.0).round() / 1000.0,
            is_near: is_near(used, usable),
            bind_failures: pool.bind_failures,
            connect_failures: pool.connect_failures,
            outage,
            forecast: self.filling.forecast(key, usable).filter(|_| !outage.is_some_and(|outage| outage.lasts)),
        });
        holders.extend(holders_of(key, compartment, usage, now));
    }
}

/// Ports of a pool that are excluded, and that no listed socket uses.
fn set_aside(poller: &Poller<'_>, listing: &SocketListing, key: PoolKey, range: PoolRange) -> u32 {
    let mut excluded = excluded_in(&poller.facts().excluded_ports, key, range);
    if !excluded.is_empty() {
        let here = listing.sockets.iter();
        let here = here.filter(|socket| Some(socket.protocol) == key.protocol && socket.family == key.family);
        for local in here.filter_map(|socket| socket.local) {
            excluded.remove(&local.port);
        }
    }
    u32::try_from(excluded.len()).unwrap_or(u32::MAX)
}

fn holders_of(key: PoolKey, compartment: Option<u32>, usage: Option<Usage>, now: &Sources<'_>) -> Vec<HolderNow> {
    let holder = |pid, image, ports, is_listed| HolderNow {
        pid,
        image,
        protocol: key.protocol,
        family: key.family,
        compartment,
        ports,
        is_listed,
    };
    match usage.filter(|usage| usage.held > 0) {
        Some(usage) => {
            let listed = usage.by_pid.iter().map(|(pid, listed)| {
                let process = pid.and_then(|pid| now.world.processes.last_known(pid));
                let (_, image) = name(process.map(|process| now.world.processes.index(process)), now);
                let image = image.or_else(|| pid.and_then(|pid| now.poller.images().get(&pid).cloned()));
                holder(*pid, image, listed.ports, true)
            });
            listed.collect()
        }
        None => {
            let mut by_process: BTreeMap<Option<usize>, u32> = BTreeMap::new();
            for held in now.world.processes.held_in(key) {
                *by_process.entry(now.world.processes.settled(held.owner)).or_default() += held.ports;
            }
            let seen = by_process.into_iter().map(|(process, sockets)| {
                let (pid, image) = name(process, now);
                holder(pid, image, sockets, false)
            });
            seen.collect()
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
