//! The first screen as sentences: directly under the headline who holds the ports, then what failed and since when, then who
//! suffers most, what weakens that, and what others found behind the like.

mod holds;

use super::wording::{other_clock, percent_of, sentence, sentence_inside, subject, who, who_in_full};
use super::{PoolRow, ProcessRow, Report};
use crate::case::boots::starts;
use crate::diagnosis::alternatives::Alternative;
use crate::diagnosis::codes::{AlternativeCode, ReasonCode};
use crate::diagnosis::excluded::MostlyExcluded;
use crate::diagnosis::known::Known;
use crate::diagnosis::state::State;
use crate::diagnosis::suspect::Suspect;
use crate::machine::ranges::{DEFAULT_RANGE, RangeSource};
use crate::net::Protocol;
use crate::status::NtStatus;
use crate::time::{FileTime, duration_text};
use crate::words::{counted, grouped, shown};

/// A known cause as people are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hint {
    /// What others saw, what helped, and how well that is founded.
    pub text: String,
    /// Where it is from: addresses, or names of pages.
    pub sources: Vec<&'static str>,
}

/// Known causes told; the JSON report has all.
const HINTS: usize = 3;

/// Entries of event logs told one by one, the last ones.
const LOGGED_SHOWN: usize = 3;

/// Of several that suffered most, so many are named.
const MOST_SHOWN: usize = 3;

/// Fewer sockets than this in TIME_WAIT are nothing to tell.
const NOTABLE_WAITING: u32 = 100;

/// Fewer connects than this to one address are nothing to tell.
const NOTABLE_CONNECTS: u64 = 100;

impl Report {
    /// The sentences of the first screen, in their order.
    pub fn answer(&self) -> Vec<String> {
        let mut told = Vec::new();
        match self.verdict.state {
            State::Exhausted => {
                told.extend(self.narrowed());
                told.extend(self.each_pool());
                told.extend(self.either_or());
                told.extend(self.what_failed());
                told.extend(self.filling_again());
                told.extend(self.who_suffers());
            }
            State::Near => {
                told.extend(self.narrowed());
                told.extend(self.each_pool());
                told.extend(self.grounds());
                told.extend(self.forecast());
                told.extend(self.either_or());
            }
            State::NotSeen => {
                told.extend(self.failed_instead().map(|other| format!("Not ports but {}.", other_cause(other))));
                told.extend(self.verdict.reasons.iter().map(|reason| sentence(&reason.text)));
                told.extend(self.seen());
                told.extend(self.logged_outside());
                told.extend(self.forecast());
                told.extend(self.beside_the_range());
            }
            State::CannotTell => {
                told.extend(self.failed_instead().map(|other| format!("The inputs show {}.", other_cause(other))));
                told.extend(self.beside_the_range());
                told.extend(self.verdict.reasons.iter().map(|reason| sentence(&reason.text)));
                told.extend(self.many_handles());
            }
        }
        told
    }

    /// Who has most handles of sockets, where that is as many as ports may run out by.
    fn many_handles(&self) -> Option<String> {
        let most = self.procedure.get(self.most_handles?)?;
        let who = match (most.pid, &most.image) {
            (Some(pid), Some(image)) => format!("{} (PID {pid})", shown(image)),
            (Some(pid), None) => format!("PID {pid}"),
            (None, _) => return None,
        };
        let count = counted(most.afd_handles?, "handle");
        Some(format!("{who} has {count} of sockets in a listing of handles: nothing shows which ports these have."))
    }

    /// The doubts that stand on the first screen beside an answer, each once: where there is no answer, or where a sentence
    /// says the same, [`Self::answer`] tells them.
    pub fn first_doubts(&self) -> Vec<&str> {
        if !matches!(self.verdict.state, State::Exhausted | State::Near) {
            return Vec::new();
        }
        let is_told = |code| self.is_told_by_answer(code);
        let doubts =
            self.verdict.reasons.iter().filter(|reason| reason.code.on_first_screen() && !is_told(reason.code));
        doubts.map(|reason| reason.text.as_str()).collect()
    }

    /// Whether a sentence of the answer says what this reason says.
    pub(super) fn is_told_by_answer(&self, code: ReasonCode) -> bool {
        match code {
            ReasonCode::UnexplainedPorts => self.verdict.suspect == Suspect::NotShown && !self.is_doubtful(),
            ReasonCode::NarrowerPool => self.either_or().is_some(),
            ReasonCode::WiderPool => self.speaking_pool().is_some_and(|pool| pool.wider.is_some()),
            _ => false,
        }
    }

