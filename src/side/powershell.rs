//! What PowerShell prints of sockets and processes: `Get-NetTCPConnection`, `Get-NetUDPEndpoint` and `Get-Process`, as
//! tables, grouped, and as `Export-Csv` writes them. Names of properties are the same in every language.

mod comma;
mod table;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::facts::{HandleCount, ListedOwner, ListedSocket, SocketListing, TcpState};
use super::taken::Clock;
use crate::net::{Family, Protocol, SocketAddress};

/// What a text holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct PowerShell {
    /// Listings of TCP sockets, in the order of the text; `source` is 0.
    pub tcp: Vec<SocketListing>,
    /// Listings of UDP sockets.
    pub udp: Vec<SocketListing>,
    /// Handles of processes; images are names as written, without `.exe`.
    pub handles: Vec<HandleCount>,
    /// Rows that do not fit their heading.
    pub unread: u64,
}

/// Reads everything known in `text`.
pub fn parse(text: &str) -> PowerShell {
    let mut found = PowerShell::default();
    let mut clock = Clock::default();
    let mut rest = text;
    while let Some((line, behind)) = next_line(rest) {
        let trimmed = line.trim();
        rest = if !may_be_heading(trimmed) {
            if !trimmed.is_empty() {
                clock.see(trimmed);
            }
            behind
        } else if let Some(heading) = comma::Heading::of(trimmed) {
            comma::read(&heading, behind, &mut found, &mut clock)
        } else if let Some(heading) = table::Heading::of(trimmed) {
            table::read(&heading, behind, &mut found, &mut clock)
        } else {
            behind
        };
    }
    found
}

/// A quick look: most lines of most files are no heading.
fn may_be_heading(line: &str) -> bool {
    line.starts_with("Count") || ["LocalPort", "Handle"].iter().any(|name| line.contains(name))
}

/// The first line, without its end, and the text behind it; `None` at the end.
fn next_line(text: &str) -> Option<(&str, &str)> {
    if text.is_empty() {
        return None;
    }
    Some(text.split_once('\n').unwrap_or((text, "")))
}

/// Columns that are known, in any order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    LocalAddress,
    LocalPort,
    RemoteAddress,
    RemotePort,
    State,
    /// Empty for sockets that are not connected.
    AppliedSetting,
    OwningProcess,
    Id,
    ProcessName,
    Handles,
    /// `#TYPE` is not always there, the class of each object is.
    Class,
    Other,
}

impl Column {
    fn named(name: &str) -> Self {
        match name.trim().to_ascii_lowercase().as_str() {
            "localaddress" => Self::LocalAddress,
            "localport" => Self::LocalPort,
            "remoteaddress" => Self::RemoteAddress,
            "remoteport" => Self::RemotePort,
            "state" => Self::State,
            "appliedsetting" => Self::AppliedSetting,
            "owningprocess" => Self::OwningProcess,
            "id" => Self::Id,
            "processname" => Self::ProcessName,
            "handles" | "handlecount" => Self::Handles,
            "cimclass" => Self::Class,
            _ => Self::Other,
        }
    }
}

/// Sockets: a port and an owner. Processes: an id, a name and handles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    Tcp,
    Udp,
    Processes,
}

impl Content {
    fn of(columns: &[Column]) -> Option<Self> {
        let has = |column| columns.contains(&column);
        if has(Column::LocalPort) && (has(Column::OwningProcess) || has(Column::LocalAddress)) {
            let is_tcp = has(Column::State) || has(Column::RemotePort);
            return Some(if is_tcp { Self::Tcp } else { Self::Udp });
        }
        let is_process = has(Column::Id) && has(Column::ProcessName) && has(Column::Handles);
        is_process.then_some(Self::Processes)
    }
}

/// The socket of a row; `None` where it has no port.
fn socket<'r>(protocol: Protocol, cell: impl Fn(Column) -> Option<&'r str>) -> Option<ListedSocket> {
    let port = |column| cell(column).and_then(|text| text.trim().parse::<u16>().ok());
    let address = |column| cell(column).and_then(ip);
    let local_port = port(Column::LocalPort)?;
    let local_ip = address(Column::LocalAddress);
    let at = |ip: Option<IpAddr>, port: Option<u16>| ip.zip(port).map(|(ip, port)| SocketAddress { ip, port });
    let is_tcp = protocol == Protocol::Tcp;
    let remote = at(address(Column::RemoteAddress), port(Column::RemotePort)).filter(|_| is_tcp);
    let state = cell(Column::State).map(str::trim).filter(|state| is_tcp && !state.is_empty());
    Some(ListedSocket {
        protocol,
        family: cell(Column::LocalAddress).and_then(family),
        local: at(local_ip, Some(local_port)),
        remote,
        state: state.map(TcpState::named),
        pid: cell(Column::OwningProcess).and_then(|text| text.trim().parse().ok()),
        count: 1,
    })
}

/// An address, with a scope or without.
fn ip(text: &str) -> Option<IpAddr> {
    text.trim().split('%').next()?.parse().ok()
}

/// The family, also of an address that a narrow table has cut.
fn family(text: &str) -> Option<Family> {
    match ip(text) {
        Some(ip) => Some(if ip.is_ipv4() { Family::Ipv4 } else { Family::Ipv6 }),
        None => text.contains(':').then_some(Family::Ipv6),
    }
}

/// Handles of the process of a row.
fn handles<'r>(cell: impl Fn(Column) -> Option<&'r str>) -> Option<HandleCount> {
    let number = |column| cell(column).and_then(|text| text.trim().parse::<u64>().ok());
    let name = cell(Column::ProcessName).map(str::trim).filter(|name| !name.is_empty());
    Some(HandleCount {
        source: 0,
        pid: number(Column::Id)?.try_into().ok()?,
        image: name.map(str::to_owned),
        count: number(Column::Handles)?,
    })
}

/// A listing that is being read.
#[derive(Debug, Default)]
struct Listing {
    sockets: Vec<ListedSocket>,
    owners: BTreeMap<u32, ListedOwner>,
}

impl Listing {
    fn finish(self, clock: &mut Clock) -> Option<SocketListing> {
        let Self { sockets, owners } = self;
        (!sockets.is_empty()).then(|| SocketListing { source: 0, taken: clock.take(), sockets, owners })
    }
}
