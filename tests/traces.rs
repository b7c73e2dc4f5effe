//! What a trace may claim: events are what they are, whatever their numbers are; doubts count where a trace could tell of ports.
//! All synthetic.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use synth::afd::{self, Head, SockAddr};
use synth::clock::Clock;
use synth::process::ProcessInfo;
use synth::record::{Descriptor, Extended, Origin, Record};
use synth::{Guid, MofKind, Pointer, TraceBuilder, TraceOptions, tcpip};

use crate::common::{corpus, run, scratch};

const NO_PORT: u32 = afd::TOO_MANY_ADDRESSES;
const ENTER: u32 = 0;
const EXIT: u32 = 1;
const EVENT_METADATA: Guid = Guid::new(0xBBCC_F6C1, 0x6CD1, 0x48C4, [0x80, 0xFF, 0x83, 0x94, 0x82, 0xE3, 0x76, 0x71]);
const WINDOWS_UPDATE: Guid = Guid::new(0x945A_8954, 0xC147, 0x4ACD, [0x92, 0x3F, 0x40, 0xC4, 0x54, 0x05, 0xA6, 0x58]);

/// A trace under construction. Times are in milliseconds from its start.
pub struct Written {
    pub builder: TraceBuilder,
    t0: i64,
    endpoints: u64,
}

impl Written {
    pub fn new() -> Self {
        Self::with(TraceOptions::default())
    }

    pub fn with(options: TraceOptions) -> Self {
        let t0 = options.t0;
        Self { builder: TraceBuilder::new(options), t0, endpoints: 0xFFFF_9000_0000_0000 }
    }

    pub fn at(&self, ms: i64) -> i64 {
        self.t0 + ms * 10_000
    }

    fn head(enter_exit: u32, location: u32, pid: u32, endpoint: u64) -> Head {
        Head { enter_exit, location, process: 0xFFFF_8000_0000_0000 + u64::from(pid) * 0x1000, endpoint }
    }

    pub fn create(&mut self, cpu: u16, ms: i64, pid: u32) -> u64 {
        self.endpoints += 0x1000;
        let (at, endpoint) = (self.at(ms), self.endpoints);
        for (enter_exit, location) in [(ENTER, 1002), (EXIT, 1012)] {
            self.builder.afd_create(cpu, at, pid, Self::head(enter_exit, location, pid, endpoint), pid, 0);
        }
        endpoint
    }

    /// A bind to any port of a socket that was created.
    pub fn bind(&mut self, cpu: u16, ms: i64, pid: u32, endpoint: u64, outcome: Result<u16, u32>) {
        let at = self.at(ms);
        let address = |port| Some(SockAddr::V4 { address: [0; 4], port });
        self.builder.afd_bind(cpu, at, pid, Self::head(ENTER, 7010, pid, endpoint), 0, address(0));
        let (status, port) = match outcome {
            Ok(port) => (0, port),
            Err(status) => (status, 0),
        };
        self.builder.afd_bind(cpu, at + 10, pid, Self::head(EXIT, 7022, pid, endpoint), status, address(port));
    }

    /// A socket of `pid` that is closed again: without any close a trace cannot tell what is held.
    pub fn closed(&mut self, cpu: u16, ms: i64, pid: u32) {
        let endpoint = self.create(cpu, ms, pid);
        let at = self.at(ms) + 5;
        self.builder.afd_close(cpu, at, pid, Self::head(EXIT, 2000, pid, endpoint), 0);
    }

    /// Creates sockets of `pid` whose binds fail because no local port was free, a millisecond apart.
    pub fn failures(&mut self, ms: i64, pid: u32, count: i64) {
        for number in 0..count {
            let endpoint = self.create(0, ms + number, pid);
            self.bind(0, ms + number, pid, endpoint, Err(NO_PORT));
        }
    }

