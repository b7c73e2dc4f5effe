//! The fixed part of each record kind.
//!
//! Sources: phnt `ntwmi.h`, Geoff Chappell's pages on each structure; confirmed on real files where `FORMAT.md` says so.

use binrw::binread;

use crate::Guid;
use crate::kernel::HookId;

fn wire_guid(bytes: [u8; 16]) -> Guid {
    Guid::from_wire(bytes)
}

/// Process or thread id; 0xFFFFFFFF stands for "none".
fn known_id(value: u32) -> Option<u32> {
    (value != u32::MAX).then_some(value)
}

/// `SYSTEM_TRACE_HEADER` (0x20 bytes) and its compact form (0x18 bytes), written by the kernel logger.
#[binread]
#[br(little, import(compact: bool))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SystemHeader {
    /// Low byte: version of the payload. High byte: flags for extension words.
    pub version_and_flags: u16,
    #[br(temp)]
    _marker: u16,
    /// Size of the record in bytes, without padding.
    pub size_bytes: u16,
    /// Group and type.
    #[br(map = HookId)]
    pub hook: HookId,
    /// Thread that logged the event.
    #[br(map = known_id)]
    pub thread_id: Option<u32>,
    /// Process that logged the event.
    #[br(map = known_id)]
    pub process_id: Option<u32>,
    /// Time stamp in ticks of the session clock (named `SystemTime`).
    pub ticks: i64,
    /// Kernel and user time of the thread, in timer ticks; absent in the compact form.
    #[br(if(!compact))]
    pub cpu_times: Option<[u32; 2]>,
}

/// `PERFINFO_TRACE_HEADER` (0x10 bytes): the kernel's shortest form, without process and thread.
#[binread]
#[br(little)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PerfinfoHeader {
    /// Low byte: version of the payload. High byte: flags for extension words.
    pub version_and_flags: u16,
    #[br(temp)]
    _marker: u16,
    /// Size of the record in bytes, without padding.
    pub size_bytes: u16,
    /// Group and type.
    #[br(map = HookId)]
    pub hook: HookId,
    /// Time stamp in ticks of the session clock.
    pub ticks: i64,
}

/// `EVENT_TRACE_HEADER` (0x30 bytes): a classic event of a MOF provider.
#[binread]
#[br(little)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClassicHeader {
    /// Size of the record in bytes, without padding.
    pub size_bytes: u16,
    #[br(temp)]
    _marker: u16,
    /// `Class.Type`.
    pub opcode: u8,
    /// `Class.Level`.
    pub level: u8,
    /// `Class.Version`.
    pub version: u16,
    /// Thread that logged the event.
    #[br(map = known_id)]
    pub thread_id: Option<u32>,
    /// Process that logged the event.
    #[br(map = known_id)]
    pub process_id: Option<u32>,
    /// Time stamp in ticks of the session clock.
    pub ticks: i64,
    /// Event class.
    #[br(map = wire_guid)]
    pub guid: Guid,
    /// Kernel and user time of the thread in timer ticks, or one 64-bit cycle count in private sessions.
    pub cpu_times: [u32; 2],
}

/// `EVENT_INSTANCE_GUID_HEADER` (0x48 bytes), or `EVENT_INSTANCE_HEADER` (0x38 bytes) in logs older than layout 1.1.
#[binread]
#[br(little, import(old: bool))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct InstanceHeader {
    /// Size of the record in bytes, without padding.
    pub size_bytes: u16,
    #[br(temp)]
    _marker: u16,
    /// `Class.Type`.
    pub opcode: u8,
    /// `Class.Level`.
    pub level: u8,
    /// `Class.Version`.
    pub version: u16,
    /// Thread that logged the event.
    #[br(map = known_id)]
    pub thread_id: Option<u32>,
    /// Process that logged the event.
    #[br(map = known_id)]
    pub process_id: Option<u32>,
    /// Time stamp in ticks of the session clock.
    pub ticks: i64,
    /// Event class; the old form has a registration handle instead.
    #[br(if(!old), map = |bytes: [u8; 16]| Some(wire_guid(bytes)))]
    pub guid: Option<Guid>,
    #[br(temp, if(old))]
    _registration_handle: u64,
    #[br(temp, if(!old))]
    times_before_ids: [u32; 2],
    /// Instance id.
    pub instance_id: u32,
    /// Instance id of the parent event.
    pub parent_instance_id: u32,
    #[br(temp, if(old))]
    times_after_ids: [u32; 2],
    /// Kernel and user time of the thread, in timer ticks.
    #[br(calc = if old { times_after_ids } else { times_before_ids })]
    pub cpu_times: [u32; 2],
    /// Event class of the parent; the old form has a registration handle instead.
    #[br(if(!old), map = |bytes: [u8; 16]| Some(wire_guid(bytes)))]
    pub parent_guid: Option<Guid>,
}

