//! Side files: each kind in the form in which tools print it, in several languages and code pages.

use std::collections::BTreeSet;
use std::net::IpAddr;

use outofports::net::{Family, Protocol, SocketAddress};
use outofports::side::facts::{
    DynamicPorts, ExcludedPorts, HandleCount, ListedSocket, SideFacts, SocketListing, TcpState,
};
use outofports::side::tasklist::Task;
use outofports::side::{Kind, Recognised, recognise};
use synth::evtx::LogEvent;

use crate::common::fixtures;

/// 2026-03-10T09:30:00Z, when the scenarios begin.
pub const TRACE_TIME: i64 = 134_176_086_000_000_000;

pub fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(fixtures().join("side").join(name)).unwrap()
}

fn read(name: &str) -> Vec<Recognised> {
    recognise(&fixture(name), name)
}

/// The one kind that a fixture holds.
fn only(name: &str) -> (Kind, SideFacts, Option<String>) {
    let mut found = read(name);
    assert_eq!(found.len(), 1, "{name}: {found:?}");
    let Recognised { kind, mut facts, note, .. } = found.remove(0);
    // Who each row is of, the owners by PID tell as well.
    facts.listings.iter_mut().flat_map(|listing| &mut listing.sockets).for_each(|socket| socket.image = None);
    (kind, facts, note)
}

fn guessed(page: &str) -> Option<String> {
    Some(format!("the file does not declare its code page: read as {page}, judged by its letters"))
}

fn address(ip: &str, port: u16) -> SocketAddress {
    SocketAddress { ip: ip.parse::<IpAddr>().unwrap(), port }
}

fn tcp(local: (&str, u16), remote: (&str, u16), state: TcpState, pid: u32) -> ListedSocket {
    let (local, remote) = (address(local.0, local.1), address(remote.0, remote.1));
    ListedSocket {
        protocol: Protocol::Tcp,
        family: Some(local.family()),
        local: Some(local),
        remote: Some(remote),
        state: Some(state),
        pid: Some(pid),
        count: 1,
        image: None,
        port_alone: None,
    }
}

fn udp(ip: &str, port: u16, pid: u32) -> ListedSocket {
    let local = address(ip, port);
    let (protocol, family) = (Protocol::Udp, Some(local.family()));
    ListedSocket {
        protocol,
        family,
        local: Some(local),
        remote: None,
        state: None,
        pid: Some(pid),
        count: 1,
        image: None,
        port_alone: None,
    }
}

fn listing(facts: &SideFacts) -> &SocketListing {
    assert_eq!(facts.listings.len(), 1);
    &facts.listings[0]
}

fn owners(listing: &SocketListing) -> Vec<(u32, &str, Vec<&str>)> {
    listing
        .owners
        .iter()
        .map(|(pid, owner)| {
            (*pid, owner.image.as_deref().unwrap_or(""), owner.services.iter().map(String::as_str).collect())
        })
        .collect()
}

fn task(image: &str, pid: u32, services: &[&str]) -> Task {
    Task { image: image.to_owned(), pid, services: services.iter().map(|name| (*name).to_owned()).collect() }
}

fn dynamic(protocol: Protocol, family: Option<Family>, start: u16, count: u32) -> DynamicPorts {
    DynamicPorts { source: 0, protocol, family, start, count }
}

#[test]
fn netstat_with_owners_in_english() {
    let (kind, facts, note) = only("netstat-anobq-english.txt");
    assert_eq!((kind, note), (Kind::Netstat, None));
    let listing = listing(&facts);
    let any = ("0.0.0.0", 0);
    let database = ("10.20.0.40", 1433);
    let want = [
        tcp(("0.0.0.0", 135), any, TcpState::Listen, 832),
        tcp(("0.0.0.0", 445), any, TcpState::Listen, 4),
        tcp(("10.20.0.5", 50351), database, TcpState::Established, 7312),
        tcp(("10.20.0.5", 50352), database, TcpState::CloseWait, 7312),
        tcp(("10.20.0.5", 50353), database, TcpState::TimeWait, 0),
        tcp(("10.20.0.5", 50354), ("10.20.0.41", 443), TcpState::SynSent, 2840),
        tcp(("0.0.0.0", 50355), any, TcpState::Bound, 4312),
        tcp(("0.0.0.0", 50356), any, TcpState::Bound, 4312),
        tcp(("::", 135), ("::", 0), TcpState::Listen, 832),
        tcp(("fe80::1c2f:3aff", 50357), ("fe80::99", 445), TcpState::FinWait2, 2840),
        udp("0.0.0.0", 123, 1164),
        udp("::1", 1900, 1164),
    ];
    assert_eq!(listing.sockets, want);
    let want = [
        (832, "svchost.exe", vec!["RpcSs", "RpcEptMapper"]),
        (1164, "svchost.exe", vec!["W32Time", "SSDPSRV"]),
        (2840, "webfront.exe", vec![]),
        (4312, "ledgersync.exe", vec![]),
        (7312, "OrderGateway.exe", vec![]),
    ];
    assert_eq!(owners(listing), want);
    assert_eq!(listing.taken, None);
}

