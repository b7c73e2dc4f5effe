use synth::evtx::{CHUNK_BYTES, HEADER_BYTES, LogEvent, write};

use super::*;

/// 2026-11-14T09:14:25.1234567Z.
const TIME: i64 = 134_391_212_651_234_567;

fn found(provider: &str, id: u32, seconds: i64) -> SystemEvent {
    let time = FileTime(TIME + seconds * FileTime::SECOND);
    SystemEvent { source: 0, time, provider: provider.to_owned(), id, computer: Some("synthetic.example".to_owned()) }
}

fn log() -> Vec<LogEvent> {
    let at = |seconds: i64| TIME + seconds * FileTime::SECOND;
    vec![
        LogEvent::tcpip(4231, at(0), 4200),
        // The number of a record is no event id, and the id of another provider no event of this one.
        LogEvent::other("Service Control Manager", 7036, at(1), 4231),
        LogEvent::other("Microsoft-Windows-Kernel-General", 4231, at(2), 4232),
        LogEvent::tcpip(4266, at(3), 4233),
        LogEvent::other("NETLOGON", 5719, at(4), 4234),
        LogEvent::other("Microsoft-Windows-GroupPolicy", 1129, at(5), 4235),
        LogEvent::other("Microsoft-Windows-DNS-Client", 8015, at(6), 4236),
        LogEvent::tcpip(4227, at(7), 4237),
        LogEvent::tcpip(4201, at(8), 4238),
    ]
}

fn wanted() -> Vec<SystemEvent> {
    vec![
        found("Tcpip", 4231, 0),
        found("Tcpip", 4266, 3),
        found("NETLOGON", 5719, 4),
        found("Microsoft-Windows-GroupPolicy", 1129, 5),
        found("Microsoft-Windows-DNS-Client", 8015, 6),
        found("Tcpip", 4227, 7),
    ]
}

#[test]
fn entries_about_ports_by_provider_and_id() {
    for per_chunk in [100, 2, 1] {
        let read = parse(&write(&log(), per_chunk)).unwrap();
        let computers = BTreeSet::from(["synthetic.example".to_owned()]);
        let want = EventLog { events: wanted(), entries: 9, span: read.span, computers, ..EventLog::default() };
        assert_eq!(read, want, "{per_chunk}");
    }
    let (oldest, newest) = parse(&write(&log(), 2)).unwrap().span.unwrap();
    let want = ("2026-11-14T09:14:25.1234567Z".to_owned(), "2026-11-14T09:14:33.1234567Z".to_owned());
    assert_eq!((oldest.to_string(), newest.to_string()), want, "of any kind");
    assert_eq!(wanted()[0].time.to_string(), "2026-11-14T09:14:25.1234567Z");
}

#[test]
fn a_long_log_fills_chunks() {
    let events: Vec<LogEvent> = (0..2000).map(|number| LogEvent::tcpip(4231, TIME, 1 + number)).collect();
    let bytes = write(&events, usize::MAX);
    assert!(bytes.len() > HEADER_BYTES + CHUNK_BYTES);
    let read = parse(&bytes).unwrap();
    assert_eq!((read.events.len(), read.entries, read.damaged), (2000, 2000, 0));
}

#[test]
fn a_damaged_chunk_costs_that_chunk() {
    let whole = write(&log(), 3);
    let second = HEADER_BYTES + CHUNK_BYTES;
    let rest: Vec<SystemEvent> = wanted().into_iter().filter(|event| !matches!(event.id, 4266 | 5719 | 1129)).collect();
    for damage in [second, second + 7] {
        let mut bytes = whole.clone();
        bytes[damage] ^= 0xFF;
        let read = parse(&bytes).unwrap();
        assert_eq!((read.events, read.entries, read.damaged), (rest.clone(), 6, 1));
    }
    // A check sum that does not fit is told, and what can be read is.
    let mut bytes = whole;
    bytes[second + 0x7C] ^= 1;
    let read = parse(&bytes).unwrap();
    assert_eq!((read.events, read.damaged), (wanted(), 1));
}

#[test]
fn a_file_that_is_cut_is_read_as_far_as_it_goes() {
    let whole = write(&log(), 3);
    let read = parse(&whole[..HEADER_BYTES + CHUNK_BYTES]).unwrap();
    assert_eq!((read.events.len(), read.entries, read.damaged), (1, 3, 0));
    for length in [0, 7] {
        assert_eq!(parse(&whole[..length]), None);
    }
    assert_eq!(parse(&whole[..8]), Some(EventLog::default()));
    for length in (HEADER_BYTES..whole.len()).step_by(3001) {
        let read = parse(&whole[..length]).unwrap();
        assert!(wanted().starts_with(&read.events), "{length}");
    }
    // The header says nothing that is needed.
    let mut bytes = whole;
    bytes[8..HEADER_BYTES].fill(0xFF);
    assert_eq!(parse(&bytes).unwrap().events, wanted());
}

#[test]
fn no_damage_is_a_panic() {
    let whole = write(&log(), 100);
    let used = HEADER_BYTES + 0x1400;
    let mut seen = 0_u64;
    for at in (HEADER_BYTES..used).step_by(7) {
        for value in [0x00, 0x7F, 0xFF] {
            let mut bytes = whole.clone();
            bytes[at] = value;
            let read = parse(&bytes).unwrap();
            assert!(read.entries <= 64 && read.events.len() as u64 <= read.entries);
            seen += read.damaged;
        }
    }
    assert!(seen > 100, "most damage is told: {seen}");
}
