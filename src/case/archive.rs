//! Takes files out of cabinets and archives, each only as far as its first bytes show that it is of use.

use std::borrow::Cow;
use std::io::{self, Cursor, Read, Seek, SeekFrom};

use cab::Cabinet;
use flate2::read::MultiGzDecoder;
use ruzstd::decoding::StreamingDecoder;
use zip::ZipArchive;

use super::stored::Stored;
use crate::foreign;
use crate::progress::Progress;

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

    /// `cabinet`, `zip archive`.
    pub(super) fn what(self) -> &'static str {
        match self {
            Self::Cabinet => "cabinet",
            Self::Zip => "zip archive",
            Self::Gzip | Self::Zstandard => "packed file",
            Self::None => "file",
        }
    }
}

/// What becomes of the bytes of a packed file: they come as a stream whose first bytes were read already.
pub(super) type Take<'t, T> = dyn FnMut(&mut dyn Read) -> io::Result<T> + 't;

/// Unpacks a file that is packed alone, and gives its bytes to `take`.
pub(super) fn unpack<T>(
    packed: Stored,
    packing: Packing,
    progress: &dyn Progress,
    take: &mut Take<'_, T>,
) -> io::Result<T> {
    let packed = Watched { stored: packed, progress };
    contained(|| match packing {
        Packing::Gzip => take(&mut MultiGzDecoder::new(packed)),
        Packing::Zstandard => take(&mut StreamingDecoder::new(packed).map_err(|_| damaged())?),
        Packing::None | Packing::Cabinet | Packing::Zip => take(&mut { packed }),
    })
}

/// A cabinet or an archive, opened.
pub(super) enum Archive<'p> {
    Cabinet(Box<Cabinet<Watched<'p>>>),
    Zip(Box<ZipArchive<Watched<'p>>>),
}

/// Bytes that end with an error where the job is stopped: to get at a member, the crates may read far.
pub(super) struct Watched<'p> {
    stored: Stored,
    progress: &'p dyn Progress,
}

impl Read for Watched<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.progress.should_stop() {
            return Err(io::Error::other("stopped"));
        }
        self.stored.read(buffer)
    }
}

impl Seek for Watched<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.stored.seek(to)
    }
}

/// A member of an archive.
pub(super) struct Member {
    pub(super) name: String,
    /// What it takes in the archive, in bytes; `None` where members are packed together.
    pub(super) packed_bytes: Option<u64>,
    /// It cannot be read without a password.
    pub(super) is_encrypted: bool,
}

impl<'p> Archive<'p> {
    /// Opens it; also gives its members, sorted by name.
    pub(super) fn open(
        packed: Stored,
        packing: Packing,
        progress: &'p dyn Progress,
    ) -> io::Result<(Self, Vec<Member>)> {
        let size = packed.size();
        let packed = Watched { stored: packed, progress };
        contained(|| {
            let (archive, mut members) = if packing == Packing::Zip {
                let mut archive = ZipArchive::new(packed).map_err(io::Error::from)?;
                let members = members_of_zip(&mut archive);
                (Self::Zip(Box::new(archive)), members)
            } else {
                let cabinet = Cabinet::new(packed)?;
                let files = cabinet.folder_entries().flat_map(|folder| folder.file_entries());
                let member =
                    |name: &str| Member { name: name.to_owned(), packed_bytes: Some(size), is_encrypted: false };
                let members = files.map(|file| member(file.name())).collect();
                (Self::Cabinet(Box::new(cabinet)), members)
            };
            members.sort_by(|one, other| one.name.cmp(&other.name));
            Ok((archive, members))
        })
    }

    /// Gives the bytes of a member to `take`.
    pub(super) fn extract<T>(&mut self, name: &str, take: &mut Take<'_, T>) -> io::Result<T> {
        contained(|| match self {
            Self::Cabinet(cabinet) => take(&mut cabinet.read_file(name)?),
            Self::Zip(archive) => take(&mut archive.by_name(name).map_err(io::Error::from)?),
        })
    }
}

fn members_of_zip(archive: &mut ZipArchive<Watched<'_>>) -> Vec<Member> {
    let names: Vec<String> =
        archive.file_names().filter_map(Result::ok).map(Cow::into_owned).filter(|name| !name.ends_with('/')).collect();
    let member = |name: String| {
        let index = archive.index_for_name(&name);
        let raw = index.and_then(|index| archive.by_index_raw(index).ok());
        let (packed_bytes, is_encrypted) =
            raw.map_or((None, false), |file| (Some(file.compressed_size()), file.encrypted()));
        Member { name, packed_bytes, is_encrypted }
    };
    names.into_iter().map(member).collect()
}

/// Reads what shows what a stream is; gives that, and the whole stream again.
pub(super) fn sniff(from: &mut dyn Read, most: u64) -> io::Result<Vec<u8>> {
    let mut start = Vec::new();
    from.take(most).read_to_end(&mut start)?;
    Ok(start)
}

/// A stream whose first bytes were read already, from its start on.
pub(super) fn rejoined<'r>(start: Vec<u8>, rest: &'r mut dyn Read) -> impl Read + 'r {
    Cursor::new(start).chain(rest)
}

/// Runs code of the unpacking crates. `cab` 0.6.0 panics on some damaged cabinets (an index beyond its tables): that, and
/// whatever like it there may be, becomes an error.
fn contained<T>(work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    foreign::call(work).unwrap_or_else(|| Err(damaged()))
}

fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "its tables are damaged")
}
