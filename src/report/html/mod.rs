//! The report for readers with a browser: one file, which works from disk, asks no network, and is whole without scripts.
//!
//! Nothing is computed here but where things lie. Templates escape what they print; the content security policy allows the
//! one script and the styles by their hashes. Cells name the JSON pointer of their value (`data-ptr`): whole where it
//! begins with a slash, else behind that of their row; what all cells of a column have beside their row stands at its heading.

mod band;
mod cell;
mod codes;
mod picture;
pub(crate) mod policy;
mod tables;

use std::io::{self, Write};

use askama::Template;

use self::band::{Band, Figures};
use self::cell::{SPARK_HEIGHT, SPARK_WIDTH, Table};
use self::codes::Explained;
use self::picture::{Figure, Shape};
use super::summary::{NextStep, PoolHolders};
use super::wording::{place, sentence_start};
use super::{Assurance, Report};
use crate::diagnosis::alternatives::Standing;
use crate::diagnosis::codes::{AlternativeCode, ReasonCode};
use crate::diagnosis::suspect::Suspect;
use crate::event::base_name;
use crate::time::Zone;
use crate::words::{counted, grouped, shown};

/// Tables, copying, zones of time.
const SCRIPT: &str = concat!(
    "\"use strict\";\n",
    include_str!("script/times.js"),
    include_str!("script/tables.js"),
    include_str!("script/commands.js"),
    include_str!("script/pictures.js"),
);

/// How it looks, on screens and on paper.
const STYLE: &str =
    concat!(include_str!("style/page.css"), include_str!("style/picture.css"), include_str!("style/print.css"));

/// Writes the report.
///
/// # Errors
///
/// The [`io::Error`] of `out`, as it is.
pub fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let page = Page::new(report);
    let text = page.render().map_err(io::Error::other)?;
    out.write_all(text.as_bytes())
}

