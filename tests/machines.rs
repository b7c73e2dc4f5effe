//! Cases whose files are of several machines: what is of another machine than the sockets names nobody, and sets no range.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;

use crate::common::{run, scratch};

const RULE: &str = "Image Name                     PID Services\r\n========================= ======== ============================================\r\n";

/// What a folder with these files tells.
fn report(files: &[(&str, &str)]) -> Value {
    let folder = scratch();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    read(folder.path())
}

fn read(folder: &Path) -> Value {
    run(["analyze".as_ref(), "-f".as_ref(), "json".as_ref(), folder.as_os_str()]).json()
}

/// Bound sockets of PID 7312, from a port on.
fn sockets(first: u16, count: u16) -> String {
    let mut text = String::from("\r\n  Proto  Local Address          Foreign Address        State           PID\r\n");
    for port in first..first + count {
        writeln!(text, "  TCP    0.0.0.0:{port}          0.0.0.0:0              BOUND           7312\r").unwrap();
    }
    text
}

fn tasks(image: &str) -> String {
    format!("\r\n{RULE}{image:<25}     7312 N/A\r\n")
}

/// The names that the report has for PID 7312, wherever it has any.
fn names(report: &Value) -> Vec<String> {
    let mut names = Vec::new();
    for list in ["processes", "procedure"] {
        let rows = report[list].as_array().unwrap().iter().filter(|row| row["pid"] == 7312);
        names.extend(rows.filter_map(|row| Some(row["image"].as_str()?.to_owned())));
    }
    names.dedup();
    names
}

/// Notes of side inputs that are not used.
fn left_out(report: &Value) -> Vec<String> {
    let inputs = report["side_inputs"].as_array().unwrap().iter();
    inputs.filter(|input| input["used"] == false).map(|input| input["note"].as_str().unwrap().to_owned()).collect()
}

fn held(report: &Value) -> u64 {
    report["holders"][0]["ports"].as_u64().unwrap_or(0)
}

#[test]
fn a_process_list_of_another_machine_names_no_holder() {
    let listing = sockets(49_152, 14_000);
    let table = tasks("notepad.exe");
    let objects = "\r\n  Id ProcessName\r\n  -- -----------\r\n7312 notepad\r\n";
    let of_wmic = "Name         ProcessId\r\nnotepad.exe  7312\r\n";
    for (before, asked, answer) in [
        ("C:\\>netstat -anoq\r\n", "C:\\>tasklist /s SRV02 /svc\r\n", table.as_str()),
        ("C:\\>netstat -anoq\r\n", "C:\\>psexec \\\\SRV02 tasklist /svc\r\n", &table),
        ("C:\\>netstat -anoq\r\n", "C:\\>psexec \\\\SRV02 cmd\r\n\r\nC:\\Windows\\system32>tasklist /svc\r\n", &table),
        ("C:\\>netstat -anoq\r\n", "C:\\>wmic /node:SRV02 process get name,processid\r\n", of_wmic),
        ("PS C:\\> netstat -anoq\r\n", "PS C:\\> Get-Process -ComputerName SRV02 -Id 7312\r\n\r\n", objects),
        ("[SRV01]: PS C:\\> netstat -anoq\r\n", "[SRV02]: PS C:\\> tasklist /svc\r\n", &table),
        ("PS C:\\> netstat -anoq\r\n", "[SRV02]: PS C:\\Users\\a> Get-Process -Id 7312\r\n\r\n", objects),
        (
            "C:\\>hostname\r\nSRV01\r\n\r\nC:\\>netstat -anoq\r\n",
            "C:\\>hostname\r\nSRV02\r\n\r\nC:\\>tasklist /svc\r\n",
            &table,
        ),
        (
            "C:\\>systeminfo | findstr Host\r\nHost Name:                 SRV01\r\n\r\nC:\\>netstat -anoq\r\n",
            "==== next ====\r\nC:\\>systeminfo | findstr Host\r\nHost Name:                 SRV02\r\n\r\nC:\\>tasklist /svc\r\n",
            &table,
        ),
    ] {
        let report = report(&[("all.txt", &format!("{before}{listing}\r\n{asked}{answer}\r\nC:\\>\r\n"))]);
        assert_eq!(held(&report), 14_000, "{asked}");
        assert_eq!(names(&report), [""; 0], "{asked}");
        assert!(!report["recommendations"].to_string().contains("notepad"), "{asked}");
        let left_out = left_out(&report);
        assert!(left_out.iter().any(|note| note.contains("it is of \u{201c}SRV02\u{201d}")), "{asked} {left_out:?}");
    }
    // The same machine by two names, and one that is not named.
    for asked in
        ["C:\\>tasklist /svc\r\n", "C:\\>tasklist /s srv01.contoso.com /svc\r\n", "C:\\>tasklist /s localhost\r\n"]
    {
        let report = report(&[(
            "all.txt",
            &format!("C:\\>hostname\r\nSRV01\r\n\r\nC:\\>netstat -anoq\r\n{listing}\r\n{asked}{table}"),
        )]);
        assert_eq!(names(&report), ["notepad.exe"], "{asked}");
    }
}

