//! What to do next: exact commands, least invasive first, each saying whether it changes anything and how to undo it.

use serde::Serialize;

use super::holders::{Holder, Pattern, PoolFinding, excluded_in};
use super::verdict::State;
use crate::machine::pools::{PoolRange, RangeSource};
use crate::net::{Family, Protocol};
use crate::side::facts::ExcludedPorts;
use crate::words::grouped;

/// The capture that can answer, as commands to paste.
pub const CAPTURE_COMMANDS: [&str; 3] = [
    "netsh trace start provider=Microsoft-Windows-Winsock-AFD keywords=0x4 level=4 provider=Microsoft-Windows-TCPIP keywords=0xffffffffffffffff level=4 provider=Microsoft-Windows-Kernel-Process keywords=0x10 level=4 maxsize=1024 tracefile=server.etl",
    "tasklist /svc > tasklist.txt & netstat -anobq > netstat.txt & netsh int ipv4 show dynamicport tcp > dynamicport-ipv4.txt",
    "netsh trace stop",
];

/// Something to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Recommendation {
    /// Stable, listed in `src/report/SCHEMA.md`.
    pub code: &'static str,
    /// For people.
    pub text: String,
    /// Commands to paste, in their order.
    pub commands: Vec<String>,
    /// Whether they change the state of the server.
    pub changes_state: bool,
    /// How to take it back.
    pub undo: Option<String>,
}

/// A holder as recommendations speak of it.
#[derive(Debug, Clone)]
pub struct NamedHolder<'a> {
    /// The holder.
    pub holder: &'a Holder,
    /// `name.exe (PID 7312)`.
    pub label: String,
    /// Image name, in lower case; empty where it is not known.
    pub image: String,
    /// PID.
    pub pid: Option<u32>,
    /// Services in it.
    pub services: &'a [String],
}

impl NamedHolder<'_> {
    /// System and Idle stand for the kernel: they are not to be restarted, nor blamed as an application.
    pub fn is_kernel(&self) -> bool {
        self.pid.is_none_or(crate::machine::processes::is_kernel)
    }
}

/// Whether this is DNS Server with its pool of UDP sockets (2,500 by default for each family, 10,000 at most), which it
/// holds on purpose.
pub fn is_dns_pool(image: &str, pool: &PoolFinding, ports: u32) -> bool {
    image.eq_ignore_ascii_case("dns.exe") && pool.key.protocol == Some(Protocol::Udp) && ports <= DNS_POOL_MAX
}

/// Most sockets that the DNS Server's socket pool can be set to. Source: `dnscmd /config /socketpoolsize`.
const DNS_POOL_MAX: u32 = 10_000;

/// What recommendations are drawn from.
#[derive(Debug)]
pub struct Situation<'a> {
    /// The verdict's state.
    pub state: State,
    /// The input of each trace, as the user named it.
    pub inputs: Vec<&'a str>,
    /// AFD bind events seen.
    pub bind_records: u64,
    /// Pools.
    pub pools: &'a [PoolFinding],
    /// Holders of the pools that are full or nearly full, most ports first.
    pub holders: Vec<NamedHolder<'a>>,
    /// Excluded ranges.
    pub excluded: &'a [ExcludedPorts],
    /// A listing of sockets is there.
    pub has_listing: bool,
    /// Excluded ranges are there.
    pub has_excluded: bool,
    /// An event log is there.
    pub has_event_log: bool,
    /// Ports of a full pool that nothing explains, as a part of it from 0 to 1.
    pub unexplained_share: f64,
}

/// A holder is worth acting on from this part of a pool on.
pub const BLAMED_SHARE: f64 = 0.05;

/// Whose habits do not show, and who holds less than this part of a pool, is not restarted for it.
const RESTARTED_SHARE: f64 = 0.25;

/// Processes without which Windows stops.
const OF_WINDOWS: [&str; 7] =
    ["lsass.exe", "csrss.exe", "wininit.exe", "winlogon.exe", "services.exe", "smss.exe", "lsaiso.exe"];

/// How much of a pool must be unexplained before the kernel is searched for it.
const SEARCH_KERNEL_SHARE: f64 = 0.3;

fn is_much(ports: u32, range: PoolRange) -> bool {
    f64::from(ports) >= SEARCH_KERNEL_SHARE * f64::from(range.count)
}

/// Says what to do.
pub fn recommend(situation: &Situation<'_>) -> Vec<Recommendation> {
    match situation.state {
        State::CannotTell => vec![capture(situation)],
        State::NotSeen => Vec::new(),
        State::Exhausted | State::Near => {
            let mut list = Vec::new();
            confirm(situation, &mut list);
            collect(situation, &mut list);
            evidence_for_vendor(situation, &mut list);
            relieve(situation, &mut list);
            for pool in situation.pools.iter().filter(|pool| pool.state.is_some()) {
                list.extend(widen(pool, situation.excluded));
            }
            if situation.unexplained_share >= SEARCH_KERNEL_SHARE && situation.state == State::Exhausted {
                list.push(capture(situation));
                list.push(memory_dump(situation.has_listing));
            }
            // The most invasive step stays the last.
            list.sort_by_key(|step| step.code == "memory_dump");
            list
        }
    }
}

