//! `--redact`: nothing that tells whose machine it is is left in any face, in any encoding.

use std::path::{Path, PathBuf};

use synth::afd::{self, Head, SockAddr};
use synth::packet::{self, Frame, Part};
use synth::process::ProcessInfo;
use synth::record::{Descriptor, Origin};
use synth::{TraceBuilder, TraceOptions};

use crate::common::{run, scratch};

/// What must not be told: users, companies, hosts, addresses, a SID, a MAC address, a service of somebody's own.
const SECRETS: &[&str] = &[
    "amanda",
    "quill",
    "fabrikam",
    "contoso",
    "10.77.88.99",
    "10.11.12.13",
    "192.168.55.77",
    "fd00:77::88",
    "S-1-5-21-1113333555",
    "00-15-5D-0A-0B-0C",
    "OrderPumpSvc",
];

const SECRET_IP: [u8; 4] = [10, 77, 88, 99];

/// A case with these in its trace, its listings, and the names of its files.
fn case(folder: &Path) -> PathBuf {
    let folder = folder.join("Fabrikam ticket 7");
    std::fs::create_dir(&folder).unwrap();
    let mut trace = TraceBuilder::new(TraceOptions::default());
    let t0 = trace.options().t0;
    let at = |ms: i64| t0 + ms * 10_000;
    let agent = ProcessInfo {
        pid: 7312,
        path: r"\Device\HarddiskVolume3\Users\amanda.quill\AppData\ContosoSync\agent.exe".to_owned(),
        eprocess: 0xA0,
        ..ProcessInfo::default()
    };
    trace.process_start(0, at(1), &agent, 3);
    let local = SockAddr::V4 { address: [10, 11, 12, 13], port: 50_000 };
    for n in 0..40_u64 {
        let endpoint = 0x1000 + n * 0x10;
        let head = |enter_exit| Head { enter_exit, location: 3000, process: 0xA0, endpoint };
        let ms = 10 + 10 * i64::try_from(n).unwrap();
        let status = if n < 30 { 0 } else { afd::TOO_MANY_ADDRESSES };
        trace.afd_create(0, at(ms), 7312, Head { location: 1000, ..head(afd::EXIT) }, 7312, 0);
        trace.afd_bind(0, at(ms + 1), 7312, head(afd::ENTER), 0, Some(local));
        trace.afd_bind(0, at(ms + 2), 7312, head(afd::EXIT), status, Some(local));
        let remote = Some(SockAddr::V4 { address: SECRET_IP, port: 1433 });
        trace.afd_connect(0, at(ms + 3), 7312, head(afd::EXIT), 0, remote, false);
    }
    // A packet that tells most of it, and an adapter.
    let remote = SockAddr::V4 { address: SECRET_IP, port: 1433 };
    let mut frame = packet::frame(Frame {
        source: local,
        destination: remote,
        is_udp: false,
        flags: 0x18,
        length: 0,
        has_link: true,
    });
    frame[6..12].copy_from_slice(&[0x00, 0x15, 0x5D, 0x0A, 0x0B, 0x0C]);
    frame.extend(b"POST /amanda.quill HTTP/1.1\r\nHost: contoso.example\r\n\r\n");
    let port = (3, "Port of fabrikam-sql7", "Adapter of amanda");
    for (at_switch, payload) in
        [(false, packet::fragment(7, 7, &frame)), (true, packet::switch_fragment(7, 7, port, &frame))]
    {
        let descriptor = packet::part_descriptor(true, Part::Whole, at_switch);
        trace.event(0, at(880), Origin::default(), packet::PACKET_CAPTURE, descriptor, &payload);
    }
    // A payload without a schema, with a name as UTF-16.
    let wide: Vec<u8> = "amanda.quill@contoso.example".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let unknown = synth::bytes::Guid::new(0x1234_5678, 1, 2, [3; 8]);
    trace.event(0, at(900), Origin::new(7312, 1), unknown, Descriptor { id: 7, ..Descriptor::default() }, &wide);
    std::fs::write(folder.join("contoso-dc01.etl"), trace.finish()).unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    write(
        "FABRIKAM-SQL7_tasklist.txt",
        "\r\nImage Name                     PID Services\r\n\
         ========================= ======== ============================================\r\n\
         svchost.exe                   1156 Dnscache, OrderPumpSvc\r\n\
         agent.exe                     7312 OrderPumpSvc\r\n",
    );
    write(
        "netstat of amanda.txt",
        "\r\nActive Connections\r\n\r\n  Proto  Local Address          Foreign Address        State           PID\r\n\
         \u{20} TCP    10.11.12.13:50000      10.77.88.99:1433       ESTABLISHED     7312\r\n\
         \u{20} TCP    10.11.12.13:50001      192.168.55.77:443      CLOSE_WAIT      7312\r\n\
         \u{20} TCP    [fd00:77::88]:50002    [fd00:77::88]:443      ESTABLISHED     7312\r\n",
    );
    write("call amanda quill.txt", "User CONTOSO\\amanda.quill S-1-5-21-1113333555-1-2-1001 at 00-15-5D-0A-0B-0C\r\n");
    write("empty contoso.etl", "");
    write(
        "collected.json",
        r#"{"manifest_version":1,"tool":{"name":"outofports","version":"0.1.0"},"os_build":20348,"processors":4,
        "began":"2026-03-10T09:30:00Z","first_failure":null,"ended_by":"time","packed":"2026-03-10T09:31:00Z","files":[],
        "failed":[{"name":"Fabrikam netstat.txt","asked":"","why":"CONTOSO\\amanda.quill may not ask 10.77.88.99"}],
        "notes":["asked by amanda on fabrikam"]}"#,
    );
    folder
}

