//! Finds the traces and side files of a case: files by name, standard input, folders, `netsh trace` report cabinets, zip
//! archives, and traces packed with gzip or Zstandard. What a file is, its bytes say, whatever it is called.

use std::fs::{self, File};
use std::io::{self, Cursor, Read, Seek};
use std::path::Path;

use etl_parser::{EtlFile, Trace};

use super::archive::{Archive, Member, Packing, rejoined, sniff, unpack};
use super::collected::{self, Manifest};
use super::days;
use super::folder;
use super::look::Look;
use super::machines::{self, Told};
use super::not_used::{NotUsed, Reason};
use super::sequences;
use super::side::{SideBytes, SideInput, Used, is_of_report};
use super::starts;
use super::stored::{Budget, Given, Place, Stored};
use super::{Case, Input, InputKind, SideHash, label};
use crate::event::base_name;
use crate::progress::{Progress, Stopped};
use crate::side::facts::SideFacts;
use crate::side::{NamedEncoding, event_log, is_text, recognise};
use crate::words::{counted, shown, system_message};

/// How much of an input that is no file is read before it is known to be worth keeping. Enough for the first buffer of a trace
/// whose header is missing.
pub const SNIFFED_BYTES: u64 = 1 << 20;

/// How much of a file shows whether it is packed, text, or something else.
const SHAPE_BYTES: u64 = 4 << 10;

/// How deep archives are unpacked: a cabinet in a zip in a zip.
const MAX_NESTING: usize = 3;

/// Files without use that are named; all are counted.
const NAMED_WITHOUT_USE: usize = 3;

/// A trace file, opened.
#[derive(Debug)]
pub struct TraceFile {
    /// As it is named in reports: the path, for a member of a cabinet behind that of the cabinet.
    pub path: String,
    /// What the user named.
    pub kind: InputKind,
    /// Its bytes.
    pub file: EtlFile,
    /// Whether the user named this file, so that being no trace is an error and not a note.
    pub named: bool,
    /// Number of the input that it comes from.
    pub input: usize,
    /// Its bytes are not those of the file that its path names, but were packed in it.
    pub is_unpacked: bool,
}

/// One input, as the user named it.
#[derive(Debug)]
pub(super) struct Named {
    /// As it may be shown.
    pub(super) label: String,
    /// Whether a side file of it could be used.
    pub(super) is_used: bool,
}

/// What was found in a case.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Contents {
    /// Files that are traces, or called so.
    pub traces: Vec<TraceFile>,
    /// Side files.
    pub side_inputs: Vec<SideInput>,
    /// What they told.
    pub side: SideFacts,
    /// What was named and could not be used.
    pub unusable: Vec<NotUsed>,
    /// What else is to be known about the inputs, a sentence each.
    pub notes: Vec<String>,
    /// Files that the notes name, as they name them.
    pub named_in_notes: Vec<String>,
    /// Hashes of the side files that are used, where the case asks for them.
    pub side_hashes: Vec<[u8; 32]>,
    /// Something was not used for want of memory.
    pub lacks_memory: bool,
    pub(super) inputs: Vec<Named>,
}

/// A file that is being looked at: how it is called, and what it came in.
#[derive(Clone)]
struct Found {
    label: String,
    kind: InputKind,
    named: bool,
    nesting: usize,
    place: Place,
}

impl Found {
    /// Whether it is to be told by its name where it is no trace: somebody called it one.
    fn is_called_trace(&self) -> bool {
        base_name(&self.label).to_lowercase().contains("etl")
    }
}

/// What became of a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    /// It is a trace, or holds something that is known.
    Some,
    /// It holds nothing that is known.
    None,
}

impl Contents {
    /// The inputs, as they were named.
    pub fn labels(&self) -> Vec<String> {
        self.inputs.iter().map(|input| input.label.clone()).collect()
    }

    /// Every name of a file that a report may say: inputs, traces, what was not used, and what notes name.
    pub fn names(&self) -> Vec<String> {
        let inputs = self.inputs.iter().map(|input| &input.label);
        let traces = self.traces.iter().map(|trace| &trace.path);
        let unusable = self.unusable.iter().map(|not_used| &not_used.path);
        let unused = self.unused_side_files().map(|(path, _)| path);
        inputs.chain(traces).chain(unusable).chain(&self.named_in_notes).chain(unused).cloned().collect()
    }

    /// Side files of which nothing could be used, and why.
    fn unused_side_files(&self) -> impl Iterator<Item = (&String, &String)> {
        let unused = self.side_inputs.iter().filter(|side| !side.used);
        unused.filter_map(|side| Some((&side.path, side.note.as_ref()?)))
    }