#[test]
fn netstat_in_german_translates_the_states() {
    let (kind, facts, note) = only("netstat-ano-german-850.txt");
    assert_eq!((kind, note), (Kind::Netstat, guessed("850")));
    let states: Vec<_> = listing(&facts).sockets.iter().map(|socket| (socket.state.clone(), socket.pid)).collect();
    let want = [
        (Some(TcpState::Listen), Some(1012)),
        (Some(TcpState::Established), Some(7312)),
        (Some(TcpState::CloseWait), Some(7312)),
        (Some(TcpState::TimeWait), Some(0)),
        (Some(TcpState::SynSent), Some(2840)),
        (Some(TcpState::FinWait2), Some(2840)),
        (Some(TcpState::Listen), Some(1012)),
        (None, Some(1164)),
    ];
    assert_eq!(states, want);
}

#[test]
fn netstat_in_russian_and_japanese() {
    let (kind, facts, note) = only("netstat-anob-russian-866.txt");
    assert_eq!((kind, note), (Kind::Netstat, guessed("866")));
    let any = ("0.0.0.0", 0);
    let want = [
        tcp(("0.0.0.0", 135), any, TcpState::Listen, 884),
        tcp(("0.0.0.0", 445), any, TcpState::Listen, 4),
        tcp(("10.20.0.5", 50351), ("10.20.0.40", 1433), TcpState::Established, 7312),
        udp("0.0.0.0", 5353, 1760),
    ];
    assert_eq!(listing(&facts).sockets, want);
    let want = [
        (884, "svchost.exe", vec!["RpcSs"]),
        (1760, "svchost.exe", vec!["Dnscache"]),
        (7312, "OrderGateway.exe", vec![]),
    ];
    assert_eq!(owners(listing(&facts)), want);
    let (kind, facts, note) = only("netstat-anob-japanese-932.txt");
    assert_eq!((kind, note), (Kind::Netstat, guessed("932")));
    let want = [
        tcp(("0.0.0.0", 135), any, TcpState::Listen, 1020),
        tcp(("0.0.0.0", 445), any, TcpState::Listen, 4),
        tcp(("10.20.0.5", 50351), ("10.20.0.40", 1433), TcpState::TimeWait, 0),
        udp("::", 5353, 1760),
    ];
    assert_eq!(listing(&facts).sockets, want);
    // The sentence that an owner is not known is one word there.
    assert_eq!(owners(listing(&facts)), [(1020, "svchost.exe", vec!["RpcSs"])]);
}

#[test]
fn a_loop_keeps_its_order_over_midnight() {
    let (kind, facts, note) = only("netstat-loop-english.txt");
    assert_eq!((kind, note), (Kind::NetstatLoop, None));
    let rounds: Vec<_> = facts
        .listings
        .iter()
        .map(|listing| {
            let taken = listing.taken.as_ref().unwrap();
            (taken.text.as_str(), taken.second_of_day, listing.sockets.len())
        })
        .collect();
    let want = [
        ("Sun 11/22/2026 23:58:11.25", 86_291, 3),
        ("Sun 11/22/2026 23:59:11.25", 86_351, 4),
        ("Sun 11/23/2026  0:00:11.25", 11, 6),
    ];
    assert_eq!(rounds, want);
}

