//! The files of a folder, as deep as they are.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::progress::Progress;

/// Files and folders that are looked at below one folder that was named. A case folder has hundreds; a whole disk has millions.
pub(crate) const MAX_ENTRIES: usize = 200_000;

/// Entries between two looks at whether the job goes on.
const ENTRIES_BETWEEN_LOOKS: usize = 1 << 10;

/// What was found below a folder.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// Files, sorted by path.
    pub(crate) files: Vec<PathBuf>,
    /// Folders and links that cannot be read, and what the system says.
    pub(crate) unreadable: Vec<(PathBuf, io::Error)>,
    /// There are more than were asked for.
    pub(crate) is_cut: bool,
}

/// Lists the files below `folder`, looking at so many files and folders at `most`. A file or folder that links lead to again is listed once.
///
/// # Errors
///
/// What the system says where `folder` itself cannot be read.
pub(crate) fn list(folder: &Path, most: usize, progress: &dyn Progress) -> io::Result<Listing> {
    let mut walk = Walk { most, ..Walk::default() };
    walk.enter(folder, progress)?;
    // Folders and links that were met and not entered yet. What links lead to comes last: by then it is known what else there is.
    while let Some(path) = walk.folders.pop().or_else(|| walk.next_link()) {
        if progress.should_stop() || walk.listing.is_cut {
            break;
        }
        if let Err(error) = walk.follow(&path, progress) {
            walk.listing.unreadable.push((path, error));
        }
    }
    walk.listing.files.sort();
    walk.listing.unreadable.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(walk.listing)
}

#[derive(Default)]
struct Walk {
    listing: Listing,
    folders: Vec<PathBuf>,
    links: Vec<PathBuf>,
    /// Folders that were entered, by their own paths.
    entered: HashSet<PathBuf>,
    /// Files that were listed, by their own paths; filled when the first link is followed.
    listed: HashSet<PathBuf>,
    entries: usize,
    most: usize,
}

impl Walk {
    fn enter(&mut self, folder: &Path, progress: &dyn Progress) -> io::Result<()> {
        let own = fs::canonicalize(folder)?;
        if !self.entered.insert(own) {
            return Ok(());
        }
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            self.entries += 1;
            if self.entries > self.most {
                self.listing.is_cut = true;
                return Ok(());
            }
            if self.entries.is_multiple_of(ENTRIES_BETWEEN_LOOKS) && progress.should_stop() {
                return Ok(());
            }
            let kind = entry.file_type()?;
            if kind.is_dir() {
                self.folders.push(entry.path());
            } else if kind.is_file() {
                self.listing.files.push(entry.path());
            } else if kind.is_symlink() {
                self.links.push(entry.path());
            }
            // A pipe or a device has no end.
        }
        Ok(())
    }

    /// The first by path, so that it does not depend on the disk which of two links to one file is listed.
    fn next_link(&mut self) -> Option<PathBuf> {
        self.links.sort_unstable_by(|one, other| other.cmp(one));
        self.links.pop()
    }

    fn follow(&mut self, path: &Path, progress: &dyn Progress) -> io::Result<()> {
        let metadata = fs::metadata(path)?;
        if metadata.is_dir() {
            return self.enter(path, progress);
        }
        if !metadata.is_file() {
            return Ok(());
        }
        if self.listed.is_empty() {
            self.listed = self.listing.files.iter().filter_map(|file| fs::canonicalize(file).ok()).collect();
        }
        if self.listed.insert(fs::canonicalize(path)?) {
            self.listing.files.push(path.to_owned());
        }
        Ok(())
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::progress::NoProgress;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_are_followed_once_and_circles_end() {
        let root = tempfile::tempdir().unwrap();
        let (case, elsewhere) = (root.path().join("case"), root.path().join("elsewhere"));
        let deep = case.join("a/b/c/d/e/f/g/h/i/j");
        fs::create_dir_all(&deep).unwrap();
        fs::create_dir_all(&elsewhere).unwrap();
        for file in [deep.join("deep.etl"), case.join("top.etl"), elsewhere.join("other.etl")] {
            fs::write(file, "x").unwrap();
        }
        symlink(&case, deep.join("circle")).unwrap();
        symlink(case.join("top.etl"), deep.join("again.etl")).unwrap();
        symlink(&elsewhere, case.join("linked")).unwrap();
        symlink(&elsewhere, case.join("linked-again")).unwrap();
        symlink(case.join("nothing"), case.join("broken")).unwrap();
        let listing = list(&case, MAX_ENTRIES, &NoProgress).unwrap();
        let mut names: Vec<_> = listing.files.iter().map(|file| file.file_name().unwrap().to_str().unwrap()).collect();
        names.sort_unstable();
        assert_eq!(names, ["deep.etl", "other.etl", "top.etl"]);
        assert_eq!(listing.unreadable.len(), 1);
        assert!(!listing.is_cut);
    }
}
