//! Classes 48 and 49: concurrency, ways to read.

use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::process::Command;

use etl_parser::{EtlFile, Trace};
use outofports::{NoProgress, pipeline};

use super::support::*;
use crate::common::scratch;

pub fn threads_batches_and_giving_up() -> String {
    let damaged = sound().with(|bytes| {
        put32(bytes, 2 * STRIDE, 0);
        put32(bytes, 5 * STRIDE + 0x48, 0);
        bytes.extend([0xAB; 9]);
    });
    let written = |name: &str| synth::write(name).unwrap().trace;
    for bytes in [written("modern-64"), written("shuffled-64cpu"), written("compressed"), damaged] {
        let one = report_on(&bytes, 1);
        for threads in [2, 7, 64] {
            assert_eq!(report_on(&bytes, threads), one, "{threads} threads");
        }
    }
    // Half of the records, then no more.
    let sound = sound();
    let trace = Trace::new(&sound.bytes).unwrap();
    let some: Vec<_> = trace.records().take(150).collect();
    assert_eq!(some.len(), 150);
    // A consumer that panics ends the scan with its panic, and leaves the pool usable.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    for who in ["reader", "taker"] {
        let traces = [Trace::new(&sound.bytes).unwrap()];
        let hook = panic::take_hook();
        panic::set_hook(Box::new(|_| ()));
        let ended = panic::catch_unwind(AssertUnwindSafe(|| {
            pool.install(|| {
                let _ = pipeline::scan(
                    &traces,
                    &NoProgress,
                    |_, _, _| assert!(who != "reader", "the reader gives up"),
                    |_, (), _| assert!(who != "taker", "the taker gives up"),
                );
            });
        }));
        panic::set_hook(hook);
        assert!(ended.is_err(), "{who}");
        assert_eq!(pool.install(|| 1), 1);
    }
    "4 traces, 1, 2, 7 and 64 threads: one report; stopped in the middle, panicking consumers: no deadlock".to_owned()
}

/// What the child of [`map_read_slice`] is told to map; the child dies of it.
const SHRINKING: &str = "OUTOFPORTS_SHRINKING_FILE";

#[test]
fn child_whose_file_shrinks() {
    let Some(path) = std::env::var_os(SHRINKING) else { return };
    let file = EtlFile::open(Path::new(&path)).unwrap();
    std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(0).unwrap();
    let _ = Trace::new(file.bytes());
}

pub fn map_read_slice() -> String {
    let folder = scratch();
    let path = folder.path().join("a.etl");
    let bytes = synth::write("modern-64").unwrap().trace;
    std::fs::write(&path, &bytes).unwrap();
    let mapped = EtlFile::open(&path).unwrap();
    let read = std::fs::read(&path).unwrap();
    assert_eq!(report_on(mapped.bytes(), 1), report_on(&bytes, 1));
    assert_eq!(report_on(&read, 1), report_on(&bytes, 1));
    // An odd address: nothing depends on alignment.
    let shifted = [&[0][..], &bytes].concat();
    assert_eq!(report_on(&shifted[1..], 1), report_on(&bytes, 1));
    // A mapped file that another process makes shorter: the system ends the process, as `EtlFile::open` says.
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "robustness::program::child_whose_file_shrinks"])
        .env(SHRINKING, &path)
        .output()
        .unwrap()
        .status;
    #[cfg(unix)]
    {
        use std::os::unix::process::ExitStatusExt;
        const SIGBUS: i32 = if cfg!(target_os = "linux") { 7 } else { 10 };
        assert_eq!(status.signal(), Some(SIGBUS));
    }
    #[cfg(not(unix))]
    assert!(status.success() || status.code().is_some());
    "map, read, slice, unaligned slice: one report; a mapped file that shrinks: SIGBUS, as documented".to_owned()
}
