mod groups;
mod moments;

use std::net::IpAddr;

use super::*;
use crate::net::{Protocol, SocketAddress};
use crate::side::facts::{ListedSocket, TcpState};

fn parse(text: &str) -> Found {
    super::parse(Lines::new(text), "x.txt")
}

fn socket_of(protocol: Protocol, local: (&str, u16), state: Option<TcpState>, pid: u32) -> ListedSocket {
    let ip: IpAddr = local.0.parse().unwrap();
    let local = SocketAddress { ip, port: local.1 };
    let family = Some(local.family());
    ListedSocket {
        protocol,
        family,
        local: Some(local),
        remote: None,
        state,
        pid: Some(pid),
        count: 1,
        image: None,
        port_alone: None,
    }
}

fn remote(ip: &str, port: u16) -> Option<SocketAddress> {
    Some(SocketAddress { ip: ip.parse().unwrap(), port })
}

fn grouped(count: u32, state: TcpState, pid: Option<u32>) -> ListedSocket {
    let protocol = Protocol::Tcp;
    ListedSocket {
        protocol,
        family: None,
        local: None,
        remote: None,
        state: Some(state),
        pid,
        count,
        image: None,
        port_alone: None,
    }
}

#[test]
fn groups_by_state_and_owner() {
    let text = "PS C:\\> Get-NetTCPConnection | Group-Object -Property State, OwningProcess\r\n\r\n\
        Count Name              ProcessName Group\r\n----- ----              ----------- -----\r\n \
        5143 Bound, 7312       EAConnect   {MSFT_NetTCPConnection (InstanceID = \"...\r\n  \
        211 TimeWait, 0       Idle        {MSFT_NetTCPConnection (InstanceID = \"...\r\n    \
        3 Listen, 99        Memory App  {MSFT_NetTCPConnection (InstanceID = \"...\r\n\r\nPS C:\\> \r\n";
    let found = parse(text);
    let [listing] = found.tcp.as_slice() else { panic!("{found:?}") };
    let want = [
        grouped(5143, TcpState::Bound, Some(7312)),
        grouped(211, TcpState::TimeWait, Some(0)),
        grouped(3, TcpState::Listen, Some(99)),
    ];
    assert_eq!((listing.sockets.as_slice(), found.socket_rows.not_understood), (&want[..], 0));
    let images: Vec<_> = listing.owners.iter().map(|(pid, owner)| (*pid, owner.image.as_deref().unwrap())).collect();
    assert_eq!(images, [(0, "Idle"), (99, "Memory App"), (7312, "EAConnect")]);
}

#[test]
fn groups_of_other_forms() {
    let found = parse(
        "Count Name                      Group\n----- ----                      -----\n   12 Bound                     {MSFT_NetTCPConnection (Instan\n",
    );
    assert_eq!(found.tcp[0].sockets, [grouped(12, TcpState::Bound, None)]);
    let found = parse(
        "PS C:\\> Get-NetUDPEndpoint | group OwningProcess\nCount Name  Group\n----- ----  -----\n 7000 4312  {MSFT_NetUDPEndpoint (InstanceID = \"...\n    1 4  {MSFT_NetUDPEndpoint\n",
    );
    let sockets: Vec<_> = found.udp[0].sockets.iter().map(|socket| (socket.count, socket.pid, &socket.state)).collect();
    assert_eq!(sockets, [(7000, Some(4312), &None), (1, Some(4), &None)]);
    let services = "Count Name   Group\n----- ----   -----\n  120 Running {AppInfo, BFE}\n   80 Stopped {x}\n";
    assert_eq!(parse(services), Found::default());
}

