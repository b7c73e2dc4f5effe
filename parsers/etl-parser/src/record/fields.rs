//! Single fields of a record's header, read where they stand: a walk over many records decodes no header whole.

use super::{EventHeader, HeaderType, MessageHeader, PointerSize, Record, RecordKind};
use crate::bytes::{array_at, i64_at, u16_at, u32_at, u64_at};
use crate::{Guid, HookId};

/// The header of an event of a manifest or TraceLogging provider, read where it stands: for loops over many records, which
/// look at several of its fields. Its length was checked when the record was found.
#[derive(Debug, Clone, Copy)]
pub struct EventHead<'a>(pub(super) &'a [u8; EventHead::BYTES]);

impl EventHead<'_> {
    /// Bytes of the header.
    pub const BYTES: usize = 0x50;

    /// `N` bytes at `AT`, which the compiler knows to lie in the header.
    #[inline]
    fn at<const AT: usize, const N: usize>(self) -> [u8; N] {
        array_at(self.0, AT).unwrap_or([0; N])
    }

    /// Whether extended data items stand between header and payload.
    #[inline]
    pub fn has_extended_items(self) -> bool {
        u16::from_le_bytes(self.at::<4, 2>()) & EventHeader::EXTENDED_INFO != 0
    }

    /// Process in whose context the event was logged; `None` for none.
    #[inline]
    pub fn process_id(self) -> Option<u32> {
        Some(u32::from_le_bytes(self.at::<0x0C, 4>())).filter(|id| *id != u32::MAX)
    }

    /// Raw time stamp in ticks of the session clock.
    #[inline]
    pub fn ticks(self) -> i64 {
        i64::from_le_bytes(self.at::<0x10, 8>())
    }

    /// Provider.
    #[inline]
    pub fn provider(self) -> Guid {
        Guid::from_wire(self.at::<0x18, 16>())
    }

    /// Event id.
    #[inline]
    pub fn id(self) -> u16 {
        u16::from_le_bytes(self.at::<0x28, 2>())
    }

    /// Version of the payload's layout.
    #[inline]
    pub fn version(self) -> u8 {
        let [version] = self.at::<0x2A, 1>();
        version
    }
}

