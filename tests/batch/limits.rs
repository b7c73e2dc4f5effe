//! A case that takes too long or too much, or breaks its reader, is cut off alone.

use super::{batch, statuses, table};
use crate::common::{fixtures, scratch};

/// A small case, and one that holds `large`.
fn two_cases(folder: &std::path::Path, large: impl FnOnce(&std::path::Path)) {
    for name in ["small", "large"] {
        std::fs::create_dir_all(folder.join(name)).unwrap();
    }
    std::fs::copy(fixtures().join("synthetic/legacy.etl"), folder.join("small/server.etl")).unwrap();
    large(&folder.join("large/server.etl"));
}

#[test]
fn a_case_that_takes_too_long_is_cut_off_alone() {
    let scratch = scratch();
    let (input, out) = (scratch.path().join("in"), scratch.path().join("out"));
    // Some seconds of work without optimisation, of which one is allowed. Compressed: there is little to hash before it.
    let bulk = synth::bulk::Bulk { size: 48 << 20, compressed: true, ..synth::bulk::Bulk::default() };
    two_cases(&input, |path| drop(synth::bulk::write(std::fs::File::create(path).unwrap(), &bulk).unwrap()));
    let ran = batch(&input, &out, ["--timeout", "1s", "--jobs", "1", "--threads", "1"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert_eq!(statuses(&out).into_values().collect::<Vec<_>>(), ["timeout", "ok"]);
    assert_eq!(table(&out, "cases")[0]["reason"], "took longer than the 1 s that --timeout allows");
    // The same limit would give the same, a longer one may not.
    let again = |timeout| batch(&input, &out, ["--timeout", timeout, "--jobs", "1", "--resume"]).stderr;
    assert!(again("1s").contains("2 not read again"));
    let stderr = again("10m");
    assert!(stderr.contains("1 not read again") && stderr.contains("2 ok"), "{stderr}");
}

/// Linux alone holds processes to their memory here.
#[cfg(target_os = "linux")]
#[test]
fn a_case_that_takes_too_much_memory_is_cut_off_alone() {
    let scratch = scratch();
    let (input, out) = (scratch.path().join("in"), scratch.path().join("out"));
    two_cases(&input, |path| {
        // A log is read as a whole; of this one nothing but zeros follows its first bytes, which no disk has to keep.
        std::fs::copy(fixtures().join("synthetic/modern-64.etl"), path).unwrap();
        let mut log = std::fs::File::create(path.with_file_name("System.evtx")).unwrap();
        std::io::Write::write_all(&mut log, b"ElfFile\0").unwrap();
        log.set_len(200 << 20).unwrap();
    });
    let ran = batch(&input, &out, ["--memory", "128MiB", "--jobs", "2", "--threads", "2"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert_eq!(statuses(&out).into_values().collect::<Vec<_>>(), ["too_large", "ok"]);
    assert_eq!(table(&out, "cases")[0]["reason"], "needs more than the 128 MiB of memory that --memory allows");
    // It is the case's need that counts, and not the share of one job among many.
    let ran = batch(&input, &out, ["--memory", "2GiB", "--jobs", "32", "--threads", "1", "--resume"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stderr.contains("1 not read again"), "{ran:?}");
    let ran = batch(&input, &out, ["--memory", "100MiB", "--jobs", "2"]);
    assert!(ran.code == 2 && ran.stderr.contains("need 128 MiB or more"), "{ran:?}");
}
