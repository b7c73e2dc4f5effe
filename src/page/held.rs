//! The case that an instance holds, and what was found out about it.

use std::io::{self, Write};

use anstream::adapter::strip_bytes;
use etl_parser::Trace;
use outofports::analyze::analyze_contents;
use outofports::case::{Case, Contents, NotUsed, OpenedTrace};
use outofports::events::{self, CsvWriter, EventWriter, Filter, Learned, Listing, Names, NdjsonWriter, TextWriter};
use outofports::info;
use outofports::machine::ranges::PoolRange;
use outofports::pipeline::Threads;
use outofports::report::explain;
use outofports::report::{Format, csv};
use outofports::time::{FileTime, Zone};
use outofports::{Analyzed, Options};
use serde::Serialize;

use crate::asked::{self, Look, Request};
use crate::import::{Parts, Told};

/// Bytes of a long answer that are handed over at once.
const PART_BYTES: usize = 1 << 20;

/// What is held. An instance has one case, so that what was opened stays as long as it does.
#[derive(Default)]
pub(crate) struct Held {
    contents: Option<&'static Contents>,
    analyzed: Option<(Option<PoolRange>, Analyzed)>,
    found: Option<Found>,
}

/// The events that were asked for last.
struct Found {
    filter: Filter,
    look: Look,
    paths: Vec<String>,
    traces: Vec<Trace<'static>>,
    server_zone: Option<Zone>,
    learned: Learned,
    listing: Listing,
    lines: Lines,
}

/// The writers of lines on the screen: with names replaced, they remember what stands for what.
struct Lines {
    text: TextWriter,
    ndjson: NdjsonWriter,
}

/// What is to be known before a report is shown.
#[derive(Serialize)]
struct Summary<'a> {
    state: outofports::diagnosis::state::State,
    unusable: Vec<String>,
    begin: Option<FileTime>,
    knows_server_zone: bool,
    inputs: &'a [String],
}

/// What is to be known before lines are shown.
#[derive(Serialize)]
struct Count {
    events: usize,
    begin: Option<FileTime>,
    remarks: Vec<String>,
}

impl Held {
    /// Answers a request about a case. Gives whether everything could be used, or why there is no answer.
    pub(crate) fn answer(&mut self, case: &Case, request: Request, out: &mut Vec<u8>) -> Result<bool, String> {
        match request {
            Request::Analyze { pool } => self.summarize(case, &pool, out),
            Request::Report { pool, format, table, look } => {
                let format = asked::format(&format, &table)?;
                self.report(case, &pool, format, &look, out)
            }
            Request::Events { filter, look } => self.find(case, filter.filter()?, look, out),
            Request::Lines { format, from, count } => self.lines(&format, from, count, out),
            Request::EventFile { format } => self.event_file(&format, out),
            Request::Info { format, width, look } => self.info(case, &format, width, &look, out),
            Request::Explain { code } => explained(&code, out),
        }
    }

