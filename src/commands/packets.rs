//! `packets`.

use std::io::{self, IsTerminal as _};
use std::time::Instant;

use super::writing::{file, refuse_to_overwrite, stream_output, tell, tell_speed, warn};
use super::{Failure, Outcome, case_of, open, redaction};
use crate::case::{Error, Opened, label};
use crate::cli::Packets;
use crate::machine::window::Window;
use crate::packets::{self, Filter, NotWritten, Setting, Written};
use crate::terminal::with_bar;
use crate::words::{counted, grouped, system_message};

/// Longer files are no logs of keys: this one has a hundred thousand sessions.
const MAX_KEY_LOG_BYTES: u64 = 1 << 26;

pub(super) fn packets(options: &Packets) -> Result<Outcome, Failure> {
    let started = Instant::now();
    let common = &options.common;
    let case = case_of(&options.inputs, options.side.named());
    refuse_to_overwrite(&options.output.output, &case, &[&options.redaction.redact_key, &options.keylog])?;
    if file(options.output.output.as_deref()).is_none() && io::stdout().is_terminal() {
        return Err(Failure::Usage("a capture file is not for a terminal: add -o FILE, or a pipe".to_owned()));
    }
    let key_log = key_log(options)?;
    let names = redaction::names(&options.redaction)?;
    let (threads, contents) = open(common, &case)?;
    let Opened { traces: opened, unusable, notes } = threads.run(|| contents.index());
    if opened.is_empty() {
        return Err(Error::NothingToRead { unusable, notes }.into());
    }
    let (paths, traces): (Vec<_>, Vec<_>) = opened.into_iter().map(|opened| (opened.path, opened.trace)).unzip();
    let learned =
        with_bar(common.is_silent(), |progress| threads.run(|| packets::learn(&traces, &contents.side, progress)));
    let learned = learned.map_err(Error::from)?;
    let filter = Filter {
        window: Window { since: options.since, until: options.until },
        pids: options.pid.clone(),
        processes: options.process.clone(),
        ports: options.port.clone(),
        hosts: options.host.iter().map(std::net::IpAddr::to_canonical).collect(),
        failures_around: options
            .failures_around
            .map(|within| i64::try_from(within.as_nanos() / 100).unwrap_or(i64::MAX)),
        all_components: options.components,
    };
    let is_all = !filter.narrows();
    let setting = Setting { filter, paths: &paths, names, key_log: key_log.as_deref() };
    let written =
        stream_output(&options.output, |out| packets::write(&traces, &contents.side, &learned, setting, out))?;
    warn(common, &unusable);
    for remark in remarks(&written, is_all) {
        tell(common, &remark);
    }
    let bytes = traces.iter().map(|trace| trace.bytes().len() as u64).sum();
    tell_speed(common, traces.len(), bytes, started);
    let is_whole = written.damaged == 0 && written.not_written.malformed == 0 && unusable.is_empty();
    Ok(if is_whole { Outcome::Complete } else { Outcome::Incomplete })
}

/// The keys that `--keylog` names.
fn key_log(options: &Packets) -> Result<Option<Vec<u8>>, Failure> {
    let Some(path) = &options.keylog else { return Ok(None) };
    let wrong = |what: String| Failure::Usage(format!("--keylog {}: {what}", label(path)));
    let length = std::fs::metadata(path).map_err(|error| wrong(system_message(&error)))?.len();
    if length > MAX_KEY_LOG_BYTES {
        return Err(wrong("this is too large for a log of keys".to_owned()));
    }
    std::fs::read(path).map(Some).map_err(|error| wrong(system_message(&error)))
}

/// What is to be known beside the packets.
fn remarks(written: &Written, is_all: bool) -> Vec<String> {
    let Written { packets, owned, failures, not_written, damaged, beyond, too_many_flows, redacted } = written;
    let NotWritten { malformed, incomplete, other_kinds, without_time } = *not_written;
    let mut remarks = Vec::new();
    if *packets > 0 {
        remarks.push(format!(
            "{}, of which {} have a process that is known; {}",
            counted(*packets, "packet"),
            grouped(*owned),
            counted(*failures, "failure")
        ));
    } else if is_all {
        remarks.push(
            "no packet is in the trace: they are captured by netsh trace start capture=yes, or pktmon start --capture"
                .to_owned(),
        );
    } else {
        remarks.push("no packet is as asked for".to_owned());
    }
    for (count, noun, why) in [
        (malformed, "event", "less than they promise, or of a version that is not known; not written"),
        (incomplete, "frame", "a part was not captured; not written"),
        (other_kinds, "packet", "of a kind that capture files have no type for; not written"),
        (without_time, "packet", "before 1970, a time that capture files do not have; not written"),
        (beyond.failures, "failure", "more than can be listed; not written"),
        (*damaged, "place", "damaged, and could not be read: see outofports info"),
    ] {
        if count > 0 {
            remarks.push(format!("{}: {why}", counted(count, noun)));
        }
    }
    if beyond.owners || *too_many_flows {
        remarks.push("more sockets than can be followed: some owners are shown as unknown".to_owned());
    }
    remarks.extend(redacted.clone());
    remarks
}
