//! Tables, lists and objects with named columns: what PowerShell, wmic, Sysinternals and scripts print or save of sockets,
//! processes, handles and port ranges.
//!
//! One reader for all: a heading tells the columns, by the positions of its rule or its words, or by separators; labels tell
//! them (`| Format-List`); keys do (JSON). What the rows are of, the columns tell. Names of properties are the same in every
//! language.

mod events;
mod groups;
mod json;
mod labelled;
mod machines;
mod markup;
mod objects;
mod processes;
mod settings;
mod sockets;
mod state_counts;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use super::columns::{Column, Record};
use super::facts::{
    DynamicPorts, HandleCount, PortUse, ProcessName, ProcessStart, RemoteCount, RowCount, ServiceProcess,
    SocketListing, SystemEvent, Taken,
};
use super::host::{Host, label};
use super::lines::{Command, Line, Lines, is_ellipsis, is_socket_row, stamped};
use super::table::{Form, Heading, cells_at, cells_by_words, is_rule, quoted_row, split};
use super::taken::Clock;
use super::tasklist::Task;
use groups::Groups;
use machines::Builders;
use sockets::Sockets;
use state_counts::StateCounts;

/// So many lines side by side that are no rows end a table.
const MAX_MISSES: usize = 8;

/// What a text holds.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Found {
    /// Listings of TCP sockets, in the order of the text; `source` is 0.
    pub(super) tcp: Vec<SocketListing>,
    /// Listings of UDP sockets.
    pub(super) udp: Vec<SocketListing>,
    pub(super) remotes: Vec<RemoteCount>,
    pub(super) port_use: Vec<PortUse>,
    /// Handles of processes; images are names as written.
    pub(super) handles: Vec<HandleCount>,
    pub(super) afd_handles: Vec<HandleCount>,
    pub(super) names: Vec<ProcessName>,
    pub(super) services: Vec<ServiceProcess>,
    pub(super) starts: Vec<ProcessStart>,
    /// Processes that have ended, of which sockets are left.
    pub(super) absent: Vec<u32>,
    /// When each list of processes was taken, where something above it says so.
    pub(super) lists: Vec<Option<Taken>>,
    pub(super) tasks: Vec<Task>,
    pub(super) dynamic: Vec<DynamicPorts>,
    /// Entries of event logs whose time is certain.
    pub(super) events: Vec<SystemEvent>,
    /// Ids of those whose time is not.
    pub(super) doubtful_events: BTreeSet<u32>,
    /// Rows of sockets, of handles, of processes, of tasks, of ranges.
    pub(super) socket_rows: RowCount,
    pub(super) udp_rows: RowCount,
    pub(super) handle_rows: RowCount,
    pub(super) process_rows: RowCount,
    pub(super) task_rows: RowCount,
    pub(super) range_rows: RowCount,
    pub(super) event_rows: RowCount,
    /// What is to be known about them.
    pub(super) notes: Vec<String>,
    /// Lines that say that others are left out.
    pub(super) omissions: u64,
    /// Rows of sockets with names of hosts or services instead of numbers.
    pub(super) named: u64,
    /// Something of sockets is there, whether or not it could be used.
    pub(super) has_sockets: bool,
    /// Why a table is not used.
    pub(super) refused: Option<&'static str>,
    /// The machines that rows name, by what tells them apart.
    pub(super) machines: BTreeMap<String, String>,
    /// What rows tell that name the machine that they are of, where the text is of several.
    pub(super) of_machines: BTreeMap<String, Found>,
}

impl Found {
    fn note(&mut self, note: &str) {
        if !self.notes.iter().any(|known| known == note) {
            self.notes.push(note.to_owned());
        }
    }
}

