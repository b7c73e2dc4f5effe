//! Extended data items between an event's header and its payload.

use crate::Guid;
use crate::bytes::{align8, array_at, u16_at, u32_at, u64_at};
use crate::record::PointerSize;

/// `EVENT_HEADER_EXT_TYPE_*`, unknown values included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ExtendedItemType(pub u16);

impl ExtendedItemType {
    /// Activity that the event's activity was started by: a GUID.
    pub const RELATED_ACTIVITY_ID: Self = Self(0x01);
    /// Security identifier of the user.
    pub const SID: Self = Self(0x02);
    /// Terminal services session: 32 bits.
    pub const TS_ID: Self = Self(0x03);
    /// Instance ids of a classic event.
    pub const INSTANCE_INFO: Self = Self(0x04);
    /// Call stack of 32-bit addresses.
    pub const STACK_TRACE32: Self = Self(0x05);
    /// Call stack of 64-bit addresses.
    pub const STACK_TRACE64: Self = Self(0x06);
    /// Processor event based sampling index: 64 bits.
    pub const PEBS_INDEX: Self = Self(0x07);
    /// Performance counters, 64 bits each.
    pub const PMC_COUNTERS: Self = Self(0x08);
    /// Key of the process state manager; opaque.
    pub const PSM_KEY: Self = Self(0x09);
    /// Key of the event: 64 bits.
    pub const EVENT_KEY: Self = Self(0x0A);
    /// TraceLogging metadata of the event.
    pub const EVENT_SCHEMA_TL: Self = Self(0x0B);
    /// Traits of the provider: its name, its group.
    pub const PROVIDER_TRAITS: Self = Self(0x0C);
    /// Number that a process keeps for its life: 64 bits.
    pub const PROCESS_START_KEY: Self = Self(0x0D);
    /// Control GUID, where events carry a decode GUID.
    pub const CONTROL_GUID: Self = Self(0x0E);
    /// Difference of the performance counter to that of the host: 64 bits.
    pub const QPC_DELTA: Self = Self(0x0F);
    /// Container; opaque.
    pub const CONTAINER_ID: Self = Self(0x10);
    /// Call stack by reference, of a 32-bit process.
    pub const STACK_KEY32: Self = Self(0x11);
    /// Call stack by reference, of a 64-bit process.
    pub const STACK_KEY64: Self = Self(0x12);
}

/// One item, its data raw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExtendedItem<'a> {
    /// What the data are.
    pub item_type: ExtendedItemType,
    /// `DataSize` bytes.
    pub data: &'a [u8],
}

