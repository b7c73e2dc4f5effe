//! What `--redact` and `--redact-key` ask for.

use super::Failure;
use crate::case::label;
use crate::cli::{Redact, Redaction};
use crate::words::pseudonyms::Pseudonyms;
use crate::words::system_message;

/// A shorter key can be found by trying.
const MIN_KEY_BYTES: usize = 16;

/// Longer files are no keys.
const MAX_KEY_BYTES: u64 = 1 << 20;

/// The names that stand for others; `None` where nothing is to be replaced.
pub(super) fn names(redaction: &Redaction) -> Result<Option<Pseudonyms>, Failure> {
    let Some(redact) = redaction.redact else { return Ok(None) };
    Ok(Some(Pseudonyms::new(redact == Redact::Images, key(redaction)?.as_deref())))
}

/// The key that names are made from; `None` where none is given.
pub(super) fn key(redaction: &Redaction) -> Result<Option<Vec<u8>>, Failure> {
    let key = redaction.redact_key.as_ref().map(|path| {
        let wrong = |what: String| Failure::Usage(format!("--redact-key {}: {what}", label(path)));
        let bytes = std::fs::metadata(path)
            .and_then(|metadata| if metadata.len() > MAX_KEY_BYTES { Ok(None) } else { std::fs::read(path).map(Some) });
        match bytes {
            Ok(Some(bytes)) if bytes.len() >= MIN_KEY_BYTES => Ok(bytes),
            Ok(Some(_)) => Err(wrong(format!("a key has {MIN_KEY_BYTES} bytes or more"))),
            Ok(None) => Err(wrong("this is too large for a key".to_owned())),
            Err(error) => Err(wrong(system_message(&error))),
        }
    });
    key.transpose()
}
