//! Synthetic traces: counts per process and times equal what the simulated machine knows.

use serde_json::{Value, json};
use synth::{Expected, ExpectedProcess};

use crate::common::{run, scratch, write_scenario};

/// A process as the report shows it, in the form of the expectation.
fn row(row: &Value) -> ExpectedProcess {
    let mut fields = row.clone();
    let object = fields.as_object_mut().unwrap();
    object.remove("image_path");
    object.remove("roles");
    serde_json::from_value(fields).unwrap()
}

fn compare(name: &str, report: &Value, expected: &Expected) {
    let failures = &report["failures"];
    assert_eq!(failures["binds"], expected.binds, "{name}: binds");
    assert_eq!(failures["connects"], expected.connects, "{name}: connects");
    assert_eq!(failures["other_low_word"], expected.other_low_word, "{name}: other_low_word");
    assert_eq!(failures["endpoints"], expected.endpoints, "{name}: endpoints");
    assert_eq!(report["verdict"]["first_failure"], json!(expected.first_failure), "{name}");
    assert_eq!(report["verdict"]["last_failure"], json!(expected.last_failure), "{name}");
    assert_eq!(report["traces"][0]["records"], expected.records, "{name}: records");
    assert_eq!(report["traces"][0]["buffers"], expected.buffers, "{name}: buffers");
    // Processes that only TCP/IP or a listing tells of have no counts of their own: `holders` tells theirs.
    let has_counts = |row: &&Value| {
        ["bind_failures", "connect_failures", "binds_ok", "other_bind_failures", "sockets_created", "ports_held_peak"]
            .iter()
            .any(|count| row[count] != 0)
    };
    let rows: Vec<ExpectedProcess> =
        report["processes"].as_array().unwrap().iter().filter(has_counts).map(row).collect();
    for (ours, theirs) in rows.iter().zip(&expected.processes) {
        assert_eq!(ours, theirs, "{name}");
    }
    assert_eq!(rows.len(), expected.processes.len(), "{name}: {rows:#?}");
    let binds: u64 = rows.iter().map(|row| row.bind_failures).sum();
    assert_eq!(failures["binds"], binds, "{name}: the sum of the rows");
    agree_over_time(name, report);
    let coverage = &report["coverage"];
    let parts = ["records_decoded", "records_skipped", "records_unknown", "records_malformed"];
    let total: u64 = parts.iter().map(|part| coverage[part].as_u64().unwrap()).sum();
    assert_eq!(total, expected.records, "{name}: every record is accounted for");
    assert_eq!(coverage["records_malformed"], 0, "{name}");
    assert_eq!(coverage["bytes_skipped"], 0, "{name}");
}

/// Lists over time say what the timeline and the rows say.
fn agree_over_time(name: &str, report: &Value) {
    let steps = report["timeline"].as_array().unwrap();
    let numbers = |list: &Value| -> Vec<u64> {
        let numbers: Vec<u64> = list.as_array().unwrap().iter().map(|number| number.as_u64().unwrap()).collect();
        assert_eq!(numbers.len(), steps.len(), "{name}: a number for each step");
        numbers
    };
    for victim in report["failures_over_time"].as_array().unwrap() {
        let row = &report["processes"][victim["process"].as_u64().unwrap() as usize];
        let failures = row["bind_failures"].as_u64().unwrap() + row["connect_failures"].as_u64().unwrap();
        assert_eq!(numbers(&victim["failures"]).iter().sum::<u64>(), failures, "{name}: {row}");
    }
    let victims = report["processes"].as_array().unwrap().iter();
    let victims = victims.filter(|row| row["bind_failures"] != 0 || row["connect_failures"] != 0).count();
    assert_eq!(report["failures_over_time"].as_array().unwrap().len(), victims.min(20), "{name}");
    for (place, told) in report["pools_over_time"].as_array().unwrap().iter().enumerate() {
        let index = told["pool"].as_u64().unwrap();
        let pool = &report["pools"][index as usize];
        let is_part = |row: &&Value| ["protocol", "family", "compartment"].iter().all(|key| row[key] == pool[key]);
        let failures = |row: &Value| row["bind_failures"].as_u64().unwrap() + row["connect_failures"].as_u64().unwrap();
        let failures: u64 = report["pools"].as_array().unwrap().iter().filter(is_part).map(failures).sum();
        assert_eq!(numbers(&told["failures"]).iter().sum::<u64>(), failures, "{name}: {pool}");
        let parts = ["held", "time_wait", "transport"].map(|part| numbers(&told[part]));
        let (least, most) = (numbers(&told["least"]), numbers(&told["most"]));
        for number in 0..steps.len() {
            let in_use = parts[0][number] + parts[1][number];
            assert!(least[number] <= most[number], "{name}: step {number}");
            assert!((least[number]..=most[number]).contains(&in_use), "{name}: step {number}: {in_use}");
        }
        let count = pool["count"].as_u64().unwrap();
        let set_aside = told["set_aside"].as_u64().unwrap();
        let hidden = numbers(&told["not_visible"]);
        for (number, step) in steps.iter().enumerate() {
            let occupied = parts.iter().map(|part| part[number]).sum::<u64>() + set_aside;
            if place == 0 && report["verdict"]["pool"] == index {
                let at_end = step["occupied"].as_u64().unwrap();
                let failed = numbers(&told["failures"])[number] > 0;
                let is_right = if failed { occupied.min(count) >= at_end } else { occupied.min(count) == at_end };
                assert!(is_right, "{name}: step {number}: {occupied} and {at_end}");
            }
            assert!(hidden[number] == 0 || hidden[number] + occupied == count, "{name}: step {number}");
        }
        for holder in told["holders"].as_array().unwrap().iter().chain(told["processes"].as_array().unwrap()) {
            assert!(holder["process"].is_u64() != holder["image"].is_u64(), "{name}: {holder}");
            assert!(numbers(&holder["ports"]).iter().any(|ports| *ports > 0), "{name}: {holder}");
        }
    }
}

