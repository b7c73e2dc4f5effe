//! What a report concludes from small hand-made traces and side files: who is blamed, how sure it is, what it advises. All
//! synthetic.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};
use synth::afd::{self, Head, SockAddr};
use synth::evtx::LogEvent;
use synth::record::Origin;
use synth::{Pointer, TraceBuilder, TraceOptions, tcpip};

use crate::common::{run, scratch};

const NO_PORT: u32 = 0xC000_0209;
const REMOTE: SockAddr = SockAddr::V4 { address: [10, 9, 9, 9], port: 443 };
const WINDOWS: Pointer = Pointer::Eight;

/// A trace under construction. Times are in milliseconds from its start, and must not go back.
struct Sim {
    builder: TraceBuilder,
    t0: i64,
    /// The address that all sockets bind to.
    local: [u8; 4],
    endpoints: u64,
}

impl Sim {
    fn new() -> Self {
        Self::with(TraceOptions::default())
    }

    fn with(options: TraceOptions) -> Self {
        let t0 = options.t0;
        Self { builder: TraceBuilder::new(options), t0, local: [0; 4], endpoints: 0 }
    }

    fn at(&self, ms: i64) -> i64 {
        self.t0 + ms * 10_000
    }

    fn head(enter_exit: u32, pid: u32, endpoint: u64) -> Head {
        Head { enter_exit, location: 7022, process: 0xE000_0000 + u64::from(pid) * 0x100, endpoint }
    }

    fn started(&mut self, ms: i64, pid: u32, image: &str) {
        let process = synth::process::ProcessInfo { pid, path: image.to_owned(), ..Default::default() };
        let at = self.at(ms);
        self.builder.process_start(0, at, &process, 0);
    }

    /// An endpoint that nobody has used; its creation is not told.
    fn endpoint(&mut self) -> u64 {
        self.endpoints += 1;
        0xF000_0000 + self.endpoints * 0x200
    }

    /// A new socket: `protocol` 6 or 17, over IPv4.
    fn socket(&mut self, ms: i64, pid: u32, protocol: u32) -> u64 {
        let endpoint = self.endpoint();
        let kind = if protocol == 6 { 1 } else { 2 };
        let payload = afd::create(WINDOWS, Self::head(afd::EXIT, pid, endpoint), 2, kind, protocol, pid, 0);
        let at = self.at(ms);
        self.builder.afd(0, at, pid, 1000, &payload);
        endpoint
    }

    /// Asks for any port; gets this one, or none.
    fn bind(&mut self, ms: i64, pid: u32, endpoint: u64, port: Option<u16>) {
        let (at, any) = (self.at(ms), SockAddr::V4 { address: self.local, port: 0 });
        self.builder.afd_bind(0, at, pid, Self::head(afd::ENTER, pid, endpoint), 0, Some(any));
        let exit = Self::head(afd::EXIT, pid, endpoint);
        match port {
            Some(port) => {
                let given = SockAddr::V4 { address: self.local, port };
                self.builder.afd_bind(0, at + 5, pid, exit, 0, Some(given));
            }
            None => {
                self.builder.afd_bind(0, at + 5, pid, exit, NO_PORT, None);
            }
        }
    }

    /// A new TCP socket that holds this port.
    fn hold(&mut self, ms: i64, pid: u32, port: u16) -> u64 {
        let endpoint = self.socket(ms, pid, 6);
        self.bind(ms, pid, endpoint, Some(port));
        endpoint
    }

    /// A new TCP socket that gets no port, and is closed.
    fn fail(&mut self, ms: i64, pid: u32) {
        let endpoint = self.socket(ms, pid, 6);
        self.bind(ms, pid, endpoint, None);
        self.close(ms, pid, endpoint);
    }

    fn close(&mut self, ms: i64, pid: u32, endpoint: u64) {
        let at = self.at(ms) + 9;
        self.builder.afd_close(0, at, pid, Self::head(afd::EXIT, pid, endpoint), 0);
    }

    fn tcpip(&mut self, ms: i64, pid: u32, id: u16, payload: &[u8]) {
        let at = self.at(ms);
        self.builder.event(0, at, Origin::new(pid, pid + 4), tcpip::PROVIDER, tcpip::descriptor(id, 0), payload);
    }

