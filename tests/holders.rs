//! Who holds the ports: what reports say of synthetic traces, next to what the simulated machine knows.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};
use synth::{Expected, Truth};

use crate::common::{run, scratch, write_scenario};

/// Scenarios that are about holders, and whether the report can tell what the top holder does: TCP/IP's events and
/// rundowns show what is held, and not how it came to be.
const SCENARIOS: [(&str, bool); 25] = [
    ("leak", true),
    ("heavy-load", true),
    ("churn-time-wait", true),
    ("churn-time-wait-unknown", true),
    ("holder-before-capture", true),
    ("holder-before-rundown", false),
    ("holder-before-netstat", true),
    ("kernel-holder", false),
    ("udp-only", true),
    ("ipv6-only", true),
    ("one-local-address", true),
    ("range-reserved", true),
    ("range-narrowed", true),
    ("victims-without-holder", true),
    ("exhaustion-ends", true),
    ("reuse-in-the-middle", true),
    ("lost-at-the-worst-moment", true),
    ("connect-time", false),
    ("weak-references", true),
    ("near", true),
    ("healthy-fixed-port", true),
    ("healthy-dns", true),
    ("healthy-time-wait", true),
    ("healthy-memory", true),
    ("healthy-access-denied", true),
];

/// The report of a scenario's folder: its trace and all files beside it.
fn report(name: &str, folder: &Path) -> (Value, Expected) {
    let (_, expected) = write_scenario(name, folder);
    let ran = run(["analyze".as_ref(), folder.as_os_str(), "-f".as_ref(), "json".as_ref()]);
    assert_eq!(ran.code, 0, "{name}: {ran:?}");
    (ran.json(), expected)
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no number"))
}

/// The pool that speaks for the scenario, as the report has it.
fn pool_of<'r>(name: &str, report: &'r Value, truth: &Truth) -> Option<(usize, &'r Value)> {
    let worst = truth.pools.iter().find(|pool| pool.state == truth.state)?;
    let same = |pool: &Value| {
        pool["protocol"] == worst.protocol.as_str()
            && pool["family"] == worst.family.as_str()
            && pool["state"] == truth.state.as_str()
            && (pool["local_address"].is_null() || pool["local_address"] == json!(worst.local_address))
    };
    let found = report["pools"].as_array().unwrap().iter().enumerate().find(|(_, pool)| same(pool));
    Some(found.unwrap_or_else(|| panic!("{name}: no pool like {worst:?}")))
}

fn check_pools(name: &str, report: &Value, truth: &Truth) {
    for theirs in &truth.pools {
        let is_same = |pool: &&Value| {
            pool["protocol"] == theirs.protocol.as_str()
                && pool["family"] == theirs.family.as_str()
                && pool["local_address"] == json!(theirs.local_address)
        };
        let Some(ours) = report["pools"].as_array().unwrap().iter().find(is_same) else {
            assert_eq!(theirs.state, "not_seen", "{name}: only pools in which nothing failed may go without a row");
            continue;
        };
        assert_eq!(ours["state"], theirs.state.as_str(), "{name}: {theirs:?}");
        assert_eq!(ours["bind_failures"], theirs.bind_failures, "{name}");
        assert_eq!(ours["connect_failures"], theirs.connect_failures, "{name}");
        if theirs.range_told {
            assert_eq!((number(&ours["start"]), number(&ours["count"])), (theirs.start.into(), theirs.count.into()));
        }
        let peak = number(&ours["held_peak"]);
        assert!((theirs.held_peak..=theirs.taken_peak).contains(&peak), "{name}: {peak} held, {theirs:?}");
    }
}

