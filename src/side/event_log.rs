//! Event logs (`.evtx`): the entries of the System log that say something about ports.
//!
//! Compared are provider and event id, never the record's number. None of these entries names an owner.

use std::sync::Arc;

use evtx::{EvtxChunkData, ParserSettings};
use jiff::Timestamp;
use quick_xml::Reader;
use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};

use super::facts::SystemEvent;
use crate::foreign;
use crate::time::{FileTime, from_timestamp, joined};

#[cfg(test)]
mod tests;

/// Size of the file's header block.
const HEADER_BYTES: usize = 4096;

/// Size of a chunk.
const CHUNK_BYTES: usize = 1 << 16;

/// First bytes of a file.
const FILE_MAGIC: &[u8] = b"ElfFile\0";

/// First bytes of a chunk that holds records.
const CHUNK_MAGIC: &[u8] = b"ElfChnk\0";

/// Entries kept of one file. Tcpip writes at most a few in a minute, and a log of 20 MB ends at about 50,000 entries.
const MAX_EVENTS: usize = 100_000;

/// Elements inside of each other. Entries have about five.
const MAX_DEPTH: usize = 64;

/// Entries that say something about ports, by provider and id.
///
/// Tcpip: 4226 too many connects half open, 4227 reuse of a port too early, 4228 window scaling restricted, 4229 and 4230
/// memory pressure, 4231 and 4266 no ports left for TCP and UDP, 4265 limit of UDP endpoints. The others are what suffers:
/// logons, policies, names.
const KNOWN: [(&str, &[u32]); 4] = [
    ("Tcpip", &[4226, 4227, 4228, 4229, 4230, 4231, 4265, 4266]),
    ("NETLOGON", &[5719]),
    ("Microsoft-Windows-GroupPolicy", &[1129]),
    ("Microsoft-Windows-DNS-Client", &[8015, 8018]),
];

/// What a file holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct EventLog {
    /// Entries about ports, in the order of the file; `source` is 0.
    pub events: Vec<SystemEvent>,
    /// Entries read, of any kind.
    pub entries: u64,
    /// When the oldest and the newest entry of the System channel were written.
    pub span: Option<(FileTime, FileTime)>,
    /// Chunks and entries that could not be read.
    pub damaged: u64,
    /// More entries about ports than are kept.
    pub left_out: u64,
}

/// Whether the bytes are those of an event log.
pub fn is_event_log(bytes: &[u8]) -> bool {
    bytes.starts_with(FILE_MAGIC)
}

/// Reads a file; `None` where it is no event log. The header says nothing that the chunks, at their fixed places, do not.
pub fn parse(bytes: &[u8]) -> Option<EventLog> {
    if !is_event_log(bytes) {
        return None;
    }
    let mut log = EventLog::default();
    let chunks = bytes.get(HEADER_BYTES..).unwrap_or_default().chunks(CHUNK_BYTES);
    let settings = Arc::new(ParserSettings::default().num_threads(1).indent(false));
    for chunk in chunks {
        // Chunks that were never used are zeros.
        if chunk.iter().all(|byte| *byte == 0) {
            continue;
        }
        if !chunk.starts_with(CHUNK_MAGIC) {
            log.damaged = log.damaged.saturating_add(1);
            continue;
        }
        let mut whole = chunk.to_vec();
        // The last one may be cut: what is there is read.
        whole.resize(CHUNK_BYTES, 0);
        let settings = Arc::clone(&settings);
        // No chunk is known that makes the crate panic; one that does costs that chunk.
        match foreign::call(move || read_chunk(whole, settings)) {
            Some(read) => log.add(read),
            None => log.damaged = log.damaged.saturating_add(1),
        }
    }
    Some(log)
}

impl EventLog {
    fn add(&mut self, chunk: Self) {
        self.entries = self.entries.saturating_add(chunk.entries);
        self.damaged = self.damaged.saturating_add(chunk.damaged);
        self.span = joined(self.span, chunk.span);
        for event in chunk.events {
            if self.events.len() < MAX_EVENTS {
                self.events.push(event);
            } else {
                self.left_out = self.left_out.saturating_add(1);
            }
        }
    }
}

