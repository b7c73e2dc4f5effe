use super::*;
use crate::machine::ranges::DEFAULT_RANGE;
use crate::net::{Family, SocketAddress};
use crate::side::facts::Taken;

fn socket(port: u16, state: TcpState, pid: u32) -> ListedSocket {
    ListedSocket {
        protocol: Protocol::Tcp,
        family: Some(Family::Ipv4),
        local: Some(SocketAddress { ip: [0, 0, 0, 0].into(), port }),
        remote: None,
        state: Some(state),
        pid: Some(pid),
        count: 1,
        image: None,
        port_alone: None,
    }
}

fn listing(sockets: Vec<ListedSocket>, second_of_day: Option<u32>) -> SocketListing {
    let taken = second_of_day.map(|second_of_day| Taken { text: String::new(), day: None, second_of_day });
    SocketListing { taken, sockets, ..SocketListing::default() }
}

const TCP4: PoolKey = PoolKey {
    protocol: Some(Protocol::Tcp),
    family: Some(Family::Ipv4),
    compartment: crate::machine::pool_key::Compartment::OWN,
};

#[test]
fn a_port_counts_once_and_ports_outside_do_not() {
    let sockets = vec![
        socket(50_000, TcpState::Bound, 7),
        socket(50_000, TcpState::Established, 7),
        socket(50_001, TcpState::CloseWait, 7),
        socket(50_002, TcpState::TimeWait, 0),
        socket(50_001, TcpState::TimeWait, 0),
        socket(443, TcpState::Established, 7),
    ];
    let usage = usage(&listing(sockets, None), TCP4, DEFAULT_RANGE, false);
    assert_eq!((usage.held, usage.time_wait), (2, 1));
    let want = Listed { ports: 2, bound: 1, close_wait: 1, established: 1, ..Listed::default() };
    assert_eq!(usage.by_pid, BTreeMap::from([(Some(7), want)]));
}

#[test]
fn grouped_rows_count_bound_and_connected_sockets_once() {
    let grouped = |state, count| ListedSocket { family: None, local: None, count, ..socket(0, state, 7312) };
    let sockets = vec![
        grouped(TcpState::Bound, 5143),
        grouped(TcpState::Established, 5000),
        grouped(TcpState::Listen, 9),
        ListedSocket { pid: Some(0), ..grouped(TcpState::TimeWait, 211) },
    ];
    let listing = listing(sockets, None);
    let none = usage(&listing, TCP4, DEFAULT_RANGE, false);
    assert_eq!(none, Usage::default());
    let mut huge = listing.clone();
    huge.sockets = vec![grouped(TcpState::Bound, u32::MAX), grouped(TcpState::Bound, 7)];
    assert_eq!(usage(&huge, TCP4, DEFAULT_RANGE, true).occupied(), u32::MAX);
    let usage = usage(&listing, TCP4, DEFAULT_RANGE, true);
    assert_eq!((usage.held, usage.time_wait, usage.by_pid[&Some(7312)].ports), (5143, 211, 5143));
}

#[test]
fn connected_sockets_of_a_group_count_where_the_first_has_a_port_of_the_pool() {
    let group = |state, count, first: Option<u16>| ListedSocket {
        family: None,
        local: None,
        count,
        port_alone: first,
        ..socket(0, state, 7312)
    };
    let used = |sockets: Vec<ListedSocket>| {
        let usage = usage(&listing(sockets, None), TCP4, DEFAULT_RANGE, true);
        (usage.occupied(), usage.unnumbered)
    };
    let waiting = || ListedSocket { pid: Some(0), ..group(TcpState::TimeWait, 311, None) };
    let close_wait = |first| group(TcpState::CloseWait, 9_100, first);
    assert_eq!(used(vec![close_wait(Some(50_000)), group(TcpState::Bound, 4_800, None)]), (13_900, 13_900));
    assert_eq!(used(vec![close_wait(Some(50_000)), group(TcpState::Bound, 9_100, None)]), (9_100, 9_100));
    let of_server = ListedSocket { state: None, ..close_wait(Some(1433)) };
    assert_eq!(used(vec![of_server.clone()]), (0, 0));
    assert_eq!(used(vec![ListedSocket { port_alone: None, ..of_server }]), (9_100, 9_100));
    // Those of a server, and of whom nothing tells.
    assert_eq!(used(vec![close_wait(Some(443)), waiting()]), (311, 311));
    assert_eq!(used(vec![close_wait(None), waiting()]), (0, 0));
    assert_eq!(used(vec![close_wait(None), group(TcpState::Bound, 9_100, None), waiting()]), (9_411, 9_411));
}

