//! Rows of sockets, one each.

use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::groups::Filter;
use super::{Context, Found};
use crate::event::base_name;
use crate::net::{Family, Protocol, SocketAddress};
use crate::side::columns::{Column, Record, number};
use crate::side::facts::{ListedOwner, ListedSocket, RowCount, SocketListing, Taken, TcpState};
use crate::side::taken::taken_in;
use crate::side::tasklist::split_services;

/// Sockets of a table that is being read.
#[derive(Debug, Clone)]
pub(super) struct Sockets {
    /// Where no column tells it: by the columns, by the command, or by the file's name.
    protocol: Option<Protocol>,
    /// What the command says of all rows.
    filter: Filter,
    tcp: Part,
    udp: Part,
    /// Whether the last row is one of UDP.
    ends_with_udp: bool,
    /// Some process ids are cut.
    has_cut_pids: bool,
    /// What rows say that were taken before, and when.
    earlier: Vec<(Part, Part, Option<Taken>)>,
    /// When the last row was taken, where a column says so.
    taken: Option<Taken>,
    /// The number of the round that the last row is of, where a column has it.
    round: Option<String>,
    /// Connected sockets, and in which row each stands last, of a table whose rows are of one moment.
    connected: HashMap<(SocketAddress, SocketAddress), u64>,
    rows: u64,
    /// Rows of sockets that stand further up, and not in the row before.
    repeated: u64,
    /// Processes of which the program says that they have ended.
    ended: BTreeSet<u32>,
}

/// One of so many connected sockets may stand in a table twice: a socket may close, and another one have its place, while rows are
/// written.
const ROWS_FOR_ONE_REPEATED: u64 = 10;

/// Rows that are no further apart are of one moment: a script may note the time of each.
const SAME_MOMENT_SECONDS: u32 = 2;

/// So many moments with a row or two each are none: each row tells what happened, and when.
const MANY_MOMENTS: usize = 3;

#[derive(Debug, Clone, Default)]
struct Part {
    listing: SocketListing,
    images: HashMap<ListedOwner, u32>,
    rows: u64,
    named: u64,
}

impl Part {
    fn push(&mut self, mut socket: ListedSocket, owner: ListedOwner) {
        self.rows = self.rows.saturating_add(1);
        self.named = self.named.saturating_add(u64::from(socket.local.is_none() && socket.port_alone.is_none()));
        if let Some(pid) = socket.pid.filter(|pid| *pid != 0) {
            if owner.image.is_some() || !owner.services.is_empty() {
                self.listing.owners.entry(pid).or_insert(owner);
            }
        } else if socket.pid.is_none() && owner.image.is_some() {
            socket.image = Some(self.image(owner));
        }
        self.listing.sockets.push(socket);
    }

    fn image(&mut self, owner: ListedOwner) -> u32 {
        let next = u32::try_from(self.listing.images.len()).unwrap_or(u32::MAX);
        *self.images.entry(owner).or_insert_with_key(|owner| {
            self.listing.images.push(owner.clone());
            next
        })
    }
}

impl Sockets {
    pub(super) fn new(columns: &[Column], context: &Context) -> Self {
        let has = |column| columns.contains(&column);
        let names = |word: &str| context.command.names(word) || context.name.contains(word);
        let protocol = match (names("tcpconnection"), names("udpendpoint") || names("udpconnection")) {
            (true, false) => Some(Protocol::Tcp),
            (false, true) => Some(Protocol::Udp),
            _ => (has(Column::State) || has(Column::RemotePort)).then_some(Protocol::Tcp),
        };
        let mut filter = Filter::of(context.command.text());
        match &context.group {
            Some((Column::State, word)) if !has(Column::State) => filter.state = TcpState::from_word(word),
            Some((Column::Pid, pid)) if !has(Column::Pid) => filter.pid = number(pid),
            _ => {}
        }
        let (tcp, udp) = (Part::default(), Part::default());
        Self {
            protocol,
            filter,
            tcp,
            udp,
            ends_with_udp: false,
            has_cut_pids: false,
            earlier: Vec::new(),
            taken: None,
            round: None,
            connected: HashMap::new(),
            rows: 0,
            repeated: 0,
            ended: BTreeSet::new(),
        }
    }

