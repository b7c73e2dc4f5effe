//! Borrows an event's header fields and payload, so that the decoders of files serve live events too.

#![allow(unsafe_code)]

use std::mem::{align_of, offset_of, size_of};

use etl_parser::{Guid, PointerSize};
use ferrisetw::EventRecord;
use windows_sys::Win32::System::Diagnostics::Etw::{EVENT_HEADER_EXTENDED_DATA_ITEM, EVENT_RECORD};

use super::super::system::RawEvent;
use crate::time::FileTime;

// ferrisetw =1.2.0: `#[repr(transparent)] pub struct EventRecord(EVENT_RECORD)`, without access to the payload.
const _: () = assert!(size_of::<EventRecord>() == size_of::<EVENT_RECORD>());
const _: () = assert!(align_of::<EventRecord>() == align_of::<EVENT_RECORD>());
// The layout that `evntcons.h` states for 64-bit systems.
const _: () = assert!(size_of::<EVENT_RECORD>() == 112);
const _: () = assert!(offset_of!(EVENT_RECORD, UserDataLength) == 86);
const _: () = assert!(offset_of!(EVENT_RECORD, UserData) == 96);

/// `EVENT_HEADER_FLAG_32_BIT_HEADER`, `EVENT_HEADER_FLAG_PROCESSOR_INDEX`.
const FROM_32_BIT: u16 = 0x20;
const HAS_PROCESSOR_INDEX: u16 = 0x200;

/// `EVENT_HEADER_EXT_TYPE_EVENT_SCHEMA_TL`.
const TRACELOGGING_SCHEMA: u16 = 0xB;

/// The event in a record; it borrows from the record.
pub(super) fn raw_event(record: &EventRecord) -> RawEvent<'_> {
    // SAFETY: an `EventRecord` is an `EVENT_RECORD` and nothing else (see above); both are read only while borrowed.
    let raw: &EVENT_RECORD = unsafe { &*std::ptr::from_ref(record).cast() };
    let header = &raw.EventHeader;
    let payload = if raw.UserData.is_null() || raw.UserDataLength == 0 {
        &[]
    } else {
        // SAFETY: the system says that so many bytes lie there, and they are valid as long as the record is.
        unsafe { std::slice::from_raw_parts(raw.UserData.cast::<u8>(), usize::from(raw.UserDataLength)) }
    };
    let extended: &[EVENT_HEADER_EXTENDED_DATA_ITEM] = if raw.ExtendedData.is_null() || raw.ExtendedDataCount == 0 {
        &[]
    } else {
        // SAFETY: the system says that so many items lie there, and they are valid as long as the record is.
        unsafe { std::slice::from_raw_parts(raw.ExtendedData, usize::from(raw.ExtendedDataCount)) }
    };
    // SAFETY: all bit patterns are valid for both members of the union.
    let index = unsafe { raw.BufferContext.Anonymous.ProcessorIndex };
    let cpu = if header.Flags & HAS_PROCESSOR_INDEX == 0 { index & 0xFF } else { index };
    RawEvent {
        provider: guid(record.provider_id()),
        id: header.EventDescriptor.Id,
        version: header.EventDescriptor.Version,
        describes_itself: extended.iter().any(|item| item.ExtType == TRACELOGGING_SCHEMA),
        header_pid: Some(header.ProcessId).filter(|pid| *pid != u32::MAX),
        time: FileTime(header.TimeStamp),
        cpu,
        pointer_size: if header.Flags & FROM_32_BIT == 0 { PointerSize::Eight } else { PointerSize::Four },
        payload,
    }
}

fn guid(guid: ferrisetw::GUID) -> Guid {
    Guid::from_u128(guid.to_u128())
}
