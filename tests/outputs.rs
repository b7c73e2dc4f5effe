//! Where reports go: several files of one analysis, tables for spreadsheets.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use serde_json::Value;

use crate::common::{run, scratch, write_scenario};

fn analyze(input: &Path, rest: &[&OsStr]) -> crate::common::Ran {
    let mut arguments: Vec<&OsStr> = vec!["analyze".as_ref(), input.as_os_str()];
    arguments.extend(rest);
    run(arguments)
}

fn file_names(folder: &Path) -> Vec<OsString> {
    let mut names: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    names
}

#[test]
fn several_outputs_are_those_of_one_each() {
    let folder = scratch();
    let (trace, _) = write_scenario("leak", folder.path());
    let out = folder.path().join("out");
    std::fs::create_dir(&out).unwrap();
    let paths: Vec<_> = ["a.json", "a.md", "a.TXT", "a.csv", "a"].map(|name| out.join(name)).into();
    let mut rest: Vec<&OsStr> = Vec::new();
    for path in &paths {
        rest.extend(["-o".as_ref(), path.as_os_str()]);
    }
    let ran = analyze(&trace, &rest);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""), "{ran:?}");
    assert_eq!(file_names(&out).len(), 5);
    for (path, format) in paths.iter().zip(["json", "markdown", "text", "csv", "text"]) {
        let alone = analyze(&trace, &["-f".as_ref(), format.as_ref()]).stdout;
        let written = std::fs::read_to_string(path).unwrap();
        assert_eq!(written.trim_start_matches('\u{feff}'), alone, "{path:?}");
        assert_eq!(written.starts_with('\u{feff}'), format == "csv", "only a CSV file has a mark");
    }
    let forced = out.join("b.md");
    let ran = analyze(&trace, &["-f".as_ref(), "json".as_ref(), "-o".as_ref(), forced.as_os_str(), "-o-".as_ref()]);
    assert_eq!(ran.code, 0);
    assert_eq!(std::fs::read_to_string(&forced).unwrap(), ran.stdout);
    assert!(ran.json().is_object());
}

#[test]
fn where_one_output_cannot_be_written_there_is_none() {
    let folder = scratch();
    let (trace, _) = write_scenario("single-failure", folder.path());
    let out = folder.path().join("out");
    std::fs::create_dir_all(out.join("folder.md")).unwrap();
    let old = out.join("a.json");
    std::fs::write(&old, "old").unwrap();
    for bad in ["folder.md", "nowhere/a.md"] {
        let bad = out.join(bad);
        let ran = analyze(&trace, &["-o".as_ref(), old.as_os_str(), "-o".as_ref(), bad.as_os_str()]);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
        assert!(ran.stderr.contains(&*bad.to_string_lossy()) && ran.stderr.contains("cannot be written"), "{ran:?}");
        assert_eq!(std::fs::read_to_string(&old).unwrap(), "old");
        assert_eq!(file_names(&out), ["a.json", "folder.md"]);
    }
}

/// A device that is always full: known only when it is written to.
#[cfg(target_os = "linux")]
#[test]
fn a_device_that_fails_leaves_no_file_behind() {
    let folder = scratch();
    let (trace, _) = write_scenario("single-failure", folder.path());
    let out = folder.path().join("a.json");
    let ran = analyze(&trace, &["-o".as_ref(), out.as_os_str(), "-o".as_ref(), "/dev/full".as_ref()]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("/dev/full: cannot be written"), "{ran:?}");
    assert_eq!(file_names(folder.path()), ["single-failure.etl"]);
}

