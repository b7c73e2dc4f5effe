//! Options and help texts. Touches no file.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Finds out which processes ran out of ports in an ETW trace
#[derive(Debug, Parser)]
#[command(name = "outofports", version, max_term_width = 100, after_help = EXIT_CODES, after_long_help = LONG_HELP)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "\
Exit codes: 0 report complete, 1 report written but some input could not be used, 2 no report";

const LONG_HELP: &str = "\
Exit codes:
  0  the report is complete, whatever it says
  1  a report was written, but some input could not be used: its coverage notes say what
  2  no report: bad usage, unreadable input, nothing that is a trace
  10, 20  with --fail-on-verdict: ports were exhausted, the trace cannot tell

Examples:
  outofports analyze server.etl
  outofports analyze nettrace.cab -f json -o report.json
  outofports analyze case-folder/ --tasklist tasklist.txt
  outofports info server.etl";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Analyze one case: which processes' binds failed for want of a port, how often, since when
    Analyze(Analyze),
    /// Show what is in a trace, and whether it can answer the question
    Info(Info),
}

/// `analyze`.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct Analyze {
    /// Traces (.etl, also .gz and .zst), report cabinets (.cab), .zip archives or folders of one case; - for standard input
    #[arg(value_name = "INPUT", required = true)]
    pub inputs: Vec<PathBuf>,

    /// Write the report as FORMAT
    #[arg(short, long, value_enum, default_value_t = ReportFormat::Text)]
    pub format: ReportFormat,

    /// Take process names and services from FILE, the output of `tasklist /svc` (table or /fo csv)
    #[arg(long, value_name = "FILE")]
    pub tasklist: Vec<PathBuf>,

    /// Show at most N rows in each table of the text report
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub top: usize,

    /// Exit with 10 if ports were exhausted, with 20 if the trace cannot tell
    #[arg(long)]
    pub fail_on_verdict: bool,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub common: Common,
}

/// `info`.
#[derive(Debug, Args)]
pub struct Info {
    /// Traces (.etl, also .gz and .zst), report cabinets (.cab), .zip archives or folders; - for standard input
    #[arg(value_name = "INPUT", required = true)]
    pub inputs: Vec<PathBuf>,

    /// Write as FORMAT; json is an object for one trace, an array for several
    #[arg(short, long, value_enum, default_value_t = InfoFormat::Text)]
    pub format: InfoFormat,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub common: Common,
}

/// Options of all commands.
#[derive(Debug, Args)]
pub struct Common {
    /// Write to PATH instead of standard output, whole or not at all
    #[arg(short, long, value_name = "PATH")]
    pub output: Option<PathBuf>,

    /// Read on N threads; the output is the same for any number (default: one for each CPU)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,

    /// Color the text output
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = Color::Auto)]
    pub color: Color,

    /// Show no progress bar on a terminal
    #[arg(long)]
    pub no_progress: bool,

    /// Write nothing to standard error but errors
    #[arg(short, long)]
    pub quiet: bool,

    /// Tell on standard error what was read and how fast
    #[arg(short, long)]
    pub verbose: bool,
}

/// Formats of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// For people
    Text,
    /// One document, described in SCHEMA.md
    Json,
    /// One row for each process
    Csv,
}

/// Formats of `info`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum InfoFormat {
    /// For people
    Text,
    /// For programs
    Json,
}

/// When to color.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}