    /// Known causes that fit, as hints; and how many more the JSON report has.
    pub fn hints(&self) -> (Vec<Hint>, usize) {
        let hint = |known: &Known| Hint {
            text: format!("{} ({})", known.text, known.trust.phrase()),
            sources: known.source.clone(),
        };
        // What the first sentence says is no hint any more.
        let is_narrowed = self.narrowed().is_some();
        let known = || self.known.iter().filter(|known| !(is_narrowed && known.code == "dp_too_small"));
        (known().take(HINTS).map(hint).collect(), known().count().saturating_sub(HINTS))
    }

    /// Causes of failures that are not a shortage of ports, those of most failures first; where ports ran out, they are told
    /// further below.
    pub(super) fn failed_instead(&self) -> impl Iterator<Item = &Alternative> {
        let is_first = matches!(self.verdict.state, State::NotSeen | State::CannotTell);
        let mut seen: Vec<&Alternative> =
            self.ruled_out.iter().filter(|other| is_first && other.failures > 0).collect();
        seen.sort_by_key(|other| std::cmp::Reverse(other.failures));
        seen.into_iter()
    }

    /// Whether listings show many sockets in TIME_WAIT, and none with a port of the TCP pool that speaks: a server's connections.
    pub(super) fn only_others_wait(&self) -> bool {
        let waiting: u32 = self.procedure.iter().fold(0, |sum, row| sum.saturating_add(row.time_wait));
        let pool = self.speaking_pool().filter(|pool| pool.protocol == Some(Protocol::Tcp));
        waiting >= NOTABLE_WAITING && pool.is_some_and(|pool| pool.most_listed_waiting == 0)
    }

    fn speaking_pool(&self) -> Option<&PoolRow> {
        self.verdict.pool.and_then(|index| self.pools.get(index))
    }

    /// That somebody made the pool smaller than the default, which comes before whoever fills it.
    fn narrowed(&self) -> Option<String> {
        let pool = self.speaking_pool().filter(|pool| pool.is_narrowed)?;
        let (count, default) = (counted(pool.count.into(), "port"), grouped(DEFAULT_RANGE.count.into()));
        let name = self.name_of_several(pool).map(|name| format!(" of {name}")).unwrap_or_default();
        Some(format!("The pool{name} was narrowed: it has only {count}, and {default} by default. Restore it first."))
    }

    /// The name of a pool, where the first screen tells of several.
    fn name_of_several(&self, pool: &PoolRow) -> Option<String> {
        (!self.verdict.other_pools.is_empty()).then(|| pool.name())
    }

    /// Who holds the ports of each pool, and which that is; the one that speaks comes first.
    fn each_pool(&self) -> Vec<String> {
        let own = self.verdict.pool.map(|pool| (pool, &self.verdict.suspect));
        let others = self.verdict.other_pools.iter().map(|other| (other.pool, &other.suspect));
        let of_pool = |(number, (index, suspect)): (usize, (usize, &Suspect))| {
            let Some(pool) = self.pools.get(index) else { return Vec::new() };
            let mut told = self.who_holds(index, suspect);
            if let Some((name, first)) = self.name_of_several(pool).zip(told.first_mut()) {
                // What begins with a name stays as it is.
                let is_word = ["The ", "No ", "Closed "].iter().any(|word| first.starts_with(word));
                let rest = if is_word { sentence_inside(first) } else { first.clone() };
                *first = format!("{name}: {rest}");
            }
            told.extend(self.room_made().or_else(|| self.closes_older()).filter(|_| number == 0));
            told.extend(self.which_pool(pool));
            told
        };
        own.into_iter().chain(others).enumerate().flat_map(of_pool).collect()
    }

    /// What the verdict is drawn from.
    fn grounds(&self) -> impl Iterator<Item = String> {
        self.verdict.reasons.iter().filter(|reason| !reason.code.is_doubt()).map(|reason| sentence(&reason.text))
    }

    /// Whether what sockets hold is not certain.
    fn is_doubtful(&self) -> bool {
        self.has(ReasonCode::NoCloseEvents) || self.has(ReasonCode::HeldBeyondPool)
    }

    fn has(&self, code: ReasonCode) -> bool {
        self.verdict.reasons.iter().any(|reason| reason.code == code)
    }

    /// Who closed many older sockets when failures ended.
    fn room_made(&self) -> Option<String> {
        let made = self.verdict.room_made?;
        let who = self.processes.get(made.process).map(who_in_full)?;
        let (sockets, time) = (counted(made.sockets, "socket"), self.zone.second(made.time));
        Some(format!(
            "{who} closed {sockets} that are older than the trace at {time} {}; no request failed after that.",
            self.zone.name()
        ))
    }

