//! Case in, report out: the one way in for the command line, the page in a browser, tests, fuzz targets and benchmarks.
//!
//! ```no_run
//! use outofports::{Case, Format, NoProgress, Options};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let case = Case::from_paths(["case-folder/"])?;
//! let analyzed = outofports::analyze(&case, &Options::default(), &NoProgress)?;
//! println!("{:?}", analyzed.report.verdict.state);
//! analyzed.report.write(Format::Json, &mut std::io::stdout())?;
//! for input in &analyzed.unusable {
//!     eprintln!("{input}");
//! }
//! # Ok(())
//! # }
//! ```

use std::collections::{BTreeMap, BTreeSet, HashSet};

use etl_parser::{Guid, Record, Trace};

use crate::case::facts::TraceFacts;
use crate::case::{Case, Contents, Error, NotUsed, Opened, boots};
use crate::diagnosis::{Facts, diagnose};
use crate::event::{EventMeta, LoggedEvent, NetEvent};
use crate::machine::ranges::{PoolRange, PoolRanges};
use crate::machine::{Analysis, Setting};
use crate::pipeline::coverage::Coverage;
use crate::pipeline::{Logs, Observer, Once, Threads, replay, speaking};
use crate::progress::Progress;
use crate::providers::afd;
use crate::report::Report;
use crate::side::facts::SideFacts;
use crate::time::{FileTime, joined};
use crate::words::counted;

/// Provider GUIDs of a trace that are told apart. A capture of everything has some hundred; damage can make up one for each
/// record.
const MAX_PROVIDERS: usize = 1 << 16;

/// How a case is analyzed. The default: what the inputs say, on all processors.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Options {
    /// Threads that read; 0 for one on each processor. The report is the same for any number.
    pub threads: usize,
    /// The dynamic port range of all pools, instead of what listings say.
    pub pool: Option<PoolRange>,
}

/// What became of a case.
#[derive(Debug)]
#[non_exhaustive]
pub struct Analyzed {
    /// The report.
    pub report: Report,
    /// What was named and could not be used.
    pub unusable: Vec<NotUsed>,
    /// Everything could be used: nothing is unusable, no trace is damaged.
    pub is_complete: bool,
    /// Traces read.
    pub traces: usize,
    /// Their size, unpacked, in bytes.
    pub bytes: u64,
}

/// Analyzes a case.
///
/// # Errors
///
/// [`Error::NothingToRead`] where the case holds neither a trace nor a side file that is known, [`Error::Stopped`] where
/// `progress` says so, [`Error::Threads`] where the system gives none.
pub fn analyze(case: &Case, options: &Options, progress: &dyn Progress) -> Result<Analyzed, Error> {
    let threads = Threads::start(options.threads)?;
    let contents = Contents::open(case, progress)?;
    let analyzed = threads.run(|| analyze_contents(&contents, options, progress));
    threads.run(|| contents.unmap());
    analyzed
}

fn analyze_contents(contents: &Contents, options: &Options, progress: &dyn Progress) -> Result<Analyzed, Error> {
    let Opened { traces: opened, unusable, mut notes } = contents.index();
    if opened.is_empty() && !contents.side_inputs.iter().any(|side| side.used) {
        return Err(Error::NothingToRead { unusable, notes });
    }
    let (labels, traces): (Vec<_>, Vec<_>) =
        opened.into_iter().map(|opened| ((opened.path, opened.input), opened.trace)).unzip();
    let boots = boots::boots(&traces);
    // Of a trace alone it does not matter beforehand.
    let speaking = if traces.len() > 1 { speaking(&traces, progress)? } else { vec![true] };
    let plan = Plan::new(&traces, &boots, &speaking);
    let logged = logged(&contents.side);
    let ranges = PoolRanges::new(options.pool, &contents.side.dynamic_ports);
    let watch = || Watched {
        analysis: Analysis::new(Setting { boots: boots.clone(), bounds: plan.bounds(&logged), ranges }),
        providers: vec![BTreeSet::new(); traces.len()],
        logs: Logs::new(&logged),
        once: plan.overlap.then(Once::default),
        plan: &plan,
    };
    let (watched, coverages) = replay(&traces, &boots::by_boot(&boots, &traces), progress, watch)?;
    let Watched { mut analysis, providers, mut logs, once, .. } = watched;
    logs.rest(|meta, event| analysis.observe(meta, event));
    let logs = logs.read;
    if logs.repeated > 0 {
        let count = counted(logs.repeated, "event");
        notes.push(format!("{count} of the log of Winsock-AFD's channel are of the time of the traces, which tell them too: counted once"));
    }
    if let Some(repeated) = once.map(|once| once.repeated).filter(|repeated| *repeated > 0) {
        let count = counted(repeated, "event");
        notes.push(format!("{count} stand in two traces of the case: counted once"));
    }
    notes.extend(unusable.iter().map(|not_used| format!("{not_used}; not used")));
    if providers.iter().any(|providers| providers.len() > MAX_PROVIDERS) {
        notes.push(format!("a trace names more than {MAX_PROVIDERS} providers: the rest are not counted"));
    }
    let several = plan.speaking_boots();
    if several > 1 {
        notes.push(format!(
            "the traces are of {several} machines, or starts of one: each is followed by itself, and of a pool the fullest is shown"
        ));
    }
    let is_complete = unusable.is_empty() && coverages.iter().all(Coverage::is_whole);
    let facts = labels.into_iter().zip(traces.iter().zip(coverages.into_iter().zip(providers)));
    let facts = facts.map(|((path, input), (trace, (coverage, providers)))| TraceFacts {
        input,
        ..TraceFacts::new(path, trace, coverage, providers.len() as u64)
    });
    let facts = facts.collect();
    let (count, bytes) = (traces.len(), traces.iter().map(|trace| trace.bytes().len() as u64).sum());
    // What is left to do needs memory too, and no trace.
    drop(traces);
    let report = Report::new(diagnose(Facts {
        traces: facts,
        findings: analysis.finish(),
        side: contents.side.clone(),
        side_inputs: contents.side_inputs.clone(),
        logs,
        notes,
    }));
    Ok(Analyzed { report, unusable, is_complete, traces: count, bytes })
}

