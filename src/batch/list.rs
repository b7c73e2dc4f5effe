//! Lists of cases: a path in each line, or between zeros, as `find -print0` writes them.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::BatchError;
use crate::case::label;
use crate::words::{counted, system_message};

/// Longer lists are none: ten million paths fit.
const MAX_LIST_BYTES: u64 = 2 << 30;

/// The paths of a list; `-` is standard input.
///
/// # Errors
///
/// [`BatchError::Usage`] where it cannot be read, or nothing that it names is there.
pub(super) fn read(list: &Path) -> Result<Vec<PathBuf>, BatchError> {
    let bytes =
        bytes(list).map_err(|error| BatchError::Usage(format!("{}: {}", label(list), system_message(&error))))?;
    let paths = paths(&bytes);
    if !paths.iter().any(|path| fs::symlink_metadata(path).is_ok()) {
        return Err(BatchError::Usage(format!(
            "{}: is neither a folder, nor a trace, nor an archive, nor a list of such: of {} in it none is there",
            label(list),
            counted(paths.len() as u64, "line")
        )));
    }
    Ok(paths)
}

fn bytes(list: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if list == Path::new("-") {
        io::stdin().lock().take(MAX_LIST_BYTES).read_to_end(&mut bytes)?;
    } else {
        fs::File::open(list)?.take(MAX_LIST_BYTES).read_to_end(&mut bytes)?;
    }
    if bytes.len() as u64 == MAX_LIST_BYTES { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes) }
}

fn paths(list: &[u8]) -> Vec<PathBuf> {
    let list = list.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(list);
    let end = if list.contains(&0) { 0 } else { b'\n' };
    let lines =
        list.split(|byte| *byte == end).map(|line| line.strip_suffix(b"\r").filter(|_| end != 0).unwrap_or(line));
    lines.filter(|line| !line.is_empty()).map(path).collect()
}

fn path(bytes: &[u8]) -> PathBuf {
    #[cfg(unix)]
    let path: OsString = std::os::unix::ffi::OsStringExt::from_vec(bytes.to_vec());
    #[cfg(not(unix))]
    let path = OsString::from(String::from_utf8_lossy(bytes).into_owned());
    path.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_or_zeros_end_a_path() {
        let of = |list: &[u8]| paths(list).iter().map(|path| path.display().to_string()).collect::<Vec<_>>();
        assert_eq!(of(b"\xEF\xBB\xBFa b/c.etl\r\n\n d\n"), ["a b/c.etl", " d"]);
        assert_eq!(of(b"a\nb\0 c \0"), ["a\nb", " c "]);
        assert!(of(b"").is_empty());
    }
}