/// What stands above a table.
#[derive(Debug, Default)]
struct Context {
    command: Command,
    clock: Clock,
    host: Host,
    /// The file's name, in small letters.
    name: String,
    /// When the last count of ports in use was taken.
    counted: Option<Taken>,
    /// Tables of groups since the command, whosever their rows are.
    grouped: usize,
    /// Objects stand in an array, which one command gave as a whole: how many kinds of them have been told.
    array: Option<usize>,
    /// What all rows of the next table have in common: `Format-Table -GroupBy` writes it above each.
    group: Option<(Column, String)>,
    /// Of which column the table before was a group, where nothing stands between.
    group_before: Option<Column>,
    /// Rows of different machines stay apart.
    is_of_several: bool,
}

impl Context {
    /// Looks at a line that is no row.
    fn see(&mut self, line: &str) {
        self.host.see(line);
        if line.is_empty() {
            return;
        }
        self.group = labelled::group(line);
        if self.group.is_some() {
            return;
        }
        self.group_before = None;
        let is_command = self.command.see(line);
        if is_command {
            self.grouped = 0;
        }
        if !is_command || stamped(line).is_some() {
            self.clock.see(line);
        }
    }
}

/// Reads everything known in a text, a file called `name`; `of` is the machine that it is of, where it tells.
pub(super) fn read(lines: Lines<'_>, name: &str, of: Option<&str>) -> Found {
    let found = parse_as(lines, name, false);
    let others = found.machines.keys().filter(|known| of.is_some_and(|of| label(of) != **known)).count();
    if found.machines.len() > 1 || others > 0 { parse_as(lines, name, true) } else { found }
}

#[cfg(test)]
fn parse(lines: Lines<'_>, name: &str) -> Found {
    read(lines, name, None)
}

fn parse_as(mut lines: Lines<'_>, name: &str, is_of_several: bool) -> Found {
    let mut found = Found::default();
    let name = crate::event::base_name(name).to_ascii_lowercase();
    let mut context = Context { name, is_of_several, ..Context::default() };
    let mut is_json = false;
    while let Some(behind) = json::read(lines, &mut context, &mut found) {
        (lines, is_json) = (behind, true);
    }
    if !is_json && markup::read(lines, &mut context, &mut found) {
        return found;
    }
    let mut labelled = labelled::Blocks::default();
    while let Some(line) = lines.next() {
        if line.is_blank() {
            continue;
        }
        if is_socket_row(line.text) {
            labelled.end(&mut context, &mut found);
            continue;
        }
        if let Some(behind) = table(line, lines, &mut context, &mut found) {
            labelled.end(&mut context, &mut found);
            lines = behind;
        } else if !labelled.take(line, &mut lines, &mut context, &mut found) {
            if labelled.has_blocks() && begins_other(line) {
                labelled.end(&mut context, &mut found);
            }
            context.see(line.trimmed());
        }
    }
    labelled.end(&mut context, &mut found);
    settings::list_port_use(&mut found);
    found
}

/// Reads the table that begins with a line; gives the lines behind it.
fn table<'t>(line: Line<'t>, lines: Lines<'t>, context: &mut Context, found: &mut Found) -> Option<Lines<'t>> {
    let (heading, behind, first) = match Heading::at(line, lines) {
        Some((heading, behind)) if !heading.is_of_netstat() && !heading.is_of_tasklist(line.text) => {
            (heading, behind, None)
        }
        Some(_) => return None,
        None => (headless(line.text)?, lines, Some(line)),
    };
    let mut builder = Builders::of(&heading.columns, context)?;
    Some(rows(&heading, first, behind, &mut builder, context, found))
}

