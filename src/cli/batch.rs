//! Options of `batch`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::shared::Redaction;
use super::values::{CasesBy, TableFormat, parse_bytes};
use crate::batch::{NamePattern, Shard};
use crate::events::parse_time;
use crate::live::parse_duration;
use crate::time::FileTime;

/// `batch`.
#[derive(Debug, Args)]
#[command(after_help = BATCH_HELP)]
pub struct Batch {
    /// Folders of cases; single traces and archives; lists of such with a path in each line, - for standard input
    #[arg(value_name = "DIR|LIST", required = true)]
    pub inputs: Vec<PathBuf>,

    /// Write tables, status.ndjson, summary.html and summary.md to the folder DIR
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,

    /// Read N cases at a time; the tables are the same for any number (default: one for each CPU)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub jobs: Option<u16>,

    /// Take this as a case: a folder with everything in it, or each trace and archive (default: a folder without folders in
    /// it; where it has others, each trace and archive beside them)
    #[arg(long, value_enum, value_name = "WHAT")]
    pub cases_by: Option<CasesBy>,

    /// Look only at part i of n, as 1/4; the parts have no case in common, and together have all
    #[arg(long, value_name = "i/n")]
    pub shard: Option<Shard>,

    /// Look only at cases of which a file was changed at TIME or later (without TIME: since the start of the last whole run
    /// into the same --out); with --resume, the results of the others stay
    #[arg(long, value_name = "TIME", value_parser = parse_time, num_args = 0..=1)]
    pub since_mtime: Option<Option<FileTime>>,

    /// Cut off a case that takes longer than TIME: 60s, 10m, 2h
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "10m")]
    pub timeout: Duration,

    /// Cut off a case that needs more than SIZE of memory: 512MiB, 4GiB. All cases that are read at a time share it; one that
    /// its share is too small for is read again alone (default: as much as there is)
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes)]
    pub memory: Option<u64>,

    /// Go on from an earlier run into the same --out: what is done, with the same files, version and options, is not read again
    #[arg(long)]
    pub resume: bool,

    /// Take customer and host from the folders of a case below DIR: '{customer}/{host}/...', * for anything
    #[arg(long, value_name = "PATTERN")]
    pub name_from: Option<NamePattern>,

    /// Write tables as FORMAT, several with a comma between them (default: parquet, where the program was built with it, else
    /// ndjson)
    #[arg(long, value_enum, value_name = "FORMAT", value_delimiter = ',')]
    pub format: Vec<TableFormat>,

    /// What is replaced.
    #[command(flatten)]
    pub redaction: Redaction,

    /// Read on N threads, shared by all cases that are read at a time (default: one for each CPU)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,

    /// Show no progress: a bar on a terminal, a line every ten seconds elsewhere
    #[arg(long)]
    pub no_progress: bool,

    /// Write nothing to standard error but errors
    #[arg(short, long)]
    pub quiet: bool,
}

const BATCH_HELP: &str = "\
A case is cut off alone: by --timeout, by --memory, or where its reader breaks down. Its row says why.

Exit codes: 0 each case has a report, 1 some have none, 2 none has, or bad usage

Examples:
  outofports batch share/ --out results
  outofports batch share/ --out results --resume --since-mtime
  outofports batch share/ --out results --name-from '{customer}/{host}/...' --format parquet,ndjson
  outofports batch share/ --out results --shard 1/4 --memory 4GiB --timeout 60s
  find share -name '*.etl' | outofports batch - --out results --cases-by file";
