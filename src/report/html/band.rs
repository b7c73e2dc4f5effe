//! The first screen: the answer in words, and four numbers.

use super::{Report, Source};
use crate::diagnosis::state::State;
use crate::diagnosis::suspect::Suspect;
use crate::report::PoolRow;
use crate::report::html::cell::Cell;
use crate::report::wording::{machine, percent_of, sentence_start, span};
use crate::words::{grouped, shown};

/// The answer in words.
pub(super) struct Band {
    /// Title of the page.
    pub(super) title: String,
    /// The state, for its colour.
    pub(super) state: &'static str,
    /// A sign that stands with the colour.
    pub(super) sign: &'static str,
    /// `Port exhaustion: yes, TCP over IPv4`.
    pub(super) headline: String,
    /// `Confidence: high`; empty where nothing can be told.
    pub(super) confidence: String,
    /// What was read, a line each.
    pub(super) inputs: Vec<String>,
    /// The sentences of the first screen; the first one matters most.
    pub(super) sentences: Vec<String>,
    /// What weakens them.
    pub(super) doubts: Vec<String>,
    /// Known causes, each with its sources.
    pub(super) hints: Vec<(String, Vec<Source>)>,
}

impl Band {
    pub(super) fn new(report: &Report) -> Self {
        let headline = report.headline();
        let answer = headline.answer.to_lowercase();
        let pools = if headline.pools.is_empty() { String::new() } else { format!(", {}", headline.pools) };
        let line = format!("Port exhaustion: {answer}{pools}");
        let traces = report.traces.iter().map(|trace| {
            let parts = [Some(shown(&trace.path)), Some(machine(trace)), span(trace, report.zone)];
            parts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
        });
        let mut inputs: Vec<String> = traces.collect();
        if let Some(files) = report.files_without_trace() {
            let files: Vec<String> = files.into_iter().map(shown).collect();
            inputs.push(format!("no trace; side files: {}", files.join(", ")));
        }
        inputs.extend(report.counted_sentence());
        let first = report.traces.first().map(|trace| trace.path.as_str());
        let name = first.map(|path| format!(" – {}", shown(crate::event::base_name(path)))).unwrap_or_default();
        let hints = report.hints().0;
        let hint = |hint: crate::report::first_screen::Hint| {
            (shown(&hint.text), hint.sources.iter().map(|source| Source::new(source)).collect())
        };
        Self {
            title: format!("{line}{name}"),
            state: headline.state.as_str(),
            sign: match headline.state {
                State::Exhausted => "✖",
                State::Near => "▲",
                State::NotSeen => "✔",
                State::CannotTell => "?",
            },
            headline: line,
            confidence: sentence_start(headline.confidence),
            inputs,
            sentences: report.answer().iter().map(|sentence| shown(sentence)).collect(),
            doubts: report.first_doubts().into_iter().map(shown).collect(),
            hints: hints.into_iter().map(hint).collect(),
        }
    }
}

/// The four numbers.
pub(super) struct Figures {
    pub(super) all: Vec<Number>,
}

/// A number, what it counts, and where its evidence stands.
pub(super) struct Number {
    pub(super) title: &'static str,
    pub(super) cells: Vec<Cell>,
    pub(super) note: String,
    pub(super) link: &'static str,
}

/// What stands where nothing is told.
const NOT_TOLD: &str = "not told";

impl Figures {
    pub(super) fn new(report: &Report) -> Self {
        Self { all: vec![failed(report), when(report), holder(report), left(report)] }
    }
}

/// Whether failures would have been seen: only then is none an answer.
pub(super) fn tells_failures(report: &Report) -> bool {
    report.verdict.state != State::CannotTell && report.traces.iter().any(|trace| trace.speaks)
}

fn failed(report: &Report) -> Number {
    let failures = &report.failures;
    let cell = if failures.binds > 0 || tells_failures(report) {
        Cell::number(failures.binds).at("/failures/binds")
    } else {
        Cell::text(NOT_TOLD)
    };
    let connects = failures.connects;
    Number {
        title: "Failed binds",
        cells: vec![cell],
        note: if connects > 0 { format!("and {} failed connects", grouped(connects)) } else { String::new() },
        link: "#suffered",
    }
}

