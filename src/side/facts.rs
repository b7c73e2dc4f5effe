//! What side files told, each fact with the file that told it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use super::parts::picked;
use super::tasklist::Task;
use crate::event::{LogEntry, LoggedEvent};
use crate::net::{Family, Protocol, SocketAddress};
use crate::time::FileTime;

/// Number of a side file among the side inputs of the case, from 0.
pub type SourceId = usize;

/// Everything that the side files of a case told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SideFacts {
    /// Processes of `tasklist` outputs.
    pub tasks: Vec<Task>,
    /// PIDs that a process list was asked for, and did not have.
    pub absent: Vec<u32>,
    /// When process lists were taken, as lines above them say.
    pub lists_taken: Vec<(SourceId, Taken)>,
    /// Socket listings of `netstat` and PowerShell, in the order of the files; a loop file gives several, in its order.
    pub listings: Vec<SocketListing>,
    /// AFD handles for each process, of Sysinternals `handle -a afd`.
    pub afd_handles: Vec<HandleCount>,
    /// Handles of all kinds for each process, of `Get-Process` CSV.
    pub handles: Vec<HandleCount>,
    /// Dynamic port ranges, of `netsh int ipv4|ipv6 show dynamicport`.
    pub dynamic_ports: Vec<DynamicPorts>,
    /// Excluded port ranges, of `netsh int ipv4|ipv6 show excludedportrange`.
    pub excluded_ports: Vec<ExcludedPorts>,
    /// Names of processes, of lists that tell no more.
    pub names: Vec<ProcessName>,
    /// Services by their processes, of lists of services.
    pub services: Vec<ServiceProcess>,
    /// When processes started, of lists that tell it.
    pub starts: Vec<ProcessStart>,
    /// Processes that started after sockets had been listed under their PIDs: those are of others.
    pub successors: Vec<ProcessName>,
    /// Sockets by what they are connected to, of listings that are grouped so.
    pub remotes: Vec<RemoteCount>,
    /// Ports in use at local addresses, as scripts count them.
    pub port_use: Vec<PortUse>,
    /// Entries of event logs that say something about ports.
    pub system_events: Vec<SystemEvent>,
    /// Times of the oldest and the newest entry of each System log.
    pub log_spans: Vec<(FileTime, FileTime)>,
    /// The machines that wrote System logs, by the names in their entries.
    pub computers: Vec<String>,
    /// Entries of logs of Winsock-AFD's channel, as a file has them: until they are read as socket events.
    pub afd_entries: Vec<AfdEntry>,
    /// Socket events of logs of Winsock-AFD's channel, in no order.
    pub socket_events: Vec<LoggedEvent>,
    /// What else these logs hold.
    pub afd_logs: Vec<AfdLog>,
    /// Ids of Tcpip that event logs as text have, at times that are not certain.
    pub doubtful_events: BTreeSet<u32>,
}

/// An entry of Winsock-AFD's channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AfdEntry {
    /// When.
    pub time: FileTime,
    /// Its number in the log.
    pub record: u64,
    /// Event id.
    pub id: u16,
    /// Version of the event; `None` where the log tells none that is a number.
    pub version: Option<u8>,
    /// Process in whose context it was logged.
    pub header_pid: Option<u32>,
    /// Its fields by name, as the log shows them.
    pub fields: Vec<(String, String)>,
}

/// What a log of Winsock-AFD's channel holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AfdLog {
    /// The file.
    pub source: SourceId,
    /// Entries of Winsock-AFD.
    pub entries: u64,
    /// These by id, and by version where one is told.
    pub ids: BTreeMap<(u16, Option<u8>), u64>,
    /// When the oldest and the newest of them were written.
    pub span: Option<(FileTime, FileTime)>,
    /// Of these, binds that are used, enter and exit.
    pub binds: u64,
    /// Of these, ends of sockets that are used.
    pub closes: u64,
    /// Of these, entries that the analysis uses.
    pub used: u64,
    /// Entries that it would use, of a version that no source describes or with fields missing.
    pub unknown: u64,
}

