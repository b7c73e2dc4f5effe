use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

#[cfg(feature = "mmap")]
use memmap2::Mmap;

use crate::error::Error;
use crate::trace::Trace;

/// The bytes of a trace file, mapped into memory where the system can do that (feature `mmap`), read otherwise.
#[derive(Debug)]
pub struct EtlFile {
    bytes: Bytes,
}

#[derive(Debug)]
enum Bytes {
    #[cfg(feature = "mmap")]
    Mapped(Mmap),
    Read(Vec<u8>),
    Shared(Arc<Vec<u8>>),
}

impl EtlFile {
    /// Opens the file at `path`.
    ///
    /// A regular file is memory-mapped. What cannot be mapped (a pipe, a device, an empty file) is read whole; without the
    /// feature `mmap` every file is.
    ///
    /// A mapped file must not be truncated by another process while it is read: the system then ends this process with
    /// a bus error when it touches the lost part. Copy a trace that is still being written before analysing it.
    ///
    /// # Errors
    ///
    /// What the system says when the file cannot be opened or read; [`io::ErrorKind::IsADirectory`] for a folder.
    /// Whether it is a trace shows in [`EtlFile::trace`].
    pub fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::from_file(File::open(path)?)
    }

    /// Like [`EtlFile::open`], from a file that is already open (a temporary file, for example).
    ///
    /// # Errors
    ///
    /// What the system says when the file cannot be read; [`io::ErrorKind::IsADirectory`] for a folder.
    pub fn from_file(mut file: File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::Error::from(io::ErrorKind::IsADirectory));
        }
        #[cfg(feature = "mmap")]
        if metadata.is_file()
            && metadata.len() > 0
            && let Ok(map) = map(&file)
        {
            return Ok(Self { bytes: Bytes::Mapped(map) });
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(Self { bytes: Bytes::Read(bytes) })
    }

    /// A trace that is in memory already, as one that was unpacked from an archive is.
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self { bytes: Bytes::Read(bytes) }
    }

    /// Like [`EtlFile::from_bytes`], of bytes that somebody else holds too: a large trace is not copied.
    pub fn from_shared(bytes: Arc<Vec<u8>>) -> Self {
        Self { bytes: Bytes::Shared(bytes) }
    }

    /// All bytes of the file.
    pub fn bytes(&self) -> &[u8] {
        match &self.bytes {
            #[cfg(feature = "mmap")]
            Bytes::Mapped(map) => map,
            Bytes::Read(bytes) => bytes,
            Bytes::Shared(bytes) => bytes,
        }
    }

    /// The trace in the file. Of a file to which sessions were appended the first one; [`EtlFile::traces`] gives all.
    ///
    /// # Errors
    ///
    /// Those of [`Trace::new`]: [`ErrorKind::NotATrace`](crate::ErrorKind::NotATrace) or
    /// [`ErrorKind::Truncated`](crate::ErrorKind::Truncated).
    pub fn trace(&self) -> Result<Trace<'_>, Error> {
        Trace::new(self.bytes())
    }

    /// All traces in the file: one, unless sessions were appended to each other or files put together.
    ///
    /// # Errors
    ///
    /// Those of [`Trace::segments`]: [`ErrorKind::NotATrace`](crate::ErrorKind::NotATrace) or
    /// [`ErrorKind::Truncated`](crate::ErrorKind::Truncated).
    pub fn traces(&self) -> Result<Vec<Trace<'_>>, Error> {
        Trace::segments(self.bytes())
    }

    /// A hint that a part of the file, in bytes from its start, is not read soon: gives the pages of a map back to the
    /// system. What is read again all the same comes from the file again, with the same content.
    ///
    /// For readers of large files: the end of a map gives all pages back at once, on one thread, which for gigabytes takes
    /// as long as reading the headers in them. Parts can be given back on several threads. Does nothing for a file that is
    /// not mapped, and where the system has no such call.
    pub fn release(&self, part: Range<usize>) {
        #[cfg(all(unix, feature = "mmap"))]
        if let Bytes::Mapped(map) = &self.bytes {
            let (start, end) = (part.start.min(map.len()), part.end.min(map.len()));
            release(map, start, end.saturating_sub(start));
        }
        #[cfg(not(all(unix, feature = "mmap")))]
        let _ = part;
    }
}

#[cfg(all(unix, feature = "mmap"))]
#[allow(unsafe_code)]
fn release(map: &Mmap, start: usize, bytes: usize) {
    // SAFETY: the map is one of a file and is never written to, so a page that is dropped comes back with the same bytes:
    // MADV_DONTNEED loses changes of private pages alone.
    let done = unsafe { map.unchecked_advise_range(memmap2::UncheckedAdvice::DontNeed, start, bytes) };
    // Where the system does not, the end of the map will.
    drop(done);
}

#[cfg(feature = "mmap")]
#[allow(unsafe_code)]
fn map(file: &File) -> io::Result<Mmap> {
    // SAFETY: the map is private to this process and only read, through `&[u8]` of plain bytes, so any content is
    // valid. What Rust cannot rule out is another process changing the file meanwhile; every number taken from the map
    // is read once and checked, and `EtlFile::open` documents the case of a file that shrinks.
    unsafe { Mmap::map(file) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn what_was_released_is_read_again() {
        // This source file, since it is there.
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/file.rs");
        let file = EtlFile::open(&path).unwrap();
        let before = file.bytes().to_vec();
        file.release(0..before.len());
        file.release(before.len() - 1..usize::MAX);
        file.release(usize::MAX..usize::MAX);
        assert_eq!(file.bytes(), before);
    }

    #[test]
    fn bytes_in_memory_are_a_file_too() {
        let error = EtlFile::from_bytes(b"no trace".to_vec()).trace().unwrap_err();
        assert_eq!(error.kind, ErrorKind::NotATrace);
    }

    #[test]
    fn a_folder_is_no_file() {
        // On Windows the system does not open it at all.
        assert!(EtlFile::open(env!("CARGO_MANIFEST_DIR")).is_err());
    }
}
