//! Listings in further forms in which tools print them and people pass them on: what is read of each, and that nothing else is.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use outofports::net::Protocol;
use outofports::side::facts::{ListedSocket, SideFacts};
use outofports::side::recognise;

/// What a file gives, in one line: kinds with rows, sockets by PID and state, handles, names, services, ranges.
fn said(name: &str, bytes: &[u8]) -> String {
    let mut said = String::new();
    for found in recognise(bytes, name) {
        let (rows, missed) = (found.rows.rows, found.rows.not_understood);
        let _ = write!(said, "{}{} {rows}", if said.is_empty() { "" } else { "; " }, found.kind.name());
        if missed > 0 {
            let _ = write!(said, " ({missed} missed)");
        }
        if !found.is_useful {
            said.push_str(" unused");
        }
        say(&found.facts, &mut said);
        if let Some(note) = found.note.filter(|note| {
            !note.starts_with("the file does not declare its code page") && !note.contains("not understood")
        }) {
            let _ = write!(said, " [{note}]");
        }
    }
    said
}

fn say(facts: &SideFacts, said: &mut String) {
    let mut sockets: BTreeMap<(Option<u32>, String), u32> = BTreeMap::new();
    let mut images: Vec<String> = Vec::new();
    for listing in &facts.listings {
        let kind = |socket: &ListedSocket| match socket.protocol {
            Protocol::Udp => "UDP".to_owned(),
            Protocol::Tcp => socket.state.as_ref().map_or_else(|| "TCP".to_owned(), |state| state.name().to_owned()),
        };
        for socket in &listing.sockets {
            *sockets.entry((socket.pid, kind(socket))).or_default() += socket.count;
        }
        let owners = listing.owners.iter().map(|(pid, owner)| (Some(*pid), owner));
        for (pid, owner) in owners.chain(listing.images.iter().map(|owner| (None, owner))) {
            let of = pid.map_or_else(String::new, |pid| format!("{pid}="));
            images.push(format!("{of}{}/{}", owner.image.as_deref().unwrap_or("?"), owner.services.join("+")));
        }
    }
    for ((pid, state), count) in sockets {
        let _ = write!(said, ", {} {state} {count}", pid.map_or_else(|| "?".to_owned(), |pid| pid.to_string()));
    }
    images.sort_unstable();
    images.dedup();
    for image in images.iter().filter(|image| image.contains('=')) {
        let _ = write!(said, ", {image}");
    }
    for task in &facts.tasks {
        let _ = write!(said, ", {} {}/{}", task.pid, task.image, task.services.join("+"));
    }
    for handles in facts.afd_handles.iter().chain(&facts.handles) {
        let _ = write!(said, ", {} {} handles {}", handles.pid, handles.image.as_deref().unwrap_or("?"), handles.count);
    }
    for name in &facts.names {
        let _ = write!(said, ", {} {}", name.pid, name.image);
    }
    for service in &facts.services {
        let _ = write!(said, ", {} hosts {}", service.pid, service.name);
    }
    for remote in &facts.remotes {
        let _ = write!(said, ", to {:?} {}", remote.port, remote.count);
    }
    for ports in &facts.dynamic_ports {
        let family = ports.family.map_or_else(String::new, |family| format!(" {family:?}"));
        let _ = write!(said, ", {:?}{family} {}+{}", ports.protocol, ports.start, ports.count);
    }
    for ports in &facts.excluded_ports {
        let _ = write!(
            said,
            ", {:?} {}-{}{}",
            ports.protocol,
            ports.start,
            ports.end,
            if ports.administered { "*" } else { "" }
        );
    }
    for event in &facts.system_events {
        let _ = write!(said, ", {} {} at {}", event.provider, event.id, event.time);
    }
}

/// Rows of `netstat -ano`.
fn rows(count: u16, pid: u32, state: &str, local: &str) -> String {
    (0..count)
        .map(|n| format!("  TCP    {local}:{}        10.20.0.40:443         {state:<15} {pid}\n", 50_000 + n))
        .collect()
}

const HEADING: &str =
    "\nActive Connections\n\n  Proto  Local Address          Foreign Address        State           PID\n";

fn check(cases: &[(&str, String, &str)]) {
    for (name, text, want) in cases {
        assert_eq!(said(name, text.replace('\n', "\r\n").as_bytes()), *want, "{name}:\n{text}");
    }
}

