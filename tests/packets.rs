//! `packets`: capture files as a reader of pcapng has them, which is none of the program's own, against what truly happened.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketOption;
use pcap_file::pcapng::blocks::interface_description::InterfaceDescriptionOption;
use pcap_file::pcapng::blocks::section_header::SectionHeaderOption;
use pcap_file::pcapng::{Block, PcapNgReader};
use synth::afd::{self, Head, SockAddr};
use synth::packet::{self, Frame, PACKET_CAPTURE, Part};
use synth::record::Origin;
use synth::traffic::{self, Captured, Traffic, TruePacket};
use synth::{TraceBuilder, TraceOptions};

use crate::common::{Ran, corpus, run, scratch};

const EPOCH_100NS: i64 = 116_444_736_000_000_000;

/// A packet as a reader has it.
#[derive(Debug)]
struct Read {
    interface: u32,
    since_epoch: Duration,
    original: u32,
    bytes: Vec<u8>,
    comment: String,
    flags: u32,
}

/// A capture file as a reader has it.
#[derive(Debug, Default)]
struct Capture {
    section: Vec<String>,
    interfaces: Vec<(String, String)>,
    packets: Vec<Read>,
    journal: Vec<String>,
    secrets: usize,
}

fn read(bytes: &[u8]) -> Capture {
    let mut reader = PcapNgReader::new(bytes).unwrap();
    let mut capture = Capture::default();
    for option in &reader.section().options {
        match option {
            SectionHeaderOption::Comment(text)
            | SectionHeaderOption::Hardware(text)
            | SectionHeaderOption::OS(text)
            | SectionHeaderOption::UserApplication(text) => capture.section.push(text.to_string()),
            other => panic!("{other:?}"),
        }
    }
    while let Some(block) = reader.next_block() {
        match block.unwrap() {
            Block::InterfaceDescription(interface) => {
                let mut names = (String::new(), String::new());
                for option in &interface.options {
                    match option {
                        InterfaceDescriptionOption::IfName(name) => names.0 = name.to_string(),
                        InterfaceDescriptionOption::IfDescription(text) => names.1 = text.to_string(),
                        InterfaceDescriptionOption::IfTsResol(resolution) => assert_eq!(*resolution, 9),
                        other => panic!("{other:?}"),
                    }
                }
                capture.interfaces.push(names);
            }
            Block::EnhancedPacket(packet) => {
                assert!((packet.interface_id as usize) < capture.interfaces.len());
                let (mut comment, mut flags) = (None, None);
                for option in &packet.options {
                    match option {
                        EnhancedPacketOption::Comment(text) => comment = Some(text.to_string()),
                        EnhancedPacketOption::Flags(bits) => flags = Some(*bits),
                        other => panic!("{other:?}"),
                    }
                }
                capture.packets.push(Read {
                    interface: packet.interface_id,
                    since_epoch: packet.timestamp,
                    original: packet.original_len,
                    bytes: packet.data.to_vec(),
                    comment: comment.unwrap(),
                    flags: flags.unwrap(),
                });
            }
            Block::SystemdJournalExport(entry) => {
                let text = String::from_utf8(entry.journal_entry.to_vec()).unwrap();
                capture.journal.push(text.trim_end_matches('\0').to_owned());
            }
            Block::Unknown(block) if block.type_ == 10 => capture.secrets += 1,
            other => panic!("{other:?}"),
        }
    }
    capture
}

fn write(input: &Path, options: &[&str]) -> (Capture, Ran) {
    let folder = scratch();
    let out = folder.path().join("out.pcapng");
    let paths = ["packets".as_ref(), input.as_os_str(), "-o".as_ref(), out.as_os_str()];
    let ran = run(paths.into_iter().chain(options.iter().map(std::ffi::OsStr::new)));
    assert!(ran.code < 2, "{ran:?}");
    (read(&std::fs::read(&out).unwrap()), ran)
}

fn simulate(folder: &Path, traffic: Traffic) -> (PathBuf, Captured) {
    let captured = traffic::write(traffic).unwrap();
    let path = folder.join("server.etl");
    std::fs::write(&path, &captured.trace).unwrap();
    (path, captured)
}

const SOME: Traffic = Traffic { packets: 20_000, processes: 50, tcpip: true, seed: 3 };