#[test]
fn two_hundred_rounds_in_any_encoding() {
    let round = |number: u32| {
        let time = format!("{:02}:{:02}:{:02},25", number / 60, number % 60, number % 59);
        let rows: String = (0..number)
            .map(|row| {
                format!("  TCP    10.20.0.5:{}        10.20.0.40:1433        WARTEND         0\r\n", 50_000 + row)
            })
            .collect();
        let head = "\r\nAktive Verbindungen\r\n\r\n  Proto  Lokale Adresse         Remoteadresse          Status           PID\r\n";
        format!(
            "22.11.2026 {time} \r\n{head}  TCP    0.0.0.0:135            0.0.0.0:0              ABHÖREN         1012\r\n{rows}"
        )
    };
    let text: String = (0..200).map(round).collect();
    let wide: Vec<u8> = [0xFEFF].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let page: Vec<u8> = text.chars().map(|c| if c == 'Ö' { 0x99 } else { u8::try_from(c).unwrap() }).collect();
    for (bytes, note) in [(text.into_bytes(), None), (wide, None), (page, guessed("850"))] {
        let found = recognise(&bytes, "loop.txt");
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].kind, &found[0].note), (Kind::NetstatLoop, &note));
        assert_eq!(found[0].facts.listings.len(), 200);
        for (number, listing) in (0_u32..).zip(&found[0].facts.listings) {
            let seconds = number / 60 * 3600 + number % 60 * 60 + number % 59;
            assert_eq!(listing.taken.as_ref().unwrap().second_of_day, seconds);
            let waiting = listing.sockets.iter().filter(|socket| socket.state == Some(TcpState::TimeWait)).count();
            assert_eq!((listing.sockets.len(), waiting), (number as usize + 1, number as usize));
        }
    }
}

#[test]
fn tasklist_in_german_japanese_and_as_csv() {
    let want = [
        task("System Idle Process", 0, &[]),
        task("System", 4, &[]),
        task("lsass.exe", 1032, &["EFS", "KeyIso", "SamSs", "VaultSvc"]),
        task("svchost.exe", 1156, &["BrokerInfrastructure", "DcomLaunch", "PlugPlay", "Power", "SystemEventsBroker"]),
        task("OrderGateway.exe", 7312, &[]),
    ];
    for (name, page) in [("tasklist-svc-german-850.txt", "850"), ("tasklist-svc-japanese-932.txt", "932")] {
        let (kind, facts, note) = only(name);
        assert_eq!((kind, note), (Kind::Tasklist, guessed(page)), "{name}");
        assert_eq!(facts.tasks, want, "{name}");
    }
    let (kind, facts, _) = only("tasklist.csv");
    assert_eq!(kind, Kind::Tasklist);
    let want = [task("System Idle Process", 0, &[]), task("System", 4, &[]), task("OrderGateway.exe", 7312, &[])];
    assert_eq!(facts.tasks, want);
}

#[test]
fn one_script_gives_several_kinds() {
    let found = read("script-english-utf16.txt");
    let kinds: Vec<_> = found.iter().map(|found| (found.kind, found.note.clone())).collect();
    let want = [Kind::Tasklist, Kind::Netstat, Kind::DynamicPort, Kind::ExcludedPorts].map(|kind| (kind, None));
    assert_eq!(kinds, want);
    assert_eq!(found[0].facts.tasks.len(), 5);
    let sockets = &listing(&found[1].facts).sockets;
    let want = [tcp(("0.0.0.0", 135), ("0.0.0.0", 0), TcpState::Listen, 1156), udp("0.0.0.0", 123, 1164)];
    assert_eq!(*sockets, want);
    let (v4, v6) = (Some(Family::Ipv4), Some(Family::Ipv6));
    let want = [
        dynamic(Protocol::Tcp, v4, 1025, 5000),
        dynamic(Protocol::Udp, v4, 49152, 16384),
        dynamic(Protocol::Tcp, v6, 49152, 16384),
        dynamic(Protocol::Udp, v6, 49152, 16384),
    ];
    assert_eq!(found[2].facts.dynamic_ports, want);
    let excluded = |start, end, administered| ExcludedPorts {
        source: 0,
        protocol: Protocol::Tcp,
        family: v4,
        start,
        end,
        administered,
    };
    assert_eq!(found[3].facts.excluded_ports, [excluded(5357, 5357, false), excluded(50000, 50059, true)]);
}

