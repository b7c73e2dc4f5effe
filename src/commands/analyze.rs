//! `analyze`.

use std::time::Instant;

use super::writing::{Target, refuse_to_overwrite, set_zone, tell, tell_speed, warn, write_reports};
use super::{Failure, Outcome, case_of, redaction};
use crate::Options;
use crate::cli::Analyze;
use crate::machine::window::Window;
use crate::terminal::with_bar;

pub(super) fn analyze(options: &Analyze) -> Result<Outcome, Failure> {
    let started = Instant::now();
    let common = &options.common;
    let targets = Target::all(&options.output, options.format, options.table, options.compact)?;
    let side = options.side.named();
    let case = case_of(&options.inputs, side).with_encoding(options.side.encoding);
    refuse_to_overwrite(&options.output, &case, &[&options.redaction.redact_key])?;
    targets.iter().try_for_each(Target::check_writable)?;
    let names = redaction::names(&options.redaction)?;
    let window = Window { since: options.since, until: options.until };
    if window.since.zip(window.until).is_some_and(|(since, until)| since > until) {
        return Err(Failure::Usage("--since is later than --until: nothing would be counted".to_owned()));
    }
    let how = Options { threads: common.threads(), pool: options.pool, window };
    let mut analyzed = with_bar(common.is_silent(), |progress| crate::analyze(&case, &how, progress))?;
    if let Some(mut names) = names {
        analyzed.report.redact(&mut names, &analyzed.names);
    }
    let remark = set_zone(&mut analyzed.report, options.look.times.tz);
    write_reports(&targets, common.color, &options.look, &analyzed.report)?;
    warn(common, &analyzed.unusable);
    if let Some(remark) = remark {
        tell(common, remark);
    }
    tell_speed(common, analyzed.traces, analyzed.bytes, started);
    Ok(Outcome::of_report(analyzed.report.verdict.state, options.fail_on_verdict, analyzed.is_complete))
}
