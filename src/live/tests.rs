//! Live capture on a machine made up.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::capture::{Captured, Plan, capture};
use super::error::LiveError;
use super::fake::{Fake, Script, events_of};
use super::session::{self, Wanted};
use super::system::{AfdHandles, RunningProcess, SessionCounts, SocketList, System};
use super::watch::StateNow;
use super::{parse_duration, view};
use crate::net::{Family, Protocol, SocketAddress};
use crate::providers::{afd, process};
use crate::side::facts::{DynamicPorts, ListedSocket, TcpState};
use crate::words::pseudonyms::Pseudonyms;

const SECOND: Duration = Duration::from_secs(1);

pub(super) fn plan(poll: bool) -> Plan {
    Plan {
        duration: Some(Duration::from_secs(10)),
        until_failures: None,
        interval: Duration::from_secs(2),
        record: None,
        max_file_mib: None,
        buffer_mib: 64,
        pool: None,
        poll,
    }
}

fn scenario(name: &str) -> Script {
    Script { events: events_of(&synth::write(name).unwrap().trace).into(), ..Script::default() }
}

fn run(fake: &Arc<Fake>, plan: &Plan) -> (Result<Captured, LiveError>, Vec<StateNow>) {
    let system: Arc<dyn System> = Arc::clone(fake) as Arc<dyn System>;
    let mut moments = Vec::new();
    let result = capture(&system, plan, &AtomicBool::new(false), &mut |moment| moments.push(moment.clone()));
    (result, moments)
}

fn report(fake: &Arc<Fake>, plan: &Plan) -> Value {
    serde_json::to_value(&run(fake, plan).0.unwrap().report).unwrap()
}

/// What the command line makes of the trace.
fn offline(name: &str) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let (trace, out) = (folder.path().join("trace.etl"), folder.path().join("report.json"));
    std::fs::write(&trace, synth::write(name).unwrap().trace).unwrap();
    let arguments = ["outofports".as_ref(), "analyze".as_ref(), trace.as_os_str(), "-f".as_ref(), "json".as_ref()];
    let arguments = arguments.into_iter().chain(["-o".as_ref(), out.as_os_str()]);
    let cli = <crate::cli::Cli as clap::Parser>::try_parse_from(arguments).unwrap();
    crate::commands::run(&cli).unwrap();
    serde_json::from_slice(&std::fs::read(out).unwrap()).unwrap()
}

/// Leaves out what names the source: the trace and its length, places in it, and records that no session delivers.
fn without_source(mut report: Value) -> Value {
    let object = report.as_object_mut().unwrap();
    object.remove("traces");
    object["coverage"].as_object_mut().unwrap().remove("records_skipped");
    for field in ["buffer", "offset", "position_in_buffer"] {
        object["evidence"].as_object_mut().into_iter().for_each(|evidence| drop(evidence.remove(field)));
    }
    for recommendation in object["recommendations"].as_array_mut().unwrap() {
        // It lists the events of a file.
        if recommendation["code"] == "vendor" {
            *recommendation = Value::Null;
        }
    }
    object["recommendations"].as_array_mut().unwrap().retain(|recommendation| !recommendation.is_null());
    // The length of the trace is that of the session.
    object["ruled_out"].as_array_mut().unwrap().retain(|other| other["code"] != "time_wait_497_days");
    report
}

#[test]
fn live_events_give_the_report_of_the_same_trace() {
    for name in
        ["modern-64", "ipv6", "connect-failures", "reused-pid", "fixed-port-conflict", "healthy", "near", "leak"]
    {
        let fake = Fake::new(scenario(name));
        let live = report(&fake, &plan(false));
        let (live, offline) = (without_source(live), without_source(offline(name)));
        let (live, offline) = (live.as_object().unwrap(), offline.as_object().unwrap());
        for (field, value) in offline {
            assert_eq!(&live[field], value, "{name}: {field}");
        }
        assert_eq!(live.len(), offline.len());
        assert!(fake.sessions().is_empty());
    }
}