#[test]
fn port_ranges_in_german_russian_and_japanese() {
    let (v4, v6) = (Some(Family::Ipv4), Some(Family::Ipv6));
    let (kind, facts, note) = only("dynamicport-ipv4-german-850.txt");
    assert_eq!((kind, note), (Kind::DynamicPort, guessed("850")));
    let both = [dynamic(Protocol::Tcp, v4, 49152, 16384), dynamic(Protocol::Udp, v4, 49152, 16384)];
    assert_eq!(facts.dynamic_ports, both, "the family is that of the file's name");
    let (kind, facts, note) = only("dynamicport-russian-866.txt");
    assert_eq!((kind, note), (Kind::DynamicPort, guessed("866")));
    assert_eq!(facts.dynamic_ports, [dynamic(Protocol::Tcp, v6, 1025, 60000)]);
    let (kind, facts, note) = only("dynamicport-japanese-utf16.txt");
    assert_eq!((kind, note.as_deref()), (Kind::DynamicPort, Some("read as UTF-16LE, which the file does not declare")));
    assert_eq!(facts.dynamic_ports, [dynamic(Protocol::Tcp, None, 10000, 20000)]);
    let (kind, facts, note) = only("excludedportrange-german-850.txt");
    assert_eq!((kind, note), (Kind::ExcludedPorts, guessed("850")));
    let rows: Vec<_> = facts.excluded_ports.iter().map(|row| (row.start, row.end, row.administered)).collect();
    assert_eq!(rows, [(28380, 28380, false), (49711, 49810, false), (50000, 50059, true)]);
    assert!(facts.excluded_ports.iter().all(|row| (row.protocol, row.family) == (Protocol::Tcp, v4)));
}

#[test]
fn sockets_of_powershell() {
    let (kind, facts, _) = only("net-tcp-connection-grouped-utf16.txt");
    assert_eq!(kind, Kind::NetTcpConnection);
    let rows: Vec<_> =
        listing(&facts).sockets.iter().map(|row| (row.count, row.state.clone().unwrap(), row.pid.unwrap())).collect();
    let want = [
        (5143, TcpState::Bound, 7312),
        (211, TcpState::TimeWait, 0),
        (17, TcpState::Established, 2840),
        (3, TcpState::Listen, 4),
    ];
    assert_eq!(rows, want);
    assert_eq!(owners(listing(&facts))[3], (7312, "OrderGateway", vec![]));
    let rows = [
        tcp(("::", 49669), ("::", 0), TcpState::Listen, 676),
        tcp(("0.0.0.0", 50355), ("0.0.0.0", 0), TcpState::Bound, 4312),
        tcp(("10.20.0.5", 50351), ("10.20.0.40", 1433), TcpState::Established, 7312),
        tcp(("10.20.0.5", 50353), ("10.20.0.40", 1433), TcpState::TimeWait, 0),
    ];
    let (kind, facts, _) = only("net-tcp-connection.txt");
    assert_eq!((kind, listing(&facts).sockets.as_slice()), (Kind::NetTcpConnection, &rows[..]));
    let (kind, facts, _) = only("net-tcp-connection.csv");
    assert_eq!(kind, Kind::NetTcpConnection);
    let mut sockets = listing(&facts).sockets.clone();
    sockets.rotate_right(1);
    assert_eq!(sockets, rows);
    let (kind, facts, _) = only("net-udp-endpoint.csv");
    assert_eq!(kind, Kind::NetUdpEndpoint);
    assert_eq!(listing(&facts).sockets, [udp("0.0.0.0", 5353, 1760), udp("::1", 1900, 1164)]);
}

#[test]
fn handles_and_processes() {
    let count = |pid, image: &str, count| HandleCount { source: 0, pid, image: Some(image.to_owned()), count };
    let (kind, facts, _) = only("handle-afd.txt");
    assert_eq!(kind, Kind::Handles);
    let want = [count(4, "System", 1), count(2840, "webfront.exe", 1), count(7312, "OrderGateway.exe", 3)];
    assert_eq!((facts.afd_handles.as_slice(), facts.handles.len()), (&want[..], 0));
    let (kind, facts, _) = only("get-process.csv");
    assert_eq!(kind, Kind::Processes);
    let want = [count(0, "Idle", 0), count(7312, "OrderGateway", 12450), count(4, "System", 5210)];
    assert_eq!((facts.handles.as_slice(), facts.afd_handles.len()), (&want[..], 0));
}

/// The log of `system.evtx`.
pub fn system_log() -> Vec<u8> {
    let at = |seconds: i64| TRACE_TIME + seconds * 10_000_000;
    let events = [
        LogEvent::other("Service Control Manager", 7036, at(-60), 4231),
        LogEvent::tcpip(4227, at(-10), 4232),
        LogEvent::tcpip(4231, at(0), 4233),
        LogEvent::other("NETLOGON", 5719, at(7), 4234),
        LogEvent::tcpip(4266, at(9), 4235),
    ];
    synth::evtx::write(&events, 100)
}

