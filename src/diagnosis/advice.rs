//! What to do next: exact commands, least invasive first, each saying whether it changes anything and how to undo it.

mod situation;
mod widen;

use serde::Serialize;

use self::widen::{family_word, protocol_word, widen};
use super::codes::RecommendationCode;
use super::holders::Pattern;
use super::pools::{PoolFinding, is_dns_pool};
use super::state::State;
use crate::machine::ranges::{PoolRange, RangeSource};
use crate::net::Protocol;
pub use situation::{NamedHolder, Situation};

/// The capture that can answer, as commands to paste.
pub const CAPTURE_COMMANDS: [&str; 3] = [
    "netsh trace start provider=Microsoft-Windows-Winsock-AFD keywords=0x4 level=4 provider=Microsoft-Windows-TCPIP keywords=0xffffffffffffffff level=4 provider=Microsoft-Windows-Kernel-Process keywords=0x10 level=4 maxsize=1024 tracefile=server.etl",
    "tasklist /svc > tasklist.txt & netstat -anobq > netstat.txt & netsh int ipv4 show dynamicport tcp > dynamicport-ipv4.txt",
    "netsh trace stop",
];

/// Something to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Recommendation {
    /// Which.
    pub code: RecommendationCode,
    /// For people.
    pub text: String,
    /// Commands to paste, in their order.
    pub commands: Vec<String>,
    /// Whether they change the state of the server.
    pub changes_state: bool,
    /// How to take it back.
    pub undo: Option<String>,
}

/// What a recommendation changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    Nothing,
    /// It starts a trace, which can be stopped.
    StartsTrace,
    /// The state of the server.
    ChangesServer,
}

impl Effect {
    /// In words.
    pub const fn phrase(self) -> &'static str {
        match self {
            Self::Nothing => "changes nothing",
            Self::StartsTrace => "starts a trace",
            Self::ChangesServer => "changes the server",
        }
    }
}

impl Recommendation {
    /// What it changes.
    pub fn effect(&self) -> Effect {
        match (self.changes_state, &self.undo) {
            (false, None) => Effect::Nothing,
            (false, Some(_)) => Effect::StartsTrace,
            (true, _) => Effect::ChangesServer,
        }
    }
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
            list.sort_by_key(|step| step.code == RecommendationCode::MemoryDump);
            list
        }
    }
}

fn unchanging(code: RecommendationCode, text: &str, commands: &[&str]) -> Recommendation {
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
    Recommendation { undo, ..unchanging(RecommendationCode::Capture, text, &CAPTURE_COMMANDS) }
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
    list.push(unchanging(RecommendationCode::Confirm, "confirm on the server who holds the ports", &commands));
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
    list.push(Recommendation { commands, ..unchanging(RecommendationCode::Collect, text, &[]) });
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
        ..unchanging(
            RecommendationCode::Vendor,
            &format!("for the vendor of {}: this report, and its socket events", named.label),
            &[],
        )
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
        list.push(unchanging(RecommendationCode::Reservations, &text, &commands));
    }
    if top.is_kernel() && top.pid.is_some() && share_of(situation, top) >= SEARCH_KERNEL_SHARE {
        let commands = ["driverquery /v /fo csv > drivers.csv", "fltmc filters > filters.txt"];
        let text = "find the driver: the kernel holds the ports, on behalf of a driver (backup, antivirus, storage, tunnels) and of no application";
        list.push(unchanging(RecommendationCode::FindDriver, text, &commands));
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
            list.push(unchanging(RecommendationCode::ReuseConnections, &text, &[commands[0].as_str()]));
        }
        // It needs what it has, as far as anybody can see.
        Some(Pattern::Reservation | Pattern::Steady) => {}
        Some(Pattern::Load) => {
            let text = format!(
                "reduce the load: {} uses so many ports at once, and gives them back; have it keep and reuse connections, or spread it over machines",
                named.label
            );
            list.push(unchanging(RecommendationCode::ReduceLoad, &text, &[]));
        }
        Some(Pattern::Leak) | None if named.holder.ended => {
            let text = format!(
                "see whether {} comes back: it has ended, and its ports with it; what started it (a service, a scheduled task) may start it again",
                named.label
            );
            list.push(unchanging(RecommendationCode::HolderEnded, &text, &["schtasks /query /v /fo csv > tasks.csv"]));
        }
        None if share_of(situation, named) < RESTARTED_SHARE => {}
        Some(Pattern::Leak) | None if OF_WINDOWS.contains(&named.image.as_str()) => list.push(Recommendation {
            code: RecommendationCode::RestartServer,
            text: format!(
                "relieve: plan a restart of the server: {} is a part of Windows that cannot be restarted alone; look for what makes it hold ports",
                named.label
            ),
            commands: Vec::new(),
            changes_state: true,
            undo: None,
        }),
        Some(Pattern::Leak) | None => {
            let only = match named.services {
                [service] => Some(service.as_str()),
                _ => None,
            };
            let service = named.service.or(only).filter(|service| is_service_name(service));
            let restart = |service| format!("powershell -c \"Restart-Service -Name '{service}'\"");
            let commands = service.map(restart).into_iter().collect();
            let what = match named.service {
                Some(service) => format!("the service {service} in {}", named.label),
                None => named.label.clone(),
            };
            list.push(Recommendation {
                code: RecommendationCode::RestartHolder,
                text: format!("relieve: restart {what}; if outbound connections return, it is proven"),
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
    Recommendation {
        code: RecommendationCode::MemoryDump,
        text: text.to_owned(),
        commands: Vec::new(),
        changes_state: true,
        undo: None,
    }
}
