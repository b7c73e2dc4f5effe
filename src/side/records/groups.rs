//! `Group-Object`: how many sockets have which value of a property. Which property it was, the table does not say.
//!
//! It is told by the command above; else by the name of the process beside it, by the identities of the grouped sockets,
//! which hold both ports, or by a socket in TIME_WAIT, whose PID is 0 and whose ports never are. Where nothing tells, a
//! number is no PID.

use std::net::IpAddr;

use super::{Context, Found};
use crate::net::{Protocol, SocketAddress};
use crate::side::columns::{Column, Record, grouped_number, number};
use crate::side::facts::{ListedOwner, ListedSocket, RemoteCount, RowCount, SocketListing, TcpState};
use crate::side::lines::{Command, Line};

/// The first port of the default range; `-lt` says that all are below it.
const FIRST_DYNAMIC_PORT: u32 = 49_152;

/// What was grouped by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Property {
    State,
    Owner,
    LocalAddress,
    LocalPort,
    RemoteAddress,
    RemotePort,
    Other,
}

#[derive(Debug, Clone)]
struct Row {
    count: u32,
    values: Vec<String>,
    image: Option<String>,
    services: Vec<String>,
    /// Ports of the first grouped socket, where they are shown whole.
    ports: Option<(u16, u16)>,
    addresses: Option<(IpAddr, IpAddr)>,
    line: u64,
}

/// Groups of a table that is being read.
#[derive(Debug, Clone, Default)]
pub(super) struct Groups {
    rows: Vec<Row>,
    names_tcp: bool,
    names_udp: bool,
    has_images: bool,
    /// A column of the names of processes is there.
    names_images: bool,
    /// What was grouped by, where each has a column of its own.
    columns: Vec<Property>,
    /// The text ends in the last row.
    is_open: bool,
}

impl Groups {
    pub(super) fn new(columns: &[Column]) -> Self {
        let has = |column| columns.contains(&column);
        let own: &[Property] = match (has(Column::Name), has(Column::State)) {
            (true, _) => &[],
            (false, true) => &[Property::State, Property::Owner],
            (false, false) => &[Property::Owner],
        };
        Self { names_images: has(Column::ProcessName), columns: own.to_vec(), ..Self::default() }
    }

    /// Whether columns are those of a table of groups. Where a script has given the process a column of its own, a state beside it or
    /// the command says that sockets are counted.
    pub(super) fn are_columns(columns: &[Column], command: &Command) -> bool {
        let has = |column| columns.contains(&column);
        let counts_sockets = has(Column::State) || listing_commands(&command.text().to_ascii_lowercase()) == 1;
        let is_of_process = has(Column::Pid) && counts_sockets && !has(Column::LocalPort) && !has(Column::LocalAddress);
        has(Column::Count) && (has(Column::Name) || is_of_process)
    }

    pub(super) fn row(&mut self, record: &Record<'_>, line: u64) -> bool {
        let Some(count) = record.get(Column::Count).and_then(count) else { return false };
        let image = record.get(Column::ProcessName).filter(|image| !image.contains('{'));
        let services = super::sockets::services_of(record);
        if !self.columns.is_empty() {
            return self.columns_row(record, count, image, services, line);
        }
        let Some(name) = record.get(Column::Name) else { return false };
        // Of a name that was cut nothing is known.
        if name.ends_with("...") || name.ends_with('…') || name.contains('{') {
            return false;
        }
        self.push(count, name, image, record.get(Column::Group).unwrap_or(""), line);
        if let Some(row) = self.rows.last_mut() {
            row.services = services;
        }
        true
    }

    /// A row whose values have columns of their own.
    fn columns_row(
        &mut self,
        record: &Record<'_>,
        count: u32,
        image: Option<&str>,
        services: Vec<String>,
        line: u64,
    ) -> bool {
        let Some(pid) = record.get(Column::Pid).filter(|pid| number::<u32>(pid).is_some()) else { return false };
        let state = record.get(Column::State);
        // Another state than those of sockets is another program's.
        if state.is_some_and(|state| !is_state(state)) {
            return false;
        }
        let is_of = |property: &Property| *property == Property::State;
        let values = self.columns.iter().map(|property| if is_of(property) { state.unwrap_or_default() } else { pid });
        let values = values.map(str::to_owned).collect();
        let image = image.map(str::to_owned);
        self.rows.push(Row { count, values, image, services, ports: None, addresses: None, line });
        true
    }

