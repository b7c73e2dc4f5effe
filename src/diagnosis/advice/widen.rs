//! The range of the pool: what was narrowed, what reserves parts of it, a wider one, and a second one for sockets that share
//! ports.

use super::situation::Accused;
use super::{Recommendation, Situation, unchanging};
use crate::diagnosis::codes::RecommendationCode;
use crate::diagnosis::holders::{Pattern, excluded_in};
use crate::diagnosis::pools::PoolFinding;
use crate::machine::ranges::{DEFAULT_RANGE, PoolRange, RangeSource};
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
/// Where HNS or WinNAT reserve blocks of the dynamic range, they would take ports of services from a range that starts low; one
/// from here on is what AKS sets on its Windows nodes.
const START_BESIDE_HNS: u16 = 33_000;

/// Who reserves, by the size of the blocks.
pub(super) const WHO_RESERVES: &str = "Blocks of 100 ports usually belong to WinNAT (Hyper-V, containers, WSL), blocks of 64 to the load balancer of HNS (Kubernetes), and 50000-50059 with a star to HNS itself. Any other star marks a range of an administrator";

/// Whether listings show ranges as HNS and WinNAT reserve them: two blocks of 100 or 64 ports that no administrator set, or
/// HNS's own 50000 to 50059.
pub(super) fn has_hns_blocks(excluded: &[ExcludedPorts]) -> bool {
    let size = |ports: &ExcludedPorts| u32::from(ports.end.saturating_sub(ports.start)) + 1;
    let blocks = |wanted: u32| excluded.iter().filter(|ports| !ports.administered && size(ports) == wanted).count();
    let is_own = |ports: &ExcludedPorts| (ports.start, ports.end, ports.administered) == (50_000, 50_059, true);
    blocks(100) >= 2 || blocks(64) >= 2 || excluded.iter().any(is_own)
}

/// The default range again, where the server has a smaller one.
pub(super) fn restore(pool: &PoolFinding) -> Option<Recommendation> {
    if !pool.is_narrowed() {
        return None;
    }
    let (protocol, family) = (pool.key.protocol?, pool.key.family?);
    let default = DEFAULT_RANGE;
    Some(Recommendation {
        code: RecommendationCode::RestoreRange,
        text: format!(
            "restore the pool of {} first: somebody narrowed it to {} ports; the default is {}–{} ({} ports). The change acts at once{}",
            pool.name(),
            grouped(pool.range.count.into()),
            default.start,
            default.end(),
            grouped(default.count.into()),
            where_to_set(pool)
        ),
        commands: vec![set_command(protocol, family, default.start, default.count)],
        changes_state: true,
        undo: is_settable(pool.range).then(|| set_command(protocol, family, pool.range.start, pool.range.count)),
    })
}

/// A container has pools of its own.
fn where_to_set(pool: &PoolFinding) -> &'static str {
    if pool.is_of_container() {
        ". Give the command inside of the container: outside of it, it changes the pool of the server alone"
    } else {
        ""
    }
}

fn set_command(protocol: Protocol, family: Family, start: u16, count: u32) -> String {
    let (family, protocol) = (family_word(family), protocol_word(protocol));
    format!("netsh int {family} set dynamicport {protocol} start={start} num={count}")
}

/// Whether netsh would set this range.
fn is_settable(range: PoolRange) -> bool {
    range.start >= MIN_START && range.count >= MIN_COUNT
}

/// From this part of a pool on (one in ten) it is worth knowing who reserved it.
const RESERVED_SHARE: u32 = 10;

/// How to look who has reserved a part of the pool, and whether that part is most of a full pool.
pub(super) fn reservations(situation: &Situation<'_>) -> (Option<Recommendation>, bool) {
    let is_most = |pool: &PoolFinding| pool.state.is_some() && pool.set_aside.saturating_mul(2) >= pool.range.count;
    (reservations_step(situation), situation.pools.iter().any(is_most))
}

fn reservations_step(situation: &Situation<'_>) -> Option<Recommendation> {
    let is_cut =
        |pool: &&PoolFinding| pool.state.is_some() && pool.set_aside.saturating_mul(RESERVED_SHARE) >= pool.range.count;
    let holder = &situation.reserved_by;
    let pool = situation.pools.iter().find(is_cut);
    if holder.is_none() && pool.is_none() {
        return None;
    }
    let protocol = pool.and_then(|pool| pool.key.protocol).map_or("tcp", protocol_word);
    let family = pool.and_then(|pool| pool.key.family).map_or("ipv4", family_word);
    let what = match holder {
        Some(label) => format!("{label} reserved part of the pool"),
        None => "a part of the pool is excluded or reserved, so Windows gives it to nobody".to_owned(),
    };
    let text = format!("see which ranges are reserved: {what}. {WHO_RESERVES}");
    let commands = [
        format!("netsh int {family} show excludedportrange protocol={protocol}"),
        format!("netsh int {family} show excludedportrange protocol={protocol} store=persistent"),
        "sc.exe query winnat".to_owned(),
        "sc.exe query hns".to_owned(),
    ];
    Some(Recommendation { commands: commands.to_vec(), ..unchanging(RecommendationCode::Reservations, &text, &[]) })
}

