use super::*;
use crate::net::Family;

fn at(text: &str) -> SocketAddress {
    address(text).unwrap()
}

fn tcp(local: &str, remote: &str, state: TcpState, pid: Option<u32>) -> ListedSocket {
    let local = at(local);
    ListedSocket {
        protocol: Protocol::Tcp,
        family: Some(local.family()),
        local: Some(local),
        remote: Some(at(remote)),
        state: Some(state),
        pid,
        count: 1,
        image: None,
        port_alone: None,
    }
}

fn udp(local: &str, pid: Option<u32>) -> ListedSocket {
    let local = at(local);
    let (protocol, family) = (Protocol::Udp, Some(local.family()));
    ListedSocket {
        protocol,
        family,
        local: Some(local),
        remote: None,
        state: None,
        pid,
        count: 1,
        image: None,
        port_alone: None,
    }
}

/// The one listing of a text, without what it says of the owner of each row.
fn only(text: &str) -> SocketListing {
    let netstat = parse(text).unwrap();
    assert_eq!((netstat.listings.len(), netstat.rows.not_understood), (1, 0));
    let mut listing = netstat.listings.into_iter().next().unwrap();
    listing.sockets.iter_mut().for_each(|socket| socket.image = None);
    listing.asked = None;
    listing
}

const WITH_OWNERS: &str = "\r
Active Connections\r
\r
  Proto  Local Address          Foreign Address        State           PID\r
  TCP    0.0.0.0:135            0.0.0.0:0              LISTENING       832\r
  RpcSs\r
 [svchost.exe]\r
  TCP    0.0.0.0:445            0.0.0.0:0              LISTENING       4\r
 Can not obtain ownership information\r
  TCP    10.46.88.66:50351      10.20.50.40:8443       CLOSE_WAIT      1480\r
 [CiscoJabber.exe]\r
  TCP    10.46.88.66:50352      10.20.50.40:8443       TIME_WAIT       0\r
  TCP    0.0.0.0:50353          0.0.0.0:0              BOUND           1480\r
 [CiscoJabber.exe]\r
  TCP    [::]:135               [::]:0                 LISTENING       832\r
  RpcEptMapper\r
 [svchost.exe]\r
  TCP    [fe80::1c2f%12]:50400  [fe80::99]:443         ESTABLISHED     77\r
  UDP    0.0.0.0:123            *:*                                    1164\r
  W32Time\r
 [svchost.exe]\r
  UDP    [fe80::1c2f%12]:1900   *:*                                    1164\r
";

#[test]
fn rows_and_owners() {
    let listing = only(WITH_OWNERS);
    let want = [
        tcp("0.0.0.0:135", "0.0.0.0:0", TcpState::Listen, Some(832)),
        tcp("0.0.0.0:445", "0.0.0.0:0", TcpState::Listen, Some(4)),
        tcp("10.46.88.66:50351", "10.20.50.40:8443", TcpState::CloseWait, Some(1480)),
        tcp("10.46.88.66:50352", "10.20.50.40:8443", TcpState::TimeWait, Some(0)),
        tcp("0.0.0.0:50353", "0.0.0.0:0", TcpState::Bound, Some(1480)),
        tcp("[::]:135", "[::]:0", TcpState::Listen, Some(832)),
        tcp("[fe80::1c2f]:50400", "[fe80::99]:443", TcpState::Established, Some(77)),
        udp("0.0.0.0:123", Some(1164)),
        udp("[fe80::1c2f]:1900", Some(1164)),
    ];
    assert_eq!(listing.sockets, want);
    assert_eq!(listing.sockets[5].family, Some(Family::Ipv6));
    let owner = |image: &str, services: &[&str]| ListedOwner {
        image: Some(image.to_owned()),
        services: services.iter().map(|name| (*name).to_owned()).collect(),
    };
    let owners: Vec<(u32, ListedOwner)> = listing.owners.into_iter().collect();
    let want = [
        (832, owner("svchost.exe", &["RpcSs", "RpcEptMapper"])),
        (1164, owner("svchost.exe", &["W32Time"])),
        (1480, owner("CiscoJabber.exe", &[])),
    ];
    assert_eq!(owners, want);
    assert_eq!(listing.taken, None);
    let unix = WITH_OWNERS.replace('\r', "");
    assert_eq!(only(&unix).sockets.len(), 9);
}

