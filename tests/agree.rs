//! One definition of a failure: `events` lists what `analyze` counts, and says the same of whose each is.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::common::{corpus, fixtures, run, scratch};

/// A process as a line and a row both know it.
type Owner = (Option<u64>, Option<String>);

/// Bind and connect failures, and how the owner of each is known.
type Counts = (u64, u64, BTreeMap<String, u64>);

/// The ids of connects and completions of connects in both dialects.
const CONNECTS: [u64; 5] = [6, 1017, 1018, 1020, 1021];

/// What `analyze` counts for each owner; `None` where there is no report.
fn counted(inputs: &[OsString]) -> Option<(Value, BTreeMap<Owner, Counts>)> {
    let ran = run(["analyze".into(), "-f".into(), "json".into()].into_iter().chain(inputs.iter().cloned()));
    if ran.code == 2 {
        return None;
    }
    let report = ran.json();
    let mut owners: BTreeMap<Owner, Counts> = BTreeMap::new();
    for row in report["processes"].as_array().unwrap() {
        let count = |name: &str| row[name].as_u64().unwrap();
        if count("bind_failures") + count("connect_failures") == 0 {
            continue;
        }
        let owner = (row["pid"].as_u64(), row["image"].as_str().map(str::to_owned));
        let counts = owners.entry(owner).or_default();
        counts.0 += count("bind_failures");
        counts.1 += count("connect_failures");
        for (source, count) in row["owner_source"].as_object().unwrap() {
            let count = count.as_u64().unwrap();
            if count > 0 {
                *counts.2.entry(source.clone()).or_default() += count;
            }
        }
    }
    Some((report, owners))
}

/// What `events` lists for each owner.
fn listed(inputs: &[OsString], options: &[&str]) -> BTreeMap<Owner, Counts> {
    let options = options.iter().map(OsString::from);
    let ran =
        run(["events".into(), "-f".into(), "ndjson".into()].into_iter().chain(inputs.iter().cloned()).chain(options));
    assert_ne!(ran.code, 2, "{inputs:?}: {}", ran.stderr);
    let mut owners: BTreeMap<Owner, Counts> = BTreeMap::new();
    for line in ran.stdout.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let owner = (line["owner_pid"].as_u64(), line["owner_image"].as_str().map(str::to_owned));
        let counts = owners.entry(owner).or_default();
        let is_connect = CONNECTS.contains(&line["id"].as_u64().unwrap());
        *(if is_connect { &mut counts.1 } else { &mut counts.0 }) += 1;
        *counts.2.entry(line["owner_source"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    owners
}

/// Compares both on one case; gives the failures, or `None` where there is neither a trace nor a log of sockets.
pub fn compare(inputs: &[OsString]) -> Option<(u64, u64, usize)> {
    let (report, counted) = counted(inputs)?;
    let has_log = report["coverage"]["records_decoded"] != 0 || report["failures"]["binds"] != 0;
    if report["traces"].as_array().unwrap().is_empty() && !has_log {
        return None;
    }
    let listed = listed(inputs, &[]);
    assert_eq!(listed, counted, "{inputs:?}");
    let (binds, connects) = (&report["failures"]["binds"], &report["failures"]["connects"]);
    let (binds, connects) = (binds.as_u64().unwrap(), connects.as_u64().unwrap());
    let lines: u64 = listed.values().map(|(binds, connects, _)| binds + connects).sum();
    assert_eq!(lines, binds + connects, "{inputs:?}");
    Some((binds, connects, listed.len()))
}

fn traces_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    let is_trace = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "etl");
    let mut paths: Vec<PathBuf> = entries.filter(is_trace).collect();
    paths.sort_unstable();
    paths
}

#[test]
fn events_lists_what_analyze_counts_and_whose_it_is() {
    let folder = scratch();
    let mut cases: Vec<(String, Vec<OsString>)> = Vec::new();
    for scenario in synth::scenarios() {
        let written = synth::write(scenario.name).unwrap();
        let case = folder.path().join(scenario.name);
        std::fs::create_dir(&case).unwrap();
        let path = case.join(format!("{}.etl", scenario.name));
        std::fs::write(&path, written.trace).unwrap();
        for (file, bytes) in written.side_files {
            std::fs::write(case.join(file), bytes).unwrap();
        }
        cases.push((format!("synth {}", scenario.name), vec![path.into()]));
        cases.push((format!("synth {} with side files", scenario.name), vec![case.into()]));
    }
    // Several traces of several machines at once.
    let some = ["modern-64", "connect-failures", "internal-completions", "legacy", "system-context"];
    let some = some.map(|name| folder.path().join(name).join(format!("{name}.etl")).into_os_string());
    cases.push(("synth, five at once".to_owned(), some.to_vec()));
    let folders = [fixtures().join("synthetic"), fixtures().join("regressions")].into_iter().chain(corpus());
    for path in folders.flat_map(|folder| traces_in(&folder)) {
        cases.push((path.file_name().unwrap().to_string_lossy().into_owned(), vec![path.into()]));
    }
    let mut table = String::from("| case | binds | connects | owners |\n| --- | --- | --- | --- |\n");
    let (mut compared, mut failures, mut connects_seen) = (0, 0, 0);
    for (name, inputs) in &cases {
        let Some((binds, connects, owners)) = compare(inputs) else { continue };
        writeln!(table, "| {name} | {binds} | {connects} | {owners} |").unwrap();
        (compared, failures, connects_seen) = (compared + 1, failures + binds + connects, connects_seen + connects);
    }
    let summary = format!("{compared} cases agree: {failures} failures, of them {connects_seen} connects");
    println!("{summary}");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    std::fs::write(target.join("events-agree.md"), format!("{summary}\n\n{table}")).unwrap();
    assert!(compared >= 2 * synth::scenarios().len() && connects_seen > 0, "{summary}");
}

#[test]
fn the_lines_of_each_owner_are_those_that_its_row_counts() {
    let folder = scratch();
    for name in ["internal-completions", "system-context", "reused-pid", "connect-failures", "names-mof"] {
        let path = folder.path().join(format!("{name}.etl"));
        std::fs::write(&path, synth::write(name).unwrap().trace).unwrap();
        let inputs = [path.into_os_string()];
        let (_, counted) = counted(&inputs).unwrap();
        let pids: std::collections::BTreeSet<u64> = counted.keys().filter_map(|(pid, _)| *pid).collect();
        assert!(!pids.is_empty(), "{name}");
        for pid in pids {
            let of_pid: BTreeMap<Owner, Counts> = counted
                .iter()
                .filter(|((row, _), _)| *row == Some(pid))
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect();
            assert_eq!(listed(&inputs, &["--pid", &pid.to_string()]), of_pid, "{name}: {pid}");
        }
        for image in counted.keys().filter_map(|(_, image)| image.clone()) {
            let of_image: BTreeMap<Owner, Counts> = counted
                .iter()
                .filter(|((_, row), _)| *row == Some(image.clone()))
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect();
            let bare = image.strip_suffix(".exe").unwrap_or(&image).to_uppercase();
            for name in [&image, &bare] {
                assert_eq!(listed(&inputs, &["--process", name]), of_image, "{name}");
            }
        }
    }
}
