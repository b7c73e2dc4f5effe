//! Whose the events of `events` are.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value, json};
use synth::afd::{self, Head};
use synth::record::{Descriptor, Origin};
use synth::{TraceBuilder, TraceOptions};

use crate::common::{command, run, scratch, write_scenario};

const NO_PORT: u32 = afd::TOO_MANY_ADDRESSES;
const SEND: u16 = 1003;
const BIND: u16 = 1029;
const CONNECT: u16 = 1017;

struct Case(TraceBuilder);

impl Case {
    fn new() -> Self {
        Self(TraceBuilder::new(TraceOptions::default()))
    }

    /// An AFD event of a status alone, or of a send: `ms` after the start, in the context of process `pid`.
    fn afd(&mut self, ms: i64, pid: u32, id: u16, (enter_exit, process, endpoint): (u32, u64, u64), status: u32) {
        let at = self.0.options().t0 + ms * 10_000;
        let head = Head { enter_exit, location: 3000, process, endpoint };
        let mut payload = afd::status_only(synth::Pointer::Eight, head, status);
        if id == SEND {
            payload.splice(24..24, [0; 16]);
        }
        self.0.afd(0, at, pid, id, &payload);
    }

    fn create(&mut self, ms: i64, pid: u32, process: u64, endpoint: u64) {
        let at = self.0.options().t0 + ms * 10_000;
        for enter_exit in [afd::ENTER, afd::EXIT] {
            self.0.afd_create(0, at, pid, Head { enter_exit, location: 1000, process, endpoint }, pid, 0);
        }
    }

    fn close(&mut self, ms: i64, process: u64, endpoint: u64) {
        for id in [1002, 1001] {
            self.afd(ms, 4, id, (afd::EXIT, process, endpoint), 0);
        }
    }

    fn started(&mut self, ms: i64, pid: u32, image: &str) {
        let wide: Vec<u8> = image.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect();
        let payload = [&pid.to_le_bytes()[..], &[0; 16], &wide].concat();
        let at = self.0.options().t0 + ms * 10_000;
        let descriptor = Descriptor { id: 1, ..Descriptor::default() };
        self.0.event(0, at, Origin::new(pid, 1), synth::process::KERNEL_PROCESS, descriptor, &payload);
    }

    fn write(self, folder: &Path) -> PathBuf {
        let path = folder.join("case.etl");
        std::fs::write(&path, self.0.finish()).unwrap();
        path
    }
}

fn events(path: &Path, options: &[&str]) -> Vec<Value> {
    let arguments = ["events".as_ref(), path.as_os_str(), "-f".as_ref(), "ndjson".as_ref()].into_iter();
    let ran = run(arguments.chain(options.iter().map(std::ffi::OsStr::new)));
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran:?}");
    ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Id, PID of the header, and the owner.
fn owners(lines: &[Value]) -> Vec<Value> {
    let row =
        |line: &Value| json!([line["id"], line["pid"], line["owner_pid"], line["owner_image"], line["owner_source"]]);
    lines.iter().map(row).collect()
}

#[test]
fn later_events_decide_whose_a_failure_is() {
    let folder = scratch();
    let mut case = Case::new();
    // In System context, of a process that is told last of all.
    case.afd(1, 4, BIND, (afd::EXIT, 0xA0, 0x10), NO_PORT);
    case.afd(2, 4, CONNECT, (afd::EXIT, 0xA0, 0x10), NO_PORT);
    // One that shows no completion of its own, and one that does.
    case.create(3, 700, 0xB0, 0x20);
    case.afd(4, 700, BIND, (afd::ENTER, 0xB0, 0x20), 0);
    case.afd(5, 4, BIND, (3, 0, 0x20), NO_PORT);
    case.create(6, 700, 0xB0, 0x30);
    case.afd(7, 700, BIND, (afd::ENTER, 0xB0, 0x30), 0);
    case.afd(8, 4, BIND, (3, 0, 0x30), NO_PORT);
    case.afd(9, 4, BIND, (afd::EXIT, 0xB0, 0x30), 0);
    // Nobody is known for this one.
    case.afd(10, 0, BIND, (afd::EXIT, 0, 0x40), NO_PORT);
    case.started(11, 900, r"\Device\HarddiskVolume1\late.exe");
    case.create(12, 900, 0xA0, 0x50);
    let path = case.write(folder.path());
    let want = [
        json!([1029, 4, 900, "late.exe", "eprocess"]),
        json!([1017, 4, 900, "late.exe", "eprocess"]),
        json!([1029, 4, 700, null, "created_socket"]),
        json!([1029, 0, null, null, "unknown"]),
    ];
    assert_eq!(owners(&events(&path, &[])), want);
    assert_eq!(owners(&events(&path, &["--pid", "900"])), want[..2]);
    assert_eq!(owners(&events(&path, &["--process", "LATE"])), want[..2]);
    assert_eq!(owners(&events(&path, &["--pid", "700,900"])), want[..3]);
    assert!(events(&path, &["--pid", "4"]).is_empty(), "nothing is told under System");
    // By the header, in one pass: whose they are is not asked.
    let of_system = owners(&events(&path, &["--header-pid", "4", "--status", "10055"]));
    let want = [1029, 1017, 1029, 1029].map(|id| json!([id, 4, null, null, null]));
    assert_eq!(of_system, want);
    assert_eq!(events(&path, &["--header-pid", "4", "--provider", "afd", "--pid", "900"]).len(), 2);
    let text = run(["events".as_ref(), path.as_os_str()]).stdout;
    let lines: Vec<&str> = text.lines().collect();
    assert!(
        lines[0].contains(" PID 4 TID 8 OWNER 900 late.exe (eprocess) Microsoft-Windows-Winsock-AFD/1029"),
        "{text}"
    );
    assert!(lines[2].contains(" OWNER 700 (created_socket) ") && lines[3].contains(" OWNER unknown "), "{text}");
    let table = run(["events".as_ref(), path.as_os_str(), "-f".as_ref(), "csv".as_ref()]).stdout;
    let mut reader = csv::Reader::from_reader(table.as_bytes());
    let columns: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    assert_eq!(columns[3..8], ["pid", "tid", "owner_pid", "owner_image", "owner_source"]);
    let first = reader.records().next().unwrap().unwrap();
    assert_eq!([&first[5], &first[6], &first[7]], ["900", "late.exe", "eprocess"]);
}