#[test]
fn without_pid_and_with_further_columns() {
    let listing = only("  TCP    10.0.0.1:139   0.0.0.0:0   LISTENING\n  UDP    10.0.0.1:137   *:*\n");
    let want = [tcp("10.0.0.1:139", "0.0.0.0:0", TcpState::Listen, None), udp("10.0.0.1:137", None)];
    assert_eq!(listing.sockets, want);
    // -t adds a column behind the PID, or behind the state.
    let listing = only("  TCP  1.1.1.1:9  2.2.2.2:8  ESTABLISHED  77  InHost\n");
    assert_eq!(listing.sockets, [tcp("1.1.1.1:9", "2.2.2.2:8", TcpState::Established, Some(77))]);
    let listing = only("  TCP  1.1.1.1:9  2.2.2.2:8  CLOSING  InHost\n");
    assert_eq!(listing.sockets, [tcp("1.1.1.1:9", "2.2.2.2:8", TcpState::Closing, None)]);
}

#[test]
fn states_of_two_words_and_unknown_ones() {
    let listing = only(
        "  TCP    10.0.0.1:139   0.0.0.0:0   IN ASCOLTO   4\n  TCP    10.0.0.1:139   0.0.0.0:0   NASLOUCHÁNÍ   4\n  \
        TCP 1.1.1.1:9 2.2.2.2:8 FIN WAIT 2 99\n",
    );
    let states: Vec<_> = listing.sockets.iter().map(|socket| (socket.state.clone().unwrap(), socket.pid)).collect();
    let want =
        [(TcpState::Listen, Some(4)), (TcpState::Other("NASLOUCHÁNÍ".into()), Some(4)), (TcpState::FinWait2, Some(99))];
    assert_eq!(states, want);
}

#[test]
fn a_loop_gives_a_listing_for_each_round() {
    let round = |minute: u32, rows: u32| {
        let rows: String = (0..rows)
            .map(|port| format!("  TCP    10.0.0.1:{}    10.0.0.2:443     ESTABLISHED     7312\r\n", 50_000 + port))
            .collect();
        format!(
            "Tue 11/22/2026 14:{minute:02}:11.25 \r\n\r\nActive Connections\r\n\r\n  \
            Proto  Local Address          Foreign Address        State           PID\r\n{rows}"
        )
    };
    let text: String = (0..60).map(|minute| round(minute, minute + 1)).collect();
    let listings = parse(&text).unwrap().listings;
    assert_eq!(listings.len(), 60);
    for (minute, listing) in listings.iter().enumerate() {
        assert_eq!(listing.sockets.len(), minute + 1);
        let taken = listing.taken.as_ref().unwrap();
        assert_eq!(taken.second_of_day as usize, 14 * 3600 + minute * 60 + 11);
        assert_eq!(taken.text, format!("Tue 11/22/2026 14:{minute:02}:11.25"));
    }
}

#[test]
fn listings_are_told_apart_without_dates_and_without_headings() {
    let rows = "  TCP  10.0.0.1:1  0.0.0.0:0  LISTENING  4\n  UDP  10.0.0.1:2  *:*  4\n";
    let heading = "\nAktive Verbindungen\n\n  Proto  Lokale Adresse  Remoteadresse  Status  PID\n";
    let count = |text: String| parse(&text).unwrap().listings.len();
    assert_eq!(count(format!("{heading}{rows}{heading}{rows}")), 2);
    assert_eq!(count(format!("{rows}14:03:11,25\n{rows}14:04:11,25\n{rows}")), 3);
    assert_eq!(count(format!("{rows}-----\n{rows}")), 2);
    assert_eq!(count(format!("C:\\>netstat -ano\n{rows}C:\\>netstat -ano\n{rows}")), 2);
    // Lines doubled on their way are no listings.
    assert_eq!(count(rows.replace('\n', "\n\n")), 1);
    // A sentence about the owner is none either, also where copies have lost the blanks.
    let sentence = "Es konnten keine Besitzerinformationen abgerufen werden.\n";
    assert_eq!(count(rows.replace("  TCP", "TCP").replace("4\n", &format!("4\n{sentence}"))), 1);
}

