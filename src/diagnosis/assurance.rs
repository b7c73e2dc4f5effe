//! What speaks for the verdict, beside its reasons.

use super::codes::ReasonCode;
use super::evidence::VerdictEvidence;
use super::grounds::Grounds;
use super::verdict::Judgement;
use crate::machine::tally::OwnerSource;

/// Something that makes the verdict more certain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Assurance {
    /// No session lost anything, none was left open, and nothing is damaged.
    NothingLost,
    /// Of all failures, so many have an owner that is known.
    OwnersKnown {
        /// Failures with such an owner.
        known: u64,
        /// Of these, from a record header that is reliable.
        located: u64,
        /// All failures, bind and connect; not 0.
        failures: u64,
    },
    /// TCP/IP's own events tell of refusals too.
    TransportAgrees {
        /// Requests refused; not 0.
        refusals: u64,
    },
}

/// What speaks for the verdict.
pub(super) fn assurances(grounds: &Grounds<'_>, judgement: &Judgement, evidence: &VerdictEvidence) -> Vec<Assurance> {
    let mut assurances = Vec::new();
    let codes = || judgement.reasons.iter().map(|reason| reason.code);
    let speaks = grounds.traces.iter().any(|trace| trace.summary.speaks);
    if speaks && !codes().any(ReasonCode::is_incompleteness) {
        assurances.push(Assurance::NothingLost);
    }
    let failures = evidence.failures();
    if failures > 0 && !codes().any(|code| code == ReasonCode::WeakOwners) {
        let mut total = OwnerSource::default();
        grounds.rows.rows.iter().for_each(|row| total.add(row.owner_source));
        assurances.push(Assurance::OwnersKnown { known: total.known(), located: total.header_location, failures });
    }
    if evidence.refusals > 0 && failures > 0 {
        assurances.push(Assurance::TransportAgrees { refusals: evidence.refusals });
    }
    assurances
}
