//! One pool: how full it was, when, and who held its ports then.

use std::collections::{BTreeMap, BTreeSet};

use super::habits::When;
use super::{AtRest, Book, Conclusion, Holder, HolderEvidence, Pattern, PoolOutage, Seen, Subject, has_bound};
use crate::diagnosis::listings::{Usage, usage};
use crate::diagnosis::pools::{
    EXPLAINED_PERCENT, ListedPool, OthersServed, PoolFinding, SpeakingOutage, is_dns_pool, is_hardly_seen, is_near,
};
use crate::diagnosis::state::{Confidence, State};
use crate::event::base_name;
use crate::machine::moment::Moment;
use crate::machine::outages::Outage;
use crate::machine::owner::{Owner, is_kernel};
use crate::machine::pool_key::PoolKey;
use crate::machine::pools::Pool;
use crate::machine::processes::Process;
use crate::machine::ranges::{PoolRange, RangeSource};
use crate::machine::served::Served;
use crate::machine::tally::InPool;
use crate::net::{Family, Protocol};
use crate::side::facts::SocketListing;
use crate::time::FileTime;

/// Whether a listing says nothing about who held the ports: the outage was over when the trace ended, and listings are taken
/// then; and the trace itself shows whose they were.
fn is_of_later(outage: Option<SpeakingOutage>, moment: Option<&Moment>, range: PoolRange) -> bool {
    let shown = moment.map_or(0, |moment| moment.visible().saturating_add(moment.time_wait.0));
    let is_shown = u64::from(shown) * 100 >= u64::from(range.count) * u64::from(EXPLAINED_PERCENT);
    is_shown && outage.is_some_and(|outage| !outage.lasts)
}

/// The moment of an outage that tells who held the ports. One that lasts to the end may have gone on while they changed hands: then
/// that is the end, where as much is seen.
fn moment_of<'m>(outage: &'m Outage, end: Option<&'m Moment>) -> Option<&'m Moment> {
    let kept = outage.moment.as_ref();
    let largest = |moment: &Moment| {
        let owners = moment.owners.iter().map(|held| (held.ports, std::cmp::Reverse(held.owner)));
        owners.max().map_or((0, None), |(ports, owner)| (ports, Some(owner)))
    };
    let has_changed_hands = |end: &Moment, kept: &Moment| {
        let (now, before) = (largest(end), largest(kept));
        now.1 != before.1 || now.0.abs_diff(before.0).saturating_mul(10) >= before.0.max(1)
    };
    match (kept, end) {
        (Some(kept), Some(end)) if end.visible() >= kept.visible() && has_changed_hands(end, kept) => Some(end),
        _ => kept,
    }
}

/// When holders of an outage could not take more: at its first failure, or before, where the pool had been full since then and nobody
/// asked for a port. Where nothing tells its size, it may be no larger than what was given out.
fn full_since(pool: &Pool, outage: &Outage, (usable, range): (u32, PoolRange)) -> FileTime {
    let given = pool.given.filter(|_| range.source == RangeSource::Default);
    let size = given.map_or(usable, |(first, last)| usable.min(u32::from(last - first) + 1));
    let is_full = u64::from(pool.held_peak) * 100 >= u64::from(size) * u64::from(FULL_PERCENT);
    pool.at_peak_since.filter(|since| is_full && *since < outage.first).unwrap_or(outage.first)
}

/// Ports that the trace shows beside a listing that hides sockets which are only bound: of those who hold more than it shows.
fn not_listed(listing: Option<&SocketListing>, subjects: &BTreeMap<Subject, Seen>) -> u32 {
    if listing.is_none_or(has_bound) {
        return 0;
    }
    let hidden = |seen: &Seen| seen.in_trace().saturating_sub(seen.listed.map_or(0, |listed| listed.ports));
    subjects.values().fold(0, |sum: u32, seen| sum.saturating_add(hidden(seen)))
}

/// A pool with so many of 100 ports held is full.
const FULL_PERCENT: u32 = 98;

/// Ports that are not given out for so long after the end of their process did not come back with it.
const KEPT_100NS: i64 = 10 * FileTime::SECOND;

/// Holders of an outage that are told.
const OUTAGE_HOLDERS: usize = 5;

