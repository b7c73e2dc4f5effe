//! Socket addresses, protocols and families, as Winsock numbers them.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::IpAddr;

use serde::Serialize;

/// Address family of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
#[cfg_attr(test, derive(schemars::JsonSchema))]
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

/// What kind of socket it is, as its creation tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SocketKind {
    /// Family, where it is one of IP.
    pub family: Option<Family>,
    /// Protocol, where it is one with ports.
    pub protocol: Option<Protocol>,
    /// It may hold a port of TCP or UDP: it is no raw socket, and not of another family (AF_UNIX, Hyper-V).
    pub has_port: bool,
}

impl SocketKind {
    /// From `AF_*`, `SOCK_*` and `IPPROTO_*` as Windows numbers them. What is 0 is not told.
    pub fn from_winsock(family: u32, socket_type: u32, protocol: u32) -> Self {
        const SOCK_RAW: u32 = 3;
        let (known_family, known_protocol) =
            (Family::from_winsock(family), Protocol::from_winsock(protocol, socket_type));
        let is_of_ip = family == 0 || known_family.is_some();
        let is_of_transport = known_protocol.is_some() || (protocol == 0 && socket_type == 0);
        let has_port = is_of_ip && is_of_transport && socket_type != SOCK_RAW;
        Self { family: known_family, protocol: known_protocol, has_port }
    }
}

/// An IP address and a port, from a `SOCKADDR`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SocketAddress {
    /// IP address.
    pub ip: IpAddr,
    /// Port; 0 asks for any.
    pub port: u16,
}

/// In one or two numbers: the derived one hashes part by part, for each connect.
impl Hash for SocketAddress {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self.ip {
            IpAddr::V4(ip) => state.write_u64(u64::from(self.port) << 32 | u64::from(ip.to_bits())),
            IpAddr::V6(ip) => {
                state.write_u128(ip.to_bits());
                state.write_u16(self.port);
            }
        }
    }
}

impl SocketAddress {
    /// From the bytes of a `SOCKADDR_IN` or `SOCKADDR_IN6`; `None` for other families and short ones.
    #[inline]
    pub fn from_sockaddr(bytes: &[u8]) -> Option<Self> {
        etw_schema::socket_address(bytes).map(|address| Self { ip: address.ip(), port: address.port() })
    }

    /// Whether it is an IPv4 address that a socket of IPv6 uses: `::ffff:a.b.c.d`.
    pub fn is_mapped(&self) -> bool {
        matches!(self.ip, IpAddr::V6(ip) if ip.to_ipv4_mapped().is_some())
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
    fn protocol_follows_the_socket_type_where_none_is_given() {
        assert_eq!(Protocol::from_winsock(0, 1), Some(Protocol::Tcp));
        assert_eq!(Protocol::from_winsock(17, 3), Some(Protocol::Udp));
        assert_eq!(Protocol::from_winsock(1, 3), None);
    }

    #[test]
    fn sockets_without_a_port_are_told_apart() {
        let has_port = |family, kind, protocol| SocketKind::from_winsock(family, kind, protocol).has_port;
        assert!(has_port(2, 1, 6) && has_port(23, 2, 17) && has_port(2, 1, 0) && has_port(0, 0, 0));
        assert!(!has_port(2, 3, 1) && !has_port(2, 3, 17) && !has_port(1, 1, 0) && !has_port(34, 1, 1));
    }
}