    pub(super) fn row(&mut self, record: &Record<'_>) -> bool {
        let Some((socket, owner)) = socket(record, self.protocol, &self.filter) else { return false };
        let taken = record.has(Column::DateTime).then(|| taken(record)).flatten();
        if let Some((before, now)) = self.taken.as_ref().zip(taken.as_ref())
            && (before.day != now.day || before.second_of_day.abs_diff(now.second_of_day) > SAME_MOMENT_SECONDS)
        {
            self.end_moment();
        }
        self.taken = taken.or(self.taken.take());
        if let Some(round) = record.get(Column::Round) {
            if self.round.as_deref().is_some_and(|before| before != round) {
                self.end_moment();
            }
            self.round = Some(round.to_owned());
        }
        self.count_repeated(&socket);
        // TCPView's word for a process that it does not find any more.
        let has_ended = record.get(Column::ProcessName).is_some_and(|name| name.starts_with("<non-existent>"));
        self.ended.extend(socket.pid.filter(|_| has_ended));
        self.has_cut_pids |= record.get(Column::Pid).is_some_and(is_cut);
        // The columns of both kinds of sockets are the same where all of them are exported.
        self.ends_with_udp = socket.protocol == Protocol::Udp;
        self.last_part().push(socket, owner);
        true
    }

    /// Takes back the last row, where the text ends within its process id.
    pub(super) fn forget_cut(&mut self) -> bool {
        let part = self.last_part();
        let is_cut = part.listing.forget_cut();
        part.rows = part.rows.saturating_sub(u64::from(is_cut));
        is_cut
    }

    /// Sees whether a connected socket stands in the table for the second time. Rows that follow each other are one socket, of
    /// which something has several: services, users.
    fn count_repeated(&mut self, socket: &ListedSocket) {
        self.rows += 1;
        let connected = socket.local.zip(socket.remote.filter(|remote| remote.port != 0));
        let Some(pair) = connected.filter(|_| socket.count == 1) else { return };
        let before = self.connected.insert(pair, self.rows);
        self.repeated += u64::from(before.is_some_and(|before| before + 1 < self.rows));
    }

    fn end_moment(&mut self) {
        self.connected.clear();
        self.earlier.push((std::mem::take(&mut self.tcp), std::mem::take(&mut self.udp), self.taken.take()));
    }

    fn last_part(&mut self) -> &mut Part {
        if self.ends_with_udp { &mut self.udp } else { &mut self.tcp }
    }

    pub(super) fn end(&mut self, count: RowCount, context: &mut Context, found: &mut Found) {
        found.absent.append(&mut self.ended.iter().copied().collect());
        let above = context.clock.take();
        let (asked, host) = (context.command.asked(), context.host.name());
        let mut left = RowCount { rows: 0, ..count };
        self.end_moment();
        let group = context.group.as_ref().map(|(column, _)| *column);
        let goes_on = group.is_some() && std::mem::replace(&mut context.group_before, group) == group;
        let moments = std::mem::take(&mut self.earlier);
        if moments.len() >= MANY_MOMENTS && count.rows < 2 * moments.len() as u64 {
            found.note("each row has a time of its own: what happened, and no list of sockets, not used");
            found.socket_rows.not_understood = found.socket_rows.not_understood.saturating_add(count.rows);
            return;
        }
        if self.repeated * ROWS_FOR_ONE_REPEATED > self.rows {
            found.note(
                "the same sockets stand in it again and again: its rows are of several moments or machines, which no known column \
                 tells apart, not used",
            );
            found.socket_rows.not_understood = found.socket_rows.not_understood.saturating_add(count.rows);
            return;
        }
        let is_of_rounds = self.round.is_some() && moments.len() > 1;
        for (tcp, udp, taken) in moments {
            let taken = taken.or_else(|| above.clone());
            for (part, listings, counts) in
                [(tcp, &mut found.tcp, &mut found.socket_rows), (udp, &mut found.udp, &mut found.udp_rows)]
            {
                let Part { listing, rows, named, .. } = part;
                if listing.sockets.is_empty() {
                    continue;
                }
                found.named = found.named.saturating_add(named);
                counts.add(RowCount { rows, ..std::mem::take(&mut left) });
                // A further array with such objects is another moment.
                let protocol = if is_tcp(&listing) { "TCP" } else { "UDP" };
                let of_array = |kind: usize| format!("objects {kind} of an array, {protocol}");
                let asked = asked.clone().or_else(|| context.array.map(of_array));
                let asked = asked.or_else(|| is_of_rounds.then(|| format!("rows of rounds, {protocol}")));
                // Groups of one table are one listing.
                if let Some(before) = listings.last_mut().filter(|_| goes_on) {
                    before.join(listing);
                    continue;
                }
                let (taken, host) = (taken.clone(), host.clone());
                listings.push(SocketListing { taken, asked, host, ..listing });
            }
        }
        if self.protocol.is_none() && count.rows == 0 && count.not_understood > 0 {
            found.note("a list of ports does not say whether it is of TCP or UDP, not used");
            found.socket_rows.add(left);
        }
        if self.has_cut_pids {
            found.note("process ids that the table has cut are not used");
        }
        found.has_sockets |= count.rows > 0;
    }
}

