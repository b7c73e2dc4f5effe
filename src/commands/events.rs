//! `events`.

use std::sync::atomic::AtomicU64;
use std::time::Instant;

use super::writing::{csv_mark, file, refuse_to_overwrite, stream_output, tell, tell_speed, warn, zone};
use super::{Failure, Outcome, case_of, open, redaction};
use crate::case::{Error, Opened};
use crate::cli::{EventFormat, EventProfile, Events};
use crate::events::{self, CsvWriter, EventWriter, Filter, Names, NdjsonWriter, Profile, ProfileWriter, TextWriter};
use crate::terminal::with_bar;
use crate::words::counted;

pub(super) fn events(options: &Events) -> Result<Outcome, Failure> {
    let started = Instant::now();
    let common = &options.common;
    let case = case_of(&options.inputs, Vec::new());
    refuse_to_overwrite(&options.output.output, &case, &[&options.redaction.redact_key])?;
    let pseudonyms = redaction::names(&options.redaction)?;
    let (threads, contents) = open(common, &case)?;
    let opened = threads.run(|| contents.index());
    let (zone, zone_remark) = zone(options.times.tz, opened.server_zone(), opened.begin());
    let Opened { traces: opened, unusable, notes } = opened;
    if opened.is_empty() && contents.side.afd_logs.is_empty() {
        return Err(Error::NothingToRead { unusable, notes }.into());
    }
    let (paths, traces): (Vec<_>, Vec<_>) = opened.into_iter().map(|opened| (opened.path, opened.trace)).unzip();
    let names = Names::new(paths, &contents.side_inputs, pseudonyms);
    let filter = Filter {
        all: options.all,
        providers: options.provider.clone(),
        ids: options.id.clone(),
        statuses: options.status.clone(),
        pids: options.pid.clone(),
        processes: options.process.clone(),
        header_pids: options.header_pid.clone(),
        since: options.since,
        until: options.until,
    };
    let learned = with_bar(common.is_silent(), |progress| {
        threads.run(|| events::learn(&traces, &contents.side, &filter, progress))
    });
    let learned = learned.map_err(Error::from)?;
    let choice = learned.choose(&filter).map_err(|ambiguous| Failure::Usage(ambiguous.to_string()))?;
    let writer: Box<dyn EventWriter> = match (options.profile, options.format) {
        (Some(_), Some(EventFormat::Text | EventFormat::Csv)) => {
            return Err(Failure::Usage("--profile writes one JSON object per line: leave -f out".to_owned()));
        }
        (Some(profile), _) => {
            let profile = match profile {
                EventProfile::Timesketch => Profile::Timesketch,
                EventProfile::Ecs => Profile::Ecs,
            };
            Box::new(ProfileWriter { profile, names, without_time: AtomicU64::default() })
        }
        (None, None | Some(EventFormat::Text)) => Box::new(TextWriter { names, zone }),
        (None, Some(EventFormat::Ndjson)) => Box::new(NdjsonWriter { names }),
        (None, Some(EventFormat::Csv)) => Box::new(CsvWriter { names }),
    };
    let mark = match options.format {
        Some(EventFormat::Csv) => csv_mark(file(options.output.output.as_deref())),
        _ => &[],
    };
    let walked = stream_output(&options.output, |out| {
        out.write_all(mark)?;
        writer.begin(out)?;
        events::write(&traces, &learned, &choice, &*writer, &threads, out)
    })?;
    warn(common, &unusable);
    if let Some(remark) = zone_remark {
        tell(common, remark);
    }
    for remark in walked.remarks(&filter, &learned, &contents.side) {
        tell(common, &remark);
    }
    if let Some(redacted) = writer.redacted() {
        tell(common, &redacted);
    }
    if writer.left_out() > 0 {
        tell(common, &format!("{} without a time: left out", counted(writer.left_out(), "event")));
    }
    let damaged = walked.damaged;
    let bytes = traces.iter().map(|trace| trace.bytes().len() as u64).sum();
    tell_speed(common, traces.len(), bytes, started);
    Ok(if damaged == 0 && unusable.is_empty() { Outcome::Complete } else { Outcome::Incomplete })
}
