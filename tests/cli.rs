//! Options, messages, exit codes, pipes, output files.

use std::io::{Read, Write};
use std::process::Stdio;

use crate::common::{command, fixtures, run, scratch, write_scenario};

fn refused(arguments: &[&std::ffi::OsStr]) -> String {
    let ran = run(arguments);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{ran:?}");
    assert_eq!(ran.stderr.lines().count(), 1, "{ran:?}");
    ran.stderr
}

#[test]
fn what_is_no_trace_is_refused_in_one_line() {
    let folder = scratch();
    let text = folder.path().join("text.etl");
    std::fs::write(&text, "Session started at 9:12\n".repeat(100)).unwrap();
    for command in ["analyze", "info"] {
        let command = command.as_ref();
        assert!(refused(&[command, text.as_os_str()]).contains("is not an ETW trace but text"));
        assert!(refused(&[command, folder.path().join("missing.etl").as_os_str()]).contains("no such file"));
        let empty = folder.path().join("empty");
        std::fs::create_dir_all(&empty).unwrap();
        assert!(refused(&[command, empty.as_os_str()]).contains("holds no trace"));
        if cfg!(unix) {
            assert!(refused(&[command, "/dev/null".as_ref()]).contains("is empty"));
        }
        let zero = folder.path().join("zero.etl");
        std::fs::write(&zero, []).unwrap();
        assert!(refused(&[command, zero.as_os_str()]).contains("is empty"));
    }
}

#[test]
fn bad_usage_is_exit_2() {
    assert_eq!(run(["analyze"]).code, 2);
    assert_eq!(run(["analyze", "x.etl", "--threads", "0"]).code, 2);
    assert_eq!(run(["nonsense"]).code, 2);
}

#[test]
fn the_version_tells_what_was_built_where_somebody_asks() {
    let version = concat!("outofports ", env!("CARGO_PKG_VERSION"));
    assert_eq!(run(["--version"]).stdout, format!("{version}\n"));
    for arguments in [&["--version", "--verbose"][..], &["-v", "-V"], &["-Vv"]] {
        let ran = run(arguments);
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
        let lines: Vec<&str> = ran.stdout.lines().collect();
        let names: Vec<&str> = lines.iter().map(|line| line.split(": ").next().unwrap()).collect();
        assert_eq!(names, [version, "commit", "features", "target"]);
        assert!(lines[2].contains("cli"), "{ran:?}");
        assert!(lines[3].contains(std::env::consts::ARCH), "{ran:?}");
    }
    assert_eq!(run(["--verbose"]).code, 2);
}

#[test]
fn a_closed_pipe_is_success() {
    let folder = scratch();
    let (trace, _) = write_scenario("modern-64", folder.path());
    let mut child = command()
        .args(["analyze".as_ref(), trace.as_os_str(), "-f".as_ref(), "json".as_ref()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The reader goes away before the program has written anything.
    drop(child.stdout.take());
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!((child.wait().unwrap().code(), stderr.as_str()), (Some(0), ""));
}

#[test]
fn an_output_file_is_whole_or_not_there() {
    let folder = scratch();
    let (trace, _) = write_scenario("single-failure", folder.path());
    let output = folder.path().join("report.json");
    let arguments =
        ["analyze".as_ref(), trace.as_os_str(), "-f".as_ref(), "json".as_ref(), "-o".as_ref(), output.as_os_str()];
    let ran = run(arguments);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""));
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(&output).unwrap()).unwrap();
    assert_eq!(report["schema_version"], 1);
    let nowhere = folder.path().join("no/such/folder/report.json");
    let ran = run(["analyze".as_ref(), trace.as_os_str(), "-o".as_ref(), nowhere.as_os_str()]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("cannot be written"), "{ran:?}");
    // Nothing else is left in the folder.
    let left = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 2);
}

