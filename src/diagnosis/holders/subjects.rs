//! Who held ports of a pool at one moment, as trace, reservations and listings show.

use std::collections::{BTreeMap, BTreeSet};

use super::habits::{GROWTH_LISTINGS, Later, ListedCourse};
use super::{Book, Seen, Subject, has_bound, is_same_image};
use crate::diagnosis::listings::{Usage, series, usage};
use crate::machine::moment::Moment;
use crate::machine::pool_key::PoolKey;
use crate::machine::processes::Process;
use crate::machine::ranges::PoolRange;
use crate::side::facts::{ListedOwner, ListedSocket, SocketListing};
use crate::time::FileTime;

/// What is closed within this time of the end of a process was closed by its end.
const AT_END_100NS: i64 = 5 * FileTime::SECOND;

/// Ports that were held for less than this (10 s) on average were those of short connections, also where an end closed them.
const LONG_100NS: i128 = 100_000_000;

/// Sockets with a port that a process closed one right after the other as it ended: none of its own doing.
fn closed_at_end(process: &Process) -> u64 {
    let is_long = process.tally.ages.of_released().is_some_and(|age| age >= LONG_100NS);
    let most = process.ended.zip(process.tally.closed.most_at_once()).filter(|_| is_long);
    let at_end = most.filter(|(ended, most)| ended.since(most.last).saturating_abs() <= AT_END_100NS);
    at_end.map_or(0, |(_, most)| most.sockets)
}

/// So many more sockets of others are usual.
const MORE_OF_OTHERS: u32 = 256;

/// Whether listings show the same kinds of sockets, whole, and at different times: then what one has more is new.
fn are_alike(samples: &[&SocketListing], key: PoolKey) -> bool {
    let Some((first, rest)) = samples.split_first() else { return false };
    let is_of_pool = |socket: &ListedSocket| {
        Some(socket.protocol) == key.protocol && (socket.family == key.family || socket.family.is_none())
    };
    // One that ends early has rows of fewer processes.
    let pids = |sample: &SocketListing| sample.sockets.iter().map(|socket| socket.pid).collect::<BTreeSet<_>>().len();
    let most = samples.iter().map(|sample| pids(sample)).max().unwrap_or(0);
    let is_whole = |sample: &&SocketListing| !sample.is_part() && pids(sample) * 4 >= most * 3;
    let is_at_once =
        |pair: &[&SocketListing]| matches!(pair, [one, other] if one.taken.is_some() && one.taken == other.taken);
    rest.iter().all(|sample| has_bound(sample) == has_bound(first))
        && samples.iter().all(|sample| sample.sockets.iter().any(is_of_pool))
        && samples.iter().all(is_whole)
        && !samples.windows(2).any(is_at_once)
}

