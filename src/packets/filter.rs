//! Which packets and failures are wanted.

use std::net::IpAddr;

use super::owner::Found;
use crate::events::{RecordOwner, is_called};
use crate::machine::window::Window;
use crate::providers::packets::frame::Headers;
use crate::time::FileTime;

/// Which packets and failures are wanted. The default: all.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Within this time.
    pub window: Window,
    /// Of one of these owners, or of those that `processes` name; any where both are empty.
    pub pids: Vec<u32>,
    /// Of owners with one of these image names, in any case, with or without `.exe`.
    pub processes: Vec<String>,
    /// Packets with one of these ports at either end; any where empty.
    pub ports: Vec<u16>,
    /// Packets with one of these addresses at either end; any where empty.
    pub hosts: Vec<IpAddr>,
    /// No further away than this from a failure that is wanted, in 100 ns.
    pub failures_around: Option<i64>,
    /// Packets of PktMon at each component that they pass, and not only at the first.
    pub all_components: bool,
}

impl Filter {
    /// Whether anything is left out.
    pub fn narrows(&self) -> bool {
        let has_lists = [self.pids.is_empty(), self.processes.is_empty(), self.ports.is_empty(), self.hosts.is_empty()]
            .contains(&false);
        has_lists || !self.window.is_open() || self.failures_around.is_some()
    }

    pub(super) fn admits_time(&self, time: FileTime) -> bool {
        self.window.contains(time)
    }

    pub(super) fn admits_headers(&self, headers: &Headers) -> bool {
        let (ports, hosts) = (&self.ports, &self.hosts);
        if !ports.is_empty() {
            let Some((_, source, destination)) = headers.flow() else { return false };
            if !ports.contains(&source.port) && !ports.contains(&destination.port) {
                return false;
            }
        }
        let is_one = |ip: IpAddr| hosts.contains(&ip.to_canonical());
        hosts.is_empty() || headers.ip.as_ref().is_some_and(|ip| is_one(ip.source) || is_one(ip.destination))
    }

    pub(super) fn admits_owner(&self, owner: &RecordOwner<'_>) -> bool {
        if self.pids.is_empty() && self.processes.is_empty() {
            return true;
        }
        owner.pid.is_some_and(|pid| self.pids.contains(&pid))
            || owner.image.is_some_and(|image| self.processes.iter().any(|name| is_called(image, name)))
    }

    pub(super) fn admits(&self, found: Found<'_>) -> bool {
        match found {
            Found::Process(process) => self.admits_owner(&process.owner),
            Found::Nobody(_) => self.admits_owner(&RecordOwner::UNKNOWN),
        }
    }
}

/// The spans of time around moments, which must come in order: those that touch as one.
pub(super) fn around(moments: impl Iterator<Item = FileTime>, within: i64) -> Vec<(FileTime, FileTime)> {
    let mut spans: Vec<(FileTime, FileTime)> = Vec::new();
    for moment in moments {
        let (start, end) = (FileTime(moment.0.saturating_sub(within)), FileTime(moment.0.saturating_add(within)));
        match spans.last_mut() {
            Some(last) if start <= last.1 => last.1 = last.1.max(end),
            _ => spans.push((start, end)),
        }
    }
    spans
}

/// Whether a time lies in one of these spans.
pub(super) fn is_within(spans: &[(FileTime, FileTime)], time: FileTime) -> bool {
    let behind = spans.partition_point(|(start, _)| *start <= time);
    behind.checked_sub(1).and_then(|last| spans.get(last)).is_some_and(|(_, end)| time <= *end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_around_moments_are_joined_where_they_touch() {
        let at = FileTime;
        let spans = around([100, 110, 200].map(at).into_iter(), 10);
        assert_eq!(spans, [(at(90), at(120)), (at(190), at(210))]);
        let inside = [89, 90, 120, 121, 189, 210, 211].map(|time| is_within(&spans, at(time)));
        assert_eq!(inside, [false, true, true, false, false, true, false]);
        assert!(!is_within(&[], at(5)));
    }
}
