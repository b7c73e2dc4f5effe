//! Output files that appear whole or not at all, also where the program is interrupted.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tempfile::NamedTempFile;

/// How the names of files begin that have not theirs yet.
pub const TEMPORARY_PREFIX: &str = ".outofports-";

/// The files that are being written and have not their names yet. Clones share one list.
#[derive(Debug, Clone, Default)]
pub struct Unfinished {
    files: Arc<Mutex<Vec<PathBuf>>>,
}

/// A file that is being written, and has not its name yet. Nothing of it is left where it is dropped before.
#[derive(Debug)]
pub struct Begun {
    file: NamedTempFile,
    path: PathBuf,
    unfinished: Unfinished,
}

impl Begun {
    /// The file, to be written to.
    pub fn file(&mut self) -> &mut File {
        self.file.as_file_mut()
    }

    /// Gives the file its name, once all of it is on the disk: it is whole also after a loss of power.
    ///
    /// # Errors
    ///
    /// What the system says. Nothing is left then.
    pub fn finish(self) -> io::Result<()> {
        let Self { file, path, unfinished } = self;
        file.as_file().sync_all()?;
        // Still locked while the file gets its name.
        let mut files = unfinished.lock();
        files.retain(|unfinished| unfinished != file.path());
        persist(file, &path)
    }
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
        let mut file = self.begin(path)?;
        let result = write(file.as_file_mut());
        // Still locked while the file gets its name.
        let mut files = self.lock();
        files.retain(|unfinished| unfinished != file.path());
        result.and_then(|result| persist(file, path).map(|()| result))
    }

    /// Writes all these files, which appear when all of them are whole and `between` has succeeded. What was there before stays
    /// until then.
    ///
    /// # Errors
    ///
    /// The number of the file at fault, and what the system says when it cannot be made or named; or the error of `between`.
    /// Nothing is left then, except that files keep their names which had got them before the system refused one of a later file.
    pub fn write_all_whole<E: From<(usize, io::Error)>>(
        &self,
        contents: &[(&Path, &[u8])],
        between: impl FnOnce() -> Result<(), E>,
    ) -> Result<(), E> {
        let mut written = Vec::new();
        let write = || {
            for (number, (path, bytes)) in contents.iter().enumerate() {
                // A folder takes no file's name: better now than after others have theirs.
                let mut file = if path.is_dir() { Err(io::ErrorKind::IsADirectory.into()) } else { self.begin(path) }
                    .map_err(|error| (number, error))?;
                let result = file.write_all(bytes);
                written.push(file);
                result.map_err(|error| (number, error))?;
            }
            between()
        };
        let result = write();
        let mut files = self.lock();
        files.retain(|unfinished| !written.iter().any(|file| file.path() == unfinished));
        result?;
        for (number, (file, (path, _))) in written.into_iter().zip(contents).enumerate() {
            persist(file, path).map_err(|error| (number, error))?;
        }
        Ok(())
    }

    /// Begins a file that is to be at `path`. What is there stays until it has its name.
    ///
    /// # Errors
    ///
    /// What the system says when no file can be made in that folder.
    pub fn begin_whole(&self, path: &Path) -> io::Result<Begun> {
        Ok(Begun { file: self.begin(path)?, path: path.to_owned(), unfinished: self.clone() })
    }

    /// Begins a file that is to be at `path`.
    fn begin(&self, path: &Path) -> io::Result<NamedTempFile> {
        let mut builder = tempfile::Builder::new();
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        // An interrupt waits until it is known what there is to remove.
        let mut files = self.lock();
        let file = builder.prefix(TEMPORARY_PREFIX).tempfile_in(folder_of(path))?;
        files.push(file.path().to_owned());
        Ok(file)
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

    #[test]
    fn of_several_files_none_appears_before_all_are_whole() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (folder.path().join("one"), folder.path().join("none/other"));
        let unfinished = Unfinished::default();
        let write = |paths: [&Path; 2], between: io::Result<()>| {
            let contents = paths.map(|path| (path, b"whole".as_slice()));
            let between = || between.map_err(|error| (9, error));
            unfinished.write_all_whole::<(usize, io::Error)>(&contents, between).map_err(|(number, _)| number)
        };
        assert_eq!(write([&one, &other], Ok(())), Err(1));
        assert_eq!(write([folder.path(), &one], Ok(())), Err(0));
        assert_eq!(write([&one, &folder.path().join("other")], Err(io::Error::other("no"))), Err(9));
        assert_eq!(names(folder.path()), 0);
        assert_eq!(write([&one, &folder.path().join("other")], Ok(())), Ok(()));
        assert_eq!((names(folder.path()), std::fs::read(&one).unwrap()), (2, b"whole".to_vec()));
        assert!(unfinished.lock().is_empty());
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