/// Everything that a run wrote.
fn written(arguments: &[&str], folder: &Path) -> String {
    let paths = [folder.as_os_str()];
    let ran = run(arguments.iter().map(std::ffi::OsStr::new).chain(paths).chain(["--redact".as_ref()]));
    assert!(ran.code < 2, "{arguments:?}: {ran:?}");
    assert!(ran.stdout.len() > 40, "{arguments:?}: {ran:?}");
    ran.stdout
}

/// The capture file of a folder, as text and as hexadecimal digits.
fn captured(folder: &Path, options: &[&str]) -> String {
    let out = scratch();
    let path = out.path().join("case.pcapng");
    let paths = ["packets".as_ref(), folder.as_os_str(), "-o".as_ref(), path.as_os_str()];
    let ran = run(paths.into_iter().chain(options.iter().map(std::ffi::OsStr::new)));
    assert!(ran.code < 2 && ran.stdout.is_empty(), "{ran:?}");
    let bytes = std::fs::read(&path).unwrap();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}{}{hex}", ran.stderr, String::from_utf8_lossy(&bytes))
}

/// Everything that a batch wrote: all files with their names, the journal among them, and what it printed.
fn written_by_batch(folder: &Path, format: &str) -> String {
    let out = scratch();
    let paths = [folder.as_os_str(), "--out".as_ref(), out.path().as_os_str()];
    let options = ["--redact", "--format", format, "--name-from", "{customer} ticket {host}"];
    let ran = run(["batch".as_ref()].into_iter().chain(paths).chain(options.iter().map(std::ffi::OsStr::new)));
    assert!(ran.code < 2, "{ran:?}");
    let mut text = ran.stdout + &ran.stderr;
    let mut folders = vec![out.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            text.push_str(path.strip_prefix(out.path()).unwrap().to_str().unwrap());
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            #[cfg(feature = "parquet")]
            if path.extension().is_some_and(|ending| ending == "parquet") {
                text.push_str(&serde_json::to_string(&crate::batch::parquet_rows(&path)).unwrap());
            }
            text.push_str(&String::from_utf8_lossy(&std::fs::read(&path).unwrap()));
        }
    }
    text
}

/// Values that an option of a command takes, as it says itself.
fn values(command: &str, option: &str) -> Vec<String> {
    let stderr = run([command, option, "none", "x"]).stderr;
    let (_, values) = stderr.split_once("[possible values: ").unwrap_or_else(|| panic!("{command} {option}: {stderr}"));
    values.split_once(']').unwrap().0.split(", ").map(str::to_owned).collect()
}

fn leaks(text: &str) -> Vec<String> {
    let text = text.to_lowercase();
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let mut found = Vec::new();
    for secret in SECRETS {
        let lower = secret.to_lowercase();
        for spelled in [&lower, *secret].map(String::from) {
            let wide = |turn: fn(u16) -> [u8; 2]| spelled.encode_utf16().flat_map(turn).collect::<Vec<u8>>();
            let forms = [
                lower.clone(),
                hex(spelled.as_bytes()),
                hex(&wide(u16::to_le_bytes)),
                hex(&wide(u16::to_be_bytes)),
                spelled.chars().flat_map(|c| [c, '\0']).collect(),
            ];
            found.extend(forms.into_iter().filter(|form| text.contains(form.as_str())));
        }
    }
    found.extend(Some(hex(&SECRET_IP)).filter(|ip| text.contains(ip.as_str())));
    found
}