#[test]
fn the_default_table() {
    let text = "
LocalAddress                        LocalPort RemoteAddress                       RemotePort State       AppliedSetting OwningProcess
------------                        --------- -------------                       ---------- -----       -------------- -------------
::                                  49669     ::                                  0          Listen                     676
10.0.0.5                            51001     10.0.0.9                            443        Established Internet       7312
0.0.0.0                             51002     0.0.0.0                             0          Bound                      7312
broken

other
";
    let found = parse(text);
    let [listing] = found.tcp.as_slice() else { panic!("{found:?}") };
    let want = [
        ListedSocket {
            remote: remote("::", 0),
            ..socket_of(Protocol::Tcp, ("::", 49669), Some(TcpState::Listen), 676)
        },
        ListedSocket {
            remote: remote("10.0.0.9", 443),
            ..socket_of(Protocol::Tcp, ("10.0.0.5", 51001), Some(TcpState::Established), 7312)
        },
        ListedSocket {
            remote: remote("0.0.0.0", 0),
            ..socket_of(Protocol::Tcp, ("0.0.0.0", 51002), Some(TcpState::Bound), 7312)
        },
    ];
    assert_eq!((listing.sockets.as_slice(), found.socket_rows.not_understood), (&want[..], 1));
    let udp = "PS C:\\> Get-NetUDPEndpoint\nLocalAddress LocalPort OwningProcess\n------------ --------- -------------\n::1 1900 3320\n";
    assert_eq!(parse(udp).udp[0].sockets, [socket_of(Protocol::Udp, ("::1", 1900), None, 3320)]);
}

#[test]
fn exported_lists_with_columns_in_any_order() {
    let text = "#TYPE Selected.Microsoft.Management.Infrastructure.CimInstance\r\n\
        \"OwningProcess\",\"State\",\"LocalPort\",\"LocalAddress\",\"Text\",\"RemotePort\",\"RemoteAddress\"\r\n\
        \"7312\",\"Bound\",\"50001\",\"0.0.0.0\",\"two\r\nlines, and \"\"quotes\"\"\",\"0\",\"0.0.0.0\"\r\n\
        \"4\",\"2\",\"445\",\"::\",,\"0\",\"::\"\r\n\"x\",\"y\",\"z\",\"\",\"\",\"\",\"\"\r\n\r\nbehind\r\n";
    let found = parse(text);
    let [listing] = found.tcp.as_slice() else { panic!("{found:?}") };
    let want = [
        ListedSocket {
            remote: remote("0.0.0.0", 0),
            ..socket_of(Protocol::Tcp, ("0.0.0.0", 50001), Some(TcpState::Bound), 7312)
        },
        ListedSocket { remote: remote("::", 0), ..socket_of(Protocol::Tcp, ("::", 445), Some(TcpState::Listen), 4) },
    ];
    assert_eq!((listing.sockets.as_slice(), found.socket_rows.not_understood), (&want[..], 1));
    let semicolons = text.replace("\",\"", "\";\"").replace(",,", ";;");
    assert_eq!(parse(&semicolons).tcp[0].sockets, want);
}

#[test]
fn exported_endpoints_may_have_the_columns_of_connections() {
    let text = "#TYPE Microsoft.Management.Infrastructure.CimInstance#root/standardcimv2/MSFT_NetUDPEndpoint\n\
        \"LocalAddress\",\"LocalPort\",\"OwningProcess\",\"RemoteAddress\",\"RemotePort\",\"State\",\"CimClass\"\n\
        \"0.0.0.0\",\"5353\",\"2210\",,,,\"ROOT/StandardCimv2:MSFT_NetUDPEndpoint\"\n";
    let found = parse(text);
    assert_eq!(found.udp[0].sockets, [socket_of(Protocol::Udp, ("0.0.0.0", 5353), None, 2210)]);
    assert_eq!(found.tcp, []);
}

#[test]
fn exported_processes() {
    let text = "\"Name\",\"SI\",\"Handles\",\"Id\",\"ProcessName\"\n\"EAConnect\",\"0\",\"12450\",\"7312\",\"EAConnect\"\n\
        \"Idle\",\"0\",\"0\",\"0\",\"Idle\"\n";
    let handles = |pid, image: &str, count| HandleCount { source: 0, pid, image: Some(image.to_owned()), count };
    assert_eq!(parse(text).handles, [handles(7312, "EAConnect", 12450), handles(0, "Idle", 0)]);
    assert_eq!(
        parse("\"Id\",\"ProcessName\",\"HandleCount\"\n\"4\",\"System\",\"900\"\n").handles,
        [handles(4, "System", 900)]
    );
}

