//! What to do next.

use super::codes;

codes! {
    /// A recommendation, least invasive first.
    RecommendationCode, "recommendation" {
        Capture = "capture",
            "the trace does not show whether ports ran out, or who holds them: the commands capture one that does. They start a tracing session, which `undo` stops",
            "Run the commands on the server while programs fail, or before they fail if the report does not name the holder. The first starts a session with the providers that this report needs, the second lists what no trace shows, the last stops the session. Nothing but tracing changes, and `netsh trace stop` ends it.";
        Confirm = "confirm",
            "list the sockets on the server",
            "A list of sockets with their processes shows who holds the ports now, also those taken before the trace. `netstat` needs `-q` to list sockets that are only bound, and administrator's rights to name programs. Put the listing beside the trace and analyze the folder again: it is the strongest evidence about holders.";
        Collect = "collect",
            "what is missing: port ranges, excluded ranges, the System log",
            "Each command writes a listing that makes the report more certain: the real size of the pool, ports that are excluded from it, and the System log with Tcpip's own entries. They change nothing. Put the files beside the trace and analyze the folder again.";
        RestoreRange = "restore_range",
            "the range of a full pool is smaller than the default: first make it as large again; `undo` sets the old one, where `netsh` accepts that",
            "Somebody gave the pool fewer ports than Windows has by default, so that it runs out early. The command sets the default range of 49152 to 65535, which acts at once and without a restart. See afterwards whether it is enough: a leak fills the default range too.";
        FindService = "find_service",
            "the top holder is an svchost.exe whose services are not known",
            "Many services of Windows run in processes named svchost.exe, and some of these must never be ended or restarted. The command lists the services of the one that holds the ports. Put the list beside the trace and analyze again: the report then says which of them may be restarted.";
        FindListener = "find_listener",
            "binds met a port in use, and ports did not run out: see who has it",
            "A program asks for a certain port that another socket has. The listing names the process that has the port; where that is System, the second listing names the program behind http.sys. Stop one of the two, or give it another port. Free ports do not help.";
        CheckMemory = "check_memory",
            "binds failed because the kernel lacked memory, and ports did not run out: see what uses the kernel's memory",
            "The kernel had no memory for a socket, which programs see as the same error 10055. The commands show how large its pools are, and which processes use most of the nonpaged one. A process with very many handles, or a driver, is usually behind it.";
        Vendor = "vendor",
            "what to give to the vendor of the top holder",
            "The command lists the socket events of the top holder alone, which its vendor can compare with the program's own log. Send it together with this report. Read it first: it holds addresses of the network.";
        RestartHolder = "restart_holder",
            "restart the top holder, if it is an application that leaks or has a quarter of the pool; this also confirms it",
            "Ending the process gives its ports back, which relieves the server at once. If outbound connections recover, that confirms that this process held the ports. It will fill the pool again, so restart it only after the evidence is saved. Plan for the interruption of what it serves.";
        RestartAtConsole = "restart_at_console",
            "the top holder hosts a service whose restart can cut a remote connection",
            "Restarting this service may drop Remote Desktop sessions, or change the address or the network profile of the server. Do it at the console, at a time when that does no harm. The report gives no command, so that nobody runs it over the network.";
        RestartServer = "restart_server",
            "the same for a part of Windows that cannot be restarted alone",
            "The top holder is a process without which Windows stops, so its ports come back only with a restart of the server. Look first for what makes it hold ports: such processes act for others. Save the evidence before the restart.";
        FindDriver = "find_driver",
            "the kernel holds the ports: see which drivers there are",
            "System holds a large part of the pool, on behalf of a driver and not of an application. The commands list drivers and file system filters: look for those of backup, antivirus, storage and tunnels. Ask their vendors, and try with one of them stopped at a time.";
        HolderEnded = "holder_ended",
            "the top holder has ended: see whether it comes back",
            "The process that held most ports has ended, so it cannot be restarted. What started it, a service or a scheduled task, may start it again and fill the pool again. The command lists scheduled tasks. List the sockets too: ports can stay with processes that inherited them.";
        FindStarter = "find_starter",
            "the top holder is an image whose processes come and go: find what starts them",
            "No single process holds much, but many of one image come and go, and each leaves its ports behind. Find what starts them: a scheduled task, a monitoring program, a script. One process that does the work, or fewer starts, needs fewer ports.";
        ReduceLoad = "reduce_load",
            "the top holder needs its ports: it gives them back, and uses many at once",
            "The top holder opens many connections at once and closes them properly: this is load, not a leak. Have it keep and reuse connections, or spread it over several machines. A wider range of ports buys time.";
        ReuseConnections = "reuse_connections",
            "ports are in TIME_WAIT after short connections, or new connections meet old ones there (Tcpip 4227)",
            "A program opens connections and closes them soon, and each closed one keeps its port for some minutes in TIME_WAIT. Have it reuse connections (keep-alive, a connection pool). The command shows whether somebody has made TIME_WAIT longer than the default, or who is behind it.";
        ShortenTimeWait = "shorten_time_wait",
            "much of a full pool is in TIME_WAIT: a shorter one (TcpTimedWaitDelay); `undo` removes the value",
            "The registry value TcpTimedWaitDelay sets how many seconds a closed connection keeps its port. It is absent by default, which means 120 s; Microsoft's newest page says 4 minutes. Windows accepts 30 to 300 s; from 8.1 and Server 2012 R2 on, 2 to 300 s. It may need a restart to see the change. A shorter time buys time: the cure is to reuse connections.";
        SharePorts = "share_ports",
            "the top holder connects to different addresses, which can share ports (SO_REUSE_UNICASTPORT, an auto-reuse range); `undo` turns the range off",
            "One local port can serve several connections if their remote addresses differ. From Windows 10 and Server 2016 on, connects without a bind do so, and sockets with SO_REUSE_UNICASTPORT, as .NET 6 and later set it, once an auto-reuse range is set; 0 means off. It does not help where all connections go to one address and port.";
        Reservations = "reservations",
            "see which ranges are reserved, where a full pool has reserved ports or binds were refused with access denied",
            "A part of the pool is reserved or excluded, and Windows gives it to nobody else even while it is unused; a bind to a port in such a range ends with access denied. The commands list these ranges, those that last over a restart apart, and whether WinNAT and HNS run. Blocks of 100 ports are usual for WinNAT, blocks of 64 for the load balancer of HNS, and a star marks those of an administrator or of HNS itself. A program can be given a port outside of these ranges, or have its port excluded for it before others are reserved.";
        WidenPool = "widen_pool",
            "a wider dynamic range that `netsh` accepts (start 1025 or more, 255 ports or more, up to 65535) and that no excluded range cuts; `undo` sets the old one, where `netsh` accepts that",
            "A wider range gives the server more ports at once, without a restart. It buys time and cures nothing: a leak fills the wider range too. Ports of services that lie in the new range can be given to clients before the service starts, so exclude them first. `undo` sets the old range again, where that is known and allowed.";
        CannotWiden = "cannot_widen",
            "every longer range has excluded ports",
            "Every range longer than the present one has excluded ports in it, so more ports cannot be had this way. See which exclusions are needed, and act on the holder.";
        MemoryDump = "memory_dump",
            "the last resort where most of a full pool stays unexplained",
            "If no listing shows who holds the ports, a complete memory dump does: it has the sockets of the kernel and of processes that have ended. Take it while the pool is full. It stops the server for as long as writing its memory takes, so it comes last.";
    }
}

impl RecommendationCode {
    /// Whether the first screen of a report tells it: what to capture, where the verdict is that nothing can be told.
    pub const fn on_first_screen(self) -> bool {
        matches!(self, Self::Capture)
    }
}
