//! Where the cases are: which files and folders below the inputs belong together.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::BatchError;
use super::list;
use super::settings::{CasesBy, Settings};
use crate::case::{Alone, folder, label};
use crate::progress::Progress;
use crate::time::{FileTime, from_timestamp};
use crate::words::{counted, grouped, shown, system_message};

/// How much of a file shows what it is.
const START_BYTES: u64 = 4 << 10;

/// From so many archives and traces on, a folder that is one case is told.
const MANY_IN_A_CASE: usize = 20;

/// Where a case is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// Its folder or file, to be opened.
    pub(super) path: PathBuf,
    /// The same below the folder that was named, where that is the only input.
    pub(super) relative: PathBuf,
    /// Size of its files in bytes.
    pub(super) bytes: u64,
    /// When the last of its files was changed; `None` where the system does not tell.
    pub(super) changed: Option<FileTime>,
    /// What the system says of a folder that cannot be looked into, or of a file that is not there.
    pub(super) unreadable: Option<String>,
}

impl Place {
    /// The path as tables show it: with slashes on each system, and whole, whatever it is made of.
    pub(super) fn shown(&self) -> String {
        shown_path(&self.relative)
    }
}

/// A path with slashes; bytes that are no text are spelled out, so that two paths never look alike.
pub(super) fn shown_path(path: &Path) -> String {
    let mut text = String::new();
    for chunk in path.as_os_str().as_encoded_bytes().utf8_chunks() {
        // On Windows a backslash parts folders; elsewhere it is a letter, which must not look like the beginning of an escape.
        let valid = chunk.valid().replace('\\', if cfg!(windows) { "/" } else { "\\\\" });
        text.push_str(&shown(&valid));
        text.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02X}")));
    }
    text
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// The cases, by their paths.
    pub(super) cases: Vec<Place>,
    /// Files that lie beside cases and belong to none.
    pub(super) loose: u64,
    /// What is to be known about them.
    pub(super) remarks: Vec<String>,
}

/// Finds the cases of all inputs.
///
/// # Errors
///
/// [`BatchError`] where an input is of no use, or the results would lie in a case.
pub(super) fn find(settings: &Settings, progress: &dyn Progress) -> Result<Places, BatchError> {
    let mut finding = Finding {
        cases_by: settings.cases_by,
        out: fs::canonicalize(&settings.out).unwrap_or_else(|_| settings.out.clone()),
        is_only_input: settings.inputs.len() == 1,
        places: Places::default(),
        progress,
    };
    for input in &settings.inputs {
        finding.add_input(input)?;
    }
    let Finding { mut places, out, .. } = finding;
    let mut seen = BTreeSet::new();
    // A case that two inputs lead to is one.
    let several = settings.inputs.len() > 1 || places.cases.iter().any(|place| place.path == place.relative);
    places.cases.sort_by(|one, other| one.relative.cmp(&other.relative));
    places.cases.retain(|place| {
        let own = if several { fs::canonicalize(&place.path).ok() } else { None };
        seen.insert(own.unwrap_or_else(|| place.path.clone()))
    });
    let around =
        places.cases.iter().find(|place| fs::canonicalize(&place.path).is_ok_and(|path| out.starts_with(path)));
    if let Some(case) = around {
        return Err(BatchError::Usage(format!(
            "--out lies in {}, which is a case: name a folder beside it",
            label(&case.path)
        )));
    }
    if places.loose > 0 {
        let (count, belong) = (counted(places.loose, "file"), if places.loose == 1 { "belongs" } else { "belong" });
        places
            .remarks
            .push(format!("{count} beside cases {belong} to none; --cases-by folder takes a folder with all in it"));
    }
    Ok(places)
}

struct Finding<'p> {
    cases_by: CasesBy,
    /// The folder of the results, which are no cases.
    out: PathBuf,
    is_only_input: bool,
    places: Places,
    progress: &'p dyn Progress,
}

