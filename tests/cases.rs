//! Small hand-made traces for rules that the scenarios do not reach. All synthetic.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use synth::afd::{self, Head};
use synth::record::{Descriptor, Origin, Record};
use synth::{TraceBuilder, TraceOptions};

use crate::common::{analyze, run, scratch, write_scenario};

const NO_PORT: u32 = 0xC000_0209;
const ENTER: u32 = 0;
const EXIT: u32 = 1;
const INTERNAL: u32 = 3;

/// A trace under construction; times are in milliseconds from its start.
struct Case {
    builder: TraceBuilder,
    t0: i64,
}

impl Case {
    fn new() -> Self {
        Self::with(TraceOptions::default())
    }

    fn with(options: TraceOptions) -> Self {
        let t0 = options.t0;
        Self { builder: TraceBuilder::new(options), t0 }
    }

    fn at(&self, ms: i64) -> i64 {
        self.t0 + ms * 10_000
    }

    fn head(enter_exit: u32, process: u64, endpoint: u64) -> Head {
        Head { enter_exit, location: 7022, process, endpoint }
    }

    fn bind(&mut self, ms: i64, pid: u32, (enter_exit, process, endpoint): (u32, u64, u64), status: u32) {
        let pointer = synth::Pointer::Eight;
        let payload = afd::status_only(pointer, Self::head(enter_exit, process, endpoint), status);
        let at = self.at(ms);
        self.builder.afd(0, at, pid, 1029, &payload);
    }

    fn connect(&mut self, ms: i64, pid: u32, (enter_exit, process, endpoint): (u32, u64, u64), status: u32) {
        let at = self.at(ms);
        let payload = afd::status_only(synth::Pointer::Eight, Self::head(enter_exit, process, endpoint), status);
        self.builder.afd(0, at, pid, 1017, &payload);
    }

    fn create(&mut self, ms: i64, pid: u32, process: u64, endpoint: u64) {
        let at = self.at(ms);
        for enter_exit in [ENTER, EXIT] {
            self.builder.afd_create(0, at, pid, Self::head(enter_exit, process, endpoint), pid, 0);
        }
    }

    fn close(&mut self, ms: i64, pid: u32, process: u64, endpoint: u64) {
        let at = self.at(ms);
        self.builder.afd_close(0, at, pid, Self::head(EXIT, process, endpoint), 0);
    }

    fn cleanup(&mut self, ms: i64, pid: u32, process: u64, endpoint: u64) {
        let at = self.at(ms);
        self.builder.afd_cleanup(0, at, pid, Self::head(EXIT, process, endpoint), 0);
    }

    fn process(&mut self, ms: i64, start: bool, pid: u32, image: &str) {
        // Kernel-Process v0: PID, CreateTime 0 (not told), then as the version has it.
        let wide: Vec<u8> = image.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect();
        let narrow = [image.as_bytes(), &[0]].concat();
        let payload = if start {
            [&pid.to_le_bytes()[..], &[0; 16], &wide].concat()
        } else {
            [&pid.to_le_bytes()[..], &[0; 44], &narrow].concat()
        };
        let id = if start { 1 } else { 2 };
        let descriptor = Descriptor { id, ..Descriptor::default() };
        let provider = synth::process::KERNEL_PROCESS;
        let at = self.at(ms);
        self.builder.event(0, at, Origin::new(pid, 1), provider, descriptor, &payload);
    }

    fn write(self, path: &Path) -> PathBuf {
        std::fs::write(path, self.builder.finish()).unwrap();
        path.to_owned()
    }
}

/// PID, image, bind failures, connect failures, sockets created, sockets closed.
fn rows(report: &Value) -> Vec<Value> {
    let rows = report["processes"].as_array().unwrap().iter();
    rows.map(|row| {
        json!([
            row["pid"],
            row["image"],
            row["bind_failures"],
            row["connect_failures"],
            row["sockets_created"],
            row["sockets_closed"]
        ])
    })
    .collect()
}

fn report(case: Case) -> Value {
    let folder = scratch();
    let path = case.write(&folder.path().join("case.etl"));
    analyze(&path, 0)
}