fn text(text: &str) -> String {
    text.to_owned()
}

#[test]
fn sockets_of_netstat() {
    let five = || rows(5, 7312, "CLOSE_WAIT", "10.20.0.5");
    let established = || rows(5, 7312, "ESTABLISHED", "10.20.0.5");
    let with = |ending: &str| established().replace("     7312\n", ending);
    check(&[
        (
            "prefixed by time",
            five().lines().map(|row| format!("2026-11-22 14:03:11 {row}\n")).collect(),
            "netstat 5, 7312 CLOSE_WAIT 5",
        ),
        (
            "with -t",
            format!(
                "{}{}",
                HEADING.replace("PID\n", "PID      Offload State\n\n"),
                established().replace("7312\n", "7312     InHost\n")
            ),
            "netstat 5, 7312 ESTABLISHED 5",
        ),
        (
            "with -y",
            format!("{}{}", HEADING.replace("PID\n", "Template\n\n"), with("     Internet\n")),
            "netstat 5, ? ESTABLISHED 5",
        ),
        (
            "in a page",
            format!("<html><body><pre>{HEADING}{}</pre></body></html>\n", five()),
            "netstat 5, 7312 CLOSE_WAIT 5",
        ),
        (
            "with fences",
            format!("Bob  2:03 PM\n```{}{}```\nAnn  2:05 PM\n7312 is it\n", &HEADING[24..], five().trim_end()),
            "netstat 5, 7312 CLOSE_WAIT 5",
        ),
        (
            "cut in a row",
            format!("{HEADING}{}  TCP    10.20.0.5:50009        10.20.0.40:443         CLOSE_W", five()),
            "netstat 5 (1 missed), 7312 CLOSE_WAIT 5",
        ),
        (
            "of Jira",
            text(
                "||Proto||Local Address||Foreign Address||State||PID||\n|TCP|10.20.0.5:50000|10.20.0.40:443|CLOSE_WAIT|7312|\n",
            ),
            "netstat 1, 7312 CLOSE_WAIT 1",
        ),
        (
            "with names",
            format!(
                "{HEADING}  TCP    SRV01:50000  db01:ms-sql-s  ESTABLISHED  7312\n  TCP    SRV01:epmap  SRV01:0  LISTENING  1156\n"
            ),
            "netstat 2, 1156 LISTENING 1, 7312 ESTABLISHED 1 [2 rows show names instead of numbers: run it with -n]",
        ),
        (
            "with -b, in all of its answers",
            format!(
                "{HEADING}  TCP    0.0.0.0:135     0.0.0.0:0       LISTENING    1156\n  RpcEptMapper\n [svchost.exe]\n  \
                 TCP    0.0.0.0:445     0.0.0.0:0       LISTENING    4\n Can not obtain ownership information\n  \
                 TCP    10.20.0.5:50001 10.20.0.40:443  CLOSE_WAIT   9\n x: Windows Sockets initialization failed: 5\n  \
                 TCP    10.20.0.5:50003 10.20.0.40:443  CLOSE_WAIT   78\n  C:\\app\\x.dll\n  -- unknown component(s) --\n [agent.exe]\n"
            ),
            "netstat 4, 4 LISTENING 1, 9 CLOSE_WAIT 1, 78 CLOSE_WAIT 1, 1156 LISTENING 1, 1156=svchost.exe/RpcEptMapper, 78=agent.exe/C:\\app\\x.dll",
        ),
        (
            "of two machines by their names",
            format!(
                "C:\\>hostname\nSRV01\n\nC:\\>netstat -ano\n{HEADING}{}\nC:\\>hostname\nSRV02\n\nC:\\>netstat -ano\n{HEADING}{}",
                rows(1, 7, "BOUND", "0.0.0.0"),
                rows(2, 7, "BOUND", "0.0.0.0")
            ),
            "netstat 1, 7 BOUND 1; netstat 2, 7 BOUND 2",
        ),
        (
            "of two machines by their addresses",
            format!("{HEADING}{}{HEADING}{}", rows(1, 7, "BOUND", "10.20.0.5"), rows(2, 7, "BOUND", "10.20.0.6")),
            "netstat_loop 3, 7 BOUND 3 [its listings are of different machines: by their names, or without a local address in common]",
        ),
    ]);
}

