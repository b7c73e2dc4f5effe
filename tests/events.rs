//! `events`: filters, formats, order.

use serde_json::{Value, json};

use crate::common::{command, corpus, run, scratch, write_scenario};

/// The lines of `events -f ndjson` with further options.
fn events(path: &std::path::Path, options: &[&str]) -> Vec<Value> {
    let mut arguments = vec!["events".as_ref(), path.as_os_str(), "-f".as_ref(), "ndjson".as_ref()];
    arguments.extend(options.iter().map(std::ffi::OsStr::new));
    let ran = run(arguments);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn by_default_the_failures_that_count_and_nothing_else() {
    let folder = scratch();
    for name in [
        "modern-64",
        "modern-32",
        "legacy",
        "failed-1030",
        "system-time",
        "compressed",
        "shuffled-64cpu",
        "ipv6",
        "connect-failures",
        "internal-completions",
        "system-context",
    ] {
        let (path, expected) = write_scenario(name, folder.path());
        let lines = events(&path, &[]);
        assert_eq!(lines.len() as u64, expected.binds + expected.connects, "{name}");
        assert_eq!(lines[0]["time"], json!(expected.first_failure), "{name}");
        assert_eq!(lines.last().unwrap()["time"], json!(expected.last_failure), "{name}");
        for line in &lines {
            let fields = line["fields"].as_object().unwrap();
            let status = fields.get("Status").or(fields.get("Error")).unwrap().to_string();
            assert!(status.contains("0xC0000209"), "{name}: {line}");
            assert_eq!((&line["leftover_bytes"], &line["missing"]), (&json!(0), &Value::Null), "{name}");
        }
        assert!(lines.iter().map(|line| line["time"].as_str().unwrap()).is_sorted(), "{name}");
    }
}

#[test]
fn options_widen_and_narrow() {
    let folder = scratch();
    let (path, expected) = write_scenario("multi-provider", folder.path());
    let all = events(&path, &["--all"]);
    assert_eq!(all.len() as u64, expected.records);
    let times: Vec<&str> = all.iter().filter_map(|line| line["time"].as_str()).collect();
    assert!(times.is_sorted(), "one processor's WPP messages aside, time order");
    let afd = events(&path, &["--provider", "Winsock-AFD"]);
    assert_eq!(afd.len() as u64, expected.afd_records);
    assert_eq!(events(&path, &["--provider", "{e53c6823-7bb8-44bb-90dc-3f86090d48a6}"]).len(), afd.len());
    let creates = events(&path, &["--provider", "Winsock-AFD", "--id", "1000"]);
    assert!(!creates.is_empty() && creates.iter().all(|line| line["id"] == 1000 && line["name"] == "AfdCreate"));
    let statuses = events(&path, &["--status", "STATUS_TOO_MANY_ADDRESSES"]);
    assert_eq!(statuses.len() as u64, expected.binds + expected.connects);
    assert_eq!(events(&path, &["--status", "0xC0000209"]).len(), statuses.len());
    let victim = expected.processes.iter().find(|row| row.pid.is_some() && row.bind_failures > 0).unwrap();
    let of_victim = events(&path, &["--pid", &victim.pid.unwrap().to_string()]);
    assert_eq!(of_victim.len() as u64, victim.bind_failures + victim.connect_failures);
    let other = expected.processes.iter().find(|row| row.pid.is_some() && row.pid != victim.pid).unwrap();
    let of_both = events(&path, &["--pid", &format!("{},{}", victim.pid.unwrap(), other.pid.unwrap())]);
    let failures = |row: &synth::ExpectedProcess| row.bind_failures + row.connect_failures;
    assert_eq!(of_both.len() as u64, failures(victim) + failures(other));
    let middle = &times[times.len() / 2];
    let (before, after) = (events(&path, &["--all", "--until", middle]), events(&path, &["--all", "--since", middle]));
    let at = times.iter().filter(|time| *time == middle).count();
    assert_eq!(before.len() + after.len() - at, times.len());
}

#[test]
fn providers_by_a_part_of_their_name_ids_in_a_list_and_winsock_errors() {
    let folder = scratch();
    let (path, expected) = write_scenario("multi-provider", folder.path());
    let listed = |options: &[&str]| events(&path, options).len() as u64;
    for text in ["afd", "Winsock-AFD", "microsoft-windows-winsock-afd", "{E53C6823-7BB8-44BB-90DC-3F86090D48A6}"] {
        assert_eq!(listed(&["--provider", text]), expected.afd_records, "{text}");
    }
    let ids = ["1029", "1030"].map(|id| listed(&["--provider", "afd", "--id", id]));
    assert_eq!(listed(&["--provider", "afd", "--id", "1029,1030"]), ids[0] + ids[1]);
    let short = listed(&["--status", "0xC0000209"]);
    assert!(short > 0 && listed(&["--status", "10055"]) >= short && listed(&["--status", "10048"]) >= short);
    let said = |options: &[&str]| {
        let arguments = ["events".as_ref(), path.as_os_str()].into_iter();
        let ran = run(arguments.chain(options.iter().map(std::ffi::OsStr::new)));
        (ran.code, ran.stdout.lines().count(), ran.stderr)
    };
    let (code, lines, stderr) = said(&["--provider", "microsoft-windows"]);
    assert_eq!((code, lines), (2, 0), "{stderr}");
    assert!(stderr.contains("Microsoft-Windows-Kernel-Process, Microsoft-Windows-NDIS-PacketCapture"), "{stderr}");
    for (options, want) in [
        (&["--provider", "No-Such-Provider"][..], "no event of provider No-Such-Provider is in the trace"),
        (&["--provider", "2f07e2ee-15db-40f1-90ef-9d7ba282188a"], "no event of provider Microsoft-Windows-TCPIP is in"),
        (&["--provider", "afd", "--id", "40"], "no event with id 40 of the provider asked for is in the trace"),
        (&["--id", "4999"], "no event with id 4999 is in the trace"),
    ] {
        let (code, lines, stderr) = said(options);
        assert_eq!((code, lines), (0, 0), "{options:?}");
        assert!(stderr.contains(want) && stderr.lines().count() == 1, "{options:?}: {stderr}");
        assert_eq!(said(&[options, &["--quiet"]].concat()).2, "");
    }
    assert_eq!(said(&["--provider", "afd", "--id", "1029"]).2, "");
}

#[test]
fn csv_and_text_have_a_line_for_each_event() {
    let folder = scratch();
    let (path, expected) = write_scenario("modern-64", folder.path());
    let with = |format: &str| run(["events".as_ref(), path.as_os_str(), "-f".as_ref(), format.as_ref()]).stdout;
    let text = with("text");
    assert_eq!(text.lines().count() as u64, expected.binds);
    let first = text.lines().next().unwrap();
    assert!(first.contains("Microsoft-Windows-Winsock-AFD/1029 AfdBind") && first.contains("0xC0000209"), "{first}");
    let table = with("csv");
    let mut reader = csv::Reader::from_reader(table.as_bytes());
    assert_eq!(&reader.headers().unwrap()[0], "time");
    assert_eq!(reader.records().map(Result::unwrap).count() as u64, expected.binds);
}

#[test]
fn an_output_file_holds_what_standard_output_would() {
    let folder = scratch();
    let (path, _) = write_scenario("modern-64", folder.path());
    let output = folder.path().join("events.ndjson");
    let arguments = ["events".as_ref(), path.as_os_str(), "-f".as_ref(), "ndjson".as_ref()];
    let to_stdout = run(arguments).stdout;
    assert_eq!(run(arguments.into_iter().chain(["-o".as_ref(), output.as_os_str()])).code, 0);
    assert_eq!(std::fs::read_to_string(output).unwrap(), to_stdout);
}

#[test]
fn a_closed_pipe_ends_the_list_quietly() {
    let folder = scratch();
    let (path, _) = write_scenario("shuffled-64cpu", folder.path());
    let mut child = command()
        .args(["events".as_ref(), path.as_os_str(), "--all".as_ref()])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()));
}