#[test]
fn one_path_twice_or_an_input_as_output_is_bad_usage() {
    let folder = scratch();
    let (trace, _) = write_scenario("names-tasklist", folder.path());
    let path = folder.path().join("a.json");
    let other = folder.path().join("./sub/../a.json");
    std::fs::create_dir(folder.path().join("sub")).unwrap();
    let ran = analyze(&trace, &["-o".as_ref(), path.as_os_str(), "-o".as_ref(), other.as_os_str()]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("is given twice"), "{ran:?}");
    let listing = folder.path().join("tasklist.txt");
    let before = std::fs::read(&listing).unwrap();
    let taken = ["--tasklist".as_ref(), listing.as_os_str(), "-o".as_ref(), listing.as_os_str()];
    for arguments in [&taken[..], &["-o".as_ref(), path.as_os_str(), "-o".as_ref(), trace.as_os_str()]] {
        let ran = analyze(&trace, arguments);
        assert_eq!(ran.code, 2);
        assert!(ran.stderr.contains("is an input, and would be overwritten"), "{ran:?}");
    }
    assert_eq!(std::fs::read(&listing).unwrap(), before);
    assert!(!path.exists());
}

/// The rows of a table, by column, with the apostrophe of text cells taken away as its documentation says.
fn table(input: &Path, name: &str) -> Vec<std::collections::BTreeMap<String, String>> {
    let ran = analyze(input, &["-f".as_ref(), "csv".as_ref(), "--table".as_ref(), name.as_ref()]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(!ran.stdout.starts_with('\u{feff}'), "a pipe gets no mark");
    let mut reader = csv::Reader::from_reader(ran.stdout.as_bytes());
    let plain = |cell: &str| cell.strip_prefix('\'').unwrap_or(cell).to_owned();
    let heads = reader.headers().unwrap().clone();
    let row = |row: csv::StringRecord| heads.iter().map(str::to_owned).zip(row.iter().map(plain)).collect();
    reader.records().map(|record| row(record.unwrap())).collect()
}

/// What JSON has, as a cell has it.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join(" "),
        value => value.to_string(),
    }
}

#[test]
fn tables_hold_what_the_json_report_holds() {
    let folder = scratch();
    for name in ["leak", "heavy-load", "churn-time-wait", "fixed-port-conflict", "one-local-address", "farm"] {
        let (trace, _) = write_scenario(name, folder.path());
        let report = analyze(&trace, &["-f".as_ref(), "json".as_ref()]).json();
        let list = |pointer: &str| report.pointer(pointer).unwrap().as_array().unwrap().clone();
        let tables = [
            ("processes", list("/processes")),
            ("failures", list("/failures/by_status")),
            ("holders", list("/holders")),
            ("images", list("/images")),
            ("timeline", list("/timeline")),
        ];
        for (table_name, rows) in tables {
            let cells = table(&trace, table_name);
            assert_eq!(cells.len(), rows.len(), "{name}: {table_name}");
            for (cells, row) in cells.iter().zip(&rows) {
                let pool = row.get("pool").and_then(Value::as_u64).map(|pool| &report["pools"][pool as usize]);
                let process =
                    row.get("process").and_then(Value::as_u64).map(|process| &report["processes"][process as usize]);
                for (column, value) in cells {
                    let owner_source = column.strip_prefix("owner_").and_then(|source| row["owner_source"].get(source));
                    let of_pool = || pool.and_then(|pool| pool.get(column.strip_prefix("pool_").unwrap_or(column)));
                    let of_process = || process.and_then(|process| process.get(column));
                    let known = row.get(column).or(owner_source).or_else(of_pool).or_else(of_process);
                    match (column.as_str(), known) {
                        ("is_exhaustion", _) => assert_eq!(value == "true", row["status"] == "0xC0000209"),
                        ("by_holder", _) => {
                            let holder = |holder: &Value| {
                                let process = &report["processes"][holder["process"].as_u64().unwrap() as usize];
                                format!("{}:{}", process["pid"], holder["ports"])
                            };
                            let told: Vec<_> = row["by_holder"].as_array().unwrap().iter().map(holder).collect();
                            assert_eq!(*value, told.join(" "));
                        }
                        (_, Some(known)) => assert_eq!(*value, cell(known), "{name}: {table_name}: {column}"),
                        (_, None) => panic!("{name}: {table_name}: JSON has no {column}"),
                    }
                }
            }
        }
    }
}