#[test]
fn a_report_of_what_was_captured_can_be_redacted() {
    let mut captured = run(&Fake::new(scenario("leak")), &plan(false)).0.unwrap();
    let whole = serde_json::to_string(&captured.report).unwrap();
    let mut names = Pseudonyms::new(false, Some(b"0123456789abcdef"));
    captured.report.redact(&mut names, &[]);
    let redacted = serde_json::to_string(&captured.report).unwrap();
    for name in ["203.0.113.", "HarddiskVolume3", "Program Files"] {
        assert!(whole.contains(name) && !redacted.contains(name), "{name}");
    }
    assert!(redacted.contains("MeterSync.Agent.exe"), "images stay");
}

#[test]
fn the_last_events_are_taken_after_the_session_was_stopped() {
    let whole = report(&Fake::new(scenario("modern-64")), &plan(false));
    let plan = Plan { duration: Some(SECOND), ..plan(false) };
    let late = report(&Fake::new(Script { kept_back: 800, ..scenario("modern-64") }), &plan);
    assert_eq!(whole["failures"], late["failures"]);
    assert_eq!(whole["failures"]["binds"], 74);
}

#[test]
fn moments_tell_rates_victims_and_holders() {
    let (captured, moments) = run(&Fake::new(scenario("modern-64")), &plan(false));
    assert!(captured.unwrap().is_complete);
    assert_eq!(moments.len(), 6, "one at the start, one for each interval, one at the end");
    let last = moments.last().unwrap();
    assert_eq!((last.bind_failures, last.connect_failures), (74, 0));
    assert_eq!(last.victims[0].image.as_deref(), Some("OrderGateway.exe"));
    assert_eq!((last.victims[0].pid, last.victims[0].failures), (Some(7312), 49));
    assert_eq!((last.holders[0].image.as_deref(), last.holders[0].is_listed), (Some("ledgersync.exe"), false));
    let rates: f64 = moments.iter().map(|moment| moment.failures_per_second).sum();
    assert!(rates > 0.0);
    let recent: u64 = moments.iter().flat_map(|moment| &moment.victims).map(|victim| victim.recent).sum();
    assert_eq!(recent, 74, "each failure is new once");
    let lines = view::screen(last, 100, 50);
    assert!(lines.iter().any(|line| line.contains("OrderGateway.exe")), "{lines:#?}");
    assert!(lines.iter().all(|line| line.chars().count() < 100));
    assert!(view::screen(last, 100, 12).len() < 12, "what does not fit is left out");
    let mut line = Vec::new();
    view::write_line(last, &mut line).unwrap();
    assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
    assert_eq!(serde_json::from_slice::<Value>(&line).unwrap()["bind_failures"], 74);
}

#[test]
fn enough_failures_or_an_interrupt_end_it() {
    let fake = Fake::new(scenario("modern-64"));
    let (captured, moments) = run(&fake, &Plan { duration: None, until_failures: Some(70), ..plan(false) });
    assert!(captured.unwrap().is_complete);
    assert!(moments.last().unwrap().bind_failures >= 70);
    let fake = Fake::new(scenario("modern-64"));
    let system: Arc<dyn System> = Arc::clone(&fake) as Arc<dyn System>;
    let interrupt = AtomicBool::new(false);
    let plan = Plan { duration: None, ..plan(false) };
    let captured = capture(&system, &plan, &interrupt, &mut |_| interrupt.store(true, Ordering::Relaxed)).unwrap();
    assert!(captured.is_complete);
    assert!(fake.sessions().is_empty());
}

#[test]
fn lost_events_lower_the_confidence_and_are_told() {
    let counts =
        SessionCounts { events_lost: 7, real_time_buffers_lost: 1, buffers_written: 900, ..SessionCounts::default() };
    let (captured, moments) = run(&Fake::new(Script { counts, ..scenario("modern-64") }), &plan(false));
    let report = serde_json::to_value(&captured.unwrap().report).unwrap();
    assert_eq!(report["verdict"]["confidence"], "medium");
    assert_eq!((&report["traces"][0]["events_lost"], &report["traces"][0]["buffers_lost"]), (&json!(7), &json!(1)));
    assert!(report["verdict"]["reasons"].to_string().contains("events_lost"));
    assert_eq!(moments.last().unwrap().events_lost, 7);
    assert!(view::screen(moments.last().unwrap(), 100, 40)[1].contains("LOST: 7 events"));
}

