//! Logs of Winsock-AFD's own channel, and what is told of the side files around a trace. All synthetic.

use std::path::Path;

use serde_json::{Value, json};
use synth::TraceOptions;
use synth::afd::{Head, SockAddr};
use synth::evtx::{self, LogEvent};

use crate::common::{run, scratch};
use crate::traces::{Written, codes, json_of, notes};

const NO_PORT: u32 = synth::afd::TOO_MANY_ADDRESSES;
const LOG: &str = "SRV01_evt_Microsoft-Windows-Winsock-AFD-Operational.evtx";

/// A time in milliseconds from the start of the traces.
fn at(ms: i64) -> i64 {
    TraceOptions::default().start_time + ms * 10_000
}

/// Entries of a log under construction.
#[derive(Default)]
struct Log {
    entries: Vec<LogEvent>,
}

impl Log {
    fn record(&self) -> u64 {
        9000 + self.entries.len() as u64
    }

    fn head(enter_exit: u32, pid: u32, endpoint: u64) -> Head {
        let location = if enter_exit == 0 { 7010 } else { 7022 };
        Head { enter_exit, location, process: 0xFFFF_8000_0000_0000 + u64::from(pid) * 0x1000, endpoint }
    }

    /// A socket that is created and bound; `port`: what it gets, `None` where there is none.
    fn socket(&mut self, ms: i64, pid: u32, endpoint: u64, port: Option<u16>) {
        let record = self.record();
        self.entries.push(LogEvent::afd_create(at(ms), record, Self::head(1, pid, endpoint), pid));
        let address = |port| Some(SockAddr::V4 { address: [0; 4], port });
        let enter = LogEvent::afd_bind(at(ms), record + 1, pid, Self::head(0, pid, endpoint), 0, address(0));
        let status = if port.is_some() { 0 } else { NO_PORT };
        let exit = Self::head(1, pid, endpoint);
        let exit = LogEvent::afd_bind(at(ms) + 50, record + 2, pid, exit, status, port.and_then(address));
        self.entries.extend([enter, exit]);
    }

    fn close(&mut self, ms: i64, pid: u32, endpoint: u64) {
        let record = self.record();
        self.entries.push(LogEvent::afd_close(at(ms), record, pid, Self::head(1, pid, endpoint)));
    }

    fn write(&self, path: &Path) {
        std::fs::write(path, evtx::write(&self.entries, 40)).unwrap();
    }
}

/// 60 ports of PID 7312, of which ten are given back, and then 20 failures of PID 2840.
fn exhaustion() -> Log {
    let mut log = Log::default();
    for number in 0..60_u16 {
        log.socket(1000 * i64::from(number), 7312, 0x1_0000 + u64::from(number) * 0x100, Some(50_000 + number));
    }
    for number in 0..10 {
        log.close(60_500, 7312, 0x1_0000 + number * 0x100);
    }
    for number in 0..20 {
        log.socket(61_000 + i64::try_from(number).unwrap(), 2840, 0x9_0000 + number * 0x100, None);
    }
    log
}

fn summary(report: &Value) -> Value {
    let rows = report["processes"].as_array().unwrap().iter();
    let rows = rows.map(|row| json!([row["pid"], row["bind_failures"], row["ports_held_end"], row["sockets_closed"]]));
    json!(rows.collect::<Vec<_>>())
}

