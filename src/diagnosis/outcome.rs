//! Pools and holders as the case ends up seeing them, and which of them speak for it.

use super::began::began;
use super::codes::PossibleCause;
use super::evidence::VerdictEvidence;
use super::forecast::{Forecast, level};
use super::grounds::Grounds;
use super::holders::{AtRest, Conclusion, Holder, HolderEvidence, Pattern, Subject};
use super::naming::{ProcessRow, Rows};
use super::pools::{PoolFinding, is_dns_pool, share};
use super::state::{Confidence, State};
use super::unexplained::UnexplainedRow;
use super::verdict::judge;
use crate::machine::owner::is_kernel;
use crate::machine::timeline::Steps;
use crate::net::Family;
use crate::time::FileTime;

/// A pool, and what it is in this case.
#[derive(Debug, Clone)]
pub struct PoolOutcome {
    /// The pool.
    pub finding: PoolFinding,
    /// Its state. Where it depends on the case, that of the case without its full pools.
    pub state: State,
    /// Whether its holders are of interest: it was full or nearly full, or takes the ports of one that was; where there is
    /// none, those of every pool are.
    pub is_of_interest: bool,
    /// How it is known that its largest holder holds ports; `None` where it has none.
    pub known_by: Option<HolderEvidence>,
    /// When it will be full; `None` where it does not fill, or nothing tells well enough.
    pub forecast: Option<Forecast>,
    /// Where others were served all along, whose requests failed: indexes into the process rows.
    pub failing_alone: Vec<usize>,
    /// Ports left at the end; `None` where much of it is not visible, or events were lost.
    pub left_at_end: Option<u32>,
}

/// A holder, and what it looks like in this case.
#[derive(Debug, Clone)]
pub struct HolderOutcome {
    /// The holder, its confidence and its pattern as they are in the end.
    pub holder: Holder,
    /// Index into the process rows.
    pub process: usize,
    /// Part of its pool, from 0 to 1.
    pub share_of_pool: f64,
    /// What it looks like.
    pub look: Look,
    /// When it began to grow, where it had hardly any ports for long before.
    pub began: Option<FileTime>,
    /// Who else used sockets that it created (brokers, inherited and duplicated handles): index into the process rows, and
    /// binds and connects, most first.
    pub users: Vec<(usize, u64)>,
}

impl HolderOutcome {
    /// Whether it took its ports early and has not grown since, or holds them on purpose: others fill the pool.
    pub(super) fn keeps_what_it_took(&self) -> bool {
        matches!(self.look, Look::Steady | Look::DnsPool) || self.holder.at_rest == Some(AtRest::TakenEarly)
    }

    /// Whether nearly all of its ports are older than the trace, so that it did not grow into the failure. Whether it leaked
    /// them before, nothing tells.
    pub(super) fn is_older(&self) -> bool {
        self.holder.at_rest == Some(AtRest::Older)
    }

    /// Whether it had about as many ports in the first of several listings.
    pub(super) fn is_listed_so(&self) -> bool {
        self.holder.at_rest == Some(AtRest::Listed)
    }

    /// Whether it gives back as much as it takes, so that it did not grow into the failure.
    pub(super) fn is_level(&self) -> bool {
        self.holder.at_rest == Some(AtRest::Level)
    }
}

/// What a holder's use of ports looks like, in more detail than its pattern.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Look {
    /// It stands for the kernel, which works for drivers and services.
    Kernel,
    /// A leak by the state of its sockets (BOUND, CLOSE_WAIT): how it came to have them is not in the trace.
    IdleSockets,
    /// A leak that gave nothing back.
    LeakWithoutClose,
    /// A leak that gave back a tenth at most.
    LeakHardlyClosed,
    /// A leak that gave back more, and keeps the rest.
    LeakPartlyClosed,
    /// It took its ports early, and has not grown since.
    Steady,
    /// Load; successful binds for each minute of the traces, where their length is known.
    Load(Option<f64>),
    /// Churn, likewise.
    Churn(Option<f64>),
    /// A reserved range.
    Reservation,
    /// DNS Server's pool of sockets, which it holds on purpose.
    DnsPool,
    /// Nothing tells.
    NotTold,
}

