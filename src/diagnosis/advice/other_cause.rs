//! Steps where it is not ports: each other cause that was seen has its own.

use super::{Recommendation, unchanging};
use crate::diagnosis::alternatives::{PortOwner, Symptoms};
use crate::diagnosis::codes::RecommendationCode;
use crate::words::counted;

/// Steps for what failed without a shortage of ports.
pub(super) fn other_cause_steps(symptoms: &Symptoms) -> Vec<Recommendation> {
    let mut list = Vec::new();
    let port_of = |port: Option<u16>| port.map_or_else(|| "the port".to_owned(), |port| format!("port {port}"));
    if symptoms.in_use.count > 0 {
        let port = match symptoms.in_use.scattered {
            Some((ports, first, last)) => format!("the {} from {first} to {last}", counted(ports, "port")),
            None => port_of(symptoms.in_use.port),
        };
        let whose = match &symptoms.in_use.port_owner {
            Some(PortOwner { label, by }) => format!("{by} shows that it is {label}"),
            None => "the listing names the process".to_owned(),
        };
        let text = format!(
            "see who has {port}: {whose}. If that is System (PID 4), http.sys has it for a program of the second list. Stop one of the two programs, or give it another port"
        );
        let commands = ["netstat -anob > netstat-b.txt", "netsh http show servicestate > http.txt"];
        list.push(unchanging(RecommendationCode::FindListener, &text, &commands));
    }
    if symptoms.denied.count > 0 {
        let port = port_of(symptoms.denied.port);
        let text = format!(
            "see whether {port} lies in an excluded range, or another program uses it exclusively. {}. Give the program a port outside of these ranges, or exclude its port for it before the others are reserved",
            super::widen::WHO_RESERVES
        );
        let commands = [
            "netsh int ipv4 show excludedportrange protocol=tcp > excludedport-ipv4.txt",
            "netsh int ipv4 show excludedportrange protocol=udp >> excludedport-ipv4.txt",
            "netstat -anob > netstat-b.txt",
        ];
        list.push(unchanging(RecommendationCode::Reservations, &text, &commands));
    }
    if symptoms.no_memory.count > 0 {
        let text = "look at the memory of the kernel: the nonpaged pool, and the processes that use most of it. Free ports do not help";
        let commands = [
            "powershell -c \"Get-CimInstance Win32_PerfFormattedData_PerfOS_Memory | Format-List Pool*Bytes,AvailableMBytes\" > memory.txt",
            "powershell -c \"Get-Process | Sort-Object NonpagedSystemMemorySize64 -Descending | Select-Object -First 20 Id,ProcessName,HandleCount,NonpagedSystemMemorySize64\" > nonpaged.txt",
        ];
        list.push(unchanging(RecommendationCode::CheckMemory, text, &commands));
    }
    if symptoms.tuple_reuse_events > 0 {
        let text = "have the program that opens many short connections to one server keep and reuse them: a new connection met an old one that is still in TIME_WAIT (Tcpip 4227). The listing shows which remote address has most rows in TIME_WAIT. Options to share ports do not help against a single address";
        let commands = [super::capture::LIST_SOCKETS];
        list.push(unchanging(RecommendationCode::ReuseConnections, text, &commands));
    }
    list
}
