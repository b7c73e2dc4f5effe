//! One entry of an event log, from its XML.

use etw_schema::socket_address;
use quick_xml::Reader;
use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};

use crate::event::RawPort;
use crate::net::SocketAddress;
use crate::providers::named::NamedFields;
use crate::time::{FileTime, from_timestamp};

/// Elements inside of each other. Entries have about five.
const MAX_DEPTH: usize = 64;

/// Fields of an entry that are kept. Those of Winsock-AFD have at most twelve.
const MAX_FIELDS: usize = 64;

/// What an entry says of itself (`System`), and its fields (`EventData`).
#[derive(Debug, Default)]
pub(super) struct Entry {
    pub(super) provider: String,
    /// The provider's name from before it had a manifest.
    source: String,
    pub(super) id: String,
    pub(super) version: String,
    /// Where the entry has none, that of its record counts.
    pub(super) time: String,
    pub(super) channel: String,
    /// Process in whose context it was logged.
    pub(super) process_id: String,
    pub(super) data: Fields,
}

/// Fields by name, as text.
#[derive(Debug, Default)]
pub(super) struct Fields(Vec<(String, String)>);

impl Entry {
    pub(super) fn of(xml: &str) -> Option<Self> {
        let mut reader = Reader::from_str(xml);
        let mut entry = Self::default();
        let mut path: Vec<String> = Vec::new();
        loop {
            match reader.read_event().ok()? {
                Event::Start(element) => {
                    path.push(AsRef::<str>::as_ref(&element.local_name()).to_owned());
                    entry.attributes(&path, &element);
                    if path.len() > MAX_DEPTH {
                        return None;
                    }
                }
                Event::Empty(element) => {
                    path.push(AsRef::<str>::as_ref(&element.local_name()).to_owned());
                    entry.attributes(&path, &element);
                    path.pop();
                }
                Event::End(_) => {
                    let closed = path.pop();
                    // Of most providers nothing else is wanted.
                    let is_enough = match closed.as_deref() {
                        Some("System") => path.len() == 1 && !entry.is_of(super::AFD),
                        Some("EventData") => path.len() == 1,
                        _ => path.is_empty(),
                    };
                    if is_enough {
                        return Some(entry);
                    }
                }
                Event::Text(text) => entry.text(&path, text.as_ref()),
                Event::Eof => return None,
                _ => {}
            }
        }
    }

    /// Whether this provider wrote it.
    pub(super) fn is_of(&self, provider: &str) -> bool {
        [&self.provider, &self.source].into_iter().any(|name| name.eq_ignore_ascii_case(provider))
    }

    fn text(&mut self, path: &[String], text: &str) {
        let [event, part, last] = path else { return };
        match (event.as_str(), part.as_str(), last.as_str()) {
            ("Event", "System", "EventID") => self.id.push_str(text),
            ("Event", "System", "Version") => self.version.push_str(text),
            ("Event", "System", "Channel") => self.channel.push_str(text),
            ("Event", "EventData", "Data") => {
                if let Some((_, value)) = self.data.0.last_mut() {
                    value.push_str(text);
                }
            }
            _ => {}
        }
    }

    fn attributes(&mut self, path: &[String], element: &BytesStart<'_>) {
        let [event, part, last] = path else { return };
        let place = match (event.as_str(), part.as_str(), last.as_str()) {
            ("Event", "System", place @ ("Provider" | "TimeCreated" | "Execution")) => place,
            ("Event", "EventData", place @ "Data") if self.data.0.len() < MAX_FIELDS => place,
            _ => return,
        };
        if place == "Data" {
            self.data.0.push(Default::default());
        }
        for attribute in element.attributes().with_checks(false).filter_map(Result::ok) {
            let Ok(value) = attribute.normalized_value(XmlVersion::Explicit1_0) else { continue };
            match (place, AsRef::<str>::as_ref(&attribute.key.local_name())) {
                ("Provider", "Name") => self.provider = value.into_owned(),
                ("Provider", "EventSourceName") => self.source = value.into_owned(),
                ("TimeCreated", "SystemTime") => self.time = value.into_owned(),
                ("Execution", "ProcessID") => self.process_id = value.into_owned(),
                ("Data", "Name") => {
                    if let Some((name, _)) = self.data.0.last_mut() {
                        *name = value.into_owned();
                    }
                }
                _ => {}
            }
        }
    }
}

impl Fields {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.trim())
    }
}

impl NamedFields for Fields {
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