#[test]
fn a_table_without_csv_is_bad_usage() {
    let folder = scratch();
    let (trace, _) = write_scenario("single-failure", folder.path());
    let ran = analyze(&trace, &["--table".as_ref(), "holders".as_ref()]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("--table is for CSV"), "{ran:?}");
    let path = folder.path().join("h.csv");
    let ran = analyze(&trace, &["--table".as_ref(), "holders".as_ref(), "-o".as_ref(), path.as_os_str()]);
    assert_eq!(ran.code, 0);
    assert!(std::fs::read_to_string(&path).unwrap().starts_with("\u{feff}pid,image,services,protocol"));
}

#[test]
fn times_are_shown_in_the_zone_asked_for_and_json_stays_utc() {
    let folder = scratch();
    let (trace, _) = write_scenario("leak", folder.path());
    let with = |rest: &[&str]| {
        let rest: Vec<&OsStr> = rest.iter().map(OsStr::new).collect();
        let ran = analyze(&trace, &rest);
        assert_eq!(ran.code, 0, "{ran:?}");
        ran
    };
    let utc = with(&[]).stdout;
    assert!(utc.contains("First failure at 09:49:17.6878306 UTC ("), "{utc}");
    let behind = with(&["--tz", "-10:30"]).stdout;
    assert!(behind.contains("2026-03-09 23:00:00 – 23:20:17.302 UTC-10:30"), "{behind}");
    assert!(
        behind.contains("First failure at 23:19:17.6878306 UTC-10:30 (2026-03-10 09:49:17 UTC), last at"),
        "{behind}"
    );
    assert!(behind.contains("from 23:00:00 UTC-10:30") && !behind.contains(" 09:30"), "{behind}");
    let markdown = with(&["--tz=+0530", "-f", "markdown"]).stdout;
    assert!(markdown.contains("First (UTC+5:30)") && markdown.contains("| 15:19:17.687 |"), "{markdown}");
    assert!(with(&["--tz", "server"]).stdout.contains("09:49:17.6878306 UTC"));
    for format in ["json", "csv"] {
        assert_eq!(with(&["-f", format, "--tz", "+01:00"]).stdout, with(&["-f", format]).stdout);
    }
    for bad in ["+25:00", "+1:60", "CET", "+", "+-1:00", "1:00"] {
        assert_eq!(analyze(&trace, &["--tz".as_ref(), bad.as_ref()]).code, 2, "{bad}");
    }
    let local = crate::common::command()
        .env("TZ", "UTC-3")
        .args(["analyze".as_ref(), trace.as_os_str(), "--tz".as_ref(), "local".as_ref()])
        .output()
        .unwrap();
    let local = String::from_utf8(local.stdout).unwrap();
    assert!(!cfg!(unix) || local.contains("12:49:17.6878306 UTC+3:00"), "{local}");
}

