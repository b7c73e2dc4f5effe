//! When a holder began to grow, where it had few ports for long before.

use super::forecast::level;
use super::grounds::Grounds;
use super::holders::{Holder, Pattern, Subject};
use super::pools::PoolFinding;
use crate::machine::timeline::Steps;
use crate::time::FileTime;

/// A leak that began at some moment of the trace.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Began {
    /// When it began to grow.
    pub at: FileTime,
    /// More ports held for each minute since then.
    pub per_minute: f64,
}

/// So small a part of what it holds (one in fifty) is nothing yet.
const NOTHING_SHARE: u32 = 50;

/// Steps that it grew in, at least: one that takes all at once has no rate.
const MIN_STEPS: usize = 4;

/// When a leak began to grow: it had next to nothing until then, for half of the time since its first port at least.
pub(super) fn began(grounds: &Grounds<'_>, holder: &Holder, pool: &PoolFinding, steps: &Steps) -> Option<Began> {
    let (first, moment) = holder.seen.first_port().zip(pool.moment)?;
    if holder.pattern != Some(Pattern::Leak) || holder.seen.is_judged_by_state() {
        return None;
    }
    let processes = &grounds.findings.world.processes;
    let held = |step: usize| {
        let of_pool = steps.steps.get(step).and_then(|step| level(step, pool.key));
        let own = of_pool.into_iter().flat_map(|level| level.largest());
        let own = own.filter(|(owner, _)| Subject::of(*owner, processes) == holder.subject);
        own.fold(0_u32, |sum, (_, ports)| sum.saturating_add(ports))
    };
    let is_before = |step: &usize| steps.start_of(step.saturating_add(1)) <= moment;
    let last = (0..steps.steps.len()).take_while(is_before).last()?;
    let most = held(last);
    let quiet = (0..last).rev().find(|step| held(*step).saturating_mul(NOTHING_SHARE) <= most)?;
    let (at, more) = (steps.start_of(quiet + 1), most.saturating_sub(held(quiet)));
    let is_late = at.since(first).saturating_mul(2) >= moment.since(first);
    let length = steps.start_of(last + 1).since(at);
    if !is_late || last - quiet < MIN_STEPS || length <= 0 || steps.start_of(quiet) < first {
        return None;
    }
    Some(Began { at, per_minute: f64::from(more) * (60 * FileTime::SECOND) as f64 / length as f64 })
}
