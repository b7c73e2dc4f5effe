//! Entries of Winsock-AFD's channel as the events that they are.

use etw_schema::socket_address;

use crate::event::{LogEntry, LoggedEvent, NetEvent, RawPort};
use crate::net::SocketAddress;
use crate::providers::named::{self, NamedFields, Read};
use crate::providers::{EventId, Provider, afd};
use crate::side::facts::{AfdEntry, AfdLog, SideFacts};
use crate::time::{FileTime, from_timestamp, joined};
use crate::words::counted;

/// Reads the entries that a file holds as socket events, which take their place; gives a note, `None` where there is none.
pub(super) fn read_entries(facts: &mut SideFacts) -> Option<String> {
    let entries = std::mem::take(&mut facts.afd_entries);
    if entries.is_empty() {
        return None;
    }
    let mut log = AfdLog { entries: entries.len() as u64, ..AfdLog::default() };
    for entry in &entries {
        *log.ids.entry((entry.id, entry.version)).or_default() += 1;
        log.span = joined(log.span, Some((entry.time, entry.time)));
    }
    for entry in entries.into_iter().filter(|entry| afd::event_name(entry.id).is_some()) {
        match event(entry) {
            Some(event) => {
                log.used += 1;
                log.binds += u64::from(afd::is_bind(event.id));
                log.closes += u64::from(afd::is_close(event.id));
                facts.socket_events.push(event);
            }
            None => log.unknown += 1,
        }
    }
    let mut note = format!("{} of Winsock-AFD, {} used", counted(log.entries, "event"), log.used);
    if log.unknown > 0 {
        note.push_str(&format!("; {} in a form that is not known", counted(log.unknown, "event")));
    }
    facts.afd_logs.push(log);
    Some(note)
}

fn event(entry: AfdEntry) -> Option<LoggedEvent> {
    let AfdEntry { time, record, id, version, header_pid, fields } = entry;
    let version = version?;
    let event = EventId { provider: Provider::Afd, id, version, header_pid };
    if event.is_of_unknown_version() {
        return None;
    }
    match named::decode(event, &Shown(&fields)) {
        Read::Event(NetEvent::Socket(event)) => {
            let entry = LogEntry { source: 0, record };
            Some(LoggedEvent { time, header_pid, id, version, entry, event, fields: fields.into() })
        }
        Read::Event(_) | Read::NotNeeded | Read::Missing => None,
    }
}

/// Fields as a log shows them.
struct Shown<'e>(&'e [(String, String)]);

impl Shown<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.trim())
    }
}

impl NamedFields for Shown<'_> {
    fn number(&self, name: &str) -> Option<u64> {
        let text = self.get(name)?;
        match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
            Some(digits) => u64::from_str_radix(digits, 16).ok(),
            // A number of 32 bits may be shown as a negative one.
            None => text.parse().ok().or_else(|| text.parse::<i32>().ok().map(|number| number.cast_unsigned().into())),
        }
    }

    /// As bytes in hexadecimal; or as a text of address and port, where the log's template says that it is one.
    fn address(&self, name: &str) -> Option<Option<SocketAddress>> {
        let text = self.get(name)?;
        if let Ok(address) = text.parse::<std::net::SocketAddr>() {
            return Some(Some(SocketAddress { ip: address.ip(), port: address.port() }));
        }
        let digits = text.strip_prefix("0x").unwrap_or(text);
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        let bytes: Option<Vec<u8>> = digits.as_bytes().chunks(2).map(byte).collect();
        let bytes = bytes.filter(|_| digits.len().is_multiple_of(2))?;
        Some(socket_address(&bytes).map(|address| SocketAddress { ip: address.ip(), port: address.port() }))
    }

    fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(str::to_owned)
    }

    fn time(&self, name: &str) -> Option<FileTime> {
        self.get(name)?.parse().ok().and_then(from_timestamp)
    }

    fn port(&self, name: &str) -> Option<RawPort> {
        self.number(name).and_then(|port| u16::try_from(port).ok()).map(RawPort)
    }
}
