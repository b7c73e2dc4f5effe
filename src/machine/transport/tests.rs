use super::*;
use crate::machine::moment::{TransportPorts, TransportShare};
use crate::machine::pool_key::POOLS;
use crate::machine::ranges::DEFAULT_RANGE;

fn acquired(acquirer: u64, raw: u16) -> TransportEvent {
    TransportEvent::Acquired(PortReference { acquirer, port: RawPort(raw) })
}

fn observe(transport: &mut Transport, processes: &mut ProcessTable, event: &TransportEvent) {
    transport.observe(FileTime(1), None, event, None, processes);
}

fn endpoint(address: u64, pid: u32) -> TransportEvent {
    let family = Some(Family::Ipv4);
    TransportEvent::Endpoint { endpoint: address, pid, family, compartment: None }
}

const TCP4: PoolKey =
    PoolKey { protocol: Some(Protocol::Tcp), family: Some(Family::Ipv4), compartment: Compartment::OWN };

fn share(transport: &mut Transport, pools: &[Pool]) -> TransportShare {
    transport.share(TCP4, DEFAULT_RANGE, pools, false)
}

#[test]
fn ports_of_the_kernel_are_what_no_socket_holds() {
    for host_order in [false, true] {
        let (mut transport, mut processes) = (Transport::default(), ProcessTable::default());
        let raw = |port: u16| if host_order { port } else { port.swap_bytes() };
        observe(&mut transport, &mut processes, &endpoint(0xE1, 4));
        observe(&mut transport, &mut processes, &endpoint(0xE2, 900));
        for port in 50_000..50_010 {
            observe(&mut transport, &mut processes, &acquired(0xE1, raw(port)));
        }
        observe(&mut transport, &mut processes, &acquired(0xE2, raw(60_000)));
        let mut pools: [Pool; POOLS] = Default::default();
        pools[TCP4.index()].hold(Some(60_000), Owner::Unknown, 1, FileTime(1));
        let now = share(&mut transport, &pools);
        let system = processes.last_known(4);
        assert_eq!(now.by_process.get(&(system, false)).map(|seen| seen.ports), Some(10), "host order: {host_order}");
        assert_eq!((now.ports(), now.in_use), (10, 11));
        let released = PortReference { acquirer: 0xE1, port: RawPort(raw(50_000)) };
        observe(&mut transport, &mut processes, &TransportEvent::Released(released));
        assert_eq!(share(&mut transport, &pools).ports(), 9);
    }
}

#[test]
fn connections_from_before_the_trace_count_until_they_close() {
    let (mut transport, mut processes) = (Transport::default(), ProcessTable::default());
    let local = |port| SocketAddress { ip: [10, 0, 0, 1].into(), port };
    for (tcb, port, state) in [(1, 50_000, 4), (2, 50_001, 7), (3, 50_002, 10), (4, 50_003, 1)] {
        let event = TransportEvent::Existing { tcb, pid: 77, local: local(port), state };
        observe(&mut transport, &mut processes, &event);
    }
    let pools: [Pool; POOLS] = Default::default();
    let share_now = share(&mut transport, &pools);
    let seen = share_now.by_process.get(&(processes.last_known(77), true)).copied();
    assert_eq!(seen, Some(TransportPorts { ports: 2, close_wait: 1, ..TransportPorts::default() }));
    assert_eq!(share_now.time_wait, 1);
    observe(&mut transport, &mut processes, &TransportEvent::State { tcb: 1, state: CLOSED });
    observe(&mut transport, &mut processes, &TransportEvent::State { tcb: 2, state: TIME_WAIT });
    let now = share(&mut transport, &pools);
    assert_eq!((now.ports(), now.time_wait), (0, 2));
}

#[test]
fn a_port_that_was_acquired_waits_when_its_connection_does() {
    let (mut transport, mut processes) = (Transport::default(), ProcessTable::default());
    observe(&mut transport, &mut processes, &endpoint(7, 900));
    observe(&mut transport, &mut processes, &acquired(7, 50_000_u16.swap_bytes()));
    let mut pools: [Pool; POOLS] = Default::default();
    assert_eq!(share(&mut transport, &pools).ports(), 1);
    observe(&mut transport, &mut processes, &TransportEvent::State { tcb: 7, state: TIME_WAIT });
    // The address of the TCB is another connection's by then, which takes a port of its own.
    observe(&mut transport, &mut processes, &endpoint(7, 901));
    observe(&mut transport, &mut processes, &acquired(7, 50_001_u16.swap_bytes()));
    let now = share(&mut transport, &pools);
    let (first, second) = (processes.last_known(900), processes.last_known(901));
    assert_eq!((now.ports(), now.time_wait), (1, 1));
    assert_eq!(now.time_wait_of, first.map(|process| (process, 1)).into_iter().collect());
    assert_eq!(now.by_process.keys().copied().collect::<Vec<_>>(), vec![(second, false)]);
    // A closed socket whose number is not known may be the same one.
    pools[TCP4.index()].hold(None, Owner::Unknown, 1, FileTime(1));
    pools[TCP4.index()].release(None, Owner::Unknown, true, FileTime(2));
    let now = share(&mut transport, &pools);
    assert!(now.time_wait == 0 && now.time_wait_of.is_empty());
    let released = PortReference { acquirer: 7, port: RawPort(50_000_u16.swap_bytes()) };
    observe(&mut transport, &mut processes, &TransportEvent::Released(released));
    let pools: [Pool; POOLS] = Default::default();
    assert_eq!(share(&mut transport, &pools).time_wait, 0);
}

#[test]
fn ports_of_sockets_are_told_whose_connections_the_other_side_has_closed() {
    let (mut transport, mut processes) = (Transport::default(), ProcessTable::default());
    let mut pools: [Pool; POOLS] = Default::default();
    for (tcb, port) in [(1, 50_000), (2, 50_001), (3, 50_002)] {
        let family = Some(Family::Ipv4);
        let event = TransportEvent::Connection { tcb, pid: 900, family, local_port: Some(port), compartment: None };
        observe(&mut transport, &mut processes, &event);
        pools[TCP4.index()].hold(Some(port), Owner::Unknown, tcb, FileTime(1));
        observe(&mut transport, &mut processes, &TransportEvent::State { tcb, state: CLOSE_WAIT });
    }
    observe(&mut transport, &mut processes, &TransportEvent::State { tcb: 3, state: CLOSED });
    let of: Vec<u32> = share(&mut transport, &pools).close_wait_of.into_values().collect();
    assert_eq!(of, [2], "a connection that was closed on both sides is none");
}