#[test]
fn what_a_folder_holds_is_not_overwritten_and_an_earlier_report_in_it_is() {
    let folder = scratch();
    let case = folder.path().join("case");
    std::fs::create_dir_all(case.join("deep")).unwrap();
    let (trace, _) = write_scenario("single-failure", &case);
    let listing = case.join("deep/tasklist.txt");
    std::fs::write(&listing, "Image Name    PID Services\n============= === ========\nw3wp.exe      5120 W3SVC\n")
        .unwrap();
    let elsewhere = folder.path().join("elsewhere.etl");
    std::fs::copy(&trace, &elsewhere).unwrap();
    let mut outputs = vec![trace.clone(), case.join("./deep/../single-failure.etl")];
    if cfg!(unix) {
        let link = |original: &Path, link: &Path| {
            #[cfg(unix)]
            std::os::unix::fs::symlink(original, link).unwrap();
            let _ = (original, link);
        };
        link(&elsewhere, &case.join("linked.etl"));
        link(&case, &folder.path().join("also-case"));
        outputs.extend([elsewhere.clone(), folder.path().join("also-case/single-failure.etl")]);
    }
    let before = std::fs::read(&trace).unwrap();
    for command in ["analyze", "events", "info"] {
        for output in &outputs {
            let ran = run([command.as_ref(), case.as_os_str(), "-o".as_ref(), output.as_os_str()]);
            assert_eq!(ran.code, 2, "{command} {output:?}: {ran:?}");
            assert!(ran.stderr.contains("is an input, and would be overwritten"), "{command} {output:?}: {ran:?}");
        }
    }
    assert!(std::fs::read(&trace).unwrap() == before && std::fs::read(&elsewhere).unwrap() == before);
    for ending in ["txt", "md", "html", "json", "csv"] {
        let report = case.join(format!("report.{ending}"));
        for _ in 0..2 {
            let ran = analyze(&case, &["-o".as_ref(), report.as_os_str()]);
            assert_eq!(ran.code, 0, "{ending}: {ran:?}");
        }
    }
    // What an earlier report says is no evidence.
    let report = analyze(&case, &["-f".as_ref(), "json".as_ref()]).json();
    let used = report["side_inputs"].as_array().unwrap().iter().filter(|side| side["used"] == true);
    let used: Vec<&str> = used.map(|side| side["path"].as_str().unwrap()).collect();
    assert!(matches!(used.as_slice(), [path] if path.ends_with("tasklist.txt")), "{used:?}");
}

#[test]
fn the_key_of_a_redaction_is_not_overwritten() {
    let folder = scratch();
    let (trace, _) = write_scenario("single-failure", folder.path());
    let key = folder.path().join("key");
    std::fs::write(&key, "secret").unwrap();
    let arguments = ["--redact".as_ref(), "--redact-key".as_ref(), key.as_os_str(), "-o".as_ref(), key.as_os_str()];
    let ran = analyze(&trace, &arguments);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.stderr.contains("is the key, and would be overwritten"), "{ran:?}");
    assert_eq!(std::fs::read(&key).unwrap(), b"secret");
}

#[test]
fn lines_of_events_and_info_show_times_in_the_zone_asked_for() {
    let folder = scratch();
    let (trace, _) = write_scenario("single-failure", folder.path());
    let with = |command: &str, more: &[&str]| {
        let mut arguments = vec![command.into(), trace.clone().into_os_string()];
        arguments.extend(more.iter().map(Into::into));
        let ran = run(arguments);
        assert_eq!(ran.code, 0, "{ran:?}");
        ran.stdout
    };
    for command in ["events", "info"] {
        let (utc, ahead) = (with(command, &[]), with(command, &["--tz", "+01:30"]));
        assert!(utc.contains("T09:30:") && !utc.contains("+01:30"), "{utc}");
        assert!(ahead.contains("T11:00:") && ahead.contains("+01:30 ") && !ahead.contains("T09:30:"), "{ahead}");
        assert!(utc == with(command, &["--tz", "utc"]));
        let programs = if command == "events" { "ndjson" } else { "json" };
        assert!(with(command, &["-f", programs, "--tz", "+01:30"]) == with(command, &["-f", programs]));
    }
}

#[test]
fn a_csv_file_of_events_begins_with_a_byte_order_mark_and_a_pipe_does_not() {
    let folder = scratch();
    let (trace, _) = write_scenario("single-failure", folder.path());
    let path = folder.path().join("events.csv");
    let arguments = ["events".as_ref(), trace.as_os_str(), "-f".as_ref(), "csv".as_ref()];
    let piped = run(arguments).stdout;
    let ran = run(arguments.into_iter().chain(["-o".as_ref(), path.as_os_str()]));
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(piped.starts_with("time,") && std::fs::read_to_string(&path).unwrap() == format!("\u{feff}{piped}"));
}
