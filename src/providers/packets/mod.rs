//! Captured packets: what NDIS-PacketCapture and PktMon log of them, and what the headers of a frame say.

pub mod frame;
pub mod ndis;
pub mod pktmon;

/// What a frame begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LinkType {
    /// A header of Ethernet.
    Ethernet,
    /// A header of 802.11.
    Wifi,
    /// A header of IPv4 or IPv6.
    Ip,
}

/// Which way a packet went, as the machine sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// It came in.
    Received,
    /// It went out.
    Sent,
    /// The event does not tell.
    Unknown,
}