#[test]
fn a_log_of_the_channel_alone_gives_failures_victims_and_holders() {
    let folder = scratch();
    let path = folder.path().join(LOG);
    exhaustion().write(&path);
    let alone = json_of(&[&path], 0);
    assert_eq!((&alone["verdict"]["state"], &alone["verdict"]["confidence"]), (&json!("exhausted"), &json!("medium")));
    assert_eq!(codes(&alone)[..2], ["bind_failures", "afd_log"], "{}", alone["verdict"]);
    assert_eq!(summary(&alone), json!([[2840, 20, 0, 0], [7312, 0, 50, 10]]));
    assert_eq!(alone["processes"][0]["owner_source"]["created_socket"], 20);
    let holder = &alone["holders"][0];
    let holding = &alone["processes"][holder["process"].as_u64().unwrap() as usize];
    assert_eq!(json!([holding["pid"], holder["ports"], holder["evidence"]]), json!([7312, 50, "C"]));
    assert_eq!(alone["verdict"]["first_failure"], "2026-03-10T09:31:01.1234617Z");
    let evidence = &alone["evidence"];
    let place = json!([evidence["trace"], evidence["log"], evidence["buffer"], evidence["cpu"], evidence["event_id"]]);
    assert_eq!(place, json!([null, 0, null, null, 1029]));
    assert_eq!(evidence["log_record"], 9000 + 60 * 3 + 10 + 2);
    let side = &alone["side_inputs"][0];
    assert_eq!((&side["kind"], &side["used"]), (&json!("evtx"), &json!(true)));
    assert!(side["note"].as_str().unwrap().contains("250 events of Winsock-AFD, 250 used"), "{side}");
    assert_eq!(
        alone["timeline"].as_array().unwrap().iter().map(|step| step["bind_failures"].as_u64().unwrap()).sum::<u64>(),
        20
    );
    // The same in a folder, where nobody says what it is; twice, where it is exported twice.
    std::fs::write(folder.path().join("later.evtx"), evtx::write(&exhaustion().entries[30..], 1000)).unwrap();
    let found = json_of(&[folder.path()], 0);
    assert_eq!(summary(&found), summary(&alone));
    let text = run(["analyze".as_ref(), path.as_os_str()]).stdout;
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains(&format!("first failure: {LOG}, record 9192, event 1029 (AfdBind)")), "{text}");
    assert!(text.contains("but the report takes 250 events from the log of the Winsock-AFD channel"), "{text}");
}

#[test]
fn a_log_without_failures_shows_none_and_says_how_far_that_goes() {
    let mut log = exhaustion();
    log.entries.truncate(180);
    let folder = scratch();
    let path = folder.path().join(LOG);
    log.write(&path);
    let report = json_of(&[&path], 0);
    assert_eq!((&report["verdict"]["state"], &report["verdict"]["confidence"]), (&json!("not_seen"), &json!("medium")));
    // Of a version that nobody knows, or with a field missing, an entry is told and not used.
    for entry in &mut log.entries {
        entry.manifest.as_mut().unwrap().version = 1;
    }
    log.write(&path);
    let report = json_of(&[&path], 0);
    assert_eq!(report["verdict"]["state"], "cannot_tell");
    let note = report["side_inputs"][0]["note"].as_str().unwrap();
    assert!(note.contains("180 events of Winsock-AFD, 0 used; 180 events in a form that is not known"), "{note}");
}

#[test]
fn what_a_trace_tells_too_is_not_counted_twice() {
    let folder = scratch();
    let log = folder.path().join(LOG);
    exhaustion().write(&log);
    // A trace of the failures: the log has these too, and what was before.
    let mut written = Written::new();
    written.failures(61_000, 2840, 20);
    let trace = written.write(&folder.path().join("server.etl"));
    let alone = json_of(&[&trace], 0);
    let both = json_of(&[&trace, &log], 0);
    assert_eq!(both["failures"]["binds"], 20);
    assert_eq!((&both["verdict"]["state"], &both["verdict"]["confidence"]), (&json!("exhausted"), &json!("high")));
    assert_eq!(alone["holders"], json!([]));
    let holder = &both["holders"][0];
    assert_eq!(both["processes"][holder["process"].as_u64().unwrap() as usize]["pid"], 7312);
    assert_eq!(holder["ports"], 50);
    assert!(
        notes(&both)
            .iter()
            .any(|note| note.contains("the traces also hold 60 events of the log of the Winsock-AFD channel")),
        "{both}"
    );
    // Beside a trace that tells nothing of sockets the log speaks.
    let other = crate::traces::windows_update(TraceOptions { events_lost: 9, ..TraceOptions::default() });
    let other = other.write(&folder.path().join("update.etl"));
    let report = json_of(&[&other, &log], 0);
    assert_eq!(
        (&report["verdict"]["state"], &report["verdict"]["confidence"]),
        (&json!("exhausted"), &json!("medium"))
    );
    assert_eq!(summary(&report), json!([[2840, 20, 0, 0], [7312, 0, 50, 10]]));
    assert!(!codes(&report).contains(&"events_lost"));
}

