//! Tells what a file is by what it holds.

use super::facts::SideFacts;
use super::text::is_marked_or_utf16;
use super::{decode_text, event_log, handles, netsh, netstat, powershell, tasklist};

/// How much of a file shows whether it is text.
const SHOWN_BYTES: usize = 4 << 10;

/// What a side file can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `tasklist`.
    Tasklist,
    /// `netstat`, one listing.
    Netstat,
    /// `netstat`, several listings in their order.
    NetstatLoop,
    /// `Get-NetTCPConnection`.
    NetTcpConnection,
    /// `Get-NetUDPEndpoint`.
    NetUdpEndpoint,
    /// Sysinternals `handle`.
    Handles,
    /// `Get-Process`.
    Processes,
    /// `netsh ... show dynamicport`.
    DynamicPort,
    /// `netsh ... show excludedportrange`.
    ExcludedPorts,
    /// An event log.
    Evtx,
    /// Not known.
    Other,
}

impl Kind {
    /// As reports name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tasklist => "tasklist",
            Self::Netstat => "netstat",
            Self::NetstatLoop => "netstat_loop",
            Self::NetTcpConnection => "net_tcp_connection",
            Self::NetUdpEndpoint => "net_udp_endpoint",
            Self::Handles => "handles",
            Self::Processes => "processes",
            Self::DynamicPort => "dynamic_port",
            Self::ExcludedPorts => "excluded_ports",
            Self::Evtx => "evtx",
            Self::Other => "other",
        }
    }

    /// What a file's name promises. `None` where it promises nothing.
    pub fn promised_by(name: &str) -> Option<Self> {
        let name = crate::event::base_name(name).to_lowercase();
        // `dynamic_port`, `Dynamic-Port`, `Get-NetTCPConnection`.
        let letters: String = name.chars().filter(|c| c.is_alphanumeric() || *c == '.').collect();
        let has = |word: &str| letters.contains(word);
        Some(match () {
            () if name.ends_with(".evtx") && has("system") => Self::Evtx,
            () if name.ends_with(".evtx") => return None,
            () if has("tasklist") || letters.starts_with("processes.") => Self::Tasklist,
            () if has("netstat") => Self::Netstat,
            () if has("nettcpconnection") => Self::NetTcpConnection,
            () if has("netudpendpoint") => Self::NetUdpEndpoint,
            () if has("dynamicport") => Self::DynamicPort,
            () if has("excludedport") => Self::ExcludedPorts,
            () if has("getprocess") => Self::Processes,
            () if letters.starts_with("handle") && has("afd") => Self::Handles,
            () => return None,
        })
    }
}

/// One kind of facts that a file holds.
#[derive(Debug)]
pub struct Recognised {
    /// The kind.
    pub kind: Kind,
    /// The facts, of this kind alone; their `source` is 0.
    pub facts: SideFacts,
    /// What is to be known about them: a guessed encoding, damage.
    pub note: Option<String>,
}

