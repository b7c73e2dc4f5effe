//! The ports of each pool, and who says so.

use std::str::FromStr;

use serde::Serialize;

use super::pool_key::{POOLS, PoolKey};
use super::seen_ports::SeenPorts;
use crate::side::facts::DynamicPorts;

/// Where the range of a pool is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RangeSource {
    /// A listing of `netsh int ... show dynamicport`.
    DynamicPortFile,
    /// The command line.
    Option,
    /// The running system.
    Live,
    /// Ports that the trace shows to be of the pool, where they refute what else was told.
    Trace,
    /// The default of Windows Vista and later.
    Default,
}

/// The ports of a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolRange {
    /// First port.
    pub start: u16,
    /// Ports.
    pub count: u32,
    /// Who says so.
    pub source: RangeSource,
}

/// 49152 to 65535, the dynamic range of Windows Vista and later unless `netsh` changed it. Source: RFC 6335's dynamic
/// ports; `netsh int ipv4 show dynamicport tcp` on an unchanged system.
pub const DEFAULT_RANGE: PoolRange = PoolRange { start: 49152, count: 16384, source: RangeSource::Default };

impl PoolRange {
    /// Last port.
    pub fn end(self) -> u16 {
        let end = u32::from(self.start).saturating_add(self.count).saturating_sub(1);
        u16::try_from(end).unwrap_or(u16::MAX)
    }

    /// Whether a port lies in it.
    pub fn contains(self, port: u16) -> bool {
        (self.start..=self.end()).contains(&port)
    }
}

impl FromStr for PoolRange {
    type Err = String;

    /// Reads `START:COUNT`, as a user gives it.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "expected START:COUNT, as 49152:16384".to_owned();
        let (start, count) = text.split_once(':').ok_or_else(wrong)?;
        let start: u16 = start.trim().parse().map_err(|_| wrong())?;
        let count: u32 = count.trim().parse().map_err(|_| wrong())?;
        if start == 0 || count == 0 || u64::from(start) + u64::from(count) > 1 << 16 {
            return Err("the ports must lie in 1 to 65535".to_owned());
        }
        Ok(Self { start, count, source: RangeSource::Option })
    }
}

/// So many ports that TCP/IP knows outside of a range that a user gave refute it, if there are more of them than inside: a
/// server listens on fewer.
const REFUTING_PORTS: u32 = 16;

impl PoolRange {
    /// Whether ports given to binds that asked for any, smallest and largest, lie outside of it; or, of one that a user gave,
    /// most ports that TCP/IP knows.
    pub fn is_refuted_by(self, given: Option<(u16, u16)>, seen: Option<&SeenPorts>) -> bool {
        given.is_some_and(|(first, last)| !self.contains(first) || !self.contains(last))
            || (self.source == RangeSource::Option && seen.is_some_and(|seen| self.is_contradicted_by(seen)))
    }

    /// Whether so many of these ports lie outside that they are no server's.
    pub fn is_contradicted_by(self, seen: &SeenPorts) -> bool {
        let outside = seen.outside(self);
        outside >= REFUTING_PORTS && outside > seen.inside(self)
    }

    /// This range, or where known ports refute it, the default if it holds all of them, else from the first to the last.
    #[must_use]
    pub fn unless_refuted(self, given: Option<(u16, u16)>, seen: Option<&SeenPorts>) -> Self {
        if !self.is_refuted_by(given, seen) {
            return self;
        }
        let seen = seen.filter(|_| self.source == RangeSource::Option).and_then(|seen| seen.span_outside(self));
        let Some((first, last)) = joined_ports(given, seen) else { return self };
        if DEFAULT_RANGE.contains(first) && self.source != RangeSource::Default {
            return Self { source: RangeSource::Trace, ..DEFAULT_RANGE };
        }
        Self { start: first, count: u32::from(last - first) + 1, source: RangeSource::Trace }
    }
}

fn joined_ports(one: Option<(u16, u16)>, other: Option<(u16, u16)>) -> Option<(u16, u16)> {
    match (one, other) {
        (Some((first, last)), Some((start, end))) => Some((first.min(start), last.max(end))),
        (one, other) => one.or(other),
    }
}

/// The ranges of all pools.
#[derive(Debug, Clone, Copy)]
pub struct PoolRanges([PoolRange; POOLS]);

impl Default for PoolRanges {
    fn default() -> Self {
        Self([DEFAULT_RANGE; POOLS])
    }
}