    /// `5143 Bound, 7312 EAConnect {MSFT_NetTCPConnection (InstanceID = "...` with fewer blanks than there were.
    pub(super) fn line(&mut self, line: Line<'_>) -> bool {
        let Some((count, rest)) = line.trimmed().split_once(char::is_whitespace) else { return false };
        let Some(count) = self::count(count) else { return false };
        let (names, members) = rest.split_at_checked(rest.find('{').unwrap_or(rest.len())).unwrap_or((rest, ""));
        let mut words = names.split_whitespace();
        let mut values: Vec<&str> = Vec::new();
        for word in words.by_ref() {
            values.push(word.trim_end_matches(','));
            if !word.ends_with(',') {
                break;
            }
        }
        let image = words.collect::<Vec<_>>().join(" ");
        let image = Some(image.as_str()).filter(|image| !image.is_empty() && self.names_images);
        if values.is_empty() || !self.columns.is_empty() {
            return false;
        }
        self.push(count, &values.join(", "), image, members, line.number);
        true
    }

    /// The text ends without a line end behind the last row, whose process id may be cut.
    pub(super) fn doubt_last(&mut self) {
        self.is_open = true;
    }

    fn push(&mut self, count: u32, name: &str, image: Option<&str>, members: &str, line: u64) {
        self.names_tcp |= members.contains("MSFT_NetTCPConnection");
        self.names_udp |= members.contains("MSFT_NetUDPEndpoint");
        self.has_images |= image.is_some();
        let values = name.split(',').map(|value| value.trim().to_owned()).collect();
        let identity = identity(members);
        let ports = identity.and_then(|[_, local, _, remote]| number(local).zip(number(remote)));
        let addresses =
            identity.and_then(|[local, _, remote, _]| super::sockets::ip(local).zip(super::sockets::ip(remote)));
        let image = image.map(str::to_owned);
        self.rows.push(Row { count, values, image, services: Vec::new(), ports, addresses, line });
    }

    pub(super) fn end(&mut self, count: RowCount, context: &mut Context, found: &mut Found) {
        let rows = std::mem::take(&mut self.rows);
        let command = &context.command;
        let names_net = command.names("nettcpconnection") || command.names("netudpendpoint");
        let asked = asked(command.text(), context.grouped, context.clock.has_time());
        let has_states = rows.iter().any(|row| row.values.iter().any(|value| is_state(value)));
        // Anything can be grouped: where nothing speaks of sockets, there is nothing to miss.
        if rows.is_empty() || !(self.names_tcp || self.names_udp || names_net || has_states) {
            return;
        }
        found.has_sockets = true;
        let is_udp = self.names_udp || (command.names("netudpendpoint") && !command.names("nettcpconnection"));
        let protocol = if is_udp { Protocol::Udp } else { Protocol::Tcp };
        let total = if is_udp { &mut found.udp_rows } else { &mut found.socket_rows };
        let meaning = match self.columns.as_slice() {
            [] => meaning(&rows, asked, self.has_images),
            columns => Some(columns.to_vec()),
        };
        let Some(meaning) = meaning else {
            for row in &rows {
                total.missed(row.line);
            }
            total.add(RowCount { rows: 0, ..count });
            found.note("a table of groups does not say what its numbers are, not used");
            return;
        };
        let filter = Filter::of(command.text());
        if filter.is_of_port {
            total.add(count);
            found.note("the command lists sockets by their local port: they are of a server, and no ports of a pool, not counted");
            return;
        }
        let mut listing = SocketListing::default();
        let (mut rows_read, last_line) = (count, rows.last().map_or(0, |row| row.line));
        for row in rows {
            match row.sockets(&meaning, protocol, &filter) {
                Some(Sockets::Owned(socket)) => {
                    let owner = ListedOwner { image: row.image, services: row.services };
                    if let Some(pid) = socket.pid.filter(|_| owner != ListedOwner::default()) {
                        listing.owners.entry(pid).or_insert(owner);
                    }
                    listing.sockets.push(socket);
                }
                Some(Sockets::Remote(remote)) => found.remotes.push(remote),
                Some(Sockets::Neither) => {}
                None => {
                    rows_read.rows = rows_read.rows.saturating_sub(1);
                    rows_read.missed(row.line);
                }
            }
        }
        if self.is_open && listing.forget_cut() {
            rows_read.rows = rows_read.rows.saturating_sub(1);
            rows_read.missed(last_line);
        }
        total.add(rows_read);
        if !meaning.iter().any(|property| matches!(property, Property::Owner | Property::State)) {
            found.note("sockets grouped by address or port: they name no process");
        }
        if listing.sockets.is_empty() {
            return;
        }
        // Of two questions in one line each is one of its own.
        let question = command.asked().map(|command| format!("{command} by {meaning:?}").to_lowercase());
        (listing.taken, listing.asked, listing.host) = (context.clock.take(), question, context.host.name());
        if is_udp { found.udp.push(listing) } else { found.tcp.push(listing) }
    }
}

