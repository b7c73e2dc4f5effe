//! Known causes: what others found behind a shortage of ports that looks like this one. A hint with its source, never the
//! verdict. The entries are data, in `causes`; this file says when one fits.

mod causes;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, SocketAddr};

use serde::Serialize;

use self::causes::CAUSES;
use super::alternatives::Symptoms;
use super::grounds::Grounds;
use super::holders::{Holder, Pattern};
use super::listings::Listed;
use super::naming::ProcessRow;
use super::pools::PoolFinding;
use super::state::State;
use super::system_events::SystemEventRow;
use crate::machine::owner::is_kernel;
use crate::machine::ranges::{DEFAULT_RANGE, RangeSource};
use crate::net::Protocol;
use crate::side::facts::ExcludedPorts;
use crate::time::FileTime;

/// How well a known cause is founded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Trust {
    /// Microsoft documents it.
    Microsoft,
    /// Who makes or maintains the program says so.
    Maintainer,
    /// Users report it.
    User,
}

impl Trust {
    /// In words.
    pub const fn phrase(self) -> &'static str {
        match self {
            Self::Microsoft => "documented by Microsoft",
            Self::Maintainer => "confirmed by its maintainers",
            Self::User => "reported by users",
        }
    }
}

/// A known cause that fits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Known {
    /// Which, as the table has it.
    pub code: &'static str,
    /// Index into the processes; `None` where it is about the machine.
    pub process: Option<usize>,
    /// What others saw, and what helped.
    pub text: String,
    /// How well that is founded.
    pub trust: Trust,
    /// Where it is from: addresses, or names of pages.
    #[serde(serialize_with = "joined")]
    #[cfg_attr(test, schemars(with = "String"))]
    pub source: Vec<&'static str>,
}

/// An entry of the table as it can be read without a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownCause {
    /// Stable.
    pub code: &'static str,
    /// What others saw.
    pub text: &'static str,
    /// What helped.
    pub fix: &'static str,
    /// How well that is founded.
    pub trust: Trust,
    /// Addresses, or names of pages.
    pub sources: &'static [&'static str],
}

/// All entries of the table.
pub fn known_table() -> impl Iterator<Item = KnownCause> {
    CAUSES.iter().map(|cause| KnownCause {
        code: cause.code,
        text: cause.text,
        fix: cause.fix,
        trust: cause.trust,
        sources: cause.sources,
    })
}

/// As one text.
fn joined<S: serde::Serializer>(sources: &[&str], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&sources.join(", "))
}

/// An entry of the table.
#[derive(Debug)]
struct Cause {
    /// Stable.
    code: &'static str,
    /// When it fits: all of them must hold.
    signs: Signs,
    /// What others saw.
    text: &'static str,
    /// What helped.
    fix: &'static str,
    trust: Trust,
    /// Addresses, or names of pages.
    sources: &'static [&'static str],
}

/// When an entry fits. What is left as in [`ANY`] is not asked for.
#[derive(Debug, Clone, Copy)]
struct Signs {
    /// Images in lower case, one of which the process has (or one of `services`); `*` at the end stands for any rest, nothing for
    /// a process without a name.
    images: &'static [&'static str],
    /// Services.
    services: &'static [&'static str],
    /// Protocol of the pool.
    protocol: Option<Protocol>,
    /// What its ports look like: one of these.
    uses: &'static [Use],
    /// Where it connects to.
    remote: Remote,
    /// Of 100 ports of the pool, so many at least.
    least_percent: u32,
    /// Ports at most.
    most_ports: u32,
    /// Builds of Windows, first and last.
    builds: (u32, u32),
    /// Another process of the machine: one of these images.
    beside: &'static [&'static str],
    /// What else must be so on the machine.
    machine: &'static [Sign],
}

/// Asks for nothing.
const ANY: Signs = Signs {
    images: &[],
    services: &[],
    protocol: None,
    uses: &[],
    remote: Remote::Any,
    least_percent: 0,
    most_ports: u32::MAX,
    builds: (0, u32::MAX),
    beside: &[],
    machine: &[],
};

/// What the ports of a process look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    /// Half of them or more are bound alone, in a listing.
    Bound,
    /// Half of them or more are in CLOSE_WAIT.
    CloseWait,
    /// Half of them or more are in TIME_WAIT.
    TimeWait,
    /// Half of them or more are connected, in a listing.
    Connected,
    /// It never gives them back.
    Kept,
}