    /// A connection that was there before the trace.
    fn existing(&mut self, ms: i64, tcb: u64, pid: u32, port: u16, state: u32) {
        let local = SockAddr::V4 { address: [10, 0, 0, 5], port };
        let connection = tcpip::Connection { tcb, local, remote: REMOTE, pid, compartment: 1, start_key: 0 };
        self.tcpip(ms, 4, 1300, &tcpip::rundown(WINDOWS, 0, connection, state));
    }

    fn write(self, path: &Path) {
        std::fs::write(path, self.builder.finish()).unwrap();
    }
}

/// The report of everything in a folder, and further arguments.
fn report(folder: &Path, more: &[&str]) -> Value {
    let mut arguments = vec!["analyze", folder.to_str().unwrap(), "-f", "json"];
    arguments.extend(more);
    let ran = run(arguments);
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.json()
}

fn text(folder: &Path) -> String {
    run(["analyze", folder.to_str().unwrap()]).stdout
}

/// PID, ports and pattern of each holder.
fn holders(report: &Value) -> Vec<Value> {
    let row = |holder: &Value| {
        let process = usize::try_from(holder["process"].as_u64().unwrap()).unwrap();
        json!([report["processes"][process]["pid"], holder["ports"], holder["pattern"]])
    };
    report["holders"].as_array().unwrap().iter().map(row).collect()
}

fn codes(report: &Value, list: &str) -> Vec<String> {
    let rows = report.pointer(list).unwrap().as_array().unwrap();
    rows.iter().map(|row| row["code"].as_str().unwrap().to_owned()).collect()
}

fn advice<'r>(report: &'r Value, code: &str) -> Option<&'r Value> {
    report["recommendations"].as_array().unwrap().iter().find(|row| row["code"] == code)
}