#[test]
fn color_is_a_matter_of_choice_and_never_of_json() {
    let folder = scratch();
    let (trace, _) = write_scenario("single-failure", folder.path());
    let with = |options: &[&str]| {
        let mut arguments = vec!["analyze".as_ref(), trace.as_os_str()];
        arguments.extend(options.iter().map(std::ffi::OsStr::new));
        run(arguments).stdout
    };
    assert!(!with(&[]).contains('\u{1b}'), "a pipe gets no colors");
    assert!(with(&["--color", "always"]).contains("\u{1b}["));
    assert!(!with(&["--color", "never"]).contains('\u{1b}'));
    assert!(!with(&["--color", "always", "-f", "json"]).contains('\u{1b}'));
}

#[test]
fn verdict_codes_are_opt_in() {
    let folder = scratch();
    for (name, code) in [("modern-64", 10), ("healthy", 0), ("no-afd", 20)] {
        let (trace, _) = write_scenario(name, folder.path());
        assert_eq!(run(["analyze".as_ref(), trace.as_os_str()]).code, 0, "{name}");
        assert_eq!(run(["analyze".as_ref(), trace.as_os_str(), "--fail-on-verdict".as_ref()]).code, code, "{name}");
    }
}

#[test]
fn a_bad_input_beside_a_good_one_costs_the_exit_code_not_the_report() {
    let folder = scratch();
    let (trace, expected) = write_scenario("modern-64", folder.path());
    let text = folder.path().join("text.etl");
    std::fs::write(&text, "no trace at all, but long enough to be looked at as one: 72 bytes are needed").unwrap();
    let arguments = ["analyze".as_ref(), trace.as_os_str(), text.as_os_str(), "-f".as_ref(), "json".as_ref()];
    let ran = run(arguments);
    assert_eq!(ran.code, 1);
    let report = ran.json();
    assert_eq!(report["failures"]["binds"], expected.binds);
    let notes = report["coverage"]["notes"].as_array().unwrap();
    assert!(
        notes.iter().any(|note| note.as_str().unwrap().contains("text.etl: is not an ETW trace but text: give")),
        "{notes:?}"
    );
    assert!(ran.stderr.contains("text.etl"));
    let tasklist = folder.path().join("no-tasklist.txt");
    std::fs::write(&tasklist, "hello").unwrap();
    let ran = run([
        "analyze".as_ref(),
        trace.as_os_str(),
        "--tasklist".as_ref(),
        tasklist.as_os_str(),
        "-f".as_ref(),
        "json".as_ref(),
    ]);
    assert_eq!(ran.code, 1);
    assert_eq!(ran.json()["side_inputs"][0]["used"], false);
}

#[test]
fn a_folder_is_one_case() {
    let folder = scratch();
    let (_, expected) = write_scenario("names-tasklist", folder.path());
    std::fs::write(folder.path().join("broken.etl"), "no trace").unwrap();
    let ran = run(["analyze".as_ref(), folder.path().as_os_str(), "-f".as_ref(), "json".as_ref()]);
    assert_eq!(ran.code, 0, "what a folder holds beside a trace is a note: {ran:?}");
    let report = ran.json();
    assert_eq!(report["failures"]["binds"], expected.binds);
    assert_eq!(report["processes"][0]["image_source"], "tasklist");
    assert_eq!(report["side_inputs"][0]["kind"], "tasklist");
    assert!(report["coverage"]["notes"].to_string().contains("broken.etl"));
}

