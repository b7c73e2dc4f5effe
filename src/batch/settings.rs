//! What a batch is asked to do.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use super::pattern::NamePattern;
use super::places::shown_path;
use super::{BatchError, digest, limit};
use crate::time::FileTime;

/// What a batch is asked to do.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Settings {
    /// Folders that hold cases; traces and archives, each a case; lists of such, a path in each line.
    pub inputs: Vec<PathBuf>,
    /// The folder of the results.
    pub out: PathBuf,
    /// Cases that are read at the same time; 0 for one on each processor. The results are the same for any number.
    pub jobs: usize,
    /// Threads of all of them together; 0 for one on each processor. Each case has one at least.
    pub threads: usize,
    /// Which files belong together.
    pub cases_by: CasesBy,
    /// The part of the cases that is looked at; `None` for all.
    pub shard: Option<Shard>,
    /// Only cases of which a file was changed since.
    pub changed: Option<ChangedSince>,
    /// What a case may take.
    pub limits: Limits,
    /// Results of an earlier run into the same folder are kept where neither the files of a case nor the options changed.
    pub resume: bool,
    /// Forms of the tables; without any, status and summary alone are written.
    pub formats: Vec<TableFormat>,
    /// How folders are called.
    pub name_from: Option<NamePattern>,
    /// What is replaced before anything is written.
    pub redaction: Option<Redaction>,
    /// Who reads the cases.
    pub workers: Workers,
}

impl Settings {
    /// Everything as it is without options: these inputs, read by threads of this process into `out`.
    pub fn new<P: Into<PathBuf>>(inputs: impl IntoIterator<Item = P>, out: impl Into<PathBuf>) -> Self {
        Self {
            inputs: inputs.into_iter().map(Into::into).collect(),
            out: out.into(),
            jobs: 0,
            threads: 0,
            cases_by: CasesBy::default(),
            shard: None,
            changed: None,
            limits: Limits::default(),
            resume: false,
            formats: vec![TableFormat::default()],
            name_from: None,
            redaction: None,
            workers: Workers::Threads,
        }
    }

    /// Cases at a time.
    pub(super) fn jobs(&self) -> usize {
        if self.jobs == 0 { processors() } else { self.jobs }
    }

    /// Threads of each case.
    pub(super) fn threads_of_case(&self) -> usize {
        let threads = if self.threads == 0 { processors() } else { self.threads };
        (threads / self.jobs()).max(1)
    }

    /// Whether all of it can be done.
    pub(super) fn check(&self) -> Result<(), BatchError> {
        let wrong = |what: String| Err(BatchError::Usage(what));
        if self.inputs.is_empty() {
            return wrong("there is no folder of cases".to_owned());
        }
        let Some(bytes) = self.limits.memory_bytes else { return Ok(()) };
        if !limit::IS_HELD || self.workers == Workers::Threads {
            return wrong("--memory: this system does not hold a process to its memory".to_owned());
        }
        let least = limit::LEAST_BYTES * self.jobs() as u64;
        if bytes < least {
            return wrong(format!(
                "--memory: {} cases at a time need {} MiB or more, {} MiB each",
                self.jobs(),
                least >> 20,
                limit::LEAST_BYTES >> 20
            ));
        }
        Ok(())
    }
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// What a case may take until it is cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How long it may be read.
    pub timeout: Duration,
    /// Memory of all cases that are read at the same time, in bytes; `None` for as much as there is. The pages of a trace that
    /// the system maps from its file do not count, since it can take them back.
    pub memory_bytes: Option<u64>,
}

impl Default for Limits {
    /// Ten minutes, and as much memory as there is.
    fn default() -> Self {
        Self { timeout: Duration::from_secs(600), memory_bytes: None }
    }
}

/// Which files of a folder belong together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CasesBy {
    /// A folder without folders in it is a case, or holds archives alone, each of which is one. Where a folder has others in it,
    /// its archives and traces are cases of their own.
    #[default]
    Leaf,
    /// A folder with files is a case, with everything below it.
    Folder,
    /// Each archive and each trace is a case.
    File,
}

/// One of so many parts of the cases, which have none in common and make up all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    number: u32,
    count: u32,
}

impl Shard {
    /// The part `number`, from 1, of `count`; `None` where there is no such part.
    pub fn new(number: u32, count: u32) -> Option<Self> {
        (1..=count).contains(&number).then_some(Self { number, count })
    }

    /// Its number, from 1.
    pub fn number(self) -> u32 {
        self.number
    }

    /// Whether the case with this path is in it, whatever other cases there are.
    pub(super) fn has(self, relative: &Path) -> bool {
        let [a, b, c, d, ..] = digest::hash(shown_path(relative).as_bytes());
        u32::from_le_bytes([a, b, c, d]) % self.count == self.number - 1
    }

    /// Parts that there are.
    pub fn count(self) -> u32 {
        self.count
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split_once('/').and_then(|(number, count)| {
            let digits = |text: &str| text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
            Self::new(digits(number)?, digits(count)?)
        });
        numbers.ok_or_else(|| "expected i/n, as 1/4 for the first of four parts".to_owned())
    }
}

/// Since when a file of a case must have been changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangedSince {
    /// This time.
    Time(FileTime),
    /// The start of the last run into the same folder that came to its end; without one, everything has changed.
    LastRun,
}

/// The form of a table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum TableFormat {
    /// Apache Parquet, in a folder for each month.
    #[cfg(feature = "parquet")]
    #[default]
    Parquet,
    /// A JSON object in each line.
    #[cfg_attr(not(feature = "parquet"), default)]
    Ndjson,
}

/// What is replaced before anything is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redaction {
    /// What names are made from.
    pub key: Vec<u8>,
    /// Names of programs are replaced too.
    pub replaces_images: bool,
}

/// Who reads the cases.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Workers {
    /// Threads of this process. A case that takes too long ends at the next place that asks; memory has no bound.
    Threads,
    /// Processes of this program, which must answer as [`serve`](super::serve) does. A case that takes too long or too much ends
    /// with its process, and so does one whose reader breaks down.
    Processes {
        /// The program.
        program: PathBuf,
        /// Its arguments.
        arguments: Vec<String>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_from_one_on() {
        assert_eq!("2/4".parse(), Ok(Shard { number: 2, count: 4 }));
        for wrong in ["0/4", "5/4", "1", "1/0", "+1/2", "a/b", "1/2/3"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
    }
}
