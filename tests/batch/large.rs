//! The large runs of `.ci/batch`: thousands of cases, some of them closed to the user that runs it, and ends at any moment.

#![cfg(unix)]

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::herd::{self, Count};
use super::{assert_same, lasting, statuses, table};

/// A user that owns nothing.
const NOBODY: &str = "65534";

/// Where cases and results are, and the program, all within reach of a user that owns nothing.
struct Ground {
    folder: tempfile::TempDir,
}

impl Ground {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let program = std::env::var_os("OUTOFPORTS_PROGRAM").unwrap_or_else(|| env!("CARGO_BIN_EXE_outofports").into());
        let ground = Self { folder };
        std::fs::copy(program, ground.at("outofports")).unwrap();
        open(ground.folder.path());
        open(&ground.at("outofports"));
        std::fs::create_dir(ground.at("in")).unwrap();
        ground
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A run of the program as that user, which root can become.
    fn batch(&self, out: &str, options: &[&str]) -> Command {
        let out = self.at(out);
        if !out.exists() {
            std::fs::create_dir(&out).unwrap();
            open(&out);
        }
        let mut words: Vec<OsString> = Vec::new();
        let id = Command::new("id").arg("-u").output().unwrap();
        // Root may read what is closed.
        if id.stdout.trim_ascii() == b"0" {
            let become_nobody = ["setpriv", "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"];
            words.extend(become_nobody.map(OsString::from));
        }
        words.extend([self.at("outofports").into(), "batch".into(), self.at("in").into(), "--out".into(), out.into()]);
        words.extend(options.iter().map(OsString::from));
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).stdin(Stdio::null()).env("TMPDIR", "/tmp");
        command
    }
}

fn open(path: &Path) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)).unwrap();
}

fn numbers(statuses: &BTreeMap<String, String>) -> BTreeMap<&str, usize> {
    let mut numbers = BTreeMap::new();
    statuses.values().for_each(|status| *numbers.entry(status.as_str()).or_default() += 1);
    numbers
}

#[test]
#[ignore = "some minutes: .ci/batch runs it"]
fn thousands_of_cases_have_their_rows() {
    let ground = Ground::new();
    let count = Count { cases: 5000, damaged: 50, unreadable: 20, duplicates: 50, small: 20_000 };
    let truth = herd::write(&ground.at("in"), count);
    let started = Instant::now();
    let ran = ground.batch("out", &["--format", FORMATS, "--memory", "1GiB", "--timeout", "60s"]).output().unwrap();
    let seconds = started.elapsed().as_secs_f64();
    println!("{}", String::from_utf8_lossy(&ran.stdout));
    println!("{}", String::from_utf8_lossy(&ran.stderr));
    println!("{} cases in {seconds:.1} s: {:.0} per second", truth.len(), truth.len() as f64 / seconds);
    assert_eq!(ran.status.code(), Some(1));
    let found = statuses(&ground.at("out"));
    println!("statuses: {:?}", numbers(&found));
    let expected: BTreeMap<String, String> =
        truth.into_iter().map(|(path, status)| (path, status.to_owned())).collect();
    assert_eq!(numbers(&found), numbers(&expected));
    assert!(found == expected);
    let cases = table(&ground.at("out"), "cases");
    assert_eq!(cases.iter().filter(|case| !case["duplicate_of"].is_null()).count(), count.duplicates);
    let started = Instant::now();
    let ran = ground.batch("out", &["--format", FORMATS, "--resume"]).output().unwrap();
    println!(
        "again, with --resume: {:.1} s: {}",
        started.elapsed().as_secs_f64(),
        String::from_utf8_lossy(&ran.stderr)
    );
    assert!(statuses(&ground.at("out")) == found);
}

const FORMATS: &str = if cfg!(feature = "parquet") { "parquet,ndjson" } else { "ndjson" };

/// Whether a Parquet file is being written.
fn is_writing_columns(out: &Path) -> bool {
    let folders = std::fs::read_dir(out).into_iter().flatten().flatten().map(|entry| entry.path());
    let months = folders.flat_map(|folder| std::fs::read_dir(folder).into_iter().flatten().flatten());
    let mut files = months.flat_map(|month| std::fs::read_dir(month.path()).into_iter().flatten().flatten());
    files.any(|file| file.file_name().to_string_lossy().starts_with(".outofports-"))
}

#[test]
#[ignore = "some minutes: .ci/batch runs it"]
fn twenty_ends_cost_no_case() {
    let ground = Ground::new();
    let truth = herd::write(&ground.at("in"), Count { cases: 2000, damaged: 20, duplicates: 20, ..Count::default() });
    let options = ["--format", FORMATS, "--resume", "-q"];
    let whole = Instant::now();
    ground.batch("whole", &options).stdout(Stdio::null()).status().unwrap();
    let whole = whole.elapsed();
    let mut random = synth::rng::SplitMix64::new(7);
    let (mut killed, mut in_columns) = (0, 0);
    let mut rounds = 0;
    while killed < 20 && rounds < 60 {
        rounds += 1;
        let mut child = ground.batch("out", &options).stdout(Stdio::null()).spawn().unwrap();
        let (started, wait) = (Instant::now(), whole.mul_f64(random.below(1000) as f64 / 4000.0));
        let waits_for_columns = FORMATS != "ndjson" && rounds % 5 == 0;
        let mut wrote = false;
        while child.try_wait().unwrap().is_none() && if waits_for_columns { !wrote } else { started.elapsed() < wait } {
            wrote = waits_for_columns && is_writing_columns(&ground.at("out"));
            std::thread::sleep(Duration::from_micros(100));
        }
        let is_there = child.try_wait().unwrap().is_none();
        child.kill().unwrap();
        child.wait().unwrap();
        killed += usize::from(is_there);
        in_columns += usize::from(is_there && wrote);
    }
    println!(
        "{killed} ends by SIGKILL, {in_columns} of them while a Parquet file was written; a whole run takes {whole:?}"
    );
    assert!(killed >= 20 && (in_columns > 0 || FORMATS == "ndjson"), "{killed} {in_columns}");
    let ran = ground.batch("out", &["--format", FORMATS, "--resume"]).output().unwrap();
    println!("{}", String::from_utf8_lossy(&ran.stderr));
    assert_eq!(statuses(&ground.at("out")).len(), truth.len());
    // All files are there, whole, and the same as of one run: Parquet too.
    assert_same(&lasting(&ground.at("out")), &lasting(&ground.at("whole")));
}
