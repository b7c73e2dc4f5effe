//! From a record to an event: which provider, which decoder, and whether it could be understood.

pub mod afd;
mod fields;
pub mod flows;
pub mod named;
pub mod names;
pub mod packets;
pub mod process;
pub mod tcpip;

use std::collections::BTreeMap;
use std::sync::Arc;

use etl_parser::{ExtendedItemType, Guid, HookId, PointerSize, Record, RecordKind};
use etw_schema::event_info::{self, EVENT_METADATA};
use etw_schema::{EventKey, EventSchema, KeyKind};

use crate::event::NetEvent;

/// What a record turned out to be.
#[derive(Debug)]
pub enum Interpreted {
    /// An event that the analysis uses.
    Event(NetEvent),
    /// The same, read with another pointer size than the record's header says.
    OtherPointerSize(NetEvent),
    /// Of another provider, or an event of a known one that the analysis has no use for.
    NotNeeded,
    /// A kind of record, or an event of a known provider, that no source describes.
    Unknown,
    /// An event that the analysis uses, of a version that no source describes.
    UnknownVersion,
    /// Too short, or otherwise not what its id and version promise.
    Malformed,
}

/// Kernel event group of process events.
const PROCESS_GROUP: u8 = 3;

/// What a trace itself says about events whose version no table knows.
pub type Embedded = BTreeMap<EventKey, Arc<EventSchema>>;

/// A provider of use. Found out once for each record: GUIDs are four times as long to compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provider {
    /// Microsoft-Windows-Winsock-AFD.
    Afd,
    /// Microsoft-Windows-TCPIP.
    Tcpip,
    /// Microsoft-Windows-Kernel-Process.
    KernelProcess,
}

impl Provider {
    /// By its GUID; `None` for one that tells nothing of use.
    #[inline]
    pub fn of(guid: Guid) -> Option<Self> {
        match guid {
            afd::PROVIDER => Some(Self::Afd),
            tcpip::PROVIDER => Some(Self::Tcpip),
            process::KERNEL_PROCESS => Some(Self::KernelProcess),
            _ => None,
        }
    }

    /// Its GUID.
    pub fn guid(self) -> Guid {
        match self {
            Self::Afd => afd::PROVIDER,
            Self::Tcpip => tcpip::PROVIDER,
            Self::KernelProcess => process::KERNEL_PROCESS,
        }
    }
}

/// What the header of a manifest event says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventId {
    /// Provider.
    pub provider: Provider,
    /// Id.
    pub id: u16,
    /// Version.
    pub version: u8,
    /// Process in whose context it was logged.
    pub header_pid: Option<u32>,
}

impl EventId {
    /// Of a record of a manifest event that a provider of use has logged. An event that brings its own schema (TraceLogging) is
    /// none: the numbers in its header are no manifest's.
    #[inline]
    pub fn of(record: &Record<'_>) -> Option<Self> {
        if record.kind() != RecordKind::EventHeader {
            return None;
        }
        let provider = Provider::of(record.header_guid()?)?;
        let (id, version) = (record.id()?, record.version()?);
        (!describes_itself(record)).then(|| Self { provider, id, version, header_pid: record.process_id() })
    }

    /// The newest version that a table describes, where the analysis uses the event.
    fn newest_version(self) -> Option<u8> {
        match self.provider {
            Provider::Afd => afd::newest_version(self.id),
            Provider::Tcpip => tcpip::newest_version(self.id),
            Provider::KernelProcess => process::newest_version(self.id),
        }
    }

    /// Whether the analysis uses events of this provider with this id.
    #[cfg(test)]
    pub(crate) fn is_used(provider: Provider, id: u16) -> bool {
        Self { provider, id, version: 0, header_pid: None }.newest_version().is_some()
    }

    /// Whether the analysis uses the event, and no table describes this version of it.
    #[inline]
    pub fn is_of_unknown_version(self) -> bool {
        self.version > 0 && self.newest_version().is_some_and(|newest| self.version > newest)
    }

    /// Whether Winsock-AFD logged it.
    #[inline]
    pub fn is_of_afd(self) -> bool {
        self.provider == Provider::Afd
    }

    /// Whether it tells something about sockets or ports: any event of Winsock-AFD, and those of TCPIP that are about ports.
    #[inline]
    pub fn is_about_ports(self) -> bool {
        self.is_of_afd() || (self.provider == Provider::Tcpip && tcpip::is_about_ports(self.id))
    }