#[test]
fn an_operation_known_late_belongs_to_who_did_it() {
    let mut case = Case::new();
    case.process(0, true, 100, "a.exe");
    for socket in 1..=3 {
        case.bind(10, 100, (ENTER, 0, socket), 0);
        case.bind(11, 100, (INTERNAL, 0, socket), NO_PORT);
    }
    case.process(20, false, 100, "a.exe");
    case.process(30, true, 100, "b.exe");
    case.create(40, 100, 0xB, 0x77);
    // No completion, no close: they count at the end, when PID 100 is another process.
    assert_eq!(rows(&report(case)), [json!([100, "a.exe", 3, 0, 0, 0]), json!([100, "b.exe", 0, 0, 1, 0])]);
}

#[test]
fn completions_behind_a_close_open_no_new_socket() {
    let mut case = Case::new();
    case.create(0, 100, 0xA, 1);
    case.connect(1, 100, (ENTER, 0xA, 1), 0);
    case.cleanup(2, 100, 0xA, 1);
    case.connect(3, 4, (EXIT, 0xA, 1), 0xC000_0120);
    case.close(4, 100, 0xA, 1);
    // A failure completed in System context behind the close is the creator's.
    case.create(10, 100, 0xA, 2);
    case.bind(11, 100, (ENTER, 0xA, 2), 0);
    case.close(12, 100, 0xA, 2);
    case.bind(13, 4, (EXIT, 0x51, 2), NO_PORT);
    let report = report(case);
    assert_eq!(rows(&report), [json!([100, null, 1, 0, 2, 2])]);
    assert_eq!(report["processes"][0]["owner_source"]["created_socket"], 1);
}

#[test]
fn closes_behind_the_end_of_a_process_are_its_own() {
    let mut case = Case::new();
    case.process(0, true, 100, "a.exe");
    for socket in 1..=3 {
        case.bind(1, 100, (ENTER, 0, socket), 0);
        case.bind(2, 100, (EXIT, 0, socket), 0);
    }
    case.process(3, false, 100, "a.exe");
    case.process(4, true, 100, "b.exe");
    case.create(5, 100, 0xB, 9);
    for socket in 1..=3 {
        case.close(6, 100, 0, socket);
    }
    assert_eq!(rows(&report(case)), [json!([100, "a.exe", 0, 0, 0, 3]), json!([100, "b.exe", 0, 0, 1, 0])]);
}

#[test]
fn an_answer_without_a_request_takes_nothing_from_an_old_one() {
    let mut case = Case::new();
    case.bind(0, 200, (ENTER, 0, 1), 0);
    case.bind(1, 200, (EXIT, 0, 1), 0xC000_020A);
    // Its request was lost, and System's context says nothing.
    case.bind(50, 4, (EXIT, 0, 1), NO_PORT);
    case.bind(51, 300, (ENTER, 0, 2), 0);
    case.bind(52, 4, (EXIT, 0, 2), NO_PORT);
    let rows = rows(&report(case));
    assert!(rows.contains(&json!([null, null, 1, 0, 0, 0])), "{rows:?}");
    assert!(rows.contains(&json!([300, null, 1, 0, 0, 0])), "{rows:?}");
}

#[test]
fn both_dialects_tell_one_story() {
    let mut case = Case::new();
    let pointer = synth::Pointer::Eight;
    let at = case.at(0);
    case.builder.afd_create(0, at, 100, Case::head(ENTER, 0xA, 1), 100, 0);
    let legacy = [&0xA_u64.to_le_bytes()[..], &1_u64.to_le_bytes(), &2_u32.to_le_bytes(), &1_u32.to_le_bytes()];
    let legacy = [&legacy.concat()[..], &6_u32.to_le_bytes(), &100_u64.to_le_bytes()].concat();
    case.builder.afd(0, at + 1, 100, 1, &legacy);
    case.builder.afd_create(0, at + 2, 100, Case::head(EXIT, 0xA, 1), 100, 0);
    case.bind(1, 100, (ENTER, 0xA, 1), 0);
    case.bind(2, 100, (EXIT, 0xA, 1), NO_PORT);
    let at = case.at(2);
    case.builder.afd(0, at + 1, 100, 40, &afd::legacy::error(pointer, 0xA, 1, NO_PORT));
    assert_eq!(rows(&report(case)), [json!([100, null, 1, 0, 1, 0])]);
}