#[test]
fn files_of_two_servers_are_told_apart_by_their_names_and_folders() {
    let (listing, few, table) = (sockets(49_152, 14_000), sockets(49_152, 40), tasks("notepad.exe"));
    for (one, other) in [("SRV01/netstat.txt", "SRV02/tasklist.txt"), ("SRV01 netstat 14h.txt", "SRV02 tasklist.txt")] {
        let report = report(&[(one, &listing), (other, &table)]);
        assert_eq!((names(&report).len(), left_out(&report).len()), (0, 1), "{one}");
    }
    for (one, other) in [
        ("before/netstat.txt", "after/tasklist.txt"),
        ("run1/netstat.txt", "run2/tasklist.txt"),
        ("a.txt", "SRV02.txt"),
    ] {
        assert_eq!(names(&report(&[(one, &listing), (other, &table)])), ["notepad.exe"], "{one}");
    }
    // Of each server all of it: the one with most sockets is told of, in whatever order.
    for names_of in [["A-SRV01", "B-SRV02"], ["B-SRV01", "A-SRV02"]] {
        let path = |server: usize, file: &str| format!("{}/{file}", names_of[server]);
        let report = report(&[
            (&path(0, "netstat.txt"), &listing),
            (&path(0, "tasklist.txt"), &tasks("OrderGateway.exe")),
            (
                &path(0, "range.txt"),
                "\r\nProtocol tcp Dynamic Port Range\r\n---\r\nStart Port      : 49152\r\nNumber of Ports : 16384\r\n",
            ),
            (&path(1, "netstat.txt"), &few),
            (&path(1, "tasklist.txt"), &tasks("svchost.exe")),
            (
                &path(1, "range.txt"),
                "\r\nProtocol tcp Dynamic Port Range\r\n---\r\nStart Port      : 10000\r\nNumber of Ports : 55536\r\n",
            ),
        ]);
        assert_eq!((names(&report), held(&report)), (vec!["OrderGateway.exe".to_owned()], 14_000));
        assert_eq!((&report["pools"][0]["start"], left_out(&report).len()), (&49_152.into(), 3));
    }
}

