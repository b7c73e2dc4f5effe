//! What recommendations are drawn from.

use crate::diagnosis::grounds::Grounds;
use crate::diagnosis::holders::{Holder, Pattern};
use crate::diagnosis::pools::PoolFinding;
use crate::diagnosis::state::State;
use crate::diagnosis::unexplained::{UnexplainedRow, largest_share};
use crate::side::facts::ExcludedPorts;

/// A holder as recommendations speak of it.
#[derive(Debug, Clone)]
pub struct NamedHolder<'a> {
    /// The holder.
    pub holder: &'a Holder,
    /// `name.exe (PID 7312)`.
    pub label: String,
    /// Image name, in lower case; empty where it is not known.
    pub image: String,
    /// PID.
    pub pid: Option<u32>,
    /// Services in it.
    pub services: &'a [String],
    /// The service that owns nearly all of its sockets.
    pub service: Option<&'a str>,
}

impl NamedHolder<'_> {
    /// System and Idle stand for the kernel: they are not to be restarted, nor blamed as an application.
    pub fn is_kernel(&self) -> bool {
        self.pid.map_or(self.image.is_empty(), crate::machine::owner::is_kernel)
    }
}

/// What recommendations are drawn from.
#[derive(Debug)]
pub struct Situation<'a> {
    /// The verdict's state.
    pub state: State,
    /// The input of each trace, as the user named it.
    pub inputs: Vec<&'a str>,
    /// AFD bind events seen.
    pub bind_records: u64,
    /// Pools.
    pub pools: &'a [PoolFinding],
    /// Holders of the pools that are full or nearly full, most ports first.
    pub holders: Vec<NamedHolder<'a>>,
    /// Excluded ranges.
    pub excluded: &'a [ExcludedPorts],
    /// A listing of sockets is there.
    pub has_listing: bool,
    /// Excluded ranges are there.
    pub has_excluded: bool,
    /// An event log is there.
    pub has_event_log: bool,
    /// Ports of a full pool that nothing explains, as a part of it from 0 to 1.
    pub unexplained_share: f64,
}

impl<'a> Situation<'a> {
    /// Gathers it, for a case whose state is this and of whose full pools so much is unexplained.
    pub(in crate::diagnosis) fn gather(
        grounds: &Grounds<'a>,
        state: State,
        unexplained: Option<&[UnexplainedRow]>,
    ) -> Self {
        let Grounds { traces, side, conclusion, rows, .. } = *grounds;
        let matters = |pool: usize| conclusion.pools.get(pool).is_some_and(|pool| pool.state.is_some());
        let holders = conclusion
            .holders
            .iter()
            .filter(|holder| matters(holder.pool) || holder.pattern == Some(Pattern::Reservation))
            .filter_map(|holder| {
                let row = rows.rows.get(*rows.index.get(&holder.subject)?)?;
                Some(NamedHolder {
                    holder,
                    label: rows.label(holder.subject).unwrap_or_else(|| "a process that nothing tells".to_owned()),
                    image: row.image.as_deref().unwrap_or("").to_lowercase(),
                    pid: row.pid,
                    services: &row.services,
                    service: row.socket_service.as_deref(),
                })
            })
            .collect();
        Self {
            state,
            inputs: traces.iter().filter(|trace| trace.is_file).map(|trace| trace.input.as_str()).collect(),
            bind_records: traces.iter().map(|trace| trace.coverage.bind_records).sum(),
            pools: &conclusion.pools,
            holders,
            excluded: &side.excluded_ports,
            has_listing: !side.listings.is_empty(),
            has_excluded: grounds.has_excluded_listing(),
            has_event_log: grounds.has_event_log(),
            unexplained_share: largest_share(conclusion, unexplained),
        }
    }
}