fn read_chunk(bytes: Vec<u8>, settings: Arc<ParserSettings>) -> EventLog {
    let mut log = EventLog::default();
    let Ok(mut data) = EvtxChunkData::new(bytes, false) else { return EventLog { damaged: 1, ..log } };
    // Damage inside of a chunk shows in the records; its check sums are told apart from them.
    let is_whole = data.validate_checksum();
    let Ok(mut chunk) = data.parse(settings) else { return EventLog { damaged: 1, ..log } };
    for record in chunk.iter() {
        let Ok(record) = record else {
            log.damaged = log.damaged.saturating_add(1);
            continue;
        };
        let written = Timestamp::from_nanosecond(record.timestamp.as_nanosecond()).ok();
        match record.into_xml() {
            Ok(record) => {
                log.entries = log.entries.saturating_add(1);
                let Some(head) = Head::of(&record.data) else { continue };
                let time = head.time.parse().ok().or(written).and_then(from_timestamp);
                if head.channel.trim().eq_ignore_ascii_case("System") {
                    log.span = joined(log.span, time.map(|time| (time, time)));
                }
                log.events.extend(event(head, time));
            }
            Err(_) => log.damaged = log.damaged.saturating_add(1),
        }
    }
    if !is_whole && log.damaged == 0 {
        log.damaged = 1;
    }
    log
}

/// Adds an entry that a text holds as XML, if its time is told.
pub(super) fn take_text(xml: &str, log: &mut EventLog) {
    let Some(head) = Head::of(xml) else { return };
    let Some(time) = head.time.trim().parse().ok().and_then(from_timestamp) else { return };
    let mut one = EventLog { entries: 1, ..EventLog::default() };
    if head.channel.trim().eq_ignore_ascii_case("System") {
        one.span = Some((time, time));
    }
    one.events.extend(event(head, Some(time)));
    log.add(one);
}

/// The entry, if it is one about ports.
fn event(head: Head, time: Option<FileTime>) -> Option<SystemEvent> {
    let id = head.id.trim().parse().ok()?;
    let is_known = |(provider, ids): &(&str, &[u32])| {
        let is_provider = [&head.provider, &head.source].into_iter().any(|name| name.eq_ignore_ascii_case(provider));
        is_provider && ids.contains(&id)
    };
    if !KNOWN.iter().any(is_known) {
        return None;
    }
    Some(SystemEvent { source: 0, time: time?, provider: head.provider, id })
}

/// What the `System` element says.
#[derive(Debug, Default)]
struct Head {
    provider: String,
    /// The provider's name from before it had a manifest.
    source: String,
    id: String,
    /// Where the entry has none, that of its record counts.
    time: String,
    channel: String,
}

impl Head {
    fn of(xml: &str) -> Option<Self> {
        let mut reader = Reader::from_str(xml);
        let mut head = Self::default();
        let mut path: Vec<String> = Vec::new();
        loop {
            match reader.read_event().ok()? {
                Event::Start(element) => {
                    path.push(AsRef::<str>::as_ref(&element.local_name()).to_owned());
                    head.attributes(&path, &element);
                    if path.len() > MAX_DEPTH {
                        return None;
                    }
                }
                Event::Empty(element) => {
                    path.push(AsRef::<str>::as_ref(&element.local_name()).to_owned());
                    head.attributes(&path, &element);
                    path.pop();
                }
                Event::End(_) => {
                    // All that is wanted stands in here.
                    let closed = path.pop();
                    if path.len() == 1 && closed.as_deref() == Some("System") {
                        return Some(head);
                    }
                }
                Event::Text(text) if is_at(&path, "EventID") => head.id.push_str(text.as_ref()),
                Event::Text(text) if is_at(&path, "Channel") => head.channel.push_str(text.as_ref()),
                Event::Eof => return None,
                _ => {}
            }
        }
    }

    fn attributes(&mut self, path: &[String], element: &BytesStart<'_>) {
        let (is_provider, is_time) = (is_at(path, "Provider"), is_at(path, "TimeCreated"));
        if !is_provider && !is_time {
            return;
        }
        for attribute in element.attributes().with_checks(false).filter_map(Result::ok) {
            let Ok(value) = attribute.normalized_value(XmlVersion::Explicit1_0) else { continue };
            match AsRef::<str>::as_ref(&attribute.key.local_name()) {
                "Name" if is_provider => self.provider = value.into_owned(),
                "EventSourceName" if is_provider => self.source = value.into_owned(),
                "SystemTime" if is_time => self.time = value.into_owned(),
                _ => {}
            }
        }
    }
}

fn is_at(path: &[String], name: &str) -> bool {
    matches!(path, [event, system, last] if event == "Event" && system == "System" && last == name)
}
