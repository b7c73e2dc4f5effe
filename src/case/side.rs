//! Side files of a case: which files are looked at, and what becomes of them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read};
use std::path::PathBuf;

use serde::Serialize;

use super::afd_log;
use super::contents::Opening;
use super::label;
use super::machines::Told;
use super::not_used::{NotUsed, Reason};
use crate::event::base_name;
use crate::progress::Progress;
use crate::side::{EncodingBy, Kind, NamedEncoding, Recognised, recognise_as, what_it_says};

/// Largest side file read; of a larger one the beginning is. A loop that lists 10,000 sockets every minute writes 240 MB in
/// five hours.
const MAX_SIDE_FILE_BYTES: u64 = 256 << 20;

/// A side file that the user named, with what it is to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedSideFile {
    /// Where it is.
    pub path: PathBuf,
    /// What it must hold: [`Kind::Tasklist`], [`Kind::Netstat`], [`Kind::Evtx`] or [`Kind::DynamicPort`].
    pub kind: Kind,
}

impl NamedSideFile {
    /// Files with what each is to hold.
    pub fn all(paths: &[PathBuf], kind: Kind) -> impl Iterator<Item = Self> {
        paths.iter().map(move |path| Self { path: path.clone(), kind })
    }

    /// Sockets are sockets, whichever tool lists them.
    fn is_satisfied_by(&self, found: &[Recognised]) -> bool {
        found.iter().filter(|found| found.is_useful).any(|found| match self.kind {
            Kind::Netstat => {
                matches!(found.kind, Kind::Netstat | Kind::NetstatLoop | Kind::NetTcpConnection | Kind::NetUdpEndpoint)
            }
            Kind::DynamicPort => matches!(found.kind, Kind::DynamicPort | Kind::ExcludedPorts),
            kind => found.kind == kind,
        })
    }
}

/// What a file of a kind is the output of.
pub(super) fn expected(kind: Kind) -> &'static str {
    match kind {
        Kind::Tasklist => "tasklist output, as a table or by /fo csv",
        Kind::Netstat | Kind::NetstatLoop => "a list of sockets, from netstat -ano, -anob or -anobq",
        Kind::NetTcpConnection => "a list of sockets, from Get-NetTCPConnection",
        Kind::NetUdpEndpoint => "a list of sockets, from Get-NetUDPEndpoint",
        Kind::Handles => "a list of handles, from handle -a afd",
        Kind::Processes => "a list of processes, from Get-Process and Export-Csv",
        Kind::DynamicPort => "a port range, from netsh int ipv4 show dynamicport tcp",
        Kind::ExcludedPorts => "port ranges, from netsh int ipv4 show excludedportrange protocol=tcp",
        Kind::Evtx => "an event log (.evtx)",
        Kind::Other => "a known side file",
    }
}

/// A side file: what it is, and whether it could be used. A file that holds several kinds has an entry for each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SideInput {
    /// Path.
    pub path: String,
    /// Kind.
    pub kind: &'static str,
    /// Whether it could be read.
    pub used: bool,
    /// Why not, or what is to be known about it.
    pub note: Option<String>,
    /// Rows that were understood; `None` for what is no text.
    pub rows: Option<u64>,
    /// Lines that stand where rows stand, and were not.
    pub rows_not_understood: Option<u64>,
    /// The first of these, from 1.
    pub first_not_understood: Option<u64>,
    /// The encoding of the text.
    pub encoding: Option<String>,
    /// How that is known.
    pub encoding_by: Option<EncodingBy>,
}

impl SideInput {
    fn unused(path: String, kind: Kind, note: String) -> Self {
        Self::of_machine(path, kind.name(), false, Some(note))
    }

    /// What a running machine was asked for: no file, and no text.
    pub fn of_machine(path: String, kind: &'static str, used: bool, note: Option<String>) -> Self {
        Self {
            path,
            kind,
            used,
            note,
            rows: None,
            rows_not_understood: None,
            first_not_understood: None,
            encoding: None,
            encoding_by: None,
        }
    }

