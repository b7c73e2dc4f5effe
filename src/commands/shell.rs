//! What belongs to a shell: completions, manual pages, what was built.

use std::io::{self, Write};

use clap::CommandFactory as _;
use clap_mangen::Man as Page;

use super::{Failure, Outcome};
use crate::cli::{Cli, Completions, Man};

pub(super) fn completions(options: &Completions) -> Result<Outcome, Failure> {
    let mut text = Vec::new();
    clap_complete::generate(options.shell, &mut Cli::command(), "outofports", &mut text);
    print(&text)
}

pub(super) fn man(options: &Man) -> Result<Outcome, Failure> {
    if let Some(folder) = &options.out {
        let written = std::fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(Cli::command(), folder));
        return written.map(|()| Outcome::Complete).map_err(|error| Failure::output(folder, error));
    }
    let mut text = Vec::new();
    Page::new(Cli::command()).render(&mut text).map_err(Failure::stdout)?;
    print(&text)
}

/// What was built, for those who report a defect: the commit, the features, the target.
pub fn version() -> Result<Outcome, Failure> {
    let features: Vec<&str> = [("cli", cfg!(feature = "cli")), ("parquet", cfg!(feature = "parquet"))]
        .into_iter()
        .filter_map(|(name, is_there)| is_there.then_some(name))
        .collect();
    let commit = option_env!("OUTOFPORTS_COMMIT").unwrap_or("not told when this was built");
    let text = format!(
        "outofports {}\ncommit: {commit}\nfeatures: {}\ntarget: {}\n",
        env!("CARGO_PKG_VERSION"),
        features.join(", "),
        env!("OUTOFPORTS_TARGET")
    );
    print(text.as_bytes())
}

fn print(text: &[u8]) -> Result<Outcome, Failure> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text).and_then(|()| stdout.flush()).map_err(Failure::stdout)?;
    Ok(Outcome::Complete)
}
