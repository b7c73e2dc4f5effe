//! Cases of traces with files beside them, and of such files alone.

use std::path::Path;

use serde_json::{Value, json};

use crate::common::{fixtures, run, scratch, write_scenario};

fn json_of(folder: &Path) -> Value {
    let ran = run(["analyze".as_ref(), folder.as_os_str(), "-f".as_ref(), "json".as_ref()]);
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.json()
}

fn copy(fixture: &str, folder: &Path, name: &str) {
    std::fs::copy(fixtures().join("side").join(fixture), folder.join(name)).unwrap();
}

/// Netstat listings in a loop: so many BOUND sockets of one process in each, among others.
fn loop_file(bound: &[u16]) -> String {
    let mut text = String::new();
    for (minute, bound) in bound.iter().enumerate() {
        text.push_str(&format!("Tue 03/10/2026  9:{:02}:00.11 \r\n\r\nActive Connections\r\n\r\n", 30 + minute));
        text.push_str("  Proto  Local Address          Foreign Address        State           PID\r\n");
        text.push_str("  TCP    0.0.0.0:135            0.0.0.0:0              LISTENING       832\r\n");
        for port in 0..*bound {
            let port = 49152 + u32::from(port);
            text.push_str(&format!("  TCP    0.0.0.0:{port}          0.0.0.0:0              BOUND           7312\r\n"));
        }
        for port in 0..20 {
            let port = 65500 + port;
            text.push_str(&format!("  TCP    10.1.2.3:{port}         10.9.9.9:443           TIME_WAIT       0\r\n"));
        }
    }
    text
}

#[test]
fn a_folder_gives_one_report_that_names_every_file() {
    let folder = scratch();
    let (trace, _) = write_scenario("holder-before-netstat", folder.path());
    std::fs::rename(trace, folder.path().join("server.etl")).unwrap();
    std::fs::write(folder.path().join("netstat-loop.txt"), loop_file(&[100, 400, 925])).unwrap();
    copy("system.evtx", folder.path(), "System.evtx");
    copy("handle-afd.txt", folder.path(), "handles.txt");
    copy("excludedportrange-german-850.txt", folder.path(), "excluded.txt");
    std::fs::write(folder.path().join("notes.txt"), "the server hung at half past nine\n").unwrap();
    std::fs::write(folder.path().join("old.evtx"), [0; 500]).unwrap();
    let report = json_of(folder.path());
    assert_eq!(report["traces"].as_array().unwrap().len(), 1);
    let inputs: Vec<(String, &Value, bool)> = report["side_inputs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|side| {
            let name = Path::new(side["path"].as_str().unwrap()).file_name().unwrap().to_string_lossy().into_owned();
            (name, &side["kind"], side["used"].as_bool().unwrap())
        })
        .collect();
    let want = [
        ("System.evtx", "evtx", true),
        ("dynamicport.txt", "dynamic_port", true),
        ("excluded.txt", "excluded_ports", true),
        ("handles.txt", "handles", true),
        ("netstat-loop.txt", "netstat_loop", true),
        ("netstat.txt", "netstat", true),
        ("old.evtx", "evtx", false),
        ("tasklist.txt", "tasklist", true),
    ];
    let want: Vec<(String, Value, bool)> =
        want.iter().map(|(name, kind, used)| ((*name).to_owned(), json!(kind), *used)).collect();
    assert_eq!(inputs.iter().map(|(n, k, u)| (n.clone(), (*k).clone(), *u)).collect::<Vec<_>>(), want);
    // Everything is weighed: the listing names the holder, the list its name, the log agrees, the range is that told.
    let holder = &report["holders"][0];
    let row = &report["processes"][usize::try_from(holder["process"].as_u64().unwrap()).unwrap()];
    assert_eq!((&holder["evidence"], &holder["ports"], &row["pid"]), (&json!("A"), &json!(925), &json!(7312)));
    assert_eq!(report["pools"][0]["source"], "dynamic_port_file");
    assert_eq!(report["trends"][0]["peak"], 925);
    let codes: Vec<&Value> = report["verdict"]["reasons"].as_array().unwrap().iter().map(|row| &row["code"]).collect();
    assert!(codes.contains(&&json!("pool_full_events")), "{codes:?}");
    let standing = |code: &str| {
        let rows = report["ruled_out"].as_array().unwrap();
        rows.iter().find(|row| row["code"] == code).map(|row| row["standing"].clone()).unwrap()
    };
    assert_eq!(standing("tuple_reuse"), "ruled_out", "4227 is in the log, before the trace began");
    let text = run(["analyze".as_ref(), folder.path().as_os_str()]).stdout;
    for name in
        ["System.evtx: evtx", "old.evtx: evtx, not used", "netstat-loop.txt: netstat_loop", "tasklist.txt: tasklist"]
    {
        assert!(text.contains(name), "{name}: {text}");
    }
}

