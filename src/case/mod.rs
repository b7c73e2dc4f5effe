//! Finds the traces and side files of a case: files by name, standard input, folders, `netsh trace` report cabinets, zip
//! archives, and traces packed with gzip or Zstandard.

pub mod facts;
pub(crate) mod indexing;
mod side;
mod unpack;

use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};

use etl_parser::{EtlFile, Trace};
use serde::Serialize;

use crate::side::facts::SideFacts;
use crate::side::{event_log, is_text, recognise};
use crate::words::shown;
use crate::words::system_message;
pub use side::{NamedSideFile, SideInput};
use side::{SideBytes, Used, is_of_report, is_side_name, is_text_name};
use unpack::{Archive, Budget, Packing};

/// How much of an input that is no file is read before it is known to be worth keeping.
const SNIFFED_BYTES: u64 = 1 << 20;

/// How much of a file shows whether it is packed, text, or something else.
const SHAPE_BYTES: u64 = 4 << 10;

/// How deep archives are unpacked: a cabinet in a zip in a zip.
const MAX_NESTING: usize = 3;

/// How deep folders are searched.
const MAX_FOLDER_DEPTH: usize = 4;

/// What an input is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum InputKind {
    /// A trace.
    Etl,
    /// A cabinet with a trace in it.
    Cab,
    /// A zip archive with a trace in it.
    Zip,
    /// A folder.
    Folder,
}

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
}

/// Everything that belongs to one case.
#[derive(Debug, Default)]
pub struct Case {
    /// Traces.
    pub traces: Vec<TraceFile>,
    /// Side files.
    pub side_inputs: Vec<SideInput>,
    /// What they told.
    pub side: SideFacts,
    /// Named inputs that could not be used, one line each.
    pub unusable: Vec<String>,
    /// The inputs as the user named them, and whether a side file of each could be used.
    pub inputs: Vec<(String, bool)>,
    /// What else is to be known about the inputs.
    pub notes: Vec<String>,
    used: Used,
    budget: Budget,
}

/// A file that is being looked at: how it is called, and what it came in.
struct Found {
    label: String,
    kind: InputKind,
    named: bool,
    nesting: usize,
}

impl Case {
    /// Opens everything that `inputs` and `side_files` name. What cannot be used is noted.
    pub fn open(inputs: &[PathBuf], side_files: &[NamedSideFile]) -> Self {
        let mut case = Self::default();
        for input in inputs {
            case.add(input);
        }
        for file in side_files {
            case.add_named_side_file(file);
        }
        case
    }

    fn add(&mut self, input: &Path) {
        let before = self.useful_side_files();
        self.inputs.push((label(input), false));
        let result = match fs::metadata(input) {
            _ if input == Path::new("-") => self.add_standard_input(),
            Err(error) => Err(system_message(&error)),
            Ok(metadata) if metadata.is_dir() => self.add_folder(input),
            Ok(_) => self.add_file(input, InputKind::Etl, true),
        };
        if let Err(message) = result {
            self.unusable.push(format!("{}: {message}", label(input)));
        }
        let is_used = self.useful_side_files() > before;
        if let Some((_, used)) = self.inputs.last_mut() {
            *used = is_used;
        }
    }

    fn add_file(&mut self, path: &Path, kind: InputKind, named: bool) -> Result<(), String> {
        let file = File::open(path).map_err(|error| system_message(&error))?;
        let file = if file.metadata().is_ok_and(|metadata| metadata.is_file()) {
            file
        } else {
            self.spool(file).map_err(|error| system_message(&error))?
        };
        self.add_opened(file, Found { label: label(path), kind, named, nesting: 0 })
    }

    /// Standard input, `-`: a file behind it is used as it is, what comes through a pipe is kept on disk while it is read.
    fn add_standard_input(&mut self) -> Result<(), String> {
        let spooled = self.spool(io::stdin().lock()).map_err(|error| system_message(&error))?;
        let found = Found { label: "(standard input)".to_owned(), kind: InputKind::Etl, named: true, nesting: 0 };
        self.add_opened(spooled, found)
    }