/// From this build on (Windows 10, Server 2016) the options that let outbound connections share ports are built in. Source:
/// Microsoft's page on SO_REUSE_UNICASTPORT.
const AUTO_REUSE_BUILD: u32 = 10_240;

/// The range proposed for sockets that share ports: below the default pool, which it must not overlap.
const AUTO_REUSE_RANGE: (u16, u32) = (32_768, 16_384);

/// Outbound connections that share ports, where the holder connects to different addresses and the server knows the option.
pub(super) fn auto_reuse(situation: &Situation<'_>) -> Option<Recommendation> {
    let Accused::Holder(named) = &situation.accused else { return None };
    let pool = situation.pools.get(named.holder.pool)?;
    let is_outbound = matches!(named.holder.pattern, Some(Pattern::Load | Pattern::Churn));
    let is_supported = situation.os_build.is_some_and(|build| build >= AUTO_REUSE_BUILD);
    let fits = pool.key.protocol == Some(Protocol::Tcp) && pool.state.is_some() && is_outbound && is_supported;
    if !fits || !named.who.goes_to_many {
        return None;
    }
    let (start, count) = AUTO_REUSE_RANGE;
    let look = "powershell -c \"Get-NetTCPSetting | Format-Table SettingName,DynamicPortRange*,AutoReusePortRange*\"";
    let text = format!(
        "let outbound connections share ports: {} connects to different addresses, so that one port can serve several of them. A program gains where it connects without bind, or sets SO_REUSE_UNICASTPORT (.NET 6 and later do; .NET Framework: ServicePointManager.ReusePort). The commands show the present range (0 means off) and set {start}-{}, where no service may have a port. A restart of the server may be needed",
        named.who.label,
        u32::from(start) + count - 1,
    );
    let set = |start: u16, count: u32| {
        format!(
            "powershell -c \"Set-NetTCPSetting -SettingName InternetCustom -AutoReusePortRangeStartPort {start} -AutoReusePortRangeNumberOfPorts {count}\""
        )
    };
    let is_free = pool.range.start >= DEFAULT_RANGE.start && !situation.has_excluded_in(pool.key, start, count);
    let mut step = unchanging(RecommendationCode::SharePorts, &text, &[look]);
    if is_free {
        step.commands.push(set(start, count));
        (step.changes_state, step.undo) = (true, Some(set(0, 0)));
    }
    Some(step)
}

/// A wider range that netsh accepts and that no excluded range cuts, from `usual` on or, where there is none, from lower down;
/// `None` where there is none at all.
fn wider_range(range: PoolRange, excluded: &[ExcludedPorts], pool: &PoolFinding, usual: u16) -> Option<PoolRange> {
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
    largest_from(usual).and_then(fits).or_else(|| largest_from(MIN_START).and_then(fits))
}