    /// The same in words, but for those that `unusable` names.
    pub fn reasons_of_unused(&self, unusable: &[NotUsed]) -> Vec<String> {
        let is_told = |path: &&String| unusable.iter().any(|not_used| not_used.path == **path);
        let unused = self.unused_side_files().filter(|(path, _)| !is_told(path));
        let told = |(path, why): (&String, &String)| {
            let end = if why.ends_with("not used") { "" } else { "; not used" };
            format!("{path}: {why}{end}")
        };
        unused.map(told).collect()
    }

    /// Opens everything that a case names. What cannot be used is noted.
    ///
    /// # Errors
    ///
    /// [`Stopped`] where `progress` says so.
    pub fn open(case: &Case, progress: &dyn Progress) -> Result<Self, Stopped> {
        let mut opening = Opening {
            contents: Self::default(),
            used: Used::default(),
            told: Vec::new(),
            budget: Budget::default(),
            without_use: Vec::new(),
            encoding: case.encoding,
            side_hash: case.side_hash,
            progress,
        };
        for input in &case.inputs {
            opening.add(input);
        }
        for (number, file) in case.side_files.iter().enumerate() {
            opening.add_named_side_file(file, case.inputs.len() + number);
        }
        if progress.should_stop() {
            return Err(Stopped);
        }
        let Opening { mut contents, mut told, .. } = opening;
        if contents.traces.is_empty() {
            starts::settle(&mut told, &mut contents.side_inputs);
            days::settle(&mut told, &mut contents.side_inputs);
        }
        machines::settle(&mut contents, told);
        sequences::settle(&mut contents);
        Ok(contents)
    }
}

/// A case that is being opened.
pub(super) struct Opening<'p> {
    pub(super) contents: Contents,
    pub(super) used: Used,
    /// What side inputs told, until it is known which of it is of one machine.
    pub(super) told: Vec<Told>,
    budget: Budget,
    /// Files of the input at hand that hold nothing that is known.
    pub(super) without_use: Vec<String>,
    /// Of text, as the user says.
    pub(super) encoding: Option<NamedEncoding>,
    pub(super) side_hash: Option<SideHash>,
    pub(super) progress: &'p dyn Progress,
}

