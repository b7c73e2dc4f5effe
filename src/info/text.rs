//! What a trace holds, for people.

use std::io::{self, Write};

use anstyle::Style;

use super::{Answers, DecodedEvents, Info, ProviderRow, SourceRow};
use crate::diagnosis::advice::CAPTURE_COMMANDS;
use crate::time::{FileTime, Zone, duration_text};
use crate::words::table::{command_line, wrap};
use crate::words::{counted, grouped};
use crate::words::{shown, windows_name};

pub(super) const HEADING: Style = Style::new().bold();

/// Writes one trace's information for people, with times in this zone, in lines of at most `width` columns.
///
/// # Errors
///
/// What writing says.
pub fn write_text(info: &Info, zone: Zone, width: usize, out: &mut dyn Write) -> io::Result<()> {
    write_header(info, zone, width, out)?;
    write_losses(info, out)?;
    write_answers(&info.answers, width, out)?;
    write_lists(info, out)?;
    if !info.notes.is_empty() {
        writeln!(out, "\n{HEADING}NOT READ{HEADING:#}")?;
        for note in &info.notes {
            wrap(&format!("- {}", shown(note)), width, 2, 4).iter().try_for_each(|line| writeln!(out, "{line}"))?;
        }
    }
    Ok(())
}

fn write_header(info: &Info, zone: Zone, width: usize, out: &mut dyn Write) -> io::Result<()> {
    let header = &info.header;
    for line in wrap(&info.path, width, 0, 2) {
        writeln!(out, "{HEADING}{line}{HEADING:#}")?;
    }
    let bits = header.pointer_size * 8;
    match (header.os_build, header.processors) {
        (Some(build), Some(processors)) => {
            let system = windows_name(build).unwrap_or("Windows");
            let processors = counted(processors.into(), "CPU");
            writeln!(out, "  system       {system}, build {build}, {processors}, {bits}-bit")?;
        }
        _ => writeln!(out, "  system       unknown: the first buffer is missing, {bits}-bit")?,
    }
    let session = if header.logger_name.is_empty() { "(no name)".to_owned() } else { shown(&header.logger_name) };
    writeln!(out, "  session      {session}, log mode {:#x}", header.log_mode)?;
    let time = |time: Option<FileTime>| time.map_or_else(|| "unknown".to_owned(), |time| zone.rfc3339(time));
    writeln!(out, "  started      {}", time(header.started))?;
    match (header.started, header.ended) {
        (Some(started), Some(ended)) if ended >= started => {
            writeln!(out, "  ended        {} ({})", zone.rfc3339(ended), duration_text(ended.since(started)))?;
        }
        _ => writeln!(out, "  ended        {}", time(header.ended))?,
    }
    let clock = header.clock.unwrap_or("unknown");
    writeln!(out, "  clock        {clock}, {} Hz", grouped(u64::try_from(header.perf_freq).unwrap_or(0)))
}

fn write_losses(info: &Info, out: &mut dyn Write) -> io::Result<()> {
    let header = &info.header;
    let (events, buffers) =
        (counted(header.events_lost.into(), "event"), counted(header.buffers_lost.into(), "buffer"));
    let losses = &info.losses;
    writeln!(
        out,
        "  lost         {events}, {buffers} (header); {} flagged",
        counted(losses.flagged_buffers, "buffer")
    )?;
    if losses.sequence_gaps > 0 {
        writeln!(out, "  gaps         {} between buffers", counted(losses.sequence_gaps, "sequence number"))?;
    }
    writeln!(
        out,
        "  read         {} in {}, {} compressed, {} damaged",
        counted(info.records.total, "record"),
        counted(info.buffers.total, "buffer"),
        grouped(info.buffers.compressed),
        grouped(info.buffers.damaged)
    )?;
    write_decoded(&info.decoded, out)
}

fn write_decoded(decoded: &DecodedEvents, out: &mut dyn Write) -> io::Result<()> {
    let sum = |of: fn(&SourceRow) -> u64| decoded.by_source.iter().map(of).sum::<u64>();
    let (exact, leftover, short) = (sum(|row| row.exact), sum(|row| row.leftover), sum(|row| row.short));
    let all = exact + leftover + short + decoded.without_schema + decoded.unusable;
    write!(out, "  decoded      {} of {} exactly", grouped(exact), counted(all, "event"))?;
    for (count, what) in [
        (decoded.without_schema, "without a schema"),
        (leftover, "longer than their schema"),
        (short, "shorter than their schema"),
        (decoded.unusable, "damaged"),
    ] {
        if count > 0 {
            write!(out, ", {} {what}", grouped(count))?;
        }
    }
    writeln!(out)
}

pub(super) fn write_answers(answers: &Answers, width: usize, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "\n{HEADING}CAN IT ANSWER{HEADING:#}")?;
    for (question, answer) in [
        ("bind failures", &answers.bind_failures),
        ("process names", &answers.process_names),
        ("holders", &answers.holders),
    ] {
        let mut lines = wrap(&answer.reason, width, 25, 25).into_iter();
        let first = lines.next().unwrap_or_default();
        writeln!(out, "  {question:<14} {:<7} {}", answer.answer, first.trim_start())?;
        lines.try_for_each(|line| writeln!(out, "{line}"))?;
    }
    let captures: Vec<&str> = if answers.bind_failures.answer == "yes" {
        answers.process_names.capture.clone()
    } else {
        CAPTURE_COMMANDS.to_vec()
    };
    if !captures.is_empty() {
        writeln!(out, "  for a better answer, in a command prompt (cmd) as administrator:")?;
        for command in captures {
            writeln!(out, "{}", command_line(command))?;
        }
    }
    Ok(())
}

pub(super) fn write_providers(providers: &[ProviderRow], out: &mut dyn Write) -> io::Result<()> {
    if !providers.is_empty() {
        writeln!(out, "\n{HEADING}PROVIDERS{HEADING:#}")?;
    }
    for provider in providers {
        let name = provider.name.as_deref().map_or_else(|| "(name unknown)".to_owned(), shown);
        writeln!(out, "  {:>12}  {}  {name}", grouped(provider.records), provider.guid)?;
    }
    Ok(())
}

/// Providers, kernel events, processes.
fn write_lists(info: &Info, out: &mut dyn Write) -> io::Result<()> {
    write_providers(&info.providers, out)?;
    if !info.kernel_groups.is_empty() {
        writeln!(out, "\n{HEADING}KERNEL EVENTS{HEADING:#}")?;
        for group in &info.kernel_groups {
            let name = group.name.as_deref().unwrap_or("(name unknown)");
            writeln!(out, "  {:>12}  {}  {name}", grouped(group.records), group.hook)?;
        }
    }
    if !info.processes.is_empty() {
        let named = info.processes.iter().filter(|process| process.image.is_some()).count();
        writeln!(out, "\n{HEADING}PROCESSES{HEADING:#}   {named} named; the list is in the JSON output")?;
    }
    Ok(())
}