#[test]
fn rows_of_several_machines_are_not_added_up() {
    let mut table =
        String::from("\"Server\",\"LocalAddress\",\"LocalPort\",\"RemoteAddress\",\"RemotePort\",\"State\",\"PID\"\n");
    for port in 50_000..50_100 {
        for (server, count) in [("SRV01", 100), ("SRV02", 60)] {
            if port < 50_000 + count {
                writeln!(table, "\"{server}\",\"0.0.0.0\",\"{port}\",\"0.0.0.0\",\"0\",\"Bound\",\"7312\"").unwrap();
            }
        }
    }
    let groups = "PS C:\\> Invoke-Command SRV01,SRV02 {Get-NetTCPConnection -State Bound | group OwningProcess -NoElement}\n\n\
                  Count Name PSComputerName\n----- ---- --------------\n  100 7312 SRV01\n   12 7312 SRV02\n";
    let grouped = format!(
        "PS C:\\> Invoke-Command SRV01,SRV02 {{Get-NetTCPConnection}} | ft -GroupBy PSComputerName LocalPort,OwningProcess\n\n\n{}{}",
        of_group("SRV01", 100),
        of_group("SRV02", 30)
    );
    for text in [table.as_str(), groups, &grouped] {
        let report = report(&[("sockets.txt", text)]);
        let left_out = left_out(&report);
        assert_eq!(held(&report), 100, "{text}");
        assert!(left_out.len() == 1 && left_out[0].contains("\u{201c}SRV02\u{201d}"), "{left_out:?}");
    }
    // One machine has no other.
    let one: String = table.lines().filter(|line| !line.contains("SRV02")).map(|line| format!("{line}\n")).collect();
    assert_eq!(left_out(&report(&[("sockets.csv", &one)])).len(), 0);
}

fn of_group(server: &str, count: u16) -> String {
    let rows: String = (50_000..50_000 + count).map(|port| format!("    {port}          7312\n")).collect();
    format!("   PSComputerName: {server}\n\nLocalPort OwningProcess\n--------- -------------\n{rows}\n\n")
}

#[test]
fn a_log_of_another_machine_says_nothing_about_this_one() {
    let entry = |computer: &str| {
        format!(
            "<Events><Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='Tcpip'/>\
             <EventID Qualifiers='32768'>4231</EventID><TimeCreated SystemTime='2026-11-22T14:01:10.25Z'/><Channel>System</Channel>\
             <Computer>{computer}</Computer></System></Event></Events>"
        )
    };
    let listing = format!("C:\\>hostname\r\nSRV01\r\n\r\nC:\\>netstat -anoq\r\n{}", sockets(49_152, 40));
    for (computer, state) in
        [("SRV02", "cannot_tell"), ("srv02.contoso.com", "cannot_tell"), ("srv01.contoso.com", "exhausted")]
    {
        let report = report(&[("netstat.txt", &listing), ("events.xml", &entry(computer))]);
        assert_eq!(report["verdict"]["state"], state, "{computer}");
    }
    let both = report(&[("netstat.txt", &listing), ("events.xml", &format!("{}{}", entry("SRV02"), entry("SRV01")))]);
    assert_eq!((&both["verdict"]["state"], both["system_events"].as_array().unwrap().len()), (&"exhausted".into(), 1));
    // Where nothing names the machine of the sockets, the log is taken to be its.
    let report = report(&[("netstat.txt", &sockets(49_152, 40)), ("events.xml", &entry("SRV02"))]);
    assert_eq!(report["verdict"]["state"], "exhausted");
}

#[test]
fn sockets_of_a_container_are_apart() {
    for asked in ["docker exec web01 netstat -ano", "kubectl exec web-0 -- netstat -ano", "ssh SRV02 netstat -ano"] {
        let text = format!("C:\\>netstat -anoq\r\n{}\r\nC:\\>{asked}\r\n{}", sockets(49_152, 200), sockets(55_000, 50));
        let report = report(&[("all.txt", &text)]);
        assert_eq!((held(&report), left_out(&report).len()), (200, 1), "{asked}");
    }
}

