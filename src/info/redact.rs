//! What of a trace's description may be sent.

use super::without_trace::LogRow;
use super::{Answer, Answers, Header, Info, NamedProcess, WithoutTrace};
use crate::case::SideInput;
use crate::words::pseudonyms::Pseudonyms;

impl Info {
    /// Replaces what tells whose machine it is, by `names`; `paths` are files that sentences may name.
    pub fn redact(&mut self, names: &mut Pseudonyms, paths: &[String]) {
        let Self {
            path,
            bytes: _,
            kind: _,
            header,
            buffers: _,
            records: _,
            providers: _,
            kernel_groups: _,
            losses: _,
            schemas: _,
            decoded: _,
            answers,
            side_inputs,
            processes,
            notes,
        } = self;
        remember(paths, names);
        *path = names.path(path);
        let Header { logger_name, .. } = header;
        if !KNOWN_SESSIONS.contains(&logger_name.as_str()) {
            *logger_name = names.quoted_text(logger_name);
        }
        for NamedProcess { pid: _, image, image_source: _, started: _, ended: _ } in processes {
            image.iter_mut().for_each(|image| *image = names.image(image));
        }
        shared(answers, side_inputs, notes, names);
    }
}

/// Names that tools give their sessions.
const KNOWN_SESSIONS: &[&str] = &["", "NT Kernel Logger", "NetTrace", "PktMon", "outofports"];

impl WithoutTrace {
    /// The same of a case without a trace.
    pub fn redact(&mut self, names: &mut Pseudonyms, paths: &[String]) {
        let Self { path, kind: _, logs, providers: _, answers, side_inputs, notes } = self;
        remember(paths, names);
        *path = names.path(path);
        for LogRow { path, events: _, used: _, unknown: _, first: _, last: _ } in logs {
            path.iter_mut().for_each(|path| *path = names.path(path));
        }
        shared(answers, side_inputs, notes, names);
    }
}

fn remember(paths: &[String], names: &mut Pseudonyms) {
    for path in paths {
        names.path(path);
    }
}

fn shared(answers: &mut Answers, side_inputs: &mut [SideInput], notes: &mut Vec<String>, names: &mut Pseudonyms) {
    side_inputs.iter_mut().for_each(|row| row.path = names.path(&row.path));
    let Answers { bind_failures, process_names, holders } = answers;
    for Answer { answer: _, reason, capture: _ } in [bind_failures, process_names, holders] {
        *reason = names.sentence(reason);
    }
    for note in side_inputs.iter_mut().filter_map(|row| row.note.as_mut()).chain(notes.iter_mut()) {
        *note = names.sentence(note);
    }
    notes.push(names.account());
}