/// Whether a narrow table has cut a cell.
fn is_cut(cell: &str) -> bool {
    cell.ends_with('…') || cell.ends_with("...")
}

fn is_tcp(listing: &SocketListing) -> bool {
    listing.sockets.first().is_some_and(|socket| socket.protocol == Protocol::Tcp)
}

/// When a row was taken, as its columns say: date and time may have one each.
fn taken(record: &Record<'_>) -> Option<Taken> {
    let cells = record.columns.iter().zip(record.cells).filter(|(column, _)| **column == Column::DateTime);
    taken_in(&cells.map(|(_, cell)| cell.trim()).collect::<Vec<_>>().join(" "))
}

/// The socket of a row, and who owns it; `None` where a cell does not hold what its column does.
fn socket(record: &Record<'_>, protocol: Option<Protocol>, filter: &Filter) -> Option<(ListedSocket, ListedOwner)> {
    let protocol = protocol_of(record, protocol)?;
    let is_tcp = protocol == Protocol::Tcp;
    let (local, port_alone) = local(record)?;
    let remote = place(record, Column::RemoteAddress, Column::RemotePort).filter(|_| is_tcp);
    let (image, pid_of_name) = image(record);
    let pid = match record.get(Column::Pid) {
        Some(pid) if is_cut(pid) => None,
        Some(pid) => Some(number::<u32>(pid)?),
        // In a table by positions an empty cell is a row that is cut.
        None if record.has(Column::Pid) && !record.is_exact => return None,
        None => pid_of_name.or(filter.pid),
    };
    let mut state = None;
    if is_tcp {
        let word = record.get(Column::State);
        let is_shifted = word.is_some_and(|word| !record.is_exact && !word.contains(char::is_alphabetic));
        if is_shifted || (word.is_none() && record.has(Column::State) && !record.is_exact) {
            return None;
        }
        let known = word.map(|word| TcpState::of_row(word, pid, remote.is_some_and(|remote| remote.port != 0)));
        state = known.or_else(|| filter.state.clone()).or_else(|| TcpState::where_untold(pid));
    }
    let family = match local {
        Some(local) => Some(local.family()),
        None => record.get(Column::LocalAddress).and_then(family),
    };
    let owner = ListedOwner { image, services: services_of(record) };
    let socket = ListedSocket { protocol, family, local, remote, state, pid, count: 1, image: None, port_alone };
    Some((socket, owner))
}

fn protocol_of(record: &Record<'_>, protocol: Option<Protocol>) -> Option<Protocol> {
    let class = record.get(Column::Class).unwrap_or("");
    if class.contains("MSFT_NetUDPEndpoint") {
        return Some(Protocol::Udp);
    }
    if class.contains("MSFT_NetTCPConnection") {
        return Some(Protocol::Tcp);
    }
    if !record.has(Column::Protocol) {
        return protocol;
    }
    match record.get(Column::Protocol)?.to_ascii_lowercase().as_str() {
        "tcp" | "tcpv4" | "tcpv6" | "tcp4" | "tcp6" | "6" => Some(Protocol::Tcp),
        "udp" | "udpv4" | "udpv6" | "udp4" | "udp6" | "17" => Some(Protocol::Udp),
        _ => None,
    }
}