#[test]
fn connect_failures_alone_exhaust_but_make_no_victim() {
    let mut case = Case::new();
    case.create(0, 100, 0xA, 1);
    case.connect(1, 100, (ENTER, 0xA, 1), 0);
    case.connect(2, 100, (EXIT, 0xA, 1), NO_PORT);
    let report = report(case);
    assert_eq!(report["verdict"]["state"], "exhausted");
    assert_eq!(report["failures"]["connects"], 1);
    assert_eq!((report["victims"].clone(), report["processes"][0]["roles"].clone()), (json!([]), json!([])));
}

#[test]
fn an_enter_exit_that_no_source_names_is_doubt() {
    let mut case = Case::new();
    case.create(0, 100, 0xA, 1);
    case.bind(1, 100, (7, 0xA, 1), NO_PORT);
    let report = report(case);
    assert_eq!(report["verdict"]["state"], "cannot_tell");
    assert!(report["verdict"]["reasons"].to_string().contains("unknown_phases"));
}

#[test]
fn a_clock_without_a_frequency_is_doubt() {
    let folder = scratch();
    let (path, expected) = write_scenario("modern-64", folder.path());
    let mut trace = std::fs::read(&path).unwrap();
    // PerfFreq stands at 0x100 of the header record's payload.
    trace[0x48 + 0x20 + 0x100..][..8].fill(0);
    std::fs::write(&path, trace).unwrap();
    let report = analyze(&path, 0);
    assert_eq!(report["failures"]["binds"], expected.binds);
    assert_eq!(report["verdict"]["confidence"], "medium");
    assert!(report["verdict"]["reasons"].to_string().contains("clock_assumed"));
}

#[test]
fn lost_event_flags_are_on_the_first_screen() {
    let folder = scratch();
    let (path, _) = write_scenario("modern-64", folder.path());
    let mut trace = std::fs::read(&path).unwrap();
    let size = u32::from_le_bytes(trace[..4].try_into().unwrap()) as usize;
    trace[3 * size + 0x34] |= 0x02;
    std::fs::write(&path, trace).unwrap();
    let text = run(["analyze".as_ref(), path.as_os_str()]).stdout;
    assert!(text.contains("confidence: medium"), "{text}");
    assert!(text.contains("the flags of 1 buffer say that events were lost before"), "{text}");
    assert!(!text.contains("nothing lost"), "{text}");
    let info = run(["info".as_ref(), path.as_os_str()]).stdout;
    assert!(info.contains("partly"), "{info}");
}

#[test]
fn a_malformed_winsock_record_is_damage() {
    let folder = scratch();
    let mut case = Case::new();
    case.create(0, 100, 0xA, 1);
    let at = case.at(1);
    case.builder.afd(0, at, 100, 1029, &[1, 0, 0, 0]);
    let report = analyze(&case.write(&folder.path().join("short.etl")), 1);
    assert_eq!(report["coverage"]["records_malformed"], 1);
    assert_eq!(report["verdict"]["state"], "cannot_tell");
}

#[test]
fn nothing_outlives_a_reboot() {
    let folder = scratch();
    let defaults = TraceOptions::default();
    let day = 864_000_000_000;
    for (name, days, image) in [("day1.etl", 0, "a.exe"), ("day2.etl", 1, "b.exe")] {
        let mut case = Case::with(TraceOptions {
            start_time: defaults.start_time + days * day,
            boot_time: defaults.boot_time + days * day,
            ..TraceOptions::default()
        });
        case.process(0, true, 100, image);
        let pointer = synth::Pointer::Eight;
        for socket in 0..5_u64 {
            let address = [&[2, 0, 0, 0][..], &[0; 12]].concat();
            let head = |phase| Case::head(phase, 0xA, 0x100 + socket);
            case.create(1, 100, 0xA, 0x100 + socket);
            let at = case.at(2);
            case.builder.afd(0, at, 100, 1030, &afd::bind_with_address(pointer, head(ENTER), 0, &address));
            case.builder.afd(0, at + 5, 100, 1029, &afd::status_only(pointer, head(EXIT), 0));
        }
        case.write(&folder.path().join(name));
    }
    let report = run(["analyze".as_ref(), folder.path().as_os_str(), "-f".as_ref(), "json".as_ref()]).json();
    let held =
        |row: &Value| json!([row["pid"], row["image"], row["binds_ok"], row["ports_held_peak"], row["ports_held_end"]]);
    let rows: Vec<Value> = report["processes"].as_array().unwrap().iter().map(held).collect();
    assert_eq!(rows, [json!([100, "b.exe", 5, 5, 5]), json!([100, "a.exe", 5, 5, 0])]);
}