impl SideFacts {
    /// Adds the facts of one file, which is side input number `source`.
    pub fn add(&mut self, facts: Self, source: SourceId) {
        let Self {
            tasks,
            absent,
            lists_taken,
            listings,
            afd_handles,
            handles,
            dynamic_ports,
            excluded_ports,
            names,
            services,
            starts,
            successors,
            remotes,
            port_use,
            system_events,
            log_spans,
            computers,
            afd_entries,
            socket_events,
            afd_logs,
            doubtful_events,
        } = facts;
        self.doubtful_events.extend(doubtful_events);
        self.afd_entries.extend(afd_entries);
        let of_source = |logged: LoggedEvent| LoggedEvent { entry: LogEntry { source, ..logged.entry }, ..logged };
        self.socket_events.extend(socket_events.into_iter().map(of_source));
        self.afd_logs.extend(afd_logs.into_iter().map(|log| AfdLog { source, ..log }));
        self.names.extend(names.into_iter().map(|name| ProcessName { source, ..name }));
        self.services.extend(services.into_iter().map(|service| ServiceProcess { source, ..service }));
        self.starts.extend(starts);
        self.successors.extend(successors.into_iter().map(|name| ProcessName { source, ..name }));
        self.remotes.extend(remotes.into_iter().map(|remote| RemoteCount { source, ..remote }));
        self.port_use.extend(port_use.into_iter().map(|ports| PortUse { source, ..ports }));
        self.log_spans.extend(log_spans);
        self.computers.extend(computers);
        self.tasks.extend(tasks);
        self.absent.extend(absent);
        self.lists_taken.extend(lists_taken.into_iter().map(|(_, taken)| (source, taken)));
        self.listings.extend(listings.into_iter().map(|listing| SocketListing { source, ..listing }));
        self.afd_handles.extend(afd_handles.into_iter().map(|handles| HandleCount { source, ..handles }));
        self.handles.extend(handles.into_iter().map(|handles| HandleCount { source, ..handles }));
        self.dynamic_ports.extend(dynamic_ports.into_iter().map(|ports| DynamicPorts { source, ..ports }));
        self.excluded_ports.extend(excluded_ports.into_iter().map(|ports| ExcludedPorts { source, ..ports }));
        self.system_events.extend(system_events.into_iter().map(|event| SystemEvent { source, ..event }));
    }

    /// The machine that the files are of, by the names in System logs and beside listings; `None` where there is no name, or where
    /// they name several. `SRV01` and `srv01.contoso.com` are one.
    pub fn host(&self) -> Option<&str> {
        let mut names = self.computers.iter().chain(self.listings.iter().filter_map(|listing| listing.host.as_ref()));
        let first = names.next()?;
        let label = |name: &str| name.split('.').next().unwrap_or(name).to_ascii_lowercase();
        names.all(|name| label(name) == label(first)).then_some(first)
    }
}

/// The sockets of a machine at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SocketListing {
    /// The file.
    pub source: SourceId,
    /// The first of the files that a script wrote one after the other, of which this is one.
    pub sequence: Option<SourceId>,
    /// When, as a line before the listing says, or the name of a file of a sequence.
    pub taken: Option<Taken>,
    /// The command that made it, where the text shows it: the same command again is another moment.
    pub asked: Option<String>,
    /// The machine, where the text names it.
    pub host: Option<String>,
    /// How many ports there are, where a script counted those in use and says so.
    pub of_ports: Option<u32>,
    /// Its rows.
    pub sockets: Vec<ListedSocket>,
    /// Names of processes, where the listing has them.
    pub owners: BTreeMap<u32, ListedOwner>,
    /// Who rows belong to, where the listing tells that row by row; [`ListedSocket::image`] counts in it.
    pub images: Vec<ListedOwner>,
}

/// Whether local addresses are of different machines: both have some of one family, and none in common. A listing of IPv4 and one
/// of IPv6 may be of one.
pub(crate) fn are_of_different_machines(one: &BTreeSet<IpAddr>, other: &BTreeSet<IpAddr>) -> bool {
    let both_have = |is_of: fn(&IpAddr) -> bool| one.iter().any(is_of) && other.iter().any(is_of);
    (both_have(IpAddr::is_ipv4) || both_have(IpAddr::is_ipv6)) && one.is_disjoint(other)
}

impl SocketListing {
    /// What its moment is one of: a file, or a sequence of files.
    pub fn moments(&self) -> SourceId {
        self.sequence.unwrap_or(self.source)
    }

    /// Whether it is of another machine than one before it: of another name, or without a local address in common.
    pub fn is_of_other_machine(&self, before: &Self) -> bool {
        if let (Some(one), Some(other)) = (&self.host, &before.host) {
            return !one.eq_ignore_ascii_case(other);
        }
        are_of_different_machines(&self.own_addresses(), &before.own_addresses())
    }

    /// Adds the rows of another part of it.
    pub(super) fn join(&mut self, part: Self) {
        let Self { sockets, owners, images, .. } = part;
        let before = u32::try_from(self.images.len()).unwrap_or(u32::MAX);
        let moved = |socket: ListedSocket| {
            let image = socket.image.map(|image| image.saturating_add(before));
            ListedSocket { image, ..socket }
        };
        self.sockets.extend(sockets.into_iter().map(moved));
        self.images.extend(images);
        for (pid, owner) in owners {
            self.owners.entry(pid).or_insert(owner);
        }
    }

