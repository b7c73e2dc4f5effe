//! The first screen of every scenario, beside the truth: state, confidence, who is named first, pattern, first two steps.
//! The table is written to `target/tmp/first-screen.md`. All synthetic.

mod judge;
mod look;
mod machines;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use outofports::{Case, NoProgress, Options};
use rayon::prelude::*;
use synth::Screen;

pub(crate) use look::Seen;

use crate::common::scratch;

/// A case, its truth, and what a report said.
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) truth: Screen,
    pub(crate) seen: Seen,
    pub(crate) wrong: Vec<Wrong>,
}

/// What is wrong with a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    /// What it is about, in one word.
    pub(crate) point: &'static str,
    /// For people.
    pub(crate) text: String,
}

/// Every case, analyzed once for all tests.
pub(crate) fn rows() -> &'static [Row] {
    static ROWS: OnceLock<Vec<Row>> = OnceLock::new();
    ROWS.get_or_init(|| {
        let scenarios = synth::screens().into_par_iter().map(scenario);
        let machines = machines::all().into_par_iter().map(|machine| {
            let folder = scratch();
            let path = folder.path().join("case.zip");
            std::fs::copy(&machine.zip, &path).unwrap();
            let name = format!("machines/{}", machine.truth.case);
            row(name, &path, machine.truth, &machine.cast, machine.failures)
        });
        scenarios.chain(machines).collect()
    })
}

fn scenario(truth: Screen) -> Row {
    let folder = scratch();
    let written = synth::write(truth.case).unwrap();
    let path = folder.path().join("case");
    std::fs::create_dir(&path).unwrap();
    if !written.trace.is_empty() {
        std::fs::write(path.join("server.etl"), &written.trace).unwrap();
    }
    for (file, bytes) in &written.side_files {
        std::fs::write(path.join(file), bytes).unwrap();
    }
    // What the machine saw fail without a trace, a report cannot count.
    let failures = if written.trace.is_empty() && written.side_files.iter().all(|(file, _)| !file.ends_with(".etl")) {
        (0, 0)
    } else {
        (written.expected.binds, written.expected.connects)
    };
    row(truth.case.to_owned(), &path, truth, &written.cast, failures)
}

/// `failures` are those of binds and of connects.
fn row(name: String, path: &Path, truth: Screen, cast: &[(u32, String)], failures: (u64, u64)) -> Row {
    let case = Case::from_paths([path]).unwrap();
    let mut options = Options::default();
    options.threads = 1;
    let analyzed = outofports::analyze(&case, &options, &NoProgress).unwrap_or_else(|error| panic!("{name}: {error}"));
    let names = cast.iter().map(|(pid, image)| (Some(*pid), image.clone()));
    let names = names.chain(truth.forbidden.blamed.iter().map(|image| (None, (*image).to_owned()))).collect();
    let seen = Seen::new(&analyzed.report, names);
    let mut wrong = judge::judge(&truth, &seen);
    wrong.extend(judge::counts(failures, &seen));
    Row { name, truth, seen, wrong }
}

/// What is wrong, a line each.
pub(crate) fn lines<'a>(cases: impl Iterator<Item = (&'a str, &'a [Wrong])>) -> String {
    let all = cases
        .flat_map(|(name, wrong)| wrong.iter().map(move |Wrong { point, text }| format!("{name}, {point}: {text}")));
    all.collect::<Vec<_>>().join("\n")
}

fn table(rows: &[Row]) -> String {
    let mut text = String::from(
        "| case | state | confidence | named first | pattern | first steps | right |\n| --- | --- | --- | --- | --- | --- | --- |\n",
    );
    let pair =
        |seen: &str, truth: &str| if seen == truth { seen.to_owned() } else { format!("{seen} (truth: {truth})") };
    for row in rows {
        let (truth, seen) = (&row.truth, &row.seen);
        let bounds = match truth.confidence {
            None => "-".to_owned(),
            Some((lowest, highest)) if lowest == highest => lowest.to_owned(),
            Some((lowest, highest)) => format!("{lowest} to {highest}"),
        };
        let patterns = if truth.patterns.is_empty() { "any".to_owned() } else { truth.patterns.join(" or ") };
        let steps =
            truth.steps.each_ref().map(|codes| if codes.is_empty() { "any".to_owned() } else { codes.join("/") });
        let pattern = judge::of_named(truth, seen).and_then(|row| row["pattern"].as_str()).unwrap_or("-");
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} (truth: {}) | {} |",
            row.name,
            pair(seen.state(), truth.state),
            pair(seen.confidence().unwrap_or("-"), &bounds),
            pair(&seen.first_name(), &judge::name_of(truth)),
            pair(pattern, &patterns),
            seen.steps().into_iter().take(2).collect::<Vec<_>>().join(", "),
            steps.join(", "),
            if row.wrong.is_empty() { "yes".to_owned() } else { texts(&row.wrong).replace('|', "\\|") },
        );
    }
    text
}

fn texts(wrong: &[Wrong]) -> String {
    wrong.iter().map(|wrong| format!("{}: {}", wrong.point, wrong.text)).collect::<Vec<_>>().join("<br>")
}

fn table_path() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("first-screen.md")
}

#[test]
fn first_screens_name_the_right_one() {
    let rows = rows();
    std::fs::write(table_path(), table(rows)).unwrap();
    assert!(rows.len() >= 60);
    let wrong = lines(rows.iter().map(|row| (row.name.as_str(), row.wrong.as_slice())));
    assert!(wrong.is_empty(), "see {}:\n{wrong}", table_path().display());
}