    /// Adds to what is to be known about it.
    pub(crate) fn tell(&mut self, more: &str) {
        self.note = Some(self.note.take().map_or_else(|| more.to_owned(), |note| format!("{note}; {more}")));
    }

    /// It could be read, and is not used.
    pub(super) fn leave_out(&mut self, why: &str) {
        self.used = false;
        self.tell(why);
    }

    fn of(path: &str, found: &Recognised) -> Self {
        let is_text = found.encoding.is_some();
        Self {
            path: path.to_owned(),
            kind: found.kind.name(),
            used: found.is_useful,
            note: found.note.clone(),
            rows: is_text.then_some(found.rows.rows),
            rows_not_understood: is_text.then_some(found.rows.not_understood),
            first_not_understood: found.rows.first_not_understood,
            encoding: found.encoding.clone(),
            encoding_by: found.encoding_by,
        }
    }
}

/// The bytes of a side file, as far as they are read.
#[derive(Debug)]
pub(super) struct SideBytes {
    bytes: Vec<u8>,
    is_cut: bool,
}

impl SideBytes {
    pub(super) fn read(mut from: impl Read) -> io::Result<Self> {
        let mut bytes = Vec::new();
        (&mut from).take(MAX_SIDE_FILE_BYTES).read_to_end(&mut bytes)?;
        let is_cut = bytes.len() as u64 == MAX_SIDE_FILE_BYTES && from.read(&mut [0])? > 0;
        if is_cut && let Some(end) = bytes.iter().rposition(|byte| *byte == b'\n') {
            // Half a row would be read as another one.
            bytes.truncate(end + 1);
        }
        Ok(Self { bytes, is_cut })
    }

    /// What tells copies of a file: its name, length and a hash. Of port ranges the name may tell the family.
    fn fingerprint(&self, path: &str) -> Fingerprint {
        let mut hasher = DefaultHasher::new();
        self.bytes.hash(&mut hasher);
        (base_name(path).to_owned(), self.bytes.len(), hasher.finish())
    }

    fn recognise(&self, name: &str, encoding: Option<NamedEncoding>, progress: &dyn Progress) -> Vec<Recognised> {
        let mut found = recognise_as(&self.bytes, name, encoding, progress);
        if self.is_cut {
            let cut = format!("only its first {MAX_SIDE_FILE_BYTES} bytes are read");
            for found in &mut found {
                found.note = Some(found.note.take().map_or_else(|| cut.clone(), |note| format!("{cut}; {note}")));
            }
        }
        found
    }
}

/// See [`SideBytes::fingerprint`].
type Fingerprint = (String, usize, u64);

/// Side files that were used, and the path of each.
#[derive(Debug, Default)]
pub(super) struct Used {
    files: HashMap<Fingerprint, String>,
    /// Files that are copies of these.
    copies: usize,
}