pub(super) fn widen(pool: &PoolFinding, situation: &Situation<'_>) -> Option<Recommendation> {
    let (protocol, family) = (pool.key.protocol?, pool.key.family?);
    // Where the range is not what it is taken to be, another may be narrower; what was narrowed is restored.
    // A pool that had ports for others, or all the time but once, need not be larger.
    if pool.others_served.is_some() || pool.had_ports_around() {
        return None;
    }
    if pool.local_address.is_some() || pool.wider().is_some() || pool.is_narrowed() {
        return None;
    }
    let usual = if situation.has_hns { START_BESIDE_HNS } else { USUAL_START };
    let Some(wider) = wider_range(pool.range, situation.excluded, pool, usual) else {
        let text =
            format!("the pool of {} cannot be widened: every longer range has excluded ports in it", pool.name());
        return Some(unchanging(RecommendationCode::CannotWiden, &text, &[]));
    };
    let assumed = if matches!(pool.range.source, RangeSource::DynamicPortFile | RangeSource::Live) {
        ""
    } else {
        ". No listing shows the old range: look it up first, so that you can undo this"
    };
    let beside_hns = if !situation.has_hns {
        ""
    } else if wider.start < START_BESIDE_HNS {
        ". Careful: HNS or WinNAT reserve blocks here, and a range that starts low lets them take the ports of services"
    } else {
        ". It starts high because HNS or WinNAT reserve blocks here, and would take the ports of services from a range that starts low. They see the new range after a restart"
    };
    Some(Recommendation {
        code: RecommendationCode::WidenPool,
        text: format!(
            "buy time: widen the pool of {} from {} to {} ports{beside_hns}{assumed}{}",
            pool.name(),
            grouped(pool.range.count.into()),
            grouped(wider.count.into()),
            where_to_set(pool)
        ),
        commands: vec![set_command(protocol, family, wider.start, wider.count)],
        changes_state: true,
        undo: is_settable(pool.range).then(|| set_command(protocol, family, pool.range.start, pool.range.count)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::state::State;
    use crate::machine::pool_key::PoolKey;

    fn pool(start: u16, count: u32, source: RangeSource) -> PoolFinding {
        let key = PoolKey::new(Protocol::Tcp, Family::Ipv4);
        let empty = PoolFinding::new(key, PoolRange { start, count, source });
        PoolFinding { failures: (1, 0), state: Some(State::Exhausted), ..empty }
    }

    fn situation<'a>(excluded: &'a [ExcludedPorts]) -> Situation<'a> {
        Situation {
            state: State::Exhausted,
            inputs: Vec::new(),
            has_trace: true,
            bind_records: 1,
            pools: &[],
            accused: Accused::Nobody,
            others: Vec::new(),
            pool: None,
            reserved_by: None,
            excluded,
            has_listing: false,
            has_only_half_listings: false,
            has_tasks: false,
            has_excluded: true,
            has_event_log: false,
            has_hns: has_hns_blocks(excluded),
            is_room_made: false,
            os_build: Some(20348),
            logged_before: false,
            unexplained_share: 0.0,
        }
    }

    fn excluded(start: u16, end: u16) -> ExcludedPorts {
        let (protocol, family) = (Protocol::Tcp, Some(Family::Ipv4));
        ExcludedPorts { source: 0, protocol, family, start, end, administered: false }
    }

    #[test]
    fn the_default_range_is_widened_to_what_is_usual() {
        let full = pool(49152, 16384, RangeSource::Default);
        let advice = widen(&full, &situation(&[])).unwrap();
        assert_eq!(advice.commands, ["netsh int ipv4 set dynamicport tcp start=10000 num=55536"]);
        assert_eq!(advice.undo.as_deref(), Some("netsh int ipv4 set dynamicport tcp start=49152 num=16384"));
        assert!(advice.text.contains("No listing shows the old range"));
    }

    #[test]
    fn excluded_ranges_are_not_overlapped_and_the_old_numbers_undo_it() {
        let full = pool(40_000, 20_000, RangeSource::DynamicPortFile);
        let ranges = [excluded(40_000, 40_099), excluded(12_000, 12_000)];
        let advice = widen(&full, &situation(&ranges)).unwrap();
        assert_eq!(advice.commands, ["netsh int ipv4 set dynamicport tcp start=12001 num=27999"]);
        assert_eq!(advice.undo.as_deref(), Some("netsh int ipv4 set dynamicport tcp start=40000 num=20000"));
        assert!(advice.changes_state);
    }

    #[test]
    fn what_cannot_be_widened_is_said() {
        let full = pool(1025, 64_511, RangeSource::DynamicPortFile);
        let advice = widen(&full, &situation(&[])).unwrap();
        assert_eq!(
            (advice.code, advice.commands.len(), advice.changes_state),
            (RecommendationCode::CannotWiden, 0, false)
        );
        let wide = pool(10_000, 55_535, RangeSource::DynamicPortFile);
        let wider = wider_range(wide.range, &[excluded(20_000, 20_000)], &wide, USUAL_START);
        assert_eq!(wider, None, "every longer range would hold the excluded port");
    }

    #[test]
    fn what_was_narrowed_is_restored_and_not_widened() {
        let narrow = pool(50_000, 255, RangeSource::DynamicPortFile);
        let step = restore(&narrow).unwrap();
        assert_eq!(step.commands, ["netsh int ipv4 set dynamicport tcp start=49152 num=16384"]);
        assert_eq!(step.undo.as_deref(), Some("netsh int ipv4 set dynamicport tcp start=50000 num=255"));
        assert_eq!(widen(&narrow, &situation(&[])), None);
        assert_eq!(restore(&pool(10_000, 16_384, RangeSource::DynamicPortFile)), None);
        assert_eq!(restore(&pool(49_152, 16_384, RangeSource::Default)), None);
    }

    #[test]
    fn beside_blocks_of_hns_a_wider_range_starts_high() {
        let full = pool(49_152, 16_384, RangeSource::DynamicPortFile);
        let blocks = [excluded(1500, 1599), excluded(1600, 1699)];
        let step = widen(&full, &situation(&blocks)).unwrap();
        assert_eq!(step.commands, ["netsh int ipv4 set dynamicport tcp start=33000 num=32536"]);
        assert!(step.text.contains("HNS or WinNAT"), "{}", step.text);
        let own = [ExcludedPorts { administered: true, ..excluded(50_000, 50_059) }];
        assert!(widen(&full, &situation(&own)).unwrap().text.contains("HNS or WinNAT"), "HNS's own range tells it too");
        let large = pool(20_000, 40_000, RangeSource::DynamicPortFile);
        let step = widen(&large, &situation(&blocks)).unwrap();
        assert!(step.text.contains("Careful"), "{}", step.text);
        // One block says nothing, nor do those of an administrator.
        assert!(!has_hns_blocks(&blocks[..1]));
        assert!(!has_hns_blocks(&blocks.map(|ports| ExcludedPorts { administered: true, ..ports })));
    }
}