#[test]
fn a_loop_alone_gives_trends_and_no_made_up_verdict() {
    let folder = scratch();
    let path = folder.path().join("netstat.txt");
    let report = |bound: &[u16]| {
        std::fs::write(&path, loop_file(bound)).unwrap();
        json_of(folder.path())
    };
    let some = report(&[100, 300, 900]);
    assert_eq!(some["verdict"]["state"], "cannot_tell");
    assert_eq!(some["verdict"]["confidence"], Value::Null);
    let codes = |report: &Value| -> Vec<String> {
        let reasons = report["verdict"]["reasons"].as_array().unwrap();
        reasons.iter().map(|row| row["code"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(codes(&some), ["listing_usage", "no_trace"]);
    let trend = &some["trends"][0];
    let told = (&trend["pid"], &trend["state"], &trend["first"], &trend["last"], &trend["per_minute"]);
    assert_eq!(told, (&json!(7312), &json!("BOUND"), &json!(100), &json!(900), &json!(400.0)));
    let near = report(&[9_000, 13_100, 2_000]);
    assert_eq!(near["verdict"]["state"], "near");
    assert_eq!(near["verdict"]["confidence"], "medium");
    assert_eq!(codes(&near), ["listing_nearly_full", "no_trace"]);
    assert_eq!(near["pools"][0]["occupied_peak"], 13_120);
    // Every port in use is no failure: nobody was seen being refused one.
    let full = report(&[16_384]);
    assert_eq!(full["verdict"]["state"], "near");
    assert_eq!(full["holders"][0]["pattern"], "leak");
}

#[test]
fn an_event_log_alone_is_indirect_evidence() {
    let folder = scratch();
    copy("system.evtx", folder.path(), "System.evtx");
    let report = json_of(folder.path());
    assert_eq!((&report["verdict"]["state"], &report["verdict"]["confidence"]), (&json!("exhausted"), &json!("low")));
    assert_eq!(report["holders"], json!([]));
    let reused = report["ruled_out"].as_array().unwrap().iter().find(|row| row["code"] == "tuple_reuse").unwrap();
    assert_eq!(reused["standing"], "seen");
}

#[test]
fn each_kind_of_side_file_is_used_for_what_it_tells() {
    let of = |fixture: &str| {
        let path = fixtures().join("side").join(fixture);
        let ran = run(["analyze".as_ref(), path.as_os_str(), "-f".as_ref(), "json".as_ref()]);
        assert_eq!(ran.code, 0, "{fixture}: {ran:?}");
        ran.json()
    };
    let ports = |report: &Value| -> Vec<(Value, Value)> {
        let holders = report["holders"].as_array().unwrap();
        let row =
            |holder: &Value| report["processes"][usize::try_from(holder["process"].as_u64().unwrap()).unwrap()].clone();
        holders.iter().map(|holder| (row(holder)["pid"].clone(), holder["ports"].clone())).collect()
    };
    let german = of("netstat-ano-german-850.txt");
    assert_eq!(ports(&german), [(json!(2840), json!(2)), (json!(7312), json!(2))]);
    let grouped = of("net-tcp-connection-grouped-utf16.txt");
    assert_eq!(ports(&grouped)[0], (json!(7312), json!(5143)));
    assert_eq!((&grouped["pools"][0]["family"], grouped["pools"].as_array().unwrap().len()), (&Value::Null, 1));
    let russian = of("netstat-anob-russian-866.txt");
    assert_eq!(russian["processes"][0]["image"], "OrderGateway.exe");
    assert_eq!(russian["processes"][0]["image_source"], "netstat");
    let handles = of("handle-afd.txt");
    assert_eq!(handles["procedure"][0]["afd_handles"], 3);
    let ranges = of("dynamicport-ipv4-german-850.txt");
    assert_eq!(ranges["dynamic_ports"].as_array().unwrap().len(), 2);
    let excluded = of("excludedportrange-german-850.txt");
    assert_eq!(excluded["excluded_ports"].as_array().unwrap().len(), 3);
    let processes = of("get-process.csv");
    assert!(processes["procedure"].as_array().unwrap().iter().any(|row| !row["handles"].is_null()));
}

#[test]
fn files_of_one_loop_are_put_in_order_by_the_times_in_their_names() {
    let folder = scratch();
    for (name, bound) in
        [("22-11-2026_9-5", 1), ("20261123_000300", 90), ("20261122_235300", 400), ("20261122_235800", 9)]
    {
        let text = loop_file(&[bound]);
        let (_, listing) = text.split_once("\r\n").unwrap();
        std::fs::write(folder.path().join(format!("netstat_{name}.txt")), listing).unwrap();
    }
    let report = json_of(folder.path());
    let trends = report["trends"].as_array().unwrap();
    let of_holder: Vec<&Value> = trends.iter().filter(|trend| trend["state"] == "BOUND").collect();
    let [trend] = of_holder.as_slice() else { panic!("{trends:?}") };
    let numbers = ["samples", "first", "last", "peak", "per_minute"].map(|name| trend[name].as_f64().unwrap());
    assert_eq!(numbers, [3.0, 400.0, 90.0, 400.0, -31.0]);
    assert!(report.to_string().contains("3 listings in the order of the times in their names"), "{report}");
}

#[test]
fn listings_of_several_days_are_moments_by_the_dates_above_them() {
    let folder = scratch();
    for (day, bound) in [(20, 9_000), (21, 11_000), (22, 13_000)] {
        let text = loop_file(&[bound]).replace("Tue 03/10/2026  9:30:00.11", &format!("Fri 11/{day}/2026 12:00:01.25"));
        std::fs::write(folder.path().join(format!("netstat-2026-11-{day}.txt")), text).unwrap();
    }
    let report = json_of(folder.path());
    let trend = &report["trends"][0];
    let numbers = ["samples", "first", "last"].map(|name| trend[name].as_u64().unwrap());
    assert_eq!(numbers, [3, 9_000, 13_000], "{trend}");
    assert!(report.to_string().contains("3 listings in the order of the times above them"), "{report}");
}

#[test]
fn a_script_that_counts_ports_knows_how_many_there_are() {
    let folder = scratch();
    let count = |hour: u32, used: u32| {
        format!(
            "Computer DateTime            LocalAddress InUse  Max Percent\n\
             -------- --------            ------------ -----  --- -------\n\
             SRV01    22.11.2026 {hour}:03:11 10.20.0.5     {used} 5000    24.0\n\n\n"
        )
    };
    std::fs::write(folder.path().join("EphemeralPortStats.log"), count(11, 1_200) + &count(12, 4_990)).unwrap();
    let ran = run(["analyze".as_ref(), folder.path().as_os_str()]);
    assert!(ran.stdout.contains("A listing shows 4,990 of 5,000 ports in use"), "{}", ran.stdout);
}

#[test]
fn owners_that_a_listing_does_not_name_may_be_several() {
    let folder = scratch();
    let row = |port: u16| {
        format!(
            "10.20.0.5                           {port}     10.20.0.40                          1433       CloseWait  \n"
        )
    };
    let rows: String = (0..13_800).map(|port| row(49_152 + port)).collect();
    let heading = "LocalAddress                        LocalPort RemoteAddress                       RemotePort State      \n\
        ------------                        --------- -------------                       ---------- -----      \n";
    std::fs::write(folder.path().join("a.txt"), format!("PS C:\\> Get-NetTCPConnection\n\n{heading}{rows}")).unwrap();
    let ran = run(["analyze".as_ref(), folder.path().as_os_str()]);
    let screen = ran.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(screen.contains("Processes that nothing identifies held 13,800 of 16,384 ports"), "{screen}");
    assert!(screen.contains("the other side closed, and they did not."), "{screen}");
}

#[test]
fn a_range_that_the_trace_refutes_is_no_known_cause() {
    for (ports, is_refuted) in [("1025\r\nNumber of Ports : 3976", true), ("10000\r\nNumber of Ports : 4000", false)] {
        let folder = scratch();
        write_scenario("range-refuted-german", folder.path());
        let text = format!(
            "Protocol tcp Dynamic Port Range\r\n---------------------------------\r\nStart Port      : {ports}\r\n"
        );
        std::fs::write(folder.path().join("dynamicport.txt"), text).unwrap();
        let report = json_of(folder.path());
        assert_eq!(report["known"].to_string().contains("dp_too_small"), !is_refuted, "{}", report["known"]);
    }
}

#[test]
fn folders_without_an_address_in_common_are_of_different_machines() {
    let folder = scratch();
    let row = |host: u8, port: u16| format!("  TCP    10.{host}.0.5:{port}   10.0.0.40:1433   CLOSE_WAIT   7312\r\n");
    for (name, host, ports) in [("Berlin", 20, 900), ("Hamburg", 30, 50)] {
        let rows: String = (0..ports).map(|port| row(host, 50_000 + port)).collect();
        std::fs::create_dir(folder.path().join(name)).unwrap();
        let heading = "  Proto  Local Address  Foreign Address  State  PID\r\n";
        std::fs::write(folder.path().join(name).join("netstat.txt"), heading.to_owned() + &rows).unwrap();
    }
    let range = "Protocol tcp Dynamic Port Range\r\n----\r\nStart Port : 50000\r\nNumber of Ports : 1000\r\n";
    std::fs::write(folder.path().join("Hamburg/dynamicport.txt"), range).unwrap();
    let report = json_of(folder.path());
    assert_eq!((&report["holders"][0]["ports"], &report["pools"][0]["source"]), (&json!(900), &json!("default")));
    let used = report["side_inputs"].as_array().unwrap().iter().filter(|side| side["used"] == true).count();
    assert_eq!(used, 1, "{}", report["side_inputs"]);
}

#[test]
fn a_process_list_of_another_day_names_nobody() {
    let heading = "  Proto  Local Address  Foreign Address  State  PID\r\n";
    let row = |port: u16| format!("  TCP    10.1.0.5:{port}   10.0.0.40:1433   CLOSE_WAIT   7312\r\n");
    let rows: String = (0..900).map(|port| row(50_000 + port)).collect();
    let list = "\r\nImage Name                     PID Session Name        Session#    Mem Usage\r\n\
        ========================= ======== ================ =========== ============\r\n\
        OrderGateway.exe              7312 Services                   0     91,204 K\r\n";
    for (day, image) in [("20261119", Value::Null), ("20261122", json!("OrderGateway.exe"))] {
        let folder = scratch();
        let ticket = folder.path().join("ticket 2026-11-20");
        std::fs::create_dir(&ticket).unwrap();
        std::fs::write(ticket.join("netstat_20261122_1403.txt"), heading.to_owned() + &rows).unwrap();
        std::fs::write(ticket.join(format!("tasklist_{day}.txt")), list).unwrap();
        std::fs::write(ticket.join("dynamicport.txt"), "Protocol tcp Dynamic Port Range\r\n").unwrap();
        let report = json_of(&ticket);
        assert_eq!(report["processes"][0]["image"], image, "{day}");
        let says = report["side_inputs"].to_string().contains("the sockets are of 2026-11-22: a PID may be another");
        assert_eq!(says, image.is_null(), "{}", report["side_inputs"]);
    }
}

#[test]
fn a_process_that_started_after_the_listing_is_not_the_process_of_the_listing() {
    let row = |port: u16| format!("  TCP    0.0.0.0:{port}          0.0.0.0:0              BOUND           7312\r\n");
    let rows: String = (0..13_800).map(|port| row(49_152 + port)).collect();
    let heading = "  Proto  Local Address          Foreign Address        State           PID\r\n";
    let netstat = format!("Sun 11/22/2026 11:03:11.25\r\n\r\nActive Connections\r\n\r\n{heading}{rows}");
    for (day, is_other) in [("11/22/2026 2:58:02 PM", true), ("11/20/2026 2:58:02 PM", false)] {
        let folder = scratch();
        std::fs::write(folder.path().join("netstat.txt"), &netstat).unwrap();
        let list = format!("\"ProcessId\",\"Name\",\"CreationDate\"\n\"7312\",\"notepad.exe\",\"{day}\"\n");
        std::fs::write(folder.path().join("processes.csv"), list).unwrap();
        let report = json_of(folder.path());
        let image = if is_other { Value::Null } else { json!("notepad.exe") };
        assert_eq!(report["processes"][0]["image"], image, "{day}");
        let codes = report["recommendations"].to_string();
        assert_eq!(codes.contains("holder_ended"), is_other, "{codes}");
        assert_eq!(codes.contains("now belongs to notepad.exe, another process: leave it alone"), is_other, "{codes}");
        assert_eq!(report["side_inputs"].to_string().contains("after sockets had been listed"), is_other);
    }
}

#[test]
fn a_process_list_of_hours_later_names_nobody_but_who_had_started() {
    let listing = loop_file(&[13_000]).replace("Tue 03/10/2026  9:30:00.11", "Sun 11/22/2026 11:03:11.25");
    let list = "\r\nImage Name                     PID Session Name        Session#    Mem Usage\r\n\
        ========================= ======== ================ =========== ============\r\n\
        notepad.exe                   7312 Services                   0     91,204 K\r\n";
    let started =
        |time: &str| format!("\n  Id ProcessName StartTime\n  -- ----------- ---------\n7312 notepad     {time}\n\n");
    for (text, image) in [
        (format!("Sun 11/22/2026 15:03:15.11\r\n{list}"), Value::Null),
        (format!("Fri 11/20/2026 11:03:15.11\r\n{list}"), Value::Null),
        (format!("Sun 11/22/2026 11:03:15.11\r\n{list}"), json!("notepad.exe")),
        (list.to_owned(), json!("notepad.exe")),
        (format!("Sun 11/22/2026 15:03:15.11\r\n{}", started("11/22/2026 9:00:00 AM")), json!("notepad")),
        (format!("Fri 11/20/2026 15:03:15.11\r\n{}", started("11/19/2026 9:00:00 AM")), Value::Null),
    ] {
        let folder = scratch();
        std::fs::write(folder.path().join("netstat.txt"), &listing).unwrap();
        std::fs::write(folder.path().join("list.txt"), &text).unwrap();
        let report = json_of(folder.path());
        assert_eq!(report["processes"][0]["image"], image, "{text}");
        let says = report["side_inputs"].to_string().contains("a PID may be another process's by then; not used");
        assert_eq!(says, image.is_null(), "{}", report["side_inputs"]);
    }
}

#[test]
fn the_newest_listing_of_a_mail_may_stand_first() {
    let folder = scratch();
    let of = |bound: u16, heading: &str| loop_file(&[bound]).replace("Tue 03/10/2026  9:30:00.11", heading);
    let mail =
        of(13_800, "Sent: Sunday, November 22, 2026 2:03 PM") + "\r\n" + &of(5_000, "On Sat, Nov 21, 2026 at 2:03 PM");
    std::fs::write(folder.path().join("mail.txt"), mail).unwrap();
    let report = json_of(folder.path());
    let trend = &report["trends"][0];
    assert_eq!((&trend["first"], &trend["last"]), (&json!(5_000), &json!(13_800)), "{trend}");
}

#[test]
fn rows_without_pids_are_of_the_process_of_their_image() {
    let folder = scratch();
    write_scenario("range-refuted-german", folder.path());
    let before = json_of(folder.path());
    let holder = &before["processes"][usize::try_from(before["holders"][0]["process"].as_u64().unwrap()).unwrap()];
    let image = holder["image"].as_str().unwrap();
    let row = |port: u16| format!("  TCP    0.0.0.0:{port}   0.0.0.0:0   BOUND\r\n [{image}]\r\n");
    let first = before["pools"][0]["given"][0].as_u64().and_then(|port| u16::try_from(port).ok()).unwrap();
    let ports = u16::try_from(before["holders"][0]["ports"].as_u64().unwrap()).unwrap();
    let rows: String = (first..first + ports - 10).map(row).collect();
    let heading = "\r\nActive Connections\r\n\r\n  Proto  Local Address  Foreign Address  State\r\n";
    std::fs::write(folder.path().join("netstat-anb.txt"), heading.to_owned() + &rows).unwrap();
    let report = json_of(folder.path());
    assert_eq!(report["holders"][0]["ports"], before["holders"][0]["ports"]);
    let pids = report["processes"].as_array().unwrap().iter().map(|row| &row["pid"]);
    assert!(pids.clone().all(|pid| !pid.is_null()), "{:?}", pids.collect::<Vec<_>>());
}

#[test]
fn handles_alone_are_told_on_the_first_screen() {
    let folder = scratch();
    let handle = |n: u32| format!("agent.exe          pid: 7312   type: File           {n:X}: \\Device\\Afd\r\n");
    std::fs::write(folder.path().join("handles.txt"), (0..2_000).map(|n| handle(4 * n + 64)).collect::<String>())
        .unwrap();
    let ran = run(["analyze".as_ref(), folder.path().as_os_str()]);
    assert!(ran.stdout.contains("agent.exe (PID 7312) has 2,000 handles of sockets"), "{}", ran.stdout);
}

#[test]
fn a_process_list_that_is_older_than_the_trace_tells_of_nobodys_end() {
    for (time, is_older) in [("Mon 03/09/2026 10:00:00.25", true), ("Tue 03/10/2026 10:00:00.25", false)] {
        let folder = scratch();
        write_scenario("range-refuted-german", folder.path());
        let list = format!(
            "{time}\r\n\r\nImage Name                     PID Services\r\n========================= ======== ====================\r\n\
             notepad.exe                   7312 N/A\r\n"
        );
        std::fs::write(folder.path().join("tasklist.txt"), list).unwrap();
        let report = json_of(folder.path());
        let codes = report["recommendations"].to_string();
        assert_eq!(codes.contains("now belongs to notepad.exe"), !is_older, "{codes}");
        assert_eq!(report["side_inputs"].to_string().contains("before the trace began"), is_older);
    }
}

#[test]
fn a_name_that_a_process_list_has_cut_is_the_whole_one_of_netstat() {
    let folder = scratch();
    let row = |port: u16| {
        format!("  TCP    0.0.0.0:{port}   0.0.0.0:0   BOUND   7312\r\n [Contoso.MeterSync.Agent.Service.exe]\r\n")
    };
    let rows: String = (0..13_800).map(|port| row(49_152 + port)).collect();
    let heading = "\r\n  Proto  Local Address  Foreign Address  State  PID\r\n";
    std::fs::write(folder.path().join("netstat.txt"), heading.to_owned() + &rows).unwrap();
    let list = "\r\nImage Name                     PID Services\r\n========================= ======== ====================\r\n\
        Contoso.MeterSync.Agent.S     7312 MeterSync\r\n";
    std::fs::write(folder.path().join("tasklist.txt"), list).unwrap();
    let report = json_of(folder.path());
    assert_eq!(report["processes"][0]["image"], "Contoso.MeterSync.Agent.Service.exe");
    assert_eq!(report["processes"][0]["services"], json!(["MeterSync"]));
    assert_eq!(report["procedure"][0]["image"], "Contoso.MeterSync.Agent.Service.exe");
}

#[test]
fn an_entry_that_two_exports_tell_counts_once() {
    let folder = scratch();
    let event = |computer: &str, second: u32| {
        format!(
            "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='Tcpip'/><EventID>4231</EventID>\
             <TimeCreated SystemTime='2026-11-22T13:01:{second:02}Z'/><Computer>{computer}</Computer></System></Event>"
        )
    };
    let file = |events: &[String]| format!("<Events>{}</Events>", events.concat());
    std::fs::write(folder.path().join("a.xml"), file(&[event("SRV01", 10)])).unwrap();
    std::fs::write(folder.path().join("b.xml"), file(&[event("SRV01", 10), event("SRV01", 20)])).unwrap();
    let report = json_of(folder.path());
    assert_eq!(report["system_events"].as_array().unwrap().len(), 2, "{}", report["system_events"]);
    std::fs::write(folder.path().join("c.xml"), file(&[event("SRV02", 10)])).unwrap();
    let report = json_of(folder.path());
    assert_eq!(report["system_events"].as_array().unwrap().len(), 3, "{}", report["system_events"]);
    assert!(report.to_string().contains("are of 2 machines (“SRV01”, “SRV02”)"), "{report}");
}
