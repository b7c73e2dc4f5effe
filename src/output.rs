//! Output files that appear whole or not at all, also where the program is interrupted.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use tempfile::NamedTempFile;

/// The file that is being written and has not its name yet.
static PARTIAL: Mutex<Option<PathBuf>> = Mutex::new(None);

/// Exit code of a program that Ctrl-C ends, as shells show it: 128 and the number of SIGINT.
const INTERRUPTED: i32 = 130;

/// Lets `write` write the file at `path`, which appears when it is whole. What was there before stays until then.
pub(crate) fn write_whole<T>(path: &Path, write: impl FnOnce(&mut File) -> io::Result<T>) -> io::Result<T> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    remove_on_interrupt();
    let mut file = {
        // An interrupt waits until it is known what there is to remove.
        let mut partial = partial();
        let file = builder.prefix(".outofports-").tempfile_in(folder)?;
        *partial = Some(file.path().to_owned());
        file
    };
    let result = write(file.as_file_mut());
    let mut partial = partial();
    *partial = None;
    result.and_then(|result| persist(file, path).map(|()| result))
}

fn persist(file: NamedTempFile, path: &Path) -> io::Result<()> {
    file.persist(path).map(|_| ()).map_err(|error| error.error)
}

fn partial() -> MutexGuard<'static, Option<PathBuf>> {
    PARTIAL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where something else handles interrupts already, or they are ignored (`nohup`), that stays.
fn remove_on_interrupt() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let _ = ctrlc::try_set_handler(|| {
            let partial = partial();
            if let Some(path) = partial.as_ref() {
                let _ = std::fs::remove_file(path);
            }
            // Still locked: nothing new begins, and nothing gets its name.
            #[allow(clippy::exit, reason = "an interrupt ends the program")]
            std::process::exit(INTERRUPTED);
        });
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_file_that_cannot_be_finished_leaves_nothing_and_the_old_one_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.json");
        write_whole(&path, |file| file.write_all(b"old")).unwrap();
        let failed: io::Result<()> = write_whole(&path, |file| {
            file.write_all(b"half")?;
            Err(io::Error::other("no more"))
        });
        assert!(failed.is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
