//! Extended data items between an event's header and its payload.

use crate::bytes::{align8, u16_at};

/// `EVENT_HEADER_EXT_TYPE_*`, unknown values included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ExtendedItemType(pub u16);

#[allow(missing_docs)]
impl ExtendedItemType {
    pub const RELATED_ACTIVITY_ID: Self = Self(0x01);
    pub const SID: Self = Self(0x02);
    pub const TS_ID: Self = Self(0x03);
    pub const INSTANCE_INFO: Self = Self(0x04);
    pub const STACK_TRACE32: Self = Self(0x05);
    pub const STACK_TRACE64: Self = Self(0x06);
    pub const PEBS_INDEX: Self = Self(0x07);
    pub const PMC_COUNTERS: Self = Self(0x08);
    pub const PSM_KEY: Self = Self(0x09);
    pub const EVENT_KEY: Self = Self(0x0A);
    pub const EVENT_SCHEMA_TL: Self = Self(0x0B);
    pub const PROVIDER_TRAITS: Self = Self(0x0C);
    pub const PROCESS_START_KEY: Self = Self(0x0D);
    pub const CONTROL_GUID: Self = Self(0x0E);
    pub const QPC_DELTA: Self = Self(0x0F);
    pub const CONTAINER_ID: Self = Self(0x10);
    pub const STACK_KEY32: Self = Self(0x11);
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

/// Walks the chain of items: each says whether another follows (bit 0 at 0x04, "Linkage").
///
/// Source: Geoff Chappell, `EVENT_HEADER`; airbus-cert and dissect read the first word as the padded item size, which
/// real files confirm (`FORMAT.md`). Where that word cannot be right, the size is taken from the data size.
#[derive(Debug, Clone)]
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