    /// Who closed many older sockets, where nothing shows who has most of the pool.
    fn closes_older(&self) -> Option<String> {
        let closes = self.verdict.closes_older?;
        let who = self.processes.get(closes.process).map(who_in_full)?;
        let sockets = counted(closes.sockets, "socket");
        Some(format!(
            "{who} closed {sockets} that are older than the trace: it may have more of them, which the trace does not show."
        ))
    }

    /// Who takes the ports again since the last failure.
    fn filling_again(&self) -> Vec<String> {
        let Some(again) = self.verdict.filling_again else { return Vec::new() };
        let Some(who) = self.processes.get(again.process).map(who) else { return Vec::new() };
        let (ports, more) = (counted(again.ports.into(), "port"), grouped(again.per_minute.round() as u64));
        let held = format!("Since then {who} holds {ports}, and takes about {more} more a minute.");
        std::iter::once(held).chain(self.forecast()).collect()
    }

    /// The pool that speaks, its range, and who says so.
    fn which_pool(&self, pool: &PoolRow) -> Vec<String> {
        let source = match pool.source {
            RangeSource::DynamicPortFile => "from a listing",
            RangeSource::Option => "as given by --pool",
            RangeSource::Live => "as the system reports",
            RangeSource::Trace => "as far as the trace shows",
            RangeSource::Default => "the default; no listing was given",
        };
        let state = if !pool.failing_alone.is_empty() {
            "had ports for others"
        } else if pool.failed_once {
            "failed one request, and had ports before it"
        } else if pool.state == State::Exhausted && self.is_said_by_log_alone {
            "was full, as the System log says"
        } else if pool.state == State::Exhausted {
            "was full"
        } else {
            "was nearly full"
        };
        let ports = counted(pool.count.into(), "port");
        let is_part = pool.local_address.is_some() || pool.is_of_container() || self.name_of_several(pool).is_some();
        let name = if is_part { format!(" of {}", pool.name()) } else { String::new() };
        let mut told = vec![format!("The pool {}–{}{name} ({ports}, {source}) {state}.", pool.start, pool.end())];
        told.extend(pool.refuted.zip(pool.wider).map(|(range, (low, high))| {
            let told = match range.source {
                RangeSource::Option => "--pool",
                RangeSource::Default => "the default",
                _ => "the listing",
            };
            format!("Ports from {low} to {high} are in use, so {told} is not the range of this pool. Give a dynamicport listing.")
        }));
        told
    }

    /// How many failed, where, and when.
    fn what_failed(&self) -> Vec<String> {
        let (verdict, failures) = (&self.verdict, &self.failures);
        let status = NtStatus::TOO_MANY_ADDRESSES;
        let mut told = Vec::new();
        if failures.binds > 0 {
            let completed: u64 = self.processes.iter().map(|row| row.binds_completed()).sum();
            let (failed, of) = (grouped(failures.binds), counted(completed, "bind"));
            told.push(format!(
                "{failed} of {of} failed with STATUS_TOO_MANY_ADDRESSES ({status}; Winsock 10055 or 10048)."
            ));
        }
        if failures.connects > 0 {
            let count = counted(failures.connects, "connect");
            told.push(format!("{count} failed with STATUS_TOO_MANY_ADDRESSES ({status})."));
        }
        let is_odd = |(index, pool): &(usize, &PoolRow)| pool.failed_once && Some(*index) != verdict.pool;
        told.extend(self.pools.iter().enumerate().filter(is_odd).map(|(_, pool)| {
            format!("One request of {} was among them: others before it had ports, and little of that pool is seen to be used.", pool.name())
        }));
        if told.is_empty() {
            told.extend(self.grounds());
            told.extend(self.none_failed());
        }
        if let (Some(first), Some(last)) = (verdict.first_failure, verdict.last_failure) {
            let zone = self.zone;
            let is_one_day = zone.date(first) == zone.date(last);
            let exact = |time: FileTime| {
                let clock = zone.exact_clock(time);
                if is_one_day { clock } else { format!("{} {clock}", zone.date(time)) }
            };
            let other = self.failing_trace().and_then(|trace| other_clock(trace, first, zone));
            let (other, zone) = (other.map(|other| format!(" ({other})")).unwrap_or_default(), zone.name());
            told.push(if first == last {
                format!("It failed at {} {zone}{other}.", exact(first))
            } else {
                let span = duration_text(last.since(first));
                let outages = self.outages_apart;
                let outages = if outages > 1 { format!(", {outages} outages") } else { String::new() };
                format!(
                    "First failure at {} {zone}{other}, last at {} {zone} ({span}{outages}).",
                    exact(first),
                    exact(last)
                )
            });
        }
        told.extend(self.where_failed());
        told
    }

