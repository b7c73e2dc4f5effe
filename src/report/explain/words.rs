//! The words of a report that are values of its fields: verdicts and confidence, suspects, patterns, evidence, owners.

use super::{Explanation, Kind};
use crate::diagnosis::holders::HolderEvidence;
use crate::diagnosis::state::State;
use crate::report::summary::{answer, evidence_name};
use crate::report::wording::OWNER_SOURCES;

/// Kind, code, meaning, explanation.
type Word = (Kind, &'static str, &'static str, &'static str);

const WORDS: [Word; 31] = [
    (
        Kind::Verdict,
        "exhausted",
        "a pool ran out of ports",
        "At least one bind or connect failed because no local port was free, TCP/IP's own events say so, or the System log does (Tcpip 4231, 4266). One failure is enough: the pool belongs to the machine, not to the program that failed. See `holders` for who has the ports.",
    ),
    (
        Kind::Verdict,
        "near",
        "a pool was nearly full, and nothing failed",
        "80 % or more of a pool was held or in TIME_WAIT at some moment, by trace, listing or estimate, and no request failed. The next peak can use up the rest. Look at the holders, and whether they grow.",
    ),
    (
        Kind::Verdict,
        "not_seen",
        "binds were seen, and none failed for want of a port",
        "The trace holds Winsock-AFD bind events, none of them failed with 0xC0000209, and nothing was lost or damaged that could hide one. That rules out exhaustion for the time of the trace alone. If programs failed at another time, capture again while they fail.",
    ),
    (
        Kind::Verdict,
        "cannot_tell",
        "the inputs cannot tell whether ports ran out",
        "The trace holds no bind events, has losses that could hide failures, or there are only listings that show neither. This is no \"no\". The recommendation `capture` has the commands for a trace that can tell.",
    ),
    (
        Kind::Confidence,
        "high",
        "direct evidence, and nothing that could hide more",
        "Failures or full pools were seen directly, nothing was lost or damaged, and at least 95 % of the failures have an owner that is known for sure. It is about the verdict: how far to trust a holder stands with the holder.",
    ),
    (
        Kind::Confidence,
        "medium",
        "direct evidence, with doubts that the report names",
        "Events were lost, a file is damaged, a log was overwritten or not closed, times are doubtful, or the owners of failures are known by weaker means. What was counted is a lower bound at least.",
    ),
    (
        Kind::Confidence,
        "low",
        "indirect evidence, a single failure, or heavy losses",
        "The verdict rests on an event log or an estimate of TIME_WAIT alone, on one failure, or on a trace that lost a tenth or more of its events or buffers. Confirm it with a capture: see `capture`.",
    ),
    (
        Kind::OwnerSource,
        "created_socket",
        "the process that created the socket",
        "The trace holds the creation of the socket, which names the process. It is the strongest way.",
    ),
    (
        Kind::OwnerSource,
        "eprocess",
        "the process at the kernel's address in the record",
        "The record has the address of the kernel's process object, and another record tells which process has that address at this time.",
    ),
    (
        Kind::OwnerSource,
        "header_location",
        "the process in the record's header, at a place in the driver where it is reliable",
        "The header names the process whose thread wrote the record. At this place in the driver that was found to be the one that asked.",
    ),
    (
        Kind::OwnerSource,
        "header_pid",
        "the process in the record's header",
        "The header names the process whose thread wrote the record, which may be another than the one that asked. It is used where nothing better is known, and lowers the confidence.",
    ),
    (
        Kind::OwnerSource,
        "unknown",
        "nothing tells the process",
        "The socket is older than the trace, and its records were written in the system's context. Such failures stand in a row without a PID.",
    ),
    (
        Kind::Suspect,
        "process",
        "one process has the ports",
        "One process holds more of the pool than any other, and a quarter of it or more; or it leaks, and has a quarter of what steady holders leave. It is named with the evidence for it. Failing does not make a process the suspect.",
    ),
    (
        Kind::Suspect,
        "processes",
        "two processes or more have the ports, and none stands out",
        "The second has seven tenths or more of what the first has, and does the like with its ports as far as that is known. A few ports more do not make one of them the cause. Of two, each has its step; of more, look at each before anything is restarted.",
    ),
    (
        Kind::Suspect,
        "image",
        "all processes of one image together have the ports",
        "The processes of one image hold a quarter or more of the pool together, and none of them does alone. Find what starts so many of them.",
    ),
    (
        Kind::Suspect,
        "images",
        "two images or more have the ports together, and none stands out",
        "The processes of each image hold much of the pool together. The second has seven tenths or more of what the first has, and does the like with its ports as far as that is known. Of two, each has its step; of more, look at each before anything is restarted.",
    ),
    (
        Kind::Suspect,
        "time_wait",
        "closed connections have the ports",
        "Connections that were closed shortly before hold a quarter of the pool or more in TIME_WAIT, and no process is known for as much. Reusing connections helps more than a shorter TIME_WAIT.",
    ),
    (
        Kind::Suspect,
        "sockets",
        "a process has many sockets whose ports nothing tells",
        "A listing of handles, or one that is grouped by process, counts many sockets of a process. It is the likely holder, but nothing shows which ports these sockets have. A netstat listing with -q shows them.",
    ),
    (
        Kind::Suspect,
        "not_shown",
        "somebody has the ports, and the inputs do not show who",
        "The pool was full, and what the trace and the listings show explains less than needed to name anybody. See `unexplained` for what may be behind it, and `capture` for how to see it.",
    ),
    (
        Kind::Suspect,
        "nobody",
        "nobody is seen to hold ports of a full pool",
        "No pool was full or nearly full, or nobody is seen to hold ports of it.",
    ),
    (
        Kind::Pattern,
        "leak",
        "it takes ports and does not give them back",
        "The process still grows when the pool is full, and closes few or none of the sockets that it opened. A restart frees its ports and confirms it. Its vendor needs the report: see `vendor`.",
    ),
    (
        Kind::Pattern,
        "load",
        "it needs many ports at once, and gives them back",
        "The process opens and closes sockets, and has many at a time. It may be as busy as it should be: fewer connections at once, reuse of connections, or a larger pool helps.",
    ),
    (
        Kind::Pattern,
        "churn",
        "it makes many short connections",
        "The process opens and closes connections faster than their ports come back from TIME_WAIT. Reuse connections; where it connects to several addresses, ports can be shared.",
    ),
    (
        Kind::Pattern,
        "steady",
        "it took its ports early and has not grown since",
        "The process holds many ports, but did not take any lately. It narrows the pool for all, and is not what fills it: who grows into the failure goes before it.",
    ),
    (
        Kind::Pattern,
        "reservation",
        "it has a range of ports reserved",
        "The process, or a program that has ended, reserved a range of the pool. Windows gives such ports to nobody else. See `reservations`.",
    ),
    (
        Kind::Evidence,
        "A",
        "a listing of sockets shows it",
        "A netstat or Get-NetTCPConnection listing shows the ports with their owner. It is the strongest evidence, for the moment when the listing was taken.",
    ),
    (
        Kind::Evidence,
        "B",
        "TCP/IP's list of connections shows it",
        "The TCPIP provider lists the connections that were there when the trace began (event 1300), with their process.",
    ),
    (
        Kind::Evidence,
        "C",
        "binds minus closes in the trace",
        "The process was given ports in the trace, and did not close so many sockets. Lost events make it less certain.",
    ),
    (
        Kind::Evidence,
        "D",
        "closed connections in TIME_WAIT, by estimate",
        "The process closed connections whose ports stay in TIME_WAIT for a while. Only the side that closes first waits, and the trace does not tell which side that was: the number is an upper bound.",
    ),
    (
        Kind::Evidence,
        "E",
        "failures alone",
        "Only failures are known, and these show no holder. Nobody is named for failing.",
    ),
    (
        Kind::Suspect,
        "kernel",
        "the kernel has the ports, on behalf of a driver",
        "TCP/IP's events show ports whose owner is the kernel. It works for a driver or a service within it: see `find_driver`. System cannot be restarted alone.",
    ),
];

/// What the first screen says for a code.
fn shown(kind: Kind, code: &str) -> Option<&'static str> {
    match kind {
        Kind::Verdict => {
            // The word of the fourth, `near`, is its code.
            let states = [State::Exhausted, State::NotSeen, State::CannotTell];
            states.into_iter().find(|state| state.as_str() == code).map(answer)
        }
        Kind::Evidence => {
            let graded = [
                ("A", HolderEvidence::A),
                ("B", HolderEvidence::B),
                ("C", HolderEvidence::C),
                ("D", HolderEvidence::D),
            ];
            graded.into_iter().find(|(grade, _)| *grade == code).map(|(_, evidence)| evidence_name(evidence))
        }
        Kind::OwnerSource => OWNER_SOURCES.into_iter().find(|(field, _)| *field == code).map(|(_, way)| way),
        _ => None,
    }
}

pub(super) fn all() -> Vec<Explanation> {
    let explained = WORDS.iter().map(|(kind, code, meaning, explanation)| Explanation {
        name: shown(*kind, code).map(str::to_owned),
        ..Explanation::new(*kind, code, meaning, explanation)
    });
    explained.collect()
}
