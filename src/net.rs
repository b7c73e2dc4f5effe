//! Socket addresses, protocols and families, as Winsock numbers them.

use std::fmt;
use std::net::IpAddr;

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
    pub fn from_sockaddr(bytes: &[u8]) -> Option<Self> {
        etw_schema::socket_address(bytes).map(|address| Self { ip: address.ip(), port: address.port() })
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
}
