//! Dynamic ranges of which most is excluded, as listings say.

use std::collections::BTreeSet;

use super::{DynamicRow, ExcludedRow};
use crate::machine::ranges::{DEFAULT_RANGE, PoolRange, RangeSource};
use crate::net::{Family, Protocol};
use crate::words::{counted, grouped};

/// A sentence for each range of which at least half is excluded.
pub(super) fn most(ranges: &[DynamicRow], excluded: &[ExcludedRow]) -> Vec<String> {
    let pools: BTreeSet<(Protocol, Option<Family>)> = excluded.iter().map(|row| (row.protocol, row.family)).collect();
    pools.into_iter().filter_map(|(protocol, family)| of_pool(ranges, excluded, protocol, family)).collect()
}

fn of_pool(
    ranges: &[DynamicRow],
    excluded: &[ExcludedRow],
    protocol: Protocol,
    family: Option<Family>,
) -> Option<String> {
    let is_of = |one: Protocol, other: Option<Family>| {
        one == protocol && (other.is_none() || family.is_none() || other == family)
    };
    let told: BTreeSet<(u16, u32)> =
        ranges.iter().filter(|row| is_of(row.protocol, row.family)).map(|row| (row.start, row.count)).collect();
    let mut told = told.into_iter();
    let range = match (told.next(), told.next()) {
        (None, _) => DEFAULT_RANGE,
        (Some((start, count)), None) => PoolRange { start, count, source: RangeSource::DynamicPortFile },
        // Which of them is in force is not told.
        (Some(_), Some(_)) => return None,
    };
    let mut spans: Vec<(u16, u16)> = excluded
        .iter()
        .filter(|row| is_of(row.protocol, row.family))
        .map(|row| (row.start.max(range.start), row.end.min(range.end())))
        .filter(|(start, end)| start <= end)
        .collect();
    spans.sort_unstable();
    let (mut count, mut next) = (0_u32, u32::from(range.start));
    for (start, end) in spans {
        let (start, end) = (u32::from(start).max(next), u32::from(end) + 1);
        count += end.saturating_sub(start);
        next = next.max(end);
    }
    if u64::from(count) * 2 < u64::from(range.count) || count == 0 {
        return None;
    }
    let of = family
        .map_or_else(|| protocol.name().to_owned(), |family| format!("{} over {}", protocol.name(), family.name()));
    let by = if range.source == RangeSource::Default { ", the default" } else { "" };
    Some(format!(
        "{} of {} of the pool {}–{} of {of}{by} are excluded: Windows gives these to nobody, and {} left.",
        grouped(count.into()),
        counted(range.count.into(), "port"),
        range.start,
        range.end(),
        match range.count.saturating_sub(count) {
            1 => "1 is".to_owned(),
            left => format!("{} are", grouped(left.into())),
        }
    ))
}
