//! From what the machine did to what that means: is it exhaustion, who holds the ports, how sure is that, what else could it
//! be, what is to be done.
//!
//! [`diagnose`] takes the facts of a case and decides everything; reports only lay out and print what it says. Top to
//! bottom, each file knowing only those below it:
//!
//! * [`outcome`], [`over_time`], [`advice`], [`mod@alternatives`], `assurance`, `notes`: the last questions, answered from `grounds`
//! * [`verdict`]: a list of rules over the [`evidence`]
//! * `unexplained`, `system_events`, `naming`, `procedure`, `failures`: what the inputs say, put together for the case
//! * [`holders`] over [`pools`] and [`listings`]: who holds the ports
//! * [`codes`], [`state`]: the words in which it is told

pub mod advice;
pub mod afterwards;
pub mod alternatives;
mod assurance;
pub mod began;
pub mod beside;
pub mod codes;
mod counted;
mod destinations;
pub mod evidence;
pub mod excluded;
mod failures;
pub mod forecast;
mod foreign;
mod grounds;
pub mod holders;
pub mod images;
pub mod known;
pub mod listed_over_time;
pub mod listings;
pub(crate) mod naming;
mod notes;
pub mod outages;
pub mod outcome;
pub mod outside;
pub mod over_time;
pub mod pools;
pub(crate) mod procedure;
pub mod state;
pub mod suspect;
mod system_events;
mod unexplained;
pub mod verdict;

pub use assurance::Assurance;
pub use destinations::{AddressUse, CaseDestination};
pub use failures::{Failures, StatusMeaning, StatusRow};
pub use naming::{Destination, ProcessRow};
pub use procedure::ProcedureRow;
pub use system_events::SystemEventRow;
pub use unexplained::UnexplainedRow;

use self::advice::{Found, Recommendation, Situation, recommend};
use self::afterwards::{ClosesOlder, FillingAgain, RoomMade, closes_older, filling_again, room_made};
use self::alternatives::{Alternative, Symptoms, alternatives};
use self::beside::AllBeside;
use self::counted::many_sockets;
use self::evidence::{VerdictEvidence, has_no_closes};
use self::forecast::StepLevel;
use self::grounds::Grounds;
use self::holders::{Subject, Trust, conclude, last_of_pid};
use self::images::ImageOutcome;
use self::known::Known;
use self::listed_over_time::{ListedOverTimeRow, listed_over_time};
use self::listings::{Trend, trends};
use self::naming::Rows;
use self::outages::OutageOutcome;
use self::outcome::{HolderOutcome, PoolOutcome};
use self::over_time::{Course, OverTime};
use self::pools::{PoolFinding, fill_by_event_log, speaking_pool};
use self::state::State;
use self::suspect::{Candidates, CountedBy, SocketsOnly, Suspect};
use self::system_events::{pool_full_beside, system_events};
use self::verdict::{Judgement, judge};
use crate::case::SideInput;
use crate::case::facts::TraceFacts;
use crate::machine::Findings;
use crate::machine::timeline::Steps;
use crate::machine::wire::Wire;
use crate::pipeline::LogsRead;
use crate::side::facts::SideFacts;
use crate::time::FileTime;

/// Everything that a diagnosis is drawn from.
#[derive(Debug)]
pub struct Facts {
    /// Traces, in the order in which they were named.
    pub traces: Vec<TraceFacts>,
    /// What their events amounted to.
    pub findings: Findings,
    /// What side files told.
    pub side: SideFacts,
    /// Side files.
    pub side_inputs: Vec<SideInput>,
    /// What of these events is from logs of Winsock-AFD's channel.
    pub logs: LogsRead,
    /// What captured packets show, where no event of sockets or ports tells anything.
    pub wire: Wire,
    /// Notes about inputs.
    pub notes: Vec<String>,
}

