//! Options of commands that capture: `live` and `collect`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::shared::{Common, Look, Output, Redaction};
use super::values::{EventLog, ReportFormat, parse_pool};
use crate::live::parse_duration;
use crate::machine::ranges::PoolRange;

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