/// Where a process connects to most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Remote {
    /// Not asked for.
    Any,
    /// One of these ports.
    Ports(&'static [u16]),
    /// The machine itself.
    Loopback,
    /// 100.64.0.0/10, as Tailscale's network has it.
    Tailnet,
    /// One address of another machine, with most of its connects.
    OneElsewhere,
    /// Several addresses.
    Many,
}

/// Something about the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sign {
    /// Two blocks or more of so many ports, reserved and not by an administrator.
    BlocksOf(u32),
    /// So many reserved ranges or more, not by an administrator.
    ManyReservations(usize),
    /// 50000 to 50059 excluded with a star.
    HnsOwnRange,
    /// Any of the signs of HNS.
    Hns,
    /// This port is excluded, alone.
    Excluded(Protocol, u16),
    /// A told range that starts at 1025 or below.
    LowStart,
    /// A told range that is smaller than the default.
    SmallRange,
    /// A told range that is not the default.
    OtherRange,
    /// So many ports of a full pool, a twentieth more or less, are unexplained.
    UnexplainedBlock(u32),
    /// Most of a full UDP pool is unexplained.
    UnexplainedUdpPool,
    /// Binds met a port in use that lies in a pool.
    ConflictInPool,
    /// The pool of one local address alone is full.
    OneAddressFull,
    /// Binds were refused.
    RefusedBinds,
    /// Connects timed out.
    ConnectTimeouts,
    /// Tcpip 4227.
    TupleReuse,
    /// Tcpip 4266.
    UdpPoolFullEvent,
    /// Up for so many days or more.
    UpForDays(i64),
    /// A pool was full or nearly full.
    OutOfPorts,
    /// None was.
    NotOutOfPorts,
    /// A listing of sockets is there.
    Listing,
}

/// A process with ports of a pool, as the table looks at it.
#[derive(Debug, Clone, Default)]
struct Process {
    /// Lower case; empty where not known.
    image: String,
    services: Vec<String>,
    protocol: Option<Protocol>,
    ports: u32,
    percent: u32,
    listed: Option<Listed>,
    /// In CLOSE_WAIT, as TCP/IP's events show.
    close_wait: u32,
    time_wait: u32,
    pattern: Option<Pattern>,
    /// The addresses it connects to, most connects first, with the connects.
    remotes: Vec<(SocketAddr, u64)>,
}

/// The machine, as the table looks at it.
#[derive(Debug, Clone, Default)]
struct Machine {
    build: Option<u32>,
    uptime_100ns: Option<i64>,
    /// Images that run, in lower case.
    images: Vec<String>,
    excluded: Vec<ExcludedPorts>,
    /// Start and length of the ranges that are told.
    ranges: Vec<(u16, u32)>,
    /// Protocol, unexplained ports and size of each full pool.
    unexplained: Vec<(Option<Protocol>, u32, u32)>,
    has_hns: bool,
    is_one_address: bool,
    conflict_in_pool: bool,
    refused_binds: u64,
    connect_timeouts: u64,
    tuple_reuse: u64,
    udp_pool_full: u64,
    is_out_of_ports: bool,
    has_listing: bool,
}

impl Signs {
    /// Whether it is about a process.
    fn is_of_process(&self) -> bool {
        !self.images.is_empty() || !self.services.is_empty() || !self.uses.is_empty() || self.remote != Remote::Any
    }

    fn fit(&self, process: Option<&Process>, machine: &Machine) -> bool {
        let (first, last) = self.builds;
        let is_any_build = (first, last) == ANY.builds;
        let fits_build = is_any_build || machine.build.is_some_and(|build| (first..=last).contains(&build));
        let runs = |image: &&str| machine.images.iter().any(|running| is_like(running, image));
        let fits_machine = fits_build
            && (self.beside.is_empty() || self.beside.iter().any(runs))
            && self.machine.iter().all(|sign| machine.has(*sign));
        match process {
            None => !self.is_of_process() && fits_machine,
            Some(process) => self.is_of_process() && fits_machine && self.fit_process(process),
        }
    }

    fn fit_process(&self, process: &Process) -> bool {
        let is_named = self.images.iter().any(|image| is_like(&process.image, image))
            || self
                .services
                .iter()
                .any(|name| process.services.iter().any(|service| service.eq_ignore_ascii_case(name)));
        (is_named || self.images.is_empty() && self.services.is_empty())
            && (self.protocol.is_none() || self.protocol == process.protocol)
            && (self.uses.is_empty() || self.uses.iter().any(|one| process.is_used_as(*one)))
            && process.goes_to(self.remote)
            && process.percent >= self.least_percent
            && process.ports <= self.most_ports
    }
}