/// A `netstat` listing of TCP rows: local port, state, PID.
fn netstat(rows: impl IntoIterator<Item = (u16, &'static str, u32)>) -> String {
    let mut listing = String::from(
        "\r\nActive Connections\r\n\r\n  Proto  Local Address          Foreign Address        State           PID\r\n",
    );
    for (port, state, pid) in rows {
        let remote = if state == "BOUND" { "0.0.0.0:0" } else { "10.9.9.9:443" };
        writeln!(listing, "  TCP    10.0.0.5:{port}         {remote}        {state}     {pid}\r").unwrap();
    }
    listing
}

#[test]
fn traces_of_two_machines_are_not_mixed() {
    let folder = scratch();
    for (name, hours, pid) in [("client.etl", 0, 1111), ("server.etl", 30, 2222)] {
        let defaults = TraceOptions::default();
        let boot_time = defaults.boot_time - hours * 36_000_000_000;
        let mut sim = Sim::with(TraceOptions { boot_time, ..defaults });
        for socket in 0..100_u16 {
            sim.hold(10 * i64::from(socket) + hours / 10, pid, 50_000 + socket);
        }
        sim.write(&folder.path().join(name));
    }
    let report = report(folder.path(), &[]);
    let rows: Vec<Value> =
        report["processes"].as_array().unwrap().iter().map(|row| json!([row["pid"], row["ports_held_peak"]])).collect();
    assert_eq!(rows.len(), 2, "{rows:?}");
    assert!(rows.contains(&json!([1111, 100])) && rows.contains(&json!([2222, 100])), "{rows:?}");
    let notes = report["coverage"]["notes"].to_string();
    assert!(notes.contains("2 machines, or starts of one"), "{notes}");
}

/// One of six connections is never closed; the others last 50 ms.
fn leak_on_error(sim: &mut Sim, count: u16) {
    for socket in 0..count {
        let ms = 60 * i64::from(socket);
        sim.hold(ms, 700, 50_000 + socket);
        for short in 0..5 {
            let endpoint = sim.hold(ms + 1 + short, 700, 49_200 + u16::try_from(short).unwrap());
            sim.close(ms + 50, 700, endpoint);
        }
    }
}

#[test]
fn a_leak_among_many_short_connections_is_no_load() {
    let folder = scratch();
    let mut sim = Sim::new();
    leak_on_error(&mut sim, 800);
    sim.fail(50_000, 900);
    sim.fail(50_001, 900);
    sim.write(&folder.path().join("leak.etl"));
    let report = report(folder.path(), &["--pool", "49152:2048"]);
    assert_eq!(holders(&report), [json!([700, 800, "leak"])]);
    let text = text(folder.path());
    assert!(!text.contains("not a leak"), "{text}");
}

#[test]
fn connections_to_a_server_are_no_ports_of_the_pool() {
    let folder = scratch();
    let listing = "\r\nCount Name              ProcessName Group\r\n----- ----              ----------- -----\r\n\
        15000 Established, 5120 w3wp        {MSFT_NetTCPConnection (InstanceID = \"...\r\n\
        \x20 120 Bound, 7312       agent       {MSFT_NetTCPConnection (InstanceID = \"...\r\n\
        \x20 110 Established, 7312 agent       {MSFT_NetTCPConnection (InstanceID = \"...\r\n\r\n";
    std::fs::write(folder.path().join("connections.txt"), listing).unwrap();
    let report = report(folder.path(), &[]);
    assert_eq!(report["verdict"]["state"], "cannot_tell");
    assert_eq!(holders(&report), [json!([7312, 120, null])]);
}

#[test]
fn an_old_entry_of_a_log_that_goes_on_is_no_exhaustion() {
    let folder = scratch();
    let now = TraceOptions::default().start_time;
    let day = 864_000_000_000;
    let other = |time, record| LogEvent::other("Service Control Manager", 7036, time, record);
    let events = [LogEvent::tcpip(4231, now - 90 * day, 1), other(now - 40 * day, 2), other(now, 3)];
    std::fs::write(folder.path().join("System.evtx"), synth::evtx::write(&events, 8)).unwrap();
    let old = report(folder.path(), &[]);
    assert_eq!(old["verdict"]["state"], "cannot_tell", "{}", old["verdict"]);
    let events = [other(now - 40 * day, 1), LogEvent::tcpip(4231, now - day / 2, 2), other(now, 3)];
    std::fs::write(folder.path().join("System.evtx"), synth::evtx::write(&events, 8)).unwrap();
    assert_eq!(report(folder.path(), &[])["verdict"]["state"], "exhausted");
}

#[test]
fn what_is_not_in_a_log_of_another_time_is_not_ruled_out() {
    let folder = scratch();
    let mut sim = Sim::new();
    sim.fail(2, 900);
    sim.fail(3, 900);
    sim.write(&folder.path().join("server.etl"));
    let now = TraceOptions::default().start_time;
    let hour = 36_000_000_000;
    let standing = |first: i64, last: i64| {
        let other = |time, record| LogEvent::other("Service Control Manager", 7036, time, record);
        let events = [other(now + first * hour, 1), other(now + last * hour, 2)];
        std::fs::write(folder.path().join("System.evtx"), synth::evtx::write(&events, 8)).unwrap();
        let report = report(folder.path(), &[]);
        let other_causes = report["ruled_out"].as_array().unwrap();
        other_causes.iter().find(|row| row["code"] == "tuple_reuse").unwrap()["standing"].clone()
    };
    assert_eq!(standing(-5, 5), "ruled_out");
    assert_eq!(standing(-5, -1), "unknown", "it ends before the trace");
    assert_eq!(standing(1, 5), "unknown", "it begins after the trace");
}

#[test]
fn groups_of_sockets_without_ports_are_weak_evidence() {
    let folder = scratch();
    let write = |waiting: u32, bound: u32| {
        let rows = format!(
            "\r\nCount Name                      Group\r\n----- ----                      -----\r\n{waiting:>5} TimeWait, 0               {{}}\r\n{bound:>5} Bound, 7312               {{}}\r\n"
        );
        std::fs::write(folder.path().join("connections.txt"), rows).unwrap();
        report(folder.path(), &[])["verdict"].clone()
    };
    // They may be connections to a server's own port.
    let near = write(14_000, 100);
    assert_eq!((&near["state"], &near["confidence"]), (&json!("near"), &json!("low")), "{near}");
    assert!(near["reasons"][0]["text"].as_str().unwrap().contains("some may belong to a server"), "{near}");
    assert_eq!(write(1000, 100)["state"], "cannot_tell");
}

#[test]
fn a_holder_that_ended_after_the_listing_counts_once() {
    let folder = scratch();
    let mut sim = Sim::new();
    let sockets: Vec<u64> = (0..1000).map(|n| sim.hold(i64::from(n), 700, 50_000 + n)).collect();
    sim.fail(2000, 900);
    sim.fail(2001, 900);
    let path = "agent.exe".to_owned();
    let stop = synth::process::ProcessInfo { pid: 700, path, ..Default::default() };
    let at = sim.at(3000);
    sim.builder.process_stop(0, at, &stop, 0);
    sockets.into_iter().for_each(|endpoint| sim.close(3001, 700, endpoint));
    sim.write(&folder.path().join("server.etl"));
    let rows = (0..1000).map(|n| (50_000 + n, "ESTABLISHED", 700));
    std::fs::write(folder.path().join("netstat.txt"), netstat(rows)).unwrap();
    let report = report(folder.path(), &["--pool", "49152:2048"]);
    assert_eq!(holders(&report), [json!([700, 1000, "leak"])]);
}

#[test]
fn ports_outside_of_the_default_range_do_not_fill_it() {
    let folder = scratch();
    let mut sim = Sim::new();
    for n in 0..14_000_u16 {
        sim.hold(i64::from(n), 700, 20_000 + n);
    }
    sim.write(&folder.path().join("server.etl"));
    let quiet = report(folder.path(), &[]);
    assert_eq!(quiet["verdict"]["state"], "not_seen", "{}", quiet["verdict"]);
}

#[test]
fn what_lies_beside_the_range_stands_on_the_first_screen() {
    let range = "\r\nProtocol tcp Dynamic Port Range\r\n---\r\nStart Port      : 49152\r\nNumber of Ports : 16384\r\n";
    for (told, of) in [("", "the default; no listing was given"), (range, "from a listing")] {
        let folder = scratch();
        let rows = (10_000..12_000).map(|port| (port, "BOUND", 7312)).chain([(49_200, "ESTABLISHED", 900)]);
        std::fs::write(folder.path().join("netstat.txt"), netstat(rows)).unwrap();
        if !told.is_empty() {
            std::fs::write(folder.path().join("range.txt"), told).unwrap();
        }
        let text = text(folder.path()).split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            text.contains("CANNOT TELL 2,000 ports from 10000 to 11999 are in use, 2,000 of them by PID 7312."),
            "{text}"
        );
        assert!(text.contains(&format!("outside of the range 49152–65535 ({of})")), "{text}");
    }
    // Clients of a server are on its port, and a few others are usual.
    let folder = scratch();
    let clients =
        (0..2_000).map(|_| (8_443, "ESTABLISHED", 7312)).chain((10_000..10_900).map(|port| (port, "BOUND", 7312)));
    std::fs::write(folder.path().join("netstat.txt"), netstat(clients)).unwrap();
    assert!(!text(folder.path()).contains("outside of the range"));
}

