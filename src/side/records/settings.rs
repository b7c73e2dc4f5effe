//! Port ranges as `Get-NetTCPSetting` and `Get-NetUDPSetting` tell them, and ports in use as scripts count them.

use super::{Context, Found};
use crate::net::Protocol;
use crate::side::columns::{Column, Record};
use crate::side::facts::{DynamicPorts, ListedSocket, PortUse, RowCount, SocketListing, TcpState};
use crate::side::netsh::is_range;
use crate::side::taken::taken_in;

/// Settings with their port ranges.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    protocol: Protocol,
    ranges: Vec<(u16, u32)>,
}

impl Settings {
    /// Settings of TCP have names, those of UDP have none; where a list leaves these out, the command or the file's name tells.
    pub(super) fn new(columns: &[Column], context: &Context) -> Option<Self> {
        let names = |word: &str| context.command.names(word) || context.name.contains(word);
        let protocol = match (names("nettcpsetting"), names("netudpsetting")) {
            (true, false) => Protocol::Tcp,
            (false, true) => Protocol::Udp,
            _ if columns.contains(&Column::SettingName) => Protocol::Tcp,
            _ => return None,
        };
        Some(Self { protocol, ranges: Vec::new() })
    }

    pub(super) fn row(&mut self, record: &Record<'_>) -> bool {
        let cell = |column| record.get(column).filter(|text| *text != "0");
        match (cell(Column::RangeStart), cell(Column::RangeCount)) {
            // A setting that takes the range of the system.
            (None, None) => true,
            (Some(_), Some(_)) => {
                let (start, count) =
                    (record.number::<u16>(Column::RangeStart), record.number::<u32>(Column::RangeCount));
                let Some((start, count)) =
                    start.zip(count).filter(|(start, count)| is_range(u32::from(*start), *count))
                else {
                    return false;
                };
                if !self.ranges.contains(&(start, count)) {
                    self.ranges.push((start, count));
                }
                true
            }
            _ => false,
        }
    }

    pub(super) fn end(&mut self, count: RowCount, found: &mut Found) {
        found.range_rows.add(count);
        match self.ranges.as_slice() {
            [(start, count)] => {
                let (start, count) = (*start, *count);
                let ports = DynamicPorts { source: 0, protocol: self.protocol, family: None, start, count };
                found.dynamic.push(ports);
            }
            [] => {}
            // Which of them is in force, the list does not say.
            _ => found.note("settings with different port ranges, none of them used"),
        }
    }
}

/// Ports in use at each local address.
#[derive(Debug, Clone, Default)]
pub(super) struct PortUses {
    uses: Vec<PortUse>,
}

impl PortUses {
    pub(super) fn row(&mut self, record: &Record<'_>) -> bool {
        let Some(address) = record.get(Column::LocalAddress).and_then(super::sockets::ip) else { return false };
        let (Some(in_use), Some(max)) = (record.number::<u32>(Column::InUse), record.number::<u32>(Column::Max)) else {
            return false;
        };
        let taken = record.get(Column::DateTime).and_then(taken_in);
        self.uses.push(PortUse { source: 0, taken, address, in_use, max });
        max > 0
    }

    pub(super) fn end(&mut self, count: RowCount, context: &mut Context, found: &mut Found) {
        found.socket_rows.add(count);
        if let Some(last) = self.uses.last() {
            context.counted.clone_from(&last.taken);
            found.has_sockets = true;
        }
        found.port_use.append(&mut self.uses);
    }
}

/// Connections of each process, below the count of ports in use: those of one local address.
#[derive(Debug, Clone, Default)]
pub(super) struct PidCounts {
    sockets: Vec<ListedSocket>,
}

impl PidCounts {
    pub(super) fn row(&mut self, record: &Record<'_>) -> bool {
        let (Some(pid), Some(count)) = (record.number::<u32>(Column::Pid), record.number::<u32>(Column::Count)) else {
            return false;
        };
        self.sockets.push(ListedSocket::counted(Protocol::Tcp, TcpState::where_untold(Some(pid)), Some(pid), count));
        true
    }

    /// The table says neither what it counts nor when: the count of ports above it does.
    pub(super) fn end(&mut self, count: RowCount, context: &mut Context, found: &mut Found) {
        let sockets = std::mem::take(&mut self.sockets);
        if sockets.is_empty() || found.port_use.is_empty() {
            return;
        }
        found.socket_rows.add(count);
        let taken = context.counted.clone();
        found.tcp.push(SocketListing { taken, sockets, ..SocketListing::default() });
    }
}

/// Where nothing tells whose the ports in use are, the counts are listings of nobody's: of each moment that of the address with
/// most.
pub(super) fn list_port_use(found: &mut Found) {
    if !found.tcp.is_empty() {
        return;
    }
    let mut fullest: Vec<&PortUse> = Vec::new();
    for count in &found.port_use {
        match fullest.last_mut().filter(|last| last.taken == count.taken && count.taken.is_some()) {
            Some(last) if last.in_use >= count.in_use => {}
            Some(last) => *last = count,
            None => fullest.push(count),
        }
    }
    let listing = |count: &PortUse| {
        let socket = ListedSocket::counted(Protocol::Tcp, None, None, count.in_use);
        let of_ports = Some(count.max);
        SocketListing { taken: count.taken.clone(), of_ports, sockets: vec![socket], ..SocketListing::default() }
    };
    found.tcp = fullest.into_iter().map(listing).collect();
}
