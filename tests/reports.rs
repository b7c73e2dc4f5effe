//! Whole reports, reviewed as snapshots.

use crate::common::{fixtures, run, scratch, write_scenario};

/// A report of a committed fixture, by a path that is the same everywhere.
fn report_of(fixture: &str, options: &[&str]) -> String {
    let output = crate::common::command()
        .current_dir(fixtures().parent().unwrap())
        .args(["analyze", &format!("fixtures/synthetic/{fixture}.etl")])
        .args(options)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn text() {
    insta::assert_snapshot!(report_of("modern-64", &[]));
}

#[test]
fn text_of_a_leak() {
    insta::assert_snapshot!(report_of("leak", &[]));
}

#[test]
fn text_of_the_legacy_dialect() {
    insta::assert_snapshot!(report_of("legacy", &["--top", "3"]));
}

#[test]
fn json() {
    insta::assert_snapshot!(report_of("modern-64", &["-f", "json"]));
}

/// Without its script and its styles, which are files of their own.
#[test]
fn html() {
    let page = report_of("modern-64", &["-f", "html"]);
    let mut rest = page.as_str();
    let mut kept = String::new();
    for (begin, end) in
        [("content=\"default-src", "\">"), ("<style>", "</style>"), ("<style>", "</style>"), ("<script>", "</script>")]
    {
        let (before, inside) = rest.split_once(begin).unwrap();
        kept.push_str(before);
        kept.push_str(begin);
        kept.push_str("[...]");
        rest = &inside[inside.find(end).unwrap()..];
    }
    kept.push_str(rest);
    insta::assert_snapshot!(kept);
}

#[test]
fn csv() {
    insta::assert_snapshot!(report_of("modern-64", &["-f", "csv"]));
}

#[test]
fn info() {
    let output = crate::common::command()
        .current_dir(fixtures().parent().unwrap())
        .args(["info", "fixtures/synthetic/modern-64.etl"])
        .output()
        .unwrap();
    insta::assert_snapshot!(String::from_utf8(output.stdout).unwrap());
}

#[test]
fn text_fits_100_columns_and_the_first_screen_names_the_victim() {
    let folder = scratch();
    for scenario in synth::scenarios() {
        let (path, expected) = write_scenario(scenario.name, folder.path());
        let ran = run(["analyze".as_ref(), path.as_os_str(), "--width".as_ref(), "100".as_ref()]);
        assert_eq!(ran.code, 0, "{ran:?}");
        // A command is never broken, nor is the line that names the trace.
        let is_command = |line: &&str| line.starts_with("    ") && !line.starts_with("     ");
        for line in ran.stdout.lines().filter(|line| !line.contains(".etl") && !is_command(line)) {
            assert!(line.chars().count() <= 100, "{}: {line}", scenario.name);
        }
        let Some(worst) = expected.processes.first().filter(|row| row.bind_failures > 0) else { continue };
        let first_screen: String = ran.stdout.lines().take(20).collect::<Vec<_>>().join("\n");
        match (&worst.image, worst.pid) {
            (Some(image), _) if scenario.name != "names-tasklist" => assert!(first_screen.contains(image.as_str())),
            (_, Some(pid)) => assert!(first_screen.contains(&format!("PID {pid}"))),
            (_, None) => assert!(first_screen.contains("owner unknown")),
        }
    }
}
