//! Indexes the traces of a case on all threads.

use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::atomic::{AtomicBool, Ordering};

use etl_parser::{Error, Trace};
use foldhash::fast::RandomState;
use rayon::prelude::*;

use super::InputKind;
use super::contents::{Contents, TraceFile};
use super::facts::time_zone_bias_minutes;
use super::look::Look;
use super::not_used::{NotUsed, Reason};
use crate::hash::FastMap;
use crate::time::{FileTime, Zone};

/// From this size on, a file is brought into memory by a second thread while it is indexed.
const LARGE_BYTES: usize = 16 << 20;

/// Bytes that the system maps around a page that is touched; where it maps less, some touches are missing.
const MAPPED_AT_ONCE: usize = 64 << 10;

/// Bytes at either end of a file that tell most files apart.
const ENDS_BYTES: usize = 4 << 10;

/// How much of a file shows what else it may be.
const SHAPE_BYTES: usize = 4 << 10;

/// A trace, or one segment of a file that holds several.
#[derive(Debug)]
pub struct OpenedTrace<'f> {
    /// As it is named in reports.
    pub path: String,
    /// What the user named: itself, or the folder or archive that holds it.
    pub input: String,
    /// What the user named is.
    pub kind: InputKind,
    /// Header, index and bytes.
    pub trace: Trace<'f>,
}

/// The traces of a case, and what of its files is none.
#[derive(Debug, Default)]
pub struct Opened<'f> {
    /// Traces, in the order of the inputs.
    pub traces: Vec<OpenedTrace<'f>>,
    /// What was named and could not be used, the inputs without any use among them.
    pub unusable: Vec<NotUsed>,
    /// What else is to be known about the inputs, a sentence each.
    pub notes: Vec<String>,
}

impl Opened<'_> {
    /// The zone of the server's clock, as the first trace that knows it tells.
    pub fn server_zone(&self) -> Option<Zone> {
        self.traces.iter().filter_map(|opened| time_zone_bias_minutes(&opened.trace)).find_map(Zone::of_bias)
    }

    /// When the first session began.
    pub fn begin(&self) -> Option<FileTime> {
        self.traces.iter().filter_map(|opened| opened.trace.header().started()).min()
    }
}

impl Contents {
    /// Indexes the traces, on the current rayon pool. What is no trace goes to [`Opened::unusable`], or to [`Opened::notes`]
    /// where a folder held it; of identical files (a report cabinet holds a copy of the trace beside it) one is read.
    pub fn index(&self) -> Opened<'_> {
        let mut opened = Opened { traces: Vec::new(), unusable: self.unusable.clone(), notes: self.notes.clone() };
        let mut useful: Vec<bool> = self.inputs.iter().map(|input| input.is_used).collect();
        let mut told: Vec<bool> = vec![false; self.inputs.len()];
        let mark = |list: &mut Vec<bool>, input: usize| list.get_mut(input).into_iter().for_each(|entry| *entry = true);
        for not_used in &self.unusable {
            mark(&mut told, not_used.input);
        }
        for (file, indexed) in self.traces.iter().zip(index(&self.traces)) {
            let segments = match indexed {
                Indexed::Segments(Ok(segments)) => segments,
                Indexed::SameAs(same) => {
                    let same = self.traces.get(same).map_or("", |same| &same.path);
                    opened.notes.push(format!("{}: the same as {same}; read once", file.path));
                    mark(&mut useful, file.input);
                    continue;
                }
                Indexed::Segments(Err(error)) => {
                    let bytes = file.file.bytes();
                    let look = Look::of(bytes.get(..SHAPE_BYTES).unwrap_or(bytes));
                    let reason = Reason::NotATrace { error, look };
                    if file.named {
                        opened.unusable.push(NotUsed { input: file.input, path: file.path.clone(), reason });
                        mark(&mut told, file.input);
                    } else {
                        opened.notes.push(format!("{}: {reason}; not used", file.path));
                    }
                    continue;
                }
            };
            mark(&mut useful, file.input);
            let several = segments.len() > 1;
            for (number, trace) in segments.into_iter().enumerate() {
                let segment = format!("{} (session {} at {:#x})", file.path, number + 1, trace.start());
                let path = if several { segment } else { file.path.clone() };
                let input = self.inputs.get(file.input).map_or_else(|| path.clone(), |input| input.label.clone());
                opened.traces.push(OpenedTrace { path, input, kind: file.kind, trace });
            }
        }
        let without_use = self.inputs.iter().enumerate().zip(useful.iter().zip(told));
        for ((number, input), _) in without_use.filter(|(_, (useful, told))| !**useful && !*told) {
            let path = input.label.clone();
            opened.unusable.push(NotUsed { input: number, path, reason: Reason::NothingInside });
        }
        opened
    }

    /// Unmaps large files on all threads of the current rayon pool, when nothing is read any more.
    pub(crate) fn unmap(&self) {
        unmap(&self.traces);
    }
}

