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

/// Says "stop" from the `after`-th question on.
struct StopAfter {
    after: u64,
    asked: std::sync::atomic::AtomicU64,
}

impl StopAfter {
    fn new(after: u64) -> Self {
        Self { after, asked: std::sync::atomic::AtomicU64::new(0) }
    }

    fn asked(&self) -> u64 {
        self.asked.load(std::sync::atomic::Ordering::Relaxed)
    }
}

impl outofports::Progress for StopAfter {
    fn should_stop(&self) -> bool {
        self.asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) >= self.after
    }
}

#[test]
fn a_large_listing_stops_in_the_middle_of_its_lines() {
    let mut listing = String::from("  Proto  Local Address          Foreign Address        State           PID\r\n");
    for number in 0..60_000_u32 {
        let (a, b) = (number / 250, number % 250);
        listing
            .push_str(&format!("  TCP    10.1.{a}.{b}:50000         10.2.0.9:443           CLOSE_WAIT      7312\r\n"));
    }
    let objects: Vec<String> = (0..20_000)
        .map(|number| format!("{{\"LocalPort\": {}, \"State\": 5, \"OwningProcess\": 7312}}", number + 1))
        .collect();
    let cells: Vec<String> =
        (0..20_000).map(|number| format!("<tr><td>{}</td><td>Bound</td><td>7312</td></tr>", number + 1)).collect();
    let head = "<table><tr><th>LocalPort</th><th>State</th><th>OwningProcess</th></tr>";
    let zipped = crate::inputs::zip(&[("netstat.txt", listing.as_bytes())]);
    for (name, bytes, least) in [
        ("netstat.txt", listing.clone().into_bytes(), 40),
        ("sockets.json", format!("[{}]", objects.join(",\n")).into_bytes(), 20),
        ("sockets.html", format!("{head}{}</table>", cells.join("\n")).into_bytes(), 20),
        ("case.zip", zipped, 40),
    ] {
        let case = outofports::Case::from_bytes(name, bytes);
        let analyze = |progress: &StopAfter| outofports::analyze(&case, &outofports::Options::default(), progress);
        let whole = StopAfter::new(u64::MAX);
        assert!(analyze(&whole).is_ok(), "{name}");
        let asked = whole.asked();
        assert!(asked >= least, "{name}: {asked} questions");
        for after in [1, asked / 3, asked * 2 / 3] {
            let progress = StopAfter::new(after);
            let stopped = analyze(&progress);
            assert!(matches!(stopped, Err(outofports::Error::Stopped)), "{name}: stopped after {after} of {asked}");
            // What is left asks at most once for each reader.
            assert!(progress.asked() <= after + 24, "{name}: {} questions after {after}", progress.asked());
        }
    }
}
