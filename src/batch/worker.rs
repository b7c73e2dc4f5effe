//! A worker: a process that reads cases one after another, told which on standard input, and tells what it found on standard
//! output. It ends when its master does.

use std::alloc::{Layout, handle_alloc_error};
use std::io::{self, BufRead, BufReader, Write};
use std::sync::mpsc::channel;
use std::thread;

use super::entry::{How, Task};
use super::limit;
use super::read::read;
use crate::progress::NoProgress;

/// Reads cases as a worker of a batch until its master has no more or is gone: the whole of a process that
/// [`Workers::Processes`](super::Workers::Processes) names.
///
/// # Errors
///
/// Where the master is of another version or tells something else than a batch does, where the system does not hold this
/// process to its memory, or where standard output is closed.
pub fn serve() -> io::Result<()> {
    let (lines, next) = channel::<io::Result<Vec<u8>>>();
    thread::spawn(move || {
        let mut input = BufReader::new(io::stdin());
        loop {
            let mut line = Vec::new();
            match input.read_until(b'\n', &mut line) {
                Ok(1..) => drop(lines.send(Ok(line))),
                // The master is gone: whatever is being read has nobody to be told to.
                #[allow(clippy::exit, reason = "a case may take long, or hang")]
                Ok(0) => std::process::exit(0),
                Err(error) => {
                    let _ = lines.send(Err(error));
                    break;
                }
            }
        }
    });
    let Ok(first) = next.recv() else { return Ok(()) };
    let how: How = serde_json::from_slice(&first?)?;
    if how.version != env!("CARGO_PKG_VERSION") {
        return Err(io::Error::other(format!("this is version {}, not {}", env!("CARGO_PKG_VERSION"), how.version)));
    }
    if let Some(bytes) = how.memory_bytes {
        limit::hold_to(bytes)?;
    }
    let mut out = io::stdout().lock();
    for line in next {
        let task: Task = serde_json::from_slice(&line?)?;
        let read = read(&task, &how, &NoProgress, |reply| {
            let mut line = serde_json::to_vec(&reply)?;
            line.push(b'\n');
            out.write_all(&line)?;
            out.flush()
        });
        match read {
            // As where nobody is told that there is no memory left.
            Err(error) if error.kind() == io::ErrorKind::OutOfMemory => handle_alloc_error(Layout::new::<u64>()),
            read => read?,
        }
    }
    Ok(())
}
