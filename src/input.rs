//! Finds the traces and side files of a case: files by name, folders, and `netsh trace` report cabinets.

use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::panic;
use std::path::{Path, PathBuf};

use cab::Cabinet;
use etl_parser::EtlFile;
use serde::Serialize;

use crate::error::system_message;
use crate::report::shown;
use crate::side::tasklist::Task;
use crate::side::{decode_text, tasklist};

/// Largest member that is taken out of a cabinet. `netsh trace` files end at 250 MB unless told otherwise.
const MAX_MEMBER_BYTES: u64 = 64 << 30;

/// Largest side file read. A `tasklist` of 10,000 processes has 1 MB.
const MAX_SIDE_FILE_BYTES: u64 = 64 << 20;

/// Largest input that is no file and so cannot be mapped (a pipe, a device).
const MAX_UNMAPPED_BYTES: u64 = 2 << 30;

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

/// A side file: what it is, and whether it could be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SideInput {
    /// Path.
    pub path: String,
    /// Kind.
    pub kind: &'static str,
    /// Whether it could be read.
    pub used: bool,
    /// Why not, or what is to be known about it.
    pub note: Option<String>,
}

impl SideInput {
    fn unused(path: String, note: String) -> Self {
        Self { path, kind: "tasklist", used: false, note: Some(note) }
    }
}

/// Everything that belongs to one case.
#[derive(Debug, Default)]
pub struct Case {
    /// Traces.
    pub traces: Vec<TraceFile>,
    /// Side files.
    pub side_inputs: Vec<SideInput>,
    /// Processes of all `tasklist` outputs.
    pub tasks: Vec<Task>,
    /// Named inputs that could not be used, one line each.
    pub unusable: Vec<String>,
    /// The inputs as the user named them, and whether a side file of each could be used.
    pub inputs: Vec<(String, bool)>,
    /// What else is to be known about the inputs.
    pub notes: Vec<String>,
}

impl Case {
    /// Opens everything that `inputs` and `tasklists` name. What cannot be used is noted.
    pub fn open(inputs: &[PathBuf], tasklists: &[PathBuf]) -> Self {
        let mut case = Self::default();
        for input in inputs {
            case.add(input);
        }
        for path in tasklists {
            if let Err(message) = case.add_tasklist(path) {
                case.unusable.push(format!("{}: {message}", label(path)));
                case.side_inputs.push(SideInput::unused(label(path), message));
            }
        }
        case
    }

    fn add(&mut self, input: &Path) {
        let tasks = self.tasks.len();
        self.inputs.push((label(input), false));
        let result = match fs::metadata(input) {
            Err(error) => Err(system_message(&error)),
            Ok(metadata) if metadata.is_dir() => self.add_folder(input),
            Ok(_) => self.add_file(input, InputKind::Etl, true),
        };
        if let Err(message) = result {
            self.unusable.push(format!("{}: {message}", label(input)));
        }
        if let Some((_, used)) = self.inputs.last_mut() {
            *used = self.tasks.len() > tasks;
        }
    }

    fn add_file(&mut self, path: &Path, kind: InputKind, named: bool) -> Result<(), String> {
        let label = label(path);
        let mut file = File::open(path).map_err(|error| system_message(&error))?;
        let mut magic = [0_u8; 8];
        let is_regular = file.metadata().is_ok_and(|metadata| metadata.is_file());
        if is_regular {
            let read = read_up_to(&mut file, &mut magic).map_err(|error| system_message(&error))?;
            file.rewind().map_err(|error| system_message(&error))?;
            match magic.get(..read).unwrap_or(&[]) {
                [] => return Err("is empty".to_owned()),
                [b'M', b'S', b'C', b'F', ..] => return self.add_cabinet(file, &label, kind, named),
                [b'P', b'K', 3, 4, ..] => return Err("is a zip archive: unpack it and name the folder".to_owned()),
                [0x1F, 0x8B, ..] => return Err("is compressed with gzip: unpack it first".to_owned()),
                _ => {}
            }
            let as_text = label.to_lowercase();
            if (as_text.ends_with(".txt") || as_text.ends_with(".csv")) && self.add_tasklist(path).is_ok() {
                return Ok(());
            }
        }
        let file = if is_regular { EtlFile::from_file(file) } else { EtlFile::from_reader(file, MAX_UNMAPPED_BYTES) };
        let file = file.map_err(|error| system_message(&error))?;
        if file.bytes().is_empty() {
            return Err("is empty".to_owned());
        }
        self.push_trace(label, kind, file, named);
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
        let before = (self.traces.len(), self.tasks.len());
        for path in &files {
            let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
            let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
            let result = match extension.as_str() {
                "etl" | "cab" => self.add_file(path, InputKind::Folder, false),
                "txt" | "csv" | "log" if is_tasklist_name(&name) => self.add_tasklist(path),
                _ => continue,
            };
            if let Err(message) = result {
                self.notes.push(format!("{}: {message}; not used", label(path)));
            }
        }
        if before == (self.traces.len(), self.tasks.len()) {
            return Err("the folder holds no trace (.etl), no report cabinet (.cab) and no tasklist output".to_owned());
        }
        Ok(())
    }