/// Users of a holder's sockets that are told.
const MAX_USERS: usize = 10;

/// The pools of the case.
pub(super) fn pools(
    (conclusion, rows): (&Conclusion, &Rows),
    case: State,
    evidence: &VerdictEvidence,
    unexplained: Option<&[UnexplainedRow]>,
    forecast: impl Fn(&PoolFinding) -> Option<Forecast>,
    timeline: &Steps,
) -> Vec<PoolOutcome> {
    // A pool in which nothing failed, nor ran nearly full, is judged as the case would be without the others.
    let otherwise = match case {
        State::NotSeen | State::CannotTell => case,
        State::Exhausted | State::Near => judge(&evidence.without_failures()).state,
    };
    let state = |pool: &PoolFinding| pool.state.unwrap_or(otherwise);
    let matters = |pool: &PoolFinding| {
        matches!(state(pool), State::Exhausted | State::Near) && !pool.is_vague_beside(&conclusion.pools)
    };
    let any_matters = conclusion.pools.iter().any(matters);
    let taken_from = |row: &&UnexplainedRow| row.possible.contains(&PossibleCause::DualStack);
    let takes_both = |pool: &PoolFinding| {
        let rows = unexplained.unwrap_or_default().iter().filter(taken_from);
        let mut others = rows.filter_map(|row| conclusion.pools.get(row.pool));
        pool.key.family == Some(Family::Ipv6) && others.any(|other| other.key.protocol == pool.key.protocol)
    };
    let failing = |pool: &PoolFinding| {
        let failing = pool.others_served.iter().flat_map(|served| &served.failing);
        failing.filter_map(|index| rows.index.get(&Subject::Process(*index)).copied()).collect()
    };
    let outcome = |(index, pool): (usize, &PoolFinding)| PoolOutcome {
        finding: pool.clone(),
        state: state(pool),
        is_of_interest: !any_matters || matters(pool) || takes_both(pool),
        known_by: conclusion
            .holders
            .iter()
            .filter(|holder| holder.pool == index)
            .max_by_key(|holder| holder.ports)
            .map(|holder| holder.evidence)
            // Ports in TIME_WAIT have no owner any more.
            .or_else(|| (pool.listed_time_wait > 0).then_some(HolderEvidence::A)),
        forecast: forecast(pool),
        failing_alone: failing(pool),
        left_at_end: left_at_end(pool, timeline).filter(|_| !evidence.has_gaps()),
    };
    conclusion.pools.iter().enumerate().map(outcome).collect()
}

/// Ports that a pool has left at the end of the traces, or where there is none, by the listings.
fn left_at_end(pool: &PoolFinding, timeline: &Steps) -> Option<u32> {
    if pool.outage.is_some_and(|outage| outage.is_full_at_end) {
        return Some(0);
    }
    let is_hidden = pool.state == Some(State::Exhausted) && !pool.is_explained();
    // What the timeline counts is over all local addresses, and without what listings show.
    let is_partly = pool.local_address.is_some() || (pool.listing.is_some() && !timeline.steps.is_empty());
    if is_hidden || is_partly || pool.refuted.is_some() || pool.is_not_understood() {
        return None;
    }
    let in_use = match timeline.steps.last() {
        Some(step) => level(step, pool.key).map_or(0, |level| level.occupied).saturating_add(pool.idle),
        None => pool.explained,
    };
    Some(pool.range.count.saturating_sub(in_use))
}

