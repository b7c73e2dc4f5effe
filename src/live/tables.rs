//! The layouts of what Windows lists: rows of socket tables, and the tables of all processes and handles. Plain bytes in, facts out.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use etw_schema::ByteCursor;

use super::system::{RunningProcess, SocketList};
use crate::net::{Family, Protocol, SocketAddress};
use crate::side::facts::{ListedSocket, TcpState};
use crate::time::FileTime;

/// Rows of a socket table: the number of rows, then the rows. A table that ends early gives the rows that are whole.
///
/// Source: `tcpmib.h`, `udpmib.h`: `MIB_TCPROW_OWNER_PID`, `MIB_TCP6ROW_OWNER_PID`, `MIB_UDPROW_OWNER_PID`,
/// `MIB_UDP6ROW_OWNER_PID`; those of bound sockets are `MIB_TCPROW2` and `MIB_TCP6ROW2`. Ports are in network order.
pub(super) fn sockets(table: SocketList, bytes: &[u8]) -> Vec<ListedSocket> {
    let mut cursor = ByteCursor::new(bytes);
    let Some(count) = cursor.u32() else { return Vec::new() };
    let row = |_| match table {
        SocketList::Tcp(Family::Ipv4) => tcp4(&mut cursor, false),
        SocketList::BoundTcp(Family::Ipv4) => tcp4(&mut cursor, true),
        SocketList::Tcp(Family::Ipv6) => tcp6(&mut cursor, false),
        SocketList::BoundTcp(Family::Ipv6) => tcp6(&mut cursor, true),
        SocketList::Udp(Family::Ipv4) => udp4(&mut cursor),
        SocketList::Udp(Family::Ipv6) => udp6(&mut cursor),
    };
    (0..count).map_while(row).collect()
}

/// Bytes of one row.
pub(super) fn row_bytes(table: SocketList) -> usize {
    match table {
        SocketList::Tcp(Family::Ipv4) => 24,
        SocketList::Tcp(Family::Ipv6) => 56,
        SocketList::BoundTcp(Family::Ipv4) => 28,
        SocketList::BoundTcp(Family::Ipv6) => 60,
        SocketList::Udp(Family::Ipv4) => 12,
        SocketList::Udp(Family::Ipv6) => 28,
    }
}

fn tcp4(cursor: &mut ByteCursor<'_>, is_bound: bool) -> Option<ListedSocket> {
    let state = cursor.u32()?;
    let (local, remote) = (address4(cursor)?, address4(cursor)?);
    let pid = cursor.u32()?;
    if is_bound {
        cursor.u32()?; // offload state
    }
    Some(tcp(local, remote, state, pid, is_bound))
}

fn tcp6(cursor: &mut ByteCursor<'_>, is_bound: bool) -> Option<ListedSocket> {
    let (local, remote) = (address6(cursor)?, address6(cursor)?);
    let (state, pid) = (cursor.u32()?, cursor.u32()?);
    if is_bound {
        cursor.u32()?;
    }
    Some(tcp(local, remote, state, pid, is_bound))
}

fn tcp(local: SocketAddress, remote: SocketAddress, state: u32, pid: u32, is_bound: bool) -> ListedSocket {
    let state = if is_bound { TcpState::Bound } else { tcp_state(state) };
    let has_remote = !matches!(state, TcpState::Listen | TcpState::Bound);
    ListedSocket {
        protocol: Protocol::Tcp,
        family: Some(local.family()),
        local: Some(local),
        remote: Some(remote).filter(|_| has_remote),
        state: Some(state),
        pid: Some(pid),
        count: 1,
        image: None,
        port_alone: None,
    }
}

fn udp4(cursor: &mut ByteCursor<'_>) -> Option<ListedSocket> {
    let local = address4(cursor)?;
    Some(udp(local, cursor.u32()?))
}

fn udp6(cursor: &mut ByteCursor<'_>) -> Option<ListedSocket> {
    let local = address6(cursor)?;
    Some(udp(local, cursor.u32()?))
}

fn udp(local: SocketAddress, pid: u32) -> ListedSocket {
    ListedSocket {
        protocol: Protocol::Udp,
        family: Some(local.family()),
        local: Some(local),
        remote: None,
        state: None,
        pid: Some(pid),
        count: 1,
        image: None,
        port_alone: None,
    }
}

/// Address, then port.
fn address4(cursor: &mut ByteCursor<'_>) -> Option<SocketAddress> {
    let ip = IpAddr::from(Ipv4Addr::from(cursor.array::<4>()?));
    Some(SocketAddress { ip, port: port(cursor)? })
}