#[test]
fn an_open_quote_ends_a_list() {
    let list = |port: u16| format!("\"LocalPort\",\"OwningProcess\",\"State\"\n\"{port}\",\"4\",\"Bound\"\n");
    let text = format!("{}\"81\",\"4\",\"Bound\n{}{}", list(80), "no quote\n".repeat(100), list(82));
    let found = parse(&text);
    let lists: Vec<usize> = found.tcp.iter().map(|listing| listing.sockets.len()).collect();
    assert_eq!((lists, found.socket_rows.not_understood), (vec![1, 1], 8), "lines right below a row");
}

fn owners_of(text: &str) -> Vec<(u32, Option<u32>)> {
    let found = parse(text);
    found.tcp.iter().flat_map(|listing| &listing.sockets).map(|socket| (socket.count, socket.pid)).collect()
}

#[test]
fn a_number_is_a_pid_only_where_something_says_so() {
    let table = |members: &str| {
        format!("Count Name     Group\n----- ----     -----\n 9000 1433     {members}\n  300 443      {members}\n")
    };
    // Nothing tells.
    let text = table("{MSFT_NetTCPConnection (InstanceID = \"...");
    let found = parse(&text);
    assert_eq!((found.tcp.len(), found.remotes.len(), found.socket_rows.not_understood), (0, 0, 2));
    // The command does.
    let by = |property: &str| {
        format!("PS C:\\> Get-NetTCPConnection | Group-Object {property} -NoElement |\n>> Sort Count\n\n{text}")
    };
    assert_eq!(owners_of(&by("OwningProcess")), [(9000, Some(1433)), (300, Some(443))]);
    assert_eq!(owners_of(&by("-Property LocalPort")), []);
    let found = parse(&by("RemotePort"));
    assert_eq!(
        found.remotes.iter().map(|row| (row.count, row.port)).collect::<Vec<_>>(),
        [(9000, Some(1433)), (300, Some(443))]
    );
    assert_eq!(parse(&by("{ $_.RemotePort }")).tcp, []);
    // The identities of the sockets do.
    let with = |state: &str, local: &str, remote: &str| {
        let row = |count, number| {
            let (local, remote) = (local.replace('#', number), remote.replace('#', number));
            format!(
                "{count} {state}{number} {{MSFT_NetTCPConnection (InstanceID = \"10.0.0.1??{local}??10.0.0.2??{remote}\"), MSFT...\n"
            )
        };
        format!("Count Name Group\n----- ---- -----\n{}{}", row("9000", "1433"), row("300", "443"))
    };
    let found = parse(&with("", "50000", "#"));
    assert_eq!(
        found.remotes.iter().map(|row| (row.count, row.port)).collect::<Vec<_>>(),
        [(9000, Some(1433)), (300, Some(443))]
    );
    assert_eq!(owners_of(&with("", "#", "80")), []);
    assert_eq!(owners_of(&with("", "50000", "80")), [(9000, Some(1433)), (300, Some(443))]);
    let found = parse(&with("Established, ", "50000", "#"));
    assert_eq!(
        (found.tcp.len(), found.remotes[0].state.clone(), found.remotes[0].port),
        (0, Some(TcpState::Established), Some(1433))
    );
    assert_eq!(owners_of(&with("Established, ", "50000", "80")), [(9000, Some(1433)), (300, Some(443))]);
}

#[test]
fn halves_of_netstat_are_no_table_of_their_own() {
    for heading in
        ["Proto  Adresse locale\n  Adresse distante  État  PID", "Proto  Lokale Adresse\n  Remoteadresse  Status  PID"]
    {
        let text = format!("  {heading}\n  TCP    0.0.0.0:49200\n  0.0.0.0:0   LISTENING   4\n");
        let found = parse(&text);
        assert!(found.tcp.is_empty() && found.udp.is_empty(), "{found:?}");
    }
}

#[test]
fn rows_without_a_heading_are_known_by_all_of_their_cells() {
    let row = |process: &str, local: &str| owners_of(&format!("{process},TCP,{local},10.0.0.5:443,ESTABLISHED\n"));
    for local in ["10.0.0.1:50000", "[fe80::1]:50000", "web01:50000"] {
        assert_eq!(row("w3wp.exe:4112", local), [(1, Some(4112))], "{local}");
    }
    // Addresses, and numbers of lines, are no processes; the last group of an address is no port.
    for process in ["fe80::1c2f:28", "10.0.0.9:49200", "[::1]:49200", "2:9144"] {
        assert_eq!(row(process, "10.0.0.1:50000"), [], "{process}");
    }
    assert_eq!(row("w3wp.exe:4112", "fe80::1c2f:5"), []);
}