/// The columns of a row that stands without a heading, as tcpvcon and TCPView write them: a protocol, an address with its
/// port, a process.
fn headless(line: &str) -> Option<Heading> {
    use Column::{LocalAddress, LocalPort, Pid, ProcessName, Protocol, RemoteAddress, RemotePort, State};
    const PROTOCOLS: [&str; 6] = ["TCP", "UDP", "TCPV6", "UDPV6", "TCP6", "UDP6"];
    let separator = [b'\t', b',', b';'].into_iter().find(|separator| line.as_bytes().contains(separator))?;
    let cells: Vec<&str> = split(line, separator).take(32).map(|cell| cell.trim().trim_matches('"')).collect();
    let is_protocol = |cell: &&str| PROTOCOLS.iter().any(|name| cell.eq_ignore_ascii_case(name));
    let is_number = |cell: &str| super::columns::number::<u32>(cell).is_some();
    // Of an IPv6 address without brackets the last group is no port.
    let has_port = |cell: &str| {
        cell.rsplit_once(':').is_some_and(|(host, port)| {
            let is_whole = !host.contains(':') || (host.starts_with('[') && host.ends_with(']'));
            !host.is_empty() && !port.is_empty() && is_whole
        })
    };
    // Neither an address with its port, nor the number of a line before a cell.
    let is_process = |cell: &str| {
        cell.rsplit_once(':').is_some_and(|(name, pid)| {
            is_number(pid) && !name.contains(':') && !is_number(name) && sockets::ip(name).is_none()
        })
    };
    let columns = match cells.as_slice() {
        [protocol, _, pid, _, local, _, ..] if is_protocol(protocol) && is_number(pid) && has_port(local) => {
            vec![Protocol, ProcessName, Pid, State, LocalAddress, RemoteAddress]
        }
        [_, pid, protocol, state, _, port, ..]
            if is_protocol(protocol) && is_number(pid) && sockets::is_state(state) && !port.is_empty() =>
        {
            vec![ProcessName, Pid, Protocol, State, LocalAddress, LocalPort, RemoteAddress, RemotePort]
        }
        [_, pid, protocol, _, _, _, _, _, ..] if is_protocol(protocol) && is_number(pid) => {
            vec![ProcessName, Pid, Protocol, LocalAddress, LocalPort, RemoteAddress, RemotePort, State]
        }
        [process, protocol, local, _, _, ..] if is_protocol(protocol) && has_port(local) && is_process(process) => {
            vec![ProcessName, Protocol, LocalAddress, RemoteAddress, State]
        }
        _ => return None,
    };
    Some(Heading::without(columns, separator))
}

/// Reads the rows of a table; gives the lines behind the last of them.
fn rows<'t>(
    heading: &Heading,
    first: Option<Line<'t>>,
    mut lines: Lines<'t>,
    builder: &mut Builders,
    context: &mut Context,
    found: &mut Found,
) -> Lines<'t> {
    let mut behind = lines;
    let mut count = RowCount::default();
    // Lines that are no rows: misses, if rows follow.
    let mut pending = RowCount::default();
    let (mut omissions, mut misses) = (0_u64, 0);
    let mut is_close = true;
    // A row may be broken in two by whoever passed it on.
    let mut half: Option<Line<'t>> = None;
    let mut first = first;
    loop {
        let line = first.take().or_else(|| lines.next());
        let joined = half.zip(line).filter(|(_, line)| !line.is_blank()).is_some_and(|(half, line)| {
            let whole = format!("{} {}", half.text, line.trimmed());
            let cells = cells_by_words(&whole, heading.columns.len());
            let is_text = !matches!(heading.form, Form::Separated(_));
            is_text && cells.is_some_and(|cells| builder.row(&record(heading, &cells), half.number))
        });
        if let Some(half) = half.take().filter(|_| !joined) {
            if is_close && count.rows > 0 { count.missed(half.number) } else { pending.missed(half.number) }
        }
        let Some(line) = line else { break };
        if line.is_blank() {
            is_close = false;
            continue;
        }
        if is_rule(line.text) {
            continue;
        }
        if joined || read_row(heading, line, &mut lines, builder) {
            if line.is_open && builder.forget_cut() {
                count.missed(line.number);
                continue;
            }
            count.read();
            count.add(std::mem::take(&mut pending));
            found.omissions = found.omissions.saturating_add(std::mem::take(&mut omissions));
            (behind, is_close, misses) = (lines, true, 0);
            continue;
        }
        if is_ellipsis(line.text) {
            omissions += 1;
            continue;
        }
        let is_other = begins_other(line) || Heading::at(line, lines).is_some();
        misses += 1;
        if is_other || misses > MAX_MISSES {
            break;
        }
        half = Some(line);
    }
    builder.end(count, context, found);
    context.group = None;
    behind
}