#[test]
fn a_report_cabinet_names_its_processes() {
    let folder = scratch();
    let written = synth::write("names-tasklist").unwrap();
    let tasklist = &written.side_files.iter().find(|(name, _)| name == "tasklist.txt").unwrap().1;
    for compression in [cab::CompressionType::None, cab::CompressionType::MsZip] {
        let mut builder = cab::CabinetBuilder::new();
        let members = builder.add_folder(compression);
        for name in ["report.etl", "processes.txt", "osinfo.txt", "other.etl"] {
            members.add_file(name);
        }
        let path = folder.path().join("nettrace.cab");
        let mut writer = builder.build(std::fs::File::create(&path).unwrap()).unwrap();
        while let Some(mut file) = writer.next_file().unwrap() {
            let bytes: &[u8] = match file.file_name() {
                "report.etl" => &written.trace,
                "processes.txt" => tasklist,
                _ => b"irrelevant",
            };
            file.write_all(bytes).unwrap();
        }
        writer.finish().unwrap();
        let ran = run(["analyze".as_ref(), path.as_os_str(), "-f".as_ref(), "json".as_ref()]);
        assert_eq!(ran.code, 0, "{ran:?}");
        let report = ran.json();
        assert_eq!(report["failures"]["binds"], written.expected.binds);
        assert_eq!(report["traces"].as_array().unwrap().len(), 1);
        assert!(report["traces"][0]["path"].as_str().unwrap().ends_with("nettrace.cab/report.etl"));
        let images: Vec<_> = report["processes"].as_array().unwrap().iter().map(|row| row["image"].as_str()).collect();
        let expected: Vec<_> = written.expected.processes.iter().map(|row| row.image.as_deref()).collect();
        assert_eq!(images, expected);
        assert_eq!(run(["info".as_ref(), path.as_os_str(), "-f".as_ref(), "json".as_ref()]).json()["kind"], "cab");
    }
    let broken = folder.path().join("broken.cab");
    std::fs::write(&broken, b"MSCF and nothing behind").unwrap();
    assert!(refused(&["analyze".as_ref(), broken.as_os_str()]).contains("cabinet that cannot be read"));
}

#[test]
#[cfg(not(windows))]
fn live_capture_needs_windows_and_says_so() {
    for arguments in [&["live", "--duration", "90s"][..], &["collect", "--out", "case.zip"]] {
        let ran = run(arguments);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{ran:?}");
        assert_eq!(ran.stderr.lines().count(), 1, "{ran:?}");
        assert!(ran.stderr.contains("needs Windows: run outofports.exe on the server"), "{ran:?}");
    }
    for wrong in ["--duration=soon", "--interval=0s", "--buffer-mib=0", "--until-failures=0"] {
        let ran = run(["live", wrong]);
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.stderr.contains("invalid value"), "{ran:?}");
    }
}

#[test]
fn what_nobody_could_be_told_is_refused_before_the_capture() {
    for (arguments, words) in [
        (&["live", "--prom", "metrics.txt"][..], "must end in .prom"),
        (&["live", "--prom", "no/such/folder/x.prom"], "cannot be written"),
        (&["live", "--on-failure", "notify.cmd", "-x"], "reads their arguments anew"),
        (&["live", "--on-failure", "no-such-program-here"], "there is no such program"),
        (&["live", "--heartbeat", "5m", "--quiet"], "cannot be used with"),
        (&["live", "--threshold", "101"], "invalid value"),
        (&["live", "--event-log=no"], "invalid value"),
        (&["collect", "--out", "x.zip", "--minutes", "5", "--duration", "5m"], "cannot be used with"),
        (&["collect", "--out", "x.zip", "--until-failure=soon"], "invalid value"),
    ] {
        let ran = run(arguments);
        assert!(ran.code == 2 && ran.stderr.contains(words), "{arguments:?}: {ran:?}");
    }
}

#[test]
fn help_texts_are_reviewed() {
    for (name, arguments) in [
        ("help", "--help"),
        ("help-analyze", "analyze --help"),
        ("help-analyze-short", "analyze -h"),
        ("help-events", "events --help"),
        ("help-packets", "packets --help"),
        ("help-info", "info --help"),
        ("help-live", "live --help"),
        ("help-collect", "collect --help"),
        ("help-batch", "batch --help"),
        ("help-explain", "explain --help"),
        ("help-completions", "completions --help"),
        ("help-man", "man --help"),
    ] {
        insta::assert_snapshot!(name, command_columns(arguments));
    }
}

fn command_columns(arguments: &str) -> String {
    let output = command().args(arguments.split(' ')).env("COLUMNS", "100").output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn committed_fixtures_are_what_their_writer_writes() {
    for name in ["modern-64", "legacy", "compressed"] {
        let committed = fixtures().join("synthetic").join(format!("{name}.etl"));
        assert_eq!(std::fs::read(&committed).unwrap(), synth::write(name).unwrap().trace, "{name}");
    }
}
