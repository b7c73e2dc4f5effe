use etl_parser::PointerSize;

use super::*;
use crate::decode::decode;
use crate::value::Value;

#[test]
fn every_line_of_every_table_is_right() {
    let mut tables = BuiltIn::default();
    for source in SOURCES {
        assert_eq!(tables.read(source), Vec::<&str>::new());
    }
    let count = |guid: u128| tables.events.keys().filter(|key| key.guid == Guid::from_u128(guid)).count();
    assert_eq!(count(0xe53c6823_7bb8_44bb_90dc_3f86090d48a6), 96, "AFD");
    assert_eq!(count(0x2f07e2ee_15db_40f1_90ef_9d7ba282188a), 125, "TCPIP");
    assert_eq!(count(0x22fb2cd6_0e7b_422b_a0c7_2fad1fd0e716), 23, "Kernel-Process");
    assert_eq!(count(0x7dd42a49_5329_4832_8dfd_43d979153a88), 22, "Kernel-Network");
    assert_eq!(count(0x2ed6006e_4729_4609_b423_3ee7bcd678ef), 20, "NDIS-PacketCapture");
    assert_eq!(count(0x3d6fa8d0_fe05_11d0_9dda_00c04fd7ba7c), 26, "Process");
    assert_eq!(count(0x2cb15d1d_5fc1_11d2_abe1_00a0c911f518), 16, "Image");
    assert_eq!(count(0x9a280ac0_c8e0_11d1_84e2_00c04fb998a2), 30, "TcpIp");
    assert_eq!(count(0xbf3a50c5_a9c9_4988_a005_2df0b7c80f80), 9, "UdpIp");
    assert_eq!(keys().count(), tables.events.len());
}

#[test]
fn wrong_lines_are_told() {
    let head = "provider 00000000-0000-0000-0000-000000000001 P\n";
    for line in [
        "event 1",
        "1 a",
        "1.0",
        "1.x a",
        "1.0 a b",
        "1.0 a b:Nothing",
        "1.0 a b:UInt8/nothing",
        "1.0 a b:UInt8=nothing",
        "1.0 a b:Binary[c]",
        "1.0 a b:Binary[2",
        "1.0 a b:UInt8*c",
        "1.0 a $nothing",
        "map m x one",
        "map m",
        "shape s $nothing",
        "provider x P",
        "class",
    ] {
        assert_eq!(BuiltIn::default().read(&format!("{head}{line}")), [line]);
    }
    assert_eq!(BuiltIn::default().read("1.0 early"), ["1.0 early"]);
    assert_eq!(BuiltIn::default().read(&format!("{head}1.0 a\n1.0 b")), ["1.0 b"]);
}

fn shown(guid: u128, kind: KeyKind, (id, version): (u16, u8), payload: &[u8], size: PointerSize) -> String {
    let key = EventKey { kind, guid: Guid::from_u128(guid), id, version };
    let (schema, _) = find(&key).unwrap();
    let decoded = decode(&schema.layout, payload, size, None);
    assert!(decoded.is_exact(), "{decoded:?}");
    format!("{} {}", schema.event_name.as_deref().unwrap_or("-"), Value::Struct(decoded.fields))
}

#[test]
fn a_bind_of_both_pointer_sizes() {
    const AFD: u128 = 0xe53c6823_7bb8_44bb_90dc_3f86090d48a6;
    let tail = [&[9, 2, 0, 0xC0, 16, 0, 0, 0, 2, 0, 0xC0, 0, 10, 0, 0, 1][..], &[0; 8]].concat();
    let eight = [&[1, 0, 0, 0, 0x6E, 0x1B, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0][..], &tail].concat();
    let four = [&[1, 0, 0, 0, 0x6E, 0x1B, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0][..], &tail].concat();
    let want = "AfdBindWithAddress {EnterExit=exit (1), Location=7022, Process=0x1, Endpoint=0x2, \
                Status=0xC0000209 STATUS_TOO_MANY_ADDRESSES, AddressLen=16, Address=10.0.0.1:49152}";
    assert_eq!(shown(AFD, KeyKind::Event, (1030, 0), &eight, PointerSize::Eight), want);
    assert_eq!(shown(AFD, KeyKind::Event, (1030, 0), &four, PointerSize::Four), want);
}

#[test]
fn ports_and_addresses_are_in_network_order() {
    let payload = [4, 0, 0, 0, 1, 0, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 1, 0xBB, 0xC0, 0, 7, 0, 0, 0, 9, 0, 0, 0];
    let want = "Recv {PID=4, size=1, daddr=10.0.0.1, saddr=10.0.0.2, dport=443, sport=49152, seqnum=7, connid=0x9}";
    let tcp_ip = 0x9a280ac0_c8e0_11d1_84e2_00c04fb998a2;
    assert_eq!(shown(tcp_ip, KeyKind::Class, (11, 2), &payload, PointerSize::Four), want);
}

#[test]
fn later_versions_are_found_where_they_only_append() {
    let key = |guid, kind, id, version| EventKey { kind, guid: Guid::from_u128(guid), id, version };
    let version = |key| find(&key).map(|(_, version)| version);
    let process = 0x3d6fa8d0_fe05_11d0_9dda_00c04fd7ba7c;
    assert_eq!(version(key(process, KeyKind::Class, 3, 3)), Some(3));
    assert_eq!(version(key(process, KeyKind::Class, 3, 6)), Some(4));
    assert_eq!(version(key(process, KeyKind::Event, 3, 3)), None);
    assert_eq!(version(key(process, KeyKind::Class, 99, 3)), None);
    // A later version of a bind event put a field in front.
    assert_eq!(version(key(0x2f07e2ee_15db_40f1_90ef_9d7ba282188a, KeyKind::Event, 1008, 9)), None);
}