#[test]
fn identical_traces_are_read_once() {
    let folder = scratch();
    let (path, expected) = write_scenario("modern-64", folder.path());
    std::fs::copy(&path, folder.path().join("copy.etl")).unwrap();
    let ran = run(["analyze".as_ref(), folder.path().as_os_str(), "-f".as_ref(), "json".as_ref()]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let report = ran.json();
    assert_eq!(report["failures"]["binds"], expected.binds);
    assert_eq!(report["traces"].as_array().unwrap().len(), 1);
    assert!(report["coverage"]["notes"].to_string().contains("read once"));
}

#[test]
fn appended_sessions_are_traces_with_their_own_times() {
    let folder = scratch();
    let (first, expected) = write_scenario("modern-64", folder.path());
    let (second, other) = write_scenario("legacy", folder.path());
    let whole = [std::fs::read(first).unwrap(), std::fs::read(second).unwrap()].concat();
    let path = folder.path().join("both.etl");
    std::fs::write(&path, whole).unwrap();
    let report = analyze(&path, 0);
    assert_eq!(report["traces"].as_array().unwrap().len(), 2);
    assert_eq!(report["failures"]["binds"], expected.binds + other.binds);
    assert_eq!(report["verdict"]["first_failure"], json!(other.first_failure));
    assert_eq!(report["verdict"]["last_failure"], json!(expected.last_failure));
}

#[test]
fn a_report_does_not_replace_its_trace() {
    let folder = scratch();
    let (path, _) = write_scenario("single-failure", folder.path());
    let before = std::fs::read(&path).unwrap();
    let ran = run(["analyze".as_ref(), path.as_os_str(), "-o".as_ref(), path.as_os_str()]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.stderr.contains("would be overwritten"));
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn a_list_without_a_trace_is_a_report_that_cannot_tell_and_has_no_events() {
    let folder = scratch();
    write_scenario("names-tasklist", folder.path());
    let list = folder.path().join("tasklist.txt");
    let ran = run(["analyze".as_ref(), list.as_os_str(), "-f".as_ref(), "json".as_ref()]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(ran.json()["verdict"]["reasons"][0]["code"], "no_trace");
    let ran = run(["events".as_ref(), list.as_os_str()]);
    assert_eq!((ran.code, ran.stderr.contains("no trace among the inputs")), (2, true), "{ran:?}");
    let ran = run(["info".as_ref(), list.as_os_str(), "-f".as_ref(), "json".as_ref()]);
    let answers = &ran.json()["answers"];
    let told = ["bind_failures", "process_names", "holders"].map(|name| answers[name]["answer"].clone());
    assert_eq!((ran.code, told), (0, ["no", "yes", "no"].map(Value::from)), "{ran:?}");
}

#[test]
fn names_cannot_steer_the_terminal() {
    let folder = scratch();
    let mut case = Case::new();
    case.process(0, true, 100, "evil\u{1b}[31m\r\n.exe");
    case.create(1, 100, 0xA, 1);
    for n in 0..2 {
        case.bind(2 + n, 100, (EXIT, 0xA, 1), NO_PORT);
    }
    let path = case.write(&folder.path().join("x\u{1b}[2J.etl"));
    for format in ["text", "csv"] {
        let ran = run(["analyze".as_ref(), path.as_os_str(), "-f".as_ref(), format.as_ref()]);
        assert_eq!(ran.code, 0);
        assert!(!ran.stdout.contains('\u{1b}') && ran.stdout.contains("\\u{1b}"), "{}", ran.stdout);
    }
    let ran = run(["analyze".as_ref(), folder.path().join("no\u{1b}[2J.etl").as_os_str()]);
    assert!(!ran.stderr.contains('\u{1b}'), "{ran:?}");
}

#[test]
fn damaged_cabinets_are_refused_and_never_a_panic() {
    let folder = scratch();
    let mut whole = Vec::new();
    let mut builder = cab::CabinetBuilder::new();
    builder.add_folder(cab::CompressionType::MsZip).add_file("report.etl");
    let mut writer = builder.build(std::io::Cursor::new(&mut whole)).unwrap();
    let trace = synth::write("single-failure").unwrap().trace;
    std::io::Write::write_all(&mut writer.next_file().unwrap().unwrap(), &trace).unwrap();
    writer.finish().unwrap();
    let path = folder.path().join("damaged.cab");
    for at in (8..120).chain((120..whole.len()).step_by(whole.len() / 40)) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0xFF;
        std::fs::write(&path, damaged).unwrap();
        let ran = run(["analyze".as_ref(), path.as_os_str(), "-f".as_ref(), "json".as_ref()]);
        assert!((0..=2).contains(&ran.code), "{at}: {ran:?}");
        assert!(!ran.stderr.contains("panicked"), "{at}: {ran:?}");
        assert_eq!(ran.code == 2, ran.stdout.is_empty(), "{at}");
    }
}

#[test]
fn many_statuses_fit_the_table() {
    let mut case = Case::new();
    case.create(0, 100, 0xA, 1);
    for status in 0..500_u32 {
        case.bind(1 + i64::from(status), 100, (ENTER, 0xA, 1), 0);
        case.bind(1 + i64::from(status), 100, (EXIT, 0xA, 1), 0xE000_0000 | status);
    }
    let at = case.at(600);
    let record = Record::System { origin: Origin::new(4, 4), hook: 0x0F2E, version: 2, payload: b"" };
    case.builder.record(0, at, &record);
    let folder = scratch();
    let path = case.write(&folder.path().join("many.etl"));
    let text = run(["analyze".as_ref(), path.as_os_str(), "--top".as_ref(), "5".as_ref()]).stdout;
    assert!(text.contains("(495 more statuses, 495 times)"), "{text}");
    assert!(text.lines().count() < 60);
}

#[test]
fn a_trace_without_its_first_buffer_still_names_the_victims() {
    let folder = scratch();
    let (path, expected) = write_scenario("modern-64", folder.path());
    let trace = std::fs::read(&path).unwrap();
    let first = u32::from_le_bytes(trace[..4].try_into().unwrap()) as usize;
    std::fs::write(&path, &trace[first..]).unwrap();
    let report = analyze(&path, 0);
    assert_eq!(report["failures"]["binds"], expected.binds);
    assert_eq!(report["verdict"]["confidence"], "medium");
    assert_eq!(report["verdict"]["first_failure"], Value::Null, "no date is made up");
    assert_eq!(report["traces"][0]["started"], Value::Null);
    assert!(report["coverage"]["notes"].to_string().contains("the first buffer is missing"));
    let text = run(["analyze".as_ref(), path.as_os_str()]).stdout;
    assert!(text.contains("PORT EXHAUSTION: YES"), "{text}");
}

#[test]
fn a_provider_for_each_record_is_counted_to_a_bound() {
    let mut case = Case::new();
    let mut guid = [7; 16];
    for number in 0..66_000_u32 {
        guid[..4].copy_from_slice(&number.to_le_bytes());
        let at = case.at(1);
        case.builder.event(0, at, Origin::new(1, 1), synth::Guid(guid), Descriptor::default(), &[]);
    }
    let report = report(case);
    let reasons = report["verdict"]["reasons"].to_string();
    assert!(reasons.contains("65,537 other providers"), "{reasons}");
    let notes = report["coverage"]["notes"].to_string();
    assert!(notes.contains("more than 65536 providers"), "{notes}");
}
