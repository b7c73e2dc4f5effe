use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::fake::{Fake, Script, events_of};
use super::*;

const NETSTAT: &str = "\nActive Connections\n\n  Proto  Local Address          Foreign Address        State           PID\n  TCP    10.0.0.7:50000         10.0.0.1:443           ESTABLISHED     7312\n  TCP    10.0.0.7:50001         0.0.0.0:0              BOUND           7312\n";
const TASKLIST: &str = "\nImage Name                     PID Services\n========================= ======== =====\nledgersync.exe                7312 N/A\n";
const DYNAMIC: &str = "\nProtocol tcp Dynamic Port Range\n---------------------------------\nStart Port      : 49152\nNumber of Ports : 16384\n\n";
const EXCLUDED: &str = "\nProtocol tcp Port Exclusion Ranges\n\nStart Port    End Port\n----------    --------\n\n* - Administered port exclusions.\n";
const USAGE: &str =
    "\nDisplays protocol statistics and current TCP/IP network connections.\n\nNETSTAT [-a] [-b] [-e] [-n]\n";

/// A machine that answers, and that runs out of ports.
fn machine() -> Script {
    let trace = synth::write("modern-64").unwrap().trace;
    Script {
        events: events_of(&trace).into(),
        recorded: Some(trace),
        commands: BTreeMap::from([
            ("netstat -anoq", NETSTAT),
            ("tasklist", TASKLIST),
            ("netsh int ipv4 show dynamicport", DYNAMIC),
            ("netsh int ipv6 show dynamicport", DYNAMIC),
            ("netsh int ipv4 show excludedportrange", EXCLUDED),
            ("netsh int ipv6 show excludedportrange", EXCLUDED),
            ("wevtutil", concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/side/system.evtx")),
        ]),
        ..Script::default()
    }
}

struct Run {
    fake: Arc<Fake>,
    failed: Vec<String>,
    told: Vec<String>,
    manifest: Value,
    names: Vec<String>,
    _folder: tempfile::TempDir,
    out: PathBuf,
}

fn run_with(script: Script, change: impl FnOnce(&mut Plan)) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("case.zip");
    let mut plan = Plan {
        out: out.clone(),
        duration: Some(Duration::from_secs(5)),
        until_failure: None,
        max_file_mib: 1024,
        buffer_mib: 8,
    };
    change(&mut plan);
    let fake = Fake::new(script);
    let system: Arc<dyn System> = Arc::clone(&fake) as Arc<dyn System>;
    let mut told = Vec::new();
    let failed = collect(&system, &plan, &AtomicBool::new(false), &mut |line| told.push(line.to_owned())).unwrap();
    let mut archive = zip::ZipArchive::new(File::open(&out).unwrap()).unwrap();
    let names: Vec<String> = archive.file_names().map(|name| name.unwrap().into_owned()).collect();
    let manifest = serde_json::from_reader(archive.by_name(collected::NAME).unwrap()).unwrap();
    let left = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 1, "nothing but the archive is left");
    assert!(fake.sessions().is_empty());
    Run { fake, failed, told, manifest, names, _folder: folder, out }
}

fn analyzed(out: &Path) -> crate::Analyzed {
    let case = crate::Case::from_paths([out]).unwrap();
    crate::analyze(&case, &crate::Options::default(), &crate::NoProgress).unwrap()
}

fn position(calls: &[String], start: &str) -> usize {
    calls.iter().position(|call| call.starts_with(start)).unwrap_or_else(|| panic!("{start}: {calls:#?}"))
}

