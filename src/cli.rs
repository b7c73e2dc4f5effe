//! Options and help texts. Touches no file, except that a first word may be the name of one: then `analyze` is meant.

mod values;

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};

pub use self::values::{
    CasesBy, Color, CsvTable, EventFormat, EventLog, EventProfile, ExplainFormat, InfoFormat, ReportFormat,
    TableFormat, TimeZone,
};
use self::values::{parse_bytes, parse_pool, parse_zone};
use crate::batch::{NamePattern, Shard};
use crate::case::NamedSideFile;
use crate::events::{ProviderFilter, StatusFilter, parse_provider, parse_status, parse_time};
use crate::live::parse_duration;
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

/// `events`.
#[derive(Debug, Args)]
#[command(after_help = EVENTS_HELP)]
pub struct Events {
    /// Traces (.etl, also .gz and .zst), report cabinets (.cab), .zip archives or folders; - for standard input
    #[arg(value_name = "INPUT", required = true)]
    pub inputs: Vec<PathBuf>,

    /// Write each event as FORMAT (default: text)
    #[arg(short, long, value_enum)]
    pub format: Option<EventFormat>,

    /// Write one JSON object per line in the form of another tool
    #[arg(long, value_enum, value_name = "TOOL")]
    pub profile: Option<EventProfile>,

    /// Print all events, not only the bind and connect failures that analyze counts
    #[arg(long)]
    pub all: bool,

    /// Print events of PROVIDER: a name, a part of one that no other has (afd, tcpip), or a GUID
    #[arg(long, value_name = "PROVIDER", value_parser = parse_provider)]
    pub provider: Vec<ProviderFilter>,

    /// Print events with one of these IDs (1029,1030); of kernel and classic events it is the opcode
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub id: Vec<u16>,

    /// Print events with STATUS: a number (0xC000020A), a name (STATUS_ADDRESS_ALREADY_EXISTS), or a Winsock error (10013,
    /// 10048, 10055) for all that programs see as such
    #[arg(long, value_name = "STATUS", value_parser = parse_status, allow_negative_numbers = true)]
    pub status: Vec<StatusFilter>,

    /// Print only events that one of these processes owns (7312,2840), as analyze decides it
    #[arg(long, value_name = "PID", value_delimiter = ',')]
    pub pid: Vec<u32>,

    /// Print only events whose owner has the image NAME, with or without .exe
    #[arg(long, value_name = "NAME")]
    pub process: Vec<String>,

    /// Print events of every kind with one of these PIDs in the header of their record; faster, since owners are not found
    /// out then
    #[arg(long, value_name = "PID", value_delimiter = ',')]
    pub header_pid: Vec<u32>,

    /// Print only events not before TIME (UTC: 2026-11-14T09:12:04Z)
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub since: Option<FileTime>,

    /// Print only events not after TIME
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub until: Option<FileTime>,

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

const EVENTS_HELP: &str = "\
Examples:
  outofports events server.etl
  outofports events server.etl --provider afd --process agent.exe -f csv
  outofports events server.etl --all --since 2026-11-14T09:14:00Z -f ndjson | head
  outofports events server.etl --profile timesketch -o server.jsonl
  outofports events server.etl --provider afd --profile ecs";

/// `packets`.
#[derive(Debug, Args)]
#[command(after_help = PACKETS_HELP)]
pub struct Packets {
    /// Traces (.etl, also .gz and .zst), report cabinets (.cab), .zip archives, folders and side files of one case; - for
    /// standard input
    #[arg(value_name = "INPUT", required = true)]
    pub inputs: Vec<PathBuf>,

    /// Where output goes.
    #[command(flatten)]
    pub output: Output,

    /// Side files by name.
    #[command(flatten)]
    pub side: SideFiles,

    /// Write only packets and failures that one of these processes owns (7312,2840)
    #[arg(long, value_name = "PID", value_delimiter = ',')]
    pub pid: Vec<u32>,

    /// Write only packets and failures whose owner has the image NAME, with or without .exe
    #[arg(long, value_name = "NAME")]
    pub process: Vec<String>,

