//! Takes files out of cabinets and archives, onto disk and not into memory, within named bounds.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read, Seek, Write};

use cab::Cabinet;
use flate2::read::MultiGzDecoder;
use ruzstd::decoding::StreamingDecoder;
use zip::ZipArchive;

/// What all members of a case may hold together, in bytes. `netsh` traces end at 250 MB unless told otherwise.
const MAX_UNPACKED_BYTES: u64 = 64 << 30;

/// How a file is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    /// Not at all.
    None,
    /// Microsoft cabinet.
    Cabinet,
    /// Zip archive.
    Zip,
    /// One file, gzip.
    Gzip,
    /// One file, Zstandard.
    Zstandard,
}

impl Packing {
    /// By the first bytes of a file.
    pub(super) fn of(start: &[u8]) -> Self {
        match start {
            [b'M', b'S', b'C', b'F', ..] => Self::Cabinet,
            [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => Self::Zip,
            [0x1F, 0x8B, ..] => Self::Gzip,
            [0x28, 0xB5, 0x2F, 0xFD, ..] => Self::Zstandard,
            _ => Self::None,
        }
    }
}

/// What may still be unpacked.
#[derive(Debug)]
pub(super) struct Budget {
    left: u64,
}

impl Default for Budget {
    fn default() -> Self {
        Self { left: MAX_UNPACKED_BYTES }
    }
}

impl Budget {
    /// Copies all of `from` into an unnamed temporary file, and sets that to its start.
    pub(super) fn spool(&mut self, mut from: impl Read) -> io::Result<File> {
        let mut file = tempfile::tempfile()?;
        let copied = io::copy(&mut (&mut from).take(self.left), &mut file)?;
        self.left -= copied;
        if self.left == 0 && from.read(&mut [0])? > 0 {
            let message = format!("holds more than the {MAX_UNPACKED_BYTES} bytes that are unpacked");
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
        }
        file.flush()?;
        file.rewind()?;
        Ok(file)
    }

    /// Unpacks a file that is packed alone.
    pub(super) fn unpack(&mut self, file: File, packing: Packing) -> io::Result<File> {
        contained(|| match packing {
            Packing::Gzip => self.spool(MultiGzDecoder::new(file)),
            Packing::Zstandard => {
                let decoder = StreamingDecoder::new(file).map_err(|_| damaged())?;
                self.spool(decoder)
            }
            Packing::None | Packing::Cabinet | Packing::Zip => Ok(file),
        })
    }
}

/// A cabinet or an archive, opened.
pub(super) enum Archive {
    Cabinet(Box<Cabinet<File>>),
    Zip(Box<ZipArchive<File>>),
}

impl Archive {
    /// Opens it; also gives the names of its members, sorted.
    pub(super) fn open(file: File, packing: Packing) -> io::Result<(Self, Vec<String>)> {
        contained(|| {
            let (archive, mut names) = if packing == Packing::Zip {
                let archive = ZipArchive::new(file).map_err(io::Error::from)?;
                let names = archive
                    .file_names()
                    .filter_map(Result::ok)
                    .map(Cow::into_owned)
                    .filter(|name| !name.ends_with('/'))
                    .collect();
                (Self::Zip(Box::new(archive)), names)
            } else {
                let cabinet = Cabinet::new(file)?;
                let files = cabinet.folder_entries().flat_map(|folder| folder.file_entries());
                let names: Vec<String> = files.map(|file| file.name().to_owned()).collect();
                (Self::Cabinet(Box::new(cabinet)), names)
            };
            names.sort();
            Ok((archive, names))
        })
    }

    /// Takes a member out.
    pub(super) fn extract(&mut self, name: &str, budget: &mut Budget) -> io::Result<File> {
        contained(|| match self {
            Self::Cabinet(cabinet) => budget.spool(cabinet.read_file(name)?),
            Self::Zip(archive) => budget.spool(archive.by_name(name).map_err(io::Error::from)?),
        })
    }
}

/// Runs code of the unpacking crates. `cab` 0.6.0 panics on some damaged cabinets (an index beyond its tables): that, and
/// whatever like it there may be, becomes an error.
fn contained<T>(work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    crate::foreign::contained(work).unwrap_or_else(|| Err(damaged()))
}

fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "its tables are damaged")
}
