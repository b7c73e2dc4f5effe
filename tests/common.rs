//! Runs the program, and finds fixtures.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// What a run of the program left behind.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

pub fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_outofports"));
    command.env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE").stdin(Stdio::null());
    command
}

pub fn run<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Ran {
    let output = command().args(arguments).output().unwrap();
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// The JSON report of one trace; the exit code must be `code`.
pub fn analyze(trace: &Path, code: i32) -> Value {
    let ran = run([OsStr::new("analyze"), trace.as_os_str(), OsStr::new("-f"), OsStr::new("json")]);
    assert_eq!(ran.code, code, "{ran:?}");
    ran.json()
}

pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// The folder of real traces, which is not part of the repository; without it the test that asks says so and passes.
pub fn corpus() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    if folder.join("expected.json").is_file() {
        return Some(folder);
    }
    println!("no corpus at {}: nothing compared", folder.display());
    None
}

/// A folder of its own for one test, gone when dropped.
pub fn scratch() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// Writes a scenario's trace and side files into `folder`; gives the trace's path and the expected answer.
pub fn write_scenario(name: &str, folder: &Path) -> (PathBuf, synth::Expected) {
    let written = synth::write(name).unwrap_or_else(|| panic!("no scenario {name}"));
    let path = folder.join(format!("{name}.etl"));
    std::fs::write(&path, written.trace).unwrap();
    for (file, bytes) in written.side_files {
        std::fs::write(folder.join(file), bytes).unwrap();
    }
    (path, written.expected)
}

/// Writes a trace of AFD events alone, of about `bytes` bytes; gives the expected answer.
pub fn write_afd(path: &Path, bytes: u64) -> synth::Expected {
    let bulk = synth::bulk::Bulk { size: bytes, seed: 7, ..synth::bulk::Bulk::default() };
    synth::bulk::write(std::fs::File::create(path).unwrap(), &bulk).unwrap().expected
}
