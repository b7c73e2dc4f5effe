//! What rows are marked with.

use super::codes;

codes! {
    /// What a process is in the case. In the order of the strings, in which reports list them.
    Role, "role" {
        Holder = "holder",
            "has a row in `holders[]`",
            "The process holds ports of a pool. How many, how that is known and what it looks like is in `holders[]`. Holding ports is no fault while the pool is not full.";
        Kernel = "kernel",
            "PID 0 or 4",
            "The process stands for the kernel: Idle or System. What it does is done by drivers, or in the context of whoever happened to run. It is never restarted or blamed like an application.";
        Victim = "victim",
            "bind failures",
            "A bind of this process failed because no local port was free. It suffers from the shortage, which says nothing about who causes it. Connect failures make no victim: see their own column.";
    }
}

codes! {
    /// What the classic procedure would remark about a process.
    Remark, "remark" {
        HandlesOver3000 = "handles_over_3000",
            "more than 3,000 handles",
            "The process has more than 3,000 handles, the number from which Microsoft's procedure examines a process. Each socket is a handle, but most handles are not sockets. Compare with the sockets of the same row.";
        HandlesOver10000 = "handles_over_10000",
            "more than 10,000 handles",
            "The process has more than 10,000 handles, which Microsoft's procedure calls suspicious. A leak of sockets shows as a leak of handles. Compare with the sockets of the same row, and list again later to see whether they grow.";
        HandlesExempt = "handles_exempt",
            "more than 3,000 handles, in a process that has many at all times",
            "System, lsass and database engines have many handles at all times, and Microsoft's procedure exempts them. The number says nothing by itself. Look at their sockets.";
        ManyAfdHandles = "many_afd_handles",
            "more than 500 handles of sockets",
            "The process has more than 500 handles of sockets (`\\Device\\Afd`). Hundreds are abnormal, says Microsoft's procedure, though servers with many clients have them too. These handles also show sockets that netstat hides.";
    }
}

impl Remark {
    /// As a table says it.
    pub const fn phrase(self) -> &'static str {
        match self {
            Self::HandlesOver3000 => "more than 3,000 handles",
            Self::HandlesOver10000 => "more than 10,000 handles",
            Self::HandlesExempt => "many handles, usual here",
            Self::ManyAfdHandles => "more than 500 sockets",
        }
    }
}