/// What an item says. Sources: `evntcons.h` for the structures; the opaque ones are given as bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExtendedValue<'a> {
    /// Activity that the event's activity was started by.
    RelatedActivityId(Guid),
    /// Security identifier of the user, raw.
    Sid(&'a [u8]),
    /// Terminal services session.
    SessionId(u32),
    /// Instance ids of a classic event, and the class of its parent.
    Instance {
        /// Instance.
        id: u32,
        /// Instance of the parent.
        parent_id: u32,
        /// Class of the parent.
        parent_guid: Guid,
    },
    /// Call stack.
    Stack(StackTrace<'a>),
    /// Processor event based sampling index.
    PebsIndex(u64),
    /// Performance counters, eight bytes each, raw.
    PmcCounters(&'a [u8]),
    /// Key of the process state manager; opaque.
    PsmKey(&'a [u8]),
    /// Key of the event.
    EventKey(u64),
    /// TraceLogging metadata of the event.
    TraceLoggingSchema(&'a [u8]),
    /// Traits of the provider.
    ProviderTraits(&'a [u8]),
    /// Number that a process keeps for its life.
    ProcessStartKey(u64),
    /// Control GUID, where events carry a decode GUID.
    ControlGuid(Guid),
    /// Difference of the performance counter to that of the host.
    QpcDelta(i64),
    /// Container; opaque.
    ContainerId(&'a [u8]),
    /// Call stack by reference: match id, and the key under which the stack was logged.
    StackKey {
        /// Joins the kernel part and the user part of a stack.
        match_id: u64,
        /// Key of the stack.
        key: u64,
    },
    /// Of a type that no source names, or of another size than its type has.
    Other(&'a [u8]),
}

/// A call stack: return addresses, innermost first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct StackTrace<'a> {
    /// Not 0 where the other part of the stack, kernel or user, comes with a later event.
    pub match_id: u64,
    pointer_size: PointerSize,
    addresses: &'a [u8],
}

impl<'a> StackTrace<'a> {
    /// The addresses.
    pub fn addresses(&self) -> impl Iterator<Item = u64> + use<'a> {
        let size = self.pointer_size;
        self.addresses.chunks_exact(size.bytes()).map(move |bytes| match size {
            PointerSize::Four => u32_at(bytes, 0).map_or(0, u64::from),
            PointerSize::Eight => u64_at(bytes, 0).unwrap_or(0),
        })
    }
}

impl<'a> ExtendedItem<'a> {
    /// The item's data by its type.
    pub fn value(&self) -> ExtendedValue<'a> {
        self.typed().unwrap_or(ExtendedValue::Other(self.data))
    }

    fn typed(&self) -> Option<ExtendedValue<'a>> {
        let data = self.data;
        let guid_at = |at| array_at(data, at).map(Guid::from_wire);
        let stack = |pointer_size| {
            let addresses = data.get(8..)?;
            let whole = addresses.len() % PointerSize::bytes(pointer_size) == 0;
            whole.then_some(ExtendedValue::Stack(StackTrace { match_id: u64_at(data, 0)?, pointer_size, addresses }))
        };
        match (self.item_type, data.len()) {
            (ExtendedItemType::RELATED_ACTIVITY_ID, 16) => guid_at(0).map(ExtendedValue::RelatedActivityId),
            (ExtendedItemType::SID, 8..) => {
                let whole = data.get(1).is_some_and(|count| data.len() == 8 + 4 * usize::from(*count));
                whole.then_some(ExtendedValue::Sid(data))
            }
            (ExtendedItemType::TS_ID, 4) => u32_at(data, 0).map(ExtendedValue::SessionId),
            (ExtendedItemType::INSTANCE_INFO, 24) => Some(ExtendedValue::Instance {
                id: u32_at(data, 0)?,
                parent_id: u32_at(data, 4)?,
                parent_guid: guid_at(8)?,
            }),
            (ExtendedItemType::STACK_TRACE32, _) => stack(PointerSize::Four),
            (ExtendedItemType::STACK_TRACE64, _) => stack(PointerSize::Eight),
            (ExtendedItemType::PEBS_INDEX, 8) => u64_at(data, 0).map(ExtendedValue::PebsIndex),
            (ExtendedItemType::PMC_COUNTERS, length) if length % 8 == 0 => Some(ExtendedValue::PmcCounters(data)),
            (ExtendedItemType::PSM_KEY, _) => Some(ExtendedValue::PsmKey(data)),
            (ExtendedItemType::EVENT_KEY, 8) => u64_at(data, 0).map(ExtendedValue::EventKey),
            (ExtendedItemType::EVENT_SCHEMA_TL, _) => Some(ExtendedValue::TraceLoggingSchema(data)),
            (ExtendedItemType::PROVIDER_TRAITS, _) => Some(ExtendedValue::ProviderTraits(data)),
            (ExtendedItemType::PROCESS_START_KEY, 8) => u64_at(data, 0).map(ExtendedValue::ProcessStartKey),
            (ExtendedItemType::CONTROL_GUID, 16) => guid_at(0).map(ExtendedValue::ControlGuid),
            (ExtendedItemType::QPC_DELTA, 8) => u64_at(data, 0).map(|d| ExtendedValue::QpcDelta(d.cast_signed())),
            (ExtendedItemType::CONTAINER_ID, _) => Some(ExtendedValue::ContainerId(data)),
            (ExtendedItemType::STACK_KEY32, 12 | 16) => {
                Some(ExtendedValue::StackKey { match_id: u64_at(data, 0)?, key: u32_at(data, 8)?.into() })
            }
            (ExtendedItemType::STACK_KEY64, 16) => {
                Some(ExtendedValue::StackKey { match_id: u64_at(data, 0)?, key: u64_at(data, 8)? })
            }
            _ => None,
        }
    }
}

/// Walks the chain of items: each says whether another follows (bit 0 at 0x04, "Linkage").
///
/// Source: Geoff Chappell, `EVENT_HEADER`; airbus-cert and dissect read the first word as the padded item size, which
/// real files confirm (`FORMAT.md`). Where that word cannot be right, the size is taken from the data size.
#[derive(Debug, Clone)]
#[must_use = "items are read as the iterator advances"]
pub struct ExtendedItems<'a> {
    bytes: &'a [u8],
    pos: usize,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    More,
    Ended,
    Broken,
}

const ITEM_HEAD_BYTES: usize = 8;

impl<'a> ExtendedItems<'a> {
    /// `bytes` starts at the first item; `None` where there are no items.
    pub(crate) fn new(bytes: Option<&'a [u8]>) -> Self {
        match bytes {
            Some(bytes) => Self { bytes, pos: 0, state: State::More },
            None => Self { bytes: &[], pos: 0, state: State::Ended },
        }
    }

    /// Once the chain has left the record: bytes that the item needed, and bytes that were left.
    pub(crate) fn shortfall(&self) -> (usize, usize) {
        let have = self.bytes.len().saturating_sub(self.pos);
        let need = u16_at(self.bytes, self.pos + 6).map_or(0, usize::from);
        (ITEM_HEAD_BYTES + need, have)
    }

    /// Bytes that the items take, once the chain has been walked; `None` where it left the record.
    pub(crate) fn end(&self) -> Option<usize> {
        (self.state == State::Ended).then_some(self.pos)
    }
}

impl<'a> Iterator for ExtendedItems<'a> {
    type Item = ExtendedItem<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.state != State::More {
            return None;
        }
        self.state = State::Broken;
        let total = usize::from(u16_at(self.bytes, self.pos)?);
        let item_type = ExtendedItemType(u16_at(self.bytes, self.pos + 2)?);
        let linkage = u16_at(self.bytes, self.pos + 4)? & 1 != 0;
        let data_bytes = usize::from(u16_at(self.bytes, self.pos + 6)?);
        let from_data = align8(ITEM_HEAD_BYTES + data_bytes);
        let total_fits = total % 8 == 0 && total >= ITEM_HEAD_BYTES + data_bytes;
        let total = if total_fits { total } else { from_data };
        let start = self.pos + ITEM_HEAD_BYTES;
        let data = self.bytes.get(start..start + data_bytes)?;
        let next = self.pos + total;
        if next > self.bytes.len() {
            return None;
        }
        self.pos = next;
        self.state = if linkage { State::More } else { State::Ended };
        Some(ExtendedItem { item_type, data })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(total: u16, kind: u16, linkage: u16, data_bytes: u16, data: &[u8]) -> Vec<u8> {
        let mut bytes: Vec<u8> = [total, kind, linkage, data_bytes].iter().flat_map(|v| v.to_le_bytes()).collect();
        bytes.extend_from_slice(data);
        bytes
    }

    fn walk(bytes: &[u8]) -> (Vec<u16>, Option<usize>) {
        let mut items = ExtendedItems::new(Some(bytes));
        let types = items.by_ref().map(|item| item.item_type.0).collect();
        (types, items.end())
    }

    #[test]
    fn chain_ends_at_the_first_item_without_linkage() {
        let mut bytes = item(24, 1, 1, 16, &[7; 16]);
        bytes.extend(item(16, 3, 0, 4, &[1, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF]));
        bytes.extend_from_slice(b"payload!");
        assert_eq!(walk(&bytes), (vec![1, 3], Some(40)));
    }

    #[test]
    fn values_are_typed_where_their_size_is_that_of_the_type() {
        let value = |kind, data| ExtendedItem { item_type: ExtendedItemType(kind), data }.value();
        let guid = Guid::from_wire([7; 16]);
        let (five, minus_five) = (5_u64.to_le_bytes(), (-5_i64).to_le_bytes());
        assert_eq!(value(1, &[7; 16]), ExtendedValue::RelatedActivityId(guid));
        assert_eq!(value(1, &[7; 15]), ExtendedValue::Other(&[7; 15]));
        let sid = [1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0];
        assert_eq!(value(2, &sid), ExtendedValue::Sid(&sid));
        assert_eq!(value(2, &sid[..11]), ExtendedValue::Other(&sid[..11]));
        assert_eq!(value(3, &[9, 0, 0, 0]), ExtendedValue::SessionId(9));
        let instance = [&[1, 0, 0, 0, 2, 0, 0, 0][..], &[7; 16]].concat();
        assert_eq!(value(4, &instance), ExtendedValue::Instance { id: 1, parent_id: 2, parent_guid: guid });
        let stack = [9_u64.to_le_bytes(), 0x1111_u64.to_le_bytes(), 0x2222_u64.to_le_bytes()].concat();
        let ExtendedValue::Stack(wide) = value(6, &stack) else { panic!() };
        assert_eq!((wide.match_id, wide.addresses().collect::<Vec<_>>()), (9, vec![0x1111, 0x2222]));
        let ExtendedValue::Stack(narrow) = value(5, &stack) else { panic!() };
        assert_eq!(narrow.addresses().collect::<Vec<_>>(), [0x1111, 0, 0x2222, 0]);
        assert_eq!(value(6, &stack[..20]), ExtendedValue::Other(&stack[..20]));
        assert_eq!(value(7, &five), ExtendedValue::PebsIndex(5));
        assert_eq!(value(8, &[0; 16]), ExtendedValue::PmcCounters(&[0; 16]));
        assert_eq!(value(9, &[1]), ExtendedValue::PsmKey(&[1]));
        assert_eq!(value(0xA, &five), ExtendedValue::EventKey(5));
        assert_eq!(value(0xB, b"x"), ExtendedValue::TraceLoggingSchema(b"x"));
        assert_eq!(value(0xC, b"x"), ExtendedValue::ProviderTraits(b"x"));
        assert_eq!(value(0xD, &five), ExtendedValue::ProcessStartKey(5));
        assert_eq!(value(0xE, &[7; 16]), ExtendedValue::ControlGuid(guid));
        assert_eq!(value(0xF, &minus_five), ExtendedValue::QpcDelta(-5));
        assert_eq!(value(0x10, b"id"), ExtendedValue::ContainerId(b"id"));
        assert_eq!(value(0x11, &stack[..16]), ExtendedValue::StackKey { match_id: 9, key: 0x1111 });
        assert_eq!(value(0x12, &stack[..16]), ExtendedValue::StackKey { match_id: 9, key: 0x1111 });
        for kind in [0, 0x13, 0xFFFF] {
            assert_eq!(value(kind, b"data"), ExtendedValue::Other(b"data"));
        }
    }

    #[test]
    fn a_wrong_item_size_is_replaced_by_the_padded_data_size() {
        for total in [0, 7, 9, 0x8001] {
            let mut bytes = item(total, 3, 0, 4, &[1, 0, 0, 0, 0, 0, 0, 0]);
            bytes.extend_from_slice(b"payload!");
            assert_eq!(walk(&bytes), (vec![3], Some(16)), "total {total}");
        }
    }

    #[test]
    fn chains_that_leave_the_record_are_broken() {
        assert_eq!(walk(&item(24, 1, 1, 16, &[7; 16])), (vec![1], None));
        assert_eq!(walk(&item(24, 1, 0, 16, &[7; 15])), (vec![], None));
        assert_eq!(walk(&[0; 7]), (vec![], None));
        assert_eq!(walk(&item(8, 1, 1, 0, &[]).repeat(8000)).1, None);
    }
}