#[test]
fn other_output_around_changes_nothing() {
    let text = format!(
        "Microsoft Windows [Version 10.0.20348.1]\n\nC:\\>tasklist\n\nImage Name   PID\n=====  ====\nSystem   4\n\nC:\\>netstat -anob\n\
        {WITH_OWNERS}\r\nC:\\>ipconfig\r\n [nobody.exe]\r\n   IPv4 Address : 10.1.1.1\r\n"
    );
    assert_eq!(only(&text), only(WITH_OWNERS));
}

#[test]
fn rows_that_end_too_early_are_counted() {
    let netstat = parse("  UDP  10.0.0.1:2  *:*  4\n  TCP  10.0.0.1:1  0.0.0.0:0\n  TCP  10.0.0.1:1\n").unwrap();
    assert_eq!((netstat.listings[0].sockets.len(), netstat.rows.not_understood), (1, 2));
}

#[test]
fn what_is_no_netstat() {
    for text in [
        "",
        "TCP is a protocol\n",
        "tcp        0      0 0.0.0.0:22              0.0.0.0:*               LISTEN\n",
        "  TCP    10.0.0.1:70000   0.0.0.0:0   LISTENING   4\n",
        "TCP 10.0.0.1:50000 10.0.0.2:443 ALLOW 17\n",
    ] {
        assert_eq!(parse(text), None, "{text:?}");
    }
}

#[test]
fn what_is_put_around_rows_is_no_part_of_them() {
    let rows = "> | TCP | 10.0.0.1:50000 | 10.0.0.2:443 | ESTABLISHED | 77 |\n[14:03:11] TCP 10.0.0.1:50001 10.0.0.2:443 CLOSE_WAIT 77\n\
        - UDP 10.0.0.1:50002 *:* 78\n";
    let want = [
        tcp("10.0.0.1:50000", "10.0.0.2:443", TcpState::Established, Some(77)),
        tcp("10.0.0.1:50001", "10.0.0.2:443", TcpState::CloseWait, Some(77)),
        udp("10.0.0.1:50002", Some(78)),
    ];
    assert_eq!(only(rows).sockets, want);
}

#[test]
fn rows_broken_in_two_are_put_together() {
    let text = "  Proto  Local Address          Foreign Address        State           PID\n\
        TCP [fe80::1c2f%12]:50400 [fe80::99]:443 ESTABLISHED\n77\nTCP 10.0.0.1:50001 10.0.0.2:443\nCLOSE_WAIT 78\n\
        TCP 10.0.0.1:50002 10.0.0.2:443 CLOSE_WAIT\n\nTCP 10.0.0.1:50003 10.0.0.2:443 CLOSE_WAIT 79\n";
    let netstat = parse(text).unwrap();
    let pids: Vec<_> = netstat.listings[0].sockets.iter().map(|socket| socket.pid).collect();
    assert_eq!(pids, [Some(77), Some(78), Some(79)]);
    assert_eq!(netstat.rows, RowCount { rows: 3, not_understood: 1, first_not_understood: Some(6) });
}

