//! What a case without a trace holds: logs of Winsock-AFD's channel, and listings.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;

use super::answers::answers_of_side_files;
use super::beside::Beside;
use super::text::{HEADING, write_answers, write_providers};
use super::{Answers, IdRow, ProviderRow};
use crate::case::SideInput;
use crate::providers::{afd, names};
use crate::side::facts::SideFacts;
use crate::time::{FileTime, duration_text, joined};
use crate::words::table::wrap;
use crate::words::{counted, grouped, shown};

/// What is in the side files of a case that has no trace.
#[derive(Debug, Clone, Serialize)]
pub struct WithoutTrace {
    /// What the user named.
    pub path: String,
    /// The kind of the one side file; `side_files` where there are several.
    pub kind: &'static str,
    /// Logs of Winsock-AFD's channel, in the order of the side inputs.
    pub logs: Vec<LogRow>,
    /// Winsock-AFD, where these logs hold events.
    pub providers: Vec<ProviderRow>,
    /// Whether the side files can tell.
    pub answers: Answers,
    /// The side files.
    pub side_inputs: Vec<SideInput>,
    /// What else is to be known about the inputs, a sentence each.
    pub notes: Vec<String>,
}

/// A log of Winsock-AFD's channel.
#[derive(Debug, Clone, Serialize)]
pub struct LogRow {
    /// Where it is.
    pub path: Option<String>,
    /// Its events of Winsock-AFD.
    pub events: u64,
    /// Of these, those that the analysis uses.
    pub used: u64,
    /// Of these, those in a form that is not known.
    pub unknown: u64,
    /// When the oldest was written, UTC.
    pub first: Option<FileTime>,
    /// When the newest was written, UTC.
    pub last: Option<FileTime>,
}

impl WithoutTrace {
    /// Of what was found in a case.
    pub fn new(inputs: &[String], side_inputs: &[SideInput], side: &SideFacts, notes: Vec<String>) -> Self {
        let logs = side.afd_logs.iter().map(|log| LogRow {
            path: side_inputs.get(log.source).map(|input| input.path.clone()),
            events: log.entries,
            used: log.used,
            unknown: log.unknown,
            first: log.span.map(|(first, _)| first),
            last: log.span.map(|(_, last)| last),
        });
        let kind = match side_inputs {
            [one] => one.kind,
            _ => "side_files",
        };
        Self {
            path: inputs.join(", "),
            kind,
            logs: logs.collect(),
            providers: provider(side).into_iter().collect(),
            answers: answers_of_side_files(&Beside::new(side_inputs, side)),
            side_inputs: side_inputs.to_vec(),
            notes,
        }
    }
}

fn provider(side: &SideFacts) -> Option<ProviderRow> {
    let mut ids: BTreeMap<(u16, u8), u64> = BTreeMap::new();
    let mut span = None;
    for log in &side.afd_logs {
        for ((id, version), count) in &log.ids {
            // One whose version is no number is in `logs` alone.
            *ids.entry((*id, version.unwrap_or(0))).or_default() += u64::from(version.is_some()) * count;
        }
        span = joined(span, log.span);
    }
    let ids = ids.into_iter().filter(|(_, records)| *records > 0);
    let records = side.afd_logs.iter().map(|log| log.entries).sum();
    (records > 0).then(|| ProviderRow {
        guid: afd::PROVIDER.to_string(),
        name: names::provider_name(afd::PROVIDER).map(str::to_owned),
        records,
        first: span.map(|(first, _)| first),
        last: span.map(|(_, last)| last),
        ids: ids.map(|((id, version), records)| IdRow { id, version, records }).collect(),
        tracelogging: 0,
    })
}

/// Writes it for people, in lines of at most `width` columns.
///
/// # Errors
///
/// What writing says.
pub fn write_text(info: &WithoutTrace, width: usize, out: &mut dyn Write) -> io::Result<()> {
    for line in wrap(&info.path, width, 0, 2) {
        writeln!(out, "{HEADING}{line}{HEADING:#}")?;
    }
    for log in &info.logs {
        writeln!(out, "  log          of Winsock-AFD's channel")?;
        if let (Some(first), Some(last)) = (log.first, log.last) {
            writeln!(out, "  first        {first}")?;
            writeln!(out, "  last         {last} ({})", duration_text(last.since(first)))?;
        }
        let unknown = match log.unknown {
            0 => String::new(),
            unknown => format!(", {} in a form that is not known", grouped(unknown)),
        };
        writeln!(out, "  read         {}, {} used{unknown}", counted(log.events, "event"), grouped(log.used))?;
    }
    write_answers(&info.answers, width, out)?;
    write_providers(&info.providers, out)?;
    writeln!(out, "\n{HEADING}SIDE FILES{HEADING:#}")?;
    for input in &info.side_inputs {
        let used = if input.used { "" } else { ", not used" };
        let note = input.note.as_ref().map_or_else(String::new, |note| format!("; {note}"));
        let rows = input.rows.map_or_else(String::new, |rows| format!(", {}", counted(rows, "row")));
        let line = format!("- {}: {}{rows}{used}{note}", shown(&input.path), input.kind);
        wrap(&line, width, 2, 4).iter().try_for_each(|line| writeln!(out, "{line}"))?;
    }
    for note in &info.notes {
        wrap(&format!("- {}", shown(note)), width, 2, 4).iter().try_for_each(|line| writeln!(out, "{line}"))?;
    }
    Ok(())
}
