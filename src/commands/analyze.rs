//! `analyze`.

use std::time::Instant;

use super::writing::{refuse_to_overwrite, tell_speed, warn, write_report};
use super::{Failure, Outcome, case_of};
use crate::Options;
use crate::cli::Analyze;
use crate::diagnosis::state::State;
use crate::terminal::with_bar;

pub(super) fn analyze(options: &Analyze) -> Result<Outcome, Failure> {
    let started = Instant::now();
    let common = &options.common;
    refuse_to_overwrite(common, &options.inputs)?;
    let case = case_of(&options.inputs, options.side.named()).with_encoding(options.side.encoding);
    let how = Options { threads: common.threads(), pool: options.pool };
    let analyzed = with_bar(common.is_silent(), |progress| crate::analyze(&case, &how, progress))?;
    write_report(common, options.format, &options.look, &analyzed.report)?;
    warn(common, &analyzed.unusable);
    tell_speed(common, analyzed.traces, analyzed.bytes, started);
    let state = analyzed.report.verdict.state;
    Ok(if options.fail_on_verdict && state != State::NotSeen {
        Outcome::Verdict(state)
    } else if analyzed.is_complete {
        Outcome::Complete
    } else {
        Outcome::Incomplete
    })
}