/// `EVENT_HEADER` (0x50 bytes): events of manifest and TraceLogging providers.
#[binread]
#[br(little)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct EventHeader {
    /// Size of the record in bytes, without padding.
    pub size_bytes: u16,
    #[br(temp)]
    _marker: u16,
    /// Flags as stored: [`EventHeader::EXTENDED_INFO`] and [`EventHeader::STRING_ONLY`] matter.
    pub flags: u16,
    /// `EventProperty`.
    pub property: u16,
    /// Thread that logged the event.
    #[br(map = known_id)]
    pub thread_id: Option<u32>,
    /// Process that logged the event.
    #[br(map = known_id)]
    pub process_id: Option<u32>,
    /// Time stamp in ticks of the session clock.
    pub ticks: i64,
    /// Provider.
    #[br(map = wire_guid)]
    pub provider: Guid,
    /// Event id.
    pub id: u16,
    /// Version of the event's layout.
    pub version: u8,
    /// Channel.
    pub channel: u8,
    /// Level, 1 critical to 5 verbose.
    pub level: u8,
    /// Opcode.
    pub opcode: u8,
    /// Task.
    pub task: u16,
    /// Keywords.
    pub keyword: u64,
    /// Kernel and user time of the thread in timer ticks, or one 64-bit cycle count in private sessions.
    pub cpu_times: [u32; 2],
    /// Activity id.
    #[br(map = wire_guid)]
    pub activity_id: Guid,
}

impl EventHeader {
    /// Extended data items stand between header and payload.
    pub const EXTENDED_INFO: u16 = 0x0001;
    /// The payload is one UTF-16 string.
    pub const STRING_ONLY: u16 = 0x0004;
}

/// `MESSAGE_TRACE_HEADER` (8 bytes and what its flags announce): a WPP message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct MessageHeader {
    /// Size of the record in bytes, without padding.
    pub size_bytes: u16,
    /// Message number.
    pub message_number: u16,
    /// `OptionFlags`.
    pub option_flags: u16,
    /// Sequence number (flag 0x01).
    pub sequence: Option<u32>,
    /// Component id (flag 0x04).
    pub component_id: Option<u32>,
    /// Message class (flag 0x02, unless there is a component id).
    pub guid: Option<Guid>,
    /// Time stamp in ticks (flag 0x08).
    pub ticks: Option<i64>,
    /// Thread (flag 0x20).
    pub thread_id: Option<u32>,
    /// Process (flag 0x20).
    pub process_id: Option<u32>,
    /// Where the arguments start, in bytes from the start of the record.
    pub(crate) payload: usize,
}

impl MessageHeader {
    /// Flags of `OptionFlags`.
    const SEQUENCE: u16 = 0x01;
    const GUID: u16 = 0x02;
    const COMPONENT_ID: u16 = 0x04;
    const TIMESTAMP: u16 = 0x08;
    const PERFORMANCE_TIMESTAMP: u16 = 0x10;
    const SYSTEM_INFO: u16 = 0x20;
    pub(crate) const POINTER32: u16 = 0x40;
    pub(crate) const POINTER64: u16 = 0x80;

    /// Reads the header; `None` where the flags announce more than the record holds.
    ///
    /// Source: Geoff Chappell, `MESSAGE_TRACE_HEADER`: the order of the items, the component id taking the GUID's place,
    /// and room for a time stamp kept for flag 0x10 too, in which nothing is written.
    pub(crate) fn read(record: &[u8]) -> Option<Self> {
        use crate::bytes::{array_at, i64_at, u16_at, u32_at};
        let option_flags = u16_at(record, 6)?;
        let has = |flag| option_flags & flag != 0;
        let mut header = Self {
            size_bytes: u16_at(record, 0)?,
            message_number: u16_at(record, 4)?,
            option_flags,
            sequence: None,
            component_id: None,
            guid: None,
            ticks: None,
            thread_id: None,
            process_id: None,
            payload: 8,
        };
        let at = &mut header.payload;
        if has(Self::SEQUENCE) {
            header.sequence = Some(u32_at(record, *at)?);
            *at += 4;
        }
        if has(Self::COMPONENT_ID) {
            header.component_id = Some(u32_at(record, *at)?);
            *at += 4;
        } else if has(Self::GUID) {
            header.guid = Some(Guid::from_wire(array_at(record, *at)?));
            *at += 16;
        }
        if has(Self::TIMESTAMP) || has(Self::PERFORMANCE_TIMESTAMP) {
            let ticks = i64_at(record, *at)?;
            header.ticks = has(Self::TIMESTAMP).then_some(ticks);
            *at += 8;
        }
        if has(Self::SYSTEM_INFO) {
            header.thread_id = known_id(u32_at(record, *at)?);
            header.process_id = known_id(u32_at(record, *at + 4)?);
            *at += 8;
        }
        Some(header)
    }
}