/// So often, at least, others must have been given ports between failures, in so many turns: in a full pool a port comes back now
/// and then, but not each time for others alone.
const OTHERS_TIMES: u64 = 16;
const OTHERS_TURNS: u64 = 8;

/// So many ports in use beyond those that binds were given show that the pool is larger than these.
const MANY_OTHERS: u32 = 16;

impl Book<'_> {
    pub(super) fn pool(&self, key: PoolKey, conclusion: &mut Conclusion) {
        let ports = &self.findings.world.ports;
        let Some(pool) = ports.get(key) else { return };
        let told = ports.ranges.of(key);
        let range = ports.range(key);
        let refuted = (range.source == RangeSource::Trace).then_some(told);
        let refusals = ports.transport.refusals.get(&key).copied().unwrap_or_default();
        let half_listed = key.protocol == Some(Protocol::Tcp) && self.has_only_half_listings();
        let (fullest, most_waiting) = self.fullest_listing(key, range);
        let (listing, usage) = match fullest {
            Some((listing, usage)) => (Some(listing), usage),
            None => (None, Usage::default()),
        };
        let weak = ports.transport.weak_references > 0 && self.is_weak_pool(key);
        let is_exhausted = pool.bind_failures + pool.connect_failures + refusals.binds + refusals.connects > 0 || weak;
        let (outage, speaking) = self.speaking_outage(key, pool);
        let moment = match outage {
            Some(outage) => moment_of(outage, pool.end.as_ref().filter(|_| self.is_full_at_end(key))),
            None => pool.peak.as_ref(),
        };
        let visible = moment.map_or(0, Moment::visible);
        if !is_exhausted && visible == 0 && pool.held_peak == 0 && usage.occupied() == 0 && pool.occupied_peak.0 == 0 {
            return;
        }
        // At a failure no port was free, so that those that were not given again did wait.
        let waits = is_exhausted || !pool.time_wait.is_refuted();
        let mut subjects = if waits {
            self.subjects(key, moment)
        } else {
            self.subjects(key, moment.map(Moment::without_estimate).as_ref())
        };
        self.add_reserved(key, range, &mut subjects);
        if !is_of_later(speaking, moment, range) {
            self.add_listed(listing, &usage, &mut subjects);
            self.give_to_creators(&mut subjects);
            self.add_course(listing, key, range, &mut subjects);
            self.add_listed_later(listing, key, range, &mut subjects);
        }
        self.add_closed_older(&mut subjects);
        let (set_aside, idle) = self.set_aside(key, range);
        let time_wait = match moment {
            Some(moment) => {
                let rundown = moment.transport.time_wait;
                let (short, long) = if waits { moment.time_wait } else { (0, 0) };
                (short.saturating_add(rundown), long.saturating_add(rundown))
            }
            None => (0, 0),
        };
        let in_trace = visible.saturating_add(time_wait.0);
        let beside = if key.protocol == Some(Protocol::Tcp) { not_listed(listing, &subjects) } else { 0 };
        let listed = usage.occupied().saturating_add(beside);
        let explained = in_trace.max(listed).saturating_add(idle).min(range.count);
        let end = pool.end.as_ref().map_or(0, Moment::visible);
        let most = |in_time_wait: u32| in_time_wait.max(in_trace).max(usage.occupied()).max(end);
        let estimate = if waits { pool.occupied_peak } else { (pool.held_peak, pool.held_peak) };
        let occupied_peak = (most(estimate.0), most(estimate.1));
        let usable = range.count.saturating_sub(set_aside);
        let state = if is_exhausted {
            Some(State::Exhausted)
        } else if is_near(occupied_peak.1, usable) && refuted.is_none() {
            Some(State::Near)
        } else {
            None
        };
        let grown_until =
            outage.map(|outage| full_since(pool, outage, (usable, range))).or(moment.map(|moment| moment.time));
        let (known, others_known) = self.known_ports(key, range, pool, listing, moment);
        let finding = PoolFinding {
            key,
            local_address: None,
            range,
            // The end is a moment too: a port may have become known by then.
            held: (pool.held_peak.max(visible).max(end), end),
            time_wait,
            waits_not: !waits,
            time_wait_seconds: pool.time_wait.seconds(),
            failures: (pool.bind_failures, pool.connect_failures),
            refused: (refusals.binds, refusals.connects),
            failure_span: pool.failure_span,
            given_before_failure: pool.given_before_failure,
            given_around_failures: match pool.bind_failures + pool.connect_failures {
                1 => pool.binds_ok.saturating_sub(pool.given_before_failure),
                _ => pool.given_at_failure.saturating_sub(pool.given_before_failure),
            },
            others_served: self.others_served(pool).filter(|_| is_hardly_seen(explained, range)),
            set_aside,
            explained,
            occupied_peak,
            listing: listing.map(|listing| ListedPool {
                used: usage.occupied(),
                numbered: usage.occupied().saturating_sub(usage.unnumbered),
                has_bound: has_bound(listing),
                is_part: listing.picking().is_some(),
            }),
            half_listed,
            given: pool.given,
            state,
            moment: moment.map(|moment| moment.time),
            grown_until,
            outage: speaking,
            refuted,
            known,
            others_known,
            // Where events were lost, closes are among them.
            given_twice: if self.trust.lossy { 0 } else { pool.given_twice_at_failure },
            dual_stack: 0,
            idle,
            compartment: ports.compartments.number(key.compartment),
            listed_time_wait: usage.time_wait,
            most_listed_waiting: most_waiting,
        };
        let (whole, mut part) = self.split_by_address(finding, pool);
        if let Some((part, owners)) = &mut part {
            let held = self.only_of_address(&mut subjects, owners, part, moment);
            part.explained = held.saturating_add(part.set_aside).min(range.count);
        }
        let part = part.map(|(part, _)| part);
        conclusion.pools.push(whole);
        conclusion.pools.extend(part);
        let holding_pool = conclusion.pools.len() - 1;
        let mut when = When {
            count: range.count,
            left: range.count,
            moment: moment.map(|moment| moment.time),
            until: grown_until,
            unseen_since: ports.unseen_since,
        };
        let some_grew = subjects.values().any(|seen| seen.grew_in_listings(range.count).is_some());
        let keeps = |(subject, seen): &(&Subject, &Seen)| {
            (some_grew && seen.is_flat_in_listings()) || self.keeps(**subject, seen, when, key)
        };
        let kept = subjects.iter().filter(keeps).fold(0_u32, |sum, (_, seen)| sum.saturating_add(seen.ports()));
        when.left = usable.saturating_sub(kept);
        for (subject, seen) in subjects {
            let mut holder = self.holder(subject, &seen, holding_pool, when);
            if let Some(holder) = &mut holder {
                // Where there are ports enough, keeping some is nobody's fault.
                holder.pattern = holder.pattern.filter(|pattern| *pattern != Pattern::Leak || state.is_some());
                holder.kept_since_end = self.kept_since_end(subject, key, pool);
            }
            conclusion.holders.extend(holder);
        }
        self.outages(key, pool, holding_pool, conclusion);
    }

    /// Who was given ports of a pool all along while others failed, and got none.
    fn others_served(&self, pool: &Pool) -> Option<OthersServed> {
        let Served { failed, given, turns, .. } = &pool.served;
        let processes = &self.findings.world.processes;
        // One that is not known may be the same.
        let known = |owners: &mut dyn Iterator<Item = (Owner, u64)>| -> Option<BTreeMap<usize, u64>> {
            let mut known = BTreeMap::new();
            for (owner, times) in owners {
                *known.entry(processes.settled(owner)?).or_default() += times;
            }
            Some(known)
        };
        if *turns < OTHERS_TURNS || failed.not_counted + given.not_counted > 0 {
            return None;
        }
        let (failed, given) = (known(&mut failed.iter())?, known(&mut given.iter())?);
        let times = given.values().sum();
        let is_apart = failed.keys().all(|index| !given.contains_key(index));
        (is_apart && times >= OTHERS_TIMES).then(|| OthersServed {
            failing: failed.into_keys().collect(),
            others: given.len(),
            times,
        })
    }

    /// Whether there are listings of TCP sockets, and each of them is `netstat` without `-q`.
    fn has_only_half_listings(&self) -> bool {
        let is_of_tcp =
            |listing: &&SocketListing| listing.sockets.iter().any(|socket| socket.protocol == Protocol::Tcp);
        let mut of_tcp = self.side.listings.iter().filter(is_of_tcp).peekable();
        of_tcp.peek().is_some() && !of_tcp.any(has_bound)
    }

    /// Whether it took its ports early and has not grown since, or is DNS Server with its pool of sockets.
    fn keeps(&self, subject: Subject, seen: &Seen, when: When, key: PoolKey) -> bool {
        if self.at_rest(seen, when) == Some(AtRest::TakenEarly) {
            return true;
        }
        let Some(process) = self.process_of(subject).filter(|process| !is_kernel(process.pid)) else { return false };
        let task = || self.side.tasks.iter().find(|task| task.pid == process.pid).map(|task| task.image.as_str());
        let image = process.image().map(|(image, _)| base_name(image)).or_else(task);
        let is_steady = || !self.trust.no_habits && seen.pattern(when) == Some(Pattern::Steady);
        image.is_some_and(|image| is_dns_pool(image, key, seen.ports())) || is_steady()
    }

    /// For how long requests failed after a process had ended, and none was given a port: its ports had not come back.
    fn kept_since_end(&self, subject: Subject, key: PoolKey, pool: &Pool) -> Option<i64> {
        let process = self.process_of(subject).filter(|_| !self.trust.lossy && !self.trust.no_habits)?;
        let ended = process.ended?;
        // What its end closed waits in TIME_WAIT at most.
        let InPool { ports, obtained, .. } = process.tally.in_pool(key);
        if u64::from(ports) * 2 < obtained {
            return None;
        }
        let (_, last_failure) = pool.failure_span?;
        let long = last_failure.since(ended);
        let gave_none = self.findings.world.ports.gave_none_since(key, ended);
        (long >= KEPT_100NS && gave_none).then_some(long)
    }

    /// Where something was lost, what it took may be among that.
    fn at_rest(&self, seen: &Seen, when: When) -> Option<AtRest> {
        seen.at_rest(when.until.filter(|_| !self.trust.lossy && !self.trust.no_habits))
    }

    pub(super) fn process_of(&self, subject: Subject) -> Option<&Process> {
        match subject {
            Subject::Process(index) => self.findings.world.processes.processes().get(index),
            _ => None,
        }
    }

    /// The outage of a pool that speaks: the one that lasts to the end of the trace, else the one with most failures, of equals
    /// the last.
    fn speaking_outage<'p>(&self, key: PoolKey, pool: &'p Pool) -> (Option<&'p Outage>, Option<SpeakingOutage>) {
        let lasts = self.lasts(key);
        let all = pool.outages.all();
        let worst = || all.iter().max_by_key(|outage| outage.failures);
        let outage = if lasts { all.last() } else { worst() };
        let speaking = |outage: &Outage| SpeakingOutage {
            first: outage.first,
            last: outage.last,
            failures: outage.failures,
            lasts,
            is_full_at_end: self.is_full_at_end(key),
        };
        (outage, outage.map(speaking))
    }

    fn lasts(&self, key: PoolKey) -> bool {
        self.findings.span.is_some_and(|(_, end)| self.findings.world.ports.lasts(key, end))
    }

    fn is_full_at_end(&self, key: PoolKey) -> bool {
        self.findings.span.is_some_and(|(_, end)| self.findings.world.ports.is_full_at_end(key, end))
    }

    fn outages(&self, key: PoolKey, pool: &Pool, index: usize, conclusion: &mut Conclusion) {
        let all = pool.outages.all();
        let (lasts, is_full) = (self.lasts(key), self.is_full_at_end(key));
        for (number, outage) in all.iter().enumerate() {
            let end = pool.end.as_ref().filter(|_| is_full && number + 1 == all.len());
            let subjects = self.subjects(key, moment_of(outage, end));
            let mut holders: Vec<(Subject, u32)> = subjects
                .into_iter()
                .map(|(subject, seen)| (subject, seen.ports()))
                .filter(|(_, ports)| *ports > 0)
                .collect();
            holders.sort_by_key(|(subject, ports)| (std::cmp::Reverse(*ports), *subject));
            holders.truncate(OUTAGE_HOLDERS);
            conclusion.outages.push(PoolOutage {
                pool: index,
                first: outage.first,
                last: outage.last,
                failures: outage.failures,
                lasts: lasts && number + 1 == all.len(),
                is_full_at_end: is_full && number + 1 == all.len(),
                holders,
            });
        }
    }

    /// First and last port known to be in use, and whether many lie outside of those that binds were given.
    fn known_ports(
        &self,
        key: PoolKey,
        range: PoolRange,
        pool: &Pool,
        listing: Option<&SocketListing>,
        moment: Option<&Moment>,
    ) -> (Option<(u16, u16)>, bool) {
        let mut others: BTreeSet<u16> = BTreeSet::new();
        let is_other = |port: u16| pool.given.is_none_or(|(first, last)| !(first..=last).contains(&port));
        if let Some(seen) = self.findings.world.ports.transport.seen(key) {
            others.extend(seen.ports().filter(|port| range.contains(*port) && is_other(*port)));
        }
        let below = moment.filter(|moment| moment.transport.not_given > 0).and_then(|moment| moment.transport.span);
        others.extend(below.into_iter().flat_map(|(first, last)| [first, last]).filter(|port| is_other(*port)));
        let not_given = moment.map_or(0, |moment| moment.transport.not_given);
        for socket in listing.map(|listing| listing.sockets.as_slice()).unwrap_or_default() {
            let port = socket.local.filter(|_| Some(socket.protocol) == key.protocol && socket.family == key.family);
            others.extend(port.map(|local| local.port).filter(|port| range.contains(*port) && is_other(*port)));
        }
        let others_span = others.first().copied().zip(others.last().copied());
        let known = match (pool.given, others_span) {
            (Some((first, last)), Some((start, end))) => Some((first.min(start), last.max(end))),
            (given, others) => given.or(others),
        };
        (known, u32::try_from(others.len()).is_ok_and(|others| others.max(not_given) >= MANY_OTHERS))
    }

    /// TCP/IP does not tell the family of a port that it gave twice: it is that of the TCP pool with most in use.
    fn is_weak_pool(&self, key: PoolKey) -> bool {
        let ports = &self.findings.world.ports;
        let tcp = |family| PoolKey::new(Protocol::Tcp, family);
        let in_use =
            |key: PoolKey| ports.get(key).map_or(0, |pool| pool.held_peak.saturating_add(ports.transport.in_use(key)));
        let (v4, v6) = (tcp(Family::Ipv4), tcp(Family::Ipv6));
        key == if in_use(v6) > in_use(v4) { v6 } else { v4 }
    }

    /// The listing that shows most of a pool in use; of those that show it nearly full, one that is the last of its file. Rows
    /// without a family count for the pool that is full in the trace; else they stay in one whose family is not known. Listings
    /// are of the machine's own compartment. And most ports of it that any of them shows in TIME_WAIT.
    fn fullest_listing(&self, key: PoolKey, range: PoolRange) -> (Option<(&SocketListing, Usage)>, u32) {
        let mut fullest: Option<(&SocketListing, Usage)> = None;
        let is_vague_pool = key == self.vague_pool(key);
        if !key.compartment.is_own() || (key.family.is_none() && !is_vague_pool) {
            return (None, 0);
        }
        let mut most_waiting = 0;
        let rank = |listing: &SocketListing, usage: &Usage| {
            (is_near(usage.occupied(), range.count) && self.is_of_last_moment(listing), usage.occupied())
        };
        for listing in &self.side.listings {
            let usage = usage(listing, key, range, is_vague_pool);
            most_waiting = most_waiting.max(usage.time_wait);
            let more = fullest.as_ref().is_none_or(|(best, known)| rank(listing, &usage) > rank(best, known));
            if usage.occupied() > 0 && more {
                fullest = Some((listing, usage));
            }
        }
        let named = fullest.as_ref().and_then(|(best, usage)| self.with_owners(best, usage, key, range));
        (named.or(fullest), most_waiting)
    }

    /// Where a listing names nobody, another one of the last moment that names who has nearly as many (nine tenths).
    fn with_owners(
        &self,
        best: &SocketListing,
        of_best: &Usage,
        key: PoolKey,
        range: PoolRange,
    ) -> Option<(&SocketListing, Usage)> {
        if of_best.by_pid.keys().any(Option::is_some) || !of_best.by_image.is_empty() || !self.is_of_last_moment(best) {
            return None;
        }
        let is_vague_pool = key == self.vague_pool(key);
        let others = self.side.listings.iter().filter(|listing| self.is_of_last_moment(listing));
        let named = others.map(|listing| (listing, usage(listing, key, range, is_vague_pool))).filter(|(_, usage)| {
            let of_owners = usage.by_pid.iter().filter(|(pid, _)| pid.is_some()).map(|(_, listed)| listed.ports);
            let ports = of_owners.fold(0, u32::saturating_add);
            ports.saturating_mul(10) >= of_best.occupied().saturating_mul(9)
        });
        named.max_by_key(|(_, usage)| usage.occupied())
    }

    pub(super) fn vague_pool(&self, key: PoolKey) -> PoolKey {
        let failed = |family| {
            let key = PoolKey { family: Some(family), ..key };
            self.findings.world.ports.get(key).is_some_and(|pool| pool.failure_span.is_some())
        };
        PoolKey { family: [Family::Ipv4, Family::Ipv6].into_iter().find(|family| failed(*family)), ..key }
    }

    fn holder(&self, subject: Subject, seen: &Seen, pool: usize, when: When) -> Option<Holder> {
        let (held, in_trace, ports) = (seen.held(), seen.in_trace(), seen.ports());
        let listed = seen.listed.map_or(0, |listed| listed.ports);
        if ports == 0 {
            return None;
        }
        let evidence = if seen.time_wait > held {
            HolderEvidence::D
        } else if listed > 0 && listed >= in_trace {
            HolderEvidence::A
        } else if seen.older > seen.bound.saturating_add(seen.acquired) {
            HolderEvidence::B
        } else {
            HolderEvidence::C
        };
        let confidence = match evidence {
            HolderEvidence::A | HolderEvidence::B => Confidence::High,
            HolderEvidence::C | HolderEvidence::D if self.trust.lossy => Confidence::Low,
            HolderEvidence::C | HolderEvidence::D => Confidence::Medium,
        };
        let process = self.process_of(subject);
        let is_kernel_itself = match subject {
            Subject::Process(_) => process.is_some_and(|process| is_kernel(process.pid)),
            Subject::Listed(pid) => is_kernel(pid),
            Subject::Image(_) => false,
            Subject::Nobody => true,
        };
        // The kernel and those who are not known have no habits.
        let pattern = seen.pattern(when).filter(|pattern| *pattern == Pattern::Reservation || !is_kernel_itself);
        let pattern = pattern.filter(|pattern| *pattern == Pattern::Reservation || !self.trust.no_habits);
        let is_listed_so = || seen.is_flat_in_listings().then_some(AtRest::Listed);
        let at_rest = match pattern {
            None => self.at_rest(seen, when).or_else(is_listed_so),
            Some(Pattern::Leak) => is_listed_so(),
            Some(Pattern::Load) if !self.trust.lossy && seen.is_level(when) => Some(AtRest::Level),
            Some(_) => None,
        };
        // An average up to the last port says nothing of who has taken none lately, or no more than it gave back.
        let grows = pattern != Some(Pattern::Steady) && at_rest != Some(AtRest::Level);
        let per_minute = when.moment.filter(|_| process.is_some() && !self.trust.no_habits && grows);
        Some(Holder {
            subject,
            pool,
            ports,
            time_wait: seen.time_wait,
            turnover: seen.turnover(),
            waits_since_its_end: seen.waits_since_its_end(),
            closed_older: seen.closed_older,
            ended: process.is_some_and(|process| process.ended.is_some()),
            kept_since_end: None,
            evidence,
            confidence,
            pattern,
            at_rest,
            per_minute: per_minute.and_then(|moment| seen.per_minute(moment)),
            listed: seen.listed,
            close_wait: seen.close_wait,
            ports_later: seen.ports_later(),
            grew_in_listings: seen.grew_in_listings(when.count),
            seen: *seen,
        })
    }
}
