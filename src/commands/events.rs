//! `events`.

use std::io::{self, Write};
use std::time::Instant;

use super::writing::{refuse_to_overwrite, stream_output, tell_speed, warn};
use super::{Failure, Outcome, case_of};
use crate::case::Error;
use crate::case::{Contents, Opened};
use crate::cli::{EventFormat, Events};
use crate::events::{self, CsvWriter, EventWriter, Filter, NdjsonWriter, TextWriter};
use crate::pipeline::Threads;
use crate::terminal::with_bar;

pub(super) fn events(options: &Events) -> Result<Outcome, Failure> {
    let started = Instant::now();
    let common = &options.common;
    refuse_to_overwrite(common, &options.inputs)?;
    let threads = Threads::start(common.threads()).map_err(Error::from)?;
    let case = case_of(&options.inputs, Vec::new());
    let contents = with_bar(common.is_silent(), |progress| Contents::open(&case, progress)).map_err(Error::from)?;
    let Opened { traces: opened, unusable, notes } = threads.run(|| contents.index());
    if opened.is_empty() {
        return Err(Error::NothingToRead { unusable, notes }.into());
    }
    let (paths, traces): (Vec<_>, Vec<_>) = opened.into_iter().map(|opened| (opened.path, opened.trace)).unzip();
    let filter = Filter {
        all: options.all,
        providers: options.provider.clone(),
        ids: options.id.clone(),
        statuses: options.status.clone(),
        pids: options.pid.clone(),
        since: options.since,
        until: options.until,
    };
    let schemas = with_bar(common.is_silent(), |progress| threads.run(|| events::learn(&traces, progress)))
        .map_err(Error::from)?;
    let mut writer: Box<dyn EventWriter> = match options.format {
        EventFormat::Text => Box::new(TextWriter),
        EventFormat::Ndjson => Box::new(NdjsonWriter { paths }),
        EventFormat::Csv => Box::new(CsvWriter { paths }),
    };
    let damaged = stream_output(common, |out| {
        writer.begin(out)?;
        events::walk(&traces, &schemas, &filter, |event| writer.write(event, out))
    })?;
    warn(common, &unusable);
    if damaged > 0 && !common.quiet {
        let _ = writeln!(io::stderr(), "outofports: {damaged} damaged places could not be read: see outofports info");
    }
    let bytes = traces.iter().map(|trace| trace.bytes().len() as u64).sum();
    tell_speed(common, traces.len(), bytes, started);
    Ok(if damaged == 0 && unusable.is_empty() { Outcome::Complete } else { Outcome::Incomplete })
}
