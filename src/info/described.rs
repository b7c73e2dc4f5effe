//! What the inputs of a case hold: for the command line, and for the page in a browser.

use std::io::{self, Write};

use super::{Beside, Info, WithoutTrace, read, write_text, write_text_without_trace};
use crate::case::{Contents, Error, NotUsed, Opened};
use crate::pipeline::Threads;
use crate::pipeline::coverage::Coverage;
use crate::progress::Progress;
use crate::report::json;
use crate::time::{FileTime, Zone};
use crate::words::pseudonyms::Pseudonyms;

/// What the inputs of a case hold.
#[derive(Debug)]
#[non_exhaustive]
pub struct Described {
    /// Of each trace, or of the side files.
    pub documents: Documents,
    /// What was named and could not be used.
    pub unusable: Vec<NotUsed>,
    /// Everything could be used: nothing is unusable, no trace is damaged.
    pub is_complete: bool,
    /// The zone of the server's clock, as a trace tells it.
    pub server_zone: Option<Zone>,
    /// When the first session began.
    pub begin: Option<FileTime>,
    /// Traces read.
    pub traces: usize,
    /// Their size, unpacked, in bytes.
    pub bytes: u64,
    /// Files that sentences may name.
    names: Vec<String>,
}

/// The documents of a case.
#[derive(Debug)]
pub enum Documents {
    /// One for each trace.
    Traces(Vec<Info>),
    /// One of side files alone.
    SideFiles(Box<WithoutTrace>),
}

/// Reads each trace of a case once, and says what it holds.
///
/// # Errors
///
/// [`Error::NothingToRead`] where the case holds neither a trace nor a side file that is known, [`Error::Stopped`] where
/// `progress` says so.
pub fn describe(contents: &Contents, threads: &Threads, progress: &dyn Progress) -> Result<Described, Error> {
    let opened = threads.run(|| contents.index());
    let (server_zone, begin) = (opened.server_zone(), opened.begin());
    let Opened { traces, unusable, mut notes } = opened;
    let names = contents.names();
    if traces.is_empty() {
        if !contents.side_inputs.iter().any(|side| side.used) {
            notes.extend(contents.reasons_of_unused(&unusable));
            return Err(Error::NothingToRead { unusable, notes });
        }
        let document = WithoutTrace::new(&contents.labels(), &contents.side_inputs, &contents.side, notes);
        let (documents, is_complete) = (Documents::SideFiles(Box::new(document)), unusable.is_empty());
        return Ok(Described { documents, unusable, is_complete, server_zone, begin, traces: 0, bytes: 0, names });
    }
    let beside = Beside::new(&contents.side_inputs, &contents.side);
    let read = traces.iter().map(|opened| {
        threads.run(|| read(opened.path.clone(), opened.kind, &opened.trace, &beside, progress)).map_err(Error::from)
    });
    let (documents, coverages): (Vec<Info>, Vec<Coverage>) =
        read.collect::<Result<Vec<_>, Error>>()?.into_iter().unzip();
    let is_complete = unusable.is_empty() && coverages.iter().all(Coverage::is_whole);
    let (count, bytes) = (traces.len(), traces.iter().map(|opened| opened.trace.bytes().len() as u64).sum());
    let documents = Documents::Traces(documents);
    Ok(Described { documents, unusable, is_complete, server_zone, begin, traces: count, bytes, names })
}

impl Described {
    /// Replaces what tells whose machine it is.
    pub fn redact(&mut self, pseudonyms: &mut Pseudonyms) {
        let names = &self.names;
        match &mut self.documents {
            Documents::Traces(documents) => {
                documents.iter_mut().for_each(|document| document.redact(pseudonyms, names));
            }
            Documents::SideFiles(document) => document.redact(pseudonyms, names),
        }
    }

    /// Writes it for people, in lines of so many columns, with times in a zone. Styles are written as escape sequences.
    ///
    /// # Errors
    ///
    /// What writing says.
    pub fn write_text(&self, zone: Zone, width: usize, out: &mut dyn Write) -> io::Result<()> {
        let documents = match &self.documents {
            Documents::Traces(documents) => documents,
            Documents::SideFiles(document) => return write_text_without_trace(document, width, out),
        };
        documents.iter().enumerate().try_for_each(|(number, document)| {
            if number > 0 {
                writeln!(out)?;
            }
            write_text(document, zone, width, out)
        })
    }

    /// Writes it for programs: one document, or an array of them.
    ///
    /// # Errors
    ///
    /// What writing says.
    pub fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        match &self.documents {
            Documents::Traces(documents) => match documents.as_slice() {
                [document] => json::write(document, out),
                documents => json::write(&documents, out),
            },
            Documents::SideFiles(document) => json::write(document, out),
        }
    }
}
