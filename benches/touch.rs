//! The yardstick as a program: threads touch every cache line of a mapped file.

use std::io::Write;
use std::path::Path;

/// Bytes of a cache line.
const LINE: usize = 64;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(path), Some(threads)) = (arguments.next(), arguments.next()) else {
        return Err("usage: touch FILE THREADS".into());
    };
    let threads: usize = threads.parse()?;
    let file = etl_parser::EtlFile::open(Path::new(&path))?;
    let length = file.bytes().len().div_ceil(threads.max(1)).next_multiple_of(LINE);
    let sum: u64 = std::thread::scope(|scope| {
        let touch = |part: &[u8]| part.iter().step_by(LINE).map(|byte| u64::from(*byte)).sum::<u64>();
        let parts: Vec<_> = file.bytes().chunks(length).map(|part| scope.spawn(move || touch(part))).collect();
        parts.into_iter().map(|part| part.join().unwrap_or(0)).sum()
    });
    writeln!(std::io::stdout(), "{sum}")?;
    Ok(())
}