#[test]
fn a_pool_that_is_mostly_excluded_is_told() {
    let excluded = |end: u16| {
        format!(
            "C:\\>netsh int ipv4 show excludedportrange tcp\r\n\r\nProtocol tcp Port Exclusion Ranges\r\n\r\n\
             Start Port    End Port\r\n----------    --------\r\n        80          80\r\n     49152       {end}     *\r\n"
        )
    };
    for (end, told) in [(65_000, "15,849 of 16,384 ports of the pool 49152–65535"), (50_000, "")] {
        let folder = scratch();
        std::fs::write(folder.path().join("excluded.txt"), excluded(end)).unwrap();
        let text = text(folder.path()).split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains(told) && text.contains("are excluded: Windows gives") != told.is_empty(), "{text}");
    }
}

#[test]
fn a_range_that_is_not_known_is_not_set() {
    let folder = scratch();
    let mut sim = Sim::new();
    for n in 0..300_u16 {
        sim.hold(i64::from(n), 700, 1100 + n);
    }
    sim.fail(400, 900);
    sim.fail(401, 900);
    sim.write(&folder.path().join("server.etl"));
    let full = report(folder.path(), &[]);
    assert!(codes(&full, "/verdict/reasons").contains(&"wider_pool".to_owned()), "{}", full["verdict"]);
    assert!(advice(&full, "widen_pool").is_none(), "10000 to 65535 may be less than the server has");
    let commands = advice(&full, "confirm").unwrap()["commands"].to_string();
    assert!(commands.contains("show dynamicport tcp"), "{commands}");
}

#[test]
fn one_bind_that_both_providers_tell_of_is_one_failure() {
    let folder = scratch();
    let mut sim = Sim::new();
    sim.hold(1, 700, 50_000);
    sim.fail(10, 900);
    let any = SockAddr::V4 { address: [0; 4], port: 0 };
    sim.tcpip(10, 900, 1006, &tcpip::bind(WINDOWS, 0, 0, any, NO_PORT));
    sim.write(&folder.path().join("server.etl"));
    let report = report(folder.path(), &[]);
    assert_eq!(report["failures"]["binds"], 1);
    assert_eq!(report["failures"]["tcpip_refusals"], 1);
    assert_eq!(report["verdict"]["confidence"], "low", "{}", report["verdict"]);
    assert!(codes(&report, "/verdict/reasons").contains(&"single_failure".to_owned()));
}

