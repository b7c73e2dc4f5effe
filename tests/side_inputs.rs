//! Side files as inputs of the program: what a folder, an archive, and the options take in.

use serde_json::{Value, json};
use synth::evtx::LogEvent;

use crate::common::{fixtures, run, scratch, write_scenario};
use crate::side::{TRACE_TIME, all, fixture, system_log};

fn analyze(arguments: &[&std::ffi::OsStr]) -> (i32, Value, String) {
    let mut all: Vec<&std::ffi::OsStr> = vec!["analyze".as_ref(), "-f".as_ref(), "json".as_ref()];
    all.extend(arguments);
    let ran = run(all);
    let report = serde_json::from_str(&ran.stdout).unwrap_or(Value::Null);
    (ran.code, report, ran.stderr)
}

/// Base name, kind, and whether it is used.
fn rows(report: &Value) -> Vec<(String, String, bool)> {
    let rows = report["side_inputs"].as_array().unwrap().iter();
    rows.map(|row| {
        let path = row["path"].as_str().unwrap();
        let name = path.rsplit(['/', '\\']).next().unwrap().to_owned();
        (name, row["kind"].as_str().unwrap().to_owned(), row["used"].as_bool().unwrap())
    })
    .collect()
}

fn row(name: &str, kind: &str, used: bool) -> (String, String, bool) {
    (name.to_owned(), kind.to_owned(), used)
}

#[test]
fn the_folder_of_fixtures_is_a_case_without_a_trace() {
    let folder = fixtures().join("side");
    let (code, report, _) = analyze(&[folder.as_os_str()]);
    assert_eq!((code, &report["traces"]), (0, &json!([])));
    let rows = rows(&report);
    for (name, kind) in [
        ("handle-afd.txt", "handles"),
        ("net-udp-endpoint.csv", "net_udp_endpoint"),
        ("netstat-loop-english.txt", "netstat_loop"),
        ("script-english-utf16.txt", "excluded_ports"),
        ("script-english-utf16.txt", "tasklist"),
        ("system.evtx", "evtx"),
    ] {
        assert!(rows.contains(&row(name, kind, true)), "{name} {kind}: {rows:?}");
    }
    assert_eq!(rows.len(), all().len() + 3, "the script holds four kinds");
    assert!(rows.iter().all(|(_, _, used)| *used), "{rows:?}");
}

