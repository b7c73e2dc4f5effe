//! Options and help texts. Touches no file, except that a first word may be the name of one: then `analyze` is meant.

mod batch;
mod capture;
mod listing;
mod shared;
mod values;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{Args, CommandFactory as _, Parser, Subcommand};

pub use self::batch::Batch;
pub use self::capture::{Collect, Live, LiveAlerts};
pub use self::listing::{Events, Packets};
pub use self::shared::{Common, Look, NARROWEST, Output, Redact, Redaction, Times};
use self::values::parse_pool;
pub use self::values::{
    CasesBy, Color, CsvTable, EventFormat, EventLog, EventProfile, ExplainFormat, InfoFormat, ReportFormat,
    TableFormat, TimeZone,
};
use crate::case::NamedSideFile;
use crate::events::parse_time;
use crate::machine::ranges::PoolRange;
use crate::side::{Kind, NamedEncoding};
use crate::time::FileTime;

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
  10, 11, 20  with --fail-on-verdict: ports were exhausted, nearly so, the inputs cannot tell

Examples:
  outofports server.etl
  outofports analyze nettrace.cab -f json -o report.json
  outofports analyze case-folder/ --tasklist tasklist.txt
  outofports events server.etl -f ndjson
  outofports packets server.etl -o server.pcapng
  outofports info server.etl
  outofports batch share/ --out results
  outofports explain 10055
  outofports --version --verbose

A subcommand left out before an existing file means analyze.";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Analyze one case: which processes' binds failed because no local port was free, how often, since when
    Analyze(Analyze),
    /// Print the events behind a report, one per line; by default the binds and connects that failed because no local port was free
    Events(Events),
    /// Write the packets in a trace as a capture file (pcapng), each with the process that owns its flow
    Packets(Packets),
    /// Show what a trace holds, and whether it can answer the question
    Info(Info),
    /// Capture on this Windows machine and report, growing while you watch; needs an administrator
    Live(Live),
    /// Collect a trace and what a trace cannot tell into one archive, to analyze elsewhere; needs an administrator
    Collect(Collect),
    /// Analyze many cases: a row for each in tables of all, and a summary; never stopped by a bad one
    Batch(Box<Batch>),
    /// Say what a code, a status, a Winsock error or an event id means and what to do about it; without CODE, list them
    Explain(Explain),
    /// Print completions for a shell
    Completions(Completions),
    /// Print the manual page
    Man(Man),
}

impl Cli {
    /// Whether these are `--version` and `--verbose`, and nothing else: a version alone does not tell what was built.
    pub fn asks_what_it_is(arguments: &[OsString]) -> bool {
        let is_one_of = |argument: &OsString, names: [&str; 2]| names.iter().any(|name| argument == name);
        match arguments {
            [_, both] => is_one_of(both, ["-Vv", "-vV"]),
            [_, one, other] => [(one, other), (other, one)].iter().any(|(version, verbose)| {
                is_one_of(version, ["--version", "-V"]) && is_one_of(verbose, ["--verbose", "-v"])
            }),
            _ => false,
        }
    }

    /// The arguments with the subcommand `analyze` before the first, where that is no subcommand and a file, or can only be meant
    /// as one: then `analyze` says that there is none.
    pub fn with_subcommand(mut arguments: Vec<OsString>) -> Vec<OsString> {
        let Some(first) = arguments.get(1) else { return arguments };
        let is_named =
            |command: &clap::Command| command.get_name_and_visible_aliases().iter().any(|name| first == *name);
        let is_known = first == "help" || Self::command().get_subcommands().any(is_named);
        let text = first.to_string_lossy();
        let is_path = || text.contains(['.', '/', '\\']) || Path::new(first).exists();
        if !is_known && !text.starts_with('-') && is_path() {
            arguments.insert(1, "analyze".into());
        }
        arguments
    }
}

/// `analyze`.
#[derive(Debug, Args)]
#[command(after_help = ANALYZE_HELP)]
pub struct Analyze {
    /// Traces (.etl, also .gz and .zst), report cabinets (.cab), .zip archives, folders and side files of one case; - for
    /// standard input
    #[arg(value_name = "INPUT", required = true)]
    pub inputs: Vec<PathBuf>,

    /// Write the report as FORMAT (default: by the ending of --output, else text)
    #[arg(short, long, value_enum)]
    pub format: Option<ReportFormat>,

    /// Write to PATH instead of standard output, whole or not at all, in the format of its ending (.txt, .md, .html, .json, .csv);
    /// repeat it for several reports of one analysis, - is standard output
    #[arg(short, long, value_name = "PATH")]
    pub output: Vec<PathBuf>,

    /// Write the table NAME as CSV (default: processes)
    #[arg(long, value_enum, value_name = "NAME")]
    pub table: Option<CsvTable>,

    /// Write JSON in one line
    #[arg(long)]
    pub compact: bool,

    /// Side files by name.
    #[command(flatten)]
    pub side: SideFiles,

    /// Take the dynamic port range to be COUNT ports from START on, for all pools (default: a dynamicport listing, else 49152:16384)
    #[arg(long, value_name = "START:COUNT", value_parser = parse_pool)]
    pub pool: Option<PoolRange>,

    /// Count only what happened at TIME or later (UTC: 2026-11-14T09:12:04Z); sockets and processes are followed from the
    /// beginning
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub since: Option<FileTime>,

    /// Count only what happened at TIME or earlier; what is held at the end is what was held then
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub until: Option<FileTime>,

