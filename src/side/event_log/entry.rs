//! One entry of an event log, from its XML.

use quick_xml::Reader;
use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};

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
    /// The machine that wrote it.
    pub(super) computer: String,
    /// `EventRecordID`.
    pub(super) record: String,
    /// Process in whose context it was logged.
    pub(super) process_id: String,
    /// Fields by name, as text.
    pub(super) data: Vec<(String, String)>,
}

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
            ("Event", "System", "Computer") => self.computer.push_str(text),
            ("Event", "System", "EventRecordID") => self.record.push_str(text),
            ("Event", "EventData", "Data") => {
                if let Some((_, value)) = self.data.last_mut() {
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
            ("Event", "EventData", place @ "Data") if self.data.len() < MAX_FIELDS => place,
            _ => return,
        };
        if place == "Data" {
            self.data.push(Default::default());
        }
        for attribute in element.attributes().with_checks(false).filter_map(Result::ok) {
            let Ok(value) = attribute.normalized_value(XmlVersion::Explicit1_0) else { continue };
            match (place, AsRef::<str>::as_ref(&attribute.key.local_name())) {
                ("Provider", "Name") => self.provider = value.into_owned(),
                ("Provider", "EventSourceName") => self.source = value.into_owned(),
                ("TimeCreated", "SystemTime") => self.time = value.into_owned(),
                ("Execution", "ProcessID") => self.process_id = value.into_owned(),
                ("Data", "Name") => {
                    if let Some((name, _)) = self.data.last_mut() {
                        *name = value.into_owned();
                    }
                }
                _ => {}
            }
        }
    }
}
