//! The first screen as sentences: directly under the headline who holds the ports, then what failed and since when, then who
//! suffers most, what weakens that, and what others found behind the like.

use super::wording::{other_clock, percent_of, sentence, subject, who_in_full};
use super::{HolderRow, ImageRow, PoolRow, Report};
use crate::diagnosis::alternatives::Alternative;
use crate::diagnosis::codes::{AlternativeCode, ReasonCode};
use crate::diagnosis::excluded::MostlyExcluded;
use crate::diagnosis::holders::Pattern;
use crate::diagnosis::known::Known;
use crate::diagnosis::outcome::Look;
use crate::diagnosis::state::State;
use crate::diagnosis::suspect::{CountedBy, Suspect, Waiting};
use crate::machine::ranges::{DEFAULT_RANGE, RangeSource};
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

/// Of several that hold much alike, so many are named; the table has all.
const ALIKE_SHOWN: usize = 5;

/// Fewer connects than this to one address are nothing to tell.
const NOTABLE_CONNECTS: u64 = 100;

impl Report {
    /// The sentences of the first screen, in their order.
    pub fn answer(&self) -> Vec<String> {
        let mut told = Vec::new();
        match self.verdict.state {
            State::Exhausted => {
                told.extend(self.narrowed());
                told.extend(self.who_holds());
                told.extend(self.which_pool());
                told.extend(self.what_failed());
                told.extend(self.who_suffers());
                told.extend(self.either_or());
            }
            State::Near => {
                told.extend(self.narrowed());
                told.extend(self.who_holds());
                told.extend(self.which_pool());
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
            }
        }
        told
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
            ReasonCode::UnexplainedPorts => self.verdict.suspect == Suspect::NotShown,
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

    fn speaking_pool(&self) -> Option<&PoolRow> {
        self.verdict.pool.and_then(|index| self.pools.get(index))
    }

    /// That somebody made the pool smaller than the default, which comes before whoever fills it.
    fn narrowed(&self) -> Option<String> {
        let pool = self.speaking_pool().filter(|pool| pool.is_narrowed)?;
        let (count, default) = (counted(pool.count.into(), "port"), grouped(DEFAULT_RANGE.count.into()));
        Some(format!("The pool was narrowed: it has only {count}, and {default} by default. Restore it first."))
    }

    /// What the verdict is drawn from.
    fn grounds(&self) -> impl Iterator<Item = String> {
        self.verdict.reasons.iter().filter(|reason| !reason.code.is_doubt()).map(|reason| sentence(&reason.text))
    }

    /// Who holds the ports, or that nothing shows it.
    fn who_holds(&self) -> Vec<String> {
        let Some(pool) = self.speaking_pool() else { return Vec::new() };
        // Nobody holds what Windows gives to nobody, unless it is known who had it reserved.
        let has_reserved = |holder: &HolderRow| holder.pattern == Some(Pattern::Reservation);
        let is_reserved_by = match self.verdict.suspect {
            Suspect::Process(index) | Suspect::Kernel(index) => self.holders.get(index).is_some_and(has_reserved),
            _ => false,
        };
        if pool.set_aside.saturating_mul(2) >= pool.count && !is_reserved_by {
            let part = part_of(pool.set_aside, pool);
            return vec![format!(
                "No process holds most of the pool: {part} are excluded or reserved, so Windows gives them to nobody."
            )];
        }
        let holder = |index: usize| self.holders.get(index).map(|holder| self.holder_sentences(holder, pool));
        let told = match self.verdict.suspect {
            Suspect::Process(index) | Suspect::Kernel(index) => holder(index),
            Suspect::Processes(ref holders) => Some(self.alike_sentences(holders, pool)),
            Suspect::Image(index) => self.images.get(index).map(|image| image_sentences(image, pool)),
            Suspect::TimeWait(waiting) => Some(self.waiting_sentences(waiting, pool)),
            Suspect::Sockets(seen) => self.processes.get(seen.process).map(|row| {
                let by = match seen.counted_by {
                    CountedBy::AfdHandles => "handles of sockets in a listing of handles",
                    CountedBy::GroupedListing => "sockets in a listing that is grouped by process",
                };
                let (who, sockets) = (who_in_full(row), grouped(seen.sockets));
                vec![format!("{who} has {sockets} {by}. It is the likely holder, but nothing shows which ports these sockets have.")]
            }),
            Suspect::NotShown => {
                let inputs =
                    if self.traces.is_empty() { "The listings do not show" } else { "The trace does not show" };
                let explained = percent_of(pool.explained, pool.count);
                Some(vec![format!("{inputs} who holds the ports: {explained} of the pool is explained.")])
            }
            Suspect::Nobody if pool.state == State::Exhausted => {
                let inputs = if self.traces.is_empty() { "The inputs do not show" } else { "The trace does not show" };
                Some(vec![format!("{inputs} who holds the ports.")])
            }
            Suspect::Nobody => None,
        };
        told.unwrap_or_default()
    }

    fn holder_sentences(&self, holder: &HolderRow, pool: &PoolRow) -> Vec<String> {
        let Some(row) = self.processes.get(holder.process) else { return Vec::new() };
        // Sockets of IPv6 may be those that take the ports of IPv4.
        let of_other = self.pools.get(holder.pool).filter(|_| Some(holder.pool) != self.verdict.pool);
        let other = of_other.map(|other| format!(" of {}", other.name())).unwrap_or_default();
        let who = match holder.look {
            Look::Kernel => format!("The kernel ({}), which works for drivers,", who_in_full(row)),
            _ => who_in_full(row),
        };
        let mut text = format!("{who} held {}{other}", part_of(holder.ports, of_other.unwrap_or(pool)));
        text.push_str(&match holder.pattern {
            Some(Pattern::Leak) if holder.obtained > 0 => format!(
                ". It is a leak: it closed {} of the {} that it got{}",
                none_or(holder.released),
                counted(holder.obtained, "port"),
                match holder.closed_older {
                    0 => String::new(),
                    older => format!("; it also closed {} older than the trace", counted(older, "socket")),
                }
            ),
            None if holder.gives_back_older => {
                let (got, older) = (counted(holder.obtained, "port"), counted(holder.closed_older, "socket"));
                let own = if holder.released == 0 {
                    " and closed".to_owned()
                } else {
                    format!(", closed {} of them and", grouped(holder.released))
                };
                format!(". It got {got}{own} {older} older than the trace: whether it leaks does not show")
            }
            pattern => pattern_clause(pattern, holder.time_wait),
        });
        text.push('.');
        if row.ended.is_some() {
            text.push_str(" It has ended.");
        }
        if let Some(ports) = holder.ports_later {
            text.push_str(&format!(" In the last listing of the same file it has {}.", none_or(ports.into())));
        }
        if of_other.is_some() {
            text.push_str(" Its sockets may serve IPv4 too.");
        }
        if holder.close_wait > 0 && holder.close_wait.saturating_mul(2) >= holder.ports {
            let waiting = grouped(holder.close_wait.into());
            text.push_str(&format!(" {waiting} of them are in CLOSE_WAIT: the other side closed, and it did not."));
        }
        let mut told = vec![text];
        told.extend(self.plateau_beside(holder));
        let user = holder.used_by.first().and_then(|user| self.processes.get(user.process));
        told.extend(user.map(|user| format!("{} uses sockets that it created.", subject(user))));
        let all: u64 = row.destinations.iter().map(|one| one.connects).sum();
        let top = row.destinations.first().filter(|one| one.connects >= NOTABLE_CONNECTS && one.connects * 2 > all);
        told.extend(top.map(|one| format!("It connects most to {}: {}.", one.remote, counted(one.connects, "time"))));
        told
    }

    /// Beside a small leak, who holds more and is not named, since it took its ports early.
    fn plateau_beside(&self, named: &HolderRow) -> Option<String> {
        let pool = self.pools.get(named.pool)?;
        if named.pattern != Some(Pattern::Leak) || named.ports.saturating_mul(4) >= pool.count {
            return None;
        }
        let is_more = |pool: usize, ports: u32| pool == named.pool && ports > named.ports;
        let keeps = |row: &&HolderRow| matches!(row.look, Look::Steady | Look::DnsPool);
        let holder = self.holders.iter().filter(keeps).find(|row| is_more(row.pool, row.ports));
        let images = self.images.iter().filter(|image| image.pattern == Some(Pattern::Steady));
        let image = images.filter(|image| is_more(image.pool, image.ports)).max_by_key(|image| image.ports);
        match (holder, image) {
            (Some(row), image) if image.is_none_or(|image| image.ports <= row.ports) => {
                let who = self.processes.get(row.process).map(who_in_full)?;
                let why = match row.look {
                    Look::DnsPool => ": DNS Server's pool of sockets, which is normal".to_owned(),
                    _ => pattern_clause(row.pattern, row.time_wait),
                };
                Some(format!("{who} held {}{why}.", part_of(row.ports, pool)))
            }
            (_, Some(image)) => image_sentences(image, pool).into_iter().next(),
            (_, None) => None,
        }
    }

    /// Of several that hold much alike: that none stands out, and who they are.
    fn alike_sentences(&self, holders: &[usize], pool: &PoolRow) -> Vec<String> {
        let rows: Vec<&HolderRow> = holders.iter().filter_map(|index| self.holders.get(*index)).collect();
        let ports = || rows.iter().map(|row| row.ports);
        let (Some(least), Some(most)) = (ports().min(), ports().max()) else { return Vec::new() };
        let of = rows.first().and_then(|row| self.pools.get(row.pool)).unwrap_or(pool);
        let (low, high) = (percent_of(least, of.count), percent_of(most, of.count));
        let each = if low == high { high } else { format!("{low} to {high}") };
        let none = if rows.len() == 2 { "neither" } else { "none of them" };
        let (count, all) = (grouped(rows.len() as u64), counted(of.count.into(), "port"));
        let mut told = vec![format!("{count} processes held {each} of {all} each: {none} stands out.")];
        if rows.len() == 2 {
            told.extend(rows.iter().flat_map(|row| self.holder_sentences(row, pool)));
            return told;
        }
        let mut names: Vec<String> =
            rows.iter().filter_map(|row| self.processes.get(row.process)).map(who_in_full).collect();
        let hidden = names.len().saturating_sub(ALIKE_SHOWN);
        names.truncate(ALIKE_SHOWN);
        let last = if hidden > 0 { Some(format!("{hidden} more")) } else { names.pop() };
        let more = last.map(|last| format!(" and {last}")).unwrap_or_default();
        let is_leak = rows.iter().all(|row| row.pattern == Some(Pattern::Leak));
        let habit = if is_leak { " Each of them looks like a leak." } else { "" };
        told.push(format!("They are {}{more}.{habit}", names.join(", ")));
        told
    }

    fn waiting_sentences(&self, waiting: Waiting, pool: &PoolRow) -> Vec<String> {
        let how = if waiting.is_listed { "as a listing shows" } else { "by estimate" };
        let mut told = vec![format!("Closed connections held {} in TIME_WAIT, {how}.", part_of(waiting.ports, pool))];
        let maker = waiting.made_by.and_then(|index| self.processes.get(index));
        told.push(match maker {
            Some(row) => format!("{} left most of them.", who_in_full(row)),
            None => "Nothing shows which process left them: a port in TIME_WAIT has no owner.".to_owned(),
        });
        let is_waiting = |state: &Option<String>| state.as_deref() == Some("TIME_WAIT");
        let top = self.destinations.iter().find(|one| is_waiting(&one.state) && one.sockets >= NOTABLE_CONNECTS);
        if let Some(one) = top.filter(|one| one.sockets * 2 > u64::from(waiting.ports)) {
            let remote = match (one.remote, one.port) {
                (Some(ip), Some(port)) => crate::net::SocketAddress { ip, port }.to_string(),
                (Some(ip), None) => ip.to_string(),
                (None, Some(port)) => format!("port {port}"),
                (None, None) => return told,
            };
            told.push(format!("{} of them went to {remote}.", grouped(one.sockets)));
        }
        told
    }

    /// The pool that speaks, its range, and who says so.
    fn which_pool(&self) -> Vec<String> {
        let Some(pool) = self.speaking_pool() else { return Vec::new() };
        let source = match pool.source {
            RangeSource::DynamicPortFile => "from a listing",
            RangeSource::Option => "as given by --pool",
            RangeSource::Live => "as the system reports",
            RangeSource::Trace => "as far as the trace shows",
            RangeSource::Default => "the default; no listing was given",
        };
        let state = if pool.state == State::Exhausted { "was full" } else { "was nearly full" };
        let ports = counted(pool.count.into(), "port");
        let is_part = pool.local_address.is_some() || pool.is_of_container();
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
        if told.is_empty() {
            told.extend(self.grounds());
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
                let outages = self.outages.iter().filter(|outage| Some(outage.pool) == self.verdict.pool).count();
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
        Some(format!("Of {} traces, these have failures: {}.", self.traces.len(), names.join(", ")))
    }

    fn who_suffers(&self) -> Option<String> {
        let worst = self.sufferers.first().and_then(|index| self.processes.get(*index))?;
        let count = if worst.bind_failures > 0 {
            counted(worst.bind_failures, "failed bind")
        } else {
            counted(worst.connect_failures, "failed connect")
        };
        Some(format!("{} suffered most: {count}.", subject(worst)))
    }

    /// Where the trace cannot tell a small pool from hidden holders: all ports given out lie close together, or their numbers
    /// are in no event (the legacy dialect) and no listing gives the range.
    fn either_or(&self) -> Option<String> {
        let has = |code: ReasonCode| self.verdict.reasons.iter().any(|reason| reason.code == code);
        let index = self.verdict.pool?;
        let pool = self.pools.get(index)?;
        let hidden = self.unexplained.iter().flatten().find(|row| row.pool == index && row.ports > 0)?;
        let hidden = counted(hidden.ports.into(), "port");
        match pool.given {
            Some((first, last)) if has(ReasonCode::NarrowerPool) => Some(format!(
                "Either the pool has only {} ({first}–{last}, all that were given out), or {hidden} are out of sight: a dynamicport listing shows which.",
                counted(u64::from(last.saturating_sub(first)) + 1, "port"),
            )),
            None if has(ReasonCode::BeganAfter) && pool.source == RangeSource::Default => Some(format!(
                "Either the pool is much smaller than the default, or {hidden} are out of sight: a dynamicport listing shows which.",
            )),
            _ => None,
        }
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

fn none_or(count: u64) -> String {
    if count == 0 { "none".to_owned() } else { grouped(count) }
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

/// What the use of ports looks like, as the end of a sentence.
fn pattern_clause(pattern: Option<Pattern>, time_wait: u32) -> String {
    match pattern {
        Some(Pattern::Leak) => ". It looks like a leak".to_owned(),
        Some(Pattern::Steady) => {
            ". It took them early and has not grown since: this is steady use, not a leak".to_owned()
        }
        Some(Pattern::Load) => ". It gives them back: this is heavy load, not a leak".to_owned(),
        Some(Pattern::Churn) => {
            format!(". It is churn: {} of them are in TIME_WAIT after short connections", grouped(time_wait.into()))
        }
        Some(Pattern::Reservation) => ", reserved as a range".to_owned(),
        None => String::new(),
    }
}

fn image_sentences(image: &ImageRow, pool: &PoolRow) -> Vec<String> {
    let services =
        if image.services.is_empty() { String::new() } else { format!(" ({})", shown(&image.services.join(", "))) };
    vec![format!(
        "{} processes of {}{services} together held {}{}.",
        grouped(image.processes),
        shown(&image.image),
        part_of(image.ports, pool),
        pattern_clause(image.pattern, image.time_wait)
    )]
}