#[test]
fn sockets_of_pid_0_are_nobodys_in_any_state() {
    let sockets = vec![socket(50_000, TcpState::FinWait2, 0), socket(50_001, TcpState::Bound, 7)];
    let usage = usage(&listing(sockets, None), TCP4, DEFAULT_RANGE, false);
    assert_eq!((usage.held, usage.by_pid.keys().collect::<Vec<_>>()), (2, vec![&Some(7)]));
}

#[test]
fn trends_go_over_midnight() {
    let sample = |count: u16, second| {
        let sockets = (0..count).map(|n| socket(50_000 + n, TcpState::Bound, 7)).collect();
        listing(sockets, Some(second))
    };
    let listings = [sample(10, 86_340), sample(70, 0), sample(40, 60)];
    let trends = trends(&listings);
    assert_eq!(trends.len(), 1);
    assert_eq!((trends[0].first, trends[0].peak, trends[0].last, trends[0].samples), (10, 70, 40, 3));
    assert_eq!(trends[0].per_minute, Some(15.0));
    assert!(super::trends(&listings[..1]).is_empty(), "one listing has no trend");
}

#[test]
fn a_long_loop_of_ever_other_processes_has_trends_too() {
    let listings: Vec<SocketListing> =
        (0..20_000).map(|pid| listing(vec![socket(50_000, TcpState::Bound, pid)], Some(1))).collect();
    let trends = trends(&listings);
    assert_eq!(trends.len(), MAX_TRENDS);
    assert_eq!((trends[0].pid, trends[0].first, trends[0].last, trends[0].peak), (Some(0), 1, 0, 1));
    let same = vec![listing(vec![socket(50_000, TcpState::Bound, 7)], None); 3];
    assert!(super::trends(&same).is_empty(), "few, and never another number");
}

#[test]
fn two_listings_are_moments_only_where_something_says_so() {
    let sample = |count: u16, asked: Option<&str>| {
        let sockets = (0..count).map(|n| socket(50_000 + n, TcpState::Bound, 7)).collect();
        SocketListing { asked: asked.map(str::to_owned), ..listing(sockets, None) }
    };
    assert_eq!(trends(&[sample(1, None), sample(900, None)]), []);
    assert_eq!(trends(&[sample(1, Some("netstat -anob")), sample(900, Some("netstat -anoq"))]), []);
    let found = trends(&[sample(1, Some("netstat -ano")), sample(900, Some("netstat -ano"))]);
    assert_eq!((found.len(), found[0].last, found[0].per_minute), (1, 900, None));
    let counts = |listings: &[SocketListing]| -> Vec<usize> {
        last_moments(listings).iter().map(|listing| listing.sockets.len()).collect()
    };
    assert_eq!(counts(&[sample(1, None), sample(9, None)]), [1, 9], "one moment");
    assert_eq!(counts(&[sample(1, Some("a")), sample(2, Some("b")), sample(3, Some("a"))]), [2, 3]);
    assert_eq!(
        counts(&[listing(Vec::new(), Some(1)), sample(2, None), listing(Vec::new(), Some(2)), sample(4, None)]),
        [0, 4]
    );
}

