//! Hashes of cases and of what names them.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use blake3::Hasher;
use etl_parser::Trace;
use serde::{Deserialize, Serialize};

use crate::case::{Contents, folder, label};
use crate::progress::Progress;
use crate::words::system_message;

/// Characters of an id: half of a hash, which no two of a billion cases have in common by chance.
const ID_CHARACTERS: usize = 32;

/// Bytes that are read between two looks at whether the job goes on.
const STEP_BYTES: usize = 1 << 20;

/// How much of a file shows whether it is a trace.
const TRACE_START_BYTES: usize = 1 << 20;

/// What a case holds, in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Fingerprint {
    /// Over the names and contents of all files.
    pub(super) hash: String,
    /// Bytes that were hashed.
    pub(super) bytes: u64,
    /// What the system says of the first file that cannot be read; `None` where all can.
    pub(super) unreadable: Option<String>,
}

/// The files of a case: a fingerprint of all, and the hash of each by its label.
#[derive(Debug)]
pub(super) struct Files {
    pub(super) fingerprint: Fingerprint,
    hashes: BTreeMap<String, [u8; 32]>,
}

/// Hashes the files of a case, which is a folder or a file.
///
/// # Errors
///
/// What the system says where there is nothing to look into.
pub(super) fn files(case: &Path, progress: &dyn Progress) -> io::Result<Files> {
    let metadata = fs::metadata(case)?;
    let mut hashing = Hashing { all: Hasher::new(), bytes: 0, unreadable: None, hashes: BTreeMap::new() };
    if metadata.is_dir() {
        let listing = folder::list(case, folder::MAX_ENTRIES, progress)?;
        for path in &listing.files {
            hashing.add(case, path, progress);
        }
        for (path, error) in &listing.unreadable {
            hashing.miss(case, path, error);
        }
    } else if metadata.is_file() {
        hashing.add(case, case, progress);
    } else {
        return Err(io::Error::other("is neither a file nor a folder"));
    }
    let Hashing { all, bytes, unreadable, hashes } = hashing;
    Ok(Files { fingerprint: Fingerprint { hash: all.finalize().to_hex().to_string(), bytes, unreadable }, hashes })
}

struct Hashing {
    all: Hasher,
    bytes: u64,
    unreadable: Option<String>,
    hashes: BTreeMap<String, [u8; 32]>,
}

impl Hashing {
    fn add(&mut self, case: &Path, path: &Path, progress: &dyn Progress) {
        match hash_file(path, progress) {
            Ok((hash, bytes)) => {
                self.bytes += bytes;
                self.part(case, path, &hash);
                self.hashes.insert(label(path), hash);
            }
            Err(error) => self.miss(case, path, &error),
        }
    }

    fn miss(&mut self, case: &Path, path: &Path, error: &io::Error) {
        self.part(case, path, b"unreadable");
        self.unreadable.get_or_insert_with(|| system_message(error));
    }

    /// A file's name within the case, and what it holds; lengths keep one from running into the other.
    fn part(&mut self, case: &Path, path: &Path, content: &[u8]) {
        let name = path.strip_prefix(case).unwrap_or(path).as_os_str().as_encoded_bytes();
        for part in [name, content] {
            self.all.update(&(part.len() as u64).to_le_bytes());
            self.all.update(part);
        }
    }
}

fn hash_file(path: &Path, progress: &dyn Progress) -> io::Result<([u8; 32], u64)> {
    let mut file = File::open(path)?;
    let mut hasher = Hasher::new();
    let mut buffer = vec![0; STEP_BYTES];
    loop {
        let read = match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        hasher.update(buffer.get(..read).unwrap_or_default());
        if progress.should_stop() {
            return Err(io::Error::other("stopped"));
        }
    }
    Ok((*hasher.finalize().as_bytes(), hasher.count()))
}

/// What tells that two cases hold the same: their traces, or the side files that are used where there is no trace. `None`
/// where there is neither.
pub(super) fn content_id(contents: &Contents, files: &Files) -> Option<String> {
    let is_trace = |bytes: &[u8]| Trace::new(bytes.get(..TRACE_START_BYTES).unwrap_or(bytes)).is_ok();
    let traces = contents.traces.iter().filter(|trace| is_trace(trace.file.bytes()));
    let mut hashes: Vec<[u8; 32]> = traces
        .map(|trace| {
            let known = files.hashes.get(&trace.path).filter(|_| !trace.is_unpacked);
            known.copied().unwrap_or_else(|| hash(trace.file.bytes()))
        })
        .collect();
    if hashes.is_empty() {
        hashes.clone_from(&contents.side_hashes);
    }
    hashes.sort_unstable();
    // A copy within the case is read once.
    hashes.dedup();
    let mut all = Hasher::new();
    for hash in &hashes {
        all.update(hash);
    }
    (!hashes.is_empty()).then(|| id(&all))
}

/// The hash of bytes.
pub(super) fn hash(bytes: &[u8]) -> [u8; 32] {
    *blake3::hash(bytes).as_bytes()
}

/// Makes ids of names, in a way that `key` alone can repeat, where there is one: a hash of a name can be found by trying.
#[derive(Debug, Clone)]
pub(super) struct Ids {
    key: Option<[u8; 32]>,
}

impl Ids {
    pub(super) fn new(key: Option<&[u8]>) -> Self {
        Self { key: key.map(|key| blake3::derive_key("outofports 2026 names of cases in a batch", key)) }
    }

    /// The id of texts in their order; `what` keeps ids of one kind from being those of another.
    pub(super) fn of(&self, what: &str, parts: &[&[u8]]) -> String {
        let mut hasher = self.key.map_or_else(Hasher::new, |key| Hasher::new_keyed(&key));
        for part in [what.as_bytes()].iter().chain(parts) {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        id(&hasher)
    }

    /// The id of a path.
    pub(super) fn of_path(&self, what: &str, path: &OsStr) -> String {
        self.of(what, &[path.as_encoded_bytes()])
    }
}

fn id(hasher: &Hasher) -> String {
    let mut text = hasher.finalize().to_hex().to_string();
    text.truncate(ID_CHARACTERS);
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::NoProgress;

    #[test]
    fn names_and_contents_make_the_fingerprint() {
        let folder = tempfile::tempdir().unwrap();
        let of = || files(folder.path(), &NoProgress).unwrap().fingerprint;
        fs::write(folder.path().join("a"), "one").unwrap();
        let one = of();
        assert_eq!((one.bytes, &one.unreadable), (3, &None));
        fs::rename(folder.path().join("a"), folder.path().join("b")).unwrap();
        assert_ne!(of().hash, one.hash);
        fs::rename(folder.path().join("b"), folder.path().join("a")).unwrap();
        assert_eq!(of(), one);
        fs::write(folder.path().join("a"), "two").unwrap();
        assert_ne!(of().hash, one.hash);
    }

    #[test]
    fn ids_depend_on_the_key_and_on_where_a_part_ends() {
        let (plain, keyed) = (Ids::new(None), Ids::new(Some(&[7; 16])));
        assert_eq!(plain.of("case", &[b"a", b"b"]), plain.of("case", &[b"a", b"b"]));
        assert_ne!(plain.of("case", &[b"a", b"b"]), plain.of("case", &[b"ab", b""]));
        assert_ne!(plain.of("case", &[b"a"]), keyed.of("case", &[b"a"]));
        assert_eq!(plain.of("case", &[b"a"]).len(), ID_CHARACTERS);
    }
}