/// What a row tells.
enum Sockets {
    Owned(ListedSocket),
    Remote(RemoteCount),
    /// Ports or addresses of this machine, and no owner.
    Neither,
}

impl Row {
    fn sockets(&self, meaning: &[Property], protocol: Protocol, filter: &Filter) -> Option<Sockets> {
        if self.values.len() != meaning.len() {
            return None;
        }
        let (mut state, mut pid, mut address, mut port) = (filter.state.clone(), filter.pid, None, None);
        for (property, value) in meaning.iter().zip(&self.values) {
            match property {
                Property::State => {
                    state = Some(TcpState::from_word(value).filter(|_| value.contains(char::is_alphabetic))?);
                }
                Property::Owner => pid = Some(number(value)?),
                Property::RemoteAddress => address = Some(super::sockets::ip(value)?),
                Property::RemotePort => port = Some(number::<u16>(value)?),
                Property::LocalAddress | Property::LocalPort | Property::Other => {}
            }
        }
        let state = state.or_else(|| TcpState::where_untold(pid)).filter(|_| protocol == Protocol::Tcp);
        let by = |property| meaning.contains(&property);
        let count = self.count;
        Some(if by(Property::Owner) || (by(Property::State) && meaning.len() == 1) {
            Sockets::Owned(ListedSocket {
                remote: address.zip(port).map(|(ip, port)| SocketAddress { ip, port }),
                // Of a listener beside whom others are connected nothing follows.
                port_alone: self.ports.filter(|(_, remote)| *remote != 0).map(|(local, _)| local),
                ..ListedSocket::counted(protocol, state, pid, count)
            })
        } else if by(Property::RemotePort) || by(Property::RemoteAddress) {
            Sockets::Remote(RemoteCount { source: 0, protocol, address, port, state, count })
        } else {
            Sockets::Neither
        })
    }
}

/// How many are in a group, whose digits may stand in groups of three.
fn count(text: &str) -> Option<u32> {
    grouped_number(text).and_then(|count| u32::try_from(count).ok())
}

fn is_state(value: &str) -> bool {
    value.contains(char::is_alphabetic) && TcpState::from_word(value).is_some()
}

/// The parts of the first identity that is shown whole: `InstanceID = "10.1.2.3??50000??10.1.2.4??443"`.
fn identity(members: &str) -> Option<[&str; 4]> {
    let (_, behind) = members.split_once("InstanceID = \"")?;
    let (identity, _) = behind.split_once('"')?;
    let parts: Vec<&str> = identity.split("??").collect();
    parts.try_into().ok()
}

/// What the values of all rows are; `None` where a number may be anything.
fn meaning(rows: &[Row], asked: Asked, has_images: bool) -> Option<Vec<Property>> {
    let width = rows.first()?.values.len();
    match asked {
        Asked::For(properties) => return (properties.len() == width).then_some(properties),
        Asked::ForSomethingElse => return None,
        Asked::Unknown => {}
    }
    (0..width).map(|at| of_values(rows, at, has_images)).collect()
}