impl Opening<'_> {
    /// Reads a side file that the user named by its kind.
    pub(super) fn add_named_side_file(&mut self, file: &NamedSideFile, input: usize) {
        let path = label(&file.path);
        let read = File::open(&file.path).and_then(SideBytes::read).map_err(|error| Reason::system(&error));
        let result = read.and_then(|bytes| {
            let found = bytes.recognise(&path, self.encoding, self.progress);
            let is_it = file.is_satisfied_by(&found);
            let why = || self.why_not(&bytes, &found);
            if is_it { Ok((bytes, found)) } else { Err(Reason::NotOfKind(file.kind, why())) }
        });
        match result {
            Ok((bytes, found)) => self.push_side_facts(&path, &bytes, found),
            Err(reason) => {
                self.contents.side_inputs.push(SideInput::unused(path.clone(), file.kind, reason.to_string()));
                self.contents.unusable.push(NotUsed { input, path, reason });
            }
        }
    }

    /// Uses a file that the user named without saying what it is; `false` where it holds nothing that is known.
    pub(super) fn take_side_file(&mut self, path: &str, bytes: &SideBytes) -> bool {
        let found = bytes.recognise(path, self.encoding, self.progress);
        let is_known = found.iter().any(|found| found.is_useful);
        if is_known {
            self.push_side_facts(path, bytes, found);
        }
        is_known
    }

    /// What a text says that holds nothing to use; `None` where that is nothing short.
    pub(super) fn why_not(&self, bytes: &SideBytes, found: &[Recognised]) -> Option<String> {
        let known = found.iter().find(|found| !found.is_useful).and_then(|found| found.note.clone());
        known.or_else(|| what_it_says(&bytes.bytes, self.encoding))
    }

    /// The same, for a text that the user named.
    pub(super) fn why_not_named(&self, path: &str, bytes: &SideBytes) -> Option<String> {
        self.why_not(bytes, &bytes.recognise(path, self.encoding, self.progress))
    }

    /// Uses a file that a folder or an archive holds, as far as it is known; `false` where there is nothing to tell of it.
    pub(super) fn take_found_side_file(&mut self, path: &str, bytes: &SideBytes) -> bool {
        let found = bytes.recognise(path, self.encoding, self.progress);
        let promised = Kind::promised_by(path);
        if found.is_empty() {
            let Some(kind) = promised else { return false };
            let why = self.why_not(bytes, &found);
            return self.tell_promised(path, &Reason::NotOfKind(kind, why).to_string());
        }
        // Folders hold logs of all kinds.
        let says_something = |found: &Recognised| {
            let facts = &found.facts;
            let is_telling = !found.is_useful || !facts.system_events.is_empty() || !facts.afd_entries.is_empty();
            found.kind != Kind::Evtx || promised.is_some() || is_telling
        };
        let found: Vec<Recognised> = found.into_iter().filter(says_something).collect();
        let is_told = !found.is_empty();
        self.push_side_facts(path, bytes, found);
        is_told
    }

    /// Tells that a file is not what its name promises; `false` where that promises nothing.
    pub(super) fn tell_promised(&mut self, path: &str, note: &str) -> bool {
        let is_log = path.to_lowercase().ends_with(".evtx").then_some(Kind::Evtx);
        let Some(kind) = Kind::promised_by(path).or(is_log) else { return false };
        self.contents.side_inputs.push(SideInput::unused(path.to_owned(), kind, note.to_owned()));
        true
    }

    /// Adds facts, unless a copy of the file has told them: in a folder and by name, in a cabinet and beside it.
    fn push_side_facts(&mut self, path: &str, bytes: &SideBytes, found: Vec<Recognised>) {
        if found.is_empty() {
            return;
        }
        match self.used.files.entry(bytes.fingerprint(path)) {
            Entry::Occupied(same) => {
                self.contents.notes.push(format!("{path}: the same as {}; read once", same.get()));
                self.contents.named_in_notes.extend([path.to_owned(), same.get().clone()]);
                self.used.copies += 1;
                return;
            }
            Entry::Vacant(first) => drop(first.insert(path.to_owned())),
        }
        if let Some(hash) = self.side_hash.filter(|_| found.iter().any(|found| found.is_useful)) {
            self.contents.side_hashes.push(hash(&bytes.bytes));
        }
        for mut found in found {
            if let Some(note) = afd_log::read_entries(&mut found.facts) {
                found.note = Some(found.note.map_or_else(|| note.clone(), |other| format!("{note}; {other}")));
            }
            let input = SideInput::of(path, &found);
            let source = self.contents.side_inputs.len();
            self.told.push(Told { source, facts: found.facts, machine: found.machine });
            self.contents.side_inputs.push(input);
        }
    }

    /// How many side files have been of use, copies among them.
    pub(super) fn useful_side_files(&self) -> usize {
        self.used.files.len() + self.used.copies
    }
}

/// A cabinet of `netsh trace` holds much that looks like something: used is what is known to be of use.
pub(super) fn is_of_report(name: &str) -> bool {
    [".txt", ".csv", ".log", ".out", ".evtx"].iter().any(|extension| name.ends_with(extension))
        && Kind::promised_by(name).is_some()
}
