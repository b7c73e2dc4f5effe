//! What else it could be.

use super::codes;

codes! {
    /// Another cause of what users see.
    AlternativeCode, "alternative" {
        FixedPortConflict = "fixed_port_conflict",
            "binds that met a port in use (0xC000020A, 0xC0000043)",
            "A program asked for a fixed port that another socket already has. Programs see Winsock error 10048, which exhaustion can also cause. Two programs conflict, or one program with itself after a quick restart; free ports do not help. See who listens on that port.";
        ExcludedRange = "excluded_range",
            "binds refused with 0xC0000022, and ports of the pools that listings say are excluded",
            "Windows refused a bind with access denied, as it does for ports in excluded ranges and for ports that another socket uses exclusively. Programs see Winsock error 10013. Hyper-V, containers and administrators exclude ranges; `netsh int ipv4 show excludedportrange protocol=tcp` lists them. Excluded ports inside a pool also make it smaller.";
        MemoryShortage = "memory_shortage",
            "binds that failed with 0xC000009A: applications see 10055 there too",
            "A bind failed because the kernel had no memory for it, and ports were free. Programs see the same Winsock error 10055 for both. Look at the paged and nonpaged pools of the kernel instead of at ports.";
        TupleReuse = "tuple_reuse",
            "Tcpip 4227: a connection's addresses were used again too soon; `unknown` where no System log goes back to before the traces and on into their time",
            "Windows logged that a connection could not be opened because the same pair of addresses and ports was used shortly before and still waits. Alone this is not exhaustion: it comes from many short connections to one server. Have the program reuse its connections.";
        TimeWait497Days = "time_wait_497_days",
            "KB2553549, by build and uptime",
            "On Windows Vista to 7 and Server 2008 to 2008 R2 a counter ends after 497 days without a restart, and ports in TIME_WAIT never come back from then on. It is ruled out by the build or by the time since the last start. Where it fits, install KB2553549 or restart the server.";
    }
}
