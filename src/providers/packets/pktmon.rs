//! Microsoft-Windows-PktMon, which `pktmon start --capture` logs: each packet once for every component that it passes.
//!
//! Events are read by the names of their fields: a trace mostly holds their schema, and a table the one of Windows Server 2022,
//! which the trace of it embeds.

use std::net::IpAddr;

use etl_parser::{Guid, PointerSize, Record};
use etw_schema::{DecodedEvent, Value};

use super::super::fields::Fields;
use super::{Direction, LinkType};

/// The provider.
pub const PROVIDER: Guid = Guid::from_u128(0x4d4f_80d9_c8bd_4d73_bb5b_19c9_0402_c5ac);

/// A packet at a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting<'d> {
    /// The packet: group and number in it. The same at each component.
    pub packet: (u64, u64),
    /// The component.
    pub component: u32,
    /// What the bytes begin with; `None` for a kind that no capture file has a type for.
    pub link: Option<LinkType>,
    /// Which way it went.
    pub direction: Direction,
    /// Number of the reason why it was dropped.
    pub drop_reason: Option<u32>,
    /// Bytes that the packet had.
    pub original: u32,
    /// Bytes that were captured.
    pub bytes: &'d [u8],
}

/// Reads an event of a packet; `None` for all others.
pub fn sighting(decoded: &DecodedEvent) -> Option<Sighting<'_>> {
    let fields = decoded.fields();
    let Value::Bytes(bytes) = fields.get("Payload")? else { return None };
    let number = |name: &str| fields.get(name)?.integer();
    let small = |name: &str| number(name).and_then(|number| u32::try_from(number).ok());
    // `PKTMON_PACKET_TYPE` of ndis.sys, by its public symbols.
    let link = match number("PacketType")? {
        1 => Some(LinkType::Ethernet),
        2 => Some(LinkType::Wifi),
        3 => Some(LinkType::Ip),
        _ => None,
    };
    // `PacketDirectionTag` of the trace that embeds the schema. In and Out, Ingress and Egress are seen from a component.
    let direction = match number("DirTag") {
        Some(3) => Direction::Received,
        Some(4) => Direction::Sent,
        _ => Direction::Unknown,
    };
    let captured = u32::try_from(bytes.len()).ok()?;
    Some(Sighting {
        packet: (number("PktGroupId")?, number("PktNumber")?),
        component: small("ComponentId")?,
        link,
        direction,
        drop_reason: small("DropReason").filter(|reason| *reason != 0),
        original: small("OriginalPayloadSize").unwrap_or(captured).max(captured),
        bytes,
    })
}

/// What a component is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    /// Number.
    pub id: u32,
    /// Name, mostly of a driver.
    pub name: String,
    /// Description.
    pub description: String,
}

/// What an event tells about the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// What a component is called.
    Component(Component),
    /// An address of the machine.
    Address(IpAddr),
}

/// Reads an event about the machine, in the one version that is known: its layout needs no schema.
pub fn read_told(record: &Record<'_>) -> Option<Told> {
    if record.provider() != Some(PROVIDER) || record.version() != Some(0) {
        return None;
    }
    told(record.id()?, record.user_data().ok()?)
}

fn told(id: u16, payload: &[u8]) -> Option<Told> {
    // No field is a pointer.
    let mut fields = Fields::new(payload, PointerSize::Eight);
    let (component, _kind) = (fields.u16()?, fields.u16()?);
    Some(match id {
        20 => {
            let name = fields.utf16()?;
            let description = fields.last_utf16();
            Told::Component(Component { id: component.into(), name, description })
        }
        65 => Told::Address(IpAddr::from(<[u8; 4]>::try_from(fields.bytes(4)?).ok()?)),
        66 => Told::Address(IpAddr::from(<[u8; 16]>::try_from(fields.bytes(16)?).ok()?)),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_and_addresses_are_read_and_no_shorter_ones() {
        let head = [5, 0, 13, 0];
        let v4 = [&head[..], &[10, 9, 1, 22]].concat();
        assert_eq!(told(65, &v4), Some(Told::Address("10.9.1.22".parse().unwrap())));
        assert_eq!(told(65, &v4[..7]), None);
        let v6 = [&head[..], &[0xFE, 0x80], &[0; 13], &[1]].concat();
        assert_eq!(told(66, &v6), Some(Told::Address("fe80::1".parse().unwrap())));
        assert_eq!(told(66, &v6[..19]), None);
        let text: Vec<u8> = "a\0b\0".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let component = Component { id: 5, name: "a".to_owned(), description: "b".to_owned() };
        assert_eq!(told(20, &[&head[..], &text].concat()), Some(Told::Component(component)));
        assert_eq!(told(30, &v4), None);
    }
}
