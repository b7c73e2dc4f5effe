//! `--since` and `--until`: what is counted is limited, everywhere alike; state is followed from the beginning.

use std::collections::BTreeMap;
use std::path::Path;

use outofports::machine::window::Window;
use outofports::report::Report;
use outofports::time::FileTime;
use outofports::{Case, NoProgress, Options};

use crate::common::{run, scratch, write_scenario};

fn report(folder: &Path, window: Window) -> Report {
    let case = Case::from_paths([folder]).unwrap();
    let mut options = Options::default();
    options.window = window;
    outofports::analyze(&case, &options, &NoProgress).unwrap().report
}

/// What is counted, by process and over the whole.
fn counts(report: &Report) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    let mut add = |name: String, count: u64| *counts.entry(name).or_insert(0) += count;
    for row in &report.processes {
        let who = format!("{:?} {:?} {:?}", row.pid, row.image, row.started);
        for (name, count) in [
            ("bind failures", row.bind_failures),
            ("connect failures", row.connect_failures),
            ("binds", row.binds_ok),
            ("other failures", row.other_bind_failures),
            ("created", row.sockets_created),
            ("closed", row.sockets_closed),
            ("owners known", row.owner_source.known()),
        ] {
            add(format!("{who}: {name}"), count);
        }
    }
    for row in &report.failures.by_status {
        add(format!("{} {:?}", row.operation, row.status), row.count);
    }
    for pool in &report.pools {
        add(format!("{}: failures", pool.name()), pool.bind_failures + pool.connect_failures + pool.tcpip_refusals);
    }
    for row in &report.addresses {
        add(format!("{:?} {:?} {:?}", row.family, row.protocol, row.local_address), row.bind_failures);
    }
    add("low words".to_owned(), report.failures.other_low_word);
    add("weak references".to_owned(), report.failures.weak_references);
    add("refusals".to_owned(), report.failures.tcpip_refusals);
    counts.retain(|_, count| *count > 0);
    counts
}

/// What must agree within one report.
fn check(name: &str, report: &Report) {
    let failures = report.failures.binds + report.failures.connects;
    let of_processes: u64 = report.processes.iter().map(|row| row.bind_failures + row.connect_failures).sum();
    let of_outages: u64 = report.outages.iter().map(|outage| outage.failures).sum();
    let of_steps: u64 = report.timeline.iter().map(|step| step.failures()).sum();
    let of_owners: u64 = report.processes.iter().map(|row| row.owner_source.total()).sum();
    assert_eq!([of_processes, of_outages, of_steps, of_owners], [failures; 4], "{name}");
    assert_eq!(report.evidence.is_some(), failures > 0, "{name}");
    let Some(counted) = report.counted else { return };
    let is_in = |time: FileTime| {
        counted.since.is_none_or(|since| time >= since) && counted.until.is_none_or(|until| time <= until)
    };
    let verdict = &report.verdict;
    let times = [verdict.first_failure, verdict.last_failure].into_iter().flatten();
    let times = times.chain(report.outages.iter().flat_map(|outage| [outage.first, outage.last]));
    let times = times.chain(report.processes.iter().flat_map(|row| [row.first_failure, row.last_failure]).flatten());
    let times = times.chain(report.evidence.iter().map(|first| first.time));
    let times = times.chain(report.pools.iter().filter_map(|pool| pool.moment));
    for time in times {
        assert!(is_in(time), "{name}: {time} is not in {counted:?}");
    }
    for event in report.system_events.iter().filter(|event| event.in_span) {
        assert!(is_in(event.time), "{name}: {event:?}");
    }
    for step in &report.timeline {
        let end = FileTime(step.start.0 + step.seconds * FileTime::SECOND);
        let (late, early) = (counted.since, counted.until);
        assert!(late.is_none_or(|since| end >= since) && early.is_none_or(|until| step.start <= until), "{name}");
    }
}

/// When a trace is to be cut in two: in the middle of its failures, or of itself.
fn cut(whole: &Report) -> Option<FileTime> {
    let span = whole.verdict.first_failure.zip(whole.verdict.last_failure).filter(|(first, last)| first < last);
    let trace = whole.traces.first()?;
    let (first, last) = span.or(trace.started.zip(trace.ended))?;
    Some(FileTime(first.0 + (last.0 - first.0) / 2))
}