    /// The command, where it shows no more than what it picks: what it does not show may be there.
    pub fn picking(&self) -> Option<&str> {
        let asked = self.asked.as_deref().filter(|asked| picked(asked).is_some())?;
        // Of which of its answers this is one, is no part of it.
        Some(asked.split(" by [").next().unwrap_or(asked))
    }

    /// Whether the command shows no more than the first or the last rows: what it does not show may be there.
    pub fn is_part(&self) -> bool {
        let words = self.asked.as_deref().unwrap_or_default().split(|c: char| c.is_whitespace() || c == '|');
        words.into_iter().any(|word| matches!(word, "-first" | "-last" | "-skip" | "head" | "tail"))
    }

    /// Takes back the last row, where the text seems to end within its process id: no other row has it, and Windows gives no such
    /// id, all being multiples of 4, or it is the beginning of another's.
    pub(super) fn forget_cut(&mut self) -> bool {
        let Some((last, others)) = self.sockets.split_last() else { return false };
        let Some(pid) = last.pid.filter(|pid| !matches!(pid, 0 | 4)) else { return false };
        let digits = pid.to_string();
        let mut ids = others.iter().filter_map(|socket| socket.pid);
        let is_known = ids.clone().any(|id| id == pid);
        let is_cut = !is_known && (!pid.is_multiple_of(4) || ids.any(|id| id.to_string().starts_with(&digits)));
        if is_cut {
            self.sockets.pop();
            self.owners.remove(&pid);
        }
        is_cut
    }

    /// Local addresses that no two machines have.
    pub(crate) fn own_addresses(&self) -> BTreeSet<IpAddr> {
        let addresses = self.sockets.iter().filter_map(|socket| socket.local.map(|local| local.ip));
        addresses.filter(|ip| !ip.is_unspecified() && !ip.is_loopback() && !ip.is_multicast()).collect()
    }
}

/// When a listing was taken: local time of the machine, in a format that the file does not name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// As written.
    pub text: String,
    /// The day, as written: days are told apart, and put in order only where one follows the other.
    pub day: Option<String>,
    /// Seconds since midnight.
    pub second_of_day: u32,
}

/// One row of a socket listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedSocket {
    /// Protocol.
    pub protocol: Protocol,
    /// Family; `None` in grouped listings, which have no addresses.
    pub family: Option<Family>,
    /// Local address and port.
    pub local: Option<SocketAddress>,
    /// Remote address and port; `None` for `*:*`.
    pub remote: Option<SocketAddress>,
    /// State; `None` for UDP, and in listings that are grouped by owner alone.
    pub state: Option<TcpState>,
    /// Owner; `None` where the listing has no such column. Sockets in TIME_WAIT have no owner any more: 0.
    pub pid: Option<u32>,
    /// How many sockets the row stands for: 1, more in grouped listings.
    pub count: u32,
    /// Who owns it, in [`SocketListing::images`]; `None` where the listing does not say so row by row.
    pub image: Option<u32>,
    /// Local port, where the address beside it is a name; of several sockets that of the first, where the listing shows it.
    pub port_alone: Option<u16>,
}

impl ListedSocket {
    /// Sockets that a listing counts, without an address or a port of each.
    pub(crate) fn counted(protocol: Protocol, state: Option<TcpState>, pid: Option<u32>, count: u32) -> Self {
        Self { protocol, family: None, local: None, remote: None, state, pid, count, image: None, port_alone: None }
    }
}

/// State of a TCP socket as a listing names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TcpState {
    /// Has a local port, and neither listens nor connects.
    Bound,
    /// Listens.
    Listen,
    /// Waits for an answer to its SYN.
    SynSent,
    /// Has answered a SYN.
    SynReceived,
    /// Connected.
    Established,
    /// Closed here, not acknowledged yet.
    FinWait1,
    /// Closed here, open there.
    FinWait2,
    /// Closed there, not closed here: the application has not called close.
    CloseWait,
    /// Closed on both sides at once.
    Closing,
    /// Closed there and here, not acknowledged yet.
    LastAck,
    /// Closed; its port waits for late packets. No process owns it.
    TimeWait,
    /// Closed.
    Closed,
    /// Being deleted.
    DeleteTcb,
    /// A word that is not known.
    Other(Arc<str>),
}