/// What the facts of a case mean.
#[derive(Debug)]
pub struct Diagnosis {
    /// State, confidence and reasons.
    pub judgement: Judgement,
    /// Nothing in the traces says that ports ran out, but an event log does.
    pub is_said_by_log_alone: bool,
    /// Index of the pool that speaks for the case; `None` where none was full or nearly full.
    pub pool: Option<usize>,
    /// Who is named for it.
    pub suspect: Suspect,
    /// Other pools that were full, or nearly full beside a full one of another protocol: index, and who is named for each.
    pub others: Vec<(usize, Suspect)>,
    /// Who made room in it when its failures ended.
    pub room_made: Option<RoomMade>,
    /// Who closed many older sockets, where nothing shows who has most of it, and nobody is known to have made room.
    pub closes_older: Option<ClosesOlder>,
    /// Who fills it again since then.
    pub filling_again: Option<FillingAgain>,
    /// First and last failure, bind or connect, UTC; without any, TCP/IP's first and last refusal.
    pub failure_span: (Option<FileTime>, Option<FileTime>),
    /// The traces.
    pub traces: Vec<TraceFacts>,
    /// What their events amounted to; its timeline is in `timeline`.
    pub findings: Findings,
    /// What side files told.
    pub side: SideFacts,
    /// Side files.
    pub side_inputs: Vec<SideInput>,
    /// Pools that something is known of.
    pub pools: Vec<PoolOutcome>,
    /// Who holds ports, most first.
    pub holders: Vec<HolderOutcome>,
    /// Processes of one image that hold ports together, most ports first.
    pub images: Vec<ImageOutcome>,
    /// Who is told of beside each holder and image.
    pub beside: AllBeside,
    /// Spans of time in which a pool was out of ports, by time.
    pub outages: Vec<OutageOutcome>,
    /// Those of all pools, what is at the same time counted once.
    pub outages_apart: usize,
    /// Ports of full pools that nothing explains; `None` where no pool was full.
    pub unexplained: Option<Vec<UnexplainedRow>>,
    /// Processes with sockets, most bind failures first.
    pub processes: Vec<ProcessRow>,
    /// Indexes of those with bind failures.
    pub victims: Vec<usize>,
    /// Indexes of those with bind or connect failures, most first.
    pub sufferers: Vec<usize>,
    /// Whether any of them has a name.
    pub has_names: bool,
    /// Failures in numbers.
    pub failures: Failures,
    /// Failures and ports over time.
    pub timeline: Steps,
    /// How full the pool was at the end of each step that speaks for the case, or without one the pool that was fullest.
    pub levels: Vec<StepLevel>,
    /// Pools and failures in the steps of the timeline.
    pub over_time: OverTime,
    /// The same in finer steps.
    pub finely: OverTime,
    /// Pools over the listings of files.
    pub listed_over_time: Vec<ListedOverTimeRow>,
    /// Changes over the listings of loop files, each with the index of its process.
    pub trends: Vec<(Trend, Option<usize>)>,
    /// Where sockets are connected to.
    pub destinations: Vec<CaseDestination>,
    /// Ports in use at local addresses, as scripts count them.
    pub address_use: Vec<AddressUse>,
    /// Ports in use outside of the dynamic range.
    pub outside: Vec<outside::Outside>,
    /// Dynamic ranges of which most is excluded.
    pub mostly_excluded: Vec<excluded::MostlyExcluded>,
    /// What the procedure by hand looks at.
    pub procedure: Vec<ProcedureRow>,
    /// Index of the one of these with most handles of sockets, if that is as many as ports may run out by.
    pub most_handles: Option<usize>,
    /// Entries of event logs, by time.
    pub system_events: Vec<SystemEventRow>,
    /// What speaks for the verdict.
    pub assurances: Vec<Assurance>,
    /// What else it could be, and whether it is.
    pub alternatives: Vec<Alternative>,
    /// What to do next, least invasive first.
    pub recommendations: Vec<Recommendation>,
    /// Known causes that fit.
    pub known: Vec<Known>,
    /// What was not read, not counted, or counted by assumption.
    pub notes: Vec<String>,
}