    /// Write only packets with one of these PORTs at either end (443,50123)
    #[arg(long, value_name = "PORT", value_delimiter = ',')]
    pub port: Vec<u16>,

    /// Write only packets with one of these IP addresses at either end
    #[arg(long, value_name = "IP", value_delimiter = ',')]
    pub host: Vec<IpAddr>,

    /// Write only packets and failures not before TIME (UTC: 2026-11-14T09:12:04Z)
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub since: Option<FileTime>,

    /// Write only packets and failures not after TIME
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub until: Option<FileTime>,

    /// Write only what is no further than TIME (5s, 2m) away from a bind or connect that failed because no local port was free
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub failures_around: Option<Duration>,

    /// Write packets of pktmon at each component that they pass, and not only at the first
    #[arg(long)]
    pub components: bool,

    /// Write the TLS keys of FILE before the packets, so that readers decrypt them
    #[arg(long, value_name = "FILE", conflicts_with = "redact")]
    pub keylog: Option<PathBuf>,

    /// What is replaced.
    #[command(flatten)]
    pub redaction: Redaction,

    /// Options of all commands.
    #[command(flatten)]
    pub common: Common,
}

const PACKETS_HELP: &str = "\
Each packet has a comment: process=agent.exe pid=7312 owner=created_socket, where - and unknown stand for what is not known. With
--redact packets end behind their headers, and addresses are replaced.

Examples:
  outofports packets server.etl -o server.pcapng
  outofports packets case-folder/ -o - | wireshark -k -i -
  outofports packets server.etl --process agent.exe --failures-around 5s -o failing.pcapng";

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

/// `live`.
#[derive(Debug, Args)]
#[command(after_help = LIVE_HELP)]
pub struct Live {
    /// End after TIME: 90s, 10m, 2h (default: on Ctrl-C)
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub duration: Option<Duration>,

    /// End after N failed binds and connects
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub until_failures: Option<u64>,

    /// Show what is known, and ask the machine for its sockets and handles, every TIME
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "5s")]
    pub interval: Duration,

    /// Write the session to FILE too, a trace for analyze
    #[arg(long, value_name = "FILE.etl")]
    pub record: Option<PathBuf>,

    /// Let that file grow to N MiB at most, without the events that come later (default: the free space less 256 MiB)
    #[arg(long, value_name = "N", requires = "record", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_file_mib: Option<u32>,

    /// Give the session N MiB of buffers; more where events are lost
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub buffer_mib: u32,

    /// Take only events: do not ask the machine for sockets, processes, handles and port ranges
    #[arg(long)]
    pub no_poll: bool,

    /// Write the report at the end as FORMAT (default: by the ending of --output, else text)
    #[arg(short, long, value_enum)]
    pub format: Option<ReportFormat>,

    /// Take the dynamic port range to be COUNT ports from START on, for all pools (default: what the machine says)
    #[arg(long, value_name = "START:COUNT", value_parser = parse_pool)]
    pub pool: Option<PoolRange>,

    /// Exit with 10 if ports ran out, with 11 if they nearly did, with 20 if the capture cannot tell
    #[arg(long)]
    pub fail_on_verdict: bool,

    /// Who is told while the capture runs.
    #[command(flatten)]
    pub alerts: LiveAlerts,

    /// How the text report looks.
    #[command(flatten)]
    pub look: Look,

    /// Where output goes.
    #[command(flatten)]
    pub output: Output,

    /// What is replaced, in the report at the end.
    #[command(flatten)]
    pub redaction: Redaction,

    /// Options of all commands.
    #[command(flatten)]
    pub common: Common,
}

/// Heading of the options below.
const WATCHERS: &str = "For those who watch machines";

/// Options of `live` for those who watch machines.
#[derive(Debug, Args)]
pub struct LiveAlerts {
    /// Write ports in use, free ports, failures and the largest holders to FILE each interval, whole, as Prometheus reads them;
    /// for the textfile collector of windows_exporter
    #[arg(long, help_heading = WATCHERS, value_name = "FILE.prom")]
    pub prom: Option<PathBuf>,

