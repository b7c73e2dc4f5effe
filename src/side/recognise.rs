//! Tells what a file is by what it holds.

use super::facts::{RowCount, SideFacts, SocketListing, SourceId, Taken};
use super::lines::{Lines, is_prompt, is_socket_row};
use super::machines::{Machine, Part, parts};
use super::own_report::is_own_report;
use super::parts::joined;
use super::pasted::as_printed;
use super::taken::is_later;
use super::text::is_marked_or_utf16;
use super::text::{Decoded, EncodingBy, NamedEncoding, decode_text_as, plain};
use super::{decode_text, event_log, event_text, handles, netsh, netstat, records, tasklist};
use crate::progress::{NoProgress, Progress};

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
    /// Whether there is anything to use; if not, the note says why.
    pub is_useful: bool,
    /// Rows of this kind.
    pub rows: RowCount,
    /// The encoding of the text; `None` for what is no text.
    pub encoding: Option<String>,
    /// How that is known.
    pub encoding_by: Option<EncodingBy>,
    /// The machine that they are of.
    pub machine: Machine,
}

/// Reads everything known in a file called `name`, one entry for each kind and machine; empty where the file holds nothing that is known,
/// or is a report of this program.
///
/// The name serves for one thing: port ranges whose family the text does not tell. Takes time and memory in proportion to
/// the length of `bytes`.
pub fn recognise(bytes: &[u8], name: &str) -> Vec<Recognised> {
    recognise_as(bytes, name, None, &NoProgress)
}

/// The same, where the user may have named the encoding. A job that is stopped gives what was found until then.
pub fn recognise_as(
    bytes: &[u8],
    name: &str,
    encoding: Option<NamedEncoding>,
    progress: &dyn Progress,
) -> Vec<Recognised> {
    if let Some(log) = event_log::parse_watched(bytes, progress) {
        return vec![of_event_log(log)];
    }
    if !is_text(bytes) {
        return Vec::new();
    }
    let decoded = decode_text_as(bytes, encoding);
    let text = as_printed(&decoded.text);
    let text = text.as_ref();
    if is_own_report(text) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for part in parts(text, progress) {
        let (text, lines) = (part.text.as_ref(), Lines::watched(&part.text, progress));
        let mut records = records::read(lines, name, part.machine.name.as_deref());
        let of_machines = std::mem::take(&mut records.of_machines);
        let mut own = part.machine.clone();
        if own.name.is_none() && of_machines.is_empty() {
            // Nothing but its rows tells whose it is.
            own.name = records.machines.values().next().filter(|_| !names_console(text)).cloned();
        }
        found.extend(of_part((text, lines), name, records, &decoded, &part, &own));
        for (machine, records) in of_machines {
            let machine = Machine { name: Some(machine), is_elsewhere: false };
            found.extend(of_part(("", Lines::new("")), name, records, &decoded, &part, &machine));
        }
    }
    found
}

/// Whether a text shows a console, whose other outputs need not be of the machine that a table names.
fn names_console(text: &str) -> bool {
    Lines::new(text).any(|line| is_socket_row(line.text) || is_prompt(line.text))
}

