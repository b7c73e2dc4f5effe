use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::path::Path;

use memmap2::Mmap;

/// The bytes of a trace file, mapped into memory where the system can do that, read otherwise.
#[derive(Debug)]
pub struct EtlFile {
    bytes: Bytes,
}

#[derive(Debug)]
enum Bytes {
    Mapped(Mmap),
    Read(Vec<u8>),
}

impl EtlFile {
    /// Opens the file at `path`.
    ///
    /// A regular file is memory-mapped. What cannot be mapped (a pipe, a device, an empty file) is read whole.
    ///
    /// A mapped file must not be truncated by another process while it is read: the system then ends this process with
    /// a bus error when it touches the lost part. Copy a trace that is still being written before analysing it.
    ///
    /// # Errors
    ///
    /// What the system says when the file cannot be opened or read.
    pub fn open(path: &Path) -> io::Result<Self> {
        Self::from_file(File::open(path)?)
    }

    /// Like [`EtlFile::open`], from a file that is already open (a temporary file, for example).
    ///
    /// # Errors
    ///
    /// What the system says when the file cannot be read.
    pub fn from_file(mut file: File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::Error::from(io::ErrorKind::IsADirectory));
        }
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

    /// A file whose bytes are in memory already.
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self { bytes: Bytes::Read(bytes) }
    }

    /// All bytes of the file.
    pub fn bytes(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Mapped(map) => map,
            Bytes::Read(bytes) => bytes,
        }
    }

    /// Unmaps the pages of a part of a mapped file, given in bytes; they are mapped again where they are read again.
    ///
    /// The end of a map unmaps all of them too, on one thread: for a file of gigabytes that takes as long as reading the
    /// headers in it. Parts can be unmapped on several threads.
    pub fn unmap(&self, part: Range<usize>) {
        #[cfg(unix)]
        if let Bytes::Mapped(map) = &self.bytes {
            let (start, end) = (part.start.min(map.len()), part.end.min(map.len()));
            unmap(map, start, end.saturating_sub(start));
        }
        #[cfg(not(unix))]
        let _ = part;
    }
}

#[cfg(unix)]
#[allow(unsafe_code)]
fn unmap(map: &Mmap, start: usize, bytes: usize) {
    // SAFETY: the map is one of a file and is never written to, so a page that is dropped comes back with the same bytes:
    // MADV_DONTNEED loses changes of private pages alone.
    let done = unsafe { map.unchecked_advise_range(memmap2::UncheckedAdvice::DontNeed, start, bytes) };
    // Where the system does not, the end of the map will.
    drop(done);
}

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

    #[test]
    fn what_was_unmapped_is_read_again() {
        // This source file, since it is there.
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/file.rs");
        let file = EtlFile::open(&path).unwrap();
        let before = file.bytes().to_vec();
        file.unmap(0..before.len());
        file.unmap(before.len() - 1..usize::MAX);
        file.unmap(usize::MAX..usize::MAX);
        assert_eq!(file.bytes(), before);
    }
}