#[test]
fn extended_items_are_shown_with_their_values() {
    let folder = scratch();
    let (path, _) = write_scenario("multi-provider", folder.path());
    let items: Vec<Value> =
        events(&path, &["--all"]).iter().filter_map(|line| line["extended"].as_array().cloned()).flatten().collect();
    let has = |name: &str| items.iter().any(|item| item.get(name).is_some());
    assert!(has("related_activity_id") && has("stack"), "{items:?}");
}

#[test]
fn info_names_providers_by_what_the_trace_says() {
    let Some(folder) = corpus() else { return };
    for (file, name) in [
        ("waasmedic.etl", "Microsoft.Windows.WaaSMedic.Local"),
        ("pktmon-compressed-ws2022.etl", "Microsoft-Windows-PktMon"),
        ("tracelogging-ebpf.etl", "EbpfForWindowsProvider"),
    ] {
        let info = run(["info".as_ref(), folder.join(file).as_os_str(), "-f".as_ref(), "json".as_ref()]).json();
        let names: Vec<&str> =
            info["providers"].as_array().unwrap().iter().filter_map(|row| row["name"].as_str()).collect();
        assert!(names.contains(&name), "{file}: {names:?}");
    }
}

#[test]
fn bad_options_are_refused() {
    for option in [
        ["--status", "full"],
        ["--status", "10035"],
        ["--pid", "1,x"],
        ["--since", "yesterday"],
        ["--id", "70000"],
        ["--provider", ""],
    ] {
        let ran = run(["events", "x.etl"].into_iter().chain(option));
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{option:?}");
    }
}

