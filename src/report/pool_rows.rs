//! Pools as rows of a report: their ranges, who holds their ports, and at which local addresses.

use serde::Serialize;

use crate::diagnosis::beside::Beside;
use crate::diagnosis::forecast::Forecast;
use crate::diagnosis::holders::{AtRest, HolderEvidence, ListedCourse, Pattern};
use crate::diagnosis::listings::Listed;
use crate::diagnosis::outcome::Look;
use crate::diagnosis::pools::pool_name;
use crate::diagnosis::state::{Confidence, State};
use crate::machine::pool_key::{PoolKey, is_of_container};
use crate::machine::ranges::{PoolRange, RangeSource};
use crate::net::{Family, Protocol};
use crate::time::FileTime;

/// What happened at one local address.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct AddressRow {
    /// Family, where known.
    pub family: Option<Family>,
    /// The address, where known.
    pub local_address: Option<String>,
    /// Protocol, where known.
    pub protocol: Option<Protocol>,
    /// Bind completions with 0xC0000209.
    pub bind_failures: u64,
    /// Sockets that hold a port of their own at the end.
    pub ports_held: u64,
}

/// One pool. All counts of ports are of distinct ports.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PoolRow {
    /// Protocol; `None` where the create event of a socket was not seen.
    pub protocol: Option<Protocol>,
    /// Family, likewise.
    pub family: Option<Family>,
    /// TCP/IP's number of its network compartment; `None` where no event names any.
    pub compartment: Option<u32>,
    /// The local address whose binds alone failed; `None` for all.
    pub local_address: Option<String>,
    /// First port.
    pub start: u16,
    /// Ports, 65,536 at most.
    pub count: u32,
    /// Who told the range.
    pub source: RangeSource,
    /// The range that was told, where known ports refute it.
    pub refuted: Option<RangeRow>,
    /// Ports held at most.
    pub held_peak: u32,
    /// Ports held at the end; at most the peak.
    pub held_end: u32,
    /// Ports in TIME_WAIT at `moment` with the shorter length, by estimate: an upper bound.
    pub time_wait_estimate: u32,
    /// The same with the longer length; not less.
    pub time_wait_estimate_long: u32,
    /// The shorter and the longer length, in seconds.
    pub time_wait_seconds: (i64, i64),
    /// Ports excluded or reserved; at most `count`.
    pub set_aside: u32,
    /// Most ports in use at one moment: held and in TIME_WAIT with the longer length, or listed.
    pub occupied_peak: u32,
    /// Ports that are seen to be used at `moment`; at most `count`.
    pub explained: u32,
    /// Bind completions with 0xC0000209.
    pub bind_failures: u64,
    /// Connect completions with 0xC0000209.
    pub connect_failures: u64,
    /// Requests that TCP/IP itself says it refused.
    pub tcpip_refusals: u64,
    /// Smallest and largest port given to a bind that asked for any.
    pub given: Option<(u16, u16)>,
    /// State, for this pool alone.
    pub state: State,
    /// When holders were counted, UTC: the failure with most ports held, or the peak.
    pub moment: Option<FileTime>,
    /// Ports left at the end of the traces, or by the listings alone, by what is known to be in use then; 0 where it was out of
    /// ports to the end. `None` where much of it is not visible, or events were lost.
    pub left_at_end: Option<u32>,
    /// When it will be full; `None` where it does not fill, or nothing tells well enough.
    pub forecast: Option<Forecast>,
    /// `given`, where it shows that the pool is larger than `start` and `count` say.
    #[serde(skip)]
    pub wider: Option<(u16, u16)>,
    /// Whether its holders are of interest in this case.
    #[serde(skip)]
    pub is_of_interest: bool,
    /// Whether somebody made it smaller than the default.
    #[serde(skip)]
    pub is_narrowed: bool,
    /// Whether a single request failed, and little of it is seen to be used.
    #[serde(skip)]
    pub failed_once: bool,
    /// Ports in TIME_WAIT, as the listing shows that shows most of it in use.
    #[serde(skip)]
    pub listed_time_wait: u32,
    /// Ports of it in use by a listing that shows it with room although it was full.
    #[serde(skip)]
    pub listed_with_room: Option<u32>,
    /// Most ports of it that any listing shows in TIME_WAIT.
    #[serde(skip)]
    pub most_listed_waiting: u32,
    /// Where others were given ports of it all along, whose requests failed: indexes into `processes`.
    #[serde(skip)]
    pub failing_alone: Vec<usize>,
    /// How it is known that its largest holder holds ports; `None` without one.
    #[serde(skip)]
    pub known_by: Option<HolderEvidence>,
}

impl PoolRow {
    /// `TCP over IPv4`, and the local address where it is that alone.
    pub fn name(&self) -> String {
        let key = PoolKey { protocol: self.protocol, family: self.family, ..PoolKey::default() };
        let name = pool_name(key, self.compartment);
        match &self.local_address {
            Some(address) => format!("{name} at {address}"),
            None => name,
        }
    }