impl TcpState {
    /// As `netstat` names it in English; the word itself where it is not known.
    pub fn name(&self) -> &str {
        match self {
            Self::Bound => "BOUND",
            Self::Listen => "LISTENING",
            Self::SynSent => "SYN_SENT",
            Self::SynReceived => "SYN_RECEIVED",
            Self::Established => "ESTABLISHED",
            Self::FinWait1 => "FIN_WAIT_1",
            Self::FinWait2 => "FIN_WAIT_2",
            Self::CloseWait => "CLOSE_WAIT",
            Self::Closing => "CLOSING",
            Self::LastAck => "LAST_ACK",
            Self::TimeWait => "TIME_WAIT",
            Self::Closed => "CLOSED",
            Self::DeleteTcb => "DELETE_TCB",
            Self::Other(word) => word,
        }
    }
}

/// Who owns sockets of a listing.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListedOwner {
    /// Image name.
    pub image: Option<String>,
    /// Services or components that the listing names.
    pub services: Vec<String>,
}

/// Handles of one process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandleCount {
    /// The file.
    pub source: SourceId,
    /// Process id.
    pub pid: u32,
    /// Image name.
    pub image: Option<String>,
    /// How many.
    pub count: u64,
}

/// A dynamic port range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DynamicPorts {
    /// The file.
    pub source: SourceId,
    /// Protocol.
    pub protocol: Protocol,
    /// Family; `None` where neither a command line above the listing nor the name of the file tells.
    pub family: Option<Family>,
    /// First port.
    pub start: u16,
    /// Ports.
    pub count: u32,
}

/// A range that ports are not given out from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExcludedPorts {
    /// The file.
    pub source: SourceId,
    /// Protocol.
    pub protocol: Protocol,
    /// Family, as for [`DynamicPorts`].
    pub family: Option<Family>,
    /// First port.
    pub start: u16,
    /// Last port, in the range.
    pub end: u16,
    /// Marked with `*`: set by an administrator.
    pub administered: bool,
}

/// An entry of an event log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemEvent {
    /// The file.
    pub source: SourceId,
    /// When.
    pub time: FileTime,
    /// Provider.
    pub provider: String,
    /// Event id.
    pub id: u32,
    /// The machine that wrote it, where the entry tells.
    pub computer: Option<String>,
}

/// The name of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessName {
    /// The file.
    pub source: SourceId,
    /// Process id.
    pub pid: u32,
    /// Image name as written, with or without `.exe`.
    pub image: String,
}

/// When a process started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessStart {
    /// Process id.
    pub pid: u32,
    /// Image name as written.
    pub image: String,
    /// When: local time of the machine.
    pub started: Taken,
}

/// A service, and the process that hosts it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceProcess {
    /// The file.
    pub source: SourceId,
    /// Process id.
    pub pid: u32,
    /// Name of the service.
    pub name: String,
}

/// Sockets that are connected to one address or port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteCount {
    /// The file.
    pub source: SourceId,
    /// Protocol.
    pub protocol: Protocol,
    /// Remote address; `None` where the listing is not grouped by it.
    pub address: Option<IpAddr>,
    /// Remote port; `None` where the listing is not grouped by it.
    pub port: Option<u16>,
    /// State; `None` where it is not told.
    pub state: Option<TcpState>,
    /// Sockets.
    pub count: u32,
}

/// Dynamic ports in use at one local address, as a script counted them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortUse {
    /// The file.
    pub source: SourceId,
    /// When.
    pub taken: Option<Taken>,
    /// Local address.
    pub address: IpAddr,
    /// Ports in use.
    pub in_use: u32,
    /// Ports that there are.
    pub max: u32,
}

/// Rows of a file, or of the part of it that is of one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RowCount {
    /// Rows that were understood.
    pub rows: u64,
    /// Lines that stand where rows stand, and were not.
    pub not_understood: u64,
    /// The first of these, from 1.
    pub first_not_understood: Option<u64>,
}

impl RowCount {
    /// Counts a row.
    pub fn read(&mut self) {
        self.rows = self.rows.saturating_add(1);
    }

    /// Counts a line that was not understood.
    pub fn missed(&mut self, line: u64) {
        self.not_understood = self.not_understood.saturating_add(1);
        self.first_not_understood = Some(self.first_not_understood.map_or(line, |first| first.min(line)));
    }

    /// Adds what another part of the file has.
    pub fn add(&mut self, other: Self) {
        self.rows = self.rows.saturating_add(other.rows);
        self.not_understood = self.not_understood.saturating_add(other.not_understood);
        let firsts = [self.first_not_understood, other.first_not_understood];
        self.first_not_understood = firsts.into_iter().flatten().min();
    }
}
