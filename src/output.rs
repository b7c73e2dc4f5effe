//! Output files that appear whole or not at all, also where the program is interrupted.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tempfile::NamedTempFile;

/// The files that are being written and have not their names yet. Clones share one list.
#[derive(Debug, Clone, Default)]
pub struct Unfinished {
    files: Arc<Mutex<Vec<PathBuf>>>,
}

/// While this is held, no file begins and none gets its name.
#[derive(Debug)]
pub struct Halted<'u> {
    _files: MutexGuard<'u, Vec<PathBuf>>,
}

impl Unfinished {
    /// Removes all files that have not their names yet, before the program ends.
    pub fn remove(&self) -> Halted<'_> {
        let mut files = self.lock();
        for path in files.drain(..) {
            let _ = std::fs::remove_file(path);
        }
        Halted { _files: files }
    }

    /// Lets `write` write the file at `path`, which appears when it is whole. What was there before stays until then.
    ///
    /// # Errors
    ///
    /// Those of `write`, and what the system says when the file cannot be made or named. Nothing is left then.
    pub fn write_whole<T>(&self, path: &Path, write: impl FnOnce(&mut File) -> io::Result<T>) -> io::Result<T> {
        let mut builder = tempfile::Builder::new();
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let mut file = {
            // An interrupt waits until it is known what there is to remove.
            let mut files = self.lock();
            let file = builder.prefix(".outofports-").tempfile_in(folder_of(path))?;
            files.push(file.path().to_owned());
            file
        };
        let result = write(file.as_file_mut());
        // Still locked while the file gets its name.
        let mut files = self.lock();
        files.retain(|unfinished| unfinished != file.path());
        result.and_then(|result| persist(file, path).map(|()| result))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<PathBuf>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn persist(file: NamedTempFile, path: &Path) -> io::Result<()> {
    file.persist(path).map(|_| ()).map_err(|error| error.error)
}

/// The folder of a file that may not be there yet.
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn names(folder: &Path) -> usize {
        std::fs::read_dir(folder).unwrap().count()
    }

    #[test]
    fn a_file_that_cannot_be_finished_leaves_nothing_and_the_old_one_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.json");
        let unfinished = Unfinished::default();
        unfinished.write_whole(&path, |file| file.write_all(b"old")).unwrap();
        let failed: io::Result<()> = unfinished.write_whole(&path, |file| {
            file.write_all(b"half")?;
            Err(io::Error::other("no more"))
        });
        assert!(failed.is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(names(folder.path()), 1);
    }

    /// Windows removes no file that is open; there the temporary file goes with its handle.
    #[cfg(unix)]
    #[test]
    fn an_interrupt_removes_all_that_are_being_written() {
        let folder = tempfile::tempdir().unwrap();
        let unfinished = Unfinished::default();
        let (one, other) = (folder.path().join("one"), folder.path().join("other"));
        let result = unfinished.write_whole(&one, |_| {
            unfinished.write_whole(&other, |_| {
                assert_eq!(names(folder.path()), 2);
                drop(unfinished.remove());
                assert_eq!(names(folder.path()), 0);
                Ok(())
            })
        });
        assert!(result.is_err());
        assert_eq!(names(folder.path()), 0);
    }
}