/// What the template prints.
#[derive(Template)]
#[template(path = "page.html", config = "src/report/html/askama.toml")]
struct Page {
    policy: String,
    style: &'static str,
    /// The styles of this report: its name in the margin of paper.
    margin: String,
    script: &'static str,
    band: Band,
    figures: Figures,
    /// Minutes that the times of the page are ahead of UTC.
    ahead: i32,
    /// The same of the server's clock.
    server_ahead: Option<i32>,
    pools: Vec<Figure>,
    /// The same as listings show it.
    listings: Vec<Figure>,
    /// Why there is no picture; empty where there is one.
    why_no_picture: &'static str,
    held: Vec<Figure>,
    outages: Option<Table>,
    holds: Vec<Holds>,
    sufferers: Option<Table>,
    /// Whether failures would have been seen.
    tells_failures: bool,
    failed: Option<Figure>,
    destinations: Option<Figure>,
    pool_table: Option<Table>,
    listed: Vec<(&'static str, Table)>,
    steps: Vec<NextStep>,
    sure: Vec<Ground>,
    alternatives: Vec<Others>,
    known: Vec<KnownCause>,
    evidence: Vec<String>,
    read: Vec<Table>,
    notes: Vec<String>,
    processes: Option<Table>,
    explained: Vec<Explained>,
    tool: String,
}

/// The holders of a pool: images, processes, and what nobody holds.
struct Holds {
    name: Option<String>,
    explanation: String,
    images: Option<Table>,
    processes: Option<Table>,
    /// An image speaks for its processes.
    is_folded: bool,
    rest: Vec<String>,
}

/// Something that speaks for the verdict, or against it.
struct Ground {
    sign: &'static str,
    word: &'static str,
    text: String,
    code: Option<(&'static str, &'static str)>,
}

/// Other causes of one standing.
struct Others {
    title: &'static str,
    sign: &'static str,
    /// Text and code of each.
    causes: Vec<(String, AlternativeCode)>,
}

/// A known cause.
struct KnownCause {
    code: &'static str,
    text: String,
    trust: &'static str,
    sources: Vec<Source>,
}

/// Where something is from.
pub(super) struct Source {
    text: String,
    /// Only `https` is followed.
    is_link: bool,
}

impl Source {
    fn new(text: &str) -> Self {
        Self { text: shown(text), is_link: text.starts_with("https://") }
    }
}

impl Page {
    fn new(report: &Report) -> Self {
        let margin = margin(report);
        let (pools, listings) = (picture::pools(report), picture::listings(report));
        let safe = |step: NextStep| NextStep {
            text: shown(&step.text),
            commands: step.commands.iter().map(|command| shown(command)).collect(),
            undo: step.undo.as_deref().map(shown),
            ..step
        };
        let steps = report.first_steps().into_iter().chain(report.next_steps()).map(safe).collect();
        Self {
            policy: policy::policy(Some(SCRIPT), &[STYLE, &margin]),
            style: STYLE,
            margin,
            script: SCRIPT,
            band: Band::new(report),
            figures: Figures::new(report),
            ahead: report.zone.ahead_minutes(),
            server_ahead: report.server_zone().map(Zone::ahead_minutes),
            why_no_picture: if pools.is_empty() && listings.is_empty() { why_no_picture(report) } else { "" },
            pools,
            listings,
            held: picture::holders(report),
            outages: tables::outages(report),
            holds: report.pool_holders().iter().map(|of_pool| holds(report, of_pool)).collect(),
            sufferers: tables::sufferers(report),
            tells_failures: band::tells_failures(report),
            failed: picture::victims(report),
            destinations: picture::destinations(report),
            pool_table: tables::pools(report),
            listed: listed(report),
            steps,
            sure: sure(report),
            alternatives: alternatives(report),
            known: known(report),
            evidence: evidence(report),
            read: [
                tables::traces(report),
                tables::side_files(report),
                tables::ranges(report),
                tables::excluded(report),
                tables::unknown_versions(report),
            ]
            .into_iter()
            .flatten()
            .collect(),
            notes: report.coverage.notes.iter().map(|note| shown(note)).collect(),
            processes: tables::all_processes(report),
            explained: codes::explained(report),
            tool: format!("{} {}", report.tool.name, report.tool.version),
        }
    }
}

/// The name of the case and the day, in the margin of each page of paper.
fn margin(report: &Report) -> String {
    let first = report.traces.first();
    let name = first.map(|trace| trace.path.as_str()).or(report.side_inputs.first().map(|side| side.path.as_str()));
    let day = first.and_then(|trace| trace.started).map(|time| report.zone.date(time)).unwrap_or_default();
    let name: String = shown(base_name(name.unwrap_or(""))).chars().take(80).collect();
    let text = policy::css_string(&format!("{name}  {day}"));
    format!("@page {{ @bottom-left {{ content: {text}; font: 9pt system-ui, sans-serif; }} }}")
}

/// Why nothing shows how ports were used over time.
fn why_no_picture(report: &Report) -> &'static str {
    let kinds = || report.side_inputs.iter().filter(|side| side.used).map(|side| side.kind);
    if !report.pools_over_time.is_empty() {
        "There is no picture: the trace is too short for one."
    } else if !report.traces.is_empty() {
        "There is no picture: the trace shows no use of ports over time."
    } else if kinds().any(|kind| kind == "netstat_loop") {
        "There is no picture: the listings are several, but not all say when they were taken, or they show few ports of a pool."
    } else if kinds().any(|kind| kind.starts_with("net")) {
        "There is no picture: no trace was given, and a single listing shows one moment. A trace, or a loop of netstat with times, \
         shows how it came about."
    } else {
        "There is no picture: neither a trace nor listings of sockets were given."
    }
}

fn holds(report: &Report, of_pool: &PoolHolders) -> Holds {
    Holds {
        name: of_pool.name.clone(),
        explanation: sentence_start(&of_pool.explanation),
        images: tables::images(report, of_pool),
        processes: tables::holders(report, of_pool),
        is_folded: matches!(report.verdict.suspect, Suspect::Image(_) | Suspect::Images(_))
            && report.verdict.pool == Some(of_pool.pool),
        rest: of_pool.rest.iter().map(|text| sentence_start(text)).collect(),
    }
}

/// Tables of what listings tell, each with its title.
fn listed(report: &Report) -> Vec<(&'static str, Table)> {
    let tables = [
        ("Trend", tables::trends(report)),
        ("As the classic procedure looks", tables::procedure(report)),
        ("In use by local address", tables::address_use(report)),
        ("Other failures", tables::other_failures(report)),
    ];
    tables.into_iter().filter_map(|(title, table)| Some((title, table?))).collect()
}