/// Checks one scenario, and gives its line of the table.
fn check(name: &str, tells_pattern: bool) -> String {
    let folder = scratch();
    let (report, expected) = report(name, folder.path());
    let truth = &expected.truth;
    assert!(truth.exact, "{name}");
    let verdict = &report["verdict"];
    assert_eq!(verdict["state"], truth.state.as_str(), "{name}");
    assert_eq!(verdict["confidence"], json!(truth.confidence), "{name}");
    check_pools(name, &report, truth);
    let processes = report["processes"].as_array().unwrap();
    let pool = pool_of(name, &report, truth);
    let holders = report["holders"].as_array().unwrap().iter();
    let top = pool.and_then(|(index, _)| holders.clone().find(|holder| holder["pool"] == index));
    let told = |holder: &Value| {
        let row = &processes[usize::try_from(number(&holder["process"])).unwrap()];
        (number(&row["pid"]), number(&holder["ports"]), row["ports_held_peak"].clone(), row["ports_held_end"].clone())
    };
    let mut line = format!("| {name} | {} | {} |", truth.state, truth.confidence.as_deref().unwrap_or("-"));
    match (&truth.top_holder, top) {
        (Some(theirs), Some(ours)) if theirs.shown > 0 && truth.moment.is_some() => {
            let (pid, ports, peak, end) = told(ours);
            assert_eq!((pid, ports), (theirs.pid.into(), theirs.shown), "{name}: {ours}");
            let pattern = json!(truth.pattern.map(|pattern| format!("{pattern:?}").to_lowercase()));
            let expected_pattern = if tells_pattern { pattern } else { Value::Null };
            assert_eq!(ours["pattern"], expected_pattern, "{name}");
            let row =
                expected.processes.iter().find(|row| row.pid == Some(theirs.pid) && row.started == theirs.started);
            let row = row.or_else(|| expected.processes.iter().find(|row| row.pid == Some(theirs.pid)));
            let want = row.map_or((0, 0), |row| (row.ports_held_peak, row.ports_held_end));
            assert_eq!((peak, end), (json!(want.0), json!(want.1)), "{name}: peak and end");
            let _ = write!(
                line,
                " {} ({}) | {ports} / {} | {} / {} | {} | {} |",
                theirs.image,
                pid,
                theirs.shown,
                want.0,
                want.1,
                ours["evidence"].as_str().unwrap(),
                ours["pattern"].as_str().unwrap_or("not told"),
            );
        }
        (Some(theirs), _) if theirs.shown == 0 => {
            // It is nowhere in the trace: nobody else may be blamed for it.
            assert!(top.is_none_or(|top| number(&top["ports"]) < 100), "{name}: {top:?}");
            let blamed =
                report["recommendations"].as_array().unwrap().iter().any(|row| row["code"] == "restart_holder");
            assert!(!blamed, "{name}");
            let _ = write!(line, " nobody ({} is hidden) | - / {} | - | - | - |", theirs.image, theirs.shown);
        }
        (Some(theirs), _) => panic!("{name}: {theirs:?} is not found"),
        (None, _) => {
            let _ = write!(line, " nobody | - | - | - | - |");
        }
    }
    let unexplained = report["unexplained"].as_array().into_iter().flatten();
    let ours = pool.and_then(|(index, _)| unexplained.clone().find(|row| row["pool"] == index));
    match (truth.hidden_ports, ours) {
        (Some(hidden), Some(row)) => {
            let ports = number(&row["ports"]);
            if name == "lost-at-the-worst-moment" {
                // Lost closes leave ports that look held: what is missing is a lower bound.
                assert!(ports <= hidden, "{name}: {ports} of {hidden}");
            } else {
                assert_eq!(ports, hidden, "{name}");
                let share = row["share_of_pool"].as_f64().unwrap();
                assert!((share - truth.hidden_share.unwrap()).abs() < 0.0001, "{name}: {share}");
            }
            let _ = write!(line, " {ports} / {hidden} |");
        }
        (hidden, row) => {
            assert!(hidden.unwrap_or(0) == 0 && row.is_none(), "{name}: {hidden:?} {row:?}");
            line.push_str(" - |");
        }
    }
    line
}

