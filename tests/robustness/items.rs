//! Classes 25 to 28: extended data items.

use etl_parser::{ErrorKind, RecordKind, Trace};

use super::support::*;

/// An event record with these bytes behind its fixed header.
fn event(flags: u16, tail: &[u8]) -> Vec<u8> {
    let mut record = vec![0; 0x50];
    put16(&mut record, 0, (0x50 + tail.len()) as u16);
    put16(&mut record, 2, 0xC013);
    put16(&mut record, 4, flags);
    put64(&mut record, 0x10, options().t0);
    record.extend_from_slice(tail);
    record
}

fn item(total: u16, kind: u16, linkage: u16, data_bytes: u16, data: &[u8]) -> Vec<u8> {
    let mut bytes: Vec<u8> = [total, kind, linkage, data_bytes].iter().flat_map(|value| value.to_le_bytes()).collect();
    bytes.extend_from_slice(data);
    bytes
}

type Payload = Result<Vec<u8>, ErrorKind>;

/// Items' types and sizes, and the payload, of an event between two others, which must not notice.
fn walked(flags: u16, tail: &[u8]) -> (Vec<(u16, usize)>, Payload) {
    let bytes = framed(&[&event(0, b"before"), &event(flags, tail), &event(0, b"behind")]);
    assert_eq!(read(&bytes).unwrap(), whole(4));
    let trace = Trace::new(&bytes).unwrap();
    let mut scratch = Vec::new();
    let buffer = trace.buffer(1, &mut scratch).unwrap();
    let records: Vec<_> = buffer.records().map(Result::unwrap).collect();
    assert_eq!(records[2].user_data().unwrap(), b"behind");
    let record = &records[1];
    assert_eq!(record.kind(), RecordKind::EventHeader);
    let items = record.extended_items().map(|item| (item.item_type.0, item.data.len())).collect();
    (items, record.user_data().map(<[u8]>::to_vec).map_err(|error| error.kind))
}

const BROKEN: Payload = Err(ErrorKind::ExtendedItem);

pub fn chains_that_do_not_fit() -> String {
    for length in 0..8 {
        assert_eq!(walked(1, &vec![0; length]), (vec![], BROKEN), "no room");
    }
    // The item's own size is wrong: that of its data counts.
    for total in [0, 1, 7, 8, 15, 17, 23] {
        let tail = [&item(total, 3, 0, 4, &[9; 8])[..], b"payload"].concat();
        assert_eq!(walked(1, &tail), (vec![(3, 4)], Ok(b"payload".to_vec())), "total {total}");
    }
    // Data or item beyond the record.
    for (total, data_bytes) in [(16, 0xFFFF), (16, 24), (0xFFF8, 8), (40, 8)] {
        let tail = item(total, 3, 0, data_bytes, &[9; 8]);
        assert_eq!(walked(1, &tail), (vec![], BROKEN), "{total} {data_bytes}");
    }
    // The first item is good, the second is not.
    let tail = [item(16, 1, 1, 8, &[9; 8]), item(16, 3, 0, 9, &[9; 8])].concat();
    assert_eq!(walked(1, &tail), (vec![(1, 8)], BROKEN));
    // AFD looks at the payload: the record is malformed, and counted as such.
    let mut afd = event(1, &[0; 4]);
    afd[0x18..0x28].copy_from_slice(&outofports::providers::afd::PROVIDER.to_wire());
    put16(&mut afd, 0x28, 1029);
    assert_eq!(coverage_of(&framed(&[&afd])), ([0, 1, 0, 1, 0], 1));
    "20 chains: the data's size replaces the item's; what leaves the record is `ExtendedItem`, costs the payload alone; exit 1 where it was AFD's".to_owned()
}

pub fn chains_without_end() -> String {
    let head = item(8, 0x20, 1, 0, &[]);
    for count in [1, 3, 100] {
        assert_eq!(walked(1, &head.repeat(count)), (vec![(0x20, 0); count], BROKEN));
    }
    // As many as a record holds.
    let record = event(1, &head.repeat(8000));
    let options = synth::TraceOptions { buffer_size: 0x2_0000, ..options() };
    let mut builder = synth::TraceBuilder::new(options);
    let t0 = builder.options().t0;
    builder.raw(0, t0, &record).raw(0, t0, &known());
    let bytes = builder.finish();
    assert_eq!(read(&bytes).unwrap(), whole(3));
    let trace = Trace::new(&bytes).unwrap();
    let mut scratch = Vec::new();
    let record = trace.buffer(1, &mut scratch).unwrap().records().next().unwrap().unwrap();
    assert_eq!(record.extended_items().count(), 8000);
    assert_eq!(record.user_data().unwrap_err().kind, ErrorKind::ExtendedItem);
    // The flag is not set: these are payload.
    let tail = head.repeat(3);
    assert_eq!(walked(0, &tail), (vec![], Ok(tail)));
    "3, and 8000 items that all announce another: walked to the end of the record, `ExtendedItem`; without the flag: payload".to_owned()
}

pub fn wrong_sizes() -> String {
    // Known types whose data are shorter or longer than their structure: given raw, with the length that the item has.
    let cases: [(u16, &[u8]); 12] = [
        (0x01, &[1; 15]),
        (0x02, &[1, 1, 0, 0, 0, 0, 0]),
        (0x02, &[1, 255, 0, 0, 0, 0, 0, 5]),
        (0x05, &[1; 13]),
        (0x06, &[1; 21]),
        (0x06, &[]),
        (0x0B, &[]),
        (0x0B, &[1]),
        (0x0B, &[1, 2, 3]),
        (0x0C, &[0]),
        (0x0C, &[1, 0]),
        (0x0D, &[1; 7]),
    ];
    for (kind, data) in cases {
        let mut padded = data.to_vec();
        padded.resize(data.len().next_multiple_of(8), 0);
        let tail = [&item(8 + padded.len() as u16, kind, 0, data.len() as u16, &padded)[..], b"payload"].concat();
        assert_eq!(walked(1, &tail), (vec![(kind, data.len())], Ok(b"payload".to_vec())), "{kind:#x}");
    }
    format!("{} items: given with the length they have, payload read", cases.len())
}

pub fn types() -> String {
    let kinds = [0, 0x13, 0xFFFF, 1, 1, 0x0B, 0x0B, 0x0C, 0x0C];
    let mut tail = Vec::new();
    for (place, kind) in kinds.iter().enumerate() {
        tail.extend(item(16, *kind, u16::from(place + 1 < kinds.len()), 8, &[7; 8]));
    }
    tail.extend_from_slice(b"payload");
    let expected = kinds.iter().map(|kind| (*kind, 8)).collect();
    assert_eq!(walked(1, &tail), (expected, Ok(b"payload".to_vec())));
    "9 items of one record, 3 unknown, 3 twice: all given in their order".to_owned()
}
