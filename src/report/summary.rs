//! The sentences that every face of a report shares: headline, what happened, who holds the ports, how sure that is, what is
//! next. As data, without width, colour or indent; what they say was decided by the diagnosis.

use super::wording::{percent, percent_of, sentence_start, server_zone, who};
use super::{Assurance, PoolRow, Report, SystemEventRow};
use crate::diagnosis::advice::Recommendation;
use crate::diagnosis::codes::RecommendationCode;
use crate::diagnosis::holders::{HolderEvidence, Pattern};
use crate::diagnosis::outcome::Look;
use crate::diagnosis::state::{Confidence, State};
use crate::diagnosis::suspect::Suspect;
use crate::diagnosis::verdict::Reason;
use crate::event::base_name;
use crate::time::{FileTime, Zone};
use crate::words::{counted, grouped, shown};

/// The answer in a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Headline {
    /// The verdict's state.
    pub state: State,
    /// `YES`, `NEAR`, `NOT SEEN` or `CANNOT TELL`.
    pub answer: &'static str,
    /// `TCP over IPv4 and UDP over IPv4`: the pools that were full, or nearly full; empty where none was.
    pub pools: String,
    /// `confidence: high`; empty where nothing can be told.
    pub confidence: &'static str,
}

/// Something to do, as people are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextStep {
    /// Which recommendation it is.
    pub code: RecommendationCode,
    /// What, and in brackets what that changes.
    pub text: String,
    /// Commands to paste, in their order.
    pub commands: Vec<String>,
    /// The command that takes it back.
    pub undo: Option<String>,
}

/// The holders of one pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolHolders {
    /// Index into the pools.
    pub pool: usize,
    /// Name of the pool; `None` where it is the only one of interest.
    pub name: Option<String>,
    /// How the holders are known, and how much of the pool they explain.
    pub explanation: String,
    /// Indexes into the holders, most ports first.
    pub holders: Vec<usize>,
    /// Sentences about what no process holds: TIME_WAIT, ranges set aside, and what nothing explains.
    pub rest: Vec<String>,
}

/// How sure the verdict is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HowSure {
    /// What speaks for it.
    pub assurances: Vec<String>,
    /// Entries of event logs in the span of the traces.
    pub events: Vec<String>,
    /// How many entries lie outside of it, as a sentence.
    pub events_outside: Option<String>,
    /// What speaks against it, the notes about inputs left out.
    pub doubts: Vec<String>,
    /// Notes about inputs, without what the first screen says of the only trace.
    pub notes: Vec<String>,
}

impl HowSure {
    fn is_empty(&self) -> bool {
        let Self { assurances, events, events_outside, doubts, notes } = self;
        [assurances, events, doubts, notes].iter().all(|list| list.is_empty()) && events_outside.is_none()
    }
}

impl Report {
    /// Side files that the report is from, where there is no trace.
    pub fn files_without_trace(&self) -> Option<Vec<&str>> {
        let used = self.side_inputs.iter().filter(|side| side.used).map(|side| side.path.as_str());
        let mut files: Vec<&str> = used.collect();
        files.dedup();
        self.traces.is_empty().then_some(files)
    }

    /// The answer in a line.
    pub fn headline(&self) -> Headline {
        let state = self.verdict.state;
        let answer = answer(state);
        let confidence = match self.verdict.confidence {
            Some(Confidence::High) => "confidence: high",
            Some(Confidence::Medium) => "confidence: medium",
            Some(Confidence::Low) => "confidence: low",
            None => "",
        };
        let is_hit = |pool: &&PoolRow| pool.state == state && matches!(state, State::Exhausted | State::Near);
        let pools: Vec<String> = self.pools.iter().filter(is_hit).map(PoolRow::name).collect();
        Headline { state, answer, pools: pools.join(" and "), confidence }
    }

    /// The zone of the server's clock, as the first trace says that tells about ports; `None` where none does.
    pub fn server_zone(&self) -> Option<Zone> {
        let speaking = self.traces.iter().filter(|trace| trace.speaks).chain(&self.traces);
        speaking.filter_map(server_zone).next()
    }

    /// When it begins: the first trace, or the first thing that has a time.
    pub fn begin(&self) -> Option<FileTime> {
        let traces = self.traces.iter().filter_map(|trace| trace.started);
        traces.min().or(self.verdict.first_failure).or(self.system_events.first().map(|event| event.time))
    }

