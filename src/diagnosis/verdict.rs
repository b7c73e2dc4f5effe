//! Is it port exhaustion, and how sure is that: a list of rules over the evidence.

mod rules;
#[cfg(test)]
mod tests;

use serde::Serialize;

use super::codes::{Lowers, ReasonCode};
use super::evidence::{NearBy, VerdictEvidence};
use super::state::{Confidence, State};
pub use rules::{EXPLAINED_PERCENT, RULES, Rule};

/// Why the verdict is what it is: a stable code, and a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Reason {
    /// The code, from [`RULES`].
    pub code: ReasonCode,
    /// For people: a sentence without its capital and its full stop, with the numbers of this case.
    pub text: String,
}

/// State, confidence and reasons, as the rules have them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The state.
    pub state: State,
    /// How far to trust it; `None` where the inputs cannot tell.
    pub confidence: Option<Confidence>,
    /// Why: the rules that apply, in the order of [`RULES`], most important first.
    pub reasons: Vec<Reason>,
}

impl Judgement {
    /// Whether an event log alone says that ports ran out.
    pub(super) fn is_said_by_log_alone(&self) -> bool {
        let grounds = self.reasons.iter().filter(|reason| !reason.code.is_doubt());
        grounds.map(|reason| reason.code).all(|code| code == ReasonCode::PoolFullEvents)
    }
}

/// Draws the verdict: the reasons are the rules that apply, the state follows from the evidence, and the confidence is what
/// the evidence allows, taken down by the doubts among the reasons.
pub fn judge(evidence: &VerdictEvidence) -> Judgement {
    let applies = |rule: &Rule| Some(Reason { code: rule.code, text: (rule.sentence)(evidence)? });
    let reasons: Vec<Reason> = RULES.iter().filter_map(applies).collect();
    let hides_failures = reasons.iter().any(|reason| reason.code.hides_failures());
    let (state, allowed) = if evidence.is_exhausted() {
        (State::Exhausted, if evidence.direct() == 0 { Confidence::Low } else { Confidence::High })
    } else if let Some(nearly) = evidence.nearly {
        let allowed = match nearly.by {
            NearBy::Trace => Confidence::High,
            NearBy::Listing => Confidence::Medium,
            NearBy::Groups | NearBy::TimeWait(_) => Confidence::Low,
        };
        (State::Near, allowed)
    } else if evidence.bind_records > 0 && !hides_failures {
        (State::NotSeen, Confidence::High)
    } else {
        return Judgement { state: State::CannotTell, confidence: None, reasons };
    };
    let counts_are_bounds = state == State::Exhausted && evidence.losses_are_large();
    let left = |reason: &Reason| match reason.code.lowers() {
        Lowers::Nothing => Confidence::High,
        Lowers::ToMedium if reason.code == ReasonCode::EventsLost && counts_are_bounds => Confidence::Low,
        Lowers::ToMedium => Confidence::Medium,
        Lowers::ToLow => Confidence::Low,
    };
    let confidence = reasons.iter().map(left).fold(allowed, Confidence::lower);
    Judgement { state, confidence: Some(confidence), reasons }
}
