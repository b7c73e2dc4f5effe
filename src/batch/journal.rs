//! The journal: a line for each case that was read, from which the tables are made. A run that ends at any moment leaves whole
//! lines, and perhaps a part of one, which the next run cuts off.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::entry::{Entry, Head, HeadOnly, Reply};
use super::settings::ChangedSince;
use crate::time::FileTime;

/// How long a line may be only in the system's memory: a loss of power costs the cases of this time.
const SYNCED: Duration = Duration::from_secs(2);

/// Where a line stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    offset: u64,
    bytes: u64,
}

/// What a line holds.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    /// A run began at this time.
    Began(i64),
    /// The run that began at this time came to its end.
    Ended(i64),
    /// A case was read; its head alone.
    Done(Box<HeadOnly>),
}

/// What earlier runs left.
#[derive(Debug, Default)]
pub(super) struct Earlier {
    /// The last result of each place.
    pub(super) cases: HashMap<String, (Head, Position)>,
    /// When the last run began that came to its end.
    pub(super) last_run: Option<FileTime>,
}

impl Earlier {
    /// The time before which a case must have been changed to be looked at.
    pub(super) fn cut_off(&self, changed: Option<ChangedSince>) -> Option<FileTime> {
        match changed? {
            ChangedSince::Time(time) => Some(time),
            ChangedSince::LastRun => self.last_run,
        }
    }
}

/// The journal of a folder of results, open.
#[derive(Debug)]
pub(super) struct Journal {
    file: File,
    path: PathBuf,
    end: u64,
    synced: Instant,
}

impl Journal {
    /// Opens the journal, and reads what earlier runs left; without `keeps`, it begins anew.
    pub(super) fn open(path: &Path, keeps: bool) -> io::Result<(Self, Earlier)> {
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let (mut earlier, mut end) = read_lines(&mut file)?;
        if !keeps {
            end = 0;
            earlier.cases.clear();
        }
        file.set_len(end)?;
        file.seek(SeekFrom::Start(end))?;
        Ok((Self { file, path: path.to_owned(), end, synced: Instant::now() }, earlier))
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Notes that a run begins.
    pub(super) fn begin(&mut self, at: FileTime) -> io::Result<()> {
        self.line(&Line::Began(at.0))
    }

    /// Notes that the run which began then has come to its end.
    pub(super) fn end(&mut self, began: FileTime) -> io::Result<()> {
        self.line(&Line::Ended(began.0))?;
        self.file.sync_data()
    }

    fn line(&mut self, line: &Line) -> io::Result<()> {
        let mut bytes = serde_json::to_vec(line)?;
        bytes.push(b'\n');
        self.add(&bytes).map(drop)
    }

    /// Writes the line of a case, with its line feed.
    pub(super) fn add(&mut self, line: &[u8]) -> io::Result<Position> {
        self.file.write_all(line)?;
        let position = Position { offset: self.end, bytes: line.len() as u64 };
        self.end += position.bytes;
        if self.synced.elapsed() >= SYNCED {
            self.file.sync_data()?;
            self.synced = Instant::now();
        }
        Ok(position)
    }

    /// The case whose line stands there.
    pub(super) fn read(&mut self, position: Position) -> io::Result<Entry> {
        let mut line = vec![0; usize::try_from(position.bytes).map_err(io::Error::other)?];
        self.file.seek(SeekFrom::Start(position.offset))?;
        self.file.read_exact(&mut line)?;
        self.file.seek(SeekFrom::Start(self.end))?;
        match serde_json::from_slice(&line)? {
            Reply::Done(entry) => Ok(*entry),
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

/// All whole lines, and where they end.
fn read_lines(file: &mut File) -> io::Result<(Earlier, u64)> {
    let mut earlier = Earlier::default();
    let mut input = BufReader::with_capacity(1 << 20, file);
    let (mut line, mut offset) = (Vec::new(), 0);
    loop {
        line.clear();
        let bytes = input.read_until(b'\n', &mut line)? as u64;
        if !line.ends_with(b"\n") {
            return Ok((earlier, offset));
        }
        // A line that is none, after a loss of power, is a case that was not read.
        match serde_json::from_slice(&line) {
            Ok(Line::Done(done)) => {
                let HeadOnly { head } = *done;
                earlier.cases.insert(head.place.clone(), (head, Position { offset, bytes }));
            }
            Ok(Line::Ended(began)) => earlier.last_run = Some(FileTime(began)),
            Ok(Line::Began(_)) | Err(_) => {}
        }
        offset += bytes;
    }
}