#[test]
fn a_case_is_collected_and_can_be_analyzed() {
    let run = run_with(machine(), |_| {});
    assert_eq!(run.failed, [""; 0]);
    assert_eq!(run.names.len(), 13, "{:?}", run.names);
    assert!(run.told[0].contains("tracing for 5 s; Ctrl-C ends it earlier"), "{:?}", run.told);
    // Sockets, then processes, while the trace runs; what stays is asked after its end.
    let calls = run.fake.calls();
    let order = [
        "start outofports-live",
        "netstat -anoq",
        "tasklist /svc",
        "stop outofports-live",
        "netsh",
        "wevtutil",
        "netstat -anobq",
    ];
    assert!(order.map(|call| position(&calls, call)).is_sorted(), "{calls:#?}");
    assert!(calls.iter().all(|call| !call.starts_with("start outofports-first")), "one session is enough");
    let manifest = &run.manifest;
    assert_eq!(manifest["tool"], json!({ "name": "outofports", "version": env!("CARGO_PKG_VERSION") }));
    assert_eq!((&manifest["ended_by"], &manifest["failed"]), (&json!("time"), &json!([])));
    let files: Vec<&str> =
        manifest["files"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert_eq!(files[..3], ["netstat.txt", "tasklist.txt", "server.etl"]);
    assert_eq!(manifest["files"][0]["command"], "netstat -anoq");
    assert!(manifest["files"][2]["milliseconds"].as_u64().unwrap() >= 5000, "{manifest:#}");
    let analyzed = analyzed(&run.out);
    assert!(analyzed.is_complete && analyzed.unusable.is_empty());
    assert_eq!(analyzed.report.failures.binds, 74);
    let unused: Vec<_> = analyzed.report.side_inputs.iter().filter(|input| !input.used).collect();
    assert!(unused.is_empty(), "{unused:?}");
    assert_eq!(analyzed.report.side_inputs.len(), 11);
    let notes: Vec<&String> =
        analyzed.report.coverage.notes.iter().filter(|note| note.contains("collected.json")).collect();
    assert!(notes.len() == 1 && notes[0].contains("“netstat-b.txt: netstat -anobq: netstat is not there"), "{notes:?}");
}

#[test]
fn what_could_not_be_had_is_in_the_manifest_and_in_the_report() {
    let mut script = machine();
    script.commands.remove("tasklist");
    script.commands.insert("netstat -anoq", USAGE);
    script.commands.insert("netstat -ano", "no rows either");
    let run = run_with(script, |_| {});
    assert_eq!(run.failed.len(), 2, "{:?}", run.failed);
    let why = run.manifest["failed"][0]["why"].as_str().unwrap();
    assert!(why.starts_with("netstat -anoq: exit code 0, ") && why.contains("; netstat -ano: exit code 0"), "{why}");
    assert_eq!(run.manifest["failed"][1]["why"], "tasklist /svc: tasklist is not there");
    let analyzed = analyzed(&run.out);
    assert!(analyzed.is_complete, "the archive itself is whole");
    let notes = analyzed.report.coverage.notes.join("\n");
    let want = "/collected.json: not collected: tasklist: “tasklist.txt: tasklist /svc: tasklist is not there”";
    assert!(notes.contains(want), "{notes}");
}

#[test]
fn an_older_netstat_is_asked_what_it_knows() {
    let mut script = machine();
    // The longer one goes before.
    script.commands.insert("netstat -anoq", USAGE);
    script.commands.insert("netstat -ano", NETSTAT);
    let run = run_with(script, |_| {});
    assert_eq!(run.failed, [""; 0]);
    assert_eq!(run.manifest["files"][0]["command"], "netstat -ano");
}

#[test]
fn the_first_failure_ends_the_trace_some_seconds_later() {
    let script = machine();
    let first = script.events.iter().find(|event| event.id == 1030).unwrap().time;
    let run = run_with(script, |plan| (plan.duration, plan.until_failure) = (None, Some(Duration::from_secs(7))));
    assert_eq!(run.failed, [""; 0]);
    assert!(run.told[0].contains("tracing until the first failure"), "{:?}", run.told);
    assert_eq!(run.manifest["ended_by"], "failure");
    let seen = run.manifest["first_failure"].as_str().unwrap();
    assert!(seen > told(first).as_str(), "{seen}");
    let report = analyzed(&run.out).report;
    assert_eq!(
        report.verdict.first_failure.map(told).as_deref(),
        Some(seen),
        "the very failure that a report calls the first"
    );
    let calls = run.fake.calls();
    let order = [
        "start outofports-live",
        "start outofports-first-failure",
        "netstat -anoq",
        "tasklist",
        "stop outofports-first-failure",
        "stop outofports-live",
        "netsh",
    ];
    assert!(order.map(|call| position(&calls, call)).is_sorted(), "{calls:#?}");
    let rows = run.manifest["files"].as_array().unwrap();
    let trace = rows.iter().find(|row| row["name"] == "server.etl").unwrap();
    assert!(trace["milliseconds"].as_u64().unwrap() >= 7000, "{trace}");
}

#[test]
fn without_a_second_session_the_trace_ends_by_time() {
    let script = Script { refuse_session: Some(FIRST), ..machine() };
    let run = run_with(script, |plan| (plan.duration, plan.until_failure) = (None, Some(Duration::from_secs(7))));
    assert_eq!(run.failed, [""; 0]);
    assert_eq!(run.manifest["ended_by"], "time");
    let note = run.manifest["notes"][0].as_str().unwrap();
    assert!(
        note.starts_with("the first failure cannot be waited for, so the trace ends by time: no further"),
        "{note}"
    );
    assert!(run.told.iter().any(|line| line == note));
    assert!(run.told.iter().any(|line| line.contains("tracing for 60 s;")), "{:?}", run.told);
}

const FIRST: &str = session::FIRST_FAILURE_SESSION;

#[test]
fn a_session_that_ends_by_itself_is_a_failure_of_the_trace() {
    let run = run_with(Script { ends_at: Some(Duration::from_secs(2)), ..machine() }, |_| {});
    assert_eq!(run.manifest["ended_by"], "session");
    assert!(run.failed[0].starts_with("server.etl: the session was ended from outside"), "{:?}", run.failed);
    assert!(run.names.iter().any(|name| name == "server.etl"), "what there is of it is kept");
}

#[test]
fn half_of_the_free_room_is_for_the_archive() {
    let run = run_with(Script { free_bytes: Some(1 << 30), ..machine() }, |_| {});
    assert_eq!(run.manifest["notes"][0], "the trace has 512 MiB at most: half of the room on the disk");
}

#[test]
fn an_interrupt_ends_the_trace_and_not_the_collection() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("case.zip");
    let plan = Plan { out: out.clone(), duration: None, until_failure: None, max_file_mib: 64, buffer_mib: 8 };
    let system: Arc<dyn System> = Fake::new(machine());
    let failed = collect(&system, &plan, &AtomicBool::new(true), &mut |_| {}).unwrap();
    assert_eq!(failed, [""; 0]);
    let mut archive = zip::ZipArchive::new(File::open(&out).unwrap()).unwrap();
    let manifest: Value = serde_json::from_reader(archive.by_name(collected::NAME).unwrap()).unwrap();
    assert_eq!(manifest["ended_by"], "interrupt");
    let again = collect(&system, &plan, &AtomicBool::new(true), &mut |_| {}).unwrap_err().to_string();
    assert!(again.contains("exists"), "{again}");
}