fn when(report: &Report) -> Number {
    let verdict = &report.verdict;
    let cells = match (verdict.first_failure, verdict.last_failure) {
        (Some(first), Some(last)) => vec![
            Cell::clock(Some(first), report.zone).at("/verdict/first_failure"),
            Cell::clock(Some(last), report.zone).at("/verdict/last_failure"),
        ],
        _ => vec![Cell::text(if tells_failures(report) { "none" } else { NOT_TOLD })],
    };
    Number { title: "First and last failure", cells, note: String::new(), link: "#over-time" }
}

fn holder(report: &Report) -> Number {
    let of = |pool: usize| report.pools.get(pool).map_or(0, |pool| pool.count);
    let process = |index: usize| {
        let holder = report.holders.get(index)?;
        let name = report.processes.get(holder.process).map(crate::report::wording::who)?;
        Some((Cell::share(holder.ports, of(holder.pool)).at(format!("/holders/{index}/share_of_pool")), name))
    };
    let image = |index: usize| {
        report.images.get(index).map(|image| {
            let share = Cell::share(image.ports, of(image.pool)).at(format!("/images/{index}/share_of_pool"));
            (share, format!("{} processes of {}", grouped(image.processes), shown(&image.image)))
        })
    };
    let told = match report.verdict.suspect {
        Suspect::Process(index) | Suspect::Kernel(index) => process(index),
        Suspect::Processes(ref holders) => holders.first().and_then(|index| process(*index)).map(|(cell, name)| {
            let others = grouped(holders.len().saturating_sub(1) as u64);
            (cell, format!("{name}; {others} more with nearly as many"))
        }),
        Suspect::Image(index) => image(index),
        Suspect::Images(ref images) => images.first().and_then(|index| image(*index)).map(|(cell, name)| {
            let others = grouped(images.len().saturating_sub(1) as u64);
            (cell, format!("{name}; {others} more programs with nearly as many"))
        }),
        Suspect::TimeWait(waiting) => {
            let share = percent_of(waiting.ports, of(waiting.pool));
            let pointer = "/verdict/suspect/time_wait/share_of_pool";
            Some((Cell::text(share).at(pointer), "closed connections in TIME_WAIT".to_owned()))
        }
        Suspect::Nobody => process(0),
        Suspect::Sockets(_) | Suspect::NotShown => None,
    };
    let (cell, note) = told.unwrap_or_else(|| {
        let is_none = report.verdict.state == State::NotSeen && report.holders.is_empty();
        (Cell::text(if is_none { "nobody" } else { "not shown" }), String::new())
    });
    Number { title: "Largest holder's share", cells: vec![cell], note, link: "#holds" }
}

fn left(report: &Report) -> Number {
    // Without a pool that speaks, the fullest.
    let fullness = |pool: &PoolRow| u64::from(pool.occupied_peak) * 1_000_000 / u64::from(pool.count.max(1));
    let fullest =
        || report.pools.iter().enumerate().rev().max_by_key(|(_, pool)| fullness(pool)).map(|(index, _)| index);
    let index = report.verdict.pool.or_else(fullest);
    let pool = index.and_then(|index| Some((index, report.pools.get(index)?)));
    let (cell, note) = match pool {
        Some((index, pool)) if pool.left_at_end.is_some() => {
            let cell = Cell::optional(pool.left_at_end).at(format!("/pools/{index}/left_at_end"));
            (cell, format!("of {} in {}", grouped(pool.count.into()), pool.name()))
        }
        _ => (Cell::text(NOT_TOLD), String::new()),
    };
    let title = if report.traces.is_empty() { "Ports left when fullest" } else { "Ports left at the end" };
    Number { title, cells: vec![cell], note, link: "#pools-now" }
}