#[test]
fn every_event_of_a_socket_is_its_owners_at_that_time() {
    let folder = scratch();
    let mut case = Case::new();
    let send = |case: &mut Case, ms, process| case.afd(ms, 0, SEND, (afd::EXIT, process, 0x10), 0);
    send(&mut case, 1, 0);
    // Of a socket older than the trace, by its EPROCESS address, which a later create tells.
    send(&mut case, 2, 0xB0);
    case.create(10, 700, 0xA0, 0x10);
    send(&mut case, 11, 0xA0);
    case.close(20, 0xA0, 0x10);
    // Of a socket whose create was not seen.
    send(&mut case, 25, 0);
    case.create(30, 900, 0xB0, 0x10);
    send(&mut case, 31, 0);
    let path = case.write(folder.path());
    let sends = owners(&events(&path, &["--provider", "afd", "--id", "1003"]));
    let want = [
        json!([1003, 0, null, null, "unknown"]),
        json!([1003, 0, 900, null, "eprocess"]),
        json!([1003, 0, 700, null, "created_socket"]),
        json!([1003, 0, null, null, "unknown"]),
        json!([1003, 0, 900, null, "created_socket"]),
    ];
    assert_eq!(sends, want);
    let all = events(&path, &["--all"]);
    let of_700 = all.iter().filter(|line| line["owner_pid"] == 700).count();
    assert_eq!(of_700, 5, "create twice, send, cleanup, close");
    assert_eq!(events(&path, &["--all", "--pid", "700"]).len(), of_700);
    // What is of no endpoint has no owner.
    assert_eq!(all[0]["owner_source"], Value::Null, "{}", all[0]);
}

#[test]
fn endpoints_of_tcpip_are_those_of_the_process_that_it_names() {
    let folder = scratch();
    let (path, _) = write_scenario("holder-before-rundown", folder.path());
    let lines = events(&path, &["--provider", "tcpip"]);
    let known: Vec<&Value> = lines.iter().filter(|line| line["owner_source"] == "tcpip").collect();
    assert!(!known.is_empty());
    let names_pid = |line: &&&Value| line["fields"].get("Pid").is_some_and(|pid| pid != 0);
    assert!(known.iter().filter(names_pid).count() > 0);
    for line in known.iter().filter(names_pid) {
        assert_eq!(line["owner_pid"], line["fields"]["Pid"], "{line}");
    }
    let pid = &known[0]["owner_pid"];
    let of_pid = known.iter().filter(|line| line["owner_pid"] == *pid).count();
    assert_eq!(events(&path, &["--provider", "tcpip", "--pid", &pid.to_string()]).len(), of_pid);
}

#[test]
fn images_are_those_of_the_report_also_from_a_process_list() {
    let folder = scratch();
    let (path, expected) = write_scenario("names-tasklist", folder.path());
    let victim = expected.processes.iter().find(|row| row.image.is_some() && row.bind_failures > 0).unwrap();
    let image = victim.image.as_deref().unwrap();
    assert_eq!(events(folder.path(), &["--process", image]).len() as u64, victim.bind_failures);
    // The trace alone has no names.
    assert!(events(&path, &["--process", image]).is_empty());
    assert_eq!(events(&path, &["--pid", &victim.pid.unwrap().to_string()]).len() as u64, victim.bind_failures);
}

#[test]
fn the_lines_are_the_same_for_any_number_of_threads_and_from_standard_input() {
    let folder = scratch();
    for name in ["shuffled-64cpu", "internal-completions", "names-mof"] {
        let (path, _) = write_scenario(name, folder.path());
        let with = |options: &[&str]| {
            let arguments = ["events".as_ref(), path.as_os_str(), "-f".as_ref(), "csv".as_ref()].into_iter();
            run(arguments.chain(options.iter().map(std::ffi::OsStr::new))).stdout
        };
        for filter in [&["--all"][..], &[]] {
            let one = with(&[filter, &["--threads", "1"]].concat());
            for threads in ["2", "7"] {
                assert_eq!(with(&[filter, &["--threads", threads]].concat()), one, "{name} {filter:?} {threads}");
            }
        }
        let mut child =
            command().args(["events", "-", "-f", "csv"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let writer = std::thread::spawn(move || std::io::Write::write_all(&mut stdin, &bytes));
        let piped = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
        writer.join().unwrap().unwrap();
        let path = path.to_str().unwrap();
        assert_eq!(piped.replace("(standard input)", path), with(&[]), "{name}");
    }
}