/// The local address and port, or the port alone where the address is a name. A port that is a name is not known.
fn local(record: &Record<'_>) -> Option<(Option<SocketAddress>, Option<u16>)> {
    let address = record.get(Column::LocalAddress);
    if !record.has(Column::LocalPort) {
        let address = address?;
        let (host, port) = address.rsplit_once(':')?;
        let ip = ip(host.trim_start_matches('[').trim_end_matches(']'));
        let port: Option<u16> = number(port);
        return match (ip, port) {
            (Some(ip), Some(port)) => Some((Some(SocketAddress { ip, port }), None)),
            (Some(_), None) => None,
            (None, port) => is_name(host).then_some((None, port)),
        };
    }
    let port = record.get(Column::LocalPort)?;
    let Some(port) = number::<u16>(port) else {
        // Names of ports stand beside a protocol alone, as TCPView writes them.
        return (record.has(Column::Protocol) && is_name(port)).then_some((None, None));
    };
    if record.has(Column::LocalAddress) && address.is_none() && !record.is_exact {
        return None;
    }
    match address.map(ip) {
        Some(Some(ip)) => Some((Some(SocketAddress { ip, port }), None)),
        // A table that is too narrow cuts long addresses.
        Some(None) => address.is_some_and(|text| is_name(text) || text == "*").then_some((None, Some(port))),
        None => Some((None, Some(port))),
    }
}

/// The name of a host, of a port, or an address that was cut.
fn is_name(text: &str) -> bool {
    let is_word = text.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '.' | '_' | ':' | '%' | '…' | '$'));
    is_word && text.contains(|c: char| c.is_alphabetic() || c == ':')
}

fn place(record: &Record<'_>, address: Column, port: Column) -> Option<SocketAddress> {
    let text = record.get(address)?;
    if record.has(port) {
        return Some(SocketAddress { ip: ip(text)?, port: record.number(port)? });
    }
    let (host, port) = text.rsplit_once(':')?;
    Some(SocketAddress { ip: ip(host.trim_start_matches('[').trim_end_matches(']'))?, port: number(port)? })
}

/// The image, and the PID that some write behind it: `svchost.exe:1156`. Others have it in the column of services.
fn image(record: &Record<'_>) -> (Option<String>, Option<u32>) {
    let is_image = |text: &&str| text.to_ascii_lowercase().ends_with(".exe");
    let name = record.get(Column::ProcessName).or_else(|| record.get(Column::Services).filter(is_image));
    let Some(name) = name.filter(|name| !matches!(*name, "-" | "N/A")) else { return (None, None) };
    let (image, pid) = match name.rsplit_once(':').map(|(image, pid)| (image, number(pid))) {
        Some((image, Some(pid))) => (image, Some(pid)),
        _ => (name, None),
    };
    // TCPView says `<unknown>` of what it could not open.
    let is_sign = image.starts_with('<') && image.ends_with('>');
    (Some(base_name(image).to_owned()).filter(|_| !is_sign), pid)
}

/// The services that a row names. Some write the image there, or a sign for none.
pub(super) fn services_of(record: &Record<'_>) -> Vec<String> {
    let is_service = |name: &String| {
        !matches!(name.as_str(), "-" | "N/A") && !name.to_ascii_lowercase().ends_with(".exe") && !name.contains('{')
    };
    split_services(record.get(Column::Services).unwrap_or_default()).filter(is_service).collect()
}

/// Whether a cell holds a state as these programs name it; sockets of UDP have none.
pub(super) fn is_state(text: &str) -> bool {
    text.is_empty() || text == "*" || (text.contains(char::is_alphabetic) && TcpState::from_word(text).is_some())
}

/// An address, with a scope or without.
pub(super) fn ip(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    // As Resource Monitor writes them.
    let words = text.to_ascii_lowercase();
    match words.split_once(' ') {
        Some(("ipv4", "unspecified")) => return Some(Ipv4Addr::UNSPECIFIED.into()),
        Some(("ipv6", "unspecified")) => return Some(Ipv6Addr::UNSPECIFIED.into()),
        Some(("ipv4", "loopback")) => return Some(Ipv4Addr::LOCALHOST.into()),
        Some(("ipv6", "loopback")) => return Some(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    let ip: IpAddr = text.trim_start_matches('[').trim_end_matches(']').split('%').next()?.parse().ok()?;
    Some(ip.to_canonical())
}

/// The family, also of an address that a narrow table has cut.
fn family(text: &str) -> Option<Family> {
    match ip(text) {
        Some(ip) => Some(if ip.is_ipv4() { Family::Ipv4 } else { Family::Ipv6 }),
        None => (text.matches(':').count() > 1).then_some(Family::Ipv6),
    }
}