#[test]
fn sockets_of_powershell_and_others() {
    let object = |n: u16| {
        format!(
            "{{\"LocalAddress\":\"10.20.0.5\",\"LocalPort\":{},\"State\":\"CloseWait\",\"OwningProcess\":7312}}",
            50_000 + n
        )
    };
    check(&[
        (
            "an object in each line",
            (0..5).map(|n| object(n) + "\n").collect(),
            "net_tcp_connection 5, 7312 CLOSE_WAIT 5",
        ),
        (
            "an object, and a listing behind it",
            format!("{}\nC:\\>netstat -ano\n{}", object(0), rows(2, 7312, "CLOSE_WAIT", "10.20.0.5")),
            "netstat 2, 7312 CLOSE_WAIT 2; net_tcp_connection 1, 7312 CLOSE_WAIT 1",
        ),
        (
            "a heading that the console broke",
            text(
                "LocalAddress                        LocalPort RemoteAddress  RemotePort State       AppliedSetting OwningPro\n\
                 \u{20}                                                                                                  cess\n\
                 ------------                        --------- -------------  ---------- -----       -------------- ---------\n\
                 fe80::1c2f:aaaa:bbbb:cccc%12        50000     fe80::9        443        CloseWait   Internet       7312\n\
                 10.20.0.5                           50001     10.20.0.40     443        Bound                      7312\n",
            ),
            "net_tcp_connection 2, 7312 BOUND 1, 7312 CLOSE_WAIT 1",
        ),
        (
            "of netsh",
            text(
                "C:\\>netsh int ipv4 show tcpconnections\n\nMIB-TCP Entry\nLocal Address    Local Port    Remote Address    Remote Port    State\n\
                 --------------------------------------------------------------------------------\n\
                 10.20.0.5        50000         10.20.0.40        443            Established\n10.20.0.5        50001         10.20.0.40        443            Close Wait\n",
            ),
            "net_tcp_connection 2, ? CLOSE_WAIT 1, ? ESTABLISHED 1",
        ),
        (
            "groups of a computed value",
            text(
                "PS C:\\> Get-NetTCPConnection | Group-Object {$_.OwningProcess % 10} | select Count,Name\n\nCount Name\n----- ----\n  100 4\n   50 7\n",
            ),
            "net_tcp_connection 0 (2 missed) unused",
        ),
        (
            "a count of all",
            text("PS C:\\> Get-NetTCPConnection | Measure-Object\n\nCount    : 14032\nAverage  :\nSum      :\n"),
            "",
        ),
        (
            "rules of a firewall",
            text("Name,Protocol,LocalPort,RemotePort,Action\nrule1,TCP,443,Any,Allow\nrule2,UDP,53,Any,Allow\n"),
            "",
        ),
        (
            "a log of a firewall",
            text(
                "#Fields: date time action protocol src-ip dst-ip src-port dst-port size info path pid\n\n2026-11-22 14:03:11 ALLOW TCP 10.20.0.5 10.20.0.40 50000 443 0 - SEND 7312\n",
            ),
            "",
        ),
        (
            "of Linux",
            text(
                "Proto Recv-Q Send-Q Local Address           Foreign Address         State       PID/Program name\ntcp        0      0 0.0.0.0:22              0.0.0.0:*               LISTEN      1234/sshd\n",
            ),
            "",
        ),
        (
            "a capture as text",
            text(
                "No.     Time           Source                Destination           Protocol Length Info\n      1 0.000000       10.20.0.5             10.20.0.40            TCP      66     50000 > 443 [SYN] Seq=0\n",
            ),
            "",
        ),
    ]);
}