impl Book<'_> {
    /// What the trace shows of a pool at a moment.
    pub(super) fn subjects(&self, key: PoolKey, moment: Option<&Moment>) -> BTreeMap<Subject, Seen> {
        let processes = &self.findings.world.processes;
        let mut subjects: BTreeMap<Subject, Seen> = BTreeMap::new();
        let Some(moment) = moment else { return subjects };
        for held in &moment.owners {
            let seen = subjects.entry(Subject::of(held.owner, processes)).or_default();
            seen.bound = seen.bound.saturating_add(held.ports);
            seen.unnumbered = seen.unnumbered.saturating_add(held.unnumbered);
            seen.obtained += held.obtained;
            seen.released += held.released;
            seen.closed_older += held.closed_older;
            seen.ages.add(held.ages);
            seen.growth.add(held.growth);
        }
        for (owner, ports) in &moment.time_wait_owners {
            let seen = subjects.entry(Subject::of(*owner, processes)).or_default();
            seen.time_wait = seen.time_wait.saturating_add(*ports);
        }
        for (process, ports) in &moment.transport.time_wait_of {
            let seen = subjects.entry(Subject::Process(processes.index(*process))).or_default();
            seen.time_wait = seen.time_wait.saturating_add(*ports);
        }
        for (process, ports) in &moment.transport.close_wait_of {
            let seen = subjects.entry(Subject::Process(processes.index(*process))).or_default();
            seen.close_wait = seen.close_wait.saturating_add(*ports);
        }
        for ((process, older), ports) in &moment.transport.by_process {
            let subject = process.map_or(Subject::Nobody, |process| Subject::Process(processes.index(process)));
            let seen = subjects.entry(subject).or_default();
            let sum = if *older { &mut seen.older } else { &mut seen.acquired };
            *sum = sum.saturating_add(ports.ports);
            seen.close_wait = seen.close_wait.saturating_add(ports.close_wait);
            seen.acquired_ages.add(ports.ages);
            seen.acquired_first = seen.acquired_first.into_iter().chain(ports.first).min();
        }
        for (subject, seen) in &mut subjects {
            let Subject::Process(index) = subject else { continue };
            let Some(process) = processes.processes().get(*index) else { continue };
            let tally = &process.tally;
            let in_pool = tally.in_pool(key);
            seen.later = Later {
                obtained: in_pool.obtained,
                released: in_pool.released,
                held: in_pool.ports.into(),
                lasts: process.lasts(),
                closed_at_end: closed_at_end(process),
            };
        }
        subjects
    }

    /// Sockets older than the trace that processes closed which had no port of their own then: they are not among the owners.
    pub(super) fn add_closed_older(&self, subjects: &mut BTreeMap<Subject, Seen>) {
        for (subject, seen) in subjects.iter_mut().filter(|(_, seen)| seen.obtained == 0) {
            let process = self.process_of(*subject);
            seen.closed_older = process.map_or(0, |process| process.tally.closed_older.sockets);
        }
    }

    /// Ports that processes have reserved.
    pub(super) fn add_reserved(&self, key: PoolKey, range: PoolRange, subjects: &mut BTreeMap<Subject, Seen>) {
        for (process, ports) in self.reserved(key, range) {
            let seen = subjects.entry(Subject::Process(process)).or_default();
            seen.reserved = seen.reserved.saturating_add(ports);
        }
    }

    /// What a listing shows of the pool.
    pub(super) fn add_listed(
        &self,
        listing: Option<&SocketListing>,
        usage: &Usage,
        subjects: &mut BTreeMap<Subject, Seen>,
    ) {
        for (pid, listed) in &usage.by_pid {
            let subject = match pid {
                None => Subject::Nobody,
                Some(pid) => self.listed_subject(*pid, listing),
            };
            subjects.entry(subject).or_default().listed = Some(*listed);
        }
        for (image, listed) in &usage.by_image {
            let number = self.images.binary_search(&image).ok().and_then(|number| u32::try_from(number).ok());
            let of_image = || number.map_or(Subject::Nobody, Subject::Image);
            let subject = self.only_process_of(image, subjects).unwrap_or_else(of_image);
            subjects.entry(subject).or_default().listed = Some(*listed);
        }
    }

    /// The process of the trace whose ports a row without PID shows: that of its image, where only one has any.
    fn only_process_of(&self, owner: &ListedOwner, subjects: &BTreeMap<Subject, Seen>) -> Option<Subject> {
        let image = owner.image.as_deref()?;
        let processes = self.findings.world.processes.processes();
        let is_of_image = |subject: &&Subject| match subject {
            Subject::Process(index) => {
                let known = processes.get(*index).and_then(Process::image);
                known.is_some_and(|(known, _)| is_same_image(known, image))
            }
            _ => false,
        };
        let mut of_image = subjects.keys().filter(is_of_image);
        of_image.next().copied().filter(|_| of_image.next().is_none())
    }

    /// Ports that a listing shows of a process that uses sockets of another one count for their creator, where the trace shows that
    /// it holds them.
    pub(super) fn give_to_creators(&self, subjects: &mut BTreeMap<Subject, Seen>) {
        let processes = &self.findings.world.processes;
        let mut users: Vec<(usize, usize)> = self
            .findings
            .world
            .ports
            .users
            .iter()
            .map(|((creator, user), _)| (processes.index(creator), processes.index(user)))
            .collect();
        users.sort_unstable();
        users.dedup();
        for (creator, user) in users {
            let [creator, user] = [creator, user].map(Subject::Process);
            let Some(of_user) = subjects.get(&user).filter(|_| creator != user).copied() else { continue };
            let Some(of_creator) = subjects.get_mut(&creator) else { continue };
            let Some(listed) = of_user.listed.filter(|listed| listed.ports > of_user.in_trace()) else { continue };
            let mut both = of_creator.listed.unwrap_or_default();
            both.add(&listed);
            // More than the creator holds is the user's own.
            if both.ports.saturating_sub(of_user.in_trace()) > of_creator.in_trace() {
                continue;
            }
            both.ports = both.ports.saturating_sub(of_user.in_trace());
            of_creator.listed = Some(both);
            if let Some(of_user) = subjects.get_mut(&user) {
                of_user.listed = None;
            }
        }
    }

    pub(super) fn is_of_last_moment(&self, listing: &SocketListing) -> bool {
        self.last_moments.iter().any(|last| std::ptr::eq(*last, listing))
    }

    /// What the listings of the same file up to this one show of the same processes, where they show the same kinds of sockets, and more
    /// of the pool is in use by now than in the first: in a pool that was full nobody could grow.
    pub(super) fn add_course(
        &self,
        listing: Option<&SocketListing>,
        key: PoolKey,
        range: PoolRange,
        subjects: &mut BTreeMap<Subject, Seen>,
    ) {
        let Some(listing) = listing else { return };
        let all = series(&self.side.listings);
        let of_this = all.iter().find_map(|series| {
            let at = series.listings.iter().position(|one| std::ptr::eq(*one, listing))?;
            series.listings.get(..=at)
        });
        let Some(samples) = of_this.filter(|samples| samples.len() >= GROWTH_LISTINGS && are_alike(samples, key))
        else {
            return;
        };
        let usages: Vec<Usage> =
            samples.iter().map(|sample| usage(sample, key, range, key == self.vague_pool(key))).collect();
        let [first, .., last] = usages.as_slice() else { return };
        if u64::from(first.occupied()) * 100 >= u64::from(last.occupied()) * 95 {
            return;
        }
        for (pid, seen) in self.of_listing((listing, samples.first().copied().unwrap_or(listing)), subjects) {
            let ports =
                |usage: &Usage| pid.and_then(|pid| usage.by_pid.get(&Some(pid))).map_or(0, |listed| listed.ports);
            let ports: Vec<u32> = usages.iter().map(ports).collect();
            // Where others had far fewer too, the first may lack rows.
            let of_others =
                |usage: &Usage, own: Option<&u32>| usage.occupied().saturating_sub(own.copied().unwrap_or(0));
            let (then, now) = (of_others(first, ports.first()), of_others(last, ports.last()));
            let are_others_alike = now.saturating_sub(then) <= MORE_OF_OTHERS.max(now / 3);
            let fell = |pair: &[u32]| matches!(*pair, [one, other] if u64::from(other) * 10 < u64::from(one) * 9);
            let (least, most) = (ports.iter().min(), ports.iter().max());
            seen.course = least.zip(most).zip(ports.first()).map(|((least, most), first)| ListedCourse {
                first: *first,
                listings: ports.len(),
                range: (*least, *most),
                is_rise: are_others_alike && !ports.windows(2).any(fell),
            });
        }
    }

    /// Who is listed, with the PID that shows it in another listing too; without one where it is another image there.
    fn of_listing<'s>(
        &self,
        (listing, other): (&SocketListing, &SocketListing),
        subjects: &'s mut BTreeMap<Subject, Seen>,
    ) -> impl Iterator<Item = (Option<u32>, &'s mut Seen)> {
        let image = |listing: &SocketListing, pid| listing.owners.get(&pid)?.image.clone();
        let listed = subjects.iter_mut().filter(|(_, seen)| seen.listed.is_some());
        listed.filter_map(move |(subject, seen)| {
            let pid = subject.pid(self.findings.world.processes.processes())?;
            let images = image(listing, pid).zip(image(other, pid));
            let is_other = images.is_some_and(|(one, two)| !is_same_image(&one, &two));
            Some(((!is_other).then_some(pid), seen))
        })
    }

    /// What the last listing of the same file shows of the same processes, where that is a later one: of a PID that another
    /// image has by then, nothing.
    pub(super) fn add_listed_later(
        &self,
        listing: Option<&SocketListing>,
        key: PoolKey,
        range: PoolRange,
        subjects: &mut BTreeMap<Subject, Seen>,
    ) {
        let Some(listing) = listing.filter(|listing| !self.is_of_last_moment(listing)) else { return };
        let is_same = |last: &&&SocketListing| {
            (last.moments(), &last.asked) == (listing.moments(), &listing.asked) && !last.is_of_other_machine(listing)
        };
        let Some(last) = self.last_moments.iter().find(is_same) else { return };
        let by_pid = usage(last, key, range, key == self.vague_pool(key)).by_pid;
        for (pid, seen) in self.of_listing((listing, last), subjects) {
            let listed = pid.and_then(|pid| by_pid.get(&Some(pid)));
            seen.listed_later = Some(listed.map_or(0, |listed| listed.ports));
        }
    }

    /// The process of the trace that a listing shows with this PID: the one that ran at the end, else the one that had ended
    /// by then, since the listing may be older. One of another name is another process.
    fn listed_subject(&self, pid: u32, listing: Option<&SocketListing>) -> Subject {
        let index = self.last_of_pid.get(&pid).or_else(|| self.latest_of_pid.get(&pid));
        let process = index.and_then(|index| self.findings.world.processes.processes().get(*index));
        let named = process.and_then(Process::image).map(|(image, _)| image);
        let listed = listing.and_then(|listing| listing.owners.get(&pid)).and_then(|owner| owner.image.as_deref());
        match index {
            Some(index) if named.zip(listed).is_none_or(|(one, other)| is_same_image(one, other)) => {
                Subject::Process(*index)
            }
            _ => Subject::Listed(pid),
        }
    }
}