/// The holders of the case that have a row, most ports first; `fine` are the steps of the timeline.
pub(super) fn holders(grounds: &Grounds<'_>, fine: &Steps) -> Vec<HolderOutcome> {
    let Grounds { conclusion, rows, .. } = *grounds;
    let minutes = minutes(grounds);
    let outcome = |holder: &Holder| {
        let pool = conclusion.pools.get(holder.pool)?;
        let process = *rows.index.get(&holder.subject)?;
        let row = rows.rows.get(process)?;
        let is_dns = is_dns_pool(row.image.as_deref().unwrap_or(""), pool.key, holder.ports);
        let pattern = holder.pattern.filter(|_| !is_dns);
        let is_doubtful = holder.evidence == HolderEvidence::A && conclusion.is_over_counted(holder.pool);
        let confidence = if is_doubtful { Confidence::Medium } else { holder.confidence };
        let began = began(grounds, holder, pool, fine);
        let per_minute = began.map(|began| began.per_minute).or(holder.per_minute).filter(|_| !is_dns);
        Some(HolderOutcome {
            process,
            share_of_pool: share(holder.ports, pool.range.count),
            look: look(holder, pattern, row, is_dns, minutes),
            users: users(grounds, holder.subject),
            began: began.map(|began| began.at),
            holder: Holder { confidence, pattern, per_minute, ..holder.clone() },
        })
    };
    conclusion.holders.iter().filter_map(outcome).collect()
}

/// Processes that used sockets which this one created, most first.
fn users(grounds: &Grounds<'_>, subject: Subject) -> Vec<(usize, u64)> {
    let Subject::Process(creator) = subject else { return Vec::new() };
    let processes = &grounds.findings.world.processes;
    let mut users: Vec<(usize, u64)> = Vec::new();
    for ((by, user), count) in grounds.findings.world.ports.users.iter() {
        if processes.index(by) == creator
            && let Some(row) = grounds.rows.index.get(&Subject::Process(processes.index(user)))
        {
            users.push((*row, count));
        }
    }
    users.sort_by_key(|(row, count)| (std::cmp::Reverse(*count), *row));
    users.truncate(MAX_USERS);
    users
}

fn look(holder: &Holder, pattern: Option<Pattern>, row: &ProcessRow, is_dns: bool, minutes: Option<f64>) -> Look {
    if row.pid.is_some_and(is_kernel) {
        return Look::Kernel;
    }
    let (obtained, released) = holder.turnover;
    let binds_per_minute = minutes.map(|minutes| row.binds_ok as f64 / minutes);
    match pattern {
        Some(Pattern::Leak) if holder.seen.is_judged_by_state() => Look::IdleSockets,
        Some(Pattern::Leak) if released == 0 && holder.closed_older == 0 => Look::LeakWithoutClose,
        Some(Pattern::Leak) if released.saturating_mul(10) > obtained => Look::LeakPartlyClosed,
        Some(Pattern::Leak) => Look::LeakHardlyClosed,
        Some(Pattern::Steady) => Look::Steady,
        Some(Pattern::Load) => Look::Load(binds_per_minute),
        Some(Pattern::Churn) => Look::Churn(binds_per_minute),
        Some(Pattern::Reservation) => Look::Reservation,
        None if is_dns => Look::DnsPool,
        None => Look::NotTold,
    }
}

/// When the last trace ended, as its header says.
fn end(grounds: &Grounds<'_>) -> Option<FileTime> {
    grounds.speaking().filter_map(|trace| trace.summary.ended).max()
}

/// Minutes that the traces last, as their headers say.
fn minutes(grounds: &Grounds<'_>) -> Option<f64> {
    let start = grounds.speaking().filter_map(|trace| trace.summary.started).min()?;
    let minutes = end(grounds)?.since(start) as f64 / (60 * FileTime::SECOND) as f64;
    (minutes > 0.0).then_some(minutes)
}

/// Indexes of the processes with bind or connect failures, most of both together first; of equals, most bind failures.
pub(super) fn sufferers(rows: &Rows) -> Vec<usize> {
    let failures = |index: &usize| {
        rows.rows.get(*index).map_or((0, 0), |row| (row.bind_failures + row.connect_failures, row.bind_failures))
    };
    let mut sufferers: Vec<usize> = (0..rows.rows.len()).filter(|index| failures(index) != (0, 0)).collect();
    sufferers.sort_by_key(|index| std::cmp::Reverse(failures(index)));
    sufferers
}