    /// How the text report looks.
    #[command(flatten)]
    pub look: Look,

    /// Exit with 10 if ports ran out, with 11 if they nearly did, with 20 if the inputs cannot tell
    #[arg(long)]
    pub fail_on_verdict: bool,

    /// What is replaced.
    #[command(flatten)]
    pub redaction: Redaction,

    /// Options of all commands.
    #[command(flatten)]
    pub common: Common,
}

const ANALYZE_HELP: &str = "\
Exit codes: 0 report complete, 1 report written but some input could not be used, 2 no report

Examples:
  outofports analyze server.etl
  outofports analyze case-folder/ -o report.txt -o report.json -o report.md
  outofports analyze server.etl --netstat netstat.txt --tasklist tasklist.txt --tz server
  outofports analyze server.etl --since 2026-11-14T09:10:00Z --until 2026-11-14T09:20:00Z
  outofports analyze server.etl -f csv --table holders
  outofports analyze server.etl -f json --compact >> reports.ndjson";

/// Side files by name. Inputs are recognised too; a file that is named here must hold what the option says.
#[derive(Debug, Args)]
pub struct SideFiles {
    /// Take process names and services from FILE, the output of `tasklist /svc` (table or /fo csv)
    #[arg(long, value_name = "FILE")]
    pub tasklist: Vec<PathBuf>,

    /// Take sockets and their owners from FILE, the output of `netstat -anobq`, also many in one file
    #[arg(long, value_name = "FILE")]
    pub netstat: Vec<PathBuf>,

    /// Take entries about ports from FILE, an export of the System event log
    #[arg(long, value_name = "FILE")]
    pub evtx: Vec<PathBuf>,

    /// Take port ranges from FILE, the output of `netsh int ipv4 show dynamicport tcp`, also several
    #[arg(long, value_name = "FILE")]
    pub dynamic_port: Vec<PathBuf>,

    /// Read listings as NAME: a code page such as 850, 852 or 936, or utf-8 (default: by their marks and letters)
    #[arg(long, value_name = "NAME")]
    pub encoding: Option<NamedEncoding>,
}

impl SideFiles {
    /// All of them, with what each is to hold.
    pub fn named(&self) -> Vec<NamedSideFile> {
        let lists = [
            (&self.tasklist, Kind::Tasklist),
            (&self.netstat, Kind::Netstat),
            (&self.evtx, Kind::Evtx),
            (&self.dynamic_port, Kind::DynamicPort),
        ];
        lists.into_iter().flat_map(|(paths, kind)| NamedSideFile::all(paths, kind)).collect()
    }
}

/// `info`.
#[derive(Debug, Args)]
#[command(after_help = INFO_HELP)]
pub struct Info {
    /// Traces (.etl, also .gz and .zst), report cabinets (.cab), .zip archives or folders; - for standard input
    #[arg(value_name = "INPUT", required = true)]
    pub inputs: Vec<PathBuf>,

    /// Write as FORMAT; json is an object for one trace, an array for several
    #[arg(short, long, value_enum, default_value_t = InfoFormat::Text)]
    pub format: InfoFormat,

    /// The zone of times in text.
    #[command(flatten)]
    pub times: Times,

    /// Where output goes.
    #[command(flatten)]
    pub output: Output,

    /// What is replaced.
    #[command(flatten)]
    pub redaction: Redaction,

    /// Options of all commands.
    #[command(flatten)]
    pub common: Common,
}

const INFO_HELP: &str = "\
Examples:
  outofports info server.etl
  outofports info nettrace.cab -f json -o info.json
  outofports info case-folder/";

/// `explain`.
#[derive(Debug, Args)]
#[command(after_help = EXPLAIN_HELP)]
pub struct Explain {
    /// A code of a report, an NTSTATUS (0xC0000209, STATUS_TOO_MANY_ADDRESSES), a Winsock error (10055) or an event id (4231)
    #[arg(value_name = "CODE", allow_negative_numbers = true)]
    pub codes: Vec<String>,

    /// Print the JSON Schema of the report that analyze -f json writes
    #[arg(long, conflicts_with_all = ["codes", "format"])]
    pub schema: bool,

    /// Write as FORMAT
    #[arg(short, long, value_enum, default_value_t = ExplainFormat::Text)]
    pub format: ExplainFormat,

    /// Where output goes.
    #[command(flatten)]
    pub output: Output,

    /// Color the text output
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = Color::Auto)]
    pub color: Color,
}

const EXPLAIN_HELP: &str = "\
Exit codes: 0 everything is explained, 2 no report has such a code

Examples:
  outofports explain
  outofports explain 10055
  outofports explain unexplained_ports 4231 -f markdown
  outofports explain --schema -o schema.json";

/// `completions`.
#[derive(Debug, Args)]
#[command(after_help = COMPLETIONS_HELP)]
pub struct Completions {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub shell: clap_complete::Shell,
}

const COMPLETIONS_HELP: &str = "\
Examples:
  outofports completions bash > ~/.local/share/bash-completion/completions/outofports
  outofports completions zsh > ~/.zfunc/_outofports
  outofports completions fish > ~/.config/fish/completions/outofports.fish
  outofports completions powershell >> $PROFILE";

/// `man`.
#[derive(Debug, Args)]
#[command(after_help = MAN_HELP)]
pub struct Man {
    /// Write all pages to files in DIR: outofports.1, and one for each subcommand
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

const MAN_HELP: &str = "\
Examples:
  outofports man | man -l -
  outofports man --out ~/.local/share/man/man1";
