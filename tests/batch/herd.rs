//! Synthetic cases of ten kinds, as many as asked for, each with another content.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use synth::afd::{self, Head, SockAddr};
use synth::process::ProcessInfo;
use synth::{TraceBuilder, TraceOptions};

use crate::inputs::zip;

/// Kinds of cases.
pub const KINDS: usize = 10;

const DAY_100NS: i64 = 86_400 * 10_000_000;

/// How many cases of what.
#[derive(Debug, Clone, Copy, Default)]
pub struct Count {
    /// Cases of all kinds in turn.
    pub cases: usize,
    /// Of these, such that are damaged: every other one so that nothing can be read.
    pub damaged: usize,
    /// Of these, such that cannot be read: folders and files in turn.
    pub unreadable: usize,
    /// Copies of cases, beside these.
    pub duplicates: usize,
    /// Small traces, beside these, each in a folder.
    pub small: usize,
}

/// The status that each case must have, by its path below the folder.
pub type Truth = BTreeMap<String, &'static str>;

/// Writes cases into `folder`.
pub fn write(folder: &Path, count: Count) -> Truth {
    let mut truth = Truth::new();
    for number in 0..count.cases {
        let (path, status) = if number < count.damaged {
            damaged(folder, number)
        } else if number < count.damaged + count.unreadable {
            unreadable(folder, number)
        } else {
            whole(folder, number)
        };
        truth.insert(path, status);
    }
    // Of cases that hold one trace. The copy comes behind its original, by path.
    let originals =
        (count.damaged + count.unreadable..count.cases).filter(|number| ![6, 7].contains(&(number % KINDS)));
    for (number, original) in originals.take(count.duplicates).enumerate() {
        let name = format!("z-copy-{number:05}");
        std::fs::create_dir(folder.join(&name)).unwrap();
        std::fs::write(folder.join(&name).join("server.etl"), trace(original as u64, original % KINDS)).unwrap();
        truth.insert(name, "ok");
    }
    for number in 0..count.small {
        let name = format!("small/{number:05}");
        std::fs::create_dir_all(folder.join(&name)).unwrap();
        std::fs::write(folder.join(&name).join("server.etl"), small(number as u64)).unwrap();
        truth.insert(name, "ok");
    }
    truth
}

fn in_folder(folder: &Path, number: usize, files: &[(&str, &[u8])]) -> (String, PathBuf) {
    let name = format!("customer-{}/host-{number:05}", number % 7);
    let path = folder.join(&name);
    std::fs::create_dir_all(&path).unwrap();
    for (file, bytes) in files {
        std::fs::write(path.join(file), bytes).unwrap();
    }
    (name, path)
}

fn in_root(folder: &Path, number: usize, ending: &str, bytes: &[u8]) -> String {
    let name = format!("{number:05}.{ending}");
    std::fs::write(folder.join(&name), bytes).unwrap();
    name
}

fn whole(folder: &Path, number: usize) -> (String, &'static str) {
    let kind = number % KINDS;
    let seed = number as u64;
    let trace = |seed: u64| trace(seed, kind);
    let path = match kind {
        0 => in_folder(folder, number, &[("server.etl", &trace(seed)), ("tasklist.txt", &tasklist(seed))]).0,
        1 => in_root(folder, number, "etl", &trace(seed)),
        3 => in_folder(folder, number, &[("server.etl", &trace(seed)), ("netstat.txt", &netstat(seed))]).0,
        4 => in_root(
            folder,
            number,
            "zip",
            &zip(&[("case/server.etl", &trace(seed)), ("tasklist.txt", &tasklist(seed))]),
        ),
        5 => in_root(folder, number, "etl.gz", &gzip(&trace(seed))),
        6 => in_folder(folder, number, &[("netstat.txt", &netstat(seed))]).0,
        7 => in_folder(folder, number, &[("a.etl", &trace(seed)), ("b.etl", &trace(seed + (1 << 20)))]).0,
        _ => in_folder(folder, number, &[("server.etl", &trace(seed))]).0,
    };
    (path, "ok")
}

fn damaged(folder: &Path, number: usize) -> (String, &'static str) {
    let mut bytes = trace(number as u64, 0);
    if number.is_multiple_of(2) {
        bytes[..64].fill(0xEE);
        return (in_folder(folder, number, &[("server.etl", &bytes)]).0, "unusable");
    }
    bytes.truncate(bytes.len() - 0x1000);
    (in_folder(folder, number, &[("server.etl", &bytes)]).0, "notes")
}