/// Address, scope, port.
fn address6(cursor: &mut ByteCursor<'_>) -> Option<SocketAddress> {
    let ip = IpAddr::from(Ipv6Addr::from(cursor.array::<16>()?));
    cursor.u32()?;
    Some(SocketAddress { ip, port: port(cursor)? })
}

/// A `DWORD` whose first two bytes are the port.
fn port(cursor: &mut ByteCursor<'_>) -> Option<u16> {
    let port = cursor.u16_be()?;
    cursor.u16()?;
    Some(port)
}

/// `MIB_TCP_STATE`.
fn tcp_state(state: u32) -> TcpState {
    match state {
        1 => TcpState::Closed,
        2 => TcpState::Listen,
        3 => TcpState::SynSent,
        4 => TcpState::SynReceived,
        5 => TcpState::Established,
        6 => TcpState::FinWait1,
        7 => TcpState::FinWait2,
        8 => TcpState::CloseWait,
        9 => TcpState::Closing,
        10 => TcpState::LastAck,
        11 => TcpState::TimeWait,
        12 => TcpState::DeleteTcb,
        other => TcpState::Other(other.to_string().into()),
    }
}

/// A process as the table of all processes has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ListedProcess {
    /// Its image is a name without folder.
    pub(super) process: RunningProcess,
    /// Its handles.
    pub(super) handles: u32,
}

/// All processes, of `SYSTEM_PROCESS_INFORMATION` on a 64-bit system: each tells where the next begins. `address` is where the
/// system has written the table, since names are pointed to.
///
/// Source: `ntexapi.h` of System Informer; the fields that the page on `NtQuerySystemInformation` names stand at the same places.
pub(super) fn processes(table: &[u8], address: u64) -> Vec<ListedProcess> {
    let mut found = Vec::new();
    let mut rest = table;
    // Each is behind the one before, so that this comes to an end.
    while let Some((listed, next)) = process(table, rest, address) {
        found.push(listed);
        let Some(further) = rest.get(next..).filter(|_| next > 0) else { break };
        rest = further;
    }
    found
}

/// The process at the beginning of `rest`, and where the next begins; 0 after the last.
fn process(table: &[u8], rest: &[u8], address: u64) -> Option<(ListedProcess, usize)> {
    let mut cursor = ByteCursor::new(rest);
    let next = usize::try_from(cursor.u32()?).ok()?;
    let _threads_to_cycle_time = cursor.array::<28>()?;
    let created = FileTime::known(cursor.u64()?.cast_signed());
    let _user_and_kernel_time = cursor.array::<16>()?;
    let name_bytes = usize::from(cursor.u16()?);
    let _capacity = cursor.array::<6>()?;
    let name_at = cursor.u64()?;
    let _priority = cursor.u64()?;
    let (pid, parent) = (cursor.u64()?, cursor.u64()?);
    let handles = cursor.u32()?;
    let name = name_at.checked_sub(address).and_then(|at| usize::try_from(at).ok());
    let name = name.and_then(|at| table.get(at..)?.get(..name_bytes)).unwrap_or_default();
    let units: Vec<u16> = name.as_chunks::<2>().0.iter().map(|unit| u16::from_le_bytes(*unit)).collect();
    let process = RunningProcess {
        pid: u32::try_from(pid).ok()?,
        parent_pid: u32::try_from(parent).unwrap_or(0),
        created,
        image: String::from_utf16_lossy(&units),
    };
    Some((ListedProcess { process, handles }, next))
}

/// One handle of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Handle {
    /// Whose it is.
    pub(super) pid: u64,
    /// Its value there.
    pub(super) value: u64,
    /// What it allows.
    pub(super) access: u32,
    /// Number of the object's type.
    pub(super) type_index: u16,
}

/// All handles, of `SYSTEM_HANDLE_INFORMATION_EX` on a 64-bit system: their number, a reserved word, then the rows.
pub(super) fn handles(bytes: &[u8]) -> Vec<Handle> {
    let mut cursor = ByteCursor::new(bytes);
    let Some((count, _)) = cursor.u64().zip(cursor.u64()) else { return Vec::new() };
    let row = |_| {
        let _object = cursor.u64()?;
        let (pid, value, access) = (cursor.u64()?, cursor.u64()?, cursor.u32()?);
        let _trace = cursor.u16()?;
        let type_index = cursor.u16()?;
        let _attributes_and_reserved = cursor.u64()?;
        Some(Handle { pid, value, access, type_index })
    };
    (0..count).map_while(row).collect()
}

/// What Winsock opens a socket's handle with: read, write, synchronize and change its security. Pipes, which can block whoever
/// asks for their name, are opened with other rights as a rule.
pub(super) const SOCKET_ACCESS: u32 = 0x0016_019F;

/// Handles that may be sockets from which on a process is asked about them, or estimated: fewer take no pool.
const MANY: usize = 100;