/// What a part of a text holds: lines for the readers of lines, and what was read as tables, lists and objects.
fn of_part(
    (text, lines): (&str, Lines<'_>),
    name: &str,
    mut records: records::Found,
    decoded: &Decoded,
    part: &Part<'_>,
    machine: &Machine,
) -> Vec<Recognised> {
    let mut found: Vec<Recognised> = Vec::new();
    let mut refused = None;
    let mut add = |kind: Kind, mut facts: SideFacts, mut rows: RowCount, told: &[String]| {
        rows.first_not_understood = rows.first_not_understood.map(|line| part.line(line));
        for listing in &mut facts.listings {
            listing.host = listing.host.take().or_else(|| machine.name.clone());
        }
        let mut notes: Vec<String> = decoded.note.iter().cloned().collect();
        if let Some(first) = rows.first_not_understood.filter(|_| rows.not_understood > 0) {
            notes.push(format!("{} not understood, the first in line {first}", counted(rows.not_understood, "row")));
        } else if rows.not_understood > 0 {
            notes.push(format!("{} not understood", counted(rows.not_understood, "row")));
        }
        notes.extend(told.iter().cloned());
        let note = (!notes.is_empty()).then(|| notes.join("; "));
        let (encoding, encoding_by) = (Some(decoded.encoding.clone()), Some(decoded.by));
        // Where no row could be read there is nothing to use.
        let is_useful = rows.rows > 0 || rows.not_understood == 0;
        found.push(Recognised { kind, facts, note, is_useful, rows, encoding, encoding_by, machine: machine.clone() });
    };
    let left_out = |count: u64| match count {
        0 => None,
        1 => Some("1 line says that rows are left out".to_owned()),
        _ => Some(format!("{count} lines say that rows are left out")),
    };
    let named = |count: u64| match count {
        0 => None,
        1 => Some("1 row shows names instead of numbers: run it with -n".to_owned()),
        _ => Some(format!("{count} rows show names instead of numbers: run it with -n")),
    };
    let mut told = records.notes.clone();
    told.extend(named(records.named));
    told.extend(left_out(records.omissions));
    // What each reader cannot do without; most texts of a folder have nothing of it.
    let has_any = |parts: &[&str]| parts.iter().any(|part| text.contains(part));
    let names_protocols = has_any(&["TCP", "tcp", "UDP", "udp", "Tcp", "Udp"]);
    let has_tasks = has_any(&["===", "\",\""]);
    let tasklist = has_tasks.then(|| tasklist::read(lines)).flatten();
    let (mut tasks, mut task_rows) = tasklist.unwrap_or_default();
    tasks.extend(records.tasks);
    task_rows.add(records.task_rows);
    let asks_for_pids = has_any(&["pid eq", "PID eq", "process identifier"]);
    let absent = if asks_for_pids { tasklist::absent(lines) } else { Vec::new() };
    if !tasks.is_empty() || !absent.is_empty() {
        let told: Vec<String> =
            absent.iter().map(|pid| format!("it was asked for PID {pid}, which was not there")).collect();
        let starts = std::mem::take(&mut records.starts);
        let lists_taken = all_known(tasklist::taken(lines).iter().chain(&records.lists));
        let facts = SideFacts { tasks, absent, starts, lists_taken, ..SideFacts::default() };
        add(Kind::Tasklist, facts, task_rows, &told);
    }
    let of_machines = |listings: &[SocketListing]| {
        let is_other = |pair: &[SocketListing]| matches!(pair, [one, other] if other.is_of_other_machine(one));
        let told = "its listings are of different machines: by their names, or without a local address in common";
        listings.windows(2).any(is_other).then(|| told.to_owned())
    };
    if let Some(mut netstat) = names_protocols.then(|| netstat::read(lines)).flatten() {
        netstat.listings = joined(oldest_first(netstat.listings));
        let kind = if netstat.listings.len() > 1 { Kind::NetstatLoop } else { Kind::Netstat };
        let told = named(netstat.named).into_iter().chain(left_out(netstat.omissions));
        let cut = (netstat.cut > 0).then(|| {
            format!(
                "the text ends in its last listing, of which it has {}: not used",
                counted(netstat.cut as u64, "row")
            )
        });
        let told: Vec<String> = told.chain(of_machines(&netstat.listings)).chain(cut).collect();
        add(kind, SideFacts { listings: netstat.listings, ..SideFacts::default() }, netstat.rows, &told);
    }
    let is_refused = records.socket_rows.not_understood > 0 && records.socket_rows.rows == 0;
    let has_tcp = !records.tcp.is_empty() || !records.remotes.is_empty() || !records.port_use.is_empty();
    told.extend(of_machines(&records.tcp));
    if has_tcp || (records.has_sockets && records.udp.is_empty()) || is_refused {
        let facts = SideFacts {
            listings: joined(records.tcp),
            absent: records.absent,
            remotes: records.remotes,
            port_use: records.port_use,
            ..SideFacts::default()
        };
        add(Kind::NetTcpConnection, facts, records.socket_rows, &std::mem::take(&mut told));
    }
    if !records.udp.is_empty() || records.udp_rows.not_understood > 0 {
        let facts = SideFacts { listings: records.udp, ..SideFacts::default() };
        add(Kind::NetUdpEndpoint, facts, records.udp_rows, &std::mem::take(&mut told));
    }
    if let Some(note) = records.refused {
        let (encoding, encoding_by) = (Some(decoded.encoding.clone()), Some(decoded.by));
        // Nothing to use, as of a table of which no row was read.
        refused = Some(Recognised {
            encoding,
            encoding_by,
            machine: machine.clone(),
            ..not_used(Kind::NetTcpConnection, note.to_owned())
        });
    }
    let handles = has_any(&["Afd", "afd", "AFD"]).then(|| handles::read(lines)).flatten().unwrap_or_default();
    let (mut afd_handles, mut rows) = (handles.counts, handles.rows);
    afd_handles.extend(records.afd_handles);
    rows.add(records.handle_rows);
    if !afd_handles.is_empty() || rows.not_understood > 0 {
        add(Kind::Handles, SideFacts { afd_handles, ..SideFacts::default() }, rows, &[]);
    }
    if !records.handles.is_empty() || !records.names.is_empty() || !records.services.is_empty() {
        let lists_taken = all_known(records.lists.iter());
        let records::Found { handles, names, services, starts, .. } = records;
        let facts = SideFacts { handles, names, services, starts, lists_taken, ..SideFacts::default() };
        add(Kind::Processes, facts, records.process_rows, &std::mem::take(&mut told));
    }
    let ranges = if names_protocols { netsh::read(lines, name) } else { Default::default() };
    let mut dynamic_ports = ranges.dynamic;
    dynamic_ports.extend(records.dynamic);
    let mut rows = ranges.dynamic_rows;
    rows.add(records.range_rows);
    if !dynamic_ports.is_empty() || rows.rows + rows.not_understood > 0 {
        add(Kind::DynamicPort, SideFacts { dynamic_ports, ..SideFacts::default() }, rows, &std::mem::take(&mut told));
    }
    if ranges.excluded_listings > 0 {
        let facts = SideFacts { excluded_ports: ranges.excluded, ..SideFacts::default() };
        let told: Vec<String> = left_out(ranges.omissions).into_iter().collect();
        add(Kind::ExcludedPorts, facts, ranges.excluded_rows, &told);
    }
    found.extend(refused);
    let entries = event_text::parse(text, records.events, &records.doubtful_events, records.event_rows);
    if let Some(events) = entries {
        let (encoding, encoding_by) = (Some(decoded.encoding.clone()), Some(decoded.by));
        found.push(Recognised { encoding, encoding_by, machine: machine.clone(), ..of_event_text(events) });
    }
    found
}

/// Times, where all are known.
fn all_known<'t>(times: impl Iterator<Item = &'t Option<Taken>>) -> Vec<(SourceId, Taken)> {
    times.map(|taken| Some((0, taken.clone()?))).collect::<Option<Vec<_>>>().unwrap_or_default()
}