impl Record<'_> {
    /// Raw time stamp in ticks of the session clock; `None` for a message without one and for unknown kinds.
    #[inline]
    pub fn ticks(&self) -> Option<i64> {
        match self.facts.kind {
            RecordKind::Perfinfo => i64_at(self.bytes, 0x08),
            RecordKind::Message => MessageHeader::read(self.bytes)?.ticks,
            RecordKind::Other if self.facts.header_type == HeaderType::ULONG32_TIME => i64_at(self.bytes, 0x08),
            RecordKind::Other => None,
            _ => i64_at(self.bytes, 0x10),
        }
    }

    /// Process in whose context the event was logged.
    #[inline]
    pub fn process_id(&self) -> Option<u32> {
        match self.facts.kind {
            RecordKind::Perfinfo | RecordKind::Other => None,
            RecordKind::Message => MessageHeader::read(self.bytes)?.process_id,
            _ => u32_at(self.bytes, 0x0C).filter(|id| *id != u32::MAX),
        }
    }

    /// Thread in whose context the event was logged.
    pub fn thread_id(&self) -> Option<u32> {
        match self.facts.kind {
            RecordKind::Perfinfo | RecordKind::Other => None,
            RecordKind::Message => MessageHeader::read(self.bytes)?.thread_id,
            _ => u32_at(self.bytes, 0x08).filter(|id| *id != u32::MAX),
        }
    }

    /// Provider of an event, class of a classic event, or the class under which consumers see a kernel record
    /// ([`HookId::provider`], the null GUID for a group that no source names); `None` for messages, unknown kinds, and
    /// instance events of the oldest form.
    #[inline]
    pub fn provider(&self) -> Option<Guid> {
        self.header_guid().or_else(|| self.hook().map(HookId::provider))
    }

    /// GUID that the header holds: provider of an event, class of a classic event; `None` for kernel records.
    #[inline]
    pub fn header_guid(&self) -> Option<Guid> {
        match self.facts.kind {
            RecordKind::EventHeader | RecordKind::Classic => array_at(self.bytes, 0x18).map(Guid::from_wire),
            RecordKind::Instance if self.facts.fixed() == 0x48 => array_at(self.bytes, 0x18).map(Guid::from_wire),
            _ => None,
        }
    }

    /// Group and type of a kernel record.
    #[inline]
    pub fn hook(&self) -> Option<HookId> {
        match self.facts.kind {
            RecordKind::System | RecordKind::Compact | RecordKind::Perfinfo => u16_at(self.bytes, 6).map(HookId),
            _ => None,
        }
    }

    /// Event id: `Id` of an event header, the opcode of all other kinds; `None` for messages and unknown kinds.
    #[inline]
    pub fn id(&self) -> Option<u16> {
        match self.facts.kind {
            RecordKind::EventHeader => u16_at(self.bytes, 0x28),
            RecordKind::Classic | RecordKind::Instance => self.bytes.get(4).copied().map(u16::from),
            RecordKind::System | RecordKind::Compact | RecordKind::Perfinfo => {
                self.hook().map(|hook| u16::from(hook.opcode()))
            }
            RecordKind::Message | RecordKind::Other => None,
        }
    }

    /// Version of the payload's layout; `None` for messages and unknown kinds.
    #[inline]
    pub fn version(&self) -> Option<u8> {
        match self.facts.kind {
            RecordKind::EventHeader => self.bytes.get(0x2A).copied(),
            // `Class.Version` is 16 bits wide; no version above 255 is known, and none is cut here.
            RecordKind::Classic | RecordKind::Instance => {
                u16_at(self.bytes, 6).map(|version| u8::try_from(version).unwrap_or(u8::MAX))
            }
            RecordKind::System | RecordKind::Compact | RecordKind::Perfinfo => self.bytes.first().copied(),
            RecordKind::Message | RecordKind::Other => None,
        }
    }

    /// Level of an event or classic event: 1 critical, 2 error, 3 warning, 4 information, 5 verbose, higher ones as the
    /// provider likes, 0 for "always"; `None` for all other kinds.
    pub fn level(&self) -> Option<u8> {
        match self.facts.kind {
            RecordKind::EventHeader => self.bytes.get(0x2C).copied(),
            RecordKind::Classic | RecordKind::Instance => self.bytes.get(5).copied(),
            _ => None,
        }
    }

    /// Opcode; of a kernel record its type within the group. `None` for messages and unknown kinds.
    pub fn opcode(&self) -> Option<u8> {
        match self.facts.kind {
            RecordKind::EventHeader => self.bytes.get(0x2D).copied(),
            RecordKind::Classic | RecordKind::Instance => self.bytes.get(4).copied(),
            _ => self.hook().map(HookId::opcode),
        }
    }

    /// Channel of an event; `None` for all other kinds.
    pub fn channel(&self) -> Option<u8> {
        self.of_event(|bytes| bytes.get(0x2B).copied())
    }

    /// Task of an event; `None` for all other kinds.
    pub fn task(&self) -> Option<u16> {
        self.of_event(|bytes| u16_at(bytes, 0x2E))
    }

    /// Keywords of an event, one bit each; `None` for all other kinds.
    pub fn keyword(&self) -> Option<u64> {
        self.of_event(|bytes| u64_at(bytes, 0x30))
    }

    /// Activity that an event belongs to; `None` for the null GUID and for all other kinds.
    pub fn activity_id(&self) -> Option<Guid> {
        self.of_event(|bytes| array_at(bytes, 0x40).map(Guid::from_wire)).filter(|id| *id != Guid::ZERO)
    }

    fn of_event<T>(&self, read: impl FnOnce(&[u8]) -> Option<T>) -> Option<T> {
        if self.facts.kind == RecordKind::EventHeader { read(self.bytes) } else { None }
    }

    /// Pointer size of the payload, from the header type; `None` where it does not tell.
    #[inline]
    pub fn pointer_size(&self) -> Option<PointerSize> {
        match self.facts.header_type.0 {
            0x01 | 0x03 | 0x0A | 0x0B | 0x10 | 0x12 => Some(PointerSize::Four),
            0x02 | 0x04 | 0x11 | 0x13 | 0x14 | 0x15 => Some(PointerSize::Eight),
            0x90 => match u16_at(self.bytes, 6)? & (MessageHeader::POINTER32 | MessageHeader::POINTER64) {
                MessageHeader::POINTER32 => Some(PointerSize::Four),
                MessageHeader::POINTER64 => Some(PointerSize::Eight),
                _ => None,
            },
            _ => None,
        }
    }
}
