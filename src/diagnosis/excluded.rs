//! Dynamic ranges of which most is excluded, as listings say.

use std::collections::BTreeSet;

use super::holders::ports_of;
use crate::machine::ranges::{DEFAULT_RANGE, PoolRange, RangeSource};
use crate::net::{Family, Protocol};
use crate::side::facts::SideFacts;
use crate::words::{counted, grouped};

/// A range of which at least half is excluded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MostlyExcluded {
    /// Protocol.
    pub protocol: Protocol,
    /// Family; `None` where the listing does not tell.
    pub family: Option<Family>,
    /// The range.
    pub range: PoolRange,
    /// Ports of it that are excluded.
    pub ports: u32,
}

/// The ranges of which at least half is excluded.
pub(super) fn mostly_excluded(side: &SideFacts) -> Vec<MostlyExcluded> {
    let pools: BTreeSet<(Protocol, Option<Family>)> =
        side.excluded_ports.iter().map(|ports| (ports.protocol, ports.family)).collect();
    pools.into_iter().filter_map(|(protocol, family)| of_pool(side, protocol, family)).collect()
}

fn of_pool(side: &SideFacts, protocol: Protocol, family: Option<Family>) -> Option<MostlyExcluded> {
    let is_of = |one: Protocol, other: Option<Family>| {
        one == protocol && (other.is_none() || family.is_none() || other == family)
    };
    let told = side.dynamic_ports.iter().filter(|told| is_of(told.protocol, told.family));
    let told: BTreeSet<(u16, u32)> = told.map(|told| (told.start, told.count)).collect();
    let mut told = told.into_iter();
    let range = match (told.next(), told.next()) {
        (None, _) => DEFAULT_RANGE,
        (Some((start, count)), None) => PoolRange { start, count, source: RangeSource::DynamicPortFile },
        // Which of them is in force is not told.
        (Some(_), Some(_)) => return None,
    };
    let excluded = side.excluded_ports.iter().filter(|ports| is_of(ports.protocol, ports.family));
    let spans = excluded.map(|ports| (ports.start.max(range.start), ports.end.min(range.end()))).collect();
    let ports = u32::try_from(ports_of(spans, range).len()).ok()?;
    (ports > 0 && u64::from(ports) * 2 >= u64::from(range.count)).then_some(MostlyExcluded {
        protocol,
        family,
        range,
        ports,
    })
}

impl MostlyExcluded {
    /// What it is, in a sentence.
    pub fn sentence(&self) -> String {
        let Self { protocol, family, range, ports } = *self;
        let of = family
            .map_or_else(|| protocol.name().to_owned(), |family| format!("{} over {}", protocol.name(), family.name()));
        let by = if range.source == RangeSource::Default { ", the default" } else { "" };
        let left = match range.count.saturating_sub(ports) {
            1 => "1 is".to_owned(),
            left => format!("{} are", grouped(left.into())),
        };
        format!(
            "{} of {} of the pool {}–{} of {of}{by} are excluded: Windows gives these to nobody, and {left} left.",
            grouped(ports.into()),
            counted(range.count.into(), "port"),
            range.start,
            range.end()
        )
    }
}