fn sure(report: &Report) -> Vec<Ground> {
    let how_sure = report.how_sure();
    let plain = |sign, word, text: &str| Ground { sign, word, text: shown(text), code: None };
    let mut grounds = Vec::new();
    let reasons = |doubt: bool| report.verdict.reasons.iter().filter(move |reason| reason.code.is_doubt() == doubt);
    let agrees = |text: &&String, assurance: &Assurance| {
        matches!(assurance, Assurance::TransportAgrees { .. }).then(|| (*text).clone())
    };
    let told = how_sure.iter().flat_map(|how_sure| how_sure.assurances.iter().zip(&report.verdict.assurances));
    // What TCP/IP refused is said once, with its code.
    let agreement = told.clone().find_map(|(text, assurance)| agrees(&text, assurance));
    let coded = |sign, word, reason: &crate::diagnosis::verdict::Reason| {
        let agreement = agreement.as_ref().filter(|_| reason.code == ReasonCode::TcpipRefusals);
        let code = Some(("reason", reason.code.as_str()));
        Ground { sign, word, text: shown(agreement.unwrap_or(&reason.text)), code }
    };
    grounds.extend(reasons(false).map(|reason| coded("+", "for it", reason)));
    if let Some(how_sure) = &how_sure {
        let is_coded = reasons(false).any(|reason| reason.code == ReasonCode::TcpipRefusals);
        let is_new = |text: &String| !(is_coded && agreement.as_ref() == Some(text));
        let for_it = how_sure.assurances.iter().filter(|text| is_new(text)).chain(&how_sure.events);
        grounds.extend(for_it.map(|text| plain("+", "for it", text)));
        grounds.extend(how_sure.events_outside.iter().map(|text| plain("·", "beside it", text)));
    }
    grounds.extend(reasons(true).map(|reason| coded("−", "against it", reason)));
    if let Some(how_sure) = &how_sure {
        let is_coded = |text: &&String| report.verdict.reasons.iter().any(|reason| reason.text == **text);
        let others = how_sure.doubts.iter().filter(|text| !is_coded(text)).chain(&how_sure.notes);
        grounds.extend(others.map(|text| plain("−", "against it", text)));
    }
    grounds
}

fn alternatives(report: &Report) -> Vec<Others> {
    let of = |(standing, title, sign)| Others {
        title,
        sign,
        causes: report
            .ruled_out
            .iter()
            .filter(|other| other.standing == standing)
            .map(|other| (shown(&other.text), other.code))
            .collect(),
    };
    let all = [
        (Standing::RuledOut, "Ruled out", "−"),
        (Standing::Seen, "Also seen", "+"),
        (Standing::Unknown, "Not known", "?"),
    ];
    all.map(of).into_iter().filter(|others| !others.causes.is_empty()).collect()
}

fn known(report: &Report) -> Vec<KnownCause> {
    let cause = |known: &crate::diagnosis::known::Known| KnownCause {
        code: known.code,
        text: shown(&known.text),
        trust: known.trust.phrase(),
        sources: known.source.iter().map(|source| Source::new(source)).collect(),
    };
    report.known.iter().map(cause).collect()
}

fn evidence(report: &Report) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(first) = &report.evidence {
        let name = first.event_name.unwrap_or("unknown event");
        lines.push(format!(
            "First failure: {}event {} ({name}), endpoint {}",
            place(first, &report.side_inputs),
            first.event_id,
            first.endpoint
        ));
        lines.push(format!("The same in Network Monitor: {}", super::text::NETWORK_MONITOR_FILTER));
    }
    let coverage = &report.coverage;
    if !report.traces.is_empty() {
        lines.push(format!(
            "Read: {}, {} of them damaged, {}: {} decoded, {} not needed, {} unknown, {} malformed",
            counted(coverage.buffers, "buffer"),
            grouped(coverage.buffers_damaged),
            counted(coverage.records, "record"),
            grouped(coverage.records_decoded),
            grouped(coverage.records_skipped),
            grouped(coverage.records_unknown),
            grouped(coverage.records_malformed),
        ));
    }
    lines
}