/// What is known of the traces of a case beside each other.
struct Plan<'t, 'a> {
    traces: &'t [Trace<'a>],
    boots: &'t [usize],
    /// Those that tell something about sockets or ports; all, where none does.
    speaking: Vec<bool>,
    /// Those whose events belong to the machine that the case is about: they tell about ports, or are of the same start as one
    /// that does. Another one's processes would give names to foreign PIDs.
    belonging: Vec<bool>,
    /// Two of these may tell of the same events.
    overlap: bool,
}

impl<'t, 'a> Plan<'t, 'a> {
    fn new(traces: &'t [Trace<'a>], boots: &'t [usize], speaking: &[bool]) -> Self {
        let any = speaking.contains(&true);
        let speaking: Vec<bool> = speaking.iter().map(|speaks| *speaks || !any).collect();
        let mut of_boots = BTreeMap::new();
        for boot in boots.iter().zip(&speaking).filter(|(_, speaks)| **speaks).map(|(boot, _)| boot) {
            *of_boots.entry(*boot).or_insert(0_usize) += 1;
        }
        let overlap = of_boots.values().any(|traces| *traces > 1);
        let belonging = boots.iter().map(|boot| of_boots.contains_key(boot)).collect();
        Self { traces, boots, speaking, belonging, overlap }
    }

    fn speaks(&self, trace: usize) -> bool {
        self.speaking.get(trace).copied().unwrap_or(true)
    }

    fn boot(&self, trace: usize) -> usize {
        self.boots.get(trace).copied().unwrap_or_default()
    }

    fn belongs(&self, trace: usize) -> bool {
        self.belonging.get(trace).copied().unwrap_or(true)
    }

    /// Starts of machines that the traces tell of.
    fn speaking_boots(&self) -> usize {
        let boots = (0..self.traces.len()).filter(|trace| self.speaks(*trace)).map(|trace| self.boot(trace));
        boots.collect::<BTreeSet<usize>>().len()
    }

    /// Start and end of these traces and of the logs beside them, where all of them tell both.
    fn bounds(&self, logged: &[LoggedEvent]) -> Option<(FileTime, FileTime)> {
        let speaking = (0..).zip(self.traces).filter(|(number, _)| self.speaks(*number)).map(|(_, trace)| trace);
        let of_log = logged.first().map(|first| first.time).zip(logged.last().map(|last| last.time));
        if self.traces.is_empty() {
            return of_log;
        }
        boots::bounds(speaking).and_then(|bounds| joined(Some(bounds), of_log))
    }
}

/// The socket events of all logs, each once, by time.
fn logged(side: &SideFacts) -> Vec<LoggedEvent> {
    let mut logged = side.socket_events.clone();
    logged.sort_by_key(|event| (event.time, event.entry.record, event.entry.source));
    // Two exports of one channel have many entries in common.
    logged.dedup_by(|later, first| {
        (later.time, later.entry.record, later.event) == (first.time, first.entry.record, first.event)
    });
    logged
}

/// The state of the machine, and the providers that each trace names.
struct Watched<'p> {
    analysis: Analysis,
    providers: Vec<BTreeSet<Guid>>,
    logs: Logs<'p>,
    /// Where traces may tell of the same events.
    once: Option<Once>,
    plan: &'p Plan<'p, 'p>,
}

/// Providers of a buffer.
#[derive(Default)]
struct Seen {
    providers: HashSet<Guid>,
    last: Option<Guid>,
}

impl Observer for Watched<'_> {
    type Notes = Seen;

    fn look(seen: &mut Seen, record: &Record<'_>) {
        let guid = record.header_guid();
        if guid != seen.last {
            seen.last = guid;
            seen.providers.extend(guid);
        }
    }

    fn add(&mut self, trace: usize, seen: Seen) {
        let Some(providers) = self.providers.get_mut(trace) else { return };
        for provider in seen.providers.into_iter().filter(|provider| *provider != afd::PROVIDER) {
            // One more shows that there are too many.
            if providers.len() <= MAX_PROVIDERS {
                providers.insert(provider);
            }
        }
    }

    fn observe(&mut self, meta: &EventMeta, event: &NetEvent) {
        let trace = usize::from(meta.place.trace);
        if !self.plan.belongs(trace) {
            return;
        }
        let boot = self.plan.boot(trace);
        if self.once.as_mut().is_some_and(|once| !once.is_first(meta, boot, event)) {
            return;
        }
        self.logs.before(meta, event, |meta, event| self.analysis.observe(meta, event));
        self.analysis.observe(meta, event);
    }
}