#[test]
fn names_of_hosts_and_ports_without_n() {
    let text = "  TCP    0.0.0.0:epmap   SRV01:0   LISTENING   4\n  TCP    SRV01:50001  db.contoso.com:ms-sql-s  ESTABLISHED  77\n  \
        UDP    SRV01:ntp   *:*   78\n";
    let listing = only(text);
    let rows: Vec<_> = listing
        .sockets
        .iter()
        .map(|socket| (socket.family, socket.local, socket.port_alone, socket.state.clone(), socket.pid))
        .collect();
    let want = [
        (Some(Family::Ipv4), None, None, Some(TcpState::Listen), Some(4)),
        (None, None, Some(50001), Some(TcpState::Established), Some(77)),
        (None, None, None, None, Some(78)),
    ];
    assert_eq!(rows, want);
    assert_eq!(parse(text).unwrap().named, 3);
    assert_eq!(parse("  TCP    host:139   other:0   ALLOWED  4\n"), None);
}

#[test]
fn each_row_has_its_owner_without_o() {
    let text = "  TCP  10.0.0.1:50000  10.0.0.2:443  ESTABLISHED\n [a.exe]\n  TCP  10.0.0.1:50001  10.0.0.2:443  CLOSE_WAIT\n  BITS\n \
        [svchost.exe]\n  TCP  10.0.0.1:50002  10.0.0.2:443  ESTABLISHED\n [...]\n  TCP  10.0.0.1:50003  10.0.0.2:443  ESTABLISHED\n [a.exe]\n";
    let listing = parse(text).unwrap().listings.remove(0);
    let images: Vec<_> = listing.sockets.iter().map(|socket| socket.image).collect();
    assert_eq!(images, [Some(0), Some(1), None, Some(0)]);
    let owner = |image: &str, services: &[&str]| ListedOwner {
        image: Some(image.to_owned()),
        services: services.iter().map(|name| (*name).to_owned()).collect(),
    };
    assert_eq!(listing.images, [owner("a.exe", &[]), owner("svchost.exe", &["BITS"])]);
    assert!(listing.owners.is_empty());
}

#[test]
fn words_in_brackets_that_name_no_program_are_no_owner() {
    let row = |port: u16, below: &str| format!("  TCP    0.0.0.0:{port}   0.0.0.0:0   BOUND   7312\n{below}");
    let hidden = " Can not obtain ownership information\n";
    for remark in [
        "[14:03:11]",
        " [redacted]",
        " [1]",
        " [More lines omitted ...]",
        "[truncated 300 lines]",
        " [10.20.0.5]",
        " [Unknown]",
        " [OK]",
        "[user1@SRV01]",
        " [gekürzt]",
        "[image: image001.png]",
        "[image001.png]",
        "[cid:image001.png@01D9]",
        "[cid:setup.exe]",
        "[EXTERNAL]",
    ] {
        let remark = format!("{remark}\n");
        let listing =
            parse(&(row(50_000, hidden) + &row(50_001, &remark) + &row(50_002, hidden))).unwrap().listings.remove(0);
        assert!(listing.owners.is_empty(), "{remark}");
        assert!(listing.sockets.iter().all(|socket| socket.image.is_none()), "{remark}");
        // What stands under the remark is the owner.
        let listing = parse(&row(50_000, &format!("{remark} [a.exe]\n"))).unwrap().listings.remove(0);
        let image = listing.owners.get(&7312).and_then(|owner| owner.image.as_deref());
        let may_be_name = may_be_image(remark.trim().trim_matches(['[', ']']));
        assert_eq!(image, (!may_be_name).then_some("a.exe"), "{remark}");
    }
    // A few processes of the system have no ending.
    let named = row(50_000, " [vmmem]\n") + &row(50_001, " [vmmem]\n") + &row(50_002, hidden);
    let listing = parse(&named).unwrap().listings.remove(0);
    assert_eq!(listing.owners[&7312].image.as_deref(), Some("vmmem"));
}