/// Says what the facts of a case mean. It decides everything, and fails for none: what cannot be told is said to be so.
pub fn diagnose(facts: Facts) -> Diagnosis {
    let Facts { traces, mut findings, mut side, mut side_inputs, logs, wire, notes } = facts;
    let foreign_listings = foreign::set_aside(&findings, &mut side, &mut side_inputs);
    let traces_span = grounds::span(&traces, &findings);
    let events = system_events(&side, &side_inputs, traces_span.filter(|_| !traces.is_empty()), findings.window);
    let read = VerdictEvidence::read(&traces, logs);
    let no_habits = read.clock_set_back || read.displaced > 0 || has_no_closes(&findings);
    let mut conclusion = conclude(&findings, &side, Trust { lossy: read.has_gaps(), no_habits });
    fill_by_event_log(&mut conclusion.pools, pool_full_beside(&events, &side.listings));
    foreign::note_refuted(&conclusion.pools, &mut side_inputs);
    let mut rows = naming::rows(&findings, &side, &conclusion);
    rows.set_rates(findings.span);
    rows.set_ages(traces_span.map(|(_, end)| end));
    let mut evidence = VerdictEvidence::gather(read, &findings, &conclusion, &rows, (&events, &side.port_use));
    evidence.foreign_listings = foreign_listings;
    evidence.wire = wire;
    let counted = counted_sockets(&side, &findings, &rows);
    if let Some(pool) = speaking_pool(&conclusion.pools).and_then(|index| conclusion.pools.get(index))
        && counted.first().is_some_and(|seen| seen.is_large(pool.range.count))
    {
        // A holder is in sight, if not its ports.
        evidence.explained_percent = None;
    }
    let judgement = judge(&evidence);
    let mut fine = std::mem::take(&mut findings.world.ports.timeline).finish();
    for pool in conclusion.pools.iter().filter(|pool| pool.waits_not) {
        fine.forget_waiting(pool.key);
    }
    let timeline = fine.of_report();
    let grounds = Grounds {
        traces: &traces,
        findings: &findings,
        side: &side,
        side_inputs: &side_inputs,
        conclusion: &conclusion,
        rows: &rows,
        events: &events,
    };
    let unexplained = unexplained::unexplained(&grounds, evidence.began_after.is_some());
    let state = judgement.state;
    let pool = speaking_pool(&conclusion.pools);
    let forecast = |pool: &PoolFinding| forecast::forecast(pool, &timeline, findings.span.map(|(_, end)| end));
    let pools = outcome::pools((&conclusion, &rows), state, &evidence, unexplained.as_deref(), forecast, &timeline);
    let holders = outcome::holders(&grounds, &fine);
    let images = images::images(&grounds, &holders);
    let outages = outages::outages(&conclusion, &rows);
    let levels = forecast::levels(&timeline, levels_pool(pool, &conclusion.pools), &findings, &rows);
    let candidates = Candidates {
        pools: &pools,
        holders: &holders,
        images: &images,
        counted: &counted,
        no_closes: evidence.no_closes,
    };
    let suspect = candidates.suspect(pool);
    let others = candidates.others(pool);
    let speaking = pool.and_then(|index| pools.get(index)).filter(|pool| pool.state == State::Exhausted);
    let room_made = speaking.and_then(|pool| room_made(&grounds, &pool.finding));
    let closes_older = speaking.filter(|_| room_made.is_none()).and_then(|pool| closes_older(&grounds, &pool.finding));
    let filling_again = speaking.and_then(|pool| filling_again(&grounds, pool, &timeline, &levels));
    let sufferers = outcome::sufferers(&rows);
    let course = Course {
        timelines: (&timeline, &fine),
        grounds: &grounds,
        pools: &pools,
        images: &images,
        outages: &outages,
        speaking: pool,
        suspect: &suspect,
    };
    let (over_time, finely) = course.over_time(&sufferers);
    let listed_over_time = listed_over_time(&grounds, &pools, pool);
    let assurances = assurance::assurances(&grounds, &judgement, &evidence);
    let symptoms = Symptoms::gather(&grounds);
    let found = Found {
        suspect: &suspect,
        others: &others,
        holders: &holders,
        images: &images,
        is_room_made: room_made.is_some(),
    };
    let situation = Situation::gather(&grounds, state, unexplained.as_deref(), found);
    let recommendations = recommend(&situation, &symptoms);
    let known = known::known_causes(&grounds, &symptoms, advice::has_hns(&side));
    let alternatives = alternatives(&symptoms);
    let failures = failures::failures(&findings, &evidence);
    let procedure = procedure::rows(&findings, &side, &rows);
    let is_said_by_log_alone = !traces.is_empty() && judgement.is_said_by_log_alone();
    let outside = outside::outside(&grounds);
    let mostly_excluded = excluded::mostly_excluded(&side);
    let notes = notes::notes(notes, &grounds);
    Diagnosis {
        beside: beside::beside(&pools, &holders, &images),
        outages_apart: outages::apart(&outages),
        most_handles: procedure::most_handles(&procedure),
        is_said_by_log_alone,
        suspect,
        others,
        room_made,
        closes_older,
        filling_again,
        failure_span: failure_span(&findings, &rows),
        victims: victims(&rows),
        sufferers,
        has_names: rows.rows.iter().any(|row| row.image.is_some()),
        destinations: destinations::destinations(&findings, &side),
        address_use: destinations::address_use(&side),
        trends: trends_of(&findings, &side, &rows),
        processes: rows.rows,
        system_events: events,
        judgement,
        pool,
        traces,
        findings,
        side,
        side_inputs,
        pools,
        holders,
        outages,
        images,
        unexplained,
        failures,
        levels,
        over_time,
        finely,
        listed_over_time,
        timeline,
        outside,
        mostly_excluded,
        procedure,
        assurances,
        alternatives,
        recommendations,
        known,
        notes,
    }
}

