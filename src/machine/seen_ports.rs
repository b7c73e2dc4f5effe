//! Port numbers that have been seen in use, whoever had them.

use super::ranges::PoolRange;

/// A set of port numbers.
#[derive(Debug, Clone, Default)]
pub struct SeenPorts {
    /// A bit for each port; allocated once there is one.
    bits: Vec<u64>,
}

impl SeenPorts {
    /// A port was in use; whether it is new.
    pub(super) fn add(&mut self, port: u16) -> bool {
        if self.bits.is_empty() {
            self.bits = vec![0; 1 << 10];
        }
        let Some(word) = self.bits.get_mut(usize::from(port >> 6)) else { return false };
        let bit = 1 << (port & 63);
        let is_new = *word & bit == 0;
        *word |= bit;
        is_new
    }

    /// Whether a port is in it.
    pub fn contains(&self, port: u16) -> bool {
        self.bits.get(usize::from(port >> 6)).is_some_and(|word| word >> (port & 63) & 1 == 1)
    }

    /// No port is in it.
    pub fn is_empty(&self) -> bool {
        self.bits.is_empty()
    }

    /// All ports, ascending.
    pub fn ports(&self) -> impl Iterator<Item = u16> {
        (0_u16..).zip(&self.bits).filter(|(_, word)| **word != 0).flat_map(|(number, word)| {
            (0..64_u16).filter(move |bit| word >> bit & 1 == 1).map(move |bit| number * 64 + bit)
        })
    }

    /// How many lie outside of a range, those of well-known services (below 1025) left out.
    pub fn outside(&self, range: PoolRange) -> u32 {
        self.outside_ports(range).fold(0, |count, _| count + 1)
    }

    /// How many lie in a range.
    pub fn inside(&self, range: PoolRange) -> u32 {
        self.ports().filter(|port| range.contains(*port)).fold(0, |count, _| count + 1)
    }

    /// The first and the last of those outside.
    pub fn span_outside(&self, range: PoolRange) -> Option<(u16, u16)> {
        let mut ports = self.outside_ports(range);
        let first = ports.next()?;
        Some((first, ports.last().unwrap_or(first)))
    }

    fn outside_ports(&self, range: PoolRange) -> impl Iterator<Item = u16> {
        self.ports().filter(move |port| *port > 1024 && !range.contains(*port))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::ranges::DEFAULT_RANGE;

    #[test]
    fn each_port_is_in_it_once() {
        let mut seen = SeenPorts::default();
        for port in [65_535, 80, 1025, 1025, 49_152, 2000] {
            seen.add(port);
        }
        assert_eq!(seen.ports().collect::<Vec<_>>(), [80, 1025, 2000, 49_152, 65_535]);
        assert_eq!((seen.outside(DEFAULT_RANGE), seen.span_outside(DEFAULT_RANGE)), (2, Some((1025, 2000))));
        assert!(SeenPorts::default().is_empty() && !seen.add(80));
    }
}