fn unchanging(code: &'static str, text: &str, commands: &[&str]) -> Recommendation {
    let commands = commands.iter().map(|command| (*command).to_owned()).collect();
    Recommendation { code, text: text.to_owned(), commands, changes_state: false, undo: None }
}

fn capture(situation: &Situation<'_>) -> Recommendation {
    let text = if situation.state == State::Exhausted {
        "capture from before the trouble, so that the binds of the holder are in the trace"
    } else if situation.bind_records == 0 {
        "capture again on the server while it fails; before stopping, take what a trace cannot tell"
    } else {
        "capture again: this trace lost what could be failures"
    };
    let undo = Some("netsh trace stop".to_owned());
    Recommendation { undo, ..unchanging("capture", text, &CAPTURE_COMMANDS) }
}

fn confirm(situation: &Situation<'_>, list: &mut Vec<Recommendation>) {
    // Half a listing is none, where much is not explained.
    let is_half =
        |pool: &PoolFinding| pool.hides_bound() && pool.unexplained().is_some_and(|ports| is_much(ports, pool.range));
    if situation.has_listing && !situation.pools.iter().any(is_half) {
        return;
    }
    let has_udp = situation.pools.iter().any(|pool| pool.state.is_some() && pool.key.protocol == Some(Protocol::Udp));
    let mut commands = vec!["netstat -anobq > netstat.txt"];
    if has_udp {
        commands.push("powershell -c \"Get-NetUDPEndpoint | Export-Csv udp.csv\"");
    }
    list.push(unchanging("confirm", "confirm on the server who holds the ports", &commands));
}

fn collect(situation: &Situation<'_>, list: &mut Vec<Recommendation>) {
    let full: Vec<&PoolFinding> = situation.pools.iter().filter(|pool| pool.state.is_some()).collect();
    let mut commands = Vec::new();
    for pool in &full {
        let (Some(protocol), Some(family)) = (pool.key.protocol, pool.key.family) else { continue };
        let (family, protocol) = (family_word(family), protocol_word(protocol));
        if pool.range.source == RangeSource::Default || pool.wider().is_some() {
            commands.push(format!("netsh int {family} show dynamicport {protocol} >> dynamicport-{family}.txt"));
        }
        if !situation.has_excluded {
            commands.push(format!(
                "netsh int {family} show excludedportrange protocol={protocol} >> excludedport-{family}.txt"
            ));
        }
    }
    if !situation.has_event_log {
        commands.push("wevtutil epl System System.evtx".to_owned());
    }
    commands.dedup();
    if commands.is_empty() {
        return;
    }
    let text = "add what is missing here and analyze the folder again";
    list.push(Recommendation { commands, ..unchanging("collect", text, &[]) });
}

fn evidence_for_vendor(situation: &Situation<'_>, list: &mut Vec<Recommendation>) {
    let Some(named) = blamed(situation) else { return };
    let Some(pid) = named.pid else { return };
    let mut inputs: Vec<&str> = situation.inputs.iter().copied().filter(|input| *input != "-").collect();
    inputs.sort_unstable();
    inputs.dedup();
    if inputs.is_empty() {
        return;
    }
    let inputs: Vec<String> = inputs.into_iter().map(quoted).collect();
    list.push(Recommendation {
        commands: vec![format!("outofports events {} --provider Winsock-AFD --pid {pid} -f csv", inputs.join(" "))],
        ..unchanging("vendor", &format!("for the vendor of {}: this report, and its socket events", named.label), &[])
    });
}

/// As a command prompt takes it for one word.
fn quoted(path: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '/' | '\\' | ':');
    if path.chars().all(is_plain) { path.to_owned() } else { format!("\"{path}\"") }
}

/// The part of its pool that a holder has.
fn share_of(situation: &Situation<'_>, named: &NamedHolder<'_>) -> f64 {
    let pool = situation.pools.get(named.holder.pool);
    pool.map_or(0.0, |pool| f64::from(named.holder.ports) / f64::from(pool.range.count.max(1)))
}

/// The application that holds most of a pool that is full or nearly full.
fn blamed<'s, 'a>(situation: &'s Situation<'a>) -> Option<&'s NamedHolder<'a>> {
    situation.holders.iter().find(|named| {
        let pool = situation.pools.get(named.holder.pool);
        share_of(situation, named) >= BLAMED_SHARE
            && !named.is_kernel()
            && !pool.is_some_and(|pool| is_dns_pool(&named.image, pool, named.holder.ports))
    })
}