impl Finding<'_> {
    fn add_input(&mut self, input: &Path) -> Result<(), BatchError> {
        if input == Path::new("-") {
            return self.add_list(input);
        }
        let unusable = |error: &io::Error| BatchError::Usage(format!("{}: {}", label(input), system_message(error)));
        let metadata = fs::metadata(input).map_err(|error| unusable(&error))?;
        if metadata.is_dir() {
            self.add_folder(input, self.is_only_input);
            return Ok(());
        }
        if is_alone(input).map_err(|error| unusable(&error))? {
            self.add_file(input.to_owned(), input.to_owned());
            return Ok(());
        }
        self.add_list(input)
    }

    fn add_list(&mut self, input: &Path) -> Result<(), BatchError> {
        for path in list::read(input)? {
            match fs::metadata(&path) {
                Ok(metadata) if metadata.is_dir() => self.add_folder(&path, false),
                Ok(_) => self.add_file(path.clone(), path),
                Err(error) => self.add_unreadable(path.clone(), path, &error),
            }
        }
        Ok(())
    }

    /// Adds the cases below a folder; their names begin behind it where `is_root`.
    fn add_folder(&mut self, root: &Path, is_root: bool) {
        let name = |path: &Path| {
            let below = path.strip_prefix(root).ok().filter(|below| is_root && !below.as_os_str().is_empty());
            below.unwrap_or(path).to_owned()
        };
        let mut listing = match folder::list(root, usize::MAX, self.progress) {
            Ok(listing) => listing,
            Err(error) => return self.add_unreadable(root.to_owned(), root.to_owned(), &error),
        };
        let own = fs::canonicalize(root).unwrap_or_else(|_| root.to_owned());
        if let Ok(below) = self.out.strip_prefix(&own).map(|below| root.join(below)) {
            listing.files.retain(|file| !file.starts_with(&below));
        }
        let folders = Folders::of(root, &listing);
        let mut whole: Option<&Path> = None;
        for (folder, files) in &folders.files {
            if whole.is_some_and(|whole| folder.starts_with(whole)) {
                continue;
            }
            whole = None;
            let is_leaf = !folders.with_folders.contains(*folder);
            let is_case = match self.cases_by {
                CasesBy::File => false,
                CasesBy::Leaf => is_leaf && !are_archives(files),
                CasesBy::Folder => is_leaf || *folder != root,
            };
            if is_case {
                whole = Some(folder);
                let all = folders.files.range(*folder..).take_while(|(below, _)| below.starts_with(folder));
                let all: Vec<&PathBuf> = all.flat_map(|(_, files)| files.iter().copied()).collect();
                self.add_case((*folder).to_owned(), name(folder), &all);
                continue;
            }
            for file in files {
                if is_alone(file).unwrap_or_else(|_| is_called_alone(file)) {
                    self.add_file((*file).clone(), name(file));
                } else {
                    self.places.loose += 1;
                }
            }
        }
        let cases: Vec<PathBuf> = self.places.cases.iter().map(|place| place.path.clone()).collect();
        let cases: BTreeSet<&Path> = cases.iter().map(PathBuf::as_path).collect();
        for (path, error) in &listing.unreadable {
            // The report of a case tells what of it could not be read.
            if path.ancestors().skip(1).any(|folder| cases.contains(folder)) {
                continue;
            }
            let is_folder = fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir());
            if is_folder || is_called_alone(path) {
                self.add_unreadable(path.clone(), name(path), error);
            } else {
                self.places.loose += 1;
            }
        }
    }

    fn add_case(&mut self, path: PathBuf, relative: PathBuf, files: &[&PathBuf]) {
        let alone = files.iter().filter(|file| is_called_alone(file)).count();
        if alone >= MANY_IN_A_CASE {
            self.places.remarks.push(format!(
                "{}: its {} traces and archives are one case; --cases-by file makes each one a case",
                label(&path),
                grouped(alone as u64)
            ));
        }
        let known: Vec<Metadata> = files.iter().filter_map(|file| fs::metadata(file).ok()).collect();
        let bytes = known.iter().map(Metadata::len).sum();
        let changed = known.iter().filter_map(changed).max();
        self.places.cases.push(Place { path, relative, bytes, changed, unreadable: None });
    }

    fn add_file(&mut self, path: PathBuf, relative: PathBuf) {
        let metadata = fs::metadata(&path).ok();
        let bytes = metadata.as_ref().map_or(0, Metadata::len);
        let changed = metadata.as_ref().and_then(changed);
        self.places.cases.push(Place { path, relative, bytes, changed, unreadable: None });
    }

    fn add_unreadable(&mut self, path: PathBuf, relative: PathBuf, error: &io::Error) {
        let unreadable = Some(system_message(error));
        self.places.cases.push(Place { path, relative, bytes: 0, changed: None, unreadable });
    }
}

/// The folders below one that was named.
struct Folders<'l> {
    /// The files of each that has some.
    files: BTreeMap<&'l Path, Vec<&'l PathBuf>>,
    /// Those with folders in them.
    with_folders: BTreeSet<&'l Path>,
}

impl<'l> Folders<'l> {
    fn of(root: &Path, listing: &'l folder::Listing) -> Self {
        let mut folders = Self { files: BTreeMap::new(), with_folders: BTreeSet::new() };
        for file in &listing.files {
            let Some(folder) = file.parent() else { continue };
            folders.files.entry(folder).or_default().push(file);
            folders.mark_above(root, folder);
        }
        for (path, _) in &listing.unreadable {
            if fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir()) {
                folders.mark_above(root, path);
            }
        }
        folders
    }

    fn mark_above(&mut self, root: &Path, folder: &'l Path) {
        for above in folder.ancestors().skip(1).take_while(|above| above.starts_with(root)) {
            if !self.with_folders.insert(above) {
                break;
            }
        }
    }
}

fn changed(metadata: &Metadata) -> Option<FileTime> {
    from_timestamp(metadata.modified().ok()?.try_into().ok()?)
}

/// Whether files are several archives, each of which is a case then.
fn are_archives(files: &[&PathBuf]) -> bool {
    let is_archive = |file: &Path| match start_of(file) {
        Ok(start) => Alone::of(&start) == Some(Alone::Archive),
        Err(_) => has_ending(file, &["cab", "zip"]),
    };
    files.len() > 1 && files.iter().all(|file| is_archive(file))
}

/// Whether a file makes a case alone: an archive, a trace, or what is called a trace.
fn is_alone(file: &Path) -> io::Result<bool> {
    if is_called_alone(file) {
        return Ok(true);
    }
    Ok(matches!(Alone::of(&start_of(file)?), Some(Alone::Archive | Alone::Trace)))
}

/// The same by its name, where its bytes are not to be had or say nothing.
fn is_called_alone(file: &Path) -> bool {
    let is_packed = has_ending(file, &["gz", "zst"]);
    let inner = if is_packed { Path::new(file.file_stem().unwrap_or_default()) } else { file };
    has_ending(inner, &["etl"]) || has_ending(file, &["cab", "zip"])
}

fn has_ending(file: &Path, endings: &[&str]) -> bool {
    let ending = file.extension().unwrap_or_default();
    endings.iter().any(|one| ending.eq_ignore_ascii_case(one))
}

fn start_of(file: &Path) -> io::Result<Vec<u8>> {
    let mut start = Vec::new();
    // A pipe has no end, and perhaps no beginning.
    if fs::metadata(file)?.is_file() {
        File::open(file)?.take(START_BYTES).read_to_end(&mut start)?;
    }
    Ok(start)
}