fn of_values(rows: &[Row], at: usize, has_images: bool) -> Option<Property> {
    let values = || rows.iter().filter_map(|row| row.values.get(at).map(|value| (row, value.as_str())));
    if values().all(|(_, value)| is_state(value)) {
        return Some(Property::State);
    }
    if values().all(|(_, value)| super::sockets::ip(value).is_some()) {
        let is = |wanted: fn(&(IpAddr, IpAddr)) -> IpAddr| {
            let known: Vec<bool> = values()
                .filter_map(|(row, value)| Some(super::sockets::ip(value)? == wanted(row.addresses.as_ref()?)))
                .collect();
            !known.is_empty() && known.iter().all(|is| *is)
        };
        return match (is(|addresses| addresses.0), is(|addresses| addresses.1)) {
            (true, false) => Some(Property::LocalAddress),
            (false, true) => Some(Property::RemoteAddress),
            _ => None,
        };
    }
    let numbers: Vec<(&Row, u32)> = values().filter_map(|(row, value)| Some((row, number(value)?))).collect();
    if numbers.len() < rows.len() {
        return None;
    }
    // No socket in TIME_WAIT has a port 0, and none an owner.
    let waits = |row: &Row| row.values.iter().any(|value| TcpState::from_word(value) == Some(TcpState::TimeWait));
    if has_images || numbers.iter().any(|(row, number)| (*number == 0 && waits(row)) || *number > u32::from(u16::MAX)) {
        return Some(Property::Owner);
    }
    let shown: Vec<(u32, (u16, u16))> =
        numbers.iter().filter_map(|(row, number)| Some((*number, row.ports?))).collect();
    let all = |is: &dyn Fn(u32, (u16, u16)) -> bool| shown.iter().all(|(number, ports)| is(*number, *ports));
    match () {
        () if shown.is_empty() => None,
        () if all(&|number, (local, _)| number == u32::from(local)) => Some(Property::LocalPort),
        () if all(&|number, (_, remote)| number == u32::from(remote)) => Some(Property::RemotePort),
        () if all(&|number, (local, remote)| number != u32::from(local) && number != u32::from(remote)) => {
            Some(Property::Owner)
        }
        () => None,
    }
}

/// What a command says that a table of groups below it is.
enum Asked {
    /// It does not say.
    Unknown,
    /// Groups by these properties.
    For(Vec<Property>),
    /// The command has been answered by the tables before.
    ForSomethingElse,
}

/// What a command says of a table below it, which is the one with this number; `is_timed`: a time stands above it, so that the
/// command may have been given again.
fn asked(command: &str, number: usize, is_timed: bool) -> Asked {
    const LOOPS: [&str; 8] = ["while", "for(", "for (", "foreach(", "foreach (", "do{", "do {", ".."];
    let lower = command.to_ascii_lowercase();
    let is_group = |stage: &&str| matches!(stage.split_whitespace().next(), Some("group" | "group-object"));
    let stages: Vec<&str> = lower.split(['|', ';']).map(str::trim).filter(is_group).collect();
    // Of two questions in one line, which of them a table answers is not told.
    if stages.is_empty() || listing_commands(&lower) != 1 {
        return Asked::Unknown;
    }
    let is_repeated = is_timed || LOOPS.iter().any(|word| lower.contains(word));
    let number = if is_repeated { number % stages.len() } else { number };
    match stages.get(number) {
        Some(stage) if has_properties(stage) => properties(stage).map_or(Asked::Unknown, Asked::For),
        Some(_) if stages.len() == 1 => taken_out(&lower).map_or(Asked::Unknown, |property| Asked::For(vec![property])),
        Some(_) => Asked::Unknown,
        None => Asked::ForSomethingElse,
    }
}

/// Whether a `Group-Object` names what it groups by.
fn has_properties(stage: &str) -> bool {
    stage.split_whitespace().skip(1).any(|word| !word.starts_with('-'))
}

/// The property whose values alone are grouped: `... | % OwningProcess | group`, `(...).OwningProcess | group`.
fn taken_out(lower: &str) -> Option<Property> {
    let (before, _) = lower.rsplit_once("| group").or_else(|| lower.rsplit_once("|group"))?;
    let stage = before.rsplit('|').next()?.trim();
    let last = stage.split_whitespace().next_back()?;
    let is_taken_out =
        ["% ", "foreach ", "foreach-object ", "select -expandproperty ", "select-object -expandproperty "]
            .iter()
            .any(|verb| stage.strip_prefix(verb).is_some_and(|name| name.trim() == last));
    let name = match last.rsplit_once(").") {
        Some((_, name)) => name,
        None if is_taken_out => last,
        None => return None,
    };
    property(name).filter(|property| *property != Property::Other)
}