/// The process that guards the secrets of the machine. Whoever asks for its handles looks like a thief, and endpoint protection
/// may end him.
const NEVER_ASKED: &str = "lsass.exe";

/// The kernel.
const KERNEL: u32 = 4;

/// Which processes are asked what their handles are.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Questions {
    /// PID, and handles that may be sockets.
    pub(super) ask: BTreeMap<u32, Vec<u64>>,
    /// PID, and the number of such handles, of processes that are not asked.
    pub(super) estimate: Vec<(u32, u64)>,
}

/// Decides whom to ask, of `candidates` and the `images` of processes: those with many, and never lsass. Whoever is not in the
/// list of processes has ended, or cannot be told from it.
pub(super) fn whom_to_ask(candidates: BTreeMap<u64, Vec<u64>>, images: &BTreeMap<u32, String>) -> Questions {
    let mut questions = Questions::default();
    for (pid, handles) in candidates.into_iter().filter(|(_, handles)| handles.len() >= MANY) {
        let Ok(pid) = u32::try_from(pid) else { continue };
        let Some(image) = images.get(&pid) else { continue };
        if pid == KERNEL || image.eq_ignore_ascii_case(NEVER_ASKED) {
            questions.estimate.push((pid, handles.len() as u64));
        } else {
            questions.ask.insert(pid, handles);
        }
    }
    questions
}

