//! Tables of groups with columns of their own.

use super::*;

#[test]
fn groups_name_services() {
    let text = "PS C:\\> Get-NetTCPConnection | group OwningProcess | select Count,Name,@{n='Services';e={'...'}}\n\n\
        Count Name Services\n----- ---- --------\n14032 1044 RpcEptMapper,RpcSs\n  311 0\n   85 2840 MSSQLSERVER\n\n";
    for text in [text.to_owned(), text.replace("Services", "Svc     "), text.replace("Services", "Service ")] {
        let found = parse(&text);
        let [listing] = found.tcp.as_slice() else { panic!("{found:?}") };
        let services = |pid: u32| listing.owners.get(&pid).map(|owner| owner.services.join(" "));
        assert_eq!(services(1044).as_deref(), Some("RpcEptMapper RpcSs"), "{text}");
        assert_eq!((services(2840).as_deref(), services(0)), (Some("MSSQLSERVER"), None));
        assert_eq!(listing.sockets.len(), 3);
    }
}

#[test]
fn a_process_may_have_a_column_of_its_own() {
    let text = "\"Count\",\"PID\",\"Process\",\"Services\",\"State\"\n\"14032\",\"912\",\"svchost\",\"DcomLaunch,PlugPlay\",\"Bound\"\n\
        \"311\",\"0\",\"Idle\",\"\",\"TimeWait\"\n";
    let found = parse(text);
    let [listing] = found.tcp.as_slice() else { panic!("{found:?}") };
    let want = [grouped(14_032, TcpState::Bound, Some(912)), grouped(311, TcpState::TimeWait, Some(0))];
    assert_eq!(listing.sockets, want);
    assert_eq!(listing.owners[&912].services, ["DcomLaunch", "PlugPlay"]);
    assert!(found.tasks.is_empty());
    let table = "Count PID  Process\n----- ---  -------\n14032 7312 MeterSync.Agent\n  311 0    Idle\n";
    let found = parse(&format!(
        "PS C:\\> Get-NetTCPConnection | Group-Object OwningProcess | Select Count,@{{n='PID';e={{$_.Name}}}},Process\n\n{table}"
    ));
    let [listing] = found.tcp.as_slice() else { panic!("{found:?}") };
    let counts: Vec<_> = listing.sockets.iter().map(|socket| (socket.pid, socket.count)).collect();
    assert_eq!(counts, [(Some(7312), 14_032), (Some(0), 311)]);
    assert_eq!(listing.owners[&7312].image.as_deref(), Some("MeterSync.Agent"));
    // What was counted, nothing says; or it is the state of something else.
    assert!(parse(table).tcp.is_empty());
    let other = "Count,PID,Process,Status\n12,912,svchost,Running\n";
    assert!(parse(other).tcp.is_empty());
}

#[test]
fn the_first_port_of_a_group_is_kept() {
    let text = "Count Name                Group\n----- ----                -----\n \
        9100 CloseWait, 7312     {MSFT_NetTCPConnection (InstanceID = \"10.20.0.5??50000??10.20.0.40??443\"), MSFT...}\n  \
        311 TimeWait, 0         {MSFT_NetTCPConnection (InstanceID = \"10.20.0....\n";
    let found = parse(text);
    let ports: Vec<_> = found.tcp[0].sockets.iter().map(|socket| socket.port_alone).collect();
    assert_eq!(ports, [Some(50_000), None]);
}

#[test]
fn sockets_have_a_column_of_services() {
    let text = "\"LocalAddress\",\"LocalPort\",\"RemoteAddress\",\"RemotePort\",\"State\",\"OwningProcess\",\"ProcessName\",\"ServiceName\"\n\
        \"0.0.0.0\",\"49152\",\"0.0.0.0\",\"0\",\"Bound\",\"1044\",\"svchost\",\"RpcSs, RpcEptMapper\"\n";
    let found = parse(text);
    assert_eq!(found.tcp[0].owners[&1044].services, ["RpcSs", "RpcEptMapper"]);
}

#[test]
fn lists_of_processes_tell_when_they_started() {
    let started = |text: &str| -> Vec<(u32, String, u32)> {
        let starts = parse(text).starts.into_iter();
        starts.map(|start| (start.pid, start.image, start.started.second_of_day)).collect()
    };
    let want = |image: &str| vec![(7312, image.to_owned(), 14 * 3600 + 58 * 60 + 2)];
    let csv = "\"ProcessId\",\"Name\",\"CreationDate\"\n\"7312\",\"notepad.exe\",\"11/22/2026 2:58:02 PM\"\n";
    assert_eq!(started(csv), want("notepad.exe"));
    let wmic =
        "CreationDate               Name         ProcessId  \n20261122145802.123456+060  notepad.exe  7312       \n";
    assert_eq!(started(wmic), want("notepad.exe"));
    let list = "\n\nId          : 7312\nProcessName : notepad\nStartTime   : 11/22/2026 2:58:02 PM\nPath        : C:\\a.exe\n\n";
    assert_eq!(started(list), want("notepad"));
    let table = "\n  Id ProcessName StartTime\n  -- ----------- ---------\n7312 notepad     22.11.2026 14:58:02\n\n";
    assert_eq!(started(table), want("notepad"));
}

#[test]
fn an_image_is_a_name_and_no_sign() {
    let image = |name: &str| {
        let text = format!(
            "Process,PID,Protocol,Local Address,Local Port,Remote Address,Remote Port,State\n{name},7312,TCP,10.20.0.5,49152,10.20.0.40,443,CLOSE_WAIT\n"
        );
        parse(&text).tcp[0].owners.get(&7312).and_then(|owner| owner.image.clone())
    };
    assert_eq!(image("C:\\Apps\\Meter Sync\\MeterSync.Agent.exe").as_deref(), Some("MeterSync.Agent.exe"));
    assert_eq!(image("<unknown>"), None);
    assert_eq!(image("<non-existent>"), None);
    let text = "Process,PID,Protocol,Local Address,Local Port,Remote Address,Remote Port,State\n\
        <non-existent>,7312,TCP,10.20.0.5,49152,10.20.0.40,443,CLOSE_WAIT\n\
        a.exe,4312,TCP,10.20.0.5,49153,10.20.0.40,443,CLOSE_WAIT\n";
    assert_eq!(parse(text).absent, [7312]);
}

#[test]
fn sockets_of_a_local_port_are_not_counted() {
    let table = "\n\nCount Name\n----- ----\n14032 2840\n   85 4\n";
    let listings = |command: &str| parse(&format!("PS C:\\> {command}{table}")).tcp.len();
    for command in [
        "Get-NetTCPConnection -LocalPort 1433 | group OwningProcess",
        "Get-NetTCPConnection | Where-Object {$_.LocalPort -eq 443} | Group-Object OwningProcess -NoElement",
        "Get-NetTCPConnection | ? LocalPort -lt 49152 | group OwningProcess",
    ] {
        assert_eq!(listings(command), 0, "{command}");
    }
    for command in [
        "Get-NetTCPConnection | group OwningProcess",
        "Get-NetTCPConnection -RemotePort 1433 | group OwningProcess",
        "Get-NetTCPConnection | ? LocalPort -ge 49152 | group OwningProcess",
    ] {
        assert_eq!(listings(command), 1, "{command}");
    }
}
