//! Events that a report is drawn from, or that it names.

use super::{Explanation, Kind};

/// Provider, id, meaning, explanation, codes to look at.
type Event = (&'static str, &'static str, &'static str, &'static str, &'static [&'static str]);

const AFD: &str = "Microsoft-Windows-Winsock-AFD";
const TCPIP: &str = "Microsoft-Windows-TCPIP";
const LOG: &str = "Tcpip";
const PROCESS: &str = "Microsoft-Windows-Kernel-Process";
const MOF: &str = "Process (MOF)";

const EVENTS: [Event; 55] = [
    (
        AFD,
        "1",
        "a socket was created, in the dialect of Windows Vista and Server 2008",
        "It names the process that created the socket, which owns it. Later Windows logs 1000 instead.",
        &["1000"],
    ),
    (
        AFD,
        "2",
        "a bind to an IPv4 address, in the dialect of Windows Vista and Server 2008",
        "It completes a bind, with its status. 0xC0000209 is a bind failure that the report counts.",
        &["0xC0000209"],
    ),
    (
        AFD,
        "3",
        "a bind to an IPv6 address, in the dialect of Windows Vista and Server 2008",
        "It completes a bind, with its status. 0xC0000209 is a bind failure that the report counts.",
        &["0xC0000209"],
    ),
    (
        AFD,
        "4",
        "a connect to an IPv4 address began, in the dialect of Windows Vista and Server 2008",
        "It tells the remote address; 6 tells how the connect ended.",
        &["6"],
    ),
    (
        AFD,
        "5",
        "a connect to an IPv6 address began, in the dialect of Windows Vista and Server 2008",
        "It tells the remote address; 6 tells how the connect ended.",
        &["6"],
    ),
    (
        AFD,
        "6",
        "a connect ended, in the dialect of Windows Vista and Server 2008",
        "It completes a connect, with its status. 0xC0000209 is a connect failure, which is counted apart from binds.",
        &["0xC0000209"],
    ),
    (
        AFD,
        "13",
        "a socket was closed, in the dialect of Windows Vista and Server 2008",
        "Its port comes back, for connected TCP sockets perhaps after TIME_WAIT.",
        &[],
    ),
    (
        AFD,
        "14",
        "the last handle of a socket was closed, in the dialect of Windows Vista and Server 2008",
        "Its port comes back, for connected TCP sockets perhaps after TIME_WAIT.",
        &[],
    ),
    (
        AFD,
        "40",
        "a bind failed, in the dialect of Windows Vista and Server 2008",
        "It completes a bind that did not succeed. 0xC0000209 is a bind failure that the report counts.",
        &["0xC0000209"],
    ),
    (
        AFD,
        "1000",
        "AfdCreate: a socket is created",
        "It names the process that creates the socket, which owns all that the socket does. Without it the owner is known by the EPROCESS address or the record's header.",
        &["weak_owners"],
    ),
    (
        AFD,
        "1001",
        "AfdClose: a socket is closed",
        "The first close or cleanup of a socket gives its port back, for connected TCP sockets perhaps after TIME_WAIT. A session without closes cannot tell what is held.",
        &["no_close_events"],
    ),
    (
        AFD,
        "1002",
        "AfdCleanup: the last handle of a socket is closed",
        "The first close or cleanup of a socket gives its port back, for connected TCP sockets perhaps after TIME_WAIT. A session without closes cannot tell what is held.",
        &["no_close_events"],
    ),
    (
        AFD,
        "1017",
        "AfdConnect: a connect, without the address",
        "With EnterExit 1 it completes a connect. With 0xC0000209 that is a connect failure, counted apart from binds: the port was to be chosen at connect time.",
        &["connect_failures", "0xC0000209"],
    ),
    (
        AFD,
        "1018",
        "AfdConnectWithAddress: a connect, with the remote address",
        "With EnterExit 1 it completes a connect. With 0xC0000209 that is a connect failure, counted apart from binds: the port was to be chosen at connect time.",
        &["connect_failures", "0xC0000209"],
    ),
    (
        AFD,
        "1020",
        "AfdConnectEx: a ConnectEx, without the address",
        "With EnterExit 1 it completes a connect. With 0xC0000209 that is a connect failure, counted apart from binds: the port was to be chosen at connect time.",
        &["connect_failures", "0xC0000209"],
    ),
    (
        AFD,
        "1021",
        "AfdConnectExWithAddress: a ConnectEx, with the remote address",
        "With EnterExit 1 it completes a connect. With 0xC0000209 that is a connect failure, counted apart from binds: the port was to be chosen at connect time.",
        &["connect_failures", "0xC0000209"],
    ),
    (
        AFD,
        "1029",
        "AfdBind: a bind, without the address",
        "With EnterExit 1 it completes a bind. With 0xC0000209 that is a bind failure: no local port was free. Records with EnterExit 2 to 4 count only where the bind has no completion of its own.",
        &["bind_failures", "0xC0000209"],
    ),
    (
        AFD,
        "1030",
        "AfdBindWithAddress: a bind, with the local address",
        "With EnterExit 1 it completes a bind, with the address that it was given. With 0xC0000209 that is a bind failure: no local port was free. Records with EnterExit 2 to 4 count only where the bind has no completion of its own.",
        &["bind_failures", "0xC0000209"],
    ),
    (
        TCPIP,
        "1001",
        "an endpoint was created",
        "It names the process of an endpoint below the sockets, also of the kernel's own.",
        &["kernel"],
    ),
    (TCPIP, "1002", "a connect was requested", "It tells whose a connection is.", &[]),
    (
        TCPIP,
        "1006",
        "TCP refused a bind",
        "With 0xC0000209 TCP/IP itself says that no port was free. It is the layer below Winsock, so it also shows requests without a socket. Where Winsock reports the same request, it counts once.",
        &["tcpip_refusals", "0xC0000209"],
    ),
    (
        TCPIP,
        "1013",
        "a TCP endpoint was created, with its network compartment",
        "Containers have compartments of their own, with pools of their own.",
        &[],
    ),
    (TCPIP, "1033", "a connect completed", "It tells whose a connection is.", &[]),
    (
        TCPIP,
        "1050",
        "TCP refused a connect",
        "With 0xC0000209 TCP/IP itself says that no port was free for a connection. Where Winsock reports the same request, it counts once.",
        &["tcpip_refusals", "0xC0000209"],
    ),
    (
        TCPIP,
        "1051",
        "a connection changed its state",
        "It tells when connections that are older than the trace close.",
        &[],
    ),
    (
        TCPIP,
        "1052",
        "a port range was reserved",
        "Windows gives ports of a reserved range to nobody else. It names the process that asked for it.",
        &["reservations"],
    ),
    (
        TCPIP,
        "1054",
        "a port range was reserved",
        "Windows gives ports of a reserved range to nobody else. It names the process that asked for it.",
        &["reservations"],
    ),
    (
        TCPIP,
        "1110",
        "the global parameters of TCP",
        "It tells how long a closed connection keeps its port in TIME_WAIT. Without it the report estimates with two lengths.",
        &["time_wait_nearly_full"],
    ),
    (
        TCPIP,
        "1191",
        "a port was acquired",
        "Something below the sockets took a port, also the kernel for a driver. The report puts these together with the sockets' ports.",
        &["1193"],
    ),
    (TCPIP, "1193", "a port was released", "Something below the sockets gave a port back.", &["1191"]),
    (
        TCPIP,
        "1195",
        "a port was given although others use it",
        "TCP/IP found no free port and gave one that is in use already. The program notices nothing, but the pool had no port left.",
        &["weak_references"],
    ),
    (
        TCPIP,
        "1300",
        "a connection that was there when the trace began",
        "TCP/IP lists older connections when a session starts, with process and state. Holders that bound before the capture are seen by it.",
        &["B"],
    ),
    (
        TCPIP,
        "1366",
        "a bind left the choice of the port to connect",
        "Such a bind holds no port. With port reuse, shortage shows at connect.",
        &["connect_failures"],
    ),
    (TCPIP, "1391", "a UDP endpoint was created", "It names the process of a UDP endpoint.", &[]),
    (
        TCPIP,
        "1394",
        "UDP refused a bind",
        "With 0xC0000209 TCP/IP itself says that no UDP port was free. Where Winsock reports the same request, it counts once.",
        &["tcpip_refusals", "0xC0000209"],
    ),
    (TCPIP, "1396", "a UDP endpoint was bound", "It holds a UDP port from here on.", &[]),
    (TCPIP, "1397", "a UDP endpoint was closed", "It gives its UDP port back.", &[]),
    (
        LOG,
        "4226",
        "a limit of half-open connects was reached",
        "An entry of the System log of old Windows (XP to Vista). It is about connects that were not answered, not about ports.",
        &[],
    ),
    (
        LOG,
        "4227",
        "a connection's addresses were used again too soon",
        "An entry of the System log: a new connection met an old one to the same remote address that still waits in TIME_WAIT. Alone it tells of many connections to one server, not of a shortage of ports; programs see Winsock error 10048.",
        &["tuple_reuse", "reuse_connections", "10048"],
    ),
    (
        LOG,
        "4228",
        "window scaling was restricted",
        "An entry of the System log about TCP's window scaling. It says nothing about ports.",
        &[],
    ),
    (
        LOG,
        "4229",
        "memory pressure, perhaps an attack",
        "An entry of the System log about TCP under memory pressure. It says nothing about ports, but explains failures with Winsock error 10055 too.",
        &["10055"],
    ),
    (
        LOG,
        "4230",
        "connections were closed under memory pressure",
        "An entry of the System log about TCP under memory pressure. It says nothing about ports, but explains failures with Winsock error 10055 too.",
        &["10055"],
    ),
    (
        LOG,
        "4231",
        "all TCP ports of the dynamic range were in use",
        "An entry of the System log: Windows could not give out a TCP port. It names no process, and need not repeat while the shortage lasts. Inside the span of the traces it makes the verdict `exhausted`, alone with low confidence.",
        &["pool_full_events", "4266"],
    ),
    (
        LOG,
        "4265",
        "the limit of UDP endpoints was reached",
        "An entry of the System log about UDP endpoints.",
        &["4266"],
    ),
    (
        LOG,
        "4266",
        "all UDP ports of the dynamic range were in use",
        "An entry of the System log: Windows could not give out a UDP port. It names no process. DNS look-ups fail then too. Inside the span of the traces it makes the verdict `exhausted`, alone with low confidence.",
        &["pool_full_events", "4231"],
    ),
    (
        "NETLOGON",
        "5719",
        "no domain controller could be reached",
        "An entry of the System log that often goes with a shortage of ports, since every new connection fails. Alone it says nothing about ports.",
        &["4231"],
    ),
    (
        "Microsoft-Windows-GroupPolicy",
        "1129",
        "group policy found no domain controller",
        "An entry of the System log that often goes with a shortage of ports, since every new connection fails. Alone it says nothing about ports.",
        &["4231"],
    ),
    (
        "Microsoft-Windows-DNS-Client",
        "8015",
        "a host record could not be registered",
        "An entry of the System log that often goes with a shortage of UDP ports. Alone it says nothing about ports.",
        &["4266"],
    ),
    (
        "Microsoft-Windows-DNS-Client",
        "8018",
        "a host record could not be registered",
        "An entry of the System log that often goes with a shortage of UDP ports. Alone it says nothing about ports.",
        &["4266"],
    ),
    (
        PROCESS,
        "1",
        "a process started",
        "It tells PID, start and image. Names of processes older than the trace come from 15, or from a process list.",
        &[],
    ),
    (
        PROCESS,
        "2",
        "a process ended",
        "It tells PID, start and end. Ports of a process that has ended come back, unless another one inherited the sockets.",
        &["ended_processes"],
    ),
    (
        PROCESS,
        "15",
        "a process that was there when it was asked for",
        "The rundown of processes, which `netsh` does not ask for: give a process list with --tasklist instead.",
        &[],
    ),
    (MOF, "1", "a process started, as the kernel logger tells", "It tells PID, EPROCESS address and image.", &[]),
    (MOF, "2", "a process ended, as the kernel logger tells", "It tells PID, EPROCESS address and image.", &[]),
    (
        MOF,
        "3",
        "a process at the start or end of the kernel logger's session (3, 4)",
        "It tells PID, EPROCESS address and image of processes that are older than the trace.",
        &[],
    ),
];

pub(super) fn all() -> impl Iterator<Item = Explanation> {
    EVENTS.iter().map(|(provider, id, meaning, explanation, see)| Explanation {
        name: Some((*provider).to_owned()),
        see: see.iter().map(|code| (*code).to_owned()).collect(),
        ..Explanation::new(Kind::Event, id, meaning, explanation)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::{EventId, Provider};

    #[test]
    fn every_event_that_the_analysis_uses_is_explained() {
        let mut used = 0;
        for (name, provider) in [(AFD, Provider::Afd), (TCPIP, Provider::Tcpip), (PROCESS, Provider::KernelProcess)] {
            for id in (0..=u16::MAX).filter(|id| EventId::is_used(provider, *id)) {
                let text = id.to_string();
                assert!(EVENTS.iter().any(|(provider, id, ..)| *provider == name && *id == text), "{name} {id}");
                used += 1;
            }
        }
        assert!(used > 30);
    }

    #[test]
    fn every_entry_of_a_log_that_is_kept_is_explained() {
        for (provider, ids) in crate::side::event_log::KNOWN {
            for id in ids {
                let text = id.to_string();
                assert!(EVENTS.iter().any(|(known, id, ..)| *known == provider && *id == text), "{provider} {id}");
            }
        }
    }
}
