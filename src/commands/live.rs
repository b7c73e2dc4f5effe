//! `live` and `collect`: options in, report or archive out.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::writing::write_report;
use super::{Failure, Outcome};
use crate::cli::{Collect, Live};
use crate::live::session::PanicGuard;
use crate::live::{self, capture};
use crate::output::folder_of;

pub(crate) fn live(options: &Live) -> Result<Outcome, Failure> {
    let plan = capture::Plan {
        duration: options.duration,
        until_failures: options.until_failures,
        interval: options.interval,
        record: options.record.as_deref().map(absolute),
        buffer_mib: options.buffer_mib,
        pool: options.pool,
        poll: !options.no_poll,
    };
    if let Some(path) = options.common.output.as_deref().filter(|path| *path != Path::new("-")) {
        // Better now than after the capture.
        check_writable(path).map_err(|error| Failure::output(path, error))?;
    }
    let is_silent = options.common.is_silent();
    let captured = live::run(&plan, is_silent).map_err(Failure::Live)?;
    write_report(&options.common, options.format, &options.look, &captured.report)?;
    Ok(if captured.is_complete { Outcome::Complete } else { Outcome::Incomplete })
}

pub(crate) fn collect(options: &Collect) -> Result<Outcome, Failure> {
    let system = live::this_system().map_err(Failure::Live)?;
    let interrupt = live::interrupt().map_err(Failure::Live)?;
    let _guard = PanicGuard::new(&system);
    let plan =
        live::collect::Plan { out: absolute(&options.out), duration: options.duration, buffer_mib: options.buffer_mib };
    let mut tell = |line: &str| {
        if !options.quiet {
            let _ = writeln!(io::stderr(), "outofports: {line}");
        }
    };
    let failed = live::collect::collect(&system, &plan, &interrupt, &mut tell).map_err(|error| match error {
        live::collect::CollectError::Capture(trouble) => Failure::Live(trouble),
        live::collect::CollectError::Archive(source) => Failure::output(&options.out, source),
    })?;
    for line in &failed {
        let _ = writeln!(io::stderr(), "outofports: {line}");
    }
    Ok(if failed.is_empty() { Outcome::Complete } else { Outcome::Incomplete })
}

/// As the system's services need paths, which do not know the current folder.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// Whether a file can be made beside `path`, as writing it will.
fn check_writable(path: &Path) -> io::Result<()> {
    if std::fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
        return Ok(());
    }
    tempfile::Builder::new().prefix(".outofports-").tempfile_in(folder_of(path)).map(drop)
}
