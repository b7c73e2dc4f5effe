//! What ports may be that nothing explains.

use super::codes;

codes! {
    /// What may have the ports of a full pool that nothing explains.
    PossibleCause, "possible cause" {
        BoundBeforeCapture = "bound_before_capture",
            "sockets that were bound before the capture began",
            "Sockets that were bound before the trace began are not in it, unless they were connected and TCP/IP listed them. A listing with `netstat -anobq` shows them. A trace that begins before the failures does too.";
        Kernel = "kernel",
            "the kernel, on behalf of drivers",
            "Drivers open sockets of their own, for which Winsock writes no events. Listings show them under PID 4 or not at all. If no process turns out to hold the ports, look at the drivers of backup, antivirus, storage and tunnel software.";
        EndedProcesses = "ended_processes",
            "sockets left by processes that have ended",
            "Ports can stay taken after their process has ended, where a driver or another process still holds the socket. A listing may show a PID that no longer exists. Who holds them decides what frees them; a restart of the server always does.";
        ExcludedRanges = "excluded_ranges",
            "excluded ranges; no listing was given",
            "Ports that are excluded or reserved are never given out, and no socket holds them. `netsh int ipv4 show excludedportrange protocol=tcp` lists them. Put that listing beside the trace.";
        LongerTimeWait = "longer_time_wait",
            "more ports in TIME_WAIT than the shorter estimate has",
            "How long a closed connection keeps its port depends on the version and the settings of Windows. The report uses the shorter of the two usual times. With the longer one, more ports are in TIME_WAIT. A netstat listing shows how many.";
        BoundNotListed = "bound_not_listed",
            "`netstat` without `-q` hides bound sockets",
            "The listing shows no socket that is bound and not connected, because `netstat` hides these without `-q`. A program that binds and never connects or closes can hold a whole pool that way. List again with `netstat -anobq`.";
        DualStack = "dual_stack",
            "sockets of IPv6 hold at least half as many ports, and no event shows which of them take the port of IPv4 too",
            "A socket of IPv6 can serve IPv4 as well and then takes the port in both pools. No event says which sockets do, and many libraries open all of theirs so. Look at the holders of the IPv6 pool: they may be those of the IPv4 pool.";
    }
}

impl PossibleCause {
    /// As part of a sentence that lists what it may be.
    pub const fn phrase(self) -> &'static str {
        match self {
            Self::BoundBeforeCapture => "bound before the capture began",
            Self::DualStack => "taken by sockets of IPv6 that serve IPv4 too (see those of IPv6)",
            Self::Kernel => "held by the kernel (drivers)",
            Self::BoundNotListed => "bound sockets, which netstat lists only with -q",
            Self::EndedProcesses => "left by processes that have ended",
            Self::ExcludedRanges => "excluded ranges (no listing was given)",
            Self::LongerTimeWait => "a longer TIME_WAIT than estimated",
        }
    }
}