/// Listings in the order of their times, where each was taken hours before the one above it, as in the answers of a mail.
fn oldest_first(mut listings: Vec<SocketListing>) -> Vec<SocketListing> {
    // A clock that is set back goes an hour, at the end of summer.
    const SECONDS_BACK: u32 = 4 * 3600;
    let is_before = |pair: &[SocketListing]| {
        let [one, other] = pair else { return false };
        one.taken.as_ref().zip(other.taken.as_ref()).is_some_and(|(one, other)| is_later(one, other, SECONDS_BACK))
    };
    if listings.len() > 1 && listings.windows(2).all(is_before) {
        listings.reverse();
    }
    listings
}

fn not_used(kind: Kind, note: String) -> Recognised {
    Recognised {
        kind,
        facts: SideFacts::default(),
        note: Some(note),
        is_useful: false,
        rows: RowCount::default(),
        encoding: None,
        encoding_by: None,
        machine: Machine::default(),
    }
}

fn of_event_text(text: event_text::EventText) -> Recognised {
    let ids: Vec<String> = text.doubtful.iter().map(|id| format!("Tcpip {id}")).collect();
    let doubt = (!ids.is_empty()).then(|| {
        format!(
            "an event log as text, with {}: its times are in a local form; save the log as .evtx (wevtutil epl System System.evtx)",
            ids.join(", ")
        )
    });
    if text.log.entries > 0 {
        // A few entries are no log: what they do not hold may have happened.
        let log = event_log::EventLog { span: None, ..text.log };
        let told = of_event_log(log);
        let note = [told.note.clone(), doubt].into_iter().flatten().reduce(|one, other| format!("{one}; {other}"));
        let facts = SideFacts { doubtful_events: text.doubtful, ..told.facts };
        return Recognised { rows: text.rows, note, facts, ..told };
    }
    let facts = SideFacts { doubtful_events: text.doubtful, ..SideFacts::default() };
    Recognised { is_useful: false, note: doubt, facts, ..of_event_log(event_log::EventLog::default()) }
}

fn of_event_log(log: event_log::EventLog) -> Recognised {
    let mut notes = Vec::new();
    let others = log.entries.saturating_sub(log.afd_entries.len() as u64);
    if log.events.is_empty() && (others > 0 || log.afd_entries.is_empty()) {
        notes.push(format!("none of its {} is about ports", counted(others, "event")));
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
        computers: log.computers.into_iter().collect(),
        afd_entries: log.afd_entries,
        ..SideFacts::default()
    };
    Recognised {
        kind: Kind::Evtx,
        facts,
        note,
        is_useful: true,
        rows: RowCount::default(),
        encoding: None,
        encoding_by: None,
        machine: Machine::default(),
    }
}

fn counted(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// Whether the bytes may be text: control characters other than those of lines are rare, UTF-16's zeros aside.
pub fn is_text(bytes: &[u8]) -> bool {
    let bytes = bytes.get(..SHOWN_BYTES).unwrap_or(bytes);
    if let Some(text) = plain(bytes) {
        // Consoles begin the change of a colour with an escape.
        let is_control = |byte: &u8| matches!(byte, 1..=8 | 0xB | 0xE..=0x19 | 0x1C..=0x1F | 0x7F);
        return !text.is_empty() && bytes.iter().filter(|byte| is_control(byte)).count() <= bytes.len() / 100;
    }
    // In all other encodings these bytes are controls, and there are no more characters than bytes: traces, of which
    // there may be thousands, need not be decoded.
    let is_control = |byte: &&u8| matches!(byte, 0..=8 | 0xB | 0xE..=0x19 | 0x1C..=0x1F);
    if bytes.iter().filter(is_control).count() > bytes.len() / 100 && !is_marked_or_utf16(bytes) {
        return false;
    }
    let shown = decode_text(bytes);
    let mut controls = 0_usize;
    let mut all = 0_usize;
    for character in shown.text.chars() {
        all += 1;
        controls += usize::from(
            character.is_control() && !matches!(character, '\n' | '\r' | '\t' | '\u{c}' | '\u{1a}' | '\u{1b}'),
        );
    }
    all > 0 && controls <= all / 100
}