fn relieve(situation: &Situation<'_>, list: &mut Vec<Recommendation>) {
    let Some(top) = situation.holders.first() else { return };
    if top.holder.pattern == Some(Pattern::Reservation) {
        let commands = ["netsh int ipv4 show excludedportrange protocol=tcp"];
        let text = format!("see which ranges are reserved: {} reserved part of the pool", top.label);
        list.push(unchanging("reservations", &text, &commands));
    }
    if top.is_kernel() && top.pid.is_some() && share_of(situation, top) >= SEARCH_KERNEL_SHARE {
        let commands = ["driverquery /v /fo csv > drivers.csv", "fltmc filters > filters.txt"];
        let text = "find the driver: the kernel holds the ports, on behalf of a driver (backup, antivirus, storage, tunnels) and of no application";
        list.push(unchanging("find_driver", text, &commands));
        list.push(memory_dump(situation.has_listing));
    }
    let Some(named) = blamed(situation) else { return };
    match named.holder.pattern {
        Some(Pattern::Churn) => {
            let text = format!(
                "reuse connections: {} opens and closes them faster than TIME_WAIT ends; see also whether TIME_WAIT was lengthened",
                named.label
            );
            let key = r"HKLM\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters";
            let commands = [format!("reg query {key} /v TcpTimedWaitDelay")];
            list.push(unchanging("reuse_connections", &text, &[commands[0].as_str()]));
        }
        Some(Pattern::Reservation) => {}
        Some(Pattern::Load) => {
            let text = format!(
                "reduce the load: {} uses so many ports at once, and gives them back; have it keep and reuse connections, or spread it over machines",
                named.label
            );
            list.push(unchanging("reduce_load", &text, &[]));
        }
        Some(Pattern::Leak) | None if named.holder.ended => {
            let text = format!(
                "see whether {} comes back: it has ended, and its ports with it; what started it (a service, a scheduled task) may start it again",
                named.label
            );
            list.push(unchanging("holder_ended", &text, &["schtasks /query /v /fo csv > tasks.csv"]));
        }
        None if share_of(situation, named) < RESTARTED_SHARE => {}
        Some(Pattern::Leak) | None if OF_WINDOWS.contains(&named.image.as_str()) => list.push(Recommendation {
            code: "restart_server",
            text: format!(
                "relieve: plan a restart of the server: {} is a part of Windows that cannot be restarted alone; look for what makes it hold ports",
                named.label
            ),
            commands: Vec::new(),
            changes_state: true,
            undo: None,
        }),
        Some(Pattern::Leak) | None => {
            let commands = match named.services {
                [service] if is_service_name(service) => {
                    vec![format!("powershell -c \"Restart-Service -Name '{service}'\"")]
                }
                _ => Vec::new(),
            };
            list.push(Recommendation {
                code: "restart_holder",
                text: format!("relieve: restart {}; if outbound connections return, it is proven", named.label),
                commands,
                changes_state: true,
                undo: None,
            });
        }
    }
}

/// Whether a name that a file tells may stand in a command.
fn is_service_name(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '$' | ' '))
}

fn memory_dump(has_listing: bool) -> Recommendation {
    let text = if has_listing {
        "the last step, if no process turns out to hold the ports: a complete memory dump shows sockets of the kernel and of ended processes; it stops the server"
    } else {
        "the last step, if a netstat -anobq listing does not show who holds the ports either: a complete memory dump; it stops the server"
    };
    Recommendation { code: "memory_dump", text: text.to_owned(), commands: Vec::new(), changes_state: true, undo: None }
}

/// `ipv4` as netsh names it.
fn family_word(family: Family) -> &'static str {
    match family {
        Family::Ipv4 => "ipv4",
        Family::Ipv6 => "ipv6",
    }
}

fn protocol_word(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
    }
}

/// Limits of `netsh int ipv4 set dynamicport`. Source: Microsoft's page on port exhaustion.
const MIN_START: u16 = 1025;
const MIN_COUNT: u32 = 255;
/// Below this, ports of services are likely; a wider range begins here where it can.
const USUAL_START: u16 = 10_000;