    /// Whether it is of another network compartment than the machine's own.
    pub fn is_of_container(&self) -> bool {
        is_of_container(self.compartment)
    }

    /// Last port.
    pub fn end(&self) -> u16 {
        PoolRange { start: self.start, count: self.count, source: self.source }.end()
    }
}

/// A range of ports, and who tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RangeRow {
    /// First port.
    pub start: u16,
    /// Ports.
    pub count: u32,
    /// Who told it.
    pub source: RangeSource,
}

/// A process that holds ports of a pool.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct HolderRow {
    /// Index into `processes`.
    pub process: usize,
    /// Distinct ports, those in TIME_WAIT and reserved ones counted; not 0.
    pub ports: u32,
    /// The same as a part of the pool, from 0 to 1.
    pub share_of_pool: f64,
    /// Index into `pools`.
    pub pool: usize,
    /// How it is known.
    pub evidence: HolderEvidence,
    /// How far to trust it.
    pub confidence: Confidence,
    /// What its use of ports looks like; `None` where it is not told, or of no interest.
    pub pattern: Option<Pattern>,
    /// Of `ports`, those in TIME_WAIT.
    pub time_wait: u32,
    /// Sockets older than the trace that it had closed until then; no event tells whether these had ports.
    pub closed_older: u64,
    /// Whether these are so many that nothing tells whether it leaks.
    #[serde(skip)]
    pub gives_back_older: bool,
    /// Ports of the pool that it had obtained until then.
    pub obtained: u64,
    /// Of these, those that it had given back; what only its end closed is not among them.
    pub released: u64,
    /// Ports held for each minute since its first, or since it began to grow, with one decimal.
    pub growth_per_minute: Option<f64>,
    /// It ended before the trace did.
    pub ended: bool,
    /// Of `ports`, those of connections in CLOSE_WAIT, as TCP/IP or a listing shows: closed there, and not here.
    pub close_wait: u32,
    /// States of its sockets, as a listing shows them, where each has a port of its own.
    #[serde(skip)]
    pub listed: Option<Listed>,
    /// Who else used sockets that it created, most first.
    pub used_by: Vec<UserRow>,
    /// What its use of ports looks like in more detail.
    #[serde(skip)]
    pub look: Look,
    /// When it began to grow, where it had hardly any ports for long before.
    #[serde(skip)]
    pub began: Option<FileTime>,
    /// Its ports in TIME_WAIT are there because it ended.
    #[serde(skip)]
    pub waits_since_its_end: bool,
    /// That it did not grow into the failure, where its pattern does not tell.
    #[serde(skip)]
    pub at_rest: Option<AtRest>,
    /// What several listings show of it, where it grew over them.
    #[serde(skip)]
    pub grew_in_listings: Option<ListedCourse>,
    /// Who is told of beside it, where it is named.
    #[serde(skip)]
    pub beside: Beside,
    /// Ports that a later listing of the same file shows, where these are fewer than half.
    #[serde(skip)]
    pub ports_later: Option<u32>,
}

/// A process that used sockets which another one created: a broker's client, or one that inherited or was given a handle.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct UserRow {
    /// Index into `processes`.
    pub process: usize,
    /// Binds and connects; not 0.
    pub operations: u64,
}

/// Processes of one image that hold ports of a pool together; of svchost.exe those with the same services.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ImageRow {
    /// Base name of the image.
    pub image: String,
    /// Services; of svchost.exe alone.
    pub services: Vec<String>,
    /// Processes that hold some, two at least; they may have ended.
    pub processes: u64,
    /// Ports, those in TIME_WAIT and reserved ones counted; not 0.
    pub ports: u32,
    /// The same as a part of the pool, from 0 to 1.
    pub share_of_pool: f64,
    /// Index into `pools`.
    pub pool: usize,
    /// Bind completions with 0xC0000209 of all processes of this image.
    pub bind_failures: u64,
    /// What their use of ports looks like together; `None` where it is not told, or of no interest.
    pub pattern: Option<Pattern>,
    /// Of `ports`, those in TIME_WAIT.
    pub time_wait: u32,
    /// Indexes into `holders`, most ports first.
    #[serde(skip)]
    pub holders: Vec<usize>,
    /// Who is told of beside it, where it is named.
    #[serde(skip)]
    pub beside: Beside,
}

/// A dynamic port range as a listing tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DynamicRow {
    /// Protocol.
    pub protocol: Protocol,
    /// Family; `None` where the listing does not tell.
    pub family: Option<Family>,
    /// First port.
    pub start: u16,
    /// Ports.
    pub count: u32,
}

/// A port range that is excluded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ExcludedRow {
    /// Protocol.
    pub protocol: Protocol,
    /// Family; `None` where the listing does not tell.
    pub family: Option<Family>,
    /// First port.
    pub start: u16,
    /// Last port.
    pub end: u16,
    /// An administrator excluded it: it is marked by a star in the listing.
    pub administered: bool,
}