#[test]
fn two_halves_are_the_whole() {
    let mut tried = 0;
    for scenario in synth::scenarios() {
        let folder = scratch();
        write_scenario(scenario.name, folder.path());
        let whole = report(folder.path(), Window::default());
        check(scenario.name, &whole);
        let Some(cut) = cut(&whole) else { continue };
        let early = report(folder.path(), Window { since: None, until: Some(cut) });
        let late = report(folder.path(), Window { since: Some(FileTime(cut.0 + 1)), until: None });
        check(scenario.name, &early);
        check(scenario.name, &late);
        let mut sum = counts(&early);
        for (name, count) in counts(&late) {
            *sum.entry(name).or_insert(0) += count;
        }
        let whole_counts = counts(&whole);
        let differ: Vec<_> = whole_counts
            .iter()
            .filter(|(name, count)| sum.get(*name) != Some(count))
            .map(|(name, count)| (name, count, sum.get(name)))
            .collect();
        assert!(differ.is_empty() && sum.len() == whole_counts.len(), "{}: {differ:?}", scenario.name);
        // What is held at the end of the later half is what is held at the end of the whole.
        let held = |report: &Report| {
            let held = report.pools.iter().filter(|pool| pool.held_end > 0);
            held.map(|pool| (pool.name(), pool.held_end)).collect::<Vec<_>>()
        };
        assert_eq!(held(&late), held(&whole), "{}", scenario.name);
        tried += 1;
    }
    assert!(tried > 40, "{tried}");
}

#[test]
fn a_window_around_everything_changes_nothing_but_the_statement() {
    for name in ["leak", "modern-64", "connect-failures", "exhaustion-ends", "internal-completions", "near"] {
        let folder = scratch();
        write_scenario(name, folder.path());
        let whole = report(folder.path(), Window::default());
        let trace = &whole.traces[0];
        let mut all = report(folder.path(), Window { since: trace.started, until: trace.ended });
        assert!(all.counted.take().is_some());
        assert_eq!(serde_json::to_value(&all).unwrap(), serde_json::to_value(&whole).unwrap(), "{name}");
    }
}

/// The events behind a report, with the same limits, are those that it counts, of the same owners.
#[test]
fn events_with_the_same_limits_are_the_failures_counted() {
    for name in ["modern-64", "legacy", "names-mof", "internal-completions", "system-context", "connect-failures"] {
        let folder = scratch();
        let (trace, _) = write_scenario(name, folder.path());
        let whole = report(folder.path(), Window::default());
        let (first, last) = whole.verdict.first_failure.zip(whole.verdict.last_failure).unwrap();
        let third = (last.0 - first.0) / 3;
        let limits = [FileTime(first.0 + third), FileTime(last.0 - third)].map(|time| time.to_rfc3339().unwrap());
        let [since, until] = &limits;
        let with = |command: &str, format: &str| {
            let ran = run([
                command.as_ref(),
                trace.as_os_str(),
                "-f".as_ref(),
                format.as_ref(),
                "--since".as_ref(),
                since.as_ref(),
                "--until".as_ref(),
                until.as_ref(),
            ]);
            assert_eq!(ran.code, 0, "{ran:?}");
            ran
        };
        let analyzed = with("analyze", "json").json();
        let mut listed: BTreeMap<String, u64> = BTreeMap::new();
        for line in with("events", "ndjson").stdout.lines() {
            let event: serde_json::Value = serde_json::from_str(line).unwrap();
            *listed.entry(event["owner_pid"].to_string()).or_insert(0) += 1;
        }
        let mut counted: BTreeMap<String, u64> = BTreeMap::new();
        for row in analyzed["processes"].as_array().unwrap() {
            let failures = row["bind_failures"].as_u64().unwrap() + row["connect_failures"].as_u64().unwrap();
            if failures > 0 {
                *counted.entry(row["pid"].to_string()).or_insert(0) += failures;
            }
        }
        assert!(!listed.is_empty(), "{name}");
        assert_eq!(counted, listed, "{name}");
        assert_eq!(analyzed["counted"], serde_json::json!({ "since": since, "until": until }));
        let text = with("analyze", "text").stdout;
        assert!(text.lines().take(8).any(|line| line.contains("Counted: only what happened from")), "{text}");
    }
}

#[test]
fn before_the_failures_there_are_none_and_outside_of_the_trace_nothing_can_be_told() {
    let folder = scratch();
    write_scenario("leak", folder.path());
    let whole = report(folder.path(), Window::default());
    let first = whole.verdict.first_failure.unwrap();
    let calm = report(folder.path(), Window { since: None, until: Some(FileTime(first.0 - 600 * FileTime::SECOND)) });
    assert_eq!(format!("{:?}", calm.verdict.state), "NotSeen");
    // The leak is known for what it is although only its last minute counts.
    let late = report(folder.path(), Window { since: Some(first), until: None });
    assert_eq!(format!("{:?}", late.verdict.state), "Exhausted");
    let holder = |report: &Report| report.holders.first().map(|holder| (holder.ports, holder.pattern, holder.obtained));
    assert_eq!(holder(&late), holder(&whole));
    let start = whole.traces[0].started.unwrap();
    let before = report(folder.path(), Window { since: None, until: Some(FileTime(start.0 - 1)) });
    assert_eq!(format!("{:?}", before.verdict.state), "CannotTell");
    let ran = run(["analyze", "x.etl", "--since", "2026-01-02", "--until", "2026-01-01"]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("--since is later than --until"), "{ran:?}");
}
