//! Event logs (`.evtx`): the entries of the System log that say something about ports, and the socket events of Winsock-AFD's
//! own channel, which somebody may have enabled.
//!
//! Compared are provider and event id, never the record's number. None of the System log's entries names an owner; those of
//! Winsock-AFD have the fields of the events in traces.

use std::sync::Arc;

use evtx::{EvtxChunkData, ParserSettings};
use jiff::Timestamp;

mod entry;

use self::entry::Entry;
use super::facts::{AfdLog, SystemEvent};
use crate::event::{LogEntry, LoggedEvent, NetEvent};
use crate::foreign;
use crate::providers::{EventId, afd, named};
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

/// Socket events kept of one file. The channel holds 1 MB unless somebody gave it more: some 2,000 entries.
const MAX_SOCKET_EVENTS: usize = 1 << 20;

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
    /// Socket events of Winsock-AFD, in the order of the file; `source` is 0.
    pub socket_events: Vec<LoggedEvent>,
    /// What became of the entries of Winsock-AFD; `None` where there is none.
    pub afd: Option<AfdLog>,
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
        if let Some(AfdLog { source: _, entries, binds, used: _, unknown, left_out }) = chunk.afd {
            let ours = self.afd.get_or_insert_default();
            ours.entries = ours.entries.saturating_add(entries);
            ours.binds = ours.binds.saturating_add(binds);
            ours.unknown = ours.unknown.saturating_add(unknown);
            ours.left_out = ours.left_out.saturating_add(left_out);
            for event in chunk.socket_events {
                if self.socket_events.len() < MAX_SOCKET_EVENTS {
                    self.socket_events.push(event);
                    ours.used = ours.used.saturating_add(1);
                } else {
                    ours.left_out = ours.left_out.saturating_add(1);
                }
            }
        }
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
                let Some(entry) = Entry::of(&record.data) else { continue };
                let time = entry.time.parse().ok().or(written).and_then(from_timestamp);
                if entry.channel.trim().eq_ignore_ascii_case("System") {
                    log.span = joined(log.span, time.map(|time| (time, time)));
                }
                if entry.is_of(AFD) {
                    log.socket_event(&entry, time, record.event_record_id);
                } else {
                    log.events.extend(event(entry, time));
                }
            }
            Err(_) => log.damaged = log.damaged.saturating_add(1),
        }
    }
    if !is_whole && log.damaged == 0 {
        log.damaged = 1;
    }
    log
}

/// The provider whose channel holds socket events.
const AFD: &str = "Microsoft-Windows-Winsock-AFD";

impl EventLog {
    /// Takes in an entry of Winsock-AFD.
    fn socket_event(&mut self, entry: &Entry, time: Option<FileTime>, record: u64) {
        let log = self.afd.get_or_insert_default();
        log.entries = log.entries.saturating_add(1);
        let (Some(time), Some(id)) = (time, entry.id.trim().parse::<u16>().ok()) else {
            log.unknown = log.unknown.saturating_add(1);
            return;
        };
        if afd::event_name(id).is_none() {
            return;
        }
        // An entry without a version has version 0.
        let version = entry.version.trim();
        let version = if version.is_empty() { Some(0) } else { version.parse().ok() };
        let header_pid = entry.process_id.trim().parse().ok();
        let known = version.map(|version| EventId { provider: afd::PROVIDER, id, version, header_pid });
        let known = known.filter(|event| !event.is_of_unknown_version());
        match known.map(|event| named::decode(event, &entry.data)) {
            Some(named::Read::Event(NetEvent::Socket(event))) => {
                log.binds = log.binds.saturating_add(u64::from(afd::is_bind(id)));
                let entry = LogEntry { source: 0, record };
                self.socket_events.push(LoggedEvent { time, header_pid, id, entry, event });
            }
            Some(named::Read::Event(_) | named::Read::NotNeeded) => {}
            Some(named::Read::Missing) | None => log.unknown = log.unknown.saturating_add(1),
        }
    }
}

/// The entry, if it is one about ports.
fn event(entry: Entry, time: Option<FileTime>) -> Option<SystemEvent> {
    let id = entry.id.trim().parse().ok()?;
    let is_known = |(provider, ids): &(&str, &[u32])| entry.is_of(provider) && ids.contains(&id);
    if !KNOWN.iter().any(is_known) {
        return None;
    }
    Some(SystemEvent { source: 0, time: time?, provider: entry.provider, id })
}