    /// An event of any provider.
    pub fn event(
        &mut self,
        ms: i64,
        provider: Guid,
        descriptor: Descriptor,
        extended: &[Extended<'_>],
        payload: &[u8],
    ) {
        let (at, origin, activity) = (self.at(ms), Origin::new(2222, 8), Guid::default());
        self.builder.record(0, at, &Record::Event { origin, provider, descriptor, activity, extended, payload });
    }

    pub fn write(self, path: &Path) -> PathBuf {
        std::fs::write(path, self.builder.finish()).unwrap();
        path.to_owned()
    }
}

/// The session's record of something other than sockets.
pub fn windows_update(options: TraceOptions) -> Written {
    let mut written = Written::with(TraceOptions { logger_name: "WindowsUpdate_trace_log".to_owned(), ..options });
    for number in 0..5 {
        written.event(number * 100, WINDOWS_UPDATE, Descriptor { id: 26, ..Descriptor::default() }, &[], &[1, 2, 3, 4]);
    }
    written
}

pub fn json_of(paths: &[&Path], code: i32) -> Value {
    let fixed = ["analyze", "-f", "json"].map(AsRef::as_ref);
    let ran = run(fixed.into_iter().chain(paths.iter().map(|path| path.as_os_str())));
    assert_eq!(ran.code, code, "{ran:?}");
    ran.json()
}

fn report(written: Written) -> Value {
    let folder = scratch();
    json_of(&[&written.write(&folder.path().join("case.etl"))], 0)
}

pub fn codes(report: &Value) -> Vec<&str> {
    let reasons = report["verdict"]["reasons"].as_array().unwrap().iter();
    reasons.map(|reason| reason["code"].as_str().unwrap()).collect()
}

pub fn notes(report: &Value) -> Vec<&str> {
    report["coverage"]["notes"].as_array().unwrap().iter().map(|note| note.as_str().unwrap()).collect()
}

fn verdict(report: &Value) -> Value {
    json!([report["verdict"]["state"], report["verdict"]["confidence"]])
}

/// TraceLogging metadata of an event `AddressStateChange` with fields that fill about as many bytes as a manifest's would.
fn self_description() -> Vec<u8> {
    let mut body = b"\0AddressStateChange\0".to_vec();
    for name in ["a", "b", "c", "d", "e", "f"] {
        body.extend(name.as_bytes());
        body.extend([0, 8]);
    }
    [&u16::try_from(body.len() + 2).unwrap().to_le_bytes()[..], &body].concat()
}

#[test]
fn an_event_that_describes_itself_is_never_read_by_its_id() {
    let schema = self_description();
    let extended = [Extended::Raw { kind: 0xB, data: &schema }];
    let head = Written::head(EXIT, 7022, 2222, 0x77);
    let refused = afd::status_only(Pointer::Eight, head, NO_PORT);
    let weak = tcpip::port(Pointer::Eight, tcpip::PortOrder::Network, 0x99, 50_000, true, 0);
    let mut written = Written::new();
    let endpoint = written.create(0, 0, 2222);
    written.bind(0, 1, 2222, endpoint, Ok(50_000));
    written.closed(0, 2, 2222);
    for number in 0..6 {
        written.event(10 + number, tcpip::PROVIDER, tcpip::descriptor(1195, 0), &extended, &weak);
        written.event(20 + number, afd::PROVIDER, afd::descriptor(1029, 12), &extended, &refused);
    }
    let folder = scratch();
    let path = written.write(&folder.path().join("case.etl"));
    let report = json_of(&[&path], 0);
    assert_eq!((verdict(&report), codes(&report)), (json!(["not_seen", "high"]), vec!["no_failures"]));
    assert_eq!(report["failures"]["binds"], 0);
    assert_eq!(report["coverage"]["unknown_versions"], json!([]));
    // Nor do other commands.
    let events = run(["events".as_ref(), path.as_os_str(), "--all".as_ref(), "-f".as_ref(), "ndjson".as_ref()]);
    let lines: Vec<Value> = events.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let described = lines.iter().filter(|line| line["name"] == "AddressStateChange");
    assert_eq!(described.filter(|line| line["schema"] == "tracelogging").count(), 12);
    assert_eq!(run(["events".as_ref(), path.as_os_str()]).stdout, "");
    assert_eq!(run(["events".as_ref(), path.as_os_str(), "--id".as_ref(), "1195".as_ref()]).stdout, "");
    let info = run(["info".as_ref(), path.as_os_str(), "-f".as_ref(), "json".as_ref()]).json();
    let of = |name: &str| {
        let mut rows = info["providers"].as_array().unwrap().iter();
        let row = rows.find(|row| row["name"] == name).unwrap();
        json!([row["records"], row["tracelogging"], row["ids"].as_array().unwrap().len()])
    };
    assert_eq!(of("Microsoft-Windows-TCPIP"), json!([6, 6, 0]));
    assert_eq!(of("Microsoft-Windows-Winsock-AFD"), json!([13, 6, 3]));
    assert_eq!(info["answers"]["bind_failures"]["reason"], "2 Winsock-AFD bind records, nothing lost");
}

/// AFD 1030 in a version 1 that begins with a field that version 0 does not have.
fn newer_bind(enter_exit: u32, status: u32) -> Vec<u8> {
    let head = Head { enter_exit, location: 7022, process: 0xFFFF_8000_008A_E000, endpoint: 0x77 };
    let address = SockAddr::V4 { address: [0; 4], port: 0 }.bytes();
    [&7_u32.to_le_bytes()[..], &afd::bind_with_address(Pointer::Eight, head, status, &address)].concat()
}

/// `TRACE_EVENT_INFO` of a manifest event: names and types; a type 14 is as long as the field before says.
fn event_info(provider: Guid, id: u16, version: u8, fields: &[(&str, u16)]) -> Vec<u8> {
    let names_at = 112 + 24 * fields.len();
    let mut bytes = vec![0; names_at];
    bytes[..16].copy_from_slice(&provider.0);
    bytes[32..34].copy_from_slice(&id.to_le_bytes());
    bytes[34] = version;
    let count = u32::try_from(fields.len()).unwrap();
    bytes[100..104].copy_from_slice(&count.to_le_bytes());
    bytes[104..108].copy_from_slice(&count.to_le_bytes());
    for (number, (name, in_type)) in fields.iter().enumerate() {
        let at = 112 + 24 * number;
        let name_at = u32::try_from(bytes.len()).unwrap();
        let is_counted = *in_type == 14;
        bytes[at..at + 4].copy_from_slice(&if is_counted { 2_u32 } else { 0 }.to_le_bytes());
        bytes[at + 4..at + 8].copy_from_slice(&name_at.to_le_bytes());
        bytes[at + 8..at + 10].copy_from_slice(&in_type.to_le_bytes());
        bytes[at + 16..at + 18].copy_from_slice(&1_u16.to_le_bytes());
        let length = if is_counted { u16::try_from(number - 1).unwrap() } else { 0 };
        bytes[at + 18..at + 20].copy_from_slice(&length.to_le_bytes());
        bytes.extend(name.encode_utf16().chain([0]).flat_map(u16::to_le_bytes));
    }
    bytes
}

#[test]
fn a_version_that_no_table_knows_is_read_by_the_schema_in_the_trace_or_not_at_all() {
    let newer = Descriptor { version: 1, ..afd::descriptor(1030, 12) };
    let write = |with_schema: bool| {
        let mut written = Written::new();
        let endpoint = written.create(0, 0, 2222);
        written.bind(0, 1, 2222, endpoint, Ok(50_000));
        written.closed(0, 2, 2222);
        for number in 0..3 {
            written.event(100 + 10 * number, afd::PROVIDER, newer, &[], &newer_bind(ENTER, 0));
            written.event(101 + 10 * number, afd::PROVIDER, newer, &[], &newer_bind(EXIT, NO_PORT));
        }
        if with_schema {
            let fields = [
                ("Extra", 8),
                ("EnterExit", 8),
                ("Location", 8),
                ("Process", 16),
                ("Endpoint", 16),
                ("Status", 8),
                ("AddressLen", 8),
                ("Address", 14),
            ];
            let payload = event_info(afd::PROVIDER, 1030, 1, &fields);
            let (at, origin) = (written.at(500), Origin::new(4, 8));
            let record =
                Record::Full { origin, provider: EVENT_METADATA, opcode: 32, level: 0, version: 0, payload: &payload };
            written.builder.record(0, at, &record);
        }
        written
    };
    let blind = report(write(false));
    assert_eq!(verdict(&blind), json!(["cannot_tell", null]));
    assert_eq!(codes(&blind), ["no_failures", "unknown_versions"]);
    let want = json!([{ "provider": "Microsoft-Windows-Winsock-AFD", "id": 1030, "version": 1, "records": 6 }]);
    assert_eq!(blind["coverage"]["unknown_versions"], want);
    assert_eq!(blind["coverage"]["records_unknown"], 6);
    assert!(notes(&blind)[0].contains("6 events 1030 of Microsoft-Windows-Winsock-AFD in version 1"), "{blind}");
    let seeing = report(write(true));
    assert_eq!(seeing["verdict"]["state"], "exhausted");
    assert_eq!((&seeing["failures"]["binds"], &seeing["coverage"]["unknown_versions"]), (&json!(3), &json!([])));
    assert_eq!((&seeing["processes"][0]["pid"], &seeing["processes"][0]["bind_failures"]), (&json!(2222), &json!(3)));
}

#[test]
fn newer_events_of_the_other_providers_are_not_guessed_at() {
    let mut written = Written::new();
    let endpoint = written.create(0, 0, 2222);
    written.bind(0, 1, 2222, endpoint, Ok(50_000));
    written.closed(0, 2, 2222);
    let weak = tcpip::port(Pointer::Eight, tcpip::PortOrder::Network, 0x99, 50_000, true, 0);
    written.event(10, tcpip::PROVIDER, tcpip::descriptor(1195, 1), &[], &weak);
    let named: Vec<u8> = "\\x\\made-up.exe\0".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let start = [&2222_u32.to_le_bytes()[..], &[0; 60], &named].concat();
    let descriptor = synth::process::descriptor(1, 9);
    written.event(11, synth::process::KERNEL_PROCESS, descriptor, &[], &start);
    let report = report(written);
    let rows = report["coverage"]["unknown_versions"].as_array().unwrap();
    let told: Vec<Value> = rows.iter().map(|row| json!([row["id"], row["version"], row["records"]])).collect();
    assert_eq!(told, [json!([1, 9, 1]), json!([1195, 1, 1])]);
    // What a process is called hides no failure; what TCP/IP says might be one.
    assert_eq!(
        (verdict(&report), codes(&report)),
        (json!(["cannot_tell", null]), vec!["no_failures", "unknown_versions"])
    );
    assert_eq!(report["processes"][0]["image"], Value::Null);
}

#[test]
fn doubts_of_a_trace_that_cannot_tell_of_ports_change_nothing_but_notes() {
    let folder = scratch();
    let mut written = Written::new();
    written.failures(100, 2222, 20);
    let trace = written.write(&folder.path().join("server.etl"));
    let alone = json_of(&[&trace], 0);
    assert_eq!(verdict(&alone), json!(["exhausted", "high"]));
    assert_eq!(alone["traces"][0]["speaks"], true);
    let earlier = TraceOptions::default().start_time - 3 * 86_400 * 10_000_000;
    let lossy = TraceOptions {
        events_lost: 1000,
        buffers_lost: 7,
        live: true,
        start_time: earlier,
        boot_time: earlier - 1,
        ..TraceOptions::default()
    };
    let update = windows_update(lossy).write(&folder.path().join("WindowsUpdate.20260310.etl"));
    let mut both = json_of(&[&trace, &update], 0);
    assert_eq!(both["traces"][1]["speaks"], false);
    let told = notes(&both).join("\n");
    assert!(told.contains("WindowsUpdate.20260310.etl: the session lost 1,000 events and 7 buffers"), "{told}");
    for part in ["verdict", "pools", "holders", "processes", "timeline", "outages", "ruled_out"] {
        assert_eq!(both[part], alone[part], "{part}");
    }
    assert_eq!(both["failures"]["binds"], alone["failures"]["binds"]);
    // Alone it tells nothing.
    both = json_of(&[&update], 0);
    assert_eq!((verdict(&both), codes(&both)), (json!(["cannot_tell", null]), vec!["no_afd_events"]));
}

#[test]
fn a_circular_log_has_wrapped_where_it_is_full() {
    let write = |maximum_file_size: u32| {
        let options = TraceOptions { log_mode: 2, maximum_file_size, live: true, ..TraceOptions::default() };
        let mut written = Written::with(options);
        // Some 1.2 MiB.
        written.failures(100, 2222, 3000);
        let mut bytes = written.builder.finish();
        // The numbers of buffers do not begin with 1: those of other processors were written first, or are gone.
        let size = TraceOptions::default().buffer_size as usize;
        for at in (size..bytes.len()).step_by(size) {
            let number = u64::from_le_bytes(bytes[at + 0x18..at + 0x20].try_into().unwrap()) + 40;
            bytes[at + 0x18..at + 0x20].copy_from_slice(&number.to_le_bytes());
        }
        let folder = scratch();
        let path = folder.path().join("live.etl");
        std::fs::write(&path, &bytes).unwrap();
        let report = json_of(&[&path], 0);
        assert!(bytes.len() > 1 << 20 && bytes.len() < 8 << 20, "{}", bytes.len());
        (report["traces"][0]["wrapped"] == true, codes(&report).contains(&"wrapped"))
    };
    assert_eq!((write(0), write(8), write(1)), ((false, false), (false, false), (true, true)));
}

/// A process that takes one port each second and gives none back, and then failures; `ended`: what the system clock tells at the
/// end, in seconds from the start. With the system's clock as the session's, everything behind `set_back` seconds is told an hour
/// earlier.
fn leak(clock: Clock, processors: u16, ended: i64, set_back: Option<i64>) -> Value {
    let start_time = TraceOptions::default().start_time;
    let t0 = if clock == Clock::SystemTime { start_time } else { TraceOptions::default().t0 };
    let end_time = Some(start_time + ended * 10_000_000);
    let mut written = Written::with(TraceOptions { clock, processors, t0, end_time, ..TraceOptions::default() });
    written.closed(0, 0, 2840);
    for second in 0..120_i64 {
        let is_behind = set_back.is_some_and(|set_back| second >= set_back);
        let ms = second * 1000 - if is_behind { 3_600_000 } else { 0 };
        // Behind the change other processors log.
        let cpu = if is_behind { processors - 1 } else { 0 };
        let endpoint = written.create(cpu, ms, 7312);
        let outcome = if second < 90 { Ok(50_000 + u16::try_from(second).unwrap()) } else { Err(NO_PORT) };
        written.bind(cpu, ms, 7312, endpoint, outcome);
    }
    let folder = scratch();
    let path = written.write(&folder.path().join("case.etl"));
    let pool = ["analyze".as_ref(), path.as_os_str(), "--pool".as_ref(), "50000:90".as_ref()];
    let ran = run(pool.into_iter().chain(["-f".as_ref(), "json".as_ref()]));
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.json()
}

#[test]
fn a_clock_that_was_set_back_is_noticed_and_takes_the_pattern_away() {
    let qpc = Clock::Qpc { freq: 10_000_000 };
    for clock in [qpc, Clock::SystemTime] {
        let right = leak(clock, 4, 121, None);
        assert_eq!(right["verdict"]["confidence"], "high", "{}", right["verdict"]);
        assert!(!codes(&right).contains(&"clock_set_back"));
        assert_eq!(right["holders"][0]["pattern"], "leak", "{}", right["holders"]);
    }
    let cases = [
        (qpc, 1, -3000, None),
        (qpc, 16, -3000, None),
        (qpc, 16, 60, None),
        (Clock::SystemTime, 1, 121 - 3600, Some(60)),
        (Clock::SystemTime, 2, 121 - 3600, Some(60)),
        (Clock::SystemTime, 16, 121 - 3600, Some(60)),
    ];
    for (clock, processors, ended, set_back) in cases {
        let report = leak(clock, processors, ended, set_back);
        let what = format!("{clock:?}, {processors} processors, {ended} s: {}", report["verdict"]);
        assert!(codes(&report).contains(&"clock_set_back"), "{what}");
        assert_eq!(report["verdict"]["confidence"], "medium", "{what}");
        let patterns = report["holders"].as_array().unwrap().iter().map(|holder| &holder["pattern"]);
        assert!(patterns.clone().all(Value::is_null), "{what}");
    }
    // One statement: it was closed.
    let folder = scratch();
    let end_time = Some(TraceOptions::default().start_time - 36_000_000_000);
    let mut written = Written::with(TraceOptions { end_time, ..TraceOptions::default() });
    written.failures(0, 2222, 5);
    let path = written.write(&folder.path().join("case.etl"));
    let text = run(["analyze".as_ref(), path.as_os_str()]).stdout;
    assert!(text.contains("the end is before the start: the clock was set back"), "{text}");
    assert!(!text.contains("not closed"), "{text}");
}

#[test]
fn a_header_counts_as_an_owner_where_it_is_known_to_be_right() {
    // Sockets older than the trace: nothing but binds.
    let bind = |written: &mut Written, ms: i64, location: (u32, u32), process: u64, header: (u32, u32)| {
        let head = |enter_exit, location| Head { enter_exit, location, process, endpoint: 0x5000 + ms.cast_unsigned() };
        let at = written.at(ms);
        written.builder.afd_bind(0, at, header.0, head(ENTER, location.0), 0, None);
        written.builder.afd_bind(0, at + 5, header.1, head(EXIT, location.1), NO_PORT, None);
    };
    let mut written = Written::new();
    // At the known places, with and without an address of the process.
    bind(&mut written, 10, (7010, 7022), 0, (100, 100));
    bind(&mut written, 20, (7010, 7030), 0, (100, 4));
    bind(&mut written, 30, (7010, 7022), 0xA000, (200, 200));
    // The address is known from there, also elsewhere and in System's context.
    bind(&mut written, 40, (1, 2), 0xA000, (4, 4));
    // Elsewhere a header says little.
    bind(&mut written, 50, (1, 2), 0xB000, (300, 300));
    bind(&mut written, 60, (1, 2), 0, (300, 300));
    // System is named for no socket that it did not create.
    bind(&mut written, 70, (7010, 7022), 0xC000, (4, 4));
    let report = report(written);
    let rows = report["processes"].as_array().unwrap();
    let of = |pid: Value| {
        let row = rows.iter().find(|row| row["pid"] == pid).unwrap();
        let source = &row["owner_source"];
        json!([
            row["bind_failures"],
            source["eprocess"],
            source["header_location"],
            source["header_pid"],
            source["unknown"]
        ])
    };
    assert_eq!(of(json!(100)), json!([2, 0, 2, 0, 0]));
    assert_eq!(of(json!(200)), json!([2, 0, 2, 0, 0]));
    assert_eq!(of(json!(300)), json!([2, 0, 0, 2, 0]));
    assert_eq!(of(Value::Null), json!([1, 0, 0, 0, 1]));
    // Where all are at the known places, the owners are no doubt.
    let mut written = Written::new();
    for ms in 0..20 {
        bind(&mut written, 10 * ms, (7010, 7022), 0xA000, (200, 200));
    }
    let report = self::report(written);
    assert_eq!(report["verdict"]["confidence"], "high", "{}", report["verdict"]);
}

#[test]
fn a_message_keeps_its_class_and_number() {
    let class = Guid::new(0x1122_3344, 0x5566, 0x7788, [1, 2, 3, 4, 5, 6, 7, 8]);
    let mut written = Written::new();
    let at = written.at(5);
    for number in [17, 18] {
        let (guid, origin) = (Some(class), Some(Origin::new(8, 12)));
        let payload = &[0xAB, 0xCD];
        let message = Record::Message { number, sequence: None, component: None, guid, timed: true, origin, payload };
        written.builder.record(0, at, &message);
    }
    let folder = scratch();
    let path = written.write(&folder.path().join("case.etl"));
    let guid = "11223344-5566-7788-0102-030405060708";
    let events = |more: &[&str]| {
        let fixed = ["events", path.to_str().unwrap(), "-f", "ndjson"];
        let ran = run(fixed.iter().chain(more));
        let lines: Vec<Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        lines.iter().map(|line| json!([line["guid"], line["id"], line["payload"], line["kind"]])).collect::<Vec<_>>()
    };
    let of = |number: u16| json!([guid, number, "ABCD", "message"]);
    assert_eq!(events(&["--provider", guid]), [of(17), of(18)]);
    assert_eq!(events(&["--all", "--id", "18"]), [of(18)]);
    let text = run(["events", path.to_str().unwrap(), "--provider", guid]).stdout;
    assert!(text.contains(&format!("{guid}/17 payload=ABCD")), "{text}");
}

fn process(pid: u32, path: &str, exited: i64) -> ProcessInfo {
    let eprocess = 0xFFFF_8000_0000_0000 + u64::from(pid) * 0x1000;
    ProcessInfo { pid, parent: 4, session: 1, sequence: 1, eprocess, created: 0, exited, path: path.to_owned() }
}

#[test]
fn the_object_of_an_ended_process_tells_when_it_ended() {
    let mut written = Written::new();
    let endpoint = written.create(0, 10, 4120);
    written.bind(0, 11, 4120, endpoint, Ok(50_000));
    let exited = TraceOptions::default().start_time + 20_000_000;
    let at = written.at(5000);
    written.builder.process_mof(0, at, &process(4120, "leaky.exe", exited), 39, 5, MofKind::PerfInfo);
    let folder = scratch();
    let path = written.write(&folder.path().join("case.etl"));
    let report = json_of(&[&path], 0);
    let row = &report["processes"][0];
    let want = json!([4120, "leaky.exe", "2026-03-10T09:30:02.1234567Z"]);
    assert_eq!(json!([row["pid"], row["image"], row["ended"]]), want);
    let text = run(["events".as_ref(), path.as_os_str(), "--all".as_ref()]).stdout;
    assert!(text.contains("ExitTime=2026-03-10T09:30:02.1234567Z"), "{text}");
}

#[test]
fn a_last_string_without_its_nul_is_read_by_all() {
    let wide: Vec<u8> = r"\Device\leaky.exe".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let start = |pid: u32, name: &[u8]| [&pid.to_le_bytes()[..], &[0; 8], &4_u32.to_le_bytes(), &[0; 8], name].concat();
    let stop = [&2224_u32.to_le_bytes()[..], &[0; 44], b"short.exe"].concat();
    let mut written = Written::new();
    let provider = synth::process::KERNEL_PROCESS;
    written.event(0, provider, synth::process::descriptor(1, 1), &[], &start(2222, &wide));
    written.event(0, provider, synth::process::descriptor(1, 1), &[], &start(2223, &[&wide[..], b"A"].concat()));
    for pid in [2222, 2223, 2224] {
        written.failures(10 + i64::from(pid), pid, 1);
    }
    written.event(9000, provider, synth::process::descriptor(2, 0), &[], &stop);
    let folder = scratch();
    let path = written.write(&folder.path().join("case.etl"));
    let report = json_of(&[&path], 0);
    let rows = report["processes"].as_array().unwrap();
    let images: Vec<Value> = rows.iter().map(|row| json!([row["pid"], row["image"]])).collect();
    assert_eq!(images, [json!([2222, "leaky.exe"]), json!([2223, "leaky.exe"]), json!([2224, "short.exe"])]);
    assert_eq!(report["coverage"]["records_malformed"], 0);
    let text = run(["events".as_ref(), path.as_os_str(), "--all".as_ref()]).stdout;
    assert_eq!(text.matches(r"ImageName=\Device\leaky.exe").count(), 2, "{text}");
    assert_eq!(text.matches("ImageName=short.exe").count(), 1, "{text}");
}

#[test]
fn what_is_held_at_the_end_was_held_at_the_most() {
    // No port at the failure; TCP/IP tells of ports later, and no socket of AFD takes any.
    let mut written = Written::new();
    written.failures(0, 2222, 2);
    for port in 50_000..50_040 {
        let acquired = tcpip::port(Pointer::Eight, tcpip::PortOrder::Network, 0x9900 + u64::from(port), port, false, 0);
        written.event(500, tcpip::PROVIDER, tcpip::descriptor(1191, 0), &[], &acquired);
    }
    let report = report(written);
    let pool = &report["pools"][0];
    assert_eq!(json!([pool["held_peak"], pool["held_end"]]), json!([40, 40]), "{pool}");
    assert!(pool["occupied_peak"].as_u64() >= Some(40), "{pool}");
}

#[test]
fn the_same_record_in_two_traces_counts_once() {
    let folder = scratch();
    let write = |name: &str, start_shift: i64, from: i64| {
        // Each session takes the time for itself.
        let start_time = TraceOptions::default().start_time + start_shift;
        let mut written = Written::with(TraceOptions { start_time, ..TraceOptions::default() });
        for second in 0..40_i64 {
            // The same addresses in both, as they are of one machine.
            written.endpoints = 0xFFFF_9000_0000_0000 + second.cast_unsigned() * 0x1_0000;
            if second >= from {
                written.failures(second * 1000, 2222, 2);
            }
        }
        written.write(&folder.path().join(name))
    };
    let (whole, part) = (write("whole.etl", 0, 0), write("part.etl", 90_000, 20));
    let count = |paths: &[&Path]| {
        let report = json_of(paths, 0);
        let row = &report["processes"][0];
        let told = notes(&report).iter().filter(|note| note.contains("counted once")).count();
        json!([report["failures"]["binds"], row["sockets_created"], told])
    };
    assert_eq!(count(&[&whole]), json!([80, 80, 0]));
    assert_eq!(count(&[&part]), json!([40, 40, 0]));
    assert_eq!(count(&[&whole, &part]), json!([80, 80, 1]));
    assert_eq!(count(&[&part, &whole]), json!([80, 80, 1]));
    // And `events` lists each once.
    let events = run(["events".as_ref(), whole.as_os_str(), part.as_os_str()]);
    assert_eq!(events.stdout.lines().count(), 80);
}

#[test]
fn no_table_reads_what_is_not_its_event_in_any_real_trace() {
    let Some(corpus) = corpus() else { return };
    let mut described = 0;
    for entry in std::fs::read_dir(corpus).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "etl") || path.ends_with("not-a-trace.etl") {
            continue;
        }
        let events = run(["events".as_ref(), path.as_os_str(), "--all".as_ref(), "-f".as_ref(), "ndjson".as_ref()]);
        let info = run(["info".as_ref(), path.as_os_str(), "-f".as_ref(), "json".as_ref()]).json();
        let told: u64 =
            info["providers"].as_array().unwrap().iter().map(|row| row["tracelogging"].as_u64().unwrap()).sum();
        let mut by_schema = 0;
        for line in events.stdout.lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            by_schema += u64::from(line["schema"] == "tracelogging");
        }
        assert_eq!(by_schema, told, "{}", path.display());
        described += told;
        let ran = run(["analyze".as_ref(), path.as_os_str(), "-f".as_ref(), "json".as_ref()]);
        let report = ran.json();
        // No real trace at hand has events of sockets: none may be seen.
        assert_eq!(report["failures"]["binds"], 0, "{}", path.display());
        assert_eq!(report["traces"][0]["speaks"], false, "{}", path.display());
        assert_eq!(verdict(&report), json!(["cannot_tell", null]), "{}", path.display());
        assert_eq!(report["coverage"]["unknown_versions"], json!([]), "{}", path.display());
        let set_back = notes(&report).iter().any(|note| note.contains("set back"));
        assert!(!set_back && report["traces"][0]["wrapped"] != true, "{}: {:?}", path.display(), notes(&report));
    }
    assert!(described > 1000, "{described}");
}
