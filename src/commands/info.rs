//! `info`.

use std::time::Instant;

use super::writing::{refuse_to_overwrite, sentence_width, tell, tell_speed, warn, write_output, zone};
use super::{Failure, Outcome, case_of, open, redaction};
use crate::cli::{Info, InfoFormat};
use crate::info;
use crate::terminal::with_bar;

pub(super) fn info(options: &Info) -> Result<Outcome, Failure> {
    let started = Instant::now();
    let common = &options.common;
    let case = case_of(&options.inputs, Vec::new());
    refuse_to_overwrite(&options.output.output, &case, &[&options.redaction.redact_key])?;
    let pseudonyms = redaction::names(&options.redaction)?;
    let (threads, contents) = open(common, &case)?;
    let mut described = with_bar(common.is_silent(), |progress| info::describe(&contents, &threads, progress))?;
    if let Some(mut pseudonyms) = pseudonyms {
        described.redact(&mut pseudonyms);
    }
    let (zone, remark) = zone(options.times.tz, described.server_zone, described.begin);
    write_output(&options.output, common.color, options.format == InfoFormat::Text, |out, columns| {
        match options.format {
            InfoFormat::Text => described.write_text(zone, sentence_width(columns), out),
            InfoFormat::Json => described.write_json(out),
        }
    })?;
    warn(common, &described.unusable);
    if described.traces > 0 {
        if let Some(remark) = remark {
            tell(common, remark);
        }
        tell_speed(common, described.traces, described.bytes, started);
    }
    Ok(if described.is_complete { Outcome::Complete } else { Outcome::Incomplete })
}