/// The lines of `events` as objects.
fn events(inputs: &[&Path], options: &[&str]) -> Vec<Value> {
    let fixed = ["events", "-f", "ndjson"].iter().chain(options).map(std::ffi::OsStr::new);
    let ran = run(fixed.chain(inputs.iter().map(|path| path.as_os_str())));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn events_lists_the_failures_of_a_log() {
    let folder = scratch();
    let path = folder.path().join(LOG);
    exhaustion().write(&path);
    let tasks = "Image Name                     PID Services\r\n========================= ======== ============\r\n\
                 victim.exe                    2840 N/A\r\nleaky.exe                     7312 N/A\r\n";
    std::fs::write(folder.path().join("tasklist.txt"), tasks).unwrap();
    for (inputs, image) in [(&[path.as_path()][..], Value::Null), (&[folder.path()], json!("victim.exe"))] {
        let lines = events(inputs, &[]);
        assert_eq!(lines.len(), 20);
        for (number, line) in lines.iter().enumerate() {
            let owner = json!([line["owner_pid"], line["owner_image"], line["owner_source"]]);
            assert_eq!(owner, json!([2840, image, "created_socket"]));
            assert_eq!(
                json!([line["id"], line["version"], line["name"], line["pid"]]),
                json!([1029, 0, "AfdBind", 2840])
            );
            assert_eq!(
                json!([line["trace"], line["cpu"], line["offset"], line["kind"]]),
                json!([null, null, null, "log_entry"])
            );
            assert!(line["log"].as_str().unwrap().ends_with(LOG));
            assert_eq!(line["log_record"], 9000 + 60 * 3 + 10 + 2 + 3 * number as u64);
            assert_eq!((&line["fields"]["Status"], &line["fields"]["EnterExit"]), (&json!(NO_PORT), &json!(1)));
        }
    }
    // All of them, each with its owner, and by owner, id, status and provider.
    let all = events(&[&path], &["--all"]);
    assert_eq!(all.len(), 250);
    assert!(all.iter().all(|line| line["owner_source"] == "created_socket"), "{:?}", all[0]);
    let count = |options: &[&str]| events(&[&path], options).len();
    assert_eq!((count(&["--pid", "2840"]), count(&["--pid", "7312"])), (20, 0));
    assert_eq!((count(&["--all", "--pid", "7312"]), count(&["--header-pid", "7312"])), (190, 190));
    assert_eq!((count(&["--id", "1001"]), count(&["--provider", "afd", "--id", "1000"])), (10, 80));
    assert_eq!((count(&["--status", "10055"]), count(&["--status", "0xC0000022"])), (20, 0));
    let table = run(["events".as_ref(), "-f".as_ref(), "csv".as_ref(), path.as_os_str()]).stdout;
    assert_eq!(table.lines().count(), 21);
    assert!(table.lines().nth(1).unwrap().ends_with(",9192"), "{table}");
    let text = run(["events".as_ref(), path.as_os_str()]).stdout;
    assert!(
        text.starts_with("2026-03-10T09:31:01.1234617Z RECORD 9192 PID 2840 TID - OWNER 2840 (created_socket)"),
        "{text}"
    );
    // Beside a trace that tells of some of them, each is listed once.
    let mut written = Written::new();
    written.failures(61_000, 2840, 20);
    let trace = written.write(&folder.path().join("server.etl"));
    let both = events(&[&trace, &path], &[]);
    assert_eq!(both.len(), 20);
    assert!(both.iter().all(|line| line["log"].is_null()));
    let created = events(&[&trace, &path], &["--provider", "afd", "--id", "1000"]);
    assert_eq!(created.iter().filter(|line| line["trace"].is_null()).count(), 60);
    let inputs: [&[&Path]; 3] = [&[&trace, &path], &[&path], &[folder.path()]];
    for inputs in inputs {
        let inputs: Vec<std::ffi::OsString> = inputs.iter().map(|input| input.as_os_str().to_owned()).collect();
        assert_eq!(crate::agree::compare(&inputs), Some((20, 0, 1)));
    }
    // A trace of another time leaves them alone.
    let mut written = Written::new();
    written.failures(500_000, 2840, 3);
    let trace = written.write(&folder.path().join("later.etl"));
    let both = events(&[&trace, &path], &[]);
    assert_eq!((both.len(), both.iter().filter(|line| line["trace"].is_null()).count()), (23, 20));
    assert!(both.is_sorted_by_key(|line| line["time"].as_str().unwrap()));
}

#[test]
fn info_of_a_log_says_what_it_holds() {
    let folder = scratch();
    let path = folder.path().join(LOG);
    exhaustion().write(&path);
    let info = run(["info".as_ref(), "-f".as_ref(), "json".as_ref(), path.as_os_str()]);
    assert_eq!(info.code, 0, "{}", info.stderr);
    let info = info.json();
    assert_eq!(
        (&info["kind"], &info["logs"][0]["events"], &info["logs"][0]["used"]),
        (&json!("evtx"), &json!(250), &json!(250))
    );
    assert_eq!(info["logs"][0]["first"], "2026-03-10T09:30:00.1234567Z");
    let ids = &info["providers"][0]["ids"];
    let counts = json!([[1000, 80], [1001, 10], [1029, 20], [1030, 140]]);
    let found: Vec<Value> = ids.as_array().unwrap().iter().map(|row| json!([row["id"], row["records"]])).collect();
    assert_eq!(json!(found), counts);
    let answers = &info["answers"];
    let told =
        ["bind_failures", "process_names", "holders"].map(|name| answers[name]["answer"].as_str().unwrap().to_owned());
    assert_eq!(told, ["partly", "no", "partly"]);
    assert!(answers["bind_failures"]["reason"].as_str().unwrap().starts_with("160 binds in the log"), "{answers}");
    let text = run(["info".as_ref(), path.as_os_str()]).stdout;
    assert!(text.contains("250 events, 250 used") && text.contains("Microsoft-Windows-Winsock-AFD"), "{text}");
    // Listings alone answer what they can.
    let listings = scratch();
    let sockets = "  Proto  Local Address          Foreign Address        State           PID\r\n  \
                   TCP    0.0.0.0:50000          0.0.0.0:0              BOUND           2222\r\n";
    std::fs::write(listings.path().join("netstat.txt"), sockets).unwrap();
    let info = run(["info".as_ref(), "-f".as_ref(), "json".as_ref(), listings.path().as_os_str()]).json();
    let told = ["bind_failures", "process_names", "holders"]
        .map(|name| info["answers"][name]["answer"].as_str().unwrap().to_owned());
    assert_eq!(told, ["no", "no", "yes"], "{info}");
}

#[test]
fn info_of_a_folder_or_archive_knows_the_side_files_in_it() {
    let folder = scratch();
    let mut written = Written::new();
    written.failures(100, 2222, 5);
    let trace = written.write(&folder.path().join("server.etl"));
    let info = |path: &Path| run(["info".as_ref(), path.as_os_str(), "-f".as_ref(), "json".as_ref()]).json();
    let answers = |info: &Value| {
        let answers = &info["answers"];
        json!([answers["bind_failures"]["answer"], answers["process_names"]["answer"], answers["holders"]["answer"]])
    };
    let alone = info(&trace);
    assert_eq!((answers(&alone), &alone["side_inputs"]), (json!(["yes", "no", "partly"]), &json!([])));
    let tasks = "\r\nImage Name                     PID Services\r\n========================= ======== ============\r\n\
                 leaky.exe                     2222 N/A\r\nsvchost.exe                   1156 Dnscache\r\n";
    let sockets = "  Proto  Local Address          Foreign Address        State           PID\r\n  \
                   TCP    0.0.0.0:50000          0.0.0.0:0              BOUND           2222\r\n  \
                   TCP    0.0.0.0:50001          0.0.0.0:0              BOUND           2222\r\n";
    std::fs::write(folder.path().join("tasklist.txt"), tasks).unwrap();
    std::fs::write(folder.path().join("netstat.txt"), sockets).unwrap();
    let zip = folder.path().join("case.zip");
    let members = ["server.etl", "tasklist.txt", "netstat.txt"];
    let bytes: Vec<Vec<u8>> = members.iter().map(|name| std::fs::read(folder.path().join(name)).unwrap()).collect();
    let packed: Vec<(&str, &[u8])> = members.iter().copied().zip(bytes.iter().map(Vec::as_slice)).collect();
    let apart = scratch();
    std::fs::write(apart.path().join("case.zip"), crate::inputs::zip(&packed)).unwrap();
    assert!(!zip.exists());
    for path in [folder.path(), &apart.path().join("case.zip")] {
        let info = info(path);
        assert_eq!(answers(&info), json!(["yes", "yes", "yes"]), "{info}");
        let names = info["answers"]["process_names"]["reason"].as_str().unwrap();
        assert!(names.starts_with("2 processes in ") && names.ends_with("tasklist.txt"), "{names}");
        let holders = info["answers"]["holders"]["reason"].as_str().unwrap();
        assert!(
            holders.starts_with("2 sockets with their owners in ") && holders.ends_with("netstat.txt"),
            "{holders}"
        );
        assert_eq!(info["side_inputs"].as_array().unwrap().len(), 2);
    }
    // Providers with most records come first.
    let records: Vec<u64> =
        alone["providers"].as_array().unwrap().iter().map(|row| row["records"].as_u64().unwrap()).collect();
    assert!(records.is_sorted_by(|one, other| one >= other), "{records:?}");
}

/// Unrelated files in eight levels of folders, a Windows Update log with losses, a live copy, an encrypted archive.
#[cfg(unix)]
fn disturb(folder: &Path) {
    let words = ["install.log", "readme.md", "photo.png", "setup.exe", "data.json", "page.html", "notes.txt", "a.bin"];
    let contents: [&[u8]; 8] = [
        b"2026-03-10 the installer ran\r\n",
        b"# about this folder\n",
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
        b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xFF\xFF\0\0",
        b"{\"state\": \"exhausted\"}",
        b"<!DOCTYPE html><html></html>",
        b"the server hung at half past nine\n",
        &[0x80, 1, 2, 3, 4, 5, 6, 7, 0x10, 0x11, 0x12],
    ];
    let mut level = folder.to_owned();
    for depth in 0..8 {
        level.push(format!("level{depth}"));
        std::fs::create_dir(&level).unwrap();
        for number in 0..25 {
            let (name, content) = (words[number % 8], contents[number % 8]);
            std::fs::write(level.join(format!("{number}-{name}")), [content, &[b' ', b'0' + depth]].concat()).unwrap();
        }
    }
    let earlier = TraceOptions::default().start_time - 86_400 * 10_000_000 * 2;
    let lossy = TraceOptions {
        events_lost: 1000,
        buffers_lost: 7,
        start_time: earlier,
        boot_time: earlier - 5,
        ..TraceOptions::default()
    };
    crate::traces::windows_update(lossy).write(&level.join("WindowsUpdate.etl"));
    let live = TraceOptions {
        live: true,
        log_mode: 2,
        maximum_file_size: 8,
        boot_time: earlier - 9,
        ..TraceOptions::default()
    };
    crate::traces::windows_update(live).write(&folder.join("level0").join("live-copy.etl"));
    std::fs::write(folder.join("level0").join("secret.zip"), encrypted_zip()).unwrap();
}

/// An archive whose only member needs a password, by the flag in its headers.
#[cfg(unix)]
fn encrypted_zip() -> Vec<u8> {
    let mut bytes = crate::inputs::zip(&[("server.etl", &[7; 100][..])]);
    let central = bytes.windows(4).rposition(|part| part == b"PK\x01\x02").unwrap();
    bytes[6] |= 1;
    bytes[central + 8] |= 1;
    bytes
}

/// The program on a folder; where this is root, as another user, for whom not all of it is readable.
#[cfg(unix)]
fn analyze_as_another(folder: &Path) -> Value {
    let arguments = ["analyze".as_ref(), folder.as_os_str(), "-f".as_ref(), "json".as_ref()];
    let is_root = std::process::Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout == b"0\n");
    let program = env!("CARGO_BIN_EXE_outofports");
    let output = if is_root {
        // The folder of the program may be closed to others, and so may that of temporary files.
        let copy = folder.parent().unwrap().join("outofports");
        std::fs::copy(program, &copy).unwrap();
        let user = ["--reuid=65534", "--regid=65534", "--clear-groups"];
        std::process::Command::new("setpriv").args(user).arg(copy).args(arguments).output().unwrap()
    } else {
        std::process::Command::new(program).args(arguments).output().unwrap()
    };
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[cfg(unix)]
#[test]
fn what_lies_around_a_trace_changes_its_report_by_notes_alone() {
    use std::os::unix::fs::PermissionsExt;

    let root = scratch();
    std::fs::set_permissions(root.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let case = root.path().join("case");
    std::fs::create_dir(&case).unwrap();
    let mut written = Written::new();
    written.failures(100, 2222, 20);
    let trace = written.write(&case.join("server.etl"));
    let alone = json_of(&[&trace], 0);
    assert_eq!(alone["verdict"]["confidence"], "high");
    disturb(&case);
    let closed = case.join("closed");
    std::fs::create_dir(&closed).unwrap();
    std::fs::write(closed.join("netstat.txt"), "x").unwrap();
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o0)).unwrap();
    let report = analyze_as_another(&case);
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o755)).unwrap();
    let is_alike = |report: &Value| {
        for part in ["verdict", "pools", "holders", "processes", "timeline", "addresses", "ruled_out"] {
            assert_eq!(report[part], alone[part], "{part}");
        }
    };
    is_alike(&report);
    let has = |report: &Value, parts: &[&str]| {
        let told = notes(report);
        assert!(told.iter().any(|note| parts.iter().all(|part| note.contains(part))), "{parts:?}: {told:#?}");
    };
    println!("as a folder:\n{}", notes(&report).join("\n"));
    has(&report, &["closed: ", "denied", "not used"]);
    has(&report, &["secret.zip/server.etl: is encrypted"]);
    has(&report, &["WindowsUpdate.etl: the session lost 1,000 events and 7 buffers"]);
    has(&report, &["live-copy.etl: the session did not close the log"]);
    has(&report, &["files hold nothing that this program knows; not used: "]);
    let speaks: Vec<&Value> = report["traces"].as_array().unwrap().iter().map(|trace| &trace["speaks"]).collect();
    assert_eq!(speaks.iter().filter(|speaks| ***speaks == json!(true)).count(), 1, "{speaks:?}");
    assert_eq!(speaks.len(), 3);
    // The same as a zip archive.
    let mut members: Vec<(String, Vec<u8>)> = Vec::new();
    let mut folders = vec![case];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.starts_with(&closed) {
                let name = path.strip_prefix(root.path()).unwrap().to_str().unwrap().to_owned();
                members.push((name, std::fs::read(&path).unwrap()));
            }
        }
    }
    members.sort();
    let packed: Vec<(&str, &[u8])> = members.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    let zip = root.path().join("case.zip");
    std::fs::write(&zip, crate::inputs::zip(&packed)).unwrap();
    let report = json_of(&[&zip], 0);
    println!("as a zip:\n{}", notes(&report).join("\n"));
    is_alike(&report);
    has(&report, &["is encrypted"]);
    has(&report, &["WindowsUpdate.etl: the session lost 1,000 events and 7 buffers"]);
    has(&report, &["files hold nothing that this program knows; not used: "]);
}
