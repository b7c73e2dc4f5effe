//! Listings that people posted, rebuilt: where the folder of cases is at hand, what the report says of each is held against what
//! is right, and written as a table to `target/tmp/side-cases.md`; traces that were read wrong to `target/tmp/trace-cases.md`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use outofports::report::Format;
use outofports::{Case, NoProgress, Options};
use serde_json::Value;

/// The folder of cases, which is not part of the repository; without it the test says so and passes.
fn folder() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/cases/side");
    if folder.is_dir() {
        return Some(folder);
    }
    println!("no cases at {}: nothing compared", folder.display());
    None
}

/// The report of some inputs, or why there is none.
fn analyze(inputs: &[PathBuf]) -> Result<(Value, String), String> {
    let case = Case::from_paths(inputs).map_err(|error| error.to_string())?;
    let analyzed = outofports::analyze(&case, &Options::default(), &NoProgress).map_err(|error| format!("{error}"))?;
    let (mut json, mut text) = (Vec::new(), Vec::new());
    analyzed.report.write(Format::Json, &mut json).unwrap();
    analyzed.report.write(Format::Text, &mut text).unwrap();
    Ok((serde_json::from_slice(&json).unwrap(), String::from_utf8(text).unwrap()))
}

/// What a report says, in one line, for people and for comparison.
fn summary(report: &Value) -> String {
    let rows = |name: &str| report[name].as_array().cloned().unwrap_or_default();
    let mut said = report["verdict"]["state"].as_str().unwrap().to_owned();
    for side in rows("side_inputs") {
        let missed = side["rows_not_understood"].as_u64().unwrap_or(0);
        let _ = write!(said, "; {} {} rows", side["kind"].as_str().unwrap(), side["rows"]);
        if missed > 0 {
            let _ = write!(said, " ({missed} not understood)");
        }
    }
    for holder in rows("holders") {
        let process = &report["processes"][holder["process"].as_u64().unwrap() as usize];
        let _ = write!(
            said,
            "; holds {} {} {} {}",
            holder["ports"],
            process["pid"],
            process["image"].as_str().unwrap_or("?"),
            process["services"].as_array().unwrap().iter().filter_map(Value::as_str).collect::<Vec<_>>().join("+")
        );
    }
    for row in rows("procedure") {
        let numbers = ["bound", "close_wait", "time_wait", "established", "udp", "handles", "afd_handles"];
        let told: Vec<String> = numbers
            .iter()
            .filter(|name| row[**name].as_u64().unwrap_or(0) > 0)
            .map(|name| format!("{name} {}", row[*name]))
            .collect();
        if !told.is_empty() {
            let image = row["image"].as_str().unwrap_or("?");
            let _ = write!(said, "; PID {} {image}: {}", row["pid"], told.join(" "));
        }
    }
    for row in rows("destinations").iter().take(3) {
        let _ = write!(said, "; to {} port {}: {}", row["remote"], row["port"], row["sockets"]);
    }
    for row in rows("address_use") {
        let _ = write!(said, "; at {} {} of {}", row["local_address"].as_str().unwrap(), row["last"], row["max"]);
    }
    for row in rows("dynamic_ports") {
        let _ = write!(said, "; {} {}+{}", row["protocol"].as_str().unwrap(), row["start"], row["count"]);
    }
    let excluded = rows("excluded_ports").len();
    if excluded > 0 {
        let _ = write!(said, "; {excluded} excluded");
    }
    for row in rows("trends") {
        let _ = write!(said, "; trend {} {} to {} by {}", row["pid"], row["first"], row["last"], row["per_minute"]);
    }
    for row in rows("system_events") {
        let _ = write!(said, "; {} at {}", row["id"], row["time"].as_str().unwrap());
    }
    for row in rows("recommendations").iter().filter(|row| row["changes_state"] == true) {
        let _ = write!(said, "; step {} {}", row["code"].as_str().unwrap(), row["text"].as_str().unwrap());
        for command in row["commands"].as_array().unwrap() {
            let _ = write!(said, " [{}]", command.as_str().unwrap());
        }
    }
    said
}