#[test]
fn a_command_tells_the_state_of_all() {
    for command in [
        "Get-NetTCPConnection -State CloseWait | Group OwningProcess -NoElement",
        "Get-NetTCPConnection | ? { $_.State -eq 'CloseWait' } | group OwningProcess -NoElement",
        "Get-NetTCPConnection | Where-Object State -EQ CloseWait | Group-Object -Property OwningProcess",
    ] {
        let text = format!("PS C:\\> {command}\n\nCount Name\n----- ----\n14210 7312\n   85 2840\n\n");
        let found = parse(&text);
        assert_eq!(
            found.tcp[0].sockets,
            [grouped(14210, TcpState::CloseWait, Some(7312)), grouped(85, TcpState::CloseWait, Some(2840))],
            "{command}"
        );
    }
}

#[test]
fn the_same_sockets_in_many_forms() {
    let want = [
        ListedSocket {
            remote: remote("10.0.0.9", 443),
            ..socket_of(Protocol::Tcp, ("10.0.0.5", 51001), Some(TcpState::Established), 7312)
        },
        ListedSocket {
            remote: remote("0.0.0.0", 0),
            ..socket_of(Protocol::Tcp, ("0.0.0.0", 51002), Some(TcpState::Bound), 7312)
        },
    ];
    for text in [
        // By the rule, with a time and a name that hold blanks.
        "LocalAddress LocalPort RemoteAddress RemotePort       State CreationTime          ProcessName OwningProcess\n\
         ------------ --------- ------------- ----------       ----- ------------          ----------- -------------\n\
         10.0.0.5         51001 10.0.0.9             443 Established 11/22/2026 2:03:11 PM My App               7312\n\
         0.0.0.0          51002 0.0.0.0                0       Bound                       My App               7312\n",
        // A page has eaten the rule, and blanks.
        "LocalAddress LocalPort RemoteAddress RemotePort State AppliedSetting OwningProcess\n\
         10.0.0.5 51001 10.0.0.9 443 Established Internet 7312\n0.0.0.0 51002 0.0.0.0 0 Bound 7312\n",
        "| Local Address | Local Port | Remote Address | Remote Port | State | PID |\n|---|---|---|---|---|---|\n\
         | 10.0.0.5 | 51001 | 10.0.0.9 | 443 | Established | 7312 |\n| 0.0.0.0 | 51002 | 0.0.0.0 | 0 | Bound | 7312 |\n",
        "State;ProcessId;LocalAddress;LocalPort;RemoteAddress;RemotePort\nEstablished;7312;10.0.0.5;51001;10.0.0.9;443\nBound;7312;0.0.0.0;51002;0.0.0.0;0\n",
        "Proto,PID,State,Local Address,Foreign Address\nTCP,7312,ESTABLISHED,10.0.0.5:51001,10.0.0.9:443\nTCP,7312,BOUND,0.0.0.0:51002,0.0.0.0:0\n",
        "LocalAddress  : 10.0.0.5\nLocalPort     : 51001\nRemoteAddress : 10.0.0.9\nRemotePort    : 443\nState         : Established\nOwningProcess : 7312\n\n\
         LocalAddress  : 0.0.0.0\nLocalPort     : 51002\nRemoteAddress : 0.0.0.0\nRemotePort    : 0\nState         : Bound\nOwningProcess : 7312\n\n",
        "[{\"LocalAddress\":\"10.0.0.5\",\"LocalPort\":51001,\"RemoteAddress\":\"10.0.0.9\",\"RemotePort\":443,\"State\":5,\"OwningProcess\":7312},\
         {\"LocalAddress\":\"0.0.0.0\",\"LocalPort\":51002,\"RemoteAddress\":\"0.0.0.0\",\"RemotePort\":0,\"State\":100,\"OwningProcess\":7312}]",
        "TCP,app.exe,7312,ESTABLISHED,10.0.0.5:51001,10.0.0.9:443\nTCP,app.exe,7312,BOUND,0.0.0.0:51002,0.0.0.0:0\n",
        "app.exe\t7312\tTCP\t10.0.0.5\t51001\t10.0.0.9\t443\tESTABLISHED\t\t\napp.exe\t7312\tTCP\t0.0.0.0\t51002\t0.0.0.0\t0\tBOUND\t\t\n",
        "app.exe\t7312\tTCP\tEstablished\t10.0.0.5\t51001\t10.0.0.9\t443\tx\napp.exe\t7312\tTCP\tBound\t0.0.0.0\t51002\t0.0.0.0\t0\tx\n",
        "app.exe:7312\tTCP\t10.0.0.5:51001\t10.0.0.9:443\tESTABLISHED\napp.exe:7312\tTCP\t0.0.0.0:51002\t0.0.0.0:0\tBOUND\n",
        "[TCP] app.exe\n\tPID:     7312\n\tState:   ESTABLISHED\n\tLocal:   10.0.0.5:51001\n\tRemote:  10.0.0.9:443\n\
         [TCP] app.exe\n\tPID:     7312\n\tState:   BOUND\n\tLocal:   0.0.0.0:51002\n\tRemote:  0.0.0.0:0\n",
    ] {
        let quoted = format!("> {}", text.trim_end().replace('\n', "\n> "));
        for text in [Some(text.to_owned()), Some(quoted).filter(|_| !text.starts_with("[{"))].into_iter().flatten() {
            let found = parse(&text);
            let [listing] = found.tcp.as_slice() else { panic!("{text}\n{found:?}") };
            assert_eq!(listing.sockets, want, "{text}");
            assert_eq!((found.socket_rows.rows, found.socket_rows.not_understood), (2, 0), "{text}");
        }
    }
}