/// Reads everything known in a file called `name`, one entry for each kind; empty where the file holds nothing that is known.
///
/// The name serves for one thing: port ranges whose family the text does not tell. Takes time and memory in proportion to
/// the length of `bytes`.
pub fn recognise(bytes: &[u8], name: &str) -> Vec<Recognised> {
    if let Some(log) = event_log::parse(bytes) {
        return vec![of_event_log(log)];
    }
    if !is_text(bytes) {
        return Vec::new();
    }
    let decoded = decode_text(bytes);
    let text = decoded.text.as_ref();
    let mut found: Vec<Recognised> = Vec::new();
    let mut add = |kind: Kind, facts: SideFacts, unread: u64| {
        let damage = (unread > 0).then(|| format!("{} of an unexpected form, not used", counted(unread, "row")));
        let notes: Vec<String> = decoded.note.iter().cloned().chain(damage).collect();
        let note = (!notes.is_empty()).then(|| notes.join("; "));
        found.push(Recognised { kind, facts, note });
    };
    if let Some(tasks) = tasklist::parse(text) {
        add(Kind::Tasklist, SideFacts { tasks, ..SideFacts::default() }, 0);
    }
    if let Some(netstat) = netstat::parse(text) {
        let kind = if netstat.listings.len() > 1 { Kind::NetstatLoop } else { Kind::Netstat };
        add(kind, SideFacts { listings: netstat.listings, ..SideFacts::default() }, netstat.unread);
    }
    let powershell = powershell::parse(text);
    let mut unread = powershell.unread;
    for (kind, listings) in [(Kind::NetTcpConnection, powershell.tcp), (Kind::NetUdpEndpoint, powershell.udp)] {
        if !listings.is_empty() {
            add(kind, SideFacts { listings, ..SideFacts::default() }, std::mem::take(&mut unread));
        }
    }
    if let Some(afd_handles) = handles::parse(text) {
        add(Kind::Handles, SideFacts { afd_handles, ..SideFacts::default() }, 0);
    }
    if !powershell.handles.is_empty() {
        add(Kind::Processes, SideFacts { handles: powershell.handles, ..SideFacts::default() }, unread);
    }
    let ranges = netsh::parse(text, name);
    let mut unread = ranges.unread;
    if !ranges.dynamic.is_empty() {
        let facts = SideFacts { dynamic_ports: ranges.dynamic, ..SideFacts::default() };
        add(Kind::DynamicPort, facts, std::mem::take(&mut unread));
    }
    if ranges.excluded_listings > 0 {
        add(Kind::ExcludedPorts, SideFacts { excluded_ports: ranges.excluded, ..SideFacts::default() }, unread);
    }
    found
}

fn of_event_log(log: event_log::EventLog) -> Recognised {
    let mut notes = Vec::new();
    match log.afd {
        Some(afd) => {
            let others = log.entries.saturating_sub(afd.entries);
            notes.push(format!("{} of Winsock-AFD, {} used", counted(afd.entries, "event"), afd.used));
            if afd.unknown > 0 {
                notes.push(format!("{} in a form that is not known", counted(afd.unknown, "event")));
            }
            if afd.left_out > 0 {
                notes.push(format!("{} more, not used", counted(afd.left_out, "event")));
            }
            if others > 0 && log.events.is_empty() {
                notes.push(format!("none of the {} of other providers is about ports", counted(others, "event")));
            }
        }
        None if log.events.is_empty() => {
            notes.push(format!("none of its {} is about ports", counted(log.entries, "event")));
        }
        None => {}
    }
    if log.damaged > 0 {
        notes.push(format!("{} could not be read", counted(log.damaged, "damaged place")));
    }
    if log.left_out > 0 {
        notes.push(format!("{} more, not used", counted(log.left_out, "event")));
    }
    let note = (!notes.is_empty()).then(|| notes.join("; "));
    let facts = SideFacts {
        system_events: log.events,
        log_spans: log.span.into_iter().collect(),
        socket_events: log.socket_events,
        afd_logs: log.afd.into_iter().collect(),
        ..SideFacts::default()
    };
    Recognised { kind: Kind::Evtx, facts, note }
}

fn counted(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// Whether the bytes may be text: control characters other than those of lines are rare, UTF-16's zeros aside.
pub fn is_text(bytes: &[u8]) -> bool {
    let bytes = bytes.get(..SHOWN_BYTES).unwrap_or(bytes);
    // In all other encodings these bytes are controls, and there are no more characters than bytes: traces, of which
    // there may be thousands, need not be decoded.
    let is_control = |byte: &&u8| matches!(byte, 0..=8 | 0xB | 0xE..=0x19 | 0x1B..=0x1F);
    if bytes.iter().filter(is_control).count() > bytes.len() / 100 && !is_marked_or_utf16(bytes) {
        return false;
    }
    let shown = decode_text(bytes);
    let mut controls = 0_usize;
    let mut all = 0_usize;
    for character in shown.text.chars() {
        all += 1;
        controls +=
            usize::from(character.is_control() && !matches!(character, '\n' | '\r' | '\t' | '\u{c}' | '\u{1a}'));
    }
    all > 0 && controls <= all / 100
}
