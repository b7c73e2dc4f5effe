//! Socket addresses, protocols and families, as Winsock numbers them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::Serialize;

/// Address family of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// `AF_INET`, 2.
    Ipv4,
    /// `AF_INET6`, 23 on Windows.
    Ipv6,
}

impl Family {
    /// From `AF_*` as Windows numbers it; `None` for other families (Hyper-V sockets are 34).
    pub fn from_winsock(value: u32) -> Option<Self> {
        match value {
            2 => Some(Self::Ipv4),
            23 => Some(Self::Ipv6),
            _ => None,
        }
    }

    /// `IPv4` or `IPv6`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ipv4 => "IPv4",
            Self::Ipv6 => "IPv6",
        }
    }
}

/// Transport protocol of a socket: each has its own port numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl Protocol {
    /// From `IPPROTO_*`, or where that is 0 from the socket type (1 stream, 2 datagram); `None` for raw sockets.
    pub fn from_winsock(protocol: u32, socket_type: u32) -> Option<Self> {
        match (protocol, socket_type) {
            (6, _) | (0, 1) => Some(Self::Tcp),
            (17, _) | (0, 2) => Some(Self::Udp),
            _ => None,
        }
    }

    /// `TCP` or `UDP`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
        }
    }
}

/// An IP address and a port, from a `SOCKADDR`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketAddress {
    /// IP address.
    pub ip: IpAddr,
    /// Port; 0 asks for any.
    pub port: u16,
}

impl SocketAddress {
    /// From the bytes of a `SOCKADDR_IN` or `SOCKADDR_IN6`; `None` for other families and short ones.
    ///
    /// Source: `ws2def.h`, `ws2ipdef.h`: family little-endian, port in network order; IPv4 address at 4;
    /// IPv6 address at 8, behind the flow information.
    pub fn from_sockaddr(bytes: &[u8]) -> Option<Self> {
        let family = u16::from_le_bytes(*bytes.first_chunk()?);
        let port = u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?);
        let ip = match Family::from_winsock(u32::from(family))? {
            Family::Ipv4 => IpAddr::from(Ipv4Addr::from(*bytes.get(4..)?.first_chunk::<4>()?)),
            Family::Ipv6 => IpAddr::from(Ipv6Addr::from(*bytes.get(8..)?.first_chunk::<16>()?)),
        };
        Some(Self { ip, port })
    }

    /// Family of the address.
    pub fn family(&self) -> Family {
        if self.ip.is_ipv4() { Family::Ipv4 } else { Family::Ipv6 }
    }
}

/// `10.0.0.1:443`, `[::1]:443`.
impl fmt::Display for SocketAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        std::net::SocketAddr::from((self.ip, self.port)).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn port_is_in_network_order() {
        let mut bytes = vec![2, 0, 0xC0, 0x01, 10, 1, 2, 3];
        bytes.extend([0; 8]);
        let address = SocketAddress::from_sockaddr(&bytes).unwrap();
        assert_eq!((address.ip.to_string(), address.port), ("10.1.2.3".to_owned(), 49153));
    }

    #[test]
    fn ipv6_address_stands_behind_the_flow_information() {
        let mut bytes = vec![23, 0, 0x1F, 0x90, 9, 9, 9, 9];
        bytes.extend([0xFE, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        bytes.extend([4, 0, 0, 0]);
        let address = SocketAddress::from_sockaddr(&bytes).unwrap();
        assert_eq!((address.ip.to_string(), address.port), ("fe80::1".to_owned(), 8080));
    }

    #[test]
    fn other_families_and_short_addresses_are_unknown() {
        assert_eq!(SocketAddress::from_sockaddr(&[34, 0, 0, 0, 1, 2, 3, 4]), None);
        assert_eq!(SocketAddress::from_sockaddr(&[2, 0, 0, 0, 1, 2, 3]), None);
        assert_eq!(SocketAddress::from_sockaddr(&[23, 0, 0, 0, 1, 2, 3, 4]), None);
        assert_eq!(SocketAddress::from_sockaddr(&[]), None);
    }

    #[test]
    fn protocol_follows_the_socket_type_where_none_is_given() {
        assert_eq!(Protocol::from_winsock(0, 1), Some(Protocol::Tcp));
        assert_eq!(Protocol::from_winsock(17, 3), Some(Protocol::Udp));
        assert_eq!(Protocol::from_winsock(1, 3), None);
    }
}