#[test]
fn processes_and_their_handles_in_many_forms() {
    let handles = |pid, image: &str, count| HandleCount { source: 0, pid, image: Some(image.to_owned()), count };
    for text in [
        "Handles  NPM(K)    PM(K)      WS(K)     CPU(s)     Id  SI ProcessName\n-------  ------    -----      -----     ------     --  -- -----------\n  \
         18422     133    80328     147768     153,56   7312   0 OrderGateway\n   6060       0      204       2500                 4   0 System\n",
        "Node,HandleCount,Name,ProcessId\nSRV01,18422,OrderGateway,7312\nSRV01,6060,System,4\n",
        "Process\tCPU\tPID\tHandles\nOrderGateway\t0.5\t7312\t18,422\n  System\t0.1\t4\t6,060\n",
        "Name        : OrderGateway\nProcessId   : 7312\nHandleCount : 18422\n\nName        : System\nProcessId   : 4\nHandleCount : 6060\n",
    ] {
        let found = parse(text);
        assert_eq!(found.handles, [handles(7312, "OrderGateway", 18422), handles(4, "System", 6060)], "{text}");
    }
    let found = parse("Name,ProcessId,State\nBITS,1156,Running\nW32Time,1164,Running\n");
    assert_eq!((found.names.len(), found.handles.len()), (0, 0), "services are no processes");
}

#[test]
fn a_list_does_not_end_at_the_first_line_that_is_no_row() {
    let text = "PS C:\\> Get-NetUDPEndpoint\nLocalAddress LocalPort OwningProcess\n------------ --------- -------------\n::1 1900 3320\nwhat\n\nis this\n...\n::1 1901 3321\n\nbehind\n";
    let found = parse(text);
    let pids: Vec<_> = found.udp[0].sockets.iter().map(|socket| socket.pid).collect();
    assert_eq!((pids, found.omissions), (vec![Some(3320), Some(3321)], 1));
    assert_eq!(found.udp_rows, RowCount { rows: 2, not_understood: 2, first_not_understood: Some(5) });
}