#[test]
fn owners_of_lines_that_were_sorted_or_picked_are_nobodys() {
    let row = |port: u16| format!("  TCP    0.0.0.0:{port}   0.0.0.0:0   BOUND   7312\n");
    let owners = |text: &str| parse(text).unwrap().listings[0].owners.len();
    assert_eq!(owners(&(row(50_000) + " [sqlservr.exe]\n" + &row(50_001))), 1);
    // One command has sorted the lines, another has left out rows, or says that it did.
    assert_eq!(owners(&(row(50_000) + &row(50_001) + " [a.exe]\n [a.exe]\n [b.exe]\n")), 0);
    assert_eq!(owners(&(row(50_000) + " [sqlservr.exe]\n [sqlservr.exe]\n" + &row(50_001))), 0);
    for command in
        ["netstat -anob | findstr \"7312 .exe\"", "netstat -anob | sort", "netstat -anob | Select-String 7312"]
    {
        let text = format!("C:\\>{command}\n\n{} [sqlservr.exe]\n{}", row(50_000), row(50_001));
        assert_eq!(owners(&text), 0, "{command}");
    }
    // The end of a row that was not copied.
    assert_eq!(owners(&(" [svchost.exe]\n".to_owned() + &row(50_000) + " [a.exe]\n")), 1);
}

#[test]
fn a_number_below_a_row_without_pid_is_no_component() {
    let text = "  UDP  0.0.0.0:49206  *:*\n4\n iphlpsvc\n [svchost.exe]\n  UDP  0.0.0.0:49207  *:*\n";
    let netstat = parse(text).unwrap();
    assert_eq!(netstat.rows, RowCount { rows: 1, not_understood: 1, first_not_understood: Some(2) });
    let listing = &netstat.listings[0];
    assert_eq!((listing.sockets.len(), listing.images.len()), (1, 0));
}

#[test]
fn how_long_a_socket_is_in_its_state_is_no_process_id() {
    let rows = |behind: &str| {
        let row = |port: u16| format!("  TCP    10.1.2.3:{port}    10.1.2.4:443    ESTABLISHED    {behind}\n");
        row(50_000) + &row(50_001)
    };
    let heading =
        |end: &str| format!("\nActive Connections\n\n  Proto  Local Address  Foreign Address  State  {end}\n");
    let pids = |text: &str| -> Vec<Option<u32>> {
        parse(text).unwrap().listings.iter().flat_map(|listing| &listing.sockets).map(|socket| socket.pid).collect()
    };
    assert_eq!(pids(&(heading("Time in State (ms)") + &rows("3600000"))), [None, None]);
    assert_eq!(pids(&(heading("Time in State (ms)  PID") + &rows("3600000  7312"))), [Some(7312), Some(7312)]);
    assert_eq!(pids(&(heading("PID  Time in State (ms)") + &rows("7312  3600000"))), [Some(7312), Some(7312)]);
    let both = heading("Time in State (ms)") + &rows("3600000") + &heading("PID") + &rows("7312");
    assert_eq!(pids(&both), [None, None, Some(7312), Some(7312)]);
}

#[test]
fn a_process_id_that_is_not_whole_is_none() {
    let heading = "  Proto  Local Address  Foreign Address  State  PID\n";
    let row = |port: u16, pid: &str| format!("  TCP    10.1.2.3:{port}    10.1.2.4:443    ESTABLISHED    {pid}\n");
    // A console has broken each line, or a table has put its digits in groups.
    for pid in ["73\n12", "7 312", "7\u{a0}312"] {
        let text: String = (50_000..50_006).map(|port| row(port, pid)).collect();
        let found = parse(&format!("{heading}{text}")).unwrap();
        assert_eq!((found.listings.len(), found.rows.rows, found.rows.not_understood), (0, 0, 6), "{pid}");
        let found = parse(&format!("{heading}{}{}", row(50_000, "4"), row(50_001, pid))).unwrap();
        assert_eq!((found.listings[0].sockets.len(), found.rows.not_understood), (1, 1), "{pid}");
    }
    let found = parse(&format!("{heading}{}1795377791\n", row(50_000, "7312"))).unwrap();
    assert_eq!(found.rows.rows, 1, "the time in seconds");
}
