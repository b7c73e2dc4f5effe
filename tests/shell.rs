//! What belongs to a shell: completions, manual pages, a subcommand left out.

use std::ffi::OsStr;

use crate::common::{command, run, scratch, write_scenario};

#[test]
fn completions_know_every_subcommand() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let ran = run(["completions", shell]);
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
        for word in ["analyze", "events", "info", "live", "collect", "batch", "explain", "since", "table", "shard"] {
            assert!(ran.stdout.contains(word), "{shell}: {word}");
        }
        assert!(!ran.stdout.contains("worker"), "{shell}");
    }
    assert_eq!(run(["completions", "cmd"]).code, 2);
}

/// A shell that is there reads them without complaint.
#[cfg(unix)]
#[test]
fn bash_takes_its_completions() {
    let folder = scratch();
    let path = folder.path().join("completions.bash");
    std::fs::write(&path, run(["completions", "bash"]).stdout).unwrap();
    let script = format!(
        "set -e; source {}; COMP_WORDS=(outofports ana); COMP_CWORD=1; _outofports outofports ana outofports; echo ${{COMPREPLY[@]}}",
        path.display()
    );
    let Ok(output) = std::process::Command::new("bash").args(["-c", &script]).output() else { return };
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "analyze", "{output:?}");
}

#[test]
fn manual_pages_are_one_for_each_subcommand() {
    let page = run(["man"]);
    assert_eq!(page.code, 0);
    assert!(page.stdout.contains(".TH outofports 1") && page.stdout.contains("outofports\\-analyze(1)"));
    let folder = scratch();
    let out = folder.path().join("man1");
    let ran = run(["man".as_ref(), "--out".as_ref(), out.as_os_str()]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""));
    let names: std::collections::BTreeSet<String> =
        std::fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    for name in ["outofports.1", "outofports-analyze.1", "outofports-events.1", "outofports-explain.1"] {
        assert!(names.contains(name), "{names:?}");
    }
    assert!(std::fs::read_to_string(out.join("outofports-analyze.1")).unwrap().contains("\\-\\-since"));
}

#[test]
fn a_file_without_a_subcommand_is_analyzed() {
    let folder = scratch();
    let (trace, _) = write_scenario("single-failure", folder.path());
    let with = run(["analyze".as_ref(), trace.as_os_str(), "-f".as_ref(), "json".as_ref()]);
    let without = run([trace.as_os_str(), "-f".as_ref(), "json".as_ref()]);
    assert_eq!((without.code, &without.stdout), (0, &with.stdout));
    // A subcommand goes before a file of its name, and what is no file is no input.
    std::fs::write(folder.path().join("explain"), "x").unwrap();
    let output = command().current_dir(folder.path()).args(["explain", "4231"]).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("Tcpip 4231"));
    let none = run(["no-such-file.etl"]);
    assert_eq!((none.code, none.stderr.contains("no-such-file.etl: no such file or folder")), (2, true), "{none:?}");
}

#[test]
fn compact_json_is_one_line_of_the_same_document() {
    let folder = scratch();
    let (trace, _) = write_scenario("leak", folder.path());
    let with = |rest: &[&str]| {
        let mut arguments: Vec<&OsStr> = vec!["analyze".as_ref(), trace.as_os_str()];
        arguments.extend(rest.iter().map(OsStr::new));
        run(arguments)
    };
    let line = with(&["-f", "json", "--compact"]);
    assert_eq!(line.stdout.lines().count(), 1);
    assert!(line.stdout.ends_with("}\n"));
    assert_eq!(line.json(), with(&["-f", "json"]).json());
    let refused = with(&["--compact"]);
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("--compact is for JSON"), "{refused:?}");
}