#[test]
fn processes_and_handles() {
    let rule = "========================= ======== ============================================\n";
    check(&[
        (
            "wmic",
            text(
                "Caption              Handle  HandleCount  ProcessId  \nSystem               4       3000         4          \nOrderGateway.exe     7312    18422        7312       \n",
            ),
            "processes 2, 4 System handles 3000, 7312 OrderGateway.exe handles 18422",
        ),
        (
            "wmic /value",
            text(
                "\n\nHandleCount=3000\nName=System\nProcessId=4\n\n\nHandleCount=18422\nName=OrderGateway.exe\nProcessId=7312\n\n",
            ),
            "processes 2, 4 System handles 3000, 7312 OrderGateway.exe handles 18422",
        ),
        (
            "services of wmic",
            text(
                "Name        ProcessId  State    \nDnscache    1156       Running  \nSpooler     0          Stopped  \n",
            ),
            "processes 2, 1156 hosts Dnscache",
        ),
        (
            "sc queryex",
            text(
                "\nSERVICE_NAME: Dnscache\n        TYPE               : 30  WIN32\n        STATE              : 4  RUNNING\n        WIN32_EXIT_CODE    : 0  (0x0)\n        PID                : 1156\n        FLAGS              :\n",
            ),
            "processes 1, 1156 hosts Dnscache",
        ),
        (
            "modules",
            format!(
                "Nom de l'image                 PID Modules\n{rule}OrderGateway.exe              7312 ntdll.dll, KERNEL32.DLL,\n                                   mswsock.dll\n"
            ),
            "tasklist 2, 7312 OrderGateway.exe/",
        ),
        (
            "packages",
            format!(
                "Image Name                     PID Package Name\n{rule}SearchApp.exe (Cortana       6120 Microsoft.Windows.Search_1.14.0.19041_neutral_neutral_cw5n1h2txyewy\n"
            ),
            "tasklist 1, 6120 SearchApp.exe/",
        ),
        (
            "a list in German",
            text(
                "Abbildname:   OrderGateway.exe\nPID:          7312\nDienste:      Nicht zutreffend\n\nAbbildname:   svchost.exe\nPID:          1156\nDienste:      Dnscache, CryptSvc\n",
            ),
            "tasklist 2, 7312 OrderGateway.exe/, 1156 svchost.exe/Dnscache+CryptSvc",
        ),
        (
            "handles of types",
            text("Handle type summary:\n  File            : 14000\n  Process         : 7312\nTotal handles: 60643\n"),
            "",
        ),
    ]);
}

#[test]
fn ranges_and_events() {
    check(&[
        (
            "set and shown",
            text(
                "C:\\>netsh int ipv4 set dynamicport tcp start=1025 num=64510\nOk.\n\nC:\\>netsh int ipv4 show dynamicport tcp\n\nProtocol tcp Dynamic Port Range\n---------------------------------\nStart Port      : 1025\nNumber of Ports : 64510\n",
            ),
            "dynamic_port 1, Tcp Ipv4 1025+64510",
        ),
        ("set alone", text("C:\\>netsh int ipv4 set dynamicport tcp start=1025 num=64510\nOk.\n"), ""),
        (
            "UDP over IPv6",
            text(
                "C:\\>netsh int ipv6 show dynamicport udp\n\nProtocol udp Dynamic Port Range\n---------------------------------\nStart Port      : 49152\nNumber of Ports : 16384\n",
            ),
            "dynamic_port 1, Udp Ipv6 49152+16384",
        ),
        (
            "a start and an end",
            text(
                "Protocol tcp Dynamic Port Range\n---------------------------------\nStart Port      : 49152\nEnd Port : 65535\n",
            ),
            "dynamic_port 0 (1 missed) unused",
        ),
        (
            "excluded by an administrator",
            text(
                "Protocol tcp Port Exclusion Ranges\n\nStart Port    End Port\n----------    --------\n      5357        5357\n     50000       50059     *\n\n* - Administered port exclusions.\n",
            ),
            "excluded_ports 2, Tcp 5357-5357, Tcp 50000-50059*",
        ),
        (
            "netstat -s",
            text(
                "TCP Statistics for IPv4\n\n  Active Opens                        = 38127\n  Passive Opens                       = 1204\n\nUDP Statistics for IPv4\n\n  No Ports              = 1204\n",
            ),
            "",
        ),
        (
            "registry",
            text(
                "HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Services\\Tcpip\\Parameters\n    MaxUserPort    REG_DWORD    0xfffe\n",
            ),
            "",
        ),
        (
            "events of wevtutil",
            text(
                "Event[0]:\n  Log Name: System\n  Source: Tcpip\n  Date: 2026-11-22T20:01:10.6110000Z\n  Event ID: 4231\n  Level: Warning\n  Description: \nA request\n\n",
            ),
            "evtx 1, Tcpip 4231 at 2026-11-22T20:01:10.6110000Z",
        ),
    ]);
}