    /// Tell when PERCENT of a pool are in use, and when it will be full at its present rate
    #[arg(long, help_heading = WATCHERS, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(1..=100))]
    pub threshold: Option<u8>,

    /// Write entries to the Application log when an outage begins and when it ends, and for --threshold; =register registers
    /// their source outofports first, which stays
    #[arg(long, help_heading = WATCHERS, value_enum, value_name = "HOW", num_args = 0..=1, require_equals = true, default_missing_value = "write")]
    pub event_log: Option<EventLog>,

    /// Write a line to standard error every TIME, which says that the capture goes on
    #[arg(long, help_heading = WATCHERS, value_name = "TIME", value_parser = parse_duration, conflicts_with = "quiet")]
    pub heartbeat: Option<Duration>,

    /// Run PROGRAM when an outage begins, once for each; it comes last, since all words behind it are PROGRAM's. It is told of
    /// the outage by environment variables (OUTOFPORTS_MESSAGE, OUTOFPORTS_POOL, OUTOFPORTS_HOLDER_PID, ...), no shell reads its
    /// words, and the capture does not wait for it
    #[arg(long, help_heading = WATCHERS, value_name = "PROGRAM", num_args = 1.., allow_hyphen_values = true)]
    pub on_failure: Vec<OsString>,
}

const LIVE_HELP: &str = "\
On a terminal a table is redrawn in place; in a pipe each interval is a line of JSON, the report follows.
With --no-progress or --quiet there is the report alone. Ctrl-C ends the capture and prints the report.
--redact is for the report: before it, tables, lines and those who watch are told of image names, PIDs, pools and numbers alone.

Exit codes: 0 report complete, 1 the capture ended early, 2 no report; 10, 11, 20 with --fail-on-verdict

Examples:
  outofports live
  outofports live --duration 90s -f json -o report.json
  outofports live --until-failures 100 --record server.etl
  outofports live --duration 5m --quiet --fail-on-verdict -o report.txt
  outofports live --no-progress --threshold 80 --event-log --on-failure C:\\tools\\notify.exe --to ops";

/// `collect`.
#[derive(Debug, Args)]
#[command(after_help = COLLECT_HELP)]
pub struct Collect {
    /// The archive to write
    #[arg(long, value_name = "FILE.zip")]
    pub out: PathBuf,

    /// Trace for TIME: 90s, 10m, 2h (default: 60s, or as long as it takes with --until-failure)
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub duration: Option<Duration>,

    /// Trace for N minutes
    #[arg(long, value_name = "N", conflicts_with = "duration", value_parser = clap::value_parser!(u32).range(1..=525_600))]
    pub minutes: Option<u32>,

    /// Trace until the first bind or connect fails because no local port was free, and TIME longer; the file keeps the newest
    /// events
    #[arg(long, value_name = "TIME", value_parser = parse_duration, num_args = 0..=1, require_equals = true, default_missing_value = "10s")]
    pub until_failure: Option<Duration>,

    /// Let the trace grow to N MiB at most, and to half of the free room
    #[arg(long, value_name = "N", default_value_t = 1024, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_file_mib: u32,

    /// Give the session N MiB of buffers
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub buffer_mib: u32,

    /// Write nothing to standard error but errors
    #[arg(short, long)]
    pub quiet: bool,
}

const COLLECT_HELP: &str = "\
Runs a trace session; while it runs netstat -anoq and tasklist /svc, after it netsh ... show dynamicport and excludedportrange,
wevtutil epl System, and netstat -anobq, which may take minutes: Ctrl-C leaves it out. None of this changes the server. collected.json in the archive says what was asked, when, and what failed.

Exit codes: 0 all was collected, 1 some of it could not be had, 2 no archive

Examples:
  outofports collect --out case.zip
  outofports collect --out case.zip --minutes 10
  outofports collect --out case.zip --until-failure=30s --max-file-mib 512
  outofports analyze case.zip";

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