    /// When something failed: the time of day, and the date where failures are of different days.
    pub fn failure_clock(&self, time: FileTime) -> String {
        let zone = self.zone;
        let days = [self.verdict.first_failure, self.verdict.last_failure].map(|time| time.map(|time| zone.date(time)));
        let clock = zone.clock(time);
        if days.first() == days.last() { clock } else { format!("{} {clock}", zone.date(time)) }
    }

    /// What was counted, as a sentence, where that is not everything.
    pub fn counted_sentence(&self) -> Option<String> {
        let counted = self.counted?;
        let zone = self.zone;
        let (date, name) = (|time: FileTime| zone.date_and_time(time), zone.name());
        let span = match (counted.since, counted.until) {
            (Some(since), Some(until)) if zone.date(since) == zone.date(until) => {
                format!("from {} to {} {name}", date(since), zone.second(until))
            }
            (Some(since), Some(until)) => format!("from {} to {} {name}", date(since), date(until)),
            (Some(since), None) => format!("from {} {name} on", date(since)),
            (None, Some(until)) => format!("until {} {name}", date(until)),
            (None, None) => return None,
        };
        Some(format!("Counted: only what happened {span}. Sockets and processes were followed from the beginning."))
    }

    /// What to do that stands on the first screen, where nothing can be told.
    pub fn first_steps(&self) -> Vec<NextStep> {
        let is_first = |step: &&Recommendation| step.code.on_first_screen();
        let steps = self.recommendations.iter().filter(|_| self.verdict.state == State::CannotTell).filter(is_first);
        let text = |step: &Recommendation| {
            format!("{}, in a command prompt (cmd) as administrator:", sentence_start(&step.text))
        };
        let step = |step: &Recommendation| NextStep {
            code: step.code,
            text: text(step),
            commands: step.commands.clone(),
            undo: None,
        };
        steps.map(step).collect()
    }

    /// What to do next, least invasive first; without what the first screen tells.
    pub fn next_steps(&self) -> Vec<NextStep> {
        let is_above = |step: &&Recommendation| self.verdict.state == State::CannotTell && step.code.on_first_screen();
        let steps = self.recommendations.iter().filter(|step| !is_above(step));
        let step = |step: &Recommendation| NextStep {
            code: step.code,
            text: format!("{} ({})", sentence_start(&shown(&step.text)), step.effect().phrase()),
            commands: step.commands.iter().map(|command| shown(command)).collect(),
            undo: step.undo.as_deref().map(shown),
        };
        steps.map(step).collect()
    }

    /// Who holds the ports, for each pool of interest that has holders or was full.
    pub fn pool_holders(&self) -> Vec<PoolHolders> {
        let of_interest = || self.pools.iter().enumerate().filter(|(_, pool)| pool.is_of_interest);
        let is_hit = |pool: &PoolRow| matches!(pool.state, State::Exhausted | State::Near);
        let is_alone = of_interest().count() == 1 && self.pools.iter().any(is_hit);
        let holders_of = |(index, pool): (usize, &PoolRow)| {
            let of_pool = self.holders.iter().enumerate().filter(|(_, holder)| holder.pool == index);
            let holders: Vec<usize> = of_pool.map(|(holder, _)| holder).collect();
            let is_told = !holders.is_empty() || pool.state == State::Exhausted;
            let explained = percent_of(pool.explained, pool.count);
            is_told.then(|| PoolHolders {
                pool: index,
                name: (!is_alone).then(|| pool.name()),
                explanation: format!("{}; explains {explained} of the pool", known_by(pool.known_by)),
                holders,
                rest: self.rest_of_pool(index, pool),
            })
        };
        of_interest().filter_map(holders_of).collect()
    }