/// Handles that may be sockets, by process: files with the rights that Winsock asks for. `own` is a file that this process has
/// open: what type it has, files have.
pub(super) fn may_be_sockets(handles: &[Handle], own: (u64, u64)) -> BTreeMap<u64, Vec<u64>> {
    let file = handles.iter().find(|handle| (handle.pid, handle.value) == own).map(|handle| handle.type_index);
    let mut by_pid: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for handle in handles.iter().filter(|handle| Some(handle.type_index) == file && handle.access == SOCKET_ACCESS) {
        by_pid.entry(handle.pid).or_default().push(handle.value);
    }
    by_pid
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(count: u32, rows: &[&[u8]]) -> Vec<u8> {
        [&count.to_le_bytes()[..], &rows.concat()].concat()
    }

    fn words(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    /// A port as these tables have it.
    fn port(port: u16) -> [u8; 4] {
        let [high, low] = port.to_be_bytes();
        [high, low, 0, 0]
    }

    #[test]
    fn tcp_tables_of_both_families() {
        let v4 = [
            words(&[5]),
            vec![10, 0, 0, 7],
            port(50_000).to_vec(),
            vec![10, 0, 0, 1],
            port(443).to_vec(),
            words(&[7312]),
        ]
        .concat();
        let table = SocketList::Tcp(Family::Ipv4);
        assert_eq!(v4.len(), row_bytes(table));
        let found = sockets(table, &rows(1, &[&v4]));
        let local = SocketAddress { ip: [10, 0, 0, 7].into(), port: 50_000 };
        let remote = SocketAddress { ip: [10, 0, 0, 1].into(), port: 443 };
        assert_eq!((found[0].local, found[0].remote, found[0].pid), (Some(local), Some(remote), Some(7312)));
        assert_eq!(found[0].state, Some(TcpState::Established));
        let v6 = [vec![0; 15], vec![1], words(&[0]), port(80).to_vec(), vec![0; 20], port(0).to_vec(), words(&[2, 4])]
            .concat();
        let table = SocketList::Tcp(Family::Ipv6);
        assert_eq!(v6.len(), row_bytes(table));
        let found = sockets(table, &rows(9, &[&v6, &v6, &v6[..50]]));
        assert_eq!(found.len(), 2, "what is not whole is left out");
        assert_eq!((found[0].state.clone(), found[0].remote, found[0].pid), (Some(TcpState::Listen), None, Some(4)));
        assert_eq!(found[0].local.unwrap().port, 80);
    }

    #[test]
    fn bound_and_udp_tables_of_both_families() {
        let bound = [words(&[0]), vec![0; 4], port(50_001).to_vec(), vec![0; 8], words(&[4312, 0])].concat();
        let table = SocketList::BoundTcp(Family::Ipv4);
        assert_eq!(bound.len(), row_bytes(table));
        let found = sockets(table, &rows(2, &[&bound, &bound]));
        assert_eq!((found.len(), found[1].state.clone(), found[1].pid), (2, Some(TcpState::Bound), Some(4312)));
        let bound6 = [vec![0; 20], port(50_002).to_vec(), vec![0; 24], words(&[0, 4312, 0])].concat();
        let table = SocketList::BoundTcp(Family::Ipv6);
        assert_eq!(bound6.len(), row_bytes(table));
        assert_eq!(sockets(table, &rows(1, &[&bound6]))[0].local.unwrap().port, 50_002);
        let udp = [vec![0; 4], port(53).to_vec(), words(&[1156])].concat();
        let table = SocketList::Udp(Family::Ipv4);
        assert_eq!(udp.len(), row_bytes(table));
        let found = sockets(table, &rows(1, &[&udp]));
        assert_eq!((found[0].protocol, found[0].state.clone(), found[0].pid), (Protocol::Udp, None, Some(1156)));
        let udp6 = [vec![0; 20], port(53).to_vec(), words(&[1156])].concat();
        let table = SocketList::Udp(Family::Ipv6);
        assert_eq!(udp6.len(), row_bytes(table));
        assert_eq!(sockets(table, &rows(1, &[&udp6]))[0].family, Some(Family::Ipv6));
        assert_eq!(sockets(table, &[]), []);
    }

    /// An entry as the system writes it, whose name lies behind it.
    fn entry(next: u32, pid: u64, name: &str, name_at: u64) -> Vec<u8> {
        let name: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let length = u16::try_from(name.len()).unwrap();
        let mut entry = [
            &words(&[next, 1])[..],
            &[0; 24],
            &133_000_000_000_000_000_u64.to_le_bytes(),
            &[0; 16],
            &length.to_le_bytes(),
            &length.to_le_bytes(),
            &[0; 4],
            &name_at.to_le_bytes(),
            &[0; 8],
            &pid.to_le_bytes(),
            &1_u64.to_le_bytes(),
            &words(&[77, 0]),
        ]
        .concat();
        entry.resize(256, 0);
        [entry, name].concat()
    }

    #[test]
    fn processes_are_listed_with_name_time_and_handles() {
        const ADDRESS: u64 = 0x7FFF_0000_1000;
        let mut table = entry(272, 4, "System", ADDRESS + 256);
        table.resize(272, 0);
        table.extend(entry(0, 7312, "ledgersync.exe", ADDRESS + 272 + 256));
        let found = processes(&table, ADDRESS);
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].process.pid, found[0].process.image.as_str(), found[0].handles), (4, "System", 77));
        assert_eq!((found[1].process.pid, found[1].process.image.as_str()), (7312, "ledgersync.exe"));
        assert_eq!(
            (found[1].process.parent_pid, found[1].process.created),
            (1, FileTime::known(133_000_000_000_000_000))
        );
        // Cut, with a name elsewhere, or with entries that lead out of it.
        assert_eq!(processes(&table[..300], ADDRESS).len(), 1);
        assert_eq!(processes(&table, ADDRESS + (1 << 40))[0].process.image, "");
        assert_eq!(processes(&entry(u32::MAX, 4, "System", 0), 0).len(), 1);
        assert_eq!(processes(&[], 0), []);
    }

    #[test]
    fn only_processes_with_many_are_asked_and_lsass_never() {
        let candidates = BTreeMap::from([
            (4, vec![1; 200]),
            (7, vec![1; 99]),
            (8, vec![1; 100]),
            (9, vec![1; 5000]),
            (10, vec![1; 300]),
        ]);
        let images = [(4, "System"), (7, "few.exe"), (8, "many.exe"), (9, "LSASS.EXE")];
        let images = images.map(|(pid, image)| (pid, image.to_owned())).into();
        let questions = whom_to_ask(candidates, &images);
        assert_eq!(
            questions.ask,
            BTreeMap::from([(8, vec![1; 100])]),
            "what is in no list is not asked: it may be lsass"
        );
        assert_eq!(questions.estimate, [(4, 200), (9, 5000)]);
    }

    #[test]
    fn files_with_the_rights_of_sockets_may_be_sockets() {
        let row = |pid: u64, value: u64, access: u32, kind: u16| {
            [
                &0xFFFF_u64.to_le_bytes()[..],
                &pid.to_le_bytes(),
                &value.to_le_bytes(),
                &access.to_le_bytes(),
                &[0; 2],
                &kind.to_le_bytes(),
                &[0; 8],
            ]
            .concat()
        };
        let all = [
            row(99, 8, 0x12_0089, 37),
            row(7, 16, SOCKET_ACCESS, 37),
            row(7, 20, SOCKET_ACCESS, 12),
            row(7, 24, 0x12_019F, 37),
        ];
        let bytes = [&4_u64.to_le_bytes()[..], &[0; 8], &all.concat()].concat();
        let handles = handles(&bytes);
        assert_eq!(handles.len(), 4);
        assert_eq!(handles[1], Handle { pid: 7, value: 16, access: SOCKET_ACCESS, type_index: 37 });
        assert_eq!(may_be_sockets(&handles, (99, 8)), BTreeMap::from([(7, vec![16])]));
        assert!(may_be_sockets(&handles, (98, 8)).is_empty());
    }
}
