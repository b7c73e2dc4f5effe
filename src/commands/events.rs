//! `events`.

use std::sync::atomic::AtomicU64;
use std::time::Instant;

use super::writing::{csv_mark, file, refuse_to_overwrite, stream_output, tell, tell_speed, warn, zone_of};
use super::{Failure, Outcome, case_of, open, redaction};
use crate::case::{Error, Opened};
use crate::cli::{EventFormat, EventProfile, Events};
use crate::events::{
    self, Beyond, CsvWriter, EventWriter, Filter, Names, NdjsonWriter, Profile, ProfileWriter, TextWriter, Walked,
};
use crate::terminal::with_bar;
use crate::words::counted;

pub(super) fn events(options: &Events) -> Result<Outcome, Failure> {
    let started = Instant::now();
    let common = &options.common;
    let case = case_of(&options.inputs, Vec::new());
    refuse_to_overwrite(&options.output.output, &case, &[&options.redaction.redact_key])?;
    let pseudonyms = redaction::names(&options.redaction)?;
    let (threads, contents) = open(common, &case)?;
    let Opened { traces: opened, unusable, notes } = threads.run(|| contents.index());
    if opened.is_empty() && contents.side.afd_logs.is_empty() {
        return Err(Error::NothingToRead { unusable, notes }.into());
    }
    let (zone, zone_remark) = zone_of(&opened, options.times.tz);
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
    let not_listed = contents.side.afd_logs.iter().map(|log| log.entries.saturating_sub(log.used)).sum();
    for remark in remarks(&filter, &walked, learned.owners.as_ref().map(|owners| owners.beyond), not_listed) {
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

/// What is to be known beside the lines.
fn remarks(filter: &Filter, walked: &Walked, beyond: Option<Beyond>, not_listed: u64) -> Vec<String> {
    let mut remarks = Vec::new();
    for provider in &walked.missing_providers {
        remarks.push(format!("no event of provider {provider} is in the trace: see outofports info"));
    }
    // Of a provider that is not there, no id is.
    let missing_ids = walked.missing_ids.iter().filter(|_| walked.missing_providers.is_empty());
    let of = if filter.providers.is_empty() { "" } else { " of the provider asked for" };
    remarks.extend(missing_ids.map(|id| format!("no event with id {id}{of} is in the trace: see outofports info")));
    if not_listed > 0 {
        let count = counted(not_listed, "event");
        remarks.push(format!(
            "{count} of the log of Winsock-AFD's channel: of other ids, or of a form that is not known; not listed"
        ));
    }
    if let Some(Beyond { failures, owners }) = beyond {
        if failures > 0 {
            remarks.push(format!("{} more than can be listed: left out", counted(failures, "failure")));
        }
        if owners {
            remarks.push("more sockets than can be followed: some owners are shown as unknown".to_owned());
        }
    }
    if walked.damaged > 0 {
        remarks.push(format!("{} damaged places could not be read: see outofports info", walked.damaged));
    }
    remarks
}
