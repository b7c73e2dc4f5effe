//! Which pool: a protocol and a family, in a network compartment.

use crate::net::{Family, Protocol};

/// Number of pools of each compartment, those counted whose protocol or family is not known.
pub const POOLS: usize = 9;

/// Network compartments that are told apart beside the machine's own. Each Windows container has one.
const MAX_COMPARTMENTS: usize = 15;

/// A network compartment: the machine's own, or one of those that TCP/IP's events name beside it. Where nothing tells, it is
/// taken to be the machine's own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Compartment(u8);

impl Compartment {
    /// The machine's own.
    pub const OWN: Self = Self(0);

    /// Whether it is the machine's own, or not known to be another.
    pub fn is_own(self) -> bool {
        self.0 == 0
    }
}

/// The compartments that TCP/IP's events name.
#[derive(Debug, Default)]
pub struct Compartments {
    /// Numbers of those beside the machine's own.
    others: Vec<u32>,
    /// Some event named one.
    pub is_told: bool,
    /// There were too many: sockets of further ones count for the machine's own.
    pub overflowed: bool,
}

/// The machine's own compartment, as TCP/IP numbers it. Source: `NET_IF_COMPARTMENT_ID_PRIMARY` of `ifdef.h`.
const PRIMARY: u32 = 1;

/// Whether a compartment, as TCP/IP numbers it, is another than the machine's own; one that is not told is not.
pub fn is_of_container(number: Option<u32>) -> bool {
    number.is_some_and(|number| number != PRIMARY)
}

impl Compartments {
    /// The compartment with this number; 0 stands for none in particular.
    pub fn named(&mut self, number: u32) -> Compartment {
        self.is_told |= number != 0;
        if number <= PRIMARY {
            return Compartment::default();
        }
        let known = self.others.iter().position(|known| *known == number);
        let index = known.or_else(|| {
            self.overflowed |= self.others.len() >= MAX_COMPARTMENTS;
            (self.others.len() < MAX_COMPARTMENTS).then(|| {
                self.others.push(number);
                self.others.len() - 1
            })
        });
        let slot = index.and_then(|index| u8::try_from(index + 1).ok());
        Compartment(slot.unwrap_or(0))
    }

    /// TCP/IP's number of a compartment; `None` where no event names any.
    pub fn number(&self, compartment: Compartment) -> Option<u32> {
        match usize::from(compartment.0).checked_sub(1) {
            None => self.is_told.then_some(PRIMARY),
            Some(index) => self.others.get(index).copied(),
        }
    }

    /// All of them, the machine's own first.
    pub fn all(&self) -> impl Iterator<Item = Compartment> + use<> {
        (0..=u8::try_from(self.others.len()).unwrap_or(0)).map(Compartment)
    }

    /// There are others beside the machine's own.
    #[inline]
    pub fn has_others(&self) -> bool {
        !self.others.is_empty()
    }
}

/// A pool: what is not known is `None`, and counted apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PoolKey {
    /// Protocol.
    pub protocol: Option<Protocol>,
    /// Family.
    pub family: Option<Family>,
    /// Compartment.
    pub compartment: Compartment,
}

impl PoolKey {
    /// A pool whose protocol and family are known.
    pub fn new(protocol: Protocol, family: Family) -> Self {
        Self { protocol: Some(protocol), family: Some(family), compartment: Compartment::default() }
    }

    /// The pool of the same protocol and family in another compartment.
    pub fn within(self, compartment: Compartment) -> Self {
        Self { compartment, ..self }
    }

    /// All of the machine's own compartment: TCP before UDP, IPv4 before IPv6, what is not known last.
    pub fn all() -> [Self; POOLS] {
        let mut all = [Self::default(); POOLS];
        for protocol in [Some(Protocol::Tcp), Some(Protocol::Udp), None] {
            for family in [Some(Family::Ipv4), Some(Family::Ipv6), None] {
                let key = Self { protocol, family, compartment: Compartment::default() };
                if let Some(slot) = all.get_mut(key.kind()) {
                    *slot = key;
                }
            }
        }
        all
    }

    /// Its number among the pools of all compartments.
    #[inline]
    pub fn index(self) -> usize {
        usize::from(self.compartment.0) * POOLS + self.kind()
    }

    /// Its number among the pools of its compartment, below [`POOLS`].
    #[inline]
    pub fn kind(self) -> usize {
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
