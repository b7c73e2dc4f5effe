//! Bytes that were unpacked or came through a pipe: kept on disk, or in memory where the case came as bytes; within bounds.

use std::fs::File;
use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};
use std::sync::Arc;

use etl_parser::EtlFile;

use crate::progress::Progress;

/// What all members of a case may hold together on disk, in bytes. `netsh` traces end at 250 MB unless told otherwise.
const MAX_ON_DISK_BYTES: u64 = 64 << 30;

/// What they may hold in memory, where there is no disk.
const MAX_IN_MEMORY_BYTES: u64 = 3 << 30;

/// What stays free of the disk that temporary files are on.
const FREE_DISK_BYTES: u64 = 1 << 30;

/// How many times its packed size a member may hold, beyond [`FREE_EXPANSION_BYTES`]. Traces of many small events reach 20,
/// captured packets of zeros 200; deflate ends at 1,032.
const MAX_EXPANSION: u64 = 400;

/// What any member may hold, however small it is packed.
const FREE_EXPANSION_BYTES: u64 = 256 << 20;

/// Bytes that are copied between two looks at whether the job goes on.
const STEP_BYTES: u64 = 1 << 20;

/// The bytes of a file that a case was made of. Shared: a case may be opened more than once, and a trace may be as large as
/// half of the memory that there is.
#[derive(Debug, Clone)]
pub(crate) struct Given(Arc<Vec<u8>>);

impl Given {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Self(Arc::new(bytes))
    }
}

impl AsRef<[u8]> for Given {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Bytes to read from: a file, or memory.
#[derive(Debug)]
pub(super) enum Stored {
    /// On disk.
    File(File),
    /// In memory.
    Memory(Cursor<Vec<u8>>),
    /// In memory, by whoever made the case.
    Given(Cursor<Given>),
}

impl Stored {
    /// As a trace's file.
    pub(super) fn into_etl_file(self) -> io::Result<EtlFile> {
        match self {
            Self::File(file) => EtlFile::from_file(file),
            Self::Memory(bytes) => Ok(EtlFile::from_bytes(bytes.into_inner())),
            Self::Given(bytes) => Ok(EtlFile::from_shared(bytes.into_inner().0)),
        }
    }

    /// Its length in bytes; 0 where it is not known.
    pub(super) fn size(&self) -> u64 {
        match self {
            Self::File(file) => file.metadata().map_or(0, |metadata| metadata.len()),
            Self::Memory(bytes) => bytes.get_ref().len() as u64,
            Self::Given(bytes) => bytes.get_ref().0.len() as u64,
        }
    }
}

impl Read for Stored {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.read(buffer),
            Self::Memory(bytes) => bytes.read(buffer),
            Self::Given(bytes) => bytes.read(buffer),
        }
    }
}

impl Write for Stored {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.write(bytes),
            Self::Memory(memory) => memory.write(bytes),
            Self::Given(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::File(file) => file.flush(),
            Self::Memory(memory) => memory.flush(),
            Self::Given(_) => Ok(()),
        }
    }
}

impl Seek for Stored {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match self {
            Self::File(file) => file.seek(to),
            Self::Memory(bytes) => bytes.seek(to),
            Self::Given(bytes) => bytes.seek(to),
        }
    }
}

/// Where bytes are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In unnamed temporary files.
    Disk,
    /// In memory.
    Memory,
}

/// What may still be kept.
#[derive(Debug, Default)]
pub(super) struct Budget {
    on_disk: u64,
    in_memory: u64,
}

impl Budget {
    /// Copies all of `from`, and sets the copy to its start. `packed_bytes`: what it comes from, where it was packed.
    pub(super) fn keep(
        &mut self,
        mut from: impl Read,
        place: Place,
        packed_bytes: Option<u64>,
        progress: &dyn Progress,
    ) -> io::Result<Stored> {
        let (mut kept, used, most) = match place {
            Place::Disk => (Stored::File(tempfile::tempfile()?), &mut self.on_disk, MAX_ON_DISK_BYTES),
            Place::Memory => (Stored::Memory(Cursor::default()), &mut self.in_memory, MAX_IN_MEMORY_BYTES),
        };
        let expanded = packed_bytes.map(|packed| packed.saturating_mul(MAX_EXPANSION).max(FREE_EXPANSION_BYTES));
        let mut copied = 0_u64;
        loop {
            if progress.should_stop() {
                return Err(io::Error::other("stopped"));
            }
            if copied >= expanded.unwrap_or(u64::MAX) && from.read(&mut [0])? > 0 {
                return Err(refused(format!(
                    "expands to more than {MAX_EXPANSION} times its size, which no trace does"
                )));
            }
            if *used >= most && from.read(&mut [0])? > 0 {
                return Err(refused(format!("holds more than {} GiB, the most that is unpacked", most >> 30)));
            }
            if place == Place::Disk && copied.is_multiple_of(64 * STEP_BYTES) && !has_room() {
                let folder = std::env::temp_dir();
                return Err(refused(format!(
                    "less than {} GiB would be left free in {}",
                    FREE_DISK_BYTES >> 30,
                    folder.display()
                )));
            }
            if let Stored::Memory(memory) = &mut kept {
                make_room(memory.get_mut())?;
            }
            let step = io::copy(&mut (&mut from).take(STEP_BYTES), &mut kept)?;
            copied += step;
            *used += step;
            if step < STEP_BYTES {
                break;
            }
        }
        kept.flush()?;
        kept.rewind()?;
        Ok(kept)
    }
}

/// Makes room for one step more. A browser's memory ends soon, and what unpacks to more is to be told and not to end the job.
fn make_room(bytes: &mut Vec<u8>) -> io::Result<()> {
    let step = STEP_BYTES as usize;
    // As much again as there is, so that a byte is copied a few times at most; where that is not to be had, less.
    let part = step.saturating_add(bytes.len() / 8);
    let made = bytes.try_reserve(step).or_else(|_| bytes.try_reserve_exact(part));
    made.or_else(|_| bytes.try_reserve_exact(step)).map_err(|_| io::ErrorKind::OutOfMemory.into())
}

fn refused(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, message)
}

/// Whether the disk of temporary files has room; where the system does not tell, writing will.
#[cfg(not(target_family = "wasm"))]
fn has_room() -> bool {
    fs4::available_space(std::env::temp_dir()).map_or(true, |free| free > FREE_DISK_BYTES)
}

#[cfg(target_family = "wasm")]
fn has_room() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::NoProgress;

    #[test]
    fn what_expands_as_no_trace_does_is_refused_early() {
        let mut budget = Budget::default();
        let zeros = || io::repeat(0).take(FREE_EXPANSION_BYTES + 5);
        let error = budget.keep(zeros(), Place::Memory, Some(1000), &NoProgress).unwrap_err();
        assert!(error.to_string().contains("400 times"), "{error}");
        let kept = budget.keep(zeros(), Place::Memory, Some(FREE_EXPANSION_BYTES / 100), &NoProgress).unwrap();
        assert_eq!(kept.size(), FREE_EXPANSION_BYTES + 5);
    }

    #[test]
    fn a_job_that_is_stopped_copies_no_further() {
        struct Stop;
        impl Progress for Stop {
            fn should_stop(&self) -> bool {
                true
            }
        }
        assert!(Budget::default().keep(io::repeat(0), Place::Disk, None, &Stop).is_err());
    }
}