    /// Keeps what is no file on disk, unless its beginning shows already that it is nothing to read: a device has no end.
    fn spool(&mut self, mut from: impl Read) -> io::Result<File> {
        let mut start = Vec::new();
        (&mut from).take(SNIFFED_BYTES).read_to_end(&mut start)?;
        let whole = (start.len() as u64) < SNIFFED_BYTES;
        let is_known = || Trace::new(&start).is_ok() || !recognise(&start, "").is_empty();
        if !whole && Packing::of(&start) == Packing::None && !is_known() {
            let message = "is neither a trace, nor an archive, nor a known side file";
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        self.budget.spool(start.as_slice().chain(from))
    }

    fn add_opened(&mut self, mut file: File, found: Found) -> Result<(), String> {
        let read_error = |error: io::Error| system_message(&error);
        let mut start = Vec::new();
        (&mut file).take(SHAPE_BYTES).read_to_end(&mut start).map_err(read_error)?;
        file.rewind().map_err(read_error)?;
        if start.is_empty() {
            return Err("is empty".to_owned());
        }
        let packing = Packing::of(&start);
        if packing != Packing::None && found.nesting >= MAX_NESTING {
            return Err(format!("is packed more than {MAX_NESTING} times"));
        }
        match packing {
            Packing::Cabinet | Packing::Zip => return self.add_archive(file, packing, &found),
            Packing::Gzip | Packing::Zstandard => {
                let unpacked = self.budget.unpack(file, packing);
                let unpacked = unpacked.map_err(|error| format!("cannot be unpacked: {}", system_message(&error)))?;
                return self.add_opened(unpacked, Found { nesting: found.nesting + 1, ..found });
            }
            Packing::None => {}
        }
        // A trace is no text, not even in its first bytes.
        if event_log::is_event_log(&start) || is_text(&start) {
            let bytes = SideBytes::read(&mut file).map_err(read_error)?;
            if self.take_side_file(&found.label, &bytes) {
                return Ok(());
            }
            if is_text_name(&found.label.to_lowercase()) {
                return Err("holds no list that is known, of processes, sockets, handles or ports".to_owned());
            }
            file.rewind().map_err(read_error)?;
        }
        let file = EtlFile::from_file(file).map_err(read_error)?;
        self.push_trace(found.label, found.kind, file, found.named);
        Ok(())
    }

    fn push_trace(&mut self, path: String, kind: InputKind, file: EtlFile, named: bool) {
        let input = self.inputs.len().saturating_sub(1);
        self.traces.push(TraceFile { path, kind, file, named, input });
    }

    fn add_folder(&mut self, folder: &Path) -> Result<(), String> {
        let mut files = Vec::new();
        find_files(folder, 0, &mut files).map_err(|error| system_message(&error))?;
        files.sort();
        let before = (self.traces.len(), self.useful_side_files());
        for path in &files {
            let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
            if is_trace_name(&name) {
                if let Err(message) = self.add_file(path, InputKind::Folder, false) {
                    self.notes.push(format!("{}: {message}; not used", label(path)));
                }
            } else if is_side_name(&name) {
                self.take_found_side_file(&label(path), side::read_file(path));
            }
        }
        if before == (self.traces.len(), self.useful_side_files()) {
            return Err(
                "the folder holds no trace (.etl), no report cabinet (.cab), no zip archive and no side file that is known"
                    .to_owned(),
            );
        }
        Ok(())
    }

    /// A cabinet of `netsh trace` holds `report.etl` and `processes.txt`, and much that is of no use; other archives hold
    /// whatever somebody put into them.
    fn add_archive(&mut self, file: File, packing: Packing, found: &Found) -> Result<(), String> {
        let (kind, what) =
            if packing == Packing::Zip { (InputKind::Zip, "zip archive") } else { (InputKind::Cab, "cabinet") };
        let kind = if found.kind == InputKind::Etl { kind } else { found.kind };
        let opened = Archive::open(file, packing);
        let (mut archive, members) =
            opened.map_err(|error| format!("is a {what} that cannot be read: {}", system_message(&error)))?;
        let is_named = |member: &str, name: &str| crate::event::base_name(member).eq_ignore_ascii_case(name);
        let is_report = packing == Packing::Cabinet && members.iter().any(|name| is_named(name, "report.etl"));
        let before = (self.traces.len(), self.useful_side_files());
        for name in &members {
            let path = format!("{}/{}", found.label, shown(name));
            let lower = name.to_lowercase();
            let wanted = if is_report { is_named(name, "report.etl") } else { is_trace_name(&lower) };
            let is_side = if is_report { is_of_report(&lower) } else { is_side_name(&lower) };
            if !wanted && !is_side {
                continue;
            }
            let member = archive.extract(name, &mut self.budget);
            let member =
                member.map_err(|error| format!("cannot be taken out of the {what}: {}", system_message(&error)));
            if !wanted {
                let bytes = member.and_then(|file| SideBytes::read(file).map_err(|error| system_message(&error)));
                self.take_found_side_file(&path, bytes);
                continue;
            }
            let inner = Found { label: path.clone(), kind, named: found.named, nesting: found.nesting + 1 };
            match member.and_then(|member| self.add_opened(member, inner)) {
                Ok(()) => {}
                Err(message) if found.named => self.unusable.push(format!("{path}: {message}")),
                Err(message) => self.notes.push(format!("{path}: {message}; not used")),
            }
        }
        if before == (self.traces.len(), self.useful_side_files()) && self.unusable.is_empty() {
            return Err(format!("is a {what} without a trace (.etl) or a side file that is known"));
        }
        Ok(())
    }
}

/// Whether a file in a folder or archive is to be looked at as a trace, packed or not.
fn is_trace_name(name: &str) -> bool {
    let unpacked = name.strip_suffix(".gz").or_else(|| name.strip_suffix(".zst")).unwrap_or(name);
    [".etl", ".cab", ".zip"].iter().any(|extension| unpacked.ends_with(extension))
}

fn find_files(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() && depth < MAX_FOLDER_DEPTH {
            // A folder inside that cannot be read must not hide what can.
            let _ = find_files(&entry.path(), depth + 1, files);
        } else if fs::metadata(entry.path()).is_ok_and(|metadata| metadata.is_file()) {
            // Of links only those to files: a device has no end.
            files.push(entry.path());
        }
    }
    Ok(())
}

/// A path as it may be shown.
pub fn label(path: &Path) -> String {
    shown(&path.display().to_string())
}
