//! What kinds of records there are.

use super::{ClassicHeader, EventHeader, InstanceHeader, MessageHeader, PerfinfoHeader, SystemHeader};

/// Size of a pointer in a record's payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PointerSize {
    /// 32-bit.
    Four,
    /// 64-bit.
    Eight,
}

impl PointerSize {
    /// 4 or 8.
    pub const fn bytes(self) -> usize {
        match self {
            Self::Four => 4,
            Self::Eight => 8,
        }
    }
}

/// The header type of a record as the marker gives it (`TRACE_HEADER_TYPE_*`), unknown values included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct HeaderType(pub u8);

impl HeaderType {
    /// Kernel logger, long form, of a 32-bit system.
    pub const SYSTEM32: Self = Self(0x01);
    /// Kernel logger, long form, of a 64-bit system.
    pub const SYSTEM64: Self = Self(0x02);
    /// Kernel logger, without processor times, 32-bit.
    pub const COMPACT32: Self = Self(0x03);
    /// Kernel logger, without processor times, 64-bit.
    pub const COMPACT64: Self = Self(0x04);
    /// Classic (MOF) event, 32-bit.
    pub const FULL32: Self = Self(0x0A);
    /// Classic event with instance ids, 32-bit.
    pub const INSTANCE32: Self = Self(0x0B);
    /// `TRACE_HEADER_TYPE_TIMED`; no source gives its layout.
    pub const TIMED: Self = Self(0x0C);
    /// `TRACE_HEADER_TYPE_ERROR`; no source gives its layout.
    pub const ERROR: Self = Self(0x0D);
    /// `TRACE_HEADER_TYPE_WNODE_HEADER`; no source gives its layout.
    pub const WNODE: Self = Self(0x0E);
    /// Kernel logger, shortest form, 32-bit.
    pub const PERFINFO32: Self = Self(0x10);
    /// Kernel logger, shortest form, 64-bit.
    pub const PERFINFO64: Self = Self(0x11);
    /// Manifest or TraceLogging event, 32-bit.
    pub const EVENT32: Self = Self(0x12);
    /// Manifest or TraceLogging event, 64-bit.
    pub const EVENT64: Self = Self(0x13);
    /// Classic (MOF) event, 64-bit.
    pub const FULL64: Self = Self(0x14);
    /// Classic event with instance ids, 64-bit.
    pub const INSTANCE64: Self = Self(0x15);
    /// WPP messages have a marker of their own and no header type; this number is free.
    pub const MESSAGE: Self = Self(0x90);
    /// `TRACE_HEADER_ULONG32_TIME` has a marker of its own; this number is free.
    pub const ULONG32_TIME: Self = Self(0xB0);
}

/// The family of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RecordKind {
    /// Kernel logger, long form.
    System,
    /// Kernel logger, without processor times.
    Compact,
    /// Kernel logger, without process and thread.
    Perfinfo,
    /// Classic (MOF) event.
    Classic,
    /// Classic event with instance ids.
    Instance,
    /// Manifest or TraceLogging event.
    EventHeader,
    /// WPP message.
    Message,
    /// A marker that is legal, of a kind whose layout no source gives.
    Other,
}

/// The decoded fixed header of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecordHeader {
    /// Of [`RecordKind::System`].
    System(SystemHeader),
    /// Of [`RecordKind::Compact`]: without processor times.
    Compact(SystemHeader),
    /// Of [`RecordKind::Perfinfo`].
    Perfinfo(PerfinfoHeader),
    /// Of [`RecordKind::Classic`].
    Classic(ClassicHeader),
    /// Of [`RecordKind::Instance`].
    Instance(InstanceHeader),
    /// Of [`RecordKind::EventHeader`].
    Event(EventHeader),
    /// Of [`RecordKind::Message`].
    Message(MessageHeader),
    /// Only the marker is known.
    Other,
}