/// Text in code pages of consoles, which no file names.
#[test]
fn code_pages_of_further_languages() {
    let rows = rows(2, 7312, "CLOSE_WAIT", "10.20.0.5");
    for (page, heading) in [
        (
            "852",
            "Aktywne połączenia\n\n  Protokół  Adres lokalny          Obcy adres             Stan            PID\n",
        ),
        ("852", "Aktivní připojení\n\n  Proto  Místní adresa          Cizí adresa            Stav            PID\n"),
        ("857", "Etkin Bağlantılar\n\n  İl.Kr.  Yerel Adres            Yabancı Adres          Durum           PID\n"),
        ("737", "Ενεργές συνδέσεις\n\n  Πρωτ.  Τοπική διεύθυνση       Ξένη διεύθυνση         Κατάσταση       PID\n"),
    ] {
        let table = oem_cp::code_table::ENCODING_TABLE_CP_MAP.get(&page.parse().unwrap()).unwrap();
        let bytes = oem_cp::encode_string_checked(&format!("{heading}{rows}"), table).unwrap();
        assert_eq!(said("netstat.txt", &bytes), "netstat 2, 7312 CLOSE_WAIT 2", "{heading}");
        let found = recognise(&bytes, "netstat.txt");
        assert_eq!(found[0].encoding.as_deref(), Some(page), "{heading}");
    }
}

/// What people write beside rows, and pages put around them.
#[test]
fn remarks_and_markup_are_no_part_of_rows() {
    let one = |remark: &str| rows(2, 7312, "CLOSE_WAIT", "10.20.0.5").replace("7312\n", &format!("7312{remark}\n"));
    let netstat = "netstat 2, 7312 CLOSE_WAIT 2";
    check(&[
        ("a remark with a number", format!("{HEADING}{}", one("  <-- the gateway, 14000 of those!")), netstat),
        ("a number as remark", format!("{HEADING}{}", one(" # 100")), netstat),
        ("a remark where no PID stands", one("").replace("7312", "  <- 14000 of those"), "netstat 2, ? CLOSE_WAIT 2"),
        (
            "a remark behind an unknown state",
            format!(
                "{HEADING}{}  UDP    0.0.0.0:123    *:*    1164\n",
                one(" (4 of them)").replace("CLOSE_WAIT", "ČEKÁNÍ NA ZAVŘENÍ")
            ),
            "netstat 3, 1164 UDP 1, 7312 ČEKÁNÍ NA ZAVŘENÍ 2",
        ),
        (
            "a remark behind a row of UDP",
            format!("{HEADING}  UDP    0.0.0.0:50000    *:*        1788   (dns.exe, 2500 of these)\n"),
            "netstat 1, 1788 UDP 1",
        ),
        (
            "an image before the PID",
            format!("{HEADING}{}", rows(2, 7312, "CLOSE_WAIT      agent.exe", "10.20.0.5")),
            netstat,
        ),
        (
            "a state in two languages",
            format!("{HEADING}{}", one("").replace("CLOSE_WAIT", "SCHLIESSEN_WARTEN (=CLOSE_WAIT)")),
            netstat,
        ),
        (
            "a text that ends in its last listing",
            format!(
                "22.11.2026 14:03:11\n{HEADING}{}\n22.11.2026 14:13:11\n{HEADING}{}",
                rows(5, 7312, "CLOSE_WAIT", "10.20.0.5"),
                one("").trim_end()
            ),
            "netstat 5, 7312 CLOSE_WAIT 5 [the text ends in its last listing, of which it has 2 rows: not used]",
        ),
        (
            "rows of Linux with columns left out",
            text(
                "Proto Local Address Foreign Address State PID/Program name\ntcp 10.20.0.5:40000 10.20.0.40:1433 ESTABLISHED 7312/java\n",
            ),
            "",
        ),
        (
            "characters by name",
            format!("{HEADING}{}", one("")).replace("  ", "&nbsp; ").replace('\n', "\n&gt; "),
            netstat,
        ),
        ("ends of lines as tags", format!("<pre>{HEADING}{}</pre>", one("")).replace('\n', "<br>\n"), netstat),
        ("all in one line", format!("<p>{HEADING}{}</p>", one("")).replace('\n', "<br/>"), netstat),
    ]);
}