    /// Where an event log alone says that ports ran out: what the trace shows of it.
    fn none_failed(&self) -> Option<String> {
        let binds: u64 = self.processes.iter().map(|row| row.binds_ok).sum();
        (binds > 0 && self.is_said_by_log_alone).then(|| {
            format!(
                "No bind failed so in this trace: {} succeeded. The log may speak of another pool, such as a container's.",
                counted(binds, "bind")
            )
        })
    }

    /// The trace of the first failure, or the only one.
    pub(super) fn failing_trace(&self) -> Option<&super::TraceSummary> {
        match &self.evidence {
            Some(evidence) => self.traces.get(evidence.trace?),
            None => self.traces.first(),
        }
    }

    /// Of several traces, those that have the failures.
    fn where_failed(&self) -> Option<String> {
        let with: Vec<(usize, u64)> =
            self.failures.by_trace.iter().copied().enumerate().filter(|(_, n)| *n > 0).collect();
        if self.traces.len() < 2 || with.is_empty() {
            return None;
        }
        let name = |(index, failures): &(usize, u64)| {
            let path = self.traces.get(*index).map(|trace| shown(&trace.path)).unwrap_or_default();
            format!("{path} ({})", counted(*failures, "failure"))
        };
        let names: Vec<String> = with.iter().map(name).collect();
        let boots = with.iter().filter_map(|(index, _)| self.traces.get(*index)?.boot_time);
        let apart = match starts(boots) {
            0 | 1 => String::new(),
            several => format!(
                " They are of {several} machines, or starts of one: who holds the ports is told of one of them, and counts are of all. Analyze each alone."
            ),
        };
        Some(format!("Of {} traces, these have failures: {}.{apart}", self.traces.len(), names.join(", ")))
    }

    fn who_suffers(&self) -> Option<String> {
        let sufferers = || self.sufferers.iter().filter_map(|index| self.processes.get(*index));
        let worst = sufferers().next()?;
        let failures = |row: &ProcessRow| row.bind_failures + row.connect_failures;
        let alike: Vec<&ProcessRow> = sufferers().take_while(|row| failures(row) == failures(worst)).collect();
        if alike.len() > MOST_SHOWN {
            let (number, count) = (grouped(alike.len() as u64), counted(failures(worst), "time"));
            let others = if alike.len() < self.sufferers.len() { ", and others less" } else { ": none suffered most" };
            return Some(format!("{number} processes failed {count} each{others}."));
        }
        let count = match (worst.bind_failures, worst.connect_failures) {
            _ if alike.len() > 1 => format!("{} each", counted(failures(worst), "failure")),
            (binds, 0) => counted(binds, "failed bind"),
            (0, connects) => counted(connects, "failed connect"),
            (binds, connects) => {
                format!("{} and {}", counted(binds, "failed bind"), counted(connects, "failed connect"))
            }
        };
        let mut names: Vec<String> = alike.into_iter().map(subject).collect();
        let last = names.pop()?;
        let before = if names.is_empty() { String::new() } else { format!("{} and ", names.join(", ")) };
        Some(format!("{before}{last} suffered most: {count}."))
    }

    /// Where the trace cannot tell a small pool from hidden holders: all ports given out lie close together, or their numbers
    /// are in no event (the legacy dialect) and no listing gives the range.
    fn either_or(&self) -> Option<String> {
        let index = self.verdict.pool.filter(|_| !self.is_said_by_log_alone)?;
        let pool = self.pools.get(index)?;
        let hidden = self.unexplained.iter().flatten().find(|row| row.pool == index && row.ports > 0)?;
        let hidden = counted(hidden.ports.into(), "port");
        match pool.given {
            Some((first, last)) if self.has(ReasonCode::NarrowerPool) => {
                let ports = u32::from(last.saturating_sub(first)).saturating_add(1);
                let (count, most) = (counted(ports.into(), "port"), self.most_of(index, ports).unwrap_or_default());
                let given = format!("{first}–{last}, all that were given out");
                Some(if pool.source == RangeSource::DynamicPortFile {
                    format!(
                        "Either the pool had only {count} ({given}) and was widened before it was listed, or {hidden} are out of sight."
                    )
                } else {
                    format!(
                        "Either the pool has only {count} ({given}){most}, or {hidden} are out of sight: a dynamicport listing shows which."
                    )
                })
            }
            None if self.has(ReasonCode::BeganAfter) && pool.source == RangeSource::Default => Some(format!(
                "Either the pool is much smaller than the default, or {hidden} are out of sight: a dynamicport listing shows which.",
            )),
            _ => None,
        }
    }

