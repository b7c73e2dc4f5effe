//! An interrupted run leaves no part of an output file.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::common::{command, scratch, write_afd};

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Interrupts a run while it writes; `false` if it came to its end before that, which a busy machine makes possible.
fn interrupted(trace_bytes: u64) -> bool {
    let (input, output) = (scratch(), scratch());
    let trace = input.path().join("trace.etl");
    write_afd(&trace, trace_bytes);
    std::fs::write(output.path().join("events.ndjson"), "old").unwrap();
    let mut events = command();
    events.args(["events", "--all", "-f", "ndjson", "-o"]).arg(output.path().join("events.ndjson")).arg(&trace);
    let mut child = events.spawn().unwrap();
    let started = Instant::now();
    while names(output.path()).len() < 2 {
        assert!(started.elapsed() < Duration::from_secs(120), "no file is being written");
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let code = child.wait().unwrap().code();
    assert_eq!(names(output.path()), ["events.ndjson"]);
    if code == Some(0) {
        return false;
    }
    assert_eq!(code, Some(130));
    assert_eq!(std::fs::read_to_string(output.path().join("events.ndjson")).unwrap(), "old");
    true
}

#[test]
fn nothing_is_left_of_a_file_that_was_being_written() {
    assert!(
        [24, 96, 192].into_iter().any(|mib| interrupted(mib << 20)),
        "it always ended before it could be interrupted"
    );
}