fn refused(script: Script) -> (LiveError, Vec<String>, Vec<String>) {
    let fake = Fake::new(script);
    let (result, moments) = run(&fake, &plan(false));
    assert!(moments.is_empty());
    (result.unwrap_err(), fake.calls(), fake.sessions())
}

#[test]
fn each_refusal_has_its_message_and_leaves_no_session() {
    let with = |what, code| Script { refuse: BTreeMap::from([(what, code)]), ..Script::default() };
    let cases = [
        (Script { not_elevated: true, ..with("start", 5) }, "Run as administrator"),
        (with("start", 5), "although this process is elevated"),
        (with("open", 5), "opened, although"),
        (with("start", 183), "logman stop outofports-live -ets"),
        (with("start", 1450), "logman query -ets"),
        (with("start", 8), "--buffer-mib 8"),
        (with("start", 31), "error 31, start refused"),
        (with("enable", 87), "could not be enabled: error 87"),
        (with("enable", 4200), "Winsock-AFD is not on this system"),
        (Script { another_runs: true, ..Script::default() }, "another outofports is capturing"),
        (Script { unregistered: vec![afd::PROVIDER], ..Script::default() }, "Winsock-AFD is not on this system"),
    ];
    let mut messages = Vec::new();
    for (script, words) in cases {
        let (trouble, calls, sessions) = refused(script);
        let message = trouble.to_string();
        assert!(message.contains(words), "{message}");
        assert!(sessions.is_empty(), "{message}: {calls:?}");
        assert!(!message.contains('\n'));
        messages.push(message);
    }
    messages.sort();
    messages.dedup();
    assert_eq!(messages.len(), 10, "each its own, the missing provider twice");
}

#[test]
fn what_fails_after_the_start_stops_the_session() {
    // Enabling is tried again without a filter of event ids.
    for (what, tries) in [("enable", 2), ("open", 1)] {
        let (_, calls, sessions) = refused(Script { refuse: BTreeMap::from([(what, 31)]), ..Script::default() });
        assert_eq!(calls, ["start outofports-live", "stop outofports-live"].repeat(tries), "{what}");
        assert!(sessions.is_empty());
    }
    let (_, calls, _) = refused(Script { refuse: BTreeMap::from([("start", 183)]), ..Script::default() });
    assert_eq!(calls, ["start outofports-live"], "a session that is not ours is let alone");
}

#[test]
fn a_system_without_filters_delivers_all_and_that_is_told() {
    let fake = Fake::new(Script { refuse: BTreeMap::from([("filter", 87)]), ..scenario("modern-64") });
    let report = report(&fake, &plan(false));
    assert_eq!(report["failures"]["binds"], 74);
    assert!(report["coverage"]["notes"].to_string().contains("does not filter by event id"));
    assert_eq!(fake.calls()[..3], ["start outofports-live", "stop outofports-live", "start outofports-live"]);
}

#[test]
fn a_program_that_is_being_ended_reports_at_once() {
    let fake = Fake::new(Script { is_ending: true, ..leaking() });
    let system: Arc<dyn System> = Arc::clone(&fake) as Arc<dyn System>;
    let interrupt = AtomicBool::new(true);
    let captured = capture(&system, &plan(true), &interrupt, &mut |_| {}).unwrap();
    let report = serde_json::to_value(&captured.report).unwrap();
    assert!(report["coverage"]["notes"].to_string().contains("Windows ended the program"));
    let asked_at_the_end = fake.calls().into_iter().filter(|call| call.starts_with("wevtutil")).count();
    assert_eq!((asked_at_the_end, fake.sessions().len()), (0, 0));
}

#[test]
fn a_disk_that_others_fill_ends_the_recording() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::new(Script { free_bytes: Some(1 << 40), ..scenario("modern-64") });
    let system: Arc<dyn System> = Arc::clone(&fake) as Arc<dyn System>;
    let record = Some(folder.path().join("server.etl"));
    let plan = Plan { duration: None, record, ..plan(false) };
    let captured = capture(&system, &plan, &AtomicBool::new(false), &mut |_| fake.fill_disk(90 << 20)).unwrap();
    assert!(!captured.is_complete);
    let report = serde_json::to_value(&captured.report).unwrap();
    assert!(report["coverage"]["notes"].to_string().contains("disk of the recording is full (90 MiB free)"));
    assert_eq!((&report["failures"]["binds"], fake.sessions().len()), (&json!(74), 0));
}