#[test]
fn listings_of_two_machines_are_no_moments() {
    let sample = |count: u16, ip: [u8; 4], host: Option<&str>| {
        let mut listing = listing((0..count).map(|n| socket(50_000 + n, TcpState::Bound, 7)).collect(), None);
        listing.sockets.iter_mut().for_each(|socket| socket.local.as_mut().unwrap().ip = ip.into());
        SocketListing { asked: Some("netstat -ano".to_owned()), host: host.map(str::to_owned), ..listing }
    };
    let (one, other) = ([10, 20, 0, 5], [10, 20, 0, 6]);
    let count = |listings: &[SocketListing]| trends(listings).len();
    assert_eq!(count(&[sample(1, one, None), sample(900, one, None)]), 1);
    assert_eq!(count(&[sample(1, one, None), sample(900, other, None)]), 0);
    assert_eq!(count(&[sample(1, [0; 4], Some("SRV01")), sample(900, [0; 4], Some("SRV02"))]), 0);
    assert_eq!(count(&[sample(1, one, Some("SRV01")), sample(900, other, Some("srv01"))]), 1);
    assert_eq!(count(&[sample(1, [0; 4], None), sample(900, other, None)]), 1);
}

#[test]
fn a_time_that_goes_back_tells_no_rate() {
    let sample = |count: u16, second, day: Option<&str>| {
        let sockets = (0..count).map(|n| socket(50_000 + n, TcpState::Bound, 7)).collect();
        let mut listing = listing(sockets, Some(second));
        listing.taken.as_mut().unwrap().day = day.map(str::to_owned);
        listing
    };
    let rate = |listings: &[SocketListing]| trends(listings)[0].per_minute;
    // 11:53, 12:03, 1:03 in twelve hours.
    let times = [42_791, 43_391, 3_791];
    let day = Some("22/11/2026");
    assert_eq!(rate(&[sample(10, times[0], day), sample(20, times[1], day), sample(400, times[2], day)]), None);
    assert_eq!(rate(&[sample(10, times[0], None), sample(20, times[1], None), sample(400, times[2], None)]), None);
    assert_eq!(rate(&[sample(10, 86_340, day), sample(70, 0, Some("23/11/2026"))]), Some(60.0));
    // The next day, an hour later; and days of which nothing tells how many lie between them.
    assert_eq!(rate(&[sample(10, 0, day), sample(1510, 3_600, Some("23/11/2026"))]), Some(1.0));
    assert_eq!(rate(&[sample(10, 0, day), sample(1510, 3_600, Some("26/11/2026"))]), None);
}

#[test]
fn times_with_their_distance_from_utc_are_of_one_clock() {
    let sample = |count: u16, text: &str, second| {
        let sockets = (0..count).map(|n| socket(50_000 + n, TcpState::Bound, 7)).collect();
        let mut listing = listing(sockets, Some(second));
        listing.taken.as_mut().unwrap().text = text.to_owned();
        listing
    };
    let rate = |listings: &[SocketListing]| trends(listings)[0].per_minute;
    let first = sample(10, "2026-11-22T14:03:00Z", 50_580);
    assert_eq!(rate(&[first.clone(), sample(1_010, "2026-11-22T15:13:00+01:00", 54_780)]), Some(100.0));
    // The clock was set, or these are of two machines.
    assert_eq!(rate(&[first, sample(1_010, "2026-11-22T15:01:00+02:00", 54_060)]), None);
}

#[test]
fn images_without_pid_are_told_apart() {
    let owner = |image: &str| ListedOwner { image: Some(image.to_owned()), services: Vec::new() };
    let mut one = listing(vec![socket(50_000, TcpState::Bound, 7); 3], None);
    for (number, socket) in one.sockets.iter_mut().enumerate() {
        (socket.pid, socket.image) = (None, [Some(1), Some(0), None][number]);
        socket.local.as_mut().unwrap().port += u16::try_from(number).unwrap();
    }
    one.images = vec![owner("b.exe"), owner("a.exe")];
    let usage = usage(&one, TCP4, DEFAULT_RANGE, false);
    let ports: Vec<_> =
        usage.by_image.iter().map(|(owner, listed)| (owner.image.as_deref().unwrap(), listed.ports)).collect();
    assert_eq!((ports, usage.by_pid[&None].ports), (vec![("a.exe", 1), ("b.exe", 1)], 1));
    assert_eq!(images_without_pid(&[one]), [&owner("a.exe"), &owner("b.exe")]);
}
