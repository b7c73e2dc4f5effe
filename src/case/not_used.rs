//! Why an input was not used.

use std::fmt;
use std::io;

use super::look::Look;
use crate::side::Kind;
use crate::words::{shown, system_message};

/// An input, or a file in one, that could not be used.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NotUsed {
    /// Number of the input that it is, or came with; side files by name come behind the inputs.
    pub input: usize,
    /// As it may be shown: the path, for a member of an archive behind that of the archive.
    pub path: String,
    /// Why.
    pub reason: Reason,
}

/// Why an input was not used.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// What the system says.
    System(String),
    /// There is not memory enough to read it.
    NoMemory,
    /// It holds no byte.
    Empty,
    /// It begins as no trace does.
    NotATrace {
        /// What is wrong with its first bytes.
        error: etl_parser::Error,
        /// What it looks like.
        look: Option<Look>,
    },
    /// It is another kind of file.
    Looks(Look),
    /// It is text, and holds no list that is known; what it says instead.
    NoKnownList(Option<String>),
    /// A pipe or a device that begins with nothing that is known.
    UnknownStream,
    /// It was named as a side file of a kind, and is none; what it says instead.
    NotOfKind(Kind, Option<String>),
    /// It is packed more often than this.
    PackedTooOften(usize),
    /// A packed file that cannot be unpacked; why.
    CannotUnpack(String),
    /// An archive that cannot be opened: `cabinet` or `zip archive`, and why.
    BadArchive(&'static str, String),
    /// A member that cannot be taken out of its archive: `cabinet` or `zip archive`, and why.
    BadMember(&'static str, String),
    /// A member of an archive that needs a password.
    Encrypted,
    /// An archive that holds nothing to read.
    EmptyArchive(&'static str),
    /// A folder that holds nothing to read.
    EmptyFolder,
    /// Nothing in the input could be used.
    NothingInside,
    /// The job was stopped.
    Stopped,
}

impl Reason {
    pub(super) fn system(error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::OutOfMemory { Self::NoMemory } else { Self::System(system_message(error)) }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System(message) => f.write_str(message),
            Self::NoMemory => f.write_str("there is not memory enough to read it"),
            Self::Empty => f.write_str("is empty"),
            Self::NotATrace { look: Some(look), .. } => {
                write!(f, "is not an ETW trace but {}: {}", look.what(), look.instead())
            }
            Self::NotATrace { error, look: None } => error.fmt(f),
            Self::Looks(look) => write!(f, "is {}: {}", look.what(), look.instead()),
            Self::NoKnownList(why) => {
                f.write_str("holds no known list of processes, sockets, handles or ports")?;
                why.iter().try_for_each(|why| write!(f, "; {}", shown(why)))
            }
            Self::UnknownStream => f.write_str("is neither a trace, nor an archive, nor a known side file"),
            Self::NotOfKind(kind, why) => {
                write!(f, "is not {}", super::side::expected(*kind))?;
                why.iter().try_for_each(|why| write!(f, "; {}", shown(why)))
            }
            Self::PackedTooOften(times) => write!(f, "is packed more than {times} times"),
            Self::CannotUnpack(message) => write!(f, "cannot be unpacked: {message}"),
            Self::BadArchive(what, message) => write!(f, "is a {what} that cannot be read: {message}"),
            Self::BadMember(what, message) => write!(f, "cannot be taken out of the {what}: {message}"),
            Self::Encrypted => f.write_str("is encrypted: unpack it with its password, and give the files"),
            Self::EmptyArchive(what) => write!(f, "is a {what} without a trace (.etl) or a known side file"),
            Self::EmptyFolder => f.write_str(
                "the folder holds no trace (.etl), no report cabinet (.cab), no zip archive and no known side file",
            ),
            Self::NothingInside => f.write_str("nothing in it could be used"),
            Self::Stopped => f.write_str("was not read to its end"),
        }
    }
}

impl fmt::Display for NotUsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.reason)
    }
}