#[test]
fn side_files_are_told_by_what_they_hold() {
    let folder = scratch();
    write_scenario("single-failure", folder.path());
    std::fs::create_dir(folder.path().join("logs")).unwrap();
    for (name, bytes) in [
        ("logs/a.log", fixture("netstat-anobq-english.txt")),
        ("logs/b.out", fixture("dynamicport-russian-866.txt")),
        ("logs/application.evtx", synth::evtx::write(&[LogEvent::other("MSSQL", 17, TRACE_TIME, 1)], 9)),
        ("logs/system.evtx", synth::evtx::write(&[LogEvent::other("MSSQL", 17, TRACE_TIME, 1)], 9)),
        ("logs/netstat-broken.txt", b"The requested operation requires elevation.\r\n".to_vec()),
        ("logs/notes.txt", b"TCP is a protocol\r\n".to_vec()),
        ("logs/netstat.md", fixture("netstat-anobq-english.txt")),
    ] {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    let (code, report, _) = analyze(&[folder.path().as_os_str()]);
    assert_eq!(code, 0);
    let want = [
        row("a.log", "netstat", true),
        row("b.out", "dynamic_port", true),
        row("netstat-broken.txt", "netstat", false),
        row("netstat.md", "netstat", true),
        row("system.evtx", "evtx", true),
    ];
    assert_eq!(rows(&report), want);
    let notes = report["coverage"]["notes"].to_string();
    assert!(
        notes.contains("2 files hold nothing that this program knows; not used: ") && notes.contains("notes.txt"),
        "{notes}"
    );
    let note = report["side_inputs"][2]["note"].as_str().unwrap();
    assert!(note.contains("netstat -ano"), "{note}");
}

#[test]
fn named_side_files_must_hold_what_the_option_says() {
    let folder = scratch();
    let (trace, _) = write_scenario("single-failure", folder.path());
    let path = |name: &str| fixtures().join("side").join(name);
    let (netstat, log, ports) =
        (path("netstat-loop-english.txt"), path("system.evtx"), path("dynamicport-russian-866.txt"));
    let named = |option: &'static str| std::ffi::OsStr::new(option);
    let (code, report, _) = analyze(&[
        trace.as_os_str(),
        named("--netstat"),
        netstat.as_os_str(),
        named("--netstat"),
        path("net-tcp-connection.csv").as_os_str(),
        named("--evtx"),
        log.as_os_str(),
        named("--dynamic-port"),
        ports.as_os_str(),
    ]);
    assert_eq!(code, 0);
    let want = [
        row("netstat-loop-english.txt", "netstat_loop", true),
        row("net-tcp-connection.csv", "net_tcp_connection", true),
        row("system.evtx", "evtx", true),
        row("dynamicport-russian-866.txt", "dynamic_port", true),
    ];
    assert_eq!(rows(&report), want);
    for (option, kind, expected) in [
        ("--netstat", "netstat", "a list of sockets"),
        ("--evtx", "evtx", "an event log"),
        ("--tasklist", "tasklist", "tasklist output"),
        ("--dynamic-port", "dynamic_port", "a port range"),
    ] {
        let handles = path("handle-afd.txt");
        let (code, report, stderr) = analyze(&[trace.as_os_str(), named(option), handles.as_os_str()]);
        assert_eq!(code, 1, "{option}");
        assert_eq!(rows(&report), [row("handle-afd.txt", kind, false)], "{option}");
        assert!(stderr.contains(expected), "{option}: {stderr}");
        let missing = folder.path().join("missing.txt");
        let (code, report, _) = analyze(&[trace.as_os_str(), named(option), missing.as_os_str()]);
        assert_eq!((code, rows(&report)), (1, vec![row("missing.txt", kind, false)]), "{option}");
    }
}

#[test]
fn side_files_are_inputs_too() {
    let path = fixtures().join("side/netstat-anobq-english.txt");
    let (code, report, _) = analyze(&[path.as_os_str()]);
    assert_eq!((code, rows(&report)), (0, vec![row("netstat-anobq-english.txt", "netstat", true)]));
    let folder = scratch();
    // Without an extension, as well.
    let log = folder.path().join("exported");
    std::fs::write(&log, system_log()).unwrap();
    let (code, report, _) = analyze(&[log.as_os_str()]);
    assert_eq!((code, rows(&report)), (0, vec![row("exported", "evtx", true)]));
    let notes = folder.path().join("notes.txt");
    std::fs::write(&notes, "hello").unwrap();
    let (code, report, stderr) = analyze(&[notes.as_os_str()]);
    assert_eq!((code, report), (2, Value::Null));
    assert!(stderr.contains("holds no known list"), "{stderr}");
    let empty = folder.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    std::fs::write(empty.join("notes.txt"), "hello").unwrap();
    let (code, report, stderr) = analyze(&[empty.as_os_str()]);
    assert_eq!((code, report), (2, Value::Null));
    assert!(stderr.contains("no known side file"), "{stderr}");
}

#[test]
fn copies_are_read_once() {
    let folder = scratch();
    let copy = folder.path().join("netstat-loop-english.txt");
    std::fs::write(&copy, fixture("netstat-loop-english.txt")).unwrap();
    let original = fixtures().join("side/netstat-loop-english.txt");
    let (code, report, _) =
        analyze(&[folder.path().as_os_str(), copy.as_os_str(), "--netstat".as_ref(), original.as_os_str()]);
    assert_eq!((code, rows(&report)), (0, vec![row("netstat-loop-english.txt", "netstat_loop", true)]));
    let notes = report["coverage"]["notes"].to_string();
    assert_eq!(notes.matches("read once").count(), 2, "{notes}");
    // Under another name it may be another thing: ranges of the other family.
    let (v4, v6) = (folder.path().join("range-ipv4.txt"), folder.path().join("range-ipv6.txt"));
    std::fs::remove_file(&copy).unwrap();
    for path in [&v4, &v6] {
        std::fs::write(path, fixture("dynamicport-japanese-utf16.txt")).unwrap();
    }
    let (_, report, _) = analyze(&[folder.path().as_os_str()]);
    assert_eq!(rows(&report).len(), 2);
}

#[test]
fn archives_hold_side_files() {
    let folder = scratch();
    let members = [
        ("case/netstat.txt", fixture("netstat-anobq-english.txt")),
        ("case/System.evtx", system_log()),
        ("case/readme.txt", b"hello".to_vec()),
    ];
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in &members {
        writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        std::io::Write::write_all(&mut writer, bytes).unwrap();
    }
    let path = folder.path().join("case.zip");
    std::fs::write(&path, writer.finish().unwrap().into_inner()).unwrap();
    let (code, report, _) = analyze(&[path.as_os_str()]);
    assert_eq!((code, rows(&report)), (0, vec![row("System.evtx", "evtx", true), row("netstat.txt", "netstat", true)]));
}

#[test]
fn a_report_cabinet_gives_what_is_known() {
    let folder = scratch();
    let trace = synth::write("single-failure").unwrap().trace;
    let members = [
        ("report.etl", trace),
        ("processes.txt", fixture("tasklist-svc-german-850.txt")),
        ("system.evtx", system_log()),
        ("firewall.evtx", system_log()),
        ("dynamicport.txt", fixture("dynamicport-russian-866.txt")),
        ("osinfo.txt", fixture("netstat-anobq-english.txt")),
    ];
    let mut builder = cab::CabinetBuilder::new();
    let added = builder.add_folder(cab::CompressionType::MsZip);
    for (name, _) in &members {
        added.add_file(*name);
    }
    let path = folder.path().join("nettrace.cab");
    let mut writer = builder.build(std::fs::File::create(&path).unwrap()).unwrap();
    let mut bytes = members.iter();
    while let Some(mut file) = writer.next_file().unwrap() {
        std::io::Write::write_all(&mut file, &bytes.next().unwrap().1).unwrap();
    }
    writer.finish().unwrap();
    let (code, report, _) = analyze(&[path.as_os_str()]);
    assert_eq!(code, 0);
    let want = [
        row("dynamicport.txt", "dynamic_port", true),
        row("processes.txt", "tasklist", true),
        row("system.evtx", "evtx", true),
    ];
    assert_eq!(rows(&report), want);
}

/// What is told of a loop of `netstat -anobq`, of whose rounds each shows bound ports of one process: its process id, its image
/// and how many. The text report, and the steps that change the server.
fn of_loop(rounds: &[(u32, &str, u16)]) -> (String, String) {
    let mut text = String::new();
    for (minute, (pid, image, count)) in rounds.iter().enumerate() {
        text.push_str(&format!(
            "22.11.2026 14:{minute:02}:11,25\n\n  Proto  Local Address  Foreign Address  State  PID\n"
        ));
        for port in 0..*count {
            text.push_str(&format!("  TCP    0.0.0.0:{}    0.0.0.0:0    BOUND    {pid}\n [{image}]\n", 49_152 + port));
        }
        text.push('\n');
    }
    let folder = scratch();
    let path = folder.path().join("loop.txt");
    std::fs::write(&path, text).unwrap();
    let (code, report, _) = analyze(&[path.as_os_str()]);
    assert_eq!(code, 0, "{report}");
    let steps = report["recommendations"].as_array().unwrap();
    let changing = steps.iter().filter(|step| step["code"] == "restart_holder").map(|step| step["text"].to_string());
    (run(["analyze".as_ref(), path.as_os_str()]).stdout, changing.collect())
}

#[test]
fn of_a_loop_the_last_listing_says_who_still_has_the_ports() {
    // Who has none any more is not restarted.
    let (text, steps) = of_loop(&[(7312, "agent.exe", 16_300), (9404, "agent.exe", 9_000)]);
    assert!(text.contains("agent.exe (PID 7312) held 16,300"), "{text}");
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words(&text).contains("In the last listing it has none."), "{text}");
    assert!(
        words(&text).contains("in the last listing PID 9404 (agent.exe) holds 9,000 ports of TCP over IPv4"),
        "{text}"
    );
    assert_eq!(steps, "", "{text}");
    // Where the pool is nearly full at the end, who holds it then speaks.
    let (text, steps) = of_loop(&[(7312, "agent.exe", 16_300), (9404, "agent.exe", 16_100)]);
    assert!(text.contains("agent.exe (PID 9404) held 16,100") && steps.contains("PID 9404"), "{text}");
    // A PID that was given again is another process: neither its name nor its sockets go on.
    let (text, steps) = of_loop(&[(7312, "agent.exe", 16_000), (7312, "notepad.exe", 10)]);
    assert!(
        text.contains("agent.exe (PID 7312) held 16,000") && !text.contains("notepad.exe (PID 7312) held"),
        "{text}"
    );
    assert!(!text.contains("TREND"), "{text}");
    assert_eq!(steps, "", "{text}");
}

#[test]
fn a_process_list_of_another_process_names_no_holder() {
    let folder = scratch();
    let rows: String = (0..16_000)
        .map(|port| format!("  TCP    0.0.0.0:{}    0.0.0.0:0    BOUND    7312\n [agent.exe]\n", 49_152 + port))
        .collect();
    let rule = "========================= ======== ============================================\n";
    std::fs::write(folder.path().join("netstat.txt"), rows).unwrap();
    std::fs::write(
        folder.path().join("tasklist.txt"),
        format!("{rule}System                           4 N/A\nnotepad.exe                   7312 Spooler\n"),
    )
    .unwrap();
    let (_, report, _) = analyze(&[folder.path().as_os_str()]);
    let holder = &report["processes"][report["holders"][0]["process"].as_u64().unwrap() as usize];
    assert_eq!((&holder["image"], &holder["services"]), (&json!("agent.exe"), &json!([])), "{holder}");
    let notes = report["coverage"]["notes"].to_string();
    assert!(
        notes.contains("PID 7312 is agent.exe where most of its sockets are listed and notepad.exe in another list")
    );
    assert!(!report["recommendations"].to_string().contains("Spooler"));
}