    fn rest_of_pool(&self, index: usize, pool: &PoolRow) -> Vec<String> {
        let mut told = Vec::new();
        let (short, long) = pool.time_wait_seconds;
        if pool.time_wait_estimate_long > 0 {
            let estimate = grouped(pool.time_wait_estimate.into());
            let longer = grouped(pool.time_wait_estimate_long.into());
            told.push(if short == long {
                format!("{estimate} ports were in TIME_WAIT, by estimate ({short} s, as the trace says)")
            } else if estimate == longer {
                format!("{estimate} ports were in TIME_WAIT, by estimate, whether it lasts {short} s or {long} s")
            } else {
                format!(
                    "{estimate} ports were in TIME_WAIT, by estimate, if TIME_WAIT lasts {short} s; {longer} if it lasts {long} s"
                )
            });
        }
        let waiting = match self.verdict.suspect {
            Suspect::TimeWait(waiting) if waiting.is_listed && self.verdict.pool == Some(index) => waiting.ports,
            // An estimate that is as large says it already.
            _ if pool.listed_time_wait <= pool.time_wait_estimate => 0,
            _ if u64::from(pool.listed_time_wait) * 10 < u64::from(pool.count) => 0,
            _ => pool.listed_time_wait,
        };
        if waiting > 0 {
            told.push(format!("{} ports were in TIME_WAIT, as a listing shows", grouped(waiting.into())));
        }
        if let Some(used) = pool.listed_with_room {
            told.push(format!(
                "the listing shows {} of the pool in use: it was taken at another moment, or what it cannot show has the rest",
                counted(used.into(), "port")
            ));
        }
        for holder in self.holders.iter().filter(|holder| holder.pool == index) {
            let users: Vec<String> =
                holder.used_by.iter().filter_map(|user| self.processes.get(user.process)).map(who).collect();
            if let Some(owner) = self.processes.get(holder.process).filter(|_| !users.is_empty()) {
                told.push(format!(
                    "{} created sockets that {} used: they count for the creator",
                    who(owner),
                    users.join(", ")
                ));
            }
        }
        if pool.set_aside > 0 {
            let ports = counted(pool.set_aside.into(), "port");
            told.push(format!("{ports} of the pool are excluded or reserved, so Windows gives them to nobody"));
        }
        let unexplained = self.unexplained.iter().flatten().find(|row| row.pool == index);
        if let Some(row) = unexplained.filter(|row| row.ports > 0) {
            let possible: Vec<&str> = row.possible.iter().map(|cause| cause.phrase()).collect();
            told.push(format!(
                "{}, {}, have no known holder. Possible: {}",
                counted(row.ports.into(), "port"),
                percent_of(row.ports, pool.count),
                possible.join(", or ")
            ));
        }
        told
    }

    /// How sure the verdict is; `None` where nothing can be told and there is nothing to add to that.
    pub fn how_sure(&self) -> Option<HowSure> {
        let doubts = || self.verdict.reasons.iter().filter(|reason| reason.code.is_doubt());
        let first = self.first_doubts();
        let only_trace = if let [trace] = self.traces.as_slice() { Some(trace.path.as_str()) } else { None };
        let is_noted_above = |note: &str| {
            let of_trace = only_trace.and_then(|path| note.strip_prefix(path)?.strip_prefix(": "));
            of_trace.is_some_and(|text| first.contains(&text))
        };
        let is_quiet = doubts().next().is_none() && self.coverage.notes.is_empty() && self.system_events.is_empty();
        if self.verdict.state == State::CannotTell && is_quiet {
            return None;
        }
        // What stands on the first screen is not said again. The notes tell the other doubts, with the trace and the place.
        let is_answer = matches!(self.verdict.state, State::NotSeen | State::CannotTell);
        let is_above =
            |reason: &Reason| is_answer || self.is_told_by_answer(reason.code) || first.contains(&reason.text.as_str());
        let mut told: Vec<String> = doubts()
            .filter(|reason| !reason.code.is_noted() && !is_above(reason))
            .map(|reason| reason.text.clone())
            .collect();
        if !self.processes.is_empty() && !self.has_names {
            let why = match self.traces.len() {
                0 => "no listing names the processes",
                1 => "the trace has no process events, so names are missing",
                _ => "no trace has process events, so names are missing",
            };
            told.push(format!("{why}: give a process list with --tasklist"));
        }
        let (in_span, outside): (Vec<_>, Vec<_>) = self.system_events.iter().partition(|event| event.in_span);
        let span = if self.traces.is_empty() { "the last day of the log" } else { "the trace's span" };
        let entries = |count: usize| {
            if count == 1 { "1 entry".to_owned() } else { format!("{} entries", grouped(count as u64)) }
        };
        let how_sure = HowSure {
            assurances: self.verdict.assurances.iter().map(assurance).collect(),
            events: in_span.into_iter().map(|row| event(row, self.zone)).collect(),
            events_outside: outside.iter().max_by_key(|row| row.time).map(|last| {
                let all = format!("{} of event logs outside of {span}", entries(outside.len()));
                let which = if outside.len() == 1 { "" } else { "the last in " };
                format!("{all}, {which}{}", event(last, self.zone))
            }),
            doubts: told,
            notes: self.coverage.notes.iter().filter(|note| !is_noted_above(note)).cloned().collect(),
        };
        (!how_sure.is_empty()).then_some(how_sure)
    }
}