#[test]
fn an_event_log_tells_what_tcpip_wrote() {
    if std::env::var_os("WRITE_FIXTURES").is_some() {
        std::fs::write(fixtures().join("side/system.evtx"), system_log()).unwrap();
    }
    assert!(fixture("system.evtx") == system_log(), "the committed file is what the writer writes today");
    let (kind, facts, note) = only("system.evtx");
    assert_eq!((kind, note), (Kind::Evtx, None));
    let events: Vec<_> =
        facts.system_events.iter().map(|event| (event.time.to_string(), &*event.provider, event.id)).collect();
    let want = [
        ("2026-03-10T09:29:50.0000000Z".to_owned(), "Tcpip", 4227),
        ("2026-03-10T09:30:00.0000000Z".to_owned(), "Tcpip", 4231),
        ("2026-03-10T09:30:07.0000000Z".to_owned(), "NETLOGON", 5719),
        ("2026-03-10T09:30:09.0000000Z".to_owned(), "Tcpip", 4266),
    ];
    assert_eq!(events, want);
    let quiet = synth::evtx::write(&[LogEvent::other("Service Control Manager", 7036, TRACE_TIME, 4231)], 100);
    let found = recognise(&quiet, "a.evtx");
    assert_eq!((found.len(), found[0].note.as_deref()), (1, Some("none of its 1 event is about ports")));
}