    fn contents(&mut self, case: &Case) -> Result<&'static Contents, String> {
        if let Some(contents) = self.contents {
            return Ok(contents);
        }
        let contents = Contents::open(case, &Told::default()).map_err(|stopped| stopped.to_string())?;
        let contents: &'static Contents = Box::leak(Box::new(contents));
        self.contents = Some(contents);
        Ok(contents)
    }

    fn analyzed(&mut self, case: &Case, pool: &str) -> Result<&Analyzed, String> {
        let pool = asked::pool(pool)?;
        if self.analyzed.as_ref().is_none_or(|(of, _)| *of != pool) {
            let contents = self.contents(case)?;
            let mut options = Options::default();
            options.pool = pool;
            let analyzed = analyze_contents(contents, &options, &Told::default()).map_err(|error| error.to_string())?;
            self.analyzed = Some((pool, analyzed));
        }
        self.analyzed.as_ref().map(|(_, analyzed)| analyzed).ok_or_else(|| "nothing was analyzed".to_owned())
    }

    fn summarize(&mut self, case: &Case, pool: &str, out: &mut Vec<u8>) -> Result<bool, String> {
        let analyzed = self.analyzed(case, pool)?;
        let summary = Summary {
            state: analyzed.report.verdict.state,
            unusable: analyzed.unusable.iter().map(not_used).collect(),
            begin: analyzed.report.begin(),
            knows_server_zone: analyzed.report.server_zone().is_some(),
            inputs: &analyzed.names,
        };
        serde_json::to_writer(out, &summary).map_err(|error| error.to_string())?;
        Ok(analyzed.is_complete)
    }

    fn report(
        &mut self,
        case: &Case,
        pool: &str,
        format: Format,
        look: &Look,
        out: &mut Vec<u8>,
    ) -> Result<bool, String> {
        let analyzed = self.analyzed(case, pool)?;
        let mut report = analyzed.report.clone();
        if let Some(mut names) = look.pseudonyms()? {
            report.redact(&mut names, &analyzed.names);
        }
        report.zone = look.zone(report.server_zone())?;
        if matches!(format, Format::Csv | Format::CsvTable(_)) {
            out.extend_from_slice(csv::BYTE_ORDER_MARK);
        }
        if format == Format::Text {
            let mut text = Vec::new();
            report.write(format, &mut text).map_err(told)?;
            out.extend(strip_bytes(&text).into_vec());
        } else {
            report.write(format, out).map_err(told)?;
        }
        Ok(analyzed.is_complete)
    }

    fn find(&mut self, case: &Case, filter: Filter, look: Look, out: &mut Vec<u8>) -> Result<bool, String> {
        self.found = None;
        let contents = self.contents(case)?;
        let opened = contents.index();
        if opened.traces.is_empty() && contents.side.afd_logs.is_empty() {
            return Err(
                "The case holds neither a trace nor a log of Winsock-AFD's channel: there are no events to list. \
                        The report shows what its listings tell."
                    .to_owned(),
            );
        }
        let (server_zone, begin, unusable) = (opened.server_zone(), opened.begin(), opened.unusable);
        let (paths, traces): (Vec<_>, Vec<_>) =
            opened.traces.into_iter().map(|OpenedTrace { path, trace, .. }| (path, trace)).unzip();
        let told = Told::default();
        let learned = events::learn(&traces, &contents.side, &filter, &told).map_err(|stopped| stopped.to_string())?;
        let choice = learned.choose(&filter).map_err(|ambiguous| ambiguous.to_string())?;
        let listing = Listing::new(&traces, &learned, &choice, &told).map_err(|stopped| stopped.to_string())?;
        let mut remarks: Vec<String> = unusable.iter().map(not_used).collect();
        remarks.extend(listing.walked.remarks(&filter, &learned, &contents.side));
        if listing.is_cut {
            remarks.push(format!("more events than can be listed: the first {} are", listing.len()));
        }
        let count = Count { events: listing.len(), begin, remarks };
        let zone = look.zone(server_zone)?;
        let names = || Ok::<_, String>(Names::new(paths.clone(), &contents.side_inputs, look.pseudonyms()?));
        let lines = Lines { text: TextWriter { names: names()?, zone }, ndjson: NdjsonWriter { names: names()? } };
        serde_json::to_writer(out, &count).map_err(|error| error.to_string())?;
        let is_complete = unusable.is_empty() && listing.walked.damaged == 0;
        self.found = Some(Found { filter, look, paths, traces, server_zone, learned, listing, lines });
        Ok(is_complete)
    }

    fn found(&self) -> Result<&Found, String> {
        self.found.as_ref().ok_or_else(|| "no events were asked for".to_owned())
    }

    fn lines(&self, format: &str, from: usize, count: usize, out: &mut Vec<u8>) -> Result<bool, String> {
        let found = self.found()?;
        let writer: &dyn EventWriter = match format {
            "text" => &found.lines.text,
            _ => &found.lines.ndjson,
        };
        let choice = found.learned.choose(&found.filter).map_err(|ambiguous| ambiguous.to_string())?;
        let part = from..from.saturating_add(count);
        found.listing.write(part, &found.traces, &found.learned, &choice, writer, out).map_err(told)?;
        Ok(true)
    }

    fn event_file(&self, format: &str, out: &mut Vec<u8>) -> Result<bool, String> {
        let (found, contents) = (self.found()?, self.contents.ok_or("nothing was opened")?);
        let names = Names::new(found.paths.clone(), &contents.side_inputs, found.look.pseudonyms()?);
        let zone = found.look.zone(found.server_zone)?;
        let writer: Box<dyn EventWriter> = match format {
            "text" => Box::new(TextWriter { names, zone }),
            "csv" => Box::new(CsvWriter { names }),
            _ => Box::new(NdjsonWriter { names }),
        };
        let choice = found.learned.choose(&found.filter).map_err(|ambiguous| ambiguous.to_string())?;
        let threads = Threads::start(1).map_err(|error| error.to_string())?;
        let mut parts = io::BufWriter::with_capacity(PART_BYTES, Parts);
        let write = |parts: &mut io::BufWriter<Parts>| {
            if format == "csv" {
                parts.write_all(csv::BYTE_ORDER_MARK)?;
            }
            writer.begin(parts)?;
            events::write(&found.traces, &found.learned, &choice, &*writer, &threads, parts)?;
            parts.flush()
        };
        write(&mut parts).map_err(told)?;
        out.extend_from_slice(writer.redacted().unwrap_or_default().as_bytes());
        Ok(true)
    }

    fn info(
        &mut self,
        case: &Case,
        format: &str,
        width: usize,
        look: &Look,
        out: &mut Vec<u8>,
    ) -> Result<bool, String> {
        let contents = self.contents(case)?;
        let threads = Threads::start(1).map_err(|error| error.to_string())?;
        let mut described = info::describe(contents, &threads, &Told::default()).map_err(|error| error.to_string())?;
        if let Some(mut names) = look.pseudonyms()? {
            described.redact(&mut names);
        }
        let zone = look.zone(described.server_zone)?;
        match format {
            "text" => described.write_text(zone, width, out),
            _ => described.write_json(out),
        }
        .map_err(told)?;
        Ok(described.is_complete)
    }
}

fn explained(code: &str, out: &mut Vec<u8>) -> Result<bool, String> {
    if code.trim().is_empty() {
        explain::write_json(&explain::all(), out).map_err(told)?;
        return Ok(true);
    }
    let found = explain::find(code);
    if found.is_empty() {
        return Err(explain::unknown(code));
    }
    explain::write_json(&found, out).map_err(told)?;
    Ok(true)
}

fn not_used(not_used: &NotUsed) -> String {
    format!("{not_used}; not used")
}

fn told(error: io::Error) -> String {
    outofports::words::system_message(&error)
}