#[test]
fn a_failure_of_unknown_protocol_asks_for_no_dump_where_the_pool_is_explained() {
    let folder = scratch();
    let mut sim = Sim::new();
    for n in 0..1000_u16 {
        sim.hold(i64::from(n), 700, 50_000 + n);
    }
    sim.fail(2000, 900);
    sim.fail(2001, 900);
    let older = sim.endpoint();
    sim.bind(2002, 901, older, None);
    sim.write(&folder.path().join("server.etl"));
    let report = report(folder.path(), &["--pool", "50000:1000"]);
    assert_eq!(report["pools"].as_array().unwrap().len(), 2);
    assert!(advice(&report, "memory_dump").is_none(), "{}", report["recommendations"]);
    assert!(advice(&report, "capture").is_none());
}

#[test]
fn connections_in_time_wait_on_one_port_are_one_port() {
    let folder = scratch();
    let mut sim = Sim::new();
    sim.hold(1, 700, 60_000);
    for n in 0..2000_u16 {
        sim.existing(2, 0x5000 + u64::from(n) * 0x40, 0, 50_051, tcpip::state::TIME_WAIT);
    }
    sim.write(&folder.path().join("server.etl"));
    let report = report(folder.path(), &["--pool", "50000:2000"]);
    assert_eq!(report["verdict"]["state"], "not_seen", "{}", report["verdict"]);
    let pool = &report["pools"][0];
    assert_eq!((&pool["time_wait_estimate"], &pool["held_peak"]), (&json!(1), &json!(1)), "{pool}");
}

#[test]
fn a_listing_with_another_name_for_a_pid_is_of_another_process() {
    let folder = scratch();
    let mut sim = Sim::new();
    sim.started(0, 700, "agent.exe");
    for n in 0..500_u16 {
        sim.hold(1, 700, 50_000 + n);
    }
    sim.fail(2, 700);
    sim.fail(3, 700);
    sim.write(&folder.path().join("server.etl"));
    let mut listing = netstat((0..900).map(|n| (51_000 + n, "BOUND", 700)));
    listing.push_str(" [other.exe]\r\n");
    std::fs::write(folder.path().join("netstat.txt"), listing).unwrap();
    let report = report(folder.path(), &["--pool", "49152:4096"]);
    assert_eq!(holders(&report), [json!([700, 900, null]), json!([700, 500, null])]);
    let images: Vec<&Value> = report["processes"].as_array().unwrap().iter().map(|row| &row["image"]).collect();
    assert_eq!(images, [&json!("agent.exe"), &json!("other.exe")]);
}

#[test]
fn who_holds_little_is_not_restarted_and_parts_of_windows_never() {
    for (image, ports, want) in [
        ("agent.exe", 100, None),
        ("agent.exe", 1800, Some("restart_holder")),
        ("lsass.exe", 1800, Some("restart_server")),
    ] {
        let folder = scratch();
        let mut sim = Sim::new();
        sim.started(0, 700, image);
        for n in 0..ports {
            sim.hold(i64::from(n), 700, 50_000 + n);
        }
        sim.fail(3000, 900);
        sim.fail(3001, 900);
        sim.write(&folder.path().join("server.etl"));
        let report = report(folder.path(), &["--pool", "50000:2000"]);
        let codes = codes(&report, "/recommendations");
        let restarts: Vec<&str> = codes.iter().map(String::as_str).filter(|code| code.starts_with("restart")).collect();
        assert_eq!(restarts, want.into_iter().collect::<Vec<_>>(), "{image}, {ports}: {codes:?}");
    }
}