#[test]
fn settings_tell_the_range_of_their_protocol() {
    let list = "SettingName : Automatic\nDynamicPortRangeStartPort : \nDynamicPortRangeNumberOfPorts : \n\n\
        SettingName : Internet\nDynamicPortRangeStartPort : 1025\nDynamicPortRangeNumberOfPorts : 5000\n";
    let ranges = |text: &str, name: &str| -> Vec<_> {
        super::parse(Lines::new(text), name)
            .dynamic
            .iter()
            .map(|ports| (ports.protocol, ports.start, ports.count))
            .collect()
    };
    assert_eq!(ranges(list, "x.txt"), [(Protocol::Tcp, 1025, 5000)]);
    let udp = "DynamicPortRangeStartPort     : 49152\nDynamicPortRangeNumberOfPorts : 16384\n";
    assert_eq!(ranges(udp, "x.txt"), [], "of which protocol, nothing tells");
    assert_eq!(ranges(udp, "Get-NetUDPSetting.txt"), [(Protocol::Udp, 49152, 16384)]);
    assert_eq!(ranges(&format!("PS C:\\> Get-NetUDPSetting\n\n{udp}"), "x.txt"), [(Protocol::Udp, 49152, 16384)]);
    let two = list.replace(
        "Automatic\nDynamicPortRangeStartPort : \nDynamicPortRangeNumberOfPorts : \n",
        "Other\nDynamicPortRangeStartPort : 49152\nDynamicPortRangeNumberOfPorts : 16384\n",
    );
    assert_eq!(ranges(&two, "x.txt"), [], "which of them is in force, nothing tells");
}

#[test]
fn ports_in_use_by_local_address_and_whose_they_are() {
    let count = |minute: u32, in_use: u32| {
        format!(
            "Computer DateTime              LocalAddress InUse   Max Percent Listening\n-------- --------              ------------ -----   --- ------- ---------\n\
             SRV01    11/22/2026 2:{minute:02}:11 PM 10.20.0.5    {in_use:>5} 16384     7.3        31\n\
             SRV01    11/22/2026 2:{minute:02}:11 PM 127.0.0.1       12 16384     0.1        33\n\n"
        )
    };
    let found = parse(&format!("{}{}", count(3, 1200), count(4, 4200)));
    let counts: Vec<_> = found.tcp.iter().map(|listing| (listing.sockets[0].count, listing.sockets[0].pid)).collect();
    assert_eq!(counts, [(1200, None), (4200, None)]);
    assert_eq!(found.port_use.len(), 4);
    let owners = "10.20.0.5\n\n PID Count\n --- -----\n7312  4180\n   4    40\n\n";
    let found = parse(&format!("{}{owners}", count(4, 4200)));
    let [listing] = found.tcp.as_slice() else { panic!("{found:?}") };
    let rows: Vec<_> = listing.sockets.iter().map(|socket| (socket.count, socket.pid)).collect();
    assert_eq!(rows, [(4180, Some(7312)), (40, Some(4))]);
    assert_eq!(listing.taken.as_ref().unwrap().second_of_day, 14 * 3600 + 4 * 60 + 11);
    assert_eq!(parse(owners), Found::default(), "what it counts, nothing tells");
}

#[test]
fn objects_of_one_command_are_one_moment() {
    let object = |more: &str| format!("{{\"LocalPort\": 50000, \"OwningProcess\": 7312, \"State\": 8{more}}}");
    let objects = [object(""), object(", \"RemotePort\": 443"), object(""), object(", \"RemotePort\": 443")];
    let text = format!("PS C:\\> Get-NetTCPConnection | ConvertTo-Json\n[{}]\n", objects.join(",\n"));
    let found = parse(&text);
    assert_eq!(found.tcp.iter().map(|listing| listing.sockets.len()).collect::<Vec<_>>(), [2, 2]);
    assert_ne!(found.tcp[0].asked, found.tcp[1].asked, "none takes the place of the other");
    assert_eq!(found.socket_rows.rows, 4);
}

#[test]
fn names_and_values_of_other_texts_are_no_processes() {
    for text in ["[Process]\nName=app.exe\nId=7\n", "Id=7\nName=app.exe\n"] {
        assert_eq!(parse(text), Found::default(), "{text}");
    }
    let found = parse("\nName=app.exe\nProcessId=7\n");
    assert_eq!(found.names.iter().map(|name| name.pid).collect::<Vec<_>>(), [7]);
}