#[test]
fn connections_that_were_made_are_no_sockets() {
    let mut text = String::from(
        "Timestamp,DeviceName,ActionType,LocalIP,LocalPort,RemoteIP,RemotePort,Protocol,InitiatingProcessFileName,InitiatingProcessId\n",
    );
    for port in 50_000..50_100 {
        writeln!(text, "2026-11-22T00:00:00Z,srv02,ConnectionSuccess,10.20.0.6,{port},10.20.0.40,1433,Tcp,a.exe,2840")
            .unwrap();
    }
    let report = report(&[("netstat.txt", &sockets(49_152, 200)), ("defender.csv", &text)]);
    let left_out = left_out(&report);
    assert!(left_out.len() == 1 && left_out[0].contains("not sockets that are held"), "{left_out:?}");
    assert_eq!((held(&report), report["holders"].as_array().unwrap().len()), (200, 1));
    let folder = scratch();
    let path = folder.path().join("defender.csv");
    std::fs::write(&path, text).unwrap();
    let ran = run(["analyze".as_ref(), path.as_os_str()]);
    assert!(ran.code == 2 && ran.stderr.contains("not sockets that are held"), "{}", ran.stderr);
}

#[test]
fn who_is_not_there_any_more_is_not_restarted() {
    let (listing, asked) = (sockets(49_152, 14_000), "\r\nC:\\>tasklist /fi \"pid eq 7312\"\r\n");
    let no = "INFO: No tasks are running which match the specified criteria.\r\n";
    let gone = report(&[("all.txt", &format!("C:\\>netstat -anoq\r\n{listing}{asked}{no}"))]);
    assert!(step(&gone, "holder_ended").contains("see whether PID 7312 still runs"), "{gone}");
    assert_eq!(step(&gone, "restart_holder"), "");
    let there = report(&[("all.txt", &format!("C:\\>netstat -anoq\r\n{listing}{asked}{}", tasks("a.exe")))]);
    assert!(step(&there, "restart_holder").contains("PID 7312"), "{there}");
    // Of two processes that had the PID, nothing tells which had the ports.
    let again = report(&[("1.txt", &listing), ("2.txt", &tasks("a.exe")), ("3.txt", &tasks("notepad.exe"))]);
    assert_eq!((step(&again, "restart_holder"), step(&again, "holder_ended")), (String::new(), String::new()));
    assert_eq!(names(&again), [""; 0]);
}

fn step(report: &Value, code: &str) -> String {
    let steps = report["recommendations"].as_array().unwrap().iter();
    steps.filter(|step| step["code"] == code).filter_map(|step| step["text"].as_str()).collect()
}

#[test]
fn sockets_of_pid_0_are_no_drivers() {
    let rows: String = (49_152..63_152)
        .map(|port| format!("  TCP    10.20.0.5:{port}        10.20.0.40:1433        FIN_WAIT_2      0\r\n"))
        .collect();
    let report = report(&[("netstat.txt", &rows)]);
    assert_eq!(report["verdict"]["state"], "near");
    assert_eq!((&report["holders"], &report["known"]), (&serde_json::json!([]), &serde_json::json!([])));
    assert_eq!(step(&report, "find_driver"), "");
}

#[test]
fn reuse_is_no_other_cause_where_ports_ran_out() {
    let entry = |id: u32| {
        format!(
            "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='Tcpip'/><EventID>{id}</EventID>\
             <TimeCreated SystemTime='2026-11-22T14:01:10.25Z'/><Channel>System</Channel><Computer>SRV01</Computer></System></Event>"
        )
    };
    let known = |text: &str| report(&[("events.xml", text)])["known"].to_string();
    assert!(known(&entry(4227)).contains("4227 without 4231"));
    assert_eq!(known(&format!("<Events>{}{}</Events>", entry(4231), entry(4227))), "[]");
}

#[test]
fn without_a_trace_no_listing_is_from_another_time_than_it() {
    let rows: String = [("10.20.0.5", 7312), ("10.20.0.6", 2840)]
        .iter()
        .flat_map(|(ip, pid)| (49_152..58_652).map(move |port| (ip, port, pid)))
        .map(|(ip, port, pid)| format!("  TCP    {ip}:{port}        10.20.0.40:1433        ESTABLISHED     {pid}\r\n"))
        .collect();
    let notes = report(&[("netstat.txt", &rows)])["coverage"]["notes"].to_string();
    assert!(notes.contains("add up to more than the pool: some ports count for several"), "{notes}");
}