#[test]
fn commands_can_be_pasted() {
    let folder = scratch();
    let inner = folder.path().join("A & B (1)");
    std::fs::create_dir(&inner).unwrap();
    let mut sim = Sim::new();
    for n in 0..240_u16 {
        sim.hold(i64::from(n), 700, 50_000 + n);
    }
    sim.fail(3000, 900);
    sim.fail(3001, 900);
    let trace = inner.join("server.etl");
    sim.write(&trace);
    let tasks = "\"Image Name\",\"PID\",\"Services\"\r\n\"agent.exe\",\"700\",\"x'; calc; '\"\r\n";
    std::fs::write(inner.join("tasklist.csv"), tasks).unwrap();
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    writer.start_file("inner/server.etl", zip::write::SimpleFileOptions::default()).unwrap();
    std::io::Write::write_all(&mut writer, &std::fs::read(&trace).unwrap()).unwrap();
    let archive = folder.path().join("case&1.zip");
    std::fs::write(&archive, writer.finish().unwrap().into_inner()).unwrap();
    for input in [&inner, &archive] {
        // An undo that netsh would refuse is none.
        let report = report(input, &["--pool", "50000:254"]);
        let command = &advice(&report, "vendor").unwrap()["commands"][0];
        let want = format!("outofports events \"{}\" --provider Winsock-AFD --pid 700 -f csv", input.display());
        assert_eq!(command, &json!(want));
        let check = json!(["tasklist /svc /fi \"pid eq 700\""]);
        assert_eq!(advice(&report, "restart_holder").unwrap()["commands"], check, "no service is named so");
        assert_eq!(advice(&report, "restore_range").unwrap()["undo"], Value::Null);
        let ran = run(["events".as_ref(), input.as_os_str(), "--pid".as_ref(), "700".as_ref()]);
        assert_eq!(ran.code, 0, "{ran:?}");
    }
}

#[test]
fn a_listing_that_hides_bound_sockets_is_not_the_last_word() {
    let folder = scratch();
    let mut sim = Sim::new();
    sim.hold(1, 700, 50_000);
    sim.fail(3000, 900);
    sim.fail(3001, 900);
    sim.write(&folder.path().join("server.etl"));
    let listing = netstat((0..100).map(|n| (51_000 + n, "ESTABLISHED", 800)));
    std::fs::write(folder.path().join("netstat.txt"), listing).unwrap();
    let ranges = "\r\nProtocol tcp Port Exclusion Ranges\r\n\r\nStart Port    End Port      \r\n----------    --------      \r\n\r\n";
    std::fs::write(folder.path().join("excludedport-ipv4.txt"), ranges).unwrap();
    let report = report(folder.path(), &[]);
    let step = advice(&report, "confirm").expect("netstat without -q hides what is bound");
    assert!(step["commands"].as_array().unwrap().contains(&json!("netstat -anoq > netstat.txt")), "{step}");
    assert!(step["text"].as_str().unwrap().contains("with -q"), "{step}");
    assert!(!step.to_string().contains("excludedportrange"), "it has been given: {step}");
    let alternatives = report["ruled_out"].to_string();
    assert!(!alternatives.contains("no listing of them was given"), "{alternatives}");
    assert!(!report["unexplained"].to_string().contains("excluded_ranges"));
}

#[test]
fn what_is_reserved_and_what_is_excluded_add_up_to_what_both_cover() {
    let folder = scratch();
    let mut sim = Sim::new();
    sim.started(0, 700, "agent.exe");
    // The same reservation as two events tell it, and another that an exclusion covers in part.
    for (id, start) in [(1052, 50_000), (1054, 50_000), (1052, 50_150)] {
        let reservation = tcpip::Reservation { pid: 700, status: 0, start, count: 100, start_key: 0 };
        sim.tcpip(1, 700, id, &tcpip::reservation(0, reservation));
    }
    // What its sockets hold of it is not held twice.
    for port in 50_000..50_010 {
        sim.hold(1, 700, port);
    }
    sim.fail(2, 900);
    sim.fail(3, 900);
    sim.write(&folder.path().join("server.etl"));
    let ranges = "\r\nProtocol tcp Port Exclusion Ranges\r\n\r\nStart Port    End Port      \r\n----------    --------      \r\n     50200       50299      \r\n";
    std::fs::write(folder.path().join("excludedport-ipv4.txt"), ranges).unwrap();
    let report = report(folder.path(), &["--pool", "50000:400"]);
    let pool = report["pools"].as_array().unwrap().iter().find(|pool| pool["family"] == "ipv4").unwrap();
    assert_eq!((&pool["set_aside"], &pool["explained"]), (&json!(250), &json!(250)), "{pool}");
    assert_eq!(holders(&report)[0], json!([700, 200, "reservation"]));
}