/// `process=… pid=… owner=…` of a comment.
fn who(comment: &str) -> (Option<String>, Option<u32>, String) {
    let first = comment.lines().next().unwrap();
    let (process, rest) = first.rsplit_once(" pid=").unwrap();
    let (pid, owner) = rest.split_once(" owner=").unwrap();
    let process = process.strip_prefix("process=").unwrap();
    assert!(owner.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{comment:?}");
    ((process != "-").then(|| process.to_owned()), pid.parse().ok(), owner.to_owned())
}

/// How many packets of each kind have an owner, and of how many it is known. Fails on a wrong one.
fn owners(capture: &Capture, truth: &[TruePacket]) -> BTreeMap<&'static str, (u32, u32)> {
    let mut shares: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
    for (read, true_one) in capture.packets.iter().zip(truth) {
        let share = shares.entry(true_one.kind).or_default();
        share.0 += u32::from(true_one.owner.is_some());
        let (process, Some(pid), owner) = who(&read.comment) else { continue };
        let Some((true_pid, image)) = &true_one.owner else { panic!("{} is nobody's: {true_one:?}", read.comment) };
        assert_eq!(pid, *true_pid, "{owner}: {true_one:?}");
        assert!(
            process.is_none_or(|process| process == *image || process.starts_with('"')),
            "{} {true_one:?}",
            read.comment
        );
        share.1 += 1;
    }
    shares
}

