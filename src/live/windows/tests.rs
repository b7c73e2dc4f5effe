//! What Windows, or Wine, answers to the questions that change nothing.

use super::*;
use crate::net::Family;

#[test]
fn this_process_is_among_the_processes() {
    let own = std::process::id();
    let processes = Windows::new().processes().unwrap();
    let own = processes.iter().find(|process| process.pid == own).unwrap();
    assert!(own.image.to_lowercase().ends_with(".exe"), "{own:?}");
    let now = Windows::new().now();
    assert!(own.created.is_some_and(|created| created < now), "{own:?}");
}

#[test]
fn a_listener_is_in_the_table_of_its_family() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let sockets = Windows::new().sockets(SocketList::Tcp(Family::Ipv4)).unwrap();
    let found = sockets.iter().find(|socket| socket.local.is_some_and(|local| local.port == address.port()));
    let found = found.unwrap();
    assert_eq!(found.state, Some(crate::side::facts::TcpState::Listen));
    assert_eq!(found.local.map(|local| local.ip), Some(address.ip()));
    let udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = udp.local_addr().unwrap().port();
    let sockets = Windows::new().sockets(SocketList::Udp(Family::Ipv4)).unwrap();
    assert!(sockets.iter().any(|socket| socket.local.is_some_and(|local| local.port == port)));
}

#[test]
fn every_source_answers_or_says_why_not() {
    let system = Windows::new();
    let told = |why: WhyMissing| assert!(!why.is_empty() && !why.contains('\n'), "{why}");
    for table in [SocketList::BoundTcp(Family::Ipv4), SocketList::BoundTcp(Family::Ipv6), SocketList::Tcp(Family::Ipv6)]
    {
        system.sockets(table).err().into_iter().for_each(told);
    }
    system.handle_counts().err().into_iter().for_each(told);
    system.afd_handles().err().into_iter().for_each(told);
    system.services().err().into_iter().for_each(told);
    system.dynamic_ports().err().into_iter().for_each(told);
    let machine = system.machine();
    assert!(machine.os_build.is_some_and(|build| build > 6000), "{machine:?}");
    assert!(machine.processors.is_some() && machine.boot_time.is_some(), "{machine:?}");
    let temp = std::env::temp_dir().join("x.etl");
    assert!(system.free_bytes(&temp).is_some_and(|free| free > 0));
    assert!(!system.is_registered(Guid::from_u128(0x1234)));
}

#[test]
fn a_name_is_claimed_once() {
    let name = format!("outofports-test-{}", std::process::id());
    let first = Windows::new();
    assert!(first.claim(&name));
    assert!(!Windows::new().claim(&name));
    drop(first);
    assert!(Windows::new().claim(&name));
}

#[test]
fn the_handles_of_this_process_are_in_the_table_of_all_handles() {
    // Wine lists them, with types of its own.
    let counts = Windows::new().handle_counts().unwrap();
    assert!(counts.iter().any(|(pid, _)| *pid == std::process::id()));
}

#[test]
fn commands_are_those_of_the_system() {
    let path = of_system("netstat");
    assert!(path.ends_with(r"System32\netstat.exe") && path.is_absolute(), "{path:?}");
    assert!(Windows::new().command("no-such-command", &[], Duration::from_secs(5)).is_err());
}
