use super::*;

fn socket_of(protocol: Protocol, local: (&str, u16), state: Option<TcpState>, pid: u32) -> ListedSocket {
    let ip: IpAddr = local.0.parse().unwrap();
    let local = SocketAddress { ip, port: local.1 };
    let family = Some(local.family());
    ListedSocket { protocol, family, local: Some(local), remote: None, state, pid: Some(pid), count: 1 }
}

fn remote(ip: &str, port: u16) -> Option<SocketAddress> {
    Some(SocketAddress { ip: ip.parse().unwrap(), port })
}

fn grouped(count: u32, state: TcpState, pid: Option<u32>) -> ListedSocket {
    let protocol = Protocol::Tcp;
    ListedSocket { protocol, family: None, local: None, remote: None, state: Some(state), pid, count }
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
    assert_eq!((listing.sockets.as_slice(), found.unread), (&want[..], 0));
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
        "Count Name  Group\n----- ----  -----\n 7000 4312  {MSFT_NetUDPEndpoint (InstanceID = \"...\n    1 4  {MSFT_NetUDPEndpoint\n",
    );
    let sockets: Vec<_> = found.udp[0].sockets.iter().map(|socket| (socket.count, socket.pid, &socket.state)).collect();
    assert_eq!(sockets, [(7000, Some(4312), &None), (1, Some(4), &None)]);
    let services = "Count Name   Group\n----- ----   -----\n  120 Running {AppInfo, BFE}\n   80 Stopped {x}\n";
    assert_eq!(parse(services), PowerShell::default());
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
    assert_eq!((listing.sockets.as_slice(), found.unread), (&want[..], 1));
    let udp = "LocalAddress LocalPort OwningProcess\n------------ --------- -------------\n::1 1900 3320\n";
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
    assert_eq!((listing.sockets.as_slice(), found.unread), (&want[..], 1));
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
    let list = |port: u16| format!("\"LocalPort\",\"OwningProcess\"\n\"{port}\",\"4\"\n");
    let text = format!("{}\"81\",\"4\n{}{}", list(80), "no quote\n".repeat(100), list(82));
    let found = parse(&text);
    let lists: Vec<usize> = found.udp.iter().map(|listing| listing.sockets.len()).collect();
    assert_eq!((lists, found.unread), (vec![1, 1], 0));
}