/// Processes with many sockets whose ports nothing tells, most sockets first.
fn counted_sockets(side: &SideFacts, findings: &Findings, rows: &Rows) -> Vec<SocketsOnly> {
    let last_of_pid = last_of_pid(findings.world.processes.processes());
    let subject = |pid: u32| last_of_pid.get(&pid).map_or(Subject::Listed(pid), |index| Subject::Process(*index));
    let row = |(pid, (sockets, counted_by)): (u32, (u64, CountedBy))| {
        Some(SocketsOnly { process: *rows.index.get(&subject(pid))?, sockets, counted_by })
    };
    let mut all: Vec<SocketsOnly> = many_sockets(side).into_iter().filter_map(row).collect();
    all.sort_by_key(|seen| (std::cmp::Reverse(seen.sockets), seen.process));
    all
}

/// The pool that a timeline shows: the one that speaks, or without one the one that was fullest.
fn levels_pool(speaking: Option<usize>, pools: &[PoolFinding]) -> Option<&PoolFinding> {
    let fullness = |pool: &PoolFinding| u64::from(pool.occupied_peak.1) * 10_000 / u64::from(pool.range.count.max(1));
    let fullest = || pools.iter().rev().max_by_key(|pool| fullness(pool));
    speaking.and_then(|index| pools.get(index)).or_else(fullest)
}

fn victims(rows: &Rows) -> Vec<usize> {
    let failed = rows.rows.iter().enumerate().filter(|(_, row)| row.bind_failures > 0);
    failed.map(|(index, _)| index).collect()
}

fn failure_span(findings: &Findings, rows: &Rows) -> (Option<FileTime>, Option<FileTime>) {
    let transport = &findings.world.ports.transport;
    let is_refused = transport.refusals.values().any(|refusals| refusals.binds + refusals.connects > 0);
    let refused = transport.refusal_span.filter(|_| is_refused);
    let first = rows.rows.iter().filter_map(|row| row.first_failure).min();
    let last = rows.rows.iter().filter_map(|row| row.last_failure).max();
    (first.or(refused.map(|(first, _)| first)), last.or(refused.map(|(_, last)| last)))
}

fn trends_of(findings: &Findings, side: &SideFacts, rows: &Rows) -> Vec<(Trend, Option<usize>)> {
    let last_of_pid = last_of_pid(findings.world.processes.processes());
    let subject = |pid: u32| last_of_pid.get(&pid).map_or(Subject::Listed(pid), |index| Subject::Process(*index));
    let process = |trend: &Trend| trend.pid.and_then(|pid| rows.index.get(&subject(pid)).copied());
    trends(&side.listings).into_iter().map(|trend| (trend.clone(), process(&trend))).collect()
}