/// Whether an image, in lower case, is the one of the table.
fn is_like(image: &str, wanted: &str) -> bool {
    match wanted.strip_suffix('*') {
        Some(start) => image.starts_with(start),
        None => image == wanted,
    }
}

/// Whether a part is half of the whole or more.
fn is_half(part: u32, whole: u32) -> bool {
    part > 0 && u64::from(part) * 2 >= u64::from(whole)
}

impl Process {
    fn is_used_as(&self, one: Use) -> bool {
        let listed = self.listed.unwrap_or_default();
        match one {
            Use::Bound => is_half(listed.bound, self.ports),
            Use::CloseWait => is_half(listed.close_wait.max(self.close_wait), self.ports),
            Use::Connected => is_half(listed.established, self.ports),
            Use::TimeWait => is_half(self.time_wait, self.ports) || self.pattern == Some(Pattern::Churn),
            Use::Kept => self.pattern == Some(Pattern::Leak),
        }
    }

    fn goes_to(&self, remote: Remote) -> bool {
        let all: u64 = self.remotes.iter().map(|(_, connects)| connects).sum();
        let top = self.remotes.first();
        let is_top = |fits: &dyn Fn(&SocketAddr) -> bool| top.is_some_and(|(address, _)| fits(address));
        match remote {
            Remote::Any => true,
            Remote::Ports(ports) => is_top(&|address| ports.contains(&address.port())),
            Remote::Loopback => is_top(&|address| address.ip().is_loopback()),
            Remote::Tailnet => is_top(&|address| is_of_tailnet(address.ip())),
            Remote::OneElsewhere => {
                is_top(&|address| !address.ip().is_loopback()) && top.is_some_and(|(_, connects)| connects * 2 > all)
            }
            Remote::Many => self.remotes.len() > 1 && top.is_some_and(|(_, connects)| connects * 2 <= all),
        }
    }
}

/// Whether an address is of 100.64.0.0/10.
fn is_of_tailnet(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => matches!(ip.octets(), [100, 64..=127, ..]),
        IpAddr::V6(_) => false,
    }
}

impl Machine {
    fn has(&self, sign: Sign) -> bool {
        let size = |ports: &ExcludedPorts| u32::from(ports.end.saturating_sub(ports.start)) + 1;
        let default = (DEFAULT_RANGE.start, DEFAULT_RANGE.count);
        let mut reserved = self.excluded.iter().filter(|ports| !ports.administered);
        match sign {
            Sign::BlocksOf(wanted) => reserved.filter(|ports| size(ports) == wanted).count() >= 2,
            Sign::ManyReservations(least) => reserved.nth(least.saturating_sub(1)).is_some(),
            Sign::HnsOwnRange => {
                self.excluded.iter().any(|ports| (ports.start, ports.end, ports.administered) == (50_000, 50_059, true))
            }
            Sign::Hns => self.has_hns,
            Sign::Excluded(protocol, port) => {
                self.excluded.iter().any(|ports| (ports.protocol, ports.start, ports.end) == (protocol, port, port))
            }
            Sign::LowStart => self.ranges.iter().any(|(start, _)| *start <= 1025),
            Sign::SmallRange => self.ranges.iter().any(|(_, count)| *count < DEFAULT_RANGE.count),
            Sign::OtherRange => self.ranges.iter().any(|range| *range != default),
            Sign::UnexplainedBlock(ports) => {
                self.unexplained.iter().any(|(_, unexplained, _)| unexplained.abs_diff(ports) * 20 <= ports)
            }
            Sign::UnexplainedUdpPool => {
                let is_it = |(protocol, ports, size): &(Option<Protocol>, u32, u32)| {
                    *protocol == Some(Protocol::Udp) && is_half(*ports, *size)
                };
                self.unexplained.iter().any(is_it)
            }
            Sign::ConflictInPool => self.conflict_in_pool,
            Sign::OneAddressFull => self.is_one_address,
            Sign::RefusedBinds => self.refused_binds > 0,
            Sign::ConnectTimeouts => self.connect_timeouts >= MANY_TIMEOUTS,
            Sign::TupleReuse => self.tuple_reuse > 0,
            Sign::UdpPoolFullEvent => self.udp_pool_full > 0,
            Sign::UpForDays(days) => self.uptime_100ns.is_some_and(|up| up / DAY_100NS >= days),
            Sign::OutOfPorts => self.is_out_of_ports,
            Sign::NotOutOfPorts => !self.is_out_of_ports,
            Sign::Listing => self.has_listing,
        }
    }

