//! `live` and `collect`: options in, report or archive out.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::writing::{Target, check_writable, refuse_to_overwrite_key, set_zone, tell, write_reports};
use super::{Failure, Outcome, redaction};
use crate::case::label;
use crate::cli::{Collect, EventLog, Live, LiveAlerts};
use crate::live::alerts::Asked;
use crate::live::alerts::program::Program;
use crate::live::display::Told;
use crate::live::session::PanicGuard;
use crate::live::{self, capture};

pub(crate) fn live(options: &Live) -> Result<Outcome, Failure> {
    let plan = capture::Plan {
        duration: options.duration,
        until_failures: options.until_failures,
        interval: options.interval,
        record: options.record.as_deref().map(absolute),
        max_file_mib: options.max_file_mib,
        buffer_mib: options.buffer_mib,
        pool: options.pool,
        poll: !options.no_poll,
    };
    let outputs: Vec<PathBuf> = options.output.output.iter().cloned().collect();
    let targets = Target::all(&outputs, options.format, None, false)?;
    // Better now than after the capture.
    outputs.iter().try_for_each(|output| refuse_to_overwrite_key(output, &[&options.redaction.redact_key]))?;
    targets.iter().try_for_each(Target::check_writable)?;
    let names = redaction::names(&options.redaction)?;
    let asked = asked(&options.alerts)?;
    let told = match (options.common.quiet, options.common.no_progress) {
        (true, _) => Told::Troubles,
        (false, true) => Told::News,
        (false, false) => Told::Moments,
    };
    let mut captured = live::run(&plan, asked, told).map_err(Failure::Live)?;
    if let Some(mut names) = names {
        let recorded: Vec<String> = plan.record.iter().map(|path| label(path)).collect();
        captured.report.redact(&mut names, &recorded);
    }
    if let Some(remark) = set_zone(&mut captured.report, options.look.times.tz) {
        tell(&options.common, remark);
    }
    let write = |targets: &[Target]| write_reports(targets, options.common.color, &options.look, &captured.report);
    let is_written = match write(&targets) {
        Err(failure @ Failure::Output { .. }) if !outputs.is_empty() => {
            // What was captured for hours is worth more than the option.
            let _ = writeln!(io::stderr(), "outofports: {failure}; the report is printed instead");
            write(&targets.iter().map(Target::printed).collect::<Vec<_>>())?;
            false
        }
        result => result.map(|()| true)?,
    };
    let is_complete = captured.is_complete && is_written;
    Ok(Outcome::of_report(captured.report.verdict.state, options.fail_on_verdict, is_complete))
}

/// What those are told who watch machines; what cannot work is refused now.
fn asked(options: &LiveAlerts) -> Result<Asked, Failure> {
    let usage = |option: &str, why: &str| Failure::Usage(format!("--{option} {why}"));
    if let Some(path) = &options.prom {
        if path.extension().is_none_or(|ending| !ending.eq_ignore_ascii_case("prom")) {
            let why = "the name must end in .prom: windows_exporter reads no other files";
            return Err(usage("prom", &format!("{}: {why}", label(path))));
        }
        check_writable(path).map_err(|error| Failure::output(path, error))?;
    }
    let program = (!options.on_failure.is_empty()).then(|| Program::new(&options.on_failure));
    Ok(Asked {
        metrics: options.prom.clone(),
        program: program.transpose().map_err(|why| usage("on-failure", &why))?,
        event_log: options.event_log.is_some(),
        registers_source: options.event_log == Some(EventLog::Register),
        threshold: options.threshold,
        heartbeat: options.heartbeat,
    })
}

pub(crate) fn collect(options: &Collect) -> Result<Outcome, Failure> {
    let system = live::this_system().map_err(Failure::Live)?;
    let interrupt = live::interrupt().map_err(Failure::Live)?;
    let _guard = PanicGuard::new(&system);
    let minutes = options.minutes.map(|minutes| Duration::from_secs(u64::from(minutes) * 60));
    let plan = live::collect::Plan {
        out: absolute(&options.out),
        duration: minutes.or(options.duration),
        until_failure: options.until_failure,
        max_file_mib: options.max_file_mib,
        buffer_mib: options.buffer_mib,
    };
    let mut tell = |line: &str| {
        if !options.quiet {
            let _ = writeln!(io::stderr(), "outofports: {line}");
        }
    };
    let failed = live::collect::collect(&system, &plan, &interrupt, &mut tell).map_err(|error| match error {
        live::collect::CollectError::Capture(trouble) => Failure::Live(trouble),
        live::collect::CollectError::Archive(source) => Failure::output(&options.out, source),
    })?;
    for line in &failed {
        let _ = writeln!(io::stderr(), "outofports: {line}");
    }
    Ok(if failed.is_empty() { Outcome::Complete } else { Outcome::Incomplete })
}

/// As the system's services need paths, which do not know the current folder.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