/// A file's traces, or why there are none; or the number of an earlier file with the same bytes.
enum Indexed<'f> {
    /// What was found.
    Segments(Result<Vec<Trace<'f>>, Error>),
    /// The same bytes as the file of this number.
    SameAs(usize),
}

/// Indexes files, on the current rayon pool. Of files with the same bytes the first is.
fn index(files: &[TraceFile]) -> Vec<Indexed<'_>> {
    let contents: Vec<&[u8]> = files.iter().map(|file| file.file.bytes()).collect();
    let earlier = earlier_copies(&contents);
    contents
        .into_par_iter()
        .zip(earlier)
        .map(|(bytes, earlier)| earlier.map_or_else(|| Indexed::Segments(segments(bytes)), Indexed::SameAs))
        .collect()
}

/// For each of `contents`, the number of the first one that is the same, where that is another.
fn earlier_copies(contents: &[&[u8]]) -> Vec<Option<usize>> {
    let seed = RandomState::default();
    let ends = |bytes: &[u8]| {
        let mut hasher = seed.build_hasher();
        bytes.len().hash(&mut hasher);
        bytes.get(..ENDS_BYTES).unwrap_or(bytes).hash(&mut hasher);
        bytes.len().checked_sub(ENDS_BYTES).and_then(|at| bytes.get(at..)).hash(&mut hasher);
        hasher.finish()
    };
    let hashes: Vec<u64> = contents.par_iter().map(|bytes| ends(bytes)).collect();
    let mut firsts: FastMap<u64, Vec<usize>> = FastMap::default();
    contents
        .iter()
        .zip(hashes)
        .enumerate()
        .map(|(number, (bytes, hash))| {
            let alike = firsts.entry(hash).or_default();
            let same = alike.iter().copied().find(|first| contents.get(*first) == Some(bytes));
            if same.is_none() {
                alike.push(number);
            }
            same
        })
        .collect()
}

/// Indexes one file. Half of the time goes into mapping its pages, which a second thread does from the end on.
fn segments(bytes: &[u8]) -> Result<Vec<Trace<'_>>, Error> {
    if bytes.len() < LARGE_BYTES || rayon::current_num_threads() < 2 {
        return Trace::segments(bytes);
    }
    let is_done = AtomicBool::new(false);
    let index = || {
        let segments = Trace::segments(bytes);
        is_done.store(true, Ordering::Relaxed);
        segments
    };
    let map = || {
        let later_half = bytes.get(bytes.len() / 2..).unwrap_or(&[]);
        for part in later_half.rchunks(MAPPED_AT_ONCE) {
            std::hint::black_box(part.first().copied());
            if is_done.load(Ordering::Relaxed) {
                break;
            }
        }
    };
    rayon::join(index, map).0
}

/// Unmaps large files on all threads, when nothing is read any more.
fn unmap(files: &[TraceFile]) {
    let threads = rayon::current_num_threads();
    let large = files.iter().filter(|file| threads > 1 && file.file.bytes().len() >= LARGE_BYTES);
    for file in large {
        let part = file.file.bytes().len().div_ceil(threads);
        (0..threads).into_par_iter().for_each(|number| file.file.release(number * part..(number + 1) * part));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_bytes_are_a_copy() {
        let long = |middle: u8| {
            let mut bytes = vec![7; 3 * ENDS_BYTES];
            bytes[ENDS_BYTES + 5] = middle;
            bytes
        };
        let (one, two) = (long(1), long(2));
        let contents: [&[u8]; 7] = [&one, &two, &one, b"short", &two, b"short", b""];
        assert_eq!(earlier_copies(&contents), [None, None, Some(0), None, Some(1), Some(3), None]);
    }
}
