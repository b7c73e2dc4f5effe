//! Options that several commands have.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::values::{Color, TimeZone, parse_zone};

/// What is replaced before anything is written.
#[derive(Debug, Args)]
pub struct Redaction {
    /// Replace names of hosts, users, files and services that are not Windows', IP and MAC addresses, SIDs and texts by names
    /// that stand for them; ports, counts, times, builds and image names stay. --redact=images replaces image names too
    #[arg(long, value_enum, value_name = "WHAT", num_args = 0..=1, require_equals = true, default_missing_value = "names")]
    pub redact: Option<Redact>,

    /// Derive the names of --redact from the bytes of FILE, so that they are the same in every run with that file
    #[arg(long, value_name = "FILE", requires = "redact")]
    pub redact_key: Option<PathBuf>,
}

/// How much is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Redact {
    /// All but image names
    Names,
    /// Image names too
    Images,
}

/// How the text report looks.
#[derive(Debug, Args)]
pub struct Look {
    /// Show at most N rows in each table of the text report
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub top: usize,

    /// Make the text report N columns wide (default: the terminal's width; in a file tables are as wide as they need)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(NARROWEST as i64..))]
    pub width: Option<u16>,

    /// The zone of times.
    #[command(flatten)]
    pub times: Times,

    /// Write the text report in ASCII alone, for fonts and shells that garble other signs
    #[arg(long)]
    pub ascii: bool,
}

/// The zone of times for people.
#[derive(Debug, Args)]
pub struct Times {
    /// Show times in ZONE: server (as its trace says), utc, local (of this computer), or an offset such as +01:00; what is for
    /// programs stays UTC (default: utc)
    #[arg(long, value_name = "ZONE", value_parser = parse_zone, default_value = "utc", hide_default_value = true, allow_hyphen_values = true)]
    pub tz: TimeZone,
}

/// The narrowest text report, in columns.
pub const NARROWEST: usize = 60;

/// Where output goes, of commands that write one.
#[derive(Debug, Args)]
pub struct Output {
    /// Write to PATH instead of standard output, whole or not at all
    #[arg(short, long, value_name = "PATH")]
    pub output: Option<PathBuf>,
}

/// Options of all commands.
#[derive(Debug, Args)]
pub struct Common {
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

    /// Report on standard error what was read and how fast
    #[arg(short, long)]
    pub verbose: bool,
}

impl Common {
    /// Threads to read on; 0 for one on each processor.
    pub(crate) fn threads(&self) -> usize {
        self.threads.map_or(0, usize::from)
    }

    /// Whether nothing is to be drawn while work goes on.
    pub(crate) fn is_silent(&self) -> bool {
        self.quiet || self.no_progress
    }
}
