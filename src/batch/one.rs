//! One case as a batch has it, for programs that have their own way to many.

use std::io;
use std::path::Path;

use super::cases::{CASES, CaseRow, HOST_BY_SIDE_INPUT};
use super::columns::{Row, row};
use super::digest::Ids;
use super::entry::{How, Reply, Task};
use super::places::shown_path;
use super::read::read;
use super::results::case_id;
use crate::progress::Progress;

/// Reads the case at `path`, a folder or a file, with `threads` threads, and gives its row of
/// [`Table::Cases`](super::tables::Table::Cases). `relative` is what tables call it and what its `case_id` is made from. Nobody is
/// compared with others: `duplicate_of` is null, and so are names that folders give: the host is the one that the
/// files of the case name.
///
/// # Errors
///
/// `OutOfMemory`, and `Interrupted` where `progress` stopped it. A bad case is none: its row says what is wrong with it.
pub fn read_case(path: &Path, relative: &Path, threads: usize, progress: &dyn Progress) -> io::Result<Row> {
    let ids = Ids::new(None);
    let task = Task {
        number: 0,
        path: path.as_os_str().to_owned(),
        place: ids.of_path("place", path.as_os_str()),
        known: None,
        bytes: 0,
    };
    let mut entry = None;
    read(&task, &How::new(threads, None), progress, |reply| {
        if let Reply::Done(done) = reply {
            entry = Some(done);
        }
        Ok(())
    })?;
    let Some(entry) = entry.filter(|_| !progress.should_stop()) else {
        return Err(io::ErrorKind::Interrupted.into());
    };
    let case = CaseRow {
        case_id: case_id(relative, &entry.head, &ids),
        content_id: entry.head.content_id,
        path: shown_path(relative),
        customer: None,
        host_by: entry.head.host.is_some().then_some(HOST_BY_SIDE_INPUT),
        host: entry.head.host,
        status: entry.head.status,
        reason: entry.head.reason,
        facts: entry.facts,
        duplicate_of: None,
    };
    Ok(row(&CASES, &(), &case))
}
