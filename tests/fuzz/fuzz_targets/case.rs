//! Socket and process events in any order, with any times, owners and addresses: what no real machine logs, and what the
//! bookkeeping must survive with its sums intact.
#![no_main]

use arbitrary::Arbitrary;
use outofports::side::tasklist::Task;
use synth::afd::{self, Head, SockAddr};
use synth::process::ProcessInfo;
use synth::record::{Descriptor, Origin};
use synth::tcpip::{self, Connection, PortOrder, Reservation};
use synth::{MofKind, Pointer, TraceBuilder, TraceOptions};

#[derive(Debug, Arbitrary)]
struct Input {
    narrow: bool,
    steps: Vec<Step>,
    second: Option<u8>,
    tasks: Vec<(u8, u8)>,
}

#[derive(Debug, Arbitrary)]
struct Step {
    cpu: bool,
    wait: u16,
    back: bool,
    pid: u8,
    process: u8,
    endpoint: u8,
    phase: u8,
    status: u8,
    what: What,
}

#[derive(Debug, Arbitrary)]
enum What {
    Create { creator: u8, family: u8, protocol: u8 },
    Bind { port: Option<u16>, six: bool },
    Connect { port: Option<u16>, extended: bool },
    Close,
    Cleanup,
    Legacy { id: u8, port: u16, six: bool },
    Start { version: u8, name: u8 },
    Stop { version: u8, name: u8 },
    Rundown { version: u8, name: u8 },
    Mof { opcode: u8, version: u8, kind: u8, name: u8 },
    Tcpip { event: u8, version: u8, port: u16, state: u8, network: bool },
    Other { id: u16, payload: Vec<u8> },
}

const STATUSES: [u32; 8] =
    [0, afd::TOO_MANY_ADDRESSES, afd::PENDING, afd::ADDRESS_ALREADY_EXISTS, 0x8000_0209, 0xC000_0120, 0xC000_009A, 7];
const NAMES: [&str; 8] =
    ["a.exe", "\\Device\\HarddiskVolume3\\b.exe", "", "=1.exe", "x\u{1b}[31m", "svchost.exe", "a\"b,c", "\u{202e}exe"];

fn info(step: &Step, name: u8) -> ProcessInfo {
    ProcessInfo {
        pid: step.pid.into(),
        parent: step.phase.into(),
        session: 1,
        sequence: step.endpoint.into(),
        eprocess: u64::from(step.process % 8),
        created: 0x01DC_B000_0000_0000 + i64::from(step.wait),
        exited: i64::from(step.status),
        path: NAMES[usize::from(name) % 8].to_owned(),
    }
}

/// One of TCPIP's events: its id, version and payload.
#[allow(clippy::too_many_arguments)]
fn tcpip_event(
    pointer: Pointer,
    (event, version): (u8, u8),
    head: Head,
    pid: u32,
    status: u32,
    local: SockAddr,
    state: u8,
    network: bool,
) -> (u16, u8, Vec<u8>) {
    let (SockAddr::V4 { port, .. } | SockAddr::V6 { port, .. }) = local;
    let address = head.endpoint;
    let connection = Connection { tcb: address, local, remote: local, pid, compartment: 1, start_key: 1 };
    let order = if network { PortOrder::Network } else { PortOrder::Host };
    let reference = tcpip::port(pointer, order, address, port, false, 0);
    let reservation = Reservation { pid, status, start: port, count: u16::from(state) << 6, start_key: 1 };
    match event % 14 {
        0 => (1001, 0, tcpip::endpoint_creation(pointer, status, address, 2, pid)),
        1 => (1191, 0, reference),
        2 => (1193, 0, reference),
        3 => (1195, 0, reference),
        4 => (1300, version % 4, tcpip::rundown(pointer, version % 4, connection, u32::from(state % 12))),
        5 => (1051, 0, tcpip::state_change(pointer, 4, u32::from(state % 12), address)),
        6 => (1006, version % 2, tcpip::bind(pointer, version % 2, address, local, status)),
        7 => (1050, version % 2, tcpip::connection(pointer, version % 2, connection, status)),
        8 => (1033, version % 2, tcpip::connection(pointer, version % 2, connection, status)),
        9 => (1396, 0, tcpip::udp_bind(pointer, address, local, status, None)),
        10 => (1397, 0, tcpip::udp_bind(pointer, address, local, status, None)),
        11 => (1052, version % 2, tcpip::reservation(version % 2, reservation)),
        12 => (1110, 0, tcpip::global_parameters(2, u32::from(state) * 500)),
        _ => (1002, 0, tcpip::request_connect(pointer, connection, 2)),
    }
}