/// Whether a line between rows says that what follows is another output: a prompt, a command, a time, a program's first line.
fn begins_other(line: Line<'_>) -> bool {
    Command::default().see(line.text) || Clock::default().see(line.trimmed())
}

fn record<'r>(heading: &'r Heading, cells: &'r [&'r str]) -> Record<'r> {
    Record { columns: &heading.columns, cells, is_exact: matches!(heading.form, Form::Separated(_)) }
}

fn read_row<'t>(heading: &Heading, line: Line<'t>, lines: &mut Lines<'t>, builder: &mut Builders) -> bool {
    let columns = heading.columns.len();
    match &heading.form {
        Form::Separated(separator) => {
            let fits = |cells: usize| cells == columns || cells == columns + 1 || (heading.is_open && cells > columns);
            if line.text.contains('"') {
                let Some(row) = quoted_row(line, lines, *separator).filter(|row| fits(row.len())) else { return false };
                let cells: Vec<&str> = row.iter().collect();
                return builder.row(&record(heading, &cells), line.number);
            }
            let most = if heading.is_open { columns } else { columns + 2 };
            let cells: Vec<&str> = split(line.text, *separator).take(most).collect();
            let is_trailing = cells.len() == columns || cells.last().is_some_and(|cell| cell.trim().is_empty());
            fits(cells.len()) && is_trailing && builder.row(&record(heading, &cells), line.number)
        }
        Form::Words | Form::Positions(_) => {
            if let Form::Positions(spans) = &heading.form
                && let Some(cells) = cells_at(line.text, spans)
                && builder.row(&record(heading, &cells), line.number)
            {
                return true;
            }
            // Blanks were lost on the way, or a cell has pushed the others.
            if let Some(cells) = cells_by_words(line.text, columns)
                && builder.row(&record(heading, &cells), line.number)
            {
                return true;
            }
            let setting = heading.columns.iter().position(|column| *column == Column::AppliedSetting);
            if let Some(at) = setting
                && let Some(mut cells) = cells_by_words(line.text, columns - 1)
            {
                cells.insert(at, "");
                return builder.row(&record(heading, &cells), line.number);
            }
            builder.line(line)
        }
    }
}

/// What rows become, by what their columns are.
#[derive(Debug, Clone)]
enum Builder {
    Sockets(Box<Sockets>),
    Groups(Box<Groups>),
    Processes(processes::Processes),
    StateCounts(Box<StateCounts>),
    AfdHandles(processes::AfdHandles),
    Tasks(processes::Tasks),
    Settings(settings::Settings),
    PortUse(settings::PortUses),
    Events(events::Entries),
    PidCounts(settings::PidCounts),
    /// Events of connections, which are no sockets.
    Connections,
}