impl Opening<'_> {
    fn add(&mut self, input: &Input) {
        let before = self.useful_side_files();
        let label = input.label();
        self.contents.inputs.push(Named { label: label.clone(), is_used: false });
        let result = match input {
            Input::Piped => self.add_standard_input(),
            Input::Path(path) => match fs::metadata(path) {
                Err(error) => Err(Reason::system(&error)),
                Ok(metadata) if metadata.is_dir() => self.add_folder(path),
                Ok(_) => self.add_file(path, InputKind::Etl, true).map(drop),
            },
            Input::Bytes(name, bytes) => self.add_bytes(name, bytes),
            Input::Folder(name, files) => self.add_given_folder(name, files),
        };
        if let Err(reason) = result {
            self.not_usable(label, reason);
        }
        self.tell_what_has_no_use();
        let is_used = self.useful_side_files() > before;
        if let Some(named) = self.contents.inputs.last_mut() {
            named.is_used = is_used;
        }
    }

    /// Number of the input at hand.
    fn input(&self) -> usize {
        self.contents.inputs.len().saturating_sub(1)
    }

    fn not_usable(&mut self, path: String, reason: Reason) {
        self.contents.lacks_memory |= reason == Reason::NoMemory;
        let input = self.input();
        self.contents.unusable.push(NotUsed { input, path, reason });
    }

    /// A file in a folder or archive that could not be used: an error where that was named, else a note.
    fn not_used(&mut self, path: String, reason: Reason, named: bool) {
        if named {
            self.not_usable(path, reason);
        } else if reason != Reason::Stopped {
            self.contents.lacks_memory |= reason == Reason::NoMemory;
            self.contents.notes.push(format!("{path}: {reason}; not used"));
            self.contents.named_in_notes.push(path);
        }
    }

    /// One line for all files of an input that hold nothing that is known.
    fn tell_what_has_no_use(&mut self) {
        let mut names = std::mem::take(&mut self.without_use);
        let count = names.len();
        if count == 0 {
            return;
        }
        names.truncate(NAMED_WITHOUT_USE);
        let more = if count > names.len() { ", ..." } else { "" };
        let holds = if count == 1 { "holds" } else { "hold" };
        let count = counted(count as u64, "file");
        self.contents
            .notes
            .push(format!("{count} {holds} nothing that this program knows; not used: {}{more}", names.join(", ")));
        self.contents.named_in_notes.extend(names);
    }

    fn add_file(&mut self, path: &Path, kind: InputKind, named: bool) -> Result<Use, Reason> {
        let file = File::open(path).map_err(|error| Reason::system(&error))?;
        let stored = if file.metadata().is_ok_and(|metadata| metadata.is_file()) {
            Stored::File(file)
        } else {
            self.keep_stream(file)?
        };
        self.add_opened(stored, Found { label: label(path), kind, named, nesting: 0, place: Place::Disk })
    }

    fn add_bytes(&mut self, name: &str, bytes: &Given) -> Result<(), Reason> {
        let found = Found { label: shown(name), kind: InputKind::Etl, named: true, nesting: 0, place: Place::Memory };
        self.add_opened(Stored::Given(Cursor::new(bytes.clone())), found).map(drop)
    }

    /// Standard input, `-`: a file behind it is used as it is, what comes through a pipe is kept on disk while it is read.
    fn add_standard_input(&mut self) -> Result<(), Reason> {
        let kept = self.keep_stream(io::stdin().lock())?;
        let label = "(standard input)".to_owned();
        let found = Found { label, kind: InputKind::Etl, named: true, nesting: 0, place: Place::Disk };
        self.add_opened(kept, found).map(drop)
    }

    /// Keeps what is no file on disk, unless its beginning shows already that it is nothing to read: a device has no end.
    fn keep_stream(&mut self, mut from: impl Read) -> Result<Stored, Reason> {
        let start = sniff(&mut from, SNIFFED_BYTES).map_err(|error| Reason::system(&error))?;
        let whole = (start.len() as u64) < SNIFFED_BYTES;
        let is_known = || Trace::new(&start).is_ok() || !recognise(&start, "").is_empty();
        if !whole && Packing::of(&start) == Packing::None && !is_known() {
            return Err(Look::of(shape(&start)).map_or(Reason::UnknownStream, Reason::Looks));
        }
        let kept = self.budget.keep(rejoined(start, &mut from), Place::Disk, None, self.progress);
        kept.map_err(|error| self.failed(&error, Reason::System))
    }

    /// Why bytes could not be kept: that the job was stopped is no reason of theirs.
    fn failed(&self, error: &io::Error, reason: impl FnOnce(String) -> Reason) -> Reason {
        match error.kind() {
            _ if self.progress.should_stop() => Reason::Stopped,
            io::ErrorKind::OutOfMemory => Reason::NoMemory,
            _ => reason(system_message(error)),
        }
    }

    fn add_opened(&mut self, mut stored: Stored, found: Found) -> Result<Use, Reason> {
        if self.progress.should_stop() {
            return Err(Reason::Stopped);
        }
        let read_error = |error: io::Error| Reason::system(&error);
        let start = sniff(&mut stored, SHAPE_BYTES).map_err(read_error)?;
        stored.rewind().map_err(read_error)?;
        if start.is_empty() {
            let is_told = !found.named && self.tell_promised(&found.label, &Reason::Empty.to_string());
            return if is_told { Ok(Use::None) } else { Err(Reason::Empty) };
        }
        let packing = Packing::of(&start);
        if packing != Packing::None && found.nesting >= MAX_NESTING {
            return Err(Reason::PackedTooOften(MAX_NESTING));
        }
        match packing {
            Packing::Cabinet | Packing::Zip => self.add_archive(stored, packing, &found),
            Packing::Gzip | Packing::Zstandard => self.add_packed(stored, packing, found),
            Packing::None => self.add_plain(stored, &start, found),
        }
    }

    /// A file that is packed alone.
    fn add_packed(&mut self, stored: Stored, packing: Packing, found: Found) -> Result<Use, Reason> {
        let packed_bytes = Some(stored.size());
        let unpacked = unpack(stored, packing, self.progress, &mut |from| self.keep_wanted(from, packed_bytes, &found));
        let unpacked = unpacked.map_err(|error| self.failed(&error, Reason::CannotUnpack))?;
        match unpacked {
            Ok(unpacked) => self.add_opened(unpacked, Found { nesting: found.nesting + 1, ..found }),
            Err(start) => self.without_use_by(&start, &found),
        }
    }

    /// Keeps an unpacked file if its first bytes are those of something to read; else gives these.
    fn keep_wanted(
        &mut self,
        from: &mut dyn Read,
        packed_bytes: Option<u64>,
        found: &Found,
    ) -> io::Result<Result<Stored, Vec<u8>>> {
        let mut start = sniff(from, SHAPE_BYTES)?;
        let is_plain = Packing::of(&start) == Packing::None && !event_log::is_event_log(&start) && !is_text(&start);
        if is_plain && !start.is_empty() {
            start.extend(sniff(from, SNIFFED_BYTES - SHAPE_BYTES)?);
            let is_hopeless = !found.is_called_trace() || Look::of(shape(&start)).is_some();
            if is_hopeless && Trace::new(&start).is_err() {
                return Ok(Err(start));
            }
        }
        let kept = self.budget.keep(rejoined(start, from), found.place, packed_bytes, self.progress)?;
        Ok(Ok(kept))
    }

    fn add_plain(&mut self, mut stored: Stored, start: &[u8], found: Found) -> Result<Use, Reason> {
        // A trace is no text, not even in its first bytes: of thousands none is to be read as one.
        let is_text = Trace::new(start).is_err() && is_text(start);
        if is_text && collected::is_called_so(&found.label) && self.add_manifest(&mut stored, &found)? {
            return Ok(Use::None);
        }
        if event_log::is_event_log(start) || is_text {
            let bytes = SideBytes::read(&mut stored).map_err(|error| Reason::system(&error))?;
            let is_used = if found.named {
                self.take_side_file(&found.label, &bytes)
            } else {
                self.take_found_side_file(&found.label, &bytes)
            };
            if is_used {
                return Ok(Use::Some);
            }
            if !is_text && !found.named {
                self.without_use.push(found.label);
                return Ok(Use::None);
            }
            if is_text {
                return self.without_use_by(start, &found).map_err(|reason| match reason {
                    Reason::NoKnownList(_) => Reason::NoKnownList(self.why_not_named(&found.label, &bytes)),
                    reason => reason,
                });
            }
            stored.rewind().map_err(|error| Reason::system(&error))?;
        }
        if !found.named && !found.is_called_trace() {
            // Any file may lie in a folder: only what begins as a trace is one.
            let start = sniff(&mut stored, SNIFFED_BYTES).map_err(|error| Reason::system(&error))?;
            stored.rewind().map_err(|error| Reason::system(&error))?;
            if Trace::new(&start).is_err() {
                return self.without_use_by(&start, &found);
            }
        }
        let file = stored.into_etl_file().map_err(|error| Reason::system(&error))?;
        let input = self.input();
        self.contents.traces.push(TraceFile {
            path: found.label,
            kind: found.kind,
            file,
            named: found.named,
            input,
            is_unpacked: found.nesting > 0,
        });
        Ok(Use::Some)
    }

    /// Takes notes from the manifest of `collect`; `false` where the file is none.
    fn add_manifest(&mut self, stored: &mut Stored, found: &Found) -> Result<bool, Reason> {
        let bytes = sniff(stored, collected::MAX_BYTES).map_err(|error| Reason::system(&error))?;
        stored.rewind().map_err(|error| Reason::system(&error))?;
        let manifest = Manifest::read(&bytes);
        if let Some(manifest) = &manifest {
            self.contents.notes.extend(manifest.for_report(&found.label));
            self.contents.named_in_notes.push(found.label.clone());
        }
        Ok(manifest.is_some())
    }

    /// A file that is nothing to read: why, where it was named or is called a trace.
    fn without_use_by(&mut self, start: &[u8], found: &Found) -> Result<Use, Reason> {
        let look = Look::of(shape(start));
        if found.is_called_trace()
            && let Err(error) = Trace::new(start)
        {
            return Err(Reason::NotATrace { error, look });
        }
        if !found.named {
            let note = look.map(|look| Reason::Looks(look).to_string());
            let is_told = look != Some(Look::Text)
                && self.tell_promised(&found.label, note.as_deref().unwrap_or("is neither text nor an event log"));
            if !is_told {
                self.without_use.push(found.label.clone());
            }
            return Ok(Use::None);
        }
        Err(match look {
            Some(Look::Text) => Reason::NoKnownList(None),
            Some(look) => Reason::Looks(look),
            None => match Trace::new(start) {
                Err(error) => Reason::NotATrace { error, look },
                Ok(_) => Reason::NoKnownList(None),
            },
        })
    }

    fn add_folder(&mut self, folder: &Path) -> Result<(), Reason> {
        let listing =
            folder::list(folder, folder::MAX_ENTRIES, self.progress).map_err(|error| Reason::system(&error))?;
        let before = self.useful();
        for path in &listing.files {
            let label = label(path);
            if let Err(reason) = self.add_file(path, InputKind::Folder, false) {
                self.not_used(label, reason, false);
            }
        }
        for (path, error) in &listing.unreadable {
            self.not_used(label(path), Reason::system(error), false);
        }
        self.end_folder(label(folder), listing.is_cut, before)
    }

    /// A folder whose files came as bytes, in the order in which they would be listed.
    fn add_given_folder(&mut self, name: &str, files: &[(String, Given)]) -> Result<(), Reason> {
        let before = self.useful();
        let mut files: Vec<&(String, Given)> = files.iter().collect();
        files.sort_by(|(one, _), (other, _)| Path::new(one).cmp(Path::new(other)));
        for (path, bytes) in files.iter().take(folder::MAX_ENTRIES) {
            let label = shown(&format!("{name}/{path}"));
            let (kind, place) = (InputKind::Folder, Place::Memory);
            let found = Found { label: label.clone(), kind, named: false, nesting: 0, place };
            if let Err(reason) = self.add_opened(Stored::Given(Cursor::new(bytes.clone())), found) {
                self.not_used(label, reason, false);
            }
        }
        self.end_folder(shown(name), files.len() > folder::MAX_ENTRIES, before)
    }

    /// Traces and side files so far.
    fn useful(&self) -> (usize, usize) {
        (self.contents.traces.len(), self.useful_side_files())
    }

    fn end_folder(&mut self, label: String, is_cut: bool, before: (usize, usize)) -> Result<(), Reason> {
        if is_cut {
            let most = crate::words::grouped(folder::MAX_ENTRIES as u64);
            self.contents.notes.push(format!("{label}: only the first {most} files and folders in it were looked at"));
            self.contents.named_in_notes.push(label);
        }
        if before == self.useful() { Err(Reason::EmptyFolder) } else { Ok(()) }
    }

    /// A cabinet of `netsh trace` holds `report.etl` and `processes.txt`, and much that is of no use; other archives hold
    /// whatever somebody put into them.
    fn add_archive(&mut self, stored: Stored, packing: Packing, found: &Found) -> Result<Use, Reason> {
        let (kind, what) = (if packing == Packing::Zip { InputKind::Zip } else { InputKind::Cab }, packing.what());
        let kind = if found.kind == InputKind::Etl { kind } else { found.kind };
        let opened = Archive::open(stored, packing, self.progress);
        let (mut archive, members) =
            opened.map_err(|error| self.failed(&error, |why| Reason::BadArchive(what, why)))?;
        let is_report = packing == Packing::Cabinet
            && members.iter().any(|member| base_name(&member.name).eq_ignore_ascii_case("report.etl"));
        let before = (self.contents.traces.len(), self.useful_side_files(), self.contents.unusable.len());
        for Member { name, packed_bytes, is_encrypted } in members {
            let lower = name.to_lowercase();
            if is_report && base_name(&lower) != "report.etl" && !is_of_report(&lower) {
                continue;
            }
            let path = format!("{}/{}", found.label, shown(&name));
            let inner = Found { label: path.clone(), kind, nesting: found.nesting + 1, ..found.clone() };
            if is_encrypted {
                self.not_used(path, Reason::Encrypted, found.named);
                continue;
            }
            // Within an archive that was named, a file is found and not named.
            let inner = Found { named: found.named && inner.is_called_trace(), ..inner };
            let kept = archive.extract(&name, &mut |from| self.keep_wanted(from, packed_bytes, &inner));
            let result = match kept {
                Err(error) => Err(self.failed(&error, |why| Reason::BadMember(what, why))),
                Ok(Err(start)) => self.without_use_by(&start, &inner),
                Ok(Ok(kept)) if kept.size() == 0 => continue,
                Ok(Ok(kept)) => self.add_opened(kept, inner.clone()),
            };
            if let Err(reason) = result {
                self.not_used(path, reason, found.named && inner.is_called_trace());
            }
        }
        if before == (self.contents.traces.len(), self.useful_side_files(), self.contents.unusable.len()) {
            if found.nesting > 0 || !found.named {
                self.without_use.push(found.label.clone());
                return Ok(Use::None);
            }
            return Err(Reason::EmptyArchive(what));
        }
        Ok(Use::Some)
    }
}

/// Whether a file may hold more than its beginning tells, by its name and its first [`SNIFFED_BYTES`]: of any other, these say
/// all that a report would. For callers that must read a file before they can hand it over.
pub fn is_worth_reading(name: &str, start: &[u8]) -> bool {
    let head = shape(start);
    Packing::of(head) != Packing::None
        || event_log::is_event_log(head)
        || is_text(head)
        || Trace::new(start).is_ok()
        || (base_name(name).to_lowercase().contains("etl") && Look::of(head).is_none())
}

fn shape(start: &[u8]) -> &[u8] {
    start.get(..SHAPE_BYTES as usize).unwrap_or(start)
}
