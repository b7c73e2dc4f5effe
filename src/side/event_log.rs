//! Event logs (`.evtx`): the entries of the System log that say something about ports, and the socket events of Winsock-AFD's
//! own channel, which somebody may have enabled.
//!
//! Compared are provider and event id, never the record's number. None of the System log's entries names an owner; those of
//! Winsock-AFD have the fields of the events in traces.

use std::collections::BTreeSet;
use std::sync::Arc;

use evtx::{EvtxChunkData, ParserSettings};
use jiff::Timestamp;

mod entry;

use self::entry::Entry;
use super::facts::{AfdEntry, SystemEvent};
use crate::foreign;
use crate::progress::{NoProgress, Progress};
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

/// Names of machines, with their domains, are no longer than this.
const MAX_COMPUTER_LENGTH: usize = 255;

/// Names of machines kept of one file: more than one tell that it is of several.
const MAX_COMPUTERS: usize = 4;

/// Entries kept of one file. Tcpip writes at most a few in a minute, and a log of 20 MB ends at about 50,000 entries.
const MAX_EVENTS: usize = 100_000;

/// Entries of Winsock-AFD kept of one file, some 600 bytes each. The channel holds 1 MB unless somebody gave it more: some
/// 2,000 entries.
const MAX_AFD_ENTRIES: usize = 1 << 18;

/// Entries that say something about ports, by provider and id.
///
/// Tcpip: 4226 too many connects half open, 4227 reuse of a port too early, 4228 window scaling restricted, 4229 and 4230
/// memory pressure, 4231 and 4266 no ports left for TCP and UDP, 4265 limit of UDP endpoints. The others are what suffers:
/// logons, policies, names.
pub(crate) const KNOWN: [(&str, &[u32]); 4] = [
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
    /// The machines that wrote entries of the System channel, a few.
    pub computers: BTreeSet<String>,
    /// Chunks and entries that could not be read.
    pub damaged: u64,
    /// More entries about ports or sockets than are kept.
    pub left_out: u64,
    /// Entries of Winsock-AFD, in the order of the file.
    pub afd_entries: Vec<AfdEntry>,
}

/// Whether the bytes are those of an event log.
pub fn is_event_log(bytes: &[u8]) -> bool {
    bytes.starts_with(FILE_MAGIC)
}

/// Reads a file; `None` where it is no event log. The header says nothing that the chunks, at their fixed places, do not.
pub fn parse(bytes: &[u8]) -> Option<EventLog> {
    parse_watched(bytes, &NoProgress)
}

/// The same; a job that is stopped gives what was read until then.
pub(super) fn parse_watched(bytes: &[u8], progress: &dyn Progress) -> Option<EventLog> {
    if !is_event_log(bytes) {
        return None;
    }
    let mut log = EventLog::default();
    let chunks = bytes.get(HEADER_BYTES..).unwrap_or_default().chunks(CHUNK_BYTES);
    let settings = Arc::new(ParserSettings::default().num_threads(1).indent(false));
    for chunk in chunks {
        if progress.should_stop() {
            break;
        }
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
        let room = MAX_COMPUTERS.saturating_sub(self.computers.len());
        self.computers.extend(chunk.computers.into_iter().take(room));
        for entry in chunk.afd_entries {
            if self.afd_entries.len() < MAX_AFD_ENTRIES {
                self.afd_entries.push(entry);
            } else {
                self.left_out = self.left_out.saturating_add(1);
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
                log.take(entry, time, record.event_record_id);
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
    /// Takes in what an entry tells.
    fn take(&mut self, entry: Entry, time: Option<FileTime>, record: u64) {
        if entry.channel.trim().eq_ignore_ascii_case("System") {
            self.span = joined(self.span, time.map(|time| (time, time)));
            let computer = entry.computer.trim();
            let is_room = self.computers.len() < MAX_COMPUTERS && (1..=MAX_COMPUTER_LENGTH).contains(&computer.len());
            if is_room && !self.computers.contains(computer) {
                self.computers.insert(computer.to_owned());
            }
        }
        if !entry.is_of(AFD) {
            self.events.extend(event(entry, time));
            return;
        }
        if let (Some(time), Ok(id)) = (time, entry.id.trim().parse()) {
            // An entry without a version has version 0.
            let version = entry.version.trim();
            let version = if version.is_empty() { Some(0) } else { version.parse().ok() };
            let header_pid = entry.process_id.trim().parse().ok();
            self.afd_entries.push(AfdEntry { time, record, id, version, header_pid, fields: entry.data });
        }
    }
}

/// Whether entries of a provider with an id say something about ports.
pub(super) fn is_known(provider: &str, id: u32) -> bool {
    KNOWN.iter().any(|(known, ids)| known.eq_ignore_ascii_case(provider) && ids.contains(&id))
}

/// Adds an entry that a text holds as XML, if its time is told.
pub(super) fn take_text(xml: &str, log: &mut EventLog) {
    let Some(entry) = Entry::of(xml) else { return };
    let Some(time) = entry.time.trim().parse().ok().and_then(from_timestamp) else { return };
    let record = entry.record.trim().parse().unwrap_or(0);
    let mut one = EventLog { entries: 1, ..EventLog::default() };
    one.take(entry, Some(time), record);
    log.add(one);
}

/// The entry, if it is one about ports.
fn event(entry: Entry, time: Option<FileTime>) -> Option<SystemEvent> {
    let id = entry.id.trim().parse().ok()?;
    let is_known = |(provider, ids): &(&str, &[u32])| entry.is_of(provider) && ids.contains(&id);
    if !KNOWN.iter().any(is_known) {
        return None;
    }
    let computer = Some(entry.computer.trim()).filter(|name| (1..=MAX_COMPUTER_LENGTH).contains(&name.len()));
    let computer = computer.map(str::to_owned);
    Some(SystemEvent { source: 0, time: time?, provider: entry.provider, id, computer })
}
