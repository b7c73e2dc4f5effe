//! What to do next.

use super::codes;

codes! {
    /// A recommendation, least invasive first.
    RecommendationCode, "recommendation" {
        Capture = "capture",
            "the trace cannot tell, or not who holds the ports: the commands capture one that can. They start a tracing session, which `undo` stops",
            "Run the commands on the server while programs fail, or from before the trouble if the holder is not in sight. The first starts a session with the providers that this report needs, the second lists what no trace tells, the last stops the session. Nothing but tracing changes, and `netsh trace stop` ends it.";
        Confirm = "confirm",
            "list the sockets on the server",
            "A list of sockets with their processes shows who holds the ports now, also those taken before the trace. `netstat` needs `-q` to list sockets that are only bound, and administrator's rights to name programs. Put the listing beside the trace and analyze the folder again: it is the strongest evidence about holders.";
        Collect = "collect",
            "what is missing: port ranges, excluded ranges, the System log",
            "Each command writes a listing that makes the report more certain: the real size of the pool, ports that are excluded from it, and the System log with Tcpip's own entries. They change nothing. Put the files beside the trace and analyze the folder again.";
        Vendor = "vendor",
            "what to give to the vendor of the top holder",
            "The command lists the socket events of the top holder alone, which its vendor can compare with the program's own log. Send it together with this report. Read it first: it holds addresses of the network.";
        RestartHolder = "restart_holder",
            "restart the top holder, if it is an application that leaks or has a quarter of the pool; proves it too",
            "Ending the process gives its ports back, which relieves the server at once. If outbound connections return, it is proven that this process held the ports. It will fill the pool again, so restart it only after the evidence is saved. Plan for the interruption of what it serves.";
        RestartServer = "restart_server",
            "the same of a part of Windows that cannot be restarted alone",
            "The top holder is a process without which Windows stops, so its ports come back only with a restart of the server. Look first for what makes it hold ports: such processes act for others. Save the evidence before the restart.";
        FindDriver = "find_driver",
            "the kernel holds the ports: see which drivers there are",
            "System holds a large part of the pool, on behalf of a driver and not of an application. The commands list drivers and file system filters: look for those of backup, antivirus, storage and tunnels. Ask their vendors, and try with one of them stopped at a time.";
        HolderEnded = "holder_ended",
            "the top holder has ended: see whether it comes back",
            "The process that held most ports has ended, so it cannot be restarted. What started it, a service or a scheduled task, may start it again and fill the pool again. The command lists scheduled tasks. List the sockets too: ports can stay with processes that inherited them.";
        ReduceLoad = "reduce_load",
            "the top holder needs its ports: it gives them back, and uses many at once",
            "The top holder opens many connections at once and closes them properly: it is load and no leak. Have it keep and reuse connections, or spread it over several machines. A wider range of ports buys time.";
        ReuseConnections = "reuse_connections",
            "the top holder leaves its ports in TIME_WAIT",
            "The top holder opens connections and closes them soon, and each closed one keeps its port for some minutes in TIME_WAIT. Have it reuse connections (keep-alive, a connection pool). The command shows whether somebody has made TIME_WAIT longer than the default.";
        Reservations = "reservations",
            "look up which ranges are reserved",
            "The top holder has reserved a range of ports, which nobody else is given even while they are unused. The command lists reserved and excluded ranges. See whether the program can be told to reserve fewer.";
        WidenPool = "widen_pool",
            "a wider dynamic range that `netsh` accepts (start 1025 or more, 255 ports or more, up to 65535) and that no excluded range cuts; `undo` sets the old one, where `netsh` accepts that",
            "A wider range gives the server more ports at once, without a restart. It buys time and cures nothing: a leak fills the wider range too. Ports of services that lie in the new range can be given to clients before the service starts, so exclude them first. `undo` sets the old range again, where that is known and allowed.";
        CannotWiden = "cannot_widen",
            "there is no longer range",
            "No range that is longer than the present one is left without excluded ports in it. More ports cannot be had this way. See which exclusions are needed, and act on the holder.";
        MemoryDump = "memory_dump",
            "the last step where most of a full pool stays unexplained",
            "If no listing shows who holds the ports, a complete memory dump does: it has the sockets of the kernel and of processes that have ended. Take it while the pool is full. It stops the server for as long as writing its memory takes, so it comes last.";
    }
}

impl RecommendationCode {
    /// Whether the first screen of a report tells it: what to capture, where the verdict is that nothing can be told.
    pub const fn on_first_screen(self) -> bool {
        matches!(self, Self::Capture)
    }
}