fn unreadable(folder: &Path, number: usize) -> (String, &'static str) {
    let (name, path) = in_folder(folder, number, &[("server.etl", &trace(number as u64, 0))]);
    let closed = if number.is_multiple_of(2) { path } else { path.join("server.etl") };
    close(&closed);
    (name, "failed")
}

#[cfg(unix)]
fn close(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o000)).unwrap();
}

#[cfg(not(unix))]
fn close(_path: &Path) {
    unreachable!("only asked for on Unix");
}

fn pid(seed: u64) -> u32 {
    4 * (300 + u32::try_from(seed % 10_000).unwrap())
}

fn image(seed: u64) -> &'static str {
    ["Pump.exe", "w3wp.exe", "Sync.Agent.exe"][usize::try_from(seed % 3).unwrap()]
}

/// A machine on which one process gets ports, and is refused some.
fn trace(seed: u64, kind: usize) -> Vec<u8> {
    machine(seed, kind, 40 + seed % 30, if kind == 9 { 0 } else { 3 + seed % 5 })
}

/// The smallest trace that tells something.
fn small(seed: u64) -> Vec<u8> {
    machine(seed + (1 << 30), 9, 2, 0)
}

fn machine(seed: u64, kind: usize, binds: u64, refused: u64) -> Vec<u8> {
    let start_time = TraceOptions::default().start_time + i64::try_from(seed % 12).unwrap() * 30 * DAY_100NS;
    let os_build = [20348, 17763, 9600][usize::try_from(seed % 3).unwrap()];
    let file_name = format!("C:\\Traces\\{seed}.etl");
    let mut trace = TraceBuilder::new(TraceOptions { start_time, os_build, file_name, ..TraceOptions::default() });
    let t0 = trace.options().t0;
    let at = |step: u64| t0 + i64::try_from(step).unwrap() * 10_000_000;
    let (pid, eprocess) = (pid(seed), 0xA000 + seed * 0x10);
    let path = format!(r"\Device\HarddiskVolume3\{}", image(seed));
    trace.process_start(0, at(0) + 1, &ProcessInfo { pid, path, eprocess, ..ProcessInfo::default() }, 3);
    for number in 0..binds + refused {
        let endpoint = 0x10_0000 + number * 0x10;
        let head = |enter_exit| Head { enter_exit, location: 3000, process: eprocess, endpoint };
        let [.., high, low] = seed.to_be_bytes();
        let port = 50_000 + u16::try_from(number).unwrap();
        let local = match kind {
            2 => SockAddr::V6 { address: [0xFD; 16], port, scope: 0 },
            _ => SockAddr::V4 { address: [10, high, low, 7], port },
        };
        let is_refused = number >= binds;
        let status = |fails: bool| if fails { afd::TOO_MANY_ADDRESSES } else { 0 };
        let step = number + 1;
        trace.afd_create(0, at(step), pid, Head { location: 1000, ..head(afd::EXIT) }, pid, 0);
        trace.afd_bind(0, at(step) + 1, pid, head(afd::ENTER), 0, Some(local));
        trace.afd_bind(0, at(step) + 2, pid, head(afd::EXIT), status(is_refused && kind != 8), Some(local));
        let remote = Some(SockAddr::V4 { address: [10, 9, high, low], port: 1433 });
        trace.afd_connect(0, at(step) + 3, pid, head(afd::EXIT), status(is_refused && kind == 8), remote, false);
    }
    trace.finish()
}

fn tasklist(seed: u64) -> Vec<u8> {
    let head = "\r\nImage Name                     PID Services\r\n\
                ========================= ======== ============================================\r\n";
    let (image, pid) = (image(seed), pid(seed));
    format!("{head}svchost.exe                   1156 Dnscache\r\n{image:<25} {pid:>8} PumpSvc\r\n").into_bytes()
}

fn netstat(seed: u64) -> Vec<u8> {
    let mut text =
        "\r\nActive Connections\r\n\r\n  Proto  Local Address          Foreign Address        State           PID\r\n"
            .to_owned();
    for number in 0..20 {
        let state = if number % 2 == 0 { "ESTABLISHED" } else { "CLOSE_WAIT " };
        let line = format!(
            "  TCP    10.1.2.3:{}         10.9.{}.9:443        {state}     {}\r\n",
            50_000 + number,
            seed % 200,
            pid(seed)
        );
        text.push_str(&line);
    }
    text.into_bytes()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}
