//! `info`.

use std::time::Instant;

use super::writing::{refuse_to_overwrite, sentence_width, tell, tell_speed, warn, write_output, zone_of};
use super::{Failure, Outcome, case_of, open, redaction};
use crate::case::{Error, Input, Opened};
use crate::cli::{Info, InfoFormat};
use crate::info;
use crate::report::json;
use crate::terminal::with_bar;

pub(super) fn info(options: &Info) -> Result<Outcome, Failure> {
    let started = Instant::now();
    let common = &options.common;
    let case = case_of(&options.inputs, Vec::new());
    refuse_to_overwrite(&options.output.output, &case, &[&options.redaction.redact_key])?;
    let mut pseudonyms = redaction::names(&options.redaction)?;
    let (threads, contents) = open(common, &case)?;
    let Opened { traces, unusable, notes } = threads.run(|| contents.index());
    if traces.is_empty() {
        if !contents.side_inputs.iter().any(|side| side.used) {
            return Err(Error::NothingToRead { unusable, notes }.into());
        }
        let names: Vec<String> = case.inputs.iter().map(Input::label).collect();
        let mut document = info::WithoutTrace::new(&names, &contents.side_inputs, &contents.side, notes);
        if let Some(pseudonyms) = &mut pseudonyms {
            document.redact(pseudonyms, &contents.names());
        }
        write_output(&options.output, common.color, options.format == InfoFormat::Text, |out, columns| match options
            .format
        {
            InfoFormat::Text => info::write_text_without_trace(&document, sentence_width(columns), out),
            InfoFormat::Json => json::write(&document, out),
        })?;
        warn(common, &unusable);
        return Ok(if unusable.is_empty() { Outcome::Complete } else { Outcome::Incomplete });
    }
    let beside = info::Beside::new(&contents.side_inputs, &contents.side);
    let read = with_bar(common.is_silent(), |progress| {
        let read = |opened: &crate::case::OpenedTrace<'_>| {
            threads.run(|| info::read(opened.path.clone(), opened.kind, &opened.trace, &beside, progress))
        };
        traces.iter().map(read).collect::<Result<Vec<_>, _>>()
    });
    let (mut documents, coverages): (Vec<_>, Vec<_>) = read.map_err(Error::from)?.into_iter().unzip();
    let is_complete = unusable.is_empty() && coverages.iter().all(crate::pipeline::coverage::Coverage::is_whole);
    if let Some(pseudonyms) = &mut pseudonyms {
        let names = contents.names();
        documents.iter_mut().for_each(|document: &mut info::Info| document.redact(pseudonyms, &names));
    }
    let (zone, zone_remark) = zone_of(&traces, options.times.tz);
    write_output(&options.output, common.color, options.format == InfoFormat::Text, |out, columns| {
        match options.format {
            InfoFormat::Text => documents.iter().enumerate().try_for_each(|(number, document)| {
                if number > 0 {
                    writeln!(out)?;
                }
                info::write_text(document, zone, sentence_width(columns), out)
            }),
            InfoFormat::Json => match documents.as_slice() {
                [document] => json::write(document, out),
                documents => json::write(&documents, out),
            },
        }
    })?;
    warn(common, &unusable);
    if let Some(remark) = zone_remark {
        tell(common, remark);
    }
    let bytes = traces.iter().map(|opened| opened.trace.bytes().len() as u64).sum();
    tell_speed(common, traces.len(), bytes, started);
    Ok(if is_complete { Outcome::Complete } else { Outcome::Incomplete })
}