#[test]
fn a_command_tells_no_more_than_it_says() {
    let groups = "\n\nCount Name\n----- ----\n14210 7312\n   85 2840\n";
    let by = |command: &str| format!("PS C:\\> {command}{groups}");
    check(&[
        (
            "one of two conditions",
            by(
                "Get-NetTCPConnection | ? {$_.State -eq 'Bound' -or $_.State -eq 'CloseWait'} | group OwningProcess -NoElement",
            ),
            "net_tcp_connection 2, 2840 TCP 85, 7312 TCP 14210",
        ),
        (
            "a condition that is denied",
            by("Get-NetTCPConnection | ? {-not ($_.State -eq 'Listen')} | group OwningProcess -NoElement"),
            "net_tcp_connection 2, 2840 TCP 85, 7312 TCP 14210",
        ),
        (
            "two questions in one line",
            by(
                "Get-NetTCPConnection | group OwningProcess -NoElement; Get-NetTCPConnection | group RemotePort -NoElement",
            ),
            "net_tcp_connection 0 (2 missed) unused",
        ),
        (
            "nobody's sockets",
            by("Get-NetTCPConnection | group OwningProcess -NoElement").replace("2840", "0"),
            "net_tcp_connection 2, 0 TIME_WAIT 85, 7312 TCP 14210",
        ),
        (
            "nobody's sockets, one by one",
            text(
                "PS C:\\> Get-NetTCPConnection | select LocalPort,OwningProcess\n\nLocalPort OwningProcess\n--------- -------------\n    50000             0\n    50001          7312\n",
            ),
            "net_tcp_connection 2, 0 TIME_WAIT 1, 7312 TCP 1",
        ),
    ]);
}

#[test]
fn tables_below_commands_and_tables_of_other_things() {
    let rule = "========================= ======== ============================================\n";
    check(&[
        (
            "a command above a heading with a rule",
            text(
                "PS C:\\> Get-Process\nHandles  NPM(K)    PM(K)     Id  SI ProcessName\n-------  ------    -----     --  -- -----------\n  14210      85   120144   7312   0 OrderGateway\n",
            ),
            "processes 1, 7312 OrderGateway handles 14210",
        ),
        (
            "command lines of wmic",
            text(
                "CommandLine                    Name              ProcessId  \nC:\\a.exe --port 8443 -n 5      OrderGateway.exe  7312       \n\u{20}                              System            4          \n",
            ),
            "processes 2, 7312 OrderGateway.exe, 4 System",
        ),
        (
            "counts of nobody knows what",
            text("ProcessName   PID Connections\n-----------   --- -----------\nOrderGateway 7312       14210\n"),
            "processes 1, 7312 OrderGateway [a column counts something of each process without saying what: sockets in which states, not used]",
        ),
        (
            "services that go on where blanks were lost",
            format!(
                "Image Name                     PID Services\n{rule}svchost.exe                   1156 DcomLaunch, PlugPlay,\nPower,\nSystemEventsBroker\nlsass.exe                      700 SamSs\n"
            ),
            "tasklist 4, 1156 svchost.exe/DcomLaunch+PlugPlay+Power+SystemEventsBroker, 700 lsass.exe/SamSs",
        ),
        (
            "one process without services",
            format!("Nazwa obrazu                   PID Uslugi\n{rule}OrderGateway.exe              7312 Brak\n"),
            "tasklist 1, 7312 OrderGateway.exe/",
        ),
        (
            "one process without services, in a language that is not known",
            format!("Nazwa obrazu                   PID Uslugi\n{rule}OrderGateway.exe              7312 n.a.\n"),
            "tasklist 1, 7312 OrderGateway.exe/",
        ),
        (
            "a PID that was given again between two lists",
            format!("{rule}OrderGateway.exe              7312 N/A\n\n{rule}notepad.exe                   7312 N/A\n"),
            "tasklist 2, 7312 OrderGateway.exe/, 7312 notepad.exe/",
        ),
        (
            "other settings below a rule",
            text(
                "TCP Supplemental Parameters\n----------------------------------------------\nMinimum RTO : 300\nInitial Congestion Window (MSS) : 10\n",
            ),
            "",
        ),
        (
            "rules of a firewall with addresses",
            text(
                "Name,Protocol,LocalPort,LocalAddress,RemoteAddress,Enabled,Action\nrule1,TCP,50000,10.20.0.5,Any,True,Allow\n",
            ),
            "",
        ),
    ]);
}