    fn add_cabinet(&mut self, file: File, label: &str, kind: InputKind, named: bool) -> Result<(), String> {
        let kind = if kind == InputKind::Etl { InputKind::Cab } else { kind };
        let broken = |error: io::Error| format!("is a cabinet that cannot be read: {}", system_message(&error));
        let opened = contained(|| {
            let cabinet = Cabinet::new(file)?;
            let files = cabinet.folder_entries().flat_map(|folder| folder.file_entries());
            let members = files.map(|file| (file.name().to_owned(), u64::from(file.uncompressed_size()))).collect();
            Ok((cabinet, members))
        });
        let (mut cabinet, mut members): (_, Vec<(String, u64)>) = opened.map_err(broken)?;
        members.sort();
        let is_named = |member: &str, name: &str| crate::event::base_name(member).eq_ignore_ascii_case(name);
        let has_report = members.iter().any(|(name, _)| is_named(name, "report.etl"));
        let before = (self.traces.len(), self.tasks.len());
        for (name, bytes) in &members {
            let path = format!("{label}/{}", shown(name));
            let lower = name.to_lowercase();
            let wanted_trace = if has_report { is_named(name, "report.etl") } else { lower.ends_with(".etl") };
            if wanted_trace {
                let file = extract(&mut cabinet, name, *bytes).map_err(|error| format!("{}: {error}", shown(name)))?;
                self.push_trace(path, kind, file, named);
            } else if is_named(name, "processes.txt") {
                let file = extract(&mut cabinet, name, *bytes);
                let result = file.and_then(|file| self.take_tasklist(path.clone(), file.bytes()));
                if let Err(message) = result {
                    self.notes.push(format!("{path}: {message}; not used"));
                }
            }
        }
        if before == (self.traces.len(), self.tasks.len()) {
            return Err("is a cabinet without a trace (.etl) or processes.txt".to_owned());
        }
        Ok(())
    }

    fn add_tasklist(&mut self, path: &Path) -> Result<(), String> {
        let label = label(path);
        let read = || -> io::Result<Vec<u8>> {
            let mut bytes = Vec::new();
            File::open(path)?.take(MAX_SIDE_FILE_BYTES).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        let bytes = read().map_err(|error| system_message(&error))?;
        self.take_tasklist(label, &bytes)
    }

    fn take_tasklist(&mut self, path: String, bytes: &[u8]) -> Result<(), String> {
        let (text, unsure) = decode_text(bytes);
        let Some(tasks) = tasklist::parse(&text) else { return Err("is no tasklist output".to_owned()) };
        let unsure =
            unsure.then(|| "its code page is not known: letters outside of ASCII are shown as \u{fffd}".to_owned());
        self.tasks.extend(tasks);
        self.side_inputs.push(SideInput { path, kind: "tasklist", used: true, note: unsure });
        Ok(())
    }
}

fn is_tasklist_name(name: &str) -> bool {
    name.contains("tasklist") || name.starts_with("processes.")
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

fn read_up_to(file: &mut File, into: &mut [u8]) -> io::Result<usize> {
    let mut read = Vec::with_capacity(into.len());
    let count = file.take(into.len() as u64).read_to_end(&mut read)?;
    for (to, from) in into.iter_mut().zip(read) {
        *to = from;
    }
    Ok(count)
}

/// Takes a member out of a cabinet into an unnamed temporary file, so that it costs disk and not memory.
fn extract(cabinet: &mut Cabinet<File>, name: &str, bytes: u64) -> Result<EtlFile, String> {
    if bytes > MAX_MEMBER_BYTES {
        return Err(format!("has {bytes} bytes, more than the {MAX_MEMBER_BYTES} that are taken out of a cabinet"));
    }
    let copied = contained(|| {
        let mut file = tempfile::tempfile()?;
        io::copy(&mut cabinet.read_file(name)?.take(bytes), &mut file)?;
        file.rewind()?;
        EtlFile::from_file(file)
    });
    copied.map_err(|error| format!("cannot be taken out of the cabinet: {}", system_message(&error)))
}

/// Runs code of the `cab` crate, which panics on some damaged cabinets (version 0.6.0: an index beyond its tables), and
/// makes an error of that.
fn contained<T>(work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| ()));
    let result = panic::catch_unwind(panic::AssertUnwindSafe(work));
    panic::set_hook(hook);
    result.unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::InvalidData, "its tables are damaged")))
}

/// A path as it may be shown.
pub fn label(path: &Path) -> String {
    shown(&path.display().to_string())
}