    /// Who would have most of a pool, if it had only so many ports.
    fn most_of(&self, pool: usize, count: u32) -> Option<String> {
        let holder = self.holders.iter().find(|row| row.pool == pool)?;
        let is_possible = holder.ports <= count;
        let is_most =
            is_possible && holder.ports.saturating_mul(2) >= count && self.verdict.suspect == Suspect::NotShown;
        let row = self.processes.get(holder.process).filter(|_| is_most)?;
        Some(format!(", of which {} held {}", who(row), grouped(holder.ports.into())))
    }

    /// What was looked at where nothing failed: binds, and how full the fullest pool was.
    fn seen(&self) -> Option<String> {
        let binds: u64 = self.processes.iter().map(|row| row.binds_completed()).sum();
        let share = |pool: &&PoolRow| u64::from(pool.held_peak) * 1_000_000 / u64::from(pool.count.max(1));
        let fullest = self.pools.iter().rev().filter(|pool| pool.wider.is_none()).max_by_key(share);
        let binds = format!("{} seen", counted(binds, "bind"));
        Some(match fullest {
            Some(pool) => sentence(&format!(
                "{binds}; sockets held at most {} of {} at one time{}",
                part_of(pool.held_peak, pool),
                pool.name(),
                waiting(pool)
            )),
            None => sentence(&binds),
        })
    }

    /// What lies outside of the dynamic range, and what of it is excluded.
    fn beside_the_range(&self) -> Vec<String> {
        let image = |pid: u32| {
            let row = self.procedure.iter().find(|row| row.pid == Some(pid))?;
            row.image.as_deref()
        };
        let outside = self.outside.iter().map(|outside| outside.sentence(image));
        outside.chain(self.mostly_excluded.iter().map(MostlyExcluded::sentence)).collect()
    }

    /// Entries of event logs that say all ports were in use, at another time than that of the traces.
    fn logged_outside(&self) -> Option<String> {
        let is_full = |event: &&super::SystemEventRow| !event.in_span && event.says_pool_full();
        let times: Vec<String> = self
            .system_events
            .iter()
            .filter(is_full)
            .map(|event| format!("Tcpip {} at {} {}", event.id, self.zone.date_and_time(event.time), self.zone.name()))
            .collect();
        let hidden = times.len().saturating_sub(LOGGED_SHOWN);
        let shown = times.get(hidden..).filter(|shown| !shown.is_empty())?;
        let more = if hidden > 0 { format!(", and {hidden} before") } else { String::new() };
        Some(format!("All ports were in use at another time, as an event log says: {}{more}.", shown.join(", ")))
    }

    /// When a pool that fills will be full: that which speaks, else the one that is full first.
    fn forecast(&self) -> Option<String> {
        let speaking = self.speaking_pool().filter(|pool| pool.forecast.is_some());
        let pool = speaking.or_else(|| {
            let fills = self.pools.iter().filter(|pool| pool.forecast.is_some());
            fills.min_by_key(|pool| pool.forecast.map(|forecast| forecast.full_at))
        })?;
        let forecast = pool.forecast?;
        Some(format!(
            "{} left in {}, +{} in use a minute: full about {} {} at this rate.",
            counted(forecast.free.into(), "port"),
            pool.name(),
            grouped(forecast.per_minute.round() as u64),
            self.zone.minute(forecast.full_at),
            self.zone.name()
        ))
    }
}
/// Another cause, with its article.
fn other_cause(other: &Alternative) -> String {
    let article = match other.code {
        AlternativeCode::FixedPortConflict | AlternativeCode::MemoryShortage => "a ",
        _ => "",
    };
    format!("{article}{}", shown(&other.text))
}

/// What TIME_WAIT may add to the ports held.
fn waiting(pool: &PoolRow) -> String {
    if pool.occupied_peak <= pool.held_peak {
        return String::new();
    }
    format!(", {} with those that may wait in TIME_WAIT", grouped(pool.occupied_peak.into()))
}

/// `15,871 of 16,384 ports (96.9 %)`.
fn part_of(ports: u32, pool: &PoolRow) -> String {
    format!("{} of {} ({})", grouped(ports.into()), counted(pool.count.into(), "port"), percent_of(ports, pool.count))
}
