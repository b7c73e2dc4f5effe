//! What is run beside the trace, and whether its output is worth keeping.

use std::time::Duration;

use super::super::system::{System, WhyMissing, ending};
use crate::side::{Kind, recognise};

/// A command, and the file that takes its output.
pub(super) struct Listing {
    /// The file.
    pub(super) file: &'static str,
    /// What it must hold.
    kind: Kind,
    /// The program.
    pub(super) program: &'static str,
    /// Its arguments, and those that older systems know.
    ways: &'static [&'static [&'static str]],
    /// A run that takes longer is ended.
    limit: Duration,
}

/// Time for a list of sockets or processes of a busy server.
const LONG: Duration = Duration::from_secs(60);

/// Time for what is a few lines.
const SHORT: Duration = Duration::from_secs(20);

const fn of_netsh(file: &'static str, kind: Kind, ways: &'static [&'static [&'static str]]) -> Listing {
    Listing { file, kind, program: "netsh", ways, limit: SHORT }
}

/// What vanishes first: sockets, then processes.
pub(super) const AT_ONCE: [Listing; 2] = [
    Listing {
        file: "netstat.txt",
        kind: Kind::Netstat,
        program: "netstat",
        ways: &[&["-anoq"], &["-ano"]],
        limit: LONG,
    },
    Listing { file: "tasklist.txt", kind: Kind::Tasklist, program: "tasklist", ways: &[&["/svc"]], limit: LONG },
];

/// What is the same an hour later.
pub(super) const LATER: [Listing; 8] = [
    of_netsh("dynamicport-ipv4-tcp.txt", Kind::DynamicPort, &[&["int", "ipv4", "show", "dynamicport", "tcp"]]),
    of_netsh("dynamicport-ipv4-udp.txt", Kind::DynamicPort, &[&["int", "ipv4", "show", "dynamicport", "udp"]]),
    of_netsh("dynamicport-ipv6-tcp.txt", Kind::DynamicPort, &[&["int", "ipv6", "show", "dynamicport", "tcp"]]),
    of_netsh("dynamicport-ipv6-udp.txt", Kind::DynamicPort, &[&["int", "ipv6", "show", "dynamicport", "udp"]]),
    of_netsh("excludedport-ipv4-tcp.txt", Kind::ExcludedPorts, &[&EXCLUDED_IPV4_TCP]),
    of_netsh("excludedport-ipv4-udp.txt", Kind::ExcludedPorts, &[&EXCLUDED_IPV4_UDP]),
    of_netsh("excludedport-ipv6-tcp.txt", Kind::ExcludedPorts, &[&EXCLUDED_IPV6_TCP]),
    of_netsh("excludedport-ipv6-udp.txt", Kind::ExcludedPorts, &[&EXCLUDED_IPV6_UDP]),
];

/// Names the service of a socket, which no other listing does. It looks into every process, which may take minutes on a busy
/// server: the archive is whole without it.
pub(super) const OPTIONAL: Listing = Listing {
    file: "netstat-b.txt",
    kind: Kind::Netstat,
    program: "netstat",
    ways: &[&["-anobq"], &["-anob"]],
    limit: Duration::from_secs(300),
};

const EXCLUDED_IPV4_TCP: [&str; 5] = ["int", "ipv4", "show", "excludedportrange", "protocol=tcp"];
const EXCLUDED_IPV4_UDP: [&str; 5] = ["int", "ipv4", "show", "excludedportrange", "protocol=udp"];
const EXCLUDED_IPV6_TCP: [&str; 5] = ["int", "ipv6", "show", "excludedportrange", "protocol=tcp"];
const EXCLUDED_IPV6_UDP: [&str; 5] = ["int", "ipv6", "show", "excludedportrange", "protocol=udp"];

impl Listing {
    /// Runs the command; gives it and its output, where that holds what it must.
    pub(super) fn take(&self, system: &dyn System) -> Result<(String, Vec<u8>), WhyMissing> {
        let mut whys: Vec<String> = Vec::new();
        for arguments in self.ways {
            let command = format!("{} {}", self.program, arguments.join(" "));
            let why = match system.command(self.program, arguments, self.limit) {
                Ok(output) if self.is_told_by(&output.stdout) => return Ok((command, output.stdout)),
                Ok(output) => {
                    format!("{command}: {}, {} bytes without a row", ending(output.code), output.stdout.len())
                }
                Err(why) => format!("{command}: {why}"),
            };
            whys.push(why);
        }
        Err(whys.join("; "))
    }

    /// Whether an output has rows. A usage text comes with exit code 0 too, and a code says little else.
    fn is_told_by(&self, output: &[u8]) -> bool {
        recognise(output, self.file).iter().any(|found| {
            let is_of_kind = found.kind == self.kind || (self.kind, found.kind) == (Kind::Netstat, Kind::NetstatLoop);
            // That nothing is excluded is an answer.
            found.is_useful && is_of_kind && (found.rows.rows > 0 || self.kind == Kind::ExcludedPorts)
        })
    }
}