/// A case: its file, what must stand in the line above, and what must not.
struct Known(&'static str, &'static [&'static str], &'static [&'static str]);

const KNOWN: &[Known] = &[
    Known("22-nettcp-group-remoteport.txt", &["cannot_tell", "port 1433: 14032"], &["holds", "PID 1433", "restart"]),
    Known(
        "20-nettcp-group-localport-then-owner.txt",
        &["PID 25740 com.docker.backend: bound 2029", "PID 9120 ?: established 41", "PID 0 ?: time_wait 17"],
        &["trend", "54798"],
    ),
    Known(
        "23-nettcp-group-owner-noelement.txt",
        &["PID 7312 ?: close_wait 14210", "PID 2840 ?: close_wait 85", "PID 4 ?: close_wait 3"],
        &["not understood"],
    ),
    Known("43b-tasklist-m-mswsock.txt", &["tasklist 2 rows"], &["mswsock"]),
    Known(
        "04-netstat-ano-pl-852-timewait.txt",
        &["near", "netstat 14012 rows", "time_wait 14000", "holds 10 2840"],
        &["find_driver", "restart", "holds 14000", "not understood"],
    ),
    Known(
        "98-PortUsage-20261122-1403112500.csv",
        &["PID 7312 OrderGateway: bound 40", "PID 1788 dns: udp 60"],
        &["not understood"],
    ),
    Known(
        "14-SRV01_261122-140311_IP_Srv_Wks_Info_Stop_.txt",
        &["7312 MeterSync.Agent.exe", "PID 7312 MeterSync.Agent.exe: bound 14000"],
        &["trend"],
    ),
    Known("103-netstat-loop-getdate-ko.txt", &["trend 7312 10 to 400 by 5.57"], &["not understood"]),
    Known(
        "09-netstat-abno-notes-indented.md.txt",
        &["holds 1 584 ?", "holds 2 2016 sshd.exe"],
        &["...", "not understood"],
    ),
    Known(
        "94-netstat-anobq-svchost-service.txt",
        &["holds 14000 1760 svchost.exe iphlpsvc", "step restart_at_console restart the service iphlpsvc"],
        &["restart svchost.exe"],
    ),
    Known("05-netstat-anobq-fr-850.txt", &["holds 60 4312 ledgersync.exe", "holds 2 1760 svchost.exe CryptSvc"], &[]),
    Known(
        "07-netstat-anb-no-pid.txt",
        &["holds 13500 null OrderGateway.exe", "holds 40 null svchost.exe BITS"],
        &["not understood"],
    ),
    Known(
        "12-netstat-mixed-ascii-then-utf16.txt",
        &["netstat_loop 9100 rows", "trend 7312 100 to 9000"],
        &["not understood"],
    ),
    Known(
        "34-nettcp-table-creationtime-name.txt",
        &["net_tcp_connection 50 rows", "holds 50 7312 OrderGateway"],
        &["not understood"],
    ),
    Known("46-tasklist-more.txt", &["tasklist 5 rows"], &["not understood"]),
    Known("54-excludedportrange-comments.txt", &["5 excluded"], &[]),
    Known("58-Get-NetTCPSetting.txt", &["tcp 1025+5000"], &["not understood"]),
    Known("58b-dynamicport-Get-NetTCPSetting-table.txt", &["tcp 1025+5000"], &["not understood"]),
    Known("50-dynamicport-zhcn-no-rule.txt", &["tcp 1024+13977"], &[]),
    Known("50b-dynamicport-en-no-rule.txt", &["tcp 1024+13977", "udp 49152+16384"], &[]),
    Known(
        "100-EphemeralPortStats.log",
        &[
            "at 10.20.0.5 9000 of 16384",
            "holds 8980 7312 MeterSync.Agent.exe",
            "trend 7312 4180 to 8980 by 4800",
            "handles 9400",
        ],
        &["not understood"],
    ),
    Known("30-Get-NetTCPConnection-fl.txt", &["PID 7312 ?: bound 20 established 5"], &["not understood"]),
    Known("37-Get-Process-table.txt", &["PID 7312 OrderGateway: handles 18422"], &["not understood"]),
    Known("66-SRV01_TCP_EndPointViewer.csv", &["PID 7312 MeterSync.Agent.exe: close_wait 40"], &["not understood"]),
    Known("62-handle-v.csv", &["PID 7312 MeterSync.Agent.exe: afd_handles 300"], &["not understood"]),
    Known("69-event-4231-eventviewer-copy.txt", &["4231 at 2026-11-22T20:01:10.6114771Z"], &[]),
    // Those that give no report: what is said instead.
    Known("59b-netsh-udpstats.txt", &["holds no known list"], &["1204"]),
    Known("71-System.csv", &["an event log as text, with Tcpip 4231", "save the log as .evtx"], &[]),
    Known("110-own-errors/netstat.txt", &["The requested operation requires elevation."], &[]),
    Known("110-own-errors/netstat-anoq.txt", &["a heading and no rows"], &[]),
    Known("110-own-errors/Get-NetTCPConnection.txt", &["The term 'Get-NetTCPConnection' is not recognized"], &[]),
    Known("110-own-errors/dynamicport.txt", &["Zugriff verweigert"], &[]),
    Known("110-own-errors/tasklist.txt", &["is empty"], &[]),
];

#[test]
fn what_people_posted_is_read_right() {
    let Some(folder) = folder() else { return };
    let mut table = "| file | what the report says | right |\n| --- | --- | --- |\n".to_owned();
    let mut wrong = Vec::new();
    for Known(name, must, must_not) in KNOWN {
        let said = match analyze(&[folder.join(name)]) {
            Ok((report, _)) => summary(&report),
            Err(error) => error,
        };
        let missing: Vec<_> = must.iter().filter(|part| !said.contains(**part)).collect();
        let surplus: Vec<_> = must_not.iter().filter(|part| said.contains(**part)).collect();
        let is_right = missing.is_empty() && surplus.is_empty();
        let _ = writeln!(
            table,
            "| {name} | {} | {} |",
            said.replace('|', "\\|").replace('\n', " "),
            if is_right { "yes" } else { "no" }
        );
        if !is_right {
            wrong.push(format!("{name}: missing {missing:?}, surplus {surplus:?}: {said}"));
        }
    }
    println!("{table}");
    std::fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).join("side-cases.md"), table).unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn modules_beside_a_trace_are_no_services() {
    let Some(folder) = folder() else { return };
    let scratch = crate::common::scratch();
    let (trace, _) = crate::common::write_scenario("single-failure", scratch.path());
    let (report, text) = analyze(&[trace, folder.join("43b-tasklist-m-mswsock.txt")]).unwrap();
    assert!(!report["recommendations"].to_string().contains("mswsock") && !text.contains("Restart-Service"));
    let processes = report["processes"].as_array().unwrap();
    assert!(processes.iter().all(|process| process["services"].as_array().unwrap().is_empty()));
}

#[test]
fn every_file_of_the_cases_is_named_by_a_test() {
    let Some(folder) = folder() else { return };
    let named: Vec<&str> = KNOWN.iter().map(|Known(name, ..)| *name).collect();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(named.iter().any(|known| known.split('/').next() == Some(&name)), "{name} is compared with nothing");
    }
}

#[test]
fn a_folder_names_its_files_that_hold_nothing_known_in_one_line() {
    let Some(folder) = folder() else { return };
    let scratch = crate::common::scratch();
    std::fs::copy(crate::common::fixtures().join("synthetic/leak.etl"), scratch.path().join("leak.etl")).unwrap();
    let listings = ["62-handle-v.csv", "66-SRV01_TCP_EndPointViewer.csv", "71-System.csv"];
    for name in listings {
        std::fs::copy(folder.join(name), scratch.path().join(name)).unwrap();
    }
    for name in ["settings.json", "readme.md"] {
        std::fs::write(scratch.path().join(name), "{\"a\": 1}\n").unwrap();
    }
    let (report, _) = analyze(&[scratch.path().to_owned()]).unwrap();
    let told = crate::traces::notes(&report);
    let named: Vec<_> =
        told.iter().filter(|note| note.contains("settings.json") || note.contains("readme.md")).collect();
    assert_eq!(named.len(), 1, "{told:#?}");
    assert!(named[0].starts_with("2 files hold nothing that is known here; not used: "), "{named:?}");
    let sides = report["side_inputs"].as_array().unwrap();
    for name in listings {
        assert!(sides.iter().any(|side| side["path"].as_str().unwrap().ends_with(name)), "{name}: {sides:#?}");
        assert!(!told.iter().any(|note| note.contains(name)), "{name}: {told:#?}");
    }
}

#[test]
fn a_process_with_few_ports_is_no_holder_on_the_first_screen() {
    let Some(folder) = folder() else { return };
    let (report, text) = analyze(&[folder.join("04-netstat-ano-pl-852-timewait.txt")]).unwrap();
    let holder = &report["holders"][0];
    assert!(holder["share_of_pool"].as_f64().unwrap() < 0.001, "{holder}");
    let screen = text.split("WHO HOLDS").next().unwrap();
    assert!(screen.contains("TIME_WAIT") && !screen.contains("2840"), "{screen}");
}

/// What a report says of traces, in one line: verdict, doubts, each trace, what could not be read, processes with images.
fn summary_of_traces(report: &Value) -> String {
    let verdict = &report["verdict"];
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let mut said = format!("{} {}", text(&verdict["state"]), text(&verdict["confidence"]));
    for reason in verdict["reasons"].as_array().unwrap() {
        let _ = write!(said, ", {}", text(&reason["code"]));
    }
    for trace in report["traces"].as_array().unwrap() {
        let name = text(&trace["path"]);
        let (wrapped, closed) = (&trace["wrapped"], &trace["closed_cleanly"]);
        let _ = write!(said, "; {} wrapped {wrapped} closed {closed}", name.rsplit('/').next().unwrap_or(&name));
    }
    let _ = write!(said, "; malformed {}", report["coverage"]["records_malformed"]);
    for process in report["processes"].as_array().unwrap().iter().filter(|process| !process["image"].is_null()) {
        let _ = write!(said, "; {} {}", process["pid"], text(&process["image"]));
    }
    for note in report["coverage"]["notes"].as_array().unwrap() {
        let note = text(note);
        let _ = write!(said, "; {}", note.rsplit('/').next().unwrap_or(&note));
    }
    said
}

const TRACES: &[Known] = &[
    Known("s15-tcpip-tracelogging-1195.etl", &["not_seen", "no_failures"], &["exhausted", "tcpip_refusals"]),
    Known("s9-live-circular.etl", &["wrapped false closed false", "not_closed"], &["wrapped true", "overwritten"]),
    Known("s2-end-before-start.etl", &["closed true", "clock_set_back", "set back"], &["not_closed", "not closed"]),
    Known("s8-short-string.etl", &["malformed 0", "1234 leaky.exe", "1236 odd.exe"], &[]),
    Known("suffixed", &["NetTrace.etl.001", "other.etl", "exhausted high"], &["not used"]),
];

#[test]
fn traces_that_were_read_wrong_are_read_right() {
    let Some(folder) = folder().map(|folder| folder.with_file_name("traces")) else { return };
    let mut table = "| file | what the report says | right |\n| --- | --- | --- |\n".to_owned();
    let mut wrong = Vec::new();
    for Known(name, must, must_not) in TRACES {
        let ran =
            crate::common::run(["analyze".as_ref(), "-f".as_ref(), "json".as_ref(), folder.join(name).as_os_str()]);
        assert_eq!(ran.code, 0, "{name}: {}", ran.stderr);
        let said = summary_of_traces(&ran.json());
        let is_right = must.iter().all(|part| said.contains(part)) && !must_not.iter().any(|part| said.contains(part));
        let _ = writeln!(table, "| {name} | {said} | {} |", if is_right { "yes" } else { "no" });
        if !is_right {
            wrong.push(format!("{name}: {said}"));
        }
    }
    println!("{table}");
    std::fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).join("trace-cases.md"), table).unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for entry in std::fs::read_dir(&folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(TRACES.iter().any(|Known(known, ..)| *known == name), "{name} is compared with nothing");
    }
}