fn assurance(assurance: &Assurance) -> String {
    match *assurance {
        Assurance::NothingLost => "no events lost, nothing damaged; the session closed the log".to_owned(),
        Assurance::OwnersKnown { known, located, failures } => {
            let share = percent(known, failures);
            let how = match located {
                0 => "socket creation or EPROCESS",
                _ => "socket creation, EPROCESS or a reliable record header",
            };
            format!("the owner of {share} of the failures is known from {how}")
        }
        Assurance::TransportAgrees { refusals } => {
            let count = counted(refusals, "request");
            format!("TCP/IP's own events agree: it refused {count}")
        }
    }
}

fn event(event: &SystemEventRow, zone: Zone) -> String {
    let (source, provider) = (shown(base_name(&event.source)), shown(&event.provider));
    format!("{source}: {provider} {} at {} {}", event.id, zone.date_and_time(event.time), zone.name())
}

/// The answer of the first screen to whether ports ran out.
pub(super) fn answer(state: State) -> &'static str {
    match state {
        State::Exhausted => "YES",
        State::Near => "NEAR",
        State::NotSeen => "NOT SEEN",
        State::CannotTell => "CANNOT TELL",
    }
}

/// What the evidence of a pool's largest holder is.
fn known_by(evidence: Option<HolderEvidence>) -> &'static str {
    match evidence {
        Some(HolderEvidence::A) => "evidence A: a listing of sockets",
        Some(HolderEvidence::B) => "evidence B: TCP/IP's list of connections",
        Some(HolderEvidence::C) => "evidence C: binds minus closes in this trace",
        Some(HolderEvidence::D) => "evidence D: closed connections in TIME_WAIT",
        None => "evidence E: failures alone, which show no holder",
    }
}

/// The evidence of a holder in a word.
pub fn evidence_name(evidence: HolderEvidence) -> &'static str {
    match evidence {
        HolderEvidence::A => "listing",
        HolderEvidence::B => "rundown",
        HolderEvidence::C => "trace",
        HolderEvidence::D => "TIME_WAIT",
    }
}

/// The state of a pool, as a table says it.
pub fn state_word(state: State) -> &'static str {
    match state {
        State::Exhausted => "exhausted",
        State::Near => "nearly full",
        State::NotSeen => "no failure seen",
        State::CannotTell => "cannot tell",
    }
}

/// What the use of ports of an image looks like, as a table says it.
pub fn pattern_word(pattern: Pattern) -> &'static str {
    match pattern {
        Pattern::Leak => "leak",
        Pattern::Steady => "steady",
        Pattern::Load => "load",
        Pattern::Churn => "churn",
        Pattern::Reservation => "reserved range",
    }
}

/// What a holder's use of ports looks like, as a table says it; empty where nothing tells.
pub fn look_phrase(look: Look) -> String {
    // A cast from a float saturates.
    let rate = |rate: f64| format!("{} binds/min", grouped(rate.round() as u64));
    match look {
        Look::Kernel => "kernel: drivers and services in it".to_owned(),
        Look::IdleSockets => "leak: idle sockets".to_owned(),
        Look::LeakWithoutClose => "leak: binds without close".to_owned(),
        Look::LeakPartlyClosed => "leak: not all are closed".to_owned(),
        Look::LeakHardlyClosed => "leak: hardly any close".to_owned(),
        Look::Steady => "steady: none taken lately".to_owned(),
        Look::Load(binds) => format!("load: {}", binds.map_or_else(|| "binds and closes".to_owned(), rate)),
        Look::Churn(binds) => format!("churn: {}", binds.map_or_else(|| "TIME_WAIT".to_owned(), rate)),
        Look::Reservation => "reserved range".to_owned(),
        Look::DnsPool => "DNS Server's socket pool: normal".to_owned(),
        Look::NotTold => String::new(),
    }
}
