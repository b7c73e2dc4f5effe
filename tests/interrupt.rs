//! An interrupted run leaves no part of an output file.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::common::{command, scratch, write_afd};

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn nothing_is_left_of_a_file_that_was_being_written() {
    let (input, output) = (scratch(), scratch());
    let trace = input.path().join("trace.etl");
    write_afd(&trace, 24 << 20);
    std::fs::write(output.path().join("events.ndjson"), "old").unwrap();
    let mut events = command();
    events.args(["events", "--all", "-f", "ndjson", "-o"]).arg(output.path().join("events.ndjson")).arg(&trace);
    let mut child = events.spawn().unwrap();
    let started = Instant::now();
    while names(output.path()).len() < 2 {
        assert!(started.elapsed() < Duration::from_secs(60), "no file is being written");
        assert!(child.try_wait().unwrap().is_none(), "it ended before it could be interrupted");
        std::thread::sleep(Duration::from_millis(1));
    }
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(names(output.path()), ["events.ndjson"]);
    assert_eq!(std::fs::read_to_string(output.path().join("events.ndjson")).unwrap(), "old");
}