#[test]
fn every_packet_is_there_with_its_time_lengths_and_owner() {
    let folder = scratch();
    let (path, captured) = simulate(folder.path(), SOME);
    let (capture, ran) = write(&path, &[]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(capture.packets.len(), captured.packets.len());
    for (read, truth) in capture.packets.iter().zip(&captured.packets) {
        let time = Duration::from_nanos(u64::try_from(truth.time - EPOCH_100NS).unwrap() * 100);
        assert_eq!((read.since_epoch, read.original as usize, read.bytes.len()), (time, truth.length, truth.captured));
    }
    let shares = owners(&capture, &captured.packets);
    for kind in ["tcp", "tcp6", "udp", "loopback", "wwan"] {
        let (all, known) = shares[kind];
        assert!(all > 20 && known * 200 >= all * 199, "{kind}: {known} of {all}");
    }
    assert_eq!((shares["container"].1, shares["nat"].1), (0, 0));
    assert_eq!(capture.journal.len(), captured.failures);
    assert!(
        capture.journal.iter().all(|entry| entry.contains("bind failed") && entry.contains("__REALTIME_TIMESTAMP="))
    );
    // Also what tries to be another line or field.
    assert!(
        capture
            .journal
            .iter()
            .any(|entry| entry.contains("process=\"a\\\" pid=4\\\\u{a}owner=x\\\\u{202e}.exe\" pid=2000"))
    );
    assert!(capture.section.iter().any(|text| text.starts_with("Windows Server 2022, build 20348")), "{capture:?}");
}

#[test]
fn without_events_of_tcpip_fewer_owners_are_known_and_none_is_wrong() {
    let folder = scratch();
    let (path, captured) = simulate(folder.path(), Traffic { tcpip: false, ..SOME });
    let (capture, _) = write(&path, &[]);
    let shares = owners(&capture, &captured.packets);
    assert_eq!((shares["container"].1, shares["nat"].1), (0, 0));
    // The machine forwards for others: which address is its own, connections tell after a while.
    let (all, known) = shares.values().fold((0, 0), |sum, share| (sum.0 + share.0, sum.1 + share.1));
    assert!(known * 10 > all * 9 && known < all, "{shares:?}");
    assert!(capture.packets.iter().any(|read| read.comment.contains("why=address_not_known_as_own")));
}

#[test]
fn the_same_bytes_for_any_number_of_threads_and_through_a_pipe() {
    let folder = scratch();
    let (path, _) = simulate(folder.path(), Traffic { packets: 3000, ..SOME });
    let written = |threads: &str| {
        let options = ["--threads", threads, "--quiet", "-o", "-"];
        let output = crate::common::command().arg("packets").arg(&path).args(options).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        output.stdout
    };
    let one = written("1");
    assert!(one.len() > 100_000 && one == written("2") && one == written("5"));
}

#[test]
fn filters_leave_what_they_name() {
    let folder = scratch();
    let (path, captured) = simulate(folder.path(), Traffic { packets: 6000, ..SOME });
    let count = |wanted: &dyn Fn(&TruePacket) -> bool| captured.packets.iter().filter(|packet| wanted(packet)).count();
    let of = |options: &[&str]| write(&path, options).0;
    let pid = 2020;
    let own = of(&["--pid", "2020"]);
    assert!(own.packets.len() > 50 && own.journal.is_empty());
    assert!(own.packets.len() <= count(&|packet| packet.owner.as_ref().is_some_and(|owner| owner.0 == pid)));
    assert!(own.packets.iter().all(|read| who(&read.comment).1 == Some(pid)));
    let named = of(&["--process", "APP-05-0"]);
    assert!(!named.packets.is_empty());
    assert!(named.packets.iter().all(|read| who(&read.comment).0.as_deref() == Some("app-05-0.exe")));
    let udp = of(&["--port", "53"]);
    assert!(
        !udp.packets.is_empty()
            && udp.packets.len() < count(&|packet| ["udp", "wwan", "container", "nat"].contains(&packet.kind))
    );
    let host = of(&["--host", "172.17.0.2"]);
    assert_eq!(host.packets.len(), count(&|packet| packet.kind == "container"));
    let middle = captured.packets[3000].time;
    let text = jiff::Timestamp::from_nanosecond(i128::from(middle - EPOCH_100NS) * 100).unwrap().to_string();
    let (since, until) = (of(&["--since", &text]), of(&["--until", &text]));
    assert_eq!(since.packets.len(), count(&|packet| packet.time >= middle));
    assert_eq!(until.packets.len(), count(&|packet| packet.time <= middle));
    // Nothing fails but near the end.
    let around = of(&["--failures-around", "1s"]);
    assert!((80..=100).contains(&around.packets.len()), "{}", around.packets.len());
    assert_eq!(around.journal.len(), captured.failures);
}

#[test]
fn keys_stand_before_the_packets_and_are_not_for_redaction() {
    let folder = scratch();
    let (path, _) = simulate(folder.path(), Traffic { packets: 100, ..SOME });
    let keys = folder.path().join("keys.txt");
    std::fs::write(&keys, "CLIENT_RANDOM 00 11\n").unwrap();
    let keys = keys.to_str().unwrap();
    assert_eq!(write(&path, &["--keylog", keys]).0.secrets, 1);
    let refused = run(["packets".as_ref(), path.as_os_str(), "--redact".as_ref(), "--keylog".as_ref(), keys.as_ref()]);
    assert_eq!(refused.code, 2, "{refused:?}");
    let over =
        run(["packets".as_ref(), path.as_os_str(), "--keylog".as_ref(), keys.as_ref(), "-o".as_ref(), keys.as_ref()]);
    assert_eq!(over.code, 2, "{over:?}");
    assert_eq!(std::fs::read_to_string(keys).unwrap(), "CLIENT_RANDOM 00 11\n");
}

#[test]
fn redacted_packets_end_behind_their_headers() {
    let folder = scratch();
    let (path, captured) = simulate(folder.path(), Traffic { packets: 2000, ..SOME });
    let (plain, redacted) = (write(&path, &[]).0, write(&path, &["--redact"]).0);
    assert_eq!(plain.packets.len(), redacted.packets.len());
    for (one, other) in plain.packets.iter().zip(&redacted.packets) {
        assert_eq!((one.since_epoch, one.original, one.flags), (other.since_epoch, other.original, other.flags));
        assert!(other.bytes.len() <= 74 && !other.bytes.windows(4).any(|bytes| bytes == [203, 0, 113, 53]));
        assert_eq!(who(&one.comment), who(&other.comment));
    }
    assert!(captured.packets.len() == redacted.packets.len());
    assert!(redacted.interfaces.iter().all(|(name, _)| !name.contains("web-vm")), "{:?}", redacted.interfaces);
}

#[test]
fn damage_costs_packets_and_never_the_file() {
    let folder = scratch();
    let (path, captured) = simulate(folder.path(), Traffic { packets: 3000, ..SOME });
    let cut = folder.path().join("cut.etl");
    std::fs::write(&cut, &captured.trace[..captured.trace.len() / 2 + 77]).unwrap();
    let (capture, ran) = write(&cut, &[]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(capture.packets.len() > 500 && capture.packets.len() < 3000);
    let mut bytes = captured.trace;
    let length = bytes.len();
    for n in 0..3000_usize {
        bytes[0x1_0000 + n * 7919 % (length - 0x1_0000)] = n as u8;
    }
    let damaged = folder.path().join("damaged.etl");
    std::fs::write(&damaged, &bytes).unwrap();
    let (capture, ran) = write(&damaged, &[]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(!capture.packets.is_empty());
    assert!(path.is_file());
}

#[test]
fn fragments_are_joined_and_parts_that_are_missing_are_told() {
    let frame = packet::frame(Frame {
        source: SockAddr::V4 { address: [10, 0, 0, 5], port: 50_000 },
        destination: SockAddr::V4 { address: [203, 0, 113, 9], port: 443 },
        is_udp: false,
        flags: 16,
        length: 300,
        has_link: true,
    });
    let mut trace = TraceBuilder::new(TraceOptions::default());
    let t0 = trace.options().t0;
    let mut part = |ms: i64, cpu: u16, bytes: &[u8], part: Part| {
        let descriptor = packet::part_descriptor(true, part, false);
        trace.event(
            cpu,
            t0 + ms * 10_000,
            Origin::new(0, 0),
            PACKET_CAPTURE,
            descriptor,
            &packet::fragment(7, 9, bytes),
        );
    };
    // Two at the same time on two processors, whose idle threads have the same number; one without an end, one without a beginning.
    part(1, 0, &frame[..60], Part::First);
    part(2, 1, &frame[..70], Part::First);
    part(3, 0, &frame[60..100], Part::Middle);
    part(4, 1, &frame[70..], Part::Last);
    part(5, 0, &frame[100..], Part::Last);
    part(6, 0, &frame[100..], Part::Last);
    part(7, 1, &frame[..60], Part::First);
    let folder = scratch();
    let path = folder.path().join("case.etl");
    std::fs::write(&path, trace.finish()).unwrap();
    let (capture, ran) = write(&path, &[]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(capture.packets.len() == 2 && capture.packets.iter().all(|read| read.bytes == frame && read.flags == 2));
    assert!(ran.stderr.contains("2 frames: a part was not captured"), "{ran:?}");
    assert_eq!(
        capture.interfaces,
        [("interface 9".to_owned(), "interface index 9, on adapter with index 7".to_owned())]
    );
    assert_eq!(capture.packets[0].comment, "process=- pid=- owner=unknown\nwhy=no_socket");
    assert!(capture.packets.iter().all(|read| read.interface == 0));
}

#[test]
fn a_socket_that_several_processes_share_is_nobodys() {
    let folder = scratch();
    let owner_of = |second_port: u16| {
        let mut trace = TraceBuilder::new(TraceOptions::default());
        let t0 = trace.options().t0;
        let at = |ms: i64| t0 + ms * 10_000;
        let own = |port| SockAddr::V4 { address: [10, 0, 0, 5], port };
        for (pid, process, port) in [(100, 0xA0, 5353), (200, 0xB0, second_port)] {
            let head = |enter_exit| Head { enter_exit, location: 1000, process, endpoint: process + 1 };
            let create = afd::create(synth::Pointer::Eight, head(afd::EXIT), 2, 2, 17, pid, 0);
            trace.afd(0, at(1), pid, 1000, &create);
            trace.afd_bind(0, at(2), pid, head(afd::EXIT), 0, Some(own(port)));
        }
        let frame = packet::frame(Frame {
            source: own(5353),
            destination: SockAddr::V4 { address: [10, 0, 0, 9], port: 5353 },
            is_udp: true,
            flags: 0,
            length: 20,
            has_link: true,
        });
        let descriptor = packet::part_descriptor(true, Part::Whole, false);
        trace.event(0, at(9), Origin::new(300, 1), PACKET_CAPTURE, descriptor, &packet::fragment(7, 7, &frame));
        let path = folder.path().join("case.etl");
        std::fs::write(&path, trace.finish()).unwrap();
        write(&path, &[]).0.packets[0].comment.clone()
    };
    assert_eq!(owner_of(5353), "process=- pid=- owner=unknown\nwhy=several_processes");
    // The header's PID, 300, is nobody's either way.
    assert_eq!(owner_of(5354), "process=- pid=100 owner=created_socket\nflow=port");
}

#[test]
fn packets_of_pktmon_are_written_once_or_for_each_component() {
    let Some(corpus) = corpus() else { return };
    let path = corpus.join("pktmon-compressed-ws2022.etl");
    let (capture, ran) = write(&path, &[]);
    assert_eq!((ran.code, capture.packets.len(), capture.interfaces.len()), (0, 38, 2), "{ran:?}");
    assert!(capture.packets.iter().all(|read| read.original == 98 && read.bytes.len() == 98));
    assert_eq!(capture.packets[0].since_epoch, Duration::new(1_718_050_715, 489_172_100));
    assert!(capture.interfaces.iter().all(|(name, text)| !name.is_empty() && text.starts_with("component ")));
    assert_eq!(capture.packets[0].comment, "process=- pid=- owner=unknown\nwhy=no_ports");
    let all = write(&path, &["--components"]).0;
    assert_eq!((all.packets.len(), all.interfaces.len()), (114, 4));
}

#[test]
fn a_trace_without_packets_makes_an_empty_capture_and_a_remark() {
    let folder = scratch();
    let path = folder.path().join("case.etl");
    std::fs::write(&path, TraceBuilder::new(TraceOptions::default()).finish()).unwrap();
    let (capture, ran) = write(&path, &[]);
    assert!(capture.packets.is_empty() && ran.stderr.contains("no packet is in the trace"), "{ran:?}");
}