fn report(name: &str) -> (Value, Expected) {
    let folder = scratch();
    let (trace, expected) = write_scenario(name, folder.path());
    let mut arguments = vec!["analyze".into(), trace.into_os_string(), "-f".into(), "json".into()];
    let tasklist = folder.path().join("tasklist.txt");
    if tasklist.exists() {
        arguments.extend(["--tasklist".into(), tasklist.into_os_string()]);
    }
    let ran = run(arguments);
    assert_eq!(ran.code, 0, "{name}: {ran:?}");
    (ran.json(), expected)
}

macro_rules! scenarios {
    ($($test:ident: $name:literal,)*) => {
        $(#[test] fn $test() {
            let (report, expected) = report($name);
            compare($name, &report, &expected);
        })*

        #[test]
        fn every_scenario_is_tested() {
            let tested = [$($name),*];
            for scenario in synth::scenarios() {
                assert!(tested.contains(&scenario.name), "{}", scenario.name);
            }
        }
    };
}

scenarios! {
    modern_64_bit: "modern-64",
    modern_32_bit: "modern-32",
    legacy_dialect: "legacy",
    system_time_clock: "system-time",
    cpu_cycle_clock: "cpu-cycles",
    names_from_mof_and_owners_by_eprocess: "names-mof",
    names_from_mof_in_classic_records: "names-mof-full",
    names_from_a_process_list: "names-tasklist",
    names_from_nowhere: "names-none",
    a_reused_pid_is_two_rows: "reused-pid",
    a_reused_endpoint_address_is_another_socket: "reused-endpoint",
    exits_in_system_context_belong_to_the_owner: "system-context",
    failed_binds_as_1029: "failed-1029",
    failed_binds_as_1030: "failed-1030",
    internal_records_count_only_without_a_completion: "internal-completions",
    buffers_of_64_cpus_out_of_order: "shuffled-64cpu",
    compressed_buffers: "compressed",
    ipv6: "ipv6",
    connect_failures_are_counted_apart: "connect-failures",
    fixed_port_conflicts_are_no_exhaustion: "fixed-port-conflict",
    a_healthy_machine: "healthy",
    a_trace_without_afd: "no-afd",
    a_single_failure: "single-failure",
    lost_events_are_said: "lost-events",
    a_copy_of_a_running_log: "live-copy",
    many_providers: "multi-provider",
    a_leak_of_twenty_minutes: "leak",
    honest_load: "heavy-load",
    churn_with_time_wait: "churn-time-wait",
    churn_with_time_wait_and_afd_alone: "churn-time-wait-unknown",
    a_holder_that_nothing_tells: "holder-before-capture",
    a_holder_in_the_rundown: "holder-before-rundown",
    a_holder_in_netstat: "holder-before-netstat",
    a_kernel_holder_has_no_row: "kernel-holder",
    udp_alone: "udp-only",
    ipv6_alone: "ipv6-only",
    one_of_two_local_addresses: "one-local-address",
    ports_taken_at_connect: "connect-time",
    a_reserved_range: "range-reserved",
    a_narrowed_range: "range-narrowed",
    victims_alone: "victims-without-holder",
    an_exhaustion_that_ends: "exhaustion-ends",
    pid_and_endpoints_of_a_dead_holder: "reuse-in-the-middle",
    lost_binds_and_closes: "lost-at-the-worst-moment",
    weak_references: "weak-references",
    nearly_full: "near",
    healthy_fixed_port: "healthy-fixed-port",
    healthy_dns_server: "healthy-dns",
    healthy_time_wait: "healthy-time-wait",
    healthy_without_memory: "healthy-memory",
    healthy_in_an_excluded_range: "healthy-access-denied",
}