/// All fixtures, by name.
pub fn all() -> Vec<(String, Vec<u8>)> {
    let mut names: Vec<String> = std::fs::read_dir(fixtures().join("side"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names.into_iter().map(|name| (name.clone(), fixture(&name))).collect()
}

#[test]
fn line_ends_do_not_matter() {
    for (name, bytes) in all().into_iter().filter(|(name, _)| !name.ends_with(".evtx") && !name.contains("utf16")) {
        let unix: Vec<u8> = bytes.iter().copied().filter(|byte| *byte != b'\r').collect();
        let facts = |bytes: &[u8]| -> Vec<_> {
            recognise(bytes, &name).into_iter().map(|found| (found.kind, found.facts, found.note)).collect()
        };
        assert_eq!(facts(&unix), facts(&bytes), "{name}");
    }
}

/// How lines are passed on, and what becomes of them.
type PassedOn = (&'static str, fn(&str) -> String);

/// What a mail, a web page or an editor makes of lines.
fn passed_on() -> [PassedOn; 8] {
    [
        ("cut at their ends", |text| text.lines().map(|line| line.trim_end().to_owned() + "\n").collect()),
        ("quoted", |text| text.lines().map(|line| format!("> {line}\n")).collect()),
        ("quoted twice", |text| text.lines().map(|line| format!("> >{line}\r\n")).collect()),
        ("moved to the right", |text| text.lines().map(|line| format!("    {line}\n")).collect()),
        ("doubled", |text| text.lines().map(|line| format!("{line}\n\n")).collect()),
        ("doubled in a mail", |text| {
            let lines: String = text.lines().map(|line| format!("> {line}\n> \n")).collect();
            format!("Hello,\nsee below: 3 servers.\n\n{lines}\nThanks\nBob\n")
        }),
        ("in a frame", |text| text.lines().map(|line| format!("| {line} |\n")).collect()),
        ("kept together", |text| text.replace(' ', "\u{a0}")),
    ]
}

#[test]
fn whoever_passes_a_listing_on_changes_no_fact() {
    for (name, bytes) in all().into_iter().filter(|(name, _)| !name.ends_with(".evtx")) {
        let text = outofports::side::decode_text(&bytes).text.into_owned();
        let facts = |text: &str| -> Vec<_> {
            recognise(text.as_bytes(), &name).into_iter().map(|found| (found.kind, found.facts)).collect()
        };
        let whole = facts(&text);
        for (how, pass) in passed_on() {
            assert_eq!(facts(&pass(&text)), whole, "{name}, {how}");
        }
    }
}

/// Process ids of sockets.
fn socket_pids(found: &[Recognised]) -> BTreeSet<u32> {
    let sockets = found.iter().flat_map(|found| &found.facts.listings).flat_map(|listing| &listing.sockets);
    sockets.filter_map(|socket| socket.pid).collect()
}

#[test]
fn cut_files_name_no_other_process() {
    for (name, bytes) in all().into_iter().filter(|(name, _)| !name.ends_with(".evtx")) {
        let whole = socket_pids(&recognise(&bytes, &name));
        // Within a number that ends a line, in one byte for each digit or two.
        let digits = |from: usize| bytes[from..].iter().filter(|byte| **byte != 0);
        let ends_line =
            |end: &usize| digits(*end).find(|byte| !byte.is_ascii_digit()).is_some_and(|byte| *byte == b'\r');
        for end in (1..bytes.len()).filter(|end| bytes[*end].is_ascii_digit()).filter(ends_line) {
            let cut = socket_pids(&recognise(&bytes[..end], &name));
            // The beginning of an id may be one: 284 of 2840, where no other row has that.
            let others: Vec<u32> = cut.difference(&whole).copied().collect();
            assert!(others.iter().all(|pid| pid.is_multiple_of(4)), "{name} cut at {end}: {others:?}");
        }
    }
}

#[test]
fn cut_files_hold_no_more_than_whole_ones() {
    let size = |found: &[Recognised]| -> usize {
        let count = |facts: &SideFacts| {
            let sockets: usize = facts.listings.iter().map(|listing| listing.sockets.len()).sum();
            let ranges = facts.dynamic_ports.len() + facts.excluded_ports.len();
            sockets
                + ranges
                + facts.tasks.len()
                + facts.afd_handles.len()
                + facts.handles.len()
                + facts.system_events.len()
        };
        found.iter().map(|found| count(&found.facts)).sum()
    };
    for (name, bytes) in all() {
        let whole = size(&recognise(&bytes, &name));
        assert!(whole > 0, "{name}");
        let step = bytes.len() / 60 + 1;
        for end in (0..bytes.len()).step_by(step) {
            assert!(size(&recognise(&bytes[..end], &name)) <= whole, "{name} cut at {end}");
        }
    }
}

/// A small generator: the same numbers on every run.
fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

#[test]
fn no_bytes_are_a_panic() {
    let mut state = 0x9E37_79B9_7F4A_7C15;
    for (name, whole) in all() {
        let rounds = if name.ends_with(".evtx") { 20 } else { 60 };
        for _ in 0..rounds {
            let mut bytes = whole.clone();
            for _ in 0..1 + random(&mut state) % 8 {
                let at = random(&mut state) as usize % bytes.len();
                match random(&mut state) % 4 {
                    0 => bytes[at] = random(&mut state) as u8,
                    1 => bytes.truncate(at.max(1)),
                    2 => {
                        let end = (at + 200).min(bytes.len());
                        let piece = bytes[at..end].to_vec();
                        bytes.splice(at..at, piece);
                    }
                    _ => drop(bytes.remove(at)),
                }
                if bytes.is_empty() {
                    bytes.push(b'x');
                }
            }
            let first = recognise(&bytes, &name);
            let second = recognise(&bytes, &name);
            assert_eq!(format!("{first:?}"), format!("{second:?}"), "the same bytes give the same facts");
        }
    }
    for length in [1, 100, 5000] {
        let noise: Vec<u8> = (0..length).map(|_| random(&mut state) as u8).collect();
        assert!(recognise(&noise, "noise.txt").is_empty());
    }
}

/// Far more than a reader needs that looks at each line a bounded number of times, on any machine; one that looks at all
/// lines behind each would take hours.
const HANG: std::time::Duration = std::time::Duration::from_secs(300);

#[test]
fn no_line_makes_a_reader_look_at_all_lines_behind_it() {
    // Each of these once did.
    let lines = [
        "\"LocalPort\",\"OwningProcess\"\n\"x\n",
        "Count Name Group\n12 Bound {MSFT_NetTCPConnection\n",
        "=== ===\nx\n",
        "tcp\n-----\nx : 1\n",
        "tcp\n--- ---\n1 2\n",
        "  TCP  1.1.1.1:1  0.0.0.0:0  LISTENING  4\n[x]\n\nhead\n",
        "lsass.exe pid: 812 x\n1A4: File \\Device\\Afd\n",
        "\"a\",\"1\",\"b\"\n\n",
        "14:03:11 22.11.2026 ",
    ];
    for line in lines {
        let (done, is_done) = std::sync::mpsc::channel();
        let text = line.repeat(20_000);
        std::thread::spawn(move || done.send(recognise(text.as_bytes(), "x.txt").len()));
        assert!(is_done.recv_timeout(HANG).is_ok(), "{line:?} takes longer than {HANG:?}");
    }
}
