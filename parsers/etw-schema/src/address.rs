//! Socket addresses, as Winsock lays them out.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// `AF_INET` and `AF_INET6`, as Windows numbers them.
const IPV4: u16 = 2;
const IPV6: u16 = 23;

/// The address and port in the bytes of a `SOCKADDR_IN` or `SOCKADDR_IN6`, as payloads hold them.
///
/// `None` for other families (Hyper-V sockets are 34) and for short ones; bytes behind the address are passed over, the
/// scope of an IPv6 address too.
///
/// Source: `ws2def.h`, `ws2ipdef.h`: family little-endian, port in network order; IPv4 address at 4;
/// IPv6 address at 8, behind the flow information.
#[inline]
pub fn socket_address(bytes: &[u8]) -> Option<SocketAddr> {
    let family = u16::from_le_bytes(*bytes.first_chunk()?);
    let port = u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?);
    let ip = match family {
        IPV4 => IpAddr::from(Ipv4Addr::from(*bytes.get(4..)?.first_chunk::<4>()?)),
        IPV6 => IpAddr::from(Ipv6Addr::from(*bytes.get(8..)?.first_chunk::<16>()?)),
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(bytes: &[u8]) -> Option<String> {
        socket_address(bytes).map(|address| address.to_string())
    }

    #[test]
    fn port_is_in_network_order() {
        let mut bytes = vec![2, 0, 0xC0, 0x01, 10, 1, 2, 3];
        bytes.extend([0; 8]);
        assert_eq!(shown(&bytes).as_deref(), Some("10.1.2.3:49153"));
    }

    #[test]
    fn ipv6_address_stands_behind_the_flow_information() {
        let mut bytes = vec![23, 0, 0x1F, 0x90, 9, 9, 9, 9];
        bytes.extend([0xFE, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        bytes.extend([4, 0, 0, 0]);
        assert_eq!(shown(&bytes).as_deref(), Some("[fe80::1]:8080"));
    }

    #[test]
    fn other_families_and_short_addresses_are_unknown() {
        for bytes in [&[34, 0, 0, 0, 1, 2, 3, 4][..], &[2, 0, 0, 0, 1, 2, 3], &[23, 0, 0, 0, 1, 2, 3, 4], &[]] {
            assert_eq!(shown(bytes), None, "{bytes:?}");
        }
    }
}
