//! The codes of the page, each with what it means and what to do.

use std::collections::BTreeSet;

use crate::report::Report;
use crate::report::wording::sentence;

/// A code, explained.
pub(super) struct Explained {
    /// `reason`, `recommendation`, `alternative` or `cause`.
    pub(super) kind: &'static str,
    /// The code.
    pub(super) code: &'static str,
    /// What it stands for, in a line.
    pub(super) meaning: String,
    /// What follows, and what to do.
    pub(super) explanation: &'static str,
}

/// Every code that the report has, in the order in which it has them, each once.
pub(super) fn explained(report: &Report) -> Vec<Explained> {
    let mut all = Vec::new();
    macro_rules! add {
        ($kind:literal, $codes:expr) => {
            all.extend($codes.map(|code| Explained {
                kind: $kind,
                code: code.as_str(),
                meaning: sentence(code.meaning()),
                explanation: code.explanation(),
            }));
        };
    }
    add!("reason", report.verdict.reasons.iter().map(|reason| reason.code));
    add!("alternative", report.ruled_out.iter().map(|other| other.code));
    add!("recommendation", report.recommendations.iter().map(|step| step.code));
    add!("cause", report.unexplained.iter().flatten().flat_map(|row| row.possible.iter().copied()));
    let mut seen = BTreeSet::new();
    all.retain(|one: &Explained| seen.insert((one.kind, one.code)));
    all
}