impl Builder {
    fn of(columns: &[Column], context: &Context) -> Option<Self> {
        let has = |column| columns.contains(&column);
        if has(Column::EventSource) && has(Column::DateTime) && (has(Column::EventId) || has(Column::Pid)) {
            return Some(Self::Events(events::Entries::default()));
        }
        if has(Column::ActionType) && has(Column::LocalPort) {
            return Some(Self::Connections);
        }
        if Groups::are_columns(columns, &context.command) {
            return Some(Self::Groups(Box::new(Groups::new(columns))));
        }
        if has(Column::RangeStart) && has(Column::RangeCount) {
            return settings::Settings::new(columns, context).map(Self::Settings);
        }
        if has(Column::InUse) && has(Column::Max) && has(Column::LocalAddress) {
            return Some(Self::PortUse(settings::PortUses::default()));
        }
        if has(Column::Pid) && has(Column::Count) && columns.len() == 2 {
            return Some(Self::PidCounts(settings::PidCounts::default()));
        }
        if StateCounts::are_columns(columns) {
            return Some(Self::StateCounts(Box::default()));
        }
        let is_placed = has(Column::LocalPort) && (has(Column::Pid) || has(Column::LocalAddress));
        let is_spoken = has(Column::Protocol) && has(Column::LocalAddress);
        // A rule about ports has no process.
        if has(Column::Rule) && !has(Column::Pid) {
            return None;
        }
        if is_placed || is_spoken {
            return Some(Self::Sockets(Box::new(Sockets::new(columns, context))));
        }
        let is_process = has(Column::Pid) && (has(Column::ProcessName) || has(Column::Name));
        if has(Column::Pid) && has(Column::ProcessName) && has(Column::Handle) && has(Column::Name) {
            return Some(Self::AfdHandles(processes::AfdHandles::default()));
        }
        if is_process && (has(Column::Services) || has(Column::Modules)) {
            return Some(Self::Tasks(processes::Tasks::default()));
        }
        // Services have a state and a PID, too, and names that are no images.
        let is_service = has(Column::Pid) && has(Column::Services) && has(Column::State);
        (is_process || is_service).then(|| Self::Processes(processes::Processes::new(columns)))
    }

    /// Takes a row; `false` where it is none.
    fn row(&mut self, record: &Record<'_>, line: u64) -> bool {
        match self {
            Self::Sockets(sockets) => sockets.row(record),
            Self::Groups(groups) => groups.row(record, line),
            Self::Processes(processes) => processes.row(record),
            Self::StateCounts(counts) => counts.row(record),
            Self::AfdHandles(handles) => handles.row(record),
            Self::Tasks(tasks) => tasks.row(record),
            Self::Settings(settings) => settings.row(record),
            Self::PortUse(uses) => uses.row(record),
            Self::Events(events) => events.row(record),
            Self::PidCounts(counts) => counts.row(record),
            Self::Connections => true,
        }
    }

    /// Takes a line of a table whose cells do not stand where they should.
    fn line(&mut self, line: Line<'_>) -> bool {
        match self {
            Self::Groups(groups) => groups.line(line),
            _ => false,
        }
    }

    /// Takes back the last row, where the text ends within it.
    fn forget_cut(&mut self) -> bool {
        match self {
            Self::Sockets(sockets) => sockets.forget_cut(),
            // What their numbers are, all rows together tell.
            Self::Groups(groups) => {
                groups.doubt_last();
                false
            }
            _ => false,
        }
    }

    fn end(&mut self, count: RowCount, context: &mut Context, found: &mut Found) {
        match self {
            Self::Sockets(sockets) => sockets.end(count, context, found),
            Self::Groups(groups) => groups.end(count, context, found),
            Self::Processes(processes) => {
                found.lists.push(context.clock.clone().take());
                processes.end(count, found);
            }
            Self::StateCounts(counts) => counts.end(count, context, found),
            Self::AfdHandles(handles) => handles.end(count, found),
            Self::Tasks(tasks) => {
                found.lists.push(context.clock.clone().take());
                tasks.end(count, found);
            }
            Self::Settings(settings) => settings.end(count, found),
            Self::PortUse(uses) => uses.end(count, context, found),
            Self::Events(events) => events.end(count, found),
            Self::PidCounts(counts) => counts.end(count, context, found),
            Self::Connections if count.rows == 0 => {}
            Self::Connections => {
                found.refused = Some(
                    "events of connections that were made (DeviceNetworkEvents), not sockets that are held: not used",
                );
            }
        }
    }
}
