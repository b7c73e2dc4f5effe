//! What identifies an event's schema, and what a schema says beside the layout.

use std::fmt;
use std::sync::Arc;

use etl_parser::{Guid, HookId, Record, RecordKind};

use crate::layout::Layout;

/// What an event's schema is found by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventKey {
    /// Which of the two name spaces the id is from.
    pub kind: KeyKind,
    /// Provider, or event class.
    pub guid: Guid,
    /// Event id, or opcode.
    pub id: u16,
    /// Version of the layout.
    pub version: u8,
}

/// The name spaces of event ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeyKind {
    /// Provider and id, of events with an event header.
    Event,
    /// Event class and opcode, of classic events and those of the kernel logger.
    Class,
}

impl EventKey {
    /// The key of a record's event; `None` for WPP messages and unknown kinds.
    pub fn of(record: &Record<'_>) -> Option<Self> {
        let (kind, guid) = match record.kind() {
            RecordKind::EventHeader => (KeyKind::Event, record.header_guid()?),
            RecordKind::Classic | RecordKind::Instance => (KeyKind::Class, record.header_guid()?),
            RecordKind::System | RecordKind::Compact | RecordKind::Perfinfo => {
                (KeyKind::Class, record.hook().map(HookId::provider)?)
            }
            RecordKind::Message | RecordKind::Other => return None,
        };
        Some(Self { kind, guid, id: record.id()?, version: record.version()? })
    }
}

/// `guid/id.version`
impl fmt::Display for EventKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}.{}", self.guid, self.id, self.version)
    }
}

/// Where a schema is from: how its fields are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum SchemaSource {
    /// Event metadata that a merge put into the trace.
    Embedded,
    /// The event describes itself.
    TraceLogging,
    /// The manifest that a .NET event source put into the trace.
    Manifest,
    /// The built-in tables: [`tables`](crate::tables).
    Table,
    /// The header says that the payload is one string.
    StringOnly,
}

impl SchemaSource {
    /// In words, as data.
    pub fn name(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::TraceLogging => "tracelogging",
            Self::Manifest => "manifest",
            Self::Table => "table",
            Self::StringOnly => "string",
        }
    }
}

/// A schema: names, and the layout of the payload.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct EventSchema {
    /// Where it is from.
    pub source: SchemaSource,
    /// Name of the provider, or of the event class.
    pub provider_name: Option<Arc<str>>,
    /// GUID of the provider's group, which TraceLogging providers may have.
    pub provider_group: Option<Guid>,
    /// Provider whose maps in the trace name the values of fields.
    pub map_provider: Option<Guid>,
    /// Name of the event.
    pub event_name: Option<Arc<str>>,
    /// Name of the task.
    pub task_name: Option<Arc<str>>,
    /// Name of the opcode.
    pub opcode_name: Option<Arc<str>>,
    /// Message text, with `%1` for the first field.
    pub message: Option<Arc<str>>,
    /// The fields.
    pub layout: Arc<Layout>,
}

impl EventSchema {
    /// A schema of a layout, without names.
    pub fn new(source: SchemaSource, layout: Layout) -> Self {
        Self {
            source,
            provider_name: None,
            provider_group: None,
            map_provider: None,
            event_name: None,
            task_name: None,
            opcode_name: None,
            message: None,
            layout: Arc::new(layout),
        }
    }

    /// About how many bytes the schema takes.
    pub(crate) fn weight(&self) -> usize {
        let texts = [&self.provider_name, &self.event_name, &self.task_name, &self.opcode_name, &self.message];
        let texts: usize = texts.into_iter().flatten().map(|text| text.len()).sum();
        size_of::<Self>() + texts + self.layout.weight()
    }

    /// What to call the event: its name, or task and opcode, as far as the schema has them.
    ///
    /// The opcode of an event that has none is called `Info`, which says nothing.
    pub fn title(&self) -> Option<String> {
        let opcode = self.opcode_name.as_ref().filter(|opcode| self.task_name.is_none() || &***opcode != "Info");
        match (&self.event_name, &self.task_name, opcode) {
            (Some(name), _, _) => Some(name.to_string()),
            (None, Some(task), Some(opcode)) => Some(format!("{task}/{opcode}")),
            (None, Some(name), None) | (None, None, Some(name)) => Some(name.to_string()),
            (None, None, None) => None,
        }
    }
}

/// Why a schema in a trace cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SchemaError {
    /// It ends before this part.
    Ends(&'static str),
    /// This offset or number points outside of it.
    OutOfRange(&'static str),
    /// Structures overlap, or contain themselves.
    OverlappingStructures,
    /// Structures nest deeper than [`crate::MAX_DEPTH`].
    TooDeep,
    /// A count or length refers to a field that is not before it.
    BadReference,
    /// Text of another kind than XML in UTF-8, or with entities of its own.
    NotXml,
    /// It is larger than this crate reads.
    TooLarge,
}

impl fmt::Display for SchemaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ends(what) => write!(f, "schema ends before its {what}"),
            Self::OutOfRange(what) => write!(f, "schema's {what} is out of range"),
            Self::OverlappingStructures => f.write_str("schema's structures overlap"),
            Self::TooDeep => f.write_str("schema's structures nest too deeply"),
            Self::BadReference => f.write_str("schema refers to a field that is not before it"),
            Self::NotXml => f.write_str("manifest is no plain XML"),
            Self::TooLarge => f.write_str("schema is too large"),
        }
    }
}

impl std::error::Error for SchemaError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_called_by_their_name_or_by_task_and_opcode() {
        let title = |names: [&str; 3]| {
            let [event, task, opcode] = names.map(|name| (!name.is_empty()).then(|| Arc::from(name)));
            let schema = EventSchema::new(SchemaSource::Embedded, Layout::default());
            EventSchema { event_name: event, task_name: task, opcode_name: opcode, ..schema }.title()
        };
        for (names, want) in [
            (["Name", "Task", "Start"], Some("Name")),
            (["", "Task", "Start"], Some("Task/Start")),
            (["", "Task", "Info"], Some("Task")),
            (["", "Task", ""], Some("Task")),
            (["", "", "Start"], Some("Start")),
            (["", "", "Info"], Some("Info")),
            (["", "", ""], None),
        ] {
            assert_eq!(title(names).as_deref(), want, "{names:?}");
        }
    }
}