#[test]
fn buffers_and_files_are_as_large_as_the_machine_needs() {
    let setup = |processors, is_read, record: bool, max_file_mib| {
        let free_bytes = Some(10 << 30);
        let fake = Fake::new(Script { processors: Some(processors), free_bytes, ..Script::default() });
        let record = record.then(|| PathBuf::from("server.etl"));
        let wanted = Wanted { buffer_mib: 64, is_read, record, max_file_mib, is_circular: false };
        let setup = session::setup(fake.as_ref(), &wanted);
        let max_mib = setup.record.as_ref().map(|recording| recording.max_mib);
        assert_eq!(setup.buffer_kib, 64);
        (setup.buffers, setup.flush.as_secs(), max_mib)
    };
    assert_eq!(setup(2, true, false, None), ((256, 1024), 1, None));
    assert_eq!(setup(16, true, true, None), ((256, 1024), 1, Some(9984)));
    assert_eq!(setup(96, true, true, Some(500)), ((256, 1024), 6, Some(500)));
    assert_eq!(setup(96, false, true, Some(99_999)), ((256, 1024), 60, Some(9984)));
    assert_eq!(setup(768, true, true, None), ((1536, 3072), 6, Some(9984)));
}

#[test]
fn a_session_left_behind_is_taken_over() {
    let sessions = ["outofports-live".to_owned()].into();
    let fake = Fake::new(Script { sessions, ..scenario("modern-64") });
    let report = report(&fake, &plan(false));
    assert_eq!(report["failures"]["binds"], 74);
    assert!(report["coverage"]["notes"].to_string().contains("left behind"));
    assert_eq!(fake.calls()[..2], ["stop outofports-live", "start outofports-live"]);
    assert!(fake.sessions().is_empty());
}

#[test]
fn a_panic_leaves_no_session() {
    let fake = Fake::new(Script { panics_at: Some(500), ..scenario("modern-64") });
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(&fake, &plan(false))));
    assert!(caught.is_err());
    assert!(fake.sessions().is_empty());
}

#[test]
fn a_session_that_ends_by_itself_gives_what_there_is() {
    let script = Script { ends_at: Some(Duration::from_secs(4)), ..scenario("modern-64") };
    let (captured, _) = run(&Fake::new(script), &Plan { duration: None, ..plan(false) });
    let captured = captured.unwrap();
    assert!(!captured.is_complete);
    let report = serde_json::to_value(&captured.report).unwrap();
    assert_eq!(report["failures"]["binds"], 74);
    assert_eq!(report["traces"][0]["closed_cleanly"], false);
    assert!(report["coverage"]["notes"].to_string().contains("ended from outside"));
}

#[test]
fn a_provider_that_is_missing_is_named() {
    let fake = Fake::new(Script { unregistered: vec![process::KERNEL_PROCESS], ..scenario("modern-64") });
    let report = report(&fake, &plan(false));
    assert!(report["coverage"]["notes"].to_string().contains("Microsoft-Windows-Kernel-Process is not on this system"));
}

pub(super) fn socket(port: u16, state: TcpState, pid: u32) -> ListedSocket {
    ListedSocket {
        protocol: Protocol::Tcp,
        family: Some(Family::Ipv4),
        local: Some(SocketAddress { ip: [0, 0, 0, 0].into(), port }),
        remote: None,
        state: Some(state),
        pid: Some(pid),
        count: 1,
        image: None,
        port_alone: None,
    }
}

