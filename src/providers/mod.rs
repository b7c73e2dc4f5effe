//! From a record to an event: which provider, which decoder, and whether it could be understood.

pub mod afd;
mod fields;
pub mod names;
pub mod process;
pub mod tcpip;

use etl_parser::{HookId, Record, RecordKind};

use crate::event::NetEvent;

/// What a record turned out to be.
#[derive(Debug)]
pub enum Decoded {
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

/// Decodes `record`, looking no further than its provider where that is a foreign one.
#[inline]
pub fn decode(record: &Record<'_>) -> Decoded {
    match record.kind() {
        RecordKind::EventHeader => {
            let decoder: fn(u16, u8, &Record<'_>) -> Decoded = match record.header_guid() {
                Some(afd::PROVIDER) => {
                    |id, _version, record| with_pointers(record, |payload, width| afd::decode(id, payload, width))
                }
                Some(tcpip::PROVIDER) => |id, version, record| {
                    let header_pid = record.process_id();
                    with_pointers(record, |payload, width| tcpip::decode(id, version, header_pid, payload, width))
                },
                Some(process::KERNEL_PROCESS) => |id, version, record| match record.user_data() {
                    Ok(payload) => process::decode_kernel_process(id, version, payload),
                    Err(_) => Decoded::Malformed,
                },
                _ => return Decoded::NotNeeded,
            };
            match (record.event_id(), record.version()) {
                (Some(id), Some(version)) => decoder(id, version, record),
                _ => Decoded::Malformed,
            }
        }
        RecordKind::Classic | RecordKind::Instance if record.header_guid() == Some(process::MOF_PROCESS) => mof(record),
        RecordKind::System | RecordKind::Compact | RecordKind::Perfinfo
            if record.hook().map(HookId::group) == Some(PROCESS_GROUP) =>
        {
            mof(record)
        }
        RecordKind::Other => Decoded::Unknown,
        _ => Decoded::NotNeeded,
    }
}

fn mof(record: &Record<'_>) -> Decoded {
    with_pointers(record, |payload, width| match (record.event_id(), record.version()) {
        (Some(opcode), Some(version)) => process::decode_mof(opcode, version, payload, width),
        _ => Decoded::Malformed,
    })
}

fn with_pointers(record: &Record<'_>, decode: impl FnOnce(&[u8], etl_parser::PointerSize) -> Decoded) -> Decoded {
    match (record.user_data(), record.pointer_size()) {
        (Ok(payload), Some(width)) => decode(payload, width),
        _ => Decoded::Malformed,
    }
}
