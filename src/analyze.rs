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

use std::collections::BTreeSet;

use etl_parser::{Guid, Record};

use crate::case::facts::TraceFacts;
use crate::case::{Case, Contents, Error, NotUsed, Opened};
use crate::diagnosis::{Facts, diagnose};
use crate::event::{EventMeta, NetEvent};
use crate::machine::ranges::{PoolRange, PoolRanges};
use crate::machine::sources::{Followed, Follower, Sources};
use crate::machine::window::Window;
use crate::machine::wire::{self, Wire};
use crate::pipeline::coverage::Coverage;
use crate::pipeline::{Observer, Threads, replay};
use crate::progress::Progress;
use crate::providers::afd;
use crate::providers::packets::ndis;
use crate::report::Report;
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
    /// What is counted; state is followed from the beginning.
    pub window: Window,
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
    /// Files that sentences of the report may name: inputs, traces, and what was not used.
    pub names: Vec<String>,
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

/// As [`analyze()`], of what was opened already, on the threads of the caller's pool: for callers that ask more than once.
///
/// # Errors
///
/// As [`analyze()`].
pub fn analyze_contents(contents: &Contents, options: &Options, progress: &dyn Progress) -> Result<Analyzed, Error> {
    let Opened { traces: opened, unusable, mut notes } = contents.index();
    if opened.is_empty() && !contents.side_inputs.iter().any(|side| side.used) {
        notes.extend(contents.reasons_of_unused(&unusable));
        return Err(Error::NothingToRead { unusable, notes });
    }
    let (labels, traces): (Vec<_>, Vec<_>) =
        opened.into_iter().map(|opened| ((opened.path, opened.input), opened.trace)).unzip();
    let sources = Sources::of(&traces, &contents.side, progress)?;
    let ranges = PoolRanges::new(options.pool, &contents.side.dynamic_ports);
    let watch = || Watched {
        follower: Follower::new(&sources, ranges, options.window),
        providers: vec![BTreeSet::new(); traces.len()],
    };
    let (watched, coverages) = replay(&traces, sources.groups(), progress, watch)?;
    let Watched { follower, providers } = watched;
    let (findings, (), Followed { logs, repeated }) = follower.finish();
    if logs.repeated > 0 {
        let count = counted(logs.repeated, "event");
        notes.push(format!("the traces also hold {count} of the log of the Winsock-AFD channel: counted once"));
    }
    if repeated > 0 {
        notes.push(format!("two traces of the case hold the same {}: counted once", counted(repeated, "event")));
    }
    notes.extend(unusable.iter().map(|not_used| format!("{not_used}; not used")));
    if providers.iter().any(|providers| providers.len() > MAX_PROVIDERS) {
        notes.push(format!("a trace names more than {MAX_PROVIDERS} providers: the rest are not counted"));
    }
    let several = sources.starts();
    if several > 1 {
        notes.push(format!(
            "the traces are from {several} machines, or starts of one machine: each is followed on its own, and of each pool the fullest is shown"
        ));
    }
    if sources.starts_inside(options.window) {
        notes.push(
            "the traces of several starts overlap with the beginning of what is counted: of the later ones, what was held before --since is not known"
                .to_owned(),
        );
    }
    let is_told = coverages.iter().any(Coverage::speaks) || logs.used > 0;
    let has_packets = providers.iter().any(|providers| providers.contains(&ndis::PROVIDER));
    let wire = if has_packets && !is_told { wire::follow(&traces, options.window, progress)? } else { Wire::default() };
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
        findings,
        side: contents.side.clone(),
        side_inputs: contents.side_inputs.clone(),
        logs,
        wire,
        notes,
    }));
    Ok(Analyzed { report, unusable, is_complete, names: contents.names(), traces: count, bytes })
}

/// The state of the machine, and the providers that each trace names.
struct Watched<'s> {
    follower: Follower<'s>,
    providers: Vec<BTreeSet<Guid>>,
}

/// Providers of a buffer: each at least once, and not more often than it has records.
#[derive(Default)]
struct Seen {
    providers: Vec<Guid>,
    last: Option<Guid>,
}

impl Seen {
    /// So many of the last ones are looked through, since the records of a few providers alternate.
    const RECENT: usize = 8;

    #[inline(never)]
    fn add(&mut self, provider: Option<Guid>) {
        self.last = provider;
        if let Some(provider) = provider
            && !self.providers.iter().rev().take(Self::RECENT).any(|known| *known == provider)
        {
            self.providers.push(provider);
        }
    }
}

impl Observer for Watched<'_> {
    type Notes = Seen;

    #[inline]
    fn look(seen: &mut Seen, record: &Record<'_>) {
        let guid = record.header_guid();
        if guid != seen.last {
            seen.add(guid);
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

    #[inline]
    fn observe(&mut self, meta: &EventMeta, event: &NetEvent) {
        self.follower.observe(meta, event);
    }
}
