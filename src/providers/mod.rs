//! From a record to an event: which provider, which decoder, and whether it could be understood.

pub mod afd;
mod fields;
pub mod names;
pub mod process;
pub mod tcpip;

use etl_parser::{Guid, HookId, PointerSize, Record, RecordKind};

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
    /// Too short, or otherwise not what its id and version promise.
    Malformed,
}

/// Kernel event group of process events.
const PROCESS_GROUP: u8 = 3;

/// What the header of a manifest event says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventId {
    /// Provider.
    pub provider: Guid,
    /// Id.
    pub id: u16,
    /// Version.
    pub version: u8,
    /// Process in whose context it was logged.
    pub header_pid: Option<u32>,
}

/// Whether anything that this provider tells is of use.
fn is_needed(provider: Guid) -> bool {
    matches!(provider, afd::PROVIDER | tcpip::PROVIDER | process::KERNEL_PROCESS)
}

/// Decodes a manifest event, wherever it comes from: a record of a trace, or a live session.
pub fn decode_event(event: EventId, payload: &[u8], pointer_size: PointerSize) -> Interpreted {
    let EventId { provider, id, version, header_pid } = event;
    match provider {
        afd::PROVIDER => afd::decode(id, payload, pointer_size),
        tcpip::PROVIDER => tcpip::decode(id, version, header_pid, payload, pointer_size),
        process::KERNEL_PROCESS => process::decode_kernel_process(id, version, payload),
        _ => Interpreted::NotNeeded,
    }
}

/// Decodes `record`, looking no further than its provider where that is a foreign one.
#[inline]
pub fn decode(record: &Record<'_>) -> Interpreted {
    match record.kind() {
        RecordKind::EventHeader => {
            let Some(provider) = record.header_guid().filter(|guid| is_needed(*guid)) else {
                return Interpreted::NotNeeded;
            };
            match (record.id(), record.version()) {
                (Some(id), Some(version)) => {
                    let event = EventId { provider, id, version, header_pid: record.process_id() };
                    with_pointers(record, |payload, width| decode_event(event, payload, width))
                }
                _ => Interpreted::Malformed,
            }
        }
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
