//! What must not be overwritten: a report replaces no input of its case.

use std::fs;
use std::path::Path;

use super::{Case, Contents, Input, folder, label};
use crate::progress::NoProgress;

impl Case {
    /// The input that writing `file` would replace, as it may be shown: a file that is named, by whatever path, or one in a folder
    /// that is named, itself or by a link, that holds something to read. An earlier report in that folder does not.
    pub fn input_at(&self, file: &Path) -> Option<String> {
        let own = fs::canonicalize(file).ok()?;
        let is_it = |path: &Path| fs::canonicalize(path).is_ok_and(|path| path == own);
        let inputs = self.inputs.iter().filter_map(|input| match input {
            Input::Path(path) => Some(path.as_path()),
            Input::Piped | Input::Bytes(..) | Input::Folder(..) => None,
        });
        inputs.chain(self.side_files.iter().map(|side| side.path.as_path())).find_map(|input| {
            if is_it(input) {
                return Some(label(input));
            }
            let folder = fs::metadata(input).ok().filter(fs::Metadata::is_dir);
            let listed = folder.map(|_| folder::list(input, folder::MAX_ENTRIES, &NoProgress));
            let found = listed?.ok()?.files.into_iter().find(|found| is_it(found))?;
            holds_something(&found).then(|| label(&found))
        })
    }
}

/// Whether a file in a folder is one to read.
fn holds_something(file: &Path) -> bool {
    let alone = Case { inputs: vec![Input::Path(file.to_owned())], ..Case::default() };
    let contents = Contents::open(&alone, &NoProgress);
    contents.is_ok_and(|contents| !contents.traces.is_empty() || contents.side_inputs.iter().any(|side| side.used))
}