fn write(input: &Input, t0: i64, steps: &[Step]) -> Vec<u8> {
    let pointer = if input.narrow { Pointer::Four } else { Pointer::Eight };
    let options = TraceOptions { buffer_size: 0x800, pointer, processors: 2, t0, ..TraceOptions::default() };
    let mut builder = TraceBuilder::new(options);
    let mut now = t0;
    for step in steps.iter().take(200) {
        let wait = i64::from(step.wait);
        now = now.saturating_add(if step.back { -wait } else { wait * 100 });
        let (cpu, pid) = (u16::from(step.cpu), u32::from(step.pid));
        let status = STATUSES[usize::from(step.status) % 8];
        let head = Head {
            enter_exit: u32::from(step.phase % 6),
            location: 1,
            process: u64::from(step.process % 8),
            endpoint: u64::from(step.endpoint % 16),
        };
        let address = |port: Option<u16>, six: bool| {
            port.map(|port| match six {
                true => SockAddr::V6 { address: [port as u8; 16], port, scope: 1 },
                false => SockAddr::V4 { address: [127, 0, 0, port as u8], port },
            })
        };
        match &step.what {
            What::Create { creator, family, protocol } => {
                let family = if *family % 2 == 0 { 2 } else { 23 };
                let protocol = if *protocol % 2 == 0 { 6 } else { 17 };
                let payload = afd::create(pointer, head, family, 1, protocol, u32::from(*creator), status);
                builder.afd(cpu, now, pid, 1000, &payload);
            }
            What::Bind { port, six } => {
                builder.afd_bind(cpu, now, pid, head, status, address(*port, *six));
            }
            What::Connect { port, extended } => {
                builder.afd_connect(cpu, now, pid, head, status, address(*port, false), *extended);
            }
            What::Close => {
                builder.afd_close(cpu, now, pid, head, status);
            }
            What::Cleanup => {
                builder.afd_cleanup(cpu, now, pid, head, status);
            }
            What::Legacy { id, port, six } => {
                let (process, endpoint) = (head.process, head.endpoint);
                let local = address(Some(*port), *six).expect("a port gives an address");
                let (id, payload) = match id % 6 {
                    0 => (1, afd::legacy::create(pointer, process, endpoint, (2, 1, 6), pid)),
                    1 => (if *six { 3 } else { 2 }, afd::legacy::bind(pointer, process, endpoint, local, status)),
                    2 => (if *six { 5 } else { 4 }, afd::legacy::connect(pointer, process, endpoint, local)),
                    3 => (6, afd::legacy::error(pointer, process, endpoint, status)),
                    4 => (13, afd::legacy::error(pointer, process, endpoint, status)),
                    _ => (40, afd::legacy::error(pointer, process, endpoint, status)),
                };
                builder.afd(cpu, now, pid, id, &payload);
            }
            What::Start { version, name } => {
                builder.process_start(cpu, now, &info(step, *name), version % 6);
            }
            What::Stop { version, name } => {
                builder.process_stop(cpu, now, &info(step, *name), version % 3);
            }
            What::Rundown { version, name } => {
                builder.process_rundown(cpu, now, &info(step, *name), version % 4);
            }
            What::Mof { opcode, version, kind, name } => {
                let kind = [MofKind::System, MofKind::PerfInfo, MofKind::Full][usize::from(*kind) % 3];
                let opcode = [1, 2, 3, 4, 39][usize::from(*opcode) % 5];
                builder.process_mof(cpu, now, &info(step, *name), opcode, version % 6, kind);
            }
            What::Tcpip { event, version, port, state, network } => {
                let local = SockAddr::V4 { address: [127, 0, 0, 1], port: *port };
                let (id, version, payload) =
                    tcpip_event(pointer, (*event, *version), head, pid, status, local, *state, *network);
                let descriptor = tcpip::descriptor(id, version);
                builder.event(cpu, now, Origin::new(pid, 1), tcpip::PROVIDER, descriptor, &payload);
            }
            What::Other { id, payload } => {
                let payload = &payload[..payload.len().min(0x400)];
                let descriptor = Descriptor { id: *id, ..Descriptor::default() };
                builder.event(cpu, now, Origin::new(pid, 1), afd::PROVIDER, descriptor, payload);
            }
        }
    }
    builder.finish()
}

libfuzzer_sys::fuzz_target!(|input: Input| {
    let t0 = TraceOptions::default().t0;
    let split = input.second.map_or(input.steps.len(), |second| usize::from(second).min(input.steps.len()));
    let (first, second) = input.steps.split_at(split);
    let mut bytes = write(&input, t0, first);
    if input.second.is_some() {
        bytes.extend(write(&input, t0 + 5_000_000, second));
    }
    let task = |(pid, name): &(u8, u8)| Task {
        image: NAMES[usize::from(*name) % 8].to_owned(),
        pid: (*pid).into(),
        services: vec![NAMES[usize::from(*name / 8) % 8].to_owned()],
    };
    let tasks: Vec<Task> = input.tasks.iter().map(task).collect();
    outofports_fuzz::check(&bytes, &tasks);
});
