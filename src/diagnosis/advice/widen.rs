//! A wider range of ports.

use super::{Recommendation, unchanging};
use crate::diagnosis::codes::RecommendationCode;
use crate::diagnosis::holders::excluded_in;
use crate::diagnosis::pools::PoolFinding;
use crate::machine::ranges::{PoolRange, RangeSource};
use crate::net::{Family, Protocol};
use crate::side::facts::ExcludedPorts;
use crate::words::grouped;

/// `ipv4` as netsh names it.
pub(super) fn family_word(family: Family) -> &'static str {
    match family {
        Family::Ipv4 => "ipv4",
        Family::Ipv6 => "ipv6",
    }
}

pub(super) fn protocol_word(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
    }
}

/// Limits of `netsh int ipv4 set dynamicport`. Source: Microsoft's page on port exhaustion.
const MIN_START: u16 = 1025;
const MIN_COUNT: u32 = 255;
/// Below this, ports of services are likely; a wider range begins here where it can.
const USUAL_START: u16 = 10_000;

/// A wider range that netsh accepts and that no excluded range cuts; `None` where there is none.
fn wider_range(range: PoolRange, excluded: &[ExcludedPorts], pool: &PoolFinding) -> Option<PoolRange> {
    let largest_from = |lowest: u16| {
        let all = PoolRange { start: lowest, count: (1 << 16) - u32::from(lowest), source: RangeSource::Default };
        let taken = excluded_in(excluded, pool.key, all);
        let mut best: Option<(u16, u32)> = None;
        let mut start = u32::from(lowest);
        for blocked in taken.into_iter().map(u32::from).chain([1 << 16]) {
            let count = blocked.saturating_sub(start);
            if best.is_none_or(|(_, known)| count > known) {
                best = u16::try_from(start).ok().map(|start| (start, count));
            }
            start = blocked + 1;
        }
        best.filter(|(start, count)| *start >= MIN_START && *count >= MIN_COUNT)
    };
    let fits = |(start, count): (u16, u32)| {
        (count > range.count).then_some(PoolRange { start, count, source: RangeSource::Default })
    };
    largest_from(USUAL_START).and_then(fits).or_else(|| largest_from(MIN_START).and_then(fits))
}

pub(super) fn widen(pool: &PoolFinding, excluded: &[ExcludedPorts]) -> Option<Recommendation> {
    let (protocol, family) = (pool.key.protocol?, pool.key.family?);
    let set = |start: u16, count: u32| {
        let (family, protocol) = (family_word(family), protocol_word(protocol));
        format!("netsh int {family} set dynamicport {protocol} start={start} num={count}")
    };
    // Where the range is not what it is taken to be, another may be narrower.
    if pool.local_address.is_some() || pool.wider().is_some() {
        return None;
    }
    let Some(wider) = wider_range(pool.range, excluded, pool) else {
        let text = format!(
            "the pool of {} cannot be widened: no longer range without excluded ports is left",
            pool.key.name()
        );
        return Some(unchanging(RecommendationCode::CannotWiden, &text, &[]));
    };
    let is_settable = pool.range.start >= MIN_START && pool.range.count >= MIN_COUNT;
    let assumed = if matches!(pool.range.source, RangeSource::DynamicPortFile | RangeSource::Live) {
        ""
    } else {
        " (the old range is not known from the server: look it up first, to undo it)"
    };
    Some(Recommendation {
        code: RecommendationCode::WidenPool,
        text: format!(
            "buy time: widen the pool of {} from {} to {} ports{assumed}",
            pool.key.name(),
            grouped(pool.range.count.into()),
            grouped(wider.count.into())
        ),
        commands: vec![set(wider.start, wider.count)],
        changes_state: true,
        undo: is_settable.then(|| set(pool.range.start, pool.range.count)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::state::State;
    use crate::machine::pool_key::PoolKey;

    fn pool(start: u16, count: u32, source: RangeSource) -> PoolFinding {
        let range = PoolRange { start, count, source };
        let finding = PoolFinding::new(PoolKey::new(Protocol::Tcp, Family::Ipv4), range);
        PoolFinding { failures: (1, 0), state: Some(State::Exhausted), ..finding }
    }

    fn excluded(start: u16, end: u16) -> ExcludedPorts {
        let (protocol, family) = (Protocol::Tcp, Some(Family::Ipv4));
        ExcludedPorts { source: 0, protocol, family, start, end, administered: false }
    }

    #[test]
    fn the_default_range_is_widened_to_what_is_usual() {
        let full = pool(49152, 16384, RangeSource::Default);
        let advice = widen(&full, &[]).unwrap();
        assert_eq!(advice.commands, ["netsh int ipv4 set dynamicport tcp start=10000 num=55536"]);
        assert_eq!(advice.undo.as_deref(), Some("netsh int ipv4 set dynamicport tcp start=49152 num=16384"));
        assert!(advice.text.contains("not known from the server"));
    }

    #[test]
    fn excluded_ranges_are_not_overlapped_and_the_old_numbers_undo_it() {
        let full = pool(50_000, 255, RangeSource::DynamicPortFile);
        let ranges = [excluded(40_000, 40_099), excluded(12_000, 12_000)];
        let advice = widen(&full, &ranges).unwrap();
        assert_eq!(advice.commands, ["netsh int ipv4 set dynamicport tcp start=12001 num=27999"]);
        assert_eq!(advice.undo.as_deref(), Some("netsh int ipv4 set dynamicport tcp start=50000 num=255"));
        assert!(advice.changes_state);
    }

    #[test]
    fn what_cannot_be_widened_is_said() {
        let full = pool(1025, 64_511, RangeSource::DynamicPortFile);
        let advice = widen(&full, &[]).unwrap();
        assert_eq!(
            (advice.code, advice.commands.len(), advice.changes_state),
            (RecommendationCode::CannotWiden, 0, false)
        );
        let wide = pool(10_000, 55_535, RangeSource::DynamicPortFile);
        let wider = wider_range(wide.range, &[excluded(20_000, 20_000)], &wide);
        assert_eq!(wider, None, "every longer range would hold the excluded port");
    }
}
