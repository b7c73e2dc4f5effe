//! Side files: any bytes, given to all readers at once, event logs included.
#![no_main]

use std::collections::BTreeSet;

use outofports::side::{Kind, recognise};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let found = recognise(bytes, "side-ipv4.txt");
    let kinds: BTreeSet<Kind> = found.iter().map(|found| found.kind).collect();
    assert_eq!(kinds.len(), found.len(), "one entry for each kind");
    for found in &found {
        let facts = &found.facts;
        let sockets: usize = facts.listings.iter().map(|listing| listing.sockets.len()).sum();
        let ranges = facts.dynamic_ports.len() + facts.excluded_ports.len();
        let others = facts.tasks.len() + facts.afd_handles.len() + facts.handles.len();
        assert!(sockets + ranges + others <= bytes.len(), "facts are not made of nothing");
        let is_log = found.kind == Kind::Evtx;
        // Entries of a log may be text, too.
        assert!(is_log || !bytes.starts_with(b"ElfFile\0"));
        assert!(is_log || facts.system_events.is_empty());
        for listing in &facts.listings {
            assert!(!listing.sockets.is_empty(), "a listing without rows is none");
            assert!(listing.taken.as_ref().is_none_or(|taken| taken.second_of_day < 86_400));
        }
        for ports in &facts.dynamic_ports {
            assert!(ports.start > 0 && ports.count > 0 && u32::from(ports.start) + ports.count <= 65_536);
        }
        assert!(facts.excluded_ports.iter().all(|ports| ports.start <= ports.end));
        assert!(facts.afd_handles.iter().all(|handles| handles.count > 0));
    }
    let again = recognise(bytes, "side-ipv4.txt");
    assert_eq!(format!("{found:?}"), format!("{again:?}"), "the same bytes give the same facts");
});