#[test]
fn real_events_can_be_checked_against_the_bytes() {
    let Some(folder) = corpus() else { return };
    // Kernel-Network 27 (receive over IPv6): PID, size, two addresses of 16 bytes, two ports in network order.
    let path = folder.join("kernel-network-win7.etl");
    let bytes = std::fs::read(&path).unwrap();
    let lines = events(&path, &["--provider", "Kernel-Network", "--id", "27"]);
    assert!(!lines.is_empty());
    for line in &lines {
        let payload = &bytes[usize::try_from(line["offset"].as_u64().unwrap()).unwrap() + 0x50..];
        let u32_at = |at: usize| u32::from_le_bytes(payload[at..at + 4].try_into().unwrap());
        let fields = &line["fields"];
        assert_eq!((&fields["PID"], &fields["size"]), (&json!(u32_at(0)), &json!(u32_at(4))));
        let address: [u8; 16] = payload[8..24].try_into().unwrap();
        assert_eq!(fields["daddr"], std::net::Ipv6Addr::from(address).to_string());
        assert_eq!(fields["dport"], u16::from_be_bytes(payload[40..42].try_into().unwrap()));
    }
    // Kernel-Process 1 (start): the image's path stands at 20.
    let path = folder.join("kernel-process-win7.etl");
    let bytes = std::fs::read(&path).unwrap();
    let lines = events(&path, &["--provider", "Kernel-Process", "--id", "1"]);
    assert_eq!(lines.len(), 4);
    for line in &lines {
        let payload = &bytes[usize::try_from(line["offset"].as_u64().unwrap()).unwrap() + 0x50..];
        let units: Vec<u16> = payload[20..]
            .chunks_exact(2)
            .map(|pair| u16::from_le_bytes(pair.try_into().unwrap()))
            .take_while(|unit| *unit != 0)
            .collect();
        assert_eq!(line["fields"]["ImageName"], String::from_utf16(&units).unwrap());
    }
}

#[test]
fn info_counts_what_decodes_what_is_out_of_order_and_what_does_not_expand() {
    let folder = scratch();
    let (path, expected) = write_scenario("multi-provider", folder.path());
    let info_of = |path: &std::path::Path, code| {
        let ran = run(["info".as_ref(), path.as_os_str(), "-f".as_ref(), "json".as_ref()]);
        assert_eq!(ran.code, code, "{}", ran.stderr);
        ran.json()
    };
    let info = info_of(&path, 0);
    let (mut by_source, mut without, mut unusable, mut leftover) = (std::collections::BTreeMap::new(), 0, 0, 0);
    for line in events(&path, &["--all"]) {
        match (line["schema"].as_str(), line["problem"].as_str()) {
            (Some(source), _) => {
                *by_source.entry(source.to_owned()).or_insert(0) += 1;
                leftover += line["leftover_bytes"].as_u64().unwrap();
            }
            // A message is no event, though its class has a GUID.
            (None, Some("no schema is known")) => {
                without += u64::from(!line["guid"].is_null() && line["kind"] != "message");
            }
            (None, _) => unusable += 1,
        }
    }
    let decoded = &info["decoded"];
    assert!(by_source.contains_key("table") && without > 0, "{by_source:?} {without}");
    let rows = decoded["by_source"].as_array().unwrap();
    assert_eq!(rows.len(), by_source.len());
    for row in rows {
        assert_eq!(row["events"], by_source[row["source"].as_str().unwrap()], "{row}");
        let parts: u64 = ["exact", "leftover", "short"].iter().map(|part| row[part].as_u64().unwrap()).sum();
        assert_eq!(row["events"], parts, "{row}");
    }
    assert_eq!((&decoded["without_schema"], &decoded["unusable"]), (&json!(without), &json!(unusable)));
    assert_eq!(decoded["leftover_bytes"], leftover);
    assert_eq!((&info["records"]["total"], &info["records"]["out_of_order"]), (&json!(expected.records), &json!(0)));

    let mut builder = synth::TraceBuilder::new(synth::TraceOptions::default());
    let t0 = builder.options().t0;
    let origin = synth::record::Origin::new(4, 8);
    for ticks in [t0 + 5, t0 + 3, t0 + 4, t0 + 2] {
        builder.record(0, ticks, &synth::record::Record::System { origin, hook: 0x0F2E, version: 2, payload: &[] });
    }
    std::fs::write(&path, builder.finish()).unwrap();
    assert_eq!(info_of(&path, 0)["records"]["out_of_order"], 2);

    let (path, _) = write_scenario("compressed", folder.path());
    assert_eq!(info_of(&path, 0)["buffers"]["not_expanded"], 0);
    let mut trace = std::fs::read(&path).unwrap();
    let second = u32::from_le_bytes(trace[..4].try_into().unwrap()) as usize;
    // Nothing but matches, before there is anything to copy.
    trace[second + 0x48..second + 0x50].fill(0xFF);
    std::fs::write(&path, trace).unwrap();
    assert_eq!(info_of(&path, 1)["buffers"]["not_expanded"], 1);
}