fn property(name: &str) -> Option<Property> {
    name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_').then(|| match Column::named(name) {
        Column::State => Property::State,
        Column::Pid => Property::Owner,
        Column::LocalAddress => Property::LocalAddress,
        Column::LocalPort => Property::LocalPort,
        Column::RemoteAddress => Property::RemoteAddress,
        Column::RemotePort => Property::RemotePort,
        _ => Property::Other,
    })
}

/// The properties that a `Group-Object` names; `None` where there is none, or one that is computed.
fn properties(stage: &str) -> Option<Vec<Property>> {
    // Behind the name; a parameter before the properties is `-Property`, one behind them ends them.
    let names: Vec<&str> = stage
        .split_whitespace()
        .skip(1)
        .skip_while(|word| word.starts_with('-'))
        .take_while(|word| !word.starts_with('-'))
        .flat_map(|word| word.split(','))
        .map(|name| name.trim_matches(['\'', '"', '(', ')', '@', ';', '}']))
        .filter(|name| !name.is_empty())
        .collect();
    // One that is computed is none of these.
    (!names.is_empty()).then(|| names.into_iter().map(property).collect()).flatten()
}

/// How many commands that list sockets a line in small letters holds.
fn listing_commands(lower: &str) -> usize {
    ["nettcpconnection", "netudpendpoint"].iter().map(|name| lower.matches(name).count()).sum()
}

/// What a command says of all sockets that it lists.
#[derive(Debug, Clone, Default)]
pub(super) struct Filter {
    pub(super) state: Option<TcpState>,
    pub(super) pid: Option<u32>,
    /// The local port is one of those named, or below one that is no larger than the first of the default range.
    is_of_port: bool,
}

impl Filter {
    /// A condition that is one of several, or that is denied, says nothing of all of them; nor does that of another command.
    pub(super) fn of(command: &str) -> Self {
        let words: Vec<&str> = command
            .split(|c: char| c.is_whitespace() || matches!(c, '{' | '}' | '(' | ')' | '|' | '\'' | '"'))
            .filter(|word| !word.is_empty())
            .collect();
        let is_loose = |word: &&&str| {
            word.starts_with('!') || ["-or", "-xor", "-not"].iter().any(|known| word.eq_ignore_ascii_case(known))
        };
        if words.iter().any(|word| is_loose(&word)) || listing_commands(&command.to_ascii_lowercase()) > 1 {
            return Self::default();
        }
        let value = |names: &[&str]| {
            words.iter().enumerate().find_map(|(at, word)| {
                let name = word.trim_start_matches("$_.").trim_start_matches("$PSItem.");
                let is_name = names.iter().any(|known| name.trim_start_matches('-').eq_ignore_ascii_case(known));
                let next = *words.get(at + 1)?;
                let is_equal = next.eq_ignore_ascii_case("-eq") || next.eq_ignore_ascii_case("-ieq");
                match () {
                    () if !is_name => None,
                    () if is_equal => words.get(at + 2).copied(),
                    () if word.starts_with('-') => Some(next),
                    () => None,
                }
            })
        };
        let number_of = |text: &str| number::<u32>(text.trim_end_matches([',', ';']).split(',').next()?);
        let is_below = |pair: &[&str]| {
            let [sign, bound] = pair else { return false };
            let is_less = ["-lt", "-le"].iter().any(|known| sign.eq_ignore_ascii_case(known));
            is_less && number_of(bound).is_some_and(|bound| bound <= FIRST_DYNAMIC_PORT)
        };
        let is_port = |word: &str| {
            let name = word.trim_start_matches("$_.").trim_start_matches("$PSItem.").trim_start_matches('-');
            name.eq_ignore_ascii_case("localport")
        };
        let below =
            words.iter().enumerate().any(|(at, word)| is_port(word) && words.get(at + 1..at + 3).is_some_and(is_below));
        Self {
            is_of_port: below || value(&["localport"]).and_then(number_of).is_some(),
            state: value(&["state"]).filter(|word| is_state(word)).and_then(TcpState::from_word),
            pid: value(&["owningprocess"]).and_then(number),
        }
    }
}