    fn key(self) -> EventKey {
        EventKey { kind: KeyKind::Event, guid: self.provider.guid(), id: self.id, version: self.version }
    }
}

/// Whether a record brings its own schema (TraceLogging).
#[inline]
pub fn describes_itself(record: &Record<'_>) -> bool {
    record.extended_items().any(|item| item.item_type == ExtendedItemType::EVENT_SCHEMA_TL)
}

/// Decodes a manifest event, wherever it comes from: a record of a trace, or a live session.
pub fn decode_event(event: EventId, payload: &[u8], pointer_size: PointerSize) -> Interpreted {
    if event.is_of_unknown_version() {
        return Interpreted::UnknownVersion;
    }
    decode_known(event, payload, pointer_size)
}

/// Decodes an event of a version that a table describes, or of which the analysis has no use.
fn decode_known(event: EventId, payload: &[u8], pointer_size: PointerSize) -> Interpreted {
    let EventId { provider, id, version, header_pid } = event;
    match provider {
        Provider::Afd => afd::decode(id, payload, pointer_size),
        Provider::Tcpip => tcpip::decode(id, version, header_pid, payload, pointer_size),
        Provider::KernelProcess => process::decode_kernel_process(id, version, payload),
    }
}

/// Decodes `record`, looking no further than its provider where that is a foreign one. `event` is [`EventId::of`] it.
/// An event of a version that no table knows is read by the schema that the trace has for it, if `embedded` holds one.
pub fn decode(record: &Record<'_>, event: Option<EventId>, embedded: &Embedded) -> Interpreted {
    match event {
        Some(event) if event.is_of_unknown_version() => by_embedded(record, event, embedded),
        Some(event) => with_pointers(record, |payload, width| decode_known(event, payload, width)),
        None => decode_other(record),
    }
}

fn decode_other(record: &Record<'_>) -> Interpreted {
    match record.kind() {
        RecordKind::Classic | RecordKind::Instance if record.header_guid() == Some(process::MOF_PROCESS) => mof(record),
        RecordKind::System | RecordKind::Compact | RecordKind::Perfinfo
            if record.hook().map(HookId::group) == Some(PROCESS_GROUP) =>
        {
            mof(record)
        }
        RecordKind::Other => Interpreted::Unknown,
        _ => Interpreted::NotNeeded,
    }
}

#[cold]
fn by_embedded(record: &Record<'_>, event: EventId, embedded: &Embedded) -> Interpreted {
    let Some(schema) = embedded.get(&event.key()) else { return Interpreted::UnknownVersion };
    with_pointers(record, |payload, width| {
        let decoded = etw_schema::decode(&schema.layout, payload, width, None);
        match named::decode(event, &decoded.fields) {
            named::Read::Event(read) => Interpreted::Event(read),
            named::Read::NotNeeded => Interpreted::NotNeeded,
            named::Read::Missing if decoded.missing.is_some() => Interpreted::Malformed,
            named::Read::Missing => Interpreted::UnknownVersion,
        }
    })
}

/// The schema that a record gives, where it is one of an event that the analysis uses and of a version that no table knows.
pub fn embedded_schema(record: &Record<'_>) -> Option<(EventKey, Arc<EventSchema>)> {
    if record.kind() != RecordKind::Classic || record.header_guid() != Some(EVENT_METADATA) {
        return None;
    }
    let payload = record.user_data().ok().filter(|_| record.id() == Some(event_info::EVENT_INFO))?;
    // Its first field is the provider: most are foreign.
    let provider = Provider::of(Guid::from_wire(*payload.first_chunk()?))?;
    let (key, schema) = event_info::read_event_info(payload).ok().flatten()?;
    let event = EventId { provider, id: key.id, version: key.version, header_pid: None };
    (key.kind == KeyKind::Event && event.is_of_unknown_version()).then(|| (key, Arc::new(schema)))
}

fn mof(record: &Record<'_>) -> Interpreted {
    with_pointers(record, |payload, width| match (record.id(), record.version()) {
        (Some(opcode), Some(version)) => process::decode_mof(opcode, version, payload, width),
        _ => Interpreted::Malformed,
    })
}

fn with_pointers(record: &Record<'_>, decode: impl FnOnce(&[u8], PointerSize) -> Interpreted) -> Interpreted {
    match (record.user_data(), record.pointer_size()) {
        (Ok(payload), Some(width)) => decode(payload, width),
        _ => Interpreted::Malformed,
    }
}