#[test]
fn sockets_of_both_families_may_be_what_fills_the_pool_of_one() {
    let folder = scratch();
    let mut sim = Sim::new();
    for n in 0..1900_u16 {
        // Of AF_INET6 and bound to [::], as .NET does it for both families.
        let (at, endpoint, exit) = (sim.at(i64::from(n)), sim.endpoint(), afd::EXIT);
        sim.builder.afd(0, at, 700, 1000, &afd::create(WINDOWS, Sim::head(exit, 700, endpoint), 23, 1, 6, 700, 0));
        for (step, phase, port) in [(5, afd::ENTER, 0), (9, exit, 50_000 + n)] {
            let address = SockAddr::V6 { address: [0; 16], port, scope: 0 };
            sim.builder.afd_bind(0, at + step, 700, Sim::head(phase, 700, endpoint), 0, Some(address));
        }
    }
    sim.fail(3000, 900);
    sim.fail(3001, 900);
    sim.write(&folder.path().join("server.etl"));
    let report = report(folder.path(), &["--pool", "50000:2400"]);
    let unexplained = &report["unexplained"][0];
    assert_eq!(unexplained["pool"], 0);
    assert!(unexplained["possible"].as_array().unwrap().contains(&json!("dual_stack")), "{unexplained}");
    assert!(advice(&report, "memory_dump").is_none(), "{}", report["recommendations"]);
    let ran = run(["analyze", folder.path().to_str().unwrap(), "--pool", "50000:2400"]);
    assert!(ran.stdout.contains("WHO HOLDS THE PORTS, TCP over IPv6"), "{}", ran.stdout);
}

#[test]
fn records_that_are_too_short_are_damage() {
    let folder = scratch();
    let mut sim = Sim::new();
    sim.hold(1, 700, 50_000);
    sim.fail(2, 900);
    sim.fail(3, 900);
    let at = sim.at(4);
    sim.builder.afd(0, at, 700, 1029, &[0; 12]);
    sim.write(&folder.path().join("server.etl"));
    let text = text(folder.path());
    assert!(!text.contains("nothing lost or damaged"), "{text}");
    assert!(text.contains("but 1 record of Winsock-AFD"), "{text}");
}

#[test]
fn who_holds_the_ports_of_another_address_is_not_blamed() {
    let folder = scratch();
    let mut sim = Sim::new();
    for n in 0..1200_u16 {
        sim.local = [10, 0, 0, 2];
        sim.hold(i64::from(n), 800, 50_000 + n);
        if n < 1000 {
            sim.local = [10, 0, 0, 1];
            sim.hold(i64::from(n), 700, 50_000 + n);
        } else if n < 1100 {
            sim.local = [0; 4];
            sim.hold(i64::from(n), 750, 50_000 + n);
        }
    }
    sim.local = [10, 0, 0, 1];
    sim.fail(2000, 900);
    sim.fail(2001, 900);
    sim.local = [10, 0, 0, 2];
    sim.hold(2002, 800, 51_200);
    sim.write(&folder.path().join("server.etl"));
    let report = report(folder.path(), &["--pool", "50000:1300"]);
    let index = report["pools"].as_array().unwrap().iter().position(|pool| pool["local_address"] == "10.0.0.1");
    let index = index.expect("a row for the address that fails");
    assert_eq!(report["pools"][index]["explained"], 1100);
    let here = report["holders"].as_array().unwrap().iter().filter(|holder| holder["pool"] == index);
    let ports: Vec<&Value> = here.map(|holder| &holder["ports"]).collect();
    assert_eq!(ports, [&json!(1000), &json!(100)], "{:?}", holders(&report));
    assert!(advice(&report, "restart_holder").unwrap()["text"].as_str().unwrap().contains("PID 700"));
}

#[test]
fn dns_servers_own_connections_are_not_its_pool_of_sockets() {
    for (protocol, is_pool) in [(17, true), (6, false)] {
        let (mut sim, folder) = (Sim::new(), scratch());
        sim.started(0, 700, r"C:\Windows\System32\dns.exe");
        for number in 0..300_u16 {
            let endpoint = sim.socket(10 + i64::from(number), 700, protocol);
            sim.bind(10 + i64::from(number), 700, endpoint, Some(50_000 + number));
        }
        sim.write(&folder.path().join("server.etl"));
        let text = text(folder.path());
        assert!(text.contains("dns.exe"), "{text}");
        assert_eq!(text.contains("DNS Server's socket pool: normal"), is_pool, "{text}");
    }
}