#[test]
fn no_face_tells_whose_machine_it_is() {
    let scratch = scratch();
    let folder = case(scratch.path());
    // A new command has to say here whether it tells anything of a case.
    let of_cases = ["analyze", "events", "packets", "info", "batch"];
    let others = ["live", "collect", "explain", "completions", "man", "help"];
    let help = run(["--help"]).stdout;
    let (_, commands) = help.split_once("Commands:").unwrap();
    let (commands, _) = commands.split_once("Options:").unwrap();
    let names = commands.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    for name in names.filter_map(|line| line.split_whitespace().next()) {
        assert!(of_cases.contains(&name) || others.contains(&name), "does {name} tell whose machine it is?");
    }
    let mut faces: Vec<Vec<String>> = Vec::new();
    let of = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<String>>();
    for format in values("analyze", "--format") {
        faces.push(of(&["analyze", "-f", &format]));
    }
    for table in values("analyze", "--table") {
        faces.push(of(&["analyze", "-f", "csv", "--table", &table]));
    }
    for format in values("events", "--format") {
        faces.push(of(&["events", "--all", "-f", &format]));
        faces.push(of(&["events", "-f", &format]));
    }
    for profile in values("events", "--profile") {
        faces.push(of(&["events", "--all", "--profile", &profile]));
    }
    for format in values("info", "--format") {
        faces.push(of(&["info", "-f", &format]));
    }
    assert!(faces.len() >= 15, "{faces:?}");
    for face in &faces {
        let arguments: Vec<&str> = face.iter().map(String::as_str).collect();
        let text = written(&arguments, &folder);
        let leaks = leaks(&text);
        assert!(leaks.is_empty(), "{face:?} tells {leaks:?}:\n{text}");
    }
    for format in values("batch", "--format") {
        if format == "parquet" && cfg!(not(feature = "parquet")) {
            continue;
        }
        let text = written_by_batch(scratch.path(), &format);
        let leaks = leaks(&text);
        assert!(leaks.is_empty(), "batch --format {format} tells {leaks:?}:\n{text}");
        assert!(text.contains("agent.exe") && text.contains("host-"), "{text}");
    }
    for options in [&["--redact"][..], &["--redact=images"], &["--redact", "--components"]] {
        let text = captured(&folder, options);
        let leaks = leaks(&text);
        assert!(leaks.is_empty(), "packets {options:?} tells {leaks:?}:\n{text}");
        assert!(text.contains("packets, of which 2 have a process that is known"), "{text}");
    }
    assert!(leaks(&captured(&folder, &[])).len() > 6);
    // The test finds what is not replaced.
    let plain = run(["events".as_ref(), folder.as_os_str(), "--all".as_ref(), "-f".as_ref(), "ndjson".as_ref()]);
    assert!(leaks(&plain.stdout).len() > 4);
}

#[test]
fn one_original_has_one_name_and_the_answer_stays() {
    let scratch = scratch();
    let folder = case(scratch.path());
    let json = |options: &[&str]| {
        let paths = [folder.as_os_str(), "-f".as_ref(), "json".as_ref()];
        run(["analyze".as_ref()].into_iter().chain(paths).chain(options.iter().map(std::ffi::OsStr::new))).json()
    };
    let (plain, redacted) = (json(&[]), json(&["--redact"]));
    for field in ["state", "confidence", "suspect", "first_failure"] {
        assert_eq!(plain["verdict"][field], redacted["verdict"][field]);
    }
    assert_eq!(plain["timeline"], redacted["timeline"]);
    let agent = |report: &serde_json::Value| {
        report["processes"].as_array().unwrap().iter().find(|row| row["pid"] == 7312).unwrap().clone()
    };
    assert_eq!(agent(&redacted)["image"], "agent.exe");
    assert_eq!(agent(&redacted)["services"], serde_json::json!(["service-1"]));
    // The trace's address and the listing's are one.
    let remote = agent(&redacted)["destinations"][0]["remote"].as_str().unwrap().to_owned();
    let of_case = redacted["destinations"].as_array().unwrap().iter().filter_map(|row| row["remote"].as_str());
    let address = remote.split(':').next().unwrap().to_owned();
    assert!(of_case.clone().any(|other| other == address), "{remote}: {:?}", of_case.collect::<Vec<_>>());
    let notes = redacted["coverage"]["notes"].as_array().unwrap();
    let last = notes.last().unwrap().as_str().unwrap();
    assert!(last.starts_with("redacted: ") && last.contains("kept: ports, counts, times"), "{last}");
    let images = json(&["--redact=images"]);
    assert_eq!(agent(&images)["image"], "image-1.exe");
    assert!(!images.to_string().contains("agent.exe"));
}

#[test]
fn a_key_keeps_names_over_runs() {
    let scratch = scratch();
    let folder = case(scratch.path());
    let (key, other, short) = (scratch.path().join("key"), scratch.path().join("other"), scratch.path().join("short"));
    std::fs::write(&key, [7; 32]).unwrap();
    std::fs::write(&other, [8; 32]).unwrap();
    std::fs::write(&short, [7; 4]).unwrap();
    let trace = folder.join("contoso-dc01.etl");
    let of = |paths: &[&Path], key: &Path| {
        let paths = paths.iter().map(|path| path.as_os_str());
        let options = ["-f".as_ref(), "json".as_ref(), "--redact".as_ref(), "--redact-key".as_ref(), key.as_os_str()];
        run(["analyze".as_ref()].into_iter().chain(paths).chain(options))
    };
    let path = |ran: &crate::common::Ran| {
        ran.json()["traces"][0]["path"].as_str().unwrap().rsplit('/').next().unwrap().to_owned()
    };
    let (alone, whole) = (of(&[&trace], &key), of(&[&folder], &key));
    assert_eq!(path(&alone), path(&whole));
    assert_ne!(path(&alone), path(&of(&[&trace], &other)));
    let ran = of(&[&trace], &short);
    assert!(ran.code == 2 && ran.stderr.contains("a key has 16 bytes or more"), "{ran:?}");
}
