//! Which pool: a protocol and a family.

use crate::net::{Family, Protocol};

/// Number of pools, those counted whose protocol or family is not known.
pub const POOLS: usize = 9;

/// A pool: what is not known is `None`, and counted apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PoolKey {
    /// Protocol.
    pub protocol: Option<Protocol>,
    /// Family.
    pub family: Option<Family>,
}

impl PoolKey {
    /// A pool whose protocol and family are known.
    pub fn new(protocol: Protocol, family: Family) -> Self {
        Self { protocol: Some(protocol), family: Some(family) }
    }

    /// All of them: TCP before UDP, IPv4 before IPv6, what is not known last.
    pub fn all() -> [Self; POOLS] {
        let mut all = [Self::default(); POOLS];
        for protocol in [Some(Protocol::Tcp), Some(Protocol::Udp), None] {
            for family in [Some(Family::Ipv4), Some(Family::Ipv6), None] {
                let key = Self { protocol, family };
                if let Some(slot) = all.get_mut(key.index()) {
                    *slot = key;
                }
            }
        }
        all
    }

    /// Its number, below [`POOLS`].
    pub fn index(self) -> usize {
        let protocol = match self.protocol {
            Some(Protocol::Tcp) => 0,
            Some(Protocol::Udp) => 1,
            None => 2,
        };
        let family = match self.family {
            Some(Family::Ipv4) => 0,
            Some(Family::Ipv6) => 1,
            None => 2,
        };
        protocol * 3 + family
    }

    /// `TCP over IPv4`, or less where less is known.
    pub fn name(self) -> String {
        match (self.protocol, self.family) {
            (Some(protocol), Some(family)) => format!("{} over {}", protocol.name(), family.name()),
            (Some(protocol), None) => protocol.name().to_owned(),
            (None, Some(family)) => format!("{}, protocol not known", family.name()),
            (None, None) => "protocol and family not known".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pool_has_its_number() {
        for (index, key) in PoolKey::all().into_iter().enumerate() {
            assert_eq!(key.index(), index, "{}", key.name());
        }
    }
}