    fn of(grounds: &Grounds<'_>, symptoms: &Symptoms, has_hns: bool) -> Self {
        let Grounds { findings, conclusion, side, rows, .. } = *grounds;
        let running = side.tasks.iter().map(|task| task.image.to_lowercase());
        let traced = rows.rows.iter().filter_map(|row| row.image.as_deref().map(str::to_lowercase));
        let pools = || conclusion.pools.iter();
        let told = |pool: &&PoolFinding| {
            matches!(pool.range.source, RangeSource::DynamicPortFile | RangeSource::Live) && pool.wider().is_none()
        };
        // What ports in use contradict is the range of another time or machine.
        let refuted: Vec<(u16, u32)> =
            pools().filter_map(|pool| pool.refuted).map(|range| (range.start, range.count)).collect();
        let listed = side.dynamic_ports.iter().map(|ports| (ports.start, ports.count));
        let listed = listed.filter(|range| !refuted.contains(range));
        let ranges = pools().filter(told).map(|pool| (pool.range.start, pool.range.count)).chain(listed);
        let port = symptoms.in_use.port;
        Self {
            build: symptoms.os_build,
            uptime_100ns: symptoms.uptime_100ns,
            images: running.chain(traced).collect(),
            excluded: side.excluded_ports.clone(),
            ranges: ranges.collect(),
            unexplained: pools()
                .filter_map(|pool| Some((pool.key.protocol, pool.unexplained()?, pool.range.count)))
                .collect(),
            has_hns,
            is_one_address: pools().any(|pool| pool.local_address.is_some() && pool.state == Some(State::Exhausted)),
            conflict_in_pool: port.is_some_and(|port| pools().any(|pool| pool.range.contains(port))),
            refused_binds: symptoms.denied.count,
            connect_timeouts: symptoms.connect_timeouts,
            tuple_reuse: symptoms.tuple_reuse_events,
            udp_pool_full: super::system_events::pool_full_events(grounds.events).1,
            is_out_of_ports: pools().any(|pool| pool.state.is_some())
                || findings.sockets.first_failure.is_some()
                || grounds.events.iter().any(SystemEventRow::says_pool_full),
            has_listing: !side.listings.is_empty(),
        }
    }
}

/// A day.
const DAY_100NS: i64 = 86_400 * FileTime::SECOND;

/// Fewer connects than this that time out are usual.
const MANY_TIMEOUTS: u64 = 20;

/// Who holds less than this part of a pool (one in a hundred) is not looked up: everybody holds some.
const LOOKED_UP_PERCENT: u32 = 1;

/// The known causes that fit, in the order of the table, the largest holder first where several fit one.
pub(super) fn known_causes(grounds: &Grounds<'_>, symptoms: &Symptoms, has_hns: bool) -> Vec<Known> {
    let Grounds { conclusion, rows, .. } = *grounds;
    let machine = Machine::of(grounds, symptoms, has_hns);
    let process = |holder: &Holder| {
        let pool = conclusion.pools.get(holder.pool)?;
        let index = *rows.index.get(&holder.subject)?;
        let seen = seen(rows.rows.get(index)?, holder, pool);
        (seen.percent >= LOOKED_UP_PERCENT).then_some((index, seen))
    };
    let processes: Vec<(usize, Process)> = conclusion.holders.iter().filter_map(process).collect();
    let mut known = Vec::new();
    for cause in CAUSES {
        let found =
            processes.iter().find(|(_, process)| cause.signs.fit(Some(process), &machine)).map(|(index, _)| *index);
        if found.is_some() || cause.signs.fit(None, &machine) {
            known.push(Known {
                code: cause.code,
                process: found,
                text: format!("{}. What helps: {}", cause.text, cause.fix),
                trust: cause.trust,
                source: cause.sources.to_vec(),
            });
        }
    }
    known
}

fn seen(row: &ProcessRow, holder: &Holder, pool: &PoolFinding) -> Process {
    let percent = u64::from(holder.ports) * 100 / u64::from(pool.range.count.max(1));
    let image = match (&row.image, row.pid) {
        (Some(image), _) => image.to_lowercase(),
        (None, Some(pid)) if is_kernel(pid) => "system".to_owned(),
        (None, _) => String::new(),
    };
    let remote = |one: &super::naming::Destination| Some((one.remote.parse().ok()?, one.connects));
    Process {
        image,
        services: row.services.clone(),
        protocol: pool.key.protocol,
        ports: holder.ports,
        percent: u32::try_from(percent).unwrap_or(100),
        listed: holder.listed,
        close_wait: holder.close_wait,
        time_wait: holder.time_wait,
        pattern: holder.pattern,
        remotes: row.destinations.iter().filter_map(remote).collect(),
    }
}