/// A wider range that netsh accepts and that no excluded range cuts; `None` where there is none.
pub fn wider_range(range: PoolRange, excluded: &[ExcludedPorts], pool: &PoolFinding) -> Option<PoolRange> {
    let largest_from = |lowest: u16| {
        let all = PoolRange { start: lowest, count: (1 << 16) - u32::from(lowest), source: RangeSource::Default };
        let taken = excluded_in(excluded, pool.key, all);
        let mut best: Option<(u16, u32)> = None;
        let mut start = u32::from(lowest);
        for blocked in taken.into_iter().map(u32::from).chain([1 << 16]) {
            let count = blocked.saturating_sub(start);
            if best.is_none_or(|(_, known)| count > known) {
                best = u16::try_from(start).ok().map(|start| (start, count));
            }
            start = blocked + 1;
        }
        best.filter(|(start, count)| *start >= MIN_START && *count >= MIN_COUNT)
    };
    let fits = |(start, count): (u16, u32)| {
        (count > range.count).then_some(PoolRange { start, count, source: RangeSource::Default })
    };
    largest_from(USUAL_START).and_then(fits).or_else(|| largest_from(MIN_START).and_then(fits))
}

fn widen(pool: &PoolFinding, excluded: &[ExcludedPorts]) -> Option<Recommendation> {
    let (protocol, family) = (pool.key.protocol?, pool.key.family?);
    let set = |start: u16, count: u32| {
        let (family, protocol) = (family_word(family), protocol_word(protocol));
        format!("netsh int {family} set dynamicport {protocol} start={start} num={count}")
    };
    // Where the range is not what it is taken to be, another may be narrower.
    if pool.local_address.is_some() || pool.wider().is_some() {
        return None;
    }
    let Some(wider) = wider_range(pool.range, excluded, pool) else {
        let text = format!(
            "the pool of {} cannot be widened: no longer range without excluded ports is left",
            pool.key.name()
        );
        return Some(unchanging("cannot_widen", &text, &[]));
    };
    let is_settable = pool.range.start >= MIN_START && pool.range.count >= MIN_COUNT;
    let assumed = if matches!(pool.range.source, RangeSource::DynamicPortFile | RangeSource::Live) {
        ""
    } else {
        " (the old range is not known from the server: look it up first, to undo it)"
    };
    Some(Recommendation {
        code: "widen_pool",
        text: format!(
            "buy time: widen the pool of {} from {} to {} ports{assumed}",
            pool.key.name(),
            grouped(pool.range.count.into()),
            grouped(wider.count.into())
        ),
        commands: vec![set(wider.start, wider.count)],
        changes_state: true,
        undo: is_settable.then(|| set(pool.range.start, pool.range.count)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::pools::PoolKey;

    fn pool(start: u16, count: u32, source: RangeSource) -> PoolFinding {
        PoolFinding {
            key: PoolKey::new(Protocol::Tcp, Family::Ipv4),
            local_address: None,
            range: PoolRange { start, count, source },
            held: (0, 0),
            time_wait: (0, 0),
            time_wait_seconds: (120, 240),
            failures: (1, 0),
            refused: (0, 0),
            failure_span: None,
            given_before_failure: 0,
            set_aside: 0,
            explained: 0,
            occupied_peak: (0, 0),
            listing: None,
            given: None,
            state: Some(State::Exhausted),
            moment: None,
        }
    }

    fn excluded(start: u16, end: u16) -> ExcludedPorts {
        let (protocol, family) = (Protocol::Tcp, Some(Family::Ipv4));
        ExcludedPorts { source: 0, protocol, family, start, end, administered: false }
    }

    #[test]
    fn the_default_range_is_widened_to_what_is_usual() {
        let full = pool(49152, 16384, RangeSource::Default);
        let advice = widen(&full, &[]).unwrap();
        assert_eq!(advice.commands, ["netsh int ipv4 set dynamicport tcp start=10000 num=55536"]);
        assert_eq!(advice.undo.as_deref(), Some("netsh int ipv4 set dynamicport tcp start=49152 num=16384"));
        assert!(advice.text.contains("not known from the server"));
    }

    #[test]
    fn excluded_ranges_are_not_overlapped_and_the_old_numbers_undo_it() {
        let full = pool(50_000, 255, RangeSource::DynamicPortFile);
        let ranges = [excluded(40_000, 40_099), excluded(12_000, 12_000)];
        let advice = widen(&full, &ranges).unwrap();
        assert_eq!(advice.commands, ["netsh int ipv4 set dynamicport tcp start=12001 num=27999"]);
        assert_eq!(advice.undo.as_deref(), Some("netsh int ipv4 set dynamicport tcp start=50000 num=255"));
        assert!(advice.changes_state);
    }

    #[test]
    fn what_cannot_be_widened_is_said() {
        let full = pool(1025, 64_511, RangeSource::DynamicPortFile);
        let advice = widen(&full, &[]).unwrap();
        assert_eq!((advice.code, advice.commands.len(), advice.changes_state), ("cannot_widen", 0, false));
        let wide = pool(10_000, 55_535, RangeSource::DynamicPortFile);
        let wider = wider_range(wide.range, &[excluded(20_000, 20_000)], &wide);
        assert_eq!(wider, None, "every longer range would hold the excluded port");
    }
}