impl PoolRanges {
    /// The option goes before listings, listings before the default. A listing that does not tell its family stands for
    /// both, where no other tells.
    pub fn new(option: Option<PoolRange>, listings: &[DynamicPorts]) -> Self {
        Self::told_by(RangeSource::DynamicPortFile, option, listings)
    }

    /// The same, where the listings are from `source`.
    pub fn told_by(source: RangeSource, option: Option<PoolRange>, listings: &[DynamicPorts]) -> Self {
        let mut ranges = Self::default();
        if let Some(option) = option {
            return Self([option; POOLS]);
        }
        let (vague, exact): (Vec<_>, Vec<_>) = listings.iter().partition(|listing| listing.family.is_none());
        for listing in vague.into_iter().chain(exact) {
            let range = PoolRange { start: listing.start, count: listing.count, source };
            for (key, slot) in PoolKey::all().into_iter().zip(&mut ranges.0) {
                if key.protocol == Some(listing.protocol) && (listing.family.is_none() || listing.family == key.family)
                {
                    *slot = range;
                }
            }
        }
        ranges.fill_unknown();
        ranges
    }

    /// A pool of which protocol or family is not known has the range that all of those have which it may be of.
    fn fill_unknown(&mut self) {
        for unknown in PoolKey::all().into_iter().filter(|key| key.protocol.is_none() || key.family.is_none()) {
            let may_be = |key: &PoolKey| {
                let is_known = key.protocol.is_some() && key.family.is_some();
                is_known
                    && unknown.protocol.is_none_or(|protocol| key.protocol == Some(protocol))
                    && unknown.family.is_none_or(|family| key.family == Some(family))
            };
            let mut all = PoolKey::all().into_iter().filter(may_be).map(|key| self.of(key));
            let Some(first) = all.next() else { continue };
            let is_one = all.all(|range| (range.start, range.count) == (first.start, first.count));
            if let Some(slot) = self.0.get_mut(unknown.kind()).filter(|_| is_one) {
                *slot = first;
            }
        }
    }

    /// The range of a pool.
    pub fn of(&self, key: PoolKey) -> PoolRange {
        self.0.get(key.kind()).copied().unwrap_or(DEFAULT_RANGE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{Family, Protocol};

    #[test]
    fn the_option_goes_before_listings_and_a_vague_listing_stands_for_both_families() {
        let tcp = |family, start, count| DynamicPorts { source: 0, protocol: Protocol::Tcp, family, start, count };
        let listings = [tcp(Some(Family::Ipv6), 2000, 300), tcp(None, 1025, 255)];
        let ranges = PoolRanges::new(None, &listings);
        let of = |protocol, family| {
            let range = ranges.of(PoolKey::new(protocol, family));
            (range.start, range.end(), range.source)
        };
        assert_eq!(of(Protocol::Tcp, Family::Ipv4), (1025, 1279, RangeSource::DynamicPortFile));
        assert_eq!(of(Protocol::Tcp, Family::Ipv6), (2000, 2299, RangeSource::DynamicPortFile));
        assert_eq!(of(Protocol::Udp, Family::Ipv4), (49152, 65535, RangeSource::Default));
        let unknown = |ranges: &PoolRanges, protocol, family| {
            let range = ranges.of(PoolKey { protocol, family, ..PoolKey::default() });
            (range.start, range.count)
        };
        assert_eq!(unknown(&ranges, None, Some(Family::Ipv4)), (49152, 16_384));
        let udp = DynamicPorts { protocol: Protocol::Udp, ..tcp(Some(Family::Ipv4), 1025, 255) };
        let ranges = PoolRanges::new(None, &[tcp(None, 1025, 255), udp]);
        assert_eq!(unknown(&ranges, None, Some(Family::Ipv4)), (1025, 255));
        assert_eq!(unknown(&ranges, None, Some(Family::Ipv6)), (49152, 16_384));
        assert_eq!(unknown(&ranges, Some(Protocol::Tcp), None), (1025, 255));
        assert_eq!(unknown(&ranges, None, None), (49152, 16_384));
        let option = PoolRange { start: 10_000, count: 55_535, source: RangeSource::Option };
        let ranges = PoolRanges::new(Some(option), &listings);
        assert_eq!(ranges.of(PoolKey::new(Protocol::Tcp, Family::Ipv6)), option);
        assert!(option.contains(65_534) && !option.contains(65_535));
    }
}
