//! What belongs to one case: what the user named, and what was found in it.
//!
//! A [`Case`] only says where to look. [`Contents`] is what was found there: traces, side files, what could not be used and why.

mod afd_log;
mod archive;
pub mod boots;
pub mod collected;
mod contents;
mod days;
mod error;
pub mod facts;
pub(crate) mod folder;
mod indexing;
mod look;
mod machines;
mod not_used;
mod overwritten;
mod places;
mod sequences;
mod server_names;
mod side;
mod stamps;
mod starts;
mod stored;

use std::path::{Path, PathBuf};

use serde::Serialize;

#[cfg(not(target_family = "wasm"))]
use self::archive::Packing;
pub use self::contents::{Contents, SNIFFED_BYTES, TraceFile, is_worth_reading};
pub use self::error::Error;
pub use self::indexing::{Opened, OpenedTrace};
pub use self::look::Look;
pub use self::not_used::{NotUsed, Reason};
pub use self::side::{NamedSideFile, SideInput};
pub(crate) use self::stored::Given;
use crate::side::NamedEncoding;
use crate::words::shown;

/// What an input is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum InputKind {
    /// A trace, alone or packed with gzip or Zstandard.
    Etl,
    /// A cabinet.
    Cab,
    /// A zip archive.
    Zip,
    /// A folder.
    Folder,
}

/// One thing that the user named.
#[derive(Debug, Clone)]
pub(crate) enum Input {
    /// A file or a folder.
    Path(PathBuf),
    /// Standard input.
    Piped,
    /// A file's name and its bytes.
    Bytes(String, Given),
    /// A folder's name, and the files in it: their paths in it, and their bytes.
    Folder(String, Vec<(String, Given)>),
}

impl Input {
    /// As reports name it.
    pub(crate) fn label(&self) -> String {
        match self {
            Self::Path(path) => label(path),
            Self::Piped => "-".to_owned(),
            Self::Bytes(name, _) | Self::Folder(name, _) => shown(name),
        }
    }
}

/// Hashes the bytes of a side file.
pub(crate) type SideHash = fn(&[u8]) -> [u8; 32];

/// Where the traces and side files of one case are. Nothing is opened before it is analyzed.
#[derive(Debug, Clone, Default)]
pub struct Case {
    pub(crate) inputs: Vec<Input>,
    pub(crate) side_files: Vec<NamedSideFile>,
    pub(crate) encoding: Option<NamedEncoding>,
    /// Hashes side files, where somebody asks what they hold.
    pub(crate) side_hash: Option<SideHash>,
}

impl Case {
    /// A case of files (traces, report cabinets, zip archives, side files) and folders of such.
    ///
    /// # Errors
    ///
    /// [`Error::NothingToRead`] where no path is given.
    pub fn from_paths<P: AsRef<Path>>(paths: impl IntoIterator<Item = P>) -> Result<Self, Error> {
        let inputs: Vec<Input> = paths.into_iter().map(|path| Input::Path(path.as_ref().to_owned())).collect();
        if inputs.is_empty() {
            return Err(Error::NothingToRead { unusable: Vec::new(), notes: Vec::new() });
        }
        Ok(Self { inputs, ..Self::default() })
    }

    /// A case of one file by its name and bytes. What it holds packed is unpacked in memory.
    pub fn from_bytes(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self::default().with_bytes(name, bytes)
    }

    /// Adds a file or a folder.
    #[must_use]
    pub fn with_path(mut self, path: impl Into<PathBuf>) -> Self {
        self.inputs.push(Input::Path(path.into()));
        self
    }

    /// Adds a file by its name and bytes.
    #[must_use]
    pub fn with_bytes(mut self, name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        self.inputs.push(Input::Bytes(name.into(), Given::new(bytes.into())));
        self
    }

    /// Adds a file of a folder, by its path in it (`logs/server.etl`) and its bytes. As in a folder on disk, a file of no use is
    /// no error there. Files of one folder that follow each other make one input.
    #[must_use]
    pub fn with_folder_bytes(
        mut self,
        folder: impl Into<String>,
        path: impl Into<String>,
        bytes: impl Into<Vec<u8>>,
    ) -> Self {
        let (folder, file) = (folder.into(), (path.into(), Given::new(bytes.into())));
        match self.inputs.last_mut() {
            Some(Input::Folder(name, files)) if *name == folder => files.push(file),
            _ => self.inputs.push(Input::Folder(folder, vec![file])),
        }
        self
    }

    /// Adds the process's standard input: a file, or a pipe, whose bytes are kept on disk.
    #[must_use]
    pub fn with_standard_input(mut self) -> Self {
        self.inputs.push(Input::Piped);
        self
    }

    /// Adds side files whose kind is known; one that is of another kind is not used.
    #[must_use]
    pub fn with_side_files(mut self, files: impl IntoIterator<Item = NamedSideFile>) -> Self {
        self.side_files.extend(files);
        self
    }

    /// Says in which encoding text is that neither has a mark nor is UTF-16.
    #[must_use]
    pub fn with_encoding(mut self, encoding: Option<NamedEncoding>) -> Self {
        self.encoding = encoding;
        self
    }
}

#[cfg(not(target_family = "wasm"))]
impl Case {
    /// Has the side files hashed that are used; [`Contents::side_hashes`] has the result.
    #[must_use]
    pub(crate) fn with_side_hash(mut self, hash: SideHash) -> Self {
        self.side_hash = Some(hash);
        self
    }
}

/// What a file may be that makes a case alone.
#[cfg(not(target_family = "wasm"))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Alone {
    /// A cabinet or a zip archive, with everything in it.
    Archive,
    /// A trace.
    Trace,
    /// A packed file, which may be a trace.
    Packed,
}

#[cfg(not(target_family = "wasm"))]
impl Alone {
    /// By the first bytes of a file.
    pub(crate) fn of(start: &[u8]) -> Option<Self> {
        match Packing::of(start) {
            Packing::Cabinet | Packing::Zip => Some(Self::Archive),
            Packing::Gzip | Packing::Zstandard => Some(Self::Packed),
            Packing::None => etl_parser::Trace::new(start).is_ok().then_some(Self::Trace),
        }
    }
}

/// A path as it may be shown.
pub fn label(path: &Path) -> String {
    shown(&path.display().to_string())
}