fn verdict(name: &str) -> (String, Value, Vec<String>) {
    let (report, _) = report(name);
    let verdict = &report["verdict"];
    let codes = verdict["reasons"].as_array().unwrap().iter().map(|reason| reason["code"].as_str().unwrap().to_owned());
    (verdict["state"].as_str().unwrap().to_owned(), verdict["confidence"].clone(), codes.collect())
}

#[test]
fn verdicts_follow_the_evidence() {
    let reasons = ["bind_failures", "tcpip_refusals"].map(str::to_owned).to_vec();
    assert_eq!(verdict("leak"), ("exhausted".to_owned(), json!("high"), reasons));
    // Its pool is smaller than the default, and nothing says so: holders are in doubt, the verdict is not.
    let small = verdict("modern-64");
    assert_eq!((small.0.as_str(), &small.1, small.2[0].as_str()), ("exhausted", &json!("high"), "bind_failures"));
    assert!(small.2.contains(&"narrower_pool".to_owned()) && small.2.contains(&"unexplained_ports".to_owned()));
    assert_eq!(verdict("healthy").0, "not_seen");
    assert_eq!(verdict("healthy").1, "high");
    assert_eq!(verdict("no-afd").0, "cannot_tell");
    assert_eq!(verdict("no-afd").1, Value::Null);
    assert_eq!(verdict("fixed-port-conflict").0, "not_seen");
    let single = verdict("single-failure");
    assert_eq!((single.0.as_str(), &single.1), ("exhausted", &json!("low")));
    assert!(single.2.contains(&"single_failure".to_owned()));
    let lost = verdict("lost-events");
    assert_eq!(lost.0, "exhausted");
    assert_ne!(lost.1, "high");
    assert!(lost.2.contains(&"events_lost".to_owned()));
    assert_eq!(verdict("live-copy").1, "medium");
}

#[test]
fn a_failed_bind_without_an_address_takes_the_one_that_was_asked_for() {
    for name in ["failed-1029", "failed-1030", "ipv6"] {
        let (report, expected) = report(name);
        let rows = report["addresses"].as_array().unwrap();
        let failures: u64 = rows.iter().map(|row| row["bind_failures"].as_u64().unwrap()).sum();
        assert_eq!(failures, expected.binds, "{name}");
        let held: u64 = rows.iter().map(|row| row["ports_held"].as_u64().unwrap()).sum();
        assert_eq!(held, expected.processes.iter().map(|row| row.ports_held_end).sum::<u64>(), "{name}");
        for row in rows.iter().filter(|row| row["bind_failures"] != 0) {
            let want = if name == "ipv6" { ("ipv6", "::") } else { ("ipv4", "0.0.0.0") };
            assert_eq!((row["family"].as_str().unwrap(), row["local_address"].as_str().unwrap()), want, "{name}");
            assert_eq!(row["protocol"], "tcp", "{name}");
        }
    }
}

#[test]
fn the_first_failure_can_be_found_again_in_the_file() {
    let folder = scratch();
    let (path, expected) = write_scenario("failed-1029", folder.path());
    let report = crate::common::analyze(&path, 0);
    let evidence = &report["evidence"];
    let trace = std::fs::read(&path).unwrap();
    let at = usize::try_from(evidence["offset"].as_u64().unwrap()).unwrap();
    // EVENT_HEADER64, id 1029 at 0x28; EnterExit 1 first in the payload, the endpoint at 16, the status at 24.
    assert_eq!(trace[at + 2..at + 4], [0x13, 0xC0]);
    assert_eq!(trace[at + 0x28..at + 0x2A], 1029_u16.to_le_bytes());
    let payload = &trace[at + 0x50..];
    assert_eq!(payload[..4], [1, 0, 0, 0]);
    let endpoint = u64::from_le_bytes(payload[16..24].try_into().unwrap());
    assert_eq!(evidence["endpoint"], format!("0x{endpoint:X}"));
    assert_eq!(payload[24..28], 0xC000_0209_u32.to_le_bytes());
    assert_eq!(evidence["time"], json!(expected.first_failure));
}