/// A machine whose 1,000 ports are taken by sockets that one process has bound, and nobody else sees.
fn leaking() -> Script {
    let bound = (50_000..50_930).map(|port| socket(port, TcpState::Bound, 4312));
    let tcp = [socket(50_000, TcpState::Established, 4312), socket(50_990, TcpState::TimeWait, 0)];
    let process = |pid, image: &str| RunningProcess { pid, parent_pid: 1, created: None, image: image.to_owned() };
    let range = |protocol| DynamicPorts { source: 0, protocol, family: None, start: 50_000, count: 1000 };
    Script {
        tables: BTreeMap::from([
            (SocketList::BoundTcp(Family::Ipv4), bound.collect()),
            (SocketList::Tcp(Family::Ipv4), tcp.to_vec()),
        ]),
        processes: vec![process(4312, r"C:\apps\ledgersync.exe"), process(1156, r"C:\Windows\System32\svchost.exe")],
        handles: vec![(4312, 11_000), (1156, 3_500), (4, 90_000)],
        afd_handles: AfdHandles { counts: vec![(4312, 930)], estimated: Vec::new() },
        services: vec![(1156, "Dnscache".to_owned()), (1156, "BFE".to_owned())],
        dynamic_ports: vec![range(Protocol::Tcp), range(Protocol::Udp)],
        commands: BTreeMap::from([
            (
                "netsh int ipv4 show excludedportrange protocol=tcp",
                "\nProtocol tcp Port Exclusion Ranges\n\nStart Port    End Port\n----------    --------\n     50940       50949\n\n",
            ),
            ("wevtutil epl System", concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/side/system.evtx")),
        ]),
        ..Script::default()
    }
}

#[test]
fn the_machine_itself_names_the_holder() {
    let report = report(&Fake::new(leaking()), &plan(true));
    let pool = &report["pools"][0];
    assert_eq!((&pool["source"], &pool["start"], &pool["count"]), (&json!("live"), &json!(50_000), &json!(1000)));
    assert_eq!((&pool["set_aside"], &pool["state"]), (&json!(10), &json!("near")));
    let holder = &report["holders"][0];
    assert_eq!((&holder["ports"], &holder["evidence"]), (&json!(930), &json!("A")));
    let process = &report["processes"][holder["process"].as_u64().unwrap() as usize];
    assert_eq!((&process["image"], &process["image_source"]), (&json!("ledgersync.exe"), &json!("live")));
    assert_eq!((&process["handles"], &process["afd_handles"]), (&json!(11_000), &json!(930)));
    let rows = report["procedure"].as_array().unwrap();
    let row = |pid: u32| rows.iter().find(|row| row["pid"] == pid).unwrap();
    assert_eq!((&row(4312)["bound"], &row(4312)["established"]), (&json!(929), &json!(1)));
    assert_eq!(row(4312)["remarks"], json!(["handles_over_10000", "many_afd_handles"]));
    assert_eq!(row(1156)["remarks"], json!(["handles_over_3000"]));
    assert_eq!(row(4)["remarks"], json!(["handles_exempt"]));
    assert_eq!(row(0)["time_wait"], 1);
    let ids: Vec<u64> =
        report["system_events"].as_array().unwrap().iter().map(|event| event["id"].as_u64().unwrap()).collect();
    assert!(ids.contains(&4231), "{ids:?}");
    let inputs = report["side_inputs"].as_array().unwrap();
    assert!(inputs.iter().all(|input| input["used"] == true), "{inputs:#?}");
    assert!(inputs[0]["note"].as_str().unwrap().starts_with("polling sockets and handles took"), "{}", inputs[0]);
}

#[test]
fn sources_that_are_missing_are_named() {
    let missing = vec!["bound", "afd handles", "services", "dynamic ports", "handles"];
    let report = report(&Fake::new(Script { missing, commands: BTreeMap::new(), ..leaking() }), &plan(true));
    let notes = report["coverage"]["notes"].to_string();
    for words in [
        "live: sockets: bound TCP sockets over IPv4 are missing: no bound here",
        "live: AFD handles: no afd handles here",
        "live: services: no services here",
        "live: dynamic port ranges: no dynamic ports here",
        "live: excluded port ranges: netsh lists none",
        "live: handles: no handles here",
        "live: System log: wevtutil: wevtutil is not there",
    ] {
        assert!(notes.contains(words), "{words}: {notes}");
    }
    let used: Vec<bool> =
        report["side_inputs"].as_array().unwrap().iter().map(|input| input["used"].as_bool().unwrap()).collect();
    assert_eq!(used, [true, true, false, false, false, false, false, false]);
}

#[test]
fn netsh_tells_the_dynamic_ranges_where_the_interface_does_not() {
    let mut script = Script { missing: vec!["dynamic ports"], ..leaking() };
    let listing = "\nProtocol tcp Dynamic Port Range\n---------------------------------\nStart Port      : 50000\nNumber of Ports : 1000\n\n";
    script.commands.insert("netsh int ipv4 show dynamicport tcp", listing);
    let report = report(&Fake::new(script), &plan(true));
    assert_eq!((&report["pools"][0]["source"], &report["pools"][0]["count"]), (&json!("live"), &json!(1000)));
}

#[test]
fn polling_yields_on_a_sick_machine() {
    let slow = Script { poll_takes: Duration::from_millis(300), ..leaking() };
    let fake = Fake::new(slow);
    let (captured, _) = run(&fake, &Plan { duration: Some(Duration::from_secs(120)), interval: SECOND, ..plan(true) });
    let inputs = captured.unwrap().report.side_inputs;
    let cost = inputs[0].note.as_deref().unwrap();
    let percent: f64 = cost.rsplit(": ").next().unwrap().trim_end_matches(" % of the time").parse().unwrap();
    assert!(percent < 8.0, "{cost}");
    let afd = fake.calls().iter().filter(|call| *call == "afd handles").count();
    assert!((2..=4).contains(&afd), "a list of all handles at most once a minute, and at the end: {afd}");
}

#[test]
fn a_long_session_keeps_few_listings() {
    let fake = Fake::new(leaking());
    let captured = run(&fake, &Plan { duration: Some(Duration::from_secs(600)), interval: SECOND, ..plan(true) }).0;
    let report = captured.unwrap().report;
    let trends: Vec<_> = report.trends.iter().map(|trend| trend.samples).collect();
    assert!(trends.iter().all(|samples| *samples <= 9) && !trends.is_empty(), "{trends:?}");
}

#[test]
fn a_recording_is_checked_before_and_watched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("server.etl");
    let record = |path: &Path| Plan { record: Some(path.to_owned()), ..plan(false) };
    let fails = |script: Script, path: &Path| {
        let fake = Fake::new(script);
        let trouble = run(&fake, &record(path)).0.unwrap_err();
        assert_eq!(fake.calls(), [""; 0], "nothing was started");
        trouble.to_string()
    };
    let long = folder.path().join("x".repeat(200));
    assert!(fails(Script::default(), &long).contains("more than 200 characters"));
    assert!(fails(Script::default(), &folder.path().join("no/server.etl")).contains("no such folder"));
    assert!(
        fails(Script { free_bytes: Some(1 << 20), ..Script::default() }, &path)
            .contains("disk is full, 1 MiB are free")
    );
    let fake = Fake::new(Script { free_bytes: Some(1 << 40), ..scenario("leak") });
    let report = report(&fake, &record(&path));
    assert_eq!((&report["traces"][0]["path"], &report["traces"][0]["bytes"]), (&json!(path.to_str()), &json!(8)));
    assert!(report["recommendations"].to_string().contains("outofports events"));
    assert!(fails(Script::default(), &path).contains("exists, and is not overwritten"));
    let full = |code| {
        LiveError::of(
            super::system::Refusal { step: super::system::SessionStep::Start, code, text: String::new() },
            "",
            Some(&path),
            true,
        )
    };
    assert!(full(112).to_string().contains("record to another disk"));
    assert!(full(32).to_string().contains("another program has it open"));
}

#[test]
fn durations_as_people_write_them() {
    let seconds = |text| parse_duration(text).map(|duration| duration.as_secs());
    assert_eq!(seconds("90s"), Ok(90));
    assert_eq!(seconds("10m"), Ok(600));
    assert_eq!(seconds("2h"), Ok(7200));
    assert_eq!(seconds("45"), Ok(45));
    for wrong in ["", "s", "-1s", "1.5m", "10 parsecs", "0", "99999999999999999999s", "9999999999999999h", "é"] {
        assert!(seconds(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn elsewhere_the_message_says_where() {
    #[cfg(not(windows))]
    assert!(super::this_system().err().unwrap().to_string().contains("needs Windows"));
}