#[test]
fn holders_equal_what_the_machine_knows() {
    let mut table = String::from(
        "Report / truth. All traces are synthetic. Peak and end are ports held by sockets that the trace saw binding.\n\n\
         | scenario | state | confidence | top holder (PID) | ports | peak / end | evidence | pattern | unexplained |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for (name, tells_pattern) in SCENARIOS {
        table.push_str(&check(name, tells_pattern));
        table.push('\n');
    }
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("holders.md");
    std::fs::write(&path, &table).unwrap();
    println!("{table}");
}

fn text(name: &str) -> String {
    let folder = scratch();
    write_scenario(name, folder.path());
    run(["analyze".as_ref(), folder.path().as_os_str()]).stdout
}

#[test]
fn a_victim_is_not_blamed_where_no_holder_is_in_sight() {
    for name in ["victims-without-holder", "holder-before-capture"] {
        let text = text(name);
        assert!(text.contains("does not show who holds the ports"), "{name}: {text}");
        assert!(text.contains("netstat -anoq > netstat.txt"), "{name}: {text}");
        assert!(!text.contains("Restart "), "{name}: {text}");
    }
}

#[test]
fn who_has_taken_no_port_lately_has_no_rate() {
    let folder = scratch();
    write_scenario("steady-alone", folder.path());
    let report = run(["analyze".as_ref(), folder.path().as_os_str(), "-f".as_ref(), "json".as_ref()]).json();
    let steady: Vec<&Value> =
        report["holders"].as_array().unwrap().iter().filter(|row| row["pattern"] == "steady").collect();
    assert!(!steady.is_empty());
    assert!(steady.iter().all(|row| row["growth_per_minute"].is_null()), "{steady:?}");
}

#[test]
fn the_kernel_is_no_application() {
    let system = text("kernel-holder");
    assert!(system.contains("kernel: drivers and services in it") && !system.contains("restart "), "{system}");
    assert!(system.contains("driverquery /v"), "{system}");
    let dns = text("healthy-dns");
    assert!(dns.contains("DNS Server's socket pool: normal") && !dns.contains("leak"), "{dns}");
}

#[test]
fn other_causes_are_told_apart() {
    let of = |name: &str, code: &str| {
        let folder = scratch();
        let (report, _) = report(name, folder.path());
        let rows = report["ruled_out"].as_array().unwrap().clone();
        rows.into_iter()
            .find(|row| row["code"] == code)
            .map(|row| row["standing"].as_str().unwrap().to_owned())
            .unwrap()
    };
    assert_eq!(of("healthy-fixed-port", "fixed_port_conflict"), "seen");
    assert_eq!(of("healthy-memory", "memory_shortage"), "seen");
    assert_eq!(of("healthy-access-denied", "excluded_range"), "seen");
    assert_eq!(of("leak", "fixed_port_conflict"), "ruled_out");
    assert_eq!(of("leak", "memory_shortage"), "ruled_out");
    assert_eq!(of("leak", "tuple_reuse"), "unknown");
}

#[test]
fn a_narrowed_range_is_that_of_the_listing_and_the_option_goes_before_it() {
    let folder = scratch();
    let (report, _) = report("range-narrowed", folder.path());
    assert_eq!(report["pools"][0]["source"], "dynamic_port_file");
    assert_eq!((&report["pools"][0]["start"], &report["pools"][0]["count"]), (&json!(50_000), &json!(255)));
    let arguments = ["analyze", folder.path().to_str().unwrap(), "--pool", "49152:16384", "-f", "json"];
    let option = run(arguments).json();
    assert_eq!((&option["pools"][0]["source"], &option["pools"][0]["count"]), (&json!("option"), &json!(16384)));
    for wrong in ["1:2:3", "0:5", "65000:1000", "x"] {
        assert_eq!(run(["analyze", folder.path().to_str().unwrap(), "--pool", wrong]).code, 2, "{wrong}");
    }
}
